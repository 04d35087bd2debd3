"""Money: worked by hand, against the plainest pandas on random portfolios, and refused where it means nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t as student

from kpilib import feedback, kept, penetration, revenue
from kpilib.errors import DataError
from kpilib.measures import ratios
from tests import clients
from tests.conftest import FIRST

QUARTERS = [FIRST.later(n).index for n in range(8)]
ACCOUNTS = [f"{letter}" for letter in "ABCDEF"]
PRODUCTS = ["x", "y", "z", None]


def hold(book, rows) -> None:
    """Write the holdings of a book: account, product, quarter from 0, revenue."""
    frame = pd.DataFrame(rows, columns=["account_id", "product_id", "quarter", "revenue"]).astype(object)
    frame["quarter"] = [QUARTERS[each] for each in frame["quarter"]]
    frame["revenue"] = [str(each) for each in frame["revenue"]]
    with duckdb.connect() as con:
        con.register("frame", frame)
        con.execute(
            "copy (select account_id::varchar as account_id, product_id::varchar as product_id, quarter::integer as "
            "quarter, revenue::decimal(38, 4) as revenue from frame) "
            f"to '{book.folder / 'holdings.parquet'}' (format parquet)"
        )


@pytest.fixture(scope="module")
def two_years(book):
    """Six accounts over eight quarters, half of them in the north, one without a region."""
    regions = {"A": "N", "B": "N", "C": "N", "D": "S", "E": "S"}
    return book(*[" ".join(ACCOUNTS)] * 8, products=["x", "y", "z"], attributes={"region": regions})


@pytest.fixture
def worked(two_years):
    """10.0 before; one account adds 1.8, one gives up 0.6, one of 0.9 is lost; a new one brings 5."""
    rows = [("A", "x", 0, "4"), ("A", "x", 4, "5.8"), ("B", "x", 3, "5.1"), ("B", "x", 7, "4.5")]
    hold(two_years, [*rows, ("C", "y", 1, "0.9"), ("D", "x", 5, "5")])
    return two_years


# retention


def test_ten_and_1_8_less_0_6_less_0_9_is_103_net_and_85_gross(worked):
    net, gross = (each(worked, "2026Q4") for each in (revenue.net_revenue_retention, revenue.gross_revenue_retention))
    assert (net.value, net.n, net.before, net.after) == (1.03, 3, Decimal("10.0"), Decimal("10.3"))
    assert (gross.value, gross.after) == (0.85, Decimal("8.5"))
    assert (net.earlier, net.later) == ("2025Q1 to 2025Q4", "2026Q1 to 2026Q4")
    growth = revenue.existing_account_growth(worked, "2026Q4")
    assert growth.value == 0.03
    assert (growth.low, growth.high) == (net.low - 1, net.high - 1)
    kept_accounts = revenue.account_retention(worked, "2026Q4")
    assert (kept_accounts.value, kept_accounts.low) == (2 / 3, None)


def test_new_accounts_are_in_no_retention_and_do_not_change_it(worked):
    found = revenue.retention(worked, "2026Q4").iloc[0]
    assert (found["n"], found["retained"], found["after"]) == (3, 2, Decimal("10.3"))


def test_quarter_against_the_one_before_or_a_year_before(worked):
    before = revenue.retention(worked, "2026Q4", "quarter", "last_year").iloc[0]
    assert (before["earlier"], before["before"], before["after"]) == ("2025Q4", Decimal("5.1"), Decimal("4.5"))
    hold(worked, [("A", "x", 6, 10), ("A", "x", 7, 12)])
    assert revenue.net_revenue_retention(worked, "2026Q4", "quarter").value == 1.2


def test_by_attribute_blanks_come_last_and_small_groups_are_marked(worked):
    hold(worked, [(each, "x", n, 2) for each in ACCOUNTS for n in (0, 4)])
    found = revenue.retention(worked, "2026Q4", by="region")
    assert found["group"].tolist() == ["N", "S", "(not given)"]
    assert found["n"].tolist() == [3, 2, 1]
    assert found["suppressed"].all()


def test_accounts_that_returned_more_than_they_bought_kept_nothing(worked):
    hold(worked, [("A", "x", 0, 10), ("A", "x", 4, -3), ("B", "x", 0, -1), ("B", "x", 5, 8)])
    found = revenue.retention(worked, "2026Q4").iloc[0]
    assert (found["n"], found["gross_revenue_retention"], found["account_retention"]) == (1, 0.0, 0.0)
    assert found["net_revenue_retention"] == -0.3


def test_no_revenue_before_and_no_revenue_at_all_are_refused(two_years, book):
    hold(two_years, [("A", "x", 5, 10), ("B", "x", 1, -2)])
    with pytest.raises(DataError, match="No account had revenue in 2025Q1 to 2025Q4"):
        revenue.retention(two_years, "2026Q4")
    with pytest.raises(DataError, match="There is no revenue"):
        revenue.growth_balance(book("Ax", "Ax"), "2025Q2", "quarter")


@pytest.mark.parametrize(
    ("quarter", "how", "why"),
    [
        ("2026Q3", {}, "need the 8 quarters that end with 2026Q3"),
        ("2025Q1", {"period": "quarter"}, "the quarter before it are not both covered"),
        ("2025Q4", {"period": "quarter", "against": "last_year"}, "the same quarter a year before"),
        ("2026Q4", {"period": "month"}, "'month' is no period"),
        ("2026Q4", {"against": "plan"}, "'plan' is no against"),
    ],
)
def test_periods_that_the_data_do_not_cover_are_refused_with_the_reason(worked, quarter, how, why):
    with pytest.raises(DataError, match=why):
        revenue.retention(worked, quarter, **how)


def test_days_decide_what_is_covered_and_the_look_back_does_not(worked):
    """The first quarters look back on days before the data, and their own days are all there."""
    assert revenue.covered(worked)[0] == "2025Q1"
    late = replace(worked, engagement=worked.engagement.model_copy(update={"data_from": date(2025, 1, 2)}))
    assert revenue.covered(late)[0] == "2025Q2"
    with pytest.raises(DataError, match="quarters covered to the day: 7"):
        revenue.retention(late, "2026Q4")
    short = replace(worked, engagement=worked.engagement.model_copy(update={"data_to": date(2026, 12, 30)}))
    assert revenue.covered(short)[-1] == "2026Q3"


# the plainest pandas


amounts = st.integers(-300, 900).map(lambda cents: Decimal(cents) / 100)
rows = st.lists(
    st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(PRODUCTS), st.integers(0, 7), amounts),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:3],
)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def plainly(found) -> pd.DataFrame:
    """Sum up before and after by account and product, in plain Python decimals."""
    table: dict[tuple, list[Decimal]] = {}
    for account, product, quarter, amount in found:
        table.setdefault((account, product or ""), [Decimal(0), Decimal(0)])[quarter // 4] += amount
    return pd.DataFrame([(*key, *each) for key, each in table.items()], columns=["account", "product", "b", "a"])


def part_of(account, product) -> str:
    if account.b <= 0 < account.a:
        return "new accounts"
    if account.a <= 0 < account.b:
        return "lost accounts"
    if product.b <= 0 < product.a:
        return "new products"
    if product.a <= 0 < product.b:
        return "products dropped"
    return "more of the same" if product.a > product.b else "less of the same"


@many
@given(rows)
def test_growth_balance_adds_up_and_agrees_with_the_plainest_pandas(two_years, found):
    hold(two_years, found)
    told = revenue.growth_balance(two_years, "2026Q4").set_index("part")["amount"]
    plain = plainly(found)
    accounts = plain.groupby("account")[["b", "a"]].sum()
    expected = dict.fromkeys(revenue.PARTS, Decimal(0))
    for row in plain.itertuples():
        expected[part_of(accounts.loc[row.account], row)] += row.a - row.b
    assert told[list(revenue.PARTS)].to_dict() == expected
    assert told["earlier"] + sum(expected.values()) == told["later"] == plain["a"].sum()
    by_region = revenue.growth_balance(two_years, "2026Q4", by="region")
    for part, amount in told.items():
        assert by_region.loc[by_region["part"] == part, "amount"].sum() == amount


@many
@given(rows)
def test_retention_and_its_interval_agree_with_the_plainest_pandas(two_years, found):
    hold(two_years, found)
    accounts = plainly(found).groupby("account")[["b", "a"]].sum()
    cohort = accounts[accounts["b"] > 0]
    if cohort.empty:
        with pytest.raises(DataError, match="nothing could be retained"):
            revenue.retention(two_years, "2026Q4")
        return
    told = revenue.retention(two_years, "2026Q4").iloc[0]
    assert (told["n"], told["before"], told["after"]) == (len(cohort), cohort["b"].sum(), cohort["a"].sum())
    assert told["kept"] == sum(max(Decimal(0), min(row.b, row.a)) for row in cohort.itertuples())
    assert told["retained"] == (cohort["a"] > 0).sum()
    assert 0 <= told["gross_revenue_retention"] <= 1
    b, a = cohort["b"].astype(float).to_numpy(), cohort["a"].astype(float).to_numpy()
    low, high = plain_interval(b, a)
    assert [told["low"], told["high"]] == pytest.approx([low, high], rel=1e-6, abs=1e-6, nan_ok=True)


def plain_interval(b, a, level: float = 0.95) -> tuple[float, float]:
    """The interval from its definition: every account left out in turn, Hall's cubic solved by search."""
    ratio, n = a.sum() / b.sum(), len(b)
    u = (a - ratio * b) / b.sum()
    if n < 2 or (u**2).sum() <= 1e-24:
        return float("nan"), float("nan")
    without = np.array([(a.sum() - a[i]) / (b.sum() - b[i]) for i in range(n)])
    error = np.sqrt(((ratio - without) ** 2).sum())
    freedom = max((u**2).sum() ** 2 / (u**4).sum(), 1)
    skewness = (u**3).sum() / (u**2).sum() ** 1.5
    reach = student.ppf((1 + level) / 2, freedom)

    def cubic(t: float) -> float:
        return t + skewness / 3 * t**2 + skewness**2 / 27 * t**3 + skewness / 6

    ends = [brentq(lambda t, at=at: cubic(t) - at, -1e5, 1e5, xtol=1e-13) for at in (reach, -reach)]
    return max(ratio - error * ends[0], 0.0), ratio - error * ends[1]


