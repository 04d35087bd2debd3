"""What a client records beside sales: feedback, contacts, programmes, and what accounts spend in all.

Each view has the columns that rules judge (``account_id, product_id, day, stop``, what the client wrote) and its
own; ``COLUMNS`` says which of them are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpilib.engagement import ITSELF, Engagement
from kpilib.errors import DataError, listed, near
from kpilib.facts import checks
from kpilib.facts.checks import Rules
from kpilib.facts.intake import columns_of
from kpilib.facts.sources import NONE, PROVENANCE, Columns, Reading
from kpilib.sql import literal, literals, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = {
    "feedback": "account_id, day, amount as score, product_id, topic",
    "interactions": "account_id, day, kind, amount",
    "programmes": "account_id, programme, day as start, stop, unit, hold_out, selected_on, amount as cost",
    "wallet": "account_id, day, amount as spend",
}
DATED = {"feedback": "date", "interactions": "date", "programmes": "start", "wallet": "date"}
AMOUNTS = {"feedback": "score", "interactions": "amount", "programmes": "cost", "wallet": "spend"}
NEEDED = {
    "feedback": ("date", "score"),
    "interactions": ("date", "kind"),
    "programmes": ("start",),
    "wallet": ("spend",),
}
WORDS = {"feedback": ("topic",), "interactions": ("kind",), "programmes": ("unit", "selected_on"), "wallet": ()}


def view(db: DuckDBPyConnection, key: str, engagement: Engagement, readings: dict[str, Reading]) -> None:
    """Make ``evidence KEY``: one row per record, as the client wrote it and as the kit reads it.

    Raises
    ------
    DataError
        A score outside the declared scale; a word for a hold-out that means neither yes nor no; a unit of assignment
        that is nowhere to be found, or hold-outs without one; two spends of one account for one day.
    """
    columns = columns_of(db, key, getattr(engagement, key), engagement, readings)
    if key == "programmes":
        columns = _with_unit(db, columns, engagement)
    for field in NEEDED[key]:
        columns.raw(field)
    dated, amount = DATED[key], AMOUNTS[key]
    own = ", ".join(f"{columns.optional('text', each)} as {each}" for each in WORDS[key])
    stop, bad_stop = NONE["day"], "false"
    if key == "programmes":
        stop = columns.optional("day", "end")
        bad_stop = columns.unread("end", stop)
    value = columns.optional("amount", amount)
    bad_amount = f"{value} is null" if amount in NEEDED[key] else columns.unread(amount, value)
    product = columns.optional("text", "product_id") if key == "feedback" else NONE["text"]
    db.execute(
        f"create view {quoted('evidence ' + key)} as select {columns.text('account_id')} as account_id, "
        f"{product} as item_id, {product} as product_id, "
        f"{columns.optional('day', dated)} as day, {stop} as stop, {bad_stop} as bad_stop, "
        f"{columns.optional('text', dated)} as day_text, {value} as amount, "
        f"{columns.optional('text', amount)} as amount_text, "
        f"{bad_amount} as bad_amount, {NONE['amount']} as revenue, {own + ', ' if own else ''}"
        f"{_programme(columns, engagement) if key == 'programmes' else ''} {', '.join(PROVENANCE)} "
        f"from {quoted(columns.reading.view)}"
    )
    if key == "feedback":
        _refuse_off_the_scale(db, engagement)
    if key == "programmes":
        _refuse_odd_words(db)
        _refuse_unnamed_unit(db, engagement)
    if key == "wallet":
        _refuse_two_spends(db)


def rules(key: str, engagement: Engagement) -> Rules:
    """The rules for one table of records, in the order that decides which of them owns a row."""
    complete = engagement.accounts is not None and engagement.accounts.complete
    unlisted = "account_id is not null and not in_table"
    undated = "bad_stop or (day is null and day_text is not null)" if key == "wallet" else "bad_stop or day is null"
    set_aside = {
        "no_account": "account_id is null",
        "unknown_account": unlisted if complete else "",
        "unreadable_date": undated,
        "outside_calendar": checks.outside_calendar(engagement) if key in ("feedback", "interactions") else "",
        "unreadable_amount": "bad_amount",
        "unknown_product": "item_id is not null and status is null" if key == "feedback" else "",
    }
    flags = {"no_such_account": "" if complete else unlisted, "no_spend": "amount <= 0" if key == "wallet" else ""}
    return Rules.of(set_aside, flags)


def _programme(columns: Columns, engagement: Engagement) -> str:
    """SQL for a programme's name, and for whether the account was held out of it."""
    declared = engagement.programmes
    name = literal(declared.name)
    named = f"coalesce({columns.text('programme')}, {name})" if columns.has("programme") else name
    if not columns.has("hold_out"):
        return f"{named} as programme, {NONE['text']} as word, false as hold_out,"
    word = f"lower(coalesce({columns.text('hold_out')}, ''))"
    yes, no = (literals(each.strip().lower() for each in words) for words in (declared.yes, declared.no))
    return (
        f"{named} as programme, {word} as word, "
        f"case when {word} in ({yes}) then true when {word} in ({no}) then false end as hold_out,"
    )


