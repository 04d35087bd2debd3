"""What next quarter would be if customers go on as they did: the degree, and revenue of existing accounts.

The degree is forecast from flows: the rates at which open products were gained and held ones lost, quarter by
quarter, and what joining and leaving accounts added. Where no account is counted twice, it is the drift of the
figure itself. Intervals need eight complete quarters in a row; launches and retirements are no part of a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import change, counts, degree, queries
from kpilib.measures.uncertainty import ROUNDING

NEEDED = 8  # complete quarters in a row, before an interval is given
FEWEST = 3  # quarters that a forecast of the back-test starts from
FARTHEST = 2  # quarters
REVENUE = "existing_revenue"
MEASURES = ("mean", "pooled", REVENUE)

_AHEAD = {
    **dict.fromkeys(("measure", "made_at", "quarter"), "object"),
    **{"horizon": "int64", **dict.fromkeys(("now", "forecast", "low", "high"), "float64")},
    **{"method": "object", "points": "int64", "reason": "object"},
}
_TESTED = {
    **dict.fromkeys(("measure", "made_at", "quarter"), "object"),
    **dict.fromkeys(("now", "forecast", "low", "high", "came", "error", "unchanged"), "float64"),
    **{"inside": "boolean", "points": "int64"},
}
_RATES = {
    **{"measure": "object", "quarter": "object", "accounts": "int64"},
    **dict.fromkeys(("before", "after", "gain", "loss", "turnover", "catalogue"), "float64"),
}


class Ahead(NamedTuple):
    """A forecast and how far its 95 % interval reaches to either side; arrays where histories are."""

    value: Any
    reach: Any


def flow(level: Any, gain: Any, loss: Any, turnover: Any, horizon: int = 1) -> Ahead:
    """Forecast a degree P as P + g (1 - P) - l P + u, with g, l and u the means of their past.

    Parameters
    ----------
    level
        The degree now, 0 to 1; or many of them, one per history.
    gain, loss, turnover
        By quarter along the last axis: open products gained, held products lost (rates), and what the accounts that
        joined and left added (a difference of shares).

    Notes
    -----
    The interval takes the spread s of g_s (1 - P) - l_s P + u_s over n past quarters: t(n - 1) × s × √(1 + 1/n) one
    quarter ahead. Two ahead, an error of the first quarter stays with 1 - g - l of its size.

    Example
    -------
    >>> found = flow(0.5, [0.1, 0.2, 0.3], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0])
    >>> round(float(found.value), 4)  # 0.5 + 0.2 × 0.5 - 0.1 × 0.5
    0.55
    >>> round(float(found.reach), 4)  # moves 0, 0.05 and 0.1: 4.303 × 0.05 × √(4/3)
    0.2484
    """
    level, gain, loss, turnover = (np.asarray(each, float) for each in (level, gain, loss, turnover))
    here = level[..., None]
    moves = _part(gain, 1 - here) - _part(loss, here) + turnover
    step = moves.mean(axis=-1)
    stays = 1 - np.nan_to_num(gain.mean(axis=-1)) - np.nan_to_num(loss.mean(axis=-1))
    carried = sum(stays**ahead for ahead in range(horizon))
    spread = sum(stays ** (2 * ahead) for ahead in range(horizon)) + carried**2 / moves.shape[-1]
    return Ahead(level + carried * step, _t(moves) * np.sqrt(spread))


def drift(series: Any, horizon: int = 1) -> Ahead:
    """Forecast a series to go on by its mean step; the interval takes the spread of the steps.

    Example
    -------
    >>> found = drift([1.0, 2.0, 4.0, 7.0])
    >>> float(found.value), round(float(found.reach), 3)  # steps 1, 2, 3: 4.303 × 1 × √(1 + 1/3)
    (9.0, 4.968)
    """
    series = np.asarray(series, float)
    steps = np.diff(series, axis=-1)
    spread = horizon + horizon**2 / steps.shape[-1]
    return Ahead(series[..., -1] + horizon * steps.mean(axis=-1), _t(steps) * np.sqrt(spread))


def kept(now: Any, ratios: Any, horizon: int = 1) -> Ahead:
    """Forecast revenue by what accounts kept of theirs from one quarter to the next: the mean of the logarithms.

    ``reach`` is a logarithm: the interval runs from value / exp(reach) to value × exp(reach).
    """
    logs = np.log(np.asarray(ratios, float))
    spread = horizon + horizon**2 / logs.shape[-1]
    return Ahead(np.asarray(now, float) * np.exp(horizon * logs.mean(axis=-1)), _t(logs) * np.sqrt(spread))


def ahead(book: Book, quarter: str | None = None, horizon: int = 1) -> pd.DataFrame:
    """Forecast mean and pooled degree and the revenue of existing accounts, one or two quarters ahead.

    Existing accounts are those with net revenue over 0 in the quarter the forecast is made at; what they bring in the
    later quarter is forecast, and the accounts that join are no part of it. Seasons are not modelled.

    Returns
    -------
    One row per measure (mean, pooled, existing_revenue) and quarter ahead: measure, made_at and quarter (labels),
    horizon, now, forecast, low, high (shares 0 to 1, or money), method (flow, drift, kept), points (quarters in a
    row it rests on), reason (why there is no forecast or no interval: no history, nothing kept, few quarters, no
    variation; None where there is one).

    Raises
    ------
    DataError
        The quarter is incomplete or has no degree, or the horizon is not 1 or 2.
    """
    if horizon not in range(1, FARTHEST + 1):
        raise DataError(f"{horizon} quarters ahead is too far.", "", "Forecast one or two quarters.")
    at = change.comparable(book, quarter or book.default_quarter())[0]
    degree.of(book, at.label)
    opening = book.quarter(at.label)
    rows = []
    for past in _pasts(book, at):
        for far in range(1, horizon + 1):
            row = past.forecast(len(past.levels) - 1, far)
            rows.append({"made_at": at.label, "quarter": opening.later(far).label, "horizon": far, **row})
    return degree.table(rows, _AHEAD)


def back_test(book: Book, quarter: str | None = None) -> pd.DataFrame:
    """Forecast every past quarter from those before it, with the data as they are now, and see what came.

    Returns
    -------
    One row per measure and quarter, oldest first, from the third complete quarter in a row on: measure, made_at,
    quarter (labels), now, forecast, low, high, came, error (came less forecast), unchanged (came less now: the error
    of expecting no change), inside (whether the interval held; missing without one), points.
    """
    at = change.comparable(book, quarter or book.default_quarter())[0]
    rows = [row for past in _pasts(book, at) for row in past.tested()]
    return degree.table(rows, _TESTED)


def scored(book: Book, quarter: str | None = None) -> pd.DataFrame:
    """Set the forecast that the quarter before makes for a quarter beside what came; empty where it makes none.

    Returns
    -------
    Up to one row per measure, with the columns of :func:`back_test`.
    """
    at = queries.moment(book, quarter)
    found = back_test(book, at.label)
    return found[found["quarter"] == at.label].reset_index(drop=True)


def record(tested: pd.DataFrame) -> pd.DataFrame:
    """Sum up a back-test.

    Returns
    -------
    One row per measure that was forecast: measure, forecasts, error (mean size of the miss), unchanged (of expecting
    no change), intervals (that were given), inside (of those, how many held).
    """
    rows = []
    for measure, mine in tested.groupby("measure", sort=False):
        given = mine["inside"].dropna()
        sizes = {name: float(mine[name].abs().mean()) for name in ("error", "unchanged")}
        told = {"intervals": len(given), "inside": int(given.sum())}
        rows.append({"measure": measure, "forecasts": len(mine), **sizes, **told})
    return degree.table(rows, {"measure": "object", "forecasts": "int64", "error": "float64",
                               "unchanged": "float64", "intervals": "int64", "inside": "int64"})  # fmt: skip


def rates(book: Book, quarter: str | None = None) -> pd.DataFrame:
    """Split every change between complete quarters in a row into gains, losses, turnover and catalogue.

    ``before`` + ``gain`` × (1 - B) - ``loss`` × B + ``turnover`` + ``catalogue`` = ``after``, with B the share held
    before of what the same accounts could hold both times. Mean weighs every account alike, pooled every product.

    Returns
    -------
    One row per measure (mean, pooled) and quarter, oldest first: measure, quarter, accounts (in the base both
    times), before, after (degrees as reported), gain (of open products, those gained), loss (of held products, those
    lost), turnover (by accounts that joined and left), catalogue (by what became or ceased to be possible).
    """
    at = change.comparable(book, quarter or book.default_quarter())[0]
    run = _run(book, at, book.quarters["complete"].astype(bool))
    return degree.table(_rates(book, run), _RATES)


@dataclass(frozen=True)
class _Past:
    """The quarters in a row of one measure: what a forecast of it rests on, and what came."""

    measure: str
    labels: list[str]
    levels: list[float]
    came: list[float]
    moves: pd.DataFrame | None

    def forecast(self, place: int, horizon: int = 1) -> dict[str, Any]:
        """Forecast from the quarters up to one place among them."""
        points, now = place + 1, self.levels[place]
        row = {"measure": self.measure, "now": now, "points": points, "method": self._method(place)}
        usual = self._way(place)
        if usual is None:
            return row | {"reason": "no history" if points < 2 else "nothing kept"}
        found = usual(horizon)
        reach = float(found.reach)
        reason = "few quarters" if points < NEEDED else "no variation" if reach <= ROUNDING else None
        value, low, high = self._limits(float(found.value), np.nan if reason else reach)
        return row | {"forecast": value, "low": low, "high": high, "reason": reason}

    def tested(self) -> list[dict[str, Any]]:
        """Forecast every later quarter from those before it."""
        rows = []
        for place in range(FEWEST - 1, len(self.labels) - 1):
            row, came = self.forecast(place), self.came[place + 1]
            if row.get("forecast") is None or np.isnan(came):
                continue
            given = not np.isnan(row["low"])
            rows.append(row | {
                "made_at": self.labels[place], "quarter": self.labels[place + 1], "came": came,
                "error": came - row["forecast"], "unchanged": came - row["now"],
                "inside": bool(row["low"] <= came <= row["high"]) if given else None,
            })  # fmt: skip
        return rows

    def _method(self, place: int) -> str:
        return "kept" if self.measure == REVENUE else "flow" if self._flows(place) is not None else "drift"

    def _way(self, place: int) -> Any:
        if place < 1:
            return None
        if self.measure == REVENUE:
            ratios = np.array(self.came[1 : place + 1]) / np.array(self.levels[:place])
            return partial(kept, self.levels[place], ratios) if (ratios > 0).all() and self.levels[place] > 0 else None
        flows = self._flows(place)
        if flows is None:
            return partial(drift, self.levels[: place + 1])
        return partial(flow, self.levels[place], *(flows[name].to_numpy() for name in ("gain", "loss", "turnover")))

    def _flows(self, place: int) -> pd.DataFrame | None:
        """Take the flows up to a place; None where a rate that is needed is unknown."""
        if self.moves is None or place < 1:
            return None
        flows, now = self.moves.iloc[:place], self.levels[place]
        unknown = flows["turnover"].isna() | (flows["gain"].isna() & (now < 1)) | (flows["loss"].isna() & (now > 0))
        return None if unknown.any() else flows

    def _limits(self, value: float, reach: float) -> tuple[float, float, float]:
        if self.measure == REVENUE:
            return value, value / np.exp(reach), value * np.exp(reach)
        low, value, high = (min(max(each, 0.0), 1.0) for each in (value - reach, value, value + reach))
        return (value, np.nan, np.nan) if np.isnan(reach) else (value, low, high)


def _part(rate: Any, of: Any) -> Any:
    """Apply a rate; of nothing any rate takes nothing, even one that is unknown."""
    return np.where(of == 0, 0.0, rate * of)


def _t(steps: Any) -> Any:
    n = steps.shape[-1]
    if n < 2:
        return np.full(steps.shape[:-1], np.nan)
    return stdtrit(n - 1, 0.975) * steps.std(axis=-1, ddof=1)


def _run(book: Book, at: queries.Moment, usable: pd.Series) -> pd.DataFrame:
    """Keep the unbroken run of usable quarters that ends with one."""
    table = book.quarters[usable & (book.quarters["quarter"] <= at.index)].sort_values("quarter")
    gap = table["quarter"] - at.index + len(table) - 1 - np.arange(len(table))
    return table[gap.to_numpy() == 0].reset_index(drop=True)


def _pasts(book: Book, at: queries.Moment) -> list[_Past]:
    """Read the past of every measure: of the degree, and of revenue where the client has any."""
    run = _run(book, at, book.quarters["complete"].astype(bool))
    found = _degrees(book, run)
    empty = [place for place, each in enumerate(found) if not each.n]
    first = empty[-1] + 1 if empty else 0
    run, found = run.iloc[first:].reset_index(drop=True), found[first:]
    moves = degree.table(_rates(book, run), _RATES)
    pasts = []
    for measure in ("mean", "pooled"):
        values = [getattr(each, measure) for each in found]
        mine = moves[moves["measure"] == measure].reset_index(drop=True)
        pasts.append(_Past(measure, list(run["label"]), values, values, mine))
    sold = _revenue(book, at)
    return pasts if sold is None else [*pasts, sold]


def _degrees(book: Book, run: pd.DataFrame) -> list[degree.Degree]:
    pairs = counts.pairs(book, quarters=run["label"])
    return [degree.measured(pairs[pairs["quarter"] == label]) for label in run["label"]]


def _revenue(book: Book, at: queries.Moment) -> _Past | None:
    """Read what accounts with revenue brought in each quarter and what they brought in the next."""
    table, declared = book.quarters, book.engagement
    days = [pd.to_datetime(table[name]).dt.date for name in ("first_day", "as_of")]
    run = _run(book, at, (days[0] >= declared.data_from) & (days[1] <= declared.data_to))
    found = counts.revenue_kept(book).set_index("quarter").reindex(run["label"])
    if found["revenue"].isna().any():
        return None
    levels, came = ([float(each) for each in found[name].fillna(0)] for name in ("revenue", "kept"))
    return _Past(REVENUE, list(run["label"]), levels, came, None)


def _rates(book: Book, run: pd.DataFrame) -> list[dict[str, Any]]:
    """Measure the flows of each quarter of a run but the first, for both weights."""
    found, flows, rows = _degrees(book, run), counts.flows(book), []
    for measure in ("mean", "pooled"):
        for place in range(1, len(run)):
            label = run["label"].iloc[place]
            ends = [getattr(each, measure) for each in found[place - 1 : place + 1]]
            if None not in ends:
                split = _split(flows[flows["quarter"] == label], measure == "mean", *ends)
                rows.append({"measure": measure, "quarter": label, "before": ends[0], "after": ends[1], **split})
    return rows


def _split(flows: pd.DataFrame, each_alike: bool, before: float, after: float) -> dict[str, Any]:
    """Split one change; with each account alike a product weighs 1 / those that the account could hold."""
    accounts, earlier, both, later = (flows[name].to_numpy(float) for name in ("accounts", "earlier", "both", "later"))

    def share(held: str, possible: Any) -> float:
        weight = np.divide(1, possible, where=possible > 0, out=np.zeros_like(possible)) if each_alike else 1.0
        whole = ((possible > 0) if each_alike else possible) * accounts
        return float((flows[held].to_numpy(float) * weight).sum() / whole.sum()) if whole.sum() else np.nan

    had, stayed, has = share("held_earlier", earlier), share("held_both", both), share("held_later", later)
    gained, lost = share("gained", both), share("lost", both)
    gain = gained / (1 - stayed) if stayed < 1 else np.nan
    loss = lost / stayed if stayed > 0 else np.nan
    return {
        "accounts": int(accounts.sum()), "gain": gain, "loss": loss,
        "turnover": (had - before) + (after - has), "catalogue": (stayed - had) + (has - (stayed + gained - lost)),
    }  # fmt: skip
