"""The rules of the intake, and the ledger of what broke them: rows, money, examples, what was done.

A rule *sets aside* (the first one that a row breaks owns it) or *flags* (the row is kept). What stays reconciles:
rows read = rows used + rows set aside, and revenue likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from kpilib.engagement import Engagement
from kpilib.errors import DataError, listed
from kpilib.sql import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAYS = {
    "no_account": "no account id",
    "unknown_account": "account id not in the accounts table, which is declared complete",
    "unreadable_date": "date missing, not in the declared format, or a different day in two declared formats",
    "outside_calendar": "date outside data_from to data_to",
    "unreadable_amount": "amount missing or not a number as declared",
    "unknown_product": "product not in the catalogue, not outside it, not mapped",
    "repeated_line": "same as an earlier line in all columns of the source, or in its declared key",
    "unlisted_account": "account seen only in the facts: counted, without attributes",
    "no_such_account": "account neither in the accounts table nor in the evidence: not counted",
    "no_spend": "spend 0 or less: no share of it can be told",
    "outside_catalogue": "known product outside the catalogue: activity and revenue, never a holding",
    "zero_quantity": "quantity 0",
    "zero_revenue": "revenue 0",
    "ends_before_start": "ends on or before the day it starts: proves nothing",
    "closed_before_opened": "won or lost before the day it was opened: counts from that day",
    "between_quarters": "snapshot of a day that ends no quarter: proves nothing",
    "month_without_lines": "no line in a month inside data_from to data_to: a missing delivery?",
    "no_snapshot": "no snapshot of the day that ends a quarter: nothing is known of what snapshots tell of it",
    "blank_cell": "blank in the matrix: counts as not had",
    "contradicting_rows": "the account stands twice for one day, with and without the product: counts as had",
    "two_spellings": "account on file without facts whose id, written otherwise, stands in the facts: counts twice",
    "outside_nothing": "named in catalogue.outside, and no product of the grain: matches nothing",
    "open_to_nobody": "product that no account could buy in any quarter: who could buy what?",
    "not_on_offer": "product held after it was retired or before it was launched: not counted as held",
    "outside_eligibility": "product held by an account it is not open to: not counted as held",
}
TODO = {
    "unreadable_date": "Declare date_format (a list, if the client mixes several) in the source.",
    "unreadable_amount": "Declare decimal and thousands in the source; mend what is no number.",
    "unknown_product": "Add them to the mapping, the catalogue, or catalogue.outside.",
    "outside_calendar": "Widen data_from and data_to if these days are delivered whole.",
    "unknown_account": "Complete the accounts table, or set accounts.complete = false.",
    "month_without_lines": "Ask the client for that month.",
    "unlisted_account": "Check how the ids are written; ask the client for these accounts.",
    "no_snapshot": "Ask the client for it, or end the data before it (data_from, data_to).",
    "blank_cell": 'Ask what a blank means; where it means no, say so: no = [..., ""].',
    "contradicting_rows": "Ask which row holds; keep one row for an account and day.",
    "two_spellings": "Write the ids alike in a source of your own (sql), as in lpad(id, 6, '0').",
    "outside_nothing": "With [grain], outside names products: map the item to one of that name in the grain.",
    "open_to_nobody": "Check its eligibility rules, and its launch and retirement.",
    "closed_before_opened": "Check which column is which (opportunities.columns), and how dates are written.",
    "no_spend": "Ask whether the spend is unknown; leave such rows out.",
    "no_such_account": "Check how the ids are written; add the accounts to the accounts table if they are customers.",
}
KEPT_TODO = {
    "repeated_line": 'Each of them counts. Where lines were sent twice: duplicates = "set aside" (and duplicate_key).',
}
LEDGER = ("table", "rule", "action", "rows", "hits", "also_set_aside", "revenue", "says", "todo", "examples")
HASHED_AT_ONCE = 3_000_000
EXAMPLES = 5  # of what broke a rule, that the ledger names
AT_FAULT = {
    "ends_before_start": "concat(coalesce(day_text, day::varchar), ', ends ', stop)",
    "closed_before_opened": "concat(coalesce(day_text, day::varchar), ', closed ', stop)",
}
TOTALS = (
    "table",
    "rows_read",
    "rows_used",
    "rows_set_aside",
    "revenue_read",
    "revenue_used",
    "revenue_set_aside",
    "gross_read",
    "gross_set_aside",
)


@dataclass(frozen=True)
class Rules:
    """SQL conditions by rule name: those that set a row aside, in order, and those that flag it.

    ``todo`` has remedies that fit this table better than the rule's own. ``also_unread`` is SQL of what else the client
    wrote that cannot be read, beside the day and the amount that every table shows.
    """

    set_aside: dict[str, str]
    flags: dict[str, str]
    todo: dict[str, str] = field(default_factory=dict)
    also_unread: str = "null::varchar"

    @classmethod
    def of(
        cls,
        set_aside: dict[str, str],
        flags: dict[str, str],
        todo: dict[str, str] | None = None,
        also_unread: str = "null::varchar",
    ) -> Rules:
        """Leave out rules that do not apply: those whose condition is empty."""
        kept = ({name: sql for name, sql in each.items() if sql} for each in (set_aside, flags))
        return cls(*kept, todo or {}, also_unread)


@dataclass(frozen=True)
class Judged:
    """One table after the rules: its ledger, its totals, and the rules that were broken."""

    ledger: pd.DataFrame
    totals: pd.DataFrame
    broken: tuple[str, ...]


def judge(db: DuckDBPyConnection, label: str, view: str, rules: Rules) -> Judged:
    """Count every rule of one table in a single scan; a second finds examples, where any rule was broken.

    Parameters
    ----------
    view
        Has ``account_id``, ``item_id``, ``day_text``, ``amount_text``, ``revenue`` and provenance.

    Returns
    -------
    Judged
        ``ledger``: one row per broken rule; ``rows`` that it owns, ``hits`` in all,
        ``also_set_aside`` those that another rule set aside, ``revenue`` of ``rows``. A flag owns all it hits.
        ``totals``: one row.
    """
    conditions = {**rules.set_aside, **rules.flags}
    counts = ", ".join(
        f"count(*) filter ({sql}) as {name}, sum(revenue) filter ({sql}) as {name}_revenue"
        for name, sql in conditions.items()
    )
    cursor = db.execute(
        f"select {owner(rules)} as owner, count(*) as rows, sum(revenue) as revenue, sum(abs(revenue)) as gross"
        f"{', ' + counts if counts else ''} from {quoted(view)} group by 1 order by 1"
    )
    names = [each[0] for each in cursor.description]
    # rows through Python keep decimals; DuckDB's own pandas frames turn them into doubles
    scanned = pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)
    broken = tuple(name for name in conditions if scanned[name].sum())
    examples = _examples(db, view, {name: conditions[name] for name in broken}, rules)
    rows = [{**_entry(label, rules, scanned, name), "examples": examples[name]} for name in broken]
    return Judged(pd.DataFrame(rows, columns=LEDGER), _totals(label, scanned), broken)


def outside_calendar(engagement: Engagement) -> str:
    """SQL for a day that the engagement does not speak of."""
    return f"day not between date '{engagement.data_from}' and date '{engagement.data_to}'"


def owner(rules: Rules) -> str:
    """SQL for the first set-aside rule that a row breaks; null where the row is used."""
    cases = " ".join(f"when {sql} then '{name}'" for name, sql in rules.set_aside.items())
    return f"case {cases} end" if cases else "null::varchar"


def used(rules: Rules, broken: Sequence[str]) -> str:
    """SQL that keeps the used rows; rules that nothing broke cost nothing."""
    kept = [f"not coalesce({sql}, false)" for name, sql in rules.set_aside.items() if name in broken]
    return " and ".join(kept) or "true"


def twins(db: DuckDBPyConnection, view: str, columns: Sequence[str], rows: int, name: str) -> bool:
    """Keep the lines that have their like in the given columns; whether there are any.

    A hash finds the few candidates, some of the lines at a time so that memory stays small; the columns
    themselves decide.

    Parameters
    ----------
    view
        Has ``_file``, ``_record`` and ``_kit_line``, which no two lines share.
    name
        Of the table that is made: ``_file`` and ``_kit_line``; ``h``, a hash of the columns; ``again``, whether an
        earlier line is the same; ``elsewhere``, whether a line of another file is.
    """
    same, table, lines = ", ".join(map(quoted, columns)), quoted(name), quoted(view)
    passes = min(8, 1 + rows // HASHED_AT_ONCE)
    db.execute("create or replace temp table candidates (h ubigint)")
    for turn in range(passes):
        some = f"hash({same}) as h from {lines} where hash({same}) % {passes} = {turn}"
        db.execute(f"insert into candidates select {some} group by 1 having count(*) > 1")
    if db.execute("select count(*) from candidates").fetchone() == (0,):
        return False
    db.execute(
        f"create temp table {table} as select _file, _kit_line, hash({same}) as h, "
        "min(_file) over alike <> max(_file) over alike as elsewhere, "
        "row_number() over (alike order by _file, _record, _kit_line) > 1 as again "
        f"from {lines} where hash({same}) in (from candidates) "
        f"window alike as (partition by {same}) qualify count(*) over alike > 1"
    )
    return db.execute(f"select count(*) from {table}").fetchone() != (0,)


def refuse_copied_files(db: DuckDBPyConnection, view: str, name: str, key: str) -> None:
    """Stop where every line of a file stands in another one too: a delivery that came twice counts twice.

    Parameters
    ----------
    name
        Of the table of :func:`twins`.

    Raises
    ------
    DataError
        With the files and their lines. Files of a single line may repeat by chance.
    """
    found = db.execute(
        f"with files as (select _file, count(*) as lines from {quoted(view)} group by 1), "
        f"within as (select _file, count(*) as lines from {quoted(name)} where elsewhere group by 1), "
        f"here as (select _file, h, count(*) as lines from {quoted(name)} where elsewhere group by all), "
        "shared as (select a._file, b._file as other, sum(a.lines) as held from here a semi join "
        "(from files join within using (_file, lines) where lines > 1) whole using (_file) "
        "join here b on a.h = b.h and a._file <> b._file group by all) "
        "select _file, lines, other, held, (select sum(lines) from files) from shared join files using (_file) "
        "qualify row_number() over (partition by _file order by held desc, length(other), other) = 1 "
        "order by lines, length(_file) desc, _file desc"
    ).fetchall()
    copies: dict[str, tuple[int, str, int]] = {}
    for file, lines, other, held, _ in found:  # of two that share all, the copy has fewer lines or the longer name
        if copies.get(other, (0, "", 0))[1] != file:
            copies[file] = lines, other, held
    if copies:
        again = sum(lines for lines, *_ in copies.values())
        named = [f"{file}: {_stands_in(*each)}" for file, each in sorted(copies.items())]
        raise DataError(
            f"{key}: the same delivery stands twice and would count twice.",
            f"Found {listed(named, most=5)}; {again / found[0][-1]:.1%} of the lines.",
            f'Take the copy out of the folder, or say in {key} duplicates = "set aside" (count once) or "keep".',
        )


def _stands_in(lines: int, other: str, held: int) -> str:
    if held == lines:
        return f"its {lines:,} lines stand in {other} too"
    return f"its {lines:,} lines stand in other files too, {held:,} of them in {other}"


def entry(label: str, rule: str, hits: int, examples: Sequence[str], todo: str = "") -> dict[str, object]:
    """Make a ledger row for what was flagged otherwise than by a scan of conditions; ``examples`` as shown."""
    row = (label, rule, "flagged", hits, hits, 0, None, SAYS[rule], todo or TODO.get(rule, ""), "\n".join(examples))
    return dict(zip(LEDGER, row, strict=True))


def refuse_repeated_ids(db: DuckDBPyConnection, label: str, view: str, column: str, source: str = "") -> None:
    """Stop where a table that must name each thing once names one twice.

    Parameters
    ----------
    source
        Name of the source behind it, for the query that would mend it.

    Raises
    ------
    DataError
        With the first few ids, told apart by whether their rows agree; counting either row would be a guess.
    """
    names = [each[0] for each in db.execute(f"describe {quoted(view)}").fetchall()]
    own = [each for each in names if each not in ("_file", "_record", "unread", column)]
    apart = "".join(f", count(distinct coalesce({quoted(each)}::varchar, '')) > 1" for each in own)
    twice = db.execute(
        f"select {column}, count(*){apart} from {quoted(view)} where {column} is not null "
        "group by 1 having count(*) > 1 order by 2 desc, 1"
    ).fetchall()
    if not twice:
        return
    alike = [f"{name} ({n} times)" for name, n, *odd in twice if not any(odd)]
    apart = [(name, n, [each for each, unlike in zip(own, odd, strict=True) if unlike]) for name, n, *odd in twice]
    unlike = [f"{name} ({n} times, with another {' and '.join(odd)})" for name, n, odd in apart if odd]
    found = [f"Rows that are alike: {listed(alike, most=5)}."] if alike else []
    found += [f"Rows that contradict each other: {listed(unlike, most=5)}."] if unlike else []
    sql = f'sql = "select distinct on (ID) * from {source or "SOURCE"} order by ID, _record"'
    mend = (
        f"Keep one row for each; where the first may stand for all, make a source with {sql} (ID: the client's column)."
    )
    raise DataError(f"{label} names {len(twice):,} ids more than once.", " ".join(found), mend)


def _entry(label: str, rules: Rules, scanned: pd.DataFrame, rule: str) -> dict[str, object]:
    owned = scanned.loc[scanned["owner"] == rule]
    sets_aside = rule in rules.set_aside
    revenue = owned["revenue"] if sets_aside else scanned[f"{rule}_revenue"]
    return {
        "table": label,
        "rule": rule,
        "action": "set aside" if sets_aside else "flagged",
        "rows": int(owned["rows"].sum() if sets_aside else scanned[rule].sum()),
        "hits": int(scanned[rule].sum()),
        "also_set_aside": int(scanned.loc[scanned["owner"].notna() & (scanned["owner"] != rule), rule].sum()),
        "revenue": _decimal_sum(revenue),
        "says": SAYS[rule],
        "todo": rules.todo.get(rule) or ("" if sets_aside else KEPT_TODO.get(rule, "")) or TODO.get(rule, ""),
    }


def _example(rule: str, rules: Rules) -> str:
    """SQL of what the client wrote; where the day alone does not show the fault, with what does."""
    day = AT_FAULT.get(rule, "day_text")
    return (
        "{'file': _file, 'record': _record, 'account': account_id, 'item': item_id, "
        f"'day': {day}, 'amount': amount_text, 'also_unread': {rules.also_unread}}}"
    )


def _examples(db: DuckDBPyConnection, view: str, conditions: dict[str, str], rules: Rules) -> dict[str, str]:
    """Word the first few rows that broke each rule. File and record come first, so they order.

    What the client wrote is text: to read it of every row would cost more than all counting.
    """
    if not conditions:
        return {}
    first = ", ".join(f"min({_example(name, rules)}, {EXAMPLES}) filter ({sql})" for name, sql in conditions.items())
    some = " or ".join(f"({sql})" for sql in conditions.values())
    lists = db.execute(f"select {first} from {quoted(view)} where {some}").fetchone() or ()
    return {
        name: "\n".join(
            f"{file}, record {record}: "
            + ", ".join(["(blank)" if each is None else str(each) for each in rest] + ([also] if also else []))
            for file, record, *rest, also in (row.values() for row in rows)
        )
        for name, rows in zip(conditions, lists, strict=True)
    }


def _totals(label: str, scanned: pd.DataFrame) -> pd.DataFrame:
    """Reconcile: net money, and gross money, in which a sale and its return both weigh."""
    kept = scanned["owner"].isna()
    rows = [int(scanned.loc[each, "rows"].sum()) for each in (kept | ~kept, kept, ~kept)]
    net = [_decimal_sum(scanned.loc[each, "revenue"]) for each in (kept | ~kept, kept, ~kept)]
    gross = [_decimal_sum(scanned.loc[each, "gross"]) for each in (kept | ~kept, ~kept)]
    if net[0] is not None:  # where there are amounts, none of them set aside is 0
        net, gross = ([each or Decimal(0) for each in amounts] for amounts in (net, gross))
    return pd.DataFrame([(label, *rows, *net, *gross)], columns=TOTALS)


def _decimal_sum(values: pd.Series) -> object:
    """Sum decimals; none at all is no amount, not 0."""
    given = [each for each in values if each is not None and not pd.isna(each)]
    return sum(given[1:], given[0]) if given else None
