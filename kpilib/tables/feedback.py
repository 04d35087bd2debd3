"""Feedback, contacts and survey files as HTML tables; what is suppressed keeps its name only."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.wording import feedback as say
from kpilib.written import NOTHING, count, day, missing, money, name, needing, per_cent


def by_band(table: pd.DataFrame | None, minimum: int = 5) -> Html:
    """Show feedback by band (``feedback.by_band``)."""
    return _feedback(table, "band", "Band", "Feedback by band", minimum)


def by_group(table: pd.DataFrame | None, title: str = "Group", minimum: int = 5) -> Html:
    """Show feedback by segment, product or topic (``feedback.score``, ``feedback.by_subject``)."""
    return _feedback(table, "group", title, f"Feedback by {title.lower()}", minimum)


def contacts(table: pd.DataFrame | None, by: str = "kind", minimum: int = 5) -> Html:
    """Show whom we were in contact with (``feedback.contacts``, ``feedback.contacts_by_band`` with ``by="band"``)."""
    if table is None:
        return prose([say.NEEDS_CONTACTS])
    shown = needing(table, by, "accounts", "reached", "share", "contacts", "suppressed")
    return show(_hidden(shown, [by]), [
        text(by, "Kind" if by == "kind" else "Band"),
        Column("accounts", "Customers", count),
        Column("reached", "Reached", count),
        Column("share", "Reached, %", _share),
        Column("contacts", "Contacts", count),
    ], "Customers we were in contact with", _few(shown, minimum))  # fmt: skip


def to_ask(listed: pd.DataFrame, currency: str | None = None, most: int = 15) -> Html:
    """Show the first customers of a survey file (``feedback.to_ask``)."""
    table = needing(listed, "account_id", "possible", "held", "degree", "last_asked", "why")
    if table.empty:
        return prose(["Nobody in this band is to be asked."])
    rest = [f"The first {most} of {count(len(table))}; all are in the file."] if len(table) > most else []
    return show(table.head(most), [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        Column("held", "Has", count),
        Column("possible", "Could buy", count),
        Column("degree", "Share, %", _share),
        Column("revenue_window", f"Revenue, {name(currency)}" if currency else "Revenue", money),
        Column("last_asked", "Last asked", day, "kpi-text"),
        text("why", "Why"),
    ], "Customers to ask", rest)  # fmt: skip


def _feedback(table: pd.DataFrame | None, key: str, title: str, caption: str, minimum: int) -> Html:
    if table is None:
        return prose([say.NEEDS_FEEDBACK])
    shown = needing(table, key, "n", "score", "suppressed")
    return show(_hidden(shown, [key]), [
        text(key, title),
        Column("accounts", "Customers", count),
        Column("n", "Gave feedback (n)", count),
        Column("coverage", "Gave feedback, %", _share),
        Column("score", "Mean score", _score),
        Column("promoters", "9 or more, %", _share),
        Column("detractors", "6 or less, %", _share),
        Column("nps", "Net promoter score", say.net),
    ], caption, _few(shown, minimum))  # fmt: skip


def _hidden(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    hidden = table["suppressed"].astype(bool)
    figures = [each for each in table if each not in (*names, "suppressed")]
    return table.assign(**{each: table[each].astype(object).mask(hidden, None) for each in figures})


def _few(table: pd.DataFrame, minimum: int) -> list[str]:
    return [f"Not shown: fewer than {minimum} customers or answers."] if table["suppressed"].astype(bool).any() else []


def _share(value: object) -> str:
    return per_cent(value).rstrip("%")


def _score(value: float | None) -> str:
    return NOTHING if missing(value) else f"{value:.1f}"
