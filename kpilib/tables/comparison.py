"""Tables of before and after: figures like for like, the parts of a change, factors of revenue."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.wording.comparison import FACTORS, PARTS, READINGS, kpi, rows_of, summed
from kpilib.written import (
    MINUS,
    NOTHING,
    count,
    missing,
    money,
    name,
    needing,
    per_cent,
    points,
    quarter,
    rounds_away,
    spaced,
    upper,
)

MOST_PLACES = 6  # decimals of points: a millionth of a point concerns nobody
LIKE_FOR_LIKE = "same_accounts_and_products"
LEVELS = ("before", "after")
CHANGES = ("change", "low", "high")
MOVERS_NOTE = (
    "From the largest rise to the largest fall. A customer that leaves with less than the average raises it; one that "
    "joins with less lowers it (0 of 0: not counted)."
)
MIX_NOTE = "Within and mix sum to the change of the average of all customers."


def readings(found: pd.DataFrame, earlier: str, later: str, currency: str | None = None) -> Html:
    """Show figures as reported and like for like (``comparison.before_after``), each in its own unit."""
    table = needing(found, "kpi", "reading", "unit", *LEVELS, *CHANGES, "per_cent", "n_both")
    rows = _without_repeats(table.to_dict("records"))
    told = [_reading(row, currency) for row in rows]
    names = [row["kpi"] for row in told]
    for row, above in zip(told, [None, *names], strict=False):  # a figure is named once
        row["kpi"] = None if row["kpi"] == above else row["kpi"]
    columns = [
        text("kpi", "Figure"),
        text("reading", "Of"),
        _plain("before", quarter(earlier)),
        _plain("after", quarter(later)),
        _plain("change", "Change"),
        _plain("per_cent", "Change, %"),
        _plain("low", "95% interval from"),
        _plain("high", "to"),
        Column("n_both", "Had both times (n)", count),
    ]
    notes = ["Shares in %, their changes in points; revenue" + (f" in {name(currency)}." if currency else " as given.")]
    if len(rows) < len(table):
        notes.append("Where the products customers could buy did not change, the last reading is the one above it.")
    return show(pd.DataFrame(told), columns, f"{quarter(later)} against {quarter(earlier)}", notes)


def parts(bridge: Any) -> Html:
    """Show the parts of a change (``bridge.Bridge``) with their intervals and whom they concern."""
    rows = [{**row, "part": upper(PARTS[row["part"]])} for row in rows_of(bridge)]
    off = summed([row["points"] for row in rows], bridge.change.value)
    whole = {"points": bridge.change.value, "low": bridge.change.low, "high": bridge.change.high}
    rows.append({"part": "Change as reported", "accounts": bridge.change.n, **whole})
    title = f"What the change from {quarter(bridge.earlier)} to {quarter(bridge.later)} is made of"
    return show(pd.DataFrame(rows), [
        text("part", "Part"),
        Column("points", "Points", points),
        Column("low", "95% interval from", points),
        Column("high", "to", points),
        Column("accounts", "Customers concerned", count),
    ], title, [f"The parts sum to the change as reported{off}."])  # fmt: skip


def segments(split: Any, minimum: int = 5) -> Html:
    """Show groups (``bridge.Segments``) with within and mix; suppressed ones keep their name only."""
    table = split.table.copy()
    hidden = table["suppressed"].astype(bool)
    figures = [column for column in table if column not in ("group", "suppressed")]
    table[figures] = table[figures].astype(object).mask(hidden, None)
    few = [f"Not shown: groups of fewer than {minimum} customers at either time."] if hidden.any() else []
    return show(table, [
        text("group", "Group"),
        Column("n_before", "Customers before", count),
        Column("n_after", "Customers after", count),
        Column("before", "Before, %", _share),
        Column("after", "After, %", _share),
        Column("within", "Within, points", points),
        Column("within_low", "95% interval from", points),
        Column("within_high", "to", points),
        Column("mix", "Mix, points", points),
    ], f"Within groups and by their mix: {spaced(split.by)}", [MIX_NOTE, *few])  # fmt: skip


def factors(revenue: Any, currency: str | None = None) -> Html:
    """Show what makes up the growth of revenue (``bridge.Revenue``); words where there is none."""
    if revenue is None:
        return prose(["Revenue is not given at both quarters, or nothing was held: there is nothing to split."])
    table = revenue.factors.assign(factor=[upper(FACTORS[each]) for each in revenue.factors["factor"]])
    shown = {upper(FACTORS["penetration"]): per_cent, upper(FACTORS["accounts"]): count}
    for when in LEVELS:
        pairs = zip(table["factor"], table[when], strict=True)
        table[when] = [shown.get(factor, _decimal)(each) for factor, each in pairs]
    unit = f", {name(currency)}" if currency else ""
    before, after = (money(each, currency, 0) for each in (revenue.before, revenue.after))
    then, now = quarter(revenue.earlier), quarter(revenue.later)
    notes = [f"Revenue of these customers: {before} in {then}, {after} in {now}."]
    return show(table, [
        text("factor", "Factor"),
        _plain("before", then),
        _plain("after", now),
        Column("per_cent", "Change, %", _relative),
        Column("effect", f"Part in the change of revenue{unit}", lambda each: money(each, None, 0)),
        Column("of_revenue", "in % of the revenue before", _relative),
    ], f"Revenue of customers we had both in {then} and in {now}", notes)  # fmt: skip


def accounts(found: pd.DataFrame, earlier: str, later: str) -> Html:
    """Show the customers with the largest parts (``bridge.by_account``), up and down."""
    table = needing(found, "account_id", "points")
    sizes = table.loc[table["points"] != 0, "points"].abs()
    places = 3 if sizes.empty else min(max(3, math.ceil(-math.log10(100 * sizes.min()))), MOST_PLACES)
    table = table[~table["points"].map(lambda each: rounds_away(each, places))]
    return show(table, [
        text("account_id", "Customer"),
        text("name", "Name"),
        text("owner", "Owner"),
        Column("held_earlier", "Had", count),
        Column("possible_earlier", "of", count),
        Column("held_later", "Has", count),
        Column("possible_later", "of ", count),
        Column("points", "Part in the change, points", lambda each: _fine(each, places)),
    ], f"Who moved the average most, {quarter(earlier)} to {quarter(later)}", [MOVERS_NOTE])  # fmt: skip


def _without_repeats(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the reading of the same products where it is that of the same customers."""
    return [
        row
        for above, row in zip([None, *rows], rows, strict=False)
        if above is None or row["reading"] != LIKE_FOR_LIKE or any(row[each] != above[each] for each in LEVELS)
    ]


