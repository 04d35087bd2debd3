"""The client's tables in the kit's own columns, before any rule has judged them.

Every evidence view has ``account_id, item_id, product_id, day, stop, quantity, revenue``, what the client wrote
(``day_text``, ``amount_text``), whether that was unreadable (``bad_stop``, ``bad_amount``) and provenance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kpilib import checks
from kpilib.engagement import Engagement, Evidence, Facts, Wide
from kpilib.errors import ColumnError, DataError, listed, near
from kpilib.sources import PROVENANCE, Columns, Reading, quoted, table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NONE = {"text": "null::varchar", "day": "null::date", "amount": "null::decimal(18, 4)"}
OWN_COLUMNS = ("account_id", "joined_on", "left_on", "in_table")
RESERVED = (*OWN_COLUMNS, "possible", "held", "unplaced", "revenue_quarter", "revenue_window", "rule", "group")


def columns_of(
    db: DuckDBPyConnection,
    key: str,
    facts: Facts,
    engagement: Engagement,
    readings: dict[str, Reading],
) -> Columns:
    """Columns of the source behind a table of the engagement."""
    reading = table(db, key, facts, readings)
    _refuse_unknown_fields(key, facts)
    return Columns(key, facts.columns, reading, engagement.sources.get(reading.name))


FIELDS = {
    "evidence": ("account_id", "product_id", "date", "start", "end", "quantity", "revenue"),
    "accounts": ("account_id", "joined_on", "left_on", "name", "owner"),
    "grain": ("item_id", "product_id", "valid_from", "valid_to"),
    "catalogue": ("product_id", "family", "launched", "retired", "lookback_months"),
    "opportunities": ("account_id", "product_id", "status", "opened", "closed", "owner"),
    "blocked": ("account_id", "product_id", "reason", "start", "stop"),
    "eligibility_sheet": ("segment",),
}


def _refuse_unknown_fields(key: str, facts: Facts) -> None:
    known = FIELDS[key.split("[")[0]]
    for field in facts.columns:
        if field not in known:
            raise DataError(
                f"{key}.columns.{field} is no column of the kit.",
                near(field, known),
                "Write ours = theirs, as in account_id = 'Customer No'.",
            )


def accounts(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> list[str]:
    """Make ``accounts_given``; return the names of the attributes.

    Raises
    ------
    DataError
        An account stands twice, or a joining or leaving date cannot be read: counting on would be a guess.
    """
    declared = engagement.accounts
    if declared is None:
        db.execute(
            "create temp table accounts_given as select null::varchar as account_id, null::date as joined_on, "
            "null::date as left_on where false"
        )
        return []
    columns = columns_of(db, "accounts", declared, engagement, readings)
    attributes = _attributes(columns, declared.attributes)
    dates = {
        each: columns.day(each) if columns.has(each) else NONE["day"] for each in ("joined_on", "left_on")
    }
    unread = [f"({columns.given(each)} and {dates[each]} is null)" for each in dates if columns.has(each)]
    named = "".join(f", {sql} as {quoted(name)}" for name, sql in attributes.items())
    db.execute(
        f"create temp table accounts_given as select {columns.text('account_id')} as account_id, "
        f"{dates['joined_on']} as joined_on, {dates['left_on']} as left_on{named}, "
        f"{' or '.join(unread) or 'false'} as unread, {', '.join(PROVENANCE)} from {quoted(columns.reading.name)}"
    )
    checks.refuse_repeated_ids(db, "The accounts table", "accounts_given", "account_id")
    _refuse_unread_dates(db)
    return list(attributes)


def _attributes(columns: Columns, declared: tuple[str, ...] | dict[str, str] | None) -> dict[str, str]:
    """SQL by attribute name: those declared, else every column of the accounts table not otherwise used."""
    if isinstance(declared, dict):
        names = dict(declared)
    elif declared is None:
        used = {*columns.names.values(), *columns.names, *OWN_COLUMNS, *PROVENANCE}
        names = {each: each for each in columns.reading.columns if each not in used}
    else:
        names = {each: each for each in declared}
    names |= {each: columns.names[each] for each in ("name", "owner") if each in columns.names}
    for reserved in sorted(set(names) & set(RESERVED)):
        raise DataError(
            f"An attribute cannot be called {reserved!r}.", "", "Name it otherwise: ours = theirs."
        )
    other = Columns(columns.key, names, columns.reading, columns.source)
    return {each: other.text(each) for each in names}


def _refuse_unread_dates(db: DuckDBPyConnection) -> None:
    rows = db.execute(
        "select _file, _record, account_id from accounts_given where unread order by 1, 2"
    ).fetchall()
    if rows:
        file, record, account = rows[0]
        raise DataError(
            f"{len(rows):,} accounts have a joining or leaving date that cannot be read.",
            f"First: {account!r} in {file}, record {record}.",
            "Declare date_format in the source.",
        )
    db.execute("delete from accounts_given where account_id is null")
    for column in ("unread", *PROVENANCE):
        db.execute(f"alter table accounts_given drop column {column}")


def grain(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> bool:
    """Make ``grain_map``: which sold item is which product, and between which days."""
    if engagement.grain is None:
        return False
    columns = columns_of(db, "grain", engagement.grain, engagement, readings)
    days = {
        each: f"coalesce({columns.day(each) if columns.has(each) else 'null'}, date '{always}')"
        for each, always in (("valid_from", "0001-01-01"), ("valid_to", "9999-12-31"))
    }
    db.execute(
        f"create temp table grain_map as select distinct {columns.text('item_id')} as item_id, "
        f"{columns.text('product_id')} as product_id, {days['valid_from']} as valid_from, "
        f"{days['valid_to']} as valid_to from {quoted(columns.reading.name)} where {columns.given('product_id')}"
    )
    clash = db.execute(
        "select a.item_id, min(a.product_id), max(b.product_id) from grain_map a join grain_map b "
        "on a.item_id = b.item_id and a.valid_from <= b.valid_from and b.valid_from < a.valid_to "
        "where (a.product_id, a.valid_from, a.valid_to) <> (b.product_id, b.valid_from, b.valid_to) "
        "group by 1 order by 1 limit 5"
    ).fetchall()
    if clash:
        raise DataError(
            "The grain maps one item to two products on the same day.",
            f"Found {listed([f'{item}: {one} and {two}' for item, one, two in clash])}.",
            "Keep one, or give valid_from and valid_to.",
        )
    return True


def evidence(
    db: DuckDBPyConnection,
    number: int,
    declared: Evidence,
    engagement: Engagement,
    readings: dict[str, Reading],
) -> str:
    """Make the view of one evidence table; return its name."""
    columns = columns_of(db, f"evidence[{number}]", declared, engagement, readings)
    name, source = f"evidence {number}", quoted(columns.reading.name)
    if declared.wide:
        select = _wide(db, declared, declared.wide, columns, f"evidence[{number}].wide")
    else:
        repeat = _repeat(db, declared, columns.reading)
        select = (
            f"select {_plain(declared, columns)}, {repeat} as repeat, {', '.join(PROVENANCE)} from {source}"
        )
    product, join = "item_id", ""
    if engagement.grain is not None:
        product = "g.product_id"
        # plain comparisons: with an OR in it DuckDB would try every pair
        join = (
            " left join grain_map g on g.item_id = e.item_id "
            "and g.valid_from <= coalesce(day, date '9999-12-30') "
            "and g.valid_to > coalesce(day, date '9999-12-30')"
        )
    db.execute(f"create view {quoted(name)} as select e.*, {product} as product_id from ({select}) e{join}")
    return name


def _repeat(db: DuckDBPyConnection, declared: Evidence, reading: Reading) -> str:
    """SQL for a line that equals an earlier one, in the declared key or in all columns."""
    keys = declared.duplicate_key or tuple(each for each in reading.columns if each not in PROVENANCE)
    for key in keys:
        if key not in reading.columns:
            raise ColumnError(f"Source {reading.name!r}", "duplicate_key", key, list(reading.columns))
    if not checks.repeated(db, reading.name, keys):
        return "false"
    same = ", ".join(map(quoted, keys))
    return f"(row_number() over (partition by {same} order by _file, _record) > 1)"


def _plain(declared: Evidence, columns: Columns) -> str:
    """SQL of one row per fact: sales, revenue, subscriptions, installed or snapshots."""
    start = "start" if declared.kind == "subscriptions" else "date"
    dated = columns.has(start) or declared.date is None
    day = columns.day(start) if dated else f"date '{declared.date}'"
    stop, given = NONE["day"], "false"
    if declared.kind in ("subscriptions", "installed") and columns.has("end"):
        stop, given = columns.day("end"), columns.given("end")
    bad_stop = f"({given} and {stop} is null)"
    if declared.life_months:
        stop = f"least({stop}, cast({day} + interval {declared.life_months} month as date))"
    amounts = {
        each: columns.amount(each) if columns.has(each) else NONE["amount"]
        for each in ("quantity", "revenue")
    }
    needs_revenue = declared.kind in ("sales", "revenue")
    bad = [f"({columns.given(each)} and {amounts[each]} is null)" for each in amounts if columns.has(each)]
    if needs_revenue:
        columns.raw("revenue")
        bad.append(f"{amounts['revenue']} is null")
    item = (
        columns.text("product_id")
        if declared.kind != "revenue" or columns.has("product_id")
        else NONE["text"]
    )
    amount_text = columns.text("revenue") if columns.has("revenue") else NONE["text"]
    return (
        f"{columns.text('account_id')} as account_id, {item} as item_id, {day} as day, {stop} as stop, "
        f"{amounts['quantity']} as quantity, {amounts['revenue']} as revenue, "
        f"{columns.text(start) if dated else NONE['text']} as day_text, {amount_text} as amount_text, "
        f"{bad_stop} as bad_stop, {' or '.join(bad) or 'false'} as bad_amount"
    )


def _wide(db: DuckDBPyConnection, declared: Evidence, wide: Wide, columns: Columns, key: str) -> str:
    """SQL of one row per cell of a matrix: quantity 1 where the word means yes, else 0."""
    names = wide.products if isinstance(wide.products, dict) else {each: each for each in wide.products}
    fields = {"account_id": wide.account_id} | ({"date": wide.date} if wide.date else {})
    whose = Columns(key, fields, columns.reading, columns.source)
    cells = Columns(key, {ours: theirs for theirs, ours in names.items()}, columns.reading, columns.source)
    day = whose.day("date") if wide.date else f"date '{declared.date}'"
    stacked = " union all ".join(
        f"select {whose.text('account_id')} as account_id, '{ours.replace(chr(39), chr(39) * 2)}' as item_id, "
        f"{day} as day, {whose.text('date') if wide.date else NONE['text']} as day_text, "
        f"lower({cells.text(ours)}) as word, {', '.join(PROVENANCE)} from {quoted(columns.reading.name)}"
        for ours in names.values()
    )
    held = (
        f"case when word in ({_words(wide.yes)}) then 1 when word is null or word in ({_words(wide.no)}) then 0 "
        "when try_cast(word as double) is not null then (try_cast(word as double) > 0)::int end"
    )
    strange = db.execute(
        f"select distinct item_id, word from ({stacked}) where ({held}) is null order by 1, 2"
    ).fetchall()
    if strange:
        raise DataError(
            f"{key}: {len(strange)} words in the matrix mean neither yes nor no.",
            f"Found {listed([f'{item}: {word}' for item, word in strange])}.",
            f"Add them to {key}.yes or {key}.no.",
        )
    return (
        f"select account_id, item_id, day, null::date as stop, ({held})::decimal(18, 4) as quantity, "
        f"{NONE['amount']} as revenue, day_text, word as amount_text, false as bad_stop, false as bad_amount, "
        "false as repeat, "
        f"{', '.join(PROVENANCE)} from ({stacked})"
    )


def _words(words: tuple[str, ...]) -> str:
    return ", ".join("'" + each.strip().lower().replace("'", "''") + "'" for each in words) or "null"


def catalogue(
    db: DuckDBPyConnection,
    engagement: Engagement,
    readings: dict[str, Reading],
    evidence_views: list[str],
) -> pd.DataFrame:
    """One row per product an account could hold, in the order the engagement lists them.

    Also makes ``known_products`` (product_id, status), against which lines are judged.
    """
    declared = engagement.catalogue
    if declared.products == "as sold":
        seen = " union ".join(f"select product_id from {quoted(each)}" for each in evidence_views)
        rows = [
            (each[0],)
            for each in db.execute(
                f"select * from ({seen}) where product_id is not null order by 1"
            ).fetchall()
        ]
        frame = pd.DataFrame(rows, columns=["product_id"])
        frame = frame.loc[~frame["product_id"].isin(declared.outside)]
    elif declared.products:
        frame = pd.DataFrame({"product_id": list(declared.products)})
    else:
        frame = _catalogue_table(db, engagement, readings)
    frame = frame.reindex(
        columns=["product_id", "family", "launched", "retired", "lookback_months"]
    ).reset_index(drop=True)
    months = frame["product_id"].map(engagement.lookback_by_product).astype(object)
    months = months.where(months.notna(), frame["lookback_months"])
    months = months.where(months.notna(), engagement.lookback_months)
    _refuse_part_quarters(frame["product_id"], months)
    frame["lookback_quarters"] = [int(each) // 3 for each in months]
    _known(db, frame["product_id"], engagement)
    return frame.drop(columns="lookback_months")


def _catalogue_table(
    db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]
) -> pd.DataFrame:
    columns = columns_of(db, "catalogue", engagement.catalogue, engagement, readings)
    kinds = {
        "product_id": columns.text,
        "family": columns.text,
        "launched": columns.day,
        "retired": columns.day,
        "lookback_months": columns.amount,
    }
    given = {name: kind(name) for name, kind in kinds.items() if columns.has(name) or name == "product_id"}
    picked = ", ".join(f"{sql} as {name}" for name, sql in given.items())
    unread = " or ".join(
        f"({columns.given(name)} and {given[name]} is null)" for name in given if name != "product_id"
    )
    db.execute(
        f"create temp table catalogue_given as select {picked}, {unread or 'false'} as unread, {', '.join(PROVENANCE)} "
        f"from {quoted(columns.reading.name)} where {columns.given('product_id')}"
    )
    checks.refuse_repeated_ids(db, "The catalogue", "catalogue_given", "product_id")
    wrong = db.execute("select product_id from catalogue_given where unread order by 1").fetchall()
    if wrong:
        raise DataError(
            "The catalogue has dates or look-backs that cannot be read.",
            f"Found at {listed([each[0] for each in wrong])}.",
            "Write dates as 2025-01-31, or declare date_format.",
        )
    rows = db.execute(
        f"select {', '.join(given)} from catalogue_given order by _file, _record, product_id"
    ).fetchall()
    return pd.DataFrame(rows, columns=list(given), dtype=object)


def _refuse_part_quarters(products: pd.Series, months: pd.Series) -> None:
    wrong = [
        f"{name}: {value}"
        for name, value in zip(products, months, strict=True)
        if int(value) <= 0 or int(value) % 3
    ]
    if wrong:
        raise DataError(
            "A look-back is not whole quarters.", f"Found {listed(wrong)}.", "Use 3, 6, 9, 12, ..."
        )


def _known(db: DuckDBPyConnection, products: pd.Series, engagement: Engagement) -> None:
    if products.empty:
        raise DataError(
            "The catalogue is empty.",
            "No product is named or sold.",
            "Name the products an account could hold.",
        )
    rows = [(each, "catalogue") for each in products]
    rows += [(each, "outside") for each in engagement.catalogue.outside]
    db.execute("create temp table known_products (product_id varchar, status varchar)")
    db.executemany("insert into known_products values (?, ?)", rows)
    if engagement.grain is not None:
        db.execute(
            "insert into known_products select distinct product_id, 'outside' from grain_map "
            "where product_id not in (select product_id from known_products)"
        )


def opportunities(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Make ``evidence opportunities``: one row per recorded opportunity, its status in the kit's words."""
    declared = engagement.opportunities
    columns = columns_of(db, "opportunities", declared, engagement, readings)
    words = {w.lower(): status for status in ("won", "lost", "open") for w in getattr(declared, status)}
    cases = " ".join(
        f"when '{w.replace(chr(39), chr(39) * 2)}' then '{status}'" for w, status in words.items()
    )
    status = f"case lower({columns.text('status')}) {cases} end"
    unknown = db.execute(
        f"select {columns.text('status')}, count(*) from {quoted(columns.reading.name)} where ({status}) is null "
        "group by 1 order by 2 desc, 1"
    ).fetchall()
    if unknown:
        raise DataError(
            "Some opportunities have a status that means neither won, lost nor open.",
            f"Found {listed([f'{word} ({n})' for word, n in unknown])}.",
            "List the client's words under opportunities.won, .lost and .open.",
        )
    closed = columns.day("closed") if columns.has("closed") else NONE["day"]
    bad = f"({columns.given('closed')} and {closed} is null)" if columns.has("closed") else "false"
    owner = columns.text("owner") if columns.has("owner") else NONE["text"]
    _slots_view(
        db,
        "opportunities",
        columns,
        columns.day("opened"),
        closed,
        f"{columns.text('opened')} as day_text, {bad} as bad_stop, {status} as status_word, {owner} as owner",
    )


def blocked(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Make ``evidence blocked``: slots that must not be sold, with the reason."""
    columns = columns_of(db, "blocked", engagement.blocked, engagement, readings)
    days = {each: columns.day(each) if columns.has(each) else NONE["day"] for each in ("start", "stop")}
    bad = [f"({columns.given(each)} and {sql} is null)" for each, sql in days.items() if columns.has(each)]
    reason = columns.text("reason") if columns.has("reason") else NONE["text"]
    _slots_view(
        db,
        "blocked",
        columns,
        days["start"],
        days["stop"],
        f"null::varchar as day_text, {' or '.join(bad) or 'false'} as bad_stop, {reason} as reason",
    )


def _slots_view(db: DuckDBPyConnection, key: str, columns: Columns, day: str, stop: str, more: str) -> None:
    db.execute(
        f"create view {quoted('evidence ' + key)} as select {columns.text('account_id')} as account_id, "
        f"{columns.text('product_id')} as item_id, {columns.text('product_id')} as product_id, {day} as day, {stop} as stop, "
        f"{NONE['amount']} as revenue, null::varchar as amount_text, {more}, {', '.join(PROVENANCE)} "
        f"from {quoted(columns.reading.name)}"
    )
