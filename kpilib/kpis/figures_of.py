"""A client's own figure of a KPI, for its card: value, n, change, bands.

One function for each KPI in :data:`MEASURED`; one more KPI is one more function there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from kpilib import penetration
from kpilib.book import Book
from kpilib.kpis import library
from kpilib.measures import degree as degrees


@dataclass(frozen=True)
class Figure:
    """What a KPI is at one client, at a quarter's end.

    ``value`` is a share (0-1) or a number, None where undefined, and ``lacking`` says why. ``n`` counts what the card
    calls counted. ``change`` is against ``against`` (a quarter), in the value's unit, with a 95 % interval where one is
    defined. ``parts`` are figures that belong to it: (name, value) in the same unit. ``bands`` are rows of
    ``penetration.bands``; of the degree only.
    """

    kpi: str
    quarter: str
    value: float | None
    n: int | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    against: str | None = None
    parts: tuple[tuple[str, float | None], ...] = ()
    bands: pd.DataFrame | None = None
    lacking: str | None = None


def figure(book: Book, kpi: str, quarter: str) -> Figure | None:
    """Measure a KPI for its card; None where the card shows no client's figure yet.

    Raises
    ------
    DataError
        When there is no such card.
    """
    measure = MEASURED.get(library.card(kpi).id)
    return measure(book, quarter) if measure else None


def degree(book: Book, quarter: str) -> Figure:
    """The mean degree; pooled and median are its parts."""
    found = degrees.of(book, quarter)
    before = penetration.previous(book, quarter)
    change = penetration.change(book, quarter, before) if before else None
    moved = (change.points, change.low, change.high, before) if change else (None, None, None, None)
    parts = (("pooled over all customers", found.pooled), ("median customer", found.median))
    return Figure(
        "account_penetration_degree", quarter, found.mean, found.n, *moved, parts, penetration.bands(book, quarter)
    )


def index(book: Book, quarter: str) -> Figure:
    """The index in the engagement's reading, with its logging coverage."""
    found = penetration.index(book, quarter)
    kpi = "account_penetration_index"
    if found is None:
        two = penetration.curve(book, quarter).set_index("k")["share"].get(2)
        parts = (("customers with two products or more, which is another figure", two),)
        lacking = "There is no table of opportunities: the index needs one with every offer, won, open or lost."
        return Figure(kpi, quarter, None, parts=parts, lacking=lacking)
    if found.reading == "engaged":
        lacking = "In the reading the engagement asks for: customers with two products or more. No bands hold for it."
        return Figure(kpi, quarter, found.value, degrees.of(book, quarter).accounts, lacking=lacking)
    parts = (("products held that have a record", found.logging_coverage),)
    lacking = None if found.recorded else "No opportunity was recorded in the look-back."
    return Figure(kpi, quarter, found.value, found.recorded, parts=parts, lacking=lacking)


def multi_product(book: Book, quarter: str) -> Figure:
    """The share with two products or more; the next steps of the curve are its parts."""
    before = penetration.previous(book, quarter)
    curve = penetration.curve(book, quarter, before).set_index("k")
    two = curve.loc[2]
    change = two["share"] - two["share_before"] if before else None
    parts = tuple((f"{k} or more", curve["share"].get(k, 0.0)) for k in (1, 3, 4, 6, 8))
    return Figure(
        "multi_product_share", quarter, two["share"], int(two["n"]), change=change, against=before, parts=parts
    )


def products_per_account(book: Book, quarter: str) -> Figure:
    """The mean over all counted; over those who have any as its part."""
    found = penetration.products_per_account(book, quarter).set_index("over")
    before = penetration.previous(book, quarter)
    value = found.loc["base", "products_per_account"]
    change = None
    if before:
        earlier = penetration.products_per_account(book, before).set_index("over")
        change = value - earlier.loc["base", "products_per_account"]
    held = found.loc["holders", "products_per_account"]
    parts = (("over customers who have any", None if pd.isna(held) else float(held)),)
    n = int(found.loc["base", "accounts"])
    return Figure("products_per_account", quarter, value, n, change=change, against=before, parts=parts)


def attach_rate(book: Book, quarter: str, most: int = 5) -> Figure:
    """No single value: the products most and least held are its parts."""
    found = penetration.by_product(book, quarter).dropna(subset=["attach_rate"])
    found = found.sort_values("attach_rate", ascending=False, kind="stable")
    ends = found if len(found) <= 2 * most else pd.concat([found.head(most), found.tail(most)])
    parts = tuple(zip(ends["product_id"].astype(str), ends["attach_rate"].astype(float), strict=True))
    lacking = "One figure for each product" + (", the highest and the lowest here." if len(found) > 2 * most else ".")
    return Figure("attach_rate", quarter, None, parts=parts, lacking=lacking)


def cross_sell(book: Book, quarter: str) -> Figure:
    """The share that gained a product in the quarter."""
    found = penetration.cross_sell(book, quarter)
    if found is None:
        lacking = "There is no complete quarter before this one to compare with."
        return Figure("cross_sell_rate", quarter, None, lacking=lacking)
    only = found.only_launched / found.accounts if found.accounts else None
    parts = (("of it, gained only what was just launched", only),)
    return Figure("cross_sell_rate", quarter, found.share, found.accounts, parts=parts)


MEASURED: Mapping[str, Callable[[Book, str], Figure]] = MappingProxyType(
    {
        "account_penetration_degree": degree,
        "account_penetration_index": index,
        "multi_product_share": multi_product,
        "products_per_account": products_per_account,
        "attach_rate": attach_rate,
        "cross_sell_rate": cross_sell,
    }
)
