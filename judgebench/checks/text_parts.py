"""How an answer is cut into the units that checks count: words, sentences, lines, paragraphs, bullets."""

from __future__ import annotations

import re
from collections.abc import Callable

# Every pattern here is linear in the text (possessive repeats, no two repeats side by side that take the same characters):
# the texts are answers of models, up to megabytes of whatever a loop puts out.
_FENCE = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)([^\n]*+)\n(.*?)(?:^[ \t]*+\1[`~]*+[ \t\r]*+$|\Z)", re.S | re.M)
_BULLET = re.compile(r"^\s*+[-*+•–◦▪‣●]\s++\S")
_NUMBERED = re.compile(r"^\s*+[*_]{0,2}\(?\d{1,3}[.)][*_]{0,2}\s++\S")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s++\S")
_RULE = re.compile(r"^\s*+([-*_=])(?:\s*+\1){2,}+\s*+$")
_ANSWER_LINE = re.compile(r"^[ \t>*_#`-]*+(?:final[ \t]++)?answer[ \t]*+(?:[*_`]++[ \t]*+)?[:=]\s*+(.*)$", re.I | re.M)
_SENTENCE_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"'”’»)\]*_]*+(?=\s|$)|[。！？]")
# A full stop after one of these ends no sentence …
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|cf|approx|Fig|U\.S|U\.K)|^[A-Z]|\b[A-Z][\w.'’-]*+\s[A-Z])\.$")
# … nor after one of these, unless the next word starts with a capital.
_ABBREVIATION_INSIDE = re.compile(r"\b(?:etc|No|Jr|Sr|a\.m|p\.m)\.$")
_WINDOW = 40  # longer than an abbreviation or a name before an initial


def code_blocks(text: str, labels: frozenset[str] = frozenset()) -> list[str]:
    """The contents of the fenced code blocks, in order; only those with one of `labels` where there is such a block."""
    found = [(match[2].strip().casefold(), match[3]) for match in _FENCE.finditer(text)]
    return [body for label, body in found if label in labels] or [body for _, body in found]


def without_code(text: str) -> str:
    """The text with its fenced code blocks removed."""
    return _FENCE.sub("", text)


def lines(text: str) -> list[str]:
    """The lines that hold something, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines that hold at least one letter or digit (a rule such as `---` is no paragraph)."""
    blocks = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n"))
    return [block.strip() for block in blocks if any(c.isalnum() for c in block)]


def words(text: str) -> list[str]:
    """Blank-separated tokens that hold a letter or a digit; `well-known` is one word, a lone dash is none."""
    return [token for token in text.split() if any(c.isalnum() for c in token)]


def bullets(text: str) -> list[str]:
    """Lines that start with a bullet sign (- * + • – ◦ ▪ ‣ ●) and a blank; a rule such as `- - -` is none."""
    return [line.strip() for line in text.splitlines() if _BULLET.match(line) and not _RULE.match(line)]


def numbered(text: str) -> list[str]:
    """Lines that start with a number and a full stop or bracket: `1.` `2)` `(3)` `**4.**`."""
    return [line.strip() for line in text.splitlines() if _NUMBERED.match(line)]


def headings(text: str) -> list[str]:
    """Markdown headings."""
    return [line.strip() for line in text.splitlines() if _HEADING.match(line)]


def sentences(text: str) -> list[str]:
    """Sentences: a run of text up to . ! ? or …, never across a line break; a line without any counts as one.

    Decimal points do not end a sentence, nor do the full stops of common abbreviations and of initials before a name, nor
    an ellipsis or a quotation ("Stop!" he said) after which the text goes on with a small letter.
    """
    found: list[str] = []
    for line in lines(text):
        start = 0
        for match in _SENTENCE_END.finditer(line):
            if not _goes_on(line, start, match):
                found.append(line[start : match.end()].strip())
                start = match.end()
        found.append(line[start:].strip())
    return [s for s in map(_without_marker, found) if any(c.isalpha() for c in s)]


def _goes_on(line: str, start: int, match: re.Match[str]) -> bool:
    """Whether a sentence that started at `start` goes on after a mark that could end it."""
    end, mark = match.end(), match.group()
    following = line[end : end + 2].lstrip()[:1]
    if not following:
        return False
    if mark != ".":
        return following.islower() and mark.endswith(("...", "…", '"', "”", "’", "»", "'"))
    before = line[max(start, end - _WINDOW) : end].lstrip()
    return _ABBREVIATION.search(before) is not None or (not following.isupper() and _ABBREVIATION_INSIDE.search(before) is not None)


def _without_marker(sentence: str) -> str:
    """A sentence without the list marker or number before it."""
    return re.sub(r"^\s*+(?:[-*+•–◦▪‣●]|[*_]{0,2}\(?\d{1,3}[.)][*_]{0,2})\s++", "", sentence)


def characters(text: str) -> list[str]:
    """Characters, without blank space around the text (which nobody sees)."""
    return list(text.strip())


def answer_line(text: str) -> str | None:
    """What follows the last `Answer:` at the start of a line (on a later line where its own is empty), or None."""
    found = _ANSWER_LINE.findall(text)
    return found[-1].strip() if found else None


UNITS: dict[str, Callable[[str], list[str]]] = {
    "words": words,
    "sentences": sentences,
    "lines": lines,
    "paragraphs": paragraphs,
    "bullets": bullets,
    "numbered": numbered,
    "headings": headings,
    "characters": characters,
}


def part(text: str, name: str) -> str:
    """The part of an answer that a check looks at.

    Args:
        text: the answer.
        name: "all", "prose" (fenced code removed), "code" (only the fenced blocks; the whole text if there is none),
            "first_line", "last_line", "first_paragraph", "last_paragraph", "first_sentence", "last_sentence", or
            "answer" (what follows the last `Answer:` line).
    """
    if name == "all":
        return text
    if name == "prose":
        return without_code(text)
    if name == "code":
        return "\n".join(code_blocks(text)) or text
    if name == "answer":
        return answer_line(text) or ""
    end, unit = name.split("_")
    pieces = UNITS[f"{unit}s"](text)
    return pieces[0 if end == "first" else -1] if pieces else ""


PARTS = ("all", "prose", "code", "first_line", "last_line", "first_paragraph", "last_paragraph", "first_sentence", "last_sentence", "answer")
