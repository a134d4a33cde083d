"""What a new user runs into: the wrong file, the wrong word, a table to be read. One line says what to do."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer
from workbench import Ended, answers_file, job, jsonl, questions_file, rated, rows_of

from judgebench.checks import KINDS

Command = Callable[..., Ended]
PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
LOCAL = ("--model", "simulated:skill=0.5", "--judge", "simulated:noise=0")


def only_complaint(ended: Ended, code: int = 2) -> str:
    assert ended.code == code, ended.err
    (line,) = ended.complaints
    return line


def numbered(path: Path, ids: range, **fields: object) -> Path:
    return jsonl(path, [{"question_id": i, "turns": [f"text {i}"], **fields} for i in ids])


# Boards


def test_the_scale_of_the_prompt_stands_in_the_board(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('scale = [0, 4]\nuser = "{{ answer }} Rating: [[2]]"\n')
    with LoopbackServer(lambda body: "No." if "Answer 3" in str(body) else "Rating: [[3]]") as server:
        ended = judgebench(*job(tmp_path, server.spec), "--prompt", "p.toml", "--reask", 0)
    lines = ended.out.splitlines()
    assert lines[0] == "r: questions, judged by fake (6 judgments, 1 without a verdict: 1 no_verdict)"
    assert lines[1] == "score 0-4, 95 % interval over questions" and "if all 0 or 4" in lines[2]


def test_an_interval_of_questions_that_agree_is_marked(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        same = judgebench(*job(tmp_path, server.spec))
    assert re.search(r"to \d\.\d\d\*", same.out) and re.search(r"writing +7\.00 \([\d.]+ to [\d.]+\)\*", same.out)
    assert same.out.count("\n* all questions agree: exact bound for what was not seen\n") == 1
    with LoopbackServer(lambda body: f"Rating: [[{len(str(body['messages'])) % 7 + 1}]]" if "Answer 5" in str(body) else "Rating: [[9]]") as server:
        differing = judgebench(*job(tmp_path, server.spec, out="d"), "--category", "math", "--fresh")
    assert "*" not in differing.out


def test_a_run_without_judgments_has_no_board(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        ended = judgebench(*job(tmp_path, server.spec), "--max-calls", 0)
    assert ended.code == 3 and "r: questions, judged by fake (0 judgments)\nrun folder:" in ended.out
    assert only_complaint(ended, 3).count("again") == 1


def test_the_failures_of_a_board_are_counted_by_kind(judgebench: Command, tmp_path: Path) -> None:
    answers = jsonl(tmp_path / "a.jsonl", [{"question_id": i, "model": "m", "turns": ["" if i < 2 else "x"]} for i in range(6)])
    with LoopbackServer(lambda body: "No." if "Question 3" in str(body) else rated(body)) as server:
        ended = judgebench("run", questions_file(tmp_path), "--model", f"recorded:{answers}", "--judge", server.spec, "--reask", 0, "--out", "r", "--json")
    entry = ended.document["runs"][0]
    assert (entry["n_failures"], entry["failures"]) == (3, {"empty_answer": 2, "no_verdict": 1})


def test_one_is_no_plural(judgebench: Command, tmp_path: Path) -> None:
    ended = judgebench("run", questions_file(tmp_path, 1), *LOCAL, "--dry-run")
    assert ended.out.startswith("questions: 1 question, 1 turn, 1 judgment\n")


# show


def test_by_category_is_what_show_does_anyway(judgebench: Command) -> None:
    assert judgebench("run", "mtbench", "--limit", 8, "--out", "r").code == 0
    plain, by = judgebench("show", "r"), judgebench("show", "r", "--by", "category")
    assert (by.code, by.out) == (0, plain.out) and "by category" in by.out
    assert judgebench("show", "r", "--by", "turn").code == 2


def test_show_leaves_out_the_files_of_a_glob(judgebench: Command, tmp_path: Path) -> None:
    assert judgebench("run", "mtbench", "--limit", 1, "--out", "runs/a").code == 0
    (tmp_path / "runs" / "responses.db").write_text("x")
    ended = judgebench("show", "runs/a", "runs/responses.db", "--json")
    assert ended.code == 0 and len(ended.document["runs"]) == 1
    assert "runs/responses.db" in ended.err and not ended.complaints
    assert "runs/responses.db" in only_complaint(judgebench("show", "runs/responses.db"))


def test_runs_that_can_be_compared_have_one_table(judgebench: Command, tmp_path: Path) -> None:
    questions = questions_file(tmp_path, 4)
    for run, skill in (("low", 0.1), ("high", 0.9)):
        assert judgebench("run", questions, "--model", f"{run}=simulated:skill={skill}", "--judge", "j=simulated:noise=0", "--out", f"run-{run}").code == 0
    assert judgebench("run", "mtbench", "--limit", 8, "--out", "other").code == 0
    out = judgebench("show", "run-low", "run-high", "other").out.splitlines()
    assert out[0] == "questions, judged by j: 2 runs"
    assert [line.split()[:2] for line in out[1:4]] == [["model", "run"], ["high", "run-high"], ["low", "run-low"]]
    assert sum("runs" in line for line in out if line.startswith("mtbench")) == 0
    assert judgebench("run", questions, *LOCAL[:2], "--judge", "j=simulated:noise=0", "--limit", 2, "--out", "fewer").code == 0
    assert judgebench("show", "run-low", "fewer").out.startswith("questions, judged by j: 2 runs (not all of the same questions)\n")


# Recorded answers and files


def test_the_list_of_specs_keeps_its_lines(judgebench: Command) -> None:
    lines = judgebench("run", "--help").out.splitlines()
    at = lines.index("  SPEC of a model or judge:")
    assert lines[at + 1].startswith("    openai:NAME") and lines[at + 2].startswith("    recorded:FILE") and lines[at + 3].startswith("  Judges may also be:")
    assert not any("\\b" in line for line in lines)


def test_answers_to_other_questions_are_told_at_once(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = numbered(tmp_path / "q.jsonl", range(1, 5)), numbered(tmp_path / "a.jsonl", range(81, 85), model="m")
    with LoopbackServer(rated) as server:
        said = only_complaint(judgebench("run", questions, "--model", f"recorded:{answers}", "--judge", server.spec))
        assert not server.requests
    assert said.endswith("a.jsonl: answers questions 81-84, and q has 1-4: give their own questions file as the benchmark")


def test_missing_answers_are_told_before_and_what_to_mend_after(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = numbered(tmp_path / "q.jsonl", range(1, 5)), numbered(tmp_path / "a.jsonl", range(1, 3), model="m")
    with LoopbackServer(rated) as server:
        ended = judgebench("run", questions, "--model", f"recorded:{answers}", "--judge", server.spec)
    assert "a.jsonl: 2 of 4 questions have no answer\n" in ended.err
    said = only_complaint(ended, 3)
    assert "no answer to question 3 (2 judgments in all); complete the recorded answers" in said and "again" not in said


def test_a_call_that_failed_beside_missing_answers_can_be_resumed(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = numbered(tmp_path / "q.jsonl", range(1, 5)), numbered(tmp_path / "a.jsonl", range(1, 4), model="m")
    with LoopbackServer(rated, faults={0: "400"}.get) as server:
        ended = judgebench("run", questions, "--model", f"recorded:{answers}", "--judge", server.spec)
    assert "run the same command again" in only_complaint(ended, 3)


def test_questions_are_no_answers(judgebench: Command, tmp_path: Path) -> None:
    questions = questions_file(tmp_path)
    assert "questions.jsonl line 1: holds questions, not answers" in only_complaint(judgebench("run", questions, "--model", f"recorded:{questions}", *LOCAL[2:]))
    with_names = numbered(tmp_path / "a.jsonl", range(6), category="math", model_id="m")
    assert judgebench("run", questions, "--model", f"recorded:{with_names}", *LOCAL[2:]).code == 0


@pytest.mark.parametrize("arguments", [("run", "x.jsonl"), ("run", "mtbench", "--model", "recorded:x.jsonl")])
def test_a_compressed_file_is_named_as_such(judgebench: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "x.jsonl").write_bytes(gzip.compress(b'{"question_id": 1, "turns": ["x"]}\n'))
    assert only_complaint(judgebench(*arguments)) == "judgebench: x.jsonl: is gzip-compressed; gunzip it first"
    assert "gunzip it first" in judgebench("doctor", "x.jsonl").out


def test_a_bad_line_points_to_doctor_for_the_others(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("{}\n[]\n")
    assert only_complaint(judgebench("run", "q.jsonl")).endswith("(every such line: judgebench doctor q.jsonl)")


def test_a_far_host_that_cannot_be_reached_is_not_the_users_to_start(judgebench: Command, tmp_path: Path) -> None:
    said = only_complaint(judgebench(*job(tmp_path, "http://no-such-host.invalid/v1#m")), 3)
    assert "check the network or proxy" in said and "start the server" not in said and said.count("run the same command again") == 1
    with LoopbackServer() as server:
        pass
    said = only_complaint(judgebench(*job(tmp_path, server.spec)), 3)
    assert "start the server" in said and said.count("run the same command again") == 1


# The nearest word

MEANT = [
    (("rum", "mtbench"), "did you mean 'run'?"),
    (("run", "mtbench", "--judge", "cheks"), "did you mean 'checks'?"),
    (("run", "mtbench", "--category", "math,coding"), "repeat --category for several: --category math --category coding"),
    (("run", "mtbench", "--model", "localhost:8123"), "write http://localhost:8123/v1#NAME"),
    (("run", "mtbench", "--model", "127.0.0.1:8123/v1#mine"), "write http://127.0.0.1:8123/v1#mine"),
    (("run", "mtbench", "--prompt", "singel"), "single-reference-later"),
]


@pytest.mark.parametrize(("arguments", "said"), MEANT)
def test_what_was_meant_is_said(judgebench: Command, arguments: tuple[str, ...], said: str) -> None:
    assert said in only_complaint(judgebench(*arguments))


def test_a_category_is_found_in_any_case(judgebench: Command, tmp_path: Path) -> None:
    assert judgebench("run", "mtbench", "--category", "Math", "--dry-run", "--json").document["questions"] == 10
    rows = [{"question_id": i, "category": name, "turns": ["x"]} for i, name in enumerate(("Math", "math", "STEM"))]
    questions = jsonl(tmp_path / "q.jsonl", rows)
    assert judgebench("run", questions, *LOCAL, "--category", "math", "--dry-run", "--json").document["questions"] == 1
    assert "'Math' or 'math'" in only_complaint(judgebench("run", questions, *LOCAL, "--category", "MATH"))


def test_a_prompt_that_nobody_reads_is_noted(judgebench: Command, tmp_path: Path) -> None:
    assert "--prompt single: has no effect" in judgebench("run", questions_file(tmp_path), *LOCAL, "--prompt", "single", "--dry-run").err
    with LoopbackServer(rated) as server:
        assert "no effect" not in judgebench(*job(tmp_path, server.spec), "--prompt", "single", "--dry-run").err


# Settings


def test_arguments_may_be_a_table_and_a_runs_folder_a_configuration(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "judgebench.toml").write_text('[run]\njudge_arg = {temperature = 0.25, stop = ["x"], logprobs = true}\n')
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec)).code == 0
        body = server.requests[-1].body
        assert (body["temperature"], body["stop"], body["logprobs"]) == (0.25, ["x"], True)
        (tmp_path / "judgebench.toml").unlink()
        assert judgebench("run", "--config", "r", "--out", "again").code == 0
        assert server.calls == 6, "the same requests, so all from the log"
    assert rows_of(tmp_path / "r" / "judgments.jsonl") == rows_of(tmp_path / "again" / "judgments.jsonl")
    assert "run.json" in only_complaint(judgebench("run", "--config", tmp_path))


# list and doctor


def test_the_kinds_of_check_are_listed_with_the_examples_of_their_page(judgebench: Command) -> None:
    ended = judgebench("list", "checks")
    lines = ended.out.splitlines()
    examples = dict(re.findall(r"^### (\w+)\n.*?^```json\n(.*?)\n```$", PAGE.read_text(encoding="utf-8"), re.S | re.M))
    assert [line.split()[0] for line in lines] == list(KINDS) == list(dict.fromkeys(KINDS))
    assert all(line.endswith(f". {examples[kind]}") for kind, line in zip(KINDS, lines, strict=True))


def test_an_unknown_check_names_the_list(judgebench: Command, tmp_path: Path) -> None:
    for check in ({"kind": "nmber", "value": 1}, {"kind": "number", "valeu": 1}):
        numbered(tmp_path / "q.jsonl", range(1), checks=[[check]])
        assert "judgebench list checks" in only_complaint(judgebench("run", "q.jsonl"))


def test_mtbench_says_whose_questions_it_asks(judgebench: Command) -> None:
    assert "do not compare with published MT-Bench" in judgebench("list", "benchmarks").out


def test_a_killed_run_is_an_unfinished_one(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "r" / ".partial-abc").mkdir(parents=True)
    (tmp_path / "r" / ".partial-abc" / "judgments.jsonl").write_text("")
    ended = judgebench("doctor", "r")
    assert ended.code == 2 and ended.out.startswith("r: run, not ok\n") and "has not finished" in ended.out
    assert "has not finished" in only_complaint(judgebench("show", "r"))


def test_a_prompt_without_the_form_of_a_verdict_is_warned_of(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('user = "{{ answer }}: good?"\n')
    found = judgebench("doctor", "p.toml", "--json").document["checked"][0]
    assert found["ok"] and "Rating: [[" in found["warnings"][0]
    assert "warning: p.toml" in judgebench("doctor", "p.toml").out
    (tmp_path / "p.toml").write_text('user = "{{ answer }} Rating: [[5]]"\n')
    assert judgebench("doctor", "p.toml", "--json").document["checked"][0]["warnings"] == []


def test_turns_without_checks_are_counted(judgebench: Command, tmp_path: Path) -> None:
    checks = [[{"kind": "exact", "values": ["x"]}]]
    jsonl(tmp_path / "q.jsonl", [{"question_id": 1, "turns": ["a", "b"], "checks": checks}, {"question_id": 2, "turns": ["a"]}])
    assert json.loads(judgebench("doctor", "q.jsonl", "--json").out)["checked"][0]["facts"]["turns without checks"] == 2
    assert answers_file(tmp_path).is_file() and "turns without checks" not in judgebench("doctor", "answers.jsonl").out
