"""Programmes: the published, the invented whose truth is known, the plainest worked by hand, and what is refused."""

from __future__ import annotations

import importlib.util
from datetime import date
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import fifths
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from clients import engagement
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kpilib import kept, programmes
from kpilib.captions import programmes as captions
from kpilib.errors import DataError
from kpilib.figures import programmes as figures
from kpilib.programmes import alike, effect, enrolled, staggered, threats, verdict
from kpilib.programmes.verdict import CONTROLLED, DESCRIPTIVE, SUGGESTIVE
from kpilib.samples import software, technology
from kpilib.tables import programmes as tables
from kpilib.wording import programmes as say

DATA = Path(__file__).parent.parent / "data"
MPDTA = "moderndid/core/datasets/mpdta_long.pkl.gz"


# the formula, against statsmodels, scipy and what was published


def drawn(seed: int, units: int = 30, accounts: int = 200):
    draw = np.random.default_rng(seed)
    unit = draw.integers(0, units, accounts)
    treated = unit % 2 == 0
    return draw.normal(size=accounts) + 0.3 * draw.normal(size=units)[unit] + 0.2 * treated, treated, unit


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("by_account", [True, False])
def test_the_difference_is_ols_clustered_by_what_was_assigned(seed, by_account):
    change, treated, unit = drawn(seed)
    unit = np.arange(len(change)) if by_account else unit
    found = effect.difference(change, treated, unit, "territory")
    fitted = sm.OLS(change, sm.add_constant(treated.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": unit}, use_t=True
    )
    low, high = fitted.conf_int()[1]
    assert (found.value, found.low, found.high) == pytest.approx((fitted.params[1], low, high), abs=1e-12)
    assert found.method == "clustered by territory, t"


def test_few_units_are_compared_by_their_means():
    change, treated, unit = drawn(1, units=12)
    found = effect.difference(change, treated, unit, "territory")
    means = pd.DataFrame({"unit": unit, "change": change, "treated": treated}).groupby("unit").mean()
    sides = [means.loc[means["treated"] == side, "change"] for side in (1, 0)]
    low, high = stats.ttest_ind(*sides, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert (found.units_treated, found.units_against, found.method) == (6, 6, "means of territory, Welch")


def test_it_is_the_two_way_fixed_effects_estimate_of_one_start():
    draw = np.random.default_rng(3)
    degree, treated = draw.random((40, 6)), np.arange(40) < 15
    change = degree[:, 4:].mean(axis=1) - degree[:, :4].mean(axis=1)
    rows = pd.DataFrame({"y": degree.ravel(), "i": np.repeat(range(40), 6), "t": np.tile(range(6), 40)})
    rows["d"] = (treated[rows["i"]] & (rows["t"] >= 4)).astype(float)
    dummies = pd.get_dummies(rows[["i", "t"]].astype(str), drop_first=True, dtype=float)
    fitted = sm.OLS(rows["y"], sm.add_constant(pd.concat([rows[["d"]], dummies], axis=1))).fit()
    assert effect.difference(change, treated, np.arange(40)).value == pytest.approx(fitted.params["d"], abs=1e-12)


def spread(mean: float, error: float, number: int) -> np.ndarray:
    """Changes with exactly this mean and standard error: the estimate depends on nothing else."""
    plain = np.linspace(-1, 1, number)
    return mean + plain * error * np.sqrt(number) / plain.std(ddof=1)


def test_card_and_krueger():
    """Card and Krueger 1994, table 3, row 4: 309 stores +.47 (.48), 75 stores -2.28 (1.25), difference 2.75 (1.34)."""
    change = np.concatenate([spread(0.47, 0.48, 309), spread(-2.28, 1.25, 75)])
    found = effect.difference(change, np.arange(384) < 309, np.arange(384))
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, 383)
    assert found.value == pytest.approx(2.75, abs=1e-9)
    assert error == pytest.approx(1.34, abs=0.01)  # the published s.e. are rounded


ORGAN_DONATIONS = """
.75 .77 .77 .78 .78 .79|.2634 .2092 .2261 .2503 .2351 .2587|.6653 .6674 .6736 .6715 .6699 .6594
.3905 .3853 .3952 .4031 .3864 .3984|.3319 .2866 .2951 .4024 .3791 .3646|.3753 .3795 .3947 .4181 .4037 .4070
.4170 .4105 .4271 .4294 .4307 .4108|.5372 .5460 .5619 .5949 .5510 .5486|.4635 .4529 .4680 .4590 .4950 .4560
.1563 .1491 .1923 .2461 .2294 .4216|.5358 .5173 .5202 .5246 .5280 .5398|.4025 .3987 .4063 .4089 .4150 .4127
.6429 .6406 .6578 .6683 .6674 .6523|.4541 .4337 .4360 .4405 .4389 .4519|.5576 .5594 .5643 .5334 .5248 .5253
.3037 .3109 .3039 .3109 .3127 .3334|.1249 .1267 .1314 .1451 .1277 .1229|.5239 .5190 .5320 .5340 .5284 .5126
.5545 .5593 .5701 .5701 .5751 .5645|.4531 .4536 .4553 .4559 .4551 .4527|.3083 .2617 .2556 .2641 .2966 .2280
.3268 .3249 .3382 .3428 .3385 .3400|.2645 .3623 .3455 .3590 .3443 .3701|.5811 .5893 .5882 .5846 .5842 .5947
.5735 .5710 .5720 .5688 .5660 .5814|.5931 .5946 .5937 .5911 .5854 .5881|.2666 .2731 .2743 .2636 .2607 .2641
"""  # 26 states and, last, California; 2010Q4 to 2012Q1, the wording changed in 2011Q3


def test_organ_donations_and_one_unit_alone_says_nothing_sure():
    """Kessler and Roth 2014 as in Huntington-Klein, The Effect, 18.2: -.022. Data: causaldata 0.1.5 (MIT)."""
    rows = [each for line in ORGAN_DONATIONS.split("\n") for each in line.split("|") if each]
    rates = np.array([[float(rate) for rate in each.split()] for each in rows])
    change = rates[:, 3:].mean(axis=1) - rates[:, :3].mean(axis=1)
    found = effect.difference(change, np.arange(27) == 26, np.arange(27), "state")
    assert round(found.value, 3) == -0.022
    assert found.low is None


def test_starts_at_different_times_agree_with_r():
    """R did on mpdta: overall effect -.03995, standard error .01203 (bcallaway11/did)."""
    data = importlib.util.find_spec("moderndid")
    if not staggered.installed() or data is None:
        pytest.skip("needs the extra and the data: pip install 'kpilib[did]' moderndid")
    rows = pd.read_pickle(Path(data.submodule_search_locations[0]).parent / MPDTA, compression="gzip")
    names = {"countyreal": "account", "year": "quarter", "lemp": "degree", "first.treat": "start"}
    value, error = staggered.overall(rows.rename(columns=names)[[*names.values()]])
    assert (round(value, 5), round(error, 5)) == (-0.03995, 0.01203)


def test_without_the_extra_the_install_line_is_told(monkeypatch):
    monkeypatch.setattr(staggered, "installed", lambda: False)
    with pytest.raises(DataError, match=r"pip install 'kpilib\[did\]'"):
        staggered.overall(pd.DataFrame())


# invented firms whose truth is known


@pytest.fixture(scope="module")
def firms():
    found = {}
    for name in ("technology_firm", "technology_firm_twin", "software_firm", "software_firm_twin"):
        found[name] = programmes.examined(kept.open_book(DATA / name))
    return found


def at_end(found):
    return found.effects.query("measure == 'degree' and reading == 'at_end'").iloc[0]


@pytest.mark.parametrize("works", [True, False])
def test_the_technology_firm_is_judged_as_its_truth_demands(firms, works):
    found, truth = firms["technology_firm" + ("" if works else "_twin")], technology.invent(works).truth
    row = at_end(found)
    assert (found.treated + found.held_out, found.held_out) == (truth.enrolled, truth.held_out)
    assert row["treated_change"] == pytest.approx(truth.with_programme, abs=1e-9)
    assert row["low"] <= truth.effect <= row["high"]
    assert (row["low"] > 0) == works
    assert found.verdict.word == CONTROLLED
    said = " ".join(say.answer(found, "USD"))
    assert ("The programme raised penetration of those in it by 13.6 points" in said) == works
    assert ("may be chance" in say.compared(found)) == (not works)


@pytest.mark.parametrize("works", [True, False])
def test_the_software_firm_is_judged_by_its_territories(firms, works):
    found, truth = firms["software_firm" + ("" if works else "_twin")], software.invent(works)[0].truth
    row = at_end(found)
    assert row["low"] <= truth.effect <= row["high"]
    assert (row["low"] > 0) == works
    assert (row["units_treated"], row["units_against"], row["method"]) == (13, 7, "means of territory, Welch")
    assert "drawn by territory, 20 units in all" in say.width(found)
    assert found.verdict.word == CONTROLLED


def test_a_launch_shows_as_a_different_catalogue(firms):
    row = firms["software_firm"].threats.set_index("threat").loc["catalogue"]
    assert row["found"]
    assert row["size"] < -0.02
    assert not firms["technology_firm"].threats.set_index("threat").loc["catalogue", "found"]


def test_pages_show_a_programme(firms):
    found = firms["technology_firm"]
    names = (captions.SIDES["treated"], captions.SIDES[found.against])
    page = figures.events(found.events, captions.events(found), captions.subtitle(found), captions.note(found), names)
    assert "raised penetration of those in it, by 13.6 points" in page.get_label()
    assert [each.get_text() for each in page.axes[0].texts] == ["start"]
    assert page.axes[0].lines[-1].get_ydata()[-1] == pytest.approx(at_end(found)["treated_change"])
    html = tables.threats(found).html
    assert "What happened anyway" in html
    assert "Verdict: controlled" in html
    assert "+13.6" in tables.effects(found, "USD").html
    assert "In the programme" in tables.moved(found).html
    revenue = captions.events(found, "revenue")
    assert revenue.startswith("Revenue a quarter per customer")


def test_payback_is_only_told_of_a_controlled_programme(firms):
    told = firms["technology_firm"]
    assert told.payback.low < told.payback.value < told.payback.high
    assert told.payback.cost == 93_450
    paid = say.payback(told, "USD")
    assert "may be chance (95% interval for each USD of cost: " in paid
    assert paid.endswith("no payback is shown.")
    assert f"{told.payback.value:,.2f}" not in paid  # what is not shown is not printed


def test_what_rounds_away_has_no_sign(firms):
    told = firms["technology_firm"]
    near = SimpleNamespace(cost=100.0, value=0.3, low=-0.001, high=0.6)
    found = SimpleNamespace(**vars(told) | {"payback": near})
    assert "of cost: 0.00 to 0.60)" in say.payback(found, "EUR")
    rows = told.effects.assign(value=-0.3, low=-9.0, high=8.0)
    moved = say.revenue(SimpleNamespace(**vars(told) | {"effects": rows}), "EUR")
    assert "moved as much as of customers held out of it" in moved
    assert "EUR 0" not in moved
    assert figures._written(-0.04, "products") == "0.0"
    assert figures._written(-0.4, "revenue") == "0"


def test_a_loss_to_come_is_shown_as_a_loss(firms):
    found = firms["software_firm"]
    row = found.threats.query("threat == 'lapsing'").iloc[0]
    assert row["size"] > 0
    shown = say.points(-row["size"])
    line = next(each for each in tables.threats(found).html.split("<tr") if "Losses still to come" in each)
    assert shown in line
    assert "+" not in line


def test_the_picture_says_why_its_ends_differ_from_its_title(firms):
    assert "counts each territory alike, the lines each customer" in captions.note(firms["software_firm"])
    assert "alike" not in captions.note(firms["technology_firm"])


def test_another_size_of_the_catalogue_is_explained_where_it_is_shown(firms):
    assert tables.PARTS_DIFFER in tables.threats(firms["software_firm"]).html
    assert tables.PARTS_DIFFER not in tables.threats(firms["technology_firm"]).html


def test_what_drift_back_leaves_leads(firms):
    back = threats.Regression(0.4, 0.2, 0.3, 0.5, 0.05, "earlier", "2023Q1", "2023Q4", 0.17, True, ("worst fifth",))
    told = vars(firms["technology_firm"]) | {"regression": back, "against": "others", "alone": True}
    found = SimpleNamespace(**told | {"verdict": verdict.Verdict(DESCRIPTIVE, ("chosen_low",))})
    left = f"{100 * (0.17 - back.expected):+.1f}"
    assert say.short(found).startswith("Less what was to be expected of customers chosen as they were")
    assert f"moved by {left} points (by +17.0 with it)" in say.short(found)
    assert say.short(found).endswith("descriptive, no proof.")
    assert f"{left} points beside the drift back" in captions.events(found)
    told = say.happened(found)
    assert told.index(say.regression(found)) < told.index(say.compared(found))
    held = SimpleNamespace(**vars(found) | {"against": "held_out"})
    assert say.short(held) == f"{say.compared(held, named=True).removesuffix('.')}: descriptive, no proof."
    assert say.regression(held) not in say.happened(held)


def test_a_page_says_what_is_not_examined_without_its_name_twice():
    reason = "'Early' starts outside the data. It starts on 2021-05-01."
    assert say.not_examined({"Early": reason}) == [
        "Early is not examined: it starts outside the data. It starts on 1 May 2021."
    ]
    one = SimpleNamespace(fault="1 customers are told both as held out and as taking part", assigned_by="territory",
                          name="Twice", alone=True)  # fmt: skip
    assert "no hold-out: 1 customer is told both" in say.refused(one)


# the shipped baskets: what no programme at all would have claimed


@pytest.fixture(scope="module")
def baskets():
    return fifths.baskets()


def test_the_worst_fifth_rises_by_itself_and_most_of_it_is_foreseen(baskets, tmp_path_factory):
    lines = fifths.departments(baskets)
    assert lines["product_id"].nunique() == 21
    rows = [f"{each},from Q1,2017-04-01," for each in fifths.weakest(lines, 1)]
    rows += [f"{each},from Q3,2017-10-01," for each in fifths.weakest(lines, 3)]
    book = kept.open_book(fifths.engagement(tmp_path_factory.mktemp("worst"), lines, rows))
    first = programmes.examined(book, "from Q1", through="2017Q2")
    side = first.moved.set_index("side").loc["treated"]
    assert (round(side["before"], 3), round(side["after"], 3), round(100 * side["change"], 2)) == (0.146, 0.223, 7.77)
    assert round(100 * at_end(first)["value"], 2) == 8.06  # comparing with all others makes it worse
    assert round(100 * first.regression.expected, 1) == 6.7
    assert first.regression.learned == "same"
    last = programmes.examined(book, "from Q3")
    assert round(100 * last.regression.change, 2) == 6.72
    assert last.regression.learned == "earlier"
    assert 0.85 < last.regression.expected / last.regression.change < 0.95
    for found in (first, last):
        assert found.payback is None
        assert "needs a controlled comparison" in say.payback(found, "USD")
        assert found.regression.flagged
        assert found.verdict.word == DESCRIPTIVE
        assert "chosen_low" in found.verdict.reasons
        assert not say.CAUSAL.search(" ".join([*say.answer(found), say.regression(found)]))
        assert "was to be expected of them without any programme" in say.regression(found)


def test_campaign_18_is_no_proof(baskets, tmp_path_factory):
    """Revenue per household, 56 days of the campaign against 56 before: +34.66; against all others +14.21 (7.40)."""
    sent = pd.read_parquet(fifths.DATA / "campaigns.parquet").query("campaign_id == 18")["household_id"]
    rows = [f"{each},campaign 18,2017-10-30,2017-12-24" for each in sent]
    book = kept.open_book(fifths.engagement(tmp_path_factory.mktemp("campaign"), fifths.days(baskets), rows))
    found = programmes.campaign(book, "campaign 18")
    assert (found.days, found.naive.n, found.compared.n_against) == (56, 1133, 1336)
    assert round(found.naive.value, 2) == 34.66
    assert round(found.compared.value, 2) == 14.21
    error = (found.compared.high - found.compared.low) / 2 / stats.t.ppf(0.975, 2468)
    assert round(error, 2) == 7.40
    assert found.verdict in (SUGGESTIVE, DESCRIPTIVE)
    assert found.placebo.clear  # both sides moved apart before it began, so not even suggestive
    assert found.verdict == DESCRIPTIVE
    with pytest.raises(DataError, match="There is no programme 'campaign 19'"):
        programmes.campaign(book, "campaign 19")


# small clients worked by hand, and what is refused

HEAD = """client = "Small"
data_from = 2024-01-01
data_to = 2024-12-31
lookback_months = 3
base = "all"
minimum_cell = 1
"""
BODY = """[sources.held]
path = "held.csv"
[sources.programme]
path = "programme.csv"
[[evidence]]
kind = "subscriptions"
source = "held"
[catalogue]
products = ["x", "y"]
[accounts]
source = "accounts"
[sources.accounts]
path = "accounts.csv"
[programmes]
source = "programme"
name = "Calls"
"""
PER_SIDE = 12


def small(folder, rows, more="", held=None, attributes="region", region=None):
    """24 accounts; A0 to A11 in the programme, B0 to B11 held out; ``held``: lines of account, product, start."""
    of = region or (lambda side, n: f"T{(n + (PER_SIDE if side == 'B' else 0)) % 4}")
    everyone = [f"{side}{n}" for side in "AB" for n in range(PER_SIDE)]
    owned = [f"{each},x,2023-01-01," for each in everyone] + list(held or [])
    return kept.open_book(
        engagement(
            folder,
            HEAD + BODY + ("" if "unit =" in more else 'unit = "customer"\n') + more,
            held_csv="account_id,product_id,start,end\n" + "\n".join(owned) + "\n",
            programme_csv="\n".join(rows) + "\n",
            accounts_csv=f"account_id,{attributes}\n"
            + "".join(f"{each},{of(each[0], int(each[1:]))}\n" for each in everyone),
        )
    )


def enrolled_rows(start="2024-07-15", out="2024-07-15", grounds=("", "")):
    rows = ["account_id,start,hold_out,selected_on"]
    rows += [f"A{n},{start},no,{grounds[0]}" for n in range(PER_SIDE)]
    return rows + [f"B{n},{out},yes,{grounds[1]}" for n in range(PER_SIDE)]


def test_a_case_worked_by_hand(tmp_path):
    """Six of twelve treated bought y (half of the other half: +.25), three of twelve held out (+.125)."""
    bought = [f"A{n},y,2024-08-01," for n in range(6)] + [f"B{n},y,2024-08-01," for n in range(3)]
    found = programmes.examined(small(tmp_path, enrolled_rows(), held=bought))
    row = at_end(found)
    assert (found.before, found.after) == ("2024Q2", "2024Q4")
    assert (row["treated_before"], row["treated_after"], row["against_change"]) == (0.5, 0.75, 0.125)
    assert row["value"] == 0.125
    products = found.effects.query("measure == 'products' and reading == 'at_end'").iloc[0]
    assert products["value"] == 0.25
    events = found.events.query("measure == 'degree'").set_index("quarter")["value"].to_dict()
    assert events == {"2024Q1": 0.0, "2024Q2": 0.0, "2024Q3": 0.125, "2024Q4": 0.125}
    assert found.verdict.word == CONTROLLED
    assert found.no_payback == "no_margins"
    assert "may be chance" in say.compared(found)


def test_leavers_and_joiners_sum_with_the_same_accounts_to_the_reported_change(tmp_path):
    rows = ["account_id,start,hold_out", *[f"A{n},2024-07-15,no" for n in range(PER_SIDE)]]
    book = small(tmp_path, rows, held=["A1,y,2024-08-01,"])
    found = programmes.examined(book)
    sizes = found.threats.set_index("threat")["size"]
    assert sizes["survivorship"] == sizes["joiners"] == sizes["catalogue"] == 0
    assert found.against == "others"
    assert found.verdict.word == SUGGESTIVE
    assert found.verdict.reasons == ("no_hold_out",)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (enrolled_rows(out="2024-05-01"), "a start .2024-05-01. before the programme's"),
        (enrolled_rows(out="2024-10-01"), "a start of their own"),
        (enrolled_rows(grounds=("small", "large")), "chosen on other grounds"),
        ([*enrolled_rows(), "A0,2024-07-15,yes,"], "both as held out and as taking part"),
        (enrolled_rows()[:-5], "only 7 customers were held out; 10 is the least"),
    ],
)
def test_a_hold_out_that_is_none_is_not_compared_with(tmp_path, rows, fault):
    found = programmes.examined(small(tmp_path, rows))
    assert found.against is None
    assert found.effects.empty
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("no_sound_hold_out",))
    assert not found.threats["held_off"].any()
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(found.fault)
    assert "is no hold-out" in say.refused(found)


