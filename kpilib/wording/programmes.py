"""What may be said of a programme: never more than its verdict, never a cause where none was shown.

Sentences take what :func:`kpilib.programmes.examined` returns (or anything with the same attributes). Only a verdict
*controlled* whose interval leaves out zero lets a sentence say that the programme did something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kpilib.wording import said
from kpilib.written import (
    Row,
    count,
    day,
    missing,
    money,
    name,
    per_cent,
    plural,
    points,
    quarter,
    rounds_away,
    several,
    spaced,
    upper,
)

CONTROLLED, SUGGESTIVE, DESCRIPTIVE = "controlled", "suggestive", "descriptive"
ONE = {"are": "is", "have": "has"}
THE_ONE = "the programme"
APART = {"held_out": "held out of", "others": "not in"}
CAUSAL = re.compile(  # words that say a programme did something
    r"\b(rais|lower|caus|brought|bring|drove|driv|led to|result|due to|thanks|because of|earn|add(s|ed)\b|lift|boost|"
    r"increas|reduc|work(s|ed)\b|paid|pays)",
    re.IGNORECASE,
)
VERDICTS = {
    CONTROLLED: "Verdict{of}: controlled. Customers held out at the start show what would have happened anyway.",
    SUGGESTIVE: "Verdict{of}: suggestive. There is something to compare with, but it is no proof: {reasons}.",
    DESCRIPTIVE: "Verdict{of}: descriptive. The figures say what happened, not why: {reasons}.",
}
REASONS = {
    "no_comparison": "there are too few customers to compare those in it with",
    "no_sound_hold_out": "what was held out is no hold-out",
    "too_few_counted": "too few of those in it are counted both before and after",
    "starts_apart": "customers in it began in different quarters, which are not to be mixed",
    "others_reached": "most customers not in it took part in other programmes",
    "few_units": "too little of what was drawn is known on one side for an interval",
    "no_hold_out": "nobody was held out",
    "uneven_start": "both sides had clearly different penetration before the start",
    "trend_apart": "both sides were moving apart before the start",
    "few_quarters_before": "too few quarters before the start show whether both sides moved alike",
    "few_quarters_after": "no full quarter after the start is known",
    "overlap": "another programme reached those compared with or one side more than the other",
    "unlike": "both sides differed by more than chance before the start",
    "one_sided": "the sides follow an attribute of the customers instead of a draw",
    "hit_unlike": "the catalogue or who is counted changed otherwise for one side",
    "attrition": "one side lost clearly more customers than the other",
    "chosen_low": "the customers were chosen low or by what they had just before, and such customers drift back",
}
NO_PAYBACK = {
    "not_controlled": "No payback{of} is worked out: that needs a controlled comparison.",
    "no_margins": "No payback{of} is worked out: the catalogue tells no margins.",
    "no_cost": "No payback{of} is worked out: no cost is told.",
    "several_starts": "No payback{of} is worked out: its starts lie in different quarters.",
}
AVERAGED = "on average over the quarters since each start"
HEAVY_TAILS = "A few large customers can carry such a figure: read it with care."


def answer(found: Any, currency: str | None = None) -> list[str]:
    """Answer what a programme changed: what happened, against whom, how sure, and how much may be said."""
    return [*happened(found), *said(judged(found), revenue(found, currency))]


def happened(found: Any) -> list[str]:
    """Say what happened to those in the programme, and to those it is compared with; the verdict stands elsewhere.

    Where they were bound to drift back to the average and no hold-out takes that out, it comes before the comparison.
    """
    first = regression(found) if drifted(found) else None
    return said(stands(found), first, beside(found), compared(found), width(found), entered(found), refused(found))


def short(found: Any) -> str:
    """Answer in one sentence that names the programme: what drift back leaves, the difference, or else the verdict."""
    if drifted(found):
        back = found.regression
        whole = points(back.expected + back.adjusted)
        return (
            f"Less what was to be expected of customers chosen as they were, customers in {called(found, named=True)} "
            f"moved by {points(back.adjusted)} points (by {whole} with it): {found.verdict.word}, no proof."
        )
    told, word = compared(found, named=True), found.verdict.word
    if told and word != CONTROLLED and clear(effect_of(found, "degree", "at_end")):
        return f"{told.removesuffix('.')}: {word}, no proof."
    return told or judged(found, named=True)


def not_examined(reasons: Mapping[str, str | None]) -> list[str]:
    """Say which programmes are not examined, and why.

    Parameters
    ----------
    reasons
        Every programme of the engagement by name, with why it cannot be examined (None: it can).

    Example
    -------
    >>> not_examined({})
    ['No programme is examined: the client tells of none.']
    >>> not_examined({"Calls": None, "Visits": "It has no complete quarter after its start."})
    ['Visits is not examined. It has no complete quarter after its start.']
    >>> not_examined({"Early": "'Early' starts outside the data."})
    ['Early is not examined: it starts outside the data.']
    """
    if not reasons:
        return ["No programme is examined: the client tells of none."]
    told = []
    for each, reason in reasons.items():
        if reason:
            own = _as_said(reason).removeprefix(f"{each!r} ")
            told.append(
                f"{upper(_named(each))} is not examined{': it ' if reason.startswith(f'{each!r} ') else '. '}{own}"
            )
    return told


def drifted(found: Any) -> bool:
    """Tell whether drift back to the average was found, its size is known, and no hold-out takes it out."""
    back = found.regression
    return bool(back is not None and back.flagged and not missing(back.adjusted) and found.against != "held_out")


def called(found: Any, named: bool = False) -> str:
    """Call it the programme where it is the only one, unless it is to be ``named``; else by its name."""
    return _named(found.name) if named or not found.alone else THE_ONE


def them(found: Any) -> str:
    """Name the customers it is compared with, in a sentence that has named the programme."""
    return f"customers {_apart(found)} it"


def stands(found: Any) -> str:
    """Say what happened to those in the programme: before and after, and nothing else."""
    since = f"{upper(_named(found.name))} began on {day(found.start)}"
    row = _side(found.moved, "treated")
    if row is None:
        return f"{since}; too few customers in it are counted both before and after."
    return (
        f"{since}. From {quarter(found.before)} to {quarter(found.after)}, the {plural(row['n'], 'customer')} in it "
        f"went from {per_cent(row['before'])} to {per_cent(row['after'])} of what they could buy: "
        f"{points(row['change'])} points."
    )


def beside(found: Any) -> str | None:
    """Say how those it is compared with moved over the same time."""
    row = None if found.against is None else _side(found.moved, found.against)
    if row is None:
        return None
    return (
        f"Over the same time, the {plural(row['n'], 'customer')} {APART[found.against]} it moved by "
        f"{points(row['change'])} points."
    )


def compared(found: Any, named: bool = False) -> str | None:
    """Say the difference between both sides, in the words that the verdict allows; ``named``: of which programme."""
    row = effect_of(found, "degree", "at_end")
    if row is None or missing(row["value"]):
        return None
    interval, it = _interval(row), called(found, named)
    average = f"{AVERAGED}, " if found.waves is not None else ""
    size = points(row["value"], " points")
    shown = f"the difference is {size}" if it == THE_ONE else f"customers in {it} moved by {size} against {them(found)}"
    shown = upper(average + shown)
    if missing(row["low"]):
        return f"{shown}; too little is known for an interval."
    if not clear(row):
        return f"{shown} {interval}, which may be chance."
    size = _size(row["value"])
    if found.verdict.word == CONTROLLED:
        verb = "raised" if row["value"] > 0 else "lowered"
        return upper(f"{average}{it} {verb} penetration of those in it by {size} points {interval}.")
    more = "more" if row["value"] > 0 else "less"
    return upper(f"{average}customers in {it} moved by {size} points {more} than {them(found)} {interval}.")


def width(found: Any) -> str | None:
    """Say how little few units can tell."""
    row = effect_of(found, "degree", "at_end")
    if row is None or "Welch" not in row["method"]:
        return None
    if found.against == "others" and row["units_against"] == 1:
        drawn = spaced(found.assigned_by)
        return f"{upper(called(found))} was drawn by {drawn}, and no {drawn} is on record of customers not in it."
    if missing(row["low"]):
        return None
    units = int(row["units_treated"] + row["units_against"])
    wide = _size(row["high"] - row["low"])
    drawn = f"{upper(called(found))} was drawn by {spaced(found.assigned_by)}, {count(units)} units in all"
    return f"{drawn}, and each counts alike, whatever its size: the interval is {wide} points wide."


def entered(found: Any) -> str | None:
    """Say, of starts in several quarters, who is compared and with whom."""
    row = found.waves
    if row is None:
        return None
    alike = "" if found.assigned_by == "customer" else f"; each {spaced(found.assigned_by)} counts alike"
    return (
        f"Starts{_of(found)} lie in different quarters, and each is compared with those held out. Only customers "
        f"counted in every quarter enter: {count(row.n_treated)} of {count(found.treated)} in it and "
        f"{count(row.n_against)} of {count(found.held_out)} held out{alike}."
    )


def refused(found: Any) -> str | None:
    """Say why there is no comparison, where one was to be expected."""
    if found.fault:
        fault = _as_said(found.fault).replace(found.assigned_by, spaced(found.assigned_by))
        fault = re.sub(r"\b1 customers (are|have)\b", lambda each: f"1 customer {ONE[each[1]]}", fault)
        return f"What was held out{_of(found)} is no hold-out: {fault}."
    return found.refused and _as_said(found.refused.replace(repr(found.name), _named(found.name)))


def judged(found: Any, named: bool = False) -> str:
    """Say the verdict and what stands in the way of a better one; ``named`` says of which programme."""
    return VERDICTS[found.verdict.word].format(of=_of(found, named), reasons=_whole(found.verdict.reasons))


def revenue(found: Any, currency: str | None = None) -> str | None:
    """Say how revenue moved on both sides; never more than a difference."""
    row = effect_of(found, "revenue", "on_average")
    if row is None or missing(row["value"]):
        return None
    size, more = money(abs(row["value"]), currency, places=0), "more" if row["value"] > 0 else "less"
    told = f"Revenue a quarter per customer in {called(found)} moved by {size} {more} than of {them(found)}"
    if float(f"{row['value']:.0f}") == 0:
        told = f"Revenue a quarter per customer in {called(found)} moved as much as of {them(found)}"
    if missing(row["low"]):
        return f"{told}; too little is known for an interval."
    clearly = "a clear difference" if clear(row) else "which may be chance"
    limits = f"95% interval {_amount(row['low'], currency)} to {_amount(row['high'])}"
    return f"{told} ({limits}), {clearly}. {HEAVY_TAILS}"


def payback(found: Any, currency: str | None = None) -> str:
    """Say what the programme earned for its cost, where that was shown; else why it is not said."""
    paid = found.payback
    if paid is None or found.verdict.word != CONTROLLED:
        return NO_PAYBACK[found.no_payback or "not_controlled"].format(of=_of(found))
    unit = name(currency, 12) if currency else "unit"
    cost = f"{upper(called(found))} cost {money(paid.cost, currency, places=0)}"
    if missing(paid.low):
        return f"{cost}. Too little is known of the margin for an interval: no payback is shown."
    low, high, each = (_ratio(number) for number in (paid.low, paid.high, paid.value))
    if paid.low <= 0 <= paid.high:
        return (
            f"{cost}. What it changed in margin may be chance (95% interval for each {unit} of cost: {low} to {high}): "
            "no payback is shown."
        )
    spread = f" (95% interval {low} to {high})"
    if paid.value < 0:
        return f"{cost}, and margin fell by more than chance: {each} for each {unit} of cost{spread}."
    return f"{cost} and earned {each} of margin for each {unit} of it{spread}."


def alike(found: Any) -> str | None:
    """Say whether both sides were alike before the start."""
    mine = found.checks[found.checks["measure"] == "degree"].set_index("check")
    if "baseline" not in mine.index or missing(mine.loc["baseline", "value"]):
        return None
    apart, row = mine.loc["baseline", "value"], effect_of(found, "degree", "at_end")
    each = f", each {spaced(found.assigned_by)} counting alike" if row and "Welch" in row["method"] else ""
    more = f"{_size(apart)} points {'more' if apart > 0 else 'less'} penetration than"
    level = (
        f"Of all customers counted just before the start{each}, those in {called(found)} had "
        f"{'the same penetration as' if rounds_away(apart, 2) else more} those {_apart(found)} it"
    )
    trends = [mine.loc[each] for each in ("trend", "placebo") if each in mine.index]
    if not trends:
        return f"{level}; with one quarter before it, trends cannot be compared."
    if any(each["clear"] for each in trends):
        return f"{level}, and both sides were clearly moving apart."
    return f"{level}; no clear difference of trend is found, which is no proof that there was none."


def regression(found: Any) -> str | None:
    """Say what rise was to be expected of customers chosen for having little."""
    back = found.regression
    if back is None or not back.flagged:
        return None
    where = f"lay {_size(back.all - back.chosen)} points below" if back.all > back.chosen else "did not lie below"
    told = (
        f"The customers chosen{_of(found, word='for')} {where} the average of all ({per_cent(back.chosen)} against "
        f"{per_cent(back.all)}). A change of {points(back.expected)} points was to be expected of them without any "
        "programme"
    )
    source = (
        f", as from {quarter(back.since)} to {quarter(back.until)}"
        if back.learned == "earlier"
        else ", reckoned from the same quarters for want of earlier ones"
    )
    left = "" if missing(back.adjusted) else f"; {points(back.adjusted)} points are left"
    return f"{told}{source}{left}."


THREATS = {
    "regression_to_the_mean": "Drift back to the average",
    "market": "What happened anyway",
    "survivorship": "Lost customers",
    "joiners": "New customers",
    "attrition": "More lost on one side",
    "catalogue": "A different catalogue",
    "mix": "A different mix of customers",
    "few_quarters_before": "Few quarters before",
    "few_quarters_after": "Few quarters after",
    "unlike": "Sides that were not alike",
    "one_sided": "Another draw than told",
    "overlap": "Another programme",
    "lapsing": "Losses still to come",
}


def threat(row: Row, back: Any = None) -> str:
    """Say what one threat means, by its row of ``threats``; ``back`` is the programme's ``regression``."""
    size, n, of, detail = row["size"], int(row["n"]), int(row["of"]), row["detail"]
    moves = (
        "leaves the average as it is"
        if missing(size) or rounds_away(size, 2)
        else f"moves the average by {points(size)} points"
    )
    who = f"{count(n)} of {plural(of, 'customer')}"
    beyond = APART.get(row["whose"], APART["others"])
    sentences: Mapping[str, str] = {
        "regression_to_the_mean": _drift(size, back),
        "market": f"Customers {beyond} it moved by {points(size)} points over the same time.",
        "survivorship": f"{who} counted before are no longer counted; that {moves}.",
        "joiners": f"{who} counted now were not counted before; that {moves}.",
        "attrition": f"{who} in it are no longer counted: {points(size)} points against the other side.",
        "catalogue": f"What could be bought changed for {who} since the last quarter before the start. Beside "
        f"their change in the products on sale to them both times, that {moves}.",
        "mix": f"By {spaced(detail or 'segment')}, the mix of customers changed; that {moves}.",
        "few_quarters_before": f"{plural(n, 'complete quarter')} before the start; {of} are the least to see a trend.",
        "few_quarters_after": f"{plural(n, 'full quarter')} after the start; {of} is the least.",
        "unlike": f"Just before the start both sides differed by more than chance in {spaced(detail)}."
        if n
        else f"Just before the start both sides were as alike as a draw makes them, in {spaced(detail)}.",
        "one_sided": f"Every {spaced(detail)} lies wholly on one side: this was not drawn as told.",
        "overlap": f"{who} in the programme were in {name(detail or 'another', most=48)} as well{_too(row, beyond)}.",
        "lapsing": f"{who} in the programme have products that are overdue: {_size(size)} points may still be lost.",
    }  # fmt: skip
    return sentences[row["threat"]]


