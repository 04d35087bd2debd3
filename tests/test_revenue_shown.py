"""Money as it is shown: figures asked through their artists, sentences and tables read."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpilib import contrast
from kpilib.captions import revenue as caption
from kpilib.figures import revenue as draw
from kpilib.figures import style
from kpilib.revenue import PARTS, Impact, Wallet
from kpilib.tables import revenue as table
from kpilib.wording import revenue as say
from tests.test_figures import outside, overlapping, written

PARTS_SHOWN = st.lists(st.integers(-3_000_000, 3_000_000), min_size=6, max_size=6)


def balance(earlier: int, parts: list[int]) -> pd.DataFrame:
    amounts = [earlier, *parts, earlier + sum(parts)]
    return pd.DataFrame(
        {
            "part": ["earlier", *PARTS, "later"],
            "amount": [Decimal(each) for each in amounts],
            "accounts": [9, 1, 2, 3, 4, 5, 6, 8],
            "share_of_earlier": [each / earlier if earlier > 0 else np.nan for each in amounts],
            "earlier": "2023Q1 to 2023Q4",
            "later": "2024Q1 to 2024Q4",
        }
    )


USUAL = balance(1_000_000, [90_000, 50_000, 200_000, -150_000, -40_000, -30_000])


def words(page) -> str:
    return " ".join(" ".join(each[0] for each in written(page)).split())


def shown(rows: pd.DataFrame):
    return draw.balance(rows, caption.balance(rows), caption.balance_subtitle(rows, "EUR"), caption.balance_note(rows))


def bars(page) -> list[tuple[float, float, str]]:
    """Bottom, top and ink of every column, from left to right."""
    found = sorted(page.axes[0].patches, key=lambda each: each.get_x())
    return [(each.get_y(), each.get_y() + each.get_height(), each.get_facecolor()) for each in found]


@given(st.integers(0, 20_000_000), PARTS_SHOWN.map(lambda each: [abs(each[0]), *each[1:5], -abs(each[5])]))
@settings(max_examples=12, deadline=None)
def test_every_label_of_a_balance_can_be_read(earlier, parts):
    page = shown(balance(earlier, parts))
    assert overlapping(written(page)) == []
    assert outside(page, written(page)) == []


def test_columns_of_a_balance_hang_on_one_another_and_end_at_the_total():
    found = bars(shown(USUAL))
    level = 1_000_000.0
    for (bottom, top, ink), amount in zip(found[1:-1], USUAL["amount"].iloc[1:-1], strict=True):
        begins, ends = (bottom, top) if amount > 0 else (top, bottom)
        assert begins == pytest.approx(level)
        assert ink == pytest.approx(style.mpl.colors.to_rgba(style.GOOD if amount > 0 else style.BAD))
        level = ends
    assert found[-1][1] == pytest.approx(level) == pytest.approx(1_120_000)


def test_a_cut_axis_says_so_on_both_totals_and_one_from_zero_does_not():
    cut, whole = shown(USUAL), shown(balance(50, [90, 50, 20, -15, -10, -80]))
    assert [len([each for each in page.axes[0].lines if each.get_gid() == "cut"]) for page in (cut, whole)] == [2, 0]
    assert "The vertical axis is cut." in words(cut)
    assert "The vertical axis is cut." not in words(whole)
    assert whole.axes[0].get_ylim()[0] == 0


def test_no_revenue_is_said_and_not_drawn():
    assert "There is no revenue." in words(shown(balance(0, [0] * 6)))


def test_titles_say_who_gave_the_change():
    assert caption.balance(USUAL) == (
        "Revenue rose by 12.0%: customers we had both times +60,000, customers won less customers lost +60,000"
    )
    assert say.balanced(USUAL, "EUR") == (
        "Revenue rose by EUR 120,000 from the 12 months to Q4 2023 to the 12 months to Q4 2024: customers we had both "
        "times gave +EUR 60,000, customers won less customers lost +EUR 60,000."
    )
    assert caption.balance(balance(100, [0] * 6)).startswith("Revenue is unchanged: ")


def test_growth_that_new_customers_carry_is_told_and_other_growth_is_not():
    carried = say.carried_by_new(balance(1000, [300, 0, 0, -100, 0, -50]), "EUR")
    assert carried == "Growth is carried by new customers: without them revenue would have fallen by EUR 150."
    assert say.carried_by_new(USUAL) is None
    assert say.carried_by_new(balance(1000, [10, 0, 0, -100, 0, 0])) is None


LEVELS = pd.DataFrame(
    {
        "group": ["none", "1–3", "4+"],
        "accounts": [2, 400, 50],
        "revenue": [Decimal(10), Decimal(4000), Decimal(9000)],
        "revenue_per_account": [Decimal(5), Decimal(10), Decimal(180)],
        "share_of_revenue": [0.001, 0.3, 0.699],
        "margin": None,
        "margin_share": np.nan,
        "margin_covered": np.nan,
        "suppressed": [True, False, False],
    }
)


def test_revenue_per_customer_stands_on_zero_and_hides_small_groups():
    title = caption.per_account(LEVELS, "products", "EUR")
    assert title == "Customers with 4+ products bring EUR 180 each, 18 times what those with 1–3 products bring"
    page = draw.per_account(LEVELS, "products", title, "", "")
    assert [each.get_width() for each in page.axes[0].patches] == [0, 10, 180]
    text = words(page)
    assert "fewer than 5 customers" in text
    assert "no product" in text
    assert not {"2", "5", "0.1%"} & {each[0] for each in written(page)}
    assert overlapping(written(page)) == []


def test_tables_hide_small_groups_too():
    html = table.per_account(LEVELS, "products", "EUR").html
    assert "no product" in html
    assert "0.1%" not in html
    assert "Gross margin" not in html


def impact(shares: list[float], direction: str | None, groups=("1–3", "4–6", "7+")) -> Impact:
    rows = pd.DataFrame(
        {
            "group": list(groups),
            "n": 100,
            "retained": [round(100 * each) for each in shares],
            "account_retention": shares,
            "revenue_before": [Decimal(10)] * 3,
            "revenue_per_account": [Decimal(10)] * 3,
            "satisfaction": [7.5, 8.0, np.nan],
            "answered": pd.array([9, 9, 1], dtype="Int64"),
            "suppressed": False,
        }
    )
    directions = {"account_retention": direction, "revenue_per_account": "level", "satisfaction": "rises"}
    return Impact("products", "2023Q4", "2024Q4", rows, directions)


def test_what_went_with_more_products_is_always_an_association():
    rises = impact([0.8, 0.9, 0.95], "rises")
    told = say.what_went_with(rises)
    assert told == [
        "Of the customers with 1–3 products in Q4 2023, 80.0% were still customers in Q4 2024; "
        "with 7+ products, 95.0%.",
        say.CAUTION,
    ]
    assert caption.retention(rises, contrast.came_back(rises)) == (
        "Customers who had more came back more often: 80.0% with 1–3 products, 95.0% with 7+ products"
    )


def test_a_difference_that_chance_explains_is_not_told_as_one():
    """34 of 38 against 15 of 15: Newcombe's interval of the difference is from -10 to 24 points."""
    few = impact([34 / 38, 16 / 17, 1.0], "rises")
    few.table[["n", "retained"]] = [[38, 34], [17, 16], [15, 15]]
    apart = contrast.came_back(few)
    assert apart.value == pytest.approx(4 / 38)
    assert apart.low == pytest.approx(-0.108, abs=0.001)
    assert apart.low < 0 < apart.high < 0.25
    assert caption.retention(few, apart).startswith("No clear difference in how often customers came back: 89.5% with")
    assert "The axis of shares does not begin at 0%." in words(draw.retention(few, "t", "s", "n."))
    assert contrast.came_back(impact([1.0, 1.0, 1.0], "level")).value == 0
    hidden = impact([0.8, 0.9, 0.95], "rises")
    hidden.table["suppressed"] = [True, True, False]
    assert contrast.came_back(hidden).value is None


