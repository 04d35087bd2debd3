"""Coverage of the forecasts' 95 % intervals, one quarter ahead, in worlds whose next quarter is known.

Flow world: accounts with 4, 6, 8 or 12 possible products gain open ones and lose held ones at rates of their own, all
of which a good or bad quarter raises or lowers together; 3 % of the accounts leave each quarter, and others with less
take their place. The degree starts where it would settle. Drift worlds: a figure with no accounts to follow. Revenue
world: accounts with lognormal revenue (standard deviation 1.5 of the logarithm: heavy tails) that moves from quarter
to quarter, 3 % leaving.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kpilib import forecast

SIZES = (200, 1000, 5000)
POINTS = (8, 12)
CELLS = 4_000_000  # accounts × repetitions held in memory at once
POSSIBLE, OFTEN = (4, 6, 8, 12), (0.35, 0.35, 0.2, 0.1)
PROMISED = (0.93, 0.97)

Generator = np.random.Generator


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Measure how often the interval held what came."""
    rng = np.random.default_rng(seed)
    rows = [row for accounts in SIZES for row in _flow_world(rng, accounts, repetitions)]
    rows += _drift_worlds(rng, repetitions)
    rows += [row for accounts in SIZES for row in _revenue_world(rng, accounts, repetitions)]
    return pd.DataFrame(rows, columns=["what", "accounts", "measured", "low", "high"])


def _held(found: forecast.Ahead, came: Any) -> float:
    return float(np.mean(np.abs(came - found.value) <= found.reach))


