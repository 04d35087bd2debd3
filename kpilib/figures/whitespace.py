"""The map of what customers could buy, and whether chances came true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from kpilib.figures.marks import block, dot
from kpilib.figures.style import GRID, INK, MARGIN, MUTED, NOW, RULE, SMALL, TINY, WIDTH, Page, drawn, shorten
from kpilib.written import count, floats, missing, name, needing, per_cent

HAS, HAS_DOT = "#dae2ed", "#7f93ad"
WARM = ("#feefd8", "#fdd693", "#f4a750", "#c8611a")
NAMES, TOTALS = 1.75, 1.25  # inches left and right of the map
STEP, HEAD, FOOT = 0.225, 1.05, 0.42
SHADES = {"money": ("little", "more", "most"), "likeness": ("few have it", "more", "most")}
LIKELIER = ("less likely", "likelier", "likeliest")
FILLABLE = ("open", "lost offer", "pipeline")


@drawn
def whitespace(picture: pd.DataFrame, kind: str, title: str, subtitle: str, note: str) -> Page:
    """Draw customers by products: what each has, could not have, and could buy, with its amount.

    Parameters
    ----------
    picture
        As ``whitespace.picture`` gives it: account_id, name, product_id, share, state, amount, total.
    kind
        What amounts are: ``money``, ``chance`` and ``likeness`` (0 to 1, shown in per cent), or an ``order`` only,
        which shades the cells and prints no figure.
    """
    table = needing(picture, "account_id", "product_id", "share", "state", "amount", "total")
    if table.empty:
        return Page(title, subtitle, note, 1.2).nothing("There is nothing left that customers could buy.")
    accounts = table.drop_duplicates("account_id")
    products = table.drop_duplicates("product_id")
    page = Page(title, subtitle, note, HEAD + STEP * len(accounts) + FOOT)
    axes = page.panel(NAMES, WIDTH - TOTALS, below=FOOT, above=HEAD)
    axes.set(xlim=(0, len(products)), ylim=(len(accounts), 0))
    columns = {each: place for place, each in enumerate(products["product_id"])}
    rows = {each: place for place, each in enumerate(accounts["account_id"])}
    table = table.assign(x=table["product_id"].map(columns), y=table["account_id"].map(rows))
    _cells(axes, table, kind)
    _names(page, accounts)
    _heads(page, products)
    _totals(page, accounts, kind)
    page.key(_key(table, kind), y=page.bottom + 0.14)
    totals = [] if kind == "order" else accounts.to_dict("records")
    told = {name(row["account_id"]): _amount(row["total"], kind) for row in totals}
    return page.described("Map of customers and products, most to gain first", told)


@drawn
def calibration(bins: pd.DataFrame, title: str, subtitle: str, note: str) -> Page:
    """Draw what was foretold against what came; on the line, chances came true.

    Parameters
    ----------
    bins
        slots, chance, bought (0 to 1), as a back-test's ``calibration``.
    """
    bins = needing(bins, "slots", "chance", "bought")
    page = Page(title, subtitle, note, 3.6)
    axes = page.panel(0.75, 4.75, below=0.45, above=0.1)
    top = float(bins[["chance", "bought"]].to_numpy().max()) * 1.08
    axes.set(xlim=(0, top), ylim=(0, top))
    axes.plot([0, top], [0, top], color=RULE, lw=1, zorder=1)
    step = next(each for each in (0.02, 0.05, 0.1, 0.2) if top / each <= 6)
    ticks = np.arange(0, top, step)
    shown = [per_cent(each, 0) for each in ticks]
    axes.set_xticks(ticks, shown, fontsize=TINY, color=MUTED)
    axes.set_yticks(ticks, shown, fontsize=TINY, color=MUTED)
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    seaborn.scatterplot(bins, x="chance", y="bought", ax=axes, color=NOW, s=48, edgecolor="white", zorder=3)
    axes.set_xlabel("foretold", fontsize=SMALL, color=MUTED)
    axes.set_ylabel("bought", fontsize=SMALL, color=MUTED)
    _listed(page, bins)
    told = {per_cent(row.chance): per_cent(row.bought) for row in bins.itertuples()}
    return page.described("Share bought by share foretold", told)


def _cells(axes: Axes, table: pd.DataFrame, kind: str) -> None:
    amount = floats(table, "amount")
    known = amount[np.isfinite(amount)]
    edges = np.quantile(known, (0.5, 0.8, 0.95)) if len(known) else np.zeros(3)
    level = np.searchsorted(edges, amount, side="right")
    paper = [_paper(state, high) for state, high in zip(table["state"], level, strict=True)]
    boxes = [Rectangle((x + 0.03, y + 0.06), 0.94, 0.88) for x, y in table[["x", "y"]].itertuples(index=False)]
    axes.add_collection(PatchCollection(boxes, facecolor=paper, edgecolor="none"))
    for row, high, value in zip(table.to_dict("records"), level, amount, strict=True):
        _told(axes, row, int(high), value, kind)
    for line in range(5, int(table["y"].max()) + 1, 5):
        axes.axhline(line, color=RULE, lw=0.6)


def _paper(state: str, level: int) -> str:
    return HAS if state == "held" else WARM[level] if state in FILLABLE else "white"


def _told(axes: Axes, row: dict[str, Any], level: int, amount: float, kind: str) -> None:
    place = (row["x"] + 0.5, row["y"] + 0.52)
    how: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": TINY}
    if row["state"] == "held":
        axes.plot(*place, "o", ms=2.6, color=HAS_DOT, mew=0)
    elif row["state"] not in FILLABLE:
        axes.text(*place, "×" if row["state"] == "blocked" else "–", color=MUTED, **how)
    else:
        mark = {"pipeline": "▸ ", "lost offer": "◂ "}.get(row["state"], "")
        said = mark + ("" if missing(amount) or kind == "order" else _amount(amount, kind))
        ink = "white" if level == 3 else INK
        axes.text(*place, said, color=ink, weight="bold" if level >= 2 else "normal", **how)


def _amount(amount: float, kind: str) -> str:
    if kind != "money":
        return per_cent(amount, 0).rstrip("%")
    return count(round(amount)) if amount >= 0.5 else "<1"


def _names(page: Page, accounts: pd.DataFrame) -> None:
    for place, row in enumerate(accounts.to_dict("records")):
        shown = row["account_id"] if missing(row.get("name")) else row["name"]
        y = page.top - HEAD - (place + 0.5) * STEP
        page.write(NAMES - 0.1, y, shorten(shown, NAMES - 0.1 - MARGIN, SMALL), size=SMALL, ha="right")


def _heads(page: Page, products: pd.DataFrame) -> None:
    wide = (WIDTH - NAMES - TOTALS) / len(products)
    page.write(NAMES - 0.1, page.top - HEAD + 0.09, "have it", size=TINY, color=MUTED, ha="right")
    for place, row in enumerate(products.to_dict("records")):
        x = NAMES + (place + 0.5) * wide
        page.write(x, page.top - HEAD + 0.09, per_cent(row["share"], 0), size=TINY, color=MUTED, ha="center")
        label = shorten(row["product_id"], 1.15, SMALL)
        turn = {"rotation": 35, "rotation_mode": "anchor", "ha": "left", "va": "bottom"}
        page.write(x - 0.08, page.top - HEAD + 0.2, label, size=SMALL, **turn)


def _totals(page: Page, accounts: pd.DataFrame, kind: str) -> None:
    if kind in ("likeness", "order"):
        return
    totals = accounts["total"].to_numpy(float)
    left, right = WIDTH - TOTALS + 0.1, WIDTH - 0.55
    axes = page.panel(left, right, below=FOOT, above=HEAD)
    axes.set(xlim=(0, totals.max() or 1), ylim=(len(totals), 0))
    axes.barh(np.arange(len(totals)) + 0.5, totals, height=0.55, color=WARM[3])
    head = "in all" if kind == "money" else "expected purchases"
    page.write(left, page.top - HEAD + 0.09, head, size=TINY, color=MUTED)
    for place, total in enumerate(totals):
        y = page.top - HEAD - (place + 0.5) * STEP
        said = _amount(total, kind) if kind == "money" else f"{total:.1f}"
        page.write(left + (right - left) * total / (totals.max() or 1) + 0.05, y, said, size=TINY)


def _key(table: pd.DataFrame, kind: str) -> list[tuple[str, dict[str, Any]]]:
    there = {*table["state"]}
    entries = [("has it", block(HAS))] if "held" in there else []
    least, more, most = SHADES.get(kind, LIKELIER)
    entries += [(f"could buy: {least}", block(WARM[0])), (more, block(WARM[2])), (most, block(WARM[3]))]
    marks = {
        "pipeline": ("offer running", ">"),
        "lost offer": ("offer lost", "<"),
        "blocked": ("must not be sold", "x"),
        "not possible": ("could not have it", "_"),
    }
    return entries + [(said, dot(MUTED, marker=mark)) for state, (said, mark) in marks.items() if state in there]


def _listed(page: Page, bins: pd.DataFrame) -> None:
    """Write the groups beside the points: cases, foretold, bought."""
    rights, step = (6.2, 7.3, 8.4), 0.24
    top = page.top - 0.2
    for right, title in zip(rights, ("cases", "foretold", "bought"), strict=True):
        page.write(right, top, title, size=SMALL, color=MUTED, ha="right")
    for place, row in enumerate(bins.itertuples(), 1):
        told = (count(row.slots), per_cent(row.chance), per_cent(row.bought))
        for right, said in zip(rights, told, strict=True):
            page.write(right, top - place * step - 0.03, said, size=SMALL, ha="right")
