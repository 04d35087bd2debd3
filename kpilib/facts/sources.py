"""A client's files as DuckDB views, each row with the file and the record number it came from.

CSV and Excel are read as text and cast later by declared formats; DuckDB's own guesses would read
01/02/2025 as 1 February and an empty file as an empty table.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from kpilib.engagement import Engagement, Facts, Source
from kpilib.errors import ColumnError, SourceError, listed, refuse
from kpilib.facts import encodings, zones
from kpilib.sql import file as file_at
from kpilib.sql import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M")
SEPARATORS = ",;\t|"
PROVENANCE = ("_file", "_record")
NONE = {"text": "null::varchar", "day": "null::date", "amount": "null::decimal(18, 4)"}


@dataclass(frozen=True)
class Reading:
    """What was read of one source: its view, its files, columns with their types, rows and how it was decoded.

    The view has a name that no source can have, so that a client may call its files ``sales`` or ``accounts``.
    """

    name: str
    view: str
    files: tuple[str, ...]
    columns: dict[str, str]
    rows: int
    how: str

    def lacks(self, key: str, name: str) -> ColumnError:
        """Tell that the source has no such column, which ``key`` of the engagement names."""
        own = [each for each in self.columns if each not in PROVENANCE]
        told = f" ({self.how})" if "; also there: " in self.how else ""
        return ColumnError(f"Source {self.name!r}{told}", key, name, own)


def read(db: DuckDBPyConnection, engagement: Engagement) -> dict[str, Reading]:
    """Make one view per source, files first, queries over them after.

    Each view has the client's columns, ``_file`` (path relative to the engagement) and ``_record``
    (1 for the first record after the header).

    Raises
    ------
    SourceError
        A file is empty, has no records, cannot be decoded or parsed, or a query fails.
    """
    readings, problems = {}, []
    db.execute("set TimeZone = 'UTC'")  # else the day of an instant would hang on the machine
    _refuse_unknown_formats(db, engagement)
    zones.refuse_unknown(db, engagement.sources)
    files = {name: each for name, each in engagement.sources.items() if each.path}
    queries = {name: each for name, each in engagement.sources.items() if each.sql}
    for name, source in files.items():
        try:
            readings[name] = _reading(db, name, source, readings, engagement)
        except SourceError as error:
            problems.append(error)
    refuse(problems)
    for name, source in queries.items():
        readings[name] = _reading(db, name, source, readings, engagement)
    return readings


def _reading(
    db: DuckDBPyConnection, name: str, source: Source, readings: dict[str, Reading], engagement: Engagement
) -> Reading:
    how = _query(db, name, source, readings, engagement) if source.sql else _files(db, name, source, engagement)
    view = quoted(_view(name))
    columns = dict(db.execute(f"select column_name, column_type from (describe {view})").fetchall())
    rows = db.execute(f"select count(*) from {view}").fetchone()[0]
    if not rows:
        what = "The query gives no rows." if source.sql else "It has a header and no records."
        raise SourceError(f"Source {name!r} is empty.", what, "Export it again, or take it out of the engagement.")
    return Reading(name, _view(name), tuple(map(_name, source.path)), columns, rows, how)


def _refuse_unknown_formats(db: DuckDBPyConnection, engagement: Engagement) -> None:
    for name, source in engagement.sources.items():
        for each in source.date_format:
            try:
                db.execute(f"select try_strptime('', {literal(each)})")
            except duckdb.Error as error:
                raise SourceError(
                    f"sources.{name}.date_format: {each!r} is no date format.",
                    "",
                    "Write it as in %d.%m.%Y or %Y-%m-%d.",
                ) from error


def table(db: DuckDBPyConnection, key: str, facts: Facts, readings: dict[str, Reading]) -> Reading:
    """Give the source behind a table of the engagement; rows typed there become a view of their own."""
    if facts.source:
        return readings[facts.source]
    name = f"{key} rows"
    fields = list(dict.fromkeys(field for row in facts.rows for field in row))
    text = [[None if row.get(f) is None else str(row[f]) for f in fields] for row in facts.rows]
    _create(db, name, fields, [("engagement.toml", number, *row) for number, row in enumerate(text, 1)])
    columns = dict.fromkeys((*fields, *PROVENANCE), "VARCHAR")
    return Reading(name, name, ("engagement.toml",), columns, len(text), "typed into the engagement")


class Columns:
    """SQL for the columns of one source, cast by the formats declared for it.

    A value that cannot be read becomes null; ``given`` tells it from a blank.
    """

    def __init__(self, key: str, names: dict[str, str], reading: Reading, source: Source | None) -> None:
        self.key, self.names, self.reading = key, names, reading
        self.source = source or Source()
        self.tidy: frozenset[str] = frozenset()

    def tidied(self, db: DuckDBPyConnection, fields: Sequence[str]) -> Columns:
        """The same columns, but text that has no blanks to trim is read as it stands: trimming costs time."""
        names = [each for each in fields if self.has(each) and self._kind(each) == "VARCHAR"]
        tests = ", ".join(f"bool_or({self.text(each)} is distinct from {self.raw(each)})" for each in names)
        found = db.execute(f"select {tests or 'null'} from {quoted(self.reading.view)}").fetchone()
        other = Columns(self.key, self.names, self.reading, self.source)
        other.tidy = frozenset(each for each, odd in zip(names, found, strict=False) if not odd)
        return other

    def has(self, field: str) -> bool:
        """Whether the engagement names a column for a field, or the client already calls it that."""
        return field in self.names or field in self.reading.columns

    def raw(self, field: str) -> str:
        """Name the client's column behind a field."""
        name = self.names.get(field, field)
        if name not in self.reading.columns:
            raise self.reading.lacks(f"{self.key}.columns.{field}", name)
        return quoted(name)

    def text(self, field: str) -> str:
        """Trimmed text, null where blank; whole numbers without a decimal point."""
        column, kind = self.raw(field), self._kind(field)
        if field in self.tidy:
            return column
        if kind in ("FLOAT", "DOUBLE"):
            whole = f"cast({column} as bigint)::varchar"
            column = f"case when {column} = round({column}) then {whole} else {column}::varchar end"
        return f"nullif(trim(cast({column} as varchar)), '')"

    def given(self, field: str) -> str:
        """Whether the client wrote anything there."""
        return f"({self.text(field)} is not null)"

    def amount(self, field: str) -> str:
        """Exact decimal with four places; null where blank or unreadable."""
        if self._kind(field) != "VARCHAR":
            return f"try_cast({self.raw(field)} as decimal(18, 4))"
        text, point, comma = self.text(field), self.source.decimal, self.source.thousands
        whole = f"[0-9]{{1,3}}(?:[{comma}][0-9]{{3}})+|[0-9]+" if comma else "[0-9]+"
        shape = f"^[+-]?(?:{whole})?(?:[{point}][0-9]+)?$"
        plain = f"replace({text}, {literal(comma)}, '')" if comma else text
        plain = f"replace({plain}, '{point}', '.')" if point != "." else plain
        return f"case when regexp_matches({text}, {literal(shape)}) then try_cast({plain} as decimal(18, 4)) end"

    def day(self, field: str) -> str:
        """A day; null where blank, unreadable, or readable as two different days."""
        column, kind = self.raw(field), self._kind(field)
        if kind == zones.INSTANT and self.source.timezone:
            return f"cast({column} at time zone {literal(self.source.timezone)} as date)"
        if kind != "VARCHAR":
            return f"try_cast({column} as date)"
        if not self.source.date_format:
            return f"cast(try_strptime({self.text(field)}, {list(ISO)!r}) as date)"
        reads = [f"cast(try_strptime({self.text(field)}, {literal(each)}) as date)" for each in self.source.date_format]
        agree = " and ".join(f"coalesce({each}, {reads[0]}) = coalesce({reads[0]}, {each})" for each in reads[1:])
        one = f"coalesce({', '.join(reads)})"
        return one if len(reads) == 1 else f"case when coalesce({agree}, true) then {one} end"

    def optional(self, kind: Literal["text", "day", "amount"], field: str) -> str:
        """Read a field as text, day or amount; a null of that type where the client has no such column."""
        return getattr(self, kind)(field) if self.has(field) else NONE[kind]

    def unread(self, field: str, value: str) -> str:
        """Whether the client wrote something there that ``value``, its SQL, could not read."""
        return f"({self.given(field)} and {value} is null)" if self.has(field) else "false"

    def _kind(self, field: str) -> str:
        self.raw(field)
        return self.reading.columns[self.names.get(field, field)]


