"""What went with having more products: customers kept, revenue and satisfaction, by what they had before.

An association and nothing more: customers who have many products were larger and closer before they had them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import bands, change, degree, queries
from kpilib.measures.queries import Moment
from kpilib.revenue import groups
from kpilib.revenue.groups import BAND

RISES, FALLS, LEVEL, MIXED = "rises", "falls", "level", "mixed"
MEASURES = ("account_retention", "revenue_per_account", "satisfaction")

_COLUMNS = {
    **{"group": "object", "n": "int64", "retained": "int64", "account_retention": "float64"},
    **{"revenue_before": "object", "revenue_per_account": "object"},
    **{"satisfaction": "float64", "answered": "Int64", "suppressed": "bool"},
}
_SUMS = ("accounts", "retained", "revenue_before", "revenue_after", "satisfaction", "answered")


@dataclass(frozen=True)
class Impact:
    """How customers fared by a later quarter, grouped by what they had at an earlier one.

    ``table``: one row per group, from few products to many: group, n (accounts active at the earlier quarter),
    retained (of them active again at the later one), account_retention (share), revenue_before and
    revenue_per_account (Decimal: mean revenue of the look-back at the earlier and at the later quarter over all n,
    lost ones as 0), satisfaction (mean over accounts of their latest score in the later look-back; missing without
    feedback), answered (accounts it rests on), suppressed (bool: n is below the engagement's minimum_cell).

    ``direction`` says of each measure how it moves from few products to many: ``rises``, ``falls``, ``level``,
    ``mixed``, or None where fewer than two groups are shown.
    """

    by: str
    earlier: str
    later: str
    table: pd.DataFrame
    direction: dict[str, str | None]


def impact(book: Book, earlier: str, quarter: str, by: str = BAND, steps: Sequence[int] | None = None) -> Impact:
    """Compare what became of accounts by penetration ``band``, or number of ``products``, at an earlier quarter.

    Raises
    ------
    DataError
        When a quarter is incomplete or not the earlier one, nobody was active then, or both look back on some of the
        same days, so that an account would count as kept for what it bought before.
    """
    before, after = change.comparable(book, quarter, earlier)
    _refuse_shared_days(book, before, after)
    counted = queries.fetch(book, _query(book, before, after))
    if counted.empty:
        raise DataError(f"No account counted was active in {before.label}.", "", "Ask for a later quarter.")
    sums = groups.summed(counted, book, by, steps, _SUMS)
    table = degree.table([_row(name, each, book.engagement.minimum_cell) for name, each in sums.items()], _COLUMNS)
    shown = table[~table["suppressed"] & (table["group"] != groups.NOTHING_POSSIBLE)]
    small = shown["answered"].fillna(0) < book.engagement.minimum_cell
    table["satisfaction"] = table["satisfaction"].mask(table["answered"].fillna(0) < book.engagement.minimum_cell)
    directions = {name: _direction(shown[name]) for name in MEASURES[:2]}
    directions["satisfaction"] = _direction(shown.loc[~small, "satisfaction"])
    return Impact(by, before.label, after.label, table, directions)


def earlier_quarter(book: Book, quarter: str) -> str | None:
    """Name the quarter that :func:`impact` can look back to: a year before, else the earliest possible; else None.

    Somebody was active in it.
    """
    now = queries.moment(book, quarter)
    lively = set(queries.fetch(book, f"SELECT DISTINCT quarter FROM ({queries.base(book)}) WHERE active")["quarter"])
    moments = [queries.moment(book, label) for label in book.quarters.loc[book.quarters["complete"], "label"]]
    moments = [each for each in moments if now.complete and each.index < now.index and each.index in lively]
    free = [each for each in moments if not _shares(book, each, now)]
    year = [each.label for each in free if each.index == now.index - 4]
    return (year or [each.label for each in free] or [None])[0]


def _shares(book: Book, before: Moment, after: Moment) -> bool:
    """Whether two look-backs share days; only evidence from lines looks back."""
    kinds = {each.kind for each in book.engagement.evidence}
    return bool(kinds & {"sales", "revenue"}) and after.window_start <= before.as_of


def _refuse_shared_days(book: Book, before: Moment, after: Moment) -> None:
    if _shares(book, before, after):
        raise DataError(
            f"{before.label} and {after.label} look back on some of the same days.",
            f"The look-back of {after.label} begins on {after.window_start}, {before.label} ends on {before.as_of}:"
            " an account would count as kept for what it bought before.",
            f"Compare quarters at least {book.lookback_months // 3} apart, or take a shorter look-back.",
        )


def _query(book: Book, before: Moment, after: Moment) -> str:
    scores, join = "NULL::DOUBLE AS satisfaction, NULL::BIGINT AS answered", ""
    if book.has("feedback"):
        scores = "sum(f.score) AS satisfaction, count(f.score) AS answered"
        join = f"LEFT JOIN ({queries.latest_answers(after)}) f USING (account_id)"
    return f"""
        WITH e AS ({queries.base(book, [before.index], None, bands.rules(book.engagement))}),
        l AS ({queries.positions(book, [after.index])})
        SELECT e.rule, e.possible, e.held, count(*) AS accounts, {queries.count_if("l.active")} AS retained,
               sum(e.revenue_window) AS revenue_before,
               CASE WHEN count(e.revenue_window) > 0 THEN sum(coalesce(l.revenue_window, 0)) END AS revenue_after,
               {scores}
        FROM e LEFT JOIN l USING (account_id) {join} WHERE e.active
        GROUP BY e.rule, e.possible, e.held ORDER BY ALL
    """


def _row(name: str, sums: dict[str, Any], smallest: int) -> dict[str, Any]:
    n, answered = int(sums["accounts"]), sums["answered"]
    per_account = {each: None if sums[each] is None else sums[each] / n for each in ("revenue_before", "revenue_after")}
    return {
        **{"group": name, "n": n, "retained": int(sums["retained"]), "account_retention": int(sums["retained"]) / n},
        **{"revenue_before": per_account["revenue_before"], "revenue_per_account": per_account["revenue_after"]},
        "satisfaction": sums["satisfaction"] / answered if answered else None,
        **{"answered": answered, "suppressed": n < smallest},
    }


def _direction(values: pd.Series) -> str | None:
    """Tell how values move from first to last.

    Example
    -------
    >>> [_direction(pd.Series(each)) for each in ([1, 2, 2], [2, 1], [1, 1], [1, 2, 1], [1])]
    ['rises', 'falls', 'level', 'mixed', None]
    """
    known = [each for each in values if not pd.isna(each)]
    if len(known) < 2:
        return None
    steps = [later - before for before, later in pairwise(known)]
    up, down = any(each > 0 for each in steps), any(each < 0 for each in steps)
    return MIXED if up and down else RISES if up else FALLS if down else LEVEL
