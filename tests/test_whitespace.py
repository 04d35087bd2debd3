"""Whitespace: every slot in one state, chances that hold, lists that never name what must not be sold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from kpilib import kept, whitespace
from kpilib.errors import DataError
from kpilib.whitespace import likeness, lists, model, states, tried, windows, worth
from kpilib.whitespace.model import Window
from tests import clients, journey

MAKER = np.random.default_rng(7)


def grown(rules: bool, seed: int = 3, accounts: int = 900, products: int = 6) -> list[np.ndarray]:
    """Four quarters of who holds what; with ``rules``, holders of the first product soon buy the second."""
    dice = np.random.default_rng(seed)
    held = dice.random((accounts, products)) < 0.3
    quarters = [held]
    for _ in range(3):
        chance = np.full(held.shape, 0.10)
        if rules:
            chance[:] = 0.03
            chance[:, 0], chance[:, 1] = 0.15, np.where(held[:, 0], 0.5, 0.01)
        held = held | (dice.random(held.shape) < chance)
        held &= dice.random(held.shape) > 0.1
        quarters.append(held)
    return quarters


def told(held: np.ndarray) -> str:
    """Write who holds what in the tiny language of the tests."""
    return " ".join(f"A{row}" + (f" A{row}p{place}" if has else "") for (row, place), has in np.ndenumerate(held))


def window(now: np.ndarray, then: np.ndarray, before: np.ndarray | None = None) -> Window:
    every = np.ones_like(now)
    return Window(now, every, ~now, ~now & then, before, np.arange(len(now)) % 5)


# the published figures


@pytest.mark.parametrize(
    ("level", "least", "products", "open_and_new", "bounds"),
    [
        ("department", 20, 21, (26_545, 1_721), {"map": 0.590, "auc_product": 0.606, "brier": 0.0549, "ece": 0.015}),
        ("product_category", 50, 257, (401_579, 27_485),
         {"map": 0.261, "auc_product": 0.670, "brier": 0.0600, "ece": 0.015, "precision_1": 0.37}),
    ],
    ids=["21 departments", "257 categories"],
)  # fmt: skip
def test_complete_journey_foretells_the_last_quarter(level, least, products, open_and_new, bounds):
    """Fitted on what was bought in July to September, judged on October to December."""
    active, found = journey.bought(level, least)
    early, late = journey.window(active, found, 2), journey.window(active, found, 3)
    assert (len(early.held), late.held.shape) == (2_267, (2_302, products))
    assert (late.open.sum(), late.bought.sum()) == open_and_new
    test = tried.judge(model.fit([early]), late)
    row = test.methods.set_index("method").loc["model"]
    for name, bound in bounds.items():
        assert row[name] <= bound if name in ("brier", "ece") else row[name] >= bound, (name, row[name])
    assert test.verdict == ("as good" if level == "department" else "better")


def test_judged_by_scikit_learn_as_well():
    active, found = journey.bought("department", 20)
    late = journey.window(active, found, 3)
    fitted = model.fit([journey.window(active, found, 2)])
    chance = model.chances(fitted, late.held, late.before, likeness.counted(late.held, late.possible))
    row = tried.judge(fitted, late).methods.iloc[0]
    assert row["brier"] == pytest.approx(
        brier_score_loss(late.bought[late.open], chance[late.open].astype(float)), abs=1e-9
    )
    areas = [roc_auc_score(late.bought[o, j], chance[o, j]) for j, o in enumerate(late.open.T)
             if late.bought[o, j].sum() >= 5 and (~late.bought[o, j]).sum() >= 5]  # fmt: skip
    assert row["auc_product"] == pytest.approx(np.mean(areas))
    buyers = late.bought.any(1)
    each = [average_precision_score(b[o], c[o]) for b, c, o in
            zip(late.bought[buyers], chance[buyers], late.open[buyers], strict=True)]  # fmt: skip
    assert row["map"] == pytest.approx(np.mean(each))


def test_the_interval_of_the_area_is_delongs():
    """One product: the linearised interval is DeLong's, here from its textbook components."""
    score, bought = MAKER.random(200), MAKER.random(200) < 0.3
    score[bought] += 0.2
    yes, no = score[bought], score[~bought]
    wins = (yes[:, None] > no[None]) + 0.5 * (yes[:, None] == no[None])
    variance = wins.mean(1).var() / len(yes) + wins.mean(0).var() / len(no)
    found = tried.auc_by_product(score[:, None], np.ones((200, 1), bool), bought[:, None])[1]
    assert found.value == pytest.approx(wins.mean())
    assert found.high - found.value == pytest.approx(1.959964 * variance**0.5)