def test_limits_need_two_accounts_that_differ():
    assert ratios.ratio_of_sums(1.1, 1, 0.0, 0.0, 0.0, None).interval is None
    assert ratios.ratio_of_sums(1.1, 9, 0.0, 0.0, 0.0, 0.0).interval is None


def test_many_alike_accounts_have_the_ordinary_interval():
    """Without large accounts there is nothing to correct: it is the linearised one."""
    pick = np.random.default_rng(3)
    a = pick.choice([0.8, 1.2], 20_000)
    w, gap = 1 / len(a), a - a.mean()
    sums = [((w * gap) ** k).sum() for k in (2, 3, 4)]
    found = ratios.ratio_of_sums(a.mean(), len(a), *sums, ((w * gap / (1 - w)) ** 2).sum())
    assert found.high - found.low == pytest.approx(2 * 1.96 * a.std() / np.sqrt(len(a)), rel=1e-3)


# growth balance by hand


def test_every_part_by_hand_and_what_lies_outside_is_one_product(two_years):
    hold(
        two_years,
        [
            ("A", "x", 0, 10), ("A", "x", 4, 12),  # more 2
            ("A", "y", 0, 3), ("A", "z", 4, 4),  # dropped 3, new product 4
            ("A", None, 0, 5), ("A", None, 5, 1),  # less 4, whatever it was outside
            ("B", "x", 0, 7), ("C", "x", 7, 6),  # lost 7, new account 6
        ],
    )  # fmt: skip
    told = revenue.growth_balance(two_years, "2026Q4").set_index("part")
    assert told["amount"].astype(int).to_dict() == {
        "earlier": 25, "new accounts": 6, "new products": 4, "more of the same": 2, "less of the same": -4,
        "products dropped": -3, "lost accounts": -7, "later": 23,
    }  # fmt: skip
    assert told["accounts"].to_dict() == {
        "earlier": 2, "new accounts": 1, "new products": 1, "more of the same": 1, "less of the same": 1,
        "products dropped": 1, "lost accounts": 1, "later": 2,
    }  # fmt: skip
    assert told.loc["new accounts", "share_of_earlier"] == 0.24


