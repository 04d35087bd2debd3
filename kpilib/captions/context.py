"""What stands over and under the figures of the chapter on worth, peers and feedback."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.captions import forecast, revenue
from kpilib.wording import benchmarks as say
from kpilib.wording import verdict
from kpilib.wording.revenue import clear, span
from kpilib.written import Row, count, missing, name, per_cent, plural, points, quarter, several

KPIS = {
    "account_penetration_degree": "Share of what customers could buy that they have, %",
    "multi_product_share": "Share of customers with so many products or more, %",
}


Words = tuple[str, str, str]  # title, subtitle, note


def balance(table: pd.DataFrame, currency: str | None = None) -> Words:
    """Write what stands over and under ``figures.revenue.balance``."""
    return revenue.balance(table), revenue.balance_subtitle(table, currency), revenue.balance_note(table)


def per_account(table: pd.DataFrame, by: str, quarter_label: str, months: int, currency: str | None = None) -> Words:
    """Write what stands over and under ``figures.revenue.per_account``."""
    note = (
        f"{plural(table['accounts'].sum(), 'customer')}. Customers who have more are larger as a rule: this is no "
        "effect of selling a product."
    )
    subtitle = revenue.per_account_subtitle(quarter_label, months, currency)
    return revenue.per_account(table, by, currency), subtitle, note


def came_back(impact: Any, apart: Any = None) -> Words:
    """Write what stands over and under ``figures.revenue.retention``; ``apart`` is ``contrast.came_back``."""
    who = plural(impact.table["n"].sum(), "customer")
    note = f"{who} of {quarter(impact.earlier)}. An association: many things differ besides."
    return revenue.retention(impact, apart), revenue.retention_subtitle(impact), note


def good(found: Any, quarter_label: str, value: float | None = None, peer: float | None = None) -> Words:
    """Write what stands over and under ``figures.benchmarks.beside``.

    Where no published figure may stand beside ours, the title is about our own customers.

    Parameters
    ----------
    found
        ``benchmarks.Beside``.
    value, peer
        Our mean, and what the best quarter of our customers reach.
    """
    title = say.title(found)
    if found.kpi == "multi_product_share":
        join = "," if say.other_catalogues(found) else ":"
        title = f"Customers with several products{join} {title[:1].lower()}{title[1:]}"
    if found.rows.empty and not missing(value) and not missing(peer):
        title = f"The average is {per_cent(value)}; a quarter of customers reach {per_cent(peer)} or more"
    out = len(found.left_out)
    left = f"{plural(out, 'published figure')} left out, each with its reason below." if out else ""
    note = " ".join(filter(None, [_on_sale(found), say.sources(found.rows), say.caution(found.rows), left]))
    return title, f"{KPIS[found.kpi]}, ours at the end of {quarter(quarter_label)}", note


def feedback(by_band: pd.DataFrame, quarter_label: str, months: int, apart: Any = None) -> Words:
    """Write what stands over and under ``figures.feedback.by_band``; ``apart`` is ``contrast.scores``."""
    subtitle = (
        f"Mean score by band, and share of customers who gave feedback, {count(months)} months to the end of "
        f"{quarter(quarter_label)}"
    )
    note = "Of each customer the latest answer counts. Neither says which comes first."
    if by_band["suppressed"].astype(bool).any():
        note += " A band is not shown where too few answered, or where it would tell what those few said."
    return _scores(by_band, apart), subtitle, note


def what(by: str) -> str:
    """Name what feedback is told by, in a client's own word or in ours.

    Example
    -------
    >>> what("product_id"), what("region")
    ('product', 'region')
    """
    return "product" if by == "product_id" else by


def ahead(row: Row, accounts: int | None = None) -> Words:
    """Write what stands over and under ``figures.forecast.trend``; ``row`` is of ``forecast.ahead``."""
    return forecast.title(row), forecast.subtitle(), forecast.note(row, accounts)


def cards(
    retained: pd.DataFrame | None, plan: pd.DataFrame, peer: float | None, ahead: pd.DataFrame | None
) -> list[dict[str, str]]:
    """Write the headline figures of the first page: label, value, note."""
    found = []
    if retained is not None:
        row = retained.iloc[0]
        clear = "" if missing(row["low"]) else verdict(row["low"] - 1, row["high"] - 1)
        note = ", ".join(filter(None, [f"{span(row['later'])} on {span(row['earlier'])}", clear]))
        found.append(_card("Revenue of customers we had", per_cent(row["net_revenue_retention"]), note))
    own = plan[(plan["kpi"] == "account_penetration_degree") & plan["segment"].isna() & plan["owner"].isna()]
    if len(own) and not missing(own.iloc[0]["distance"]):
        row = own.iloc[0]
        found.append(_card("Against plan", points(row["distance"], " points"), f"plan {per_cent(row['target'])}"))
    if not missing(peer):
        found.append(_card("Best quarter of customers", f"{per_cent(peer)} or more", "of what they could buy"))
    if ahead is not None and not missing(ahead.iloc[0]["forecast"]):
        row = ahead.iloc[0]
        reach = "" if missing(row["low"]) else f"{per_cent(row['low'])} to {per_cent(row['high'])}"
        found.append(_card(f"Expected at the end of {quarter(row['quarter'])}", per_cent(row["forecast"]), reach))
    return found


def _on_sale(found: Any) -> str | None:
    """Say what follows from other numbers of products on sale, there and here."""
    sold = say.other_catalogues(found)
    if not sold:
        return None
    here = f"{several(map(count, sold))} there, {count(found.products)} here."
    if found.kpi == "multi_product_share":
        return f"The more products are on sale, the more a customer can have: {here}"
    return f"The fewer products are on sale, the more easily a customer has a large share of them: {here}"


def _scores(by_band: pd.DataFrame, apart: Any) -> str:
    shown = by_band[~by_band["suppressed"].astype(bool)].dropna(subset=["score"])
    if len(shown) < 2:
        return "Too few customers gave feedback to compare those who have little with those who have much"
    first, last = shown.iloc[0], shown.iloc[-1]
    steps = shown["score"].astype(float).diff().dropna()
    how = "higher scores" if last["score"] > first["score"] else "lower scores"
    levels = f"{first['score']:.1f} in {name(first['band'])}, {last['score']:.1f} in {name(last['band'])}"
    if not ((steps >= 0).all() or (steps <= 0).all()):
        return f"Scores do not simply follow how much customers have: {levels}"
    if not clear(apart):
        return f"No clear difference between the scores customers give: {levels}"
    return f"Customers who have more give {how}: {levels}"


def _card(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}
