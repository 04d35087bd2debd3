"""The code is as it is drawn, and the README's tree is as it lies on disk."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

import kpilib

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "kpilib"
PRESENTERS = ("written", "wording", "captions", "tables", "printed", "figures")
MOST_LINES = 350


@cache
def drawn() -> list[str]:
    """The modules in the order of the drawing."""
    lines = [line for line in kpilib.__doc__.splitlines() if line.startswith("    ")]
    return [name for line in lines for name in re.split(r" {3,}", line.strip())[0].split()]


def name_of(path: Path) -> str:
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def modules() -> dict[str, Path]:
    found = {name_of(path): path for path in LIBRARY.rglob("*.py")}
    bare = [name for name, path in found.items() if not ast.parse(path.read_text()).body[1:]]
    return {name: path for name, path in found.items() if name and name not in bare}


@cache
def imported(path: Path) -> set[str]:
    """The kit's own modules that a module imports, at its top or within."""
    known, found = modules(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kpilib":
            package = ".".join(node.module.split(".")[1:])
            inside = {".".join(filter(None, (package, each.name))) for each in node.names}
            found |= {each for each in inside if each in known} or {package}
    return found - {name_of(path)}


def test_every_module_is_drawn_once():
    assert sorted(drawn()) == sorted(modules())


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_up_the_page(name):
    before = drawn()[: drawn().index(name)]
    assert imported(modules()[name]) <= {*before}


@pytest.mark.parametrize("name", [each for each in sorted(modules()) if each.split(".")[0] in PRESENTERS])
def test_presenters_know_nothing_of_the_kit_but_errors(name):
    allowed = {"errors", "publish", *(each for each in modules() if each.split(".")[0] in PRESENTERS)}
    assert imported(modules()[name]) <= allowed


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_can_be_read_in_a_sitting(name):
    """Lines of code: neither blank, nor comment, nor docstring."""
    text = modules()[name].read_text()
    tree = ast.parse(text)
    prose: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    code = [n for n, line in lines if n not in prose and line.strip() and not line.strip().startswith("#")]
    assert len(code) <= MOST_LINES


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the tree cannot be compared with what is tracked")
    return listed.stdout.split("\n")


def test_the_tree_in_the_readme_is_the_tree_on_disk():
    tree = (ROOT / "README.md").read_text().split("<!-- tree -->")[1]
    told = set(re.findall(r"(?<![\w/.])[\w.]+(?:/|\.\w+)", tree))
    files = [name for name in tracked() if name]
    top = {name.split("/")[0] + ("/" if "/" in name else "") for name in files}
    assert {each for each in top if not each.startswith(".")} <= {*told, *tree.split()}
    parts = {part for name in files for part in Path(name).parts}
    assert {each.rstrip("/") for each in told} <= parts | {"engagement.toml"}


def test_the_repository_speaks_of_the_product_alone():
    """No path of one machine in what is tracked."""
    private = re.compile(r"(?<![\w./])/(?:work|root|Users)/\w|(?<![\w./])/tmp/\w")
    for name in filter(None, tracked()):
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".ipynb", "") and path.is_file():
            assert not private.search(path.read_text(encoding="utf-8")), name
