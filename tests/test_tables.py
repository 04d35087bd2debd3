"""Tables are read back as a browser would: by parsing, never by eye."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pandas as pd
import pytest

from kpilib import tables
from kpilib.errors import KpiError

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "one\ntwo\x00"]


class Read(HTMLParser):
    """The cells of a table by row, and every tag with its class."""

    def __init__(self, shown):
        super().__init__()
        self.rows, self.tags, self.classes = [], set(), set()
        self._open = None
        self.feed(str(shown))

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.classes.update(value for key, value in attributes if key == "class")
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")
            self._open = tag

    def handle_endtag(self, tag):
        if tag == self._open:
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.rows[-1][-1] += data


def segments(**more):
    table = {
        "group": ["Enterprise", "(not given)"],
        "accounts": [1200, 3],
        "n": [1199, 3],
        "mean": [0.7721, 0.1234],
        "pooled": [0.75, 0.5],
        "mean_before": [0.74, 0.4],
        "change": [0.031, -0.277],
        "low": [0.011, None],
        "high": [0.051, None],
        "n_both": pd.array([1100, 3], dtype="Int64"),
        "contribution": [0.02, -0.001],
        "suppressed": [False, True],
    }
    return pd.DataFrame({**table, **more})


def test_segments_say_their_unit_and_n():
    header, first, _ = Read(tables.segments(segments())).rows
    cells = dict(zip(header, first, strict=True))
    assert cells["Customers (n)"] == "1,199"
    assert cells["Has, % of what it could buy"] == "77.2"
    assert cells["Change, points"] == "+3.1"
    assert (cells["95% interval from"], cells["to"]) == ("+1.1", "+5.1")


def test_a_suppressed_group_shows_its_name_only():
    *_, second = Read(tables.segments(segments())).rows
    assert second[0] == "(not given)"
    assert set(second[1:]) == {"–"}
    assert "fewer than 5 customers" in str(tables.segments(segments()))
    assert "12.3" not in str(tables.segments(segments()))


def test_a_column_without_any_value_is_not_shown():
    gone = dict.fromkeys(("mean_before", "change", "low", "high", "n_both", "contribution"))
    header = Read(tables.segments(segments(**gone))).rows[0]
    assert "Change, points" not in header
    assert "both times" not in str(tables.segments(segments(**gone)))


def product_table(names):
    return pd.DataFrame(
        {
            "product_id": names,
            "family": None,
            "possible": 10,
            "held": range(len(names)),
            "attach_rate": [None, *(index / 10 for index in range(1, len(names)))],
            "lapsing": pd.array([0] * len(names), dtype="Int64"),
            "revenue_quarter": [Decimal("1234567.899")] * len(names),
        }
    )


def test_products_run_from_the_most_widely_held_and_end_with_the_undefined():
    header, *rows = Read(tables.products(product_table(["a", "b", "c"]), "USD")).rows
    assert [row[0] for row in rows] == ["c", "b", "a"]
    assert rows[-1][header.index("Have it, %")] == "–"
    assert rows[0][header.index("Revenue of the quarter, USD")] == "1,234,567.90"


def test_the_change_of_a_product_names_whose_it_is_for_before_and_now_are_of_all():
    table = product_table(["a"]).assign(attach_rate=0.585, attach_before=0.602, change=-0.012, n_both=80)
    header, row = Read(tables.products(table)).rows
    assert row[header.index("Change, points, of who could buy both times")] == "−1.2"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_are_text_whatever_they_hold(hostile):
    shown = [
        tables.segments(segments(group=[hostile, "b"])),
        tables.products(product_table([hostile, hostile])),
        tables.accounts(who(name=hostile, **{hostile: hostile})),
        tables.ledger(ledger(says=hostile)),
        tables.examples(ledger(examples=hostile, todo=hostile)),
        tables.prose([hostile]),
        tables.bullets([hostile]),
        tables.definition({hostile: hostile}),
        tables.products(product_table(["a"]), hostile),
    ]
    for each in shown:
        assert Read(each).tags <= TAGS


TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}


def who(**more):
    table = {
        "account_id": ["A-1"],
        "name": ["Smith & Sons"],
        "owner": [None],
        "region": ["West"],
        "possible": [10],
        "held": [3],
        "degree": [0.3],
        "revenue_window": [Decimal("-12.5")],
        "lapsing": pd.array([1], dtype="Int64"),
        "missing": ["x, y"],
    }
    return pd.DataFrame({**table, **more})


def test_accounts_bring_their_attributes_and_drop_what_the_client_has_not():
    header, row = Read(tables.accounts(who(), "EUR")).rows
    cells = dict(zip(header, row, strict=True))
    assert list(cells) == ["Customer", "Name", "Has", "Could buy", "Share, %", "Revenue, EUR", "At risk",
                           "Could buy, does not have", "Region"]  # fmt: skip
    assert cells["Name"] == "Smith & Sons"
    assert "Household size" in Read(tables.accounts(who(household_size="2"))).rows[0]
    assert cells["Revenue, EUR"] == "−12.50"


def ledger(**more):
    table = {
        "table": ["baskets"],
        "rule": ["unknown_product"],
        "action": ["set aside"],
        "rows": [4836],
        "hits": [4840],
        "revenue": [Decimal("17000.10")],
        "says": ["product not in the catalogue"],
        "todo": [""],
        "examples": ["baskets.csv, record 3: x\nbaskets.csv, record 9: y"],
    }
    return pd.DataFrame({**table, **more})


def test_the_ledger_counts_and_its_examples_stand_apart():
    header, row = Read(tables.ledger(ledger(), "USD")).rows
    assert row[header.index("Rows")] == "4,836"
    assert row[header.index("Revenue, USD")] == "17,000.10"
    header, row = Read(tables.examples(ledger())).rows
    assert row[1].splitlines() == ["baskets.csv, record 3: x", "baskets.csv, record 9: y"]


def test_a_clean_ledger_is_told_in_words():
    assert "No row broke a rule." in str(tables.ledger(ledger().head(0)))
    assert str(tables.examples(ledger().head(0))) == ""


def test_reconciliation_shows_no_revenue_where_the_client_has_none():
    totals = pd.DataFrame(
        [("installed", 5, 4, 1, None, None, None)],
        columns=["table", "rows_read", "rows_used", "rows_set_aside",
                 "revenue_read", "revenue_used", "revenue_set_aside"],
    )  # fmt: skip
    assert Read(tables.reconciliation(totals, "USD")).rows == [
        ["Table", "Rows read", "Rows used", "Rows set aside"],
        ["installed", "5", "4", "1"],
    ]


def test_totals_of_finance_are_shown_as_what_they_are():
    table = pd.DataFrame(
        {
            "quarter": ["2017Q4", "2017Q4"],
            "total": ["revenue", "accounts"],
            "stated": [Decimal("10.5"), Decimal(3)],
            "measured": [Decimal("10.4"), Decimal(3)],
            "difference": [Decimal("-0.1"), Decimal(0)],
        }
    )
    assert Read(tables.controls(table, "USD")).rows[1:] == [
        ["Q4 2017", "revenue", "USD 10.50", "USD 10.40", "USD −0.10"],
        ["Q4 2017", "customers", "3", "3", "0"],
    ]
    assert "no totals" in str(tables.controls(table.head(0)))


def test_what_there_is_none_of_is_said_in_words():
    rules = pd.DataFrame(columns=["products", "open_to", "start", "stop"])
    assert "every product" in str(tables.rules(rules, "every product is possible"))
    sold = pd.DataFrame(columns=["product_id", "lines", "revenue", "share"])
    assert "Nothing was sold" in str(tables.outside(sold))


def test_rules_and_readings_and_what_was_sold_outside():
    rules = pd.DataFrame({"products": ["x"], "open_to": ["size = L"], "start": [date(2017, 1, 1)],
                          "stop": [None]})  # fmt: skip
    assert Read(tables.rules(rules)).rows == [
        ["Products", "Open to", "From"],
        ["x", "size = L", "1 January 2017"],
    ]
    sources = pd.DataFrame({"source": ["s"], "files": ["a.csv"], "rows": [1200], "read_as": ["utf-8"]})
    assert Read(tables.readings(sources)).rows[1] == ["s", "a.csv", "1,200", "utf-8"]
    sold = pd.DataFrame({"product_id": ["coupon"], "lines": [2], "revenue": [Decimal(5)], "share": [0.01]})
    assert Read(tables.outside(sold, "USD")).rows[1] == ["coupon", "2", "5.00", "1.0"]


def test_an_incomplete_quarter_has_no_figure():
    table = pd.DataFrame(
        {
            "quarter": ["2017Q3", "2017Q4"],
            "as_of": [date(2017, 9, 30), date(2017, 12, 31)],
            "complete": [False, True],
            "accounts": [2400, 2469],
            "n": [2400, 2469],
            "mean": [0.1, 0.54392],
            "revenue_quarter": [Decimal("1.005"), Decimal("1194791.08")],
        }
    )
    header, before, now = Read(tables.quarters(table, "USD")).rows
    mean = header.index("Average, %")
    assert (before[0], before[mean]) == ("Q3 2017", "–")
    assert (now[0], now[mean]) == ("Q4 2017", "54.4")
    assert now[-1] == "1,194,791.08"


def test_bands_say_where_they_reach():
    table = pd.DataFrame(
        {
            "band": ["low", "high"],
            "at_least": [None, Decimal(50)],
            "above": [None, None],
            "accounts": [1, 3],
            "share": [0.25, 0.75],
            "accounts_before": pd.array([None, None], dtype="Int64"),
            "action": ["ask", "keep"],
        }
    )
    header, low, high = Read(tables.bands(table)).rows
    assert "Before" not in header
    assert (low[1], high[1]) == ("below 50%", "50% or more")
    assert header[-1] == "What to do"
    unfit = tables.bands(table.assign(action=None), ["Not made for it."])
    assert Read(unfit).rows[1] == low[:-1]
    assert "What to do" not in str(unfit)
    assert "Not made for it." in str(unfit)


def test_a_band_of_too_few_is_not_counted_out():
    table = pd.DataFrame({"band": ["low", "high"], "at_least": [None, Decimal(50)], "above": None,
                          "accounts": [3, 997], "share": [0.003, 0.997], "accounts_before": [0, 990]})  # fmt: skip
    _, low, high = Read(tables.bands(table)).rows
    assert (low[2:], high[2:]) == (["<5", "–", "0"], ["997", "99.7", "990"])


def test_numbers_align_right_with_figures_of_one_width():
    shown = tables.segments(segments())._repr_html_()
    assert "tabular-nums" in shown
    assert {"kpi-table", "kpi-number", "kpi-text"} <= Read(shown).classes


def test_nothing_to_say_shows_nothing():
    assert str(tables.bullets([])) == str(tables.prose([])) == ""


def test_a_table_of_another_shape_is_refused_by_its_columns():
    with pytest.raises(KpiError, match="lacks 'product_id'"):
        tables.products(segments())


def test_tables_are_not_changed_by_showing_them():
    table = segments()
    tables.segments(table)
    pd.testing.assert_frame_equal(table, segments())
