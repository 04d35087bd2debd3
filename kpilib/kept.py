"""Positions kept beside the engagement, under a fingerprint of everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from kpilib.book import Book
from kpilib.engagement import Engagement, load, lookback_fault
from kpilib.errors import MEND_RIGHT, DataError, SourceError, listed
from kpilib.facts import checks, doubts, records
from kpilib.sql import literal

if TYPE_CHECKING:
    from kpilib.facts.portfolio import Portfolio

KEEP = 8
SIZES, PARQUET = "sizes.json", b"PAR1"
ENGINES = ("duckdb", "ibis-framework", "sqlglot", "pyarrow")
COMPUTED_BY = (
    "quarters.py",
    "planned.py",
    "files.py",
    "engagement.py",
    "sql.py",
    "facts/*.py",
    "bits.py",
    "workbench.py",
    "positions.py",
    "lapsing.py",
    "holdings.py",
    "kept.py",
)


def open_book(engagement: Engagement | str | Path, lookback_months: int | None = None, base: str | None = None) -> Book:
    """Open a client's positions, computing them where no current copy is kept.

    Parameters
    ----------
    engagement
        As loaded, or the path of its file or folder.
    lookback_months
        Whole quarters; in place of the engagement's own. Products with a look-back of their own keep it.
    base
        ``all``, ``active`` or ``eligible``; in place of the engagement's own.

    Raises
    ------
    KpiError
        The look-back is not whole quarters or too long, or the data are at fault.
    """
    engagement = engagement if isinstance(engagement, Engagement) else load(engagement)
    engagement = _looking_back(engagement, lookback_months)
    name = fingerprint(engagement)
    for shelf in _shelves(engagement.folder):
        if _whole(shelf / name):
            return Book(engagement, shelf / name, base or engagement.counted)
    shelf = _writable(_shelves(engagement.folder))
    try:
        _keep(engagement, shelf / name)
    except duckdb.IOException as error:
        said = str(error).splitlines()[0].rstrip(".") + "."
        raise DataError(f"What is computed of the data cannot be kept in {shelf}.", said, "Make room there.") from error
    _tidy(shelf)
    return Book(engagement, shelf / name, base or engagement.counted)


def fingerprint(engagement: Engagement) -> str:
    """Hash the engagement, the bytes of every file it reads, this kit's code and its engines.

    Content is read, not file times: a file rewritten within the same second is still another file.
    """
    digest = hashlib.blake2b(digest_size=16)
    meaning = engagement.model_dump_json(exclude={"path", "base", "sources", "chapters"})
    described = {name: each.model_dump_json(exclude={"path"}) for name, each in sorted(engagement.sources.items())}
    digest.update(f"{meaning}{described}".encode())
    digest.update("".join(f"{each} {version(each)};" for each in ENGINES).encode())
    library = Path(__file__).parent
    files = [file for pattern in COMPUTED_BY for file in sorted(library.glob(pattern))]
    files += [Path(path) for _, each in sorted(engagement.sources.items()) for path in each.path]
    for file in files:
        digest.update(f"{file.name} {_hashed(file)};".encode())
    return digest.hexdigest()


def _hashed(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "blake2b").hexdigest()
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read.", f"{error.strerror} ({file}).", MEND_RIGHT) from error


def _looking_back(engagement: Engagement, months: int | None) -> Engagement:
    if months is None or months == engagement.lookback_months:
        return engagement
    if fault := lookback_fault(months):
        raise DataError(f"A look-back of {months} months is {fault}")
    return engagement.model_copy(update={"lookback_months": months})


def counted(engagement: Engagement, folder: Path) -> Book:
    """Compute, into a folder of one's own, the tables that counts need: nothing is looked up, nothing kept beside."""
    from kpilib import positions
    from kpilib.facts import portfolio

    facts = portfolio.load(engagement)
    try:
        folder.mkdir(parents=True)
        positions.write(facts, folder / "positions")
        _copy(facts, "select * from accounts order by account_id", folder / "accounts.parquet")
        if engagement.opportunities is not None:
            _copy(facts, "select * from opportunities order by all", folder / "opportunities.parquet")
        _products(facts).to_parquet(folder / "products.parquet", index=False)
        _quarters(facts).to_parquet(folder / "quarters.parquet", index=False)
    finally:
        facts.db.close()
    return Book(engagement, folder, engagement.counted)


