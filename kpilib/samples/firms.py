"""Invented firms with customers, products and subscriptions, whose true answers are known.

Only ``random.Random.random`` is drawn on: its stream is the same on every Python, so that the files are too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from math import exp
from random import Random

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Product:
    """What the firm sells: its monthly list price, its margin, and who may buy it from when."""

    name: str
    family: str
    price: Decimal
    margin: Decimal
    appeal: float
    launched: date | None = None
    sizes: tuple[str, ...] = ("small", "medium", "large")


@dataclass(frozen=True)
class Customer:
    """A customer and what makes it buy; ``taste`` is its own, beyond what its attributes tell."""

    number: int
    name: str
    size: str
    industry: str
    usage: str
    need: str
    territory: str
    owner: str
    taste: float
    joined: date
    left: date | None = None

    @property
    def id(self) -> str:
        """As the firm writes it."""
        return f"C{self.number:04d}"

    def on_file(self, day: date) -> bool:
        """Whether it was a customer on a day."""
        return self.joined <= day and (self.left is None or day < self.left)


@dataclass(frozen=True)
class Holding:
    """One product at one customer: from when until when, at what monthly fee."""

    customer: Customer
    product: Product
    start: date
    stop: date | None
    fee: Decimal = Decimal(0)
    bought: bool = False  # in the year of the programme

    def on(self, day: date) -> bool:
        """Whether it was held on a day."""
        return self.start <= day and (self.stop is None or day < self.stop)


@dataclass(frozen=True)
class Truth:
    """What happened, and what would have happened: the change of degree of those in the programme, in shares."""

    enrolled: int
    held_out: int
    with_programme: float
    without_programme: float

    @property
    def effect(self) -> float:
        """What the programme added to the degree of those who were in it."""
        return self.with_programme - self.without_programme


@dataclass(frozen=True)
class Firm:
    """Everything invented: who, what they hold, who was in the programme (number -> held out), and the truth."""

    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    holdings: tuple[Holding, ...]
    programme: dict[int, bool]
    truth: Truth


SIZES = {"small": Decimal(1), "medium": Decimal("2.4"), "large": Decimal("5.5")}
FIRST = (
    *("Alder", "Birch", "Cedar", "Delta", "Ember", "Falcon"),
    *("Granite", "Harbor", "Indigo", "Juniper", "Keystone", "Lantern"),
    *("Meridian", "Northgate", "Orchard", "Pinnacle", "Quarry", "Ridgeway"),
    *("Summit", "Tidewater", "Upland", "Vanguard", "Westbrook", "Yarrow"),
    *("Zenith", "Ashford", "Bluewater", "Copperfield"),
)
SECOND = (
    *("Logistics", "Foods", "Health", "Works", "Insurance", "Motors"),
    *("Media", "Energy", "Retail", "Partners", "Systems", "Textiles"),
    *("Chemicals", "Freight", "Packaging", "Pharma", "Glass", "Robotics"),
    *("Marine", "Dairy"),
)


def month(text: str, later: int = 0) -> date:
    """Return the first day of a month written ``2023-04``, or of one so many months later.

    Example
    -------
    >>> month("2023-11", 3)
    datetime.date(2024, 2, 1)
    """
    year, number = (int(each) for each in text.split("-"))
    count = year * 12 + number - 1 + later
    return date(count // 12, count % 12 + 1, 1)


def pick(draw: Random, choices: dict[str, float]) -> str:
    """Choose a key by its share."""
    point = draw.random() * sum(choices.values())
    for name, share in choices.items():
        point -= share
        if point < 0:
            return name
    return name


def customers(
    draw: Random, first: int, later: int, months: int, opening: str, territories: int, owners: Sequence[str]
) -> list[Customer]:
    """Invent customers: so many from the start, so many joining month by month; no two of one name."""
    names = sorted(f"{one} {other}" for one in FIRST for other in SECOND)
    found = []
    for number in range(1, first + later + 1):
        territory = int(draw.random() * territories)
        joined = month(opening, -12) if number <= first else month(opening, 1 + (number - first - 1) * months // later)
        size = pick(draw, {"small": 0.5, "medium": 0.35, "large": 0.15})
        found.append(
            Customer(
                number=number,
                name=names.pop(int(draw.random() * len(names))),
                size=size,
                industry=pick(draw, {"Manufacturing": 0.3, "Services": 0.3, "Retail": 0.22, "Public": 0.18}),
                usage=pick(draw, {"heavy": 0.3, "regular": 0.45, "light": 0.25}),
                need=pick(draw, {"growth": 0.35, "efficiency": 0.4, "compliance": 0.25}),
                territory=f"T{territory + 1:02d}",
                owner=owners[territory * len(owners) // territories],
                taste=sum(draw.random() for _ in range(12)) - 6,  # near enough to a normal deviate
                joined=joined,
            )
        )
    return found


def leaving(draw: Random, everyone: Iterable[Customer], opening: str, months: int, rate: float) -> list[Customer]:
    """Let some customers leave at a month's beginning; those with little taste for the firm more often."""
    gone = []
    for each in everyone:
        risk, left = rate * exp(-0.5 * each.taste), None
        for later in range(1, months):
            day = month(opening, later)
            if draw.random() < risk and day > each.joined and left is None:
                left = day
        gone.append(replace(each, left=left))
    return gone


