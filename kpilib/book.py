"""A client's kept positions, as every measure reads them: Parquet files behind views of plain DuckDB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from kpilib.engagement import Engagement
from kpilib.errors import DataError, QuarterError, listed
from kpilib.quarters import Quarter
from kpilib.sql import parquet

TABLES = (
    "positions",
    "quarters",
    "products",
    "accounts",
    "opportunities",
    "blocked",
    "monthly",
    "ledger",
    "totals",
    "readings",
    "set_aside",
    "lapsing",
    "holdings",
    "purchases",
    "feedback",
    "interactions",
    "programmes",
    "wallet",
    "rules",
)


@dataclass(frozen=True)
class Book:
    """Positions of one engagement under one look-back, and the base that measures count.

    ``folder`` holds a Parquet file per table, positions one per quarter; to open it costs no pass over the facts.
    """

    engagement: Engagement
    folder: Path
    base: str

    @property
    def lookback_months(self) -> int:
        """The look-back that decides what counts as having, in months."""
        return self.engagement.lookback_months

    def counting(self, base: str | None) -> Book:
        """Return the same book with another base: all, active or eligible."""
        return replace(self, base=base) if base else self

    def connect(self, sql: str | None = None) -> duckdb.DuckDBPyConnection:
        """Open an engine in which every kept table is a view; with a query, only those that its text names."""
        db = duckdb.connect()
        for name in TABLES:
            if (sql is None or name in sql) and self.has(name):
                db.execute(f"create view {name} as from {parquet(self._files(name))}")
        return db

    def _files(self, name: str) -> Path:
        """Find a kept table: its file, or the folder of its files."""
        folder = self.folder / name
        return folder if folder.is_dir() else folder.with_name(f"{name}.parquet")

    def has(self, name: str) -> bool:
        """Whether a table was kept."""
        return self._files(name).exists()

    def columns(self, name: str) -> list[str]:
        """Name the columns of a kept table; costs no engine."""
        import pyarrow.parquet as pq

        files = self._files(name)
        return pq.read_schema(min(files.glob("*.parquet")) if files.is_dir() else files).names

    def table(self, name: str) -> pd.DataFrame:
        """Read a small kept table whole; decimals stay decimals, days stay days."""
        import pyarrow.parquet as pq

        return pq.read_table(self._files(name), partitioning=None).to_pandas(date_as_object=True)

    @cached_property
    def quarters(self) -> pd.DataFrame:
        """quarter, label, first_day, as_of, window_start, complete, no_snapshot: one row each, oldest first.

        ``no_snapshot`` (bool): snapshots are evidence and none is of the last day, so what was had is not known.
        """
        return self.table("quarters")

    @cached_property
    def products(self) -> pd.DataFrame:
        """product_id, family, place, word, bit, launched, retired, lookback_quarters, margin: catalogue order."""
        return self.table("products")

    @property
    def sold_lookbacks(self) -> list[int]:
        """The look-backs, in months, of the products that sales can prove: each once, in rising order."""
        sold = [each.products for each in self.engagement.evidence if each.kind == "sales"]
        named = set(self.products["product_id"]) if not all(sold) else {name for each in sold for name in each}
        known = self.products[self.products["product_id"].isin(named)]
        return sorted({3 * int(each) for each in known["lookback_quarters"]})

    def ledger(self) -> pd.DataFrame:
        """Every rule that a row broke; columns as :data:`kpilib.facts.checks.LEDGER`."""
        return self.table("ledger")

    def totals(self) -> pd.DataFrame:
        """Rows and revenue read, used and set aside by table."""
        return self.table("totals")

    def lapsing(self, quarter: str) -> pd.DataFrame | None:
        """account_id, product_id, last_day, days_since, usual_gap; None without evidence from sales."""
        if not self.has("lapsing"):
            return None
        with self.connect() as db:
            return (
                db.execute(
                    "select account_id, product_id, last_day, days_since, usual_gap from lapsing "
                    "where quarter = ? order by account_id, product_id",
                    [self.quarter(quarter).label],
                )
                .to_arrow_table()
                .to_pandas(date_as_object=True)
            )

    def quarter(self, label: str) -> Quarter:
        """Find a quarter of the data by its label.

        Raises
        ------
        QuarterError
            It is not written as a quarter, or lies outside the data.
        """
        asked = self.engagement.calendar.parse(label)
        labels = list(self.quarters["label"])
        if asked.label not in labels:
            raise QuarterError(
                f"{asked.label} lies outside the data.",
                f"They cover {labels[0]} to {labels[-1]}.",
                "Ask for one of these, or widen data_from and data_to.",
            )
        return asked

    def require_snapshot(self, label: str) -> None:
        """Refuse a quarter whose evidence is missing.

        Raises
        ------
        DataError
            Snapshots are evidence, and there is none of the quarter's last day: a figure would count nothing as had.
        """
        row = self.quarters.set_index("label").loc[label]
        if row["no_snapshot"]:
            raise DataError(
                f"There is no snapshot of {pd.Timestamp(row['as_of']).date()}, the end of {label}, "
                "so what accounts had then is not known.",
                "",
                "Add it under [[evidence]], or ask for another quarter.",
            )

    def complete_quarters(self) -> str:
        """Name the complete quarters by the runs that they form: ``2024Q1 to 2024Q4, 2025Q2``; empty where none is."""
        whole = self.quarters[self.quarters["complete"].astype(bool)]
        runs = whole.groupby((whole["quarter"].diff() != 1).cumsum())["label"].agg(["first", "last"])
        return ", ".join(
            first if first == last else f"{first} to {last}" for first, last in runs.itertuples(index=False)
        )

    def default_quarter(self) -> str:
        """The last complete quarter.

        Raises
        ------
        DataError
            No quarter is complete: the look-back begins before the data do.
        """
        complete = self.quarters.loc[self.quarters["complete"].astype(bool), "label"]
        if complete.empty:
            raise DataError(
                "No quarter is complete.",
                f"The data run from {self.engagement.data_from} to {self.engagement.data_to} and the look-back is "
                f"{self.lookback_months} months; they touch {listed(list(self.quarters['label']))}.",
                "Name the quarter you want (--quarter; it will be marked incomplete) or shorten the look-back.",
            )
        return str(complete.iloc[-1])
