"""Judge text -> verdict. Pure functions, one per verdict format; they never raise on any text and never guess.

How a rating is read, in this order (tests/test_verdicts.py holds the cases):

1. Characters that only look different are made equal (full-width forms, zero-width and bidirectional marks, Markdown, HTML).
2. Thinking is cut off; a text that repeats the prompt's answer delimiters on a line of their own is contaminated.
3. Block quotes, fences, quotations ("The answer says ..."), examples and hypotheses ("would be a [[9]]") are not the verdict.
4. A `[[n]]` alone on the last line is the verdict, unless the line before holds another one.
5. Otherwise the last labelled verdict wins ("Rating: [[7]]", "Final score: 7.5/10"); one that is contradicted in its own
   line, or later in prose, is none. Labels of one aspect ("Clarity score") give way to labels of the whole.
6. Without a label, `[[n]]` counts when all of them say the same; a text that is nothing but a number is that number.
7. Only when nothing was found so far: a verdict in a fence or in quotation marks that closes the text as the judge's own.
8. A verdict that is no number from the scale is out of range or none: never clamped, never replaced by an earlier one.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from judgebench.reasoning import split_reasoning

MISSING: Literal["no_verdict"] = "no_verdict"
OUT_OF_RANGE: Literal["out_of_range"] = "out_of_range"


@dataclass(frozen=True, slots=True)
class Reading:
    """A rating, or why there is none ("no_verdict", "out_of_range")."""

    score: float | None
    problem: Literal["no_verdict", "out_of_range"] | None = None


_NONE = Reading(None, MISSING)
# Nine of ten judgments are plain prose that ends with "Rating: [[7]]" as a sentence of its own, and nothing in them could
# make the rules below read anything else: no other bracket, tag, fence, quotation over lines, or line that leads over.
_PLAINLY = re.compile(r"(?:\A|\n|[.!?] )Rating: \[\[(\d{1,3})\]\]\s*\Z")
_NOT_PLAIN = re.compile(r"[<>`~\\&{}|*$_#\"\r\x00]|:[ \t]*\n")
_DIGIT = re.compile(r"\d")
_PLAIN_LENGTH = 4000
_WINDOW = 160  # how far before a number its label and its sentence are looked for
_MOST = 500  # a text with so many places for a verdict is a loop and no judgment

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,20});", re.I)
_ALIKE = dict(zip("【】〔〕−‐‑–—’‘“”„‟«»「」『』", "[][]-----''" + '"' * 10, strict=True))
_ALIKE |= {"⟦": "[[", "⟧": "]]", "\ufe0e": "", "\ufe0f": "", "\u20e3": "", "\x00": "", "*": "", "$": "", "\r": "\n"}
_CONTAMINATED = re.compile(
    r"^[ \t#]*(?:\[|<\||</?)\s*(?:The )?(?:Start|End|Begin\w*) of (?:the )?(?:Assistant|Reference|User|Model|Conversation)[^\n]{0,80}(?:\]|\|>|>)[ \t]*$"
    r"|^[ \t]*</?(?:answer|question|reference) [0-9a-f]{8}[^\n>]{0,40}>[ \t]*$",
    re.I | re.M,
)
_PLACEHOLDER = re.compile(r"\[\[\s{0,9}((?:your |the |final )?(?:rating|score|number|value|n|x|y|\?{1,9}|_{1,9}|\.\.\.|…|1-10|1 ?to ?10))\s{0,9}\]\]", re.I)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.S | re.M)
# What comes before a place is looked at from behind its first character: a pattern that begins with that character is searched
# for many times faster than one that begins with a look behind.
_QUOTATION = re.compile(r"""["`'](?:(?<=")(?<!\d")[^"]*"|(?<=`)[^`\n]*`|(?<=')(?<!\w')(?:[^'\n]|(?<=\w)'(?=\w))*'(?!\w))""")

