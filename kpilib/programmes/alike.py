"""Whether both sides are as alike as a draw makes them: in what they are, had, and in what befell them since.

What was drawn (a customer, a territory) is put on the sides again and again, as many on each as there were: the share
of such draws that set the sides as far apart is the chance of it (Fisher 1935). That holds for any number of units,
and with six territories says little. All that is asked of one programme shares one level of 5 % (Bonferroni).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import queries
from kpilib.programmes.effect import Array, Panel
from kpilib.programmes.enrolled import TREATED, Programme

LEVEL = 0.05  # of all that is asked of a programme together
NEVER_BY_CHANCE = 0.001
DRAWS = 1999
MANY = 4000  # units; above, chi-square instead of draws
RARE = 100  # accounts; too few for chi-square
MOST = 20  # values of an attribute; all others are one
DEGREE, REVENUE = "penetration", "revenue"  # as a reader calls them
CATALOGUE, LOST, NEW, MIX = "catalogue", "lost", "new", "mix"
BEFELL = (CATALOGUE, LOST, NEW, MIX)


def chances(blocks: dict[str, Array], treated: Array, unit: Array) -> dict[str, float]:
    """Work out, for each block of values, how often a draw alone would set the sides as far apart.

    Parameters
    ----------
    blocks
        Accounts by values; NaN where an account is not asked. The columns of a block are judged together.
    treated
        Which accounts took part; all others are the other side.
    unit
        The number of what was drawn; what is on both sides counts as one on each.

    Returns
    -------
    The chance (0 to 1) by block; 1 where the sides cannot differ.

    Example
    -------
    >>> large = np.repeat([1.0, 0.0], 20)[:, None]
    >>> chances({"size": large}, large[:, 0] > 0, np.arange(40))["size"] < 0.001
    True
    """
    treated = treated.astype(bool)
    _, number = np.unique(unit * 2 + treated, return_inverse=True)
    side = np.bincount(number, treated) > 0
    if not blocks or side.all() or not side.any():
        return dict.fromkeys(blocks, 1.0)
    totals = {name: _totals(values, number) for name, values in blocks.items()}
    if len(side) > MANY:
        return {name: _by_formula(each, side, blocks[name]) for name, each in totals.items()}
    drawn = _draws(len(side), int(side.sum()))
    return {name: _by_draws(each, side, drawn) for name, each in totals.items()}


def _totals(values: Array, number: Array) -> Array:
    """Add up by unit how far its accounts lie from the mean of all; those not asked add nothing."""
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    excess = np.where(known, values - means, 0)
    return np.stack([np.bincount(number, column) for column in excess.T], axis=1)


def _draws(units: int, treated: int) -> Array:
    """Draw who takes part, anew each time and the same way every run: draws by units."""
    lots = np.random.default_rng(1935).random((DRAWS, units))
    return (lots <= np.partition(lots, treated - 1, axis=1)[:, [treated - 1]]).astype(float)


def _by_draws(totals: Array, side: Array, drawn: Array) -> float:
    spread = totals.var(axis=0)
    used = spread > 1e-18
    if not used.any():
        return 1.0
    totals = (totals - totals.mean(axis=0))[:, used] / np.sqrt(spread[used])
    mine = float((totals[side].sum(axis=0) ** 2).sum())
    others = ((drawn @ totals) ** 2).sum(axis=1)
    return float((1 + np.count_nonzero(others >= mine * (1 - 1e-9))) / (1 + DRAWS))


def _by_formula(totals: Array, side: Array, values: Array) -> float:
    from scipy.special import chdtrc

    shown = np.nan_to_num(values)
    common = np.count_nonzero(shown, axis=0) >= RARE
    totals = totals[:, common] - totals[:, common].mean(axis=0)
    if not totals.size or not totals.any():
        return 1.0
    units, treated = len(side), int(side.sum())
    spread = treated * (units - treated) / units * np.atleast_2d(np.cov(totals, rowvar=False))
    away = totals[side].sum(axis=0)
    freedom = int(np.linalg.matrix_rank(spread))
    return float(chdtrc(freedom, float(away @ np.linalg.pinv(spread) @ away))) if freedom else 1.0


def unlike(book: Book, programme: Programme, panel: Panel, against: str) -> tuple[list[str], list[str], set[str]]:
    """Find in what both sides differ by more than chance.

    Returns
    -------
    What they differ in as they were before the start (attributes of segment_by, penetration, revenue); what was
    asked; and what befell one side otherwise than the other since (catalogue, lost, new, mix).
    """
    mine = panel.side(TREATED) | panel.side(against)
    blocks = _as_they_were(book, panel)
    asked = list(blocks)
    blocks |= _since(book, programme, panel)
    found = chances({name: each[mine] for name, each in blocks.items()}, panel.side(TREATED)[mine], panel.unit[mine])
    apart = {name for name, chance in found.items() if chance < LEVEL / len(blocks)}
    return [each for each in asked if each in apart], asked, {each for each in BEFELL if f"since {each}" in apart}


def _as_they_were(book: Book, panel: Panel) -> dict[str, Array]:
    blocks = {by: _indicators(values) for by, values in _attributes(book, panel, book.engagement.segment_by).items()}
    degree = panel.degree[:, panel.ref]
    counted = np.isfinite(degree)
    blocks[DEGREE] = np.stack([degree, counted], axis=1)
    before = panel.revenue[:, ~panel.revenue_after][:, -4:]
    if before.any():
        blocks[REVENUE] = np.where(counted, before.mean(axis=1), np.nan)[:, None]
    return blocks


def _attributes(book: Book, panel: Panel, names: tuple[str, ...]) -> dict[str, Array]:
    """Values of account attributes, in the panel's order."""
    if not names:
        return {}
    told = ", ".join(f'{queries.value_of(book, by)} AS "by {place}"' for place, by in enumerate(names))
    rows = queries.fetch(book, f"SELECT account_id, {told} FROM accounts a").set_index("account_id")
    rows = rows.reindex(panel.account_id)
    return {by: rows[f"by {place}"].fillna("").to_numpy(str) for place, by in enumerate(names)}


