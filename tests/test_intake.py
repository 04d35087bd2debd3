"""From a client's files to checked tables: what is read, what is refused, and in which words."""

from __future__ import annotations

import codecs
import re
from datetime import date
from decimal import Decimal

import openpyxl
import pandas as pd
import pytest
from clients import CATALOGUE, HEAD, HEADER, SALES, engagement, sales

from kpilib.engagement import load
from kpilib.errors import ColumnError, DataError, EngagementError, SourceError
from kpilib.facts import portfolio
from kpilib.kept import open_book as book
from kpilib.ledger import text as ledger_text


def facts(path):
    return portfolio.load(load(path))


def lines(path) -> list[tuple]:
    """The used sales lines, as the engine holds them."""
    found = facts(path)
    query = "select account_id, product_id, day, quantity, revenue from sales order by all"
    return found.db.execute(query).fetchall()


def ledger(path) -> dict[str, int]:
    found = facts(path).ledger
    return dict(zip(found["rule"], found["rows"], strict=True))


COPIED = HEAD + SALES.format(options="").replace("lines.csv", "*_lines.csv")
ONE = ("A", "x", date(2025, 1, 5), Decimal(1), Decimal("10.5"))


# What a file may look like


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ("A,x,2025-01-05,1,10.5\n", ""),
        ("A,x,2025-01-05,1,10.5", ""),
        (" A , x ,2025-01-05 10:30:00,1,10.50\r\n", ""),
        ('A,x,05/01/2025,1,"10,5"\n', 'decimal = ","\ndate_format = "%d/%m/%Y"'),
        ("A,x,2025-01-05,1,010.5\n", 'thousands = " "'),
    ],
)
def test_the_same_line_is_read_from_every_declared_format(tmp_path, rows, options):
    assert lines(sales(tmp_path, rows, options)) == [ONE]


def test_thousands_are_read_only_where_they_stand_at_thousands(tmp_path):
    rows = 'A,x,2025-01-05,1,"1.234,5"\nA,x,2025-01-06,1,"12.5"\n'
    path = sales(tmp_path, rows, 'decimal = ","\nthousands = "."')
    assert [row[-1] for row in lines(path)] == [Decimal("1234.5")]  # 12.5 is no amount there, not 125
    assert ledger(path)["unreadable_amount"] == 1


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_found_in_the_header(tmp_path, separator):
    text = (HEADER + "A,x,2025-01-05,1,10.5\n").replace(",", separator)
    assert lines(sales(tmp_path, text.encode())) == [ONE]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_common_encodings_are_read_without_being_told(tmp_path, encoding):
    text = HEADER + "Müller & Söhne,x,2025-01-05,1,10.5\nBjörn Ångström AB,y,2025-01-05,1,2\n"
    names = [row[0] for row in lines(sales(tmp_path, text.encode(encoding)))]
    assert names == ["Björn Ångström AB", "Müller & Söhne"]


def test_an_encoding_that_would_be_a_guess_must_be_declared(tmp_path):
    text = (HEADER + "".join(f"株式会社東京{n},x,2025-01-05,1,10\n" for n in range(60))).encode("shift_jis")
    with pytest.raises(SourceError, match=r"not UTF-8, and read as Windows-1252 it gives.*Declare its encoding"):
        lines(sales(tmp_path / "guess", text))
    assert lines(sales(tmp_path / "said", text, 'encoding = "shift_jis"'))[0][0] == "株式会社東京0"


@pytest.mark.parametrize(
    "name",
    ["Öl & Fett", "Groß", "Köln", "Crédit Agricole", "Ångström", "L’Oréal", "O´Neill", "Lidl §1 – 5 €", "N°A", "ÄÖÜ"],
)
def test_a_short_windows_1252_file_is_taken_as_it_is(tmp_path, name):
    assert lines(sales(tmp_path, (HEADER + f"{name},x,2025-01-05,1,10.5\n").encode("cp1252"))) == [(name, *ONE[1:])]


@pytest.mark.parametrize(
    ("names", "encoding", "word"),
    [
        ("Москва Санкт-Петербург Новосибирск Екатеринбург", "cp1251", "Ìîñêâà"),
        ("Wrocław Białystok Małopolska Łódź Kędzierzyn", "cp1250", "Wroc³aw"),
        ("Müller Schröder Fränkel Günther Jürgen Straße", "mac_roman", "FrŠnkel"),
        ("Köln Fränkel Schröder Jäger Böhm", "cp850", "K”ln"),
    ],
)
def test_names_that_windows_1252_would_spoil_are_refused_by_example(tmp_path, names, encoding, word):
    rows = "".join(f"{each},x,2025-01-05,1,10\n" for each in names.split())
    text = (HEADER + rows).encode(encoding)
    with pytest.raises(SourceError, match=f"read as Windows-1252 it gives words such as '{word}'.*It looks like"):
        lines(sales(tmp_path / "guess", text))
    assert len(lines(sales(tmp_path / "said", text, f'encoding = "{encoding}"'))) == len(names.split())
    with pytest.raises(SourceError, match="neither UTF-8 nor Windows-1252"):
        lines(sales(tmp_path / "none", (HEADER + "M\x81ller,x,2025-01-05,1,1\n").encode("latin-1")))


def test_a_workbook_and_a_parquet_file_give_the_same_lines(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["account_id", "product_id", "date", "quantity", "revenue"])
    sheet.append([900, "x", date(2025, 1, 5), 1, 10.5])
    (tmp_path / "a").mkdir()
    book.save(tmp_path / "a" / "lines.xlsx")
    frame = pd.DataFrame(
        {
            "account_id": [900],
            "product_id": ["x"],
            "date": [pd.Timestamp("2025-01-05 09:00")],
            "quantity": [1.0],
            "revenue": [10.5],
        }
    )
    (tmp_path / "b").mkdir()
    frame.to_parquet(tmp_path / "b" / "lines.parquet")
    for folder, name in (("a", "lines.xlsx"), ("b", "lines.parquet")):
        text = HEAD + SALES.format(options="").replace("lines.csv", name) + CATALOGUE
        assert lines(engagement(tmp_path / folder, text)) == [("900", *ONE[1:])]


