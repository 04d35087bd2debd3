"""Marks that figures are made of: axes of time, bands behind lines, labels at points, rows.

All places are data or inches; nothing here knows what a figure means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kpilib.figures.style import (
    BEFORE,
    GRID,
    INK,
    MARGIN,
    MUTED,
    NOW,
    PALE,
    RULE,
    SMALL,
    TINY,
    WIDTH,
    Page,
    shorten,
    spread,
    tints,
    tone,
)
from kpilib.written import band_ranges, compact, missing, per_cent

LABEL = 0.42  # inches from one value label to the next


def dot(color: str, **how: Any) -> dict[str, Any]:
    """Describe a filled dot for the key of a page."""
    return {"linestyle": "none", "marker": "o", "markersize": 7, "color": color, **how}


def block(color: str, **how: Any) -> dict[str, Any]:
    """Describe a filled square for the key of a page."""
    return {"linestyle": "none", "marker": "s", "markersize": 8, "color": color, **how}


LEFT_OUT = block(PALE, markeredgecolor=RULE)
CHANGES = {
    "clear change": dot(INK),
    "no clear change": dot(MUTED, markerfacecolor="white"),
    "change, not judged": dot(MUTED, marker="s", markerfacecolor="white"),
}


def place(page: Page, axes: Axes, value: float) -> float:
    """Turn a height in data into inches of the page."""
    both = axes.transData + page.dpi_scale_trans.inverted()
    return float(both.transform((0, value))[1])


# axes


def cut(values: np.ndarray) -> tuple[float, float]:
    """Choose where an axis of shares begins and ends: round, near the values, within 0 to 1.

    Example
    -------
    >>> cut(np.array([0.46, 0.683]))
    (0.4, 0.75)
    """
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.04, (most - least) * 0.25)
    low, high = floor((least - room) * 20) / 20, ceil((most + room) * 20) / 20
    return max(low, 0.0), min(high, max(1.0, ceil(most * 20) / 20))


def time_axis(axes: Axes, labels: Sequence[str], inches: float) -> float:
    """Set quarters (or years, where there is no room) under an axis; return inches per quarter."""
    slot = (inches - 1.1) / max(len(labels) - 1, 1)
    axes.set_xlim(-0.4 / slot, len(labels) - 1 + 0.7 / slot)  # the last value stands at the right
    written = _by_quarter(labels) if slot >= 0.3 else _by_year(labels, slot)
    axes.set_xticks(list(written), list(written.values()), fontsize=SMALL, color=INK)
    axes.tick_params(axis="x", pad=9)  # a value at the foot of the axis stands half below it
    return slot


def _by_quarter(labels: Sequence[str]) -> dict[int, str]:
    years = [label.partition("Q")[0] for label in labels]
    return {
        index: f"Q{label.partition('Q')[2]}"
        + (f"\n{years[index]}" if index == 0 or years[index] != years[index - 1] else "")
        for index, label in enumerate(labels)
    }


def _by_year(labels: Sequence[str], slot: float) -> dict[int, str]:
    opening = [index for index, label in enumerate(labels) if label.endswith("Q1")] or [0]
    step = max(1, ceil(0.42 / (4 * slot)))
    return {index: labels[index].partition("Q")[0] for index in opening[::step]}


def value_axis(axes: Axes, low: float, high: float) -> None:
    """Name both ends of an axis of shares, and show where it is cut."""
    axes.set(ylim=(low, high))
    axes.set_yticks([low, high], [per_cent(each, 0) for each in (low, high)], fontsize=TINY)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.spines["left"].set(visible=True, color=RULE)
    if low > 0:
        for up in (0.05, 0.075):
            stroke = Line2D([-0.008, 0.008], [up - 0.012, up + 0.012], color=MUTED, lw=1)
            stroke.set(transform=axes.transAxes, clip_on=False, gid="cut")
            axes.add_artist(stroke)


def level_axis(axes: Axes, values: np.ndarray, inches: float) -> None:
    """Set a cut axis of shares under dots, with room for their values at both sides."""
    low, high, span, room = _levels(values, inches)
    axes.set_xlim(low - room, high + room)
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    step = next(each for each in steps if span / each <= 4 or each == steps[-1])
    ticks = np.arange(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1) * step
    axes.set_xticks(ticks, [per_cent(tick, 0) for tick in ticks], fontsize=TINY, color=MUTED)
    for tick in ticks:
        axes.axvline(tick, color=GRID, lw=0.8, zorder=0)


def level_cut(values: np.ndarray, inches: float) -> str:
    """Say in a note that the axis of :func:`level_axis` does not begin at 0; nothing where it does."""
    low, _, _, room = _levels(values, inches)
    return cut_at(low - room)


def cut_at(begins: float) -> str:
    """Say in a note that an axis of shares does not begin at 0; nothing where it does."""
    return " The axis of shares does not begin at 0%." if begins > 0 else ""


def _levels(values: np.ndarray, inches: float) -> tuple[float, float, float, float]:
    """Find the lowest and the highest value, what the axis spans, and the room beside it."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    span = max(high - low, 0.05)
    return low, high, span, 0.58 * span / (inches - 1.16)


