"""Targets that speak of accounts or products nobody has: refused before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import Engagement, Target
from kpilib.errors import DataError, near, refuse
from kpilib.sql import NOT_GIVEN, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection


def refuse_unknown(db: DuckDBPyConnection, engagement: Engagement, attributes: list[str], products: list[str]) -> None:
    """Refuse targets of an unknown attribute, segment, owner or product, all at once, naming the near misses.

    Raises
    ------
    DataError
        A plan for a misspelt segment would never be compared with anything, and nobody would see it.
    """
    refuse(
        [
            problem
            for number, each in enumerate(engagement.targets, 1)
            for problem in _unknown(db, f"targets[{number}]", each, attributes, products)
        ]
    )


def _unknown(
    db: DuckDBPyConnection, key: str, target: Target, attributes: list[str], products: list[str]
) -> Iterator[DataError]:
    for name, value in target.whose.items():
        at = f"{key}.{_key(target, name)}"
        if name in attributes:
            yield from _unknown_value(db, at, name, value)
        else:
            yield DataError(
                f"{at} names {name!r}, which is no attribute of the accounts.",
                near(name, attributes) if attributes else "There is no accounts table.",
                "Declare it under [accounts]: attributes, or columns = { owner = ... }.",
            )
    if target.product is not None and target.product not in products:
        yield DataError(f"{key}.product: {target.product!r} is not in the catalogue.", near(target.product, products))


def _key(target: Target, name: str) -> str:
    return "segment" if name in (target.segment or {}) else "owner"


def _unknown_value(db: DuckDBPyConnection, key: str, name: str, value: str) -> Iterator[DataError]:
    column = f"cast({quoted(name)} as varchar)"
    rows = db.execute(f"select distinct coalesce(nullif(trim({column}), ''), '{NOT_GIVEN}') from accounts_given")
    known = [row[0] for row in rows.fetchall()]
    if value not in (*known, NOT_GIVEN):
        yield DataError(
            f"{key}: no account has {name} {value!r}, so the target would be compared with nothing.",
            near(value, known),
            "Write it as in the accounts table.",
        )
