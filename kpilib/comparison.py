"""Before and after: how any figure of accounts moved between two quarters, and how sure that is.

Every figure is shown as reported, over whoever was counted each time, and like for like: of the same
accounts, and of the same accounts with the products that were possible for them both times. It says that
a figure changed, never why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, near
from kpilib.measures import basis, degree, moves, queries, splits, uncertainty
from kpilib.measures import change as changes
from kpilib.measures.moves import Accounts
from kpilib.measures.uncertainty import Estimate

Array = np.ndarray[Any, Any]

FEWEST = 10  # accounts at both quarters; below, one account's change is a tenth of the result or more
AS_REPORTED, SAME, LIKE_FOR_LIKE = "as_reported", "same_accounts", "same_accounts_and_products"
DEGREE = "account_penetration_degree"
KPIS = {
    DEGREE: "share",
    "multi_product_share": "share",
    "attach_rate": "share",
    "products_per_account": "products",
    "revenue_quarter": "money",
    "revenue_window": "money",
    "existing_account_growth": "growth",
}
USUAL = (DEGREE, f"{DEGREE}(pooled)", "multi_product_share(2)", "products_per_account", "revenue_quarter")

_COLUMNS = {
    **{"kpi": "object", "group": "object", "reading": "object", "unit": "object"},
    **dict.fromkeys(("before", "after", "change", "low", "high", "per_cent"), "float64"),
    **dict.fromkeys(("n_before", "n_after", "n_both"), "int64"),
    **{"method": "object", "suppressed": "bool"},
}
_APART_COLUMNS = {
    "group": "object",
    **dict.fromkeys(("change", "change_of_others", "difference", "low", "high"), "float64"),
    **{"n": "int64", "n_others": "int64", "suppressed": "bool"},
}
_RISK_COLUMNS = {"quarter": "object", "held": "int64", "lapsing": "int64", "share": "float64"}


@dataclass(frozen=True)
class Implied:
    """What a rise of penetration and of revenue together say of revenue per product held.

    At constant accounts and products possible. ``penetration`` and ``per_held`` split the growth (shares
    of the revenue before; they sum to ``growth``), ``per_held_change`` is the relative change of revenue
    per product held, ``added_worth`` what the added products bring as a share of what products brought
    before (missing where none were added).
    """

    before: float
    after: float
    growth: float
    penetration: float
    per_held: float
    per_held_change: float
    added_worth: float | None


def implied(before: float, after: float, growth: float) -> Implied:
    """Hold a claimed rise of penetration against the growth of revenue claimed beside it.

    Revenue = accounts x possible x penetration x revenue per product held, so two changes imply the third.

    Raises
    ------
    DataError
        When a penetration is not above 0 and at most 1, or revenue falls by all of it or more.

    Example
    -------
    From 45 % to 75 % with 25 % more revenue: products bring a quarter less each than before.

    >>> found = implied(0.45, 0.75, 0.25)
    >>> round(found.per_held_change, 3), round(found.added_worth, 3)
    (-0.25, 0.375)
    """
    if not (0 < before <= 1 and 0 < after <= 1) or growth <= -1:
        raise DataError(
            "Nothing follows from this.",
            f"Penetration {before} and {after}, revenue {growth:+}.",
            "Give penetration as shares above 0 and at most 1 and growth as a share above -1: 0.45, 0.75, 0.25.",
        )
    each = {"penetration": before, "per_held": 1 / before}, {"penetration": after, "per_held": (1 + growth) / after}
    effects = splits.shapley(*each, lambda penetration, per_held: penetration * per_held)
    per_held = (1 + growth) * before / after - 1
    added = after / before - 1
    return Implied(before, after, growth, **effects, per_held_change=per_held, added_worth=_over(growth, added))


def before_after(
    book: Book,
    earlier: str,
    later: str,
    kpi: str | Sequence[str] = DEGREE,
    by: str | None = None,
    accounts: Accounts = None,
    before: Book | None = None,
) -> pd.DataFrame:
    """Compare figures of two complete quarters, as reported and like for like.

    Parameters
    ----------
    kpi
        One or several of account_penetration_degree, account_penetration_degree(pooled),
        multi_product_share(K), products_per_account, attach_rate(PRODUCT), revenue_quarter,
        revenue_window (both per account), existing_account_growth (the year to each quarter's end) and
        existing_account_growth(quarter).
    by
        An attribute of accounts; without it all accounts are one.
    accounts
        Only these account ids, such as a programme's.
    before
        The book that the earlier figure was read from, where it was another: it must count alike
        (:mod:`kpilib.measures.basis`).

    Returns
    -------
    Per KPI and [group], one row per reading: kpi, group (None for all), reading (as_reported, same_accounts,
    same_accounts_and_products: the slots possible for an account at both quarters), unit (share, products,
    money, growth), before and after, change (their difference), low and high (95 %), per_cent (relative
    change, as a share), n_before, n_after (accounts the figure counts), n_both (at both), method (of the
    interval), suppressed (n_both below the stated minimum).

    Of existing_account_growth, before and after are sums of revenue, and change is the growth.

    Raises
    ------
    DataError
        When a quarter is incomplete, they are in the wrong order, the books do not count alike, no account
        or fewer than the minimum (10, or the engagement's minimum_cell if that is more) are counted both
        times, or the KPI is not known.

    Notes
    -----
    Intervals have accounts as units: as reported, linearised over the union of accounts; the same
    accounts, paired t; shares of the same accounts, Newcombe's method 10, and so as reported where nobody came or went.
    """
    if before is not None:
        basis.refuse_other(before, book)
    first, last = changes.comparable(book, later, earlier)
    asked = _Asked(book, first, last, by, None if accounts is None else tuple(accounts), {})
    rows = [row for each in ([kpi] if isinstance(kpi, str) else kpi) for row in _compared(asked, each)]
    return degree.table(rows, _COLUMNS)


def refusal(book: Book, earlier: str, later: str, accounts: Accounts = None) -> str | None:
    """Say why two quarters cannot be compared; None where they can."""
    try:
        before_after(book, earlier, later, accounts=accounts)
    except DataError as reason:
        return str(reason)
    return None


def periods(book: Book, quarter: str) -> pd.DataFrame:
    """List what a quarter is usually held against: the quarter before, and the same a year before.

    Returns
    -------
    Two rows: against (previous, last_year), earlier (label), reason (why they cannot be compared; None
    where they can).
    """
    at, known = book.quarter(quarter), list(book.quarters["label"])
    rows = []
    for against, back in (("previous", 1), ("last_year", 4)):
        label = at.later(-back).label
        reason = f"The data cover {known[0]} to {known[-1]}." if label not in known else refusal(book, label, at.label)
        rows.append({"against": against, "earlier": label, "reason": reason})
    return pd.DataFrame(rows, columns=["against", "earlier", "reason"], dtype=object)


def apart(book: Book, earlier: str, later: str, by: str, kpi: str = DEGREE, accounts: Accounts = None) -> pd.DataFrame:
    """Ask of every segment whether its accounts changed otherwise than all others: Welch.

    Accounts counted at both quarters; not for pooled figures and growth, which are no mean of accounts.

    Returns
    -------
    One row per value of ``by``, blanks as (not given) and last: group, change (of its accounts),
    change_of_others, difference with low and high (95 %), n, n_others, suppressed.
    """
    first, last = changes.comparable(book, later, earlier)
    found = _read(_Asked(book, first, last, by, None if accounts is None else tuple(accounts), {}), _Kpi.of(kpi))
    if found.how == "ratio":
        raise DataError(f"{kpi} is no mean over accounts.", "", "Compare segments by a KPI that is.")
    smallest = _fewest(book)
    return degree.table(
        [_apart(found, group, found.groups == group, smallest) for group in queries.in_order(found.groups)],
        _APART_COLUMNS,
    )


def at_risk(book: Book, earlier: str, later: str) -> pd.DataFrame | None:
    """Count the holdings past their usual interval at both quarters: losses that arrive a window late.

    Returns
    -------
    Two rows, the earlier quarter first: quarter, held (slots of the base), lapsing (of these), share. None
    without evidence from sales.
    """
    if not book.has("lapsing"):
        return None
    first, last = changes.comparable(book, later, earlier)
    found = moves.lapsing(book, first.label, last.label)
    rows = [row | {"share": _over(row["lapsing"], row["held"])} for row in found.to_dict("records")]
    return degree.table(rows, _RISK_COLUMNS)


@dataclass(frozen=True)
class _Kpi:
    """A KPI by its name, with what it is asked of in brackets."""

    asked: str
    name: str
    of_what: str | None

    @classmethod
    def of(cls, asked: str) -> _Kpi:
        match = re.fullmatch(r"(\w+)(?:\((.+)\))?", asked.strip())
        name, what = match.groups() if match else (asked, None)
        if name not in KPIS:
            raise DataError(f"{asked!r} has no form per account to compare.", "", near(name, KPIS))
        allowed: dict[str, Callable[[str | None], bool]] = {
            DEGREE: lambda each: each in (None, "mean", "pooled"),
            "multi_product_share": lambda each: each is None or (each.isdigit() and int(each) > 0),
            "attach_rate": lambda each: each is not None,
            "existing_account_growth": lambda each: each in (None, "year", "quarter"),
        }
        if not allowed.get(name, lambda each: each is None)(what):
            raise DataError(f"{asked!r} is not known.", "", _HOW.get(name, f"Write {name}, without brackets."))
        return cls(asked, name, what)


_HOW = {
    DEGREE: f"Write {DEGREE} or {DEGREE}(pooled).",
    "multi_product_share": "Write how many products, as in multi_product_share(2).",
    "attach_rate": "Name the product, as in attach_rate(DELI).",
    "existing_account_growth": "Write existing_account_growth or existing_account_growth(quarter).",
}


@dataclass(frozen=True)
class _Asked:
    """What is compared; counted once for all KPIs that need the same counts."""

    book: Book
    first: queries.Moment
    last: queries.Moment
    by: str | None
    accounts: tuple[str, ...] | None
    kept: dict[Any, pd.DataFrame]

    def slots(self, product: str | None = None) -> pd.DataFrame:
        if product not in self.kept:
            self.kept[product] = moves.slots(*self._ends, self.by, self.accounts, product)
        return self.kept[product]

    def revenue(self, what: str) -> pd.DataFrame:
        return moves.revenue(*self._ends, what, self.by, self.accounts)

    def existing(self, quarters: int) -> pd.DataFrame:
        return moves.existing(*self._ends, quarters, self.by, self.accounts)

    @property
    def _ends(self) -> tuple[Book, str, str]:
        return self.book, self.first.label, self.last.label


@dataclass(frozen=True)
class _Read:
    """A KPI as numerators over denominators at both quarters, and of the slots possible both times.

    ``how`` tells which interval the same accounts get: paired, share (Newcombe) or ratio.
    """

    y: tuple[Array, Array]
    d: tuple[Array, Array]
    common: tuple[Array, Array, Array] | None  # numerators before and after, denominators
    accounts: Array
    groups: Array
    how: str

    def of(self, rows: Array) -> _Read:
        pick = [tuple(each[rows] for each in pair) for pair in (self.y, self.d)]
        common = self.common and tuple(each[rows] for each in self.common)
        return _Read(*pick, common, self.accounts[rows], self.groups[rows], self.how)


def _compared(asked: _Asked, kpi: str) -> list[dict[str, Any]]:
    """Compare one KPI, for all accounts or for every group."""
    known, smallest = _Kpi.of(kpi), _fewest(asked.book)
    if known.name == "existing_account_growth":
        return _growth(asked, known, smallest)
    found = _read(asked, known)
    groups = [None] if asked.by is None else queries.in_order(found.groups)
    if asked.by is None:
        _refuse_few(asked, int(found.accounts[(found.d[0] > 0) & (found.d[1] > 0)].sum()))
    parts = [found if group is None else found.of(found.groups == group) for group in groups]
    return [row for group, part in zip(groups, parts, strict=True) for row in _readings(known, group, part, smallest)]


def _read(asked: _Asked, kpi: _Kpi) -> _Read:
    """Count a KPI at both quarters, in the form of numerators over denominators."""
    if KPIS[kpi.name] == "money":
        rows = asked.revenue(kpi.name)
        if rows[["revenue_earlier", "revenue_later"]].isna().any(axis=None):
            raise DataError("The client gives no revenue.", "", "Compare penetration alone.")
        return _made(rows, _each(rows, "revenue"), _each(rows, "in"), None, "paired")
    rows = asked.slots(kpi.of_what if kpi.name == "attach_rate" else None)
    held, possible, inside = (_each(rows, each) for each in ("held", "possible", "in"))
    kept, common = _each(rows, "common"), rows["common"].to_numpy(float)
    both = inside[0] * inside[1]
    if kpi.name == "attach_rate":
        return _made(rows, held, possible, (*kept, common), "share")
    if kpi.name == "multi_product_share":
        most = int(kpi.of_what or 2)
        enough = [tuple((each >= most).astype(float) for each in pair) for pair in (held, kept)]
        return _made(rows, enough[0], inside, (*enough[1], both), "share")
    if kpi.name == "products_per_account":
        return _made(rows, held, inside, (*kept, both), "paired")
    if kpi.of_what == "pooled":
        return _made(rows, held, possible, (*kept, common), "ratio")
    has = tuple((each > 0).astype(float) for each in possible)
    degrees = tuple(y / np.maximum(d, 1) for y, d in zip(held, possible, strict=True))
    alike = tuple(each / np.maximum(common, 1) for each in kept)
    return _made(rows, degrees, has, (*alike, (common > 0).astype(float)), "paired")


def _made(rows: pd.DataFrame, y: Any, d: Any, common: Any, how: str) -> _Read:
    groups = rows["group"].to_numpy() if "group" in rows else np.full(len(rows), None)
    inside = [each * (below > 0) for each, below in zip(y, d, strict=True)]
    return _Read(tuple(inside), tuple(d), common, rows["accounts"].to_numpy(float), groups, how)


def _each(rows: pd.DataFrame, what: str) -> tuple[Array, Array]:
    return tuple(rows[f"{what}_{when}"].to_numpy(float) for when in ("earlier", "later"))


def _readings(kpi: _Kpi, group: str | None, found: _Read, smallest: int) -> list[dict[str, Any]]:
    """Write the rows of one KPI and group: as reported, the same accounts, and the same products too."""
    n = [int(found.accounts[each > 0].sum()) for each in found.d]
    stays = found.of((found.d[0] > 0) & (found.d[1] > 0))
    both = int(stays.accounts.sum())
    own = {"kpi": kpi.asked, "group": group, "unit": KPIS[kpi.name], "suppressed": both < smallest}
    whole = uncertainty.ratio_change((found.y[0], found.d[0]), (found.y[1], found.d[1]), found.accounts)
    same = _of_same(stays)
    reported = same if n == [both, both] and found.how == "share" else (whole, "linearised")
    rows = [
        own | _row(AS_REPORTED, found.y, found.d, found.accounts, *reported) | {"n_both": both},
        own | _row(SAME, stays.y, stays.d, stays.accounts, *same) | {"n_both": both},
    ]
    rows[0] |= {"n_before": n[0], "n_after": n[1]}
    if found.common is not None:
        there = stays.of(stays.common[2] > 0)
        alike = _Read(there.common[:2], (there.common[2],) * 2, None, there.accounts, there.groups, there.how)
        told = _row(LIKE_FOR_LIKE, alike.y, alike.d, alike.accounts, *_of_same(alike))
        rows.append(own | told | {"n_both": int(alike.accounts.sum())})
    return rows


def _row(reading: str, y: Any, d: Any, accounts: Array, told: Estimate, method: str) -> dict[str, Any]:
    levels = [_over((accounts * above).sum(), (accounts * below).sum()) for above, below in zip(y, d, strict=True)]
    n = int(accounts.sum())
    return {
        **{"reading": reading, "before": levels[0], "after": levels[1]},
        **{"change": told.value, "low": told.low, "high": told.high, "method": method},
        "per_cent": None if None in levels or not levels[0] else levels[1] / levels[0] - 1,
        **{"n_before": n, "n_after": n},
    }


def _of_same(found: _Read) -> tuple[Estimate, str]:
    """Estimate the change of the same accounts."""
    if found.how == "ratio":
        ends = [(y, d) for y, d in zip(found.y, found.d, strict=True)]
        return uncertainty.ratio_change(*ends, found.accounts), "linearised"
    if found.how == "share":
        had, has = (each > 0 for each in found.y)
        cells = (had & has, had & ~has, ~had & has, ~had & ~has)
        return uncertainty.share_change(*(int(found.accounts[each].sum()) for each in cells)), "Newcombe 10"
    return uncertainty.paired(*found.y, found.accounts), "paired t"


def _growth(asked: _Asked, kpi: _Kpi, smallest: int) -> list[dict[str, Any]]:
    """Compare the revenue of accounts that had some in the earlier period."""
    quarters = 1 if kpi.of_what == "quarter" else 4
    _refuse_short(asked, quarters)
    rows = asked.existing(quarters)
    if asked.by is None:
        _refuse_few(asked, int(rows["accounts"].sum()))
    groups = [None] if asked.by is None else queries.in_order(rows["group"])
    told = []
    for group in groups:
        own = rows if group is None else rows[rows["group"] == group]
        before, after, n = (own[name].to_numpy(float) for name in ("revenue_earlier", "revenue_later", "accounts"))
        sums = (n * before).sum(), (n * after).sum()
        ratio = sums[1] / sums[0]
        found = uncertainty.linearised(ratio - 1, (after - ratio * before) * n.sum() / sums[0], n)
        told.append(
            {"kpi": kpi.asked, "group": group, "reading": SAME, "unit": "growth", "before": sums[0], "after": sums[1]}
            | {"change": found.value, "low": found.low, "high": found.high, "per_cent": found.value}
            | dict.fromkeys(("n_before", "n_after", "n_both"), found.n)
            | {"method": "linearised", "suppressed": found.n < smallest}
        )
    return told


def _refuse_short(asked: _Asked, quarters: int) -> None:
    """Refuse periods that overlap, or that begin before the data do."""
    begins = asked.first.index - quarters + 1
    known = asked.book.quarters.set_index("quarter")
    covered = begins in known.index and known.loc[begins, "first_day"] >= asked.book.engagement.data_from
    if asked.last.index - asked.first.index < quarters or not covered:
        raise DataError(
            "The data do not hold both periods of equal length that growth compares.",
            f"{quarters} quarters to the end of {asked.first.label}, and to the end of {asked.last.label}.",
            "Ask for existing_account_growth(quarter), or compare quarters a year apart.",
        )


def refuse_few(book: Book, earlier: str, later: str, n: int) -> None:
    """Refuse a comparison of fewer accounts at both quarters than the minimum (10, or minimum_cell if more).

    Raises
    ------
    DataError
        When ``n`` is below it.
    """
    ends, smallest = f"{earlier} and in {later}", _fewest(book)
    if n == 0:
        raise DataError(
            f"No customer is counted both in {ends}.",
            "Whoever is counted later was not counted before.",
            "Compare quarters, or customers, that have some in common.",
        )
    if n < smallest:
        raise DataError(
            f"Only {n} customers are counted both in {ends}.",
            f"Fewer than {smallest} carry no comparison: each would be a tenth of the result or more.",
            "Compare more customers, or look at them one by one with kpi trace.",
        )


def _refuse_few(asked: _Asked, n: int) -> None:
    refuse_few(asked.book, asked.first.label, asked.last.label, n)


def _apart(found: _Read, group: str, inside: Array, smallest: int) -> dict[str, Any]:
    stays = (found.d[0] > 0) & (found.d[1] > 0)
    change = (found.y[1] - found.y[0])[stays]
    n, inside = found.accounts[stays], inside[stays]
    told = uncertainty.between(change[inside], n[inside], change[~inside], n[~inside])
    sizes = [int(n[each].sum()) for each in (inside, ~inside)]
    means = [_over((n * change)[each].sum(), n[each].sum()) for each in (inside, ~inside)]
    return {
        **{"group": group, "change": means[0], "change_of_others": means[1]},
        **{"difference": told.value, "low": told.low, "high": told.high},
        **{"n": sizes[0], "n_others": sizes[1], "suppressed": min(sizes) < smallest},
    }


def _fewest(book: Book) -> int:
    return max(FEWEST, book.engagement.minimum_cell)


def _over(above: float, below: float) -> float | None:
    return float(above / below) if below else None
