"""Targets beside what was reached, as HTML tables."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.wording import targets as say
from kpilib.written import count, needing, quarter


def plan(table: pd.DataFrame, minimum: int = 5) -> Html:
    """Show every target of a quarter (``targets.plan``) with what was reached."""
    shown = _written(needing(table, "kpi", "unit", "target", "actual", "distance", "n", "suppressed"))
    if shown.empty:
        return prose([say.met(table)])
    shown["met"] = [_met(*each) for each in zip(table["met"], table["suppressed"], strict=True)]
    few = [f"Not shown: fewer than {minimum} customers."] if table["suppressed"].astype(bool).any() else []
    return show(shown, [
        text("what", "Target"),
        text("whose", "Of"),
        Column("n", "n", count),
        Column("target", "Plan", str),
        Column("actual", "Reached", str),
        Column("distance", "Distance", str),
        text("met", "Met"),
    ], "Against plan", ["Distance in points, or in products.", *few])  # fmt: skip


def path(table: pd.DataFrame) -> Html:
    """Show the targets of later quarters (``targets.path``) and what each quarter must add."""
    shown = _written(needing(table, "quarter", "kpi", "unit", "target", "actual", "distance", "per_quarter"))
    if shown.empty:
        return prose(["No target is given for a later quarter."])
    steps = zip(table["per_quarter"], table["unit"], strict=True)
    shown["per_quarter"] = [say.distance(*each) for each in steps]
    return show(shown, [
        Column("quarter", "End of", quarter, "kpi-text"),
        text("what", "Target"),
        text("whose", "Of"),
        Column("target", "Plan", str),
        Column("actual", "Now", str),
        Column("per_quarter", "To add in each quarter", str),
    ], "Plans ahead", ["In points, or in products."])  # fmt: skip


def _written(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.to_dict("records")
    shown = table.assign(what=[say.what(each) for each in rows], whose=[say.whose(each) for each in rows])
    for field, written in (("target", say.value), ("actual", say.value), ("distance", say.distance)):
        shown[field] = pd.Series(
            [written(each[field], each["unit"]) for each in rows], dtype="object", index=table.index
        )
    shown["n"] = table["n"].astype(object).mask(table["suppressed"].astype(bool), None)
    return shown


def _met(met: object, suppressed: bool) -> str:
    return "not shown" if suppressed else "cannot be told" if pd.isna(met) else "yes" if met else "no"
