"""The state of every slot, and the index of slots won, from recorded opportunities.

A slot is one account and one product possible for it. All is read as of the quarter's last day: an
opportunity closed later is still open, and one without a closing day counts as decided on the day
it was opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts, degree, queries
from kpilib.measures.queries import Moment
from kpilib.sql import literal

STATES = ("held", "pipeline", "lost offer", "blocked", "open")
NOT_POSSIBLE = "not possible"


@dataclass(frozen=True)
class Index:
    """The account penetration index, as one of two readings.

    ``opportunities``: slots won / slots with an opportunity in the window, beside the logging
    coverage (holdings with an opportunity at any date / holdings). ``engaged``: the share of
    accounts with two or more products under the name a client insists on. Shares from 0 to 1, None
    where there is nothing to divide by.
    """

    value: float | None
    reading: str
    logging_coverage: float | None = None
    won: int | None = None
    recorded: int | None = None


def index(book: Book, quarter: str) -> Index | None:
    """Measure the index of a quarter; None without recorded opportunities.

    Among the slots of the base that are possible on the day. A record counts when it overlaps the
    window; of several on one slot, won beats open beats lost.
    """
    pairs = counts.pairs(book, quarters=[quarter])
    return index_of(pairs, slots(book, quarter), book.engagement.index_reading)


def index_of(pairs: pd.DataFrame, marked: pd.DataFrame | None, reading: str) -> Index | None:
    """Measure the index from counts of accounts and from counts of marked slots."""
    if reading == "engaged":
        return Index(degree.multi_share(pairs, 2), reading)
    if marked is None:
        return None
    held = degree.measured(pairs).held
    won, recorded, logged = (
        int(marked.loc[kept, "slots"].sum())
        for kept in (marked["outcome"] == "won", marked["outcome"].notna(), marked["held"] & marked["logged"])
    )
    value = won / recorded if recorded else None
    return Index(value, reading, logged / held if held else None, won, recorded)


def states(book: Book, quarter: str) -> pd.DataFrame:
    """Count the slots of the base by state: each slot is in exactly one.

    An unheld slot is blocked before pipeline before lost offer (its last opportunity was lost in
    the window) before open.

    Returns
    -------
    One row per state, in the order of :data:`STATES`: state, slots, share (of all slots, 0 to 1).
    """
    total = degree.of(book, quarter)
    marked = counts.tally(book, quarter, marks(book, queries.moment(book, quarter)))
    unheld = marked[~marked["held"]].groupby("state")["slots"].sum()
    found = {state: int(unheld.get(state, 0)) for state in STATES}
    found["held"] = total.held
    found["open"] = total.possible - sum(found[state] for state in STATES if state != "open")
    rows = [{"state": state, "slots": found[state], "share": found[state] / total.possible} for state in STATES]
    return degree.table(rows, {"state": "object", "slots": "int64", "share": "float64"})


def slots(book: Book, quarter: str, by: str | None = None, where: queries.Where | None = None) -> pd.DataFrame | None:
    """Count the possible slots of the base that carry an opportunity or a block.

    ``where`` keeps the accounts whose attributes have one of the listed values.

    Returns
    -------
    One row per [group], held (bool), state (were it not held), outcome in the window (won, open,
    lost or missing) and logged (an opportunity at any date up to the day): slots. None without
    recorded opportunities.
    """
    if not recorded(book):
        return None
    told = marks(book, queries.moment(book, quarter))
    if where:
        told = (
            f"SELECT m.* FROM ({told}) m LEFT JOIN accounts a USING (account_id) WHERE {queries.matches(book, where)}"
        )
    return counts.tally(book, quarter, told, by)


def account(book: Book, account_id: str, quarter: str) -> pd.DataFrame:
    """Tell the state of every product for one account, and why.

    Returns
    -------
    One row per product of the catalogue, in its order: product_id, family, state (one of
    :data:`STATES`, or not possible), reason (text, missing where held or open), possible, proven.

    Raises
    ------
    DataError
        When the account is neither on file nor active in the quarter.
    """
    at = queries.moment(book, quarter)
    found = counts.holdings(book, account_id, quarter)
    if found.empty:
        raise DataError(
            f"Account {account_id!r} is neither on file nor active in {at.label}.",
            _alike(book, account_id, at),
            "Check its id as written in the client's own files, or ask for another quarter.",
        )
    known = book.products[["product_id", "family", "launched", "retired"]]
    found = found.merge(known, on="product_id")
    marks = _account_marks(book, account_id, at)
    told = [_state(row, marks.get(row["product_id"], {}), at) for row in found.to_dict("records")]
    found[["state", "reason"]] = pd.DataFrame(told, columns=["state", "reason"], dtype="object")
    return found[["product_id", "family", "state", "reason", "possible", "proven"]]


def _alike(book: Book, account_id: str, at: Moment) -> str:
    """Name the accounts whose id is the same but for leading zeros or capitals."""
    plain = "lower(ltrim(trim({}), '0'))"
    found = queries.fetch(
        book,
        f"SELECT DISTINCT account_id FROM positions WHERE quarter = {at.index} AND "
        f"{plain.format('account_id')} = {plain.format(literal(account_id))} ORDER BY account_id LIMIT 3",
    )["account_id"]
    return f"Did you mean {' or '.join(map(repr, found))}?" if len(found) else ""


def _state(slot: dict[str, Any], marks: dict[str, Any], at: Moment) -> tuple[str, str | None]:
    if not slot["possible"]:
        return NOT_POSSIBLE, _impossible(slot, at)
    if slot["proven"]:
        return "held", None
    state = marks.get("state", "open")
    reasons = {
        "blocked": marks.get("reason"),
        "pipeline": f"offered on {marks.get('offered')}, not decided",
        "lost offer": f"lost on {marks.get('decided')}",
    }
    return state, reasons.get(state)


def _impossible(slot: dict[str, Any], at: Moment) -> str:
    """Say why a product cannot be held; what is proven all the same is said as well."""
    launched, retired = (pd.to_datetime(slot[name]) for name in ("launched", "retired"))
    day = pd.Timestamp(at.as_of)
    if pd.notna(launched) and launched > day:
        reason = f"launched only on {launched.date()}"
    elif pd.notna(retired) and retired <= day:
        reason = f"retired on {retired.date()}"
    else:
        reason = "not open to this account"
    return reason + (", though there is evidence of it" if slot["proven"] else "")


def recorded(book: Book) -> bool:
    """Tell whether the client records opportunities: an empty table says no more than none."""
    if not book.has("opportunities"):
        return False
    with book.connect() as con:
        return con.sql("FROM opportunities LIMIT 1").fetchone() is not None


def marks(book: Book, at: Moment) -> str:
    """Write the query for what is recorded of each slot as of the day, one row per slot."""
    return f"""
        SELECT account_id, product_id, coalesce(b.state, o.state, 'open') AS state, o.outcome,
               coalesce(o.logged, false) AS logged
        FROM ({_offered(book, at)}) o
        FULL JOIN (SELECT account_id, product_id, 'blocked' AS state FROM ({blocked_slots(book, at)})) b
        USING (account_id, product_id)
    """


def _offered(book: Book, at: Moment) -> str:
    """Write the query for the opportunities of each slot; the last decided one tells a loss."""
    day, start = f"DATE '{at.as_of}'", f"DATE '{at.window_start}'"
    lost_last = f"last(stood = 'lost' AND decided >= {start} ORDER BY decided, opened, stood)"
    return f"""
        WITH told AS (
            SELECT *, CASE WHEN status <> 'open' THEN coalesce(closed, opened) END AS decided
            FROM ({_kept(book, "opportunities", _NO_OPPORTUNITIES)}) WHERE opened <= {day}
        ), stood AS (
            SELECT *, CASE WHEN decided <= {day} THEN status ELSE 'open' END AS stood FROM told
        )
        SELECT account_id, product_id, true AS logged,
               CASE WHEN bool_or(stood = 'won' AND decided >= {start}) THEN 'won'
                    WHEN bool_or(stood = 'open') THEN 'open'
                    WHEN bool_or(stood = 'lost' AND decided >= {start}) THEN 'lost' END AS outcome,
               CASE WHEN bool_or(stood = 'open') THEN 'pipeline'
                    WHEN {lost_last} FILTER (WHERE stood <> 'open') THEN 'lost offer' END AS state,
               max(opened) FILTER (WHERE stood = 'open') AS offered,
               max(decided) FILTER (WHERE stood = 'lost') AS decided
        FROM stood GROUP BY account_id, product_id
    """


def barred(book: Book, quarter: str) -> set[tuple[str, str]]:
    """List the slots, as account and product, that must not be sold as of a quarter."""
    if not book.has("blocked"):
        return set()
    with book.connect() as db:
        found = db.execute(blocked_slots(book, queries.moment(book, quarter))).fetchall()
    return {(account, product) for account, product, _ in found}


def blocked_slots(book: Book, at: Moment) -> str:
    """Write the query for the slots that are blocked on a day: account_id, product_id, reason."""
    day = f"DATE '{at.as_of}'"
    return f"""
        SELECT account_id, product_id, string_agg(DISTINCT reason, '; ' ORDER BY reason) AS reason
        FROM ({_kept(book, "blocked", _NO_BLOCKS)})
        WHERE ("start" IS NULL OR "start" <= {day}) AND (stop IS NULL OR {day} < stop)
        GROUP BY account_id, product_id
    """


_NO_OPPORTUNITIES = """
    SELECT '' AS account_id, '' AS product_id, '' AS status, NULL::DATE AS opened,
           NULL::DATE AS closed WHERE false
"""
_NO_BLOCKS = """
    SELECT '' AS account_id, '' AS product_id, '' AS reason, NULL::DATE AS "start",
           NULL::DATE AS stop WHERE false
"""


def _kept(book: Book, name: str, nothing: str) -> str:
    return f"SELECT * FROM {name}" if book.has(name) else nothing


def _account_marks(book: Book, account_id: str, at: Moment) -> dict[str, dict[str, Any]]:
    """Read what is recorded of one account's products."""
    asked = f"""
        SELECT product_id, CASE WHEN b.product_id IS NOT NULL THEN 'blocked'
               ELSE coalesce(o.state, 'open') END AS state, b.reason, o.offered, o.decided
        FROM (SELECT * FROM ({_offered(book, at)}) WHERE account_id = $account) o
        FULL JOIN (SELECT * FROM ({blocked_slots(book, at)}) WHERE account_id = $account) b
        USING (product_id)
    """
    with book.connect() as con:
        found = con.execute(asked, {"account": account_id})
        names = [each[0] for each in found.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row["product_id"]: row for row in rows}
