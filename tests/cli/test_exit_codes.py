"""Every way of ending has its exit code (DESIGN.md section 7), on every subcommand."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer
from workbench import KEY, Ended, job, jsonl, questions_file, rated, rows_of

Command = Callable[..., Ended]
SUBCOMMANDS = ("run", "show", "list", "doctor")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), *((name, "--help") for name in SUBCOMMANDS)])
def test_help_says_what_a_command_is_for(judgebench: Command, arguments: tuple[str, ...]) -> None:
    ended = judgebench(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: judgebench")
    assert all(name in ended.out for name in (SUBCOMMANDS if arguments in ((), ("--help",), ("-h",)) else ("--help",)))


def test_version(judgebench: Command) -> None:
    import judgebench as package

    assert judgebench("--version").out == f"judgebench, version {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch",), "nosuch"),
        (("--nosuch",), "--nosuch"),
        (("run", "--nosuch"), "--nosuch"),
        (("run", "mtbench", "--modle", "x"), "--model"),
        (("run",), "mtbench"),
        (("run", "mtbnech"), "did you mean 'mtbench'"),
        (("run", "no/such.jsonl"), "no/such.jsonl"),
        (("run", "mtbench", "--limit", "0"), "--limit"),
        (("run", "mtbench", "--limit", "many"), "--limit"),
        (("run", "mtbench", "--timeout", "nan"), "--timeout"),
        (("run", "mtbench", "--max-cost", "inf"), "--max-cost"),
        (("run", "mtbench", "--max-cost", "-1"), "--max-cost"),
        (("run", "mtbench", "--category", "wriitng"), "writing"),
        (("run", "mtbench", "--model", "openai:"), "names no model"),
        (("run", "mtbench", "--model", "opnai:x"), "did you mean 'openai'"),
        (("run", "mtbench", "--model", "openai/x"), "openrouter:openai/x"),
        (("run", "mtbench", "--model", "openai:gpt-4o-mini"), "export OPENAI_API_KEY="),
        (("run", "mtbench", "--prompt", "nosuch"), "nosuch"),
        (("run", "mtbench", "--env-file", "none.env"), "none.env"),
        (("run", "mtbench", "--config", "none.toml"), "none.toml"),
        (("run", "mtbench", "extra"), "extra"),
        (("show",), "RUNS"),
        (("show", "nothing"), "nothing"),
        (("list",), "benchmarks"),
        (("list", "nosuch"), "nosuch"),
        (("doctor", "nosuch:x"), None),
        (("doctor", "--nosuch"), "--nosuch"),
    ],
)
def test_wrong_input_is_2_with_one_line(judgebench: Command, tmp_path: Path, arguments: tuple[str, ...], said: str | None) -> None:
    ended = judgebench(*arguments)
    assert ended.code == 2
    if said is not None:
        assert ended.out == "" and said in ended.err
        assert len(ended.err.splitlines()) == 1 and ended.err.startswith("judgebench: ")
    assert not list(tmp_path.iterdir()), "wrong input leaves nothing behind"


def test_all_problems_of_all_specs_are_told_at_once(judgebench: Command) -> None:
    ended = judgebench("run", "mtbench", "--model", "openai:a", "--model", "nosuch:b", "--judge", "anthropic:c", "--judge", "recorded:d")
    assert ended.code == 2
    assert len(ended.complaints) == 4 and all(mark in ended.err for mark in ("OPENAI_API_KEY", "nosuch", "ANTHROPIC_API_KEY", "recorded"))


def test_a_server_that_is_down_is_3_with_one_line(judgebench: Command, tmp_path: Path) -> None:
    server = LoopbackServer().start()
    server.stop()
    ended = judgebench(*job(tmp_path, server.spec))
    assert ended.code == 3
    assert len(ended.complaints) == 1 and server.root in ended.err and "Traceback" not in ended.err
    with LoopbackServer(rated, port=server.port) as again:
        assert judgebench(*job(tmp_path, again.spec)).code == 0
        assert again.calls == 6


def test_a_wrong_key_is_2_after_few_calls_and_leaves_no_folder(judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackServer(faults=lambda index: "401") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = judgebench(*job(tmp_path, "openai:fake", n=40), "--concurrency", 4)
    assert ended.code == 2 and server.calls <= 4
    assert len(ended.complaints) == 1 and "check the key" in ended.err
    assert not (tmp_path / "r").exists()


def test_nothing_judged_is_3(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(lambda body: "I would rather not say.") as server:
        ended = judgebench(*job(tmp_path, server.spec), "--reask", 0, "--json")
    assert ended.code == 3
    assert "nothing could be judged" in ended.err and "6 no_verdict" in ended.err
    assert ended.document["runs"][0]["n_failures"] == 6
    assert ended.document["runs"][0]["leaderboard"][0]["score"] is None


def test_failures_are_counted_and_a_complete_run_with_some_is_0(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(lambda body: "No." if "Question 3" in str(body) else rated(body)) as server:
        ended = judgebench(*job(tmp_path, server.spec), "--reask", 0, "--json")
    assert ended.code == 0
    entry = ended.document["runs"][0]
    assert (entry["n_failures"], entry["leaderboard"][0]["n"]) == (1, 5)


def test_a_call_that_could_not_be_made_is_3_and_only_it_is_asked_again(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated, faults={2: "400"}.get) as server:
        first = judgebench(*job(tmp_path, server.spec), "--concurrency", 1)
        assert first.code == 3 and "incomplete" in first.err and server.calls == 6
        failed = [row for row in rows_of(tmp_path / "r" / "judgments.jsonl") if row["failure"]]
        assert [row["failure"] for row in failed] == ["provider_error"]
        second = judgebench(*job(tmp_path, server.spec), "--concurrency", 1)
        assert second.code == 0 and server.calls == 7


def crash(message: str) -> Callable[..., object]:
    def crashed(*arguments: object, **options: object) -> object:
        raise RuntimeError(message)

    return crashed


@pytest.mark.parametrize(
    ("arguments", "patched"),
    [
        (("run", "mtbench", "--limit", "1"), "judgebench.api.execute"),
        (("show", "x"), "judgebench.api.load"),
        (("list", "benchmarks"), "judgebench.resources.names"),
        (("doctor", "mtbench"), "judgebench.doctor.examine"),
        (("doctor",), "judgebench.doctor.environment"),
    ],
)
def test_a_bug_of_ours_is_70_with_one_line_and_a_traceback_without_keys(
    judgebench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], patched: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MINE", "named-by-a-spec-77")
    monkeypatch.setattr("sys.argv", ["judgebench", "run", "http://h/v1?key_env=MINE#x"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(patched, crash(f"sent Bearer {KEY} and named-by-a-spec-77 to http://user:hunter2@host/"))
    ended = judgebench(*arguments)
    assert ended.code == 70
    assert len(ended.err.splitlines()) == 1 and "RuntimeError" in ended.err and KEY not in ended.err
    saved = next(tmp_path.glob("judgebench-*.traceback.txt"))
    assert str(saved) in ended.err
    text = saved.read_text()
    assert "RuntimeError: sent Bearer ***" in text and "in crashed" in text
    assert not any(secret in text for secret in (KEY, "named-by-a-spec-77", "hunter2"))


def test_a_crash_in_another_package_is_70_and_what_was_answered_is_kept(process: Command, tmp_path: Path) -> None:
    package = tmp_path / "site"
    (package / "planted-1.0.dist-info").mkdir(parents=True)
    (package / "planted-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (package / "planted-1.0.dist-info" / "entry_points.txt").write_text("[judgebench.generators]\nplanted = planted:make\n")
    (package / "planted.py").write_text(
        "class Planted:\n    identity, remote = 'planted', True\n"
        "    async def generate(self, request):\n        raise RuntimeError('a planted crash')\n"
        "    async def close(self):\n        pass\n\n"
        "def make(rest, options):\n    return Planted()\n"
    )
    questions = questions_file(tmp_path)
    env = {"PYTHONPATH": str(package), "TMPDIR": str(tmp_path), "OPENAI_API_KEY": KEY}
    ended = process("run", questions, "--model", "planted:x", "--judge", "simulated:noise=0", "--out", "r", env=env)
    assert ended.code == 70
    assert len(ended.complaints) == 1 and "Traceback" not in ended.err
    saved = Path(ended.err.split("saved in ")[1].split(": please")[0])
    assert "a planted crash" in saved.read_text()
    listed = process("list", "generators", env=env)
    assert listed.code == 0 and "planted:" in listed.out


def test_an_endless_input_file_is_2_not_70(judgebench: Command, tmp_path: Path) -> None:
    deep = jsonl(tmp_path / "deep.jsonl", [])
    deep.write_text("[" * 100_000 + "\n")
    ended = judgebench("run", deep)
    assert ended.code == 2 and "deep.jsonl line 1" in ended.err
