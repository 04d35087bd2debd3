"""Result tables of money as small HTML tables; groups too small to show keep their name only."""

from __future__ import annotations

from functools import partial

import pandas as pd

from kpilib.captions.revenue import group_names
from kpilib.tables import Column, Html, show, text
from kpilib.wording.revenue import CUSTOMERS, signed, span
from kpilib.written import count, missing, money, needing, per_cent, points, upper


def retention(table: pd.DataFrame, currency: str | None = None) -> Html:
    """Show ``revenue.retention``, of all customers or by group."""
    table = needing(table, "n", "before", "after", "suppressed")
    first = [text("group", "Group")] if "group" in table else [text("later", "Period")]
    shown = table if "group" in table else table.assign(later=table["later"].map(lambda each: upper(span(each))))
    interval = [_reach(*each) for each in zip(table["low"], table["high"], strict=True)]
    columns = [
        *first,
        Column("n", "Customers before", count),
        Column("before", _in("Revenue before", currency), _money),
        Column("after", _in("Revenue after", currency), _money),
        Column("net_revenue_retention", "Net retention", per_cent),
        text("interval", "95% interval", "kpi-number"),
        Column("gross_revenue_retention", "Gross retention", per_cent),
        Column("account_retention", "Customers kept", per_cent),
    ]
    periods = f"{span(table['later'].iloc[0])} against {span(table['earlier'].iloc[0])}" if len(table) else ""
    caption = f"Revenue of the customers we had, {periods}"
    return show(_hidden(shown.assign(interval=interval)), columns, caption)


def balance(table: pd.DataFrame, currency: str | None = None) -> Html:
    """Show ``revenue.growth_balance`` of all customers."""
    table = needing(table, "part", "amount", "accounts", "share_of_earlier")
    ends = {each: upper(span(table[each].iloc[0])) for each in ("earlier", "later")} if len(table) else {}
    is_end = table["part"].isin(list(ends))
    shown = table.assign(
        part=[ends.get(each) or upper(CUSTOMERS[each]) for each in table["part"]],
        amount=[_money(each) if end else signed(each) for each, end in zip(table["amount"], is_end, strict=True)],
        change=table["share_of_earlier"].where(~is_end),
    )
    columns = [
        text("part", ""),
        text("amount", _in("Revenue", currency), "kpi-number"),
        Column("change", "Points of revenue before", points),
        Column("accounts", "Customers", count),
    ]
    notes = ("A customer may be in several rows: it can buy new products and drop others.",)
    return show(shown, columns, "Where the change of revenue came from", notes)


def per_account(table: pd.DataFrame, by: str, currency: str | None = None) -> Html:
    """Show ``revenue.revenue_per_account`` by ``band`` or ``products``."""
    table = needing(table, "group", "accounts", "revenue", "suppressed")
    shown = _hidden(table.assign(group=group_names(table, by)))
    columns = [
        text("group", "What customers have"),
        Column("accounts", "Customers", count),
        Column("revenue", _in("Revenue", currency), _money),
        Column("share_of_revenue", "Share of revenue", per_cent),
        Column("revenue_per_account", _in("Revenue per customer", currency), _money),
        Column("margin_share", "Gross margin", per_cent),
        Column("margin_covered", "Revenue with a stated margin", per_cent),
    ]
    return show(shown, columns, "Revenue per customer by what customers have")


def impact(table: pd.DataFrame, by: str, currency: str | None = None, minimum: int = 5) -> Html:
    """Show the table of ``revenue.impact``; groups of too few customers keep their name only."""
    table = needing(table, "group", "n", "retained", "account_retention", "suppressed")
    shown = _hidden(table.assign(group=group_names(table, by)))
    columns = [
        text("group", "What customers had"),
        Column("n", "Customers", count),
        Column("account_retention", "Customers again", per_cent),
        Column("revenue_before", _in("Revenue per customer then", currency), _money),
        Column("revenue_per_account", _in("now, lost ones as 0", currency), _money),
    ]
    what = "penetration" if by == "band" else "number of products"
    few = [f"Not shown: groups of fewer than {minimum} customers."] if table["suppressed"].any() else []
    return show(shown, columns, f"What became of customers, by their earlier {what}", few)


def peers(table: pd.DataFrame) -> Html:
    """Show ``peers.peer_reference``."""
    table = needing(table, "group", "n", "mean", "peer_reference", "suppressed")
    columns = [
        text("group", "Group"),
        Column("n", "Customers", count),
        Column("mean", "Average", per_cent),
        Column("peer_reference", "Within reach", per_cent),
    ]
    notes = (
        "Within reach: what the best quarter of like customers have; small groups are drawn towards all customers.",
    )
    return show(_hidden(table), columns, "What is good here", notes)


_money = partial(money, places=0)


def _in(title: str, currency: str | None) -> str:
    return f"{title}, {currency}" if currency else title


def _reach(low: float | None, high: float | None) -> str | None:
    return None if missing(low) else f"{per_cent(low)} to {per_cent(high)}"


def _hidden(table: pd.DataFrame) -> pd.DataFrame:
    """Leave nothing but the name of groups that are too small to show."""
    small = table["suppressed"].astype(bool)
    figures = [column for column in table if column not in ("group", "later", "earlier", "suppressed")]
    return table.astype(dict.fromkeys(figures, object)).assign(
        **{each: table[each].astype(object).where(~small, None) for each in figures}
    )
