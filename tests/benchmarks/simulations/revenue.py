"""Intervals of net revenue retention and growth, where few large accounts decide.

World: revenue before is lognormal (sigma 1, 1.5 or 2); an account leaves with about 15 %, large ones less often
where size matters; who stays changes by a lognormal factor (sigma 0.4), and one in seven also expands by an
exponential share of mean 0.6. The truth is that of the world, not of the sample: it is computed from four million
accounts drawn in proportion to their revenue.

Growth is net retention less 1: its interval covers when that of net retention does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtrit

from kpilib.measures import ratios

Array = np.ndarray[Any, Any]
SIGMAS, SIZE_MATTERS = (1.0, 1.5, 2.0), (0.0, 0.4)
ACCOUNTS, FEW = (200, 1000, 5000), (30, 60)
LARGEST_BLOCK = 2_000_000  # accounts simulated at a time
RESAMPLES, BOOTSTRAPPED = 399, 200  # bootstraps are slow: fewer worlds, reported only
LEVEL = 0.95


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Measure how often each interval holds the truth; the kit's promise is 93 to 97 % from 200 accounts on."""
    pick = np.random.default_rng(seed)
    rows = []
    for sigma in SIGMAS:
        for matters in SIZE_MATTERS:
            truth = _truth(sigma, matters)
            what = f"sigma {sigma:g}" + (", large ones leave less often" if matters else "")
            for accounts in (*FEW, *ACCOUNTS):
                rows += _measured(what, accounts, truth, repetitions, pick, sigma, matters)
    return pd.DataFrame(rows)


def _measured(
    what: str, accounts: int, truth: float, repetitions: int, pick: np.random.Generator, sigma: float, matters: float
) -> Iterator[dict[str, Any]]:
    hits: dict[str, list[Array]] = {name: [] for name in METHODS}
    resampled: dict[str, list[bool]] = {}
    done = 0
    while done < repetitions:
        worlds = min(repetitions - done, max(1, LARGEST_BLOCK // accounts))
        before, after = _world(pick, worlds, accounts, sigma, matters)
        for name, method in METHODS.items():
            low, high = method(before, after)
            hits[name].append((low <= truth) & (truth <= high))
        if accounts in ACCOUNTS[:2]:
            for each in range(max(0, min(worlds, BOOTSTRAPPED - done))):
                for name, (low, high) in _bootstraps(pick, before[each], after[each]).items():
                    resampled.setdefault(name, []).append(bool(low <= truth <= high))
        done += worlds
    for name, found in hits.items():
        promised = name == OURS and accounts in ACCOUNTS
        told = {"low": 0.93, "high": 0.97} if promised else {"low": None, "high": None}
        yield {"what": f"{name}; {what}", "accounts": accounts, "measured": np.concatenate(found).mean(), **told}
    for name, held in resampled.items():
        yield {"what": f"{name}; {what}", "accounts": accounts, "measured": np.mean(held), "low": None, "high": None}


def _world(pick: np.random.Generator, worlds: int, accounts: int, sigma: float, matters: float) -> tuple[Array, Array]:
    size = pick.standard_normal((worlds, accounts))
    before = np.exp(sigma * size)
    left = pick.random(size.shape) < _leaves(size, matters)
    change = np.exp(0.4 * pick.standard_normal(size.shape) - 0.08)
    change *= 1 + (pick.random(size.shape) < 0.15) * pick.exponential(0.6, size.shape)
    return before, np.where(left, 0, before * change)


def _leaves(size: Array, matters: float) -> Array:
    return 1 / (1 + np.exp(1.7 + matters * size))


def _truth(sigma: float, matters: float) -> float:
    """Retention over accounts drawn in proportion to their revenue: lognormal again, shifted by sigma."""
    size = np.random.default_rng(0).standard_normal(4_000_000) + sigma
    return float((1 - _leaves(size, matters).mean()) * (1 + 0.15 * 0.6))


def _parts(before: Array, after: Array) -> tuple[Array, dict[str, Array]]:
    total = before.sum(1, keepdims=True)
    value, weight = after.sum(1, keepdims=True) / total, before / total
    u = after / total - value * weight
    sums = {f"u{k}": (u**k).sum(1) for k in (2, 3, 4)} | {"left_out": ((u / (1 - weight)) ** 2).sum(1)}
    return value[:, 0], sums


def ours(before: Array, after: Array) -> tuple[Array, Array]:
    """The kit's interval."""
    value, sums = _parts(before, after)
    low, high = ratios.limits(value, sums["u2"], sums["u3"], sums["u4"], sums["left_out"], LEVEL)
    return np.maximum(low, 0), high


def linearised(before: Array, after: Array) -> tuple[Array, Array]:
    """The usual interval of a ratio."""
    value, sums = _parts(before, after)
    n = before.shape[1]
    reach = stdtrit(n - 1, (1 + LEVEL) / 2) * np.sqrt(sums["u2"] * n / (n - 1))
    return value - reach, value + reach


def jackknife(before: Array, after: Array) -> tuple[Array, Array]:
    """Each account left out in turn, and t with as many degrees of freedom as accounts less one."""
    value, sums = _parts(before, after)
    reach = stdtrit(before.shape[1] - 1, (1 + LEVEL) / 2) * np.sqrt(sums["left_out"])
    return value - reach, value + reach


def on_logs(before: Array, after: Array) -> tuple[Array, Array]:
    """Linearised on the logarithm of the ratio."""
    value, sums = _parts(before, after)
    factor = np.exp(ndtri((1 + LEVEL) / 2) * np.sqrt(sums["u2"]) / value)
    return value / factor, value * factor


OURS = "jackknife error, few degrees of freedom, skewness (the kit's)"
METHODS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    OURS: ours,
    "linearised, t": linearised,
    "jackknife, t": jackknife,
    "linearised, logs": on_logs,
}


def _bootstraps(pick: np.random.Generator, before: Array, after: Array) -> dict[str, tuple[float, float]]:
    """Bootstrap-t and BCa of one world."""
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    value = after.sum() / before.sum()
    error = np.sqrt(((after - value * before) ** 2).sum()) / before.sum()
    drawn = pick.integers(0, len(before), (RESAMPLES, len(before)))
    b, a = before[drawn], after[drawn]
    values = a.sum(1) / b.sum(1)
    errors = np.sqrt(((a - values[:, None] * b) ** 2).sum(1)) / b.sum(1)
    t_low, t_high = np.quantile((values - value) / np.maximum(errors, 1e-12), tails)
    without = (after.sum() - after) / (before.sum() - before)
    pull = without.mean() - without
    bend = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    bias = ndtri(np.clip((values < value).mean(), 1e-3, 1 - 1e-3))
    shifted = [ndtr(bias + (bias + z) / (1 - bend * (bias + z))) for z in ndtri(tails)]
    low, high = np.quantile(values, shifted)
    return {"bootstrap-t": (value - t_high * error, value - t_low * error), "BCa bootstrap": (low, high)}
