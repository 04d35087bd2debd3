"""The list judged on what was then bought: fitted as of an earlier quarter, beside chance and popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from kpilib.book import Book
from kpilib.measures import queries, uncertainty
from kpilib.measures.uncertainty import Estimate
from kpilib.whitespace import likeness, model, windows
from kpilib.whitespace.likeness import Array
from kpilib.whitespace.model import Model, Window

MODEL, POPULARITY, RANDOM = "model", "popularity", "random"
BINS = 10
FEWEST = 5  # bought and not bought, for a product to be judged
FEWEST_FILLED = 30  # slots filled, for chances to count as tried
OFF = 1 / 3  # of the share realised, that the mean chance may miss it by


@dataclass(frozen=True)
class BackTest:
    """How well the list of one quarter foretold what was bought in the next.

    ``methods`` has one row for the model, popularity (what most others hold, first) and what random order may expect:
    precision_1, precision_k, recall_k, map (means over the accounts that bought something), auc_product (mean over
    products: the best accounts of each), brier and ece (the model's alone); map_ahead with map_low and map_high: how
    far its map lies above popularity's, over accounts; auc_low and auc_high, linearised over accounts.
    ``calibration``: ten equally large groups of slots by chance: slots, chance, bought (mean, 0 to 1).
    ``verdict`` is better, as good or worse than popularity, None where that cannot be told.
    """

    as_of: str
    judged: str
    k: int
    accounts: int
    bought_something: int
    slots: int
    filled: int
    chance: float
    realised: float
    methods: pd.DataFrame
    calibration: pd.DataFrame
    verdict: str | None

    @property
    def enough(self) -> bool:
        """Whether enough was bought for chances to count as tried."""
        return self.filled >= FEWEST_FILLED

    @property
    def calibrated(self) -> bool:
        """Whether chances may be multiplied by money: tried on enough, and their mean near what came."""
        return self.enough and abs(self.chance - self.realised) <= OFF * self.realised


def backtest(book: Book, quarter: str) -> BackTest | None:
    """Judge the list as of the quarter before on what was bought in this one.

    None where fewer than three quarters in a row are complete, or nothing was bought in those learned from.
    """
    before = windows.last_before(book, quarter)
    if before is None:
        return None
    pairs, depth = windows.learned_from(book, before)
    fitted = model.fit([windows.window(book, *pair, depth) for pair in pairs]) if pairs else None
    if fitted is None:
        return None
    return judge(fitted, windows.window(book, before, queries.moment(book, quarter).label, depth), before, quarter)


def judge(fitted: Model, then: Window, as_of: str = "", judged: str = "", k: int = 3) -> BackTest | None:
    """Judge a fitted model on a later window; None where no slot was open, or none filled.

    The counts that a list may use are those of its own quarter; of the next, only what was bought is looked at.
    """
    opened, bought = then.open & fitted.known, then.bought & fitted.known
    if not bought.any() or not (opened & ~bought).any():
        return None
    counts = likeness.counted(then.held, then.possible)
    chances = np.where(opened, model.chances(fitted, then.held, then.before, counts), 0.0)
    scores = {
        MODEL: chances,
        POPULARITY: np.broadcast_to(counts.share, opened.shape),
    }
    precisions = {name: model.precision(each, opened, bought) for name, each in scores.items()}
    rows = [_row(name, scores[name], opened, bought, precisions, k) for name in scores]
    rows.append(_at_random(opened, bought, precisions[POPULARITY], k) | {"auc_product": rows[0]["auc_product"] and 0.5})
    methods = pd.DataFrame(rows).astype({each: float for each in rows[0] if each != "method"})
    p, y = chances[opened].astype(float), bought[opened]
    bins = calibration(p, y)
    methods.loc[0, ["brier", "ece"]] = [float(np.mean((p - y) ** 2)), _ece(bins)]
    ahead = methods.iloc[0]
    return BackTest(
        as_of, judged, k, len(opened), int(bought.any(1).sum()), int(opened.sum()), int(bought.sum()),
        float(p.mean()), float(y.mean()), methods, bins, _verdict(*ahead[["map_low", "map_high"]]),
    )  # fmt: skip


def calibration(chance: Array, bought: Array) -> pd.DataFrame:
    """Group slots into ten by chance (equal chances together): slots, chance and bought (means, 0 to 1).

    Example
    -------
    >>> calibration(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 1])).round(2).to_numpy().tolist()
    [[2.0, 0.1, 0.0], [2.0, 0.9, 1.0]]
    """
    edges = np.quantile(chance, np.linspace(0, 1, BINS + 1))
    group = np.clip(np.searchsorted(edges, chance, side="right") - 1, 0, BINS - 1)
    table = pd.DataFrame({"group": group, "chance": chance, "bought": np.asarray(bought, float)})
    told = table.groupby("group").agg(slots=("chance", "size"), chance=("chance", "mean"), bought=("bought", "mean"))
    return told.reset_index(drop=True)


def auc_by_product(scores: Array, opened: Array, bought: Array) -> tuple[Array, Estimate]:
    """Chance that of two accounts, one that bought a product and one that did not, the first is ranked higher.

    Returns
    -------
    The area by product (NaN with fewer than five that bought, or did not), and its mean over products with an interval
    linearised over accounts (DeLong's components, added up by account). Ties count half.
    """
    areas = np.full(opened.shape[1], np.nan)
    influence = np.zeros(len(opened))
    for product in range(opened.shape[1]):
        rows = np.flatnonzero(opened[:, product])
        yes = bought[rows, product]
        many, few = int((~yes).sum()), int(yes.sum())
        if min(many, few) < FEWEST:
            continue
        value = scores[rows, product]
        rank = rankdata(value)
        below = np.where(yes, rank, 0.0)
        below[yes] = (rank[yes] - rankdata(value[yes])) / many
        below[~yes] = 1 - (rank[~yes] - rankdata(value[~yes])) / few
        areas[product] = below[yes].mean()
        influence[rows] += (below - areas[product]) / np.where(yes, few, many)
    known = int(np.isfinite(areas).sum())
    if not known:
        return areas, Estimate(None, None, None, 0)
    mean, reach = float(np.nanmean(areas)), 1.959964 * float(np.sqrt((influence**2).sum())) / known
    return areas, Estimate(mean, mean - reach, mean + reach, len(opened))


def _row(name: str, scores: Array, opened: Array, bought: Array, precisions: dict[str, Array], k: int) -> dict:
    buyers = bought.any(1)
    hits = model.in_order(scores[buyers], opened[buyers], bought[buyers])
    found = hits[:, :k].sum(1)
    gap = _paired(precisions[POPULARITY][buyers], precisions[name][buyers]) if name != POPULARITY else None
    area = auc_by_product(scores, opened, bought)[1]
    return {
        "method": name,
        "precision_1": float(hits[:, 0].mean()),
        "precision_k": float(found.mean() / k),
        "recall_k": float((found / hits.sum(1)).mean()),
        "map": float(np.nanmean(precisions[name])),
        "map_ahead": gap.value if gap else None,
        "map_low": gap.low if gap else None,
        "map_high": gap.high if gap else None,
        "auc_product": area.value,
        "auc_low": area.low,
        "auc_high": area.high,
        "brier": np.nan,
        "ece": np.nan,
    }


def _at_random(opened: Array, bought: Array, popular: Array, k: int) -> dict:
    """What is expected of random order, in closed form: a single draw of it may lie far off.

    Of o open slots of which b were filled, each place is filled with probability b ÷ o; given that one is, each other
    is with (b - 1) ÷ (o - 1), which gives the expected average precision.
    """
    buyers = bought.any(1)
    o, b = (each[buyers].sum(1).astype(float) for each in (opened, bought))
    seen = np.minimum(k, o)
    harmonic = np.cumsum(1 / np.arange(1, opened.shape[1] + 1))[o.astype(int) - 1]
    precision = (harmonic + (b - 1) / np.maximum(o - 1, 1) * (o - harmonic)) / o
    gap = _paired(popular[buyers], precision)
    return {
        "method": RANDOM,
        "precision_1": float((b / o).mean()),
        "precision_k": float((seen * b / o).mean() / k),
        "recall_k": float((seen / o).mean()),
        "map": float(precision.mean()),
        "map_ahead": gap.value,
        "map_low": gap.low,
        "map_high": gap.high,
        **dict.fromkeys(("auc_low", "auc_high", "brier", "ece"), np.nan),
    }


def _paired(before: Array, after: Array) -> Estimate:
    return uncertainty.paired(before, after, np.ones(len(before)))


def _ece(bins: pd.DataFrame) -> float:
    return float(((bins["chance"] - bins["bought"]).abs() * bins["slots"]).sum() / bins["slots"].sum())


def _verdict(low: float, high: float) -> str | None:
    if np.isnan(low):
        return None
    return "better" if low > 0 else "worse" if high < 0 else "as good"
