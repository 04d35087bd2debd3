"""``engagement.toml`` as a validated, frozen model: where a client's facts are and what its words mean.

Every key is described in ``data/README.md``. :func:`load` reports all problems at once, each naming its key
and the remedy.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from datetime import date as Day  # a field is called date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from kpilib.errors import MEND_RIGHT, EngagementError, QuarterError, listed, near
from kpilib.files import files_of
from kpilib.planned import Target, target_contradictions
from kpilib.quarters import Calendar, Quarter

MOST_LOOKBACK = 360  # months: the engine nests as deep as a window has quarters

Words = tuple[str, ...]
Where = dict[str, Any]


class Model(BaseModel):
    """A part of the engagement: unknown keys are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Source(Model):
    """Files of one shape, or a query over other sources, read as they stand.

    ``path`` may be a glob, a list, or ``package:NAME/file`` for data inside an installed package.
    """

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a separator

    path: Words = ()
    sql: str | None = None
    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    header_row: int = Field(1, ge=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    date_format: Words = ()
    timezone: str | None = None

    @field_validator("path", "date_format", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("path")
    @classmethod
    def _found(cls, paths: Words, info: ValidationInfo) -> Words:
        folder = (info.context or {}).get("folder", Path())
        return tuple(str(file) for path in paths for file in files_of(path, folder))


class Facts(Model):
    """A table of the kit fed from a source, or from ``rows`` typed into the engagement."""

    source: str | None = None
    rows: tuple[dict[str, Any], ...] = ()
    columns: dict[str, str] = {}


class Wide(Model):
    """A matrix: one row per account, one column per product, with words, 0/1 or counts."""

    account_id: str
    date: str | None = None
    products: Words | dict[str, str]
    yes: Words = ("yes", "y", "true", "x")
    no: Words = ("no", "n", "false", "")


class Evidence(Facts):
    """What proves a holding; several tables may stand side by side."""

    kind: Literal["sales", "subscriptions", "installed", "snapshot", "revenue"]
    wide: Wide | None = None
    products: Words = ()
    date: Day | None = None
    life_months: int | None = Field(None, gt=0)
    duplicate_key: Words = ()
    duplicates: Literal["keep", "set aside"] = "keep"


class Accounts(Facts):
    """Who the accounts are; ``complete`` says that an id outside this table is an error."""

    attributes: Words | dict[str, str] | None = None
    complete: bool = False


class Catalogue(Facts):
    """The products an account could hold, with the days they were launched and retired."""

    products: Words | Literal["as sold"] = ()
    outside: Words = ()


class EligibilityRule(Model):
    """Products that only accounts with certain attributes could hold."""

    products: Words
    where: Where
    start: Day | None = Field(None, alias="from")
    stop: Day | None = Field(None, alias="until")


class EligibilitySheet(Facts):
    """The same as a sheet: one row per value of an attribute, one column per product."""

    attribute: str
    yes: Words = ("yes", "y", "true", "x", "1")
    no: Words = ("no", "n", "false", "", "0")


class Opportunities(Facts):
    """Recorded sales opportunities, and which of the client's words mean won, lost and open."""

    won: Words = ("won",)
    lost: Words = ("lost",)
    open: Words = ("open",)


class Feedback(Facts):
    """What customers said of us; ``scale`` is the lowest and the highest score they could give."""

    scale: tuple[Decimal, Decimal]


ITSELF = ("customer", "account", "account_id")  # words for a unit that is the account itself


class Programmes(Facts):
    """Who took part in what, and from when; ``unit`` names what was assigned, ``yes`` marks a hold-out.

    ``unit`` is a column of the table, an account attribute, or one of :data:`ITSELF`.
    """

    name: str = "the programme"
    unit: str | None = None
    yes: Words = ("yes", "y", "true", "x", "1")
    no: Words = ("no", "n", "false", "", "0")


class Band(Model):
    """A named stretch of penetration, in per cent: from ``at_least``, or from just ``above``."""

    name: str
    at_least: Decimal | None = Field(None, ge=0, le=100)
    above: Decimal | None = Field(None, ge=0, le=100)
    action: str = ""

    @property
    def floor(self) -> tuple[Decimal, bool]:
        """Where it begins, and whether just above that."""
        return (self.above, True) if self.above is not None else (self.at_least or Decimal(0), False)


class SegmentBands(Model):
    """Bands for some accounts only."""

    where: dict[str, Words]
    bands: tuple[Band, ...]

    @field_validator("where", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return {key: (each,) if isinstance(each, str) else each for key, each in dict(value).items()}


class Control(Model):
    """A total as finance states it."""

    quarter: str
    revenue: Decimal | None = None
    accounts: int | None = None


SHIPPED_BANDS = (
    Band(name="low", action="find out at once why they hold so little"),
    Band(name="moderate", at_least=50, action="ask how satisfied they are before offering more"),
    Band(name="healthy", at_least=70, action="keep, and look for the next product"),
    Band(name="very high", above=85, action="guard: little is left to sell"),
)


class Engagement(Model):
    """Everything that differs from one client to the next."""

    client: str = Field(min_length=1)
    data_from: Day
    data_to: Day
    evidence: tuple[Evidence, ...] = Field(min_length=1)
    catalogue: Catalogue
    sources: dict[str, Source] = {}
    accounts: Accounts | None = None
    grain: Facts | None = None
    eligibility: tuple[EligibilityRule, ...] = ()
    eligibility_sheet: EligibilitySheet | None = None
    blocked: Facts | None = None
    opportunities: Opportunities | None = None
    feedback: Feedback | None = None
    interactions: Facts | None = None
    programmes: Programmes | None = None
    wallet: Facts | None = None
    targets: tuple[Target, ...] = ()
    control_totals: tuple[Control, ...] = ()
    currency: str | None = None
    industry: str | None = None
    benchmarks: str | None = None
    base: Literal["all", "active", "eligible"] | None = None
    lookback_months: int = Field(12, gt=0)
    lookback_by_product: dict[str, int] = {}
    fiscal_year_start: int = Field(1, ge=1, le=12)
    fiscal_year_named_by: Literal["start", "end"] = "end"
    segment_by: Words = ()
    bands: tuple[Band, ...] = SHIPPED_BANDS
    segment_bands: tuple[SegmentBands, ...] = ()
    minimum_cell: int = Field(5, ge=1)
    index_reading: Literal["opportunities", "engaged"] = "opportunities"
    free_items_count: bool = False
    chapters: Words = ()
    allow_set_aside: float = Field(0.01, ge=0, le=1)
    path: Path

    @property
    def folder(self) -> Path:
        """Where the engagement lives."""
        return self.path.parent

    @property
    def calendar(self) -> Calendar:
        """The client's fiscal quarters."""
        return Calendar(self.fiscal_year_start, self.fiscal_year_named_by)

    @property
    def quarters(self) -> tuple[Quarter, ...]:
        """Every quarter the data touch, oldest first."""
        return tuple(self.calendar.between(self.data_from, self.data_to))

    @property
    def counted(self) -> str:
        """The base: as declared, else active where all evidence is sales, else all on file."""
        only_sales = all(each.kind in ("sales", "revenue") for each in self.evidence)
        return self.base or ("active" if only_sales else "all")

    @property
    def has_shipped_bands(self) -> bool:
        """Whether the bands are the kit's own, made for small catalogues."""
        return self.bands == SHIPPED_BANDS


def load(path: str | Path) -> Engagement:
    """Read and validate an engagement, given its file or its folder.

    Raises
    ------
    EngagementError
        With every unknown key, wrong type, missing file and contradiction at once.
    """
    file = Path(path)
    try:
        file = file / "engagement.toml" if file.is_dir() else file
        if not file.is_file():
            raise EngagementError(file, ["no such file. Give the path of an engagement.toml or its folder"])
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EngagementError(file, [f"it is not TOML in UTF-8: {error}"]) from error
    except OSError as error:
        raise EngagementError(file, [f"it cannot be read: {error.strerror}. {MEND_RIGHT}"]) from error
    engagement, problems = _validated({**raw, "path": file.resolve()})
    if problems:
        raise EngagementError(file, problems)
    return engagement


STAND_INS: dict[str, Any] = {
    "client": "?",
    "data_from": Day.min,
    "data_to": Day.max,
    "evidence": [{"kind": "revenue", "rows": [{}]}],
    "catalogue": {"products": "as sold"},
}


def _validated(raw: dict[str, Any]) -> tuple[Engagement | None, list[str]]:
    """Validate, contradictions included; where the model fails, a mended copy lets them be told as well."""
    context = {"folder": raw["path"].parent}
    try:
        engagement = Engagement.model_validate(raw, context=context)
        return engagement, _contradictions(engagement)
    except ValidationError as error:
        told = [each for each in error.errors() if each["type"] != "too_short" or len(error.errors()) == 1]
        problems = list(dict.fromkeys(_problem(each) for each in told))
        mended, left = _mended(raw, [each["loc"] for each in error.errors()])
    try:
        engagement = Engagement.model_validate(mended, context=context)
    except ValidationError:
        return None, problems
    return engagement, problems + [_as_written(each, left) for each in _contradictions(engagement)]


def _mended(raw: dict[str, Any], wrong: list[tuple[Any, ...]]) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Copy the engagement without its wrong entries; what must be there gets a stand-in. Also what is left of lists."""
    mended, left = dict(raw), {}
    for key in dict.fromkeys(loc[0] for loc in wrong):
        part, odd = raw.get(key), {loc[1] for loc in wrong if loc[0] == key and len(loc) > 1}
        places = [n for n in range(len(part)) if n not in odd] if isinstance(part, list) and odd else []
        if places:
            mended[key], left[key] = [part[n] for n in places], places
        elif key == "sources" and odd and isinstance(part, dict):
            mended[key] = part | {each: {"sql": "select 1"} for each in odd}
        else:
            mended.pop(key, None)
    return {**STAND_INS, **mended}, left


def _as_written(problem: str, left: dict[str, list[int]]) -> str:
    """Number the entries of lists as the file does, which also has those that were left out."""
    places = {f"{key}[{n}]": f"{key}[{at + 1}]" for key, kept in left.items() for n, at in enumerate(kept, 1)}
    return re.sub(r"\b\w+\[\d+\]", lambda found: places.get(found[0], found[0]), problem)


def _problem(error: Any) -> str:
    """Word one validation error: the key, what is wrong, what to do."""
    key = _dotted(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}. {near(str(error['loc'][-1]), _known_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{key!r} is missing. Add it; data/README.md describes it"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    return f"{key}: {error['msg']}, not {error['input']!r}."


def _dotted(loc: tuple[Any, ...]) -> str:
    """Write a place in the file as ``evidence[1].columns``."""
    text = "".join(f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in loc)
    return re.sub(r"\.(tuple|literal|dict|constrained)\[[^]]*\.\.\.[^.]*|\.function[^.]*", "", text).lstrip(".")


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """List the keys a part of the engagement may have."""
    model: Any = Engagement
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items() if name != "path" or model is Source]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the part of the engagement that a type such as ``tuple[Evidence, ...]`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _contradictions(engagement: Engagement) -> list[str]:
    """List what is well formed and cannot be meant."""
    found = [*_source_contradictions(engagement), *_time_contradictions(engagement)]
    found += [*_product_contradictions(engagement), *_record_contradictions(engagement)]
    found += target_contradictions(engagement.targets, engagement.index_reading, engagement.opportunities is not None)
    found += _band_contradictions("bands", engagement.bands)
    for number, each in enumerate(engagement.segment_bands, 1):
        found += _band_contradictions(f"segment_bands[{number}].bands", each.bands)
        if [band.name for band in each.bands] != [band.name for band in engagement.bands]:
            found.append(f"segment_bands[{number}]: its names must be those of the bands, in order")
    return found


def _record_contradictions(engagement: Engagement) -> list[str]:
    feedback, programmes = engagement.feedback, engagement.programmes
    found = []
    if feedback and feedback.scale[0] >= feedback.scale[1]:
        found.append("feedback.scale: write the lowest score, then the highest, as in [0, 10]")
    if programmes and (both := set(programmes.yes) & set(programmes.no)):
        found.append(f"programmes: {listed(sorted(both))} both in yes and in no")
    if engagement.benchmarks and not (engagement.folder / engagement.benchmarks).is_file():
        found.append(f"benchmarks: no such file: {engagement.benchmarks!r}. Correct its path, or leave benchmarks out")
    return found


def _source_contradictions(engagement: Engagement) -> list[str]:
    found = []
    for name, source in engagement.sources.items():
        if not name.isidentifier():
            found.append(f"sources.{name}: name it with letters, digits and _, so that SQL can say it")
        if bool(source.path) == bool(source.sql):
            found.append(f"sources.{name}: give either path or sql")
    for key, facts in tables_of(engagement).items():
        choices = 'products (a list, or "as sold"), source or rows' if key == "catalogue" else "source or rows"
        typed = key == "catalogue" and engagement.catalogue.products
        if bool(facts.source) + bool(facts.rows) + bool(typed) != 1:
            found.append(f"{key}: give {choices}")
        if facts.source and facts.source not in engagement.sources:
            found.append(f"{key}: no source {facts.source!r}. {near(facts.source, engagement.sources)}")
    return found


def tables_of(engagement: Engagement) -> dict[str, Facts]:
    """Every table that the engagement declares, by its key."""
    tables = {f"evidence[{n}]": each for n, each in enumerate(engagement.evidence, 1)}
    optional = ("eligibility_sheet", "blocked", "opportunities", "feedback", "interactions", "programmes", "wallet")
    for key in ("accounts", "grain", "catalogue", *optional):
        if (facts := getattr(engagement, key)) is not None:
            tables[key] = facts
    return tables


def _time_contradictions(engagement: Engagement) -> list[str]:
    found = []
    if engagement.data_from > engagement.data_to:
        found.append("data_from is after data_to")
    lookbacks = {"lookback_months": engagement.lookback_months}
    lookbacks |= {f"lookback_by_product.{k}": v for k, v in engagement.lookback_by_product.items()}
    for key, months in lookbacks.items():
        if fault := lookback_fault(months):
            found.append(f"{key}: {months} months are {fault}")
    for key in ("targets", "control_totals"):
        for number, each in enumerate(getattr(engagement, key), 1):
            try:
                engagement.calendar.parse(each.quarter)
            except QuarterError as error:
                found.append(f"{key}[{number}].quarter: {error}")
                continue
            if key == "control_totals" and engagement.calendar.parse(each.quarter) not in engagement.quarters:
                span = f"{engagement.quarters[0]} to {engagement.quarters[-1]}" if engagement.quarters else "nothing"
                found.append(f"{key}[{number}].quarter: {each.quarter} lies outside the data, which cover {span}")
    for number, each in enumerate(engagement.eligibility, 1):
        if each.start and each.stop and each.start >= each.stop:
            found.append(f"eligibility[{number}]: from ({each.start}) is not before until ({each.stop}): correct one")
    for number, each in enumerate(engagement.evidence, 1):
        if each.kind == "snapshot" and each.date:
            found += _snapshot_day(f"evidence[{number}].date", each.date, engagement)
    return found


def lookback_fault(months: int | Decimal) -> str:
    """Say what is wrong with a look-back of so many months; empty where nothing is.

    Example
    -------
    >>> lookback_fault(5)
    'not whole quarters. Use 3, 6, 9, 12, ...'
    >>> lookback_fault(12)
    ''
    """
    if months <= 0 or months % 3:
        return "not whole quarters. Use 3, 6, 9, 12, ..."
    if months > MOST_LOOKBACK:
        return f'more than {MOST_LOOKBACK}. Use fewer; what is had for good is evidence of kind "installed"'
    return ""


def _snapshot_day(key: str, day: Day, engagement: Engagement) -> list[str]:
    end = engagement.calendar.containing(day).last_day
    so = f"{key}: a snapshot is valid on its own day only, and {day} ends no quarter."
    return [] if day == end else [f"{so} If it may stand for the quarter's end, write {end}"]


def _product_contradictions(engagement: Engagement) -> list[str]:
    found = []
    products = engagement.catalogue.products
    if isinstance(products, tuple) and products:
        twice = sorted({each for each in products if products.count(each) > 1})
        both = sorted(set(products) & set(engagement.catalogue.outside))
        found += [f"catalogue.products: {listed(twice)} named twice"] if twice else []
        found += [f"catalogue: {listed(both)} both in products and outside"] if both else []
        named = {f"eligibility[{n}].products": each.products for n, each in enumerate(engagement.eligibility, 1)}
        named |= {f"evidence[{n}].products": each.products for n, each in enumerate(engagement.evidence, 1)}
        named["lookback_by_product"] = tuple(engagement.lookback_by_product)
        named |= {f"targets[{n}].product": (t.product,) for n, t in enumerate(engagement.targets, 1) if t.product}
        for key, each in named.items():
            found += [
                f"{key}: {name!r} is not in the catalogue. {near(name, products)}"
                for name in each
                if name not in products
            ]
    return found


def _band_contradictions(key: str, bands: tuple[Band, ...]) -> list[str]:
    floors = [band.floor for band in bands]
    if not bands or floors[0] != (Decimal(0), False):
        return [f"{key}: the first band starts at 0, so it has neither at_least nor above"]
    if any(band.at_least is not None and band.above is not None for band in bands):
        return [f"{key}: a band has at_least or above, not both"]
    if any(after <= before for before, after in itertools.pairwise(floors)):
        return [f"{key}: list the bands from low to high"]
    return []
