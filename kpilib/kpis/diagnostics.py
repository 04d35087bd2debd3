"""The diagnostic questions of the cards, asked of a client's data.

Each function returns what a sentence in ``wording.cards`` of the same name tells, or None where the
data cannot answer. A card's question names one of them (``answered_by``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from kpilib import penetration, pitfalls
from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.penetration import Change


@dataclass(frozen=True)
class Base:
    """Accounts counted now and at the earlier quarter; who joined and who left in between."""

    against: str
    accounts: int
    before: int
    joined: int
    lost: int


@dataclass(frozen=True)
class Catalogue:
    """Products on sale now and at the earlier quarter."""

    against: str
    products: int
    before: int


@dataclass(frozen=True)
class Carriers:
    """The change by segment: rows of ``penetration.by_segment`` with ``by``, and the change they are part of."""

    by: str
    rows: pd.DataFrame
    change: Change


@dataclass(frozen=True)
class Products:
    """The change by product: rows of ``penetration.by_product``; fewer customers than ``smallest`` carry no word."""

    rows: pd.DataFrame
    smallest: int


@dataclass(frozen=True)
class Step:
    """The k at which most accounts are left behind: ``share`` has k or more, ``next_share`` has k + 1 or more."""

    k: int
    share: float
    next_share: float


def same_accounts(book: Book, quarter: str) -> Change | None:
    """Compare with the quarter before: as reported, and of the accounts counted both times."""
    before = penetration.previous(book, quarter)
    return penetration.change(book, quarter, before) if before else None


def base(book: Book, quarter: str) -> Base | None:
    """Count who came and who went since the quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    rows = penetration.by_quarter(book, quarter).set_index("quarter")
    now = rows.loc[quarter]
    return Base(before, int(now["accounts"]), int(rows.loc[before, "accounts"]), int(now["joined"]), int(now["lost"]))


def catalogue(book: Book, quarter: str) -> Catalogue | None:
    """Count the products on sale now and a quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    return Catalogue(before, *(penetration.products_on_sale(book, each) for each in (quarter, before)))


def carriers(book: Book, quarter: str) -> Carriers | None:
    """Split the change by the first attribute that the engagement compares."""
    change = same_accounts(book, quarter)
    if change is None or not book.engagement.segment_by:
        return None
    by = book.engagement.segment_by[0]
    return Carriers(by, penetration.by_segment(book, quarter, by, change.against), change)


def products(book: Book, quarter: str) -> Products | None:
    """Compare every product's attach rate with the quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    return Products(penetration.by_product(book, quarter, before), book.engagement.minimum_cell)


def tenure(book: Book, quarter: str) -> pd.DataFrame:
    """Measure the degree by how long customers have been with us."""
    return pitfalls.by_tenure(book, quarter)


def lapsing(book: Book, quarter: str) -> Any:
    """Count the holdings past their usual interval."""
    return penetration.lapsing(book, quarter)


def logging(book: Book, quarter: str) -> Any:
    """Say how many holdings have a recorded opportunity."""
    found = penetration.index(book, quarter)
    return found if found is not None and found.logging_coverage is not None else None


def states(book: Book, quarter: str) -> pd.DataFrame | None:
    """Count what became of the slots that are not held, where anything is recorded of them."""
    found = penetration.states(book, quarter)
    told = book.has("opportunities") or book.has("blocked")
    return found if told else None


def step(book: Book, quarter: str) -> Step:
    """Find the step of the curve over k at which the largest share of accounts stops."""
    shares = [1.0, *penetration.curve(book, quarter)["share"].astype(float), 0.0]
    k = max(range(len(shares) - 1), key=lambda each: shares[each] - shares[each + 1])
    return Step(k, shares[k], shares[k + 1])


ASKED: Mapping[str, Callable[[Book, str], Any]] = MappingProxyType(
    {
        each.__name__: each
        for each in (same_accounts, base, catalogue, carriers, products, lapsing, logging, states, step, tenure)
    }
)


def ask(book: Book, quarter: str, name: str) -> Any:
    """Ask one question of the data by its name; None where they cannot answer it."""
    if name not in ASKED:
        raise DataError(f"No question is called {name!r}.", near(name, ASKED))
    return ASKED[name](book, quarter)
