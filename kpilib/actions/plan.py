"""What it takes to reach a target, and how likely the quarter is to get there: a distribution, not a point."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import sqrt

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from kpilib import peers, targets
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import change, counts, degree, queries

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Plan:
    """A target against what one quarter can bring; shares from 0 to 1.

    ``slots_to_fill`` counts the best slots that would have to close to reach the target before anything is lost (None:
    not even all of them would do); ``calls_to_close`` counts the calls, best first, that would do (None: not even all).
    ``gain`` is expected of the calls on the list, ``rest`` of all other open slots, ``loss`` of holdings given up;
    ``expected`` is what they come to, with its ``quantiles`` and the ``probability`` of reaching the target; ``short``
    is how many more products (at what an open slot adds on average) that leaves to be sold, below 0 what it is over.
    From ``gain`` on all are None where no chances are known.
    """

    quarter: str
    now: float
    target: float
    slots_to_fill: int | None
    open_slots: int
    calls: int
    calls_to_close: int | None
    gain: float | None
    rest: float | None
    loss: float | None
    expected: float | None
    quantiles: dict[float, float] | None
    probability: float | None
    short: float | None


@dataclass(frozen=True)
class RevenuePlan:
    """A revenue target of one quarter against what open slots can bring; amounts of money.

    ``slots_to_fill`` counts the slots of most expected value that would have to close, at what like accounts typically
    spend on them, before anything is lost (None: not even all of those with a known amount, ``open_slots``, would do).
    ``rest`` and ``gain`` are expected of the open slots, ``gain`` of the calls on the list; all None where no amounts
    are known.
    """

    quarter: str
    now: Decimal
    target: Decimal
    slots_to_fill: int | None
    open_slots: int
    calls: int
    gain: float | None
    rest: float | None


@dataclass(frozen=True)
class Aim:
    """What to plan for: a degree one quarter on.

    ``final`` is the engagement's target and ``quarter`` when it is due, ``quarters_left`` and ``per_quarter`` the way
    there. Without one, ``quarter`` is None and ``final`` the level that the best quarter of accounts reach.
    """

    target: float
    final: float
    quarter: str | None
    quarters_left: int | None
    per_quarter: float | None


def aim(book: Book, quarter: str) -> Aim | None:
    """Find what to plan for after a quarter: the next target above today's degree, or the level of the best quarter.

    Of a target several quarters away, the step that the next quarter must make. None where the degree is undefined or
    nothing higher is known to be reached by a quarter of the accounts.
    """
    pairs = counts.pairs(book, quarters=[quarter])
    now = degree.measured(pairs).mean
    if now is None:
        return None
    ahead = targets.path(book, quarter)
    ahead = ahead[(ahead["kpi"] == "account_penetration_degree") & ahead["segment"].isna() & ahead["owner"].isna()]
    for row in ahead[ahead["per_quarter"] > 1e-9].to_dict("records"):
        step = float(row["per_quarter"])
        return Aim(now + step, float(row["target"]), row["quarter"], int(row["quarters_left"]), step)
    level = degree.percentile(pairs, peers.QUARTILE)
    if level is None or float(level) <= now + 1e-9:
        return None
    return Aim(float(level), float(level), None, None, None)


def towards(book: Book, quarter: str, candidates: pd.DataFrame, listed: pd.DataFrame) -> tuple[Aim | None, Plan | None]:
    """Plan for what is aimed at (:func:`aim`, :func:`reach`); neither where there is no aim."""
    found = aim(book, quarter)
    return found, None if found is None else reach(book, quarter, found.target, candidates, listed)


def reach(book: Book, quarter: str, target: float, candidates: pd.DataFrame, listed: pd.DataFrame) -> Plan:
    """Plan the mean degree one quarter after ``quarter``.

    Parameters
    ----------
    target
        A share.
    candidates
        Every open slot: account_id, product_id, chance (of closing within the quarter; missing where unknown).
    listed
        Those of them on the call list.

    Raises
    ------
    DataError
        The target is no share, or lies at or below today's degree: there is nothing to plan.
    """
    now = refuse(book, quarter, target)
    worth = _worth(book, quarter, candidates)
    first, called = (_first(now, target, each, _worth(book, quarter, each)) for each in (candidates, listed))
    needed, closing = (None if each is None else len(each) for each in (first, called))
    known = now, target, needed, len(candidates), len(listed), closing
    chance = pd.to_numeric(candidates["chance"]).to_numpy(float)
    if not len(chance) or np.isnan(chance).all():
        return Plan(quarter, *known, *[None] * 7)
    chance = np.nan_to_num(chance)
    on_list = candidates.set_index(["account_id", "product_id"]).index.isin(
        listed.set_index(["account_id", "product_id"]).index
    )
    gain, rest = (float((worth * chance)[each].sum()) for each in (on_list, ~on_list))
    lost, spread = _losses(book, quarter)
    expected = now + gain + rest - lost
    error = sqrt(float((worth**2 * chance * (1 - chance)).sum()) + spread**2)
    quantiles = {each: min(1.0, max(0.0, expected + float(ndtri(each)) * error)) for each in QUANTILES}
    probability = float(ndtr((expected - target) / error)) if error else float(expected >= target)
    short = (target - expected) / float(worth.mean())
    return Plan(quarter, *known, gain, rest, lost, expected, quantiles, probability, short)


def revenue(book: Book, quarter: str, target: Decimal, candidates: pd.DataFrame, listed: pd.DataFrame) -> RevenuePlan:
    """Plan the revenue of the quarter after ``quarter``.

    Parameters
    ----------
    candidates, listed
        As :func:`reach`, with score and value as :mod:`kpilib.actions.candidates` gives them.

    Raises
    ------
    DataError
        The client's data have no revenue, or the target is not above that of the quarter.
    """
    if not target.is_finite():
        raise DataError("A revenue target is an amount.", f"{target} is none.", "Write 125000 for 125 thousand.")
    amounts = counts.accounts(book, quarter)["revenue_quarter"].dropna()
    now = sum(amounts, Decimal(0))
    if not now or target <= now:
        found = f"which is {now:,.2f}" if now else "for which the data have none"
        raise DataError(
            f"The target {target:,.2f} is not above the revenue of {quarter}, {found}.", "", "Plan for more than that."
        )
    known = candidates[candidates["value"].notna()].sort_values("value", ascending=False, kind="stable")
    typical = known["value"].to_numpy(float) / known["score"].to_numpy(float)
    reached = np.flatnonzero(np.cumsum(typical) >= float(target - now) - 1e-9)
    needed = int(reached[0]) + 1 if len(reached) else None
    if known.empty:
        return RevenuePlan(quarter, now, target, None, 0, len(listed), None, None)
    gain, whole = (float(each["value"].sum()) for each in (listed, known))
    return RevenuePlan(quarter, now, target, needed, len(known), len(listed), gain, whole - gain)


def _first(now: float, target: float, candidates: pd.DataFrame, worth: np.ndarray) -> np.ndarray | None:
    """Find the slots that reach the target, likeliest first (where chances are unknown, as they are ranked)."""
    order = np.argsort(-pd.to_numeric(candidates["chance"]).fillna(0).to_numpy(float), kind="stable")
    reached = np.flatnonzero(now + np.cumsum(worth[order]) >= target - 1e-12)
    return order[: int(reached[0]) + 1] if len(reached) else None


def by_group(
    book: Book, quarter: str, candidates: pd.DataFrame, listed: pd.DataFrame, by: str, target: float | None = None
) -> pd.DataFrame:
    """Split what is expected by an attribute of the accounts, such as owner or segment.

    Returns
    -------
    One row per group: group, accounts, possible, held, open (slots), needed (of them, those that reach the target,
    likeliest first; missing without a target or where it is out of reach), calls, expected (of them, to close), gain
    (what that adds, in shares of the whole base's mean). Needed and gain add up to those of the plan.
    """
    accounts = counts.accounts(book, quarter)
    if by not in accounts:
        raise DataError(f"Accounts have no attribute {by!r}.", "", "Name one that the accounts table has.")
    named = accounts[by].astype("object").where(accounts[by].notna(), queries.NOT_GIVEN)
    group = dict(zip(accounts["account_id"], named, strict=True))
    sizes = accounts.assign(group=named).groupby("group")[["possible", "held"]].sum()
    sizes.insert(0, "accounts", accounts.assign(group=named).groupby("group").size())
    named = candidates["account_id"].map(group)
    slots = candidates.groupby(named).size()
    now = degree.of(book, quarter).mean
    first = None
    if target is not None and now is not None:
        first = _first(now, target, candidates, _worth(book, quarter, candidates))
    worth = _worth(book, quarter, listed) * pd.to_numeric(listed["chance"]).to_numpy(float)
    chance = pd.to_numeric(listed["chance"])
    calls = listed.assign(group=listed["account_id"].map(group), gain=worth, chance=chance).groupby("group")
    sums = calls[["chance", "gain"]].sum(min_count=1).rename(columns={"chance": "expected"})
    table = sizes.assign(open=slots, needed=None, calls=calls.size()).join(sums)
    if first is not None:
        table["needed"] = named.iloc[first].value_counts().reindex(table.index).fillna(0).astype(int)
    table[["open", "calls"]] = table[["open", "calls"]].fillna(0).astype(int)
    return table.loc[queries.in_order(table.index)].reset_index()


def divided_by(book: Book) -> list[str]:
    """Name what a plan is split by: owner, and the engagement's first segment, where accounts have them."""
    known = queries.attributes(book)
    return [each for each in ("owner", *book.engagement.segment_by[:1]) if each in known]


def refuse(book: Book, quarter: str, target: float) -> float:
    """Refuse a target that is none; return today's degree.

    Raises
    ------
    DataError
        It is no share, or lies at or below today's degree: there is nothing to plan.
    """
    if not 0 < target <= 1:
        raise DataError(f"A target is a share: {target:g} is none.", "", "Write 0.42 for 42 %.")
    now = degree.of(book, quarter).mean
    if now is None or target <= now:
        found = "undefined" if now is None else f"{now:.4f}"
        raise DataError(
            f"The target {target:g} is not above the degree of {quarter}, which is {found}.",
            "",
            "Plan for more than there is, or leave the plan out.",
        )
    return now


def _worth(book: Book, quarter: str, slots: pd.DataFrame) -> np.ndarray:
    """By how much the mean rises when each slot is filled: 1 ÷ (possible products × accounts with a degree)."""
    accounts = counts.accounts(book, quarter).set_index("account_id")["possible"]
    possible = slots["account_id"].map(accounts).to_numpy(float)
    return 1 / (possible * float((accounts > 0).sum()))


def _losses(book: Book, quarter: str) -> tuple[float, float]:
    """What is usually lost in a quarter, in shares of the mean, and how that varies: from the quarters before."""
    labels = [label for label, whole in book.quarters[["label", "complete"]].itertuples(index=False) if whole]
    labels = labels[: labels.index(quarter) + 1] if quarter in labels else labels
    rates = [_lost(book, *pair) for pair in pairwise(labels)]
    rates = [each for each in rates if each is not None]
    if not rates:
        return 0.0, 0.0
    held = degree.of(book, quarter).mean or 0.0
    spread = float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0
    return float(np.mean(rates)) * held, spread * held


def _lost(book: Book, earlier: str, later: str) -> float | None:
    change.comparable(book, later, earlier)
    found = counts.product_changes(book, earlier, later)[["both", "lost"]].sum()
    had = int(found["both"] + found["lost"])
    return int(found["lost"]) / had if had else None
