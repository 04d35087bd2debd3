"""The contestant in Polars, apart so that the others need not carry it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from generate import PRODUCTS, QUARTERS, WINDOW, Files


def lazy_polars(facts: Files, out: Path) -> None:
    """The same, said lazily."""
    quarter = pl.col("day").dt.year() * 4 + pl.col("day").dt.quarter() - 1
    sums = pl.scan_parquet(facts.sold).group_by("account_id", "product_id", sold_in=quarter.cast(pl.Int32))
    sums = sums.agg(pl.col("revenue").sum())
    reach = pl.LazyFrame(
        [(at - back, at) for at in (each.index for each in QUARTERS) for back in range(WINDOW)],
        schema={"sold_in": pl.Int32, "quarter": pl.Int32},
        orient="row",
    )
    slots = sums.join(reach, on="sold_in").group_by("account_id", "product_id", "quarter").agg(pl.col("revenue").sum())
    held, revenue = (pl.col("revenue") > 0).sum().alias("held"), pl.col("revenue").sum().alias("revenue_window")
    rows = slots.group_by("account_id", "quarter").agg(held, revenue)
    rows.with_columns(active=True, possible=pl.lit(PRODUCTS)).sink_parquet(out)