def test_many_files_are_one_source_and_remember_where_a_row_stood(tmp_path):
    text = HEAD + SALES.format(options="").replace("lines.csv", "*_lines.csv") + CATALOGUE
    path = engagement(
        tmp_path,
        text,
        jan_lines_csv=HEADER + "A,x,2025-01-05,1,1\nA,?,2025-01-05,1,1\n",
        feb_lines_csv=HEADER + "B,y,2025-02-05,1,1\n",
    )
    assert "jan_lines.csv, record 2: A, ?" in facts(path).ledger["examples"].iloc[0]


def test_record_numbers_follow_the_file_however_many_threads_read_it(tmp_path):
    rows = "".join(f"A{n},{'x' if n % 50_000 else '?'},2025-01-05,1,1\n" for n in range(1, 300_001))
    examples = facts(sales(tmp_path, rows)).ledger["examples"].iloc[0].splitlines()
    assert [each.split(":")[0] for each in examples] == [
        f"lines.csv, record {n}" for n in range(50_000, 300_000, 50_000)
    ]


def test_an_amount_is_exact_and_never_a_double(tmp_path):
    rows = "".join("A,x,2025-01-05,1,0.1\n" for _ in range(3)) + "A,x,2025-01-05,1,-0.3\n"
    total = facts(sales(tmp_path, rows)).db.execute("select sum(revenue) from sales").fetchone()[0]
    assert total == Decimal(0)


# What is refused, in which words


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"", "", r"lines\.csv is empty\. It has 0 bytes"),
        (HEADER.encode(), "", r"Source 'lines' is empty\. It has a header and no records"),
        (
            HEADER.replace(",", ";").encode() + b"A;x;2025-01-05;1;1\n",
            'separator = ","',
            r"one column when split at ','.*separator = ';'",
        ),
        (b"account_id,account_id,date\nA,A,1\n", "", r"'account_id' stand twice"),
        (HEADER.encode() + b"A,x,2025-01-05,1,1,7,8\n", "", r"not a table with 5 columns"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, data, options, message):
    with pytest.raises(SourceError, match=message):
        facts(sales(tmp_path, data, options))


def test_a_missing_file_names_its_neighbours(tmp_path):
    path = sales(tmp_path, "A,x,2025-01-05,1,1\n")
    path.write_text(path.read_text().replace("lines.csv", "line.csv"))
    with pytest.raises(EngagementError, match=r"sources\.lines\.path: no such file: 'line\.csv'.*lines\.csv"):
        load(path)


def test_a_missing_column_offers_the_near_misses(tmp_path):
    data = HEADER.replace("revenue", "Revenues").encode() + b"A,x,2025-01-05,1,1\n"
    more = 'columns = { revenue = "revenues" }\n'
    with pytest.raises(ColumnError, match=r"no column 'revenues'.*Did you mean 'Revenues'"):
        facts(sales(tmp_path, data, more=more))


def test_an_account_that_stands_twice_is_refused(tmp_path):
    more = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'
    path = sales(tmp_path, "A,x,2025-01-05,1,1\n", more=more)
    (tmp_path / "who.csv").write_text("account_id,region\nA,North\nA,South\nB,North\n")
    with pytest.raises(DataError, match=r"names 1 ids more than once.*contradict.*'A \(2 times, with another region"):
        facts(path)


def test_files_of_one_source_with_other_columns_are_refused_not_filled(tmp_path):
    text = HEAD + SALES.format(options="").replace("lines.csv", "*_lines.csv") + CATALOGUE
    path = engagement(
        tmp_path,
        text,
        jan_lines_csv=HEADER + "A,x,2025-01-05,1,1\n",
        feb_lines_csv=HEADER.replace("revenue", "amount") + "B,y,2025-02-05,1,1\n",
    )
    with pytest.raises(SourceError, match=r"different columns.*'amount', 'revenue'"):
        facts(path)


def test_a_failing_query_says_so_and_how_text_is_cast(tmp_path):
    more = '[sources.net]\nsql = "select quantity * revenue from lines"\n'
    with pytest.raises(SourceError, match=r"query of source 'net' fails.*cast them"):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", more=more))


# The rules


RULES = {
    "no_account": ",x,2025-01-05,1,1",
    "unreadable_date": "A,x,5 Jan,1,1",
    "outside_calendar": "A,x,2026-01-01,1,1",
    "unreadable_amount": "A,x,2025-01-05,1,ten",
    "unknown_product": "A,?,2025-01-05,1,1",
    "zero_quantity": "A,x,2025-01-05,0,1",
    "zero_revenue": "A,x,2025-01-05,1,0",
    "outside_catalogue": "A,coupon,2025-01-05,1,1",
}
OUTSIDE = '[catalogue]\nproducts = ["x", "y", "z"]\noutside = ["coupon"]\n'
EVERY_MONTH = "".join(f"M,y,2025-{month:02d}-15,1,1\n" for month in range(1, 13))


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_counts_its_row_and_no_other(tmp_path, rule):
    path = sales(tmp_path, EVERY_MONTH + RULES[rule] + "\n", more=OUTSIDE)
    assert ledger(path) == {rule: 1}


def test_the_first_rule_owns_a_row_and_later_hits_are_counted_apart(tmp_path):
    found = facts(sales(tmp_path, EVERY_MONTH + ",?,2026-01-01,0,1\nA,?,2026-01-01,1,1\n"))
    by_rule = found.ledger.set_index("rule")
    assert list(by_rule["rows"]) == [
        1,
        1,
        0,
        1,
    ]  # account, calendar, product (all owned before), zero quantity
    assert list(by_rule["hits"]) == [1, 2, 2, 1]
    assert by_rule.loc["zero_quantity", "also_set_aside"] == 1


def test_rows_and_revenue_reconcile(tmp_path):
    rows = EVERY_MONTH + "\n".join(RULES.values()) + "\nA,x,2025-02-01,-1,-3.5\n"
    total = facts(sales(tmp_path, rows, more=OUTSIDE)).totals.iloc[0]
    assert total["rows_read"] == 21 == total["rows_used"] + total["rows_set_aside"]
    assert total["revenue_read"] == total["revenue_used"] + total["revenue_set_aside"]
    assert total["revenue_used"] == Decimal(12) + 1 + 0 + 1 - Decimal("3.5")


