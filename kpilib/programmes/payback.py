"""What a programme earned for what it cost, said only of one that was measured against a sound hold-out."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.programmes import effect
from kpilib.programmes.effect import Panel
from kpilib.programmes.enrolled import HELD_OUT, TREATED, Programme
from kpilib.programmes.verdict import CONTROLLED, Verdict

NOT_CONTROLLED, NO_MARGINS, NO_COST = "not_controlled", "no_margins", "no_cost"


@dataclass(frozen=True)
class Payback:
    """Margin that the programme added over its ``quarters``, and its cost, as amounts; ``value`` is their ratio."""

    margin: float
    margin_low: float | None
    margin_high: float | None
    cost: float
    quarters: int
    accounts: int

    @property
    def value(self) -> float:
        """Margin added for each unit of cost."""
        return self.margin / self.cost

    @property
    def low(self) -> float | None:
        """The lower end of its 95 % interval."""
        return None if self.margin_low is None else self.margin_low / self.cost

    @property
    def high(self) -> float | None:
        """The upper end of its 95 % interval."""
        return None if self.margin_high is None else self.margin_high / self.cost


def of(book: Book, programme: Programme, panel: Panel, verdict: Verdict) -> tuple[Payback | None, str | None]:
    """Work out the payback; or say why there is none: not_controlled, no_margins or no_cost.

    Margin is each product's share of its revenue; what lies outside the catalogue has none. The difference of the
    changes a quarter, times the accounts that took part, times the quarters since the start.
    """
    if verdict.word != CONTROLLED:
        return None, NOT_CONTROLLED
    if "margin" not in book.products or book.products["margin"].isna().all() or not book.has("holdings"):
        return None, NO_MARGINS
    cost = float(np.nansum(programme.members["cost"].to_numpy(float)))
    if cost <= 0:
        return None, NO_COST
    before, after = effect.revenue_ends(panel, _margins(book, programme, panel))
    treated = panel.side(TREATED)
    both = treated | panel.side(HELD_OUT)
    found = effect.difference((after - before)[both], treated[both], panel.unit[both], panel.assigned_by)
    quarters = int(panel.revenue_after.sum())
    times = found.n_treated * quarters
    sums = [nan if each is None else each * times for each in (found.value, found.low, found.high)]
    margin, low, high = (None if np.isnan(each) else each for each in sums)
    if margin is None:
        return None, NO_MARGINS
    return Payback(margin, low, high, cost, quarters, found.n_treated), None


def _margins(book: Book, programme: Programme, panel: Panel) -> np.ndarray:
    """Margin by account and quarter, laid out as the panel's revenue."""
    members = programme.members[["account_id"]].assign(place=range(len(programme.members)))
    places = {queries.moment(book, label).index: at for at, label in enumerate(panel.revenue_labels)}
    rows = queries.fetch(
        book,
        f"""
        SELECT w.place, h.quarter, sum(h.revenue::DOUBLE * p.margin::DOUBLE) AS margin
        FROM holdings h JOIN wanted w USING (account_id) JOIN products p USING (product_id)
        WHERE h.quarter IN ({queries.numbers(places)}) AND p.margin IS NOT NULL GROUP BY ALL
        """,
        wanted=members,
    )
    margins = np.zeros_like(panel.revenue)
    margins[rows["place"].to_numpy(int), rows["quarter"].map(places).to_numpy(int)] = rows["margin"]
    return margins
