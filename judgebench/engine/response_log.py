"""The response log: one SQLite file in which every paid response is committed before anything else is done with it.

Key is (request, attempt): `request` is a hash of what was asked (`request_key`), `attempt` 0, and one more for every time
that `--fresh` asked again. The newest attempt is the one that is served. Failures stand in a table of their own: they are
kept, never served.

One writer thread commits whatever has queued up while the last commit ran (natural group commit: no timer, so a lone
response waits for one flush only). Several processes may share the file: the first answer to a request wins, the second
process is given it too and its own is counted as paid twice. SQLite before 3.51.3 can corrupt a WAL when one connection
checkpoints while another commits; so the automatic checkpoint is off and ours holds a file lock that commits share.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import queue
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, get_args

from judgebench.engine.log_file import WAL_BYTES, connected, held, is_made, is_read_only, prepared, reading, storage_error, storage_errors
from judgebench.errors import ProviderError, StorageError
from judgebench.formats.jsonl import cleaned
from judgebench.types import FinishReason, Request, Response, Usage

_FINISH_REASONS = frozenset(get_args(FinishReason))
_NEWEST = "SELECT attempt, response FROM responses WHERE request = ? ORDER BY attempt DESC LIMIT 1"
_CHECKPOINT_MILLISECONDS = 1000  # a checkpoint waits no longer for a foreign reader; commits of other processes wait for it


def request_key(identity: str, request: Request) -> str:
    """The hash under which a response is kept: everything that could change the answer, and nothing else."""
    sampling = request.sampling
    lengths = [(m.role, len(m.content)) for m in request.messages]  # where one text ends and the next begins
    asked = [identity, lengths, *map(_plain, (sampling.temperature, sampling.max_tokens, sampling.extra)), request.sample, request.prompt_sha256]
    digest = hashlib.sha256(json.dumps(asked).encode())
    for message in request.messages:
        digest.update(message.content.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """JSON in which a number has one spelling: 1.0 is 1, as to every API; true stays apart from both."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True, slots=True)
