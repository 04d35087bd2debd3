"""Revenue and margin per account, by penetration band and by number of products."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.measures import bands, degree, queries
from kpilib.revenue import groups
from kpilib.revenue.groups import BAND

_COLUMNS = {
    **{"group": "object", "accounts": "int64", "revenue": "object", "revenue_per_account": "object"},
    **{"share_of_revenue": "float64", "margin": "object", "margin_share": "float64", "margin_covered": "float64"},
    **{"suppressed": "bool"},
}
_SUMS = ("accounts", "revenue", "margin", "covered")


def revenue_per_account(book: Book, quarter: str, by: str = BAND, steps: Sequence[int] | None = None) -> pd.DataFrame:
    """Revenue of the look-back per account of the base, by ``band`` or by number of ``products``.

    Returns
    -------
    One row per group with accounts, from few to many: group, accounts, revenue (Decimal, of the window; None
    without revenue), revenue_per_account (Decimal), share_of_revenue, margin (Decimal: gross margin of the products
    that state one), margin_share (of their revenue), margin_covered (share of revenue that has a stated margin; all
    three missing where no product has one), suppressed (bool: accounts is below the engagement's minimum_cell).

    Raises
    ------
    DataError
        When the base is empty, or accounts are to be grouped otherwise.

    Notes
    -----
    Customers who buy more products also spend more, as a rule, because they are larger: what stands here is no
    effect of selling a product.
    """
    counted = queries.fetch(book, _query(book, quarter))
    degree.required(book, quarter, degree.measured(counted))
    sums = groups.summed(counted, book, by, steps, _SUMS)
    overall = degree.summed(counted["revenue"])
    return degree.table([_row(name, each, overall, book) for name, each in sums.items()], _COLUMNS)


def _query(book: Book, quarter: str) -> str:
    at = queries.moment(book, quarter)
    margins, join = "NULL::DECIMAL(38, 10) AS margin, NULL::DECIMAL(38, 4) AS covered", ""
    if "margin" in book.products and book.products["margin"].notna().any() and book.has("holdings"):
        margins = "sum(m.margin) AS margin, sum(m.covered) AS covered"
        join = f"LEFT JOIN ({_margins(book, at)}) m USING (account_id)"
    return f"""
        SELECT c.rule, c.possible, c.held, count(*) AS accounts, sum(c.revenue_window) AS revenue, {margins}
        FROM ({queries.base(book, [at.index], None, bands.rules(book.engagement))}) c {join}
        GROUP BY c.rule, c.possible, c.held ORDER BY ALL
    """


def _margins(book: Book, at: queries.Moment) -> str:
    """Write the gross margin of the window by account, over the products that state one."""
    first = at.index - book.lookback_months // 3 + 1
    return f"""
        SELECT account_id, sum(h.revenue::DECIMAL(24, 4) * p.margin::DECIMAL(9, 6)) AS margin, sum(h.revenue) AS covered
        FROM holdings h JOIN products p USING (product_id)
        WHERE p.margin IS NOT NULL AND h.quarter BETWEEN {first} AND {at.index} GROUP BY account_id
    """


def _row(name: str, sums: dict[str, Any], overall: Decimal | None, book: Book) -> dict[str, Any]:
    accounts, revenue, margin = int(sums["accounts"]), sums["revenue"], sums["margin"]
    covered = sums["covered"] if margin is not None else None
    return {
        **{"group": name, "accounts": accounts, "revenue": revenue, "margin": margin},
        "revenue_per_account": None if revenue is None else revenue / accounts,
        "share_of_revenue": share(revenue, overall),
        "margin_share": share(margin, covered),
        "margin_covered": share(covered, revenue),
        "suppressed": accounts < book.engagement.minimum_cell,
    }


def share(part: Decimal | None, whole: Decimal | None) -> float | None:
    """Divide, where there is a whole above 0."""
    return float(part / whole) if part is not None and whole is not None and whole > 0 else None
