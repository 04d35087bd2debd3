"""A quarter as issued against today: every kind of restatement, produced on purpose, lands in its part."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import duckdb
import pandas as pd
import pytest
from clients import CATALOGUE, HEAD, HEADER, SALES, engagement
from hypothesis import given, settings
from hypothesis import strategies as st

from kpilib import __main__ as cli
from kpilib import issued, kept, printed, revenue
from kpilib.engagement import load
from kpilib.errors import DataError
from kpilib.issued import lines, record
from kpilib.issued.parts import ORDER
from kpilib.tables import issued as tables
from kpilib.wording import issued as wording

QUARTER = "2025Q4"
SOLD = (
    "A,x,2025-10-05,1,10\nA,y,2025-11-05,1,20\nB,x,2025-10-06,1,30\nB,z,2025-12-01,2,40\nC,y,2025-12-24,1,50\n"
    "C,x,2025-08-01,1,60\nD,z,2025-11-11,1,70\nD,x,2025-09-30,1,80\n"
)
RETENTION = ("net_revenue_retention", "gross_revenue_retention")
FIGURES = ("mean", "pooled", "multi", "index", "accounts", "revenue_quarter", "revenue_window", *RETENTION)
ACCOUNTS = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'
WHO = "account_id,region\nA,North\nB,North\nC,South\nD,South\n"
GRAIN = '[sources.map]\npath = "map.csv"\n[grain]\nsource = "map"\n'
CATALOGUE_TABLE = '[sources.offer]\npath = "offer.csv"\n[catalogue]\nsource = "offer"\n'


@pytest.fixture(scope="module", autouse=True)
def shelf(tmp_path_factory):
    """Keep clients as they were when issued: the same one is issued once for all tests."""
    Client.shelf = tmp_path_factory.mktemp("issued")


class Client:
    """A client on disk, whose files a test changes after the quarter was issued."""

    shelf: Path

    def __init__(self, folder: Path, more: str = "", head: str = HEAD, **files: str) -> None:
        self.folder, self.reports = folder / "acme", folder / "reports"
        text = head + SALES.format(options="") + more + ("" if "[catalogue]" in more else CATALOGUE)
        self.path = engagement(self.folder, text, **{"lines_csv": HEADER + SOLD, **files})

    def book(self):
        return kept.open_book(self.path)

    def publish(self, quarter: str = QUARTER) -> None:
        """Write what a published pack has: its page, a table, and a manifest that lists it."""
        pack = self.reports / "acme" / quarter
        (pack / "tables").mkdir(parents=True, exist_ok=True)
        (pack / "index.html").write_text("<h1>Penetration</h1>")
        (pack / "tables" / "by_quarter.csv").write_text("quarter\n2025Q4\n")
        told = {
            "kit": record.kit(),
            "parameters": {"engagement": "acme/engagement.toml", "quarter": quarter},
            "inputs": {"fingerprint": self.book().folder.name},
            "tables": {"by_quarter.csv": {"sha256": record._hash(pack / "tables" / "by_quarter.csv")}},
            "notebooks": {},
        }
        (pack / "manifest.json").write_text(json.dumps(told))

    def issue(self) -> record.Record:
        self.publish()
        return issued.freeze(self.book(), QUARTER, self.reports)

    def once(self) -> None:
        """Issue, or take the record of the same client from the shelf."""
        files = sorted(each for each in self.folder.iterdir() if each.is_file())
        same = self.shelf / sha256(b"".join(each.read_bytes() for each in files)).hexdigest()
        if not same.exists():
            self.issue()
            copytree(self.folder / "issued", same)
        else:
            copytree(same, self.folder / "issued")

    def change(self, name: str, *replaced: tuple[str, str]) -> None:
        file = self.folder / name
        text = file.read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)

    def diff(self) -> issued.Diff:
        now = kept.counted(load(self.path), self.folder.parent / f"today {len(list(self.folder.parent.iterdir()))}")
        return issued.diff(now, QUARTER)


def moved(found: issued.Diff) -> set[str]:
    """The parts that moved any figure; that all sum to the difference is checked on the way."""
    assert list(found.exact) == [each for each in ORDER if each in found.exact]
    then, today = (
        dict(zip(found.figures["figure"], found.figures[name], strict=True)) for name in ("as_issued", "today")
    )
    for name in FIGURES:
        if today[name] is None:
            assert {each[name] for each in found.exact.values()} == {None}
            continue
        total = sum(each[name] for each in found.exact.values())
        assert float(total) == pytest.approx(float(today[name]) - float(then[name]), abs=1e-12)
        assert sum(map(float, found.parts[name])) == pytest.approx(float(total), abs=1e-12)
    return {part for part, sizes in found.exact.items() if any(sizes.values())}


def test_an_untouched_quarter_has_nothing_to_explain(tmp_path):
    client = Client(tmp_path)
    client.once()
    found = client.diff()
    assert moved(found) == set()
    assert not found.changed
    assert (found.parts["accounts_touched"] == 0).all()


def test_the_figures_as_issued_are_those_worked_by_hand(tmp_path):
    """A has x and y, B has x and z, C y, D z in the quarter: degrees 2/3, 2/3, 1/3, 1/3."""
    assert Client(tmp_path).issue().figures == {
        "mean": Fraction(1, 2), "pooled": Fraction(1, 2), "multi": Fraction(1, 2), "index": None, "accounts": 4,
        "revenue_quarter": Decimal(220), "revenue_window": Decimal(220),
        **dict.fromkeys(RETENTION),  # the data begin this year
    }  # fmt: skip


def test_lines_that_arrive_late_are_late_data(tmp_path):
    client = Client(tmp_path)
    client.once()
    client.change(
        "lines.csv", ("D,x,2025-09-30,1,80\n", "D,x,2025-09-30,1,80\nD,x,2025-12-30,1,5\nE,y,2025-12-31,1,7\n")
    )
    found = client.diff()
    assert moved(found) == {"late"}
    late = found.exact["late"]  # D has two of three now, E one of three
    assert (late["accounts"], late["revenue_quarter"]) == (1, Decimal(12))
    assert late["mean"] == Fraction(2 + 2 + 1 + 2 + 1, 15) - Fraction(1, 2)
    row = found.parts.set_index("part").loc["late"]
    assert (row["lines"], row["accounts_touched"], row["most"]) == (2, 2, "E, D")


OFFERED = """
[sources.offers]
path = "offers.csv"
[opportunities]
source = "offers"
won = ["Closed Won"]
lost = ["Closed Lost"]
open = ["Open"]
"""
OFFERS = (
    "account_id,product_id,status,opened,closed\nA,x,Closed Won,2025-10-01,2025-10-05\n"
    "A,z,Closed Lost,2025-10-02,2025-10-06\nC,x,Open,2025-11-01,\nD,y,Closed Lost,2025-11-02,2025-12-01\n"
)


def offering(folder) -> Client:
    """One of four opportunities is won."""
    client = Client(folder, OFFERED, offers_csv=OFFERS)
    client.once()
    return client


def test_lost_opportunities_that_became_won_are_corrections_of_the_index(tmp_path):
    client = offering(tmp_path)
    client.change("offers.csv", ("Closed Lost", "Closed Won"))
    found = client.diff()
    assert moved(found) == {"corrections"}
    assert found.exact["corrections"]["index"] == Fraction(3, 4) - Fraction(1, 4)
    row = found.parts.set_index("part").loc["corrections"]
    assert (row["lines"], row["accounts_touched"], row["most"]) == (2, 2, "A, D")
    told = " ".join(wording.answer(found))
    assert "2 opportunities corrected in the outcome" in told
    assert "account penetration index +50.0 points" in told
    assert "same today" not in told


def test_opportunities_that_arrive_late_or_are_read_otherwise_land_in_their_parts(tmp_path):
    client = offering(tmp_path)
    client.change("offers.csv", ("D,y,Closed", "D,x,Closed Won,2025-12-02,2025-12-05\nD,y,Closed"))
    found = client.diff()
    assert moved(found) == {"late"}
    assert found.exact["late"]["index"] == Fraction(2, 5) - Fraction(1, 4)
    client.change(
        "engagement.toml",
        ('won = ["Closed Won"]', 'won = ["Closed Won", "Open"]'),
        ('open = ["Open"]', 'open = ["Pending"]'),
    )
    client.change("offers.csv", ("D,x,Closed Won,2025-12-02,2025-12-05\n", ""))
    found = client.diff()
    assert moved(found) == {"mapping"}
    assert found.exact["mapping"]["index"] == Fraction(2, 4) - Fraction(1, 4)


def test_another_reading_of_the_index_is_definition(tmp_path):
    client = offering(tmp_path)
    client.path.write_text('index_reading = "engaged"\n' + client.path.read_text())
    found = client.diff()
    assert moved(found) == {"definition"}
    assert found.exact["definition"]["index"] == Fraction(1, 2) - Fraction(1, 4)


def test_a_late_line_before_the_quarter_moves_the_revenue_of_the_look_back(tmp_path):
    head = HEAD.replace("lookback_months = 3", "lookback_months = 6")
    assert head != HEAD
    client = Client(tmp_path, head=head)
    client.once()
    client.change("lines.csv", ("D,x,2025-09-30,1,80\n", "D,x,2025-09-30,1,80\nD,x,2025-09-29,1,5\n"))
    found = client.diff()
    assert moved(found) == {"late"}
    assert (found.exact["late"]["revenue_window"], found.exact["late"]["revenue_quarter"]) == (5, 0)
    assert "revenue of the look-back +5.00" in " ".join(wording.answer(found))


def test_inputs_that_changed_and_moved_nothing_are_said(tmp_path):
    comments = '[sources.said]\npath = "said.csv"\n[feedback]\nsource = "said"\nscale = [0, 10]\n'
    said = "account_id,date,score\nA,2025-10-01,7\nB,2025-11-01,9\n"
    client = Client(tmp_path, comments, said_csv=said)
    client.once()
    (client.folder / "said.csv").write_text("account_id,date,score\nB,2025-11-01,9\nA,2025-10-01,7\n")
    assert wording.answer(client.diff())[0].endswith("the same today.")
    client.change("said.csv", ("A,2025-10-01,7", "A,2025-10-01,3"))
    client.change("lines.csv", ("D,x,2025-09-30,1,80\n", "D,x,2025-09-30,1,80\nD,x,2025-02-01,1,5\n"))
    found = client.diff()
    assert moved(found) == set()
    [told] = wording.answer(found)
    assert "None of the figures compared moved, though" in told
    assert "data that arrived late (1 line arrived, worth 5.00)" in told
    assert "corrections (feedback: changed" in told


def test_a_record_of_an_earlier_layout_is_listed_and_not_compared(tmp_path):
    client = Client(tmp_path)
    client.once()
    file = client.folder / "issued" / QUARTER / "1" / "record.json"
    told = json.loads(file.read_text()) | {"schema": 1}
    told["figures"] = {
        name: told["figures"][name] for name in ("mean", "pooled", "multi", "accounts", "revenue_quarter")
    }
    file.write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"earlier layout and cannot be compared.*Issue the quarter once more"):
        client.diff()
    assert set(issued.restated(client.book())["figure"]) == set(told["figures"])
    assert client.issue().number == 2


TWO_YEARS = HEAD.replace("data_from = 2025", "data_from = 2024")
YEARS = HEADER + (
    "A,x,2024-03-05,1,100\nB,x,2024-06-05,1,50\nE,y,2024-09-05,1,50\n"
    "A,x,2025-10-05,1,120\nB,y,2025-11-05,1,20\nC,z,2025-11-06,1,70\n"
)


def test_revenue_retained_is_explained_with_accounts_that_are_lost(tmp_path):
    """Of 200 before, A, B and E bring 140: 70 %; the lesser of both is 100 + 20 + 0: 60 %."""
    client = Client(tmp_path, head=TWO_YEARS, **{"lines_csv": YEARS})
    then = client.issue().figures
    assert [then[each] for each in RETENTION] == [Fraction(7, 10), Fraction(6, 10)]
    row = revenue.retention(client.book(), QUARTER).iloc[0]
    assert [row[each] for each in RETENTION] == [0.7, 0.6]
    client.change("lines.csv", ("E,y,2024-09-05,1,50\n", "E,y,2024-09-05,1,50\nE,z,2024-10-07,1,20\n"))
    client.change("lines.csv", ("B,y,2025-11-05,1,20", "B,y,2025-11-05,1,30"))
    found = client.diff()
    assert moved(found) == {"late", "corrections"}
    late, corrected = found.exact["late"], found.exact["corrections"]
    assert [late[each] for each in RETENTION] == [
        Fraction(140, 220) - Fraction(7, 10),
        Fraction(12, 22) - Fraction(6, 10),
    ]
    assert [corrected[each] for each in RETENTION] == [Fraction(10, 220)] * 2
    assert late["accounts"] == late["revenue_quarter"] == 0
    assert found.parts.set_index("part").loc["late", "most"] == "E"
    told = printed.restatement(found)
    assert "net revenue retention, 12 months −1.8 points" in told
    assert told.endswith(wording.NOT_COMPARED)


def test_retention_is_not_shown_where_the_data_carry_none(tmp_path):
    client = Client(tmp_path)
    client.once()
    assert not set(RETENTION) & set(wording.compared(client.diff()))


def test_a_corrected_amount_is_a_correction(tmp_path):
    client = Client(tmp_path)
    client.once()
    client.change("lines.csv", ("B,x,2025-10-06,1,30", "B,x,2025-10-06,1,33.50"))
    found = client.diff()
    assert moved(found) == {"corrections"}
    assert found.exact["corrections"]["revenue_quarter"] == Decimal("3.5")
    row = found.parts.set_index("part").loc["corrections"]
    assert (row["lines"], row["most"]) == (1, "B")
    assert "amounts" in row["what"]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("A x 05 1 30", "A x 05 1 31", (0, {"amounts": 1}, 0)),
        ("A x 05 1 30", "A y 05 1 30", (0, {"product": 1}, 0)),
        ("A x 05 1 30", "A x 06 1 30", (0, {"day": 1}, 0)),
        ("A x 05 1 30", "B x 05 1 30", (0, {"account": 1}, 0)),
        ("A x 05 1 30", "B y 05 1 30", (1, {}, 1)),  # two things: another line
        ("A x 05 1 30, A x 05 1 30", "A x 05 1 30", (0, {}, 1)),
        ("A x 05 1 30", "A x 05 1 30, A x 05 1 30", (1, {}, 0)),
        ("A x 05 1 30, A x 05 2 9", "A x 05 1 8, A x 05 2 7, A x 05 3 6", (1, {"amounts": 2}, 0)),
        ("A - 05 - 30", "A - 05 - 31", (0, {"amounts": 1}, 0)),
        ("A x 05 1 30, B x 05 1 30", "B x 05 1 30, A x 05 1 30", (0, {}, 0)),
    ],
)
def test_lines_are_known_by_their_content(tmp_path, before, after, found):
    """Account, product, day, quantity and revenue; a dash is blank."""
    for name, text in (("then", before), ("now", after)):
        rows = [[None if cell == "-" else cell for cell in line.split()] for line in text.split(", ")]
        values = ", ".join(str(tuple(row)).replace("None", "null") for row in rows)
        duckdb.sql(
            "copy (select a as account_id, p as product_id, ('2025-01-' || d)::date as date, null::date as \"end\", "
            f"q::decimal(18, 4) as quantity, r::decimal(18, 4) as revenue from (values {values}) t(a, p, d, q, r)) "
            f"to '{tmp_path / name}.parquet'"
        )
    then, now = (str(tmp_path / f"{name}.parquet") for name in ("then", "now"))
    compared = lines.compare(then, now, "sales", tmp_path / "both.parquet")
    assert (compared.arrived, compared.corrected, compared.gone) == found
    both = duckdb.sql(f"select count(*) from '{tmp_path / 'both.parquet'}'").fetchone()[0]
    assert both == len(before.split(", ")) + compared.arrived


def test_a_deleted_row_is_a_correction(tmp_path):
    client = Client(tmp_path)
    client.once()
    client.change("lines.csv", ("C,y,2025-12-24,1,50\n", ""))
    found = client.diff()
    assert moved(found) == {"corrections"}
    assert found.exact["corrections"]["accounts"] == -1
    assert found.parts.set_index("part").loc["corrections", "what"] == "1 line gone; worth \N{MINUS SIGN}50.00"


def test_a_file_sorted_anew_and_written_otherwise_has_not_changed(tmp_path):
    client = Client(tmp_path)
    client.once()
    rows = [f"{a};{p};{d};{q};{r},00" for a, p, d, q, r in (line.split(",") for line in SOLD.split())]
    (client.folder / "lines.csv").write_text(HEADER.replace(",", ";") + "\n".join(sorted(rows, reverse=True)) + "\n")
    client.change("engagement.toml", ('path = "lines.csv"', 'path = "lines.csv"\ndecimal = ","'))
    found = client.diff()
    assert moved(found) == set()
    assert found.parts["lines"].sum() == 0


def test_a_remapped_item_is_mapping(tmp_path):
    client = Client(tmp_path, GRAIN, map_csv="item_id,product_id\nx,x\ny,y\nz,z\n")
    client.once()
    client.change("map.csv", ("y,y", "y,x"))
    found = client.diff()
    assert moved(found) == {"mapping"}
    assert found.parts.set_index("part").loc["mapping", ["what", "lines"]].tolist() == ["y: y → x", 2]
    assert found.exact["mapping"]["accounts"] == 0


def test_a_renamed_product_is_told_as_one_change(tmp_path):
    client = Client(tmp_path, GRAIN, map_csv="item_id,product_id\nx,x\ny,y\nz,z\n")
    client.once()
    client.change("map.csv", ("y,y", "y,why"))
    client.change("engagement.toml", ('["x", "y", "z"]', '["x", "why", "z"]'))
    found = client.diff()
    assert moved(found) == {"mapping", "catalogue"}
    assert found.exact["mapping"]["mean"] == -found.exact["catalogue"]["mean"] != 0
    told = " ".join(wording.answer(found))
    assert "read the two parts as one, 0.0 points" in told


def test_the_same_file_read_by_another_column_is_mapping(tmp_path):
    client = Client(tmp_path)
    header = HEADER.strip() + ",net\n"
    rows = "".join(f"{line},{number}\n" for number, line in enumerate(SOLD.split(), 1))
    (client.folder / "lines.csv").write_text(header + rows)
    client.once()
    text = client.path.read_text().replace('source = "lines"\n', 'source = "lines"\ncolumns = { revenue = "net" }\n', 1)
    client.path.write_text(text)
    assert moved(client.diff()) == {"mapping"}


@pytest.mark.parametrize("counted_then", [True, False])
def test_whether_quantities_count_is_a_definition(tmp_path, counted_then):
    """B's z comes back: revenue stays above 0, so it is held only where the quantity of 0 is not read."""
    client = Client(tmp_path)
    header = HEADER.replace("quantity", "pieces")
    (client.folder / "lines.csv").write_text(header + SOLD + "B,z,2025-12-20,-2,-5\n")
    read = ('revenue = "revenue" }', 'revenue = "revenue", quantity = "pieces" }')
    start = 'columns = { revenue = "revenue" }'
    client.change("engagement.toml", ('source = "lines"\n', f'source = "lines"\n{start}\n'))
    before, after = (read, read[::-1]) if counted_then else (None, read)
    if before:
        client.change("engagement.toml", before)
    client.once()
    client.change("engagement.toml", after)
    found = client.diff()
    assert moved(found) == {"definition"}
    assert found.exact["definition"]["mean"] == Fraction(1 if counted_then else -1, 12)  # one product of 3, of 4
    told = found.parts.set_index("part")
    assert told.loc["mapping", ["what", "lines"]].tolist() == ["", 0]
    words = ("read", "not read") if counted_then else ("not read", "read")
    assert told.loc["definition", "what"] == "quantities of sales: {} → {}".format(*words)


