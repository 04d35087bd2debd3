"""kpi actions as its users meet it: a list drawn from what is open, issued, filled in, followed up, planned for."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest
from clients import engagement
from test_cli import kpi, printed

from kpilib import kept, whitespace
from kpilib.actions import candidates, chosen, plan, record
from kpilib.actions.chosen import HELD_BACK, LISTED, Limits
from kpilib.errors import DataError
from kpilib.wording import actions as say

# --- From the ranked slots to candidates ----------------------------------------------------


def told(held: np.ndarray) -> str:
    return " ".join(f"A{row}" + (f" A{row}p{place}" if has else "") for (row, place), has in np.ndenumerate(held))


@pytest.fixture(scope="module")
def market(book):
    """Four quarters at an even pace, and p4 launched in the last."""
    dice = np.random.default_rng(11)
    held = dice.random((300, 4)) < 0.3
    quarters = []
    for _ in range(4):
        quarters.append(held)
        held = (held | (dice.random(held.shape) < 0.12)) & (dice.random(held.shape) > 0.06)
    closed = " ".join(f"A{row}p4-" for row in range(300))
    texts = [f"{told(each)} {closed}" for each in quarters[:3]] + [told(quarters[3])]
    free = [f"A{row}p{place}" for (row, place), has in np.ndenumerate(quarters[3]) if not has]
    return book(
        *texts,
        products=[f"p{place}" for place in range(5)],
        names={f"A{row}": f"Firm {row}" for row in range(300)},
    ), free


def test_candidates_are_what_the_map_shows_as_open(market):
    mine, free = market
    ranking = whitespace.prepare(mine, "2025Q4")
    found = candidates.candidates(mine, ranking)
    cells = whitespace.map(mine, "2025Q4")
    wanted = cells[cells["state"].isin(["open", "lost offer"])]
    assert set(zip(found["account_id"], found["product_id"], strict=True)) == set(
        zip(wanted["account_id"], wanted["product_id"], strict=True)
    )
    assert len(found) == len(free) + 300
    assert found.loc[found["product_id"] == "p4", ["chance", "score"]].isna().all(axis=None)
    likeliest = candidates.likeliest(mine, ranking)
    assert not (likeliest["product_id"] == "p4").any()
    assert set(likeliest["owner"]) == {"Kim"}
    best = found.dropna(subset=["score"]).groupby("account_id")["score"].max()
    assert likeliest.set_index("account_id")["score"].sort_index().to_dict() == best.sort_index().to_dict()


def test_the_list_begins_with_the_calls_of_the_chapter(market):
    mine, _ = market
    ranking = whitespace.prepare(mine, "2025Q4")
    shown = whitespace.ranked(mine, "2025Q4", most=10, ranking=ranking)
    rows = chosen.chosen(candidates.likeliest(mine, ranking), Limits())
    assert list(zip(rows["account_id"], rows["product_id"], strict=True))[:10] == list(
        zip(shown["account_id"], shown["product_id"], strict=True)
    )
    grounds = candidates.grounds(mine, ranking, rows.head(10))
    assert grounds["share_all"].tolist() == shown["share_all"].tolist()
    assert set(grounds["ground"]) <= {candidates.HAD_IT, candidates.LOST_OFFER, candidates.ALIKE, candidates.WIDELY}
    had = grounds["ground"] == candidates.HAD_IT
    assert had.tolist() == shown["last_held"].notna().tolist()


def test_chances_are_given_only_where_they_came_true(market, book):
    mine, _ = market
    ranking = whitespace.prepare(mine, "2025Q4")
    assert ranking.test.calibrated
    assert candidates.likeliest(mine, ranking)["chance"].notna().all()
    untried = whitespace.prepare(mine, "2025Q2")  # two quarters: fitted, never tried
    assert untried.test is None
    assert candidates.likeliest(mine, untried)["chance"].isna().all()


def test_blocked_slots_and_running_offers_are_left_out(book):
    mine = book(
        "Ax B C D",
        products=["x", "y"],
        blocked=[("Bx", "no", None, None)],
        opportunities=[("Cx", "open", "2025-02-01", None), ("Dx", "lost", "2025-02-01", "2025-03-01")],
    )
    found = candidates.candidates(mine, whitespace.prepare(mine, "2025Q1"))
    assert sorted(found["account_id"] + found["product_id"]) == ["Ay", "By", "Cy", "Dx", "Dy"]
    assert found.set_index(["account_id", "product_id"])["state"][("D", "x")] == "lost offer"


def test_one_quarter_alone_is_ranked_without_chance_or_money(book):
    """x is held by three of four, y by one of four: the one without x is called about x."""
    mine = book("Ax Bx Cx D Ay", products=["x", "y"], revenue=dict.fromkeys("ABCD", "100"))
    ranking = whitespace.prepare(mine, "2025Q1")
    found = candidates.likeliest(mine, ranking)
    assert found[["chance", "value"]].isna().all(axis=None)
    assert found.set_index("account_id")["product_id"].to_dict() == {"B": "y", "C": "y", "D": "x"}
    rows = chosen.chosen(found, Limits())
    assert rows["account_id"].iloc[0] == "D"
    assert candidates.grounds(mine, ranking, rows)["ground"].iloc[0] == candidates.WIDELY


@pytest.mark.parametrize(
    ("quarters", "options", "said"),
    [
        (("Ax Ay",), {}, "Every customer has all it could buy"),
        (("Ax- Ay-",), {}, "No customer could buy any product"),
        (("Ax",), {"blocked": [("Ay", "no", None, None)]}, "1 must not be sold"),
        (("Ax",), {"opportunities": [("Ay", "open", "2025-02-01", None)]}, "1 offered already"),
        (("Ax", "Ax"), {"incomplete": ["2025Q2"]}, "is not complete"),
    ],
    ids=["all held", "nothing possible", "blocked", "offered", "incomplete"],
)
def test_why_there_is_nothing_to_recommend(book, quarters, options, said):
    mine = book(*quarters, products=["x", "y"], **options)
    label = f"2025Q{len(quarters)}"
    with pytest.raises(DataError, match=said):
        candidates.required(mine, label, candidates.likeliest(mine, whitespace.prepare(mine, label)))


# --- What is aimed at -----------------------------------------------------------------------


def test_the_next_target_is_aimed_at_step_by_step(book):
    """A holds 1 of 2, B none: 25 %. The target of 45 % is two quarters away: 35 % next quarter."""
    goals = [
        {"quarter": "2025Q3", "kpi": "account_penetration_degree", "value": "0.20"},
        {"quarter": "2025Q4", "kpi": "account_penetration_degree", "value": "0.45"},
        {"quarter": "2025Q3", "kpi": "account_penetration_degree", "value": "0.9", "owner": "Kim"},
    ]
    mine = book("Ax B", "Ax B", products=["x", "y"], names={"A": "A", "B": "B"},
                engagement={"targets": goals, "minimum_cell": 1})  # fmt: skip
    aim = plan.aim(mine, "2025Q2")
    assert (aim.quarter, aim.quarters_left, aim.final) == ("2025Q4", 2, 0.45)
    assert aim.target == pytest.approx(0.35)
    assert "must end at 35.0%" in say.aim(aim)


def test_without_a_target_the_level_of_the_best_quarter_is_aimed_at(book):
    aim = plan.aim(book("Ax Ay Bx C D", products=["x", "y"]), "2025Q1")
    assert (aim.quarter, aim.target) == (None, 0.625)  # of 0 0 1/2 1, linear between the third and the fourth
    assert "taken as the aim" in say.aim(aim)
    assert plan.aim(book("Ax Ay", products=["x", "y"]), "2025Q1") is None
    assert plan.aim(book("Ax Bx Cx", products=["x", "y", "z"]), "2025Q1") is None  # all stand at a third
    assert plan.aim(book("A", products=["x"]), "2025Q1") is None
    assert "nothing to plan" in say.what_it_takes(None, None)[0]


def test_what_each_group_must_sell_adds_up(book):
    mine = book("Ax Bx Cx", products=["x", "y"], attributes={"size": {"A": "big", "B": "small", "C": "small"}})
    slots = pd.DataFrame({"account_id": list("ABC"), "product_id": "y", "chance": [0.1, 0.3, 0.2]})
    table = plan.by_group(mine, "2025Q1", slots, slots.iloc[1:], "size", 0.8).set_index("group")
    assert plan.reach(mine, "2025Q1", 0.8, slots, slots).slots_to_fill == 2
    assert table["needed"].to_dict() == {"big": 0, "small": 2}
    assert table.loc["small", "expected"] == pytest.approx(0.5)
    assert pd.isna(table.loc["big", "expected"])
    assert plan.by_group(mine, "2025Q1", slots.iloc[:1], slots.iloc[:1], "size", 0.9)["needed"].isna().all()


def test_what_a_revenue_target_takes_by_hand(book):
    """100 a quarter; slots worth 30 and 20 typically, at chances of 0.1 and 0.4: 40 more takes both."""
    mine = book("Ax B", products=["x", "y"], revenue={"A": "400"})
    slots = pd.DataFrame({"account_id": ["A", "B", "B"], "product_id": ["y", "x", "y"], "score": [0.1, 0.4, 0.2],
                          "value": [3.0, 8.0, None]})  # fmt: skip
    found = plan.revenue(mine, "2025Q1", Decimal(140), slots, slots.iloc[1:2])
    assert (found.now, found.slots_to_fill, found.open_slots) == (100, 2, 2)
    assert (found.gain, found.rest) == (8.0, 3.0)
    assert plan.revenue(mine, "2025Q1", Decimal(120), slots, slots).slots_to_fill == 1
    assert "out of reach" in say.revenue_plan(plan.revenue(mine, "2025Q1", Decimal(151), slots, slots), "EUR")[0]
    told = say.revenue_plan(found, "EUR")[-1]
    assert told.startswith("So, in expectation, the best call covers 20% and all open products together 28% of the EUR")
    assert "EUR 40 missing: EUR 29 is still to be found, if customers spend" in told
    unknown = plan.revenue(mine, "2025Q1", Decimal(120), slots.assign(value=None), slots)
    assert "cannot be said" in say.revenue_plan(unknown, "EUR")[0]
    with pytest.raises(DataError, match="not above the revenue"):
        plan.revenue(mine, "2025Q1", Decimal(100), slots, slots)
    with pytest.raises(DataError, match="is an amount"):
        plan.revenue(mine, "2025Q1", Decimal("nan"), slots, slots)
    with pytest.raises(DataError, match="the data have none"):
        plan.revenue(book("A", products=["x"]), "2025Q1", Decimal(100), slots, slots)


# --- The command ----------------------------------------------------------------------------

HEAD = """client = "Planted"
currency = "EUR"
data_from = 2023-01-01
data_to = {until}
lookback_months = 3
segment_by = ["size"]

