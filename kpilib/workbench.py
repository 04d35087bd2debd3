"""The workbench of the positions: accounts, products and quarters as numbers, tables kept while they are needed.

Numbers that run from 0 are joined and grouped without hashing; what is large waits on disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from kpilib.bits import Words, whole
from kpilib.sql import literal, parquet

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from kpilib.facts.portfolio import Portfolio
    from kpilib.quarters import Quarter

MONEY = "decimal(18, 4)"
BEGINNING, NEVER = date(1, 1, 1), date(9999, 12, 31)
GROUPS_IN_MEMORY = 1_000_000_000  # bytes
ACCOUNTS_AT_LEAST = 25_000


@dataclass
class Bench:
    """The tables that positions are made from, with numbers for names; gone once cleared."""

    portfolio: Portfolio
    folder: Path
    kept: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @cached_property
    def words(self) -> Words:
        """The catalogue as bits."""
        return Words(self.portfolio.products)

    @cached_property
    def products(self) -> ir.Table:
        """``product_id`` and its ``place``."""
        names = self.portfolio.products["product_id"].astype("str")
        rows = pd.DataFrame({"product_id": names, "place": range(len(names))})
        return self.keep("products", rows.astype({"place": "int32"}))

    @cached_property
    def offers(self) -> pd.DataFrame:
        """As :func:`offers` has them."""
        return offers(self.portfolio, self.words)

    @cached_property
    def days(self) -> ir.Table:
        """Every ``day`` and its ``quarter``."""
        return self.keep("days", _days(self.portfolio.quarters))

    @cached_property
    def last_days(self) -> ir.Table:
        """The last ``day`` of every ``quarter``."""
        rows = [(each.last_day, each.index) for each in self.portfolio.quarters]
        return self.keep("last_days", pd.DataFrame(rows, columns=["day", "quarter"]).astype({"quarter": "int32"}))

    @cached_property
    def accounts(self) -> ir.Table:
        """Accounts, numbered from 0 in the order of their ids, and what is open to them."""
        return self.keep("accounts", _accounts(self.portfolio, self.words))

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Accounts in all, and keys among them."""
        counts = self.accounts.aggregate(accounts=ibis._.count(), keys=ibis._.key.nunique())
        return self.run(self.portfolio.con.compile(counts)).fetchone()

    @property
    def count(self) -> int:
        """Accounts in all."""
        return self.counts[0]

    @property
    def told_apart(self) -> bool:
        """Whether every account has a key of its own: a number is found sooner than a name."""
        accounts, keys = self.counts
        return accounts == keys

    @cached_property
    def threads(self) -> int:
        """Threads the engine may use."""
        return self.run("select current_setting('threads')").fetchone()[0]

    @cached_property
    def bits(self) -> int:
        """Bits for which DuckDB sets memory aside, for every group there could be and once per thread."""
        return max(0, int(log2(GROUPS_IN_MEMORY / self.threads / (16 * (2 + len(list(self.words)))))))

    @property
    def turns(self) -> list[tuple[int, int]]:
        """First and last of the quarters that a thread groups at a time: its share, or as many as memory allows."""
        indexes = [each.index for each in self.portfolio.quarters]
        most = 2 ** max(self.bits - (self.count + 1).bit_length(), 2) - 2
        few = min(most, ceil(len(indexes) / self.threads))
        return [(indexes[n], indexes[n : n + few][-1]) for n in range(0, len(indexes), few)]

    @property
    def shares(self) -> list[tuple[int, int]]:
        """First and last of the accounts that a thread takes at a time."""
        many = max(ceil(self.count / self.threads), ACCOUNTS_AT_LEAST)
        return [(n, n + many - 1) for n in range(0, max(self.count, 1), many)]

    @property
    def has_money(self) -> bool:
        """Whether the client gives any revenue."""
        return self.portfolio.sales is not None or self.portfolio.invoices is not None

    @property
    def lookback(self) -> int:
        """Quarters in the engagement's own window."""
        return self.portfolio.engagement.lookback_months // 3

    def keep(self, name: str, rows: ir.Table | pd.DataFrame) -> ir.Table:
        """Compute a table once, for all that reads it."""
        self.kept.append(f"positions_{name}")
        if isinstance(rows, pd.DataFrame):
            self.portfolio.db.register("positions_frame", rows)
            self.run(f"create table {self.kept[-1]} as from positions_frame")
            self.portfolio.db.unregister("positions_frame")
            return self.portfolio.con.table(self.kept[-1])
        self.run(f"create table {self.kept[-1]} as {self.portfolio.con.compile(rows)}")
        return ibis.table(rows.schema(), name=self.kept[-1])

    def keep_in_parts(self, name: str, parts: list[ir.Table]) -> ir.Table:
        """The same for a table in parts, each computed on a thread of its own.

        Threads that share in a grouping would each set memory aside for all of it.
        """
        return self._in_parts(name, map(self.portfolio.con.compile, parts))

    def side_by_side(self, name: str, once: list[ir.Table], quarterly: ir.Table) -> ir.Table:
        """One row per account, in order, with all that is known of it; 0 for what is not.

        The columns of ``quarterly`` are named after their quarter: ``revenue_8092``. Joined in SQL, because Ibis thinks
        long about so many tables.
        """
        tables = {each.get_name(): {column: column for column in each.columns} for each in once}
        for each in self.portfolio.quarters:
            rows = f"(from {quarterly.get_name()} where quarter = {each.index})"
            tables[rows] = {column: f"{column}_{each.index}" for column in quarterly.columns if column != "quarter"}
        joins, columns = [], []
        for n, (rows, names) in enumerate(tables.items()):
            joins.append(f"left join {rows} t{n} using (number)")
            columns += [f"coalesce(t{n}.{old}, 0) as {new}" for old, new in names.items() if old != "number"]
        sql = f"select a.* exclude (key), {', '.join(columns)} from {self.accounts.get_name()} a {' '.join(joins)}"
        shares = (f"{sql} where number between {first} and {last} order by number" for first, last in self.shares)
        return self._in_parts(name, shares)

    def _in_parts(self, name: str, parts: Iterable[str]) -> ir.Table:
        tables = {f"positions_{name}_{n}": each for n, each in enumerate(parts)}
        self.kept += tables
        self.at_once(f"create table {table} as {each}" for table, each in tables.items())
        self.views.append(f"positions_{name}")
        self.run(f"create view {self.views[-1]} as {' union all '.join(f'from {each}' for each in tables)}")
        return self.portfolio.con.table(self.views[-1])

    def aside(self, name: str, rows: ir.Table) -> ir.Table:
        """The same, and let it wait on disk: as differences its numbers take little room, and packing pays no more."""
        self.files.append(self.folder / f".{name}.parquet")
        self.run(self.copying(rows, self.files[-1], "compression uncompressed"))
        self.views.append(f"positions_{name}")
        self.run(f"create view {self.views[-1]} as from {parquet(self.files[-1])}")
        return ibis.table(rows.schema(), name=self.views[-1])

    def everyone(self, rows: ir.Table) -> ir.Table:
        """The same numbers for every account, 0 where there are none: so they are joined without hashing."""
        every = self.accounts.select("number").left_join(rows, "number")
        return every.select("number", **{name: every[name].fill_null(0) for name in rows.columns if name != "number"})

    def copying(self, rows: ir.Table, path: Path, *options: str) -> str:
        """Say how rows are written as Parquet, without a search for repeated values: there are hardly any.

        Ibis's own way of writing trips over an apostrophe in the path.
        """
        said = ", ".join(("format parquet", "parquet_version v2", "dictionary_size_limit 1", *options))
        return f"copy ({self.portfolio.con.compile(rows)}) to {literal(path)} ({said})"

    def at_once(self, statements: Iterable[str]) -> None:
        """Have the engine do many things side by side, each on a thread of its own."""
        threads = self.threads
        self.run("set threads = 1")
        try:
            with ThreadPoolExecutor(threads) as pool:
                deque(pool.map(self._alone, statements), maxlen=0)
        finally:
            self.run(f"set threads = {threads}")

    def _alone(self, statement: str) -> None:
        with self.portfolio.db.cursor() as db:
            db.execute(f"set perfect_ht_threshold = {self.bits}")
            db.execute(statement)

    def run(self, sql: str) -> Any:
        """Have the engine do it."""
        return self.portfolio.con.raw_sql(sql)

    def drop(self, *tables: ir.Table) -> None:
        """Forget tables that nobody reads any more."""
        for each in tables:
            self.run(f"drop table {each.get_name()}")

    def clear(self) -> None:
        """Forget all tables, and those on disk."""
        for name in self.views:
            self.run(f"drop view if exists {name}")
        for name in self.kept:
            self.run(f"drop table if exists {name}")
        for file in self.files:
            file.unlink(missing_ok=True)


