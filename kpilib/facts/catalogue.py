"""The products an account could hold, and which sold item is which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kpilib.engagement import Engagement, lookback_fault
from kpilib.errors import DataError, listed, refuse
from kpilib.facts import checks
from kpilib.facts.intake import columns_of
from kpilib.facts.sources import PROVENANCE, Reading
from kpilib.sql import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def grain(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> bool:
    """Make ``grain_map``: which sold item is which product, and between which days."""
    if engagement.grain is None:
        return False
    columns = columns_of(db, "grain", engagement.grain, engagement, readings)
    item = columns.text("item_id")
    start, stop = (columns.optional("day", each) for each in ("valid_from", "valid_to"))
    source = f"{quoted(columns.reading.view)} where {columns.given('product_id')}"
    unread = f"{columns.unread('valid_from', start)} or {columns.unread('valid_to', stop)}"
    wrong = db.execute(f"select distinct {item} from {source} and ({unread}) order by 1").fetchall()
    if wrong:
        raise DataError(
            "The grain has a valid_from or valid_to that cannot be read.",
            f"Found at {listed([each[0] for each in wrong], most=5)}.",
            "Write dates as 2025-01-31, or declare date_format.",
        )
    db.execute(
        f"create temp table grain_map as select distinct {item} as item_id, {columns.text('product_id')} as product_id,"
        f" coalesce({start}, date '0001-01-01') as valid_from, coalesce({stop}, date '9999-12-31') as valid_to "
        f"from {source}"
    )
    clash = db.execute(
        "select a.item_id, min(a.product_id), max(b.product_id) from grain_map a join grain_map b "
        "on a.item_id = b.item_id and a.valid_from <= b.valid_from and b.valid_from < a.valid_to "
        "where (a.product_id, a.valid_from, a.valid_to) <> (b.product_id, b.valid_from, b.valid_to) "
        "group by 1 order by 1 limit 5"
    ).fetchall()
    if clash:
        raise DataError(
            "The grain maps one item to two products on the same day.",
            f"Found {listed([f'{item}: {one} and {two}' for item, one, two in clash])}.",
            "Keep one, or give valid_from and valid_to.",
        )
    return True


def products(
    db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading], evidence_views: list[str]
) -> pd.DataFrame:
    """One row per product an account could hold, in the order the engagement lists them.

    Also makes ``known_products`` (product_id, status), against which lines are judged.
    """
    declared = engagement.catalogue
    if declared.products == "as sold":
        seen = " union ".join(f"select distinct product_id from {quoted(each)}" for each in evidence_views)
        rows = db.execute(f"select * from ({seen}) where product_id is not null order by 1").fetchall()
        frame = pd.DataFrame(rows, columns=["product_id"])
        frame = frame.loc[~frame["product_id"].isin(declared.outside)]
    elif declared.products:
        frame = pd.DataFrame({"product_id": list(declared.products)})
    else:
        frame = _catalogue_table(db, engagement, readings)
    columns = ["product_id", "family", "launched", "retired", "lookback_months", "margin"]
    frame = frame.reindex(columns=columns).reset_index(drop=True)
    months = frame["product_id"].map(engagement.lookback_by_product).astype(object)
    months = months.where(months.notna(), frame["lookback_months"])
    months = months.where(months.notna(), engagement.lookback_months)
    _refuse_lookbacks(frame["product_id"], months)
    frame["lookback_quarters"] = [int(each) // 3 for each in months]
    _known(db, frame["product_id"], engagement)
    return frame.drop(columns="lookback_months")


def _catalogue_table(db: DuckDBPyConnection, engagement: Engagement, readings: dict[str, Reading]) -> pd.DataFrame:
    columns = columns_of(db, "catalogue", engagement.catalogue, engagement, readings)
    kinds = {
        "product_id": columns.text,
        "family": columns.text,
        "launched": columns.day,
        "retired": columns.day,
        "lookback_months": columns.amount,
        "margin": columns.amount,
    }
    given = {name: kind(name) for name, kind in kinds.items() if columns.has(name) or name == "product_id"}
    picked = ", ".join(f"{sql} as {name}" for name, sql in given.items())
    unread = " or ".join(f"({columns.given(name)} and {given[name]} is null)" for name in given if name != "product_id")
    db.execute(
        f"create temp table catalogue_given as select {picked}, {unread or 'false'} as unread, {', '.join(PROVENANCE)} "
        f"from {quoted(columns.reading.view)} where {columns.given('product_id')}"
    )
    checks.refuse_repeated_ids(db, "The catalogue", "catalogue_given", "product_id")
    wrong = db.execute("select product_id from catalogue_given where unread order by 1").fetchall()
    if wrong:
        raise DataError(
            "The catalogue has dates, look-backs or margins that cannot be read.",
            f"Found at {listed([each[0] for each in wrong])}.",
            "Write dates as 2025-01-31, or declare date_format.",
        )
    if "margin" in given:
        _refuse_margins(db)
    rows = db.execute(f"select {', '.join(given)} from catalogue_given order by _file, _record, product_id").fetchall()
    return pd.DataFrame(rows, columns=list(given), dtype=object)


def _refuse_margins(db: DuckDBPyConnection) -> None:
    """A margin is a share of revenue: 40 would be a per cent, and everything it touches a hundred times too large."""
    odd = db.execute("select product_id, margin from catalogue_given where abs(margin) > 1 order by 1").fetchall()
    if odd:
        raise DataError(
            "A margin is a share of revenue, from -1 to 1.",
            f"Found {listed([f'{name}: {margin}' for name, margin in odd])}.",
            "Write 0.4 for 40 %.",
        )


def _refuse_lookbacks(products: pd.Series, months: pd.Series) -> None:
    told = zip(products, map(float, months), map(lookback_fault, months), strict=True)
    refuse(
        [DataError(f"The look-back of {name!r}: {value:g} months are {fault}") for name, value, fault in told if fault]
    )


def _known(db: DuckDBPyConnection, products: pd.Series, engagement: Engagement) -> None:
    if products.empty:
        raise DataError(
            "The catalogue is empty.", "No product is named or sold.", "Name the products an account could hold."
        )
    rows = [(each, "catalogue") for each in products]
    rows += [(each, "outside") for each in engagement.catalogue.outside]
    db.execute("create temp table known_products (product_id varchar, status varchar)")
    db.executemany("insert into known_products values (?, ?)", rows)
    if engagement.grain is not None:
        db.execute(
            "insert into known_products select distinct product_id, 'outside' from grain_map "
            "where product_id not in (select product_id from known_products)"
        )
