"""Result tables as small HTML tables: everything escaped, numbers right-aligned, units in headers.

Each function returns an :class:`Html`, which shows itself as the last value of a notebook cell.
Class names begin with ``kpi-``; a page that brings its own style for them overrides ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import pandas as pd

from kpilib.written import (
    NOTHING,
    band_ranges,
    count,
    day,
    few,
    missing,
    money,
    name,
    needing,
    per_cent,
    points,
    quarter,
    spaced,
    too_few,
    upper,
)

STYLE = """
.kpi-table { border-collapse: collapse; font-size: 0.9em; margin: 0.5em 0 1em; }
.kpi-table caption { text-align: left; font-weight: bold; padding: 0.3em 0; }
.kpi-table th, .kpi-table td { text-align: left !important; vertical-align: top; max-width: 28em;
  padding: 0.25em 0.8em 0.25em 0; border-bottom: 1px solid #e8ecf0; overflow-wrap: anywhere; }
.kpi-table thead th { color: #566270; font-weight: normal; border-bottom: 1px solid #c9d0d8;
  overflow-wrap: break-word; }
.kpi-table tbody th { font-weight: normal; min-width: 5em; }
.kpi-table .kpi-number { text-align: right !important; font-variant-numeric: tabular-nums; }
.kpi-table td.kpi-number { white-space: nowrap; }
.kpi-table .kpi-lines { white-space: pre-line; font-size: 0.85em; }
.kpi-note { color: #566270; font-size: 0.85em; margin: 0.2em 0; }
"""

LEDGER_NOTES = (
    "Rows: set aside or flagged by this rule; a row set aside belongs to the first rule it breaks.",
    "Rows found in all: also those that an earlier rule had set aside.",
)
RISK_NOTE = "At risk: customers who have it and are past twice the usual time between purchases."
SAME_NOTE = "Change and interval: of customers who could buy it both times."

Shown = Callable[[Any], str]


@dataclass(frozen=True)
class Html:
    """A piece of a page, already escaped."""

    html: str

    def __str__(self) -> str:
        return self.html

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html}" if self.html else ""


@dataclass(frozen=True)
class Column:
    """How one column of a result table is shown: its field, header with unit, and writing.

    A column that the table lacks, or that holds nothing, is not shown.
    """

    field: str
    title: str
    shown: Shown
    look: str = "kpi-number"


def prose(sentences: Sequence[str]) -> Html:
    """Show sentences as one paragraph."""
    return Html(f'<p class="kpi-answer">{escape(" ".join(sentences))}</p>' if sentences else "")


def bullets(sentences: Iterable[str]) -> Html:
    """Show sentences as a list, such as caveats; nothing where there are none."""
    items = "".join(f"<li>{escape(each)}</li>" for each in sentences)
    return Html(f'<ul class="kpi-list">{items}</ul>' if items else "")


def definition(entries: Mapping[str, str]) -> Html:
    """Show the definition box that :func:`kpilib.wording.definition` fills."""
    rows = "".join(
        f'<tr><th scope="row">{escape(word)}</th><td>{escape(meaning)}</td></tr>' for word, meaning in entries.items()
    )
    return Html(f'<table class="kpi-table kpi-definition"><tbody>{rows}</tbody></table>')


def show(table: pd.DataFrame, columns: Sequence[Column], caption: str, notes: Sequence[str] = ()) -> Html:
    """Write a result table; the first column names the row.

    Example
    -------
    >>> odd = pd.DataFrame({"group": ["<b>"], "n": [1200], "mean": [0.5]})
    >>> page = show(odd, [text("group", "Group"), Column("n", "n", count)], "Groups").html
    >>> "&lt;b&gt;" in page, '<td class="kpi-number">1,200</td>' in page
    (True, True)
    """
    kept = [column for column in columns if _any(table, column.field)] or [*columns[:1]]
    head = "".join(_cell("th", column.title, column.look, ' scope="col"') for column in kept)
    body = "".join(f"<tr>{_row(row, kept)}</tr>" for row in table.to_dict("records"))
    under = "".join(f'<p class="kpi-note">{escape(note)}</p>' for note in notes)
    return Html(
        f'<table class="kpi-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{under}"
    )


def text(field: str, title: str, look: str = "kpi-text") -> Column:
    """Describe a column of names or words; ``kpi-lines`` keeps their line breaks."""
    written = _lines if look == "kpi-lines" else _words
    return Column(field, title, written, look)


def quarters(by_quarter: pd.DataFrame, currency: str | None = None) -> Html:
    """Show penetration by quarter (``penetration.by_quarter``), latest last.

    Incomplete quarters, and those without their snapshot, show who is counted and no figure.
    """
    table = needing(by_quarter, "quarter", "complete", "n", "mean")
    whole = table["complete"].astype(bool)
    shares = ("mean", "pooled", "median", "multi", "products_per_account", "plan")
    for field in set(shares) & set(table):
        table[field] = table[field].astype(object).where(whole, None)
    unseen = table.get("no_snapshot", pd.Series(False, table.index)).astype(bool)
    notes = ["No figure where the data do not cover the whole look-back."] if (~whole & ~unseen).any() else []
    notes += ["No figure where there is no snapshot of that day."] if unseen.any() else []
    notes += ["Revenue: of the customers counted."] if _any(table, "revenue_quarter") else []
    return show(table, [
        Column("quarter", "End of", quarter, "kpi-text"),
        Column("n", "Customers (n)", count),
        Column("mean", "Average, %", _share),
        Column("median", "Median, %", _share),
        Column("plan", "Plan, %", _share),
        Column("multi", "Two products or more, %", _share),
        Column("products_per_account", "Products per customer", _one_decimal),
        Column("lost", "No longer counted", count),
        Column("joined", "New", count),
        Column("revenue_quarter", _in("Revenue", currency), money),
    ], "Penetration by quarter", notes)  # fmt: skip


def segments(by_segment: pd.DataFrame, minimum: int = 5) -> Html:
    """Show groups (``penetration.by_segment``); suppressed ones keep their name only."""
    table = needing(by_segment, "group", "n", "mean", "suppressed")
    hidden = table["suppressed"].astype(bool)
    figures = [column for column in table if column not in ("group", "suppressed")]
    table[figures] = table[figures].astype(object).mask(hidden, None)
    few = f"Not shown: groups of fewer than {minimum} customers." if hidden.any() else ""
    same = "Change and interval: of customers we had both times." if _any(table, "change") else ""
    return show(table, [
        text("group", "Group"),
        Column("n", "Customers (n)", count),
        Column("mean", "Has, % of what it could buy", _share),
        Column("target", "Plan, %", _share),
        Column("pooled", "All customers together, %", _share),
        Column("mean_before", "Before, %", _share),
        Column("change", "Change, points", points),
        Column("low", "95% interval from", points),
        Column("high", "to", points),
        Column("n_both", "Had both times (n)", count),
        Column("contribution", "Part in total change, points", points),
    ], "By group", [each for each in (same, few) if each])  # fmt: skip


def products(by_product: pd.DataFrame, currency: str | None = None) -> Html:
    """Show products (``penetration.by_product``), most widely held first."""
    table = needing(by_product, "product_id", "possible", "held", "attach_rate")
    table = table.sort_values("attach_rate", ascending=False, na_position="last", kind="stable")
    return show(table, [
        text("product_id", "Product"),
        text("family", "Family"),
        Column("possible", "Could buy it (n)", count),
        Column("held", "Have it", count),
        Column("attach_rate", "Have it, %", _share),
        Column("attach_before", "Before, %", _share),
        Column("change", "Change, points, of who could buy both times", points),
        Column("low", "95% interval from", points),
        Column("high", "to", points),
        Column("n_both", "Could buy it both times (n)", count),
        Column("lapsing", "At risk", count),
        Column("revenue_quarter", _in("Revenue of the quarter", currency), money),
    ], "By product", _product_notes(table))  # fmt: skip


def accounts(who: pd.DataFrame, currency: str | None = None) -> Html:
    """Show the accounts to look at (``penetration.who``), with their attributes as given."""
    table = needing(who, "account_id", "possible", "held", "degree")
    if table.empty:
        return prose(["No customer is in this band."])
    first = [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
    ]
    last = [
        Column("held", "Has", count),
        Column("possible", "Could buy", count),
        Column("degree", "Share, %", _share),
        Column("revenue_window", _in("Revenue", currency), money),
        Column("lapsing", "At risk", count),
        Column("missing", "Could buy, does not have", _few, "kpi-text"),
    ]
    known = {column.field for column in (*first, *last)}
    own = [text(each, upper(spaced(each))) for each in table if each not in known]
    order = ["Products that most others have come first."]
    return show(table, [*first, *last, *own], "Customers to look at", order)


def readings(sources: pd.DataFrame) -> Html:
    """Show what was read: source, files, rows, and how it was read."""
    table = needing(sources, "source", "files", "rows", "read_as")
    return show(table, [
        text("source", "Source"),
        text("files", "Files"),
        Column("rows", "Rows", count),
        text("read_as", "Read as"),
    ], "What was read")  # fmt: skip


def controls(stated: pd.DataFrame, currency: str | None = None) -> Html:
    """Show what finance states beside what is measured; words where it states nothing."""
    table = needing(stated, "quarter", "total", "stated", "measured", "difference")
    if table.empty:
        return prose(["The client's finance department states no totals to compare with."])
    amounts = ("stated", "measured", "difference")
    for field in amounts:
        pairs = zip(table["total"], table[field], strict=True)
        table[field] = [money(each, currency) if total == "revenue" else count(each)
                        for total, each in pairs]  # fmt: skip
    table["total"] = [{"accounts": "customers"}.get(each, each) for each in table["total"]]
    return show(table, [
        Column("quarter", "Quarter", quarter, "kpi-text"),
        text("total", "Total"),
        *(Column(field, upper(field), str) for field in amounts),
    ], "What finance states", ["Difference = measured less stated."])  # fmt: skip


def outside(sold: pd.DataFrame, currency: str | None = None) -> Html:
    """Show what was sold outside the catalogue; words where nothing was."""
    table = needing(sold, "product_id", "lines", "revenue", "share")
    if table.empty:
        return prose(["Nothing was sold outside the catalogue."])
    return show(table, [
        text("product_id", "Sold"),
        Column("lines", "Lines", count),
        Column("revenue", _in("Revenue", currency), money),
        Column("share", "Share of all revenue, %", _share),
    ], "Outside the catalogue")  # fmt: skip


def rules(eligibility: pd.DataFrame, otherwise: str | None = None) -> Html:
    """Show who could buy what; without rules, the sentence that says so."""
    table = needing(eligibility, "products", "open_to", "start", "stop")
    if table.empty:
        return prose([otherwise] if otherwise else [])
    return show(table, [
        text("products", "Products"),
        text("open_to", "Open to"),
        Column("start", "From", day, "kpi-text"),
        Column("stop", "Until", day, "kpi-text"),
    ], "Who could buy what")  # fmt: skip


def ledger(entries: pd.DataFrame, currency: str | None = None) -> Html:
    """Show which rules rows broke, in which table, and what was done with them; words where none did."""
    table = needing(entries, "table", "says", "action", "rows", "hits")
    if table.empty:
        return prose(["No row broke a rule."])
    return show(table, [
        text("says", "What was found"),
        text("table", "Where"),
        text("action", "What was done"),
        Column("rows", "Rows", count),
        Column("hits", "Found in all", count),
        Column("revenue", _in("Revenue", currency), money),
    ], "Rules that rows broke", LEDGER_NOTES)  # fmt: skip


def examples(entries: pd.DataFrame, most: int = 2) -> Html:
    """Show the first rows that broke each rule, as the client wrote them, and what would mend them; nothing of none."""
    table = needing(entries, "says", "examples", "todo")
    if table.empty:
        return Html("")
    table["examples"] = ["\n".join(each.splitlines()[:most]) for each in table["examples"]]
    table["todo"] = table["todo"].where(table["todo"] != "", None)
    return show(table, [
        text("says", "What was found"),
        text("examples", "Examples: file, record: account, item, date, amount", "kpi-lines"),
        text("todo", "What would mend it"),
    ], "Examples", ["Every row set aside is in the table set_aside."])  # fmt: skip


def reconciliation(totals: pd.DataFrame, currency: str | None = None) -> Html:
    """Show that rows read are rows used and rows set aside, and revenue likewise."""
    kinds = (("rows", None, count), ("revenue", currency, money))
    columns = [
        Column(f"{what}_{part}", _in(f"{upper(what)} {part.replace('_', ' ')}", unit), written)
        for what, unit, written in kinds
        for part in ("read", "used", "set_aside")
    ]
    table = needing(totals, "table", *(column.field for column in columns))
    notes = ["Read = used + set aside."]
    return show(table, [text("table", "Table"), *columns], "Read, used, set aside", notes)


def bands(table: pd.DataFrame, notes: Sequence[str] = (), minimum: int = 5) -> Html:
    """Show the bands (``penetration.bands``), from low to high, with such notes as that they do not fit.

    Bands of too few customers are not counted out.
    """
    table = needing(table, "band", "at_least", "above", "accounts", "share")
    table["reach"] = band_ranges(table)
    table["share"] = table["share"].mask([too_few(each, minimum) for each in table["accounts"]])
    written = partial(few, least=minimum)
    return show(table, [
        text("band", "Band"),
        text("reach", "Share of what they could buy"),
        Column("accounts", "Customers", written),
        Column("share", "Share of customers, %", _share),
        Column("accounts_before", "Before", written),
        text("action", "What to do"),
    ], "Bands", notes)  # fmt: skip


def _row(row: Mapping[str, Any], columns: Sequence[Column]) -> str:
    first, *rest = ((column.shown(row.get(column.field)), column.look) for column in columns)
    return _cell("th", *first, ' scope="row"') + "".join(_cell("td", *each) for each in rest)


def _cell(tag: str, text: str, look: str, more: str = "") -> str:
    return f'<{tag} class="{look}"{more}>{escape(text)}</{tag}>'


def _any(table: pd.DataFrame, field: str) -> bool:
    return field in table and not all(missing(each) for each in table[field])


def _words(value: Any) -> str:
    return "" if missing(value) else name(value, most=500)


def _lines(value: Any) -> str:
    return "" if missing(value) else "\n".join(name(each, most=500) for each in value.splitlines())


def _few(value: Any, most: int = 4) -> str:
    """Write the first of a list of names; a page has no room for all."""
    names = _words(value).split(", ")
    return ", ".join(names[:most]) + (f" and {count(len(names) - most)} more" if len(names) > most else "")


def _share(value: Any) -> str:
    return per_cent(value).rstrip("%")


def _one_decimal(value: Any) -> str:
    return NOTHING if missing(value) else f"{value:,.1f}"


def _in(title: str, unit: str | None) -> str:
    return f"{title}, {name(unit)}" if unit else title


def _product_notes(table: pd.DataFrame) -> list[str]:
    notes = {"change": SAME_NOTE, "lapsing": RISK_NOTE}
    return [note for field, note in notes.items() if _any(table, field)]
