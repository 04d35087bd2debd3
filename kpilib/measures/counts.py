"""Counts of accounts, products and slots, taken from the kept positions by the engine.

What comes back is small: how many accounts have so many
products possible and so many held. Every figure of penetration follows from these integers, so it
is exact.

Accounts are those of the book's base unless a function says otherwise. Where ``by`` names an
account attribute, a column ``group`` carries its value, blanks as ``(not given)``, which come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.measures.queries import NOT_GIVEN, Where

COUNTED = ("possible", "held", "unplaced", "revenue_quarter", "revenue_window", "rule")


def bases(book: Book, quarter: str) -> dict[str, int]:
    """Count the accounts that each base would hold: all, active, eligible."""
    found = queries.fetch(
        book,
        f"""
        SELECT count(*) FILTER (on_file) AS "all", count(*) FILTER (active) AS active,
               count(*) FILTER (on_file AND possible > 0) AS eligible
        FROM ({queries.positions(book, [queries.moment(book, quarter).index])})
        """,
    )
    return {name: int(found[name].iloc[0]) for name in ("all", "active", "eligible")}


def pairs(
    book: Book,
    by: str | None = None,
    where: Where | None = None,
    quarters: Iterable[str] | None = None,
    rules: Sequence[Where] = (),
) -> pd.DataFrame:
    """Count the accounts that have exactly so many products possible and so many held.

    ``where`` keeps the accounts whose attributes have one of the listed values. With ``rules``, a
    column ``rule`` tells the first of them that an account matches (-1: none).

    Returns
    -------
    One row per quarter (label), [group], [rule], possible and held, in this order: accounts
    (1 or more), revenue_quarter and revenue_window (sums as Decimal, None without revenue).
    """
    keys = [*queries.group_of(by), *(["rule"] if rules else [])]
    picked = None if quarters is None else [queries.moment(book, each).index for each in quarters]
    kept = f"WHERE {queries.matches(book, where)}" if where else ""
    return queries.fetch(
        book,
        f"""
        SELECT q.label AS quarter, {queries.listed_columns(keys, "c")} c.possible, c.held, count(*) AS accounts,
               sum(c.revenue_quarter) AS revenue_quarter, sum(c.revenue_window) AS revenue_window
        FROM ({queries.base(book, picked, by, rules)}) c
        JOIN quarters q USING (quarter) LEFT JOIN accounts a USING (account_id) {kept}
        GROUP BY ALL
        """,
        order=["quarter", *keys, "possible", "held"],
    )


def transitions(book: Book, earlier: str, later: str, by: str | None = None) -> pd.DataFrame:
    """Count the accounts by what they had at two quarters, over the union of both bases.

    Returns
    -------
    One row per distinct combination of [group], in_earlier, in_later, possible_earlier,
    held_earlier, possible_later, held_later (0 where the account is not in that base): accounts.
    """
    keys = ["in_earlier", "in_later"]
    keys += [f"{what}_{when}" for when in ("earlier", "later") for what in ("possible", "held")]
    group = 'coalesce(e."group", l."group") AS "group",' if by else ""
    return queries.fetch(
        book,
        f"""
        WITH {queries.both_ends(book, earlier, later, by)}
        SELECT {group} e.account_id IS NOT NULL AS in_earlier, l.account_id IS NOT NULL AS in_later,
               coalesce(e.possible, 0) AS possible_earlier, coalesce(e.held, 0) AS held_earlier,
               coalesce(l.possible, 0) AS possible_later, coalesce(l.held, 0) AS held_later,
               count(*) AS accounts
        FROM e FULL JOIN l USING (account_id) GROUP BY ALL
        """,
        order=[*queries.group_of(by), *keys],
    )


def turnover(book: Book) -> pd.DataFrame:
    """Count, for each quarter, the accounts that joined the base or were lost to it.

    Returns
    -------
    One row per quarter (label) of the book, oldest first: joined (in the base, not a quarter
    earlier), lost (in the base a quarter earlier, not now).
    """
    return queries.fetch(
        book,
        f"""
        WITH met AS (
            SELECT quarter,
                   lag(quarter) OVER account IS DISTINCT FROM quarter - 1 AS joined,
                   lead(quarter) OVER account IS DISTINCT FROM quarter + 1 AS left_after
            FROM ({queries.base(book)}) WINDOW account AS (PARTITION BY account_id ORDER BY quarter)
        ), ends AS (
            SELECT quarter, count(*) FILTER (joined) AS joined,
                   count(*) FILTER (left_after) AS left_after FROM met GROUP BY quarter
        )
        SELECT q.label AS quarter, coalesce(now.joined, 0) AS joined,
               coalesce(before.left_after, 0) AS lost
        FROM quarters q LEFT JOIN ends now ON now.quarter = q.quarter
        LEFT JOIN ends before ON before.quarter = q.quarter - 1 ORDER BY q.quarter
        """,
    )


def gains(book: Book, earlier: str, later: str) -> dict[str, int]:
    """Count the accounts in the base at both quarters, and those that came to hold more.

    Returns
    -------
    accounts (in both bases); gained (hold a product they did not hold, possible at both);
    gained_only_launched (their only new products were not possible before).
    """
    new = [(f"(l.held_{w} & ~e.held_{w})", f"e.possible_{w}") for w in queries.words_of(book)]
    gained = " OR ".join(f"{held} & {before} <> 0" for held, before in new)
    launched = " OR ".join(f"{held} & ~{before} <> 0" for held, before in new)
    found = queries.fetch(
        book,
        f"""
        WITH {queries.both_ends(book, earlier, later)}
        SELECT count(*) AS accounts, count(*) FILTER ({gained}) AS gained,
               count(*) FILTER (({launched}) AND NOT ({gained})) AS gained_only_launched
        FROM e JOIN l USING (account_id)
        """,
    )
    return {str(name): int(found[name].iloc[0]) for name in found}


def by_product(book: Book, quarter: str, by: str | None = None, given: str | None = None) -> pd.DataFrame:
    """Count, for each product, the accounts for which it is possible and those that hold it.

    With ``given``, only among the accounts that hold that product.

    Returns
    -------
    One row per [group and] product, in catalogue order: product_id, family, [group], possible,
    held (accounts).
    """
    counted = queries.base(book, [queries.moment(book, quarter).index], by)
    if given is not None:
        word, bit = queries.place_of(book, given)
        counted = f"SELECT * FROM ({counted}) WHERE held_{word} & {bit} <> 0"
    tests = {"possible": "possible_#", "held": "held_#"}
    return queries.per_product(book, f"({counted})", tests, by)


def product_changes(book: Book, earlier: str, later: str, by: str | None = None) -> pd.DataFrame:
    """Count, for each product, who kept, gained, lost or never held it between two quarters.

    Accounts in the base at both quarters, for which the product is possible at both.

    Returns
    -------
    One row per [group and] product, in catalogue order: product_id, family, [group], both, gained,
    lost, neither (accounts).
    """
    now, before, open_twice = "l.held_#", "e.held_#", "e.possible_# & l.possible_#"
    tests = {
        "both": f"{now} & {before}",
        "gained": f"{now} & ~{before} & {open_twice}",
        "lost": f"~{now} & {before} & {open_twice}",
        "neither": f"~{now} & ~{before} & {open_twice}",
    }
    ends = queries.both_ends(book, earlier, later, by)
    return queries.per_product(book, "e JOIN l USING (account_id)", tests, by, ends)


def product_revenue(book: Book, quarter: str) -> pd.DataFrame:
    """Add up what was sold of each product in a quarter, to accounts of the base or not.

    Returns
    -------
    One row per product sold: product_id, revenue_quarter (Decimal, None where no amounts are
    given); no rows where the book holds no revenue.
    """
    at = queries.moment(book, quarter)
    if not book.has("monthly"):
        return pd.DataFrame(columns=["product_id", "revenue_quarter"])
    return queries.fetch(
        book,
        f"""
        SELECT product_id, sum(revenue) AS revenue_quarter FROM monthly
        WHERE month BETWEEN DATE '{at.first_day}' AND DATE '{at.as_of}' AND product_id IS NOT NULL
        GROUP BY product_id
        """,
        order=["product_id"],
    )


def accounts(book: Book, quarter: str) -> pd.DataFrame:
    """List the accounts of the base with what they could hold and do hold.

    Returns
    -------
    One row per account, by account_id: the columns of the accounts table, possible, held, unplaced
    (proven, not possible), revenue_quarter, revenue_window (Decimal, None without revenue).
    """
    listed = f"SELECT * EXCLUDE (rule) FROM ({_account_rows(book, quarter)})"
    return queries.fetch(book, listed, order=["account_id"])


def largest(book: Book, quarter: str, among: pd.DataFrame, rules: Sequence[Where] = (), most: int = 15) -> pd.DataFrame:
    """List the accounts of largest revenue among those with certain counts.

    ``among`` has columns possible, held and, with ``rules``, rule: the combinations wanted.

    Returns
    -------
    As :func:`accounts`, the ``most`` largest by revenue_window, ties by account_id.
    """
    keys = ["possible", "held", *(["rule"] if rules else [])]
    return queries.fetch(
        book,
        f"""
        SELECT * EXCLUDE (rule)
        FROM ({_account_rows(book, quarter, rules)}) SEMI JOIN wanted USING ({", ".join(keys)})
        ORDER BY revenue_window DESC NULLS LAST, account_id LIMIT {int(most)}
        """,
        wanted=among[keys].drop_duplicates(),
    )


def holdings(book: Book, account_ids: str | Sequence[str], quarter: str) -> pd.DataFrame:
    """Read, for certain accounts, which products are possible and which are proven.

    Accounts on file or active, in the base or not; others have no rows.

    Returns
    -------
    One row per account and product, by account_id and catalogue order: account_id, product_id,
    possible, proven (both bool).
    """
    wanted = [account_ids] if isinstance(account_ids, str) else list(account_ids)
    index = queries.moment(book, quarter).index
    return queries.fetch(
        book,
        f"""
        SELECT c.account_id, p.product_id, {queries.bit(book, "possible")} AS possible,
               {queries.bit(book, "proven")} AS proven
        FROM positions c CROSS JOIN products p
        WHERE c.quarter = {index} AND c.account_id IN (SELECT account_id FROM wanted)
        ORDER BY c.account_id, p.place
        """,
        wanted=pd.DataFrame({"account_id": pd.Series(wanted, dtype="str")}),
    )


def at_slots(book: Book, quarter: str, rows: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Say of listed slots whether they are possible and held, and whether the account is counted.

    Parameters
    ----------
    rows
        One row per slot to look up: account_id, product_id and any other columns.

    Returns
    -------
    The same rows in the same order, with possible, held, in_base (bool) and [group]. A product
    outside the catalogue, or an account neither on file nor active, is False throughout.
    """
    flags = {"possible": queries.bit(book, "possible"), "held": queries.bit(book, "held"), "in_base": "c.in_base"}
    told = ", ".join(f"coalesce({sql}, false) AS {name}" for name, sql in flags.items())
    group = f', coalesce(c."group", {queries.literal(NOT_GIVEN)}) AS "group"' if by else ""
    found = queries.fetch(
        book,
        f"""
        SELECT {told} {group}
        FROM asked LEFT JOIN products p USING (product_id)
        LEFT JOIN ({queries.positions(book, [queries.moment(book, quarter).index], by)}) c USING (account_id)
        ORDER BY asked.row
        """,
        asked=rows[["account_id", "product_id"]].assign(row=range(len(rows))),
    )
    return pd.concat([rows.reset_index(drop=True), found], axis=1)


