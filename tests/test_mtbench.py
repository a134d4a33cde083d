"""The shipped benchmark: its questions, its references, and checks that see exactly what they should."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench import resources
from judgebench.benchmarks import load_benchmark
from judgebench.checks.quantity import Choice, Number
from judgebench.checks.wording import Exact
from judgebench.types import Question

FOLDER = resources.data_folder("benchmarks") / "mtbench"
BENCHMARK = load_benchmark("mtbench")
QUESTIONS = {str(question.id): question for question in BENCHMARK.questions()}
CATEGORIES = ("writing", "roleplay", "extraction", "reasoning", "math", "coding", "stem", "humanities")
WITH_REFERENCES = ("math", "reasoning", "coding", "extraction")
EXAMPLES = ("thorough", "terse", "careless")
READER = "reader"  # what mistakes.jsonl says of a mistake that no check can see


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answers(path: Path) -> dict[str, list[str]]:
    return {str(row["question_id"]): row["turns"] for row in rows(path)}


MISTAKES = rows(FOLDER / "example" / "mistakes.jsonl")
BLIND = answers(Path(__file__).parent / "data" / "mtbench_blind_answers.jsonl")
ANSWERS = {model: answers(FOLDER / "example" / f"{model}.jsonl") for model in EXAMPLES}


def each_turn() -> Iterator[tuple[Question, int]]:
    return ((question, turn) for question in QUESTIONS.values() for turn in range(1, len(question.turns) + 1))


def failing(question: Question, turn: int, text: str) -> set[int]:
    """The numbers (from 1) of the checks that an answer fails."""
    return {number for number, check in enumerate(question.turn_checks(turn), 1) if not check.passes(text)}


def test_eighty_questions_of_two_turns_ten_in_each_category() -> None:
    assert BENCHMARK.category_counts == dict.fromkeys(CATEGORIES, 10)
    assert {len(question.turns) for question in QUESTIONS.values()} == {2}
    assert len(QUESTIONS) == 80


def test_sampling_temperatures_are_those_of_mt_bench() -> None:
    wanted = {"writing": 0.7, "roleplay": 0.7, "extraction": 0.0, "math": 0.0, "coding": 0.0, "reasoning": 0.0, "stem": 0.1, "humanities": 0.1}
    assert {question.category: BENCHMARK.sampling(question).temperature for question in QUESTIONS.values()} == wanted


def test_every_turn_with_a_right_answer_has_a_reference() -> None:
    assert not [(q.id, turn) for q, turn in each_turn() if q.category in WITH_REFERENCES and not (q.reference(turn) or "").strip()]
    judged = {q.category for q, turn in each_turn() if BENCHMARK.needs_reference(q, turn)}
    assert judged == {"math", "reasoning", "coding"}, "as in MT-Bench"


def test_every_turn_has_checks() -> None:
    assert not [(q.id, turn) for q, turn in each_turn() if not q.turn_checks(turn)]


def test_no_two_turns_are_alike() -> None:
    words = {(q.id, turn): set(re.findall(r"\w+", q.turns[turn - 1].casefold())) for q, turn in each_turn()}
    alike = {(a, b): len(words[a] & words[b]) / len(words[a] | words[b]) for a, b in itertools.combinations(words, 2)}
    assert not {pair: share for pair, share in alike.items() if share >= 0.6}
    assert len({text.strip() for q in QUESTIONS.values() for text in q.turns}) == 160


@pytest.mark.parametrize("model", EXAMPLES)
def test_a_check_fails_on_an_example_exactly_where_a_mistake_is_listed(model: str) -> None:
    listed: dict[tuple[str, int], set[int]] = {}
    for row in MISTAKES:
        if row["model"] == model and row["seen_by"] != READER:
            listed.setdefault((str(row["question_id"]), row["turn"]), set()).update(row["seen_by"])
    found = {(str(q.id), turn): failed for q, turn in each_turn() if (failed := failing(q, turn, ANSWERS[model][str(q.id)][turn - 1]))}
    assert found == listed


def test_the_list_of_mistakes_is_whole() -> None:
    for row in MISTAKES:
        assert set(row) == {"question_id", "model", "turn", "what", "seen_by"}
        assert row["model"] in EXAMPLES and str(row["question_id"]) in QUESTIONS and row["turn"] in (1, 2)
        assert len(row["what"]) >= 20
        assert row["seen_by"] == READER or (row["seen_by"] and all(isinstance(number, int) for number in row["seen_by"]))
    seen = Counter((row["model"], row["seen_by"] == READER) for row in MISTAKES)
    assert seen["careless", False] >= 48 and seen["careless", True] >= 16, "in every category several that a check sees and some that only a reader can"
    assert seen["thorough", True] == seen["terse", True] == 0


@pytest.mark.parametrize("model", EXAMPLES)
def test_an_example_answers_every_turn(model: str) -> None:
    assert set(ANSWERS[model]) == set(QUESTIONS)
    assert all(len(turns) == 2 and all(text.strip() for text in turns) for turns in ANSWERS[model].values())
    assert {row["model"] for row in rows(FOLDER / "example" / f"{model}.jsonl")} == {model}
    assert BENCHMARK.settings.examples[model] == str(FOLDER / "example" / f"{model}.jsonl")


def test_the_examples_differ_in_length_as_they_say() -> None:
    length = {model: sum(len(text.split()) for turns in given.values() for text in turns) for model, given in ANSWERS.items()}
    assert length["terse"] < 0.5 * length["careless"] < 0.5 * length["thorough"]


def test_right_answers_written_without_looking_at_the_checks_pass_them_all() -> None:
    assert set(BLIND) == set(QUESTIONS)
    assert not [(q.id, turn, failed) for q, turn in each_turn() if (failed := failing(q, turn, BLIND[str(q.id)][turn - 1]))]


def test_no_blind_answer_is_an_example() -> None:
    """Save where the question leaves no freedom: the JSON or the lines of an extraction, a few words, a line of code."""
    free = [id_ for id_, question in QUESTIONS.items() if question.category != "extraction"]
    assert not [(id_, model) for id_ in free for model in EXAMPLES for mine, theirs in zip(BLIND[id_], ANSWERS[model][id_], strict=True) if mine == theirs and len(mine) > 100]


def test_every_reference_gives_the_result_that_is_checked() -> None:
    """Checks of form (word limits, headings) are not for references, which are written for a judge."""
    wrong = [
        (q.id, turn, check) for q, turn in each_turn() if q.category in WITH_REFERENCES for check in q.turn_checks(turn)
        if isinstance(check, (Number, Exact, Choice)) and not check.passes(q.reference(turn) or "")
    ]  # fmt: skip
    assert not wrong
    assert sum(isinstance(check, (Number, Exact, Choice)) for q, turn in each_turn() if q.category in WITH_REFERENCES for check in q.turn_checks(turn)) >= 25


@pytest.mark.parametrize("source", ["blind", "thorough"])
def test_no_right_answer_stands_under_another_question(source: str) -> None:
    given = BLIND if source == "blind" else ANSWERS[source]
    fooled = [
        (q.id, turn, other) for q, turn in each_turn() for other, turns in given.items() if other != str(q.id)
        for text in turns if all(check.passes(text) for check in q.turn_checks(turn))
    ]  # fmt: skip
    assert not fooled


def test_no_empty_and_no_idle_answer_passes() -> None:
    idle = ["", " \n", "I cannot help with that.", "Yes.", "42", "Answer: 42", "```python\n```", "{}", "As an AI language model, I think that this is a very good question."]
    assert not [(q.id, turn, text) for q, turn in each_turn() for text in idle if all(check.passes(text) for check in q.turn_checks(turn))]


def test_source_md_names_every_file() -> None:
    page = (FOLDER / "SOURCE.md").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.rglob("*.*") if path.is_file()} - {"SOURCE.md"}
    assert not {name for name in files if name not in page}
    assert "Apache-2.0" in page
