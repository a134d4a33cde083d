"""FastChat's published files load unchanged. They lie outside the project; without them these tests are skipped, visibly."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks import load_benchmark
from judgebench.formats.answers import AnswerIndex
from judgebench.prompts import load_prompts
from judgebench.types import Answer, Question

PLACE = Path(os.environ.get("JUDGEBENCH_REFERENCE") or Path(__file__).parents[2] / "shared" / "reference") / "mtbench"
pytestmark = pytest.mark.skipif(not PLACE.is_dir(), reason=f"no reference data at {PLACE}; set JUDGEBENCH_REFERENCE")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_official_questions_load_unchanged() -> None:
    benchmark = load_benchmark(PLACE / "question.jsonl")
    assert len(benchmark) == 80
    assert set(benchmark.category_counts.values()) == {10}
    for question, raw in zip(benchmark.questions(), rows(PLACE / "question.jsonl"), strict=True):
        assert (question.id, question.category, list(question.turns)) == (raw["question_id"], raw["category"], raw["turns"])
        assert [question.reference(turn) for turn in (1, 2)] == [(raw.get("reference") or [None, None])[turn - 1] or None for turn in (1, 2)]
    temperatures = {q.category: benchmark.sampling(q).temperature for q in benchmark.questions()}
    assert (temperatures["writing"], temperatures["math"], temperatures["stem"]) == (0.7, 0.0, 0.1)


def test_the_official_references_are_found_beside_the_questions(tmp_path: Path) -> None:
    (tmp_path / "reference_answer").mkdir()
    (tmp_path / "question.jsonl").write_bytes((PLACE / "question.jsonl").read_bytes())
    (tmp_path / "reference_answer" / "gpt-4.jsonl").write_bytes((PLACE / "reference_answer_gpt-4.jsonl").read_bytes())
    benchmark = load_benchmark(tmp_path)
    given = {row["question_id"]: row["choices"][0]["turns"] for row in rows(PLACE / "reference_answer_gpt-4.jsonl")}
    assert len(given) == 30
    asked = {q.id: [q.reference(1), q.reference(2)] for q in benchmark.questions() if benchmark.needs_reference(q, 1)}
    assert asked == given
    assert {q.category for q in benchmark.questions() if q.id in asked} == {"math", "reasoning", "coding"}


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("turn", [1, 2])
def test_an_official_prompt_is_what_str_format_gives(turn: int, reference: bool) -> None:
    by_name = {row["name"]: row for row in rows(PLACE / "judge_prompts.jsonl")}
    name = f"single{'-math' if reference else ''}-v1{'-multi-turn' if turn == 2 else ''}"
    question = Question(1, "math", ("q {one}?", "q two?"), ("r1", "r {2}"))
    answer = Answer(1, "m", ("a {question}", "a2 {{}} [[10]]"))
    fields = {"question": question.turns[turn - 1], "answer": answer.turns[turn - 1]}
    for i in (1, 2):
        fields |= {f"question_{i}": question.turns[i - 1], f"answer_{i}": answer.turns[i - 1], f"ref_answer_{i}": str(question.references[i - 1])}
    messages = load_prompts(str(PLACE / "judge_prompts.jsonl")).choose(reference=reference, turn=turn).messages(question, answer, turn)
    assert messages[-1].content == by_name[name]["prompt_template"].format(**fields)
    system = by_name[name]["system_prompt"]
    assert [m.content for m in messages[:-1]] == ([system] if system else [])


def test_the_official_prompts_fit_the_official_questions() -> None:
    benchmark = load_benchmark(PLACE / "question.jsonl")
    assert load_prompts(f"{PLACE / 'judge_prompts.jsonl'}#single-v1").problem(benchmark.questions(), benchmark.needs_reference) is None


def test_the_published_answers_of_every_model_load_unchanged(tmp_path: Path) -> None:
    files = sorted((PLACE / "model_answer").glob("*.jsonl.gz"))
    assert len(files) == 18
    for file in files:
        path = tmp_path / file.name.removesuffix(".gz")
        path.write_bytes(gzip.decompress(file.read_bytes()))
        index = AnswerIndex(path)
        assert len(index) == 80
        for row in rows(path):
            assert index.model == row["model_id"]
            answer = index.get(row["question_id"])
            assert answer is not None
            assert list(answer.turns) == row["choices"][0]["turns"]
        index.close()
