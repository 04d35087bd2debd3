"""Account penetration: every result table a notebook asks for, by one name.

Shares are from 0 to 1 and differences of shares likewise; undefined is missing, never zero. A
quarter is named by its label (``2017Q4``), and compared only with complete quarters.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.measures import change as changes
from kpilib.measures import counts, degree, queries, uncertainty
from kpilib.measures.attach import by_product, cross_sell, given, lapsing
from kpilib.measures.bands import counted as bands
from kpilib.measures.bands import who
from kpilib.measures.change import Change, last_year, previous
from kpilib.measures.change import between as change
from kpilib.measures.degree import products_on_sale
from kpilib.measures.headline import Headline, headline
from kpilib.measures.offers import account, index, states

__all__ = [
    "Change",
    "Headline",
    "account",
    "bands",
    "by_product",
    "by_quarter",
    "by_segment",
    "change",
    "cross_sell",
    "curve",
    "distribution",
    "given",
    "headline",
    "index",
    "lapsing",
    "last_year",
    "previous",
    "products_on_sale",
    "products_per_account",
    "states",
    "who",
]

_QUARTER_COLUMNS = {
    **{"quarter": "object", "as_of": "object", "complete": "bool", "no_snapshot": "bool"},
    **dict.fromkeys(("accounts", "nothing_possible", "n"), "int64"),
    **dict.fromkeys(("mean", "pooled", "median", "multi", "products_per_account", "change"), "float64"),
    **{"joined": "Int64", "lost": "Int64"},
    **{"revenue_quarter": "object", "revenue_window": "object", "plan": "float64"},
}
_CURVE_COLUMNS = {
    **{"k": "int64", "share": "float64", "accounts": "int64", "n": "int64"},
    **{"share_before": "float64", "accounts_before": "Int64", "n_before": "Int64"},
}
_SEGMENT_COLUMNS = {
    **{"group": "object", "accounts": "int64", "n": "int64"},
    **dict.fromkeys(("mean", "pooled", "mean_before", "change", "low", "high"), "float64"),
    **{"n_both": "Int64", "contribution": "float64", "suppressed": "bool", "target": "float64"},
}


def by_quarter(book: Book, until: str | None = None) -> pd.DataFrame:
    """Follow the degree over every quarter the data touch, up to one of them.

    Incomplete quarters have their row and are compared with nothing: leave them out of a trend.

    Returns
    -------
    One row per quarter, oldest first: quarter (label), as_of (date), complete (bool), no_snapshot
    (bool: snapshots are evidence and there is none of that day, so what was had is missing), accounts (the
    base), nothing_possible, n (accounts with a degree), mean, pooled, median (of n, 0 to 1), multi
    (share of the base with two or more products), products_per_account, change (of mean against the
    quarter before), joined and lost (accounts, against the quarter before), revenue_quarter and
    revenue_window (Decimal), plan (target share). Change, joined and lost are missing unless both
    quarters are complete.
    """
    pairs = counts.pairs(book)
    turnover = counts.turnover(book).set_index("quarter")
    rows: list[dict[str, Any]] = []
    last = queries.moment(book, until or book.quarters["label"].iloc[-1]).index
    for each in book.quarters[book.quarters["quarter"] <= last].sort_values("quarter").itertuples():
        row = _quarter(book, each.label, pairs[pairs["quarter"] == each.label])
        before = rows[-1] if rows else None
        rows.append(row | _against_last(row, before, turnover.loc[each.label]))
    return degree.table(rows, _QUARTER_COLUMNS)


def curve(book: Book, quarter: str, against: str | None = None) -> pd.DataFrame:
    """Share of the base that holds at least k products, for every k.

    All accounts of the base are counted, those with nothing possible as well.

    Returns
    -------
    One row per k, from 1 to the most any account holds (2 at least): k, share (0 to 1), accounts
    (with k or more), n (the base), and share_before, accounts_before, n_before (missing without
    ``against``).
    """
    now, before = _base(book, quarter), None
    if against is not None:
        before = _base(book, changes.comparable(book, quarter, against)[0].label)
    last = max(2, *(degree.most_held(each) for each in (now, before) if each is not None))
    rows = [{"k": k} | _reached(now, k) | _reached(before, k, "_before") for k in range(1, last + 1)]
    return degree.table(rows, _CURVE_COLUMNS)


def distribution(book: Book, quarter: str) -> pd.DataFrame:
    """Count the accounts of the base that hold exactly so many products.

    Returns
    -------
    One row per number of products from 0 to the most held: held, accounts, share (of the base).
    """
    pairs = _base(book, quarter)
    accounts = pairs.groupby("held")["accounts"].sum()
    accounts = accounts.reindex(range(degree.most_held(pairs) + 1), fill_value=0)
    found = accounts.rename_axis("held").reset_index()
    return found.assign(share=found["accounts"] / found["accounts"].sum())


def products_per_account(book: Book, quarter: str) -> pd.DataFrame:
    """Average the products held, over the base and over holders only.

    Returns
    -------
    Two rows, over: base, holders. Columns over, accounts, held (products), products_per_account.
    """
    pairs = _base(book, quarter)
    held = int((pairs["held"] * pairs["accounts"]).sum())
    over = {"base": degree.at_least(pairs, 0), "holders": degree.at_least(pairs, 1)}
    rows = [
        {"over": name, "accounts": n, "held": held, "products_per_account": held / n if n else None}
        for name, n in over.items()
    ]
    kinds = {"accounts": "int64", "held": "int64", "products_per_account": "float64"}
    return degree.table(rows, {"over": "object", **kinds})


def by_segment(book: Book, quarter: str, by: str, against: str | None = None) -> pd.DataFrame:
    """Compare the segments of an account attribute, and what each gave to the change.

    Returns
    -------
    One row per value of ``by``, blanks as (not given) and last: group, accounts (of the base), n
    (with a degree), mean, pooled, mean_before (0 to 1), change with low and high (mean change of
    the accounts with a degree at both quarters, paired t), n_both (those accounts), contribution
    (to the mean change of all such accounts), suppressed (bool: n is below the engagement's
    minimum_cell), target (of the mean, 0 to 1; missing where there is none). Columns of the
    comparison are missing without ``against``.

    Notes
    -----
    contribution = n_both of the segment / n_both of all × change of the segment. Attributes are
    undated, so no account changes segment between the quarters, and the contributions sum to the
    change of the same accounts exactly.
    """
    pairs = counts.pairs(book, by=by, quarters=[quarter])
    degree.required(book, quarter, degree.measured(pairs))
    moves = None
    if against is not None:
        before, now = changes.comparable(book, quarter, against)
        moves = counts.transitions(book, before.label, now.label, by)
    smallest = book.engagement.minimum_cell
    groups = queries.in_order([*pairs["group"], *([] if moves is None else moves["group"])])
    rows = [_segment(group, pairs, moves, smallest) | _aim(book, quarter, {by: group}) for group in groups]
    return degree.table(rows, _SEGMENT_COLUMNS)


def _aim(book: Book, quarter: str, segment: dict[str, str]) -> dict[str, float | None]:
    return {"target": changes.target(book, quarter, segment)}


def _base(book: Book, quarter: str) -> pd.DataFrame:
    """Count the accounts of a quarter, which must have some in the base."""
    pairs = counts.pairs(book, quarters=[quarter])
    degree.required(book, quarter, degree.measured(pairs))
    return pairs


def _quarter(book: Book, label: str, pairs: pd.DataFrame) -> dict[str, Any]:
    """Measure one quarter by itself; an empty base, or no snapshot to tell, leaves shares undefined."""
    at, found = queries.moment(book, label), degree.measured(pairs)
    unknown = bool(book.quarters.set_index("label").loc[label, "no_snapshot"])
    had = {"mean": found.mean, "pooled": found.pooled, "median": found.median}
    had |= {"multi": degree.multi_share(pairs, 2), "products_per_account": found.products_per_account}
    return {
        **{"quarter": label, "as_of": at.as_of, "complete": at.complete, "no_snapshot": unknown},
        **{"accounts": found.accounts, "nothing_possible": found.nothing_possible, "n": found.n},
        **(dict.fromkeys(had) if unknown else had),
        "revenue_quarter": degree.summed(pairs["revenue_quarter"]),
        "revenue_window": degree.summed(pairs["revenue_window"]),
        "plan": changes.target(book, label),
    }


def _against_last(row: dict[str, Any], before: dict[str, Any] | None, turnover: pd.Series) -> dict[str, Any]:
    """Compare a quarter with the one before, where both are complete."""
    if before is None or not (row["complete"] and before["complete"]):
        return {"change": None, "joined": None, "lost": None}
    undefined = row["mean"] is None or before["mean"] is None
    moved = None if undefined else row["mean"] - before["mean"]
    return {"change": moved, "joined": turnover["joined"], "lost": turnover["lost"]}


def _reached(pairs: pd.DataFrame | None, k: int, when: str = "") -> dict[str, Any]:
    if pairs is None:
        return {}
    accounts, n = degree.at_least(pairs, k), int(pairs["accounts"].sum())
    return {f"share{when}": accounts / n, f"accounts{when}": accounts, f"n{when}": n}


def _segment(group: str, pairs: pd.DataFrame, moves: pd.DataFrame | None, smallest: int) -> dict[str, Any]:
    found = degree.measured(pairs[pairs["group"] == group])
    return {
        **{"group": group, "accounts": found.accounts, "n": found.n},
        **{"mean": found.mean, "pooled": found.pooled, "suppressed": found.n < smallest},
        **({} if moves is None else _segment_moved(moves, group)),
    }


def _segment_moved(moves: pd.DataFrame, group: str) -> dict[str, Any]:
    mine = moves[moves["group"] == group]
    earlier = mine[["possible_earlier", "held_earlier", "accounts"]]
    before = degree.measured(earlier[mine["in_earlier"]].set_axis(["possible", "held", "accounts"], axis=1))
    same: uncertainty.Estimate = changes.same_accounts(mine)
    everyone = changes.same_accounts(moves).n
    moved = {"change": same.value, "low": same.low, "high": same.high, "n_both": same.n}
    share = None if same.value is None else same.n / everyone * same.value
    return {"mean_before": before.mean, **moved, "contribution": share}
