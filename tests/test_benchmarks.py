"""Published figures: what they bound, which may stand beside a client's, and the refusal of the others."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpilib.errors import DataError, SourceError
from kpilib.figures import benchmarks as draw
from kpilib.kpis import benchmarks, bounds
from kpilib.tables import benchmarks as tables
from kpilib.wording import benchmarks as say

DATADOG = {2: 0.83, 4: 0.49, 6: 0.26, 8: 0.12}  # third quarter of 2024, 23 products
BANKS = {  # products with the bank, anywhere, and the published comparison's ratio in per cent
    "cba": (3.0, 8.2, 36.6), "anz": (2.8, 9.6, 29.2), "nab": (2.7, 9.8, 27.6), "westpac": (3.0, 9.6, 31.25),
    "ing": (2.2, 11.9, 18.5), "bendigo": (2.3, 8.8, 26.1), "st_george": (2.6, 10.1, 25.7),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return benchmarks.load()


def test_tiers_bound_the_mean():
    found = bounds.products_held(DATADOG, 23)
    assert found.low == pytest.approx(1 + 0.83 + 0.49 + 0.49 + 0.26 + 0.26 + 0.12 + 0.12)
    assert found.high == pytest.approx(1 + 0.83 + 0.83 + 0.49 + 0.49 + 0.26 + 0.26 + 0.12 + 15 * 0.12)
    assert (round(found.low, 2), round(found.high, 2)) == (3.57, 6.08)
    degree = bounds.degree(DATADOG, 23)
    assert (round(degree.low, 3), round(degree.high, 3)) == (0.155, 0.264)


def test_one_tier_bounds_too():
    found = bounds.products_held({4: 0.5}, 10)  # 1, then three of ½ ... or 1, 1, 1, then seven of ½
    assert (found.low, found.high) == (2.5, 6.5)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.sets(st.integers(2, 12), max_size=5))
def test_bounds_hold_whatever_customers_have(held, disclosed):
    tiers = {k: sum(each >= k for each in held) / len(held) for k in disclosed}
    found = bounds.products_held(tiers, 12)
    mean = sum(held) / len(held)
    assert found.low - 1e-9 <= mean <= found.high + 1e-9


@pytest.mark.parametrize(
    ("tiers", "products", "words"),
    [
        ({2: 83}, 23, "0.83, not 83"),
        ({2: 0.5, 4: 0.6}, 23, "from 1 downwards"),
        ({4: 0.5}, 3, "4 of 3 products"),
        ({2: -0.1}, 3, "from 1 downwards"),
    ],
)
def test_shares_that_cannot_be_are_refused(tiers, products, words):
    with pytest.raises(DataError, match=words):
        bounds.products_held(tiers, products)


@pytest.mark.parametrize("bank", BANKS)
def test_the_ratios_of_the_banks(bank, rows):
    part, whole, per_cent = BANKS[bank]
    ratio, within = bounds.ratio_of_means(part, whole)
    assert 100 * ratio == pytest.approx(per_cent, abs=0.05)
    assert within.low < ratio < within.high
    shipped = rows.set_index("id").loc[f"roy_morgan_{bank}"]
    assert shipped["value"] == pytest.approx(ratio, abs=0.00051)  # carried with one decimal
    assert shipped["verdict"] == "context only"


def test_a_part_larger_than_its_whole_is_refused():
    with pytest.raises(DataError, match="no part of"):
        bounds.ratio_of_means(9, 8)


def test_the_shipped_bounds_are_those_of_the_shipped_tiers(rows):
    told = rows[rows["id"].str.startswith("datadog_2024q3_k")]
    tiers = {int(row.k): row.value for row in told.itertuples()}
    assert tiers == DATADOG
    by = rows.set_index("id")
    held, degree = bounds.products_held(tiers, 23), bounds.degree(tiers, 23)
    assert by.loc["datadog_2024q3_products", "low"] == pytest.approx(held.low, abs=0.005)
    assert by.loc["datadog_2024q3_products", "high"] == pytest.approx(held.high, abs=0.005)
    assert by.loc["datadog_2024q3_degree", "low"] == pytest.approx(degree.low, abs=0.0005)
    assert by.loc["datadog_2024q3_degree", "high"] == pytest.approx(degree.high, abs=0.0005)


def test_shipped_rows_are_whole_and_none_is_unconfirmed(rows):
    assert set(rows["confidence"]) == {"confirmed", "secondary"}
    assert (rows["reason"].str.len() > 30).all()
    assert set(rows["verdict"]) == {"comparable", "comparable after transform", "context only", "not comparable"}
    assert rows["id"].is_unique


def test_the_two_bank_account_rows_are_not_comparable(rows):
    found = benchmarks.why_not(rows, "account_penetration_index", "financial inclusion").set_index("id")
    assert list(found.index) == ["findex_2021_world", "findex_2017_2021_developing"]
    assert set(found["verdict"]) == {"not comparable"}
    assert found["reason"].str.contains("account", case=False).all()
    assert benchmarks.comparable(rows, "account_penetration_index", "financial inclusion").empty
    with pytest.raises(DataError, match=r"findex_2021_world is not drawn.*neither products sold nor opportunities"):
        benchmarks.overlay(rows, ["findex_2021_world"], "account_penetration_index", "financial inclusion")


@pytest.mark.parametrize(
    ("row", "kpi", "industry", "words"),
    [
        ("datadog_2024q3_k2", "multi_product_share", None, "this client's industry is not stated"),
        ("datadog_2024q3_k2", "multi_product_share", "retail", "from software; the client is in retail"),
        ("datadog_2024q3_k2", "account_penetration_degree", "software", "It is about multi_product_share"),
        ("hubspot_2025q3_core", "multi_product_share", "software", "recurring revenue"),
        ("datadog_k2", "multi_product_share", "software", "no benchmark 'datadog_k2'. Did you mean"),
    ],
)
def test_a_row_that_is_not_comparable_is_not_laid_over(rows, row, kpi, industry, words):
    with pytest.raises(DataError, match=re.escape(words)):
        benchmarks.overlay(rows, [row], kpi, industry)


def test_rows_of_the_clients_own_industry_may_stand_beside_it(rows):
    found = benchmarks.comparable(rows, "multi_product_share", "Software")
    assert set(found["id"]) == {*(f"datadog_2024q3_k{k}" for k in DATADOG), "crowdstrike_2019_k4"}
    assert list(benchmarks.comparable(rows, "multi_product_share", "software", k=4)["value"]) == [0.49, 0.5]
    picked = benchmarks.overlay(rows, ["crowdstrike_2019_k4"], "multi_product_share", "software")
    assert list(picked["products"]) == [10]


def test_every_row_is_either_beside_or_left_out(rows):
    for kpi in rows["kpi"].unique():
        for industry in (None, "software", "banking"):
            beside, left = (f(rows, kpi, industry) for f in (benchmarks.comparable, benchmarks.why_not))
            assert sorted([*beside["id"], *left["id"]]) == sorted(rows.loc[rows["kpi"] == kpi, "id"])
            assert list(benchmarks.overlay(rows, iter(beside["id"]), kpi, industry)["id"]) == list(beside["id"])
            for each in left.itertuples():
                with pytest.raises(DataError, match=re.escape(each.reason)):
                    benchmarks.overlay(rows, [each.id], kpi, industry)


def test_an_unknown_kpi_has_no_benchmarks(rows, book):
    with pytest.raises(DataError, match="Did you mean 'attach_rate'"):
        benchmarks.comparable(rows, "attach_rates")
    with pytest.raises(DataError, match="No benchmark is set beside attach_rate"):
        benchmarks.beside(book("Ax"), "2025Q1", "attach_rate")


def test_the_clients_figure_is_measured_in_the_statistic_of_the_row(book):
    client = book("Ax Ay Bx C", products="stuvwxyz1", engagement={"industry": "software"})
    found = benchmarks.beside(client, "2025Q1", "multi_product_share")
    ours = found.rows.set_index("id")["client"]
    assert ours["datadog_2024q3_k2"] == 1 / 3
    assert ours["datadog_2024q3_k8"] == 0  # nobody has so many
    degree = benchmarks.beside(client, "2025Q1", "account_penetration_degree")
    assert list(degree.rows["client"]) == [3 / 27]  # pooled, as the row is
    held = benchmarks.beside(client, "2025Q1", "products_per_account")
    assert list(held.rows["client"]) == [1.5]  # over holders, as the row is


def test_more_products_than_a_client_sells_are_nothing_to_stand_beside(book):
    """All 8 of 8 products are not 8 of 23: the row is left out, with that reason."""
    client = book("Ax Ay Bx C", products="stuvwxyz", engagement={"industry": "software"})
    found = benchmarks.beside(client, "2025Q1", "multi_product_share")
    assert (found.products, found.rows["k"].max()) == (8, 6)
    why = found.left_out.set_index("id")["reason"]
    assert why["datadog_2024q3_k8"] == "It counts customers with 8 products or more, and this client has 8 on sale."
    assert len(found.rows) + len(found.left_out) == (benchmarks.load()["kpi"] == found.kpi).sum()


def test_all_that_is_left_out_stands_in_one_table(book):
    offers = [("Ax", "won", "2025-02-01", None)]
    client = book("Ax Ay Bx C", products="xyz", opportunities=offers, engagement={"industry": "software"})
    kpis = ("account_penetration_degree", "multi_product_share", "account_penetration_index")
    each = [benchmarks.beside(client, "2025Q1", kpi) for kpi in kpis]
    found = benchmarks.left_out(each)
    assert len(found) == sum(len(one.left_out) for one in each)
    assert {"findex_2021_world", "findex_2017_2021_developing"} <= set(found["id"])
    assert "Penetration index" in tables.left_out(found).html
    bare = book("Ax", engagement={"industry": "software"})
    assert set(benchmarks.left_out([benchmarks.beside(bare, "2025Q1", each) for each in kpis])["kpi"]) == set(kpis[:2])


def written(folder, **cells):
    whole = {
        "id": "ours_2024", "kpi": "multi_product_share", "value": "40", "unit": "percent", "k": "2",
        "statistic": "share with k or more", "time_period": "2024", "population": "sister company",
        "source": "group controlling", "formula": "as ours", "value_basis": "customers", "stock_or_flow": "stock",
        "edition": "2025", "verdict": "comparable", "reason": "the same definition in the same group",
        "confidence": "confirmed",
    } | cells  # fmt: skip
    with (folder / "benchmarks.csv").open("w", newline="", encoding="utf-8") as file:
        sheet = csv.DictWriter(file, list(whole))
        sheet.writeheader()
        sheet.writerow(whole)


def test_a_client_may_add_rows_of_its_own(book):
    client = book("Ax Ay Bx", engagement={"benchmarks": "benchmarks.csv"})
    written(client.engagement.folder)
    found = benchmarks.beside(client, "2025Q1", "multi_product_share")
    assert list(found.rows["id"]) == ["ours_2024"]  # names no industry, so it holds for this client
    assert list(found.rows["origin"]) == ["the client's own"]
    assert list(found.rows["client"]) == [0.5]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"verdict": "fine"}, "line 2: verdict"),
        ({"value": ""}, "give either value, or low and high"),
        ({"value": "", "low": "30", "high": "20"}, "low is above high"),
        ({"kpi": "multi_product"}, "Did you mean 'multi_product_share'"),
        ({"verdict": "comparable after transform"}, "a transform is stated"),
        ({"statistic": "top quartile"}, "a comparable row's statistic"),
        ({"k": ""}, "k belongs to a share"),
        ({"shade": "red"}, "shade"),
        ({"id": "crowdstrike_2019_k4"}, "Two benchmark rows"),
    ],
)
def test_rows_at_fault_are_refused_with_their_line(book, cells, words):
    client = book("Ax", engagement={"benchmarks": "benchmarks.csv"})
    written(client.engagement.folder, **cells)
    with pytest.raises(SourceError, match=words):
        benchmarks.load(client.engagement)


def test_a_file_that_is_not_there_is_told(book):
    with pytest.raises(SourceError, match=r"no benchmarks at .*nowhere.csv"):
        benchmarks.load(book("Ax", engagement={"benchmarks": "nowhere.csv"}).engagement)


@pytest.fixture
def software(book):
    return book("Ax Ay Bx C", products="rstuvwxyz", engagement={"industry": "software"})


def test_sentences_tell_both_figures(software):
    found = benchmarks.beside(software, "2025Q1", "account_penetration_degree")
    assert say.beside(found) == ["All customers of Datadog, 30 September 2024: 15.5% to 26.4%; here 11.1%."]
    assert say.title(found) == "Not like for like: we sell 9 products, others 23"
    assert say.title(replace(found, products=23)) == "Ours is below every published figure that may stand beside it"
    assert "second hand" in say.caution(found.rows)
    assert "bound the mean" in say.caution(found.rows)
    multi = benchmarks.beside(software, "2025Q1", "multi_product_share")
    assert "2 products or more: 83.0%; here 33.3%." in say.beside(multi)[0]
    assert say.beside(multi)[3].endswith("12.0%; here 0.0%.")


def test_nothing_comparable_is_said(book):
    found = benchmarks.beside(book("Ax"), "2025Q1", "account_penetration_index")
    assert say.title(found) == "No published figure may stand beside ours"
    assert say.beside(found)[0].startswith("No published figure may stand beside it: 2 were looked at")


def test_the_figure_draws_ours_and_theirs(software):
    found = benchmarks.beside(software, "2025Q1", "multi_product_share")
    page = draw.beside(found.rows, "Title", "Subtitle", say.sources(found.rows))
    drawn = {round(float(line.get_xdata()[0]), 4) for line in page.axes[0].lines}
    assert {0.83, 0.49, 0.26, 0.12, 0.5, round(1 / 3, 4)} <= drawn
    assert page.axes[0].get_xlim() == (0, 1)
    assert "2 products or more: 83.0%, here 33.3%" in page.get_label()


def test_the_figure_draws_bounds_and_the_peer_level(software):
    found = benchmarks.beside(software, "2025Q1", "account_penetration_degree")
    page = draw.beside(found.rows, "Title", "", "", own=0.4, peer=0.6)
    drawn = [tuple(round(float(x), 3) for x in line.get_xdata()) for line in page.axes[0].lines]
    assert (0.155, 0.264) in drawn
    assert (0.6,) in drawn
    assert "best quarter 60.0%" in page.get_label()


def test_the_figure_refuses_a_row_that_is_not_comparable(rows):
    row = rows[rows["id"] == "findex_2021_world"].assign(client=0.3)
    with pytest.raises(DataError, match=r"Adults worldwide, 2021 is not drawn: not comparable.*opportunities"):
        draw.beside(row, "Title", "", "")


def test_with_nothing_to_draw_the_figure_says_so(book):
    found = benchmarks.beside(book("Ax"), "2025Q1", "account_penetration_index")
    page = draw.beside(found.rows, "Title", "", "")
    assert "No published figure" in page.get_label()


def test_tables_name_the_reason(rows, software):
    left = tables.left_out(benchmarks.why_not(rows, "account_penetration_index")).html
    assert "Adults worldwide, 2021" in left
    assert "63.0% to 71.0%" in left
    assert "neither products sold nor opportunities" in left
    beside = tables.beside(benchmarks.beside(software, "2025Q1", "products_per_account").rows).html
    assert "3.57 to 6.08" in beside
    assert "1.50" in beside


def test_names_in_a_clients_rows_are_escaped(book):
    client = book("Ax Ay Bx", engagement={"benchmarks": "benchmarks.csv"})
    written(client.engagement.folder, population="<b>sister</b>")
    found = benchmarks.beside(client, "2025Q1", "multi_product_share")
    assert "<b>" not in tables.beside(found.rows).html
