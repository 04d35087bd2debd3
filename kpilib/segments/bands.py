"""Segments by band of the degree, as the engagement states its bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from kpilib.book import Book
from kpilib.engagement import Band
from kpilib.measures import bands, queries
from kpilib.measures.queries import Moment
from kpilib.segments.partition import NOTHING_POSSIBLE, Segmentation, accounts_in


def by_band(book: Book, quarter: str) -> Segmentation:
    """Divide by penetration band, low to high; who belongs to segments with bands of their own gets these.

    Accounts with nothing possible are a segment of their own, which is there only if they are.
    """
    names = tuple(each.name for each in book.engagement.bands)
    at = queries.moment(book, quarter).label
    found = Segmentation("band", "penetration band", names, at, _members, by_construction=True)
    empty = accounts_in(book, quarter, found).get(NOTHING_POSSIBLE, 0) == 0
    return found if empty else replace(found, segments=(*names, NOTHING_POSSIBLE))


def _members(book: Book, at: Moment) -> str:
    own = book.engagement.segment_bands
    cases = " ".join(f"WHEN {n} THEN {_band(each.bands)}" for n, each in enumerate(own))
    band = _band(book.engagement.bands)
    named = f"CASE rule {cases} ELSE {band} END" if own else band
    return f"""SELECT account_id,
                      CASE WHEN possible = 0 THEN {queries.literal(NOTHING_POSSIBLE)} ELSE {named} END AS segment
               FROM ({queries.base(book, [at.index], None, bands.rules(book.engagement))})"""


def _band(stated: Sequence[Band]) -> str:
    """Write the last band that an account reaches, compared in whole numbers."""
    cases = []
    for band in reversed(stated[1:]):
        percent, just_above = band.floor
        share = Fraction(percent) / 100
        compared = ">" if just_above else ">="
        cases.append(f"WHEN held * {share.denominator} {compared} possible * {share.numerator}")
        cases[-1] += f" THEN {queries.literal(band.name)}"
    first = queries.literal(stated[0].name)
    return f"CASE {' '.join(cases)} ELSE {first} END" if cases else first
