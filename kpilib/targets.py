"""Targets beside what was reached: for all accounts, for a segment, for an owner's accounts.

A target is a plan, never a sample, so its distance has no interval. How the engagement states targets
is described in ``data/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from kpilib import revenue
from kpilib.book import Book
from kpilib.engagement import Target
from kpilib.errors import DataError
from kpilib.measures import counts, degree, offers, queries
from kpilib.measures.queries import Where

_WHAT = {
    **dict.fromkeys(("quarter", "kpi", "product", "segment", "owner", "unit"), "object"),
    **{"k": "Int64", "target": "float64", "actual": "float64", "distance": "float64"},
}
_PLAN = _WHAT | {"n": "Int64", "met": "boolean", "suppressed": "bool", "complete": "bool"}
_PATH = _WHAT | {"n": "Int64", "quarters_left": "int64", "per_quarter": "float64", "suppressed": "bool"}


def plan(book: Book, quarter: str) -> pd.DataFrame:
    """Hold every target of a quarter against what was reached.

    Returns
    -------
    One row per target, in the engagement's order: quarter (label), kpi, product (of an attach rate), segment (as
    ``size: big``) and owner (missing for all accounts), unit (share or products), k (of a multi-product share),
    target and actual (in that unit; shares 0 to 1, growth may be negative, retention above 1), distance (actual less
    target), n (accounts it rests on; of the index, slots with an opportunity; missing where revenue has no earlier
    period), met (missing where there is no actual), suppressed (n is below the engagement's minimum_cell: actual,
    distance and met are missing), complete (bool; nothing is reached in a quarter that the data do not cover).
    """
    at = queries.moment(book, quarter)
    rows = [_held_against(book, at.label, each) for each in _of(book, lambda index: index == at.index)]
    for row in rows:
        row["complete"] = at.complete
        if not at.complete:
            row["actual"] = None
        row["distance"] = None if row["actual"] is None else row["actual"] - row["target"]
        row["met"] = None if row["actual"] is None else row["actual"] >= row["target"]
    return degree.table(rows, _PLAN)


def path(book: Book, quarter: str) -> pd.DataFrame:
    """List the targets of later quarters, and how far they are from here.

    Returns
    -------
    One row per target, nearest first: as :func:`plan`, with actual as of ``quarter``, quarters_left, and per_quarter
    (what each of them must add; negative where the target is passed already).
    """
    at = queries.moment(book, quarter)
    parse = book.engagement.calendar.parse
    later = sorted(_of(book, lambda index: index > at.index), key=lambda each: parse(each.quarter).index)
    rows = []
    for each in later:
        row = _held_against(book, at.label, each)
        left = parse(each.quarter).index - at.index
        gap = None if row["actual"] is None or not at.complete else row["actual"] - row["target"]
        actual = None if gap is None else row["actual"]
        step = None if gap is None else -gap / left
        rows.append(row | {"actual": actual, "distance": gap, "quarters_left": left, "per_quarter": step})
    return degree.table(rows, _PATH)


def actual(book: Book, quarter: str, target: Target) -> tuple[float | None, int | None]:
    """Measure what a target is about, among its accounts: the figure, and the n it rests on; None: nothing to count."""
    return MEASURES[target.kpi](book, queries.moment(book, quarter).label, target)


def where_of(target: Target) -> Where:
    """Write whom a target is for, as the counts ask for it."""
    return {name: (value,) for name, value in target.whose.items()}


def _of(book: Book, wanted: Callable[[int], bool]) -> list[Target]:
    parse = book.engagement.calendar.parse
    return [each for each in book.engagement.targets if wanted(parse(each.quarter).index)]


def _held_against(book: Book, quarter: str, target: Target) -> dict[str, Any]:
    value, n = actual(book, quarter, target)
    small = n is not None and n < book.engagement.minimum_cell
    return {
        "quarter": book.engagement.calendar.parse(target.quarter).label,
        **{"kpi": target.kpi, "product": target.product, "k": target.products},
        **{"segment": _said(target.segment), "owner": target.owner},
        "unit": "products" if target.kpi == "products_per_account" else "share",
        **{"target": target.value, "actual": None if small else value, "n": n, "suppressed": small},
    }


def _said(segment: dict[str, str] | None) -> str | None:
    return ", ".join(f"{name}: {value}" for name, value in segment.items()) if segment else None


def _pairs(book: Book, quarter: str, target: Target) -> pd.DataFrame:
    return counts.pairs(book, where=where_of(target), quarters=[quarter])


def _degree(book: Book, quarter: str, target: Target) -> tuple[float | None, int]:
    found = degree.measured(_pairs(book, quarter, target))
    return found.mean, found.n


def _products(book: Book, quarter: str, target: Target) -> tuple[float | None, int]:
    found = degree.measured(_pairs(book, quarter, target))
    return found.products_per_account, found.accounts


def _multi(book: Book, quarter: str, target: Target) -> tuple[float | None, int]:
    pairs = _pairs(book, quarter, target)
    return degree.multi_share(pairs, target.products or 2), _sum(pairs["accounts"])


def _index(book: Book, quarter: str, target: Target) -> tuple[float | None, int]:
    marked = offers.slots(book, quarter, where=where_of(target))
    found = offers.index_of(_pairs(book, quarter, target), marked, "opportunities")
    return (None, 0) if found is None else (found.value, found.recorded or 0)


def _attach(book: Book, quarter: str, target: Target) -> tuple[float | None, int]:
    at = queries.moment(book, quarter)
    kept = queries.matches(book, where_of(target))
    rows = (
        f"(SELECT c.* FROM ({queries.base(book, [at.index])}) c LEFT JOIN accounts a USING (account_id) WHERE {kept})"
    )
    found = queries.per_product(book, rows, {"possible": "possible_#", "held": "held_#"}, None)
    found = found[found["product_id"] == target.product]
    possible, held = _sum(found["possible"]), _sum(found["held"])
    return (held / possible if possible else None), possible


def _growth(book: Book, quarter: str, target: Target) -> tuple[float | None, int | None]:
    """Take twelve months against the twelve before, whatever else the data would cover: a plan has one meaning."""
    try:
        found = revenue.retention(book, quarter).iloc[0]
    except DataError:
        return None, None
    return float(found[target.kpi]), int(found["n"])


def _sum(numbers: Iterable[int]) -> int:
    return int(sum(numbers))


Measure = Callable[[Book, str, Target], tuple[float | None, int | None]]
MEASURES: dict[str, Measure] = {
    "account_penetration_degree": _degree,
    "multi_product_share": _multi,
    "account_penetration_index": _index,
    "attach_rate": _attach,
    "products_per_account": _products,
    "existing_account_growth": _growth,
    "net_revenue_retention": _growth,
}
