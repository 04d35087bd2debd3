"""The notebooks as essays: their form, and a run that leaves figures and tables."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return read(request.param)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_chapters():
    numbers = [int(path.name.split("_")[0]) for path in NOTEBOOKS]
    assert numbers == sorted(set(numbers))


def test_a_chapter_asks_a_question_and_answers_first(notebook):
    words = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert words[0].splitlines()[0].startswith("# ")
    assert words[0].splitlines()[0].endswith("?")
    assert words[1].startswith("## The answer")
    assert sum(line.startswith("# ") for text in words for line in text.splitlines()) == 1


def test_parameters_come_first_and_each_says_what_it_is(notebook):
    first = code(notebook)[0]
    assert first.metadata["tags"] == ["parameters"]
    assert all("# " in line for line in first.source.splitlines())
    assert [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])] == [first]


def test_nothing_that_was_run_is_stored(notebook):
    for cell in code(notebook):
        assert not cell.outputs
        assert cell.execution_count is None


def test_cells_are_short_and_define_nothing(notebook):
    for cell in code(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 12, cell.id
        for line in lines:
            assert not line.lstrip().startswith(("def ", "class ", "try:", "except")), cell.id


def test_cell_ids_are_words(notebook):
    assert all(cell.id == cell.id.lower() and not cell.id.isdigit() for cell in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_no_conclusion_is_typed_in(notebook):
    """Words in a notebook hold for any client and quarter: they carry no figure."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not any(each.isdigit() for each in cell.source.replace("95%", "")), cell.id


def test_notebooks_are_stored_as_nbstripout_leaves_them(notebook):
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "title"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
    assert json.dumps(notebook)
