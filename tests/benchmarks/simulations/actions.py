"""The list that measures itself: its control finds a planted effect of working the list, and none where there is none.

One call an account. Chances differ between accounts; owners work 60 % of their list, at random or the weakest first
(those least likely to buy anyway), and a call that is worked closes so much more often than one that is not.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from kpilib.actions import followed
from kpilib.actions.chosen import HELD_BACK, LISTED

SIZES = (200, 1000, 5000)
WORKED = 0.6
LIFTS = (0.0, 0.12)


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Coverage of both intervals, and how often an effect is claimed where there is none."""
    rows = []
    for accounts, lift, weakest in product(SIZES, LIFTS, (False, True)):
        draw = np.random.default_rng([seed, accounts, int(100 * lift), weakest])
        found = [_one(draw, accounts, lift, weakest) for _ in range(repetitions)]
        world = f"lift {lift:g}, {'weakest' if weakest else 'random ones'} worked"
        for what, low, high, truth in (("list", 0, 1, lift * WORKED), ("working", 2, 3, lift)):
            covers = np.mean([each[low] <= truth <= each[high] for each in found])
            rows.append((f"effect of {what}, {world}: coverage", accounts, covers, 0.93, 0.97))
        if not lift:
            claims = np.mean([not each[2] <= 0 <= each[3] for each in found])
            rows.append((f"effect of working, {world}: false claims", accounts, claims, 0.03, 0.07))
    return pd.DataFrame(rows, columns=["what", "accounts", "measured", "low", "high"])


def _one(draw: np.random.Generator, accounts: int, lift: float, weakest: bool) -> tuple[float, float, float, float]:
    chance = draw.beta(2, 10, accounts)
    held_back = np.zeros(accounts, bool)
    held_back[draw.permutation(accounts)[: accounts // 5]] = True
    order = np.argsort(chance if weakest else draw.random(accounts))
    called = order[~held_back[order]]
    worked = np.zeros(accounts, bool)
    worked[called[: int(WORKED * len(called))]] = True
    closed = draw.random(accounts) < chance + lift * worked
    arm = np.where(held_back, HELD_BACK, LISTED)
    rows = pd.DataFrame({"account_id": np.arange(accounts), "arm": arm, "worked": worked, "closed": closed})
    found = followed.effect([rows])
    return found.list_low, found.list_high, found.working_low, found.working_high
