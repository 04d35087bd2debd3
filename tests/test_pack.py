from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from papermill.translators import PythonTranslator
from tiny import CHART, PARAMETERS, cell, engagement, notebook, parameters

from kpilib import pack, publish
from kpilib.errors import QuarterError
from kpilib.pack import PackError, kernels, running
from kpilib.pack.parameters import ParameterError, checked, declared
from kpilib.publish import HandoverError

HOSTILE = "<script>alert(1)</script>"
FORMULA = "=cmd|' /C calc'!A0"

HAND_OVER = """\
import pandas as pd
from kpilib import publish
frame = pd.DataFrame({"account_id": ["=cmd|' /C calc'!A0", "-5", "plain"], "mean": [1 / 3, 0.5, 1]})
publish.table(frame, "accounts", tables, units={"mean": "share"})
publish.answer(
    tables, f"In {quarter} they hold 40 %.", ["<b>Why</b>"], [{"label": "n", "value": "3"}]
);
"""
QUIET = "import warnings\nwarnings.warn('only auditors read this')\nprint('a line for all')"


# --- What a notebook may be told ------------------------------------------------------------


def told(values, lines=PARAMETERS):
    return checked(values, declared(new_notebook(cells=[parameters(lines)]), "n.ipynb"), "n.ipynb")


def test_a_misspelt_parameter_is_refused_with_what_was_probably_meant():
    with pytest.raises(ParameterError, match=r"no parameter 'quater'. Did you mean 'quarter'"):
        told({"quater": "2017Q4"})


def test_a_name_that_is_code_is_refused():
    crafted = "quarter = 1; import os; x"
    with pytest.raises(ParameterError, match="is not a name"):
        told({crafted: "2017Q4"})
    with pytest.raises(ParameterError, match="is not a name"):
        told({"import": "2017Q4"})


@pytest.mark.parametrize("count", [0, 2])
def test_a_notebook_has_exactly_one_parameters_cell(count):
    tagged = [cell(PARAMETERS, f"p{each}", ("parameters",)) for each in range(count)]
    made = new_notebook(cells=[new_markdown_cell("# Why?"), *tagged])
    with pytest.raises(ParameterError, match="needs exactly one code cell"):
        declared(made, "n.ipynb")


@pytest.mark.parametrize(
    "line",
    ["quarter = latest()", "import os", "a = b = 1", "a, b = 1, 2", "quarter: str", "%time x = 1"],
)
def test_the_parameters_cell_holds_plain_values_only(line):
    with pytest.raises(ParameterError, match="one `name = value  # help` a line"):
        told({}, line)


def test_help_and_annotations_are_read():
    lines = 'base: str = "all"  # one of all, active\nname = "#1"  # a # sign\nñ = [\n 1,\n]  # late'
    known = declared(new_notebook(cells=[parameters(lines)]), "n.ipynb")
    assert {each.name: each.default for each in known.values()} == {
        "base": "all", "name": "#1", "ñ": [1],
    }  # fmt: skip
    assert [each.help for each in known.values()] == ["one of all, active", "a # sign", "late"]


@pytest.mark.parametrize(
    ("default", "value"),
    [("'a'", 3), ("3", "a"), ("3", 3.5), ("3", True), ("True", 1), ("[1]", "a"), ("1.5", "1.5")],
)
def test_a_value_has_the_type_of_its_default(default, value):
    with pytest.raises(ParameterError, match=r"x must be .* like its default"):
        told({"x": value}, f"x = {default}")


def test_a_whole_number_will_do_for_a_fraction_and_anything_for_none():
    assert told({"x": 1, "y": "a"}, "x = 0.5\ny = None") == {"x": 1, "y": "a"}


def test_values_stay_within_the_bounds_the_help_states():
    lines = "most = 15  # rows, from 1 to 50\nbase = 'all'  # one of all, active or eligible"
    assert told({"most": 50, "base": "eligible"}, lines) == {"most": 50, "base": "eligible"}
    with pytest.raises(ParameterError) as refused:
        told({"most": 51, "base": "everyone"}, lines)
    assert "most goes from 1 to 50, not 51" in str(refused.value)
    assert "base is one of 'all', 'active', 'eligible', not 'everyone'" in str(refused.value)


