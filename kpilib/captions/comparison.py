"""Titles and subtitles of the figures of before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kpilib.captions import periods as named
from kpilib.wording import verdict
from kpilib.wording.comparison import rows_of, summed
from kpilib.written import Row, name, per_cent, plural, points, quarter, rounds_away, spaced

SHORT = {
    "gains": "products newly held",
    "losses": "products no longer held",
    "joiners": "new customers",
    "leavers": "customers lost",
    "launches": "launches",
    "retirements": "products off sale",
    "eligibility": "changes of what customers could buy",
}


def bridge(found: Any) -> str:
    """Title the bridge with its largest parts: two, and as many more as it takes to see where they lead."""
    whole = found.change.value
    verb = "has not moved" if rounds_away(whole, 2) else "rose" if whole > 0 else "fell"
    by = "" if rounds_away(whole, 2) else f" by {points(abs(whole)).lstrip('+')} points"
    rows = sorted(rows_of(found), key=lambda row: -abs(row["points"]))
    left = [whole - sum(row["points"] for row in rows[:many]) for many in range(len(rows) + 1)]
    enough = (many for many in range(2, len(rows)) if rounds_away(left[many], 1) or abs(left[many]) <= abs(whole) / 2)
    rows = rows[: next(enough, len(rows))]
    told = [f"{SHORT[row['part']]} {'added' if row['points'] > 0 else 'took'} {points(abs(row['points'])).lstrip('+')}"
            for row in rows if not rounds_away(row["points"], 2)]  # fmt: skip
    return f"Since {quarter(found.earlier)}, penetration {verb}{by}" + (f": {', '.join(told)}" if told else "")


def bridge_subtitle(found: Any) -> str:
    """Say what the bridge shows."""
    how = "average" if found.kind == "mean" else "all customers together"
    ends = f"{quarter(found.earlier)} to {quarter(found.later)}"
    return f"Share of what customers could buy that they have, {how}, %, and its change in points, {ends}"


def bridge_note(found: Any) -> str:
    """Say under the bridge who is counted, and how to read it."""
    stay = plural(found.same.n, "customer")
    off = summed([row["points"] for row in rows_of(found)], found.change.value)
    return (
        f"{stay} counted both times; the parts sum to the change{off}. Filled: the 95% interval leaves out zero; "
        "hollow: it does not, or there is none. What makes up a change is not what brought it about."
    )


def segments(split: Any, earlier: str) -> str:
    """Title the groups: how much is within them, how much is their mix, and who moved most."""
    inside = f"{points(split.within.value)} points within groups by {spaced(split.by)}"
    told = f"Since {quarter(earlier)}, {inside}, {points(split.mix)} by their mix"
    rows = [row for row in split.table.to_dict("records") if _moved_clearly(row)]
    if not rows:
        return f"{told}; no group moved clearly"
    most = max(rows, key=lambda row: abs(row["within"]))
    clear = "most in" if len(rows) > 1 else "clear alone in"
    return f"{told}; {clear} “{name(most['group'], most=40)}”: {points(most['within'])}"


def segments_subtitle(split: Any, earlier: str, later: str) -> str:
    """Say what the groups show."""
    when = f"{quarter(earlier)} to {quarter(later)}"
    return f"By {spaced(split.by)}: share of what customers could buy that they have, %, {when}"


def segments_note(split: Any) -> str:
    """Say how the columns under the groups add up."""
    return (
        f"Within and mix, in points of the average of all customers, sum to {points(split.change.value)} "
        f"(95% interval of within {points(split.within.low)} to {points(split.within.high)})."
    )


def cards(bridges: Sequence[Any]) -> list[dict[str, str]]:
    """Write the headline figures of the first page."""
    found = []
    for each in bridges:
        since = f"since {quarter(each.earlier)}"
        found.append(_card(f"Change {since}", points(each.change.value, " points"), _told(each.change)))
        found.append(_card(f"Same customers {since}", points(each.same.value, " points"), _told(each.same)))
        relative = per_cent(each.after / each.before - 1) if each.before else None
        if relative:
            found[-2]["note"] = ", ".join(filter(None, (relative + " of what it was", found[-2]["note"])))
    return found


def _moved_clearly(row: Row) -> bool:
    told = verdict(row["within_low"], row["within_high"])
    return told.startswith("a clear") and not row["suppressed"] and not rounds_away(row["within"], 2)


def _told(found: Any) -> str:
    return verdict(found.low, found.high).removeprefix("a ")


def _card(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def names(found: Any) -> tuple[str, str]:
    """Name the two quarters of a bridge, the later first."""
    return named(found.later, found.earlier)
