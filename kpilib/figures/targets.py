"""What was reached beside what was planned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.figures import marks
from kpilib.figures.marks import Rows, dot
from kpilib.figures.style import BAD, GOOD, INK, MARGIN, MUTED, NOW, SMALL, WIDTH, Page, drawn, shorten
from kpilib.written import count, floats, missing, name, needing, per_cent, points

MOST = 30


@drawn
def plan(table: pd.DataFrame, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw one row per target of one KPI: a dot for what was reached, a tick for the plan, and the distance.

    Parameters
    ----------
    table
        Rows of ``targets.plan`` in one unit, shares (0-1): segment, owner, n, target, actual, distance, suppressed.
        Of very many, those furthest behind are drawn.
    minimum
        The fewest accounts that are shown; suppressed rows are named with it.
    """
    table = needing(table, "segment", "owner", "n", "target", "actual", "distance", "suppressed")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There is no target to compare with.")
    rest = len(table) - MOST
    table = table.sort_values("distance", na_position="last", kind="stable").head(MOST) if rest > 0 else table
    grid = Rows(len(table) + (rest > 0), 0.32, 0.62, 0.3)
    levels, inches = np.concatenate([floats(table, "actual"), floats(table, "target")]), 7.6 - 3.35
    page = Page(title, subtitle, note + marks.level_cut(levels, inches), grid.height)
    axes = grid.panel(page, 3.35, 7.6)
    marks.level_axis(axes, levels, inches)
    names = [_whose(row) for row in table.to_dict("records")]
    for index, (text, everyone) in enumerate(names):
        bold = "bold" if everyone else "normal"
        page.write(MARGIN, grid.y(page, index), shorten(text, 2.35, weight=bold), weight=bold)
    hidden = table["suppressed"].astype(bool)
    grid.column(page, 3.2, "customers", ["" if gone else count(n) for n, gone in zip(table["n"], hidden, strict=True)])
    for index, row in enumerate(table.to_dict("records")):
        _row(page, grid, axes, index, row, minimum)
    inks = [(points(each), GOOD if each >= 0 else BAD) if not missing(each) else "" for each in table["distance"]]
    grid.column(page, WIDTH - MARGIN, "distance, points", inks, weight="bold")
    if rest > 0:
        page.write(MARGIN, grid.y(page, len(table)), f"and {count(rest)} more, nearer to plan", size=SMALL, color=MUTED)
    page.key([("reached", dot(NOW)), ("plan", {**dot(INK), "marker": "|", "markersize": 11, "mew": 2})])
    told = {text: per_cent(each) for (text, _), each in zip(names, table["actual"], strict=True) if not missing(each)}
    return page.described("What was reached, by whose target it is", told)


def _row(page: Page, grid: Rows, axes: object, index: int, row: dict, minimum: int) -> None:
    """Mark the plan, and what was reached with its value on the side away from the plan."""
    axes.plot(row["target"], index, "|", ms=13, mew=2, color=INK, zorder=2)
    if missing(row["actual"]):
        why = f"fewer than {minimum} customers" if row["suppressed"] else "nothing to compare"
        axes.annotate(why, (row["target"], index), (9, 0), textcoords="offset points", va="center",
                      fontsize=SMALL, color=MUTED, style="italic")  # fmt: skip
        return
    side = 1 if row["actual"] >= row["target"] else -1
    axes.plot([row["target"], row["actual"]], [index] * 2, color=MUTED, lw=1.2, zorder=1)
    axes.plot(row["actual"], index, "o", ms=7.5, color=NOW, mec="white", mew=0.8, zorder=3)
    axes.annotate(
        per_cent(row["actual"]), (row["actual"], index), (8 * side, 0), textcoords="offset points", va="center",
        ha="left" if side > 0 else "right", fontsize=SMALL, weight="bold", color=NOW,
    )  # fmt: skip


def _whose(row: dict) -> tuple[str, bool]:
    """Name whose target it is, and whether it is everybody's."""
    parts = [name(row[field]) for field in ("segment", "owner") if not missing(row[field])]
    return ", ".join(parts) or "All customers", not parts
