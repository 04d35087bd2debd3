"""Accounts counted by what became of their slots between two quarters, and of their revenue.

One query serves every comparison and every part of a bridge: accounts that moved alike are one row, so
what comes back stays small, and every figure follows from whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.measures.queries import Moment

ENDS = {"e": "earlier", "l": "later"}
SLOTS = ("possible_earlier", "held_earlier", "possible_later", "held_later")
SPLIT = ("launched", "opened", "retired", "closed")
KEYS = ("in_earlier", "in_later", *SLOTS, "gained", *(f"{each}{held}" for each in SPLIT for held in ("", "_held")))

Accounts = Iterable[str] | None


def slots(
    book: Book, earlier: str, later: str, by: str | None = None, accounts: Accounts = None, product: str | None = None
) -> pd.DataFrame:
    """Count the accounts by what became of their slots, over the union of both bases.

    With ``accounts``, only these; with ``product``, as if the catalogue were that one product.

    Returns
    -------
    One row per distinct combination of [group] and:

    - in_earlier, in_later (bool: in the base), possible_earlier, held_earlier, possible_later,
      held_later (slots, 0 where the account is not in that base)
    - of accounts with something possible at both quarters, else 0: gained (possible at both, held at
      the later only), and slots that came or went: launched, retired (the product was put on sale, or
      taken off, between the two days), opened, closed (all others: eligibility), each with the held
      among them, such as launched_held
    - accounts (1 or more), lost (possible at both, held at the earlier only), common (possible at both),
      common_earlier, common_later (held among these)
    """
    at = [queries.moment(book, each) for each in (earlier, later)]
    mask = None if product is None else dict([queries.place_of(book, product)])
    packed = _packed([_told(book, at)[name] for name in KEYS], len(book.products))
    columns = ", ".join(f"{sql} AS packed_{n}" for n, sql in enumerate(packed))
    found = _fetch(
        book,
        f"""
        WITH {_ends(book, at, mask, accounts)}
        SELECT {_group(book, by)} {columns}, count(*) AS accounts FROM {_joined(by)} GROUP BY ALL
        """,
        accounts,
    )
    keys = [*queries.group_of(by), *KEYS]
    found = _unpacked(found, len(book.products)).sort_values(keys, kind="stable", ignore_index=True)
    return _in_common(found)


def revenue(
    book: Book,
    earlier: str,
    later: str,
    what: str = "revenue_quarter",
    by: str | None = None,
    accounts: Accounts = None,
) -> pd.DataFrame:
    """Read the revenue of accounts at two quarters, over the union of both bases.

    ``what`` is revenue_quarter or revenue_window.

    Returns
    -------
    One row per account, in no order: [group], in_earlier, in_later (bool), revenue_earlier and
    revenue_later (float; 0 where the account is not in that base, missing where the client gives no
    revenue), accounts (1).
    """
    at = [queries.moment(book, each) for each in (earlier, later)]
    amounts = ", ".join(
        f"CASE WHEN {end}.account_id IS NULL THEN 0 ELSE {end}.{what}::DOUBLE END AS revenue_{name}"
        for end, name in ENDS.items()
    )
    return _fetch(
        book,
        f"""
        WITH {_ends(book, at, None, accounts)}
        SELECT {_group(book, by)} e.account_id IS NOT NULL AS in_earlier, l.account_id IS NOT NULL AS in_later,
               {amounts}, 1 AS accounts FROM {_joined(by)}
        """,
        accounts,
    )


def totals(
    book: Book, earlier: str, later: str, what: str = "revenue_quarter", same: bool = False, accounts: Accounts = None
) -> pd.DataFrame:
    """Add up accounts, slots and revenue at two quarters; with ``same``, of accounts in both bases.

    Returns
    -------
    Two rows, the earlier quarter first: quarter (label), accounts, possible, held, revenue (Decimal,
    None without revenue).
    """
    at = [queries.moment(book, each) for each in (earlier, later)]
    ends = {"e": "l", "l": "e"}
    rows = " UNION ALL ".join(
        f"""SELECT {queries.literal(moment.label)} AS quarter, count(*) AS accounts,
                   coalesce(sum(possible), 0)::BIGINT AS possible, coalesce(sum(held), 0)::BIGINT AS held,
                   sum({what}) AS revenue
            FROM {end} {f"SEMI JOIN {other} USING (account_id)" if same else ""}"""
        for (end, other), moment in zip(ends.items(), at, strict=True)
    )
    return _fetch(book, f"WITH {_ends(book, at, None, accounts)} {rows}", accounts, ["quarter"])


def existing(
    book: Book, earlier: str, later: str, quarters: int, by: str | None = None, accounts: Accounts = None
) -> pd.DataFrame:
    """Read what accounts with revenue in the earlier period brought then and brought later.

    A period is so many ``quarters`` to the end of a quarter; who is in the base does not matter.

    Returns
    -------
    One row per account with revenue in the earlier period, in no order: [group], revenue_earlier (above
    0), revenue_later (0 for lost accounts), both floats, accounts (1).
    """
    first, last = (queries.moment(book, each).index for each in (earlier, later))
    sums = ", ".join(
        f"coalesce(sum(revenue_quarter) FILTER (quarter BETWEEN {end - quarters + 1} AND {end}), 0)::DOUBLE"
        f" AS revenue_{name}"
        for end, name in ((first, "earlier"), (last, "later"))
    )
    picked = queries.numbers(range(first - quarters + 1, last + 1))
    return _fetch(
        book,
        f"""
        SELECT {_group(book, by)} revenue_earlier, revenue_later, 1 AS accounts
        FROM (SELECT account_id, {sums} FROM positions
              WHERE quarter IN ({picked}) {_only(accounts)} GROUP BY account_id)
        {"LEFT JOIN accounts a USING (account_id)" if by else ""} WHERE revenue_earlier > 0
        """,
        accounts,
    )


def largest(
    book: Book, earlier: str, later: str, points: str, most: int = 10, accounts: Accounts = None
) -> pd.DataFrame:
    """List the accounts for which an expression over their slots is largest and smallest.

    Returns
    -------
    Up to ``most`` above 0 and ``most`` below, from the largest to the smallest, ties by account_id:
    account_id, possible_earlier, held_earlier, possible_later, held_later, points.
    """
    at = [queries.moment(book, each) for each in (earlier, later)]
    return _fetch(
        book,
        f"""
        WITH {_ends(book, at, None, accounts)}, slots AS (
            SELECT account_id, coalesce(e.possible, 0) AS possible_earlier, coalesce(e.held, 0) AS held_earlier,
                   coalesce(l.possible, 0) AS possible_later, coalesce(l.held, 0) AS held_later
            FROM e FULL JOIN l USING (account_id)
        ), told AS (SELECT *, ({points})::DOUBLE AS points FROM slots)
        (SELECT * FROM told WHERE points > 0 ORDER BY points DESC, account_id LIMIT {int(most)})
        UNION ALL (SELECT * FROM told WHERE points < 0 ORDER BY points, account_id LIMIT {int(most)})
        ORDER BY points DESC, account_id
        """,
        accounts,
    )


def lapsing(book: Book, earlier: str, later: str) -> pd.DataFrame:
    """Count what the base holds at two quarters, and what of it is past its usual interval.

    Returns
    -------
    Two rows, the earlier quarter first: quarter (label), held, lapsing (both slots).
    """
    at = [queries.moment(book, each) for each in (earlier, later)]
    labels = ", ".join(queries.literal(each.label) for each in at)
    return queries.fetch(
        book,
        f"""
        WITH base AS ({queries.base(book, [each.index for each in at])}),
        late AS (
            SELECT l.quarter, count(*) AS lapsing
            FROM (SELECT * FROM lapsing WHERE quarter IN ({labels})) l JOIN products p USING (product_id)
            JOIN quarters q ON q.label = l.quarter
            JOIN base c ON c.account_id = l.account_id AND c.quarter = q.quarter
            WHERE {queries.bit(book, "held")} GROUP BY l.quarter)
        SELECT q.label AS quarter, sum(held)::BIGINT AS held, coalesce(any_value(lapsing), 0) AS lapsing
        FROM base JOIN quarters q USING (quarter) LEFT JOIN late ON late.quarter = q.label
        GROUP BY q.label
        """,
        order=["quarter"],
    )


def _fetch(book: Book, sql: str, accounts: Accounts, order: Iterable[str] = ()) -> pd.DataFrame:
    frames = {} if accounts is None else {"wanted": pd.DataFrame({"account_id": [str(each) for each in accounts]})}
    frames = {name: frame.astype({"account_id": "str"}) for name, frame in frames.items()}
    return queries.fetch(book, sql, order=list(order), **frames)


def _told(book: Book, at: list[Moment]) -> dict[str, str]:
    """Write every key of a row: who is in which base, with how many slots, and what became of them."""
    words = list(queries.words_of(book))
    came, went = _on_sale_at_one(book, at[1], at[0]), _on_sale_at_one(book, at[0], at[1])
    split = {"launched": ("l", "e", came, True), "opened": ("l", "e", came, False),
             "retired": ("e", "l", went, True), "closed": ("e", "l", went, False)}  # fmt: skip
    changed = {"gained": _bits({w: f"e.possible_{w} & l.held_{w} & ~e.held_{w}" for w in words})}
    for name, (there, absent, masks, inside) in split.items():
        for what, end in (("possible", ""), ("held", "_held")):
            sides = {w: f"{there}.{what}_{w} & ~{absent}.possible_{w}" for w in words}
            changed[name + end] = _bits(_among(sides, masks, inside))
    stays = "(e.possible > 0 AND l.possible > 0)"
    told = {name: f"CASE WHEN {stays} THEN {sql} ELSE 0 END" for name, sql in changed.items()}
    for end, when in ENDS.items():
        told[f"in_{when}"] = f"({end}.account_id IS NOT NULL)::BIGINT"
        told |= {f"{what}_{when}": f"coalesce({end}.{what}, 0)" for what in ("possible", "held")}
    return told


def _only(accounts: Accounts) -> str:
    return "AND account_id IN (SELECT account_id FROM wanted)" if accounts is not None else ""


def _group(book: Book, by: str | None) -> str:
    return f'{queries.value_of(book, by)} AS "group",' if by else ""


def _joined(by: str | None) -> str:
    """Write the union of both bases; attributes are joined once, after it."""
    return "e FULL JOIN l USING (account_id)" + (" LEFT JOIN accounts a USING (account_id)" if by else "")


def _packed(columns: list[str], products: int) -> list[str]:
    """Write counts of slots as few whole numbers: fifteen columns are slow to group by."""
    width, room = _room(products)
    return [
        " | ".join(f"(({sql}) << {width * place})" for place, sql in enumerate(columns[first : first + room]))
        for first in range(0, len(columns), room)
    ]


def _unpacked(found: pd.DataFrame, products: int) -> pd.DataFrame:
    """Read the counts out of the whole numbers again."""
    width, room = _room(products)
    told = {}
    for number, name in enumerate(KEYS):
        packed = found[f"packed_{number // room}"].to_numpy()
        told[name] = packed >> width * (number % room) & (1 << width) - 1
    told |= {name: told[name].astype(bool) for name in ("in_earlier", "in_later")}
    kept = [name for name in found if not name.startswith("packed_")]
    return pd.concat([found[kept], pd.DataFrame(told, index=found.index)], axis=1)


def _room(products: int) -> tuple[int, int]:
    """Choose the bits that a count of products needs, and how many counts make one number of 62 bits."""
    width = products.bit_length()
    return width, 62 // width


def _ends(book: Book, at: list[Moment], mask: dict[int, int] | None, accounts: Accounts) -> str:
    """Write both bases, ``e`` and ``l``, of the wanted accounts, and of one product where masked."""
    replaced = ""
    if mask is not None:
        words = {f"{name}_{w}": f"{name}_{w} & {mask.get(w, 0)}" for w in queries.words_of(book)
                 for name in ("possible", "held")}  # fmt: skip
        counted = {name: _bits({w: words[f"{name}_{w}"] for w in queries.words_of(book)})
                   for name in ("possible", "held")}  # fmt: skip
        replaced = "REPLACE (" + ", ".join(f"{sql} AS {name}" for name, sql in {**words, **counted}.items()) + ")"
    return ", ".join(
        f"{end} AS (SELECT * {replaced} FROM ({queries.positions(book, [each.index])}) WHERE in_base {_only(accounts)})"
        for end, each in zip(ENDS, at, strict=True)
    )


def _on_sale_at_one(book: Book, there: Moment, absent: Moment) -> dict[int, int]:
    """Return the bits of products on sale on one day and not on the other, by word."""
    now, then = (_on_sale(book, each) for each in (there, absent))
    chosen = book.products[now & ~then]
    return {int(word): int(rows["bit"].sum()) for word, rows in chosen.groupby("word")}


def _on_sale(book: Book, at: Moment) -> pd.Series:
    day = pd.Timestamp(at.as_of)
    launched, retired = (pd.to_datetime(book.products[name]) for name in ("launched", "retired"))
    return (launched.isna() | (launched <= day)) & (retired.isna() | (retired > day))


def _among(slots: dict[int, str], masks: dict[int, int], inside: bool) -> dict[int, str]:
    """Keep the slots of the masked products, or of all others."""
    if inside:
        return {w: f"{sql} & {masks[w]}" for w, sql in slots.items() if w in masks}
    return {w: f"{sql} & ~{masks[w]}" if w in masks else sql for w, sql in slots.items()}


def _bits(words: dict[int, str]) -> str:
    return "(" + " + ".join(f"bit_count({sql})::BIGINT" for sql in words.values()) + ")" if words else "0"


def _in_common(found: pd.DataFrame) -> pd.DataFrame:
    """Add what follows: slots possible at both quarters, what was held of them, and lost."""
    stays = (found["possible_earlier"] > 0) & (found["possible_later"] > 0)
    common = found["possible_earlier"] - found["retired"] - found["closed"]
    before = found["held_earlier"] - found["retired_held"] - found["closed_held"]
    after = found["held_later"] - found["launched_held"] - found["opened_held"]
    return found.assign(
        lost=(before + found["gained"] - after).where(stays, 0),
        common=common.where(stays, 0),
        common_earlier=before.where(stays, 0),
        common_later=after.where(stays, 0),
    )
