"""The headline figures of a quarter, as people read them and as other programs rely on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.measures import attach, bands, change, counts, degree, offers, queries
from kpilib.measures.change import Change
from kpilib.measures.degree import Degree
from kpilib.measures.offers import Index
from kpilib.measures.queries import Moment


@dataclass(frozen=True)
class Headline:
    """One quarter in figures, for all accounts of the base or for one ``group`` of them.

    Shares are from 0 to 1 and None where undefined. ``accounts_lost`` were in the base a quarter
    earlier and are not now (None unless both quarters are complete). ``products`` are on sale on
    the day. ``multi_product_share`` runs over k from 1 to the most any account of the base holds (2
    at least); above that it is 0. ``lapsing`` counts holdings past their usual interval, None
    without sales evidence. Revenue is exact, None where the client gives none.
    """

    quarter: str
    as_of: date
    complete: bool
    base: str
    lookback_months: int
    degree: Degree
    accounts_lost: int | None
    products: int
    multi_product_share: dict[int, float | None]
    index: Index | None
    lapsing: int | None
    bands: dict[str, int]
    attach_rate: dict[str, float | None]
    revenue_quarter: Decimal | None
    revenue_window: Decimal | None
    change: Change | None
    group: str | None = None
    groups: tuple[Headline, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Write the object that ``kpi measure --format json`` prints.

        Shares are rounded to 12 decimals and points (differences of shares times 100) to 6, so that
        every engine writes the same; amounts are decimal strings, undefined is None.
        """
        own = {} if self.group is None else {"group": self.group}
        groups = {} if self.groups is None else {"groups": [each.as_dict() for each in self.groups]}
        return {
            **own,
            **{"quarter": self.quarter, "as_of": self.as_of.isoformat(), "complete": self.complete},
            **{"base": self.base, "lookback_months": self.lookback_months},
            **self._counted(),
            "revenue_quarter": _amount(self.revenue_quarter),
            "revenue_window": _amount(self.revenue_window),
            "change": self.change and _change(self.change),
            **groups,
        }

    def _counted(self) -> dict[str, Any]:
        """Write what is counted and its shares."""
        found = self.degree
        return {
            "accounts": found.accounts,
            "accounts_nothing_possible": found.nothing_possible,
            "n": found.n,
            "accounts_lost": self.accounts_lost,
            "products": self.products,
            "account_penetration_degree": {name: _share(getattr(found, name)) for name in ("mean", "pooled", "median")},
            "multi_product_share": {str(k): _share(share) for k, share in self.multi_product_share.items()},
            "account_penetration_index": self.index and _index(self.index),
            "products_per_account": _share(found.products_per_account),
            "lapsing": self.lapsing,
            "bands": dict(self.bands),
            "attach_rate": {name: _share(rate) for name, rate in self.attach_rate.items()},
        }


def headline(book: Book, quarter: str | None = None, by: str | None = None, against: str | None = None) -> Headline:
    """Measure the headline figures, of all accounts and, with ``by``, of each group.

    Raises
    ------
    DataError
        When the base is empty or nothing is possible for any account of it, and where ``against``
        cannot be compared: see :func:`kpilib.measures.change.between`.
    """
    at = queries.moment(book, quarter)
    earlier = against and change.measure_of(book, at.label, against)
    found = _read(book, at, by, earlier)
    degree.required(book, at.label, degree.measured(found.pairs))
    if earlier:
        degree.of(book, earlier)
    measure = _Measure(book, at, against, earlier)
    total = measure.of(found)
    if by is None:
        return total
    groups = tuple(measure.of(found.of(each), {by: each}) for each in found.groups)
    return replace(total, groups=groups)


@dataclass(frozen=True)
class _Counts:
    """Everything that is counted for the headline, by group where groups are asked for."""

    pairs: pd.DataFrame
    products: pd.DataFrame
    slots: pd.DataFrame | None
    lapsing: pd.DataFrame | None
    lost: pd.DataFrame | None
    moves: pd.DataFrame | None
    most_held: int

    @property
    def groups(self) -> list[str]:
        """The groups that have accounts in the base now, or had some, those not given last."""
        frames = [each for each in (self.pairs, self.lost, self.moves) if each is not None]
        return queries.in_order(group for each in frames for group in each["group"])

    def of(self, group: str) -> _Counts:
        """Keep the counts of one group."""
        frames = {name: each for name, each in vars(self).items() if isinstance(each, pd.DataFrame)}
        return replace(self, **{name: frame[frame["group"] == group] for name, frame in frames.items()})


