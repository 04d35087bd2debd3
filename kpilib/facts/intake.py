"""The client's tables in the kit's own columns, before any rule has judged them.

Every evidence view has ``account_id, item_id, product_id, day, stop, quantity, revenue``, what the client wrote
(``day_text``, ``amount_text``; ``also_unread``, an end or a quantity that cannot be read), whether that was unreadable
(``bad_stop``, ``bad_amount``) and provenance; :func:`with_repeats` adds which lines repeat an earlier one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import Engagement, Evidence, Facts, Wide, tables_of
from kpilib.errors import DataError, KpiError, listed, near, refuse
from kpilib.facts import checks
from kpilib.facts.sources import NONE, PROVENANCE, Columns, Reading, table
from kpilib.sql import literal, literals, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OWN_COLUMNS = ("account_id", "joined_on", "left_on", "in_table")
RESERVED = (*OWN_COLUMNS, "possible", "held", "unplaced", "revenue_quarter", "revenue_window", "rule", "group")


def columns_of(
    db: DuckDBPyConnection, key: str, facts: Facts, engagement: Engagement, readings: dict[str, Reading]
) -> Columns:
    """Columns of the source behind a table of the engagement."""
    reading = table(db, key, facts, readings)
    _refuse_unknown_fields(key, facts)
    return Columns(key, facts.columns, reading, engagement.sources.get(reading.name))


FIELDS = {
    "evidence": ("account_id", "product_id", "date", "start", "end", "quantity", "revenue", "currency"),
    "accounts": ("account_id", "joined_on", "left_on", "name", "owner"),
    "grain": ("item_id", "product_id", "valid_from", "valid_to"),
    "catalogue": ("product_id", "family", "launched", "retired", "lookback_months", "margin"),
    "opportunities": ("account_id", "product_id", "status", "opened", "closed", "owner"),
    "blocked": ("account_id", "product_id", "reason", "start", "stop"),
    "eligibility_sheet": ("segment",),
    "feedback": ("account_id", "date", "score", "product_id", "topic"),
    "interactions": ("account_id", "date", "kind", "amount"),
    "programmes": ("account_id", "programme", "start", "end", "unit", "hold_out", "selected_on", "cost"),
    "wallet": ("account_id", "date", "spend"),
}


def refuse_missing_columns(engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Name every column of the engagement that its source does not have, of all tables at once."""
    problems: list[KpiError] = []
    for key, facts in tables_of(engagement).items():
        if facts.source is None:
            continue
        reading = readings[facts.source]
        named = [(f"{key}.columns.{ours}", theirs) for ours, theirs in facts.columns.items()]
        attributes = getattr(facts, "attributes", None) or ()
        if isinstance(attributes, dict):
            named += [(f"{key}.attributes.{ours}", theirs) for ours, theirs in attributes.items()]
        else:
            named += [(f"{key}.attributes", theirs) for theirs in attributes if theirs not in facts.columns]
        if wide := getattr(facts, "wide", None):
            named += [(f"{key}.wide.{each}", getattr(wide, each)) for each in ("account_id", "date")]
            named += [(f"{key}.wide.products", theirs) for theirs in wide.products]
        problems += [reading.lacks(*each) for each in named if each[1] not in (None, *reading.columns)]
        try:
            _refuse_unknown_fields(key, facts)
        except DataError as error:
            problems.append(error)
    refuse(problems)


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
    dates = {each: columns.optional("day", each) for each in ("joined_on", "left_on")}
    unread = " or ".join(columns.unread(*each) for each in dates.items())
    named = "".join(f", {sql} as {quoted(name)}" for name, sql in attributes.items())
    db.execute(
        f"create temp table accounts_given as select {columns.text('account_id')} as account_id, "
        f"{dates['joined_on']} as joined_on, {dates['left_on']} as left_on{named}, "
        f"{unread} as unread, {', '.join(PROVENANCE)} from {quoted(columns.reading.view)}"
    )
    checks.refuse_repeated_ids(db, "The accounts table", "accounts_given", "account_id", declared.source or "")
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
    people = [each for each in ("name", "owner") if columns.has(each)]
    names |= {each: columns.names.get(each, each) for each in people if each in columns.names or each not in names}
    for reserved in sorted(set(names) & set(RESERVED)):
        raise DataError(f"An attribute cannot be called {reserved!r}.", "", "Name it otherwise: ours = theirs.")
    other = Columns(columns.key, names, columns.reading, columns.source)
    return {each: other.text(each) for each in names}


