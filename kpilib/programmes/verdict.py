"""How much may be said: descriptive, suggestive or controlled, by stated rules.

*controlled*: a sound hold-out from the same enrolment; enough accounts and units on both sides enter the estimate; two
complete quarters or more before, in which levels were alike (within a quarter of a standard deviation) and neither
trend nor placebo shows a clear difference; a full quarter after; both sides alike within chance in what they were, and
in what befell them since (catalogue, mix, lost and new customers); no attribute that splits into the two sides; nobody
else's programme reached those held out, or one side more than the other; as many lost on either side.
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
NOT_SOUND = "no_sound_hold_out"
TOO_FEW = "too_few_counted"
APART_IN_TIME = "starts_apart"
OTHERS_REACHED = "others_reached"
FEW_UNITS = "few_units"
NO_HOLD_OUT = "no_hold_out"
UNEVEN_START = "uneven_start"
TREND_APART = "trend_apart"
FEW_BEFORE = "few_quarters_before"
FEW_AFTER = "few_quarters_after"
OVERLAP = "overlap"
UNLIKE = "unlike"
ONE_SIDED = "one_sided"
HIT_UNLIKE = "hit_unlike"
ATTRITION = "attrition"
CHOSEN_LOW = "chosen_low"


@dataclass(frozen=True)
class Verdict:
    """The word that everything said of a programme keeps to, and what stands in the way of a better one."""

    word: str
    reasons: tuple[str, ...]


def of(
    against: str | None, checked: pd.DataFrame, found: pd.DataFrame, alone: str = NO_COMPARISON, few: bool = False
) -> Verdict:
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
    alone
        Why there is nobody to compare with, where there is nobody.
    few
        Whether too little of what was drawn is known for an interval.
    """
    if against is None:
        return Verdict(DESCRIPTIVE, (alone,))
    reasons = [*([NO_HOLD_OUT] if against == OTHERS else []), *([FEW_UNITS] if few else [])]
    reasons += [*_unlike(checked), *_threatened(found, against)]
    if against == HELD_OUT:
        return Verdict(SUGGESTIVE if reasons else CONTROLLED, tuple(reasons))
    too_much = {TREND_APART, FEW_BEFORE, CHOSEN_LOW, FEW_UNITS} & set(reasons)
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
    if (there["threat"] == threats.AFTER).any():
        told.append(FEW_AFTER)
    if ((there["threat"] == threats.OVERLAP) & ~there["held_off"]).any():
        told.append(OVERLAP)
    if (there["threat"] == threats.ATTRITION).any():
        told.append(ATTRITION)
    told += [each for each in (UNLIKE, ONE_SIDED) if (there["threat"] == each).any()]
    stays = set(there.loc[~there["held_off"], "threat"]) & set(threats.BEFELL)
    if against == HELD_OUT and stays - ({threats.SURVIVORS} if ATTRITION in told else set()):
        told.append(HIT_UNLIKE)
    if against == OTHERS and (there["threat"] == threats.REGRESSION).any():
        told.append(CHOSEN_LOW)
    return told
