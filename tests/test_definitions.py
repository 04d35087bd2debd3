"""Every definition that needs a client's files to be seen, from the files to the figure, worked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from clients import CATALOGUE, HEAD, HEADER, engagement, sales

from kpilib import kept, lapsing, ledger, penetration, segments, tables, trace, wording
from kpilib.engagement import load
from kpilib.errors import DataError, QuarterError
from kpilib.facts import portfolio
from kpilib.measures import bands, headline

YEAR = HEAD.replace("lookback_months = 3", "lookback_months = 12")


def book(path, **options):
    return kept.open_book(load(path), **options)


def measured(path, quarter="2025Q4", **options):
    return headline.headline(book(path, **options), quarter).as_dict()


def degree(path, quarter="2025Q4", **options):
    return measured(path, quarter, **options)["account_penetration_degree"]["mean"]


def held(path, quarter="2025Q4", account="A", **options) -> str:
    """The products an account holds, as one word."""
    rows = trace.account(book(path, **options), account, quarter)
    return "".join(rows.loc[rows["state"] == "held", "product_id"])


# Sales: a window of whole quarters, net of returns


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("A,x,2025-10-01,1,10\n", "x"),  # the first day of the window
        ("A,x,2025-12-31,1,10\n", "x"),  # the last
        ("A,x,2025-09-30,1,10\nA,y,2025-10-01,1,1\n", "y"),  # the day before
        ("A,x,2025-10-01,1,10\nA,x,2025-12-01,-1,-10\n", ""),  # fully returned
        ("A,x,2025-10-01,2,10\nA,x,2025-12-01,-1,-5\n", "x"),  # partly returned
        ("A,x,2025-09-01,1,10\nA,x,2025-10-05,-1,-10\n", ""),  # returned a window later
        ("A,x,2025-10-01,0,10\n", "x"),  # no quantity at all: revenue decides
        ("A,x,2025-10-01,0,10\nA,x,2025-10-02,-1,-2\n", ""),  # some quantity, and it nets to less than 1
        ("A,x,2025-10-01,,10\n", "x"),  # blank quantity
        ("A,x,2025-10-01,1,0\n", ""),  # a free item
        ("A,x,2025-10-01,1,0.1\nA,x,2025-10-01,1,0.2\nA,x,2025-10-02,-2,-0.3\n", ""),  # 0.1 + 0.2 - 0.3 = 0
    ],
)
def test_a_sale_counts_as_having_net_over_its_window(tmp_path, rows, expected):
    path = sales(tmp_path, rows + "A,z,2025-11-01,1,1\n")
    assert held(path).replace("z", "") == expected
    assert degree(path) == pytest.approx((len(expected) + 1) / 3)


def test_a_free_item_counts_where_the_engagement_says_so(tmp_path):
    path = sales(tmp_path, "A,x,2025-10-01,1,0\nA,y,2025-10-01,1,1\n", head="free_items_count = true\n" + HEAD)
    assert held(path) == "xy"
    assert degree(path) == pytest.approx(2 / 3)


def test_a_product_may_look_back_longer_than_the_engagement(tmp_path):
    head = HEAD + "lookback_by_product = { x = 12 }\n"
    path = sales(tmp_path, "A,x,2025-02-01,1,1\nA,y,2025-02-01,1,1\nA,z,2025-11-01,1,1\n", head=head)
    assert held(path) == "xz"
    assert held(path, lookback_months=12) == "xyz"


def test_a_window_that_begins_before_the_data_is_incomplete(tmp_path):
    path = sales(tmp_path, "A,x,2025-01-10,1,1\nA,x,2025-10-01,1,1\n", head=YEAR)
    assert not measured(path, "2025Q3")["complete"]
    assert measured(path, "2025Q4")["complete"]
    assert book(path).default_quarter() == "2025Q4"
    with pytest.raises(DataError, match=r"No quarter is complete.*shorten the look-back"):
        book(path, lookback_months=24).default_quarter()


# Subscriptions, installed, snapshots, and all of them at once

OTHER = """[sources.{name}]
path = "{name}.csv"
[[evidence]]
kind = "{kind}"
source = "{name}"
{more}
"""


def other(folder, kind, rows, more="", head=YEAR):
    headers = {
        "subscriptions": "account_id,product_id,start,end",
        "installed": "account_id,product_id,date,end",
    }
    text = head + OTHER.format(name="facts", kind=kind, more=more) + CATALOGUE
    return engagement(folder, text, facts_csv=headers.get(kind, "account_id,product_id,date") + f"\n{rows}")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2025-12-31", "", "x"),  # from the day it starts
        ("2026-01-01", "", ""),
        ("2025-01-01", "2025-12-31", ""),  # until before the day it ends
        ("2025-01-01", "2026-01-01", "x"),
        ("2019-01-01", "", "x"),  # started long before the data
    ],
)
def test_a_subscription_holds_from_its_start_until_before_its_end(tmp_path, start, end, expected):
    path = other(tmp_path, "subscriptions", f"A,x,{start},{end}\nA,y,2025-01-01,\n")
    assert held(path) == expected + "y"
    assert degree(path) == pytest.approx((len(expected) + 1) / 3)


@pytest.mark.parametrize(
    ("day", "end", "more", "expected"),
    [
        ("2015-03-01", "", "", "x"),
        ("2015-03-01", "2025-06-30", "", ""),
        ("2023-01-01", "", "life_months = 36", "x"),
        ("2022-12-31", "", "life_months = 36", ""),  # three years are over
    ],
)
def test_an_installation_holds_until_its_end_or_its_life_is_over(tmp_path, day, end, more, expected):
    path = other(tmp_path, "installed", f"A,x,{day},{end}\nA,y,2025-12-01,\n", more)
    assert held(path) == expected + "y"


def test_a_missing_snapshot_leaves_no_figure_though_other_evidence_is_there(tmp_path):
    """What only the snapshot tells would count as not had."""
    text = HEAD + CATALOGUE
    for name, kind in (("runs", "subscriptions"), ("seen", "snapshot")):
        text += f'[sources.{name}]\npath = "{name}.csv"\n[[evidence]]\nkind = "{kind}"\nsource = "{name}"\n'
    seen = "account_id,product_id,date\nA,y,2025-12-31\n"
    found = book(engagement(tmp_path, text, runs_csv="account_id,product_id,start\nA,x,2025-01-01\n", seen_csv=seen))
    assert headline.headline(found, "2025Q4").attach_rate == {"x": 1, "y": 1, "z": 0}
    with pytest.raises(DataError, match="There is no snapshot of 2025-09-30, the end of 2025Q3"):
        headline.headline(found, "2025Q3")


def test_snapshots_alone_have_no_month_to_miss(tmp_path):
    days = ("03-31", "06-30", "09-30", "12-31")
    found = book(other(tmp_path, "snapshot", "".join(f"A,x,2025-{day}\n" for day in days)))
    assert ledger.months(found).empty


def test_a_quarter_without_its_snapshot_has_no_figure_and_says_why(tmp_path):
    path = other(tmp_path, "snapshot", "".join(f"A,x,2025-{day}\n" for day in ("03-31", "06-30", "12-31")))
    found, reason = book(path), "There is no snapshot of 2025-09-30, the end of 2025Q3"
    told = ledger.text(found)
    assert "complete 2025Q1 to 2025Q2, 2025Q4 " in told
    assert "no snapshot of 2025-09-30: 2025Q3 has no figures" in told
    for refused in (
        lambda: headline.headline(found, "2025Q3"),
        lambda: penetration.change(found, "2025Q4", "2025Q3"),
        lambda: penetration.curve(found, "2025Q3"),
    ):
        with pytest.raises(DataError, match=reason):
            refused()
    trend = penetration.by_quarter(found)
    assert trend["no_snapshot"].tolist() == [False, False, True, False]
    assert trend["mean"].isna().tolist() == [False, False, True, False]
    assert wording.incomplete(trend) == (
        "There is no snapshot of the end of Q3 2025, so what customers had then is not known. "
        "It is left out of trends and comparisons."
    )
    assert "No figure where there is no snapshot of that day." in str(tables.quarters(trend))
    assert "look-back" not in str(tables.quarters(trend))


def test_a_snapshot_holds_on_its_own_day_only(tmp_path):
    path = other(tmp_path, "snapshot", "A,x,2025-09-30\nA,y,2025-12-31\nA,z,2025-11-30\n")
    assert (held(path, "2025Q3"), held(path, "2025Q4")) == ("x", "y")
    assert [measured(path, f"2025Q{n}")["complete"] for n in (3, 4)] == [True, True]


def test_evidence_of_every_kind_may_stand_in_one_engagement(tmp_path):
    text = (
        YEAR
        + OTHER.format(name="lines", kind="sales", more='products = ["x"]')
        + OTHER.format(name="subs", kind="subscriptions", more='products = ["y"]')
        + OTHER.format(name="list", kind="snapshot", more="date = 2025-12-31")
        + CATALOGUE
    )
    path = engagement(
        tmp_path, text, lines_csv=HEADER + "A,x,2025-03-01,1,5\nA,y,2025-03-01,1,7\n",
        subs_csv="account_id,product_id,start,end\nB,y,2025-01-01,\n", list_csv="account_id,product_id\nC,z\n",
    )  # fmt: skip
    assert [held(path, account=each) for each in "ABC"] == ["x", "y", "z"]  # the sale of y proves nothing
    found = measured(path)
    assert found["base"] == "all"
    assert found["revenue_window"] == "12.00"


def test_revenue_that_proves_nothing_is_revenue_all_the_same(tmp_path):
    text = YEAR + OTHER.format(name="subs", kind="subscriptions", more="")
    text += OTHER.format(name="bills", kind="revenue", more="") + CATALOGUE
    path = engagement(
        tmp_path, text, subs_csv="account_id,product_id,start,end\nA,y,2025-01-01,\n",
        bills_csv="account_id,date,revenue\nA,2025-11-01,99.5\nA,2025-02-01,0.5\n",
    )  # fmt: skip
    found = measured(path)
    assert (found["revenue_quarter"], found["revenue_window"]) == ("99.50", "100.00")
    assert held(path) == "y"


def test_no_revenue_is_undefined_not_zero(tmp_path):
    found = measured(other(tmp_path, "subscriptions", "A,x,2025-01-01,\n"))
    assert found["revenue_quarter"] is None
    assert found["revenue_window"] is None
    assert found["lapsing"] is None


# Possible: launched, retired, open to the account

ACCOUNTS = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'


def with_accounts(folder, more, who="account_id,size\nA,large\nB,small\nC,\n", rows="", head=YEAR):
    lines = "A,x,2025-11-01,1,1\nB,x,2025-11-01,1,1\nC,x,2025-11-01,1,1\n" + rows
    path = sales(folder, lines, more=ACCOUNTS + more, head=head)
    (folder / "who.csv").write_text(who)
    return path


def test_launch_and_retirement_bound_what_is_possible(tmp_path):
    more = """[catalogue]
