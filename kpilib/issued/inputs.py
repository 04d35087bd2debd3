"""The inputs of an engagement in the kit's own columns: small enough to keep, complete enough to compute again.

Evidence is kept line by line as it was read, before items are mapped to products and before any rule judged it, so
that mapping, catalogue and definitions can be exchanged one at a time. Lines that could not be read are left out:
no rule would have used them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from kpilib.engagement import Engagement, Evidence, Facts
from kpilib.errors import DataError
from kpilib.facts import catalogue, intake, offers, sources
from kpilib.facts.sources import PROVENANCE, Reading, table
from kpilib.sql import literal, quoted

WORDS = ("client", "data_from", "data_to", "lookback_months", "fiscal_year_start", "fiscal_year_named_by",
         "free_items_count", "index_reading")  # fmt: skip
AS_SOLD = "as sold"
OTHERS = ("feedback", "interactions", "programmes", "wallet", "blocked")
NO_ROW = {
    "accounts": {"account_id": None},
    "grain": {"item_id": None, "product_id": None},
    "opportunities": {"account_id": None, "product_id": None, "status": "open", "opened": None},
}


@dataclass(frozen=True)
class Table:
    """One table of facts: its file, and a hash of the client's files and typed rows it was read from."""

    file: str
    read_from: str


@dataclass(frozen=True)
class Proof(Table):
    """A table of evidence and what its lines prove."""

    kind: str
    products: tuple[str, ...]
    life_months: int | None


@dataclass(frozen=True)
class Inputs:
    """Everything that the counted figures depend on but the code; paths are full ones.

    ``words`` are the engagement's own (days covered, look-back, fiscal year, ...) with its base. ``products`` names
    the catalogue, or is its table, or ``"as sold"``; ``lookbacks`` are months by product, all of them where the
    catalogue is not as sold. ``sheet`` is the eligibility sheet as declared. ``others`` tells of records that move no
    figure that is compared (feedback, contacts, ...) how many there are and a hash of them.
    """

    words: dict[str, Any]
    evidence: tuple[Proof, ...]
    accounts: Table | None
    complete: bool
    grain: Table | None
    opportunities: Table | None
    products: Table | tuple[str, ...] | str
    outside: tuple[str, ...]
    lookbacks: dict[str, int]
    eligibility: tuple[dict[str, Any], ...]
    sheet: dict[str, Any] | None
    bands: tuple[dict[str, Any], ...]
    others: dict[str, dict[str, Any]]


def write(engagement: Engagement, folder: Path) -> Inputs:
    """Read a client's files once more and keep them in a folder, in the kit's own columns."""
    folder.mkdir(parents=True)
    with duckdb.connect() as db:
        readings = sources.read(db, engagement)
        reader = _Reader(db, engagement, readings, folder)
        evidence = tuple(reader.evidence(number, each) for number, each in enumerate(engagement.evidence, 1))
        products, lookbacks = reader.products()
        return Inputs(
            words={name: engagement.model_dump(mode="json")[name] for name in WORDS} | {"base": engagement.counted},
            evidence=evidence,
            accounts=reader.accounts(),
            complete=bool(engagement.accounts and engagement.accounts.complete),
            grain=reader.grain(),
            opportunities=reader.opportunities(),
            products=products,
            outside=engagement.catalogue.outside,
            lookbacks=lookbacks,
            eligibility=tuple(each.model_dump(mode="json", by_alias=True) for each in engagement.eligibility),
            sheet=reader.sheet(),
            bands=tuple(each.model_dump(mode="json") for each in engagement.bands),
            others={name: reader.other(name) for name in OTHERS if getattr(engagement, name) is not None},
        )


