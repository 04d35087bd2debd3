"""What customers said, whom we met and whom to ask, as computed sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpilib.written import MINUS, Row, count, have, missing, name, per_cent, plural, several, spaced

NEEDS_FEEDBACK = "What customers say is not on record: a list of their answers (customer, day, score) would show it."
NEEDS_CONTACTS = "Whom we met is not on record: a list of contacts (customer, day, kind) would show it."

TO_ASK, BY_BAND = "customers_to_ask.csv", "customers_by_band.csv"  # published beside the page


def heard(coverage: pd.DataFrame | None, months: int = 12) -> str:
    """Say how many customers gave feedback, or what is needed to tell.

    Example
    -------
    >>> print(heard(pd.DataFrame({"accounts": [200], "answered": [50], "coverage": [0.25]}), 12))
    In the last 12 months 50 of 200 customers gave feedback (25.0%).
    """
    if coverage is None:
        return NEEDS_FEEDBACK
    now = coverage.iloc[0]
    share = "" if missing(now["coverage"]) else f" ({per_cent(now['coverage'])})"
    of = f"{count(now['answered'])} of {plural(now['accounts'], 'customer')}"
    return f"In the last {months} months {of} gave feedback{share}."


def score(found: pd.DataFrame | None, scale: Sequence[object] | None) -> str | None:
    """Say the mean score on its scale, and the net promoter score where the scale has one.

    Example
    -------
    >>> found = pd.DataFrame({"n": [50], "score": [7.25], "nps": [-0.04], "promoters": [0.3], "detractors": [0.34]})
    >>> print(score(found, (0, 10)))
    Their mean score is 7.2 on a scale from 0 to 10; the net promoter score is −4 (9 or more: 30.0%, 6 or less: 34.0%).
    """
    if found is None or missing(found["score"].iloc[0]) or scale is None:
        return None
    now = found.iloc[0]
    told = f"Their mean score is {now['score']:.1f} on a scale from {scale[0]} to {scale[1]}"
    if missing(now["nps"]):
        return f"{told}."
    parts = f"9 or more: {per_cent(now['promoters'])}, 6 or less: {per_cent(now['detractors'])}"
    return f"{told}; the net promoter score is {net(now['nps'])} ({parts})."


def net(nps: float | None) -> str:
    """Write a net promoter score (-1 to 1) as people do.

    Example
    -------
    >>> net(0.42), net(-0.04), net(0.0)
    ('+42', '−4', '0')
    """
    if missing(nps):
        return "–"
    whole = round(100 * float(nps))
    return "0" if whole == 0 else f"{'+' if whole > 0 else MINUS}{abs(whole)}"


def quiet_bands(table: pd.DataFrame | None, minimum: int = 5) -> str | None:
    """Say which bands gave too little feedback to show a score."""
    if table is None:
        return None
    hidden = table.loc[table["suppressed"].astype(bool)]
    few, others = (hidden.loc[mask, "band"].tolist() for mask in (hidden["n"] < minimum, hidden["n"] >= minimum))
    if not few:
        return None
    why = f"No score is shown for {several(few)}: fewer than {minimum} answers"
    return f"{why}; nor for {several(others)}, which would give them away." if others else f"{why}."


def standing_out(found: pd.DataFrame, what: str) -> str | None:
    """Name the groups that score clearly below or above all others; nothing where none does.

    Parameters
    ----------
    found
        ``contrast.standing_out``: group, n, score, others.
    what
        What the groups are: product, topic, or an attribute.

    Example
    -------
    >>> rows = {"group": ["south"], "n": [40], "score": [5.25], "others": [7.0]}
    >>> print(standing_out(pd.DataFrame(rows), "region"))
    By region, south scores clearly lower than all others (5.2 from 40 customers, against 7.0).
    """
    each = [
        f"{name(row['group'])} scores clearly {'higher' if row['score'] > row['others'] else 'lower'} than all others "
        f"({row['score']:.1f} from {plural(row['n'], 'customer')}, against {row['others']:.1f})"
        for row in found.to_dict("records")
    ]
    return f"By {spaced(what)}, {'; '.join(each)}." if each else None


def reached(contacts: pd.DataFrame | None, months: int = 12) -> str:
    """Say how many customers we were in contact with, and by what most.

    Example
    -------
    >>> rows = {"kind": ["(any)", "visit"], "reached": [40, 30], "accounts": [80, 80], "share": [0.5, 0.375]}
    >>> print(reached(pd.DataFrame(rows)))
    In the last 12 months we were in contact with 40 of 80 customers (50.0%), most of them by visit (30).
    """
    if contacts is None:
        return NEEDS_CONTACTS
    everyone, kinds = contacts.iloc[0], contacts.iloc[1:]
    share = "" if missing(everyone["share"]) else f" ({per_cent(everyone['share'])})"
    of = f"{count(everyone['reached'])} of {plural(everyone['accounts'], 'customer')}{share}"
    most = "" if kinds.empty else _most(kinds.loc[kinds["reached"].idxmax()])
    return f"In the last {months} months we were in contact with {of}{most}."


def to_ask(listed: pd.DataFrame, band: str, months: int = 12) -> str:
    """Say how many customers of a band are to be asked, and where they are listed.

    Example
    -------
    >>> print(to_ask(pd.DataFrame({"last_asked": [None, None]}), "moderate"))
    2 customers in the band moderate have given no answer for 12 months, 2 of them never: see customers_to_ask.csv.
    """
    number = len(listed)
    if not number:
        return f"No customer in the band {name(band)} has been without an answer for {months} months."
    never = int(listed["last_asked"].isna().sum())
    rest = f", {count(never)} of them never" if never else ""
    who = plural(number, "customer")
    told = f"{who} in the band {name(band)} {have(number)} given no answer for {months} months{rest}"
    return f"{told}: see {TO_ASK}."


def actions(listed: pd.DataFrame) -> str | None:
    """Say where every customer stands with what its band asks for; nothing where no customer has a band."""
    if listed.empty:
        return None
    return f"{BY_BAND} has all {plural(len(listed), 'customer')} with what their band asks for and their last answer."


def _most(row: Row) -> str:
    return f", most of them by {name(row['kind'])} ({count(row['reached'])})" if row["reached"] else ""