def test_changed_launches_and_retirements_are_catalogue(tmp_path):
    offer = "product_id,launched,retired\nx,,\ny,2025-01-01,\nz,,2026-02-01\n"
    client = Client(tmp_path, CATALOGUE_TABLE, offer_csv=offer)
    client.once()
    client.change("offer.csv", ("y,2025-01-01", "y,2026-01-01"), ("2026-02-01", "2025-12-31"))
    found = client.diff()
    assert moved(found) == {"catalogue"}
    told = found.parts.set_index("part").loc["catalogue", "what"]
    assert told == "y: launched 2025-01-01 → 2026-01-01; z: retired 2026-02-01 → 2025-12-31"
    sizes = found.exact["catalogue"]  # x alone is left: A and B have it, C and D do not
    assert (sizes["mean"], sizes["multi"]) == (Fraction(2, 4) - Fraction(1, 2), 0 - Fraction(1, 2))


def test_an_eligibility_rule_is_catalogue(tmp_path):
    client = Client(tmp_path, ACCOUNTS, who_csv=WHO)
    client.once()
    client.path.write_text(
        client.path.read_text() + '[[eligibility]]\nproducts = ["z"]\nwhere = { region = "North" }\n'
    )
    found = client.diff()
    assert moved(found) == {"catalogue"}
    assert found.parts.set_index("part").loc["catalogue", "what"] == "eligibility: no rule → z where region is North"
    client.change("engagement.toml", ('{ region = "North" }', '{ region = { not = "North" } }\nfrom = 2025-02-01'))
    told = " ".join(wording.answer(client.diff()))
    assert "no rule → z where region is not North from 2025-02-01" in told