def test_dates_and_numpy_scalars_are_converted():
    lines = "a = ''\nb = ''\nc = 0\nd = 0.0\ne = True\nf = []\ng = ''\nh = ''"
    values = {
        "a": date(2017, 12, 31), "b": pd.Timestamp("2017-12-31 10:00"), "c": np.int64(3),
        "d": np.float32(0.5), "e": np.bool_(True), "f": (np.int8(1), 2), "g": Path("a/b"),
        "h": Decimal("1.50"),
    }  # fmt: skip
    plain = told(values, lines)
    assert plain == {
        "a": "2017-12-31", "b": "2017-12-31T10:00:00", "c": 3, "d": 0.5, "e": True, "f": [1, 2],
        "g": "a/b", "h": "1.50",
    }  # fmt: skip
    assert {type(each) for each in plain.values()} == {str, int, float, bool, list}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), pd.NaT, {1, 2}, object()])
def test_what_has_no_plain_form_is_refused(value):
    with pytest.raises(ParameterError, match="cannot be handed to a notebook"):
        told({"x": value}, "x = None")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("client_api_key", "abc"),
        ("source", "postgresql://reader:hunter2@db/sales"),
        ("source", ["a", {"b": "ghp_" + "a1" * 18}]),
        ("source", "AKIA" + "A1" * 8),
    ],
)
def test_a_credential_is_refused_and_not_repeated(name, value):
    with pytest.raises(ParameterError, match=f"{name} carries a credential") as refused:
        told({name: value}, f"{name} = None")
    assert str(value) not in str(refused.value)


def test_a_reference_to_a_credential_is_welcome():
    values = {"password_env": "CLIENT_DB", "source": "postgresql://db/sales", "key_account": "A"}
    assert told(values, "password_env = ''\nsource = ''\nkey_account = ''") == values


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(ParameterError) as refused:
        told({"quater": "2017Q4", "tables": 3})
    assert str(refused.value).count("\n  - ") == 2


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "\n", "'''", HOSTILE, "日本", "{x}", "\0", "\\n"])
def test_any_text_reaches_the_notebook_unchanged(text):
    names: dict[str, str] = {}
    exec(PythonTranslator.codify(told({"quarter": text})), names)
    assert names["quarter"] == text


# --- What a notebook hands over -------------------------------------------------------------


def saved(frame, folder, **options):
    return publish.table(frame, "a_table", folder, **options).read_bytes().decode()


def test_text_that_a_spreadsheet_would_run_is_made_text_and_numbers_stay_numbers(tmp_path):
    texts = ["=1+1", "+49 30 1", "-x", "@a", "\tb", "\rc", "-5", "+1.5e3", "-.5", "plain", None]
    frame = pd.DataFrame({"=head": texts, "x": np.arange(-5.0, 6.0), "n": range(-5, 6)})
    rows = list(csv.reader(saved(frame, tmp_path).splitlines(keepends=True)))
    assert rows[0] == ["'=head", "x", "n"]
    assert [each[0] for each in rows[1:6]] == ["'=1+1", "'+49 30 1", "'-x", "'@a", "'\tb"]
    assert [each[0] for each in rows[-5:]] == ["-5", "+1.5e3", "-.5", "plain", ""]
    assert rows[1][1:] == ["-5.000000", "-5"]


def test_a_table_is_the_same_bytes_wherever_it_is_saved(tmp_path):
    frame = pd.DataFrame({
        "share": [0.1 + 0.2, -1e-9, np.nan],
        "amount": [Decimal("1194791.08"), Decimal("-0.10"), None],
        "n": pd.array([1, None, 3], dtype="Int64"),
        "held": [True, False, None],
        "day": pd.to_datetime(["2017-12-31", None, "2018-01-01"]),
        "name": pd.Categorical(["Söhne", "a,b", "=x"]),
    })  # fmt: skip
    assert saved(frame, tmp_path) == (
        "share,amount,n,held,day,name\n"
        "0.300000,1194791.08,1,true,2017-12-31,Söhne\n"
        '0.000000,-0.10,,false,,"a,b"\n'
        ",,3,,2018-01-01,'=x\n"
    )


