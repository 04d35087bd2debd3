"""Targets that speak of accounts or products nobody has: refused before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import Engagement, Target
from kpilib.errors import DataError, near
from kpilib.sql import NOT_GIVEN, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def refuse_unknown(db: DuckDBPyConnection, engagement: Engagement, attributes: list[str], products: list[str]) -> None:
    """Refuse a target of an unknown attribute, segment, owner or product, naming the near misses.

    Raises
    ------
    DataError
        A plan for a misspelt segment would never be compared with anything, and nobody would see it.
    """
    for number, each in enumerate(engagement.targets, 1):
        for name, value in each.whose.items():
            key = f"targets[{number}].{_key(each, name)}"
            if name not in attributes:
                raise DataError(
                    f"{key} names {name!r}, which is no attribute of the accounts.",
                    near(name, attributes) if attributes else "There is no accounts table.",
                    "Declare it under [accounts]: attributes, or columns = { owner = ... }.",
                )
            _refuse_value(db, key, name, value)
        if each.product is not None and each.product not in products:
            found = near(each.product, products)
            raise DataError(f"targets[{number}].product: {each.product!r} is not in the catalogue.", found)


def _key(target: Target, name: str) -> str:
    return "segment" if name in (target.segment or {}) else "owner"


def _refuse_value(db: DuckDBPyConnection, key: str, name: str, value: str) -> None:
    column = f"cast({quoted(name)} as varchar)"
    rows = db.execute(f"select distinct coalesce(nullif(trim({column}), ''), '{NOT_GIVEN}') from accounts_given")
    known = [row[0] for row in rows.fetchall()]
    if value not in (*known, NOT_GIVEN):
        raise DataError(
            f"{key}: no account has {name} {value!r}, so the target would be compared with nothing.",
            near(value, known),
            "Write it as in the accounts table.",
        )
