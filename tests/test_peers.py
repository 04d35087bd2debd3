"""What is good here: percentiles against numpy, shrinkage by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpilib import peers
from kpilib.errors import DataError
from kpilib.measures import degree


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=12))
def test_percentiles_are_those_of_numpy(rows):
    rows = [(possible, min(held, possible), accounts) for possible, held, accounts in rows]
    pairs = pd.DataFrame(rows, columns=["possible", "held", "accounts"])
    degrees = np.repeat(pairs["held"] / pairs["possible"], pairs["accounts"])
    found = degree.percentile(pairs, peers.QUARTILE)
    assert float(found) == pytest.approx(np.quantile(degrees, 0.75), abs=1e-12)


def test_small_segments_are_drawn_towards_all_accounts(book):
    text = "Aa Ab Ba C D"
    small = book(text, products=["a", "b"], attributes={"size": {"A": "S", "B": "S", "C": "L", "D": None}})
    found = peers.peer_reference(small, "2025Q1", "size").set_index("group")
    assert found.index.tolist() == ["L", "S", "(not given)"]
    overall = Fraction(5, 8)  # of 0 0 1/2 1: a quarter of the way from 1/2 to 1
    assert found["overall"].tolist() == [float(overall)] * 3
    own = {"S": Fraction(7, 8), "L": Fraction(0), "(not given)": Fraction(0)}
    for group, n in (("S", 2), ("L", 1), ("(not given)", 1)):
        assert found.loc[group, "n"] == n
        assert found.loc[group, "own"] == float(own[group])
        expected = (own[group] * n + overall * 20) / (n + 20)
        assert found.loc[group, "peer_reference"] == float(expected)
    assert found["suppressed"].all()


def test_a_segment_without_any_degree_has_the_overall_reference(book):
    found = peers.peer_reference(
        book("Aa Ba- C", products=["a"], attributes={"size": {"A": "S", "B": "L", "C": "S"}}), "2025Q1", "size"
    ).set_index("group")
    assert found.loc["L", "n"] == 0
    assert pd.isna(found.loc["L", "own"])
    assert found.loc["L", "peer_reference"] == found.loc["L", "overall"] == 0.75


def test_unknown_attributes_are_refused(book):
    with pytest.raises(DataError, match="no attribute 'size'"):
        peers.peer_reference(book("Aa"), "2025Q1", "size")
