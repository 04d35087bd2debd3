"""The call list, and what came of it, as tables."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.written import count, money, name, needing, per_cent


def calls(rows: pd.DataFrame, currency: str | None = None, most: int = 10) -> Html:
    """Show the first calls of a list: who, what, why, with what chance and value."""
    table = needing(rows, "account_id", "product_id", "reason").head(most)
    if table.empty:
        return prose(["There is nothing to recommend."])
    unit = f", {currency}" if currency else ""
    return show(table, [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        text("product_id", "Product"),
        text("reason", "Why"),
        Column("chance", "Chance in the quarter, %", _share),
        Column("value", f"Expected value{unit}", money),
    ], "Calls, best first")  # fmt: skip


def expected_and_actual(rows: pd.DataFrame, by: str, title: str) -> Html:
    """Show expected and actual closings by a column (``actions.followed.calibration``)."""
    table = needing(rows, by, "calls", "worked", "expected", "closed")
    if table.empty:
        return prose(["There is no list to follow up."])
    return show(table, [
        text(by, title),
        Column("accounts", "Customers", count),
        Column("calls", "Calls", count),
        Column("worked", "Worked", count),
        Column("expected", "Expected to close", lambda each: f"{each:.1f}"),
        Column("closed", "Closed", count),
    ], f"What we said, what happened, by {title.lower()}")  # fmt: skip


def reasons(counted: pd.DataFrame) -> Html:
    """Show why calls did not close, as owners wrote it."""
    table = needing(counted, "why_not", "calls")
    if table.empty:
        return prose(["No reason was given."])
    return show(table, [text("why_not", "Why not"), Column("calls", "Calls", count)], "Why calls did not close")


def groups(rows: pd.DataFrame, by: str, most: int = 25) -> Html:
    """Show who must sell how much for a target (``actions.plan.by_group``), those with most to sell first."""
    table = needing(rows, "group", "accounts", "open", "needed", "calls", "expected")
    order = table[["needed", "open"]].astype(float).fillna(0)
    table = table.loc[order.sort_values(["needed", "open"], ascending=False, kind="stable").index]
    rest = len(table) - most
    return show(table.head(most), [
        text("group", name(by).capitalize()),
        Column("accounts", "Customers", count),
        Column("open", "Could buy, do not have", count),
        Column("needed", "Of these, to be sold", count),
        Column("calls", "Best calls", count),
        Column("expected", "Of these, expected to be bought", lambda each: f"{each:.1f}"),
    ], f"What it would take, by {name(by)}", [f"And {rest:,} more with less to sell."] if rest > 0 else [])  # fmt: skip


def _share(value: float) -> str:
    return per_cent(value).removesuffix("%")
