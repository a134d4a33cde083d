"""Answers from files: ours and FastChat's, whole, broken and half there."""

import json
from pathlib import Path
from typing import Any

import pytest
from asking import ask, one_after_the_other, refusal

from judgebench.errors import InputError
from judgebench.formats.answers import answer_row
from judgebench.generators.recorded import Recorded
from judgebench.types import Answer, Message, Request, Sampling, Usage


def of(question: int | str, turn: int = 1) -> Request:
    return Request((Message("user", "?"),), Sampling(), question_id=question, turn=turn)


def written(path: Path, *rows: dict[str, Any] | str, start: str = "", end: str = "\n") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_bytes((start + end.join(lines) + end).encode())
    return path


OURS = [{"question_id": 1, "model": "m", "turns": ["one", "two"], "finish_reasons": ["stop", "length"]}, {"question_id": "b", "model": "m", "turns": ["é\u2028🦊"]}]


def test_our_file(tmp_path: Path) -> None:
    model = Recorded(written(tmp_path / "a.jsonl", *OURS))
    assert (model.model, len(model), model.remote) == ("m", 2, False)
    responses = one_after_the_other(model, of(1), of(1, 2), of("b"), of("1", 2))
    assert [(r.text, r.finish_reason) for r in responses] == [("one", "stop"), ("two", "length"), ("é\u2028🦊", "stop"), ("two", "length")]


def test_fastchats_file(tmp_path: Path) -> None:
    row = {"question_id": 81, "answer_id": "x", "model_id": "vicuna", "choices": [{"index": 0, "turns": ["one", "two"]}], "tstamp": 1.5}
    model = Recorded(written(tmp_path / "vicuna.jsonl", row))
    assert model.model == "vicuna"
    assert [r.text for r in one_after_the_other(model, of(81), of(81, 2))] == ["one", "two"]


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"], ids=["lf", "crlf", "blank lines"])
def test_ways_to_write_a_file(tmp_path: Path, start: str, end: str) -> None:
    model = Recorded(written(tmp_path / "a.jsonl", *OURS, start=start, end=end))
    assert [r.text for r in one_after_the_other(model, of("b"), of(1))] == ["é\u2028🦊", "one"]


def test_several_models_in_one_file(tmp_path: Path) -> None:
    rows = [{"question_id": 1, "model": name, "turns": [f"of {name}"]} for name in ("m1", "m2")]
    path = written(tmp_path / "a.jsonl", *rows)
    assert [ask(Recorded(path, name), of(1))[0].text for name in ("m1", "m2")] == ["of m1", "of m2"]
    with pytest.raises(InputError, match=r"answers of 2 models \(m1, m2\); name one: recorded:.*#MODEL"):
        Recorded(path)
    with pytest.raises(InputError, match="no answers of 'm3'; it has those of m1, m2"):
        Recorded(path, "m3")


def test_what_is_missing_is_said_and_not_asked_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *OURS)
    for request, words in ((of(2), "no answer to question 2"), (of("b", 2), "no turn 2 in the answer to question b")):
        error = refusal(Recorded(path), request)
        assert not error.retryable
        assert words in str(error)


def test_fastchats_mark_of_a_failure_is_no_answer(tmp_path: Path) -> None:
    error = refusal(Recorded(written(tmp_path / "a.jsonl", {"question_id": 1, "turns": ["$ERROR$\n"]})), of(1))
    assert "failed generation" in str(error)
    assert not error.retryable


def test_two_answers_to_one_question_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", OURS[0], {"question_id": "1", "model": "m", "turns": ["x"]})
    with pytest.raises(InputError, match=r"a\.jsonl line 2: a second answer to question 1 \(the first is on line 1\)"):
        Recorded(path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{oops", "line 1: not valid JSON"), ("[1]", "line 1: holds a list"), ({"turns": ["x"]}, '"question_id" is missing'), ({"question_id": True, "turns": ["x"]}, '"question_id" is missing'),
        ({"question_id": 1}, 'needs "turns"'), ({"question_id": 1, "turns": []}, 'needs "turns"'), ({"question_id": 1, "turns": [3]}, 'needs "turns"'),
        ({"question_id": 1, "choices": [{}]}, 'needs "turns"'), ({"question_id": 1, "turns": ["x"], "finish_reasons": []}, None),
        ({"question_id": 1, "turns": ["x"], "finish_reasons": ["stop", "stop"]}, '"finish_reasons" must be a list as long'),
    ],
    ids=str,
)  # fmt: skip
def test_broken_rows(tmp_path: Path, row: dict[str, Any] | str, words: str | None) -> None:
    path = written(tmp_path / "a.jsonl", row)
    if words is None:
        assert len(Recorded(path)) == 1
        return
    with pytest.raises(InputError) as caught:
        Recorded(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path} line 1")


def test_an_empty_file_has_no_answers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no answers in it"):
        Recorded(written(tmp_path / "a.jsonl", ""))


def test_the_answers_of_a_run_can_be_judged_again_even_those_that_failed(tmp_path: Path) -> None:
    answers = [
        Answer(1, "m", ("one", "two"), ("stop", "length"), Usage(1, 2), "snap"),
        Answer(2, "m", ("one",), ("stop",), error="m: HTTP 500"),
        Answer(3, "m", (), (), error="m: HTTP 500"),
    ]
    model = Recorded(written(tmp_path / "answers.jsonl", *(answer_row(a) for a in answers)))
    assert len(model) == 3
    assert [r.finish_reason for r in one_after_the_other(model, of(1), of(1, 2))] == ["stop", "length"]
    for request in (of(2, 2), of(3)):
        assert not refusal(Recorded(tmp_path / "answers.jsonl"), request).retryable


def test_lone_surrogates_do_not_get_in(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"question_id": 1, "turns": ["a\\ud800b"]}')
    assert ask(Recorded(path), of(1))[0].text == "a\ufffdb"


def test_its_size_bounds_its_answers(tmp_path: Path) -> None:
    model = Recorded(written(tmp_path / "a.jsonl", *OURS))
    assert model.total_bytes >= sum(len(t.encode()) for row in OURS for t in row["turns"])
