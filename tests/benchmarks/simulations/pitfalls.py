"""How often the checks for pitfalls alarm where nothing happens but chance: below 5 % each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from kpilib import pitfalls

SIZES = (200, 1_000, 5_000)
MOST = 0.05
CHECKS = {
    "mix shift": pitfalls.mix_shift,
    "opposite movements": pitfalls.opposite_movements,
    "degree carried by new accounts": pitfalls.degree_by_new,
    "products carried by new accounts": pitfalls.products_by_new,
    "target met by losing": lambda moves: pitfalls.met_by_losing(moves, 0.45),
}


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Count alarms in worlds whose accounts change, come and go by chance alone."""
    rows = []
    for accounts in SIZES:
        found = false_alarms(np.random.default_rng([seed, accounts]), repetitions, accounts)
        rows += [(f"false alarms: {name}", accounts, found[name] / repetitions, 0.0, MOST) for name in CHECKS]
    return pd.DataFrame(rows, columns=["what", "accounts", "measured", "low", "high"])


def false_alarms(random: np.random.Generator, repetitions: int, accounts: int) -> dict[str, int]:
    """Count how often each check fires in so many worlds."""
    fired: Counter[str] = Counter(dict.fromkeys(CHECKS, 0))
    for _ in range(repetitions):
        moves = world(random, accounts)
        fired.update(name for name, check in CHECKS.items() if check(moves).fires)
    return dict(fired)


def world(random: np.random.Generator, accounts: int) -> pd.DataFrame:
    """Make the transitions of one world: three segments, products won and lost alike, 4 % leave and 4 % come."""
    segment = random.choice(list("abc"), accounts, p=[0.5, 0.3, 0.2])
    likes = np.clip(random.normal(0.45, 0.15, accounts), 0.05, 0.95)
    possible = random.integers(6, 11, accounts)
    before = random.binomial(possible, likes)
    won = random.binomial(possible - before, np.minimum(0.1 * likes / (1 - likes), 1))
    after = before - random.binomial(before, 0.1) + won
    comes, leaves = random.random((2, accounts)) < 0.04
    here, there = ~comes, ~leaves | comes
    moves = pd.DataFrame(
        {
            **{"group": segment, "in_earlier": here, "in_later": there},
            **{"possible_earlier": possible * here, "held_earlier": before * here},
            **{"possible_later": possible * there, "held_later": after * there},
        }
    )
    return moves.groupby(list(moves), as_index=False).size().rename(columns={"size": "accounts"})
