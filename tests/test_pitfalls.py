"""Each pitfall fires on data made to have it, is silent on data that do not, and seldom alarms for nothing."""

from __future__ import annotations

from dataclasses import replace

import invented
import numpy as np
import pandas as pd
import pytest
from benchmarks.simulations.pitfalls import false_alarms
from test_feedback import met, told

from kpilib import kept, pitfalls
from kpilib.measures import counts
from kpilib.wording import SHIPPED_FOR
from kpilib.wording import pitfalls as say

NOW, BEFORE = "2025Q2", "2025Q1"
NULLS, MOST_ALARMS = 60, 3


def moves(*rows):
    """Transitions: group, possible and held before and after (None: not counted), accounts."""
    told = []
    for group, before, after, accounts in rows:
        (p0, h0), (p1, h1) = before or (0, 0), after or (0, 0)
        told.append((group, before is not None, after is not None, p0, h0, p1, h1, accounts))
    keys = ["in_earlier", "in_later", "possible_earlier", "held_earlier", "possible_later", "held_later"]
    return pd.DataFrame(told, columns=["group", *keys, "accounts"])


def spread(group, before, after, accounts):
    """So many accounts around a level, half one product below and half above, of ten possible."""
    half = accounts // 2
    return [(group, before and (10, before + each), after and (10, after + each), half) for each in (-1, 1)]


BETTER_BUT_SMALLER = moves(  # both segments gain a product, and many small customers come
    *spread("large", 7, 8, 100), *spread("small", 2, 3, 40), *spread("small", None, 3, 200)
)
STEADY = moves(*spread("large", 7, 7, 100), *spread("small", 2, 2, 100))
UP_AND_DOWN = moves(*spread("north", 4, 6, 60), *spread("south", 6, 4, 60))