def test_revenue_that_falls_on_the_way_up_is_no_multiple():
    falls = LEVELS.assign(
        group=["1", "2", "3+"], suppressed=False, revenue_per_account=[Decimal(9), Decimal(4), Decimal(18)]
    )
    assert caption.per_account(falls, "products", "EUR") == (
        "Revenue per customer does not rise with every step: EUR 9 with 1 product and EUR 18 with 3+ products"
    )
    top = falls.assign(revenue_per_account=[Decimal(2), Decimal(12), Decimal(7)])
    assert caption.per_account(top, "products").endswith("2 with 1 product, 12 with 2 products and 7 with 3+ products")
    hidden = falls.assign(suppressed=[False, True, False])  # only what is drawn is judged
    assert caption.per_account(hidden, "products").endswith("2.0 times what those with 1 product bring")


def test_what_does_not_rise_with_every_step_is_warned_of():
    mixed = impact([0.8, 0.95, 0.9], "mixed")
    assert say.what_went_with(mixed)[1] == (
        "The share of customers who came back does not simply follow the number of products: "
        "do not read a rule into it."
    )
    assert caption.retention(mixed).startswith("Who came back does not simply follow")
    page = draw.retention(mixed, caption.retention(mixed), caption.retention_subtitle(mixed), say.CAUTION)
    assert overlapping(written(page)) == []
    assert "satisfaction" not in words(page)


