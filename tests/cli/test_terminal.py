"""Colour only where it is wanted, progress on stderr, any encoding of stdout, and a word about endpoints that are silent."""

import os
import pty
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from loopback import LoopbackServer
from workbench import Ended, answers_file, command_line, environment, job, questions_file, rated

Command = Callable[..., Ended]
QUICK = "import judgebench.cli.progress as p\np.SILENT_SECONDS, p.PLAIN_SECONDS = 0.2, 0.3"
COLOUR = re.compile(r"\x1b\[[\d;]*(?:3[0-7]|9[0-7]|38;)[\d;]*m")


@pytest.mark.parametrize(("env", "escapes"), [({}, False), ({"NO_COLOR": "1"}, False), ({"TERM": "xterm-256color"}, False), ({"FORCE_COLOR": "1"}, True)])
def test_no_escape_code_into_a_pipe_unless_forced(process: Command, env: Mapping[str, str], escapes: bool) -> None:
    ended = process("run", "mtbench", "--limit", 8, "--out", "r", env=env)
    assert ended.code == 0 and "\x1b" not in ended.err
    assert ("\x1b" in ended.out) is escapes


def on_a_terminal(folder: Path, arguments: list[str], env: Mapping[str, str], before: str = "") -> tuple[int, str]:
    """Run with stdout and stderr on a terminal; returns the exit code and all that was shown."""
    mine, its = pty.openpty()
    with subprocess.Popen(command_line(*arguments, before=before), cwd=folder, env=environment({"TERM": "xterm-256color", **env}), stdout=its, stderr=its, stdin=its) as running:
        os.close(its)
        shown = b""
        try:
            while chunk := os.read(mine, 65536):
                shown += chunk
        except OSError:
            pass  # the other side is closed
        code = running.wait(timeout=60)
    os.close(mine)
    return code, shown.decode()


def test_progress_is_live_on_a_terminal_and_plain_in_ci(tmp_path: Path) -> None:
    with LoopbackServer(rated, latency=0.3) as server:
        arguments = [*job(tmp_path, server.spec, n=4), "--concurrency", "1"]
        code, shown = on_a_terminal(tmp_path, arguments, {})
        assert code == 0 and "/4 judgments" in shown and "\x1b[2K" in shown
        code, shown = on_a_terminal(tmp_path, [*arguments, "--fresh"], {"CI": "true", "NO_COLOR": "1"}, before=QUICK)
        assert code == 0 and "/4 judgments" in shown and "\x1b[2K" not in shown and not COLOUR.search(shown)


def test_no_color_means_no_colour_on_a_terminal(tmp_path: Path) -> None:
    with LoopbackServer(rated, latency=0.3) as server:
        code, shown = on_a_terminal(tmp_path, job(tmp_path, server.spec, n=2), {"NO_COLOR": "1"})
    assert code == 0 and "judged by fake" in shown and not COLOUR.search(shown)


def test_progress_lines_go_to_stderr(process: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated, latency=0.4) as server:
        ended = process(*job(tmp_path, server.spec, n=5), "--concurrency", 1, before=QUICK)
    assert ended.code == 0
    lines = [line for line in ended.err.splitlines() if "/5 judgments" in line]
    assert lines and all("calls/s" in line and "tokens" in line for line in lines)
    assert "/5 judgments" not in ended.out


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_silent_endpoint_is_named_once(process: Command, tmp_path: Path, extra: tuple[str, ...]) -> None:
    with LoopbackServer(rated, faults=lambda index: "silent" if index < 2 else None) as server:
        ended = process(*job(tmp_path, server.spec, n=2), "--timeout", 1.5, *extra, before=QUICK)
    assert ended.code == 0
    assert len([line for line in ended.err.splitlines() if "has not answered for 0.2 s" in line]) == 1
    assert not extra or ended.document


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_stdout_will_do(process: Command, tmp_path: Path, encoding: str) -> None:
    questions, answers = questions_file(tmp_path, 2), answers_file(tmp_path, 2)
    env = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    arguments = ("run", questions, "--model", f"ü🦊=recorded:{answers}", "--judge", "simulated:noise=0", "--out", "r")
    for one in (process(*arguments, env=env), process("show", "r", env=env), process("doctor", "r", env=env), process("show", "r", "--json", env=env)):
        assert one.code == 0, one.err


@pytest.mark.parametrize("command", ["list judges", "run mtbench --limit 8 --out r", "show example example example example example example example example --json"])
def test_a_full_disk_behind_stdout_is_2_with_one_line(process: Command, tmp_path: Path, command: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this platform")
    assert process("run", "mtbench", "--limit", 8, "--out", "example").code == 0
    with full.open("wb") as sink:
        done = subprocess.run(command_line(*command.split()), cwd=tmp_path, env=environment(), stdout=sink, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "stdout: cannot be written" in done.stderr


@pytest.mark.parametrize(("closed", "arguments", "code"), [(">&-", "list judges", 0), (">&-", "run mtbench --limit 8 --out r", 0), ("2>&-", "run mtbnech", 2)])
def test_closed_streams_are_no_bug(tmp_path: Path, closed: str, arguments: str, code: int) -> None:
    script = f'"$@" {arguments} {closed}'
    done = subprocess.run(["sh", "-c", script, "sh", *command_line()], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_table_keeps_its_headings_whole(judgebench: Command, tmp_path: Path) -> None:
    questions, answers = questions_file(tmp_path, 2), answers_file(tmp_path, 2)
    ended = judgebench("run", questions, "--model", f"m=recorded:{answers}", "--judge", "simulated:noise=0", "--out", "r")
    assert {"score 1-10, 95 % interval over questions", "by category: score (95 % interval)"} <= set(ended.out.splitlines())
