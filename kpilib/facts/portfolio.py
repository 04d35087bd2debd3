"""The checked canonical tables of one client, together with the engine they live in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from kpilib.engagement import Engagement, Evidence, Source
from kpilib.errors import DataError, listed, near, refuse
from kpilib.facts import catalogue, checks, doubts, eligibility, intake, offers, plans, records, sources
from kpilib.facts.checks import Judged, Rules
from kpilib.facts.eligibility import Rule
from kpilib.facts.sources import Reading
from kpilib.quarters import Quarter
from kpilib.sql import literals, quoted

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from duckdb import DuckDBPyConnection

SHAPES = {
    "sales": "account_id, product_id, day, quantity, revenue",
    "invoices": "account_id, product_id, day, revenue",
    "spans": "account_id, product_id, day as start, stop, coalesce(quantity, 1) as quantity",
    "snapshots": "account_id, product_id, day",
}
PARTS = {
    "sales": "sales",
    "revenue": "invoices",
    "subscriptions": "spans",
    "installed": "spans",
    "snapshot": "snapshots",
}


UNREAD = ("unreadable_date", "unreadable_amount", "outside_calendar")


@dataclass(frozen=True)
class Portfolio:
    """Accounts, products, evidence and eligibility of one client; every row has passed the checks.

    ``sales``: account_id, product_id, day, quantity, revenue; a product that the line cannot prove is null.
    ``invoices``: revenue that proves nothing. ``spans``: account_id, product_id, start, stop, quantity.
    ``snapshots``: account_id, product_id, day. ``accounts``: account_id, in_table, joined_on, left_on and the
    attributes as text. ``products``: one row per product of the catalogue, in order: product_id, family,
    launched, retired, lookback_quarters.
    """

    engagement: Engagement
    con: Any
    products: pd.DataFrame
    accounts: ir.Table
    attributes: tuple[str, ...]
    sales: ir.Table | None
    invoices: ir.Table | None
    spans: ir.Table | None
    snapshots: ir.Table | None
    eligibility: tuple[Rule, ...]
    readings: dict[str, Reading]
    ledger: pd.DataFrame
    totals: pd.DataFrame

    @property
    def db(self) -> DuckDBPyConnection:
        """The engine itself, with every view of the intake."""
        return self.con.con

    @property
    def quarters(self) -> tuple[Quarter, ...]:
        """Every quarter the data touch, oldest first."""
        return self.engagement.quarters


def load(engagement: Engagement) -> Portfolio:
    """Read a client's facts and check every row.

    Raises
    ------
    SourceError, ColumnError, DataError
        What cannot be read, is not there, or would have to be guessed.
    """
    import ibis

    # a file written anew within a second would be taken for the one before it
    con = ibis.duckdb.connect(temp_directory=tempfile.gettempdir(), enable_external_file_cache=False)
    db = con.con
    readings = sources.read(db, engagement)
    intake.refuse_missing_columns(engagement, readings)
    attributes = intake.accounts(db, engagement, readings)
    _refuse_unknown_attributes(engagement, attributes)
    catalogue.grain(db, engagement, readings)
    intake.refuse_mixed_currencies(db, engagement, readings)
    views = [
        intake.evidence(db, number, each, engagement, readings) for number, each in enumerate(engagement.evidence, 1)
    ]
    products = catalogue.products(db, engagement, readings, views)
    _refuse_retired_before_launched(products)
    _refuse_unknown_products(engagement, list(products["product_id"]))
    plans.refuse_unknown(db, engagement, attributes, list(products["product_id"]))
    for key in SLOT_COLUMNS:
        if getattr(engagement, key) is not None:
            getattr(offers, key)(db, engagement, readings)
    for key in records.COLUMNS:
        if getattr(engagement, key) is not None:
            records.view(db, key, engagement, readings)
    tables, evidences = judged_tables(engagement), len(engagement.evidence)
    among = "accounts_given" if engagement.accounts is not None else None
    judged = [_judged(db, *each, among) for each in tables[:evidences]]
    _refuse_multiplied_rows(db, engagement, readings, judged)
    parts = _parts(db, engagement)
    strangers = {"unlisted_account", "unknown_account"} & {rule for each in judged for rule in each.broken}
    _accounts(db, engagement, bool(strangers))
    told = doubts.two_spellings(db, engagement) if strangers else []
    judged += [_judged(db, *each, "accounts") for each in tables[evidences:]]
    _records(db, engagement)
    _monthly(db, engagement)
    told += [*doubts.outside_nothing(db, engagement), *doubts.missing_snapshots(db, engagement)]
    unread = sum(each.ledger.loc[each.ledger["rule"].isin(UNREAD), "rows"].sum() for each in judged[:evidences])
    ledgers = [each.ledger for each in judged] + _missing_months(db, engagement, parts, int(unread))
    ledgers.append(pd.DataFrame(told, columns=checks.LEDGER))
    return Portfolio(
        engagement=engagement,
        con=con,
        products=products,
        accounts=con.table("accounts"),
        attributes=tuple(attributes),
        **{name: con.table(name) if name in parts else None for name in SHAPES},
        eligibility=eligibility.rules(db, engagement, readings, list(products["product_id"]), attributes),
        readings=readings,
        ledger=pd.DataFrame([row for each in ledgers for row in each.to_dict("records")], columns=checks.LEDGER),
        totals=pd.concat([each.totals for each in judged], ignore_index=True),
    )


def label_of(number: int, evidence: Evidence) -> str:
    """Name an evidence table to people."""
    return f"{evidence.kind}: {evidence.source or 'rows in engagement.toml'} [{number}]"


def rules_of(evidence: Evidence, engagement: Engagement) -> Rules:
    """The rules for one evidence table, in the order that decides which of them owns a row."""
    dated = evidence.kind in ("sales", "revenue", "snapshot")
    has_table = engagement.accounts is not None
    complete = has_table and engagement.accounts.complete
    unlisted = "account_id is not null and not in_table"
    named = "item_id is not null and " if evidence.kind == "revenue" else ""
    set_aside = {
        "no_account": "account_id is null",
        "unknown_account": unlisted if complete else "",
        "unreadable_date": "day is null or bad_stop",
        "outside_calendar": checks.outside_calendar(engagement) if dated else "",
        "unreadable_amount": "bad_amount",
        "unknown_product": f"{named}status is null",
        "repeated_line": "repeat" if evidence.duplicates == "set aside" else "",
    }
    flags = {
        "unlisted_account": unlisted if has_table and not complete else "",
        "outside_catalogue": "status = 'outside'",
        "zero_quantity": "" if evidence.wide else "quantity = 0",
        "zero_revenue": "revenue = 0",
        "repeated_line": "repeat" if evidence.duplicates == "keep" else "",
        "ends_before_start": "stop <= day" if evidence.kind in ("subscriptions", "installed") else "",
        "blank_cell": "blank" if evidence.wide else "",
        "contradicting_rows": "contradicts" if evidence.wide else "",
        "between_quarters": _between_quarters(engagement) if evidence.kind == "snapshot" else "",
    }
    return Rules.of(set_aside, flags, _remedies(evidence, engagement), "also_unread")


def _remedies(evidence: Evidence, engagement: Engagement) -> dict[str, str]:
    """What to do where formats are declared already, and where a grain stands between items and products."""
    found, source = {}, engagement.sources.get(evidence.source or "")
    if source is not None and source.date_format:
        formats = source.date_format
        found["unreadable_date"] = f"date_format is {listed(formats)}: correct it, or add the other format to it."
        if any(word in each for each in formats for word in ("%b", "%B")):
            found["unreadable_date"] += " Names of months are read in English only: write others as numbers (sql)."
    if source is not None and (amounts := _declared_amounts(source)):
        found["unreadable_amount"] = amounts
    if engagement.grain is not None:
        found["unknown_product"] = "Map them in [grain]: to a product of the catalogue, or to one in catalogue.outside."
    return found


def _declared_amounts(source: Source) -> str:
    """What to do where the source says how amounts are written, or a part of it."""
    names = ("decimal", "thousands")
    told = [f"{name} is {getattr(source, name)!r}" for name in names if name in source.model_fields_set]
    untold = [name for name in names if name not in source.model_fields_set]
    if not told:
        return ""
    also = f" Declare {untold[0]} too where the amounts have it." if untold else ""
    return f"{' and '.join(told)}: correct what is declared otherwise than written, or mend what is no number.{also}"


def _between_quarters(engagement: Engagement) -> str:
    ends = ", ".join(f"date '{each.last_day}'" for each in engagement.quarters)
    return f"day not in ({ends})"


def _judged(db: DuckDBPyConnection, name: str, label: str, rules: Rules, among: str | None) -> Judged:
    """Judge one table; leave ``judged NAME`` (every row) and ``used NAME`` (what may be counted).

    ``in_table`` tells whether the account is ``among`` the accounts of a table: evidence adds accounts to those
    given, so it is held against those; all else is held against all that are counted.
    """
    join = f"left join {among} a on a.account_id = e.account_id" if among else ""
    db.execute(
        f"create view {quoted(f'judged {name}')} as select e.*, k.status, "
        f"{'a.account_id is not null' if among else 'true'} as in_table from {intake.with_repeats(db, name)} e "
        f"left join known_products k on k.product_id = e.product_id {join}"
    )
    judged = checks.judge(db, label, f"judged {name}", rules)
    broken = {*judged.broken} & {*rules.set_aside}
    rows = quoted(f"evidence {name}")
    if {"unknown_account", "unknown_product"} & broken:
        rows = quoted(f"judged {name}")
    elif "repeated_line" in broken:
        rows = intake.with_repeats(db, name)
    db.execute(
        f"create view {quoted(f'used {name}')} as select * from {rows} where {checks.used(rules, judged.broken)}"
    )
    return judged


def judged_tables(engagement: Engagement) -> list[tuple[str, str, Rules]]:
    """Every table that rules judge: its name in the engine, its label for people, its rules."""
    tables = [
        (str(number), label_of(number, each), rules_of(each, engagement))
        for number, each in enumerate(engagement.evidence, 1)
    ]
    tables += [(key, key, slot_rules(key)) for key in SLOT_COLUMNS]
    tables += [(key, key, records.rules(key, engagement)) for key in records.COLUMNS]
    return [each for each in tables if each[0].isdigit() or getattr(engagement, each[0]) is not None]


def slot_rules(key: str) -> Rules:
    """The rules for opportunities and for blocked slots."""
    offered = key == "opportunities"
    undated = "day is null or bad_stop" if offered else "bad_stop"
    flags = {
        "no_such_account": "account_id is not null and not in_table",
        "outside_catalogue": "status = 'outside'",
        "closed_before_opened": "status_word <> 'open' and stop < day" if offered else "",
    }
    return Rules.of(
        {"no_account": "account_id is null", "unreadable_date": undated, "unknown_product": "status is null"}, flags
    )


SLOT_COLUMNS = {
    "opportunities": "account_id, product_id, status_word as status, day as opened, stop as closed, owner",
    "blocked": "account_id, product_id, reason, day as start, stop",
}


def _parts(db: DuckDBPyConnection, engagement: Engagement) -> set[str]:
    """Unite the used rows of every evidence table by what they prove."""
    selects: dict[str, list[str]] = {}
    for number, each in enumerate(engagement.evidence, 1):
        name = PARTS[each.kind]
        held = " where quantity is null or quantity > 0" if each.kind == "snapshot" else ""
        shape = SHAPES[name].replace("product_id", proves(each))
        selects.setdefault(name, []).append(f"select {shape} from {quoted(f'used {number}')}{held}")
    for name, parts in selects.items():
        db.execute(f"create view {name} as {' union all '.join(parts)}")
    return set(selects)


def proves(evidence: Evidence) -> str:
    """SQL for the product a row proves: null where this table speaks of others only."""
    if not evidence.products:
        return "product_id"
    return f"case when product_id in ({literals(evidence.products)}) then product_id end as product_id"


def _accounts(db: DuckDBPyConnection, engagement: Engagement, unlisted: bool) -> None:
    """Unite the accounts table with the accounts that only the facts know."""
    db.execute("create table accounts as select *, true as in_table from accounts_given")
    if unlisted or engagement.accounts is None:
        complete = engagement.accounts is not None and engagement.accounts.complete
        views = [f"{'evidence' if complete else 'used'} {n}" for n in range(1, len(engagement.evidence) + 1)]
        seen = " union ".join(f"select distinct account_id from {quoted(each)}" for each in views)
        db.execute(f"create temp table seen_accounts as select * from ({seen}) where account_id is not null")
        if engagement.accounts is not None:
            doubts.refuse_strangers(db)
        if not complete:
            db.execute(
                "insert into accounts by name select account_id, false as in_table from seen_accounts "
                "where account_id not in (select account_id from accounts_given)"
            )


def _records(db: DuckDBPyConnection, engagement: Engagement) -> None:
    """Keep what is recorded of slots and of accounts, where the engagement has it."""
    for key, own in {**SLOT_COLUMNS, **records.COLUMNS}.items():
        if getattr(engagement, key) is not None:
            db.execute(f"create table {key} as select {own} from {quoted(f'used {key}')} order by all")


def _monthly(db: DuckDBPyConnection, engagement: Engagement) -> None:
    """Lines and revenue by month and product; what lies outside the catalogue keeps its own name.

    Lines of products of the catalogue that their table does not prove have no product and the status ``unproven``.
    """
    lines = " union all ".join(
        f"select product_id as named, {proves(each)}, day, revenue from {quoted(f'used {number}')}"
        for number, each in enumerate(engagement.evidence, 1)
        if each.kind in ("sales", "revenue")
    )
    nothing = "null::varchar as named, null::varchar as product_id, null::date as day, null::decimal(18, 4) as revenue"
    db.execute(
        "create table monthly as select date_trunc('month', day)::date as month, l.product_id, "
        "case when l.product_id is null and k.status = 'catalogue' then 'unproven' else coalesce(k.status, 'outside') "
        "end as status, count(*) as lines, sum(revenue) as revenue "
        f"from ({lines or f'select {nothing} where false'}) l left join known_products k on k.product_id = l.named "
        "group by all order by all"
    )


def _missing_months(db: DuckDBPyConnection, engagement: Engagement, parts: set[str], unread: int) -> list[pd.DataFrame]:
    if not {"sales", "invoices"} & parts:
        return []
    delivered = {each[0] for each in db.execute("select distinct month from monthly").fetchall()}
    months, day = [], engagement.data_from.replace(day=1)
    while day <= engagement.data_to:
        months.append(day)
        day = (day + timedelta(days=31)).replace(day=1)
    missing = [f"{each:%Y-%m}" for each in months if each not in delivered]
    first = (
        f"First mend the {unread:,} lines set aside with dates or amounts: they may be of these months."
        if unread
        else ""
    )
    entry = checks.entry("all lines", "month_without_lines", len(missing), [", ".join(missing)], first)
    rows = [entry] if missing else []
    return [pd.DataFrame(rows, columns=checks.LEDGER)]


def _refuse_multiplied_rows(
    db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading], judged: list[Judged]
) -> None:
    """A join of the intake must never make two rows of one: that would reconcile and be wrong."""
    for number, (each, found) in enumerate(zip(engagement.evidence, judged, strict=False), 1):
        rows = sources.table(db, f"evidence[{number}]", each, readings).rows if each.source else len(each.rows)
        cells = rows * len(each.wide.products) if each.wide else rows
        if found.totals["rows_read"].iloc[0] != cells:
            raise RuntimeError(f"{cells} rows of evidence {number} became {found.totals['rows_read'].iloc[0]}")


def _refuse_unknown_products(engagement: Engagement, products: list[str]) -> None:
    named = {f"evidence[{n}].products": each.products for n, each in enumerate(engagement.evidence, 1)}
    named["lookback_by_product"] = tuple(engagement.lookback_by_product)
    refuse(
        [
            DataError(f"{key}: {name!r} is not in the catalogue.", near(name, products), "Correct engagement.toml.")
            for key, names in named.items()
            for name in names
            if name not in products
        ]
    )


def _refuse_retired_before_launched(products: pd.DataFrame) -> None:
    dated = products.dropna(subset=["launched", "retired"])
    odd = dated[dated["launched"] > dated["retired"]].to_dict("records")
    if odd:
        raise DataError(
            "The catalogue has products that were retired before they were launched: nobody could ever buy them.",
            f"Found {listed(['{product_id}: launched {launched}, retired {retired}'.format(**each) for each in odd])}.",
            "Correct these days, or the columns named under catalogue.columns.launched and .retired.",
        )


def _refuse_unknown_attributes(engagement: Engagement, attributes: list[str]) -> None:
    named = [("segment_by", name) for name in engagement.segment_by]
    for number, each in enumerate(engagement.segment_bands, 1):
        named += [(f"segment_bands[{number}].where", name) for name in each.where]
    found = "There is no accounts table." if engagement.accounts is None else ""
    refuse(
        [
            DataError(
                f"{key} names {name!r}, which is no attribute of the accounts.",
                found or near(name, attributes),
                "Declare it under accounts.attributes.",
            )
            for key, name in named
            if name not in attributes
        ]
    )
