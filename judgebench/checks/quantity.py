"""Checks of quantity: counts of units, numeric answers, a choice among letters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from judgebench.checks.base import Check, normalise
from judgebench.checks.numbers import numbers
from judgebench.checks.text_parts import UNITS, answer_line
from judgebench.checks.wording import find_phrase


@dataclass(frozen=True, kw_only=True)
class Count(Check):
    """How many units the part has: words, sentences, lines, paragraphs, bullets, numbered, headings or characters.

    Attributes:
        unit: the unit. min, max: bounds, both included. exactly: instead of both.
    """

    unit: str
    min: int | None = None
    max: int | None = None
    exactly: int | None = None

    def __post_init__(self) -> None:
        _demand_bounds(self.min, self.max, self.exactly)

    def holds(self, text: str) -> bool:
        return _within(len(UNITS[self.unit](text)), self.min, self.max, self.exactly)


@dataclass(frozen=True, kw_only=True)
class EachCount(Check):
    """Every `of` (line, paragraph, sentence, bullet …) has a number of `unit` within bounds, e.g. each line has 5 words."""

    of: str
    unit: str
    min: int | None = None
    max: int | None = None
    exactly: int | None = None

    def __post_init__(self) -> None:
        _demand_bounds(self.min, self.max, self.exactly)

    def holds(self, text: str) -> bool:
        sizes = [len(UNITS[self.unit](piece)) for piece in UNITS[self.of](text)]
        return bool(sizes) and all(_within(size, self.min, self.max, self.exactly) for size in sizes)


@dataclass(frozen=True, kw_only=True)
class Occurrences(Check):
    """How often a phrase stands in the part, as whole words."""

    phrase: str
    min: int | None = None
    max: int | None = None
    exactly: int | None = None

    def __post_init__(self) -> None:
        _demand_bounds(self.min, self.max, self.exactly)
        if not normalise(self.phrase):
            raise ValueError("phrase is empty")

    def holds(self, text: str) -> bool:
        text, n, at = normalise(text), 0, -1
        while (at := find_phrase(text, self.phrase, at + 1)) >= 0:
            n += 1
        return _within(n, self.min, self.max, self.exactly)


def _demand_bounds(low: int | None, high: int | None, exactly: int | None) -> None:
    if exactly is not None and (low, high) != (None, None):
        raise ValueError('it takes either "exactly" or "min" and "max"')
    if exactly is None and not low and high is None:
        raise ValueError('it needs "exactly", "min" or "max"')
    if low is not None and high is not None and low > high:
        raise ValueError(f"no number is at least min {low} and at most max {high}")


def _within(n: int, low: int | None, high: int | None, exactly: int | None) -> bool:
    if exactly is not None:
        return n == exactly
    return (low is None or n >= low) and (high is None or n <= high)


@dataclass(frozen=True, kw_only=True)
class Number(Check):
    """A numeric answer.

    Attributes:
        value: the right value.
        tolerance: how far off it may be, in the same unit (default 1e-6 of the value).
        where: "answer" (default): the first number of the last `Answer:` line, else the last number of the part;
            "last": the last number; "any": any number.
    """

    value: float
    tolerance: float | None = None
    where: str = "answer"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or not 0 <= (self.tolerance or 0) < math.inf:
            raise ValueError("value is a finite number, tolerance a finite one that is not negative")

    def holds(self, text: str) -> bool:
        allowed = self.tolerance if self.tolerance is not None else 1e-6 * max(1.0, abs(self.value))
        return any(abs(found - self.value) <= allowed for found in self._candidates(text))

    def _candidates(self, text: str) -> list[float]:
        if self.where == "answer" and (given := answer_line(text)) is not None:
            return numbers(given)[:1]
        found = numbers(text)
        return found if self.where == "any" else found[-1:]


@dataclass(frozen=True, kw_only=True)
class Choice(Check):
    """A multiple-choice letter: the first of the options on the `Answer:` line, else the last one standing alone or in brackets.

    Attributes:
        value: the right letter. options: all letters there are.
    """

    value: str
    options: str = "ABCD"

    def __post_init__(self) -> None:
        if len(self.value) != 1 or self.value not in self.options:
            raise ValueError(f"value {self.value[:20]!r} is not one of the options {self.options[:40]}")

    def holds(self, text: str) -> bool:
        given = answer_line(text)
        letters = re.findall(rf"(?<![A-Za-z'’])\(?([{re.escape(self.options)}])\)?(?![A-Za-z'’])", text if given is None else given)
        return bool(letters) and letters[0 if given is not None else -1] == self.value
