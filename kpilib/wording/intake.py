"""What was read as computed sentences: whether the data can carry the figures, and what is counted with a doubt."""

from __future__ import annotations

import pandas as pd

from kpilib.written import Row, are, count, have, name, per_cent, plural, quarter, several

TOTALS = {"revenue": "revenue", "accounts": "number of customers"}


def usable(share: float, allowed: float, doubted: bool = False) -> str:
    """Say whether the data can carry the figures, by the share (0-1) of a table that is set aside.

    ``doubted``: something is counted that may be wrong, and is told beside it.
    """
    carry = "The data can carry the figures" + (", but look at what is counted with a doubt" if doubted else "")
    if not share:
        return f"{carry}: everything that was read is used."
    return unusable(share, allowed) or f"{carry}: {_set_aside(share)}, and up to {per_cent(allowed)} is allowed."


def unusable(share: float, allowed: float) -> str | None:
    """Warn, before any figure is told, where the data cannot carry it; as :func:`usable`."""
    if share <= allowed:
        return None
    return (
        f"The data cannot carry the figures as they are: {_set_aside(share)}, and no more than {per_cent(allowed)} "
        "is allowed."
    )


def _set_aside(share: float) -> str:
    return f"{per_cent(share)} of the revenue read (or of the rows, where they have none) is set aside"


def doubts(found: pd.DataFrame) -> list[str]:
    """Say what is counted and may well be wrong, worst first.

    Parameters
    ----------
    found
        As of ``ledger.doubts``: table, rule, rows, share (0-1 of the table's revenue, or of its rows without
        any), of (revenue or rows), examples.
    """
    return [_doubt(row) for row in found.to_dict("records")]


def _doubt(row: Row) -> str:
    rows, shown = row["rows"], name(str(row["examples"]).split("\n")[0])
    part = f"{per_cent(row['share'])} of the {row['of']} of {row['table']}"
    return {
        "unlisted_account": f"{part} is of customers not in the accounts table: they count, without attributes.",
        "repeated_line": f"{part} stands in lines that repeat an earlier one ({count(rows)}): each of them counts.",
        "blank_cell": f"{part} are blank ({count(rows)} cells) and count as not had.",
        "contradicting_rows": f"{plural(rows, 'cell')} of {row['table']} {have(rows)} another row of the same customer "
        f"and day that says otherwise; what either row says it has, counts ({shown}).",
        "two_spellings": f"{plural(rows, 'customer')} {'seems' if rows == 1 else 'seem'} to be counted twice, by two "
        f"spellings of the id ({shown}).",
        "no_snapshot": f"{plural(rows, 'snapshot')} {'is' if rows == 1 else 'are'} missing: {shown}. What only a "
        "snapshot tells is not known of that day.",
        "open_to_nobody": f"No customer could ever buy {several(map(name, str(row['examples']).splitlines()))}: "
        "look at who could buy what.",
        "outside_nothing": "Named as outside the catalogue, and matching nothing: "
        f"{several(map(name, str(row['examples']).splitlines()))}.",
    }[row["rule"]]  # fmt: skip


def no_lines() -> str:
    """Say why no month can be missing."""
    return "Nothing is delivered line by line, sale by sale or invoice by invoice, so no month can be missing."


def agree(controls: pd.DataFrame) -> str | None:
    """Say whether the totals that finance states are met.

    Parameters
    ----------
    controls
        quarter, total (revenue or accounts), stated, measured, difference (measured less stated).
    """
    if controls.empty:
        return None
    apart = controls[controls["difference"] != 0]
    stated = plural(len(controls), "total")
    if apart.empty:
        return f"Finance states {stated}, and {'it is' if len(controls) == 1 else 'all are'} met."
    named = several(f"{TOTALS[each.total]} of {quarter(each.quarter)}" for each in apart.itertuples())
    return f"Finance states {stated}; {count(len(apart))} {are(len(apart))} not met: {named}."
