"""What customers say, by how much they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kpilib.figures.marks import Rows
from kpilib.figures.style import BEFORE, GRID, MARGIN, MUTED, NOW, RULE, SIZE, SMALL, TINY, WIDTH, Page, drawn, shorten
from kpilib.written import count, floats, missing, name, needing, per_cent


@drawn
def by_band(
    table: pd.DataFrame, scale: Sequence[float], title: str, subtitle: str, note: str, minimum: int = 5
) -> Page:
    """Draw one row per band: the mean score on its scale, and the share of customers it rests on.

    Parameters
    ----------
    table
        In rising order: band, accounts, coverage (0-1), n, score, suppressed: such a band is named and no more.
    scale
        The lowest and the highest score a customer could give.
    """
    table = needing(table, "band", "accounts", "coverage", "n", "score", "suppressed")
    if table.empty or floats(table, "score").size == 0 or np.isnan(floats(table, "score")).all():
        return Page(title, subtitle, note, 1.2).nothing("Too few customers gave feedback to show a score.")
    shown = ~table["suppressed"].astype(bool)
    table = table.assign(**{each: np.where(shown, floats(table, each), np.nan) for each in ("coverage", "score")})
    grid = Rows(len(table), 0.42, 0.3, 0.3)
    page = Page(title, subtitle, note, grid.height)
    for index, row in enumerate(table.to_dict("records")):
        page.write(MARGIN, grid.y(page, index), shorten(row["band"], 1.5, SIZE, "bold"), weight="bold")
    customers = [count(n) if known else "" for n, known in zip(table["accounts"], shown, strict=True)]
    grid.column(page, 2.5, "customers", customers)
    _scores(page, grid, table, scale, minimum)
    _coverage(page, grid, table)
    told = {name(row["band"]): _score(row["score"]) for row in table.to_dict("records") if not missing(row["score"])}
    return page.described("Mean score by band, lowest band first", told)


def _scores(page: Page, grid: Rows, table: pd.DataFrame, scale: Sequence[float], minimum: int) -> None:
    low, high = (float(each) for each in scale)
    axes = grid.panel(page, 2.8, 6.0)
    room = 0.06 * (high - low)
    axes.set_xlim(low - room, high + room)
    page.write(4.4, grid.header(page), "mean score", size=TINY, color=MUTED, ha="center", va="bottom")
    ticks = np.linspace(low, high, 6) if (high - low) % 5 == 0 else np.array([low, (low + high) / 2, high])
    axes.set_xticks(ticks, [f"{each:g}" for each in ticks], fontsize=TINY, color=MUTED)
    for tick in ticks:
        axes.axvline(tick, color=GRID, lw=0.8, zorder=0)
    for index, row in enumerate(table.to_dict("records")):
        if missing(row["score"]):
            page.write(2.95, grid.y(page, index), _few(row, minimum), size=SMALL, color=MUTED, style="italic")
        else:
            _dot(axes, index, float(row["score"]), (low + high) / 2)


def _few(row: dict[str, Any], minimum: int) -> str:
    """Say why a band has no score: too few answers, or enough, which would tell those of another band."""
    return f"fewer than {minimum} answers" if row["n"] < minimum else "not shown"


def _dot(axes: Axes, index: int, score: float, middle: float) -> None:
    side = -1 if score > middle else 1  # towards the middle, where the value has room
    axes.plot(score, index, "o", ms=7.5, color=NOW, mec="white", mew=0.8, zorder=3)
    axes.annotate(
        _score(score), (score, index), (8 * side, 0), textcoords="offset points", va="center",
        ha="left" if side > 0 else "right", fontsize=SMALL, weight="bold", color=NOW,
    )  # fmt: skip


def _coverage(page: Page, grid: Rows, table: pd.DataFrame) -> None:
    axes = grid.panel(page, 6.45, 8.15)
    share = floats(table, "coverage")
    axes.set_xlim(-0.01, 1.01)
    shown = np.flatnonzero(np.isfinite(share))
    axes.barh(shown, np.ones(len(shown)), height=0.3, color="white", ec=RULE, lw=0.8)
    axes.barh(shown, share[shown], height=0.3, color=BEFORE)
    page.write(6.45, grid.header(page), "gave feedback", size=TINY, color=MUTED, va="bottom")
    grid.column(page, WIDTH - MARGIN, "", [per_cent(each) if np.isfinite(each) else "" for each in share])


def _score(score: float) -> str:
    return f"{score:.1f}"
