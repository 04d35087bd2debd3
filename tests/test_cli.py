"""The command line as its users meet it: what it prints, and how it leaves."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from clients import CATALOGUE, HEAD, SALES, engagement, sales

from kpilib import __main__ as cli

ROWS = "".join(
    f"{account},{product},2025-{month:02d}-10,1,10\n"
    for month in range(1, 13)
    for account, product in (("A", "x"), ("A", "y"), ("B", "x"))
)
KEYS = {
    "quarter", "as_of", "complete", "base", "lookback_months", "accounts", "accounts_nothing_possible", "n",
    "accounts_lost", "products", "account_penetration_degree", "multi_product_share",
    "account_penetration_index", "products_per_account", "lapsing", "bands", "attach_rate", "revenue_quarter",
    "revenue_window", "set_aside", "set_aside_hits", "flagged", "change", "schema",
}  # fmt: skip


def kpi(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main([str(each) for each in arguments])
    return left.value.code or 0


def printed(capsys, *arguments: object) -> str:
    cli.main([str(each) for each in arguments])
    return capsys.readouterr().out


def test_what_is_interrupted_is_no_fault_of_the_kit(tmp_path, capsys, monkeypatch):
    """DuckDB tells of Ctrl-C in an error of its own."""
    path = sales(tmp_path, ROWS)
    monkeypatch.setattr("kpilib.kept.open_book", lambda *_: (_ for _ in ()).throw(RuntimeError("Query interrupted")))
    assert kpi("measure", path) == 130
    assert capsys.readouterr().err == ""


def test_measure_prints_one_json_object_with_every_promised_key(tmp_path, capsys):
    found = json.loads(printed(capsys, "measure", sales(tmp_path, ROWS), "--format", "json"))
    assert set(found) == KEYS
    assert found["account_penetration_degree"] == {"mean": 0.5, "pooled": 0.5, "median": 0.5}
    assert found["multi_product_share"] == {"1": 1.0, "2": 0.5}
    assert found["revenue_quarter"] == "90.00"
    assert found["account_penetration_index"] is None
    assert (found["schema"], found["set_aside"], found["change"]) == (1, {}, None)


def test_measure_compares_with_a_quarter_and_with_plan(tmp_path, capsys):
    plan = '[[targets]]\nquarter = "2025Q4"\nkpi = "account_penetration_degree"\nvalue = 0.6\n'
    path = sales(tmp_path, ROWS + "B,y,2025-12-01,1,1\n", more=plan)
    found = json.loads(printed(capsys, "measure", path, "--against", "2025Q3", "--format", "json"))
    assert found["change"]["points"] == pytest.approx(100 / 6)
    assert found["change"]["against"] == "2025Q3"
    found = json.loads(printed(capsys, "measure", path, "--against", "plan", "--format", "json"))
    assert found["change"]["points"] == pytest.approx(100 * (2 / 3 - 0.6))


def test_groups_carry_the_same_object_and_blanks_their_own_name(tmp_path, capsys):
    more = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'
    path = sales(tmp_path, ROWS, more=more)
    (tmp_path / "who.csv").write_text("account_id,region\nA,North\nB,\n")
    found = json.loads(printed(capsys, "measure", path, "--by", "region", "--format", "json"))
    assert [each["group"] for each in found["groups"]] == ["North", "(not given)"]
    assert [each["accounts"] for each in found["groups"]] == [1, 1]
    text = printed(capsys, "measure", path, "--by", "region")
    assert "(not given)" in text
    assert "33.3%" in text


def test_groups_without_a_plan_say_so(tmp_path, capsys):
    plan = '[[targets]]\nquarter = "2025Q4"\nkpi = "account_penetration_degree"\nvalue = 0.6\n'
    plan += plan + 'segment = { region = "North" }\n'
    more = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'
    path = sales(tmp_path, ROWS, more=plan + more)
    (tmp_path / "who.csv").write_text("account_id,region\nA,North\nB,South\n")
    rows = printed(capsys, "measure", path, "--by", "region", "--against", "plan").splitlines()
    ends = {row.split()[0]: row.split("  ")[-1].strip() for row in rows if row.startswith(("all", "North", "South"))}
    assert ends.pop("South") == "no plan"
    assert all(each.startswith(("+", "-")) for each in ends.values())
    assert set(ends) == {"all", "North"}


def test_figures_of_data_that_cannot_carry_them_come_with_a_warning(tmp_path, capsys):
    path = sales(tmp_path, ROWS + "C,nonsense,2025-12-01,1,500\n")
    for arguments in (["measure"], ["measure", "--format", "json"]):
        cli.main([arguments[0], str(path), *arguments[1:]])
        out, err = capsys.readouterr()
        assert err.startswith("Warning: the data cannot carry these figures. Too much is set aside: 58.1% of the gross")
        assert "Warning" not in out
    cli.main(["measure", str(sales(tmp_path / "whole", ROWS))])
    assert capsys.readouterr().err == ""


def test_a_list_that_cannot_be_written_is_no_fault_of_the_kit(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert kpi("check", sales(tmp_path, ROWS), "--list", tmp_path / "file" / "x.csv") == 1
    assert "x.csv cannot be written." in capsys.readouterr().err


def test_no_command_shows_a_figure_of_a_quarter_without_its_snapshot(tmp_path, capsys):
    text = HEAD + SALES.format(options="").replace('"sales"', '"snapshot"') + CATALOGUE
    rows = "".join(f"A,x,2025-{day}\n" for day in ("03-31", "06-30", "12-31"))
    path = engagement(tmp_path, text, lines_csv="account_id,product_id,date\n" + rows)
    said = "There is no snapshot of 2025-09-30, the end of 2025Q3"
    for arguments in (
        ["measure"],
        ["report", "--out", str(tmp_path / "out")],
        ["trace", "--account", "A"],
        ["actions"],
    ):
        assert kpi(arguments[0], path, *arguments[1:], "--quarter", "2025Q3") == 1
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "account", "quarter", "told"),
    [
        ("all", "A", "2025Q4", "not counted: left on 2025-11-30"),
        ("all", "B", "2025Q4", "not counted: joined on 2026-02-01"),
        ("all", "C", "2025Q4", None),
        ("eligible", "C", "2025Q4", "not counted: no product is possible for it"),
        ("active", "A", "2025Q4", None),
        ("active", "C", "2025Q4", "not counted: no revenue in the 3 months"),
        ("all", "A", "2025Q3", None),
    ],
)
def test_trace_says_why_an_account_is_not_counted(tmp_path, capsys, base, account, quarter, told):
    more = (
        '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'
        '[[eligibility]]\nproducts = ["x", "y", "z"]\nwhere = { size = "large" }\n'
    )
    path = sales(tmp_path, ROWS, more=more, head=f'base = "{base}"\n' + HEAD)
    (tmp_path / "who.csv").write_text(
        "account_id,joined_on,left_on,size\nA,2020-01-01,2025-11-30,large\nB,2026-02-01,,large\nC,2020-01-01,,small\n"
    )
    text = printed(capsys, "trace", path, "--account", account, "--quarter", quarter)
    assert [each for each in text.splitlines() if each.startswith("not counted")] == ([told] if told else [])


def test_csv_has_a_row_per_figure_and_no_formula(tmp_path, capsys):
    text = printed(capsys, "measure", sales(tmp_path, ROWS.replace("x", "=cmd|")
                   , more='[catalogue]\nproducts = ["=cmd|", "y"]\n'), "--format", "csv")  # fmt: skip
    rows = {row[0]: row[1] for row in csv.reader(io.StringIO(text))}
    assert rows["account_penetration_degree.mean"] == "0.75"
    assert not any(name.startswith("=") for name in rows)


def test_an_interval_is_two_numbers_in_a_file_for_programs(tmp_path, capsys):
    rows = "".join(f"{who},{what},2025-{month}-15,1,1\n" for who in "ABC" for month in ("08", "11") for what in "xy")
    path = sales(tmp_path, rows + "A,z,2025-11-15,1,1\n")
    told = dict(csv.reader(io.StringIO(printed(capsys, "measure", path, "--against", "2025Q3", "--format", "csv"))))
    assert float(told["change.interval.low"]) < float(told["change.points"]) < float(told["change.interval.high"])


def test_measure_for_people_says_what_was_counted(tmp_path, capsys):
    text = printed(capsys, "measure", sales(tmp_path, ROWS))
    for part in ("Test client, end of 2025Q4 (2025-12-31)", "50.0%", "n = 2", "base active"):
        assert part in text


def test_check_reconciles_and_lists_what_was_set_aside(tmp_path, capsys):
    more = '[catalogue]\nproducts = ["x", "y"]\n'
    path = sales(tmp_path, ROWS + "A,?,2025-01-01,1,1\n", more=more)
    text = printed(capsys, "check", path, "--list", tmp_path / "aside.csv")
    assert "37 rows = 36 used + 1 set aside; revenue 361.00 = 360.00 + 1.00" in text
    assert "1 unknown_product" in text
    assert (
        (tmp_path / "aside.csv").read_text().splitlines()[1].endswith("unknown_product,lines.csv,37,A,?,2025-01-01,1,")
    )


@pytest.mark.parametrize("name", ["set-aside.csv", "Set Aside (Müller & Co).CSV", "aside", "aside.v2.txt"])
def test_the_rows_set_aside_go_into_the_file_that_was_named(tmp_path, capsys, name):
    path = sales(tmp_path, ROWS + "A,?,2025-01-01,1,1\n", more='[catalogue]\nproducts = ["x", "y"]\n')
    printed(capsys, "check", path, "--list", tmp_path / "lists" / name)
    assert [each.name for each in (tmp_path / "lists").iterdir()] == [name]
    assert "unknown_product" in (tmp_path / "lists" / name).read_text()


def test_check_prints_the_difference_to_what_finance_states(tmp_path, capsys):
    stated = '[[control_totals]]\nquarter = "2025Q4"\nrevenue = 100\naccounts = 2\n'
    text = printed(capsys, "check", sales(tmp_path, ROWS, more=stated))
    assert "revenue: stated 100.00, measured 90.00" in text
    assert "differs by -10.00" in text


def test_check_leaves_with_1_when_more_is_set_aside_than_allowed(tmp_path, capsys):
    assert kpi("check", sales(tmp_path, ROWS + "A,?,2025-01-01,1,100\n")) == 1
    told = capsys.readouterr().err
    assert "Too much is set aside: 21.7% of the gross revenue of sales: lines [1]; the engagement allows 1.0%" in told
    rows = ", ".join(f'{{ account_id = "{who}", product_id = "x" }}' for who in ("A", "B", ""))
    assert kpi("check", sales(tmp_path, ROWS + "A,?,2025-01-01,1,100\n", more=f"[blocked]\nrows = [{rows}]\n")) == 1
    told = capsys.readouterr().err
    assert "set aside: 33.3% of the rows of blocked;" in told
    assert "Also 21.7% of the gross revenue of sales: lines [1]." in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["measure", "{}", "--quarter", "2030Q1"],
            1,
            "2030Q1 lies outside the data. They cover 2025Q1 to 2025Q4",
        ),
        (["measure", "{}", "--lookback", "5"], 1, "5 months is not whole quarters"),
        (["measure", "{}", "--lookback", "999"], 1, "A look-back of 999 months is more than 360"),
        (["measure", "{}", "--by", "colour"], 1, "colour"),
        (["measure", "{}", "--by", ""], 2, "'--by': it is blank. Say which, or leave the option out"),
        (["measure", "{}", "--quarter", ""], 2, "'--quarter': it is blank"),
        (["measure", "{}", "--against", " "], 2, "'--against': it is blank"),
        (["issue", "{}", "--quarter", ""], 2, "'--quarter': it is blank"),
        (["trace", "{}", "--account", ""], 2, "'--account': it is blank"),
        (["measure", "{}", "--base", "some"], 2, "'some' is not one of"),
        (["measure", "nowhere.toml"], 1, "no such file"),
        (["trace", "{}", "--account", "Z"], 1, "'Z' is neither on file nor active"),
        (["trace", "{}"], 2, "Missing option '--account'"),
        (["dance"], 2, "No such command 'dance'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(tmp_path, capsys, arguments, code, message):
    path = str(sales(tmp_path, ROWS))
    assert kpi(*[each.format(path) for each in arguments]) == code
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_no_account_in_the_base_and_nothing_possible_are_refused(tmp_path, capsys):
    empty = sales(tmp_path / "a", "A,x,2025-01-10,1,1\n")
    assert kpi("measure", empty) == 1
    assert "active" in capsys.readouterr().err
    gone = '[catalogue]\nrows = [{ product_id = "x", retired = 2024-01-01 }]\n'
    assert kpi("measure", sales(tmp_path / "b", "A,x,2025-12-10,1,1\n", more=gone)) == 1
    assert "possible" in capsys.readouterr().err


def test_a_fault_of_the_kit_says_so_and_leaves_with_3(tmp_path, capsys, monkeypatch):
    from kpilib import kept

    monkeypatch.setattr(kept, "open_book", lambda *_: 1 / 0)
    assert kpi("measure", sales(tmp_path, ROWS)) == 3
    assert "a fault of the kit, not of your data" in capsys.readouterr().err


def test_measuring_a_kept_book_does_not_import_the_heavy_engines(tmp_path):
    path = sales(tmp_path, ROWS)
    run = [sys.executable, "-X", "importtime", "-m", "kpilib", "measure", str(path)]
    subprocess.run(run, check=True, capture_output=True)
    told = subprocess.run(run, check=True, capture_output=True, text=True).stderr
    imported = {line.rsplit("|", 1)[-1].strip() for line in told.splitlines() if "|" in line}
    assert not imported & {"ibis", "matplotlib", "seaborn", "papermill", "nbconvert", "scipy.stats"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device_is_told_once_and_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "kpilib", "measure", str(sales(tmp_path, ROWS))]
    with Path("/dev/full").open("w") as full:
        left = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert left.returncode == 1
    assert left.stderr.splitlines() == [
        "kpi: What is printed cannot be written. No space left on device. Make room there, or write elsewhere."
    ]