def _refuse_unread_dates(db: DuckDBPyConnection) -> None:
    rows = db.execute("select _file, _record, account_id from accounts_given where unread order by 1, 2").fetchall()
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


def evidence(
    db: DuckDBPyConnection, number: int, declared: Evidence, engagement: Engagement, readings: dict[str, Reading]
) -> str:
    """Make the view of one evidence table; return its name."""
    columns = columns_of(db, f"evidence[{number}]", declared, engagement, readings)
    name, source = f"evidence {number}", quoted(columns.reading.view)
    if declared.wide:
        select = _wide(db, declared, declared.wide, columns, f"evidence[{number}].wide")
    else:
        columns = columns.tidied(db, ("account_id", "product_id"))
        line = _find_repeats(db, declared, columns.reading, number)
        select = f"select {_plain(declared, columns)}, {line} as _kit_line, {', '.join(PROVENANCE)} from {source}"
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


def refuse_mixed_currencies(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Refuse amounts in more than one currency, or in another than the engagement's: their sum means nothing."""
    told, found = engagement.currency, set()
    for number, declared in enumerate(engagement.evidence, 1):
        if declared.kind in ("sales", "revenue") and not declared.wide:
            columns = columns_of(db, f"evidence[{number}]", declared, engagement, readings)
            if columns.has("currency"):
                word = f"upper({columns.text('currency')})"
                rows = db.execute(f"select distinct {word} from {quoted(columns.reading.view)}").fetchall()
                found |= {word or (told or "").upper() for (word,) in rows} - {""}
    if len(found) > 1 or (told and found - {told.upper()}):
        raise DataError(
            "Amounts are in more than one currency, or not in the engagement's: they are not added up.",
            f"Found {listed(sorted(found))}; the engagement's currency is {told or 'not declared'}.",
            "Convert them in a source of their own (sql), and declare currency as the files write it.",
        )


def _find_repeats(db: DuckDBPyConnection, declared: Evidence, reading: Reading, number: int) -> str:
    """Find the lines that equal an earlier one, in the declared key or in all columns; SQL of a line's own number.

    Found once, and joined where it is asked for: to look anew would sort all lines whenever any are read.
    """
    key, name = f"evidence[{number}]", f"twins {number}"
    keys = declared.duplicate_key or tuple(each for each in reading.columns if each not in PROVENANCE)
    for each in keys:
        if each not in reading.columns:
            raise reading.lacks(f"{key}.duplicate_key", each)
    table = db.execute("select 1 from duckdb_tables() where table_name = ?", [reading.view]).fetchone()
    line = "rowid" if table else "_record"
    lines = f"numbered {number}"
    db.execute(f"create temp view {quoted(lines)} as select *, {line} as _kit_line from {quoted(reading.view)}")
    found = checks.twins(db, lines, keys, reading.rows, name)
    if found and declared.kind in ("sales", "revenue") and "duplicates" not in declared.model_fields_set:
        checks.refuse_copied_files(db, reading.view, name, key)
    return line


def with_repeats(db: DuckDBPyConnection, name: str) -> str:
    """SQL of an evidence view with ``repeat``: whether an earlier line is the same. Others read the view itself."""
    view, twins = quoted(f"evidence {name}"), f"twins {name}"
    if not db.execute("select 1 from duckdb_tables() where table_name = ?", [twins]).fetchone():
        return f"(select *, false as repeat from {view})"
    again = f"(select _file, _kit_line, true as again from {quoted(twins)} where again)"
    joined = f"{view} left join {again} using (_file, _kit_line)"
    return f"(select * exclude again, again is not null as repeat from {joined})"


def _plain(declared: Evidence, columns: Columns) -> str:
    """SQL of one row per fact: sales, revenue, subscriptions, installed or snapshots."""
    start = "start" if declared.kind == "subscriptions" else "date"
    dated = columns.has(start) or declared.date is None
    day = columns.day(start) if dated else f"date '{declared.date}'"
    stop, bad_stop = NONE["day"], "false"
    if declared.kind in ("subscriptions", "installed"):
        stop = columns.optional("day", "end")
        bad_stop = columns.unread("end", stop)
    if declared.life_months:
        stop = f"least({stop}, cast({day} + interval {declared.life_months} month as date))"
    amounts = {each: columns.optional("amount", each) for each in ("quantity", "revenue")}
    also = {"end": ("ends", bad_stop), "quantity": ("quantity", columns.unread("quantity", amounts["quantity"]))}
    bad = [columns.unread(*each) for each in amounts.items()]
    if declared.kind in ("sales", "revenue"):
        columns.raw("revenue")
        bad.append(f"{amounts['revenue']} is null")
    item = columns.optional("text", "product_id") if declared.kind == "revenue" else columns.text("product_id")
    return (
        f"{columns.text('account_id')} as account_id, {item} as item_id, {day} as day, {stop} as stop, "
        f"{amounts['quantity']} as quantity, {amounts['revenue']} as revenue, "
        f"{columns.text(start) if dated else NONE['text']} as day_text, "
        f"{columns.optional('text', 'revenue')} as amount_text, "
        f"{_also_unread(columns, also)} as also_unread, "
        f"{bad_stop} as bad_stop, {' or '.join(bad)} as bad_amount, false as blank, false as contradicts"
    )


def _also_unread(columns: Columns, fields: dict[str, tuple[str, str]]) -> str:
    """SQL of what the client wrote in fields that cannot be read, each after its word: ``ends 31.02.2025``."""
    shown = [
        f"case when {unread} then {literal(word + ' ')} || {columns.text(field)} end"
        for field, (word, unread) in fields.items()
        if unread != "false"
    ]
    return f"nullif(concat_ws(', ', {', '.join(shown)}), '')" if shown else NONE["text"]


def _wide(db: DuckDBPyConnection, declared: Evidence, wide: Wide, columns: Columns, key: str) -> str:
    """SQL of one row per cell of a matrix: quantity 1 where the word means yes, else 0."""
    names = wide.products if isinstance(wide.products, dict) else {each: each for each in wide.products}
    fields = {"account_id": wide.account_id} | ({"date": wide.date} if wide.date else {})
    whose = Columns(key, fields, columns.reading, columns.source)
    cells = Columns(key, {ours: theirs for theirs, ours in names.items()}, columns.reading, columns.source)
    day = whose.day("date") if wide.date else f"date '{declared.date}'"
    stacked = " union all ".join(
        f"select {whose.text('account_id')} as account_id, {literal(ours)} as item_id, "
        f"{day} as day, {whose.text('date') if wide.date else NONE['text']} as day_text, "
        f"lower({cells.text(ours)}) as word, {', '.join(PROVENANCE)} from {quoted(columns.reading.view)}"
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
    blank = "false" if "no" in wide.model_fields_set and "" in wide.no else "word is null"
    twice = db.execute(
        f"select 1 from {quoted(columns.reading.view)} where {whose.given('account_id')} "
        f"group by {whose.text('account_id')}, {day} having count(*) > 1 limit 1"
    ).fetchone()
    contradicts = (
        f"(account_id is not null and min({held}) over same < 1 and max({held}) over same > 0)" if twice else "false"
    )
    window = " window same as (partition by account_id, item_id, day)" if twice else ""
    return (
        f"select account_id, item_id, day, null::date as stop, ({held})::decimal(18, 4) as quantity, "
        f"{NONE['amount']} as revenue, day_text, word as amount_text, "
        f"{NONE['text']} as also_unread, false as bad_stop, false as bad_amount, "
        f"{blank} as blank, {contradicts} as contradicts, "
        f"{', '.join(PROVENANCE)} from ({stacked}){window}"
    )


def _words(words: tuple[str, ...]) -> str:
    return literals(each.strip().lower() for each in words)
