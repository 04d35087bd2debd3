"""Why penetration moved, in parts that sum to the change exactly.

A bridge leads from the degree of one quarter to that of another:

- of accounts with something possible both times: ``gains`` (now held, possible both times), ``losses``,
  ``launches`` and ``retirements`` (products put on sale or taken off in between), ``eligibility`` (slots that
  opened or closed for other reasons)
- ``joiners``, accounts counted at the later quarter only, and ``leavers``, at the earlier only

The parts do the sums; why customers bought or left is not in them. ``kind`` is ``mean`` (every account
counts alike: the headline) or ``pooled`` (every slot does). Methods and sources: ``measures.splits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from kpilib import comparison
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import change as changes
from kpilib.measures import degree, moves, queries, splits, uncertainty
from kpilib.measures.moves import Accounts
from kpilib.measures.splits import kitagawa, shapley
from kpilib.measures.uncertainty import Estimate

__all__ = [
    "Bridge",
    "Revenue",
    "Segments",
    "by_account",
    "by_group",
    "by_segment",
    "kitagawa",
    "of",
    "parts",
    "revenue",
    "revenue_of",
    "segments_of",
    "shapley",
]

SAME, BASE, CATALOGUE = "same customers", "customer base", "catalogue"
PARTS = {
    "gains": SAME,
    "losses": SAME,
    "joiners": BASE,
    "leavers": BASE,
    "launches": CATALOGUE,
    "retirements": CATALOGUE,
    "eligibility": CATALOGUE,
}

_POINTS = ("points", "low", "high")
_PART_COLUMNS = {
    **{"part": "object", "about": "object", **dict.fromkeys(_POINTS, "float64"), "accounts": "int64"},
}
_ABOUT_COLUMNS = {"about": "object", **dict.fromkeys(_POINTS, "float64")}
_SEGMENT_COLUMNS = {
    **{"group": "object", "n_before": "int64", "n_after": "int64"},
    **dict.fromkeys(("before", "after", "share_before", "share_after"), "float64"),
    **dict.fromkeys(("within", "within_low", "within_high", "mix"), "float64"),
    "suppressed": "bool",
}
_GROUP_COLUMNS = {
    **{"group": "object", "n_before": "int64", "n_after": "int64"},
    **dict.fromkeys(("before", "after", *_POINTS), "float64"),
    "suppressed": "bool",
}
_FACTOR_COLUMNS = {
    "factor": "object",
    **dict.fromkeys(("before", "after", "per_cent", "effect", "of_revenue"), "float64"),
}


@dataclass(frozen=True)
class Bridge:
    """The way from the degree of one quarter to that of another.

    ``before`` and ``after`` are shares, ``change`` their difference with its interval (linearised over
    the union of accounts), ``same`` the change of accounts with something possible both times. ``weight`` is
    the mean number of accounts (of slots, for ``pooled``) that both shares are of.

    ``parts`` has one row per part, in the order of :data:`PARTS`: part, about (same customers, customer
    base, catalogue), points (difference of shares; they sum to the change), low and high (95 %,
    linearised with accounts as units; missing where nothing varies), accounts (whom the part concerns).
    ``about`` adds the parts up: about, points, low, high.
    """

    earlier: str
    later: str
    kind: str
    before: float
    after: float
    weight: float
    change: Estimate
    same: Estimate
    parts: pd.DataFrame
    about: pd.DataFrame


@dataclass(frozen=True)
class Segments:
    """What moved within segments and what their mix did; within + mix is the change as reported.

    ``table`` has one row per segment, blanks as (not given) and last: group, n_before and n_after
    (accounts with a degree), before and after (degree, missing where there are none), share_before and
    share_after (of accounts, or of slots for ``pooled``), within with its limits and mix, in points,
    suppressed (fewer accounts than the engagement's minimum_cell at a quarter).
    """

    by: str
    kind: str
    change: Estimate
    within: Estimate
    mix: float
    table: pd.DataFrame


@dataclass(frozen=True)
class Revenue:
    """Revenue of two quarters as accounts x possible x penetration x revenue per held product.

    ``before`` and ``after`` are exact amounts, ``growth`` their relative change. ``factors`` has one row
    per factor: factor (accounts, possible_per_account, penetration (pooled), revenue_per_held), before,
    after, per_cent (relative change), effect (in money; they sum to the change), of_revenue (effect as a
    share of the revenue before).
    """

    earlier: str
    later: str
    what: str
    before: Decimal
    after: Decimal
    growth: float
    factors: pd.DataFrame


def parts(book: Book, earlier: str, later: str, kind: str = "mean", accounts: Accounts = None) -> Bridge:
    """Split the change of the degree between two complete quarters into its parts.

    Raises
    ------
    DataError
        When a quarter is incomplete, they are in the wrong order, or no account has something possible
        at both, or fewer than :func:`kpilib.comparison.before_after` takes.
    """
    before, now = changes.comparable(book, later, earlier)
    rows = moves.slots(book, before.label, now.label, accounts=accounts)
    found = of(rows, before.label, now.label, kind)
    both = (rows["possible_earlier"] > 0) & (rows["possible_later"] > 0)
    comparison.refuse_few(book, before.label, now.label, int(rows.loc[both, "accounts"].sum()))
    return found


def of(rows: pd.DataFrame, earlier: str = "before", later: str = "after", kind: str = "mean") -> Bridge:
    """Build the bridge from accounts counted by :func:`kpilib.measures.moves.slots`."""
    found = splits.sides(rows, kind)
    refuse_no_common(found, earlier, later)
    told = {**splits.of_stayers(found), **splits.of_turnover(found)}
    concerned = _concerned(splits.counted(rows), found)
    table = [
        {"part": part, "about": about, **_told(found, *told[part]), "accounts": int(found.total(concerned[part]))}
        for part, about in PARTS.items()
    ]
    sums = [{"about": about, **_told(found, *_added(told, about))} for about in (SAME, BASE, CATALOGUE)]
    stays = found.stays
    return Bridge(
        **{"earlier": earlier, "later": later, "kind": kind, "before": found.rate(0), "after": found.rate(1)},
        weight=(found.total(found.d[0]) + found.total(found.d[1])) / 2,
        change=found.change(),
        same=_same(found, stays, kind),
        parts=degree.table(table, _PART_COLUMNS),
        about=degree.table(sums, _ABOUT_COLUMNS),
    )


def by_segment(
    book: Book, earlier: str, later: str, by: str, kind: str = "mean", accounts: Accounts = None
) -> Segments:
    """Split the change into what moved within segments and what their mix did: Kitagawa.

    Notes
    -----
    within = mean share x change of the degree; mix = (mean degree - mean of all) x change of the share.
    A segment that is empty at one quarter takes its degree from the other, so all of it is mix.
    """
    before, now = changes.comparable(book, later, earlier)
    rows = moves.slots(book, before.label, now.label, by, accounts)
    return segments_of(rows, by, kind, book.engagement.minimum_cell)


def segments_of(rows: pd.DataFrame, by: str = "group", kind: str = "mean", smallest: int = 0) -> Segments:
    """Split within and mix from counted accounts with a column ``group``; see :func:`by_segment`."""
    found = splits.sides(rows, kind)
    refuse_nothing(found)
    inside = _groups(rows)
    told = {group: splits.of_segment(found, chosen) for group, chosen in inside.items()}
    table = [
        _level(found, group, chosen, smallest) | _shares(found, chosen) | _within(found, *told[group])
        for group, chosen in inside.items()
    ]
    whole = [sum(each) for each in zip(*(within for within, _ in told.values()), strict=True)]
    mix = float(sum(each for _, each in told.values()))
    return Segments(by, kind, found.change(), found.estimate(*whole), mix, degree.table(table, _SEGMENT_COLUMNS))


def by_group(
    book: Book, earlier: str, later: str, by: str, kind: str = "mean", accounts: Accounts = None
) -> pd.DataFrame:
    """Give every group, such as every owner's accounts, its part in the change as reported.

    Returns
    -------
    One row per value of ``by``, blanks as (not given) and last: group, n_before and n_after (accounts
    with a degree), before and after (degree), points with low and high (they sum to the change;
    Griliches & Regev), suppressed (fewer accounts than the engagement's minimum_cell at a quarter).
    """
    before, now = changes.comparable(book, later, earlier)
    rows = moves.slots(book, before.label, now.label, by, accounts)
    found = splits.sides(rows, kind)
    refuse_nothing(found)
    smallest = book.engagement.minimum_cell
    table = [
        _level(found, group, chosen, smallest) | _told(found, *splits.of_group(found, chosen))
        for group, chosen in _groups(rows).items()
    ]
    return degree.table(table, _GROUP_COLUMNS)


def by_account(book: Book, bridge: Bridge, most: int = 10, accounts: Accounts = None) -> pd.DataFrame:
    """List the accounts with the largest parts in the change of a bridge, upwards and downwards.

    A bridge of some ``accounts`` alone needs the same ones here.

    Returns
    -------
    Up to ``most`` that raised it and ``most`` that lowered it, from the largest rise to the largest fall:
    account_id, name and owner (missing where the client gives none), possible_earlier, held_earlier,
    possible_later, held_later (0 where not counted), points (of all accounts these sum to the change;
    Griliches & Regev). Ties by account_id.
    """
    level = (bridge.before + bridge.after) / 2
    part = _part_of_account(bridge.kind, level, bridge.weight)
    found = moves.largest(book, bridge.earlier, bridge.later, part, most, accounts)
    rest = found.columns[1:].tolist()
    return queries.with_names(book, found)[["account_id", "name", "owner", *rest]]


def revenue(
    book: Book, earlier: str, later: str, what: str = "revenue_quarter", same: bool = False, accounts: Accounts = None
) -> Revenue | None:
    """Split the change of revenue into accounts, products possible, penetration and revenue per product held.

    With ``same``, of the accounts in the base at both quarters. None where the client gives no revenue, or
    where nothing is held or earned at a quarter, so that there is no revenue per held product.
    """
    before, now = changes.comparable(book, later, earlier)
    return revenue_of(moves.totals(book, before.label, now.label, what, same, accounts), what)


def revenue_of(totals: pd.DataFrame, what: str = "revenue_quarter") -> Revenue | None:
    """Split revenue from two rows of :func:`kpilib.measures.moves.totals`, the earlier first."""
    rows = totals.to_dict("records")
    if any(pd.isna(row["revenue"]) or row["revenue"] <= 0 or not row["held"] for row in rows):
        return None
    before, after = (_factors(row) for row in rows)
    effects = shapley(before, after, _product)
    sold = [row["revenue"] for row in rows]
    table = [
        {"factor": name, "before": before[name], "after": after[name], "per_cent": after[name] / before[name] - 1}
        | {"effect": effect, "of_revenue": effect / float(sold[0])}
        for name, effect in effects.items()
    ]
    growth = float(sold[1] / sold[0]) - 1
    return Revenue(*(row["quarter"] for row in rows), what, *sold, growth, degree.table(table, _FACTOR_COLUMNS))


def refuse_no_common(found: splits.Sides, earlier: str, later: str) -> None:
    """Refuse two quarters without an account that has something possible at both."""
    refuse_nothing(found)
    if not found.stays.any():
        raise DataError(
            f"No customer is counted both in {earlier} and in {later}.",
            f"{int(found.total(found.leaves))} then, {int(found.total(found.joins))} later, none of them both times.",
            "Compare quarters, or customers, that have some in common.",
        )


def refuse_nothing(found: splits.Sides) -> None:
    """Refuse a quarter in which no account counted could hold anything."""
    if found.rate(0) is None or found.rate(1) is None:
        raise DataError(
            "At one of the two quarters, nothing is possible for any of the accounts.",
            f"{int(found.n)} accounts could hold something at the other.",
            "Compare quarters with customers who could buy something, or choose other accounts.",
        )


def _same(found: splits.Sides, stays: Any, kind: str) -> Estimate:
    if kind == "pooled":
        return found.change(stays)
    return uncertainty.paired(found.y[0][stays], found.y[1][stays], found.accounts[stays])


def _told(found: splits.Sides, size: float, pull: Any) -> dict[str, float | None]:
    told = found.estimate(size, pull)
    return {"points": told.value, "low": told.low, "high": told.high}


def _added(told: Mapping[str, tuple[float, Any]], about: str) -> tuple[float, Any]:
    """Add up the parts about one thing, and what accounts do to them."""
    own = [told[part] for part, each in PARTS.items() if each == about]
    return sum(size for size, _ in own), sum(pull for _, pull in own)


def _concerned(rows: pd.DataFrame, found: splits.Sides) -> dict[str, Any]:
    """Mark the accounts that each part concerns."""
    had = {name: rows[name].to_numpy() > 0 for name in ("gained", "lost", *moves.SPLIT)}
    return {
        **{"gains": had["gained"], "losses": had["lost"], "joiners": found.joins, "leavers": found.leaves},
        **{"launches": had["launched"], "retirements": had["retired"], "eligibility": had["opened"] | had["closed"]},
    }


def _groups(rows: pd.DataFrame) -> dict[str, Any]:
    """Mark the rows of every group, of accounts with something possible at either quarter."""
    group = splits.counted(rows)["group"]
    return {each: (group == each).to_numpy() for each in queries.in_order(group)}


def _level(found: splits.Sides, group: str, chosen: Any, smallest: int) -> dict[str, Any]:
    n = [int(found.total(found.d[time] > 0, chosen)) for time in (0, 1)]
    levels = {"before": found.rate(0, chosen), "after": found.rate(1, chosen)}
    return {"group": group, "n_before": n[0], "n_after": n[1], **levels, "suppressed": min(n) < smallest}


def _shares(found: splits.Sides, chosen: Any) -> dict[str, float]:
    return {
        f"share_{when}": found.total(found.d[time], chosen) / found.total(found.d[time])
        for time, when in enumerate(("before", "after"))
    }


def _within(found: splits.Sides, within: tuple[float, Any], mix: float) -> dict[str, float | None]:
    told = found.estimate(*within)
    return {"within": told.value, "within_low": told.low, "within_high": told.high, "mix": mix}


def _factors(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        "accounts": float(row["accounts"]),
        "possible_per_account": row["possible"] / row["accounts"],
        "penetration": row["held"] / row["possible"],
        "revenue_per_held": float(row["revenue"]) / row["held"],
    }


def _product(**factors: float) -> float:
    return float(np.prod(list(factors.values())))


def _part_of_account(kind: str, level: float, below: float) -> str:
    """Write an account's part in the change: (more y - mean rate x more d) / mean of d."""
    y = {"mean": "coalesce(held_{0} / nullif(possible_{0}, 0), 0)", "pooled": "held_{0}"}[kind]
    d = {"mean": "(possible_{0} > 0)::INT", "pooled": "possible_{0}"}[kind]
    more = [f"({each.format('later')} - {each.format('earlier')})" for each in (y, d)]
    return f"({more[0]} - {level!r} * {more[1]}) / {below!r}"
