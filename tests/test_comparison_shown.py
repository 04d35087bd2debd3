"""Before and after as shown: every sentence against its numbers, figures through their artists, tables escaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from kpilib import bridge, comparison
from kpilib.captions import comparison as caption
from kpilib.figures import comparison as figure
from kpilib.figures import style
from kpilib.measures.uncertainty import Estimate
from kpilib.tables import comparison as table
from kpilib.wording import comparison as say
from tests import clients
from tests.test_bridge import counted, portfolios

CAUSAL = re.compile(
    r"\b(caus\w*|because of|due to|thanks to|led to|effect of|drove|driven|impact\w*|result\w* in)\b", re.I
)


def made(seed, kind="mean", accounts=40, **size):
    rows = counted(*portfolios(3, seed=seed, accounts=accounts, **size)[0])
    return bridge.of(rows, "2025Q1", "2025Q2", kind)


def split_of(seed, groups=3):
    rows = counted(*portfolios(1, seed=seed, accounts=60, products=6)[0])
    rows["group"] = [["north", "south", "<b>west</b>", "(not given)"][n % groups] for n in range(len(rows))]
    return bridge.segments_of(rows, "region", smallest=3)


def sold(before=100.0, after=125.0, held=(45, 75)):
    rows = [{"quarter": "2025Q1", "accounts": 10, "possible": 100, "held": held[0], "revenue": before},
            {"quarter": "2025Q2", "accounts": 10, "possible": 100, "held": held[1], "revenue": after}]  # fmt: skip
    return bridge.revenue_of(pd.DataFrame(rows))


SEEDS = range(21, 33)


@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_agree_with_their_numbers_and_name_no_cause(seed):
    found = made(seed, accounts=40)
    told = say.changed(found)
    if abs(found.change.value) >= 0.0005:
        assert (" rose from " in told) == (found.change.value > 0)
        assert (" fell from " in told) == (found.change.value < 0)
    low, high = found.change.low, found.change.high
    assert ("clear rise" in told) == (low is not None and low > 0)
    assert ("clear fall" in told) == (high is not None and high < 0)
    parts = say.made_of(found)
    signed = [float(each.replace("−", "-")) for each in re.findall(r"[+−]\d+\.\d+(?=[,. ]|$)", parts)]
    shown = found.parts.loc[found.parts["points"].abs() >= 0.00005, "points"]
    assert signed[1:] == pytest.approx((100 * shown).tolist(), abs=0.051)
    everything = [told, say.same(found), parts, say.who_is_counted(found), say.catalogue(found), say.descriptive()]
    everything += [caption.bridge(found), caption.bridge_note(found), say.groups(split_of(seed))]
    everything += [say.revenue(sold()), say.implied(sold()), say.claim(comparison.implied(0.45, 0.75, 0.25))]
    assert not [each for each in everything if each and CAUSAL.search(each)]


@given(value=st.floats(-0.5, 0.5), reach=st.floats(0, 0.5))
@settings(max_examples=60, deadline=None)
def test_a_change_is_clear_when_its_interval_leaves_out_zero(value, reach):
    told = say.clear(Estimate(value, value - reach, value + reach, 50))
    if round(abs(100 * value), 2) == 0:
        assert told == ""
    elif value - reach > 0 or value + reach < 0:
        assert f"(clear {'rise' if value > 0 else 'fall'}" in told
    else:
        assert "no clear change" in told


def test_what_cannot_be_told_is_not_told():
    assert "cannot be told" in say.clear(Estimate(0.1, None, None, 1))
    assert say.revenue(None) is say.implied(None) is say.at_risk([None], [3]) is None
    nothing = pd.DataFrame({"against": ["previous", "last_year"], "earlier": ["2025Q1", "2024Q2"],
                            "reason": ["2025Q1 is incomplete.", "The data cover 2025Q1 to 2025Q2."]})  # fmt: skip
    told = say.answer([], [], nothing)
    assert told[0] == "There is no earlier quarter to compare with."
    assert told[2] == "Not compared with a year before (Q2 2024). The data cover Q1 2025 to Q2 2025."


def test_what_may_still_be_lost_is_told_once_against_every_earlier_quarter():
    rows = [[("2025Q1", 40, 2, 0.05), ("2025Q2", 50, 5, 0.1)], [("2024Q2", 30, 6, 0.2), ("2025Q2", 50, 5, 0.1)]]
    risks = [pd.DataFrame(each, columns=["quarter", "held", "lapsing", "share"]) for each in rows]
    told = say.at_risk([None, *risks], [3, 24])
    assert told.startswith(
        "10.0% of what customers have in Q2 2025 is past twice its usual time of reordering (5 of 50)"
    )
    assert "against 5.0% in Q1 2025 and 20.0% in Q2 2024." in told
    assert "a stop only after 3 to 24 months (by product):" in told


def test_small_parts_of_customers_keep_their_figures_and_their_people():
    moved = pd.DataFrame({"account_id": ["A", "B"], "points": [2e-4, -3e-7], "name": ["Ash", "Bay"], "owner": "Kim"})
    page = table.accounts(moved, "2025Q1", "2025Q2").html
    assert "+0.02000" in page
    assert "−0.00003" in page
    assert "Bay" in page
    assert "Kim" in page
    assert "Who moved the average most, Q1 2025 to Q2 2025" in page
    assert "Ash" not in table.accounts(moved.drop(columns=["name", "owner"]), "2025Q1", "2025Q2").html


def test_parts_that_do_not_add_up_as_shown_are_called_rounded():
    assert "rounded" in say.summed([0.0014, 0.0014], 0.0028)
    assert say.summed([0.002, -0.001], 0.001) == ""


def test_too_few_customers_are_the_only_reason_told():
    few = "Only 1 customers are counted both in 2025Q1 and in 2025Q2."
    periods = pd.DataFrame({"against": ["previous"], "earlier": ["2025Q1"], "reason": [few]})
    told = say.answer([], [], periods)
    assert told == [
        "Not compared with the quarter before (Q1 2025). Only 1 customer is counted both in Q1 2025 and in Q2 2025."
    ]
    assert len(say.uncompared([])) == 1
    assert say.uncompared(["a bridge"]) == []


def test_a_product_that_brings_less_is_said_and_warned_of():
    told = say.implied(sold())
    assert "a product held brings 25.0% less than before" in told
    assert "discounts" in told
    assert "discounts" not in say.implied(sold(100, 170))


def test_who_is_counted_is_told_where_it_makes_the_change():
    parts = pd.DataFrame({"about": ["same customers", "customer base"], "points": [-0.01, 0.03]})
    moved = {"change": Estimate(0.02, 0.01, 0.03, 9), "same": Estimate(-0.01, None, None, 9)}
    found = SimpleNamespace(earlier="2025Q1", later="2025Q2", about=parts, **moved)
    assert "points the other way" in say.who_is_counted(found)
    parts["points"] = [0.02, 0.001]
    assert say.who_is_counted(found) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["mean", "pooled"])
def test_the_bars_lead_from_one_level_to_the_other(seed, kind):
    found = made(seed, kind)
    page = figure.bridge(found, *("words",) * 3)
    axes = page.axes[0]
    bars = [each for each in axes.patches if isinstance(each, Rectangle)]
    begins, ends, *steps = [(each.get_y(), each.get_y() + each.get_height()) for each in bars]
    assert (begins[1], ends[1]) == pytest.approx((found.before, found.after))
    level = found.before
    shown = found.parts[(found.parts["accounts"] > 0) | (found.parts["points"].abs() > 1e-9)]
    for points, (low, high) in zip(shown["points"], steps, strict=True):
        assert sorted([level, level + points]) == pytest.approx([low, high])
        level += points
    assert level == pytest.approx(found.after)
    hollow = [each.get_facecolor()[:3] == (1, 1, 1) for each in bars[2:]]
    unclear = [not (row.low > 0 or row.high < 0) for row in shown.itertuples()]
    assert hollow == unclear
    assert ("axis is cut" in " ".join(each.get_text() for each in page.texts)) == (axes.get_ylim()[0] > 0)


def overlaps(page):
    """Name the texts of a page that touch each other."""
    page.canvas.draw()
    boxes = [(each.get_text(), each.get_window_extent().shrunk(0.96, 0.9))
             for each in page.findobj(Text) if each.get_text() and each.get_visible()]  # fmt: skip
    return [(one, other) for place, (one, box) in enumerate(boxes) for other, beside in boxes[place + 1 :]
            if box.overlaps(beside)]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_no_label_of_the_bridge_touches_another(seed):
    found = made(seed, accounts=200, products=9)
    with style.look():
        page = figure.bridge(found, caption.bridge(found), caption.bridge_subtitle(found), caption.bridge_note(found))
        assert not overlaps(page)


def test_groups_are_drawn_with_what_is_hidden_named():
    split = split_of(3)
    split.table.loc[0, "suppressed"] = True
    split = replace(split, by="sales_area")
    told = caption.segments(split, "2025Q1")
    words = told, caption.segments_subtitle(split, "2025Q1", "2025Q2"), caption.segments_note(split)
    assert told.startswith("Since Q1 2025, ")
    for each in (*words[:2], say.groups(split), table.segments(split).html):
        assert "sales area" in each
        assert "sales_area" not in each
    page = figure.segments(split.table, *words, minimum=5)
    texts = [each.get_text() for each in page.texts]
    assert "fewer than 5 customers at one of the times" in texts
    assert not overlaps(page)
    empty = figure.segments(split.table.head(0), *words)
    assert "There are no groups" in empty.get_label()


def test_tables_are_escaped_and_suppressed():
    split = split_of(4)
    split.table.loc[0, "suppressed"] = True
    page = table.segments(split).html
    assert "<b>" not in page
    assert "&lt;b&gt;west" in page
    assert "Not shown: groups of fewer than 5" in page


def test_readings_are_written_in_their_units(book):
    names = " ".join(f"A{n}x" for n in range(10))
    gained = names + " " + " ".join(f"A{n}y" for n in range(5))
    subject = book(names, gained, products=["x", "y"], revenue={f"A{n}": "400" for n in range(10)})
    found = comparison.before_after(subject, "2025Q1", "2025Q2", comparison.USUAL)
    page = table.readings(found, "2025Q1", "2025Q2", "EUR").html
    cells = re.sub(r"<[^>]+>", " ", page)
    assert "50.0   75.0   +25.0   +50.0" in re.sub(r" {2,}", "   ", cells)
    assert page.count("Products per customer") == 1
    assert "the same customers and products" not in page  # nothing new could be bought
    assert "100.00" in cells
    whole = bridge.parts(subject, "2025Q1", "2025Q2")
    assert "+25.0" in table.parts(whole).html
    ends = "2025Q1", "2025Q2"
    assert "A0" in table.accounts(bridge.by_account(subject, bridge.parts(subject, *ends)), *ends).html
    factors = table.factors(bridge.revenue(subject, "2025Q1", "2025Q2", same=True), "EUR").html
    assert "−33.3" in factors
    assert "nothing to split" in table.factors(None).html


def test_cards_carry_the_change_of_the_same_customers():
    found = made(21)
    cards = caption.cards([found])
    assert [each["label"] for each in cards] == ["Change since Q1 2025", "Same customers since Q1 2025"]
    assert all(isinstance(value, str) for each in cards for value in each.values())


CHAPTER = Path(__file__).parent.parent / "notebooks" / "6_before_after.ipynb"
SEGMENTS = """
segment_by = ["region"]
[accounts]
source = "who"
columns = {}
attributes = ["region"]
[sources.who]
path = "who.csv"
"""


def read_chapter(folder, quarter):
    """Run the chapter's cells one after the other; return what it hands over and what it showed."""
    shown = []
    told = {"display": shown.append}
    cells = [cell for cell in nbformat.read(CHAPTER, as_version=4).cells if cell.cell_type == "code"]
    for cell in cells:
        exec(cell.source, told)
        if cell.id == "parameters":
            told |= {"engagement": folder / "engagement.toml", "quarter": quarter, "tables": str(folder / "tables")}
    return json.loads((folder / "tables" / "answer.json").read_text()), shown


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Thirty customers with x; ten buy y in the spring, two leave, a region is blank."""
    rows = "".join(f"C{n:02d},x,2025-0{m}-10,1,{100 + n}\n" for n in range(30) for m in (2, 5, 8) if n > 1 or m < 5)
    rows += "".join(f"C{n:02d},y,2025-05-11,1,50\n" for n in range(10, 20))
    folder = tmp_path_factory.mktemp("client")
    clients.sales(folder, rows)
    who = "account_id,region\n" + "".join(f"C{n:02d},{['north', 'south', ''][n % 3]}\n" for n in range(30))
    (folder / "who.csv").write_text(who)
    toml = (folder / "engagement.toml").read_text()
    head, tail = SEGMENTS.split("[accounts]")
    (folder / "engagement.toml").write_text(head + toml + "[accounts]" + tail)
    return folder


def test_the_chapter_runs_where_there_is_something_to_compare(client):
    answer, shown = read_chapter(client, "2025Q2")
    assert answer["headline"].startswith("From Q1 2025 to Q2 2025, penetration rose from 33.3% to 45.2%")
    assert [each["value"] for each in answer["figures"]] == ["+11.9 points", "+11.9 points"]
    assert sum(isinstance(each, style.Page) for each in shown) == 2


def test_the_chapter_says_why_there_is_nothing_to_compare(client):
    answer, shown = read_chapter(client, "2025Q1")
    assert answer["headline"] == "There is no earlier quarter to compare with."
    assert "The data cover Q1 2025 to Q4 2025." in " ".join(answer["sentences"])
    assert not any(isinstance(each, style.Page) for each in shown)
    assert [each.html.count("There is no earlier quarter") for each in shown] == [1]


def test_the_title_names_as_many_parts_as_it_takes_to_see_where_they_lead():
    parts = [("losses", -0.0101), ("gains", 0.0097), ("leavers", 0.003), ("joiners", -0.0002)]
    rows = pd.DataFrame(parts, columns=["part", "points"]).assign(accounts=1)
    found = SimpleNamespace(parts=rows, change=Estimate(0.0024, None, None, 9), earlier="2025Q3")
    assert caption.bridge(found) == (
        "Since Q3 2025, penetration rose by 0.2 points: products no longer held took 1.0, products newly held added "
        "1.0, customers lost added 0.3"
    )


def test_customers_held_out_of_what_is_not_examined_are_not_nobody():
    assert "nobody was held out" in say.descriptive()
    assert "120 customers were held out of a programme" in say.descriptive(waiting=120)
    assert "nobody" not in say.descriptive(waiting=1) + say.descriptive(True, 120)


@pytest.mark.parametrize(("growth", "said"), [(0.0004, "+0.04%"), (-0.0004, "−0.04%"), (0.0, "0.0%"), (0.026, "+2.6%")])
def test_a_small_growth_of_revenue_keeps_its_sign(growth, said):
    assert f"changed by {said}" in say.revenue(sold(before=100.0, after=100.0 * (1 + growth), held=(45, 45)))
