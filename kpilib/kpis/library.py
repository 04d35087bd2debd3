"""The cards: what each KPI is, how it is read and what may go wrong, as data beside the function that computes it.

A KPI is one file in ``cards/`` and one function in the kit. :func:`uncomputed` names the cards whose function is not
there; a test asks it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kpilib.engagement import Band, Engagement
from kpilib.errors import DataError, KpiError, listed, near

FOLDER = Path(__file__).parent / "cards"
KIT = "kpilib"

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


class CardError(KpiError):
    """A card cannot be read, or says what no card may say."""


class Part(BaseModel):
    """A part of a card: unknown keys are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Question(Part):
    """A question that finds the cause; ``answered_by`` names what answers it from a client's data."""

    question: Text
    answered_by: str | None = None


class Clarification(Part):
    """What readers ask about the KPI itself, and the answer."""

    question: Text
    answer: Text


class Stretch(Band):
    """A band as published: where it begins, in per cent, and how it is read."""

    reading: str = ""


class Bands(Part):
    """Bands as one source has them, for one denominator and no other."""

    name: Text
    denominator: Text
    source: Text
    bands: Annotated[tuple[Stretch, ...], Field(min_length=1)]
    most_products: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _rising(self) -> Bands:
        floors = [each.floor for each in self.bands]
        if floors[0] != (0, False) or sorted(set(floors)) != floors:
            raise ValueError("list bands from low to high; the first begins at 0 and says neither at_least nor above")
        return self


class Card(Part):
    """Everything an analyst must be able to say of a KPI.

    ``formula`` is in words, ``function`` the kit's function that computes it, from the library's
    root (``penetration.curve``). ``denominator`` is the one word that bands and benchmarks are bound
    to. ``visualizations`` that a figure of the kit draws are said so.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]
    name: Text
    says: Text
    unit: Literal["share", "products", "slots", "money", "score"]
    stock_or_flow: Literal["stock", "flow"]
    formula: Text
    function: Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)+$")]
    denominator: Text
    counted: Text
    definition: Text
    business_insights: Text
    measurement_approach: Text
    standard_formula: Text
    trend_analysis: Text
    diagnostic_questions: Annotated[tuple[Question, ...], Field(min_length=2)]
    actionable_tips: Texts
    visualization_suggestions: Texts
    risk_warnings: Texts
    tools_and_technologies: Text
    integration_points: Text
    change_impact: Text
    related: Texts
    categories: Texts
    industries: Texts
    pitfalls: Texts
    improvement_levers: Texts
    review_cadence: Text
    bands: tuple[Bands, ...] = ()
    clarifications: tuple[Clarification, ...] = ()
    sources: Texts


@cache
def all_cards() -> dict[str, Card]:
    """Read every card, by id, in the order in which a reader would meet them."""
    read = [read_card(path) for path in FOLDER.glob("*.toml")]
    found = {each.id: each for each in read}
    return {name: found[name] for name in sorted(found, key=_place)}


def read_card(path: Path) -> Card:
    """Read one card and check it.

    Raises
    ------
    CardError
        With every fault of it at once.
    """
    try:
        card = Card(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise CardError(f"The card {path.name} is at fault.", _faults(error)) from error
    if card.id != path.stem:
        raise CardError(f"The card {path.name} says its id is {card.id!r}.", do="Give both one name.")
    return card


def cards() -> pd.DataFrame:
    """List the KPIs.

    Returns
    -------
    One row per card: id, name, says (a line), unit, stock_or_flow, denominator, formula, function,
    has_bands (bool), review_cadence.
    """
    columns = ["id", "name", "says", "unit", "stock_or_flow", "denominator", "formula", "function", "review_cadence"]
    rows = [
        {name: getattr(each, name) for name in columns} | {"has_bands": bool(each.bands)}
        for each in all_cards().values()
    ]
    return pd.DataFrame(rows, columns=[*columns[:-1], "has_bands", columns[-1]])


def card(kpi: str) -> Card:
    """Give one card.

    Raises
    ------
    DataError
        When there is none of that id, with the ones that may have been meant.

    Example
    -------
    >>> card("account_penetration_degree").name
    'Account Penetration Degree'
    >>> card("atach_rate")
    Traceback (most recent call last):
    ...
    kpilib.errors.DataError: There is no card 'atach_rate'. Did you mean 'attach_rate'? kpi cards lists them all.

    Part of an id names all that have it: ``penetration`` the degree and the index.
    """
    known = all_cards()
    if kpi not in known:
        holding = [each for each in known if kpi.strip().lower() in each]
        meant = f"Did you mean {' or '.join(map(repr, holding))}?" if kpi.strip() and holding else near(kpi, known)
        raise DataError(f"There is no card {kpi!r}.", meant, "kpi cards lists them all.")
    return known[kpi]


def bands(kpi: str, denominator: str | None = None, engagement: Engagement | None = None) -> pd.DataFrame:
    """Give the bands of a KPI, for the denominator they were made for and for no other.

    The same 40 % is low against all a customer could buy and high against recorded opportunities,
    so bands are never lent from one KPI to another.

    Parameters
    ----------
    denominator
        What the figure at hand divides by; without it the card's own.
    engagement
        Whose own bands replace the shipped ones, and whose reading of the index is heeded.

    Returns
    -------
    One row per band of each set, from low to high: set, denominator, band, at_least and above (per
    cent), reading, action, source, most_products (the longest catalogue they suit, where it is known).

    Raises
    ------
    DataError
        When the KPI has no bands, or none for that denominator.
    """
    its = card(kpi)
    asked = denominator or _denominator(its, engagement)
    if not its.bands:
        raise DataError(
            f"{its.name} has no bands.",
            f"Bands are bound to a KPI and its denominator; there are some for {_with_bands()}.",
            "Compare it with its own past, with plan, or with the peer reference.",
        )
    found = [each for each in its.bands if each.denominator == asked]
    if not found:
        has = listed(list(dict.fromkeys(each.denominator for each in its.bands)))
        raise DataError(
            f"The bands of {its.name} do not hold for {asked!r} as denominator.",
            f"They were made for {has}.",
            "Set bands of your own under [[bands]], or show the figure without any.",
        )
    own = engagement is not None and _banded_by_engagement(its) and not engagement.has_shipped_bands
    return _of_engagement(engagement, asked) if own else _of_card(found)


def placed(
    kpi: str, value: float, engagement: Engagement | None = None, products: int | None = None
) -> list[tuple[str, str]]:
    """Place a figure (0-1) in the bands bound to it: the set and the band, for each set.

    Raises
    ------
    DataError
        As :func:`bands`, and when more products are on sale than the bands were made for.

    Example
    -------
    >>> placed("account_penetration_index", 0.28)
    [('baseline', 'below the baseline'), ('three steps', 'moderate')]
    >>> placed("account_penetration_index", 0.30)[1]  # strong begins above 30
    ('three steps', 'moderate')
    """
    limits = bands(kpi, engagement=engagement)
    most = limits["most_products"].dropna().min()
    if products is not None and products > most:  # a missing limit compares as false
        raise DataError(
            f"The published bands are not read on {card(kpi).name} here.",
            f"They were made for up to {most} products; {products} are on sale.",
            "Set bands of your own, or compare with the peer reference.",
        )
    return [(str(name), _reached(rows, round(100 * value, 9))) for name, rows in limits.groupby("set", sort=False)]


def uncomputed() -> pd.DataFrame:
    """List the cards whose function the kit does not have.

    Returns
    -------
    One row per such card: id, function, lacking (``module`` or ``function``).
    """
    rows = [
        {"id": each.id, "function": each.function, "lacking": lacking}
        for each in all_cards().values()
        if (lacking := _lacking(each.function))
    ]
    return pd.DataFrame(rows, columns=["id", "function", "lacking"])


ORDER = (
    "account_penetration_degree", "account_penetration_index", "multi_product_share", "products_per_account",
    "attach_rate", "cross_sell_rate", "whitespace_slots", "whitespace_value", "existing_account_growth",
    "net_revenue_retention", "gross_revenue_retention", "account_retention", "growth_balance",
    "feedback_coverage", "feedback_score", "offer_coverage", "share_of_wallet", "peer_reference",
)  # fmt: skip
_BAND_COLUMNS = ["set", "denominator", "band", "at_least", "above", "reading", "action", "source", "most_products"]


def _place(kpi: str) -> tuple[int, str]:
    """Put the cards in reading order; one that was added later comes after them."""
    return (ORDER.index(kpi) if kpi in ORDER else len(ORDER), kpi)


def _faults(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'card'}: {each['msg']}" for each in error.errors())
    return str(error)


def _denominator(its: Card, engagement: Engagement | None) -> str:
    """Say what a KPI divides by, under the engagement's reading of the index."""
    engaged = engagement is not None and engagement.index_reading == "engaged"
    return "accounts counted" if engaged and its.id == "account_penetration_index" else its.denominator


