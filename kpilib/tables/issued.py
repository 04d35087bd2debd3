"""Issued figures beside today's, as small HTML tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.tables import Column, Html, show, text
from kpilib.wording.issued import FIGURES, PARTS, compared, figure, places, places_apart, rounding_row, size
from kpilib.written import count, day, quarter

HEADS = {
    "mean": "Average, points",
    "pooled": "All together, points",
    "multi": "Two or more, points",
    "index": "Index, points",
    "accounts": "Customers",
    "revenue_quarter": "Revenue of the quarter",
    "revenue_window": "Revenue of the look-back",
    "net_revenue_retention": "Net retention, points",
    "gross_revenue_retention": "Gross retention, points",
}
IN_TURN = (
    "The parts are let in from the top down, each counted on those above it, and sum to the difference; "
    "another order could give a part another size."
)


def parts(found: Any, currency: str | None = None) -> Html:
    """Show the parts of a difference (``issued.Diff``): points, customers and revenue, and what they are."""
    names, decimals = compared(found), places(found)
    total = dict(zip(found.figures["figure"], found.figures["difference"], strict=True))
    none = dict.fromkeys(("lines", "accounts_touched", "what", "most"))
    rows: list[dict[str, Any]] = []
    for row in [*found.parts.to_dict("records"), {"part": None, **total, **none}]:
        shown = {name: size(name, row[name], currency, decimals[name]) for name in names}
        rows.append({**row, "part": PARTS.get(row["part"], "Together"), **shown})
    if left := rounding_row(found, currency):
        rows.insert(-1, {"part": "Rounding", **none, **left})
    frame = pd.DataFrame(rows, dtype=object)
    columns = [
        text("part", "What changed since"),
        *(Column(name, HEADS[name], str) for name in names),
        Column("lines", "Lines", count),
        Column("accounts_touched", "Customers touched", count),
        text("what", "What it is"),
        text("most", "Customers touched most"),
    ]
    caption = f"{quarter(found.quarter)} as issued on {day(found.issued_on[:10])} and today"
    return show(frame, columns, caption, [IN_TURN])


def restated(table: pd.DataFrame, currency: str | None = None) -> Html:
    """Show issued quarters beside what the data say today (``issued.restated``)."""
    rows = [
        {
            "quarter": f"{quarter(row['quarter'])}, issue {row['issue']}",
            "issued_on": day(row["issued_on"][:10]),
            "figure": FIGURES[row["figure"]],
            **{each: figure(row["figure"], row[each], currency, shown) for each in ("as_issued", "today")},
            "difference": size(row["figure"], row["difference"], currency, shown),
        }
        for row in table.to_dict("records")
        for shown in [places_apart(row["figure"], row)]
    ]
    columns = [
        text("quarter", "Quarter"),
        text("issued_on", "Issued on"),
        text("figure", "Figure"),
        Column("as_issued", "As issued", str),
        Column("today", "Today", str),
        Column("difference", "Difference (shares in points)", str),
    ]
    return show(pd.DataFrame(rows, dtype=object), columns, "As issued, and as the data say today")
