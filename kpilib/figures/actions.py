"""What was said and what happened, drawn: each list's expected closings beside the actual ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.figures.marks import Rows, block
from kpilib.figures.style import BEFORE, MARGIN, MUTED, NOW, SMALL, WIDTH, Page, drawn
from kpilib.written import floats, name, needing

MOST = 12


@drawn
def said_and_came(rows: pd.DataFrame, by: str, title: str, subtitle: str, note: str) -> Page:
    """Draw one pair of bars per owner, product or quarter: closings expected (outlined) and actual (solid).

    Parameters
    ----------
    rows
        ``actions.followed.calibration``: the column ``by``, calls, expected (missing where unknown), closed.
    """
    table = needing(rows, by, "calls", "expected", "closed").sort_values("calls", ascending=False, kind="stable")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("No list was issued for an earlier quarter.")
    shown, rest = table.head(MOST), len(table) - MOST
    grid = Rows(len(shown) + (rest > 0), 0.42, 0.42, 0.05)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, 2.3, WIDTH - 1.0)
    expected, closed = floats(shown, "expected"), floats(shown, "closed")
    places = np.arange(len(shown))
    known = np.isfinite(expected).any()
    above = 0.17 if known else 0.0
    axes.barh(places - above, closed, height=0.3, color=NOW)
    if known:
        axes.barh(places + 0.17, expected, height=0.3, facecolor="white", edgecolor=BEFORE, linewidth=1.2)
    axes.set_xlim(0, np.nanmax([*expected, *closed, 1.0]) * 1.2)
    for row, (said, came) in enumerate(zip(expected, closed, strict=True)):
        how = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
        axes.annotate(f"{came:,.0f}", (came, row - above), (4, 0), **how)
        if np.isfinite(said):
            axes.annotate(f"{said:,.1f}", (said, row + 0.17), (4, 0), color=MUTED, **how)
    grid.names(page, [name(each) for each in shown[by]], 2.0)
    grid.column(page, WIDTH - MARGIN, "calls", [f"{each:,}" for each in shown["calls"]])
    outlined = {**block(BEFORE), "markerfacecolor": "white", "markeredgecolor": BEFORE, "markeredgewidth": 1.2}
    page.key([("closed", block(NOW)), *([("expected to close", outlined)] if known else [])])
    if rest > 0:
        page.write(MARGIN, grid.y(page, len(shown)), f"and {rest:,} more", size=SMALL, color=MUTED)
    told = {
        name(row[by]): f"{row['closed']:.0f} closed" + ("" if np.isnan(said) else f", {said:.1f} expected")
        for row, said in zip(shown.to_dict("records"), expected, strict=True)
    }
    return page.described("Closed and expected calls", told)
