"""`judgebench run mtbench`: offline, the same every time, and one JSON document on stdout under --json."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from loopback import LoopbackServer
from workbench import Ended, job, rated

Command = Callable[..., Ended]

FORBIDDEN = """
import socket

def forbidden(*arguments, **options):
    raise PermissionError("a socket was used")

for name in ("connect", "connect_ex", "bind", "sendto", "listen"):
    setattr(socket.socket, name, forbidden)
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = forbidden
"""


def without_sockets(folder: Path) -> dict[str, str]:
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(FORBIDDEN)
    return {"PYTHONPATH": str(folder / "site")}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_example_opens_no_socket_and_is_the_same_again(process: Command, tmp_path: Path) -> None:
    env = without_sockets(tmp_path)
    first = process("run", "mtbench", "--json", env=env)
    assert (first.code, first.err) == (0, "")
    folder = next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    before = contents(folder)
    second = process("run", "mtbench", "--json", env=env)
    assert second.out == first.out
    after = contents(folder)
    for name in ("questions.jsonl", "answers.jsonl", "judgments.jsonl", "summary.json"):
        assert after[name] == before[name]
    runs = [{key: value for key, value in json.loads(which["run.json"]).items() if key not in ("created", "seconds")} for which in (before, after)]
    assert runs[0] == runs[1]
    assert (tmp_path / "runs" / ".gitignore").read_text().splitlines()[-1] == "*"
    assert not (tmp_path / "runs" / "responses.db").exists()


def test_the_ban_on_sockets_bites(process: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        assert process(*job(tmp_path, server.spec), env=without_sockets(tmp_path)).code != 0
    assert server.calls == 0


def test_its_json_is_one_document_with_the_promised_keys(judgebench: Command) -> None:
    ended = judgebench("run", "mtbench", "--json", "--out", "r")
    assert (ended.code, ended.err) == (0, "")
    subprocess.run([sys.executable, "-m", "json.tool"], input=ended.out, text=True, capture_output=True, check=True)
    (entry,) = ended.document["runs"]
    assert (entry["run"], entry["benchmark"], entry["protocol"], entry["judge"]) == ("r", "mtbench", "single", "checks")
    assert entry["n_judgments"] == sum(row["n"] for row in entry["leaderboard"]) and entry["n_failures"] == 0
    scores = [row["score"] for row in entry["leaderboard"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    for row in entry["leaderboard"]:
        assert {"model", "score", "ci", "n", "turn_1", "turn_2", "categories"} <= row.keys()
        assert 1 <= row["ci"][0] <= row["score"] <= row["ci"][1] <= 10
        assert list(row["categories"]) == ["writing", "roleplay", "extraction", "reasoning", "math", "coding", "stem", "humanities"]
        assert all({"score", "ci", "n"} <= cell.keys() for cell in row["categories"].values())
    assert judgebench("show", "r", "--json").document["runs"] == ended.document["runs"]


def test_its_table_names_the_folder_and_how_to_go_on(judgebench: Command, tmp_path: Path) -> None:
    ended = judgebench("run", "mtbench")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[-1].startswith("your own model: judgebench run mtbench --model openai:NAME --judge anthropic:NAME")
    folder = tmp_path / lines[-2].removeprefix("run folder: ")
    assert sorted(path.name for path in folder.iterdir()) == ["answers.jsonl", "judgments.jsonl", "questions.jsonl", "run.json", "summary.json"]
    row = next(line for line in lines if line.startswith("careless"))
    score = json.loads((folder / "summary.json").read_text())["runs"][0]["leaderboard"][2]["score"]
    assert f" {score:.2f} " in row
    assert [line.split()[0] for line in lines if line.split()[0] in ("writing", "humanities")] == ["writing", "humanities"]


def test_a_model_without_a_judge_says_who_judges(judgebench: Command) -> None:
    ended = judgebench("run", "mtbench", "--limit", 8, "--model", "simulated:skill=0.9", "--out", "r")
    assert ended.code == 0
    assert "judge: checks" in ended.err and "--judge openai:NAME" in ended.err


def test_every_json_output_is_one_document_and_stderr_is_quiet(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        for arguments in ((*job(tmp_path, server.spec), "--dry-run"), job(tmp_path, server.spec), ("show", tmp_path / "r"), ("doctor",), ("doctor", server.spec, "mtbench")):
            ended = judgebench(*arguments, "--json")
            assert (ended.code, ended.err) == (0, ""), arguments
            assert isinstance(ended.document, dict)
            assert ended.out.isascii() and ended.out.endswith("}\n")
