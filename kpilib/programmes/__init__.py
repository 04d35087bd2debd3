"""Programmes examined: who was in, what changed, against whom, what else explains it, and how much may be said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import degree as degrees
from kpilib.measures import queries
from kpilib.programmes import checks, effect, enrolled, payback, staggered, threats, verdict
from kpilib.programmes.effect import Difference, Panel
from kpilib.programmes.enrolled import ACCOUNT, ARMS, HELD_OUT, OTHERS, TREATED, Programme, names
from kpilib.programmes.payback import Payback
from kpilib.programmes.threats import Regression
from kpilib.programmes.verdict import Verdict
from kpilib.programmes.windows import Campaign, campaign

__all__ = ["Campaign", "Examined", "campaign", "examined", "names", "refusal"]

MOVED = {"side": "object", **dict.fromkeys(("before", "after", "change", "low", "high"), "float64"), "n": "int64"}


@dataclass(frozen=True)
class Examined:
    """Everything that can be said of one programme; shares from 0 to 1, amounts in the client's currency.

    ``alone``: the engagement tells of no other. ``before`` and ``after`` name the last quarter before the start and the
    last one looked at. ``against`` is who it is compared with: held_out, others (customers not in the programme), or
    None. ``moved``: the average degree before and after of those counted both times, by side (treated, held_out,
    others). ``effects``, ``events``, ``checks``, ``threats``: as :mod:`kpilib.programmes.effect`, ``checks`` and
    ``threats`` say; ``effects`` and ``events`` have no rows where there is nobody to compare with, or starts lie in
    different quarters. ``waves`` is the effect of such starts, with the extra. ``fault`` says why what was held out is
    no hold-out, ``refused`` why there is no effect.
    """

    name: str
    alone: bool
    assigned_by: str
    start: date
    before: str
    after: str
    treated: int
    held_out: int
    against: str | None
    moved: pd.DataFrame
    effects: pd.DataFrame
    events: pd.DataFrame
    checks: pd.DataFrame
    threats: pd.DataFrame
    regression: Regression | None
    waves: Difference | None
    verdict: Verdict
    payback: Payback | None
    no_payback: str | None
    fault: str | None
    refused: str | None


def examined(book: Book, name: str | None = None, through: str | None = None) -> Examined | None:
    """Examine a programme; without a name, the first. None where :func:`refusal` says why.

    Parameters
    ----------
    through
        The last quarter to look at; without it, the last complete one.
    """
    try:
        programme = enrolled.programme(book, name, through)
    except DataError:
        return None
    fewest = enrolled.fewest_accounts(book)
    against = _against(book, programme)
    panel = effect.panel(book, programme, others=against == OTHERS)
    programme, against, alone, few = _entering(book, programme, panel, against)
    found, back = threats.panel_of(book, programme, panel, against)
    checked = checks.before_start(panel, against, fewest) if against else degrees.table([], checks.CHECKS)
    effects, events, waves, refused = _effects(programme, panel, against, fewest)
    if refused is not None:
        alone, found = verdict.APART_IN_TIME, found.assign(held_off=False)
    judged = verdict.of(against if refused is None else None, checked, found, alone, _few_units(programme, effects))
    earned, no_payback = payback.of(book, programme, panel, judged)
    if waves is not None and judged.word == verdict.CONTROLLED:
        earned, no_payback = None, staggered.SEVERAL_STARTS
    return Examined(
        name=programme.name,
        alone=len(names(book)) == 1,
        assigned_by=programme.assigned_by,
        start=programme.start,
        before=programme.before[-1].label,
        after=programme.after[-1].label,
        treated=programme.treated,
        held_out=programme.held_out,
        against=against,
        moved=moved(panel, fewest),
        effects=effects,
        events=events,
        checks=checked,
        threats=found,
        regression=back,
        waves=waves,
        verdict=judged,
        payback=earned,
        no_payback=no_payback,
        fault=programme.fault,
        refused=refused or few,
    )


def held_out(book: Book) -> int:
    """Count the accounts that are held out of any programme, whether it can be examined or not."""
    if not book.has("programmes"):
        return 0
    return int(
        queries.fetch(book, "SELECT count(DISTINCT account_id) AS n FROM programmes WHERE hold_out")["n"].iloc[0]
    )


def refusal(book: Book, name: str | None = None, through: str | None = None) -> str | None:
    """Say why a programme cannot be examined; None where it can."""
    try:
        enrolled.programme(book, name, through)
    except DataError as reason:
        return str(reason)
    return None


def moved(panel: Panel, fewest: int = 1) -> pd.DataFrame:
    """Measure the degree of each side before and after, of those counted both times, where they are ``fewest`` or more.

    Returns
    -------
    One row per side that has any: side, before, after, change, low, high (95 %, clustered by unit), n.
    """
    rows = []
    for side in ARMS:
        both = panel.side(side) & panel.counted
        if both.sum() >= fewest:
            before, after = panel.degree[both, panel.ref], panel.degree[both, -1]
            change, low, high = effect.alone(after - before, panel.unit[both])
            means = {"before": float(before.mean()), "after": float(after.mean())}
            rows.append({"side": side, **means, "change": change, "low": low, "high": high, "n": int(both.sum())})
    return degrees.table(rows, MOVED)


def _against(book: Book, programme: Programme) -> str | None:
    """Compare with a sound hold-out; with all others where nobody was held out; with nobody where it is none."""
    if programme.fault:
        return None
    if programme.held_out:
        return HELD_OUT
    everyone = int(queries.fetch(book, "SELECT count(*) AS n FROM accounts")["n"].iloc[0])
    enough = everyone - len(programme.members) >= enrolled.fewest_accounts(book)
    return OTHERS if enough else None


def _entering(
    book: Book, programme: Programme, panel: Panel, against: str | None
) -> tuple[Programme, str | None, str, str | None]:
    """Ask whether enough of both sides enter the estimate: programme, against whom, why nobody, why too few."""
    rows = pd.DataFrame({"arm": np.array(ARMS)[panel.arm], "unit": panel.unit})[panel.counted]
    fewest, sizes = enrolled.fewest_accounts(book), rows["arm"].value_counts()
    if (mine := int(sizes.get(TREATED, 0))) < fewest:
        few = f"{mine} of the {programme.treated} customers in it are counted before and after; {fewest} is the least."
        return programme, None, verdict.TOO_FEW, few
    if against == HELD_OUT and (fault := enrolled.fault_of_estimate(book, programme, rows)):
        programme = replace(programme, fault=fault)
    if programme.fault:
        return programme, None, verdict.NOT_SOUND, None
    if against == OTHERS:
        if sizes.get(OTHERS, 0) < fewest:
            return programme, None, verdict.NO_COMPARISON, None
        there = panel.side(OTHERS)
        sides = pd.DataFrame({"account_id": panel.account_id[there], "arm": OTHERS})
        if 2 * enrolled.reached(enrolled.overlapping(book, programme, sides), OTHERS) > there.sum():
            return programme, None, verdict.OTHERS_REACHED, None
    return programme, against, verdict.NO_COMPARISON, None


def _few_units(programme: Programme, effects: pd.DataFrame) -> bool:
    """Whether a side has too few of what was drawn for an interval."""
    units = effects[["units_treated", "units_against"]]
    return programme.assigned_by != ACCOUNT and bool((units < enrolled.FEWEST_UNITS).any(axis=None))


def _effects(
    programme: Programme, panel: Panel, against: str | None, fewest: int
) -> tuple[pd.DataFrame, pd.DataFrame, Difference | None, str | None]:
    nothing = degrees.table([], effect.EFFECTS), degrees.table([], effect.EVENTS)
    if against is None:
        return *nothing, None, None
    try:
        if programme.staggered and staggered.installed() and against == HELD_OUT:
            return *nothing, staggered.effect(panel, programme, fewest), None
        effect.refuse_staggered(programme)
    except DataError as reason:
        return *nothing, None, str(reason)
    return effect.effects(panel, against, fewest), effect.events(panel, against, fewest), None, None
