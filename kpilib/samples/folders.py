"""The invented firms as engagements: files as a client would send them, and an ``engagement.toml``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from kpilib.samples import firms, software, technology
from kpilib.samples.firms import Customer, Firm, Holding, month

Rows = Iterable[Sequence[Any]]

CHAPTERS = (
    "1_data_check",
    "2_penetration",
    "3_context",
    "4_segments",
    "5_whitespace",
    "6_before_after",
)  # of a case, before its own


def write(folder: Path) -> list[Path]:
    """Write both firms and their twins below a folder; return the engagements' folders."""
    made = []
    for works, twin in ((True, ""), (False, "_twin")):
        made += [
            _technology(folder / f"technology_firm{twin}", works),
            _software(folder / f"software_firm{twin}", works),
        ]
    return made


def _technology(folder: Path, works: bool) -> Path:
    firm = technology.invent(works)
    _customers(folder, firm)
    _table(folder, "subscriptions", "customer product start end monthly_fee", map(_subscription, _seen(firm)))
    chosen = "room left: below 75 %"
    enrolled = ((each.id, technology.START, out, chosen, cost) for each, out, cost in _enrolled(firm, 350))
    _table(folder, "programme", "customer start hold_out selected_on cost", enrolled)
    _feedback(folder, firm, Random(technology.SEED + 2), answering=(0.3, 0.55))
    _contacts(folder, firm, Random(technology.SEED + 3), {"outreach call": (0.15, 0.9), "usage review": (0.25, 0.45)})
    _wallet(folder, firm, Random(technology.SEED + 4))
    return _engagement(folder, TECHNOLOGY, firm, works, technology.BILLED, "7_case_technology_firm")


def _software(folder: Path, works: bool) -> Path:
    firm, offers = software.invent(works)
    _customers(folder, firm)
    bills = sorted(
        (day, each.customer.id, each.product.name, paid) for each in firm.holdings for day, paid in _bills(each)
    )
    _table(folder, "invoices", "date customer product amount", bills)
    enrolled = ((each.id, software.START, each.territory, out, cost) for each, out, cost in _enrolled(firm, 240))
    _table(folder, "programme", "customer start territory hold_out cost", enrolled)
    _table(folder, "offers", "customer product opened closed outcome owner", map(_offer, offers))
    _feedback(folder, firm, Random(software.SEED + 2), answering=(0.25, 0.35))
    _contacts(folder, firm, Random(software.SEED + 3), {"webinar": (0.1, 0.8), "training": (0.05, 0.6)})
    return _engagement(folder, SOFTWARE, firm, works, software.BILLED, "8_case_software_firm")


def _engagement(folder: Path, text: Template, firm: Firm, works: bool, every: int, case: str) -> Path:
    what = "" if works else "\n# Its twin: the same published figures, from a programme that changed nothing."
    told = {"what": what, "twin": "" if works else ", twin", **_totals(firm, every)}
    told["chapters"] = f"\nchapters = [{', '.join(map(_quoted, (*CHAPTERS, case)))}]" if works else ""
    _truth(folder, firm)
    (folder / "engagement.toml").write_text(text.substitute(told), encoding="utf-8", newline="\n")
    return folder


def _quoted(text: str) -> str:
    return f'"{text}"'


def _truth(folder: Path, firm: Firm) -> None:
    """What happened to those in the programme who stayed, and what would have happened without it."""
    truth = firm.truth
    shares = (f"{each:.9f}" for each in (truth.with_programme, truth.without_programme))
    columns = "enrolled held_out with_programme without_programme"
    _table(folder, "truth", columns, [(truth.enrolled, truth.held_out, *shares)])


def _enrolled(firm: Firm, cost: int) -> list[tuple[Customer, str, int]]:
    """Customers of the programme, whether they were held out, and what each of the others cost."""
    mine = [(each, firm.programme[each.number]) for each in firm.customers if each.number in firm.programme]
    return [(each, "yes" if out else "no", 0 if out else cost) for each, out in mine]


def _offer(offer: software.Offer) -> tuple[Any, ...]:
    outcome = "won" if offer.won else "lost"
    return offer.customer.id, offer.product.name, offer.opened, offer.closed, outcome, offer.customer.owner


