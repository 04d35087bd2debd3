"""The chance that an open slot is filled within the next quarter: one logistic model for all products.

Fitted on the client's own earlier quarters: which slots open at the end of one were filled by the end of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpilib.whitespace import likeness
from kpilib.whitespace.likeness import Array, Counts

FOLDS = 5
RIDGE = 0.03  # per slot filled: signs of products, alike among few products, must not outweigh each other
STRENGTHS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Window:
    """What is learned from: slots open at the end of a quarter, and which were filled a quarter later.

    All bool, accounts by products: ``held``, ``possible``, ``open`` (could be filled, and is not blocked), ``bought``
    (of those, filled by the end of the next quarter), ``before`` (held in the quarters before; None where not known).
    ``fold`` is each account's, from 0 to 4, the same in every window.
    """

    held: Array
    possible: Array
    open: Array
    bought: Array
    before: Array | None
    fold: Array


@dataclass(frozen=True)
class Model:
    """A fitted model: how much each sign weighs, and what it rests on.

    ``rate`` (0 to 1) is each product's share of open slots filled in a quarter, drawn towards that of all; ``lead`` as
    :func:`kpilib.whitespace.likeness.leads`; ``known`` tells the products that somebody could hold in those quarters:
    of the others nothing can be learned. ``strength`` of EASE is 0 where it has no part.
    """

    signs: tuple[str, ...]
    weights: Array
    constant: float
    rate: Array
    lead: Array
    known: Array
    strength: float
    slots: int
    filled: int


def fit(windows: Sequence[Window]) -> Model | None:
    """Fit the model; None where nothing was filled, or all was: there is nothing to learn.

    The signs of each account come from counts without its fifth of the accounts, so that none is learned from itself.
    """
    opened, filled = _sums(windows)
    if not 0 < filled.sum() < opened.sum():
        return None
    strength = _strength(windows[-1]) if opened.shape[1] >= likeness.LARGE else 0.0
    after = _after(windows)
    seen = [_seen(window, opened, filled, after, strength) for window in windows]
    signs, bought = np.concatenate([each for each, _ in seen]), np.concatenate([each for _, each in seen])
    weights, constant = _logistic(signs, bought)
    looks_back = windows[0].before is not None
    named = likeness.names(opened.shape[1], looks_back)
    known = np.any([each.possible.any(0) for each in windows], axis=0)
    rate = likeness.rates(opened.sum(0), filled.sum(0))
    lead = likeness.leads(*after.sum(1), rate)
    return Model(named, weights, constant, rate, lead, known, strength, int(opened.sum()), int(filled.sum()))


def chances(model: Model, held: Array, before: Array | None, counts: Counts) -> Array:
    """Give the chance of every slot, as if it were open; NaN for products launched since the quarters learned from.

    Returns
    -------
    float32, accounts by products, from 0 to 1.
    """
    total = np.full(held.shape, model.constant, np.float32)
    for weight, sign in zip(model.weights, _signs(model, held, before, counts), strict=True):
        total += np.float32(weight) * sign
    np.negative(total, out=total)
    np.exp(total, out=total)
    total += 1
    np.reciprocal(total, out=total)
    total[:, ~model.known] = np.nan
    return total


def _signs(model: Model, held: Array, before: Array | None, counts: Counts):
    before = before if "had" in model.signs else None
    return likeness.signs(held, before, counts, model.rate, model.lead, model.strength)


def _sums(windows: Sequence[Window]) -> tuple[Array, Array]:
    """Count slots open and filled: folds by products, over all windows."""
    opened, filled = (
        sum(np.stack([getattr(each, what)[each.fold == fold].sum(0) for fold in range(FOLDS)]) for each in windows)
        for what in ("open", "bought")
    )
    return opened, filled


def _after(windows: Sequence[Window]) -> Array:
    """Count slots open, and filled, at holders of each product: 2 by folds by products by products."""
    size = windows[0].held.shape[1]
    total = np.zeros((2, FOLDS, size, size))
    for each in windows:
        for fold in range(FOLDS):
            mine = each.fold == fold
            has = each.held[mine].astype(np.float32).T
            total[0, fold] += has @ each.open[mine].astype(np.float32)
            total[1, fold] += has @ each.bought[mine].astype(np.float32)
    return total


def _seen(window: Window, opened: Array, filled: Array, after: Array, strength: float) -> tuple[Array, Array]:
    """Give the signs of every open slot of a window, from the other folds, and whether it was filled."""
    everyone = likeness.counted(window.held, window.possible)
    parts = []
    for fold in range(FOLDS):
        mine = window.fold == fold
        held, before = window.held[mine], None if window.before is None else window.before[mine]
        others = everyone.less(likeness.counted(held, window.possible[mine]))
        rate = likeness.rates(opened.sum(0) - opened[fold], filled.sum(0) - filled[fold])
        lead = likeness.leads(*(after.sum(1) - after[:, fold]), rate)
        at = window.open[mine]
        signs = likeness.signs(held, before, others, rate, lead, strength)
        columns = [np.broadcast_to(sign, held.shape)[at] for sign in signs]
        parts.append((np.stack(columns, 1), window.bought[mine][at]))
    return np.concatenate([each for each, _ in parts]), np.concatenate([each for _, each in parts])


def _logistic(signs: Array, bought: Array) -> tuple[Array, float]:
    from sklearn.linear_model import LogisticRegression

    middle, spread = signs.mean(0, dtype=np.float64), signs.std(0, dtype=np.float64)
    spread[spread < 1e-6] = np.inf  # a sign that never differs says nothing
    scaled = (signs - middle) / spread
    fitted = LogisticRegression(C=1 / (RIDGE * bought.sum()), solver="newton-cholesky", max_iter=100).fit(
        scaled, bought
    )
    weights = fitted.coef_[0] / spread
    return weights, float(fitted.intercept_[0] - weights @ middle)


def _strength(window: Window) -> float:
    """Choose the strength of EASE that by itself ranks best what was bought in the last quarter learned from.

    Every account is in the counts, as it will be when open slots are ranked.
    """
    counts, held = likeness.counted(window.held, window.possible), window.held.astype(np.float32)
    scores = (held @ likeness.ease(counts, strength).astype(np.float32) for strength in STRENGTHS)
    found = [np.nansum(precision(each, window.open, window.bought)) for each in scores]
    return STRENGTHS[int(np.argmax(found))]


def precision(scores: Array, opened: Array, bought: Array) -> Array:
    """Average precision of each account's ranking; NaN where it bought nothing.

    Example
    -------
    >>> precision(np.array([[3.0, 2, 1]]), np.ones((1, 3), bool), np.array([[True, False, True]])).round(3).tolist()
    [0.833]
    """
    hits = in_order(scores, opened, bought)
    places = np.arange(1, hits.shape[1] + 1)
    number = hits.sum(1)
    summed = (np.cumsum(hits, 1) / places * hits).sum(1)
    return np.divide(summed, number, out=np.full(len(hits), np.nan), where=number > 0)


def in_order(scores: Array, opened: Array, bought: Array) -> Array:
    """Tell of each account's open slots, best first, whether they were filled; ties as the columns stand."""
    order = np.argsort(np.where(opened, -scores, np.inf), axis=1, kind="stable")
    return np.take_along_axis(bought, order, 1)
