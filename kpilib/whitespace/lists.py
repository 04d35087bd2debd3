"""Which open slots to fill first: the next product of every account, the best accounts of every product."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError, listed
from kpilib.measures import offers, queries
from kpilib.whitespace import evidence, states
from kpilib.whitespace.likeness import Array
from kpilib.whitespace.ranking import Ranking, prepare

CALLED = ("open", "lost offer")
SPARE = 3  # a few more than asked for: a running offer may take some away
COLUMNS = ("account_id", "name", "owner", "product_id", "family", "state", "chance", "score", "value", "typical",
           "alike", "like_a", "like_b", "having", "hold", "share", "share_all", "last_held")  # fmt: skip


def ranked(
    book: Book,
    quarter: str,
    per: str = "account",
    each: int = 1,
    most: int | None = 100,
    ranking: Ranking | None = None,
) -> pd.DataFrame:
    """Rank open slots: the next best products per account, or the best accounts per product.

    Slots with a running offer are left to those who made it; held, not possible and blocked ones, and products
    launched since the quarters learned from, are never listed. Within an account or a product the order is by chance
    (never by lift); the rows of the list by value, or by chance where no value is known.

    Parameters
    ----------
    per
        ``account``: the ``each`` likeliest products of every account, the ``most`` best rows of all. ``product``: the
        ``each`` best accounts of every product.
    ranking
        As :func:`prepare` gives it, to save its work.

    Returns
    -------
    account_id, name, owner (blanks as not given; both missing where the client names none), product_id, family, state
    (open or lost offer), chance (0 to 1; missing where unknown), score (what ranks where chance is unknown), value
    (Decimal: chance x typical), typical (Decimal, a quarter), alike (accounts the median rests on), like_a, like_b
    (products held that speak for this one; missing where none does), having (accounts with these that could hold it),
    hold (of them, hold it), share (hold / having), share_all (of all that could hold it), last_held (quarter).
    """
    if per not in ("account", "product"):
        raise DataError(f"Rankings are per account or per product, not {per!r}.", "", "Ask for one of these.")
    ranking = ranking or prepare(book, quarter)
    picked = _best_products(ranking, each, most) if per == "account" else _best_accounts(ranking, each)
    picked = _without_offers(book, ranking, picked, per, each, most)
    return evidence.explained(book, ranking, picked)[list(COLUMNS)]


def of(book: Book, quarter: str, product: str, each: int = 20, ranking: Ranking | None = None) -> pd.DataFrame:
    """List the best accounts of one product; columns as :func:`ranked`.

    Raises
    ------
    DataError
        It is not in the catalogue, nobody may buy it, or it was launched since the quarters learned from.
    """
    ranking = ranking or prepare(book, quarter)
    known = [*book.products["product_id"]]
    if product not in known:
        raise DataError(f"{product!r} is not in the catalogue.", f"It has {listed(known, most=30)}.")
    if product in ranking.new:
        raise DataError(
            f"{product!r} was launched since the quarters that chances are learned from.",
            f"They are {listed([f'{a} to {b}' for a, b in ranking.learned])}.",
            "Ask again when a quarter with it is complete; its open slots are on the map.",
        )
    found = ranked(book, quarter, "product", each, None, ranking)
    return found[found["product_id"] == product].reset_index(drop=True)


def open_slots(book: Book, ranking: Ranking, each: int | None = None) -> pd.DataFrame:
    """Find every slot that may be sold and is not offered already, or the ``each`` likeliest of every account.

    Products launched since the quarters learned from are among all slots (without a score), and never among the
    likeliest.

    Returns
    -------
    row and place (in ``ranking``'s arrays), score, state (open or lost offer), worth (score x typical revenue, missing
    where unknown); those of most worth first.
    """
    if each is not None:
        return _without_offers(book, ranking, _best_products(ranking, each, None), "account", each, None)
    parts = []
    for rows in ranking.cells.batches():
        opened, score = ranking.scores(rows)
        row, place = np.nonzero(opened)
        parts.append(pd.DataFrame({"row": row + rows.start, "place": place, "score": score[row, place]}))
    found = _worth(ranking, pd.concat(parts, ignore_index=True)) if parts else _nothing()
    return _without_offers(book, ranking, found, "account", max(len(ranking.cells.places), 1), None)


def _best_products(ranking: Ranking, each: int, most: int | None) -> pd.DataFrame:
    """Pick the likeliest products of every account; of all rows only those that could make the list."""
    parts = []
    for rows in ranking.cells.batches():
        opened, score = ranking.scores(rows)
        score = np.where(opened, score, np.nan)
        parts.append(_top(score, min(each + SPARE, score.shape[1]), rows.start))
    return _worth(ranking, pd.concat(parts, ignore_index=True)) if parts else _nothing()


def _best_accounts(ranking: Ranking, each: int) -> pd.DataFrame:
    parts = []
    for rows in ranking.cells.batches():
        opened, score = ranking.scores(rows)
        score = np.where(opened, score, np.nan).T
        found = _top(score, min(each + 50, score.shape[1]), 0).rename(columns={"row": "place", "place": "row"})
        parts.append(found.assign(row=found["row"] + rows.start))
    return _worth(ranking, pd.concat(parts, ignore_index=True)) if parts else _nothing()


def _top(score: Array, each: int, start: int) -> pd.DataFrame:
    """List the highest of each row, the highest first; ties as the columns stand."""
    order = np.argsort(-np.nan_to_num(score, nan=-1.0), axis=1, kind="stable")[:, :each]
    row = np.repeat(np.arange(len(score)), order.shape[1])
    found = pd.DataFrame({"row": row + start, "place": order.ravel(), "score": score[row, order.ravel()]})
    return found.dropna(subset=["score"])


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"row": [], "place": [], "score": [], "worth": []}).astype({"row": int, "place": int})


def _worth(ranking: Ranking, found: pd.DataFrame) -> pd.DataFrame:
    amounts = np.full(len(found), np.nan)
    if ranking.typical is not None and len(found):
        known = np.array([[np.nan if a is None else float(a) for a in row] for row in ranking.typical.amounts])
        amounts = known[found["place"], ranking.typical.size[found["row"]]]
    return found.assign(worth=found["score"].to_numpy(float) * amounts)


def _without_offers(
    book: Book, ranking: Ranking, found: pd.DataFrame, per: str, each: int, most: int | None
) -> pd.DataFrame:
    """Leave out running offers, keep the best of each account or product, and put the rows in order."""
    running = _marked(book, ranking)
    found = found.merge(running, on=["row", "place"], how="left")
    found["state"] = found["state"].fillna("open")
    found = found[found["state"].isin(CALLED)]
    key = "row" if per == "account" else "place"
    found = found.sort_values(["score", "row", "place"], ascending=[False, True, True])
    found = found[found.groupby(key).cumcount() < each]
    if per == "product":
        return found.sort_values(["place", "score", "row"], ascending=[True, False, True], ignore_index=True)
    order = ["worth", "score", "row", "place"]
    found = found.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)
    return found if most is None else found.head(most)


def _marked(book: Book, ranking: Ranking) -> pd.DataFrame:
    at = queries.moment(book, ranking.quarter)
    told = queries.fetch(
        book, f"SELECT account_id, product_id, state FROM ({offers.marks(book, at)}) WHERE state <> 'open'"
    )
    place = book.products.set_index("product_id")["place"]
    rows = pd.Index(ranking.cells.accounts).get_indexer(told["account_id"])
    told = told.assign(row=rows, place=told["product_id"].map(place))
    told = told[(told["row"] >= 0) & told["place"].notna()]
    return told.astype({"row": int, "place": int})[["row", "place", "state"]]


def picture(
    book: Book, quarter: str, ranking: Ranking | None = None, accounts: int = 40, products: int = 12
) -> pd.DataFrame:
    """Take from the map what a page can show: the accounts and products with most to gain.

    By expected revenue of the next quarter where it is known, else by number expected, else by likeness.

    Returns
    -------
    One row per account and product, most to gain first, products by the share that holds them: account_id, name, owner,
    product_id, share (of those that could hold it, 0 to 1), state, amount (what it is ranked by; missing unless the
    state may be filled), total (of the account, over all products), counted (accounts with anything to gain).
    """
    ranking = ranking or prepare(book, quarter)
    parts = [_gains(ranking, rows) for rows in ranking.cells.batches()]
    gains = np.concatenate(parts) if parts else np.zeros((0, len(ranking.cells.places)))
    totals = gains.sum(1)
    rows = np.argsort(-totals, kind="stable")[:accounts]
    rows = rows[totals[rows] > 0]
    places = np.argsort(-gains.sum(0), kind="stable")[:products]
    places = places[np.argsort(-ranking.counts.share[places], kind="stable")]
    names = book.products.sort_values("place")["product_id"].to_numpy(object)
    told = pd.DataFrame({"row": np.repeat(rows, len(places)), "place": np.tile(places, len(rows))})
    told = told.assign(account_id=ranking.cells.accounts[told["row"]], product_id=names[told["place"]])
    told["share"], told["total"] = ranking.counts.share[told["place"]], totals[told["row"]]
    told["amount"] = gains[told["row"], told["place"]]
    told["counted"] = int((totals > 0).sum())
    return _with_states(book, ranking, told)


def _gains(ranking: Ranking, rows: slice) -> Array:
    opened, score = ranking.scores(rows)
    gain = np.where(opened, np.nan_to_num(score), 0.0)
    if ranking.typical is not None:
        known = np.array([[0.0 if a is None else float(a) for a in row] for row in ranking.typical.amounts])
        gain *= known.T[ranking.typical.size[rows]]
    return gain


def _with_states(book: Book, ranking: Ranking, told: pd.DataFrame) -> pd.DataFrame:
    if told.empty:
        return told.assign(name=None, owner=None, state=None).drop(columns=["row", "place"])
    found = states.map(book, ranking.quarter, list(dict.fromkeys(told["account_id"])))
    told = told.merge(found[["account_id", "product_id", "state"]], on=["account_id", "product_id"], how="left")
    told["amount"] = told["amount"].where(told["state"].isin(["open", "lost offer", "pipeline"]) & (told["amount"] > 0))
    return queries.with_names(book, told).drop(columns=["row", "place"])
