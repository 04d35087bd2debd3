"""How every figure looks: inks, fonts, the page with its heading and foot, and text that fits.

Follows IBCS notation conventions: actual solid dark, earlier lighter, plan outlined.
Figures never meet pyplot, so nothing is drawn twice; a :class:`Page` shows itself in a notebook.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import seaborn
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from kpilib.written import missing, name

WIDTH = 9.0  # inches
MARGIN = 0.15
INK, MUTED, RULE, GRID, PALE = "#1c2733", "#566270", "#c9d0d8", "#e8ecf0", "#f0f2f5"
NOW, BEFORE, LATE = "#1f4e79", "#a9b4c0", "#7ba3c9"
GOOD, BAD = "#17735c", "#b4472f"  # told apart by colour-blind readers; always with a sign
TINTS = ("#fdf1ed", "#fef8e8", "#ecf6f1", "#eff4f9")
TINT_INKS = ("#a8432d", "#8a6500", "#17694f", "#2f5d8a")
SIZE, SMALL, TINY = 9.5, 8.5, 7.5

FONTS = ("Inter", "Roboto", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")
SCRIPTS = (  # for names in other scripts, where the machine has them
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "PingFang SC",
    "Hiragino Sans", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Noto Sans Arabic",
    "Noto Sans Hebrew", "Noto Sans Thai", "Noto Sans Devanagari", "Nirmala UI", "Segoe UI",
    "Arial Unicode MS",
)  # fmt: skip
LOOK = {
    "font.size": SIZE,
    "font.sans-serif": FONTS,
    "text.color": INK,
    "text.parse_math": False,  # a client's $ is money
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text: selectable, and in the reader's own fonts
    "svg.hashsalt": "kpilib",
    "pdf.fonttype": 42,
}
NO_GLYPH = "Glyph .* missing from font"
UNDATED = {"svg": {"Date": None}, "svgz": {"Date": None}, "pdf": {"CreationDate": None}}

Drawing = TypeVar("Drawing", bound=Callable[..., Any])


@cache
def families() -> tuple[str, ...]:
    """Name the fonts that this machine has, ours first: a missing one would be warned of."""
    installed = set(font_manager.get_font_names())
    return (*(font for font in (*FONTS, *SCRIPTS) if font in installed), "sans-serif")


@contextmanager
def look() -> Iterator[None]:
    """Set the kit's look for a while, whatever the user's own settings, and leave no trace."""
    ours = {**seaborn.axes_style("white"), **LOOK, "font.family": families()}
    with mpl.style.context(["default", ours]), warnings.catch_warnings():
        # names in scripts without a font here still reach the reader: SVG keeps them as text
        warnings.filterwarnings("ignore", message=NO_GLYPH)
        yield


def drawn(function: Drawing) -> Drawing:
    """Have a figure made in the kit's look."""

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with look():
            return function(*args, **kwargs)

    return inside  # type: ignore[return-value]


