"""Positions: one row per account and quarter, with what it could hold and what it is proven to hold.

A holding is one bit. The catalogue gives every product a place, 63 places make a word, and one word per quarter
is all that is kept of what an account bought in it: a trailing window is the union of its quarters' words. Only
pairs of account and product that have a return can be sold and yet not held; those are added up line by line.

Everything is said in Ibis. No engine is asked to shift a bit: a place looks its bit up in a short list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import reduce
from math import log2
from operator import or_
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from kpilib.portfolio import Portfolio
    from kpilib.quarters import Quarter

WORD = 63
BOUGHT = -(1 << 63)  # the 64th bit of an account's first word: anything was bought at all
PLACES = (1 << WORD) - 1
MONEY = "decimal(18, 4)"
BEGINNING, END_OF_TIME = date(1, 1, 1), date(9999, 12, 31)
NETTED, STANDING = 0, 1
GROUPS_IN_MEMORY = 2_000_000_000  # bytes


def write(portfolio: Portfolio, path: Path) -> None:
    """Compute what every account could hold and holds at the end of every quarter, and keep it as Parquet.

    One row per account and quarter in which the account is on file or active, ordered by both:

    - ``account_id``, ``quarter`` (:attr:`kpilib.quarters.Quarter.index`)
    - ``on_file``: joined on or before the quarter's last day, and not left by then
    - ``active``: bought anything in the engagement's look-back, or stands in a subscription, installation or snapshot
    - ``possible_0``, ``proven_0``, ``possible_1``, ...: 63 products each, the first in the lowest bit. Held is
      ``proven & possible``; what is proven though not possible stays visible
    - ``revenue_quarter``, ``revenue_window``: every line, positive or negative, of the quarter and of the look-back

    Raises
    ------
    KpiError
        Whatever reading the facts finds at fault, where the engine reads them only now.
    """
    with _Bench(portfolio, path) as bench:
        lines = _lines(bench)
        returned = bench.keep("returned", _returned(bench, lines))
        stays = bench.keep("stays", _stays(bench, lines, returned))
        dated = bench.keep("dated", _dated(bench, stays))
        quarterly = bench.directly("quarterly", _quarterly(bench, lines))
        rows = _positions(bench, _windows(bench, quarterly), returned, dated)
        _copy(portfolio, rows, path)


def proven_not_possible(portfolio: Portfolio, path: Path, quarter: int) -> int:
    """Count holdings that are proven and yet not possible as of a quarter: sold before launch, or not eligible."""
    words = _Words(portfolio.products)
    rows = portfolio.con.read_parquet(path)
    rows = rows.filter(rows.quarter == quarter)
    counts = [_bits(rows[f"proven_{word}"] & ~rows[f"possible_{word}"]).sum() for word in words]
    return sum(int(count.execute() or 0) for count in counts)


@ibis.udf.scalar.builtin(name="bit_count")
def _bits(word: int) -> int:
    """Count the bits of a word, which Ibis has no name for."""


@dataclass(frozen=True)
class _Words:
    """The catalogue as bits, 63 products to a word, in catalogue order."""

    products: pd.DataFrame

    def __iter__(self) -> Iterator[int]:
        return iter(range(-(-len(self.products) // WORD)))

    @property
    def outside(self) -> int:
        """The place of all that lies outside the catalogue: after the last product."""
        return len(self.products)

    def mask(self, word: int, chosen: Sequence[bool]) -> ir.IntegerScalar:
        """Set the bits of the chosen products."""
        places = (place for place, each in enumerate(chosen) if each and place // WORD == word)
        return _whole(sum(1 << place % WORD for place in places))

    def bit(self, word: int, place: ir.IntegerColumn, bought: bool = False) -> ir.IntegerColumn:
        """Look up the bit of a place, with the mark of a purchase where asked for."""
        mark = BOUGHT if bought and word == 0 else 0
        bits = [1 << each % WORD if each // WORD == word else 0 for each in range(self.outside)]
        return ibis.array([_whole(each | mark) for each in [*bits, 0]])[place]

    def lookbacks(self) -> dict[int, list[bool]]:
        """Tell for every look-back, in quarters, which products have it."""
        quarters = self.products["lookback_quarters"].astype(int)
        return {each: list(quarters == each) for each in sorted(set(quarters))}


@dataclass
class _Bench:
    """The tables positions are computed from: numbers in place of names, and gone when done."""

    portfolio: Portfolio
    path: Path
    names: list[str] = field(default_factory=list)

    def __enter__(self) -> _Bench:
        self.words = _Words(self.portfolio.products)
        self.products = self.keep("products", _products(self.words))
        self.quarters = self.keep("quarters", _quarters(self.portfolio, self.words))
        self.days = self.keep("days", _days(self.portfolio.quarters))
        self.accounts = self.keep("accounts", _accounts(self.portfolio, self.words))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self.names:
            self.portfolio.con.drop_table(name, database=("temp", "main"), force=True)
        self.scratch.unlink(missing_ok=True)

    @property
    def scratch(self) -> Path:
        """The numbered lines, as long as positions are being computed."""
        return self.path.with_name(f"{self.path.name}.lines")

    @property
    def lookback(self) -> int:
        """Quarters in the engagement's own window."""
        return self.portfolio.engagement.lookback_months // 3

    def keep(self, name: str, rows: ir.Table | pd.DataFrame) -> ir.Table:
        """Compute a table once."""
        self.names.append(f"positions_{name}")
        return self.portfolio.con.create_table(self.names[-1], rows, temp=True)

    def directly(self, name: str, rows: ir.Table) -> ir.Table:
        """Compute a table whose groups are small numbers: DuckDB then addresses them without hashing.

        It sets memory aside for every group there could be, in every thread; hence the limit.
        """
        threads = self.portfolio.con.raw_sql("select current_setting('threads')").fetchone()[0]
        state = 16 * (2 + len(list(self.words)))
        bits = int(log2(GROUPS_IN_MEMORY / state / threads))
        self.portfolio.con.raw_sql(f"set perfect_ht_threshold = {min(bits, 32)}")
        try:
            return self.keep(name, rows)
        finally:
            self.portfolio.con.raw_sql("reset perfect_ht_threshold")


