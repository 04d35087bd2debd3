"""A quarter's record: the pack as it was issued, and all that is needed to compute its figures again.

::

    issued/<quarter>/<n>/                     beside the engagement; n = 1, 2, ...; never overwritten
        record.json                           when, by which kit, the figures, a hash of every file
        engagement.toml  pack/                the engagement's text, the pack as published
        book/                                 positions of the quarter, quarters, products, ledger, totals, readings
        inputs/  counted.parquet              the facts in the kit's own columns, the accounts counted
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from errno import EEXIST, ENOTEMPTY
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from kpilib import kept
from kpilib.book import Book
from kpilib.engagement import Engagement
from kpilib.errors import DataError, listed
from kpilib.issued import inputs
from kpilib.measures import degree, offers, queries
from kpilib.revenue import periods
from kpilib.sql import parquet

SCHEMA = 3  # 1 kept neither opportunities nor the revenue of the window, 2 no revenue of accounts lost since
FOLDER, RECORD, PACK_MANIFEST = "issued", "record.json", "manifest.json"
DEFINED_BY = (*kept.COMPUTED_BY, "book.py", "measures/*.py", "revenue/periods.py")
SMALL = ("quarters", "products", "ledger", "totals", "readings", "rules")
NET, GROSS = "net_revenue_retention", "gross_revenue_retention"
FIGURES = ("mean", "pooled", "multi", "index", "accounts", "revenue_quarter", "revenue_window", NET, GROSS)
WHOLE, MONEY = ("accounts",), ("revenue_quarter", "revenue_window")

Number = Fraction | Decimal | int | None


@dataclass(frozen=True)
class Record:
    """One issue of a quarter; ``figures`` are exact, None where undefined, and those that it holds.

    ``schema`` is the layout it was written in; ``state`` names the data and the engagement it was made from.
    """

    folder: Path
    quarter: str
    number: int
    issued_on: str
    kit: str
    code: str
    figures: dict[str, Number]
    schema: int = SCHEMA
    state: str = ""

    @property
    def counted(self) -> Path:
        """The accounts counted then, as :func:`count` wrote them."""
        return self.folder / "counted.parquet"

    def inputs(self) -> inputs.Inputs:
        """What the figures were computed from."""
        return inputs.loaded(_told(self.folder)["inputs"], self.folder)


def freeze(book: Book, quarter: str, out: str | Path = "reports") -> Record:
    """Freeze the published pack of a quarter as its next record.

    Parameters
    ----------
    out
        The folder of all reports, as it was given to ``kpi report``.

    Raises
    ------
    DataError
        The pack is not there, is another quarter's, is not whole, or was made from other data or by another kit than
        those at hand; or nothing can be written beside the engagement.
    """
    at = queries.moment(book, quarter)
    degree.of(book, at.label)
    pack = Path(out) / book.engagement.folder.resolve().name / at.label
    _refuse_other_pack(book, at.label, pack)
    shelf = book.engagement.folder / FOLDER / at.label
    with _building(shelf) as building:
        _fill(book, at, pack, building)
        return _numbered(book, at.label, shelf, building)


def records(engagement: Engagement, quarter: str | None = None) -> list[Record]:
    """List what was issued, of one quarter or of all, oldest first."""
    shelf = engagement.folder / FOLDER
    found = [_read(each.parent) for each in shelf.glob(f"{quarter or '*'}/[0-9]*/{RECORD}")]
    return sorted(found, key=lambda each: (each.quarter, each.number))


def unchanged_since(engagement: Engagement, record: Record) -> Record | None:
    """Find the issue before a record, where data, engagement and kit were the same; else None."""
    before = next((each for each in records(engagement, record.quarter) if each.number == record.number - 1), None)
    if before is None:
        return None
    states = [(each.state, each.kit, each.code, _hash(each.folder / "engagement.toml")) for each in (before, record)]
    return before if states[0] == states[1] else None


def latest(engagement: Engagement, quarter: str, number: int | None = None) -> Record:
    """Find a quarter's record, the last one unless a number is given, and check that it is as it was written.

    Raises
    ------
    DataError
        Nothing was issued, not under that number, in an earlier layout, or a file of the record was changed since.
    """
    found = records(engagement, quarter)
    if not found:
        others = sorted({each.quarter for each in records(engagement)})
        raise DataError(
            f"{quarter} was not issued.",
            f"Issued are {listed(others)}." if others else "Nothing was issued yet.",
            f"Publish it (kpi report) and freeze it: kpi issue {engagement.folder} --quarter {quarter}.",
        )
    record = found[-1] if number is None else next((each for each in found if each.number == number), None)
    if record is None:
        numbers = listed([each.number for each in found])
        raise DataError(f"{quarter} has no issue {number}.", f"It has {numbers}.", "Name one of these.")
    _refuse_earlier_layout(record)
    _refuse_altered(record.folder)
    return record


def count(book: Book, quarter: str, file: Path) -> None:
    """Write the accounts of a quarter, with what their figures are made of.

    account_id, possible, held, revenue_quarter, revenue_window, won and recorded (what the index divides; missing
    where no opportunities are recorded), of the base (``counted``); before and after (revenue of the twelve months
    before the last twelve, and of the last) of accounts with revenue before, whether they are in the base or not;
    missing where the data do not cover both.
    """
    at = queries.moment(book, quarter)
    base = queries.base(book, [at.index])
    rows = f"select account_id, possible, held, revenue_quarter, revenue_window, {{}} from ({base}) c"
    if book.engagement.index_reading == "engaged":
        rows = rows.format("(held >= 2)::bigint as won, 1::bigint as recorded")
    elif not offers.recorded(book):
        rows = rows.format("null::bigint as won, null::bigint as recorded")
    else:
        slots = (
            "select account_id, count(*) filter (m.outcome = 'won') as won, count(m.outcome) as recorded "
            f"from ({offers.marks(book, at)}) m join products p using (product_id) join ({base}) c using (account_id) "
            f"where {queries.bit(book, 'possible')} group by account_id"
        )
        rows = rows.format("coalesce(won, 0) as won, coalesce(recorded, 0) as recorded")
        rows = f"{rows} left join ({slots}) s using (account_id)"
    both = (
        "select account_id, b.* exclude (account_id), b.account_id is not null as counted, before, after "
        f"from ({rows}) b full join ({_years(book, at)}) y using (account_id) order by account_id"
    )
    with book.connect() as db:
        db.execute(f"copy ({both}) to {queries.literal(str(file))} (format parquet)")


def figures(counted: Path) -> dict[str, Number]:
    """Measure what a diff explains, exactly: degree (mean, pooled), 2+ products, index, accounts, revenue, retention.

    Retention is that of :mod:`kpilib.revenue.cohort` over twelve months against the twelve before.
    """
    file = parquet(counted)
    with duckdb.connect() as db:
        rows = db.execute(f"select possible, held, count(*) from {file} where counted group by 1, 2").fetchall()
        totals = (
            "select sum(revenue_quarter), sum(revenue_window), sum(won)::bigint, sum(recorded)::bigint, sum(before), "
            f"sum(after), sum(greatest(least(before, after), 0)) from {file}"
        )
        quarter, window, won, recorded, before, after, kept_of_it = db.execute(totals).fetchone()
    accounts = sum(n for *_, n in rows)
    having = sum(n for possible, _, n in rows if possible)
    possible = sum(each * n for each, _, n in rows)
    degrees = sum((Fraction(held, each) * n for each, held, n in rows if each), Fraction(0))
    return {
        "mean": degrees / having if having else None,
        "pooled": Fraction(sum(held * n for _, held, n in rows), possible) if possible else None,
        "multi": Fraction(sum(n for _, held, n in rows if held >= 2), accounts) if accounts else None,
        "index": Fraction(won, recorded) if recorded else None,
        "accounts": accounts,
        "revenue_quarter": quarter,
        "revenue_window": window,
        NET: Fraction(after) / Fraction(before) if before else None,
        GROSS: Fraction(kept_of_it) / Fraction(before) if before else None,
    }


def _years(book: Book, at: queries.Moment) -> str:
    """Write the query for the accounts with revenue in the twelve months before the last, and what they brought."""
    first, middle, last = at.index - 7, at.index - 3, at.index
    labels = dict(zip(book.quarters["quarter"], book.quarters["label"], strict=True))
    whole = {labels.get(each) for each in range(first, last + 1)} <= set(periods.covered(book))
    sums = [
        f"coalesce(sum(revenue_quarter) filter (quarter {side} {middle}), 0) as {name}"
        for side, name in (("<", "before"), (">=", "after"))
    ]
    return (
        f"select account_id, {', '.join(sums)} from positions where {str(whole).lower()} "
        f"and quarter between {first} and {last} group by account_id having before > 0"
    )


def kit() -> str:
    """Name the kit's version."""
    return version("kpilib")


