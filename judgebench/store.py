"""A run is a folder: run.json, questions.jsonl, answers.jsonl, judgments.jsonl, summary.json. Written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from judgebench.errors import InputError, StorageError
from judgebench.formats.answers import answer_row, usage_row
from judgebench.formats.jsonl import Row, cleaned, dump, read_rows
from judgebench.types import Answer, Failure, Judgment, Usage

_STREAMS = ("questions.jsonl", "answers.jsonl", "judgments.jsonl")
RUN_FILES = ("run.json", *_STREAMS, "summary.json", "report.html")
"""What may stand in a run folder; of a report only the name is known here."""
_HIDDEN = ".partial-"
_KINDS = ("no_verdict", "out_of_range", "truncated", "refused", "empty_answer", "provider_error")


class RunWriter:
    """Writes a run folder. Rows go to files in a hidden folder inside it, which take their names only in `finish`: an interrupted
    run leaves the files of the run before it whole, and two processes that write the same run do not mix their rows.

    Args:
        folder: made when absent.

    Raises:
        InputError: it exists and is something else than a run folder.
        StorageError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, IO[str]] = {}
        self._made, self._hidden = False, Path()
        self._lock: int | None = None
        try:
            with _storage_errors(folder):
                self._made = not folder.exists()
                _refuse_foreign(folder)
                folder.mkdir(parents=True, exist_ok=True)
                _sweep(folder)
                self._hidden = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=folder))
                self._lock = _locked(self._hidden)
                for name in _STREAMS:
                    self._files[name] = (self._hidden / name).open("w", encoding="utf-8", newline="\n")
        except StorageError:
            self.discard()
            raise

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
        try:
            self._files[name].write(cleaned(line) + "\n")
        except OSError as error:
            raise _storage_error(self.folder, error) from error

    def judgments_so_far(self) -> Path:
        """The judgments written so far, flushed: a file to read them back from before `finish`."""
        with _storage_errors(self.folder):
            self._files["judgments.jsonl"].flush()
        return self._hidden / "judgments.jsonl"

    def finish(self, run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Give all files their names. The run.json of a run before goes first and the new one comes last: where there is a
        run.json, the files beside it are whole and of its run."""
        with _storage_errors(self.folder):
            for name, document in (("summary.json", summary), ("run.json", run)):
                self._files[name] = (self._hidden / name).open("w", encoding="utf-8", newline="\n")
                self._files[name].write(cleaned(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)) + "\n")
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
            (self.folder / "run.json").unlink(missing_ok=True)
            for name in (*_STREAMS, "summary.json", "run.json"):
                (self._hidden / name).replace(self.folder / name)
            self._hidden.rmdir()
        self._release()

    def discard(self) -> None:
        """Leave no trace: remove what was written, and the folder when this run made it."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        if self._hidden.name:
            shutil.rmtree(self._hidden, ignore_errors=True)
        self._release()
        if self._made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _release(self) -> None:
        lock, self._lock = self._lock, None  # in this order: an interrupt in between must not make discard close it again
        _unlock(lock)


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give --out a folder")
    if folder.is_dir() and not (folder / "run.json").is_file() and not all(map(_may_stand, folder.iterdir())):
        raise InputError(f"{folder}: holds other things than a run; give --out a new or a run's folder")


def _may_stand(path: Path) -> bool:
    """Whether a file may stand in a folder that becomes a run's: ours, hidden, or a response log."""
    return path.name in RUN_FILES or path.name.startswith(".") or path.name.endswith((".db", ".db-lock", ".db-wal", ".db-shm"))


def unfinished(folder: Path) -> bool:
    """Whether a folder is that of a run that is being written or was killed: it has no run.json, and what a run leaves."""
    if (folder / "run.json").is_file() or not folder.is_dir():
        return False
    return (folder / "judgments.jsonl").is_file() or any(folder.glob(f"{_HIDDEN}*"))


def _sweep(folder: Path) -> None:
    """Remove what killed runs left behind: hidden folders that no living process has locked."""
    for left in folder.glob(f"{_HIDDEN}*"):
        lock = _locked(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            _unlock(lock)


def _locked(folder: Path) -> int | None:
    """An open descriptor of a folder with an advisory lock on it; None where another holds it or there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _unlock(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def judgment_row(judgment: Judgment) -> str:
    """A judgment as a line of judgments.jsonl (DESIGN.md section 8)."""
    failure = judgment.failure
    return dump(
        {"question_id": judgment.question_id, "category": judgment.category, "turn": judgment.turn, "judge": judgment.judge, "prompt": judgment.prompt,
         "prompt_sha256": judgment.prompt_sha256, "sample": judgment.sample, "text": judgment.text, "usage": usage_row(judgment.usage),
         "failure": failure.kind if failure else None, "model": judgment.model, "score": _plain(judgment.score), "reask_texts": list(judgment.reask_texts),
         "detail": failure.detail if failure else None, "snapshot": judgment.snapshot}
    )  # fmt: skip


def _plain(score: float | None) -> float | int | None:
    return int(score) if score is not None and score == int(score) else score


def read_judgments(path: Path) -> Iterator[Judgment]:
    """The judgments of a file, in order. Raises InputError with file, line and what is wrong."""
    for row in read_rows(path):
        yield parse_judgment(row, path)


def parse_judgment(row: Row, path: Path) -> Judgment:
    """One judgment from one row. Raises InputError with file, line and what is wrong."""
    raw = row.value
    try:
        kind, score, question = raw.get("failure"), raw.get("score"), raw["question_id"]
        if kind is not None and kind not in _KINDS:
            raise ValueError(f"unknown failure {kind!r}")
        if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
            raise ValueError(f"score {score!r} is no number")
        if score is not None and not math.isfinite(score):
            raise ValueError("the score is too large for a number")
        if (score is None) == (kind is None):
            raise ValueError("a judgment has either a score or a failure")
        if isinstance(question, bool) or not isinstance(question, (int, str)):
            raise ValueError("question_id must be a whole number or a text")
        category, model, judge, prompt, sha256 = (_text(raw[key], key) for key in ("category", "model", "judge", "prompt", "prompt_sha256"))
        turn, sample = _whole_number(raw["turn"], "turn", 1), _whole_number(raw.get("sample", 0), "sample", 0)
        return Judgment(
            question, category, turn, model, judge, prompt, sha256, sample, _text_or_none(raw, "text"), _texts(raw, "reask_texts"), _usage(raw.get("usage")),
            _text_or_none(raw, "snapshot"), None if score is None else float(score), None if kind is None else Failure(kind, _text_or_none(raw, "detail") or ""),
        )  # fmt: skip
    except KeyError as error:
        raise InputError(f"{path} line {row.line}: a judgment without {error}; is this file from judgebench?") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} line {row.line}: {error}; is this file from judgebench?") from error


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a text")
    return value


def _text_or_none(raw: Mapping[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return None if value is None else _text(value, key)


def _texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = raw.get(key)
    if values is not None and not isinstance(values, list):
        raise TypeError(f"{key} must be a list of texts")
    return tuple(_text(value, f"every one of {key}") for value in values or ())


def _whole_number(value: Any, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise ValueError(f"{key} must be a whole number of at least {least}")
    return value


def _usage(raw: Any) -> Usage:
    if raw is None:
        return Usage()
    if not isinstance(raw, dict):
        raise TypeError("usage must be an object")
    prompt, completion = (None if raw.get(key) is None else _whole_number(raw[key], key, 0) for key in ("prompt_tokens", "completion_tokens"))
    return Usage(prompt, completion)


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run folder. Raises InputError when there is no run or it is broken."""
    path = folder / "run.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if unfinished(folder):
            raise InputError(f"{folder}: a run that has not finished (run.json is missing); run the same command again") from error
        what = "no run in it (run.json is missing)" if folder.is_dir() else "no such folder"
        raise InputError(f"{folder}: {what}; give the folder that `judgebench run` named") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the folder that `judgebench run` named") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:100]}); run the same command again to write it anew") from error
    if wrong := _missing(value):
        raise InputError(f"{path}: not written by judgebench ({wrong}); run the same command again to write it anew")
    run: dict[str, Any] = value
    return run


_SHAPE: Mapping[str, type] = {"run": str, "protocol": str, "complete": bool, "benchmark": dict, "models": list, "judges": list, "counts": dict}


def _missing(value: Any) -> str | None:
    """The first thing that a run.json lacks of what its readers rely on, None when it is all there."""
    if not isinstance(value, dict):
        return "it holds no object"
    if wrong := [key for key, kind in _SHAPE.items() if not isinstance(value.get(key), kind)]:
        return f"{wrong[0]!r} is missing or of the wrong kind"
    if not isinstance(value["benchmark"].get("name"), str):
        return "the benchmark has no name"
    for key in ("models", "judges"):
        if not value[key] or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value[key]):
            return f"{key!r} must be a list of at least one, each with a name"
    if not all(_is_scale(judge.get("scale", [1, 10])) for judge in value["judges"]):
        return "a judge's scale must be [lowest, highest]"
    return None if isinstance(value["counts"].get("judgments"), int) else "'counts' has no 'judgments'"


def _is_scale(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, (int, float)) and abs(end) < math.inf for end in value) and value[0] < value[1]


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _storage_error(folder, error) from error


def _storage_error(folder: Path, error: OSError) -> StorageError:
    return StorageError(f"{folder}: cannot be written ({error.strerror or error}); free space or give --out another folder. Responses are kept in the log")
