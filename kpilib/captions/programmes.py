"""What stands over and under the pictures of a programme."""

from __future__ import annotations

from typing import Any

from kpilib.wording import programmes as say
from kpilib.written import missing, name, plural, points, quarter

WHAT = {
    "degree": "Share of what customers could buy that they have, change since {ref}, points",
    "products": "Products per customer, change since {ref}",
    "revenue": "Revenue a quarter per customer, change since {ref}",
}
SIDES = {"held_out": "held out", "others": "not in it", "treated": "in the programme"}


def events(found: Any, measure: str = "degree") -> str:
    """Title the picture of both sides over time: what the difference at its end shows, and no more."""
    if measure != "degree":
        return (
            f"{WHAT[measure].partition(',')[0]}: customers in the programme and {say.THEM.get(found.against, 'others')}"
        )
    row = say.effect_of(found, "degree", "at_end")
    if row is None or missing(row["value"]):
        return f"{name(found.name, most=48)}: there is nobody to compare its customers with"
    them = say.THEM[found.against]
    if missing(row["low"]):
        return f"Too little is known to tell customers in the programme from {them}"
    if not say.clear(row):
        return f"Customers in the programme did not clearly move otherwise than {them}"
    if found.verdict.word == say.CONTROLLED:
        return f"The programme {'raised' if row['value'] > 0 else 'lowered'} penetration, by {_points(row['value'])}"
    more = "more" if row["value"] > 0 else "less"
    return (
        f"Customers in the programme moved {_points(row['value'])} {more} than {them}: {found.verdict.word}, no proof"
    )


def subtitle(found: Any, measure: str = "degree") -> str:
    """Say what the picture shows, in which unit."""
    return WHAT[measure].format(ref=f"the last quarter before the start ({quarter(found.before)})")


def note(found: Any) -> str:
    """Say who is counted, and what the bars are."""
    who = [plural(found.treated, "customer") + " in it"]
    if found.against == "held_out":
        who.append(f"{found.held_out:,} held out")
    drawn = f"drawn by {name(found.assigned_by, most=24)}" if found.held_out else "nobody held out"
    bars = f"Bars: 95% intervals; counted both in the quarter and in {quarter(found.before)}."
    return f"{name(found.name, most=48)}: {', '.join(who)}, {drawn}. {bars}"


def sides(found: Any) -> tuple[str, str]:
    """Name the two lines of the picture, those in the programme first."""
    return SIDES["treated"], SIDES.get(found.against, "others")


def threats(found: Any) -> str:
    """Title the panel of threats by what the largest of them makes."""
    rows = found.threats.to_dict("records")
    there = found.threats[[bool(row["found"] and say.of_penetration(row)) for row in rows]]
    if there.empty:
        return f"What else could explain it: nothing found. Verdict: {found.verdict.word}"
    most = there.loc[there["size"].abs().idxmax()]
    what = say.THREATS[most["threat"]].lower()
    return f"What else could explain it: above all {what}, {points(most['size'])} points. Verdict: {found.verdict.word}"


def _points(value: float) -> str:
    return f"{points(abs(value)).lstrip('+')} points"