def change_axis(axes: Axes, changes: np.ndarray) -> None:
    """Set an axis of changes about zero; a few very wide intervals do not flatten the rest."""
    sizes = np.abs(changes[np.isfinite(changes)])
    reach = max(min(sizes.max(), 4 * np.median(sizes)), 0.01) * 1.1
    axes.set_xlim(-reach, reach)
    axes.axvline(0, color=RULE, lw=1, zorder=0)


def every(first: int, last: int, apart: float) -> list[int]:
    """Choose whole numbers at least so far apart, round ones where there are many.

    Example
    -------
    >>> every(1, 5, 0.5), every(1, 9, 1.3), every(1, 40, 7.2)
    ([1, 2, 3, 4, 5], [1, 3, 5, 7, 9], [1, 10, 20, 30, 40])
    """
    step = next(size for size in (1, 2, 5, 10, 20, 25, 50, 100, last) if size >= min(apart, last))
    if step <= 2:
        return list(range(first, last + 1, step))
    round_ones = range(step, last + 1, step)
    return [*([first] if step - first >= apart else []), *round_ones] or [first]


def amount_axis(axes: Axes, values: np.ndarray) -> None:
    """Set a few round amounts beside columns that stand on zero."""
    axes.axhline(0, color=RULE, lw=0.8)
    most, least = max(np.nanmax(values), 0), min(np.nanmin(values), 0)
    axes.set_ylim(least * 1.1, most * 1.1 or 1)
    low, high = axes.get_ylim()
    ticks = [tick for tick in MaxNLocator(3).tick_values(least, most) if low <= tick <= high]
    axes.set_yticks(ticks, [compact(tick) for tick in ticks], fontsize=TINY, color=MUTED)


# lines over time


def bands_behind(page: Page, axes: Axes, bands: pd.DataFrame | None, current: float) -> None:
    """Shade the bands that an axis of shares shows, and name them at the right."""
    if bands is None or bands.empty:
        return
    low, high = axes.get_ylim()
    floors = [_floor_of(band) for band in bands.to_dict("records")]
    edges = zip(floors, [*floors[1:], 1.0], strict=True)
    named = []
    for (begins, ends), (tint, ink), title, reach in zip(
        edges, tints(len(bands)), bands["band"], band_ranges(bands), strict=True
    ):
        bottom, top = max(begins, low), min(ends, high)
        if top - bottom > 0.004 * (high - low):
            axes.axhspan(bottom, top, color=tint, lw=0, zorder=0)
            weight = "bold" if begins <= current < ends else "normal"
            named.append((place(page, axes, (bottom + top) / 2), title, reach, ink, weight))
    heights = spread([each[0] for each in named], 0.34, place(page, axes, low) + 0.1, page.top)
    for height, (_, title, reach, ink, weight) in zip(heights, named, strict=True):
        text = f"{shorten(title, 1.0, SMALL, 'bold')}\n{reach}"
        page.write(WIDTH - 1.15, height, text, size=SMALL, color=ink, weight=weight)


