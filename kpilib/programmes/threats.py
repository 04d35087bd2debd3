"""What else can explain a rise after a programme, each with its size in points.

Sizes are parts of the change of the average degree that would have been there without any programme, or that a change
of who and what is counted makes: 0.067 is "6.7 of these points". A hold-out drawn from the same customers shares most
of them with those who took part, and so takes them out of the difference; a before/after keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import counts, queries
from kpilib.measures import degree as degrees
from kpilib.measures.queries import Moment
from kpilib.programmes import alike, enrolled
from kpilib.programmes.effect import Panel
from kpilib.programmes.enrolled import HELD_OUT, OTHERS, TREATED, Programme

FAR_BELOW = 0.25  # standard deviations
ENOUGH_BEFORE, ENOUGH_AFTER = 2, 1  # quarters
A_TENTH = 0.1
SEEN = 0.0005  # 0.05 points, shown as 0.1

REGRESSION, SURVIVORS, JOINERS = "regression_to_the_mean", "survivorship", "joiners"
CATALOGUE, MIX, MARKET = "catalogue", "mix", "market"
PERIODS, AFTER, OVERLAP = "few_quarters_before", "few_quarters_after", "overlap"
LAPSING, ATTRITION, UNLIKE, ONE_SIDED = "lapsing", "attrition", "unlike", "one_sided"
BEFELL = {SURVIVORS: alike.LOST, JOINERS: alike.NEW, CATALOGUE: alike.CATALOGUE, MIX: alike.MIX}

THREATS = {"threat": "object", "whose": "object", "size": "float64", "n": "int64", "of": "int64", "detail": "object"}
THREATS |= {"n_against": "int64", "of_against": "int64", "found": "bool", "held_off": "bool"}


@dataclass(frozen=True)
class Regression:
    """How far the chosen customers lay below all, and the rise to be expected of them for that alone (shares).

    ``all`` and ``chosen`` are mean degrees before the start, of customers counted then and at the end.
    ``slope`` and ``common`` come from two quarters: how much of a customer's distance from the mean was left after as
    long a time, and how far the mean moved. ``learned`` says from which (``earlier`` quarters, or the programme's own
    ``same`` quarters where there is nothing earlier). ``expected`` = (1 - slope) × (all - chosen) + common.
    ``chosen_on`` is what the client states that customers were chosen on, as written there; empty where it does not.
    """

    all: float
    chosen: float
    spread: float
    slope: float
    common: float
    learned: str
    since: str
    until: str
    change: float | None
    flagged: bool
    chosen_on: tuple[str, ...] = ()

    @property
    def below(self) -> float:
        """How many standard deviations the chosen lay below all."""
        return (self.all - self.chosen) / self.spread if self.spread else 0.0

    @property
    def expected(self) -> float:
        """The change to be expected of the chosen without any programme."""
        return (1 - self.slope) * (self.all - self.chosen) + self.common

    @property
    def adjusted(self) -> float | None:
        """The change that is left."""
        return None if self.change is None else self.change - self.expected


def moves(book: Book, programme: Programme) -> pd.DataFrame:
    """Count all accounts by what they had in the last quarter before the start and in the last one looked at."""
    return counts.transitions(book, programme.before[-1].label, programme.after[-1].label)


def regression(book: Book, programme: Programme, panel: Panel, now: pd.DataFrame) -> Regression | None:
    """Work out the rise that choosing weak customers brings by itself; None where nobody was counted twice."""
    first = programme.before[-1]
    both = np.isfinite(panel.degree[:, [panel.ref, -1]]).all(axis=1)
    chosen = panel.degree[both & (panel.side(TREATED) | panel.side(HELD_OUT)), panel.ref]
    if len(chosen) < enrolled.fewest_accounts(book):
        return None
    here = now[(now["possible_earlier"] > 0) & (now["possible_later"] > 0)]
    level, weight = here["held_earlier"] / here["possible_earlier"], here["accounts"]
    mean = float(np.average(level, weights=weight))
    spread = float(np.sqrt(np.average((level - mean) ** 2, weights=weight)))
    learned = _learned(book, programme)
    slope, common = _line(counts.transitions(book, *learned[1:]) if learned[0] == "earlier" else now)
    if slope is None:
        return None
    there = np.isfinite(panel.degree[panel.side(TREATED)][:, [panel.ref, -1]]).all(axis=1).any()
    moved = _change(panel) if there else None
    low = float(chosen.mean())
    below = spread > 0 and (mean - low) / spread > FAR_BELOW
    within = _chosen_within(programme, first)
    return Regression(mean, low, spread, slope, common, *learned, moved, bool(below or within), _stated(programme))


def _learned(book: Book, programme: Programme) -> tuple[str, str, str]:
    """Choose two earlier quarters as far apart as the programme's, or as far as there are."""
    first, last = programme.before[-1], programme.after[-1]
    if len(programme.before) < ENOUGH_BEFORE:
        return "same", first.label, last.label
    back = min(last.index - first.index, first.index - programme.before[0].index)
    near = min(programme.before[:-1], key=lambda each: abs(first.index - each.index - back))
    return "earlier", near.label, first.label


