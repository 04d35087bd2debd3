"""What the chapter on whitespace says and draws, also where there is little to say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from kpilib import kept, whitespace
from kpilib.captions import whitespace as captions
from kpilib.figures import whitespace as figures
from kpilib.publish import read_answer
from kpilib.tables import actions as of_calls
from kpilib.tables import whitespace as tables
from kpilib.whitespace.tried import BackTest
from kpilib.wording import whitespace as say

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "5_whitespace.ipynb"


def back_test(**changes) -> BackTest:
    names = ("precision_1", "precision_k", "recall_k", "map", "map_ahead", "map_low", "map_high", "auc_product",
             "auc_low", "auc_high", "brier", "ece")  # fmt: skip
    rows = [[0.6, 0.4, 0.7, 0.69, 0.03, 0.02, 0.04, 0.68, 0.66, 0.7, 0.09, 0.01],
            [0.5, 0.4, 0.6, 0.66, np.nan, np.nan, np.nan, 0.5, 0.5, 0.5, np.nan, np.nan],
            [0.2, 0.2, 0.3, 0.36, -0.3, -0.31, -0.28, 0.5, 0.48, 0.52, np.nan, np.nan]]  # fmt: skip
    methods = pd.DataFrame(rows, columns=names)
    methods.insert(0, "method", ["model", "popularity", "random"])
    bins = pd.DataFrame({"slots": [50, 50], "chance": [0.1, 0.3], "bought": [0.08, 0.32]})
    told = {"as_of": "2025Q3", "judged": "2025Q4", "k": 3, "accounts": 90, "bought_something": 40}
    told |= {"slots": 100, "filled": 40, "chance": 0.2, "realised": 0.21, "verdict": "better"}
    told |= {"methods": methods, "calibration": bins}
    return BackTest(**(told | changes))


def call(**changes) -> dict:
    row = {"account_id": "<b>A</b>", "name": None, "owner": "Kim", "product_id": "x & y", "family": None}
    row |= {"state": "open", "chance": 0.14, "score": 0.14, "value": Decimal("14.00"), "typical": Decimal(100)}
    row |= {"alike": 20, "like_a": "P", "like_b": None, "having": 214, "hold": 133, "share": 0.62, "share_all": 0.41}
    row |= {"last_held": None}
    return row | changes


def test_reasons_have_their_numbers():
    assert say.reason(call()) == "Of 214 customers with P, 62% have it (of all: 41%)"
    assert say.reason(call(last_held="2025Q1", like_a=None)) == "Had it until Q1 2025; 41% of all customers have it"
    assert say.reason(call(state="lost offer", like_b="Q")).startswith(
        "An offer was lost; of 214 customers with P and Q"
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("better", "better than popularity does"),
        ("as good", "naming the most popular product they lack is as good"),
        ("worse", "naming the most popular product they lack is better"),
        (None, "cannot be told"),
    ],
)
def test_the_page_says_whether_the_list_beats_popularity(verdict, said):
    assert said in say.beside_popularity(back_test(verdict=verdict))


def test_of_few_buyers_no_share_is_said():
    few = back_test(bought_something=4, filled=5)
    assert say.beside_popularity(few) == (
        "Only 4 customers bought something when the list was tried, too few to judge it: 2 bought the first product it "
        "names, 2 the most popular one they lacked."
    )
    assert say.by_product(few).startswith("Too few bought")
    assert "%" not in say.beside_popularity(back_test(bought_something=19)) + say.by_product(few)
    assert "60%" in say.beside_popularity(back_test(bought_something=20))
    slots, none = pd.DataFrame(), pd.DataFrame(columns=list(call()))
    assert captions.cards(slots, none, None, few, None) == []
    assert captions.calibration(few) == (
        "Too few bought to tell whether chances come true: about 20 purchases were foretold, 5 came"
    )
    assert "%" not in " ".join(say.trust(few, None)).replace("95%", "")
    shown = tables.methods(few).html
    assert "Of 4 customers that bought something new: too few to judge the list by." in shown
    assert [each for each in ("%", "Ahead", "interval", "60", "precision") if each in shown.split("<table", 1)[1]] == []
    assert ">2<" in shown
    assert "First product bought, %" in tables.methods(back_test()).html
    assert len(captions.cards(slots, none, None, back_test(), None)) == 1


def test_chances_that_did_not_come_true_carry_no_money():
    wrong = back_test(chance=0.5)
    assert not wrong.calibrated
    assert "cannot be taken at their word, so no money" in say.honest(wrong)
    assert captions.calibration(wrong).startswith("Chances did not come true")
    assert "can be taken at their word" in say.honest(back_test())
    untried = back_test(filled=29)
    assert not untried.calibrated
    assert say.honest(untried) == (
        "Too few purchases came to take its chances at their word, so no money is put beside them: about 20 purchases "
        "were foretold, 29 came."
    )
    assert captions.calibration(untried).startswith("Too few bought to tell")


def test_without_a_back_test_the_page_says_what_it_takes():
    assert "three complete quarters" in say.trust(None, None)[0]
    assert "Fewer than two quarters" in say.trust(None, "one quarter only")[0]
    assert "Nobody bought anything new" in say.trust(None, "nothing bought")[0]
    assert len(say.trust(back_test(), None)) == 4


def test_answers_where_there_is_nothing_to_sell():
    empty = pd.DataFrame(columns=list(call()))
    slots = pd.DataFrame({"accounts": [1], "possible": [2], "held": [2], "whitespace": [0]})
    assert "has all it could buy" in say.answer(slots, empty, None, "2025Q4", None)[0]
    assert "could buy any product" in say.answer(slots.iloc[:0], empty, None, "2025Q4", None)[0]
    blocked = slots.assign(held=1, whitespace=1)
    assert "no case is open to us" in say.answer(blocked, empty, None, "2025Q4", None)[0]
    one = pd.DataFrame([call(value=None)])
    assert "about 0.1 would buy" in say.answer(blocked, one, None, "2025Q4", None)[0]
    assert "how many will buy cannot be said" in say.answer(blocked, one, None, "2025Q4", None, trusted=False)[0]
    assert "without a chance" in say.answer(blocked, one.assign(chance=np.nan), None, "2025Q4", None)[0]
    told = say.answer(blocked, pd.DataFrame([call()]), None, "2025Q4", "EUR")[0]
    assert "expected to bring EUR 14, called or not" in told


def test_chances_that_were_never_tried_are_not_added_up():
    slots = pd.DataFrame({"accounts": [1], "possible": [2], "held": [1], "whitespace": [1]})
    one = pd.DataFrame([call(value=None)])
    told = say.answer(slots, one, None, "2025Q4", "EUR", trusted=False)[0]
    assert told == "The best 1 call is named here; how many will buy cannot be said."


def test_calls_that_nothing_sets_apart_are_not_called_ranked():
    slots = pd.DataFrame({"accounts": [2], "possible": [4], "held": [2], "whitespace": [2]})
    same = pd.DataFrame([call(value=None), call(value=None, account_id="B")])
    told = say.answer(slots, same, None, "2025Q4", None, trusted=False)[0]
    assert told == (
        "The 2 calls named are all alike as far as the data tell, and listed by customer id; how many will buy cannot "
        "be said."
    )
    assert "in their order" not in told
    ranked = same.assign(score=[0.4, 0.3])
    assert "in their order" in say.answer(slots, ranked, None, "2025Q4", None, trusted=False)[0]
    unknown = same.assign(chance=np.nan)
    assert "listed by customer id, without a chance" in say.answer(slots, unknown, None, "2025Q4", None)[0]
    assert not say.tied(same.assign(share=[0.6, 0.5]))


def test_owners_that_are_missing_are_told():
    calls = pd.DataFrame([call(), call(owner="(not given)")])
    assert say.no_owner(calls) == "1 of 2 calls has no owner."
    assert say.no_owner(calls.iloc[:1]) is None
    told = say.no_owner(calls.assign(owner=None))
    assert told == "The data name no owner of any customer, so calls have none."  # in no words of the engagement's file


def test_why_not_is_told_by_share():
    found = pd.DataFrame({"reason": ["dropped", None], "slots": [27, 73]})
    assert say.why_not(found) == "In 27% they had it before and dropped it; of the other 73% the data do not say."
    assert say.why_not(found.iloc[:1]) == "In 100% they had it before and dropped it."
    assert "cannot say why" in say.why_not(found.iloc[1:])
    assert say.why_not(found.iloc[:0]) is None


def test_calls_are_escaped_and_show_owner_reason_chance_and_value():
    page = tables.calls(pd.DataFrame([call()]), ["because"], "EUR").html
    for part in ("&lt;b&gt;A&lt;/b&gt;", "Kim", "x &amp; y", "because", ">14<", "14.00", "Value, EUR"):
        assert part in page
    bare = tables.calls(pd.DataFrame([call(chance=np.nan, value=None, owner=None)]), ["because"]).html
    assert "Chance" not in bare
    assert "Owner" not in bare
    assert "no call" in tables.calls(pd.DataFrame(columns=list(call())), []).html
    assert "+0.030" in tables.methods(back_test()).html


def test_groups_without_calls_expect_none_and_are_named_in_words():
    rows = pd.DataFrame({"group": ["a", "b"], "accounts": 5, "open": 9, "needed": [2, 1], "calls": [1, 0],
                         "expected": [0.4, np.nan]})  # fmt: skip
    page = of_calls.groups(rows, "household_size").html
    assert "nan" not in page
    assert ">0.4<" in page
    assert ">0.0<" in page
    assert "by household size" in page
    assert "expected" not in of_calls.groups(rows.assign(expected=np.nan), "size").html


def test_the_map_draws_every_state():
    shown = ["held", "open", "pipeline", "lost offer", "blocked", "not possible"]
    rows = [{"account_id": f"A{n}", "name": None, "product_id": f"p{m}", "share": 0.5, "state": shown[(n + m) % 6],
             "amount": 1.0 + n + m if shown[(n + m) % 6] in ("open", "pipeline", "lost offer") else np.nan,
             "total": 30.0 - n, "counted": 8} for n in range(8) for m in range(6)]  # fmt: skip
    picture = pd.DataFrame(rows)
    for kind, totals in {"money": "Totals are over", "chance": "Totals add", "likeness": None, "order": None}.items():
        note = captions.map_note(picture, 9, kind)
        assert note.startswith("Shown: 8 of 8 customers with anything to buy and 6 of 9 products, where most ")
        assert totals in note if totals else "otal" not in note
        page = figures.whitespace(picture, kind, "Title", "Subtitle", note)
        drawn = page._repr_svg_()
        assert ("in all" in drawn or "expected purchases" in drawn) == bool(totals)
        assert ("likeliest" in drawn) == (kind in ("chance", "order"))
        for words in ("has it", "offer running", "offer lost", "must not be sold", "could not have it"):
            assert words in drawn
    assert captions.map_title(picture, 1000.0) == "8 of 8 customers have 21% of what the next quarter could bring"
    assert "nothing left" in figures.whitespace(picture.iloc[:0], "money", "T", "S", "").get_label()
    assert "Share bought" in figures.calibration(back_test().calibration, "T", "S", "N").get_label()


def grown(accounts: int, products: int) -> list[str]:
    dice = np.random.default_rng(5)
    held, texts = dice.random((accounts, products)) < 0.3, []
    for _ in range(4):
        texts.append(" ".join(f"A{r}" + f" A{r}p{p}" * bool(h) for (r, p), h in np.ndenumerate(held)))
        held = (held | (dice.random(held.shape) < 0.2)) & (dice.random(held.shape) > 0.1)
    return texts


CLIENTS = {
    "one account": (["Ax", "Ax", "Ax By"], {"products": ["x", "y"]}),
    "one product": (["A Bx", "Ax Bx", "A Bx"], {"products": ["x"]}),
    "all held": (["Ax Ay"] * 3, {}),
    "nothing held": (["A B"] * 3, {"products": ["x", "y"]}),
    "nobody may buy": (["Ax- Bx-"] * 3, {"products": ["x"]}),
    "one quarter": (["Ax Ay Bx C"], {"products": ["x", "y", "z"]}),
    "two quarters": (["Ax Ay Bx C", "Ax Ay Bx By C"], {"products": ["x", "y", "z"]}),
    "enough": (
        grown(60, 5),
        {"products": [f"p{n}" for n in range(5)], "attributes": {"owner": {"A1": "Kim", "A2": " "}}},
    ),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_chapter_runs_whatever_the_client(name, book, tmp_path, monkeypatch):
    quarters, options = CLIENTS[name]
    one = book(*quarters, **options)
    monkeypatch.setattr(kept, "open_book", lambda _: one)
    names = {"display": lambda _: None}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source.replace("../reports/explored", str(tmp_path)), names)
    answer = read_answer(tmp_path)
    assert answer["headline"].endswith(".")
    assert "nan" not in str(answer).lower().replace("(not given)", "")
    assert (names["test"] is not None) == (name == "enough")
    assert len(names["calls"]) == len(whitespace.ranked(one, one.default_quarter(), most=10))


def test_chances_that_did_not_come_true_give_a_map_without_figures():
    """A chance must never stand on the map under another name."""
    picture = pd.DataFrame(
        {
            **{"account_id": ["A", "A"], "name": None, "product_id": ["x", "y"], "share": [0.5, 0.4]},
            **{"state": ["open", "held"], "amount": [0.21, np.nan], "total": 0.21, "counted": 1},
        }
    )
    assert captions.kind(picture, False, True, trusted=False) == "order"
    assert captions.kind(picture, False, True) == "chance"
    assert captions.kind(picture, False, False, trusted=False) == "likeness"
    page = figures.whitespace(picture, "order", "Title", captions.map_subtitle("order", "2025Q4"), "Note")
    texts = [each.get_text() for axes in page.axes for each in axes.texts] + [each.get_text() for each in page.texts]
    assert not [each for each in texts if "21" in each]
    assert "%" not in captions.map_subtitle("order", "2025Q4")
    assert "21" not in page.get_label()


def test_why_chances_are_not_relied_on_is_the_same_sentence_everywhere():
    few = back_test(filled=28, slots=140)
    assert say.untrusted(back_test(), None) is None
    assert say.untrusted(few, None) == say.trust(few, None)[-1]
    assert "about 28 purchases were foretold, 28 came" in say.untrusted(few, None)
    assert "three complete quarters" in say.untrusted(None, None)
    assert "over all cases that were open, the chances foretold 20.0% on average" in say.honest(back_test())