def test_returns_are_no_fault(tmp_path):
    assert ledger(sales(tmp_path, EVERY_MONTH + "M,y,2025-03-20,-1,-1\n")) == {}


def test_dates_in_two_formats_are_set_aside_until_both_are_declared(tmp_path):
    rows = EVERY_MONTH + "A,x,31/01/2025,1,1\n"
    assert ledger(sales(tmp_path / "one", rows)) == {"unreadable_date": 1}
    both = sales(tmp_path / "both", rows, 'date_format = ["%Y-%m-%d", "%d/%m/%Y"]')
    assert ledger(both) == {}


def test_a_date_that_two_declared_formats_read_differently_is_not_guessed(tmp_path):
    rows = "A,x,03/02/2025,1,1\nA,x,13/02/2025,1,1\n"
    path = sales(tmp_path, rows, 'date_format = ["%d/%m/%Y", "%m/%d/%Y"]')
    assert ledger(path)["unreadable_date"] == 1


def test_repeated_lines_are_flagged_and_kept_unless_the_engagement_sets_them_aside(tmp_path):
    rows = EVERY_MONTH + "A,x,2025-01-05,1,10\n" * 3
    kept = facts(sales(tmp_path / "kept", rows))
    assert dict(kept.ledger[["rule", "rows"]].values) == {"repeated_line": 2}
    assert kept.ledger["revenue"].iloc[0] == Decimal(20)
    aside = facts(sales(tmp_path / "aside", rows, more='duplicates = "set aside"\n'))
    assert aside.totals["rows_used"].iloc[0] == 13
    keyed = sales(
        tmp_path / "keyed",
        rows + "A,x,2025-01-05,1,11\n",
        more='duplicate_key = ["account_id", "product_id", "date"]\n',
    )
    assert ledger(keyed) == {"repeated_line": 3}
    for client, joined in (("kept", False), ("aside", True)):
        found = facts(tmp_path / client / "engagement.toml")
        plan = found.db.execute("explain select sum(revenue) from sales").fetchone()[1]
        assert ("JOIN" in plan) is joined, "who keeps repeated lines does not pay for finding them again"


@pytest.mark.parametrize("kind", ["csv", "parquet", "sql"])
def test_of_lines_that_are_the_same_the_later_is_the_repeat_wherever_it_stands(tmp_path, kind):
    one, two = "A,x,2025-01-05,1,10\nB,x,2025-01-06,1,10\n", "C,x,2025-01-05,1,10\nA,x,2025-01-05,1,10\n"
    path = engagement(tmp_path, COPIED + CATALOGUE, jan_lines_csv=HEADER + one, feb_lines_csv=HEADER + two)
    text = path.read_text()
    if kind == "parquet":
        text = text.replace("*_lines.csv", "*_lines.parquet")
        for each in tmp_path.glob("*.csv"):
            pd.read_csv(each).to_parquet(each.with_suffix(".parquet"))
    if kind == "sql":  # its rows have no number of their own
        text = text.replace('source = "lines"', 'source = "told"').replace(
            "[[evidence]]", '[sources.told]\nsql = "select * exclude (_file, _record) from lines"\n[[evidence]]'
        )
    path.write_text(text)
    found = facts(path).ledger.set_index("rule").loc["repeated_line"]
    assert (found["rows"], found["revenue"]) == (1, 10)
    if kind != "sql":
        assert found["examples"] == f"jan_lines.{kind}, record 1: A, x, 2025-01-05, 10"


def test_a_month_without_lines_may_be_a_missing_delivery(tmp_path):
    found = facts(sales(tmp_path, EVERY_MONTH.replace("M,y,2025-06-15,1,1\n", ""))).ledger
    assert list(found["rule"]) == ["month_without_lines"]
    assert found["examples"].iloc[0] == "2025-06"


def test_an_account_outside_a_complete_table_is_set_aside_else_flagged(tmp_path):
    more = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\ncomplete = {}\n'
    for said, rule in (("true", "unknown_account"), ("false", "unlisted_account")):
        path = sales(tmp_path / said, EVERY_MONTH + "A,x,2025-01-05,1,1\n", more=more.replace("{}", said))
        (tmp_path / said / "who.csv").write_text("account_id,region\nM,North\n")
        assert ledger(path) == {rule: 1}


def test_a_subscription_that_ends_before_it_starts_shows_both_days(tmp_path):
    text = """[catalogue]
products = ["x"]
[[evidence]]
kind = "subscriptions"
rows = [
  { account_id = "A", product_id = "x", start = 2025-03-01, end = 2025-02-01 },
  { account_id = "A", product_id = "x", start = 2025-03-01, end = 2025-04-01 },
]
"""
    found = facts(engagement(tmp_path, HEAD + text)).ledger.set_index("rule")
    assert found.loc["ends_before_start", "rows"] == 1
    assert found.loc["ends_before_start", "examples"].endswith("record 1: A, x, 2025-03-01, ends 2025-02-01, (blank)")


# Grain, wide matrices, eligibility


def test_items_become_products_by_a_mapping_that_may_change_over_time(tmp_path):
    more = """[grain]
rows = [
  { item_id = "sku1", product_id = "x", valid_to = 2025-03-01 },
  { item_id = "sku1", product_id = "y", valid_from = 2025-03-01 },
]
"""
    path = sales(tmp_path, "A,sku1,2025-02-28,1,1\nA,sku1,2025-03-01,1,1\nA,sku2,2025-03-01,1,1\n", more=more)
    assert [row[1] for row in lines(path)] == ["x", "y"]
    assert ledger(path)["unknown_product"] == 1


def test_a_day_of_the_grain_that_cannot_be_read_is_refused(tmp_path):
    more = '[grain]\nrows = [{ item_id = "s", product_id = "x", valid_from = "March 2025" }]\n'
    with pytest.raises(DataError, match=r"valid_from or valid_to that cannot be read. Found at 's'"):
        facts(sales(tmp_path, "A,s,2025-02-28,1,1\n", more=more))


