"""A client's own figure of a KPI, for its card: value, n, change, bands.

One function for each KPI in :data:`MEASURED`; one more KPI is one more function there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import pandas as pd

from kpilib import feedback, offered, peers, penetration, revenue, whitespace
from kpilib.book import Book
from kpilib.kpis import library
from kpilib.measures import change as changes
from kpilib.measures import counts, queries
from kpilib.measures import degree as degrees


@dataclass(frozen=True)
class Figure:
    """What a KPI is at one client, at a quarter's end.

    ``value`` is a share (0-1) or a number, None where undefined, and ``lacking`` says why. ``n`` counts what the card
    calls counted. ``change`` is against ``against`` (a quarter), in the value's unit, with a 95 % interval where one is
    defined. ``parts`` are figures that belong to it: (name, value) in the same unit. ``bands`` are rows of
    ``penetration.bands``; of the degree only. ``spans`` are the later and the earlier period that revenue is of.
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
    spans: tuple[str, str] | None = None


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
    moved: tuple[float | None, ...] = (None, None, None)
    if before:
        found = changes.share_with(counts.transitions(book, before, quarter), 2)
        moved = (two["share"] - two["share_before"], found.low, found.high)
    on_sale = degrees.products_on_sale(book, quarter)
    parts = tuple((f"{k} or more", curve["share"].get(k, 0.0)) for k in (1, 3, 4, 6, 8) if k <= on_sale)
    return Figure("multi_product_share", quarter, two["share"], int(two["n"]), *moved, before, parts)


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


def whitespace_slots(book: Book, quarter: str) -> Figure:
    """Slots that are possible and not held; what stands in their way as parts."""
    found = whitespace.slots(book, quarter)
    if found.empty:
        return Figure("whitespace_slots", quarter, None, lacking="Nothing is possible for anyone.")
    row = found.iloc[0]
    parts = tuple((told, float(row[each])) for each, told in SLOTS.items())
    return Figure("whitespace_slots", quarter, float(row["whitespace"]), int(row["possible"]), parts=parts)


def whitespace_value(book: Book, quarter: str, most: int = 5) -> Figure:
    """Expected revenue of next quarter from what is open; the products worth most are its parts."""
    found = whitespace.value(book, quarter)
    if found is None:
        lacking = "Chances of a sale did not stand the test on past quarters, or no amounts are known: no value is put."
        return Figure("whitespace_value", quarter, None, lacking=lacking)
    worth = found.assign(value=found["value"].astype(float)).sort_values("value", ascending=False, kind="stable")
    parts = tuple(zip(worth["product_id"].astype(str)[:most], worth["value"][:most], strict=True))
    return Figure("whitespace_value", quarter, float(worth["value"].sum()), int(found["slots"].sum()), parts=parts)


def of_existing(book: Book, quarter: str, kpi: str) -> Figure:
    """What became of the revenue of existing accounts, by ``kpi``; the other figures of it are its parts."""
    spans = revenue.longest(book, quarter)
    if spans is None:
        return Figure(kpi, quarter, None, lacking=NO_EARLIER_REVENUE)
    row = revenue.retention(book, quarter, **spans).iloc[0]
    if row["suppressed"]:
        return Figure(kpi, quarter, None, lacking=_few(book))
    parts = tuple((told, float(row[each])) for each, told in EXISTING.items() if each != kpi)
    return Figure(kpi, quarter, float(row[kpi]), int(row["n"]), parts=parts, spans=_spans(row))


def growth_balance(book: Book, quarter: str) -> Figure:
    """The change of revenue, and the parts that it is made of."""
    spans = revenue.longest(book, quarter)
    if spans is None:
        return Figure("growth_balance", quarter, None, lacking=NO_EARLIER_REVENUE)
    found = revenue.growth_balance(book, quarter, **spans).set_index("part")
    amount = found["amount"].astype(float)
    parts = tuple((each, float(amount[each])) for each in revenue.PARTS)
    change = float(amount["later"] - amount["earlier"])
    return Figure("growth_balance", quarter, change, parts=parts, spans=_spans(found.iloc[0]))


def share_of_wallet(book: Book, quarter: str) -> Figure:
    """Revenue of twelve months, of what the same accounts spend in all."""
    label, kpi = queries.moment(book, quarter).label, "share_of_wallet"
    if not (book.has("wallet") and book.has("holdings")):
        return Figure(kpi, quarter, None, lacking="It needs revenue, and what customers spend in all.")
    if label not in revenue.covered(book)[3:]:
        return Figure(kpi, quarter, None, lacking="The data do not cover the twelve months that end with the quarter.")
    found = revenue.share_of_wallet(book, quarter)
    if not found.n:
        return Figure(kpi, quarter, None, lacking="No customer's spend is known on that day.")
    if found.n < book.engagement.minimum_cell:
        return Figure(kpi, quarter, None, lacking=_few(book))
    return Figure(kpi, quarter, found.value, found.n)


