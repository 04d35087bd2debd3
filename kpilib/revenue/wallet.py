"""Share of wallet: what accounts spend with the client, of all they spend on comparable products."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

from kpilib.book import Book
from kpilib.measures import degree, queries
from kpilib.revenue import periods
from kpilib.revenue.levels import share

_COLUMNS = {
    **{"accounts": "int64", "n": "int64", "revenue": "object", "spend": "object"},
    **{"share_of_wallet": "float64", "above": "int64", "first_day": "object", "last_day": "object"},
    **{"suppressed": "bool"},
}


@dataclass(frozen=True)
class Wallet:
    """Share of wallet of the accounts whose spend is known.

    ``value`` is revenue / spend over ``n`` accounts (a share; above 1 where the client's spend figures are too low),
    None where no spend above 0 is known. ``accounts`` is the base. ``above`` counts accounts with more revenue than
    spend: nothing is clipped, their figures are in. ``first_day`` and ``last_day`` are those of the spend of these n,
    the last known of each; None where the client dates none.
    """

    value: float | None
    n: int
    accounts: int
    revenue: Decimal | None
    spend: Decimal | None
    above: int
    currency: str | None
    first_day: date | None = None
    last_day: date | None = None


def share_of_wallet(book: Book, quarter: str) -> Wallet | None:
    """Revenue of the twelve months that end with the quarter, of what the same accounts spend in a year in all.

    None where the client gives no spend.

    Raises
    ------
    DataError
        Without revenue, or when the data do not cover the twelve months.
    """
    found = wallet_by(book, quarter)
    if found is None:
        return None
    row = found.iloc[0]
    told = (row["revenue"], row["spend"], int(row["above"]), book.engagement.currency)
    value = None if pd.isna(row["share_of_wallet"]) else float(row["share_of_wallet"])
    days = (None if pd.isna(row[each]) else pd.Timestamp(row[each]).date() for each in ("first_day", "last_day"))
    return Wallet(value, int(row["n"]), int(row["accounts"]), *told, *days)


def wallet_by(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame | None:
    """Share of wallet of all accounts of the base, or by an attribute.

    Returns
    -------
    One row, or one per group: [group], accounts (the base), n (with a spend above 0 known on the day), revenue and
    spend (of those n, Decimal), share_of_wallet, above (accounts with more revenue than spend), first_day and last_day
    (of their spend), suppressed. None where the client gives no spend.
    """
    if not book.has("wallet"):
        return None
    sums = queries.fetch(
        book,
        f"""
        SELECT {'"group", ' if by else ""} count(*) AS accounts, {queries.count_if("spend > 0")} AS n,
               sum(revenue) FILTER (spend > 0) AS revenue, sum(spend) FILTER (spend > 0) AS spend,
               {queries.count_if("spend > 0 AND revenue > spend")} AS above,
               min(day) FILTER (spend > 0) AS first_day, max(day) FILTER (spend > 0) AS last_day
        FROM ({_accounts(book, quarter, by)}) GROUP BY ALL
        """,
        order=queries.group_of(by),
    )
    sums["share_of_wallet"] = [share(*each) for each in zip(sums["revenue"], sums["spend"], strict=True)]
    sums["suppressed"] = sums["n"] < book.engagement.minimum_cell
    columns = {**dict.fromkeys(queries.group_of(by), "object"), **_COLUMNS}
    return degree.table(sums.to_dict("records"), columns)


def above_wallet(book: Book, quarter: str) -> pd.DataFrame | None:
    """List the accounts of the base with more revenue than they are said to spend in all, largest excess first.

    Returns
    -------
    account_id, revenue, spend, excess (Decimal); None where the client gives no spend. Either the spend is too low,
    or it was meant for other products.
    """
    if not book.has("wallet"):
        return None
    return queries.fetch(
        book,
        f"""
        SELECT account_id, revenue, spend, revenue - spend AS excess FROM ({_accounts(book, quarter, None)})
        WHERE spend > 0 AND revenue > spend ORDER BY excess DESC, account_id
        """,
    )


def _accounts(book: Book, quarter: str, by: str | None) -> str:
    """Write revenue of twelve months and the last spend known on the day, for the accounts of the base."""
    at = queries.moment(book, quarter)
    periods.year(book, quarter)
    return f"""
        SELECT c.account_id, c."group", coalesce(r.revenue, 0) AS revenue, w.spend, w.day
        FROM ({queries.base(book, [at.index], by)}) c
        LEFT JOIN (SELECT account_id, sum(revenue) AS revenue FROM holdings
                   WHERE quarter BETWEEN {at.index - 3} AND {at.index} GROUP BY account_id) r USING (account_id)
        LEFT JOIN (SELECT account_id, arg_max(spend, coalesce(day, DATE '0001-01-01')) AS spend,
                          max(day) AS day FROM wallet
                   WHERE day IS NULL OR day <= DATE '{at.as_of}' GROUP BY account_id) w USING (account_id)
    """
