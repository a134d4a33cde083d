"""How an answer is cut into the units that checks count: words, sentences, lines, paragraphs, bullets."""

from __future__ import annotations

import re
from collections.abc import Callable

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.S | re.M)
_BULLET = re.compile(r"^\s*[-*+•–]\s+\S")
_NUMBERED = re.compile(r"^\s*\(?\d{1,3}[.)]\s+\S")
_HEADING = re.compile(r"^#{1,6}\s+\S")
_RULE = re.compile(r"^\s*([-*_=])(\s*\1){2,}\s*$")
_ANSWER_LINE = re.compile(r"^[\s>*_#`-]*(?:final\s+)?answer\s*[*_`]*\s*[:=]\s*(.*)$", re.I | re.M)
# A full stop after one of these does not end a sentence.
_ABBREVIATIONS = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|cf|approx|No|Fig|Jr|Sr|a\.m|p\.m|U\.S|U\.K|[A-Z])\.$")
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]*_]*(?=\s|$)|[。！？]")


def code_blocks(text: str) -> list[str]:
    """The contents of the fenced code blocks, in order."""
    return [match.group(2) for match in _FENCE.finditer(text)]


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
    """Lines that start with a bullet sign (- * + • –) and a blank."""
    return [line.strip() for line in text.splitlines() if _BULLET.match(line) and not _RULE.match(line)]


def numbered(text: str) -> list[str]:
    """Lines that start with a number and a full stop or bracket."""
    return [line.strip() for line in text.splitlines() if _NUMBERED.match(line)]


def headings(text: str) -> list[str]:
    """Markdown headings."""
    return [line.strip() for line in text.splitlines() if _HEADING.match(line)]


def sentences(text: str) -> list[str]:
    """Sentences: a run of text up to . ! ? or …, never across a line break; a line without any counts as one.

    Decimal points do not end a sentence, nor do the full stops of common abbreviations and single initials.
    """
    found: list[str] = []
    for line in lines(text):
        start = 0
        for match in _SENTENCE_END.finditer(line):
            piece = line[start : match.end()]
            if match.group() == "." and _ABBREVIATIONS.search(piece) and match.end() < len(line):
                continue
            found.append(piece.strip())
            start = match.end()
        found.append(line[start:].strip())
    return [_without_marker(s) for s in found if any(c.isalpha() for c in _without_marker(s))]


def _without_marker(sentence: str) -> str:
    """A sentence without the list marker or number before it."""
    return re.sub(r"^\s*(?:[-*+•–]|\(?\d{1,3}[.)])\s+", "", sentence)


def answer_line(text: str) -> str | None:
    """What follows the last `Answer:` at the start of a line, or None."""
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
    "characters": list,
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
