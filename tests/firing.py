"""What the tests under fire share: a run in a process of its own that can be killed, and what must be left in the end."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopback import LoopbackServer
from workbench import answers_file, command_line, environment, questions_file, run_process

CONCURRENCY = 16


def score_by_text(body: dict[str, Any]) -> str:
    """What a judge says: a rating that depends on all it was asked, so that a mix-up shows. Asked for an answer, it writes one."""
    digest = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
    return f"Sounds {digest}.\n\nRating: [[{1 + int(digest[0], 16) % 10}]]"


@dataclass(frozen=True)
class Job:
    """A run with everything under one folder; `turns` of 2 generates too, else the answers are recorded."""

    folder: Path
    server: LoopbackServer
    n: int = 400
    turns: int = 1
    generated: bool = False
    more: tuple[object, ...] = ("--concurrency", CONCURRENCY)

    @property
    def needed(self) -> int:
        """Calls that an undisturbed run sends."""
        return self.n * self.turns * (2 if self.generated else 1)

    @property
    def log(self) -> Path:
        return self.folder / "log.db"

    def arguments(self, out: str = "r") -> list[object]:
        questions = questions_file(self.folder, self.n, self.turns)
        model = f"m={self.server.spec}" if self.generated else f"m=recorded:{answers_file(self.folder, self.n, self.turns)}"
        where = ("--out", self.folder / out, "--log", self.log)
        return ["run", questions, "--model", model, "--judge", f"j={self.server.spec}", *where, *self.more, "--json"]

    def start(self, out: str = "r", before: str = "") -> "subprocess.Popen[bytes]":
        command = command_line(*self.arguments(out), before=before)
        return subprocess.Popen(command, cwd=self.folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def completed(self, out: str = "r") -> dict[str, bytes]:
        """Run to the end and return `result`."""
        ended = run_process(self.folder, *self.arguments(out))
        assert ended.code == 0, ended.err
        return self.result(out)

    def result(self, out: str = "r") -> dict[str, bytes]:
        """The files and figures that must be the same however a run came to its end."""
        folder = self.folder / out
        board = [{**entry, "run": ""} for entry in json.loads((folder / "summary.json").read_text())["runs"]]
        return {**{name: (folder / name).read_bytes() for name in ("questions.jsonl", "answers.jsonl", "judgments.jsonl")}, "board": json.dumps(board).encode()}

    def run_json(self, out: str = "r") -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / out / "run.json").read_text())
        return document


def committed(log: Path) -> int:
    """Rows in a response log, read from a copy of what a kill left: opening the file itself would mend it."""
    if not log.exists():
        return 0
    with tempfile.TemporaryDirectory() as place:
        for name in (log.name, f"{log.name}-wal"):
            if (log.parent / name).exists():
                shutil.copy(log.parent / name, place)
        with closing(sqlite3.connect(Path(place) / log.name)) as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return 0
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])


def settled(server: LoopbackServer) -> int:
    """Calls so far, once what a killed client had sent has been read."""
    until = time.monotonic() + 5
    while server.in_flight and time.monotonic() < until:
        time.sleep(0.01)
    before = -1
    while before != server.calls:
        before = server.calls
        time.sleep(0.03)
    return before


def undisturbed(folder: Path, n: int, turns: int = 1, *, generated: bool = False) -> dict[str, bytes]:
    """The result of a run that nothing disturbs."""
    folder.mkdir()
    with LoopbackServer(score_by_text) as server:
        job = Job(folder, server, n, turns, generated)
        result = job.completed()
        assert server.calls == server.answered == job.needed
    return result