def _view(name: str) -> str:
    return f"source {name}"


def _name(path: str) -> str:
    return Path(path).name


def _query(
    db: DuckDBPyConnection, name: str, source: Source, readings: dict[str, Reading], engagement: Engagement
) -> str:
    """Run a query in which every source read so far goes by the client's name for it."""
    declared = {each: engagement.sources[each].timezone for each in readings} if not source.timezone else {}
    instants = {each for each, read in readings.items() if zones.INSTANT in read.columns.values()}
    zones.refuse_two_conversions(name, source, {n: zone for n, zone in declared.items() if zone and n in instants})
    known = ", ".join(
        f"{quoted(each.name)} as ({zones.local(each.view, each.columns, declared.get(each.name))})"
        for each in readings.values()
    )
    view = quoted(_view(name))
    try:
        if len(duckdb.extract_statements(source.sql)) != 1:
            raise SourceError(f"The query of source {name!r} is not one select.", "", "Write a single select.")
        plain = source.sql.strip().rstrip(";")
        db.execute(f"create temp table {view} as {f'with {known} ' if known else ''}select * from (\n{plain}\n)")
    except duckdb.Error as error:
        typed = isinstance(error, (duckdb.BinderException, duckdb.ConversionException))
        cast = "Columns of CSV and Excel files are text: cast them, as in cast(price as decimal(18, 4))."
        raise SourceError(
            f"The query of source {name!r} fails.",
            str(error).splitlines()[0],
            cast if typed else f"It may read {listed([*readings])}.",
        ) from error
    columns = [each[0] for each in db.execute(f"describe {view}").fetchall()]
    for column, kind in zip(PROVENANCE, ("varchar", "bigint"), strict=True):
        if column not in columns:
            db.execute(f"alter table {view} add column {column} {kind}")
    db.execute(f"update {view} set _file = {literal(f'query {name}')} where _file is null")
    return "SQL query"


