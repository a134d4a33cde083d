"""The JSON of a run, key by key as the contract has it: intervals beside their values, null with a reason, no NaN."""

import json
from pathlib import Path
from typing import Any

import pytest
from records import judgment

from judgebench.documents import MEAN, folder_name, summary_document
from judgebench.errors import InputError
from judgebench.store import judgment_row
from judgebench.types import Failure, Judgment

ENTRY = {"run", "benchmark", "protocol", "judge", "n_judgments", "n_failures", "leaderboard"}
ENTRY_MORE = {"failures", "n_turns_without_checks", "complete", "scale"}
ROW = {"model", "score", "ci", "n", "turn_1", "turn_2", "categories"}
ROW_MORE = {"turn_1_ci", "turn_1_n", "turn_2_ci", "turn_2_n", "n_failures", "bounds", "method"}
CATEGORY = {"score", "ci", "n", "method"}


def summary(folder: Path, judgments: list[Judgment], judges: tuple[dict[str, Any], ...] = ({"name": "j"},), models: tuple[str, ...] = ("m",)) -> Any:
    """The document, through JSON and back: what cannot be written fails here."""
    path = folder / "judgments.jsonl"
    path.write_text("".join(judgment_row(j) + "\n" for j in judgments), encoding="utf-8")
    run = {
        "run": "r", "benchmark": {"name": "b"}, "protocol": "single", "complete": True, "counts": {"judgments": len(judgments), "turns_without_checks": 3},
        "models": [{"name": m} for m in models], "judges": list(judges),
    }  # fmt: skip
    return json.loads(json.dumps(summary_document(run, path), allow_nan=False))["runs"]


def two_turns(question: int, first: float | None, second: float | None, **fields: Any) -> list[Judgment]:
    def one(turn: int, score: float | None) -> Judgment:
        return judgment(score, question_id=question, turn=turn, failure=None if score is not None else Failure("no_verdict"), **fields)

    return [one(1, first), one(2, second)]


def test_an_entry_and_its_rows_have_exactly_these_keys(tmp_path: Path) -> None:
    entry = summary(tmp_path, [*two_turns(1, 8, 6), *two_turns(2, 4, 5, category="math")])[0]
    assert set(entry) == ENTRY | ENTRY_MORE
    row = entry["leaderboard"][0]
    assert set(row) == ROW | ROW_MORE
    assert set(row["categories"]) == {"writing", "math"}
    assert all(set(cell) - {"reason"} == CATEGORY for cell in row["categories"].values())


def test_the_figures_stand_where_they_belong(tmp_path: Path) -> None:
    entry = summary(tmp_path, [*two_turns(1, 8, 6), *two_turns(2, 4, None), *two_turns(3, 9, 9)])[0]
    assert (entry["run"], entry["benchmark"], entry["protocol"], entry["judge"]) == ("r", "b", "single", "j")
    assert (entry["n_judgments"], entry["n_failures"], entry["n_turns_without_checks"], entry["complete"]) == (6, 1, 3, True)
    row = entry["leaderboard"][0]
    assert (row["score"], row["n"], row["turn_1"], row["turn_1_n"], row["turn_2"], row["turn_2_n"]) == (7.2, 5, 7, 3, 7.5, 2)
    assert (row["n_failures"], row["bounds"]) == (1, [pytest.approx(37 / 6), pytest.approx(46 / 6)])
    assert "reason" not in row


def test_every_interval_is_a_pair_around_its_value(tmp_path: Path) -> None:
    row = summary(tmp_path, [*two_turns(1, 8, 6), *two_turns(2, 4, 5), *two_turns(3, 9, 9)])[0]["leaderboard"][0]
    for value, ci in ((row["score"], row["ci"]), (row["turn_1"], row["turn_1_ci"]), (row["turn_2"], row["turn_2_ci"])):
        assert 1 <= ci[0] < value < ci[1] <= 10


def test_one_question_has_a_score_and_a_reason_why_no_interval(tmp_path: Path) -> None:
    row = summary(tmp_path, two_turns(1, 8, 6))[0]["leaderboard"][0]
    assert (row["score"], row["ci"], row["reason"]) == (7, None, "one question alone has no interval")
    reason = "one question alone has no interval"
    assert row["categories"]["writing"] == {"score": 7, "ci": None, "n": 2, "method": reason, "reason": reason}


def test_nothing_judged_is_null_with_reason_and_count(tmp_path: Path) -> None:
    row = summary(tmp_path, two_turns(1, None, None))[0]["leaderboard"][0]
    assert (row["score"], row["ci"], row["n"], row["reason"], row["n_failures"], row["bounds"]) == (None, None, 0, "nothing was judged", 2, [1, 10])
    assert (row["turn_1"], row["turn_1_ci"], row["turn_1_n"]) == (None, None, 0)


def test_a_benchmark_of_one_turn_has_a_null_for_the_second(tmp_path: Path) -> None:
    row = summary(tmp_path, [judgment(8.0), judgment(6.0, question_id=2)])[0]["leaderboard"][0]
    assert (row["turn_1"], row["turn_2"], row["turn_2_ci"], row["turn_2_n"]) == (7, None, None, 0)


