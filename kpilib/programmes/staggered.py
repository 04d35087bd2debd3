"""Programmes that begin at different times: every start compared with those never in it (Callaway and Sant'Anna 2021).

An optional extra, ``pip install 'kpilib[did]'``, does the estimating. Two-way fixed effects would use those who began
early as controls for those who began late, and is not offered.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pandas as pd

from kpilib.errors import DataError
from kpilib.programmes.effect import Difference, Panel
from kpilib.programmes.enrolled import ACCOUNT, HELD_OUT, TREATED, Programme

INSTALL = "pip install 'kpilib[did]'"
NEVER = 0


def installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec("diff_diff") is not None


def effect(panel: Panel, programme: Programme) -> Difference:
    """Estimate the average effect on the degree of those in the programme, over their quarters in it.

    Raises
    ------
    DataError
        When the extra is not installed, or nobody was held out.
    """
    if not programme.held_out:
        raise DataError("Nobody was held out.", "", "Compare staggered starts only with customers never in them.")
    starts = programme.members.loc[:, "start_quarter"].where(programme.members["arm"] == TREATED)
    complete = np.isfinite(panel.degree).all(axis=1)
    times = np.array([each.index for each in programme.quarters])
    rows = pd.DataFrame({
        "account": np.repeat(np.flatnonzero(complete), len(times)),
        "quarter": np.tile(times - times[0] + 1, int(complete.sum())),
        "degree": panel.degree[complete].ravel(),
        "start": np.repeat((starts - times[0] + 1).fillna(NEVER).to_numpy(int)[complete], len(times)),
        "unit": np.repeat(panel.unit[complete], len(times)),
    })  # fmt: skip
    value, error = overall(rows, None if panel.assigned_by == ACCOUNT else "unit")
    sizes = [int((complete & panel.side(arm)).sum()) for arm in (TREATED, HELD_OUT)]
    units = [len(np.unique(panel.unit[complete & panel.side(arm)])) for arm in (TREATED, HELD_OUT)]
    reach = 1.959963984540054 * error
    return Difference(value, value - reach, value + reach, *sizes, *units, "Callaway and Sant'Anna, never treated")


def overall(rows: pd.DataFrame, unit: str | None = None) -> tuple[float, float]:
    """Average the effects of all starts and quarters, weighted by accounts: the effect and its standard error.

    Parameters
    ----------
    rows
        account, quarter (numbers in order of time), degree, start (the quarter of the start, 0: never).
    unit
        The column of what was assigned, where that is not the account.

    Raises
    ------
    DataError
        When the extra is not installed.
    """
    found = _fitted(rows, unit)
    return float(found.overall_att), float(found.overall_se)


def _fitted(rows: pd.DataFrame, unit: str | None, **more: Any) -> Any:
    if not installed():
        raise DataError(
            "Starts in different quarters need an extra that is not installed.", "", f"Install it: {INSTALL}"
        )
    from diff_diff import CallawaySantAnna

    model = CallawaySantAnna(control_group="never_treated", cluster=unit)
    return model.fit(rows, outcome="degree", unit="account", time="quarter", first_treat="start", **more)
