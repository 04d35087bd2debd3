with lines as (
    select account_id, product_id, year(day) * 4 + quarter(day) - 1 as sold_in, revenue::decimal(18, 4) as revenue
    from '{sales}'
),
sums as (
    select account_id, product_id, sold_in, sum(revenue) as revenue, bool_or(revenue > 0) as bought
    from lines group by all
),
windows as (
    select account_id, product_id, quarters.quarter, sum(revenue) as revenue, bool_or(bought) as bought,
        coalesce(sum(revenue) filter (sold_in = quarters.quarter), 0) as revenue_quarter
    from sums join quarters on sold_in between quarters.quarter - 3 and quarters.quarter
    group by all
),
base as (
    select account_id, region, size, joined_on, coalesce(left_on, date '9999-12-31') as left_on from '{accounts}'
),
open as (
    select account_id, quarters.quarter, count(*) as possible
    from base cross join quarters cross join products
    where launched <= as_of and as_of < retired and (west or region <> 'west') and (small or size = 'large')
    group by all
),
held as (
    select account_id, windows.quarter, sum(revenue) as revenue_window, sum(revenue_quarter) as revenue_quarter,
        bool_or(bought) as active,
        count(*) filter (
            revenue > 0 and launched <= as_of and as_of < retired
            and (west or region <> 'west') and (small or size = 'large')
        ) as held
    from windows join products using (product_id) join base using (account_id)
        join quarters on windows.quarter = quarters.quarter
    group by all
)
select base.account_id, quarters.quarter, joined_on <= as_of and as_of < left_on as on_file,
    coalesce(active, false) as active, coalesce(possible, 0) as possible, coalesce(held, 0) as held,
    coalesce(revenue_quarter, 0) as revenue_quarter, coalesce(revenue_window, 0) as revenue_window
from base cross join quarters
    left join open on open.account_id = base.account_id and open.quarter = quarters.quarter
    left join held on held.account_id = base.account_id and held.quarter = quarters.quarter
where coalesce(active, false) or (joined_on <= as_of and as_of < left_on)
