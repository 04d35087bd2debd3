"""How much may be said: descriptive, suggestive or controlled, by stated rules.

*controlled*: a sound hold-out from the same enrolment; enough accounts and units on both sides; two complete quarters
or more before, in which levels were alike (within a quarter of a standard deviation) and neither trend nor placebo
shows a clear difference; nobody else's programme fell on one side more than on the other; as many lost on either side.
*suggestive*: a hold-out that misses one of these; or no hold-out, but other customers to compare with, at least two
quarters before, no clear difference of trend, and the chosen not far below the others. *descriptive*: all else.
A programme aimed at chosen customers without a hold-out is never above suggestive.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kpilib.programmes import checks, threats
from kpilib.programmes.effect import DEGREE
from kpilib.programmes.enrolled import HELD_OUT, OTHERS

DESCRIPTIVE, SUGGESTIVE, CONTROLLED = "descriptive", "suggestive", "controlled"
UNEVEN = 0.25  # standard deviations

NO_COMPARISON = "no_comparison"
NO_HOLD_OUT = "no_hold_out"
UNEVEN_START = "uneven_start"
TREND_APART = "trend_apart"
FEW_BEFORE = "few_quarters_before"
OVERLAP = "overlap"
ATTRITION = "attrition"
CHOSEN_LOW = "chosen_low"


@dataclass(frozen=True)
class Verdict:
    """The word that everything said of a programme keeps to, and what stands in the way of a better one."""

    word: str
    reasons: tuple[str, ...]


def of(against: str | None, checked: pd.DataFrame, found: pd.DataFrame) -> Verdict:
    """Judge a programme.

    Parameters
    ----------
    against
        held_out where there is a sound hold-out, others where it is compared with customers not in it, None where
        there is nobody to compare with.
    checked
        :func:`kpilib.programmes.checks.before_start`.
    found
        :func:`kpilib.programmes.threats.panel_of`.
    """
    if against is None:
        return Verdict(DESCRIPTIVE, (NO_COMPARISON,))
    reasons = [*([NO_HOLD_OUT] if against == OTHERS else []), *_unlike(checked), *_threatened(found, against)]
    if against == HELD_OUT:
        return Verdict(SUGGESTIVE if reasons else CONTROLLED, tuple(reasons))
    too_much = {TREND_APART, FEW_BEFORE, CHOSEN_LOW} & set(reasons)
    return Verdict(DESCRIPTIVE if too_much else SUGGESTIVE, tuple(reasons))


def _unlike(checked: pd.DataFrame) -> list[str]:
    mine = checked[checked["measure"] == DEGREE].set_index("check")
    told = []
    if checks.BASELINE in mine.index and abs(mine.loc[checks.BASELINE, "size"]) > UNEVEN:
        told.append(UNEVEN_START)
    if any(mine.loc[each, "clear"] for each in (checks.TREND, checks.PLACEBO) if each in mine.index):
        told.append(TREND_APART)
    return told


def _threatened(found: pd.DataFrame, against: str) -> list[str]:
    there = found[found["found"]]
    told = []
    if (there["threat"] == threats.PERIODS).any():
        told.append(FEW_BEFORE)
    if ((there["threat"] == threats.OVERLAP) & ~there["held_off"]).any():
        told.append(OVERLAP)
    if (there["threat"] == threats.ATTRITION).any():
        told.append(ATTRITION)
    if against == OTHERS and (there["threat"] == threats.REGRESSION).any():
        told.append(CHOSEN_LOW)
    return told