def test_units_stand_in_the_heading_and_a_named_index_is_a_column(tmp_path):
    frame = pd.DataFrame({"mean": [0.5]}, index=pd.Index(["2017Q4"], name="quarter"))
    assert saved(frame, tmp_path, units={"mean": "share"}) == "quarter,mean (share)\n2017Q4,0.500000\n"


@pytest.mark.parametrize("name", ["../up", "A Table", "", "a/b", "con.csv"])
def test_a_tables_name_is_a_plain_one(name, tmp_path):
    with pytest.raises(HandoverError, match="cannot name a table"):
        publish.table(pd.DataFrame(), name, tmp_path)


def test_a_unit_without_its_column_and_a_doubled_column_are_refused(tmp_path):
    with pytest.raises(HandoverError, match="there is no 'maen'"):
        saved(pd.DataFrame({"mean": [1]}), tmp_path, units={"maen": "share"})
    with pytest.raises(HandoverError, match="two columns are called 'a'"):
        saved(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        {"headline": " "},
        {"headline": "x", "sentences": [3]},
        {"headline": "x", "figures": [{"label": "n", "value": 3}]},
        {"headline": "x", "figures": [{"label": "n"}]},
        {"headline": "x", "figures": [{"label": "n", "value": "3", "colour": "red"}]},
    ],
)
def test_an_answer_that_cannot_be_shown_is_refused(answer, tmp_path):
    with pytest.raises(HandoverError, match="An answer is a headline"):
        publish.answer(tmp_path, **answer)


