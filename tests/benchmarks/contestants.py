"""The ways of making positions that are measured against each other; all take the facts and where to write."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow.parquet as pq
from generate import PRODUCTS, QUARTERS, WINDOW, Files

from kpilib import positions
from kpilib.quarters import Calendar

THREADS = 2
FIRST, LAST = QUARTERS[0].first_day, QUARTERS[-1].last_day
NAMES = [f"P{number:02}" for number in range(PRODUCTS)]
LAUNCHED = {name: date(2024, 5, 15) for name in NAMES[35:]}
RETIRED = {"P10": date(2025, 2, 1)}
NOT_IN_THE_WEST, LARGE_ONLY = NAMES[20:30], NAMES[30:]


def scan(facts: Files, out: Path) -> None:
    """Read the four columns, and nothing else."""
    columns = "max(account_id), max(product_id), max(day), sum(revenue)"
    _duckdb().execute(f"select {columns} from '{facts.sales}'").fetchall()


def scan_as_read(facts: Files, out: Path) -> None:
    """The same through the expression a portfolio holds: decimals, days within the calendar, ids that are there."""
    lines = _lines(_engine(), facts.sales)
    columns = (lines.account_id.max(), lines.product_id.max(), lines.day.max(), lines.revenue.sum())
    lines.aggregate(columns).execute()


def kit(facts: Files, out: Path) -> None:
    """Launches, eligibility, returns netted exactly, decimals."""
    con = _engine()
    sheet = con.read_parquet(facts.accounts)
    rules = (
        _rule(lambda accounts: accounts.region != "west", NOT_IN_THE_WEST),
        _rule(lambda accounts: accounts["size"] == "large", LARGE_ONLY),
    )
    launched, retired = pd.Series(NAMES).map(LAUNCHED), pd.Series(NAMES).map(RETIRED)
    _write(con, facts.sales, sheet, out, eligibility=rules, launched=launched, retired=retired)


def kit_simple(facts: Files, out: Path) -> None:
    """No returns; everything is open to everyone, always."""
    con = _engine()
    sheet = con.read_parquet(facts.accounts)
    sheet = sheet.mutate(joined_on=ibis.null("date"), left_on=ibis.null("date"))
    _write(con, facts.sold, sheet, out, eligibility=(), launched=None, retired=None)


def obvious_sql(facts: Files, out: Path) -> None:
    """What one writes first: sums by account, product and quarter, added up again for every window."""
    db = _duckdb()
    quarters = pd.DataFrame([(each.index, each.last_day) for each in QUARTERS], columns=["quarter", "as_of"])
    products = pd.DataFrame({"product_id": NAMES})
    always = products["product_id"].map(lambda name: (LAUNCHED.get(name, FIRST), RETIRED.get(name, date.max)))
    products[["launched", "retired"]] = pd.DataFrame(list(always))
    products["west"] = ~products["product_id"].isin(NOT_IN_THE_WEST)
    products["small"] = ~products["product_id"].isin(LARGE_ONLY)
    db.register("quarters", quarters)
    db.register("products", products)
    sql = (Path(__file__).with_name("obvious.sql")).read_text()
    db.execute(f"copy ({sql.format(**vars(facts))}) to '{out}' (format parquet)")


def obvious_pandas(facts: Files, out: Path) -> None:
    """One frame with everything in it."""
    lines = pq.read_table(facts.sold).to_pandas(date_as_object=False)
    lines["quarter"] = lines["day"].dt.year * 4 + lines["day"].dt.quarter - 1
    sums = lines.groupby(["account_id", "product_id", "quarter"], as_index=False)["revenue"].sum()
    tables = []
    for quarter in (each.index for each in QUARTERS):
        window = sums[sums["quarter"].between(quarter - WINDOW + 1, quarter)]
        slots = window.groupby(["account_id", "product_id"], as_index=False)["revenue"].sum()
        slots["held"] = slots["revenue"] > 0
        table = slots.groupby("account_id", as_index=False).agg(held=("held", "sum"), revenue_window=("revenue", "sum"))
        tables.append(table.assign(quarter=quarter))
    pd.concat(tables).assign(active=True, possible=PRODUCTS).to_parquet(out)


def _duckdb() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": THREADS})


def _engine() -> Any:
    return ibis.duckdb.connect(threads=THREADS)


def _lines(con: Any, file: Path) -> Any:
    """Sales lines as intake hands them over: typed, and only those that may be counted."""
    lines = con.read_parquet(file)
    lines = lines.mutate(revenue=lines.revenue.cast("decimal(18, 4)"), quantity=ibis.null("decimal(18, 4)"))
    return lines.filter(lines.day.between(FIRST, LAST), lines.account_id.notnull(), lines.revenue.notnull())


def _rule(condition: Any, products: list[str]) -> Any:
    return SimpleNamespace(condition=condition, products=tuple(products), start=None, stop=None)


def _write(con: Any, lines: Path, accounts: Any, out: Path, *, eligibility: Any, **offered: Any) -> None:
    catalogue = pd.DataFrame({"product_id": NAMES, **offered, "lookback_quarters": WINDOW})
    engagement = SimpleNamespace(lookback_months=3 * WINDOW, free_items_count=False, calendar=Calendar())
    portfolio = SimpleNamespace(
        engagement=engagement,
        con=con,
        quarters=QUARTERS,
        products=catalogue,
        accounts=accounts,
        sales=_lines(con, lines),
        invoices=None,
        spans=None,
        snapshots=None,
        eligibility=eligibility,
    )
    positions.write(portfolio, out)
