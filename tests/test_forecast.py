"""What next quarter would be: rates worked by hand, the formulas of scipy, and a client with a long past."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from clients import sales
from scipy import stats

from kpilib import forecast, kept, penetration
from kpilib.captions import forecast as captions
from kpilib.errors import DataError
from kpilib.figures import forecast as figures
from kpilib.wording import forecast as wording
from kpilib.written import MINUS

LONG = "client = 'Long'\ndata_from = 2021-01-01\ndata_to = 2024-12-31\nlookback_months = 3\nbase = 'active'\n"


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Sixteen quarters of 80 customers and three products, bought afresh each quarter or dropped."""
    rng = np.random.default_rng(7)
    held = rng.random((80, 3)) < 0.5
    rows = []
    for quarter in range(16):
        luck = np.exp(rng.normal(0, 0.2, 2))
        held = np.where(held, rng.random(held.shape) > 0.15 * luck[0], rng.random(held.shape) < 0.18 * luck[1])
        day = f"{2021 + quarter // 4}-{quarter % 4 * 3 + 2:02d}-10"
        rows += [f"C{a},{'xyz'[p]},{day},1,{10 + a % 7}" for a, p in zip(*held.nonzero(), strict=True)]
    return kept.open_book(sales(tmp_path_factory.mktemp("long"), "\n".join(rows) + "\n", head=LONG))


def row(table: pd.DataFrame, measure: str = "mean") -> pd.Series:
    return table[table["measure"] == measure].iloc[0]


def test_rates_worked_by_hand(book):
    """A gains y, B loses x and gains y, of x and y each; nobody joins or leaves."""
    made = book("Ax Bx C", "Ax Ay By C")
    for measure in ("mean", "pooled"):
        found = row(forecast.rates(made, "2025Q2"), measure)
        assert found["before"] == pytest.approx(2 / 6)
        assert found["gain"] == pytest.approx(2 / 4)  # of four open, Ay and By
        assert found["loss"] == pytest.approx(1 / 2)  # of two held, Bx
        assert found["turnover"] == pytest.approx(0)
        assert found["catalogue"] == pytest.approx(0)
        assert found["accounts"] == 3