def feedback_coverage(book: Book, quarter: str) -> Figure:
    """The share of accounts that gave feedback; by band as parts."""
    found = feedback.coverage(book, quarter)
    return _heard(book, quarter, "feedback_coverage", found, "coverage", "accounts")


def feedback_score(book: Book, quarter: str) -> Figure:
    """The mean score; by band as parts."""
    return _heard(book, quarter, "feedback_score", feedback.score(book, quarter), "score", "n")


def offer_coverage(book: Book, quarter: str) -> Figure:
    """What was ever offered, of all that could be; by owner as parts."""
    found = offered.by_owner(book, quarter)
    if found is None:
        needed = {"opportunities": "a record of sales opportunities", "owner": "an owner for each customer"}
        lacking = " and ".join(needed[each] for each in offered.lacking(book))
        return Figure("offer_coverage", quarter, None, lacking=f"It needs {lacking}.")
    could = int(found["offered"].sum() + found["never_offered"].sum())
    if not could:
        return Figure("offer_coverage", quarter, None, lacking="There was nothing to offer.")
    known = found[~found["suppressed"]].dropna(subset=["coverage"])
    parts = tuple(zip(known["group"].astype(str), known["coverage"].astype(float), strict=True))
    return Figure("offer_coverage", quarter, float(found["offered"].sum()) / could, could, parts=parts)


def peer_reference(book: Book, quarter: str) -> Figure:
    """What the best quarter of all accounts reach; by the first attribute as parts."""
    value, n = peers.reach(book, quarter), degrees.of(book, quarter).n
    parts = ()
    for by in book.engagement.segment_by[:1]:
        found = peers.peer_reference(book, quarter, by)
        found = found[~found["suppressed"]]
        parts = tuple(zip(found["group"].astype(str), found["peer_reference"].astype(float), strict=True))
    return Figure("peer_reference", quarter, value, n, parts=parts)


def _heard(book: Book, quarter: str, kpi: str, found: pd.DataFrame | None, column: str, counted: str) -> Figure:
    if found is None:
        return Figure(kpi, quarter, None, lacking="It needs feedback of customers: who, when, which score.")
    row = found.iloc[0]
    if pd.isna(row[column]):
        return Figure(kpi, quarter, None, lacking=_few(book))
    bands = feedback.by_band(book, quarter).dropna(subset=[column])
    bands = bands[~bands["suppressed"]]
    names = "band " + bands["band"].astype(str)  # "low" alone would read as the end of an interval
    parts = tuple(zip(names, bands[column].astype(float), strict=True))
    return Figure(kpi, quarter, float(row[column]), int(row[counted]), parts=parts)


def _spans(row: pd.Series) -> tuple[str, str]:
    return str(row["later"]), str(row["earlier"])


def _few(book: Book) -> str:
    return f"It would rest on fewer than {book.engagement.minimum_cell} customers."


NO_EARLIER_REVENUE = "The data cover no earlier period of revenue to compare with."
SLOTS = {
    "pipeline": "being offered",
    "lost offer": "offered and lost",
    "blocked": "must not be sold",
    "open": "open",
}
EXISTING = {
    "existing_account_growth": "growth of their revenue",
    "net_revenue_retention": "their revenue, net",
    "gross_revenue_retention": "kept before any growth",
    "account_retention": "customers who bought again",
}
MEASURED: Mapping[str, Callable[[Book, str], Figure]] = MappingProxyType(
    {
        "account_penetration_degree": degree,
        "account_penetration_index": index,
        "multi_product_share": multi_product,
        "products_per_account": products_per_account,
        "attach_rate": attach_rate,
        "cross_sell_rate": cross_sell,
        "whitespace_slots": whitespace_slots,
        "whitespace_value": whitespace_value,
        **{kpi: partial(of_existing, kpi=kpi) for kpi in EXISTING},
        "growth_balance": growth_balance,
        "feedback_coverage": feedback_coverage,
        "feedback_score": feedback_score,
        "offer_coverage": offer_coverage,
        "share_of_wallet": share_of_wallet,
        "peer_reference": peer_reference,
    }
)
