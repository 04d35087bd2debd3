"""Slot states and the index, as of a day: worked by hand."""

from __future__ import annotations

import pytest
from clients import sales

from kpilib import kept, penetration
from kpilib.errors import DataError
from kpilib.measures import offers

NOW = "2025Q4"  # the window of 12 months is the calendar year 2025


@pytest.fixture
def year(book):
    """Return a function that writes one and the same quarter four times."""
    return lambda text, **options: book(*[text] * 4, **options)


def index(small):
    return penetration.index(small, NOW)


def test_the_index_is_slots_won_of_slots_recorded(year):
    small = year(
        "Ax B C D",
        products="xy",
        opportunities=[
            ("Ax", "won", "2025-02-01", "2025-03-01"),
            ("Bx", "lost", "2025-02-01", "2025-03-01"),
            ("Cx", "open", "2025-02-01", None),
            ("Dx", "lost", "2024-02-01", "2024-03-01"),  # before the window
        ],
    )
    found = index(small)
    assert (found.won, found.recorded, found.value) == (1, 3, 1 / 3)
    assert (found.reading, found.logging_coverage) == ("opportunities", 1.0)


def test_won_beats_open_beats_lost_on_one_slot(year):
    small = year(
        "A B",
        products="x",
        opportunities=[
            ("Ax", "lost", "2025-01-01", "2025-05-01"),
            ("Ax", "won", "2025-01-01", "2025-02-01"),
            ("Ax", "open", "2025-06-01", None),
            ("Bx", "lost", "2025-01-01", "2025-02-01"),
            ("Bx", "open", "2025-06-01", None),
        ],
    )
    assert (index(small).won, index(small).recorded) == (1, 2)
    outcomes = offers.slots(small, NOW).set_index("outcome")["slots"].to_dict()
    assert outcomes == {"won": 1, "open": 1}


def test_a_record_counts_when_it_overlaps_the_window(year):
    small = year(
        "A B C D E F",
        products="x",
        opportunities=[
            ("Ax", "won", "2023-01-01", "2025-01-01"),  # closed on the window's first day
            ("Bx", "won", "2023-01-01", "2024-12-31"),  # a day too early
            ("Cx", "won", "2025-12-31", "2026-01-05"),  # opened on the last day, then still open
            ("Dx", "won", "2026-01-01", "2026-01-05"),  # not yet opened
            ("Ex", "open", "2019-01-01", "2019-06-01"),  # an expected closing day decides nothing
            ("Fx", "won", "2025-05-01", None),  # decided, no closing day: as opened
        ],
    )
    assert (index(small).won, index(small).recorded) == (2, 4)  # A and F won; C and E open


def test_only_possible_slots_of_the_base_are_in_the_index(year):
    small = year(
        "Ax- B~ C",
        products="x",
        base="active",
        opportunities=[
            *((slot, "won", "2025-02-01", "2025-03-01") for slot in ("Ax", "Bx", "Zx", "Cz")),
            ("Cx", "lost", "2025-02-01", "2025-03-01"),
        ],
    )
    assert (index(small).won, index(small).recorded) == (0, 1)


def test_an_unlogged_sale_does_not_flatter_and_coverage_shows_it(year):
    small = year(
        "Ax Ay Bx By",
        products="xy",
        opportunities=[
            ("Ax", "won", "2025-02-01", "2025-03-01"),
            ("Ay", "lost", "2019-02-01", "2019-03-01"),  # logged, though long ago
            ("Bx", "won", "2026-02-01", "2026-03-01"),  # logged only after the day
        ],
    )
    assert (index(small).value, index(small).logging_coverage) == (1.0, 0.5)


def test_no_opportunities_in_the_window_leave_the_index_undefined(year):
    small = year("Ax", opportunities=[("Ax", "won", "2019-02-01", "2019-03-01")])
    assert (index(small).value, index(small).logging_coverage) == (None, 1.0)


def test_nobody_holding_anything_leaves_the_coverage_undefined(year):
    small = year("A", products="x", opportunities=[("Ax", "lost", "2025-02-01", "2025-03-01")])
    assert (index(small).value, index(small).logging_coverage) == (0.0, None)


def test_without_opportunities_there_is_no_index_unless_the_client_insists(year):
    assert index(year("Ax Ay B")) is None
    assert index(year("Ax", opportunities=[])) is None
    small = year("Ax Ay B", engagement={"index_reading": "engaged"})
    assert index(small) == offers.Index(0.5, "engaged")  # A of two holds two


