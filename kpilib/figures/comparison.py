"""Figures of before and after: the bridge from one quarter to another, and groups with their mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kpilib.figures import marks
from kpilib.figures.marks import Rows, dot
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
    TINY,
    WIDTH,
    Page,
    drawn,
    tone,
)
from kpilib.written import count, floats, missing, name, needing, per_cent, plural, points, quarter

BARS = {
    "gains": "newly\nheld",
    "losses": "no longer\nheld",
    "joiners": "new\ncustomers",
    "leavers": "customers\nlost",
    "launches": "products\nlaunched",
    "retirements": "products\noff sale",
    "eligibility": "could-buy\nrules",
}
HEADS = {
    "same customers": "customers we had both times",
    "customer base": "who is counted",
    "catalogue": "what is on offer",
}
MOST_GROUPS = 30


@drawn
def bridge(found: Any, title: str, subtitle: str, note: str) -> Page:
    """Draw the way from the degree of one quarter to that of another: a bar per part.

    Same customers, customer base and catalogue stand apart, each with its sum. Parts that concern
    nobody are left out.

    Parameters
    ----------
    found
        ``bridge.Bridge``: earlier, later, before, after (shares), change, parts (part, about, points,
        low, high, accounts), about (about, points).
    """
    parts = needing(found.parts, "part", "about", "points", "low", "high", "accounts")
    parts = parts[(parts["accounts"] > 0) | (parts["points"].abs() > 1e-9)]
    steps = [*_steps(found.before, parts.to_dict("records"))]
    levels = [found.before, found.after, *(each for step in steps for each in step[1:])]
    low, high = _span(levels)
    page = Page(title, subtitle, f"{note} The vertical axis is cut." if low else note, 3.7)
    axes = page.panel(MARGIN, WIDTH - MARGIN, 0.5, 0.5)
    places = _places(parts)
    axes.set(ylim=(low, high), xlim=(-0.6, places[-1] + 0.6))
    axes.axhline(low, color=RULE, lw=1)
    for place, level, ink, end in ((0, found.before, BEFORE, "earlier"), (places[-1], found.after, NOW, "later")):
        _level(axes, place, level, ink, cut=bool(low))
        _under(axes, place, f"{quarter(getattr(found, end))}", weight="bold")
    _connect(axes, [0, *places], [found.before, *(top for _, _, top in steps)])
    for place, (row, begins, ends) in zip(places, steps, strict=False):
        _step(axes, place, row, begins, ends)
        _under(axes, place, BARS[row["part"]])
    _heads(page, axes, parts, places, found.about)
    told = {quarter(found.earlier): per_cent(found.before)}
    told |= {BARS[row["part"]].replace("\n", " "): points(row["points"], " points") for row, *_ in steps}
    return page.described("Bridge", told | {quarter(found.later): per_cent(found.after)})


@drawn
def segments(table: pd.DataFrame, title: str, subtitle: str, note: str, minimum: int = 5) -> Page:
    """Draw one row per group: from where to where, its part within and by mix.

    Parameters
    ----------
    table
        ``bridge.Segments.table``: group, n_before, n_after, before, after (0-1), within with its limits,
        mix (points), suppressed. Of very many groups the largest are drawn.
    """
    table = needing(table, "group", "n_after", "before", "after", "within", "within_low", "within_high", "mix")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There are no groups.")
    groups, rest = _largest(table)
    grid = Rows(len(groups) + bool(rest), 0.34 if len(groups) <= 12 else 0.27, 0.68, 0.3)
    hidden = groups["suppressed"].astype(bool)
    shown = groups[~hidden]
    levels, inches = np.concatenate([floats(shown, "before"), floats(shown, "after")]), 5.05 - 2.75
    page = Page(title, subtitle, note + marks.level_cut(levels, inches), grid.height)
    axes = grid.panel(page, 2.75, 5.05)
    marks.level_axis(axes, levels, inches)
    grid.names(page, groups["group"], 1.75)
    grid.column(
        page, 2.65, "customers", ["" if small else count(n) for n, small in zip(groups["n_after"], hidden, strict=True)]
    )
    for index, row in enumerate(groups.to_dict("records")):
        _group(page, grid, axes, index, row, minimum)
    _within(page, grid, groups.mask(hidden))
    if rest:
        page.write(MARGIN, grid.y(page, len(groups)), rest, size=SMALL, color=MUTED)
    told = {name(row["group"]): points(row["within"], " points") for row in shown.to_dict("records")}
    return page.described("Groups, part within the group", told)


def _steps(before: float, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], float, float]]:
    """Pair every part with the level it begins from and the one it leads to."""
    found, level = [], before
    for row in rows:
        found.append((row, level, level + row["points"]))
        level += row["points"]
    return found


def _span(levels: Sequence[float]) -> tuple[float, float]:
    """Choose an axis that shows the steps: cut where they are small beside the levels."""
    least, most = min(levels), max(levels)
    room = max(most - least, 0.01)
    low = least - 0.6 * room
    return (low, most + 0.22 * room) if low > 0.25 * most else (0.0, most * 1.12 or 1.0)


def _places(parts: pd.DataFrame) -> list[float]:
    """Place the bars after the first, with a gap where the subject changes; the last is the later level."""
    places, at, about = [], 0.25, None
    for each in parts["about"]:
        at += 1 + 0.25 * (about is not None and each != about)
        places.append(at)
        about = each
    return [*places, at + 1.25]


def _level(axes: Axes, place: float, level: float, ink: str, cut: bool) -> None:
    """Draw a level as a bar from the foot of the axis, crossed where the axis is cut."""
    low, high = axes.get_ylim()
    axes.bar(place, level - low, bottom=low, width=0.72, color=ink)
    if cut:
        at, slant = low + 0.07 * (high - low), 0.015 * (high - low)
        axes.add_artist(Line2D([place - 0.4, place + 0.4], [at - slant, at + slant], color="white", lw=4, gid="cut"))
    strong = {"fontsize": 11, "weight": "bold", "color": NOW if ink == NOW else INK}
    axes.annotate(
        per_cent(level), (place, level), (0, 4), textcoords="offset points", ha="center", va="bottom", **strong
    )


def _step(axes: Axes, place: float, row: Mapping[str, Any], begins: float, ends: float) -> None:
    """Draw a part: up or down, filled where its interval leaves out zero."""
    ink = GOOD if ends >= begins else BAD
    if row["about"] != "same customers":
        ink = MUTED  # who is counted, and what is on sale: neither is a success or a failure
    clear = not missing(row["low"]) and tone(row["low"], row["high"]) != MUTED
    axes.bar(
        place, abs(ends - begins), bottom=min(begins, ends), width=0.72, lw=1.2, ec=ink, color=ink if clear else "white"
    )
    axes.annotate(
        points(row["points"]), (place, max(begins, ends)), (0, 4), textcoords="offset points", ha="center", va="bottom",
        fontsize=10, weight="bold", color=ink,
    )  # fmt: skip


def _connect(axes: Axes, places: Sequence[float], levels: Sequence[float]) -> None:
    for left, right, level in zip(places, places[1:], levels, strict=False):
        axes.plot([left + 0.36, right - 0.36], [level, level], color=MUTED, lw=0.8, zorder=0)


def _under(axes: Axes, place: float, text: str, **how: Any) -> None:
    where = {"textcoords": "offset points", "ha": "center", "va": "top", "annotation_clip": False}
    axes.annotate(text, (place, axes.get_ylim()[0]), (0, -5), fontsize=SMALL, color=INK, **where, **how)


def _heads(page: Page, axes: Axes, parts: pd.DataFrame, places: Sequence[float], about: pd.DataFrame) -> None:
    """Name what the parts are about over them, with their sum."""
    sums = dict(zip(about["about"], about["points"], strict=True))
    both = axes.transData + page.dpi_scale_trans.inverted()
    own = parts["about"].tolist()
    for each in dict.fromkeys(own):
        among = [place for place, mine in zip(places, own, strict=False) if mine == each]
        left, right = (float(both.transform((place, 0))[0]) for place in (among[0] - 0.36, among[-1] + 0.36))
        y = page.top - 0.12
        page.add_artist(Line2D([left, right], [y - 0.24] * 2, color=RULE, lw=1, transform=page.dpi_scale_trans))
        words = {"ha": "center", "size": SMALL, "color": MUTED}
        page.write((left + right) / 2, y + 0.06, HEADS[each], **words)
        page.write((left + right) / 2, y - 0.12, points(sums[each], " points"), **{**words, "weight": "bold"})


def _largest(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Order groups by their part within, suppressed last; of very many keep the largest."""
    table = table.assign(hidden=table["suppressed"].astype(bool))
    by_size = table.sort_values(["hidden", "n_after"], ascending=[True, False], kind="stable")
    kept, rest = by_size.head(MOST_GROUPS), by_size.iloc[MOST_GROUPS:]
    kept = kept.sort_values(["hidden", "within"], ascending=[True, False], kind="stable")
    return kept.reset_index(drop=True), f"and {plural(len(rest), 'smaller group')}, not drawn" if len(rest) else ""


