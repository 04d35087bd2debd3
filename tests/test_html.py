from __future__ import annotations

import io
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kpilib.pack import outputs, pages

HOSTILE = '<script>document.title="hacked"</script> "Söhne" & \'co\'\n=cmd| 日本'
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")


def executed(*cells, title="# How much do they hold?"):
    """A notebook as if it had run: Markdown as text, code cells as lists of outputs."""
    made = [new_markdown_cell(title)] if title else []
    for each in cells:
        code = new_code_cell("secret_source = 1", outputs=each) if isinstance(each, list) else each
        made.append(new_markdown_cell(code) if isinstance(code, str) else code)
    return new_notebook(cells=made)


def shows(data, **metadata):
    return new_output("display_data", data=data, metadata=metadata)


def result(data):
    return new_output("execute_result", data=data, execution_count=1)


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def svg(radius=0.3, text="x"):
    """A figure whose circle is clipped by another, as matplotlib draws it."""
    with mpl.rc_context({"svg.hashsalt": "kpilib", "svg.fonttype": "none"}):
        figure = Figure(figsize=(2, 1))
        axes = figure.add_subplot()
        (line,) = axes.plot([0, 1], [0, 1], marker="o")
        line.set_clip_path(Circle((0.5, 0.5), radius, transform=axes.transData))
        axes.set_title(text)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg")
        return drawn.getvalue()


def body(*cells, **options):
    return pages.chapter(executed(*cells, **options), "2_penetration", Path()).body


def written(folder, *chapters, answers=None, tables=(), client="Acme"):
    cover = {"client": client, "quarter": "2017Q4", "as_of": "31 December 2017", "kit": "1.0"}
    pages.write(folder, cover, chapters, answers or {}, tables)
    return {each.name: each.read_text() for each in folder.glob("*.html")}


# --- Figures --------------------------------------------------------------------------------


def test_figures_of_one_page_do_not_share_ids_though_matplotlib_gives_them_the_same():
    first, second = svg(0.3), svg(0.1)
    shared = set(re.findall(r'id="([^"]+)"', first)) & set(re.findall(r'id="([^"]+)"', second))
    assert "axes_1" in shared
    page = body([shows({"image/svg+xml": first})], [shows({"image/svg+xml": second})])
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page)
    assert {a or b for a, b in used} <= set(ids)
    assert "url(#" in page


def test_a_figure_keeps_its_text_and_loses_what_would_leak_into_the_page():
    page = body([shows({"image/svg+xml": svg(text="A & B <C>")})])
    assert "A &amp; B &lt;C&gt;</text>" in page
    assert not re.search("<style|<metadata|<!DOCTYPE", page)
    ET.fromstring(re.search(r"<svg.*</svg>", page, re.DOTALL)[0])


@pytest.mark.parametrize(
    ("told", "cell_alt", "alt"),
    [
        ({"image/svg+xml": {"alt": 'It "rose" <b>'}}, "ignored", "It &quot;rose&quot; &lt;b&gt;"),
        ({"alt": "It rose"}, None, "It rose"),
        ({"image/svg+xml": {"alt": ""}}, "From the cell", "From the cell"),
        ({}, None, "How has it moved?"),
    ],
)
def test_every_figure_has_alt_text_the_heading_if_nothing_better(told, cell_alt, alt):
    code = new_code_cell("x", outputs=[shows({"image/svg+xml": svg()}, **told)])
    if cell_alt:
        code.metadata["alt"] = cell_alt
    page = body("## How has it moved?", code)
    assert f'<figure class="chart" role="img" aria-label="{alt}"><svg' in page


def test_a_picture_of_points_is_in_the_page_itself():
    page = body([shows({"image/png": PNG + "\n", "text/plain": "<Figure size 1x1>"})])
    assert f'alt="How much do they hold?" src="data:image/png;base64,{PNG}"' in page


def test_the_axes_that_a_cell_returns_beside_its_picture_are_not_shown():
    axes = result({"text/plain": "<Axes: title={'center': 'x'}>"})
    assert "Axes" not in body([axes, shows({"image/svg+xml": svg()})])


@pytest.mark.parametrize("text", ["<Axes: >", "<Figure size 640x480 with 1 Axes>",
                                  "[<matplotlib.lines.Line2D at 0x7f>]"])  # fmt: skip
