"""Counts of accounts, products and slots: the only reader of the bits in the kept positions.

Plain DuckDB SQL over the kept Parquet. What comes back is small: how many accounts have so many
products possible and so many held. Every figure of penetration follows from these integers, so it
is exact.

Accounts are those of the book's base unless a function says otherwise. Where ``by`` names an
account attribute, a column ``group`` carries its value, blanks as ``(not given)``, which come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, listed, near

NOT_GIVEN = "(not given)"
OUR_COLUMNS = ("account_id", "in_table", "joined_on", "left_on")
COUNTED = ("possible", "held", "unplaced", "revenue_quarter", "revenue_window", "rule")

Where = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Moment:
    """A quarter of the book: as of its last day, over the window that ends there."""

    index: int
    label: str
    first_day: date
    as_of: date
    window_start: date
    complete: bool


def moment(book: Book, quarter: str | None = None) -> Moment:
    """Find a quarter by its label; without one, the book's default.

    Raises
    ------
    QuarterError
        When it is not written as a quarter, or lies outside the data.
    """
    label = book.quarter(quarter or book.default_quarter()).label
    row = book.quarters[book.quarters["label"] == label].iloc[0]
    days = (pd.Timestamp(row[name]).date() for name in ("first_day", "as_of", "window_start"))
    return Moment(int(row["quarter"]), label, *days, bool(row["complete"]))


def bases(book: Book, quarter: str) -> dict[str, int]:
    """Count the accounts that each base would hold: all, active, eligible."""
    found = _fetch(
        book,
        f"""
        SELECT count(*) FILTER (on_file) AS "all", count(*) FILTER (active) AS active,
               count(*) FILTER (on_file AND possible > 0) AS eligible
        FROM ({_positions(book, [moment(book, quarter).index])})
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
    keys = [*_group(by), *(["rule"] if rules else [])]
    picked = None if quarters is None else [moment(book, each).index for each in quarters]
    kept = f"WHERE {_matches(book, where)}" if where else ""
    return _fetch(
        book,
        f"""
        SELECT q.label AS quarter, {_comma(keys, "c")} c.possible, c.held, count(*) AS accounts,
               sum(c.revenue_quarter) AS revenue_quarter, sum(c.revenue_window) AS revenue_window
        FROM ({_base(book, picked, by, rules)}) c
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
    return _fetch(
        book,
        f"""
        WITH {_both_ends(book, earlier, later, by)}
        SELECT {group} e.account_id IS NOT NULL AS in_earlier, l.account_id IS NOT NULL AS in_later,
               coalesce(e.possible, 0) AS possible_earlier, coalesce(e.held, 0) AS held_earlier,
               coalesce(l.possible, 0) AS possible_later, coalesce(l.held, 0) AS held_later,
               count(*) AS accounts
        FROM e FULL JOIN l USING (account_id) GROUP BY ALL
        """,
        order=[*_group(by), *keys],
    )


def turnover(book: Book) -> pd.DataFrame:
    """Count, for each quarter, the accounts that joined the base or were lost to it.

    Returns
    -------
    One row per quarter (label) of the book, oldest first: joined (in the base, not a quarter
    earlier), lost (in the base a quarter earlier, not now).
    """
    return _fetch(
        book,
        f"""
        WITH met AS (
            SELECT quarter,
                   lag(quarter) OVER account IS DISTINCT FROM quarter - 1 AS joined,
                   lead(quarter) OVER account IS DISTINCT FROM quarter + 1 AS left_after
            FROM ({_base(book)}) WINDOW account AS (PARTITION BY account_id ORDER BY quarter)
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
    new = [(f"(l.held_{w} & ~e.held_{w})", f"e.possible_{w}") for w in _words(book)]
    gained = " OR ".join(f"{held} & {before} <> 0" for held, before in new)
    launched = " OR ".join(f"{held} & ~{before} <> 0" for held, before in new)
    found = _fetch(
        book,
        f"""
        WITH {_both_ends(book, earlier, later)}
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
    counted = _base(book, [moment(book, quarter).index], by)
    if given is not None:
        counted = f"SELECT * FROM ({counted}) WHERE {_bit_of(book, given, 'held')}"
    tests = {"possible": "possible_#", "held": "held_#"}
    return _per_product(book, f"({counted})", tests, by)


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
    ends = _both_ends(book, earlier, later, by)
    return _per_product(book, "e JOIN l USING (account_id)", tests, by, ends)


def product_revenue(book: Book, quarter: str) -> pd.DataFrame:
    """Add up what was sold of each product in a quarter, to accounts of the base or not.

    Returns
    -------
    One row per product sold: product_id, revenue_quarter (Decimal, None where no amounts are
    given); no rows where the book holds no revenue.
    """
    at = moment(book, quarter)
    if not book.has("monthly"):
        return pd.DataFrame(columns=["product_id", "revenue_quarter"])
    return _fetch(
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
    return _fetch(book, listed, order=["account_id"])


def largest(book: Book, quarter: str, among: pd.DataFrame, rules: Sequence[Where] = (), most: int = 15) -> pd.DataFrame:
    """List the accounts of largest revenue among those with certain counts.

    ``among`` has columns possible, held and, with ``rules``, rule: the combinations wanted.

    Returns
    -------
    As :func:`accounts`, the ``most`` largest by revenue_window, ties by account_id.
    """
    keys = ["possible", "held", *(["rule"] if rules else [])]
    return _fetch(
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
    index = moment(book, quarter).index
    return _fetch(
        book,
        f"""
        SELECT c.account_id, p.product_id, {_bit(book, "possible")} AS possible,
               {_bit(book, "proven")} AS proven
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
    flags = {"possible": _bit(book, "possible"), "held": _bit(book, "held"), "in_base": "c.in_base"}
    told = ", ".join(f"coalesce({sql}, false) AS {name}" for name, sql in flags.items())
    group = f', coalesce(c."group", {_text(NOT_GIVEN)}) AS "group"' if by else ""
    found = _fetch(
        book,
        f"""
        SELECT {told} {group}
        FROM asked LEFT JOIN products p USING (product_id)
        LEFT JOIN ({_positions(book, [moment(book, quarter).index], by)}) c USING (account_id)
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
    return _fetch(
        book,
        f"""
        SELECT {group} {_bit(book, "held")} AS held, m.* EXCLUDE (account_id, product_id),
               count(*) AS slots
        FROM ({marks}) m JOIN products p USING (product_id)
        JOIN ({_base(book, [moment(book, quarter).index], by)}) c USING (account_id)
        WHERE {_bit(book, "possible")} GROUP BY ALL ORDER BY ALL
        """,
    )


def in_order(groups: Iterable[str]) -> list[str]:
    """List the distinct groups as every table does: by name, those not given last.

    Example
    -------
    >>> in_order(["small", "(not given)", "big", "small"])
    ['big', 'small', '(not given)']
    """
    return sorted(set(groups), key=lambda group: (group == NOT_GIVEN, group))


def attributes(book: Book) -> list[str]:
    """Name the account attributes that figures can be split by."""
    with book.connect() as con:
        columns = con.sql("SELECT * FROM accounts LIMIT 0").columns
    return [name for name in columns if name not in OUR_COLUMNS]


def _positions(
    book: Book,
    quarters: Iterable[int] | None = None,
    by: str | None = None,
    rules: Sequence[Where] = (),
) -> str:
    """Write the query for every kept position, its bits counted and its base told."""
    words = _words(book)
    held = ", ".join(f"p.possible_{w} & p.proven_{w} AS held_{w}" for w in words)
    possible = ", ".join(f"p.possible_{w}" for w in words)
    picked = "" if quarters is None else f"WHERE p.quarter IN ({_numbers(quarters)})"
    join = "LEFT JOIN accounts a USING (account_id)" if by or rules else ""
    eligible = f"p.on_file AND {_bits(words, 'p.possible_#')} > 0"
    base = {"all": "p.on_file", "active": "p.active", "eligible": eligible}[book.base]
    return f"""
        SELECT p.account_id, p.quarter, p.on_file, p.active, {base} AS in_base, {possible}, {held},
               {_bits(words, "p.possible_#")} AS possible,
               {_bits(words, "p.possible_# & p.proven_#")} AS held,
               {_bits(words, "p.proven_# & ~p.possible_#")} AS unplaced,
               p.revenue_quarter, p.revenue_window,
               {_value(book, by) if by else "NULL"} AS "group", {_rule(book, rules)} AS rule
        FROM positions p {join} {picked}
    """


def _base(book: Book, *args: Any) -> str:
    """Write the same for the accounts of the base alone."""
    return f"SELECT * FROM ({_positions(book, *args)}) WHERE in_base"


def _both_ends(book: Book, earlier: str, later: str, by: str | None = None) -> str:
    """Write the two bases of a comparison, ``e`` and ``l``."""
    ends = {"e": moment(book, earlier), "l": moment(book, later)}
    return ", ".join(f"{name} AS ({_base(book, [at.index], by)})" for name, at in ends.items())


def _account_rows(book: Book, quarter: str, rules: Sequence[Where] = ()) -> str:
    """Write the query for account rows; an attribute named like a count is marked as such."""
    told = {name: f"{name} (attribute)" if name.lower() in COUNTED else name for name in attributes(book)}
    own = "".join(f"a.{_name(name)} AS {_name(shown)}, " for name, shown in told.items())
    return f"""
        SELECT c.account_id, a.in_table, a.joined_on, a.left_on, {own} c.possible, c.held,
               c.unplaced, c.revenue_quarter, c.revenue_window, c.rule
        FROM ({_base(book, [moment(book, quarter).index], None, rules)}) c
        LEFT JOIN accounts a USING (account_id)
    """


def _per_product(book: Book, rows: str, tests: Mapping[str, str], by: str | None, ends: str = "") -> pd.DataFrame:
    """Count rows for every product's bit; ``#`` in a test stands for the product's word.

    One aggregate per product over the rows: joining the products instead takes three times as long.
    """
    catalogue = book.products.sort_values("place")
    places = list(zip(catalogue["word"], catalogue["bit"], strict=True))
    group = f'{"l." if ends else ""}"group", ' if by else ""
    measured = ", ".join(
        "[" + ", ".join(_count(test, word, bit) for word, bit in places) + f']::BIGINT[] AS "{name}"'
        for name, test in tests.items()
    )
    columns = ", ".join(f'unnest("{name}") AS "{name}"' for name in tests)
    return _fetch(
        book,
        f"""
        WITH {ends + "," if ends else ""}
        wide AS (SELECT {group} {measured} FROM {rows} GROUP BY ALL),
        tall AS (SELECT {'"group",' if by else ""} unnest(range({len(places)})) AS place, {columns}
                 FROM wide)
        SELECT product_id, family, {", ".join(f'"{name}"' for name in [*_group(by), *tests])}
        FROM tall JOIN products USING (place) ORDER BY {_order([*_group(by), "place"])}
        """,
    )


def _count(test: str, word: int, bit: int) -> str:
    """Count by ``count_if``: five times as fast here as ``count(*) FILTER``."""
    return f"coalesce(count_if(({test.replace('#', str(word))}) & {int(bit)} <> 0), 0)"


def _bits(words: Iterable[int], word: str) -> str:
    """Count the bits of every word; of one word DuckDB gives a TINYINT, too small for a sum."""
    return "(" + " + ".join(f"bit_count({word.replace('#', str(w))})::BIGINT" for w in words) + ")"


def _bit(book: Book, name: str) -> str:
    """Test the bit of product ``p`` in the words of position ``c``."""
    words = " ".join(f"WHEN {w} THEN c.{name}_{w}" for w in _words(book))
    return f"((CASE p.word {words} END) & p.bit <> 0)"


def _bit_of(book: Book, product_id: str, name: str) -> str:
    """Test the bit of one product, named by its id."""
    products = book.products
    found = products[products["product_id"] == product_id]
    if found.empty:
        raise DataError(f"{product_id!r} is not in the catalogue.", near(product_id, products["product_id"]))
    return f"({name}_{int(found['word'].iloc[0])} & {int(found['bit'].iloc[0])} <> 0)"


def _words(book: Book) -> range:
    return range(int(book.products["word"].max()) + 1)


def _value(book: Book, attribute: str) -> str:
    """Write an attribute's value, blanks and accounts without attributes as not given."""
    known = attributes(book)
    if attribute not in known:
        raise DataError(
            f"Accounts have no attribute {attribute!r}.",
            f"They have {listed(known, most=30)}.",
            near(attribute, known) if known else "Name attributes under [accounts].",
        )
    value = f"a.{_name(attribute)}::VARCHAR"
    blank = f"trim(coalesce({value}, '')) = ''"
    return f"CASE WHEN {blank} THEN {_text(NOT_GIVEN)} ELSE {value} END"


def _matches(book: Book, where: Where) -> str:
    """Write the condition that every attribute has one of its listed values."""
    tests = [
        f"{_value(book, name)} IN ({', '.join(_text(value) for value in values) or 'NULL'})"
        for name, values in where.items()
    ]
    return " AND ".join(tests) or "true"


def _rule(book: Book, rules: Sequence[Where]) -> str:
    """Write the number of the first rule that an account matches."""
    cases = " ".join(f"WHEN {_matches(book, rule)} THEN {n}" for n, rule in enumerate(rules))
    return f"CASE {cases} ELSE -1 END" if rules else "-1"


def _group(by: str | None) -> list[str]:
    return ["group"] if by else []


def _comma(names: Iterable[str], table: str) -> str:
    return "".join(f"{table}.{_name(name)}, " for name in names)


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _order(names: Iterable[str]) -> str:
    """Order by columns, groups that are not given last."""
    last = {"group": f'"group" = {_text(NOT_GIVEN)}, '}
    return ", ".join(f'{last.get(name, "")}"{name}"' for name in names)


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(str(int(value)) for value in values) or "NULL"


def _text(value: str) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _fetch(book: Book, sql: str, order: Sequence[str] = (), **frames: pd.DataFrame) -> pd.DataFrame:
    """Run a query; by way of Arrow, because DuckDB's own frames turn decimals into doubles."""
    sql = f"SELECT * FROM ({sql}) ORDER BY {_order(order)}" if order else sql
    with book.connect() as con:
        for name, frame in frames.items():
            con.register(name, frame)
        return con.sql(sql).to_arrow_table().to_pandas()
