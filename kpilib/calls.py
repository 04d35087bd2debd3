"""The call list as a command makes it: drawn with its reasons, followed up, or planned for; told as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd

from kpilib import printed, whitespace
from kpilib.actions import candidates, chosen, followed, plan, record
from kpilib.actions.chosen import LISTED, Limits
from kpilib.actions.followed import Outcome
from kpilib.actions.record import Issued
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.whitespace import Ranking
from kpilib.wording import actions as say
from kpilib.wording import whitespace as reasons
from kpilib.written import name, plural, quarter

ASKED = {"owner": "By owner", "ground": "By what spoke for the call"}

WON = {"issued": "list of", "calls": "calls", "won": "marked won", "seen": "seen at quarter's end",
       "later": "seen since", "unseen": "not seen so far", "unmarked": "bought, not marked won"}  # fmt: skip
MOST = 25  # calls named in a terminal
NOTHING_ISSUED = "Nothing was issued; without a target the list is."


def draw(book: Book, label: str, limits: Limits, share_held_back: float, seed: str) -> tuple[Issued, str]:
    """Draw the list of a quarter, with a reason for every call; nothing is written yet.

    Returns
    -------
    The list, and what is to be said before it is issued.

    Raises
    ------
    DataError
        There is nothing to recommend, or a list of this quarter was issued already.
    """
    record.free(book, book.quarter(label).label)
    ranking = whitespace.prepare(book, label)
    found = candidates.likeliest(book, ranking, limits)
    candidates.required(book, label, found)
    drawn = record.draw(book, label, found, limits, share_held_back, seed)
    rows = candidates.grounds(book, ranking, drawn.rows)
    rows["reason"] = reasons.reasons(rows)
    drawn = replace(drawn, rows=rows)
    return drawn, _before(book, ranking, drawn)


def _before(book: Book, ranking: Ranking, drawn: Issued) -> str:
    called = drawn.rows[drawn.rows["arm"] == LISTED]
    stated = chosen.Detectable(**drawn.stated["detectable"])
    lines = [
        f"{name(book.engagement.client)}: calls from what was open at the end of {quarter(drawn.quarter)}",
        "",
        say.listing(drawn.stated, called["account_id"].nunique(), called["owner"].nunique()),
        say.detectable(stated),
        reasons.trust(ranking.test, ranking.no_chance)[-1],
    ]
    return "\n".join([*lines[:2], *map(printed.wrapped, lines[2:])])


def follow_up(book: Book, label: str | None, files: Sequence[Path], afresh: bool = False) -> str:
    """Take filled workbooks over, and tell what they change, what was noticed and what came of every list so far.

    ``afresh`` drops what earlier workbooks said of the list.

    Raises
    ------
    DataError
        No list was issued (of that quarter), or a file is no list.
    """
    lists = [each.quarter for each in record.issued(book)]
    if not lists:
        raise DataError("No list was issued yet.", "", "Issue one first: kpi actions ENGAGEMENT.")
    mine = book.engagement.calendar.parse(label).label if label else lists[-1]
    found = record.fill_in(book, mine, files, afresh)
    lines = [f"{name(book.engagement.client)}: {plural(len(files), 'workbook')} of the list of {quarter(mine)} read"]
    lines += [f"- {each}" for each in found.noticed or ["everything fits what was issued"]]
    lines += map(printed.wrapped, say.returned(found))
    came = record.outcomes(book, book.default_quarter())
    if mine not in [each for each, _ in came]:
        due = quarter(book.engagement.calendar.parse(mine).later(1).label)
        lines += ["", f"What came of it can be told once the data cover {due}."]
    summed = followed.outcome(came)
    return "\n".join([*lines, *(["", told(summed)] if summed else [])])


def told(found: Outcome) -> str:
    """Lay out what was said and what happened."""
    parts = ["\n".join(map(printed.wrapped, say.outcome(found)))]
    parts.append(f"Marked won, and what the data say\n{printed.table(found.won[list(WON)].rename(columns=WON))}")
    if not found.unseen.empty:
        rest = f"\nand {len(found.unseen) - MOST:,} more" if len(found.unseen) > MOST else ""
        shown = found.unseen[["owner", "account_id", "product_id", "call"]].head(MOST)
        parts.append(f"Marked won, not seen in the data so far\n{printed.table(shown)}{rest}")
    for title, rows in (("By owner", found.owners), ("By what spoke for the call", found.grounds)):
        if rows is not None:
            parts.append(f"{title}\n{printed.table(_columns(rows))}")
    if not found.why_not.empty:
        parts.append(f"Why not\n{printed.table(found.why_not)}")
    return "\n\n".join(parts)


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows[[rows.columns[0], "calls", "worked", "expected", "closed"]]
    return shown.assign(expected=_one(shown["expected"])).dropna(axis=1, how="all")


def _one(numbers: pd.Series) -> list[str | None]:
    return [None if pd.isna(each) else f"{each:.1f}" for each in numbers]


def earned(book: Book, label: str, target: Decimal, limits: Limits) -> str:
    """Tell what a revenue target of the next quarter takes; nothing is issued.

    Raises
    ------
    DataError
        The target is not above today's revenue, or the data have none.
    """
    ranking = whitespace.prepare(book, label)
    slots = candidates.candidates(book, ranking)
    listed = chosen.chosen(candidates.likeliest(book, ranking, limits), limits)
    found = say.revenue_plan(plan.revenue(book, label, target, slots, listed), book.engagement.currency)
    return "\n".join([*map(printed.wrapped, found), "", NOTHING_ISSUED])


def planned(book: Book, label: str, target: float, limits: Limits) -> str:
    """Tell what a target takes, and where the gain is to come from; nothing is issued.

    Raises
    ------
    DataError
        The target is not above today's degree.
    """
    plan.refuse(book, label, target)
    ranking = whitespace.prepare(book, label)
    slots = candidates.candidates(book, ranking)
    listed = chosen.chosen(candidates.likeliest(book, ranking, limits), limits)
    why = reasons.untrusted(ranking.test, ranking.no_chance)
    parts = ["\n".join(map(printed.wrapped, say.plan(plan.reach(book, label, target, slots, listed), why)))]
    for by in plan.divided_by(book):
        rows = plan.by_group(book, label, slots, listed, by, target)
        shown = rows[["group", "accounts", "open", "needed", "calls", "expected"]].rename(columns={"group": name(by)})
        shown = shown.assign(expected=_one(rows["expected"])).dropna(axis=1, how="all")
        parts.append(printed.table(shown))
    return "\n\n".join([*parts, NOTHING_ISSUED])
