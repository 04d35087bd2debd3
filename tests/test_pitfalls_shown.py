"""Feedback, targets, offers and pitfalls as they are shown: sentences, tables, figures."""

from __future__ import annotations

import re

import invented
import numpy as np
import pandas as pd
import pytest

from kpilib import feedback, kept, offered, pitfalls, targets
from kpilib.captions import context as caption
from kpilib.figures import feedback as draw_feedback
from kpilib.figures import targets as draw_targets
from kpilib.measures.uncertainty import Estimate
from kpilib.pitfalls import Finding
from kpilib.tables import feedback as lay_feedback
from kpilib.tables import pitfalls as lay_pitfalls
from kpilib.tables import targets as lay_targets
from kpilib.wording import feedback as say_feedback
from kpilib.wording import pitfalls as say_pitfalls
from kpilib.wording import targets as say_targets

NOW = "2025Q4"
DEGREE = "account_penetration_degree"


@pytest.fixture(scope="module")
def northgate(tmp_path_factory):
    wanted = [(0.45, ""), (0.7, 'segment = { size = "Large" }'), (0.2, 'owner = "A. Berg"')]
    told = "".join(f'[[targets]]\nquarter = "{NOW}"\nkpi = "{DEGREE}"\nvalue = {v}\n{w}\n' for v, w in wanted)
    told += f'[[targets]]\nquarter = "2026Q4"\nkpi = "{DEGREE}"\nvalue = 0.5\n'
    return kept.open_book(invented.write(tmp_path_factory.mktemp("northgate"), more=told))


def texts(page):
    return [each.get_text() for each in (*page.texts, *(t for axes in page.axes for t in axes.texts))]


def bands(**columns):
    table = pd.DataFrame({"band": ["low", "mid", "high"], "accounts": [50, 40, 3], "n": [20, 30, 2]} | columns)
    return table.assign(coverage=[0.4, 0.75, None], suppressed=[False, False, True])


def test_scores_by_band_are_an_association_and_warned_of_where_they_do_not_follow():
    rising = bands(score=[5.0, 7.0, None])
    title, _, note = caption.feedback(rising, NOW, 12, Estimate(2.0, 0.5, 3.5, 50))
    assert title == "Customers who have more give higher scores: 5.0 in low, 7.0 in mid"
    assert "Neither says which comes first. A band is not shown where too few answered" in note
    for unclear in (None, Estimate(2.0, -0.5, 4.5, 50), Estimate(2.0, None, None, 50)):
        title = caption.feedback(rising, NOW, 12, unclear)[0]
        assert title == "No clear difference between the scores customers give: 5.0 in low, 7.0 in mid"
    odd = bands(score=[5.0, 4.0, 6.0]).assign(suppressed=False)
    assert caption.feedback(odd, NOW, 12)[0].startswith("Scores do not simply follow how much customers have: 5.0 in")
    assert caption.feedback(bands(score=[5.0, None, None]), NOW, 12)[0].startswith("Too few")
    assert say_feedback.quiet_bands(rising) == "No score is shown for high: fewer than 5 answers."
    assert say_feedback.quiet_bands(rising.assign(suppressed=[False, True, True])) == (
        "No score is shown for high: fewer than 5 answers; nor for mid, which would give them away."
    )
    assert say_feedback.quiet_bands(None) is None


def test_what_is_not_recorded_says_what_would_be_needed():
    assert "a list of their answers" in say_feedback.heard(None)
    assert "a list of contacts" in say_feedback.reached(None)
    assert say_feedback.score(None, None) is None
    assert "a record of sales opportunities" in say_pitfalls.offers(None, ["opportunities", "owner"])


def test_the_client_reads_in_plain_sentences(northgate):
    coverage, found = feedback.coverage(northgate, NOW), feedback.score(northgate, NOW)
    first, second = say_feedback.heard(coverage), say_feedback.score(found, northgate.engagement.feedback.scale)
    assert re.fullmatch(r"In the last 12 months \d+ of 240 customers gave feedback \([\d.]+%\)\.", first)
    assert "from 0 to 10; the net promoter score is" in second
    assert "most of them by visit" in say_feedback.reached(feedback.contacts(northgate, NOW))
    listed = feedback.band_actions(northgate, NOW)
    assert say_feedback.actions(listed).startswith(f"customers_by_band.csv has all {len(listed)} customers with")
    assert say_feedback.actions(listed.head(0)) is None
    due = feedback.to_ask(northgate, NOW, "moderate")
    assert f"{len(due)} customers in the band moderate have given no answer" in say_feedback.to_ask(due, "moderate")
    assert say_feedback.to_ask(due.head(0), "low").startswith("No customer in the band low has been without an answer")
    plan, path = targets.plan(northgate, NOW), targets.path(northgate, NOW)
    assert say_targets.met(plan).startswith("1 of 3 targets is met; furthest behind, by ")
    assert say_targets.met(plan).endswith("size: Large.")
    assert say_targets.ahead(path).endswith("points in each of 4 quarters.")
    assert say_targets.ahead(path.assign(quarters_left=1)).endswith("points in the one quarter that is left.")
    assert say_targets.whose({"owner": "(not given)", "segment": None}) == "customers without an owner"
    assert say_targets.not_shown(plan) is None
    assert say_targets.met(plan.head(0)).startswith("No plan is given")
    assert say_targets.ahead(path.head(0)) is None
    owners = offered.by_owner(northgate, NOW)
    assert "K. Lind has no offer on record at all" in say_pitfalls.offers(owners)
    alike = owners[~owners["never"]]
    low, high = (f"{100 * each:.1f}%" for each in (alike["coverage"].min(), alike["coverage"].max()))
    assert f"by owner from {low} to {high} (offers_by_owner.csv)." in say_pitfalls.offers(alike)


