"""Segments at full size: ``python -m tests.benchmarks.segments``.

Latent classes of 100 thousand accounts and 12 products, five starts; then every segmentation, profile and move of a
book of a million accounts and 40 products. Prints wall and processor seconds; exit code 1 where a promise is broken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from kpilib import segments
from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.quarters import Calendar
from kpilib.segments import latent

ACCOUNTS, PRODUCTS = 1_000_000, 40
NOW, BEFORE = "2025Q2", "2025Q1"


def patterns(accounts: int = 100_000, products: int = 12, classes: int = 4, seed: int = 0) -> latent.Patterns:
    """Draw accounts from four classes and count their patterns."""
    random = np.random.default_rng(seed)
    rates = random.uniform(0.05, 0.9, (classes, products))
    held = random.random((accounts, products)) < rates[random.choice(classes, accounts, p=[0.4, 0.3, 0.2, 0.1])]
    words, number = np.unique(held @ (1 << np.arange(products)), return_counts=True)
    rows = (words[:, None] >> np.arange(products)) & 1
    return latent.Patterns(rows, np.ones_like(rows), number)


def book(folder: Path) -> Book:
    """Write a book of a million accounts, two quarters, three kinds of holdings and two attributes."""
    engagement = Engagement(
        client="Large",
        data_from="2025-01-01",
        data_to="2025-06-30",
        lookback_months=3,
        evidence=[{"kind": "sales", "rows": [{}]}],
        catalogue={"products": tuple(f"p{n}" for n in range(PRODUCTS))},
        segment_by=("region", "size"),
        path=folder / "engagement.toml",
    )
    quarters = [Calendar().parse(each) for each in (BEFORE, NOW)]
    frames = {
        "quarters": pd.DataFrame(
            [(q.index, q.label, q.first_day, q.last_day, q.first_day, True, False) for q in quarters],
            columns=["quarter", "label", "first_day", "as_of", "window_start", "complete", "no_snapshot"],
        ),
        "products": pd.DataFrame(
            [(f"p{n}", None, n, 0, 1 << n, None, None, 1) for n in range(PRODUCTS)],
            columns=["product_id", "family", "place", "word", "bit", "launched", "retired", "lookback_quarters"],
        ),
    }
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    kind = "0.2 * (i % 3 - 1)"
    held = " + ".join(f"((random() < {0.05 + 0.02 * n} + {kind})::BIGINT << {n})" for n in range(PRODUCTS))
    number = ", ".join(str(q.index) for q in quarters)
    queries = {
        "accounts": "SELECT i::VARCHAR AS account_id, true AS in_table, NULL::DATE AS joined_on, "
        "NULL::DATE AS left_on, 'region ' || i % 9 AS region, 'size ' || i % 4 AS size FROM range({n}) t(i)",
        "positions": f"SELECT i::VARCHAR AS account_id, q::INTEGER AS quarter, true AS on_file, true AS active, "
        f"{(1 << PRODUCTS) - 1}::BIGINT AS possible_0, {held} AS proven_0, "
        f"(random() * 900)::DECIMAL(38, 4) AS revenue_quarter, (random() * 900)::DECIMAL(38, 4) AS revenue_window "
        f"FROM range({{n}}) t(i), unnest([{number}]) u(q)",
        "purchases": f"SELECT i::VARCHAR AS account_id, q::INTEGER AS quarter, 1 + (random() * 20)::INTEGER AS days, "
        f"DATE '2025-06-30' - (random() * 80)::INTEGER AS last_day FROM range({{n}}) t(i), unnest([{number}]) u(q)",
    }
    with duckdb.connect() as con:
        con.execute("SELECT setseed(0.5)")
        for name, sql in queries.items():
            con.execute(f"COPY ({sql.format(n=ACCOUNTS)}) TO '{folder / name}.parquet'")
    return Book(engagement, folder, "all")


def timed(what: str, work: Callable[[], Any], promised: float | None = None) -> tuple[Any, bool]:
    """Run something once; print its seconds, and whether what is promised of it holds."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    kept = promised is None or wall <= promised
    told = "" if promised is None else f"  promised {promised:g}{'' if kept else ': BROKEN'}"
    print(f"{what:58}{wall:8.2f} s{processor:8.2f} s of processor{told}", flush=True)
    return found, kept


def main() -> int:
    """Time everything once."""
    data = patterns()
    _, kept = timed("classes: 100,000 x 12, 4 classes, 5 starts", lambda: latent.fit(data, 4, starts=5), 2.0)
    with TemporaryDirectory() as folder:
        large = book(Path(folder))
        ways = {
            "region": lambda: segments.by_attribute(large, NOW, "region"),
            "region and size": lambda: segments.by_attribute(large, NOW, "region", "size"),
            "band": lambda: segments.by_band(large, NOW),
            "behaviour": lambda: segments.by_rfm(large, NOW),
            "kinds": lambda: segments.by_class(large, NOW),
        }
        for name, way in ways.items():
            found, _ = timed(f"1,000,000 accounts by {name}", way)
            timed("    profile", lambda found=found: segments.profile(large, NOW, found))
            timed("    moves", lambda found=found: segments.movers(large, NOW, BEFORE, replace(found)))
        timed("    list streamed", lambda: segments.export(large, NOW, found, Path(folder) / "list.parquet"))
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
