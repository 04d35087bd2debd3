"""What is said of published figures beside the client's, and of those that may not stand there."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.written import NOTHING, Row, count, have, missing, name, per_cent, plural, quarter, several, upper

ABOUT = {
    "account_penetration_degree": "Penetration",
    "account_penetration_index": "Penetration index",
    "multi_product_share": "Several products",
    "products_per_account": "Products per customer",
}


def published(row: Row) -> str:
    """Write a published figure, or its bounds, in its unit.

    Example
    -------
    >>> published({"value": 0.83, "unit": "percent"})
    '83.0%'
    >>> published({"value": None, "low": 0.155, "high": 0.264, "unit": "percent"})
    '15.5% to 26.4%'
    >>> published({"value": 90.6, "unit": "per 100 households"})
    '90.6 per 100 households'
    """
    if missing(row.get("value")):
        return f"{_written(row.get('low'), row['unit'])} to {_written(row.get('high'), row['unit'])}"
    return _written(row["value"], row["unit"])


def whose(row: Row) -> str:
    """Say whose figure it is, and when it was.

    Example
    -------
    >>> whose({"population": "all customers of Datadog", "time_period": "30 September 2024"})
    'All customers of Datadog, 30 September 2024'
    """
    return f"{upper(name(row['population'], most=80))}, {name(row['time_period'], most=60)}"


def of_what(row: Row) -> str:
    """Say which share of customers it is, where it is one of several; else nothing."""
    return "" if missing(row.get("k")) else f"{int(row['k'])} products or more"


def title(found: Any) -> str:
    """Say in one line where the client stands among the published figures that may stand beside it.

    A client within published bounds is neither above nor below them. Where others sell another number of products,
    nothing is concluded: the fewer are on sale, the easier it is to have a large share of them, and the harder to have
    many.
    """
    rows = found.rows.dropna(subset=["client"])
    if rows.empty:
        return "No published figure may stand beside ours"
    if others := other_catalogues(found):
        return f"Not like for like: we sell {plural(found.products, 'product')}, others {several(map(count, others))}"
    low, high = (
        [float(row[end]) if missing(row["value"]) else float(row["value"]) for row in rows.to_dict("records")]
        for end in ("low", "high")
    )
    ours = rows["client"].astype(float)
    if (ours > high).all():
        return "Ours is above every published figure that may stand beside it"
    if (ours < low).all():
        return "Ours is below every published figure that may stand beside it"
    return "Ours is within the range of the published figures that may stand beside it"


def other_catalogues(found: Any) -> list[int]:
    """List how many products the others sell, where that is another number than ours."""
    return sorted({int(each) for each in found.rows["products"].dropna()} - {found.products})


def beside(found: Any) -> list[str]:
    """Tell each published figure that may stand beside ours, or that none may.

    Parameters
    ----------
    found
        ``benchmarks.Beside``: kpi, rows (with client), left_out.
    """
    if found.rows.empty:
        return [nothing(len(found.left_out))]
    return [_told(row) for row in found.rows.to_dict("records")]


def nothing(left_out: int) -> str:
    """Say that no published figure may stand beside ours.

    Example
    -------
    >>> nothing(0)
    'No published figure of it is known to this kit.'
    >>> nothing(1)
    'No published figure may stand beside it: 1 was looked at and left out, with the reason below.'
    """
    if not left_out:
        return "No published figure of it is known to this kit."
    each = "was looked at and left out, with the reason" if left_out == 1 else "were looked at and left out, each with"
    rest = "below" if left_out == 1 else "its reason below"
    return f"No published figure may stand beside it: {left_out} {each} {rest}."


def caution(rows: pd.DataFrame) -> str | None:
    """Warn of rows known only at second hand, or that a transform made comparable."""
    second = rows[rows["confidence"] == "secondary"]
    changed = [name(each, most=300) for each in dict.fromkeys(rows["transform"]) if each]
    told = []
    if len(second):
        told.append(f"{upper(plural(len(second), 'figure'))} {have(len(second))} been read at second hand.")
    return " ".join([*told, *changed]) or None


def against_peers(value: float | None, peer: float | None, when: str) -> str | None:
    """Say where the client stands against what the best quarter of its own customers reaches.

    Example
    -------
    >>> against_peers(0.398, 0.5, "2017Q4")
    'At the end of Q4 2017 the average is 39.8%; a quarter of customers reach 50.0% or more.'
    """
    if missing(value) or missing(peer):
        return None
    return (
        f"At the end of {quarter(when)} the average is {per_cent(value)}; a quarter of customers reach "
        f"{per_cent(peer)} or more."
    )


def sources(rows: pd.DataFrame) -> str:
    """Name the sources, for the note under a figure."""
    return f"Sources: {'; '.join(name(each) for each in dict.fromkeys(rows['source']))}." if len(rows) else ""


def _told(row: dict[str, Any]) -> str:
    ours = NOTHING if missing(row["client"]) else _written(row["client"], row["unit"])
    which = ", ".join(filter(None, [whose(row), of_what(row)]))
    return f"{which}: {published(row)}; here {ours}."


def _written(value: float | None, unit: str) -> str:
    if missing(value):
        return NOTHING
    if unit == "percent":
        return per_cent(value)
    return f"{value:g} {unit}" if unit == "per 100 households" else f"{value:.2f}"
