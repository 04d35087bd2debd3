"""Fiscal quarters: labels, first and last day, the ones before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from kpilib.errors import QuarterError


@dataclass(frozen=True)
class Calendar:
    """A fiscal year that may start in any month.

    The year is named by the one it ends in, unless ``named_by="start"``.

    Example
    -------
    >>> Calendar(fiscal_year_start=2).containing(date(2025, 2, 1)).label
    '2026Q1'
    >>> Calendar().parse("2017Q4").last_day
    datetime.date(2017, 12, 31)
    """

    fiscal_year_start: int = 1
    named_by: str = "end"

    def containing(self, day: date) -> Quarter:
        """Return the quarter a day lies in."""
        return Quarter(self, (day.year * 12 + day.month - self.fiscal_year_start) // 3)

    def parse(self, label: str) -> Quarter:
        """Read a label such as ``2017Q4``."""
        match = re.fullmatch(r"\s*(\d{4})-?[Qq]([1-4])\s*", str(label))
        if not match:
            raise QuarterError(f"{label!r} is not a quarter.", "", "Write year and quarter, as in 2017Q4.")
        year, number = int(match[1]), int(match[2])
        return Quarter(self, (year - self._named_later) * 4 + number - 1)

    def between(self, first: date, last: date) -> list[Quarter]:
        """List the quarters that a stretch of days touches, oldest first."""
        start, stop = self.containing(first).index, self.containing(last).index
        return [Quarter(self, index) for index in range(start, stop + 1)]

    @property
    def _named_later(self) -> int:
        """Years between the calendar year a fiscal year starts in and its name."""
        return int(self.fiscal_year_start > 1 and self.named_by == "end")


@dataclass(frozen=True)
class Quarter:
    """One fiscal quarter; ``index`` counts quarters since year 0 of its calendar."""

    calendar: Calendar
    index: int

    @property
    def label(self) -> str:
        """Year and number, as in ``2017Q4``."""
        year, number = divmod(self.index, 4)
        return f"{year + self.calendar._named_later:04d}Q{number + 1}"

    @property
    def first_day(self) -> date:
        """The day it opens."""
        return _month(self.index * 3 + self.calendar.fiscal_year_start)

    @property
    def last_day(self) -> date:
        """The day it closes: figures *as of* the quarter are as of this day."""
        return self.later(1).first_day - timedelta(days=1)

    def later(self, quarters: int) -> Quarter:
        """Return the quarter so many after this one (before it, when negative)."""
        return Quarter(self.calendar, self.index + quarters)

    def __str__(self) -> str:
        return self.label


def _month(months: int) -> date:
    """Return the first day of a month counted from month 1 of year 0."""
    return date((months - 1) // 12, (months - 1) % 12 + 1, 1)