def engagement_of(inputs: Inputs, folder: Path) -> Engagement:
    """Make an engagement that reads kept inputs as the client's own did; it lives in a folder."""
    files = {f"kept_evidence_{n}": each.file for n, each in enumerate(inputs.evidence, 1)}
    declared: dict[str, Any] = {
        **inputs.words,
        "path": folder / "engagement.toml",
        "evidence": [
            {**_source(f"kept_evidence_{n}", each.file, _no_line(each.kind)), "kind": each.kind,
             "products": each.products, "life_months": each.life_months}
            for n, each in enumerate(inputs.evidence, 1)
        ],
        "lookback_by_product": inputs.lookbacks,
        "eligibility": inputs.eligibility,
        "allow_set_aside": 1,
        "catalogue": {"outside": inputs.outside},
    }  # fmt: skip
    tables = {"accounts": inputs.accounts, "grain": inputs.grain, "opportunities": inputs.opportunities}
    for name, each in tables.items():
        if each is not None:
            declared[name] = _source(f"kept_{name}", each.file, NO_ROW[name])
            files[f"kept_{name}"] = each.file
    if inputs.accounts is not None:
        declared["accounts"]["complete"] = inputs.complete
    if isinstance(inputs.products, Table):
        declared["catalogue"]["source"], files["kept_catalogue"] = "kept_catalogue", inputs.products.file
    else:
        declared["catalogue"]["products"] = inputs.products
    if inputs.sheet is not None:
        own = {key: each for key, each in inputs.sheet.items() if key not in ("file", "read_from")}
        declared["eligibility_sheet"], files["kept_sheet"] = {**own, "source": "kept_sheet"}, inputs.sheet["file"]
    declared["sources"] = {name: {"path": file} for name, file in files.items() if _rows(file)}
    return Engagement.model_validate(declared, context={"folder": folder})