# counts and signs, by hand


def test_counts_know_who_could_have():
    held = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], bool)
    possible = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], bool)
    found = likeness.counted(held, possible)
    assert found.both.tolist() == [[2, 1, 0], [1, 2, 1], [0, 1, 1]]
    assert found.could.tolist() == [[2, 2, 1], [2, 2, 2], [1, 1, 1]]
    # of those with the first that could have the third (1), none has it; shrunk by 10 towards 1 of 2
    assert found.confidence[0, 2] == pytest.approx((0 + 10 * 0.5) / (1 + 10))


def test_counts_add_up_and_part():
    held, possible = MAKER.random((60, 8)) < 0.4, MAKER.random((60, 8)) < 0.8
    held &= possible
    whole, part = likeness.counted(held, possible), likeness.counted(held[:20], possible[:20])
    rest = likeness.counted(held[20:], possible[20:])
    for name in ("accounts", "possible", "held", "both", "could"):
        assert np.array_equal(getattr(whole.less(part), name), getattr(rest, name))
        assert np.array_equal(getattr(part.plus(rest), name), getattr(whole, name))


def test_ease_solves_its_least_squares():
    """Each column is the ridge regression of a product on all others (Steck 2019)."""
    held = (MAKER.random((80, 6)) < 0.5).astype(float)
    weights = likeness.ease(likeness.counted(held.astype(bool), np.ones((80, 6), bool)), strength=0.5)
    others = [0, 1, 2, 4, 5]
    gram = held[:, others].T @ held[:, others] + 40 * np.eye(5)
    assert weights[others, 3] == pytest.approx(np.linalg.solve(gram, held[:, others].T @ held[:, 3]))
    assert weights[3, 3] == 0


def test_who_holds_nothing_is_as_everybody():
    held = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], bool)
    counts = likeness.counted(held, np.ones_like(held))
    has = held.astype(np.float32)
    found = likeness.mean_confidence(has, has.sum(1, keepdims=True), counts)
    assert found[2] == pytest.approx([0.5, 0.25])


def test_signs_of_an_account_do_not_know_what_it_bought():
    """Changing what the accounts of one fold bought changes nothing in their own signs."""
    quarters = grown(rules=True, accounts=200)
    one = window(quarters[1], quarters[2], quarters[0])
    mine = one.fold == 2
    other = replace(one, bought=np.where(mine[:, None], one.open, one.bought))
    signs = [model._seen(each, *model._sums([each]), model._after([each]), 0.0)[0] for each in (one, other)]
    rows = np.concatenate([np.full(one.open[one.fold == fold].sum(), fold) for fold in range(5)])
    assert np.array_equal(signs[0][rows == 2], signs[1][rows == 2])
    assert not np.array_equal(signs[0][rows == 1], signs[1][rows == 1])


# what is planted is found; where nothing is, it is said


def test_a_planted_rule_is_found_and_beats_popularity():
    zero, one, two, three = grown(rules=True)
    fitted = model.fit([window(one, two, zero)])
    late = window(two, three, one)
    test = tried.judge(fitted, late)
    assert test.verdict == "better"
    assert test.methods["auc_product"].iloc[0] > 0.55
    every = likeness.counted(two, np.ones_like(two))
    areas = tried.auc_by_product(model.chances(fitted, two, one, every), late.open, late.bought)[0]
    assert areas[1] > 0.85
    assert areas[1] == areas.max()
    held = np.array([[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]], bool)
    chance = model.chances(fitted, held, held, every)
    assert chance[0, 1] == chance[0, 1:].max()
    assert chance[0, 1] > 2 * chance[1, 1]


def test_where_nothing_predicts_popularity_is_as_good():
    """Of twenty worlds one in twenty may look otherwise by chance."""
    tests = []
    for seed in range(20):
        zero, one, two, three = grown(rules=False, seed=seed)
        tests.append(tried.judge(model.fit([window(one, two, zero)]), window(two, three, one)))
    assert sum(each.verdict == "as good" for each in tests) >= 17
    assert np.mean([each.methods["auc_product"].iloc[0] for each in tests]) == pytest.approx(0.5, abs=0.02)
    assert all(each.calibrated for each in tests)