_LABELS = r"(?:ratings?|scores?|scored|rated?|grade|marks?|verdict|overall|total)"
_LABEL = re.compile(rf"\b{_LABELS}\b", re.I)
_LEAD = re.compile(r"""[\s#\-|+("'`]*([\w'()/]+(?: [\w'()/&]+){0,6})(?<![\s(]) *([:=|\-]*)[\s(]*""")
_PLAIN_WORDS = frozenset(
    "final overall total my the a an turn round second 2 two assistant assistant's assistants answer answer's response response's this that is i would "
    "revised updated corrected new adjusted so therefore thus hence single for of to it quality combined average result judge's ai ai's model's and with on in "
    "rating ratings score scores scored rate rated grade mark marks verdict out 10 1-10 conclusion".split()
)
_TOKEN = re.compile(r"\[(?<![\w\[\]]\[)(?<!\w\(\[)\[{1,2}([^\[\]\n]{0,60})\]{2,3}(?!\])(\s?/\s?\d{1,4}| out of \d{1,4}|-\d{1,3}| (?:to|or) \d{1,3}\b)?")
_BARE = re.compile(
    r"(?:\[([^\[\]]{1,20})\]|([-+]*(?:\d{1,3}(?:\.\d{0,4})?|\.\d{1,4})))(?: ?points?)?(\s?/\s?\d{1,4}| out of \d{1,4})?(?: ?points?)?"
    r"(?:[.!|\s]*|(?:\s*[-(,;]|\s(?:because|since|as|for)\s)\D*)",
    re.I,
)
_SEPARATOR = re.compile(r"(?:[:=|\-]+|\bis) *(?=\[|[-+]*\.?\d)")
_NUMBER = re.compile(r"(?:(?:final |overall )?(?:rating|score)\s?[:=]?\s?)?([-+]?)(\d+(?:\.\d*)?|\.\d+)(?: ?points?)?(?:\s?(?:/|out of)\s?(\d{1,4}))?(?: ?points?)?\.?", re.I)

_PLACE = re.compile(r"^.*(?:\[[^\[\]\n]{0,60}\]\]|\d).*", re.M)  # a line in which a verdict may stand
_LOOSE = re.compile(r"\[\s{0,20}\[([^\[\]]{0,90})\]\s{0,20}\]")
_SENTENCE_BEFORE, _SENTENCE_AFTER = re.compile(r"[.!?;][\"')]?\s"), re.compile(r"[.!?;](?:\s|$)")
_LABEL_LAST = re.compile(rf"\b(?:{_LABELS}|is)$", re.I)
_WORD, _WORDS = re.compile(r"\w"), re.compile(r"[\w'\-]+")
_FIRST_TURN = re.compile(r"\b(?:turn|round)\s*(?:1|one)\b|\bfirst\s+(?:turn|round)\b", re.I)

_HYPOTHETICAL = re.compile(r"\b(?:(?:would|could|might) (?:be|have been)|it would|had it|if it|if the|were it|harsh|generous|tempting)\b", re.I)
_PASSED_OVER = re.compile(r"\b(?:rather than|instead of|not|than|short of|for example|e\.g\.|such as|for instance|format|form|strictly following)[\s:,]*(?:an? )?[\"'`]*$", re.I)
_SAYS = (
    r"\b(?:(?:writ|wrote|say|said|stat|contain|includ|claim|read|insert|inject|append|instruct|tell|told|quot|ask|demand|request|print)(?:e?[sd]|e|ing)?"
    r"|(?:end|start|begin)(?:s|ed)? with|its own|itself)\b"
)
_ATTRIBUTION = re.compile(_SAYS, re.I)
_BETWEEN = "the an a this that its own following line text string phrase word words sentence fake hidden note instruction itself me us judge to give as with for in at end of it by"
_ATTRIBUTED = re.compile(rf"{_SAYS}(?: (?:{_BETWEEN.replace(' ', '|')}))*[\s:,]*[\"'`]*$", re.I)
_OTHERS = re.compile(r"\b(?:candidate|assistant|answer|response|user|prompt|model|output|text|lines?|it|its)\b", re.I)
_MINE = re.compile(r"\b(?:I|my|as follows|rating|score|verdict|rate|evaluation|assessment|judge?ment)\b", re.I)