def test_units_that_mix_both_sides_are_no_hold_out(tmp_path):
    found = programmes.examined(small(tmp_path, enrolled_rows(), more='unit = "region"\n'))
    assert found.fault.startswith("it was drawn by region, and 4 of them have both")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (enrolled_rows(start="2023-07-15", out="2023-07-15"), "starts outside the data.*2023-07-15"),
        (enrolled_rows(start="2025-07-15", out="2025-07-15"), "starts outside the data.*2025-07-15"),
        (enrolled_rows(start="2024-02-15", out="2024-02-15"), "no complete quarter before its start"),
        (enrolled_rows()[:8], "too small to be measured. 7 customers took part; 10 is the least"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_reason(tmp_path, rows, message):
    book = small(tmp_path, rows)
    with pytest.raises(DataError, match=message):
        enrolled.programme(book)
    assert programmes.examined(book) is None
    assert say.not_examined({"Calls": programmes.refusal(book)})[0].startswith("Calls is not examined: it ")


def test_no_complete_quarter_after(tmp_path):
    book = small(tmp_path, enrolled_rows())
    with pytest.raises(DataError, match="no complete quarter after its start"):
        enrolled.programme(book, through="2024Q2")


def test_an_engagement_without_programmes_says_so():
    book = kept.open_book(DATA / "technology_firm")
    bare = SimpleNamespace(has=lambda name: False)
    assert programmes.names(bare) == []
    assert programmes.examined(bare) is None
    assert programmes.refusal(bare).startswith("The engagement tells of no programme.")
    assert programmes.names(book) == ["Targeted outreach"]


def test_different_starts_are_refused_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(staggered, "installed", lambda: False)
    rows = enrolled_rows(out="2024-07-15")
    rows[1:6] = [f"A{n},2024-04-15,no," for n in range(5)]
    found = programmes.examined(small(tmp_path, rows))
    assert "pip install 'kpilib[did]'" in found.refused
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("starts_apart",))
    assert not found.threats["held_off"].any()
    assert found.effects.empty


