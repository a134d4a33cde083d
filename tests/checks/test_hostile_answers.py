"""No answer makes a check crash, hang or run anything."""

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgebench.checks import KINDS, CheckTimeout, parse_check
from judgebench.checks import base as base_module
from judgebench.checks.text_parts import PARTS, UNITS

RAW: list[dict[str, Any]] = [
    {"kind": "exact", "values": ["x"]}, {"kind": "number", "value": 4, "where": "any"}, {"kind": "number", "value": 4}, {"kind": "choice", "value": "B"},
    {"kind": "contains", "all": ["a b"], "any": ["zz top", "aa"]}, {"kind": "lacks", "any": ["aaa b"]}, {"kind": "count", "unit": "words", "max": 3},
    {"kind": "each_count", "of": "sentences", "unit": "words", "min": 1}, {"kind": "occurrences", "phrase": "a", "min": 3}, {"kind": "regex", "pattern": "(?:a|b)+c"},
    {"kind": "each", "unit": "words", "pattern": r"\S"}, {"kind": "order", "items": ["a", "b"]}, {"kind": "starts_with", "values": ["a"]},
    {"kind": "ends_with", "values": ["a"]}, {"kind": "paragraphs_start", "with": ["a", ""]}, {"kind": "acrostic", "word": "RIVER"}, {"kind": "case", "case": "lower"},
    {"kind": "language", "code": "en"}, {"kind": "json", "type": "any", "values": {"a.0": 1.5}}, {"kind": "python", "uses": ["yield"]},
    {"kind": "table", "columns": ["a"]}, {"kind": "any_of", "checks": [{"kind": "exact", "values": ["z"]}, {"kind": "number", "value": 1}]},
    *({"kind": "count", "unit": unit, "exactly": 7} for unit in UNITS), *({"kind": "exact", "values": ["q"], "part": part} for part in PARTS),
]  # fmt: skip
CHECKS = [parse_check(raw) for raw in RAW]

# What the patterns look for, so that random texts come near them.
PIECES = [
    "```", "~~~", "`", "\n", "\r\n", "\t", " ", "Answer:", "final answer", "=", "- ", "* ", "1. ", "# ", "|", "|-|", "---", "Dr.", "A.", "etc.", "...", "!?", ".", '"', "”", ")",
    "a", "Zebra", "é", "漢", "。", "ß", "İ", "\x00", "\ud800", "\u2028", "\u200b", "\x1b[31m", "🦊", "1", "1,234", "-", "−", "/", "½", "1e999", "\\frac{1}{", "9" * 500, "NaN", "Infinity",
    "{", "}", "[", "]", '{"a": [', "def f(", "):", "lambda", "'", "\\", "\\d", "$", "^", "(", "import os", "[[10]]",
]  # fmt: skip
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.lists(st.sampled_from(PIECES), max_size=3).map(lambda p: "".join(p) * 60))


def test_every_kind_is_tried() -> None:
    assert {raw["kind"] for raw in RAW} == set(KINDS)


@settings(max_examples=400, deadline=None)
@given(texts)
def test_any_text_is_passed_or_not(text: str) -> None:
    for check in CHECKS:
        assert check.passes(text) in (True, False)


N = 200_000
LONG = {
    "newlines": "\n" * N, "blanks": " " * N, "tabs": "\t" * N + "x", "answers": "answer " * (N // 7), "answer and blanks": "answer" + " " * N,
    "answer and stars": "answer" + "*" * N, "answer lines": "answer:\n" * (N // 8), "bangs": "!" * N + "x", "abbreviations": "Dr. " * (N // 4), "initials": "A. " * (N // 3),
    "dashes": "- " * (N // 2) + "x", "fences": "```\n" * (N // 4), "backticks": "`" * N, "an open fence": "```\n" + " " * N, "NULs": "\0" * N, "one word": "a" * N,
    "paragraphs": "a\n\n" * (N // 3), "pipes": "|" * N, "brackets": "[" * N, "open JSON": '{"a":' * (N // 5), "quotes": "'\"" * (N // 2), "returns": "\r" * N,
    "digits": "7" * N, "groups": "111," * (N // 4), "fractions": "1/" * (N // 2), "surrogates": "\ud800" * N, "ellipses": "... " * (N // 4), "unary minus": "-" * N + "1",
    "a megabyte of prose": "Some words, and 12 more. " * 40_000, "a megabyte of newlines": "\n" * 1_000_000, "parentheses": "(" * N, "sums": "a" + "+a" * (N // 2), "bullets": "- a\n" * (N // 4),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_long_answer_is_passed_or_not(name: str) -> None:
    """A quadratic pattern would need minutes for each check of one of these, an exponential one would never end."""
    for check in CHECKS:
        with contextlib.suppress(CheckTimeout):
            assert check.passes(LONG[name]) in (True, False)


@pytest.mark.parametrize("raw", [{"kind": "regex", "pattern": "^(?:a|a)*$"}, {"kind": "each", "unit": "lines", "pattern": "^(?:a|a)*$"}])
def test_a_pattern_that_does_not_finish_has_no_result(raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "PATTERN_SECONDS", 0.1)
    with pytest.raises(CheckTimeout, match=r"took over 0\.1 s"):
        parse_check(raw).passes("a" * 60 + "!")


def test_many_slow_pieces_share_one_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line alone stays under the limit; a thousand of them do not get a thousand limits."""
    slow = "a" * 22 + "!"
    check = parse_check({"kind": "each", "unit": "lines", "pattern": r"^(?:a|a)*$|!"})
    started = time.perf_counter()
    assert check.passes(slow)
    once = time.perf_counter() - started
    monkeypatch.setattr(base_module, "PATTERN_SECONDS", 3 * once)
    with pytest.raises(CheckTimeout):
        check.passes(f"{slow}\n" * 1000)


def test_code_is_parsed_and_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    write = f"open({str(trace)!r}, 'w').write('x')"
    payloads = [
        write, f"import os\nos.system('touch {trace}')", f"x = __import__('pathlib').Path({str(trace)!r}).touch()", f"def f(x={write}):\n    return x\nf()",
        f"class C(metaclass=type({write!r}, (type,), {{}})): pass", f"@{write}\ndef f(): pass", f"f'{{{write}}}'", f"assert {write}",
    ]  # fmt: skip
    check = parse_check({"kind": "python", "uses": ["f"], "defines": ["f"], "args": {"f": ["x"]}})
    for payload in payloads:
        for text in (payload, f"```python\n{payload}\n```"):
            check.passes(text)
    assert parse_check({"kind": "python", "uses": ["open"]}).passes(write), "the payload does parse"
    assert not trace.exists()
