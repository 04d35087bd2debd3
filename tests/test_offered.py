"""Who offers what: slots by owner, against a count by hand and the plainest loop."""

from __future__ import annotations

import invented
import numpy as np
import pandas as pd
import pytest

from kpilib import kept, offered
from kpilib.measures import counts

NOW = "2025Q4"
OWNERS = {"owner": {"A": "Kim", "B": "Kim", "C": "Lou", "D": "Lou", "E": None}}
OFFERS = [
    ("Ax", "won", "2020-02-01", "2020-03-01"),
    ("Ay", "lost", "2025-02-01", "2025-03-01"),
    ("Ay", "won", "2025-12-01", "2026-01-01"),  # decided after the day
    ("By", "open", "2026-01-01", None),  # opened after the day
    ("Cx", "open", "2025-02-01", None),
    ("Dy", "lost", "2025-02-01", None),  # not possible for D
    ("Zy", "lost", "2025-02-01", None),
]
BLOCKED = [("Bx", "in-house", None, None), ("Dx", "competitor", None, None), ("By", "no", "2020-01-01", "2021-01-01")]


@pytest.fixture(scope="module")
def small(book):
    facts = {"minimum_cell": 1}
    options = {"products": "xyz", "attributes": OWNERS, "opportunities": OFFERS, "blocked": BLOCKED}
    return book(*("Ax Bz C Dx Dy- E",) * 4, **options, engagement=facts)


def test_every_possible_slot_is_in_one_part(small):
    found = offered.offer_coverage(small, NOW).set_index(["group", "product_id"])
    told = found[["possible", "offered", "won", "held_unrecorded", "blocked", "never_offered"]]
    assert told.loc[("Kim", "x")].tolist() == [2, 1, 1, 0, 1, 0]
    assert told.loc[("Kim", "y")].tolist() == [2, 1, 0, 0, 0, 1]
    assert told.loc[("Kim", "z")].tolist() == [2, 0, 0, 1, 0, 1]
    assert told.loc[("Lou", "x")].tolist() == [2, 1, 0, 1, 0, 0]  # held though blocked: held
    assert told.loc[("Lou", "y")].tolist() == [1, 0, 0, 0, 0, 1]
    assert (found[list(offered.PARTS)].sum(axis=1) == found["possible"]).all()
    assert found.index[-1] == ("(not given)", "z")
    assert found.loc[("Kim", "y"), "coverage"] == 0.5
    assert found.loc[("Kim", "x"), "win_rate"] == 1.0
    assert found["coverage"].isna().sum() == 0


def test_owners_sum_their_products(small):
    table, owners = offered.offer_coverage(small, NOW), offered.by_owner(small, NOW).set_index("group")
    summed = table.groupby("group")[["possible", "offered", "won", "never_offered"]].sum()
    pd.testing.assert_frame_equal(owners[list(summed)], summed, check_like=True, check_names=False)
    assert owners["accounts"].to_dict() == {"Kim": 2, "Lou": 2, "(not given)": 1}
    assert owners["offered_accounts"].to_dict() == {"Kim": 1, "Lou": 1, "(not given)": 0}


def frames(*rows):
    """Slots of owners and products: group, product_id, offered, never_offered; and 10 accounts each."""
    slots = pd.DataFrame(rows, columns=["group", "product_id", "offered", "never_offered"])
    slots = slots.assign(possible=slots["offered"] + slots["never_offered"], won=0, held_unrecorded=0, blocked=0)
    accounts = slots.groupby("group", as_index=False)["offered"].sum()
    return slots, accounts.assign(accounts=10, offered_accounts=accounts["offered"].clip(upper=10))[
        ["group", "accounts", "offered_accounts"]
    ]


def test_expected_coverage_is_that_of_the_products_an_owner_could_offer():
    """Product p is offered on 9 of 10 slots by all, q on 1 of 10: who has only q is expected to reach a tenth."""
    slots, accounts = frames(("a", "p", 9, 1), ("a", "q", 0, 0), ("b", "p", 0, 0), ("b", "q", 1, 9))
    found = offered.standardised(slots, accounts).set_index("group")
    assert found["coverage"].to_dict() == {"a": 0.9, "b": 0.1}
    assert found["expected"].to_dict() == {"a": 0.9, "b": 0.1}
    slots, accounts = frames(("a", "p", 9, 1), ("a", "q", 2, 8), ("b", "p", 1, 9), ("b", "q", 0, 10))
    found = offered.standardised(slots, accounts).set_index("group")
    assert found["expected"].to_dict() == pytest.approx({"a": (10 * 0.5 + 10 * 0.1) / 20, "b": 0.3})
    assert found["difference"].to_dict() == pytest.approx({"a": 0.25, "b": -0.25})


