"""Lists as they were issued: kept beside the engagement, never overwritten, and read back quarter after quarter."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpilib import publish
from kpilib.actions import chosen, workbook
from kpilib.actions.chosen import HELD_BACK, LISTED, Limits
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts

REGISTER, FILLED, STATED, CALLS = "register.parquet", "filled.parquet", "issued.json", "calls"


@dataclass(frozen=True)
class Issued:
    """A list as issued: its quarter, its folder, what was stated, and every slot with its arm."""

    quarter: str
    folder: Path
    stated: dict[str, Any]
    rows: pd.DataFrame


def place(book: Book, quarter: str) -> Path:
    """Where the list of a quarter is kept: beside the engagement."""
    return book.engagement.folder / "actions" / quarter


def issue(
    book: Book,
    quarter: str,
    candidates: pd.DataFrame,
    limits: Limits | None = None,
    share_held_back: float = 0.2,
    seed: str = "",
) -> Issued:
    """Choose the calls of a quarter, hold accounts back, and write the list for the owners.

    Writes ``calls.csv`` and ``calls.xlsx`` (for the owners: without those held back), ``register.parquet`` (every
    slot with its arm) and ``issued.json`` (seed, share, limits, and the smallest lift the control can detect).

    Raises
    ------
    DataError
        A list of this quarter was issued already, nothing can be recommended, or the share is not from 0 to 0.5.
    """
    at, limits = book.quarter(quarter), limits or Limits()
    folder = place(book, at.label)
    if folder.exists():
        raise DataError(
            f"The list of {at.label} was issued already.",
            f"It is in {folder}.",
            "Follow it up (--follow-up), or move the folder away to issue another.",
        )
    if not 0 <= share_held_back <= 0.5:
        raise DataError(f"A share of {share_held_back:g} cannot be held back.", "", "Hold back 0 to 0.5; 0.2 is usual.")
    if candidates.empty:
        raise DataError(f"There is nothing to recommend as of {at.label}.", "No open slot.", "See kpi measure.")
    rows = chosen.chosen(candidates, limits, share_held_back)
    rows["arm"] = chosen.held_back(rows, share_held_back, f"{seed}\n{at.label}")
    width = len(str(len(rows)))
    rows.insert(0, "call", [f"{at.label}-{each:0{width}d}" for each in rows["rank"]])
    rows["due"] = at.later(1).last_day
    stated = {
        "quarter": at.label,
        "seed": seed,
        "share_held_back": share_held_back,
        "limits": asdict(limits),
        "detectable": asdict(chosen.detectable(rows)),
        "calls": int((rows["arm"] == LISTED).sum()),
        "slots_held_back": int((rows["arm"] == HELD_BACK).sum()),
    }
    _write(folder, rows, stated, book)
    return Issued(at.label, folder, stated, rows)


def issued(book: Book) -> list[Issued]:
    """Every list that was issued, oldest first."""
    folders = sorted(each.parent for each in (book.engagement.folder / "actions").glob(f"*/{STATED}"))
    return [_read(each) for each in folders]


def fill_in(book: Book, quarter: str, files: Sequence[Path]) -> list[str]:
    """Take over what owners wrote into their workbooks; return what was noticed about them.

    Several files may each carry some of the calls (one per owner); what is filled in later wins over a blank.

    Raises
    ------
    DataError
        No list of that quarter was issued, or a file is no list.
    """
    mine = next((each for each in issued(book) if each.quarter == quarter), None)
    if mine is None:
        known = ", ".join(each.quarter for each in issued(book)) or "none yet"
        raise DataError(f"No list of {quarter} was issued.", f"Issued: {known}.", "Give --quarter of the list.")
    calls = mine.rows[mine.rows["arm"] == LISTED][["call", "account_id", "product_id"]].reset_index(drop=True)
    told, noticed = [], []
    for file in files:
        filled, found = workbook.read(file, calls)
        noticed += [f"{file.name}: {each}" for each in found]
        told.append(filled.assign(silent=(filled["status"] == workbook.STATUS[0]) & filled["why_not"].isna()))
    together = pd.concat(told).sort_values(["call", "silent"], kind="stable").drop_duplicates("call")
    together[["call", *workbook.ASKED]].astype("string").to_parquet(mine.folder / FILLED, index=False)
    return noticed


def outcomes(book: Book, quarter: str) -> list[tuple[str, pd.DataFrame]]:
    """Every list whose quarter has come, up to ``quarter``, with what became of each slot.

    Returns
    -------
    (quarter of the list, its rows with status, why_not, worked and closed), oldest first. A slot is closed where the
    account held the product at the end of the quarter after the list; a slot whose account is gone is not.
    """
    until = book.quarter(quarter).index
    found = []
    for each in issued(book):
        came = book.engagement.calendar.parse(each.quarter).later(1)
        if came.index <= until and came.label in set(book.quarters.loc[book.quarters["complete"], "label"]):
            held = counts.at_slots(book, came.label, each.rows)["held"]
            rows = each.rows.assign(closed=held.to_numpy(bool))
            for name in ("status", "why_not"):
                rows[name] = rows.get(name)
            rows["worked"] = rows["status"].isin(workbook.WORKED) & (rows["arm"] == LISTED)
            found.append((each.quarter, rows))
    return found


def _write(folder: Path, rows: pd.DataFrame, stated: dict[str, Any], book: Book) -> None:
    """Build beside and rename: a list is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        told = [each for each in workbook.COLUMNS if each in rows]
        calls = rows[rows["arm"] == LISTED]
        rows[["rank", "arm", *told]].to_parquet(building / REGISTER, index=False)
        publish.table(calls[told], CALLS, building)
        title = f"{book.engagement.client}: calls for the quarter after {stated['quarter']}"
        workbook.write(calls, building / f"{CALLS}.xlsx", title, book.engagement.currency)
        (building / STATED).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _read(folder: Path) -> Issued:
    stated = json.loads((folder / STATED).read_text(encoding="utf-8"))
    rows = pd.read_parquet(folder / REGISTER)
    if (folder / FILLED).is_file():
        rows = rows.merge(pd.read_parquet(folder / FILLED), on="call", how="left")
    return Issued(stated["quarter"], folder, stated, rows)
