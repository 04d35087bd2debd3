"""What stands over and under the figures of what could be sold next."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording.whitespace import came, few
from kpilib.written import count, have, missing, money, per_cent, plural, quarter

MOST = {  # whom the map shows, and where
    "money": ("with most still to buy", "most is to gain"),
    "chance": ("likeliest to buy more", "most purchases are to be expected"),
    "likeness": ("lacking most of what similar customers have", "most is lacking that similar customers have"),
    "order": ("likeliest to buy more, by what the data tell", "most is likely, by what the data tell"),
}


def map_title(picture: pd.DataFrame, whole: float | None = None, kind: str = "money") -> str:
    """Title the map: how much of all there is to gain the customers shown hold; without money, whom it shows."""
    if picture.empty:
        return "Nothing is left that customers could buy"
    shown = picture.drop_duplicates("account_id")
    if missing(whole) or not whole:
        return f"The {plural(len(shown), 'customer')} {MOST[kind][0]}"
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
    return f"{lacking}; figures are {what}" if what else f"{lacking}; the darker, the likelier by what the data tell"


def map_note(picture: pd.DataFrame, products: int, kind: str) -> str:
    """Say how much the map leaves out, what puts customers and products on it, and what their totals count."""
    if picture.empty:
        return ""
    shown, columns = picture["account_id"].nunique(), picture["product_id"].nunique()
    whose = f"{count(shown)} of {plural(picture['counted'].iloc[0], 'customer')} with anything to buy"
    totals = {"money": " Totals are over all products.", "chance": " Totals add the chances of all products."}
    return (
        f"Shown: {whose} and {count(columns)} of {plural(products, 'product')}, where {MOST[kind][1]}."
        f"{totals.get(kind, '')} Products from most to least widely held."
    )


def kind(picture: pd.DataFrame, money_known: bool, chance_known: bool, trusted: bool = True) -> str:
    """Name what a map's figures are; chances that did not come true, or were never tried, give an order only."""
    if money_known:
        return "money"
    return "likeness" if not chance_known else "chance" if trusted else "order"


def calibration(test: Any) -> str:
    """Title the calibration: whether what was foretold came."""
    if few(test) or not test.enough:
        return f"Too few bought to tell whether chances come true: {came(test)}"
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
    if test is not None and test.verdict and not few(test):
        found.append(_card("List against popularity", test.verdict, f"tried on {quarter(test.judged)}"))
    return found


def _card(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}
