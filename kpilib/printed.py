"""Figures printed in a terminal: aligned text for people, CSV for pipelines."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from kpilib.publish import safe
from kpilib.tables.cards import INLINE, LISTS, WORDS
from kpilib.wording import issued as say
from kpilib.written import band_ranges, count, missing, money, per_cent, upper

WIDTH = 100  # columns
COMPARED = {
    "mean": "average",
    "pooled": "together",
    "multi": "two or more",
    "index": "index",
    "accounts": "customers",
    "revenue_quarter": "revenue",
    "revenue_window": "of look-back",
    "net_revenue_retention": "retained, net",
    "gross_revenue_retention": "gross",
}

Figures = dict[str, Any]


def headline(found: Figures, client: str) -> str:
    """Lay the measured object out for people: the headline figures, then bands and products."""
    groups = found.get("groups", [])
    title = f"{client}, end of {found['quarter']} ({found['as_of']})" + (
        "" if found["complete"] else ", INCOMPLETE: the data do not cover the look-back"
    )
    columns = [("all", found), *[(each["group"], each) for each in groups]]
    if groups:
        return f"{title}\n\n{aligned(_by_group(columns))}"
    parts = [title, aligned(list(_figures(found))), "Bands\n" + aligned(list(_bands(found)))]
    parts.append("Attach rates\n" + aligned([[n, per_cent(v)] for n, v in found["attach_rate"].items()]))
    return "\n\n".join(parts)


def _figures(found: Figures) -> Iterator[list[str]]:
    degree, index, change = (
        found[key] for key in ("account_penetration_degree", "account_penetration_index", "change")
    )
    yield ["Account penetration degree, mean", per_cent(degree["mean"]), f"n = {count(found['n'])}"]
    yield ["  pooled", per_cent(degree["pooled"]), "all slots together"]
    yield ["  median", per_cent(degree["median"]), ""]
    if change:
        yield [f"  change on {change['against']}", *_change(found)]
    yield ["Accounts counted", count(found["accounts"]), f"base {found['base']}"]
    if found["accounts_nothing_possible"]:
        yield ["  with nothing possible", count(found["accounts_nothing_possible"]), "no degree"]
    yield ["  lost since last quarter", count(found["accounts_lost"]), ""]
    shares = found["multi_product_share"]
    for k in sorted(shares, key=int)[1:4]:
        yield [f"Accounts with {k} products or more", per_cent(shares[k]), ""]
    yield ["Products per account", _two(found["products_per_account"]), f"of {found['products']} on sale"]
    if index:
        yield ["Account penetration index", per_cent(index["value"]), f"reading: {index['reading']}"]
        if index["logging_coverage"] is not None:
            yield ["  logging coverage", per_cent(index["logging_coverage"]), "held slots with a record"]
    yield ["Lapsing holdings", count(found["lapsing"]), "past twice their usual interval"]
    yield ["Revenue of the quarter", money(_decimal(found["revenue_quarter"])), ""]
    yield [f"  of the {found['lookback_months']} months", money(_decimal(found["revenue_window"])), ""]


def _change(found: Figures) -> list[str]:
    """Tell how far the degree moved; nothing to move from is said apart from no degree."""
    change = found["change"]
    if change["points"] is None:
        planned = change["against"] != "plan" or found["account_penetration_degree"]["mean"] is None
        return ["undefined" if planned else "no plan", ""]
    told = f"{change['points']:+.2f} points"
    if change["interval"] is None:
        return [told, ""]
    low, high = change["interval"]
    return [told, f"95 % interval {low:+.2f} to {high:+.2f}"]


def _bands(found: Figures) -> Iterator[list[str]]:
    counted = sum(found["bands"].values())
    for name, accounts in found["bands"].items():
        yield [name, count(accounts), per_cent(accounts / counted if counted else None)]


def _by_group(columns: Sequence[tuple[str, Figures]]) -> list[list[str]]:
    rows = [["group", "accounts", "n", "mean", "pooled", "median", "2+", "per account", "lapsing",
             "revenue of quarter", "change, points"]]  # fmt: skip
    for name, each in columns:
        degree = each["account_penetration_degree"]
        rows.append([
            plain(name), count(each["accounts"]), count(each["n"]),
            *[per_cent(degree[key]) for key in ("mean", "pooled", "median")],
            per_cent(each["multi_product_share"].get("2")), _two(each["products_per_account"]),
            count(each["lapsing"]), money(_decimal(each["revenue_quarter"])),
            " ".join(_change(each)).replace(" points", "").strip() if each["change"] else "",
        ])  # fmt: skip
    return rows


def restatement(found: Any) -> str:
    """Lay out what became of an issued quarter (``issued.Diff``): its figures, then the parts of their difference."""
    told = [["", "as issued", "today", "difference"]]
    names, places = say.compared(found), say.places(found)
    for row in found.figures.set_index("figure").loc[names].reset_index().to_dict("records"):
        figure, decimals = row["figure"], places[row["figure"]]
        shown = [say.figure(figure, row[each], None, decimals) for each in ("as_issued", "today")]
        told.append([say.FIGURES[figure], *shown, say.size(figure, row["difference"], None, decimals)])
    rows = [["", *[COMPARED[name] for name in names], "lines", "touched"]]
    notes = []
    for row in found.parts.to_dict("records"):
        sizes = [say.size(name, row[name], None, places[name]) for name in names]
        rows.append([say.PARTS[row["part"]], *sizes, count(row["lines"]), count(row["accounts_touched"])])
        most = f"; customers touched most: {plain(row['most'])}" if row["most"] else ""
        notes += [f"{say.PARTS[row['part']]}: {plain(row['what'])}{most}"] if row["what"] else []
    if left := say.rounding_row(found):
        rows.append(["Rounding", *[left[name] for name in names], "", ""])
    rows.append(["Together", *[row[-1] for row in told[1:]], "", ""])
    parts = [" ".join(say.answer(found)), aligned(told), "Parts of the difference; shares in points\n" + aligned(rows)]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else []), say.NOT_COMPARED])


def leaves(found: Figures) -> str:
    """Write the measured object as CSV: one row per figure, one column per group."""
    columns = [("all", found), *[(each["group"], each) for each in found.get("groups", [])]]
    flat = [_leaves(each) for _, each in columns]
    to = io.StringIO()
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(["figure", *[safe(name) for name, _ in columns]])
    for name in flat[0]:
        writer.writerow([safe(name), *[safe(each.get(name, "")) for each in flat]])
    return to.getvalue()


def _leaves(found: Figures, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            flat |= _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, list) and name != "groups":
            flat |= _leaves(dict(zip(("low", "high"), value, strict=True)), f"{prefix}{name}.")
        elif name not in ("group", "groups"):
            flat[prefix + name] = "" if value is None else str(value)
    return flat


def table(frame: pd.DataFrame) -> str:
    """Lay a result table out for people; what is missing stays blank."""
    names = [str(name).replace("_", " ") for name in frame]
    return aligned([names, *[[_cell(each) for each in row] for row in frame.itertuples(index=False)]])


def card(told: Any, client: str | None = None) -> str:
    """Lay a KPI card out for people, with a client's figures where it has some.

    Parameters
    ----------
    told
        card, sentences, parts and answers (``appendix.Told``).
    """
    its = told.card
    parts = [f"{its.name}\n{'=' * len(its.name)}", wrapped(its.says), wrapped(upper(its.formula))]
    if client is not None:
        here = told.sentences or ("No figure is shown on this card yet.",)
        values = aligned([[f"  {upper(plain(what))}", value] for what, value in told.parts])
        parts.append(_section(f"At {plain(client)}", "\n".join([*map(wrapped, here), *filter(None, [values])])))
    for field, words in WORDS.items():
        if field == "related":
            parts += [*_card_bands(its), *_clarified(its)]
        parts.append(_section(words, _attribute(told, field)))
    return "\n\n".join(parts)


def _attribute(told: Any, field: str) -> str:
    if field == "diagnostic_questions":
        return "\n".join(_item(" ".join(filter(None, each))) for each in told.answers)
    value = getattr(told.card, field)
    if field in LISTS:
        return "\n".join(map(_item, value))
    return wrapped(", ".join(value) if field in INLINE else value)


def _card_bands(its: Any) -> Iterator[str]:
    for each in its.bands:
        limits = pd.DataFrame([{"at_least": band.at_least, "above": band.above} for band in each.bands])
        named = zip(each.bands, band_ranges(limits), strict=True)
        rows = aligned([[f"  {band.name}", where, band.reading] for band, where in named])
        made = f" Made for up to {each.most_products} products." if each.most_products else ""
        note = wrapped(f"For {each.denominator} as denominator only. Source: {each.source}.{made}")
        yield _section(f"Bands: {each.name}", f"{rows}\n{note}")


def _clarified(its: Any) -> Iterator[str]:
    if its.clarifications:
        yield _section(
            "Asked about it", "\n".join(_item(f"{each.question} {each.answer}") for each in its.clarifications)
        )


def _section(heading: str, body: str) -> str:
    return f"{heading}\n{'-' * len(heading)}\n{body}"


def wrapped(text: str) -> str:
    """Break a sentence at the width of a terminal."""
    return textwrap.fill(text, WIDTH)


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ")


def plain(text: object) -> str:
    r"""Show the control characters of a client's text instead of obeying them.

    Example
    -------
    >>> print(plain("line" + chr(10) + "break"))
    line\nbreak
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Set rows of text in columns."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(value: Any) -> str:
    if missing(value):
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _two(number: float | None) -> str:
    return "undefined" if number is None else f"{number:.2f}"
