"""Difference in differences in worlds whose effect is known: none, or three points.

Accounts have eight slots that stay as they are with probability .85 a quarter and are drawn anew else, with a taste of
their own (beta 1.2, 2.6) and shocks that all share; eight quarters, the programme starts after the fourth. Assigned
account by account (40 %), or by territory (40 %, three at least), territories with shocks of their own (sd 2 points).
The interval is the kit's own (:func:`kpilib.programmes.effect.difference`); every repetition is a new world. Beside it,
how often sides that a lot drew are told to be unlike (:func:`kpilib.programmes.alike.chances`, nine questions at once,
with territories that differ in what they hold, lose and may buy).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.programmes import alike, effect

QUARTERS, SLOTS, STICK, EFFECT, TREATED = 8, 8, 0.85, 0.03, 0.4
SIZES, TERRITORIES, IN_TERRITORIES = (200, 1000, 5000), (6, 10, 20, 40), 1000
SHOCK = 0.02
COVERED, FALSE = (0.93, 0.97), (0.03, 0.07)
UNLIKE = (0.0, 0.07)  # Bonferroni: at most the level, less with few units


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Measure coverage, false positives and the placebo, by accounts and by territories."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in SIZES:
        found = np.array([_once(draw, number, None) for _ in range(repetitions)])
        rows += _told(found, number, "accounts drawn")
    for number in TERRITORIES:
        found = np.array([_once(draw, IN_TERRITORIES, number) for _ in range(repetitions)])
        rows += _told(found, number, "territories drawn")
    return pd.DataFrame(rows, columns=["what", "accounts", "measured", "low", "high"])


def _once(draw: np.random.Generator, number: int, territories: int | None) -> tuple[float, ...]:
    """One world: whether the effect is covered, found where there is none, and so on."""
    degree, treated, unit = world(draw, number, territories)
    change = degree[:, 4:].mean(axis=1) - degree[:, :4].mean(axis=1)
    none = effect.difference(change, treated, unit)
    some = effect.difference(change + EFFECT * treated, treated, unit)
    placebo = effect.difference(degree[:, 2:4].mean(axis=1) - degree[:, :2].mean(axis=1), treated, unit)
    naive = effect.alone(change[treated], unit[treated])
    wrong = effect.difference(change, treated, np.arange(number))
    return (
        some.low <= EFFECT <= some.high,
        none.clear,
        placebo.clear,
        naive[1] > 0 or naive[2] < 0,
        wrong.clear,
        some.high - some.low,
        _unlike(draw.spawn(1)[0], degree[:, 3], treated, unit),
    )


def _unlike(draw: np.random.Generator, degree: np.ndarray, treated: np.ndarray, unit: np.ndarray) -> bool:
    """Whether sides drawn by lot are told to be unlike in anything; what a unit is like, its accounts share in part."""
    number, units = len(degree), unit.max() + 1
    taste = draw.normal(0, 1, (units, 8))[unit] + draw.normal(0, 1, (number, 8))
    size, trade, region = (np.digitize(taste[:, n], cuts) for n, cuts in enumerate(([0, 1.5], [-2, -1, 0, 1, 2], [0])))
    come = (taste[:, 3] > 2).astype(float) - (taste[:, 4] > 2)
    blocks = {name: alike._indicators(each) for name, each in (("size", size), ("trade", trade), ("region", region))}
    mix = np.concatenate([each * come[:, None] for each in blocks.values()], axis=1)
    launched = np.stack([size == 2, (size == 2) * taste[:, 5]], axis=1)
    blocks |= {"degree": np.stack([degree, taste[:, 6] < 1], axis=1), "revenue": np.exp(1.5 * taste[:, [7]])}
    blocks |= {"catalogue": launched.astype(float), "lost": (come < 0)[:, None], "new": (come > 0)[:, None], "mix": mix}
    return min(alike.chances(blocks, treated, unit).values()) < alike.LEVEL / len(blocks)


def world(draw: np.random.Generator, number: int, territories: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw degrees (accounts x quarters) without any programme, who is treated, and the unit of each."""
    taste = draw.beta(1.2, 2.6, number)
    common = 3 * np.cumsum(draw.normal(0.003, 0.004, QUARTERS))
    unit = np.arange(number) if territories is None else draw.permutation(np.arange(number) % territories)
    local = np.zeros((1, QUARTERS)) if territories is None else draw.normal(0, SHOCK, (territories, QUARTERS)).cumsum(1)
    held = draw.binomial(SLOTS, taste)
    degree = np.empty((number, QUARTERS))
    degree[:, 0] = held
    for quarter in range(1, QUARTERS):
        shift = local[unit, quarter] if territories else 0.0
        chance = np.clip(taste + common[quarter] + shift, 0.01, 0.97)
        lost = draw.binomial(held, 1 - STICK)
        anew = lost + draw.binomial(SLOTS - held, 1 - STICK)
        held = held - lost + draw.binomial(anew, chance)
        degree[:, quarter] = held
    if territories is None:
        treated = draw.random(number) < TREATED
    else:
        treated = np.isin(unit, draw.permutation(territories)[: max(3, int(TREATED * territories))])
    return degree / SLOTS, treated, unit


def _told(found: np.ndarray, number: int, how: str) -> list[tuple]:
    covered, false, placebo, naive, wrong, width, unlike = found.mean(axis=0)
    rows = [
        (f"{how}: true effect of 3 points covered", number, covered, *COVERED),
        (f"{how}: effect found where there is none", number, false, *FALSE),
        (f"{how}: placebo found before the start", number, placebo, *FALSE),
        (f"{how}: before/after of the treated read as effect", number, naive, np.nan, np.nan),
        (f"{how}: sides told unlike where a lot drew them", number, unlike, *UNLIKE),
        (f"{how}: width of the interval, points", number, 100 * width, np.nan, np.nan),
    ]
    if how.startswith("territories"):
        rows.append((f"{how}: found where there is none, accounts as units", number, wrong, np.nan, np.nan))
    return rows
