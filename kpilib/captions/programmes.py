"""What stands over and under the pictures of a programme."""

from __future__ import annotations

from typing import Any

from kpilib.wording import programmes as say
from kpilib.written import missing, name, plural, points, quarter, spaced, upper

WHAT = {
    "degree": "Share of what customers could buy that they have, change since {ref}, points",
    "products": "Products per customer, change since {ref}",
    "revenue": "Revenue a quarter per customer, change since {ref}",
}
SIDES = {"held_out": "held out", "others": "not in it", "treated": "in the programme"}


def events(found: Any, measure: str = "degree") -> str:
    """Title the picture of both sides over time: what the difference at its end shows, and no more."""
    it, them = say.called(found), say.them(found)
    if measure != "degree":
        return f"{WHAT[measure].partition(',')[0]}: customers in {it} and {them}"
    row = say.effect_of(found, "degree", "at_end")
    if row is None or missing(row["value"]):
        return f"{upper(name(found.name, most=48))}: there is nobody to compare its customers with"
    if missing(row["low"]):
        return f"Too little is known to tell customers in {it} from {them}"
    if not say.clear(row):
        return f"Customers in {it} did not clearly move otherwise than {them}"
    if found.verdict.word == say.CONTROLLED:
        verb = "raised" if row["value"] > 0 else "lowered"
        return f"{upper(it)} {verb} penetration of those in it, by {_points(row['value'])}"
    if say.drifted(found):
        back = found.regression
        left = f"{points(back.adjusted)} points beside the drift back to the average"
        return f"Customers in {it} moved by {left}: {found.verdict.word}, no proof"
    more = "more" if row["value"] > 0 else "less"
    return f"Customers in {it} moved {_points(row['value'])} {more} than {them}: {found.verdict.word}, no proof"


def subtitle(found: Any, measure: str = "degree") -> str:
    """Say what the picture shows, in which unit."""
    return WHAT[measure].format(ref=f"the last quarter before the start ({quarter(found.before)})")


def note(found: Any) -> str:
    """Say who is counted, and what the bars are."""
    row = say.effect_of(found, "degree", "at_end") or {"n_treated": found.treated, "n_against": found.held_out}
    who = [plural(row["n_treated"], "customer") + " in it"]
    if found.against == "held_out":
        who.append(f"{row['n_against']:,} held out")
    drawn = f"drawn by {spaced(found.assigned_by)}" if found.held_out else "nobody held out"
    bars = f"Bars: 95% intervals; counted both in the quarter and in {quarter(found.before)}."
    if "Welch" in row.get("method", ""):
        each = spaced(found.assigned_by)
        bars += f" The difference counts each {each} alike, the lines each customer, so they need not agree."
    return f"{upper(name(found.name, most=48))}: {', '.join(who)}, {drawn}. {bars}"


def sides(found: Any) -> tuple[str, str]:
    """Name the two lines of the picture, those in the programme first."""
    return SIDES["treated"], SIDES.get(found.against, "others")


def _points(value: float) -> str:
    return f"{points(abs(value)).lstrip('+')} points"