def test_segments_that_rise_while_the_average_falls_are_found():
    found = pitfalls.mix_shift(BETTER_BUT_SMALLER, "size")
    assert found.fires
    told = found.figures
    before, after = (100 * 0.7 + 40 * 0.2) / 140, (100 * 0.8 + 240 * 0.3) / 340
    assert told["total"] == pytest.approx(after - before)
    assert told["within"] == pytest.approx(0.1)  # every segment rose by exactly that
    assert found.size == told["mix"] == pytest.approx(after - before - 0.1)
    assert not pitfalls.mix_shift(STEADY).fires
    assert not pitfalls.mix_shift(UP_AND_DOWN).fires  # no mix has changed
    few = BETTER_BUT_SMALLER.assign(accounts=[9, 9, 2, 2, 14, 14])
    assert not pitfalls.mix_shift(few.assign(accounts=few["accounts"] // 4 + 1)).fires


def test_a_segment_that_is_new_has_no_change_of_its_own():
    found = pitfalls.mix_shift(moves(*spread("old", 5, 6, 100), *spread("new", None, 2, 400)))
    assert found.fires
    assert found.figures["within"] == pytest.approx(0.1 * (1 + 0.2) / 2)


def test_segments_that_part_company_are_found():
    found = pitfalls.opposite_movements(UP_AND_DOWN, "region")
    assert found.fires
    assert (found.figures["rose"], found.figures["fell"]) == ("north", "south")
    assert found.size == pytest.approx(0.4)
    assert found.figures["total"] == pytest.approx(0)
    assert not pitfalls.opposite_movements(STEADY).fires
    assert not pitfalls.opposite_movements(BETTER_BUT_SMALLER).fires
    assert not pitfalls.opposite_movements(UP_AND_DOWN.assign(accounts=5)).fires  # 10 a segment


def test_a_rise_carried_by_new_accounts_is_found():
    carried = moves(*spread("a", 5, 4, 100), *spread("a", None, 8, 100))
    found = pitfalls.degree_by_new(carried)
    assert found.fires
    told = found.figures
    assert told["total"] == pytest.approx(told["same"] + told["entry"] + told["exit"])
    assert (told["same"], told["entry"], told["exit"]) == pytest.approx((-0.1, 0.2, 0))
    assert not pitfalls.degree_by_new(moves(*spread("a", 5, 6, 100), *spread("a", None, 8, 100))).fires
    left = moves(*spread("a", 5, 4, 100), *spread("a", 1, None, 100))  # weak ones left: no new account carries it
    assert left["in_later"].sum() == 2
    assert not pitfalls.degree_by_new(left).fires


def test_products_brought_by_new_accounts_while_existing_ones_shrink_are_found():
    carried = moves(*spread("a", 5, 4, 100), *spread("a", None, 3, 60))
    found = pitfalls.products_by_new(carried)
    assert found.fires
    assert found.figures == {"new": 180, "existing": -100, "total": 80}
    assert not pitfalls.products_by_new(moves(*spread("a", 5, 6, 100), *spread("a", None, 3, 60))).fires
    assert not pitfalls.products_by_new(moves(*spread("a", 5, 4, 100), *spread("a", None, 3, 20))).fires  # no growth


def test_losing_weak_accounts_that_meets_a_target_is_found():
    left = moves(*spread("a", 6, 6, 100), *spread("a", 2, None, 40))
    reached = pitfalls.met_by_losing(left, 0.55)
    assert reached.fires
    assert reached.figures["actual"] == pytest.approx(0.6)
    assert reached.figures["with_lost"] == pytest.approx((100 * 0.6 + 40 * 0.2) / 140)
    assert not pitfalls.met_by_losing(left, 0.45).fires  # met with them too
    assert not pitfalls.met_by_losing(left, 0.65).fires  # not met
    alike = moves(*spread("a", 6, 6, 100), *spread("a", 6, None, 40))
    assert not pitfalls.met_by_losing(alike, 0.6).fires
    nothing_left = left.assign(in_later=True, possible_later=[10, 10, 0, 0])
    assert pitfalls.met_by_losing(nothing_left, 0.55).fires  # still there, and nothing possible for them any more


def test_false_alarms_are_rare_where_nothing_happens():
    alarms = false_alarms(np.random.default_rng(11), NULLS, 300)
    assert max(alarms.values()) <= MOST_ALARMS, alarms


def test_left_alone_seldom_alarms_where_half_are_called():
    random = np.random.default_rng(2)
    drawn = zip(random.integers(5, 80, 2000), random.random(2000), strict=True)
    fired = [pitfalls.left_alone(int(n), int(random.binomial(n, 0.5))).fires for n, _ in drawn]
    assert np.mean(fired) <= 0.025


SAID = {"feedback": {"rows": [{}], "scale": (0, 10)}, "minimum_cell": 1}
TEN = " ".join(f"A{n}x" for n in range(10))


def test_feedback_of_nobody_or_few_is_found(book):
    silent = book(TEN, products="xy")
    assert pitfalls.feedback_heard(silent, "2025Q1").fires
    assert pitfalls.feedback_heard(silent, "2025Q1").figures == {"table": False, "answered": 0}
    few = told(book(TEN, TEN, products="xy", engagement=SAID), ("A1", "2025-02-01", 5), ("Z", "2025-02-01", 5))
    assert not pitfalls.feedback_heard(few, "2025Q1").fires  # exactly a tenth
    none = told(book(TEN, products="xy", engagement=SAID), ("A1", "2024-02-01", 5))
    assert pitfalls.feedback_heard(none, "2025Q1").fires


def test_unhappy_accounts_that_nobody_called_are_found(book):
    """Of ten with a 3 in February, all but one are never contacted within 90 days."""
    low = [(f"A{n}", "2025-02-01", 3) for n in range(10)]
    small = told(book(TEN, TEN, products="xy", engagement=SAID), *low)
    assert pitfalls.feedback_answered(small, NOW).lacks == ("interactions",)
    met(small, ("A0", "2025-05-02", "visit"), ("A1", "2025-05-03", "visit"), ("A2", "2025-01-31", "visit"))
    found = pitfalls.feedback_answered(small, NOW)
    assert found.fires
    assert found.figures == {"unhappy": 10, "alone": 9, "days": 90, "low": (6, True)}
    assert "of 10 customers who gave a low score (6 or less), 9 had no contact" in say.body(found)
    assert pitfalls.feedback_answered(small, "2025Q1").figures["unhappy"] == 0  # too soon to judge
    met(small, *[(f"A{n}", "2025-03-01", "call") for n in range(10)])
    assert not pitfalls.feedback_answered(small, NOW).fires


def test_low_on_another_scale_lies_below_its_middle_which_is_neither(book):
    facts = {"feedback": {"rows": [{}], "scale": (1, 5)}, "minimum_cell": 1}
    small = told(
        book(TEN, TEN, products="xy", engagement=facts), *((f"A{n}", "2025-02-01", n % 5 + 1) for n in range(10))
    )
    met(small, ("Z", "2025-03-01", "visit"))
    found = pitfalls.feedback_answered(small, NOW)
    assert found.figures["unhappy"] == 4  # the ones and twos of 1 to 5, not the threes
    assert "none of 4 customers who gave a low score (below 3, the middle of the scale) had any contact" in say.body(
        replace(found, fires=True)
    )


def aims(book, *values, base="all", **more):
    targets = [{"quarter": NOW, "kpi": "account_penetration_degree", "value": each} for each in values]
    strong, weak = [" ".join(f"{a}{n}{h}" for n in range(10) for h in held) for a, held in (("A", "xy"), ("B", ("",)))]
    facts = {"targets": targets, "minimum_cell": 5}
    return book(f"{strong} {weak}", strong, products="xyz", base=base, engagement=facts, **more)


def named(findings, name):
    return [each for each in findings if each.pitfall == name]


def test_targets_that_are_met_by_losing_or_that_nobody_reaches_are_found(book):
    found = pitfalls.gaming(aims(book, 0.5, base="active"), NOW, BEFORE)
    assert [each.fires for each in named(found, "target rises by losing")] == [True]
    assert [each.fires for each in named(found, "target out of reach")] == [False]
    high = pitfalls.gaming(aims(book, 0.7), NOW, BEFORE)
    assert [each.fires for each in named(high, "target out of reach")] == [True]
    assert named(high, "target out of reach")[0].figures["reach"] == pytest.approx(2 / 3)
    unplanned = pitfalls.gaming(aims(book), NOW, BEFORE)
    assert {each.fires for each in unplanned} == {None}
    assert unplanned[0].lacks == ("a target",)


@pytest.mark.parametrize(("base", "fires"), [("active", True), ("all", False)])
def test_a_mean_of_active_accounts_that_rises_by_losing_the_weak_is_found(book, base, fires):
    strong = " ".join(f"A{n}x A{n}y" + (f" A{n}z" if n % 2 else "") for n in range(20))
    weak = " ".join(f"B{n}x" if n % 2 else f"B{n}" for n in range(20))
    targets = [{"quarter": NOW, "kpi": "account_penetration_degree", "value": 0.6}]
    small = book(f"{strong} {weak}", strong, products="xyz", base=base, engagement={"targets": targets})
    found = pitfalls.gaming(small, NOW, BEFORE)
    assert [each.fires for each in named(found, "target rises by losing")] == [fires]
    assert [each.fires for each in named(found, "target met by losing")] == [True]
    staying = book(f"{strong} {weak}", f"{strong} {weak}", products="xyz", base=base, engagement={"targets": targets})
    assert not any(each.fires for each in named(pitfalls.gaming(staying, NOW, BEFORE), "target rises by losing"))


def test_the_top_quarter_is_that_of_numpy():
    random = np.random.default_rng(5)
    pairs = pd.DataFrame({"possible": random.integers(1, 9, 200), "accounts": random.integers(1, 4, 200)})
    pairs["held"] = random.binomial(pairs["possible"], 0.5)
    each = np.repeat(pairs["held"] / pairs["possible"], pairs["accounts"])
    assert pitfalls.top_quarter(pairs) == np.percentile(each, 75, method="inverted_cdf")
    assert pitfalls.top_quarter(pairs.assign(possible=0)) is None


def test_a_large_catalogue_with_the_shipped_bands_is_found(book):
    wide = [f"p{n}" for n in range(16)]
    assert pitfalls.catalogue(book("A", products=wide), "2025Q1").fires
    assert not pitfalls.catalogue(book("A", products=wide[:15]), "2025Q1").fires
    own = {"bands": [{"name": "low"}, {"name": "high", "at_least": 20}]}
    assert not pitfalls.catalogue(book("A", products=wide, engagement=own), "2025Q1").fires
    assert pitfalls.SHIPPED_FOR == SHIPPED_FOR


@pytest.fixture(scope="module")
def northgate(tmp_path_factory):
    aims = "".join(
        f'[[targets]]\nquarter = "2025Q4"\nkpi = "account_penetration_degree"\nvalue = {value}\n{whose}\n'
        for value, whose in ((0.45, ""), (0.9, 'segment = { size = "Small" }'))
    )
    return kept.open_book(invented.write(tmp_path_factory.mktemp("northgate"), more=aims))


def test_all_checks_together_find_what_the_client_was_made_to_have(northgate):
    found = pitfalls.check(northgate, "2025Q4")
    fired = {(each.pitfall, each.about) for each in found if each.fires}
    assert ("owners who never offer", "") in fired
    assert ("target out of reach", "size: Small") in fired
    assert ("target out of reach", "") not in fired
    assert ("feedback missing", "") not in fired
    assert not [each for each in found if each.pitfall == "opposite movements" and each.fires]
    table = pitfalls.table(found)
    assert len(table) == len(found)
    assert table["fires"].sum() == len(fired)


def test_what_a_client_does_not_record_is_named_never_denied(tmp_path):
    bare = kept.open_book(invented.write(tmp_path, customers=40, without=tuple(invented.TABLES)))
    found = {each.pitfall: each for each in pitfalls.check(bare, "2023Q1")}
    assert found["owners who never offer"].lacks == ("opportunities",)
    assert found["feedback unused"].lacks == ("feedback", "interactions")
    assert found["mix shift"].lacks == ("an earlier complete quarter",)
    assert found["target out of reach"].lacks == ("a target",)
    assert all(each.fires is None for each in found.values() if each.lacks)
    assert found["feedback missing"].fires


def test_tenure_counts_from_joining_else_from_the_first_activity(northgate, book):
    table = pitfalls.by_tenure(northgate, "2025Q4")
    who = northgate.table("accounts").set_index("account_id")
    inside = counts.accounts(northgate, "2025Q4")
    joined = pd.to_datetime(who["joined_on"].reindex(inside["account_id"]))
    years = [min(3, pd.Timestamp("2026-01-01").year - each.year - ((each.month, each.day) > (1, 1))) for each in joined]
    degrees = (inside["held"] / inside["possible"]).groupby(years).agg(["mean", "count"])
    assert table.set_index("years")["mean"].to_dict() == pytest.approx(degrees["mean"].to_dict())
    assert table.set_index("years")["n"].to_dict() == degrees["count"].to_dict()
    small = book(*["A"] * 4, "Ax B", products="xy", engagement={"minimum_cell": 1})
    assert pitfalls.by_tenure(small, "2026Q1")[["years", "n"]].to_numpy().tolist() == [[0, 1], [1, 1]]


def test_who_is_there_as_the_data_begin_is_of_no_known_tenure_before_a_year_is_sure(book):
    """Active in a first quarter may mean since its last day, or for ten years."""
    young = book(*["A"] * 3, "Ax B", products="xy", engagement={"minimum_cell": 1})
    found = pitfalls.by_tenure(young, "2025Q4")
    assert found["n"].tolist() == [1, 1]
    assert found["years"].iloc[0] == 0
    assert found["years"].isna().iloc[1]


def test_an_empty_base_one_account_and_nothing_possible_alarm_nobody(book):
    empty = book("A~ B~", "A~", products="x", base="active")
    for odd in (empty, book("Ax", "Ax", products="x"), book("Ax-", products="x")):
        quarter = odd.quarters["label"].iloc[-1]
        fired = [each.pitfall for each in pitfalls.check(odd, quarter) if each.fires]
        assert fired in ([], ["feedback missing"])
    assert pitfalls.feedback_heard(empty, NOW).fires is None
    assert pitfalls.by_tenure(empty, NOW).empty
