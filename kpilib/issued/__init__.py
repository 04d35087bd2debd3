"""Issued means issued: a quarter's pack frozen as its record, and today's figures explained against it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from kpilib import kept
from kpilib.book import Book
from kpilib.errors import KpiError
from kpilib.issued import inputs, parts
from kpilib.issued.inputs import Inputs
from kpilib.issued.parts import KIT, Step
from kpilib.issued.record import (
    FIGURES,
    MONEY,
    WHOLE,
    Number,
    Record,
    count,
    figures,
    freeze,
    kit,
    latest,
    records,
    unchanged_since,
)
from kpilib.issued.record import code as code_of
from kpilib.measures import degree, queries
from kpilib.sql import parquet

__all__ = ["Diff", "Record", "diff", "freeze", "records", "restated", "unchanged_since"]

UNEXPLAINED = "unexplained"
NAMED = 5  # accounts

_RESTATED = {
    **{"quarter": "object", "issue": "int64", "issued_on": "object", "figure": "object"},
    **dict.fromkeys(("as_issued", "today", "difference"), "object"),
}


@dataclass(frozen=True)
class Diff:
    """A quarter's figures as issued and today, and the parts that the difference is made of.

    ``exact`` holds every part's size by figure (mean, pooled, multi, index: fractions; accounts: whole;
    revenue_quarter, revenue_window: decimals; net_revenue_retention, gross_revenue_retention: fractions;
    None where undefined): over the parts they sum to today less as issued.
    ``figures`` has a row per figure: figure, as_issued, today, difference; ``parts`` a row per part in the order it was
    let in: part, the sizes by figure, lines (that it concerns), accounts_touched (whose figures it moved), most (those
    it moved most), what (in words). In both tables shares are floats from 0 to 1.
    """

    quarter: str
    issue: int
    issued_on: str
    figures: pd.DataFrame
    parts: pd.DataFrame
    exact: dict[str, dict[str, Number]]

    @property
    def changed(self) -> bool:
        """Whether any figure is another than was issued."""
        sides = zip(self.figures["as_issued"], self.figures["today"], self.figures["difference"], strict=True)
        return any((then is None) != (today is None) or bool(less) for then, today, less in sides)

    def as_dict(self) -> dict[str, Any]:
        """Write the object that ``kpi diff --format json`` prints; amounts are decimal strings."""
        tables = {"figures": self.figures, "parts": self.parts}
        rows = {name: [_plain(row) for row in table.to_dict("records")] for name, table in tables.items()}
        return {"schema": 1, "quarter": self.quarter, "issue": self.issue, "issued": self.issued_on, **rows}


def diff(book: Book, quarter: str, number: int | None = None) -> Diff:
    """Explain a quarter's figures as issued against today's.

    The inputs of then are exchanged for today's one kind at a time, in the order of :mod:`kpilib.issued.parts`, and the
    figures counted again after each: a part's size is what they moved by, so the parts sum to the difference.

    Parameters
    ----------
    number
        Of the issue; the last one unless given.

    Raises
    ------
    DataError
        The quarter was not issued, or its record was altered.
    """
    label = queries.moment(book, quarter).label
    record = latest(book.engagement, label, number)
    with tempfile.TemporaryDirectory(prefix="kpilib-") as scratch:
        bench = _Bench(label, Path(scratch))
        stages = bench.stages(record, book)
        return _diff(record, stages)


def restated(book: Book, quarter: str | None = None) -> pd.DataFrame | None:
    """Set every issued quarter up to one beside what the data say today; None when nothing was issued.

    Costs one count per issued quarter; :func:`diff` says why a figure moved.

    Returns
    -------
    One row per issued quarter (its last issue), oldest first, and figure that its record holds (mean, pooled, multi,
    index, accounts, revenue_quarter, revenue_window, net_revenue_retention, gross_revenue_retention; earlier layouts
    held fewer): quarter,
    issue, issued_on, figure, as_issued, today, difference (shares as floats from 0 to 1, accounts whole, revenue
    Decimal; None where undefined, or the quarter lies outside today's data).
    """
    at = queries.moment(book, quarter)
    known = {label: int(index) for label, index in zip(book.quarters["label"], book.quarters["quarter"], strict=True)}
    last = {each.quarter: each for each in records(book.engagement) if known.get(each.quarter, at.index) <= at.index}
    rows: list[dict[str, Any]] = []
    for label, record in last.items():
        today = _today(book, label) if label in known else dict.fromkeys(FIGURES)
        told = {"quarter": label, "issue": record.number, "issued_on": record.issued_on}
        rows += [told | row for row in _compared(record.figures, today)]
    return degree.table(rows, _RESTATED) if rows else None


@dataclass(frozen=True)
class _Stage:
    """The figures after a part, with the accounts they were counted from; None where they cannot be counted."""

    part: str
    figures: dict[str, Number] | None
    counted: Path
    lines: int
    what: tuple[str, ...]


@dataclass(frozen=True)
class _Bench:
    """A folder to count in, for one quarter."""

    quarter: str
    scratch: Path

    def stages(self, record: Record, book: Book) -> list[_Stage]:
        """Count after every part; the first stage is as issued, the last is today."""
        then = record.inputs()
        base = book.engagement.model_copy(update={"base": book.base})
        now = inputs.write(base, self.scratch / "now")
        stages = [_Stage("issued", record.figures, record.counted, 0, ())]
        own = (f"kit {record.kit} → {kit()}",) if record.kit != kit() else ("the same version with other code",)
        code = Step(KIT, then, 0, own if (record.kit, record.code) != (kit(), code_of()) else ())
        for step in (code, *parts.steps(then, now, self.scratch / "steps")):
            stages.append(self._stage(step, stages[-1]))
        today = self.scratch / "today.parquet"
        count(book, self.quarter, today)
        return [*stages, _Stage(UNEXPLAINED, figures(today), today, 0, ())]

    def _stage(self, step: Step, before: _Stage) -> _Stage:
        if not step.what and not step.lines:
            return _Stage(step.part, before.figures, before.counted, 0, ())
        file = self.scratch / f"{step.part}.parquet"
        try:
            self._count(step.inputs, self.scratch / step.part, file)
        except KpiError as error:
            told = (*step.what, f"counted with the next part, for this one cannot be counted alone: {error}")
            return _Stage(step.part, before.figures, before.counted, step.lines, told)
        return _Stage(step.part, figures(file), file, step.lines, step.what)

    def _count(self, used: Inputs, folder: Path, file: Path) -> None:
        engagement = inputs.engagement_of(used, self.scratch)
        count(kept.counted(engagement, folder), self.quarter, file)


def _diff(record: Record, stages: Sequence[_Stage]) -> Diff:
    exact, rows = {}, []
    levels = _carried(stages)
    for before, after, old, new in zip(stages, stages[1:], levels, levels[1:], strict=False):
        sizes = {name: _less(new[name], old[name]) for name in FIGURES}
        if after.part == UNEXPLAINED and not any(sizes.values()):
            continue
        exact[after.part] = sizes
        touched, most = _touched(before.counted, after.counted)
        told = {"lines": after.lines, "accounts_touched": touched, "most": most, "what": "; ".join(after.what)}
        rows.append({"part": after.part, **{name: _shown(name, each) for name, each in sizes.items()}, **told})
    table = pd.DataFrame(_compared(record.figures, stages[-1].figures or {}), dtype=object)
    whole = {"lines": "int64", "accounts_touched": "int64"}
    made = pd.DataFrame(rows, dtype=object).astype(whole)
    return Diff(record.quarter, record.number, record.issued_on, table, made, exact)


def _carried(stages: Sequence[_Stage]) -> list[dict[str, Number]]:
    """Carry a figure over the stages at which it is undefined between two at which it is not."""
    levels = [dict(each.figures or {}) for each in stages]
    for name in FIGURES:
        if levels[0].get(name) is not None and levels[-1].get(name) is not None:
            for before, after in pairwise(levels):
                after[name] = before[name] if after.get(name) is None else after[name]
    return levels


def _touched(before: Path, after: Path) -> tuple[int, str]:
    """Count the accounts whose figures differ, and name those that differ most in revenue, then in products."""
    if before == after:
        return 0, ""
    sides = map(parquet, (before, after))
    told = (
        "{0}.possible, {0}.held, {0}.revenue_quarter, {0}.revenue_window, {0}.won, {0}.recorded, {0}.before, {0}.after"
    )
    moved = (
        "select coalesce(b.account_id, a.account_id) as account_id, "
        "abs(coalesce(a.revenue_quarter, 0) - coalesce(b.revenue_quarter, 0)) as revenue, "
        "abs(coalesce(a.held, 0) - coalesce(b.held, 0)) as held, "
        "abs(coalesce(a.revenue_window, 0) - coalesce(b.revenue_window, 0)) as window_revenue, "
        "abs(coalesce(a.won, 0) - coalesce(b.won, 0)) as won, "
        "abs(coalesce(a.after, 0) - coalesce(b.after, 0)) "
        "+ abs(coalesce(a.before, 0) - coalesce(b.before, 0)) as years from {} b full join {} a using (account_id) "
        f"where ({told.format('b')}) is distinct from ({told.format('a')})"
    ).format(*sides)
    with duckdb.connect() as db:
        db.execute(f"create table moved as {moved}")
        number = db.execute("select count(*) from moved").fetchone()[0]
        most = "revenue desc, held desc, window_revenue desc, won desc, years desc, account_id"
        ranked = f"select account_id from moved order by {most} limit {NAMED}"
        names = [name for (name,) in db.execute(ranked).fetchall()]
    return number, ", ".join(names)


def _today(book: Book, quarter: str) -> dict[str, Number]:
    with tempfile.TemporaryDirectory(prefix="kpilib-") as scratch:
        file = Path(scratch) / "counted.parquet"
        count(book, quarter, file)
        return figures(file)


def _compared(then: dict[str, Number], today: dict[str, Number]) -> list[dict[str, Any]]:
    return [
        {
            "figure": name,
            "as_issued": _shown(name, then[name]),
            "today": _shown(name, today.get(name)),
            "difference": _shown(name, _less(today.get(name), then[name])),
        }
        for name in FIGURES
        if name in then
    ]


def _less(one: Number, other: Number) -> Number:
    return None if one is None or other is None else one - other


def _shown(name: str, number: Number) -> Any:
    """Give shares as floats; counts and money stay what they are."""
    return float(number) if name not in (*WHOLE, *MONEY) and number is not None else number


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: str(each) if isinstance(each, Decimal) else each for name, each in row.items()}
