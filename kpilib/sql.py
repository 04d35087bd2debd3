"""A client's names and words written into SQL, whatever signs are in them."""

from __future__ import annotations

from collections.abc import Iterable

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
    """Quote a text, or the path of a file.

    Example
    -------
    >>> literal("O'Neill")
    "'O''Neill'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def literals(values: Iterable[object]) -> str:
    """List texts for ``in (...)``; of none null, so that nothing is in it."""
    return ", ".join(map(literal, values)) or "null"
