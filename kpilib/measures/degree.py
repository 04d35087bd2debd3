"""The degree of accounts from counts of accounts, in whole numbers until the last division.

Every function takes rows with possible, held and accounts, as :func:`kpilib.measures.counts.pairs` gives
them; rows of several groups or quarters are simply counted together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts, queries


@dataclass(frozen=True)
class Degree:
    """How much of what the accounts could hold they do hold.

    ``mean`` counts every account alike, ``pooled`` every product that could be held; both are
    shares, None where nothing is possible for anyone. ``accounts`` is the base; those with nothing
    possible have no degree and are in ``nothing_possible``.
    """

    accounts: int
    nothing_possible: int
    possible: int
    held: int
    mean: float | None
    pooled: float | None
    median: float | None

    @property
    def n(self) -> int:
        """The accounts with a degree, over which mean and median are taken."""
        return self.accounts - self.nothing_possible

    @property
    def products_per_account(self) -> float | None:
        """Products held per account of the base."""
        return self.held / self.accounts if self.accounts else None


def measured(pairs: pd.DataFrame) -> Degree:
    """Measure mean, pooled and median degree.

    Example
    -------
    >>> rows = pd.DataFrame({"possible": [4, 2, 0], "held": [1, 2, 0], "accounts": [3, 1, 1]})
    >>> found = measured(rows)
    >>> found.mean, found.n, found.accounts  # (3 × 1/4 + 1 × 2/2) / 4
    (0.4375, 4, 5)
    >>> found.pooled, found.median  # (3 × 1 + 2) / (3 × 4 + 2), and the middle of ¼ ¼ ¼ 1
    (0.35714285714285715, 0.25)
    """
    held_where: Counter[int] = Counter()
    accounts_where: Counter[int] = Counter()
    for possible, held, accounts in _rows(pairs):
        held_where[possible] += held * accounts
        accounts_where[possible] += accounts
    total = sum(accounts_where.values())
    n = total - accounts_where[0]
    possible = sum(each * accounts for each, accounts in accounts_where.items())
    held = sum(held_where.values())
    degrees = sum(Fraction(held_where[each], each) for each in held_where if each)
    middle = percentile(pairs, Fraction(1, 2))
    return Degree(
        accounts=total,
        nothing_possible=accounts_where[0],
        possible=possible,
        held=held,
        mean=float(Fraction(degrees) / n) if n else None,
        pooled=held / possible if possible else None,
        median=None if middle is None else float(middle),
    )


def of(book: Book, quarter: str) -> Degree:
    """Measure a quarter of the book.

    Raises
    ------
    DataError
        When no account is in the base, or nothing is possible for any: there is no degree then,
        and zero would read as a finding.
    """
    return required(book, quarter, measured(counts.pairs(book, quarters=[quarter])))


def required(book: Book, quarter: str, found: Degree) -> Degree:
    """Give back the degree of a quarter, or say why there is none."""
    at = queries.moment(book, quarter)
    book.require_snapshot(at.label)
    if found.accounts == 0:
        others = counts.bases(book, quarter)
        raise DataError(
            f"No account is in the base {book.base!r} in {at.label}.",
            f"As of {at.as_of}, {others['all']} accounts are on file, {others['active']} were"
            f" active since {at.window_start}, and something is possible for {others['eligible']}.",
            "Choose another base or quarter, or see with kpi check what was set aside.",
        )
    if found.n == 0:
        raise DataError(
            f"Nothing is possible for any of the {found.accounts} accounts in the base"
            f" {book.base!r} in {at.label}, so none has a degree.",
            f"On {at.as_of}, {on_sale(book, at)} of the {len(book.products)} products in the catalogue are on sale.",
            "Check launch and retirement dates and the eligibility rules.",
        )
    return found


def products_on_sale(book: Book, quarter: str) -> int:
    """Count the products of the catalogue that are launched and not retired at a quarter's end."""
    return on_sale(book, queries.moment(book, quarter))


def on_sale(book: Book, at: queries.Moment) -> int:
    """Count the products in the catalogue on the day: launched, and not yet retired."""
    day = pd.Timestamp(at.as_of)
    launched, retired = (pd.to_datetime(book.products[name]) for name in ("launched", "retired"))
    return int(((launched.isna() | (launched <= day)) & (retired.isna() | (retired > day))).sum())


def at_least(pairs: pd.DataFrame, products: int) -> int:
    """Count the accounts that hold so many products or more.

    Example
    -------
    >>> at_least(pd.DataFrame({"possible": [9, 9], "held": [1, 3], "accounts": [5, 2]}), 2)
    2
    """
    return int(pairs.loc[pairs["held"] >= products, "accounts"].sum())


def multi_share(pairs: pd.DataFrame, products: int) -> float | None:
    """Share of the base that holds so many products or more; None where the base is empty."""
    base = int(pairs["accounts"].sum())
    return at_least(pairs, products) / base if base else None


def most_held(pairs: pd.DataFrame) -> int:
    """Return the largest number of products any account holds: where a curve over k ends."""
    return int(pairs["held"].max()) if len(pairs) else 0


def summed(amounts: Iterable[Any]) -> Decimal | None:
    """Add amounts exactly; None when there are none.

    Example
    -------
    >>> summed([Decimal("0.1"), None, Decimal("0.2")])
    Decimal('0.3')
    >>> summed([None]) is None
    True
    """
    known = [each for each in amounts if isinstance(each, Decimal)]
    return sum(known, Decimal(0)) if known else None


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Build a result table whose columns keep their type when a figure is undefined."""
    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame.astype({name: kind for name, kind in columns.items() if kind != "object"})


def percentile(pairs: pd.DataFrame, share: Fraction) -> Fraction | None:
    """Find a percentile of the degree, exactly and between two accounts in line with both; None where nobody has one.

    Example
    -------
    >>> rows = pd.DataFrame({"possible": [4, 4, 4, 0], "held": [1, 2, 4, 0], "accounts": [1, 1, 2, 9]})
    >>> percentile(rows, Fraction(3, 4))  # of 1/4 1/2 1 1
    Fraction(1, 1)
    >>> percentile(rows, Fraction(1, 2))
    Fraction(3, 4)
    """
    degrees = sorted((Fraction(held, possible), n) for possible, held, n in _rows(pairs) if possible)
    total = sum(n for _, n in degrees)
    if not total:
        return None
    place = share * (total - 1)
    low = floor(place)
    below, above = (_nth(degrees, min(each, total - 1)) for each in (low, low + 1))
    return below + (place - low) * (above - below)


def _rows(pairs: pd.DataFrame) -> Iterable[tuple[int, int, int]]:
    columns = (pairs[name].tolist() for name in ("possible", "held", "accounts"))
    return zip(*columns, strict=True)


def _nth(degrees: list[tuple[Fraction, int]], place: int) -> Fraction:
    """Find the degree at a place, counted from 0, among degrees in rising order with their accounts."""
    for value, n in degrees:
        place -= n
        if place < 0:
            return value
    raise IndexError(place)