def _line(moves: pd.DataFrame) -> tuple[float | None, float]:
    """Slope of the later degree on the earlier, and the mean change, of accounts counted both times."""
    both = moves[(moves["possible_earlier"] > 0) & (moves["possible_later"] > 0)]
    if both.empty:
        return None, 0.0
    before, after = (both[f"held_{when}"] / both[f"possible_{when}"] for when in ("earlier", "later"))
    weight = both["accounts"].to_numpy(float)
    x, y = before - np.average(before, weights=weight), after - np.average(after, weights=weight)
    squared = float((weight * x * x).sum())
    common = float(np.average(after - before, weights=weight))
    return (float((weight * x * y).sum()) / squared if squared > 0 else 1.0), common


def _chosen_within(programme: Programme, first: Moment) -> bool:
    """Whether a day is told on which customers were chosen, and it lies in what the baseline looks back on."""
    told = pd.to_datetime(programme.members["selected_on"], errors="coerce", format="%Y-%m-%d")
    inside = (told >= pd.Timestamp(first.window_start)) & (told <= pd.Timestamp(programme.start))
    return bool(inside.any())


def _stated(programme: Programme) -> tuple[str, ...]:
    """Name what customers were chosen on, as the client writes it."""
    return tuple(sorted(programme.members["selected_on"].dropna().astype(str).unique()))


def panel_of(
    book: Book, programme: Programme, panel: Panel, against: str | None
) -> tuple[pd.DataFrame, Regression | None]:
    """List every threat with its size.

    Returns
    -------
    One row per threat: threat; whose (``programme``: of those who took part, ``all``: of all customers counted); size
    (share: the part of the change it makes or, for regression to the mean, would make; NaN where it has none); n of
    ``of`` (accounts concerned, of how many); detail (an attribute, names or quarters); n_against of ``of_against``
    (the same of the other side); found (it is there to be reckoned with); held_off (a sound hold-out, hit alike, takes
    it out of the difference). Beside the table, what regression to the mean rests on.
    """
    sound = against == HELD_OUT
    now = moves(book, programme)
    back = regression(book, programme, panel, now)
    rows = [
        _regression(back, sound),
        _market(panel, against, sound),
        *_come_and_gone(now, sound),
        _attrition(panel, against),
        _catalogue(book, programme, sound),
        *_mix(book, programme, panel, sound),
        _periods(programme),
        _since(programme),
        *_overlaps(book, programme, panel, against),
        *_lapsing(book, programme, panel),
    ]
    rows = [each for each in rows if each]
    if against is not None:
        told, asked, apart = alike.unlike(book, programme, panel, against)
        rows = [each | _hit(each, apart) for each in rows]
        rows += _sides(book, panel, against, told, asked)
    return degrees.table(rows, THREATS), back


def _hit(row: dict[str, Any], apart: set[str]) -> dict[str, Any]:
    """Nothing that befell one side otherwise than the other is taken out of their difference."""
    return {"found": True, "held_off": False} if BEFELL.get(row["threat"]) in apart else {}


def _sides(book: Book, panel: Panel, against: str, told: list[str], asked: list[str]) -> list[dict[str, Any]]:
    """Whether the sides are as alike as a draw makes them."""
    rows = [_told(UNLIKE, against, None, bool(told), n=len(told), of=len(asked), detail=", ".join(told or asked))]
    if whole := alike.one_sided(book, panel, against):
        rows.append(_told(ONE_SIDED, against, None, True, n=len(whole), of=len(whole), detail=", ".join(whole)))
    return rows


def _told(threat: str, whose: str, size: float | None, found: bool, **more: Any) -> dict[str, Any]:
    return {"threat": threat, "whose": whose, "size": size, "n": 0, "of": 0, "detail": "", "found": found} | {
        "n_against": 0,
        "of_against": 0,
        "held_off": False,
        **more,
    }


