"""The files that an engagement names, found by their literal names before any sign is taken for a pattern."""

from __future__ import annotations

import errno
import glob
import os
from importlib.util import find_spec
from pathlib import Path

from kpilib.errors import MEND_RIGHT, near


def files_of(path: str, folder: Path) -> list[Path]:
    """Resolve a path, glob or ``package:NAME/file`` to files, sorted; none is an error."""
    text = path
    if path.startswith("package:"):
        name, _, text = path.removeprefix("package:").partition("/")
        folder = _installed(name, path)
    try:
        files = [each for each in _matching(text, folder) if each.is_file()]
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read: {error.strerror} ({error.filename}). {MEND_RIGHT}") from error
    if not files:
        there = [each.name for each in (folder / text).parent.glob("*")] or ["an empty or missing folder"]
        raise ValueError(f"no such file: {path!r}. {near(Path(text).name, there)}")
    return files


def _installed(name: str, path: str) -> Path:
    try:
        found = find_spec(name)
    except ImportError:  # of a package inside one that is not there
        found = None
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"the package {name!r} of {path!r} is not installed")
    return Path(next(iter(found.submodule_search_locations)))


def _matching(text: str, folder: Path) -> list[Path]:
    """List what a path stands for: what is there under its literal name, and patterns only in the rest.

    A folder ``Client [1]`` taken for a pattern is its sibling ``Client 1``, with another client's figures.
    """
    there, rest = folder, list(Path(text).parts)
    while rest and (there / rest[0]).exists():
        there /= rest.pop(0)
    if not rest:
        return [there]
    inside = (each for n in range(1, len(rest)) for each in _globbed(rest[:n], there) if each.is_dir())
    for each in (there, *inside):
        # glob would pass it by, and files would be missing
        if each.is_dir() and not os.access(each, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(each))
    return _globbed(rest, there)


def _globbed(pattern: list[str], folder: Path) -> list[Path]:
    return [folder / each for each in sorted(glob.glob(str(Path(*pattern)), root_dir=folder, recursive=True))]  # noqa: PTH207