def _too(row: Row, beyond: str) -> str:
    """Say how many of the other side another programme reached."""
    of = int(row.get("of_against", 0))
    return f", and {count(int(row['n_against']))} of {count(of)} {beyond} it" if of else ""


def _drift(size: float, back: Any) -> str:
    """Say how far customers lay from all and what that alone lets expect; why they were chosen only as stated."""
    if back is None:
        return f"For their distance from the average alone, {points(size)} points were to be expected."
    apart = back.all - back.chosen
    where = "as high as" if rounds_away(apart) else f"{_size(apart)} points {'below' if apart > 0 else 'above'}"
    stated = f" (chosen on: {_as_said(several(back.chosen_on, 2))})" if back.chosen_on else ""
    return (
        f"The customers chosen{stated} lay {where} all customers before the start; for that alone, {points(size)} "
        "points were to be expected."
    )


def of_penetration(row: Row) -> bool:
    """Tell whether a threat's size is in points of penetration; of customers lost, it is not."""
    return row["threat"] != "attrition" and not missing(row["size"])


def clear(row: Row) -> bool:
    """Tell whether an interval leaves out zero."""
    return not missing(row["low"]) and bool(row["low"] > 0 or row["high"] < 0)


def effect_of(found: Any, measure: str, reading: str) -> Row | None:
    """Find a row of the effects; None where there is none. Of starts in several quarters, their common effect."""
    if found.waves is not None and (measure, reading) == ("degree", "at_end"):
        return vars(found.waves)
    rows = found.effects[(found.effects["measure"] == measure) & (found.effects["reading"] == reading)]
    return None if rows.empty else rows.iloc[0].to_dict()