def test_an_empty_earlier_period_leaves_shares_undefined(two_years):
    hold(two_years, [("A", "x", 7, 6)])
    told = revenue.growth_balance(two_years, "2026Q4").set_index("part")
    assert told.loc["new accounts", "amount"] == 6
    assert told["share_of_earlier"].isna().all()


# the three portfolios: one set of holdings, two published formulas


@pytest.mark.parametrize(
    ("held", "mean", "multi"), [([2] * 100, 0.2, 1.0), ([10] * 50 + [1] * 50, 0.55, 0.5), ([1] * 100, 0.1, 0.0)]
)
def test_the_standard_formula_and_the_frequent_question_tell_two_stories(book, held, mean, multi):
    products = list("abcdefghij")
    text = " ".join(f"A{n}{each}" for n, number in enumerate(held) for each in products[:number])
    now = penetration.by_quarter(book(text, products=products)).iloc[0]
    assert (now["accounts"], now["mean"], now["multi"]) == (100, mean, multi)


# a client from files: margins, wallets, feedback, currencies

HEAD = """client = "Shop"
currency = "EUR"
data_from = 2025-01-01
data_to = 2025-12-31
lookback_months = 3
minimum_cell = 1
[catalogue]
rows = [{ product_id = "x", margin = 0.5 }, { product_id = "y", margin = 0.1 }, { product_id = "z" }]
[[evidence]]
kind = "sales"
source = "lines"
[sources.lines]
path = "lines.csv"
"""
LINES = """account_id,product_id,date,quantity,revenue
A,x,2025-01-05,1,100
A,y,2025-01-06,1,50
A,z,2025-01-07,1,10
B,x,2025-02-01,1,40
C,y,2025-03-01,1,30
D,y,2025-03-31,1,20
A,x,2025-10-05,1,120
A,z,2025-11-05,1,30
B,x,2025-12-01,1,60
C,x,2025-12-31,1,10
"""
WALLET = """[wallet]
rows = [{ account_id = "A", spend = 500 }, { account_id = "B", spend = 90, date = 2025-06-01 },
        { account_id = "B", spend = 50, date = 2025-11-01 }, { account_id = "B", spend = 1, date = 2026-01-01 },
        { account_id = "C", spend = 0 }]
"""
FEEDBACK = """[feedback]
scale = [0, 10]
rows = [{ account_id = "A", date = 2025-10-10, score = 9 }, { account_id = "A", date = 2025-11-10, score = 7 },
        { account_id = "B", date = 2025-12-31, score = 10 }, { account_id = "C", date = 2025-01-10, score = 0 }]
"""


