"""Pitfalls and offers by owner as HTML tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.tables import Column, Html, prose, show, text
from kpilib.wording import pitfalls as say
from kpilib.written import count, needing, per_cent, points, several, upper


def findings(found: Sequence[Any]) -> Html:
    """Show every pitfall looked for (``pitfalls.check``): first those found, then the others, then what is lacking."""
    rows = [
        {"title": say.title(each), "verdict": "found", "n": each.n, "told": upper(say.body(each))}
        for each in found
        if each.fires
    ]
    rows += [_quiet(found, name, None if lacking else False) for lacking, name in _quiet_ones(found)]
    table = pd.DataFrame(rows, columns=["title", "verdict", "n", "told"]).astype({"n": "Int64"})
    return show(table, [
        text("title", "Pitfall"),
        text("verdict", "In these data"),
        Column("n", "n", count),
        text("told", "What they show"),
    ], "Known pitfalls")  # fmt: skip


def owners(by_owner: pd.DataFrame | None, lacking: Sequence[str] = (), minimum: int = 5) -> Html:
    """Show offers by owner (``offered.by_owner``), those furthest below what is expected first."""
    if by_owner is None:
        return prose([say.offers(None, lacking)])
    table = needing(by_owner, "group", "accounts", "possible", "offered", "coverage", "expected", "suppressed")
    hidden = table["suppressed"].astype(bool)
    figures = [each for each in table if each not in ("group", "suppressed")]
    table[figures] = table[figures].astype(object).mask(hidden, None)
    table = table.assign(order=by_owner["difference"].to_numpy()).sort_values(
        "order", na_position="last", kind="stable"
    )
    few = [f"Not shown: owners of fewer than {minimum} customers."] if hidden.any() else []
    notes = ["Expected: what all owners together offer of the same products.", *few]
    return show(table, [
        text("group", "Owner"),
        Column("accounts", "Customers", count),
        Column("possible", "Could buy", count),
        Column("held_unrecorded", "Have, no offer on record", count),
        Column("offered", "Ever offered", count),
        Column("won", "Won", count),
        Column("never_offered", "Never offered", count),
        Column("coverage", "Offered, %", _share),
        Column("expected", "Expected, %", _share),
        Column("difference", "Difference, points", points),
    ], "Offers by owner", notes)  # fmt: skip


def _quiet_ones(found: Sequence[Any]) -> list[tuple[bool, str]]:
    """List the pitfalls that were not found anywhere, then those that cannot be told anywhere."""
    fired = {each.pitfall for each in found if each.fires}
    names = dict.fromkeys(each.pitfall for each in found if each.pitfall not in fired)
    judged = {each.pitfall for each in found if each.fires is not None}
    return sorted(((name not in judged, name) for name in names), key=lambda each: each[0])


def _quiet(found: Sequence[Any], pitfall: str, fires: bool | None) -> dict[str, Any]:
    """Lay one pitfall out that was looked for in vain, however many places it was looked for in."""
    mine = [each for each in found if each.pitfall == pitfall and each.fires is fires]
    told = upper(say.body(mine[0])) if fires is None else None
    places = dict.fromkeys(say.about(each) for each in mine if each.about and fires is False)
    where = f"Looked at {several(places)}." if len(places) > 1 else told
    verdict = "cannot be told" if fires is None else "not found"
    return {"title": say.TITLES[pitfall], "verdict": verdict, "n": None, "told": where}


def _share(value: object) -> str:
    return per_cent(value).rstrip("%")