def test_different_starts_are_each_compared_with_those_never_in_it(tmp_path):
    """Five began in Q2, four of them bought at once; seven in Q3, three bought; of twelve held out one, in Q3.

    (5 × (.4 + 2 × (.4 - 1/24)) + 7 × 2 × (3/14 - 1/24)) ÷ (5 × 3 + 7 × 2) = 8 ÷ 29
    """
    if not staggered.installed():
        pytest.skip("needs the extra: pip install 'kpilib[did]'")
    rows = enrolled_rows()
    rows[1:6] = [f"A{n},2024-04-15,no," for n in range(5)]
    held = [f"A{n},y,2024-05-01," for n in range(4)] + [f"A{n},y,2024-08-01," for n in range(5, 8)]
    found = programmes.examined(small(tmp_path, rows, held=[*held, "B1,y,2024-08-01,"]))
    assert found.waves.value == pytest.approx(8 / 29)
    assert found.effects.empty
    assert found.verdict == verdict.Verdict(SUGGESTIVE, ("few_quarters_before",))
    assert "on average over the quarters since each start" in say.compared(found).lower()
    assert "moved by 27.6 points more" in say.compared(found)
    assert "enter: 12 of 12 in it and 12 of 12 held out." in say.entered(found)


def waves(draw, treated, against, size=20, shock=0.04):
    """Units of many sizes that move by themselves, in two waves; no effect at all."""
    units, quarters = treated + against, 9
    sizes = np.maximum(3, (size * draw.lognormal(0, 0.6, units)).astype(int))
    unit = np.repeat(np.arange(units), sizes)
    steps = np.cumsum(draw.normal(0, shock / 2, (units, quarters)), axis=1)
    alone = np.cumsum(draw.normal(0, 0.06, (len(unit), quarters)), axis=1)
    degree = draw.beta(2, 4, len(unit))[:, None] + alone + steps[unit]
    arm = (unit >= treated).astype(int)
    start = np.where(unit < treated, np.where(unit % 2, 5, 7), 5)
    panel = SimpleNamespace(degree=degree, unit=unit, side=lambda which: arm == enrolled.ARMS.index(which))
    members = pd.DataFrame({"arm": np.array(enrolled.ARMS)[arm], "start_quarter": start})
    quarters = tuple(SimpleNamespace(index=each) for each in range(quarters))
    told = {"name": "Push", "assigned_by": "territory", "held_out": int(arm.sum())}
    return panel, SimpleNamespace(members=members, quarters=quarters, **told)


