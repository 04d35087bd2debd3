"""A ranking of very many accounts: ``python -m tests.benchmarks.whitespace [--accounts 1000000] [--products 40]``.

Positions of four quarters are made (not timed); timed are the fit, the back-test, the counts, and every open slot's
chance written to Parquet, with the peak memory of the process. 1 where a bound is broken.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kpilib import whitespace
from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.quarters import Calendar

FIRST, QUARTERS = Calendar().parse("2025Q1"), 4
SECONDS, MEGABYTES = 20, 2000  # for 1 million accounts and 40 products


def main() -> int:
    """Make, time, judge."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.whitespace", description=__doc__)
    options.add_argument("--accounts", type=int, default=1_000_000)
    options.add_argument("--products", type=int, default=40)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        book = portfolio(Path(folder), asked.accounts, asked.products)
        quarter = book.quarters["label"].iloc[-1]
        began, busy = time.perf_counter(), time.process_time()
        ranking = whitespace.prepare(book, quarter)
        prepared = time.perf_counter() - began
        rows = whitespace.write(book, quarter, Path(folder) / "chances.parquet", ranking)
        seconds = time.perf_counter() - began
        work = time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (Path(folder) / "chances.parquet").stat().st_size / 1e6
    print(f"{asked.accounts:,} accounts x {asked.products} products, {rows:,} open slots written ({size:.0f} MB)")
    print(f"fitted, tested, counted {prepared:.1f} s; in all {seconds:.1f} s, of the processor {work:.1f} s; "
          f"peak {peak:,.0f} MB")  # fmt: skip
    test = ranking.test
    print(f"against popularity: {test.verdict}; chance {test.chance:.3f}, came {test.realised:.3f}")
    return int(seconds > SECONDS or peak > MEGABYTES)


def portfolio(folder: Path, accounts: int, products: int, seed: int = 1) -> Book:
    """Write a book of four kinds of accounts that gain and drop products from quarter to quarter."""
    dice = np.random.default_rng(seed)
    liking = dice.beta(0.8, 2.0, (4, products)).astype(np.float32)
    ids = pa.array(np.char.add("A", np.arange(accounts).astype(str)))
    schema = None
    with_words = [f"{name}_{w}" for name in ("possible", "proven") for w in range((products - 1) // 63 + 1)]
    writer, held = None, {}
    for number in range(QUARTERS):
        for first in range(0, accounts, 100_000):
            size = min(100_000, accounts - first)
            kind = np.arange(first, first + size) % 4
            held[first] = _moved(dice, liking[kind], held.get(first))
            table = _table(ids[first : first + size], number, held[first], with_words)
            schema = schema or table.schema
            writer = writer or pq.ParquetWriter(folder / "positions.parquet", schema)
            writer.write_table(table)
    writer.close()
    _small_tables(folder, accounts, products)
    names = tuple(f"P{n:03d}" for n in range(products))
    last = FIRST.later(QUARTERS - 1)
    engagement = Engagement(
        client="Benchmark", data_from=FIRST.first_day, data_to=last.last_day,
        evidence=[{"kind": "sales", "rows": [{}]}], catalogue={"products": names}, accounts={"rows": [{}]},
        lookback_months=3, path=folder / "engagement.toml",
    )  # fmt: skip
    return Book(engagement, folder, "all")


def _moved(dice: np.random.Generator, liking: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    draw = dice.random(liking.shape, np.float32)
    return draw < liking if held is None else np.where(held, draw > 0.05, draw < 0.3 * liking)


def _table(ids: pa.Array, number: int, held: np.ndarray, words: list[str]) -> pa.Table:
    size = len(ids)
    money = pa.nulls(size, pa.decimal128(38, 4))
    columns = {"account_id": ids, "quarter": pa.array(np.full(size, FIRST.index + number))}
    columns |= {name: pa.array(np.ones(size, bool)) for name in ("on_file", "active")}
    for name in words:
        kind, word = name.split("_")
        part = held[:, 63 * int(word) : 63 * int(word) + 63]
        bits = np.int64(1) << np.arange(part.shape[1], dtype=np.int64)
        columns[name] = pa.array((np.ones_like(part) if kind == "possible" else part) @ bits)
    return pa.table(columns | {"revenue_quarter": money, "revenue_window": money})


def _small_tables(folder: Path, accounts: int, products: int) -> None:
    places = np.arange(products)
    catalogue = pd.DataFrame({"product_id": [f"P{n:03d}" for n in places], "family": None, "place": places,
                              "word": places // 63, "bit": np.int64(1) << (places % 63), "launched": None,
                              "retired": None, "lookback_quarters": 1})  # fmt: skip
    made = [FIRST.later(n) for n in range(QUARTERS)]
    quarters = pd.DataFrame([(q.index, q.label, q.first_day, q.last_day, q.first_day, True, False) for q in made],
                            columns=["quarter", "label", "first_day", "as_of", "window_start", "complete",
                                     "no_snapshot"])  # fmt: skip
    db = duckdb.connect()
    for name, frame in (("products", catalogue), ("quarters", quarters)):
        db.register("frame", frame)
        db.execute(f"copy (select * from frame) to '{folder / name}.parquet' (format parquet)")
    db.execute(
        f"copy (select 'A' || n as account_id, true as in_table from range({accounts}) t(n)) "
        f"to '{folder / 'accounts.parquet'}' (format parquet)"
    )


if __name__ == "__main__":
    sys.exit(main())
