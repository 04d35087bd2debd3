"""Segments by how lately, how often and for how much accounts bought: recency, frequency, money.

Each is scored from 1 to 5 among the accounts that bought anything: ceil(5 × share of accounts that have no more).
Equal customers therefore get equal scores, however many there are. What the scores mean is fixed at one
quarter: the least value of each score, which then scores every other quarter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import queries
from kpilib.measures.queries import Moment
from kpilib.segments.partition import Segmentation

SCORES = 5
NOTHING_BOUGHT = "Nothing bought"

MAP = {
    5: ("New or occasional", "Promising", "Promising", "Loyal", "Champions"),
    4: ("New or occasional", "Promising", "Promising", "Loyal", "Champions"),
    3: ("About to sleep", "Needs attention", "Needs attention", "Loyal", "Loyal"),
    2: ("Asleep", "Asleep", "At risk", "At risk", "Cannot lose"),
    1: ("Asleep", "Asleep", "At risk", "At risk", "Cannot lose"),
}
"""The name of every recency score (row) and worth 1 to 5 (column); worth is (F + M) / 2, halves rounded up."""

WORTH = {
    "Champions": "very much",
    "Loyal": "much",
    "Promising": "some",
    "New or occasional": "little",
    "Needs attention": "some",
    "About to sleep": "little",
    "Cannot lose": "very much",
    "At risk": "a fair amount",
    "Asleep": "little",
}


@dataclass(frozen=True)
class Cuts:
    """Where the scores 2, 3, 4 and 5 begin.

    ``recency`` the most days since the last purchase; ``frequency`` the fewest days with a purchase;
    ``money`` the least revenue, or None where no revenue is known: then frequency alone counts.
    """

    recency: tuple[int, int, int, int]
    frequency: tuple[int, int, int, int]
    money: tuple[Decimal, Decimal, Decimal, Decimal] | None

    def checked(self) -> Cuts:
        """Return these cut points, if they are four of each and rise.

        Raises
        ------
        DataError
            Naming what is out of order.
        """
        for name, values, sign in (
            ("recency", self.recency, -1),
            ("frequency", self.frequency, 1),
            ("money", self.money, 1),
        ):
            if values is not None and (len(values) != SCORES - 1 or _falls([sign * each for each in values])):
                raise DataError(
                    f"The cut points of {name} are {', '.join(map(str, values))}.",
                    "They are where the scores 2, 3, 4 and 5 begin.",
                    "Give four, days of recency falling, the others rising.",
                )
        return self


def scores(values: Any) -> pd.Series:
    """Score values from 1 to 5: ceil(5 × share of values that are no larger), in whole numbers.

    Example
    -------
    >>> scores([0, 0, 0, 1, 9]).tolist()  # three of five have no more than 0: ceil(5 × 3/5)
    [3, 3, 3, 4, 5]
    """
    given = pd.Series(values)
    no_larger = given.rank(method="max").astype("int64")
    return -(-SCORES * no_larger // len(given))


def named(recency: int, frequency: int, money: int) -> str:
    """Name a customer by its three scores.

    Example
    -------
    >>> named(5, 5, 4), named(1, 5, 5), named(3, 1, 1)
    ('Champions', 'Cannot lose', 'About to sleep')
    """
    return MAP[recency][(frequency + money + 1) // 2 - 1]


def by_rfm(book: Book, quarter: str, cuts: Cuts | None = None) -> Segmentation:
    """Divide by recency, frequency and money over the engagement's look-back: :data:`MAP`.

    Frequency counts days with a purchase, whatever was bought; money is the revenue of the window. Accounts that
    bought nothing are a segment of their own. Without ``cuts`` these are the fifths of the quarter.

    Raises
    ------
    DataError
        The client has no purchases with dates, or nobody in the base bought anything.
    """
    at = queries.moment(book, quarter)
    _required(book)
    fixed = (cuts or fifths(book, quarter)).checked()

    def members(book: Book, at: Moment) -> str:
        return f"SELECT account_id, segment FROM ({_scored(book, at, fixed)})"

    meaning = meanings(fixed)
    return Segmentation("rfm", "buying behaviour", tuple(meaning), at.label, members, meaning, model=fixed)


def meanings(cuts: Cuts) -> dict[str, str]:
    """Say what each name means under certain cut points, in days.

    Example
    -------
    >>> meanings(Cuts((90, 60, 30, 7), (2, 3, 5, 9), None))["At risk"]
    'last bought more than 60 days ago; worth: a fair amount'
    """
    known = {}
    for name, worth in WORTH.items():
        rows = [recency for recency, row in MAP.items() if name in row]
        known[name] = f"last bought {_when(min(rows), max(rows), cuts)}; worth: {worth}"
    return {**known, NOTHING_BOUGHT: "bought nothing in the time looked back on"}


def fifths(book: Book, quarter: str) -> Cuts:
    """Find where scores begin at a quarter, so that each accounts for a fifth where ties allow."""
    _required(book)
    at = queries.moment(book, quarter)
    bought = f"SELECT * FROM ({_bought(book, at)}) WHERE frequency > 0"
    found = {
        name: _begins(book, f"SELECT {sql} AS value FROM ({bought})")
        for name, sql in {"recency": "-recency", "frequency": "frequency", "money": "money"}.items()
    }
    if not found["frequency"]:
        raise DataError(
            f"Nobody in the base {book.base!r} bought anything in the {book.lookback_months} months to {at.as_of}.",
            "",
            "Choose another quarter, or divide by what customers have.",
        )
    recency = tuple(-each for each in found["recency"])
    return Cuts(recency, tuple(found["frequency"]), tuple(found["money"]) or None)


def scored(book: Book, quarter: str, cuts: Cuts) -> pd.DataFrame:
    """Score every account of the base.

    Returns
    -------
    One row per account, by account_id: account_id, recency (days since the last purchase, missing if there is
    none), frequency (days with a purchase), money (Decimal), r, f, m (1 to 5, missing where nothing was bought),
    segment.
    """
    return queries.fetch(book, _scored(book, queries.moment(book, quarter), cuts.checked()), order=["account_id"])


def _when(lowest: int, highest: int, cuts: Cuts) -> str:
    """Say which days a range of recency scores covers; with equal cut points it can be none."""
    most = None if lowest == 1 else cuts.recency[lowest - 2]
    over = None if highest == SCORES else cuts.recency[highest - 1]
    if most is None:
        return f"more than {over} days ago"
    if over is None:
        return f"at most {most} days ago" + (", as most here did" if len(set(cuts.recency)) == 1 else "")
    if over >= most:
        return f"neither within {most} days nor longer ago, so nobody here"
    return f"{over + 1} to {most} days ago"


def _required(book: Book) -> None:
    if not book.has("purchases"):
        kinds = ", ".join(sorted({each.kind for each in book.engagement.evidence}))
        raise DataError(
            "Buying behaviour needs purchases with dates.",
            f"The evidence is {kinds}.",
            "Add sales or invoices as evidence, or divide by what customers have.",
        )


def _falls(values: list[Any]) -> bool:
    return bool(np.any([later < earlier for earlier, later in itertools.pairwise(values)]))


def _bought(book: Book, at: Moment) -> str:
    first = at.index - book.lookback_months // 3 + 1
    return f"""
        SELECT c.account_id, date_diff('day', b.last_day, DATE '{at.as_of}') AS recency,
               coalesce(b.days, 0) AS frequency, c.revenue_window AS money
        FROM ({queries.base(book, [at.index])}) c LEFT JOIN (
            SELECT account_id, sum(days)::BIGINT AS days, max(last_day) AS last_day FROM purchases
            WHERE quarter BETWEEN {first} AND {at.index} GROUP BY account_id) b USING (account_id)
    """


def _begins(book: Book, values: str) -> list[Any]:
    """Find the least value of each score above 1; nothing where there are no values."""
    found = queries.fetch(
        book,
        f"""
        WITH ranked AS (SELECT value, sum(count(*)) OVER (ORDER BY value) AS no_larger,
                               sum(count(*)) OVER () AS everyone
                        FROM ({values}) WHERE value IS NOT NULL GROUP BY value)
        SELECT score, min(value) AS value FROM ranked, range(1, {SCORES}) AS above(score)
        WHERE {SCORES} * no_larger > score * everyone GROUP BY score ORDER BY score
        """,
    )
    return found["value"].tolist()


def _scored(book: Book, at: Moment, cuts: Cuts) -> str:
    r = _score("recency", "<=", cuts.recency)
    f = _score("frequency", ">=", cuts.frequency)
    m = f if cuts.money is None else _score("coalesce(money, 0)", ">=", cuts.money)
    cells = " ".join(
        f"WHEN {10 * recency + worth} THEN {queries.literal(name)}"
        for recency, row in MAP.items()
        for worth, name in enumerate(row, 1)
    )
    nothing = queries.literal(NOTHING_BOUGHT)
    return f"""
        SELECT *, CASE WHEN r IS NULL THEN {nothing} ELSE CASE 10 * r + (f + m + 1) // 2 {cells} END END AS segment
        FROM (SELECT *, CASE WHEN frequency > 0 THEN {r} END AS r, CASE WHEN frequency > 0 THEN {f} END AS f,
                     CASE WHEN frequency > 0 THEN {m} END AS m FROM ({_bought(book, at)}))
    """


def _score(value: str, compared: str, begins: tuple[Any, ...]) -> str:
    return "(1 + " + " + ".join(f"({value} {compared} {each})::INTEGER" for each in begins) + ")"
