"""What stands over and under a figure: its message as title, then what, unit and period.

Titles are computed from the table the figure draws, so that they hold for any client and quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.errors import KpiError, near
from kpilib.wording import apart, extreme, from_plan, verdict
from kpilib.written import (
    Row,
    are,
    band_ranges,
    count,
    few,
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
    too_few,
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
        distance = from_plan(now)
        told = {"": "", "met": ": met"}.get(distance, f": we are {distance}")
        found.append(_card("Plan", per_cent(now["plan"]), quarter(now["quarter"]) + told))
    if not missing(now.get("multi")):
        found.append(_card("Two products or more", per_cent(now["multi"]), "of customers"))
    if not missing(now.get("revenue_quarter")):
        sold = money(now["revenue_quarter"], currency, 0)
        found.append(_card("Revenue of the quarter", sold, f"{quarter(now['quarter'])}, of these customers"))
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
    moved = f"{apart(change.points, now['mean'])} in {quarter(change.against)}"
    return f"{level}, {moved}: {told}" if told else f"{level}, {moved}"


def curve(table: pd.DataFrame, change: Any = None, minimum: int = 5) -> str:
    """Title the curve with its largest change; with the typical customer where none is clear or none stands out.

    Parameters
    ----------
    table
        A row of ``penetration.curve`` for each k.
    change
        ``penetration.Change`` of the same customers: where that is not clear, no change is headlined.
    minimum
        The fewest customers that make a change worth a title (the engagement's ``minimum_cell``).
    """
    both = table.dropna(subset=["share", "share_before"])
    gap = both["share"].astype(float) - both["share_before"].astype(float)
    if gap.empty:
        return _typical(table)
    if rounds_away(gap.abs().max()):
        return "Customers have as many products as before"
    if change is not None and verdict(change.low, change.high) == "no clear change":
        return f"{_typical(table)}; penetration shows no clear change"
    alike = both[gap.map(_read) == _read(gap.iloc[int(gap.abs().to_numpy().argmax())])]
    most = alike.iloc[0]
    if len(alike) > 2 or set(alike["share"] > alike["share_before"]) == {True, False} or _by_few(most, minimum):
        return _typical(table)
    verb = "rose" if most["share"] > most["share_before"] else "fell"
    if len(alike) > 1:
        first, last = alike["k"]
        return (
            f"The shares of customers with at least {count(first)} and with at least {plural(last, 'product')} "
            f"{verb} most, each by {_read(gap.loc[most.name])} points"
        )
    return (
        f"The share of customers with at least {plural(most['k'], 'product')} {verb} most: "
        f"from {per_cent(most['share_before'])} to {per_cent(most['share'])}"
    )


def segments(by_segment: pd.DataFrame) -> str:
    """Title the segments: which changed clearly, or who leads and who is last."""
    if by_segment.empty:
        return "There are no groups to show"
    large = by_segment[~by_segment["suppressed"].astype(bool)].dropna(subset=["mean"])
    if large.empty:
        return "No group is large enough to be shown"
    told = _clear_changes(large, "group", "group")
    known = large[large["group"] != "(not given)"]
    level = _first_and_last(known if len(known) else large, "group", "mean")
    level = f"of the groups given, {level}" if 0 < len(known) < len(large) else level
    return told or _no_clear_change(large, "group", level)


def products(by_product: pd.DataFrame) -> str:
    """Title the products: which changed clearly, or which most and fewest customers have."""
    known = by_product.dropna(subset=["attach_rate"])
    if known.empty:
        return "No product could be bought by any customer"
    level = _first_and_last(known, "product_id", "attach_rate")
    told = _clear_changes(known, "product_id", "product")
    return told or _no_clear_change(known, "product", level)


def bands(table: pd.DataFrame, fitting: bool = True, minimum: int = 0) -> str:
    """Title the bands with the one to act on first: the lowest; its reach alone where they do not fit the catalogue.

    Fewer than ``minimum`` customers are not counted out.
    """
    if not table["accounts"].sum():
        return "No customer is counted in any band"
    low = table.iloc[0]
    number = minimum if too_few(low["accounts"], minimum) else low["accounts"]
    who = f"{plural(number, 'customer')} ({per_cent(low['share'])})"
    who = who if number == low["accounts"] else f"Fewer than {plural(minimum, 'customer')}"
    if not fitting:
        return f"{who} {have(number)} {band_ranges(table)[0]} of what {'it' if number == 1 else 'they'} could buy"
    who = f"{who} {are(number)}" if number else "No customer is"
    title, before = f"{who} in the lowest band, “{name(low['band'])}”", low.get("accounts_before")
    return title if missing(before) else f"{title}; before, {few(before, minimum)}"


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


def _read(gap: float) -> str:
    """Write the size of a difference as a reader sees it."""
    return points(abs(gap)).lstrip("+")


def _by_few(most: pd.Series, minimum: int) -> bool:
    """Tell whether fewer customers than are worth a title make a change of the curve; unknown is not few."""
    shares, n = ("share", "share_before"), ("n", "n_before")
    if not set(n) <= set(most.index):
        return False
    now, before = (float(most[share]) * float(most[each]) for share, each in zip(shares, n, strict=True))
    return round(abs(now - before), 6) < minimum


def _typical(table: pd.DataFrame) -> str:
    if table.empty:
        return "No customer is counted"
    half = table[table["share"].astype(float) >= 0.5]
    if half.empty:
        return "Fewer than half of the customers have any product"
    return f"Half of the customers or more have at least {plural(half['k'].max(), 'product')}"


def _clear_changes(table: pd.DataFrame, names: str, thing: str) -> str:
    """Name what changed clearly, and count what did not; nothing where nothing did."""
    told = [verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True)]
    parts = []
    for word in ("clear rise", "clear fall"):
        found = [each for each, said in zip(table[names], told, strict=True) if said == f"a {word}"]
        if found:
            parts.append(f"{word} in {several(found) if len(found) <= 3 else plural(len(found), thing)}")
    if parts and (rest := told.count("no clear change")):
        parts.append(f"no clear change in {plural(rest, f'other {thing}')}")
    if parts and (rest := told.count("")):
        parts.append(f"not judged: {plural(rest, thing)}")
    return upper("; ".join(parts))


def _no_clear_change(table: pd.DataFrame, thing: str, level: str) -> str:
    judged = any(verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True))
    return f"No {thing} shows a clear change; {level}" if judged else upper(level)


def _first_and_last(table: pd.DataFrame, names: str, field: str) -> str:
    top, bottom = (per_cent(extreme(table, field, sign)[field]) for sign in (1, -1))
    read = table[field].map(per_cent)
    first, last = table.loc[read == top, names], table.loc[read == bottom, names]
    if top == bottom and len(table) > 1:
        return f"all have {top}"
    best = f"{several(first)} {'leads' if len(first) == 1 else 'lead'} with {top}"
    return best if top == bottom else f"{best}, {several(last)} {are(len(last))} last with {bottom}"
