"""The KPI library: a card for every KPI, the bands and benchmarks bound to it, and a client's own figures of it."""

from __future__ import annotations

from kpilib.kpis.library import Bands, Card, bands, card, cards, placed, uncomputed

__all__ = ["Bands", "Card", "bands", "card", "cards", "placed", "uncomputed"]