def _chunks(accounts: int, repetitions: int) -> Iterator[int]:
    step = max(1, CELLS // accounts)
    yield from (min(step, repetitions - begun) for begun in range(0, repetitions, step))


def _flow_world(rng: Generator, accounts: int, repetitions: int) -> list[tuple[Any, ...]]:
    made = [_flows(rng, accounts, size, max(POINTS) + 2) for size in _chunks(accounts, repetitions)]
    rows = []
    for measure in ("pooled", "mean"):
        level, gain, loss, turnover = (np.concatenate([each[measure][n] for each in made]) for n in range(4))
        for points in POINTS:
            first, last = max(POINTS) - points, max(POINTS)
            past = [each[:, first : last - 1] for each in (gain, loss, turnover)]
            for horizon in (1, 2):
                found = forecast.flow(level[:, last - 1], *past, horizon)
                held = _held(found, level[:, last - 1 + horizon])
                low, high = PROMISED if horizon == 1 else (None, None)
                rows.append((f"{measure}, flow, {points} quarters, {horizon} ahead", accounts, held, low, high))
            held = _held(forecast.drift(level[:, first:last]), level[:, last])
            rows.append((f"{measure}, drift, {points} quarters, 1 ahead", accounts, held, None, None))
    return rows


def _flows(rng: Generator, accounts: int, size: int, quarters: int) -> dict[str, tuple[Any, ...]]:
    """Draw histories: level by quarter, and gain, loss and turnover between quarters, for both weights."""
    shape = (size, accounts)
    possible = rng.choice(POSSIBLE, shape, p=OFTEN)
    eager, fickle = rng.gamma(4, 0.25, shape), rng.gamma(8, 0.125, shape)
    gain, loss = np.minimum(0.06 * eager, 0.5), np.minimum(0.09 * fickle, 0.5)
    held = rng.binomial(possible, gain / (gain + loss))
    seen: dict[str, list[list[Any]]] = {"pooled": [], "mean": []}
    weights = {"pooled": np.ones(shape), "mean": 1 / possible}
    start = {name: _share(held, possible, weight) for name, weight in weights.items()}
    for _ in range(quarters - 1):
        luck = np.exp(rng.normal(0, 0.2, (2, size, 1)))
        stays = rng.random(shape) >= 0.03
        gained = rng.binomial(possible - held, np.minimum(gain * luck[0], 1)) * stays
        lost = rng.binomial(held, np.minimum(loss * luck[1], 1)) * stays
        new = rng.binomial(possible, 0.2)
        after = np.where(stays, held + gained - lost, new)
        for name, weight in weights.items():
            base = possible * weight
            kept, open_ = ((each * weight * stays).sum(1) for each in (held, possible - held))
            g, left = (gained * weight).sum(1) / open_, (lost * weight).sum(1) / kept
            before, later = _share(held, possible, weight), _share(after, possible, weight)
            same = kept / (base * stays).sum(1)
            settled = _share((held + gained - lost) * stays, possible * stays, weight)
            seen[name].append([later, g, left, (same - before) + (later - settled)])
        held = after
    return {name: _stacked(start[name], steps) for name, steps in seen.items()}


def _share(held: Any, possible: Any, weight: Any) -> Any:
    return (held * weight).sum(1) / (possible * weight).sum(1)


def _stacked(start: Any, steps: list[list[Any]]) -> tuple[Any, ...]:
    level, *rates = (np.stack([step[n] for step in steps], axis=1) for n in range(4))
    return np.concatenate([start[:, None], level], axis=1), *rates


def _drift_worlds(rng: Generator, repetitions: int) -> list[tuple[str, int, float, None, None]]:
    """Follow a degree that wanders, one pulled back to its level, and one that trends with noise around it."""
    rows = []
    for points in POINTS:
        noise = rng.normal(0, 0.01, (2, repetitions, points + 1))
        pulled = np.zeros((repetitions, points + 1))
        for now in range(1, points + 1):
            pulled[:, now] = 0.6 * pulled[:, now - 1] + noise[0, :, now]
        worlds = {
            "wandering": noise[0].cumsum(1),
            "pulled back": pulled,
            "trend with noise": 0.005 * np.arange(points + 1) + noise[1],
            "wandering, heavy tails": 0.01 * rng.standard_t(3, (repetitions, points + 1)).cumsum(1),
        }
        for name, series in worlds.items():
            held = _held(forecast.drift(series[:, :-1]), series[:, -1])
            rows.append((f"drift, {name}, {points} quarters", 0, held, None, None))
    return rows


def _revenue_world(rng: Generator, accounts: int, repetitions: int) -> list[tuple[Any, ...]]:
    made = [_sold(rng, accounts, size, max(POINTS)) for size in _chunks(accounts, repetitions)]
    sold, brought = (np.concatenate([each[n] for each in made]) for n in range(2))
    rows = []
    for points in POINTS:
        levels, came = sold[:, -points - 1 : -1], brought[:, -points:]
        now, ratios, next_ = levels[:, -1], came[:, :-1] / levels[:, :-1], came[:, -1]
        by_log = forecast.kept(now, ratios)
        inside = np.abs(np.log(next_ / by_log.value)) <= by_log.reach
        ways = {
            "mean of logarithms": inside.mean(),
            "mean of ratios": _held(_level(now, ratios), next_),
            "drift of the sum": _held(forecast.drift(levels), next_),
        }
        rows += [(f"revenue, {way}, {points} quarters", accounts, held, None, None) for way, held in ways.items()]
    return rows


def _level(now: Any, ratios: Any) -> forecast.Ahead:
    """Forecast by the mean ratio itself: what the logarithm is compared with."""
    steps = forecast.drift(np.concatenate([np.zeros_like(ratios[:, :1]), ratios.cumsum(1)], axis=1))
    return forecast.Ahead(now * (steps.value - ratios.sum(1)), now * steps.reach)


def _sold(rng: Generator, accounts: int, size: int, points: int) -> tuple[Any, Any]:
    """Draw revenue by quarter, and what the accounts of one quarter brought in the next."""
    shape = (size, accounts)
    usual = rng.normal(0, 1.5, shape)
    now = np.exp(usual + rng.normal(0, 0.6, shape))
    sold, brought = [now.sum(1)], []
    for _ in range(points):
        leaves = rng.random(shape) < 0.03
        market = rng.normal(0.01, 0.03, (size, 1))
        usual = np.where(leaves, rng.normal(0, 1.5, shape), usual + market)
        now = np.exp(usual + rng.normal(0, 0.6, shape))
        brought.append(np.where(leaves, 0, now).sum(1))
        sold.append(now.sum(1))
    return np.stack(sold, axis=1), np.stack(brought, axis=1)
