"""Tables on a programme: what changed on each side, and what else could explain it."""

from __future__ import annotations

from typing import Any

from kpilib.captions.programmes import SIDES
from kpilib.tables import Column, Html, show, text
from kpilib.wording import programmes as say
from kpilib.wording import said
from kpilib.written import MINUS, NOTHING, count, missing, money, name, per_cent, points, rounds_away, upper

PARTS_DIFFER = (
    "Where a change is split into its parts, what is on offer is reckoned at the middle of both quarters, here beside "
    "the products on sale both times: the two sizes can differ."
)
READINGS = {"at_end": "last quarter", "on_average": "average of the quarters after"}
MEASURES = {"degree": "Penetration, points", "products": "Products per customer", "revenue": "Revenue a quarter"}


def moved(found: Any) -> Html:
    """Show before and after of each side."""
    table = found.moved.assign(side=[upper(SIDES[each]) for each in found.moved["side"]])
    return show(table, [
        text("side", "Customers"),
        Column("n", "Counted both times (n)", count),
        Column("before", "Before", per_cent),
        Column("after", "After", per_cent),
        Column("change", "Change, points", points),
        Column("low", "95% interval from", points),
        Column("high", "to", points),
    ], f"{upper(name(found.name, most=48))}: before and after")  # fmt: skip


def effects(found: Any, currency: str | None = None) -> Html:
    """Show the change of both sides and its difference, for every measure."""
    rows = found.effects.to_dict("records")
    table = found.effects.assign(
        what=[MEASURES[row["measure"]] + _unit(row, currency) for row in rows],
        reading=[READINGS[row["reading"]] for row in rows],
    )
    for field in ("treated_change", "against_change", "value", "low", "high"):
        table[field] = [_written(row[field], row["measure"]) for row in rows]
    notes = sorted({f"Interval: {row['method']}." for row in rows})
    them = SIDES.get(found.against, "others")
    return show(table, [
        text("what", "What"),
        text("reading", "Read at"),
        Column("n_treated", "In it (n)", count),
        Column("n_against", f"{upper(them)} (n)", count),
        Column("treated_change", "Change of those in it", str),
        Column("against_change", f"Change of those {them}", str),
        Column("value", "Difference", str),
        Column("low", "95% interval from", str),
        Column("high", "to", str),
    ], f"{upper(name(found.name, most=48))}: change of both sides", notes)  # fmt: skip


def threats(found: Any) -> Html:
    """Show every threat with its size, what it means and whether a hold-out takes it out; then the verdict."""
    rows = found.threats.to_dict("records")
    table = found.threats.assign(
        what=[say.THREATS[row["threat"]] for row in rows],
        means=[say.threat(row, found.regression) for row in rows],
        shown=[points(_signed(row)) if say.of_penetration(row) else NOTHING for row in rows],
        stands=[_stands(row) for row in rows],
    )
    notes = said(say.judged(found), _beside_the_parts(rows))
    return show(table, [
        text("what", "Explanation"),
        Column("shown", "Size, points", str),
        text("means", "What it means"),
        text("stands", "In the comparison"),
    ], f"{upper(name(found.name, most=48))}: what else could explain it", notes)  # fmt: skip


def _signed(row: dict[str, Any]) -> float:
    """Give what may still be lost as a loss."""
    return -row["size"] if row["threat"] == "lapsing" else row["size"]


def _beside_the_parts(rows: list[dict[str, Any]]) -> str | None:
    """Say why the size of another catalogue is not the one that a change is split into."""
    there = any(row["threat"] == "catalogue" and row["found"] for row in rows)
    return PARTS_DIFFER if there else None


def _stands(row: dict[str, Any]) -> str:
    if row["found"]:
        return "taken out" if row["held_off"] else "stays"
    if missing(row["size"]) or rounds_away(row["size"], 2):
        return "not found"
    if row["threat"] == "regression_to_the_mean":
        return "small distance"
    return "may be chance" if row["threat"] == "attrition" else "too small to matter"


def _written(value: float, measure: str) -> str:
    if missing(value):
        return NOTHING
    if measure == "degree":
        return points(value)
    shown = f"{abs(value):,.2f}" if measure == "products" else money(abs(value), places=0)
    sign = "" if not float(shown.replace(",", "")) else "+" if value > 0 else MINUS
    return sign + shown


def _unit(row: dict[str, Any], currency: str | None) -> str:
    return f", {currency}" if currency and row["measure"] == "revenue" else ""
