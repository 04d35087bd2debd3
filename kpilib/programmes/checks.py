"""Whether both sides were alike before the programme began: levels, trends, and an effect where there can be none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.measures import degree as degrees
from kpilib.programmes import effect
from kpilib.programmes.effect import DEGREE, PRODUCTS, REVENUE, Array, Panel
from kpilib.programmes.enrolled import HELD_OUT, TREATED

BASELINE, TREND, PLACEBO = "baseline", "trend", "placebo"
CHECKS = {"check": "object", "measure": "object", **dict.fromkeys(("value", "low", "high", "size"), "float64")}
CHECKS |= {"clear": "bool", "quarters": "int64"}


def before_start(panel: Panel, against: str = HELD_OUT, fewest: int = 1) -> pd.DataFrame:
    """Compare both sides in the quarters before the start.

    Returns
    -------
    One row per check and measure that the quarters allow: check (baseline: level in the last quarter before the
    start; trend: slope a quarter; placebo: second half of the quarters before against the first half, as if the
    programme had begun between them), measure, value (difference between the sides), low, high (95 %), size (of the
    baseline: value ÷ standard deviation of all accounts compared), clear (the interval leaves out zero), quarters
    used. Only checks that have ``fewest`` accounts or more on each side.
    """
    rows = []
    for measure in (DEGREE, PRODUCTS, REVENUE):
        values, ref = _before(panel, measure)
        if not np.nan_to_num(values).any():
            continue
        both = panel.side(TREATED) | panel.side(against)
        level = values[:, ref]
        spread = float(np.nanstd(level[both], ddof=1)) if np.isfinite(level[both]).sum() > 1 else 0.0
        rows.append(_row(panel, against, BASELINE, measure, level, 1, spread))
        number = values.shape[1]
        if number >= 2:
            rows.append(_row(panel, against, TREND, measure, values @ _slope(number), number))
            rows.append(_row(panel, against, PLACEBO, measure, values @ _halves(number), number))
    return degrees.table([told for told, n in rows if n >= fewest], CHECKS)


def _before(panel: Panel, measure: str) -> tuple[Array, int]:
    """Values of the quarters before the start, of accounts counted when it began."""
    if measure != REVENUE:
        values = getattr(panel, measure)[:, panel.before]
        return values, values.shape[1] - 1
    values = panel.revenue[:, ~panel.revenue_after]
    known = np.isfinite(panel.products[:, [panel.ref]])
    return np.where(known, values, np.nan), values.shape[1] - 1


def _slope(number: int) -> Array:
    """Weights that make least-squares slopes of values in order of time."""
    place = np.arange(number) - (number - 1) / 2
    return place / (place**2).sum()


def _halves(number: int) -> Array:
    """Weights of the later half less the earlier half; a quarter in the middle belongs to the earlier."""
    late = number // 2
    early = number - late
    return np.concatenate([np.full(early, -1 / early), np.full(late, 1 / late)])


def _row(
    panel: Panel, against: str, check: str, measure: str, values: Array, quarters: int, spread: float | None = None
) -> tuple[dict[str, object], int]:
    """Compare both sides; beside the row, the accounts of the smaller one."""
    treated = panel.side(TREATED)
    both = treated | panel.side(against)
    found = effect.difference(values[both], treated[both], panel.unit[both], panel.assigned_by)
    size = None if not spread or found.value is None else found.value / spread
    told = {each: getattr(found, each) for each in ("value", "low", "high", "clear")}
    row = {"check": check, "measure": measure, **told, "size": size, "quarters": quarters}
    return row, min(found.n_treated, found.n_against)
