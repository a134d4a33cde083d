"""Checks of wording: required and forbidden words, exact answers, beginnings and ends, patterns, order, case, language."""

from __future__ import annotations

from dataclasses import dataclass

from judgebench.checks.base import Check, compile_pattern, count_matches, normalise
from judgebench.checks.text_parts import UNITS, answer_line, lines, paragraphs


def has_phrase(text: str, phrase: str) -> bool:
    """Whether a phrase stands in a text as whole words, both normalised."""
    return find_phrase(text, phrase) >= 0


def find_phrase(text: str, phrase: str, start: int = 0) -> int:
    """Where a phrase stands as whole words in an already normalised text, or -1."""
    phrase = normalise(phrase)
    while phrase and (at := text.find(phrase, start)) >= 0:
        before, after = text[at - 1 : at], text[at + len(phrase) : at + len(phrase) + 1]
        if not (_glues(before) and _glues(phrase[0])) and not (_glues(after) and _glues(phrase[-1])):
            return at
        start = at + 1
    return -1


def _glues(c: str) -> bool:
    # Scripts without blanks between words (CJK, kana) are searched as plain text.
    return c.isalnum() and ord(c) < 0x2E80


@dataclass(frozen=True, kw_only=True)
class Contains(Check):
    """Words or phrases that must stand in the answer, as whole words, case and Markdown ignored.

    Attributes:
        all: every one of these. any: at least `at_least` of these (default 1).
    """

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    at_least: int = 1

    def holds(self, text: str) -> bool:
        text = normalise(text)
        if not all(has_phrase(text, phrase) for phrase in self.all):
            return False
        return not self.any or sum(has_phrase(text, phrase) for phrase in self.any) >= self.at_least


@dataclass(frozen=True, kw_only=True)
class Lacks(Check):
    """Words or phrases none of which may stand in the answer, as whole words."""

    any: tuple[str, ...]

    def holds(self, text: str) -> bool:
        text = normalise(text)
        return not any(has_phrase(text, phrase) for phrase in self.any)


@dataclass(frozen=True, kw_only=True)
class Exact(Check):
    """The answer (its `Answer:` line where there is one, else the whole part) is one of `values`, final full stop ignored."""

    values: tuple[str, ...]

    def holds(self, text: str) -> bool:
        given = answer_line(text)
        said = normalise(text if given is None else given).strip(" .!\"'")
        return any(said == normalise(value).strip(" .!\"'") for value in self.values)


@dataclass(frozen=True, kw_only=True)
class StartsWith(Check):
    """The part begins with one of `values` (case ignored)."""

    values: tuple[str, ...]

    def holds(self, text: str) -> bool:
        return normalise(text).lstrip("#>- ").startswith(tuple(normalise(value) for value in self.values))


@dataclass(frozen=True, kw_only=True)
class EndsWith(Check):
    """The part ends with one of `values` (case ignored)."""

    values: tuple[str, ...]

    def holds(self, text: str) -> bool:
        return normalise(text).endswith(tuple(normalise(value) for value in self.values))


@dataclass(frozen=True, kw_only=True)
class Regex(Check):
    """A pattern that matches at least `min` and at most `max` times (default at least once; `max` 0 forbids it)."""

    pattern: str
    min: int = 1
    max: int | None = None
    ignore_case: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern, ignore_case=self.ignore_case))

    def holds(self, text: str) -> bool:
        n = count_matches(self._compiled, text)  # type: ignore[attr-defined]  # set in __post_init__ of a frozen record
        return n >= (0 if self.max == 0 else self.min) and (self.max is None or n <= self.max)


@dataclass(frozen=True, kw_only=True)
class Each(Check):
    """Every unit (line, paragraph, sentence, bullet …) of the part matches a pattern; at least one unit must be there."""

    unit: str
    pattern: str
    ignore_case: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern, ignore_case=self.ignore_case))

    def holds(self, text: str) -> bool:
        pieces = UNITS[self.unit](text)
        return bool(pieces) and all(count_matches(self._compiled, piece, 1) for piece in pieces)  # type: ignore[attr-defined]  # as above


@dataclass(frozen=True, kw_only=True)
class Order(Check):
    """The phrases all stand in the answer, each one first named after the one before it."""

    items: tuple[str, ...]

    def holds(self, text: str) -> bool:
        text = normalise(text)
        places = [find_phrase(text, item) for item in self.items]
        return min(places, default=-1) >= 0 and places == sorted(places)


@dataclass(frozen=True, kw_only=True)
class ParagraphsStart(Check):
    """There are exactly as many paragraphs as entries in `with_`, and each starts with its entry ("" is anything)."""

    with_: tuple[str, ...]

    def holds(self, text: str) -> bool:
        blocks = [normalise(block).lstrip("#>- ") for block in paragraphs(text)]
        return len(blocks) == len(self.with_) and all(b.startswith(normalise(w)) for b, w in zip(blocks, self.with_, strict=True))


@dataclass(frozen=True, kw_only=True)
class Acrostic(Check):
    """The first letters of the lines spell `word`."""

    word: str

    def holds(self, text: str) -> bool:
        firsts = [next((c for c in line if c.isalpha()), "") for line in lines(text)]
        return "".join(firsts).casefold() == self.word.casefold()


@dataclass(frozen=True, kw_only=True)
class LetterCase(Check):
    """All letters are "lower" or "upper"."""

    case: str

    def holds(self, text: str) -> bool:
        letters = [c for c in text if c.isalpha()]
        return bool(letters) and not any(c.isupper() if self.case == "lower" else c.islower() for c in letters)


@dataclass(frozen=True, kw_only=True)
class Language(Check):
    """The part is written in the language with this ISO 639-1 code, as py3langid reads it."""

    code: str

    def holds(self, text: str) -> bool:
        import py3langid  # imported here: loading its model takes 0.3 s, and few benchmarks need it

        return bool(str(py3langid.classify(text)[0]) == self.code)
