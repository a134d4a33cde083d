"""A run is a folder: run.json, questions.jsonl, answers.jsonl, judgments.jsonl, summary.json. Written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from judgebench.errors import InputError, StorageError
from judgebench.formats.answers import answer_row, usage_row
from judgebench.formats.jsonl import Row, cleaned, dump, read_rows
from judgebench.types import Answer, Failure, Judgment, Usage

_STREAMS = ("questions.jsonl", "answers.jsonl", "judgments.jsonl")
_KINDS = ("no_verdict", "out_of_range", "truncated", "refused", "empty_answer", "provider_error")


class RunWriter:
    """Writes a run folder. Rows go to hidden files, which take their names only in `finish`, so that an interrupted run never
    leaves half a file under a final name.

    Args:
        folder: made when absent.

    Raises:
        InputError: it exists and is something else than a run folder.
        StorageError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = not folder.exists()
        with _storage_errors(folder):
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{folder}: is a file; give --out a folder")
            if folder.is_dir() and any(not p.name.startswith(".") for p in folder.iterdir()) and not (folder / "run.json").is_file() and not _ours(folder):
                raise InputError(f"{folder}: holds other things than a run; give --out a new or a run's folder")
            folder.mkdir(parents=True, exist_ok=True)
            self._files: dict[str, IO[str]] = {name: self._hidden(name).open("w", encoding="utf-8", newline="\n") for name in _STREAMS}

    def _hidden(self, name: str) -> Path:
        return self.folder / f".{name}.partial"

    def question(self, line: str) -> None:
        """Add a question, as its canonical JSON."""
        self._add("questions.jsonl", line)

    def answer(self, answer: Answer) -> None:
        """Add an answer."""
        self._add("answers.jsonl", answer_row(answer))

    def judgment(self, judgment: Judgment) -> None:
        """Add a judgment."""
        self._add("judgments.jsonl", judgment_row(judgment))

    def _add(self, name: str, line: str) -> None:
        with _storage_errors(self.folder):
            self._files[name].write(line + "\n")

    def judgments_so_far(self) -> Path:
        """The judgments written so far, flushed: a file to read them back from before `finish`."""
        with _storage_errors(self.folder):
            self._files["judgments.jsonl"].flush()
        return self._hidden("judgments.jsonl")

    def finish(self, run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Give all files their names; run.json last, as the sign that the others are whole."""
        with _storage_errors(self.folder):
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
            for name, document in (("summary.json", summary), ("run.json", run)):
                self._hidden(name).write_text(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            for name in (*_STREAMS, "summary.json", "run.json"):
                self._hidden(name).replace(self.folder / name)

    def discard(self) -> None:
        """Leave no trace: remove the hidden files, and the folder when this run made it."""
        for name, file in self._files.items():
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                self._hidden(name).unlink(missing_ok=True)
        if self._made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def _ours(folder: Path) -> bool:
    return all(p.name in (*_STREAMS, "summary.json", "report.html") or p.name.startswith(".") or p.suffix in (".db", ".lock") or p.name.endswith((".db-wal", ".db-shm")) for p in folder.iterdir())


def judgment_row(judgment: Judgment) -> str:
    """A judgment as a line of judgments.jsonl (DESIGN.md section 8)."""
    failure = judgment.failure
    return dump(
        {"question_id": judgment.question_id, "category": judgment.category, "turn": judgment.turn, "judge": judgment.judge, "prompt": judgment.prompt,
         "prompt_sha256": judgment.prompt_sha256, "sample": judgment.sample, "text": judgment.text, "usage": usage_row(judgment.usage),
         "failure": failure.kind if failure else None, "model": judgment.model, "score": _plain(judgment.score), "reask_text": judgment.reask_text,
         "detail": cleaned(failure.detail) if failure else None, "snapshot": judgment.snapshot}
    )  # fmt: skip


def _plain(score: float | None) -> float | int | None:
    return int(score) if score is not None and score == int(score) else score


def read_judgments(path: Path) -> Iterator[Judgment]:
    """The judgments of a file, in order. Raises InputError with file, line and what is wrong."""
    for row in read_rows(path):
        yield _judgment(row, path)


def _judgment(row: Row, path: Path) -> Judgment:
    raw = row.value
    try:
        usage, kind, score = raw.get("usage"), raw.get("failure"), raw.get("score")
        if kind is not None and kind not in _KINDS:
            raise ValueError(f"unknown failure {kind!r}")
        if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
            raise ValueError(f"score {score!r} is no number")
        if (score is None) == (kind is None):
            raise ValueError("a judgment has either a score or a failure")
        return Judgment(
            raw["question_id"], str(raw["category"]), int(raw["turn"]), str(raw["model"]), str(raw["judge"]), str(raw["prompt"]), str(raw["prompt_sha256"]),
            int(raw.get("sample", 0)), raw.get("text"), raw.get("reask_text"),
            Usage(usage.get("prompt_tokens"), usage.get("completion_tokens")) if isinstance(usage, dict) else Usage(), raw.get("snapshot"),
            None if score is None else float(score), None if kind is None else Failure(kind, str(raw.get("detail") or "")),
        )  # fmt: skip
    except KeyError as error:
        raise InputError(f"{path} line {row.line}: a judgment without {error}; is this file from judgebench?") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} line {row.line}: {error}; is this file from judgebench?") from error


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run folder. Raises InputError when there is no run or it is broken."""
    path = folder / "run.json"
    if not path.is_file():
        what = "no such folder" if not folder.exists() else "no run in it (run.json is missing)"
        raise InputError(f"{folder}: {what}; give the folder that `judgebench run` named")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:100]}); run the same command again to write it anew") from error
    if not isinstance(value, dict) or not isinstance(value.get("benchmark"), dict) or not isinstance(value.get("judges"), list):
        raise InputError(f"{path}: not written by judgebench; run the same command again to write it anew")
    return value


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror or error}); free space or give --out another folder. Responses are kept in the log") from error
