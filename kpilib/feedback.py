"""What customers said, whom we were in contact with, and whom to ask next.

Over the engagement's look-back window, among the accounts of the base. Of several answers of an account its latest
counts, because a score is how the account stands at the end of the quarter, like what it holds; answers of the same
day are averaged. Groups that rest on fewer accounts than the engagement's minimum_cell are marked ``suppressed`` and
have no figures, and so are those that would give them away (:func:`kpilib.measures.cells.hidden`). Everything is None
where the engagement has no such table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.errors import DataError, near
from kpilib.measures import bands, cells, counts, degree, queries
from kpilib.measures.queries import NOT_GIVEN, Moment

NPS_SCALE = (Decimal(0), Decimal(10))
PROMOTERS, DETRACTORS = 9, 6  # at least, at most
ANY = "(any)"

_COVERAGE = {"accounts": "int64", "answered": "int64", "coverage": "float64"}
_SCORE = {"n": "int64", **dict.fromkeys(("score", "promoters", "detractors", "nps"), "float64")}
_BOTH = {**_COVERAGE, **_SCORE, "suppressed": "bool"}
_BAND = {"band": "object", "action": "object", **_BOTH}
_SHARES = ("coverage", "score", "promoters", "detractors", "nps")
_CONTACTS = {
    **{"kind": "object", "accounts": "int64", "reached": "int64", "share": "float64", "contacts": "int64"},
    **{"amount": "object", "suppressed": "bool"},
}
_LISTED = ("account_id", "name", "owner", "band", "possible", "held", "degree", "revenue_window")
_ASKED = ("last_asked", "last_score", "months_ago")


def coverage(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame | None:
    """Share of the accounts counted that gave feedback in the window.

    Returns
    -------
    One row, or one per value of ``by``: [group], accounts (base), answered, coverage (answered / accounts, 0 to 1),
    suppressed (bool). None without a feedback table.
    """
    if not book.has("feedback"):
        return None
    answers = answers_given(book, quarter, by)
    rows = [label | _covered(book, part) for label, part in _parts(answers, by)]
    guarded = _guarded(book, rows, "accounts", ["coverage"])
    return degree.table(guarded, _grouped(by) | _COVERAGE | {"suppressed": "bool"})


def score(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame | None:
    """Average what customers said, each account counted once.

    Returns
    -------
    One row, or one per value of ``by``: [group], n (accounts with feedback), score (mean, on the engagement's scale),
    promoters and detractors (shares of n scoring 9 or more, 6 or less) and nps (their difference, -1 to 1), which are
    defined on a scale from 0 to 10 only; suppressed (bool). None without a feedback table.
    """
    if not book.has("feedback"):
        return None
    answers = answers_given(book, quarter, by)
    rows = [label | _scored(book, part) for label, part in _parts(answers, by)]
    return degree.table(_guarded(book, rows), _grouped(by) | _SCORE | {"suppressed": "bool"})


def by_group(book: Book, quarter: str, by: str) -> pd.DataFrame | None:
    """Hold feedback against an attribute of the accounts: coverage and score of each of its values.

    Returns
    -------
    One row per value of ``by``, blanks as (not given) and last: group, and the columns of :func:`coverage` and
    :func:`score`; suppressed where either rests on too few. None without a feedback table.
    """
    if not book.has("feedback"):
        return None
    rows = [label | _both(book, part) for label, part in _parts(answers_given(book, quarter, by), by)]
    return degree.table(_guarded(book, rows), {"group": "object"} | _BOTH)


def by_band(book: Book, quarter: str) -> pd.DataFrame | None:
    """Hold feedback against penetration: coverage and score of the accounts in each band.

    An association: neither says which comes first.

    Returns
    -------
    One row per band, from low to high: band, action, and the columns of :func:`coverage` and :func:`score`;
    suppressed where either rests on too few. None without a feedback table.
    """
    if not book.has("feedback"):
        return None
    answers = answers_given(book, quarter)
    names = bands.named(answers, book.engagement)
    rows = [
        {"band": each.name, "action": each.action} | _both(book, answers[names == each.name])
        for each in book.engagement.bands
    ]
    return degree.table(_guarded(book, rows), _BAND)


def by_subject(book: Book, quarter: str, of: str = "product_id") -> pd.DataFrame | None:
    """Average what customers said of each product or topic: of each, an account's latest answer.

    Parameters
    ----------
    of
        ``product_id`` or ``topic``; answers without one are under ``(not given)``, last.

    Returns
    -------
    One row per product or topic: group, and the columns of :func:`score`. None without a feedback table, or where
    no answer in the window names one.
    """
    if of not in ("product_id", "topic"):
        raise DataError(f"Feedback is not told by {of!r}.", near(of, ("product_id", "topic")))
    if not book.has("feedback"):
        return None
    answers = answers_about(book, quarter, of)
    if not (answers["group"] != NOT_GIVEN).any():
        return None
    rows = [label | _scored(book, part) for label, part in _parts(answers, of)]
    return degree.table(_guarded(book, rows), _grouped(of) | _SCORE | {"suppressed": "bool"})


def answers_about(book: Book, quarter: str, of: str) -> pd.DataFrame:
    """Count the accounts of the base by what they said of each ``product_id`` or ``topic``: group, score, accounts."""
    at = queries.moment(book, quarter)
    return queries.fetch(
        book,
        f"""
        SELECT coalesce(f.subject, {queries.literal(NOT_GIVEN)}) AS "group", f.score, count(*) AS accounts
        FROM ({queries.latest_answers(at, of)}) f JOIN ({queries.base(book, [at.index])}) c USING (account_id)
        GROUP BY ALL
        """,
        order=["group", "score"],
    )


def contacts(book: Book, quarter: str) -> pd.DataFrame | None:
    """Count the accounts reached in the window, by kind of contact.

    Returns
    -------
    One row for any contact at all, ``(any)``, then one per kind: kind, accounts (base), reached (accounts), share
    (reached / accounts), contacts (records), amount (their sum as Decimal, where given; never of different kinds),
    suppressed (bool). None without an interactions table.
    """
    if not book.has("interactions"):
        return None
    met = _met(book, queries.moment(book, quarter))
    base = int(counts.pairs(book, quarters=[quarter])["accounts"].sum())
    rows = [{"kind": kind} | _reached(book, met[met["kind"] == kind], base) for kind in _kinds(met)]
    return degree.table(rows, _CONTACTS)


def contacts_by_band(book: Book, quarter: str) -> pd.DataFrame | None:
    """Count the accounts reached in the window in each band, by any contact.

    Returns
    -------
    One row per band, from low to high: band, and the columns of :func:`contacts`. None without an interactions table.
    """
    if not book.has("interactions"):
        return None
    met = _met(book, queries.moment(book, quarter))
    met = met[met["kind"] == ANY]
    inside = bands.accounts_in(
        counts.pairs(book, quarters=[quarter], rules=bands.rules(book.engagement)), book.engagement
    )
    names = bands.named(met, book.engagement)
    rows = [
        {"band": band, "kind": ANY} | _reached(book, met[names == band], accounts) for band, accounts in inside.items()
    ]
    return degree.table(_guarded(book, rows, "accounts", ["share"]), {"band": "object", **_CONTACTS})


def band_to_ask(engagement: Engagement) -> str:
    """Name the band whose customers are asked first how satisfied they are: the second, or the only one.

    They have more than the least, so something was right for them, and less than most of what they could buy.
    """
    return [each.name for each in engagement.bands][:2][-1]


def to_ask(book: Book, quarter: str, band: str, months: int = 12) -> pd.DataFrame:
    """List the accounts of a band that have not been asked for so many months: a survey file.

    An answer is the only trace of having been asked. Without a feedback table nobody has been.

    Returns
    -------
    One row per account, largest revenue first: account_id, name, owner (missing where the client has none), band,
    possible, held, degree (0 to 1), revenue_window (Decimal), last_asked (day, missing: never), why.
    """
    if months <= 0:
        raise DataError(f"{months} months is no time to have waited.", "", "Ask for 1 month or more.")
    at = queries.moment(book, quarter)
    listed = _in_bands(book, at, [band])
    since = (pd.Timestamp(at.as_of) + pd.Timedelta(days=1) - pd.DateOffset(months=months)).date()
    waited = [last is None or last < since for last in listed["last_asked"]]
    due = listed[pd.Series(waited, index=listed.index, dtype=bool)].reset_index(drop=True)
    why = [_why(*each) for each in zip(due["band"], due["last_asked"], due["months_ago"], strict=True)]
    return due.assign(why=pd.Series(why, dtype="object"))[[*_LISTED, "last_asked", "why"]]


def band_actions(book: Book, quarter: str) -> pd.DataFrame:
    """List every account with what its band says to do: a band is a list, not only a count.

    Returns
    -------
    One row per account with a degree, by band from low to high, largest revenue first: action, and the columns of
    :func:`to_ask` but why, last_score (of the day last asked) and months_ago (whole months since then).
    """
    at = queries.moment(book, quarter)
    listed = _in_bands(book, at, [each.name for each in book.engagement.bands])
    action = {each.name: each.action for each in book.engagement.bands}
    return listed.assign(action=listed["band"].map(action).astype("object"))[["action", *_LISTED, *_ASKED]]


def answers_given(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame:
    """Count the accounts of the base by what they have and what they said; no score, no answer.

    Returns
    -------
    [group], rule, possible, held, score (missing: none given), accounts.
    """
    at = queries.moment(book, quarter)
    keys = [*queries.group_of(by), "rule", "possible", "held"]
    return queries.fetch(
        book,
        f"""
        SELECT {queries.listed_columns(keys, "c")} f.score, count(*) AS accounts
        FROM ({queries.base(book, [at.index], by, bands.rules(book.engagement))}) c
        LEFT JOIN ({queries.latest_answers(at)}) f USING (account_id) GROUP BY ALL
        """,
        order=[*keys, "score"],
    )


def _grouped(by: str | None) -> dict[str, str]:
    return {"group": "object"} if by else {}


def _parts(rows: pd.DataFrame, by: str | None) -> Iterable[tuple[dict[str, str], pd.DataFrame]]:
    if by is None:
        return [({}, rows)]
    return [({"group": group}, rows[rows["group"] == group]) for group in queries.in_order(rows["group"])]


def _guarded(
    book: Book, rows: list[dict[str, Any]], size: str = "n", figures: Sequence[str] = _SHARES
) -> list[dict[str, Any]]:
    """Hide the groups that are too few to show, and those that would give them away; sizes stay."""
    out = cells.hidden([each[size] for each in rows], book.engagement.minimum_cell)
    gone = dict.fromkeys(figures) | {"suppressed": True}
    return [row | gone if hide else row for row, hide in zip(rows, out, strict=True)]


def _both(book: Book, rows: pd.DataFrame) -> dict[str, Any]:
    covered, scored = _covered(book, rows), _scored(book, rows)
    return covered | scored | {"suppressed": covered["suppressed"] or scored["suppressed"]}


def _covered(book: Book, rows: pd.DataFrame) -> dict[str, Any]:
    accounts = int(rows["accounts"].sum())
    answered = int(rows.loc[rows["score"].notna(), "accounts"].sum())
    small = accounts < book.engagement.minimum_cell
    share = None if small or not accounts else answered / accounts
    return {"accounts": accounts, "answered": answered, "coverage": share, "suppressed": small}


def _scored(book: Book, rows: pd.DataFrame) -> dict[str, Any]:
    given = rows[rows["score"].notna()]
    n = int(given["accounts"].sum())
    small = n < book.engagement.minimum_cell
    found: dict[str, Any] = {"n": n, "suppressed": small}
    if small or not n:
        return found
    found["score"] = float((given["score"] * given["accounts"]).sum()) / n
    if book.engagement.feedback and book.engagement.feedback.scale == NPS_SCALE:
        found["promoters"] = int(given.loc[given["score"] >= PROMOTERS, "accounts"].sum()) / n
        found["detractors"] = int(given.loc[given["score"] <= DETRACTORS, "accounts"].sum()) / n
        found["nps"] = found["promoters"] - found["detractors"]
    return found


def _met(book: Book, at: Moment) -> pd.DataFrame:
    """Count accounts of the base with a contact in the window, by kind and by what they have."""
    keys = ["kind", "rule", "possible", "held"]
    return queries.fetch(
        book,
        f"""
        WITH met AS (
            SELECT account_id, coalesce(kind, {queries.literal(NOT_GIVEN)}) AS kind, amount FROM interactions
            WHERE day BETWEEN DATE '{at.window_start}' AND DATE '{at.as_of}'
        ), told AS (
            SELECT account_id, kind, count(*) AS contacts, sum(amount) AS amount FROM met GROUP BY ALL
            UNION ALL SELECT account_id, {queries.literal(ANY)}, count(*), NULL FROM met GROUP BY ALL
        )
        SELECT {queries.listed_columns(["rule", "possible", "held"], "c")} t.kind, count(*) AS accounts,
               sum(t.contacts)::BIGINT AS contacts, sum(t.amount) AS amount
        FROM told t JOIN ({queries.base(book, [at.index], None, bands.rules(book.engagement))}) c USING (account_id)
        GROUP BY ALL
        """,
        order=keys,
    )


def _kinds(met: pd.DataFrame) -> list[str]:
    return [ANY, *queries.in_order(each for each in met["kind"] if each != ANY)]


def _reached(book: Book, met: pd.DataFrame, accounts: int) -> dict[str, Any]:
    reached, small = int(met["accounts"].sum()), accounts < book.engagement.minimum_cell
    share = None if small or not accounts else reached / accounts
    found = {"accounts": accounts, "reached": reached, "share": share, "suppressed": small}
    return found | {"contacts": int(met["contacts"].sum()), "amount": degree.summed(met["amount"])}


def _in_bands(book: Book, at: Moment, names: Sequence[str]) -> pd.DataFrame:
    """List the accounts of some bands, largest revenue first, with when they were last asked."""
    engagement = book.engagement
    known = [each.name for each in engagement.bands]
    for name in names:
        if name not in known:
            raise DataError(f"There is no band {name!r}.", near(name, known))
    pairs = counts.pairs(book, quarters=[at.label], rules=bands.rules(engagement))
    band = bands.named(pairs, engagement)
    parts = [_of_band(book, at, name, pairs[band == name]) for name in names]
    return _with_last_asked(book, at, pd.concat(parts, ignore_index=True))


def _of_band(book: Book, at: Moment, name: str, among: pd.DataFrame) -> pd.DataFrame:
    most = int(among["accounts"].sum())
    found = counts.largest(book, at.label, among, bands.rules(book.engagement), most)
    told = {"name": found.get("name"), "owner": queries.given(found.get("owner"))}
    found = found.assign(**told, band=name, degree=found["held"] / found["possible"])[list(_LISTED)]
    return found.astype({"name": "object", "owner": "object"})


def _with_last_asked(book: Book, at: Moment, listed: pd.DataFrame) -> pd.DataFrame:
    days: Mapping[str, date] = {}
    scores: Mapping[str, float] = {}
    if book.has("feedback"):
        asked = queries.fetch(
            book,
            f"""
            SELECT account_id, day, (sum(score) / count(*))::DOUBLE AS score FROM (
                FROM feedback WHERE day <= DATE '{at.as_of}' QUALIFY day = max(day) OVER (PARTITION BY account_id)
            ) GROUP BY ALL
            """,
        )
        days = dict(zip(asked["account_id"], pd.to_datetime(asked["day"]).dt.date, strict=True))
        scores = dict(zip(asked["account_id"], asked["score"], strict=True))
    last = [days.get(each) for each in listed["account_id"]]
    return listed.assign(
        last_asked=pd.Series(last, dtype="object", index=listed.index),
        last_score=pd.Series([scores.get(each) for each in listed["account_id"]], dtype="float64", index=listed.index),
        months_ago=pd.array([None if day is None else _months(day, at.as_of) for day in last], dtype="Int64"),
    )


def _months(day: date, until: date) -> int:
    """Whole months from a day until the end of another."""
    end = (pd.Timestamp(until) + pd.Timedelta(days=1)).date()
    return (end.year - day.year) * 12 + end.month - day.month - (end.day < day.day)


def _why(band: str, last: date | None, months: Any) -> str:
    if last is None:
        return f"{band}, and no answer on record"
    return f"{band}, and last answered {months} months ago, on {last.isoformat()}"
