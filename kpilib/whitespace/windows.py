"""Accounts by products as arrays: what is held, possible and blocked at a quarter, and what was bought in the next.

Words are read once and unpacked in batches: a million accounts by forty products are 8 megabytes a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import offers, queries
from kpilib.whitespace import likeness
from kpilib.whitespace.likeness import Array, Counts
from kpilib.whitespace.model import FOLDS, Window

MOST_CELLS = 800_000  # accounts x products of a window learned from; more would teach nothing and cost time
MOST_WINDOWS = 4
BATCH = 50_000


@dataclass(frozen=True)
class Cells:
    """Accounts of the base at a quarter: one row of words each, by account_id.

    ``words`` names held, possible, before (held in the quarters before) and, where a next quarter was asked for,
    held_next and possible_next. ``blocked`` is rows and places of slots that must not be sold; ``places`` where each
    product's bit lies.
    """

    quarter: str
    accounts: Array
    fold: Array
    there_next: Array
    words: dict[str, Array]
    blocked: tuple[Array, Array]
    places: Array

    def __len__(self) -> int:
        return len(self.accounts)

    def table(self, name: str, rows: slice = slice(None)) -> Array:
        """Unpack a word: bool, accounts by products."""
        packed = np.ascontiguousarray(self.words[name][rows])
        return np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")[:, self.places].view(bool)

    def open(self, rows: slice = slice(None)) -> Array:
        """Tell the slots that could be filled: possible, not held, not blocked."""
        found = self.table("possible", rows) & ~self.table("held", rows)
        first, last, _ = rows.indices(len(self))
        row, place = self.blocked
        here = (row >= first) & (row < last)
        found[row[here] - first, place[here]] = False
        return found

    def batches(self) -> Iterator[slice]:
        """Cut the accounts into batches."""
        return (slice(first, min(first + BATCH, len(self))) for first in range(0, len(self), BATCH))

    def counts(self) -> Counts:
        """Count accounts by product and by pair of products."""
        total = None
        for rows in self.batches():
            part = likeness.counted(self.table("held", rows), self.table("possible", rows))
            total = part if total is None else total.plus(part)
        return total or likeness.counted(np.zeros((0, len(self.places)), bool), np.zeros((0, len(self.places)), bool))


def learned_from(book: Book, quarter: str) -> tuple[list[tuple[str, str]], int]:
    """Choose the pairs of quarters to learn from, and how many quarters each may look back before itself.

    Of the complete quarters in a row up to this one, half the steps (four at most) are learned from; the rest is what
    all of them can look back on alike.

    Returns
    -------
    Pairs of labels, oldest first; none where fewer than two quarters in a row are complete.
    """
    labels = _in_a_row(book, quarter)
    steps = max(len(labels) - 1, 0)
    taken = min(MOST_WINDOWS, ceil(steps / 2))
    depth = min(4, steps - taken)
    pairs = list(pairwise(labels))
    return pairs[steps - taken :], depth


def last_before(book: Book, quarter: str) -> str | None:
    """Name the quarter before, where both are complete."""
    labels = _in_a_row(book, quarter)
    return labels[-2] if len(labels) > 1 else None


def read(book: Book, quarter: str, depth: int = 0, following: str | None = None, sample: bool = False) -> Cells:
    """Read the accounts of the base at a quarter; with ``sample``, a fixed part of very many."""
    at, words = queries.moment(book, quarter), queries.words_of(book)
    names = ["held", "possible", *(["before"] if depth else []), *(["held_next", "possible_next"] if following else [])]
    listed = ", ".join(f"coalesce({name}_{w}, 0) AS {name}_{w}" for name in names for w in words)
    joins, columns = "", ""
    if depth:
        joins += f" LEFT JOIN ({_before(book, at.index, depth)}) b USING (account_id)"
    if following:
        joins += f" LEFT JOIN ({_next(book, following)}) n USING (account_id)"
        columns = ", n.account_id IS NOT NULL AS there_next"
    every = _every(book, at.index) if sample else 1
    found = queries.fetch(
        book,
        f"""
        SELECT account_id, (hash(account_id) % {FOLDS})::TINYINT AS fold, {listed} {columns}
        FROM ({queries.base(book, [at.index])}) c {joins}
        WHERE (hash(account_id) // {FOLDS}) % {every} = 0 ORDER BY account_id
        """,
    )
    accounts = found["account_id"].to_numpy(object)
    packed = {name: np.stack([found[f"{name}_{w}"].to_numpy(np.int64) for w in words], 1) for name in names}
    there = found["there_next"].to_numpy(bool) if following else np.zeros(len(found), bool)
    catalogue = book.products.sort_values("place")
    places = (catalogue["word"] * 64 + catalogue["place"] % 63).to_numpy(int)
    blocked = _blocked(book, quarter, accounts)
    return Cells(at.label, accounts, found["fold"].to_numpy(int), there, packed, blocked, places)


def window(book: Book, quarter: str, following: str, depth: int) -> Window:
    """Read what was open at a quarter and what of it was filled in the next, of accounts of the base.

    Accounts that were lost meanwhile bought nothing. What could no longer be bought is not counted as open.
    """
    cells = read(book, quarter, depth, following, sample=True)
    held, opened = cells.table("held"), cells.open()
    possible_next = cells.table("possible_next")
    on_sale = possible_next.any(0)
    opened &= np.where(cells.there_next[:, None], possible_next, on_sale)
    bought = opened & possible_next & cells.table("held_next")
    before = cells.table("before") if depth else None
    return Window(held, cells.table("possible"), opened, bought, before, cells.fold)


def _in_a_row(book: Book, quarter: str) -> list[str]:
    """List the complete quarters, without a gap, that end with this one; none where it is not complete itself."""
    index = queries.moment(book, quarter).index
    complete = book.quarters[book.quarters["complete"].astype(bool)].set_index("quarter")["label"]
    labels: list[str] = []
    while index in complete.index:
        labels, index = [complete[index], *labels], index - 1
    return labels


def _before(book: Book, index: int, depth: int) -> str:
    parts = ", ".join(f"bit_or(possible_{w} & proven_{w}) AS before_{w}" for w in queries.words_of(book))
    return f"SELECT account_id, {parts} FROM positions WHERE quarter BETWEEN {index - depth} AND {index - 1} GROUP BY 1"


def _next(book: Book, following: str) -> str:
    words = queries.words_of(book)
    parts = ", ".join(f"possible_{w} & proven_{w} AS held_next_{w}, possible_{w} AS possible_next_{w}" for w in words)
    return f"SELECT account_id, {parts} FROM positions WHERE quarter = {queries.moment(book, following).index}"


def _every(book: Book, index: int) -> int:
    counted = queries.fetch(book, f"SELECT count(*) AS n FROM ({queries.base(book, [index])})")["n"].iloc[0]
    return max(1, ceil(int(counted) * len(book.products) / MOST_CELLS))


def _blocked(book: Book, quarter: str, accounts: Array) -> tuple[Array, Array]:
    found = pd.DataFrame(sorted(offers.barred(book, quarter)), columns=["account_id", "product_id"], dtype=object)
    rows = pd.Index(accounts).get_indexer(found["account_id"])
    place = book.products.set_index("product_id")["place"]
    places = found["product_id"].map(place).fillna(-1).to_numpy(int)
    known = (rows >= 0) & (places >= 0)
    return rows[known], places[known]
