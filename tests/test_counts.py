"""Counts read from the bits: worked by hand on small books."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from kpilib.errors import DataError, QuarterError
from kpilib.measures import counts

MANY = [f"p{n}" for n in range(200)]


def tuples(frame: pd.DataFrame, *columns: str) -> list[tuple]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_pairs_count_accounts_by_possible_and_held(book):
    small = book("Ax Ay Bx Cx C Dx- Dy-")
    found = counts.pairs(small)
    # A 2 of 2, B and C 1 of 2, D nothing possible
    assert tuples(found, "quarter", "possible", "held", "accounts") == [
        ("2025Q1", 0, 0, 1),
        ("2025Q1", 2, 1, 2),
        ("2025Q1", 2, 2, 1),
    ]
    assert found["revenue_window"].isna().all()


def test_pairs_sum_revenue_as_decimals(book):
    small = book("Ax B", revenue={"A": "0.3000", "B": "0.1000"})
    found = counts.pairs(small)
    assert sum(found["revenue_window"]) == Decimal("0.4")
    assert sum(found["revenue_quarter"]) == Decimal("0.1")


@pytest.mark.parametrize(("base", "accounts"), [("all", 3), ("active", 2), ("eligible", 2)])
def test_each_base_counts_its_own_accounts(book, base, accounts):
    small = book("Ax B~ Cx-", base=base)  # B is not active, C has nothing possible
    assert counts.pairs(small)["accounts"].sum() == accounts
    assert counts.bases(small, "2025Q1") == {"all": 3, "active": 2, "eligible": 2}


def test_groups_are_ordered_and_blanks_come_last(book):
    small = book("Ax B C D", attributes={"size": {"A": "small", "B": "big", "C": " "}})
    found = counts.pairs(small, by="size")
    assert tuples(found, "group", "held", "accounts") == [
        ("big", 0, 1),
        ("small", 1, 1),
        ("(not given)", 0, 2),
    ]


def test_where_keeps_accounts_and_rules_number_the_first_match(book):
    size = {"A": "big", "B": "small", "C": 'it\'s "odd"'}
    small = book("Ax B C D", attributes={"size": size})
    kept = counts.pairs(small, where={"size": ['it\'s "odd"', "(not given)"]})
    assert kept["accounts"].sum() == 2
    ruled = counts.pairs(small, rules=[{"size": ["big"]}, {"size": ["small", "big"]}])
    assert tuples(ruled, "rule", "accounts") == [(-1, 2), (0, 1), (1, 1)]


def test_an_attribute_that_is_not_there_is_refused_with_the_near_miss(book):
    small = book("Ax", attributes={"segment": {"A": "s"}})
    with pytest.raises(DataError, match=r"no attribute 'segmnt'.*have 'segment'.*mean 'segment'"):
        counts.pairs(small, by="segmnt")


@pytest.mark.parametrize("name", ["active", "group", "rule", "Possible", 'a "b"', "quarter", "word"])
def test_an_attribute_called_like_a_column_of_ours_is_still_the_clients(book, name):
    small = book("Ax B", "Ax Bx", attributes={name: {"A": "yes", "B": "no"}})
    grouped = counts.pairs(small, by=name, where={name: ["yes", "no"]}, rules=[{name: ["no"]}])
    assert tuples(grouped, "group", "rule")[:2] == [("no", 0), ("yes", -1)]
    assert counts.by_product(small, "2025Q1", by=name)["held"].tolist() == [0, 1]
    changes = counts.product_changes(small, "2025Q1", "2025Q2", by=name)
    assert changes["gained"].tolist() == [1, 0]
    rows = counts.accounts(small, "2025Q1")
    shown = f"{name} (attribute)" if name in ("rule", "Possible") else name
    assert rows[shown].tolist() == ["yes", "no"]
    assert rows["possible"].tolist() == [1, 1]
    asked = pd.DataFrame({"account_id": ["A"], "product_id": ["x"]})
    assert counts.at_slots(small, "2025Q1", asked, by=name)["group"].tolist() == ["yes"]
    largest = counts.largest(
        small,
        "2025Q1",
        pd.DataFrame({"possible": [1], "held": [1], "rule": [-1]}),
        [{name: ["no"]}],
    )
    assert largest["account_id"].tolist() == ["A"]


def test_quarters_can_be_picked_and_an_unknown_one_is_refused(book):
    small = book("Ax", "Ax", "A")
    picked = counts.pairs(small, quarters=["2025Q2", "2025Q3"])
    assert picked["quarter"].tolist() == ["2025Q2", "2025Q3"]
    with pytest.raises(QuarterError, match=r"2026Q1 lies outside.*2025Q1 to 2025Q3"):
        counts.pairs(small, quarters=["2026Q1"])


def test_transitions_cover_the_union_of_both_bases(book):
    small = book("Ax B Cx", "Ax Ay B Dy")
    found = counts.transitions(small, "2025Q1", "2025Q2")
    columns = ("in_earlier", "in_later", "held_earlier", "possible_later", "held_later", "accounts")
    assert tuples(found, *columns) == [
        (False, True, 0, 2, 1, 1),  # D joined
        (True, False, 1, 0, 0, 1),  # C left
        (True, True, 0, 2, 0, 1),  # B
        (True, True, 1, 2, 2, 1),  # A
    ]


def test_transitions_by_group_keep_those_who_left(book):
    small = book("Ax Bx", "Ax", attributes={"size": {"A": "big", "B": "small"}})
    found = counts.transitions(small, "2025Q1", "2025Q2", by="size")
    assert tuples(found, "group", "in_later") == [("big", True), ("small", False)]


def test_turnover_counts_who_joined_and_who_was_lost(book):
    found = counts.turnover(book("Ax Bx", "Ax", "Ax Bx Cx", "D"))
    assert tuples(found, "quarter", "joined", "lost") == [
        ("2025Q1", 2, 0),
        ("2025Q2", 0, 1),
        ("2025Q3", 2, 0),
        ("2025Q4", 1, 3),
    ]


def test_gains_are_new_holdings_of_what_was_possible_before(book):
    # A gains y; B's y was not possible before; C loses x; D joined; E gains y, z newly possible
    small = book("Ax Bx By- C Cx Ex Ez-", "Ax Ay Bx By C Dx Ex Ey Ez")
    found = counts.gains(small, "2025Q1", "2025Q2")
    assert found == {"accounts": 4, "gained": 2, "gained_only_launched": 1}


def test_by_product_counts_possible_and_held_in_catalogue_order(book):
    small = book("Ax Ay Bx Cy- Cx!", products=["y", "x"], families={"y": "f"})
    found = counts.by_product(small, "2025Q1")
    assert tuples(found, "product_id", "possible", "held") == [("y", 2, 1), ("x", 2, 2)]
    assert found["family"].tolist()[0] == "f"


def test_by_product_given_another_counts_among_its_holders(book):
    small = book("Ax Ay Bx Cy D")
    found = counts.by_product(small, "2025Q1", given="x")
    assert tuples(found, "product_id", "possible", "held") == [("x", 2, 2), ("y", 2, 1)]
    with pytest.raises(DataError, match="'w' is not in the catalogue"):
        counts.by_product(small, "2025Q1", given="w")


def test_product_changes_are_of_accounts_for_which_it_is_possible_twice(book):
    # x: A keeps, B loses, C gains, D never; E and F do not count: not possible twice, not there
    small = book("Ax Bx C D Ex Fx", "Ax B Cx D Ex-", attributes={"s": {"A": "a", "B": "b"}})
    found = counts.product_changes(small, "2025Q1", "2025Q2")
    assert tuples(found, "both", "gained", "lost", "neither") == [(1, 1, 1, 1)]
    grouped = counts.product_changes(small, "2025Q1", "2025Q2", by="s")
    assert tuples(grouped, "group", "both", "gained", "lost", "neither") == [
        ("a", 1, 0, 0, 0),
        ("b", 0, 0, 1, 0),
        ("(not given)", 0, 1, 0, 1),
    ]


def test_accounts_are_listed_with_what_is_proven_but_not_possible(book):
    small = book("Bx By! Ax", attributes={"size": {"A": "big"}}, revenue={"A": "5.00"})
    found = counts.accounts(small, "2025Q1")
    assert tuples(found, "account_id", "possible", "held", "unplaced") == [
        ("A", 2, 1, 0),
        ("B", 1, 1, 1),
    ]
    assert found["size"].fillna("?").tolist() == ["big", "?"]
    assert found["revenue_window"].tolist() == [Decimal("5.0000"), None]


def test_the_largest_come_first_and_ties_by_id(book):
    small = book("A B C Dx E", revenue={"A": "1", "B": "9", "C": "9", "D": "99"})
    wanted = pd.DataFrame({"possible": [1], "held": [0]})
    found = counts.largest(small, "2025Q1", wanted, most=3)
    assert found["account_id"].tolist() == ["B", "C", "A"]


def test_at_slots_keeps_the_order_of_what_was_asked(book):
    small = book("Bx By- A~", base="active")
    asked = pd.DataFrame(
        [("B", "y"), ("Z", "x"), ("B", "x"), ("A", "x"), ("B", "none")],
        columns=["account_id", "product_id"],
        index=[7, 7, 8, 9, 9],
    ).assign(why="asked")
    found = counts.at_slots(small, "2025Q1", asked)
    assert tuples(found, "account_id", "product_id", "possible", "held", "in_base") == [
        ("B", "y", False, False, True),
        ("Z", "x", False, False, False),
        ("B", "x", True, True, True),
        ("A", "x", True, False, False),
        ("B", "none", False, False, True),
    ]
    assert (found["why"] == "asked").all()


def test_holdings_show_every_product_of_an_account(book):
    found = counts.holdings(book("Ax Ay! Bx", products=["y", "x"]), "A", "2025Q1")
    assert tuples(found, "account_id", "product_id", "possible", "proven") == [
        ("A", "y", False, True),
        ("A", "x", True, True),
    ]


def test_two_hundred_products_need_several_words(book):
    everything = " ".join(f"A{product}" for product in MANY)
    small = book(f"{everything} Bp62 Bp63 Bp199 Bp126-", products=MANY)
    found = counts.pairs(small)
    assert tuples(found, "possible", "held", "accounts") == [(199, 3, 1), (200, 200, 1)]
    products = counts.by_product(small, "2025Q1").set_index("product_id")
    assert products["held"].to_dict() == {p: 1 + (p in ("p62", "p63", "p199")) for p in MANY}
    assert products.loc["p126", "possible"] == 1
    held = counts.holdings(small, "B", "2025Q1").query("proven")
    assert held["product_id"].tolist() == ["p62", "p63", "p199"]


def test_no_account_at_all_gives_empty_counts_not_errors(book):
    small = book("A~ Bx", "A~", base="active")
    assert counts.pairs(small, quarters=["2025Q2"]).empty
    assert counts.by_product(small, "2025Q2")[["possible", "held"]].to_numpy().sum() == 0
