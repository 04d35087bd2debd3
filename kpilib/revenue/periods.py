"""Two periods of equal length whose revenue the data cover to the day, or the reason why there are none.

Whether a quarter's *revenue* is covered has nothing to do with the look-back: every day of the quarter
lies between ``data_from`` and ``data_to``, and that is all. A quarter whose look-back begins before the data
do is incomplete as a quarter of penetration, and its revenue is still all there.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.measures import queries

YEAR, QUARTER = "year", "quarter"
PREVIOUS, LAST_YEAR = "previous", "last_year"


@dataclass(frozen=True)
class Periods:
    """The quarters of two periods, by index: ``earlier`` and ``later``, first and last included."""

    earlier: tuple[int, int]
    later: tuple[int, int]
    earlier_label: str
    later_label: str

    @property
    def quarters(self) -> int:
        """How many quarters each of them has."""
        return self.later[1] - self.later[0] + 1


def covered(book: Book) -> list[str]:
    """List the quarters whose every day the data cover, oldest first."""
    return list(_covered(book).values())


def of(book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS) -> Periods:
    """Find the period that ends with a quarter and the earlier one of equal length.

    Parameters
    ----------
    period
        ``year``: the twelve months that end with the quarter, against the twelve before; ``quarter``.
    against
        Of a quarter: the ``previous`` one, or the same one ``last_year``. Of a year always ``previous``.

    Raises
    ------
    DataError
        The data do not cover both periods to their ends, or carry no revenue at all.
    """
    _refuse_words(period, against)
    _refuse_no_revenue(book)
    at, length = queries.moment(book, quarter), 4 if period == YEAR else 1
    back = 4 if period == YEAR or against == LAST_YEAR else 1
    later = (at.index - length + 1, at.index)
    earlier = (later[0] - back, later[1] - back)
    known = _covered(book)
    needed = {*range(earlier[0], earlier[1] + 1), *range(later[0], later[1] + 1)}
    if not needed <= set(known):
        _refuse(book, at.label, period, against, known)
    return Periods(earlier, later, *(_label(known, each) for each in (earlier, later)))


def longest(book: Book, quarter: str) -> dict[str, str] | None:
    """Choose the best comparison that the data carry, as arguments of every function that compares periods.

    Twelve months against the twelve before; else the quarter against the same a year before; else against the one
    before; None where none of them is covered with an account whose net revenue of the earlier period is above 0.
    """
    if not book.has("holdings"):
        return None
    known, at = _covered(book), queries.moment(book, quarter)
    for period, against, back in ((YEAR, PREVIOUS, 7), (QUARTER, LAST_YEAR, 4), (QUARTER, PREVIOUS, 1)):
        needed = range(at.index - back, at.index + 1) if period == YEAR else (at.index - back, at.index)
        if set(needed) <= set(known):
            spans = of(book, quarter, period, against)
            earlier = f"quarter BETWEEN {spans.earlier[0]} AND {spans.earlier[1]}"
            grouped = f"SELECT account_id FROM holdings WHERE {earlier} GROUP BY account_id HAVING sum(revenue) > 0"
            if queries.fetch(book, f"{grouped} LIMIT 1").size:
                return {"period": period, "against": against}
    return None


def year(book: Book, quarter: str) -> str:
    """Name the twelve months that end with a quarter.

    Raises
    ------
    DataError
        There is no revenue, or the data do not cover them to the day.
    """
    _refuse_no_revenue(book)
    at, known = queries.moment(book, quarter), _covered(book)
    if not {at.index - 3, at.index} <= set(known):
        raise DataError(
            f"The data do not cover the twelve months that end with {at.label}.",
            _found(book, known),
            "Ask for another quarter, or widen data_from and data_to.",
        )
    return _label(known, (at.index - 3, at.index))


def _refuse_no_revenue(book: Book) -> None:
    if not book.has("holdings"):
        raise DataError(
            "There is no revenue.",
            "No evidence of kind sales or revenue is declared.",
            "Add the client's sales or invoices as [[evidence]].",
        )


def _covered(book: Book) -> dict[int, str]:
    first, last = book.engagement.data_from, book.engagement.data_to
    rows = book.quarters.sort_values("quarter").itertuples()
    return {
        int(each.quarter): str(each.label)
        for each in rows
        if first <= pd.Timestamp(each.first_day).date() and pd.Timestamp(each.as_of).date() <= last
    }


def _label(known: dict[int, str], ends: tuple[int, int]) -> str:
    first, last = (known[each] for each in ends)
    return first if first == last else f"{first} to {last}"


def _refuse_words(period: str, against: str) -> None:
    for word, known, what in ((period, (YEAR, QUARTER), "period"), (against, (PREVIOUS, LAST_YEAR), "against")):
        if word not in known:
            raise DataError(f"{word!r} is no {what}.", near(word, known))


def _found(book: Book, known: dict[int, str]) -> str:
    labels, declared = list(known.values()), book.engagement
    reach = f"{len(labels)} ({labels[0]} to {labels[-1]})" if labels else "none"
    return f"The data run from {declared.data_from} to {declared.data_to}; quarters covered to the day: {reach}."


def _refuse(book: Book, label: str, period: str, against: str, known: dict[int, str]) -> None:
    if period == YEAR:
        raise DataError(
            f"Twelve months against the twelve before need the 8 quarters that end with {label}.",
            _found(book, known),
            "Compare single quarters (period='quarter'), or widen data_from and data_to.",
        )
    before = "the quarter before it" if against == PREVIOUS else "the same quarter a year before"
    raise DataError(
        f"{label} and {before} are not both covered, so there is nothing to compare.",
        _found(book, known),
        "Ask for a later quarter, or widen data_from and data_to.",
    )