def _with_unit(db: DuckDBPyConnection, columns: Columns, engagement: Engagement) -> Columns:
    """Read what was assigned from the column that ``unit`` names; of a column that is called unit, it is the name."""
    unit = engagement.programmes.unit
    own = [each for each in columns.reading.columns if each not in PROVENANCE]
    if unit is None or columns.has("unit"):
        return columns
    if unit in own:
        return Columns(columns.key, {**columns.names, "unit": unit}, columns.reading, columns.source)
    given = [row[0] for row in db.execute("select column_name from (describe accounts_given)").fetchall()]
    attributes = [each for each in given if each not in ("account_id", "joined_on", "left_on")]
    if unit not in (*own, *attributes, *ITSELF):
        raise DataError(
            f"programmes.unit names {unit!r}, which is no column of the programme table and no account attribute.",
            near(unit, [*own, *attributes, *ITSELF]),
            'Name what was drawn: such a column or attribute, or "customer" where each was drawn for itself.',
        )
    return columns


def _refuse_unnamed_unit(db: DuckDBPyConnection, engagement: Engagement) -> None:
    """Refuse hold-outs of which nobody says what was drawn: customers of one territory stand or fall together."""
    if engagement.programmes.unit is not None:
        return
    out = db.execute('select count(*) from "evidence programmes" where hold_out').fetchone()[0]
    if out:
        raise DataError(
            "Customers were held out of a programme, and what was drawn is not named.",
            f"{out:,} rows are marked as held out; programmes.unit is not given.",
            'Write under [programmes] unit = "customer" where each customer was drawn for itself, '
            'else what was drawn, as in unit = "territory" (a column of the table or an account attribute).',
        )


def _refuse_off_the_scale(db: DuckDBPyConnection, engagement: Engagement) -> None:
    low, high = engagement.feedback.scale
    odd = db.execute(
        'select amount, count(*) from "evidence feedback" where amount < $low or amount > $high '
        "group by 1 order by 2 desc, 1",
        {"low": low, "high": high},
    ).fetchall()
    if odd:
        raise DataError(
            f"Feedback has scores outside its declared scale, {low} to {high}.",
            f"Found {listed([f'{score.normalize():f} ({n} times)' for score, n in odd])}.",
            "Correct feedback.scale, or convert the scores in a source of their own (sql).",
        )


def _refuse_odd_words(db: DuckDBPyConnection) -> None:
    odd = db.execute(
        'select word, count(*) from "evidence programmes" where hold_out is null group by 1 order by 2 desc, 1'
    ).fetchall()
    if odd:
        raise DataError(
            "Some words under programmes.hold_out mean neither yes nor no.",
            f"Found {listed([f'{word} ({n} times)' for word, n in odd])}.",
            "Add them to programmes.yes or programmes.no.",
        )


def _refuse_two_spends(db: DuckDBPyConnection) -> None:
    twice = db.execute(
        'select account_id, day, count(*) from "evidence wallet" where account_id is not null and amount is not null '
        "group by all having count(*) > 1 order by 1, 2"
    ).fetchall()
    if twice:
        found = [f"{account}: {n} {'without a date' if day is None else f'for {day}'}" for account, day, n in twice]
        raise DataError(
            "Some accounts have more than one spend for the same day.",
            f"Found {listed(found, most=5)}.",
            "Add them up, or date them, in a source of their own (sql).",
        )
