"""What customers said, whom we met and whom to ask, as computed sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpilib.wording import said
from kpilib.written import MINUS, Row, are, count, have, missing, name, per_cent, plural, several

NEEDS_FEEDBACK = (
    "What customers say is not on record: a table of feedback (customer, day, score) under [feedback] would show it."
)
NEEDS_CONTACTS = (
    "Whom we met is not on record: a table of contacts (customer, day, kind) under [interactions] would show it."
)


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


def by_band(table: pd.DataFrame | None) -> str | None:
    """Say whether customers who have more say better things; an association, and warned of where it is not steady."""
    if table is None:
        return None
    shown = table[~table["suppressed"].astype(bool)].dropna(subset=["score"])
    if len(shown) < 2:
        return "Too few customers gave feedback to compare scores by how much they have."
    first, last = shown.iloc[0], shown.iloc[-1]
    steps = shown["score"].astype(float).diff().dropna()
    steady = (steps >= 0).all() or (steps <= 0).all()
    told = (
        f"Customers in the band {name(first['band'])} score {first['score']:.1f}, those in {name(last['band'])} "
        f"{last['score']:.1f}"
    )
    warned = "" if steady else ", and the bands between do not follow: read no line into it"
    return f"{told}{warned}. Neither says which comes first."


def quiet_bands(table: pd.DataFrame | None) -> str | None:
    """Say which bands gave too little feedback to show a score."""
    if table is None:
        return None
    few = table.loc[table["suppressed"].astype(bool), "band"].tolist()
    return f"No score is shown for {several(few)}: too few answers." if few else None


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
    """Say how many customers of a band are to be asked.

    Example
    -------
    >>> print(to_ask(pd.DataFrame({"last_asked": [None, None]}), "moderate"))
    2 customers in the band moderate have not been asked for 12 months, 2 of them never.
    """
    number = len(listed)
    if not number:
        return f"Every customer in the band {name(band)} has been asked in the last {months} months."
    never = int(listed["last_asked"].isna().sum())
    rest = f", {count(never)} of them never" if never else ""
    who = plural(number, "customer")
    return f"{who} in the band {name(band)} {have(number)} not been asked for {months} months{rest}."


def actions(listed: pd.DataFrame) -> list[str]:
    """Say for each band how many customers its action concerns."""
    told = []
    for (band, action), part in listed.groupby(["band", "action"], sort=False):
        number = len(part)
        does = f": {name(action)}" if action else ""
        told.append(f"{plural(number, 'customer')} {are(number)} in the band {name(band)}{does}.")
    return told


def answer(coverage: pd.DataFrame | None, found: pd.DataFrame | None, scale: Sequence[object] | None) -> list[str]:
    """Give the answer in two sentences: who was heard, and what they say."""
    return said(heard(coverage), score(found, scale))


def _most(row: Row) -> str:
    return f", most of them by {name(row['kind'])} ({count(row['reached'])})" if row["reached"] else ""
