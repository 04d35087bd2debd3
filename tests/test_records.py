"""What a client records beside sales: read, judged, kept, and refused where it would be a guess."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from clients import sales

from kpilib import kept
from kpilib.book import Book
from kpilib.errors import KpiError

LINES = "A,x,2025-01-05,1,10\nA,x,2025-02-05,2,20\nA,x,2025-02-05,-1,-5\nB,y,2025-05-05,1,7\nA,q,2025-01-09,1,3\n"
OUTSIDE = """[catalogue]
products = ["x", "y", "z"]
outside = ["q"]
"""
SAID = 'account_id = "A", date = 2025-03-01, '
BEGAN = 'account_id = "A", start = 2025-04-01, '


def opened(folder: Path, more: str = "") -> Book:
    return kept.open_book(sales(folder, LINES, more=more + OUTSIDE))


def typed(table: str, *rows: str, keys: str = "") -> str:
    return f"[{table}]\n{keys}\nrows = [{', '.join('{ ' + each + ' }' for each in rows)}]\n"


def plain(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


def test_holdings_net_returns_and_keep_what_lies_outside(tmp_path):
    book = opened(tmp_path)
    first = book.quarter("2025Q1").index
    assert plain(book.table("holdings")) == [
        ("A", "x", first, 3, Decimal(2), Decimal(25), 2, date(2025, 1, 5), date(2025, 2, 5)),
        ("A", None, first, 1, Decimal(1), Decimal(3), 1, date(2025, 1, 9), date(2025, 1, 9)),
        ("B", "y", first + 1, 1, Decimal(1), Decimal(7), 1, date(2025, 5, 5), date(2025, 5, 5)),
    ]


def test_holdings_of_a_fiscal_year_fall_into_its_quarters(tmp_path):
    path = sales(tmp_path, "A,x,2025-01-31,1,10\nA,x,2025-02-01,1,10\n")
    path.write_text("fiscal_year_start = 2\n" + path.read_text())
    book = kept.open_book(path)
    assert list(book.table("holdings")["quarter"]) == [book.quarter(each).index for each in ("2025Q4", "2026Q1")]


def test_what_customers_said_is_kept_with_its_product(tmp_path):
    given = typed(
        "feedback",
        'account_id = "A", date = 2025-03-01, score = 9, product_id = "x", topic = "price"',
        'account_id = "A", date = 2025-03-02, score = 0, product_id = "nope"',
        'account_id = "B", date = 2026-03-02, score = 3',
        'account_id = "B", date = 2025-03-02, score = 3',
        keys="scale = [0, 10]",
    )
    book = opened(tmp_path, given)
    assert plain(book.table("feedback")) == [
        ("A", date(2025, 3, 1), Decimal(9), "x", "price"),
        ("B", date(2025, 3, 2), Decimal(3), None, None),
    ]
    ledger = book.ledger().set_index("table").loc["feedback"]
    assert dict(zip(ledger["rule"], ledger["rows"], strict=True)) == {"outside_calendar": 1, "unknown_product": 1}


def test_programmes_wallets_and_contacts_are_kept(tmp_path):
    given = (
        typed(
            "programmes",
            'account_id = "A", start = 2025-04-01, unit = "North", hold_out = "no", cost = "12.50"',
            'account_id = "B", start = 2025-04-01, unit = "South", hold_out = "yes"',
            keys='name = "Outreach"\nunit = "territory"',
        )
        + typed("wallet", 'account_id = "A", spend = 100', 'account_id = "B", spend = "much"')
        + typed("interactions", 'account_id = "A", date = 2025-02-02, kind = "webinar"')
    )
    book = opened(tmp_path, given)
    start = date(2025, 4, 1)
    assert plain(book.table("programmes")) == [
        ("A", "Outreach", start, None, "North", False, None, Decimal("12.5")),
        ("B", "Outreach", start, None, "South", True, None, None),
    ]
    assert plain(book.table("wallet")) == [("A", None, Decimal(100))]
    assert plain(book.table("interactions")) == [("A", date(2025, 2, 2), "webinar", None)]
    assert list(book.ledger()["rule"]).count("unreadable_amount") == 1


def test_a_spend_of_nothing_is_flagged(tmp_path):
    spends = typed("wallet", *[f'account_id = "{who}", spend = {n}' for who, n in (("A", 0), ("B", -5))])
    entries = opened(tmp_path, spends).ledger().set_index("rule")
    assert entries.loc["no_spend", ["rows", "action"]].tolist() == [2, "flagged"]
    assert "no share of it" in entries.loc["no_spend", "says"]


def test_records_of_an_account_that_is_not_counted_say_so(tmp_path):
    records = (
        typed("feedback", SAID + "score = 1", SAID.replace("A", "Z") + "score = 1", keys="scale = [0, 10]")
        + typed("wallet", 'account_id = "Z", spend = 5', 'account_id = "C", spend = 5')
        + typed("blocked", 'account_id = "Z", product_id = "x"', 'account_id = "B", product_id = "x"')
    )
    listed = '[accounts]\nrows = [{ account_id = "A" }, { account_id = "C" }]\n'
    found = opened(tmp_path / "table", listed + records).ledger()
    ledger = found[found["rule"].str.contains("account")]
    assert dict(zip(ledger["table"], ledger["rule"], strict=True)) == {
        "sales: lines [1]": "unlisted_account",  # B: its lines count, and what is recorded of it
        **dict.fromkeys(("feedback", "wallet", "blocked"), "no_such_account"),
    }
    told = "account neither in the accounts table nor in the evidence: not counted"
    assert ledger["says"].tolist()[1:] == [told] * 3
    without = opened(tmp_path / "none", records).ledger()
    rows = without[without["rule"] == "no_such_account"].set_index("table")["rows"]
    assert rows.to_dict() == {"feedback": 1, "wallet": 2, "blocked": 1}


def test_a_column_the_kit_does_not_know_is_named(tmp_path):
    text = '[interactions]\nsource = "lines"\ncolumns = { account_id = "account_id", when = "date" }\n'
    with pytest.raises(KpiError, match=r"interactions\.columns\.when is no column of the kit"):
        opened(tmp_path, text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (typed("feedback", SAID + "score = 11", keys="scale = [0, 10]"), "outside its declared scale, 0 to 10"),
        (typed("feedback", SAID + "score = 1", keys="scale = [10, 0]"), "lowest score, then the highest"),
        (typed("feedback", SAID + "score = 1"), "'feedback.scale' is missing"),
        (typed("feedback", SAID + 'topic = "price"', keys="scale = [0, 10]"), "score"),
        (typed("programmes", BEGAN + 'hold_out = "perhaps"'), "mean neither yes nor no"),
        (typed("programmes", BEGAN + 'unit = "North"', keys='yes = ["y"]\nno = ["y"]'), "both in yes and in no"),
        (typed("wallet", 'account_id = "A"'), "spend"),
        (
            typed("wallet", *[f'account_id = "{who}", spend = {n}' for who in "AB" for n in (1, 2)]),
            "more than one spend for the same day.*A: 2 without a date.*B: 2 without a date",
        ),
        (
            typed("wallet", *[f'account_id = "A", spend = 3, date = 2025-03-0{day}' for day in (1, 2, 2)]),
            "A: 2 for 2025-03-02",
        ),
    ],
)
def test_what_would_be_a_guess_is_refused(tmp_path, given, message):
    with pytest.raises(KpiError, match=message):
        opened(tmp_path, given)


def test_a_margin_is_a_share(tmp_path):
    catalogue = '[catalogue]\nrows = [{ product_id = "x", margin = 40 }, { product_id = "y" }, { product_id = "q" }]\n'
    with pytest.raises(KpiError, match="A margin is a share of revenue"):
        kept.open_book(sales(tmp_path, LINES, more=catalogue))
    catalogue = catalogue.replace("40", '"0.4"')
    products = kept.open_book(sales(tmp_path, LINES, more=catalogue)).products
    assert plain(products[["product_id", "margin"]])[0] == ("x", Decimal("0.4"))