def test_a_corrected_attribute_is_a_correction_even_where_a_rule_reads_it(tmp_path):
    rule = '[[eligibility]]\nproducts = ["z"]\nwhere = { region = "North" }\n'
    client = Client(tmp_path, ACCOUNTS + rule, who_csv=WHO)
    client.once()
    client.change("who.csv", ("D,South", "D,North"))
    found = client.diff()
    assert moved(found) == {"corrections"}
    assert found.parts.set_index("part").loc["corrections", "what"] == "1 account described otherwise"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("lookback_months = 3", "lookback_months = 6"), "lookback_months: 3 → 6"),
        (("lookback_months = 3", 'lookback_months = 3\nbase = "all"'), "base: active → all"),
        (
            ("lookback_months = 3", "lookback_months = 3\nlookback_by_product = { x = 6 }"),
            "look-back of x: 3 → 6 months",
        ),
    ],
)
def test_look_back_and_base_are_definition(tmp_path, change, told):
    client = Client(tmp_path, ACCOUNTS, who_csv=WHO + "E,North\n")
    client.once()
    client.change("engagement.toml", change)
    found = client.diff()
    assert moved(found) == {"definition"}
    assert found.parts.set_index("part").loc["definition", "what"] == told


def test_bands_move_no_figure_and_are_named(tmp_path):
    client = Client(tmp_path)
    client.once()
    client.path.write_text(client.path.read_text() + '[[bands]]\nname = "any"\n')
    found = client.diff()
    assert moved(found) == set()
    assert "bands" in found.parts.set_index("part").loc["definition", "what"]


