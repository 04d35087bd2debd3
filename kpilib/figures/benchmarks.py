"""The client's figure beside published ones: only those that may stand there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kpilib.errors import DataError
from kpilib.figures.marks import Rows, dot
from kpilib.figures.style import BEFORE, INK, MARGIN, MUTED, NOW, RULE, SMALL, TINY, WIDTH, Page, drawn, shorten
from kpilib.wording import benchmarks as say
from kpilib.written import missing, needing, per_cent

NAMES, ROW = 3.7, 0.46  # inches: for whose figure it is, and from one row to the next
OURS = "Our own customers"
THEIRS = dot(MUTED, marker="D", markersize=6, markerfacecolor="white", markeredgewidth=1.4)
PEERS = {"linestyle": "none", "marker": "|", "markersize": 12, "color": NOW, "markeredgewidth": 2}


@drawn
def beside(
    rows: pd.DataFrame, title: str, subtitle: str, note: str, own: float | None = None, peer: float | None = None
) -> Page:
    """Draw one row for each published figure, with the client's on the same line.

    Parameters
    ----------
    rows
        ``benchmarks.Beside.rows``: population, time_period, value or low and high, unit, client
        (in the same statistic), verdict. Rows may be none: the client stands alone then.
    own, peer
        The client's figure and what the best quarter of its own customers reaches; a row of their
        own, where given.

    Raises
    ------
    DataError
        When a row is not comparable: it would be drawn as if it were.
    """
    table = needing(rows, "population", "time_period", "value", "low", "high", "unit", "client", "verdict", "reason")
    _refuse(table)
    lines = [*_own(own, peer, table), *table.to_dict("records")]
    if not lines:
        return Page(title, subtitle, note, 1.2).nothing("No published figure may stand beside this one.")
    grid = Rows(len(lines), ROW, 0.4, 0.3)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, NAMES, WIDTH - 0.4)
    _scale(axes, lines)
    for place, each in enumerate(lines):
        _name(page, each, grid.y(page, place))
        _theirs(axes, each, place)
        _ours(axes, each, place)
    page.key(_key(lines))
    return page.described("Published figures and ours", {_label(each): _values(each) for each in lines})


def _refuse(table: pd.DataFrame) -> None:
    barred = table[~table["verdict"].str.startswith("comparable")]
    if len(barred):
        first = barred.iloc[0]
        raise DataError(
            f"{say.whose(first.to_dict())} is not drawn: {first['verdict']}.",
            first["reason"],
            "Draw what benchmarks.comparable returns.",
        )


def _own(own: float | None, peer: float | None, table: pd.DataFrame) -> list[dict[str, Any]]:
    if missing(own):
        return []
    unit = table["unit"].iloc[0] if len(table) else "percent"
    return [{"population": None, "client": own, "peer": peer, "unit": unit}]


def _label(row: dict[str, Any]) -> str:
    return ", ".join(filter(None, [say.whose(row), say.of_what(row)])) if row["population"] else OURS


def _values(row: dict[str, Any]) -> str:
    theirs = f"{say.published(row)}, " if row["population"] else ""
    best = "" if missing(row.get("peer")) else f", best quarter {_shown(row['peer'], row['unit'])}"
    return f"{theirs}here {_shown(row['client'], row['unit'])}{best}"


def _shown(value: float | None, unit: str) -> str:
    return say.published({"value": value, "low": value, "high": value, "unit": unit}) if not missing(value) else "–"


def _scale(axes: Axes, lines: list[dict[str, Any]]) -> None:
    """Set one axis from 0 for all rows: to 100 % for shares, else just past the largest."""
    shares = all(each["unit"] == "percent" for each in lines)
    known = [each.get(key) for each in lines for key in ("value", "high", "client", "peer")]
    most = max([float(each) for each in known if not missing(each)], default=1.0)
    right = 1.0 if shares and most <= 1 else float(np.ceil(most * 1.05))
    axes.set_xlim(0, right)
    ticks = [0, right / 2, right]
    axes.set_xticks(ticks, [per_cent(each, 0) if shares else f"{each:g}" for each in ticks], fontsize=TINY)
    axes.tick_params(axis="x", labelcolor=MUTED, pad=4)
    axes.hlines(range(len(lines)), 0, right, color=RULE, lw=0.7, zorder=0)


def _name(page: Page, row: dict[str, Any], y: float) -> None:
    who, what = (say.whose(row), say.of_what(row)) if row["population"] else (OURS, "")
    inches = NAMES - MARGIN - 0.25
    page.write(MARGIN, y + (0.08 if what else 0), shorten(who, inches, SMALL), size=SMALL, color=INK)
    page.write(MARGIN, y - 0.09, what, size=TINY, color=MUTED)


def _theirs(axes: Axes, row: dict[str, Any], y: float) -> None:
    if not row["population"]:
        if not missing(row["peer"]):
            axes.plot([row["peer"]], [y], zorder=3, **PEERS)
            _write(axes, row["peer"], y, _shown(row["peer"], row["unit"]), MUTED, below=True)
    elif missing(row["value"]):
        axes.plot([row["low"], row["high"]], [y, y], color=BEFORE, lw=7, solid_capstyle="butt", zorder=1)
        _write(axes, (row["low"] + row["high"]) / 2, y, say.published(row), MUTED, below=True)
    else:
        axes.plot([row["value"]], [y], zorder=2, **THEIRS)
        _write(axes, row["value"], y, say.published(row), MUTED, below=True)


def _ours(axes: Axes, row: dict[str, Any], y: float) -> None:
    if not missing(row["client"]):
        axes.plot([row["client"]], [y], zorder=4, clip_on=False, **dot(NOW))
        _write(axes, row["client"], y, _shown(row["client"], row["unit"]), NOW)


def _write(axes: Axes, x: float, y: float, text: str, ink: str, below: bool = False) -> None:
    """Write ours above its mark and theirs below, so that near ones do not meet."""
    axes.annotate(
        text, (x, y), (0, -5 if below else 5), textcoords="offset points", ha="center",
        va="top" if below else "bottom", fontsize=TINY, color=ink, weight="normal" if below else "bold",
        annotation_clip=False,
    )  # fmt: skip


def _key(lines: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    theirs = [each for each in lines if each["population"]]
    entries = [("here", dot(NOW))]
    if any(not missing(each["value"]) for each in theirs):
        entries.append(("published", THEIRS))
    if any(missing(each["value"]) for each in theirs):
        entries.append(
            (
                "published shares allow this range",
                {"linestyle": "-", "lw": 7, "color": BEFORE, "solid_capstyle": "butt"},
            )
        )
    if any(not missing(each.get("peer")) for each in lines):
        entries.append(("reached by the best quarter of our own", PEERS))
    return entries