def _products(words: _Words) -> pd.DataFrame:
    names = words.products["product_id"].astype("str")
    return pd.DataFrame({"product_id": names, "place": range(words.outside)}).astype({"place": "int16"})


def _quarters(portfolio: Portfolio, words: _Words) -> pd.DataFrame:
    """What the catalogue offers at the end of every quarter, and which eligibility rules are in force."""
    eras = _eras(portfolio)
    rows = [
        {"quarter": each.index, "as_of": each.last_day, "era": eras.index(_in_force(portfolio, each))}
        | {f"offered_{word}": _offered(portfolio, each, words, word) for word in words}
        for each in portfolio.quarters
    ]
    return pd.DataFrame(rows).astype({"quarter": "int16", "era": "int16"})


def _offered(portfolio: Portfolio, quarter: Quarter, words: _Words, word: int) -> int:
    stretches = zip(portfolio.products["launched"], portfolio.products["retired"], strict=True)
    there = [_in(quarter, start, stop) for start, stop in stretches]
    return words.mask(word, there).op().value


def _in(quarter: Quarter, start: Any, stop: Any) -> bool:
    """Whether a half-open stretch of days covers a quarter's last day; a missing end is open."""
    return (pd.isna(start) or start <= quarter.last_day) and (pd.isna(stop) or quarter.last_day < stop)


def _in_force(portfolio: Portfolio, quarter: Quarter) -> tuple[int, ...]:
    rules = enumerate(portfolio.eligibility)
    return tuple(n for n, rule in rules if _in(quarter, rule.start, rule.stop))


def _eras(portfolio: Portfolio) -> list[tuple[int, ...]]:
    """The sets of eligibility rules that are in force together at some quarter's end."""
    return list(dict.fromkeys(_in_force(portfolio, each) for each in portfolio.quarters))


def _days(quarters: Iterable[Quarter]) -> pd.DataFrame:
    rows = [
        (each.first_day + timedelta(days), each.index)
        for each in quarters
        for days in range((each.last_day - each.first_day).days + 1)
    ]
    return pd.DataFrame(rows, columns=["day", "quarter"]).astype({"quarter": "int16"})


def _accounts(portfolio: Portfolio, words: _Words) -> ir.Table:
    """Accounts numbered in the order of their ids, with what they are eligible for in every era."""
    accounts = portfolio.accounts
    eligible = {
        f"eligible_{era}_{word}": _eligible(portfolio, rules, words, word)
        for era, rules in enumerate(_eras(portfolio))
        for word in words
    }
    return accounts.select(
        "account_id",
        number=ibis.row_number().over(order_by=accounts.account_id).cast("int32"),
        joined_on=accounts.joined_on.fill_null(BEGINNING),
        left_on=accounts.left_on.fill_null(END_OF_TIME),
        **eligible,
    ).order_by("number")


def _eligible(portfolio: Portfolio, in_force: Iterable[int], words: _Words, word: int) -> ir.IntegerValue:
    """Products under no rule, and those that any rule in force opens to the account."""
    names = portfolio.products["product_id"]
    ruled = {name for rule in portfolio.eligibility for name in rule.products}
    rules = [portfolio.eligibility[n] for n in in_force]
    opened = [
        rule.condition(portfolio.accounts).ifelse(words.mask(word, names.isin(rule.products)), _whole(0))
        for rule in rules
        if any(words.mask(word, names.isin(rule.products)).op().value for _ in [0])
    ]
    return reduce(or_, opened, words.mask(word, ~names.isin(ruled)))


def _whole(value: int) -> ir.IntegerScalar:
    return ibis.literal(value, "int64")
