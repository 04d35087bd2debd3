"""Figures for the board: each draws a result table and states the message it is given.

Every function returns a :class:`kpilib.figures.style.Page`, which shows itself as the last value of a
notebook cell and carries its alt text as label. Tables have shares from 0 to 1; pictures show per
cent, and differences in points. Names may be anything that a client's file can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes

from kpilib.figures import marks
from kpilib.figures.ladders import bands, products, reconciliation, segments
from kpilib.figures.marks import LEFT_OUT, dot
from kpilib.figures.style import (
    BEFORE,
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
)
from kpilib.written import (
    count,
    floats,
    missing,
    month,
    name,
    needing,
    per_cent,
    quarter,
)

__all__ = ["bands", "curve", "months", "products", "reconciliation", "segments", "trend"]


@drawn
def trend(by_quarter: pd.DataFrame, bands: pd.DataFrame | None, title: str, subtitle: str, note: str) -> Page:
    """Draw penetration by quarter: actual, a year before, plan, over the bands.

    Quarters that are not complete, or have no figure, keep their place and are left out: nothing
    is drawn across them. An axis that does not begin at 0 is shown cut, and the note says so.

    Parameters
    ----------
    by_quarter
        One row per quarter, oldest first: quarter (label), complete, mean (0-1), optional plan.
    bands
        In rising order: band, at_least, above (per cent); None draws none.
    """
    lines = _lines(needing(by_quarter, "quarter", "complete", "mean"))
    if lines["now"].isna().all():
        return Page(title, subtitle, note, 1.2).nothing("No complete quarter has a figure yet.")
    low, high = marks.cut(lines[["now", "before", "plan"]].to_numpy(float))
    begins = f" The vertical axis is cut: it begins at {per_cent(low, 0)}." if low else ""
    page = Page(title, subtitle, note + begins, 3.6 if lines["now"].count() > 1 else 2.6)
    alone = lines[["before", "plan"]].isna().all(axis=None)
    right = WIDTH - (2.4 if not alone else 0.3 if bands is None else 1.3)  # room for what is named at the right
    axes = page.panel(0.55, right, 0.48, 0.5 if lines["now"].isna().any() else 0.2)
    slot = marks.time_axis(axes, list(lines["label"]), right - 0.55)
    marks.value_axis(axes, low, high)
    marks.bands_behind(page, axes, bands, lines["now"].dropna().iloc[-1])
    _trend_lines(page, axes, lines, slot)
    known = lines.dropna(subset=["now"]).iloc[::-1]
    told = {quarter(row.label): per_cent(row.now) for row in known.itertuples()}
    return page.described("Line chart, latest quarter first", told)


@drawn
def curve(
    table: pd.DataFrame,
    title: str,
    subtitle: str,
    note: str,
    names: tuple[str, str] = ("now", "before"),
) -> Page:
    """Draw the share of accounts that hold at least k products, now and before.

    Parameters
    ----------
    table
        One row per k from 1 on: k, share, optional share_before (0-1).
    names
        What to call now and before, such as their quarters.
    """
    table = needing(table, "k", "share").sort_values("k")
    long = _long(table["k"], before=floats(table, "share_before"), now=floats(table, "share"))
    page = Page(title, subtitle, note, 3.4 if len(long) else 1.2)
    if long.empty:
        return page.nothing("No customer is counted.")
    axes = page.panel(0.3, WIDTH - 0.3, below=0.5, above=0.3)
    seaborn.lineplot(
        long, x="place", y="value", hue="when", palette={"before": BEFORE, "now": NOW}, ax=axes,
        errorbar=None, legend=False, lw=2, ms=5.5, mec="white", marker=_few(table, "o"),
    )  # fmt: skip
    slot = _curve_axes(axes, table, WIDTH - 0.6)
    _label_curve(axes, table, slot)
    inks = {"now": NOW, "before": BEFORE}
    drawn_ones = [when for when in inks if (long["when"] == when).any()]
    page.key([(label, dot(inks[when])) for when, label in zip(drawn_ones, names, strict=False)])
    told = {f"at least {row.k}": per_cent(row.share) for row in table.itertuples()}
    return page.described("Curve of the share of customers by number of products", told)


@drawn
def months(table: pd.DataFrame, title: str, subtitle: str, note: str, currency: str | None = None) -> Page:
    """Draw the lines and the revenue delivered per month; months without lines are greyed.

    Parameters
    ----------
    table
        One row per month in order: month (2017-01), lines, flagged; optional revenue.
    """
    table = needing(table, "month", "lines", "flagged")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("No month was delivered.")
    sold = floats(table, "revenue")
    amounts = {"lines": floats(table, "lines")}
    if np.isfinite(sold).any():
        amounts["revenue" + (f", {name(currency, 12)}" if currency else "")] = sold
    gone = table["flagged"].astype(bool)
    head = 0.4 if gone.any() else 0.1
    page = Page(title, subtitle, note, head + 1.5 * len(amounts) + 0.25)
    for number, (what, values) in enumerate(amounts.items()):
        rest = 1.5 * (len(amounts) - 1 - number)
        axes = page.panel(0.95, WIDTH - 0.2, 0.45 + rest, head + 0.2 + 1.5 * number)
        axes.bar(range(len(values)), np.nan_to_num(values), color=NOW, width=0.72)
        marks.amount_axis(axes, np.nan_to_num(values))
        _month_axis(axes, list(table["month"]), WIDTH - 1.15, named=not rest)
        marks.leave_out(axes, gone)
        page.write(MARGIN, page.top - head - 1.5 * number, what, size=SMALL)
    if gone.any():
        page.key([("month without lines: a missing delivery?", LEFT_OUT)])
    told = {month(row.month): count(row.lines) for row in table.itertuples()}
    return page.described("Columns of lines by month", told)


def _trend_lines(page: Page, axes: Axes, lines: pd.DataFrame, slot: float) -> None:
    """Draw plan, a year before and actual, each with its values, and grey what is left out."""
    series = {each: lines[each].to_list() for each in ("plan", "before", "now")}
    for each, values in series.items():
        marks.line(axes, values, each, few=slot > 0.3)
    marks.label_points(page, axes, series, slot)
    last = int(lines["now"].last_valid_index())
    marks.name_lines(page, axes, {"last year": series["before"], "plan": series["plan"]}, last)
    marks.leave_out(axes, lines["now"].isna())
    if lines["now"].isna().any():
        page.key([("quarter not complete or without a figure: left out", LEFT_OUT)])


def _few(table: pd.DataFrame, marker: str) -> str:
    return marker if len(table) <= 40 else ""


def _long(places: object, **series: np.ndarray) -> pd.DataFrame:
    """Stack series of equal length: place, value, when."""
    each = [pd.DataFrame({"place": list(places), "value": values, "when": when})
            for when, values in series.items()]  # fmt: skip
    return pd.concat(each, ignore_index=True).dropna()


def _lines(by_quarter: pd.DataFrame) -> pd.DataFrame:
    """Pick what the trend draws of each quarter: label, now, before (the same a year ago), plan."""
    labels = [str(label) for label in by_quarter["quarter"]]
    now = np.where(by_quarter["complete"].astype(bool), floats(by_quarter, "mean"), np.nan)
    known = dict(zip(labels, now, strict=True))
    year_ago = [known.get(_a_year_before(label), np.nan) for label in labels]
    before = np.where(np.isfinite(now), year_ago, np.nan)
    plan = floats(by_quarter, "plan")
    return pd.DataFrame({"label": labels, "now": now, "before": before, "plan": plan})


def _a_year_before(label: str) -> str:
    year, mark, number = label.partition("Q")
    return f"{int(year) - 1:04d}{mark}{number}" if year.isdigit() else ""


def _curve_axes(axes: Axes, table: pd.DataFrame, inches: float) -> float:
    """Set shares from 0 to 1 over the number of products; return inches per product."""
    first, last = int(table["k"].min()), int(table["k"].max())
    slot = (inches - 1.0) / max(last - first, 1)
    axes.set(xlim=(first - 0.5 / slot, last + 0.5 / slot), ylim=(-0.1, 1.08), yticks=[], ylabel="")
    axes.axhline(0, color=RULE, lw=0.8, zorder=0)
    ticks = marks.every(first, last, 0.3 / slot)
    axes.set_xticks(ticks, [count(tick) for tick in ticks], fontsize=SMALL, color=INK)
    axes.set_xlabel("at least so many products", fontsize=SMALL, color=MUTED, visible=True)
    return slot


def _label_curve(axes: Axes, table: pd.DataFrame, slot: float) -> None:
    """Write shares at the marks: the higher above to the right, the lower below to the left."""
    told = marks.every(int(table["k"].min()), int(table["k"].max()), 0.52 / slot)
    for row in table[table["k"].isin(told)].to_dict("records"):
        now, before = row["share"], row.get("share_before")
        for value, other, ink in ((now, before, NOW), (before, now, MUTED)):
            if not missing(value):
                tie = missing(other) or value == other
                _label_mark(axes, row["k"], value, ink == NOW if tie else value > other, ink)


def _label_mark(axes: Axes, k: int, value: float, above: bool, ink: str) -> None:
    axes.annotate(
        per_cent(value), (k, value), (3, 4) if above else (-3, -4), textcoords="offset points",
        ha="left" if above else "right", va="bottom" if above else "top", fontsize=TINY, color=ink,
        weight="bold" if ink == NOW else "normal", zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _month_axis(axes: Axes, months: Sequence[object], inches: float, named: bool) -> None:
    """Set months and their years under columns; only years where there is no room for months."""
    places = max(len(months), 8)
    slot = (inches - 0.2) / places
    axes.set_xlim(min(-0.5, -0.3 / slot), places - 0.5)
    if named:
        stamps = [pd.Timestamp(each) for each in months]
        ticks = _months(stamps) if slot >= 0.34 else _years(stamps, slot)
        axes.set_xticks(list(ticks), list(ticks.values()), fontsize=SMALL, color=INK)


def _months(stamps: Sequence[pd.Timestamp]) -> dict[int, str]:
    years = [None, *(stamp.year for stamp in stamps)]
    return {
        index: stamp.month_name()[:3] + (f"\n{stamp.year}" if stamp.year != years[index] else "")
        for index, stamp in enumerate(stamps)
    }


def _years(stamps: Sequence[pd.Timestamp], slot: float) -> dict[int, str]:
    opening = [index for index, stamp in enumerate(stamps) if stamp.month == 1] or [0]
    return {index: str(stamps[index].year) for index in opening[:: ceil(0.45 / (12 * slot))]}