def _files(db: DuckDBPyConnection, name: str, source: Source, engagement: Engagement) -> str:
    kinds = {Path(each).suffix.lower() for each in source.path}
    if len(kinds) > 1:
        raise SourceError(
            f"Source {name!r} mixes files of different kinds.",
            f"Found {listed(sorted(kinds))}.",
            "Make one source of each kind and join them with a query.",
        )
    for each in source.path:
        if not Path(each).stat().st_size:
            raise SourceError(f"{_name(each)} is empty.", "It has 0 bytes.", "Export it again.")
    kind = kinds.pop()
    if kind in (".parquet", ".pq"):
        return _parquet(db, name, source, engagement.folder)
    if kind in (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"):
        return _excel(db, name, source, engagement.folder)
    return _csv(db, name, source, engagement.folder)


def _parquet(db: DuckDBPyConnection, name: str, source: Source, folder: Path) -> str:
    files = list(map(file_at, source.path))
    hive = _hive(source, folder)
    try:
        columns = [
            [row[0] for row in db.execute(f"describe from read_parquet({each}, {hive})").fetchall()] for each in files
        ]
        _same_columns(name, source.path, columns)
        db.execute(
            f"create view {quoted(_view(name))} as select * exclude (filename, file_row_number), "
            f"case when starts_with(filename, {literal(f'{folder}/')}) then filename[{len(str(folder)) + 2}:] "
            "else parse_filename(filename) end as _file, file_row_number + 1 as _record "
            f"from read_parquet([{', '.join(files)}], {hive}, filename = true, file_row_number = true, "
            f"union_by_name = {len(columns) > 1})"
        )
    except duckdb.Error as error:
        raise SourceError(
            f"Source {name!r} is not readable as Parquet.", str(error).splitlines()[0], "Export it again."
        ) from error
    return "Parquet"


def _excel(db: DuckDBPyConnection, name: str, source: Source, folder: Path) -> str:
    import python_calamine

    headers, records = [], []
    for path in source.path:
        try:
            book = python_calamine.CalamineWorkbook.from_path(path)
        except python_calamine.CalamineError as error:
            raise SourceError(
                f"{_name(path)} is not readable as a workbook.", str(error), "Save it again as .xlsx."
            ) from error
        sheet = source.sheet or book.sheet_names[0]
        if sheet not in book.sheet_names:
            raise SourceError(
                f"{_name(path)} has no sheet {sheet!r}.",
                f"It has {listed(book.sheet_names)}.",
                f"Correct sources.{name}.sheet.",
            )
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        header, *rest = [[_cell(value, source) for value in row] for row in rows[source.header_row - 1 :]] or [[]]
        others = [each for each in book.sheet_names if each != sheet]
        also = f"; also there: {listed(others)}" if others and not source.sheet else ""
        headers.append(_header(f"{_name(path)}, sheet {sheet!r}{also},", header))
        label = _relative(path, folder)
        records += [(label, n, *row) for n, row in enumerate(rest, 1) if any(row)]
    _same_columns(name, source.path, headers)
    _create(db, _view(name), headers[0], records)
    return f"Excel, sheet {sheet!r}{also}"


def _cell(value: Any, source: Source) -> str | None:
    """Write a spreadsheet cell as the client would have typed it: numbers and days in the declared formats."""
    if value is None or value == "":
        return None
    if isinstance(value, float):
        exact = str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
        return exact.replace(".", source.decimal)
    if isinstance(value, date):
        whole = not isinstance(value, datetime) or value.time() == time()
        return f"{value:{source.date_format[0]}}" if source.date_format else str(value)[: 10 if whole else None]
    return str(value)


def _csv(db: DuckDBPyConnection, name: str, source: Source, folder: Path) -> str:
    how, headers, view = set(), [], quoted(_view(name))
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(source.path):
            file, encoding = encodings.utf8(Path(path), source.encoding, Path(scratch) / f"{number}.csv")
            separator, header = _shape(name, file, _name(path), source)
            headers.append(header)
            _same_columns(name, source.path, headers)
            how.add(f"CSV, {encoding}, separator {'tab' if separator == chr(9) else separator!r}")
            start = f"create temp table {view} as" if number == 0 else f"insert into {view} by name"
            shape = "{" + ", ".join(f"{literal(each)}: 'VARCHAR'" for each in header) + "}"
            try:
                db.execute(
                    f"{start} select *, {literal(_relative(path, folder))} as _file, row_number() over () as _record "
                    f"from read_csv({file_at(file)}, auto_detect = false, header = true, columns = {shape}, "
                    f"delim = '{separator}', quote = '\"', escape = '\"', skip = {source.header_row - 1}, "
                    f"{_hive(source, folder)}, max_line_size = 16000000)"
                )
            except duckdb.Error as error:
                told = [line.strip().rstrip(".") for line in str(error).splitlines()[:4] if line.strip()]
                raise SourceError(
                    f"{_name(path)} is not a table with {len(header)} columns separated by {separator!r}.",
                    "; ".join(each.removeprefix("Invalid Input Error: CSV Error on ") for each in told) + ".",
                    "Mend that line, or declare the separator.",
                ) from error
    return "; ".join(sorted(how))


def _shape(name: str, file: Path, label: str, source: Source) -> tuple[str, list[str]]:
    """Read the header line; find the separator where none is declared."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        head = [line for _, line in zip(range(source.header_row), lines, strict=False)][-1:]
        head = head[0] if head else ""
        while head.count('"') % 2 and (more := lines.readline()):
            head += more
    separator = source.separator or max(SEPARATORS, key=head.count)
    separator = "\t" if separator in ("tab", "\\t") else separator
    header = next(csv.reader(io.StringIO(head, newline=""), delimiter=separator), [])
    better = max(SEPARATORS, key=head.count)
    if len(header) < 2 and head.count(better):
        raise SourceError(
            f"{label} has one column when split at {separator!r}.",
            f"Its header is {head.strip()!r}.",
            f"Set sources.{name}.separator = {better!r}.",
        )
    return separator, _header(label, header)


def _header(label: str, header: list[str | None]) -> list[str]:
    names = [(each or "").strip() for each in header]
    while names and not names[-1]:
        names.pop()
    blank = [str(n) for n, each in enumerate(names, 1) if not each]
    twice = sorted({each for each in names if names.count(each) > 1} - {""})
    if not names or blank or twice:
        found = (
            f"Columns {listed(blank)} have no name. " if blank else f"{listed(twice)} stand twice. " if twice else ""
        )
        found += f"The row found is {' | '.join(names) or 'empty'}."
        mend = "Name every column once, or set header_row" + (" or sheet." if "sheet" in label else ".")
        raise SourceError(f"{label} has no usable header.", found, mend)
    return names


def _same_columns(name: str, paths: tuple[str, ...], headers: list[list[str]]) -> None:
    for path, header in zip(paths, headers, strict=False):
        if set(header) != set(headers[0]):
            odd = sorted(set(header) ^ set(headers[0]))
            raise SourceError(
                f"The files of source {name!r} have different columns.",
                f"{_name(path)} and {_name(paths[0])} differ in {listed(odd)}.",
                "Give every file the same columns, or make two sources and a query.",
            )


def _hive(source: Source, folder: Path) -> str:
    """Make a column of a folder ``year=2024`` between the engagement and its files, never of one it lies in itself."""
    between = [Path(os.path.relpath(each, folder)).parts[:-1] for each in source.path]
    return f"hive_partitioning = {any('=' in part for parts in between for part in parts)}"


def _relative(path: str, folder: Path) -> str:
    file = Path(path)
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else file.name


def _create(db: DuckDBPyConnection, name: str, fields: list[str], records: list[tuple[Any, ...]]) -> None:
    """Make a table of text columns from rows of (file, record, values...)."""
    import pyarrow as pa

    padded = [row[: len(fields) + 2] + (None,) * (len(fields) + 2 - len(row)) for row in records]
    columns = list(zip(*padded, strict=True)) or [()] * (len(fields) + 2)
    kinds = [pa.string(), pa.int64(), *[pa.string()] * len(fields)]
    arrays = [pa.array(each, kind) for each, kind in zip(columns, kinds, strict=True)]
    frame = pa.Table.from_arrays(arrays, names=[*PROVENANCE, *fields])
    db.register("arriving", frame)
    db.execute(f"create temp table {quoted(name)} as select * from arriving")
    db.unregister("arriving")
