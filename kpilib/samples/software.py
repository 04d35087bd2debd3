"""The mid-sized software firm: index from 12 to 28 within a year, existing customers' revenue up by 15 %.

Webinars and training went to some territories and not to others; meanwhile a CRM began to record nearly every offer,
and two product lines were launched. The index moves with all three, and only the territories left out say by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import exp
from random import Random

from kpilib.samples import firms
from kpilib.samples.firms import Customer, Firm, Holding, Product, Slot, Truth, month

SEED = 1233  # its territories were alike before; with the luck of one seed in nine they are not, and the kit says so
OPENING, MONTHS = "2022-01", 36
FIRST, TURN, LAST = date(2023, 1, 1), date(2024, 1, 1), date(2024, 12, 1)
BEFORE, AFTER = date(2023, 12, 31), date(2024, 12, 31)
START = date(2024, 2, 1)
INDEX = {BEFORE: (12, 100), AFTER: (28, 100)}
GROWTH = 0.15
TERRITORIES, LEFT_OUT = 20, 7
LIFT = 1.7
PULL = 0.16
BILLED = 3
LOGGED = {BEFORE: 0.5, AFTER: 0.95}  # wins that were recorded before the CRM, and with it
OWNERS = ("Ines Duarte", "Jonas Beck", "Keiko Mori", "Liam Byrne", "Marta Nowak")
PRODUCTS = (
    Product("Ledger", "Finance", Decimal(300), Decimal("0.71"), 1.6),
    Product("Payables", "Finance", Decimal(160), Decimal("0.74"), -0.4),
    Product("Expenses", "Finance", Decimal(90), Decimal("0.80"), -0.8),
    Product("Payroll", "People", Decimal(220), Decimal("0.68"), -0.3),
    Product("Rostering", "People", Decimal(140), Decimal("0.72"), -1.2),
    Product("Recruiting", "People", Decimal(150), Decimal("0.70"), -1.4, sizes=("medium", "large")),
    Product("Stock", "Operations", Decimal(180), Decimal("0.69"), -0.9),
    Product("Planning", "Operations", Decimal(240), Decimal("0.66"), -1.5, sizes=("medium", "large")),
    Product("Insight", "Insight", Decimal(120), Decimal("0.82"), -0.6, launched=date(2024, 3, 1)),
    Product("Assistant", "Insight", Decimal(110), Decimal("0.84"), -0.6, launched=date(2024, 6, 1)),
)


@dataclass(frozen=True)
class Offer:
    """A recorded opportunity: open while it has no closing day."""

    customer: Customer
    product: Product
    opened: date
    closed: date | None
    won: bool

    def stood(self, first: date, last: date) -> str | None:
        """How it stood on the last day of a window; None where it was neither open nor decided in it."""
        if self.opened > last:
            return None
        if self.closed is None or self.closed > last:
            return "open"
        return ("won" if self.won else "lost") if self.closed >= first else None


def invent(works: bool = True, seed: int = SEED) -> tuple[Firm, tuple[Offer, ...]]:
    """Invent the firm and its recorded offers; without ``works``, its twin, in which the programme changed nothing."""
    draw = Random(seed)
    everyone = firms.customers(draw, 320, 60, MONTHS - 2, OPENING, TERRITORIES, OWNERS)
    everyone = firms.leaving(draw, everyone, OPENING, MONTHS, 0.006)
    slots = firms.slots(draw, everyone, PRODUCTS, MONTHS)
    programme, lifts, luck = _roll_out(draw, everyone)
    known = firms.history(slots, OPENING, MONTHS, TURN, -1.7, gain=0.035, loss=0.01)
    with_it = {number: each * luck[number] for number, each in lifts.items()} if works else luck
    got = [*known, *firms.bought(slots, known, TURN, AFTER, PULL, with_it)]
    holdings = firms.priced(got, BILLED, TURN, FIRST, LAST, GROWTH)
    truth = _truth(everyone, slots, known, programme, (with_it, luck))
    firm = Firm(tuple(everyone), PRODUCTS, tuple(holdings), programme, truth)
    return firm, tuple(_offers(Random(seed + 1), firm))


def index(firm: Firm, offers: Iterable[Offer], last: date) -> tuple[int, int]:
    """Slots won and slots with an offer recorded in the twelve months to a day: possible then, customer on file."""
    stood: dict[tuple[int, str], set[str]] = {}
    first = date(last.year, 1, 1)
    for each in offers:
        how = each.stood(first, last)
        if how and each.customer.on_file(last) and firms.possible(each.customer, each.product, last):
            stood.setdefault((each.customer.number, each.product.name), set()).add(how)
    return sum("won" in each for each in stood.values()), len(stood)


def _roll_out(draw: Random, everyone: Sequence[Customer]) -> tuple[dict[int, bool], dict[int, float], dict[int, float]]:
    """Draw the territories that are left out, and the luck that each territory's year brings anyway."""
    territories = [f"T{number + 1:02d}" for number in range(TERRITORIES)]
    order = sorted((draw.random(), name) for name in territories)
    out = {name for _, name in order[:LEFT_OUT]}
    fortune = {name: exp(0.15 * (sum(draw.random() for _ in range(12)) - 6)) for name in territories}
    enrolled = [each for each in everyone if each.on_file(BEFORE)]
    programme = {each.number: each.territory in out for each in enrolled}
    lifts = {each.number: 1.0 if programme[each.number] else LIFT for each in enrolled}
    luck = {each.number: fortune[each.territory] for each in everyone}
    return programme, {each.number: lifts.get(each.number, 1.0) for each in everyone}, luck


