"""Figures are asked through their artists: what is drawn, what is written, and whether it can be read."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from decimal import Decimal
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from kpilib import figures
from kpilib.errors import KpiError
from kpilib.figures import marks, style

TOLERANCE = 1.0  # points by which two labels may touch: glyphs do not fill their boxes
HEAD = ("Penetration rose", "Share of what customers could buy, %", "n = 800 customers.")
LONG = ("The average customer has more of what it could buy than ever before, " * 4,) * 3
HOSTILE = [
    "<script>alert(1)</script>", "$x_1^2$ & \\frac{1}{2}", "日本電気株式会社 東京本社 第一営業部",
    "Смирнов и сыновья, акционерное общество", "مرحبا بكم في الشركة", "Line\nbreak\tand\x00null",
    "W" * 120, "no_spaces_at_all_" * 9, "", "=cmd|' /C calc'!A0", "O'Brien \"quotes\"", "%s {x} \\n",
]  # fmt: skip


@pytest.fixture(params=["our fonts", "no font of ours"])
def _fonts(request, monkeypatch):
    if request.param != "our fonts":
        monkeypatch.setattr(style, "families", lambda: ("DejaVu Sans",))
    style.width_of.cache_clear()
    yield
    style.width_of.cache_clear()


def quarters(means, complete=None, plan=None, first=2014):
    labels = [f"{first + index // 4}Q{index % 4 + 1}" for index in range(len(means))]
    return pd.DataFrame(
        {
            "quarter": labels,
            "complete": [True] * len(means) if complete is None else complete,
            "mean": means,
            "plan": [None] * len(means) if plan is None else plan,
        }
    )


def banded(**more):
    table = {
        "band": ["low", "moderate", "healthy", "very high"],
        "at_least": [None, Decimal(50), Decimal(70), None],
        "above": [None, None, None, Decimal(85)],
        "accounts": [786, 1194, 439, 50],
        "share": [0.318, 0.484, 0.178, 0.02],
        "accounts_before": pd.array([812, 1150, 401, 44], dtype="Int64"),
        "action": ["find out at once why they hold so little", "ask", "keep", "guard"],
    }
    return pd.DataFrame({**table, **more})


def grouped(number, names=None, compared=True, judged=True, suppressed=()):
    random = np.random.default_rng(number)
    mean, change = random.uniform(0.2, 0.9, number), random.normal(0.01, 0.04, number)
    gone = np.full(number, np.nan)
    table = pd.DataFrame(
        {
            "group": names or [f"Group {index}" for index in range(number)],
            "n": random.integers(5, 5_000_000, number),
            "mean": mean,
            "mean_before": mean - change if compared else gone,
            "change": change if compared else gone,
            "low": change - 0.02 if judged and compared else gone,
            "high": change + 0.02 if judged and compared else gone,
            "contribution": change / number if compared else gone,
            "suppressed": False,
        }
    )
    table.loc[list(suppressed), "suppressed"] = True
    return table


def stocked(number, names=None, compared=True, lapsing=True):
    random = np.random.default_rng(number)
    rate, change = random.uniform(0, 1, number), random.normal(0, 0.05, number)
    none = [None] * number
    return pd.DataFrame(
        {
            "product_id": names or [f"Product {index}" for index in range(number)],
            "possible": 2469,
            "held": (rate * 2469).astype(int),
            "attach_rate": rate,
            "attach_before": np.clip(rate - change, 0, 1) if compared else none,
            "change": change if compared else none,
            "low": change - 0.02 if compared else none,
            "high": change + 0.02 if compared else none,
            "lapsing": pd.array(rate * 300 // 1 if lapsing else none, dtype="Int64"),
        }
    )


def held_by(number, compared=True):
    share = np.linspace(1, 0, number) ** 2
    before = np.linspace(0.9, 0, number) if compared else [None] * number
    return pd.DataFrame({"k": range(1, number + 1), "share": share, "share_before": before})


def delivered(number, gaps=(), revenue=True):
    months = pd.period_range("2016-01", periods=number, freq="M").astype(str)
    lines = [0 if index in gaps else 90_000 + 1_000 * index for index in range(number)]
    money = [Decimal(each) * 3 for each in lines] if revenue else None
    flagged = [index in gaps for index in range(number)]
    return pd.DataFrame({"month": months, "lines": lines, "revenue": money, "flagged": flagged})


def read(*rows):
    parts = [f"{what}_{part}" for what in ("rows", "revenue") for part in ("read", "used", "set_aside")]
    return pd.DataFrame(rows, columns=["table", *parts])


WILD = np.random.default_rng(1).uniform(0, 1, 40)
AWKWARD = {
    "a trend of a year": lambda: figures.trend(quarters([0.4, 0.45, 0.5, 0.55]), banded(), *HEAD),
    "a trend of forty quarters": lambda: figures.trend(quarters(WILD, plan=WILD[::-1]), banded(), *LONG),
    "one quarter": lambda: figures.trend(quarters([0.5], plan=[0.5]), banded(), *HEAD),
    "one complete quarter": lambda: figures.trend(
        quarters([0.1, 0.2, 0.3, 0.4], [False, False, False, True]), banded(), *HEAD
    ),
    "no complete quarter": lambda: figures.trend(quarters([0.5], [False]), None, *HEAD),
    "all hold everything": lambda: figures.trend(quarters([1.0] * 12, plan=[1.0] * 12), banded(), *HEAD),
    "nobody holds anything": lambda: figures.trend(quarters([0.0] * 12), banded(), *LONG),
    "a gap in the middle": lambda: figures.trend(
        quarters([0.4, None, 0.5, 0.5, 0.6, 0.7]), banded(band=HOSTILE[:4]), *HEAD
    ),
    "a plan far away": lambda: figures.trend(quarters([0.11] * 9, plan=[0.9] * 9), banded(), *HEAD),
    "a curve": lambda: figures.curve(held_by(18), *HEAD, ("Q4 2017", "Q4 2016")),
    "a curve over 2": lambda: figures.curve(held_by(2, compared=False), *HEAD),
    "a curve over 200": lambda: figures.curve(held_by(200), *LONG),
    "no curve": lambda: figures.curve(held_by(0), *HEAD),
    "six groups": lambda: figures.segments(grouped(6, suppressed=[2]), *HEAD),
    "one group": lambda: figures.segments(grouped(1), *HEAD),
    "forty groups": lambda: figures.segments(grouped(40), *LONG),
    "ninety groups": lambda: figures.segments(grouped(90, suppressed=range(50, 90)), *HEAD),
    "groups without a before": lambda: figures.segments(grouped(5, compared=False), *HEAD),
    "groups without intervals": lambda: figures.segments(grouped(5, judged=False), *HEAD),
    "groups too small": lambda: figures.segments(grouped(3, suppressed=range(3)), *HEAD),
    "no groups": lambda: figures.segments(grouped(3).head(0), *HEAD),
    "hostile groups": lambda: figures.segments(grouped(12, names=HOSTILE), *HOSTILE[:3]),
    "three products": lambda: figures.products(stocked(3, compared=False, lapsing=False), *HEAD),
    "200 products": lambda: figures.products(stocked(200), *LONG),
    "hostile products": lambda: figures.products(stocked(12, names=HOSTILE), *HOSTILE[3:6]),
    "no products": lambda: figures.products(stocked(3).head(0), *HEAD),
    "bands": lambda: figures.bands(banded(), *HEAD),
    "bands of nobody": lambda: figures.bands(banded(accounts=0, share=None, accounts_before=None), *HEAD),
    "bands with long words": lambda: figures.bands(
        banded(band=HOSTILE[:4], action=["act at once " * 30, *HOSTILE[4:7]], accounts=10**9), *LONG
    ),
    "months": lambda: figures.months(delivered(12), *HEAD, "USD"),
    "months with gaps": lambda: figures.months(delivered(62, gaps=(3, 4, 20)), *LONG, "USD"),
    "one month": lambda: figures.months(delivered(1, revenue=False), *HEAD),
    "ten years of months": lambda: figures.months(delivered(120), *HEAD, "$" * 30),
    "no months": lambda: figures.months(delivered(0), *HEAD),
    "reconciliation": lambda: figures.reconciliation(
        read(("baskets", 1469307, 1463940, 5367, Decimal(46), Decimal(45), Decimal(1)),
             (HOSTILE[7], 10**10, 0, 10**10, Decimal(10) ** 12, Decimal(-5), Decimal(10) ** 12 + 5),
             ("installed", 5, 5, 0, None, None, None)), *HEAD, "USD"),
    "nothing read": lambda: figures.reconciliation(read(), *HEAD),
}  # fmt: skip


def written(page):
    """Return every text that is drawn, with its box in points."""
    page.draw_without_rendering()
    with style.look():
        found = [each for each in page.findobj(Text) if each.get_visible() and each.get_text().strip()]
        boxes = [each.get_window_extent(page.canvas.get_renderer()) for each in found]
    scale = 72 / page.dpi
    return [(each.get_text(), *np.array(box.extents) * scale) for each, box in zip(found, boxes, strict=True)]


def words(page):
    return [each[0] for each in written(page)]


def overlapping(texts):
    return [
        (one[0], other[0])
        for one, other in combinations(texts, 2)
        if min(one[3], other[3]) - max(one[1], other[1]) > TOLERANCE
        and min(one[4], other[4]) - max(one[2], other[2]) > TOLERANCE
    ]


def outside(page, texts):
    width, height = page.get_size_inches() * 72
    return [text for text, left, low, right, high in texts
            if left < 0 or low < 0 or right > width or high > height]  # fmt: skip


def line(page, name):
    return next(each for each in page.axes[0].lines if each.get_label() == name)


@pytest.mark.usefixtures("_fonts")
@pytest.mark.parametrize("case", AWKWARD)
def test_every_text_can_be_read(case):
    page = AWKWARD[case]()
    texts = written(page)
    assert overlapping(texts) == []
    assert outside(page, texts) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=40), st.data())
def test_a_trend_can_be_read_whatever_it_shows(means, data):
    size = {"min_size": len(means), "max_size": len(means)}
    plan = data.draw(st.lists(st.none() | st.floats(0, 1), **size))
    complete = data.draw(st.lists(st.booleans(), **size))
    page = figures.trend(quarters(means, complete, plan), banded(), *HEAD)
    assert overlapping(written(page)) == []


def test_actual_year_before_and_plan_are_told_apart_without_colour():
    page = figures.trend(quarters([0.4, 0.42, 0.44, 0.46, 0.48], plan=[None] * 4 + [0.5]), banded(), *HEAD)
    assert list(line(page, "now").get_ydata()) == [0.4, 0.42, 0.44, 0.46, 0.48]
    assert list(line(page, "before").get_ydata())[-1] == 0.4
    assert line(page, "plan").get_markerfacecolor() == "white"
    assert {"48.0%", "last year 40.0%", "plan 50.0%"} <= set(words(page))


def test_an_incomplete_quarter_is_left_out_and_marked():
    page = figures.trend(quarters([0.1, 0.2, 0.3, 0.5, 0.5], [False] * 3 + [True] * 2), banded(), *HEAD)
    assert np.isnan(line(page, "now").get_ydata()[:3]).all()
    assert "10.0" not in words(page)
    assert any("left out" in text for text in words(page))


def test_a_complete_trend_marks_nothing():
    assert not any("left out" in text for text in words(AWKWARD["a trend of a year"]()))


def test_a_year_before_that_was_incomplete_is_not_drawn():
    page = figures.trend(quarters([0.1, 0.2, 0.3, 0.4, 0.5], [False] + [True] * 4), None, *HEAD)
    assert np.isnan(line(page, "before").get_ydata()).all()
    assert not any(text.startswith("last year") for text in words(page))


def test_a_line_that_ends_early_is_named_without_a_value():
    page = figures.trend(quarters([0.4, None, 0.4, 0.4, 0.5, 0.6], plan=[0.5] * 5 + [None]), None, *HEAD)
    assert {"last year", "plan"} <= set(words(page))


@pytest.mark.parametrize(("means", "cut"), [([0.5, 0.6], True), ([0.02, 0.6], False)])
def test_a_cut_axis_is_shown_cut(means, cut):
    page = figures.trend(quarters(means), banded(), *HEAD)
    strokes = [each for each in page.axes[0].lines if each.get_gid() == "cut"]
    assert bool(strokes) is cut
    assert any("axis is cut" in text for text in words(page)) is cut


def test_a_census_has_no_interval():
    assert not AWKWARD["a trend of a year"]().axes[0].collections


def test_bands_lie_where_the_engagement_puts_them():
    page = figures.trend(quarters([0.4, 0.95]), banded(), *HEAD)
    edges = [patch.get_y() + patch.get_height() for patch in page.axes[0].patches]
    assert edges == pytest.approx([0.5, 0.7, 0.85, 1.0])
    assert {"low\nbelow 50%", "moderate\n50–70%", "very high\nabove 85%"} <= set(words(page))


def test_the_curve_draws_now_and_before():
    page = figures.curve(held_by(3), *HEAD, ("Q4 2017", "Q4 2016"))
    before, now = page.axes[0].lines[:2]
    assert list(now.get_ydata()) == [1, 0.25, 0]
    assert list(before.get_ydata()) == [0.9, 0.45, 0]
    assert {"Q4 2017", "Q4 2016", "25.0%", "at least so many products"} <= set(words(page))


def test_a_suppressed_group_shows_its_name_and_nothing_else():
    table = grouped(4, suppressed=[1])
    table.loc[1, ["n", "mean", "change"]] = [3, 0.123, 0.456]
    page = figures.segments(table, *HEAD)
    shown = [*words(page), page.get_label()]
    assert "Group 1" in shown
    assert "fewer than 5 customers" in shown
    assert not any("12.3" in text or "45.6" in text or text == "3" for text in shown)


def test_a_band_of_too_few_is_neither_counted_out_nor_drawn_to_length():
    page = figures.bands(banded(accounts=[786, 1194, 439, 3], accounts_before=[812, 1150, 401, 2]), *HEAD)
    shown = [*words(page), page.get_label()]
    assert {"fewer than 5 customers", "<5"} <= set(shown)
    assert not any("2.0%" in text or "3 customers" in text or text in {"2", "3"} for text in shown)
    assert [patch.get_width() for patch in page.axes[0].patches[3::4]] == [0, 0]


@pytest.mark.parametrize(("means", "cut"), [([0.5, 0.55, 0.6], True), ([0.0, 0.3, 0.6], False)])
def test_dots_say_whether_their_axis_is_cut(means, cut):
    page = figures.segments(grouped(3, compared=False).assign(mean=means), *HEAD)
    assert any("does not begin at 0%" in text for text in words(page)) is cut


def test_a_change_is_told_by_sign_and_by_mark_not_by_colour_alone():
    table = grouped(3).assign(change=[0.05, -0.05, 0.01])
    table = table.assign(low=table["change"] - 0.02, high=table["change"] + 0.02)
    page = figures.segments(table, *HEAD)
    dots = [each for each in page.axes[1].lines if each.get_marker() == "o"]
    assert sum(dot.get_markerfacecolor() == "white" for dot in dots) == 1
    assert {"+5.0", "−5.0", "+1.0", "clear change", "no clear change"} <= set(words(page))


def test_a_change_without_an_interval_is_not_called_unclear():
    shown = words(AWKWARD["groups without intervals"]())
    assert "change, not judged" in shown
    assert "no clear change" not in shown


def test_a_very_wide_interval_is_cut_and_shown_cut():
    table = grouped(9).assign(change=0.0, low=[-0.9] + [-0.01] * 8, high=0.01)
    axes = figures.segments(table, *HEAD).axes[1]
    assert [each.get_xdata()[0] for each in axes.lines if each.get_marker() == "<"] == [axes.get_xlim()[0]]
    assert not [each for each in axes.lines if each.get_marker() == ">"]


def test_groups_run_from_high_to_low_and_the_smallest_of_very_many_are_counted():
    page = AWKWARD["ninety groups"]()
    shown = words(page)
    assert "and 50 smaller groups, not drawn" in shown
    values = [float(text[:-1]) for text in shown if text.endswith("%") and "." in text]
    assert values == sorted(values, reverse=True)


def test_a_long_catalogue_shows_both_ends_and_counts_the_rest():
    page = AWKWARD["200 products"]()
    shown = [text for text in words(page) if text.startswith("Product ")]
    assert len(shown) == 26
    assert any(text.startswith("174 products in between, from ") for text in words(page))


def test_bars_of_products_stand_on_zero():
    axes = AWKWARD["200 products"]().axes[0]
    assert axes.get_xlim()[0] == 0


def test_the_change_of_products_names_its_basis():
    told = words(figures.products(stocked(3).assign(change=[0.01, 0.02, 0.0]), *HEAD))
    assert "change, points, who\ncould buy both times" in told


def test_a_product_nobody_could_buy_has_no_rate():
    table = stocked(3).assign(possible=[0, 10, 10], attach_rate=[None, 0.5, 0.6])
    assert "nobody could buy it" in words(figures.products(table, *HEAD))


def test_a_month_without_lines_is_marked():
    page = AWKWARD["months with gaps"]()
    assert any("missing delivery" in text for text in words(page))
    assert not any("missing delivery" in text for text in words(AWKWARD["months"]()))


def test_a_thin_part_set_aside_stays_in_sight():
    page = figures.reconciliation(read(("baskets", 10**6, 10**6 - 1, 1, None, None, None)), *HEAD)
    assert [patch.get_linewidth() > 1 for patch in page.axes[0].patches] == [False, True]


def test_names_are_never_read_as_mathematics_or_markup():
    page = AWKWARD["hostile groups"]()
    shown = words(page)
    assert "$x_1^2$ & \\frac{1}{2}" in shown
    assert "Line break andnull" in shown
    svg = page._repr_svg_()
    assert ">$x_1^2$ &amp; \\frac{1}{2}" in svg
    assert "<script>" not in svg
    assert "&lt;script&gt;" in svg


def test_svg_is_the_same_each_time_and_undated():
    first, second = (AWKWARD["six groups"]()._repr_svg_() for _ in range(2))
    assert first == second
    assert "<dc:date>" not in first
    root = ET.fromstring(first)
    assert root.find("{http://www.w3.org/2000/svg}title").text == HEAD[0]


def test_the_users_own_settings_do_not_show():
    import matplotlib as mpl

    usual = AWKWARD["six groups"]()._repr_svg_()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path"}):
        assert AWKWARD["six groups"]()._repr_svg_() == usual
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.parametrize("case", AWKWARD)
def test_every_figure_says_what_it_shows_to_those_who_do_not_see_it(case):
    page = AWKWARD[case]()
    assert page.get_label().startswith(page.title)
    assert len(page.get_label()) > len(page.title)


def test_figures_stay_out_of_pyplot():
    import matplotlib.pyplot as plt

    for case in AWKWARD.values():
        case()
    assert plt.get_fignums() == []


def ipython():
    """Start IPython as a notebook does, whichever environment is activated besides."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    return InteractiveShell(config=Config(InteractiveShell={"warn_venv": False}))


