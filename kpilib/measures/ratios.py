"""An interval for a ratio of sums that few large accounts decide, such as revenue after over revenue before.

Amounts have heavy tails: among lognormal accounts (sigma 1 to 2) a linearised interval holds the truth 84 to 96 %
of the time and bootstraps do no better, because a handful of accounts carries sum, variance and skewness. This one
holds it 94 to 97 % of the time at 200 to 5,000 accounts (``python -m tests.benchmarks.simulations revenue``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit

from kpilib.measures.uncertainty import ROUNDING, Estimate

# What the engine adds up over accounts: weight is an account's share of the denominator, gap how far its own ratio
# lies above the common one.
SUMS = {
    "squares": "sum((weight * gap) ** 2)",
    "cubes": "sum((weight * gap) ** 3)",
    "fourths": "sum((weight * gap) ** 4)",
    "left_out": "sum((weight * gap / (1 - weight)) ** 2) FILTER (weight < 1)",
}
SPREAD = ", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())


def ratio_of_sums(
    value: float, n: int, squares: float, cubes: float, fourths: float, left_out: float | None, level: float = 0.95
) -> Estimate:
    """Estimate a ratio of sums over n accounts: jackknife error, few degrees of freedom, skewness taken out.

    ``squares`` to ``left_out`` are :data:`SUMS`. There are no limits with fewer than two accounts or where
    all have the same ratio; a limit below 0 is 0, because no account can keep less than nothing.

    Notes
    -----
    u = weight × gap per account. Standard error: each account left out in turn (HC3), sqrt(sum (u / (1 - weight))²).
    Degrees of freedom: (sum u²)² / sum u⁴, as many accounts as really speak. Limits: Hall's (1992) inverse of the
    cubic transformation, with skewness sum u³ / (sum u²)^1.5.

    Example
    -------
    >>> ratio_of_sums(1.0, 2, 0.02, 0.0, 0.0002, 0.08)  # doctest: +ELLIPSIS
    Estimate(value=1.0, low=0.0, high=2.216..., n=2)

    Two accounts of equal weight, one at 0.8 and one at 1.2: 1 ± 4.303 × 0.283, and not below 0.
    """
    if n < 2 or left_out is None or not squares > ROUNDING**2:
        return Estimate(value, None, None, n)
    low, high = limits(value, squares, cubes, fourths, left_out, level)
    return Estimate(value, max(float(low), 0.0), float(high), n)


def limits(value: Any, squares: Any, cubes: Any, fourths: Any, left_out: Any, level: float = 0.95) -> tuple[Any, Any]:
    """Compute both limits, of one ratio or of arrays of them."""
    error = np.sqrt(left_out)
    reach = stdtrit(np.maximum(squares**2 / fourths, 1.0), (1 + level) / 2)
    skewness = cubes / squares**1.5
    return value - error * _symmetric(reach, skewness), value - error * _symmetric(-reach, skewness)


def _symmetric(t: Any, skewness: Any) -> Any:
    """Undo the cubic transformation that makes a skewed t symmetric."""
    safe = np.where(np.abs(skewness) < 1e-6, 1.0, skewness)
    bent = 3 * (np.cbrt(1 + safe * (t - safe / 6)) - 1) / safe
    return np.where(np.abs(skewness) < 1e-6, t, bent)