def _read(book: Book, at: Moment, by: str | None, earlier: str | None) -> _Counts:
    """Count once; the groups partition the accounts, so the total is their sum."""
    pairs = counts.pairs(book, by=by, quarters=[at.label], rules=bands.rules(book.engagement))
    before = change.previous(book, at.label)
    return _Counts(
        pairs=pairs,
        products=counts.by_product(book, at.label, by=by),
        slots=offers.slots(book, at.label, by=by),
        lapsing=attach.lapsing_slots(book, at.label, by=by),
        lost=before and counts.transitions(book, before, at.label, by),
        moves=earlier and counts.transitions(book, earlier, at.label, by),
        most_held=max(2, degree.most_held(pairs)),
    )


@dataclass(frozen=True)
class _Measure:
    """One quarter of one book, against one other: measured for all accounts and for each group."""

    book: Book
    at: Moment
    against: str | None
    earlier: str | None

    def of(self, found: _Counts, segment: dict[str, str] | None = None) -> Headline:
        book, at, whole = self.book, self.at, degree.measured(found.pairs)
        known = range(1, found.most_held + 1)
        return Headline(
            **{"quarter": at.label, "as_of": at.as_of, "complete": at.complete},
            **{"base": book.base, "lookback_months": book.lookback_months, "degree": whole},
            accounts_lost=_lost(found.lost),
            products=degree.on_sale(book, at),
            multi_product_share={k: degree.multi_share(found.pairs, k) for k in known},
            index=offers.index_of(found.pairs, found.slots, book.engagement.index_reading),
            lapsing=None if found.lapsing is None else len(found.lapsing),
            bands=bands.accounts_in(found.pairs, book.engagement),
            attach_rate=_attach_rate(found.products, book.products["product_id"]),
            revenue_quarter=degree.summed(found.pairs["revenue_quarter"]),
            revenue_window=degree.summed(found.pairs["revenue_window"]),
            change=self._change(found, whole, segment),
            group=None if segment is None else next(iter(segment.values())),
        )

    def _change(self, found: _Counts, whole: Degree, segment: dict[str, str] | None) -> Change | None:
        if self.against is None:
            return None
        if found.moves is None:
            target = change.target(self.book, self.at.label, segment)
            return change.against_plan(whole.mean, target)
        return change.of(found.moves, self.earlier or "")


def _lost(moves: pd.DataFrame | None) -> int | None:
    if moves is None:
        return None
    return int(moves.loc[moves["in_earlier"] & ~moves["in_later"], "accounts"].sum())


def _attach_rate(products: pd.DataFrame, catalogue: pd.Series) -> dict[str, float | None]:
    summed = products.groupby("product_id")[["possible", "held"]].sum()
    summed = summed.reindex(catalogue, fill_value=0)
    return {str(row.Index): row.held / row.possible if row.possible else None for row in summed.itertuples()}


def _index(index: Index) -> dict[str, Any]:
    coverage = _share(index.logging_coverage)
    return {"value": _share(index.value), "reading": index.reading, "logging_coverage": coverage}


def _change(found: Change) -> dict[str, Any]:
    same = {
        "n": found.same_accounts_n,
        "points": _points(found.same_accounts),
        "interval": _interval(found.same_low, found.same_high),
    }
    return {
        "against": found.against,
        "points": _points(found.points),
        "interval": _interval(found.low, found.high),
        "same_accounts": None if found.same_accounts_n is None else same,
    }


def _interval(*limits: float | None) -> list[float | None] | None:
    return None if None in limits else [_points(each) for each in limits]


def _share(value: float | None) -> float | None:
    return None if value is None else _rounded(value, 12)


def _points(value: float | None) -> float | None:
    return None if value is None else _rounded(100 * value, 6)


def _rounded(value: float, decimals: int) -> float:
    """Round, and never write a minus before zero."""
    return round(float(value), decimals) + 0.0


def _amount(value: Decimal | None) -> str | None:
    """Write an amount with two decimals, or as many as it needs.

    Example
    -------
    >>> _amount(Decimal("1194791.0800")), _amount(Decimal("0.1250"))
    ('1194791.08', '0.125')
    """
    if value is None:
        return None
    cents = round(value, 2)
    return f"{cents:f}" if cents == value else f"{value.normalize():f}"
