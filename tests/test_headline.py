"""The object other programs rely on: its keys, its roundings, its groups."""

from __future__ import annotations

import json

import pytest

from kpilib.measures.headline import headline

KEYS = [
    *("quarter", "as_of", "complete", "base", "lookback_months", "accounts"),
    *("accounts_nothing_possible", "n", "accounts_lost", "products"),
    *("account_penetration_degree", "multi_product_share", "account_penetration_index"),
    *("products_per_account", "lapsing", "bands", "attach_rate"),
    *("revenue_quarter", "revenue_window", "change"),
]


def test_the_object_holds_these_keys_and_figures(book):
    small = book("Ax Bx", "Ax Ay Bx Cx- Cy-", products="xy", revenue={"A": "1.10", "B": "0.3452"})
    found = headline(small).as_dict()
    assert list(found) == KEYS
    assert json.loads(json.dumps(found)) == {
        **{"quarter": "2025Q2", "as_of": "2025-06-30", "complete": True},
        **{"base": "all", "lookback_months": 12, "accounts": 3},
        **{"accounts_nothing_possible": 1, "n": 2, "accounts_lost": 0, "products": 2},
        "account_penetration_degree": {"mean": 0.75, "pooled": 0.75, "median": 0.75},
        "multi_product_share": {"1": 0.666666666667, "2": 0.333333333333},
        "account_penetration_index": None,
        **{"products_per_account": 1.0, "lapsing": None},
        "bands": {"low": 0, "moderate": 1, "healthy": 0, "very high": 1},
        "attach_rate": {"x": 1.0, "y": 0.5},
        **{"revenue_quarter": "0.3613", "revenue_window": "1.4452", "change": None},
    }


def test_the_change_is_in_points_with_the_same_accounts_beside_it(book):
    small = book("Ax Bx Cx Cy", "Ax Ay Bx D", products="xy")
    change = headline(small, "2025Q2", against="2025Q1").as_dict()["change"]
    assert change["against"] == "2025Q1"
    assert change["points"] == -16.666667  # 1/2 - 2/3
    assert len(change["interval"]) == 2
    same = change["same_accounts"]
    assert (same["n"], same["points"]) == (2, 25.0)
    assert same["interval"] == [-292.655118, 342.655118]  # 25 ± 12.7062047 × 25


def test_against_plan_there_is_neither_interval_nor_same_accounts(book):
    plan = {"kpi": "account_penetration_degree", "quarter": "2025Q1"}
    small = book(
        "Ax B",
        products="x",
        attributes={"size": {"A": "big"}},
        engagement={"targets": [plan | {"value": 0.6}, plan | {"value": 0.9, "segment": {"size": "big"}}]},
    )
    found = headline(small, "2025Q1", by="size", against="plan").as_dict()
    nothing = {"against": "plan", "interval": None, "same_accounts": None}
    assert found["change"] == nothing | {"points": -10.0}
    assert [each["change"]["points"] for each in found["groups"]] == [10.0, None]


def test_groups_are_such_objects_and_sum_to_the_total(book):
    small = book(
        *("Ax Bx E", "Ax Ay Bx Cx- Cy- D"),
        products="xy",
        attributes={"size": {"A": "big", "B": "big", "C": "small", "E": "gone"}},
        opportunities=[
            ("Ax", "won", "2025-04-01", "2025-05-01"),
            ("Dx", "open", "2025-04-01", None),
        ],
        lapsing={"2025Q2": ["Ax", "Bx"]},
        revenue={"A": "2.00"},
    )
    found = headline(small, "2025Q2", by="size", against="2025Q1").as_dict()
    groups = {each["group"]: each for each in found["groups"]}
    assert list(groups) == ["big", "gone", "small", "(not given)"]
    assert list(groups["big"]) == ["group", *KEYS]
    for name in ("accounts", "accounts_nothing_possible", "n", "accounts_lost", "lapsing"):
        assert sum(each[name] for each in groups.values()) == found[name]
    assert groups["gone"]["accounts_lost"] == 1
    assert groups["gone"]["multi_product_share"] == {"1": None, "2": None}
    assert groups["small"]["account_penetration_degree"]["mean"] is None
    assert groups["small"]["attach_rate"] == {"x": None, "y": None}
    assert groups["big"]["account_penetration_index"]["value"] == 1.0
    assert groups["(not given)"]["account_penetration_index"]["value"] == 0.0
    assert found["account_penetration_index"] == {
        **{"value": 0.5, "reading": "opportunities", "logging_coverage": 0.333333333333},
    }
    total = headline(small, "2025Q2", against="2025Q1").as_dict()
    assert {name: found[name] for name in KEYS} == total


def test_an_incomplete_quarter_is_marked_and_nothing_is_said_of_accounts_lost(book):
    found = headline(book("Ax", "Ax", incomplete=["2025Q2"]), "2025Q2").as_dict()
    assert (found["complete"], found["accounts_lost"]) == (False, None)


def test_without_a_quarter_the_last_complete_one_is_measured(book):
    assert headline(book("Ax", "Ax", incomplete=["2025Q2"])).quarter == "2025Q1"


def test_labels_may_be_written_in_other_ways(book):
    small = book("Ax", "Ax")
    found = headline(small, "2025-q2", against="2025q1")
    assert (found.quarter, found.change.against) == ("2025Q2", "2025Q1")


@pytest.mark.parametrize("products", [1, 64, 200])
def test_catalogues_of_every_size(book, products):
    names = [f"p{n}" for n in range(products)]
    found = headline(book(f"Ap0 Ap{products - 1} B", products=names), "2025Q1").as_dict()
    held = min(products, 2)
    assert found["account_penetration_degree"]["pooled"] == round(held / (2 * products), 12)
    assert len(found["attach_rate"]) == products
