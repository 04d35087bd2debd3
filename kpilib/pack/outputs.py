"""What an executed notebook put out: checked before it is published, made ready for a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import count
from typing import Any
from xml.etree import ElementTree as ET

MOST_TEXT = 20_000  # characters of one output on a page
MOST_BYTES = 8_000_000  # of one output in the file
FIGURE = "fig-"  # a code cell whose id begins so must show a picture
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
SHOWN = ("text/html", *PICTURES, "text/markdown", "text/plain")  # the first that there is
DRAWN = re.compile(r"\s*\[?<(?:Figure size|Axes\b|matplotlib\.|seaborn\.)")
ACTIVE = {"script", "iframe", "object", "embed", "form", "base", "meta", "link", "foreignobject"}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"url\(\s*['\"]?#([^'\")]+)['\"]?\s*\)|^#(.+)$")

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def heading(cells: list[Any], place: int) -> str:
    """Return the nearest heading at or above a cell; empty where there is none."""
    for cell in reversed(cells[: place + 1]):
        found = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", _prose(cell), re.MULTILINE)
        if found:
            return found[-1]
    return ""


def faults(notebook: Any) -> Iterator[tuple[int, str]]:
    """Yield the place of each cell whose output a page cannot carry, and why."""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if _vanished(cell):
            yield (
                place,
                (
                    "it shows no picture. End the cell with the figure, and draw with the inline"
                    " backend, not with matplotlib.use(...)"
                ),
            )
        for output in cell.outputs:
            reasons = (_unshown(output), _too_much(output), _active(output), _broken(output))
            if any(reasons):
                yield place, next(filter(None, reasons))


def shown(notebook: Any, name: str) -> Any:
    """Return a copy as a page shows it: pictures inline with alt text, long text cut visibly.

    What goes to stderr, such as warnings, stays in the executed notebook. ``name`` keeps the ids
    inside the pictures of one page apart, and from those of other pages.
    """
    ready = notebook.copy()
    ready.cells = [each.copy() for each in notebook.cells]
    numbers = count(1)
    for place, cell in enumerate(ready.cells):
        if cell.cell_type == "code":
            alt = cell.metadata.get("alt") or heading(ready.cells, place) or "Chart"
            kept = [each for each in cell.outputs if _belongs(each, cell)]
            cell.outputs = [_ready(each, alt, f"{name}-{next(numbers)}") for each in kept]
    return ready


def inlined(svg: str, prefix: str) -> str:
    """Make an SVG fit to stand among others in one page.

    Only ids that something inside refers to stay, under names of their own: matplotlib calls
    things ``axes_1`` in every figure, and may give two clip paths the same name. Style that would
    leak into the page and the drawing's own description go.

    Example
    -------
    >>> inlined('<svg xmlns="http://www.w3.org/2000/svg"><g id="a"/><use href="#b"/></svg>', "f1")
    '<svg xmlns="http://www.w3.org/2000/svg"><g /><use href="#f1-1" /></svg>'
    """
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{{{SVG}}}metadata", f"{{{SVG}}}style", f"{{{SVG}}}title"}:
                parent.remove(child)
    names: dict[str, str] = {}
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href") or "url(" in value:  # elsewhere "#ffffff" is a colour
                element.set(key, REFERENCE.sub(lambda found: _renamed(found, names, prefix), value))
    for element in root.iter():
        if (old := element.attrib.pop("id", None)) in names:
            element.set("id", names[old])
    return ET.tostring(root, encoding="unicode")


def _renamed(found: re.Match[str], names: dict[str, str], prefix: str) -> str:
    old = found[1] or found[2]
    new = names.setdefault(old, f"{prefix}-{len(names) + 1}")
    return f"url(#{new})" if found[1] else f"#{new}"


def _prose(cell: Any) -> str:
    return cell.source if cell.cell_type == "markdown" else ""


def _data(output: Any) -> dict[str, Any]:
    return output.get("data") or {}


def _pictured(cell: Any) -> bool:
    return any(kind in _data(each) for each in cell.outputs for kind in PICTURES)


def _vanished(cell: Any) -> bool:
    """Say whether a picture was meant and none arrived; a loop or a condition may rightly draw none."""
    results = [_data(each).get("text/plain", "") for each in cell.outputs]
    always = cell.get("id", "").startswith(FIGURE) and not _conditional(cell)
    return (always or any(map(DRAWN.match, results))) and not _pictured(cell)


def _conditional(cell: Any) -> bool:
    try:
        return any(isinstance(each, ast.For | ast.If) for each in ast.parse(cell.source).body)
    except SyntaxError:
        return False


def _unshown(output: Any) -> str:
    """Say that a page has no way to show an output."""
    kinds = set(_data(output))
    if not kinds or kinds & set(SHOWN):
        return ""
    return f"it puts out {', '.join(sorted(kinds))}, which a page cannot show"


def _too_much(output: Any) -> str:
    """Say that an output is too large for a page; text is cut instead."""
    kinds = {kind: len(str(value)) for kind, value in _data(output).items() if kind != "text/plain"}
    kind, size = max(kinds.items(), key=lambda each: each[1], default=("", 0))
    if size <= MOST_BYTES:
        return ""
    return (
        f"it puts out {size / 1e6:,.0f} MB of {kind}, more than a page can carry. Show a part,"
        " and save the rest with publish.table"
    )


def _active(output: Any) -> str:
    """Say that an output would act in the reader's browser, most likely an unescaped name."""
    data = _data(output)
    reader = _Active()
    for kind in ("text/html", "image/svg+xml"):
        reader.feed("".join(data.get(kind, "")))
    reader.close()
    if not reader.found:
        return ""
    return (
        f"it puts {reader.found} into the page, which would act in the reader's browser. Escape"
        " names where HTML is made, with html.escape"
    )


