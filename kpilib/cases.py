"""A published case held against an engagement: reproduced, taken at its word, and examined.

A claim tells a KPI before and after and how revenue of existing customers grew; it knows no hold-out. The engagement
made of it shows the same figures and knows more: who was held out and, being invented, what would have happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from kpilib import bridge, comparison, kept, penetration, programmes, revenue
from kpilib.book import Book
from kpilib.bridge import Revenue
from kpilib.comparison import Implied
from kpilib.errors import DataError
from kpilib.measures import counts, degree, offers, queries
from kpilib.programmes import Examined
from kpilib.programmes.enrolled import HELD_OUT, TREATED
from kpilib.samples.cases import DEGREE, INDEX, SOFTWARE, TECHNOLOGY, Case
from kpilib.samples.firms import Truth

__all__ = ["DEGREE", "INDEX", "SOFTWARE", "TECHNOLOGY", "Case", "Told", "examine", "readings", "recording", "twin"]

TRUTH = "truth.csv"
CLAIMS = {"figure": "object", "claimed": "float64", "measured": "float64", "agrees": "bool"}
READINGS = {"firm": "object", "reading": "object", **dict.fromkeys(("value", "low", "high"), "float64")}
RECORDING = {"quarter": "object", "index": "float64", "won": "int64", "recorded": "int64"}
RECORDING |= dict.fromkeys(("same_products", "treated", "held_out", "logging", "degree"), "float64")
RECORDING |= {"newly_held": "float64"}


@dataclass(frozen=True)
class Told:
    """A case beside an engagement; shares from 0 to 1.

    ``claims``: one row per published figure (before, after, growth): figure, claimed, measured, agrees (to a tenth of a
    per cent, as printed). ``implied``: what the claim says of revenue per product held; ``shown``: what the engagement
    shows of it, of customers counted both times and over the look-backs of both quarters. ``found``: its programme,
    examined up to the case's last quarter. ``truth``: known where the engagement is invented (``truth.csv`` beside it).
    """

    case: Case
    client: str
    currency: str | None
    claims: pd.DataFrame
    implied: Implied
    shown: Revenue | None
    found: Examined
    truth: Truth | None


def examine(book: Book, case: Case) -> Told:
    """Hold a case against an engagement.

    Raises
    ------
    DataError
        When the engagement does not cover the case's year, records no opportunities although the claim is an index, or
        its programme cannot be examined.
    """
    found = programmes.examined(book, through=_known(book, case))
    if found is None:
        reason = programmes.refusal(book, through=case.later)
        raise DataError(f"The case {case.name!r} needs a programme that can be examined.", reason or "")
    return Told(
        case=case,
        client=book.engagement.client,
        currency=book.engagement.currency,
        claims=_claims(book, case),
        implied=comparison.implied(case.before, case.after, case.growth),
        shown=bridge.revenue(book, case.earlier, case.later, "revenue_window", same=True),
        found=found,
        truth=_truth(book),
    )


def twin(book: Book) -> Book | None:
    """Open the engagement beside this one whose programme changed nothing, under the same name with ``_twin``."""
    folder = book.engagement.folder.resolve()
    beside = folder.with_name(f"{folder.name}_twin")
    return kept.open_book(beside) if (beside / "engagement.toml").is_file() else None


def readings(*told: Told) -> pd.DataFrame:
    """Lay side by side what each way of reading makes of a case.

    Returns
    -------
    For each engagement five rows (without a truth, four): firm, reading, value (a difference of shares), low and high
    (95 %; missing where there is none). Readings: published (the change claimed, of everyone), before_after (of those
    in the programme), held_out (of those held out of it), difference (the one less the other), truth.
    """
    return degree.table([{"firm": each.client, **row} for each in told for row in _readings(each)], READINGS)


def recording(book: Book, case: Case) -> pd.DataFrame:
    """Show the index at both ends of a case's year beside how much was recorded, and beside penetration itself.

    Returns
    -------
    Two rows: quarter, index, won and recorded (slots), same_products (index on products on sale at both), treated and
    held_out (index of those in the programme and of those held out), logging (share of held slots with an opportunity
    at any date), degree (mean, of all customers), newly_held (slots held that were not a year before; missing where
    that year is not complete).

    Raises
    ------
    DataError
        When no opportunities are recorded.
    """
    _refuse_unrecorded(book, case)
    on_sale = _on_sale_throughout(book, case.earlier, case.later)
    rows = []
    for label in (case.earlier, case.later):
        whole = penetration.index(book, label)
        sides = {each: _index(book, label, side=each) for each in (TREATED, HELD_OUT)}
        told = {"index": whole.value, "won": whole.won, "recorded": whole.recorded, "logging": whole.logging_coverage}
        told |= {"same_products": _index(book, label, on_sale), "degree": degree.of(book, label).mean, **sides}
        rows.append({"quarter": label, "newly_held": _newly_held(book, label), **told})
    return degree.table(rows, RECORDING)


def _known(book: Book, case: Case) -> str:
    known = book.quarters.loc[book.quarters["complete"], "label"]
    gone = [each for each in (case.earlier, case.later) if each not in set(known)]
    if gone:
        raise DataError(
            f"The case {case.name!r} is told of {case.earlier} to {case.later}.",
            f"{book.engagement.client} has no complete {' and no '.join(gone)}.",
            "Take the case's chapter out of chapters, or give the engagement that was made of it.",
        )
    return case.later


def _claims(book: Book, case: Case) -> pd.DataFrame:
    measured = {"before": _level(book, case, case.earlier), "after": _level(book, case, case.later)}
    measured["growth"] = revenue.existing_account_growth(book, case.later).value
    rows = []
    for figure, value in measured.items():
        claimed = getattr(case, figure)
        agrees = value is not None and f"{value:.1%}" == f"{claimed:.1%}"
        rows.append({"figure": figure, "claimed": claimed, "measured": value, "agrees": agrees})
    return degree.table(rows, CLAIMS)


def _level(book: Book, case: Case, quarter: str) -> float | None:
    if case.kpi == DEGREE:
        return degree.of(book, quarter).mean
    _refuse_unrecorded(book, case)
    return penetration.index(book, quarter).value


def _refuse_unrecorded(book: Book, case: Case) -> None:
    if not offers.recorded(book):
        raise DataError(
            f"The case {case.name!r} is told by the index of recorded opportunities.",
            f"{book.engagement.client} records none.",
            "Name [opportunities] in the engagement.",
        )


def _truth(book: Book) -> Truth | None:
    file = book.engagement.folder / TRUTH
    return Truth(**pd.read_csv(file).to_dict("records")[0]) if file.is_file() else None


def _readings(told: Told) -> list[dict[str, Any]]:
    sides = told.found.moved.set_index("side")
    rows: list[dict[str, Any]] = [{"reading": "published", "value": told.case.after - told.case.before}]
    for reading, side in (("before_after", TREATED), ("held_out", HELD_OUT)):
        if side in sides.index:
            row = sides.loc[side]
            rows.append({"reading": reading, "value": row["change"], "low": row["low"], "high": row["high"]})
    ends = told.found.effects.query("measure == 'degree' and reading == 'at_end'")
    rows += [{"reading": "difference", **row} for row in ends[["value", "low", "high"]].to_dict("records")]
    return rows + ([{"reading": "truth", "value": told.truth.effect}] if told.truth else [])


def _on_sale_throughout(book: Book, earlier: str, later: str) -> str:
    """Name the products on sale at the end of both quarters, for a query."""
    first, last = (pd.Timestamp(queries.moment(book, each).as_of) for each in (earlier, later))
    launched, retired = (pd.to_datetime(book.products[each]) for each in ("launched", "retired"))
    names = book.products.loc[
        (launched.isna() | (launched <= first)) & (retired.isna() | (retired > last)), "product_id"
    ]
    return f"product_id IN ({', '.join(map(queries.literal, names)) or 'NULL'})"


def _index(book: Book, quarter: str, which: str = "true", side: str | None = None) -> float | None:
    """Measure the index on some products, or on one side of the programme."""
    marks = offers.marks(book, queries.moment(book, quarter))
    only = f"AND account_id IN (SELECT account_id FROM programmes WHERE hold_out = {side == HELD_OUT})" if side else ""
    found = counts.tally(book, quarter, f"SELECT * FROM ({marks}) WHERE {which} {only}")
    won, recorded = (
        int(found.loc[kept, "slots"].sum()) for kept in (found["outcome"] == "won", found["outcome"].notna())
    )
    return won / recorded if recorded else None


def _newly_held(book: Book, quarter: str) -> int | None:
    """Count the slots held that were not held a year before; None where that year is not complete."""
    back = book.quarter(quarter).later(-4).label
    known = book.quarters.loc[book.quarters["complete"], "label"]
    if back not in set(known):
        return None
    words = queries.words_of(book)
    gained = queries.bits(words, "l.held_# & ~coalesce(e.held_#, 0)")
    found = queries.fetch(
        book,
        f"""
        WITH {queries.both_ends(book, back, quarter)}
        SELECT coalesce(sum({gained}), 0)::BIGINT AS gained FROM l LEFT JOIN e USING (account_id)
        """,
    )
    return int(found["gained"].iloc[0])
