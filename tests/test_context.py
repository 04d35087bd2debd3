"""What the chapter on worth adds: money as a plan and a pitfall, cards with money, and sentences that say why not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import invented
import nbformat
import pandas as pd
import pytest
from pydantic import ValidationError

from kpilib import kpis, peers, pitfalls, publish, revenue, targets
from kpilib.captions import context as captions
from kpilib.kpis import figures_of
from kpilib.measures.uncertainty import Estimate
from kpilib.pack import outputs
from kpilib.planned import Target
from kpilib.wording import cards as card_words
from kpilib.wording import context as say
from kpilib.wording import pitfalls as pitfall_words
from kpilib.wording import revenue as say_revenue
from kpilib.wording import targets as target_words
from tests.test_revenue import hold

NOW = "2026Q4"
THEM = [f"A{number}" for number in range(1, 31)]  # 24 that we had, 6 that come
AIMS = [
    {"quarter": NOW, "kpi": "existing_account_growth", "value": 0.05},
    {"quarter": NOW, "kpi": "net_revenue_retention", "value": 0.9},
]


@pytest.fixture(scope="module")
def many(book):
    """Thirty customers over eight quarters, of whom every one could have x and y."""
    return book(*[" ".join(f"{each}x" for each in THEM)] * 8, products="xy", engagement={"targets": AIMS})


def shrinking(book, after: str, new: str) -> None:
    """Let 24 customers bring 10 or 12 before and so many after, and six new ones so many each."""
    rows = [(each, "x", 0, 10 + 2 * (place % 2)) for place, each in enumerate(THEM[:24])]
    rows += [(each, "x", 4, Decimal(after) + place % 3) for place, each in enumerate(THEM[:24])]
    hold(book, [*rows, *((each, "y", 5, new) for each in THEM[24:])])


# targets


def test_money_is_held_against_its_plan_over_twelve_months(many):
    shrinking(many, "9", "50")
    found = targets.plan(many, NOW)
    before, after = 24 * 11, 24 * 10  # 10 and 12 by turns; 9, 10 and 11 by turns
    assert found["actual"].tolist() == [pytest.approx(after / before - 1), pytest.approx(after / before)]
    assert found["n"].tolist() == [24, 24]
    assert found["met"].tolist() == [False, True]
    assert target_words.met(found).startswith("1 of 2 targets is met; furthest behind, by 14.1 points: growth of exist")


def test_without_two_years_a_plan_of_money_is_held_against_nothing(many):
    shrinking(many, "9", "50")
    found = targets.path(many, "2026Q3")
    assert found[["actual", "n"]].isna().all(axis=None)
    assert not found["suppressed"].any()
    assert target_words.not_shown(found) is None


def test_money_of_a_segment_is_no_target():
    for whose in ({"owner": "Kim"}, {"segment": {"size": "big"}}):
        with pytest.raises(ValidationError, match="of all accounts: leave out segment and owner"):
            Target(quarter=NOW, kpi="net_revenue_retention", value=1.1, **whose)
    assert Target(quarter=NOW, kpi="existing_account_growth", value=-0.1).value == -0.1
    with pytest.raises(ValidationError, match="outside -1 to 5"):
        Target(quarter=NOW, kpi="existing_account_growth", value=25)


def test_one_target_is_told_as_one():
    row = {"kpi": "net_revenue_retention", "unit": "share", "k": None, "product": None, "segment": None, "owner": None}
    plan = pd.DataFrame([row | {"met": False, "distance": -0.05}])
    assert target_words.met(plan).startswith("The target is missed by 5.0 points: revenue that exist")
    assert target_words.met(plan.assign(met=True)) == "The target is met."


# growth by new accounts, in money


@pytest.mark.parametrize(
    ("after", "new", "fires"), [("8", "30", True), ("10", "30", False), ("8", "1", False)],
    ids=["new ones carry it", "the old ones hold", "no growth"],
)  # fmt: skip
def test_growth_of_revenue_that_new_accounts_carry_is_found(many, after, new, fires):
    shrinking(many, after, new)
    found = pitfalls.revenue_by_new(many, NOW)
    existing = 24 * (int(after) + 1) - 24 * 11
    assert (found.fires, found.n, found.unit) == (fires, 24, "share")
    assert found.figures["existing"] == existing
    assert found.figures["total"] == existing + 6 * int(new)
    assert found.size == pytest.approx(existing / (24 * 11))
    if fires:
        kept = revenue.net_revenue_retention(many, NOW)
        assert pitfall_words.body(found) == (
            "revenue grew by 132, while the 24 customers of before bring 48 less: 81.8% of what they brought "
            f"(95% interval {100 * kept.low:.1f}% to {100 * kept.high:.1f}%)."
        )


def test_existing_customers_who_bring_less_are_found_though_chance_could_be_why(many):
    """All revenue is counted: 24 customers of very different size bring less, whatever next year does."""
    rows = [(each, "x", 0, 100 if place % 2 else 10) for place, each in enumerate(THEM[:24])]
    rows += [(each, "x", 4, 10 if place % 2 else 70) for place, each in enumerate(THEM[:24])]
    hold(many, [*rows, *((each, "y", 5, 200) for each in THEM[24:])])
    found = pitfalls.revenue_by_new(many, NOW)
    assert found.figures["existing"] == 12 * (80 - 110)
    assert found.figures["high"] > 1  # the interval reaches beyond 100%
    assert found.fires
    assert pitfall_words.body(found).endswith("; that much could be chance.")


def test_a_season_is_not_taken_for_customers_who_bring_less(many):
    rows = [(each, "x", 6, 100 if place % 2 else 10) for place, each in enumerate(THEM[:24])]
    rows += [(each, "x", 7, 10 if place % 2 else 70) for place, each in enumerate(THEM[:24])]
    hold(many, [*rows, *((each, "y", 7, 200) for each in THEM[24:])])
    assert revenue.longest(many, NOW) == {"period": "quarter", "against": "previous"}
    assert pitfalls.revenue_by_new(many, NOW).fires is False
    told = card_words.figure(figures_of.figure(many, "existing_account_growth", NOW), kpis.card("account_retention"))
    assert told[1].startswith("One quarter against the one before, seasons included: ")
    row = revenue.retention(many, NOW, "quarter", "previous").iloc[0].to_dict() | {"low": 1.1, "high": 1.2}
    assert "seasons included" in say_revenue.retained(row)
    assert "a clear rise" not in say_revenue.retained(row)
    year = row | {"earlier": "2025Q4", "later": "2026Q4"}
    assert say_revenue.retained(year).endswith("a clear rise.")


def test_few_accounts_and_data_without_revenue_carry_no_alarm(book, many):
    hold(many, [("A1", "x", 0, 10), ("A2", "x", 0, 12), ("A1", "x", 4, 1), ("A2", "x", 4, 1), ("A3", "x", 4, 90)])
    assert pitfalls.revenue_by_new(many, NOW).fires is False
    hold(many, [("A1", "x", 4, 10)])
    assert pitfalls.revenue_by_new(many, NOW).lacks == ("revenue of an earlier period",)
    bare = pitfalls.revenue_by_new(book("Ax", "Ax"), "2025Q2")
    assert (bare.fires, bare.lacks) == (None, ("revenue",))
    assert "without revenue by customer and product" in pitfall_words.body(bare)


def test_an_earlier_period_of_returns_alone_is_nothing_to_compare_with(many):
    hold(many, [("A1", "x", 0, 10), ("A1", "x", 1, -10), ("A1", "x", 6, 5), ("A2", "x", 7, 5)])
    assert revenue.longest(many, NOW) == {"period": "quarter", "against": "previous"}


# cards


def test_cards_show_what_became_of_revenue(many):
    shrinking(many, "9", "50")
    found = figures_of.figure(many, "net_revenue_retention", NOW)
    assert (found.value, found.n) == (pytest.approx(240 / 264), 24)
    assert dict(found.parts)["growth of their revenue"] == pytest.approx(240 / 264 - 1)
    told = card_words.figure(found, SimpleNamespace(unit="share", counted="customers"))
    assert "in the 12 months to Q4 2026, against the 12 months to Q4 2025; n = " in told[-1]
    balance = figures_of.figure(many, "growth_balance", NOW)
    assert balance.value == 240 + 300 - 264 == sum(value for _, value in balance.parts)
    assert card_words.number(-12.5, "money") == "−12.50"
    assert card_words.parts(balance, "money", "EUR")[-1][1] == "EUR 0"
    assert "EUR 276 in the 12 months" in card_words.figure(balance, kpis.card("growth_balance"), "EUR")[0]
    assert figures_of.figure(many, "net_revenue_retention", "2025Q1").lacking.startswith("The data cover no earlier")


def test_every_card_has_a_function_or_says_what_is_lacking(book):
    small = book("Ax Ay Bx C D E", products="xy")
    assert set(figures_of.MEASURED) >= {"feedback_score", "offer_coverage", "share_of_wallet", "whitespace_value"}
    found = {kpi: figures_of.figure(small, kpi, "2025Q1") for kpi in figures_of.MEASURED}
    assert all(each.kpi == kpi and (each.value is not None or each.lacking) for kpi, each in found.items())
    assert (found["whitespace_slots"].value, found["whitespace_slots"].n) == (7, 10)
    assert found["peer_reference"].value == peers.reach(small, "2025Q1") == 0.5  # of 0 0 0 .5 1
    assert found["feedback_coverage"].lacking == "It needs feedback of customers: who, when, which score."


# sentences that say why not, and what is found


def test_what_cannot_be_told_is_told_in_one_sentence():
    assert say.worth(None, NOW, False) == say.NO_REVENUE
    assert "no complete earlier period" in say.worth(None, NOW, True)
    assert say.money(None, None, "Why not.") == ["Why not."]
    assert len(say.fared(None, NOW, 12)) == len(say.coming(None, None, None, NOW)) == 1
    assert len(say.heard(None, None, None, None, 12)) == 1
    assert say.to_ask(None, "low") == say.wallet(None) == []
    assert say.in_touch(None, 12) == [
        "Whom we met is not on record: a list of contacts (customer, day, kind) would show it."
    ]


def test_the_answer_leaves_out_what_there_is_nothing_to_say_of():
    findings = [pitfalls.Finding("mix shift", False), pitfalls.Finding("feedback unused", None)]
    told = say.answer("Worth.", pd.DataFrame(), None, None, NOW, findings, None)
    assert told == ["Worth.", "None of 1 known pitfall that these data can show is found."]


@pytest.mark.parametrize(("error", "warned"), [(0.008, True), (0.001, False)])
def test_a_forecast_that_did_worse_than_none_is_told_with_it(error, warned):
    ahead = pd.DataFrame(
        [{"measure": "mean", "quarter": "2018Q1", "now": 0.39, "forecast": 0.4, "points": 4, "low": None, "high": None,
          "reason": "few quarters"}]
    )  # fmt: skip
    record = pd.DataFrame({"measure": ["mean"], "error": [error], "unchanged": [0.002]})
    told = say.answer("Worth.", pd.DataFrame(), None, None, NOW, [], ahead, record)
    assert told[-1].endswith("expecting no change would have come closer.") == warned


def test_scores_are_told_by_the_bands_that_may_be_shown():
    bands = pd.DataFrame(
        {"band": ["low", "mid", "high"], "score": [6.0, None, 8.0], "suppressed": [False, True, False]}
    )
    told = captions.feedback(bands, NOW, 12, Estimate(2.0, 1.0, 3.0, 40))[0]
    assert told == "Customers who have more give higher scores: 6.0 in low, 8.0 in high"
    assert captions.feedback(bands.assign(suppressed=True), NOW, 12)[0].startswith("Too few customers")


def test_small_cells_do_not_leave_with_a_clients_copy(tmp_path):
    frame = pd.DataFrame(
        {"group": ["N", "S"], "n": [9, 2], "mean": [0.5, 0.25], "revenue": [Decimal("1") / 3, Decimal("7")],
         "suppressed": [False, True]}
    )  # fmt: skip
    path = publish.table(publish.masked(frame, "group"), "reached", tmp_path)
    assert path.read_text().splitlines()[1:] == ["N,9,0.500000,0.333333,false", "S,,,,true"]
    plain = frame.drop(columns="suppressed")
    assert publish.masked(plain) is plain


def test_a_colour_is_no_reference():
    drawn = '<svg xmlns="http://www.w3.org/2000/svg"><rect fill="#ffffff" clip-path="url(#a)" /><g id="a" /></svg>'
    assert 'fill="#ffffff" clip-path="url(#f-1)"' in outputs.inlined(drawn, "f")


def test_shares_with_several_products_say_how_many_are_on_sale():
    rows = {"products": [23, 10, None], "source": "A", "confidence": "confirmed", "transform": "", "client": None}
    rows |= {"value": 0.5, "low": None, "high": None, "client": 0.4}
    found = SimpleNamespace(
        kpi="multi_product_share", rows=pd.DataFrame(rows, index=range(3)), left_out=pd.DataFrame(), products=8
    )
    title, _, note = captions.good(found, NOW)
    assert title == "Customers with several products, not like for like: we sell 8 products, others 10 and 23"
    assert note.startswith("The more products are on sale, the more a customer can have: 10 and 23 there, 8 here.")
    found.kpi = "account_penetration_degree"
    title, _, note = captions.good(found, NOW)
    assert title.startswith("Not like for like: we sell 8")
    assert note.startswith("The fewer products are on sale, the more easily a customer has a large share of them: 10")
    found.products = 10
    assert captions.good(found, NOW)[0] == "Not like for like: we sell 10 products, others 23"
    found.products = found.rows["products"] = 8
    assert captions.good(found, NOW)[0].startswith("Ours is below every published figure")


def test_revenue_per_customer_is_a_multiple_of_those_who_pay():
    rows = {"group": ["none", "1", "2+"], "accounts": 9, "revenue": 1, "suppressed": False, "share_of_revenue": 0}
    table = pd.DataFrame(rows | {"revenue_per_account": [Decimal(0), Decimal(10), Decimal(35)]})
    told = captions.per_account(table, "products", NOW, 12, "EUR")[0]
    assert told == "Customers with 2+ products bring EUR 35 each, 3.5 times what those with 1 product bring"


# the chapter's own tables


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Run the chapter's cells on the invented firm that has feedback, contacts, owners and offers."""
    folder = tmp_path_factory.mktemp("chapter")
    shown, cells = [], nbformat.read(Path(__file__).parents[1] / "notebooks" / "3_context.ipynb", as_version=4).cells
    given = {"engagement": str(invented.write(folder / "northgate")), "quarter": "", "tables": str(folder / "tables")}
    known = {"display": shown.append}
    for each in cells:
        if each.cell_type == "code":
            exec(compile(each.source, each.id, "exec"), known)
            known |= given if each.id == "parameters" else {}
    return {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}, known


def test_feedback_and_contacts_are_published_by_group(published):
    tables, known = published
    for name in ("feedback_by_band", "feedback_by_size", "contacts_by_kind", "contacts_by_band", "came_back_by_band"):
        assert len(tables[name]) > 1, name
    kept = known["feedback"].by_group(known["book"], known["quarter"], "size").set_index("group")
    assert tables["feedback_by_size"].set_index("group")["score"].to_dict() == pytest.approx(
        kept["score"].to_dict(), abs=1e-6, nan_ok=True
    )
    both = {"findex_2021_world", "findex_2017_2021_developing"}
    assert both <= set(tables["published_left_out"]["id"])  # an index is measured, so its rows are told