def shop(folder: Path, more: str = "", lines: str = LINES):
    return kept.open_book(clients.engagement(folder, HEAD + more, lines_csv=lines))


@pytest.fixture(scope="module")
def shopping(tmp_path_factory):
    return shop(tmp_path_factory.mktemp("shop"), WALLET + FEEDBACK)


def test_revenue_and_margin_per_account_by_number_of_products(shopping):
    found = revenue.revenue_per_account(shopping, "2025Q1", "products").set_index("group")
    assert found.index.tolist() == ["1", "3+"]
    assert found["accounts"].tolist() == [3, 1]
    assert found["revenue"].tolist() == [90, 160]
    assert found["revenue_per_account"].tolist() == [30, 160]
    assert found["share_of_revenue"].tolist() == [0.36, 0.64]
    assert found["margin"].tolist() == [25, 55]  # 20 + 3 + 2, and 50 + 5: z states none
    assert found["margin_share"].tolist() == [pytest.approx(25 / 90), pytest.approx(55 / 150)]
    assert found["margin_covered"].tolist() == [1, 0.9375]


def test_by_band_the_sums_are_those_of_the_base(shopping):
    found = revenue.revenue_per_account(shopping, "2025Q1")
    assert found["group"].tolist() == ["low", "very high"]
    assert found["revenue"].sum() == 250
    with pytest.raises(DataError, match="cannot be grouped by 'owner'"):
        revenue.revenue_per_account(shopping, "2025Q1", "owner")
    with pytest.raises(DataError, match="cannot begin at"):
        revenue.revenue_per_account(shopping, "2025Q1", "products", (2, 4))


def test_small_cells_are_marked_and_small_last_groups_joined(tmp_path, book):
    found = revenue.revenue_per_account(book("Aa B C D E F Ab Ba Bb Ca", products=["a", "b"]), "2025Q1", "products")
    assert found["group"].tolist() == ["none", "1+"]
    assert found["suppressed"].tolist() == [True, True]
    assert found["revenue"].isna().all()


def test_share_of_wallet_takes_the_last_spend_known_and_clips_nothing(shopping):
    found = revenue.share_of_wallet(shopping, "2025Q4")
    assert (found.n, found.accounts, found.above) == (2, 3, 1)  # C spends nothing; D is not active
    assert (found.revenue, found.spend) == (410, 550)
    assert found.value == pytest.approx(410 / 550)
    above = revenue.above_wallet(shopping, "2025Q4")
    assert above["account_id"].tolist() == ["B"]
    assert above["excess"].tolist() == [50]
    with pytest.raises(DataError, match="do not cover the twelve months"):
        revenue.share_of_wallet(shopping, "2025Q3")


def test_the_days_of_the_spend_that_counts_are_told(shopping):
    found = revenue.share_of_wallet(shopping, "2025Q4")  # A's has no day
    assert found.first_day == found.last_day == date(2025, 11, 1)


