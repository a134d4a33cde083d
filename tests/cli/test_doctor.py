"""`judgebench doctor`: this machine, one tiny call per model, and what a file is, with all its bad rows."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer, Reply, rejects_parameter
from workbench import KEY, Ended, answers_file, job, jsonl, questions_file, rated

from judgebench.arguments import Arguments
from judgebench.doctor.environment import key_variables
from judgebench.providers import PROVIDERS
from judgebench.specs import resolve

Command = Callable[..., Ended]
MTBENCH = Path(__file__).parents[2] / "benchmarks" / "mtbench"
PROMPTS = MTBENCH.parents[1] / "prompts"


def only(judgebench: Command, *arguments: object, code: int = 0) -> dict[str, object]:
    """The one diagnosis of an argument, told in the same words as text."""
    ended = judgebench("doctor", *arguments, "--json")
    assert ended.code == code, ended.out + ended.err
    (found,) = ended.document["checked"]
    assert found["ok"] is (code == 0) and found["exit_code"] == code
    assert bool(found["problems"]) is (code != 0)
    told = judgebench("doctor", *arguments)
    assert told.code == code and f": {found['kind']}, {'ok' if code == 0 else 'not ok'}" in told.out
    return dict(found)


def test_without_arguments_it_tells_of_the_machine(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GROQ_API_KEY", " ")
    monkeypatch.setenv("https_proxy", "http://user:hunter2@proxy:3128")
    here = judgebench("doctor", "--json").document["environment"]
    assert here["sqlite"] == sqlite3.sqlite_version and here["sqlite_bug"] is (sqlite3.sqlite_version_info < (3, 51, 3))
    assert (here["keys"], here["proxies"], here["log"]) == (["OPENAI_API_KEY"], ["https_proxy"], None)
    assert here["packages"]["aiohttp"] and "vllm" in here["packages"]
    told = judgebench("doctor")
    assert told.code == 0 and "keys set: OPENAI_API_KEY" in told.out
    assert ("worked around" in told.out) is here["sqlite_bug"]
    assert KEY not in told.out and "hunter2" not in told.out


def test_it_knows_every_variable_whose_key_is_missed() -> None:
    remote = sorted(set(PROVIDERS) - {"recorded", "simulated", "http", "https"})
    missed = " ".join(str(resolve(f"{prefix}:m", Arguments(), {}).missing_key) for prefix in remote)
    keys = set(re.findall(r"export (\w+_API_KEY)=", missed))
    assert {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "GROQ_API_KEY"} <= keys <= set(key_variables())


def test_it_counts_what_the_default_log_holds(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated, faults={0: "400"}.get) as server:
        questions, answers = questions_file(tmp_path, 5), answers_file(tmp_path, 5)
        assert judgebench("run", questions, "--model", f"m=recorded:{answers}", "--judge", server.spec).code == 3
    log = judgebench("doctor", "--json").document["environment"]["log"]
    assert log == {"path": "runs/responses.db", "journal": "wal", "responses": 4, "failures": 1}
    assert "4 responses, 1 failed request" in judgebench("doctor").out
    assert sorted(path.name for path in (tmp_path / "runs").glob("responses*")) == ["responses.db", "responses.db-lock"], "looking leaves nothing behind"


def test_a_default_log_that_is_none_is_2(judgebench: Command, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "responses.db").write_bytes(b"no database at all, only text")
    ended = judgebench("doctor")
    assert ended.code == 2 and "responses.db" in ended.err


def test_a_model_gets_one_tiny_call_that_is_not_logged(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackServer(lambda body: Reply("ok", model="fake-snapshot")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = judgebench("doctor", "openai:fake", "--json")
        assert server.calls == 1
        body = server.requests[-1].body
    assert ended.code == 0
    assert body["messages"] == [{"role": "user", "content": "Reply with the word ok."}] and body["max_tokens"] == 16
    facts = ended.document["checked"][0]["facts"]
    assert (facts["key"], facts["port"], facts["reply"], facts["snapshot"], facts["refused"]) == ("set", "open", "ok", "fake-snapshot", [])
    assert facts["seconds"] >= 0 and facts["url"] == server.url
    assert not list(tmp_path.iterdir())


def test_it_names_the_parameters_that_a_model_refuses(judgebench: Command) -> None:
    with LoopbackServer(rejects_parameter("temperature", rejects_parameter("max_tokens"))) as server:
        found = only(judgebench, server.spec)
    refused = " ".join(found["facts"]["refused"])  # type: ignore[index]
    assert "temperature" in refused and "max_completion_tokens" in refused


def test_a_missing_key_has_its_export_line(judgebench: Command) -> None:
    found = only(judgebench, "anthropic:claude", code=2)
    assert "export ANTHROPIC_API_KEY=" in str(found["problems"]) and found["facts"]["key"] == "missing"  # type: ignore[index]


FAILED_CALLS = [("401", 2, "check the key"), ("404", 2, "model name"), ("500", 3, "500"), ("429", 3, "429"), ("silent", 3, "within"), ("drop", 3, "dropped")]


@pytest.mark.parametrize(("fault", "code", "said"), FAILED_CALLS)
def test_what_a_failed_call_means(judgebench: Command, fault: str, code: int, said: str) -> None:
    with LoopbackServer(faults=lambda index: fault) as server:
        found = only(judgebench, server.spec, "--timeout", 0.3, code=code)
    assert said in str(found["problems"]) and server.url in str(found["facts"])


def test_a_closed_port_is_3_and_wrong_input_beside_it_2(judgebench: Command) -> None:
    server = LoopbackServer().start()
    server.stop()
    found = only(judgebench, server.spec, code=3)
    assert found["facts"]["port"] == "closed"  # type: ignore[index]
    both = judgebench("doctor", server.spec, "nosuch:x", "checks")
    assert both.code == 2 and "checks: judge, ok" in both.out


def test_a_silent_endpoint_is_named(process: Command) -> None:
    with LoopbackServer(faults=lambda index: "silent") as server:
        ended = process("doctor", server.spec, "--timeout", 0.6, before="import judgebench.doctor.models as m\nm.SILENT_SECONDS = 0.1")
    assert ended.code == 3 and f"{server.url} has not answered yet" in ended.err


LOCAL = [
    ("checks", "judge"), ("simulated:noise=0.1", "judge"), ("simulated:skill=0.4", "model"), ("x=simulated:skill=0.4", "model"),
    (f"recorded:{MTBENCH}/example/terse.jsonl", "model"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "kind"), LOCAL)
def test_what_needs_no_network_is_ok(judgebench: Command, spec: str, kind: str) -> None:
    assert only(judgebench, spec)["kind"] == kind


NOTHING = [
    ("mtbnech", "'mtbench'"), ("no/such/file.jsonl", "no such file"), ("opnai:x", "openai"), ("openai/x", "openrouter"), ("", "empty"), ("a\x00b", "names no provider"),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "said"), NOTHING)
def test_what_is_nothing_is_2_with_the_nearest(judgebench: Command, argument: str, said: str) -> None:
    assert said in str(only(judgebench, argument, code=2)["problems"])


def test_a_good_file_of_each_kind(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec)).code == 0
    (tmp_path / "my.toml").write_text("[run]\nsamples = 2\n")
    jsonl(tmp_path / "prompts.jsonl", [{"name": "p", "type": "single", "prompt_template": "{question}"}, {"name": "pp", "type": "pairwise", "prompt_template": "{answer_a}"}])
    jsonl(tmp_path / "model_answer.jsonl", [{"question_id": 1, "model_id": "m", "choices": [{"index": 0, "turns": ["x"]}]}])
    expected = {
        "questions.jsonl": ("questions", 6, "judgebench run questions.jsonl"), "answers.jsonl": ("answers", 6, "recorded:answers.jsonl"),
        "model_answer.jsonl": ("answers", 1, "recorded:model_answer.jsonl"), "prompts.jsonl": ("judge prompts", 2, "--prompt 'prompts.jsonl#p'"),
        "r/judgments.jsonl": ("judgments", 6, "judgebench show r"), "r/answers.jsonl": ("answers", 6, "recorded:r/answers.jsonl"),
    }  # fmt: skip
    for name, (kind, rows, command) in expected.items():
        found = only(judgebench, name)
        assert (found["kind"], found["facts"]["rows"]) == (kind, rows), name  # type: ignore[index]
        assert command in " ".join(found["commands"]), name  # type: ignore[arg-type]
    others = {"my.toml": "configuration", "log.db": "response log", str(MTBENCH / "benchmark.toml"): "benchmark settings", str(PROMPTS / "single.toml"): "judge prompt"}
    for name, kind in others.items():
        found = only(judgebench, name)
        assert found["kind"] == kind and found["commands"], name
    assert only(judgebench, "log.db")["facts"] == {"journal": "wal", "responses": 6, "failed requests": 0}


def test_all_bad_rows_are_told_with_their_lines(judgebench: Command, tmp_path: Path) -> None:
    good = '{"question_id": %d, "category": "c", "turns": ["x"]}\n'
    lines = [good % 1, "\n", "{oops\n", good % 2, good % 1, '{"question_id": 3, "turns": []}\n', "[1]\n", '{"question_id": 4, "turns": ["\\ud800"]}\n', good % 5]
    (tmp_path / "q.jsonl").write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode() + b'{"question_id": 6, "turns": ["\xff"]}\r\n')
    found = only(judgebench, "q.jsonl", code=2)
    assert found["kind"] == "questions" and found["n_bad_rows"] == 6
    assert [row["line"] for row in found["bad_rows"]] == [3, 5, 6, 7, 8, 10]  # type: ignore[attr-defined]
    told = judgebench("doctor", "q.jsonl").out
    assert "line 5: question_id 1 stands on line 1 already" in told and "line 3: not valid JSON" in told


def test_no_more_than_20_bad_rows_are_told_and_the_rest_counted(judgebench: Command, tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", [{"question_id": 1, "model": "m", "turns": ["x"]}, *({"question_id": i, "model": "m", "turns": 3} for i in range(2, 33))])
    found = only(judgebench, "a.jsonl", code=2)
    assert found["kind"] == "answers" and found["n_bad_rows"] == 31 and len(found["bad_rows"]) == 20  # type: ignore[arg-type]
    assert "and 11 more" in judgebench("doctor", "a.jsonl").out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b"", "empty"), ("x.jsonl", b"\n \n", "empty"), ("x.jsonl", b'{"a": 1}\n', "neither questions"), ("x.png", b"\x89PNG\r\n\x1a\n", "neither questions"),
        ("x.toml", b"[run", "not valid TOML"), ("x.toml", b"[run]\nmodle = 1\n", "did you mean 'model'"), ("x.toml", b"user = 3\n", "user"),
        ("x.toml", b'user = "{{ nosuch }}"\n', "nosuch"), ("x.db", b"SQLite format 3\x00" + b"\xff" * 200, "x.db"),
        ("x.jsonl", b'{"name": "p"}\n{"name": "p", "prompt_template": "x"}\n', "1 of 2 rows"),
        ("x.jsonl", b'{"judge": "j", "score": 3, "failure": "refused"}\n', "1 of 1 rows"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(judgebench: Command, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in str(only(judgebench, name, code=2)["problems"])


def test_another_programs_database_is_no_log(judgebench: Command, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert "not a response log" in str(only(judgebench, "x.db", code=2)["problems"])


def test_benchmarks_by_name_and_folder(judgebench: Command, tmp_path: Path) -> None:
    for argument in ("mtbench", str(MTBENCH)):
        facts = only(judgebench, argument)["facts"]
        assert (facts["questions"], facts["turns"]) == (80, 160)  # type: ignore[index]
    (tmp_path / "mine").mkdir()
    assert "questions.jsonl" in str(only(judgebench, "mine", code=2)["problems"])
    (tmp_path / "mine" / "questions.jsonl").write_text("{\n[\n")
    assert only(judgebench, "mine", code=2)["n_bad_rows"] == 2


def test_a_run_folder_complete_incomplete_and_broken(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec), "--max-calls", 2).code == 3
        facts = only(judgebench, "r")["facts"]
        assert facts["complete"] is False and "--max-calls 2" in str(facts["stopped"])  # type: ignore[index]
        assert judgebench(*job(tmp_path, server.spec)).code == 0
    found = only(judgebench, "r")
    assert found["facts"] | {"judgments": 6, "answers": 6, "questions": 6, "complete": True, "judges": ["fake"]} == found["facts"]  # type: ignore[operator]
    assert found["commands"] == ["judgebench show r"]
    assert only(judgebench, "r/run.json")["kind"] == "run"
    judgments = tmp_path / "r" / "judgments.jsonl"
    whole = judgments.read_text()
    judgments.write_text("".join(whole.splitlines(keepends=True)[:4]))
    assert "holds 4 rows, and run.json says 6" in str(only(judgebench, "r", code=2)["problems"])
    judgments.write_text(whole + "{\n")
    assert [row["line"] for row in only(judgebench, "r", code=2)["bad_rows"]] == [7]  # type: ignore[attr-defined]
    (tmp_path / "r" / "run.json").unlink()
    assert "has not finished" in str(only(judgebench, "r", code=2)["problems"])


def test_a_read_only_log_can_be_read(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec)).code == 0
    (tmp_path / "log.db").chmod(0o400)
    assert only(judgebench, "log.db")["facts"]["responses"] == 6  # type: ignore[index]


def test_its_json_names_no_secret_variables_value(judgebench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in key_variables():
        monkeypatch.setenv(name, f"value-of-{name}")
    document = json.dumps(judgebench("doctor", "--json").document)
    assert "value-of-" not in document and all(name in document for name in key_variables())
