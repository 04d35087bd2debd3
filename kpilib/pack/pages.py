"""A pack's HTML: the answer page and a chapter for each notebook.

A page stands alone: no script, nothing fetched, no code, every name escaped. Its policy
(``default-src 'none'``) holds a browser to that.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

from kpilib.pack.outputs import SHOWN, shown

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Chapter:
    """One notebook as a page: its question, its body, its sections as (id, heading).

    ``called`` is what the notebook calls itself, in its metadata's ``title``. ``executed`` is false for a page that no
    notebook made.
    """

    name: str
    title: str
    body: Markup
    sections: tuple[tuple[str, str], ...]
    executed: bool = True
    called: str = ""

    @property
    def file(self) -> str:
        """The page's file name."""
        return f"{self.name}.html"

    @property
    def short(self) -> str:
        """Its name in a word or two: what it is called, else by its file, as ``2_penetration`` is Penetration."""
        return self.called or _in_words(re.sub(r"^\d+[_ -]*", "", self.name)) or self.name


@dataclass(frozen=True)
class Table:
    """A table to download, and the chapter that saved it."""

    file: str
    chapter: str
    rows: int
    columns: int

    @property
    def title(self) -> str:
        """Its name in words."""
        return _in_words(Path(self.file).stem)


def chapter(notebook: Any, name: str, folder: Path) -> Chapter:
    """Render an executed notebook; ``folder`` is where the pictures of its prose lie."""
    ready = shown(notebook, f"c{re.sub(r'[^A-Za-z0-9]+', '-', name)}")
    resources = {"metadata": {"path": str(folder)}}
    body, _ = _exporter().from_notebook_node(ready, resources)
    return replace(made(body, name), called=str(notebook.metadata.get("title", "")).strip())


def made(body: str, name: str, executed: bool = True) -> Chapter:
    """Make a page of HTML that is escaped already; its h2 are its sections."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    title = _words(found[1]) if found else name.replace("_", " ")
    body = body if found else f"<h1>{html.escape(title)}</h1>\n{body}"
    sections: list[tuple[str, str]] = []

    def numbered(match: re.Match[str]) -> str:
        sections.append((match[1] or f"s{len(sections) + 1}", _words(match[2])))
        return f'<h2 id="{sections[-1][0]}">{match[2]}</h2>'

    body = re.sub(r'<h2(?: id="([a-z_]+)")?>(.*?)</h2>', numbered, body, flags=re.DOTALL)
    return Chapter(name, title, Markup(body), tuple(sections), executed)


def write(
    folder: Path,
    cover: Mapping[str, Any],
    chapters: Sequence[Chapter],
    answers: Mapping[str, Mapping[str, Any]],
    tables: Sequence[Table],
) -> None:
    """Write ``index.html`` and the chapters.

    Parameters
    ----------
    cover
        client, quarter, as_of (day in words), kit (version).
    answers
        Chapter name to the answer its notebook handed over (:func:`kpilib.publish.answer`).
    """
    lead = next((name for name, each in answers.items() if each["lead"]), next(iter(answers), None))
    common = {**cover, "chapters": chapters, "css": Markup((TEMPLATES / "report.css").read_text())}
    first = _page("answer.html.j2").render(
        **common, current=None, answers=answers, lead=answers.get(lead), tables=tables
    )
    (folder / "index.html").write_text(first, encoding="utf-8", newline="\n")
    for each in chapters:
        its = [table for table in tables if table.chapter == each.name]
        text = _page("chapter.html.j2").render(**common, current=each, tables=its)
        (folder / each.file).write_text(text, encoding="utf-8", newline="\n")


@cache
def _exporter() -> TemplateExporter:
    """Return nbconvert's exporter on our template of a chapter's body."""
    return TemplateExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(SHOWN)}}),
        template_name="kpi_chapter",
        file_extension=".html",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={"prose": _prose, "computed_prose": _computed_prose},
    )


@cache
def _page(name: str) -> Any:
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(name)


@pass_context
def _prose(context: Any, text: str) -> str:
    """Render Markdown that the notebook's author wrote; its pictures come into the page."""
    renderer = IPythonRenderer(
        escape=False,
        allow_harmful_protocols=False,
        exclude_anchor_links=True,
        embed_images=True,
        path=context["resources"]["metadata"]["path"],
        attachments=context["cell"].get("attachments", {}),
    )
    return MarkdownWithMath(renderer=renderer).render(text)


def _computed_prose(text: str) -> str:
    """Render Markdown that a cell computed: names of a client's may be in it, so HTML is text."""
    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    return MarkdownWithMath(renderer=renderer).render("".join(text))


def _in_words(name: str) -> str:
    """Turn a file's name into words; quarters keep their capital.

    Example
    -------
    >>> _in_words("compared_with_2017q3")
    'Compared with 2017Q3'
    """
    words = re.sub(r"\b(\d{4})q([1-4])\b", r"\1Q\2", name.replace("_", " ").strip())
    return words[:1].upper() + words[1:]


def _words(markup: str) -> str:
    """Return the text of a piece of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()
