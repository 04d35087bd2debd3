"""Where the change of revenue came from: new accounts, new products, more, less, dropped, lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.measures import degree, queries
from kpilib.revenue import periods
from kpilib.revenue.cohort import summed
from kpilib.revenue.periods import PREVIOUS, YEAR, Periods

NEW_ACCOUNTS, LOST_ACCOUNTS = "new accounts", "lost accounts"
PRODUCT_PARTS = {
    "new products": "before <= 0 AND after > 0",
    "more of the same": "after > before AND NOT (before <= 0 AND after > 0)",
    "less of the same": "after < before AND NOT (before > 0 AND after <= 0)",
    "products dropped": "before > 0 AND after <= 0",
}
PARTS = (NEW_ACCOUNTS, *PRODUCT_PARTS, LOST_ACCOUNTS)
EARLIER, LATER = "earlier", "later"

_COLUMNS = {
    **{"part": "object", "amount": "object", "accounts": "int64", "share_of_earlier": "float64"},
    **{"earlier": "object", "later": "object"},
}


def growth_balance(
    book: Book, quarter: str, period: str = YEAR, against: str = PREVIOUS, by: str | None = None
) -> pd.DataFrame:
    """Split the change of revenue into six parts that add up to it exactly.

    Returns
    -------
    Eight rows, or eight per group: [group], part (``earlier``, the six parts, ``later``), amount (Decimal: revenue of
    the period, or what the part adds), accounts (with revenue other than 0 in the period, or in the part),
    share_of_earlier (of the group's earlier revenue; missing where that is not above 0), earlier and later (the
    periods).

    Raises
    ------
    DataError
        Without revenue, or when the data do not cover both periods.

    Notes
    -----
    An account is new where its net revenue was not above 0 before and is now, lost the other way round; all it
    brings or takes counts there. Every other account is split by product: new (not above 0 before, above 0 now),
    dropped (the other way round), more or less of the same. All that lies outside the catalogue is one product.
    Returns of accounts with no revenue above 0 in either period are more or less of the same.
    """
    spans = periods.of(book, quarter, period, against)
    found = queries.fetch(book, _query(book, spans, by), order=queries.group_of(by))
    rows = [part for each in found.to_dict("records") for part in _parts(each, spans, bool(by))]
    return degree.table(rows, {**dict.fromkeys(queries.group_of(by), "object"), **_COLUMNS})


def _query(book: Book, spans: Periods, by: str | None) -> str:
    """Add up products within accounts, then accounts: no join of products to their accounts is needed."""
    products = ", ".join(
        f'coalesce(sum(after - before) FILTER ({test}), 0) AS "{part}"' for part, test in PRODUCT_PARTS.items()
    )
    amounts = {NEW_ACCOUNTS: "CASE WHEN is_new THEN after - before ELSE 0 END",
               LOST_ACCOUNTS: "CASE WHEN is_lost THEN after - before ELSE 0 END"}  # fmt: skip
    amounts |= {part: f'CASE WHEN is_new OR is_lost THEN 0 ELSE "{part}" END' for part in PRODUCT_PARTS}
    amounts |= {EARLIER: "before", LATER: "after"}
    columns = ", ".join(
        f'coalesce(sum({sql}), 0) AS "{part}", {queries.count_if(f"({sql}) <> 0")} AS "n {part}"'
        for part, sql in amounts.items()
    )
    join = "LEFT JOIN accounts a USING (account_id)" if by else ""
    group = f'{queries.value_of(book, by)} AS "group", ' if by else ""
    return f"""
        WITH pairs AS (
            SELECT account_id, product_id, {summed(spans.earlier)} AS before, {summed(spans.later)} AS after
            FROM holdings WHERE quarter BETWEEN {spans.earlier[0]} AND {spans.later[1]} GROUP BY ALL),
        each AS (
            SELECT account_id, {products}, sum(before) AS before, sum(after) AS after FROM pairs GROUP BY account_id),
        judged AS (SELECT *, before <= 0 AND after > 0 AS is_new, before > 0 AND after <= 0 AS is_lost FROM each)
        SELECT {group} {columns} FROM judged {join} GROUP BY ALL
    """


def _parts(found: dict[str, Any], spans: Periods, grouped: bool) -> list[dict[str, Any]]:
    before = found[EARLIER]
    return [
        {
            **({"group": found["group"]} if grouped else {}),
            **{"part": part, "amount": Decimal(found[part]), "accounts": int(found[f"n {part}"])},
            "share_of_earlier": float(found[part] / before) if before > 0 else None,
            **{"earlier": spans.earlier_label, "later": spans.later_label},
        }
        for part in (EARLIER, *PARTS, LATER)
    ]
