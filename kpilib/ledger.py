"""What was read and what was set aside, for the client to see: the ledger in words and as a file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd

from kpilib import publish
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts
from kpilib.wording import intake


def text(book: Book) -> str:
    """Tell what was read, what was set aside and flagged, and how it reconciles."""
    parts = [
        f"{book.engagement.client}: {book.engagement.data_from} to {book.engagement.data_to}, "
        f"{len(book.products)} products, {_complete(book)}",
        *filter(None, [_without_snapshot(book)]),
        "Read\n" + "\n".join(_reading(each) for each in book.table("readings").to_dict("records")),
        "Reconciled\n" + "\n".join(_total(each) for each in book.totals().to_dict("records")),
    ]
    ledger = book.ledger()
    for action, title in (("set aside", "Set aside"), ("flagged", "Kept and flagged")):
        rows = ledger[ledger["action"] == action].to_dict("records")
        parts.append(f"{title}\n" + ("\n".join(map(_entry, rows)) or "  nothing"))
    if said := intake.doubts(doubts(book)):
        parts.append("Look at this before any figure\n" + "\n".join(f"  - {each}" for each in said))
    stated = controls(book)
    if len(stated):
        parts.append("Control totals\n" + "\n".join(_control(each) for each in stated.to_dict("records")))
    return "\n\n".join(parts)


DOUBTED = {  # whether it is told whatever it is worth
    "two_spellings": True,
    "open_to_nobody": True,
    "no_snapshot": True,
    "contradicting_rows": True,
    "outside_nothing": True,
    "repeated_line": False,
    "unlisted_account": False,
    "blank_cell": False,
}


def doubts(book: Book) -> pd.DataFrame:
    """What is counted, looks right, and may well be wrong.

    Returns
    -------
    table, rule, rows, share (0 to 1: of the table's revenue, or of its rows where there is none), of (revenue or
    rows), examples; worst rules first. What repeats, is blank or is of accounts without a row on file stands here
    where more than ``allow_set_aside`` of the revenue or of the rows is.
    """
    totals, rows = book.totals().set_index("table"), []
    ledger = book.ledger()
    for each in ledger[ledger["rule"].isin(list(DOUBTED)) & (ledger["action"] == "flagged")].to_dict("records"):
        of_rows, of_revenue = _shares(each, totals)
        if DOUBTED[each["rule"]] or max(of_rows, of_revenue) > book.engagement.allow_set_aside:
            share = (of_revenue, "revenue") if of_revenue else (of_rows, "rows")
            rows.append((each["table"], each["rule"], each["rows"], *share, each["examples"]))
    rows.sort(key=lambda row: (list(DOUBTED).index(row[1]), -row[3]))
    return pd.DataFrame(rows, columns=["table", "rule", "rows", "share", "of", "examples"])


def _shares(entry: dict, totals: pd.DataFrame) -> tuple[float, float]:
    """Rows and revenue of a ledger row, as shares of those read of its table; 0 where that tells nothing."""
    if entry["table"] not in totals.index:
        return 0.0, 0.0
    whole = totals.loc[entry["table"]]
    known = entry["revenue"] and whole["revenue_read"]
    return entry["rows"] / whole["rows_read"], float(entry["revenue"] / whole["revenue_read"]) if known else 0.0


def controls(book: Book) -> pd.DataFrame:
    """Compare totals as finance states them with the kit's own.

    Revenue is that of every line used in the quarter, whoever's it is; accounts are those of the base.

    Returns
    -------
    quarter, total (revenue or accounts), stated, measured, difference (measured less stated; Decimal).
    """
    monthly, rows = book.table("monthly"), []
    for each in book.engagement.control_totals:
        at = book.quarter(each.quarter)
        inside = monthly["month"].map(lambda month, at=at: at.first_day <= month <= at.last_day).astype(bool)
        accounts = int(counts.pairs(book, quarters=[at.label])["accounts"].sum())
        measured = {"revenue": sum(monthly.loc[inside, "revenue"], Decimal(0)), "accounts": Decimal(accounts)}
        for total, value in measured.items():
            stated = getattr(each, total)
            if stated is not None:
                rows.append((at.label, total, Decimal(stated), value, value - Decimal(stated)))
    return pd.DataFrame(rows, columns=["quarter", "total", "stated", "measured", "difference"])


def months(book: Book) -> pd.DataFrame:
    """Follow the delivery of lines month by month.

    Returns
    -------
    One row per month of the calendar: month (2017-01), lines, revenue (Decimal), flagged (no lines). None where
    nothing is delivered line by line: snapshots, contracts and installations alone have no month to miss.
    """
    given = book.table("monthly")
    summed = given.groupby("month").agg(lines=("lines", "sum"), revenue=("revenue", "sum"))
    summed.index = [f"{each:%Y-%m}" for each in summed.index]
    span = pd.period_range(book.engagement.data_from, book.engagement.data_to, freq="M").astype(str)
    by_line = any(each.kind in ("sales", "revenue") for each in book.engagement.evidence)
    span = span if by_line else span[:0]
    table = summed.reindex(span).rename_axis("month").reset_index()
    table["flagged"] = table["lines"].isna()
    return table.assign(
        lines=table["lines"].fillna(0).astype(int), revenue=table["revenue"].where(~table["flagged"], Decimal(0))
    )


def gaps(book: Book, later: str, earlier: str | None = None) -> list[str]:
    """Name the months without lines that the figures of a quarter, and of an earlier one, look back on: 2017-01."""
    if not book.has("monthly") or not len(book.table("monthly")):
        return []
    longest = max([book.lookback_months // 3, *map(int, book.products["lookback_quarters"])])
    opens = book.quarter(earlier or later).later(1 - longest).first_day
    found = months(book)
    inside = found["month"].between(f"{opens:%Y-%m}", f"{book.quarter(later).last_day:%Y-%m}")
    return found.loc[inside & found["flagged"], "month"].tolist()


def unproven(book: Book) -> float | None:
    """The share of revenue (0 to 1) that is of products which its table is no evidence of; None where there is none."""
    given = book.table("monthly")
    found, total = given.loc[given["status"] == "unproven", "revenue"].sum(), given["revenue"].sum()
    return float(found / total) if found and total else None


def outside(book: Book) -> pd.DataFrame:
    """Sum what was sold outside the catalogue.

    Returns
    -------
    product_id, lines, revenue (Decimal), share (of all revenue used, 0 to 1), largest revenue first.
    """
    given = book.table("monthly")
    total = given["revenue"].sum() if len(given) else Decimal(0)
    found = given[given["status"] == "outside"].fillna({"product_id": "(no product)"})
    found = found.groupby("product_id").agg(lines=("lines", "sum"), revenue=("revenue", "sum")).reset_index()
    found["share"] = [float(each / total) if total else None for each in found["revenue"]]
    return found.sort_values(["revenue", "product_id"], ascending=[False, True], ignore_index=True)


def share_set_aside(book: Book) -> float:
    """The largest share set aside of any table: of its gross revenue, or of its rows where that is unknown."""
    return max((share for share, _ in _shares_set_aside(book)), default=0.0)


def _shares_set_aside(book: Book) -> list[tuple[float, str]]:
    """What is set aside of every table: shares, each with words for what it is of."""
    shares = []
    ledger = book.ledger()
    for each in book.totals().to_dict("records"):
        unread = ledger[(ledger["table"] == each["table"]) & (ledger["rule"] == "unreadable_amount")]["rows"].sum()
        shares.append((float(unread) / each["rows_read"], f"the rows of {each['table']} (amounts unread)"))
        if each["gross_read"]:
            share = float((each["gross_set_aside"] or 0) / each["gross_read"])
            shares.append((share, f"the gross revenue of {each['table']}"))
        else:
            shares.append((each["rows_set_aside"] / each["rows_read"], f"the rows of {each['table']}"))
    return shares


def refuse_too_much(book: Book) -> None:
    """Stop where more is set aside than the engagement allows.

    Raises
    ------
    DataError
        As :func:`too_much` tells it.
    """
    if fault := too_much(book):
        raise fault


def too_much(book: Book) -> DataError | None:
    """Tell that more is set aside than the engagement allows: the share, of what, the limit; every such table."""
    limit = book.engagement.allow_set_aside
    over = sorted((each for each in _shares_set_aside(book) if each[0] > limit), key=lambda each: -each[0])
    if not over:
        return None
    (share, what), *others = over
    return DataError(
        f"Too much is set aside: {share:.1%} of {what}; the engagement allows {limit:.1%}.",
        f"Also {', '.join(f'{share:.1%} of {what}' for share, what in others)}." if others else "",
        "Mend what the ledger names, or raise allow_set_aside if the client accepts the loss.",
    )


def write_set_aside(book: Book, path: Path) -> Path:
    """Write every row that was set aside, with its rule, file and record, for the client.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        return publish.write(book.table("set_aside"), path)
    except OSError as error:
        raise DataError(f"{path} cannot be written.", f"{error.strerror or error}.", "Write it elsewhere.") from error


