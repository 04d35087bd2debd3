"""Whether two books count alike: the same base, look-back, catalogue, eligibility and evidence.

What a later delivery of the same client naturally adds (rows, files, products launched since) is no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.engagement import Engagement, Evidence, Facts
from kpilib.errors import DataError


def refuse_other(before: Book, after: Book) -> None:
    """Refuse to compare figures of two books that do not count alike.

    Raises
    ------
    DataError
        When client, base or look-back differ, or anything else that decides what is possible and held: the catalogue
        until the earlier book ends, the eligibility, the evidence, what an account is, what is blocked, whether free
        items count, the year. It names what differs.
    """
    was, now = before.engagement, after.engagement
    plain = {
        "client": (was.client, now.client),
        "base": (before.base, after.base),
        "look-back in months": (before.lookback_months, after.lookback_months),
        "first month of the year": (was.fiscal_year_start, now.fiscal_year_start),
        "free items count": (was.free_items_count, now.free_items_count),
    }
    told = [f"{what}: {one} before, {other} after" for what, (one, other) in plain.items() if one != other]
    told += [
        f"{what}: {_some(different)}"
        for what, different in {
            "other look-back of": _apart(was.lookback_by_product, now.lookback_by_product),
            "another catalogue": _apart(*(_on_sale(each, was.data_to) for each in (before, after))),
            "other eligibility of": _eligible_otherwise(was, now),
            "other evidence": _apart(_evidence(was), _evidence(now)),
            "given one time only": [
                what for what in ("grain", "blocked") if (getattr(was, what) is None) != (getattr(now, what) is None)
            ],
        }.items()
        if different
    ]
    if told:
        raise DataError(
            "The two figures do not count alike, so their difference is no change.",
            "; ".join(told) + ".",
            "Measure both with the same base, look-back, catalogue, eligibility and evidence.",
        )


def _some(words: Sequence[str], most: int = 3) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _apart(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Name what is in one only, or other in both."""
    return sorted(each for each in one.keys() | other.keys() if one.get(each) != other.get(each))


def _on_sale(book: Book, until: date) -> dict[str, Any]:
    """Give the days of every product on sale by then; what happened later changed nothing until then."""
    days = book.products[["launched", "retired"]].apply(pd.to_datetime)
    days = days.where(days <= pd.Timestamp(until))
    later = book.products["launched"].notna() & days["launched"].isna()
    rows = zip(book.products["product_id"], days.astype(str).to_numpy().tolist(), ~later, strict=True)
    return {product: tuple(each) for product, each, there in rows if there}


def _eligible_otherwise(was: Engagement, now: Engagement) -> list[str]:
    told = []
    for each in (was, now):
        rules = {rule.model_dump_json(): rule.products for rule in each.eligibility}
        told.append(rules)
    products = {product for one, other in (told, told[::-1]) for rule in one.keys() - other for product in one[rule]}
    sheets = [_sheet(each) for each in (was, now)]
    return sorted(products) + (["the eligibility sheet"] if sheets[0] != sheets[1] else [])


def _sheet(engagement: Engagement) -> Any:
    sheet = engagement.eligibility_sheet
    if sheet is None:
        return None
    files = _paths(engagement, sheet)
    return sheet.model_dump_json(exclude={"source"}), [Path(each).read_bytes() for each in files]


def _evidence(engagement: Engagement) -> dict[str, Any]:
    """Give what each table of evidence proves and which rows of it count, by its kind and place; not its rows."""
    told: dict[str, Any] = {}
    for each in engagement.evidence:
        told.setdefault(f"{each.kind} ({each.source or 'typed in'})", []).append(_proves(engagement, each))
    return told


def _proves(engagement: Engagement, each: Evidence) -> Any:
    source = engagement.sources.get(each.source or "")
    return each.model_dump_json(exclude={"source", "rows", "date"}), source and source.sql


def _paths(engagement: Engagement, table: Facts) -> Sequence[str]:
    source = engagement.sources.get(table.source or "")
    return source.path if source else ()
