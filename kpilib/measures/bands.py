"""Bands of the degree, and the accounts in them: a band is a list, not only a count.

A band begins at a per cent the engagement states; an account's band is the last one whose beginning
it reaches, compared in whole numbers, so that 7 of 10 is 70 % and no rounding decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.engagement import Band, Engagement
from kpilib.errors import DataError, near
from kpilib.measures import attach, change, counts, degree, offers, queries


def band_of(bands: Sequence[Band], possible: int, held: int) -> str | None:
    """Name the band of an account; None when nothing is possible for it.

    Example
    -------
    >>> from kpilib.engagement import SHIPPED_BANDS
    >>> [band_of(SHIPPED_BANDS, 20, held) for held in (9, 10, 14, 17, 18)]
    ['low', 'moderate', 'healthy', 'healthy', 'very high']
    >>> band_of(SHIPPED_BANDS, 0, 0) is None
    True
    """
    return _last_reached(bands, possible, held).name if possible else None


def rules(engagement: Engagement) -> list[dict[str, tuple[str, ...]]]:
    """List the segments that have bands of their own, for :func:`kpilib.measures.counts.pairs`."""
    return [each.where for each in engagement.segment_bands]


def named(pairs: pd.DataFrame, engagement: Engagement) -> pd.Series:
    """Name the band of every row of ``pairs``, by the bands of its segment; None without a degree."""
    own = [each.bands for each in engagement.segment_bands]
    number = pairs["rule"].tolist() if "rule" in pairs else [-1] * len(pairs)
    names = [
        band_of(own[rule] if rule >= 0 else engagement.bands, possible, held)
        for rule, possible, held in zip(number, pairs["possible"].tolist(), pairs["held"].tolist(), strict=True)
    ]
    return pd.Series(names, index=pairs.index, dtype="object")


def accounts_in(pairs: pd.DataFrame, engagement: Engagement) -> dict[str, int]:
    """Count the accounts with a degree in each band, from low to high."""
    found = {band.name: 0 for band in engagement.bands}
    for name, rows in pairs.groupby(named(pairs, engagement)):
        found[str(name)] += int(rows["accounts"].sum())
    return found


def counted(book: Book, quarter: str, against: str | None = None) -> pd.DataFrame:
    """Count the accounts in each band; accounts with nothing possible are in none.

    Returns
    -------
    One row per band, from low to high: band, at_least and above (per cent, as the engagement states
    them for accounts without bands of their own), accounts, share (of accounts with a degree, 0 to
    1), accounts_before (missing without ``against``), action.
    """
    now, before = _in_bands(book, quarter), {}
    if against is not None:
        before = _in_bands(book, change.comparable(book, quarter, against)[0].label)
    n = sum(now.values())
    rows = [
        {
            **{"band": band.name, "at_least": band.at_least, "above": band.above},
            "accounts": now[band.name],
            "share": now[band.name] / n if n else None,
            "accounts_before": before.get(band.name),
            "action": band.action,
        }
        for band in book.engagement.bands
    ]
    return degree.table(rows, _BAND_COLUMNS)


def who(book: Book, quarter: str, band: str, most: int = 15) -> pd.DataFrame:
    """List the accounts in a band, those of largest revenue first.

    Returns
    -------
    One row per account, ``most`` at most, ties by account_id: account_id, name and owner (missing
    where the client has none; an owner left blank is (not given)), the attributes the engagement
    segments by, possible, held, degree (0 to 1), revenue_window (Decimal), lapsing (held products past
    their usual interval; missing without sales evidence), missing (the products it could hold and
    does not and that
    are not blocked, most widely held first).
    """
    engagement = book.engagement
    pairs = counts.pairs(book, quarters=[quarter], rules=rules(engagement))
    names = [each.name for each in engagement.bands]
    if band not in names:
        raise DataError(f"There is no band {band!r}.", near(band, names))
    among = pairs[named(pairs, engagement) == band]
    found = counts.largest(book, quarter, among, rules(engagement), most)
    ids = found["account_id"].tolist()
    listed = found.assign(
        name=found.get("name"),
        owner=queries.given(found.get("owner")),
        degree=found["held"] / found["possible"],
        lapsing=_lapsing(book, quarter, ids),
        missing=_missing(book, quarter, ids),
    )
    told = ["account_id", "name", "owner", *_segments(engagement), *_FIGURES]
    return listed[told]


_BAND_COLUMNS = {
    **{"band": "object", "at_least": "object", "above": "object", "accounts": "int64"},
    **{"share": "float64", "accounts_before": "Int64", "action": "object"},
}
_FIGURES = ("possible", "held", "degree", "revenue_window", "lapsing", "missing")


def _segments(engagement: Engagement) -> list[str]:
    told = {"name", "owner", *_FIGURES}
    return [name for name in engagement.segment_by if name not in told]


def _last_reached(bands: Sequence[Band], possible: int, held: int) -> Band:
    reached = bands[0]
    for band in bands:
        percent, just_above = band.floor
        gap = 100 * held - Fraction(percent) * possible
        if gap > 0 or (gap == 0 and not just_above):
            reached = band
    return reached


def _in_bands(book: Book, quarter: str) -> dict[str, int]:
    pairs = counts.pairs(book, quarters=[quarter], rules=rules(book.engagement))
    return accounts_in(pairs, book.engagement)


def _missing(book: Book, quarter: str, ids: list[str]) -> list[str]:
    slots = counts.holdings(book, ids, quarter)
    spread = counts.by_product(book, quarter).sort_values("held", ascending=False, kind="stable")
    rank = {product: place for place, product in enumerate(spread["product_id"])}
    barred = offers.barred(book, quarter)
    pairs = zip(slots["account_id"], slots["product_id"], strict=True)
    sellable = pd.Series([pair not in barred for pair in pairs], index=slots.index, dtype=bool)
    unheld = slots[slots["possible"] & ~slots["proven"] & sellable].sort_values(
        "product_id", key=lambda names: names.map(rank), kind="stable"
    )
    text = unheld.groupby("account_id")["product_id"].agg(", ".join)
    return [text.get(each, "") for each in ids]


def _lapsing(book: Book, quarter: str, ids: list[str]) -> Any:
    rows = attach.lapsing_slots(book, quarter)
    if rows is None:
        return None
    return [int((rows["account_id"] == each).sum()) for each in ids]
