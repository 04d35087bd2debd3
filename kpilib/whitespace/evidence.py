"""Why a slot is on the list: what accounts with the same products have, and when this one had it before.

For the rows shown alone; each asks the engine for a few dozen counts of accounts.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.whitespace.ranking import Ranking

FEWEST = 30  # accounts that hold what a rule names
LIFT = 1.2  # of the share of all, that a rule must reach to be called a reason
CANDIDATES = 6  # held products that are tried in pairs: those that speak for it most by themselves
PAIRED = 60  # rows whose reasons may be pairs; the others have single products

NO_RULE = {"like_a": None, "like_b": None, "having": None, "hold": None, "share": None}


def explained(book: Book, ranking: Ranking, picked: pd.DataFrame) -> pd.DataFrame:
    """Name the picked slots, and give the reason of each."""
    names = book.products.sort_values("place")
    ids, family = names["product_id"].to_numpy(object), names["family"].to_numpy(object)
    told = pd.DataFrame(
        {
            "account_id": ranking.cells.accounts[picked["row"]],
            "product_id": ids[picked["place"]],
            "family": family[picked["place"]],
            "state": picked["state"].to_numpy(object),
            "score": picked["score"].to_numpy(float),
            "share_all": ranking.counts.share[picked["place"]],
        }
    )
    told["chance"] = told["score"] if ranking.fitted else np.nan
    told = told.join(_money(ranking, picked)).join(_rules(book, ranking, picked, ids))
    if told.empty:
        return told.assign(name=None, owner=None, last_held=None)
    return _last_held(book, ranking, queries.with_names(book, told))


def _money(ranking: Ranking, picked: pd.DataFrame) -> pd.DataFrame:
    typical = ranking.typical
    rows = []
    for row, place, score in picked[["row", "place", "score"]].itertuples(index=False):
        amount = None if typical is None else typical.of(row, place)
        alike = None if amount is None else int(typical.holders[place, typical.size[row]])
        worth = None if amount is None else (Decimal(repr(round(score, 6))) * amount).quantize(Decimal("0.01"))
        rows.append((worth, amount, alike))
    return pd.DataFrame(rows, columns=["value", "typical", "alike"], dtype=object)


def _rules(book: Book, ranking: Ranking, picked: pd.DataFrame, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Find for every slot the product held, or the pair of them, whose holders hold it most."""
    counts = ranking.counts
    shown = [_single(ranking, row, place) for row, place in picked[["row", "place"]].itertuples(index=False)]
    wanted = {
        (pair, place)
        for (found, near), place in list(zip(shown, picked["place"], strict=True))[:PAIRED]
        for pair in combinations(sorted(near), 2)
    }
    pairs = _pairs(book, ranking.quarter, sorted(wanted))
    rows = []
    for number, ((best, near), place) in enumerate(zip(shown, picked["place"], strict=True)):
        rules = [] if best is None else [best]
        if number < PAIRED:
            rules += [((a, b), *pairs[(a, b), place]) for a, b in combinations(sorted(near), 2)]
        rules = [each for each in rules if each[1] >= FEWEST and each[2] / each[1] >= LIFT * counts.share[place]]
        if not rules:
            rows.append(NO_RULE)
            continue
        products, having, hold = max(rules, key=lambda rule: ((rule[2] + 1) / (rule[1] + 10), -len(rule[0])))
        second = ids[products[1]] if len(products) > 1 else None
        rows.append({"like_a": ids[products[0]], "like_b": second, "having": int(having), "hold": int(hold),
                     "share": hold / having})  # fmt: skip
    return pd.DataFrame(rows, columns=list(NO_RULE)).astype({"share": float})


def _single(ranking: Ranking, row: int, place: int) -> tuple[tuple[Any, ...] | None, list[int]]:
    """Give the best rule of one product held, and the products held that speak most for it."""
    counts = ranking.counts
    held = np.flatnonzero(ranking.cells.table("held", slice(row, row + 1))[0])
    held = held[(held != place) & (counts.could[held, place] >= FEWEST)]
    if not len(held):
        return None, []
    share = counts.both[held, place] / counts.could[held, place]
    near = held[np.argsort(-share, kind="stable")[:CANDIDATES]]
    best = int(near[0])
    return ((best,), counts.could[best, place], counts.both[best, place]), [int(each) for each in near]


def _pairs(book: Book, quarter: str, wanted: list[Any]) -> dict[Any, tuple[int, int]]:
    """Count accounts that hold two products and could hold, or do hold, a third."""
    if not wanted:
        return {}
    catalogue = book.products.set_index("place")
    tests = []
    for (a, b), c in wanted:
        both = f"{_has(catalogue, a, 'held')} AND {_has(catalogue, b, 'held')}"
        tests += [f"{both} AND {_has(catalogue, c, name)}" for name in ("possible", "held")]
    columns = ", ".join(queries.count_if(test) for test in tests)
    base = queries.base(book, [queries.moment(book, quarter).index])
    found = queries.fetch(book, f"SELECT [{columns}] AS counted FROM ({base})")["counted"].iloc[0]
    return {key: (int(found[2 * n]), int(found[2 * n + 1])) for n, key in enumerate(wanted)}


def _has(catalogue: pd.DataFrame, place: int, name: str) -> str:
    row = catalogue.loc[place]
    return f"({name}_{int(row['word'])} & {int(row['bit'])} <> 0)"


def _last_held(book: Book, ranking: Ranking, told: pd.DataFrame) -> pd.DataFrame:
    """Add the last quarter before at whose end the account had the product; missing where it never had."""
    at = queries.moment(book, ranking.quarter)
    asked = told[["account_id", "product_id"]].assign(row=range(len(told)))
    found = queries.fetch(
        book,
        f"""
        SELECT asked.row, arg_max(q.label, c.quarter) AS last_held
        FROM asked JOIN products p USING (product_id) JOIN ({queries.positions(book)}) c USING (account_id)
        JOIN quarters q ON q.quarter = c.quarter
        WHERE c.quarter < {at.index} AND {queries.bit(book, "held")} GROUP BY asked.row
        """,
        asked=asked,
    )
    told["last_held"] = found.set_index("row")["last_held"].reindex(range(len(told))).to_numpy(object)
    return told