def _customers(folder: Path, firm: Firm) -> None:
    columns = "customer name owner territory size industry usage need joined left"
    rows = ((each.id, *(getattr(each, name) for name in columns.split()[1:])) for each in firm.customers)
    _table(folder, "customers", columns, rows)
    _table(
        folder,
        "products",
        "product family launched margin list_price",
        ((each.name, each.family, each.launched, each.margin, each.price) for each in firm.products),
    )


def _seen(firm: Firm) -> list[Holding]:
    mine = [each for each in firm.holdings if each.start < min(_ends(each), default=date.max)]
    return sorted(mine, key=lambda each: (each.start, each.customer.number, each.product.name))


def _ends(holding: Holding) -> list[date]:
    return [each for each in (holding.stop, holding.customer.left) if each is not None]


def _subscription(holding: Holding) -> tuple[Any, ...]:
    stop = min(_ends(holding), default=None)
    return holding.customer.id, holding.product.name, holding.start, stop, holding.fee


def _bills(holding: Holding) -> list[tuple[date, Decimal]]:
    return firms.invoices(holding, software.BILLED, month(software.OPENING), software.LAST)


def _feedback(folder: Path, firm: Firm, draw: Random, answering: tuple[float, float]) -> None:
    """Ask everyone on file twice a year; those with a taste for the firm score higher."""
    rows = []
    for later in range(2, technology.MONTHS, 6):
        day = month(technology.OPENING, later) + timedelta(days=14)
        for each in firm.customers:
            answered = draw.random() < answering[day >= technology.TURN]
            score = round(6.6 + 1.1 * each.taste + 3 * (draw.random() - 0.5))
            if answered and each.on_file(day):
                rows.append((each.id, day, min(10, max(0, score))))
    _table(folder, "feedback", "customer date score", rows)


def _contacts(folder: Path, firm: Firm, draw: Random, kinds: dict[str, tuple[float, float]]) -> None:
    """Reach some customers after each round of answers; once the programme runs, those in it more, held-out never."""
    rows = []
    for later in range(3, technology.MONTHS, 6):
        day = month(technology.OPENING, later) + timedelta(days=9)
        for each in firm.customers:
            held_out = firm.programme.get(each.number) if day >= technology.TURN else None
            reached = [kind for kind, rate in kinds.items() if draw.random() < rate[held_out is False]]
            if each.on_file(day) and not held_out:
                rows += [(each.id, day, kind) for kind in reached]
    _table(folder, "contacts", "customer date kind", rows)


def _wallet(folder: Path, firm: Firm, draw: Random) -> None:
    """What a customer spends in a year on such products, with anyone: more than with this firm."""
    rows = []
    for each in firm.customers:
        paid = sum((one.fee for one in firm.holdings if one.customer == each and one.on(technology.AFTER)), Decimal(0))
        listed = sum((firms.fee(each, one) for one in firm.products if each.size in one.sizes), Decimal(0))
        spend = 12 * (paid + (listed - min(paid, listed)) * Decimal(repr(round(0.4 + 0.8 * draw.random(), 2))))
        if each.on_file(technology.AFTER):
            rows.append((each.id, spend.quantize(Decimal(1))))
    _table(folder, "spend", "customer yearly_spend", rows)


def _totals(firm: Firm, every: int) -> dict[str, Any]:
    """What the firm's books say of the last quarter, added up from what was invented."""
    first, last = date(2024, 10, 1), date(2024, 12, 1)
    paid = sum((amount for each in firm.holdings for _, amount in firms.invoices(each, every, first, last)), Decimal(0))
    return {"revenue": paid, "accounts": sum(each.on_file(technology.AFTER) for each in firm.customers)}


def _table(folder: Path, name: str, columns: str, rows: Rows) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split())
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)


