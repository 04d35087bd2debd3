"""What stands over and under a figure: its message as title, then what, unit and period.

Titles are computed from the table the figure draws, so that they hold for any client and quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.errors import KpiError, near
from kpilib.wording import apart, extreme, verdict
from kpilib.written import (
    Row,
    are,
    count,
    have,
    missing,
    money,
    month,
    name,
    per_cent,
    plural,
    points,
    quarter,
    rounds_away,
    several,
    upper,
)

SUBTITLES = {
    "trend": "Share of what customers could buy that they have, average, %, end of quarter",
    "curve": "Share of customers who have at least so many products, %, {periods}",
    "segments": "Share of what customers could buy that they have, average, %, {periods}",
    "products": "Share of the customers who could buy a product that have it, %, {periods}",
    "bands": "Customers by the share of what they could buy that they have, number, {periods}",
    "months": "Lines delivered per month, number and revenue",
    "reconciliation": "What was read and what became of it, number of rows and revenue",
}


def subtitle(figure: str, now: str, before: str | None = None) -> str:
    """Say what a figure shows, in which unit and for which period.

    Example
    -------
    >>> subtitle("curve", "2017Q4", "2016Q4")
    'Share of customers who have at least so many products, %, Q4 2017 and Q4 2016'
    """
    if figure not in SUBTITLES:
        raise KpiError(f"{figure!r} is no figure of the kit.", "", near(figure, SUBTITLES))
    periods = quarter(now) if missing(before) else f"{quarter(now)} and {quarter(before)}"
    return SUBTITLES[figure].format(periods=periods)


def periods(now: str, before: str | None = None) -> tuple[str, str]:
    """Name the two periods that a figure compares.

    Example
    -------
    >>> periods("2017Q4", "2016Q4"), periods("2017Q4")
    (('Q4 2017', 'Q4 2016'), ('Q4 2017', 'before'))
    """
    return quarter(now), "before" if missing(before) else quarter(before)


def cards(now: Row, changes: Sequence[Any], currency: str | None = None) -> list[dict[str, str]]:
    """Write the headline figures of the first page: label, value, note.

    Parameters
    ----------
    now
        A row of ``penetration.by_quarter``.
    changes
        ``penetration.Change`` against earlier quarters.
    """
    found = [_card("Account penetration", per_cent(now["mean"]), plural(now["n"], "customer"))]
    for each in changes:
        told = verdict(each.low, each.high)
        found.append(_card(f"Change on {quarter(each.against)}", points(each.points, " points"), told))
    if not missing(now.get("plan")):
        found.append(_card("Plan", per_cent(now["plan"]), quarter(now["quarter"])))
    if not missing(now.get("multi")):
        found.append(_card("Two products or more", per_cent(now["multi"]), "of customers"))
    if not missing(now.get("revenue_quarter")):
        sold = money(now["revenue_quarter"], currency, 0)
        found.append(_card("Revenue of the quarter", sold, quarter(now["quarter"])))
    return found


def _card(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def trend(now: Row, change: Any = None) -> str:
    """Title the trend: the level, and the change if there is one."""
    if missing(now["mean"]):
        return f"No penetration can be given for {quarter(now['quarter'])}"
    level = f"The average customer has {per_cent(now['mean'])} of what it could buy"
    if change is None or missing(change.points):
        return f"{level} at the end of {quarter(now['quarter'])}"
    told = "" if rounds_away(change.points, 2) else verdict(change.low, change.high)
    moved = f"{apart(change.points)} in {quarter(change.against)}"
    return f"{level}, {moved}: {told}" if told else f"{level}, {moved}"


def curve(table: pd.DataFrame) -> str:
    """Title the curve with its largest change; without a before, with the typical customer."""
    both = table.dropna(subset=["share", "share_before"])
    gap = (both["share"].astype(float) - both["share_before"].astype(float)).abs()
    if gap.empty:
        return _typical(table)
    most = both.iloc[int(gap.to_numpy().argmax())]
    if rounds_away(gap.max()):
        return "Customers have as many products as before"
    verb = "rose" if most["share"] > most["share_before"] else "fell"
    return (
        f"The share of customers with at least {plural(most['k'], 'product')} {verb} most: "
        f"from {per_cent(most['share_before'])} to {per_cent(most['share'])}"
    )


def segments(by_segment: pd.DataFrame) -> str:
    """Title the segments: which changed clearly, or who leads and who trails."""
    if by_segment.empty:
        return "There are no groups to show"
    large = by_segment[~by_segment["suppressed"].astype(bool)].dropna(subset=["mean"])
    if large.empty:
        return "No group is large enough to be shown"
    told = [verdict(low, high) for low, high in zip(large["low"], large["high"], strict=True)]
    clear = [
        _groups(word, [group for group, each in zip(large["group"], told, strict=True) if each == word])
        for word in ("a clear rise", "a clear fall")
    ]
    if any(clear):
        return upper("; ".join(filter(None, clear)))
    level = _most_and_least(large)
    return f"No group shows a clear change; {level}" if any(told) else level


def products(by_product: pd.DataFrame) -> str:
    """Title the products: the one most customers have, and the one fewest have."""
    known = by_product.dropna(subset=["attach_rate"])
    if known.empty:
        return "No product could be bought by any customer"
    top, bottom = (extreme(known, "attach_rate", sign) for sign in (1, -1))
    best = (
        f"{per_cent(top['attach_rate'])} of customers who could have "
        f"{name(top['product_id'], most=48)} have it"
    )
    if top["attach_rate"] == bottom["attach_rate"]:
        return best
    least = f"{name(bottom['product_id'], most=48)}, at {per_cent(bottom['attach_rate'])}"
    return f"{best}, the most; the fewest have {least}"


def bands(table: pd.DataFrame) -> str:
    """Title the bands with the one to act on first: the lowest."""
    if not table["accounts"].sum():
        return "No customer is counted in any band"
    low = table.iloc[0]
    who = f"{plural(low['accounts'], 'customer')} ({per_cent(low['share'])})"
    title = f"{who} {are(low['accounts'])} in the lowest band, “{name(low['band'])}”"
    before = low.get("accounts_before")
    return title if missing(before) else f"{title}; before, {count(before)}"


def months(table: pd.DataFrame) -> str:
    """Title the months of delivery with those that are missing."""
    if table.empty:
        return "No month was delivered"
    gone = table.loc[table["flagged"].astype(bool), "month"]
    if len(gone):
        all_of = plural(len(table), "month")
        without = f"{have(len(gone))} no lines: {several(map(month, gone))}"
        return f"{count(len(gone))} of {all_of} {without}"
    first, last = month(table["month"].iloc[0]), month(table["month"].iloc[-1])
    return f"{first} has lines" if first == last else f"Every month from {first} to {last} has lines"


def reconciliation(totals: pd.DataFrame, currency: str | None = None) -> str:
    """Title the reconciliation: how much of what was read is set aside."""
    read, aside = totals["rows_read"].sum(), totals["rows_set_aside"].sum()
    if not read:
        return "No row was read"
    if not aside:
        return f"All {plural(read, 'row')} read {are(read)} used" if read > 1 else "The row read is used"
    amounts = [each for each in totals["revenue_set_aside"] if not missing(each)]
    worth = f", {money(sum(amounts), currency)} of revenue," if amounts else ""
    share = per_cent(aside / read)
    return f"{count(aside)} of {plural(read, 'row')} ({share}){worth} {are(aside)} set aside"


def _typical(table: pd.DataFrame) -> str:
    if table.empty:
        return "No customer is counted"
    half = table[table["share"].astype(float) >= 0.5]
    if half.empty:
        return "Fewer than half of the customers have any product"
    return f"Half of the customers or more have at least {plural(half['k'].max(), 'product')}"


def _groups(word: str, groups: list[object]) -> str:
    if not groups:
        return ""
    where = several(groups) if len(groups) <= 3 else plural(len(groups), "group")
    return f"{word.removeprefix('a ')} in {where}"


def _most_and_least(large: pd.DataFrame) -> str:
    top, bottom = (extreme(large, "mean", sign) for sign in (1, -1))
    best = f"{name(top['group'], most=48)} has {per_cent(top['mean'])} of what it could buy"
    if top["mean"] == bottom["mean"]:
        return best
    return f"{best}, the most; {name(bottom['group'], most=48)} the least, {per_cent(bottom['mean'])}"
