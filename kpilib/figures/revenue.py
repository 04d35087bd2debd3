"""Figures of money: where its change came from, what a customer brings, who came back."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kpilib.captions.revenue import group_names
from kpilib.figures import marks
from kpilib.figures.marks import Rows
from kpilib.figures.style import (
    BAD,
    BEFORE,
    GOOD,
    INK,
    MARGIN,
    MUTED,
    NOW,
    RULE,
    SMALL,
    WIDTH,
    Page,
    drawn,
)
from kpilib.wording.revenue import CUSTOMERS, span
from kpilib.written import compact, count, floats, missing, money, needing, per_cent

THICK = 0.62  # of a bar, where bars are 1 apart
CUT_ABOVE = 0.35  # how much of the tallest bar must lie under all others before the axis is cut


@drawn
def balance(table: pd.DataFrame, title: str, subtitle: str, note: str) -> Page:
    """Draw revenue before, the six parts of its change, and revenue after: they add up.

    Where all the change happens far above 0 the axis is cut; both totals show it, and the note says so.

    Parameters
    ----------
    table
        ``revenue.growth_balance`` of all customers: part, amount, accounts, earlier, later.
    """
    table = needing(table, "part", "amount", "earlier", "later")
    if table.empty or not any(table["amount"]):
        return Page(title, subtitle, note, 1.2).nothing("There is no revenue.")
    values = floats(table, "amount")
    starts, ends = _steps(values)
    base = _base(starts, ends)
    page = Page(title, subtitle, note + (" The vertical axis is cut." if base else ""), 3.3)
    axes = page.panel(0.3, WIDTH - 0.3, below=0.5, above=0.15)
    axes.set_xlim(-0.5, len(table) - 0.5)
    high, low = max(*ends, 0), base or min(*ends, 0)
    room = 0.1 * (high - low)
    axes.set_ylim(low - (room if low < 0 else 0), high + room)
    _columns(axes, table, starts, ends, base, room)
    if base:
        _cut(axes, [0, len(table) - 1], base, high)
    told = dict(zip(_names(table), [*_texts(table)], strict=True))
    return page.described("Waterfall from left to right", told)


@drawn
def per_account(table: pd.DataFrame, by: str, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw revenue per customer as one bar per group, with its customers.

    Parameters
    ----------
    table
        ``revenue.revenue_per_account``: group, accounts, revenue_per_account, share_of_revenue, suppressed.
    by
        ``band`` or ``products``, as the table was made.
    minimum
        The fewest customers that are shown.
    """
    table = needing(table, "group", "accounts", "revenue_per_account", "share_of_revenue", "suppressed")
    shown = ~table["suppressed"].astype(bool)
    values = np.where(shown, floats(table, "revenue_per_account"), np.nan)
    if not np.isfinite(values).any():
        return Page(title, subtitle, note, 1.2).nothing("There is no revenue to show.")
    grid = Rows(len(table), 0.36, 0.42, 0.1)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, 2.6, 7.3)
    axes.barh(range(len(table)), np.nan_to_num(values), color=NOW, height=THICK)
    least, most = min(np.nanmin(values), 0), max(np.nanmax(values), 0)
    axes.set_xlim(least * 1.25, most * 1.25 or 1)
    names = group_names(table, by)
    grid.names(page, names, 1.5)
    n = [count(each) if visible else "" for each, visible in zip(table["accounts"], shown, strict=True)]
    grid.column(page, 2.45, "customers", n)
    parts = [per_cent(each) if ok else "" for each, ok in zip(table["share_of_revenue"], shown, strict=True)]
    grid.column(page, WIDTH - MARGIN, "of all revenue", parts)
    for index, value in enumerate(values):
        if missing(value):
            _few(page, grid, index, 2.65, minimum)
        else:
            axes.annotate(
                money(value, places=0), (max(value, 0), index), (5, 0), textcoords="offset points", va="center",
                fontsize=SMALL, weight="bold", color=NOW, annotation_clip=False,
            )  # fmt: skip
    told = {each: money(value, places=0) for each, value in zip(names, values, strict=True)}
    return page.described("Bars of revenue per customer", told)