def _group(page: Page, grid: Rows, axes: Axes, index: int, row: Mapping[str, Any], minimum: int) -> None:
    """Draw where a group stands and came from."""
    if row["suppressed"]:
        text = f"fewer than {minimum} customers at one of the times"
    elif missing(row["after"]):
        text = "no longer counted"
    else:
        ink = tone(row["within_low"], row["within_high"])
        marks.level(axes, index, float(row["after"]), row["before"], ink)
        return
    page.write(2.85, grid.y(page, index), text, size=SMALL, color=MUTED, style="italic")


def _within(page: Page, grid: Rows, groups: pd.DataFrame) -> None:
    """Draw each group's part within, with its interval, and write it and the part of the mix."""
    axes = grid.panel(page, 5.2, 6.35)
    within, low, high, mix = (floats(groups, each) for each in ("within", "within_low", "within_high", "mix"))
    if np.isfinite(within).any():
        marks.change_axis(axes, np.array([within, low, high]))
    seen = {marks.interval(axes, index, *each) for index, each in enumerate(zip(within, low, high, strict=True))}
    page.write(5.775, grid.header(page), "part in the change,\nwithin the group", size=TINY, color=MUTED, ha="center",
               va="bottom")  # fmt: skip
    texts = [("" if missing(each) else points(each), tone(*ends))
             for each, *ends in zip(within, low, high, strict=True)]  # fmt: skip
    grid.column(page, 6.95, "points", texts, weight="bold")
    reach = [
        "" if missing(least) else f"{points(least)} to {points(most)}" for least, most in zip(low, high, strict=True)
    ]
    grid.column(page, 8.15, "95% interval", reach)
    grid.column(page, WIDTH - MARGIN, "by mix", ["" if missing(each) else points(each) for each in mix])
    known = [("now", dot(NOW)), ("before", dot(BEFORE)), *marks.CHANGES.items()]
    page.key([(told, how) for told, how in known if told in seen | {"now", "before"}])
