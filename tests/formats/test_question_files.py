"""Question files as people write them: what is right is read, what is wrong is refused with file, line and mend."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks import load_benchmark
from judgebench.errors import InputError
from judgebench.formats.jsonl import Row, dump, read_rows
from judgebench.formats.questions import parse_question, read_questions

GOOD = b'{"question_id": 1, "category": "writing", "turns": ["hello"]}\n'


def row(**fields: Any) -> bytes:
    return json.dumps({"question_id": 2, "category": "math", "turns": ["one", "two"], **fields}).encode() + b"\n"


REFUSED: dict[str, tuple[bytes, int | None, str]] = {
    "empty": (b"", None, "no question in it"),
    "blank lines only": (b"\n  \n\n", None, "no question in it"),
    "not JSON": (GOOD + b"{oops}\n", 2, "not valid JSON"),
    "cut off": (GOOD + b'{"question_id": 1, "turns": [\n', 2, "not valid JSON"),
    "two objects on a line": (GOOD.strip() + GOOD, 1, "not valid JSON"),
    "one object over lines": (b'{\n"question_id": 1}\n', 1, "not valid JSON"),
    "a list": (b"[1, 2]\n", 1, "holds a list, not an object"),
    "a JSON array of questions": (b"[" + GOOD.strip() + b"]\n", 1, "holds a list, not an object"),
    "a text": (b'"hello"\n', 1, "holds a text, not an object"),
    "a number": (GOOD + b"\n7\n", 3, "holds a number, not an object"),
    "null": (b"null\n", 1, "holds null, not an object"),
    "NaN": (row(x=float("nan")), 1, "NaN is not JSON"),
    "Infinity": (row(required_temperature=float("inf")), 1, "Infinity is not JSON"),
    "a number beyond all bounds": (row(x=0).replace(b'"x": 0', b'"x": 1e999'), 1, "1e999 is too large a number"),
    "a huge whole number": (row(x=0).replace(b'"x": 0', b'"x": 1' + b"0" * 5000), 1, "not valid JSON that can be read"),
    "deep nesting": (b'{"question_id": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", 1, "not valid JSON that can be read"),
    "latin-1": (GOOD + b'{"question_id": 2, "turns": ["caf\xe9"]}\n', 2, "not UTF-8 (byte 34); save the file as UTF-8"),
    "UTF-16": ("\ufeff".encode("utf-16-le") + GOOD.decode().encode("utf-16-le"), 1, "not UTF-8"),
    "gzip": (b"\x1f\x8b\x08\x00junk\n", None, "is gzip-compressed; gunzip it first"),
    "a NUL": (GOOD.replace(b"hello", b"he\x00llo"), 1, "not valid JSON"),
    "a byte order mark inside": (GOOD + b"\xef\xbb\xbf" + GOOD, 2, "not valid JSON"),
    "a lone surrogate": (row(turns=["half \ud83d here", "b"]), 1, "holds half a character"),
    "a lone surrogate in the id": (row(question_id="q\udc00"), 1, "holds half a character"),
    "a lone surrogate in a reference": (row(references=["\ud800"]), 1, "holds half a character"),
    "no id": (b'{"turns": ["a"]}\n', 1, '"question_id" is missing'),
    "id null": (row(question_id=None), 1, '"question_id" is missing'),
    "id true": (row(question_id=True), 1, '"question_id" is missing'),
    "id a fraction": (row(question_id=1.5), 1, "neither a whole number nor a text"),
    "id a list": (row(question_id=[1]), 1, "neither a whole number nor a text"),
    "id blank": (row(question_id="  "), 1, '"question_id" is missing'),
    "the same id": (GOOD + row() + GOOD, 3, "question_id 1 stands on line 1 already"),
    "the same id as a text": (GOOD + row(question_id="1"), 2, "question_id 1 stands on line 1 already"),
    "no turns": (b'{"question_id": 1, "category": "writing"}\n', 1, '"turns" of question 1 must be a list of texts'),
    "turns a text": (row(turns="hello"), 1, '"turns" of question 2 must be a list of texts'),
    "turns empty": (row(turns=[]), 1, "a list of at least one text, none of them empty"),
    "turns of a number": (row(turns=[3]), 1, '"turns" of question 2 must be a list of texts'),
    "turns of null": (row(turns=["a", None]), 1, "none of them empty"),
    "turns of a blank": (row(turns=["a", " \n"]), 1, "none of them empty"),
    "category a number": (row(category=3), 1, '"category" of question 2 must be a text'),
    "category blank": (row(category=" "), 1, '"category" of question 2 must be a text'),
    "references a text": (row(references="one"), 1, '"references" of question 2 must be a list of texts'),
    "references zero": (row(references=0), 1, '"references" of question 2 must be a list of texts'),
    "too many references": (row(references=["a", "b", "c"]), 1, "3 references for 2 turns"),
    "temperature a text": (row(required_temperature="0.5"), 1, '"required_temperature" must be a number from 0 to 2'),
    "temperature true": (row(required_temperature=True), 1, '"required_temperature" must be a number from 0 to 2'),
    "temperature too high": (row(required_temperature=3), 1, '"required_temperature" must be a number from 0 to 2'),
    "checks an object": (row(checks={}), 1, '"checks" must be a list with one list of checks per turn'),
    "checks flat": (row(checks=[{"kind": "exact", "values": ["x"]}]), 1, '"checks" must be a list with one list of checks per turn'),
    "checks for a third turn": (row(checks=[[], [], []]), 1, '"checks" must be a list with one list of checks per turn'),
    "an unknown check": (row(checks=[[{"kind": "nmber", "value": 1}]]), 1, "did you mean 'number'?"),
    "a check beyond all numbers": (row(checks=[[{"kind": "number", "value": 10**400}]]), 1, "number.value takes a number"),
    "a line break in the id": (row(question_id="a\nb", turns=[]), 1, "question 'a\\nb'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_file_is_refused_with_file_line_and_mend(name: str, tmp_path: Path) -> None:
    raw, line, said = REFUSED[name]
    path = tmp_path / "questions of mine.jsonl"
    path.write_bytes(raw)
    with pytest.raises(InputError) as error:
        load_benchmark(path)
    message = str(error.value)
    assert message.startswith(f"{path}:" if line is None else f"{path} line {line}:")
    assert said in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300


READ: dict[str, bytes] = {
    "plain": GOOD, "a byte order mark": b"\xef\xbb\xbf" + GOOD, "CRLF": GOOD.replace(b"\n", b"\r\n"), "blank lines": b"\n" + GOOD + b"\n \n", "no last line break": GOOD.rstrip(),
    "an id named uid": b'{"uid": "x", "turns": ["hello"]}', "more keys": row(difficulty=3, tags=["a"], x={"y": None}), "an id that is a text": row(question_id="q-1"),
    "many turns": row(turns=["t"] * 9), "a paired surrogate": row(turns=["\U0001f98a"]), "references null": row(references=None), "a large id": row(question_id=10**30),
    "nested within reason": row(x=json.loads("[" * 50 + "]" * 50)), "checks for the first turn alone": row(checks=[[{"kind": "exact", "values": ["x"]}]]),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_an_unusual_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(READ[name])
    assert len(list(load_benchmark(path).questions())) == 1


def test_nesting_that_can_be_read_but_not_written_is_refused(tmp_path: Path) -> None:
    """Reading and writing stop at different depths; every depth gives a question or an error of ours."""
    path, refused = tmp_path / "q.jsonl", 0
    for depth in range(100, 1200, 10):
        path.write_bytes(b'{"question_id": 1, "turns": ["a"], "x": ' + b"[" * depth + b"]" * depth + b"}\n")
        try:
            list(read_questions(path))
        except InputError:
            refused += 1
    assert 0 < refused < 110


@pytest.mark.parametrize(("where", "said"), [("nowhere.jsonl", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened(where: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        list(read_questions(tmp_path / where))


def test_a_question_keeps_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(row(references=["r1", None], checks=[[], [{"kind": "exact", "values": ["x"]}]], required_temperature=0, source="mine"))
    (question,) = read_questions(path)
    assert (question.id, question.category, question.turns, question.references, question.temperature) == (2, "math", ("one", "two"), ("r1", None), 0.0)
    assert (question.reference(1), question.reference(2), question.reference(3)) == ("r1", None, None)
    assert [len(question.turn_checks(turn)) for turn in (1, 2, 3)] == [0, 1, 0]
    assert json.loads(question.line)["source"] == "mine"


def test_category_and_references_have_other_spellings() -> None:
    question = parse_question(Row(1, {"uid": "a", "turns": ["x", "y"], "reference": ["", "r"]}), Path("x"), {})
    assert (question.category, question.references) == ("general", (None, "r"))


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(identity=st.integers() | texts, category=texts, turns=st.lists(texts, min_size=1, max_size=4), data=st.data())
def test_a_question_written_by_us_is_the_same_when_read_again(identity: int | str, category: str, turns: list[str], data: st.DataObject) -> None:
    references = data.draw(st.lists(st.none() | texts, max_size=len(turns)))
    raw = {"question_id": identity, "category": category, "turns": turns, "references": references}
    first = parse_question(Row(1, raw), Path("x"), {})
    again = parse_question(Row(1, json.loads(first.line)), Path("x"), {})
    assert again.line == first.line
    assert [(again.id, again.category, again.turns)] == [(identity, category, tuple(turns))]
    assert [again.reference(i) for i in range(1, 5)] == [first.reference(i) for i in range(1, 5)]


@given(st.binary() | st.lists(st.sampled_from([b"{", b"}", b'"turns"', b":", b"[", b"]", b'"a"', b",", b"\n", b'"question_id"', b"1", b"\xff", b"\xef\xbb\xbf", b"\\ud800"])).map(b"".join))
def test_no_bytes_raise_anything_but_our_error(raw: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(raw)
        file.flush()
        said = file.name
        try:
            assert all(question.turns for question in read_questions(Path(file.name)))
        except InputError as error:
            said = str(error)
        assert said.startswith(file.name)


def test_rows_know_their_lines_and_are_hashed_as_they_stand(tmp_path: Path) -> None:
    path, raw, seen = tmp_path / "r.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\n{"a": 2}', list[bytes]()
    path.write_bytes(raw)
    assert [(r.line, r.value) for r in read_rows(path, seen.append)] == [(1, {"a": 1}), (3, {"a": 2})]
    assert b"".join(seen) == raw


def test_no_nan_is_ever_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump({"x": float("nan")})
