"""The call list in sentences: what a target takes, what was said, and what happened."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.written import Row, are, count, missing, money, per_cent, plural, points, quarter, upper

NO_CHANCE = "No open product has a chance that may be relied on."


def plan(found: Any, untrusted: str | None = None) -> list[str]:
    """Say what a target takes (``actions.plan.Plan``): slots, what the quarter can bring, how likely that is enough.

    ``has`` and ``could buy`` are shares; nothing is promised where no chances may be relied on, and ``untrusted`` is
    the sentence that says why not (``wording.whitespace.untrusted``).
    """
    gap = f"From {per_cent(found.now)} to {per_cent(found.target)}"
    if found.slots_to_fill is None:
        first = f"{gap} is out of reach: not even if all that could be bought ({count(found.open_slots)}) were."
    else:
        first = (
            f"{gap} takes {plural(found.slots_to_fill, 'more product sold', 'more products sold')} to customers who "
            f"could buy them, the likeliest first and nothing lost meanwhile; {count(found.open_slots)} "
            "could be bought."
        )
    if found.expected is None:
        return [
            first,
            f"How likely that is cannot be said. {untrusted or NO_CHANCE}",
            *_would_have_to(found),
        ]
    low, high = (per_cent(found.quantiles[each]) for each in (0.05, 0.95))
    best = "best call brings" if found.calls == 1 else f"{found.calls:,} best calls bring"
    listed = f"of which the {best} {points(found.gain, ' points')}"
    return [
        first,
        f"As things go, the next quarter brings {points(found.gain + found.rest, ' points')}, {listed}, and loses "
        f"{points(found.loss, ' points').lstrip('+')}: {per_cent(found.expected)} is expected, and in nine cases of "
        f"ten between {low} and {high}.",
        f"The chance of reaching the target by then is {chance(found.probability)}.",
        enough(found),
    ]


def enough(found: Any) -> str:
    """Conclude what the calls cover of what is missing, and what is left (``actions.plan.Plan`` with chances)."""
    aimed = found.target - found.now
    missed = aimed + found.loss
    size = f"{points(missed, ' points').lstrip('+')} to be gained"
    if found.loss > 0:
        size += (
            f" ({points(aimed).lstrip('+')} to the target, {points(found.loss).lstrip('+')} for what is usually lost)"
        )
    calls = "the call covers" if found.calls == 1 else f"the {found.calls:,} calls cover"
    part, whole = (per_cent(each / missed, 0) for each in (found.gain, found.gain + found.rest))
    left = round(abs(found.short))
    if not left:
        verdict = "just enough"
    elif found.short > 0:
        verdict = f"about {plural(left, 'more product')} must be sold than {are(left)} expected"
    else:
        verdict = f"more than enough, by about {plural(left, 'product')}"
    return (
        f"So, in expectation, {calls} {part} and all open products together {whole} of the {size}: {verdict}. These "
        "are the chances of buying as before; what calling adds comes on top, and is known once a list was followed up."
    )


def _would_have_to(found: Any) -> list[str]:
    """Say how many of the calls would have to close, where nothing is known of how many will."""
    if found.slots_to_fill is None or not found.calls:
        return []
    if found.calls_to_close is None:
        every = "if the one call" if found.calls == 1 else f"if every one of the {found.calls:,} calls"
        return [f"The calls alone are not enough: even {every} closed, the target would be missed."]
    share = per_cent(found.calls_to_close / found.calls, 0)
    most = f"{found.calls_to_close:,} of the {plural(found.calls, 'best call')} ({share})"
    return [f"So {most} would have to close to get there by calls alone, with nothing lost meanwhile."]


def revenue_plan(found: Any, currency: str | None) -> list[str]:
    """Say what a revenue target takes (``actions.plan.RevenuePlan``)."""
    gap = f"From {money(found.now, currency, 0)} in {quarter(found.quarter)} to {money(found.target, currency, 0)}"
    if found.rest is None:
        return [f"{gap}: what that takes cannot be said, for no slot has a chance and an amount that may be relied on."]
    if found.slots_to_fill is None:
        first = f"{gap} is out of reach: not even if all that could be bought ({count(found.open_slots)}) were."
    else:
        first = (
            f"{gap} takes {plural(found.slots_to_fill, 'more product sold', 'more products sold')}, those of most "
            f"expected value first, at what customers of like size spend and nothing lost meanwhile; "
            f"{count(found.open_slots)} could be bought."
        )
    best = "best call" if found.calls == 1 else f"{found.calls:,} best calls"
    whole, part = (money(each, currency, 0) for each in (found.gain + found.rest, found.gain))
    missed = float(found.target - found.now)
    covers, together = (per_cent(each / missed, 0) for each in (found.gain, found.gain + found.rest))
    left = missed - found.gain - found.rest
    size = money(abs(left), currency, 0)
    verdict = f"{size} is still to be found" if left > 0 else f"{size} more than is missing"
    covering = "covers" if found.calls == 1 else "cover"
    return [
        first,
        f"As things go, open products bring {whole} in the next quarter, of which the {best} {part}.",
        f"So, in expectation, the {best} {covering} {covers} and all open products together {together} of the "
        f"{money(missed, currency, 0)} missing: {verdict}, if customers spend as before on what they have. "
        "What they give up or add there is not foretold, nor how far a single quarter falls from what is expected.",
    ]


def two_forecasts(found: Any | None) -> str | None:
    """Say why the forecast elsewhere may name another level than what the calls lead to (``actions.plan.Plan``)."""
    if found is None or found.expected is None:
        return None
    return (
        f"The {per_cent(found.expected)} expected with the calls adds up the chances of single products among the "
        "customers of today. A forecast of the average follows how it moved before, customers who come and go "
        "included: the two need not agree."
    )


def aim(found: Any) -> str:
    """Say what is aimed at, and why (``actions.plan.Aim``)."""
    if found.quarter is None:
        level = f"a quarter of the customers have {per_cent(found.final)} or more, which is taken as the aim"
        return f"No target is set for a later quarter; {level}."
    target = f"The target for the end of {quarter(found.quarter)} is {per_cent(found.final)}"
    if found.quarters_left == 1:
        return f"{target}."
    return f"{target}; on an even way there, the next quarter must end at {per_cent(found.target)}."


def what_it_takes(aimed: Any, found: Any, untrusted: str | None = None) -> list[str]:
    """Say what is aimed at and what that takes (``actions.plan.towards``)."""
    if aimed is None:
        return ["No target lies ahead, and no higher level is reached by a quarter of the customers: nothing to plan."]
    return [aim(aimed), *plan(found, untrusted)]


def listing(stated: dict[str, Any], accounts: int, owners: int) -> str:
    """Say how long a list is, and for whom (``stated`` and rows of ``actions.record.Issued``)."""
    called = f"{plural(stated['calls'], 'call')} to {plural(accounts, 'customer')}"
    return f"{called}, for {plural(owners, 'owner')}; due by the end of the next quarter."


def chance(probability: float) -> str:
    """Write a chance without claiming certainty.

    Example
    -------
    >>> chance(0.5), chance(0.001), chance(0.9999)
    ('50%', 'under 1%', 'over 99%')
    """
    if probability < 0.01:
        return "under 1%"
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def detectable(stated: Any) -> str:
    """Say, before anything is issued, what the control will be able to show (``actions.chosen.Detectable``)."""
    if not stated.held_back:
        return "No customer is held back, so nothing will tell what the list itself added."
    left = (
        f"{plural(stated.held_back, 'customer')} drawn at random {'is' if stated.held_back == 1 else 'are'} left alone"
    )
    if stated.lift is None:
        return f"{left}: too few to tell what the list itself added."
    if (stated.expected or 0) + stated.lift > 1:
        return f"{left}: too few to notice any lift that is possible; several quarters together may."
    if stated.expected is None:
        return (
            f"{left}, so that the list can be measured: whatever share of the calls closes, a lift of "
            f"{points(stated.lift, ' points').lstrip('+')} would be noticed four times in five, a smaller one less "
            "often."
        )
    return (
        f"{left}, so that the list can be measured: a lift of {points(stated.lift, ' points').lstrip('+')} in the "
        f"share of calls that close ({per_cent(stated.expected)} of these calls, the likeliest, are expected to close "
        "without one) would be noticed four times in five, a smaller one less often."
    )


def said_and_came(issued: str, rows: Row) -> str:
    """Say of one list what was expected and what came (a row of ``actions.followed.calibration``)."""
    listed = f"The list of {quarter(issued)} named {plural(rows['calls'], 'call')}; {rows['worked']:,} were worked"
    closed = f"{rows['closed']:,} closed" if rows["closed"] else "none closed"
    if missing(rows["expected"]):
        return f"{listed} and {closed}."
    return f"{listed} and {closed}, where {rows['expected']:.1f} were expected."


def outcome(found: Any) -> list[str]:
    """Say what came of every list so far (``actions.followed.Outcome``)."""
    if found is None:
        return [nothing_issued()]
    lists = [said_and_came(row["issued"], row) for row in found.lists.to_dict("records")]
    why = why_not(found.why_not)
    return [*lists, won(found.won), effect(found.effect), *([] if why is None else [why])]


def returned(found: Any) -> list[str]:
    """Say what was on record of a list, and what workbooks changed about it (``actions.record.Returned``)."""
    if found.cleared:
        first = f"What earlier workbooks said of {plural(found.cleared, 'call')} was cleared"
    elif found.before:
        first = f"Earlier workbooks had said something of {plural(found.before, 'call')}, which stays on record"
    else:
        first = "Nothing was on record"
    stays = found.before > found.cleared
    change = f"these say something of {plural(found.added, 'more call' if stays else 'call')}"
    if found.replaced:
        change += f" and something else of {found.replaced:,}, which counts from now on"
    if stays and not found.added + found.replaced:
        change = "these say nothing new"
    told = [f"{first}; {change}. On record {are(found.now)} now {plural(found.now, 'call')}."]
    if stays:
        told.append("To start again with these workbooks alone, add --afresh.")
    return told


def won(rows: pd.DataFrame) -> str:
    """Compare calls marked won with the data, all lists together (``actions.followed.won``)."""
    all_of_them = rows[["told", "won", "seen", "later", "unseen", "unmarked"]].sum()
    bought = all_of_them["unmarked"]
    without = f"{bought:,} {'was' if bought == 1 else 'were'} bought without being marked won"
    if not all_of_them["told"]:
        return f"No workbook has told yet what came of the calls; by the data {without}."
    if not all_of_them["won"]:
        return f"No call is marked won; by the data {without}."
    seen = f"{all_of_them['seen']:,} {are(all_of_them['seen'])} seen in the data at the quarter's end"
    later = f", {all_of_them['later']:,} since" if all_of_them["later"] else ""
    left = f"{all_of_them['unseen']:,} {are(all_of_them['unseen'])} not, or not yet"
    return f"Of {plural(all_of_them['won'], 'call')} marked won, {seen}{later} and {left}; {without}."


def effect(found: Any) -> str:
    """Say what working the list added (``actions.followed.Effect``): only those held back can tell.

    The sign, and whether it is clear, follow the interval.
    """
    if found.list is None:
        return "What the list itself added cannot be told: too few customers were held back."
    base = f"{per_cent(found.closed_listed)} of the calls closed, {per_cent(found.closed_held_back)} of those held back"
    if found.working is None:
        return f"Nothing was worked, so there is nothing to measure: {base}."
    if found.working_low is None:
        return f"{upper(base)}; too little varied for an interval."
    size = (
        f"{points(found.working, ' points')} (95% interval {points(found.working_low)} to {points(found.working_high)})"
    )
    if found.working_low > 0:
        verdict = f"Calling worked: per call, the chance of closing rose by {size.lstrip('+')}"
    elif found.working_high < 0:
        verdict = f"Calling did harm: per call, the chance of closing fell, by {size}"
    else:
        verdict = f"Whether calling helped is not clear: per call, {size}"
    return f"{verdict}. {upper(base)} ({plural(found.listed + found.held_back, 'customer')})."


def why_not(counted: pd.DataFrame) -> str | None:
    """Name the commonest reason that owners gave for a call that did not close."""
    if counted.empty:
        return None
    first = counted.iloc[0]
    return (
        f"The commonest reason given for not closing: {first['why_not']} "
        f"({first['calls']:,} of {plural(counted['calls'].sum(), 'answer')})."
    )


def nothing_issued() -> str:
    """Say that no list was issued yet."""
    return "No call list was issued for an earlier quarter, so there is nothing to follow up."
