"""Figures of segments: a ladder of what they are like, products by segment, and who moved."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kpilib.figures import marks
from kpilib.figures.marks import Rows, block
from kpilib.figures.style import (
    BAD,
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
    drawn,
    shorten,
    tone,
    width_of,
)
from kpilib.written import count, floats, missing, money, name, needing, per_cent, points

MOST_PRODUCTS = 20
FURTHEST = 0.4  # a difference of shares from which the tint is full
DIFFERENCES = ("clearly more or less", "not clear", "not judged")


@drawn
def ladder(
    profile: pd.DataFrame, title: str, subtitle: str, note: str, minimum: int = 5, currency: str | None = None
) -> Page:
    """Draw one row per segment: its size, level, distance from all others, and revenue.

    Parameters
    ----------
    profile
        segment, accounts, share, mean, difference, low, high (shares), suppressed; optional revenue_share,
        revenue_per_account. Empty segments are left out.
    """
    table = needing(profile, "segment", "accounts", "share", "mean", "difference", "suppressed")
    table = table[table["accounts"] > 0].reset_index(drop=True)
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no groups.")
    grid = Rows(len(table), 0.34, 0.68, 0.3)
    begins, ends = _reach(floats(table[~table["suppressed"].astype(bool)], "mean"))
    page = Page(title, subtitle, note + marks.cut_at(begins), grid.height)
    rows = table.to_dict("records")
    hidden = [bool(row["suppressed"]) for row in rows]
    grid.names(page, table["segment"], 1.75)
    grid.column(page, 2.5, "customers", ["" if row["suppressed"] else count(row["accounts"]) for row in rows])
    grid.column(page, 3.05, "% of all", ["" if row["suppressed"] else _bare(row["share"]) for row in rows])
    _levels(page, grid, table, (begins, ends), minimum)
    _differences(page, grid, table.mask(pd.Series(hidden, index=table.index)))
    _revenue(page, grid, table.mask(pd.Series(hidden, index=table.index)), currency)
    told = {name(row["segment"]): per_cent(row["mean"]) for row in rows if not row["suppressed"]}
    return page.described("Groups in their order", told)


@drawn
def heat(attach: pd.DataFrame, title: str, subtitle: str, note: str, hidden: tuple[str, ...] = ()) -> Page:
    """Draw the attach rate of every product in every segment, tinted by how far it is from all others.

    Of more than twenty products, those that differ most between segments are shown.

    Parameters
    ----------
    attach
        segment, product_id, possible, held, attach_rate, difference (shares), clear.
    hidden
        Segments of too few accounts, which keep their name only.
    """
    table = needing(attach, "segment", "product_id", "possible", "held", "attach_rate", "difference", "clear")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no products.")
    table = table[table.groupby("segment")["possible"].transform("sum") > 0]
    products, left_out = _columns(table)
    more = f" {count(left_out)} products that differ less are not drawn." if left_out else ""
    segments = list(dict.fromkeys(table["segment"]))
    names = _room(segments)
    slot = min(0.5, (WIDTH - MARGIN - names - 0.25) / len(products))
    head = 0.25 + min(1.35, max(width_of(shorten(each, 1.25, TINY), TINY) for each in products))
    grid = Rows(len(segments), 0.3, head, 0.34)
    page = Page(title, subtitle, note + more, grid.height)
    axes = grid.panel(page, names + 0.25, names + 0.25 + slot * len(products))
    axes.set_xlim(-0.5, len(products) - 0.5)
    grid.names(page, segments, names)
    for place, product in enumerate(products):
        x = names + 0.25 + slot * (place + 0.5)
        page.write(x, grid.header(page), shorten(product, 1.25, TINY), size=TINY, rotation=90, ha="center", va="bottom")
    known = table[~table["segment"].isin(hidden) & table["product_id"].isin(products)]
    for row in known.to_dict("records"):
        _cell(axes, segments.index(row["segment"]), products.index(row["product_id"]), row)
    for each in set(hidden) & set(segments):
        page.write(names + 0.35, grid.y(page, segments.index(each)), "too few customers", size=SMALL, color=MUTED)
    entries = [("more than all others", block(_tint(0.3))), ("less", block(_tint(-0.3)))]
    page.key([*entries, ("bold: clearly so", block("white", markeredgecolor=RULE))], page.bottom + 0.1)
    told = {f"{name(row['segment'])}, {name(row['product_id'])}": per_cent(row["attach_rate"], 0)
            for row in known.to_dict("records")}  # fmt: skip
    return page.described("Table of shares, groups by products", told)


@drawn
def moves(movers: pd.DataFrame, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw how many accounts went from each segment (row) to each (column).

    Parameters
    ----------
    movers
        before, now (segments), accounts, share (of those that were in ``before``, 0-1), in the order of segments.
    """
    table = needing(movers, "before", "now", "accounts", "share")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("No customer is counted.")
    rows = list(dict.fromkeys(table["before"]))
    columns = [each for each in rows if each in set(table["now"])]
    columns += [each for each in dict.fromkeys(table["now"]) if each not in columns]
    columns.sort(key=lambda each: each == "(not counted)")
    names = _room(rows)
    slot = min(0.85, (WIDTH - MARGIN - names - 0.25) / len(columns))
    head = 0.3 + min(1.35, max(width_of(shorten(each, 1.25, TINY), TINY) for each in columns))
    grid = Rows(len(rows), 0.3, head, 0.34)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, names + 0.25, names + 0.25 + slot * len(columns))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    grid.names(page, rows, names)
    page.write(MARGIN, grid.header(page), "then (rows), now (columns)", size=TINY, color=MUTED, va="bottom")
    for place, each in enumerate(columns):
        x = names + 0.25 + slot * (place + 0.5)
        page.write(x, grid.header(page), shorten(each, 1.25, TINY), size=TINY, rotation=90, ha="center", va="bottom")
    for row in table.to_dict("records"):
        _move(axes, rows.index(row["before"]), columns.index(row["now"]), row, minimum)
    stayed = block("white", markeredgecolor=INK)
    page.key([("stayed", stayed), ("the darker, the larger a part of the row", block(_tint(0.3)))], page.bottom + 0.1)
    went = table[table["before"] != table["now"]].sort_values("accounts", ascending=False, kind="stable")
    told = {f"{name(row.before)} to {name(row.now)}": count(row.accounts) for row in went.itertuples()}
    return page.described("Table of customers, then by now", told)


