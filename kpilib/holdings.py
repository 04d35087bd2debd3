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


def write_purchases(portfolio: Portfolio, path: Path) -> None:
    """Write one row per account and quarter in which it bought anything, inside the catalogue or not.

    Columns: account_id; quarter, its index; days, on which something was bought, each once however many products;
    last_day of them.
    """
    named = path.as_posix().replace("'", "''")
    bought = f"select distinct account_id, day from ({_lines(portfolio)}) where revenue > 0"
    portfolio.db.execute(
        f"""copy (select account_id, ({_months(portfolio)} // 3)::integer as quarter, count(*)::integer as days,
                         max(day) as last_day
                  from ({bought}) group by all order by account_id, quarter) to '{named}' (format parquet)"""
    )


def _lines(portfolio: Portfolio) -> str:
    parts = {"sales": "quantity", "invoices": "null::decimal(18, 4) as quantity"}
    return " union all ".join(
        f"select account_id, product_id, day, revenue, {quantity} from {name}"
        for name, quantity in parts.items()
        if getattr(portfolio, name) is not None
    )


def _months(portfolio: Portfolio) -> str:
    return f"(year(day) * 12 + month(day) - {portfolio.engagement.fiscal_year_start})"


def _query(portfolio: Portfolio) -> str:
    # by day first: counting distinct days within one group-by would keep every day of every group in memory
    return f"""
        with days as (
            select account_id, case when k.status = 'catalogue' then product_id end as product_id, day,
                   count(*) as lines, sum(quantity) as quantity, sum(revenue) as revenue,
                   bool_or(revenue > 0) as bought
            from ({_lines(portfolio)}) left join known_products k using (product_id) group by all)
        select account_id, product_id, ({_months(portfolio)} // 3)::integer as quarter, sum(lines)::bigint as lines,
               sum(quantity)::decimal(38, 4) as quantity, sum(revenue)::decimal(38, 4) as revenue,
               count_if(bought)::integer as days, min(day) filter (bought) as first_day,
               max(day) filter (bought) as last_day
        from days group by all order by account_id, product_id nulls last, quarter"""