rows = [
  { product_id = "x" },
  { product_id = "y", launched = 2025-07-01 },
  { product_id = "z", retired = 2025-12-31 },
]
"""
    path = with_accounts(tmp_path, more, head=HEAD)
    assert degree(path, "2025Q4") == pytest.approx(1 / 2)  # x of x and y: z was retired that day
    assert measured(path, "2025Q2", base="all")["products"] == 2  # x and z
    assert measured(path, "2025Q3", base="all")["products"] == 3


@pytest.mark.parametrize(
    ("where", "possible"),
    [
        ('{ size = "large" }', (3, 2, 2)),
        ('{ size = ["large", "small"] }', (3, 3, 2)),
        ('{ size = { not = "large" } }', (2, 3, 3)),
        ('{ size = "(not given)" }', (2, 2, 3)),
    ],
)
def test_eligibility_opens_a_product_to_some_accounts_only(tmp_path, where, possible):
    rule = f'[[eligibility]]\nproducts = ["z"]\nwhere = {where}\n'
    mean = sum(1 / each for each in possible) / 3
    assert degree(with_accounts(tmp_path, rule)) == pytest.approx(mean)


def test_eligibility_may_compare_numbers_and_run_between_days(tmp_path):
    rule = '[[eligibility]]\nproducts = ["z"]\nfrom = 2025-10-01\nwhere = { staff = { at_least = 50 } }\n'
    path = with_accounts(tmp_path, rule, "account_id,staff\nA,50\nB,9\nC,\n", head=HEAD)
    assert degree(path, "2025Q4") == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert measured(path, "2025Q3", base="all")["attach_rate"]["z"] is None  # open to nobody yet


def test_a_sheet_of_segments_and_products_says_the_same(tmp_path):
    more = """[sources.sheet]
