"""The diagnostic questions of the cards, asked of a client's data.

Each function returns what a sentence in ``wording.cards`` of the same name tells, or None where the
data cannot answer. A card's question names one of them (``answered_by``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any

import pandas as pd

from kpilib import feedback, offered, penetration, pitfalls, revenue
from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.measures import change, queries
from kpilib.penetration import Change
from kpilib.revenue import Impact, Wallet, cohort, periods


@dataclass(frozen=True)
class Base:
    """Accounts counted now and at the earlier quarter; who joined and who left in between."""

    against: str
    accounts: int
    before: int
    joined: int
    lost: int


@dataclass(frozen=True)
class Catalogue:
    """Products on sale now and at the earlier quarter."""

    against: str
    products: int
    before: int


@dataclass(frozen=True)
class Carriers:
    """The change by segment: rows of ``penetration.by_segment`` with ``by``, and the change they are part of."""

    by: str
    rows: pd.DataFrame
    change: Change


@dataclass(frozen=True)
class Products:
    """The change by product: rows of ``penetration.by_product``; fewer customers than ``smallest`` carry no word."""

    rows: pd.DataFrame
    smallest: int


@dataclass(frozen=True)
class Step:
    """The k at which most accounts are left behind: ``share`` has k or more, ``next_share`` has k + 1 or more."""

    k: int
    share: float
    next_share: float


@dataclass(frozen=True)
class Fared:
    """What became of customers by the band they were in; amounts in ``currency``."""

    impact: Impact
    currency: str | None


@dataclass(frozen=True)
class Turnover:
    """Customers with revenue in two periods of equal length; who brought none before, and who brings none now."""

    earlier: str
    later: str
    before: int
    now: int
    won: int
    lost: int


@dataclass(frozen=True)
class Existing:
    """What customers of both periods added: by products they had (more less less) and by products won less dropped."""

    earlier: str
    later: str
    same: Any
    products: Any
    currency: str | None


@dataclass(frozen=True)
class Largest:
    """The ``largest`` customers of the earlier period: their ``share`` of its revenue; net retention with and without.

    ``retained`` is of all, ``without`` of the others.
    """

    largest: int
    share: float
    retained: float
    without: float | None


@dataclass(frozen=True)
class Unasked:
    """Customers without an answer for twelve months: ``due`` of ``accounts``, and the band with most of them.

    ``band`` is None where it, or all the others together, are fewer than may be shown.
    """

    due: int
    accounts: int
    band: str | None
    band_due: int
    band_accounts: int


@dataclass(frozen=True)
class Subjects:
    """The product and the topic with the lowest score: rows with of, group, score, n; ``score`` of all who answered.

    Only those below that of all; no row where none is.
    """

    rows: pd.DataFrame
    score: float


@dataclass(frozen=True)
class NeverOffered:
    """Owners and products without any offer though ``smallest`` customers or more could be offered it.

    Rows with group (owner), product_id, never_offered; most customers first.
    """

    rows: pd.DataFrame
    smallest: int


def same_accounts(book: Book, quarter: str) -> Change | None:
    """Compare with the quarter before: as reported, and of the accounts counted both times."""
    before = penetration.previous(book, quarter)
    return penetration.change(book, quarter, before) if before else None


def base(book: Book, quarter: str) -> Base | None:
    """Count who came and who went since the quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    rows = penetration.by_quarter(book, quarter).set_index("quarter")
    now = rows.loc[quarter]
    return Base(before, int(now["accounts"]), int(rows.loc[before, "accounts"]), int(now["joined"]), int(now["lost"]))


def catalogue(book: Book, quarter: str) -> Catalogue | None:
    """Count the products on sale now and a quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    return Catalogue(before, *(penetration.products_on_sale(book, each) for each in (quarter, before)))


def carriers(book: Book, quarter: str) -> Carriers | None:
    """Split the change by the first attribute that the engagement compares."""
    change = same_accounts(book, quarter)
    if change is None or not book.engagement.segment_by:
        return None
    by = book.engagement.segment_by[0]
    return Carriers(by, penetration.by_segment(book, quarter, by, change.against), change)


def products(book: Book, quarter: str) -> Products | None:
    """Compare every product's attach rate with the quarter before."""
    before = penetration.previous(book, quarter)
    if before is None:
        return None
    return Products(penetration.by_product(book, quarter, before), book.engagement.minimum_cell)


def tenure(book: Book, quarter: str) -> pd.DataFrame:
    """Measure the degree by how long customers have been with us."""
    return pitfalls.by_tenure(book, quarter)


def lapsing(book: Book, quarter: str) -> Any:
    """Count the holdings past their usual interval."""
    return penetration.lapsing(book, quarter)


def logging(book: Book, quarter: str) -> Any:
    """Say how many holdings have a recorded opportunity."""
    found = penetration.index(book, quarter)
    return found if found is not None and found.logging_coverage is not None else None


def states(book: Book, quarter: str) -> pd.DataFrame | None:
    """Count what became of the slots that are not held, where anything is recorded of them."""
    found = penetration.states(book, quarter)
    told = book.has("opportunities") or book.has("blocked")
    return found if told else None


def step(book: Book, quarter: str) -> Step:
    """Find the step of the curve over k at which the largest share of accounts stops."""
    shares = [1.0, *penetration.curve(book, quarter)["share"].astype(float), 0.0]
    k = max(range(len(shares) - 1), key=lambda each: shares[each] - shares[each + 1])
    return Step(k, shares[k], shares[k + 1])


