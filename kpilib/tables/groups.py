"""Tables of segments: what they are like, what names mean, who moved."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.written import count, missing, money, name, needing, per_cent, points, several, spaced

APART = "More or less: products that clearly more or clearly fewer have than of all other customers."


def profile(table: pd.DataFrame, by: str, currency: str | None = None, minimum: int = 5) -> Html:
    """Show segments (``segments.profile``) with figures; empty ones are left out.

    Those of too few customers keep their name only.
    """
    table = needing(table, "segment", "accounts", "mean", "low", "high", "suppressed")
    table = table[table["accounts"] > 0].reset_index(drop=True)
    if table["low"].notna().any():
        table = table.drop(columns="meaning")  # a page has no room for both
    hidden = table["suppressed"].astype(bool)
    table["interval"] = [None if missing(low) else f"{points(low)} to {points(high)}"
                         for low, high in zip(table["low"], table["high"], strict=True)]  # fmt: skip
    figures = [column for column in table if column not in ("segment", "meaning", "suppressed")]
    table[figures] = table[figures].astype(object).mask(hidden, None)
    few = f"Not shown: groups of fewer than {minimum} customers." if hidden.any() else ""
    apart = APART if not all(missing(each) for each in table["apart"]) else ""
    unit = f", {name(currency)}" if currency else ""
    return show(table, [
        text("segment", "Group"),
        text("meaning", "Meaning"),
        Column("accounts", "Customers", count),
        Column("mean", "Has, %", _share),
        Column("difference", "Against others, points", points),
        text("interval", "95% interval", "kpi-number"),
        Column("pull", "Adds to average, points", points),
        Column("revenue_share", "Of revenue, %", _share),
        Column("revenue_per_account", f"Per customer{unit}", _whole),
        text("typical", "Most have"),
        text("apart", "More or less"),
    ], f"By {spaced(by)}", [each for each in (few, apart) if each])  # fmt: skip


def described(table: pd.DataFrame, by: str, minimum: int = 5) -> Html:
    """Show what the names of segments mean, and their products (``segments.profile``), beside a figure of the rest."""
    table = needing(table, "segment", "meaning", "accounts", "typical", "apart", "suppressed")
    empty, small = table["accounts"] == 0, table["suppressed"].astype(bool)
    kinds = {f"groups of fewer than {minimum} customers": small & ~empty, "groups without any customer": empty}
    left_out = [what for what, which in kinds.items() if which.any()]
    few = [f"Not shown: {several(left_out)}."] if left_out else []
    return show(table[~empty & ~small], [
        text("segment", "Group"),
        text("meaning", "Meaning"),
        text("typical", "Most have"),
        text("apart", "More or less than others"),
    ], f"By {spaced(by)}", [*few, APART])  # fmt: skip


def movers(table: pd.DataFrame, minimum: int = 5, most: int = 12) -> Html:
    """Show the largest moves from one group to another (``segments.movers``)."""
    table = needing(table, "before", "now", "accounts", "share")
    went = table[(table["before"] != table["now"]) & (table["accounts"] >= minimum)]
    went = went.sort_values("accounts", ascending=False, kind="stable").head(most)
    if went.empty:
        return prose([f"No move from one group to another was made by {minimum} customers or more."])
    return show(went, [
        text("before", "From"),
        text("now", "To"),
        Column("accounts", "Customers", count),
        Column("share", "Of those who were there, %", _share),
        Column("held_before", "Products before, together", count),
        Column("held", "Now", count),
    ], "Largest moves")  # fmt: skip


def moved(table: pd.DataFrame, currency: str | None = None, most: int = 10) -> Html:
    """Show customers who changed group (``segments.moved``), those of largest revenue before first."""
    table = needing(table, "account_id", "before", "now").head(most)
    if table.empty:
        return prose(["No customer changed group."])
    unit = f", {name(currency)}" if currency else ""
    return show(table, [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        text("before", "Was in"),
        text("now", "Is in"),
        Column("held_before", "Had, products", count),
        Column("held", "Has", count),
        Column("revenue_before", f"Revenue before{unit}", money),
        Column("revenue", "Now", money),
    ], "Customers who changed group", ["Those of largest revenue before come first."])  # fmt: skip


def _share(value: object) -> str:
    return per_cent(value).rstrip("%")


def _whole(value: object) -> str:
    return money(value, places=0)
