"""Segments: who the accounts are, how they differ, and who moved. Every result by one name.

A segmentation puts each account of the base into exactly one segment; it is fixed at one quarter and then divides
every other quarter by the same rule, so that segments can be followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.segments.bands import by_band
from kpilib.segments.classes import by_class
from kpilib.segments.moves import moved, movers
from kpilib.segments.partition import Segmentation, accounts_in, by_attribute, export, listed
from kpilib.segments.profile import attach, profile
from kpilib.segments.rfm import Cuts, by_rfm

__all__ = [
    "Cuts",
    "Segmentation",
    "Views",
    "accounts_in",
    "attach",
    "by_attribute",
    "by_band",
    "by_class",
    "by_rfm",
    "export",
    "listed",
    "moved",
    "movers",
    "profile",
    "views",
]


@dataclass(frozen=True)
class Views:
    """The segmentations that a client's data allow; ``missing`` says why the others are not there, by field."""

    behaviour: Segmentation | None
    kinds: Segmentation | None
    bands: Segmentation
    attributes: tuple[Segmentation, ...]
    missing: Mapping[str, DataError]

    @property
    def all(self) -> list[Segmentation]:
        """Every one that there is, in the order of a page."""
        return [each for each in (self.behaviour, self.kinds, self.bands, *self.attributes) if each]


def views(book: Book, quarter: str) -> Views:
    """Divide the base of a quarter in every way its data allow: behaviour, kinds, bands, the engagement's attributes.

    Of two attributes or more, the first two are also taken together.
    """
    missing: dict[str, DataError] = {}
    found: dict[str, Segmentation | None] = {}
    for name, divide in {"behaviour": by_rfm, "kinds": by_class}.items():
        try:
            found[name] = divide(book, quarter)
        except DataError as reason:
            found[name] = None
            missing[name] = reason
    named = book.engagement.segment_by
    if not named:
        do = "Name some with segment_by."
        missing["attributes"] = DataError("The engagement names no attribute of customers to divide by.", "", do)
    asked = [(each,) for each in named] + ([named[:2]] if len(named) > 1 else [])
    attributes = tuple(by_attribute(book, quarter, *each) for each in asked)
    return Views(found["behaviour"], found["kinds"], by_band(book, quarter), attributes, missing)
