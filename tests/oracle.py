"""Positions again, in the plainest pandas: account by account, quarter by quarter, from the definitions alone.

No bits, no windows made of quarters, no engine. Slow, and meant to be read against the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.quarters import Calendar, Quarter


@dataclass(frozen=True)
class Rule:
    """Products open only to accounts whose attribute is one of ``values``, from start until before stop."""

    attribute: str
    values: tuple[str, ...]
    products: tuple[str, ...]
    start: date | None = None
    stop: date | None = None


@dataclass(frozen=True)
class Client:
    """A client's checked facts as plain frames; an evidence table that is not there is None."""

    products: pd.DataFrame
    accounts: pd.DataFrame
    sales: pd.DataFrame | None = None
    invoices: pd.DataFrame | None = None
    spans: pd.DataFrame | None = None
    snapshots: pd.DataFrame | None = None
    rules: tuple[Rule, ...] = ()
    data_from: date = date(2024, 1, 1)
    data_to: date = date(2025, 6, 30)
    calendar: Calendar = Calendar()
    lookback_months: int = 12
    free_items_count: bool = False

    @property
    def quarters(self) -> tuple[Quarter, ...]:
        return tuple(self.calendar.between(self.data_from, self.data_to))


def positions(client: Client) -> pd.DataFrame:
    """account_id, quarter, on_file, active, possible and proven (sets of products), both revenues."""
    rows = [
        _position(client, account, quarter)
        for quarter in client.quarters
        for account in client.accounts.sort_values("account_id").to_dict("records")
    ]
    return pd.DataFrame([each for each in rows if each["on_file"] or each["active"]])


def _position(client: Client, account: dict[str, Any], quarter: Quarter) -> dict[str, Any]:
    name, day = account["account_id"], quarter.last_day
    opens = quarter.later(1 - client.lookback_months // 3).first_day
    window = _between(client.sales, name, opens, day), _between(client.invoices, name, opens, day)
    standing = _standing(client.spans, name, day) | _seen(client.snapshots, name, day)
    catalogue = client.products.to_dict("records")
    bought = any(amount > 0 for lines in window for amount in lines["revenue"])
    return {
        "account_id": name,
        "quarter": quarter.index,
        "on_file": _covers(account["joined_on"], account["left_on"], day),
        "active": bought or bool(standing),
        "possible": {each["product_id"] for each in catalogue if _possible(client, account, each, day)},
        "proven": {
            each["product_id"]
            for each in catalogue
            if each["product_id"] in standing or _sold(client, name, each, quarter)
        },
        "revenue_quarter": _revenue(client, name, quarter.first_day, day),
        "revenue_window": _revenue(client, name, opens, day),
    }


def _between(lines: pd.DataFrame | None, account: str, first: date, last: date) -> pd.DataFrame:
    if lines is None:
        return pd.DataFrame(columns=["product_id", "revenue", "quantity"])
    return lines[(lines["account_id"] == account) & (lines["day"] >= first) & (lines["day"] <= last)]


def _covers(start: Any, stop: Any, day: date) -> bool:
    return (pd.isna(start) or start <= day) and (pd.isna(stop) or day < stop)


def _possible(client: Client, account: dict[str, Any], product: dict[str, Any], day: date) -> bool:
    rules = [each for each in client.rules if product["product_id"] in each.products]
    met = [_covers(each.start, each.stop, day) and account[each.attribute] in each.values for each in rules]
    return _covers(product["launched"], product["retired"], day) and (not rules or any(met))


def _sold(client: Client, account: str, product: dict[str, Any], quarter: Quarter) -> bool:
    """Net revenue above zero and, if anything was moved at all, net quantity above zero."""
    opens = quarter.later(1 - product["lookback_quarters"]).first_day
    lines = _between(client.sales, account, opens, quarter.last_day)
    lines = lines[lines["product_id"] == product["product_id"]]
    revenue = sum(lines["revenue"], Decimal(0))
    quantities = [each for each in lines["quantity"] if not pd.isna(each)]
    quantity = sum(quantities, Decimal(0))
    if client.free_items_count and quantity > 0 and revenue >= 0:
        return True
    return revenue > 0 and (quantity > 0 or not any(quantities))


def _standing(spans: pd.DataFrame | None, account: str, day: date) -> set[str]:
    """What runs on a day; a product outside the catalogue has the name None, and stands all the same."""
    if spans is None:
        return set()
    running = spans[[_covers(each.start, each.stop, day) for each in spans.itertuples()]]
    running = running[running["account_id"] == account]
    totals = running.groupby(running["product_id"].fillna("(outside)"))["quantity"].agg(lambda each: sum(each))
    return {name for name, total in totals.items() if total > 0}


def _seen(snapshots: pd.DataFrame | None, account: str, day: date) -> set[str]:
    if snapshots is None:
        return set()
    seen = snapshots[(snapshots["account_id"] == account) & (snapshots["day"] == day)]
    return set(seen["product_id"].fillna("(outside)"))


def _revenue(client: Client, account: str, first: date, last: date) -> Decimal:
    tables = (client.sales, client.invoices)
    return sum((amount for each in tables for amount in _between(each, account, first, last)["revenue"]), Decimal(0))
