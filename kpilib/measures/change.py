"""How far penetration moved from one quarter to another, and how sure that is.

Only complete quarters are compared: a window that begins before the data do holds too little, and
would be drawn as a rise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts, degree, queries, uncertainty
from kpilib.measures.queries import Moment

PLAN = "plan"
DEGREE = "account_penetration_degree"


@dataclass(frozen=True)
class Change:
    """A change of the degree against an earlier quarter, or its distance from plan.

    All changes are differences of shares (0.05 is five points); None where undefined.

    ``points`` is of the mean as reported, over whoever was counted each time, with its interval
    linearised over the union of accounts; ``same_accounts`` of the accounts with a degree at both,
    with a paired t interval; ``pooled`` of the pooled degree, linearised. Against ``plan`` only
    ``points`` is defined, and it has no interval: a target is no sample.
    """

    against: str
    points: float | None
    low: float | None = None
    high: float | None = None
    same_accounts_n: int | None = None
    same_accounts: float | None = None
    same_low: float | None = None
    same_high: float | None = None
    pooled: float | None = None
    pooled_low: float | None = None
    pooled_high: float | None = None


def between(book: Book, quarter: str, against: str) -> Change:
    """Compare the degree of a quarter with an earlier one, or with ``"plan"``.

    Raises
    ------
    DataError
        As :func:`measure_of`, and when either base is empty.
    """
    earlier = measure_of(book, quarter, against)
    now = degree.of(book, quarter)
    if earlier is None:
        return against_plan(now.mean, target(book, quarter))
    degree.of(book, earlier)
    return of(counts.transitions(book, earlier, quarter), earlier)


def measure_of(book: Book, quarter: str, against: str) -> str | None:
    """Name the earlier quarter that a quarter can be compared with; None for its target.

    Raises
    ------
    DataError
        When a quarter is incomplete, ``against`` is not earlier, or there is no target.
    """
    if against != PLAN:
        return comparable(book, quarter, against)[0].label
    comparable(book, quarter)
    if target(book, quarter) is None:
        have = [each.quarter for each in book.engagement.targets if each.kpi == DEGREE]
        raise DataError(
            f"There is no target for all accounts in {queries.moment(book, quarter).label}.",
            f"Targets of {DEGREE}: {', '.join(have) or 'none'}.",
            "Add one under [[targets]], without segment and owner.",
        )
    return None


def of(moves: pd.DataFrame, against: str) -> Change:
    """Measure the change from accounts counted by what they had at both quarters.

    Takes the rows of :func:`kpilib.measures.counts.transitions`.
    """
    accounts = moves["accounts"].to_numpy(float)
    (held0, possible0), (held1, possible1) = _sides(moves)
    (degree0, has0), (degree1, has1) = (_degrees(held0, possible0), _degrees(held1, possible1))
    mean = uncertainty.ratio_change((degree0, has0), (degree1, has1), accounts)
    pooled = uncertainty.ratio_change((held0, possible0), (held1, possible1), accounts)
    same = same_accounts(moves)
    return Change(
        against,
        *(mean.value, mean.low, mean.high),
        *(same.n, same.value, same.low, same.high),
        *(pooled.value, pooled.low, pooled.high),
    )


def same_accounts(moves: pd.DataFrame) -> uncertainty.Estimate:
    """Estimate the mean change of the accounts that have a degree at both quarters."""
    both = moves[(moves["possible_earlier"] > 0) & (moves["possible_later"] > 0)]
    before, after = (held / possible for held, possible in _sides(both))
    return uncertainty.paired(before, after, both["accounts"].to_numpy(float))


def share_with(moves: pd.DataFrame, k: int) -> uncertainty.Estimate:
    """Estimate the change of the share of accounts with k products or more: linearised over all of either quarter.

    Takes the rows of :func:`kpilib.measures.counts.transitions`.
    """
    ends = []
    for when in ("earlier", "later"):
        there = moves[f"in_{when}"].astype(float)
        ends.append((there * (moves[f"held_{when}"] >= k), there))
    return uncertainty.ratio_change(*ends, moves["accounts"].to_numpy(float))


def against_plan(mean: float | None, target: float | None) -> Change:
    """Measure how far a mean degree lies above its target."""
    missing = mean is None or target is None
    return Change(PLAN, None if missing else mean - target)


def target(book: Book, quarter: str, segment: dict[str, str] | None = None) -> float | None:
    """Find the target share of the degree: of all accounts, of one segment, or of one owner's accounts."""
    label = queries.moment(book, quarter).label
    parse = book.engagement.calendar.parse
    for each in book.engagement.targets:
        if each.kpi == DEGREE and parse(each.quarter).label == label and each.whose == (segment or {}):
            return float(each.value)
    return None


def comparable(book: Book, *quarters: str) -> Sequence[Moment]:
    """Return the quarters, given latest first, in order of time.

    Raises
    ------
    DataError
        When one of them is incomplete, or a later one is to be the measure of an earlier one.
    """
    moments = [queries.moment(book, each) for each in reversed(quarters)]
    whole = book.complete_quarters() or "there are none"
    for each in moments:
        book.require_snapshot(each.label)
        if not each.complete:
            raise DataError(
                f"{each.label} is incomplete, so it is not compared.",
                f"Its window runs from {each.window_start} to {each.as_of}; the data from"
                f" {book.engagement.data_from} to {book.engagement.data_to}.",
                f"Compare complete quarters ({whole}), or take a shorter look-back.",
            )
    if any(later.index <= earlier.index for earlier, later in pairwise(moments)):
        raise DataError(
            f"{moments[0].label} is not before {moments[1].label}.", "", "Compare a quarter against an earlier one."
        )
    return moments


def previous(book: Book, quarter: str, quarters: int = 1) -> str | None:
    """Name the quarter before, where both are complete and it has a degree to compare with; else None."""
    now = queries.moment(book, quarter)
    known = book.quarters
    found = known[(known["quarter"] == now.index - quarters) & known["complete"]]
    if not now.complete or found.empty:
        return None
    label = str(found["label"].iloc[0])
    return label if degree.measured(counts.pairs(book, quarters=[label])).n else None


def last_year(book: Book, quarter: str) -> str | None:
    """Name the same quarter a year before, where both are complete; else None."""
    return previous(book, quarter, quarters=4)


def _sides(moves: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Return held and possible of the earlier and of the later quarter."""
    return [
        tuple(moves[f"{what}_{when}"].to_numpy(float) for what in ("held", "possible")) for when in ("earlier", "later")
    ]


def _degrees(held: Any, possible: Any) -> tuple[Any, Any]:
    """Return each row's degree and whether it has one, both 0 where nothing is possible."""
    has = (possible > 0).astype(float)
    return held / np.maximum(possible, 1), has