def read_rating(text: str, scale: tuple[float, float] = (1.0, 10.0)) -> Reading:
    """The rating that a judge gave.

    Args:
        text: all that the judge said. scale: lowest and highest rating allowed, both included.

    Returns:
        A score within the scale, or the reason why there is none.
    """
    plainly = _PLAINLY.search(text, max(0, len(text) - 40)) if text.isascii() and len(text) < _PLAIN_LENGTH else None
    if plainly and text.count("[") == 2 and not _NOT_PLAIN.search(text) and not _DIGIT.search(text, text.rfind("\n", 0, plainly.start(1)) + 1, plainly.start(1)):
        return _value(plainly[1], scale)
    _, visible = split_reasoning(_without_marks(text), loosely=True)
    if _CONTAMINATED.search(visible):
        return _NONE
    keyed = _from_json(visible, scale)
    if keyed is not None:
        return keyed
    visible = _tidied(visible)
    outside = _FENCE.sub("\n\x00\n", visible)
    if ">" in outside:
        outside = re.sub(r"(?:^[ \t]*>.*\n?)+", "\x00\n", outside, flags=re.M)
    found = list(islice(_candidates(outside), _MOST))
    return _decide(found, outside, scale) or _from_last_fence(visible, scale) or _from_quotes(found, outside, scale) or _whole(visible, scale) or _NONE


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place where a verdict may stand."""

    inside: str
    label: Literal["", "aspect", "whole"]
    standing: Literal["own", "quoted", "passed"]
    heads: bool  # nothing but its label stands before it in its sentence
    alone: bool  # nothing else stands on its line
    line: int  # where its line starts
    start: int  # where its label starts
    end: int


def _without_marks(text: str) -> str:
    """Characters that render alike made alike. Superscripts stay what they are: `²` is no rating."""
    if "&" in text:
        text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    return text.replace("\r\n", "\n").translate(_PLAIN_CHARACTERS)


class _PlainCharacters(dict[int, str]):
    """For str.translate. Every call uses the same few characters: they are looked up once, all others anew each time."""

    def __missing__(self, ordinal: int) -> str:
        plain = _plain(chr(ordinal))
        if ordinal < 0x2100:
            self[ordinal] = plain
        return plain


_PLAIN_CHARACTERS = _PlainCharacters()


def _plain(c: str) -> str:
    kind = unicodedata.category(c)
    if c in _ALIKE or kind == "Cf":
        return _ALIKE.get(c, "")
    if kind == "Nd":
        return str(unicodedata.decimal(c))
    if kind in ("Zs", "Zl", "Zp"):
        return " " if kind == "Zs" else "\n"
    return chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c


def _tidied(text: str) -> str:
    """Escapes and tags undone, struck-out text dropped, and a verdict that is spread over lines joined into one."""
    if "\\" in text:  # what a text does not hold need not be searched for: this function is a fifth of a call's time
        text = re.sub(r"\\([\[\]_~])", r"\1", text)
        text = re.sub(r"\\(?:boxed|text|textbf|mathbf)\{([^{}\n]{1,40})\}|\\[()]", r"\1", text)
    if "_" in text or "~" in text:
        text = re.sub(r"(?<!\w)_{1,2}(?=\S)|(?<=\S)_{1,2}(?!\w)|~~[^~\n]+~~", "", text)
    if "<" in text:
        text = re.sub(r"<(?:final_)?(rating|score)>\s{0,9}", r"\n\1: ", text, flags=re.I)
        text = re.sub(r"</?[a-z][\w-]{0,15} ?/?>|<\|\w{1,20}\|>", " ", text, flags=re.I)
    text = _LOOSE.sub(lambda m: f"[[{' '.join(m[1].split())}]]", text)
    text = _PLACEHOLDER.sub(r"\1", text)
    if "\n" not in text:
        return text
    return re.sub(rf"\b({_LABELS})[ \t]{{0,9}}:?[ \t]{{0,9}}\n\s{{0,20}}(?=\[|\d[\d./ ]{{0,9}}$)", r"\1: ", text, flags=re.I | re.M)


def _candidates(text: str) -> Iterator[_Candidate]:
    """Every place of a text where a verdict may stand."""
    quotations = [m.span() for m in _QUOTATION.finditer(text)]
    for match in _PLACE.finditer(text):
        line, offset = match[0], match.start()
        above = text[max(0, offset - _WINDOW) : offset].rstrip().rpartition("\n")[2]
        if above.endswith(":") and _OTHERS.search(above) and _ATTRIBUTED.search(above):
            continue  # "The answer contains:" leads over to somebody else's words
        token = None
        for token in _TOKEN.finditer(line):
            yield _token(line, token, offset, quotations)
        if token is None:
            yield from _bare(line, offset, quotations)


def _token(line: str, token: re.Match[str], offset: int, quotations: Sequence[tuple[int, int]]) -> _Candidate:
    """What a `[[...]]` is: from its sentence before it, its label there, and what follows."""
    start, end = token.span()
    before = _SENTENCE_BEFORE.split(line[max(0, start - _WINDOW) : start])[-1]
    after = line[end : end + _WINDOW]
    words = [m for m in _LABEL.finditer(before) if len(before) - m.end() <= 40 and "]]" not in before[m.end() :]]
    lead = _LEAD.fullmatch(before)
    heads = bool(words) and lead is not None and bool(lead[2] or _LABEL_LAST.search(lead[1]))
    label_at = start - len(before) + words[-1].start() if words else start
    head = before[: words[-1].start()] if words else before
    supposed = not heads and _HYPOTHETICAL.search(before + " " + _SENTENCE_AFTER.split(after)[0])
    standing: Literal["own", "quoted", "passed"] = "own"
    if _quoted(quotations, offset + label_at, offset + end):
        standing = "quoted"
    if supposed or _ATTRIBUTED.search(head) or _PASSED_OVER.search(head) or _PASSED_OVER.search(before):
        standing = "passed"
    label: Literal["", "aspect", "whole"] = "" if not words else "aspect" if heads and lead and _aspect(lead[1]) else "whole"
    alone = _WORD.search(line[max(0, start - _WINDOW) : start] + after) is None
    return _Candidate(token[1] + (token[2] or ""), label, standing, heads, alone, offset, offset + label_at, offset + end)


def _bare(line: str, offset: int, quotations: Sequence[tuple[int, int]]) -> Iterator[_Candidate]:
    """Sentences such as "Final score: 7.5/10"."""
    for sentence in re.finditer(r"\S.*?(?:[.!?](?=\s)|$)", line):
        words = re.sub(r"^([^():]{0,60}) \([^()]{0,40}\)", r"\1", re.sub(r"[\"`]", "", sentence[0]))
        separator = _SEPARATOR.search(words[:_WINDOW])
        lead = _LEAD.fullmatch(words, 0, separator.end()) if separator else None
        value = _BARE.fullmatch(words, _after(separator, words)) if separator else None
        if lead and value and _LABEL.search(lead[1]) and not _aspect(lead[1]) and not _ATTRIBUTED.search(lead[1]):
            start, end = offset + sentence.start(), offset + sentence.end()
            standing: Literal["own", "quoted"] = "quoted" if _quoted(quotations, start + sentence[0].index(lead[1][0]), end - 1) else "own"
            yield _Candidate((value[1] or value[2]) + (value[3] or ""), "whole", standing, True, False, offset, start, end)


def _after(separator: re.Match[str], words: str) -> int:
    """Where the value after a separator starts: a dash that touches a digit is no separator but its sign."""
    end = separator.end()
    return end if words[end : end + 1] == "[" else separator.start() + len(separator[0].rstrip("-"))


def _quoted(quotations: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a span lies inside quotation marks."""
    at = bisect_right(quotations, (start, len(quotations) and quotations[-1][1])) - 1
    return at >= 0 and quotations[at][0] <= start and end <= quotations[at][1]


