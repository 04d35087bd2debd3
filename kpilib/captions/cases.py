"""Titles, subtitles and headline figures of a published case."""

from __future__ import annotations

from typing import Any

from kpilib.wording import cases as say
from kpilib.wording import programmes
from kpilib.written import missing, name, points, spaced

READINGS = {
    "published": "Published: the {kpi}, of everyone",
    "before_after": "In the programme, before and after",
    "held_out": "Held out of it, over the same time",
    "difference": "Difference of the two sides",
    "truth": "What the programme did, as invented",
}


def readings(here: Any, there: Any | None = None) -> str:
    """Title the picture of the readings: what those held out leave of the published rise."""
    row = programmes.effect_of(here.found, "degree", "at_end")
    claim = f"As told {points(here.case.after - here.case.before)} points"
    if row is None or missing(row["low"]):
        return f"{claim}; nobody was held out to compare with"
    other = None if there is None else programmes.effect_of(there.found, "degree", "at_end")
    twin = "" if other is None else f". In the twin, told the same: {_left(there, other)}"
    return f"{claim}; against customers held out {_left(here, row)}{twin}"


def readings_subtitle(here: Any) -> str:
    """Say what the picture shows."""
    published = "; the published line is of the index" if say.KPIS[here.case.kpi] == "index" else ""
    return f"Change of the share of what customers could buy that they have, a year, points{published}"


def readings_note(here: Any) -> str:
    """Say what the marks are."""
    by = spaced(here.found.assigned_by)
    alike = "" if _by_account(here.found) else f" For the difference, each {by} counts alike, whatever its size."
    return f"Bars: 95% intervals. The twin is the same firm, invented with a programme that changed nothing.{alike}"


def labels(case: Any) -> dict[str, str]:
    """Name the readings, as rows of the picture."""
    return {each: text.format(kpi=say.KPIS[case.kpi]) for each, text in READINGS.items()}


def cards(found: Any) -> list[dict[str, str]]:
    """Write the headline figures of the case."""
    case, row = found.case, programmes.effect_of(found.found, "degree", "at_end")
    told = [
        {
            "label": "As told",
            "value": points(case.after - case.before, " points"),
            "note": f"of the {say.KPIS[case.kpi]}",
        }
    ]
    if row is not None and not missing(row["low"]):
        note = found.found.verdict.word if programmes.clear(row) else "may be chance"
        told.append({"label": "Against customers held out", "value": points(row["value"], " points"), "note": note})
    if found.truth is not None:
        value = points(found.truth.effect, " points")
        told.append({"label": "Known truth", "value": value, "note": f"{name(found.client)} is invented"})
    return told


def _left(found: Any, row: Any) -> str:
    value = points(row["value"])
    if missing(row["low"]) or not programmes.clear(row):
        return f"{value}, which may be chance"
    return value if found.found.verdict.word == programmes.CONTROLLED else f"{value} ({found.found.verdict.word})"


def _by_account(found: Any) -> bool:
    row = programmes.effect_of(found, "degree", "at_end")
    return row is None or "Welch" not in row["method"]
