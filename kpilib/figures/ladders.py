"""Figures with one row each for groups, products, bands and tables; part of kpilib.figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kpilib.figures import marks
from kpilib.figures.marks import Rows, block, dot
from kpilib.figures.style import (
    BAD,
    BEFORE,
    INK,
    LATE,
    MARGIN,
    MUTED,
    NOW,
    SIZE,
    SMALL,
    TINY,
    WIDTH,
    Page,
    drawn,
    shorten,
    tone,
    width_of,
    wrap,
)
from kpilib.written import (
    band_ranges,
    count,
    few,
    floats,
    missing,
    money,
    name,
    needing,
    per_cent,
    plural,
    points,
    too_few,
)

MOST_GROUPS = 40
MOST_PRODUCTS, TOP, BOTTOM = 30, 16, 10
READ, PARTS = ("rows", "revenue"), ("read", "used", "set_aside")


@drawn
def segments(by_segment: pd.DataFrame, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw one row per group: where it stands, how it moved, its part in the total's change.

    Parameters
    ----------
    by_segment
        One row per group: group, n (accounts), mean (0-1), suppressed; optional mean_before,
        change, low, high, contribution (shares).
    minimum
        The fewest accounts that are shown; suppressed groups are named with it.
    """
    table = needing(by_segment, "group", "n", "mean", "suppressed")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no groups.")
    groups, rest = _groups_to_show(table)
    grid = Rows(len(groups) + bool(rest), 0.34 if len(groups) <= 12 else 0.27, 0.68, 0.3)
    shown = groups[~groups["suppressed"].astype(bool)]
    compared = bool(np.isfinite(floats(shown, "change")).any())
    levels = np.concatenate([floats(shown, "mean"), floats(shown, "mean_before")])
    right = 5.05 if compared else WIDTH - 0.2
    page = Page(title, subtitle, note + marks.level_cut(levels, right - 2.75), grid.height)
    _levels(page, grid, groups, levels, right, minimum)
    if compared:
        _changes(page, grid, groups)
    if rest:
        page.write(MARGIN, grid.y(page, len(groups)), rest, size=SMALL, color=MUTED)
    told = {name(row["group"]): per_cent(row["mean"]) for row in shown.to_dict("records")}
    return page.described("Groups from highest to lowest", told)


@drawn
def products(by_product: pd.DataFrame, title: str, subtitle: str, note: str) -> Page:
    """Draw one row per product: the share of possible accounts that hold it, and what is at risk.

    Long catalogues show both ends and count what lies between.

    Parameters
    ----------
    by_product
        product_id, possible, held (accounts), attach_rate (0-1); optional attach_before, change,
        low, high (shares), lapsing (accounts that hold it and are past their usual interval).
    """
    table = needing(by_product, "product_id", "possible", "held", "attach_rate")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no products.")
    shown, between = _ends(table.sort_values("attach_rate", ascending=False, na_position="last"))
    grid = Rows(len(shown), 0.3 if len(shown) <= 12 else 0.25, 0.6, 0.1)
    page = Page(title, subtitle, note, grid.height)
    _bars(page, grid, shown)
    _product_columns(page, grid, shown)
    if between:
        page.write(2.75, grid.y(page, TOP), between, size=SMALL, color=MUTED, style="italic")
    known = shown[shown["product_id"].notna()].to_dict("records")
    told = {name(row["product_id"]): per_cent(row["attach_rate"]) for row in known}
    return page.described("Products from highest to lowest", told)


