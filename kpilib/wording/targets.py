"""Targets beside what was reached, as computed sentences."""

from __future__ import annotations

import pandas as pd

from kpilib.written import Row, are, missing, name, per_cent, plural, points, quarter, spaced

KPIS = {
    "account_penetration_degree": "share of what customers could buy that they have",
    "multi_product_share": "customers with {k} products or more",
    "account_penetration_index": "recorded sales opportunities won",
    "attach_rate": "customers with {product}",
    "products_per_account": "products per customer",
    "existing_account_growth": "growth of existing customers' revenue in 12 months",
    "net_revenue_retention": "revenue that existing customers still bring, of that of the 12 months before",
}


def what(row: Row) -> str:
    """Name what a target is about, in plain words.

    Example
    -------
    >>> what({"kpi": "multi_product_share", "k": 3, "product": None})
    'Customers with 3 products or more'
    """
    told = KPIS.get(row["kpi"], str(row["kpi"]).replace("_", " "))
    text = told.format(k=row.get("k"), product=name(row.get("product")))
    return text[:1].upper() + text[1:]


def whose(row: Row) -> str:
    """Name the customers a target is for."""
    owner = None if missing(row.get("owner")) else name(f"customers of {row['owner']}")
    owner = "customers without an owner" if row.get("owner") == "(not given)" else owner
    segment = None if missing(row.get("segment")) else spaced(row["segment"])
    return ", ".join(filter(None, (segment, owner))) or "All customers"


def value(number: float | None, unit: str) -> str:
    """Write a figure of a plan in its unit.

    Example
    -------
    >>> value(0.42, "share"), value(2.5, "products")
    ('42.0%', '2.50')
    """
    if missing(number):
        return "–"
    return per_cent(number) if unit == "share" else f"{number:,.2f}"


def distance(number: float | None, unit: str) -> str:
    """Write the distance from a target with its sign: points, or products."""
    if missing(number):
        return "–"
    return points(number) if unit == "share" else f"{number:+,.2f}".replace("-", "−")


def met(plan: pd.DataFrame) -> str:
    """Say how many targets are met, and which is missed by most.

    Only shares are compared for the largest miss: products are no points.
    """
    if plan.empty:
        return "No plan is given for this quarter."
    judged = plan[plan["met"].notna()]
    if judged.empty:
        return "None of the targets of this quarter can be held against what was reached."
    kept = int(judged["met"].sum())
    told = f"{kept} of {plural(len(judged), 'target')} {are(kept)} met"
    missed = judged[~judged["met"].astype(bool) & (judged["unit"] == "share")]
    if missed.empty:
        return "The target is met." if kept == len(judged) == 1 else f"{told}."
    worst = missed.loc[missed["distance"].astype(float).idxmin()].to_dict()
    size = points(abs(worst["distance"])).lstrip("+")
    if len(judged) == 1:
        return f"The target is missed by {size} points: {_lower(what(worst))}, {_lower(whose(worst))}."
    return f"{told}; furthest behind, by {size} points: {_lower(what(worst))}, {_lower(whose(worst))}."


def _lower(text: str) -> str:
    """Go on within a sentence; names keep their spelling."""
    return (
        text[:1].lower() + text[1:]
        if text.startswith(("All ", "Customers", "Share", "Recorded", "Products", "Growth", "Revenue"))
        else text
    )


def not_shown(plan: pd.DataFrame, minimum: int = 5) -> str | None:
    """Say how many targets are of too few customers to be shown."""
    number = int(plan["suppressed"].astype(bool).sum())
    if not number:
        return None
    return f"{plural(number, 'target')} {are(number)} of fewer than {minimum} customers and not shown."


def ahead(path: pd.DataFrame) -> str | None:
    """Say what the nearest later target of all customers asks of every quarter."""
    known = path[
        path["per_quarter"].notna() & path["segment"].isna() & path["owner"].isna() & (path["unit"] == "share")
    ]
    if known.empty:
        return None
    first = known.iloc[0].to_dict()
    goal = f"{what(first)} is to reach {value(first['target'], 'share')} by {quarter(first['quarter'])}"
    if first["per_quarter"] <= 0:
        return f"{goal}, and is there already."
    step = points(first["per_quarter"]).lstrip("+")
    if first["quarters_left"] == 1:
        return f"{goal}: {step} points in the one quarter that is left."
    return f"{goal}: {step} points in each of {plural(first['quarters_left'], 'quarter')}."