TECHNOLOGY = Template("""\
# The leading technology firm of the published case: degree 45 -> 75 within a year, existing customers' revenue
# +25 %.$what
# Invented and seeded (python -m kpilib.samples); no real customer is in it.

client = "Technology firm (invented$twin)"
industry = "software"
currency = "USD"
data_from = 2022-01-01
data_to = 2024-12-31
base = "all"
segment_by = ["usage", "need", "size"]$chapters

[sources.subscriptions]
path = "subscriptions.csv"

[sources.invoices] # every subscription is billed on the first of each month
sql = '''
select _file, _record, customer, product, cast(billed as date) as date, cast(monthly_fee as decimal(18, 4)) as amount
from subscriptions, unnest(generate_series(cast(start as date), date '2024-12-01', interval 1 month)) as months(billed)
where billed >= date '2022-01-01' and ("end" is null or billed < cast("end" as date))
'''

[sources.customers]
path = "customers.csv"

[sources.products]
path = "products.csv"

[sources.programme]
path = "programme.csv"

[sources.feedback]
path = "feedback.csv"

[sources.contacts]
path = "contacts.csv"

[sources.spend]
path = "spend.csv"

[[evidence]]
kind = "subscriptions"
source = "subscriptions"
columns = { account_id = "customer", product_id = "product" }

[[evidence]]
kind = "revenue"
source = "invoices"
columns = { account_id = "customer", product_id = "product", revenue = "amount" }

[catalogue]
source = "products"
columns = { product_id = "product" }

[[eligibility]] # made for teams that small customers do not have
products = ["Partner Portal", "Forecasting"]
where = { size = ["medium", "large"] }

[accounts]
source = "customers"
columns = { account_id = "customer", name = "name", owner = "owner", joined_on = "joined", left_on = "left" }
attributes = ["territory", "size", "industry", "usage", "need"]
complete = true

[programmes]
source = "programme"
name = "Targeted outreach"
unit = "customer" # drawn customer by customer
columns = { account_id = "customer" }

[feedback]
source = "feedback"
scale = [0, 10]
columns = { account_id = "customer" }

[interactions]
source = "contacts"
columns = { account_id = "customer" }

[wallet]
source = "spend"
columns = { account_id = "customer", spend = "yearly_spend" }

[[targets]]
quarter = "2024Q4"
kpi = "account_penetration_degree"
value = 0.70

[[targets]]
quarter = "2025Q4"
kpi = "account_penetration_degree"
value = 0.80

[[control_totals]]
quarter = "2024Q4"
revenue = $revenue
accounts = $accounts
""")

SOFTWARE = Template("""\
# The mid-sized software firm of the published case: index 12 -> 28 within a year, existing customers' revenue
# +15 %.$what
# Invented and seeded (python -m kpilib.samples); no real customer is in it.

client = "Software firm (invented$twin)"
industry = "software"
currency = "EUR"
data_from = 2022-01-01
data_to = 2024-12-31
base = "all"
segment_by = ["size", "industry", "usage"]$chapters

[sources.invoices]
path = "invoices.csv"

[sources.customers]
path = "customers.csv"

[sources.products]
path = "products.csv"

[sources.offers]
path = "offers.csv"

[sources.programme]
path = "programme.csv"

[sources.feedback]
path = "feedback.csv"

[sources.contacts]
path = "contacts.csv"

[[evidence]] # licences are invoiced every three months
kind = "sales"
source = "invoices"
columns = { account_id = "customer", product_id = "product", revenue = "amount" }

[catalogue] # Insight and Assistant were launched in the year of the programme
source = "products"
columns = { product_id = "product" }

[[eligibility]]
products = ["Recruiting", "Planning"]
where = { size = ["medium", "large"] }

[accounts]
source = "customers"
columns = { account_id = "customer", name = "name", owner = "owner", joined_on = "joined", left_on = "left" }
attributes = ["territory", "size", "industry", "usage", "need"]
complete = true

[opportunities]
source = "offers"
columns = { account_id = "customer", product_id = "product", status = "outcome" }

[programmes]
source = "programme"
name = "Webinars and training"
unit = "territory" # rolled out territory by territory
columns = { account_id = "customer", unit = "territory" }

[feedback]
source = "feedback"
scale = [0, 10]
columns = { account_id = "customer" }

[interactions]
source = "contacts"
columns = { account_id = "customer" }

[[targets]]
quarter = "2024Q4"
kpi = "account_penetration_degree"
value = 0.30

[[control_totals]]
quarter = "2024Q4"
revenue = $revenue
accounts = $accounts
""")