path = "sheet.csv"
[eligibility_sheet]
source = "sheet"
attribute = "size"
"""
    path = with_accounts(tmp_path, more)
    (tmp_path / "sheet.csv").write_text("size,y,z\nlarge,yes,yes\nsmall,no,yes\n(not given),no,no\n")
    assert degree(path) == pytest.approx((1 / 3 + 1 / 2 + 1 / 1) / 3)
    (tmp_path / "sheet.csv").write_text("size,y,z\nlarge,yes,yes\n")
    with pytest.raises(DataError, match=r"no row for some values of 'size'.*small \(1 accounts\)"):
        degree(path)


def test_what_is_held_but_not_possible_is_flagged_and_not_counted(tmp_path):
    rule = '[[eligibility]]\nproducts = ["x"]\nwhere = { size = "large" }\n'
    path = with_accounts(tmp_path, rule)
    assert degree(path) == pytest.approx((1 / 3 + 0 + 0) / 3)
    entries = book(path).ledger().set_index("rule")
    assert entries.loc["outside_eligibility", "rows"] == 2
    assert entries.loc["outside_eligibility", "examples"] == "B, x, on 2025-12-31\nC, x, on 2025-12-31"


@pytest.mark.parametrize(
    ("declared", "owners"),
    [
        ('attributes = ["size"]', ["Kim", "Lee", "(not given)"]),
        ("", ["Kim", "Lee", "(not given)"]),
        ('attributes = { size = "size", owner = "Rep" }', ["P", "Q", "R"]),
        ('columns = { owner = "Rep" }\nattributes = ["size"]', ["P", "Q", "R"]),
    ],
)
def test_columns_called_name_and_owner_need_no_entry(tmp_path, declared, owners):
    who = "account_id,size,name,owner,Rep\nA,large,Alpha,Kim,P\nB,small,Beta,Lee,Q\nC,,Gamma,,R\n"
    path = with_accounts(tmp_path, declared + "\n", who, "A,y,2025-04-01,1,1\nA,z,2025-04-01,1,1\n", HEAD)
    opened = book(path)
    listed = bands.who(opened, "2025Q4", "low").sort_values("account_id")
    assert listed["name"].tolist() == ["Alpha", "Beta", "Gamma"]
    assert listed["owner"].astype(object).where(listed["owner"].notna(), None).tolist() == owners
    moved = segments.moved(opened, "2025Q4", "2025Q2", segments.by_band(opened, "2025Q4"))
    assert moved[["name", "owner"]].values.tolist() == [["Alpha", owners[0]]]


def test_what_is_held_though_retired_is_told_apart_from_what_is_not_open(tmp_path):
    rows = [f'{{ product_id = "p{n:02d}" }}' for n in range(70)]
    rows[64] = '{ product_id = "p64", retired = 2025-10-01 }'
    rows[65] = '{ product_id = "p65", launched = 2026-01-01 }'
    rule = '[[eligibility]]\nproducts = ["p01", "p64"]\nwhere = { size = "large" }\n'
    who = '[accounts]\nrows = [{ account_id = "A", size = "small" }, { account_id = "B", size = "large" }]\n'
    lines = "".join(f"{who},p{n},2025-11-0{day},1,1\n" for day, (who, n) in enumerate(
        [("A", "64"), ("B", "64"), ("A", "65"), ("A", "01"), ("B", "01"), ("A", "02")], 1))  # fmt: skip
    more = f"{who}{rule}[catalogue]\nrows = [{', '.join(rows)}]\n"
    found = book(sales(tmp_path, lines, more=more)).ledger().set_index("rule")
    held = found[found["table"] == "holdings"]["rows"]
    assert held.to_dict() == {"not_on_offer": 3, "outside_eligibility": 1}
    assert found.loc["not_on_offer", "examples"].splitlines() == [
        f"{who}, {product}, on 2025-12-31" for who, product in (("A", "p64"), ("A", "p65"), ("B", "p64"))
    ]
    assert found.loc["outside_eligibility", "examples"] == "A, p01, on 2025-12-31"


# The base, lapsing, the index, and the account as a whole


def test_the_base_decides_who_is_counted(tmp_path):
    who = "account_id,joined_on,left_on\nA,2020-01-01,\nB,2020-01-01,2025-12-31\nC,2026-01-01,\nD,2020-01-01,\n"
    path = with_accounts(tmp_path, "", who, head=HEAD)
    assert measured(path)["accounts"] == 3  # active: A, B and C have revenue in the quarter
    assert measured(path, base="all")["accounts"] == 2  # A and D are on file that day


def test_activity_is_seen_before_netting_and_outside_the_catalogue(tmp_path):
    more = '[catalogue]\nproducts = ["x"]\noutside = ["coupon"]\n'
    rows = "A,x,2025-11-01,1,5\nA,x,2025-11-02,-1,-5\nB,coupon,2025-11-01,1,1\nC,x,2025-11-01,1,0\n"
    found = measured(sales(tmp_path, rows, more=more))
    assert found["accounts"] == 2  # A though all was returned, B; not C
    assert found["account_penetration_degree"]["mean"] == 0
    assert found["revenue_quarter"] == "1.00"


def test_a_holding_lapses_past_twice_its_usual_interval(tmp_path):
    every_ten = "".join(f"A,x,2025-11-{day:02d},1,1\n" for day in (1, 11, 21))  # 40 days ago, usually 10
    slow = "A,y,2025-10-01,1,1\nA,y,2025-11-01,1,1\nA,y,2025-12-01,1,1\n"  # 30 days ago, usually 30.5
    once = "B,x,2025-12-20,1,1\n"  # bought once: the product's usual interval, 10 days, is not yet over twice
    twice = "C,x,2025-11-21,1,1\n"  # bought once, 40 days ago
    alone = "C,z,2025-10-02,1,1\n"  # nobody ever bought z twice
    path = sales(tmp_path, every_ten + slow + once + twice + alone)
    found = book(path).lapsing("2025Q4")
    assert list(zip(found["account_id"], found["product_id"], strict=True)) == [("A", "x"), ("C", "x")]
    assert measured(path)["lapsing"] == 2


def test_the_index_reads_recorded_opportunities(tmp_path):
    more = """[opportunities]
