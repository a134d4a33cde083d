"""A Python function as a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import judgebench as jb


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("q.jsonl").write_text(json.dumps({"question_id": 1, "category": "c", "turns": ["One?", "Two?"], "checks": [[{"kind": "contains", "all": ["one"]}], [{"kind": "contains", "all": ["3"]}]]}))
    return "q.jsonl"


def test_a_plain_and_an_async_function_see_the_conversation(questions: str) -> None:
    async def counting(messages: list[dict[str, str]]) -> str:
        return f"one, {len(messages)} messages, last from the {messages[-1]['role']}"

    run = jb.run(questions, models={"plain": lambda messages: f"one {len(messages)}", "async": counting}, out="r", log="log.db")
    assert {row["model"]: row["score"] for row in run.leaderboard().rows} == {"plain": 10.0, "async": 10.0}
    assert run.info["complete"]


def test_what_a_function_raises_or_returns_wrongly_is_its_answers_failure(questions: str) -> None:
    run = jb.run(questions, models={"raises": lambda messages: 1 / 0, "numbers": lambda messages: 7}, out="r", log="log.db")
    details = set(run.judgments["detail"])
    assert any("ZeroDivisionError" in d for d in details)
    assert any("returned int, not a text" in d for d in details)
    assert not run.info["complete"]


def test_anything_else_is_refused_by_name(questions: str) -> None:
    with pytest.raises(jb.InputError, match="model x: int is neither a SPEC"):
        jb.run(questions, models={"x": 3}, out="r", log="log.db")  # type: ignore[dict-item]  # the mistake under test
