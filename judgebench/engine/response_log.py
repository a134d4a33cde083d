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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from judgebench.errors import InputError, ProviderError, StorageError
from judgebench.types import Request, Response, Usage

APPLICATION_ID = 0x4A42_4C47  # "JBLG"
SCHEMA_VERSION = 1
BUSY_SECONDS = 30
_CHECKPOINT_BYTES = 64 * 1024 * 1024

_SCHEMA = """
CREATE TABLE responses (
    request TEXT NOT NULL, attempt INTEGER NOT NULL, identity TEXT NOT NULL, question_id TEXT NOT NULL, turn INTEGER NOT NULL,
    created REAL NOT NULL, response TEXT NOT NULL, PRIMARY KEY (request, attempt));
CREATE TABLE failures (
    request TEXT NOT NULL, identity TEXT NOT NULL, question_id TEXT NOT NULL, turn INTEGER NOT NULL,
    created REAL NOT NULL, kind TEXT NOT NULL, status INTEGER, message TEXT NOT NULL);
"""


def request_key(identity: str, request: Request) -> str:
    """The hash under which a response is kept: everything that could change the answer, and nothing else."""
    sampling = request.sampling
    asked = [
        identity, [(m.role, m.content) for m in request.messages], sampling.temperature, sampling.max_tokens, sampling.extra, request.sample,
        request.prompt_sha256,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


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
    key: tuple[str, int] | None
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[bool]


class ResponseLog:
    """A response log, open for one run.

    Args:
        path: the file; made with its folder when absent, readable by its owner alone.

    Raises:
        InputError: the file is something else, or of a newer judgebench.
        StorageError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._broken: StorageError | None = None
        self._unused_wal = 0
        with _storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.journal = _prepared(path)
            self._reader = _connection(path)
            self._lock: IO[bytes] = open(f"{path}.lock", "ab")  # noqa: SIM115 - held until close()
        self._thread = threading.Thread(target=self._write, name="response-log", daemon=True)
        self._thread.start()

    def get(self, key: str) -> Response | None:
        """The newest response to a request, None when it was never answered."""
        row = self._newest(key)
        return None if row is None else _response(row[1])

    def attempts(self, key: str) -> int:
        """How many times a request was answered so far."""
        row = self._newest(key)
        return 0 if row is None else int(row[0]) + 1

    def _newest(self, key: str) -> tuple[int, str] | None:
        with _storage_errors(self.path):
            row = self._reader.execute("SELECT attempt, response FROM responses WHERE request = ? ORDER BY attempt DESC LIMIT 1", (key,)).fetchone()
        return None if row is None else (row[0], row[1])

    def knows(self, identity: str) -> bool:
        """Whether any response of a generator is in the log."""
        with _storage_errors(self.path):
            return self._reader.execute("SELECT 1 FROM responses WHERE identity = ? LIMIT 1", (identity,)).fetchone() is not None

    async def put(self, key: str, attempt: int, identity: str, request: Request, response: Response) -> Logged:
        """Commit a response; returns when it is on disk, with the response that others see under its key.

        Raises:
            StorageError: it could not be committed.
        """
        values = (key, attempt, identity, str(request.question_id), request.turn, time.time(), _document(response))
        first = await self._commit("INSERT OR IGNORE INTO responses VALUES (?,?,?,?,?,?,?)", values, (key, attempt))
        if first:
            return Logged(response)
        kept = self._at(key, attempt)
        return Logged(kept or response, paid_twice=True)

    def _at(self, key: str, attempt: int) -> Response | None:
        row = self._reader.execute("SELECT response FROM responses WHERE request = ? AND attempt = ?", (key, attempt)).fetchone()
        return None if row is None else _response(row[0])

    async def put_failure(self, key: str, identity: str, request: Request, error: ProviderError) -> None:
        """Commit a failure. It is kept for people and never served."""
        values = (key, identity, str(request.question_id), request.turn, time.time(), error.kind, error.status, str(error)[:2000])
        await self._commit("INSERT INTO failures VALUES (?,?,?,?,?,?,?,?)", values, None)

    async def _commit(self, sql: str, values: tuple[Any, ...], key: tuple[str, int] | None) -> bool:
        if self._broken is not None:
            raise self._broken
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._queue.put(_Entry(sql, values, key, loop, waiter))
        return await waiter

    def _write(self) -> None:
        """The writer thread: commit all that has queued up, wake those who wait, again."""
        try:
            connection = _connection(self.path)
        except sqlite3.Error as error:
            self._broken = StorageError(f"{self.path}: cannot be written ({error})")
            connection = None
        while (batch := self._drained()) is not None:
            outcome: list[bool] | StorageError
            if connection is None or self._broken is not None:
                outcome = self._broken or StorageError(f"{self.path}: cannot be written")
            else:
                outcome = self._commit_batch(connection, batch)
            self._wake(batch, outcome)
        if connection is not None:
            connection.close()

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

    def _commit_batch(self, connection: sqlite3.Connection, batch: list[_Entry]) -> list[bool] | StorageError:
        try:
            with _held(self._lock, exclusive=False):
                connection.execute("BEGIN IMMEDIATE")
                added = [connection.execute(entry.sql, entry.values).rowcount == 1 for entry in batch]
                reached("in-commit")
                connection.execute("COMMIT")
            reached("after-commit")
            self._maybe_checkpoint(connection, batch)
            return added
        except (sqlite3.Error, OSError) as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._broken = StorageError(f"{self.path}: a response could not be saved ({error}); free space or choose another file with --log, then run again: all before is kept")
            return self._broken

    def _maybe_checkpoint(self, connection: sqlite3.Connection, batch: list[_Entry]) -> None:
        self._unused_wal += sum(len(str(entry.values[6])) for entry in batch)
        if self._unused_wal > _CHECKPOINT_BYTES:
            self._unused_wal = 0
            self._checkpoint(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Fold the WAL into the file, unless another process is committing: then it or a later one will."""
        with contextlib.suppress(BlockingIOError, OSError), _held(self._lock, exclusive=True):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _wake(self, batch: list[_Entry], outcome: list[bool] | StorageError) -> None:
        def resolve() -> None:
            for i, entry in enumerate(batch):
                if entry.waiter.done():
                    continue
                if isinstance(outcome, StorageError):
                    entry.waiter.set_exception(outcome)
                else:
                    entry.waiter.set_result(outcome[i])

        with contextlib.suppress(RuntimeError):  # the loop was closed by an interrupt; the rows are on disk
            batch[0].loop.call_soon_threadsafe(resolve)

    def close(self) -> None:
        """Commit what is queued, fold the WAL into the file and close it."""
        if not self._thread.is_alive() and self._lock.closed:
            return
        self._queue.put(None)
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            self._checkpoint(self._reader)
        self._reader.close()
        self._lock.close()


def reached(point: str) -> None:
    """Called at the named points of a commit ("in-commit", "after-commit"); the tests of durability put a kill here."""


def _prepared(path: Path) -> str:
    """Make or check the file; returns the journal mode it could get ("wal", or "truncate" where the place allows no WAL)."""
    new = not path.exists() or path.stat().st_size == 0
    if new:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        mode = _journal_mode(connection)
        connection.execute("BEGIN IMMEDIATE")
        version, application = (connection.execute(f"PRAGMA {p}").fetchone()[0] for p in ("user_version", "application_id"))
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables == 0:
            for statement in _SCHEMA.strip().split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        if tables and application != APPLICATION_ID:
            raise InputError(f"{path}: not a response log of judgebench; name another file with --log")
        if version > SCHEMA_VERSION:
            raise InputError(f"{path}: written by a newer judgebench (schema {version}, this one knows {SCHEMA_VERSION}); update judgebench or name another file with --log")
        return mode
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise InputError(f"{path}: not a response log, or damaged ({error}); name another file with --log") from error
        raise
    finally:
        connection.close()


def _journal_mode(connection: sqlite3.Connection) -> str:
    mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    if mode != "wal":
        mode = str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    if mode == "wal":
        try:  # on network and odd mounts the pragma says "wal" and the first write fails
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError:
            mode = ""
    return mode if mode == "wal" else str(connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()[0])


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT_BYTES}")
    return connection


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageError(f"{path}: the response log cannot be used ({reason}); name a writable file with --log") from error


@contextlib.contextmanager
def _held(lock: IO[bytes], *, exclusive: bool) -> Iterator[None]:
    """The advisory lock beside the log: shared by commits, exclusive (and without waiting) for a checkpoint."""
    try:
        import fcntl
    except ImportError:  # no advisory locks on this platform: SQLite's own locking alone
        yield
        return
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _document(response: Response) -> str:
    usage = response.usage
    return json.dumps(
        {"text": response.text, "finish_reason": response.finish_reason, "model": response.model, "reasoning": response.reasoning,
         "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    )  # fmt: skip


def _response(document: str) -> Response:
    raw = json.loads(document)
    return Response(raw["text"], raw["finish_reason"], raw["model"], Usage(raw["prompt_tokens"], raw["completion_tokens"]), raw["reasoning"])

