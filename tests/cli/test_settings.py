"""Flag over JUDGEBENCH_* variable over file over default; --env-file; a run.json repeats its run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import LoopbackServer
from workbench import KEY, Ended, answers_file, job, questions_file, rated, rows_of

Command = Callable[..., Ended]


def planned(judgebench: Command, *arguments: object) -> Any:
    ended = judgebench("run", *arguments, "--dry-run", "--json")
    assert ended.code == 0, ended.err
    return ended.document


def test_flag_over_variable_over_file_over_default(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = questions_file(tmp_path, 2)
    base = (questions, "--model", "simulated:skill=0.5", "--judge", "simulated:noise=0")
    assert planned(judgebench, *base)["judgments"] == 2
    (tmp_path / "judgebench.toml").write_text("[run]\nsamples = 3\n")
    assert planned(judgebench, *base)["judgments"] == 6
    monkeypatch.setenv("JUDGEBENCH_SAMPLES", "4")
    assert planned(judgebench, *base)["judgments"] == 8
    assert planned(judgebench, *base, "--samples", 1)["judgments"] == 2
    monkeypatch.delenv("JUDGEBENCH_SAMPLES")
    (tmp_path / "other.toml").write_text("[run]\nsamples = 5\n")
    assert planned(judgebench, *base, "--config", "other.toml")["judgments"] == 10


def test_a_file_can_name_everything(judgebench: Command, tmp_path: Path) -> None:
    questions_file(tmp_path, 4)
    (tmp_path / "judgebench.toml").write_text(
        '[run]\nbenchmark = "questions.jsonl"\nmodel = ["a=simulated:skill=0.5", "b=simulated:skill=0.9"]\njudge = "simulated:noise=0"\n'
        'category = ["math"]\ngenerator-arg = ["temperature=0"]\nfresh = false\nmax_cost = 2\nlog = "x.db"\n'
    )
    document = planned(judgebench)
    assert (document["benchmark"], document["questions"], document["judgments"]) == ("questions", 2, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nmodle = 'x'\n", "did you mean 'model'"),
        ("[rnu]\nmodel = 'x'\n", "did you mean 'run'"),
        ("samples = 2\n", "put it under [run]"),
        ("run = 2\n", "[run] must be a table"),
        ("generator-arg = ['temperature=0']\n", "put it under [run]"),
        ("[run]\ngenerator_arg = {seed = nan}\n", "generator_arg"),
        ("[run]\nmodel = {a = 1}\n", "model"),
        ("[run]\nsamples = 'many'\n", "samples"),
        ("[run]\nsamples = 2.5\n", "samples"),
        ("[run]\nsamples = true\n", "samples"),
        ("[run]\nsamples = 0\n", "samples"),
        ("[run]\ntimeout = nan\n", "timeout"),
        ("[run]\nfresh = 'yes'\n", "fresh"),
        ("[run\n", "cannot be read"),
        ("[run]\nlog = 5\n", "log: '5' is no text"),
        ("[run]\nlog = ['a']\n", "is no text"),
        ('[run]\nlog = "a\\u0000b"\n', "log: holds a NUL character"),
        ('[run]\nprompt = "\\u0000.toml"\n', "prompt: holds a NUL character"),
        ('[run]\nmodel = ["recorded:\\u0000"]\n', "model: holds a NUL character"),
        ("[run]\nbenchmark = 5\n", "benchmark: '5' is no text"),
        ("x = " + "[" * 20_000, "cannot be read"),
    ],
)
def test_a_wrong_file_is_2_with_one_line(judgebench: Command, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "judgebench.toml").write_text(text)
    ended = judgebench("run", *([] if "benchmark =" in text else ["mtbench"]))
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1 and "judgebench.toml" in ended.err and said in ended.err


def test_a_wrong_variable_is_named(judgebench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_SAMPLES", "many")
    ended = judgebench("run", "mtbench")
    assert ended.code == 2 and "JUDGEBENCH_SAMPLES" in ended.err


def test_a_run_json_repeats_its_run(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = questions_file(tmp_path, 8), answers_file(tmp_path, 8)
    with LoopbackServer(rated) as server:
        first = judgebench(
            "run", questions, "--model", f"one=recorded:{answers}", "--judge", f"j={server.spec}", "--category", "math", "--limit", 3, "--samples", 2, "--reask", 0,
            "--judge-arg", "temperature=0.25", "--seed", 7, "--out", "first", "--log", tmp_path / "log.db", "--json",
        )  # fmt: skip
        assert first.code == 0 and server.calls == 6
        second = judgebench("run", "--config", tmp_path / "first" / "run.json", "--out", "second", "--json")
        assert second.code == 0 and server.calls == 6, "everything comes from the log, so the requests are the same"
        third = judgebench("run", "--config", tmp_path / "first" / "run.json", "--out", "third", "--samples", 3, "--json")
        assert third.code == 0 and server.calls == 9
    assert second.document["runs"][0]["leaderboard"] == first.document["runs"][0]["leaderboard"]
    assert rows_of(tmp_path / "second" / "judgments.jsonl") == rows_of(tmp_path / "first" / "judgments.jsonl")
    assert {r.body["temperature"] for r in server.requests if r.method == "POST"} == {0.25}


def test_a_json_that_is_no_run_is_refused(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"options": []}))
    ended = judgebench("run", "--config", "run.json")
    assert ended.code == 2 and len(ended.complaints) == 1


def test_an_env_file_brings_keys_and_what_is_set_wins(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer(rated) as server:
        (tmp_path / "keys.env").write_text(f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL={server.url}\nexport OTHER='x'\n")
        assert judgebench(*job(tmp_path, "openai:fake", n=1), "--env-file", "keys.env").code == 0
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        monkeypatch.setenv("OPENAI_API_KEY", "sk-set-already")
        assert judgebench(*job(tmp_path, "openai:fake", n=2), "--env-file", "keys.env").code == 0
        assert server.requests[-1].headers["authorization"] == "Bearer sk-set-already"
        assert judgebench("doctor", "openai:fake", "--env-file", "keys.env").code == 0


def test_an_env_file_that_is_no_text_is_2(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "keys.env").write_bytes(b"OPENAI_API_KEY=\xff\xfe\n")
    ended = judgebench("run", "mtbench", "--env-file", "keys.env")
    assert ended.code == 2 and len(ended.complaints) == 1 and "keys.env" in ended.err


def test_the_default_log_stays_out_of_version_control(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = questions_file(tmp_path, 2), answers_file(tmp_path, 2)
    with LoopbackServer(rated) as server:
        assert judgebench("run", questions, "--model", f"m=recorded:{answers}", "--judge", server.spec, "--out", "elsewhere").code == 0
    assert (tmp_path / "runs" / "responses.db").is_file()
    assert (tmp_path / "runs" / ".gitignore").read_text().splitlines()[-1] == "*"
    (tmp_path / "runs" / ".gitignore").write_text("mine\n")
    assert judgebench("run", questions, "--model", f"m=recorded:{answers}", "--judge", "simulated:noise=0").code == 0
    assert (tmp_path / "runs" / ".gitignore").read_text() == "mine\n"
