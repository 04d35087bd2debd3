"""A tiny language for cases: ``book("Ax Ay Bx")`` is accounts A and B, of which A holds x and y."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.quarters import Calendar

FIRST = Calendar().parse("2025Q1")


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that writes a book from one text per quarter, 2025Q1 onwards.

    ``A`` account A is there, ``Ax`` it holds x, ``Ax-`` x is not possible for it, ``Ax!`` proven
    though not possible, ``A~`` on file but not active. Everything else is possible and not held.
    """

    def write(*quarters: str, **options: Any) -> Book:
        return _Writer(tmp_path_factory.mktemp("book"), quarters, options).write()

    return write


class _Writer:
    def __init__(self, folder: Path, quarters: tuple[str, ...], options: dict[str, Any]) -> None:
        self.folder, self.options = folder, options
        self.quarters = [_read(text) for text in quarters]
        named = {token[1] for quarter in self.quarters for token in quarter if token[1]}
        self.products = list(options.get("products") or sorted(named))
        self.accounts = sorted({token[0] for quarter in self.quarters for token in quarter})

    def write(self) -> Book:
        self._keep("products", self._catalogue(), "launched::DATE, retired::DATE")
        self._keep("quarters", self._calendar(), "")
        self._keep("accounts", self._account_table(), "joined_on::DATE, left_on::DATE")
        self._positions()
        self._records()
        return Book(self._engagement(), self.folder, self.options.get("base", "all"))

    def _engagement(self) -> Engagement:
        last = FIRST.later(len(self.quarters) - 1)
        told = {"name": "name", "owner": "owner"} if "names" in self.options else {}
        facts = {
            "client": "Small",
            "data_from": FIRST.first_day,
            "data_to": last.last_day,
            "evidence": [{"kind": "sales", "rows": [{}]}],
            "catalogue": {"products": tuple(self.products)},
            "accounts": {"rows": [{}], "columns": told},
            "path": self.folder / "engagement.toml",
        }
        return Engagement(**(facts | self.options.get("engagement", {})))

    def _keep(self, name: str, frame: pd.DataFrame, casts: str) -> None:
        replaced = [f"{cast} AS {cast.split('::')[0]}" for cast in casts.split(", ") if cast]
        star = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
        duckdb.sql(f"COPY (SELECT {star} FROM frame) TO '{self.folder / name}.parquet'")

    def _catalogue(self) -> pd.DataFrame:
        dates = {name: self.options.get(name, {}) for name in ("launched", "retired")}
        rows = [
            {
                "product_id": product,
                "family": self.options.get("families", {}).get(product),
                "place": place,
                "word": place // 63,
                "bit": 1 << place % 63,
                "launched": dates["launched"].get(product),
                "retired": dates["retired"].get(product),
                "lookback_quarters": 4,
            }
            for place, product in enumerate(self.products)
        ]
        return pd.DataFrame(rows)

    def _calendar(self) -> pd.DataFrame:
        quarters = [FIRST.later(n) for n in range(len(self.quarters))]
        rows = [
            {
                "quarter": each.index,
                "label": each.label,
                "first_day": each.first_day,
                "as_of": each.last_day,
                "window_start": each.later(-3).first_day,
                "complete": each.label not in self.options.get("incomplete", ()),
                "no_snapshot": each.label in self.options.get("no_snapshot", ()),
            }
            for each in quarters
        ]
        return pd.DataFrame(rows)

    def _account_table(self) -> pd.DataFrame:
        table = pd.DataFrame({"account_id": self.accounts, "in_table": True})
        table = table.assign(joined_on=None, left_on=None)
        for name, values in self.options.get("attributes", {}).items():
            table[name] = table["account_id"].map(values).astype("str").astype(object)
            table[name] = table[name].where(table["account_id"].isin(list(values)), None)
        if "names" in self.options:
            table["name"] = table["account_id"].map(self.options["names"])
            table["owner"] = "Kim"
        return table

    def _positions(self) -> None:
        rows = [
            self._position(FIRST.later(n).index, account, quarter)
            for n, quarter in enumerate(self.quarters)
            for account in sorted({token[0] for token in quarter})
        ]
        frame = pd.DataFrame(rows)  # noqa: F841, DuckDB reads it by name
        money = "revenue_quarter::DECIMAL(38,4) AS revenue_quarter"
        money += ", revenue_window::DECIMAL(38,4) AS revenue_window"
        file = self.folder / "positions.parquet"
        duckdb.sql(f"COPY (SELECT * REPLACE ({money}) FROM frame) TO '{file}'")

    def _position(self, quarter: int, account: str, tokens: list[tuple[str, str, str]]) -> dict:
        mine = {token[1]: token[2] for token in tokens if token[0] == account}
        possible = [p for p in self.products if mine.get(p) not in ("-", "!")]
        proven = [p for p in self.products if mine.get(p) in ("", "!")]
        revenue = self.options.get("revenue", {}).get(account)
        return {
            "account_id": account,
            "quarter": quarter,
            "on_file": True,
            "active": mine.get("") != "~",
            **_bit_words("possible", [self.products.index(p) for p in possible], self.products),
            **_bit_words("proven", [self.products.index(p) for p in proven], self.products),
            "revenue_quarter": revenue and str(Decimal(revenue) / 4),
            "revenue_window": revenue,
        }

    def _records(self) -> None:
        told = {
            "opportunities": ("status", "opened", "closed"),
            "blocked": ("reason", "start", "stop"),
        }
        dated = {
            "opportunities": "opened::DATE, closed::DATE",
            "blocked": "start::DATE, stop::DATE",
        }
        for name, columns in told.items():
            if name in self.options:
                rows = [(each[0][0], each[0][1:], *each[1:]) for each in self.options[name]]
                frame = pd.DataFrame(rows, columns=["account_id", "product_id", *columns])
                self._keep(name, frame.astype(object), dated[name])
        if "lapsing" in self.options:
            rows = [(q, s[0], s[1:]) for q, slots in self.options["lapsing"].items() for s in slots]
            frame = pd.DataFrame(rows, columns=["quarter", "account_id", "product_id"])
            frame = frame.assign(last_day="2025-01-01", days_since=100, usual_gap=10.0)
            self._keep("lapsing", frame, "last_day::DATE")
        if "monthly" in self.options:
            columns = ["month", "product_id", "status", "lines", "revenue"]
            frame = pd.DataFrame(self.options["monthly"], columns=columns)
            self._keep("monthly", frame, "month::DATE, revenue::DECIMAL(18,4)")


def _read(text: str) -> list[tuple[str, str, str]]:
    found = [re.fullmatch(r"([A-Z]\d*)(?:(~)|([a-z]\d*)([-!])?)?", token) for token in text.split()]
    return [(match[1], match[3] or "", match[2] or match[4] or "") for match in found]


def _bit_words(name: str, places: list[int], products: list[str]) -> dict[str, int]:
    words = {f"{name}_{word}": 0 for word in range((len(products) - 1) // 63 + 1)}
    for place in places:
        words[f"{name}_{place // 63}"] |= 1 << place % 63
    return words
