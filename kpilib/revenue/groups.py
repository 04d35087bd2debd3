"""Accounts grouped by how much they have: by penetration band, or by number of products.

Groups are made of counts, after the engine has added up everything by possible and held: nothing is ever
asked of single accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.measures import bands

BAND, PRODUCTS = "band", "products"
MOST = 6  # steps of the number of products, where none are given
SMALLEST_LAST = 0.05  # of the accounts: a smaller last step says more about chance than about its customers
NO_PRODUCT, NOTHING_POSSIBLE = "none", "nothing possible"


def summed(
    counted: pd.DataFrame, book: Book, by: str, steps: Sequence[int] | None, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Add up columns of counts by group, from few products to many; groups without accounts are left out.

    Parameters
    ----------
    counted
        Rows with possible, held, accounts and, where segments have bands of their own, rule.
    by
        ``band`` of the degree, or ``products`` held.
    steps
        Where groups of ``products`` begin: (1, 4, 7) makes 1-3, 4-6 and 7+; without, at most six of equal width, the
        last ones joined until they reach the engagement's minimum_cell and one account in twenty.
    names
        The columns to add up; a column without any value gives None.
    """
    if by not in (BAND, PRODUCTS):
        raise DataError(f"Accounts cannot be grouped by {by!r} here.", near(by, (BAND, PRODUCTS)))
    if by == BAND:
        labels = bands.named(counted, book.engagement).fillna(NOTHING_POSSIBLE)
        order = [NOTHING_POSSIBLE, *(each.name for each in book.engagement.bands)]
    else:
        starts = _checked(steps) if steps else _steps(counted, book.engagement.minimum_cell)
        labels = counted["held"].map(lambda held: _range(starts, held))
        order = [NO_PRODUCT, *(_range(starts, each) for each in starts)]
    rows = {name: counted[labels == name] for name in order}
    return {name: {each: total(mine[each]) for each in names} for name, mine in rows.items() if len(mine)}


def total(values: pd.Series) -> Any:
    """Add up a column, exactly where it is exact; None where it holds nothing."""
    known = [each for each in values.tolist() if not pd.isna(each)]
    return sum(known[1:], known[0]) if known else None


def _steps(counted: pd.DataFrame, smallest: int) -> list[int]:
    """Begin groups of equal width; the last one is joined to the one before while it is too small to show."""
    most = max(int(counted["held"].max()) if len(counted) else 1, 1)
    width = ceil(most / MOST)
    starts = list(range(1, most + 1, width))
    enough = max(smallest, SMALLEST_LAST * counted["accounts"].sum())
    while len(starts) > 1 and counted.loc[counted["held"] >= starts[-1], "accounts"].sum() < enough:
        starts.pop()
    return starts


def _checked(steps: Sequence[int]) -> list[int]:
    if list(steps) != sorted(set(steps)) or steps[0] != 1:
        raise DataError(f"Groups of products cannot begin at {list(steps)}.", "", "Begin at 1 and rise: (1, 4, 7, 10).")
    return list(steps)


def _range(starts: Sequence[int], held: int) -> str:
    """Name the group of a number of products.

    Example
    -------
    >>> [_range([1, 4, 5], held) for held in (0, 2, 4, 9)]
    ['none', '1–3', '4', '5+']
    """
    if held < 1:
        return NO_PRODUCT
    place = max(index for index, start in enumerate(starts) if start <= held)
    first = starts[place]
    if place == len(starts) - 1:
        return f"{first}+"
    last = starts[place + 1] - 1
    return str(first) if first == last else f"{first}–{last}"
