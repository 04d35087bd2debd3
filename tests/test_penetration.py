"""Penetration, every definition worked by hand on small books."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpilib import penetration
from kpilib.errors import DataError, KpiError
from kpilib.measures import counts, degree
from kpilib.measures.bands import band_of
from kpilib.penetration import by_segment, headline

NOW = "2025Q1"
FIVE = "Av Aw Ax Ay Az"


def missing(values) -> list:
    return [None if pd.isna(each) else each for each in values]


# ---- degree


def test_the_degree_as_mean_pooled_and_median(book):
    found = degree.of(book("Ax Ay Bx Cx- Cy- Dx-"), NOW)
    # A 2/2, B 1/2, C nothing possible, D 0/1
    assert (found.accounts, found.nothing_possible, found.n) == (4, 1, 3)
    assert found.mean == 0.5  # (1 + 1/2 + 0) / 3
    assert found.pooled == 3 / 5
    assert found.median == 0.5
    assert found.products_per_account == 0.75  # 3 / 4: the base, C as well


def test_an_even_number_of_accounts_has_the_mean_of_the_middle_two_as_median(book):
    assert degree.of(book("Ax Ay Bx By- C", products="xy"), NOW).median == 1.0  # 1, 1, 0
    assert degree.of(book("Ax Ay Bx By- Cx D", products="xy"), NOW).median == 0.75  # 0 ½ 1 1


def test_the_mean_of_thirds_is_exact():
    rows = pd.DataFrame({"possible": [3, 3], "held": [1, 2], "accounts": [10**6, 10**6]})
    assert degree.measured(rows).mean == 0.5


def test_nobody_holds_anything(book):
    found = headline(book("A B", products="xy"), NOW)
    assert (found.degree.mean, found.degree.pooled, found.degree.median) == (0, 0, 0)
    assert found.multi_product_share == {1: 0, 2: 0}
    assert found.bands == {"low": 2, "moderate": 0, "healthy": 0, "very high": 0}


def test_everyone_holds_everything(book):
    found = headline(book("Ax Ay Bx By"), NOW)
    assert (found.degree.mean, found.degree.pooled, found.degree.median) == (1, 1, 1)
    assert found.bands["very high"] == 2


def test_one_account_has_a_degree_and_no_interval(book):
    found = penetration.change(book("Ax", "Ax Ay", products="xy"), "2025Q2", NOW)
    assert (found.points, found.low, found.same_accounts, found.same_low) == (0.5, None, 0.5, None)


def test_a_product_launched_on_the_last_day_lowers_the_degree_with_no_sale_lost(book):
    small = book("Ax Ay-", "Ax", products="xy", launched={"y": "2025-06-30"})
    table = penetration.by_quarter(small)
    assert table["mean"].tolist() == [1.0, 0.5]
    assert [headline(small, q).products for q in ("2025Q1", "2025Q2")] == [1, 2]


def test_a_retired_product_is_not_on_sale_on_its_day(book):
    small = book("Ax", products="xy", retired={"y": "2025-03-31"})
    assert headline(small, NOW).products == 1


# ---- refusals


def test_an_empty_base_is_refused_and_says_which_base_and_what_to_do(book):
    small = book("A~ B~ Bx", base="active")
    with pytest.raises(
        DataError,
        match=r"No account is in the base 'active' in 2025Q1\. .*2 accounts are on file, 0 were"
        r" active since 2024-04-01.*Choose another base",
    ):
        headline(small, NOW)
    with pytest.raises(DataError, match="No account is in the base"):
        penetration.curve(small, NOW)
    with pytest.raises(DataError, match="No account is in the base"):
        by_segment(book("A~ Bx", "A~", base="active", attributes={"s": {}}), "2025Q2", "s")


def test_a_base_for_which_nothing_is_possible_is_refused(book):
    small = book("Ax- Bx-", launched={"x": "2026-01-01"})
    with pytest.raises(
        DataError,
        match=r"Nothing is possible for any of the 2 accounts in the base 'all' in 2025Q1.*"
        r"0 of the 1 products in the catalogue are on sale.*eligibility",
    ):
        headline(small, NOW)


# ---- curve, distribution, products per account


def test_the_curve_counts_all_accounts_of_the_base(book):
    small = book("Ax Bx By C Dx- Dy-", "Ax Ay Bx By C Dx- Dy-")
    table = penetration.curve(small, "2025Q2", "2025Q1")
    assert table.columns.tolist() == [
        *("k", "share", "accounts", "n", "share_before", "accounts_before", "n_before"),
    ]
    # D counts though nothing is possible for it: 2 of 4 hold one, 2 of 4 two
    assert table["share"].tolist() == [0.5, 0.5]
    assert table["share_before"].tolist() == [0.5, 0.25]
    assert table["n"].tolist() == [4, 4]


def test_the_curve_goes_to_two_even_where_nobody_holds_two(book):
    table = penetration.curve(book("Ax B", products="xyz"), NOW)
    assert table[["k", "share"]].to_numpy().tolist() == [[1, 0.5], [2, 0.0]]
    assert table[["share_before", "n_before"]].isna().to_numpy().all()


def test_the_distribution_counts_each_number_of_products_once(book):
    table = penetration.distribution(book("Ax Ay Az B Cx Cy Cz"), NOW)
    assert table["accounts"].tolist() == [1, 0, 0, 2]
    assert table["share"].sum() == pytest.approx(1)


def test_products_per_account_over_the_base_and_over_holders(book):
    table = penetration.products_per_account(book("Ax Ay Bx C Dx-"), NOW)
    assert table["accounts"].tolist() == [4, 2]
    assert table["products_per_account"].tolist() == [0.75, 1.5]  # 3/4, 3/2


# ---- bands


@pytest.mark.parametrize(
    ("possible", "held", "band"),
    [
        *((20, 9, "low"), (20, 10, "moderate"), (20, 13, "moderate"), (20, 14, "healthy")),
        *((20, 17, "healthy"), (20, 18, "very high"), (1, 0, "low"), (7, 6, "very high")),
        *((10, 7, "healthy"), (40, 34, "healthy")),  # exactly 70 and 85 %
    ],
)
def test_shipped_bands_are_decided_in_whole_numbers(book, possible, held, band):
    assert band_of(book("Ax").engagement.bands, possible, held) == band


def test_band_boundaries_are_taken_as_written(book):
    own = [{"name": "few"}, {"name": "many", "at_least": "33.3"}]
    small = book("Ax B", products="xyz", engagement={"bands": own})
    assert headline(small, NOW).bands == {"few": 1, "many": 1}  # 33.33 >= 33.3


def test_accounts_with_nothing_possible_are_in_no_band(book):
    small = book(f"{FIVE} Bv Bw Cv- Cw- Cx- Cy- Cz-", f"{FIVE} Bv Bw Bx")
    table = penetration.bands(small, "2025Q1")
    assert table["band"].tolist() == ["low", "moderate", "healthy", "very high"]
    assert table["accounts"].tolist() == [1, 0, 0, 1]  # A 5/5, B 2/5
    assert table["share"].sum() == 1
    assert table["accounts_before"].isna().all()
    later = penetration.bands(small, "2025Q2", "2025Q1")
    assert later["accounts"].tolist() == [0, 1, 0, 1]  # B 3/5
    assert later["accounts_before"].tolist() == [1, 0, 0, 1]
    assert missing(later["at_least"]) == [None, 50, 70, None]
    assert all(later["action"])


def test_segments_may_have_bands_of_their_own(book):
    names = ("low", "moderate", "healthy", "very high")
    strict = [{"name": "low"}] + [
        {"name": name, "at_least": at} for name, at in zip(names[1:], (90, 95, 99), strict=True)
    ]
    small = book(
        "Ax Bx C",
        products="xy",
        attributes={"size": {"A": "big", "B": "small"}},
        engagement={"segment_bands": [{"where": {"size": "big"}, "bands": strict}]},
    )
    assert headline(small, NOW).bands == {"low": 2, "moderate": 1, "healthy": 0, "very high": 0}
    assert penetration.who(small, NOW, "low")["account_id"].tolist() == ["A", "C"]
    assert penetration.who(small, NOW, "moderate")["account_id"].tolist() == ["B"]
    groups = headline(small, NOW, by="size").groups
    assert [each.bands["moderate"] for each in groups] == [0, 1, 0]


def test_the_list_of_a_band_names_who_to_look_at_and_what_they_lack(book):
    small = book(
        "Ax Bz Cx Dx Dy Dz",
        products="xyz",
        names={"A": "<script>", "B": "Bé", "C": "Co", "D": "Du"},
        attributes={"region": {"A": "N", "B": "S"}},
        revenue={"A": "10", "B": "30", "C": "10", "D": "99"},
        lapsing={NOW: ["Bz", "Dx", "By"]},
        engagement={"segment_by": ["region"]},
    )
    table = penetration.who(small, NOW, "low", most=2)
    assert table.columns.tolist() == [
        *("account_id", "name", "owner", "region", "possible", "held", "degree"),
        *("revenue_window", "lapsing", "missing"),
    ]
    assert table["account_id"].tolist() == ["B", "A"]  # largest first, A before C
    assert table["name"].tolist() == ["Bé", "<script>"]
    assert table["degree"].tolist() == [1 / 3, 1 / 3]
    assert table["missing"].tolist() == ["x, y", "z, y"]  # most widely held first
    assert table["lapsing"].tolist() == [1, 0]
    assert table["revenue_window"].tolist() == [Decimal(30), Decimal(10)]


def test_a_band_nobody_is_in_is_an_empty_list_and_an_unknown_one_is_refused(book):
    small = book("Ax", products="xy")
    assert penetration.who(small, NOW, "very high").empty
    with pytest.raises(DataError, match=r"no band 'hihg'|There is no band"):
        penetration.who(small, NOW, "hihg")


# ---- products


def test_the_attach_rate_counts_accounts_for_which_the_product_is_possible(book):
    small = book("Ax Bx- Cx- Dy Dx-", products="xyz", families={"x": "tea"})
    table = penetration.by_product(small, NOW)
    assert table["attach_rate"].tolist() == [1.0, 0.25, 0.0]
    assert table["possible"].tolist() == [1, 4, 4]
    assert missing(table["family"]) == ["tea", None, None]
    assert table[["attach_before", "change", "n_both", "lapsing"]].isna().to_numpy().all()


def test_a_product_possible_for_nobody_has_no_attach_rate(book):
    small = book("Ax Ay- Bx By-")
    assert missing(penetration.by_product(small, NOW)["attach_rate"]) == [1.0, None]
    assert headline(small, NOW).as_dict()["attach_rate"] == {"x": 1.0, "y": None}


def test_the_change_of_an_attach_rate_is_of_the_same_accounts(book):
    # x: of 4 accounts there twice, A keeps, B gains, C gains, D never. E left, F joined.
    small = book("Ax B C D Ex", "Ax Bx Cx D F", products="x")
    row = penetration.by_product(small, "2025Q2", "2025Q1").iloc[0]
    assert (row["attach_rate"], row["attach_before"]) == (3 / 5, 2 / 5)
    assert (row["change"], row["n_both"]) == (0.5, 4)  # 2 gained of 4
    assert row["low"] < 0.5 < row["high"]


def test_the_revenue_of_a_product_is_that_of_the_months_of_the_quarter(book):
    sold = [
        ("2025-03-01", "x", "catalogue", 1, "9.00"),
        ("2025-04-01", "x", "catalogue", 1, "1.10"),
        ("2025-06-01", "x", "catalogue", 1, "2.20"),
        ("2025-06-01", "other", "outside", 1, "5.00"),
    ]
    small = book("Ax", "Ax", products="xy", monthly=sold)
    revenue = penetration.by_product(small, "2025Q2")["revenue_quarter"]
    assert revenue.tolist() == [Decimal("3.3"), Decimal(0)]
    assert penetration.by_product(book("Ax"), NOW)["revenue_quarter"].isna().all()


def test_a_newly_launched_product_has_no_change(book):
    small = book("Ax Ay- Bx By-", "Ax Ay Bx", products="xy")
    row = penetration.by_product(small, "2025Q2", "2025Q1").iloc[1]
    assert missing([row["attach_before"], row["change"]]) == [None, None]
    assert row["n_both"] == 0


def test_the_attach_rate_among_the_holders_of_another_product(book):
    table = penetration.given(book("Ax Ay Bx Cy D"), NOW, "x")
    assert table["product_id"].tolist() == ["y"]
    # of A and B, A holds y; of all four, A and C
    assert (table["attach_rate"][0], table["attach_overall"][0]) == (0.5, 0.5)


def test_lapsing_counts_only_held_slots_of_the_base(book):
    listed = ["Ax", "Ay", "Bx", "Cx", "Cz"]  # y not held, C not active, z outside the catalogue
    small = book("Ax Bx By C~", products="xy", base="active", lapsing={NOW: listed})
    found = penetration.lapsing(small, NOW)
    assert (found.slots, found.held) == (2, 3)
    assert found.share == 2 / 3
    assert penetration.by_product(small, NOW)["lapsing"].tolist() == [2, 0]
    assert penetration.lapsing(book("Ax"), NOW) is None


def test_the_cross_sell_rate_counts_gains_of_what_was_possible_before(book):
    # A gains y; B's y was just launched for it; C nothing; D was not there before
    small = book("Ax Bx By- Cx", "Ax Ay Bx By Cx Dx Dy")
    found = penetration.cross_sell(small, "2025Q2")
    assert (found.gained, found.accounts, found.only_launched) == (1, 3, 1)
    assert found.share == 1 / 3
    assert penetration.cross_sell(small, "2025Q1") is None


# ---- quarters


def test_by_quarter_follows_the_degree_and_the_base(book):
    small = book(
        *("Ax Bx", "Ax Ay B", "Ax Ay C Cx D"),
        products="xy",
        revenue={"A": "4.00"},
        engagement={
            "targets": [
                {"quarter": "2025q2", "kpi": "account_penetration_degree", "value": 0.6},
                {
                    **{"quarter": "2025Q2", "kpi": "account_penetration_degree", "value": 0.9},
                    "segment": {"size": "big"},
                },
            ]
        },
    )
    table = penetration.by_quarter(small)
    assert table["mean"].tolist() == [0.5, 0.5, 0.5]  # (½+½)/2, (1+0)/2, (1+½+0)/3
    assert table["pooled"].tolist() == [0.5, 0.5, 0.5]
    assert table["multi"].tolist() == [0, 1 / 2, 1 / 3]
    assert missing(table["joined"]) == [None, 0, 2]
    assert missing(table["lost"]) == [None, 0, 1]
    assert missing(table["change"]) == [None, 0.0, 0.0]
    assert missing(table["plan"]) == [None, 0.6, None]
    assert table["revenue_window"].tolist() == [Decimal(4)] * 3
    assert table["revenue_quarter"].tolist() == [Decimal(1)] * 3


def test_an_incomplete_quarter_has_its_row_and_no_comparison(book):
    small = book("Ax", "Ax Ay", "Ax Ay", products="xy", incomplete=["2025Q1"])
    table = penetration.by_quarter(small)
    assert table["complete"].tolist() == [False, True, True]
    assert table["mean"].tolist() == [0.5, 1.0, 1.0]
    assert missing(table["change"]) == [None, None, 0.0]
    assert missing(table["lost"]) == [None, None, 0]


def test_a_quarter_with_an_empty_base_is_a_row_without_shares(book):
    table = penetration.by_quarter(book("Ax", "A~", "Ax", base="active"))
    assert table["accounts"].tolist() == [1, 0, 1]
    assert missing(table["mean"]) == [1.0, None, 1.0]
    assert missing(table["multi"]) == [0.0, None, 0.0]
    assert missing(table["lost"]) == [None, 1, 0]


def test_comparable_quarters_are_named_only_when_both_are_complete(book):
    small = book(*["Ax"] * 6, incomplete=["2025Q1"])
    assert penetration.previous(small, "2025Q3") == "2025Q2"
    assert penetration.previous(small, "2025Q2") is None
    assert penetration.previous(small, "2025Q1") is None
    assert penetration.last_year(small, "2026Q2") == "2025Q2"
    assert penetration.last_year(small, "2026Q1") is None


# ---- change


def test_the_change_as_reported_and_of_the_same_accounts(book):
    # stayers A ½->1, B ½->½; C leaves with 1; D joins with 0
    small = book("Ax Bx Cx Cy", "Ax Ay Bx D", products="xy")
    found = penetration.change(small, "2025Q2", "2025Q1")
    assert found.against == "2025Q1"
    assert found.points == pytest.approx(1 / 2 - 2 / 3)  # (1+½+0)/3 - (½+½+1)/3
    assert found.pooled == pytest.approx(3 / 6 - 4 / 6)
    assert (found.same_accounts, found.same_accounts_n) == (0.25, 2)
    # 0.25 ± 12.706 × (0.25 × √2) / √2
    assert found.same_high == pytest.approx(0.25 + 12.7062047 * 0.25)
    assert found.low < found.points < found.high
    assert found.pooled_low < found.pooled < found.pooled_high


def test_a_comparison_with_an_incomplete_quarter_is_refused(book):
    small = book("Ax", "Ax", "Ax", incomplete=["2025Q1"])
    refused = r"2025Q1 is incomplete.*window runs from 2024-04-01.*\(2025Q2 to 2025Q3\)"
    measures = (penetration.change, penetration.curve, penetration.by_product, penetration.bands)
    for measure in measures:
        with pytest.raises(DataError, match=refused):
            measure(small, "2025Q2", "2025Q1")
    with pytest.raises(DataError, match=refused):
        headline(small, "2025Q1", against="plan")


def test_a_comparison_with_a_later_quarter_is_refused(book):
    small = book("Ax", "Ax")
    for against in ("2025Q2", "2025Q1"):
        with pytest.raises(DataError, match="is not before 2025Q1"):
            penetration.change(small, "2025Q1", against)


def test_against_plan_is_a_distance_without_interval(book):
    target = {"quarter": NOW, "kpi": "account_penetration_degree", "value": 0.75}
    small = book("Ax B", products="x", engagement={"targets": [target]})
    found = penetration.change(small, NOW, "plan")
    assert (found.points, found.low, found.same_accounts_n) == (-0.25, None, None)
    with pytest.raises(DataError, match=r"no target for all accounts in 2025Q1.*\[\[targets\]\]"):
        penetration.change(book("Ax"), NOW, "plan")


# ---- segments


SIZES = {"size": {"A": "big", "B": "big", "C": "small", "E": "gone"}}


def test_segments_partition_the_accounts_and_explain_the_change(book):
    # big: A ½->1, B ½->½; small: C 0->½; D not given: ½->0; E left
    small = book("Ax Bx C Dx Ex", "Ax Ay Bx Cy D", products="xy", attributes=SIZES)
    table = by_segment(small, "2025Q2", "size", "2025Q1").set_index("group")
    assert table.index.tolist() == ["big", "gone", "small", "(not given)"]
    assert table["accounts"].tolist() == [2, 0, 1, 1]
    assert missing(table["mean"]) == [0.75, None, 0.5, 0.0]
    assert table["mean_before"].tolist() == [0.5, 0.5, 0.0, 0.5]
    assert missing(table["change"]) == [0.25, None, 0.5, -0.5]
    assert missing(table["contribution"]) == [0.125, None, 0.125, -0.125]
    total = penetration.change(small, "2025Q2", "2025Q1")
    assert table["contribution"].sum() == pytest.approx(total.same_accounts)
    assert table["n_both"].tolist() == [2, 0, 1, 1]
    assert table.loc["small", ["low", "high"]].isna().all()


def test_small_segments_are_marked_for_suppression(book):
    small = book("Ax Bx C", attributes=SIZES, engagement={"minimum_cell": 2})
    assert by_segment(small, NOW, "size")["suppressed"].tolist() == [False, True]


# ---- properties

slots = st.sampled_from(["", "-", "!", "none"])
clients = st.lists(st.lists(slots, min_size=3, max_size=3), min_size=1, max_size=6)


def text_of(client: list[list[str]]) -> str:
    rows = [
        " ".join([f"A{n}", *(f"A{n}{p}{kind}" for p, kind in zip("xyz", row) if kind != "none")])  # noqa: B905
        for n, row in enumerate(client)
    ]
    return " ".join(rows)


def plainest(client: list[list[str]]) -> tuple[list[int], list[int]]:
    """Count possible and held of every account from the drawn slots themselves."""
    possible = [sum(kind in ("", "none") for kind in row) for row in client]
    return possible, [sum(kind == "" for kind in row) for row in client]


@settings(max_examples=20, deadline=None)
@given(clients)
def test_measures_agree_with_the_plainest_pandas(book, client):
    possible, held = plainest(client)
    plain = pd.DataFrame({"possible": possible, "held": held})
    small = book(text_of(client), products="xyz")
    found = degree.measured(counts.pairs(small))
    degrees = (plain["held"] / plain["possible"])[plain["possible"] > 0]
    assert (found.accounts, found.n) == (len(plain), len(degrees))
    if len(degrees) == 0:
        assert (found.mean, found.pooled, found.median) == (None, None, None)
        return
    assert found.mean == pytest.approx(degrees.mean(), abs=1e-12)
    assert found.median == pytest.approx(degrees.median(), abs=1e-12)
    assert 0 <= found.mean <= 1
    curve = penetration.curve(small, NOW)
    assert curve["share"].tolist() == [(plain["held"] >= k).mean() for k in curve["k"]]
    states = penetration.states(small, NOW).set_index("state")["slots"]
    assert states.sum() == plain["possible"].sum()  # whitespace + held = possible
    assert states["held"] == plain["held"].sum()


@settings(max_examples=10, deadline=None)
@given(clients, st.integers(0, 5), st.integers(0, 2))
def test_adding_a_held_slot_never_lowers(book, client, account, product):
    row = client[account % len(client)]
    if row[product] != "none":
        return
    before = degree.measured(counts.pairs(book(text_of(client), products="xyz")))
    row[product] = ""
    after = degree.measured(counts.pairs(book(text_of(client), products="xyz")))
    assert after.mean > before.mean
    assert after.pooled > before.pooled
    assert after.median >= before.median


@settings(max_examples=10, deadline=None)
@given(clients, clients, st.lists(st.sampled_from(["a", "b", None]), min_size=6, max_size=6))
def test_segments_partition_and_contributions_sum_to_the_change(book, before, after, groups):
    named = {f"A{n}": group for n, group in enumerate(groups) if group}
    small = book(text_of(before), text_of(after), products="xyz", attributes={"s": named})
    try:
        total = penetration.change(small, "2025Q2", "2025Q1")
    except KpiError:
        return  # nothing possible for anyone at one of them
    table = by_segment(small, "2025Q2", "s", "2025Q1")
    assert table["accounts"].sum() == headline(small, "2025Q2").degree.accounts
    assert table["n"].sum() == headline(small, "2025Q2").degree.n
    if total.same_accounts is not None:
        assert table["contribution"].sum() == pytest.approx(total.same_accounts, abs=1e-12)


def test_a_customer_without_owner_is_told_as_such_where_others_have_one(book):
    small = book("A B", "A B", products="x", names={"A": "Ann", "B": "Bea"})
    accounts = small.table("accounts").assign(owner=["Kim", None])
    accounts.to_parquet(small.folder / "accounts.parquet")
    assert penetration.who(small, "2025Q2", "low")["owner"].tolist() == ["Kim", "(not given)"]
    assert penetration.who(book("A", products="x"), "2025Q1", "low")["owner"].isna().all()
