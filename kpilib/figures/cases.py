"""A published case in one picture: every reading of it, for the firm and for its twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kpilib.figures.marks import Rows
from kpilib.figures.style import (
    BEFORE,
    GRID,
    INK,
    MARGIN,
    MUTED,
    NOW,
    RULE,
    SMALL,
    TINY,
    WIDTH,
    Page,
    drawn,
    shorten,
    tone,
)
from kpilib.written import floats, missing, name, needing, points

INKS = {"published": MUTED, "before_after": NOW, "held_out": BEFORE, "truth": INK}
RIGHT = WIDTH - 2.0


@drawn
def readings(table: pd.DataFrame, labels: Mapping[str, str], title: str, subtitle: str, note: str) -> Page:
    """Draw one row per reading, with its interval where it has one, firm by firm.

    Parameters
    ----------
    table
        firm, reading (published, before_after, held_out, difference, truth), value (difference of shares), low, high.
    labels
        What to call each reading.
    """
    table = needing(table, "firm", "reading", "value", "low", "high")
    rows: list[dict[str, Any] | str] = []
    for firm, each in table.groupby("firm", sort=False):
        rows += [str(firm), *each.to_dict("records")]
    grid = Rows(len(rows), 0.27, 0.05, 0.3)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, 3.2, RIGHT)
    _axis(axes, np.concatenate([floats(table, each) for each in ("value", "low", "high")]))
    for index, row in enumerate(rows):
        if isinstance(row, str):
            page.write(MARGIN, grid.y(page, index), shorten(row, 2.9, weight="bold"), weight="bold")
            continue
        page.write(MARGIN + 0.12, grid.y(page, index), labels[row["reading"]], size=SMALL + 0.5, color=INK)
        _mark(axes, index, row)
        look = {"weight": "bold"} if row["reading"] in ("difference", "truth") else {}
        page.write(RIGHT + 0.1, grid.y(page, index), _told(row), size=SMALL, color=_text_ink(row), **look)
    told = {f"{name(row['firm'])}, {labels[row['reading']]}": points(row["value"]) for row in table.to_dict("records")}
    return page.described("Rows, change in points", told)


def _axis(axes: Axes, values: np.ndarray) -> None:
    low, high = min(float(np.nanmin(values)), 0.0), max(float(np.nanmax(values)), 0.0)
    room = 0.04 * (high - low) or 0.01
    axes.set_xlim(low - room, high + room)
    ticks = [each for each in MaxNLocator(5).tick_values(low, high) if low - room <= each <= high + room]
    axes.set_xticks(ticks, [points(each).removesuffix(".0") for each in ticks], fontsize=TINY, color=MUTED)
    for each in ticks:
        axes.axvline(each, color=RULE if each == 0 else GRID, lw=0.8, zorder=0)


def _mark(axes: Axes, index: int, row: Mapping[str, Any]) -> None:
    ink = _ink(row)
    if not missing(row["low"]):
        axes.plot([row["low"], row["high"]], [index] * 2, color=ink, lw=1.8, zorder=2)
    hollow = row["reading"] == "published" or (row["reading"] == "difference" and ink == MUTED)
    look = {"marker": "D", "ms": 5.5} if row["reading"] == "truth" else {"marker": "o", "ms": 7}
    axes.plot(row["value"], index, color=ink, mfc="white" if hollow else ink, mec=ink, mew=1.2, zorder=3, **look)


def _ink(row: Mapping[str, Any]) -> str:
    return INKS.get(row["reading"]) or tone(row["low"], row["high"])


def _text_ink(row: Mapping[str, Any]) -> str:
    """Choose an ink that small text can be read in."""
    return MUTED if row["reading"] == "held_out" else _ink(row)


def _told(row: Mapping[str, Any]) -> str:
    interval = "" if missing(row["low"]) else f"  ({points(row['low'])} to {points(row['high'])})"
    return f"{points(row['value'])}{interval}"
