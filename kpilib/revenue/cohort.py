"""What became of the revenue of the customers of an earlier period: growth, retention net, gross and of accounts.

The cohort is every account with net revenue above 0 in the earlier period, whatever the book's base: an
account that was lost is in no later base, and its loss is what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import degree, queries, ratios
from kpilib.revenue import periods
from kpilib.revenue.periods import PREVIOUS, YEAR, Periods

GROWTH, NET = "existing_account_growth", "net_revenue_retention"
GROSS, ACCOUNTS = "gross_revenue_retention", "account_retention"
KPIS = (GROWTH, NET, GROSS, ACCOUNTS)

_COLUMNS = {
    **{"earlier": "object", "later": "object", "n": "int64"},
    **dict.fromkeys(("before", "after", "kept"), "object"),
    **{"retained": "int64"},
    **dict.fromkeys(KPIS, "float64"),
    **{"low": "float64", "high": "float64", "suppressed": "bool"},
}


@dataclass(frozen=True)
class Figure:
    """One KPI of revenue over two periods of equal length.

    ``value`` is a share (1.03 is 103 %), None where undefined; growth is a share as well (0.03). ``n`` counts the
    cohort, ``before`` and ``after`` are its revenue, in ``currency``; for gross retention ``after`` is what was kept.
    ``low`` and ``high`` are the limits of the 95 % interval, None where there is none.
    """

    kpi: str
    value: float | None
    n: int
    before: Decimal
    after: Decimal
    earlier: str
    later: str
    currency: str | None
    low: float | None = None
    high: float | None = None


def existing_account_growth(book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS) -> Figure:
    """Growth of the revenue from the accounts that had revenue in the earlier period; lost ones count as 0.

    Equals net revenue retention less 1.

    Raises
    ------
    DataError
        As :func:`retention`.
    """
    return _figure(book, GROWTH, quarter, period, against)


def net_revenue_retention(book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS) -> Figure:
    """Revenue of the accounts that had revenue in the earlier period, divided by that earlier revenue.

    Raises
    ------
    DataError
        As :func:`retention`.
    """
    return _figure(book, NET, quarter, period, against)


def gross_revenue_retention(book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS) -> Figure:
    """Share of the earlier revenue that was kept, growth left out: the lesser of before and after, per account.

    Never above 1, and never below 0: an account whose returns exceed its purchases kept nothing.

    Raises
    ------
    DataError
        As :func:`retention`.
    """
    return _figure(book, GROSS, quarter, period, against)


def account_retention(book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS) -> Figure:
    """Share of the accounts with revenue in the earlier period that have revenue in the later one.

    Raises
    ------
    DataError
        As :func:`retention`.
    """
    return _figure(book, ACCOUNTS, quarter, period, against)


def retention(
    book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS, by: str | None = None
) -> pd.DataFrame:
    """Measure the four together, of all accounts or by an attribute of accounts.

    Returns
    -------
    One row, or one per group (blanks last): [group], earlier and later (the periods), n (accounts with net revenue
    above 0 in the earlier one), before and after (their revenue, Decimal), kept (sum of the lesser of both, at least
    0, Decimal), retained (accounts with net revenue above 0 in both), existing_account_growth, net_revenue_retention,
    gross_revenue_retention, account_retention (shares), low and high (95 % interval of net retention; less 1 it is
    that of growth), suppressed (bool: n is below the engagement's minimum_cell).

    Raises
    ------
    DataError
        Without revenue; when the data do not cover both periods; when nobody had revenue in the earlier one.

    Notes
    -----
    The interval treats accounts as a sample of what could have happened: see
    :func:`kpilib.measures.ratios.ratio_of_sums`.
    """
    spans = periods.of(book, quarter, period, against)
    found = queries.fetch(book, _query(book, spans, by), order=queries.group_of(by))
    if found.empty or not int(found["n"].sum()):
        raise DataError(
            f"No account had revenue in {spans.earlier_label}, so nothing could be retained.",
            "Revenue of the period is 0 or below for every account.",
            "Ask for a later quarter.",
        )
    smallest = book.engagement.minimum_cell
    rows = [_row(each, spans, smallest) for each in found.to_dict("records")]
    return degree.table(rows, {**dict.fromkeys(queries.group_of(by), "object"), **_COLUMNS})


def per_account(book: Book, spans: Periods, by: str | None = None) -> str:
    """Write the query for what each account brought in both periods: account_id, before, after, [group]."""
    first, last = spans.earlier[0], spans.later[1]
    join = "LEFT JOIN accounts a USING (account_id)" if by else ""
    group = f', {queries.value_of(book, by)} AS "group"' if by else ""
    return f"""
        SELECT account_id, before, after{group} FROM (
            SELECT account_id, {summed(spans.earlier)} AS before, {summed(spans.later)} AS after
            FROM holdings WHERE quarter BETWEEN {first} AND {last} GROUP BY account_id) {join}
    """


def summed(quarters: tuple[int, int]) -> str:
    """Write the sum of revenue over quarters; 0 where there is none."""
    return f"coalesce(sum(revenue) FILTER (quarter BETWEEN {quarters[0]} AND {quarters[1]}), 0)"


def _query(book: Book, spans: Periods, by: str | None) -> str:
    """Write the sums of every group; what the interval needs is added up as doubles, money as decimals."""
    group = '"group", ' if by else ""
    join = 'JOIN totals t ON t."group" = c."group"' if by else "CROSS JOIN totals t"
    kept = "greatest(least(before, after), 0)"
    return f"""
        WITH cohort AS (SELECT * FROM ({per_account(book, spans, by)}) WHERE before > 0),
        totals AS (
            SELECT {group} count(*) AS n, sum(before) AS before, sum(after) AS after, sum({kept}) AS kept,
                   {queries.count_if("after > 0")} AS retained FROM cohort GROUP BY ALL),
        weighed AS (
            SELECT {'c."group", ' if by else ""} c.before::DOUBLE / t.before::DOUBLE AS weight,
                   c.after::DOUBLE / c.before::DOUBLE - t.after::DOUBLE / t.before::DOUBLE AS gap
            FROM cohort c {join}),
        spread AS (SELECT {group} {ratios.SPREAD} FROM weighed GROUP BY ALL)
        SELECT * FROM totals {'JOIN spread USING ("group")' if by else "CROSS JOIN spread"}
    """


def _row(found: dict[str, Any], spans: Periods, smallest: int) -> dict[str, Any]:
    n, before = int(found["n"]), found["before"]
    shares = {name: float(found[each] / before) for name, each in ((NET, "after"), (GROSS, "kept"))}
    estimate = ratios.ratio_of_sums(shares[NET], n, *(found[each] for each in ratios.SUMS))
    return {
        **{name: found[name] for name in ("group", "n", "before", "after", "kept", "retained") if name in found},
        **{"earlier": spans.earlier_label, "later": spans.later_label},
        **shares,
        GROWTH: float((found["after"] - before) / before),
        ACCOUNTS: int(found["retained"]) / n,
        **{"low": estimate.low, "high": estimate.high, "suppressed": n < smallest},
    }


def _figure(book: Book, kpi: str, quarter: str, period: str, against: str) -> Figure:
    row = retention(book, quarter, period, against).iloc[0]
    less = {NET: 0.0, GROWTH: 1.0}.get(kpi)
    limits = [None if less is None or pd.isna(row[each]) else float(row[each]) - less for each in ("low", "high")]
    after = row["kept"] if kpi == GROSS else row["after"]
    told = (row["before"], after, row["earlier"], row["later"], book.engagement.currency)
    return Figure(kpi, float(row[kpi]), int(row["n"]), *told, *limits)
