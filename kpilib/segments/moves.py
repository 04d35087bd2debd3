"""Who moved from one segment to another between two quarters, under the same segmentation."""

from __future__ import annotations

import pandas as pd

from kpilib.book import Book
from kpilib.measures import change, queries
from kpilib.segments.partition import Segmentation, in_order

NOT_COUNTED = "(not counted)"


def movers(book: Book, quarter: str, against: str, segmentation: Segmentation) -> pd.DataFrame:
    """Count the accounts that went from each segment to each, over the union of both bases.

    Returns
    -------
    One row per pair that occurs, in the order of the segments: before, now (segments; (not counted) where an account
    was in only one base), accounts, share (of the accounts that were in ``before``, 0 to 1), held_before, held
    (products of these accounts together), revenue_before, revenue (Decimal, of the windows; missing without revenue).

    Raises
    ------
    DataError
        One of the quarters is incomplete, or ``against`` is not earlier.
    """
    found = queries.fetch(
        book,
        f"""SELECT before, now, count(*) AS accounts, coalesce(sum(held_before), 0)::BIGINT AS held_before,
                   coalesce(sum(held), 0)::BIGINT AS held, sum(revenue_before) AS revenue_before,
                   sum(revenue) AS revenue
            FROM ({_both(book, quarter, against, segmentation)}) GROUP BY before, now""",
    )
    order = [*in_order(segmentation, sorted({*found["before"], *found["now"]} - {NOT_COUNTED})), NOT_COUNTED]
    place = {name: number for number, name in enumerate(order)}
    found = found.sort_values(["before", "now"], key=lambda each: each.map(place), ignore_index=True)
    found.insert(3, "share", found["accounts"] / found.groupby("before")["accounts"].transform("sum"))
    return found


def moved(book: Book, quarter: str, against: str, segmentation: Segmentation, most: int | None = None) -> pd.DataFrame:
    """List the accounts that changed segment, those of largest revenue before first.

    Returns
    -------
    One row per account counted both times, all or ``most`` of them: account_id, name and owner (missing where the
    client has none), before, now (segments), held_before, held (products), revenue_before, revenue (Decimal, of the
    windows).
    """
    told = queries.attributes(book)
    limit = "" if most is None else f"LIMIT {int(most)}"
    known = ", ".join(f"{f'a.{name}' if name in told else 'NULL::VARCHAR'} AS {name}" for name in ("name", "owner"))
    return queries.fetch(
        book,
        f"""SELECT m.account_id, {known}, m.* EXCLUDE (account_id)
            FROM ({_both(book, quarter, against, segmentation)}) m LEFT JOIN accounts a USING (account_id)
            WHERE before <> now AND {queries.literal(NOT_COUNTED)} NOT IN (before, now)
            ORDER BY revenue_before DESC NULLS LAST, held_before DESC, account_id {limit}""",
    )


def _both(book: Book, quarter: str, against: str, segmentation: Segmentation) -> str:
    ends = zip(("e", "l"), change.comparable(book, quarter, against), strict=True)
    sides = {
        name: f"""SELECT b.account_id, s.segment, b.held, b.revenue_window FROM ({queries.base(book, [at.index])}) b
                  JOIN ({segmentation.members(book, at)}) s USING (account_id)"""
        for name, at in ends
    }
    out = queries.literal(NOT_COUNTED)
    return f"""
        SELECT account_id, coalesce(e.segment, {out}) AS before, coalesce(l.segment, {out}) AS now,
               e.held AS held_before, l.held AS held, e.revenue_window AS revenue_before, l.revenue_window AS revenue
        FROM ({sides["e"]}) e FULL JOIN ({sides["l"]}) l USING (account_id)
    """