def _indicators(values: Array) -> Array:
    """One column per value but the rarest, which follows from the others; rare ones of very many are one."""
    codes, known = pd.factorize(values)
    rank = np.argsort(np.argsort(-np.bincount(codes, minlength=len(known)), kind="stable"), kind="stable")
    place = np.minimum(rank[codes], MOST)
    return (place[:, None] == np.arange(max(1, min(len(known), MOST + 1) - 1))).astype(float)


def _since(book: Book, programme: Programme, panel: Panel) -> dict[str, Array]:
    """What changed who and what is counted: by account, as blocks to be compared."""
    was, now = np.isfinite(panel.degree[:, panel.ref]), np.isfinite(panel.degree[:, -1])
    come = now.astype(float) - was
    blocks = {LOST: np.where(was, come < 0, np.nan)[:, None], NEW: (come > 0).astype(float)[:, None]}
    blocks[CATALOGUE] = np.where((was & now)[:, None], _offered(book, programme, panel), np.nan)
    groups = _attributes(book, panel, book.engagement.segment_by)
    if groups:
        blocks[MIX] = np.concatenate([_indicators(each) * come[:, None] for each in groups.values()], axis=1)
    return {f"since {name}": each.astype(float) for name, each in blocks.items()}


def _offered(book: Book, programme: Programme, panel: Panel) -> Array:
    """Whether an account's possible products changed, and by how much that alone moved its degree."""
    rows = queries.fetch(
        book,
        f"""
        WITH {queries.both_ends(book, programme.before[-1].label, programme.after[-1].label)}
        SELECT account_id, {queries.offered_otherwise(book)}::INT AS changed,
               l.held / l.possible - e.held / e.possible - {queries.change_in_lasting(book)} AS size
        FROM e JOIN l USING (account_id) JOIN wanted USING (account_id) WHERE e.possible > 0 AND l.possible > 0
        """,
        wanted=pd.DataFrame({"account_id": panel.account_id}),
    )
    return rows.set_index("account_id").reindex(panel.account_id)[["changed", "size"]].to_numpy(float)


def one_sided(book: Book, panel: Panel, against: str) -> list[str]:
    """Name the attributes of which every value lies wholly on one side, as no draw of so many would have it."""
    mine = panel.side(TREATED) | panel.side(against)
    treated, unit = panel.side(TREATED)[mine], panel.unit[mine]
    share = len(np.unique(unit[treated])) / len(np.unique(unit))
    found = []
    for by, values in _attributes(book, panel, tuple(queries.attributes(book))).items():
        rows = pd.DataFrame({"value": values[mine], "treated": treated, "unit": unit})
        each = rows.groupby("value").agg(share=("treated", "mean"), units=("unit", "nunique"))
        chance = (share ** each["units"] + (1 - share) ** each["units"]).prod()
        if each["share"].isin([0, 1]).all() and chance < NEVER_BY_CHANCE:
            found.append(by)
    return found