def tally(book: Book, quarter: str, marks: str, by: str | None = None) -> pd.DataFrame:
    """Count the possible slots of the base that carry a mark, by mark and by whether they are held.

    Parameters
    ----------
    marks
        SQL over the book's tables: account_id, product_id, and the columns to count by; one row
        per slot.

    Returns
    -------
    One row per distinct combination of [group], held (bool) and the marks: slots.
    """
    group = 'c."group",' if by else ""
    return queries.fetch(
        book,
        f"""
        SELECT {group} {queries.bit(book, "held")} AS held, m.* EXCLUDE (account_id, product_id),
               count(*) AS slots
        FROM ({marks}) m JOIN products p USING (product_id)
        JOIN ({queries.base(book, [queries.moment(book, quarter).index], by)}) c USING (account_id)
        WHERE {queries.bit(book, "possible")} GROUP BY ALL ORDER BY ALL
        """,
    )


def _account_rows(book: Book, quarter: str, rules: Sequence[Where] = ()) -> str:
    """Write the query for account rows; an attribute named like a count is marked as such."""
    told = {name: f"{name} (attribute)" if name.lower() in COUNTED else name for name in queries.attributes(book)}
    own = "".join(f"a.{queries.quoted(name)} AS {queries.quoted(shown)}, " for name, shown in told.items())
    return f"""
        SELECT c.account_id, a.in_table, a.joined_on, a.left_on, {own} c.possible, c.held,
               c.unplaced, c.revenue_quarter, c.revenue_window, c.rule
        FROM ({queries.base(book, [queries.moment(book, quarter).index], None, rules)}) c
        LEFT JOIN accounts a USING (account_id)
    """


