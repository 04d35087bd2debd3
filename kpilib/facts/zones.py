"""Instants of a client's files as the clock said where the client is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kpilib.engagement import Source
from kpilib.errors import SourceError, listed, near
from kpilib.sql import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INSTANT = "TIMESTAMP WITH TIME ZONE"
CONVERTS = re.compile(r"\btime\s*zone\b|\btimestamptz\b", re.IGNORECASE)


def refuse_unknown(db: DuckDBPyConnection, sources: Mapping[str, Source]) -> None:
    """Refuse a time zone that the engine does not know.

    Raises
    ------
    SourceError
        With the zones that may have been meant.
    """
    zones = [row[0] for row in db.execute("select name from pg_timezone_names()").fetchall()]
    known = {each.lower() for each in zones}
    for name, source in sources.items():
        if source.timezone is not None and source.timezone.lower() not in known:
            raise SourceError(
                f"sources.{name}.timezone: {source.timezone!r} is no time zone.",
                near(source.timezone, zones),
                "Write it as in Europe/Berlin or UTC.",
            )


def local(view: str, columns: Mapping[str, str], timezone: str | None) -> str:
    """Write the query for a source's rows, its instants in the local time of a zone; without one as they stand.

    Example
    -------
    >>> print(local("source s", {"at": INSTANT, "id": "VARCHAR"}, "UTC"))
    select * replace ("at" at time zone 'UTC' as "at") from "source s"
    """
    instants = [quoted(each) for each, kind in columns.items() if kind == INSTANT and timezone]
    read = ", ".join(f"{each} at time zone {literal(timezone)} as {each}" for each in instants)
    return f"select * {f'replace ({read}) ' if read else ''}from {quoted(view)}"


def refuse_two_conversions(name: str, query: Source, zones: Mapping[str, str]) -> None:
    """Refuse a query that converts what arrives in local time already; ``zones`` are those of the sources that do.

    Raises
    ------
    SourceError
        Twice converted, a line near midnight would fall on another day.
    """
    if query.timezone or not CONVERTS.search(query.sql or ""):
        return
    named = [each for each in zones if re.search(rf"\b{re.escape(each)}\b", query.sql or "", re.IGNORECASE)]
    if named:
        raise SourceError(
            f"The query of source {name!r} converts time zones itself.",
            f"It reads {listed(named)}, whose timezone = {zones[named[0]]!r} gives it local time already.",
            f"Take the conversion out of the query; or set sources.{name}.timezone as well: it then reads instants.",
        )