def test_an_item_mapped_to_two_products_on_one_day_is_refused(tmp_path):
    more = '[grain]\nrows = [{ item_id = "s", product_id = "x" }, { item_id = "s", product_id = "y" }]\n'
    with pytest.raises(DataError, match=r"maps one item to two products.*'s: x and y'"):
        facts(sales(tmp_path, "A,s,2025-02-28,1,1\n", more=more))


WIDE = """[sources.telco]
path = "telco.csv"
[[evidence]]
kind = "snapshot"
source = "telco"
date = 2025-03-31
[evidence.wide]
account_id = "customerID"
products = { Phone = "x", Streaming = "y", Lines = "z" }
no = ["no", "no internet service"]
"""


def test_a_wide_matrix_is_a_declared_shape(tmp_path):
    data = "customerID,Phone,Streaming,Lines\n1,Yes,No internet service,0\n2,no,YES,3\n3,,,\n"
    found = facts(engagement(tmp_path, HEAD + WIDE + CATALOGUE, telco_csv=data))
    held = found.db.execute("select account_id, product_id, day from snapshots order by all").fetchall()
    assert held == [(a, p, date(2025, 3, 31)) for a, p in (("1", "x"), ("2", "y"), ("2", "z"))]
    assert found.accounts.count().execute() == 3


def test_a_word_that_means_neither_yes_nor_no_is_refused(tmp_path):
    data = "customerID,Phone,Streaming,Lines\n1,Yes,Fiber optic,0\n"
    with pytest.raises(DataError, match=r"'y: fiber optic'.*Add them to evidence"):
        facts(engagement(tmp_path, HEAD + WIDE + CATALOGUE, telco_csv=data))


def test_a_snapshot_between_quarter_ends_must_say_which_end_it_stands_for(tmp_path):
    text = HEAD + WIDE.replace("2025-03-31", "2025-03-15") + CATALOGUE
    with pytest.raises(EngagementError, match=r"ends no quarter.*write 2025-03-31"):
        load(engagement(tmp_path, text, telco_csv="customerID,Phone,Streaming,Lines\n1,1,1,1\n"))


def test_products_may_be_as_sold(tmp_path):
    more = '[catalogue]\nproducts = "as sold"\noutside = ["coupon"]\n'
    path = sales(tmp_path, "A,b,2025-01-05,1,1\nA,a,2025-01-05,1,1\nA,coupon,2025-01-05,1,1\n", more=more)
    assert list(facts(path).products["product_id"]) == ["a", "b"]


def test_as_sold_multiplies_nothing(tmp_path):
    more = '[catalogue]\nproducts = "as sold"\n'
    path = sales(
        tmp_path, "x,P,2025-02-01,1,5\nx,P,2025-03-01,1,5\ny,P,2025-03-01,1,5\ny,Q,2025-11-01,1,6\n", more=more
    )
    found = facts(path)
    assert list(found.products["product_id"]) == ["P", "Q"]
    assert found.totals[["rows_read", "revenue_read"]].iloc[0].tolist() == [4, Decimal(21)]


def test_a_join_that_multiplied_rows_would_be_a_fault_of_the_kit(tmp_path, monkeypatch):
    from kpilib.facts import catalogue

    def twice(db, products, engagement):
        db.execute("create temp table known_products as select 'x' as product_id, 'catalogue' as status from range(2)")

    monkeypatch.setattr(catalogue, "_known", twice)
    with pytest.raises(RuntimeError, match="1 rows of evidence 1 became 2"):
        facts(sales(tmp_path, "A,x,2025-02-01,1,5\n"))


def test_numbers_and_days_of_a_workbook_keep_their_type_whatever_is_declared_for_text(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["account_id", "product_id", "date", "quantity", "revenue"])
    book.active.append(["A", "x", date(2025, 1, 5), 1, 1.234])
    book.active.append(["A", "y", "06.01.2025", 1, "1.234,5"])
    book.save(tmp_path / "lines.xlsx")
    options = 'decimal = ","\nthousands = "."\ndate_format = "%d.%m.%Y"'
    text = HEAD + SALES.format(options=options).replace("lines.csv", "lines.xlsx") + CATALOGUE
    found = lines(engagement(tmp_path, text))
    assert [row[2:] for row in found] == [
        (date(2025, 1, 5), Decimal(1), Decimal("1.234")),
        (date(2025, 1, 6), Decimal(1), Decimal("1234.5")),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('products = ["ZZZ"]\n', r"evidence\[1\].products: 'ZZZ' is not in the catalogue"),
        ('[[control_totals]]\nquarter = "2029Q1"\n', r"control_totals\[1\].quarter: 2029Q1 lies outside the data"),
        ('[[segment_bands]]\nwhere = { zzz = "a" }\nbands = []\n', r"segment_bands"),
        ('[[eligibility]]\nproducts = ["x"]\nwhere = { a = { at_least = "abc" } }\n', "'a'"),
        ('[sources.q]\nsql = "select 1; drop table lines"\n', "not one select"),
        ('[sources.q]\nsql = "select * from nowhere"\n', "nowhere.*It may read 'lines'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(tmp_path, more, message):
    with pytest.raises((EngagementError, DataError, SourceError), match=message):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", more=more))


def test_a_date_format_that_is_none_is_refused(tmp_path):
    with pytest.raises(SourceError, match="date_format: '%Q' is no date format"):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", 'date_format = "%Q"'))


# The engagement itself


def test_every_problem_of_an_engagement_is_told_at_once(tmp_path):
    text = (
        HEAD + 'lokback = 12\n[sources.lines]\npath = "gone.csv"\n[[evidence]]\nkind = "sale"\nsource = "lines"\n'
        '[catalogue]\nproducts = ["x", "x"]\n[[targets]]\nquarter = "2025Q1"\n'
        'kpi = "account_penetration_degree"\nvalue = 42\n'
    )
    with pytest.raises(EngagementError) as caught:
        load(engagement(tmp_path, text))
    told = str(caught.value)
    for part in (
        "unknown key 'lokback'. Did you mean",
        "no such file: 'gone.csv'",
        "evidence[1].kind",
        "'x' named twice",
        "Shares are written 0.42, not 42",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            'segment_by = ["region", "size"]',
            "2 problems:\n.*'region', which is no attribute.*no accounts table.*\n.*'size'",
        ),
        ("lookback_by_product = { w = 6, v = 6 }", "2 problems:\n.*'w' is not in the catalogue.*\n.*'v' is not in"),
    ],
)
def test_every_unknown_name_is_told_at_once(tmp_path, line, told):
    head = HEAD + f"\n{line}\n"
    text = head + SALES.format(options="") + '[catalogue]\nproducts = "as sold"\n'
    with pytest.raises(DataError, match=told):
        facts(engagement(tmp_path, text, lines_csv=HEADER + "A,x,2025-01-05,1,1\n"))


