"""Survey files as HTML tables."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.written import count, day, money, name, needing, per_cent


def to_ask(listed: pd.DataFrame, currency: str | None = None, most: int = 15) -> Html:
    """Show the first customers of a survey file (``feedback.to_ask``), largest revenue first."""
    table = needing(listed, "account_id", "possible", "held", "degree", "last_asked")
    if table.empty:
        return prose(["Nobody in this band is to be asked."])
    rest = [f"The first {most} of {count(len(table))}; customers_to_ask.csv has all."] if len(table) > most else []
    return show(table.head(most), [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        Column("held", "Has", count),
        Column("possible", "Could buy", count),
        Column("degree", "Share, %", _share),
        Column("revenue_window", f"Revenue, {name(currency)}" if currency else "Revenue", _whole),
        Column("last_asked", "Last answer", day, "kpi-text"),
    ], "Customers to ask, largest first", rest)  # fmt: skip


def _whole(value: object) -> str:
    return money(value, None, 0)


def _share(value: object) -> str:
    return per_cent(value).rstrip("%")