def test_another_kit_that_counts_otherwise_is_kit(tmp_path, monkeypatch):
    client = Client(tmp_path)
    client.once()
    written = kept.counted

    def counting_otherwise(declared, folder):
        book = written(declared, folder)
        for file in (folder / "positions").iterdir():
            duckdb.sql(f"create or replace table rows as select * replace (proven_0 & 3 as proven_0) from '{file}'")
            duckdb.sql(f"copy rows to '{file}'")
        return book

    monkeypatch.setattr(kept, "counted", counting_otherwise)
    monkeypatch.setattr("kpilib.issued.kit", lambda: "9.9")
    otherwise = counting_otherwise(client.book().engagement, tmp_path / "today")
    found = issued.diff(otherwise, QUARTER)
    assert moved(found) == {"kit"}
    assert found.parts.set_index("part").loc["kit", "what"] == f"kit {record.kit()} → 9.9"


def test_everything_at_once_still_sums(tmp_path):
    client = Client(tmp_path, ACCOUNTS + GRAIN, who_csv=WHO, map_csv="item_id,product_id\nx,x\ny,y\nz,z\n")
    client.once()
    client.change(
        "lines.csv", ("B,x,2025-10-06,1,30", "B,x,2025-10-06,1,31\nE,x,2025-12-01,1,99"), ("A,x,2025-10-05,1,10\n", "")
    )
    client.change("map.csv", ("z,z", "z,x"))
    client.change("who.csv", ("D,South\n", "D,South\nE,North\n"))
    client.change("engagement.toml", ("lookback_months = 3", "lookback_months = 6"), ('["x", "y", "z"]', '["x", "y"]'))
    found = client.diff()
    assert moved(found) == {"late", "corrections", "mapping", "catalogue", "definition"}
    assert found.changed


