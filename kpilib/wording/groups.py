"""Conclusions on segments: who they are, how they differ, and who moved; in managers' words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kpilib.wording import extreme, said, verdict
from kpilib.written import are, count, floats, name, per_cent, plural, points, quarter, several, spaced, upper

NOT_COUNTED = "(not counted)"
MANY = 10
BLANK = 0.25  # share of customers without an attribute from which on they weigh in what others are compared with
NOT_GIVEN = "(not given)"
NO_GROUP = (NOT_GIVEN, "(smaller groups together)", "(could buy nothing)")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


def shown(profile: pd.DataFrame) -> pd.DataFrame:
    """Keep the segments that have enough customers to be shown, and a level."""
    return profile[~profile["suppressed"].astype(bool) & (profile["accounts"] > 0)].dropna(subset=["mean"])


def leads(profile: pd.DataFrame, by: str) -> str | None:
    """Say which segment brings most revenue (or else has most), and which holds the average down most.

    Parameters
    ----------
    profile
        A result of ``segments.profile``.
    """
    known = shown(profile)
    known = known[~known["segment"].isin(NO_GROUP)]
    if len(known) < 2:
        return None
    brings = floats(known, "revenue_share")
    paid = bool((brings > 0).any())
    most = known.iloc[int(pd.Series(brings).fillna(-1).to_numpy().argmax())] if paid else extreme(known, "mean", 1)
    money = f"bring {per_cent(most['revenue_share'])} of revenue and have" if paid else "have most:"
    return f"By {spaced(by)}, {_who(most)} {money} {per_cent(most['mean'])} of what they could buy."


def widest(profiles: Mapping[str, pd.DataFrame]) -> str | None:
    """Name the group of an attribute that lies furthest from all other customers, where that is clear.

    Parameters
    ----------
    profiles
        Results of ``segments.profile`` by what they divide by.
    """
    rows = []
    for by, profile in profiles.items():
        known = shown(profile)
        known = known[~known["segment"].isin(NO_GROUP)]
        clear = [bool(verdict(each.low, each.high)[:7] == "a clear") for each in known.itertuples()]
        rows.append(known[clear].assign(by=by))
    found = pd.concat(rows) if rows else pd.DataFrame()
    if found.empty:
        return "No group of customers given lies clearly apart from all others." if rows else None
    most = found.iloc[int(found["difference"].abs().to_numpy().argmax())]
    each = ", each by itself" if len(profiles) > 1 else ""
    return (
        f"Of the groups by {several(map(spaced, profiles))}{each}, “{name(most['segment'], most=48)}” "
        f"({plural(most['accounts'], 'customer')}) lies furthest from all other customers: "
        f"{points(most['difference'])} points (95% interval {points(most['low'])} to {points(most['high'])})."
    )


def kinds(model: Any) -> str | None:
    """Say how many kinds of holdings there are.

    Parameters
    ----------
    model
        The ``model`` of ``segments.by_class``: choice (by_bic, agreement, model), products, catalogue; None says
        nothing.
    """
    if model is None:
        return None
    return f"What customers have falls into {NUMBERS[model.choice.model.classes]} kinds."


def kinds_kept(model: Any) -> str | None:
    """Say why there are so many kinds of holdings (``model`` as :func:`kinds`)."""
    if model is None:
        return None
    number, choice = model.choice.model.classes, model.choice
    if number == choice.by_bic:
        return (
            f"{NUMBERS[number].capitalize()} kinds describe best what customers have, and customers drawn anew give "
            f"the same kinds (agreement {choice.agreement[number]:.2f} of 1)."
        )
    best = NUMBERS[choice.by_bic]
    return (
        f"{best.capitalize()} kinds would describe better what customers have, but customers drawn anew do not give "
        f"the same {best} (agreement {choice.agreement[choice.by_bic]:.2f}, and 0.80 is asked); these "
        f"{NUMBERS[number]} they do ({choice.agreement[number]:.2f})."
    )


def absent(reason: Exception | None) -> list[str]:
    """Say why a way of dividing customers is missing."""
    return [f"Not shown. {reason}"] if reason else []


def moved(movers: pd.DataFrame, against: str) -> str | None:
    """Say how many customers changed segment since an earlier quarter, and which move was most frequent.

    Parameters
    ----------
    movers
        A result of ``segments.movers``.
    """
    both = movers[(movers["before"] != NOT_COUNTED) & (movers["now"] != NOT_COUNTED)]
    everyone = int(both["accounts"].sum())
    if not everyone:
        return None
    went = both[both["before"] != both["now"]]
    number = int(went["accounts"].sum())
    told = f"Of {plural(everyone, 'customer')} counted at the end of {quarter(against)} and now"
    if not number:
        return f"{told}, none changed group."
    most = went.iloc[int(went["accounts"].to_numpy().argmax())]
    return (
        f"{told}, {count(number)} ({per_cent(number / everyone)}) changed group; most often from "
        f"“{name(most['before'], most=48)}” to “{name(most['now'], most=48)}”: {plural(most['accounts'], 'customer')}."
    )


def caveats(views: Sequence[Any], profiles: Sequence[pd.DataFrame], minimum: int = 5) -> list[str]:
    """Say what could mislead: groups made by what they have, small ones, relative scores, many comparisons.

    ``views`` are segmentations (kind, name, merged, model), ``profiles`` theirs.
    """
    made = [spaced(each.name) for each in views if each.by_construction]
    merged = {each.name: len(each.merged) for each in views if each.merged}
    hidden = sum(int(each["suppressed"].sum()) for each in profiles)
    compared = sum(len(shown(each).dropna(subset=["low"])) for each in profiles)
    together = several(f"{count(number)} by {spaced(by)}" for by, number in merged.items())
    return said(
        f"Groups by {several(made)} are made by what customers have: that they differ in it is no finding, and no "
        "interval is given." if made else None,
        "Lately, often and much are measured against this client's own customers: some are always the last, "
        "however well all of them buy." if any(each.kind == "rfm" for each in views) else None,
        "A move from one group of buying behaviour to another is a change in what the window looked back on holds: an "
        "old purchase that drops out of it counts as much as a new one. Where the borders lie depends on how all "
        "customers buy in the quarter of this page." if any(each.kind == "rfm" for each in views)
        else None,
        *(undivided(each.model) for each in views if each.kind == "rfm"),
        f"Groups too small to stand alone are shown together: {together}." if merged else None,
        f"{plural(hidden, 'group')} of fewer than {minimum} customers {are(hidden)} not shown in figures."
        if hidden else None,
        f"{count(compared)} groups are compared with all others: about 1 in 20 looks clear by chance alone."
        if compared >= MANY else None,
        _mostly_not_given(profiles),
        *(_few_products(each.model) for each in views if each.kind == "class"),
        "That a group has more does not say that belonging to it is the reason.",
    )  # fmt: skip


def _mostly_not_given(profiles: Sequence[pd.DataFrame]) -> str | None:
    """Say where those of whom nothing is given are so many that everybody else is compared with them above all."""
    blank = [
        (row.share, row.accounts, each["accounts"].sum(), row.mean)
        for each in profiles
        for row in shown(each).itertuples()
        if row.segment == NOT_GIVEN and row.share >= BLANK
    ]
    if not blank:
        return None
    _, accounts, of, mean = max(blank)
    return (
        "The others that groups are compared with are in good part customers of whom nothing is given "
        f"({count(accounts)} of {count(of)}, who have {per_cent(mean)}): a group may stand out because it is known "
        "at all."
    )


def undivided(cuts: Any) -> str | None:
    """Say which scores of buying behaviour set hardly anybody apart, because most customers share one value.

    Parameters
    ----------
    cuts
        The ``model`` of ``segments.by_rfm``: where the scores 2 to 5 of recency, frequency and money begin.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> print(undivided(SimpleNamespace(recency=(30,) * 4, frequency=(12,) * 4, money=(10, 20, 30, 40))))
    How lately and how often they bought hardly divide customers here: most share one value (30 days ago; 12 days with \
a purchase). Only how much they bought tells these groups apart.
    """
    if cuts is None:
        return None
    told = {
        "how lately": (cuts.recency, "{} days ago"),
        "how often": (cuts.frequency, "{} days with a purchase"),
        "how much": (cuts.money, "{:,} of revenue"),
    }
    known = {what: each for what, each in told.items() if each[0] is not None}
    same = {what: unit.format(values[0]) for what, (values, unit) in known.items() if len(set(values)) == 1}
    if not same:
        return None
    left = [what for what in known if what not in same]
    divide = "divides" if len(same) == 1 else "divide"
    shared = f"{upper(several(same))} they bought hardly {divide} customers here: most share one value"
    tell = f"Only {several(left)} they bought {'tells' if len(left) == 1 else 'tell'} these groups apart."
    return f"{shared} ({'; '.join(same.values())}). {tell if left else 'These groups say little.'}"


def _few_products(model: Any) -> str | None:
    used = len(model.products)
    if used == model.catalogue:
        return None
    return f"Kinds of holdings are told by the {count(used)} of {plural(model.catalogue, 'product')} that vary most."


def _who(row: pd.Series) -> str:
    return f"“{name(row['segment'], most=48)}” ({plural(row['accounts'], 'customer')}, {per_cent(row['share'])})"


def largest_pull(profile: pd.DataFrame) -> str | None:
    """Say which segment holds the average of all down most.

    Example
    -------
    >>> two = {"segment": ["a", "b"], "accounts": [9, 3], "share": [0.75, 0.25], "mean": [0.5, 0.1],
    ...        "pull": [0.075, -0.075], "suppressed": [False, False]}
    >>> print(largest_pull(pd.DataFrame(two)))
    “b” (3 customers, 25.0%) have 10.0% and hold the average of all customers down most: by 7.5 points.
    """
    known = shown(profile)
    if known.empty or not floats(known, "pull").min() < -0.0005:
        return None
    least = extreme(known, "pull", -1)
    by = points(abs(least["pull"])).lstrip("+")
    has = f"{_who(least)} have {per_cent(least['mean'])}"
    return f"{has} and hold the average of all customers down most: by {by} points."