def test_all_groups_too_small_are_said():
    found = impact([0.8, 0.9, 0.9], None)
    found.table["suppressed"] = True
    assert say.what_went_with(found) == ["Too few customers to compare those who had little with those who had much."]
    assert "too few customers" in words(draw.retention(found, "t", "s", "n"))


def test_an_impact_without_a_score_shows_none():
    assert "nan" not in table.impact(impact([0.8, 0.9, 0.9], "mixed").table, "products", "EUR").html


def test_retention_is_said_with_its_interval_and_without():
    row = {
        "n": 492, "earlier": "2023Q1 to 2023Q4", "later": "2024Q1 to 2024Q4", "before": Decimal(100),
        "after": Decimal(103), "retained": 450, "net_revenue_retention": 1.03, "gross_revenue_retention": 0.85,
        "account_retention": 450 / 492, "low": 1.01, "high": 1.06,
    }  # fmt: skip
    assert say.retained(row, "EUR") == (
        "The 492 customers of the 12 months to Q4 2023 brought EUR 100 then and EUR 103 in the 12 months to Q4 2024: "
        "103.0% of it (95% interval 101.0% to 106.0%), a clear rise."
    )
    assert say.retained({**row, "low": np.nan}, "EUR").endswith("103.0% of it.")
    assert say.kept(row).startswith("Growth left out, 85.0% of that revenue was kept, and 91.5% of the customers")
    html = table.retention(pd.DataFrame([{**row, "suppressed": False}]), "EUR").html
    assert "101.0% to 106.0%" in html
    assert "Points of revenue before" in table.balance(USUAL, "EUR").html


def test_wallets_are_told_or_why_not():
    above = Wallet(1.1, 4, 9, Decimal(11), Decimal(10), 2, "EUR")
    assert "we have 110.0% (the 4 customers whose spend is known, of 9)" in say.wallet(above)
    assert say.above_wallet(above).startswith("2 customers spent more with us than they are said to spend in all")
    one = say.above_wallet(replace(above, above=1))
    assert one.startswith("1 customer spent more with us than it is said to spend in all: its spend is too low")
    assert one.endswith("It is counted as it is.")
    assert say.wallet(None).endswith("so there is no share of wallet.")
    assert say.above_wallet(None) is None
    assert say.wallet(Wallet(None, 0, 9, None, None, 0, None)).startswith("None of 9 customers")


def test_what_is_within_reach_names_the_widest_gap_among_named_groups():
    peers = pd.DataFrame(
        {
            "group": ["L", "S", "(not given)"], "n": [50, 60, 70], "mean": [0.5, 0.3, 0.1],
            "peer_reference": [0.6, 0.45, 0.5], "suppressed": [False, False, False],
        }
    )  # fmt: skip
    assert say.reachable(peers, "size") == (
        "By size, most is within reach in the group S: its average is 30.0%, and the best quarter of like "
        "customers reach 45.0% (+15.0 points)."
    )
    assert say.reachable(peers.assign(suppressed=True), "size") is None
    assert "Within reach" in table.peers(peers).html