def test_evidence_of_other_kinds_is_kept_and_counted_again(tmp_path):
    """Subscriptions, an installed base with a life, a matrix: frozen, changed, explained."""
    text = (
        HEAD
        + """
[catalogue]
products = ["x", "y", "z"]
[sources.runs]
path = "runs.csv"
[[evidence]]
kind = "subscriptions"
source = "runs"
[sources.base]
path = "base.csv"
[[evidence]]
kind = "installed"
source = "base"
life_months = 12
[sources.grid]
path = "grid.csv"
[[evidence]]
kind = "snapshot"
source = "grid"
date = 2025-12-31
wide = { account_id = "who", products = ["z"] }
"""
    )
    client = Client(tmp_path)
    engagement(
        client.folder, text,
        runs_csv="account_id,product_id,start,end,quantity\nA,x,2025-01-01,2026-06-30,1\nB,x,2025-01-01,2025-10-31,2\n",
        base_csv="account_id,product_id,date,quantity\nA,y,2025-02-01,1\nB,y,2024-06-01,1\n",
        grid_csv="who,z\nA,yes\nB,no\nC,yes\n",
    )  # fmt: skip
    assert client.issue().figures["accounts"] == 3
    assert moved(client.diff()) == set()
    client.change("runs.csv", ("2025-10-31", "2026-10-31"))
    client.change("engagement.toml", ("life_months = 12", "life_months = 24"))
    found = client.diff()
    assert moved(found) == {"corrections", "definition"}
    assert found.exact["corrections"]["pooled"] == found.exact["definition"]["pooled"] == Fraction(1, 9)