@pytest.mark.parametrize(("formats", "kind"), [({"svg"}, "image/svg+xml"), ({"png"}, "image/png")])
def test_a_notebook_shows_a_figure_that_ends_a_cell(formats, kind):
    from IPython.core.pylabtools import select_figure_formats

    shell = ipython()
    select_figure_formats(shell, formats, bbox_inches="tight")
    data, metadata = shell.display_formatter.format(AWKWARD["six groups"]())
    assert data[kind]
    assert metadata[kind]["alt"].startswith("Penetration rose. Groups from highest to lowest.")
    assert data["text/plain"] == metadata[kind]["alt"]


def test_a_notebook_that_knows_nothing_of_matplotlib_shows_it_too():
    data, metadata = ipython().display_formatter.format(AWKWARD["bands"]())
    assert data["image/svg+xml"].startswith("<?xml")
    assert metadata["image/svg+xml"]["alt"]


def test_a_notebook_crops_no_margin_and_dates_nothing():
    page, kept = AWKWARD["six groups"](), io.BytesIO()
    page.canvas.print_figure(kept, format="svg", bbox_inches="tight", pad_inches=0)
    assert f'width="{style.WIDTH * 72:g}pt"' in kept.getvalue().decode()
    assert "<dc:date>" not in kept.getvalue().decode()


def test_a_table_of_another_shape_is_refused_by_its_columns():
    with pytest.raises(KpiError, match=r"lacks 'k'; it has 'band'"):
        figures.curve(banded(), *HEAD)


def test_tables_are_not_changed_by_drawing_them():
    table = grouped(5, suppressed=[1])
    kept = table.copy()
    figures.segments(table, *HEAD)
    pd.testing.assert_frame_equal(table, kept)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_labels_moved_apart_keep_their_order_and_distance(wanted):
    places = style.spread(wanted, gap=0.1, low=0, high=1)
    assert all(one <= other - 0.1 + 1e-5 for one, other in pairwise(sorted(places)))
    assert np.argsort(places, kind="stable").tolist() == np.argsort(wanted, kind="stable").tolist()


@given(st.text(max_size=300), st.floats(0.3, 4))
def test_shortened_names_fit(text, inches):
    assert style.width_of(style.shorten(text, inches)) <= max(inches, style.width_of("(no name)"))


@given(st.integers(1, 400), st.floats(0.1, 60))
def test_ticks_chosen_are_far_enough_apart(last, apart):
    chosen = marks.every(1, last, apart)
    assert all(b - a >= min(apart, last) for a, b in pairwise(chosen))
