"""The call list, and what came of it, as tables."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.written import count, needing, quarter, spaced, upper


def reasons(counted: pd.DataFrame) -> Html:
    """Show why calls did not close, as owners wrote it."""
    table = needing(counted, "why_not", "calls")
    if table.empty:
        return prose(["No reason was given."])
    return show(table, [text("why_not", "Why not"), Column("calls", "Calls", count)], "Why calls did not close")


def won(rows: pd.DataFrame) -> Html:
    """Show the calls marked won beside what the data say (``actions.followed.won``), list by list."""
    table = needing(rows, "issued", "calls", "won", "seen", "later", "unseen", "unmarked")
    table["issued"] = table["issued"].map(quarter)
    return show(table, [
        text("issued", "List of"),
        Column("calls", "Calls", count),
        Column("won", "Marked won", count),
        Column("seen", "Seen at quarter's end", count),
        Column("later", "Seen since", count),
        Column("unseen", "Not seen so far", count),
        Column("unmarked", "Bought, not marked won", count),
    ], "Marked won, and what the data say", [
        "Seen: the customer has the product by the client's data. Closed: seen at the quarter's end, marked or not."
    ])  # fmt: skip


def unseen(rows: pd.DataFrame, most: int = 25) -> Html:
    """Show the calls marked won that the data do not show (``actions.followed.unseen``), to be asked about."""
    if rows.empty:
        return prose([])
    rest = len(rows) - most
    return show(rows.head(most), [
        text("owner", "Owner"),
        text("account_id", "Customer"),
        text("name", "Name"),
        text("product_id", "Product"),
        text("call", "Call"),
    ], "Marked won, not seen in the data so far", [f"And {rest:,} more."] if rest > 0 else [])  # fmt: skip


def groups(rows: pd.DataFrame, by: str, most: int = 25) -> Html:
    """Show who must sell how much for a target (``actions.plan.by_group``), those with most to sell first."""
    table = needing(rows, "group", "accounts", "open", "needed", "calls", "expected")
    if table["expected"].notna().any():
        table["expected"] = table["expected"].where(table["calls"] > 0, 0.0)
    order = table[["needed", "open"]].astype(float).fillna(0)
    table = table.loc[order.sort_values(["needed", "open"], ascending=False, kind="stable").index]
    rest, title = len(table) - most, f"What it would take, by {spaced(by)}"
    return show(table.head(most), [
        text("group", upper(spaced(by))),
        Column("accounts", "Customers", count),
        Column("open", "Could buy, do not have", count),
        Column("needed", "Of these, to be sold", count),
        Column("calls", "Best calls", count),
        Column("expected", "Of these, expected to be bought", lambda each: f"{each:.1f}"),
    ], title, [f"And {rest:,} more with less to sell."] if rest > 0 else [])  # fmt: skip
