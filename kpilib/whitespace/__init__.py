"""What accounts could buy and do not have: the map, the list worth calling, and whether that list foretold anything.

Chances are of the next quarter, from 0 to 1; money is Decimal and told only where chances stood the back-test.
"""

from __future__ import annotations

from kpilib.whitespace.lists import of, open_slots, picture, ranked
from kpilib.whitespace.ranking import Ranking, prepare, value, write
from kpilib.whitespace.states import export, map, reasons, slots
from kpilib.whitespace.tried import BackTest, backtest

__all__ = [
    "BackTest",
    "Ranking",
    "backtest",
    "export",
    "map",
    "of",
    "open_slots",
    "picture",
    "prepare",
    "ranked",
    "reasons",
    "slots",
    "value",
    "write",
]
