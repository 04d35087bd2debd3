"""Text files in UTF-8: those in other encodings are converted, and none is guessed."""

from __future__ import annotations

import re
from pathlib import Path

from kpilib.errors import SourceError


def utf8(path: Path, encoding: str | None, scratch: Path) -> tuple[Path, str]:
    """Give a UTF-8 copy of a text file, or the file itself where it is UTF-8 already, and the encoding.

    Raises
    ------
    SourceError
        It is not in the declared encoding; or none is declared, and taking it for Windows-1252 would be a guess.
    """
    data = path.read_bytes()
    if not encoding and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = data.decode(encoding or "utf-8-sig")
    except LookupError as error:
        raise SourceError(f"{encoding!r} is no encoding.", "", "Use utf-8, windows-1252, utf-16, ...") from error
    except UnicodeDecodeError as error:
        if encoding:
            raise SourceError(f"{path.name} is not {encoding}.", str(error), "Declare another encoding.") from error
        encoding = _western(path.name, data)
        text = data.decode(encoding)
    mixed = 0 < data.count(b"\r\n") < data.count(b"\n")
    if (encoding or "utf-8") == "utf-8" and not data.startswith(b"\xef\xbb\xbf") and not mixed:
        return path, "utf-8"
    text = text.replace("\r\n", "\n") if mixed else text  # DuckDB wants one kind of line end
    scratch.write_text(text, encoding="utf-8", newline="")
    return scratch, encoding or "utf-8"


def _western(name: str, data: bytes) -> str:
    """Accept Windows-1252, the usual export that is not UTF-8; anything else must be declared.

    Most bytes decode as Windows-1252, so that they do proves little; a guess from a few names proves less. What
    reads like Western text is therefore taken, and the guess is asked only about what does not.
    """
    try:
        odd = _odd(data.decode("cp1252"))
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name} is neither UTF-8 nor Windows-1252.",
            f"It looks like {_guess(data)}.",
            "Declare its encoding in the source.",
        ) from error
    if odd and (guess := _guess(data)) not in ("unknown", "ascii", "cp1252", "latin_1", "iso8859_15"):
        raise SourceError(
            f"{name} is not UTF-8, and read as Windows-1252 it gives words such as {odd!r}.",
            f"It looks like {guess}.",
            'Declare its encoding in the source; encoding = "windows-1252" takes it as it is.',
        )
    return "cp1252"


IN_WORDS = "’‘´·°ªº®™×–—…•\xa0\xad"  # signs that may stand between two letters: O’Neill, N°A
ODD = re.compile(
    r"[^\x00-\xa0]{4,}"  # letters outside ASCII come one or two at a time: Ìîñêâà is another script
    r"|(?<=[a-zà-ÿ])[ŠŽŒŸÀ-ÖØ-Þ](?=[a-zà-ÿ])"  # MŸller
    rf"|(?<=[^\W\d_])[^\w\s\x00-\x7f{IN_WORDS}](?=[^\W\d_])"  # K”ln
    r"|(?<=[^\W\d_])[¹²³](?=[^\W\d_])"  # Wroc³aw
)


def _odd(text: str) -> str | None:
    """Give a word no Western text has, where they make up a tenth of what is not ASCII."""
    found = [each for each in ODD.finditer(text) if len(each[0]) == 1 or len(set(each[0])) > 1]
    if 10 * sum(len(each[0]) for each in found) <= len(re.sub(r"[\x00-\x7f]+", "", text)):
        return None
    before = re.search(r"\w*\Z", text[max(0, found[0].start() - 20) : found[0].start()])
    return (before[0] if before else "") + re.match(r".\S{0,20}?(?=[\s,;|]|$)|.", text[found[0].start() :])[0]


def _guess(data: bytes) -> str:
    """Guess an encoding from the lines that are not ASCII."""
    import charset_normalizer

    lines = b"\n".join(each for each in data.splitlines() if not each.isascii())
    best = charset_normalizer.from_bytes(lines[:500_000]).best()
    return best.encoding if best else "unknown"
