"""Checks of wording: required and forbidden words, exact answers, beginnings and ends, patterns, order, case, language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from judgebench.checks.base import Check, compile_pattern, count_matches, matches_all, normalise
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


def _opening(text: str) -> str:
    """A text from its first word on, normalised: marks of headings, quotations and lists before it are no part of it."""
    return normalise(text).lstrip("#>- ")


def _begins(text: str, start: str) -> bool:
    """Whether an opening text begins with the whole words of another."""
    return text.startswith(start) and not (_glues(start[-1:]) and _glues(text[len(start) : len(start) + 1]))


def _demand_wording(name: str, phrases: tuple[str, ...]) -> None:
    if not all(map(_opening, phrases)):
        raise ValueError(f"{name} holds an empty text, which every answer holds or none; leave it out")


@dataclass(frozen=True, kw_only=True)
class Contains(Check):
    """Words or phrases that must stand in the answer, as whole words, case and Markdown ignored.

    Attributes:
        all: every one of these. any: at least `at_least` of these (default 1).
    """

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    at_least: int = 1

    def __post_init__(self) -> None:
        if not self.all and not self.any:
            raise ValueError('it needs "all" or "any"')
        if not 1 <= self.at_least <= max(1, len(self.any)):
            raise ValueError(f"at_least is from 1 to the {len(self.any)} texts of any")
        _demand_wording("it", self.all + self.any)

    def holds(self, text: str) -> bool:
        text = normalise(text)
        if not all(has_phrase(text, phrase) for phrase in self.all):
            return False
        return not self.any or sum(has_phrase(text, phrase) for phrase in self.any) >= self.at_least


@dataclass(frozen=True, kw_only=True)
class Lacks(Check):
    """Words or phrases none of which may stand in the answer, as whole words."""

    any: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand_wording("any", self.any)

    def holds(self, text: str) -> bool:
        text = normalise(text)
        return not any(has_phrase(text, phrase) for phrase in self.any)


@dataclass(frozen=True, kw_only=True)
class Exact(Check):
    """The answer (its `Answer:` line where there is one, else the whole part) is one of `values`, final full stop ignored."""

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand_wording("values", self.values)

    def holds(self, text: str) -> bool:
        given = answer_line(text)
        said = normalise(text if given is None else given).strip(" .!\"'")
        return any(said == normalise(value).strip(" .!\"'") for value in self.values)


@dataclass(frozen=True, kw_only=True)
class StartsWith(Check):
    """The part begins with one of `values`, as whole words (case and the marks of a heading, quotation or list ignored)."""

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand_wording("values", self.values)

    def holds(self, text: str) -> bool:
        text = _opening(text)
        return any(_begins(text, _opening(value)) for value in self.values)


@dataclass(frozen=True, kw_only=True)
class EndsWith(Check):
    """The part ends with one of `values`, as whole words (case ignored)."""

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand_wording("values", self.values)

    def holds(self, text: str) -> bool:
        text = normalise(text)
        return any(text.endswith(end) and not (_glues(end[0]) and _glues(text[: -len(end)][-1:])) for end in map(normalise, self.values))


@dataclass(frozen=True, kw_only=True)
class Regex(Check):
    """A pattern that matches at least `min` and at most `max` times (default at least once; `max` 0 forbids it).

    Matches are counted up to 100,000; `^` and `$` match at every line; a pattern that takes over 2 s gives no result.
    """

    pattern: str
    min: int = 1
    max: int | None = None
    ignore_case: bool = False

    def __post_init__(self) -> None:
        if self.max is not None and 0 < self.max < self.min:
            raise ValueError(f"no number is at least min {self.min} and at most max {self.max}")
        if self.min == 0 and self.max is None:
            raise ValueError("min 0 without max holds for every answer")
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
        return bool(pieces) and matches_all(self._compiled, pieces)  # type: ignore[attr-defined]  # as above


@dataclass(frozen=True, kw_only=True)
class Order(Check):
    """The phrases all stand in the answer, each one first named after the one before it."""

    items: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand_wording("items", self.items)

    def holds(self, text: str) -> bool:
        text = normalise(text)
        places = [find_phrase(text, item) for item in self.items]
        return min(places, default=-1) >= 0 and places == sorted(places)


@dataclass(frozen=True, kw_only=True)
class ParagraphsStart(Check):
    """There are exactly as many paragraphs as entries in `with`, and each starts with its entry ("" is anything)."""

    with_: tuple[str, ...]

    def holds(self, text: str) -> bool:
        blocks = [_opening(block) for block in paragraphs(text)]
        return len(blocks) == len(self.with_) and all(_begins(b, _opening(w)) for b, w in zip(blocks, self.with_, strict=True))


@dataclass(frozen=True, kw_only=True)
class Acrostic(Check):
    """The first letters of the lines spell `word` (case ignored)."""

    word: str

    def __post_init__(self) -> None:
        if not self.word.isalpha():
            raise ValueError("word is made of letters alone")

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
    """The part is written in the language with this ISO 639-1 code, as py3langid reads its first 20,000 characters.

    A few sentences are needed for a sure reading; a part without any letter is in no language.
    """

    code: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z]{2,3}", self.code):  # which codes can be told depends on the version of py3langid
            raise ValueError(f"code {self.code[:20]!r} is no language code such as en, de or zh")

    def holds(self, text: str) -> bool:
        import py3langid  # imported here: loading its model takes 0.3 s, and few benchmarks need it

        readable = text[:20_000].encode("utf-8", "replace").decode("utf-8")  # half a character stops the classifier
        return any(map(str.isalpha, readable)) and bool(str(py3langid.classify(readable)[0]) == self.code)
