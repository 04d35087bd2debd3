"""What a programme changed: the change of those in it, less the change of those held out of it.

One number per account (after less before), compared between the two sides with what was assigned as unit: where there
are ten units or more on each side, standard errors clustered by unit with t(G - 1); below, the means of units with
Welch's t. It is the two-way fixed effects estimate of a programme with one start, without its wrong standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import degree as degrees
from kpilib.measures import queries, uncertainty
from kpilib.programmes.enrolled import ACCOUNT, ARMS, FEWEST_UNITS, HELD_OUT, OTHERS, TREATED, Programme
from kpilib.sql import NOT_GIVEN, literal

Array = np.ndarray[Any, Any]

FEW_UNITS = 10  # on a side; below, standard errors clustered by unit are too small
DEGREE, PRODUCTS, REVENUE = "degree", "products", "revenue"
MEASURES = {DEGREE: "share", PRODUCTS: "products", REVENUE: "money"}
CLUSTERED, MEANS = "clustered by {unit}, t", "means of {unit}, Welch"

_NUMBERS = dict.fromkeys(
    ("treated_before", "treated_after", "treated_change", "against_before", "against_after", "against_change"),
    "float64",
)
_SIZES = dict.fromkeys(("n_treated", "n_against", "units_treated", "units_against"), "int64")
_LIMITS = dict.fromkeys(("value", "low", "high"), "float64")
EFFECTS = {"measure": "object", "reading": "object", "unit": "object", **_NUMBERS, **_LIMITS, **_SIZES}
EFFECTS |= {"method": "object"}
EVENTS = {"measure": "object", "quarter": "object", "since_start": "int64", "is_after": "bool"}
EVENTS |= dict.fromkeys(("treated", "treated_low", "treated_high", "against", "against_low"), "float64")
EVENTS |= {"against_high": "float64", **_LIMITS, "n_treated": "int64", "n_against": "int64"}


@dataclass(frozen=True)
class Difference:
    """A difference of changes, its 95 % interval (None where there is no variance) and what it rests on."""

    value: float | None
    low: float | None
    high: float | None
    n_treated: int
    n_against: int
    units_treated: int
    units_against: int
    method: str

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Panel:
    """Accounts by complete quarters: degree, products held and revenue, one row per account and arm.

    ``arm`` numbers treated, held_out and others; ``unit`` numbers what was assigned. Degree is NaN where the account is
    not counted or could buy nothing, products where it is not counted, revenue 0 where there was none; revenue has
    quarters of its own, because it needs no look-back. ``ref`` is the place of the last quarter before the start.
    """

    account_id: Array
    labels: tuple[str, ...]
    before: Array
    after: Array
    arm: Array
    unit: Array
    assigned_by: str
    degree: Array
    products: Array
    revenue_labels: tuple[str, ...]
    revenue_after: Array
    revenue: Array

    @property
    def ref(self) -> int:
        """The place of the last quarter before the start."""
        return int(np.flatnonzero(self.before)[-1])

    @property
    def counted(self) -> Array:
        """Which accounts are counted both just before the start and at the end: those that enter the estimate."""
        return np.isfinite(self.degree[:, [self.ref, -1]]).all(axis=1)

    def side(self, arm: str) -> Array:
        """Tell which accounts are on a side."""
        return self.arm == ARMS.index(arm)


def panel(book: Book, programme: Programme, others: bool = False) -> Panel:
    """Lay out one row per account and quarter; with ``others``, all accounts never enrolled as well.

    What was assigned is told of others by the account attribute of that name; those of whom it is not told are left
    out. Where there is no such attribute, others are one unit, and nothing said of them has an interval.
    """
    wanted = programme.members[["account_id", "arm", "unit"]]
    if others:
        wanted = pd.concat([wanted, _others(book, programme, wanted)], ignore_index=True)
    quarters = programme.quarters
    through = quarters[-1].index
    covered = book.quarters[
        (pd.to_datetime(book.quarters["first_day"]) >= pd.Timestamp(book.engagement.data_from))
        & (book.quarters["quarter"] <= through)
    ]
    shown = {each.index: place for place, each in enumerate(quarters)}
    paid = {int(each): place for place, each in enumerate(covered["quarter"])}
    held, possible, revenue = _laid_out(book, wanted, shown, paid)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(possible > 0, held / possible, np.nan)
    ends = pd.to_datetime(covered["as_of"])
    return Panel(
        wanted["account_id"].to_numpy(str),
        tuple(each.label for each in quarters),
        np.array([each in programme.before for each in quarters]),
        np.array([each in programme.after for each in quarters]),
        pd.Categorical(wanted["arm"], categories=ARMS).codes,
        pd.factorize(wanted["unit"].fillna(""))[0],
        programme.assigned_by,
        share,
        held,
        tuple(covered["label"]),
        (ends >= pd.Timestamp(programme.start)).to_numpy(),
        revenue,
    )


def _others(book: Book, programme: Programme, enrolled: pd.DataFrame) -> pd.DataFrame:
    """List the accounts never enrolled, each with the unit it would have been assigned with."""
    drawn, unit = programme.assigned_by, "''"
    if drawn == ACCOUNT:
        unit = "account_id"
    elif drawn in queries.attributes(book):
        unit = f"nullif({queries.value_of(book, drawn)}, {literal(NOT_GIVEN)})"
    told = f"SELECT account_id, {unit} AS unit FROM accounts a ANTI JOIN mine USING (account_id)"
    return queries.fetch(book, told, order=["account_id"], mine=enrolled).dropna(subset="unit").assign(arm=OTHERS)


def _laid_out(book: Book, wanted: pd.DataFrame, shown: dict[int, int], paid: dict[int, int]) -> tuple[Array, ...]:
    """Fetch positions by number of account and quarter, and lay them out side by side."""
    rows = queries.fetch(
        book,
        f"""
        SELECT w.place, c.quarter, c.in_base, c.possible, c.held, c.revenue_quarter::DOUBLE AS revenue
        FROM ({queries.positions(book, sorted({*shown, *paid}))}) c JOIN wanted w USING (account_id)
        """,
        wanted=wanted[["account_id"]].assign(place=range(len(wanted))),
    )
    held, possible = (np.full((len(wanted), len(shown)), np.nan) for _ in range(2))
    revenue = np.zeros((len(wanted), len(paid)))
    counted = rows[rows["in_base"] & rows["quarter"].isin(list(shown))]
    spot = counted["place"].to_numpy(), counted["quarter"].map(shown).to_numpy(int)
    held[spot], possible[spot] = counted["held"], counted["possible"]
    sold = rows[rows["quarter"].isin(list(paid)) & rows["revenue"].notna()]
    revenue[sold["place"].to_numpy(), sold["quarter"].map(paid).to_numpy(int)] = sold["revenue"]
    return held, possible, revenue


def difference(change: Array, treated: Array, unit: Array, named: str = ACCOUNT, level: float = 0.95) -> Difference:
    """Compare the change of treated accounts with that of the others; accounts without a change are left out.

    Parameters
    ----------
    change
        After less before, one per account; NaN where either is missing.
    treated
        Whether each account was treated.
    unit
        The number of what was assigned; accounts of one unit stand or fall together.

    Notes
    -----
    Clustered: the coefficient of OLS of change on treated, with variance
    c × sum over sides of sum over units of (sum of residuals)² ÷ n², c = G ÷ (G - 1) × (N - 1) ÷ (N - 2), and t(G - 1)
    (Liang and Zeger 1986, as in statsmodels). Means of units: Welch's t on one mean per unit. With fewer than three
    units on a side there is no interval.

    Example
    -------
    >>> change = np.array([3.0, 4.0, 5.0, 0.0, 1.0, 2.0])
    >>> difference(change, np.array([True] * 3 + [False] * 3), np.arange(6)).value
    3.0
    """
    known = np.isfinite(change)
    change, treated, unit = change[known], treated[known].astype(bool), unit[known]
    sides = [treated, ~treated]
    n = [int(side.sum()) for side in sides]
    units = [int(np.count_nonzero(np.bincount(unit[side]))) for side in sides]
    few = min(units) < FEW_UNITS
    method = (MEANS if few else CLUSTERED).format(unit=named)
    if min(n) == 0:
        return Difference(None, None, None, *n, *units, method)
    value, low, high = (_between_units if few else _clustered)(change, sides, unit, level)
    if min(units) < FEWEST_UNITS:
        low = high = None
    return Difference(value, low, high, *n, *units, method)


def _clustered(change: Array, sides: Sequence[Array], unit: Array, level: float) -> tuple[float, Any, Any]:
    means = [float(change[side].mean()) for side in sides]
    squared, groups, total = 0.0, 0, len(change)
    for side, mean in zip(sides, means, strict=True):
        number = unit[side]
        squared += float((np.bincount(number, change[side] - mean) ** 2).sum()) / len(number) ** 2
        groups += int(np.count_nonzero(np.bincount(number)))
    squared *= groups / (groups - 1) * (total - 1) / (total - 2)
    value = means[0] - means[1]
    if squared <= uncertainty.ROUNDING**2:
        return value, None, None
    reach = float(stdtrit(groups - 1, (1 + level) / 2)) * sqrt(squared)
    return value, value - reach, value + reach


def _between_units(change: Array, sides: Sequence[Array], unit: Array, level: float) -> tuple[float, Any, Any]:
    means = []
    for side in sides:
        sizes = np.bincount(unit[side])
        means.append(np.bincount(unit[side], change[side])[sizes > 0] / sizes[sizes > 0])
    found = uncertainty.between(means[0], np.ones(len(means[0])), means[1], np.ones(len(means[1])), level)
    return found.value, found.low, found.high


def effects(panel: Panel, against: str = HELD_OUT, fewest: int = 1) -> pd.DataFrame:
    """Compare the change of those in the programme with that of the held out, or of all others.

    Returns
    -------
    One row per measure and reading: measure (degree, products per account, revenue a quarter per account), reading
    (at_end: last quarter before the start to the last one; on_average: mean of all quarters after less mean of all
    before; revenue only so, over as many quarters before as after), unit, treated_before, treated_after,
    treated_change, the same of against_, value (difference of the changes), low and high (95 %), n and units of both
    sides, method. Degree and products count the accounts counted in every quarter the reading uses; revenue counts
    all, those lost with 0. Readings that have ``fewest`` accounts or more on each side.
    """
    rows = [
        _row(panel, against, measure, reading, *_ends(panel, measure, reading))
        for measure in (DEGREE, PRODUCTS)
        for reading in ("at_end", "on_average")
    ]
    if panel.revenue.any():
        rows.append(_row(panel, against, REVENUE, "on_average", *revenue_ends(panel)))
    return degrees.table(_enough(rows, fewest), EFFECTS)


def _enough(rows: list[dict[str, Any]], fewest: int) -> list[dict[str, Any]]:
    return [each for each in rows if min(each["n_treated"], each["n_against"]) >= fewest]


def _ends(panel: Panel, measure: str, reading: str) -> tuple[Array, Array]:
    values = getattr(panel, measure)
    if reading == "at_end":
        return values[:, panel.ref], values[:, -1]
    return values[:, panel.before].mean(axis=1), values[:, panel.after].mean(axis=1)


def revenue_ends(panel: Panel, revenue: Array | None = None) -> tuple[Array, Array]:
    """Average revenue a quarter before and after, over as many quarters before as after where there are so many."""
    revenue = panel.revenue if revenue is None else revenue
    after = np.flatnonzero(panel.revenue_after)
    before = np.flatnonzero(~panel.revenue_after)[-len(after) :]
    known = np.isfinite(panel.products[:, panel.ref])  # counted when the programme began; lost later counts as 0
    means = (revenue[:, each].mean(axis=1) for each in (before, after))
    one, other = (np.where(known, each, np.nan) for each in means)
    return one, other


def _row(panel: Panel, against: str, measure: str, reading: str, before: Array, after: Array) -> dict[str, Any]:
    treated, rest = panel.side(TREATED), panel.side(against)
    change, both = after - before, treated | rest
    found = difference(change[both], treated[both], panel.unit[both], panel.assigned_by)
    sides = {}
    for name, side in ((TREATED, treated), ("against", rest)):
        known = side & np.isfinite(change)
        shown = (before[known], after[known], change[known])
        for what, values in zip(("before", "after", "change"), shown, strict=True):
            sides[f"{name}_{what}"] = float(values.mean()) if len(values) else None
    return {"measure": measure, "reading": reading, "unit": MEASURES[measure], **sides, **vars(found)}


def events(panel: Panel, against: str = HELD_OUT, fewest: int = 1) -> pd.DataFrame:
    """Compare both sides quarter by quarter, against the last quarter before the start.

    Returns
    -------
    One row per measure and quarter: measure, quarter, since_start (quarters since the last one before the start; 0 is
    that one), is_after, treated and against (mean change since that quarter, with their own 95 % intervals), value
    (difference), low, high, n_treated, n_against. Accounts counted in both quarters, ``fewest`` or more on each side.
    """
    rows = []
    for measure in MEASURES:
        values, labels, ref = getattr(panel, measure), panel.labels, panel.ref
        is_after = panel.after
        if measure == REVENUE:
            if not panel.revenue.any() or panel.revenue_after.all():
                continue
            labels, is_after = panel.revenue_labels, panel.revenue_after
            ref = int(np.flatnonzero(~is_after)[-1])
            values = np.where(np.isfinite(panel.products[:, [panel.ref]]), values, np.nan)
        for place, label in enumerate(labels):
            change = values[:, place] - values[:, ref]
            told = {"measure": measure, "quarter": label, "since_start": place - ref, "is_after": bool(is_after[place])}
            rows.append(told | _event(panel, against, change))
    return degrees.table(_enough(rows, fewest), EVENTS)


def _event(panel: Panel, against: str, change: Array) -> dict[str, Any]:
    treated, rest = panel.side(TREATED), panel.side(against)
    both = treated | rest
    found = difference(change[both], treated[both], panel.unit[both], panel.assigned_by)
    told = {each: getattr(found, each) for each in ("value", "low", "high", "n_treated", "n_against")}
    for name, side in ((TREATED, treated), ("against", rest)):
        value, low, high = alone(change[side], panel.unit[side])
        told |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return told


def alone(change: Array, unit: Array, level: float = 0.95) -> tuple[float | None, float | None, float | None]:
    """Estimate the mean change of one side, its accounts clustered by unit: t with units - 1."""
    known = np.isfinite(change)
    change, unit = change[known], unit[known]
    if not len(change):
        return None, None, None
    mean, groups = float(change.mean()), int(np.count_nonzero(np.bincount(unit)))
    if groups < 2:
        return mean, None, None
    squared = float((np.bincount(unit, change - mean) ** 2).sum()) / len(change) ** 2 * groups / (groups - 1)
    if squared <= uncertainty.ROUNDING**2:
        return mean, None, None
    reach = float(stdtrit(groups - 1, (1 + level) / 2)) * sqrt(squared)
    return mean, mean - reach, mean + reach


def refuse_staggered(programme: Programme) -> None:
    """Refuse to average over starts that lie in different quarters.

    Raises
    ------
    DataError
        Those who began early would serve as controls for those who began late; with growing effects the figure is
        wrong, even in sign.
    """
    if programme.staggered:
        raise DataError(
            f"{programme.name!r} began in {len(programme.start_quarters)} different quarters.",
            f"The first start is {programme.start}, the last {programme.last_start}.",
            "Install the extra that compares each start with those not in it: pip install 'kpilib[did]'.",
        )