@drawn
def retention(impact: Any, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw the share of customers who came back, one dot per group, by what they had before.

    Parameters
    ----------
    impact
        ``revenue.Impact``.
    minimum
        The fewest customers that are shown.
    """
    table = needing(impact.table, "group", "n", "retained", "account_retention", "suppressed")
    shown = ~table["suppressed"].astype(bool)
    values = np.where(shown, floats(table, "account_retention"), np.nan)
    if not np.isfinite(values).any():
        return Page(title, subtitle, note, 1.2).nothing("There are too few customers to show.")
    grid = Rows(len(table), 0.36, 0.42, 0.3)
    inches = WIDTH - 1.6 - 2.75
    page = Page(title, subtitle, note + marks.level_cut(values, inches), grid.height)
    axes = grid.panel(page, 2.75, WIDTH - 1.6)
    marks.level_axis(axes, values, inches)
    names = group_names(table, impact.by)
    grid.names(page, names, 1.5)
    for title_, right, column in (("customers", 2.45, "n"), ("customers again", WIDTH - MARGIN, "retained")):
        texts = [count(each) if visible else "" for each, visible in zip(table[column], shown, strict=True)]
        grid.column(page, right, title_, texts)
    for index, value in enumerate(values):
        if missing(value):
            _few(page, grid, index, 2.8, minimum)
        else:
            marks.level(axes, index, float(value), None, MUTED)
    told = {each: per_cent(value) for each, value in zip(names, values, strict=True)}
    return page.described("Dots from few products to many", told)


def _few(page: Page, grid: Rows, index: int, left: float, minimum: int) -> None:
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # grid lines do not run through it
    text = f"fewer than {minimum} customers"
    page.write(left, grid.y(page, index), text, size=SMALL, color=MUTED, style="italic", bbox=paper)


def _steps(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each column begins and ends: totals on 0, parts on the one before."""
    ends = np.concatenate([np.cumsum(values[:-1]), values[-1:]])
    starts = np.concatenate([[0.0], ends[:-2], [0.0]])
    return starts, ends


def _base(starts: np.ndarray, ends: np.ndarray) -> float:
    """Where the axis begins: at 0, or below all that moves where that is far above 0."""
    least, most = float(min(ends)), float(max(ends))
    if least <= CUT_ABOVE * most:
        return 0.0
    return max(least - 0.35 * max(most - least, 0.02 * most), 0.0)


def _columns(axes: Axes, table: pd.DataFrame, starts: np.ndarray, ends: np.ndarray, base: float, room: float) -> None:
    last = len(table) - 1
    texts = _texts(table)
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        total = index in (0, last)
        ink = (BEFORE, NOW)[index > 0] if total else GOOD if end >= start else BAD
        bottom = max(min(start, end), base) if total else min(start, end)
        top = max(start, end)
        axes.bar(index, top - bottom, bottom=bottom, width=THICK, color=ink, lw=0)
        if not total and top - bottom < 0.003 * (axes.get_ylim()[1] - axes.get_ylim()[0]):
            axes.plot([index - THICK / 2, index + THICK / 2], [end, end], color=ink, lw=1.5)
        if index < last:
            axes.plot([index + THICK / 2, index + 1 - THICK / 2], [end, end], color=RULE, lw=0.9)
        words = {"weight": "bold", "color": INK if index == 0 else ink}
        axes.annotate(
            texts[index], (index, top), (0, 4), textcoords="offset points", ha="center", fontsize=SMALL, **words
        )
    axes.axhline(base, color=RULE, lw=0.9)
    labels = [fill(each, 13) for each in _names(table)]
    axes.set_xticks(range(len(table)), labels, fontsize=SMALL, color=INK)


def _cut(axes: Axes, places: list[int], base: float, high: float) -> None:
    """Show on both totals that they do not begin at 0."""
    height = 0.06 * (high - base)
    for place in places:
        ends = [place - THICK / 2 - 0.02, place + THICK / 2 + 0.02]
        level = base + 1.2 * height
        stroke = Line2D(ends, [level, level + 0.5 * height], color="white", lw=3, gid="cut")
        axes.add_artist(stroke)


def _names(table: pd.DataFrame) -> list[str]:
    ends = {each: span(table[each].iloc[0]) for each in ("earlier", "later")}
    return [ends.get(each) or CUSTOMERS[each] for each in table["part"]]


def _texts(table: pd.DataFrame) -> list[str]:
    """Write totals plain and parts with their sign; millions short."""
    large = max(abs(float(each)) for each in table["amount"]) >= 1e7
    written = []
    for part, amount in zip(table["part"], table["amount"], strict=True):
        text = compact(round(abs(float(amount)))) if large else money(abs(amount), places=0)
        sign = "" if not round(float(amount)) else "+" if amount > 0 else "\N{MINUS SIGN}"
        written.append((sign if part in CUSTOMERS or amount < 0 else "") + text)
    return written