# --- A pack ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two chapters published twice; the engagement and a folder have trying names."""
    root = tmp_path_factory.mktemp("site {x}")
    chapters = root / "notebooks"
    notebook(chapters / "1_data_check.ipynb", QUIET, "print(engagement, tables)", "2 + 2")
    chart = cell(CHART, "fig-trend")
    notebook(chapters / "2_penetration.ipynb", "## How has it moved?", chart, HAND_OVER)
    acme = engagement(root, HOSTILE, "acme {y} ü")
    inputs = {str(acme.folder / "sales.csv"): {"rows": np.int64(12), "sha256": "ab"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("CLIENT_PASSWORD", "hunter2-from-the-environment")
        published = [pack.publish(acme, "2017Q4", root / "reports", chapters, inputs, progress=False)]
        first = {str(each.relative_to(root)): each.read_bytes() for each in files(root / "reports")}
        published.append(pack.publish(acme, "2017-Q4", root / "reports", chapters, progress=False))
    return SimpleNamespace(root=root, pack=published[0], published=published, first=first)


def files(folder):
    return sorted(each for each in folder.rglob("*") if each.is_file())


def test_a_pack_has_its_pages_tables_notebooks_and_manifest_and_nothing_else(site):
    assert site.published[0] == site.published[1] == site.root / "reports/acme {y} ü/2017Q4"
    assert [str(each.relative_to(site.root / "reports")) for each in files(site.root / "reports")] == [
        f"acme {{y}} ü/2017Q4/{name}"
        for name in (
            "1_data_check.html", "2_penetration.html", "answer.json", "index.html",
            "manifest.json", "notebooks/1_data_check.ipynb", "notebooks/2_penetration.ipynb",
            "tables/accounts.csv",
        )
    ]  # fmt: skip
    assert len(list(site.pack.parent.iterdir())) == 1


def test_the_same_inputs_give_the_same_pages_and_tables_byte_for_byte(site):
    again = {str(each.relative_to(site.root)): each.read_bytes() for each in files(site.root / "reports")}
    same = [name for name in again if name.endswith((".html", ".csv", "answer.json"))]
    assert len(same) == 5
    assert {name: again[name] for name in same} == {name: site.first[name] for name in same}


def test_the_manifest_says_what_the_figures_are_made_of(site):
    record = json.loads(next(v for k, v in site.first.items() if k.endswith("manifest.json")))
    assert record["client"] == HOSTILE
    assert record["parameters"] == {"engagement": "acme {y} ü/engagement.toml", "quarter": "2017Q4"}
    assert record["inputs"] == {"sales.csv": {"rows": 12, "sha256": "ab"}}
    assert record["tables"]["accounts.csv"]["rows"] == 3
    assert set(record["notebooks"]) == {"1_data_check.ipynb", "2_penetration.ipynb"}
    assert {"python", "duckdb", "pandas", "papermill"} <= set(record["engines"])
    assert record["seconds"] > 0


def test_no_secret_and_no_absolute_path_is_in_what_people_and_pipelines_read(site):
    for each in files(site.pack):
        text = each.read_text()
        assert "hunter2" not in text, each
        if each.suffix != ".ipynb":
            assert str(site.root) not in text, each
            assert str(Path.home()) not in text, each


def test_executed_notebooks_say_where_their_tables_are_now(site):
    executed = nbformat.read(site.pack / "notebooks/1_data_check.ipynb", as_version=4)
    told = next(each for each in executed.cells if "injected-parameters" in each.metadata.tags)
    assert 'quarter = "2017Q4"' in told.source
    assert "../reports/acme {y} " in told.source
    assert "/2017Q4/tables" in told.source
    assert executed.metadata.papermill.input_path == "1_data_check.ipynb"
    assert str(site.root) not in json.dumps(executed.metadata)


def test_managers_see_neither_code_nor_warnings_auditors_see_both(site):
    page = (site.pack / "1_data_check.html").read_text()
    kept = (site.pack / "notebooks/1_data_check.ipynb").read_text()
    assert "a line for all" in page
    assert "only auditors read this" not in page
    assert "only auditors read this" in kept
    for code in ("import warnings", "Parameters", "2 + 2", "Out["):
        assert code not in page


def test_a_figure_is_there_although_the_environment_says_agg(site):
    page = (site.pack / "2_penetration.html").read_text()
    assert '<figure class="chart" role="img" aria-label="Penetration rises from 30 % to 50 %"><svg' in page


def test_tables_are_safe_for_spreadsheets_and_have_units(site):
    assert (site.pack / "tables/accounts.csv").read_bytes() == (
        b"account_id,mean (share)\n'=cmd|' /C calc'!A0,0.333333\n-5,0.500000\nplain,1.000000\n"
    )


def test_the_answer_opens_the_first_page_escaped(site):
    page = (site.pack / "index.html").read_text()
    assert "<h1>In 2017Q4 they hold 40 %.</h1>" in page
    assert "&lt;b&gt;Why&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "as of 31 December 2017" in page
    assert 'href="tables/accounts.csv"' in page
    assert 'href="tables/accounts.csv"' in (site.pack / "2_penetration.html").read_text()
    assert 'href="tables/accounts.csv"' not in (site.pack / "1_data_check.html").read_text()
    answers = json.loads((site.pack / "answer.json").read_text())
    assert answers["2_penetration"]["figures"] == [{"label": "n", "value": "3", "note": ""}]


# --- Before anything runs -------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an engagement and one chapter, in which no kernel may start."""

    def refuse(*_, **__):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(kernels, "warm", lambda: None)
    monkeypatch.setattr(kernels.Manager, "start_kernel", refuse)
    chapters = tmp_path / "notebooks"
    notebook(chapters / "1_data_check.ipynb")

    def published(quarter="2017Q4", **options):
        return pack.publish(engagement(tmp_path), quarter, tmp_path / "reports", chapters, progress=False, **options)

    return SimpleNamespace(root=tmp_path, chapters=chapters, publish=published)


def test_a_notebook_that_does_not_declare_what_it_is_told_is_refused_before_any_runs(here):
    notebook(here.chapters / "2_more.ipynb", told=parameters("engagement = ''\nquater = ''"))
    with pytest.raises(ParameterError) as refused:
        here.publish()
    assert "2_more.ipynb cannot be told this" in str(refused.value)
    assert "'quarter'. Did you mean 'quater'" in str(refused.value)
    assert "no parameter 'tables'" in str(refused.value)
    assert not (here.root / "reports").exists()


def test_a_default_of_another_type_is_refused_before_any_runs(here):
    lines = "engagement = ''\nquarter = 4\ntables = ''"
    notebook(here.chapters / "2_more.ipynb", told=parameters(lines))
    with pytest.raises(ParameterError, match="quarter must be a whole number like its default 4"):
        here.publish()


def test_a_notebook_that_carries_a_credential_is_refused(here):
    notebook(here.chapters / "2_more.ipynb", "db = 'postgresql://reader:hunter2@db/sales'")
    with pytest.raises(ParameterError, match=r"2_more.ipynb carries a credential"):
        here.publish()


def test_a_file_that_is_no_notebook_is_refused_by_name(here):
    (here.chapters / "2_more.ipynb").write_text("not a notebook")
    with pytest.raises(ParameterError, match=r"2_more.ipynb cannot be read as a notebook"):
        here.publish()


def test_a_quarter_that_is_none_is_refused(here):
    with pytest.raises(QuarterError, match="is not a quarter"):
        here.publish("../../2017")


def test_a_folder_that_is_no_pack_is_never_replaced(here):
    mine = here.root / "reports/acme/2017Q4/thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(PackError, match="is there already and is no pack"):
        here.publish()
    assert mine.read_text() == "years of work"


@pytest.mark.parametrize("quarter", ["2017Q4", "2017Q3"])
def test_packs_of_another_client_are_never_replaced(here, quarter):
    theirs = here.root / "reports/acme/2017Q4/manifest.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"client": "Brown"}')
    with pytest.raises(PackError, match=r"acme has the packs of another client. 2017Q4 is of 'Brown'; .* of 'Acme'"):
        here.publish(quarter)


def test_a_place_that_cannot_be_written_to_is_no_fault_of_the_kit(here, monkeypatch):
    out = here.root / "a file"
    out.write_text("in the way")
    with pytest.raises(PackError, match=r"The pack cannot be written in .*a file.*Publish elsewhere with --out"):
        pack.publish(engagement(here.root), "2017Q4", out, here.chapters, progress=False)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pack, "_run", full)
    with pytest.raises(PackError, match=r"No space left on device. Publish elsewhere"):
        here.publish()
    assert not list((here.root / "reports").rglob("*.ipynb"))


def test_no_chapter_at_all_is_refused(here):
    (here.chapters / "1_data_check.ipynb").rename(here.chapters / "draft.ipynb")
    with pytest.raises(PackError, match="There is no chapter in"):
        here.publish()


def test_chapters_go_by_number_and_those_beside_the_engagement_join(here):
    for name in ("10_last", "2_penetration"):
        notebook(here.chapters / f"{name}.ipynb")
    beside = engagement(here.root).folder
    notebook(beside / "3_for_this_client.ipynb")
    notebook(beside / "scratch.ipynb")
    found = [each.stem for each in pack.notebooks_of(here.chapters, beside)]
    assert found == ["1_data_check", "2_penetration", "3_for_this_client", "10_last"]
    notebook(beside / "10_last.ipynb")
    with pytest.raises(PackError, match="Two chapters are called 10_last"):
        pack.notebooks_of(here.chapters, beside)


def test_an_engagement_may_choose_its_chapters_and_case_studies_wait_to_be_asked(here):
    for name in ("2_penetration", "7_case_of_a_firm"):
        notebook(here.chapters / f"{name}.ipynb")
    beside = engagement(here.root).folder
    chosen = {
        (): ["1_data_check", "2_penetration"],
        ("2_penetration", "7_case_of_a_firm"): ["2_penetration", "7_case_of_a_firm"],
    }
    for chapters, expected in chosen.items():
        assert [each.stem for each in pack.notebooks_of(here.chapters, beside, chapters)] == expected
    with pytest.raises(PackError, match="Did you mean '7_case_of_a_firm'"):
        pack.notebooks_of(here.chapters, beside, ["7_case_of_the_firm"])


# --- When a notebook fails ------------------------------------------------------------------


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """Every way to fail, run at once; the messages by notebook."""
    folder = tmp_path_factory.mktemp("failures")
    ways = {
        "error": ["## How has it moved?", "1", cell("held = {}\nheld['x']", "held"), "2"],
        "dead": ["## Too much?", "1", cell("import os\nos._exit(7)", "all-of-it"), "2"],
        "slow": ["## For ever?", cell("import time\ntime.sleep(60)", "wait")],
        "exit": ["import sys\nsys.exit()", "1"],
        "agg": ["import matplotlib\nmatplotlib.use('agg')", cell(CHART, "fig-trend")],
        "huge": ["from IPython.display import HTML\nHTML('x' * 9_000_000)"],
        "active": [f"from IPython.display import HTML\nHTML('<p>{HOSTILE}</p>')"],
        "fetch": ["from IPython.display import HTML\nHTML('<img src=\"https://x/y.png\">')"],
        "fine": ["print('fine')"],
    }
    jobs = [
        running.prepare(running.Job(notebook(folder / f"{name}.ipynb", *cells), {}, folder / f"out_{name}.ipynb"))
        for name, cells in ways.items()
    ]
    with pytest.raises(running.NotebookError) as failed:
        running.run(jobs, at_once=3, timeout=3, progress=False)
    messages = {Path(each.notebook).stem: each for each in failed.value.failures}
    return SimpleNamespace(folder=folder, messages=messages, text=str(failed.value))


def test_all_that_failed_are_told_at_once_and_the_rest_ran(failures):
    assert failures.text.startswith("8 notebooks failed:\n  - error.ipynb, cell 5 (held) under")
    assert "fine" not in failures.messages


def test_a_failing_cell_is_named_with_its_heading_and_error(failures):
    assert str(failures.messages["error"]) == ("error.ipynb, cell 5 (held) under \"How has it moved?\": KeyError: 'x'")


def test_a_dead_kernel_names_the_cell_that_was_running(failures):
    assert str(failures.messages["dead"]) == (
        'dead.ipynb, cell 5 (all-of-it) under "Too much?":'
        " its kernel died while this cell ran, often of too little memory"
    )
    kept = nbformat.read(failures.folder / "out_dead.ipynb", as_version=4)
    status = {each.get("id"): each.metadata.papermill.status for each in kept.cells}
    assert status["all-of-it"] == "failed"


def test_a_cell_that_takes_for_ever_is_named(failures):
    assert str(failures.messages["slow"]) == (
        'slow.ipynb, cell 4 (wait) under "For ever?": it was not done after 3 seconds'
    )


def test_a_notebook_that_ends_itself_is_not_taken_for_a_success(failures):
    assert "it ended itself" in failures.messages["exit"].message


def test_a_figure_that_vanished_is_missed(failures):
    assert failures.messages["agg"].name == "fig-trend"
    assert "it shows no picture" in failures.messages["agg"].message


def test_output_that_is_too_large_for_a_page_is_refused(failures):
    assert "it puts out 9 MB of text/html" in failures.messages["huge"].message


def test_output_that_would_act_or_fetch_is_refused(failures):
    assert "it puts <script> into the page" in failures.messages["active"].message
    assert "it puts <img src=...> into the page" in failures.messages["fetch"].message


def test_a_failure_publishes_nothing_keeps_the_notebook_and_spares_the_earlier_pack(tmp_path):
    chapters, acme = tmp_path / "notebooks", engagement(tmp_path)
    notebook(chapters / "1_data_check.ipynb", "print('first')")

    def published():
        return pack.publish(acme, "2017Q4", tmp_path / "reports", chapters, progress=False)

    folder = published()
    before = {each: each.read_bytes() for each in files(folder)}
    notebook(chapters / "1_data_check.ipynb", "print('so far')", "1 / 0")
    with pytest.raises(running.NotebookError, match="ZeroDivisionError") as failed:
        published()
    aside = folder.parent / "failed/2017Q4_1_data_check.failed.ipynb"
    assert "Nothing was published." in str(failed.value)
    assert str(aside) in str(failed.value)
    assert "so far" in aside.read_text()
    assert {each: each.read_bytes() for each in files(folder)} == before
    assert sorted(each.name for each in folder.parent.iterdir()) == ["2017Q4", "failed"]

    notebook(chapters / "1_data_check.ipynb", "print('mended')")
    assert "mended" in (published() / "1_data_check.html").read_text()
    assert [each.name for each in folder.parent.iterdir()] == ["2017Q4"]


# --- Kernels that do not start --------------------------------------------------------------


def test_a_start_that_fails_is_tried_again_and_the_run_happens_once(tmp_path, monkeypatch):
    starts, start = [], kernels.Manager.start_kernel

    async def stumbling(self, **options):
        await start(self, **options)
        starts.append(self.fork)
        if len(starts) < running.STARTS:
            await self.provisioner.kill()

    monkeypatch.setattr(kernels.Manager, "start_kernel", stumbling)
    monkeypatch.setattr(running, "STARTS", 2)
    log = tmp_path / "log"
    path = notebook(tmp_path / "n.ipynb", f"open({str(log)!r}, 'a').write('ran ')")
    running.run([running.Job(path, {}, tmp_path / "out.ipynb")], progress=False)
    assert log.read_text() == "ran "
    assert starts == [kernels.Manager.fork, False]  # the last time a plain one


def test_a_kernel_that_never_starts_is_told_as_such(tmp_path, monkeypatch):
    tried = []

    async def never(self, **_):
        tried.append(self.fork)
        raise RuntimeError("no room")

    monkeypatch.setattr(kernels.Manager, "start_kernel", never)
    path = notebook(tmp_path / "n.ipynb", "1")
    with pytest.raises(running.NotebookError, match=r"n.ipynb, before its first cell: its kernel did"):
        running.run([running.Job(path, {}, tmp_path / "out.ipynb")], progress=False)
    assert len(tried) == running.STARTS


@pytest.mark.skipif(os.name != "posix", reason="signals of another kind")
def test_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path):
    mark = tmp_path / "running"
    sleeping = f"open({str(mark)!r}, 'w').close()\nimport time\ntime.sleep(60)"
    notebook(tmp_path / "notebooks/1_sleep.ipynb", sleeping)
    script = (
        "from pathlib import Path; from tiny import engagement; from kpilib import pack\n"
        f"root = Path({str(tmp_path)!r})\n"
        "pack.publish(engagement(root), '2017Q4', root / 'reports', root / 'notebooks')\n"
    )
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=here, stderr=subprocess.PIPE) as run:
        while not mark.exists() and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in run.communicate(timeout=20)[1]
    assert list((tmp_path / "reports/acme").iterdir()) == []


