"""Tables of a published case: what was claimed beside what is measured."""

from __future__ import annotations

from typing import Any

from kpilib.tables import Column, Html, show, text
from kpilib.wording import cases as say
from kpilib.written import name, upper


def claims(found: Any, twin: Any | None = None) -> Html:
    """Show every published figure beside what the engagement, and its twin, measure."""
    rows = found.claims.to_dict("records")
    table = found.claims.assign(
        figure=[upper(say.figure(found.case, row["figure"])) for row in rows],
        claimed=[say.written(row, "claimed") for row in rows],
        measured=[say.written(row, "measured") for row in rows],
        twin=None if twin is None else [say.written(row, "measured") for row in twin.claims.to_dict("records")],
        agrees=["yes" if row["agrees"] else "no" for row in rows],
    )
    return show(table, [
        text("figure", "Figure"),
        Column("claimed", "As told", str),
        Column("measured", name(found.client), str),
        Column("agrees", "Agree as printed", str, "kpi-text"),
        Column("twin", "" if twin is None else name(twin.client), str),
    ], "As told and as measured")  # fmt: skip
