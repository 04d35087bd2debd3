"""The figure of a forecast: what was, what is expected next, and what the last forecast was worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kpilib.figures import marks
from kpilib.figures.marks import dot
from kpilib.figures.style import INK, MUTED, NOW, SMALL, WIDTH, Page, drawn
from kpilib.written import missing, needing, per_cent, quarter

HALF = 0.16  # of a quarter: half the width of a range
EXPECTED = dot("white", markeredgecolor=NOW, markeredgewidth=1.4)
EARLIER = dot("white", marker="D", markersize=6, markeredgecolor=MUTED, markeredgewidth=1.2)
RANGE = {"linestyle": "none", "marker": "s", "markersize": 8, "color": "white", "markeredgecolor": NOW}


@drawn
def trend(
    by_quarter: pd.DataFrame, ahead: pd.DataFrame, scored: pd.DataFrame, title: str, subtitle: str, note: str
) -> Page:
    """Draw the degree by quarter, the quarters ahead with their range, and the last forecast beside what came.

    Parameters
    ----------
    by_quarter
        One row per quarter, oldest first: quarter, complete, mean (0-1); up to the one the forecast is made at.
    ahead
        One row per quarter ahead: quarter, forecast, low, high (0-1; low and high missing where there is no range).
    scored
        At most one row: quarter, forecast, low, high, as they were forecast a quarter before.
    """  # fmt: skip
    past = needing(by_quarter, "quarter", "complete", "mean")
    coming = needing(ahead, "quarter", "forecast", "low", "high").dropna(subset=["forecast"])
    known = np.where(past["complete"].astype(bool), past["mean"].astype(float), np.nan)
    if np.isnan(known).all() or coming.empty:
        return Page(title, subtitle, note, 1.2).nothing("There is nothing to forecast from yet.")
    labels = [*past["quarter"], *coming["quarter"]]
    ends = [
        coming[["forecast", "low", "high"]].to_numpy(float).ravel(),
        scored[["forecast", "low", "high"]].to_numpy(float),
    ]
    low, high = marks.cut(np.concatenate([known, *(each.ravel() for each in ends)]))
    begins = f" The vertical axis is cut: it begins at {per_cent(low, 0)}." if low else ""
    page = Page(title, subtitle, note + begins, 3.4)
    axes = page.panel(0.55, WIDTH - 0.3, below=0.48, above=0.5)
    slot = marks.time_axis(axes, labels, WIDTH - 0.85)
    marks.value_axis(axes, low, high)
    _earlier(axes, scored, labels)
    _actual(page, axes, known, slot, coming)
    _expected(axes, coming, labels, known)
    marks.leave_out(axes, [*np.isnan(known), *[False] * len(coming)])
    page.key(_key(coming, scored, np.isnan(known).any()))
    told = {f"{quarter(each.quarter)}, expected": per_cent(each.forecast) for each in coming.itertuples()}
    was = {quarter(label): per_cent(value) for label, value in list(zip(past["quarter"], known, strict=True))[::-1]}
    return page.described("Line chart with a forecast, latest quarter first", told | was)


def _actual(page: Page, axes: Axes, known: np.ndarray, slot: float, coming: pd.DataFrame) -> None:
    """Draw what was, each value at its point; the last one keeps clear of what is expected next."""
    axes.plot(
        range(len(known)), known, color=NOW, lw=2.2, marker="o", ms=5 if slot > 0.3 else 3, clip_on=False, zorder=3
    )
    last = int(np.flatnonzero(~np.isnan(known))[-1])
    step = max(1, int(np.ceil(marks.LABEL / slot)))
    below = coming["forecast"].iloc[0] > known[last]
    for place in range(last % step, last + 1, step):
        if not np.isnan(known[place]):
            _value(axes, place, known[place], _under(known, place) if place != last else below, place == last)


def _under(known: np.ndarray, place: int) -> bool:
    """Write a value under its point in a valley, else over it."""
    beside = [known[each] for each in (place - 1, place + 1) if 0 <= each < len(known)]
    return all(each > known[place] for each in beside)


def _value(axes: Axes, place: float, value: float, under: bool, strong: bool) -> None:
    axes.annotate(
        per_cent(value), (place, value), (0, -8 if under else 8), textcoords="offset points", ha="center",
        va="top" if under else "bottom", fontsize=SMALL, color=NOW if strong else MUTED,
        weight="bold" if strong else "normal", annotation_clip=False, zorder=5,
    )  # fmt: skip


def _expected(axes: Axes, coming: pd.DataFrame, labels: list[str], known: np.ndarray) -> None:
    """Draw the forecast hollow and dashed from the last actual value on, its range hatched."""
    last = int(np.flatnonzero(~np.isnan(known))[-1])
    places = [labels.index(each) for each in coming["quarter"]]
    axes.plot([last, *places], [known[last], *coming["forecast"]], color=NOW, lw=1.4, ls=(0, (3, 2)), zorder=2)
    for place, row in zip(places, coming.to_dict("records"), strict=True):
        if not missing(row["low"]):
            _hatched(axes, place, row["low"], row["high"])
        axes.plot(place, row["forecast"], "o", ms=7, mfc="white", mec=NOW, mew=1.4, zorder=4, clip_on=False)
        axes.annotate(
            per_cent(row["forecast"]), (place, row["forecast"]), (13, 0), textcoords="offset points", va="center",
            fontsize=SMALL, weight="bold", color=NOW, annotation_clip=False, zorder=5,
        )  # fmt: skip
        for end, side in ((row["low"], -1), (row["high"], 1)):
            if not missing(end):
                axes.annotate(
                    per_cent(end), (place, end), (0, 4 * side), textcoords="offset points", ha="center",
                    va="bottom" if side > 0 else "top", fontsize=SMALL, color=MUTED, annotation_clip=False,
                )  # fmt: skip


def _hatched(axes: Axes, place: int, low: float, high: float) -> None:
    axes.add_patch(
        Rectangle(
            (place - HALF, low), 2 * HALF, high - low, facecolor="white", edgecolor=NOW, hatch="////", lw=0.8, zorder=1
        )
    )


def _earlier(axes: Axes, scored: pd.DataFrame, labels: list[str]) -> None:
    """Mark what was expected of a quarter that has come since, with its range as a bracket."""
    for row in scored.to_dict("records"):
        place = labels.index(row["quarter"])
        if not missing(row["low"]):
            axes.plot([place] * 2, [row["low"], row["high"]], color=MUTED, lw=1.2, zorder=2)
            for end in (row["low"], row["high"]):
                axes.plot([place - 0.08, place + 0.08], [end] * 2, color=MUTED, lw=1.2, zorder=2)
        axes.plot(place, row["forecast"], "D", ms=6, mfc="white", mec=MUTED, mew=1.2, zorder=2.5, clip_on=False)


def _key(coming: pd.DataFrame, scored: pd.DataFrame, gaps: bool) -> list[tuple[str, dict[str, object]]]:
    entries = [("actual", dot(NOW)), ("expected", EXPECTED)]
    if coming["low"].notna().any():
        entries.append(("range that holds 19 of 20", {**RANGE, "markeredgecolor": INK, "fillstyle": "none"}))
    if len(scored):
        entries.append(("what was expected a quarter before", EARLIER))
    return [*entries, ("left out", marks.LEFT_OUT)] if gaps else entries
