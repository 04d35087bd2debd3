"""Latent classes: kinds of accounts that explain which products are held together, by EM on patterns.

A pattern is what was seen of some accounts alike: 1 held, 0 not held, missing where it could not be
held. Within a class products are held independently; classes have a share each, and every product
its own rate in every class. Model and estimation: Goodman 1974, Biometrika 61(2); Agresti 2002,
Categorical Data Analysis, section 13.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

Array = np.ndarray[Any, Any]

STARTS = 20
STABLE = 0.8  # bootstrap agreement from which classes are shown
RESAMPLES = 20
MOST_CLASSES = 8
CONVERGED = 1e-8
ROUGHLY = 1e-6  # an account: enough to compare numbers of classes and to sort accounts
MOST_STEPS = 5000
PATIENCE = 200  # steps as large as the last: where even these do not help, a number of classes has lost
EDGE = 1e-12  # rates stay this far from 0 and 1: the log-likelihood is then right to 1e-9 an account
RACE = ((8, 8), (25, 3))  # steps, and how many starts run on after them


@dataclass(frozen=True)
class Patterns:
    """Distinct patterns: ``held`` and ``seen`` (patterns × products, 0 or 1) and how many accounts have each."""

    held: Array
    seen: Array
    accounts: Array

    @property
    def n(self) -> int:
        """The accounts."""
        return int(self.accounts.sum())

    def counting(self, accounts: Array) -> Patterns:
        """Return the same patterns with other accounts; those that nobody has are left out."""
        has = accounts > 0
        return Patterns(self.held[has], self.seen[has], accounts[has])


@dataclass(frozen=True)
class Model:
    """Classes from the least holding to the most: ``shares`` (of accounts), ``rates`` (classes × products, 0 to 1).

    ``log_likelihood`` is natural, of all accounts; ``n`` is their number.
    """

    shares: Array
    rates: Array
    log_likelihood: float
    n: int

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.shares)

    @property
    def bic(self) -> float:
        """Schwarz's criterion: lower is better."""
        return -2 * self.log_likelihood + _penalty(*self.rates.shape, self.n)


@dataclass(frozen=True)
class Choice:
    """How the number of classes was chosen.

    ``model`` is None where no number of classes is stable; ``bic`` lists Schwarz's criterion for 1, 2, ...
    classes (a little too high where a number has clearly lost: it was not fitted to the end), ``by_bic`` the number it
    prefers, ``agreement`` the mean adjusted Rand index over resamples for each number that was tried.
    """

    model: Model | None
    bic: tuple[float, ...]
    by_bic: int
    agreement: dict[int, float]


def fit(
    patterns: Patterns,
    classes: int,
    starts: int = STARTS,
    seed: int = 1,
    converged: float = CONVERGED,
    needed: float = -np.inf,
) -> Model:
    """Fit so many classes by maximum likelihood: the best of several random starts.

    All starts take a few steps, the best run on, and the best few converge (the log-likelihood gains no more than
    ``converged`` a step, twice in a row), or stop where they will not come near the likelihood that is ``needed``.

    Example
    -------
    >>> two = Patterns(np.array([[0, 0], [1, 1]]), np.ones((2, 2)), np.array([30, 10]))
    >>> found = fit(two, 2)
    >>> found.shares.round(6).tolist(), found.rates.round(6).tolist()
    ([0.75, 0.25], [[0.0, 0.0], [1.0, 1.0]])
    """
    data = _Data(patterns)
    with _threads().limit(limits=1):  # the products of matrices are small: more threads wait for each other
        shares, rates = _race(data, *_random_starts(data, classes, starts if classes > 1 else 1, seed))
        ends = [_converged(data, shares[[one]], rates[[one]], converged, needed) for one in range(len(shares))]
    shares, rates, likelihood = max(ends, key=lambda end: end[2])
    order = np.argsort((rates[0] * data.weight_of_products).sum(axis=1), kind="stable")
    return Model(shares[0][order], rates[0][order], likelihood, patterns.n)


def assign(model: Model, patterns: Patterns) -> Array:
    """Give each pattern its most probable class, from 0; the first of equals, -1 where nothing was seen."""
    chance = _joint(model.shares[None], model.rates[None], patterns.held, patterns.seen)[0]
    return np.where(patterns.seen.any(axis=1), chance.argmax(axis=0), -1)


def certainty(model: Model, patterns: Patterns) -> float:
    """Average, over accounts, how probable the class is that each was given (0 to 1)."""
    joint = _joint(model.shares[None], model.rates[None], patterns.held, patterns.seen)[0]
    chance = 1 / np.exp(joint - joint.max(axis=0)).sum(axis=0)
    return float((chance * patterns.accounts).sum() / patterns.accounts.sum())