def code() -> str:
    """Hash the code that defines a figure: what a version says of itself may be the same and the code another."""
    library = Path(kept.__file__).parent
    digest = hashlib.sha256()
    for file in (each for pattern in DEFINED_BY for each in sorted(library.glob(pattern))):
        digest.update(f"{file.relative_to(library)}:{_hash(file)};".encode())
    return digest.hexdigest()


def _fill(book: Book, at: queries.Moment, pack: Path, building: Path) -> None:
    shutil.copytree(pack, building / "pack")
    shutil.copyfile(book.engagement.path, building / "engagement.toml")
    (building / "book").mkdir()
    for name in SMALL:
        shutil.copyfile(book.folder / f"{name}.parquet", building / "book" / f"{name}.parquet")
    with book.connect() as db:
        rows = f"select * from positions where quarter = {at.index} order by account_id"
        file = queries.literal(str(building / "book" / "positions.parquet"))
        db.execute(f"copy ({rows}) to {file} (format parquet, compression zstd)")
    count(book, at.label, building / "counted.parquet")
    base = book.engagement.model_copy(update={"base": book.base})
    used = inputs.write(base, building / "inputs")
    told = {
        "schema": SCHEMA,
        "client": book.engagement.client,
        "quarter": at.label,
        "issued": datetime.now(UTC).isoformat(timespec="seconds"),
        "kit": kit(),
        "code": code(),
        "book": book.folder.name,
        "figures": {name: _text(each) for name, each in figures(building / "counted.parquet").items()},
        "inputs": inputs.dumped(used, building),
        "files": {name: _hash(building / name) for name in _files(building)},
    }
    (building / RECORD).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _numbered(book: Book, quarter: str, shelf: Path, building: Path) -> Record:
    """Give the record the next free number; whoever comes second takes the one after."""
    number = max((each.number for each in records(book.engagement, quarter)), default=0)
    while True:
        number += 1
        target = shelf / str(number)
        if target.exists():
            continue
        try:
            building.rename(target)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
        else:
            return _read(target)


