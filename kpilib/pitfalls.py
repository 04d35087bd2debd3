"""The published pitfalls of penetration as checks on a client's data: each is found, not found, or cannot be told.

A pitfall *fires* only where it is large enough to matter and more than chance: sizes and levels are the constants
below. Of revenue over a year, which is counted in full, the size decides. What a check needs and the engagement does
not have is named in ``lacks``; then ``fires`` is None, never False.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtrc, stdtrit

from kpilib import feedback, offered, revenue, targets
from kpilib.book import Book
from kpilib.engagement import Feedback, Target
from kpilib.measures import change, counts, degree, queries, uncertainty
from kpilib.measures.queries import Moment
from kpilib.measures.uncertainty import Estimate

LEVEL = 0.95
POINT = 0.01  # a mix or an entry effect below one point misleads nobody
CLEAR_MOVE = 0.02  # what a segment must have moved to be hidden by an average
LEAVING = 0.005  # half a point gained by losing accounts
ENOUGH = 20  # accounts at either end, below which intervals promise too much
HEARD = 0.10  # coverage of feedback below which it speaks for few
ANSWERED_WITHIN = 90  # days in which somebody should have called an unhappy customer
SHIPPED_FOR = 15  # products: as many as the shipped bands were made for
SHRINK = 20  # accounts at which a group's own top quarter counts as much as everybody's
TOP_QUARTER = 0.75
MEANS = ("account_penetration_degree", "multi_product_share", "products_per_account")
EARLIER, TARGET = "an earlier complete quarter", "a target"
REVENUE, EARLIER_REVENUE = "revenue", "revenue of an earlier period"


@dataclass(frozen=True)
class Finding:
    """One pitfall, looked for in one place.

    ``fires`` is None where ``lacks`` names what would be needed. ``about`` is the attribute, owner or KPI looked at;
    ``size`` how large it is in ``unit`` (points as a difference of shares, share, products, accounts) and ``n`` the
    accounts it rests on. ``figures`` are the numbers a sentence about it needs.
    """

    pitfall: str
    fires: bool | None
    about: str = ""
    size: float | None = None
    unit: str = "points"
    n: int | None = None
    lacks: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def check(book: Book, quarter: str, against: str | None = None) -> list[Finding]:
    """Look for every pitfall, against a year before where that is complete, else against the quarter before.

    Returns
    -------
    Findings in the order: averages that hide, feedback, growth carried by new accounts, owners, targets, bands.
    """
    at = queries.moment(book, quarter)
    before = against or change.last_year(book, at.label) or change.previous(book, at.label)
    moves = None if before is None else counts.transitions(book, before, at.label)
    return [
        *averages(book, at.label, before),
        feedback_heard(book, at.label),
        feedback_answered(book, at.label),
        *growth(moves),
        revenue_by_new(book, at.label),
        owners(book, at.label),
        *gaming(book, at.label, before, moves),
        catalogue(book, at.label),
    ]


def table(findings: list[Finding]) -> pd.DataFrame:
    """Lay findings out: pitfall, about, fires (True, False, missing), size, unit, n, lacks (text)."""
    rows = [vars(each) | {"lacks": ", ".join(each.lacks) or None} for each in findings]
    kinds = {"pitfall": "object", "about": "object", "fires": "boolean", "size": "float64", "unit": "object"}
    return degree.table(rows, kinds | {"n": "Int64", "lacks": "object"})


def averages(book: Book, quarter: str, against: str | None) -> list[Finding]:
    """Look whether the average hides what segments do, by each attribute the engagement segments by."""
    pitfalls = ("mix shift", "opposite movements")
    lacks = [] if book.engagement.segment_by else ["an attribute to segment by"]
    lacks += [] if against else [EARLIER]
    if lacks or against is None:
        return [Finding(each, None, lacks=tuple(lacks)) for each in pitfalls]
    found = []
    for by in book.engagement.segment_by:
        moves = counts.transitions(book, against, quarter, by)
        found += [mix_shift(moves, by), opposite_movements(moves, by)]
    return found


def mix_shift(moves: pd.DataFrame, about: str = "") -> Finding:
    """Compare the change of the mean degree with the changes within segments: Simpson's paradox.

    Takes the rows of :func:`kpilib.measures.counts.transitions` with ``by``. Fires where the mean clearly moved one
    way, its segments taken together clearly the other, and who is counted made up for a point or more.

    Notes
    -----
    Kitagawa (1955): within = sum over segments of mean weight × change of the segment's mean; mix is the rest of the
    change. The interval of within adds the segments' linearised variances: an account is in one segment only. A
    segment that is empty at one end has no change; all of it is mix.
    """
    total = _averages(moves)
    if total.value is None:
        return Finding("mix shift", None, about, n=total.n, lacks=(EARLIER,))
    within, low, high = _within(moves)
    mix = total.value - within
    enough = min(_with_degree(moves, when) for when in ("earlier", "later")) >= ENOUGH
    opposite = enough and _direction(total) * ((low > 0) - (high < 0)) < 0
    told = {"total": total.value, "within": within, "low": low, "high": high, "mix": mix}
    return Finding("mix shift", bool(opposite and abs(mix) >= POINT), about, mix, n=total.n, figures=told)


def opposite_movements(moves: pd.DataFrame, about: str = "") -> Finding:
    """Look for a segment that clearly rose beside one that clearly fell: an average of both says nothing.

    Each by two points or more, at a level shared among all segments (Bonferroni), with enough accounts at both ends.
    """
    groups = [(name, part) for name, part in moves.groupby("group", sort=True) if _enough(part)]
    level = 1 - (1 - LEVEL) / max(len(groups), 1)
    moved = {str(name): _averages(part, level) for name, part in groups}
    up = {name: each for name, each in moved.items() if _direction(each) > 0 and each.value >= CLEAR_MOVE}
    down = {name: each for name, each in moved.items() if _direction(each) < 0 and each.value <= -CLEAR_MOVE}
    n = int(moves["accounts"].sum())
    told = {"segments": len(groups), "total": _averages(moves).value}
    if not (up and down):
        return Finding("opposite movements", False, about, n=n, figures=told)
    rise, fall = max(up, key=lambda name: up[name].value), min(down, key=lambda name: down[name].value)
    told |= {"rose": rise, "rise": up[rise].value, "fell": fall, "fall": down[fall].value}
    return Finding("opposite movements", True, about, up[rise].value - down[fall].value, n=n, figures=told)


def feedback_heard(book: Book, quarter: str) -> Finding:
    """Look whether feedback is missing, or comes from too few: below a tenth of the accounts counted."""
    name = "feedback missing"
    found = feedback.coverage(book, quarter)
    base = int(counts.pairs(book, quarters=[quarter])["accounts"].sum())
    if not base:
        return Finding(name, None, unit="share", n=0, lacks=("accounts that are counted",))
    if found is None:
        return Finding(name, True, size=0.0, unit="share", n=base, figures={"table": False, "answered": 0})
    answered = int(found["answered"].iloc[0])
    share = answered / base
    told = {"table": True, "answered": answered}
    return Finding(name, share < HEARD, size=share, unit="share", n=base, figures=told)


def feedback_answered(book: Book, quarter: str) -> Finding:
    """Look whether unhappy customers heard from anybody: a low score, and no contact within 90 days after.

    Low is 6 or less from 0 to 10, else below the middle of the scale, which is neither low nor high. Only answers that
    lie 90 days back are judged. It fires where clearly more than half of these accounts had no contact (binomial,
    one-sided 2.5 %).
    """
    lacks = tuple(each for each in ("feedback", "interactions") if not book.has(each))
    if lacks:
        return Finding("feedback unused", None, unit="share", lacks=lacks)
    found = left_alone(*_unhappy(book, queries.moment(book, quarter)), book.engagement.minimum_cell)
    return replace(found, figures=found.figures | {"low": low_score(book.engagement.feedback)})


def left_alone(unhappy: int, alone: int, smallest: int = 5) -> Finding:
    """Judge how many of the unhappy accounts were left alone: clearly more than half, of enough of them.

    Example
    -------
    >>> left_alone(20, 15).fires, left_alone(20, 12).fires, left_alone(4, 4).fires
    (True, False, False)
    """
    chance = float(bdtrc(alone - 1, unhappy, 0.5)) if alone else 1.0
    told = {"unhappy": unhappy, "alone": alone, "days": ANSWERED_WITHIN}
    size = alone / unhappy if unhappy else None
    fires = unhappy >= smallest and chance <= 0.025
    return Finding("feedback unused", fires, "", size, "share", unhappy, figures=told)


def growth(moves: pd.DataFrame | None) -> list[Finding]:
    """Look whether new accounts carry the growth, by the degree and by products held.

    Takes the rows of :func:`kpilib.measures.counts.transitions`; None without an earlier quarter.
    """
    if moves is None:
        return [Finding("growth by new accounts", None, about, lacks=(EARLIER,)) for about in ("degree", "products")]
    return [degree_by_new(moves), products_by_new(moves)]


def revenue_by_new(book: Book, quarter: str) -> Finding:
    """Look whether new accounts carry the growth of revenue, over the longest comparison the data carry.

    Fires where revenue grew although the accounts of the earlier period bring less, by a hundredth or more. All their
    revenue is counted, so that they bring less is so and no estimate; whether the next year would be alike is another
    question, and the interval of their net retention (``low``, ``high``) stands beside it. One quarter against the one
    before has its season in it: there the interval must lie below 1 as well.
    """
    name, about = "growth by new accounts", "revenue"
    if not book.has("holdings"):
        return Finding(name, None, about, unit="share", lacks=(REVENUE,))
    spans = revenue.longest(book, quarter)
    if spans is None:
        return Finding(name, None, about, unit="share", lacks=(EARLIER_REVENUE,))
    kept = revenue.retention(book, quarter, **spans).iloc[0]
    amounts = revenue.growth_balance(book, quarter, **spans).set_index("part")["amount"]
    total, existing = amounts["later"] - amounts["earlier"], kept["after"] - kept["before"]
    n, size = int(kept["n"]), float(kept[revenue.GROWTH])
    told = {"total": total, "existing": existing, "currency": book.engagement.currency}
    told |= {each: kept[each] for each in ("net_revenue_retention", "low", "high")}
    told |= {each: str(kept[each]) for each in ("later", "earlier")}
    clear = spans != {"period": "quarter", "against": "previous"} or kept["high"] < 1
    fires = total > 0 and size <= -POINT and clear and n >= ENOUGH
    return Finding(name, bool(fires), about, size, "share", n, figures=told)


def degree_by_new(moves: pd.DataFrame) -> Finding:
    """Compare the change of all accounts with that of the balanced cohort, those with a degree both times.

    change of all = change of the cohort + entry (what new accounts add to the mean) + exit (what lost ones add by
    leaving), exactly. Fires where all clearly rose, the cohort clearly fell, and entry is the larger part.
    """
    total, same = _averages(moves), change.same_accounts(moves)
    if total.value is None or same.value is None:
        return Finding("growth by new accounts", None, "degree", lacks=(EARLIER,))
    entry, leaving = _entry_and_exit(moves)
    clear = _direction(total) > 0 > _direction(same)
    fires = bool(clear and entry > leaving and entry >= POINT and same.n >= ENOUGH)
    told = {"total": total.value, "same": same.value, "entry": entry, "exit": leaving}
    return Finding("growth by new accounts", fires, "degree", entry, n=total.n, figures=told)


def products_by_new(moves: pd.DataFrame) -> Finding:
    """Compare the products that new accounts bring with what the accounts of the earlier quarter added or lost.

    Lost accounts count as holding nothing, before they came new ones as well. Fires where products held clearly rose
    in all and clearly fell among the accounts of the earlier quarter (both paired t, with accounts as units).
    """
    weight = moves["accounts"].to_numpy(float)
    before, after = (moves[f"held_{when}"].where(moves[f"in_{when}"], 0) for when in ("earlier", "later"))
    there = moves["in_earlier"].to_numpy(bool)
    everyone = uncertainty.paired(before, after, weight, LEVEL)
    existing = uncertainty.paired(before[there], after[there], weight[there], LEVEL)
    if existing.value is None:
        return Finding("growth by new accounts", None, "products", unit="products", lacks=(EARLIER,))
    grown = (after - before) * moves["accounts"]
    told = {"new": int(grown[~there].sum()), "existing": int(grown[there].sum()), "total": int(grown.sum())}
    clear = _direction(everyone) > 0 > _direction(existing)
    fires = bool(clear and existing.n >= ENOUGH)
    size = float(told["existing"])
    return Finding("growth by new accounts", fires, "products", size, "products", existing.n, figures=told)


def by_tenure(book: Book, quarter: str) -> pd.DataFrame:
    """Degree by how long accounts have been customers: since they joined, else since they were first active.

    Somebody first active in a quarter has been there since its last day at least. Who was active as the data begin
    has been there so long or longer: that says something of three years, and of one or two where nobody's joining is
    known; of less it says nothing.

    Returns
    -------
    One row per tenure with accounts: years (completed, 0 to 3; 3 is three or more; missing where it is not known),
    accounts, n (with a degree), mean, pooled (0 to 1; missing where suppressed), suppressed.
    """
    at = queries.moment(book, quarter)
    found = queries.fetch(
        book,
        f"""
        WITH first AS (SELECT account_id, min(quarter) AS quarter FROM positions WHERE active GROUP BY account_id),
        since AS (
            SELECT c.possible, c.held,
                   a.joined_on IS NULL AND f.quarter = (SELECT min(quarter) FROM quarters) AS longer,
                   date_part('year', age(DATE '{at.as_of}' + 1, coalesce(a.joined_on, q.as_of))) AS years
            FROM ({queries.base(book, [at.index])}) c LEFT JOIN accounts a USING (account_id)
            LEFT JOIN first f USING (account_id) LEFT JOIN quarters q ON q.quarter = f.quarter
        )
        SELECT CASE WHEN years >= 3 THEN 3
                    WHEN longer AND (years = 0 OR (SELECT count(joined_on) FROM accounts) > 0) THEN NULL
                    ELSE years END AS years, possible, held, count(*) AS accounts
        FROM since GROUP BY ALL
        """,
        order=["years", "possible", "held"],
    )
    rows = [_of_tenure(years, part, book) for years, part in found.groupby("years", dropna=False, sort=True)]
    kinds = {"years": "Int64", "accounts": "int64", "n": "int64", "mean": "float64", "pooled": "float64"}
    return degree.table(rows, kinds | {"suppressed": "bool"})


def owners(book: Book, quarter: str) -> Finding:
    """Look for owners who never offer: nothing recorded, though that is no accident of few or odd customers."""
    name, lacks = "owners who never offer", offered.lacking(book)
    found = None if lacks else offered.by_owner(book, quarter)
    if found is None:
        return Finding(name, None, unit="accounts", lacks=tuple(lacks))
    silent = offered.never_offering(found)
    accounts = int(found.loc[found["never"], "accounts"].sum())
    told = {"owners": silent, "of": len(found)}
    return Finding(name, bool(silent), "", float(len(silent)), "owners", accounts, figures=told)


def gaming(book: Book, quarter: str, against: str | None, moves: pd.DataFrame | None = None) -> list[Finding]:
    """Look at targets that can be met without selling: by losing accounts, or that nobody like these reaches.

    ``moves`` are the transitions of all accounts from ``against``, where they are at hand.
    """
    at = queries.moment(book, quarter)
    index = book.engagement.calendar.parse
    ahead = [each for each in book.engagement.targets if index(each.quarter).index >= at.index]
    if not ahead:
        return [Finding(each, None, lacks=(TARGET,)) for each in ("target met by losing", "target out of reach")]
    degrees = [each for each in ahead if each.kpi == change.DEGREE]
    now = [each for each in degrees if index(each.quarter).index == at.index]
    losing = [Finding("target rises by losing", None, lacks=(EARLIER,))]
    if against is not None:
        moves = counts.transitions(book, against, quarter) if moves is None else moves
        losing = [rises_by_losing(book, moves, ahead)]
        losing += [_met_by_losing(book, quarter, against, each, moves) for each in now]
    return losing + [out_of_reach(book, at, each) for each in degrees]


def rises_by_losing(book: Book, moves: pd.DataFrame, ahead: list[Target]) -> Finding:
    """Look whether losing accounts raised the mean that a target is set on, where only active accounts are counted.

    Fires where the accounts lost since had clearly less than those that stayed (Welch) and their leaving alone raised
    the mean by half a point or more.
    """
    name = "target rises by losing"
    means = sorted({each.kpi for each in ahead if each.kpi in MEANS})
    gap, leaving, lost = _leaving(moves)
    fires = bool(means and book.base == "active" and _direction(gap) < 0 and leaving >= LEAVING)
    told = {"base": book.base, "lost": lost, "gap": gap.value, "kpis": means}
    return Finding(name, fires and lost >= book.engagement.minimum_cell, "", leaving, n=lost, figures=told)


def met_by_losing(moves: pd.DataFrame, target: float, about: str = "", smallest: int = 5) -> Finding:
    """Look whether a target of the mean degree is met only because accounts left or can buy nothing any more.

    Takes transitions of the target's accounts. Their mean is taken again with the lost ones at what they had: fires
    where the target is met without them and missed with them, and they had clearly less than the others (Welch).
    """
    now = moves[moves["possible_later"] > 0]
    gap, _, lost = _leaving(moves)
    gone = moves[(moves["possible_earlier"] > 0) & ~(moves["in_later"] & (moves["possible_later"] > 0))]
    with_them = pd.concat([_ratios(now, "later"), _ratios(gone, "earlier")])
    weights = np.concatenate([now["accounts"], gone["accounts"]]).astype(float)
    if not len(now):
        return Finding("target met by losing", None, about, lacks=("accounts with a degree",))
    reached = float(np.average(_ratios(now, "later"), weights=now["accounts"]))
    without = float(np.average(with_them, weights=weights))
    clear = _direction(gap) < 0 and lost >= smallest
    told = {"target": target, "actual": reached, "with_lost": without, "lost": lost}
    return Finding(
        "target met by losing",
        bool(clear and without < target <= reached),
        about,
        reached - without,
        n=lost,
        figures=told,
    )


def out_of_reach(book: Book, at: Moment, target: Target) -> Finding:
    """Look whether a target of the mean degree lies above what the best quarter of these accounts reaches today.

    Its 75th percentile, of groups shrunk towards that of all accounts: n / (n + 20) of its own.
    """
    mine = counts.pairs(book, where=targets.where_of(target), quarters=[at.label])
    n = degree.measured(mine).n
    about = _about(target)
    everyone = top_quarter(counts.pairs(book, quarters=[at.label]))
    if n < book.engagement.minimum_cell or everyone is None:
        return Finding("target out of reach", None, about, n=n, lacks=("enough accounts",))
    reach = (top_quarter(mine) * n + everyone * SHRINK) / (n + SHRINK)
    told = {"target": target.value, "reach": reach, "quarter": target.quarter}
    return Finding("target out of reach", bool(target.value > reach), about, target.value - reach, n=n, figures=told)


def top_quarter(pairs: pd.DataFrame) -> float | None:
    """Find the degree that the best quarter of accounts reaches: the 75th percentile, None without a degree.

    Example
    -------
    >>> top_quarter(pd.DataFrame({"possible": [4, 4, 4, 0], "held": [1, 2, 4, 0], "accounts": [2, 1, 1, 9]}))
    0.5
    """
    some = pairs[pairs["possible"] > 0]
    if some.empty:
        return None
    ratio = (some["held"] / some["possible"]).to_numpy()
    order = np.argsort(ratio, kind="stable")
    reached = np.cumsum(some["accounts"].to_numpy()[order])
    return float(ratio[order][np.searchsorted(reached, TOP_QUARTER * reached[-1])])


def catalogue(book: Book, quarter: str) -> Finding:
    """Look whether the shipped bands meet a catalogue of more products than they were made for."""
    products = degree.products_on_sale(book, quarter)
    shipped = book.engagement.has_shipped_bands
    accounts = int(counts.pairs(book, quarters=[quarter])["accounts"].sum())
    told = {"products": products, "made_for": SHIPPED_FOR, "shipped": shipped}
    return Finding(
        "catalogue too large for the bands",
        shipped and products > SHIPPED_FOR,
        "",
        float(products),
        "products",
        accounts,
        figures=told,
    )


def _averages(moves: pd.DataFrame, level: float = LEVEL) -> Estimate:
    """Estimate the change of the mean degree over whoever was counted each time."""
    ends = [(_ratios(moves, when), (moves[f"possible_{when}"] > 0).astype(float)) for when in ("earlier", "later")]
    return uncertainty.ratio_change(*ends, moves["accounts"].to_numpy(float), level)


def _direction(estimate: Estimate) -> int:
    """1 for a clear rise, -1 for a clear fall, else 0; where all accounts are alike there is no doubt to leave out."""
    if estimate.value is None or estimate.n < ENOUGH:
        return 0
    low, high = estimate.interval or (estimate.value, estimate.value)
    return (low > uncertainty.ROUNDING) - (high < -uncertainty.ROUNDING)


def _ratios(moves: pd.DataFrame, when: str) -> pd.Series:
    """Each row's degree, 0 where nothing is possible."""
    return moves[f"held_{when}"] / moves[f"possible_{when}"].clip(lower=1)