def test_chance_is_seldom_called_an_effect_of_starts_in_waves():
    if not staggered.installed():
        pytest.skip("needs the extra: pip install 'kpilib[did]'")
    draw = np.random.default_rng(11)
    found = [staggered.effect(*waves(draw, 6, 6)) for _ in range(300)]
    assert 0.02 <= np.mean([each.clear for each in found]) <= 0.07  # 1.96 standard errors: a tenth
    panel, programme = waves(draw, 6, 6)
    error = staggered.overall(staggered._of_units(panel, programme, np.ones(len(panel.unit), bool)))[1]
    one = staggered.effect(panel, programme)
    assert one.high - one.value == pytest.approx(stats.t.ppf(0.975, 5) * error)
    assert (one.units_treated, one.units_against) == (6, 6)


@pytest.mark.parametrize(("treated", "against"), [(3, 3), (4, 10), (10, 4)])
def test_waves_of_few_units_have_no_effect(treated, against):
    with pytest.raises(DataError, match=r"Counted by territory.*5 on each side is the least"):
        staggered.effect(*waves(np.random.default_rng(1), treated, against))


def test_waves_of_few_customers_or_of_mixed_units_have_no_effect():
    panel, programme = waves(np.random.default_rng(1), 6, 6)
    with pytest.raises(DataError, match=r"Counted by customer, .*1000 on each side is the least"):
        staggered.effect(panel, programme, 1000)
    programme.members.loc[0, "start_quarter"] += 1
    with pytest.raises(DataError, match="in different quarters for customers of one territory"):
        staggered.effect(panel, programme)