def test_a_picture_that_did_not_arrive_is_a_fault(text):
    assert [why for _, why in outputs.faults(executed([result({"text/plain": text})]))] == [
        "it shows no picture. End the cell with the figure, and draw with the inline backend,"
        " not with matplotlib.use(...)"
    ]


def test_a_figures_cell_must_draw_unless_it_draws_as_many_as_there_are():
    told = {
        "figures.trend(table)": 1,
        "for each in tables:\n    display(figures.trend(each))": 0,
        "if tables:\n    display(figures.trend(tables))": 0,
    }
    for source, faults in told.items():
        code = new_code_cell(source)
        code["id"] = "fig-trend"
        assert len([*outputs.faults(new_notebook(cells=[code]))]) == faults, source


# --- What a page shows ----------------------------------------------------------------------


def test_a_page_shows_prose_and_results_and_no_code():
    page = body("Some *prose*.", [stream("a line\n"), result({"text/plain": "42"})])
    assert "<em>prose</em>" in page
    assert '<pre class="result">a line' in page
    assert '<pre class="result">42</pre>' in page
    assert "secret_source" not in page


def test_warnings_stay_in_the_notebook():
    assert "Warning" not in body([stream("UserWarning: x", "stderr")])
    assert 'class="result"' not in body([shows({"text/html": "", "text/plain": "Html(html='')"})])


def test_a_long_output_is_cut_and_says_so():
    page = body([stream("x" * 50_000)])
    assert "x" * 20_000 in page
    assert "x" * 20_001 not in page
    assert "[cut here: 30,000 more characters are in the executed notebook]" in page


def test_computed_markdown_cannot_bring_html_or_act():
    text = f"**{HOSTILE}** [a](javascript:alert(1)) <img src=x onerror=alert(1)>"
    page = body([shows({"text/markdown": text})])
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript:' not in page


def test_the_html_of_a_result_stays_as_it_is():
    table = pd.DataFrame({"name": [HOSTILE]}).to_html()
    page = body([result({"text/html": table, "text/plain": "..."})])
    assert "&lt;script&gt;" in page
    assert "<script" not in page


@pytest.mark.parametrize("code", [
    "<script>1</script>", "<p onclick=x>", "<a href=' java\nscript:x'>", "<iframe src=x>",
    "<img src='https://x/y.png'>", "<SVG/onload=alert(1)>", "<link rel=stylesheet href=x>",
])  # fmt: skip
def test_what_would_act_or_fetch_is_a_fault(code):
    assert "into the page" in next(outputs.faults(executed([result({"text/html": code})])))[1]


@pytest.mark.parametrize("code", [
    "<table border=1><tr><td>a</td></tr></table>", "<style scoped>td {color: red}</style>",
    "<a href='https://example.org'>a source</a>", f"<img src='data:image/png;base64,{PNG}'>",
    "&lt;script&gt;",
])  # fmt: skip
def test_what_only_shows_is_no_fault(code):
    assert list(outputs.faults(executed([result({"text/html": code})]))) == []


def test_what_a_page_cannot_show_and_a_broken_picture_are_faults():
    widget = [shows({"application/vnd.jupyter.widget-view+json": {}})]
    broken = [shows({"image/svg+xml": "<svg><g></svg>"})]
    reasons = [why for _, why in outputs.faults(executed(widget, broken))]
    assert reasons[0].endswith("widget-view+json, which a page cannot show")
    assert reasons[1].startswith("its SVG is not well-formed")


# --- Pages ----------------------------------------------------------------------------------


def test_pages_stand_alone(tmp_path):
    chapter = pages.chapter(executed([shows({"image/svg+xml": svg()})]), "2_penetration", Path())
    for page in written(tmp_path, chapter).values():
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
        assert not re.search(r"<script|<link|@import|url\((?!#)|src=\"(?!data:)", page)
        fetched = re.findall(r'(?:href|src)="(https?:[^"]+)"', page)
        assert fetched == []


