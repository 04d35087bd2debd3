"""Survey files as HTML tables."""

from __future__ import annotations

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.written import count, day, money, name, needing, per_cent, plural, spaced, upper


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


def by_group(table: pd.DataFrame, what: str) -> Html:
    """Show the scores of an attribute's values, of products or of topics; those too few to show are left out.

    Parameters
    ----------
    table
        ``feedback.by_group`` or ``feedback.by_subject``: group, n, score, suppressed, and coverage where there is one.
    what
        What the groups are: product, topic, or an attribute.
    """
    table = needing(table, "group", "n", "score", "suppressed")
    hidden = table["suppressed"].astype(bool)
    heard = [Column("coverage", "Gave feedback", per_cent)] if "coverage" in table else []
    columns = [
        text("group", upper(spaced(what))),
        Column("n", "Customers who answered", count),
        *heard,
        Column("score", "Mean score", lambda each: f"{each:.1f}"),
    ]
    few = [f"{upper(plural(int(hidden.sum()), 'group'))} not shown: too few answers, or what would give those away."]
    return show(table[~hidden], columns, f"What customers say, by {spaced(what)}", few if hidden.any() else [])


def says_more(table: pd.DataFrame | None, group: str) -> bool:
    """Whether a table of contacts says more than its sentence: of two kinds, or of two bands that are shown."""
    if table is None:
        return False
    return (
        int(((table["reached"] > 0) & (table["kind"] != "(any)") if group == "kind" else ~table["suppressed"]).sum())
        > 1
    )


def contacts(table: pd.DataFrame, group: str, title: str) -> Html:
    """Show whom we were in contact with by ``kind`` of contact or by ``band``; bands too small are left out.

    Parameters
    ----------
    table
        ``feedback.contacts`` or ``feedback.contacts_by_band``.
    """
    table = needing(table, group, "accounts", "reached", "share", "contacts", "suppressed")
    hidden = table["suppressed"].astype(bool)
    columns = [
        text(group, upper(group)),
        Column("accounts", "Customers", count),
        Column("reached", "In contact with", count),
        Column("share", "Share", per_cent),
        Column("contacts", "Contacts", count),
    ]
    few = [f"{upper(plural(int(hidden.sum()), group))} not shown: too few customers, or what would give those away."]
    return show(table[~hidden].replace({group: {"(any)": "any contact"}}), columns, title, few if hidden.any() else [])


def _whole(value: object) -> str:
    return money(value, None, 0)


def _share(value: object) -> str:
    return per_cent(value).rstrip("%")
