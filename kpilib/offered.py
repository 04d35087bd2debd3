"""Who offers what: possible slots with a recorded opportunity, by owner and product.

A slot (one account, one product possible for it) has been *offered* when an opportunity on it was opened up to the
day, at any date. What is held without a record tells nothing about offers, and what is blocked must not be offered:
both are counted apart, and coverage is offered / (offered + never offered).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.measures import cells, counts, degree, offers, queries
from kpilib.measures.queries import Moment

OWNER = "owner"
PARTS = ("offered", "held_unrecorded", "blocked", "never_offered")  # of possible, which they sum to
SURE = 0.05  # chance of no offer at all, over all owners, below which it is no accident

_BY = {"group": "object", "product_id": "object", "accounts": "int64", "possible": "int64"}
_COUNTS = {**dict.fromkeys(("offered", "won", "held_unrecorded", "blocked", "never_offered"), "int64")}
_PRODUCT = _BY | _COUNTS | {"coverage": "float64", "win_rate": "float64", "suppressed": "bool"}
_OWNER = {
    **{"group": "object", "accounts": "int64", "offered_accounts": "int64", "possible": "int64"},
    **_COUNTS,
    **dict.fromkeys(("coverage", "expected", "difference", "win_rate", "chance"), "float64"),
    **{"never": "bool", "suppressed": "bool"},
}


def lacking(book: Book, by: str = OWNER) -> list[str]:
    """Name what offer coverage needs and the engagement does not have: opportunities, an owner."""
    recorded = book.has("opportunities") and not queries.fetch(book, "FROM opportunities LIMIT 1").empty
    found = [] if recorded else ["opportunities"]
    return found + ([] if by in queries.attributes(book) else [by])


def offer_coverage(book: Book, quarter: str, by: str = OWNER) -> pd.DataFrame | None:
    """Count, by owner and product, what could be offered and what was.

    Accounts of the base, by the attribute ``by``; a slot is counted where the product is possible on the day.

    Returns
    -------
    One row per owner and product, in order of owners and of the catalogue: group (owner), product_id, accounts (for
    which it is possible), possible (the same), offered (ever), won (ever), held_unrecorded, blocked, never_offered
    (offered, held_unrecorded, blocked and never_offered sum to possible), coverage (0 to 1), win_rate (won / offered),
    suppressed (bool: fewer accounts than minimum_cell; the shares are missing). None where :func:`lacking` names
    something.
    """
    if lacking(book, by):
        return None
    found = _slots(book, queries.moment(book, quarter), by)
    small = found["possible"] < book.engagement.minimum_cell
    shares = _shares(found).mask(small)
    found = found.assign(accounts=found["possible"], **shares, suppressed=small)
    return degree.table(found[found["possible"] > 0].to_dict("records"), _PRODUCT)


def by_owner(book: Book, quarter: str, by: str = OWNER) -> pd.DataFrame | None:
    """Sum offers up by owner, beside what is to be expected of the products they could offer.

    Returns
    -------
    One row per owner: group, accounts (base), offered_accounts (with any offer), the counts of
    :func:`offer_coverage`, coverage, expected (the coverage that all owners together reach on such a mix of products),
    difference (coverage less expected), win_rate, chance (that an owner who offers like all others would have offered
    nothing at all, by slots or by accounts, whichever is larger), never (bool: nothing offered, and that is no
    accident), suppressed (bool: too few accounts, or its counts would tell those of an owner with too few). None where
    :func:`lacking` names something.

    Notes
    -----
    Indirect standardisation: expected = sum over products of offerable slots × overall coverage of the product, over
    offerable slots (offered + never offered). An owner whose customers could only buy what nobody offers is not blamed.
    """
    if lacking(book, by):
        return None
    at = queries.moment(book, quarter)
    return standardised(_slots(book, at, by), _accounts(book, at, by), book.engagement.minimum_cell)


def standardised(slots: pd.DataFrame, accounts: pd.DataFrame, smallest: int = 5) -> pd.DataFrame:
    """Sum up by owner what is counted by owner and product: :func:`by_owner` without the book.

    Parameters
    ----------
    slots
        group, product_id, possible, offered, won, held_unrecorded, blocked, never_offered.
    accounts
        group, accounts, offered_accounts.
    """
    rates = _rates(slots)
    owners = queries.in_order(accounts["group"])
    everyone = accounts["offered_accounts"].sum() / max(accounts["accounts"].sum(), 1)
    rows = []
    for owner in owners:
        mine = slots[slots["group"] == owner]
        whose = accounts[accounts["group"] == owner].iloc[0]
        rows.append(_summed(mine, whose, rates, float(everyone), len(owners), smallest))
    out = cells.hidden([each["accounts"] for each in rows], smallest)
    gone = dict.fromkeys(("coverage", "expected", "difference", "win_rate", "chance")) | {"suppressed": True}
    return degree.table([each | gone if hide else each for each, hide in zip(rows, out, strict=True)], _OWNER)


def never_offering(by_owner: pd.DataFrame) -> list[str]:
    """Name the owners who never offer: nothing recorded, where others in their place would have offered."""
    return by_owner.loc[by_owner["never"], "group"].tolist()


def _summed(
    mine: pd.DataFrame, whose: pd.Series, rates: dict[str, float], everyone: float, owners: int, smallest: int
) -> dict[str, Any]:
    total = mine[["possible", *_COUNTS]].sum()
    open_slots = (mine["offered"] + mine["never_offered"]).to_numpy(float)
    rate = mine["product_id"].map(rates).to_numpy(float)
    offerable, accounts = open_slots.sum(), int(whose["accounts"])
    small = accounts < smallest
    chance = max(float(np.prod((1 - rate) ** open_slots)), (1 - everyone) ** accounts)
    found = {"group": whose["group"], "accounts": accounts, "offered_accounts": int(whose["offered_accounts"])}
    found |= {name: int(total[name]) for name in ("possible", *_COUNTS)}
    never = not small and offerable > 0 and found["offered"] == 0 and chance < SURE / owners
    found |= {"never": bool(never), "suppressed": small, "chance": chance}
    if small or not offerable:
        return found | {"chance": None}
    coverage, expected = found["offered"] / offerable, float((open_slots * rate).sum() / offerable)
    win = found["won"] / found["offered"] if found["offered"] else None
    return found | {"coverage": coverage, "expected": expected, "difference": coverage - expected, "win_rate": win}


def _rates(slots: pd.DataFrame) -> dict[str, float]:
    """Share of the offerable slots of each product that all owners together have offered."""
    total = slots.groupby("product_id")[["offered", "never_offered"]].sum()
    offerable = total["offered"] + total["never_offered"]
    return (total["offered"] / offerable.where(offerable > 0)).fillna(0.0).to_dict()


def _shares(found: pd.DataFrame) -> pd.DataFrame:
    offerable = found["offered"] + found["never_offered"]
    coverage = found["offered"] / offerable.where(offerable > 0)
    return pd.DataFrame({"coverage": coverage, "win_rate": found["won"] / found["offered"].where(found["offered"] > 0)})


def _slots(book: Book, at: Moment, by: str) -> pd.DataFrame:
    """Count the slots of every owner and product by what became of them."""
    known = counts.by_product(book, at.label, by=by)
    marked = counts.tally(book, at.label, _marks(book, at), by).rename(columns={"product": "product_id"})
    keys = ["group", "product_id"]
    told = {
        "offered": marked["offered"],
        "won": marked["won"],
        "held_recorded": marked["held"] & marked["offered"],
        "blocked": marked["blocked"] & ~marked["offered"] & ~marked["held"],
    }
    sums = pd.DataFrame({name: marked["slots"].where(mask, 0) for name, mask in told.items()})
    sums = sums.groupby([marked["group"], marked["product_id"]]).sum()
    found = known.merge(sums, how="left", left_on=keys, right_index=True)
    found[list(told)] = found[list(told)].fillna(0).astype("int64")
    found["held_unrecorded"] = found["held"] - found["held_recorded"]
    found["never_offered"] = found["possible"] - found["offered"] - found["held_unrecorded"] - found["blocked"]
    return found


def _marks(book: Book, at: Moment) -> str:
    """Write the query for what became of each slot up to the day."""
    return f"""
        SELECT account_id, product_id, product_id AS product, o.account_id IS NOT NULL AS offered,
               coalesce(o.won, false) AS won, b.account_id IS NOT NULL AS blocked
        FROM ({_opportunities(at)}) o FULL JOIN ({offers.blocked_slots(book, at)}) b USING (account_id, product_id)
    """


def _opportunities(at: Moment) -> str:
    day = f"DATE '{at.as_of}'"
    return f"""
        SELECT account_id, product_id, bool_or(status = 'won' AND coalesce(closed, opened) <= {day}) AS won
        FROM opportunities WHERE opened <= {day} GROUP BY account_id, product_id
    """


def _accounts(book: Book, at: Moment, by: str) -> pd.DataFrame:
    """Count the accounts of every owner, and those that were ever offered a product possible for them."""
    return queries.fetch(
        book,
        f"""
        WITH offered AS (
            SELECT DISTINCT account_id FROM ({_opportunities(at)}) o JOIN products p USING (product_id)
            JOIN ({queries.base(book, [at.index])}) c USING (account_id) WHERE {queries.bit(book, "possible")}
        )
        SELECT c."group", count(*) AS accounts, count(o.account_id) AS offered_accounts
        FROM ({queries.base(book, [at.index], by)}) c LEFT JOIN offered o USING (account_id) GROUP BY ALL
        """,
        order=["group"],
    )
