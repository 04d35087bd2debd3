"""Positions: one row per account and quarter, with what it could hold and what it is proven to hold.

A holding is one bit. The catalogue gives every product a place, 63 places make a word, and one word per quarter
is all that is kept of what an account bought in it: a trailing window is the union of its quarters' words. Only
pairs of account and product with a return can be sold and yet not held; their lines are added up one by one.
"""

from __future__ import annotations

import glob
from functools import reduce
from operator import add, or_
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
from duckdb import ConversionException, OutOfRangeException

from kpilib.bits import BOUGHT, PLACES, WORD, Words, at, counted, whole
from kpilib.errors import DataError
from kpilib.facts.checks import EXAMPLES
from kpilib.workbench import MONEY, NEVER, Bench, key_of, offers

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from kpilib.facts.portfolio import Portfolio
    from kpilib.quarters import Quarter

MOST = 10**14
SOLD, RUNNING, SEEN = range(3)


def write(portfolio: Portfolio, folder: Path) -> None:
    """Compute what every account could hold and holds at the end of every quarter; keep it as Parquet.

    The folder is made, with a file for every quarter: ``2025Q1.parquet``. One row per account that is on file or
    active, ordered by account:

    - ``account_id``; ``quarter``, its index
    - ``on_file``: joined by the quarter's last day and not yet left
    - ``active``: bought anything within the engagement's look-back, or stands in a subscription, an
      installation or a snapshot; in the catalogue or not, and before returns
    - ``possible_0``, ``proven_0``, ``possible_1``, ...: 63 products each, the first in the lowest bit. An
      account holds ``proven & possible``; what is proven though not possible stays to be seen
    - ``revenue_quarter``, ``revenue_window``: of every line, in the quarter and in the look-back

    Raises
    ------
    KpiError
        Where the facts, read only now, turn out to be at fault.
    """
    folder.mkdir()
    bench = Bench(portfolio, folder)
    try:
        lines = bench.aside("lines", _lines(bench))
        returned = bench.keep("returned", bench.everyone(_returned(bench, lines)))
        stays = bench.keep("stays", _stays(bench, lines, returned))
        dated = bench.keep("dated", _dated(bench, stays))
        bench.drop(stays)
        quarterly = bench.keep_in_parts("quarterly", [_quarterly(bench, lines, *each) for each in bench.turns])
        abreast = bench.side_by_side("abreast", [returned, dated], quarterly)
        files = {each: folder / f"{each.label}.parquet" for each in portfolio.quarters}
        bench.at_once(bench.copying(_positions(bench, abreast, each), file) for each, file in files.items())
    except (ConversionException, OutOfRangeException):
        if bench.has_money:
            _refuse_too_much(portfolio)
        raise
    finally:
        bench.clear()


def _refuse_too_much(portfolio: Portfolio) -> None:
    tables = [each for each in (portfolio.sales, portfolio.invoices) if each is not None]
    lines = ibis.union(*(each.select("account_id", "revenue") for each in tables))
    amounts = lines.group_by("account_id").agg(revenue=lines.revenue.abs().sum()).order_by(ibis.desc("revenue"))
    ((account, amount),) = portfolio.con.execute(amounts.limit(1)).itertuples(index=False)
    if amount >= MOST:
        raise DataError(
            f"An account's revenue must stay below {MOST:,}.",
            f"That of {account!r} adds up to {amount:,.0f}, credits counted as sales.",
            "Give amounts in thousands or in millions.",
        )


def proven_not_possible(
    portfolio: Portfolio, folder: Path, quarter: Quarter
) -> dict[str, tuple[int, list[tuple[str, str]]]]:
    """Count holdings that are proven but not possible at a quarter's end, by what stands against them.

    Returns
    -------
    For ``not_on_offer`` (retired, or not yet launched) and ``outside_eligibility`` (on offer, and not open to the
    account): how many, and the first few as account and product.
    """
    words, names = Words(portfolio.products), list(portfolio.products["product_id"])
    offered = offers(portfolio, words).loc[quarter.index]
    rows = _written(portfolio, [folder / f"{quarter.label}.parquet"])
    found = {}
    for rule, there in (("not_on_offer", False), ("outside_eligibility", True)):
        masks = {n: int(offered[f"offered_{n}"]) if there else PLACES & ~int(offered[f"offered_{n}"]) for n in words}
        odd = {f"odd_{n}": rows[f"proven_{n}"] & ~rows[f"possible_{n}"] & whole(masks[n]) for n in words}
        marked = rows.select("account_id", **odd)
        count = int(sum(counted(marked[each]).sum() for each in odd).execute() or 0)
        first = marked.filter(reduce(or_, (marked[each] != 0 for each in odd))).order_by("account_id").limit(EXAMPLES)
        pairs = [
            (account, names[n * WORD + bit])
            for account, *held in (each.values() for each in first.to_pyarrow().to_pylist())
            for n, word in enumerate(held)
            for bit in range(WORD)
            if word >> bit & 1
        ]
        found[rule] = (count, pairs[:EXAMPLES])
    return found


