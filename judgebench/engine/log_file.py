"""The SQLite file under the response log: made, checked and opened; its journal, and the lock that processes share.

A write-ahead log (WAL) needs a real file system on one host; elsewhere the pragma may say "wal" and the first write fail.
So it is tried out in a throw-away file first, and where that fails the slower rollback journal (TRUNCATE) is used.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from judgebench.errors import InputError, StorageError

APPLICATION_ID = 0x4A42_4C47  # "JBLG"
SCHEMA_VERSION = 1
BUSY_SECONDS = 30
WAL_BYTES = 64 * 1024 * 1024  # the write-ahead log is folded into the file when it grows beyond this

_SCHEMA = """
CREATE TABLE responses (
    request TEXT NOT NULL, attempt INTEGER NOT NULL, identity TEXT NOT NULL, question_id TEXT NOT NULL, turn INTEGER NOT NULL,
    created REAL NOT NULL, response TEXT NOT NULL, PRIMARY KEY (request, attempt));
CREATE TABLE failures (
    request TEXT NOT NULL, identity TEXT NOT NULL, question_id TEXT NOT NULL, turn INTEGER NOT NULL,
    created REAL NOT NULL, kind TEXT NOT NULL, status INTEGER, message TEXT NOT NULL);
"""
_MAGIC = b"SQLite format 3\0"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def is_made(path: Path, opened: Callable[[Path], sqlite3.Connection] | None = None) -> bool:
    """Whether the file is a response log already; False for one that is absent or empty.

    Args:
        opened: makes the connection to look through, None for an ordinary one.

    Raises:
        InputError: it is something else, or of a newer judgebench. StorageError: it is no ordinary file.
    """
    if path.exists() and not path.is_file():  # a folder, /dev/null, a pipe
        raise StorageError(f"{path}: not a response log (no ordinary file); name another file with --log")
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:  # SQLite itself takes a file of a few bytes for an empty database, and would overwrite it
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"{path}: not a response log (no database at all); name another file with --log")
    with _damage_named(path), contextlib.closing((opened or _opened)(path)) as connection:
        version, application = (connection.execute(f"PRAGMA {p}").fetchone()[0] for p in ("user_version", "application_id"))
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == 0 and version == 0 and tables == 0:
        return False
    if application != APPLICATION_ID:
        raise InputError(f"{path}: not a response log of judgebench; name another file with --log")
    if version > SCHEMA_VERSION:
        raise InputError(f"{path}: written by a newer judgebench (schema {version}, this one knows {SCHEMA_VERSION}); update judgebench or name another file with --log")
    return True


def prepared(path: Path, lock: IO[bytes]) -> str:
    """Make the file where it is missing; returns the journal it got, "wal", or "truncate" where the place allows no WAL.

    Args:
        lock: see `held`; taken while the file is made or its journal changed, as both must happen once.

    Raises:
        InputError: as `is_made`.
    """
    if is_made(path):
        with contextlib.closing(_opened(path)) as connection:
            if _journal(connection) == "wal":
                return "wal"
    with held(lock, exclusive=True, wait=True):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        made = is_made(path)
        with contextlib.closing(_opened(path)) as connection:
            mode = _best_journal(connection, path)
            if not made:
                _make(connection)
            return mode


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.strip().split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _best_journal(connection: sqlite3.Connection, path: Path) -> str:
    mode = _journal(connection)
    if mode != "wal" and _wal_works(path.parent):
        with contextlib.suppress(sqlite3.OperationalError):  # another process has the file open with the other journal
            mode = _journal(connection, "WAL")
    return mode if mode == "wal" else _journal(connection, "TRUNCATE")


def _journal(connection: sqlite3.Connection, wanted: str = "") -> str:
    return str(connection.execute("PRAGMA journal_mode" + (f" = {wanted}" if wanted else "")).fetchone()[0])


def _wal_works(folder: Path) -> bool:
    """Whether a file in this folder can be written through a write-ahead log, tried with a real write."""
    with tempfile.TemporaryDirectory(prefix=".judgebench-probe-", dir=folder, ignore_cleanup_errors=True) as place:
        try:
            with contextlib.closing(_opened(Path(place) / "probe.db")) as connection:
                if _journal(connection, "WAL") != "wal":
                    return False
                connection.execute("CREATE TABLE probe (x)")
                connection.execute("INSERT INTO probe VALUES (1)")
        except sqlite3.Error:
            return False
    return True


def connected(path: Path, journal: str) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return, and which never checkpoints by itself.

    Args:
        journal: as `prepared` returned it.
    """
    connection = _opened(path)
    if journal != "wal":
        _journal(connection, "TRUNCATE")  # unlike WAL it is no property of the file
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    return connection


def is_read_only(path: Path) -> bool:
    """Whether a file that is there cannot be written: its mode, its folder's or the mount's forbids it."""
    return path.is_file() and path.stat().st_size > 0 and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def reading(path: Path) -> sqlite3.Connection:
    """A connection to a log that cannot be written.

    Without a WAL nobody is writing, and the file is read as it stands: SQLite would make a WAL's files only to read, and
    left behind they would keep the owner out. With one its rows count, if it can be read.

    Args:
        path: absolute.
    """
    for options in ("mode=ro", "mode=ro&immutable=1") if os.path.exists(f"{path}-wal") else ("mode=ro&immutable=1",):
        connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if "immutable" in options:
                raise
        except BaseException:
            connection.close()
            raise
        else:
            break
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise InputError(f"{path}: not a response log, or a damaged one ({error}); name another file with --log") from error
        raise


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what the file system and SQLite raise into StorageError, in one line."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: Exception) -> StorageError:
    """What SQLite or the file system raised, in one line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StorageError(f"{path}: the response log cannot be used ({reason}); name a writable file with --log")


@contextlib.contextmanager
def held(lock: IO[bytes], *, exclusive: bool, wait: bool = False) -> Iterator[None]:
    """The advisory lock beside the log: shared by commits, exclusive for a checkpoint and for making the file.

    Raises:
        BlockingIOError: another process holds it, `exclusive` is asked and `wait` is not.
    """
    try:
        import fcntl
    except ImportError:  # no advisory locks on this platform: SQLite's own locking alone
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH if not exclusive else fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # a file system without advisory locks is like a platform without
            raise
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_UN)