def choose(patterns: Patterns, most: int = MOST_CLASSES, seed: int = 1) -> Choice:
    """Choose how many classes: by BIC, if resampled accounts give them again; else the most that are.

    Each resample draws as many accounts with replacement, fits anew, and both models sort the same
    accounts; they agree by the adjusted Rand index (Hubert and Arabie 1985), 0.8 at least on
    average. One class is no division: then there is no model.
    """
    bic = _criteria(patterns, most, seed)
    by_bic = int(np.argmin(bic)) + 1
    agreement: dict[int, float] = {}
    for classes in range(by_bic, 1, -1):
        model = fit(patterns, classes, seed=seed)
        agreement[classes] = stability(patterns, model, seed)
        if agreement[classes] >= STABLE:
            return Choice(model, bic, by_bic, agreement)
    return Choice(None, bic, by_bic, agreement)


def stability(patterns: Patterns, model: Model, seed: int = 1) -> float:
    """Average agreement (adjusted Rand index) of a model with those fitted to resampled accounts.

    It stops early once the mean can no longer reach what is asked for; the mean so far is then returned, or the
    limit itself, whichever is lower.
    """
    random = np.random.default_rng(seed)
    shares, own, found = patterns.accounts / patterns.n, assign(model, patterns), []
    for number in range(RESAMPLES):
        drawn = patterns.counting(random.multinomial(patterns.n, shares))
        other = fit(drawn, model.classes, seed=seed + number, converged=ROUGHLY * patterns.n)
        found.append(adjusted_rand(own, assign(other, patterns), patterns.accounts))
        if sum(found) + RESAMPLES - len(found) < STABLE * RESAMPLES:
            break
    mean = float(np.mean(found))
    return mean if len(found) == RESAMPLES else min(mean, np.nextafter(STABLE, 0))


def adjusted_rand(one: Array, other: Array, accounts: Array) -> float:
    """Measure how far two divisions of the same accounts agree: 1 the same, 0 as by chance.

    Example
    -------
    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), np.ones(4))  # doctest: +ELLIPSIS
    0.571...
    """
    table = np.zeros((one.max() + 2, other.max() + 2))
    np.add.at(table, (one + 1, other + 1), accounts)
    together = _pairs(table).sum()
    rows, columns, everything = _pairs(table.sum(axis=1)).sum(), _pairs(table.sum(axis=0)).sum(), _pairs(table.sum())
    by_chance = rows * columns / everything if everything else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == by_chance else float((together - by_chance) / (most - by_chance))


def _criteria(patterns: Patterns, most: int, seed: int) -> tuple[float, ...]:
    """Fit 1, 2, ... classes for their BIC, each no further than it takes to see whether it wins."""
    found: list[float] = []
    for classes in range(1, most + 1):
        penalty = _penalty(classes, patterns.held.shape[1], patterns.n)
        needed = (penalty - min(found)) / 2 if found else -np.inf
        found.append(fit(patterns, classes, seed=seed, converged=ROUGHLY * patterns.n, needed=needed).bic)
    return tuple(found)


def _penalty(classes: int, products: int, n: int) -> float:
    return float((classes - 1 + classes * products) * np.log(n))


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _race(data: _Data, shares: Array, rates: Array) -> tuple[Array, Array]:
    """Let all starts step for a while, and go on with the best."""
    for steps, kept in RACE:
        for _ in range(steps):
            shares, rates, likelihood = data.step(shares, rates)
        best = np.argsort(-likelihood, kind="stable")[:kept]
        shares, rates = shares[best], rates[best]
    return shares, rates


def _pairs(accounts: Any) -> Any:
    return accounts * (accounts - 1) / 2


