"""What a notebook declares that it may be told, and values checked against it before it runs.

papermill takes a misspelt name, a wrong type, a name that is code, and a notebook without a
``parameters`` cell, and says nothing. Here they are refused, before any kernel starts.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from keyword import iskeyword
from pathlib import PurePath
from typing import Any

from kpilib.errors import KpiError, listed, near

SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|secret|token|api_?key|private_?key|access_?key|credentials?)"
    r"(?:$|_(?!env$|name$|file$))",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # a password inside an address
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abpr]-|sk-)[A-Za-z0-9_-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]+\."
)
RANGE = re.compile(r"\bfrom (-?\d+(?:\.\d+)?) to (-?\d+(?:\.\d+)?)")
CHOICE = re.compile(r"\bone of ([^;()]+)")


class ParameterError(KpiError):
    """A notebook cannot be told what it is to be told."""


@dataclass(frozen=True)
class Declared:
    """One line of the ``parameters`` cell: ``name = default  # help``.

    The help may bound what is allowed: ``from 1 to 50``, ``one of all, active, eligible``.
    """

    name: str
    default: Any
    help: str = ""


def declared(notebook: Any, where: str) -> dict[str, Declared]:
    """Read the parameters a notebook declares, from its one cell tagged ``parameters``.

    Raises
    ------
    ParameterError
        When there is no such cell or more than one (papermill would put its values at the top,
        for the notebook to overwrite), or when it holds anything but values.
    """
    cells = [each for each in notebook.cells if "parameters" in each.metadata.get("tags", ())]
    if len(cells) != 1 or cells[0].cell_type != "code":
        raise ParameterError(
            f"{where} has {len(cells) or 'no'} cell{'s' * (len(cells) > 1)} tagged 'parameters'"
            " and needs exactly one code cell.",
            do="Tag the first code cell, the one that holds the defaults.",
        )
    return {each.name: each for each in _lines(cells[0].source, where)}


def checked(values: Mapping[str, Any], known: Mapping[str, Declared], where: str) -> dict[str, Any]:
    """Return the values as plain ones that papermill can write, or say what is wrong with them.

    Dates become ISO text, NumPy scalars Python's own, paths text with forward slashes. A value
    has the type of its default; an integer will do for a fraction; anything for None.

    Raises
    ------
    ParameterError
        With every unknown name, wrong type, value out of bounds and credential at once.
    """
    plain, problems = {}, []
    for name, value in values.items():
        try:
            plain[name] = _checked_one(name, value, known)
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError(f"{where} cannot be told this:\n" + _bullets(problems))
    return plain


def looks_secret(value: Any) -> bool:
    """Say whether a text carries a credential, such as an address with a password in it.

    Example
    -------
    >>> looks_secret("postgresql://reader:hunter2@db/sales")
    True
    >>> looks_secret("postgresql://db/sales")
    False
    """
    return isinstance(value, str) and SECRET_VALUE.search(value) is not None


def _lines(source: str, where: str) -> list[Declared]:
    """Take the cell apart into its assignments of plain values."""
    try:
        return [_assignment(each, source) for each in ast.parse(source).body]
    except (SyntaxError, ValueError) as error:
        raise ParameterError(
            f"The parameters cell of {where} cannot be read ({error}).",
            do="Write one `name = value  # help` a line there, with plain values only.",
        ) from None


def _assignment(statement: ast.stmt, source: str) -> Declared:
    """Read one ``name = value  # help``."""
    line = source.splitlines()[statement.end_lineno - 1]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    if len(targets) != 1 or not isinstance(targets[0], ast.Name) or statement.value is None:
        raise ValueError(f"`{line.strip()}` is no assignment to one name")
    comment = line.encode()[statement.end_col_offset :].decode().partition("#")[2].strip()
    return Declared(targets[0].id, ast.literal_eval(statement.value), comment)


def _checked_one(name: str, value: Any, known: Mapping[str, Declared]) -> Any:
    """Check one value and return it as a plain one."""
    if not name.isidentifier() or iskeyword(name):
        raise ParameterError(f"{name!r} is not a name.", do="Use letters, digits and _.")
    if name not in known:
        raise ParameterError(f"it declares no parameter {name!r}. {near(name, known)}")
    value = plain(value, name)
    if (SECRET_NAME.search(name) and value) or any(map(looks_secret, _texts(value))):
        raise ParameterError(
            f"{name} carries a credential, which would be stored in the published notebook.",
            do=f"Declare {name}_env instead, pass the name of an environment variable, and read"
            " the variable where it is used.",
        )
    _same_type(name, value, known[name].default)
    _within(name, value, known[name].help)
    return value


def plain(value: Any, name: str = "a value") -> Any:
    """Turn a value into what can be written down as JSON and as Python alike.

    Example
    -------
    >>> plain({"as_of": date(2017, 12, 31), "days": (1, 2)})
    {'as_of': '2017-12-31', 'days': [1, 2]}
    """
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, date) and value == value:  # NaT is a date that equals nothing
        return value.isoformat()
    if isinstance(value, PurePath | Decimal):
        return value.as_posix() if isinstance(value, PurePath) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each, name) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, name) for each in value]
    raise ParameterError(
        f"{name} is {value!r}, which cannot be handed to a notebook.",
        do="Pass a text, a number, a date, true or false, or a list or table of these.",
    )


def _same_type(name: str, value: Any, default: Any) -> None:
    """Refuse a value of another type than the default's."""
    allowed = (float, int) if isinstance(default, float) else (type(plain(default)),)
    if default is None or type(value) in allowed:
        return
    raise ParameterError(
        f"{name} must be {_kind(default)} like its default {default!r},", f"and {value!r} is {_kind(value)}."
    )


def _within(name: str, value: Any, text: str) -> None:
    """Refuse a value outside the bounds that the help states."""
    bounds, choice = RANGE.search(text), CHOICE.search(text)
    if bounds and isinstance(value, int | float):
        low, high = float(bounds[1]), float(bounds[2])
        if not low <= value <= high:
            raise ParameterError(f"{name} goes from {bounds[1]} to {bounds[2]}, not {value!r}.")
    if choice and isinstance(value, str):
        words = [each.strip(" '\"") for each in re.split(r",| or ", choice[1]) if each.strip()]
        if value not in words:
            raise ParameterError(f"{name} is one of {listed(words)}, not {value!r}.")


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return kinds.get(type(value), {list: "a list", dict: "a table"}.get(type(value), "nothing"))


def _texts(value: Any) -> list[str]:
    """Every text inside a plain value."""
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"  - {each}" for each in lines)
