"""Published figures, and whether they may stand beside the client's: most may not.

A row is drawn only where its definition is ours, as it stands or after a transform that is stated,
and where it comes from the client's own industry. Every other row is listed with the reason.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kpilib import penetration
from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.errors import DataError, SourceError, near
from kpilib.kpis import library
from kpilib.measures import degree

COMPARABLE = ("comparable", "comparable after transform")
STATISTICS = ("pooled", "mean", "share with k or more", "mean over holders", "mean over the base")  # drawn beside ours

Number = Annotated[float | None, BeforeValidator(lambda text: None if text == "" else text)]
Whole = Annotated[int | None, BeforeValidator(lambda text: None if text == "" else text)]
Text = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """One published figure, with all it takes to judge it.

    ``value``, or ``low`` and ``high`` for bounds, in ``unit``; ``k`` and ``products`` for shares of
    customers with k products or more of so many on sale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: Text
    kpi: Text
    value: Number = None
    low: Number = None
    high: Number = None
    unit: Literal["percent", "products", "per 100 households", "score"]
    statistic: Text
    k: Whole = None
    products: Whole = None
    type: str = ""
    company_size: str = ""
    time_period: Text
    population: Text
    industry: str = ""
    geography: str = ""
    sample_size: Whole = None
    source: Text
    source_excerpt: str = ""
    formula: Text
    value_basis: Text
    stock_or_flow: Literal["stock", "flow"]
    edition: Text
    superseded_by: str = ""
    verdict: Literal["comparable", "comparable after transform", "context only", "not comparable"]
    transform: str = ""
    reason: Text
    confidence: Literal["confirmed", "secondary"]

    @model_validator(mode="after")
    def _one_figure(self) -> Row:
        bounded = self.low is not None and self.high is not None
        if (self.value is None) != bounded or (self.low is None) != (self.high is None):
            raise ValueError("give either value, or low and high")
        if bounded and self.low > self.high:
            raise ValueError("low is above high")
        if (self.verdict == "comparable after transform") != bool(self.transform):
            raise ValueError("a transform is stated where the verdict is 'comparable after transform', and only there")
        if self.verdict in COMPARABLE and self.statistic not in STATISTICS:
            raise ValueError(f"a comparable row's statistic is one of {', '.join(STATISTICS)}")
        if self.verdict in COMPARABLE and (self.statistic == "share with k or more") != (self.k is not None):
            raise ValueError("k belongs to a share of customers with k products or more")
        return self


@dataclass(frozen=True)
class Beside:
    """The client's figures with what may stand beside them.

    ``client`` has one row per statistic of ours: what, k (missing but for shares with k or more), value.
    ``rows`` has the comparable rows with ``client`` (ours, in the same statistic); ``left_out`` the
    others, each with why. ``products`` is how many the client has on sale.
    """

    kpi: str
    client: pd.DataFrame
    rows: pd.DataFrame
    left_out: pd.DataFrame
    products: int = 0


def load(engagement: Engagement | None = None) -> pd.DataFrame:
    """Read the shipped rows, and those that a client adds beside its engagement.

    Returns
    -------
    One row per published figure, columns as in :class:`Row`; with ``origin`` (shipped, or the
    client's own), and value, low and high as shares (0-1) where the unit is percent.

    Raises
    ------
    SourceError
        When a file is not there, or rows of it are at fault: all of them at once.
    """
    found = _read(_shipped(), "shipped")
    if engagement is not None and engagement.benchmarks:
        found += _read(engagement.folder / engagement.benchmarks, "the client's own")
    table = pd.DataFrame(found, columns=[*Row.model_fields, "origin"]).astype(object)
    twice = table["id"][table["id"].duplicated()]
    if len(twice):
        raise SourceError(f"Two benchmark rows are called {twice.iloc[0]!r}.", do="Give each a name of its own.")
    return table.where(table.notna(), None)


def comparable(table: pd.DataFrame, kpi: str, industry: str | None = None, k: int | None = None) -> pd.DataFrame:
    """Keep the rows that may stand beside a client's figure of a KPI.

    Parameters
    ----------
    industry
        The client's, as the engagement names it. Without it no row from one industry is comparable.
    k
        Only the shares of customers with so many products or more.
    """
    library.card(kpi)
    mine = table[table["kpi"] == kpi]
    mine = mine if k is None else mine[mine["k"] == k]
    return mine[[reason is None for reason in _reasons(mine, industry)]].reset_index(drop=True)


def why_not(table: pd.DataFrame, kpi: str, industry: str | None = None) -> pd.DataFrame:
    """List the rows of a KPI that may not stand beside a client's figure, and why.

    Returns
    -------
    One row per such row: id, value, low, high, unit, k, population, time_period, source, verdict,
    reason.
    """
    library.card(kpi)
    mine = table[table["kpi"] == kpi]
    reasons = _reasons(mine, industry)
    told = mine.assign(reason=reasons)[[each is not None for each in reasons]]
    columns = ["id", "value", "low", "high", "unit", "k", "population", "time_period", "source", "verdict", "reason"]
    return told[columns].reset_index(drop=True)


def overlay(table: pd.DataFrame, ids: Iterable[str], kpi: str, industry: str | None = None) -> pd.DataFrame:
    """Pick rows to be drawn beside a KPI, or refuse.

    Raises
    ------
    DataError
        When a row is not there, is about another KPI, or is not comparable, with the reason.
    """
    known, ids = table.set_index("id", drop=False), list(ids)
    for each in ids:
        if each not in known.index:
            raise DataError(f"There is no benchmark {each!r}.", near(each, known.index))
        row = known.loc[each]
        reason = f"It is about {row['kpi']}." if row["kpi"] != kpi else _reason(row.to_dict(), industry)
        if reason is not None:
            raise DataError(
                f"{each} is not drawn beside {kpi}.", reason, "Name it in the text with its reason, or leave it out."
            )
    return known.loc[ids].reset_index(drop=True)