class _Data:
    """Patterns in the shape EM wants them; all starts step at once, as columns of one product of matrices."""

    def __init__(self, patterns: Patterns) -> None:
        self.held = (patterns.held * patterns.seen).astype(float)
        self.seen = patterns.seen.astype(float)
        self.accounts = patterns.accounts.astype(float)
        self.whole = bool(patterns.seen.all())
        self.n = float(self.accounts.sum())
        self.weight_of_products = self.accounts @ self.seen

    def step(self, shares: Array, rates: Array) -> tuple[Array, Array, Array]:
        """Take one step of EM from each start; also the log-likelihood of where each stood."""
        joint = _joint(shares, rates, self.held, None if self.whole else self.seen)
        top = joint.max(axis=1, keepdims=True)
        joint -= top
        np.exp(joint, out=joint)
        total = joint.sum(axis=1, keepdims=True)
        likelihood = (np.log(total) + top)[:, 0] @ self.accounts
        joint *= self.accounts / total
        return *self._best_for(joint, rates), likelihood

    def _best_for(self, weight: Array, rates: Array) -> tuple[Array, Array]:
        """Find shares and rates of greatest likelihood, given how much of each account is in each class."""
        starts, classes, products = rates.shape
        members = weight.sum(axis=2)
        flat = weight.reshape(starts * classes, -1)
        have = (flat @ self.held).reshape(starts, classes, products)
        could = members[:, :, None] if self.whole else (flat @ self.seen).reshape(starts, classes, products)
        found = np.where(could > EDGE, have / np.maximum(could, EDGE), rates)
        return np.maximum(members / self.n, EDGE), np.clip(found, EDGE, 1 - EDGE)


def _joint(shares: Array, rates: Array, held: Array, seen: Array | None) -> Array:
    """Log-probability of each class and pattern: starts × classes × patterns; all seen where ``seen`` is None."""
    starts, classes, products = rates.shape
    has, lacks = np.log(rates).reshape(-1, products), np.log1p(-rates).reshape(-1, products)
    ground = lacks.sum(axis=1)[:, None] if seen is None else lacks @ seen.T
    joint = (has - lacks) @ (held if seen is None else held * seen).T
    joint += ground + np.log(shares).reshape(-1, 1)
    return joint.reshape(starts, classes, len(held))


def _random_starts(data: _Data, classes: int, starts: int, seed: int) -> tuple[Array, Array]:
    """Begin at the overall rates, moved at random: apart enough to divide, near enough to be plausible."""
    random = np.random.default_rng([seed, classes])
    overall = (data.accounts @ data.held + 0.5) / (data.weight_of_products + 1)
    shift = random.normal(0, 1.5, (starts, classes, len(overall)))
    rates = 1 / (1 + np.exp(-(np.log(overall / (1 - overall)) + shift)))
    return np.full((starts, classes), 1 / classes), np.clip(rates, 0.02, 0.98)


def _converged(data: _Data, shares: Array, rates: Array, converged: float, needed: float) -> tuple[Array, Array, float]:
    """Step until the likelihood no longer rises; leaps along the path are kept only where it rises by them.

    The leaps are those of Varadhan and Roland 2008, Scandinavian Journal of Statistics 35(2) (scheme S3).
    """
    last, still = -np.inf, 0
    for _ in range(MOST_STEPS):
        *one, _begun = data.step(shares, rates)
        *two, after = data.step(*one)
        *leap, leapt = _leap(data, (shares, rates), one, two)
        shares, rates = leap if leapt >= after[0] else two
        reached = max(leapt, float(after[0]), last)
        gained, last = reached - last, reached
        still = still + 1 if gained <= converged else 0
        if still >= 2 or last + PATIENCE * gained < needed:
            break
    *_, likelihood = data.step(shares, rates)
    return shares, rates, float(likelihood[0])


def _leap(data: _Data, start: Any, one: Any, two: Any) -> tuple[Array, Array, float]:
    """Leap where three points of the path lead, and take one step there; the likelihood is of the landing."""
    at = [_logits(*each) for each in (start, one, two)]
    first, bend = at[1] - at[0], at[2] - 2 * at[1] + at[0]
    size = float(np.sqrt((bend**2).sum()))
    length = max(float(np.sqrt((first**2).sum())) / size, 1.0) if size > 0 else 1.0
    landed = _from_logits(at[0] + 2 * length * first + length**2 * bend, rates_shape=start[1].shape)
    *stepped, likelihood = data.step(*landed)
    return *stepped, float(likelihood[0])


def _logits(shares: Array, rates: Array) -> Array:
    return np.concatenate([np.log(shares).ravel(), (np.log(rates) - np.log1p(-rates)).ravel()])


def _from_logits(values: Array, rates_shape: tuple[int, ...]) -> tuple[Array, Array]:
    starts, classes, _ = rates_shape
    shares = np.exp(values[: starts * classes] - values[: starts * classes].max())
    with np.errstate(over="ignore"):
        rates = 1 / (1 + np.exp(-values[starts * classes :]))
    shares = np.maximum(shares / shares.sum(), EDGE).reshape(starts, classes)
    return shares, np.clip(rates, EDGE, 1 - EDGE).reshape(rates_shape)