def test_each_account_alike_weighs_a_product_by_what_the_account_could_hold(book):
    """B could hold x alone: its one product weighs as much as the two of A."""
    made = book("A Bx By-", "Ax B By-")
    mean, pooled = (row(forecast.rates(made, "2025Q2"), each) for each in ("mean", "pooled"))
    assert (mean["gain"], pooled["gain"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert mean["before"] == pytest.approx(1 / 2)
    assert mean["after"] == pytest.approx(1 / 4)
    assert pooled["before"] == pytest.approx(1 / 3)


def test_joiners_leavers_and_launches_are_told_from_gains_and_losses(book):
    made = book("Ax Bx Ay- By- C~ Cx Cy-", "Ax B Dx Dy", products=["x", "y"])
    for measure in ("mean", "pooled"):
        found = row(forecast.rates(made, "2025Q2"), measure)
        same = {"mean": 1.0, "pooled": 1.0}[measure]  # A and B had x, all they could hold
        flows = 0 - found["loss"] * same
        assert found["before"] + flows + found["turnover"] + found["catalogue"] == pytest.approx(found["after"])
        assert found["loss"] == pytest.approx(1 / 2)
        assert found["catalogue"] == pytest.approx(-1 / 4)  # 1/2 of x alone is 1/4 of x and y
        assert found["turnover"] == pytest.approx(0.5 - 1 / 4)  # D, who joined with both


def test_a_flow_forecast_is_the_formula(long):
    """P + g (1 - P) - l P + u, with t of scipy over the spread of what past quarters would have moved."""
    rates = forecast.rates(long).query("measure == 'mean'")
    found, now = row(forecast.ahead(long)), rates["after"].iloc[-1]
    moves = rates["gain"] * (1 - now) - rates["loss"] * now + rates["turnover"]
    reach = stats.t.ppf(0.975, len(moves) - 1) * moves.std(ddof=1) * np.sqrt(1 + 1 / len(moves))
    assert (found["made_at"], found["quarter"], found["method"], found["points"]) == ("2024Q4", "2025Q1", "flow", 16)
    assert found["now"] == pytest.approx(penetration.by_quarter(long)["mean"].iloc[-1])
    assert found["forecast"] == pytest.approx(now + moves.mean())
    assert found["high"] - found["low"] == pytest.approx(2 * reach)
    assert found["reason"] is None


def test_rates_split_every_change_wholly(long):
    rates = forecast.rates(long)
    assert len(rates) == 30
    moved = rates["after"] - rates["before"]
    assert rates["catalogue"].abs().max() < 1e-12
    assert (moved - rates["turnover"]).abs().max() < 0.2
    assert rates["gain"].between(0, 1).all()
    assert rates["loss"].between(0, 1).all()


def test_revenue_is_forecast_from_what_was_kept(long):
    with long.connect() as db:
        sold = db.sql("select account_id, quarter, revenue_quarter from positions").to_arrow_table().to_pandas()
    wide = sold.astype({"revenue_quarter": float}).pivot_table(
        index="account_id", columns="quarter", values="revenue_quarter", fill_value=0
    )
    ratios = [
        wide.loc[wide[before] > 0, after].sum() / wide.loc[wide[before] > 0, before].sum()
        for before, after in zip(wide, list(wide)[1:], strict=False)
    ]
    found, now = row(forecast.ahead(long), "existing_revenue"), wide.iloc[:, -1].sum()
    logs = np.log(ratios)
    reach = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    assert found["now"] == pytest.approx(now)
    assert found["forecast"] == pytest.approx(now * np.exp(logs.mean()))
    assert found["low"] == pytest.approx(found["forecast"] * np.exp(-reach))
    assert found["high"] == pytest.approx(found["forecast"] * np.exp(reach))


def test_two_quarters_ahead_is_wider_and_three_are_refused(long):
    both = forecast.ahead(long, horizon=2).query("measure == 'mean'")
    widths = (both["high"] - both["low"]).tolist()
    assert widths[1] > widths[0]
    assert both["quarter"].tolist() == ["2025Q1", "2025Q2"]
    with pytest.raises(DataError, match="3 quarters ahead is too far"):
        forecast.ahead(long, horizon=3)


def test_the_back_test_uses_nothing_that_came_later(long):
    """A forecast of the back-test is the one made at that quarter."""
    tested = forecast.back_test(long)
    then = row(forecast.ahead(long, "2023Q2"))
    again = tested.query("measure == 'mean' and made_at == '2023Q2'").iloc[0]
    assert again[["forecast", "low", "high"]].tolist() == pytest.approx(then[["forecast", "low", "high"]].tolist())
    assert again["came"] == pytest.approx(row(forecast.ahead(long, "2023Q3"))["now"])
    assert again["error"] == pytest.approx(again["came"] - again["forecast"])
    assert again["inside"] == (again["low"] <= again["came"] <= again["high"])
    assert tested.query("measure == 'mean'")["quarter"].iloc[0] == "2021Q4"  # from three complete quarters
    assert tested.loc[tested["points"] < 8, "inside"].isna().all()
    kept_promise = forecast.record(tested).set_index("measure")
    assert kept_promise.loc["mean", "forecasts"] == 13
    assert kept_promise.loc["mean", "intervals"] == 8
    assert kept_promise.loc["mean", "error"] == pytest.approx(tested.query("measure == 'mean'")["error"].abs().mean())


def test_last_quarters_forecast_is_scored_by_what_came(long):
    found = forecast.scored(long, "2024Q4")
    assert set(found["measure"]) == {"mean", "pooled", "existing_revenue"}
    assert set(found["made_at"]) == {"2024Q3"}
    assert forecast.scored(long, "2021Q1").empty


def test_below_eight_quarters_no_interval_and_the_reason(long):
    found = row(forecast.ahead(long, "2022Q3"))
    assert (found["points"], found["reason"]) == (7, "few quarters")
    assert np.isnan(found["low"])
    assert found["forecast"] > 0
    assert row(forecast.ahead(long, "2022Q4"))["reason"] is None


def test_the_first_quarter_forecasts_nothing_and_says_so(book):
    found = forecast.ahead(book("Ax B"), "2025Q1")
    assert set(found["reason"]) == {"no history"}
    assert found["forecast"].isna().all()
    assert "Nothing can be forecast" in wording.expected(found.iloc[0])


def test_without_accounts_counted_twice_it_drifts(book):
    made = book("Ax By", "Cx Cy D", "Ex Ey Fx F")
    found = row(forecast.ahead(made, "2025Q3"))
    levels = [1 / 2, 1 / 2, 3 / 4]
    assert found["method"] == "drift"
    assert found["forecast"] == pytest.approx(levels[-1] + (levels[-1] - levels[0]) / 2)


@pytest.mark.parametrize(("quarters", "stays"), [(["Ax Ay Bx By"] * 9, 1.0), (["A B Cx-"] * 9, 0.0)])
def test_all_held_or_nothing_held_stays_so_without_an_interval(book, quarters, stays):
    found = row(forecast.ahead(book(*quarters, products=["x", "y"]), "2027Q1"))
    assert found["forecast"] == pytest.approx(stays)
    assert found["reason"] == "no variation"
    assert "every past quarter moved the same" in wording.expected(found)


def test_an_interval_ends_at_all_and_at_nothing(book):
    """Nine quarters that swing between 3 of 4 and 4 of 4."""
    found = row(forecast.ahead(book(*["Ax Ay Bx By", "Ax Ay Bx B"] * 4, "Ax Ay Bx By"), "2027Q1"))
    assert found["high"] == 1.0
    assert 0 <= found["low"] < found["forecast"] <= 1


def test_one_account_one_product(book):
    found = row(forecast.ahead(book("Ax", "A", "Ax", products=["x"]), "2025Q3"))
    assert 0 <= found["forecast"] <= 1


def test_an_incomplete_quarter_forecasts_nothing(book):
    made = book("Ax", "Ax", incomplete=("2025Q2",))
    with pytest.raises(DataError, match="2025Q2 is incomplete"):
        forecast.ahead(made, "2025Q2")


def test_a_gap_begins_the_past_anew(book):
    made = book("Ax B", "Ax B", "Ax Bx", "A Bx", incomplete=("2025Q2",))
    assert row(forecast.ahead(made, "2025Q4"))["points"] == 2


def test_revenue_lost_altogether_is_no_forecast(book):
    made = book("Ax", "Bx", "Ax", revenue={"A": "40", "B": "40"})
    found = row(forecast.ahead(made, "2025Q3"), "existing_revenue")
    assert found["reason"] == "nothing kept"
    assert np.isnan(found["forecast"])


def test_a_client_without_revenue_has_no_revenue_forecast(book):
    assert set(forecast.ahead(book("Ax B", "Ax Bx"), "2025Q2")["measure"]) == {"mean", "pooled"}


def test_sentences_say_what_the_table_holds(long):
    ahead, scored = forecast.ahead(long), forecast.scored(long)
    told = wording.expected(row(ahead))
    assert f"{row(ahead)['forecast']:.1%}" in told
    assert "In 19 of 20" in told
    assert "expected to bring EUR" in wording.expected(row(ahead, "existing_revenue"), "EUR")
    assert "8 complete quarters in a row, and there are only 7" in wording.expected(row(forecast.ahead(long, "2022Q3")))
    assert f"came to {row(scored)['came']:.1%}" in wording.came(row(scored))
    assert "the range" in wording.came(row(scored))
    record = forecast.record(forecast.back_test(long))
    assert "13 past quarters" in wording.trusted(record)
    assert wording.trusted(record.iloc[:0]) is None
    assert "8 ranges" in wording.trusted(record)


def test_the_figure_draws_the_table(long):
    ahead = forecast.ahead(long, horizon=2).query("measure == 'mean'")
    scored = forecast.scored(long).query("measure == 'mean'")
    quarters = penetration.by_quarter(long)
    first = ahead.iloc[0]
    page = figures.trend(quarters, ahead, scored, captions.title(first), captions.subtitle(), captions.note(first, 79))
    axes = page.axes[0]
    texts = [each.get_text() for each in axes.texts]
    assert f"{first['forecast']:.1%}" in texts
    assert len(axes.patches) == 2  # one range a quarter ahead
    assert axes.patches[0].get_y() == pytest.approx(first["low"])
    assert axes.patches[0].get_hatch()
    assert page.get_label().startswith(captions.title(first))
    assert "Q1 2025, expected" in page.get_label()
    assert MINUS not in captions.title(first)


def test_without_a_range_the_figure_says_why(book):
    made = book("Ax B", "Ax Bx", "Ax B")
    ahead = forecast.ahead(made, "2025Q3").query("measure == 'mean'")
    first = ahead.iloc[0]
    page = figures.trend(
        penetration.by_quarter(made), ahead, forecast.scored(made, "2025Q3").iloc[:0],
        captions.title(first), captions.subtitle(), captions.note(first),
    )  # fmt: skip
    assert not page.axes[0].patches
    assert "No range is given" in captions.note(first)
    nothing = forecast.ahead(book("Ax B"), "2025Q1").query("measure == 'mean'")
    title = captions.title(nothing.iloc[0])
    empty = figures.trend(penetration.by_quarter(made), nothing, ahead.iloc[:0], title, "", "")
    assert "nothing to forecast from" in empty.get_label()


def test_complete_journey_has_four_quarters_and_no_range():
    """Its quarters are checked elsewhere; here that four are too few, and what the fourth was expected to be."""
    found = forecast.ahead(kept.open_book("data/complete_journey"))
    assert set(found["reason"]) == {"few quarters"}
    assert row(found)["now"] == pytest.approx(0.398176, abs=1e-6)
    assert row(found, "existing_revenue")["now"] == pytest.approx(float(Decimal("1194791.08")))
