"""The KPI library: cards that are whole, bands that are bound, and a client's figures on them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from kpilib import __main__ as cli
from kpilib import appendix, kpis
from kpilib.engagement import SHIPPED_BANDS, Engagement
from kpilib.errors import DataError
from kpilib.kpis import diagnostics, figures_of, library
from kpilib.pack import pages
from kpilib.wording import cards as say
from tests.test_feedback import told as heard_from
from tests.test_revenue import hold

# the table of definitions, in its order
DEFINED = {
    "account_penetration_degree", "multi_product_share", "account_penetration_index", "products_per_account",
    "attach_rate", "cross_sell_rate", "whitespace_slots", "whitespace_value", "existing_account_growth",
    "net_revenue_retention", "gross_revenue_retention", "account_retention", "growth_balance", "feedback_coverage",
    "feedback_score", "offer_coverage", "share_of_wallet", "peer_reference",
}  # fmt: skip
NOW, BEFORE = "Ax Ay Bx C", "Ax Bx C"  # A, B and C could each have x and y


def text_of(card: kpis.Card) -> list[str]:
    return re.findall(r'"((?:[^"\\]|\\.)*)"', card.model_dump_json())


def test_there_is_a_card_for_every_kpi_that_is_defined():
    assert set(kpis.cards()["id"]) == DEFINED
    assert list(kpis.cards()["id"]) == list(library.ORDER)


def test_every_card_names_a_function_that_computes_it():
    assert kpis.uncomputed().to_dict("records") == []


def test_a_function_that_is_not_there_is_told(monkeypatch):
    degree = kpis.card("account_penetration_degree")
    cards = {
        "a": degree.model_copy(update={"id": "a", "function": "penetration.no_such"}),
        "b": degree.model_copy(update={"id": "b", "function": "nowhere.at_all"}),
    }
    monkeypatch.setattr(library, "all_cards", lambda: cards)
    assert list(kpis.uncomputed()["lacking"]) == ["function", "module"]


@pytest.mark.parametrize("kpi", sorted(DEFINED))
def test_a_card_refers_only_to_what_there_is(kpi):
    card = kpis.card(kpi)
    assert set(card.related) <= DEFINED - {kpi}
    asked = {each.answered_by for each in card.diagnostic_questions} - {None}
    assert asked <= set(diagnostics.ASKED)
    assert len(set(text_of(card))) > 20


def test_every_question_that_can_be_asked_has_its_sentence_and_its_card():
    asked = {each.answered_by for card in library.all_cards().values() for each in card.diagnostic_questions}
    assert asked - {None} == set(diagnostics.ASKED) == set(say._TOLD)


def test_the_two_kpis_of_this_kit_are_told_at_length():
    words = {kpi: sum(len(each.split()) for each in text_of(kpis.card(kpi))) for kpi in DEFINED}
    assert min(words["account_penetration_degree"], words["account_penetration_index"]) > 700
    assert min(words.values()) > 200
    assert len(kpis.card("account_penetration_degree").clarifications) >= 4


def test_an_unknown_card_is_refused_with_the_one_that_may_be_meant():
    with pytest.raises(DataError, match="Did you mean 'account_retention'"):
        kpis.card("acount_retention")


def test_a_card_at_fault_names_every_fault(tmp_path):
    whole = (library.FOLDER / "attach_rate.toml").read_text()
    path = tmp_path / "attach_rate.toml"
    path.write_text(whole.replace('unit = "share"', 'unit = "percent"').replace("says =", "said ="))
    with pytest.raises(library.CardError, match=r"(?s)says.*unit|unit.*says"):
        library.read_card(path)
    other = tmp_path / "other.toml"
    other.write_text(whole)
    with pytest.raises(library.CardError, match="'attach_rate'"):
        library.read_card(other)


def test_bands_rise(tmp_path):
    whole = (library.FOLDER / "account_penetration_index.toml").read_text()
    path = tmp_path / "account_penetration_index.toml"
    path.write_text(whole.replace("at_least = 15", "at_least = 45"))
    with pytest.raises(library.CardError, match="from low to high"):
        library.read_card(path)


def test_the_bands_of_the_degree_are_the_shipped_ones():
    found = kpis.bands("account_penetration_degree", "possible products")
    assert list(found["band"]) == [each.name for each in SHIPPED_BANDS]
    assert [(a, b) for a, b in zip(found["at_least"], found["above"], strict=True)] == [
        (each.at_least, each.above) for each in SHIPPED_BANDS
    ]
    assert list(found["action"]) == [each.action for each in SHIPPED_BANDS]


def test_the_index_has_both_published_sets():
    found = kpis.bands("account_penetration_index")
    assert found.groupby("set", sort=False).size().to_dict() == {"baseline": 2, "three steps": 3}
    assert found["above"].dropna().tolist() == [30]
    assert found["at_least"].dropna().tolist() == [30, 15]


@pytest.mark.parametrize("kpi", sorted(DEFINED - {"account_penetration_degree", "account_penetration_index"}))
def test_bands_are_refused_for_a_kpi_they_are_not_bound_to(kpi):
    with pytest.raises(DataError, match=r"has no bands.*account_penetration_degree \(possible products\)"):
        kpis.bands(kpi)


def test_bands_are_refused_for_another_denominator(book):
    with pytest.raises(DataError, match=r"'recorded opportunities' as denominator.*made for 'possible products'"):
        kpis.bands("account_penetration_degree", "recorded opportunities")
    engaged = book(NOW, engagement={"index_reading": "engaged"}).engagement
    with pytest.raises(DataError, match="'accounts counted' as denominator"):
        kpis.bands("account_penetration_index", engagement=engaged)


def test_bands_of_the_engagement_replace_the_shipped_ones_for_the_degree_alone(book):
    own = [{"name": "few"}, {"name": "many", "at_least": 40}]
    engagement: Engagement = book(NOW, engagement={"bands": own}).engagement
    found = kpis.bands("account_penetration_degree", engagement=engagement)
    assert list(found["band"]) == ["few", "many"]
    assert len(kpis.bands("account_penetration_index", engagement=engagement)) == 5


@pytest.mark.parametrize(
    ("value", "products", "band"),
    [(0.4999, 4, "low"), (0.5, 4, "moderate"), (0.7, 15, "healthy"), (0.85, 4, "healthy"), (0.8501, 4, "very high")],
)
def test_a_figure_is_read_by_its_bands(value, products, band):
    found = library.placed("account_penetration_degree", value, products=products)
    assert [each for _, each in found] == [band]


def test_bands_are_refused_for_a_longer_catalogue_than_they_were_made_for():
    with pytest.raises(DataError, match="made for up to 15 products; 18 are on sale"):
        library.placed("account_penetration_degree", 0.4, products=18)
    assert len(library.placed("account_penetration_index", 0.4, products=18)) == 2  # made for any


def test_an_engagements_own_bands_are_read_whatever_the_catalogue(book):
    own = [{"name": "few"}, {"name": "many", "at_least": 40}]
    engagement = book(NOW, engagement={"bands": own}).engagement
    found = library.placed("account_penetration_degree", 0.4, engagement, products=200)
    assert found == [("the client's own", "many")]


def test_the_degree_of_a_small_client(book):
    found = figures_of.figure(book(BEFORE, NOW, products="xy"), "account_penetration_degree", "2025Q2")
    assert (found.value, found.n) == (0.5, 3)  # 2/2, 1/2, 0/2
    assert found.change == pytest.approx(0.5 - 1 / 3)  # before: 1/2, 1/2, 0/2
    assert found.against == "2025Q1"
    assert dict(found.parts) == {"pooled over all customers": 0.5, "median customer": 0.5}
    assert found.bands.set_index("band")["accounts"].to_dict() == {
        "low": 1,
        "moderate": 1,
        "healthy": 0,
        "very high": 1,
    }


def test_the_other_figures_of_a_small_client(book):
    small = book(BEFORE, NOW, products="xy")
    multi = figures_of.figure(small, "multi_product_share", "2025Q2")
    assert (multi.value, multi.n, multi.change) == (1 / 3, 3, 1 / 3)
    assert dict(multi.parts)["1 or more"] == 2 / 3
    per = figures_of.figure(small, "products_per_account", "2025Q2")
    assert (per.value, per.change, per.parts[0][1]) == (1.0, pytest.approx(1 / 3), 1.5)
    assert dict(figures_of.figure(small, "attach_rate", "2025Q2").parts) == {"x": 2 / 3, "y": 1 / 3}
    sold = figures_of.figure(small, "cross_sell_rate", "2025Q2")
    assert (sold.value, sold.n) == (1 / 3, 3)


def test_the_index_needs_opportunities_and_says_so(book):
    bare = figures_of.figure(book(NOW, products="xy"), "account_penetration_index", "2025Q1")
    assert bare.value is None
    assert "no table of opportunities" in bare.lacking
    offers = [("Ax", "won", "2025-01-02", "2025-02-01"), ("By", "lost", "2025-01-02", "2025-02-01")]
    told = figures_of.figure(book(NOW, products="xy", opportunities=offers), "account_penetration_index", "2025Q1")
    assert (told.value, told.n, told.lacking) == (0.5, 2, None)
    client = book(NOW, products="xy", opportunities=offers)
    sentences = appendix.tell(kpis.card("account_penetration_index"), client).sentences
    assert (
        "Two sets of bands read it: “baseline” (the KPI's page in a public KPI library) as at the baseline or above; "
        "“three steps” (the same publisher, at another time) as strong."
    ) in sentences
    assert told.parts[0][1] == pytest.approx(1 / 3)  # of Ax, Ay and Bx, one has a record
    engaged = book(NOW, products="xy", engagement={"index_reading": "engaged"})
    found = figures_of.figure(engaged, "account_penetration_index", "2025Q1")
    assert found.value == 1 / 3
    assert "No bands" in found.lacking


@pytest.mark.parametrize(
    "text", ["A", "Ax", "Ax Ay", "Ax Bx Cx"], ids=["nothing held", "one of each", "all held", "one product"]
)
def test_the_cards_can_be_told_of_the_smallest_clients(book, text):
    page = appendix.page(book(text, products=None if "x" in text else "xy"), "2025Q1")
    here = re.findall(r'<div class="kpi-here">(.*?)</dl>', page)
    assert len(here) >= 5
    assert not any(word in each for each in here for word in ("None", "nan", "inf"))


def test_questions_are_answered_from_the_data(book):
    small = book(BEFORE, NOW, products="xy", launched={"y": "2025-04-15"})
    card = kpis.card("account_penetration_degree")
    answers = dict(appendix.tell(card, small, "2025Q2").answers)
    assert answers["Did the list of products change?"].startswith("2 products are on sale, against 1")
    assert "3 counted both times" not in answers["Are the same customers counted as before?"]
    assert answers["Is like compared with like?"].startswith("As reported, penetration moved")
    assert answers["Who carries the change?"] == say.UNANSWERED  # the engagement compares no attribute
    assert answers["Were customers with little offered more at all, or is it not possible for them?"] is None
    first = dict(appendix.tell(card, small, "2025Q1").answers)
    assert first["Is like compared with like?"] == say.UNANSWERED


def attach(*rows):
    return pd.DataFrame(rows, columns=["product_id", "change", "low", "high"])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (attach(("x", 0.1, -0.1, 0.3), ("gone", None, None, None)), "No product rose or fell clearly."),
        (attach(("x", 0.1, 0.05, 0.15), ("y", 0.0, -0.1, 0.1), ("gone", None, None, None)),
         "1 product rose clearly and none fell clearly, of 2 products that could be bought both times."),
        (attach(("x", -0.1, -0.15, -0.05)), "No product rose clearly and 1 fell clearly, of 1 product that could"),
        (attach(("x", 0.1, None, None)), "Whether any product rose or fell clearly cannot be told."),
        (attach(("x", 0.0, -0.1, 0.1)), "No product moved."),
    ],
)  # fmt: skip
def test_products_that_moved_are_counted_of_those_that_could_be_bought_both_times(table, said):
    told = say.products(diagnostics.Products(table, 5))
    assert said in told
    assert not re.search(r"\b0 (products|fell)", told)


def test_who_was_there_when_the_data_begin_has_been_for_so_long_or_more(book):
    client = book("Ax Bx", *["Ax Ay Bx"] * 3, "Ax Ay Bx Cx", products="xy", engagement={"minimum_cell": 1})
    told = say.answered("tenure", diagnostics.tenure(client, "2026Q1"))
    assert told == "Customers of less than a year have 50.0% (n = 1); of 1 year or more 75.0% (n = 2)."
    assert say.answered("tenure", diagnostics.tenure(client, "2025Q1")) == say.UNANSWERED  # all came at once


def test_a_change_of_fewer_customers_than_the_client_shows_names_no_product():
    table = attach(("x", 0.1, 0.05, 0.15), ("y", 0.0, -0.1, 0.1)).assign(n_both=60)  # 6 customers
    assert "x changed most" in say.products(diagnostics.Products(table, 6))
    assert "x changed most" not in say.products(diagnostics.Products(table, 7))


def test_the_smallest_group_of_a_card_is_the_engagements(book):
    client = book(BEFORE, NOW, products="xy", engagement={"minimum_cell": 2})
    assert diagnostics.products(client, "2025Q2").smallest == 2


@pytest.mark.parametrize(
    ("joined", "lost", "said"),
    [(0, 0, "3 customers are counted: the same as at the end of Q1 2025."),
     (1, 0, "1 is new and none is no longer counted."), (0, 2, "none is new and 2 are no longer counted.")],
)  # fmt: skip
def test_who_came_and_went_is_told_without_noughts(joined, lost, said):
    assert said in say.base(diagnostics.Base("2025Q1", 3, 3 - joined + lost, joined, lost))


def test_contracts_are_not_said_to_lapse_nor_called_unanswerable():
    assert say.answered("lapsing", None, ["subscriptions"]) == say.UNTIL_THEIR_END
    assert say.answered("lapsing", None, ["snapshot"]) == say.UNANSWERED
    assert say.answered("carriers", None, ["subscriptions"]) == say.UNANSWERED


def test_a_figure_at_a_limit_is_called_what_the_bands_call_it():
    warnings = " ".join(kpis.card("account_penetration_index").risk_warnings)
    told = int(re.search(r"(\d+)% of opportunities won is strong", warnings)[1])
    assert dict(kpis.placed("account_penetration_index", told / 100))["three steps"] == "strong"


def test_who_joined_and_left(book):
    found = diagnostics.base(book("Ax Bx", "Ax Cx Dx"), "2025Q2")
    assert (found.accounts, found.before, found.joined, found.lost) == (3, 2, 2, 1)


def test_the_step_is_where_most_accounts_stop(book):
    found = diagnostics.step(book("Ax Bx Cx Cy D"), "2025Q1")  # 4 accounts: 0, 1, 1, 2 products
    assert (found.k, found.share, found.next_share) == (1, 0.75, 0.25)


def test_the_steps_shown_are_those_of_the_catalogue_and_the_change_has_its_interval(book):
    client = book(BEFORE, NOW, products="xy")
    found = figures_of.figure(client, "multi_product_share", "2025Q2")
    assert [what for what, _ in found.parts] == ["1 or more"]  # nobody can have three of two products
    reach = student.ppf(0.975, 2) * np.std([1, 0, 0], ddof=1) / np.sqrt(3)  # A alone passed two
    assert (found.low, found.high) == (pytest.approx(1 / 3 - reach), pytest.approx(1 / 3 + reach))


SIX = ("A", "B", "C", "D", "E", "F")


@pytest.fixture(scope="module")
def two_years(book):
    """A to D brought 100, 10, 10 and 10; A brings 50 less, D nothing; E and F come with 5 each."""
    client = book(*[" ".join(f"{each}x" for each in SIX)] * 8, products="xy", engagement={"minimum_cell": 1})
    rows = [("A", "x", 0, 100), *((each, "x", 1, 10) for each in "BCD"), ("A", "x", 4, 50), ("B", "x", 5, 10)]
    hold(client, [*rows, ("C", "y", 6, 20), ("E", "x", 6, 5), ("F", "y", 7, 5)])
    return client


def test_money_is_held_against_the_customers_of_its_own_periods(two_years):
    """Five brought revenue this year and four last year, though six are counted at either quarter's end."""
    found = diagnostics.turnover(two_years, "2026Q4")
    assert (found.before, found.now, found.won, found.lost) == (4, 5, 2, 1)
    assert say.turnover(found) == (
        "5 customers brought revenue in the 12 months to Q4 2026, against 4 in the 12 months to Q4 2025: 2 had brought "
        "none then, and 1 brings none now."
    )
    asked = {"existing_account_growth", "net_revenue_retention", "gross_revenue_retention", "account_retention"}
    for card in (kpis.card(each) for each in asked | {"growth_balance"}):
        by = {each.answered_by for each in card.diagnostic_questions}
        assert "turnover" in by
        assert not by & {"base", "products"}  # these are of a quarter


