"""The call list as a workbook for the owners, and what they filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kpilib.errors import DataError, listed, near

STATUS = ("not contacted", "contacted", "offered", "won", "lost", "not possible")
WON = "won"
WORKED = ("contacted", "offered", WON, "lost")
WHY_NOT = ("no need", "price", "has it elsewhere", "not now", "no contact reached", "wrong product")
ASKED = ("status", "why_not", "note")
COLUMNS = {
    "call": "Call",
    "owner": "Owner",
    "account_id": "Customer id",
    "name": "Customer",
    "product_id": "Product",
    "reason": "Why this call",
    "chance": "Chance in the quarter",
    "value": "Expected value",
    "due": "Due",
    "status": "Status",
    "why_not": "Why not",
    "note": "Note",
}
WIDTHS = {"reason": 70, "name": 28, "product_id": 20, "owner": 18, "note": 30, "why_not": 20, "status": 15}
WRAPPED = ("reason", "note", "name", "owner", "product_id", "why_not")
MAY_LACK = ("name", "chance", "value")  # hidden where nothing is known
SHEET = "Calls"
PLEASE = "Please fill in the coloured columns and send the file back."


def write(rows: pd.DataFrame, path: Path, title: str, currency: str | None) -> None:
    """Write the list: one sheet, words to choose from for status and why not, everything else to be left alone.

    ``rows`` has the columns of :data:`COLUMNS` but those of :data:`ASKED`; missing ones stay empty.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.active
    sheet.title = SHEET
    sheet.append([title])
    heads = dict(COLUMNS, value=f"{COLUMNS['value']}{f' ({currency})' if currency else ''}")
    sheet.append(list(heads.values()))
    for row in rows.reindex(columns=list(COLUMNS)).astype("object").itertuples(index=False, name=None):
        sheet.append([_cell(each) for each in row])
    sheet["A1"].font = Font(bold=True, size=13)
    sheet[f"{get_column_letter(list(COLUMNS).index(ASKED[0]) + 1)}1"] = PLEASE
    asked = PatternFill("solid", fgColor="FFF4D6")
    for number, name in enumerate(COLUMNS, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = WIDTHS.get(name, 13)
        sheet.column_dimensions[letter].hidden = name in MAY_LACK and not _any(rows, name)
        sheet[f"{letter}2"].font = Font(bold=True)
        sheet[f"{letter}2"].alignment = Alignment(vertical="top", wrap_text=True)
        for (cell,) in sheet.iter_rows(min_row=3, min_col=number, max_col=number):
            cell.alignment = Alignment(vertical="top", wrap_text=name in WRAPPED)
            if name in ASKED:
                cell.fill = asked
            if name in ("account_id", "name", "product_id", "owner", "reason"):
                cell.data_type, cell.quotePrefix = "s", True
            cell.number_format = {"chance": "0%", "value": "#,##0", "due": "yyyy-mm-dd"}.get(name, "General")
    for name, words in {"status": STATUS, "why_not": WHY_NOT}.items():
        letter = get_column_letter(list(COLUMNS).index(name) + 1)
        choice = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True)
        choice.showErrorMessage = name == "status"
        sheet.add_data_validation(choice)
        choice.add(f"{letter}3:{letter}{max(3, len(rows) + 2)}")
    sheet.freeze_panes = "F3"
    sheet.auto_filter.ref = f"A2:{get_column_letter(len(COLUMNS))}{len(rows) + 2}"
    sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = "landscape", 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:2"
    book.save(path)


