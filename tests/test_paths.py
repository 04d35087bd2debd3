"""Where a client's folders and files have signs in their names that stand for other signs, or for columns."""

from __future__ import annotations

import os
import re

import pandas as pd
import pytest
from clients import CATALOGUE, HEAD, HEADER, SALES, engagement, sales

from kpilib.errors import EngagementError
from kpilib.kept import open_book as book
from kpilib.measures import degree

OWN, OTHER = "A,x,2025-04-05,1,10.5\nB,y,2025-04-06,1,3\n", "Q,z,2025-04-05,1,99\n"


def frame(rows: str) -> pd.DataFrame:
    cells = [each.split(",") for each in rows.splitlines()]
    return pd.DataFrame(cells, columns=HEADER.strip().split(",")).astype({"revenue": float, "quantity": int})


def client(folder, rows: str, kind: str):
    path = sales(folder, rows)
    if kind == "parquet":
        path.write_text(path.read_text().replace("lines.csv", "lines.parquet"))
        frame(rows).to_parquet(folder / "lines.parquet")
    return path


def accounts(path) -> list[str]:
    return sorted(book(path).table("accounts")["account_id"])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("name", "sibling"), [("Client [1]", "Client 1"), ("C*", "Client"), ("C?", "Ca"), ("[!a]", "b")]
)
def test_a_folder_s_name_is_never_a_pattern(tmp_path, name, sibling, kind):
    other = client(tmp_path / sibling, OTHER, kind)
    assert accounts(other) == ["Q"]
    own = client(tmp_path / name, OWN, kind)
    assert accounts(own) == ["A", "B"]
    assert degree.of(book(own), "2025Q2").n == 2


@pytest.mark.parametrize("name", ["revenue=7", "quarter=1", "number=0", "place=0", "account_id=Z", "a\\b"])
def test_a_folder_that_reads_like_a_column_changes_no_figure(tmp_path, name):
    found = book(client(tmp_path / name, OWN, "csv"))
    assert degree.of(found, "2025Q2").n == 2
    with found.connect() as db:
        assert float(db.execute("select sum(revenue_quarter) from positions").fetchone()[0]) == 13.5


def test_kept_positions_of_a_sibling_are_never_read(tmp_path):
    """The same data in both folders have the same fingerprint; what is kept need not be the same any more."""
    own, other = (sales(tmp_path / name, OWN) for name in ("Client [1]", "Client 1"))
    assert accounts(own) == accounts(other)
    for kept in (book(other).folder / "positions").iterdir():
        pd.read_parquet(kept).iloc[:0].to_parquet(kept)
    with book(own).connect() as db:
        assert db.execute("select count(*) from positions").fetchone()[0] > 0


@pytest.mark.parametrize("name", ["s [1].csv", "s*.csv", "year=[2025]/s?.csv"])
def test_a_file_is_found_by_its_literal_name_first(tmp_path, name):
    path = engagement(tmp_path, HEAD + SALES.format(options="").replace("lines.csv", name) + CATALOGUE)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(HEADER + OWN)
    for near in ("s 1.csv", "sx.csv"):
        (tmp_path / near).write_text(HEADER + OTHER)
    assert accounts(path) == ["A", "B"]


def test_a_pattern_below_a_folder_with_signs_stays_a_pattern(tmp_path):
    for place, rows in (("in [1]/s_1.csv", OWN), ("in [1]/s_2.csv", "C,x,2025-04-05,1,1\n"), ("in 1/s_3.csv", OTHER)):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(HEADER + rows)
    relative = HEAD + SALES.format(options="").replace("lines.csv", "in [1]/s_*.csv") + CATALOGUE
    absolute = relative.replace("in [1]", str(tmp_path / "in [1]"))
    assert accounts(engagement(tmp_path, relative)) == accounts(engagement(tmp_path, absolute)) == ["A", "B", "C"]
    with pytest.raises(EngagementError, match=r"no such file: 'in \[1\]/s_3.csv'"):
        book(engagement(tmp_path, relative.replace("s_*", "s_3")))


def test_a_folder_of_a_pattern_that_may_not_be_read_is_named_not_passed_by(tmp_path, monkeypatch):
    for place in ("open", "shut"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "s.csv").write_text(HEADER + OWN)
    path = engagement(tmp_path, HEAD + SALES.format(options="").replace("lines.csv", "*/s.csv") + CATALOGUE)
    may = os.access
    monkeypatch.setattr(os, "access", lambda file, mode: not str(file).endswith("shut") and may(file, mode))
    with pytest.raises(EngagementError, match=r"'\*/s.csv' cannot be read: Permission denied \(.*shut\). Ask for"):
        book(path)


@pytest.mark.parametrize("name", ["nope", "nope.inside", "csv.inside", ".."])
def test_a_package_that_is_not_installed_is_named(tmp_path, name):
    text = HEAD + SALES.format(options="").replace("lines.csv", f"package:{name}/s.csv") + CATALOGUE
    with pytest.raises(EngagementError, match=f"the package '{re.escape(name)}' of 'package:.*' is not installed"):
        book(engagement(tmp_path, text))


def test_only_folders_below_an_engagement_are_columns(tmp_path):
    path = client(tmp_path / "account_id=Q", OWN, "parquet")
    assert accounts(path) == ["A", "B"]
    with book(path).connect() as db:
        found = db.execute("select distinct account_id from positions order by all").fetchall()
        assert found == [("A",), ("B",)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_folders_below_an_engagement_stay_columns(tmp_path, kind):
    named = SALES.format(options="").replace("lines.csv", f"product_id=*/s.{kind}")
    path = engagement(tmp_path, HEAD + named + CATALOGUE)
    for product, account in (("x", "A"), ("y", "B")):
        (tmp_path / f"product_id={product}").mkdir()
        rows = frame(f"{account},?,2025-04-05,1,10.5\n").drop(columns="product_id")
        file = tmp_path / f"product_id={product}" / f"s.{kind}"
        rows.to_parquet(file) if kind == "parquet" else rows.to_csv(file, index=False)
    with book(path).connect() as db:
        found = db.execute("select account_id, product_id from holdings order by all").fetchall()
    assert found == [("A", "x"), ("B", "y")]