def _with_degree(moves: pd.DataFrame, when: str) -> int:
    return int(moves.loc[moves[f"possible_{when}"] > 0, "accounts"].sum())


def _enough(moves: pd.DataFrame) -> bool:
    return min(_with_degree(moves, "earlier"), _with_degree(moves, "later")) >= ENOUGH


def _within(moves: pd.DataFrame) -> tuple[float, float, float]:
    """Add up the changes of the segments' own means, at the mean of both weights, with limits."""
    everyone = {when: _with_degree(moves, when) for when in ("earlier", "later")}
    change_, variance = 0.0, 0.0
    for _, part in moves.groupby("group"):
        each = _averages(part)
        weight = sum(_with_degree(part, when) / everyone[when] for when in everyone) / 2
        if each.value is not None:
            change_ += weight * each.value
            variance += (weight * _error(each)) ** 2
    reach = float(stdtrit(max(min(everyone.values()) - 1, 1), (1 + LEVEL) / 2)) * sqrt(variance)
    return change_, change_ - reach, change_ + reach


def _error(estimate: Estimate) -> float:
    """The standard error behind an interval; none where there is none."""
    if estimate.interval is None:
        return 0.0
    return (estimate.high - estimate.low) / 2 / float(stdtrit(estimate.n - 1, (1 + LEVEL) / 2))


