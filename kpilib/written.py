"""What figures, tables and sentences share: one spelling of numbers, dates and names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from kpilib.errors import KpiError, listed

NOTHING = "–"
MINUS = "\N{MINUS SIGN}"

Row = Mapping[str, Any]


def missing(value: object) -> bool:
    """Tell whether a cell of a result table holds nothing.

    Example
    -------
    >>> missing(None), missing(float("nan")), missing(0)
    (True, True, False)
    """
    return value is None or bool(pd.api.types.is_scalar(value) and pd.isna(value))


def per_cent(share: float | None, places: int = 1) -> str:
    """Write a share (0-1) in per cent; what is not quite none or all never reads as none or all.

    Example
    -------
    >>> per_cent(0.5439), per_cent(0.99996), per_cent(0.00001), per_cent(None)
    ('54.4%', '>99.9%', '<0.1%', '–')
    """
    if missing(share):
        return NOTHING
    shown, least = f"{100 * share:.{places}f}", 10.0**-places
    if share > 0 and float(shown) == 0:
        return f"<{least:.{places}f}%"
    if share < 1 and float(shown) == 100:
        return f">{100 - least:.{places}f}%"
    return f"{shown.replace('-', MINUS)}%"


def points(difference: float | None, unit: str = "") -> str:
    """Write a difference of shares (0-1) in points, always with its sign.

    One decimal, or two where one would hide that there is a difference.

    Example
    -------
    >>> points(0.0214), points(-0.0004, unit=" points"), points(0.0)
    ('+2.1', '−0.04 points', '0.0')
    """
    if missing(difference):
        return NOTHING
    places = 1 if rounds_away(difference, 1) == rounds_away(difference, 2) else 2
    shown = f"{100 * abs(difference):.{places}f}"
    sign = "" if rounds_away(difference, places) else "+" if difference > 0 else MINUS
    return f"{sign}{shown}{unit}"


def rounds_away(difference: float, places: int = 1) -> bool:
    """Tell whether a difference of shares is zero once shown in points."""
    return float(f"{100 * abs(difference):.{places}f}") == 0


def count(number: float | None) -> str:
    """Write a whole number with thousands separators.

    Example
    -------
    >>> count(1469307), count(-12), count(None)
    ('1,469,307', '−12', '–')
    """
    return NOTHING if missing(number) else f"{int(number):,}".replace("-", MINUS)


def few(number: float | None, least: int) -> str:
    """Write a count, or that it is below the least that is shown.

    Example
    -------
    >>> few(1200, 5), few(4, 5), few(0, 5), few(None, 5)
    ('1,200', '<5', '0', '–')
    """
    return f"<{least}" if too_few(number, least) else count(number)


def too_few(number: float | None, least: int) -> bool:
    """Tell whether a count is too small to be shown; of nobody, nothing is given away."""
    return not missing(number) and 0 < number < least


def money(amount: Decimal | float | None, currency: str | None = None, places: int = 2) -> str:
    """Write an amount with its currency and thousands separators.

    Example
    -------
    >>> money(Decimal("1194791.08"), "USD"), money(-1500, "EUR", places=0), money(None)
    ('USD 1,194,791.08', 'EUR −1,500', '–')
    """
    if missing(amount):
        return NOTHING
    shown = f"{amount:,.{places}f}".replace("-", MINUS)
    return f"{name(currency)} {shown}" if currency else shown


def compact(number: float) -> str:
    """Write a large number shortly, for an axis.

    Example
    -------
    >>> compact(950), compact(120_000), compact(1_194_791), compact(3_000_000_000)
    ('950', '120,000', '1.19 million', '3 billion')
    """
    for size, word in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if abs(number) >= size:
            return f"{number / size:.3g}{word}".replace("-", MINUS)
    return (f"{number:,.0f}" if float(number).is_integer() else f"{number:g}").replace("-", MINUS)


def day(when: date | str | None) -> str:
    """Write a day out, the same in every locale.

    Example
    -------
    >>> day(date(2017, 12, 31))
    '31 December 2017'
    """
    if missing(when):
        return NOTHING
    moment = pd.Timestamp(when)
    return f"{moment.day} {moment.month_name()} {moment.year}"


def quarter(label: str | None) -> str:
    """Write a quarter as people say it.

    Example
    -------
    >>> quarter("2017Q4")
    'Q4 2017'
    """
    if missing(label):
        return NOTHING
    year, _, number = str(label).partition("Q")
    return f"Q{number} {year}" if number else name(label)


def month(when: date | str) -> str:
    """Write a month out.

    Example
    -------
    >>> month("2017-03")
    'March 2017'
    """
    moment = pd.Timestamp(when)
    return f"{moment.month_name()} {moment.year}"


def name(text: object, most: int = 200) -> str:
    r"""Write a name from a client's file on one line, without characters nobody can see.

    Example
    -------
    >>> name("Smith\n & Sons\x00"), name("abcdefgh", most=5), name(" ")
    ('Smith & Sons', 'abcd…', '(no name)')
    """
    seen = "".join(
        each
        for each in " ".join(str("" if missing(text) else text).split())
        if unicodedata.category(each)[0] != "C" or each in "\u200c\u200d"
    )
    return (seen if len(seen) <= most else seen[: most - 1].rstrip() + "…") or "(no name)"


def spaced(attribute: str) -> str:
    """Write names of columns as words; values after a colon stay as they are.

    Example
    -------
    >>> spaced("income and household_size"), spaced("sales_area: N_1")
    ('income and household size', 'sales area: N_1')
    """
    parts = (each.partition(": ") for each in attribute.split(", "))
    return name(", ".join(column.replace("_", " ") + colon + value for column, colon, value in parts))


def plural(number: float, thing: str, things: str = "") -> str:
    """Count things.

    Example
    -------
    >>> plural(1, "customer"), plural(2469, "customer"), plural(0, "country", "countries")
    ('1 customer', '2,469 customers', '0 countries')
    """
    return f"{count(number)} {thing if number == 1 else things or thing + 's'}"


def several(words: Iterable[object], most: int = 4) -> str:
    """Join words as a sentence does.

    Example
    -------
    >>> several(["a"]), several(["a", "b", "c"]), several("abcdef", most=3)
    ('a', 'a, b and c', 'a, b, c and 3 more')
    """
    each = [name(word, most=48) for word in words]
    if len(each) > most + 1:
        each = [*each[:most], f"{count(len(each) - most)} more"]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def band_ranges(bands: pd.DataFrame) -> list[str]:
    """Say from where to where each band reaches; limits are in per cent, as declared.

    Parameters
    ----------
    bands
        In rising order, with ``at_least`` or ``above``; the first has neither.

    Example
    -------
    >>> shipped = {"at_least": [None, 50, 70, None], "above": [None, None, None, 85]}
    >>> band_ranges(pd.DataFrame(shipped))
    ['below 50%', '50–70%', '70–85%', 'above 85%']
    """
    floors = [_floor(*each) for each in zip(bands["at_least"], bands["above"], strict=True)]
    return [_range(*each) for each in zip(floors, [*floors[1:], (None, False)], strict=True)]


def _floor(at_least: float | None, above: float | None) -> tuple[float | None, bool]:
    """Where a band begins (per cent), and whether just above that."""
    if missing(above):
        return (None if missing(at_least) else float(at_least), False)
    return float(above), True


def _range(begins: tuple[float | None, bool], ends: tuple[float | None, bool]) -> str:
    (floor, above), (ceiling, inclusive) = begins, ends
    if floor is None:
        return "all" if ceiling is None else f"{ceiling:g}% or less" if inclusive else f"below {ceiling:g}%"
    if ceiling is None:
        return f"above {floor:g}%" if above else f"{floor:g}% or more"
    return f"{floor:g}–{ceiling:g}%"


def upper(text: str) -> str:
    """Begin a sentence.

    Example
    -------
    >>> upper("all customers"), upper("")
    ('All customers', '')
    """
    return text[:1].upper() + text[1:]


def are(number: float) -> str:
    """Choose the verb."""
    return "is" if number == 1 else "are"


def have(number: float) -> str:
    """Choose the verb."""
    return "has" if number == 1 else "have"


def floats(table: pd.DataFrame, column: str) -> np.ndarray:
    """Read a column as numbers; what is missing, or the whole column, is NaN."""
    if column not in table:
        return np.full(len(table), np.nan)
    return np.array([np.nan if missing(each) else float(each) for each in table[column]], float)


def needing(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Refuse a table that lacks a column, and renumber its rows."""
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise KpiError(
            f"This needs the columns {listed(columns)}.",
            f"The table lacks {listed(lacking)}; it has {listed([*table.columns], most=30)}.",
            "Hand it the result table as the measure returned it.",
        )
    return table.reset_index(drop=True)