def dumped(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """Write inputs as JSON can hold them, files as seen from a folder."""
    return json.loads(json.dumps(_placed(asdict(inputs), lambda file: Path(file).relative_to(folder).as_posix())))


def loaded(told: Mapping[str, Any], folder: Path) -> Inputs:
    """Read back what :func:`dumped` wrote.

    Raises
    ------
    DataError
        Another version of the kit wrote it otherwise.
    """
    told = _placed(dict(told), lambda file: str(folder / file))
    try:
        tables = {name: None if told[name] is None else Table(**told[name]) for name in NO_ROW}
        evidence = tuple(Proof(**{**each, "products": tuple(each["products"])}) for each in told["evidence"])
        lists = {name: tuple(told[name]) for name in ("outside", "eligibility", "bands")}
        products = told["products"]
        products = Table(**products) if isinstance(products, dict) else products
        products = tuple(products) if isinstance(products, list) else products
        return Inputs(**{**told, **tables, **lists, "evidence": evidence, "products": products})
    except (KeyError, TypeError) as error:
        raise DataError(
            "The record's inputs are not written as this version of the kit reads them.",
            f"{type(error).__name__}: {error}.",
            "Explain it with the version of the kit that record.json names.",
        ) from error


@dataclass(frozen=True)
class _Reader:
    """The client's files, read, and the folder that receives them."""

    db: duckdb.DuckDBPyConnection
    engagement: Engagement
    readings: dict[str, Reading]
    folder: Path

    def evidence(self, number: int, declared: Evidence) -> Proof:
        """Keep the readable lines of one table of evidence."""
        raw = declared.model_copy(update={"life_months": None})
        bare = self.engagement.model_copy(update={"grain": None})
        intake.evidence(self.db, number, raw, bare, self.readings)
        read = "account_id is not null and day is not null and not bad_amount and not bad_stop"
        rows, once = quoted(f"evidence {number}"), ""
        if declared.duplicates == "set aside":
            rows, once = intake.with_repeats(self.db, str(number)), " and not repeat"
        start = "start" if declared.kind == "subscriptions" else "date"
        columns = f'account_id, item_id as product_id, day as {start}, stop as "end", quantity, revenue'
        file = self._copy(f"select {columns} from {rows} where {read}{once} order by all", f"evidence_{number}")
        return Proof(file, self._read_from(declared), declared.kind, declared.products, declared.life_months)

    def accounts(self) -> Table | None:
        """Keep the accounts table with its attributes."""
        declared = self.engagement.accounts
        if declared is None:
            return None
        named = intake.accounts(self.db, self.engagement, self.readings)
        columns = ", ".join(map(quoted, ("account_id", "joined_on", "left_on", *named)))
        query = f"select {columns} from accounts_given where account_id is not null order by account_id"
        return Table(self._copy(query, "accounts"), self._read_from(declared))

    def grain(self) -> Table | None:
        """Keep which item is which product."""
        if not catalogue.grain(self.db, self.engagement, self.readings):
            return None
        return Table(
            self._copy("select * from grain_map order by all", "grain"), self._read_from(self.engagement.grain)
        )

    def opportunities(self) -> Table | None:
        """Keep the readable opportunities, their status in the kit's words."""
        declared = self.engagement.opportunities
        if declared is None:
            return None
        offers.opportunities(self.db, self.engagement, self.readings)
        query = (
            "select account_id, product_id, status_word as status, day as opened, stop as closed "
            'from "evidence opportunities" where account_id is not null and day is not null and not bad_stop '
            "order by all"
        )
        return Table(self._copy(query, "opportunities"), self._read_from(declared))

    def other(self, key: str) -> dict[str, Any]:
        """Count records and hash them as the client wrote them, in whatever order they stand."""
        reading = table(self.db, key, getattr(self.engagement, key), self.readings)
        columns = ", ".join(f"{quoted(each)}::varchar" for each in reading.columns if each not in PROVENANCE)
        number, digest = self.db.execute(
            f"select count(*), md5(string_agg(row, chr(10) order by row)) "
            f"from (select [{columns}]::varchar as row from {quoted(reading.view)})"
        ).fetchone()
        return {"records": number, "hash": digest}

    def products(self) -> tuple[Table | tuple[str, ...] | str, dict[str, int]]:
        """Keep the catalogue with its days, and the look-back of every product."""
        declared = self.engagement.catalogue
        if declared.products == AS_SOLD:
            return AS_SOLD, dict(self.engagement.lookback_by_product)
        found = catalogue.products(self.db, self.engagement.model_copy(update={"grain": None}), self.readings, [])
        months = [3 * int(each) for each in found["lookback_quarters"]]
        lookbacks = dict(zip(found["product_id"], months, strict=True))
        if declared.products:
            return declared.products, lookbacks
        kept = found[["product_id", "launched", "retired"]].astype(object)
        query = (
            "select product_id::varchar as product_id, launched::date as launched, retired::date as retired from kept"
        )
        file = self._copied(query, "catalogue", kept)
        return Table(file, self._read_from(declared)), lookbacks

    def sheet(self) -> dict[str, Any] | None:
        """Keep the eligibility sheet as it stands, and how it was declared."""
        declared = self.engagement.eligibility_sheet
        if declared is None:
            return None
        reading = table(self.db, "eligibility_sheet", declared, self.readings)
        columns = ", ".join(quoted(each) for each in reading.columns if each not in PROVENANCE)
        told = declared.model_dump(mode="json", exclude={"source", "rows"})
        file = self._copy(f"select {columns} from {quoted(reading.name)} order by all", "sheet")
        return {**told, "file": file, "read_from": self._read_from(declared)}

    def _copied(self, query: str, name: str, frame: Any) -> str:
        self.db.register("kept", frame)
        file = self._copy(query, name)
        self.db.unregister("kept")
        return file

    def _copy(self, query: str, name: str) -> str:
        file = self.folder / f"{name}.parquet"
        self.db.execute(f"copy ({query}) to {literal(file)} (format parquet, compression zstd)")
        return str(file)

    def _read_from(self, facts: Facts) -> str:
        """Hash what a table was read from, by content."""
        every = self.engagement.sources
        used = [every[facts.source]] if facts.source else []
        used = list(every.values()) if used and used[0].sql else used
        digest = hashlib.sha256(json.dumps(facts.model_dump(mode="json")["rows"], sort_keys=True).encode())
        for path in sorted({path for each in used for path in each.path}):
            with Path(path).open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()


def _source(name: str, file: str, no_row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a table from its file; an empty one stands as a row without an account, for none may be empty."""
    return {"source": name} if _rows(file) else {"rows": [no_row]}


def _rows(file: str) -> int:
    import pyarrow.parquet as pq

    return pq.read_metadata(file).num_rows


def _no_line(kind: str) -> dict[str, None]:
    start = "start" if kind == "subscriptions" else "date"
    return dict.fromkeys(("account_id", "product_id", start, "quantity", "revenue"))


def _placed(told: Any, move: Any) -> Any:
    """Move every file that is named in nested tables."""
    if isinstance(told, dict):
        return {key: move(each) if key == "file" else _placed(each, move) for key, each in told.items()}
    return [_placed(each, move) for each in told] if isinstance(told, list | tuple) else told
