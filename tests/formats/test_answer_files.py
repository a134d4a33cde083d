"""Answer files, ours and FastChat's."""

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.formats.answers import AnswerIndex, answer_row
from judgebench.types import Answer, Usage

FASTCHAT = {"question_id": 81, "answer_id": "x", "model_id": "vicuna", "choices": [{"index": 0, "turns": ["a1", "a2"]}], "tstamp": 1.0}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_fastchat_answers_are_found_by_question(tmp_path: Path) -> None:
    index = AnswerIndex(write(tmp_path / "a.jsonl", FASTCHAT, {**FASTCHAT, "question_id": "82"}))
    assert (index.model, len(index)) == ("vicuna", 2)
    assert index.get("81") == index.get(81) == Answer(81, "vicuna", ("a1", "a2"), ("stop", "stop"))
    assert index.get(83) is None
    index.close()
    index.close()


def test_our_answers_come_back_as_they_were_written(tmp_path: Path) -> None:
    kept = Answer(1, "m", ("one\u2028\x00", "🦊"), ("stop", "length"), Usage(3, None), "m-1")
    path = tmp_path / "a.jsonl"
    path.write_text(answer_row(kept) + "\n", encoding="utf-8")
    index = AnswerIndex(path)
    got = index.get(1)
    index.close()
    assert got is not None
    assert (got.turns, got.finish_reasons, got.model) == (kept.turns, kept.finish_reasons, "m")
    row = json.loads(answer_row(kept))
    assert (row["usage"], row["snapshot"], row["error"]) == ({"prompt_tokens": 3, "completion_tokens": None}, "m-1", None)
    assert json.loads(answer_row(Answer(1, "m", ())))["usage"] is None


def test_a_byte_order_mark_and_crlf_move_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(json.dumps({**FASTCHAT, "question_id": i, "choices": [{"turns": [f"é{i}"]}]}, ensure_ascii=False) for i in range(5)).encode())
    index = AnswerIndex(path)
    assert [(a.question_id, a.turns) for i in reversed(range(5)) if (a := index.get(i))] == [(i, (f"é{i}",)) for i in reversed(range(5))]
    index.close()


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    index = AnswerIndex(write(tmp_path / "a.jsonl", {"question_id": 1, "turns": ["a\ud83db"]}))
    answer = index.get(1)
    index.close()
    assert answer is not None
    assert answer.turns == ("a\ufffdb",)


def test_one_of_several_models_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *({"question_id": 1, "model": m, "turns": [m]} for m in ("x", "y")))
    with pytest.raises(InputError, match=r"answers of 2 models \(x, y\); name one: recorded:.*#MODEL"):
        AnswerIndex(path)
    with pytest.raises(InputError, match=r"no answers of 'z'; it has those of x, y"):
        AnswerIndex(path, "z")
    index = AnswerIndex(path, "y")
    answer = index.get(1)
    index.close()
    assert answer is not None
    assert answer.turns == ("y",)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"turns": ["a"]}, 'line 1: "question_id" is missing'),
        ({"question_id": True, "turns": ["a"]}, 'line 1: "question_id" is missing'),
        ({"question_id": 1}, 'needs "turns"'),
        ({"question_id": 1, "turns": []}, 'needs "turns"'),
        ({"question_id": 1, "turns": "a"}, 'needs "turns"'),
        ({"question_id": 1, "turns": [None]}, 'needs "turns"'),
        ({"question_id": 1, "choices": []}, 'needs "turns"'),
        ({"question_id": 1, "choices": ["a"]}, 'needs "turns"'),
        ({"question_id": 1, "turns": ["a"], "finish_reasons": ["stop", "stop"]}, '"finish_reasons" must be a list as long as "turns"'),
        ([1], "holds a list"),
    ],
)
def test_a_malformed_row_is_refused(row: Any, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row)
    with pytest.raises(InputError) as error:
        AnswerIndex(path)
    assert str(error.value).startswith(f"{path} line 1: ")
    assert said in str(error.value)


def test_a_second_answer_to_a_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2: a second answer to question 81 \(the first is on line 1\); keep one"):
        AnswerIndex(write(tmp_path / "a.jsonl", FASTCHAT, {**FASTCHAT, "question_id": "81"}))


def test_an_empty_file_has_no_answers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no answers in it"):
        AnswerIndex(write(tmp_path / "a.jsonl"))


def test_a_row_of_ours_whose_first_call_failed_is_an_answer_without_turns(tmp_path: Path) -> None:
    index = AnswerIndex(write(tmp_path / "a.jsonl", json.loads(answer_row(Answer(1, "m", (), error="timed out")))))
    answer = index.get(1)
    index.close()
    assert answer is not None
    assert answer.turns == ()