def test_every_pitfall_has_words_for_all_its_states(northgate):
    found = pitfalls.check(northgate, NOW)
    assert {each.pitfall for each in found} == set(say_pitfalls.TITLES) == set(say_pitfalls.FOUND)
    for each in found:
        assert say_pitfalls.told(each).endswith(".")
        assert "None" not in say_pitfalls.told(each)
    assert "looked for, not found" in say_pitfalls.told(Finding("mix shift", False))
    assert say_pitfalls.told(Finding("feedback unused", None, lacks=("interactions",))).endswith(
        "cannot be told without a record of contacts with customers."
    )


FIRED = {
    "mix shift": ({"total": -0.05, "within": 0.1, "mix": -0.15}, "fell by 5.0 points while the groups themselves rose"),
    "opposite movements": (
        {"rose": "N", "rise": 0.1, "fell": "S", "fall": -0.1, "total": 0.0},
        "N rose by 10.0 points",
    ),
    "feedback missing": ({"table": True, "answered": 3}, "only 3 of 90 customers gave any"),
    "growth by new accounts": ({"total": 0.05, "same": -0.02, "entry": 0.07, "exit": 0.0}, "fell by 2.0 among"),
    "target met by losing": ({"target": 0.5, "actual": 0.52, "with_lost": 0.48, "lost": 9}, "it would be 48.0%"),
    "target rises by losing": ({"lost": 9, "gap": -0.2, "base": "active", "kpis": []}, "had 20.0 points less"),
    "catalogue too large for the bands": ({"products": 30, "made_for": 15}, "30 are on sale"),
}


@pytest.mark.parametrize("pitfall", FIRED)
def test_what_fires_is_said_with_its_size(pitfall):
    figures, says = FIRED[pitfall]
    assert says in say_pitfalls.told(Finding(pitfall, True, size=0.05, n=90, figures=figures))


def test_growth_by_products_and_missing_tables_have_their_own_words():
    products = Finding("growth by new accounts", True, "products", figures={"new": 180, "existing": -100, "total": 80})
    assert "brought 180 products, while those we had before lost 100" in say_pitfalls.told(products)
    silent = Finding("feedback missing", True, figures={"table": False, "answered": 0})
    assert "no feedback is on record" in say_pitfalls.told(silent)


def test_tables_show_what_was_measured(northgate):
    plan = str(lay_targets.plan(targets.plan(northgate, NOW)))
    assert plan.count("<tr>") == 4
    assert "customers of A. Berg" in plan
    assert "yes" in plan
    assert "Q4 2026" in str(lay_targets.path(targets.path(northgate, NOW)))
    assert "No target" in str(lay_targets.path(targets.path(northgate, NOW).head(0)))
    found = str(lay_pitfalls.findings(pitfalls.check(northgate, NOW)))
    assert found.index("Owners who never offer") < found.index("not found")
    assert "(no name)" not in found
    asked = str(lay_feedback.to_ask(feedback.to_ask(northgate, NOW, "moderate"), "EUR", most=3))
    assert "The first 3 of" in asked
    assert "Nobody" in str(lay_feedback.to_ask(feedback.to_ask(northgate, NOW, "moderate").head(0)))
    named = feedback.to_ask(northgate, NOW, "moderate").assign(name="<b>")
    assert "&lt;b&gt;" in str(lay_feedback.to_ask(named))


def test_scores_are_drawn_on_their_scale_and_small_bands_named():
    page = draw_feedback.by_band(bands(score=[5.0, 7.0, None]), (0, 10), "Title", "Subtitle", "Note")
    scores = [line.get_xdata()[0] for line in page.axes[0].lines if line.get_marker() == "o"]
    assert scores == [5.0, 7.0]
    assert page.axes[0].get_xlim()[0] < 0
    assert page.axes[0].get_xlim()[1] > 10
    assert "fewer than 5 answers" in texts(page)
    widths = [bar.get_width() for bar in page.axes[1].patches]
    assert widths == [1, 1, 0.4, 0.75]
    assert "low: 5.0" in page.get_label()
    nothing = draw_feedback.by_band(bands(score=[np.nan] * 3), (0, 10), "Title", "Subtitle", "Note")
    assert "Too few" in nothing.get_label()


def test_reached_and_plan_are_drawn_where_they_are(northgate):
    plan = targets.plan(northgate, NOW)
    page = draw_targets.plan(plan, "Title", "Subtitle", "Note")
    lines = page.axes[0].lines
    assert [line.get_xdata()[0] for line in lines if line.get_marker() == "|"] == pytest.approx([0.45, 0.7, 0.2])
    dots = [line.get_xdata()[0] for line in lines if line.get_marker() == "o"]
    assert dots == pytest.approx(plan["actual"].tolist())
    assert {"All customers", "size: Large", "A. Berg"} <= set(texts(page))
    hidden = plan.assign(suppressed=True, actual=None, distance=None)
    assert "fewer than 5 customers" in texts(draw_targets.plan(hidden, "Title", "Subtitle", "Note"))
    assert "no target" in draw_targets.plan(plan.head(0), "Title", "Subtitle", "Note").get_label()
    many = pd.concat([plan] * 15, ignore_index=True)
    assert "and 15 more, nearer to plan" in texts(draw_targets.plan(many, "Title", "Subtitle", "Note"))
