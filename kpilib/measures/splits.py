"""Changes split into parts that sum exactly: factors, groups, and what accounts did.

Plain arithmetic on numbers and counted accounts; nothing here reads a book.

Notes
-----
Outer split: Melitz & Polanec (2015), RAND Journal of Economics 46(2). Inner split: midpoint weights
(Bennet), by slot for ``pooled`` and within every account for ``mean``. Segments: Kitagawa (1955), JASA 50.
Groups and accounts: Griliches & Regev (1995). Factors: Das Gupta (1993), which is Shapley's value.
Intervals: every part but mix is a smooth figure of totals over accounts, and is linearised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from kpilib.errors import DataError, near
from kpilib.measures import uncertainty
from kpilib.measures.uncertainty import Estimate

Array = np.ndarray[Any, Any]
Effects = tuple[Array, Array]  # what each account does to two figures

KINDS = ("mean", "pooled")
STAYERS_PARTS = ("gains", "losses", "launches", "retirements", "eligibility")


def shapley(before: Mapping[str, Any], after: Mapping[str, Any], of: Callable[..., Any]) -> dict[str, float]:
    """Split the change of a figure into the effects of its factors, which sum to it: Das Gupta, Shapley.

    Factors may be numbers or arrays; ``of`` takes them by name.

    Example
    -------
    Revenue of 100 at 45 % penetration becomes 125 at 75 %:

    >>> before, after = {"has": 0.45, "each": 100 / 0.45}, {"has": 0.75, "each": 125 / 0.75}
    >>> found = shapley(before, after, lambda has, each: has * each)
    >>> {name: round(effect, 2) for name, effect in found.items()}
    {'has': 58.33, 'each': -33.33}
    """
    names = list(before)
    effects = {}
    for name in names:
        others, effect = [each for each in names if each != name], 0.0
        for size in range(len(names)):
            for moved in combinations(others, size):
                rest = {each: (after if each in moved else before)[each] for each in others}
                gained = of(**rest, **{name: after[name]}) - of(**rest, **{name: before[name]})
                effect += gained / (len(names) * comb(len(names) - 1, size))
        effects[name] = effect
    return effects


def kitagawa(
    weights: Sequence[float], rates: Sequence[float], weights_after: Sequence[float], rates_after: Sequence[float]
) -> tuple[Array, Array]:
    """Split the change of a weighted mean rate into within and mix, by group.

    Weights need not sum to one. A group without weight at one time takes its rate from the other.

    Example
    -------
    The mean rises from 0.3 to 0.375; half of that is within the first group, half is mix.

    >>> within, mix = kitagawa([50, 50], [0.2, 0.4], [25, 75], [0.3, 0.4])
    >>> within.round(6).tolist(), mix.round(6).tolist()
    ([0.0375, 0.0], [0.021875, 0.015625])
    """
    d0, r0, d1, r1 = (np.asarray(each, float) for each in (weights, rates, weights_after, rates_after))
    w0, w1 = d0 / d0.sum(), d1 / d1.sum()
    r0, r1 = np.where(d0 > 0, r0, r1), np.where(d1 > 0, r1, r0)
    mean = ((w0 * r0).sum() + (w1 * r1).sum()) / 2
    return (w0 + w1) / 2 * (r1 - r0), ((r0 + r1) / 2 - mean) * (w1 - w0)


@dataclass(frozen=True)
class Sides:
    """Counted accounts as numerators ``y`` over denominators ``d`` at two times; one entry per row.

    Degree over accounts with one (``mean``), or held over possible slots (``pooled``). ``came`` has, per
    part of accounts that stay, what it added to y and to d.
    """

    y: tuple[Array, Array]
    d: tuple[Array, Array]
    came: Mapping[str, Effects]
    accounts: Array

    @property
    def stays(self) -> Array:
        """Rows of accounts with something possible both times."""
        return (self.d[0] > 0) & (self.d[1] > 0)

    @property
    def joins(self) -> Array:
        """Rows counted at the later time only."""
        return (self.d[0] == 0) & (self.d[1] > 0)

    @property
    def leaves(self) -> Array:
        """Rows counted at the earlier time only."""
        return (self.d[0] > 0) & (self.d[1] == 0)

    @property
    def n(self) -> float:
        """Accounts counted at either time."""
        return float(self.accounts.sum())

    def total(self, values: Array, chosen: Array | None = None) -> float:
        """Add up values over accounts, of chosen rows."""
        weight = self.accounts if chosen is None else self.accounts * chosen
        return float((weight * values).sum())

    def rate(self, time: int, chosen: Array | None = None) -> float | None:
        """Divide y by d at a time (0 or 1), of chosen rows; None where there is no d."""
        below = self.total(self.d[time], chosen)
        return self.total(self.y[time], chosen) / below if below else None

    def pull(self, time: int, chosen: Array | None = None) -> Array:
        """Tell what each account does to :meth:`rate`; zero where there is none."""
        rate = self.rate(time, chosen)
        if rate is None:
            return np.zeros_like(self.accounts)
        inside = 1.0 if chosen is None else chosen
        return inside * (self.y[time] - rate * self.d[time]) / self.total(self.d[time], chosen)

    def estimate(self, value: float, pull: Array) -> Estimate:
        """Give a figure its interval, from what each account does to it."""
        return uncertainty.linearised(value, pull * self.n, self.accounts)

    def change(self, chosen: Array | None = None) -> Estimate:
        """Estimate the change of the rate, over accounts counted at either time."""
        rows = slice(None) if chosen is None else chosen
        (y0, y1), (d0, d1) = ([each[rows] for each in pair] for pair in (self.y, self.d))
        return uncertainty.ratio_change((y0, d0), (y1, d1), self.accounts[rows])


def sides(rows: pd.DataFrame, kind: str) -> Sides:
    """Turn the rows of :func:`kpilib.measures.moves.slots` into numerators over denominators.

    Accounts with nothing possible at either time are left out.

    Raises
    ------
    DataError
        When ``kind`` is neither mean nor pooled.
    """
    if kind not in KINDS:
        raise DataError(f"{kind!r} is no way to average.", "", near(kind, KINDS))
    rows = counted(rows)
    had = {name: rows[name].to_numpy(float) for name in rows if name not in ("group", "in_earlier", "in_later")}
    none = np.zeros(len(rows))
    came = {
        "gains": (had["gained"], none),
        "losses": (-had["lost"], none),
        "launches": (had["launched_held"], had["launched"]),
        "retirements": (-had["retired_held"], -had["retired"]),
        "eligibility": (had["opened_held"] - had["closed_held"], had["opened"] - had["closed"]),
    }
    y, d = (tuple(had[f"{what}_{when}"] for when in ("earlier", "later")) for what in ("held", "possible"))
    found = Sides(y, d, came, had["accounts"])
    return found if kind == "pooled" else _alike(found)


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the accounts with something possible at either time."""
    return rows[(rows["possible_earlier"] > 0) | (rows["possible_later"] > 0)]


