"""Lists as they were issued: kept beside the engagement, never overwritten, and read back quarter after quarter."""

from __future__ import annotations

import json
import re
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

REGISTER, FILLED, STATED, CALLS, OWNERS = "register.parquet", "filled.parquet", "issued.json", "calls", "owners"


@dataclass(frozen=True)
class Issued:
    """A list as issued: its quarter, its folder, what was stated, and every slot with its arm."""

    quarter: str
    folder: Path
    stated: dict[str, Any]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Returned:
    """What workbooks brought: ``noticed`` about them, and in numbers of calls that something was said of.

    ``before`` were on record already, ``cleared`` of them dropped first; ``added`` are new, ``replaced`` say something
    else than before, ``now`` are on record.
    """

    noticed: list[str]
    before: int
    cleared: int
    added: int
    replaced: int
    now: int


def place(book: Book, quarter: str) -> Path:
    """Where the list of a quarter is kept: beside the engagement."""
    return book.engagement.folder / "actions" / quarter


def draw(
    book: Book,
    quarter: str,
    candidates: pd.DataFrame,
    limits: Limits | None = None,
    share_held_back: float = 0.2,
    seed: str = "",
) -> Issued:
    """Choose the calls of a quarter and draw the accounts that are held back; nothing is written yet.

    Raises
    ------
    DataError
        A list of this quarter was issued already, nothing can be recommended, or the share is not from 0 to 0.5.
    """
    at, limits = book.quarter(quarter), limits or Limits()
    free(book, at.label)
    if not 0 <= share_held_back <= 0.5:
        raise DataError(f"A share of {share_held_back:g} cannot be held back.", "", "Hold back 0 to 0.5; 0.2 is usual.")
    if candidates.empty:
        raise DataError(f"There is nothing to recommend as of {at.label}.", "No open slot.", "See kpi measure.")
    rows = chosen.chosen(candidates, limits, share_held_back)
    rows["arm"] = chosen.held_back(rows, share_held_back, f"{seed}\n{at.label}")
    if not (rows["arm"] == LISTED).any():
        raise DataError(
            f"Nothing is left to call as of {at.label}: every customer with an open slot would be held back.",
            f"{rows['account_id'].nunique()} customers have one.",
            "Hold back none: --hold-out 0.",
        )
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
    return Issued(at.label, place(book, at.label), stated, rows)


def free(book: Book, quarter: str) -> None:
    """Refuse a quarter whose list was issued already.

    Raises
    ------
    DataError
        It was.
    """
    folder = place(book, quarter)
    if folder.exists():
        raise DataError(
            f"The list of {quarter} was issued already.",
            f"It is in {folder}.",
            "Follow it up (--follow-up), or move the folder away to issue another.",
        )


def keep(book: Book, drawn: Issued, by_owner: bool = False) -> Issued:
    """Write a list for the owners, and the record by which it will be measured.

    Writes ``calls.csv`` and ``calls.xlsx`` (for the owners: without those held back; ``by_owner`` adds one workbook for
    each of them under ``owners/``), ``register.parquet`` (every slot with its arm) and ``issued.json`` (seed, share,
    limits, and the smallest lift the control can detect).

    Raises
    ------
    DataError
        The engagement's folder cannot be written to.
    """
    try:
        _write(drawn.folder, drawn.rows, drawn.stated, book, by_owner)
    except OSError as error:
        raise _unwritable(drawn.folder.parent, error) from error
    return drawn


def issue(
    book: Book,
    quarter: str,
    candidates: pd.DataFrame,
    limits: Limits | None = None,
    share_held_back: float = 0.2,
    seed: str = "",
) -> Issued:
    """Draw a list and write it at once: see :func:`draw` and :func:`keep`."""
    return keep(book, draw(book, quarter, candidates, limits, share_held_back, seed))


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"The list cannot be kept in {folder}.",
        f"{error.strerror or error}.",
        "Lists are kept beside the engagement: copy it to a folder you may write to, or ask for the right to.",
    )


def issued(book: Book) -> list[Issued]:
    """Every list that was issued, oldest first."""
    folders = sorted(each.parent for each in (book.engagement.folder / "actions").glob(f"*/{STATED}"))
    return [_read(each) for each in folders]


