"""What is said of products that customers could buy and do not have: plain sentences with their numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpilib.wording import said
from kpilib.written import Row, are, count, have, missing, money, name, per_cent, plural, quarter, several, upper

REASONS = {
    "offer running": "an offer is running",
    "must not be sold": "it must not be sold to them",
    "offered and lost": "it was offered and lost",
    "dropped": "they had it before and dropped it",
    "unhappy customer": "the customer is unhappy",
    "never offered": "it was never offered",
}
FEWEST_BUYERS = 20  # customers that bought something, below which no share of them is said
ALIKE = 1e-9  # scores nearer to each other than this are the same number, summed in another order
WITHOUT = "the order is by what similar customers have, and no money is put beside it."
NO_CHANCE = {
    "one quarter only": f"Fewer than two quarters in a row are complete, so no chances can be learned: {WITHOUT}",
    "nothing bought": f"Nobody bought anything new in the quarters before, so no chances can be learned: {WITHOUT}",
}


def answer(
    slots: pd.DataFrame,
    calls: pd.DataFrame,
    total: pd.DataFrame | None,
    label: str,
    currency: str | None,
    trusted: bool = True,
) -> list[str]:
    """Give the answer: how much could be bought, what the calls are worth, what all of it is worth.

    Parameters
    ----------
    slots, calls, total
        As ``whitespace.slots``, ``whitespace.ranked`` and ``whitespace.value`` give them.
    trusted
        Whether chances came true when they were tried; where they did not, or were never tried, none is added up.
    """
    when = f"At the end of {quarter(label)}"
    if slots.empty:
        return [f"{when}, no customer could buy any product: there is nothing to call about."]
    one = slots.iloc[0]
    if not one["whitespace"]:
        return [f"{when}, every customer has all it could buy: there is nothing to call about."]
    lead = (
        _lead(calls, currency, trusted)
        if len(calls)
        else f"{when}, there is no customer to call: no case is open to us."
    )
    share = per_cent(one["whitespace"] / one["possible"])
    level = (
        f"{when}, there {are(one['whitespace'])} {plural(one['whitespace'], 'case')} in which a customer could buy a "
        f"product and does not have it ({share} of all that could be had)."
    )
    return said(lead, level, _all_of_it(total, currency))


def _lead(calls: pd.DataFrame, currency: str | None, trusted: bool) -> str:
    number = plural(len(calls), "call")
    values = [each for each in calls["value"] if not missing(each)]
    if values:
        worth = money(sum(values), currency, 0)
        what = f"The {'product' if len(calls) == 1 else 'products'} of the best {number} for the next quarter"
        return f"{what} {are(len(calls))} expected to bring {worth}, called or not."
    chances = calls["chance"].dropna()
    if len(chances) and not trusted:
        if tied(calls):
            alike = "all alike as far as the data tell, and listed by customer id"
            return f"The {number} named are {alike}; how many will buy cannot be said."
        order = " in their order" if len(calls) > 1 else ""
        return f"The best {number} {are(len(calls))} named here{order}; how many will buy cannot be said."
    if len(chances):
        return f"Of the best {number}, about {chances.sum():.1f} would buy in the next quarter by themselves."
    if tied(calls):
        return (
            f"The {number} named here are all alike as far as the data tell: listed by customer id, without a chance."
        )
    return f"The best {number} {are(len(calls))} named here by what similar customers have, without a chance."


def tied(calls: pd.DataFrame) -> bool:
    """Tell whether nothing known sets the calls of a list apart, so that their order says nothing.

    Example
    -------
    >>> two = pd.DataFrame({"score": [0.4, 0.4], "share": 0.5})
    >>> tied(two), tied(two.assign(score=[0.4, 0.3]))
    (True, False)
    """
    if len(calls) < 2 or calls["score"].isna().any():
        return False
    told = [each for each in ("state", "share", "share_all", "having", "last_held", "value") if each in calls]
    alike = calls["score"].astype(float).max() - calls["score"].astype(float).min() < ALIKE
    return bool(alike and len(calls[told].astype(str).drop_duplicates()) <= 1)


def _all_of_it(total: pd.DataFrame | None, currency: str | None) -> str | None:
    if total is None or not total["slots"].sum():
        return None
    worth = money(sum(total["value"]), currency, 0)
    number = count(round(total["expected"].sum()))
    return f"All cases together are worth {worth} in the next quarter: about {number} of them would be bought."


def reason(row: Row) -> str:
    """Say why a customer and a product are on the list, with the numbers behind it.

    Example
    -------
    >>> print(reason({"like_a": "A", "like_b": "B", "having": 214, "share": 0.62, "share_all": 0.41, "state": "open"}))
    Of 214 customers with A and B, 62% have it (of all: 41%)
    """
    parts = []
    if not missing(row.get("last_held")):
        parts.append(f"had it until {quarter(row['last_held'])}")
    if row.get("state") == "lost offer":
        parts.append("an offer was lost")
    everyone = per_cent(row["share_all"], 0)
    if missing(row.get("like_a")):
        parts.append(f"{everyone} of all customers have it")
    else:
        both = " and ".join(name(row[each], most=30) for each in ("like_a", "like_b") if not missing(row[each]))
        who = plural(row["having"], "customer")
        parts.append(f"of {who} with {both}, {per_cent(row['share'], 0)} have it (of all: {everyone})")
    return upper("; ".join(parts))


def reasons(calls: pd.DataFrame) -> list[str]:
    """Say the reason of every row."""
    return [reason(row) for row in calls.to_dict("records")]


def why_not(found: pd.DataFrame) -> str | None:
    """Say why customers do not have what they could buy, where the data can say."""
    if found.empty:
        return None
    known = found.dropna(subset=["reason"])
    whole = found["slots"].sum()
    if known.empty:
        return "The data cannot say why: they hold no offers, no scores, and no earlier quarter in which it was had."
    told = several([f"in {per_cent(row.slots / whole, 0)} {REASONS[row.reason]}" for row in known.itertuples()], most=6)
    rest = 1 - known["slots"].sum() / whole
    return upper(f"{told}." if rest <= 0 else f"{told}; of the other {per_cent(rest, 0)} the data do not say.")


def trust(test: Any, no_chance: str | None) -> list[str]:
    """Say whether the list foretold anything: against popularity, and its chances against what came."""
    if no_chance:
        return [NO_CHANCE[no_chance]]
    if test is None:
        return [
            "The list could not be tried on an earlier quarter: that takes three complete quarters in a row, and "
            "purchases in the last. Its chances are untested, and no money is put beside them."
        ]
    return [tried(test), beside_popularity(test), by_product(test), honest(test)]


def tried(test: Any) -> str:
    """Say how the list was tried."""
    return (
        f"Tried on the past: the list as of {quarter(test.as_of)} would have met {count(test.filled)} purchases "
        f"in {quarter(test.judged)}, by {plural(test.bought_something, 'customer')}."
    )


def few(test: Any) -> bool:
    """Tell whether too few bought something for shares of them to mean anything."""
    return bool(test.bought_something < FEWEST_BUYERS)


def first_hits(test: Any) -> dict[str, int]:
    """Count, for each way to order products, those that bought the first it names, of those that bought something."""
    rows = test.methods.set_index("method")["precision_1"]
    return {each: round(share * test.bought_something) for each, share in rows.items()}


def came(test: Any) -> str:
    """Set what was foretold beside what came; of few buyers in numbers."""
    if few(test) or not test.enough:
        foretold = plural(round(test.chance * test.slots), "purchase")
        return f"about {foretold} {'was' if foretold[:2] == '1 ' else 'were'} foretold, {count(test.filled)} came"
    return (
        f"over all cases that were open, the chances foretold {per_cent(test.chance)} on average, "
        f"{per_cent(test.realised)} came"
    )


def beside_popularity(test: Any) -> str:
    """Say whether the order within a customer beats naming what most others have; of few buyers, their number only."""
    rows = test.methods.set_index("method")
    if few(test):
        hits = first_hits(test)
        return (
            f"Only {plural(test.bought_something, 'customer')} bought something when the list was tried, too few to "
            f"judge it: {count(hits['model'])} bought the first product it names, {count(hits['popularity'])} the most "
            "popular one they lacked."
        )
    model, popular, chance = (per_cent(rows.loc[each, "precision_1"], 0) for each in ("model", "popularity", "random"))
    hits = (
        f"of those that bought something, {model} bought the first product it names, {popular} the most popular one "
        f"they lacked, and {chance} would have bought one named at random"
    )
    told = {
        "better": "For each customer it names the next product better than popularity does",
        "as good": "For each customer, naming the most popular product they lack is as good",
        "worse": "For each customer, naming the most popular product they lack is better",
        None: "Whether it is better than popularity cannot be told",
    }[test.verdict]
    return f"{told}: {hits}."


def by_product(test: Any) -> str:
    """Say whether the order within a product tells who buys."""
    row = test.methods.iloc[0]
    if missing(row["auc_product"]) or few(test):
        return "Too few bought any one product to tell whether the right customers come first."
    right = per_cent(row["auc_product"], 0)
    pairs = f"of two customers, the one that bought stood first in {right} of cases (50% is chance)"
    if not missing(row["auc_low"]) and row["auc_low"] > 0.5:
        return f"For each product it puts the right customers first: {pairs}."
    return f"For each product it does not clearly put the right customers first: {pairs}."


def honest(test: Any) -> str:
    """Say whether chances came true on average."""
    if test.calibrated:
        return f"Its chances can be taken at their word: {came(test)}."
    if not test.enough:
        return (
            f"Too few purchases came to take its chances at their word, so no money is put beside them: {came(test)}."
        )
    return f"Its chances cannot be taken at their word, so no money is put beside them: {came(test)}."


def untrusted(test: Any, no_chance: str | None) -> str | None:
    """Say why chances may not be relied on; None where they may."""
    return None if test is not None and test.calibrated else trust(test, no_chance)[-1]


def launched(new: tuple[str, ...]) -> str | None:
    """Say which products have no chance yet."""
    if not new:
        return None
    return f"{several(new)} {have(len(new))} no chance yet: launched since the quarters that chances are learned from."


def no_owner(calls: pd.DataFrame) -> str | None:
    """Say that nobody is named to make the calls, or that some calls have nobody."""
    if calls.empty:
        return None
    if calls["owner"].isna().all():
        return "The data name no owner of any customer, so calls have none."
    blank = int((calls["owner"] == "(not given)").sum())
    return f"{count(blank)} of {plural(len(calls), 'call')} {have(blank)} no owner." if blank else None


def not_cause() -> str:
    """Say what a chance is not."""
    return (
        "A chance is that of buying as customers did before, called or not: what a call adds shows only where some "
        "are held back."
    )


def typical() -> str:
    """Say what value means."""
    return "Value is chance × what customers of like size who have the product typically spend on it in a quarter."