[sources.lines]
path = "lines.csv"
[[evidence]]
kind = "sales"
source = "lines"

[sources.who]
path = "who.csv"
[accounts]
source = "who"
columns = {{ name = "name", owner = "owner" }}
attributes = ["size"]
complete = true
[catalogue]
products = ["a", "b", "c", "d", "e"]
"""
LAST = 10  # the quarter the list is made of, from 0 = 2023Q1


def day(quarter: int) -> str:
    return f"{2023 + quarter // 4}-{3 * (quarter % 4) + 1:02d}-15"


class Planted:
    """A client whose open slots fill at one pace, and faster where a call is worked."""

    def __init__(self, folder, accounts: int = 400) -> None:
        self.folder, self.accounts, self.dice = folder, accounts, np.random.default_rng(5)
        held = self.dice.random((accounts, 5)) < 0.3
        self.lines = []
        for quarter in range(LAST + 1):
            self.keep(quarter, held)
            held = (held | (self.dice.random(held.shape) < 0.1)) & (self.dice.random(held.shape) > 0.1)
        self.next = held
        self.write("2025-09-30")

    def keep(self, quarter: int, held: np.ndarray) -> None:
        self.lines += [f"K{row:03d},{'abcde'[place]},{day(quarter)},1,100" for row, place in np.argwhere(held)]

    def write(self, until: str) -> None:
        owners = ["Kim", "Lee", ""]
        who = [
            f"K{row:03d},Firm {row},{owners[row % 3]},{'big' if row % 2 else 'small'}" for row in range(self.accounts)
        ]
        engagement(
            self.folder,
            HEAD.format(until=until),
            lines_csv="account_id,product_id,date,quantity,revenue\n" + "\n".join(self.lines) + "\n",
            who_csv="account_id,name,owner,size\n" + "\n".join(who) + "\n",
        )

    def quarter_passes(self, worked: pd.DataFrame, lift: float) -> None:
        for account, product in worked[["account_id", "product_id"]].itertuples(index=False):
            self.next[int(account[1:]), "abcde".index(product)] |= self.dice.random() < lift
        self.keep(LAST + 1, self.next)
        self.write("2025-12-31")


def fill(path, words: dict[str, tuple[str, str | None]]) -> None:
    """Write status and why not beside the calls named."""
    book = openpyxl.load_workbook(path)
    for row in book["Calls"].iter_rows(min_row=3):
        status, why = words.get(row[0].value, (None, None))
        row[9].value, row[10].value = status, why
    book.save(path)


@pytest.mark.parametrize(("lift", "verdict"), [(0.45, "Calling worked"), (0.0, "is not clear")])
def test_a_list_is_issued_filled_in_and_its_effect_found_or_not(tmp_path, capsys, lift, verdict):
    """Owners work the likeliest calls first, so that those worked close more often even where calling adds nothing."""
    client = Planted(tmp_path)
    text = printed(capsys, "actions", tmp_path, "--per-owner", 100, "--hold-out", 0.3, "--seed", "s", "--by-owner")
    folder = tmp_path / "actions" / "2025Q3"
    assert sorted(each.name for each in folder.iterdir()) == [
        *("calls.csv", "calls.xlsx", "issued.json", "owners", "register.parquet"),
    ]
    stated = json.loads((folder / "issued.json").read_text())
    lift_stated = f"{100 * stated['detectable']['lift']:.1f} points"
    assert f"{stated['calls']} calls to {stated['calls']} customers, for 3 owners" in text.replace("\n", " ")
    assert lift_stated in text.replace("\n", " ")
    assert text.index(lift_stated.split()[0]) < text.index("Written:")
    register = pd.read_parquet(folder / "register.parquet")
    assert set(register["owner"]) == {"Kim", "Lee", "(not given)"}
    assert (register["arm"] == HELD_BACK).groupby(register["owner"]).mean().between(0.29, 0.32).all()
    assert (register[register["arm"] == LISTED].groupby("owner").size() <= 100).all()
    calls = register[register["arm"] == LISTED]
    listed = pd.read_csv(folder / "calls.csv")
    assert set(listed["call"]) == set(calls["call"])  # owners never see who is held back
    assert listed["reason"].str.len().min() > 10
    worked = calls.sort_values("chance", ascending=False).head(int(0.7 * len(calls)))
    words = dict.fromkeys(worked["call"], ("lost", "price"))
    for file in (folder / "owners").iterdir():
        fill(file, words)
    files = [part for each in (folder / "owners").iterdir() for part in ("--follow-up", each)]
    assert "once the data cover Q4 2025" in printed(capsys, "actions", tmp_path, *files)
    client.quarter_passes(worked, lift)
    told = " ".join(printed(capsys, "actions", tmp_path, *files).split())
    assert verdict in told
    assert f"named {len(calls)} calls; {len(worked)} were worked" in told
    assert "everything fits what was issued" in told
    assert "By owner owner calls worked expected closed" in told
    ((_, rows),) = record.outcomes(kept.open_book(tmp_path), "2025Q4")
    sold = set(map(tuple, np.argwhere(client.next)))
    slots = [(int(a[1:]), "abcde".index(p)) for a, p in rows[["account_id", "product_id"]].itertuples(index=False)]
    assert rows["closed"].tolist() == [each in sold for each in slots]


@pytest.fixture
def small(tmp_path):
    Planted(tmp_path, accounts=60)
    return tmp_path


def refused(capsys, *arguments: object) -> str:
    assert kpi("actions", *arguments) == 1
    return capsys.readouterr().err


def test_workbooks_may_come_back_one_by_one(small, capsys):
    printed(capsys, "actions", small, "--by-owner")
    owners = small / "actions" / "2025Q3" / "owners"
    kim, lee = owners / "Kim.xlsx", owners / "Lee.xlsx"
    calls = {path: [each[0].value for each in openpyxl.load_workbook(path)["Calls"].iter_rows(min_row=3)]
             for path in (kim, lee)}  # fmt: skip
    fill(kim, {calls[kim][0]: ("won", None)})
    fill(lee, {calls[lee][0]: ("lost", "price"), calls[lee][1]: ("we talked", None)})
    assert "are missing" in printed(capsys, "actions", small, "--follow-up", kim)
    text = printed(capsys, "actions", small, "--follow-up", lee)
    assert "none of the words" in text
    rows = record.issued(kept.open_book(small))[0].rows.set_index("call")["status"]
    assert rows[calls[kim][0]] == "won"
    assert rows[calls[lee][0]] == "lost"
    assert rows[calls[lee][1]] == "not contacted"
    fill(kim, {calls[kim][0]: ("lost", "price")})
    printed(capsys, "actions", small, "--follow-up", kim)
    rows = record.issued(kept.open_book(small))[0].rows.set_index("call")["status"]
    assert rows[calls[kim][0]] == "lost"  # the last that says something counts


def test_a_follow_up_says_what_it_adds_and_replaces_and_can_start_again(small, capsys):
    printed(capsys, "actions", small, "--by-owner")
    owners = small / "actions" / "2025Q3" / "owners"
    kim, lee = owners / "Kim.xlsx", owners / "Lee.xlsx"
    (one, two), (three,) = (
        [each[0].value for each in openpyxl.load_workbook(path)["Calls"].iter_rows(min_row=3)][:most]
        for path, most in ((kim, 2), (lee, 1))
    )

    def follow(path, *more):
        return " ".join(printed(capsys, "actions", small, "--follow-up", path, *more).split())

    fill(kim, {one: ("won", None)})
    assert "Nothing was on record; these say something of 1 call. On record is now 1 call." in follow(kim)
    fill(kim, {one: ("lost", "price"), two: ("offered", None)})
    assert (
        "Earlier workbooks had said something of 1 call, which stays on record; these say something of 1 more call and "
        "something else of 1, which counts from now on. On record are now 2 calls. To start again with these workbooks "
        "alone, add --afresh."
    ) in follow(kim)
    assert "which stays on record; these say nothing new. On record are now 2 calls." in follow(kim)
    fill(lee, {three: ("contacted", None)})
    told = follow(lee, "--afresh")
    assert "What earlier workbooks said of 2 calls was cleared; these say something of 1 call. On record is" in told
    rows = record.issued(kept.open_book(small))[0].rows.set_index("call")
    assert rows["status"].dropna().ne("not contacted").sum() == 1
    assert rows.loc[three, "status"] == "contacted"
    assert pd.isna(rows.loc[one, "why_not"])
    assert kpi("actions", small, "--afresh") == 2


def test_calls_marked_won_are_compared_once_the_quarter_has_come(tmp_path, capsys):
    client = Planted(tmp_path, accounts=60)
    printed(capsys, "actions", tmp_path, "--hold-out", 0)
    path = tmp_path / "actions" / "2025Q3" / "calls.xlsx"
    register = pd.read_parquet(path.parent / "register.parquet").sort_values("call", ignore_index=True)
    fill(path, dict.fromkeys(register["call"][:20], ("won", None)))
    client.quarter_passes(register.iloc[:30:2], 1.0)
    text = printed(capsys, "actions", tmp_path, "--follow-up", path)
    bought = [bool(client.next[int(a[1:]), "abcde".index(p)])
              for a, p in register[["account_id", "product_id"]].itertuples(index=False)]  # fmt: skip
    seen, unmarked = sum(bought[:20]), sum(bought[20:])
    assert 0 < seen < 20
    told = " ".join(text.split())
    assert (
        f"Of 20 calls marked won, {seen} {'is' if seen == 1 else 'are'} seen in the data at the quarter's end" in told
    )
    assert f"{20 - seen} are not, or not yet; {unmarked} " in told
    assert "Marked won, not seen in the data so far" in text
    left = text.split("Marked won, not seen in the data so far")[1].split("\n\n")[0]
    wanted = {call for call, had in zip(register["call"][:20], bought[:20], strict=True) if not had}
    assert {each.split()[-1] for each in left.splitlines()[2:]} == wanted


def test_changed_ids_and_deleted_rows_are_told(small, capsys):
    printed(capsys, "actions", small)
    path = small / "actions" / "2025Q3" / "calls.xlsx"
    book = openpyxl.load_workbook(path)
    book["Calls"]["C3"] = "K999"
    book["Calls"].delete_rows(5)
    book.save(path)
    text = printed(capsys, "actions", small, "--follow-up", path)
    assert "1 call has another customer or product than was issued" in text
    assert "1 call is missing" in text


def test_what_cannot_be_is_refused_with_exit_code_one(small, capsys):
    assert "No list was issued yet" in refused(capsys, small, "--follow-up", small / "lines.csv")
    assert "not above the degree" in refused(capsys, small, "--target", 0.01)
    assert "is a share" in refused(capsys, small, "--target", 45)
    assert "cannot be held back" in refused(capsys, small, "--hold-out", 0.8)
    printed(capsys, "actions", small)
    assert "was issued already" in refused(capsys, small)
    assert "not readable as a workbook" in refused(capsys, small, "--follow-up", small / "lines.csv")
    assert "Issued: 2025Q3" in refused(capsys, small, "--quarter", "2025Q2", "--follow-up", small / "lines.csv")
    assert kpi("actions", small, "--target", 0.9, "--follow-up", small / "lines.csv") == 2


def test_a_folder_that_cannot_be_written_to_is_named(small, capsys):
    (small / "actions").write_text("in the way")
    assert "cannot be kept in" in refused(capsys, small)


def test_a_target_is_told_by_owner_and_segment_and_issues_nothing(small, capsys):
    text = printed(capsys, "actions", small, "--target", 0.6)
    assert "to 60.0% takes" in text
    assert "Kim" in text
    assert "small" in text
    assert "not above the revenue" in refused(capsys, small, "--revenue-target", 10)
    text = printed(capsys, "actions", small, "--revenue-target", 1_000_000)
    assert "cannot be said" in text or "out of reach" in text
    assert not (small / "actions").exists()


def test_the_same_seed_holds_the_same_customers_back(small):
    book = kept.open_book(small)
    found = candidates.likeliest(book, whitespace.prepare(book, "2025Q3"))
    one, again, two = (record.draw(book, "2025Q3", found, seed=seed).rows["arm"] for seed in ("one", "one", "two"))
    assert one.equals(again)
    assert not one.equals(two)