def flows(book: Book) -> pd.DataFrame:
    """Count what the accounts in the base at two quarters in a row gained and lost, in one pass over positions.

    Returns
    -------
    One row per later quarter (label) and earlier, both, later (products an account could hold at the earlier quarter,
    at both, at the later): accounts, and over all of them held_earlier, held_later, held_both (of those possible both
    times, held at the earlier quarter), gained and lost (possible both times).
    """
    words = queries.words_of(book)
    before = ", ".join(
        f"lag({name}_{w}) OVER mine AS {name}_before_{w}" for w in words for name in ("possible", "held")
    )
    both = "possible_# & possible_before_#"
    return queries.fetch(
        book,
        f"""
        WITH linked AS (
            SELECT *, lag(quarter) OVER mine AS before, lag(possible) OVER mine AS earlier,
                   lag(held) OVER mine AS held_earlier, {before}
            FROM ({queries.base(book)}) WINDOW mine AS (PARTITION BY account_id ORDER BY quarter)
        )
        SELECT q.label AS quarter, earlier, {queries.bits(words, both)} AS both, possible AS later,
               count(*) AS accounts, sum(held_earlier)::BIGINT AS held_earlier, sum(held)::BIGINT AS held_later,
               sum({queries.bits(words, "held_before_# & possible_#")})::BIGINT AS held_both,
               sum({queries.bits(words, f"held_# & ~held_before_# & {both}")})::BIGINT AS gained,
               sum({queries.bits(words, f"held_before_# & ~held_# & {both}")})::BIGINT AS lost
        FROM linked JOIN quarters q USING (quarter) WHERE before = quarter - 1 GROUP BY ALL
        """,
        order=["quarter", "earlier", "both", "later"],
    )


def revenue_kept(book: Book) -> pd.DataFrame:
    """Add up, quarter by quarter, the revenue of accounts with any and what those of the quarter before brought.

    Returns
    -------
    One row per quarter (label) of the book, oldest first: revenue (of accounts whose net revenue of the quarter is
    over 0), kept (revenue of the quarter of the accounts that were so a quarter earlier); Decimal, missing without
    revenue.
    """
    return queries.fetch(
        book,
        """
        WITH linked AS (
            SELECT quarter, revenue_quarter AS now, lag(quarter) OVER mine AS before,
                   lag(revenue_quarter) OVER mine AS earlier
            FROM positions WINDOW mine AS (PARTITION BY account_id ORDER BY quarter)
        ), summed AS (
            SELECT quarter, sum(now) FILTER (now > 0) AS revenue,
                   sum(now) FILTER (before = quarter - 1 AND earlier > 0) AS kept
            FROM linked GROUP BY quarter
        )
        SELECT q.label AS quarter, revenue, kept FROM quarters q LEFT JOIN summed USING (quarter) ORDER BY q.quarter
        """,
    )