@drawn
def bands(
    table: pd.DataFrame,
    title: str,
    subtitle: str,
    note: str,
    names: tuple[str, str] = ("now", "before"),
    minimum: int = 5,
) -> Page:
    """Draw how many accounts lie in each band, now and before, and what to do about it.

    Parameters
    ----------
    table
        In rising order: band, at_least, above (per cent), accounts, share (0-1); optional
        accounts_before, action.
    minimum
        The fewest accounts that are counted out: of a smaller band no bar is drawn.
    """
    table = needing(table, "band", "at_least", "above", "accounts", "share")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no bands.")
    now, before = (_drawn(floats(table, column), minimum) for column in ("accounts", "accounts_before"))
    compared = bool(np.isfinite(before).any())
    grid = Rows(len(table), 0.62, 0.4 if compared else 0.1, 0.05)
    page = Page(title, subtitle, note, grid.height)
    axes = grid.panel(page, 1.9, 6.2)
    thick, rows = 0.36 if compared else 0.5, np.arange(len(table))
    axes.barh(rows - compared * thick / 2, now, height=thick, color=NOW)
    if compared:
        axes.barh(rows + thick / 2, np.nan_to_num(before), height=thick, color=BEFORE)
    longest = _label_bars(axes, table, minimum)
    axes.set_xlim(0, np.nanmax([*now, *before, 1]) * 4.3 / (4.1 - longest))
    _name_bands(page, grid, table)
    if compared:
        page.key([(names[0], block(NOW)), (names[1], block(BEFORE))])
    told = {name(row.band): _fewer(row.accounts, minimum) or plural(row.accounts, "customer")
            for row in table.itertuples()}  # fmt: skip
    return page.described("Bars, lowest band first", told)


@drawn
def reconciliation(totals: pd.DataFrame, title: str, subtitle: str, note: str, currency: str | None = None) -> Page:
    """Draw what was read of each table as what is used and what is set aside.

    Parameters
    ----------
    totals
        One row per table: table, rows_read, rows_used, rows_set_aside, revenue_read, revenue_used,
        revenue_set_aside (amounts may be missing).
    """
    table = needing(totals, "table", *(f"{what}_{part}" for what in READ for part in PARTS))
    stacks = [(row["table"] if what == "rows" else "", what, *(row[f"{what}_{part}"] for part in PARTS))
              for row in table.to_dict("records") for what in READ
              if not missing(row[f"{what}_read"])]  # fmt: skip
    if not stacks:
        return Page(title, subtitle, note, 1.2).nothing("Nothing was read.")
    grid = Rows(len(stacks), 0.34, 0.6, 0.1)
    page = Page(title, subtitle, note, grid.height)
    _stacks(page, grid, stacks)
    for part, right, ink in ((0, 5.95, INK), (1, 7.4, INK), (2, WIDTH - MARGIN, BAD)):
        texts = [_amount(what, each[part], currency) for _, what, *each in stacks]
        grid.column(page, right, PARTS[part].replace("_", " "), texts, color=ink)
    page.key([("used", block(NOW)), ("set aside", block("white", markeredgecolor=BAD))])
    told = {f"{name(row['table'])}, rows set aside": count(row["rows_set_aside"])
            for row in table.to_dict("records")}  # fmt: skip
    return page.described("Bars of what was read", told)


