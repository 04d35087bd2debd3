"""What stands over and under the figure of a forecast."""

from __future__ import annotations

from kpilib.wording.forecast import CARES, NO_FORECAST, why_no_range
from kpilib.written import Row, are, count, missing, per_cent, plural, quarter

SUBTITLE = "Share of what customers could buy that they have, average, %, end of quarter; forecast dashed"


def title(row: Row) -> str:
    """Title the figure with what is expected, and its range where there is one.

    Parameters
    ----------
    row
        Of ``forecast.ahead``, the one a quarter ahead.

    Example
    -------
    >>> title({"quarter": "2018Q1", "forecast": 0.404, "low": 0.39, "high": 0.42, "reason": None})
    'The average customer should have 40.4% of what it could buy at the end of Q1 2018: 39.0% to 42.0%'
    """
    if missing(row["forecast"]):
        return NO_FORECAST[row["reason"]].split(":")[0]
    level = f"The average customer should have {per_cent(row['forecast'])} of what it could buy"
    level = f"{level} at the end of {quarter(row['quarter'])}"
    return level if missing(row["low"]) else f"{level}: {per_cent(row['low'])} to {per_cent(row['high'])}"


def subtitle() -> str:
    """Say what the figure shows."""
    return SUBTITLE


def note(row: Row, accounts: int | None = None) -> str:
    """Say what the forecast rests on, what is not in it, and why it has no range where it has none."""
    counted = "" if missing(accounts) else f"{plural(accounts, 'customer')} at the end of {quarter(row['made_at'])}. "
    rests = f"It rests on {count(row['points'])} complete quarters in a row"
    rests = f"{plural(row['points'], 'complete quarter')} {are(row['points'])} known" if row["points"] < 2 else rests
    return " ".join(filter(None, [f"{counted}{rests}.", CARES, why_no_range(row)]))
