"""What every check has in common."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

from judgebench.checks.text_parts import part

PATTERN_SECONDS = 2.0


class CheckTimeout(Exception):
    """A pattern took too long on this answer: the check has no result."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One yes-or-no property of an answer.

    Attributes:
        part: the part of the answer looked at (see `text_parts.part`).
        note: what the check is for, shown to people.
    """

    part: str = "all"
    note: str = ""

    def passes(self, answer: str) -> bool:
        """Whether the answer has the property. Raises `CheckTimeout` when a pattern does not finish."""
        return self.holds(part(answer.replace("\r\n", "\n"), self.part))

    def holds(self, text: str) -> bool:
        """The property itself, on the part looked at."""
        raise TypeError(f"{type(self).__name__} defines no property")


def compile_pattern(pattern: str, *, ignore_case: bool) -> Any:
    """A pattern that can be searched under a time limit. Raises ValueError when it does not compile."""
    if not pattern:
        raise ValueError("an empty pattern matches everything")
    flags = regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0)
    try:
        with warnings.catch_warnings():  # a hint about future syntax is no error of the benchmark
            warnings.simplefilter("ignore")
            return regex.compile(pattern, flags)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(f"pattern {pattern[:60]!r} does not compile: {error}") from error


def count_matches(pattern: Any, text: str, at_most: int = 100_000) -> int:
    """How often the pattern matches, counted up to `at_most`. Raises `CheckTimeout` after `PATTERN_SECONDS`."""
    n = 0
    try:
        for n, _ in enumerate(pattern.finditer(text, timeout=PATTERN_SECONDS), 1):
            if n >= at_most:
                break
    except TimeoutError as error:
        raise _too_slow(pattern) from error
    return n


def matches_all(pattern: Any, pieces: Sequence[str]) -> bool:
    """Whether the pattern matches in every piece. Raises `CheckTimeout` when that takes over `PATTERN_SECONDS` in all."""
    deadline = time.monotonic() + PATTERN_SECONDS
    try:
        for piece in pieces:
            if pattern.search(piece, timeout=max(1e-3, deadline - time.monotonic())) is None:
                return False
    except TimeoutError as error:
        raise _too_slow(pattern) from error
    return True


def _too_slow(pattern: Any) -> CheckTimeout:
    return CheckTimeout(f"pattern {pattern.pattern[:60]!r} took over {PATTERN_SECONDS:g} s")


def normalise(text: str) -> str:
    """Case, quotes, dashes, Markdown marks and runs of blanks made equal, for comparing words."""
    table = {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "\u00a0": " ", "*": "", "_": " ", "`": ""}
    return " ".join("".join(table.get(c, c) for c in text).casefold().split())
