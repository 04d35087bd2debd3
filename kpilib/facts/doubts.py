"""What would look right and may be wrong: ids that do not join, missing snapshots, entries that match nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import Engagement, Evidence
from kpilib.errors import DataError, listed, near
from kpilib.facts import checks
from kpilib.sql import NOT_GIVEN, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

FEW = 0.1  # of the accounts on file and of those in the facts: no more in common, and the ids do not join


def _plain(between: str) -> str:
    """SQL of an id without case, blanks, punctuation and leading zeros, but a dot for what stands between digits."""
    whole = "regexp_replace(lower(account_id), '^([0-9]+)[.,]0{1,2}$', '\\1')"  # 12.0, as spreadsheets write 12
    parted = f"regexp_replace({whole}, '([0-9]){between}', '\\1·', 'g')"
    parted = f"regexp_replace({parted}, '·([^0-9]|$)', '\\1', 'g')"
    unpadded = f"regexp_replace({parted}, '(^|[^0-9·])0+([0-9])', '\\1\\2', 'g')"
    return f"regexp_replace({unpadded}, '[^\\p{{L}}\\p{{N}}·]', '', 'g')"


# a point tells 1.12 from 11.2; a dash may have been left out, but where both have one, it tells 1-12 from 11-2
POINT, ANY = "[.,]", "[^\\p{L}\\p{N}]+"
SPELT = f"account_id, {_plain(POINT)} as plain, {_plain(ANY)} as parts"
ALIKE = f"""
    select f.account_id as seen, t.account_id as given
    from (select {SPELT} from seen_accounts where account_id not in (select account_id from accounts_given)) f
    join (select {SPELT} from accounts_given where account_id not in (select account_id from seen_accounts)) t
    using (plain)
    where plain <> '' and (f.parts = t.parts or not contains(f.parts, '·') or not contains(t.parts, '·'))
    order by 1, 2"""


def refuse_strangers(db: DuckDBPyConnection) -> None:
    """Stop where next to no account on file is in the facts, and next to none of the facts on file.

    Reads ``seen_accounts``, the accounts of the facts, and ``accounts_given``.

    Raises
    ------
    DataError
        Every figure would be of accounts without attributes, beside customers that seem to have nothing.
    """
    given, seen, both = (
        db.execute(f"select count(*) from {source}").fetchone()[0]
        for source in ("accounts_given", "seen_accounts", "accounts_given semi join seen_accounts using (account_id)")
    )
    if not given or not seen or both > FEW * given or both > FEW * seen:
        return
    alike = db.execute(ALIKE).fetchall()
    some = [
        db.execute(f"select min(account_id) from {name}").fetchone()[0] for name in ("seen_accounts", "accounts_given")
    ]
    shown = [f"{one} and {other}" for one, other in alike[:3]]
    raise DataError(
        "The accounts of the facts and those of the accounts table are not the same.",
        f"Of {seen:,} in the facts, {both:,} are among the {given:,} on file. "
        + (f"{len(alike):,} differ only in how they are written, such as {listed(shown)}." if alike
           else f"In the facts: such as {some[0]!r}; on file: such as {some[1]!r}."),
        "Write the ids alike in a source of your own (sql): were leading zeros lost, as in lpad(id, 6, '0')? "
        "Or correct accounts.columns.account_id.",
    )  # fmt: skip


def two_spellings(db: DuckDBPyConnection, engagement: Engagement) -> list[dict[str, object]]:
    """Flag accounts on file that nothing is known of while the facts have the same id, written otherwise.

    Raises
    ------
    DataError
        They are more than one, and more than ``allow_set_aside`` of the accounts in the facts: each would count as
        two customers.
    """
    if engagement.accounts is None:
        return []
    alike = db.execute(ALIKE).fetchall()
    if not alike:
        return []
    seen = db.execute("select count(*) from seen_accounts").fetchone()[0]
    shown = [f"{one} in the facts, {other} on file" for one, other in alike[: checks.EXAMPLES]]
    if len(alike) > max(1, engagement.allow_set_aside * seen):  # among few accounts, one pair may be chance
        raise DataError(
            f"{len(alike):,} of {seen:,} accounts of the facts stand in the accounts table under another spelling.",
            f"Found {listed(shown, most=3)}.",
            f"{checks.TODO['two_spellings']} Where they are different customers, raise allow_set_aside.",
        )
    return [checks.entry("accounts", "two_spellings", len(alike), shown)]


def outside_nothing(db: DuckDBPyConnection, engagement: Engagement) -> list[dict[str, object]]:
    """Flag entries of ``catalogue.outside`` that no product of the grain is: they match nothing."""
    if engagement.grain is None:
        return []
    known = {row[0] for row in db.execute("select distinct product_id from grain_map").fetchall()}
    vain = [each for each in engagement.catalogue.outside if each not in known]
    return [checks.entry("catalogue.outside", "outside_nothing", len(vain), vain[: checks.EXAMPLES])] if vain else []


def missing_snapshots(db: DuckDBPyConnection, engagement: Engagement) -> list[dict[str, object]]:
    """Flag quarters that the data cover and that no snapshot was taken at the end of."""
    if not any(each.kind == "snapshot" for each in engagement.evidence):
        return []
    taken = days_of_snapshots(db, engagement)
    days = [each.last_day for each in engagement.quarters if each.last_day <= engagement.data_to]
    missing = [f"{day}" for day in days if day not in taken]
    return [checks.entry("snapshots", "no_snapshot", len(missing), [", ".join(missing)])] if missing else []


def days_of_snapshots(db: DuckDBPyConnection, engagement: Engagement) -> set[object]:
    """Every day of which snapshots tell all that snapshots ever tell, those that found nothing included.

    Of several tables, each may speak of products of its own: a day that one of them lacks is not told.
    """
    told: dict[object, set[str]] = {}
    for number, each in enumerate(engagement.evidence, 1):
        if each.kind == "snapshot":
            for (day,) in db.execute(f"select distinct day from {quoted(f'used {number}')}").fetchall():
                told.setdefault(day, set()).update(_speaks_of(each))
    everything = set().union(*told.values())
    return {day for day, products in told.items() if "" in products or products == everything}


def _speaks_of(evidence: Evidence) -> set[str]:
    """The products a table names; the empty name where it may name any."""
    wide = evidence.wide.products if evidence.wide else ()
    return set(evidence.products or (wide.values() if isinstance(wide, dict) else wide) or [""])


def refuse_values(db: DuckDBPyConnection, key: str, name: str, values: Sequence[object], what: str) -> list[DataError]:
    """List values of an attribute that no account has, each with its near misses; ``what`` is then so."""
    column = f"coalesce(nullif(trim({quoted(name)}::varchar), ''), {literal(NOT_GIVEN)})"
    known = [row[0] for row in db.execute(f"select distinct {column} from accounts").fetchall()]
    return [
        DataError(
            f"{key}: no account has {name} {str(each)!r}, so {what}.",
            near(str(each), known),
            "Write it as in the accounts table.",
        )
        for each in values
        if str(each) not in (*known, NOT_GIVEN)
    ]