RECORDS = {
    "opportunities": [
        ("Ax", "open", "2025-02-01", None),  # held: stays held
        ("Bx", "open", "2025-02-01", None),
        ("By", "open", "2025-02-01", None),
        ("Cx", "lost", "2025-02-01", "2025-03-01"),
        ("Cy", "lost", "2025-02-01", "2025-03-01"),
        ("Cy", "won", "2025-02-01", "2025-04-01"),  # the last one was won, yet nothing is held
        ("Dx", "lost", "2024-02-01", "2024-12-31"),  # lost before the window
        ("Dy", "won", "2025-01-01", "2025-02-01"),
        ("Dy", "lost", "2025-03-01", "2025-04-01"),  # the last one was lost
    ],
    "blocked": [
        ("By", "competitor until 2027", None, "2027-01-01"),
        ("Ay", "in house", "2026-01-01", None),  # not yet
        ("Dx", "in house", None, "2025-12-31"),  # until the day, exclusive
        ("Ax", "do not sell", None, None),  # held: stays held
    ],
}


def test_every_slot_is_in_exactly_one_state(year):
    table = penetration.states(year("Ax B C D", products="xy", **RECORDS), NOW)
    # held Ax; pipeline Bx; lost offer Cx, Dy; blocked By before its pipeline; open Ay, Cy, Dx
    assert table.set_index("state")["slots"].to_dict() == {
        **{"held": 1, "pipeline": 1, "lost offer": 2, "blocked": 1, "open": 3},
    }
    assert table["share"].sum() == pytest.approx(1)


def test_without_records_every_unheld_slot_is_open(year):
    table = penetration.states(year("Ax B", products="xy"), NOW)
    assert table.set_index("state")["slots"].to_dict() == {
        **{"held": 1, "pipeline": 0, "lost offer": 0, "blocked": 0, "open": 3},
    }


def test_blocks_alone_need_no_opportunities(year):
    table = penetration.states(year("Ax B", products="xy", blocked=[("By", "x", None, None)] * 2), NOW)
    assert table.set_index("state").loc["blocked", "slots"] == 1


def test_a_win_and_a_loss_on_the_same_day_are_no_lost_offer(year):
    both = [("Ax", status, "2025-02-01", "2025-03-01") for status in ("lost", "won")]
    for records in (both, both[::-1]):
        table = penetration.states(year("A", products="x", opportunities=records), NOW)
        assert table.set_index("state").loc["open", "slots"] == 1


def test_one_accounts_slots_say_their_state_and_why(year):
    small = year(
        "Ap Aq Aw- Av- Ar- As!",
        products="pqrstuvwz",
        launched={"r": "2026-02-01"},
        retired={"v": "2025-12-31"},
        opportunities=[
            ("At", "open", "2025-02-01", None),
            ("Au", "lost", "2025-02-01", "2025-03-01"),
            ("Zz", "open", "2025-02-01", None),
        ],
        blocked=[("Az", "in house", None, None), ("Az", "do not sell", None, None)],
    )
    table = penetration.account(small, "A", NOW)
    told = table[["product_id", "state", "reason"]].fillna("").to_numpy().tolist()
    assert told == [
        ["p", "held", ""],
        ["q", "held", ""],
        ["r", "not possible", "launched only on 2026-02-01"],
        ["s", "not possible", "not open to this account, though there is evidence of it"],
        ["t", "pipeline", "offered on 2025-02-01, not decided"],
        ["u", "lost offer", "lost on 2025-03-01"],
        ["v", "not possible", "retired on 2025-12-31"],
        ["w", "not possible", "not open to this account"],
        ["z", "blocked", "do not sell; in house"],
    ]


def test_an_account_that_is_not_there_is_refused(year):
    with pytest.raises(DataError, match=r"'O''Neil' is neither|\"O'Neil\" is neither on file"):
        penetration.account(year("Ax"), "O'Neil", NOW)


def test_an_account_written_without_its_leading_zeros_is_thought_of(tmp_path):
    path = sales(tmp_path, "000001,x,2025-12-01,1,10\n00A2,x,2025-12-01,1,10\n")
    one = kept.open_book(path)
    with pytest.raises(DataError, match=r"'1' is neither on file nor active in 2025Q4. Did you mean '000001'\?"):
        penetration.account(one, "1", NOW)
    with pytest.raises(DataError, match=r"Did you mean '00A2'\?"):
        penetration.account(one, "a2", NOW)
