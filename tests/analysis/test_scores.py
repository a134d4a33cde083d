"""Leaderboards: FastChat's figures on real judgments, failures and their bounds, several judges."""

import gzip
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.analysis.scores import JudgedItem, ModelScores, ScoreRow, leaderboard, mean_over_judges

REFERENCE = Path(os.environ.get("JUDGEBENCH_REFERENCE") or Path(__file__).parents[3] / "shared" / "reference")
FILES = ("alvarobartt", "don-tpanic", "jtbwedgwood_llama-3.1-judge", "medusa", "routellm_judgements")


def row(score: float | None, question: str = "1", turn: int = 1, model: str = "m", category: str = "writing") -> ScoreRow:
    return ScoreRow(model, question, category, turn, score)


def only(board: tuple[ModelScores, ...]) -> ModelScores:
    assert len(board) == 1
    return board[0]


def published(name: str) -> tuple[list[ScoreRow], dict[str, Any]]:
    """The rows of a FastChat judgment file and the figures of FastChat's own code for it. Categories are those of its ids."""
    file = REFERENCE / "mtbench" / "single" / f"{name}.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"reference data absent: {file} (set JUDGEBENCH_REFERENCE)")
    figures = json.loads((REFERENCE / "REFERENCE.json").read_text(encoding="utf-8"))["mtbench_single"]["files"][f"mtbench/single/{name}.jsonl.gz"]
    ordered = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
    rows = []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for raw in map(json.loads, lines):
            score = None if raw["score"] == -1 else float(raw["score"])
            rows.append(ScoreRow(raw["model"], str(raw["question_id"]), ordered[(raw["question_id"] - 81) // 10], raw["turn"], score))
    return rows, figures


@pytest.mark.parametrize("name", FILES)
def test_the_figures_are_those_of_fastchat(name: str) -> None:
    """show_result.py drops -1 and takes the plain mean over rows, both turns pooled and rows that stand twice counted twice."""
    rows, figures = published(name)
    board = {b.model: b for b in leaderboard(rows)}
    assert set(board) == set(figures)
    for model, want in figures.items():
        got = board[model]
        assert got.score.value == pytest.approx(want["average"], abs=1e-9)
        assert got.turns[1].value == pytest.approx(want["turn1"], abs=1e-9)
        assert got.turns[2].value == pytest.approx(want["turn2"], abs=1e-9)
        assert {c: e.value for c, e in got.categories.items()} == pytest.approx(want["by_category"], abs=1e-9)
        assert (got.score.n, got.n_failures) == (want["n_rows"] - want["n_minus1"], want["n_minus1"])


def test_rows_that_stand_twice_narrow_no_interval() -> None:
    """FastChat keeps duplicates in its mean; as the question is the cluster, they do not pass for more evidence."""
    rows, _ = published("medusa")
    model = rows[0].model
    once = [r for r in rows if r.model == model]
    single, double = only(leaderboard(once)).score, only(leaderboard(once * 2)).score
    assert double.n == 2 * single.n
    assert (double.value, double.low, double.high) == (pytest.approx(single.value), pytest.approx(single.low), pytest.approx(single.high))


def test_a_failure_is_counted_and_bounded_and_never_scored() -> None:
    """Scores 8 and 6 and one failure: mean 7; the failure scored 1 gives 15/3 = 5, scored 10 gives 24/3 = 8."""
    got = only(leaderboard([row(8, "1"), row(6, "2"), row(None, "3")]))
    assert (got.score.value, got.score.n, got.n_failures) == (7, 2, 1)
    assert (got.lowest, got.highest) == (5, 8)


def test_without_failures_the_bounds_are_the_score() -> None:
    got = only(leaderboard([row(8, "1"), row(5, "2")]))
    assert got.lowest == got.highest == got.score.value == 6.5


def test_another_scale_bounds_the_failures_and_cuts_the_intervals() -> None:
    got = only(leaderboard([row(70, "1"), row(90, "2"), row(None, "3")], (0, 100)))
    assert (got.lowest, got.highest) == (pytest.approx(160 / 3), pytest.approx(260 / 3))
    assert got.score.high == 100


@given(st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.integers(1, 10))), min_size=1, max_size=30))
def test_the_bounds_hold_every_way_to_score_the_failures(rows: list[tuple[int, int | None]]) -> None:
    got = only(leaderboard([row(s, str(q)) for q, s in rows]))
    assert got.lowest is not None
    assert got.highest is not None
    for stand_in in (1, 4.2, 10):
        full = [stand_in if s is None else s for _, s in rows]
        assert got.lowest - 1e-9 <= sum(full) / len(full) <= got.highest + 1e-9


