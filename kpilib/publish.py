"""What a notebook hands over to the pack: the tables behind its figures, and its answer."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpilib.errors import KpiError

if TYPE_CHECKING:
    import pandas as pd

ANSWER = "answer.json"
DECIMALS = 6
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class HandoverError(KpiError):
    """A table or an answer that the pack could not publish."""


def table(frame: pd.DataFrame, name: str, folder: str | Path, units: Mapping[str, str] | None = None) -> Path:
    """Save a table as the CSV that pipelines, auditors and the back test read.

    Fractions have six decimals and a point, lines end in LF, text is UTF-8, what is missing is
    empty: the same figures give the same bytes. A named index is saved, a plain one is not. Text
    that a spreadsheet would run as a formula gets a ``'`` in front; numbers never do.

    Parameters
    ----------
    frame
        The rows, in the order they shall have.
    name
        Small letters, digits and ``_``; the file's name, and its title on the page.
    folder
        The notebook's parameter ``tables``.
    units
        Column to unit, written into the heading: ``{"mean": "share"}`` gives ``mean (share)``.

    Raises
    ------
    HandoverError
        When the name is no file name, two columns share a name, or a unit's column is missing.

    Example
    -------
    >>> import tempfile, pandas as pd
    >>> frame = pd.DataFrame({"account": ["=cmd|' /C calc'!A0", "-5"], "mean": [1 / 3, -0.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(table(frame, "accounts", folder, units={"mean": "share"}).read_text(), end="")
    account,mean (share)
    '=cmd|' /C calc'!A0,0.333333
    -5,0.000000
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise HandoverError(f"{name!r} cannot name a table.", do="Use small letters, digits and _, as in by_quarter.")
    return write(frame, Path(folder) / f"{name}.csv", units)


def write(frame: pd.DataFrame, path: Path, units: Mapping[str, str] | None = None) -> Path:
    """Save a table as :func:`table` does, in a file of any name: one that a person asked for.

    Raises
    ------
    HandoverError
        When two columns share a name, or a unit's column is missing.
    """
    frame = frame.reset_index() if any(each is not None for each in frame.index.names) else frame
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([_cell(each) for each in _headings(frame, units or {}, path.stem)])
        columns = [_cells(frame.iloc[:, place]) for place in range(frame.shape[1])]
        rows.writerows(zip(*columns, strict=True))
    return path


def masked(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Empty what is ``suppressed``: such rows keep their names, so that a client's copy tells of them and no more.

    Parameters
    ----------
    frame
        With a column ``suppressed`` (bool); without one it is returned as it is.
    names
        The columns that name a row, and stay.

    Example
    -------
    >>> import pandas as pd
    >>> masked(pd.DataFrame({"group": ["a", "b"], "n": [9, 2], "suppressed": [False, True]}), "group").to_dict("list")
    {'group': ['a', 'b'], 'n': [9, None], 'suppressed': [False, True]}
    """
    if "suppressed" not in frame:
        return frame
    hidden = frame["suppressed"].astype(bool)
    figures = [each for each in frame if each not in (*names, "suppressed")]
    return frame.assign(**{each: frame[each].astype(object).mask(hidden, None) for each in figures})


def uncounted(frame: pd.DataFrame, least: int, numbers: Sequence[str], *names: str) -> pd.DataFrame:
    """Empty, as :func:`masked` does, the rows with a number of customers below the least that is shown; 0 is shown.

    Example
    -------
    >>> import pandas as pd
    >>> uncounted(pd.DataFrame({"band": ["a", "b"], "accounts": [9, 2]}), 5, ["accounts"], "band").to_dict("list")
    {'band': ['a', 'b'], 'accounts': [9, None], 'suppressed': [False, True]}
    """
    told = frame[[*numbers]].fillna(0)
    return masked(frame.assign(suppressed=((told > 0) & (told < least)).any(axis=1)), *names)


def named(text: str) -> str:
    """Make a client's own word into the name of a table.

    Example
    -------
    >>> named("by_Kunden-Segment (neu)")
    'by_kunden_segment_neu'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "table"


def answer(
    folder: str | Path,
    headline: str,
    sentences: Sequence[str] = (),
    figures: Iterable[Mapping[str, str]] = (),
    lead: bool = False,
) -> Path:
    """Hand over a chapter's answer for the first page of the pack.

    Parameters
    ----------
    folder
        The notebook's parameter ``tables``.
    headline
        The answer in one computed sentence, plain text.
    sentences
        What else must be known, a plain sentence each.
    figures
        Headline figures: ``{"label": "Penetration", "value": "39.8 %", "note": "2,327 accounts"}``,
        the note being optional. They are shown as written.
    lead
        Whether the first page opens with this answer; else the first chapter that has one does.

    Example
    -------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     answer(folder, "Accounts hold 40 % of what they could.").name
    'answer.json'
    """
    given = {
        "headline": headline,
        "sentences": list(sentences),
        "figures": [{"note": "", **each} for each in figures],
        "lead": lead,
    }
    _check_answer(given)
    path = Path(folder) / ANSWER
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(given, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def read_answer(folder: Path) -> dict[str, Any] | None:
    """Read a chapter's answer back; None where it gave none."""
    path = folder / ANSWER
    if not path.is_file():
        return None
    given = json.loads(path.read_text(encoding="utf-8"))
    _check_answer(given)
    return given


def _check_answer(given: Any) -> None:
    """Refuse an answer that the first page could not show."""
    parts = ("label", "value", "note")
    figures = given["figures"]
    texts = [given["headline"], *given["sentences"]]
    texts += [each.get(part) for each in figures for part in parts]
    told = all(isinstance(each, str) for each in texts) and given["headline"].strip()
    if not told or any(set(each) != set(parts) or not each["value"] for each in figures):
        raise HandoverError(
            "An answer is a headline, sentences, and figures of label, value and note, all texts.",
            f"This one is {given!r}.",
        )


def _headings(frame: pd.DataFrame, units: Mapping[str, str], name: str) -> list[str]:
    """Return the columns' names with their units."""
    columns = ["_".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in frame]
    twice = sorted({each for each in columns if columns.count(each) > 1})
    unknown = sorted(set(units) - set(columns))
    if twice or unknown:
        fault = f"two columns are called {twice[0]!r}" if twice else f"there is no {unknown[0]!r}"
        raise HandoverError(f"The table {name} cannot be saved: {fault}.", f"It has {columns}.")
    return [f"{each} ({units[each]})" if each in units else each for each in columns]


def _cells(column: pd.Series) -> list[str]:
    """Write one column down, value by value."""
    if column.dtype.kind == "M" and (column.dropna() == column.dropna().dt.normalize()).all():
        column = column.dt.date
    missing = column.isna().tolist()
    return ["" if none else _cell(value) for value, none in zip(column, missing, strict=True)]


def _cell(value: Any) -> str:
    """Write one value down: fractions rounded, text made safe for spreadsheets."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"  # + 0.0: never -0.000000
    if isinstance(value, Decimal) and -value.as_tuple().exponent > DECIMALS:
        return f"{round(value, DECIMALS):f}"
    return safe(str(value)) if isinstance(value, str) else str(value)


def safe(text: str) -> str:
    """Keep a client's text from becoming a formula in a spreadsheet; numbers stay numbers.

    Example
    -------
    >>> safe("=cmd|' /C calc'!A0"), safe("-5")
    ("'=cmd|' /C calc'!A0", '-5')
    """
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text
