"""Before and after in managers' words: what changed, in which parts, and what cannot be told from it.

Sentences take the results of ``kpilib.comparison`` and ``kpilib.bridge``. They say what a change is made
of, never what brought it about: nobody was held out to compare with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kpilib.wording import said, stops_after, verdict
from kpilib.written import (
    MINUS,
    Row,
    count,
    missing,
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

PARTS = {
    "gains": "products newly held by customers we had both times",
    "losses": "products they no longer hold",
    "joiners": "customers new to the count",
    "leavers": "customers no longer counted",
    "launches": "products launched",
    "retirements": "products taken off sale",
    "eligibility": "changes of what customers could buy",
}
FACTORS = {
    "accounts": "number of customers",
    "possible_per_account": "products a customer could buy",
    "penetration": "share of these it has",
    "revenue_per_held": "revenue per product held",
}
GROWS = {
    "accounts": "number of customers",
    "possible_per_account": "products they could buy",
    "penetration": "penetration",
    "revenue_per_held": "revenue per product held",
}
KPIS = {
    "account_penetration_degree": "Share of what customers could buy that they have, average",
    "account_penetration_degree(pooled)": "The same, all customers together",
    "products_per_account": "Products per customer",
    "revenue_quarter": "Revenue of the quarter per customer",
    "revenue_window": "Revenue of the look-back per customer",
    "existing_account_growth": "Revenue of customers who had some a year before",
    "existing_account_growth(quarter)": "Revenue of customers who had some before",
}
READINGS = {
    "as_reported": "all customers counted each time",
    "same_accounts": "customers we had both times",
    "same_accounts_and_products": "the same customers and products",
}
AGAINST = {"previous": "the quarter before", "last_year": "a year before"}
SHOWN_APART = 0.001  # points, less than any shown
MOVED_BY_WHO = 0.25  # of the change: joiners and leavers are then told before it is read


def changed(bridge: Any) -> str:
    """Say from where to where penetration moved, and whether that is clear.

    Parameters
    ----------
    bridge
        ``bridge.Bridge``: earlier, later, before, after (shares), change (with its interval).
    """
    when = f"{_when(bridge)}, penetration"
    levels = f"{per_cent(bridge.before)} to {per_cent(bridge.after)}"
    if rounds_away(bridge.change.value, 2):
        return f"{when} stayed at {per_cent(bridge.after)}."
    verb = "rose" if bridge.change.value > 0 else "fell"
    relative = per_cent(abs(bridge.after / bridge.before - 1)) if bridge.before else ""
    size = f"{_size(bridge.change.value)} points" + (f", or {relative} of what it was" if relative else "")
    return f"{when} {verb} from {levels}: by {size}{clear(bridge.change)}."


def same(bridge: Any) -> str:
    """Say how penetration moved among the customers counted both times."""
    found = bridge.same
    who = f"Among {_the(found.n)} we had both times it"
    if rounds_away(found.value, 2):
        return f"{who} did not move."
    return f"{who} {'rose' if found.value > 0 else 'fell'} by {_size(found.value)} points{clear(found)}."


def made_of(bridge: Any) -> str | None:
    r"""Say what the change is made of: every part that does not round away, and that they sum to it.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> parts = pd.DataFrame({"part": ["gains", "losses"], "points": [0.05, -0.02]})
    >>> change = SimpleNamespace(value=0.03)
    >>> print(made_of(SimpleNamespace(parts=parts, change=change)).replace(" and ", "\nand "))
    The +3.0 points are made of: products newly held by customers we had both times +5.0
    and products they no longer hold −2.0.
    """
    told = [f"{PARTS[row['part']]} {points(row['points'])}"
            for row in bridge.parts.to_dict("records") if not rounds_away(row["points"], 2)]  # fmt: skip
    if not told:
        return None
    return f"The {points(bridge.change.value)} points are made of: {_all(told)}."


def who_is_counted(bridge: Any) -> str | None:
    """Warn where new and lost customers make up much of the change, or hide one."""
    turnover = _points(bridge.about, "about", "customer base")
    whole, stay = bridge.change.value, bridge.same.value
    if rounds_away(turnover, 1) or abs(turnover) <= MOVED_BY_WHO * abs(whole):
        return None
    sign = "and points the other way" if stay * whole < 0 and not rounds_away(stay, 2) else "and is the one to read"
    return (
        f"{_when(bridge)}, who is counted moved penetration by {points(turnover)} points: by new and lost "
        f"customers, not by what those we had both times bought. The change among these is {points(stay)} points "
        f"{sign}."
    )


def catalogue(bridge: Any) -> str | None:
    """Say how much of the change comes from what is on offer."""
    offer = _points(bridge.about, "about", "catalogue")
    if rounds_away(offer, 2):
        return None
    way = "lowered" if offer < 0 else "raised"
    return (
        f"{_when(bridge)}, launches, retirements and changes of what customers could buy {way} penetration by "
        f"{_size(offer)} points: "
        "more on offer is a lower share held until it is sold."
    )


def groups(split: Any) -> str:
    """Say how much moved within groups and how much because their mix did.

    Parameters
    ----------
    split
        ``bridge.Segments``: by, within (with an interval), mix (points).
    """
    within, mix = split.within, split.mix
    return (
        f"By {spaced(split.by)}, {points(within.value)} points come from within the groups{clear(within)} and "
        f"{points(mix)} from a shift of customers between them."
    )


def revenue(found: Any) -> str | None:
    """Say how revenue grew, and what each factor did to it; the parts are of the revenue before.

    Parameters
    ----------
    found
        ``bridge.Revenue`` of the same customers, or None.
    """
    if found is None:
        return None
    told = [f"{GROWS[row['factor']]} {points(row['of_revenue'])}"
            for row in found.factors.to_dict("records") if not rounds_away(row["of_revenue"], 1)]  # fmt: skip
    parts = f" ({_all(told)}, in % of the earlier revenue)" if told else ""
    return f"Between them, revenue of the customers we had both times changed by {_signed(found.growth)}{parts}."


def implied(found: Any) -> str | None:
    """Hold the rise of penetration against that of revenue: what a product held brings now."""
    if found is None:
        return None
    rows = found.factors.set_index("factor")["per_cent"]
    held, each = float(rows["penetration"]), float(rows["revenue_per_held"])
    brings = "as much as" if rounds_away(each, 1) else f"{per_cent(abs(each))} {'more' if each > 0 else 'less'} than"
    warning = (
        " Penetration that rises while each product brings less may have been bought with discounts, or be made of "
        "small products."
        if held > 0 and each < -0.1
        else ""
    )
    return (
        f"{_when(found)}, penetration of the customers we had both times, all "
        f"together, changed by {_signed(held)} of what it was and their revenue by {_signed(found.growth)}: a product "
        f"held brings {brings} before.{warning}"
    )


def claim(found: Any) -> str:
    r"""Say what a claimed pair of rises implies at constant customers and products on offer.

    Parameters
    ----------
    found
        ``comparison.Implied``.

    Example
    -------
    >>> from kpilib.comparison import implied as imply
    >>> print(claim(imply(0.45, 0.75, 0.25)).replace(" means", "\nmeans").replace("; ", ";\n"))
    Penetration from 45.0% to 75.0% with +25.0% revenue
    means that each product held brings 25.0% less than before;
    an added product brings 37.5% of what the others did.
    """
    each = found.per_held_change
    brings = f"{per_cent(abs(each))} {'more' if each > 0 else 'less'} than"
    added = found.added_worth
    more = "" if missing(added) or found.after < found.before else (
        f"; an added product brings {per_cent(added)} of what the others did")  # fmt: skip
    return (
        f"Penetration from {per_cent(found.before)} to {per_cent(found.after)} with {_signed(found.growth)} revenue "
        f"means that each product held brings {'as much as' if rounds_away(each, 1) else brings} before{more}."
    )


def at_risk(risks: Sequence[pd.DataFrame | None], months: Sequence[int]) -> str | None:
    """Say how much of what is held may be lost later, now and at the earlier quarters.

    Parameters
    ----------
    risks
        ``comparison.at_risk`` with each earlier quarter: two rows of quarter, held, lapsing, share; or None.
    months
        The look-backs of the products that sales prove.
    """
    known = [each.to_dict("records") for each in risks if each is not None and each["share"].notna().all()]
    if not known:
        return None
    after = known[0][-1]
    before = several(f"{per_cent(each['share'])} in {quarter(each['quarter'])}" for each, _ in known)
    return (
        f"{per_cent(after['share'])} of what customers have in {quarter(after['quarter'])} is past twice its usual "
        f"time of reordering ({count(after['lapsing'])} of {count(after['held'])}), against {before}. A purchase "
        f"counts at once, a stop only after {stops_after(months)}: part of the losses is still to come."
    )


def no_comparison(periods: pd.DataFrame) -> list[str]:
    """Say which comparison is missing, and why.

    Parameters
    ----------
    periods
        ``comparison.periods``: against, earlier, reason (None where they are compared).
    """
    gone = periods[periods["reason"].notna()]
    return [
        f"Not compared with {AGAINST[row.against]} ({quarter(row.earlier)}). {_as_said(row.reason)}"
        for row in gone.itertuples()
    ]


def descriptive(held_out: bool = False, waiting: int = 0) -> str:
    """Say what a before and after cannot tell; ``held_out`` where a programme is examined beside it.

    ``waiting`` counts the customers held out of programmes, which need not have been examined.
    """
    told = (
        "This is a before and after: it tells what changed and what the change is made of, not why. Customers also "
        "change without any action of ours"
    )
    if held_out:
        return f"{told}: only the customers held out of a programme show how much."
    if waiting:
        who = plural(waiting, "customer was", "customers were")
        return f"{told}; {who} held out of a programme, which could show how much but is not examined here."
    return f"{told}, and nobody was held out to compare with."


def answer(bridges: Sequence[Any], revenues: Sequence[Any], periods: pd.DataFrame) -> list[str]:
    """Give the answer: every change and how revenue went with it, and what is not compared.

    Parameters
    ----------
    bridges, revenues
        ``bridge.Bridge`` and ``bridge.Revenue`` (or None) of every earlier quarter, in the order to be told.
    periods
        ``comparison.periods``.
    """
    return [sentence for each in paragraphs(bridges, revenues, periods) for sentence in each]


def paragraphs(bridges: Sequence[Any], revenues: Sequence[Any], periods: pd.DataFrame) -> list[list[str]]:
    """Give the answer with one paragraph for each earlier quarter, then what is not compared; as :func:`answer`."""
    missed = no_comparison(periods)
    if not bridges:
        few = periods["reason"].fillna("").str.contains("counted both in", regex=False).any()
        return [missed if few else ["There is no earlier quarter to compare with.", *missed]]
    told = [
        said(changed(each), same(each), made_of(each), revenue(sold))
        for each, sold in zip(bridges, revenues, strict=True)
    ]
    return [*told, missed] if missed else told


def uncompared(bridges: Sequence[Any]) -> list[str]:
    """Say in a section that it has nothing to show where no quarter is compared."""
    return [] if bridges else ["No quarter is compared, for the reason in the answer: there is no change to show."]


def clear(found: Any) -> str:
    """Continue a sentence on a change: whether it is clear, and between which bounds."""
    if rounds_away(found.value, 2):
        return ""
    told = verdict(found.low, found.high)
    if not told:
        return " (whether that is clear cannot be told)"
    return f" ({told.removeprefix('a ')}, 95% interval {points(found.low)} to {points(found.high)})"


def kpi(asked: str) -> str:
    """Name a KPI in managers' words.

    Example
    -------
    >>> kpi("multi_product_share(2)"), kpi("attach_rate(DELI)")
    ('Customers with 2 products or more', 'Customers who have DELI, of those who could buy it')
    """
    what, _, inside = asked.rstrip(")").partition("(")
    if what == "multi_product_share":
        return f"Customers with {plural(int(inside or 2), 'product')} or more"
    if what == "attach_rate":
        return f"Customers who have {name(inside, most=48)}, of those who could buy it"
    return KPIS.get(asked, upper(asked.replace("_", " ")))


def summed(parts: Sequence[float], whole: float) -> str:
    """Say that shown parts are rounded, where as shown they do not add up to their sum; else nothing.

    Example
    -------
    >>> summed([0.00249, -0.0014, -0.0014], -0.00031), summed([0.05, -0.02], 0.03)
    (' (each is rounded, so those shown may not add up)', '')
    """
    apart = sum(_as_shown(each) for each in parts) - _as_shown(whole)
    return " (each is rounded, so those shown may not add up)" if abs(apart) > SHOWN_APART else ""


def _as_shown(difference: float) -> float:
    return float(points(difference).replace("\N{MINUS SIGN}", "-"))


def _all(parts: Sequence[str]) -> str:
    """Join parts whole; the kit's own words need no cutting."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _as_said(reason: str) -> str:
    """Write the quarters of a reason, and a single customer, as people say them."""
    reason = reason.replace("Only 1 customers are", "Only 1 customer is")
    return re.sub(r"\b\d{4}Q[1-4]\b", lambda label: quarter(label[0]), reason)


def _when(found: Any) -> str:
    return f"From {quarter(found.earlier)} to {quarter(found.later)}"


def _points(table: pd.DataFrame, column: str, value: str) -> float:
    rows = table.loc[table[column] == value, "points"]
    return float(rows.sum())


def _the(number: int) -> str:
    return "the one customer" if number == 1 else f"the {count(number)} customers"


def _signed(share: float) -> str:
    """Write a relative change in per cent, with its sign."""
    if rounds_away(share, 2):
        return "0.0%"
    return f"{'+' if share > 0 else MINUS}{per_cent(abs(share), 2 if rounds_away(share, 1) else 1)}"


def _size(difference: float) -> str:
    return points(abs(difference)).lstrip("+")


def rows_of(bridge: Any) -> list[Row]:
    """List the parts that concern anyone, as figures and tables show them."""
    rows: list[Mapping[str, Any]] = bridge.parts.to_dict("records")
    return [row for row in rows if row["accounts"] or not rounds_away(row["points"], 2)]