def test_nothing_to_learn_is_no_model():
    held = MAKER.random((50, 3)) < 0.5
    assert model.fit([window(held, held)]) is None
    assert model.fit([window(np.ones((50, 3), bool), np.ones((50, 3), bool))]) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 7))
def test_average_precision_is_scikit_learns(seed, accounts, products):
    dice = np.random.default_rng(seed)
    scores, opened = dice.random((accounts, products)), dice.random((accounts, products)) < 0.7
    bought = opened & (dice.random((accounts, products)) < 0.4)
    for found, s, o, b in zip(model.precision(scores, opened, bought), scores, opened, bought, strict=True):
        assert np.isnan(found) if not b.any() else found == pytest.approx(average_precision_score(b[o], s[o]))


# states


def test_held_and_whitespace_are_what_is_possible(book):
    one = book(
        "Ax Ay Az- B Bx",
        "Ax Ay- Az- B By",
        attributes={"region": {"A": "N"}},
        blocked=[("Az", "in-house", None, None), ("Bz", "competitor", None, None)],
        opportunities=[("Bx", "lost", "2025-05-01", "2025-06-01"), ("By", "open", "2025-05-01", None)],
    )
    found = whitespace.slots(one, "2025Q2").iloc[0]
    expected = {"accounts": 2, "possible": 4, "held": 2, "whitespace": 2}
    assert found.to_dict() == expected | {"pipeline": 0, "lost offer": 1, "blocked": 1, "open": 0}
    by = whitespace.slots(one, "2025Q2", "region")
    assert by["group"].to_list() == ["N", "(not given)"]
    assert (by["held"] + by["whitespace"]).to_list() == by["possible"].to_list() == [1, 3]
    assert by.drop(columns="group").sum().to_dict() == found.to_dict()


def test_every_unheld_slot_says_why_where_the_data_can(book):
    one = book(
        "Av Aw Ax Ay Az B",
        "Av A B",
        blocked=[("Bv", "in-house", None, None)],
        opportunities=[("Ax", "lost", "2025-05-01", "2025-06-01"), ("By", "open", "2025-05-01", None)],
        products=["v", "w", "x", "y", "z"],
    )
    found = whitespace.map(one, "2025Q2").set_index(["account_id", "product_id"])["reason"]
    assert found["A"].to_list()[1:] == ["dropped", "offered and lost", "dropped", "dropped"]
    assert found["B"].to_list() == [
        "must not be sold",
        "never offered",
        "never offered",
        "offer running",
        "never offered",
    ]
    counted = whitespace.reasons(one, "2025Q2").set_index("reason")
    assert counted["slots"].to_list() == [1, 1, 1, 3, 3]
    assert counted.index.to_list() == [each for each in states.REASONS if each != "unhappy customer"]
    assert counted["share"].sum() == pytest.approx(1)


def test_unhappy_customers_are_told_by_their_scores(tmp_path):
    text = "[feedback]\nscale = [0, 10]\nrows = [\n" + "".join(
        f'{{ account_id = "{a}", date = "{day}", score = "{score}" }},\n'
        for a, day, score in (("A", "2025-05-05", 3), ("B", "2025-05-05", 7), ("C", "2025-02-05", 1))
    )
    rows = "".join(f"{a},x,{day},1,10\n" for a in "ABC" for day in ("2025-02-03", "2025-05-03"))
    one = kept.open_book(clients.sales(tmp_path, rows, more=text + "]\n" + clients.CATALOGUE))
    found = whitespace.map(one, "2025Q2")
    assert found.loc[found["reason"] == "unhappy customer", "account_id"].to_list() == ["A", "A"]


def test_families_roll_up_and_the_whole_map_is_written(book, tmp_path):
    one = book("Ax Ay B", families={"x": "f", "y": "f"}, products=["x", "y", "z"])
    by = whitespace.map(one, "2025Q1", family=True)
    assert by[["account_id", "family", "possible", "held", "open"]].to_numpy().tolist() == [
        ["A", "f", 2, 2, 0], ["A", "z", 1, 0, 1], ["B", "f", 2, 0, 2], ["B", "z", 1, 0, 1]]  # fmt: skip
    for name in ("map.csv", "map.parquet"):
        assert whitespace.export(one, "2025Q1", tmp_path / name) == 6
        written = duckdb.sql(f"FROM '{tmp_path / name}'").df()
        assert written["state"].to_list() == whitespace.map(one, "2025Q1")["state"].to_list()
    with pytest.raises(DataError, match=r"Use .parquet or .csv"):
        whitespace.export(one, "2025Q1", tmp_path / "map.pdf")
    with pytest.raises(DataError, match="not counted"):
        whitespace.map(one, "2025Q1", ["Q"])