class Page(Figure):
    """A figure with its message over it and n under it, placed in inches, of one width.

    ``get_label()`` is the alt text; the SVG carries the title, and the notebook output has the alt
    text under ``metadata["image/svg+xml"]["alt"]``.
    """

    def __init__(self, title: str, subtitle: str, note: str, body: float) -> None:
        heads = [wrap(title, 13, "bold"), wrap(subtitle, SIZE)]
        foot = wrap(note, TINY)
        top = 0.3 + 0.23 * len(heads[0]) + 0.175 * len(heads[1])
        bottom = 0.18 + 0.14 * len(foot)
        super().__init__(figsize=(WIDTH, top + body + bottom), dpi=144)
        _Canvas(self)
        self.title, self.bottom, self.top = " ".join(heads[0]), bottom, bottom + body
        height = top + body + bottom
        self.write(MARGIN, height - 0.15, "\n".join(heads[0]), size=13, weight="bold", va="top")
        under = height - 0.2 - 0.23 * len(heads[0])
        self.write(MARGIN, under, "\n".join(heads[1]), color=MUTED, va="top")
        self.write(MARGIN, 0.1, "\n".join(foot), size=TINY, color=MUTED, va="bottom")

    def write(self, x: float, y: float, text: str, **how: Any) -> None:
        """Write text at a place in inches from the lower left."""
        if text:
            self.text(x, y, text, transform=self.dpi_scale_trans, **{"va": "center", **how})

    def panel(self, left: float, right: float, below: float = 0.0, above: float = 0.0) -> Axes:
        """Add axes between two places in inches, over the body less room below and above."""
        width, height = self.get_size_inches()
        bottom, top = self.bottom + below, self.top - above
        axes = self.add_axes((left / width, bottom / height, (right - left) / width, (top - bottom) / height))
        axes.set(xticks=[], yticks=[])
        seaborn.despine(ax=axes, left=True, bottom=True)
        return axes

    def key(self, entries: Sequence[tuple[str, Mapping[str, Any]]], y: float | None = None) -> None:
        """Explain the marks in one line over the body."""
        x, y = MARGIN, self.top - 0.08 if y is None else y
        for label, how in entries:
            line = Line2D([x, x + 0.1, x + 0.2], [y] * 3, markevery=[1], transform=self.dpi_scale_trans)
            self.add_artist(line)
            line.set(**how)
            self.write(x + 0.28, y, label, size=SMALL, color=MUTED)
            x += 0.28 + 1.08 * width_of(label, SMALL) + 0.25

    def nothing(self, message: str) -> Page:
        """Say that there is nothing to draw; an empty picture would read as zero."""
        axes = self.panel(MARGIN, WIDTH - MARGIN)
        axes.text(0.5, 0.5, message, ha="center", va="center", color=MUTED, wrap=True)
        return self.described(message)

    def described(self, kind: str, values: Mapping[str, str] | None = None, most: int = 12) -> Page:
        """Give the page its alt text: its title, what it is, and its first values."""
        told = [f"{label}: {value}" for label, value in (values or {}).items()]
        rest = f"; and {len(told) - most} more" if len(told) > most else ""
        self.set_label(". ".join(filter(None, [self.title, kind, "; ".join(told[:most]) + rest])))
        return self

    def draw(self, renderer: Any) -> None:
        """Draw in the kit's look, also where a notebook or the pack draws much later."""
        with look():
            super().draw(renderer)

    def get_tightbbox(self, *_: Any, **__: Any) -> Bbox:
        """Keep the margins where a notebook would crop: all pages of a report are equally wide."""
        return Bbox.from_bounds(0, 0, *self.get_size_inches())

    def _repr_svg_(self) -> str:
        """Show as SVG in notebooks that know nothing of matplotlib."""
        kept = io.BytesIO()
        self.canvas.print_figure(kept, format="svg")
        return kept.getvalue().decode()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Give every output its alt text, as text and as metadata of the pictures."""
        alt = {"alt": self.get_label()}
        return {"text/plain": self.get_label()}, {"image/svg+xml": alt, "image/png": alt}


class _Canvas(FigureCanvasAgg):
    """Saves without dates, so that the same figure is the same file."""

    def print_figure(self, filename: Any, *args: Any, **kwargs: Any) -> Any:
        form = (kwargs.get("format") or Path(str(filename)).suffix[1:] or "png").lower()
        titled = {"Title": self.figure.title} if form in {"svg", "svgz", "pdf"} else {}
        kwargs["bbox_inches"] = None  # a crop pads axes and text in inches differently, and parts them
        kwargs["metadata"] = {**UNDATED.get(form, {}), **titled, **(kwargs.get("metadata") or {})}
        return super().print_figure(filename, *args, **kwargs)


@cache
def _pen() -> RendererAgg:
    return RendererAgg(1, 1, 72)


@lru_cache(4096)
def width_of(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Measure text in inches."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=NO_GLYPH)
        font = font_manager.FontProperties(family=families(), size=size, weight=weight)
        return _pen().get_text_width_height_descent(text, font, ismath=False)[0] / 72


def shorten(text: object, inches: float, size: float = SIZE, weight: str = "normal") -> str:
    """Cut a name to a width, with an ellipsis where something is missing."""
    whole = name(text)
    if width_of(whole, size, weight) <= inches:
        return whole
    low, high = 0, len(whole)
    while low < high - 1:  # the longest beginning that fits
        middle = (low + high) // 2
        fits = width_of(whole[:middle] + "…", size, weight) <= inches
        low, high = (middle, high) if fits else (low, middle)
    return whole[:low].rstrip() + "…"


def wrap(text: str, size: float, weight: str = "normal", inches: float = WIDTH - 2.4 * MARGIN) -> list[str]:
    """Break text into at most three lines of about equal length that fit.

    Scripts without spaces break anywhere.
    """
    lines = _fill(text, size, weight, inches)
    narrower = inches
    while len(lines) > 1 and narrower > 0.6 * inches:
        narrower -= 0.05 * inches
        balanced = _fill(text, size, weight, narrower)
        if len(balanced) > len(lines) or balanced[-1].endswith("…"):
            break
        lines = balanced
    return lines


def _fill(text: str, size: float, weight: str, inches: float, most: int = 3) -> list[str]:
    lines, rest = [], name(text, most=2000) if text else ""
    while rest and len(lines) < most - 1:
        line = _first_line(rest, size, weight, inches)
        lines, rest = [*lines, line], rest[len(line) :].lstrip()
    return [*lines, shorten(rest, inches, size, weight)] if rest else lines


def _first_line(text: str, size: float, weight: str, inches: float) -> str:
    """Return the longest beginning that fits, to the last space in it where there is one."""
    if width_of(text, size, weight) <= inches:
        return text
    end = len(shorten(text, inches, size, weight)) - 1
    return (text[: end + 1].rpartition(" ")[0] or text[: max(end, 1)]).rstrip()


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart so that labels at them do not overlap, each as little as that takes.

    Example
    -------
    >>> spread([0.1, 0.12, 0.9], gap=0.1, low=0.0, high=1.0)
    [0.1, 0.2, 0.9]
    >>> spread([0.97, 1.0], gap=0.1, low=0.0, high=1.0)
    [0.9, 1.0]
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    places = [max(wanted[index], low) for index in order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    ceiling = high
    for index in reversed(range(len(places))):
        places[index] = min(places[index], ceiling)
        ceiling = places[index] - gap
    return [round(places[order.index(index)], 6) for index in range(len(places))]


def tints(number: int) -> list[tuple[str, str]]:
    """Choose a tint and an ink of it for each of so many bands, from low to high."""
    if number <= 1:
        return [("white", MUTED)] * number
    papers, inks = (seaborn.blend_palette(each, number).as_hex() for each in (TINTS, TINT_INKS))
    return list(zip(papers, inks, strict=True))


def tone(low: float | None, high: float | None) -> str:
    """Choose the ink of a change by its interval: good, bad, or not clear."""
    if missing(low) or missing(high):
        return MUTED
    return GOOD if low > 0 else BAD if high < 0 else MUTED
