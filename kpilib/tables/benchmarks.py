"""Published figures as tables: those beside the client's, and those left out with the reason."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, show, text
from kpilib.wording import benchmarks as say
from kpilib.written import name, needing


def beside(rows: pd.DataFrame) -> Html:
    """Show the published figures that stand beside the client's.

    Parameters
    ----------
    rows
        ``benchmarks.Beside.rows``: the comparable rows with client.
    """
    table = _written(needing(rows, "population", "time_period", "unit", "client", "source", "confidence"))
    table = table.assign(here=[say.published({**row, "value": row["client"]}) for row in rows.to_dict("records")])
    columns = [
        text("whose", "Published"),
        Column("published", "Theirs", str),
        Column("here", "Here", str),
        text("source", "Source"),
        text("confidence", "Known"),
    ]
    return show(table, columns, "Published figures that may stand beside ours")


def left_out(rows: pd.DataFrame) -> Html:
    """Show the published figures that are not drawn, and why; those with the same reason and source together.

    Parameters
    ----------
    rows
        ``benchmarks.why_not``: population, time_period, value, low, high, unit, source, verdict, reason; with ``kpi``
        where there are several.
    """
    table = _written(needing(rows, "population", "time_period", "unit", "source", "verdict", "reason"))
    table["each"] = [f"{who}: {figure}" for who, figure in zip(table["whose"], table["published"], strict=True)]
    if "kpi" in table:
        table["about"] = table["kpi"].map(say.ABOUT)
    keys = [each for each in ("about", "verdict", "reason", "source") if each in table]
    table = table.groupby(keys, sort=False)["each"].agg("; ".join).reset_index()
    columns = [
        *([text("about", "About")] if "about" in table else []),
        Column("each", "Published", lambda each: name(each, most=2000), "kpi-text"),
        text("verdict", "Verdict"),
        Column("reason", "Why it is not drawn", lambda each: name(each, most=600), "kpi-text"),
        text("source", "Source"),
    ]
    return show(table, columns, "Published figures left out")


def _written(rows: pd.DataFrame) -> pd.DataFrame:
    each = rows.to_dict("records")
    return rows.assign(
        whose=[", ".join(filter(None, [say.whose(row), say.of_what(row)])) for row in each],
        published=[say.published(row) for row in each],
    )