def test_a_chapter_is_titled_by_its_question_and_lists_its_sections(tmp_path):
    cells = ["## The answer", "text", "## How has it moved *since*?", "## Why?"]
    chapter = pages.chapter(executed(*cells, title="# How much & why?"), "2_penetration", Path())
    assert (chapter.title, chapter.short) == ("How much & why?", "Penetration")
    named = executed("text")
    named.metadata["title"] = "Before & after"
    assert pages.chapter(named, "6_before_after", Path()).short == "Before & after"
    assert chapter.sections[1] == ("s2", "How has it moved since?")
    page = written(tmp_path, chapter)["2_penetration.html"]
    assert '<a href="#s2">How has it moved since?</a>' in page
    assert '<h2 id="s2">' in page
    assert page.count("<h1") == 1
    assert '<a href="2_penetration.html" aria-current="page">Penetration</a>' in page


def test_a_chapter_without_a_question_is_titled_by_its_name():
    chapter = pages.chapter(executed([stream("x")], title=None), "3_a<b", Path())
    assert chapter.body.startswith("<h1>3 a&lt;b</h1>")


def test_the_first_page_opens_with_the_answer_that_leads(tmp_path):
    chapters = [pages.chapter(executed(), name, Path()) for name in ("1_data_check", "2_penetration")]
    figure = {"label": "Penetration", "value": "39.8 %", "note": "2,327 accounts"}
    answers = {
        "1_data_check": {"headline": "All fine.", "sentences": [], "figures": [], "lead": False},
        "2_penetration": {
            "headline": "They hold 40 %.", "sentences": ["More than before."],
            "figures": [figure], "lead": True,
        },
    }  # fmt: skip
    tables = [pages.Table("by_quarter.csv", "2_penetration", 1234, 5)]
    page = written(tmp_path, *chapters, answers=answers, tables=tables)["index.html"]
    assert "<h1>They hold 40 %.</h1>" in page
    assert '<dd class="value">39.8 %</dd><dd class="note">2,327 accounts</dd>' in page
    assert "<p>All fine.</p>" in page
    assert '<td>By quarter</td><td class="number">1,234</td>' in page


def test_without_an_answer_the_first_page_says_whose_it_is(tmp_path):
    page = written(tmp_path, pages.chapter(executed(), "1_a", Path()))["index.html"]
    assert "<h1>Acme, 2017Q4</h1>" in page


def test_hostile_names_are_text_everywhere(tmp_path):
    chapter = pages.chapter(executed(title=f"# Why\\<script\\> {'x'}"), "1_a", Path())
    lead = {
        "headline": HOSTILE, "sentences": [HOSTILE], "lead": True,
        "figures": [{"label": HOSTILE, "value": HOSTILE, "note": HOSTILE}],
    }  # fmt: skip
    read = written(tmp_path, chapter, answers={"1_a": lead}, client=HOSTILE)
    for page in read.values():
        assert "<script" not in page
        assert "&lt;script&gt;document.title=&#34;hacked&#34;" in page


# --- In a real browser ----------------------------------------------------------------------


@pytest.fixture
def listener():
    """A server on this machine that notes what it is asked for."""
    asked = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Noting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore:Glyph")  # a hostile name needs no font of this machine
@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome to open the page with")
def test_a_browser_neither_runs_nor_fetches_anything_from_a_hostile_clients_page(tmp_path, listener):
    address, asked = listener
    # what the checks before publication refuse, put into the page all the same
    smuggled = (
        "<script>document.body.dataset.hacked = 1</script>"
        f"<img src='{address}/image.png' onerror='document.body.dataset.hacked = 1'>"
        f"<style>@import '{address}/style.css'; p {{background: url({address}/back.png)}}</style>"
        f"<iframe src='{address}/frame'></iframe><p onclick='x'>smuggled</p>"
    )
    table = pd.DataFrame({"name": [HOSTILE]}).to_html()
    cells = ([result({"text/html": smuggled + table})], [shows({"image/svg+xml": svg(text=HOSTILE)})])
    chapter = pages.chapter(executed(*cells), "1_a", Path())
    written(tmp_path, chapter, client=HOSTILE)
    seen = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
            (tmp_path / "1_a.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "smuggled" in seen
    assert "data-hacked" not in seen
    assert "<title>hacked" not in seen
    assert "How much do they hold?" in seen
    assert asked == []
