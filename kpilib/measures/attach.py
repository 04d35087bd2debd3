"""Products: who could hold each, who does, who came and went, and what is about to lapse."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from kpilib.book import Book
from kpilib.measures import change, counts, degree, queries, uncertainty


@dataclass(frozen=True)
class Lapsing:
    """Holdings past their usual interval, of all holdings of the base."""

    slots: int
    held: int

    @property
    def share(self) -> float | None:
        """Share of the holdings, 0 to 1."""
        return self.slots / self.held if self.held else None


@dataclass(frozen=True)
class CrossSell:
    """Accounts that gained a product in the quarter, of those in the base at both its ends.

    ``only_launched`` gained nothing but products that were not possible for them before.
    """

    gained: int
    accounts: int
    only_launched: int

    @property
    def share(self) -> float | None:
        """The cross-sell rate, 0 to 1."""
        return self.gained / self.accounts if self.accounts else None


def by_product(book: Book, quarter: str, against: str | None = None) -> pd.DataFrame:
    """Attach rates: holders among the accounts for which a product is possible.

    Returns
    -------
    One row per product of the catalogue, in its order: product_id, family, possible, held
    (accounts), attach_rate and attach_before (0 to 1; missing where it is possible for nobody),
    change (difference of shares, of the accounts for which it is possible at both quarters), low,
    high (Newcombe's method 10), n_both (those accounts), lapsing (holdings of it past their usual
    interval), revenue_quarter (Decimal, of all accounts; missing without revenue).
    """
    found = counts.by_product(book, quarter).set_index("product_id", drop=False)
    found["attach_rate"] = _rate(found)
    found["lapsing"] = _lapsing_by_product(book, quarter, found)
    found["revenue_quarter"] = _revenue(book, quarter, found)
    found = found.join(_moved(book, quarter, against))
    return degree.table(found.to_dict("records"), _COLUMNS)


def given(book: Book, quarter: str, product: str) -> pd.DataFrame:
    """Attach rates among the holders of one product, beside those among all accounts.

    Returns
    -------
    One row per other product, in catalogue order: product_id, family, possible, held (accounts that
    hold ``product``), attach_rate (among them), attach_overall (among all; both 0 to 1).
    """
    holders = counts.by_product(book, quarter, given=product)
    overall = _rate(counts.by_product(book, quarter))
    found = holders.assign(attach_rate=_rate(holders), attach_overall=overall)
    return found[found["product_id"] != product].reset_index(drop=True)


def cross_sell(book: Book, quarter: str) -> CrossSell | None:
    """Count who gained a product in the quarter; None when the quarter before is not comparable."""
    before = change.previous(book, quarter)
    if before is None:
        return None
    found = counts.gains(book, before, quarter)
    return CrossSell(found["gained"], found["accounts"], found["gained_only_launched"])


def lapsing(book: Book, quarter: str) -> Lapsing | None:
    """Count the holdings past their usual interval; None without sales evidence."""
    rows = lapsing_slots(book, quarter)
    if rows is None:
        return None
    return Lapsing(len(rows), degree.measured(counts.pairs(book, quarters=[quarter])).held)


def lapsing_slots(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame | None:
    """List the holdings of the base that are past their usual interval.

    Returns
    -------
    The rows the book keeps as lapsing (account_id, product_id, last_day, days_since, usual_gap),
    with possible, held, in_base and [group]; only those held by an account of the base. None
    without sales evidence.
    """
    rows = book.lapsing(queries.moment(book, quarter).label)
    if rows is None:
        return None
    found = counts.at_slots(book, quarter, rows, by)
    return found[found["held"] & found["in_base"]].reset_index(drop=True)


_COLUMNS = {
    **{"product_id": "object", "family": "object", "possible": "int64", "held": "int64"},
    **dict.fromkeys(("attach_rate", "attach_before", "change", "low", "high"), "float64"),
    **{"n_both": "Int64", "lapsing": "Int64", "revenue_quarter": "object"},
}
_MOVED = ("attach_before", "change", "low", "high", "n_both")


def _rate(products: pd.DataFrame) -> pd.Series:
    """Divide holders by the accounts for which a product is possible; missing where none is."""
    return products["held"] / products["possible"].where(products["possible"] > 0)


def _moved(book: Book, quarter: str, against: str | None) -> pd.DataFrame:
    """Compare every product with an earlier quarter; an empty comparison without one."""
    if against is None:
        return pd.DataFrame(columns=list(_MOVED), index=pd.Index([], name="product_id"))
    before, now = change.comparable(book, quarter, against)
    changes = counts.product_changes(book, before.label, now.label)
    told = [uncertainty.share_change(row.both, row.lost, row.gained, row.neither) for row in changes.itertuples()]
    found = pd.DataFrame([(each.value, each.low, each.high, each.n) for each in told], columns=list(_MOVED[1:]))
    found["attach_before"] = _rate(counts.by_product(book, before.label))
    return found.set_index(changes["product_id"])


def _lapsing_by_product(book: Book, quarter: str, products: pd.DataFrame) -> pd.Series | None:
    rows = lapsing_slots(book, quarter)
    if rows is None:
        return None
    return rows["product_id"].value_counts().reindex(products.index, fill_value=0)


def _revenue(book: Book, quarter: str, products: pd.DataFrame) -> pd.Series | None:
    """Give each product what was sold of it: nothing sold is 0, unless no amounts are given."""
    sold = counts.product_revenue(book, quarter).set_index("product_id")["revenue_quarter"].dropna()
    return sold.reindex(products.index, fill_value=Decimal(0)) if len(sold) else None
