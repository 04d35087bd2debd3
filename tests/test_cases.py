"""The published cases: reproduced to the printed digit, examined, and never said to show more than they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpilib import cases, kept
from kpilib.captions import cases as captions
from kpilib.errors import DataError
from kpilib.figures import cases as figures
from kpilib.pack import notebooks_of
from kpilib.programmes.verdict import CONTROLLED, DESCRIPTIVE, SUGGESTIVE, Verdict
from kpilib.tables import cases as tables
from kpilib.wording import cases as say
from kpilib.wording.programmes import CAUSAL

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
OF = {"technology_firm": cases.TECHNOLOGY, "software_firm": cases.SOFTWARE}
FIRMS = (*OF, *(f"{each}_twin" for each in OF))


def case_of(name: str) -> cases.Case:
    return OF[name.removesuffix("_twin")]


@pytest.fixture(scope="module")
def told():
    return {name: cases.examine(kept.open_book(DATA / name), case_of(name)) for name in FIRMS}


def at_end(found):
    return found.found.effects.query("measure == 'degree' and reading == 'at_end'").iloc[0]


# reproduced


@pytest.mark.parametrize("name", FIRMS)
def test_every_published_figure_is_reproduced_as_printed(told, name):
    published = {"technology_firm": ("45.0%", "75.0%", "25.0%"), "software_firm": ("12.0%", "28.0%", "15.0%")}
    claims = told[name].claims
    assert tuple(f"{each:.1%}" for each in claims["measured"]) == published[case_of(name).name]
    assert claims["agrees"].all()
    assert "all agree as printed" in say.agreement(told[name])
    assert ">no<" not in tables.claims(told[name]).html


def test_a_figure_that_is_not_reproduced_is_named(told):
    found = told["technology_firm"]
    claims = found.claims.assign(measured=[0.45, 0.7489, 0.25], agrees=[True, False, True])
    other = replace(found, claims=claims)
    assert say.agreement(other).endswith("apart: degree after.")
    assert "is not reproduced" in say.headline(other)
    assert tables.claims(other).html.count(">no<") == 1


def test_what_the_claims_imply(told):
    """45 to 75 with +25 %: a quarter less; 12 to 28 with +15 %: 1.15 x 12 / 28 - 1 = -50.7 %."""
    assert told["technology_firm"].implied.per_held_change == pytest.approx(-0.25)
    assert told["software_firm"].implied.per_held_change == pytest.approx(1.15 * 12 / 28 - 1)
    assert "brings 50.7% less" in say.implied(told["software_firm"])[0]
    assert "takes the index for penetration" in say.implied(told["software_firm"])[0]
    assert "takes the index" not in say.implied(told["technology_firm"])[0]


@pytest.mark.parametrize("name", FIRMS)
def test_what_a_product_held_brings_by_the_plainest_sums(told, name):
    """Revenue of twelve months of customers on file at both ends, over products held, from the files."""
    at = [pd.Timestamp(f"{year}-12-31") for year in (2023, 2024)]
    stay = sorted(set(on_file(name, at[0])) & set(on_file(name, at[1])))
    lines = billed(name)
    lines = lines[lines["customer"].isin(stay)]
    sums = [lines.loc[lines["date"].dt.year == day.year, "amount"].sum() for day in at]
    held = [len([each for each in held_on(name, day) if each[0] in set(stay)]) for day in at]
    change = (sums[1] / held[1]) / (sums[0] / held[0]) - 1
    factors = told[name].shown.factors.set_index("factor")
    assert factors.loc["revenue_per_held", "per_cent"] == pytest.approx(change, abs=1e-9)


# what moved the index besides: the files in plain pandas


def on_file(name: str, day: pd.Timestamp) -> list[str]:
    rows = pd.read_csv(DATA / name / "customers.csv", parse_dates=["joined", "left"])
    return list(rows.loc[(rows["joined"] <= day) & (rows["left"].isna() | (day < rows["left"])), "customer"])


def billed(name: str) -> pd.DataFrame:
    if (DATA / name / "invoices.csv").exists():
        return pd.read_csv(DATA / name / "invoices.csv", parse_dates=["date"])
    lines = pd.read_csv(DATA / name / "subscriptions.csv", parse_dates=["start", "end"])
    months = pd.DataFrame({"date": pd.date_range("2022-01-01", "2024-12-01", freq="MS")})
    lines = lines.merge(months, how="cross").rename(columns={"monthly_fee": "amount"})
    return lines[(lines["date"] >= lines["start"]) & (lines["end"].isna() | (lines["date"] < lines["end"]))]


def possible_on(name: str, day: pd.Timestamp) -> set[tuple[str, str]]:
    size = pd.read_csv(DATA / name / "customers.csv").set_index("customer")["size"]
    products = pd.read_csv(DATA / name / "products.csv", parse_dates=["launched"])
    on_sale = products.loc[products["launched"].isna() | (products["launched"] <= day), "product"]
    limited = {"Partner Portal", "Forecasting", "Recruiting", "Planning"}
    return {
        (one, each) for one in on_file(name, day) for each in on_sale if size[one] != "small" or each not in limited
    }


def held_on(name: str, day: pd.Timestamp) -> set[tuple[str, str]]:
    if (DATA / name / "invoices.csv").exists():
        lines = billed(name)
        lines = lines[(lines["date"] <= day) & (lines["date"] > day - pd.DateOffset(years=1))]
    else:
        lines = pd.read_csv(DATA / name / "subscriptions.csv", parse_dates=["start", "end"])
        lines = lines[(lines["start"] <= day) & (lines["end"].isna() | (day < lines["end"]))]
    return set(zip(lines["customer"], lines["product"], strict=True)) & possible_on(name, day)


def plain_index(name: str, year: int, keep=lambda slot: True) -> float:
    day, first = pd.Timestamp(f"{year}-12-31"), pd.Timestamp(f"{year}-01-01")
    offers = pd.read_csv(DATA / name / "offers.csv", parse_dates=["opened", "closed"])
    offers = offers[offers["opened"] <= day]
    open_still = offers["closed"].isna() | (offers["closed"] > day)
    offers = offers[open_still | (offers["closed"] >= first)]
    slots = offers.assign(won=(offers["outcome"] == "won") & ~open_still).groupby(["customer", "product"])["won"].any()
    possible = possible_on(name, day)
    slots = [won for slot, won in slots.items() if slot in possible and keep(slot)]
    return sum(slots) / len(slots)


@pytest.mark.parametrize("name", FIRMS[1::2])
def test_what_was_recorded_by_the_plainest_pandas(name):
    found = cases.recording(kept.open_book(DATA / name), cases.SOFTWARE)
    enrolled = pd.read_csv(DATA / name / "programme.csv").set_index("customer")["hold_out"]
    for row, year in zip(found.to_dict("records"), (2023, 2024), strict=True):
        assert row["index"] == plain_index(name, year)
        assert row["same_products"] == plain_index(name, year, lambda slot: slot[1] not in ("Insight", "Assistant"))
        assert row["treated"] == plain_index(name, year, lambda slot: enrolled.get(slot[0]) == "no")
        assert row["held_out"] == plain_index(name, year, lambda slot: enrolled.get(slot[0]) == "yes")
        ends = [pd.Timestamp(f"{each}-12-31") for each in (year - 1, year)]
        assert row["newly_held"] == len(held_on(name, ends[1]) - held_on(name, ends[0]))


def test_what_was_recorded_is_told_beside_what_is_held():
    sentences = " ".join(say.recording(cases.recording(kept.open_book(DATA / "software_firm"), cases.SOFTWARE), 2))
    assert "The index went from 12.0% to 28.0%; the degree, which needs no record, from 22.0% to 29.5%." in sentences
    assert "the 2 launched lines make +1.0 points of it" in sentences


# examined


@pytest.mark.parametrize("name", FIRMS)
def test_the_hold_out_tells_the_firm_from_its_twin(told, name):
    found, works = told[name], not name.endswith("_twin")
    row = at_end(found)
    assert row["low"] <= found.truth.effect <= row["high"]
    assert (found.truth.effect > 0) == works
    assert (row["low"] > 0) == works
    assert "holds it" in say.truth(found)
    concluded = " ".join([say.headline(found), *say.may(found)])
    assert bool(CAUSAL.search(concluded)) == works
    assert ("may be chance" in concluded) == (not works)


@pytest.mark.parametrize("name", OF)
def test_the_twin_is_found_and_told_apart(told, name):
    beside = cases.twin(kept.open_book(DATA / name))
    assert beside.engagement.folder.name == f"{name}_twin"
    assert cases.twin(beside) is None
    sentence = say.apart(told[name], told[f"{name}_twin"])
    assert "shows the same published figures" in sentence
    assert "tells them apart" in sentence
    assert "does not tell" in say.apart(told[f"{name}_twin"], told[f"{name}_twin"])
    assert say.apart(told[name], None).startswith("There is no twin")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FIRMS),
    st.sampled_from((CONTROLLED, SUGGESTIVE, DESCRIPTIVE)),
    st.floats(-0.3, 0.3),
    st.floats(0.001, 0.3),
)
def test_nothing_concluded_exceeds_the_verdict(told, name, word, value, reach):
    found = told[name]
    limits = {"value": value, "low": value - reach, "high": value + reach}
    effects = found.found.effects.copy()
    degrees = effects["measure"] == "degree"
    for column, limit in limits.items():
        effects.loc[degrees, column] = limit
    reasons = () if word == CONTROLLED else ("no_hold_out",)
    judged = replace(found.found, effects=effects, verdict=Verdict(word, reasons), payback=None)
    other = replace(found, found=judged)
    told_of = " ".join([say.headline(other), *say.may(other)])
    clear = limits["low"] > 0 or limits["high"] < 0
    assert bool(CAUSAL.search(told_of)) == (clear and word == CONTROLLED)
    assert ("may be chance" in told_of) == (not clear)
    if clear:
        assert any(each in told_of for each in (("raised", "more") if value > 0 else ("lowered", "less")))
        assert not any(each in told_of for each in (("lowered", "less") if value > 0 else ("raised", "more")))
    barred = " ".join(say.may_not(other))
    assert ("That the difference is the programme's doing" in barred) == (clear and word != CONTROLLED)
    assert "worth its cost" in barred


def test_a_programme_without_a_comparison_allows_facts_alone(told):
    found = told["technology_firm"]
    alone = replace(found.found, against=None, effects=found.found.effects.iloc[:0], verdict=Verdict(DESCRIPTIVE, ()))
    other = replace(found, found=alone, truth=None)
    assert len(say.may(other)) == 1
    assert "nobody shows what would have happened anyway" in say.may_not(other)[0]
    assert say.truth(other) is None
    assert "cannot be told" in say.headline(other)
    assert "nobody was held out" in captions.readings(other)
    assert len(captions.cards(other)) == 1


# shown


@pytest.mark.parametrize("name", OF)
def test_the_picture_shows_every_reading_of_both(told, name):
    here, there = told[name], told[f"{name}_twin"]
    rows = cases.readings(here, there)
    assert list(rows["reading"]) == [*captions.READINGS] * 2
    one = rows.set_index(["firm", "reading"])["value"][here.client]
    assert one["published"] == pytest.approx(here.case.after - here.case.before)
    assert one["difference"] == at_end(here)["value"]
    words = captions.readings(here, there), captions.readings_subtitle(here), captions.readings_note(here)
    page = figures.readings(rows, captions.labels(here.case), *words)
    assert page.get_label().startswith(f"As told +{100 * one['published']:.1f} points")
    shown = [each.get_text() for each in page.texts]
    assert shown.count(f"Published: the {say.KPIS[here.case.kpi]}, of everyone") == 2


# refused


def test_a_case_needs_its_year_its_records_and_its_programme():
    technology = kept.open_book(DATA / "technology_firm")
    with pytest.raises(DataError, match="told by the index of recorded opportunities"):
        cases.examine(technology, cases.SOFTWARE)
    with pytest.raises(DataError, match="records none"):
        cases.recording(technology, cases.SOFTWARE)
    with pytest.raises(DataError, match="has no complete 2019Q4 and no 2020Q4"):
        cases.examine(technology, replace(cases.TECHNOLOGY, earlier="2019Q4", later="2020Q4"))
    with pytest.raises(DataError, match="needs a programme that can be examined"):
        cases.examine(technology, replace(cases.TECHNOLOGY, earlier="2022Q4", later="2023Q4"))


@pytest.mark.parametrize("name", FIRMS)
def test_a_pack_takes_the_case_only_where_it_is_named(name):
    chapters = [each.stem for each in notebooks_of(ROOT / "notebooks", DATA / name, chapters_of(name))]
    mine = [each for each in chapters if "_case_" in each]
    assert mine == ([] if name.endswith("_twin") else [f"{7 + [*OF].index(name)}_case_{name}"])
    assert "6_before_after" in chapters


def chapters_of(name: str) -> tuple[str, ...]:
    return kept.open_book(DATA / name).engagement.chapters
