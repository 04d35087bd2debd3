"""Conclusions as computed sentences, in managers' words.

Everything here is plain text: whoever shows it in HTML escapes it. Sentences take result tables
(shares from 0 to 1) and say only what these hold: never why, and never a figure that is not there.
Functions that may have nothing to say return None; :func:`said` keeps the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kpilib.written import (
    Row,
    are,
    count,
    day,
    have,
    missing,
    month,
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

SHIPPED_FOR = 15  # products; real cross-sellers with more sit far below the shipped bands
ROUNDED = " Figures are rounded, their difference is not."
MANY = 10  # groups compared at 95 %: the chance that one looks clear by accident is about 40 %

COUNTED = {
    "all": "all customers on file",
    "active": "customers with any revenue in the {months} months to {day}",
    "eligible": "customers on file who could buy at least one product",
}
STANDING = ", or with anything that runs, is installed or is on the client's own list that day"
PROVES = {
    "sales": "what was bought in the {months} months to {day}, less returns, is worth over 0",
    "subscriptions": "a subscription runs on {day}",
    "installed": "it was bought once, and neither its stated end nor its life has passed on {day}",
    "snapshot": "the client's own list of {day} names it",
}


def said(*each: str | None) -> list[str]:
    """Keep the sentences that have something to say."""
    return [sentence for sentence in each if sentence]


def answer(now: Row, changes: Sequence[Any], *reasons: str | None) -> list[str]:
    """Give the answer: where penetration stands, how it moved, the plan, and the reasons named.

    Parameters
    ----------
    now
        A row of ``penetration.by_quarter``.
    changes
        ``penetration.Change``, in the order to be told: last quarter, then last year.
    reasons
        Such as :func:`largest_part` and :func:`largest_product`.
    """
    told = [moved(change, now["mean"]) for change in changes] or [moved(None)]
    same = same_customers(changes[0]) if changes and _another_story(changes[0]) else None
    return said(stands(now), provisional(now), *dict.fromkeys([told[0], same, *told[1:]]), plan(now), *reasons)


def stands(now: Row) -> str:
    """Say where penetration stands, or what is missing to say so.

    Parameters
    ----------
    now
        A row of ``penetration.by_quarter``: quarter, accounts, n, mean (0-1).

    Example
    -------
    >>> print(stands({"quarter": "2017Q4", "accounts": 2469, "n": 2469, "mean": 0.54392}))
    At the end of Q4 2017, the average customer has 54.4% of what it could buy (2,469 customers).
    """
    when = f"At the end of {quarter(now['quarter'])}"
    if missing(now["accounts"]) or not now["accounts"]:
        return f"{when}, no customer is counted: there is no penetration to report."
    if missing(now["mean"]):
        return (
            f"{when}, none of {plural(now['accounts'], 'customer')} could buy any product: "
            "there is no penetration to report."
        )
    return (
        f"{when}, the average customer has {per_cent(now['mean'])} of what it could buy "
        f"({plural(now['n'], 'customer')})."
    )


def provisional(now: Row) -> str | None:
    """Warn where the quarter itself is not covered by the data."""
    if now["complete"]:
        return None
    return (
        f"The data do not cover all the time that {quarter(now['quarter'])} looks back on: "
        "penetration may be higher than it shows."
    )


def verdict(low: float | None, high: float | None) -> str:
    """Say whether a change is clear: its 95% interval leaves out zero.

    Example
    -------
    >>> verdict(0.01, 0.03), verdict(-0.03, -0.01), verdict(-0.01, 0.03), verdict(None, None)
    ('a clear rise', 'a clear fall', 'no clear change', '')
    """
    if missing(low) or missing(high):
        return ""
    return "a clear rise" if low > 0 else "a clear fall" if high < 0 else "no clear change"


def apart(difference: float, share: float | None = None) -> str:
    """Say how far a share is from the one it is compared with; given the share, that a reader's own sum would differ.

    Example
    -------
    >>> apart(0.021), apart(-0.0004), apart(0.0)
    ('2.1 points more than', '0.04 points less than', 'practically the same as')
    >>> apart(-0.0044, 0.3702)  # 37.5 to 37.0
    '0.4 points (before rounding) less than'
    """
    if rounds_away(difference, 2):
        return "practically the same as"
    return f"{_size(difference)} points{_unrounded(difference, share)} {'more' if difference > 0 else 'less'} than"


def moved(change: Any, mean: float | None = None) -> str:
    """Say how penetration changed against an earlier quarter, and whether that is clear.

    Parameters
    ----------
    change
        ``penetration.Change``: against (quarter), points, low, high (shares); or None.
    mean
        Where penetration stands (0-1), to warn where a subtraction of rounded figures gives another change.
    """
    if change is None or missing(change.points):
        known = change is not None and not missing(change.against)
        earlier = f"figure for {quarter(change.against)}" if known else "earlier quarter"
        return f"There is no complete {earlier} to compare with."
    clear = _clear(change.points, change.low, change.high)
    rounded = ROUNDED if _unrounded(change.points, mean) else ""
    return f"That is {apart(change.points)} at the end of {quarter(change.against)}{clear}.{rounded}"


def same_customers(change: Any) -> str | None:
    """Say the change among customers counted both times, where it is known."""
    if change is None or missing(change.same_accounts) or not change.same_accounts_n:
        return None
    number = change.same_accounts_n
    who = "the one customer" if number == 1 else f"the {count(number)} customers"
    clear = _clear(change.same_accounts, change.same_low, change.same_high)
    return f"Among {who} we had both times it is {apart(change.same_accounts)} then{clear}."


def plan(now: Row) -> str:
    """Say how far the plan is.

    Example
    -------
    >>> plan({"quarter": "2017Q4", "mean": 0.55, "plan": 0.6})
    'The plan for Q4 2017 was 60.0%: penetration is 5.0 points below it.'
    """
    when = quarter(now["quarter"])
    if missing(now.get("plan")):
        return f"No plan is given for {when}."
    aim = f"The plan for {when} was {per_cent(now['plan'])}"
    if missing(now["mean"]):
        return f"{aim}; there is no penetration to hold against it."
    if rounds_away(float(now["mean"]) - float(now["plan"]), 2):
        return f"{aim}, and it is met to the digit."
    rounded = ROUNDED if _unrounded(float(now["mean"]) - float(now["plan"]), now["mean"]) else ""
    return f"{aim}: penetration is {from_plan(now)} it.{rounded}"


def from_plan(now: Row) -> str:
    """Say how far penetration is from plan; nothing where either is not known.

    Example
    -------
    >>> from_plan({"mean": 0.37, "plan": 0.42}), from_plan({"mean": 0.42, "plan": 0.42}), from_plan({"mean": 0.4})
    ('5.0 points below', 'met', '')
    """
    if missing(now.get("plan")) or missing(now["mean"]):
        return ""
    gap = float(now["mean"]) - float(now["plan"])
    if rounds_away(gap, 2):
        return "met"
    return f"{_size(gap)} points {'above' if gap > 0 else 'below'}"


def largest_part(by_segment: pd.DataFrame, by: str, change: Any) -> str | None:
    """Name the group that holds the largest part of the change of customers we had both times.

    Nothing is said where these show no clear change, or no group shown moved with them: of what may
    be chance no part is worth naming.
    """
    if change is None or not verdict(change.same_low, change.same_high).startswith("a clear"):
        return None
    sign = 1 if change.same_accounts > 0 else -1
    parts = by_segment[~by_segment["suppressed"].astype(bool)].dropna(subset=["contribution"])
    parts = parts[parts["contribution"].astype(float) * sign > 0]
    if parts.empty:
        return None
    most = extreme(parts, "contribution", sign)
    return (
        f"By {spaced(by)}, {name(most['group'], most=48)} holds the largest part of the "
        f"{'rise' if sign > 0 else 'fall'} among customers we had both times: "
        f"{points(most['contribution'])} of {points(change.same_accounts)} points."
    )


def largest_product(by_product: pd.DataFrame, minimum: int = 5) -> str | None:
    """Name the product whose share of customers changed most, or the few that tie; say so where none changed clearly.

    Nothing is said where no share changed, where more than three tie, and of a change that fewer than ``minimum``
    customers make (the engagement's ``minimum_cell``).
    """
    every = by_product.dropna(subset=["change"])
    every = every[~every["change"].map(rounds_away).astype(bool)]
    judged = [verdict(low, high) for low, high in zip(every["low"], every["high"], strict=True)]
    clear = every[[each.startswith("a clear") for each in judged]] if any(judged) else every
    if clear.empty and len(every):
        return "Among customers counted both times, no product shows a clear change in the share who have it."
    changed = clear[_by_enough(clear, minimum)]
    if changed.empty:
        return None
    most = _most(changed)
    of = _of_which(most, clear, every, minimum)
    if len(most) > 3:
        return None
    if len(most) > 1:
        each = several(f"{name(row.product_id, most=30)} ({points(row.change)} points)" for row in most.itertuples())
        return f"Among customers counted both times, {each} changed most {of} in the share who have them."
    only = most.iloc[0]
    return (
        f"Among customers counted both times, {name(only['product_id'], most=48)} changed most {of}, "
        f"by {points(only['change'])} points in the share who have it"
        f"{_clear(only['change'], only['low'], only['high'])}."
    )


def _of_which(most: pd.DataFrame, clear: pd.DataFrame, every: pd.DataFrame, minimum: int) -> str:
    """Say among which products these changed most: of all, or of those that changed clearly, or by enough customers."""
    if most.index.equals(_most(every).index):
        return "of all products"
    ways = ["clearly"] if len(clear) < len(every) else []
    ways += [] if most.index.equals(_most(clear).index) else [f"by {minimum} customers or more"]
    return f"of those that changed {' and '.join(ways)}"


def _by_enough(changed: pd.DataFrame, minimum: int) -> pd.Series:
    """Tell which changes so many customers make, on balance; where their number is unknown, all."""
    if "n_both" not in changed:
        return pd.Series(True, index=changed.index)
    customers = changed["change"].astype(float).abs() * changed["n_both"].astype(float)
    return customers.round(6) >= minimum


def _most(changed: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest changes: one, or those that read alike."""
    read = changed["change"].map(_size)
    return changed[read == _size(extreme(changed.assign(size=changed["change"].abs()), "size", 1)["change"])]


def extreme(table: pd.DataFrame, column: str, sign: int) -> pd.Series:
    """Return the row with the largest value (sign 1) or smallest (-1); of equals, the first."""
    return table.iloc[int((sign * table[column].astype(float)).to_numpy().argmax())]


def counted(now: Row, base: str, months: int) -> str:
    """Say who is counted, for the note under a figure: n, and who is left out.

    Example
    -------
    >>> print(counted({"quarter": "2017Q4", "as_of": "2017-12-31", "n": 9, "nothing_possible": 0}, "all", 12))
    n = 9 customers at the end of Q4 2017: all customers on file.
    """
    who, customers = COUNTED[base].format(months=months, day=day(now["as_of"])), plural(now["n"], "customer")
    return " ".join(said(f"n = {customers} at the end of {quarter(now['quarter'])}: {who}.", nothing_possible(now)))


def definition(
    now: Row, base: str, months: int, evidence: Sequence[str], products: int, lookbacks: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Fill the definition box: what the figure is, and what it counts.

    ``evidence`` lists the kinds that prove a holding: sales, subscriptions, installed, snapshot; ``products`` is how
    many are on sale; ``lookbacks`` gives the months of products that have a look-back of their own.
    """
    when = {"months": months, "day": day(now["as_of"])}
    stands = {*evidence} - {"sales"}
    proofs = [PROVES[kind].format(**when) for kind in dict.fromkeys(evidence)]
    own = {product: own for product, own in (lookbacks or {}).items() if own != months}
    proofs += [f"{name(product, most=48)}: {own[product]} months in place of {months}" for product in list(own)[:5]]
    return {
        "Figure": "Account penetration: the share of what a customer could buy that it has",
        "Formula": "100 × products it has ÷ products it could buy, averaged over customers",
        "Who is counted": upper(COUNTED[base].format(**when)) + (STANDING if base == "active" and stands else ""),
        "What counts as having": upper("; or ".join(proofs)) or "Nothing is declared",
        "As of": f"{when['day']} (end of {quarter(now['quarter'])})",
        "Products on sale": count(products),
        "n": plural(now["n"], "customer"),
    }


def incomplete(by_quarter: pd.DataFrame) -> str | None:
    """Say which quarters the data do not cover, and of which the snapshot is missing."""
    unseen = by_quarter.get("no_snapshot", pd.Series(False, by_quarter.index)).astype(bool)
    gone = by_quarter.loc[~by_quarter["complete"].astype(bool) & ~unseen, "quarter"]
    told = []
    if len(gone):
        looks = "it looks" if len(gone) == 1 else "they look"
        told += [
            f"{several(map(quarter, gone))} {are(len(gone))} not complete: the data do not cover all "
            f"the time {looks} back on."
        ]
    if unseen.any():
        names = several(map(quarter, by_quarter.loc[unseen, "quarter"]))
        told += [f"There is no snapshot of the end of {names}, so what customers had then is not known."]
    if told:
        it = "It is" if len(gone) + unseen.sum() == 1 else "They are"
        told += [f"{it} left out of trends and comparisons."]
    return " ".join(told) or None


def nothing_possible(now: Row) -> str | None:
    """Say how many customers are left out of the average."""
    number = now["nothing_possible"]
    if missing(number) or not number:
        return None
    who = plural(number, "customer")
    return f"{who} could buy nothing and {are(number)} left out of the average."


def come_and_gone(now: Row) -> str | None:
    """Say how many customers are no longer counted since the last quarter, and how many are new."""
    lost, joined = now["lost"], now["joined"]
    if missing(lost) or missing(joined) or not lost + joined:
        return None
    gone = plural(lost, "customer") if lost else "no customer"
    new = count(joined) if joined else "none"
    return (
        f"Since the last quarter, {gone} {are(lost or 1)} no longer counted and "
        f"{new} {are(joined or 1)} new: who is counted moves the average too."
    )


def small_groups(by_segment: pd.DataFrame, minimum: int = 5) -> str | None:
    """Say how many groups are too small to be shown."""
    number = int(by_segment["suppressed"].astype(bool).sum())
    if not number:
        return None
    groups = plural(number, "group")
    return f"{groups} with fewer than {minimum} customers {are(number)} not shown in figures."


def by_chance(by_segment: pd.DataFrame) -> str | None:
    """Warn where so many groups are compared that one may look clear without being so."""
    shown = by_segment[~by_segment["suppressed"].astype(bool)].dropna(subset=["low", "high"])
    if len(shown) < MANY:
        return None
    return (
        f"{count(len(shown))} groups are compared: about 1 in 20 looks clear by chance alone. "
        "Act on a single one only if it lasts."
    )


def large_catalogue(products: int, shipped_bands: bool = True) -> str | None:
    """Warn where the shipped bands meet a catalogue they were not made for."""
    if not shipped_bands or products <= SHIPPED_FOR:
        return None
    return (
        f"The shipped bands were not made for a catalogue of {count(products)} products: with more than "
        f"{SHIPPED_FOR}, good sellers stay far below them. They only count customers here; read the direction, "
        "or set bands of your own."
    )


def own_bands(segments: int) -> str | None:
    """Say that the limits shown are not everybody's."""
    if not segments:
        return None
    return "Some customers are measured against bands of their own; the limits shown are those of all others."


def no_groups(groups: int) -> list[str]:
    """Say that there is nothing to compare, where the engagement names no attribute."""
    return [] if groups else ["The engagement names no attribute of customers to compare by."]


def undated(attributes: Sequence[str]) -> str | None:
    """Say that the latest attributes are applied to the past."""
    if not attributes:
        return None
    its = "its" if len(attributes) == 1 else "their"
    named = upper(several(map(spaced, attributes)))
    return f"{named} {have(len(attributes))} no dates: {its} latest values apply to all quarters."


def all_possible(rules: int) -> str | None:
    """Say that nobody told which customers a product is open to."""
    if rules:
        return None
    return "No rules say who could buy what: every product counts as possible for every customer."


def unproven(share: float | None) -> str | None:
    """Say that lines are of products which their table proves nothing about (``ledger.unproven``)."""
    if missing(share):
        return None
    return (
        f"{per_cent(share)} of the revenue is of products of the catalogue for which its table is not the evidence "
        "(products under [[evidence]]): whether a customer has them is told by other tables."
    )


def gaps(months: Sequence[str]) -> str | None:
    """Say, beside figures and their change, which months they look back on have no lines (``ledger.gaps``)."""
    if not months:
        return None
    it = "it is" if len(months) == 1 else "they are"
    return (
        f"{several(map(month, months))} {have(len(months))} no lines: if {it} missing from the delivery, what was "
        "bought then is missing from these figures and from every change to or from them."
    )


def fiscal(starts: int, label: str, last_day: Any) -> str | None:
    """Say that quarters are those of a fiscal year, where it does not begin in January.

    Example
    -------
    >>> print(fiscal(4, "2025Q4", "2025-03-31"))
    Quarters are of the client's fiscal year, which begins in April: Q4 2025 ends on 31 March 2025.
    """
    if starts == 1:
        return None
    begins = pd.Timestamp(2000, starts, 1).strftime("%B")
    return (
        f"Quarters are of the client's fiscal year, which begins in {begins}: {quarter(label)} ends on {day(last_day)}."
    )


def stops_after(months: Sequence[int]) -> str:
    """Say after how long a stop shows: the look-backs of what sales prove, as ``book.sold_lookbacks``.

    Example
    -------
    >>> stops_after([12]), stops_after([3, 12, 24])
    ('12 months', '3 to 24 months (by product)')
    """
    return f"{max(months)} months" if len(set(months)) == 1 else f"{min(months)} to {max(months)} months (by product)"


def at_risk(by_product: pd.DataFrame, months: Sequence[int]) -> str | None:
    """Say how much of what customers have is past twice its usual time of reordering.

    ``months`` are the look-backs of the products that sales prove.
    """
    known = by_product.dropna(subset=["lapsing"])
    late, held = known["lapsing"].sum(), known["held"].sum()
    if not late:
        return None
    return (
        f"In {count(late)} of {plural(held, 'case')} where a customer has a product, twice the usual "
        "time between purchases has passed: at risk. A purchase counts at once, a stop only when "
        f"{stops_after(months)} are over, so these may be tomorrow's losses."
    )


def index_reading(value: float | None, reading: str, logged: float | None = None) -> str:
    """Say how the penetration index is read, and what it would need.

    Parameters
    ----------
    reading
        ``opportunities`` (won among those recorded) or ``engaged`` (two products or more).
    logged
        Share (0-1) of what customers have that stands in the record of opportunities.
    """
    if reading == "engaged":
        return (
            "Penetration index, read as asked as the share of customers with two products or "
            f"more: {per_cent(value)}. The usual bands are not made for this reading."
        )
    if missing(value):
        return (
            "The penetration index needs a record of sales opportunities (open, won and lost), "
            "and there is none for this period. The share of customers with two products or more "
            "is shown under its own name."
        )
    kept = f" {per_cent(logged)} of what customers have stands in that record."
    coverage = "" if missing(logged) else kept
    return f"Penetration index: {per_cent(value)} of the recorded sales opportunities are won.{coverage}"


def _clear(difference: float, low: float | None, high: float | None) -> str:
    """Continue a sentence on a change: whether it is clear, and between which bounds."""
    if rounds_away(difference, 2):
        return ""
    told = verdict(low, high)
    if not told:
        return "; whether that is a clear change cannot be told"
    return f": {told} (95% interval {points(low)} to {points(high)})"


def _another_story(change: Any) -> bool:
    """Tell whether customers we had both times show another change than all customers do."""
    if change is None or missing(change.points) or missing(change.same_accounts):
        return False
    clear = verdict(change.low, change.high)
    return points(change.points) != points(change.same_accounts) or clear != verdict(change.same_low, change.same_high)


def _unrounded(difference: float, share: float | None) -> str:
    """Warn where shares rounded to print are not as far apart as the difference that is printed."""
    if missing(share) or rounds_away(difference):
        return ""
    printed = [round(float(f"{100 * each:.1f}"), 1) for each in (float(share), float(share) - float(difference))]
    same = f"{printed[0] - printed[1]:.1f}" == f"{100 * float(difference):.1f}"
    return "" if same else " (before rounding)"


def _size(difference: float) -> str:
    return points(abs(difference)).lstrip("+")
