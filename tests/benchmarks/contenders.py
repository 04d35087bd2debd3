"""What is timed, each in a process of its own: ``python -m tests.benchmarks.contenders NAME SIZE``.

Every contender but the scan ends with the same figures by quarter, so that nobody wins by doing less: accounts
active, holdings, slots (1 for every product where the simple case knows no eligibility), revenue of the window.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

THREADS = 2
QUARTER = "((year(date) * 12 + month(date) - 1) // 3)"


def scan(path: Path) -> Callable[[], Any]:
    """The bare scan of the four columns."""
    db = _engine()
    lines = path.with_name("lines.parquet")
    sql = f"select max(account_id), max(product_id), max(date), sum(revenue) from '{lines}'"
    return lambda: db.execute(sql).fetchall() and None


def intake(path: Path) -> Callable[[], Any]:
    """The kit's reading and checking of every line, which comes before its positions."""
    from kpilib import engagement
    from kpilib.facts import portfolio

    def run() -> None:
        portfolio.load(engagement.load(path))

    return run


def kit(path: Path) -> Callable[[], Any]:
    """The kit's positions, written to Parquet, and what they say of every quarter."""
    from kpilib import engagement, positions
    from kpilib.facts import portfolio

    facts = portfolio.load(engagement.load(path))
    facts.db.execute(f"set threads = {THREADS}")
    written = path.with_name("positions")
    shutil.rmtree(written, ignore_errors=True)

    def run() -> list[tuple[Any, ...]]:
        positions.write(facts, written)
        return facts.db.execute(
            "select quarter, count(*), sum(bit_count(proven_0 & possible_0))::bigint, "
            f"sum(bit_count(possible_0))::bigint, sum(revenue_window)::varchar from '{written}/*.parquet' "
            "where active group by 1 order by 1"
        ).fetchall()

    return run


def sql(path: Path) -> Callable[[], Any]:
    """The obvious SQL: sums by account, product and quarter, exploded over the windows."""
    db = _engine()
    _small_tables(db, path)
    lines = path.with_name("lines.parquet")
    query = f"""
        with line as (select account_id, product_id, {QUARTER} as quarter, revenue::decimal(18, 4) as revenue
                      from '{lines}'),
        quarterly as (select account_id, product_id, quarter, sum(revenue) as revenue,
                             bool_or(revenue > 0) as sold from line group by all),
        windows as (select account_id, product_id, ending as quarter, sum(revenue) as revenue, bool_or(sold) as sold
                    from (select *, unnest(range(quarter, least(quarter + 4, 24312 // 3))) as ending from quarterly)
                    group by all),
        held as (select w.*, w.revenue > 0 and opens(product_id, region, size)
                        and launched <= as_of and as_of < retired as held
                 from windows w join products using (product_id) join accounts using (account_id)
                 join quarters using (quarter)),
        by_account as (select quarter, account_id, count(*) filter (held) as held, sum(revenue) as revenue
                       from held group by all having bool_or(sold))
        select quarter, count(*), sum(held)::bigint, sum(possible)::bigint, sum(revenue)::varchar
        from by_account join accounts using (account_id) join offered using (quarter, region, size)
        group by 1 order by 1"""
    return lambda: db.execute(query).fetchall()


def simple_kit(path: Path) -> Callable[[], Any]:
    """The kit on the simple case: everything is possible, nothing comes back."""
    return kit(_simple(path))


