"""What became of a table's lines or opportunities since: which arrived, which were corrected, which are gone.

Lines are known by their content, never by their place in a file: a file sorted anew, or split in two, has not changed.
A line gone and a line that arrived are one corrected line where they differ in one thing only: the amounts, the
product, the day or the account; of an opportunity also its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from kpilib.sql import literal, parquet

OPPORTUNITIES = "opportunities"
ONE_THING = {
    "amounts": ("account_id", "product_id", "{day}", '"end"'),
    "product": ("account_id", "{day}", '"end"', "quantity", "revenue"),
    "day": ("account_id", "product_id", "quantity", "revenue"),
    "account": ("product_id", "{day}", '"end"', "quantity", "revenue"),
}
ONE_THING_OFFERED = {
    "outcome": ("account_id", "product_id", "opened"),
    "product": ("account_id", "status", "opened", "closed"),
    "day": ("account_id", "product_id", "status", "closed"),
    "account": ("product_id", "status", "opened", "closed"),
}


@dataclass(frozen=True)
class Compared:
    """Lines by what became of them, and the file of the earlier lines with those that arrived late."""

    arrived: int
    corrected: dict[str, int]
    gone: int
    arrived_revenue: Decimal
    corrected_revenue: Decimal
    earlier_and_late: str

    @property
    def changed(self) -> int:
        """How many lines were corrected or are gone."""
        return self.gone + sum(self.corrected.values())


def compare(then: str, now: str, kind: str, file: Path) -> Compared:
    """Compare two kept tables of one kind, and write the earlier lines with the late ones to a file.

    Parameters
    ----------
    kind
        Of evidence, or :data:`OPPORTUNITIES`, which are worth nothing here.
    """
    offered = kind == OPPORTUNITIES
    day = "start" if kind == "subscriptions" else "date"
    columns = f'account_id, product_id, {day}, "end", quantity, revenue'
    columns = "account_id, product_id, status, opened, closed" if offered else columns
    revenue = "0" if offered else "revenue"
    one_thing = ONE_THING_OFFERED if offered else ONE_THING
    with duckdb.connect() as db:
        sides = [f"select {columns}, {sign} as n from {parquet(each)}" for each, sign in ((now, 1), (then, -1))]
        db.execute(
            f"create table delta as select {columns}, sum(n)::bigint as n "
            f"from ({' union all '.join(sides)}) group by all having sum(n) <> 0"
        )
        for side, test in (("came", "n > 0"), ("went", "n < 0")):
            db.execute(
                f"create table {side} as select {columns}, row_number() over () as id, null::bigint as other "
                f"from (select *, unnest(range(abs(n))) from delta where {test})"
            )
        corrected = {thing: _pair(db, [each.format(day=day) for each in same]) for thing, same in one_thing.items()}
        late = f"select {columns} from came where other is null"
        db.execute(f"copy (select {columns} from {parquet(then)} union all {late}) to {literal(file)} (format parquet)")
        count, sold = db.execute(f"select count(*), sum({revenue}) from ({late})").fetchone()
        gone = db.execute("select count(*) from went where other is null").fetchone()[0]
        moved = db.execute(
            f"select coalesce((select sum({revenue}) from came where other is not null), 0) "
            f"- coalesce((select sum({revenue}) from went), 0)"
        ).fetchone()[0]
    found = {thing: each for thing, each in corrected.items() if each}
    return Compared(count, found, gone, Decimal(sold or 0), Decimal(moved or 0), str(file))


def with_quantity(file: str) -> bool:
    """Tell whether any line of a kept table has a quantity: the rule of net quantity looks at those alone."""
    with duckdb.connect() as db:
        return bool(db.execute(f"select count(quantity) from {parquet(file)}").fetchone()[0])


def without_quantity(file: str, to: Path) -> str:
    """Write a kept table as if its quantities had not been read."""
    with duckdb.connect() as db:
        bare = f"select * replace (null::decimal(18, 4) as quantity) from {parquet(file)}"
        db.execute(f"copy ({bare}) to {literal(str(to))} (format parquet)")
    return str(to)


def _pair(db: duckdb.DuckDBPyConnection, same: list[str]) -> int:
    """Pair lines that came with lines that went and agree in some columns, one to one; return how many."""
    keys = ", ".join(same)
    ranked = (
        f"select id, {keys}, row_number() over (partition by {keys} order by id) as place from {{}} where other is null"
    )
    equal = " and ".join(f"c.{each} is not distinct from w.{each}" for each in same)
    db.execute(
        f"create or replace table pairs as select c.id as one, w.id as two from ({ranked.format('came')}) c "
        f"join ({ranked.format('went')}) w on c.place = w.place and {equal}"
    )
    db.execute("update came set other = two from pairs where came.id = one")
    db.execute("update went set other = one from pairs where went.id = two")
    return db.execute("select count(*) from pairs").fetchone()[0]