def offers(portfolio: Portfolio, words: Words) -> pd.DataFrame:
    """By quarter: what the catalogue offers on its last day, and the rules then in force (its era)."""
    sets = eras(portfolio)
    stretches = list(zip(portfolio.products["launched"], portfolio.products["retired"], strict=True))
    rows = {}
    for each in portfolio.quarters:
        there = [_covers(each, start, stop) for start, stop in stretches]
        offered = {f"offered_{n}": words.mask(n, there) for n in words}
        rows[each.index] = {"era": sets.index(_in_force(portfolio, each))} | offered
    return pd.DataFrame.from_dict(rows, orient="index")


def _days(every: Iterable[Quarter]) -> pd.DataFrame:
    rows = [
        (each.first_day + timedelta(number), each.index)
        for each in every
        for number in range((each.last_day - each.first_day).days + 1)
    ]
    return pd.DataFrame(rows, columns=["day", "quarter"]).astype({"quarter": "int32"})


def _covers(quarter: Quarter, start: Any, stop: Any) -> bool:
    """Whether a half-open stretch of days, open where an end is missing, holds the quarter's last day."""
    begun = pd.isna(start) or start <= quarter.last_day
    return bool(begun and (pd.isna(stop) or quarter.last_day < stop))


def _in_force(portfolio: Portfolio, quarter: Quarter) -> tuple[int, ...]:
    rules = enumerate(portfolio.eligibility)
    return tuple(number for number, each in rules if _covers(quarter, each.start, each.stop))