def open_to_nobody(portfolio: Portfolio, folder: Path) -> list[str]:
    """Name the products that are possible for no account in any quarter."""
    words = Words(portfolio.products)
    rows = _written(portfolio, sorted(folder.glob("*.parquet")))
    found = rows.aggregate(**{f"some_{n}": rows[f"possible_{n}"].bit_or() for n in words}).to_pyarrow().to_pylist()[0]
    return [
        name for place, name in enumerate(portfolio.products["product_id"])
        if not (found[f"some_{place // WORD}"] or 0) >> place % WORD & 1
    ]  # fmt: skip


def _written(portfolio: Portfolio, files: list[Path]) -> ir.Table:
    return portfolio.con.read_parquet([glob.escape(str(each)) for each in files], hive_partitioning=False)


def _lines(bench: Bench) -> ir.Table:
    """Every line, with numbers for names."""
    sales, invoices = bench.portfolio.sales, bench.portfolio.invoices
    quantity = ("quantity",) if sales is not None and _any_quantity(sales) else ()
    parts = [] if sales is None else [sales]
    if invoices is not None:
        parts.append(invoices.mutate(product_id=ibis.null("string"), quantity=ibis.null(MONEY)))
    columns = ("account_id", "product_id", "day", "revenue", *quantity)
    parts = [_placed(bench, each.select(*columns)).join(bench.days, "day") for each in parts]
    if not parts:
        none = {"quarter": ibis.literal(0, "int32"), "place": ibis.literal(0, "int32"), "revenue": ibis.null(MONEY)}
        parts = [bench.accounts.select("number", **none).limit(0)]
    return ibis.union(*(each.select("number", "quarter", "place", "revenue", *quantity) for each in parts))


def _any_quantity(sales: ir.Table) -> bool:
    """Whether any line has a quantity; known without reading where the client sends none."""
    return bool(sales.filter(sales.quantity.notnull()).limit(1).count().execute())


def _placed(bench: Bench, rows: ir.Table) -> ir.Table:
    """Put numbers in place of accounts and products."""
    by = "key" if bench.told_apart else "account_id"
    rows = rows.left_join(bench.products, "product_id").mutate(key=key_of(rows.account_id))
    rows = rows.join(bench.accounts.select(by, "number"), by)
    return rows.mutate(place=rows.place.fill_null(bench.words.outside).cast("int32"))


def _returned(bench: Bench, lines: ir.Table) -> ir.Table:
    """For every account the products of which it ever gave something back, or was credited for."""
    back = lines.revenue < 0
    if "quantity" in lines.columns:
        back = back | (lines.quantity < 0)
    few = lines.filter(back & (lines.place < bench.words.outside))
    return few.group_by("number").agg(**{f"returned_{n}": bench.words.bit(n, few.place).bit_or() for n in bench.words})


def _stays(bench: Bench, lines: ir.Table, returned: ir.Table) -> ir.Table:
    """What counts from one quarter's end until before another's, to be added up as of each.

    A line of a pair with returns counts for its product's look-back, a subscription while it runs, a snapshot once.
    """
    quantity = ("quantity",) if "quantity" in lines.columns else ()
    parts = [_netted(bench, lines, returned)]
    if bench.portfolio.spans is not None:
        parts.append(_running(bench, bench.portfolio.spans))
    if bench.portfolio.snapshots is not None:
        parts.append(_seen(bench, bench.portfolio.snapshots))
    types = {
        "evidence": "int8",
        "number": "int32",
        "place": "int32",
        "opens": "int32",
        "closes": "int32",
        "revenue": MONEY,
    }
    columns = ("evidence", "number", "place", "opens", "closes", "revenue", *quantity)
    return ibis.union(*(each.cast(types).select(*columns) for each in parts))


def _netted(bench: Bench, lines: ir.Table, returned: ir.Table) -> ir.Table:
    """Every line of the pairs that have a return."""
    lines = lines.join(returned, "number")
    hits = [(lines[f"returned_{n}"] & bench.words.bit(n, lines.place)) != 0 for n in bench.words]
    lines = lines.filter(reduce(or_, hits))
    lookbacks = [int(each) for each in bench.portfolio.products["lookback_quarters"]]
    return lines.mutate(evidence=SOLD, opens=lines.quarter, closes=lines.quarter + at(lookbacks, lines.place))


def _running(bench: Bench, spans: ir.Table) -> ir.Table:
    """Subscriptions and installations; their quantity takes the place of revenue."""
    first_month = bench.portfolio.engagement.calendar.fiscal_year_start
    opens, closes = (_quarter_of(each, first_month) for each in (spans.start, spans.stop.fill_null(NEVER)))
    rows = _placed(bench, spans.mutate(opens=opens, closes=closes, revenue=spans.quantity))
    return rows.mutate(evidence=RUNNING, quantity=ibis.null(MONEY))


def _seen(bench: Bench, snapshots: ir.Table) -> ir.Table:
    """Snapshots, each of which speaks for its own day."""
    rows = _placed(bench, snapshots).join(bench.last_days, "day")
    opens = {"opens": rows.quarter, "closes": rows.quarter + 1}
    return rows.mutate(evidence=SEEN, revenue=1, quantity=ibis.null(MONEY), **opens)


