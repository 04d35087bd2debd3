"""Holdings past their usual reorder interval: tomorrow's losses."""

from __future__ import annotations

from pathlib import Path

from kpilib.facts.portfolio import Portfolio
from kpilib.sql import literal


def write(portfolio: Portfolio, path: Path) -> None:
    """Write the lapsing pairs of account and product as of every quarter's end; from :func:`kpilib.holdings.by_day`.

    A pair lapses when the days since its last purchase exceed twice the median gap between its own purchase days
    (three purchases or more), else between those of the product. A product never bought twice by anyone has no
    usual gap, and nothing of it lapses. Only purchases up to the quarter's end are known to it; pairs whose last
    purchase lies before the product's look-back window are no holdings and left out. Columns: quarter (label),
    account_id, product_id, last_day, days_since, usual_gap (days).
    """
    db = portfolio.db
    portfolio.con.create_table("lapse_products", _products(portfolio), temp=True, overwrite=True)
    db.execute(
        "create or replace temp table buys as select account_id, product_id, day, "
        "day - lag(day) over (partition by account_id, product_id order by day) as gap "
        "from by_day where sold and product_id is not null"
    )
    db.execute(
        "create or replace temp table lapses (quarter varchar, account_id varchar, product_id varchar, "
        "last_day date, days_since integer, usual_gap double)"
    )
    for quarter in portfolio.quarters:
        db.execute(_LAPSES, {"label": quarter.label, "as_of": quarter.last_day})
    db.execute(f"copy (select * from lapses order by all) to {literal(path)} (format parquet)")
    for table in ("buys", "lapses", "lapse_products"):
        db.execute(f"drop table {table}")


_LAPSES = """
insert into lapses
with known as (select * from buys where day <= $as_of),
pairs as (select account_id, product_id, max(day) as last_day, count(*) as bought, median(gap) as own
          from known group by all),
usual as (select product_id, median(gap) as gap from known group by all)
select $label, account_id, product_id, last_day, $as_of - last_day as days_since,
       case when bought >= 3 then own else usual.gap end as usual_gap
from pairs join usual using (product_id) join lapse_products using (product_id)
where last_day > ($as_of::date + 1 - to_months(3 * lookback_quarters))::date - 1
  and $as_of - last_day > 2 * (case when bought >= 3 then own else usual.gap end)
"""


def _products(portfolio: Portfolio) -> object:
    import ibis

    return ibis.memtable(portfolio.products[["product_id", "lookback_quarters"]])