def _refuse_other_pack(book: Book, quarter: str, pack: Path) -> None:
    publish = f"Publish it first: kpi report {book.engagement.folder} --quarter {quarter} --out {pack.parent.parent}."
    if not (pack / PACK_MANIFEST).is_file():
        raise DataError(f"{quarter} is not published.", f"There is no pack in {pack}.", publish)
    told = json.loads((pack / PACK_MANIFEST).read_text(encoding="utf-8"))
    made = told.get("parameters", {})
    ours = f"{book.engagement.folder.resolve().name}/{book.engagement.path.name}"
    if (made.get("quarter"), made.get("engagement")) != (quarter, ours):
        raise DataError(
            f"The pack in {pack} is not that of {ours} for {quarter}.",
            f"It says {made.get('engagement')} for {made.get('quarter')}.",
            publish,
        )
    if missing := _not_as_listed(pack, told):
        raise DataError("The pack is not as it was published.", f"Missing or changed: {listed(missing)}.", publish)
    if (told.get("inputs") or {}).get("fingerprint") != book.folder.name or told.get("kit") != kit():
        raise DataError(
            "The pack does not show today's figures.",
            "The data, the engagement or the kit have changed since it was published.",
            publish.replace("first", "again"),
        )


def _not_as_listed(pack: Path, told: Mapping[str, Any]) -> list[str]:
    """Name what the manifest lists and the pack has not, or has otherwise."""
    tables = {f"tables/{name}": each.get("sha256") for name, each in told.get("tables", {}).items()}
    there = ["index.html", *(f"notebooks/{name}" for name in told.get("notebooks", {}))]
    odd = [name for name, known in tables.items() if not (pack / name).is_file() or _hash(pack / name) != known]
    return [*(name for name in there if not (pack / name).is_file()), *odd]


@contextmanager
def _building(shelf: Path) -> Iterator[Path]:
    """Build a record beside its place; nothing of one that fails stays."""
    building = shelf / f".{secrets.token_hex(4)}"
    try:
        building.mkdir(parents=True)
    except OSError as error:
        raise DataError(
            "The record cannot be written beside the engagement.",
            f"{shelf.parent}: {error.strerror}.",
            "Issue from a copy of the engagement's folder that you may write to, or ask for the right to.",
        ) from error
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _read(folder: Path) -> Record:
    told = _told(folder)
    numbers = {name: _number(name, told["figures"][name]) for name in FIGURES if name in told["figures"]}
    named = [told[key] for key in ("issued", "kit", "code")]
    return Record(folder, told["quarter"], int(folder.name), *named, numbers, told["schema"], told["book"])


def _told(folder: Path) -> dict[str, Any]:
    told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    if told.get("schema") not in range(1, SCHEMA + 1):
        raise DataError(
            f"{folder / RECORD} is written otherwise than this version of the kit reads it.",
            f"Its schema is {told.get('schema')}, not one up to {SCHEMA}.",
            f"Read it with kit {told.get('kit')}.",
        )
    return told


def _refuse_earlier_layout(record: Record) -> None:
    if record.schema != SCHEMA:
        raise DataError(
            f"Issue {record.number} of {record.quarter} is a record of an earlier layout and cannot be compared.",
            f"Its layout is {record.schema}, not {SCHEMA}: it did not keep all that is compared today.",
            "It stays as it is. Issue the quarter once more (kpi issue), and later changes are explained from there; "
            f"its own pack is in {record.folder / 'pack'}.",
        )


def _refuse_altered(folder: Path) -> None:
    listed_files = _told(folder)["files"]
    odd = [
        name for name, known in listed_files.items() if not (folder / name).is_file() or _hash(folder / name) != known
    ]
    if odd:
        raise DataError(
            f"The record in {folder} is not as it was issued.",
            f"Missing or changed: {listed(odd)}.",
            "Restore it from your archive; a record is never edited.",
        )


def _files(folder: Path) -> list[str]:
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _text(number: Number) -> str | None:
    return None if number is None else str(number)


def _number(name: str, text: str | None) -> Number:
    if text is None:
        return None
    return (int if name in WHOLE else Decimal if name in MONEY else Fraction)(text)