def _floor_of(band: Mapping[str, Any]) -> float:
    limit = band["at_least"] if missing(band["above"]) else band["above"]
    return 0.0 if missing(limit) else float(limit) / 100


def line(axes: Axes, values: Sequence[float], name: str, few: bool) -> None:
    """Draw actual solid and dark, the year before lighter, the plan hollow and dashed."""
    how: dict[str, dict[str, Any]] = {
        "now": {"color": NOW, "lw": 2.2, "marker": "o", "ms": 5 if few else 3},
        "before": {"color": BEFORE, "lw": 1.6, "marker": "o", "ms": 3.5 if few else 0},
        "plan": {"color": INK, "lw": 0.9, "ls": (0, (4, 3)), "marker": "o", "mfc": "white",
                 "ms": 4.5 if few else 2.5, "mew": 0.9},
    }  # fmt: skip
    axes.plot(range(len(values)), values, label=name, clip_on=False, **how[name])


def name_lines(page: Page, axes: Axes, named: Mapping[str, Sequence[float]], last: int) -> None:
    """Name lines right of the axis, with what they are where the line of actual values ends."""
    known = {name: [each for each in values if not missing(each)] for name, values in named.items()}
    ends = {name: values[last] for name, values in named.items() if known[name]}
    told = {name: known[name][-1] if missing(end) else end for name, end in ends.items()}
    low, high = (place(page, axes, limit) for limit in axes.get_ylim())
    heights = spread([place(page, axes, each) for each in told.values()], 0.17, low, high)
    for height, name in zip(heights, told, strict=True):
        text = name if missing(ends[name]) else f"{name} {per_cent(ends[name])}"
        page.write(WIDTH - 2.3, height, text, size=SMALL, color=MUTED)


def label_points(page: Page, axes: Axes, lines: Mapping[str, Sequence[float]], slot: float) -> None:
    """Write values at the points of the line ``now``, on the side where no line is in the way."""
    now = lines["now"]
    last = max(index for index, value in enumerate(now) if not missing(value))
    step = max(1, ceil(LABEL / slot))
    tall = place(page, axes, 1) - place(page, axes, 0)
    room = 0.3 / tall
    for index in range(last % step, last, step):
        if not missing(now[index]):
            side, lean = _free_side(lines, index, room), _lean(now, index)
            if now[index] - axes.get_ylim()[0] < room:
                side = 1
            steep = max(abs(each - now[index]) for each in _beside(now, index) or [now[index]]) * tall > slot
            aside = 11 if steep else 4  # a steep line would run through its own value
            axes.annotate(
                per_cent(now[index]).rstrip("%"), (index, now[index]), (-aside * side * lean, 6 * side),
                ha="center", va="bottom" if side > 0 else "top", textcoords="offset points",
                fontsize=SMALL, color=MUTED, annotation_clip=False,
            )  # fmt: skip
    axes.annotate(
        per_cent(now[last]), (last, now[last]), (7, 0), textcoords="offset points", va="center",
        fontsize=11, weight="bold", color=NOW, annotation_clip=False,
    )  # fmt: skip


def _free_side(lines: Mapping[str, Sequence[float]], index: int, room: float) -> int:
    """Choose above (1) or below (-1) a point: away from other lines, outside a bend."""
    now = lines["now"]
    here = now[index]
    others = [values[index] for name, values in lines.items() if name != "now"]
    gaps = np.array([each - here for each in others if not missing(each)])
    crowd = int(np.sum((gaps >= 0) & (gaps < room))) - int(np.sum((gaps < 0) & (-gaps < room)))
    valley = all(each > here for each in _beside(now, index))
    return -1 if crowd > 0 or (crowd == 0 and valley) else 1


def _lean(values: Sequence[float], index: int) -> int:
    """Tell whether a line rises (1) or falls (-1) through a point, or neither."""
    beside = [each - values[index] for each in _beside(values, index)]
    return 0 if len(beside) < 2 else int(np.sign(beside[1])) * (beside[0] * beside[1] < 0)


def _beside(values: Sequence[float], index: int) -> list[float]:
    near = [values[place] for place in (index - 1, index + 1) if 0 <= place < len(values)]
    return [each for each in near if not missing(each)]