def last_year(book: Book, quarter: str) -> Change | None:
    """Compare with the same quarter of last year."""
    before = change.last_year(book, quarter)
    return penetration.change(book, quarter, before) if before else None


def fared(book: Book, quarter: str) -> Fared | None:
    """Follow customers from what they had: who came back, and what they brought."""
    earlier = revenue.earlier_quarter(book, quarter)
    return Fared(revenue.impact(book, earlier, quarter), book.engagement.currency) if earlier else None


def turnover(book: Book, quarter: str) -> Turnover | None:
    """Count who brought revenue in the two periods that money is compared over."""
    spans = revenue.longest(book, quarter)
    if spans is None:
        return None
    kept = revenue.retention(book, quarter, **spans).iloc[0]
    parts = revenue.growth_balance(book, quarter, **spans).set_index("part")
    n, stayed, won = int(kept["n"]), int(kept["retained"]), int(parts.loc["new accounts", "accounts"])
    return Turnover(str(kept["earlier"]), str(kept["later"]), n, stayed + won, won, n - stayed)


def same_or_new(book: Book, quarter: str) -> Existing | None:
    """Part what customers of both periods added by the products they had before and others."""
    spans = revenue.longest(book, quarter)
    if spans is None:
        return None
    parts = revenue.growth_balance(book, quarter, **spans).set_index("part")
    amount, periods_ = parts["amount"], parts.iloc[0]
    same = amount["more of the same"] + amount["less of the same"]
    won = amount["new products"] + amount["products dropped"]
    return Existing(periods_["earlier"], periods_["later"], same, won, book.engagement.currency)


def few_customers(book: Book, quarter: str) -> Largest | None:
    """Take net retention with and without the tenth of customers who brought most before."""
    spans = revenue.longest(book, quarter)
    if spans is None:
        return None
    found = queries.fetch(book, cohort.per_account(book, periods.of(book, quarter, **spans)), order=["account_id"])
    found = found[found["before"] > 0].sort_values("before", ascending=False, kind="stable")
    smallest = book.engagement.minimum_cell
    largest = max(smallest, ceil(len(found) / 10))
    if len(found) - largest < smallest:
        return None
    before, after = (found[each].tolist() for each in ("before", "after"))
    share, retained = float(sum(before[:largest]) / sum(before)), float(sum(after) / sum(before))
    return Largest(largest, share, retained, float(sum(after[largest:]) / sum(before[largest:])))


def spend_known(book: Book, quarter: str) -> Wallet | None:
    """Count the customers whose spend is known, with its days."""
    known = book.has("wallet") and book.has("holdings")
    label = queries.moment(book, quarter).label
    return revenue.share_of_wallet(book, quarter) if known and label in revenue.covered(book)[3:] else None


def heard(book: Book, quarter: str) -> pd.DataFrame | None:
    """Count the customers who gave feedback."""
    return feedback.coverage(book, quarter)


def not_asked(book: Book, quarter: str) -> Unasked | None:
    """Count the customers without an answer for a year, and find the band with most of them."""
    if not book.has("feedback"):
        return None
    listed = feedback.band_actions(book, quarter)["band"].value_counts()
    due = {each.name: len(feedback.to_ask(book, quarter, each.name)) for each in book.engagement.bands}
    most, everyone = max(due, key=lambda each: due[each]), int(listed.sum())
    inside = int(listed.get(most, 0))
    shown = min(inside, everyone - inside or inside) >= book.engagement.minimum_cell
    return Unasked(sum(due.values()), everyone, most if shown else None, due[most], inside)


def subjects(book: Book, quarter: str) -> Subjects | None:
    """Find the product and the topic with the lowest score, of those that may be shown; not of one alone."""
    overall = feedback.score(book, quarter)
    if overall is None or pd.isna(overall["score"].iloc[0]):
        return None
    parts = []
    for of in ("product_id", "topic"):
        found = feedback.by_subject(book, quarter, of)
        if found is not None:
            shown = found[~found["suppressed"] & (found["group"] != queries.NOT_GIVEN)]
            parts += [shown.nsmallest(1, "score").assign(of=of)] if len(shown) > 1 else []
    if not parts:
        return None
    everyone = float(overall["score"].iloc[0])
    rows = pd.concat(parts, ignore_index=True)[["of", "group", "score", "n"]]
    return Subjects(rows[rows["score"] < everyone], everyone)


def never_offered(book: Book, quarter: str) -> NeverOffered | None:
    """List the owners and products without any offer, though enough customers could be offered it."""
    found = offered.offer_coverage(book, quarter)
    if found is None:
        return None
    smallest = book.engagement.minimum_cell
    none = found[(found["offered"] == 0) & (found["never_offered"] >= smallest)]
    rows = none.sort_values("never_offered", ascending=False, kind="stable")
    return NeverOffered(rows[["group", "product_id", "never_offered"]].reset_index(drop=True), smallest)


ASKED: Mapping[str, Callable[[Book, str], Any]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            *(same_accounts, last_year, base, catalogue, carriers, products, lapsing, logging, states, step, tenure),
            *(fared, turnover, same_or_new, few_customers, spend_known, heard, not_asked, subjects, never_offered),
        )
    }
)


def ask(book: Book, quarter: str, name: str) -> Any:
    """Ask one question of the data by its name; None where they cannot answer it."""
    if name not in ASKED:
        raise DataError(f"No question is called {name!r}.", near(name, ASKED))
    return ASKED[name](book, quarter)