def eras(portfolio: Portfolio) -> list[tuple[int, ...]]:
    """The sets of eligibility rules that are in force together, each once."""
    return list(dict.fromkeys(_in_force(portfolio, each) for each in portfolio.quarters))


def _accounts(portfolio: Portfolio, words: Words) -> ir.Table:
    """Accounts, numbered in the order of their ids, and what is open to them in every era."""
    accounts = portfolio.accounts
    opened = {
        f"open_{era}_{n}": _opened(portfolio, rules, words, n)
        for era, rules in enumerate(eras(portfolio))
        for n in words
    }
    return accounts.select(
        "account_id",
        key=key_of(accounts.account_id),
        number=ibis.row_number().over(order_by=accounts.account_id).cast("int32"),
        joined_on=accounts.joined_on.fill_null(BEGINNING),
        left_on=accounts.left_on.fill_null(NEVER),
        **opened,
    )


def _opened(portfolio: Portfolio, in_force: tuple[int, ...], words: Words, word: int) -> ir.IntegerValue:
    """Products that no rule speaks of, and those that a rule in force opens to the account."""
    names = portfolio.products["product_id"]
    ruled = {name for each in portfolio.eligibility for name in each.products}
    opened = whole(words.mask(word, ~names.isin(ruled)))
    for rule in (portfolio.eligibility[number] for number in in_force):
        mask = words.mask(word, names.isin(rule.products))
        if mask:
            opened = opened | rule.condition(portfolio.accounts).ifelse(whole(mask), whole(0))
    return opened


@ibis.udf.scalar.builtin(name="hash", signature=(("string",), "uint64"))
def key_of(account_id: Any) -> Any:
    """Say an account's id as a number, which two ids share by rare chance."""
