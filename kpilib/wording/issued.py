"""What became of figures that were issued, in managers' words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.written import MINUS, count, day, missing, money, per_cent, plural, points, quarter, rounds_away, several
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
    "net_revenue_retention": "Net revenue retention, 12 months",
    "gross_revenue_retention": "Gross revenue retention, 12 months",
}
SHARES = ("mean", "pooled", "multi", "index", "net_revenue_retention", "gross_revenue_retention")
SOMETIMES = ("index", "net_revenue_retention", "gross_revenue_retention")  # undefined at many clients
PLACES = {"accounts": 0, "revenue_quarter": 2, "revenue_window": 2}  # at least; shares have one
MORE_PLACES = 2
NOT_COMPARED = (
    "Every other figure of the pack (products, bands, segments, feedback, forecasts, ...) is not explained: it stands "
    "in the record as it was issued."
)
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
            return [
                f"{when}. None of the figures compared moved, though the inputs changed: {changed}.",
                *renamed(found),
            ]
        return [f"{when}, and its figures are the same today."]
    others = [name for name in compared(found) if name != "mean" and _differs(rows.loc[name])]
    shown = places(found)
    told = ", ".join(_moved(name, rows.loc[name], currency, shown[name]) for name in others)
    return [
        _level(when, rows.loc["mean"], shown["mean"]),
        *([f"Also moved: {told}."] if told else []),
        *largest(found, currency),
        *renamed(found),
    ]


def compared(found: Any) -> list[str]:
    """Name the figures to show: all but an index or a retention that is undefined both then and today."""
    rows = found.figures.set_index("figure")
    gone = rows[["as_issued", "today"]].isna().all(axis=1)
    return [name for name in FIGURES if name not in SOMETIMES or not gone[name]]


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
    moved = size(name, row[name], currency, places(found)[name])
    return [f"Most of it: {_named(row)}, {moved}{unit} over {touched}."]


def renamed(found: Any) -> list[str]:
    """Say that mapping and products are one change where they move penetration against each other."""
    sizes = dict(zip(found.parts["part"], found.parts["mean"], strict=True))
    one, other = (sizes.get(each) for each in ("mapping", "catalogue"))
    if missing(one) or missing(other) or float(one) * float(other) >= 0:
        return []
    both = size("mean", float(one) + float(other), decimals=places(found)["mean"])
    return [
        "Which item is which product and which products there are belong together (a renamed product changes both): "
        f"read the two parts as one, {both} points."
    ]


def places(found: Any) -> dict[str, int]:
    """Choose the decimals of every figure shown (shares in points): as few as let what is printed add up.

    The parts sum to the difference as printed, and the difference is that of the two levels as printed. Where more
    decimals do not help either, :func:`rounding` has what is left.
    """
    rows = found.figures.set_index("figure")
    return {name: _places(name, rows.loc[name], list(found.parts[name])) for name in compared(found)}


def places_apart(name: str, row: Any) -> int:
    """Choose the decimals of a figure as issued, today, and their difference, so that they agree as printed."""
    return _places(name, row, None)


def rounding(found: Any) -> dict[str, Decimal]:
    """Tell what the printed parts miss of the printed difference, by figure (shares in points); 0 where nothing."""
    rows, shown = found.figures.set_index("figure"), places(found)
    left = {}
    for name, decimals in shown.items():
        each = [rows.loc[name, "difference"], *found.parts[name]]
        total, *parts = [Decimal(0)] * len(each) if any(map(missing, each)) else _printed(name, each, decimals)
        left[name] = total - sum(parts)
    return left


def rounding_row(found: Any, currency: str | None = None) -> dict[str, str] | None:
    """Write :func:`rounding` as a row of parts; None where the printed parts add up."""
    left, shown = rounding(found), places(found)
    if not any(left.values()):
        return None
    each = {name: value / 100 if name in SHARES else value for name, value in left.items()}
    return {name: size(name, value, currency, shown[name]) for name, value in each.items()}


def _places(name: str, row: Any, parts: list[Any] | None) -> int:
    least = PLACES.get(name, 1)
    levels = [row["as_issued"], row["today"], row["difference"]]
    if any(map(missing, [*levels, *(parts or [])])):
        return least
    wide = range(least, least + MORE_PLACES + 1)
    agree = [each for each in wide if _agree(name, levels, each)]
    added = [each for each in agree if parts is None or _add(name, levels[-1], parts, each)]
    return next(iter([*added, *agree, least + MORE_PLACES]))


def _agree(name: str, levels: list[Any], decimals: int) -> bool:
    then, today, difference = _printed(name, levels, decimals)
    return today - then == difference and not _hidden(name, levels[-1:], decimals)


def _add(name: str, difference: Any, parts: list[Any], decimals: int) -> bool:
    total, *shown = _printed(name, [difference, *parts], decimals)
    return sum(shown) == total and not _hidden(name, parts, decimals)


def _hidden(name: str, differences: list[Any], decimals: int) -> bool:
    """Tell whether another decimal would show a difference that these do not."""
    if name not in SHARES:
        return False
    return any(rounds_away(float(each), decimals) and not rounds_away(float(each), 2) for each in differences)


def _printed(name: str, values: list[Any], decimals: int) -> list[Decimal]:
    return [Decimal(f"{100 * float(each) if name in SHARES else each:.{decimals}f}") for each in values]


def _level(when: str, mean: pd.Series, decimals: int) -> str:
    if missing(mean["difference"]):
        return f"{when}; penetration cannot be compared, because one of the two figures is undefined."
    then, today = (per_cent(mean[each], decimals) for each in ("as_issued", "today"))
    return f"{when} with a penetration of {then}; today it is {today}, {_apart(mean['difference'], decimals)} then."


def _apart(difference: float, decimals: int) -> str:
    if not difference:
        return "the same as"
    if rounds_away(difference, decimals):
        return "practically the same as"
    return f"{100 * abs(difference):.{decimals}f} points {'more' if difference > 0 else 'less'} than"


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


def figure(name: str, value: Any, currency: str | None = None, decimals: int | None = None) -> str:
    """Write a figure by its kind: a share, a count, or money."""
    if missing(value):
        return per_cent(None)
    decimals = PLACES.get(name, 1) if decimals is None else decimals
    if name in SHARES:
        return per_cent(float(value), decimals)
    return count(value) if name == "accounts" else money(value, currency, decimals)


def size(name: str, value: Any, currency: str | None = None, decimals: int | None = None) -> str:
    """Write a difference of a figure with its sign: points, customers or money.

    Example
    -------
    >>> size("mean", 0.0214), size("accounts", 3), size("accounts", -3), size("revenue_quarter", 80, "EUR")
    ('+2.1', '+3', '−3', 'EUR +80.00')
    >>> size("mean", -0.0214, decimals=2), size("mean", 0, decimals=2), size("revenue_quarter", -1, decimals=3)
    ('−2.14', '0.00', '−1.000')
    """
    if missing(value):
        return per_cent(None)
    if name in SHARES:
        return points(float(value)) if decimals is None else _signed(100 * float(value), decimals)
    if name == "accounts":
        return _signed(value, 0)
    shown = _signed(value, 2 if decimals is None else decimals)
    return f"{written(currency)} {shown}" if currency else shown


def _signed(value: Any, decimals: int) -> str:
    shown = f"{abs(value):,.{decimals}f}"
    return shown if float(shown.replace(",", "")) == 0 else f"{'+' if value > 0 else MINUS}{shown}"


def _moved(name: str, row: pd.Series, currency: str | None, decimals: int) -> str:
    unit = " points" if name in SHARES else ""
    return f"{FIGURES[name].lower()} {size(name, row['difference'], currency, decimals)}{unit}"


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
