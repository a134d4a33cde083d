"""`run RUN`: the recorded answers of a finished run are judged again, under the same settings, and nothing is generated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback import LoopbackServer

import judgebench as jb

QUESTIONS = [
    {"question_id": 1, "category": "zoo", "turns": ["Name a bird.", "And its egg?"], "references": ["Any bird.", "Its egg."]},
    {"question_id": "b", "category": "math", "turns": ["1+1?"], "references": ["2"]},
    {"question_id": 3, "category": "zoo", "turns": ["Name a fish."], "references": ["Any fish."]},
]


def benchmark_folder(where: Path) -> Path:
    folder = where / "birds"
    folder.mkdir()
    (folder / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in QUESTIONS))
    (folder / "benchmark.toml").write_text('reference_categories = ["zoo"]\n[sampling]\ntemperature = 0.3\nmax_tokens = 77\n')
    return folder


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> jb.Run:
    monkeypatch.chdir(tmp_path)
    with LoopbackServer(lambda body: "Rating: [[6]]") as server:
        return jb.run(benchmark_folder(tmp_path), models={"m#1": f"{server.url}#fake"}, judges=[f"j={server.url}#fake"], out="first", log="log.db")


def test_the_same_settings_prompts_and_hash_hold_for_the_second_judge(finished: jb.Run) -> None:
    with LoopbackServer(lambda body: "Rating: [[9]]") as server:
        again = jb.run(finished.folder, judges=[f"k={server.url}#fake"], out="second", log="log.db")
        assert server.calls == 4, "one call per turn to the judge, none to the model"
    assert again.info["benchmark"]["settings"] == finished.info["benchmark"]["settings"]
    assert again.info["benchmark"]["sha256"] == finished.info["benchmark"]["sha256"]
    assert again.info["benchmark"]["name"] == "birds"
    for column in ("question_id", "turn", "model", "prompt"):
        assert list(again.judgments[column]) == list(finished.judgments[column])
    assert [(r["model"], r["score"]) for r in again.leaderboard().rows] == [("m#1", 9.0)]
    assert again.info["models"][0]["snapshots"] == finished.info["models"][0]["snapshots"]


def test_a_changed_question_is_another_benchmark(finished: jb.Run) -> None:
    path = finished.folder / "questions.jsonl"
    path.write_text(path.read_text().replace("Name a bird", "Name a beetle"))
    again = jb.run(finished.folder, judges=["simulated:noise=0"], out="second", log="log.db")
    assert again.info["benchmark"]["sha256"] != finished.info["benchmark"]["sha256"]


def test_a_part_of_a_benchmark_has_a_hash_of_its_own_which_its_copy_shares(finished: jb.Run, tmp_path: Path) -> None:
    part = jb.run(tmp_path / "birds", models=["simulated:skill=0.5"], judges=["simulated:noise=0"], categories=["zoo"], out="part", log="log.db")
    assert part.info["benchmark"]["sha256"] != finished.info["benchmark"]["sha256"]
    again = jb.run(part.folder, judges=["simulated:noise=0,seed=2"], out="again", log="log.db")
    assert again.info["benchmark"]["sha256"] == part.info["benchmark"]["sha256"]


def test_a_run_is_not_overwritten_by_its_own_second_judgment(finished: jb.Run) -> None:
    before = (finished.folder / "judgments.jsonl").read_bytes()
    with pytest.raises(jb.InputError, match="give --out another folder"):
        jb.run(finished.folder, judges=["simulated:noise=0"], out=finished.folder, log="log.db")
    assert (finished.folder / "judgments.jsonl").read_bytes() == before


def test_an_answer_that_failed_keeps_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with LoopbackServer(faults=lambda k: "400" if k == 0 else None) as server:
        first = jb.run(benchmark_folder(tmp_path), models={"m": f"{server.url}#fake"}, judges=["simulated:noise=0"], out="first", log="log.db", concurrency=1)
    again = jb.run(first.folder, judges=["simulated:noise=0,seed=1"], out="second", log="log.db")
    details = [set(run.judgments.query("failure == 'provider_error'")["detail"]) for run in (first, again)]
    assert details[0] == details[1] != set()


def test_a_finished_run_is_not_replaced_by_one_that_leaves_something_out(finished: jb.Run, tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    jb.run(folder, models=["a=simulated:seed=1", "b=simulated:seed=2"], judges=["j=simulated:noise=0"], out="two", log="log.db")
    with pytest.raises(jb.InputError, match="finished run with b, which this one leaves out"):
        jb.run(folder, models=["a=simulated:seed=1"], judges=["j=simulated:noise=0"], out="two", log="log.db")
    with pytest.raises(jb.InputError, match="finished run with 3 questions, and this one has 1"):
        jb.run(folder, models=["a=simulated:seed=1", "b=simulated:seed=2"], judges=["j=simulated:noise=0"], out="two", log="log.db", limit=1)
    grown = jb.run(folder, models=["a=simulated:seed=1", "b=simulated:seed=2", "c=simulated:seed=3"], judges=["j=simulated:noise=0"], out="two", log="log.db")
    assert len(grown.leaderboard().rows) == 3
