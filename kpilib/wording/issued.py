"""What became of figures that were issued, in managers' words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording import apart
from kpilib.written import count, day, missing, money, per_cent, plural, points, quarter, several
from kpilib.written import name as written

PARTS = {
    "kit": "New version of the kit",
    "late": "Data that arrived late",
    "corrections": "Corrections",
    "mapping": "Which item is which product",
    "catalogue": "Products, and who could buy them",
    "definition": "Definitions",
    "unexplained": "Not explained",
}
FIGURES = {
    "mean": "Penetration, average customer",
    "pooled": "Penetration, all customers together",
    "multi": "Customers with two products or more",
    "index": "Account penetration index",
    "accounts": "Customers counted",
    "revenue_quarter": "Revenue of the quarter",
    "revenue_window": "Revenue of the look-back",
}
SHARES = ("mean", "pooled", "multi", "index")
NOTHING_ISSUED = "No earlier quarter was issued, so none can have been restated."


def answer(found: Any, currency: str | None = None) -> list[str]:
    """Say what a quarter was issued with, what it is today, and which part moved it most.

    Parameters
    ----------
    found
        ``issued.Diff``: quarter, issue, issued_on, figures, parts, changed.
    """
    rows = found.figures.set_index("figure")
    when = f"{quarter(found.quarter)} was issued on {day(found.issued_on[:10])} (issue {found.issue})"
    if not found.changed:
        changed = "; ".join(_named(row) for row in found.parts.to_dict("records") if row["what"])
        if changed:
            return [f"{when}. None of the figures compared moved, though the inputs changed: {changed}."]
        return [f"{when}, and its figures are the same today."]
    others = [name for name in compared(found) if name != "mean" and _differs(rows.loc[name])]
    told = several(_moved(name, rows.loc[name], currency) for name in others)
    return [_level(when, rows.loc["mean"]), *([f"Also moved: {told}."] if told else []), *largest(found, currency)]


def compared(found: Any) -> list[str]:
    """Name the figures to show: all but an index that is undefined both then and today."""
    rows = found.figures.set_index("figure")
    return [name for name in FIGURES if name != "index" or not rows.loc[name, ["as_issued", "today"]].isna().all()]


def largest(found: Any, currency: str | None = None) -> list[str]:
    """Name the part that moved penetration most (or the first figure that moved), and how many customers it touched."""
    rows = found.figures.set_index("figure")
    name = next((each for each in compared(found) if _differs(rows.loc[each])), None)
    sizes = found.parts if name is None else found.parts.dropna(subset=[name])
    sizes = sizes if name is None else sizes[sizes[name].astype(float) != 0]
    if name is None or sizes.empty:
        return []
    row = sizes.loc[sizes[name].astype(float).abs().idxmax()]
    unit = " points" if name in SHARES else ""
    touched = plural(row["accounts_touched"], "customer")
    return [f"Most of it: {_named(row)}, {size(name, row[name], currency)}{unit} over {touched}."]


def _level(when: str, mean: pd.Series) -> str:
    if missing(mean["difference"]):
        return f"{when}; penetration cannot be compared, because one of the two figures is undefined."
    return (
        f"{when} with a penetration of {per_cent(mean['as_issued'])}; today it is {per_cent(mean['today'])}, "
        f"{apart(mean['difference'])} then."
    )


def _named(row: Any) -> str:
    told = f" ({row['what']})" if row["what"] else ""
    return f"{PARTS[row['part']].lower()}{told}"


def restated(table: pd.DataFrame | None) -> str:
    """Say which issued quarters read otherwise today.

    Parameters
    ----------
    table
        ``issued.restated``: quarter, figure, as_issued, today, difference; None when nothing was issued.
    """
    if table is None:
        return NOTHING_ISSUED
    quarters = list(dict.fromkeys(table["quarter"]))
    moved = [label for label in quarters if _differs_any(table[table["quarter"] == label])]
    if not moved:
        every = "The quarter issued reads" if len(quarters) == 1 else f"All {count(len(quarters))} quarters issued read"
        return f"{every} the same today."
    means = table[table["figure"] == "mean"].set_index("quarter")["difference"]
    told = several(f"{quarter(each)} ({_points(means.get(each))})" for each in moved)
    verb = "reads" if len(moved) == 1 else "read"
    return f"Of {plural(len(quarters), 'quarter')} issued, {count(len(moved))} {verb} otherwise today: {told}."


def figure(name: str, value: Any, currency: str | None = None) -> str:
    """Write a figure by its kind: a share, a count, or money."""
    if missing(value):
        return per_cent(None)
    return per_cent(float(value)) if name in SHARES else count(value) if name == "accounts" else money(value, currency)


def size(name: str, value: Any, currency: str | None = None) -> str:
    """Write a difference of a figure with its sign: points, customers or money.

    Example
    -------
    >>> size("mean", 0.0214), size("accounts", 3), size("accounts", -3), size("revenue_quarter", 80, "EUR")
    ('+2.1', '+3', '−3', 'EUR +80.00')
    """
    if missing(value):
        return per_cent(None)
    if name in SHARES:
        return points(float(value))
    plus = "+" if value > 0 else ""
    if name == "accounts":
        return f"{plus}{count(value)}"
    shown = f"{plus}{money(value)}"
    return f"{written(currency)} {shown}" if currency else shown


def _moved(name: str, row: pd.Series, currency: str | None) -> str:
    unit = " points" if name in SHARES else ""
    return f"{FIGURES[name].lower()} {size(name, row['difference'], currency)}{unit}"


def _points(difference: Any) -> str:
    if missing(difference):
        return "undefined in one of the two"
    return "penetration the same" if not difference else points(float(difference), " points")


def _differs(row: pd.Series) -> bool:
    return missing(row["as_issued"]) != missing(row["today"]) or (
        not missing(row["difference"]) and bool(row["difference"])
    )


def _differs_any(rows: pd.DataFrame) -> bool:
    return any(_differs(row) for _, row in rows.iterrows())
