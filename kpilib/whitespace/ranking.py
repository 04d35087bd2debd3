"""A quarter's open slots with their chances: fitted, tested, valued, and written out whole."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.whitespace import likeness, model, tried, windows, worth
from kpilib.whitespace.likeness import Array, Counts
from kpilib.whitespace.model import Model
from kpilib.whitespace.tried import BackTest
from kpilib.whitespace.windows import Cells
from kpilib.whitespace.worth import Typical

ONE_QUARTER = "one quarter only"
NOTHING_BOUGHT = "nothing bought"


@dataclass(frozen=True)
class Ranking:
    """A quarter's open slots, ready to be ranked.

    ``no_chance`` says why no chance is known (None where it is); ``new`` names the products that have none because
    they were launched since the quarters learned from. ``test`` is the back-test; money is told only where it found the
    chances calibrated, and where amounts are known: ``typical``.
    """

    quarter: str
    cells: Cells
    counts: Counts
    fitted: Model | None
    no_chance: str | None
    learned: tuple[tuple[str, str], ...]
    new: tuple[str, ...]
    test: BackTest | None
    typical: Typical | None

    def scores(self, rows: slice = slice(None)) -> tuple[Array, Array]:
        """Give the slots of a batch that may be sold (bool) and their chance, or what ranks them where it is unknown.

        Returns
        -------
        Two arrays, accounts by products. Without a model, the share of accounts holding the same products that hold
        this one, averaged over those products.
        """
        opened, held = self.cells.open(rows), self.cells.table("held", rows)
        if self.fitted is None:
            has = held.astype(np.float32)
            return opened, likeness.mean_confidence(has, has.sum(1, keepdims=True), self.counts)
        before = self.cells.table("before", rows) if "before" in self.cells.words else None
        return opened, model.chances(self.fitted, held, before, self.counts)


def prepare(book: Book, quarter: str) -> Ranking:
    """Fit the model on the client's own earlier quarters, test it on the last of them, and read what is open."""
    label = queries.moment(book, quarter).label
    pairs, depth = windows.learned_from(book, label)
    fitted = model.fit([windows.window(book, *pair, depth) for pair in pairs]) if pairs else None
    test = tried.backtest(book, label) if fitted else None
    cells = windows.read(book, label, depth)
    known = fitted.known if fitted else np.ones(len(cells.places), bool)
    names = book.products.sort_values("place")["product_id"].to_numpy(object)
    new = names[~known & _possible(cells)]
    why = None if fitted else NOTHING_BOUGHT if pairs else ONE_QUARTER
    typical = worth.typical(book, label, cells.accounts) if test and test.calibrated else None
    return Ranking(label, cells, cells.counts(), fitted, why, tuple(pairs), tuple(new), test, typical)


def value(book: Book, quarter: str, by: str | None = None, ranking: Ranking | None = None) -> pd.DataFrame | None:
    """Expected revenue of the next quarter from unheld slots that are not blocked (KPI ``whitespace_value``).

    Returns
    -------
    One row per product in catalogue order, or per group with ``by``: slots (with a chance and a typical amount),
    unknown (slots without), expected (number filled), value (Decimal). None where chances are not calibrated or no
    amounts are known.
    """
    ranking = ranking or prepare(book, quarter)
    if ranking.typical is None:
        return None
    cells, typical = ranking.cells, ranking.typical
    groups, codes = _groups(book, ranking, by)
    shape = (len(groups), len(cells.places), worth.SIZES + 1)
    sums = {name: np.zeros(shape) for name in ("slots", "expected", "open")}
    for rows in cells.batches():
        opened, chance = ranking.scores(rows)
        for name, amount in (("open", opened), ("slots", opened & np.isfinite(chance)), ("expected", chance)):
            _add(sums[name], np.where(opened, np.nan_to_num(amount), 0), codes[rows], typical.size[rows])
    return _valued(book, groups, sums, typical, by)


def write(book: Book, quarter: str, path: str | Path, ranking: Ranking | None = None) -> int:
    """Write every open slot with its chance to Parquet, batch by batch; return the rows.

    Columns: account_id, product_id (dictionaries), chance (float32; null where unknown, see :class:`Ranking`) and score
    (what ranks them). Blocked slots are not in it. Memory stays that of one batch.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ranking = ranking or prepare(book, quarter)
    products = pa.array(book.products.sort_values("place")["product_id"].astype(str))
    kinds = [
        ("account_id", pa.dictionary(pa.int32(), pa.string())),
        ("product_id", pa.dictionary(pa.int32(), pa.string())),
    ]
    schema = pa.schema([*kinds, ("chance", pa.float32()), ("score", pa.float32())])
    written = 0
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["account_id", "product_id"]) as file:
        for rows in ranking.cells.batches():
            opened, score = ranking.scores(rows)
            row, place = np.nonzero(opened)
            told = pa.array(score[row, place], mask=~np.isfinite(score[row, place]))
            chance = told if ranking.fitted else pa.nulls(len(row), pa.float32())
            ids = pa.array(ranking.cells.accounts[rows], pa.string())
            columns = [
                pa.DictionaryArray.from_arrays(row.astype(np.int32), ids),
                pa.DictionaryArray.from_arrays(place.astype(np.int32), products),
                chance,
                told,
            ]
            file.write_table(pa.table(columns, schema=schema))
            written += len(row)
    return written


def _possible(cells: Cells) -> Array:
    found = np.zeros(len(cells.places), bool)
    for rows in cells.batches():
        found |= cells.table("possible", rows).any(0)
    return found


def _groups(book: Book, ranking: Ranking, by: str | None) -> tuple[list[str], Array]:
    if by is None:
        return [""], np.zeros(len(ranking.cells), int)
    at = queries.moment(book, ranking.quarter)
    found = queries.fetch(book, f'SELECT account_id, "group" FROM ({queries.base(book, [at.index], by)})')
    told = found.set_index("account_id")["group"].reindex(ranking.cells.accounts)
    names = queries.in_order(told)
    return names, pd.Categorical(told, names).codes.astype(int)


def _add(total: Array, amount: Array, group: Array, size: Array) -> None:
    """Add up accounts by group and size: a product of matrices, one-hot by amounts."""
    for g in np.unique(group):
        for s in np.unique(size[group == g]):
            total[g, :, s] += amount[(group == g) & (size == s)].sum(0, dtype=np.float64)


def _valued(book: Book, groups: list[str], sums: dict[str, Array], typical: Typical, by: str | None) -> pd.DataFrame:
    priced = typical.amounts != np.array(None)
    amounts = np.where(priced, typical.amounts, Decimal(0))
    expected = sums["expected"] * priced
    slots, opened = (sums["slots"] * priced).round(), sums["open"]
    exact = np.vectorize(lambda share: Decimal(repr(round(float(share), 6))), otypes=[object])(expected)
    money = exact * amounts
    axes = (1, 2) if by else (0, 2)
    first = {"group": groups} if by else dict(book.products.sort_values("place")[["product_id", "family"]])
    told = pd.DataFrame({key: list(column) for key, column in first.items()})
    told["slots"] = slots.sum(axis=axes).astype(int)
    told["unknown"] = (opened.sum(axis=axes) - told["slots"]).astype(int)
    told["expected"] = expected.sum(axis=axes)
    told["value"] = [Decimal(each).quantize(Decimal("0.01")) for each in money.sum(axis=axes)]
    return told
