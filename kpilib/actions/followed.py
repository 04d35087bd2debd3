"""What we said, what happened: expected and actual closings, and what working the list added.

Owners choose whom they call first, and choose well: those they reached would have bought more anyway. The effect of
working the list is therefore the difference between the whole list and those held back at random, divided by the
share of the list that was worked (the random draw as instrument); accounts are the units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kpilib.actions.chosen import HELD_BACK, LISTED
from kpilib.actions.workbook import STATUS, WON

MINIMUM = 2


@dataclass(frozen=True)
class Effect:
    """A difference of the share of calls closed, in shares, with its interval and the accounts it rests on.

    ``list`` compares the list with those held back; ``working`` is the same per call worked. None where undefined.
    """

    listed: int
    held_back: int
    worked: float | None
    closed_listed: float | None
    closed_held_back: float | None
    list: float | None
    list_low: float | None
    list_high: float | None
    working: float | None
    working_low: float | None
    working_high: float | None


@dataclass(frozen=True)
class Outcome:
    """What came of every list so far.

    ``lists`` is one row per list (issued: its quarter), ``owners`` and ``grounds`` (None where not told) one per group,
    all of the calls listed, as :func:`calibration`; ``why_not`` as :func:`why_not`; ``effect`` pooled over the lists;
    ``won`` as :func:`won`, by list, and ``unseen`` the calls marked won that the data do not show.
    """

    lists: pd.DataFrame
    effect: Effect
    owners: pd.DataFrame
    grounds: pd.DataFrame | None
    why_not: pd.DataFrame
    won: pd.DataFrame
    unseen: pd.DataFrame


def outcome(came: Sequence[tuple[str, pd.DataFrame]]) -> Outcome | None:
    """Sum up every list whose quarter has come; None where none has.

    Parameters
    ----------
    came
        As :func:`kpilib.actions.record.outcomes` gives it.
    """
    if not came:
        return None
    listed = pd.concat([rows[rows["arm"] == LISTED].assign(issued=label) for label, rows in came], ignore_index=True)
    grounds = calibration(listed, "ground") if "ground" in listed else None
    pooled = effect([rows for _, rows in came])
    by_list, by_owner = (calibration(listed, each) for each in ("issued", "owner"))
    return Outcome(by_list, pooled, by_owner, grounds, why_not(listed), won(listed), unseen(listed))


def effect(rounds: Sequence[pd.DataFrame], level: float = 0.95) -> Effect:
    """Measure what the list added, pooled over the quarters it was issued in.

    Parameters
    ----------
    rounds
        One table per quarter, one row per slot: account_id, arm (``listed`` or ``held back``), worked, closed (bool).
        A quarter with fewer than two accounts on either side is left out.

    Notes
    -----
    A quarter's difference has the variance of Welch; quarters are weighted by listed × held back ÷ both, which does
    not depend on what happened. The effect per call worked is linearised: its influence is closed - effect × worked.
    Both are differences of shares, and are bounded, with their intervals, to what such a difference can be: -1 to 1.
    """
    arms = [_arms(each) for each in rounds]
    arms = [each for each in arms if min(len(part) for part in each) >= MINIMUM]
    if not arms:
        return Effect(0, 0, *[None] * 9)
    sizes = np.array([[len(part) for part in each] for each in arms], float)
    weight = sizes.prod(axis=1) / sizes.sum(axis=1)
    weight = weight / weight.sum()
    worked = float(sum(w * each[0]["worked"].mean() for w, each in zip(weight, arms, strict=True)))
    closed = [float(sum(w * each[n]["closed"].mean() for w, each in zip(weight, arms, strict=True))) for n in (0, 1)]
    change = closed[0] - closed[1]
    plain = _interval(change, [each[0]["closed"] for each in arms], [each[1]["closed"] for each in arms], weight, level)
    by_call: tuple[float | None, float | None, float | None] = (None, None, None)
    if worked > 0:
        ratio = min(max(change / worked, -1.0), 1.0)
        told = [(each[0]["closed"] - ratio * each[0]["worked"]) / worked for each in arms]
        left = [each[1]["closed"] / worked for each in arms]
        by_call = (ratio, *_interval(ratio, told, left, weight, level))
    return Effect(*(int(each) for each in sizes.sum(axis=0)), worked, *closed, change, *plain, *by_call)


def calibration(rows: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Compare what was expected with what came, by owner, reason, product or arm.

    Returns
    -------
    One row per group: accounts, calls, worked, expected (sum of chances, None where unknown), closed, expected_value,
    closed_value (sums of the values of all, and of those closed).
    """
    groups = rows.groupby(by, sort=True, dropna=False) if by else [("all", rows)]
    told = [(name, _calibrated(each)) for name, each in groups]
    table = pd.DataFrame([each for _, each in told])
    return table if by is None else table.assign(**{by: [name for name, _ in told]})[[by, *table.columns]]


