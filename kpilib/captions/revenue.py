"""What stands over the figures of money; titles are computed from the table the figure draws."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording.revenue import by_existing, clear, had, products, signed, span, told_apart
from kpilib.written import count, missing, money, name, per_cent, plural, quarter, several, upper


def balance(table: pd.DataFrame) -> str:
    """Say what customers we had both times, and those won and lost, gave to the change of revenue.

    Parameters
    ----------
    table
        ``revenue.growth_balance`` of all customers.
    """
    change, same, turnover = by_existing(table)
    before = table.set_index("part")["amount"]["earlier"]
    moved = "is unchanged" if not change else f"{'rose' if change > 0 else 'fell'}"
    size = f" by {per_cent(abs(float(change / before)))}" if change and before > 0 else ""
    return (
        f"Revenue {moved}{size}: customers we had both times {signed(same)}, "
        f"customers won less customers lost {signed(turnover)}"
    )


def balance_subtitle(table: pd.DataFrame, currency: str | None = None) -> str:
    """Name what the balance shows, its unit and its periods."""
    rows = table.set_index("part")
    unit = f", {name(currency)}" if currency else ""
    return f"Revenue{unit}, {span(rows.loc['earlier', 'earlier'])} and {span(rows.loc['later', 'later'])}"


def balance_note(table: pd.DataFrame) -> str:
    """Count the customers behind a balance."""
    n = table.set_index("part")["accounts"]
    turnover = f"new {count(n['new accounts'])}, lost {count(n['lost accounts'])}"
    return (
        f"{plural(n['earlier'], 'customer')} with revenue before and {count(n['later'])} after; {turnover}. "
        "A product is new to a customer that did not buy it in the earlier period. "
        "All that is outside the catalogue counts as one product. The parts add up exactly."
    )


def per_account(table: pd.DataFrame, by: str, currency: str | None = None) -> str:
    """Say how far revenue per customer of the top group is from that of the bottom one.

    Parameters
    ----------
    table
        ``revenue.revenue_per_account``; ``by`` is band or products.
    """
    shown = table[~table["suppressed"].astype(bool) & table["revenue_per_account"].notna()]
    if shown.empty:
        return "There is no revenue to show per customer"
    paying = shown[[each > 0 for each in shown["revenue_per_account"]]]  # nothing is a multiple of 0
    first, last = (paying if len(paying) else shown).iloc[0], shown.iloc[-1]
    amount = money(last["revenue_per_account"], currency, 0)
    if len(paying) < 2 or last["revenue_per_account"] <= 0:
        return f"{upper(_group(last['group'], by))}: {amount} per customer"
    steps = [float(each) for each in shown["revenue_per_account"]]
    if steps != sorted(steps):
        most = shown.loc[shown["revenue_per_account"].astype(float).idxmax()]
        told = list(dict.fromkeys((first["group"], most["group"], last["group"])))
        each = [f"{_amount(shown, group, currency)} with {_group(group, by)}" for group in told]
        return f"Revenue per customer does not rise with every step: {several(each)}"
    times = float(last["revenue_per_account"] / first["revenue_per_account"])
    times_told = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    return (
        f"Customers with {_group(last['group'], by)} bring {amount} each, {times_told} times what those with "
        f"{_group(first['group'], by)} bring"
    )


def _amount(shown: pd.DataFrame, group: str, currency: str | None) -> str:
    return money(shown.loc[shown["group"] == group, "revenue_per_account"].iloc[0], currency, 0)


def per_account_subtitle(quarter_label: str, lookback_months: int, currency: str | None = None) -> str:
    """Name what revenue per customer shows, its unit and its period."""
    unit = f", {name(currency)}" if currency else ""
    return f"Revenue per customer{unit}, the {count(lookback_months)} months to the end of {quarter(quarter_label)}"


def retention(impact: Any, apart: Any = None) -> str:
    """Say whether customers who had more came back more often: only where that is clear.

    Parameters
    ----------
    impact
        ``revenue.Impact``.
    apart
        ``contrast.came_back`` of it; without it nothing is clear.
    """
    shown = told_apart(impact)
    if len(shown) < 2:
        return "Too few customers to compare those who had little with those who had much"
    first, last = (shown.iloc[place] for place in (0, -1))
    levels = (
        f"{per_cent(first['account_retention'])} with {had(impact, first['group'])}, "
        f"{per_cent(last['account_retention'])} with {had(impact, last['group'])}"
    )
    if impact.direction["account_retention"] in ("rises", "falls") and not clear(apart):
        return f"No clear difference in how often customers came back: {levels}"
    opening = {
        "rises": "Customers who had more came back more often",
        "falls": "Customers who had more came back less often",
        "level": "Customers came back equally often, whatever they had",
        "mixed": "Who came back does not simply follow how much customers had",
    }[impact.direction["account_retention"]]
    return f"{opening}: {levels}"


def retention_subtitle(impact: Any) -> str:
    """Name what the retention figure shows, and when."""
    return (
        f"Share of the customers of {quarter(impact.earlier)} who were customers again in {quarter(impact.later)}, %, "
        f"by what they had in {quarter(impact.earlier)}"
    )


def _group(group: str, by: str) -> str:
    return f"{name(group)} penetration" if by == "band" else products(group)


def group_names(table: pd.DataFrame, by: str) -> list[str]:
    """Name the rows of a table by band or by number of products."""
    return [name(each) if by == "band" else products(each) for each in table["group"] if not missing(each)]
