"""The technology firm: degree from 45 to 75 within a year, existing customers' revenue up by 25 %.

As published there was no control group. Here a random quarter of the enrolled customers was held out, and the market
moved too: what they did without the programme is known, customer by customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from random import Random

from kpilib.samples import firms
from kpilib.samples.firms import Customer, Firm, Holding, Product, Slot, Truth

SEED = 45_75
OPENING, MONTHS = "2022-01", 36
FIRST, TURN, LAST = date(2023, 1, 1), date(2024, 1, 1), date(2024, 12, 1)
BEFORE, AFTER = date(2023, 12, 31), date(2024, 12, 31)
START = date(2024, 1, 15)
PENETRATION = {BEFORE: 0.45, AFTER: 0.75}
GROWTH = 0.25
ROOM = 0.75  # customers below it were enrolled
HELD_OUT = 0.25
LIFT = 1.9  # how much faster the programme fills an open slot
BILLED = 1  # every so many months
OWNERS = (
    *("Amara Obi", "Bengt Lind", "Carla Reyes", "Dmitri Volkov"),
    *("Elif Kaya", "Fiona Walsh", "Goran Ilic", "Hana Sato"),
)
PRODUCTS = (
    Product("Core Platform", "Operations", Decimal(420), Decimal("0.74"), 3.2),
    Product("Workflow", "Operations", Decimal(260), Decimal("0.72"), 1.4),
    Product("Field Service", "Operations", Decimal(230), Decimal("0.66"), 0.0),
    Product("CRM Link", "Sales", Decimal(180), Decimal("0.78"), 0.8),
    Product("Quote Desk", "Sales", Decimal(150), Decimal("0.78"), 0.0),
    Product("Partner Portal", "Sales", Decimal(190), Decimal("0.70"), -0.6, sizes=("medium", "large")),
    Product("Identity", "Security", Decimal(140), Decimal("0.81"), 0.6),
    Product("Audit Trail", "Security", Decimal(120), Decimal("0.80"), -0.2),
    Product("Dashboards", "Insight", Decimal(130), Decimal("0.83"), 0.4),
    Product("Forecasting", "Insight", Decimal(210), Decimal("0.76"), -0.7, sizes=("medium", "large")),
)


def invent(works: bool = True, seed: int = SEED) -> Firm:
    """Invent the firm; without ``works``, its twin, in which the programme changed nothing.

    Both show the published figures: only the customers held out tell them apart.
    """
    draw = Random(seed)
    everyone = firms.customers(draw, 400, 72, MONTHS - 2, OPENING, 12, OWNERS)
    everyone = firms.leaving(draw, everyone, OPENING, MONTHS, 0.006)
    slots = firms.slots(draw, everyone, PRODUCTS, MONTHS)
    lots = [draw.random() for _ in everyone]

    def until(dial: float) -> list[Holding]:
        return firms.history(slots, OPENING, MONTHS, TURN, dial, gain=0.006, loss=0.004)

    level = firms.solved(lambda dial: _degree(everyone, until(dial), BEFORE), PENETRATION[BEFORE], -6, 4)
    known = until(level)
    programme = _programme(everyone, known, lots)
    lifts = {number: LIFT if works else 1.0 for number, held_out in programme.items() if not held_out}

    def year(dial: float) -> list[Holding]:
        return [*known, *firms.bought(slots, known, TURN, AFTER, dial, lifts)]

    pull = firms.solved(lambda dial: _degree(everyone, year(dial), AFTER), PENETRATION[AFTER], 0, 12)
    holdings = firms.priced(year(pull), BILLED, TURN, FIRST, LAST, GROWTH)
    truth = _truth(everyone, slots, known, pull, programme, lifts)
    return Firm(tuple(everyone), PRODUCTS, tuple(holdings), programme, truth)


def _degree(everyone: Sequence[Customer], holdings: Sequence[Holding], day: date) -> float:
    return firms.degree(everyone, PRODUCTS, holdings, day)


def _programme(everyone: Sequence[Customer], known: Sequence[Holding], lots: Sequence[float]) -> dict[int, bool]:
    """Enrol customers with room left, and hold a random share of them out."""
    found = {}
    for each, lot in zip(everyone, lots, strict=True):
        mine = [one for one in known if one.customer.number == each.number]
        if each.on_file(BEFORE) and _degree([each], mine, BEFORE) < ROOM:
            found[each.number] = lot < HELD_OUT
    return found


def _truth(
    everyone: Sequence[Customer],
    slots: Sequence[Slot],
    known: Sequence[Holding],
    dial: float,
    programme: dict[int, bool],
    lifts: dict[int, float],
) -> Truth:
    """Follow those in the programme who stayed, with it and without it; every other chance is the same."""
    mine = [each for each in everyone if each.number in lifts and each.on_file(AFTER)]
    before = _degree(mine, known, BEFORE)
    change = [
        _degree(mine, [*known, *firms.bought(slots, known, TURN, AFTER, dial, each)], AFTER) - before
        for each in (lifts, {})
    ]
    return Truth(len(programme), sum(programme.values()), *change)
