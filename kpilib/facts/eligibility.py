"""Which accounts could hold which products: rules on attributes, or a sheet of segments and products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from kpilib.engagement import EligibilityRule, EligibilitySheet, Engagement
from kpilib.errors import DataError, KpiError, listed, near, refuse
from kpilib.facts import doubts
from kpilib.facts.intake import columns_of
from kpilib.facts.sources import PROVENANCE, Reading
from kpilib.sql import NOT_GIVEN, quoted

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from duckdb import DuckDBPyConnection

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
}


@dataclass(frozen=True)
class Rule:
    """Products open only to accounts that meet a condition, from ``start`` until before ``stop``."""

    condition: Callable[[ir.Table], ir.BooleanValue]
    products: tuple[str, ...]
    start: date | None = None
    stop: date | None = None
    says: str = ""


def rules(
    db: DuckDBPyConnection,
    engagement: Engagement,
    readings: dict[str, Reading],
    products: Sequence[str],
    attributes: Sequence[str],
) -> tuple[Rule, ...]:
    """Every eligibility rule of an engagement, from both of the forms it may take.

    Raises
    ------
    DataError
        Rules name a product, an attribute, a value or a comparison that is not there; all are told at once.
    """
    found: list[Rule] = []
    problems: list[KpiError] = []
    for number, each in enumerate(engagement.eligibility, 1):
        try:
            found.append(_rule(number, each, products, attributes))
        except DataError as error:
            problems.append(error)
        else:
            problems += _of_nobody(db, f"eligibility[{number}].where", each.where)
    refuse(problems)
    if engagement.eligibility_sheet is not None:
        _known(
            f"eligibility_sheet.attribute: {engagement.eligibility_sheet.attribute!r}",
            engagement.eligibility_sheet.attribute,
            attributes,
        )
        found += _sheet(db, engagement.eligibility_sheet, engagement, readings, products)
    return tuple(found)


def _rule(number: int, declared: EligibilityRule, products: Sequence[str], attributes: Sequence[str]) -> Rule:
    for name in declared.products:
        _known(f"eligibility[{number}].products: {name!r}", name, products)
    for name, wanted in declared.where.items():
        _known(f"eligibility[{number}].where: {name!r}", name, attributes)
        if isinstance(wanted, dict):
            for word, limit in wanted.items():
                key = f"eligibility[{number}].where.{name}.{word}"
                _known(key, word, [*COMPARISONS, "not"])
                if word != "not" and (isinstance(limit, bool) or not isinstance(limit, int | float)):
                    raise DataError(f"{key}: {limit!r} is not a number.", "", "Compare with a number, as in 50.")
    return Rule(
        lambda accounts: _all(accounts, declared.where),
        declared.products,
        declared.start,
        declared.stop,
        said(declared.where),
    )


def _of_nobody(db: DuckDBPyConnection, key: str, where: Mapping[str, Any]) -> list[DataError]:
    """Values in a rule that no account has: misspelt, they would open a product to nobody, or to everybody."""
    problems = []
    for name, wanted in where.items():
        values = wanted.get("not", []) if isinstance(wanted, dict) else wanted
        values = values if isinstance(values, list) else [values]
        problems += doubts.refuse_values(db, f"{key}.{name}", name, values, "the rule does not mean what it says")
    return problems


def said(where: Mapping[str, Any]) -> str:
    """Tell whom a rule speaks of, in words.

    Example
    -------
    >>> said({"segment": {"not": "Small"}, "size": ["M", "L"]})
    'segment is not Small and size is M or L'
    """
    return " and ".join(f"{name} is {_says(wanted)}" for name, wanted in where.items())


def _known(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise DataError(f"{what} is not known.", near(name, known), "Correct engagement.toml.")


def _says(wanted: Any) -> str:
    if isinstance(wanted, dict):
        return " and ".join(f"{word.replace('_', ' ')} {_says(limit)}" for word, limit in wanted.items())
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)


def _all(accounts: ir.Table, where: dict[str, Any]) -> ir.BooleanValue:
    """Every condition of a rule; a blank attribute meets only what names "(not given)"."""
    import ibis

    met = ibis.literal(True)
    for name, wanted in where.items():
        met = met & _one(accounts[name].fill_null(NOT_GIVEN), wanted)
    return met


def _one(value: ir.StringValue, wanted: Any) -> ir.BooleanValue:
    import ibis

    if not isinstance(wanted, dict):
        return value.isin([str(each) for each in (wanted if isinstance(wanted, list) else [wanted])])
    met = ibis.literal(True)
    for word, limit in wanted.items():
        if word == "not":
            met = met & ~_one(value, limit)
        else:
            number = value.try_cast("decimal(18, 4)")
            met = met & COMPARISONS[word](number, ibis.literal(str(limit)).cast("decimal(18, 4)")).fill_null(False)
    return met


def _sheet(
    db: DuckDBPyConnection,
    sheet: EligibilitySheet,
    engagement: Engagement,
    readings: dict[str, Reading],
    products: Sequence[str],
) -> list[Rule]:
    columns = columns_of(db, "eligibility_sheet", sheet, engagement, readings)
    first = columns.names.get("segment", sheet.attribute)
    columns.names["segment"] = first
    offered = [each for each in columns.reading.columns if each not in (first, *PROVENANCE)]
    for name in offered:
        _known(f"eligibility_sheet: column {name!r}", name, products)
    cells = ", ".join(f"lower(nullif(trim(cast({quoted(each)} as varchar)), ''))" for each in offered)
    rows = db.execute(f"select {columns.text('segment')}, {cells} from {quoted(columns.reading.view)}").fetchall()
    words = {str(each).lower(): True for each in sheet.yes} | {str(each).lower(): False for each in sheet.no}
    strange = sorted({word for row in rows for word in row[1:] if (word or "") not in words})
    if strange:
        raise DataError(
            "The eligibility sheet has words that mean neither yes nor no.",
            f"Found {listed(strange)}.",
            "Add them to eligibility_sheet.yes or .no.",
        )
    _refuse_missing_segments(db, sheet.attribute, {row[0] or NOT_GIVEN for row in rows})
    return [
        _rule(
            0,
            EligibilityRule(
                products=(name,),
                where={sheet.attribute: [row[0] or NOT_GIVEN for row in rows if words[row[place] or ""]]},
            ),
            products,
            [sheet.attribute],
        )
        for place, name in enumerate(offered, 1)
    ]


def _refuse_missing_segments(db: DuckDBPyConnection, attribute: str, covered: set[str]) -> None:
    column = f"coalesce({quoted(attribute)}, '{NOT_GIVEN}')"
    there = db.execute(f"select {column}, count(*) from accounts group by 1 order by 1").fetchall()
    missing = [f"{value} ({n} accounts)" for value, n in there if value not in covered]
    if missing:
        raise DataError(
            f"The eligibility sheet has no row for some values of {attribute!r}.",
            f"Missing: {listed(missing)}.",
            f'Add a row for each; accounts without the attribute are "{NOT_GIVEN}".',
        )