def test_progress_counts_cells(tmp_path, capsys):
    path = notebook(tmp_path / "n.ipynb", "1", "2")
    running.run([running.Job(path, {}, tmp_path / "out.ipynb")])
    shown = capsys.readouterr().err
    assert "Running notebooks: 100%" in shown
    assert "4/4" in shown


# --- Put in place ---------------------------------------------------------------------------


def built(folder, name, mark):
    made = folder / name
    made.mkdir(parents=True)
    for file in ("index.html", "manifest.json"):
        (made / file).write_text(mark)
    return made


def test_publishers_of_the_same_quarter_at_once_leave_one_whole_pack(tmp_path):
    final, seen, torn = tmp_path / "2017Q4", set(), []
    done = threading.Event()

    def read():
        while not done.is_set():
            try:
                with (final / "index.html").open() as page:
                    seen.add(page.read())
            except FileNotFoundError:
                torn.append(1)

    def put(number):
        for turn in range(20):
            pack._put(built(tmp_path, f".{number}.{turn}", f"{number} {turn}"), final)

    built(tmp_path, "2017Q4", "first")
    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for each in (reader, *writers):
        each.start()
    for each in writers:
        each.join()
    done.set()
    reader.join()
    assert [each.name for each in tmp_path.iterdir()] == ["2017Q4"]
    assert (final / "index.html").read_text() == (final / "manifest.json").read_text() != "first"
    assert "" not in seen


def test_the_earlier_pack_comes_back_when_the_new_one_cannot_be_put(tmp_path, monkeypatch):
    final, new = built(tmp_path, "2017Q4", "earlier"), built(tmp_path, ".new", "new")
    rename = Path.rename

    def refuse(self, target):
        if self == new:
            raise PermissionError(13, "not allowed")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        pack._put(new, final)
    assert (final / "index.html").read_text() == "earlier"


def test_two_chapters_do_not_save_the_same_table_or_both_lead(tmp_path):
    plan = SimpleNamespace(building=tmp_path, jobs=[])
    for name in ("1_a", "2_b"):
        folder = tmp_path / pack.HANDED / name
        publish.answer(folder, "An answer.", lead=True)
        publish.table(pd.DataFrame({"x": [1]}), "same", folder)
        plan.jobs.append(SimpleNamespace(notebook=Path(f"{name}.ipynb")))
    with pytest.raises(PackError, match=r"1_a and 2_b both save a table same.csv"):
        pack._tables(plan)
    with pytest.raises(PackError, match="1_a and 2_b both lead"):
        pack._answers(plan)
