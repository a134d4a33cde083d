"""Words of complaints that many modules share: the name that was probably meant, and a value on one short line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, None where none is near."""
    return next(iter(difflib.get_close_matches(word[:60], list(known), n=1)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown word: "; did you mean 'x'?", or "; known are a, b" where none is near."""
    names = list(known)
    meant = near(word, names)
    return f"; did you mean {meant!r}?" if meant else f"; known are {', '.join(names)}"


def shown(value: object, longest: int = 60) -> str:
    """A value as a message shows it, on one line and short: as it is, or quoted and cut where that could not be."""
    text = str(value)
    return text if len(text) <= longest and text.isprintable() else f"{text[: longest - 3]!a}..."


def quoted(value: object) -> str:
    """A value as a message quotes it, on one line and short."""
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
