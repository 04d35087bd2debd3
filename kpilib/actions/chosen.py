"""The list: the best open slots that owners can work, less a random share of accounts left alone as the control."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np
import pandas as pd
from scipy.special import ndtri

NO_OWNER = "(no owner)"
LISTED, HELD_BACK = "listed", "held back"
POWER = 0.8
ROUNDS = 20
MOST_VARIANCE = 0.25  # of a share, which it has at one half


@dataclass(frozen=True)
class Limits:
    """How much can be worked in a quarter; None is no limit."""

    per_owner: int | None = None
    per_account: int | None = 1
    per_product: int | None = None


USUAL = Limits(per_owner=25)  # two calls a week


@dataclass(frozen=True)
class Detectable:
    """The smallest lift of the share of calls closed that the control can tell from chance, four times in five.

    ``lift`` is a difference of shares, None where either side has fewer than two accounts. Where chances are unknown
    (``expected`` is None) it is the one that would be told whatever share of calls closes.
    """

    listed: int
    held_back: int
    expected: float | None
    lift: float | None


def chosen(candidates: pd.DataFrame, limits: Limits, share_held_back: float = 0.0) -> pd.DataFrame:
    """Take the best candidates, one after the other, as long as owner, account and product have room.

    Parameters
    ----------
    candidates
        One row per open slot: account_id, product_id, owner, chance, value (missing where unknown), and score where
        there is one. Those of most value come first, then of most chance, then of the highest score; equal ones by
        account and product.
    share_held_back
        The list is made so much longer that owners keep their number of calls after the control is taken out.

    Returns
    -------
    The rows taken, best first, with ``owner`` filled in and ``rank`` from 1.
    """
    rows = candidates.assign(owner=_owners(candidates["owner"]))
    rows = rows.assign(_value=pd.to_numeric(rows["value"]).astype(float), _chance=pd.to_numeric(rows["chance"]))
    order = ["_value", "_chance", *[each for each in ("score",) if each in rows], "account_id", "product_id"]
    down = [each not in ("account_id", "product_id") for each in order]
    rows = rows.sort_values(order, ascending=[not each for each in down], na_position="last", kind="stable")
    most = [
        None if limits.per_owner is None else floor(limits.per_owner / (1 - share_held_back)),
        limits.per_account,
        limits.per_product,
    ]
    room = [Counter[Hashable]() for _ in most]
    keep = []
    for keys in rows[["owner", "account_id", "product_id"]].itertuples(index=False, name=None):
        free = all(limit is None or used[key] < limit for key, used, limit in zip(keys, room, most, strict=True))
        keep.append(free)
        for key, used in zip(keys, room, strict=True):
            used[key] += free
    taken = rows[np.array(keep, dtype=bool)].drop(columns=["_value", "_chance"]).reset_index(drop=True)
    return taken.assign(rank=range(1, len(taken) + 1))


def held_back(rows: pd.DataFrame, share: float, seed: str) -> pd.Series:
    """Draw the accounts that are left alone: a share of every owner's accounts, the same for the same seed.

    Returns
    -------
    ``listed`` or ``held back``, one per row.
    """
    accounts = rows[["owner", "account_id"]].drop_duplicates("account_id")
    lots = [hashlib.blake2b(f"{seed}\n{each}".encode(), digest_size=8).hexdigest() for each in accounts["account_id"]]
    place = accounts.assign(lot=lots).sort_values("lot").groupby("owner").cumcount()
    number = accounts.groupby("owner")["account_id"].transform("size")
    out = set(accounts.loc[place.reindex(accounts.index) < np.ceil(number * share - 1e-9), "account_id"])
    return rows["account_id"].map(lambda each: HELD_BACK if each in out else LISTED).astype("object")


def detectable(rows: pd.DataFrame, level: float = 0.95) -> Detectable:
    """Say before anything is issued what the control will be able to show.

    Accounts are the units: each counts by the share of its calls that close.
    """
    chance = pd.to_numeric(rows["chance"])
    sizes = [rows.loc[rows["arm"] == each, "account_id"].nunique() for each in (LISTED, HELD_BACK)]
    if min(sizes) < 2:
        return Detectable(*sizes, None, None)
    certain = float(ndtri((1 + level) / 2) + ndtri(POWER))
    if chance.isna().any():
        return Detectable(*sizes, None, certain * sqrt(sum(MOST_VARIANCE / size for size in sizes)))
    lift = 0.0
    for _ in range(ROUNDS):  # a lift makes the listed side vary more, and so raises itself a little
        parts = (_variance(rows, chance, each) for each in (lift, 0.0))
        lift = certain * sqrt(sum(part / size for part, size in zip(parts, sizes, strict=True)))
    return Detectable(*sizes, float(chance.groupby(rows["account_id"]).mean().mean()), lift)


def _variance(rows: pd.DataFrame, chance: pd.Series, lift: float) -> float:
    """Variance between accounts of the share of their calls that close."""
    raised = (chance + lift).clip(0, 1)
    account = rows["account_id"]
    calls = account.groupby(account).size()
    within = ((raised * (1 - raised)).groupby(account).sum() / calls**2).mean()
    return float(within + raised.groupby(account).mean().var(ddof=0))


def enough(per_arm_share: float, expected: float, lift: float, level: float = 0.95) -> int:
    """How many accounts must be on the list, control included, to tell a lift from chance.

    Example
    -------
    >>> enough(0.2, expected=0.1, lift=0.05)
    1766
    """
    reach = float(ndtri((1 + level) / 2) + ndtri(POWER))
    return ceil(expected * (1 - expected) * reach**2 / lift**2 / (per_arm_share * (1 - per_arm_share)))


def _owners(owner: pd.Series) -> pd.Series:
    text = owner.astype("object").where(owner.notna(), "").map(lambda each: str(each).strip())
    return text.where(text != "", NO_OWNER)