def read(path: Path, issued: pd.DataFrame, whole: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """Read a filled workbook back, and say what does not fit what was issued.

    Parameters
    ----------
    issued
        The list as issued: call, account_id, product_id.
    whole
        The file should have every call; else it may be one of several, and only its own calls are returned.

    Returns
    -------
    The issued rows with status, why_not and note (``not contacted`` where nothing is said), and what was noticed:
    rows deleted, added, or with a customer or product that was changed (these are counted as not contacted), and words
    in the status column that are none of :data:`STATUS`.

    Raises
    ------
    DataError
        It is no workbook, has no such sheet, its headings were changed, or nothing of it was issued.
    """
    given = _rows(path)
    keys = ["call", "account_id", "product_id"]
    if given[keys].merge(issued[keys].astype("object"), on=keys).empty:
        raise DataError(
            f"{path.name} is no part of this list.",
            "None of its rows is a call that was issued: its customers and products are others.",
            "Give the workbooks that were sent out for this client and quarter.",
        )
    noticed = []
    twice = given["call"].duplicated(keep=False) & given["call"].notna()
    if twice.any():
        noticed.append(
            counted(
                given.loc[twice, "call"].drop_duplicates(),
                "stands twice; its rows are not used",
                "stand twice; none of their rows is used",
            )
        )
    strange = ~given["call"].isin(issued["call"])
    if strange.any():
        noticed.append(
            counted(
                given.loc[strange, "call"].fillna("(blank)"),
                "has a number that was not issued; left out",
                "have numbers that were not issued; left out",
            )
        )
    given = given[~twice & ~strange].set_index("call")
    keys = issued.set_index("call")
    same = given[["account_id", "product_id"]].eq(keys.loc[given.index, ["account_id", "product_id"]]).all(axis=1)
    if not same.all():
        noticed.append(
            counted(
                given.index[~same],
                "has another customer or product than was issued; left out",
                "have another customer or product than was issued; left out",
            )
        )
    if whole:
        noticed += missing(keys.index.difference(given.index))
    else:
        issued = issued[issued["call"].isin(given.index)]
    given = given[same]
    word = given["status"].fillna(STATUS[0]).map(lambda each: str(each).strip().lower()).replace("", STATUS[0])
    odd = ~word.isin(STATUS)
    if odd.any():
        found = listed(sorted({repr(each) for each in given.loc[odd, "status"]}), most=5)
        have = "1 call has" if odd.sum() == 1 else f"{int(odd.sum())} calls have"
        noticed.append(f"{have} a status that is none of the words ({found}); counted as not contacted")
    told = given.assign(status=word.where(~odd, STATUS[0]))[list(ASKED)]
    filled = issued.drop(columns=list(ASKED), errors="ignore").merge(told, left_on="call", right_index=True, how="left")
    filled["status"] = filled["status"].fillna(STATUS[0])
    return filled, noticed


def _rows(path: Path) -> pd.DataFrame:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
    except (python_calamine.CalamineError, OSError) as error:
        raise DataError(f"{path.name} is not readable as a workbook.", str(error), "Save it as .xlsx.") from error
    if SHEET not in book.sheet_names:
        raise DataError(
            f"{path.name} has no sheet {SHEET!r}.", f"It has {listed(book.sheet_names)}.", "Send back the list itself."
        )
    _, header, *rest = [*book.get_sheet_by_name(SHEET).to_python(skip_empty_area=False), [], []][:None]
    names = [_ours(str(each)) for each in header]
    missing = [COLUMNS[each] for each in ("call", "account_id", "product_id", *ASKED) if each not in names]
    if missing:
        raise DataError(
            f"{path.name} lacks the column {missing[0]!r}.",
            near(missing[0], [str(each) for each in header]),
            "Keep the headings of the list as they were.",
        )
    rows = [[_text(each) for each in row] for row in rest if any(str(each).strip() for each in row)]
    return pd.DataFrame(rows, columns=names, dtype="object")[["call", "account_id", "product_id", *ASKED]]


def _ours(heading: str) -> str:
    plain = heading.split(" (")[0].strip().lower()
    return next((name for name, shown in COLUMNS.items() if shown.lower() == plain), plain)


def _text(cell: Any) -> str | None:
    """Write a cell as text: workbooks turn ids into numbers."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell).strip()
    return text or None


def _any(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and bool(rows[name].notna().any())


def _cell(value: Any) -> Any:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    return float(value) if isinstance(value, (int, float)) or hasattr(value, "as_tuple") else value


def missing(calls: pd.Series | pd.Index) -> list[str]:
    """Say which calls came back in no workbook."""
    left_out = "is missing; it counts as not contacted", "are missing; they count as not contacted"
    return [counted(calls, *left_out)] if len(calls) else []


def counted(calls: Sequence[Any] | pd.Series | pd.Index, one: str, many: str) -> str:
    """Say of how many calls something is so, and name the first."""
    subject = f"1 call {one}" if len(calls) == 1 else f"{len(calls)} calls {many}"
    return f"{subject} ({listed([str(each) for each in calls], most=3)})"
