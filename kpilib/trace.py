"""Why does this account stand where it stands: every product, back to the client's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from kpilib.book import Book
from kpilib.facts import portfolio
from kpilib.measures import offers, queries
from kpilib.quarters import Quarter
from kpilib.sql import literal, quoted

if TYPE_CHECKING:
    from kpilib.facts.portfolio import Portfolio

COLUMNS = (
    "product_id",
    "family",
    "state",
    "decided_by",
    "last_evidence",
    "file",
    "record",
    "lines",
    "net_quantity",
    "net_revenue",
)


def account(book: Book, account_id: str, quarter: str | None = None) -> pd.DataFrame:
    """Tell every product's state for one account, the rule that decided it, and the last evidence.

    Goes back to the facts through the engine; nothing here reads the kept positions but the state itself.

    Returns
    -------
    One row per product of the catalogue: product_id, family, state, decided_by (plain words), last_evidence
    (day), file and record (as the client numbers them), lines, net_quantity, net_revenue (over the product's
    look-back window, missing where nothing was sold).

    Raises
    ------
    DataError
        The account is neither on file nor active in the quarter.
    """
    at = book.quarter(quarter or book.default_quarter())
    states = offers.account(book, account_id, at.label)
    facts = portfolio.load(book.engagement)
    try:
        rows = _rows(facts, account_id, at.last_day)
    finally:
        facts.db.close()
    windows = dict(zip(book.products["product_id"], book.products["lookback_quarters"], strict=True))
    told = [
        _told(state, rows[rows["product_id"] == state["product_id"]], at, int(windows[state["product_id"]]), book)
        for state in states.to_dict("records")
    ]
    return pd.DataFrame(told, columns=COLUMNS, dtype=object)


def not_counted(book: Book, account_id: str, quarter: str | None = None) -> str | None:
    """Say why an account on file or active is not in the base of a quarter; None where it is counted."""
    at = queries.moment(book, quarter)
    found = queries.fetch(
        book,
        f"""SELECT p.in_base, p.on_file, p.possible, a.joined_on, a.left_on
            FROM ({queries.positions(book, [at.index])}) p LEFT JOIN accounts a USING (account_id)
            WHERE p.account_id = {literal(account_id)}""",
    )
    if found.empty or found["in_base"].iloc[0]:
        return None
    row = found.iloc[0]
    if pd.notna(row["left_on"]) and pd.Timestamp(row["left_on"]).date() <= at.as_of:
        return f"left on {pd.Timestamp(row['left_on']).date()}"
    if book.base == "active":
        kinds = {each.kind for each in book.engagement.evidence}
        running = "" if kinds <= {"sales", "revenue"} else ", and nothing that runs"
        return f"no revenue in the {book.lookback_months} months{running}"
    if not row["on_file"]:
        return f"joined on {pd.Timestamp(row['joined_on']).date()}"
    return "no product is possible for it"


def _rows(facts: Portfolio, account_id: str, as_of: date) -> pd.DataFrame:
    """Every used row of one account up to a day, oldest first."""
    parts = []
    for number, each in enumerate(facts.engagement.evidence, 1):
        blank = "amount_text is null" if each.wide else "false"
        if each.kind != "revenue":
            parts.append(
                f"select '{each.kind}' as kind, {portfolio.proves(each)}, day, stop, quantity, revenue, "
                f"{blank} as blank, _file as file, _record as record from {quoted(f'used {number}')} "
                "where account_id = $account and day <= $as_of"
            )
    cursor = facts.db.execute(
        f"select * from ({' union all '.join(parts)}) order by day, file, record",
        {"account": account_id, "as_of": as_of},
    )
    names = [each[0] for each in cursor.description]
    return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)


def _told(state: dict[str, Any], rows: pd.DataFrame, at: Quarter, quarters: int, book: Book) -> dict[str, Any]:
    opens = at.later(1 - quarters).first_day
    sold = rows[(rows["kind"] == "sales") & (rows["day"] >= opens)]
    last = _cited(rows, at.last_day, state["state"] == "held")
    evidence = _evidence(rows, sold, at.last_day, opens, book.engagement.free_items_count)
    reason = state["reason"]
    return {
        "product_id": state["product_id"],
        "family": state["family"],
        "state": state["state"],
        "decided_by": f"{reason}; {evidence}" if isinstance(reason, str) and reason else evidence,
        "last_evidence": last.get("day"),
        "file": last.get("file"),
        "record": last.get("record"),
        "lines": len(sold) or None,
        "net_quantity": _sum(sold["quantity"]) if len(sold) else None,
        "net_revenue": _sum(sold["revenue"]) if len(sold) else None,
    }


def _cited(rows: pd.DataFrame, as_of: date, held: bool) -> dict[str, Any]:
    """The row that stands for the state: of what is held the last that proves it, else the last there is.

    Sales prove together, returns netted: the last of them stands for all.
    """
    if held:
        for proves in (
            rows[rows["kind"].isin(("subscriptions", "installed")) & _running(rows, as_of)],
            rows[(rows["kind"] == "snapshot") & (rows["day"] == as_of)],
        ):
            proves = proves[proves["quantity"].map(_positive).astype(bool)]
            if len(proves):
                return proves.iloc[-1].to_dict()
    return rows.iloc[-1].to_dict() if len(rows) else {}


def _running(rows: pd.DataFrame, as_of: date) -> pd.Series:
    return rows["stop"].map(lambda stop: stop is None or stop > as_of).astype(bool)


def _evidence(rows: pd.DataFrame, sold: pd.DataFrame, as_of: date, opens: date, free: bool) -> str:
    """Say in plain words what proves a holding on a day, or why nothing does."""
    for kind, words in (("subscriptions", "subscribed"), ("installed", "installed")):
        running = rows[(rows["kind"] == kind) & _running(rows, as_of)]
        if len(running) and _sum(running["quantity"].map(lambda each: Decimal(1) if each is None else each)) > 0:
            until = running.iloc[-1]["stop"]
            return f"{words} since {running.iloc[0]['day']}" + (f", until {until}" if until else "")
    named = rows[(rows["kind"] == "snapshot") & (rows["day"] == as_of)]
    if named["quantity"].map(_positive).any():
        others = " (another row of it says otherwise)" if not named["quantity"].map(_positive).all() else ""
        return f"in the snapshot of {as_of}{others}"
    if len(sold):
        return _sold(sold, opens, as_of, free)
    if len(named):
        return f"{'blank' if named['blank'].all() else 'named as not had'} in the snapshot of {as_of}"
    if len(rows):
        return f"last evidence {rows.iloc[-1]['day']}, nothing that holds on {as_of}"
    return "no evidence at all"


def _positive(quantity: Decimal | None) -> bool:
    return quantity is None or quantity > 0


def _sold(sold: pd.DataFrame, opens: date, as_of: date, free: bool) -> str:
    revenue, quantity = _sum(sold["revenue"]), _sum(sold["quantity"])
    counts_quantity = any(each is not None and each != 0 for each in sold["quantity"])
    lines = "1 line" if len(sold) == 1 else f"{len(sold)} lines"
    net = f"{lines} from {opens} to {as_of}, net revenue {revenue:.2f}"
    if counts_quantity:
        net += f", net quantity {quantity.normalize():f}"
    proven = revenue > 0 and (not counts_quantity or quantity > 0)
    proven = proven or (free and counts_quantity and quantity > 0 and revenue >= 0)
    return net if proven else f"{net}: returned or free, no holding"


def _sum(amounts: Sequence[Decimal | None]) -> Decimal:
    return sum((each for each in amounts if each is not None), Decimal(0))
