"""A published case in words: what was claimed, what this engagement shows, and what may be concluded.

Sentences take what :func:`kpilib.cases.examine` returns (or anything with the same attributes). They say of a
programme no more than :mod:`kpilib.wording.programmes` does.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording import comparison, programmes, said
from kpilib.written import count, missing, name, per_cent, points, quarter, rounds_away, several, upper

KPIS = {"account_penetration_degree": "degree", "account_penetration_index": "index"}
FIGURES = {
    "before": "{kpi} before",
    "after": "{kpi} after",
    "growth": "revenue of existing customers",
}


def told(case: Any) -> str:
    """Tell the case as it was published."""
    rise = _signed(case.after / case.before - 1, 0)
    lines = f"; {count(case.launched)} product lines were launched meanwhile" if case.launched else ""
    return (
        f"As told, {case.firm} took its penetration {KPIS[case.kpi]} from {per_cent(case.before, 0)} to "
        f"{per_cent(case.after, 0)} within a year ({points(case.after - case.before)} points, "
        f"{rise}), with {_signed(case.growth, 0)} revenue from existing customers. It "
        f"names {several(case.measures)}, and no control group{lines}. Source: {case.source}."
    )


def agreement(found: Any) -> str:
    """Say claim and measured figure side by side, and whether they agree to the printed precision."""
    rows = found.claims.to_dict("records")
    pairs = [
        f"{figure(found.case, row['figure'])} {written(row, 'claimed')} and {written(row, 'measured')}" for row in rows
    ]
    apart = [figure(found.case, row["figure"]) for row in rows if not row["agrees"]]
    end = "all agree as printed" if not apart else f"apart: {several(apart)}"
    return f"Claimed, and measured at {name(found.client)}: {'; '.join(pairs)}: {end}."


def implied(found: Any) -> list[str]:
    """Hold what the claim implies of revenue per product held against what this portfolio shows."""
    claim = comparison.claim(found.implied)
    if found.case.kpi in KPIS and KPIS[found.case.kpi] == "index":
        claim += (
            " That takes the index for penetration: as if no more were offered, and every product held had a record."
        )
    return said(f"At constant customers and products on offer: {claim[:1].lower()}{claim[1:]}", _shown(found.shown))


def naive(found: Any) -> str:
    """Say the reading that everyone makes of such a story."""
    change = points(found.case.after - found.case.before)
    row = _side(found, "treated")
    own = "" if row is None else f", or the {points(row['change'])} points by which customers in it moved"
    return (
        f"The naive reading credits the programme with all of it: {change} points of the {KPIS[found.case.kpi]}{own}."
    )


def truth(found: Any) -> str | None:
    """Hold the estimate against what is known because the engagement is invented; None where nothing is known."""
    known, row = found.truth, programmes.effect_of(found.found, "degree", "at_end")
    if known is None:
        return None
    if rounds_away(known.effect, 2):
        told = "The truth is known: with the programme and without it, customers in it would have moved alike"
    else:
        told = (
            "The truth is known: by what they held on the day, customers in it moved "
            f"{points(known.with_programme)} points and would have moved "
            f"{points(known.without_programme)} without it, so {points(known.effect)} points are its doing"
        )
    if row is None or missing(row["low"]):
        return f"{told}."
    held = row["low"] <= known.effect <= row["high"]
    interval = f"{points(row['low'])} to {points(row['high'])}"
    return f"{told}. The interval of the difference, {interval}, {'holds' if held else 'misses'} it."


def apart(here: Any, there: Any | None) -> str:
    """Say what tells the firm from its twin."""
    if there is None:
        return "There is no twin beside this engagement to compare with."
    rows = [programmes.effect_of(each.found, "degree", "at_end") for each in (here, there)]
    same = "shows the same published figures" if there.claims["agrees"].all() else "shows other figures than published"
    start = f"{name(there.client)} {same}, from a programme that changed nothing"
    if any(row is None or missing(row["low"]) for row in rows):
        return f"{start}; without those held out, nothing tells the two apart."
    told = [f"{points(row['value'])} points ({points(row['low'])} to {points(row['high'])})" for row in rows]
    sees = programmes.clear(rows[0]) and not programmes.clear(rows[1])
    end = "tells them apart" if sees else "does not tell them apart"
    return f"{start}. The comparison with those held out {end}: {told[0]} here, {told[1]} there."


def may(found: Any) -> list[str]:
    """Say what may be concluded, by the verdict and the numbers."""
    case, claims = found.case, found.claims.set_index("figure")["measured"]
    kpi, when = KPIS[case.kpi], f"from {quarter(case.earlier)} to {quarter(case.later)}"
    facts = (
        f"That {when} the {kpi} went from {per_cent(claims['before'])} to "
        f"{per_cent(claims['after'])}, and that revenue of customers who had some the year before changed by "
        f"{_signed(claims['growth'])}: facts, without a reason."
    )
    return said(facts, _may_of_programme(found))


def may_not(found: Any) -> list[str]:
    """Say what may not be concluded, by the verdict and the numbers."""
    case, row = found.case, programmes.effect_of(found.found, "degree", "at_end")
    kpi, moves = KPIS[case.kpi], "it moves with what is recorded, and " if KPIS[case.kpi] == "index" else ""
    change = f"the {points(case.after - case.before)} points of the {kpi}"
    all_of_it = f"That {change} are the programme's: {moves}{_anyway(found)}."
    return said(all_of_it, _not_of_programme(found, row), _not_of_revenue(found), _not_of_payback(found))


def headline(found: Any) -> str:
    """Answer in one sentence: what is reproduced, and what is left of it against those held out."""
    case, row = found.case, programmes.effect_of(found.found, "degree", "at_end")
    shown = "is reproduced" if found.claims["agrees"].all() else "is not reproduced"
    levels = f"from {per_cent(case.before, 0)} to {per_cent(case.after, 0)}"
    start = f"The published rise of the {KPIS[case.kpi]} {levels} {shown}"
    if row is None or missing(row["low"]):
        return f"{start}; what the programme did cannot be told."
    if not programmes.clear(row):
        return f"{start}; against customers held out, no effect of the programme can be told from chance."
    size = _size(row["value"])
    if found.found.verdict.word == programmes.CONTROLLED:
        verb = "raised" if row["value"] > 0 else "lowered"
        return f"{start}; against customers held out, the programme {verb} penetration by {size} points."
    more = "more" if row["value"] > 0 else "less"
    them = programmes.them(found.found)
    told = f"customers in the programme moved {size} points {more} than {them}"
    return f"{start}; {told}: {found.found.verdict.word}, no proof."


def recording(table: pd.DataFrame, launched: int = 0) -> list[str]:
    """Say what moved the index besides what customers have.

    Parameters
    ----------
    table
        ``cases.recording``: two rows of quarter, index, won, newly_held, same_products, treated, held_out, logging,
        degree.
    launched
        How many product lines were put on sale in between.
    """
    before, after = table.to_dict("records")
    logging = (
        f"A CRM changes what is recorded: {per_cent(before['logging'])} of products held had an offer on record, then "
        f"{per_cent(after['logging'])}."
    )
    return said(
        index_and_degree(table),
        logging,
        _wins(before, after),
        _same_products(before, after, launched),
        _index_of_sides(before, after),
    )


def index_and_degree(table: pd.DataFrame) -> str:
    """Say how the index moved beside the degree, by the rows of ``cases.recording``."""
    before, after = table.to_dict("records")
    return (
        f"The index went from {per_cent(before['index'])} to {per_cent(after['index'])}; the degree, which needs no "
        f"record, from {per_cent(before['degree'])} to {per_cent(after['degree'])}."
    )


def figure(case: Any, which: str) -> str:
    """Name a published figure."""
    return FIGURES[which].format(kpi=KPIS[case.kpi])


def written(row: Any, column: str) -> str:
    """Write a claimed or measured figure; growth with its sign."""
    value = row[column]
    return _signed(value) if row["figure"] == "growth" and not missing(value) else per_cent(value)


def _shown(found: Any | None) -> str | None:
    if found is None:
        return None
    rows = found.factors.set_index("factor")["per_cent"]
    offer = float(rows["possible_per_account"])
    wider = "" if rounds_away(offer, 1) else f"products they could buy {_signed(offer)}, "
    return (
        f"In this portfolio, of customers counted both times and over twelve months each: {wider}share held "
        f"{_signed(float(rows['penetration']))}, revenue {_signed(found.growth)}, so revenue per product held "
        f"{_signed(float(rows['revenue_per_held']))}. The claim mixes two groups: penetration of all customers counted "
        "each time, revenue of those who had some the year before, lost ones included."
    )


def _may_of_programme(found: Any) -> str | None:
    row = programmes.effect_of(found.found, "degree", "at_end")
    if row is None or missing(row["low"]):
        return None
    interval, size = (
        f"95% interval {points(row['low'])} to {points(row['high'])}",
        _size(row["value"]),
    )
    if not programmes.clear(row):
        return (
            f"That no clear difference was found between customers in the programme and "
            f"{programmes.them(found.found)}: {points(row['value'])} points ({interval}), which may be chance."
        )
    if found.found.verdict.word == programmes.CONTROLLED:
        verb = "raised" if row["value"] > 0 else "lowered"
        return f"That the programme {verb} penetration of those in it, by {size} points ({interval})."
    more = "more" if row["value"] > 0 else "less"
    return (
        f"That customers in the programme moved {size} points {more} than {programmes.them(found.found)} "
        f"({interval}): {found.found.verdict.word}, no proof."
    )


def _anyway(found: Any) -> str:
    row = None if found.found.against is None else _side(found, found.found.against)
    if row is None:
        return "nobody shows what would have happened anyway"
    return f"{programmes.them(found.found)} moved by {points(row['change'])} points of what they could buy as well"


def _not_of_programme(found: Any, row: Any) -> str | None:
    if row is None or missing(row["low"]):
        return "That it had any effect: too little is known."
    if not programmes.clear(row):
        most = max(row["high"], -row["low"])
        return f"That it had an effect, or that it had none: an effect of {_size(most)} points could look like this."
    if found.found.verdict.word != programmes.CONTROLLED:
        reasons = programmes.judged(found.found).partition(": ")[2].partition(": ")[2]
        return f"That the difference is the programme's doing: {reasons}"
    return None


def _not_of_revenue(found: Any) -> str | None:
    growth, row = found.case.growth, programmes.effect_of(found.found, "revenue", "on_average")
    if row is None or missing(row["low"]):
        return f"That the {_signed(growth, 0)} revenue is its doing: revenue of both sides is not known."
    if programmes.clear(row) and found.found.verdict.word == programmes.CONTROLLED:
        return (
            f"That all of the {_signed(growth, 0)} revenue is its doing: customers held out count towards it as well."
        )
    why = "is clear, but no proof" if programmes.clear(row) else "may be chance"
    return f"That the {_signed(growth, 0)} revenue is its doing: the difference of revenue between both sides {why}."


def _not_of_payback(found: Any) -> str | None:
    paid = found.found.payback
    clear = paid is not None and not missing(paid.low) and (paid.low > 0 or paid.high < 0)
    if clear and found.found.verdict.word == programmes.CONTROLLED:
        return None
    return f"That it was worth its cost. {programmes.payback(found.found, found.currency)}"


def _wins(before: Any, after: Any) -> str | None:
    if any(missing(row["newly_held"]) or not row["newly_held"] for row in (before, after)):
        return None
    told = [
        f"in the year to {quarter(row['quarter'])}, {count(row['won'])} products were won on record and "
        f"{count(row['newly_held'])} newly held"
        for row in (before, after)
    ]
    return f"{upper(told[0])}; {told[1]}."


def _same_products(before: Any, after: Any, launched: int) -> str | None:
    if missing(before["same_products"]) or missing(after["same_products"]) or after["same_products"] == after["index"]:
        return None
    lines = f" the {count(launched)} launched lines" if launched else " products put on sale or taken off"
    part = after["index"] - after["same_products"]
    return (
        f"On products on sale at both ends, the index went from {per_cent(before['same_products'])} to "
        f"{per_cent(after['same_products'])}:{lines} make {points(part)} points of it."
    )


def _index_of_sides(before: Any, after: Any) -> str | None:
    if any(missing(row[side]) for row in (before, after) for side in ("treated", "held_out")):
        return None
    return (
        f"Of customers held out the index went from {per_cent(before['held_out'])} to {per_cent(after['held_out'])} as "
        f"well, of those in the programme from {per_cent(before['treated'])} to {per_cent(after['treated'])}."
    )


def _side(found: Any, side: str) -> Any:
    rows = found.found.moved[found.found.moved["side"] == side]
    return None if rows.empty else rows.iloc[0].to_dict()


def _size(difference: float) -> str:
    return points(abs(difference)).lstrip("+")


def _signed(share: float, places: int = 1) -> str:
    """Write a relative change in per cent, with its sign."""
    shown = per_cent(abs(share), places)
    return shown if rounds_away(share, places) else f"{'+' if share > 0 else points(share)[0]}{shown}"