def won(rows: pd.DataFrame, by: str = "issued") -> pd.DataFrame:
    """Compare the calls that owners marked won with the client's data; neither is dropped for the other.

    Returns
    -------
    One row per group: ``by``, calls, told (calls that a workbook says something of), won (marked so), seen (of these,
    held at the end of the quarter after the list), later (not then, but held since), unseen (neither, so far), and
    unmarked (held at the end of that quarter without being marked won).
    """
    marked = _marked(rows)
    told = pd.DataFrame(
        {
            by: rows[by],
            "calls": True,
            "told": rows["status"].notna() & (rows["status"].ne(STATUS[0]) | rows["why_not"].notna()),
            "won": marked,
            "seen": marked & rows["closed"],
            "later": marked & ~rows["closed"] & rows["held_since"],
            "unseen": marked & ~rows["closed"] & ~rows["held_since"],
            "unmarked": ~marked & rows["closed"],
        }
    )
    return told.groupby(by, sort=True).sum().astype(int).reset_index()


def unseen(rows: pd.DataFrame) -> pd.DataFrame:
    """List the calls marked won of which the data show nothing so far.

    Returns
    -------
    issued, call, owner, account_id, name (missing where the client has none), product_id.
    """
    left = rows[_marked(rows) & ~rows["closed"] & ~rows["held_since"]]
    named = left.assign(name=left.get("name"))
    return named[["issued", "call", "owner", "account_id", "name", "product_id"]].reset_index(drop=True)


def _marked(rows: pd.DataFrame) -> pd.Series:
    return rows["status"].eq(WON).fillna(False).astype(bool)


def why_not(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the reasons given for calls that did not close: why_not, calls; the commonest first.

    However it is capitalised, a reason is one; it goes by its commonest spelling.
    """
    given = rows.loc[(rows["arm"] == LISTED) & ~rows["closed"], "why_not"].dropna()
    given = given.map(lambda each: " ".join(str(each).split())).replace("", pd.NA).dropna()
    spelt = given.groupby(given.str.casefold()).agg(lambda each: sorted(each.mode())[0])
    counted = given.str.casefold().map(spelt).value_counts()
    table = counted.rename_axis("why_not").reset_index(name="calls")
    return table.sort_values(["calls", "why_not"], ascending=[False, True]).reset_index(drop=True)


def _arms(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Average each account's calls: its share worked and its share closed."""
    numbers = rows.assign(worked=rows["worked"].astype(float), closed=rows["closed"].astype(float))
    mean = numbers.groupby(["arm", "account_id"])[["worked", "closed"]].mean()
    known = mean.index.get_level_values("arm")
    return [mean[known == each] for each in (LISTED, HELD_BACK)]


def _interval(
    value: float, listed: Sequence[pd.Series], left: Sequence[pd.Series], weight: np.ndarray, level: float
) -> tuple[float | None, float | None]:
    parts = [
        (w * w * float(each.var(ddof=1)) / len(each), len(each) - 1)
        for arm in (listed, left)
        for w, each in zip(weight, arm, strict=True)
    ]
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return None, None
    freedom = variance**2 / sum(part**2 / n for part, n in parts if part > 0)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * sqrt(variance)
    return max(value - reach, -1.0), min(value + reach, 1.0)


def _calibrated(rows: pd.DataFrame) -> dict[str, object]:
    chance = pd.to_numeric(rows["chance"])
    value = rows["value"].dropna()
    return {
        "accounts": rows["account_id"].nunique(),
        "calls": len(rows),
        "worked": int(rows["worked"].sum()),
        "expected": None if chance.isna().any() else float(chance.sum()),
        "closed": int(rows["closed"].sum()),
        "expected_value": None if value.empty else sum(value),
        "closed_value": None if value.empty else sum(rows.loc[rows["closed"], "value"].dropna()),
    }
