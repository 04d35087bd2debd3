"""What a pack says of itself: parameters, inputs, versions, tables; no secret, no absolute path."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from kpilib.pack.parameters import looks_secret, plain

SCHEMA = 1
UNDEFINED = ("nan", "NaT", "<NA>")  # as numbers, dates and pandas' own say it; JSON has null
ENGINES = (
    "duckdb", "ibis-framework", "ipykernel", "matplotlib", "nbclient", "nbconvert", "numpy",
    "pandas", "papermill", "pyarrow", "scipy", "seaborn",
)  # fmt: skip


def kit() -> str:
    """Return the kit's version."""
    return _version("kpilib") or "unreleased"


def engines() -> dict[str, str | None]:
    """Return the versions of Python and of all that a figure may depend on."""
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, **{name: _version(name) for name in ENGINES}}


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


def client_of(path: Path) -> str | None:
    """Return the client whose pack it is; nothing where the file does not tell."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return told.get("client") if isinstance(told, dict) else None


def portable(value: Any, folder: Path) -> Any:
    """Return what may be published of a value: paths as seen from a folder, passwords as ``***``.

    Example
    -------
    >>> portable({"/data/acme/sales.csv": "postgresql://me:pw@db/x"}, Path("/data/acme"))
    {'sales.csv': 'postgresql://***@db/x'}
    >>> portable(["/home/me/other.csv", float("nan")], Path("/data/acme"))
    ['other.csv', None]
    """
    if isinstance(value, Mapping):
        return {portable(str(key), folder): portable(each, folder) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [portable(each, folder) for each in value]
    if not isinstance(value, str) and str(value) in UNDEFINED:
        return None
    value = plain(value)
    return _portable_text(value, folder) if isinstance(value, str) else value


def _portable_text(text: str, folder: Path) -> str:
    text = re.sub(r"://[^/\s@]*:[^/\s@]+@", "://***@", text)
    if looks_secret(text):
        return "***"
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(text)
        if path.is_absolute():
            inside = path.is_relative_to(folder.as_posix())
            return path.relative_to(folder.as_posix()).as_posix() if inside else path.name
    return text


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