def _truth(
    everyone: Sequence[Customer],
    slots: Sequence[Slot],
    known: Sequence[Holding],
    programme: dict[int, bool],
    worlds: Iterable[dict[int, float]],
) -> Truth:
    mine = [each for each in everyone if programme.get(each.number) is False and each.on_file(AFTER)]
    before = firms.degree(mine, PRODUCTS, known, BEFORE)
    change = [
        firms.degree(mine, PRODUCTS, [*known, *firms.bought(slots, known, TURN, AFTER, PULL, each)], AFTER) - before
        for each in worlds
    ]
    return Truth(len(programme), sum(programme.values()), *change)


def _offers(draw: Random, firm: Firm) -> list[Offer]:
    """Record wins as often as the firm did, then as many lost offers as make the index what was published."""
    found = _wins(draw, firm)
    held = {(each.customer.number, each.product.name) for each in firm.holdings}
    free = [
        (customer, product)
        for customer in firm.customers
        for product in firm.products
        if customer.size in product.sizes and (customer.number, product.name) not in held
    ]
    free = [pair for _, _, pair in sorted((draw.random(), number, each) for number, each in enumerate(free))]
    for last in (BEFORE, AFTER):
        found = _whole(firm, found, last)
        found += _lost(draw, firm, found, free, last)
    return sorted(found, key=lambda each: (each.opened, each.customer.number, each.product.name))


def _wins(draw: Random, firm: Firm) -> list[Offer]:
    found = []
    for each in firm.holdings:
        logged = draw.random() < LOGGED[AFTER if each.bought else BEFORE]
        opened = month(f"{each.start:%Y-%m}", -1 - int(draw.random() * 2))
        soonest = max(each.customer.joined, month(OPENING))
        if logged and opened >= soonest:
            found.append(Offer(each.customer, each.product, opened, each.start, True))
    return found


def _whole(firm: Firm, offers: list[Offer], last: date) -> list[Offer]:
    """Forget the few wins that keep the index from being a whole ratio: 12 % is 3 in 25, 28 % is 7 in 25."""
    step = 3 if last == BEFORE else 7
    mine = [each for each in offers if each.stood(date(last.year, 1, 1), last) == "won"]
    spare = index(firm, offers, last)[0] % step
    gone = []
    for each in reversed(mine):
        if len(gone) < spare and each.customer.on_file(last) and firms.possible(each.customer, each.product, last):
            gone.append(each)
    return [each for each in offers if each not in gone]


def _lost(
    draw: Random, firm: Firm, offers: Sequence[Offer], free: list[tuple[Customer, Product]], last: date
) -> list[Offer]:
    """Lose, within the year, as many offers on slots without any record as the published index needs."""
    won, recorded = index(firm, offers, last)
    share, whole = INDEX[last]
    missing = won * whole // share - recorded
    found: list[Offer] = []
    for customer, product in list(free):
        if len(found) == missing:
            break
        opened = month(f"{last.year}-{1 + int(draw.random() * 9):02d}", 0)
        soonest = max(customer.joined, product.launched or customer.joined)
        if customer.on_file(last) and firms.possible(customer, product, last) and soonest <= opened:
            closed = month(f"{opened:%Y-%m}", 1 + int(draw.random() * 2))
            found.append(Offer(customer, product, opened, closed, False))
            free.remove((customer, product))
    return found