def test_what_existing_customers_added_is_parted_by_the_products_they_had(two_years):
    found = diagnostics.same_or_new(two_years, "2026Q4")
    assert (found.same, found.products) == (-50, 10)  # A; C, which gave up 10 of x for 20 of y
    assert "−50 with products they had, +10 with products won less those dropped" in say.same_or_new(found)


def test_retention_is_told_with_and_without_the_largest(two_years):
    found = diagnostics.few_customers(two_years, "2026Q4")
    assert (found.largest, found.share, found.retained) == (1, 100 / 130, 80 / 130)
    assert found.without == pytest.approx(30 / 30)
    assert "61.5% with them and 100.0% without" in say.few_customers(found)
    assert diagnostics.few_customers(two_years, "2025Q1") is None


def test_the_year_before_is_told_beside_the_quarter_before(book):
    client = book(BEFORE, *[NOW] * 4, products="xy")
    found = diagnostics.last_year(client, "2026Q1")
    assert (found.against, found.points) == ("2025Q1", pytest.approx(1 / 6))
    assert diagnostics.same_accounts(client, "2026Q1").points == 0
    assert diagnostics.last_year(client, "2025Q4") is None
    assert diagnostics.fared(client, "2025Q4") is None


def test_what_became_of_every_band_is_told_without_a_rule(book):
    """Of A and B, who had half, B left; C and D had all and stayed."""
    before = "Ax Bx Cx Cy Dx Dy"
    client = book(before, *[before] * 3, "Ax Cx Cy Dx Dy", products="xy", engagement={"minimum_cell": 2})
    told = say.fared(diagnostics.fared(client, "2026Q1"))
    assert told.startswith(
        "Customers again in Q1 2026, by band in Q1 2025: moderate 50.0% of 2; very high 100.0% of 2."
    )
    assert "association" in told


