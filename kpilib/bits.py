"""A catalogue as bits: every product has a place, and 63 places make a word.

Everything is said in Ibis. No engine is asked to shift a bit: a place looks its bit up in a short list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

WORD = 63
BOUGHT = -(1 << 63)  # the 64th bit of an account's first word: it bought anything at all
PLACES = (1 << WORD) - 1


@dataclass(frozen=True)
class Words:
    """The words that hold a catalogue, in its own order; iterating gives their numbers.

    Example
    -------
    >>> import pandas as pd
    >>> words = Words(pd.DataFrame({"product_id": [f"P{n}" for n in range(64)]}))
    >>> list(words), words.mask(0, [True, False, True]), words.mask(1, [True] * 64)
    ([0, 1], 5, 1)
    """

    products: pd.DataFrame

    def __iter__(self) -> Iterator[int]:
        return iter(range(-(-len(self.products) // WORD)))

    @property
    def outside(self) -> int:
        """The place that stands for everything outside the catalogue."""
        return len(self.products)

    def mask(self, word: int, chosen: Iterable[bool]) -> int:
        """Set the bits of the chosen products; ``chosen`` tells of each in turn."""
        places = (place for place, each in enumerate(chosen) if each and place // WORD == word)
        return sum(1 << place % WORD for place in places)

    def bit(self, word: int, place: ir.IntegerValue, bought: bool = False) -> ir.IntegerValue:
        """Look up the bit of a place, marked as a purchase where asked."""
        mark = BOUGHT if bought and word == 0 else 0
        bits = [1 << n % WORD if n // WORD == word else 0 for n in range(self.outside)]
        return at([each + mark for each in [*bits, 0]], place)


def whole(value: int) -> ir.IntegerScalar:
    """Say a word to the engine: 64 bits, however small its value."""
    return ibis.literal(value, "int64")


def at(numbers: list[int] | ir.ArrayValue, place: ir.IntegerValue) -> ir.IntegerValue:
    """Look a place up, counted from 0; Ibis itself would ask of every row whether to count from the end."""
    extract = ibis.udf.scalar.builtin(_two, name="list_extract", signature=(("array<int64>", "int64"), "int64"))
    return extract(numbers, place + 1)


def counted(word: ir.IntegerValue) -> ir.IntegerValue:
    """Count the bits of a word; Ibis has no name for it."""
    return ibis.udf.scalar.builtin(_one, name="bit_count", signature=(("int64",), "int8"))(word)


def _one(value: Any) -> Any:
    """Stand for a function of the engine's own."""


def _two(value: Any, other: Any) -> Any:
    """Stand for a function of the engine's own."""
