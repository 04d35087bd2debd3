"""What accounts that hold the same products hold beside: the signs by which an unheld slot is ranked.

All follows from counts of accounts by product and by pair of products, so a ranking of a million accounts needs no
second look at them. Arrays are accounts by products; a product's place in the catalogue is its column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SHRINK = 10  # accounts that a confidence is drawn towards the overall share by
LEAD_SHRINK = 100  # slots that holders' rate is drawn towards everybody's by
CLEAR = 6  # standard deviations from which on a lead is no accident of many pairs
RATE_SHRINK = 20  # slots that a product's rate is drawn towards the rate of all by
LARGE = 50  # products from which on EASE and cosine add to the ranking
EDGE = 1e-4


@dataclass(frozen=True)
class Counts:
    """Accounts by product and by pair of products, at one quarter.

    ``accounts`` in all; ``possible`` and ``held`` by product; ``both[a, c]`` hold a and c, ``could[a, c]`` hold a and
    could hold c.
    """

    accounts: int
    possible: Array
    held: Array
    both: Array
    could: Array

    def plus(self, other: Counts) -> Counts:
        """Count other accounts too."""
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def less(self, other: Counts) -> Counts:
        """Leave other accounts out."""
        return Counts(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(self)))

    @property
    def share(self) -> Array:
        """Share of the accounts that could hold a product that do; 0 where none could."""
        return np.divide(self.held, self.possible, out=np.zeros(len(self.held)), where=self.possible > 0)

    @property
    def confidence(self) -> Array:
        """Share that hold the column's product among holders of the row's, shrunk; 0 on the diagonal."""
        shrunk = (self.both + SHRINK * self.share) / (self.could + SHRINK)
        np.fill_diagonal(shrunk, 0.0)
        return shrunk


def counted(held: Array, possible: Array) -> Counts:
    """Count accounts from what they hold and could hold (bool, accounts by products).

    Example
    -------
    >>> found = counted(np.array([[True, True], [True, False]]), np.ones((2, 2), bool))
    >>> found.held.tolist(), found.both.tolist()
    ([2.0, 1.0], [[2.0, 1.0], [1.0, 1.0]])
    """
    has = held.astype(np.float32)
    both = (has.T @ has).astype(np.float64)
    each = np.diag(both).copy()
    everywhere = possible.all(0)  # open to everyone: nothing to multiply
    could = np.repeat(each[:, None], held.shape[1], 1)
    if not everywhere.all():
        could[:, ~everywhere] = has.T @ possible[:, ~everywhere].astype(np.float32)
    return Counts(len(held), possible.sum(0, dtype=np.float64), each, both, could)


def rates(opened: Array, filled: Array) -> Array:
    """Share of open slots that were filled, by product, drawn towards that of all products.

    Example
    -------
    >>> rates(np.array([80, 0]), np.array([8, 0])).round(3).tolist()
    [0.1, 0.1]
    """
    overall = filled.sum() / max(opened.sum(), 1)
    return (filled + RATE_SHRINK * overall) / (opened + RATE_SHRINK)


def ease(counts: Counts, strength: float) -> Array:
    """Weights of EASE: what each held product (row) says for each other (column), in closed form.

    ``strength`` is the penalty in accounts per account counted (Steck 2019: λ = strength × accounts), so that it means
    the same for a sample and for all.
    """
    size = len(counts.held)
    inverse = np.linalg.inv(counts.both + max(strength * counts.accounts, 1e-6) * np.eye(size))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def cosine(counts: Counts) -> Array:
    """Likeness of products by their holders: both / √(one × other); 0 on the diagonal."""
    norm = np.sqrt(np.maximum(counts.held, 1e-9))
    weights = counts.both / np.outer(norm, norm)
    np.fill_diagonal(weights, 0.0)
    return weights


def names(products: int, looks_back: bool) -> tuple[str, ...]:
    """Name the signs, in the order of :func:`signs`."""
    large = products >= LARGE
    own = (*(() if large else ("rate",)), "share", "breadth", "confidence", "lift", *(() if large else ("leads",)))
    return (*own, *(("had", "gained") if looks_back else ()), *(("ease", "cosine") if large else ()))


def leads(opened: Array, filled: Array, rate: Array) -> Array:
    """How much likelier holders of the row's product bought the column's than others did (logs, shrunk; 0 is alike).

    ``opened`` and ``filled`` count slots of the column's product open, or filled, at holders of the row's.
    """
    shrunk = (filled + LEAD_SHRINK * rate) / (opened + LEAD_SHRINK)
    spread = np.sqrt(np.maximum(opened * rate * (1 - rate), EDGE))
    clear = (filled - opened * rate) / spread >= CLEAR
    told = np.where(clear, np.log(np.maximum(shrunk, EDGE)) - np.log(np.maximum(rate, EDGE)), 0.0)
    np.fill_diagonal(told, 0.0)
    return told


def signs(
    held: Array, before: Array | None, counts: Counts, rate: Array, lead: Array, strength: float
) -> Iterator[Array]:
    """Give one array after the other, accounts by products or one that spreads to that.

    In a large catalogue the share that holds a product stands for its rate: the rates of so many products in one
    quarter carry its season into the next, and rank worse.

    Parameters
    ----------
    held, before
        What accounts hold, and held in the quarters before (bool; None where nothing is known).
    counts
        Of accounts at the same quarter.
    rate
        Share of open slots of each product that are filled in a quarter.
    lead
        As :func:`leads` gives it: that one product is bought after another has a direction, which likeness lacks.
    strength
        Of EASE.
    """
    has = held.astype(np.float32)
    breadth = has.sum(1, keepdims=True)
    share = np.clip(counts.share, EDGE, 1 - EDGE).astype(np.float32)
    large = held.shape[1] >= LARGE
    if not large:
        yield _logit(np.clip(rate, EDGE, 1 - EDGE)).astype(np.float32)[None]
    yield _logit(share)[None]
    yield np.log1p(breadth)
    sure = mean_confidence(has, breadth, counts)
    logs = np.log(sure)
    yield logs - np.log1p(-sure)
    yield logs - np.log(share)
    if not large:
        yield has @ lead.astype(np.float32)
    if before is not None:
        yield (before & ~held).astype(np.float32)
        yield np.log1p((held & ~before).sum(1, keepdims=True, dtype=np.float32))
    if large:
        yield has @ ease(counts, strength).astype(np.float32)
        yield (has @ cosine(counts).astype(np.float32)) / np.maximum(breadth, 1)


def mean_confidence(has: Array, breadth: Array, counts: Counts) -> Array:
    """Average what each held product says for each other; who holds nothing is as everybody."""
    told = has @ counts.confidence.astype(np.float32)
    share = counts.share.astype(np.float32)[None]
    mean = np.divide(told, breadth, out=np.broadcast_to(share, told.shape).copy(), where=breadth > 0)
    return np.clip(mean, EDGE, 1 - EDGE)


def _logit(share: Array) -> Array:
    return np.log(share) - np.log1p(-share)
