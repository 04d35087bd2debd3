"""The KPI cards with a client's own figures: in a terminal, and as the appendix of a pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from kpilib import penetration, printed
from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.kpis import diagnostics, figures_of, library
from kpilib.kpis.figures_of import Figure
from kpilib.kpis.library import Card
from kpilib.tables import cards as shown
from kpilib.wording import cards as say
from kpilib.written import quarter as written_quarter


@dataclass(frozen=True)
class Told:
    """A card and what it says of one client.

    ``sentences`` tell the figure, ``parts`` what belongs to it (name, value as written), ``answers``
    the diagnostic questions with their answers (None where only people can answer), ``currency`` what money is in.
    """

    card: Card
    figure: Figure | None
    sentences: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str | None], ...]
    currency: str | None = None


def tell(card: Card, book: Book | None = None, quarter: str | None = None) -> Told:
    """Fill a card with a client's figures; without a book it stays general."""
    if book is None:
        return Told(card, None, (), (), tuple((each.question, None) for each in card.diagnostic_questions))
    at = book.quarter(quarter or book.default_quarter()).label
    return _told(card, book, at, partial(_answer, book, at))


def page(book: Book, quarter: str) -> str:
    """Write the appendix of a pack: every card, as HTML that is escaped already."""
    answer = cache(partial(_answer, book, quarter))  # cards share questions
    told = [_told(each, book, quarter, answer) for each in library.all_cards().values()]
    return shown.page(told, book.engagement.client, written_quarter(quarter)).html


def text(kpi: str, book: Book | None = None, quarter: str | None = None) -> str:
    """Write one card for a terminal, 100 columns wide."""
    told = tell(library.card(kpi), book, quarter)
    return printed.card(told, book.engagement.client if book else None)


def _told(card: Card, book: Book, quarter: str, answer: Callable[[str], str]) -> Told:
    found = figures_of.figure(book, card.id, quarter)
    currency = book.engagement.currency
    sentences = say.figure(found, card, currency) if found else []
    if found is not None and found.bands is not None:
        sentences.append(say.in_bands(found.bands, book.engagement.minimum_cell))
    if found is not None and found.value is not None and card.bands:
        sentences.append(_read(card, book, quarter, found.value))
    parts = say.parts(found, card.unit, currency) if found else []
    answers = ((each.question, each.answered_by and answer(each.answered_by)) for each in card.diagnostic_questions)
    return Told(card, found, tuple(sentences), tuple(parts), tuple(answers), currency)


def _read(card: Card, book: Book, quarter: str, value: float) -> str:
    """Read a figure by its bands, or say why they do not hold for it."""
    products = penetration.products_on_sale(book, quarter)
    try:
        sources = {each.name: each.source for each in card.bands}
        return say.placed(library.placed(card.id, value, book.engagement, products), sources)
    except DataError as error:
        return str(error)


def _answer(book: Book, quarter: str, question: str) -> str:
    evidence = [each.kind for each in book.engagement.evidence]
    return say.answered(question, diagnostics.ask(book, quarter, question), evidence)