def test_entries_keep_their_numbers_beside_entries_that_are_wrong(tmp_path):
    """Two errors in one entry, and an entry after the tenth, take no other entry out."""
    target = '[[targets]]\nquarter = "2025Q1"\nkpi = "attach_rate"\n'
    text = f'{target}value = 42\nproduct = "x"\nodd = 1\n{target}value = 0.4\nproduct = "w"\n'
    text += "".join(f'{target}value = 0.4\nproduct = "x"\nsegment = {{ region = "{n}" }}\n' for n in range(7))
    text += (
        f'{target}value = 42\nproduct = "x"\n{target}value = 42\nproduct = "x"\n{target}value = 0.1\nproduct = "v"\n'
    )
    with pytest.raises(EngagementError) as caught:
        load(engagement(tmp_path, HEAD + CATALOGUE + '[[evidence]]\nkind = "revenue"\nrows = [{}]\n' + text))
    told = [each.split(": ")[0] for each in caught.value.problems]
    assert [each.split(".")[0] for each in told] == [
        *["targets[1]", "unknown key 'targets[1]", "targets[10]", "targets[11]", "targets[2]", "targets[12]"]
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lookback_months = 5", "5 months are not whole quarters"),
        ("lookback_months = 2400", "lookback_months: 2400 months are more than 360. Use fewer"),
        ("lookback_by_product = { x = 3000 }", "lookback_by_product.x: 3000 months are more than 360"),
        ("data_to = 2024-12-31", "data_from is after data_to"),
        ('client = " "', "client: "),
        ('benchmarks = "gone.csv"', "benchmarks: no such file: 'gone.csv'. Correct its path"),
        (
            "eligibility = [{ products = ['x'], where = {}, from = 2025-02-01, until = 2025-01-01 }]",
            r"eligibility\[1\]: from \(2025-02-01\) is not before until \(2025-01-01\)",
        ),
        ('segment_by = ["region"]', "no attribute of the accounts"),
        ("eligibility = [{ products = ['w'], where = { region = 'N' } }]", "'w' is not in the catalogue"),
    ],
)
def test_contradictions_are_refused(tmp_path, line, message):
    key = line.split(" =")[0]
    head = "\n".join(each for each in HEAD.splitlines() if not each.startswith(key)) + f"\n{line}\n"
    with pytest.raises((EngagementError, DataError), match=message):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", head=head))


@pytest.mark.parametrize(
    ("months", "message"),
    [
        ("4.5", "'x': 4.5 months are not whole"),
        ("6.5", "'x': 6.5 months"),
        ("3000", "'x': 3000 months are more than 360"),
    ],
)
def test_a_look_back_of_the_catalogue_is_held_to_the_same(tmp_path, months, message):
    table = f'[catalogue]\nrows = [{{ product_id = "x", lookback_months = "{months}" }}]\n'
    with pytest.raises(DataError, match=message):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", more=table))


def test_a_product_retired_before_its_launch_is_refused(tmp_path):
    rows = "product_id,launched,retired\nx,2025-02-01,2025-01-01\ny,2025-01-01,2025-01-01\nz,2025-03-01,\n"
    text = COPIED.replace("*_", "") + '[sources.products]\npath = "products.csv"\n[catalogue]\nsource = "products"\n'
    files = {"lines_csv": HEADER + "z,z,2025-03-05,1,1\n", "products_csv": rows}
    with pytest.raises(DataError, match=r"Found 'x: launched 2025-02-01, retired 2025-01-01'\. Correct"):
        facts(engagement(tmp_path, text, **files))


def test_an_opportunity_decided_before_it_was_opened_is_flagged(tmp_path):
    """Of one still open, the closing day is what somebody hopes for."""
    rows = "".join(
        f'{{ account_id = "A", product_id = "x", status = "{status}", opened = {opened}, closed = {closed} }},'
        for status, opened, closed in (
            *[("won", "2025-03-01", "2025-02-01"), ("lost", "2025-03-01", "2025-03-01")],
            *[("open", "2025-03-01", "2025-02-01"), ("won", "2025-03-01", "2025-04-01")],
        )
    )
    path = sales(tmp_path, "A,x,2025-01-05,1,1\n", more=f"[opportunities]\nrows = [{rows}]\n")
    found = facts(path).ledger.set_index("rule")
    assert found.loc["closed_before_opened", ["rows", "action"]].tolist() == [1, "flagged"]
    assert "record 1: A, x, 2025-03-01, closed 2025-02-01" in found.loc["closed_before_opened", "examples"]


def test_hostile_names_are_text_and_nothing_else(tmp_path):
    names = [
        '"; drop table x; --',
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "株式会社",
        "line\nbreak",
    ]
    rows = "".join('"' + name.replace('"', '""') + '",x,2025-01-05,1,1\n' for name in names)
    assert [row[0] for row in lines(sales(tmp_path, rows))] == sorted(names)


def test_a_byte_order_mark_in_the_engagement_is_no_fault(tmp_path):
    path = sales(tmp_path, "A,x,2025-01-05,1,1\n")
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert load(path).client == "Test client"