SCORED = {"feedback": {"rows": [{}], "scale": (1, 7)}, "minimum_cell": 2}


def test_who_answered_and_what_pulls_the_score_down(book):
    client = heard_from(
        book(*["Ax Ay Bx Cx D"] * 8, products="xy", engagement=SCORED),
        *(("A", "2026-11-01", 2, "x"), ("B", "2026-11-01", 3, "x"), ("A", "2026-11-01", 6, "y")),
        *(("B", "2026-11-01", 5, "y"), ("C", "2025-11-01", 1, "y")),
    )
    assert say.heard(diagnostics.heard(client, "2026Q4")) == "From 2 of 4 customers in the look-back (50.0%)."
    found = diagnostics.subjects(client, "2026Q4")
    assert found.rows.to_dict("records") == [{"of": "product_id", "group": "x", "score": 2.5, "n": 2}]
    assert found.score == 4.0
    assert say.subjects(found).startswith("Lowest of those with enough answers: product x with 2.50 (2 customers); all")
    alone = diagnostics.Subjects(found.rows.head(0), 4.0)
    assert say.subjects(alone) == "None with enough answers lies below all who answered (4.00)."
    due = diagnostics.not_asked(client, "2026Q4")
    assert (due.due, due.accounts) == (2, 4)  # C answered a year and more ago, D never
    assert due.band is None  # one alone is moderate or better, fewer than may be shown
    assert diagnostics.not_asked(book(NOW), "2025Q1") is None