def test_who_never_offers_is_named_and_who_cannot_is_not():
    rows = [("a", "p", 8, 2), ("a", "q", 0, 10), ("b", "p", 7, 3), ("c", "p", 0, 10), ("d", "q", 0, 10)]
    slots, accounts = frames(*rows)
    found = offered.standardised(slots, accounts)
    assert offered.never_offering(found) == ["c"]  # d could only offer what nobody offers
    few = accounts.assign(accounts=[10, 10, 4, 10])
    assert offered.never_offering(offered.standardised(slots, few)) == []
    suppressed = offered.standardised(slots, few).set_index("group")
    assert suppressed["suppressed"].to_dict() == {"a": True, "b": False, "c": True, "d": False}
    assert suppressed["coverage"].isna().to_dict() == suppressed["suppressed"].to_dict()  # the total would tell c's


def test_small_cells_keep_their_counts_and_lose_their_shares(book):
    options = {"products": "xy", "attributes": OWNERS, "opportunities": [("Ax", "won", "2025-02-01", None)]}
    found = offered.offer_coverage(book("A B C", **options, engagement={"minimum_cell": 2}), "2025Q1")
    assert found.set_index(["group", "product_id"])["suppressed"].to_dict() == {
        **{("Kim", "x"): False, ("Kim", "y"): False, ("Lou", "x"): True, ("Lou", "y"): True}
    }
    assert found["coverage"].tolist()[:2] == [0.5, 0.0]
    assert found["coverage"].isna().tolist()[2:] == [True, True]


def test_without_records_or_owners_it_says_what_is_lacking(book):
    nothing = book("Ax", products="xy")
    assert offered.lacking(nothing) == ["opportunities", "owner"]
    assert offered.offer_coverage(nothing, "2025Q1") is None
    assert offered.by_owner(nothing, "2025Q1") is None
    empty = book("Ax", products="xy", attributes=OWNERS, opportunities=[])
    assert offered.lacking(empty) == ["opportunities"]


def test_the_plainest_loop_counts_the_same(tmp_path):
    book = kept.open_book(invented.write(tmp_path, customers=60))
    found = offered.offer_coverage(book, NOW).set_index(["group", "product_id"])
    who, offers = book.table("accounts").set_index("account_id")["owner"], book.table("opportunities")
    day = book.quarters["as_of"].iloc[-1]
    ids = counts.accounts(book, NOW)["account_id"].tolist()
    plain = {key: dict.fromkeys(("offered", "won", "held_unrecorded", "never_offered"), 0) for key in found.index}
    for slot in counts.holdings(book, ids, NOW).itertuples():
        mine = offers[(offers["account_id"] == slot.account_id) & (offers["product_id"] == slot.product_id)]
        mine = mine[mine["opened"] <= day]
        cell = plain[(who[slot.account_id], slot.product_id)]
        part = "offered" if len(mine) else "held_unrecorded" if slot.proven else "never_offered"
        cell[part] += 1
        cell["won"] += bool(((mine["status"] == "won") & (mine["closed"].fillna(mine["opened"]) <= day)).any())
    assert found[list(next(iter(plain.values())))].to_dict("index") == plain
    assert offered.never_offering(offered.by_owner(book, NOW)) == [invented.SILENT]


def test_false_alarms_are_rare_where_all_offer_alike():
    """All owners offer each customer something with the same chance, and then several things at once."""
    random, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        rows, accounts = [], []
        for owner in "abcdefgh":
            n = int(random.integers(5, 40))
            approached = random.random(n) < 0.15
            open_slots = random.binomial(8, 0.6, n)
            made = np.where(approached, np.maximum(random.binomial(open_slots, 0.5), 1), 0)
            made = np.minimum(made, open_slots)
            rows.append((owner, "p", int(made.sum()), int((open_slots - made).sum())))
            accounts.append((owner, n, int((made > 0).sum())))
        table = pd.DataFrame(accounts, columns=["group", "accounts", "offered_accounts"])
        alarms += bool(offered.never_offering(offered.standardised(frames(*rows)[0], table)))
    assert alarms <= 10
