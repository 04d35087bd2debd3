"""Pitfalls as an HTML table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpilib.tables import Column, Html, show, text
from kpilib.wording import pitfalls as say
from kpilib.written import count, several, upper


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
