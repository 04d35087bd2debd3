"""A segmentation: a rule that puts every account of the base into exactly one segment, at any quarter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.measures import queries
from kpilib.measures.queries import NOT_GIVEN, Moment

NOTHING_POSSIBLE = "(could buy nothing)"
SMALLER = "(smaller groups together)"


@dataclass(frozen=True)
class Segmentation:
    """How accounts are divided, fixed at one quarter and the same at every other.

    Attributes
    ----------
    kind
        attribute, band, rfm or class.
    name
        What accounts are divided by, in words.
    segments
        The names, in the order they are shown in.
    quarter
        The quarter it was fixed at.
    members
        Writes, for a book and a moment, the query for account_id and segment of the base.
    meaning
        What each name means, where it does not say so itself.
    merged
        The groups too small to stand alone, now together.
    by_construction
        Whether segments differ in what they hold because they were made so: no interval then.
    model
        The cut points or classes behind it.
    """

    kind: str
    name: str
    segments: tuple[str, ...]
    quarter: str
    members: Callable[[Book, Moment], str]
    meaning: Mapping[str, str] = field(default_factory=dict)
    merged: tuple[str, ...] = ()
    by_construction: bool = False
    model: Any = None


def in_order(segmentation: Segmentation, found: Iterable[str]) -> list[str]:
    """List the segments as they are shown, then those that only another quarter has."""
    others = [each for each in dict.fromkeys(found) if each not in segmentation.segments]
    return [*segmentation.segments, *sorted(others)]


def accounts_in(book: Book, quarter: str, segmentation: Segmentation) -> dict[str, int]:
    """Count the accounts of the base in each segment, in order; empty ones are 0."""
    members = segmentation.members(book, queries.moment(book, quarter))
    found = queries.fetch(book, f"SELECT segment, count(*) AS accounts FROM ({members}) GROUP BY segment")
    number = dict(zip(found["segment"], found["accounts"].tolist(), strict=True))
    return {each: number.get(each, 0) for each in in_order(segmentation, sorted(number))}


def listed(
    book: Book, quarter: str, segmentation: Segmentation, segment: str | None = None, most: int = 1000
) -> pd.DataFrame:
    """List accounts with their segment, those of largest revenue first.

    Returns
    -------
    One row per account of the base (of one segment, if asked), ``most`` at most: account_id, segment,
    possible, held (products), revenue_window (Decimal, missing without revenue).
    """
    if segment is not None and segment not in segmentation.segments:
        raise DataError(
            f"There is no segment {segment!r} by {segmentation.name}.", near(segment, segmentation.segments)
        )
    only = "" if segment is None else f"WHERE segment = {queries.literal(segment)}"
    return queries.fetch(
        book,
        f"""SELECT * FROM ({_rows(book, quarter, segmentation)}) {only}
            ORDER BY revenue_window DESC NULLS LAST, account_id LIMIT {int(most)}""",
    )


def export(book: Book, quarter: str, segmentation: Segmentation, path: str | Path) -> Path:
    """Write every account of the base with its segment, by account_id, as Parquet or (``.csv``) CSV.

    The engine streams it: a million accounts need no memory here. Columns as in :func:`listed`.
    """
    path = Path(path)
    form = "csv, header" if path.suffix == ".csv" else "parquet"
    with book.connect() as con:
        con.execute(
            f"COPY (SELECT * FROM ({_rows(book, quarter, segmentation)}) ORDER BY account_id) "
            f"TO {queries.literal(path.as_posix())} (FORMAT {form})"
        )
    return path


def by_attribute(book: Book, quarter: str, *attributes: str, most: int = 12) -> Segmentation:
    """Divide by the values of one attribute, or of several together.

    Values (or combinations) with fewer accounts than the engagement's minimum_cell, and all after the ``most``
    largest, are one segment, if they are two or more; so is every value first seen in another quarter. Blanks are
    (not given).

    Raises
    ------
    DataError
        Without an attribute, or with one the accounts do not have.
    """
    if not attributes:
        raise DataError("No attribute is named.", "", "Name one or more: the engagement's segment_by lists some.")
    found = _combinations(book, quarter, attributes)
    large = found[(found["accounts"] >= book.engagement.minimum_cell) & (found.index < most)]
    kept = found if len(found) - len(large) < 2 else large
    rest = found.drop(kept.index)
    names = _names(kept, attributes)

    def members(book: Book, at: Moment) -> str:
        values = [queries.value_of(book, each) for each in attributes]
        rows = zip(names, kept[list(attributes)].to_numpy().tolist(), strict=True)
        cases = " ".join(f"WHEN {_equal(values, row)} THEN {queries.literal(name)}" for name, row in rows)
        named = f"CASE {cases} ELSE {queries.literal(SMALLER)} END" if names else queries.literal(SMALLER)
        return f"""SELECT c.account_id, {named} AS segment
                   FROM ({queries.base(book, [at.index])}) c LEFT JOIN accounts a USING (account_id)"""

    together = tuple(_names(rest, attributes))
    shown = sorted(names, key=lambda name: (name.startswith(NOT_GIVEN), queries.by_number(name)))
    segments = (*shown, *([SMALLER] if together else []))
    meaning = {SMALLER: f"{len(together)} groups of fewer customers"} if together else {}
    at = queries.moment(book, quarter).label
    return Segmentation("attribute", " and ".join(attributes), segments, at, members, meaning, together)


def _rows(book: Book, quarter: str, segmentation: Segmentation) -> str:
    at = queries.moment(book, quarter)
    return f"""SELECT c.account_id, s.segment, c.possible, c.held, c.revenue_window
               FROM ({queries.base(book, [at.index])}) c
               JOIN ({segmentation.members(book, at)}) s USING (account_id)"""


def _combinations(book: Book, quarter: str, attributes: tuple[str, ...]) -> pd.DataFrame:
    """Count the accounts of the base by the values of attributes, the largest first."""
    values = ", ".join(f"{queries.value_of(book, each)} AS {queries.quoted(each)}" for each in attributes)
    at = queries.moment(book, quarter)
    counted = queries.fetch(
        book,
        f"""SELECT {values}, count(*) AS accounts
            FROM ({queries.base(book, [at.index])}) c LEFT JOIN accounts a USING (account_id) GROUP BY ALL""",
    )
    order = ["accounts", *attributes]
    return counted.sort_values(order, ascending=[False] + [True] * len(attributes), ignore_index=True)


def _names(found: pd.DataFrame, attributes: tuple[str, ...]) -> list[str]:
    """Name each combination; of two that would read alike, the second is numbered."""
    names: list[str] = []
    for row in found[list(attributes)].to_numpy().tolist():
        name = NOT_GIVEN if set(row) == {NOT_GIVEN} else " · ".join(row)
        alike = sum(each == name or each.startswith(f"{name} (no. ") for each in (*names, SMALLER))
        names.append(f"{name} (no. {alike + 1})" if alike else name)
    return names


def _equal(values: list[str], row: list[str]) -> str:
    return " AND ".join(f"({sql}) = {queries.literal(value)}" for sql, value in zip(values, row, strict=True))
