"""What a disclosure implies of a figure that was not disclosed: bounds, never a guess.

Companies tell which share of customers has two, four or six products or more, and not the mean. The
mean is the sum of these shares over every k, and shares can only fall as k rises: that bounds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from kpilib.errors import DataError


@dataclass(frozen=True)
class Bounds:
    """The least and the most a figure can be."""

    low: float
    high: float


def products_held(tiers: Mapping[int, float], products: int) -> Bounds:
    """Bound the mean number of products a customer has.

    Parameters
    ----------
    tiers
        k to the share (0-1) of customers with k products or more. All have one at least.
    products
        How many are on sale.

    Raises
    ------
    DataError
        When shares are outside 0 to 1, rise with k, or k exceeds the products on sale.

    Notes
    -----
    mean = sum over k of the share with k or more. An undisclosed share is no smaller than the next
    tier disclosed (0 after the last) and no larger than the last one before it.

    Example
    -------
    >>> found = products_held({2: 0.83, 4: 0.49, 6: 0.26, 8: 0.12}, products=23)
    >>> round(found.low, 2), round(found.high, 2)
    (3.57, 6.08)
    """
    known = _checked(tiers, products)
    low = sum(next((known[each] for each in known if each >= k), 0.0) for k in range(1, products + 1))
    high = sum(known[max(each for each in known if each <= k)] for k in range(1, products + 1))
    return Bounds(low, high)


def degree(tiers: Mapping[int, float], products: int) -> Bounds:
    """Bound the pooled degree: products held as a share (0-1) of all customers could hold.

    Where every product is possible for every customer.

    Example
    -------
    >>> found = degree({2: 0.83, 4: 0.49, 6: 0.26, 8: 0.12}, products=23)
    >>> f"{found.low:.1%} to {found.high:.1%}"
    '15.5% to 26.4%'
    """
    held = products_held(tiers, products)
    return Bounds(held.low / products, held.high / products)


def ratio_of_means(part: float, whole: float, places: int = 1) -> tuple[float, Bounds]:
    """Divide two published means, and bound the ratio by what their rounding hides.

    Products held with one bank by products held anywhere: the mean customer's share, which is not
    the mean of customers' shares.

    Example
    -------
    >>> value, found = ratio_of_means(3.0, 8.2)
    >>> f"{value:.1%}, within {found.low:.1%} to {found.high:.1%}"
    '36.6%, within 35.8% to 37.4%'
    """
    if not 0 <= part <= whole or whole <= 0:
        raise DataError(f"{part} is no part of {whole}.", do="Give the part, then the whole.")
    half = 0.5 * 10.0**-places
    return part / whole, Bounds(max(0.0, part - half) / (whole + half), min(1.0, (part + half) / (whole - half)))


def _checked(tiers: Mapping[int, float], products: int) -> dict[int, float]:
    known = {1: 1.0, **{k: float(tiers[k]) for k in sorted(tiers)}}
    falling = all(earlier >= later for earlier, later in pairwise(known.values()))
    if known[1] != 1 or not falling or min(known.values()) < 0:
        raise DataError(
            "Shares of customers with so many products or more run from 1 downwards.",
            f"These are {dict(tiers)}.",
            "Write them as shares: 0.83, not 83.",
        )
    if min(known) < 1 or max(known) > products:
        raise DataError(f"Nobody can have {max(known)} of {products} products.", do="Give the products then on sale.")
    return known