def simple_pandas(path: Path) -> Callable[[], Any]:
    """The obvious pandas on the simple case."""
    import pandas as pd

    lines = _simple(path).with_name("lines.parquet")

    def run() -> list[tuple[Any, ...]]:
        frame = pd.read_parquet(lines)
        frame["cents"] = (frame["revenue"] * 100).round().astype("int64")
        day = pd.to_datetime(frame["date"]).dt
        frame["quarter"] = (day.year * 12 + day.month - 1) // 3
        keys = ["account_id", "product_id", "quarter"]
        quarterly = frame.groupby(keys, observed=True)["cents"].sum().reset_index()
        later = [quarterly.assign(quarter=quarterly["quarter"] + n) for n in range(4)]
        windows = pd.concat(later)
        windows = windows[windows["quarter"] < 24312 // 3].groupby(keys)["cents"].sum().reset_index()
        accounts = windows.groupby(["quarter", "account_id"]).agg(held=("cents", "size"), cents=("cents", "sum"))
        found = accounts.groupby("quarter").agg(n=("held", "size"), held=("held", "sum"), cents=("cents", "sum"))
        return [(int(q), int(n), int(h), 40 * int(n), _money(c)) for q, n, h, c in found.itertuples()]

    return run


def simple_polars(path: Path) -> Callable[[], Any]:
    """Lazy Polars on the simple case."""
    import polars as pl

    lines = _simple(path).with_name("lines.parquet")

    def run() -> list[tuple[Any, ...]]:
        day = pl.col("date").dt
        frame = pl.scan_parquet(lines).select(
            "account_id", "product_id", cents=(pl.col("revenue") * 100).round().cast(pl.Int64),
            quarter=(day.year().cast(pl.Int32) * 12 + day.month().cast(pl.Int32) - 1) // 3,
        )  # fmt: skip
        keys = ["account_id", "product_id", "quarter"]
        quarterly = frame.group_by(keys).agg(pl.col("cents").sum())
        windows = pl.concat([quarterly.with_columns(pl.col("quarter") + n) for n in range(4)])
        windows = windows.filter(pl.col("quarter") < 24312 // 3).group_by(keys).agg(pl.col("cents").sum())
        accounts = windows.group_by("quarter", "account_id").agg(held=pl.len(), cents=pl.col("cents").sum())
        found = accounts.group_by("quarter").agg(n=pl.len(), held=pl.col("held").sum(), cents=pl.col("cents").sum())
        rows = found.sort("quarter").collect().rows()
        return [(q, n, h, 40 * n, _money(c)) for q, n, h, c in rows]

    return run


CONTENDERS = {each.__name__: each for each in (scan, intake, kit, sql, simple_kit, simple_pandas, simple_polars)}


def _engine() -> Any:
    import duckdb

    db = duckdb.connect()
    db.execute(f"set threads = {THREADS}")
    return db


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}00"


def _small_tables(db: Any, path: Path) -> None:
    """Products, quarters, and what is possible for each kind of account: known before the lines are read."""
    db.execute(f"create table accounts as from '{path.with_name('accounts.parquet')}'")
    db.execute(
        "create table products as select 'P' || lpad(n::varchar, 2, '0') as product_id, "
        "case when n >= 35 then date '2024-05-15' else date '2000-01-01' end as launched, "
        "case when n = 10 then date '2025-02-01' else date '9999-12-31' end as retired from range(40) t(n)"
    )
    db.execute(
        "create table quarters as select (8092 + n)::bigint as quarter, "
        "(date '2023-01-01' + to_months(3 * n::int + 3))::date - 1 as as_of from range(12) t(n)"
    )
    db.execute(
        "create macro opens(product, region, size) as product < 'P20' or "
        "(product < 'P30' and region <> 'W') or (product >= 'P30' and size = 'large')"
    )
    db.execute(
        "create table offered as select quarter, region, size, count(*) as possible from quarters "
        "cross join products cross join (select distinct region, size from accounts) "
        "where launched <= as_of and as_of < retired and opens(product_id, region, size) group by all"
    )


def _simple(path: Path) -> Path:
    """The same client without returns, eligibility and launches."""
    import duckdb

    folder = path.parent / "simple"
    simple = folder / "engagement.toml"
    if not simple.is_file():
        folder.mkdir(exist_ok=True)
        db = duckdb.connect()
        lines = path.with_name("lines.parquet")
        db.execute(f"copy (from '{lines}' where revenue > 0) to '{folder / 'lines.parquet'}' (compression zstd)")
        db.execute(f"copy (from '{path.with_name('accounts.parquet')}') to '{folder / 'accounts.parquet'}'")
        text = path.read_text(encoding="utf-8").split("[[eligibility]]")[0]
        text = text.replace(", launched = 2024-05-15", "").replace(", retired = 2025-02-01", "")
        simple.write_text(text, encoding="utf-8")
    return simple


def _peak() -> float:
    """Peak memory of this process in MB; what getrusage tells on Linux includes the parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str, size: str) -> None:
    """Time one contender once, after its imports; print seconds, peak memory and its figures."""
    from tests.benchmarks import data

    path = data.client(size)
    run = CONTENDERS[name](path)
    scan(path)()  # the file cache is warm for everyone
    begun = perf_counter()
    found = run()
    seconds = perf_counter() - begun
    peak = _peak()
    print(json.dumps({"seconds": seconds, "megabytes": peak, "figures": found}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