rows = [
  { account_id = "A", product_id = "x", status = "Won", opened = 2025-10-01, closed = 2025-11-01 },
  { account_id = "A", product_id = "y", status = "lost", opened = 2025-10-01, closed = 2025-11-01 },
  { account_id = "B", product_id = "x", status = "won", opened = 2025-12-01, closed = 2026-01-15 },
  { account_id = "B", product_id = "y", status = "open", opened = 2026-01-01 },
]
[blocked]
rows = [{ account_id = "B", product_id = "z", reason = "competitor until 2027" }]
"""
    path = sales(tmp_path, "A,x,2025-11-01,1,1\nB,y,2025-11-01,1,1\n", more=more)
    index = measured(path)["account_penetration_index"]
    assert index["value"] == pytest.approx(1 / 3)  # A x won, A y lost, B x still open that day; B y not yet
    assert index["logging_coverage"] == pytest.approx(1 / 2)  # A x of A x and B y
    rows = trace.account(book(path), "B", "2025Q4").set_index("product_id")
    assert dict(rows["state"]) == {"x": "pipeline", "y": "held", "z": "blocked"}
    assert "competitor until 2027" in rows.loc["z", "decided_by"]


def test_blocked_slots_are_not_offered_and_a_clean_client_can_be_published(tmp_path):
    more = '[blocked]\nrows = [{ account_id = "A", product_id = "z", reason = "in-house" }]\n'
    path = sales(tmp_path, "A,x,2025-08-01,1,1\nA,x,2025-11-01,1,1\nB,z,2025-11-01,1,1\n", more=more)
    who = penetration.who(book(path), "2025Q4", "low").set_index("account_id")
    assert who.loc["A", "missing"] == "y"
    total = book(path).totals().iloc[0]
    assert total["revenue_set_aside"] == 0  # nothing of an amount is 0; no amount at all would be undefined
    assert penetration.previous(book(path), "2025Q3") is None  # nobody was active in the quarter before


def test_trace_leads_to_the_row(tmp_path):
    path = sales(tmp_path, "B,x,2025-11-01,1,1\nA,x,2025-11-01,2,7.5\nA,x,2025-11-02,-1,-3\nA,y,2025-08-01,1,1\n")
    rows = trace.account(book(path), "A", "2025Q4").set_index("product_id")
    assert rows.loc["x", ["state", "file", "record", "lines"]].tolist() == ["held", "lines.csv", 3, 2]
    assert rows.loc["x", "net_revenue"] == Decimal("4.5")
    assert rows.loc["y", "decided_by"] == "last evidence 2025-08-01, nothing that holds on 2025-12-31"
    assert rows.loc["z", "decided_by"] == "no evidence at all"
    with pytest.raises(DataError, match=r"'Z' is neither on file nor active"):
        trace.account(book(path), "Z", "2025Q4")


def test_trace_cites_what_a_snapshot_says(tmp_path):
    text = (
        YEAR
        + CATALOGUE
        + """[sources.list]
