"""Sentences are held against their numbers: sign, size, clarity, grammar, and words managers know."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpilib import captions, wording, written
from kpilib.errors import KpiError
from kpilib.wording import intake

NEVER_SAID = re.compile(  # said to managers
    r"\b(slots?|degrees?|pooled|stayers?|n\.s\.|base|clusters?|whitespace|account_id|None|nan)\b"
)
CAUSAL = re.compile(
    r"\b(because|caus\w+|drove|driv\w+|led to|due to|thanks to|result\w*|effect\w*|boost\w*|impact\w*)\b"
)


def row(**more):
    now = {
        "quarter": "2017Q4",
        "as_of": date(2017, 12, 31),
        "complete": True,
        "accounts": 2469,
        "nothing_possible": 0,
        "n": 2469,
        "mean": 0.54392242,
        "plan": None,
        "lost": 0,
        "joined": 0,
    }
    return now | more


def change(points=0.021, low=0.012, high=0.03, **more):
    found = {"against": "2016Q4", "points": points, "low": low, "high": high}
    same = dict.fromkeys(("same_accounts_n", "same_accounts", "same_low", "same_high"))
    return SimpleNamespace(**(found | same | more))


def segments(*rows):
    columns = ["group", "mean", "change", "low", "high", "contribution", "suppressed"]
    return pd.DataFrame(rows, columns=columns)


def products(*rows):
    columns = ["product_id", "attach_rate", "change", "low", "high", "held", "lapsing"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (row(), "the average customer has 54.4% of what it could buy (2,469 customers)."),
        (row(accounts=1, n=1), "54.4% of what it could buy (1 customer)."),
        (row(accounts=0, n=0, mean=None), "no customer is counted"),
        (row(accounts=3, n=0, mean=float("nan")), "none of 3 customers could buy any product"),
        (row(mean=0.99999), ">99.9%"),
        (row(mean=0.0), "0.0%"),
    ],
)
def test_where_it_stands(now, said):
    assert said in wording.stands(now)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (change(), "That is 2.1 points more than at the end of Q4 2016: a clear rise "
                   "(95% interval +1.2 to +3.0)."),
        (change(-0.021, -0.03, -0.012), "2.1 points less than at the end of Q4 2016: a clear fall "
                                        "(95% interval −3.0 to −1.2)."),
        (change(0.004, -0.003, 0.011), "0.4 points more than at the end of Q4 2016: no clear change "
                                       "(95% interval −0.3 to +1.1)."),
        (change(0.004, None, None), "; whether that is a clear change cannot be told."),
        (change(0.0, None, None), "That is practically the same as at the end of Q4 2016."),
        (change(None, None, None), "There is no complete figure for Q4 2016 to compare with."),
        (None, "There is no complete earlier quarter to compare with."),
    ],
)  # fmt: skip
def test_how_it_moved(found, said):
    assert said in wording.moved(found)


@given(st.floats(-1, 1), st.floats(0, 0.5), st.booleans())
def test_a_change_is_worded_with_its_sign_and_its_clarity(points, half, judged):
    low, high = (points - half, points + half) if judged else (None, None)
    found = change(points, low, high)
    for sentence in (wording.moved(found), captions.trend(row(), found)):
        assert (" more than" in sentence) == (points >= 0.00005) or "practically" in sentence
        assert (" less than" in sentence) == (points <= -0.00005) or "practically" in sentence
        assert "a clear rise" not in sentence or points - half > 0
        assert "a clear fall" not in sentence or points + half < 0
        assert "no clear change" not in sentence or (judged and points - half <= 0 <= points + half)


@given(st.floats(-1, 1))
def test_points_never_lose_or_turn_a_sign(difference):
    shown = written.points(difference)
    value = float(shown.replace("−", "-"))
    assert abs(value - 100 * difference) <= 0.05 + 1e-9
    assert value == 0 or (value > 0) == (difference > 0)
    assert "-" not in shown


@given(st.floats(0, 1))
def test_per_cent_reads_none_and_all_only_where_it_is_none_or_all(share):
    shown = written.per_cent(share)
    assert (shown == "0.0%") == (share == 0)
    assert (shown == "100.0%") == (share == 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"plan": None}, "No plan is given for Q4 2017."),
        ({"plan": float("nan")}, "No plan is given for Q4 2017."),
        ({"plan": Decimal("0.6"), "mean": 0.55}, "was 60.0%: penetration is 5.0 points below it."),
        ({"plan": 0.5, "mean": 0.55}, "was 50.0%: penetration is 5.0 points above it."),
        ({"plan": 0.55, "mean": 0.55}, "was 55.0%, and it is met to the digit."),
        ({"plan": 0.55, "mean": None}, "there is no penetration to hold against it."),
    ],
)
def test_the_plan(more, said):
    assert said in wording.plan(row(**more))


@given(st.floats(0.01, 0.99), st.floats(-0.3, 0.3))
def test_where_a_readers_subtraction_gives_another_change_it_says_so(now, difference):
    before = now - difference
    read = Decimal(f"{100 * now:.1f}") - Decimal(f"{100 * before:.1f}")
    told = wording.apart(difference, now)
    shown = re.match(r"([\d.]+) points", told)
    if shown and abs(difference) >= 0.0005:
        assert ("before rounding" in told) == (abs(read) != Decimal(shown[1]))


def test_rounded_parts_are_told_in_title_and_sentence():
    now, found = row(mean=0.3702), change(-0.0044, -0.02, 0.01)
    assert "0.4 points (before rounding) less than" in captions.trend(now, found)
    assert "0.4 points less than" in wording.answer(now, [found])[1]
    assert wording.answer(now, [found])[1].endswith("Figures are rounded, their difference is not.")
    assert "before rounding" not in captions.trend(row(mean=0.3706), change(-0.0044, -0.02, 0.01))
    told = wording.plan(row(mean=0.3746, plan=0.42049))
    assert "4.6 points below it. Figures are rounded, their difference is not." in told


def test_customers_we_had_both_times_are_told_where_they_tell_another_story():
    same = {"same_accounts_n": 2300, "same_accounts": -0.01, "same_low": -0.02, "same_high": -0.001}
    told = wording.answer(row(), [change(**same)])
    assert told[2] == (
        "Among the 2,300 customers we had both times it is 1.0 points less than then: a clear fall "
        "(95% interval −2.0 to −0.1)."
    )
    alike = {"same_accounts_n": 2300, "same_accounts": 0.0211, "same_low": 0.01, "same_high": 0.03}
    assert not any("both times" in each for each in wording.answer(row(), [change(**alike)]))


def test_then_is_the_quarter_told_just_before():
    same = {"same_accounts_n": 370, "same_accounts": 0.001, "same_low": -0.001, "same_high": 0.004}
    told = wording.answer(row(), [change(against="2017Q3", **same), change(0.3, 0.28, 0.32, against="2016Q4")])
    assert [("Q3 2017" in each, "than then" in each, "end of Q4 2016" in each) for each in told[1:4]] == [
        (True, False, False), (False, True, False), (False, False, True)
    ]  # fmt: skip


def test_the_answer_says_each_thing_once_and_in_order():
    told = wording.answer(row(), [None, None], "A reason.", None)
    assert told == [
        wording.stands(row()),
        "There is no complete earlier quarter to compare with.",
        "No plan is given for Q4 2017.",
        "A reason.",
    ]


RISE = change(same_accounts=0.02, same_low=0.01, same_high=0.03, same_accounts_n=100)
FALL = change(same_accounts=-0.02, same_low=-0.03, same_high=-0.01, same_accounts_n=100)
UNCLEAR = change(same_accounts=0.02, same_low=-0.01, same_high=0.05, same_accounts_n=100)
PARTS = segments(
    ("A", 0.5, 0.1, 0.05, 0.15, 0.015, False),
    ("B", 0.5, -0.1, -0.2, 0.0, -0.004, False),
    ("C", 0.5, 0.1, None, None, 0.009, False),
    ("D", 0.5, 0.3, None, None, 0.5, True),
)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RISE, "By region, A holds the largest part of the rise among customers we had both times: "
               "+1.5 of +2.0 points."),
        (FALL, "By region, B holds the largest part of the fall among customers we had both times: "
               "−0.4 of −2.0 points."),
        (UNCLEAR, None),
        (change(), None),
        (None, None),
    ],
)  # fmt: skip
def test_the_largest_part_moves_with_the_total_and_is_never_of_a_suppressed_group(found, said):
    assert wording.largest_part(PARTS, "region", found) == said


def test_the_largest_part_is_silent_where_no_group_moved_with_the_total():
    assert wording.largest_part(PARTS.iloc[[0, 3]], "region", FALL) is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("x", 0.5, 0.02, 0.01, 0.03, 5, 0), ("y", 0.5, -0.04, -0.06, -0.02, 5, 0)],
         "y changed most of all products, by −4.0 points in the share who have it: a clear fall"),
        ([("x", 0.5, 0.02, -0.01, 0.05, 5, 0)], "no product shows a clear change in the share who have it."),
        ([("x", 0.5, 0.02, -0.01, 0.05, 5, 0), ("y", 0.5, 0.01, 0.005, 0.02, 5, 0)],
         "y changed most of those that changed clearly, by +1.0"),
        ([("x", 0.5, -0.011, None, None, 5, 0), ("y", 0.5, -0.0112, None, None, 5, 0)],
         "Among customers counted both times, x (−1.1 points) and y (−1.1 points) changed most of all products"),
        ([(each, 0.5, -0.011, None, None, 5, 0) for each in "abcd"], None),
        ([("x", 0.5, 0.0, -0.01, 0.01, 5, 0)], None),
        ([("x", 0.5, None, None, None, 5, 0)], None),
    ],
)  # fmt: skip
def test_the_largest_product(rows, said):
    told = wording.largest_product(products(*rows))
    assert told is None if said is None else said in told


def test_a_product_that_few_customers_moved_is_no_headline():
    found = products(("x", 0.5, 0.02, 0.01, 0.03, 5, 0), ("y", 0.5, 0.01, 0.005, 0.02, 5, 0)).assign(n_both=[50, 500])
    told = "y changed most of those that changed by 5 customers or more, by +1.0"  # x: one customer; y: five
    assert told in wording.largest_product(found)
    assert wording.largest_product(found, 6) is None


def curve_of(n, *shares):
    rows = [(k, now, before, n, n) for k, (now, before) in enumerate(shares, 1)]
    return pd.DataFrame(rows, columns=["k", "share", "share_before", "n", "n_before"])


@pytest.mark.parametrize(
    ("table", "against", "said"),
    [
        (curve_of(1000, (0.9, 0.9), (0.5, 0.6)), change(-0.1, -0.2, -0.05),
         "The share of customers with at least 2 products fell most: from 60.0% to 50.0%"),
        (curve_of(1000, (0.9, 0.9), (0.5, 0.6)), change(-0.1, -0.2, 0.05),
         "Half of the customers or more have at least 2 products; penetration shows no clear change"),
        (curve_of(89, (0.9, 0.9), (80 / 89, 81 / 89)), None,
         "Half of the customers or more have at least 2 products"),
        (curve_of(1000, (0.9, 0.911), (0.5, 0.5), (0.034, 0.045)), None,
         "The shares of customers with at least 1 and with at least 3 products fell most, each by 1.1 points"),
        (curve_of(1000, (0.9, 0.92), (0.5, 0.48)), None, "Half of the customers or more have at least 2 products"),
        (curve_of(1000, (0.9, 0.92), (0.6, 0.62), (0.3, 0.32)), None,
         "Half of the customers or more have at least 2 products"),
    ],
)  # fmt: skip
def test_the_curve_claims_no_most_on_ties_few_customers_or_chance(table, against, said):
    assert captions.curve(table, against) == said


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        (wording.incomplete(pd.DataFrame({"quarter": ["2017Q4"], "complete": [True]})), None),
        (wording.incomplete(pd.DataFrame({"quarter": ["2017Q3"], "complete": [False]})),
         "Q3 2017 is not complete: the data do not cover all the time it looks back on. It is left out"),
        (wording.incomplete(pd.DataFrame({"quarter": ["2017Q2", "2017Q3"], "complete": False})),
         "Q2 2017 and Q3 2017 are not complete: the data do not cover all the time they look back on."),
        (wording.nothing_possible(row()), None),
        (wording.nothing_possible(row(nothing_possible=1)), "1 customer could buy nothing and is left"),
        (wording.nothing_possible(row(nothing_possible=2)), "2 customers could buy nothing and are left"),
        (wording.come_and_gone(row(lost=None, joined=None)), None),
        (wording.come_and_gone(row(lost=1, joined=0)),
         "1 customer is no longer counted and none is new"),
        (wording.come_and_gone(row(lost=112, joined=1)),
         "112 customers are no longer counted and 1 is new"),
        (wording.small_groups(PARTS.head(3)), None),
        (wording.small_groups(PARTS, 10), "1 group with fewer than 10 customers is not shown"),
        (wording.by_chance(pd.concat([PARTS] * 4)), None),
        (wording.by_chance(pd.concat([PARTS] * 5)), "10 groups are compared: about 1 in 20 looks clear"),
        (wording.large_catalogue(15), None),
        (wording.large_catalogue(18), "not made for a catalogue of 18 products: with more than 15"),
        (wording.large_catalogue(18, shipped_bands=False), None),
        (wording.undated([]), None),
        (wording.undated(["income"]), "Income has no dates: its latest values apply"),
        (wording.undated(["household_size"]), "Household size has no dates"),
        (wording.undated(["income", "age"]), "Income and age have no dates: their latest values apply"),
        (wording.all_possible(2), None),
        (wording.all_possible(0), "every product counts as possible for every customer"),
        (wording.at_risk(products(("x", 1, 0, 0, 0, 9, None)), [12]), None),
        (wording.at_risk(products(("x", 1, 0, 0, 0, 9, 0)), [12]), None),
        (wording.at_risk(products(("x", 1, 0, 0, 0, 9, 2), ("y", 1, 0, 0, 0, 1, 1)), [12]),
         "In 3 of 10 cases where a customer has a product"),
        (wording.index_reading(0.28, "opportunities", 0.9),
         "28.0% of the recorded sales opportunities are won. 90.0% of what customers have"),
        (wording.index_reading(None, "opportunities"), "needs a record of sales opportunities"),
        (wording.index_reading(0.99, "engaged"), "read as asked as the share of customers with two"),
    ],
)  # fmt: skip
def test_caveats(sentence, said):
    assert sentence is None if said is None else said in sentence


@pytest.mark.parametrize(
    ("title", "said"),
    [
        (captions.trend(row()), "The average customer has 54.4% of what it could buy at the end of Q4 2017"),
        (captions.trend(row(), change()),
         "The average customer has 54.4% of what it could buy, 2.1 points more than in Q4 2016: "
         "a clear rise"),
        (captions.trend(row(mean=None)), "No penetration can be given for Q4 2017"),
        (captions.curve(pd.DataFrame({"k": [1, 2], "share": [1.0, 0.5], "share_before": [0.9, 0.8]})),
         "The share of customers with at least 2 products fell most: from 80.0% to 50.0%"),
        (captions.curve(pd.DataFrame({"k": [1, 2], "share": [1.0, 0.5], "share_before": [0.9, 0.5]})),
         "The share of customers with at least 1 product rose most: from 90.0% to 100.0%"),
        (captions.curve(pd.DataFrame({"k": [1], "share": [0.5], "share_before": [0.5]})),
         "Customers have as many products as before"),
        (captions.curve(pd.DataFrame({"k": [1, 2], "share": [1.0, 0.5], "share_before": [None] * 2})),
         "Half of the customers or more have at least 2 products"),
        (captions.curve(pd.DataFrame({"k": [1], "share": [0.1], "share_before": [None]})),
         "Fewer than half of the customers have any product"),
        (captions.segments(PARTS), "Clear rise in A; no clear change in 1 other group; not judged: 1 group"),
        (captions.segments(PARTS.assign(high=-0.01, low=-0.02)), "Clear fall in A, B and C"),
        (captions.segments(PARTS.assign(low=-1, high=1)),
         "No group shows a clear change; all have 50.0%"),
        (captions.segments(PARTS.head(3).assign(low=-1, high=1, mean=[0.5042, 0.1, 0.5038])),
         "No group shows a clear change; A and C lead with 50.4%, B is last with 10.0%"),
        (captions.segments(PARTS.head(3).assign(low=None, high=None, mean=[0.1, 0.5, 0.1])),
         "B leads with 50.0%, A and C are last with 10.0%"),
        (captions.segments(PARTS.assign(low=None, high=None, mean=[0.1, 0.3, 0.2, 0.9])),
         "B leads with 30.0%, A is last with 10.0%"),
        (captions.segments(PARTS.assign(low=None, high=None, mean=[0.1, 0.3, 0.2, 0.9],
                                        group=["(not given)", "B", "C", "D"])),
         "Of the groups given, B leads with 30.0%, C is last with 20.0%"),
        (captions.segments(PARTS.tail(1)), "No group is large enough to be shown"),
        (captions.segments(PARTS.head(0)), "There are no groups to show"),
        (captions.products(products(("x", 0.9, 0, -1, 1, 9, 0), ("y", 0.1, 0, -1, 1, 1, 0))),
         "No product shows a clear change; x leads with 90.0%, y is last with 10.0%"),
        (captions.products(products(*((each, 0.5, 0.1, 0.05, 0.15, 9, 0) for each in "abcd"))),
         "Clear rise in 4 products"),
        (captions.products(products(("x", None, 0, 0, 0, 0, 0))),
         "No product could be bought by any customer"),
        (captions.bands(pd.DataFrame({"band": ["low"], "accounts": [1], "share": [1.0],
                                      "accounts_before": [None]})),
         "1 customer (100.0%) is in the lowest band, “low”"),
        (captions.bands(pd.DataFrame({"band": ["low", "high"], "accounts": [786, 50],
                                      "share": [0.94, 0.06], "accounts_before": [812, 3]})),
         "786 customers (94.0%) are in the lowest band, “low”; before, 812"),
        (captions.bands(pd.DataFrame({"band": ["low", "high"], "at_least": [None, 50], "above": None,
                                      "accounts": [2, 1], "share": [2 / 3, 1 / 3]}), fitting=False),
         "2 customers (66.7%) have below 50% of what they could buy"),
        (captions.bands(pd.DataFrame({"band": ["low", "high"], "accounts": [4, 50], "share": [4 / 54, 50 / 54],
                                      "accounts_before": [3, 51]}), minimum=5),
         "Fewer than 5 customers are in the lowest band, “low”; before, <5"),
        (captions.bands(pd.DataFrame({"band": ["low"], "accounts": [0], "share": [None]})),
         "No customer is counted in any band"),
        (captions.months(pd.DataFrame({"month": ["2017-01", "2017-02"], "flagged": False})),
         "Every month from January 2017 to February 2017 has lines"),
        (captions.months(pd.DataFrame({"month": ["2017-01"], "flagged": [False]})), "January 2017 has lines"),
        (captions.months(pd.DataFrame({"month": ["2017-01", "2017-02"], "flagged": [True, False]})),
         "1 of 2 months has no lines: January 2017"),
        (captions.months(pd.DataFrame({"month": [date(2017, 1, 1)] * 2, "flagged": True})),
         "2 of 2 months have no lines: January 2017 and January 2017"),
        (captions.months(pd.DataFrame({"month": [], "flagged": []})), "No month was delivered"),
    ],
)  # fmt: skip
def test_titles(title, said):
    assert title == said


def totals(*rows):
    return pd.DataFrame(rows, columns=["rows_read", "rows_set_aside", "revenue_set_aside"])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (totals((1469307, 5367, Decimal("17000.1"))),
         "5,367 of 1,469,307 rows (0.4%), USD 17,000.10 of revenue, are set aside"),
        (totals((10, 1, None), (10, 0, None)), "1 of 20 rows (5.0%) is set aside"),
        (totals((7, 0, None)), "All 7 rows read are used"),
        (totals((1, 0, None)), "The row read is used"),
        (totals((0, 0, None)), "No row was read"),
    ],
)  # fmt: skip
def test_the_reconciliation_title(table, said):
    assert captions.reconciliation(table, "USD") == said


def test_the_definition_box_says_who_is_counted_and_what_counts():
    assert wording.definition(row(n=1), "active", 12, ["sales"], 18)["Who is counted"] == (
        "Customers with any revenue in the 12 months to 31 December 2017"
    )
    box = wording.definition(row(n=1), "active", 12, ["sales", "installed", "sales"], 18)
    assert box["Who is counted"].endswith(
        "2017, or with anything that runs, is installed or is on the client's own list that day"
    )
    assert box["What counts as having"].count("; or it was bought once") == 1
    assert box["As of"] == "31 December 2017 (end of Q4 2017)"
    assert box["n"] == "1 customer"


def test_a_note_says_who_is_counted_and_who_is_left_out():
    note = wording.counted(row(n=9, nothing_possible=1), "eligible", 12)
    assert note.startswith(
        "n = 9 customers at the end of Q4 2017: customers on file who could buy at least one product."
    )
    assert note.endswith("1 customer could buy nothing and is left out of the average.")


def test_a_subtitle_names_both_periods():
    assert captions.subtitle("bands", "2017Q4", "2016Q4").endswith("number, Q4 2017 and Q4 2016")
    with pytest.raises(KpiError, match="Did you mean 'trend'"):
        captions.subtitle("trends", "2017Q4")


def controls(*rows):
    columns = ["quarter", "total", "stated", "measured", "difference"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        (intake.usable(0.0, 0.05), "can carry the figures: everything that was read is used."),
        (intake.usable(0.0, 0.05, doubted=True), "but look at what is counted with a doubt: everything that was read"),
        (intake.usable(0.0042, 0.05), "is set aside, and up to 5.0% is allowed."),
        (intake.unusable(0.12, 0.05), "cannot carry the figures as they are: 12.0% of the revenue read"),
        (intake.usable(0.12, 0.05), "cannot carry the figures as they are: 12.0% of the revenue read"),
        (intake.agree(controls()), None),
        (intake.agree(controls(("2017Q4", "revenue", 1, 1, Decimal(0)))),
         "Finance states 1 total, and it is met."),
        (intake.agree(controls(("2017Q4", "revenue", 1, 2, 1), ("2017Q4", "accounts", 1, 1, 0))),
         "Finance states 2 totals; 1 is not met: revenue of Q4 2017."),
        (wording.provisional(row()), None),
        (wording.provisional(row(complete=False)), "do not cover all the time that Q4 2017 looks back on"),
    ],
)  # fmt: skip
def test_whether_the_data_can_carry_it(sentence, said):
    assert sentence is None if said is None else said in sentence


@pytest.mark.parametrize(
    ("plan", "mean", "note"),
    [(0.6, 0.55, "Q4 2017: we are 5.0 points below"), (0.5, 0.55, "Q4 2017: we are 5.0 points above"),
     (0.55, 0.55, "Q4 2017: met"), (0.5, None, "Q4 2017")],
)  # fmt: skip
def test_the_headline_of_the_plan_tells_the_distance(plan, mean, note):
    shown = {each["label"]: each["note"] for each in captions.cards(row(mean=mean, plan=plan), [])}
    assert shown["Plan"] == note


def test_headline_figures_leave_out_what_is_not_there():
    few = captions.cards(row(mean=None, n=0), [])
    assert few == [{"label": "Account penetration", "value": "–", "note": "0 customers"}]
    now = row(plan=0.6, multi=0.995, revenue_quarter=Decimal("1194791.08"))
    assert [(each["label"], each["value"]) for each in captions.cards(now, [change()], "USD")] == [
        ("Account penetration", "54.4%"),
        ("Change on Q4 2016", "+2.1 points"),
        ("Plan", "60.0%"),
        ("Two products or more", "99.5%"),
        ("Revenue of the quarter", "USD 1,194,791"),
    ]
    assert captions.cards(now, [])[-1]["note"] == "Q4 2017, of these customers"  # who left meanwhile brought some too


def everything_said():
    both = {"same_accounts_n": 5, "same_accounts": -0.01, "same_low": -0.02, "same_high": 0.01}
    changes = [change(), change(-0.021, -0.03, -0.012, **both), change(0.0, 0, 0), change(None)]
    for each in changes:
        yield from wording.answer(row(plan=0.6), [each])
        yield captions.trend(row(), each)
        yield wording.same_customers(each) or ""
    yield from (wording.largest_part(PARTS, "region", RISE), captions.segments(PARTS))
    table = products(("x", 0.5, 0.02, 0.01, 0.03, 5, 3))
    yield from (wording.largest_product(table), captions.products(table), wording.at_risk(table, [12]))
    for kind in wording.COUNTED:
        yield from wording.definition(row(), kind, 12, list(wording.PROVES), 18).values()
        yield wording.counted(row(nothing_possible=2), kind, 12)
    yield from (captions.subtitle(each, "2017Q4", "2016Q4") for each in captions.SUBTITLES)
    yield from (wording.index_reading(0.2, each, 0.5) for each in ("engaged", "opportunities"))
    yield from (wording.large_catalogue(18), wording.undated(["age"]), wording.all_possible(0))
    yield wording.by_chance(pd.concat([PARTS] * 5))
    yield from (wording.small_groups(PARTS), wording.come_and_gone(row()))
    yield from (wording.provisional(row(complete=False)), intake.usable(0.1, 0.05))
    yield intake.agree(controls(("2017Q4", "accounts", 1, 2, 1)))
    yield wording.incomplete(pd.DataFrame({"quarter": ["2017Q3"], "complete": [False]}))


@pytest.mark.parametrize("sentence", sorted(set(filter(None, everything_said()))))
def test_managers_meet_no_word_of_ours_and_no_cause_is_claimed(sentence):
    assert not NEVER_SAID.search(sentence)
    assert not CAUSAL.search(sentence)
    assert "  " not in sentence
    assert "-" not in re.sub(r"look-back|\w-\w", "", sentence)  # a minus is a minus sign


@pytest.mark.parametrize(
    ("written_down", "said"),
    [
        (written.money(Decimal("0.005"), "USD"), "USD 0.00"),
        (written.money(Decimal("1234567.895")), "1,234,567.90"),
        (written.money(None, "USD"), "–"),
        (written.count(Decimal("1469307")), "1,469,307"),
        (written.quarter("2017Q4"), "Q4 2017"),
        (written.quarter("plan"), "plan"),
        (written.day(None), "–"),
        (written.month(pd.Timestamp("2017-03-01")), "March 2017"),
        (written.per_cent(-0.012), "−1.2%"),
        (written.name("\u202eevil\u202c\u200d"), "evil\u200d"),
        (written.name(None), "(no name)"),
        (written.several([]), ""),
    ],
)
def test_numbers_and_names(written_down, said):
    assert written_down == said