def liking(customer: Customer, product: Product) -> float:
    """How much a customer is drawn to a product, on the scale of log odds."""
    usage = {"heavy": 0.6, "regular": 0.0, "light": -0.7}[customer.usage]
    size = {"small": -0.2, "medium": 0.1, "large": 0.4}[customer.size]
    fits = 0.5 if (customer.need, product.family) in FITS else 0.0
    return 0.7 * customer.taste + usage + size + product.appeal + fits


FITS = {("growth", "Sales"), ("efficiency", "Operations"), ("compliance", "Security"), ("growth", "Insight")}


def possible(customer: Customer, product: Product, day: date) -> bool:
    """Whether a product was on offer on a day, and open to a customer of that size."""
    return customer.size in product.sizes and (product.launched is None or product.launched <= day)


def degree(everyone: Sequence[Customer], products: Sequence[Product], holdings: Iterable[Holding], day: date) -> float:
    """Mean over the customers on file of products held ÷ products possible."""
    held: dict[int, int] = {}
    for each in holdings:
        if each.on(day) and each.customer.on_file(day):
            held[each.customer.number] = held.get(each.customer.number, 0) + 1
    on_file = [each for each in everyone if each.on_file(day)]
    could = {each.number: sum(possible(each, one, day) for one in products) for each in on_file}
    return sum(held.get(each.number, 0) / could[each.number] for each in on_file) / len(on_file)


@dataclass(frozen=True)
class Slot:
    """One customer and product, with the chances drawn for it: they do not change when a dial does."""

    customer: Customer
    product: Product
    liking: float
    first: float
    won: float
    when: float
    moves: tuple[float, ...]


def slots(draw: Random, everyone: Sequence[Customer], products: Sequence[Product], months: int) -> list[Slot]:
    """Draw the chances of every product that a customer of its size could hold."""
    pairs = [(each, product) for each in everyone for product in products if each.size in product.sizes]
    return [_slot(draw, customer, product, months) for customer, product in pairs]


def _slot(draw: Random, customer: Customer, product: Product, months: int) -> Slot:
    first, won, when = draw.random(), draw.random(), draw.random()
    return Slot(
        customer, product, liking(customer, product), first, won, when, tuple(draw.random() for _ in range(months))
    )


def history(
    slots: Sequence[Slot], opening: str, months: int, turn: date, dial: float, gain: float, loss: float
) -> list[Holding]:
    """What was held without any programme: first purchases, then a monthly coming and going.

    Nothing is bought from ``turn`` on; what is dropped is not bought again. A higher ``dial`` is more held at first.
    """
    found = []
    days = [month(opening, later) for later in range(months)]
    for each in slots:
        begin = max(each.customer.joined, month(opening, -12))
        odds = exp(each.liking + dial)
        available = each.product.launched is None or each.product.launched <= begin
        start, stop = (begin if available and each.first < odds / (1 + odds) else None), None
        for chance, day in zip(each.moves[1:], days[1:], strict=True):
            if day <= begin or stop is not None:
                continue
            if start is None and day < turn and chance < gain * odds / (1 + odds):
                start = day if possible(each.customer, each.product, day) else None
            elif start is not None and chance > 1 - loss / (1 + 0.5 * odds):
                stop = day
        if start is not None:
            found.append(Holding(each.customer, each.product, start, stop))
    return found