@pytest.mark.parametrize("name", ["sales", "invoices", "accounts", "monthly", "snapshots", "positions", "lines"])
def test_a_source_may_be_called_anything(tmp_path, name):
    """Clients call their files sales and accounts; the kit has tables of those names."""
    text = f"""[sources.{name}]
path = "lines.csv"
[sources.twice]
sql = "with a as (select * from {name}) select * from a -- as it stands"
[[evidence]]
kind = "sales"
source = "{name}"
[[evidence]]
kind = "revenue"
source = "twice"
[accounts]
source = "people"
[sources.people]
sql = "select distinct account_id, 'big' as size from {name};"
[catalogue]
products = ["x", "y", "z"]
"""
    rows = "account_id,product_id,date,quantity,revenue\nA,x,2025-01-05,1,10\nB,y,2025-02-05,1,5\n"
    path = engagement(tmp_path, HEAD + text, lines_csv=rows)
    found = facts(path).db
    assert found.execute("select account_id, size, in_table from accounts order by 1").fetchall() == [
        ("A", "big", True),
        ("B", "big", True),
    ]
    assert found.execute("select sum(revenue) from (from sales union all by name from invoices)").fetchone() == (30,)


# What would look right and be wrong


WHO = '[sources.who]\npath = "who.csv"\n[accounts]\nsource = "who"\n'


def with_accounts(folder, rows, who, more="", **options):
    """Sales lines beside an accounts table; ``who`` is the text of its file."""
    path = sales(folder, rows, more=WHO + more, **options)
    (folder / "who.csv").write_text(who, encoding="utf-8")
    return path


REGIONS = "account_id,region\nA,Nord\nB,Süd\n"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            '{ region = ["Nord", "Sued"] }',
            r"eligibility\[1\]\.where\.region: no account has region 'Sued'.*'Nord', 'Süd'",
        ),
        ('{ region = "nord" }', "no account has region 'nord'.*Did you mean 'Nord'"),
        ('{ region = { not = "Sud" } }', "no account has region 'Sud'.*Did you mean 'Süd'"),
    ],
)
def test_a_rule_of_a_value_that_nobody_has_is_refused(tmp_path, where, message):
    more = f'[[eligibility]]\nproducts = ["x"]\nwhere = {where}\n'
    with pytest.raises(DataError, match=message):
        facts(with_accounts(tmp_path, "A,x,2025-01-05,1,1\nB,x,2025-01-05,1,1\n", REGIONS, more))


def test_all_bad_rules_are_told_at_once(tmp_path):
    more = "".join(
        f'[[eligibility]]\nproducts = ["x"]\nwhere = {{ {each} }}\n' for each in ('regio = "a"', 'region = "b"')
    )
    with pytest.raises(DataError, match=r"2 problems:\n.*'regio' is not known(.|\n)*no account has region 'b'"):
        facts(with_accounts(tmp_path, "A,x,2025-01-05,1,1\nB,x,2025-01-05,1,1\n", REGIONS, more))


def test_a_product_that_nobody_could_buy_is_named(tmp_path):
    more = '[[eligibility]]\nproducts = ["x"]\nwhere = { staff = { at_least = 50 } }\n'
    path = with_accounts(tmp_path, EVERY_MONTH, "account_id,staff\nM,7\n", more)
    kept_book = book(path)
    assert "1 open_to_nobody in catalogue" in ledger_text(kept_book)
    assert "No customer could ever buy x:" in ledger_text(kept_book)
    other = with_accounts(tmp_path / "some", EVERY_MONTH, "account_id,staff\nM,70\n", more)
    assert "open_to_nobody" not in ledger_text(book(other))


def test_ids_that_do_not_join_are_refused_with_a_hint(tmp_path):
    rows = "".join(f"{n:06d},x,2025-01-05,1,1\n" for n in range(1, 21))
    who = "account_id,region\n" + "".join(f"{n},Nord\n" for n in range(1, 21))
    told = (
        r"not the same\. Of 20 in the facts, 0 are among the 20 on file\. 20 differ only.*'000001 and 1'.*leading zeros"
    )
    for said in ("", "complete = true\n"):
        with pytest.raises(DataError, match=told):
            facts(with_accounts(tmp_path / f"zeros{len(said)}", rows, who, said))
    strangers = "account_id,region\nK-1,Nord\nK-2,Nord\n"
    with pytest.raises(DataError, match=r"In the facts: such as '000001'; on file: such as 'K-1'"):
        facts(with_accounts(tmp_path / "strangers", rows, strangers))


def test_some_accounts_on_file_are_enough_and_the_others_are_told(tmp_path):
    """As at a grocer, where a third of the households have attributes."""
    rows = "".join(f"H{n},x,2025-{1 + n % 12:02d}-05,1,1\n" for n in range(1, 31))
    found = book(with_accounts(tmp_path, rows, "account_id,region\n" + "".join(f"H{n},Nord\n" for n in range(1, 11))))
    assert "66.7% of the revenue of sales: lines [1] is of customers not in the accounts table" in ledger_text(found)


def test_an_unreadable_quantity_or_end_is_shown_and_listed(tmp_path):
    path = sales(tmp_path / "lines", "A,x,2025-01-05,two,10\nA,x,2025-01-06,1,ten\nA,x,2025-01-07,1,1\n")
    found = facts(path).ledger.set_index("rule")
    assert [each.split(": ")[1] for each in found.loc["unreadable_amount", "examples"].splitlines()] == [
        "A, x, 2025-01-05, 10, quantity two",
        "A, x, 2025-01-06, ten",
    ]
    assert list(book(path).table("set_aside")["also_unread"].fillna("")) == ["quantity two", ""]
    text = """[catalogue]
products = ["x"]
[[evidence]]
kind = "subscriptions"
rows = [{ account_id = "A", product_id = "x", start = 2025-03-01, end = "31.02.2025" }]
"""
    found = facts(engagement(tmp_path / "spans", HEAD + text)).ledger.set_index("rule")
    assert found.loc["unreadable_date", "examples"].endswith("A, x, 2025-03-01, (blank), ends 31.02.2025")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", "Declare decimal and thousands in the source; mend what is no number."),
        ('decimal = ","', r"decimal is ',': correct .* mend what is no number. Declare thousands too where"),
        ('decimal = ","\nthousands = "."', r"decimal is ',' and thousands is '\.': correct .* no number\.$"),
    ],
)
def test_the_remedy_for_amounts_knows_what_is_declared(tmp_path, options, told):
    found = facts(sales(tmp_path, "A,x,2025-01-05,1,ten\n", options)).ledger.set_index("rule")
    assert re.match(told, found.loc["unreadable_amount", "todo"])


