"""Ctrl-C keeps what was answered; a reader that goes away ends a command quietly."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer
from workbench import Ended, command_line, environment, job, rated, rows_of

Command = Callable[..., Ended]


def started(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command_line(*arguments), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def responses(log: Path) -> int:
    connection = sqlite3.connect(log)
    try:
        return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_130_and_the_same_command_asks_only_the_rest(judgebench: Command, tmp_path: Path, signum: signal.Signals) -> None:
    with LoopbackServer(rated, latency=0.05) as server:
        arguments = [*job(tmp_path, server.spec, n=60), "--concurrency", "4"]
        with started(tmp_path, arguments) as running:
            wait_until(lambda: server.answered >= 10)
            running.send_signal(signum)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "Traceback" not in err and [line for line in err.splitlines() if "run the same command again" in line]
        kept, sent = responses(tmp_path / "log.db"), server.calls
        assert 10 - 4 <= kept <= server.answered <= kept + 4
        assert len(rows_of(tmp_path / "r" / "judgments.jsonl")) <= kept
        assert judgebench(*arguments).code == 0
        assert server.calls - sent == 60 - kept
    assert len(rows_of(tmp_path / "r" / "judgments.jsonl")) == 60


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.02])
def test_a_second_interrupt_leaves_at_once(tmp_path: Path, delay: float) -> None:
    with LoopbackServer(rated, faults=lambda index: "silent") as server:
        with started(tmp_path, job(tmp_path, server.spec, n=20)) as running:
            wait_until(lambda: server.calls >= 1)
            running.send_signal(signal.SIGINT)
            time.sleep(delay)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "Traceback" not in err and "interrupted" in err


@pytest.mark.parametrize("arguments", [("show", "r"), ("show", "r", "--json"), ("run", "mtbench", "--out", "r"), ("list", "prompts"), ("doctor",)])
def test_a_reader_that_goes_away_ends_it_quietly(process: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert process("run", "mtbench", "--limit", 8, "--out", "r").code == 0
    reading, writing = os.pipe()
    os.close(reading)  # nobody reads from the start: the hardest case of `| head -1`
    try:
        done = subprocess.run(command_line(*arguments), cwd=tmp_path, env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["show r r r r r r r r", "run mtbench --out r2"])
def test_head_gets_its_line(process: Command, tmp_path: Path, command: str) -> None:
    assert process("run", "mtbench", "--limit", 8, "--out", "r").code == 0
    program = command_line(*command.split())
    with subprocess.Popen(program, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        head = subprocess.run(["head", "-1"], stdin=running.stdout, capture_output=True, text=True, check=True, timeout=120)
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    assert "mtbench, judged by checks" in head.stdout
    assert (running.returncode, said) == (0, b"")
