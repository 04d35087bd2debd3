"""Intervals with accounts as units, from counts of accounts that are alike.

A figure that counts all customers is a census and carries no interval; these belong to changes and
to differences between groups. All take weighted rows: a value, and how many accounts have it.

Methods and their coverage in simulation: paired t and the linearised ratio do as well as every
bootstrap; intervals for unpaired samples on the same accounts are two to three times too wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

Numbers = Sequence[float] | np.ndarray[Any, Any]

# Standard deviations below this are rounding of equal shares such as 2/3 - 1/3 and 3/3 - 2/3.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A difference, its interval, and the accounts it rests on.

    ``value`` is None where there is nothing to compare, ``low`` and ``high`` where fewer than two
    accounts, or no variance among them, leave no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both limits, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def paired(before: Numbers, after: Numbers, accounts: Numbers, level: float = 0.95) -> Estimate:
    """Estimate the mean change of the same accounts: paired t.

    Example
    -------
    >>> paired([0, 0, 0], [1, 2, 3], [1, 1, 1])  # doctest: +ELLIPSIS
    Estimate(value=2.0, low=-0.484..., high=4.484..., n=3)

    2 ± 4.303 × 1 / √3, with 4.303 the 97.5 % point of t with 2 degrees of freedom.
    """
    change = np.asarray(after, float) - np.asarray(before, float)
    n, mean, variance = _moments(change, accounts)
    if n == 0:
        return Estimate(None, None, None, 0)
    return _t_interval(mean, variance / n, n - 1, n, level)


def ratio_change(
    before: tuple[Numbers, Numbers], after: tuple[Numbers, Numbers], accounts: Numbers, level: float = 0.95
) -> Estimate:
    """Estimate the change of a ratio of sums over all accounts of either period: linearised.

    Each period is (numerators, denominators), with 0 and 0 where an account was not there. Pooled
    penetration is held over possible; a mean of degrees is the sum of degrees over the number of
    accounts with one, so the same interval serves it.

    Notes
    -----
    u = (y1 - P1 d1) / mean(d1) - (y0 - P0 d0) / mean(d0) over the union of accounts, N of them;
    standard error = sd(u) / sqrt(N), t with N - 1 degrees of freedom.
    """
    y0, d0, y1, d1 = (np.asarray(each, float) for each in (*before, *after))
    weight = np.where((d0 > 0) | (d1 > 0), np.asarray(accounts, float), 0.0)
    n, d0_sum, d1_sum = (float((weight * each).sum()) for each in (np.ones_like(d0), d0, d1))
    if d0_sum == 0 or d1_sum == 0:
        return Estimate(None, None, None, int(n))
    p0, p1 = (weight * y0).sum() / d0_sum, (weight * y1).sum() / d1_sum
    influence = (y1 - p1 * d1) * n / d1_sum - (y0 - p0 * d0) * n / d0_sum
    variance = _moments(influence, weight)[2]
    return _t_interval(float(p1 - p0), variance / n, n - 1, int(n), level)


def linearised(value: float, influence: Numbers, accounts: Numbers, level: float = 0.95) -> Estimate:
    """Estimate a smooth figure of totals from what each account does to it, N of them: t with N - 1.

    ``influence`` is the derivative of the figure by the account's weight, times N; its mean is zero.
    """
    n, _, variance = _moments(influence, accounts)
    return _t_interval(value, variance / max(n, 1), n - 1, n, level)


def share_change(both: int, lost: int, gained: int, neither: int, level: float = 0.95) -> Estimate:
    """Estimate the change of a share among the same accounts: Newcombe's method 10.

    Wilson limits of both shares, squared and added, less their correlation (Newcombe 1998, paired).

    Example
    -------
    >>> share_change(both=1, lost=1, gained=7, neither=12)  # doctest: +ELLIPSIS
    Estimate(value=0.285..., low=0.025..., high=0.506..., n=21)
    """
    n = both + lost + gained + neither
    if n == 0:
        return Estimate(None, None, None, 0)
    change = (gained - lost) / n
    moved_alike = max(both + neither, gained, lost) == n
    if n < 2 or moved_alike:
        return Estimate(change, None, None, n)
    (low0, p0, high0), (low1, p1, high1) = (_wilson(held, n, level) for held in (both + lost, both + gained))
    phi = _correlation(both, lost, gained, neither)
    down = _added(p1 - low1, high0 - p0, phi)
    up = _added(high1 - p1, p0 - low0, phi)
    return Estimate(change, change - down, change + up, n)


def between(
    values: Numbers, accounts: Numbers, other_values: Numbers, other_accounts: Numbers, level: float = 0.95
) -> Estimate:
    """Estimate how far the mean of one group of accounts lies above another's: Welch.

    For two separate groups; the same accounts at two times are :func:`paired`.
    """
    n, mean, variance = _moments(values, accounts)
    other_n, other_mean, other_variance = _moments(other_values, other_accounts)
    if min(n, other_n) == 0:
        return Estimate(None, None, None, n + other_n)
    if min(n, other_n) < 2 or max(variance, other_variance) <= ROUNDING**2:
        return Estimate(mean - other_mean, None, None, n + other_n)
    parts = variance / n, other_variance / other_n
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (other_n - 1))
    return _t_interval(mean - other_mean, sum(parts), freedom, n + other_n, level)


def _moments(values: Numbers, accounts: Numbers) -> tuple[int, float, float]:
    """Count, mean and sample variance of values held by so many accounts each."""
    value, weight = np.asarray(values, float), np.asarray(accounts, float)
    n = float(weight.sum())
    if n == 0:
        return 0, 0.0, 0.0
    mean = float((weight * value).sum() / n)
    variance = float((weight * (value - mean) ** 2).sum() / (n - 1)) if n > 1 else 0.0
    return int(n), mean, variance


def _t_interval(value: float, squared_error: float, freedom: float, n: int, level: float) -> Estimate:
    if n < 2 or squared_error * n <= ROUNDING**2:
        return Estimate(value, None, None, n)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * sqrt(squared_error)
    return Estimate(value, value - reach, value + reach, n)


def _wilson(held: int, n: int, level: float) -> tuple[float, float, float]:
    """Wilson's limits of a share, with the share between them."""
    z, share = float(ndtri((1 + level) / 2)), held / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - reach, share, centre + reach


def _correlation(both: int, lost: int, gained: int, neither: int) -> float:
    """Phi of the two-by-two table, corrected for continuity where it is positive."""
    product = both * neither - lost * gained
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if margins == 0:
        return 0.0
    n = both + lost + gained + neither
    return (max(product - n / 2, 0) if product > 0 else product) / sqrt(margins)


def _added(one: float, other: float, phi: float) -> float:
    return sqrt(max(one * one - 2 * phi * one * other + other * other, 0.0))