def leave_out(axes: Axes, gone: Sequence[bool]) -> None:
    """Grey the places on a time axis that have no figure to show."""
    for is_gone, run in groupby(range(len(gone)), key=lambda index: bool(gone[index])):
        if is_gone:
            places, (first, last) = list(run), axes.get_xlim()
            begins = first if places[0] == 0 else places[0] - 0.5
            ends = last if places[-1] == len(gone) - 1 else places[-1] + 0.5
            axes.axvspan(begins, ends, color=PALE, lw=0, zorder=0.5)


# rows


@dataclass(frozen=True)
class Rows:
    """A ladder of rows, from the top of a page's body down; heights in inches."""

    number: int
    step: float
    head: float = 0.5
    foot: float = 0.1

    @property
    def height(self) -> float:
        """The body that the rows need."""
        return self.head + self.number * self.step + self.foot

    def y(self, page: Page, index: float) -> float:
        """Where a row is."""
        return page.top - self.head - (index + 0.5) * self.step

    def header(self, page: Page) -> float:
        """Where the words over the rows begin."""
        return page.top - self.head + 0.06

    def panel(self, page: Page, left: float, right: float) -> Axes:
        """Add axes in which row 0 is at height 0, row 1 at height 1, and so on down."""
        axes = page.panel(left, right, below=self.foot, above=self.head)
        axes.set_ylim(self.number - 0.5, -0.5)
        return axes

    def names(self, page: Page, names: Sequence[Any], inches: float) -> None:
        """Write names at the left, each as far as it fits."""
        for index, each in enumerate(names):
            if not missing(each):
                page.write(MARGIN, self.y(page, index), shorten(each, inches))

    def column(self, page: Page, right: float, title: str, texts: Sequence[Any], **how: Any) -> None:
        """Write right-aligned texts, one a row, under a title; a text may bring its own ink."""
        page.write(right, self.header(page), title, size=TINY, color=MUTED, ha="right", va="bottom")
        for index, text in enumerate(texts):
            said, ink = text if isinstance(text, tuple) else (text, MUTED)
            look = {"size": SMALL, "ha": "right", "color": ink, **how}
            page.write(right, self.y(page, index), said, **look)


def level(axes: Axes, index: int, now: float, before: float | None, ink: str) -> None:
    """Mark a level, where it was, and an arrow between; the value on the side not come from."""
    side = 1
    if not missing(before):
        axes.plot(before, index, "o", ms=6, color=BEFORE, mew=0, zorder=2)
        side = 1 if now >= before else -1
        low, high = axes.get_xlim()
        if abs(now - before) > 0.07 * (high - low):
            how = {"arrowstyle": "-|>", "color": ink, "lw": 1.3, "shrinkA": 3, "shrinkB": 4}
            axes.annotate("", (now, index), (before, index), arrowprops=how, zorder=1)
    axes.plot(now, index, "o", ms=7.5, color=NOW, mec="white", mew=0.8, zorder=3)
    axes.annotate(
        per_cent(now), (now, index), (7 * side, 0), textcoords="offset points", va="center",
        ha="left" if side > 0 else "right", fontsize=SMALL, weight="bold", color=NOW,
    )  # fmt: skip


def interval(axes: Axes, index: int, change: float, low: float, high: float) -> str:
    """Mark a change and its interval, cut where it runs off the axis; return what it shows."""
    if missing(change):
        return ""
    ink, (left, right) = tone(low, high), axes.get_xlim()
    told = "change, not judged" if missing(low) else "no clear change" if ink == MUTED else "clear change"
    axes.plot(np.clip([low, high], left, right), [index] * 2, color=ink, lw=1.6, zorder=2)
    for end, limit, mark in ((low, left, "<"), (high, right, ">")):
        if abs(end) > abs(limit):
            axes.plot(limit, index, mark, ms=5, color=ink, clip_on=False, zorder=3)
    if left < change < right:
        how = {**CHANGES[told], "color": ink} if told == "clear change" else CHANGES[told]
        axes.plot(change, index, **{**how, "markersize": 6}, zorder=3)
    return told