def test_two_issues_are_one_and_two_and_the_first_stays(tmp_path):
    client = Client(tmp_path)
    first = client.issue()
    before = {file: file.read_bytes() for file in first.folder.rglob("*") if file.is_file()}
    client.change("lines.csv", ("C,y,2025-12-24,1,50", "C,y,2025-12-24,1,55"))
    second = client.issue()
    assert (first.number, second.number) == (1, 2)
    assert {file: file.read_bytes() for file in first.folder.rglob("*") if file.is_file()} == before
    assert issued.diff(client.book(), QUARTER).issue == 2
    assert not issued.diff(client.book(), QUARTER).changed
    assert issued.diff(client.book(), QUARTER, 1).exact["corrections"]["revenue_quarter"] == 5
    with pytest.raises(DataError, match=r"no issue 3"):
        issued.diff(client.book(), QUARTER, 3)
    assert sorted(each.name for each in first.folder.parent.iterdir()) == ["1", "2"]


def test_a_number_that_another_writer_took_is_never_overwritten(tmp_path):
    client = Client(tmp_path)
    taken = client.folder / "issued" / QUARTER / "1"
    taken.mkdir(parents=True)
    (taken / "record of another").write_text("mine")
    assert client.issue().number == 2
    assert (taken / "record of another").read_text() == "mine"