def fill_in(book: Book, quarter: str, files: Sequence[Path], afresh: bool = False) -> Returned:
    """Take over what owners wrote into their workbooks; return what that changed, and what was noticed about them.

    Several files may each carry some of the calls (one per owner), and more may follow another day. The last that says
    something of a call counts; one that says nothing takes nothing back. ``afresh`` drops what earlier ones said.

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
    asked, before = ["call", *workbook.ASKED], mine.folder / FILLED
    empty = calls.iloc[:0].reindex(columns=asked)
    known = pd.read_parquet(before, partitioning=None) if before.is_file() else empty
    told, noticed = [] if afresh else [known], []
    for file in files:
        filled, found = workbook.read(file, calls, whole=False)
        noticed += [f"{file.name}: {each}" for each in found]
        told.append(filled[asked])
    together = pd.concat([empty, *told[::-1]]).astype("object")
    noticed += workbook.missing(calls.loc[~calls["call"].isin(together["call"]), "call"])
    together["silent"] = _silent(together)
    together = together.sort_values(["call", "silent"], kind="stable").drop_duplicates("call")
    try:
        together[asked].astype("string").to_parquet(mine.folder / FILLED, index=False)
    except OSError as error:
        raise _unwritable(mine.folder, error) from error
    old, new = (each[~_silent(each)].set_index("call") for each in (known, together[asked]))
    kept = old.iloc[:0] if afresh else old
    both = new.index.intersection(kept.index)
    other = (new.loc[both].fillna("").astype(str) != kept.loc[both].fillna("").astype(str)).any(axis=1)
    return Returned(noticed, len(old), len(old) - len(kept), len(new) - len(both), int(other.sum()), len(new))


def _silent(told: pd.DataFrame) -> pd.Series:
    """Find the calls that a workbook says nothing of."""
    return (told["status"] == workbook.STATUS[0]) & told["why_not"].isna()


def outcomes(book: Book, quarter: str) -> list[tuple[str, pd.DataFrame]]:
    """Every list whose quarter has come, up to ``quarter``, with what became of each slot.

    Returns
    -------
    (quarter of the list, its rows with status, why_not, worked, closed and held_since), oldest first. A slot is closed
    where the account held the product at the end of the quarter after the list, and held since where it did at the end
    of ``quarter``; a slot whose account is gone is neither.
    """
    until = book.quarter(quarter).index
    found = []
    for each in issued(book):
        came = book.engagement.calendar.parse(each.quarter).later(1)
        if came.index <= until and came.label in set(book.quarters.loc[book.quarters["complete"], "label"]):
            held = counts.at_slots(book, came.label, each.rows)["held"]
            since = counts.at_slots(book, quarter, each.rows)["held"] if came.index < until else held
            rows = each.rows.assign(closed=held.to_numpy(bool), held_since=since.to_numpy(bool))
            for name in ("status", "why_not"):
                rows[name] = rows.get(name)
            rows["worked"] = rows["status"].isin(workbook.WORKED) & (rows["arm"] == LISTED)
            found.append((each.quarter, rows))
    return found


def _write(folder: Path, rows: pd.DataFrame, stated: dict[str, Any], book: Book, by_owner: bool) -> None:
    """Build beside and rename: a list is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        told = [each for each in workbook.COLUMNS if each in rows]
        calls = rows[rows["arm"] == LISTED]
        grounds = [each for each in ("state", "ground") if each in rows]
        rows[["rank", "arm", *grounds, *told]].to_parquet(building / REGISTER, index=False)
        publish.table(calls[told], CALLS, building)
        title = f"{book.engagement.client}: calls for the quarter after {stated['quarter']}"
        workbook.write(calls, building / f"{CALLS}.xlsx", title, book.engagement.currency)
        for name, mine in _files(calls).items() if by_owner else ():
            (building / OWNERS).mkdir(exist_ok=True)
            workbook.write(mine, building / OWNERS / name, title, book.engagement.currency)
        (building / STATED).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _files(calls: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Name each owner's workbook after the owner, in letters that any file system takes."""
    found: dict[str, pd.DataFrame] = {}
    for owner, mine in calls.groupby("owner", sort=True):
        plain = re.sub(r"[^\w-]+", "_", str(owner)).strip("_")[:60] or "owner"
        same = sum(name.casefold().startswith(plain.casefold()) for name in found)
        found[f"{plain}_{same + 1}.xlsx" if same else f"{plain}.xlsx"] = mine
    return found


def _read(folder: Path) -> Issued:
    stated = json.loads((folder / STATED).read_text(encoding="utf-8"))
    rows = pd.read_parquet(folder / REGISTER, partitioning=None)
    if (folder / FILLED).is_file():
        rows = rows.merge(pd.read_parquet(folder / FILLED, partitioning=None), on="call", how="left")
        rows["status"] = rows["status"].mask(rows["status"].isna() & (rows["arm"] == LISTED), workbook.STATUS[0])
    return Issued(stated["quarter"], folder, stated, rows)
