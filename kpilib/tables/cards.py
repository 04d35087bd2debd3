"""KPI cards as a page: what each figure means, and what it is at this client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import pandas as pd

from kpilib.tables import Html
from kpilib.wording import cards as say
from kpilib.written import band_ranges, name, upper

AT_LENGTH = ("account_penetration_degree", "account_penetration_index")
WORDS = {
    "definition": "What it is",
    "business_insights": "What it tells",
    "measurement_approach": "How it is measured",
    "standard_formula": "Formula",
    "trend_analysis": "How to read its movement",
    "diagnostic_questions": "Questions that find the cause",
    "actionable_tips": "What to do",
    "improvement_levers": "What moves it",
    "change_impact": "What a change brings",
    "visualization_suggestions": "How to show it",
    "risk_warnings": "Risks",
    "pitfalls": "Usual mistakes",
    "tools_and_technologies": "What it needs",
    "integration_points": "Where the data are",
    "review_cadence": "Looked at",
    "related": "Related",
    "categories": "Subjects",
    "industries": "Used in",
    "sources": "Sources",
}
LISTS = ("actionable_tips", "visualization_suggestions", "risk_warnings", "pitfalls", "improvement_levers", "sources")
INLINE = ("related", "categories", "industries")
SMALL = (*INLINE, "review_cadence", "sources")


def page(told: Sequence[Any], client: str, when: str) -> Html:
    """Write the appendix: a list of all cards, then one section for each.

    Parameters
    ----------
    told
        For each card: card, figure, sentences, parts, answers (``appendix.Told``).
    client, when
        Whose figures, and of which quarter.
    """
    titles = {each.card.id: each.card.name for each in told}
    intro = (
        f"Every figure of this report, explained, with what it is at {name(client)} at the end of {when} where its "
        "card can show it. Nothing here needs to be known to read the chapters."
    )
    sections = "".join(card(each, titles).html for each in told)
    return Html(
        f'<h1>What does each figure mean?</h1><p class="kpi-answer">{escape(intro)}</p>{_contents(told)}{sections}'
    )


def card(told: Any, titles: dict[str, str]) -> Html:
    """Write one card: the two that this kit is about at length, the others as a table."""
    its = told.card
    head = f'<h2 id="{escape(its.id)}">{escape(its.name)}</h2><p class="kpi-answer">{escape(its.says)}</p>'
    rest = _at_length(told, titles) if its.id in AT_LENGTH else _table(told, titles)
    return Html(f"{head}{_here(told)}{rest}")


def _contents(told: Sequence[Any]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in ("Figure", "What it says"))
    head += '<th scope="col" class="kpi-number">Here</th>'
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escape(each.card.id)}">{escape(each.card.name)}</a></th>'
        f"<td>{escape(each.card.says)}</td>"
        f'<td class="kpi-number">{escape(_value(each))}</td></tr>'
        for each in told
    )
    return f'<table class="kpi-table kpi-cards"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _value(told: Any) -> str:
    found = told.figure
    return "" if found is None or found.value is None else say.number(found.value, told.card.unit, told.currency)


def _here(told: Any) -> str:
    """Box what the KPI is at this client."""
    if not told.sentences:
        return ""
    lines = "".join(f"<p>{escape(each)}</p>" for each in told.sentences)
    parts = "".join(f"<div><dt>{escape(upper(what))}</dt><dd>{escape(value)}</dd></div>" for what, value in told.parts)
    return f'<div class="kpi-here">{lines}{f"<dl>{parts}</dl>" if parts else ""}</div>'


def _at_length(told: Any, titles: dict[str, str]) -> str:
    its = told.card
    blocks = [f'<p class="kpi-formula">{escape(upper(its.formula))}</p>']
    for field in WORDS:
        if field == "trend_analysis":
            blocks.append(_bands(its))
        if field == "related":
            blocks.append(_asked(its))
        blocks.append(_small(told, field, titles) if field in SMALL else _under(told, field, titles))
    return f'<div class="prose">{"".join(blocks)}</div>'


def _under(told: Any, field: str, titles: dict[str, str]) -> str:
    return f"<h3>{WORDS[field]}</h3>{_content(told, field, titles)}"


def _small(told: Any, field: str, titles: dict[str, str]) -> str:
    return f'<p class="kpi-note">{WORDS[field]}: {_plain(told.card, field, titles)}</p>'


def _table(told: Any, titles: dict[str, str]) -> str:
    rows = [("Formula", escape(upper(told.card.formula))), ("Counted", escape(upper(told.card.counted)))]
    fields = [each for each in WORDS if each != "standard_formula"]
    rows += [(WORDS[field], _content(told, field, titles)) for field in fields]
    rows += [("Asked about it", _asked(told.card, titled=False))] if told.card.clarifications else []
    body = "".join(f'<tr><th scope="row">{words}</th><td>{content}</td></tr>' for words, content in rows)
    return f'<table class="kpi-table kpi-definition kpi-card"><tbody>{body}</tbody></table>'


def _content(told: Any, field: str, titles: dict[str, str]) -> str:
    if field == "diagnostic_questions":
        return _questions(told.answers)
    if field in LISTS:
        return _list(escape(each) for each in getattr(told.card, field))
    if field in INLINE:
        return _plain(told.card, field, titles)
    return f"<p>{escape(getattr(told.card, field))}</p>"


def _plain(its: Any, field: str, titles: dict[str, str]) -> str:
    value = getattr(its, field)
    if field == "related":
        return ", ".join(f'<a href="#{escape(each)}">{escape(titles.get(each, each))}</a>' for each in value)
    return escape(value if isinstance(value, str) else " ".join(value) if field == "sources" else ", ".join(value))


def _questions(answers: Sequence[tuple[str, str | None]]) -> str:
    return _list(
        escape(question) + (f'<br><span class="kpi-told">{escape(answer)}</span>' if answer else "")
        for question, answer in answers
    )


def _bands(its: Any) -> str:
    if not its.bands:
        return ""
    blocks = []
    for each in its.bands:
        limits = pd.DataFrame([{"at_least": band.at_least, "above": band.above} for band in each.bands])
        rows = "".join(
            f'<tr><th scope="row">{escape(band.name)}</th><td>{escape(where)}</td>'
            f"<td>{escape(upper(band.reading))}</td></tr>"
            for band, where in zip(each.bands, band_ranges(limits), strict=True)
        )
        made = f" Made for up to {each.most_products} products." if each.most_products else ""
        note = f"For {each.denominator} as denominator only; source: {each.source}.{made}"
        blocks.append(
            f'<table class="kpi-table"><caption>{escape(upper(each.name))}</caption><tbody>{rows}</tbody></table>'
            f'<p class="kpi-note">{escape(note)}</p>'
        )
    return f"<h3>Published bands</h3>{''.join(blocks)}"


def _asked(its: Any, titled: bool = True) -> str:
    if not its.clarifications:
        return ""
    each = "".join(f"<p><strong>{escape(one.question)}</strong> {escape(one.answer)}</p>" for one in its.clarifications)
    return f"{'<h3>Asked about it</h3>' if titled else ''}{each}"


def _list(items: Iterable[str]) -> str:
    return f'<ul class="kpi-list">{"".join(f"<li>{each}</li>" for each in items)}</ul>'