def test_a_controlled_programme_of_several_starts_is_not_said_to_need_a_comparison(tmp_path, monkeypatch):
    """The word stands beside the reason for no payback: they must not contradict each other."""
    monkeypatch.setattr(staggered, "installed", lambda: True)
    monkeypatch.setattr(staggered, "overall", lambda rows: (0.2, 0.01))
    monkeypatch.setattr(verdict, "of", lambda *_, **__: verdict.Verdict(CONTROLLED, ()))
    rows = enrolled_rows()
    rows[1:6] = [f"A{n},2024-04-15,no," for n in range(5)]
    found = programmes.examined(small(tmp_path, rows))
    assert found.waves.clear
    assert found.payback is None
    assert say.payback(found) == "No payback is worked out: its starts lie in different quarters."
    assert "raised penetration of those in it by 20.0 points" in say.compared(found)
    assert say.compared(found).startswith("On average over the quarters since each start, ")


def test_another_programme_on_one_side_takes_the_verdict_down(tmp_path):
    rows = [each + ",Calls" for each in enrolled_rows()]
    rows[0] = "account_id,start,hold_out,selected_on,programme"
    rows += [f"A{n},2024-08-01,no,,Webinars" for n in range(PER_SIDE)]
    found = programmes.examined(small(tmp_path, rows), "Calls")
    other = found.threats.query("threat == 'overlap'").iloc[0]
    assert (other["detail"], other["n"], other["of"]) == ("Webinars", 12, 12)
    assert found.verdict == verdict.Verdict(SUGGESTIVE, ("overlap",))
    assert not found.alone


def test_a_side_that_loses_more_customers_takes_the_verdict_down(tmp_path):
    book = small(tmp_path, enrolled_rows())
    panel = effect.panel(book, enrolled.programme(book))
    panel.degree[:8, -1] = np.nan
    table, _ = threats.panel_of(book, enrolled.programme(book), panel, "held_out")
    row = table.set_index("threat").loc["attrition"]
    assert (row["n"], row["of"], bool(row["found"])) == (8, 12, True)
    assert row["size"] == pytest.approx(8 / 12)
    assert verdict.of("held_out", pd.DataFrame(columns=["check", "measure"]), table).reasons == ("attrition",)
    assert not say.of_penetration(row.to_dict() | {"threat": "attrition"})  # its points are of customers


