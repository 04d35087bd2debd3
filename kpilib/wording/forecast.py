"""What a forecast says, in managers' words: never why, and never surer than its range."""

from __future__ import annotations

import pandas as pd

from kpilib.wording import apart
from kpilib.written import Row, count, missing, money, per_cent, plural, quarter

REVENUE = "existing_revenue"
NEEDED = 8
CARES = (
    "If customers go on gaining and losing products as they did; products that are launched or withdrawn "
    "meanwhile are not in it, nor are seasons."
)
NO_RANGE = {
    "few quarters": "No range is given: that takes {needed} complete quarters in a row, and there {are}.",
    "no variation": "No range is given: every past quarter moved the same.",
}
NO_FORECAST = {
    "no history": "Nothing can be forecast: there is no complete quarter before it.",
    "nothing kept": "Nothing can be forecast: in some quarter no revenue was left of the quarter before.",
}


def expected(row: Row, currency: str | None = None) -> str:
    """Say what is forecast of one measure, with its range or why there is none.

    Parameters
    ----------
    row
        Of ``forecast.ahead``: measure, quarter, now, forecast, low, high, points, reason.

    Example
    -------
    >>> row = {"measure": "mean", "quarter": "2018Q1", "now": 0.398, "forecast": 0.404, "points": 4}
    >>> print(expected(row | {"low": None, "high": None, "reason": "few quarters"}))
    The average customer is expected to have 40.4% of what it could buy at the end of Q1 2018, 0.6 points more than \
now. No range is given: that takes 8 complete quarters in a row, and there are only 4.
    """
    if missing(row["forecast"]):
        return NO_FORECAST[row["reason"]]
    return f"{_level(row, currency)} {_range(row, currency)}"


def why_no_range(row: Row) -> str | None:
    """Say why a forecast has no range; None where it has one."""
    if missing(row["reason"]):
        return None
    if row["reason"] in NO_FORECAST:
        return NO_FORECAST[row["reason"]]
    are = "is only one" if row["points"] == 1 else f"are only {count(row['points'])}"
    return NO_RANGE[row["reason"]].format(needed=NEEDED, are=are)


def came(row: Row, currency: str | None = None) -> str:
    """Say what the quarter before would have forecast, and what came.

    Parameters
    ----------
    row
        Of ``forecast.scored``: measure, quarter, forecast, came, error, inside.

    Example
    -------
    >>> row = {"measure": "mean", "quarter": "2017Q4", "forecast": 0.4063, "came": 0.3982, "error": -0.0081}
    >>> print(came(row | {"inside": None}))
    For Q4 2017, 40.6% was expected a quarter before; it came to 39.8%, 0.8 points less than expected.
    """
    said, real = (_amount(row, name, currency) for name in ("forecast", "came"))
    what = "of existing customers' revenue " if row["measure"] == REVENUE else ""
    told = f"For {quarter(row['quarter'])}, {said} {what}was expected a quarter before; it came to {real}"
    within = "" if missing(row["inside"]) else ", within the range" if row["inside"] else ", outside the range"
    return f"{told}, {_distance(row)} expected{within}."


def kept_promise(row: Row | None) -> str | None:
    """Say how past forecasts did, beside expecting that nothing changes; None where there were none.

    Parameters
    ----------
    row
        Of ``forecast.record``: measure, forecasts, error, unchanged, intervals, inside.
    """
    if row is None or not row["forecasts"]:
        return None
    made = f"Tried on {plural(row['forecasts'], 'past quarter')}, it missed by {_miss(row, 'error')} on average; "
    other = f"expecting no change would have missed by {_miss(row, 'unchanged')}."
    if not row["intervals"]:
        return f"{made}{other}"
    return f"{made}{other} {count(row['inside'])} of {plural(row['intervals'], 'range')} held what came."


def trusted(table: pd.DataFrame, measure: str = "mean") -> str | None:
    """Say it of one measure of ``forecast.record``."""
    found = table[table["measure"] == measure]
    return None if found.empty else kept_promise(found.iloc[0])


def beaten(table: pd.DataFrame | None, measure: str = "mean") -> str | None:
    """Say of one measure of ``forecast.record`` that expecting no change did better; None where it did not.

    Example
    -------
    >>> beaten(pd.DataFrame({"measure": ["mean"], "error": [0.008], "unchanged": [0.001]}))
    'In past quarters, expecting no change would have come closer.'
    """
    found = pd.DataFrame() if table is None else table[table["measure"] == measure]
    if found.empty or not found["error"].iloc[0] > found["unchanged"].iloc[0]:
        return None
    return "In past quarters, expecting no change would have come closer."


def _level(row: Row, currency: str | None) -> str:
    when = quarter(row["quarter"])
    if row["measure"] == REVENUE:
        return (
            f"The customers with revenue now are expected to bring {money(row['forecast'], currency, 0)} "
            f"in {when}; now it is {money(row['now'], currency, 0)}."
        )
    who = "All customers together are" if row["measure"] == "pooled" else "The average customer is"
    possible = "they" if row["measure"] == "pooled" else "it"
    return (
        f"{who} expected to have {per_cent(row['forecast'])} of what {possible} could buy at the end of {when}, "
        f"{apart(row['forecast'] - row['now'])} now."
    )


def _range(row: Row, currency: str | None) -> str:
    told = why_no_range(row)
    ends = f"{_amount(row, 'low', currency)} to {_amount(row, 'high', currency)}"
    return told or f"In 19 of 20 such forecasts it should come to lie between {ends.replace(' to ', ' and ')}."


def _amount(row: Row, field: str, currency: str | None) -> str:
    return money(row[field], currency, 0) if row["measure"] == REVENUE else per_cent(row[field])


def _distance(row: Row) -> str:
    if row["measure"] != REVENUE:
        return apart(row["error"])
    return f"{per_cent(abs(row['error']) / row['forecast'])} {'more' if row['error'] > 0 else 'less'} than"


def _miss(row: Row, field: str) -> str:
    return money(row[field], None, 0) if row["measure"] == REVENUE else f"{100 * row[field]:.1f} points"