# arrays from a book


def test_words_unpack_to_what_the_book_says(book):
    products = [f"p{n}" for n in range(130)]
    held = MAKER.random((3, 130)) < 0.3
    one = book(told(held), told(~held), products=products)
    cells = windows.read(one, "2025Q2", depth=1)
    assert np.array_equal(cells.table("held"), ~held)
    assert np.array_equal(cells.table("before"), held)
    assert np.array_equal(cells.open(slice(1, 3)), held[1:])
    assert np.array_equal(cells.counts().both, likeness.counted(~held, np.ones_like(held)).both)


def test_a_window_knows_what_could_be_bought(book):
    """Lost accounts bought nothing; what was retired meanwhile, or blocked, was not open."""
    one = book("A B C Ax", "Ay Ax Az- C Cz-", products=["x", "y", "z"], blocked=[("Cx", "no", None, None)])
    found = windows.window(one, "2025Q1", "2025Q2", 0)
    assert found.open.tolist() == [[False, True, False], [True, True, False], [False, True, False]]
    assert found.bought.tolist() == [[False, True, False], [False, False, False], [False, False, False]]


@pytest.mark.parametrize(
    ("quarters", "incomplete", "expected"),
    [
        (1, (), ([], 0)),
        (2, (), ([("2025Q1", "2025Q2")], 0)),
        (3, (), ([("2025Q2", "2025Q3")], 1)),
        (4, (), ([("2025Q2", "2025Q3"), ("2025Q3", "2025Q4")], 1)),
        (4, ("2025Q2",), ([("2025Q3", "2025Q4")], 0)),
        (4, ("2025Q4",), ([], 0)),
    ],
)
def test_half_of_the_steps_are_learned_from(book, quarters, incomplete, expected):
    one = book(*["Ax B"] * quarters, incomplete=incomplete)
    assert windows.learned_from(one, f"2025Q{quarters}") == expected


# lists


@pytest.fixture(scope="module")
def sold(book):
    """Four quarters with a planted rule, running and lost offers, a blocked slot and a launch."""
    quarters = grown(rules=True, accounts=300)
    launched = [np.column_stack([each, np.zeros(300, bool)]) for each in quarters]
    text = [" ".join([told(each), *(f"A{n}p6-" for n in range(300))]) for each in launched[:3]] + [told(launched[3])]
    first = [row for row in range(300) if quarters[3][row, 0] and not quarters[3][row, 1]]
    return (
        book(
            *text,
            products=[f"p{n}" for n in range(7)],
            names={f"A{n}": f"Customer {n}" for n in range(300)},
        ),
        quarters[3],
        first,
    )


def test_the_planted_product_comes_first_and_says_why(sold):
    one, _, first = sold
    ranking = whitespace.prepare(one, "2025Q4")
    found = whitespace.ranked(one, "2025Q4", ranking=ranking, most=20)
    assert {*found["account_id"]} <= {f"A{row}" for row in first}
    assert {*found["product_id"]} == {"p1"}
    assert found["chance"].between(0.3, 0.9).all()
    assert found["score"].is_monotonic_decreasing
    row = found[found["last_held"].isna()].iloc[0]
    held = sold[1]
    named = [int(each[1:]) for each in (row["like_a"], row["like_b"]) if isinstance(each, str)]
    having = held[:, named].all(1)
    assert (row["having"], row["hold"]) == (having.sum(), (having & held[:, 1]).sum())
    assert row["share"] >= 1.2 * row["share_all"] == pytest.approx(1.2 * held[:, 1].mean())
    assert row["name"] == f"Customer {row['account_id'][1:]}"
    assert row["owner"] == "Kim"


def test_a_product_launched_since_has_no_chance_and_says_so(sold):
    one, _, _ = sold
    ranking = whitespace.prepare(one, "2025Q4")
    assert ranking.new == ("p6",)
    everything = whitespace.ranked(one, "2025Q4", each=7, most=None, ranking=ranking)
    assert "p6" not in {*everything["product_id"]}
    with pytest.raises(DataError, match="launched since"):
        whitespace.of(one, "2025Q4", "p6", ranking=ranking)
    with pytest.raises(DataError, match="not in the catalogue"):
        whitespace.of(one, "2025Q4", "q", ranking=ranking)


