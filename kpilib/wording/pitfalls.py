"""Pitfalls as computed sentences: what was found, with its size; what was looked for in vain; what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.wording.revenue import SEASONS, has_season
from kpilib.written import count, have, missing, money, name, per_cent, plural, points, quarter, several, spaced

NEEDS = {
    "opportunities": "a record of sales opportunities",
    "owner": "an owner for each customer",
    "feedback": "feedback of customers",
    "interactions": "a record of contacts with customers",
    "revenue": "revenue by customer and product",
}
ABOUT = {"degree": "penetration", "products": "products held"}


def told(finding: Any) -> str:
    """Say one finding (``kpilib.pitfalls.Finding``) with its title."""
    return f"{title(finding)}: {body(finding)}"


def body(finding: Any) -> str:
    """Say what was found, that it was not, or what would be needed to tell."""
    if finding.fires is None:
        needed = several(NEEDS.get(each, each) for each in finding.lacks)
        return f"cannot be told without {needed}."
    return FOUND[finding.pitfall](finding) if finding.fires else "looked for, not found."


def about(finding: Any) -> str:
    """Name what a finding is about: an attribute, a target's customers, a figure."""
    return ABOUT.get(finding.about) or spaced(finding.about) if finding.about else ""


def title(finding: Any) -> str:
    """Name a finding, with what it is about."""
    return TITLES[finding.pitfall] + (f" ({about(finding)})" if finding.about else "")


def offers(by_owner: pd.DataFrame | None, lacking: Sequence[str] = ()) -> str:
    """Say how much of what could be offered was, who never offers, else how far owners lie apart."""
    if by_owner is None:
        return f"Who offers what cannot be told without {several(NEEDS.get(each, each) for each in lacking)}."
    open_slots = by_owner["offered"].sum() + by_owner["never_offered"].sum()
    if not open_slots:
        return "There was nothing to offer: customers have, or must not be sold, all they could buy."
    share = f"Of what customers could be offered, {per_cent(by_owner['offered'].sum() / open_slots)} ever was"
    never = by_owner.loc[by_owner["never"].astype(bool), "group"].tolist()
    if never:
        return f"{share}; {several(never)} {have(len(never))} no offer on record at all, and that is no accident."
    known = by_owner["coverage"].dropna()
    if len(known) < 2:
        return f"{share}."
    return f"{share}; by owner from {per_cent(known.min())} to {per_cent(known.max())} (offers_by_owner.csv)."


def _mix(finding: Any) -> str:
    told = finding.figures
    way = ("rose", "fell") if told["total"] > 0 else ("fell", "rose")
    return (
        f"the average {way[0]} by {_size(told['total'])} points while the groups themselves {way[1]} by "
        f"{_size(told['within'])}: who is counted changed, not how they are sold to."
    )


def _opposite(finding: Any) -> str:
    told = finding.figures
    return (
        f"{name(told['rose'])} rose by {_size(told['rise'])} points and {name(told['fell'])} fell by "
        f"{_size(told['fall'])}; the average of both ({points(told['total'])}) says neither."
    )


def _heard(finding: Any) -> str:
    if not finding.figures["table"]:
        return "no feedback is on record, so nobody can tell whether customers with less are unhappy or not asked."
    return f"only {count(finding.figures['answered'])} of {plural(finding.n, 'customer')} gave any."


def _unused(finding: Any) -> str:
    told = finding.figures
    limit, itself = told["low"]
    low = f"{limit.normalize():f} or less" if itself else f"below {limit.normalize():f}, the middle of the scale"
    if told["alone"] == told["unhappy"] > 1:
        who = plural(told["unhappy"], "customer")
        return f"none of {who} who gave a low score ({low}) had any contact in the {told['days']} days after it."
    return (
        f"of {plural(told['unhappy'], 'customer')} who gave a low score ({low}), {count(told['alone'])} had no "
        f"contact in the {told['days']} days after it."
    )


def _growth(finding: Any) -> str:
    told = finding.figures
    if finding.about == "revenue":
        grew, less = (money(abs(told[each]), told["currency"], 0) for each in ("total", "existing"))
        share, low, high = (told[each] for each in ("net_revenue_retention", "low", "high"))
        reach = "" if missing(low) else f" (95% interval {per_cent(low)} to {per_cent(high)})"
        chance = "; that much could be chance" if not missing(high) and high >= 1 else ""
        chance += f"; {SEASONS}" if has_season(told["later"], told["earlier"]) else ""
        return (
            f"revenue grew by {grew}, while the {plural(finding.n, 'customer')} of before bring {less} less: "
            f"{per_cent(share)} of what they brought{reach}{chance}."
        )
    if finding.about == "products":
        return (
            f"new customers brought {plural(told['new'], 'product')}, while those we had before lost "
            f"{count(-told['existing'])} on balance."
        )
    return (
        f"penetration rose by {_size(told['total'])} points in all and fell by {_size(told['same'])} among customers "
        f"we had both times; new ones make {_size(told['entry'])} of the rise."
    )


def _owners(finding: Any) -> str:
    told = finding.figures
    who = several(told["owners"])
    return f"{who}, with {plural(finding.n, 'customer')}, {have(len(told['owners']))} no offer on record."


def _rises(finding: Any) -> str:
    told = finding.figures
    return (
        f"{plural(told['lost'], 'customer')} no longer counted had {_size(told['gap'])} points less than those who "
        f"stayed; their leaving alone raised the average by {_size(finding.size)} points. A target on it can be met by "
        "losing them."
    )


def _met(finding: Any) -> str:
    told = finding.figures
    return (
        f"{per_cent(told['actual'])} meets the target of {per_cent(told['target'])}, but with the "
        f"{plural(told['lost'], 'customer')} lost it would be {per_cent(told['with_lost'])}."
    )


def _reach(finding: Any) -> str:
    told = finding.figures
    return (
        f"an average of {per_cent(told['target'])} is asked for by {quarter(told['quarter'])}, and today only the "
        f"best fourth of these customers reaches {per_cent(told['reach'])}."
    )


def _catalogue(finding: Any) -> str:
    told = finding.figures
    return f"they were made for up to {told['made_for']} products, and {count(told['products'])} are on sale."


def _size(difference: float | None) -> str:
    return "–" if missing(difference) else points(abs(difference)).lstrip("+")


TITLES = {
    "mix shift": "An average that moves against its groups",
    "opposite movements": "Groups that part company",
    "feedback missing": "Feedback missing",
    "feedback unused": "Feedback unused",
    "growth by new accounts": "Growth carried by new customers",
    "owners who never offer": "Owners who never offer",
    "target met by losing": "A target met by losing customers",
    "target rises by losing": "A target that rises by losing customers",
    "target out of reach": "A target out of reach",
    "catalogue too large for the bands": "A catalogue too large for the bands",
}
FOUND = {
    "mix shift": _mix,
    "opposite movements": _opposite,
    "feedback missing": _heard,
    "feedback unused": _unused,
    "growth by new accounts": _growth,
    "owners who never offer": _owners,
    "target met by losing": _met,
    "target rises by losing": _rises,
    "target out of reach": _reach,
    "catalogue too large for the bands": _catalogue,
}
