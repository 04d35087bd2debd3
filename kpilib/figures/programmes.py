"""A programme in one picture: both sides quarter by quarter, its start marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kpilib.figures import marks
from kpilib.figures.style import BEFORE, GRID, INK, MUTED, NOW, RULE, SMALL, TINY, WIDTH, Page, drawn, spread
from kpilib.written import compact, floats, needing, points, quarter

INKS = {"treated": NOW, "against": BEFORE}
RIGHT = WIDTH - 1.75
APART = 0.09  # quarters between the two sides, so that neither hides the other's interval


@drawn
def events(
    table: pd.DataFrame, title: str, subtitle: str, note: str, names: tuple[str, str], measure: str = "degree"
) -> Page:
    """Draw the change of both sides since the last quarter before the start, with intervals.

    Parameters
    ----------
    table
        One row per measure and quarter: measure, quarter, is_after, since_start, treated, treated_low, treated_high,
        against, against_low, against_high.
    names
        What to call those in the programme and those it is compared with.
    """
    table = needing(table, "measure", "quarter", "is_after", "treated", "against")
    table = table[table["measure"] == measure].reset_index(drop=True)
    if not np.isfinite(floats(table, "treated")).any():
        return Page(title, subtitle, note, 1.2).nothing("There is nobody to compare with.")
    page = Page(title, subtitle, note, 3.4)
    axes = page.panel(0.6, RIGHT, 0.48, 0.3)
    _axes(axes, table, measure)
    marks.time_axis(axes, list(table["quarter"]), RIGHT - 0.6)
    axes.set_xlim(-0.5, len(table) - 0.6)
    _start(axes, table)
    for side, shift in (("against", APART), ("treated", -APART)):
        _side(axes, table, side, shift)
    _name_ends(page, axes, table, names, measure)
    last = table.iloc[-1]
    told = {one: _written(last[side], measure) for side, one in zip(INKS, names, strict=True)}
    return page.described(f"Two lines, change by {quarter(last['quarter'])}", told)


def _axes(axes: Axes, table: pd.DataFrame, measure: str) -> None:
    ends = [floats(table, f"{side}{end}") for side in INKS for end in ("", "_low", "_high")]
    low, high = min(np.nanmin(ends), 0.0), max(np.nanmax(ends), 0.0)
    room = 0.08 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)
    ticks = [each for each in MaxNLocator(5).tick_values(low, high) if low - room <= each <= high + room]
    axes.set_yticks(ticks, [_tick(each, measure) for each in ticks], fontsize=TINY, color=MUTED)
    for each in ticks:
        axes.axhline(each, color=RULE if each == 0 else GRID, lw=0.8, zorder=0)


def _start(axes: Axes, table: pd.DataFrame) -> None:
    """Mark where the programme began: between the last quarter before and the first one after."""
    first = int(np.flatnonzero(table["is_after"].to_numpy(bool))[0])
    axes.axvline(first - 0.5, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        "start", (first - 0.5, 1), (0, 3), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="center", va="bottom", fontsize=SMALL, color=INK, annotation_clip=False,
    )  # fmt: skip


def _side(axes: Axes, table: pd.DataFrame, side: str, shift: float) -> None:
    at, ink = np.arange(len(table)) + shift, INKS[side]
    value, low, high = (floats(table, f"{side}{end}") for end in ("", "_low", "_high"))
    axes.vlines(at, low, high, color=ink, lw=1.6, zorder=2)
    axes.plot(at, value, color=ink, lw=2, marker="o", ms=5, mec="white", mew=0.8, zorder=3, clip_on=False)


def _name_ends(page: Page, axes: Axes, table: pd.DataFrame, names: tuple[str, str], measure: str) -> None:
    ends = [float(table[side].iloc[-1]) for side in INKS]
    low, high = (marks.place(page, axes, limit) for limit in axes.get_ylim())
    heights = spread([marks.place(page, axes, each) for each in ends], 0.34, low, high)
    looks = ((NOW, "bold"), (MUTED, "normal"))
    for height, one, end, (ink, weight) in zip(heights, names, ends, looks, strict=True):
        page.write(RIGHT + 0.08, height, f"{one}\n{_written(end, measure)}", size=SMALL, color=ink, weight=weight)


def _tick(value: float, measure: str) -> str:
    shown = _written(value, measure)
    return shown.removesuffix(".0") if measure == "degree" else shown


def _written(value: float, measure: str) -> str:
    if measure == "degree":
        return points(value)
    value = round(value, 1 if measure == "products" else 0) + 0.0  # what rounds away has no sign
    sign = "+" if value > 0 else ""
    return f"{sign}{value:.1f}".replace("-", "−") if measure == "products" else sign + compact(value)