# what makes a controlled verdict sound


def two(rows, others):
    """Rows of Calls, and of another programme called Webinars in which these took part."""
    head, *body = rows
    more = [f"{each},2024-08-01,no,,Webinars" for each in others]
    return [head + ",programme", *[each + ",Calls" for each in body], *more]


@pytest.mark.parametrize(
    ("treated", "out", "reasons"),
    [(0, 12, None), (0, 7, None), (12, 6, ("overlap",)), (6, 6, ("overlap",)), (2, 0, ("overlap",)), (1, 1, ())],
)
def test_another_programme_counts_on_both_sides(tmp_path, treated, out, reasons):
    others = [f"A{n}" for n in range(treated)] + [f"B{n}" for n in range(out)]
    found = programmes.examined(small(tmp_path, two(enrolled_rows(), others)), "Calls")
    row = found.threats.query("threat == 'overlap'").iloc[0]
    assert (row["n"], row["n_against"], row["of_against"]) == (treated, out, 12)
    assert row["held_off"] == (reasons == ())
    assert f"{out} of 12 held out of it" in say.threat(row.to_dict())
    if reasons is None:
        assert found.fault == f"{out} of the 12 customers held out took part in other programmes meanwhile"
        assert (found.against, found.verdict.word) == (None, DESCRIPTIVE)
    else:
        assert found.verdict == verdict.Verdict(SUGGESTIVE if reasons else CONTROLLED, reasons)


def test_others_whom_another_programme_reached_are_not_compared_with(tmp_path):
    rows = two(enrolled_rows()[: PER_SIDE + 1], [f"B{n}" for n in range(8)])
    found = programmes.examined(small(tmp_path, rows), "Calls")
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("others_reached",))
    assert found.threats.query("threat == 'overlap'")["n_against"].tolist() == [8]


def test_who_is_not_counted_before_and_after_does_not_make_a_hold_out(tmp_path):
    """Ten of twelve held out joined after the start: two enter the estimate."""
    joined = [f"A{n},2020-01-01" for n in range(PER_SIDE)]
    joined += [f"B{n},{'2020-01-01' if n < 2 else '2024-08-01'}" for n in range(PER_SIDE)]
    found = programmes.examined(joining(tmp_path, joined))
    assert found.fault == "only 2 of the 12 customers held out are counted both before and after; 10 is the least"
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("no_sound_hold_out",))
    assert found.effects.empty
    assert found.events.empty
    assert found.moved["side"].tolist() == ["treated"]


def test_who_took_part_must_be_counted_before_and_after_as_well(tmp_path):
    joined = [f"A{n},{'2020-01-01' if n < 4 else '2024-08-01'}" for n in range(PER_SIDE)]
    found = programmes.examined(joining(tmp_path, joined + [f"B{n},2020-01-01" for n in range(PER_SIDE)]))
    assert found.refused == "4 of the 12 customers in it are counted before and after; 10 is the least."
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("too_few_counted",))
    assert found.moved["n"].tolist() == [12]
    assert "too few customers in it are counted" in say.stands(found)


def joining(folder, joined):
    """The small client whose accounts joined as told."""
    book = small(folder, enrolled_rows())
    (folder / "accounts.csv").write_text("account_id,joined_on\n" + "\n".join(joined) + "\n")
    return kept.open_book(book.engagement.path)


def test_the_note_tells_how_many_enter_the_estimate(tmp_path):
    joined = [f"{side}{n},{'2024-08-01' if n == 0 else '2020-01-01'}" for side in "AB" for n in range(PER_SIDE)]
    found = programmes.examined(joining(tmp_path, joined))
    assert "11 customers in it, 11 held out" in captions.note(found)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("", 'what was drawn is not named. 12 rows.*programmes.unit is not given. Write .* unit = "customer"'),
        ('unit = "regoin"', "names 'regoin', which is no column .*Did you mean 'region'"),
    ],
)
def test_what_was_drawn_must_be_named_and_known(tmp_path, unit, message):
    with pytest.raises(DataError, match=message):
        small(tmp_path, enrolled_rows(), more=f"{unit}\n# unit =\n")


@pytest.mark.parametrize("unit", ["customer", "account", "account_id"])
def test_the_account_itself_can_be_what_was_drawn(tmp_path, unit):
    assert enrolled.programme(small(tmp_path, enrolled_rows(), more=f'unit = "{unit}"\n')).assigned_by == "customer"


def test_a_column_of_the_table_is_read_by_its_name(tmp_path):
    rows = [f"{each},{'area' if n == 0 else each[0] + str(n % 4)}" for n, each in enumerate(enrolled_rows())]
    found = programmes.examined(small(tmp_path, rows, more='unit = "area"\n'))
    row = at_end(found)
    assert (found.assigned_by, row["units_treated"], row["units_against"]) == ("area", 4, 4)
    blank = [each.rpartition(",")[0] + ("," if n else ",area") for n, each in enumerate(rows)]
    blank += ["A0,2024-09-01,no,,P9"]
    found = programmes.examined(small(tmp_path / "blank", blank, more='unit = "area"\n'))
    assert found.fault == "23 customers have no area, which is what was drawn"


def sorted_regions(folder, region):
    """Customers whose region is told by ``region(side, number)``; drawn, it is said, by customer."""
    book = small(folder, enrolled_rows())
    rows = [f"{side}{n},{region(side, n)}" for side in "AB" for n in range(PER_SIDE)]
    (folder / "accounts.csv").write_text("account_id,region\n" + "\n".join(rows) + "\n")
    return kept.open_book(book.engagement.path)