path = "list.csv"
[[evidence]]
kind = "snapshot"
source = "list"
date = 2025-12-31
[evidence.wide]
account_id = "account_id"
products = ["x", "y", "z"]
"""
    )
    path = engagement(tmp_path, text, list_csv="account_id,x,y,z\nA,yes,no,\nA,no,no,\n")
    rows = trace.account(book(path), "A", "2025Q4").set_index("product_id")
    assert rows["state"].tolist() == ["held", "open", "open"]
    assert rows["record"].tolist() == [1, 2, 2]  # the row that proves it, not the last
    assert rows["decided_by"].tolist() == [
        "in the snapshot of 2025-12-31 (another row of it says otherwise)",
        "named as not had in the snapshot of 2025-12-31",
        "blank in the snapshot of 2025-12-31",
    ]


def test_a_quarter_without_its_snapshot_is_not_compared(tmp_path):
    path = other(tmp_path, "snapshot", "A,x,2025-09-30\nA,x,2025-12-31\nA,x,2025-03-31\n")
    with pytest.raises(DataError, match="no snapshot of 2025-06-30, the end of 2025Q2"):
        headline.headline(book(path), "2025Q4", against="2025Q2")


def test_a_quarter_that_lacks_one_of_several_snapshots_is_not_told(tmp_path):
    text = (
        YEAR
        + OTHER.format(name="cards", kind="snapshot", more='products = ["x"]')
        + OTHER.format(name="loans", kind="snapshot", more='products = ["y", "z"]')
        + CATALOGUE
    )
    head = "account_id,product_id,date\n"
    path = engagement(
        tmp_path, text, cards_csv=head + "A,x,2025-09-30\nA,x,2025-12-31\n", loans_csv=head + "A,y,2025-12-31\n"
    )
    assert measured(path, "2025Q4")["account_penetration_degree"]["mean"] == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="no snapshot of 2025-09-30, the end of 2025Q3"):
        measured(path, "2025Q3")


def test_a_quarter_outside_the_data_is_refused(tmp_path):
    path = sales(tmp_path, "A,x,2025-11-01,1,1\n")
    with pytest.raises(QuarterError, match=r"2024Q4 lies outside the data. They cover 2025Q1 to 2025Q4"):
        measured(path, "2024Q4")
    with pytest.raises(QuarterError, match=r"not a quarter"):
        measured(path, "Q4 2025")


def test_two_hundred_products_fill_four_words(tmp_path):
    names = [f"p{n:03d}" for n in range(200)]
    more = f"[catalogue]\nproducts = {names}\n"
    rows = "".join(f"A,{name},2025-11-01,1,1\n" for name in names[::2]) + "B,p199,2025-11-01,1,1\n"
    found = measured(sales(tmp_path, rows, more=more))
    assert found["account_penetration_degree"]["mean"] == pytest.approx((100 / 200 + 1 / 200) / 2)
    assert found["attach_rate"]["p198"] == 0.5


def test_a_fiscal_year_may_start_in_any_month(tmp_path):
    head = HEAD.replace("2025-12-31", "2026-01-31").replace("2025-01-01", "2025-02-01") + "fiscal_year_start = 2\n"
    path = sales(tmp_path, "A,x,2025-10-31,1,1\nB,y,2025-11-01,1,1\nB,y,2026-01-31,1,1\n", head=head)
    found = measured(path, "2026Q4")
    assert (found["as_of"], found["accounts"]) == ("2026-01-31", 1)


# What is kept


def test_a_stale_copy_is_never_used(tmp_path):
    path = sales(tmp_path, "A,x,2025-11-01,1,1\n")
    assert degree(path) == pytest.approx(1 / 3)
    file = tmp_path / "lines.csv"
    before = file.stat()
    file.write_text(HEADER + "A,x,2025-11-01,1,1\nA,y,2025-11-01,1,1\n")
    import os

    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # the clock says nothing changed
    assert degree(path) == pytest.approx(2 / 3)


def test_a_kept_copy_is_opened_without_another_pass_over_the_facts(tmp_path, monkeypatch):
    path = sales(tmp_path, "A,x,2025-11-01,1,1\n")
    degree(path)
    monkeypatch.setattr(portfolio, "load", lambda _: pytest.fail("the facts were read again"))
    monkeypatch.setattr(lapsing, "write", lambda *_: pytest.fail("the facts were read again"))
    assert degree(path) == pytest.approx(1 / 3)


def test_the_second_of_two_writers_yields(tmp_path):
    path = sales(tmp_path, "A,x,2025-11-01,1,1\n")
    first = book(path)
    kept._keep(load(path), first.folder)  # the other one comes late
    assert degree(path) == pytest.approx(1 / 3)
    assert not list(first.folder.parent.glob(".building-*"))


def test_what_its_table_does_not_prove_is_not_outside_the_catalogue(tmp_path):
    text = YEAR + OTHER.format(name="lines", kind="sales", more='products = ["x"]')
    text += OTHER.format(name="subs", kind="subscriptions", more="") + CATALOGUE
    text = text.replace('products = ["x", "y", "z"]', 'products = ["x", "y", "z"]\noutside = ["coupon"]')
    path = engagement(
        tmp_path, text, lines_csv=HEADER + "A,x,2025-12-01,1,5\nA,y,2025-11-01,1,14\nA,coupon,2025-10-01,1,1\n",
        subs_csv="account_id,product_id,start,end\nA,y,2025-01-01,\n",
    )  # fmt: skip
    found = book(path)
    assert ledger.unproven(found) == pytest.approx(0.7)
    assert ledger.outside(found)["lines"].tolist() == [1]
    assert wording.unproven(0.7).startswith("70.0% of the revenue is of products of the catalogue for which its table")
    assert wording.unproven(None) is None
    assert found.sold_lookbacks == [12]


def test_months_without_lines_are_named_beside_the_quarters_that_look_back_on_them(tmp_path):
    lines = "".join(f"A,x,2025-{month:02d}-10,1,10\n" for month in range(1, 13) if month not in (5, 11))
    found = book(sales(tmp_path, lines))
    assert ledger.gaps(found, "2025Q4") == ["2025-11"]
    assert ledger.gaps(found, "2025Q3") == []
    assert ledger.gaps(found, "2025Q4", "2025Q2") == ["2025-05", "2025-11"]
    assert wording.gaps(["2025-11"]).startswith("November 2025 has no lines: if it is missing from the delivery")
    assert wording.gaps([]) is None


def test_look_backs_are_those_of_what_sales_prove(tmp_path):
    more = "lookback_by_product = { y = 24, z = 6 }\n"
    text = YEAR + more + OTHER.format(name="lines", kind="sales", more='products = ["y", "z"]')
    text += OTHER.format(name="subs", kind="subscriptions", more="") + CATALOGUE
    path = engagement(tmp_path, text, lines_csv=HEADER + "A,y,2025-12-01,1,5\n",
                      subs_csv="account_id,product_id,start,end\nA,x,2025-01-01,\n")  # fmt: skip
    assert book(path).sold_lookbacks == [6, 24]
    assert wording.fiscal(1, "2025Q4", "2025-12-31") is None
