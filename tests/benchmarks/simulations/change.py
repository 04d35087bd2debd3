"""Changes of degree and shares: do their intervals cover, and how often do they cry wolf?

The world: accounts with 4 to 12 products possible and a skewed liking for them, holdings that mostly stay, gains
that follow the liking, a seventh of accounts lost (rather those that hold little) and as many new ones (Poisson;
they hold little), one product launched, one retired, some slots opened and closed by rules. The truth is the
same world with 3,000,000 accounts. For false positives each account's two times are exchanged with one
chance in two, so that nothing has changed; segments held against each other are then drawn by lot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kpilib import bridge
from kpilib.measures import splits, uncertainty
from kpilib.measures.uncertainty import Estimate

SIZES = (200, 1000, 5000)
TRUTH = 3_000_000
COVERS, FALSE = (0.93, 0.97), (0.03, 0.07)
CHUNK = 500_000  # accounts drawn at once
SLOTS, CHANCES = (4, 6, 8, 12), (0.35, 0.35, 0.2, 0.1)
TURNED = {"gained": "lost", "launched": "retired", "launched_held": "retired_held"}
TURNED |= {"opened": "closed", "opened_held": "closed_held"}
TURNED |= {f"{what}_earlier": f"{what}_later" for what in ("possible", "held")}

World = dict[str, np.ndarray[Any, Any]]


def simulate(repetitions: int, seed: int) -> pd.DataFrame:
    """Count how often each 95 % interval holds the truth, and how often it leaves out zero though nothing changed."""
    random = np.random.default_rng(seed)
    truth = {what: each.value for what, each in _measured(next(_worlds(random, 1, TRUTH))).items()}
    rows = []
    for accounts in SIZES:
        covered = [_covers(_measured(each), truth) for each in _worlds(random, repetitions, accounts)]
        wolf = [_clear(_measured(_exchanged(random, each))) for each in _worlds(random, repetitions, accounts)]
        rows += _rows("covers", accounts, pd.DataFrame(covered).mean(), *COVERS)
        rows += _rows("false positives", accounts, pd.DataFrame(wolf).mean(), *FALSE)
    return pd.DataFrame(rows).sort_values(["what", "accounts"], ignore_index=True)


def _rows(claim: str, accounts: int, found: pd.Series, low: float, high: float) -> list[dict[str, Any]]:
    # a gain is no gain less where times are exchanged: only sums and nets are then zero
    null = [what for what in found.index if claim == "covers" or what.split(", part ")[-1] not in bridge.PARTS]
    return [{"what": f"{what}: {claim}", "accounts": accounts, "measured": found[what], "low": low, "high": high}
            for what in null]  # fmt: skip


def _covers(found: Mapping[str, Estimate], truth: Mapping[str, float | None]) -> dict[str, bool]:
    return {what: each.low <= truth[what] <= each.high for what, each in found.items() if each.low is not None}


def _clear(found: Mapping[str, Estimate]) -> dict[str, bool]:
    return {what: each.low > 0 or each.high < 0 for what, each in found.items() if each.low is not None}


def _measured(world: World) -> dict[str, Estimate]:
    """Measure one world with everything the kit prints an interval for."""
    rows = pd.DataFrame(
        {name: each for name, each in world.items() if name not in ("segment", "lot")} | {"accounts": 1}
    )
    rows["group"] = np.where(world["segment"], "b", "a")
    told: dict[str, Estimate] = {}
    for kind in splits.KINDS:
        found = bridge.of(rows, kind=kind)
        told |= {f"{kind}, as reported": found.change, f"{kind}, same accounts": found.same}
        told |= {f"{kind}, part {row.part}": _estimate(row) for row in found.parts.itertuples()}
        told |= {f"{kind}, {row.about}": _estimate(row) for row in found.about.itertuples()}
        split = bridge.segments_of(rows, kind=kind)
        told[f"{kind}, within"] = split.within
        one = split.table.iloc[1]
        told[f"{kind}, within a group"] = Estimate(one["within"], one["within_low"], one["within_high"], 0)
        sides = splits.sides(rows, kind)
        told[f"{kind}, a group's part"] = sides.estimate(*splits.of_group(sides, world["segment"][_there(world)]))
    return told | _shares(world) | {"mean, segments apart (Welch)": _apart(world)}


def _estimate(row: Any) -> Estimate:
    known = row.low == row.low
    return Estimate(row.points, row.low if known else None, row.high if known else None, 0)


def _shares(world: World) -> dict[str, Estimate]:
    """Measure the share with two products or more, as reported and of the same accounts."""
    before, after = (world[f"held_{when}"] >= 2 for when in ("earlier", "later"))
    was, now = (world[f"possible_{when}"] > 0 for when in ("earlier", "later"))
    stays, ones = was & now, np.ones(len(was))
    cells = (before & after, before & ~after, ~before & after, ~before & ~after)
    told = [int((each & stays).sum()) for each in cells]
    return {
        "share with 2+, as reported": uncertainty.ratio_change((before & was, was), (after & now, now), ones),
        "share with 2+, same accounts (Newcombe)": uncertainty.share_change(*told),
    }


def _apart(world: World) -> Estimate:
    stays = (world["possible_earlier"] > 0) & (world["possible_later"] > 0)
    degrees = [world[f"held_{when}"][stays] / world[f"possible_{when}"][stays] for when in ("later", "earlier")]
    change, inside = degrees[0] - degrees[1], world.get("lot", world["segment"])[stays]
    ones = np.ones(len(change))
    return uncertainty.between(change[inside], ones[inside], change[~inside], ones[~inside])


def _there(world: World) -> np.ndarray[Any, Any]:
    return (world["possible_earlier"] > 0) | (world["possible_later"] > 0)


def _worlds(random: np.random.Generator, repetitions: int, accounts: int) -> Iterator[World]:
    """Draw worlds, many at once."""
    at_once = max(1, CHUNK // accounts)
    for first in range(0, repetitions, at_once):
        drawn = _drawn(random, min(at_once, repetitions - first), accounts)
        for number in range(len(drawn["segment"])):
            yield {name: each[number] for name, each in drawn.items()}


def _drawn(random: np.random.Generator, worlds: int, accounts: int) -> World:
    """Draw accounts there before, and new ones; a world that needs fewer new ones has some with nothing possible."""
    old = _old(random, (worlds, accounts))
    joined = random.poisson(0.153 * accounts, worlds)
    new = _new(random, (worlds, int(joined.max())))
    there = np.arange(joined.max()) < joined[:, None]
    new = {name: each * there for name, each in new.items()}
    empty = np.zeros_like(new["segment"], dtype=int)
    return {name: np.concatenate([each, new.get(name, empty)], axis=1) for name, each in old.items()}


def _old(random: np.random.Generator, shape: tuple[int, int]) -> World:
    def chance(share: Any) -> Any:
        return (random.random(shape) < share).astype(int)

    slots, likes = random.choice(SLOTS, shape, p=CHANCES), random.beta(0.8, 2.2, shape)
    had = 1 + random.binomial(slots - 1, likes)
    closed, retired = chance(0.06), chance(0.3)
    closed_held = closed * chance((had - 1) / slots)
    retired_held = retired * chance((had - closed_held - 1) / slots)
    kept, left = had - closed_held - retired_held, slots - closed - retired
    lost = random.binomial(np.maximum(kept - 1, 0), 0.1)
    gained = random.binomial(np.maximum(left - kept, 0), np.clip(0.1 * likes / (1 - likes + 1e-9), 0, 0.35) + 0.06)
    launched, opened = chance(0.5), chance(0.06)
    launched_held, opened_held = launched * chance(0.5 * likes), opened * chance(likes)
    stays = random.random(shape) >= 1 / (1 + np.exp(1.2 + 0.55 * (had - 1)))
    later = {
        **{"possible_later": left + launched + opened, "gained": gained, "lost": lost},
        "held_later": kept - lost + gained + launched_held + opened_held,
        **{"launched": launched, "launched_held": launched_held, "opened": opened, "opened_held": opened_held},
        **{"retired": retired, "retired_held": retired_held, "closed": closed, "closed_held": closed_held},
    }
    told = {"possible_earlier": slots, "held_earlier": had, **{name: each * stays for name, each in later.items()}}
    return told | {"segment": random.random(shape) < np.where(slots > 6, 0.7, 0.3)}


def _new(random: np.random.Generator, shape: tuple[int, int]) -> World:
    slots = random.choice(SLOTS, shape, p=CHANCES)
    has = 1 + random.binomial(slots - 1, 0.55 * random.beta(0.8, 2.2, shape))
    return {"possible_later": slots, "held_later": has, "segment": random.random(shape) < 0.4}


def _exchanged(random: np.random.Generator, world: World) -> World:
    """Exchange the two times of every other account; segments by lot."""
    turn = random.random(len(world["segment"])) < 0.5
    turned = {**TURNED, **{other: each for each, other in TURNED.items()}}
    told = {name: np.where(turn, world[turned[name]], each) for name, each in world.items() if name in turned}
    return told | {"segment": world["segment"], "lot": random.random(len(turn)) < 0.5}