def test_sides_that_follow_an_attribute_were_not_drawn_by_customer(tmp_path):
    found = programmes.examined(sorted_regions(tmp_path, lambda side, n: f"{side}{n % 3}"))
    row = found.threats.query("threat == 'one_sided'").iloc[0]
    assert "Every region lies wholly on one side" in say.threat(row.to_dict())
    assert found.verdict == verdict.Verdict(SUGGESTIVE, ("one_sided",))
    own = programmes.examined(sorted_regions(tmp_path / "own", lambda side, n: f"{side}{n}"))
    assert own.verdict.word == CONTROLLED  # a value of its own for each customer tells nothing


SEGMENTED = 'segment_by = ["region"]\n'


def segmented(folder, region, more="", held=None):
    book = small(folder, enrolled_rows(), held=held, more=more, region=region)
    (folder / "engagement.toml").write_text(SEGMENTED + (folder / "engagement.toml").read_text())
    return programmes.examined(kept.open_book(book.engagement.path))


def test_sides_unlike_beyond_chance_are_not_controlled(tmp_path):
    found = segmented(tmp_path, lambda side, n: "north" if (n < 11) == (side == "A") else "south")
    row = found.threats.query("threat == 'unlike'").iloc[0]
    assert (row["detail"], row["n"], row["of"], bool(row["found"])) == ("region", 1, 2, True)
    assert found.verdict == verdict.Verdict(SUGGESTIVE, ("unlike",))
    even = segmented(tmp_path / "even", lambda side, n: "north" if n < 6 else "south")
    assert even.verdict.word == CONTROLLED
    assert "as alike as a draw makes them, in region, penetration" in say.threat(
        even.threats.query("threat == 'unlike'").iloc[0].to_dict()
    )


LAUNCH = """[[eligibility]]
products = ["y"]
from = 2024-08-01
where = { region = "north" }
"""


@pytest.mark.parametrize("alike_hit", [True, False])
def test_a_catalogue_that_changed_for_one_side_is_not_taken_out(tmp_path, alike_hit):
    def region(side, n):
        return "north" if (n < 6 if alike_hit else (n < 11) == (side == "A")) else "south"

    found = segmented(tmp_path, region, more=LAUNCH)
    row = found.threats.set_index("threat").loc["catalogue"]
    assert row["found"]
    assert row["held_off"] == alike_hit
    assert ("hit_unlike" in found.verdict.reasons) != alike_hit
    assert (found.verdict.word == CONTROLLED) == alike_hit


def test_others_are_counted_by_the_unit_that_was_drawn(tmp_path):
    rows = enrolled_rows()[: PER_SIDE + 1]
    held = [f"{side}{n},y,2024-08-01," for side in "AB" for n in range(0, PER_SIDE, 5)]
    found = programmes.examined(small(tmp_path, rows, more='unit = "region"\n', held=held))
    row = at_end(found)
    assert (row["units_treated"], row["units_against"]) == (4, 4)
    assert "drawn by region, 8 units in all" in say.width(found)
    rows = [each + ("," + ("area" if n == 0 else f"a{n % 4}")) for n, each in enumerate(rows)]
    found = programmes.examined(small(tmp_path / "unknown", rows, more='unit = "area"\n', held=held))
    assert pd.isna(at_end(found)["low"])
    assert say.width(found) == "The programme was drawn by area, and no area is on record of customers not in it."
    assert found.verdict == verdict.Verdict(DESCRIPTIVE, ("no_hold_out", "few_units"))


def test_without_a_full_quarter_after_nothing_is_controlled(tmp_path):
    rows = enrolled_rows(start="2024-10-02", out="2024-10-02")
    found = programmes.examined(small(tmp_path, rows))
    row = found.threats.set_index("threat").loc["few_quarters_after"]
    assert (row["n"], row["of"], bool(row["found"])) == (0, 1, True)
    assert found.verdict == verdict.Verdict(SUGGESTIVE, ("few_quarters_after",))
    rows = enrolled_rows(start="2024-10-01", out="2024-10-01")
    assert programmes.examined(small(tmp_path / "whole", rows)).verdict.word == CONTROLLED


@pytest.mark.parametrize("start", ["", "soon"])
def test_a_table_of_which_rows_cannot_be_used_is_not_examined(tmp_path, start):
    book = small(tmp_path, enrolled_rows(out=start))
    assert programmes.examined(book) is None
    assert programmes.refusal(book).startswith("Too many rows of the table of programmes cannot be used. 12 of 24 are")


def exact(values, treated):
    """The chance of a difference of means as large, over every draw of as many."""
    mine = abs(values[treated].mean() - values[~treated].mean())
    every = [np.isin(np.arange(len(values)), each) for each in combinations(range(len(values)), int(treated.sum()))]
    return np.mean([abs(values[each].mean() - values[~each].mean()) >= mine - 1e-12 for each in every])


@pytest.mark.parametrize("seed", range(6))
def test_the_chance_of_a_draw_is_that_of_all_draws(seed, monkeypatch):
    monkeypatch.setattr(alike, "DRAWS", 60_000)
    draw = np.random.default_rng(seed)
    values, treated = draw.normal(size=10), np.arange(10) < 4
    values[treated] += seed / 2
    found = alike.chances({"it": values[:, None]}, treated, np.arange(10))["it"]
    assert found == pytest.approx(exact(values, treated), abs=0.008)


def test_the_formula_for_very_many_agrees_with_chi_square():
    draw = np.random.default_rng(1)
    kind, treated = draw.integers(0, 3, 6000), draw.random(6000) < 0.4
    found = alike.chances({"kind": alike._indicators(kind)}, treated, np.arange(6000))["kind"]
    assert found == pytest.approx(stats.chi2_contingency(pd.crosstab(kind, treated)).pvalue, abs=0.002)


# wording never exceeds its numbers


number = st.floats(-0.6, 0.6).map(lambda each: round(each, 4))


