"""Tiny notebooks and engagements for the tests of the pack."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kpilib.quarters import Calendar

PARAMETERS = """\
engagement = "../data/acme"  # the client's engagement
quarter = "2017Q4"  # which quarter
tables = "."  # where tables go
"""
CHART = """\
import matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(4, 2))
axes.plot([1, 2, 3], [0.3, 0.4, 0.5])
figure.set_label("Penetration rises from 30 % to 50 %")
"""


def cell(source: str, name: str = "", tags: tuple[str, ...] = ()):
    """A code cell; a Markdown cell where the source begins with ``#`` and a space or two."""
    prose = source.startswith(("# ", "## "))
    made = new_markdown_cell(source) if prose else new_code_cell(source)
    made["id"] = name or made["id"]
    made.metadata["tags"] = list(tags)
    return made


def parameters(source: str = PARAMETERS):
    return cell(source, "parameters", ("parameters",))


def notebook(path: Path, *cells, title: str = "# How much do they hold?", told=None) -> Path:
    """Write a notebook: its question, its parameters, then the cells, given as sources or cells."""
    rest = [each if isinstance(each, dict) else cell(each) for each in cells]
    made = new_notebook(cells=[cell(title), told or parameters(), *rest])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


def engagement(root: Path, client: str = "Acme", name: str = "acme") -> SimpleNamespace:
    """An engagement's folder, and as much of it as a pack needs to know."""
    folder = root / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engagement.toml").touch()
    path = folder / "engagement.toml"
    return SimpleNamespace(client=client, path=path, folder=folder, calendar=Calendar(), chapters=())
