"""What a product typically brings in a quarter at accounts like this one that have it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.whitespace.likeness import Array

SIZES = 3


@dataclass(frozen=True)
class Typical:
    """Typical revenue of a quarter by product and size of account, and the size of every account.

    ``amounts`` (Decimal, None where unknown) and ``holders`` are products by sizes 0 to 3; ``size`` is 0 for accounts
    without revenue in the window, 1 to 3 from the smallest third to the largest.
    """

    amounts: Array
    holders: Array
    size: Array

    def of(self, account: int, product: int) -> Decimal | None:
        """Amount for one slot, by row and place."""
        return self.amounts[product, self.size[account]]


def typical(book: Book, quarter: str, accounts: Array) -> Typical | None:
    """Measure the median revenue of a product among the accounts that bought it; None without amounts.

    Revenue of the look-back window by quarter of it, of accounts of the base with net revenue over 0 for the product;
    like accounts are those of the same third by revenue of the window. With fewer than the engagement's smallest group
    among them, of all that bought it; with fewer than that in all, unknown.

    Parameters
    ----------
    accounts
        Ids in the order that rows shall have.
    """
    if not book.has("holdings"):
        return None
    at = queries.moment(book, quarter)
    months = book.lookback_months // 3
    found = queries.fetch(
        book,
        f"""
        WITH sized AS ({_sized(book, at.index)}), spent AS (
            SELECT account_id, product_id, sum(revenue) AS revenue FROM holdings
            WHERE product_id IS NOT NULL AND quarter BETWEEN {at.index - months + 1} AND {at.index}
            GROUP BY ALL HAVING sum(revenue) > 0)
        SELECT product_id, size, count(*) AS holders, quantile_disc(revenue, 0.5) AS amount
        FROM spent JOIN sized USING (account_id) GROUP BY GROUPING SETS ((product_id, size), (product_id))
        """,
    )
    if found.empty:
        return None
    amounts, holders = _laid_out(book, found, months)
    sizes = queries.fetch(book, _sized(book, at.index)).set_index("account_id")["size"]
    return Typical(amounts, holders, sizes.reindex(accounts).fillna(0).to_numpy(np.int8))


def _sized(book: Book, index: int) -> str:
    return f"""
        SELECT account_id, CASE WHEN revenue_window > 0 THEN ntile({SIZES}) OVER (
            PARTITION BY coalesce(revenue_window, 0) > 0 ORDER BY revenue_window, account_id) ELSE 0 END AS size
        FROM ({queries.base(book, [index])})
    """


def _laid_out(book: Book, found: pd.DataFrame, quarters: int) -> tuple[Array, Array]:
    place = book.products.set_index("product_id")["place"]
    amounts = np.full((len(place), SIZES + 1), None, object)
    holders = np.zeros((len(place), SIZES + 1), int)
    least = book.engagement.minimum_cell
    whole = found[found["size"].isna() & (found["holders"] >= least)]
    alike = found[found["size"].notna() & (found["holders"] >= least)]
    for row in whole.itertuples():
        amounts[place[row.product_id]], holders[place[row.product_id]] = _a_quarter(row.amount, quarters), row.holders
    for row in alike.itertuples():
        at = place[row.product_id], int(row.size)
        amounts[at], holders[at] = _a_quarter(row.amount, quarters), row.holders
    return amounts, holders


def _a_quarter(amount: Decimal, quarters: int) -> Decimal:
    return (amount / quarters).quantize(Decimal("0.01"))
