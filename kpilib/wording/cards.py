"""What a card says of one client: its figure in a sentence, and the diagnostic questions answered.

The functions after :func:`figure` take what the function of the same name in ``kpis.diagnostics`` returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kpilib import wording
from kpilib.wording.revenue import CAUTION, CUSTOMERS, SEASONS, above_wallet, has_season, signed, span
from kpilib.written import (
    MINUS,
    are,
    count,
    day,
    few,
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
    too_few,
    upper,
)

TENURES = ("of less than a year", "of 1 year", "of 2 years", "of 3 years")
UNANSWERED = "These data cannot answer it."
UNTIL_THEIR_END = "Contracts are counted until their end; nothing is known of what will not be renewed."
STATES = {
    "pipeline": "are being offered",
    "lost offer": "were offered and lost",
    "blocked": "must not be sold",
    "open": "are open",
}


def number(value: float | None, unit: str, currency: str | None = None) -> str:
    """Write a figure in its unit.

    Example
    -------
    >>> number(0.4, "share"), number(7.166, "products"), number(None, "share"), number(-1200.5, "money", "EUR")
    ('40.0%', '7.17', '–', 'EUR −1,200')
    """
    if missing(value):
        return per_cent(None)
    if unit == "money":
        return money(value, currency, 2 if 0 < abs(value) < 100 else 0)
    return (
        per_cent(value) if unit == "share" else count(value) if unit == "slots" else f"{value:,.2f}".replace("-", MINUS)
    )


def figure(found: Any, card: Any, currency: str | None = None) -> list[str]:
    """Tell a client's figure of a KPI, its change, and what is lacking.

    Parameters
    ----------
    found
        ``kpis.figures_of.Figure``.
    card
        Its card: name, unit, counted.
    """
    told = []
    if not missing(found.value):
        n = "" if found.n is None else f"; n = {count(found.n)}: {card.counted}"
        when = f"at the end of {quarter(found.quarter)}"
        if found.spans:
            when = f"in {span(found.spans[0])}, against {span(found.spans[1])}"
        told.append(f"{number(found.value, card.unit, currency)} {when}{n}.")
        if found.spans and has_season(*found.spans):
            told.append(f"{upper(SEASONS)}.")
    if found.lacking:
        told.append(found.lacking)
    if found.against and not missing(found.change):
        told.append(_changed(found, card.unit))
    return told


def parts(found: Any, unit: str, currency: str | None = None) -> list[tuple[str, str]]:
    """Name the figures that belong to a figure, with their values."""
    return [(name(CUSTOMERS.get(each, each), most=60), number(value, unit, currency)) for each, value in found.parts]


def in_bands(bands: pd.DataFrame, minimum: int = 0) -> str:
    """Say how many customers are in each band; fewer than ``minimum`` are not counted out.

    Example
    -------
    >>> in_bands(pd.DataFrame({"band": ["low", "high"], "accounts": [3, 1], "share": [0.75, 0.25]}))
    'By band: low 3 (75.0%), high 1 (25.0%).'
    """
    each = (
        f"{name(row.band)} {few(row.accounts, minimum)}"
        + ("" if too_few(row.accounts, minimum) else f" ({per_cent(row.share)})")
        for row in bands.itertuples()
    )
    return f"By band: {', '.join(each)}."


def placed(sets: list[tuple[str, str]], sources: Mapping[str, str] | None = None) -> str:
    """Say how bands read a figure, each set with where it comes from where there are several.

    Example
    -------
    >>> placed([("published", "moderate")])
    'Read by its bands: moderate (published).'
    >>> placed([("baseline", "below it"), ("steps", "moderate")], {"baseline": "one page", "steps": "a book"})
    'Two sets of bands read it: “baseline” (one page) as below it; “steps” (a book) as moderate.'
    """
    if len(sets) == 1:
        return f"Read by its bands: {'; '.join(f'{name(band)} ({name(each)})' for each, band in sets)}."
    number = "Two" if len(sets) == 2 else count(len(sets))
    known = sources or {}
    each = [f"“{name(one)}”{f' ({name(known[one])})' if one in known else ''} as {name(band)}" for one, band in sets]
    return f"{number} sets of bands read it: {'; '.join(each)}."


def answered(question: str, found: Any, evidence: Sequence[str] = ()) -> str:
    """Answer a diagnostic question from what the data say, or say that they cannot.

    ``evidence`` lists the kinds that prove a holding; contracts that run to an end have no reordering that lapses.
    """
    tell = _TOLD.get(question)
    told = tell(found) if tell is not None and found is not None else None
    if told is None and question == "lapsing" and "subscriptions" in evidence:
        return UNTIL_THEIR_END
    return told or UNANSWERED


def same_accounts(change: Any) -> str:
    """Say whether the change as reported is that of the customers counted both times."""
    told = f"As reported, penetration moved {points(change.points, ' points')} against {quarter(change.against)}"
    if missing(change.same_accounts) or not change.same_accounts_n:
        return f"{told}; no customer is counted both times."
    both = plural(change.same_accounts_n, "customer")
    clear = wording.verdict(change.same_low, change.same_high)
    return f"{told}; among the {both} counted both times, {points(change.same_accounts, ' points')}" + (
        f" ({clear})." if clear else "."
    )


def base(found: Any) -> str:
    """Say how many customers came and went.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> base(Found(against="2025Q1", accounts=103, before=100, joined=5, lost=2))
    '103 customers are counted, against 100 at the end of Q1 2025: 5 are new and 2 are no longer counted.'
    """
    now = f"{plural(found.accounts, 'customer')} {are(found.accounts)} counted"
    if not found.joined and not found.lost:
        return f"{now}: the same as at the end of {quarter(found.against)}."
    joined, lost = (f"{count(each) if each else 'none'} {are(each or 1)}" for each in (found.joined, found.lost))
    return (
        f"{now}, against {count(found.before)} at the end of {quarter(found.against)}: {joined} new and "
        f"{lost} no longer counted."
    )


def catalogue(found: Any) -> str:
    """Say whether the number of products on sale changed."""
    now = f"{plural(found.products, 'product')} {are(found.products)} on sale"
    if found.products == found.before:
        return f"{now}, as many as at the end of {quarter(found.against)}."
    return (
        f"{now}, against {count(found.before)} at the end of {quarter(found.against)}: part of the change is the list."
    )


def carriers(found: Any) -> str:
    """Name the group that carries the change, where it is clear enough to be shared out."""
    told = wording.largest_part(found.rows, found.by, found.change)
    return told or f"No clear change to share out among the groups of {spaced(found.by)}."


def products(found: Any) -> str | None:
    """Name the product that moved most, and how many rose and fell clearly."""
    moved = found.rows.dropna(subset=["change"])
    if moved["change"].map(rounds_away).all():
        return "No product moved."
    rose, fell = int((moved["low"] > 0).sum()), int((moved["high"] < 0).sum())
    most = wording.largest_product(found.rows, found.smallest)
    if rose or fell:
        rising = plural(rose, "product") if rose else "No product"
        falling = count(fell) if fell else "none"
        both = plural(len(moved), "product")
        told = f"{rising} rose clearly and {falling} fell clearly, of {both} that could be bought both times."
    elif moved["low"].notna().any():
        return "No product rose or fell clearly."
    else:
        told = "Whether any product rose or fell clearly cannot be told."
    return " ".join(wording.said(most, told))


def lapsing(found: Any) -> str:
    """Say how much of what customers have is past its usual time."""
    return (
        f"{count(found.slots)} of {count(found.held)} products held ({per_cent(found.share)}) are past twice the usual "
        "time between purchases."
    )


def logging(found: Any) -> str:
    """Say how many of the products held have a recorded opportunity."""
    return f"{per_cent(found.logging_coverage)} of the products held have a recorded opportunity."


def states(found: pd.DataFrame) -> str | None:
    """Say what became of the products that customers do not have."""
    rows = found[found["state"].isin(list(STATES)) & (found["slots"] > 0)]
    if rows.empty:
        return None
    each = [f"{count(row.slots)} {STATES[row.state]}" for row in rows.itertuples()]
    total = int(rows["slots"].sum())
    return f"Of {count(total)} that could be bought and are not had, {several(each)}."


def step(found: Any) -> str:
    """Say at how many products more customers stop than at any other.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> step(Found(k=1, share=0.9, next_share=0.3))
    'More customers have 1 product than any other number: 90.0% have so many or more, 30.0% have more.'
    """
    return (
        f"More customers have {plural(found.k, 'product')} than any other number: {per_cent(found.share)} have so many "
        f"or more, {per_cent(found.next_share)} have more."
    )


def tenure(found: pd.DataFrame) -> str | None:
    """Say what customers have by how long they have been with us; nothing where fewer than two groups can be shown.

    The longest is "or more": of who was there when the data begin, only that much is known.

    Example
    -------
    >>> rows = {"years": [0, 3, None], "n": [20, 80, 3], "mean": [0.25, 0.5, None]}
    >>> tenure(pd.DataFrame(rows))
    'Customers of less than a year have 25.0% (n = 20); of 3 years or more 50.0% (n = 80).'
    """
    shown = found.dropna(subset=["years", "mean"])
    if len(shown) < 2:
        return None
    each = [f"{per_cent(row.mean)} (n = {count(row.n)})" for row in shown.itertuples(index=False)]
    longest = found["years"].max()
    who = [TENURES[int(years)] + (" or more" if years == longest else "") for years in shown["years"]]
    first, *rest = zip(who, each, strict=True)
    told = "".join(f"; {group} {level}" for group, level in rest)
    return f"Customers {first[0]} have {first[1]}{told}."


def last_year(change: Any) -> str:
    """Say how far penetration moved in a year; as of a quarter."""
    return same_accounts(change)


def fared(found: Any) -> str | None:
    """Say which share of every band came back and what its customers bring now: an association.

    Nothing where fewer than two bands can be shown.
    """
    table = found.impact.table
    shown = table[~table["suppressed"].astype(bool) & (table["group"] != "nothing possible")]
    if len(shown) < 2:
        return None
    each = [
        f"{name(row.group)} {per_cent(row.account_retention)} of {count(row.n)}"
        + ("" if missing(row.revenue_per_account) else f", {money(row.revenue_per_account, found.currency, 0)} each")
        for row in shown.itertuples()
    ]
    when, then = quarter(found.impact.later), quarter(found.impact.earlier)
    amounts = "" if shown["revenue_per_account"].isna().all() else " (and revenue per customer, those who left as none)"
    return f"Customers again in {when}{amounts}, by band in {then}: {'; '.join(each)}. {CAUTION}"


def turnover(found: Any) -> str:
    """Say who brought revenue in both periods that money is compared over.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> turnover(Found(earlier="2023Q4", later="2024Q4", before=70, now=80, won=15, lost=5))
    '80 customers brought revenue in Q4 2024, against 70 in Q4 2023: 15 had brought none then, and 5 bring none now.'
    """
    customers = f"{plural(found.now, 'customer')} brought revenue in {span(found.later)}"
    if not found.won and not found.lost:
        return f"{customers}: the same as in {span(found.earlier)}."
    won, lost = (count(each) if each else "none" for each in (found.won, found.lost))
    return (
        f"{customers}, against {count(found.before)} in {span(found.earlier)}: {won} had brought none then, and {lost} "
        f"{'brings' if found.lost == 1 else 'bring'} none now."
    )


def same_or_new(found: Any) -> str:
    """Say what customers of both periods added with products they had, and with others."""
    return (
        f"From customers of both {span(found.earlier)} and {span(found.later)}: {signed(found.same, found.currency)} "
        f"with products they had, {signed(found.products, found.currency)} with products won less those dropped."
    )


def few_customers(found: Any) -> str:
    """Say what the largest customers made, and net retention with and without them."""
    return (
        f"The {count(found.largest)} largest customers of the earlier period brought {per_cent(found.share)} of its "
        f"revenue; net retention is {per_cent(found.retained)} with them and {per_cent(found.without)} without."
    )


def spend_known(found: Any) -> str:
    """Say for how many the spend is known, and of which days it is."""
    if not found.n:
        return f"None of {plural(found.accounts, 'customer')} has a known spend on that day."
    first, last = found.first_day, found.last_day
    when = "its day is not given" if missing(last) else f"as of {day(last)}"
    if not missing(last) and first != last:
        when = f"the figures are of {day(first)} to {day(last)}"
    told = f"Known for {count(found.n)} of {plural(found.accounts, 'customer')}; {when}."
    return " ".join(wording.said(told, above_wallet(found)))


def heard(found: pd.DataFrame) -> str | None:
    """Say from how many customers there is feedback in the look-back."""
    row = found.iloc[0]
    if not row["accounts"]:
        return None
    share = "" if missing(row["coverage"]) else f" ({per_cent(row['coverage'])})"
    return f"From {count(row['answered'])} of {plural(row['accounts'], 'customer')} in the look-back{share}."


def not_asked(found: Any) -> str | None:
    """Say how many customers gave no answer for a year, and in which band most are; the list says who.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> not_asked(Found(due=9, accounts=30, band="low", band_due=6, band_accounts=12)).partition(".")[0]
    '9 of 30 customers gave no answer in the last 12 months, most of them in low (6 of 12)'
    """
    if not found.accounts:
        return None
    if not found.due:
        return f"Each of {plural(found.accounts, 'customer')} gave an answer in the last 12 months."
    band = f", most of them in {name(found.band)} ({count(found.band_due)} of {count(found.band_accounts)})"
    return (
        f"{count(found.due)} of {plural(found.accounts, 'customer')} gave no answer in the last 12 months"
        f"{band if found.band else ''}. customers_by_band.csv has the last answer of all."
    )


def subjects(found: Any) -> str:
    """Name the product and the topic with the lowest score."""
    if found.rows.empty:
        return f"None with enough answers lies below all who answered ({found.score:,.2f})."
    told = [
        f"{'product' if row.of == 'product_id' else 'topic'} {name(row.group)} with {row.score:,.2f} "
        f"({plural(row.n, 'customer')})"
        for row in found.rows.itertuples()
    ]
    return (
        f"Lowest of those with enough answers: {several(told)}; all who answered give {found.score:,.2f}. "
        "Chance is not ruled out."
    )


def never_offered(found: Any) -> str:
    """Name owners and products without any offer on record; the three with most customers.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> rows = pd.DataFrame({"group": ["Kim"], "product_id": ["x"], "never_offered": [7]})
    >>> never_offered(Found(rows=rows, smallest=5))
    'No offer on record, though 5 customers or more could be offered it: Kim, x (7 customers).'
    >>> never_offered(Found(rows=rows.head(0), smallest=5))
    'Every owner has offered every product that 5 customers or more could be offered.'
    """
    enough = f"{plural(found.smallest, 'customer')} or more could be offered"
    if found.rows.empty:
        return f"Every owner has offered every product that {enough}."
    most = [
        f"{'no owner' if row.group == '(not given)' else name(row.group)}, {name(row.product_id)} "
        f"({plural(row.never_offered, 'customer')})"
        for row in found.rows.head(3).itertuples()
    ]
    more = len(found.rows) - len(most)
    rest = f"; and {count(more)} more of an owner and a product" if more else ""
    return f"No offer on record, though {enough} it: {'; '.join(most)}{rest}."


def _changed(found: Any, unit: str) -> str:
    against = quarter(found.against)
    shown = points(found.change, " points") if unit == "share" else f"{found.change:+.2f}".replace("-", MINUS)
    if missing(found.low):
        return f"Change against {against}: {shown}."
    clear = wording.verdict(found.low, found.high)
    return f"Change against {against}: {shown} (95% interval {points(found.low)} to {points(found.high)}, {clear})."


_TOLD = {
    each.__name__: each
    for each in (
        *(same_accounts, last_year, base, catalogue, carriers, products, lapsing, logging, states, step, tenure),
        *(fared, turnover, same_or_new, few_customers, spend_known, heard, not_asked, subjects, never_offered),
    )
}