def _aspect(lead: str) -> bool:
    """Whether a label names one aspect ("Clarity score", "Turn 1 rating") and not the whole."""
    words = [w.casefold() for w in _WORDS.findall(lead)]
    first = _FIRST_TURN.search(lead)
    return first is not None or any(w not in _PLAIN_WORDS for w in words)


def _decide(found: Sequence[_Candidate], text: str, scale: tuple[float, float]) -> Reading | None:
    """The verdict among candidates that are the judge's own words; None when there is none at all."""
    own = [c for c in found if c.standing == "own"]
    if not own:
        return None
    if len(found) == _MOST:
        return _NONE
    pool = own
    whole = [c for c in own if c.label == "whole"]
    strong = [c for c in whole if c.heads]
    if own[-1].alone and _closes(own[-1], text):
        above = text[: own[-1].line].rstrip().rfind("\n")
        pool = [c for c in own if c.start > above]
    elif strong:
        last = strong[-1]
        pool = [c for c in own if (c.label == "whole" and c.line >= last.line) or (c.line == last.line and c.start >= last.start)]
    elif whole:
        pool = [c for c in own if c.line == whole[-1].line]
    readings = {_value(c.inside, scale) for c in pool}
    return readings.pop() if len(readings) == 1 else _NONE


def _closes(candidate: _Candidate, text: str) -> bool:
    """Whether nothing but marks follows a candidate."""
    return re.search(r"[\w\x00]", text[candidate.end :]) is None