def test_what_is_not_published_is_not_issued(tmp_path):
    client = Client(tmp_path)
    with pytest.raises(DataError, match=r"2025Q4 is not published.*kpi report"):
        issued.freeze(client.book(), QUARTER, client.reports)
    client.publish()
    (client.reports / "acme" / QUARTER / "tables" / "by_quarter.csv").write_text("another")
    with pytest.raises(DataError, match=r"not as it was published.*by_quarter"):
        issued.freeze(client.book(), QUARTER, client.reports)
    client.publish()
    (client.reports / "acme" / QUARTER).rename(client.reports / "acme" / "2025Q3")
    with pytest.raises(DataError, match=r"is not that of acme/engagement.toml for 2025Q3.*2025Q4"):
        issued.freeze(client.book(), "2025Q3", client.reports)
    client.publish()
    client.change("lines.csv", ("D,z,2025-11-11,1,70", "D,z,2025-11-11,1,71"))
    with pytest.raises(DataError, match=r"does not show today's figures.*again"):
        issued.freeze(client.book(), QUARTER, client.reports)
    assert not (client.folder / "issued").exists() or not list((client.folder / "issued").rglob("record.json"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    client = Client(tmp_path)
    client.publish()
    (client.folder / "issued").write_text("a file stands in the way")
    with pytest.raises(DataError, match=r"cannot be written beside the engagement.*copy"):
        issued.freeze(client.book(), QUARTER, client.reports)


def test_an_altered_record_is_refused(tmp_path):
    client = Client(tmp_path)
    made = client.issue()
    (made.folder / "pack" / "index.html").write_text("<h1>Better</h1>")
    with pytest.raises(DataError, match=r"not as it was issued.*index.html"):
        client.diff()


def test_a_quarter_never_issued_is_refused(tmp_path):
    client = Client(tmp_path)
    with pytest.raises(DataError, match=r"2025Q4 was not issued. Nothing was issued yet"):
        client.diff()
    assert issued.restated(client.book()) is None


def test_the_next_pack_can_say_what_was_restated(tmp_path):
    client = Client(tmp_path)
    client.once()
    client.change("lines.csv", ("C,y,2025-12-24,1,50", "C,y,2025-12-24,1,55"))
    table = issued.restated(client.book()).set_index("figure")
    assert table.loc["revenue_quarter", "difference"] == Decimal(5)
    assert table.loc["mean", ["as_issued", "today", "difference"]].tolist() == [0.5, 0.5, 0.0]
    assert set(table["issue"]) == {1}
    assert issued.restated(client.book(), "2025Q3") is None


def test_tables_and_sentences_say_what_the_difference_holds(tmp_path):
    client = Client(tmp_path)
    client.once()
    same = client.diff()
    assert wording.answer(same)[0].endswith("and its figures are the same today.")
    client.change("lines.csv", ("D,x,2025-09-30,1,80\n", "D,x,2025-12-30,1,80\n"))
    found = client.diff()
    told = " ".join(wording.answer(found, "EUR"))
    assert "penetration of 50.0%; today it is 58.3%, 8.3 points more than then" in told
    assert "revenue of the quarter EUR +80.00" in told
    assert "Most of it: corrections (1 line corrected in the day" in told
    page = tables.parts(found, "EUR").html
    assert "Together" in page
    assert "1 line corrected in the day" in page
    restated = issued.restated(client.book())
    assert wording.restated(restated) == "Of 1 quarter issued, 1 reads otherwise today: Q4 2025 (+8.3 points)."
    assert wording.restated(None) == wording.NOTHING_ISSUED
    assert wording.restated(restated.assign(today=restated["as_issued"], difference=0)).endswith("the same today.")
    assert "58.3%" in tables.restated(restated).html


def invented(parts: list[float], then: float) -> issued.Diff:
    """A difference whose parts are given, the same for every share; whole and money do not move."""
    shares = wording.SHARES
    whole = {"accounts": 5, "revenue_quarter": Decimal(9), "revenue_window": Decimal(9)}
    figures = [(name, then, then + sum(parts), sum(parts)) for name in shares]
    figures += [(name, value, value, 0 * value) for name, value in whole.items()]
    told = {"lines": 1, "accounts_touched": 1, "most": "A", "what": "it"}
    made = [
        {"part": part, **dict.fromkeys(shares, each), **{name: 0 * value for name, value in whole.items()}, **told}
        for part, each in zip(ORDER, parts, strict=False)
    ]
    table = pd.DataFrame(figures, columns=["figure", "as_issued", "today", "difference"], dtype=object)
    return issued.Diff(QUARTER, 1, "2026-01-05", table, pd.DataFrame(made), {})


def column(text: str, name: str) -> list[Decimal]:
    """Read a column of printed parts back, to the total."""
    rows = [line.split("  ") for line in text.split("Parts of the difference")[1].split("\n\n")[0].splitlines()[1:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    at = cells[0].index(name) + 1
    return [Decimal(row[at].replace("\N{MINUS SIGN}", "-").replace("+", "")) for row in cells[1:]]


def test_printed_parts_add_up_where_one_decimal_would_not():
    found = invented([-0.00436, -0.00644, -0.06970], 0.4472)
    text = printed.restatement(found)
    *parts, total = column(text, "average")
    assert sum(parts) == total == Decimal("-8.05")
    assert "penetration of 44.72%; today it is 36.67%, 8.05 points less than then" in text
    assert "Rounding" not in text
    assert wording.places(invented([0.01, 0.02], 0.44))["mean"] == 1


@given(st.lists(st.floats(-0.05, 0.05), min_size=1, max_size=6), st.floats(0.3, 0.7))
@settings(max_examples=60, deadline=None)
def test_what_is_printed_always_adds_up(parts, then):
    *each, total = column(printed.restatement(invented(parts, then)), "average")
    assert sum(each) == total


def test_what_no_decimals_let_add_up_has_a_line_of_its_own():
    found = invented([0.0000444] * 6, 0.5)  # 0.004 points six times, but together 0.027
    assert "Rounding" in printed.restatement(found)
    assert "Rounding" in tables.parts(found).html


def test_the_command_line_issues_and_explains(tmp_path, capsys):
    client = Client(tmp_path)
    client.publish()
    cli.main(["issue", str(client.path), "--quarter", QUARTER, "--out", str(client.reports)])
    told = capsys.readouterr().out
    assert "Issue 1 of 2025Q4" in told
    assert "nothing changed since" not in told
    cli.main(["issue", str(client.path), "--quarter", QUARTER, "--out", str(client.reports)])
    told = capsys.readouterr().out
    assert "Issue 2 of 2025Q4" in told
    assert "those of issue 1: nothing changed since" in told
    client.change("lines.csv", ("C,y,2025-12-24,1,50", "C,y,2025-12-24,1,55"))
    cli.main(["diff", str(client.path), "--quarter", QUARTER, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert {row["part"]: row["revenue_quarter"] for row in found["parts"]}["corrections"] == "5.0000"
    cli.main(["diff", str(client.path), "--quarter", QUARTER])
    text = capsys.readouterr().out
    assert "Corrections" in text
    assert "Q4 2025" in text