def _groups_to_show(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Order groups from high to low, suppressed last; of very many, show the largest."""
    large = table.assign(hidden=table["suppressed"].astype(bool)).sort_values(
        ["hidden", "n"], ascending=[True, False], kind="stable"
    )
    kept, rest = large.head(MOST_GROUPS), large.iloc[MOST_GROUPS:]
    told = f"and {plural(len(rest), 'smaller group')}, not drawn" if len(rest) else ""
    level = pd.Series(floats(kept, "mean"), index=kept.index).where(~kept["hidden"])
    return kept.loc[level.sort_values(ascending=False, kind="stable").index], told


def _levels(page: Page, grid: Rows, groups: pd.DataFrame, levels: np.ndarray, right: float, minimum: int) -> None:
    """Draw names, numbers of customers, and levels with an arrow from before."""
    axes = grid.panel(page, 2.75, right)
    marks.level_axis(axes, levels, right - 2.75)
    grid.names(page, groups["group"], 1.75)
    n = ["" if row["suppressed"] else count(row["n"]) for row in groups.to_dict("records")]
    grid.column(page, 2.65, "customers", n)
    for index, row in enumerate(groups.to_dict("records")):
        if row["suppressed"] or missing(row["mean"]):
            what = f"fewer than {minimum} customers" if row["suppressed"] else "could buy nothing"
            page.write(2.85, grid.y(page, index), what, size=SMALL, color=MUTED, style="italic")
        else:
            ink = tone(row.get("low"), row.get("high"))
            marks.level(axes, index, float(row["mean"]), row.get("mean_before"), ink)


def _changes(page: Page, grid: Rows, groups: pd.DataFrame) -> None:
    """Draw the change of customers counted both times, one interval each, and its part in all."""
    axes = grid.panel(page, 5.2, 6.35)
    shown = groups.mask(groups["suppressed"].astype(bool))
    change, low, high, part = (floats(shown, column) for column in ("change", "low", "high", "contribution"))
    changes = list(zip(change, low, high, strict=True))
    marks.change_axis(axes, np.array(changes))
    seen = {marks.interval(axes, index, *each) for index, each in enumerate(changes)}
    page.write(5.775, grid.header(page), "change, customers\nwe had both times", size=TINY,
               color=MUTED, ha="center", va="bottom")  # fmt: skip
    texts = [(_unless(each[0], points), tone(*each[1:])) for each in changes]
    grid.column(page, 6.95, "points", texts, weight="bold")
    reach = [_unless(least, lambda _, each=(least, most): " to ".join(map(points, each)))
             for least, most in zip(low, high, strict=True)]  # fmt: skip
    grid.column(page, 8.15, "95% interval", reach)
    grid.column(page, WIDTH - MARGIN, "part in total", [_unless(each, points) for each in part])
    known = [("now", dot(NOW)), ("before", dot(BEFORE)), *marks.CHANGES.items()]
    page.key([(told, how) for told, how in known if told in seen | {"now", "before"}])


def _unless(value: float, written: Callable[[float], str]) -> str:
    """Write nothing where there is nothing."""
    return "" if missing(value) else written(value)


def _ends(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep both ends of a long catalogue, with an empty row for what lies between."""
    table = table.reset_index(drop=True)
    if len(table) <= MOST_PRODUCTS:
        return table, ""
    middle = table.iloc[TOP:-BOTTOM]
    rates = middle["attach_rate"].dropna()
    reach = f", from {per_cent(rates.iloc[0])} to {per_cent(rates.iloc[-1])}" if len(rates) else ""
    kept = table.drop(index=middle.index[1:])
    kept.loc[TOP, "product_id"] = None
    return kept, f"{plural(len(middle), 'product')} in between{reach}"


def _bars(page: Page, grid: Rows, shown: pd.DataFrame) -> None:
    """Draw attach rates as bars from 0, the end of a bar in a lighter ink where it is at risk."""
    axes = grid.panel(page, 2.75, 6.2)
    rate, before = floats(shown, "attach_rate"), floats(shown, "attach_before")
    late = np.nan_to_num(floats(shown, "lapsing") / np.maximum(floats(shown, "possible"), 1))
    gap = shown["product_id"].isna().to_numpy()
    rate, before, late = (np.where(gap, np.nan, each) for each in (rate, before, late))
    most = np.nanmax([*rate, *before, 0.01])
    axes.set_xlim(0, most * 1.22)
    axes.barh(range(len(shown)), np.nan_to_num(rate), color=NOW, height=0.62)
    axes.barh(range(len(shown)), late, left=rate - late, color=LATE, height=0.62)
    for ink, wide in (("white", 3.6), (BEFORE, 2)):
        axes.plot(before, range(len(shown)), "|", color=ink, ms=11, mew=wide)
    for index, each in enumerate(rate):
        if gap[index]:
            continue
        text = "nobody could buy it" if missing(each) else per_cent(each)
        fell = not missing(each) and before[index] > each
        if fell and each > 0.15 * most:  # beside the mark of before it would read as that one's value
            _label_bar(axes, 0, index, text, color="white")
        else:
            far = np.nanmax([each, before[index], 0]) if not missing(each) else 0
            _label_bar(axes, far, index, text, color=MUTED if missing(each) else NOW)


def _product_columns(page: Page, grid: Rows, shown: pd.DataFrame) -> None:
    """Write names, changes, what is at risk and how many customers could buy each product."""
    grid.names(page, shown["product_id"], 2.5)
    rows = [row if not missing(row["product_id"]) else {} for row in shown.to_dict("records")]
    entries = [("now", block(NOW))]
    if np.isfinite(floats(shown, "change")).any():
        texts = [(points(row["change"]), tone(row.get("low"), row.get("high"))) if row else "" for row in rows]
        grid.column(page, 6.95, "change, points, who\ncould buy both times", texts, weight="bold")
        entries.append(("before", {**dot(BEFORE), "marker": "|", "markersize": 10, "mew": 2}))
    if np.isfinite(floats(shown, "lapsing")).any():
        grid.column(page, 7.95, "at risk", [count(row["lapsing"]) if row else "" for row in rows])
        entries.append(("has it, but is past twice the usual time of reordering: at risk", block(LATE)))
    grid.column(
        page,
        WIDTH - MARGIN,
        "could buy it",
        [count(row["possible"]) if row else "" for row in rows],
    )
    page.key(entries)


def _drawn(counts: np.ndarray, minimum: int) -> np.ndarray:
    """Leave no length to the bars of too few: it would tell their number."""
    return np.where((counts > 0) & (counts < minimum), 0.0, counts)


def _fewer(number: float, minimum: int) -> str:
    return f"fewer than {plural(minimum, 'customer')}" if too_few(number, minimum) else ""


def _label_bars(axes: Axes, table: pd.DataFrame, minimum: int) -> float:
    """Write numbers at the end of the bars, now above, before below; return the widest, in inches."""
    now, before = floats(table, "accounts"), floats(table, "accounts_before")
    beside = 0.18 if np.isfinite(before).any() else 0
    texts = [_fewer(each, minimum) or f"{count(each)} ({per_cent(share)})"
             for each, share in zip(now, table["share"], strict=True)]  # fmt: skip
    ends, earlier = _drawn(now, minimum), _drawn(before, minimum)
    for index, text in enumerate(texts):
        _label_bar(axes, ends[index], index - beside, text, color=NOW, weight="bold")
        if not missing(before[index]):
            _label_bar(axes, earlier[index], index + beside, few(before[index], minimum), color=MUTED)
    return max(width_of(text, SMALL, "bold") for text in texts)


def _label_bar(axes: Axes, value: float, row: float, text: str, **how: str) -> None:
    where = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
    axes.annotate(text, (float(value), row), (5, 0), **where, **how)


def _name_bands(page: Page, grid: Rows, table: pd.DataFrame) -> None:
    """Write the name and reach of each band, and what to do about it."""
    actions = table["action"] if "action" in table else [""] * len(table)
    for index, (band, reach, action) in enumerate(zip(table["band"], band_ranges(table), actions, strict=True)):
        y = grid.y(page, index)
        page.write(MARGIN, y + 0.09, shorten(band, 1.6, SIZE, "bold"), weight="bold")
        page.write(MARGIN, y - 0.1, reach, size=SMALL, color=MUTED)
        text = "" if missing(action) else "\n".join(wrap(action, SMALL, inches=2.45))
        page.write(6.35, y, text, size=SMALL, color=MUTED)


def _amount(what: str, amount: object, currency: str | None) -> str:
    return count(amount) if what == "rows" else money(amount, currency, 0)


def _stacks(page: Page, grid: Rows, stacks: Sequence[tuple]) -> None:
    """Draw used and set aside as parts of what was read; an edge keeps a thin part in sight."""
    axes = grid.panel(page, 3.15, 4.8)
    axes.set_xlim(-0.01, 1.02)
    for index, (table, what, read, used, aside) in enumerate(stacks):
        y = grid.y(page, index)
        page.write(MARGIN, y, shorten(table, 2.2, weight="bold") if table else "", weight="bold")
        page.write(2.45, y, what, size=SMALL, color=MUTED)
        if read > 0 and used >= 0 and aside >= 0:  # returns may leave parts that are no parts
            axes.barh(index, float(used / read), color=NOW, height=0.6)
        if read > 0 and used >= 0 and aside > 0:
            left, right = float(used / read), float(aside / read)
            axes.barh(index, right, left=left, color="white", ec=BAD, lw=1.2, height=0.6)