def _alike(found: Sides) -> Sides:
    """Let every account count alike: its degree over one, its parts by midpoint within the account."""
    has = tuple((each > 0).astype(float) for each in found.d)
    degree = tuple(y / np.maximum(d, 1) for y, d in zip(found.y, found.d, strict=True))
    slots, level = (found.d[0] + found.d[1]) / 2, (degree[0] + degree[1]) / 2
    none = np.zeros_like(slots)
    came = {part: ((y - level * d) / slots, none) for part, (y, d) in found.came.items()}
    return Sides(degree, has, came, found.accounts)


def of_stayers(found: Sides) -> dict[str, tuple[float, Array]]:
    """Split the change of accounts that stay; for every part its size and what each account does to it."""
    stays = found.stays.astype(float)
    middle = stays * (found.d[0] + found.d[1]) / 2
    below = found.total(middle)
    level = (found.rate(0, stays) + found.rate(1, stays)) / 2
    pulls = (found.pull(0, stays) + found.pull(1, stays)) / 2
    told = {}
    for part in STAYERS_PARTS:
        y, d = (stays * each for each in found.came[part])
        own = y - level * d
        size = found.total(own) / below
        told[part] = size, (own - size * middle - found.total(d) * pulls) / below
    return told


def of_turnover(found: Sides) -> dict[str, tuple[float, Array]]:
    """Measure what accounts that join and leave do to the rate, against those that stay."""
    told = {}
    stays = found.stays.astype(float)
    for part, chosen, time, sign in (("joiners", found.joins, 1, 1), ("leavers", found.leaves, 0, -1)):
        rate, below = found.rate(time, stays), found.total(found.d[time])
        own = chosen * (found.y[time] - rate * found.d[time])
        size = found.total(own) / below
        share = found.total(found.d[time], chosen) / below
        told[part] = sign * size, sign * ((own - size * found.d[time]) / below - share * found.pull(time, stays))
    return told


def of_group(found: Sides, inside: Array) -> tuple[float, Array]:
    """Measure the part of a group in the change, joiners and leavers with it: Griliches & Regev."""
    inside = inside.astype(float)
    below = (found.total(found.d[0]) + found.total(found.d[1])) / 2
    level = (found.rate(0) + found.rate(1)) / 2
    pulls = (found.pull(0) + found.pull(1)) / 2
    more = inside * (found.d[1] - found.d[0])
    own = inside * (found.y[1] - found.y[0]) - level * more
    size = found.total(own) / below
    return size, (own - size * (found.d[0] + found.d[1]) / 2 - found.total(more) * pulls) / below


def of_segment(found: Sides, inside: Array) -> tuple[tuple[float, Array], float]:
    """Split a segment's part into within, with what each account does to it, and mix: Kitagawa.

    Mix has no interval: where segments stand alike it is a product of two figures near zero, and a
    linearised interval of it held the truth in 92 to 100 % of simulated worlds, not in 95.
    """
    inside = inside.astype(float)
    shares, moved, rates, pulls = [], [], [], []
    for time in (0, 1):
        below = found.total(found.d[time])
        shares.append(found.total(found.d[time], inside) / below)
        moved.append((inside - shares[time]) * found.d[time] / below)
        there = time if found.rate(time, inside) is not None else 1 - time
        rates.append(found.rate(there, inside))
        pulls.append(found.pull(there, inside))
    share, up = sum(shares) / 2, rates[1] - rates[0]
    within = share * up, (moved[0] + moved[1]) / 2 * up + share * (pulls[1] - pulls[0])
    apart = sum(rates) / 2 - (found.rate(0) + found.rate(1)) / 2
    return within, apart * (shares[1] - shares[0])