def test_a_wallet_without_a_spend_known_on_the_day_has_no_share(tmp_path):
    later = '[wallet]\nrows = [{ account_id = "A", spend = 500, date = 2026-03-01 }]\n'
    found = revenue.share_of_wallet(shop(tmp_path, later), "2025Q4")
    assert (found.n, found.accounts, found.above, found.value, found.last_day) == (0, 3, 0, None, None)


def test_a_group_of_which_nobody_is_known_later_is_lost_and_does_not_stop_the_rest(book):
    """E bought nothing that could be held, and is in no position of the later quarter: its group counts none."""
    client = book("Ax Bx E", *["Ax Bx E"] * 3, "Ax Bx", products="xy", engagement={"minimum_cell": 1})
    found = revenue.impact(client, "2025Q1", "2026Q1", "products").table.set_index("group")
    assert found["retained"].to_dict() == {"none": 0, "1+": 2}


def test_without_a_wallet_there_is_none_and_two_for_a_day_are_refused(tmp_path, worked):
    assert revenue.share_of_wallet(worked, "2026Q4") is None
    assert revenue.above_wallet(worked, "2026Q4") is None
    twice = '[wallet]\nrows = [{ account_id = "A", spend = 5 }, { account_id = "A", spend = 6 }]\n'
    with pytest.raises(DataError, match="more than one spend"):
        shop(tmp_path, twice)


def test_impact_follows_accounts_from_what_they_had(shopping):
    found = revenue.impact(shopping, "2025Q1", "2025Q4", "products")
    table = found.table.set_index("group")
    assert table["n"].tolist() == [3, 1]
    assert table["account_retention"].tolist() == [pytest.approx(2 / 3), 1]  # D is gone
    assert table["revenue_before"].tolist() == [30, 160]
    assert [round(each, 4) for each in table["revenue_per_account"]] == [Decimal("23.3333"), 150]
    assert table["satisfaction"].tolist() == [10, 7]  # A's latest; C answered before the later look-back
    assert feedback.score(shopping, "2025Q4")["score"].tolist() == [8.5]  # the same answers
    assert found.direction == {"account_retention": "rises", "revenue_per_account": "rises", "satisfaction": "falls"}
    assert revenue.earlier_quarter(shopping, "2025Q4") == "2025Q1"


def test_impact_that_turns_back_is_not_monotone(book):
    before = "Aa Ba Ca Cb Da Db Ea Eb Ec Fa Fb Fc"
    found = revenue.impact(
        book(before, *[before] * 3, "Aa B~ Ca D E F~", products=["a", "b", "c"], engagement={"minimum_cell": 1}),
        "2025Q1", "2026Q1", "products",
    )  # fmt: skip
    assert found.table["account_retention"].tolist() == [0.5, 1.0, 0.5]
    assert found.direction["account_retention"] == "mixed"
    assert found.direction["satisfaction"] is None


def test_impact_refuses_days_that_both_look_back_on(book):
    both = book("Aa", "Aa", "Aa", "Aa", "Aa")
    with pytest.raises(DataError, match="look back on some of the same days"):
        revenue.impact(both, "2025Q2", "2026Q1")
    assert revenue.earlier_quarter(both, "2026Q1") == "2025Q1"
    assert revenue.earlier_quarter(both, "2025Q4") is None
    with pytest.raises(DataError, match="is not before"):
        revenue.impact(both, "2026Q1", "2025Q1")


CURRENCY = "account_id,product_id,date,quantity,revenue,currency\n"


def test_one_currency_is_read_and_blanks_are_the_engagements(tmp_path):
    book = shop(tmp_path, lines=CURRENCY + "A,x,2025-01-05,1,10,eur\nB,x,2025-01-05,1,10,\n")
    assert penetration.by_quarter(book)["revenue_quarter"].iloc[0] == 20


@pytest.mark.parametrize("words", [("EUR", "USD"), ("USD", "USD"), ("", "CHF")])
def test_other_currencies_are_refused_and_not_added(tmp_path, words):
    lines = CURRENCY + "".join(f"A,x,2025-01-05,1,10,{word}\n" for word in words)
    with pytest.raises(DataError, match="Convert them in a source"):
        shop(tmp_path, lines=lines)


def test_nobody_active_earlier_leaves_no_quarter_to_look_back_to(book):
    kind = {"evidence": [{"kind": "subscriptions", "rows": [{}]}]}
    assert revenue.earlier_quarter(book("A~ B~", "Ax Bx", engagement=kind), "2025Q2") is None
    assert revenue.earlier_quarter(book("Ax B~", "Ax Bx", engagement=kind), "2025Q2") == "2025Q1"
