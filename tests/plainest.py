"""Positions as the plainest pandas and Python say them, and small random clients to compare on.

Written from the definitions, one account, product and quarter at a time; slow, and with nothing of the engine in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import pandas as pd

from kpilib.quarters import Calendar, Quarter

SALES = ["account_id", "product_id", "day", "quantity", "revenue"]
SPANS = ["account_id", "product_id", "start", "stop", "quantity"]


@dataclass
class Client:
    """One random client: its tables as plain frames, its rules as Python."""

    quarters: list[Quarter]
    products: pd.DataFrame
    accounts: pd.DataFrame
    sales: pd.DataFrame | None
    invoices: pd.DataFrame | None
    spans: pd.DataFrame | None
    snapshots: pd.DataFrame | None
    rules: list[tuple[str, tuple[str, ...], date | None, date | None]] = field(default_factory=list)
    lookback_months: int = 6
    free_items_count: bool = False


def positions(client: Client) -> list[dict[str, Any]]:
    """One dict per account on file or active and quarter: possible and proven as sets of products."""
    rows = []
    for quarter in client.quarters:
        window = quarter.later(1 - client.lookback_months // 3).first_day
        for account in client.accounts.to_dict("records"):
            row = _position(client, account, quarter, window)
            if row["on_file"] or row["active"]:
                rows.append(row)
    return rows


def _position(client: Client, account: dict[str, Any], quarter: Quarter, window: date) -> dict[str, Any]:
    name, day = account["account_id"], quarter.last_day
    lines = _money(client, name)
    standing, places = _standing(client, name, day), _places(client)
    inside = [(on, amount) for on, amount in lines if window <= on <= day]
    has_money = client.sales is not None or client.invoices is not None
    return {
        "account_id": name,
        "quarter": quarter.index,
        "on_file": _from(account["joined_on"]) <= day < _until(account["left_on"]),
        "active": any(amount > 0 for _, amount in inside) or bool(standing),
        "possible": {each for each in client.products.to_dict("index") if _possible(client, account, each, day)},
        "proven": {places[each] for each in standing if each in places} | _sold(client, name, quarter),
        "revenue_quarter": sum((a for on, a in lines if quarter.first_day <= on <= day), Decimal(0))
        if has_money
        else None,
        "revenue_window": sum((amount for _, amount in inside), Decimal(0)) if has_money else None,
    }


def _from(day: Any) -> date:
    return date.min if pd.isna(day) else day


def _until(day: Any) -> date:
    return date.max if pd.isna(day) else day


def _money(client: Client, name: str) -> list[tuple[date, Decimal]]:
    return [
        (row["day"], row["revenue"])
        for table in (client.sales, client.invoices)
        if table is not None
        for row in table.to_dict("records")
        if row["account_id"] == name
    ]


def _places(client: Client) -> dict[str, int]:
    return {product: place for place, product in enumerate(client.products["product_id"])}


def _sold(client: Client, name: str, quarter: Quarter) -> set[int]:
    """Net revenue over the window above 0 and, where any line has a quantity, net quantity above 0."""
    if client.sales is None:
        return set()
    held = set()
    lines = [row for row in client.sales.to_dict("records") if row["account_id"] == name]
    for place, product in enumerate(client.products.to_dict("records")):
        opens = quarter.later(1 - int(product["lookback_quarters"])).first_day
        mine = [
            row
            for row in lines
            if row["product_id"] == product["product_id"] and opens <= row["day"] <= quarter.last_day
        ]
        revenue = sum((row["revenue"] for row in mine), Decimal(0))
        quantities = [row["quantity"] for row in mine if not pd.isna(row["quantity"]) and row["quantity"] != 0]
        if revenue > 0 and (not quantities or sum(quantities) > 0):
            held.add(place)
        if client.free_items_count and quantities and sum(quantities) > 0 and revenue >= 0:
            held.add(place)
    return held


def _standing(client: Client, name: str, day: date) -> set[str]:
    """What subscriptions, installations and snapshots prove on a day, in the catalogue or not."""
    held = set()
    if client.spans is not None:
        running: dict[str, Decimal] = {}
        for row in client.spans.to_dict("records"):
            if row["account_id"] == name and row["start"] <= day < _until(row["stop"]):
                running[row["product_id"]] = running.get(row["product_id"], Decimal(0)) + row["quantity"]
        held |= {product for product, quantity in running.items() if quantity > 0}
    if client.snapshots is not None:
        rows = client.snapshots.to_dict("records")
        held |= {row["product_id"] for row in rows if row["account_id"] == name and row["day"] == day}
    return held


def _possible(client: Client, account: dict[str, Any], place: int, day: date) -> bool:
    product = client.products.iloc[place]
    if not _from(product["launched"]) <= day < _until(product["retired"]):
        return False
    rules = [rule for rule in client.rules if product["product_id"] in rule[1]]
    return not rules or any(
        account["region"] == region and _from(start) <= day < _until(stop) for region, _, start, stop in rules
    )


# Random clients


def client(seed: int, products: int = 6, accounts: int = 8, lines: int = 60) -> Client:
    """A client with everything that has ever gone wrong, drawn from a seed."""
    pick = Random(seed)
    calendar = Calendar(pick.choice([1, 1, 2, 7]))
    quarters = calendar.between(date(2024, 1, 1), date(2025, 12, 31))
    names = [f"p{n}" for n in range(products)]
    base = pick.choice([1, 2, 4])
    frame = pd.DataFrame(
        {
            "product_id": names,
            "family": None,
            "launched": [pick.choice([None, None, None, _day(pick)]) for _ in names],
            "retired": [pick.choice([None, None, None, _day(pick)]) for _ in names],
            "lookback_quarters": [pick.choice([base, base, base, 1, 3]) for _ in names],
        }
    ).astype({"launched": object, "retired": object})
    ids = [f"a{n}" for n in range(accounts)]
    who = pd.DataFrame(
        {
            "account_id": ids,
            "joined_on": [pick.choice([None, _day(pick)]) for _ in ids],
            "left_on": [pick.choice([None, None, _day(pick)]) for _ in ids],
            "region": [pick.choice(["N", "S", None]) for _ in ids],
        },
        dtype=object,
    )
    kinds = pick.choice(
        [("sales",), ("sales",), ("sales", "spans", "snapshots", "invoices"), ("spans",), ("snapshots", "invoices")]
    )
    rules = [
        (
            pick.choice("NS"),
            tuple(pick.sample(names, min(2, products))),
            pick.choice([None, _day(pick)]),
            pick.choice([None, _day(pick)]),
        )
        for _ in range(pick.choice([0, 2]))
    ]
    return Client(
        quarters=quarters,
        products=frame,
        accounts=who,
        sales=_sales(pick, ids, names, lines) if "sales" in kinds else None,
        invoices=_table(pick, ["account_id", "day", "revenue"], ids, names, lines // 4)
        if "invoices" in kinds
        else None,
        spans=_table(pick, SPANS, ids, names, lines // 2) if "spans" in kinds else None,
        snapshots=_snapshots(pick, ids, names, quarters, lines // 2) if "snapshots" in kinds else None,
        rules=rules,
        lookback_months=3 * base,
        free_items_count=pick.random() < 0.2,
    )


def _day(pick: Random) -> date:
    return date(2024, 1, 1) + timedelta(days=pick.randrange(731))


def _amount(pick: Random) -> Decimal:
    return pick.choice([Decimal(0), Decimal("0.1"), Decimal("0.2"), Decimal("-0.3"), Decimal("10.55"), Decimal(7)])


def _sales(pick: Random, ids: list[str], names: list[str], lines: int) -> pd.DataFrame:
    """Sales, many of them returned in full or in part, soon or a window later."""
    rows: list[tuple[Any, ...]] = []
    has_quantity = pick.random() < 0.7
    for _ in range(lines):
        product = pick.choice([*names, *names, "outside", None])
        quantity = pick.choice([None, Decimal(0), Decimal(1), Decimal(2)]) if has_quantity else None
        row = (pick.choice(ids), product, _day(pick), quantity, abs(_amount(pick)))
        rows.append(row)
        if pick.random() < 0.3:
            later = min(row[2] + timedelta(days=pick.randrange(150)), date(2025, 12, 31))
            share = pick.choice([1, 1, Decimal("0.5")])
            back = None if quantity is None else -quantity * share
            rows.append((*row[:2], later, back, -row[4] * share))
    return pd.DataFrame(rows, columns=SALES, dtype=object)


def _table(pick: Random, columns: list[str], ids: list[str], names: list[str], lines: int) -> pd.DataFrame:
    draw = {
        "account_id": lambda: pick.choice(ids),
        "product_id": lambda: pick.choice([*names, "outside"]),
        "day": lambda: _day(pick),
        "start": lambda: _day(pick),
        "stop": lambda: pick.choice([None, _day(pick)]),
        "quantity": lambda: pick.choice([Decimal(1), Decimal(1), Decimal(2), Decimal(-1)]),
        "revenue": lambda: _amount(pick),
    }
    return pd.DataFrame([[draw[name]() for name in columns] for _ in range(lines)], columns=columns, dtype=object)


def _snapshots(pick: Random, ids: list[str], names: list[str], quarters: list[Quarter], lines: int) -> pd.DataFrame:
    rows = [(pick.choice(ids), pick.choice([*names, "outside"]), pick.choice(quarters).last_day) for _ in range(lines)]
    return pd.DataFrame(rows, columns=["account_id", "product_id", "day"], dtype=object)


# The same client as the engine gets it


def portfolio(client: Client, con: Any) -> Any:
    """Put a client's frames into an engine, with the fields that positions read of a portfolio."""
    import pyarrow as pa

    kinds = {
        "account_id": pa.string(), "product_id": pa.string(), "region": pa.string(), "day": pa.date32(),
        "start": pa.date32(), "stop": pa.date32(), "joined_on": pa.date32(), "left_on": pa.date32(),
        "quantity": pa.decimal128(18, 4), "revenue": pa.decimal128(18, 4),
    }  # fmt: skip

    def table(name: str, frame: pd.DataFrame | None) -> Any:
        if frame is None:
            return None
        columns = {each: pa.array([None if pd.isna(v) else v for v in frame[each]], kinds[each]) for each in frame}
        return con.create_table(name, pa.table(columns))

    def rule(region: str, products: tuple[str, ...], start: date | None, stop: date | None) -> Any:
        met = lambda accounts: (accounts.region == region).fill_null(False)  # noqa: E731
        return SimpleNamespace(condition=met, products=products, start=start, stop=stop)

    return SimpleNamespace(
        engagement=SimpleNamespace(
            lookback_months=client.lookback_months,
            free_items_count=client.free_items_count,
            calendar=client.quarters[0].calendar,
        ),
        con=con, db=con.con, quarters=tuple(client.quarters), products=client.products,
        accounts=table("accounts", client.accounts),
        eligibility=tuple(rule(*each) for each in client.rules),
        **{name: table(name, getattr(client, name)) for name in ("sales", "invoices", "spans", "snapshots")},
    )  # fmt: skip
