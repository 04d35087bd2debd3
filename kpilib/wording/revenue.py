"""What money says: kept and grown revenue, where its change came from, and what went with having more.

Plain text from result tables of ``kpilib.revenue`` and ``kpilib.peers``. What went with having more products is
always told as an association, never as an effect.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.wording import verdict
from kpilib.written import (
    Row,
    count,
    missing,
    money,
    name,
    needing,
    per_cent,
    plural,
    points,
    quarter,
    several,
    spaced,
    upper,
)

CUSTOMERS = {
    "new accounts": "new customers",
    "new products": "new products",
    "more of the same": "more of the same",
    "less of the same": "less of the same",
    "products dropped": "products dropped",
    "lost accounts": "lost customers",
}
MEASURES = {
    "account_retention": "the share of customers who came back",
    "revenue_per_account": "revenue per customer",
}
SEASONS = "one quarter against the one before, seasons included: the data carry no comparison over a year"
WHAT = {"band": "the bands from low to high", "products": "the number of products"}
CAUTION = (
    "This is an association: customers with many products differ in size and in much else, so it does not say "
    "that one more product would keep a customer or raise its revenue."
)


def span(label: str) -> str:
    """Say a period as people do.

    Example
    -------
    >>> span("2017Q4"), span("2016Q1 to 2016Q4")
    ('Q4 2017', 'the 12 months to Q4 2016')
    """
    first, _, last = str(label).partition(" to ")
    return f"the 12 months to {quarter(last)}" if last else quarter(first)


def has_season(later: str, earlier: str) -> bool:
    """Tell whether a quarter is compared with the one before, so that seasons are in the difference.

    Example
    -------
    >>> has_season("2017Q4", "2017Q3"), has_season("2017Q4", "2016Q4"), has_season("2017Q1 to 2017Q4", "2016")
    (True, False, False)
    """
    return " to " not in str(later) and str(later)[-2:] != str(earlier)[-2:]


def retained(row: Row, currency: str | None = None) -> str:
    """Say what the customers of the earlier period brought in the later one.

    Parameters
    ----------
    row
        A row of ``revenue.retention``.
    """
    share, low, high = (row[each] for each in ("net_revenue_retention", "low", "high"))
    reach = "" if missing(low) else f" (95% interval {per_cent(low)} to {per_cent(high)})"
    clear = "" if missing(low) else verdict(low - 1, high - 1)
    clear = SEASONS if has_season(row["later"], row["earlier"]) else clear
    before, after = (money(row[each], currency, 0) for each in ("before", "after"))
    return (
        f"The {plural(row['n'], 'customer')} of {span(row['earlier'])} brought {before} then and {after} in "
        f"{span(row['later'])}: {per_cent(share)} of it{reach}{', ' + clear if clear else ''}."
    )


def kept(row: Row) -> str:
    """Say what was kept before any growth, and how many customers came back."""
    return (
        f"Growth left out, {per_cent(row['gross_revenue_retention'])} of that revenue was kept, and "
        f"{per_cent(row['account_retention'])} of the customers bought again ({count(row['retained'])} of "
        f"{count(row['n'])})."
    )


def by_existing(balance: pd.DataFrame) -> tuple[Decimal, Decimal, Decimal]:
    """Add up a growth balance: the change, customers we had both times, customers won and lost."""
    amount = needing(balance, "part", "amount").set_index("part")["amount"]
    turnover = amount["new accounts"] + amount["lost accounts"]
    change = amount["later"] - amount["earlier"]
    return change, change - turnover, turnover


def balanced(balance: pd.DataFrame, currency: str | None = None) -> str:
    """Say how revenue changed and what customers we had both times gave to it.

    Parameters
    ----------
    balance
        ``revenue.growth_balance`` of all customers.
    """
    change, same, turnover = by_existing(balance)
    rows = balance.set_index("part")
    periods = f"from {span(rows.loc['earlier', 'earlier'])} to {span(rows.loc['later', 'later'])}"
    if not change:
        moved = f"Revenue is the same {periods}"
    else:
        moved = f"Revenue {'rose' if change > 0 else 'fell'} by {money(abs(change), currency, 0)} {periods}"
    return (
        f"{moved}: customers we had both times gave {signed(same, currency)}, "
        f"customers won less customers lost {signed(turnover, currency)}."
    )


def carried_by_new(balance: pd.DataFrame, currency: str | None = None) -> str | None:
    """Warn where revenue grows although the customers we had bring less; None where that is not so."""
    amount = balance.set_index("part")["amount"]
    change, _, _ = by_existing(balance)
    existing = change - amount["new accounts"]
    if change <= 0 or existing >= 0:
        return None
    return (
        f"Growth is carried by new customers: without them revenue would have fallen by "
        f"{money(-existing, currency, 0)}."
    )


def signed(amount: Decimal | float, currency: str | None = None) -> str:
    """Write an amount with its sign.

    Example
    -------
    >>> signed(Decimal("1200.4"), "USD"), signed(-3), signed(0)
    ('+USD 1,200', '−3', '0')
    """
    shown = money(abs(amount), currency, 0)
    return shown if not round(float(amount)) else f"{'+' if amount > 0 else chr(0x2212)}{shown}"


def told_apart(impact: Any) -> pd.DataFrame:
    """Keep the groups of an impact that are shown and could have more or less."""
    table = impact.table
    return table[~table["suppressed"].astype(bool) & (table["group"] != "nothing possible")]


def clear(apart: Any) -> bool:
    """Tell whether an estimated difference leaves out none at all; without an interval nothing is clear.

    Example
    -------
    >>> from types import SimpleNamespace as Estimate
    >>> clear(Estimate(low=0.01, high=0.2)), clear(Estimate(low=-0.01, high=0.2)), clear(None)
    (True, False, False)
    """
    if apart is None or missing(apart.low) or missing(apart.high):
        return False
    return bool(apart.low > 0 or apart.high < 0)


def what_went_with(impact: Any) -> list[str]:
    """Say what became of customers by what they had before: always an association.

    Of their satisfaction nothing is said here: what customers say is told once, with their scores.

    Parameters
    ----------
    impact
        ``revenue.Impact``.
    """
    shown = told_apart(impact)
    if len(shown) < 2:
        return ["Too few customers to compare those who had little with those who had much."]
    first, last = (shown.iloc[place] for place in (0, -1))
    told = (
        f"Of the customers with {had(impact, first['group'])} in {quarter(impact.earlier)}, "
        f"{per_cent(first['account_retention'])} were still customers in {quarter(impact.later)}; "
        f"with {had(impact, last['group'])}, {per_cent(last['account_retention'])}."
    )
    mixed = [told for each, told in MEASURES.items() if impact.direction[each] == "mixed"]
    order = (
        f"{upper(several(mixed))} {_do(len(mixed))} not simply follow {WHAT[impact.by]}: do not read a rule into it."
        if mixed
        else None
    )
    return [each for each in (told, order, CAUTION) if each]


def _do(number: int) -> str:
    return "does" if number == 1 else "do"


def had(impact: Any, group: str) -> str:
    """Name a group of an impact."""
    if impact.by == "band":
        return f"{name(group)} penetration"
    return products(group)


def products(group: str) -> str:
    """Name a number of products.

    Example
    -------
    >>> products("none"), products("1"), products("1–3"), products("10+")
    ('no product', '1 product', '1–3 products', '10+ products')
    """
    return {"none": "no product", "1": "1 product"}.get(group, f"{group} products")


def wallet(found: Any) -> str:
    """Say the share of wallet, or why there is none.

    Parameters
    ----------
    found
        ``revenue.Wallet``, or None.
    """
    if found is None:
        return "What customers spend elsewhere is not known, so there is no share of wallet."
    if missing(found.value):
        who = plural(found.accounts, "customer")
        return f"None of {who} has a known spend on that day, so there is no share of wallet."
    return (
        f"Of what customers spend on such products in a year, we have {per_cent(found.value)} "
        f"(the {plural(found.n, 'customer')} whose spend is known, of {count(found.accounts)})."
    )


def above_wallet(found: Any) -> str | None:
    """Warn of customers who are said to spend less in all than they spend with us."""
    if found is None or not found.above:
        return None
    if found.above == 1:
        return (
            "1 customer spent more with us than it is said to spend in all: its spend is too low or was meant for "
            "other products. It is counted as it is."
        )
    return (
        f"{plural(found.above, 'customer')} spent more with us than they are said to spend in all: their "
        "spend is too low or was meant for other products. They are counted as they are."
    )


def reachable(peers: pd.DataFrame, by: str) -> str | None:
    """Say which group is furthest from what the best quarter of its like reach.

    Parameters
    ----------
    peers
        ``peers.peer_reference``.
    """
    named = peers["group"] != "(not given)"
    shown = peers[named & ~peers["suppressed"].astype(bool) & peers["mean"].notna()]
    if shown.empty:
        return None
    gap = shown["peer_reference"] - shown["mean"]
    row = shown.loc[gap.idxmax()]
    return (
        f"By {spaced(by)}, most is within reach in the group {name(row['group'])}: its average is "
        f"{per_cent(row['mean'])}, and the best quarter of like customers reach {per_cent(row['peer_reference'])} "
        f"({points(gap.max())} points)."
    )


def not_compared(quarter_label: str) -> str:
    """Say that revenue has no earlier period to be compared with."""
    return (
        f"There is no complete earlier period to compare the revenue of {quarter(quarter_label)} with, so neither "
        "growth nor retention is shown."
    )


def no_impact(quarter_label: str, lookback_months: int) -> str:
    """Say why nothing can be told about what became of customers."""
    return (
        f"What became of customers by {quarter(quarter_label)} cannot be told yet: that needs a complete quarter "
        f"whose {count(lookback_months)} months end before those of {quarter(quarter_label)} begin."
    )
