"""What stands over and under the figures of the call list."""

from __future__ import annotations

from typing import Any

from kpilib.written import count, missing, plural, quarter, several


def outcome(found: Any) -> str:
    """Title what came of the lists (``actions.followed.Outcome``): calls closed beside those expected."""
    lists = found.lists
    told = f"{count(lists['closed'].sum())} of {plural(lists['calls'].sum(), 'call')} closed"
    if any(map(missing, lists["expected"])):
        return told
    return f"{told}; {lists['expected'].sum():.1f} expected without a list"


def outcome_subtitle(found: Any) -> str:
    """Say which lists are counted."""
    several_lists = "Lists" if len(found.lists) > 1 else "List"
    return (
        f"{several_lists} of {several(map(quarter, found.lists['issued']))}; customer has the product a quarter later"
    )


def outcome_note(found: Any) -> str:
    """Say what the outline is, and what the figure cannot tell."""
    outline = "" if found.lists["expected"].isna().any() else "Expected: sum of the chances, called or not. "
    return f"{outline}Customers held back are not among the calls; only they tell what calling added."
