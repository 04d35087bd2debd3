"""Programmes that begin at different times: every start compared with those never in it (Callaway and Sant'Anna 2021).

An optional extra, ``pip install 'kpilib[did]'``, does the estimating. Two-way fixed effects would use those who began
early as controls for those who began late, and is not offered.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kpilib.errors import DataError
from kpilib.measures import uncertainty
from kpilib.programmes.effect import Array, Difference, Panel
from kpilib.programmes.enrolled import FEWEST_ACCOUNTS, HELD_OUT, TREATED, Programme

INSTALL = "pip install 'kpilib[did]'"
NEVER = 0
FEWEST_UNITS = 5  # on each side
SEVERAL_STARTS = "several_starts"  # why no payback is worked out, however controlled


def installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec("diff_diff") is not None


def effect(panel: Panel, programme: Programme, fewest: int = FEWEST_ACCOUNTS, level: float = 0.95) -> Difference:
    """Estimate the effect on the degree of those in the programme, averaged over their quarters since each start.

    Only accounts counted in every quarter enter, and what was drawn counts alike: a unit is the mean of its accounts.

    Raises
    ------
    DataError
        When the extra is not installed, nobody was held out, customers of one unit began in different quarters, or
        fewer accounts than ``fewest`` or units than :data:`FEWEST_UNITS` enter on a side.

    Notes
    -----
    Student's t with the units of the smaller side less one: the normal limits call chance an effect in one of five to
    ten programmes of few units. Without an effect, of 1,000 invented programmes each of 5 to 20 units a side, of one
    size or many, in two to five waves, 2.6 to 5.9 % are called clear; the fewest counts as 5, because with 3 or 4 the
    standard error itself is a quarter too small and the interval says next to nothing.
    """
    if not programme.held_out:
        raise DataError("Nobody was held out.", "", "Compare staggered starts only with customers never in them.")
    complete = np.isfinite(panel.degree).all(axis=1) & (panel.side(TREATED) | panel.side(HELD_OUT))
    sides = [complete & panel.side(arm) for arm in (TREATED, HELD_OUT)]
    n, units = [int(side.sum()) for side in sides], [len(np.unique(panel.unit[side])) for side in sides]
    for what, sizes, least in (("customer", n, fewest), (programme.assigned_by, units, FEWEST_UNITS)):
        if min(sizes) < least:
            raise DataError(
                f"{programme.name!r} began in different quarters, with too few to tell an effect from chance.",
                f"Counted by {what}, {sizes[0]} in it and {sizes[1]} held out are there in every quarter; {least} on "
                "each side is the least.",
                "Take more, or begin with all at once.",
            )
    value, error = overall(_of_units(panel, programme, complete))
    method = f"Callaway and Sant'Anna, never treated; means of {programme.assigned_by}, t"
    if not error > uncertainty.ROUNDING:
        return Difference(value, None, None, *n, *units, method)
    reach = float(stdtrit(min(units) - 1, (1 + level) / 2)) * error
    return Difference(value, value - reach, value + reach, *n, *units, method)


def _of_units(panel: Panel, programme: Programme, complete: Array) -> pd.DataFrame:
    """Average the degree of every unit in every quarter, with the quarter in which it began."""
    starts = programme.members["start_quarter"].where(programme.members["arm"] == TREATED)
    first = programme.quarters[0].index
    began = (starts - first + 1).fillna(NEVER).to_numpy(int)
    began = np.pad(began, (0, len(panel.unit) - len(began)))[complete]
    unit = panel.unit[complete]
    waves = pd.DataFrame({"unit": unit, "start": began}).drop_duplicates()
    if waves["unit"].duplicated().any():
        raise DataError(
            f"{programme.name!r} began in different quarters for customers of one {programme.assigned_by}.",
            f"So it did in {int(waves['unit'].duplicated(keep=False).sum() // 2)} or more of them.",
            f"Name what was drawn, or give each {programme.assigned_by} one start.",
        )
    times = np.array([each.index for each in programme.quarters]) - first + 1
    table = pd.DataFrame(panel.degree[complete], columns=times).assign(account=unit, start=began)
    means = table.groupby(["account", "start"], as_index=False).mean()
    return means.melt(["account", "start"], var_name="quarter", value_name="degree").astype({"quarter": int})


def overall(rows: pd.DataFrame) -> tuple[float, float]:
    """Average the effects of all starts and quarters, weighted by accounts: the effect and its standard error.

    Parameters
    ----------
    rows
        account (or what was drawn), quarter (numbers in order of time), degree, start (its quarter, 0: never).

    Raises
    ------
    DataError
        When the extra is not installed.
    """
    if not installed():
        raise DataError(
            "Starts in different quarters need an extra that is not installed.", "", f"Install it: {INSTALL}"
        )
    from diff_diff import CallawaySantAnna

    model = CallawaySantAnna(control_group="never_treated")
    found = model.fit(rows, outcome="degree", unit="account", time="quarter", first_treat="start")
    return float(found.overall_att), float(found.overall_se)
