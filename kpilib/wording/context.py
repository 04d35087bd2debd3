"""What penetration is worth here and how good it is, in a few sentences; and why, where something cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kpilib.wording import benchmarks, feedback, forecast, pitfalls, revenue, said, targets
from kpilib.written import are, count, plural, quarter, several

NO_REVENUE = "These data hold no revenue, so what penetration is worth cannot be told."
NO_PLAN = "No plan is given for {}."
NO_FORECAST = (
    "Nothing is forecast from {}: what customers had then is not complete, because the data begin too late for it."
)


def worth(retained: pd.DataFrame | None, quarter_label: str, has_revenue: bool, currency: str | None = None) -> str:
    """Say what the customers we had bring now, or why that cannot be told.

    Parameters
    ----------
    retained
        ``revenue.retention`` of all customers, one row; None without an earlier period.
    """
    if retained is not None:
        return revenue.retained(retained.iloc[0], currency)
    return revenue.not_compared(quarter_label) if has_revenue else NO_REVENUE


def answer(
    worth: str, plan: pd.DataFrame, value: float | None, reach: float | None, quarter_label: str,
    findings: Sequence[Any], ahead: pd.DataFrame | None, record: pd.DataFrame | None = None,
) -> list[str]:  # fmt: skip
    """Answer the chapter's question: worth, plan, what is good here, what misleads, what is next.

    Parameters
    ----------
    worth
        The sentence of :func:`worth`.
    value, reach
        The mean degree, and what the best quarter of customers reach.
    plan
        ``targets.plan``; an engagement without targets is not told of them here.
    findings
        Of ``pitfalls.check``.
    ahead
        ``forecast.ahead``; None where none is made.
    record
        ``forecast.record`` of how such forecasts did.
    """
    coming = None if ahead is None else said(forecast.expected(ahead.iloc[0]), forecast.beaten(record))
    level = benchmarks.against_peers(value, reach, quarter_label)
    plans = targets.met(plan) if len(plan) else None
    return said(worth, plans, level, misleading(findings), " ".join(coming) if coming else None)


def misleading(findings: Sequence[Any]) -> str:
    """Count the pitfalls that were found, and name them.

    Example
    -------
    >>> from types import SimpleNamespace as Found
    >>> found = [Found(pitfall="feedback missing", fires=True, about=""), Found(pitfall="mix shift", fires=False)]
    >>> misleading(found)
    'Of 2 known pitfalls that these data can show, 1 is found: feedback missing.'
    """
    judged = dict.fromkeys(each.pitfall for each in findings if each.fires is not None)
    fired = dict.fromkeys(each.pitfall for each in findings if each.fires)
    shown = f"{plural(len(judged), 'known pitfall')} that these data can show"
    if not fired:
        return f"None of {shown} is found."
    named = several(_lower(pitfalls.TITLES[each]) for each in fired)
    return f"Of {shown}, {count(len(fired))} {are(len(fired))} found: {named}."


def money(
    retained: pd.DataFrame | None, balance: pd.DataFrame | None, worth: str, currency: str | None = None
) -> list[str]:
    """Say what was kept before any growth, and warn where new customers carry the growth; else why not (``worth``)."""
    if retained is None or balance is None:
        return [worth]
    return said(revenue.kept(retained.iloc[0]), revenue.carried_by_new(balance, currency))


def fared(impact: Any | None, quarter_label: str, months: int) -> list[str]:
    """Say what a table of what became of customers does not: that no rule holds, and that it is an association.

    Parameters
    ----------
    impact
        ``revenue.Impact`` of the table shown; None where no earlier quarter may be compared.
    """
    if impact is None:
        return [revenue.no_impact(quarter_label, months)]
    return revenue.what_went_with(impact)[1:]  # the first is in the table


def wallet(found: Any | None) -> list[str]:
    """Say the share of wallet where customers' spend is known, and nothing where it is not."""
    return [] if found is None else said(revenue.wallet(found), revenue.above_wallet(found))


def planned(plan: pd.DataFrame, path: pd.DataFrame, quarter_label: str, minimum: int = 5) -> list[str]:
    """Say what later plans ask for, and that there is no plan where there is none."""
    return said(
        None if len(plan) else NO_PLAN.format(quarter(quarter_label)),
        targets.ahead(path),
        targets.not_shown(plan, minimum),
    )


def set_beside(found: Any, peers: dict[str, pd.DataFrame]) -> list[str]:
    """Say who is furthest from what like customers reach, and that no published figure may be drawn where none may.

    Parameters
    ----------
    found
        ``benchmarks.Beside`` of the degree.
    peers
        ``peers.peer_reference`` by attribute.
    """
    barred = benchmarks.nothing(len(found.left_out)) if found.rows.empty else None
    return said(*(revenue.reachable(table, by) for by, table in peers.items()), barred)


def heard(
    coverage: pd.DataFrame | None, score: pd.DataFrame | None, by_band: pd.DataFrame | None, scale: Any, months: int,
    apart: Mapping[str, pd.DataFrame] | None = None, minimum: int = 5,
) -> list[str]:  # fmt: skip
    """Say how many customers were heard, what they say and who says otherwise, or what is needed to tell.

    ``apart`` has ``contrast.standing_out`` by what the groups are.
    """
    others = (feedback.standing_out(found, what) for what, found in (apart or {}).items())
    told = feedback.heard(coverage, months), feedback.score(score, scale), feedback.quiet_bands(by_band, minimum)
    return said(*told, *others)


def to_ask(listed: pd.DataFrame | None, band: str, actions: pd.DataFrame | None = None) -> list[str]:
    """Say how many customers of a band are to be asked, and where all are listed; nothing where answers are not kept.

    Parameters
    ----------
    listed, actions
        ``feedback.to_ask`` of the band, and ``feedback.band_actions``.
    """
    if listed is None:
        return []
    return said(feedback.to_ask(listed, band), None if actions is None else feedback.actions(actions))


def offered(by_owner: pd.DataFrame | None) -> list[str]:
    """Say what was ever offered, and by whom least; nothing where offers or owners are not on record."""
    return [] if by_owner is None else [pitfalls.offers(by_owner)]


def in_touch(contacts: pd.DataFrame | None, months: int) -> list[str]:
    """Say whom we were in contact with, or that it is not on record."""
    return [feedback.reached(contacts, months)]


def coming(
    ahead: pd.DataFrame | None, scored: pd.DataFrame | None, record: pd.DataFrame | None, quarter_label: str,
    currency: str | None = None,
) -> list[str]:  # fmt: skip
    """Say what revenue is expected, and what the forecasts before were worth; or why nothing is forecast.

    Parameters
    ----------
    ahead, scored, record
        Of the functions of these names in ``kpilib.forecast``; None where no forecast is made.
    """
    if ahead is None or scored is None or record is None:
        return [NO_FORECAST.format(quarter(quarter_label))]
    money = ahead[ahead["measure"] == forecast.REVENUE]
    mean = scored[scored["measure"] == "mean"]
    return said(
        *(forecast.expected(row, currency) for row in money.to_dict("records")),
        *(forecast.came(row, currency) for row in mean.to_dict("records")),
        forecast.trusted(record),
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
