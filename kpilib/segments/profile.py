"""What the accounts of each segment are like: how many, how much they have and bring, and what sets them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from kpilib.book import Book
from kpilib.measures import degree, queries, uncertainty
from kpilib.segments.partition import Segmentation, in_order

MOST_NAMED = 3
LEVEL = 0.95


def profile(book: Book, quarter: str, segmentation: Segmentation) -> pd.DataFrame:
    """Describe every segment beside all other accounts.

    Returns
    -------
    One row per segment, in its order: segment, meaning, accounts, share (of the base), nothing_possible, n
    (accounts with a degree), mean, pooled (0 to 1), products_per_account, difference (mean less the mean of all
    other accounts) with low and high (Welch; missing where segments were made by what accounts hold), pull
    (n / all × (mean − mean of all): what the segment adds to the degree of all; these sum to 0), revenue_window
    (Decimal), revenue_share, revenue_per_account (missing without revenue), typical (the products most of it have),
    apart (the products it has clearly more or less than all others), suppressed (fewer accounts than the
    engagement's minimum_cell, and not none).

    Raises
    ------
    DataError
        No account is in the base.
    """
    pairs = _pairs(book, quarter, segmentation)
    everyone = degree.measured(pairs)
    degree.required(book, quarter, everyone)
    products: dict[str, list[Any]] = {}
    for each in attach(book, quarter, segmentation).itertuples():
        products.setdefault(each.segment, []).append(each)
    revenue = degree.summed(pairs["revenue_window"])
    rows = []
    for segment in in_order(segmentation, pairs["segment"]):
        mine = pairs["segment"] == segment
        found = degree.measured(pairs[mine])
        small = 0 < found.accounts < book.engagement.minimum_cell
        rows.append(
            {
                **{"segment": segment, "meaning": segmentation.meaning.get(segment), "suppressed": small},
                **_size(found, everyone),
                **_difference(pairs[mine], pairs[~mine], segmentation.by_construction),
                **_money(pairs[mine], found.accounts, revenue),
                **_named(products.get(segment, [])),
            }
        )
    return degree.table(rows, _PROFILE)


def attach(book: Book, quarter: str, segmentation: Segmentation) -> pd.DataFrame:
    """Compare the attach rate of every product in every segment with that of all other accounts.

    Returns
    -------
    One row per segment and product, in their orders: segment, product_id, family, possible, held (accounts),
    attach_rate, others_possible, others_held, attach_others (0 to 1; missing where possible for nobody), difference
    with low and high (shares; Newcombe's method 10 for two groups), clear (the interval leaves out 0, also at the
    level that allows for how many pairs of segment and product are compared, and both groups have as many accounts
    as the engagement's minimum_cell).
    """
    at = queries.moment(book, quarter)
    rows = f"""(SELECT c.* EXCLUDE ("group"), s.segment AS "group" FROM ({queries.base(book, [at.index])}) c
                JOIN ({segmentation.members(book, at)}) s USING (account_id))"""
    tests = {"possible": "possible_#", "held": "held_#"}
    found = queries.per_product(book, rows, tests, "segment").rename(columns={"group": "segment"})
    order = in_order(segmentation, found["segment"])
    found = found.sort_values("segment", key=lambda each: each.map(order.index), kind="stable", ignore_index=True)
    for name in ("possible", "held"):
        found[f"others_{name}"] = found.groupby("product_id")[name].transform("sum") - found[name]
    found["attach_rate"] = found["held"] / found["possible"].where(found["possible"] > 0)
    found["attach_others"] = found["others_held"] / found["others_possible"].where(found["others_possible"] > 0)
    found["difference"] = found["attach_rate"] - found["attach_others"]
    found["low"], found["high"] = shares_apart(found, LEVEL)
    known = int(found["low"].notna().sum())
    low, high = shares_apart(found, 1 - (1 - LEVEL) / max(known, 1))
    enough = found[["possible", "others_possible"]].min(axis=1) >= book.engagement.minimum_cell
    found["clear"] = enough & ((low > 0) | (high < 0))
    return found[list(_ATTACH)].astype(_ATTACH)


def shares_apart(found: pd.DataFrame, level: float = LEVEL) -> tuple[pd.Series, pd.Series]:
    """Find the interval of the difference of two shares of separate groups: Newcombe's method 10.

    Wilson limits of both shares, squared and added (Newcombe 1998, Statistics in Medicine 17:873-890). Takes
    columns held, possible, others_held, others_possible; missing where a group has fewer than two accounts.

    Example
    -------
    >>> groups = {"held": [56], "possible": [70], "others_held": [48], "others_possible": [80]}
    >>> [round(float(each[0]), 4) for each in shares_apart(pd.DataFrame(groups))]
    [0.0524, 0.3339]
    """
    z = float(ndtri((1 + level) / 2))
    low, share, high = _wilson(found["held"], found["possible"], z)
    other_low, other, other_high = _wilson(found["others_held"], found["others_possible"], z)
    apart = share - other
    down = np.sqrt((share - low) ** 2 + (other_high - other) ** 2)
    up = np.sqrt((high - share) ** 2 + (other - other_low) ** 2)
    return apart - down, apart + up


_PROFILE = {
    **{"segment": "object", "meaning": "object", "accounts": "int64", "share": "float64"},
    **{"nothing_possible": "int64", "n": "int64"},
    **dict.fromkeys(("mean", "pooled", "products_per_account", "difference", "low", "high", "pull"), "float64"),
    **{"revenue_window": "object", "revenue_share": "float64", "revenue_per_account": "object"},
    **{"typical": "object", "apart": "object", "suppressed": "bool"},
}
_ATTACH = {
    **{"segment": "object", "product_id": "object", "family": "object", "possible": "int64", "held": "int64"},
    **{"attach_rate": "float64", "others_possible": "int64", "others_held": "int64"},
    **dict.fromkeys(("attach_others", "difference", "low", "high"), "float64"),
    "clear": "bool",
}


def _pairs(book: Book, quarter: str, segmentation: Segmentation) -> pd.DataFrame:
    """Count the accounts of each segment that have exactly so many products possible and held."""
    at = queries.moment(book, quarter)
    return queries.fetch(
        book,
        f"""SELECT s.segment, c.possible, c.held, count(*) AS accounts, sum(c.revenue_window) AS revenue_window
            FROM ({queries.base(book, [at.index])}) c JOIN ({segmentation.members(book, at)}) s USING (account_id)
            GROUP BY ALL""",
        order=["segment", "possible", "held"],
    )


def _size(found: degree.Degree, everyone: degree.Degree) -> dict[str, Any]:
    pull = None if found.mean is None else found.n / everyone.n * (found.mean - everyone.mean)
    return {
        **{"accounts": found.accounts, "share": found.accounts / everyone.accounts, "n": found.n},
        **{"nothing_possible": found.nothing_possible, "mean": found.mean, "pooled": found.pooled},
        **{"products_per_account": found.products_per_account, "pull": pull},
    }


def _difference(mine: pd.DataFrame, others: pd.DataFrame, by_construction: bool) -> dict[str, Any]:
    """Compare mean degrees; of segments made by their degree, chance has nothing to say."""
    sides = [_degrees(each) for each in (mine, others)]
    found = uncertainty.between(*sides[0], *sides[1])
    limits = (None, None) if by_construction else (found.low, found.high)
    return {"difference": found.value, "low": limits[0], "high": limits[1]}


def _degrees(pairs: pd.DataFrame) -> tuple[Any, Any]:
    with_degree = pairs[pairs["possible"] > 0]
    values = with_degree["held"].to_numpy(float) / with_degree["possible"].to_numpy(float)
    return values, with_degree["accounts"].to_numpy(float)


def _money(mine: pd.DataFrame, accounts: int, revenue: Any) -> dict[str, Any]:
    """Add up what a segment brings; a share of nothing, or of less than nothing, is no share."""
    own = degree.summed(mine["revenue_window"])
    if own is None:
        return {}
    return {
        "revenue_window": own,
        "revenue_share": float(own / revenue) if revenue > 0 else None,
        "revenue_per_account": round(own / accounts, 4),
    }


def _named(products: list[Any]) -> dict[str, Any]:
    """Name the products that a segment mostly has, and those that set it apart."""
    usual = sorted((each for each in products if each.attach_rate > 0), key=lambda each: -each.attach_rate)
    clear = sorted((each for each in products if each.clear), key=lambda each: -abs(each.difference))
    told = [f"{'more' if each.difference > 0 else 'less'} {each.product_id}" for each in clear[:MOST_NAMED]]
    names = [each.product_id for each in usual[:MOST_NAMED]]
    return {"typical": ", ".join(names) or None, "apart": ", ".join(told) or None}


def _wilson(held: pd.Series, possible: pd.Series, z: float) -> tuple[pd.Series, pd.Series, pd.Series]:
    n = possible.where(possible >= 2).astype(float)
    share = held / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - reach, share, centre + reach