def _regression(found: Regression | None, sound: bool) -> dict[str, Any] | None:
    if found is None:
        return None
    since = f"{found.since} to {found.until}" if found.learned == "earlier" else ""
    size = found.expected - found.common  # the market's own movement is a line of its own
    return _told(REGRESSION, "programme", size, found.flagged, detail=since, held_off=sound)


def _market(panel: Panel, against: str | None, sound: bool) -> dict[str, Any] | None:
    """How the customers it is compared with moved: what would have been there anyway."""
    if against is None:
        return None
    side = panel.side(against)
    change = panel.degree[side, -1] - panel.degree[side, panel.ref]
    known = np.isfinite(change)
    size = float(change[known].mean()) if known.any() else None
    return _told(MARKET, against, size, bool(size), n=int(known.sum()), of=int(side.sum()), held_off=sound)


def _come_and_gone(now: pd.DataFrame, sound: bool) -> list[dict[str, Any]]:
    """Split the reported change of all customers: those lost, those new, and (not shown) the same ones."""
    before, after = now["possible_earlier"] > 0, now["possible_later"] > 0
    if not (before & after).any():
        return []
    stayed = [_mean(now[before & after], when) for when in ("earlier", "later")]
    all_of = [_mean(now[there], when) for there, when in ((before, "earlier"), (after, "later"))]
    lost, new = (int(now.loc[each, "accounts"].sum()) for each in (before & ~after, after & ~before))
    of = [int(now.loc[each, "accounts"].sum()) for each in (before, after)]
    leavers, joiners = stayed[0] - all_of[0], all_of[1] - stayed[1]
    return [
        _told(SURVIVORS, "all", leavers, _matters(leavers, all_of[1] - all_of[0]), n=lost, of=of[0], held_off=sound),
        _told(JOINERS, "all", joiners, _matters(joiners, all_of[1] - all_of[0]), n=new, of=of[1], held_off=sound),
    ]


def _matters(part: float, change: float) -> bool:
    """Whether a part is a tenth of a change or more, and to be seen in points."""
    return abs(part) >= A_TENTH * abs(change) and abs(part) >= SEEN


def _change(panel: Panel) -> float:
    """The change of those who took part."""
    change = (panel.degree[:, -1] - panel.degree[:, panel.ref])[panel.side(TREATED)]
    return float(np.nanmean(change)) if np.isfinite(change).any() else 0.0


def _mean(moves: pd.DataFrame, when: str) -> float:
    share = moves[f"held_{when}"] / moves[f"possible_{when}"]
    return float(np.average(share, weights=moves["accounts"]))


def _attrition(panel: Panel, against: str | None) -> dict[str, Any] | None:
    """How much more of one side was lost: survivors are then compared with others than themselves."""
    if against is None:
        return None
    lost = []
    for arm in (TREATED, against):
        there = panel.side(arm) & np.isfinite(panel.degree[:, panel.ref])
        gone = there & ~np.isfinite(panel.degree[:, -1])
        lost.append((int(gone.sum()), int(there.sum())))
    if min(of for _, of in lost) == 0:
        return None
    (n, of), (other, other_of) = lost
    gap = n / of - other / other_of
    error = np.sqrt((pooled := (n + other) / (of + other_of)) * (1 - pooled) * (1 / of + 1 / other_of))
    return _told(ATTRITION, "programme", gap, bool(error > 0 and abs(gap) > 1.96 * error), n=n, of=of)


def _catalogue(book: Book, programme: Programme, sound: bool) -> dict[str, Any] | None:
    """The change of the same customers, less the change with the products possible for them both times."""
    first, last = programme.before[-1].label, programme.after[-1].label
    found = queries.fetch(
        book,
        f"""
        WITH {queries.both_ends(book, first, last)}
        SELECT count(*) AS n, avg(l.held / l.possible - e.held / e.possible) AS actual,
               avg({queries.change_in_lasting(book)}) AS fixed,
               {queries.count_if(queries.offered_otherwise(book))} AS moved
        FROM e JOIN l USING (account_id) WHERE e.possible > 0 AND l.possible > 0
        """,
    ).iloc[0]
    if not found["n"]:
        return None
    size = float(found["actual"] - found["fixed"])
    n, of = int(found["moved"]), int(found["n"])
    return _told(CATALOGUE, "all", size, bool(n), n=n, of=of, held_off=sound)


def _mix(book: Book, programme: Programme, panel: Panel, sound: bool) -> list[dict[str, Any]]:
    """The part that a change of the mix of customers makes, by the attribute where it is largest (Kitagawa 1955)."""
    found = [
        (by, _mix_by(book, programme.before[-1].label, programme.after[-1].label, by))
        for by in book.engagement.segment_by
    ]
    found = [(by, each) for by, each in found if each is not None]
    if not found:
        return []
    by, size = max(found, key=lambda each: abs(each[1]))
    return [_told(MIX, "all", size, _matters(size, _change(panel)), detail=by, held_off=sound)]


