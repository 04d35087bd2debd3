"""Positions: one row per account and quarter, what it could hold and what it is proven to hold.

A holding is one bit. A product's place in the catalogue gives its word (63 places each) and its bit; a trailing
window is the union of its quarters' words. Only pairs of account and product with a return are added up line by
line, for they alone can be sold and not held. Every expression is Ibis, and no engine is asked to shift a bit:
words stand in small tables and are joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from kpilib.facts.portfolio import Portfolio

WORD = 63
STEPS = ("products", "quarters", "reach", "spans", "quarterly", "bought", "net", "standing")


def write(portfolio: Portfolio, path: Path) -> None:
    """Compute positions in the portfolio's engine and write them as Parquet.

    Columns: account_id, quarter (:attr:`Quarter.index`), on_file, active, possible_0 and proven_0 (one pair for every
    63 products), revenue_quarter, revenue_window (null where the client gives no revenue). One row per account and
    quarter that is on file or active, ordered by quarter and account.
    """
    con, place = portfolio.con, str(path).replace("'", "''")
    try:
        sql = con.compile(_positions(portfolio).order_by("quarter", "account_id"))
        con.raw_sql(f"copy ({sql}) to '{place}' (format parquet)")  # Ibis's own writer trips over an apostrophe
    finally:
        for name in STEPS:
            con.drop_table(f"positions_{name}", force=True)


def _keep(p: Portfolio, name: str, rows: ir.Table | pd.DataFrame) -> ir.Table:
    """Compute a step once; :func:`write` removes it."""
    return p.con.create_table(f"positions_{name}", rows, temp=True, overwrite=True)


def proven_not_possible(portfolio: Portfolio, path: Path, quarter: int) -> int:
    """Count holdings of products that were not open to the account, as of a quarter."""
    strays = " + ".join(f"bit_count(proven_{word} & ~possible_{word})::bigint" for word in _words(portfolio))
    place = str(path).replace("'", "''")
    found = portfolio.db.execute(f"select sum({strays}) from '{place}' where quarter = {quarter}").fetchone()
    return int(found[0] or 0)


def _words(portfolio: Portfolio) -> range:
    return range(-(-len(portfolio.products) // WORD))


def _bits(places: Iterable[int], word: int) -> int:
    """One word with the bits of some places set."""
    return sum(1 << place % WORD for place in places if place // WORD == word)


def _positions(p: Portfolio) -> ir.Table:
    """Every account and quarter with what is possible, what is proven, and its revenue."""
    import ibis

    words = _words(p)
    products, quarters = _keep(p, "products", _products(p)), _keep(p, "quarters", _quarters(p))
    steps = {"bought": _windows(p, products), "net": _netted(p, products), "standing": _standing(p, products, quarters)}
    grid = _accounts(p).cross_join(quarters)
    for name, step in steps.items():
        if step is not None:
            grid = grid.left_join(_keep(p, name, step), ["account_id", "quarter"], rname="again_{name}")
            grid = grid.drop("again_account_id", "again_quarter")
    known = set(grid.columns)

    def word(name: str, number: int) -> ir.IntegerValue:
        column = f"{name}_{number}"
        return grid[column].fill_null(0) if column in known else ibis.literal(0, "int64")

    proven = {n: (word("bought", n) & ~word("touched", n)) | word("net", n) | word("standing", n) for n in words}
    money = {name: grid[name].fill_null(0) if name in known else ibis.null("decimal(38, 4)")
             for name in ("revenue_quarter", "revenue_window")}  # fmt: skip
    bought = grid["active"].fill_null(False) if "active" in known else ibis.literal(False)
    stands = reduce(or_, (word("standing", n) != 0 for n in words))
    rows = grid.select(
        "account_id",
        quarter=grid.quarter.cast("int32"),
        on_file=(grid.joined_on.isnull() | (grid.joined_on <= grid.as_of))
        & (grid.left_on.isnull() | (grid.as_of < grid.left_on)),
        active=bought | stands,
        **{f"possible_{n}": _open(p, grid, n) & grid[f"sale_{n}"] for n in words},
        **{f"proven_{n}": proven[n] for n in words},
        **{name: amount.cast("decimal(38, 4)") for name, amount in money.items()},
    )
    pairs = [name for n in words for name in (f"possible_{n}", f"proven_{n}")]
    rows = rows.filter(rows.on_file | rows.active)
    return rows.select("account_id", "quarter", "on_file", "active", *pairs, "revenue_quarter", "revenue_window")


def _accounts(p: Portfolio) -> ir.Table:
    """Accounts with, for every eligibility rule, whether they meet it."""
    a = p.accounts
    met = {f"rule_{n}": rule.condition(a).fill_null(False) for n, rule in enumerate(p.eligibility)}
    return a.select("account_id", "joined_on", "left_on", **met)


def _open(p: Portfolio, grid: ir.Table, word: int) -> ir.IntegerValue:
    """The bits of the products open to an account: those no rule names, and those a rule in force opens."""
    import ibis

    ruled = {product for rule in p.eligibility for product in rule.products}
    free = _bits((n for n, name in enumerate(p.products["product_id"]) if name not in ruled), word)
    opened = ibis.literal(free, "int64")
    for number, rule in enumerate(p.eligibility):
        names = p.products["product_id"].isin(rule.products)
        bits = _bits(names[names].index, word)
        if bits:
            in_force = grid[f"rule_{number}"] & (grid.as_of >= (rule.start or date.min))
            in_force = in_force & (grid.as_of < (rule.stop or date.max))
            opened = opened | in_force.ifelse(ibis.literal(bits, "int64"), ibis.literal(0, "int64"))
    return opened


def _quarters(p: Portfolio) -> pd.DataFrame:
    """Each quarter with its last day and the bits of what was on sale that day."""
    rows = []
    for quarter in p.quarters:
        day = quarter.last_day
        on_sale = [
            place
            for place, (launched, retired) in enumerate(zip(p.products["launched"], p.products["retired"], strict=True))
            if (pd.isna(launched) or launched <= day) and (pd.isna(retired) or day < retired)
        ]
        rows.append((quarter.index, day, *(_bits(on_sale, word) for word in _words(p))))
    return pd.DataFrame(rows, columns=["quarter", "as_of", *(f"sale_{word}" for word in _words(p))])


def _products(p: Portfolio) -> pd.DataFrame:
    """Each product with its place and its bit in every word."""
    rows = [
        (name, place, *(_bits([place], word) for word in _words(p)))
        for place, name in enumerate(p.products["product_id"])
    ]
    return pd.DataFrame(rows, columns=["product_id", "place", *(f"bit_{word}" for word in _words(p))])


def _quarter_of(p: Portfolio, day: ir.DateValue) -> ir.IntegerValue:
    """The quarter's index by arithmetic; as :meth:`Calendar.containing`."""
    start = p.quarters[0].calendar.fiscal_year_start
    return ((day.year().cast("int32") * 12 + day.month().cast("int32") - start) // 3).cast("int32")


def _reach(p: Portfolio) -> pd.DataFrame:
    """How many quarters later a sale still counts: for revenue and activity, and for which products."""
    window = p.engagement.lookback_months // 3
    lookbacks = [int(each) for each in p.products["lookback_quarters"]]
    rows = [
        (later, later < window,
         *(_bits((n for n, each in enumerate(lookbacks) if later < each), word) for word in _words(p)))
        for later in range(max([window, *lookbacks]))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["later", "in_window", *(f"reach_{word}" for word in _words(p))])


def _windows(p: Portfolio, products: ir.Table) -> ir.Table | None:
    """Bits bought, revenue and activity of every trailing window, from one word per account and quarter."""
    quarterly = _quarterly(p, products)
    if quarterly is None:
        return None
    t = _keep(p, "quarterly", quarterly).cross_join(_keep(p, "reach", _reach(p)))
    t = t.mutate(quarter=(t.quarter + t.later).cast("int32"))
    bits = {f"bought_{n}": (t[f"word_{n}"] & t[f"reach_{n}"]).bit_or() for n in _words(p)}
    return t.group_by("account_id", "quarter").agg(
        active=t.bought.max(where=t.in_window).fill_null(False),
        revenue_quarter=t.revenue.sum(where=t.later == 0).fill_null(0),
        revenue_window=t.revenue.sum(where=t.in_window).fill_null(0),
        **bits,
    )


def _quarterly(p: Portfolio, products: ir.Table) -> ir.Table | None:
    """The one pass over the lines: by account and quarter, revenue and the bits with a positive line."""
    import ibis

    names, parts = [f"word_{n}" for n in _words(p)], []
    if p.sales is not None:
        t = p.sales.left_join(products, "product_id")
        bits = {f"word_{n}": (t.revenue > 0).ifelse(t[f"bit_{n}"].fill_null(0), 0) for n in _words(p)}
        parts.append(t.select("account_id", "revenue", quarter=_quarter_of(p, t.day), **bits))
    if p.invoices is not None:
        none = {name: ibis.literal(0, "int64") for name in names}
        parts.append(p.invoices.select("account_id", "revenue", quarter=_quarter_of(p, p.invoices.day), **none))
    if not parts:
        return None
    t = reduce(lambda one, other: one.union(other), parts)
    words = {name: t[name].bit_or() for name in names}
    return t.group_by("account_id", "quarter").agg(revenue=t.revenue.sum(), bought=(t.revenue > 0).max(), **words)


def _netted(p: Portfolio, products: ir.Table) -> ir.Table | None:
    """Pairs of account and product with a return, added up per window: the bits touched, and those held net."""
    if p.sales is None:
        return None
    s, free = p.sales, p.engagement.free_items_count
    odd = (s.revenue < 0) | (s.quantity < 0).fill_null(False)
    odd = odd | ((s.revenue == 0) & (s.quantity > 0)).fill_null(False) if free else odd
    t = s.semi_join(s.filter(odd).select("account_id", "product_id"), ["account_id", "product_id"])
    t = t.group_by("account_id", "product_id", quarter=_quarter_of(p, t.day)).agg(
        revenue=t.revenue.sum(),
        quantity=t.quantity.sum().fill_null(0),
        counted=(t.quantity != 0).fill_null(False).max(),
    )
    spans = [(n, later) for n, quarters in enumerate(p.products["lookback_quarters"]) for later in range(quarters)]
    reach = _keep(p, "spans", pd.DataFrame(spans, columns=["place", "later"]))
    t = t.join(products, "product_id").join(reach, "place")
    t = t.group_by("account_id", *(f"bit_{n}" for n in _words(p)), quarter=(t.quarter + t.later).cast("int32")).agg(
        revenue=t.revenue.sum(), quantity=t.quantity.sum(), counted=t.counted.max()
    )
    held = (t.revenue > 0) & (~t.counted | (t.quantity > 0))
    held = held | ((t.revenue >= 0) & t.counted & (t.quantity > 0)) if free else held
    return t.group_by("account_id", "quarter").agg(
        **{f"touched_{n}": t[f"bit_{n}"].bit_or() for n in _words(p)},
        **{f"net_{n}": held.ifelse(t[f"bit_{n}"], 0).bit_or() for n in _words(p)},
    )


def _standing(p: Portfolio, products: ir.Table, quarters: ir.Table) -> ir.Table | None:
    """What subscriptions, installations and snapshots prove on the last day of each quarter."""
    quarters = quarters.select("quarter", "as_of")
    parts = []
    if p.spans is not None:
        t = p.spans.join(
            quarters,
            [p.spans.start <= quarters.as_of, p.spans.stop.isnull() | (quarters.as_of < p.spans.stop)],
        )
        t = t.group_by("account_id", "product_id", "quarter").agg(quantity=t.quantity.sum())
        parts.append(t.filter(t.quantity > 0).select("account_id", "product_id", "quarter"))
    if p.snapshots is not None:
        t = p.snapshots.join(quarters, p.snapshots.day == quarters.as_of)
        parts.append(t.select("account_id", "product_id", "quarter"))
    if not parts:
        return None
    t = reduce(lambda one, other: one.union(other), parts).join(products, "product_id")
    bits = {f"standing_{n}": t[f"bit_{n}"].bit_or() for n in _words(p)}
    return t.group_by("account_id", quarter=t.quarter.cast("int32")).agg(**bits)