def _broken(output: Any) -> str:
    """Say that a picture is not well-formed."""
    try:
        ET.fromstring("".join(_data(output).get("image/svg+xml", "<svg/>")))
    except ET.ParseError as error:
        return f"its SVG is not well-formed ({error})"
    return ""


class _Active(HTMLParser):
    """Finds what acts or fetches: scripts, frames, handlers, addresses of other machines."""

    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ACTIVE:
            self.found = self.found or f"<{tag}>"
        for name, value in attrs:
            address = re.sub(r"\s", "", value or "").lower()
            acts = name.startswith("on") or address.startswith(("javascript:", "vbscript:"))
            fetches = name in {"src", "srcset", "poster", "background"} and not address.startswith("data:image/")
            if acts or fetches:
                self.found = self.found or f"<{tag} {name}=...>"

    handle_startendtag = handle_starttag


def _belongs(output: Any, cell: Any) -> bool:
    """Say whether an output is for the page: not stderr, not empty, not the repr of a picture's axes."""
    if output.output_type == "stream":
        return output.name == "stdout"
    if _data(output).get("text/html") == "":
        return False
    bare = set(_data(output)) == {"text/plain"}
    return not (bare and _pictured(cell))


def _ready(output: Any, alt: str, name: str) -> Any:
    """Return one output as its page shows it."""
    output = output.copy()
    if output.output_type == "stream":
        output.text = _cut(output.text)
        return output
    output.data = _data(output).copy()
    told = output.get("metadata") or {}
    pictures = [kind for kind in PICTURES if kind in output.data]
    alts = [told.get("alt"), *(told.get(kind, {}).get("alt") for kind in pictures), alt]
    output.metadata = {"alt": next(filter(None, alts))}
    if "image/svg+xml" in output.data:
        output.data["image/svg+xml"] = inlined("".join(output.data["image/svg+xml"]), name)
    if "text/plain" in output.data:
        output.data["text/plain"] = _cut("".join(output.data["text/plain"]))
    return output


def _cut(text: str) -> str:
    """Cut a long text and say so."""
    if len(text) <= MOST_TEXT:
        return text
    more = f"{len(text) - MOST_TEXT:,} more characters are in the executed notebook"
    return f"{text[:MOST_TEXT]}\n[cut here: {more}]"