def _keep(engagement: Engagement, folder: Path) -> None:
    """Compute beside and rename: a reader sees all of a book or none; the second of two writers yields."""
    from kpilib import holdings, lapsing, positions
    from kpilib.facts import portfolio

    facts = portfolio.load(engagement)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        positions.write(facts, building / "positions")
        if facts.sales is not None or facts.invoices is not None:
            with holdings.by_day(facts, building):
                holdings.write(facts, building / "holdings.parquet")
                holdings.write_purchases(facts, building / "purchases.parquet")
                if facts.sales is not None:
                    lapsing.write(facts, building / "lapsing.parquet")
        _write_tables(facts, building)
        sizes = {name: file.stat().st_size for name, file in _tables(building).items()}
        (building / SIZES).write_text(json.dumps(sizes))
        building.chmod(folder.parent.stat().st_mode & 0o777)  # a book may be read by whom its shelf is for
        _put(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        facts.db.close()


def _put(building: Path, folder: Path) -> None:
    """Put what was built in its place; a damaged book that stands there makes room for it."""
    try:
        building.rename(folder)
    except OSError:
        if _whole(folder):
            return
        damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
        folder.rename(damaged / folder.name)
        shutil.rmtree(damaged, ignore_errors=True)
        building.rename(folder)


def _tables(folder: Path) -> dict[str, Path]:
    return {each.relative_to(folder).as_posix(): each for each in folder.rglob("*.parquet")}


def _whole(folder: Path) -> bool:
    """Whether every table of a kept book is there as written, as far as size and ends can tell, and no other is."""
    try:
        sizes = {name: (size, PARQUET, PARQUET) for name, size in json.loads((folder / SIZES).read_bytes()).items()}
        return {name: _ends(file) for name, file in _tables(folder).items()} == sizes
    except (OSError, ValueError, AttributeError):
        return False


def _ends(file: Path) -> tuple[int, bytes, bytes]:
    """Give the size of a file, its first four bytes and its last."""
    with file.open("rb") as content:
        first = content.read(4)
        size = content.seek(0, os.SEEK_END)
        content.seek(max(0, size - 4))
        return size, first, content.read(4)


def _write_tables(facts: Portfolio, folder: Path) -> None:
    for name in ("accounts", "opportunities", "blocked", "monthly", *records.COLUMNS):
        if name in {row[0] for row in facts.db.execute("select table_name from duckdb_tables()").fetchall()}:
            order = "order by account_id" if name == "accounts" else "order by all"
            _copy(facts, f"select * from {name} {order}", folder / f"{name}.parquet")
    _set_aside(facts, folder / "set_aside.parquet")
    ledger = pd.concat([facts.ledger, _not_open(facts, folder)], ignore_index=True)
    frames = {
        "products": _products(facts),
        "ledger": ledger,
        "totals": facts.totals,
        "readings": _readings(facts),
        "rules": _rules(facts),
        "quarters": _quarters(facts),
    }
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def _copy(facts: Portfolio, sql: str, path: Path) -> None:
    facts.db.execute(f"copy ({sql}) to {literal(path)} (format parquet)")


def _products(facts: Portfolio) -> pd.DataFrame:
    places = range(len(facts.products))
    return facts.products.assign(
        place=list(places),
        word=[each // 63 for each in places],
        bit=[1 << each % 63 for each in places],
        family=facts.products["family"].astype("string"),
        **{
            each: facts.products[each].map(lambda day: None if pd.isna(day) else day).astype(object)
            for each in ("launched", "retired")
        },
    )


def _quarters(facts: Portfolio) -> pd.DataFrame:
    """Mark what the data cover to its ends: the quarter, the longest look-back, and the day of a snapshot.

    ``no_snapshot``: what only a snapshot of the day would tell is not known, and would count as not had.
    """
    declared = facts.engagement
    kinds = {each.kind for each in declared.evidence}
    longest = max([declared.lookback_months // 3, *facts.products["lookback_quarters"]]) if "sales" in kinds else 1
    snapshots = doubts.days_of_snapshots(facts.db, declared)
    rows = []
    for each in facts.quarters:
        needed = each.last_day if kinds == {"snapshot"} else each.later(1 - longest).first_day
        covered = declared.data_from <= needed and each.last_day <= declared.data_to
        seen = facts.snapshots is None or each.last_day in snapshots
        window = each.later(1 - declared.lookback_months // 3).first_day
        rows.append((each.index, each.label, each.first_day, each.last_day, window, covered and seen, not seen))
    return pd.DataFrame(
        rows, columns=["quarter", "label", "first_day", "as_of", "window_start", "complete", "no_snapshot"]
    )


def _readings(facts: Portfolio) -> pd.DataFrame:
    rows = [(each.name, ", ".join(each.files) or "a query", each.rows, each.how) for each in facts.readings.values()]
    return pd.DataFrame(rows, columns=["source", "files", "rows", "read_as"]).astype(
        {"source": "string", "files": "string", "read_as": "string"}
    )


def _rules(facts: Portfolio) -> pd.DataFrame:
    rows = [(", ".join(each.products), each.says, each.start, each.stop) for each in facts.eligibility]
    return pd.DataFrame(rows, columns=["products", "open_to", "start", "stop"], dtype=object)


def _set_aside(facts: Portfolio, path: Path) -> None:
    """Every row set aside, with the rule that owns it."""
    from kpilib.facts.portfolio import judged_tables

    parts = [
        f"select {literal(label)} as table, {checks.owner(rules)} as rule, _file as file, "
        "_record as record, account_id, item_id as product, day_text as date, amount_text as amount, "
        f"{rules.also_unread} as also_unread "
        f'from "judged {name}"'
        for name, label, rules in judged_tables(facts.engagement)
    ]
    _copy(facts, f"select * from ({' union all '.join(parts)}) where rule is not null order by all", path)


def _not_open(facts: Portfolio, folder: Path) -> pd.DataFrame:
    """Flag holdings of products not on offer, or not open to the account, as of the last quarter."""
    from kpilib import positions

    last = facts.quarters[-1]
    nobodys = positions.open_to_nobody(facts, folder / "positions")
    found = positions.proven_not_possible(facts, folder / "positions", last)
    rows = [
        checks.entry(
            "holdings", rule, count, [f"{account}, {product}, on {last.last_day}" for account, product in pairs]
        )
        for rule, (count, pairs) in found.items()
        if count
    ]
    if nobodys:
        rows.append(checks.entry("catalogue", "open_to_nobody", len(nobodys), nobodys[: checks.EXAMPLES]))
    return pd.DataFrame(rows, columns=checks.LEDGER)


def _shelves(folder: Path) -> list[Path]:
    """Where books may be kept, best first: beside the engagement, in the user's cache, in a folder for a while.

    The last is taken only where it is the user's own: what others can write there, they could have written.
    """
    from platformdirs import user_cache_path

    shelves = [folder / ".kpi", user_cache_path("kpilib") / "books"]
    with suppress(OSError):
        shelf = Path(tempfile.gettempdir()) / f"kpilib-{os.getuid()}"
        seen = shelf.lstat() if shelf.exists() or shelf.is_symlink() else None
        if seen is None or (stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not seen.st_mode & 0o022):
            shelves.append(shelf)
    return shelves


def _writable(shelves: list[Path]) -> Path:
    for shelf in shelves:
        with suppress(OSError):
            shelf.mkdir(mode=0o777 if shelf == shelves[0] else 0o700, parents=True, exist_ok=True)
            if os.access(shelf, os.W_OK | os.X_OK):
                return shelf
    raise DataError(
        "What is computed of the data can be kept nowhere.",
        f"Tried {listed(shelves)}.",
        "Make one of them a folder that you may write to, or set TMPDIR to such a folder.",
    )


def _tidy(shelf: Path) -> None:
    """Keep the newest few books; the files of one still being read stay open."""
    with suppress(OSError):  # another may tidy at the same time
        books = sorted(
            (each for each in shelf.iterdir() if not each.name.startswith(".")), key=lambda each: each.stat().st_mtime
        )
        for old in books[:-KEEP]:
            shutil.rmtree(old, ignore_errors=True)