def _complete(book: Book) -> str:
    told = f"complete {book.complete_quarters()}" if book.complete_quarters() else "no quarter complete"
    return f"{told} with a look-back of {book.lookback_months} months"


def _without_snapshot(book: Book) -> str:
    """Name the quarters of which no figure can be given, where snapshots are evidence."""
    gone = book.quarters[book.quarters["no_snapshot"].astype(bool)]
    return "\n".join(f"no snapshot of {each.as_of}: {each.label} has no figures" for each in gone.itertuples())


def _reading(each: dict) -> str:
    return f"  {each['source']}: {each['rows']:,} rows of {each['files'] or 'a query'} ({each['read_as']})"


def _money(amount: Decimal | None) -> str:
    return "no amount" if amount is None else f"{amount:,.2f}"


def _total(each: dict) -> str:
    read, used, aside = (f"{each[f'rows_{what}']:,}" for what in ("read", "used", "set_aside"))
    line = f"  {each['table']}: {read} rows = {used} used + {aside} set aside"
    if each["revenue_read"] is None:
        return line
    net = [each["revenue_read"], each["revenue_used"] or Decimal(0), each["revenue_set_aside"] or Decimal(0)]
    return "{}; revenue {} = {} + {}".format(line, *map(_money, net))


def _entry(each: dict) -> str:
    also = each["hits"] - each["rows"]
    if not each["rows"]:
        return f"  {also:,} {each['rule']} in {each['table']}: {each['says']} (an earlier rule owns them all)"
    lines = [f"  {each['rows']:,} {each['rule']} in {each['table']}: {each['says']}"]
    if also:
        lines[0] += f" ({each['hits']:,} with those that an earlier rule owns)"
    if each["also_set_aside"] and not also:
        lines[0] += f" ({each['also_set_aside']:,} of them set aside)"
    if each["revenue"] is not None:
        lines.append(f"      revenue {_money(each['revenue'])}")
    lines += [f"      e.g. {example}" for example in each["examples"].split("\n")[:2] if example]
    return "\n".join([*lines, *([f"      {each['todo']}"] if each["todo"] else [])])


def _control(each: dict) -> str:
    agree = "agrees" if not each["difference"] else f"differs by {each['difference']:+,.2f}"
    places = 2 if each["total"] == "revenue" else 0
    stated, measured = (f"{each[name]:,.{places}f}" for name in ("stated", "measured"))
    return f"  {each['quarter']} {each['total']}: stated {stated}, measured {measured} ({agree})"
