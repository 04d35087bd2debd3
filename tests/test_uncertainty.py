"""Intervals against scipy, published check values and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kpilib.measures import uncertainty
from kpilib.measures.uncertainty import Estimate

ROUNDING = 1e-12  # both sides compute the same thing in another order

shares = st.integers(0, 12).map(lambda k: k / 12)
whole = st.integers(1, 9)


def spread(values, accounts):
    """Give every account its own row."""
    return np.repeat(np.asarray(values, float), accounts)


@given(st.lists(st.tuples(shares, shares, whole), min_size=2, max_size=12))
def test_paired_t_is_that_of_scipy_on_one_row_per_account(rows):
    before, after, accounts = zip(*rows, strict=True)
    found = uncertainty.paired(before, after, accounts)
    change = spread(after, accounts) - spread(before, accounts)
    assert found.value == pytest.approx(change.mean(), abs=ROUNDING)
    if change.std() < 1e-9:
        assert found.interval is None
        return
    oracle = stats.ttest_rel(spread(after, accounts), spread(before, accounts))
    assert found.interval == pytest.approx(tuple(oracle.confidence_interval()), abs=1e-9)


@given(
    st.lists(st.tuples(shares, whole), min_size=2, max_size=8),
    st.lists(st.tuples(shares, whole), min_size=2, max_size=8),
)
def test_welch_is_that_of_scipy_on_one_row_per_account(one, other):
    (values, accounts), (others, other_accounts) = zip(*one, strict=True), zip(*other, strict=True)
    found = uncertainty.between(values, accounts, others, other_accounts)
    rows, other_rows = spread(values, accounts), spread(others, other_accounts)
    assert found.value == pytest.approx(rows.mean() - other_rows.mean(), abs=ROUNDING)
    if min(rows.std(), other_rows.std()) < 1e-9:  # scipy warns where one of them is constant
        assert (found.interval is None) == (max(rows.std(), other_rows.std()) < 1e-9)
        return
    oracle = stats.ttest_ind(rows, other_rows, equal_var=False).confidence_interval()
    assert found.interval == pytest.approx(tuple(oracle), abs=1e-9)


@pytest.mark.parametrize(
    ("table", "low", "high"),  # a, b, c, d of statistics.md; the second is Altman 2000, table 6.2
    [
        ((1, 1, 7, 12), 0.0256, 0.5069),
        ((14, 5, 0, 22), -0.2265, -0.0115),
        ((36, 12, 2, 0), -0.3404, -0.0569),
    ],
)
def test_newcombe_gives_the_published_limits(table, low, high):
    found = uncertainty.share_change(*table)
    assert found.interval == pytest.approx((low, high), abs=5e-5)


@given(*[st.integers(0, 40)] * 4)
def test_newcombe_turns_round_with_time_and_stays_within_minus_one_and_one(a, b, c, d):
    there, back = uncertainty.share_change(a, b, c, d), uncertainty.share_change(a, c, b, d)
    if there.interval is None:
        assert back.interval is None
        return
    assert there.interval == pytest.approx((-back.high, -back.low), abs=ROUNDING)
    assert -1 <= there.low <= there.value <= there.high <= 1


def test_a_ratio_is_linearised_over_the_union_of_accounts():
    # held / possible: 1/2, 2/2 then 2/2, 2/2; a third account joins with 0/4
    found = uncertainty.ratio_change(([1, 2, 0], [2, 2, 0]), ([2, 2, 0], [2, 2, 4]), [1, 1, 1])
    # P0 = 3/4, P1 = 4/8; u = (y1 - P1 d1)/(8/3) - (y0 - P0 d0)/(4/3)
    # A: (2-1)/(8/3) - (1-1.5)/(4/3) = .375 + .375; B: .375 - .375; C: -2/(8/3) = -.75
    u = np.array([0.75, 0.0, -0.75])
    reach = stats.t.ppf(0.975, 2) * u.std(ddof=1) / np.sqrt(3)
    assert found.n == 3
    assert found.value == pytest.approx(-0.25)
    assert found.interval == pytest.approx((-0.25 - reach, -0.25 + reach))


def test_the_ratio_of_degrees_among_the_same_accounts_is_the_paired_t():
    before, after, accounts = [0.5, 0.25, 1.0], [0.75, 0.5, 0.5], [3, 2, 1]
    ones = [1, 1, 1]
    ratio = uncertainty.ratio_change((before, ones), (after, ones), accounts)
    paired = uncertainty.paired(before, after, accounts)
    assert (ratio.value, *ratio.interval) == pytest.approx((paired.value, *paired.interval))


def test_accounts_that_could_hold_nothing_at_either_time_change_no_interval():
    sides = ([1, 2], [2, 2]), ([2, 2], [2, 2])
    more = ([1, 2, 0], [2, 2, 0]), ([2, 2, 0], [2, 2, 0])
    assert uncertainty.ratio_change(*sides, [5, 4]) == uncertainty.ratio_change(*more, [5, 4, 99])


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (uncertainty.paired([0.2], [0.5], [1]), 0.3),  # one account
        (uncertainty.paired([0.2, 0.4], [0.2, 0.4], [7, 5]), 0.0),  # nobody moved
        (uncertainty.paired([1 / 3, 2 / 3], [2 / 3, 1], [7, 5]), 1 / 3),  # all moved alike
        (uncertainty.share_change(0, 0, 1, 0), 1.0),  # one account
        (uncertainty.share_change(5, 0, 0, 9), 0.0),  # nobody moved
        (uncertainty.share_change(0, 0, 8, 0), 1.0),  # all moved alike
        (uncertainty.ratio_change(([1], [2]), ([2], [2]), [1]), 0.5),  # one account
        (uncertainty.between([0.5], [9], [0.25], [9]), 0.25),  # no variance in either
        (uncertainty.between([0.5, 1.0], [9, 9], [0.25], [1]), 0.5),  # one account
    ],
)
def test_fewer_than_two_accounts_or_no_variance_leave_no_interval(found, value):
    assert found.value == pytest.approx(value)
    assert found.interval is None


def test_nothing_to_compare_is_undefined_not_zero():
    assert uncertainty.paired([], [], []) == Estimate(None, None, None, 0)
    assert uncertainty.share_change(0, 0, 0, 0) == Estimate(None, None, None, 0)
    assert uncertainty.between([], [], [0.5], [3]).value is None
    assert uncertainty.ratio_change(([0], [0]), ([1], [2]), [4]).value is None