def test_owners_who_offer_a_product_to_nobody_are_named_with_it(book):
    """Kim offered x and never y, which five could be offered and one has."""
    names = {each: each for each in SIX}
    offers = [("Ax", "lost", "2025-01-02", "2025-02-01")]
    client = book("Ay B C D E F", products="xy", opportunities=offers, names=names, engagement={"minimum_cell": 5})
    found = diagnostics.never_offered(client, "2025Q1")
    assert say.never_offered(found) == (
        "No offer on record, though 5 customers or more could be offered it: Kim, y (5 customers)."
    )
    card = appendix.tell(kpis.card("offer_coverage"), client)
    assert (card.figure.value, card.figure.n) == (1 / 11, 11)  # of twelve, the y that A has tells nothing of offers
    assert "neither had nor blocked" in kpis.card("offer_coverage").counted


def test_a_spend_that_nobody_is_known_to_have_is_said(two_years):
    frame = pd.DataFrame({"account_id": ["A"], "day": ["2027-01-01"], "spend": ["500"]})  # noqa: F841, DuckDB reads it
    file = two_years.folder / "wallet.parquet"
    duckdb.sql(f"COPY (SELECT account_id, day::DATE AS day, spend::DECIMAL(18, 4) AS spend FROM frame) TO '{file}'")
    assert (
        figures_of.figure(two_years, "share_of_wallet", "2026Q4").lacking == "No customer's spend is known on that day."
    )
    told = diagnostics.spend_known(two_years, "2026Q4")
    assert say.spend_known(told) == "None of 6 customers has a known spend on that day."
    days = replace(told, n=3, first_day=date(2026, 4, 1), last_day=date(2026, 9, 30))
    assert say.spend_known(days) == "Known for 3 of 6 customers; the figures are of 1 April 2026 to 30 September 2026."