def test_lists_never_name_what_must_not_be_sold(book):
    quarters = grown(rules=True, accounts=120, products=4)
    one = book(*map(told, quarters), products=[f"p{n}" for n in range(4)])
    marks = pd.DataFrame([{"account_id": f"A{n}", "product_id": f"p{n % 4}"} for n in range(120)])
    _keep(
        one,
        "blocked",
        marks[:60].assign(reason="no", start=None, stop=None),
        '"start"::DATE AS "start", stop::DATE AS stop',
    )
    offered = marks[60:].assign(status="open", opened="2025-11-01", closed=None)
    offered.loc[offered.index[30:], ["status", "closed"]] = ["lost", "2025-12-01"]
    _keep(one, "opportunities", offered, "opened::DATE AS opened, closed::DATE AS closed")
    found = whitespace.ranked(one, "2025Q4", each=4, most=None)
    every = whitespace.map(one, "2025Q4").set_index(["account_id", "product_id"])["state"]
    listed = every.loc[list(found[["account_id", "product_id"]].itertuples(index=False, name=None))]
    assert {*listed} == {"open", "lost offer"}
    assert listed.to_list() == found["state"].to_list()
    assert len(found) == every.isin(["open", "lost offer"]).sum()
    best = whitespace.ranked(one, "2025Q4", "product", each=5)
    assert (best.groupby("product_id").size() == 5).all()
    assert {*best["state"]} <= {"open", "lost offer"}


def test_one_quarter_ranks_without_chance_or_money(book):
    one = book("Ax Ay Bx By Cx D", products=["x", "y", "z"])
    ranking = whitespace.prepare(one, "2025Q1")
    assert (ranking.no_chance, ranking.test) == ("one quarter only", None)
    found = whitespace.ranked(one, "2025Q1", ranking=ranking)
    assert found["chance"].isna().all()
    assert found["value"].isna().all()
    assert found.set_index("account_id").loc["C", "product_id"] == "y"
    assert whitespace.value(one, "2025Q1", ranking=ranking) is None


@pytest.mark.parametrize(
    ("quarter", "why"),
    [("Ax Ay", "nothing bought"), ("A", "nothing bought"), ("Ax- Ay-", "nothing bought"), ("Ax", "nothing bought")],
    ids=["all held", "nothing held", "nobody may buy", "one open"],
)
def test_one_account_gets_a_clear_answer(book, quarter, why):
    one = book(*[quarter] * 4, products=["x", "y"])
    ranking = whitespace.prepare(one, "2025Q4")
    assert ranking.no_chance == why
    found = whitespace.ranked(one, "2025Q4", ranking=ranking)
    assert len(found) == (quarter in ("A", "Ax"))
    assert whitespace.value(one, "2025Q4", ranking=ranking) is None
    assert len(whitespace.slots(one, "2025Q4")) == (quarter != "Ax- Ay-")


def test_one_product_is_ranked_among_accounts(book):
    quarters = grown(rules=False, accounts=200, products=1)
    one = book(*map(told, quarters), products=["p0"])
    found = whitespace.ranked(one, "2025Q4", "product", each=3)
    assert len(found) == 3
    assert found["chance"].between(0, 1).all()
    with pytest.raises(DataError, match="per account or per product"):
        whitespace.ranked(one, "2025Q4", "owner")


def test_every_open_slot_is_written_with_its_chance(sold, tmp_path):
    one, _, _ = sold
    ranking = whitespace.prepare(one, "2025Q4")
    rows = whitespace.write(one, "2025Q4", tmp_path / "chances.parquet", ranking)
    written = duckdb.sql(f"FROM '{tmp_path / 'chances.parquet'}'").df()
    assert rows == len(written) == whitespace.slots(one, "2025Q4")["open"].iloc[0]
    assert written.loc[written["product_id"] == "p6", "chance"].isna().all()
    best = whitespace.ranked(one, "2025Q4", most=1, ranking=ranking).iloc[0]
    assert written["chance"].max() == pytest.approx(best["chance"])


# money