def _quarter_of(day: ir.DateValue, first_month: int) -> ir.IntegerValue:
    """Index of the quarter a day lies in, as :meth:`kpilib.quarters.Calendar.containing` has it."""
    return (day.year() * 12 + day.month() - first_month) // 3


def _dated(bench: Bench, stays: ir.Table) -> ir.Table:
    """Per account, a word for every quarter of what the stays prove at its end."""
    free = bench.portfolio.engagement.free_items_count
    quarters = [each.index for each in bench.portfolio.quarters]
    held = {f"held_{each}": _held(stays, each, free) for each in quarters}
    pairs = stays.group_by("evidence", "number", "place").agg(**held)
    standing = (pairs.evidence != SOLD).ifelse(whole(BOUGHT), whole(0))
    bits = {f"bit_{n}": bench.words.bit(n, pairs.place) for n in bench.words}
    pairs = pairs.mutate(bits | {"bit_0": bits["bit_0"] | standing})
    words = {
        f"dated_{n}_{each}": pairs[f"held_{each}"].ifelse(pairs[f"bit_{n}"], 0).bit_or()
        for n in bench.words
        for each in quarters
    }
    return pairs.group_by("number").agg(**words)


def _held(stays: ir.Table, quarter: int, free_items_count: bool) -> ir.BooleanValue:
    """Net revenue above zero and, where anything was moved, net quantity too."""
    counts = (stays.opens <= quarter) & (quarter < stays.closes)
    revenue = counts.ifelse(stays.revenue, 0).sum()
    if "quantity" not in stays.columns:
        return revenue > 0
    quantity = counts.ifelse(stays.quantity, 0).sum()
    moved = (stays.quantity != 0).any(where=counts).fill_null(False)
    held = (revenue > 0) & (~moved | (quantity > 0))
    return held | ((quantity > 0) & (revenue >= 0)) if free_items_count else held


def _quarterly(bench: Bench, lines: ir.Table, first: int, last: int) -> ir.Table:
    """What every account bought in each of some quarters, as words, and its revenue.

    Quarters and accounts are small numbers, which DuckDB groups without hashing.
    """
    lines = lines.filter(lines.quarter.between(first, last))
    free = bench.portfolio.engagement.free_items_count and "quantity" in lines.columns
    words = {}
    for n in bench.words:
        bit, bought = (bench.words.bit(n, lines.place, bought=each) for each in (False, True))
        given = (lines.quantity > 0).ifelse(bit, 0) if free else 0
        words[f"word_{n}"] = (lines.revenue > 0).ifelse(bought, given).bit_or()
    return lines.group_by("quarter", "number").agg(revenue=lines.revenue.sum().cast(MONEY), **words)


def _positions(bench: Bench, abreast: ir.Table, quarter: Quarter) -> ir.Table:
    """What every account could hold and holds at the end of one quarter; without those neither on file nor active.

    Revenue and activity look back as far as the engagement does, every product as far as its own window.
    """
    offered = bench.offers.loc[quarter.index]
    lookbacks = bench.portfolio.products["lookback_quarters"].astype(int)

    def word(name: str) -> ir.IntegerValue:
        """Give a word 64 bits: the engine gives it fewer where all its numbers are small."""
        return abreast[name].cast("int64")

    def within(name: str, quarters: int) -> list[ir.Value]:
        """Give the columns of so many quarters up to this one, as far as the data go back."""
        names = (f"{name}_{each}" for each in range(quarter.index - quarters + 1, quarter.index + 1))
        return [abreast[each] for each in names if each in abreast.columns]

    def sold(number: int, quarters: int) -> ir.IntegerValue:
        return reduce(or_, (each.cast("int64") for each in within(f"word_{number}", quarters)))

    words = {}
    for n in bench.words:
        masks = {each: whole(bench.words.mask(n, lookbacks == each)) for each in {*lookbacks}}
        bought = reduce(or_, (sold(n, each) & mask for each, mask in masks.items()))
        words[f"possible_{n}"] = word(f"open_{offered.era}_{n}") & whole(int(offered[f"offered_{n}"]))
        words[f"proven_{n}"] = (bought & ~word(f"returned_{n}")) | (word(f"dated_{n}_{quarter.index}") & PLACES)
    rows = abreast.select(
        "account_id",
        quarter=ibis.literal(quarter.index, "int32"),
        on_file=(abreast.joined_on <= quarter.last_day) & (quarter.last_day < abreast.left_on),
        active=(sold(0, bench.lookback) < 0) | (abreast[f"dated_0_{quarter.index}"] < 0),
        **words,
        revenue_quarter=_money(bench, abreast[f"revenue_{quarter.index}"]),
        revenue_window=_money(bench, reduce(add, within("revenue", bench.lookback))),
    )
    return rows.filter(rows.on_file | rows.active)


def _money(bench: Bench, amount: ir.DecimalValue) -> ir.DecimalValue:
    """An amount; undefined, not 0, where the client gives no revenue at all."""
    return amount.cast(MONEY) if bench.has_money else ibis.null(MONEY)
