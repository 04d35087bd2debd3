"""What the client records of single slots: sales opportunities, and what must not be sold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import Engagement
from kpilib.errors import DataError, listed
from kpilib.facts.intake import columns_of
from kpilib.facts.sources import NONE, PROVENANCE, Columns, Reading
from kpilib.sql import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def opportunities(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Make ``evidence opportunities``: one row per recorded opportunity, its status in the kit's words."""
    declared = engagement.opportunities
    columns = columns_of(db, "opportunities", declared, engagement, readings)
    words = {w.lower(): status for status in ("won", "lost", "open") for w in getattr(declared, status)}
    cases = " ".join(f"when {literal(w)} then '{status}'" for w, status in words.items())
    status = f"case lower({columns.text('status')}) {cases} end"
    unknown = db.execute(
        f"select {columns.text('status')}, count(*) from {quoted(columns.reading.view)} where ({status}) is null "
        "group by 1 order by 2 desc, 1"
    ).fetchall()
    if unknown:
        raise DataError(
            "Some opportunities have a status that means neither won, lost nor open.",
            f"Found {listed([f'{word} ({n})' if word else f'(blank) ({n})' for word, n in unknown])}.",
            f"Known are {listed([*words])}. List the client's words under opportunities.won, .lost and .open.",
        )
    closed = columns.optional("day", "closed")
    _slots_view(
        db,
        "opportunities",
        columns,
        columns.day("opened"),
        closed,
        f"{columns.text('opened')} as day_text, {columns.unread('closed', closed)} as bad_stop, "
        f"{status} as status_word, {columns.optional('text', 'owner')} as owner",
    )


def blocked(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Make ``evidence blocked``: slots that must not be sold, with the reason."""
    columns = columns_of(db, "blocked", engagement.blocked, engagement, readings)
    days = {each: columns.optional("day", each) for each in ("start", "stop")}
    bad = " or ".join(columns.unread(*each) for each in days.items())
    _slots_view(
        db,
        "blocked",
        columns,
        days["start"],
        days["stop"],
        f"null::varchar as day_text, {bad} as bad_stop, {columns.optional('text', 'reason')} as reason",
    )


def _slots_view(db: DuckDBPyConnection, key: str, columns: Columns, day: str, stop: str, more: str) -> None:
    db.execute(
        f"create view {quoted('evidence ' + key)} as select {columns.text('account_id')} as account_id, "
        f"{columns.text('product_id')} as item_id, {columns.text('product_id')} as product_id, "
        f"{day} as day, {stop} as stop, "
        f"{NONE['amount']} as revenue, null::varchar as amount_text, {more}, {', '.join(PROVENANCE)} "
        f"from {quoted(columns.reading.view)}"
    )