def test_best_first_and_models_without_a_score_last_with_a_reason() -> None:
    board = leaderboard([row(None, model="broken"), row(3, model="low"), row(9, model="high"), row(3, model="another low")])
    assert [b.model for b in board] == ["high", "another low", "low", "broken"]
    last = board[-1]
    assert (last.score.value, last.score.low, last.score.n, last.n_failures) == (None, None, 0, 1)
    assert last.score.method == "nothing was judged"
    assert (last.lowest, last.highest) == (1, 10)


def test_models_without_a_score_are_last_on_a_scale_below_zero_too() -> None:
    board = leaderboard([row(None, model="broken"), row(-4, model="poor"), row(2, model="good")], (-5, 5))
    assert [b.model for b in board] == ["good", "poor", "broken"]


def test_a_model_without_any_judgment_has_a_row_when_it_is_named() -> None:
    board = leaderboard([row(3, model="a")], models=["late", "a"])
    assert [b.model for b in board] == ["a", "late"]
    assert (board[1].score.value, board[1].n_failures, board[1].lowest, board[1].highest) == (None, 0, None, None)


def test_turns_and_categories_stand_beside_the_whole() -> None:
    rows = [row(9, "1", 1), row(5, "1", 2), row(3, "2", 1, category="math"), row(None, "2", 2, category="math"), row(7, "1", 3)]
    got = only(leaderboard(rows))
    assert {t: (e.value, e.n) for t, e in got.turns.items()} == {1: (6, 2), 2: (5, 1), 3: (7, 1)}
    assert {c: (e.value, e.n) for c, e in got.categories.items()} == {"writing": (7, 3), "math": (3, 1)}
    assert got.score.value == 6


def test_a_turn_that_always_failed_is_there_without_a_value() -> None:
    got = only(leaderboard([row(9, "1", 1), row(None, "1", 2)]))
    assert (got.turns[2].value, got.turns[2].n) == (None, 0)


@given(st.permutations([row(s, q, t, m) for (q, t, m), s in zip(itertools.product("123", (1, 2), ("a", "b")), itertools.cycle([7, 3, None, 10, 6]), strict=False)]))
def test_the_order_of_rows_does_not_matter(rows: list[ScoreRow]) -> None:
    def figures(board: tuple[ModelScores, ...]) -> Iterator[tuple[Any, ...]]:
        for b in board:
            yield b.model, b.score, b.turns, sorted(b.categories.items()), b.n_failures, b.lowest, b.highest

    assert list(figures(leaderboard(rows))) == list(figures(leaderboard(sorted(rows, key=repr))))


@given(st.permutations([0.1, 0.2, 0.3, 0.7, 1e-17, 9.99, 3.3]))
def test_the_order_of_fractions_changes_no_digit(scores: list[float]) -> None:
    assert leaderboard([row(s) for s in scores] + [row(5, "2")], (0, 10)) == leaderboard([row(s) for s in sorted(scores)] + [row(5, "2")], (0, 10))


def test_means_that_differ_by_rounding_alone_go_by_name() -> None:
    board = leaderboard([row(7.3, model="a"), row(7.3 + 2e-15, model="b")])
    assert board[0].score.value != board[1].score.value
    assert [b.model for b in board] == ["a", "b"]


def items(scores: dict[str, list[float | None]]) -> list[JudgedItem]:
    """Judge -> its scores of questions 1, 2, ..."""
    return [JudgedItem(judge, 0, row(s, str(q))) for judge, given in scores.items() for q, s in enumerate(given, 1)]


def test_the_mean_over_judges_takes_only_what_all_of_them_scored() -> None:
    """Judge b fails on the hard second question: its mean of the others must not lift the model."""
    rows = mean_over_judges(items({"a": [8, 2, 6], "b": [6, None, 10]}), 2)
    assert [(r.question, r.score) for r in rows] == [("1", 7), ("2", None), ("3", 8)]
    assert only(leaderboard(rows)).n_failures == 1


def test_what_a_judge_does_not_judge_at_all_is_no_failure() -> None:
    """The checks judge skips turns without checks: they have no mean, and nobody failed."""
    rows = mean_over_judges([JudgedItem("llm", 0, row(8, "1")), JudgedItem("llm", 0, row(2, "2")), JudgedItem("checks", 0, row(10, "1"))], 2)
    assert [(r.question, r.score) for r in rows] == [("1", 9)]


def test_samples_turns_and_models_are_items_of_their_own() -> None:
    rows = mean_over_judges([JudgedItem(j, k, row(s, "1", t, m)) for j, s in (("a", 4), ("b", 6)) for k in (0, 1) for t in (1, 2) for m in ("x", "y")], 2)
    assert len(rows) == 8
    assert {r.score for r in rows} == {5}


def test_the_mean_of_one_judge_is_that_judge() -> None:
    given_ = items({"a": [8, None, 6]})
    assert mean_over_judges(given_, 1) == [i.row for i in given_]