def test_few_ids_in_two_spellings_are_told_and_many_refused(tmp_path):
    names = [f"{n:04d}" for n in range(1, 201)]
    rows = "".join(f"{each},x,2025-01-05,1,1\n" for each in names)
    one = "account_id\n7\n" + "\n".join(each for each in names if each != "0007")
    found = facts(with_accounts(tmp_path / "one", rows, one)).ledger.set_index("rule")
    assert found.loc["two_spellings", ["rows", "examples"]].tolist() == [1, "0007 in the facts, 7 on file"]
    many = "account_id\n7\n8\n9\n" + "\n".join(each for each in names if each not in ("0007", "0008", "0009"))
    with pytest.raises(DataError, match="3 of 200 accounts of the facts stand in the accounts table under another"):
        facts(with_accounts(tmp_path / "many", rows, many))


@pytest.mark.parametrize(
    ("seen", "given", "same"),
    [
        *[("0012", "12", True), ("12.0", "12", True), ("c 12", "C-12", True), ("1-234", "1234", True)],
        *[("1.2.30", "01.2.30", True), ("1,12", "1.12", True)],
        *[("1.12", "11.2", False), ("1.12", "112", False), ("1-12", "11-2", False), ("1,000", "1", False)],
    ],
)
def test_a_point_between_digits_is_part_of_an_id(tmp_path, seen, given, same):
    """One pair among few accounts is told, never refused; 1.12 and 11.2 are no pair."""
    rows = "".join(f'"{each}",x,2025-01-05,1,1\n' for each in ("A", "B", seen))
    found = facts(with_accounts(tmp_path, rows, f'account_id\nA\nB\n"{given}"\n')).ledger.set_index("rule")
    assert ("two_spellings" in found.index) == same
    if same:
        assert found.loc["two_spellings", "examples"] == f"{seen} in the facts, {given} on file"


def test_a_delivery_that_came_twice_is_refused_until_its_fate_is_declared(tmp_path):
    one, two = (HEADER + "".join(f"{who},x,2025-0{month}-05,1,10\n" for who in "AB") for month in (1, 2))
    files = {"jan_lines_csv": one, "jan_copy_lines_csv": one, "feb_lines_csv": two}
    with pytest.raises(
        DataError, match=r"evidence\[1\].*twice.*'jan_copy_lines.csv: its 2 lines stand in jan_lines.csv too'; 33"
    ):
        facts(engagement(tmp_path / "none", COPIED + CATALOGUE, **files))
    for said, revenue in (("set aside", 40), ("keep", 60)):
        path = engagement(tmp_path / said, COPIED + f'duplicates = "{said}"\n' + CATALOGUE, **files)
        assert facts(path).totals["revenue_used"].iloc[0] == revenue
    files["jan_copy_lines_csv"] += "C,x,2025-01-05,1,10\n"
    with pytest.raises(DataError, match=r"'jan_lines.csv: its 2 lines stand in jan_copy_lines.csv too'; 28.6%"):
        facts(engagement(tmp_path / "within", COPIED + CATALOGUE, **files))
    files["jan_lines_csv"] += "D,x,2025-01-05,1,10\n"  # neither is within the other: flagged, and told
    found = ledger_text(book(engagement(tmp_path / "part", COPIED + CATALOGUE, **files)))
    assert "25.0% of the revenue of sales: lines [1] stands in lines that repeat an earlier one (2)" in found
    assert 'duplicates = "set aside"' in found


def test_a_copied_file_is_told_with_the_file_that_holds_all_of_it(tmp_path):
    """Lines that a third file has too neither name that file nor count the pair twice."""
    one, two = (HEADER + "".join(f"{who},x,2025-0{month}-05,1,10\n" for who in "ABCD") for month in (1, 2))
    one += "A,x,2025-02-05,1,10\nB,x,2025-02-05,1,10\n"
    files = {"a_lines_csv": one, "b_lines_csv": two, "b_lines (1)_lines_csv": two}
    named = r"Found 'b_lines \(1\)_lines.csv: its 4 lines stand in b_lines.csv too'; 28\.6% of the lines"
    with pytest.raises(DataError, match=named):
        facts(engagement(tmp_path / "copy", COPIED + CATALOGUE, **files))
    files["b_lines (2)_lines_csv"] = two
    both = rf"{named.split(';')[0]}, 'b_lines \(2\)_lines.csv: its 4 lines stand in b_lines.csv too'; 44\.4%"
    with pytest.raises(DataError, match=both):
        facts(engagement(tmp_path / "two", COPIED + CATALOGUE, **files))


def test_months_beside_their_quarter_are_the_copies_and_a_file_split_over_others_is_told_so(tmp_path):
    months = [[f"{who},x,2025-0{month}-05,1,10\n" for who in "ABCD"] for month in (1, 2)]
    files = {f"m{n}_lines_csv": HEADER + "".join(each) for n, each in enumerate(months, 1)}
    whole = files | {"year_lines_csv": HEADER + "".join(months[0] + months[1])}
    told = "Found 'm1_lines.csv: its 4 lines stand in year_lines.csv too', 'm2_lines.csv: its 4 .* too'; 50.0%"
    with pytest.raises(DataError, match=told):
        facts(engagement(tmp_path / "whole", COPIED + CATALOGUE, **whole))
    split = files | {"part_lines_csv": HEADER + "".join(months[0][:3] + months[1][:2])}
    told = "Found 'part_lines.csv: its 5 lines stand in other files too, 3 of them in m1_lines.csv'; 38.5%"
    with pytest.raises(DataError, match=told):
        facts(engagement(tmp_path / "split", COPIED + CATALOGUE, **split))


