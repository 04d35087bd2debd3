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
ROOM = 1.0  # inches a quarter, so that a value fits beside its mark
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
    _actual(axes, known, slot)
    _expected(axes, coming, labels, known, slot)
    marks.leave_out(axes, [*np.isnan(known), *[False] * len(coming)])
    page.key(_key(coming, scored, np.isnan(known).any()))
    told = {f"{quarter(each.quarter)}, expected": per_cent(each.forecast) for each in coming.itertuples()}
    was = {quarter(label): per_cent(value) for label, value in list(zip(past["quarter"], known, strict=True))[::-1]}
    return page.described("Line chart with a forecast, latest quarter first", told | was)


def _actual(axes: Axes, known: np.ndarray, slot: float) -> None:
    """Draw what was, each value at its point, beside the line; the last one at the left, clear of any range."""
    few = 5 if slot > 0.3 else 3
    axes.plot(range(len(known)), known, color=NOW, lw=2.2, marker="o", ms=few, clip_on=False, zorder=3)
    last = int(np.flatnonzero(~np.isnan(known))[-1])
    step = max(1, int(np.ceil(marks.LABEL / slot)))
    for place in range(last % step, last, step):
        if not np.isnan(known[place]):
            _value(axes, place, known[place], *_beside(known, place))
    falls = last > 0 and known[last - 1] > known[last]
    _value(axes, last, known[last], -6, -6 if falls else 6, ha="right", color=NOW, weight="bold")


def _beside(known: np.ndarray, place: int) -> tuple[int, int]:
    """Choose where a value stands: under a valley, else over the point, and away from a line that rises or falls."""
    before, after = (
        known[each] - known[place] if 0 <= each < len(known) else np.nan for each in (place - 1, place + 1)
    )
    lean = -5 if before < 0 < after else 5 if before > 0 > after else 0
    valley = not (before < 0 or after < 0)
    return lean, -7 if valley else 7


def _value(axes: Axes, place: int, value: float, right: int, up: int, **how: object) -> None:
    """Write a share at a point, so many printer's points to the right and up; or another text there."""
    look = {"ha": "center", "va": "bottom" if up > 0 else "top", "color": MUTED, "fontsize": SMALL, **how}
    text = look.pop("text", per_cent(value))
    axes.annotate(
        text, (place, value), (right, up), textcoords="offset points", annotation_clip=False, zorder=5, **look
    )


def _expected(axes: Axes, coming: pd.DataFrame, labels: list[str], known: np.ndarray, slot: float) -> None:
    """Draw the forecast hollow and dashed from the last actual value on, its range hatched."""
    last = int(np.flatnonzero(~np.isnan(known))[-1])
    places = [labels.index(each) for each in coming["quarter"]]
    axes.plot([last, *places], [known[last], *coming["forecast"]], color=NOW, lw=1.4, ls=(0, (3, 2)), zorder=2)
    for place, row in zip(places, coming.to_dict("records"), strict=True):
        if not missing(row["low"]):
            _hatched(axes, place, row["low"], row["high"])
            _value(axes, place, row["low"], 0, -4)
            _value(axes, place, row["high"], 0, 4)
        axes.plot(place, row["forecast"], "o", ms=7, mfc="white", mec=NOW, mew=1.4, zorder=4, clip_on=False)
        strong = {"color": NOW, "weight": "bold"}
        if place == places[-1] or slot > ROOM:
            _value(axes, place, row["forecast"], 13, 0, ha="left", va="center", **strong)
        else:  # beside its mark stands the next range
            top = row["forecast"] if missing(row["high"]) else row["high"]
            _value(axes, place, top, 0, 8 if missing(row["high"]) else 17, text=per_cent(row["forecast"]), **strong)


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
        entries.append(
            ("hatched: where 19 of 20 should come to lie", {**RANGE, "markeredgecolor": INK, "fillstyle": "none"})
        )
    if len(scored):
        entries.append(("what was expected a quarter before", EARLIER))
    return [*entries, ("left out", marks.LEFT_OUT)] if gaps else entries
