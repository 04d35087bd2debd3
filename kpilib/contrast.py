"""Who differs clearly from whom: those who have most from those who have least, and one group from all others.

A figure may be higher by chance; only what is clear here is told as a difference.
"""

from __future__ import annotations

import pandas as pd

from kpilib import feedback
from kpilib.book import Book
from kpilib.measures import bands, degree, uncertainty
from kpilib.measures.queries import NOT_GIVEN
from kpilib.measures.uncertainty import Estimate
from kpilib.revenue import Impact
from kpilib.revenue.groups import NOTHING_POSSIBLE
from kpilib.segments.profile import shares_apart

LEVEL = 0.95
SUBJECTS = ("product_id", "topic")
_GROUP = {"group": "object", "n": "int64", **dict.fromkeys(("score", "others", "low", "high"), "float64")}
NOTHING = Estimate(None, None, None, 0)


def came_back(impact: Impact) -> Estimate:
    """Estimate by how much more of those who had most came back than of those who had least, of the groups shown.

    Newcombe's method 10 for two groups; the value is a difference of shares.
    """
    shown = impact.table[~impact.table["suppressed"].astype(bool) & (impact.table["group"] != NOTHING_POSSIBLE)]
    if len(shown) < 2:
        return NOTHING
    first, last = shown.iloc[0], shown.iloc[-1]
    ends = {"held": last["retained"], "possible": last["n"]}
    ends |= {"others_held": first["retained"], "others_possible": first["n"]}
    low, high = (float(each.iloc[0]) for each in shares_apart(pd.DataFrame([ends]), LEVEL))
    value = float(last["account_retention"] - first["account_retention"])
    known = (None, None) if pd.isna(low) else (low, high)
    return Estimate(value, *known, int(first["n"] + last["n"]))


def scores(book: Book, quarter: str) -> Estimate:
    """Estimate by how much the highest band with a score shown scores above the lowest: Welch, accounts as units."""
    told = feedback.by_band(book, quarter)
    shown = [] if told is None else told.loc[~told["suppressed"], "band"].tolist()
    if len(shown) < 2:
        return NOTHING
    answers = feedback.answers_given(book, quarter)
    answers = answers.assign(band=bands.named(answers, book.engagement)).dropna(subset=["score"])
    first, last = (answers[answers["band"] == each] for each in (shown[0], shown[-1]))
    return _between(last, first, LEVEL)


def standing_out(book: Book, quarter: str, by: str) -> pd.DataFrame:
    """List the groups that score clearly above or below all other accounts: of an attribute, a product or a topic.

    Returns
    -------
    One row per such group, lowest first: group, n, score, others (the mean of all others' answers), low and high (of
    the difference: Welch, at the level that allows for how many groups are looked at). Groups not shown are left out,
    and so are answers without a group.
    """
    about = by in SUBJECTS
    table = feedback.by_subject(book, quarter, by) if about else feedback.by_group(book, quarter, by)
    if table is None:
        return degree.table([], _GROUP)
    answers = (feedback.answers_about if about else feedback.answers_given)(book, quarter, by).dropna(subset=["score"])
    shown = table.loc[~table["suppressed"] & (table["group"] != NOT_GIVEN), "group"].tolist()
    rows = []
    for each in shown:
        mine = answers["group"] == each
        found = _between(answers[mine], answers[~mine], 1 - (1 - LEVEL) / len(shown))
        if found.interval is not None and (found.low > 0 or found.high < 0):
            n, score = (table.loc[table["group"] == each, name].iloc[0] for name in ("n", "score"))
            told = {"group": each, "n": n, "score": score, "others": score - found.value}
            rows.append(told | {"low": found.low, "high": found.high})
    return degree.table(sorted(rows, key=lambda each: each["score"]), _GROUP)


def _between(these: pd.DataFrame, others: pd.DataFrame, level: float) -> Estimate:
    sides = [(each["score"].to_numpy(float), each["accounts"].to_numpy(float)) for each in (these, others)]
    return uncertainty.between(*sides[0], *sides[1], level)
