"""How long a comparison takes from kept positions: ``python -m tests.benchmarks.comparison [ACCOUNTS]``.

A book of 1,000,000 accounts, 40 products and five quarters is written at random, vectorised: eligibility rules,
launches and retirements, joiners and leavers. Timed are the comparison of the usual figures with its risks, the
bridges of mean and pooled degree, of two segmentations, of owners and accounts, and of revenue.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from kpilib import bridge, comparison
from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.quarters import Calendar

FIRST, QUARTERS, PRODUCTS = Calendar().parse("2024Q1"), 5, 40
LAUNCHED = {38: date(2024, 5, 1), 39: date(2024, 8, 1)}
RETIRED = {5: date(2024, 11, 1)}


def book(folder: Path, accounts: int) -> Book:
    """Write a kept book of so many accounts."""
    db = duckdb.connect()
    db.execute("SET threads = 2")
    db.execute("SELECT setseed(0.42)")
    _copy(db, _catalogue(), folder / "products.parquet")
    _copy(db, _calendar(), folder / "quarters.parquet")
    db.execute(
        f"""COPY (SELECT 'A' || lpad(i::VARCHAR, 8, '0') AS account_id, true AS in_table, NULL::DATE AS joined_on,
                  NULL::DATE AS left_on, ['north', 'east', 'south', 'west', 'abroad'][1 + i % 5] AS region,
                  ['small', 'medium', 'large'][1 + (i // 7) % 3] AS size, 'owner ' || (i % 40) AS owner
           FROM range({accounts}) t(i)) TO '{folder}/accounts.parquet'"""
    )
    some = (1 << 30) - 1
    bits = "(floor(random() * 1048576)::BIGINT << 20 | floor(random() * 1048576)::BIGINT)"
    db.execute(  # a product is held with one chance in four, and changes within a quarter with one in sixteen
        f"""CREATE TABLE owned AS SELECT i, {bits} & {bits} AS own, floor(random() * 100) AS luck
            FROM range({accounts}) t(i)"""
    )
    db.execute(
        f"""CREATE TABLE drawn AS SELECT i, q, own, luck, {bits} & {bits} & {bits} & {bits} AS moved
            FROM owned, range({QUARTERS}) u(q)"""
    )
    offered = ", ".join(str(_offered(n)) for n in range(QUARTERS))
    whole = (1 << PRODUCTS) - 1
    db.execute(
        f"""COPY (SELECT 'A' || lpad(i::VARCHAR, 8, '0') AS account_id, ({FIRST.index} + q)::INTEGER AS quarter,
                  true AS on_file, luck >= 10 OR q > 1 AS active,
                  ([{offered}][1 + q] & CASE WHEN i % 3 = 0 THEN {some} ELSE {whole} END)::BIGINT AS possible_0,
                  xor(own, moved) & {whole} AS proven_0,
                  (hash(i, q) % 100000 / 100)::DECIMAL(38, 4) AS revenue_quarter,
                  (hash(i, q, 3) % 400000 / 100)::DECIMAL(38, 4) AS revenue_window
           FROM drawn WHERE NOT (luck < 10 AND q < 2) AND NOT (luck > 90 AND q > 2) ORDER BY quarter, account_id)
           TO '{folder}/positions.parquet'"""
    )
    db.execute(  # one holding in four is past its usual interval
        f"""COPY (SELECT label AS quarter, account_id, product_id, DATE '2024-01-01' AS last_day, 90 AS days_since,
                  30.0 AS usual_gap
           FROM '{folder}/positions.parquet' p JOIN '{folder}/quarters.parquet' USING (quarter),
                '{folder}/products.parquet' k
           WHERE p.proven_0 & p.possible_0 & k.bit <> 0 AND hash(account_id, product_id, quarter) % 4 = 0)
           TO '{folder}/lapsing.parquet'"""
    )
    return Book(_engagement(folder), folder, "active")


def timed(subject: Book) -> list[tuple[str, float, float]]:
    """Time each part of a full comparison of the last quarter with a year before: name, seconds, of the processor."""
    ends = FIRST.label, FIRST.later(QUARTERS - 1).label
    way = bridge.parts(subject, *ends)
    steps: dict[str, Callable[[], Any]] = {
        "comparison, five figures": lambda: comparison.before_after(subject, *ends, comparison.USUAL),
        "at risk": lambda: comparison.at_risk(subject, *ends),
        "bridge, mean": lambda: bridge.parts(subject, *ends),
        "within and mix, by region": lambda: bridge.by_segment(subject, *ends, "region"),
        "by owner": lambda: bridge.by_group(subject, *ends, "owner"),
        "by account": lambda: bridge.by_account(subject, way),
        "revenue in factors": lambda: bridge.revenue(subject, *ends),
    }
    return [(name, *_seconds(step)) for name, step in steps.items()]


def main() -> None:
    """Print the table."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        told = timed(book(Path(folder), accounts))
    print(f"{accounts:,} accounts, {PRODUCTS} products, from kept positions")
    whole = ("in all", *(sum(each) for each in list(zip(*told, strict=True))[1:]))
    print(f"{'':30} {'seconds':>8} {'of processors':>14}")
    for name, seconds, busy in [*told, whole]:
        print(f"{name:30} {seconds:8.2f} {busy:14.2f}")


def _seconds(step: Callable[[], Any]) -> tuple[float, float]:
    began, busy = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - began, time.process_time() - busy


def _copy(db: duckdb.DuckDBPyConnection, frame: pd.DataFrame, path: Path) -> None:
    casts = [f"{name}::DATE AS {name}" for name in ("launched", "retired") if name in frame]
    star = f"* REPLACE ({', '.join(casts)})" if casts else "*"
    db.execute(f"COPY (SELECT {star} FROM frame) TO '{path}'")


def _catalogue() -> pd.DataFrame:
    rows = [
        {"product_id": f"P{n:02d}", "family": None, "place": n, "word": 0, "bit": 1 << n}
        | {"launched": LAUNCHED.get(n), "retired": RETIRED.get(n), "lookback_quarters": 4}
        for n in range(PRODUCTS)
    ]
    return pd.DataFrame(rows)


def _calendar() -> pd.DataFrame:
    return pd.DataFrame(
        {"quarter": each.index, "label": each.label, "first_day": each.first_day, "as_of": each.last_day}
        | {"window_start": each.later(-3).first_day, "complete": True, "no_snapshot": False}
        for each in map(FIRST.later, range(QUARTERS))
    )


def _offered(number: int) -> int:
    day = FIRST.later(number).last_day
    there = [LAUNCHED.get(n, date.min) <= day < RETIRED.get(n, date.max) for n in range(PRODUCTS)]
    return sum(1 << n for n, each in enumerate(there) if each)


def _engagement(folder: Path) -> Engagement:
    return Engagement(
        client="Benchmark",
        data_from=FIRST.later(-4).first_day,
        data_to=FIRST.later(QUARTERS - 1).last_day,
        evidence=[{"kind": "sales", "rows": [{}]}],
        catalogue={"products": tuple(f"P{n:02d}" for n in range(PRODUCTS))},
        accounts={"rows": [{}], "columns": {"owner": "owner"}},
        path=folder / "engagement.toml",
    )


if __name__ == "__main__":
    main()
