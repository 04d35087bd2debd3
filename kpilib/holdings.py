"""What every account bought of every product, quarter by quarter: money, quantities and purchase days."""

from __future__ import annotations

from pathlib import Path

from kpilib.facts.portfolio import Portfolio


def write(portfolio: Portfolio, path: Path) -> None:
    """Write one row per account, product and quarter with lines in it, in this order.

    Columns: account_id; product_id, null for all that lies outside the catalogue or proves no product; quarter, its
    index; lines; quantity and revenue, net of returns (quantity null where no line gives one); days on which
    something was bought, first_day and last_day of them (null where all was returned).
    """
    named = path.as_posix().replace("'", "''")
    portfolio.db.execute(f"copy ({_query(portfolio)}) to '{named}' (format parquet)")


def _query(portfolio: Portfolio) -> str:
    parts = {"sales": "quantity", "invoices": "null::decimal(18, 4) as quantity"}
    lines = " union all ".join(
        f"select account_id, product_id, day, revenue, {quantity} from {name}"
        for name, quantity in parts.items()
        if getattr(portfolio, name) is not None
    )
    months = f"(year(day) * 12 + month(day) - {portfolio.engagement.fiscal_year_start})"
    # by day first: counting distinct days within one group-by would keep every day of every group in memory
    return f"""
        with days as (
            select account_id, case when k.status = 'catalogue' then product_id end as product_id, day,
                   count(*) as lines, sum(quantity) as quantity, sum(revenue) as revenue,
                   bool_or(revenue > 0) as bought
            from ({lines}) left join known_products k using (product_id) group by all)
        select account_id, product_id, ({months} // 3)::integer as quarter, sum(lines)::bigint as lines,
               sum(quantity)::decimal(38, 4) as quantity, sum(revenue)::decimal(38, 4) as revenue,
               count_if(bought)::integer as days, min(day) filter (bought) as first_day,
               max(day) filter (bought) as last_day
        from days group by all order by account_id, product_id nulls last, quarter"""