def bought(
    slots: Sequence[Slot], known: Sequence[Holding], turn: date, last: date, dial: float, lifts: dict[int, float]
) -> list[Holding]:
    """What is bought from ``turn`` on of what was never held: early in the year, more where it is liked.

    ``lifts`` says how much faster a customer's open slots are filled than without any programme (1 where missing).
    """
    taken = {(each.customer.number, each.product.name) for each in known}
    found = []
    for each in slots:
        pull = dial * lifts.get(each.customer.number, 1.0) * exp(0.35 * each.liking)
        if (each.customer.number, each.product.name) in taken or each.won >= 1 - exp(-pull):
            continue
        begin = max(each.customer.joined, each.product.launched or turn, turn)
        day = month(f"{begin:%Y-%m}", 1 + int(each.when * each.when * 6))
        if day <= last and (each.customer.left is None or day < each.customer.left):
            found.append(Holding(each.customer, each.product, day, None, bought=True))
    return found


def fee(customer: Customer, product: Product, share: float = 1.0) -> Decimal:
    """What a customer pays a month: list price by its size, times what is left after discount."""
    return (product.price * SIZES[customer.size] * Decimal(repr(share))).quantize(CENT, ROUND_HALF_UP)


def invoices(holding: Holding, every: int, first: date, last: date) -> list[tuple[date, Decimal]]:
    """Bill a holding every so many months from its start, until it or its customer ends: days and amounts."""
    stops = [each for each in (holding.stop, holding.customer.left) if each is not None]
    end, day, found = min([*stops, month(f"{last:%Y-%m}", 1)]), holding.start, []
    while day < end:
        if day >= first:
            found.append((day, holding.fee * every))
        day = month(f"{day:%Y-%m}", every)
    return found


def priced(
    holdings: Sequence[Holding], every: int, turn: date, first: date, last: date, growth: float
) -> list[Holding]:
    """Set fees: list price before, and so much less in the year that existing customers' revenue grew as published.

    Revenue from ``turn`` to ``last`` of those who paid from ``first`` on before it, against what they paid then.
    """
    listed = [replace(each, fee=fee(each.customer, each.product)) for each in holdings]
    paid = {each.customer.number for each in listed if invoices(each, every, first, month(f"{turn:%Y-%m}", -1))}

    def total(wanted: bool, begin: date, end: date) -> Decimal:
        mine = [each for each in listed if each.customer.number in paid and each.bought is wanted]
        return sum((amount for each in mine for _, amount in invoices(each, every, begin, end)), Decimal(0))

    before = total(False, first, month(f"{turn:%Y-%m}", -1))
    needed = before * (1 + Decimal(repr(growth))) - total(False, turn, last)
    share = float(needed / total(True, turn, last))
    return [replace(each, fee=fee(each.customer, each.product, share if each.bought else 1.0)) for each in holdings]


def growth(holdings: Iterable[Holding], every: int, first: date, turn: date, last: date) -> float:
    """Revenue from ``turn`` on of those who paid before it, against what they paid before, minus 1."""
    before: dict[int, Decimal] = {}
    after: dict[int, Decimal] = {}
    for each in holdings:
        for day, amount in invoices(each, every, first, last):
            year = after if day >= turn else before
            year[each.customer.number] = year.get(each.customer.number, Decimal(0)) + amount
    return float(sum(after.get(each, Decimal(0)) for each in before) / sum(before.values())) - 1


def solved(function: Callable[[float], float], wanted: float, low: float, high: float, steps: int = 32) -> float:
    """Find where a rising function takes a value, as near as its steps allow.

    Example
    -------
    >>> round(solved(lambda x: x * x, 2, 0, 2), 6)
    1.414214
    """
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return min((low, high), key=lambda each: abs(function(each) - wanted))
