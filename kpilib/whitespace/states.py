"""Where accounts lack what they could buy: the state of every slot, why it is not held, and the map of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import offers, queries
from kpilib.measures.offers import NOT_POSSIBLE, STATES
from kpilib.measures.queries import Moment

REASONS = ("offer running", "must not be sold", "offered and lost", "dropped", "unhappy customer", "never offered")
FORMS = {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER"}


def slots(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame:
    """Count the slots of the base by state (KPI ``whitespace_slots``).

    A slot is one account and one product possible for it; whitespace is every slot not held.

    Returns
    -------
    One row [per group]: accounts (with anything possible), possible, held, whitespace, and of these pipeline, lost
    offer, blocked, open. held + whitespace = possible. No row where nothing is possible for anyone.
    """
    counted = _counted(book, quarter, by)
    keys = queries.group_of(by)
    told = counted.pivot_table(
        index=keys or (lambda _: 0), columns="state", values="slots", aggfunc="sum", fill_value=0
    )
    told = told.reindex(columns=list(STATES), fill_value=0).astype("int64")
    told["whitespace"] = told.drop(columns="held").sum(axis=1)
    told["possible"] = told["held"] + told["whitespace"]
    told["accounts"] = _accounts(book, quarter, by, told.index)
    order = ["accounts", "possible", "held", "whitespace", *STATES[1:]]
    told = told.loc[queries.in_order(told.index) if by else told.index, order].reset_index(drop=not by)
    told.columns.name = None
    return told


def reasons(book: Book, quarter: str, by: str | None = None) -> pd.DataFrame:
    """Count unheld slots by why they are not held, where the data can say.

    The first that holds of: offer running, must not be sold, offered and lost (in the window), dropped (held at an
    earlier quarter), unhappy customer (mean score of the window below the middle of the scale), never offered (no
    opportunity on record, where the client records them). Missing: nothing is known.

    Returns
    -------
    One row per [group and] reason: reason, slots, share (of all unheld slots of the group, 0 to 1).
    """
    keys = queries.group_of(by)
    found = _counted(book, quarter, by)
    found = found[found["state"] != "held"]
    told = found.groupby([*keys, "reason"], dropna=False, sort=False)["slots"].sum().reset_index()
    whole = told.groupby(keys)["slots"].transform("sum") if by else told["slots"].sum()
    told["share"] = told["slots"] / whole
    rank = {each: place for place, each in enumerate(REASONS)}
    told["_"] = told["reason"].map(rank).fillna(len(rank))
    if by:
        told["group"] = pd.Categorical(told["group"], queries.in_order(told["group"]))
    told = told.sort_values([*keys, "_"], ignore_index=True).drop(columns="_")
    return told.astype({"group": object}) if by else told


def map(book: Book, quarter: str, accounts: Sequence[str] | None = None, family: bool = False) -> pd.DataFrame:
    """Tell the state of every product for every account of the base, or for listed ones.

    With ``family``, roll up to families (a product without one stands for itself).

    Returns
    -------
    One row per account and product, by account_id and catalogue order: account_id, product_id, family, state (one of
    :data:`kpilib.measures.offers.STATES`, or not possible), reason (one of :data:`REASONS` or missing). With
    ``family``, one row per account and family: possible, held, pipeline, lost offer, blocked, open (slots).

    Raises
    ------
    DataError
        Where a listed account is not in the base.
    """
    wanted = None if accounts is None else pd.DataFrame({"account_id": pd.Series(list(accounts), dtype="str")})
    frames = {} if wanted is None else {"wanted": wanted}
    picked = "" if wanted is None else "WHERE account_id IN (SELECT account_id FROM wanted)"
    found = queries.fetch(book, _ordered(book, quarter, picked, family), **frames)
    absent = [] if wanted is None else sorted({*wanted["account_id"]} - {*found["account_id"]})
    if absent:
        raise DataError(
            f"Account {absent[0]!r} is not counted in {quarter}.",
            f"The base is {book.base}; {len(absent)} of {len(wanted)} accounts asked for are not in it.",
            "Ask for accounts of the base, or for another base or quarter.",
        )
    return found


def export(book: Book, quarter: str, path: str | Path, family: bool = False) -> int:
    """Write the whole map as the engine reads it, to ``.parquet`` or ``.csv``; return its rows.

    Rows as :func:`map`. Nothing is held in memory but what the engine streams.
    """
    path = Path(path)
    if path.suffix not in FORMS:
        raise DataError(
            f"A map is not written to {path.suffix or 'a file without suffix'}.", "", "Use .parquet or .csv."
        )
    query = _ordered(book, quarter, "", family)
    with book.connect() as con:
        con.execute(f"COPY ({query}) TO {queries.literal(str(path))} ({FORMS[path.suffix]})")
        counted = con.execute("SELECT count(*) FROM " + queries.literal(str(path))).fetchone()
    return int(counted[0])


def _ordered(book: Book, quarter: str, picked: str, family: bool) -> str:
    cells = cells_of(book, queries.moment(book, quarter), picked=picked)
    if not family:
        return f"SELECT account_id, product_id, family, state, reason FROM ({cells}) ORDER BY account_id, place"
    states = ", ".join(f'{queries.count_if(f"state = {queries.literal(each)}")} AS "{each}"' for each in STATES)
    return f"""
        SELECT account_id, coalesce(family, product_id) AS family,
               {queries.count_if(f"state <> {queries.literal(NOT_POSSIBLE)}")} AS possible, {states}
        FROM ({cells}) GROUP BY account_id, coalesce(family, product_id) ORDER BY account_id, min(place)
    """


def _counted(book: Book, quarter: str, by: str | None) -> pd.DataFrame:
    group = '"group", ' if by else ""
    return queries.fetch(
        book,
        f"""
        SELECT {group} state, reason, count(*) AS slots
        FROM ({cells_of(book, queries.moment(book, quarter), by)})
        WHERE state <> {queries.literal(NOT_POSSIBLE)} GROUP BY ALL
        """,
        order=[*queries.group_of(by), "state"],
    )


def _accounts(book: Book, quarter: str, by: str | None, groups: pd.Index) -> list[int]:
    group = '"group", ' if by else ""
    base = queries.base(book, [queries.moment(book, quarter).index], by)
    found = queries.fetch(book, f"SELECT {group} count(*) AS n FROM ({base}) WHERE possible > 0 GROUP BY ALL")
    return found.set_index("group")["n"].reindex(groups).to_list() if by else found["n"].to_list()[: len(groups)]


def cells_of(book: Book, at: Moment, by: str | None = None, picked: str = "") -> str:
    """Write the query for every account of the base and every product: its state and the reason."""
    words = queries.words_of(book)
    earlier = ", ".join(f"bit_or(possible_{w} & proven_{w}) AS earlier_{w}" for w in words)
    known = ", ".join(f"coalesce(e.earlier_{w}, 0) AS earlier_{w}" for w in words)
    return f"""
        SELECT * EXCLUDE (dropped, unhappy, logged),
               CASE WHEN state IN ('held', {queries.literal(NOT_POSSIBLE)}) THEN NULL
                    WHEN state = 'pipeline' THEN 'offer running' WHEN state = 'blocked' THEN 'must not be sold'
                    WHEN state = 'lost offer' THEN 'offered and lost' WHEN dropped THEN 'dropped'
                    WHEN unhappy THEN 'unhappy customer'
                    WHEN {str(offers.recorded(book)).lower()} AND NOT logged THEN 'never offered' END AS reason
        FROM (SELECT c.account_id, c."group", p.product_id, p.family, p.place,
                     CASE WHEN NOT {queries.bit(book, "possible")} THEN {queries.literal(NOT_POSSIBLE)}
                          WHEN {queries.bit(book, "held")} THEN 'held' ELSE coalesce(m.state, 'open') END AS state,
                     {queries.bit(book, "earlier")} AS dropped, coalesce(u.unhappy, false) AS unhappy,
                     coalesce(m.logged, false) AS logged
              FROM (SELECT b.*, {known} FROM (SELECT * FROM ({queries.base(book, [at.index], by)}) {picked}) b
                    LEFT JOIN (SELECT account_id, {earlier} FROM positions WHERE quarter < {at.index} GROUP BY 1) e
                    USING (account_id)) c
              CROSS JOIN products p LEFT JOIN ({offers.marks(book, at)}) m USING (account_id, product_id)
              LEFT JOIN ({_unhappy(book, at)}) u USING (account_id))
    """


def _unhappy(book: Book, at: Moment) -> str:
    """Write the query for the accounts whose scores of the window lie below the middle of the scale."""
    if not book.has("feedback"):
        return "SELECT '' AS account_id, true AS unhappy WHERE false"
    low, high = book.engagement.feedback.scale
    return f"""
        SELECT account_id, true AS unhappy FROM feedback
        WHERE day BETWEEN DATE '{at.window_start}' AND DATE '{at.as_of}'
        GROUP BY account_id HAVING avg(score) < {(float(low) + float(high)) / 2}
    """
