"""Targets are held against what was reached, and those of nobody are refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from clients import HEAD, SALES, engagement

from kpilib import kept, penetration, targets
from kpilib.engagement import load
from kpilib.errors import DataError, EngagementError

DEGREE = "account_penetration_degree"
NOW = "2025Q4"
YEAR = ("Ax Ay Bx C D",) * 4
SIZES = {"size": {"A": "big", "B": "big", "C": "small", "D": "small"}}
OPTIONS = {"products": "xy", "attributes": SIZES | {"owner": {"A": "Kim", "B": "Lou", "C": "Lou", "D": "Lou"}}}


def aim(value, kpi=DEGREE, quarter=NOW, **more):
    return {"quarter": quarter, "kpi": kpi, "value": value} | more


def planned(book, *aims, **more):
    facts = {"targets": aims, "minimum_cell": 1} | more
    return book(*YEAR, **OPTIONS, engagement=facts)


def test_every_kpi_with_a_target_is_measured_among_its_accounts(book):
    small = planned(
        book,
        *(
            aim(0.5),
            aim(0.9, segment={"size": "big"}),
            aim(0.1, owner="Lou"),
            aim(0.4, segment={"size": "big"}, owner="Lou"),
        ),
        *(aim(0.2, "multi_product_share"), aim(0.5, "multi_product_share", k=1), aim(1, "products_per_account")),
        *(aim(0.5, "attach_rate", product="x"), aim(0.5, "attach_rate", product="y", segment={"size": "small"})),
    )
    found = targets.plan(small, NOW)
    assert found["actual"].tolist() == [0.375, 0.75, 1 / 6, 0.5, 0.25, 0.5, 0.75, 0.5, 0.0]
    assert found["n"].tolist() == [4, 2, 3, 1, 4, 4, 4, 4, 2]
    assert found["met"].tolist() == [False, False, True, True, True, True, False, True, False]
    assert found["distance"].tolist() == pytest.approx([-0.125, -0.15, 1 / 6 - 0.1, 0.1, 0.05, 0, -0.25, 0, -0.5])
    assert found["segment"].fillna("").tolist()[:4] == ["", "size: big", "", "size: big"]
    assert found["owner"].fillna("").tolist()[:4] == ["", "", "Lou", "Lou"]
    assert found["k"].tolist()[4:6] == [2, 1]
    assert set(found["unit"]) == {"share", "products"}


def test_an_index_is_held_against_its_opportunities(book):
    offered = [("Ax", "won", "2025-02-01", "2025-03-01"), ("Cx", "lost", "2025-02-01", "2025-03-01")]
    offered += [("Dy", "open", "2025-02-01", None)]
    facts = {
        "targets": [aim(0.3, "account_penetration_index"), aim(0.3, "account_penetration_index", owner="Lou")],
        **{"minimum_cell": 1, "opportunities": {"rows": [{}]}},
    }
    found = targets.plan(book(*YEAR, **OPTIONS, opportunities=offered, engagement=facts), NOW)
    assert found["actual"].tolist() == [1 / 3, 0.0]
    assert found["n"].tolist() == [3, 2]


def test_small_groups_are_held_against_nothing(book):
    found = targets.plan(planned(book, aim(0.5, owner="Kim"), aim(0.5, owner="Lou"), minimum_cell=2), NOW)
    assert found["suppressed"].tolist() == [True, False]
    assert found[["actual", "distance"]].isna().all(axis=1).tolist() == [True, False]
    assert found["met"].isna().tolist() == [True, False]


def test_a_quarter_that_is_not_complete_has_reached_nothing(book):
    small = book(*YEAR, **OPTIONS, incomplete=(NOW,), engagement={"targets": [aim(0.5)], "minimum_cell": 1})
    found = targets.plan(small, NOW)
    assert found[["complete", "suppressed"]].to_numpy().tolist() == [[False, False]]
    assert found["met"].isna().all()


def test_the_path_says_what_each_quarter_must_add(book):
    small = planned(
        book, aim(0.5), aim(0.775, quarter="2026Q4"), aim(0.475, quarter="2026-q2"), aim(0.3, quarter="2025Q1")
    )
    found = targets.path(small, NOW)
    assert found["quarter"].tolist() == ["2026Q2", "2026Q4"]
    assert found["quarters_left"].tolist() == [2, 4]
    assert found["per_quarter"].tolist() == pytest.approx([0.05, 0.1])
    assert targets.plan(small, NOW)["quarter"].tolist() == [NOW]
    assert targets.path(small, "2025Q1")["quarter"].tolist() == [NOW, "2026Q2", "2026Q4"]


def test_no_targets_are_an_empty_table(book):
    assert targets.plan(planned(book), NOW).empty
    assert list(targets.path(planned(book), NOW))[:3] == ["quarter", "kpi", "product"]


def test_segments_show_their_own_targets_and_owners_theirs(book):
    small = planned(book, aim(0.9, segment={"size": "big"}), aim(0.1, owner="Lou"), aim(0.5))
    assert penetration.by_segment(small, NOW, "size").set_index("group")["target"].dropna().to_dict() == {"big": 0.9}
    assert penetration.by_segment(small, NOW, "owner").set_index("group")["target"].dropna().to_dict() == {"Lou": 0.1}
    lou = penetration.headline(small, NOW, "owner", "plan").groups[1]
    assert (lou.group, lou.change.points) == ("Lou", pytest.approx(1 / 6 - 0.1))


CUSTOMERS = "account_id,size,who\nA,Large,Kim Fell\nB,Small,\n"
WITH_CUSTOMERS = """[sources.customers]
path = "customers.csv"
[accounts]
source = "customers"
columns = { owner = "who" }
attributes = ["size"]
[catalogue]
products = ["x", "y", "z"]
"""


def client(folder: Path, *lines: str, more: str = WITH_CUSTOMERS) -> Path:
    told = "".join(f'[[targets]]\nquarter = "2025Q4"\n{line}\n' for line in lines)
    rows = "account_id,product_id,date,quantity,revenue\nA,x,2025-11-05,1,10\n"
    return engagement(folder, HEAD + SALES.format(options="") + more + told, lines_csv=rows, customers_csv=CUSTOMERS)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('segment = { size = "Lrge" }', r"targets\[1\]\.segment: no account has size 'Lrge'.*Did you mean 'Large'"),
        ('segment = { sise = "Large" }', r"targets\[1\]\.segment names 'sise'.*Did you mean 'size'"),
        ('owner = "Kim Fel"', r"targets\[1\]\.owner: no account has owner 'Kim Fel'.*Did you mean 'Kim Fell'"),
    ],
)
def test_a_target_of_nobody_is_refused_with_near_misses(tmp_path, line, says):
    path = client(tmp_path, f'kpi = "{DEGREE}"\nvalue = 0.4\n{line}')
    with pytest.raises(DataError, match=says):
        kept.open_book(path)


def test_targets_of_nobody_are_told_all_at_once(tmp_path):
    lines = [f'kpi = "{DEGREE}"\nvalue = 0.4\nowner = "Kim Fel"\nsegment = {{ sice = "Large" }}'] * 2
    lines[1] = lines[1].replace("Fel", "Fall")
    with pytest.raises(
        DataError, match=r"4 problems:(.|\n)*targets\[1\]\.segment(.|\n)*targets\[2\]\.owner: no account"
    ):
        kept.open_book(client(tmp_path, *lines))


def test_targets_of_an_owner_need_to_know_whose_accounts_they_are(tmp_path):
    nobody = '[catalogue]\nproducts = ["x"]\n'
    path = client(tmp_path, f'kpi = "{DEGREE}"\nvalue = 0.4\nowner = "Kim Fell"', more=nobody)
    with pytest.raises(DataError, match=r"targets\[1\]\.owner names 'owner'.*There is no accounts table"):
        kept.open_book(path)


def test_blank_attributes_may_have_a_target_and_known_ones_are_kept(tmp_path):
    lines = [f'kpi = "{DEGREE}"\nvalue = 0.4\nowner = "{who}"' for who in ("Kim Fell", "(not given)")]
    found = targets.plan(kept.open_book(client(tmp_path, *lines)), NOW)
    assert found["owner"].tolist() == ["Kim Fell", "(not given)"]
    assert found["n"].tolist() == [1, 0]


def test_an_attach_rate_of_no_product_is_refused(tmp_path):
    line = 'kpi = "attach_rate"\nvalue = 0.4\nproduct = "xx"'
    with pytest.raises(EngagementError, match=r"targets\[1\]\.product: 'xx' is not in the catalogue"):
        load(client(tmp_path, line))
    sold = '[catalogue]\nproducts = "as sold"\n'
    with pytest.raises(DataError, match=r"targets\[1\]\.product: 'xx' is not in the catalogue\. Did you mean 'x'"):
        kept.open_book(client(tmp_path, line, more=sold))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f'kpi = "{DEGREE}"\nvalue = 42', r"targets\[1\]\.value: 42 lies outside 0 to 1\. Shares are written 0\.42"),
        ('kpi = "multi_product_share"\nvalue = -0.1', r"-0\.1 lies outside 0 to 1"),
        ('kpi = "products_per_account"\nvalue = -1', "-1 lies outside 0 to any number"),
        (f'kpi = "{DEGREE}"\nvalue = nan', "nan lies outside"),
        ('kpi = "attach_rate"\nvalue = 0.4', "a target of attach_rate names its product"),
        (f'kpi = "{DEGREE}"\nvalue = 0.4\nproduct = "x"', "no other target does"),
        (f'kpi = "{DEGREE}"\nvalue = 0.4\nk = 3', "k belongs to targets of multi_product_share"),
        ('kpi = "account_penetration_index"\nvalue = 0.4', r"an index needs \[opportunities\]"),
        (f'kpi = "{DEGREE}"\nvalue = 0.4\nowner = "A"\nsegment = {{ owner = "A" }}', "the owner is named twice"),
        ('kpi = "nps"\nvalue = 0.4', r"targets\[1\]\.kpi"),
    ],
)
def test_targets_that_cannot_be_meant_are_refused(tmp_path, line, says):
    with pytest.raises(EngagementError, match=says):
        load(client(tmp_path, line))


def test_the_same_target_twice_is_refused(tmp_path):
    line = f'kpi = "{DEGREE}"\nvalue = 0.4\nowner = "Kim Fell"'
    with pytest.raises(EngagementError, match=r"targets\[2\] and targets\[1\] are of the same"):
        load(client(tmp_path, line, line.replace("0.4", "0.5")))


def test_an_engaged_index_has_its_target_under_its_own_name(tmp_path):
    path = client(tmp_path, 'kpi = "account_penetration_index"\nvalue = 0.4')
    path.write_text('index_reading = "engaged"\n' + path.read_text())
    with pytest.raises(EngagementError, match="write kpi = 'multi_product_share'"):
        load(path)


def test_plain_sql_finds_the_same_actuals(tmp_path):
    import invented

    aims = [f'kpi = "{DEGREE}"\nvalue = 0.5\nowner = "{who}"' for who in invented.OWNERS]
    told = "".join(f'[[targets]]\nquarter = "2025Q4"\n{each}\n' for each in aims)
    path = invented.write(tmp_path, more=told)
    found = targets.plan(kept.open_book(path), NOW).set_index("owner")
    held = pd.read_csv(tmp_path / "subscriptions.csv")  # noqa: F841, DuckDB reads it by name
    who = pd.read_csv(tmp_path / "customers.csv")  # noqa: F841
    plain = (
        duckdb.sql(
            """
        SELECT owner, avg(coalesce(n, 0) / 8) AS mean, count(*) AS n FROM who LEFT JOIN (
            SELECT account_id, count(DISTINCT product_id) AS n FROM held
            WHERE start::DATE <= DATE '2025-12-31' AND ("end" IS NULL OR "end"::DATE > DATE '2025-12-31') GROUP BY 1
        ) USING (account_id) WHERE joined_on::DATE <= DATE '2025-12-31' GROUP BY 1
        """
        )
        .df()
        .set_index("owner")
    )
    assert found["actual"].to_dict() == pytest.approx(plain["mean"].to_dict())
    assert found["n"].to_dict() == plain["n"].to_dict()
