"""What the tests of commands share: small files, a clean environment, and ways to run a command line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-planted-0123456789abcdef"
_OURS = ("JUDGEBENCH_REFERENCE", "JUDGEBENCH_CORPUS")
_DROPPED = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OPENAI_API_TYPE", "AZURE_OPENAI_ENDPOINT")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def complaints(self) -> list[str]:
        """The lines of stderr that say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("judgebench: ")]


def clean_environment(before: Mapping[str, str]) -> dict[str, str]:
    """The variables that a test may see: none that changes what judgebench does."""

    def stays(name: str) -> bool:
        upper = name.upper()
        return name in _OURS or not (upper.startswith("JUDGEBENCH_") or upper in _DROPPED or upper.endswith(("_API_KEY", "_PROXY", "_TOKEN")))

    return {name: value for name, value in before.items() if stays(name)}


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """A command line in this process."""
    from judgebench.cli.main import exit_code

    capsys.readouterr()
    code = exit_code([str(a) for a in arguments])
    said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def command_line(*arguments: object, before: str = "") -> list[str]:
    """What starts judgebench in a process of its own. SIGINT interrupts it even where the tests run with it ignored."""
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv[0] = 'judgebench'"
    return [sys.executable, "-c", f"{start}\n{before}\nfrom judgebench.cli import main\nmain()", *map(str, arguments)]


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of such a process."""
    return {**os.environ, "PYTHONUTF8": "1", **(env or {})}


def run_process(folder: Path, *arguments: object, env: Mapping[str, str] | None = None, before: str = "", timeout: float = 120) -> Ended:
    """A command line in a process of its own."""
    done = subprocess.run(command_line(*arguments, before=before), cwd=folder, env=environment(env), capture_output=True, timeout=timeout, check=False)
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def questions_file(folder: Path, n: int = 6, turns: int = 1, name: str = "questions.jsonl") -> Path:
    """n questions without checks, in two categories."""
    rows = [{"question_id": i, "category": ("writing", "math")[i % 2], "turns": [f"Question {i}, turn {t}?" for t in range(turns)]} for i in range(n)]
    return jsonl(folder / name, rows)


def answers_file(folder: Path, n: int = 6, turns: int = 1, name: str = "answers.jsonl") -> Path:
    """Recorded answers to the same questions."""
    return jsonl(folder / name, [{"question_id": i, "model": "m", "turns": [f"Answer {i}, turn {t}." for t in range(turns)]} for i in range(n)])


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a JSON Lines file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def job(folder: Path, judge: str, *, n: int = 6, out: str = "r") -> list[str]:
    """`run` on n questions with recorded answers, judged by `judge`, everything under `folder`."""
    questions, answers = questions_file(folder, n), answers_file(folder, n)
    return ["run", str(questions), "--model", f"m=recorded:{answers}", "--judge", judge, "--out", str(folder / out), "--log", str(folder / "log.db")]


def rated(body: object) -> str:
    """What a judge says that always finds a verdict."""
    return "Fine.\n\nRating: [[7]]"