def beside(book: Book, quarter: str, kpi: str) -> Beside:
    """Measure the client's figure in every statistic that a comparable row has, and set both side by side.

    Raises
    ------
    DataError
        When the kit sets no benchmarks beside that KPI.
    """
    engagement = book.engagement
    table = load(engagement)
    ours = _ours(book, quarter, kpi)
    rows = comparable(table, kpi, engagement.industry)
    on_sale = degree.products_on_sale(book, quarter)
    rows, too_many = _within_reach(rows, on_sale)
    own = {(each.what, _whole(each.k)): each.value for each in ours.itertuples()}
    beyond = 0.0 if kpi == "multi_product_share" else None  # the curve ends where nobody has so many
    keys = zip(rows["statistic"], rows["k"].map(_whole), strict=True)
    rows = rows.assign(client=[own.get(key, beyond) for key in keys])
    left_out = why_not(table, kpi, engagement.industry)
    if len(too_many):
        left_out = pd.concat([left_out, too_many[list(left_out)]], ignore_index=True)
    return Beside(kpi, ours, rows, left_out, on_sale)


def _within_reach(rows: pd.DataFrame, on_sale: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the shares that customers of a catalogue of this size can reach from those they cannot, with the reason.

    To have all of a small catalogue is not what it is to have as many of a larger one.
    """
    larger = [_whole(each) is not None and each > on_sale for each in rows["products"]]
    counts = [_whole(k) or 0 for k in rows["k"]]
    out = [k > on_sale or (k == on_sale and more) for k, more in zip(counts, larger, strict=True)]
    why = [f"It counts customers with {k} products or more, and this client has {on_sale} on sale." for k in counts]
    beyond = pd.Series(out, index=rows.index, dtype=bool)
    return rows[~beyond].reset_index(drop=True), rows.assign(reason=why)[beyond]


def left_out(found: Iterable[Beside]) -> pd.DataFrame:
    """Put together what may not stand beside several of the client's figures: kpi, and the columns of :func:`why_not`.

    A KPI that the client has no figure of is left out.
    """
    each = [one.left_out.assign(kpi=one.kpi) for one in found if len(one.client)]
    return pd.concat(each, ignore_index=True) if each else pd.DataFrame()


def _ours(book: Book, quarter: str, kpi: str) -> pd.DataFrame:
    """Measure the statistics of a KPI that benchmarks may have."""
    if kpi == "account_penetration_degree":
        found = degree.of(book, quarter)
        rows = [("mean", None, found.mean), ("pooled", None, found.pooled)]
    elif kpi == "multi_product_share":
        curve = penetration.curve(book, quarter)
        rows = [("share with k or more", int(each.k), each.share) for each in curve.itertuples()]
    elif kpi == "products_per_account":
        per = penetration.products_per_account(book, quarter).set_index("over")["products_per_account"]
        rows = [("mean over the base", None, per["base"]), ("mean over holders", None, per["holders"])]
    elif kpi == "account_penetration_index":
        index = penetration.index(book, quarter)
        rows = [("pooled", None, index.value)] if index is not None and index.reading == "opportunities" else []
    else:
        measured = "account_penetration_degree, account_penetration_index, multi_product_share, products_per_account"
        raise DataError(f"No benchmark is set beside {kpi}.", f"There are some for {measured}.")
    return pd.DataFrame(rows, columns=["what", "k", "value"]).astype({"value": "float64"})


def _reasons(rows: pd.DataFrame, industry: str | None) -> list[str | None]:
    return [_reason(row, industry) for row in rows.to_dict("records")]


def _reason(row: dict[str, Any], industry: str | None) -> str | None:
    """Say why a row may not be drawn; None where it may."""
    if row["verdict"] not in COMPARABLE:
        return row["reason"]
    its = row["industry"]
    if not its or (industry or "").casefold() == its.casefold():
        return None
    if not industry:
        return f"It is from {its}, and this client's industry is not stated."
    return f"It is from {its}; the client is in {industry}."


def _shipped() -> Path:
    """The rows that come with the kit: beside the library, or where the command is run."""
    beside = Path(__file__).resolve().parents[2] / "data" / "benchmarks.csv"
    return beside if beside.is_file() else Path("data") / "benchmarks.csv"


def _read(path: Path, origin: str) -> list[dict[str, Any]]:
    if not path.is_file():
        raise SourceError(f"There are no benchmarks at {path}.", do="Give a CSV beside the engagement.toml.")
    with path.open(encoding="utf-8-sig", newline="") as file:
        told = list(csv.DictReader(file))
    rows, faults = [], []
    for number, cells in enumerate(told, 2):
        try:
            rows.append(_in_shares(_known(Row(**{name: cell or "" for name, cell in cells.items() if name}))))
        except (ValidationError, DataError) as error:
            faults.append(f"line {number}: {_fault(error)}")
    if faults:
        raise SourceError(f"{path.name} has rows at fault:\n" + "\n".join(f"  - {each}" for each in faults))
    return [row | {"origin": origin} for row in rows]


def _known(row: Row) -> Row:
    library.card(row.kpi)
    return row


def _in_shares(row: Row) -> dict[str, Any]:
    scale = 100 if row.unit == "percent" else 1
    figures = {name: getattr(row, name) for name in ("value", "low", "high")}
    return row.model_dump() | {name: None if each is None else each / scale for name, each in figures.items()}


def _fault(error: ValidationError | DataError) -> str:
    if isinstance(error, DataError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'row'}: {each['msg']}" for each in error.errors())


def _whole(k: object) -> int | None:
    return None if pd.isna(k) else int(k)
