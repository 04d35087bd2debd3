"""Before and after: as reported and like for like, intervals by other people's code, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from kpilib import comparison
from kpilib.errors import DataError

NAMES = "ABCDEFGHIJKL"  # twelve customers: the least a comparison takes is ten
EARLIER = "Ax Bx By Cx D Ex Fx Fy G Hx Ix Jy K"
LATER = "Ax Ay Bx By Cx Cy D Ex Fx Gx Hx Ix Iy Jx Jy Lx Ly Lz"
QUARTERS = ("2025Q1", "2025Q2")
HAD = {"A": 1, "B": 2, "C": 1, "D": 0, "E": 1, "F": 2, "G": 0, "H": 1, "I": 1, "J": 1}
HAS = {"A": 2, "B": 2, "C": 2, "D": 0, "E": 1, "F": 1, "G": 1, "H": 1, "I": 2, "J": 2}


@pytest.fixture(scope="module")
def subject(book):
    revenue = {name: str(400 * (n + 1)) for n, name in enumerate(NAMES)}
    region = {name: "north" if name < "F" else "south" for name in NAMES}
    late = {"2025Q1": ["Ax", "Bx", "Kx"], "2025Q2": ["Cy"]}
    options = {"products": ["x", "y", "z"], "revenue": revenue, "attributes": {"region": region}, "lapsing": late}
    return book(EARLIER, LATER, **options)


def rows(subject, kpi, **options):
    return comparison.before_after(subject, *QUARTERS, kpi, **options).set_index("reading")


def test_the_degree_as_reported_and_of_the_same_customers(subject):
    found = rows(subject, "account_penetration_degree")
    assert found.loc["as_reported", "before"] == pytest.approx(10 / 33)  # 10 held by eleven of three possible
    assert found.loc["as_reported", "after"] == pytest.approx(17 / 33)
    same = found.loc["same_accounts"]
    assert (same["before"], same["after"]) == pytest.approx((10 / 30, 14 / 30))
    assert same["per_cent"] == pytest.approx(0.4)
    assert (same["n_before"], same["n_after"], same["n_both"]) == (10, 10, 10)
    assert list(found["n_both"]) == [10, 10, 10]


def test_the_same_customers_get_a_paired_t_interval(subject):
    expected = stats.ttest_rel(*([each[name] / 3 for name in HAD] for each in (HAS, HAD))).confidence_interval()
    found = rows(subject, "account_penetration_degree").loc["same_accounts"]
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["method"] == "paired t"


def test_products_per_customer_are_three_times_the_degree_of_three_products(subject):
    degree, products = (rows(subject, kpi) for kpi in ("account_penetration_degree", "products_per_account"))
    for what in ("before", "after", "change", "low", "high"):
        assert products.loc["same_accounts", what] == pytest.approx(3 * degree.loc["same_accounts", what])


def test_a_share_of_customers_with_two_products(subject):
    found = rows(subject, "multi_product_share(2)")
    assert (found.loc["as_reported", "before"], found.loc["as_reported", "after"]) == (2 / 11, 6 / 11)
    same = found.loc["same_accounts"]
    assert (same["before"], same["after"], same["method"]) == (0.2, 0.5, "Newcombe 10")
    # both 1 (B), lost 1 (F), gained 4 (A C I J), neither 4: Wilson limits .0567-.5098 and .2366-.7634, no phi
    wilson = [stats.binomtest(k, 10).proportion_ci(0.95, method="wilson") for k in (2, 5)]
    down = ((0.5 - wilson[1].low) ** 2 + (wilson[0].high - 0.2) ** 2) ** 0.5
    up = ((wilson[1].high - 0.5) ** 2 + (0.2 - wilson[0].low) ** 2) ** 0.5
    assert (same["low"], same["high"]) == pytest.approx((0.3 - down, 0.3 + up))


def test_an_attach_rate_counts_whoever_could_hold_the_product(book):
    names = [f"A{n}" for n in range(12)]
    before = " ".join(f"{name}x" for name in names[:6]) + " " + " ".join(f"{name}x-" for name in names[6:])
    after = " ".join(f"{name}x" for name in names[:3]) + " " + " ".join(names[3:])
    subject = book(before, after, products=["x", "y"], engagement={"minimum_cell": 2})
    with pytest.raises(DataError, match="Only 6 customers are counted both"):
        comparison.before_after(subject, *QUARTERS, "attach_rate(x)")
    both = " ".join(names)
    found = rows(book(f"{both} A0x A1x", f"{both} A0x", products=["x", "y"]), "attach_rate(x)")
    assert (found.loc["as_reported", "before"], found.loc["as_reported", "after"]) == pytest.approx((2 / 12, 1 / 12))
    assert (found.loc["same_accounts", "change"]) == pytest.approx(-1 / 12)


def test_like_for_like_leaves_a_launched_product_out(book):
    held = " ".join(f"A{n}x" for n in range(10))
    closed = " ".join(f"A{n}y-" for n in range(10))
    subject = book(f"{held} {closed}", held, products=["x", "y"], launched={"y": "2025-05-01"})
    found = rows(subject, "account_penetration_degree")["change"]
    assert found.tolist() == [-0.5, -0.5, 0.0]
    pooled = rows(subject, "account_penetration_degree(pooled)")["change"]
    assert pooled.tolist() == [-0.5, -0.5, 0.0]


def test_revenue_per_customer(subject):
    found = rows(subject, "revenue_quarter")
    assert found.loc["as_reported", "before"] == pytest.approx(sum(100 * n for n in range(1, 12)) / 11)
    assert found.loc["same_accounts", "change"] == 0
    assert "same_accounts_and_products" not in found.index


def test_growth_counts_lost_customers_as_nothing(subject):
    found = rows(subject, "existing_account_growth(quarter)").iloc[0]
    assert (found["before"], found["after"]) == (6600, 5500)  # K earned 1,100 and left; L is new
    assert found["change"] == pytest.approx(5500 / 6600 - 1)
    assert found["low"] < found["change"] < found["high"]
    with pytest.raises(DataError, match="both periods of equal length"):
        rows(subject, "existing_account_growth")


def test_groups_partition_the_customers(subject):
    found = comparison.before_after(subject, *QUARTERS, "products_per_account", by="region")
    same = found[found["reading"] == "same_accounts"]
    assert same["group"].tolist() == ["north", "south"]
    assert same["n_both"].tolist() == [5, 5]
    assert same["suppressed"].all()  # fewer than ten
    assert (same["change"] * same["n_both"]).sum() == pytest.approx(4)


def test_a_given_set_of_customers(subject):
    few = rows(subject, "products_per_account", accounts=[*"ABCDEFGHIJ", "unheard of"])
    assert few["change"].tolist() == pytest.approx([0.4] * 3)


def test_a_segment_is_held_against_all_others_by_welch(subject):
    north, south = ([HAS[name] - HAD[name] for name in names] for names in ("ABCDE", "FGHIJ"))
    expected = CompareMeans(DescrStatsW(north), DescrStatsW(south)).tconfint_diff(usevar="unequal")
    found = comparison.apart(subject, *QUARTERS, "region", "products_per_account").iloc[0]
    assert (found["low"], found["high"]) == pytest.approx(expected)
    assert (found["change"], found["change_of_others"]) == pytest.approx((0.4, 0.4))
    with pytest.raises(DataError, match="no mean over accounts"):
        comparison.apart(subject, *QUARTERS, "region", "account_penetration_degree(pooled)")


def test_at_risk_counts_what_the_base_still_holds(subject):
    found = comparison.at_risk(subject, *QUARTERS)
    assert found["held"].tolist() == [10, 17]
    assert found["lapsing"].tolist() == [2, 1]  # K holds no x
    assert found["share"].tolist() == [0.2, 1 / 17]


def test_without_sales_nothing_is_at_risk(book):
    assert comparison.at_risk(book("Ax", "Ax"), *QUARTERS) is None


@pytest.mark.parametrize(
    ("before", "after", "growth", "parts", "per_held"),
    [(0.45, 0.75, 0.25, (58.33, -33.33), -25.0), (0.12, 0.28, 0.15, (99.52, -84.52), -50.7)],
)
def test_what_the_published_cases_imply(before, after, growth, parts, per_held):
    found = comparison.implied(before, after, growth)
    assert (round(100 * found.penetration, 2), round(100 * found.per_held, 2)) == parts
    assert found.penetration + found.per_held == pytest.approx(growth, abs=1e-12)
    assert round(100 * found.per_held_change, 1) == per_held


def test_an_added_product_earned_three_eighths_of_the_old():
    assert comparison.implied(0.45, 0.75, 0.25).added_worth == pytest.approx(0.375)
    assert comparison.implied(0.5, 0.5, 0.1).added_worth is None
    with pytest.raises(DataError, match="Nothing follows"):
        comparison.implied(45, 75, 0.25)


def test_refusals_give_the_reason(subject, book):
    def refused(words, *args, **options):
        with pytest.raises(DataError, match=words):
            comparison.before_after(*args, **options)

    refused("2025Q2 is not before 2025Q1", subject, *QUARTERS[::-1])
    refused("2025Q1 is incomplete", book(EARLIER, LATER, incomplete=["2025Q1"]), *QUARTERS)
    refused("No customer is counted both in 2025Q1 and in 2025Q2", book("Ax", "Bx"), *QUARTERS)
    refused("Only 2 customers are counted both", subject, *QUARTERS, accounts=["A", "B"])
    refused("base: active before, all after", subject, *QUARTERS, before=subject.counting("active"))
    refused("no form per account", subject, *QUARTERS, "account_penetration_index")
    refused("Did you mean 'attach_rate'", subject, *QUARTERS, "attach_rat(x)")
    refused("Name the product", subject, *QUARTERS, "attach_rate")
    refused("'q' is not in the catalogue", subject, *QUARTERS, "attach_rate(q)")
    refused("The client gives no revenue", book(EARLIER, LATER), *QUARTERS, "revenue_quarter")
    refused("no attribute 'size'", subject, *QUARTERS, by="size")


def test_a_larger_minimum_cell_is_kept(book):
    strict = book(EARLIER, LATER, engagement={"minimum_cell": 11})
    assert "Fewer than 11" in comparison.refusal(strict, *QUARTERS)


def test_what_can_be_compared_is_not_refused(subject):
    assert comparison.refusal(subject, *QUARTERS) is None
    assert comparison.before_after(subject, *QUARTERS, before=subject) is not None


def test_nothing_held_and_everything_held(book):
    names = [f"A{n}" for n in range(10)]
    found = rows(book(" ".join(names), " ".join(f"{each}x" for each in names), products=["x"]), comparison.DEGREE)
    assert found["before"].tolist() == [0, 0, 0]
    assert found["change"].tolist() == [1, 1, 1]
    assert found[["low", "high", "per_cent"]].isna().all(axis=None)


def test_results_are_tables_of_plain_columns(subject):
    found = comparison.before_after(subject, *QUARTERS, comparison.USUAL)
    assert isinstance(found, pd.DataFrame)
    assert found["kpi"].unique().tolist() == list(comparison.USUAL)
    assert found["unit"].unique().tolist() == ["share", "products", "money"]


def test_periods_say_why_they_cannot_be_compared(subject):
    found = comparison.periods(subject, "2025Q2")
    assert found["earlier"].tolist() == ["2025Q1", "2024Q2"]
    assert found["reason"].tolist() == [None, "The data cover 2025Q1 to 2025Q2."]


def test_shares_of_the_same_customers_have_one_interval_and_one_verdict(book):
    before = " ".join(f"{each}x {each}y" for each in "ABCDEFGHIJKL")
    after = " ".join(f"{each}x" if each in "ABC" else f"{each}x {each}y" for each in "ABCDEFGHIJKL")
    found = comparison.before_after(book(before, after), "2025Q1", "2025Q2", "multi_product_share(2)")
    rows = found.set_index("reading")[["change", "low", "high"]]
    assert rows.loc["as_reported"].tolist() == rows.loc["same_accounts"].tolist()
    assert found["method"].iloc[0] == "Newcombe 10"
    gone = comparison.before_after(book(before + " Mx My", after), "2025Q1", "2025Q2", "multi_product_share(2)")
    assert gone["method"].tolist()[:2] == ["linearised", "Newcombe 10"]


def test_the_benchmark_runs_on_few_accounts(monkeypatch, capsys):
    from tests.benchmarks import comparison as benchmark

    monkeypatch.setattr("sys.argv", ["comparison", "2000"])
    benchmark.main()
    assert "in all" in capsys.readouterr().out