def test_what_snapshots_leave_open_is_told(tmp_path):
    data = "customerID,Phone,Streaming,Lines\n1,yes,no,0\n1,no,no,0\n2,no,,3\n3,no,no,0\n"
    kept_book = book(engagement(tmp_path, HEAD + WIDE + CATALOGUE, telco_csv=data))
    entries = kept_book.ledger().set_index("rule")
    assert entries.loc["contradicting_rows", "rows"] == 2
    assert entries.loc["contradicting_rows", "examples"].splitlines() == [
        "telco.csv, record 1: 1, x, (blank), yes",
        "telco.csv, record 2: 1, x, (blank), no",
    ]
    assert entries.loc["blank_cell", "examples"] == "telco.csv, record 3: 2, y, (blank), (blank)"
    assert entries.loc["no_snapshot", "examples"] == "2025-06-30, 2025-09-30, 2025-12-31"
    told = ledger_text(kept_book)
    assert "3 snapshots are missing: 2025-06-30, 2025-09-30, 2025-12-31." in told
    assert "complete 2025Q1 with" in told
    said = WIDE.replace('no = ["no",', 'no = ["", "no",')
    declared = facts(engagement(tmp_path / "said", HEAD + said + CATALOGUE, telco_csv=data)).ledger
    assert "blank_cell" not in set(declared["rule"])


def test_every_quarter_between_snapshots_is_named_as_complete_or_not(tmp_path):
    rows = "A,x,2025-03-31,1,\nA,x,2025-06-30,1,\nA,x,2025-12-31,1,\n"
    path = sales(tmp_path, rows)
    path.write_text(path.read_text().replace('"sales"', '"snapshot"'))
    assert "complete 2025Q1 to 2025Q2, 2025Q4 with" in ledger_text(book(path))


def test_an_entry_outside_that_matches_nothing_is_told(tmp_path):
    more = '[grain]\nrows = [{ item_id = "s1", product_id = "x" }, { item_id = "s2", product_id = "freight" }]\n'
    more += '[catalogue]\nproducts = ["x"]\noutside = ["freight", "s3"]\n'
    rows = EVERY_MONTH.replace(",y,", ",s1,") + "A,s3,2025-01-05,1,1\n"
    found = facts(sales(tmp_path, rows, more=more)).ledger.set_index("rule")
    assert found.loc["outside_nothing", ["rows", "examples"]].tolist() == [1, "s3"]
    assert found.loc["unknown_product", "todo"].startswith("Map them in [grain]")


def test_the_other_sheets_of_a_workbook_are_named(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    book.active.append(["Lines of 2025"])
    book.create_sheet("Lines").append(["account_id", "product_id", "date", "quantity", "revenue"])
    book["Lines"].append(["A", "x", "2025-01-05", 1, 10.5])
    book.active.append(["as of", "December"])
    book.save(tmp_path / "lines.xlsx")
    text = HEAD + SALES.replace("lines.csv", "lines.xlsx")
    with pytest.raises(ColumnError, match=r"'lines' \(Excel, sheet 'Cover'; also there: 'Lines'\) has no column"):
        facts(engagement(tmp_path, text.format(options="") + CATALOGUE))
    assert lines(engagement(tmp_path, text.format(options='sheet = "Lines"') + CATALOGUE)) == [ONE]
    with pytest.raises(SourceError, match=r"sheet 'Cover'; also there: 'Lines', has no usable header.*found is empty"):
        facts(engagement(tmp_path, text.format(options="header_row = 9") + CATALOGUE))


def test_a_header_that_is_none_is_shown(tmp_path):
    with pytest.raises(SourceError, match=r"Columns '2' have no name\. The row found is Lines \|  \| 2025\."):
        facts(sales(tmp_path, b"Lines,,2025\n" + HEADER.encode()))


def test_rows_of_one_account_are_told_apart_by_whether_they_agree(tmp_path):
    who = "account_id,region\nA,Nord\nA,Nord\nB,Nord\nB,Süd\n"
    told = (
        r"alike: 'A \(2 times\)'.*contradict each other: 'B \(2 times, with another region\)'.*distinct on .* from who"
    )
    with pytest.raises(DataError, match=told):
        facts(with_accounts(tmp_path, "A,x,2025-01-05,1,1\n", who))


def test_columns_that_are_missing_are_told_of_all_tables_at_once(tmp_path):
    more = 'columns = { owner = "rep" }\nattributes = ["size"]\n'
    wide = WIDE.replace("Phone =", "Fone =").replace("telco.csv", "who.csv")
    with pytest.raises(DataError) as caught:
        facts(with_accounts(tmp_path, "A,x,2025-01-05,1,1\n", REGIONS, more + wide))
    for part in (
        "accounts.columns.owner",
        "accounts.attributes",
        "evidence[2].wide.products",
        "evidence[2].wide.account_id",
    ):
        assert f"which {part} names" in str(caught.value)


def test_dates_that_stay_unread_though_a_format_is_declared(tmp_path):
    rows = EVERY_MONTH.replace("2025-05-15", "15 Mai 2025").replace("2025-06-15", "15 Jun 2025")
    path = sales(tmp_path, rows, 'date_format = ["%Y-%m-%d", "%d %b %Y"]')
    found = facts(path).ledger.set_index("rule")
    assert found.loc["unreadable_date", "rows"] == 1
    assert "in English only" in found.loc["unreadable_date", "todo"]
    assert found.loc["month_without_lines", "todo"].startswith("First mend the 1 lines set aside")


def test_a_status_that_is_unknown_is_told_beside_those_that_are_known(tmp_path):
    row = '{ account_id = "A", product_id = "x", status = "gewonnen", opened = 2025-01-01 }'
    with pytest.raises(DataError, match=r"'gewonnen \(1\)'.*Known are 'won', 'lost', 'open'"):
        facts(sales(tmp_path, "A,x,2025-01-05,1,1\n", more=f"[opportunities]\nrows = [{row}]\n"))


def test_a_rule_that_owns_no_row_is_told_without_examples(tmp_path):
    path = sales(tmp_path, EVERY_MONTH + ",?,2025-01-05,1,1\n", head="allow_set_aside = 1\n" + HEAD)
    told = [each for each in ledger_text(book(path)).splitlines() if "unknown_product" in each or "?, 2025" in each]
    assert told[-1].strip().startswith("1 unknown_product in sales: lines [1]: product not in the catalogue")
    assert told[-1].endswith("(an earlier rule owns them all)")
    assert len(told) == 2  # the line itself is the example of the rule that owns it
