"""What every account bought of every product, quarter by quarter: money, quantities and purchase days."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kpilib.facts.portfolio import Portfolio
from kpilib.sql import literal, parquet


@contextmanager
def by_day(portfolio: Portfolio, folder: Path) -> Iterator[None]:
    """Add the lines up by account, product and day, once for all that is asked of days; a file while it is needed.

    The view ``by_day``: account_id; product_id, null for all that lies outside the catalogue or proves no product;
    day; lines; quantity and revenue, net of returns; bought (any line of positive revenue), sold (one that proves).
    """
    file = folder / ".by_day.parquet"
    portfolio.db.execute(
        f"""copy (select account_id, case when k.status = 'catalogue' then product_id end as product_id, day,
                         count(*) as lines, sum(quantity)::decimal(38, 4) as quantity,
                         sum(revenue)::decimal(38, 4) as revenue, bool_or(revenue > 0) as bought,
                         bool_or(revenue > 0 and proves) as sold
                  from ({_lines(portfolio)}) left join known_products k using (product_id) group by all)
            to {literal(file)} (format parquet, compression lz4)"""
    )
    portfolio.db.execute(f"create or replace temp view by_day as from {parquet(file)}")
    try:
        yield
    finally:
        portfolio.db.execute("drop view by_day")
        file.unlink()


def write(portfolio: Portfolio, path: Path) -> None:
    """Write one row per account, product and quarter with lines in it, in this order; from :func:`by_day`.

    Columns: account_id; product_id, null for all that lies outside the catalogue or proves no product; quarter, its
    index; lines; quantity and revenue, net of returns (quantity null where no line gives one); days on which
    something was bought, first_day and last_day of them (null where all was returned).
    """
    portfolio.db.execute(
        f"""copy (select account_id, product_id, ({_months(portfolio)} // 3)::integer as quarter,
                         sum(lines)::bigint as lines, sum(quantity)::decimal(38, 4) as quantity,
                         sum(revenue)::decimal(38, 4) as revenue, coalesce(count_if(bought), 0)::integer as days,
                         min(day) filter (bought) as first_day, max(day) filter (bought) as last_day
                  from by_day group by all order by account_id, product_id nulls last, quarter)
            to {literal(path)} (format parquet)"""
    )


def write_purchases(portfolio: Portfolio, path: Path) -> None:
    """Write one row per account and quarter in which it bought anything, inside the catalogue or not; as above.

    Columns: account_id; quarter, its index; days, on which something was bought, each once however many products;
    last_day of them.
    """
    portfolio.db.execute(
        f"""copy (select account_id, ({_months(portfolio)} // 3)::integer as quarter, count(*)::integer as days,
                         max(day) as last_day
                  from (select distinct account_id, day from by_day where bought)
                  group by all order by account_id, quarter) to {literal(path)} (format parquet)"""
    )


def _lines(portfolio: Portfolio) -> str:
    parts = {"sales": "quantity, true as proves", "invoices": "null::decimal(18, 4) as quantity, false as proves"}
    return " union all ".join(
        f"select account_id, product_id, day, revenue, {more} from {name}"
        for name, more in parts.items()
        if getattr(portfolio, name) is not None
    )


def _months(portfolio: Portfolio) -> str:
    return f"(year(day) * 12 + month(day) - {portfolio.engagement.fiscal_year_start})"
