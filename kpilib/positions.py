"""Positions: one row per account and quarter, what it could hold and what it is proven to hold.

A holding is one bit. The catalogue gives every product a place; 63 places make a word, and a word per quarter is
all that is kept of an account's sales. A trailing window is then the union of its quarters' words. Only
pairs of account and product that have a return are added up line by line, for they alone can be sold and not held.

Every expression here is Ibis; no engine is asked to shift a bit: the words stand in small tables and are joined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from kpilib.facts.portfolio import Portfolio

WORD = 63
OUTSIDE = -1
ALWAYS = date(9999, 12, 31)


def write(portfolio: Portfolio, path: Path) -> None:
    bench = _Bench(portfolio)
    try:
        _copy(portfolio, _positions(bench), path)
    finally:
        bench.clear()


@dataclass
class _Bench:
    """The tables that positions are computed from, in the portfolio's engine until :meth:`clear`."""

    portfolio: Portfolio
    names: list[str] = field(default_factory=list)

    def keep(self, name: str, rows: ir.Table | pd.DataFrame) -> ir.Table:
        """Compute a table once."""
        self.names.append(f"positions_{name}")
        return self.portfolio.con.create_table(self.names[-1], rows, temp=True)

    def clear(self, *names: str) -> None:
        for name in [f"positions_{each}" for each in names] or list(self.names):
            self.portfolio.con.drop_table(name, database=("temp", "main"), force=True)
            self.names.remove(name)

    @property
    def words(self) -> range:
        return range(-(-len(self.portfolio.products) // WORD))

    @property
    def lookback(self) -> int:
        """Quarters of the engagement's window."""
        return self.portfolio.engagement.lookback_months // 3


def _named(prefix, bench):
    return [f"{prefix}_{word}" for word in bench.words]


def _positions(bench: _Bench) -> ir.Table:
    import ibis

    p = bench.portfolio
    products = bench.keep("products", _products(p))
    quarters = bench.keep("quarters", _quarters(p))
    accounts = bench.keep("accounts", _accounts(p))
    days = bench.keep("days", _days(p))
    lines = bench.keep("lines", _lines(bench, accounts, products, days, quarters))
    quarterly = bench.keep("quarterly", _quarterly(bench, lines, products))
    returned = bench.keep(
        "returned",
        lines.filter((lines.revenue < 0) & (lines.place >= 0)).select("number", "place").distinct(),
    )
    netted = bench.keep(
        "netted",
        returned.join(products, "place")
        .group_by("number")
        .agg(**{f"netted_{w}": products[f"bit_{w}"].bit_or() for w in bench.words}),
    )
    dated = bench.keep("dated", _net(bench, lines, returned, products))
    bench.clear("lines")

    def w(n):
        return ibis.window(group_by="number", order_by="quarter", preceding=n - 1, following=0)

    lookbacks = sorted(set(p.products["lookback_quarters"]))
    t = quarterly
    windows = t.select(
        "number",
        "quarter",
        revenue_quarter="revenue",
        revenue_window=t.revenue.sum().over(w(bench.lookback)),
        active=t.word_0.bit_or().over(w(bench.lookback)).notnull(),
        **{
            f"word_{k}": reduce(
                or_,
                [
                    t[f"word_{k}"].bit_or().over(w(n)).fill_null(0) & _mask(p, k, p.products["lookback_quarters"] == n)
                    for n in lookbacks
                ],
            )
            for k in bench.words
        },
    )
    t = (
        windows.join(accounts, "number")
        .join(quarters, "quarter")
        .left_join(netted, "number")
        .left_join(dated, ["number", "quarter"])
    )
    t = t.mutate(
        on_file=(t.joined_on.fill_null(date(1, 1, 1)) <= t.as_of) & (t.as_of < t.left_on.fill_null(ALWAYS)),
        **{
            f"proven_{k}": (t[f"word_{k}"] & ~t[f"netted_{k}"].fill_null(0)) | t[f"dated_{k}"].fill_null(0)
            for k in bench.words
        },
        **{f"possible_{k}": t[f"open_0_{k}"] & t[f"sale_{k}"] for k in bench.words},
    )
    pairs = [name for k in bench.words for name in (f"possible_{k}", f"proven_{k}")]
    return (
        t.filter(t.on_file | t.active)
        .order_by("quarter", "account_id")
        .select(
            "account_id",
            t.quarter.cast("int32").name("quarter"),
            "on_file",
            "active",
            *pairs,
            "revenue_quarter",
            "revenue_window",
        )
    )


def _mask(p, word, chosen):
    import ibis

    places = [n for n, c in enumerate(chosen) if c and n // WORD == word]
    return ibis.literal(sum(1 << n % WORD for n in places), "int64")


def _products(p):
    import numpy as np

    n = len(p.products)
    words = range(-(-n // WORD))
    rows = pd.DataFrame(
        {
            "product_id": p.products["product_id"].astype("str"),
            "place": np.arange(n, dtype="int16"),
            "lookback": p.products["lookback_quarters"].astype("int16"),
        }
    )
    for w in words:
        rows[f"bit_{w}"] = [1 << i % WORD if i // WORD == w else 0 for i in range(n)]
    out = pd.DataFrame(
        {
            "product_id": [None],
            "place": np.array([OUTSIDE], dtype="int16"),
            "lookback": np.array([0], "int16"),
        }
        | {f"bit_{w}": [0] for w in words}
    )
    return pd.concat([rows, out], ignore_index=True)


def _quarters(p):
    n = len(p.products)
    rows = []
    for q in p.quarters:
        ok = [
            (pd.isna(a) or a <= q.last_day) and (pd.isna(b) or q.last_day < b)
            for a, b in zip(p.products.launched, p.products.retired)
        ]
        rows.append(
            {"quarter": q.index, "as_of": q.last_day}
            | {
                f"sale_{w}": sum(1 << i % WORD for i in range(n) if ok[i] and i // WORD == w)
                for w in range(-(-n // WORD))
            }
        )
    return pd.DataFrame(rows).astype({"quarter": "int16"})


def _days(p):
    rows = [
        (q.first_day + timedelta(n), q.index) for q in p.quarters for n in range((q.last_day - q.first_day).days + 1)
    ]
    return pd.DataFrame(rows, columns=["day", "quarter"]).astype({"quarter": "int16"})


def _accounts(p):
    import ibis

    a = p.accounts
    n = len(p.products)
    cols = {}
    for w in range(-(-n // WORD)):
        ruled = {x for r in p.eligibility for x in r.products}
        word = _mask(p, w, ~p.products.product_id.isin(ruled))
        for r in p.eligibility:
            word = word | r.condition(a).ifelse(
                _mask(p, w, p.products.product_id.isin(r.products)), ibis.literal(0, "int64")
            )
        cols[f"open_0_{w}"] = word
    return a.select(
        "account_id",
        "joined_on",
        "left_on",
        number=ibis.row_number().over(order_by="account_id").cast("int32"),
        **cols,
    )


def _lines(bench, accounts, products, days, quarters):
    import ibis

    s = bench.portfolio.sales
    t = (
        s.join(products.select("product_id", "place"), "product_id")
        .join(days, "day")
        .join(accounts.select("account_id", "number"), "account_id")
    )
    t = t.select("number", place=t.place.fill_null(OUTSIDE).cast("int16"), quarter="quarter", revenue="revenue")
    grid = accounts.cross_join(quarters).select(
        "number",
        place=ibis.literal(OUTSIDE, "int16"),
        quarter="quarter",
        revenue=ibis.literal(0).cast("decimal(18,4)"),
    )
    return t.union(grid)


def _quarterly(bench, lines, products):
    t = lines.join(products.drop("product_id", "lookback"), "place")
    return t.group_by("number", "quarter").agg(
        revenue=t.revenue.sum(),
        **{f"word_{w}": t[f"bit_{w}"].bit_or(where=t.revenue > 0) for w in bench.words},
    )


def _net(bench, lines, returned, products):
    p = bench.portfolio
    t = (
        lines.semi_join(returned, ["number", "place"])
        .group_by("number", "place", "quarter")
        .agg(revenue=lines.revenue.sum())
    )
    reach = bench.keep(
        "reach",
        pd.DataFrame(
            [(i, n) for i, b in enumerate(p.products.lookback_quarters) for n in range(b)],
            columns=["place", "later"],
        ).astype("int16"),
    )
    t = t.join(reach, "place")
    t = t.group_by("number", "place", quarter=(t.quarter + t.later).cast("int16")).agg(revenue=t.revenue.sum())
    t = t.filter(t.revenue > 0).join(products, "place")
    return t.group_by("number", "quarter").agg(**{f"dated_{w}": t[f"bit_{w}"].bit_or() for w in bench.words})


def _copy(portfolio: Portfolio, rows: ir.Table, path: Path) -> None:
    """Write in the order of the rows; Ibis's own writer trips over an apostrophe in the path."""
    sql = portfolio.con.compile(rows)
    place = str(path).replace("'", "''")
    portfolio.con.raw_sql(f"COPY ({sql}) TO '{place}' (FORMAT parquet)")
