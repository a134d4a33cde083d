"""A key is in no file and no output, whatever happens; names and texts from outside stay data."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer, Reply
from workbench import KEY, Ended, answers_file, job, jsonl, questions_file, rated

Command = Callable[..., Ended]
CRASH = "import judgebench.pipeline as p\ndef crash(*a, **k):\n    raise RuntimeError(repr(__import__('os').environ))\np.run_document = p.OrderedStream = crash"


def everywhere(folder: Path, *ended: Ended) -> dict[str, bytes]:
    """All that was written or said."""
    said = {f"output {i}": (one.out + one.err).encode() for i, one in enumerate(ended)}
    return {**{str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}, **said}


@pytest.mark.parametrize("fault", [None, "echo-key", "500", "html", "400-temperature"])
@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_the_key_is_nowhere(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str | None, extra: tuple[str, ...]) -> None:
    monkeypatch.setattr("judgebench.engine.retry.ATTEMPTS", 2)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("FORCE_COLOR", "1")

    def parrot(body: object) -> Reply:
        return Reply(f"Rating: [[7]] {KEY}", model=f"snapshot-{KEY}")  # a proxy that repeats what it was sent

    with LoopbackServer(parrot, faults=lambda index: fault) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = judgebench(*job(tmp_path, "openai:fake", n=3), "--concurrency", 1, *extra)
        told = judgebench("doctor", "openai:fake", *extra)
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}", "the key does travel to its endpoint"
    found = everywhere(tmp_path, ended, told, judgebench("doctor"), judgebench("doctor", "--json"))
    assert ended.code == (0 if fault is None else {"echo-key": 2}.get(fault, ended.code))
    assert not [where for where, raw in found.items() if KEY.encode() in raw]


def test_a_crash_saves_no_key(process: Command, tmp_path: Path) -> None:
    ended = process("run", "mtbench", "--limit", 1, "--json", env={"OPENAI_API_KEY": KEY, "MY_SECRET": "s3cret-of-mine", "TMPDIR": str(tmp_path), "FORCE_COLOR": "1"}, before=CRASH)
    assert ended.code == 70 and list(tmp_path.glob("*.traceback.txt"))
    assert not [where for where, raw in everywhere(tmp_path, ended).items() if KEY.encode() in raw or b"s3cret-of-mine" in raw]


def test_a_url_gets_no_key_unless_one_is_named(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MINE", "my-own-key")
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec, n=1)).code == 0
        assert "authorization" not in server.requests[-1].headers
        assert judgebench(*job(tmp_path, f"{server.url}?key_env=MINE#fake", n=2)).code == 0
        assert server.requests[-1].headers["authorization"] == "Bearer my-own-key"
    ended = judgebench(*job(tmp_path, "http://user:hunter2@127.0.0.1:9/v1#fake"))
    assert ended.code == 2 and "hunter2" not in ended.err


NAMES = [
    "../../evil", "/abs/olute", "org/model:tag", "CON", "x" * 300, "🦊 fox", "a\nb", "\x1b[31mred\x1b[0m", "=cmd()", "..", "<script>alert(1)</script>",
    "\u202eltr", "[bold]x[/bold]",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_stays_inside_the_run_folder_and_off_the_terminal(judgebench: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    questions, answers = questions_file(tmp_path, 2), answers_file(tmp_path, 2)
    before = set(tmp_path.rglob("*"))
    with LoopbackServer(rated) as server:
        ended = judgebench("run", questions, "--model", f"{name}=recorded:{answers}", "--judge", f"{name}={server.spec}", "--out", "in/r", "--log", "in/log.db")
        assert ended.code == 0
        default = judgebench("run", questions, "--model", f"{name}=recorded:{answers}", "--judge", "simulated:noise=0", "--log", "in/log.db")
    assert default.code == 0
    strays = [path for path in tmp_path.rglob("*") if path not in before and (tmp_path / "in") not in path.parents and (tmp_path / "runs") not in path.parents]
    assert strays == [tmp_path / "runs"]
    assert len([path for path in (tmp_path / "runs").iterdir() if path.is_dir()]) == 1
    for one in (ended, default, judgebench("show", "in/r"), judgebench("doctor", "in/r")):
        assert not [c for c in one.out + one.err if not c.isprintable() and c != "\n"]
    shown = judgebench("show", "in/r", "--json").document["runs"][0]
    assert (shown["judge"], shown["leaderboard"][0]["model"]) == (name, name)
    assert "[bold]x[/bold]" in ended.out or name != "[bold]x[/bold]"


def test_hostile_texts_of_a_server_stay_off_the_terminal(judgebench: Command, tmp_path: Path) -> None:
    bell = "\x1b]0;owned\x07\x9b31m\r"
    with LoopbackServer(lambda body: Reply(f"{bell} Rating: [[7]]", model=bell)) as server:
        ended = judgebench(*job(tmp_path, server.spec))
        told = judgebench("doctor", server.spec)
    assert ended.code == told.code == 0
    assert not [c for c in ended.out + ended.err + told.out + told.err if not c.isprintable() and c != "\n"]
    assert "\\x1b]0;owned" in told.out


def test_hostile_files_stay_off_the_terminal(judgebench: Command, tmp_path: Path) -> None:
    jsonl(tmp_path / "q.jsonl", [{"question_id": "\x1b[2J", "category": "\x1b[2J", "turns": 3}])
    for ended in (judgebench("run", "q.jsonl"), judgebench("doctor", "q.jsonl")):
        assert ended.code == 2 and "\x1b" not in ended.out + ended.err
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text(json.dumps({"benchmark": {"name": "\x1b[2J"}, "judges": [{"name": "\x1b[2J"}], "run": "\x1b[2J", "protocol": "single"}))
    (tmp_path / "r" / "judgments.jsonl").write_text("")
    for command in ("show", "doctor"):
        ended = judgebench(command, "r")
        assert "\x1b" not in ended.out + ended.err