def test_a_benchmark_of_three_turns_has_the_third(tmp_path: Path) -> None:
    row = summary(tmp_path, [judgment(8.0, turn=t, question_id=q) for t in (1, 2, 3) for q in (1, 2)])[0]["leaderboard"][0]
    assert (row["turn_3"], row["turn_3_n"]) == (8, 2)


def test_a_model_that_was_never_judged_is_listed_last(tmp_path: Path) -> None:
    board = summary(tmp_path, two_turns(1, 8, 6), models=("late", "m"))[0]["leaderboard"]
    assert [row["model"] for row in board] == ["m", "late"]
    assert (board[1]["score"], board[1]["reason"], board[1]["bounds"]) == (None, "nothing was judged", [None, None])


def test_several_judges_get_a_board_each_and_their_mean(tmp_path: Path) -> None:
    rows = [*two_turns(1, 8, 6, judge="a"), *two_turns(1, 6, None, judge="b"), *two_turns(2, 4, 4, judge="a"), *two_turns(2, 2, 4, judge="b")]
    entries = summary(tmp_path, rows, judges=({"name": "a"}, {"name": "b"}))
    assert [e["judge"] for e in entries] == ["a", "b", MEAN]
    assert [e["leaderboard"][0]["score"] for e in entries] == [5.5, 4, pytest.approx((7 + 3 + 4) / 3)]
    assert [(e["n_judgments"], e["n_failures"]) for e in entries] == [(4, 0), (4, 1), (4, 1)]
    assert all(set(e) == ENTRY | ENTRY_MORE for e in entries)


def test_a_prompt_with_another_scale_sets_the_bounds(tmp_path: Path) -> None:
    """Scores of 0 to 100 must not be cut at 10."""
    rows = [judgment(70.0), judgment(90.0, question_id=2), judgment(None, question_id=3, failure=Failure("refused"))]
    entry = summary(tmp_path, rows, judges=({"name": "j", "scale": [0, 100]},))[0]
    row = entry["leaderboard"][0]
    assert entry["scale"] == [0, 100]
    assert row["ci"][0] < 80 < row["ci"][1] <= 100
    assert row["bounds"] == [pytest.approx(160 / 3), pytest.approx(260 / 3)]


def test_judges_of_different_scales_have_no_mean(tmp_path: Path) -> None:
    rows = [judgment(s, judge=j, question_id=q) for q in (1, 2) for j, s in (("a", 10.0), ("b", 100.0))]
    entries = summary(tmp_path, rows, judges=({"name": "a"}, {"name": "b", "scale": [0, 100]}))
    assert [e["judge"] for e in entries] == ["a", "b"]


def test_the_mean_is_on_the_scale_of_its_judges(tmp_path: Path) -> None:
    rows = [judgment(s, judge=j, question_id=q) for q in (1, 2) for j, s in (("a", 50.0), ("b", 100.0))]
    entry = summary(tmp_path, rows, judges=tuple({"name": j, "scale": [0, 100]} for j in "ab"))[2]
    assert (entry["judge"], entry["scale"], entry["leaderboard"][0]["score"]) == (MEAN, [0, 100], 75)


@pytest.mark.parametrize(("others", "mean"), [({"a": 4.0}, None), ({"a": 4.0, "b": 6.0}, 5)])
def test_the_checks_stay_apart_from_the_mean(others: dict[str, float], mean: float | None, tmp_path: Path) -> None:
    """Also under another name, and where they judge one question of two only."""
    rows = [judgment(s, judge=j, question_id=q) for q in (1, 2) for j, s in others.items()] + [judgment(10.0, judge="renamed")]
    judges = ({"name": "renamed", "spec": "checks"}, *({"name": j, "spec": f"openai:{j}"} for j in others))
    means = [(e["leaderboard"][0]["score"], e["n_judgments"]) for e in summary(tmp_path, rows, judges=judges) if e["judge"] == MEAN]
    assert means == ([] if mean is None else [(mean, 2)])


@pytest.mark.parametrize("score", [0.5, 11.0, -1.0, 1e300])
def test_a_score_outside_its_judges_scale_is_refused_with_its_line(score: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"judgments\.jsonl line 2: score \S+ lies outside the scale 1 to 10 of judge 'j'"):
        summary(tmp_path, [judgment(), judgment(score)])


@pytest.mark.parametrize(("fields", "who"), [({"judge": "x"}, "judge 'x'"), ({"model": "x"}, "model 'x'")])
def test_judgments_of_another_run_are_refused_and_not_dropped(fields: dict[str, str], who: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"line 2: the judgment is of a {who} that run.json does not name"):
        summary(tmp_path, [judgment(), judgment(**fields)])


def test_the_order_of_judgments_changes_nothing(tmp_path: Path) -> None:
    rows = [j for q in range(1, 9) for j in two_turns(q, q, 10 - q, category="ab"[q % 2])]
    assert summary(tmp_path, rows)[0]["leaderboard"][0]["ci"] == summary(tmp_path, rows[::-1])[0]["leaderboard"][0]["ci"]


@pytest.mark.parametrize(("given", "name"), [("runs/a", "a"), ("runs/a/", "a"), ("runs/a/.", "a"), ("runs/a/b/..", "a")])
def test_a_run_is_called_like_its_folder(given: str, name: str) -> None:
    assert folder_name(Path(given)) == name


def test_the_working_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_name(Path()) == tmp_path.name
