"""Ratings read from judge texts: against the shared corpus, a table of own cases, and properties of any text."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.reasoning import split_reasoning
from judgebench.verdicts import MISSING, OUT_OF_RANGE, PARSERS, Reading, read_rating

ROOT = Path(__file__).parent.parent
CORPUS = Path(os.environ.get("JUDGEBENCH_CORPUS") or ROOT.parent / "shared" / "corpus") / "judge_outputs.jsonl"
OWN = Path(__file__).parent / "data" / "verdicts_single.jsonl"


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _misread(rows: list[dict]) -> list[str]:
    readings = [(row, read_rating(row["text"])) for row in rows]
    return [f"{row['text'][:200]!r}: {row['expect']} expected, {reading} read ({row['why']})" for row, reading in readings if reading.score != row["expect"]]


def test_corpus():
    if not CORPUS.exists():
        pytest.skip(f"no corpus at {CORPUS}: set JUDGEBENCH_CORPUS to its folder")
    rows = [row for row in _rows(CORPUS) if row["mode"] == "single"]
    assert rows and not _misread(rows)


def _named(row: dict) -> str:
    return ascii(row["text"][:60])


@pytest.mark.parametrize("row", _rows(OWN), ids=_named)
def test_own_cases(row):
    assert not _misread([row])


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("Rating: [[11]]", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
        ("Rating: [[-3]]", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
        ("Rating: [[4/5]]", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
        ("Rating: [[" + "9" * 40 + "]]", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
        ("Rating: [[A]]", (1.0, 10.0), Reading(None, MISSING)),
        ("", (1.0, 10.0), Reading(None, MISSING)),
        ("Rating: [[0]]", (0.0, 5.0), Reading(0.0)),
        ("Rating: [[4/5]]", (0.0, 5.0), Reading(4.0)),
        ("Rating: [[4]]/10", (0.0, 5.0), Reading(None, OUT_OF_RANGE)),
        ("Rating: 85/100", (1.0, 100.0), Reading(85.0)),
        ("Rating:-3", (0.0, 5.0), Reading(None, OUT_OF_RANGE)),
        ("Overall score -8", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
        ("[[.5]]", (0.0, 1.0), Reading(0.5)),
        ("Rating: .5", (0.0, 1.0), Reading(0.5)),
        ("Rating: [[.5]]", (1.0, 10.0), Reading(None, OUT_OF_RANGE)),
    ],
)
def test_problem_and_scale(text, scale, expected):
    assert PARSERS["rating"](text, scale) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", (None, "plain")),
        ("<think>a</think> b", ("<think>a</think>", "b")),
        ("<think>a", ("<think>a", "")),
        ("a\n</think>\nb", ("a\n</think>", "b")),
        ("the </think> tag", (None, "the </think> tag")),
        ("a <think> b </think> c", (None, "a <think> b </think> c")),
    ],
)
def test_reasoning_is_split(text, expected):
    assert split_reasoning(text) == expected


SCALES = st.sampled_from([(1.0, 10.0), (0.0, 5.0), (1.0, 100.0)])
PIECES = (
    "[[ ]] [ ] [[7]] [[3]] [[99]] [[A]] 7 3.5 /10 Rating: Score Overall Clarity rating I would be not wrote \" ' ` “ ” « ``` ~~~ > | ** ~~ - . ; : , ( ) "
    "\n \r\n \\ \\boxed{ } { $ &#91; &lt; &# <think> </think> <rating> </s> <|im_end|> \x00 \u200b \u202e \ud800 ² ７ ［ 】 [The_Start_of_Assistant's_Answer]"
)
FRAGMENTS = st.lists(st.sampled_from([*(piece.replace("_", " ") for piece in PIECES.split(" ")), " ", "\n\n"]), max_size=40).map("".join)


@given(st.text(st.characters()) | FRAGMENTS, SCALES)
def test_any_text_gives_a_score_within_the_scale_or_a_problem(text, scale):
    reading = read_rating(text, scale)
    assert (reading.score is None) == (reading.problem in (MISSING, OUT_OF_RANGE))
    assert reading.score is None or (reading.problem is None and scale[0] <= reading.score <= scale[1])


def _is_prose(text: str) -> bool:
    folded = unicodedata.normalize("NFKC", text).casefold()
    marks = any(unicodedata.category(c) in ("Ps", "Pe", "Pi", "Pf") or c in "\"'`~<>&|◁" for c in text + folded)
    leads_over = text.rstrip().endswith((":", "："))  # "The answer says:" and then a line of the answer
    return not marks and not leads_over and not any(label in folded for label in ("rating", "score", "rate", "grade", "mark", "verdict", "overall", "total"))


PROSE = st.text(st.characters(exclude_characters="[](){}<>\"'`~&|")) | st.lists(
    st.sampled_from("The answer says it would be a 10 out of 10 not so. ! ? : ; Turn 1 \n \n\n 7 8/10 * # \\ $ - e.g. such as 文 é".split(" "))
).map(" ".join)


@given(PROSE.filter(_is_prose), st.integers(10, 100).map(lambda n: n / 10), st.sampled_from(["", "\n", ".", " ", "\r\n\r\n"]))
def test_a_labelled_last_line_after_any_prose_is_read(prose, score, end):
    number = f"{score:g}"
    assert read_rating(f"{prose}\nRating: [[{number}]]{end}") == Reading(score)


@given(PROSE.filter(_is_prose), st.integers(1, 10), st.integers(1, 10))
def test_two_bare_verdicts_count_only_when_they_agree(prose, one, two):
    assert read_rating(f"{prose}\n[[{one}]]\n[[{two}]]") == (Reading(float(one)) if one == two else Reading(None, MISSING))


@given(st.text(st.characters()) | FRAGMENTS)
def test_nothing_inside_thinking_is_read(thought):
    assert read_rating(f"<think>{thought}").score is None or "</" in thought
    assert read_rating(f"<think>{thought}</think>\nRating: [[6]]") == Reading(6.0)


HOSTILE = ["[", "[[", "]]", "[[7]] ", "[[7]]\n", "rate [[7]] or ", "Rating: 7. ", "Rating:\n", '"', " 'a", "`", "```\n", ">\n", "\n", " ", "[ ", "~~a"]
HOSTILE += ["&#9", "{", '{"a":', "<think>", "9", "a.", "\\[", "\u200b", "\ud800"]


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
@pytest.mark.parametrize("start", ["", "Rating: [[", '{"rating": "'], ids=ascii)
def test_a_megabyte_of_anything_returns(start, unit):
    assert isinstance(read_rating(start + unit * (1_000_000 // len(unit))), Reading)
