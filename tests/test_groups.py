"""How segments are told and shown: sentences from small tables, figures that carry any name, and the whole chapter."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from clients import HEAD, engagement, sales

from kpilib import captions as other_captions
from kpilib.captions import groups as caption
from kpilib.errors import DataError
from kpilib.figures import groups as figure
from kpilib.figures.style import Page
from kpilib.tables import groups as table
from kpilib.wording import groups as say

CHAPTER = Path(__file__).parent.parent / "notebooks" / "4_segments.ipynb"
HOSTILE = "<script>alert('x')</script> $a_b$ ÄÖ 客户"


def profile(names=("Big", "Small", "(not given)"), revenue=True, **columns):
    number = len(names)
    rows = {
        "segment": names,
        "meaning": None,
        "accounts": [50, 30, 20] + [10] * (number - 3),
        "share": [0.5, 0.3, 0.2] + [0.1] * (number - 3),
        "mean": [0.6, 0.2, 0.4] + [0.3] * (number - 3),
        "difference": [0.3, -0.3, 0.0] + [0.01] * (number - 3),
        "low": [0.2, -0.4, -0.1] + [None] * (number - 3),
        "high": [0.4, -0.2, 0.1] + [None] * (number - 3),
        "pull": [0.1, -0.1, 0.0] + [0.0] * (number - 3),
        "revenue_share": [0.9, 0.1, 0.0] + [0.0] * (number - 3) if revenue else None,
        "revenue_per_account": [Decimal(9)] * number if revenue else None,
        "typical": "x, y",
        "apart": "more x",
        "suppressed": False,
    }
    return pd.DataFrame({**rows, **columns})


def moves():
    rows = [("a", "a", 60), ("a", "b", 20), ("b", "a", 3), ("b", "b", 17), ("(not counted)", "a", 9)]
    found = pd.DataFrame(rows, columns=["before", "now", "accounts"]).assign(held_before=1, held=2)
    return found.assign(share=found["accounts"] / found.groupby("before")["accounts"].transform("sum"))


def test_the_answer_names_who_brings_most():
    assert say.leads(profile(), "size") == (
        "By size, “Big” (50 customers, 50.0%) bring 90.0% of revenue and have 60.0% of what they could buy."
    )
    assert say.leads(profile(revenue=False), "size") == (
        "By size, “Big” (50 customers, 50.0%) have most: 60.0% of what they could buy."
    )
    assert say.leads(profile().head(1), "size") is None


def test_the_widest_clear_group_is_named_and_those_not_given_never_are():
    found = say.widest({"size": profile(mean=[0.6, 0.2, 0.1], difference=[0.1, -0.3, -0.9], high=[0.4, -0.2, -0.8])})
    assert found == (
        "Of the groups by size, “Small” (30 customers) lies furthest from all other customers: −30.0 points "
        "(95% interval −40.0 to −20.0)."
    )
    several = say.widest({"size": profile(), "trade": profile()})
    assert several.startswith("Of the groups by size and trade, each by itself, “Big”")
    assert say.widest({"size": profile(low=-1.0, high=1.0)}).startswith("No group of customers given lies clearly")
    assert say.widest({}) is None


def test_hidden_groups_are_in_no_sentence():
    hidden = profile(suppressed=[True, False, False])
    told = " ".join(filter(None, [say.leads(hidden, "size"), say.widest({"size": hidden}), caption.ladder(hidden)]))
    assert "Big" not in told


def kinds(number, by_bic, agreement):
    model = SimpleNamespace(classes=number)
    return SimpleNamespace(choice=SimpleNamespace(model=model, by_bic=by_bic, agreement=agreement))


def test_the_number_of_kinds_is_explained():
    assert say.kinds(kinds(3, 3, {3: 0.91})) == "What customers have falls into three kinds."
    assert say.kinds_kept(kinds(3, 3, {3: 0.91})) == (
        "Three kinds describe best what customers have, and customers drawn anew give the same kinds (agreement 0.91 "
        "of 1)."
    )
    assert say.kinds_kept(kinds(2, 4, {4: 0.5, 3: 0.7, 2: 0.93})) == (
        "Four kinds would describe better what customers have, but customers drawn anew do not give the same four "
        "(agreement 0.50, and 0.80 is asked); these two they do (0.93)."
    )
    assert say.kinds_kept(None) is None
    assert say.kinds(None) is None


def test_moves_are_counted_among_customers_of_both_quarters():
    assert say.moved(moves(), "2025Q1") == (
        "Of 100 customers counted at the end of Q1 2025 and now, 23 (23.0%) changed group; most often from “a” to “b”: "
        "20 customers."
    )
    assert caption.moves(moves()) == "23 of 100 customers counted both times (23.0%) moved"
    stayed = moves().head(1)
    assert say.moved(stayed, "2025Q1").endswith("none changed group.")
    assert caption.moves(stayed) == "All 60 customers counted both times stayed in their group"
    assert say.moved(moves().tail(1), "2025Q1") is None


def test_a_way_that_is_missing_says_why():
    assert say.absent(DataError("It needs purchases.", "", "Add some.")) == ["Not shown. It needs purchases. Add some."]
    assert say.absent(None) == []


def test_caveats_come_only_where_they_hold():
    views = [
        SimpleNamespace(kind="band", name="penetration band", by_construction=True, merged=(), model=None),
        SimpleNamespace(kind="attribute", name="size", by_construction=False, merged=("a", "b"), model=None),
    ]
    told = say.caveats(views, [profile(suppressed=[False, False, True])])
    assert [each.split(":")[0] for each in told] == [
        "Groups by penetration band are made by what customers have",
        "Groups too small to stand alone are shown together",
        "1 group of fewer than 5 customers is not shown in figures.",
        "That a group has more does not say that belonging to it is the reason.",
    ]
    assert len(say.caveats([], [])) == 1


def test_those_of_whom_nothing_is_given_are_named_where_they_are_what_all_are_compared_with():
    few = profile()
    assert not [each for each in say.caveats([], [few]) if "of whom nothing is given" in each]
    many = few.assign(segment=["(not given)", "b", "c"], share=[0.6, 0.3, 0.1], accounts=[60, 30, 10])
    (said,) = (each for each in say.caveats([], [many]) if "of whom nothing is given" in each)
    assert "(60 of 100, who have" in said


def test_scores_that_do_not_divide_are_told():
    cuts = {"recency": (90, 60, 30, 7), "frequency": (1, 2, 3, 4), "money": (1, 2, 3, 4)}
    assert say.undivided(SimpleNamespace(**cuts)) is None
    assert say.undivided(SimpleNamespace(**{**cuts, "recency": (30,) * 4})) == (
        "How lately they bought hardly divides customers here: most share one value (30 days ago). Only how often and "
        "how much they bought tell these groups apart."
    )
    same = SimpleNamespace(recency=(30,) * 4, frequency=(12,) * 4, money=None)
    assert say.undivided(same).endswith("(30 days ago; 12 days with a purchase). These groups say little.")
    view = SimpleNamespace(kind="rfm", name="buying", by_construction=False, merged=(), model=same)
    assert say.undivided(same) in say.caveats([view], [])
    assert "a change in what the window looked back on holds" in " ".join(say.caveats([view], []))
    assert "window" not in " ".join(say.caveats([], []))


def test_titles_name_the_message():
    attach = pd.DataFrame(
        {"segment": ["Big", "Small"], "product_id": "x", "attach_rate": [0.9, 0.1], "attach_others": [0.1, 0.9]}
    ).assign(difference=[0.8, -0.8], clear=[True, False])
    assert caption.heat(attach) == "x sets groups apart most: 90% in “Big” have it, 10% of all others"
    assert caption.heat(attach.assign(clear=False)).startswith("No product sets")
    assert caption.ladder(profile(revenue=False)) == "“Big” lead with 60.0%, “Small” are last with 20.0%"
    assert caption.apart(profile()) == "“Big” lie furthest from all others: +30.0 points"
    joined = profile(names=("light · compliance", "heavy · design", "(not given)"))
    assert caption.apart(joined) == "Of combinations, “light · compliance” lie furthest from all others: +30.0 points"
    assert caption.apart(joined.assign(low=-1.0, high=1.0)).startswith("No combination lies clearly apart")
    assert caption.apart(profile().assign(low=-1.0, high=1.0)).startswith("No group given lies clearly apart")
    assert caption.subtitle(caption.MOVES, "size", "2025Q2", "2025Q1").endswith("number, Q1 2025 and Q2 2025")
    assert callable(other_captions.segments)  # the chapter on penetration keeps its own


def cells(rows, columns):
    random = np.random.default_rng(1)
    names = [f"Segment {n}" for n in range(rows)]
    found = pd.DataFrame(
        [(s, f"PRODUCT {p}") for s in names for p in range(columns)], columns=["segment", "product_id"]
    )
    rates = random.random(len(found))
    return found.assign(
        possible=100, held=(100 * rates).astype(int), attach_rate=rates, difference=rates - 0.5, clear=rates > 0.6
    )


def texts(page):
    return [each.get_text() for axes in page.axes for each in axes.texts] + [each.get_text() for each in page.texts]


def test_a_heat_of_eight_by_eighteen_shows_every_share():
    page = figure.heat(cells(8, 18), "t", "s", "n")
    assert isinstance(page, Page)
    numbers = list(page.axes[0].texts)
    assert len(numbers) == 8 * 18
    boxes = [each.get_window_extent(page.canvas.get_renderer()) for each in numbers]
    assert not any(boxes[n].overlaps(boxes[n + 1]) for n in range(17))


def test_of_many_products_those_that_differ_most_are_drawn_and_the_rest_counted():
    page = figure.heat(cells(3, 60), "t", "s", "note.")
    assert len(page.axes[0].texts) == 3 * figure.MOST_PRODUCTS
    assert any("40 products that differ less are not drawn" in each for each in texts(page))


def test_hidden_segments_keep_only_their_name():
    page = figure.heat(cells(2, 3), "t", "s", "n", hidden=("Segment 1",))
    assert len(page.axes[0].texts) == 3
    assert "too few customers" in texts(page)
    small = figure.ladder(profile(suppressed=[False, False, True]), "t", "s", "n")
    assert "fewer than 5 customers" in texts(small)
    assert "40.0%" not in texts(small)


def test_moves_of_few_customers_are_not_told_apart():
    assert "<5" in texts(figure.moves(moves(), "t", "s", "n"))
    assert "Largest moves" in table.movers(moves()).html
    assert ">3<" not in table.movers(moves()).html


@pytest.mark.parametrize("draw", [figure.ladder, figure.heat, figure.moves])
def test_nothing_to_draw_is_said(draw):
    empty = pd.concat([profile(), cells(1, 1), moves()]).head(0)
    assert any("no" in each.lower() for each in texts(draw(empty, "t", "s", "n")))


def test_any_name_can_be_drawn_and_is_escaped_in_tables():
    odd = profile(names=(HOSTILE, "b" * 300, " "))
    figure.ladder(odd, HOSTILE, "s", "n", currency="$").canvas.draw()
    figure.heat(cells(2, 2).assign(product_id=HOSTILE), "t", "s", "n").canvas.draw()
    figure.moves(moves().assign(before=HOSTILE), "t", "s", "n").canvas.draw()
    assert "<script>" not in table.profile(odd, HOSTILE).html + table.described(odd, "x").html
    assert "&lt;script&gt;" in table.profile(odd, HOSTILE).html


def test_what_is_not_shown_of_described_groups_is_what_there_is():
    told = profile(accounts=[50, 3, 0], suppressed=[False, True, False])
    assert (
        "Not shown: groups of fewer than 5 customers and groups without any customer."
        in table.described(told, "x").html
    )
    assert "Not shown" not in table.described(told.head(1), "x").html


def test_a_ladder_without_revenue_intervals_or_degrees_is_drawn():
    bare = profile(revenue=False, mean=None, difference=None, low=None, high=None)
    assert "could buy nothing" in texts(figure.ladder(bare, "t", "s", "n"))
    figure.ladder(profile(low=None, high=None), "t", "s", "n").canvas.draw()


# the chapter


def run(path, tmp_path):
    """Run the chapter's cells in order, without a kernel; everything it showed."""
    seen = []
    space = {"display": seen.append}
    for cell in nbformat.read(CHAPTER, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
        if cell.get("id") == "parameters":
            space |= {"engagement": str(path), "tables": str(tmp_path / "tables")}
    return space, " ".join(str(each) for each in seen)


def test_the_chapter_runs_on_a_client_without_sales_revenue_and_attributes(tmp_path):
    """A list of who has what, on one day: no behaviour, no quarter before, no attributes; each says why."""
    text = (
        HEAD.replace("lookback_months = 3\n", "")
        + """[sources.lines]
path = "lines.csv"
[[evidence]]
kind = "snapshot"
source = "lines"
date = 2025-12-31
[catalogue]
products = ["x", "y", "z"]
"""
    )
    rows = "account_id,product_id\n" + "".join(f"A{n},{p}\n" for n in range(12) for p in "xyz"[: 1 + n % 3])
    space, _ = run(engagement(tmp_path / "client", text, lines_csv=rows), tmp_path)
    assert set(space["views"].missing) == {"behaviour", "kinds", "attributes"}
    assert "needs purchases with dates" in str(space["say"].absent(space["views"].missing["behaviour"]))
    assert (tmp_path / "tables" / "answer.json").is_file()
    assert (tmp_path / "tables" / "segments_by_penetration_band.csv").is_file()


def test_the_chapter_runs_on_one_customer_and_follows_behaviour(tmp_path):
    one = sales(tmp_path / "one", "A,x,2025-01-05,1,10\nA,x,2025-12-05,1,10\nA,x,2025-08-05,1,10\n")
    space, _ = run(one, tmp_path)
    assert space["behaviour"].name == "buying behaviour"
    assert (tmp_path / "tables" / "moves_between_segments.csv").is_file()
