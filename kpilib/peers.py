"""What is good here: the degree that the best quarter of like accounts reach."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pandas as pd

from kpilib.book import Book
from kpilib.measures import counts, degree

QUARTILE = Fraction(3, 4)
SHRINKAGE = 20  # accounts of the whole base that stand behind every segment

_COLUMNS = {
    **{"group": "object", "n": "int64"},
    **dict.fromkeys(("mean", "own", "overall", "peer_reference"), "float64"),
    **{"suppressed": "bool"},
}


def peer_reference(book: Book, quarter: str, by: str) -> pd.DataFrame:
    """Reachable degree of every segment: its 75th percentile, small segments drawn towards that of all accounts.

    Returns
    -------
    One row per value of ``by`` (blanks last): group, n (accounts with a degree), mean (their degree, 0 to 1), own (the
    segment's 75th percentile), overall (that of all n), peer_reference, suppressed (bool: n is below the engagement's
    minimum_cell). A segment in which nobody has a degree has neither mean nor percentile, and the overall one as
    reference.

    Raises
    ------
    DataError
        When the base is empty, nothing is possible for anyone, or accounts have no such attribute.

    Notes
    -----
    own × n / (n + 20) + overall × 20 / (n + 20). The percentile is the usual one (linear between the two nearest
    accounts, type 7 of Hyndman and Fan, the default of numpy, pandas and R), taken in fractions.
    """
    pairs = counts.pairs(book, by=by, quarters=[quarter])
    degree.required(book, quarter, degree.measured(pairs))
    overall = degree.percentile(pairs, QUARTILE)
    smallest = book.engagement.minimum_cell
    rows = [_row(group, mine, overall, smallest) for group, mine in pairs.groupby("group", sort=False)]
    return degree.table(rows, _COLUMNS)


def reach(book: Book, quarter: str) -> float | None:
    """Find the degree that the best quarter of all accounts reach, 0 to 1: their 75th percentile."""
    found = degree.percentile(counts.pairs(book, quarters=[quarter]), QUARTILE)
    return None if found is None else float(found)


def _row(group: str, pairs: pd.DataFrame, overall: Fraction | None, smallest: int) -> dict[str, Any]:
    found, own = degree.measured(pairs), degree.percentile(pairs, QUARTILE)
    n = found.n
    drawn = overall if own is None else (own * n + overall * SHRINKAGE) / (n + SHRINKAGE)
    shares = {"own": own, "overall": overall, "peer_reference": drawn}
    return {
        **{"group": group, "n": n, "mean": found.mean, "suppressed": n < smallest},
        **{name: None if each is None else float(each) for name, each in shares.items()},
    }
