"""Lists and back-tests of what could be sold next, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.wording.whitespace import few, first_hits
from kpilib.written import count, money, needing, per_cent, plural

METHODS = {"model": "this list", "popularity": "what most others have", "random": "at random, as expected"}


STATES = {
    "accounts": "Customers",
    "possible": "Could have",
    "held": "Have",
    "whitespace": "Could buy, do not have",
    "pipeline": "Offer running",
    "lost offer": "Offer lost",
    "blocked": "Must not be sold",
    "open": "Open",
}


def _share(places: int = 1) -> Any:
    return lambda value: per_cent(value, places).rstrip("%")


def calls(
    table: pd.DataFrame,
    reasons: Sequence[str],
    currency: str | None = None,
    caption: str = "The calls",
    trusted: bool = True,
) -> Html:
    """Show a list of calls (``whitespace.ranked``) with the reason of each; chances only where they came true."""
    table = needing(table, "account_id", "product_id", "chance", "value").assign(reason=list(reasons))
    if table.empty:
        return prose(["There is no call to make."])
    if not trusted:
        table["chance"] = None
    worth = "Value" + (f", {currency}" if currency else "")
    notes = {
        "chance": "Chance: to buy in the next quarter by itself.",
        "value": "Value: chance × typical spend of like customers in a quarter.",
    }
    return show(table, [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        text("product_id", "Product"),
        text("reason", "Reason"),
        Column("chance", "Chance, %", _share(0)),
        Column("value", worth, money),
    ], caption, [note for field, note in notes.items() if table[field].notna().any()])  # fmt: skip


def methods(test: Any) -> Html:
    """Show how the list did beside popularity and random order."""
    if test is None:
        return prose([])
    table = test.methods.assign(method=test.methods["method"].map(METHODS))
    if few(test):
        hits = first_hits(test)
        table["hits"] = test.methods["method"].map(hits)
        note = (
            f"Of {plural(test.bought_something, 'customer')} that bought something new: too few to judge the list by."
        )
        columns = [text("method", "Order"), Column("hits", "First product bought", count)]
        return show(table, columns, "The list tried on the past", [note])
    note = f"Among the {count(test.bought_something)} customers that bought something new."
    return show(table, [
        text("method", "Order"),
        Column("precision_1", "First product bought, %", _share(0)),
        Column("precision_k", f"Of first {test.k}, bought, %", _share(0)),
        Column("recall_k", f"Of all bought, in first {test.k}, %", _share(0)),
        Column("map", "Average precision", _three),
        Column("map_ahead", "Ahead of popularity", _signed),
        Column("map_low", "95% interval from", _signed),
        Column("map_high", "to", _signed),
        Column("auc_product", "Buyers ranked before others, %", _share(0)),
    ], "The list tried on the past", [note])  # fmt: skip


def states(slots: pd.DataFrame) -> Html:
    """Show how many cases are in which state (``whitespace.slots``)."""
    table = needing(slots, "possible", "held", "whitespace")
    return show(table, [
        text("group", "Group"),
        *(Column(field, title, count) for field, title in STATES.items()),
    ], "Where it stands")  # fmt: skip


def values(total: pd.DataFrame | None, currency: str | None = None) -> Html:
    """Show what each product would bring (``whitespace.value``); nothing where no money is known."""
    if total is None:
        return prose([])
    table = total.sort_values("value", ascending=False, kind="stable", ignore_index=True)
    return show(table, [
        text("product_id", "Product"),
        text("group", "Group"),
        Column("slots", "Open cases", count),
        Column("expected", "Expected to be bought", lambda value: f"{value:.1f}"),
        Column("value", "Value" + (f", {currency}" if currency else ""), money),
    ], "What the next quarter could bring")  # fmt: skip


def _three(value: float) -> str:
    return f"{value:.3f}"


def _signed(value: float) -> str:
    return "" if pd.isna(value) else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
