"""A client's names and words written into SQL, whatever signs are in them."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

NOT_GIVEN = "(not given)"  # what a blank attribute is called wherever accounts are grouped


def quoted(name: str) -> str:
    """Quote the name of a table or a column.

    Example
    -------
    >>> print(quoted('order "2" lines'))
    "order ""2"" lines"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Quote a text, or the path of a file to be written.

    Example
    -------
    >>> literal("O'Neill")
    "'O''Neill'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def file(path: str | Path) -> str:
    """Quote the path of one file to be read: a sign in it that stands for others (``* ? [``) stands for itself.

    Example
    -------
    >>> file("Client [1]/lines.csv")
    "'Client [[]1]/lines.csv'"
    """
    return literal(glob.escape(str(path)))


def parquet(path: str | Path) -> str:
    """Read a Parquet file, or every one in a folder, in the order of their names.

    A folder above called ``quarter=2024Q4`` adds no column, nor takes the place of one.

    Example
    -------
    >>> parquet("Client [1]/accounts.parquet")
    "read_parquet('Client [[]1]/accounts.parquet', hive_partitioning = false)"
    """
    folder = Path(path)
    files = f"[{', '.join(map(file, sorted(folder.glob('*.parquet'))))}]" if folder.is_dir() else file(path)
    return f"read_parquet({files}, hive_partitioning = false)"


def literals(values: Iterable[object]) -> str:
    """List texts for ``in (...)``; of none null, so that nothing is in it."""
    return ", ".join(map(literal, values)) or "null"