def _reading(row: dict[str, Any], currency: str | None) -> dict[str, Any]:
    """Write one row in its unit."""
    level, change = {
        "share": (_share, points),
        "products": (_decimal, _more),
        "money": (_decimal, _more),
        "growth": (_decimal, _relative),
    }[row["unit"]]
    shown = {each: level(row[each]) for each in LEVELS} | {each: change(row[each]) for each in CHANGES}
    named = {"kpi": kpi(row["kpi"]), "reading": READINGS[row["reading"]]}
    return {**named, **shown, "per_cent": _relative(row["per_cent"]), "n_both": row["n_both"]}


def _plain(field: str, title: str) -> Column:
    return Column(field, title, str)


def _share(value: Any) -> str:
    return per_cent(value).rstrip("%")


def _decimal(value: Any) -> str:
    return NOTHING if missing(value) else f"{value:,.2f}".replace("-", MINUS)


def _more(value: Any) -> str:
    """Write a difference of amounts, with its sign."""
    return NOTHING if missing(value) else f"{value:+,.2f}".replace("-", MINUS)


def _relative(value: Any) -> str:
    """Write a relative change in per cent, with its sign."""
    if missing(value):
        return NOTHING
    shown = f"{100 * value:+,.1f}".replace("-", MINUS)
    return "0.0" if shown[1:] == "0.0" else shown


def _fine(value: Any, places: int = 3) -> str:
    return NOTHING if missing(value) else f"{100 * value:+.{places}f}".replace("-", MINUS)