def test_value_is_chance_times_what_like_accounts_spend(tmp_path):
    """Three thirds of customers by size; each spends ten times what the one before does."""
    quarters = grown(rules=True, accounts=240, products=3)
    lines = [
        f"A{row:03d},{'xyz'[place]},2025-{3 * number + 2:02d}-05,1,{10 ** (row // 80 + 1)}\n"
        for number, held in enumerate(quarters)
        for row, place in zip(*np.nonzero(held), strict=True)
    ]
    lines += [
        f"A{row:03d},other,2025-{3 * q + 2:02d}-05,1,{10 ** (row // 80 + 4)}\n" for row in range(240) for q in range(4)
    ]
    more = '[catalogue]\nproducts = ["x", "y", "z"]\noutside = ["other"]\n'
    one = kept.open_book(clients.sales(tmp_path, "".join(lines), more=more))
    ranking = whitespace.prepare(one, "2025Q4")
    assert ranking.test.calibrated
    assert ranking.typical.amounts[:, 1:].tolist() == [[Decimal("10.00"), Decimal("100.00"), Decimal("1000.00")]] * 3
    found = whitespace.ranked(one, "2025Q4", ranking=ranking, each=3, most=None)
    row = found.iloc[0]
    assert int(row["account_id"][1:]) >= 160
    assert row["value"] == (Decimal(repr(round(float(row["score"]), 6))) * 1000).quantize(Decimal("0.01"))
    total = whitespace.value(one, "2025Q4", ranking=ranking)
    assert float(total["value"].sum()) == pytest.approx(float(found["value"].sum()), rel=1e-4)
    assert total["slots"].sum() == len(found)


def test_without_amounts_there_is_no_money(sold):
    one, _, _ = sold
    assert worth.typical(one, "2025Q4", np.array(["A1"], object)) is None
    assert whitespace.value(one, "2025Q4") is None
    assert whitespace.ranked(one, "2025Q4", most=5)["value"].isna().all()


def test_blank_owners_are_said_to_be_not_given(book):
    one = book("Ax B", "Ax Bx", attributes={"owner": {"A": " ", "B": "Kim"}}, products=["x", "y"])
    found = whitespace.ranked(one, "2025Q2").set_index("account_id")["owner"]
    assert found.to_dict() == {"A": "(not given)", "B": "Kim"}


def _keep(one, name: str, frame: pd.DataFrame, casts: str) -> None:
    duckdb.sql(f"COPY (SELECT * REPLACE ({casts}) FROM frame) TO '{Path(one.folder) / name}.parquet'")


def test_lists_hold_their_columns_when_empty(book):
    one = book("Ax", "Ax")
    assert list(whitespace.ranked(one, "2025Q2")) == list(lists.COLUMNS)


def test_random_order_is_told_as_expected_not_as_drawn():
    dice = np.random.default_rng(11)
    opened = dice.random((200, 6)) < 0.7
    bought = opened & (dice.random(opened.shape) < 0.3)
    popular = model.precision(np.zeros(opened.shape), opened, bought)
    found = tried._at_random(opened, bought, popular, 3)
    draws = [dice.random(opened.shape) for _ in range(400)]
    buyers = bought.any(1)
    hits = [model.in_order(each[buyers], opened[buyers], bought[buyers]) for each in draws]
    assert found["precision_1"] == pytest.approx(np.mean([each[:, 0].mean() for each in hits]), abs=0.005)
    assert found["precision_k"] == pytest.approx(np.mean([each[:, :3].mean() for each in hits]), abs=0.005)
    recalls = [(each[:, :3].sum(1) / each.sum(1)).mean() for each in hits]
    assert found["recall_k"] == pytest.approx(np.mean(recalls), abs=0.005)
    maps = [np.nanmean(model.precision(each, opened, bought)) for each in draws]
    assert found["map"] == pytest.approx(np.mean(maps), abs=0.005)


def test_the_row_at_random_says_half_where_half_is_chance():
    held = window_of_chance(300, 5, seed=3)
    test = tried.judge(model.fit([held]), held)
    assert test.methods.set_index("method").loc["random", "auc_product"] == 0.5


def window_of_chance(accounts, products, seed):
    dice = np.random.default_rng(seed)
    held = dice.random((accounts, products)) < 0.4
    return window(held, held | (dice.random(held.shape) < 0.2))


def test_the_benchmark_runs_on_few_accounts(monkeypatch, capsys):
    from tests.benchmarks import whitespace as benchmark

    monkeypatch.setattr("sys.argv", ["whitespace", "--accounts", "2000", "--products", "8"])
    assert benchmark.main() == 0
    assert "2,000 accounts x 8 products" in capsys.readouterr().out