def _size(difference: float) -> str:
    return points(abs(difference)).lstrip("+")


def _ratio(number: float) -> str:
    """Write an amount for each unit of cost; what rounds away has no sign."""
    return f"{round(number, 2) + 0.0:,.2f}".replace("-", "\N{MINUS SIGN}")


def _side(moved: pd.DataFrame, side: str) -> Row | None:
    rows = moved[moved["side"] == side]
    return None if rows.empty else rows.iloc[0].to_dict()


def _interval(row: Row) -> str:
    return f"(95% interval {points(row['low'])} to {points(row['high'])})"


def _apart(found: Any) -> str:
    return APART.get(found.against, APART["others"])


def _named(programme: str) -> str:
    return name(programme, most=48)


def _of(found: Any, named: bool = False, word: str = "of") -> str:
    """Say of which programme, where that is not clear."""
    it = called(found, named)
    return "" if it == THE_ONE else f" {word} {it}"


def _as_said(reason: str) -> str:
    """Write the days and quarters of a reason as people say them."""
    reason = re.sub(r"\b\d{4}-\d{2}-\d{2}\b", lambda found: day(found[0]), reason)
    return re.sub(r"'?\b(\d{4}Q[1-4])\b'?", lambda found: quarter(found[1]), reason)


def _whole(reasons: tuple[str, ...]) -> str:
    """Join reasons whole: none is shortened, as names are."""
    told = [REASONS[each] for each in reasons]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _amount(value: float, currency: str | None = None) -> str:
    """Write a difference of amounts, with its sign."""
    signed = ("+" if value > 0 else "") + money(value, places=0)
    return f"{name(currency, 12)} {signed}" if currency else signed
