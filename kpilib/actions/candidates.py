"""From what is open to whom to call: whitespace's ranked slots as candidates, and the grounds of those chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib import whitespace
from kpilib.actions.chosen import USUAL, Limits
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import queries
from kpilib.whitespace import Ranking, evidence

HAD_IT, LOST_OFFER, ALIKE, WIDELY = "had it before", "offer was lost", "like customers have it", "widely held"


def candidates(book: Book, ranking: Ranking, each: int | None = None) -> pd.DataFrame:
    """List the slots that may be sold, best first: open, possible, not blocked, no offer running.

    Parameters
    ----------
    ranking
        As :func:`kpilib.whitespace.prepare` gives it.
    each
        Of every account its likeliest products alone, as the ranked lists do; None is every slot, those of products
        launched since the quarters learned from included (without a chance).

    Returns
    -------
    account_id, product_id, name, owner (missing where the client names none), state (open or lost offer), chance (0 to
    1, that it is filled within the next quarter; missing unless chances came true when they were tried), value (float,
    chance x typical revenue of a quarter; to rank by, see :func:`grounds` for the exact amount), score (what ranks
    where chance or value are missing), row and place (in ``ranking``).
    """
    found = whitespace.open_slots(book, ranking, each)
    names = book.products.sort_values("place")["product_id"].to_numpy(object)
    told = pd.DataFrame(
        {
            "account_id": ranking.cells.accounts[found["row"]].astype(object),
            "product_id": names[found["place"]],
            "state": found["state"].to_numpy(object),
            "chance": found["score"].to_numpy(float) if tried(ranking) else np.nan,
            "value": found["worth"].to_numpy(float),
            **{name: found[name].to_numpy() for name in ("score", "row", "place")},
        }
    )
    return queries.with_names(book, told) if len(told) else told.assign(name=None, owner=None)


def likeliest(book: Book, ranking: Ranking, limits: Limits = USUAL) -> pd.DataFrame:
    """List what a call list is chosen from: every account's likeliest products, as the ranked lists have them.

    Where calls per product are limited, all its slots, so that the next product is taken where the first is full.
    Products launched since the quarters learned from are not called about.
    """
    found = candidates(book, ranking, limits.per_account if limits.per_product is None else None)
    return found[found["score"].notna()].reset_index(drop=True)


def tried(ranking: Ranking) -> bool:
    """Whether the chances may be taken at their word: tried on the quarter before, and true on average."""
    return ranking.fitted is not None and ranking.test is not None and ranking.test.calibrated


def grounds(book: Book, ranking: Ranking, rows: pd.DataFrame) -> pd.DataFrame:
    """Add what speaks for the rows of a list, which are few: each asks the engine for counts of accounts.

    Returns
    -------
    The rows with ``value`` exact (Decimal), ``ground`` (in one of four words), and like_a, like_b, having, hold, share,
    share_all, last_held as :func:`kpilib.whitespace.ranked` has them.
    """
    known = evidence.explained(book, ranking, rows[["row", "place", "score", "state"]].reset_index(drop=True))
    told = rows.drop(columns="value").reset_index(drop=True)
    columns = ["value", "like_a", "like_b", "having", "hold", "share", "share_all", "last_held"]
    told = pd.concat([told, known[columns]], axis=1)
    tests = [told["last_held"].notna(), told["state"] == "lost offer", told["like_a"].notna()]
    return told.assign(ground=np.select(tests, [HAD_IT, LOST_OFFER, ALIKE], WIDELY).astype(object))


def required(book: Book, quarter: str, found: pd.DataFrame) -> None:
    """Refuse to make a list of nothing, and say why there is nothing.

    Raises
    ------
    DataError
        The quarter is not complete, nobody could buy anything, everyone has all, or what is open is blocked, offered
        already or new.
    """
    at = queries.moment(book, quarter)
    book.require_snapshot(at.label)
    if not at.complete:
        raise DataError(
            f"{at.label} is not complete: a list would name what was bought since.", "", "Choose an earlier quarter."
        )
    if len(found):
        return
    counted = whitespace.slots(book, quarter)
    so = f"There is nothing to recommend as of {at.label}."
    if counted.empty:
        raise DataError(so, "No customer could buy any product.", "Check eligibility and launch dates (kpi trace).")
    one = counted.iloc[0]
    if not one["whitespace"]:
        raise DataError(so, "Every customer has all it could buy.", "Widen the catalogue or the eligibility.")
    states = {"pipeline": "offered already", "blocked": "must not be sold", "open": "launched too lately to be ranked"}
    told = ", ".join(f"{one[key]:,} {words}" for key, words in states.items() if one[key])
    raise DataError(so, f"Of {one['whitespace']:,} unheld products: {told}.", "Ask again next quarter.")