def _entry_and_exit(moves: pd.DataFrame) -> tuple[float, float]:
    """What new accounts add to the mean by coming, and lost ones by leaving."""
    both = (moves["possible_earlier"] > 0) & (moves["possible_later"] > 0)
    return (
        _mean(moves, "later") - _mean(moves[both], "later"),
        _mean(moves[both], "earlier") - _mean(moves, "earlier"),
    )


def _mean(moves: pd.DataFrame, when: str) -> float:
    some = moves[moves[f"possible_{when}"] > 0]
    return float(np.average(_ratios(some, when), weights=some["accounts"]))


def _leaving(moves: pd.DataFrame) -> tuple[Estimate, float, int]:
    """How far the lost accounts lay above those that stayed, what their leaving added to the mean, and their number."""
    had = moves[moves["possible_earlier"] > 0]
    stayed = had["in_later"] & (had["possible_later"] > 0)
    gone, there = had[~stayed], had[stayed]
    sides = [(_ratios(each, "earlier").to_numpy(), each["accounts"].to_numpy(float)) for each in (gone, there)]
    gap = uncertainty.between(*sides[0], *sides[1], LEVEL)
    leaving = _mean(there, "earlier") - _mean(had, "earlier") if len(there) else 0.0
    return gap, leaving, int(gone["accounts"].sum())