def _reach(known: np.ndarray) -> tuple[float, float]:
    """Choose where the axis of levels begins and ends: values stand at the right of their dots alone."""
    known = known[np.isfinite(known)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    span = max(high - low, 0.05)
    return low - 0.08 * span, low + span * 2.0 / 1.3


def _levels(page: Page, grid: Rows, table: pd.DataFrame, reach: tuple[float, float], minimum: int) -> None:
    axes = grid.panel(page, 3.15, 5.15)
    marks.level_axis(axes, floats(table[~table["suppressed"].astype(bool)], "mean"), 2.0)
    axes.set_xlim(reach)
    for index, row in enumerate(table.to_dict("records")):
        if row["suppressed"] or missing(row["mean"]):
            what = f"fewer than {minimum} customers" if row["suppressed"] else "could buy nothing"
            page.write(3.25, grid.y(page, index), what, size=SMALL, color=MUTED, style="italic")
        else:
            marks.level(axes, index, float(row["mean"]), None, MUTED)


def _differences(page: Page, grid: Rows, table: pd.DataFrame) -> None:
    """Draw how far each segment lies from all other accounts, with its interval where there is one."""
    difference, low, high = (floats(table, column) for column in ("difference", "low", "high"))
    each = list(zip(difference, low, high, strict=True))
    if not np.isfinite(difference).any():
        return
    axes = grid.panel(page, 5.3, 6.05)
    marks.change_axis(axes, np.array(each))
    seen = {marks.interval(axes, index, *one) for index, one in enumerate(each)}
    page.write(
        5.675, grid.header(page), "against all\nother customers", size=TINY, color=MUTED, ha="center", va="bottom"
    )
    texts = [("" if missing(one[0]) else points(one[0]), tone(*one[1:])) for one in each]
    grid.column(page, 6.55, "points", texts, weight="bold")
    if np.isfinite(low).any():
        reach = ["" if missing(one[1]) else " to ".join(map(points, one[1:])) for one in each]
        grid.column(page, 7.6, "95% interval", reach)
    named = dict(zip(marks.CHANGES, DIFFERENCES, strict=True))
    page.key([(named[told], how) for told, how in marks.CHANGES.items() if told in seen])


def _revenue(page: Page, grid: Rows, table: pd.DataFrame, currency: str | None) -> None:
    share = floats(table, "revenue_share")
    if not np.isfinite(share).any():
        return
    grid.column(page, 8.1, "% of\nrevenue", ["" if missing(each) else _bare(each) for each in share])
    unit = f",\n{name(currency, 5)}" if currency else ""
    each = ["" if missing(each) else money(each, places=0) for each in table["revenue_per_account"]]
    grid.column(page, WIDTH - MARGIN, f"per cust.{unit}", each)


def _columns(table: pd.DataFrame) -> tuple[list[str], int]:
    """Order products by how many have them; of too many, keep those that differ most between segments."""
    by_product = table.groupby("product_id", sort=False)
    spread = by_product["attach_rate"].agg(lambda rates: rates.max() - rates.min()).fillna(-1)
    kept = spread.sort_values(ascending=False, kind="stable").head(MOST_PRODUCTS).index
    overall = (by_product["held"].sum() / by_product["possible"].sum().clip(lower=1)).loc[kept]
    return list(overall.sort_values(ascending=False, kind="stable").index), len(spread) - len(kept)


def _room(segments: list[str]) -> float:
    """Give names the room they need, within limits, in inches."""
    return min(2.6, max(1.3, *(width_of(name(each)) + 0.1 for each in segments)))


def _cell(axes: Axes, row: int, column: int, found: dict) -> None:
    if missing(found["attach_rate"]):
        axes.text(column, row, "–", ha="center", va="center", fontsize=TINY, color=MUTED)
        return
    shade = _tint(0.0 if missing(found["difference"]) else float(found["difference"]))
    axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=shade, lw=0))
    weight = "bold" if found["clear"] else "normal"
    _number(axes, row, column, _bare(found["attach_rate"], 0), shade, weight)


def _move(axes: Axes, row: int, column: int, found: dict, minimum: int) -> None:
    shade, stayed = _tint(0.6 * float(found["share"])), found["before"] == found["now"]
    edge = {"edgecolor": INK, "lw": 1.0} if stayed else {"lw": 0}
    axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=shade, **edge))
    told = count(found["accounts"]) if found["accounts"] >= minimum else f"<{minimum}"
    _number(axes, row, column, told, shade, "bold" if stayed else "normal")


def _number(axes: Axes, row: int, column: int, told: str, shade: str, weight: str) -> None:
    light = sum(int(shade[place : place + 2], 16) for place in (1, 3, 5)) > 3 * 140
    axes.text(
        column, row, told, ha="center", va="center", fontsize=TINY, color=INK if light else "white", weight=weight
    )


def _tint(difference: float) -> str:
    """Choose a tint: blue for more, rust for less, pale for the same."""
    return _palette(NOW if difference >= 0 else BAD)[round(85 * min(abs(difference) / FURTHEST, 1.0))]


@cache
def _palette(ink: str) -> list[str]:
    return list(seaborn.blend_palette([PALE, ink], 101).as_hex())


def _bare(share: float, places: int = 1) -> str:
    return per_cent(share, places).rstrip("%")