@st.composite
def results(draw):
    word = draw(st.sampled_from([CONTROLLED, SUGGESTIVE, DESCRIPTIVE]))
    against = "held_out" if word == CONTROLLED else draw(st.sampled_from(["held_out", "others", None]))
    known = [each for each in say.REASONS if each != "no_comparison"]
    reasons = () if word == CONTROLLED else tuple(draw(st.lists(st.sampled_from(known), min_size=1, unique=True)))
    rows = (
        [] if against is None else [_effect(draw, *each) for each in (("degree", "at_end"), ("revenue", "on_average"))]
    )
    sides = [
        {"side": each, "before": 0.4, "after": 0.5, "change": draw(number), "n": 40} for each in ("treated", against)
    ]
    low, high = sorted((draw(number), draw(number)))
    paid = SimpleNamespace(cost=1000.0, value=(low + high) / 2, low=low, high=high)
    return SimpleNamespace(
        name="Calls", alone=draw(st.booleans()), assigned_by="territory", start=date(2024, 1, 15), before="2023Q4",
        after="2024Q4", treated=50, held_out=40, against=against,
        moved=pd.DataFrame(sides[: 1 if against is None else 2]),
        effects=pd.DataFrame(rows, columns=list(effect.EFFECTS)), waves=None,
        checks=pd.DataFrame({"check": ["baseline", "trend"], "measure": "degree", "value": [draw(number), draw(number)],
                             "clear": [False, draw(st.booleans())]}),
        verdict=verdict.Verdict(word, reasons), fault=None, refused=None,
        payback=draw(st.sampled_from([paid, None])), no_payback="no_cost", regression=None,
    )  # fmt: skip


def _effect(draw, measure, reading):
    value, half = draw(number), draw(st.sampled_from([None, 0.001, 0.05, 0.3]))
    limits = (None, None) if half is None else (value - half, value + half)
    told = {"measure": measure, "reading": reading, "value": value, "low": limits[0], "high": limits[1]}
    return told | {
        "units_treated": 5,
        "units_against": 6,
        "n_treated": 50,
        "n_against": 40,
        "method": "means of territory, Welch",
    }


@settings(max_examples=100, deadline=None)
@given(results())
def test_every_sentence_keeps_to_its_numbers(found):
    row = say.effect_of(found, "degree", "at_end")
    sure = row is not None and not pd.isna(row["low"]) and not row["low"] <= 0 <= row["high"]
    may = found.verdict.word == CONTROLLED and sure
    told = [*say.answer(found, "EUR"), captions.events(found), captions.note(found), say.alike(found) or ""]
    for sentence in told:
        assert may or not say.CAUSAL.search(sentence), sentence
        assert "\n" not in sentence
    if row is None:
        assert say.compared(found) is None
    elif not sure:
        assert "may be chance" in say.compared(found) or "too little is known" in say.compared(found)
        assert "clearly" not in captions.events(found) or "not clearly" in captions.events(found)
    else:
        words = ("raised", "more") if row["value"] > 0 else ("lowered", "less")
        for sentence in (say.compared(found), captions.events(found)):
            assert any(each in sentence for each in words), sentence
            assert f"{abs(100 * row['value']):.1f} points" in sentence or abs(row["value"]) < 0.001
    alone = [*told, say.judged(found), say.payback(found, "EUR"), say.revenue(found, "EUR") or "", say.short(found)]
    assert found.alone or all("the programme" not in each.lower() for each in alone)
    first = [captions.events(found), say.judged(found), say.payback(found, "EUR"), say.stands(found), say.short(found)]
    first += [each for each in (say.alike(found), say.revenue(found, "EUR"), say.compared(found)) if each]
    assert found.alone or all("Calls" in each for each in first)
    assert "Calls" in say.short(found)
    if sure:
        assert say.short(found).endswith(f"{found.verdict.word}, no proof.") == (found.verdict.word != CONTROLLED)
    assert found.verdict.word in say.judged(found)
    assert ("no proof" in say.judged(found)) == (found.verdict.word == SUGGESTIVE)
    paid = say.payback(found, "EUR")
    earned = found.verdict.word == CONTROLLED and found.payback is not None and found.payback.low > 0
    assert ("earned" in paid) == earned


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(say.THREATS)), number, st.integers(0, 50), st.booleans())
def test_every_threat_is_told_with_its_size(threat, size, n, there):
    row = {"threat": threat, "size": size, "n": n, "of": 50, "detail": "size", "whose": "others", "found": there}
    told = say.threat(row)
    assert told.endswith(".")
    assert not say.CAUSAL.search(told)
    if threat in ("market", "attrition"):
        assert say.points(size) in told
    if threat == "lapsing":
        assert f"overdue: {say.points(abs(size)).lstrip('+')} points may still be lost" in told


def test_a_distance_is_told_as_one_and_grounds_as_stated():
    row = {"threat": "regression_to_the_mean", "size": 0.001, "n": 0, "of": 0, "whose": "programme"}
    row |= {"detail": "", "found": False}
    back = threats.Regression(0.454, 0.402, 0.3, 0.9, 0, "same", "a", "b", None, False, ("room left: below 75 %",))
    assert say.threat(row, back) == (
        "The customers chosen (chosen on: room left: below 75 %) lay 5.2 points below all customers before the start; "
        "for that alone, +0.1 points were to be expected."
    )


@given(st.lists(st.tuples(st.booleans(), st.floats(-1, 1)), min_size=8, max_size=60))
def test_swapping_the_sides_turns_the_sign(rows):
    treated, change = np.array([each[0] for each in rows]), np.array([each[1] for each in rows])
    one, other = (effect.difference(change, side, np.arange(len(rows))) for side in (treated, ~treated))
    if one.value is None:
        assert treated.all() or not treated.any()
    else:
        assert one.value == pytest.approx(-other.value, abs=1e-12)
        assert (one.low is None) == (other.low is None)
