"""Whole runs: the same bytes again, run.json, turns without checks, trouble with the disk, memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import LoopbackServer
from workbench import Ended, jsonl, questions_file, rated, rows_of

import judgebench as jb


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in ("questions.jsonl", "answers.jsonl", "judgments.jsonl")}


def test_the_same_run_makes_the_same_bytes_whatever_the_concurrency() -> None:
    def reply(body: dict[str, Any]) -> str:
        return f"Fine.\n\nRating: [[{1 + len(json.dumps(body['messages'])) % 10}]]"

    made = []
    with LoopbackServer(reply) as server:
        for i, concurrency in enumerate((1, 1, 16, None)):
            jb.run("mtbench", judges=[f"j={server.url}#fake"], limit=24, out=f"run{i}", log=f"log{i}.db", concurrency=concurrency)
            made.append(files(f"run{i}"))
        assert server.calls == 4 * 3 * 48
    assert made[1:] == made[:1] * 3
    assert len({json.loads(line)["score"] for line in made[0]["judgments.jsonl"].splitlines()}) > 5


def test_the_same_offline_run_makes_the_same_bytes_in_any_process() -> None:
    models = ["simulated:skill=0.6", "thing=simulated:skill=0.4,seed=9"]
    code = f"import sys, judgebench as jb; jb.run('mtbench', models={models}, judges=['simulated:noise=0.5', 'checks'], limit=16, out=sys.argv[1])"
    for seed in ("0", "1"):
        subprocess.run([sys.executable, "-c", code, f"run{seed}"], env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    assert files("run0") == files("run1")


def test_run_json_holds_what_is_needed_to_run_it_again(judgebench: Any) -> None:
    questions = questions_file(Path(), n=6)
    first = judgebench(
        "run", questions, "--model", "a=simulated:skill=0.6,seed=1", "--model", "simulated:skill=0.4,seed=2",
        "--judge", "simulated:noise=0.3", "--judge", "checks=simulated:noise=0.1", "--limit", "4", "--category", "math", "--samples", "2",
        "--prompt", "single", "--reask", "2", "--seed", "7", "--judge-arg", "temperature=0.5", "--out", "first", "--json",
    )  # fmt: skip
    assert first.code == 0, first.err
    options = json.loads(Path("first/run.json").read_text())["options"]
    want = {"benchmark": str(questions), "limit": 4, "category": ["math"], "prompt": "single", "generator_arg": [], "judge_arg": ["temperature=0.5"],
            "samples": 2, "reask": 2, "seed": 7}  # fmt: skip
    assert {key: options[key] for key in want} == want
    again = judgebench("run", "--config", "first/run.json", "--out", "again", "--json")
    assert again.code == 0, again.err
    assert files("first") == files("again")
    after = json.loads(Path("again/run.json").read_text())["options"]
    assert after == options


def test_run_json_names_versions_hashes_and_the_judges_snapshot() -> None:
    with LoopbackServer(rated) as server:
        run = jb.run(questions_file(Path(), n=3), models={"m": "simulated:skill=0.5"}, judges=[f"j={server.url}#fake"], out="run", log="log.db")
    info = run.info
    assert info["counts"] == {"answers": 3, "judgments": 3, "failures": {}, "turns_without_checks": 0}
    assert (info["protocol"], info["complete"], info["stopped"]) == ("single", True, None)
    assert info["judges"][0]["snapshots"] == ["fake-2026-01-01"]
    assert info["judges"][0]["scale"] == [1, 10]
    assert (info["calls"]["answered"], info["calls"]["prompt_tokens"], info["calls"]["completion_tokens"]) == (3, 300, 60)
    assert info["cost"] == {"usd": None, "usd_known_part": 0, "usd_this_time": 0, "unknown_prices": ["j"]}
    assert len(info["benchmark"]["sha256"]) == len(info["judges"][0]["prompt_sha256"]) == 64
    assert info["versions"]["python"]
    assert info["judgebench"] == jb.__version__


def test_turns_without_checks_are_not_judged_by_checks_and_counted() -> None:
    """No score of 1 and none of 10 for what nobody looked at."""
    checked = [[{"kind": "contains", "all": ["yes"]}]]
    rows = [{"question_id": 1, "category": "c", "turns": ["a?", "b?"], "checks": checked}, {"question_id": 2, "category": "c", "turns": ["a?", "b?"]}]
    answers = [{"question_id": i, "model": "m", "turns": ["yes", "no"]} for i in (1, 2)]
    run = jb.run(jsonl(Path("q.jsonl"), rows), models={"m": f"recorded:{jsonl(Path('a.jsonl'), answers)}"}, judges=["checks", "simulated:noise=0"], out="run")
    assert [(j["question_id"], j["turn"], j["score"]) for j in rows_of(Path("run/judgments.jsonl")) if j["judge"] == "checks"] == [(1, 1, 10)]
    assert run.info["counts"] == {"answers": 2, "judgments": 5, "failures": {}, "turns_without_checks": 3}
    by_judge = {e["judge"]: (e["n_judgments"], e["n_failures"], e["n_turns_without_checks"]) for e in run.summary["runs"]}
    assert by_judge == {"checks": (1, 0, 3), "simulated:noise=0": (4, 0, 3)}
    assert run.leaderboard().judge == "simulated:noise=0", "the checks are no rating: there is no mean, and the rating comes first"


SMALL_FILES = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"


def test_a_disk_that_fills_up_ends_a_run_with_one_line_and_no_folder(process: Callable[..., Ended]) -> None:
    ended = process("run", "mtbench", "--model", "simulated:skill=0.5", "--judge", "simulated:noise=0", "--out", "run", before=SMALL_FILES)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "judgebench: run: cannot be written (File too large); free space or give --out another folder. Responses are kept in the log\n"
    assert not Path("run").exists()


def test_simulated_skill_orders_the_board() -> None:
    models = {f"s{skill}": f"simulated:skill={skill},seed={i}" for i, skill in enumerate((0.2, 0.4, 0.6, 0.8))}
    board = jb.run("mtbench", models=models, judges="simulated:noise=0.3", out="run").leaderboard()
    assert [r["model"] for r in board.rows] == ["s0.8", "s0.6", "s0.4", "s0.2"]
    assert np.all(np.diff([r["score"] for r in board.rows]) < -0.5)


MEMORY = """
import re, sys
import judgebench as jb
jb.run("questions.jsonl", models={"m": "recorded:answers.jsonl"}, judges=["simulated:noise=0.3"], out="run", limit=int(sys.argv[1]))
print(int(re.search("VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc (ru_maxrss would be that of the tests' own process)")
def test_memory_stays_flat_in_the_number_of_questions() -> None:
    """1,000 and 8,000 questions with 2 kB answers: 14 MB more text pass through, and hardly any of it may stay."""
    jsonl(Path("questions.jsonl"), [{"question_id": i, "category": "c", "turns": [f"Question {i}? " + "why " * 100]} for i in range(8000)])
    jsonl(Path("answers.jsonl"), [{"question_id": i, "model": "m", "turns": [f"Answer {i}. " + "because " * 250]} for i in range(8000)])
    peaks = [int(subprocess.run([sys.executable, "-c", MEMORY, str(n)], capture_output=True, text=True, check=True).stdout) for n in (1000, 8000)]
    print(f"peak memory: {peaks[0]} MB for 1,000 questions, {peaks[1]} MB for 8,000")
    assert peaks[1] - peaks[0] < 10