def _met_by_losing(book: Book, quarter: str, against: str, target: Target, moves: pd.DataFrame) -> Finding:
    """Take the transitions of a target's accounts; of several attributes, only all together can be told apart."""
    about, smallest = _about(target), book.engagement.minimum_cell
    if len(target.whose) > 1:
        return Finding("target met by losing", None, about, lacks=("a target of one attribute",))
    by = next(iter(target.whose), None)
    if by is not None:
        moves = counts.transitions(book, against, quarter, by)
        moves = moves[moves["group"] == target.whose[by]]
    return met_by_losing(moves, target.value, about, smallest)


def _about(target: Target) -> str:
    return ", ".join(f"{name}: {value}" for name, value in target.whose.items())


def _of_tenure(years: Any, part: pd.DataFrame, book: Book) -> dict[str, Any]:
    found = degree.measured(part)
    small = found.n < book.engagement.minimum_cell
    shares = {} if small else {"mean": found.mean, "pooled": found.pooled}
    known = None if pd.isna(years) else int(years)
    return {"years": known, "accounts": found.accounts, "n": found.n, "suppressed": small} | shares


def _unhappy(book: Book, at: Moment) -> tuple[int, int]:
    """Count accounts with a low answer long enough ago, and those nobody was in contact with after it."""
    limit, itself = low_score(book.engagement.feedback)
    low = f"score {'<=' if itself else '<'} {limit}"
    found = queries.fetch(
        book,
        f"""
        WITH low AS (
            SELECT account_id, max(day) AS day
            FROM feedback JOIN ({queries.base(book, [at.index])}) c USING (account_id)
            WHERE {low} AND day BETWEEN DATE '{at.window_start}' AND DATE '{at.as_of}' - {ANSWERED_WITHIN}
            GROUP BY account_id
        )
        SELECT count(*) AS unhappy, count(*) FILTER (NOT EXISTS (
            SELECT 1 FROM interactions i WHERE i.account_id = low.account_id
            AND i.day BETWEEN low.day AND low.day + {ANSWERED_WITHIN})) AS alone
        FROM low
        """,
    )
    return int(found["unhappy"].iloc[0]), int(found["alone"].iloc[0])


def low_score(told: Feedback | None) -> tuple[Decimal, bool]:
    """Say up to where a score is low, and whether the limit itself is.

    Example
    -------
    >>> low_score(None)
    (Decimal('6'), True)
    """
    scale = told.scale if told else feedback.NPS_SCALE
    return (Decimal(feedback.DETRACTORS), True) if scale == feedback.NPS_SCALE else ((scale[0] + scale[1]) / 2, False)