def test_an_unknown_question_is_refused(book):
    with pytest.raises(DataError, match="Did you mean 'carriers'"):
        diagnostics.ask(book(NOW), "2025Q1", "carrier")


def test_the_page_escapes_what_a_client_wrote(book):
    hostile = book("Ax Bx", engagement={"client": "<script>alert(1)</script>"})
    page = appendix.page(hostile, "2025Q1")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_has_a_section_for_every_card(book):
    made = pages.made(appendix.page(book(NOW), "2025Q1"), "cards", executed=False)
    assert made.title == "What does each figure mean?"
    assert [each for each, _ in made.sections] == list(library.ORDER)
    links = set(re.findall(r'href="#([a-z_]+)"', made.body))
    assert links == DEFINED


def kpi(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    cli.main([str(each) for each in arguments])
    return capsys.readouterr().out


def test_the_command_line_lists_cards(capsys):
    assert set(re.findall(r"(?m)^([a-z_]+) ", kpi(capsys, "cards"))) - {"id"} == DEFINED


def test_the_command_line_prints_a_card_to_read(capsys):
    general = kpi(capsys, "card", "account_penetration_index")
    assert max(map(len, general.splitlines())) <= 100
    assert "What are the two published bands, and which holds?" in general


def test_the_command_line_prints_a_clients_own_figures(capsys, monkeypatch, book):
    small = book(BEFORE, NOW, products="xy")
    monkeypatch.setattr(cli, "_open", lambda path: small)
    told = kpi(capsys, "card", "account_penetration_degree", "small")
    assert "At Small\n" in told
    assert "50.0% at the end of Q2 2025; n = 3" in told  # 2/2, 1/2 and 0/2
    earlier = kpi(capsys, "card", "account_penetration_degree", "small", "--quarter", "2025Q1")
    assert "33.3% at the end of Q1 2025" in earlier
    none = kpi(capsys, "card", "share_of_wallet", "small")
    assert "It needs revenue, and what customers spend in all." in " ".join(none.split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["card", "degre"], 1, "There is no card 'degre'"),
        (["card", "attach_rate", "--quarter", "2025Q1"], 2, "give the engagement as well"),
    ],
)
def test_the_command_line_refuses(capsys, arguments, code, words):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == code
    assert words in capsys.readouterr().err


def test_no_card_speaks_of_this_machine_or_copies_a_figure_twice():
    for path in Path(library.FOLDER).glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert "KPI Depot" not in text  # told in our own words, sources named plainly
        assert not re.search(r"\d %", text), path.name  # as everywhere on the pages: 40%
    assert isinstance(kpis.cards(), pd.DataFrame)


def test_the_pack_links_its_appendix_and_claims_no_notebook_for_it(tmp_path):
    made = pages.made('<h1>What?</h1><h2 id="attach_rate">Attach Rate</h2>', "cards", executed=False)
    cover = {"client": "Acme", "quarter": "2025Q1", "as_of": "31 March 2025", "kit": "0"}
    pages.write(tmp_path, cover, [made], {}, [])
    page = (tmp_path / "cards.html").read_text(encoding="utf-8")
    assert '<h2 id="attach_rate">Attach Rate</h2>' in page
    assert "the executed notebook" not in page
    assert '<a href="cards.html">What?</a>' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_part_of_an_id_names_all_cards_that_have_it():
    with pytest.raises(DataError, match=r"'account_penetration_degree' or 'account_penetration_index'"):
        library.card("penetration")
