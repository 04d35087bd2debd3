"""Sales lines made for the benchmark: 100 an account, 40 products, three years, 1 % of them returned."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

FOLDER = Path(tempfile.gettempdir()) / "kpilib-benchmarks"
SIZES = {"1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}

ENGAGEMENT = """client = "Benchmark"
data_from = 2023-01-01
data_to = 2025-12-31
lookback_months = 12
allow_set_aside = 0.0

[sources]
lines.path = "lines.parquet"
who.path = "accounts.parquet"

[[evidence]]
kind = "sales"
source = "lines"

[accounts]
source = "who"
columns = {{ joined_on = "joined", left_on = "left" }}
complete = true

[catalogue]
rows = [
{products}
]

[[eligibility]]
products = {some}
where = {{ region = ["N", "E", "S"] }}

[[eligibility]]
products = {few}
where = {{ size = "large" }}
"""


def client(size: str) -> Path:
    """Make the client of a size once; return its engagement."""
    folder = FOLDER / size
    path = folder / "engagement.toml"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _lines(folder, SIZES[size])
        names = [f"P{n:02d}" for n in range(40)]
        products = "\n".join(f"  {{ {_product(n, name)} }}," for n, name in enumerate(names))
        path.write_text(ENGAGEMENT.format(products=products, some=names[20:30], few=names[30:]), encoding="utf-8")
    return path


def _product(place: int, name: str) -> str:
    dates = {**dict.fromkeys(range(35, 40), ", launched = 2024-05-15"), 10: ", retired = 2025-02-01"}
    return f'product_id = "{name}"{dates.get(place, "")}'


def _lines(folder: Path, lines: int) -> None:
    """Few accounts and products sell most; a return undoes a line within 120 days."""
    accounts = lines // 100
    db = duckdb.connect()
    db.execute("set threads = 1")
    db.execute("select setseed(0.42)")
    db.execute(
        f"""copy (
        with sold as materialized (
            select 'A' || lpad(floor(pow(random(), 1.5) * {accounts})::int::varchar, 8, '0') as account_id,
                   'P' || lpad(floor(pow(random(), 2) * 40)::int::varchar, 2, '0') as product_id,
                   date '2023-01-01' + floor(random() * 1096)::int as date,
                   ((1 + floor(random() * 100000)) / 100)::decimal(12, 2) as revenue,
                   random() < 0.01 as comes_back, floor(random() * 120)::int as days
            from range({lines}))
        select account_id, product_id, date, revenue from sold
        union all
        select account_id, product_id, least(date + days, date '2025-12-31'), -revenue from sold where comes_back
        ) to '{folder / "lines.parquet"}' (format parquet, compression zstd)"""
    )
    db.execute(
        f"""copy (
        select 'A' || lpad(n::varchar, 8, '0') as account_id, ['N', 'S', 'E', 'W'][1 + n % 4] as region,
               ['small', 'mid', 'large'][1 + (n * 7919) % 3] as size,
               date '2020-01-01' + ((n * 31) % 1900)::int as joined,
               case when n % 20 = 0 then date '2023-01-01' + ((n * 17) % 1096)::int end as left
        from range({accounts}) t(n)) to '{folder / "accounts.parquet"}' (format parquet)"""
    )
