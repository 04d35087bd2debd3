"""Programmes of days, not quarters: revenue per account while one ran and as long before, from the facts.

For a campaign of some weeks a quarter is too coarse. One pass of the engine over the facts adds up revenue of every
account in three windows of equal length: while the programme ran, just before, and before that (the placebo).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.facts import portfolio
from kpilib.measures import uncertainty
from kpilib.programmes import effect, enrolled
from kpilib.programmes.effect import Difference
from kpilib.programmes.enrolled import HELD_OUT, OTHERS, TREATED
from kpilib.programmes.verdict import DESCRIPTIVE, SUGGESTIVE, UNEVEN


@dataclass(frozen=True)
class Campaign:
    """Revenue per account in the days of a programme and in as many days before (amounts).

    ``naive`` is the change of those in it (paired t); ``compared`` that change less the change of the held out or,
    where nobody was, of all other accounts; ``placebo`` the same one window earlier, where the data reach so far.
    Accounts without any revenue in a window count with 0.
    """

    name: str
    start: date
    stop: date
    days: int
    against: str
    naive: uncertainty.Estimate
    compared: Difference
    placebo: Difference | None
    before: float
    against_before: float
    below: float
    verdict: str


def campaign(book: Book, name: str | None = None) -> Campaign:
    """Compare revenue in a programme's days with as many days before, for those in it and for the others.

    Never above *suggestive*: days have no positions, so nothing is known of trends but one window, and a hold-out is
    judged by quarters (:func:`kpilib.programmes.examined`). *descriptive* where even the placebo is clear, where there
    is none, or where those in it spent clearly less than the others before (over a quarter of a standard deviation).

    Raises
    ------
    DataError
        When there is no such programme, it has no single start and end, its days or those before lie outside the data,
        or too few accounts took part.
    """
    members = enrolled.members_of(book, name)
    treated = members[members["arm"] == TREATED]
    name, start, stop = _days(book, members, treated)
    days = (stop - start).days + 1
    opens = [start - timedelta(days=days * back) for back in (0, 1, 2)]
    frame = revenue(book, opens, days).merge(members[["account_id", "arm"]], "left", "account_id")
    arm = frame["arm"].fillna(OTHERS).to_numpy(str)
    against = HELD_OUT if (arm == HELD_OUT).sum() >= enrolled.fewest_accounts(book) else OTHERS
    during, before, earlier = (frame[f"window_{place}"].to_numpy(float) for place in range(3))
    mine, rest = arm == TREATED, arm == against
    both = mine | rest
    unit = np.arange(len(frame))

    def apart(change: np.ndarray) -> Difference:
        return effect.difference(change[both], mine[both], unit[both])

    reaches = opens[2] >= book.engagement.data_from
    placebo = apart(before - earlier) if reaches else None
    spread = float(before[both].std(ddof=1))
    below = (float(before[rest].mean()) - float(before[mine].mean())) / spread if spread else 0.0
    weak = placebo is None or placebo.clear or below > UNEVEN
    return Campaign(
        *(name, start, stop, days, against),
        uncertainty.paired(before[mine], during[mine], np.ones(mine.sum())),
        *(apart(during - before), placebo, float(before[mine].mean()), float(before[rest].mean()), below),
        DESCRIPTIVE if weak else SUGGESTIVE,
    )


def revenue(book: Book, opens: list[date], days: int) -> pd.DataFrame:
    """Add up revenue per account in windows of so many days, one pass over the facts.

    Returns
    -------
    One row per account, by account_id: account_id, window_0, window_1, ... (float, 0 without revenue).
    """
    facts = portfolio.load(book.engagement)
    parts = [each for each in ("sales", "invoices") if getattr(facts, each) is not None]
    sums = ", ".join(
        f"coalesce(sum(revenue) filter (day between date '{each}' and date '{each + timedelta(days=days - 1)}'), 0)"
        f"::double as window_{place}"
        for place, each in enumerate(opens)
    )
    lines = " union all ".join(f"select account_id, day, revenue from {each}" for each in parts)
    try:
        if not parts:
            raise DataError("The engagement tells of no revenue.", "", "Declare evidence with revenue.")
        return (
            facts.db.execute(
                f"select account_id, {sums} from accounts left join ({lines}) using (account_id) "
                "group by account_id order by account_id"
            )
            .to_arrow_table()
            .to_pandas()
        )
    finally:
        facts.db.close()


def _days(book: Book, members: pd.DataFrame, treated: pd.DataFrame) -> tuple[str, date, date]:
    name = str(members["programme"].iloc[0])
    starts, stops = set(treated["start"]), set(pd.to_datetime(treated["stop"]).dt.date.dropna())
    if len(starts) != 1 or len(stops) != 1:
        raise DataError(
            f"{name!r} has no single first and last day.",
            f"It has {len(starts)} starts and {len(stops)} ends.",
            "Compare it by quarters, or give each wave a name of its own.",
        )
    start, stop = starts.pop(), stops.pop()
    opens = start - (stop - start) - timedelta(days=1)
    if opens < book.engagement.data_from or stop > book.engagement.data_to:
        raise DataError(
            f"{name!r} and as many days before it lie outside the data.",
            f"They would run from {opens} to {stop}; the data cover {book.engagement.data_from} to"
            f" {book.engagement.data_to}.",
            "Widen data_from and data_to.",
        )
    return name, start, stop
