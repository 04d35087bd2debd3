"""A made-up retailer, as large as asked for: sales lines in random order, one per cent of them returned.

A hundred lines an account; few accounts and few products make most of the sales. The order is random on
purpose: lines by date, as ledgers come, are kinder to every contestant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from kpilib.quarters import Calendar

SIZES = {"1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}
PRODUCTS = 40
QUARTERS = tuple(Calendar().between(date(2023, 1, 1), date(2025, 12, 31)))
WINDOW = 4  # quarters


@dataclass(frozen=True)
class Files:
    """Where the made-up facts lie."""

    sold: Path
    sales: Path
    accounts: Path


def files(size: str, folder: Path) -> Files:
    """Return the facts of one size, made once and kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Files(*(folder / f"{name}-{size}.parquet" for name in ("sold", "sales", "accounts")))
    if not made.accounts.exists():
        db = duckdb.connect()
        db.execute("set threads = 1; select setseed(0.42)")
        for sql, file in zip(_made(SIZES[size], made.sold), vars(made).values(), strict=True):
            db.execute(f"copy ({sql}) to '{file}.part' (format parquet, compression zstd)")
            Path(f"{file}.part").rename(file)
    return made


def _made(lines: int, sold: Path) -> tuple[str, str, str]:
    """SQL of the lines as sold, of the same with returns, and of the accounts."""
    accounts = lines // 100
    plain = f"""
        select 'A' || lpad(cast(floor(pow(random(), 1.5) * {accounts})::int as varchar), 8, '0') as account_id,
            'P' || lpad(cast(floor(pow(random(), 2) * {PRODUCTS})::int as varchar), 2, '0') as product_id,
            date '2023-01-01' + floor(random() * 1096)::int as day, round(random() * 1000, 2) as revenue
        from range({lines})"""
    with_returns = f"""
        select * from '{sold}' union all
        select account_id, product_id, least(day + floor(random() * 120)::int, date '2025-12-31'), -revenue
        from '{sold}' where hash(account_id, product_id, day, revenue) % 100 = 0"""
    joined = f"""
        select 'A' || lpad(cast(i as varchar), 8, '0') as account_id,
            ['north', 'south', 'east', 'west'][1 + i % 4] as region,
            ['small', 'middle', 'large'][1 + i * 7919 % 3] as size,
            date '2020-01-01' + (i * 31 % 1900)::int as joined_on,
            case when i % 20 = 0 then date '2023-01-01' + (i * 17 % 1096)::int end as left_on
        from range({accounts}) t(i)"""
    return plain, with_returns, joined