class Logged:
    """A response from the log and whether our own copy of it lost against another process's."""

    response: Response
    paid_twice: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row on its way to the file, and who waits for it."""

    sql: str
    values: tuple[Any, ...]
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[bool]


class ResponseLog:
    """A response log, open for one run.

    Args:
        path: the file; made with its folder when absent, readable by its owner alone. One that is there and cannot be
            written is read, and `journal` is "read-only".

    Raises:
        InputError: the file is something else, or of a newer judgebench.
        StorageError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._broken: Exception | None = None
        self._closed = False
        self._checkpoint_at = WAL_BYTES
        self._file = Path(os.path.realpath(path))  # all names of one log share its lock
        with storage_errors(path):
            if is_read_only(self._file):
                is_made(self._file, reading)
                self.journal, self._reader = "read-only", reading(self._file)
                return
            self._open()
        self._thread = threading.Thread(target=self._write, name="response-log", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        file, lock = self._file, Path(f"{self._file}-lock")
        with contextlib.ExitStack() as undo:
            file.parent.mkdir(parents=True, exist_ok=True)
            is_made(file)  # a foreign file is refused before a lock file stands beside it
            if not lock.exists():
                undo.callback(_without_log_no_lock, file, lock)
            self._lock: IO[bytes] = undo.enter_context(lock.open("ab"))
            self.journal = prepared(file, self._lock)
            self._reader = undo.enter_context(contextlib.closing(connected(file, self.journal)))
            self._writer = connected(file, self.journal)
            undo.pop_all()  # both stay open until close()

    def require_writable(self) -> None:
        """Raises StorageError where the log could be opened for reading only."""
        if self.journal == "read-only":
            raise StorageError(f"{self.path}: the response log is read-only and does not hold every response; name a writable file with --log")

    def get(self, key: str) -> Response | None:
        """The newest response to a request, None when it was never answered."""
        row = self._newest(key)
        return None if row is None else self._response(key, row[1])

    def attempts(self, key: str) -> int:
        """How many times a request was answered so far."""
        row = self._newest(key)
        if row is not None and not isinstance(row[0], int):
            raise StorageError(f"{self.path}: the response to request {key[:12]} is damaged; name another file with --log")
        return 0 if row is None else row[0] + 1

    def _response(self, key: str, document: object) -> Response:
        try:
            return _response(document)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise StorageError(f"{self.path}: the response to request {key[:12]} is damaged; name another file with --log") from error

    def _newest(self, key: str) -> tuple[int, str] | None:
        try:
            row: tuple[int, str] | None = self._reader.execute(_NEWEST, (key,)).fetchone()
        except sqlite3.Error as error:
            raise storage_error(self.path, error) from error
        return row

    def knows(self, identity: str) -> bool:
        """Whether any response of a generator is in the log."""
        with storage_errors(self.path):
            return self._reader.execute("SELECT 1 FROM responses WHERE identity = ? LIMIT 1", (cleaned(identity),)).fetchone() is not None

    async def put(self, key: str, attempt: int, identity: str, request: Request, response: Response) -> Logged:
        """Commit a response; returns when it is on disk, with the response that others see under its key.

        Raises:
            StorageError: it could not be committed.
        """
        values = (key, attempt, cleaned(identity), cleaned(str(request.question_id)), request.turn, time.time(), _document(response))
        if await self._commit("INSERT OR IGNORE INTO responses VALUES (?,?,?,?,?,?,?)", values):
            return Logged(response)
        return Logged(self._at(key, attempt), paid_twice=True)

    def _at(self, key: str, attempt: int) -> Response:
        with storage_errors(self.path):
            row = self._reader.execute("SELECT response FROM responses WHERE request = ? AND attempt = ?", (key, attempt)).fetchone()
        return self._response(key, row[0])

    async def put_failure(self, key: str, identity: str, request: Request, error: ProviderError) -> None:
        """Commit a failure. It is kept for people and never served."""
        values = (key, cleaned(identity), cleaned(str(request.question_id)), request.turn, time.time(), error.kind, error.status, cleaned(str(error)[:2000]))
        await self._commit("INSERT INTO failures VALUES (?,?,?,?,?,?,?,?)", values)

    async def _commit(self, sql: str, values: tuple[Any, ...]) -> bool:
        self.require_writable()
        if self._broken is not None:
            raise self._broken
        if self._closed:
            raise StorageError(f"{self.path}: the response log is closed")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._queue.put(_Entry(sql, values, loop, waiter))
        return await waiter

    def _write(self) -> None:
        """The writer thread: commit all that has queued up, wake those who wait, again."""
        while (batch := self._drained()) is not None:
            self._wake(batch, self._broken or self._commit_batch(batch))
        self._writer.close()

    def _drained(self) -> list[_Entry] | None:
        """At least one entry, and all others that wait; None when the log is being closed."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while not self._queue.empty():
            entry = self._queue.get()
            if entry is None:
                self._queue.put(None)
                break
            batch.append(entry)
        return batch

    def _commit_batch(self, batch: list[_Entry]) -> list[bool] | Exception:
        """Which entries were added (False: their key was there), or why none of them could be."""
        connection = self._writer
        try:
            with held(self._lock, exclusive=False):
                connection.execute("BEGIN IMMEDIATE")
                added = [connection.execute(entry.sql, entry.values).rowcount == 1 for entry in batch]
                reached("in-commit")
                connection.execute("COMMIT")
            reached("after-commit")
            self._maybe_checkpoint()
            return added
        except Exception as error:  # noqa: BLE001 - a bug of ours too is handed to those who wait: left in this thread, they would wait for ever
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._broken = self._storage_error(error) if isinstance(error, (sqlite3.Error, OSError)) else error
            return self._broken

    def _storage_error(self, error: Exception) -> StorageError:
        mend = "another program holds the file" if "locked" in str(error) else "free space or choose another file with --log"
        return StorageError(f"{self.path}: a response could not be saved ({error}); {mend}, then run again: all before is kept")

    def _maybe_checkpoint(self) -> None:
        """Fold the WAL into the file when it has grown. One that a reader elsewhere keeps from shrinking is left to double."""
        if self.journal == "wal" and self._wal_bytes() > self._checkpoint_at:
            self._checkpoint(self._writer)
            self._checkpoint_at = max(WAL_BYTES, 2 * self._wal_bytes())

    def _wal_bytes(self) -> int:
        try:
            return os.stat(f"{self._file}-wal").st_size
        except OSError:
            return 0

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Fold the WAL into the file, unless another process is committing: then it or a later one will. What was committed
        is safe with or without it, so no failure here is an error."""
        with contextlib.suppress(OSError, sqlite3.Error), held(self._lock, exclusive=True):
            before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MILLISECONDS}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {before}")

    def _wake(self, batch: list[_Entry], outcome: list[bool] | Exception) -> None:
        def resolve() -> None:
            for i, entry in enumerate(batch):
                if entry.waiter.done():
                    continue
                if isinstance(outcome, Exception):
                    entry.waiter.set_exception(outcome)
                else:
                    entry.waiter.set_result(outcome[i])

        with contextlib.suppress(RuntimeError):  # the loop was closed by an interrupt; the rows are on disk
            batch[0].loop.call_soon_threadsafe(resolve)

    def close(self) -> None:
        """Commit what is queued, fold the WAL into the file and close it. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.journal == "read-only":
            self._reader.close()
            return
        self._queue.put(None)
        self._thread.join()
        self._checkpoint(self._reader)
        self._reader.close()
        self._lock.close()


def reached(point: str) -> None:
    """Called at the named points of a commit ("in-commit", "after-commit"); the tests of durability put a kill here."""


def _document(response: Response) -> str:
    usage = response.usage
    return json.dumps(
        {"text": response.text, "finish_reason": response.finish_reason, "model": response.model, "reasoning": response.reasoning,
         "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    )  # fmt: skip


def _without_log_no_lock(file: Path, lock: Path) -> None:
    """A log that could not be made leaves no lock file behind."""
    if not file.exists() or file.stat().st_size == 0:
        lock.unlink(missing_ok=True)


def _response(document: object) -> Response:
    """Raises ValueError, TypeError or KeyError for a row that we did not write like that."""
    if not isinstance(document, str):
        raise TypeError
    raw = json.loads(document)
    text, finish, tokens, others = raw["text"], raw["finish_reason"], (raw["prompt_tokens"], raw["completion_tokens"]), (raw["model"], raw["reasoning"])
    if not isinstance(text, str) or finish not in _FINISH_REASONS:
        raise ValueError
    if not all(o is None or isinstance(o, str) for o in others) or not all(t is None or type(t) is int for t in tokens):
        raise ValueError
    return Response(text, finish, others[0], Usage(*tokens), others[1])
