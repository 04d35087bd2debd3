"""What stands over and under the figures of what could be sold next."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording.whitespace import FEWEST_BUYERS
from kpilib.written import count, have, missing, money, per_cent, plural, quarter


def map_title(picture: pd.DataFrame, whole: float | None = None) -> str:
    """Title the map: how much of all there is to gain the customers shown hold."""
    if picture.empty:
        return "Nothing is left that customers could buy"
    shown = picture.drop_duplicates("account_id")
    if missing(whole) or not whole:
        return f"The {plural(len(shown), 'customer')} with most still to buy"
    share = per_cent(shown["total"].sum() / whole, 0)
    whose = f"{count(len(shown))} of {plural(shown['counted'].iloc[0], 'customer')}"
    return f"{whose} {have(len(shown))} {share} of what the next quarter could bring"


def map_subtitle(kind: str, label: str, currency: str | None = None) -> str:
    """Say what the map's figures are: money, chance or likeness."""
    what = {
        "money": f"expected revenue of the next quarter{', ' + currency if currency else ''}",
        "chance": "chance to buy in the next quarter, %",
        "likeness": "share of similar customers who have it, %",
        "order": None,
    }[kind]
    lacking = f"What customers could buy and do not have, end of {quarter(label)}"
    return f"{lacking}; figures are {what}" if what else f"{lacking}; the darker, the sooner by what the data tell"


def map_note(picture: pd.DataFrame, products: int) -> str:
    """Say how much the map leaves out."""
    if picture.empty:
        return ""
    shown, columns = picture["account_id"].nunique(), picture["product_id"].nunique()
    return (
        f"The {count(shown)} of {count(picture['counted'].iloc[0])} customers, and the {count(columns)} of "
        f"{plural(products, 'product')}, with most to gain; totals are over all products. Products from most to least "
        "widely held."
    )


def kind(picture: pd.DataFrame, money_known: bool, chance_known: bool, trusted: bool = True) -> str:
    """Name what a map's figures are; chances that did not come true, or were never tried, give an order only."""
    if money_known:
        return "money"
    return "likeness" if not chance_known else "chance" if trusted else "order"


def calibration(test: Any) -> str:
    """Title the calibration: whether what was foretold came."""
    told = f"{per_cent(test.chance)} foretold, {per_cent(test.realised)} bought"
    return f"Chances came true: {told}" if test.calibrated else f"Chances did not come true: {told}"


def calibration_subtitle(test: Any) -> str:
    """Say what the calibration shows."""
    return (
        f"Chance as of {quarter(test.as_of)} and share bought in {quarter(test.judged)}, %, ten equally large groups "
        "of cases by chance"
    )


def calibration_note(test: Any) -> str:
    """Give the numbers behind the calibration."""
    row = test.methods.iloc[0]
    return (
        f"{count(test.slots)} cases of {plural(test.accounts, 'customer')}; {count(test.filled)} bought. Brier score "
        f"{row['brier']:.4f}, expected calibration error {row['ece']:.4f}."
    )


def cards(
    slots: pd.DataFrame, calls: pd.DataFrame, total: pd.DataFrame | None, test: Any, currency: str | None
) -> list[dict]:
    """Write the headline figures of the first page."""
    found = []
    if not slots.empty:
        one = slots.iloc[0]
        found.append(_card("Could buy, do not have", count(one["whitespace"]), f"of {count(one['possible'])} cases"))
    values = [each for each in calls["value"] if not missing(each)]
    if values:
        found.append(_card(f"Best {len(calls)} calls", money(sum(values), currency, 0), "expected, next quarter"))
    if total is not None and total["slots"].sum():
        found.append(_card("All cases", money(sum(total["value"]), currency, 0), "expected, next quarter"))
    if test is not None and test.verdict and test.bought_something >= FEWEST_BUYERS:
        found.append(_card("List against popularity", test.verdict, f"tried on {quarter(test.judged)}"))
    return found


def _card(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}