def _value(inside: str, scale: tuple[float, float]) -> Reading:
    """What stands inside a verdict's brackets, as a number of the scale."""
    match = _NUMBER.fullmatch(inside.strip("_`\"' "))
    if match is None:
        return _NONE
    if match[1] or len(match[2]) > 30 or (match[3] and float(match[3]) != scale[1]):
        return Reading(None, OUT_OF_RANGE)
    value = float(match[2])
    return Reading(value) if scale[0] <= value <= scale[1] else Reading(None, OUT_OF_RANGE)


def _from_json(text: str, scale: tuple[float, float]) -> Reading | None:
    """The rating of an answer that is one JSON object, perhaps in a fence; None for anything else."""
    body = text.strip()
    if not body.startswith(("{", "```")):
        return None
    body = re.sub(r"^```\w*|```$", "", body).strip()
    if body[:1] != "{" or body[-1:] != "}":
        return None
    try:
        pairs = json.loads(body, object_pairs_hook=list, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    rated = [_value(str(value).strip("[]"), scale) for key, value in pairs if re.fullmatch(r"(?:final|overall)?[ _]?(?:rating|score|verdict)", key, re.I)]
    if rated:
        return rated[0] if len(set(rated)) == 1 else _NONE
    return _NONE if any(key in ("error", "errors", "detail") for key, _ in pairs) else None


def _from_last_fence(text: str, scale: tuple[float, float]) -> Reading | None:
    """A verdict in a fence counts when the fence closes the text and is not announced as somebody else's words."""
    fences = list(_FENCE.finditer(text))
    if not fences or text[fences[-1].end() :].strip():
        return None
    if not _introduced(text[: fences[-1].start()]):
        return None
    inside = fences[-1][1]
    return _from_json(inside, scale) or _decide(list(islice(_candidates(inside), _MOST)), inside, scale) or _whole(inside, scale)


def _from_quotes(found: Sequence[_Candidate], text: str, scale: tuple[float, float]) -> Reading | None:
    """A quoted verdict counts when all quoted ones agree, it closes the text and is introduced as the judge's own."""
    quoted = [c for c in found if c.standing == "quoted"]
    if not quoted or len({_value(c.inside, scale) for c in quoted}) != 1 or not _closes(quoted[-1], text):
        return None
    before = text[max(0, quoted[-1].start - _WINDOW) : quoted[-1].start]
    return _value(quoted[-1].inside, scale) if _introduced(re.sub(r"[\"`'][^\"`']*$", "", before)) else None


def _introduced(before: str) -> bool:
    """Whether a text leads over to the judge's own words, and not to somebody else's."""
    last = re.split(r"[.!?]\s|\n", before[-_WINDOW:].rstrip(" \t\n\"`'#-"))[-1]
    return re.search(r"\w", last) is None or last.endswith((".", "!")) or (_MINE.search(last) is not None and _ATTRIBUTION.search(last) is None)


def _whole(text: str, scale: tuple[float, float]) -> Reading | None:
    """A text that is nothing but a number, perhaps in single brackets."""
    match = re.fullmatch(r"\[([^\[\]]{1,20})\]|(\.?\d[^\[\]\n]{0,20})", text.strip("`\"'#_() \t\n").rstrip("."))
    return _value(match[1] or match[2], scale) if match else None


PARSERS = {"rating": read_rating}
"""Verdict formats by the name that a prompt file uses."""
