"""What a user can put right, worded in one place: what is so, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MEND_RIGHT = "Ask for the right to read it, or copy it to where you have it."


class KpiError(ValueError):
    """The data, the engagement or a request is at fault; the message says how to mend it.

    Example
    -------
    >>> raise KpiError("No account is in the base.", "0 of 12 are active.", "Use --base all.")
    Traceback (most recent call last):
    ...
    kpilib.errors.KpiError: No account is in the base. 0 of 12 are active. Use --base all.
    """

    def __init__(self, so: str, found: str = "", do: str = "") -> None:
        super().__init__(" ".join(part for part in (so, found, do) if part))


def near(word: str, known: Iterable[str]) -> str:
    """Name the known words that a misspelt one may have meant.

    Example
    -------
    >>> near("quater", ["quarter", "base"])
    "Did you mean 'quarter'?"
    >>> near("zzz", ["quarter", "base"])
    "Known: 'base', 'quarter'."
    """
    words = sorted({str(name) for name in known})
    close = get_close_matches(word, words, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    return f"Known: {listed(words)}."


def listed(words: Sequence[object], most: int = 12) -> str:
    """Quote a list for a message, cut where it would no longer be read.

    Example
    -------
    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(str(word)) for word in words[:most])
    return shown + (f" and {len(words) - most} more" if len(words) > most else "") or "nothing"


def refuse(problems: Sequence[KpiError]) -> None:
    """Raise what was found, if anything: one problem as it is, several together.

    Example
    -------
    >>> refuse([])
    >>> refuse([DataError("One."), DataError("Two.")])
    Traceback (most recent call last):
    ...
    kpilib.errors.DataError: 2 problems:
      - One.
      - Two.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        told = dict.fromkeys(map(str, problems))
        raise DataError(f"{len(told)} problems:\n" + "\n".join(f"  - {each}" for each in told))


class EngagementError(KpiError):
    """The engagement file contradicts itself or this kit; every problem is told at once."""

    def __init__(self, path: object, problems: Sequence[str]) -> None:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{path} has {count}:\n" + "\n".join(f"  - {each}" for each in problems))
        self.problems = tuple(problems)


class SourceError(KpiError):
    """A file or query cannot be read as the engagement describes it."""


class ColumnError(KpiError):
    """A column that the engagement names is not in its source."""

    def __init__(self, source: str, key: str, name: str, columns: Sequence[str]) -> None:
        super().__init__(
            f"{source} has no column {name!r}, which {key} names.",
            f"It has {listed(list(columns), most=30)}.",
            f"{near(name, columns)} Name the client's own column under {key}.",
        )


class DataError(KpiError):
    """The facts, once read, cannot carry the figure asked for."""


class QuarterError(KpiError):
    """A quarter that is not written as one, or lies outside the data."""
