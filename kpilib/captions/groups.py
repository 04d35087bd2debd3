"""What stands over figures of segments: the message, then what, unit and period."""

from __future__ import annotations

import pandas as pd

from kpilib.wording import verdict
from kpilib.wording.groups import NO_GROUP, NOT_COUNTED, shown
from kpilib.written import count, floats, missing, name, per_cent, plural, points, quarter, spaced

LADDER = "By {by}: customers, share of what they could buy that they have, average, %, and revenue, {period}"
HEAT = "By {by}: share of the customers who could buy a product that have it, %, {period}"
JOINED = " · "  # stands between the values of attributes taken together
MOVES = "By {by}: customers by group then and now, number, {before} and {period}"


def ladder(profile: pd.DataFrame) -> str:
    """Title the ladder: the segment that brings most revenue, or else the highest and the lowest level."""
    known = shown(profile)
    if known.empty:
        return "No group is large enough to be shown"
    if floats(known, "revenue_share").max() > 0:
        most = known.iloc[int(pd.Series(floats(known, "revenue_share")).fillna(-1).to_numpy().argmax())]
        return (
            f"“{name(most['segment'], most=48)}”, {per_cent(most['share'])} of customers, bring "
            f"{per_cent(most['revenue_share'])} of revenue and have {per_cent(most['mean'])} of what they could buy"
        )
    given = known[~known["segment"].isin(NO_GROUP)]
    given = known if given.empty else given
    places = given["mean"].astype(float).to_numpy()
    top, bottom = given.iloc[int(places.argmax())], given.iloc[int(places.argmin())]
    best = f"“{name(top['segment'], most=48)}” lead with {per_cent(top['mean'])}"
    if top["segment"] == bottom["segment"]:
        return best
    return f"{best}, “{name(bottom['segment'], most=48)}” are last with {per_cent(bottom['mean'])}"


def apart(profile: pd.DataFrame) -> str:
    """Title the ladder of an attribute: the group furthest from all others, where that is clear."""
    known = shown(profile)
    known = known[~known["segment"].isin(NO_GROUP)]
    clear = known[[verdict(low, high)[:7] == "a clear" for low, high in zip(known["low"], known["high"], strict=True)]]
    together = known["segment"].astype(str).str.contains(JOINED, regex=False).all()
    if clear.empty:
        what = "combination" if together and len(known) else "group given"
        return f"No {what} lies clearly apart from all other customers"
    most = clear.iloc[int(clear["difference"].abs().to_numpy().argmax())]
    told = f"“{name(most['segment'], most=48)}” lie furthest from all others: {points(most['difference'], ' points')}"
    return f"Of combinations, {told}" if together else told


def heat(attach: pd.DataFrame) -> str:
    """Title the products by segment: the widest clear difference."""
    clear = attach[attach["clear"].astype(bool)]
    if clear.empty:
        return "No product sets a group clearly apart from all others"
    most = clear.iloc[int(clear["difference"].abs().to_numpy().argmax())]
    return (
        f"{name(most['product_id'], most=48)} sets groups apart most: {per_cent(most['attach_rate'], 0)} in "
        f"“{name(most['segment'], most=48)}” have it, {per_cent(most['attach_others'], 0)} of all others"
    )


def moves(movers: pd.DataFrame) -> str:
    """Title the moves: how many stayed where they were."""
    both = movers[(movers["before"] != NOT_COUNTED) & (movers["now"] != NOT_COUNTED)]
    everyone, stayed = int(both["accounts"].sum()), int(both.loc[both["before"] == both["now"], "accounts"].sum())
    if not everyone:
        return "No customer is counted both times"
    if stayed == everyone:
        return f"All {plural(everyone, 'customer')} counted both times stayed in their group"
    went = everyone - stayed
    return f"{count(went)} of {plural(everyone, 'customer')} counted both times ({per_cent(went / everyone)}) moved"


def subtitle(what: str, by: str, now: str, before: str | None = None) -> str:
    """Say what a figure shows, in which unit and for which period.

    Example
    -------
    >>> subtitle(HEAT, "income", "2017Q4")
    'By income: share of the customers who could buy a product that have it, %, Q4 2017'
    """
    return what.format(by=spaced(by), period=quarter(now), before="" if missing(before) else quarter(before))