def _mix_by(book: Book, first: str, last: str, by: str) -> float | None:
    rows = counts.pairs(book, by=by, quarters=[first, last])
    rows = rows[rows["possible"] > 0]
    rows = rows.assign(sum=rows["held"] / rows["possible"] * rows["accounts"])
    table = rows.pivot_table(["sum", "accounts"], "group", "quarter", "sum", fill_value=0)
    if {first, last} - set(table["accounts"]):
        return None
    size = table["accounts"][[first, last]].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = table["sum"][[first, last]].to_numpy(float) / size
    rate = np.where(np.isnan(rate), rate[:, ::-1], rate)  # a group there only once takes its rate from then
    weight = size / size.sum(axis=0)
    return float((rate.mean(axis=1) * (weight[:, 1] - weight[:, 0])).sum())


def _periods(programme: Programme) -> dict[str, Any]:
    number = len(programme.before)
    return _told(PERIODS, "programme", None, number < ENOUGH_BEFORE, n=number, of=ENOUGH_BEFORE)


def _since(programme: Programme) -> dict[str, Any]:
    number = len(programme.full_after)
    return _told(AFTER, "programme", None, number < ENOUGH_AFTER, n=number, of=ENOUGH_AFTER)


def _overlaps(book: Book, programme: Programme, panel: Panel, against: str | None) -> list[dict[str, Any]]:
    """Other programmes at the same time: taken out only where few of those held out were reached, and both sides alike.

    A share of a tenth of the other side, or a tenth between the sides, is never chance to be overlooked.
    """
    other = against or (HELD_OUT if programme.held_out else OTHERS)
    sides = pd.DataFrame({"account_id": panel.account_id, "arm": np.array(enrolled.ARMS)[panel.arm]})
    of, of_other = int(panel.side(TREATED).sum()), int(panel.side(other).sum())
    found = enrolled.overlapping(book, programme, sides).dropna(subset="programme")
    rows = []
    for each in found[(found[TREATED] > 0) | (found[other] > 0)].to_dict("records"):
        share, rest = each[TREATED] / of, each[other] / of_other if of_other else 0.0
        even = rest < A_TENTH and abs(share - rest) < A_TENTH and not _apart(book, programme, panel, other, each)
        told = {"n": each[TREATED], "of": of, "n_against": each[other], "of_against": of_other}
        rows.append(
            _told(OVERLAP, other, None, True, **told, detail=each["programme"], held_off=against == HELD_OUT and even)
        )
    return rows


def _apart(book: Book, programme: Programme, panel: Panel, other: str, found: dict[str, Any]) -> bool:
    """Whether another programme reached one side more than the other by more than chance."""
    there = queries.fetch(
        book, f"SELECT DISTINCT account_id FROM programmes WHERE programme = {queries.literal(found['programme'])} "
        "AND NOT hold_out",
    )["account_id"]  # fmt: skip
    mine = panel.side(TREATED) | panel.side(other)
    took = np.isin(panel.account_id[mine], there.to_numpy(str)).astype(float)[:, None]
    return alike.chances({"it": took}, panel.side(TREATED)[mine], panel.unit[mine])["it"] < alike.LEVEL


def _lapsing(book: Book, programme: Programme, panel: Panel) -> list[dict[str, Any]]:
    """What is held by look-back alone and overdue: losses arrive a window late, gains at once."""
    if not book.has("lapsing"):
        return []
    last = programme.after[-1]
    found = queries.fetch(
        book,
        f"""
        WITH late AS (SELECT account_id, count(*) AS late FROM lapsing
                      WHERE quarter = {queries.literal(last.label)} GROUP BY account_id)
        SELECT count(*) AS of, count(late) AS n, avg(coalesce(late, 0) / possible) AS size
        FROM ({queries.base(book, [last.index])}) c JOIN mine USING (account_id) LEFT JOIN late USING (account_id)
        WHERE possible > 0
        """,
        mine=programme.members.loc[programme.members["arm"] == TREATED, ["account_id"]],
    ).iloc[0]
    if found["of"] < enrolled.fewest_accounts(book):
        return []
    size, n = float(found["size"]), int(found["n"])
    return [_told(LAPSING, "programme", size, _matters(size, _change(panel)), n=n, of=int(found["of"]))]