def _banded_by_engagement(its: Card) -> bool:
    """Tell whether the engagement's ``[[bands]]`` are meant for this KPI: they are bands of the degree."""
    return its.id == "account_penetration_degree"


def _with_bands() -> str:
    return listed([f"{each.id} ({each.bands[0].denominator})" for each in all_cards().values() if each.bands])


def _reached(rows: pd.DataFrame, percent: float) -> str:
    """Name the last band whose beginning a figure reaches."""
    reached = rows["band"].iloc[0]
    for band in rows.itertuples():
        from_here = band.at_least is not None and percent >= band.at_least
        if from_here or (band.above is not None and percent > band.above):
            reached = band.band
    return str(reached)


def _of_card(sets: list[Bands]) -> pd.DataFrame:
    rows = [
        [
            *(each.name, each.denominator, band.name, band.at_least, band.above, band.reading, band.action),
            *(each.source, each.most_products),
        ]
        for each in sets
        for band in each.bands
    ]
    return pd.DataFrame(rows, columns=_BAND_COLUMNS, dtype="object")


def _of_engagement(engagement: Engagement, denominator: str) -> pd.DataFrame:
    rows = [
        [
            "the client's own",
            denominator,
            band.name,
            band.at_least,
            band.above,
            "",
            band.action,
            "engagement.toml",
            None,
        ]
        for band in engagement.bands
    ]
    return pd.DataFrame(rows, columns=_BAND_COLUMNS, dtype="object")


def _lacking(function: str) -> str | None:
    module, _, name = function.rpartition(".")
    if find_spec(f"{KIT}.{module.partition('.')[0]}") is None or find_spec(f"{KIT}.{module}") is None:
        return "module"
    return None if callable(getattr(import_module(f"{KIT}.{module}"), name, None)) else "function"
