"""The response log: on disk before it is used, one answer per request, and no file but its own is touched."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_parts import asked, failed, opened, said
from workbench import Ended, job, questions_file

from judgebench.engine import log_file, response_log
from judgebench.engine.response_log import ResponseLog, request_key
from judgebench.errors import InputError, ProviderError, StorageError
from judgebench.types import Message, Sampling


def rows(path: Path, sql: str = "SELECT request, attempt FROM responses ORDER BY rowid") -> list[Any]:
    """What another connection sees."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        return other.execute(sql).fetchall()


def put_all(log: ResponseLog, n: int, text: str = "a", attempt: int = 0) -> list[response_log.Logged]:
    async def work() -> list[response_log.Logged]:
        return await asyncio.gather(*(log.put(f"k{i}", attempt, "fake", asked(i), said(f"{text}{i}")) for i in range(n)))

    return asyncio.run(work())


def test_a_response_is_on_disk_when_put_returns(tmp_path: Path) -> None:
    async def work(log: ResponseLog) -> None:
        await log.put("k", 0, "fake", asked(), said("yes"))
        assert rows(log.path) == [("k", 0)]

    with opened(tmp_path / "log.db") as log:
        asyncio.run(work(log))
        assert log.get("k") == said("yes")


def test_what_waits_together_is_committed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, all_wait = [], threading.Event()

    def reached(point: str) -> None:
        if point == "in-commit":
            commits.append(point)
            assert all_wait.wait(10)

    monkeypatch.setattr(response_log, "reached", reached)

    async def work(log: ResponseLog) -> None:
        tasks = [asyncio.create_task(log.put(f"k{i}", 0, "fake", asked(), said("a"))) for i in range(64)]
        await asyncio.sleep(0)  # every task has queued its row
        all_wait.set()
        await asyncio.gather(*tasks)

    with opened(tmp_path / "log.db") as log:
        asyncio.run(work(log))
        assert len(rows(log.path)) == 64
    assert len(commits) <= 2  # what was there when the writer looked, and all the rest


def test_the_newest_attempt_is_served_and_failures_never(tmp_path: Path) -> None:
    async def work(log: ResponseLog) -> None:
        await log.put_failure("k", "fake", asked(), failed())
        assert log.get("k") is None and log.attempts("k") == 0 and not log.knows("fake")
        await log.put("k", 0, "fake", asked(), said("old"))
        await log.put("k", 1, "fake", asked(), said("new"))
        await log.put_failure("k", "fake", asked(), failed())

    with opened(tmp_path / "log.db") as log:
        asyncio.run(work(log))
        assert log.get("k") == said("new") and log.attempts("k") == 2 and log.knows("fake")
    assert rows(log.path, "SELECT kind, status, message FROM failures") == [("server", 500, "fake: server")] * 2
    assert rows(log.path) == [("k", 0), ("k", 1)]  # the old one is kept


def test_every_field_of_a_response_comes_back(tmp_path: Path) -> None:
    odd = replace(said("a\x00\u2028\ud800 [[7]]", (None, 3)), finish_reason="length", reasoning="hm", model=None)
    with opened(tmp_path / "log.db") as log:
        asyncio.run(log.put("k", 0, "fake", asked(), odd))
        assert log.get("k") == odd


def test_text_that_sqlite_cannot_hold_does_not_stop_the_writer(tmp_path: Path) -> None:
    lone = asked("\ud800")  # a message of a provider or a model's name may hold a lone surrogate

    async def work(log: ResponseLog) -> None:
        async with asyncio.timeout(10):
            await log.put("k", 0, "id \udcff", lone, said("yes"))
            await log.put_failure("k", "id \udcff", lone, ProviderError("\ud800", retryable=True))

    with opened(tmp_path / "log.db") as log:
        asyncio.run(work(log))
        assert log.get("k") == said("yes") and log.knows("id \udcff")


def test_two_logs_on_one_file_keep_the_first_answer_and_count_the_second(tmp_path: Path) -> None:
    async def work(a: ResponseLog, b: ResponseLog) -> list[list[response_log.Logged]]:
        both = ([log.put(f"k{i}", 0, "fake", asked(i), said(f"{name}{i}")) for i in range(200)] for log, name in ((a, "a"), (b, "b")))
        return await asyncio.gather(*(asyncio.gather(*puts) for puts in both))

    with opened(tmp_path / "log.db") as a, opened(tmp_path / "log.db") as b:
        of_a, of_b = asyncio.run(work(a, b))
        assert [one.response for one in of_a] == [one.response for one in of_b] == [a.get(f"k{i}") for i in range(200)]
        assert all(x.paid_twice != y.paid_twice for x, y in zip(of_a, of_b, strict=True))
    assert len(rows(tmp_path / "log.db")) == 200


def test_a_file_made_by_many_processes_at_once_is_one_log(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from engine_parts import asked, opened, said\n"
        "async def work(log):\n    await asyncio.gather(*(log.put(f'{sys.argv[2]}-{i}', 0, 'fake', asked(i), said('a')) for i in range(20)))\n"
        "with opened(Path(sys.argv[1])) as log:\n    assert log.journal == 'wal'\n    asyncio.run(work(log))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    path = tmp_path / "new" / "log.db"
    processes = [subprocess.Popen([sys.executable, "-c", script, str(path), str(i)], env=environment, stderr=subprocess.PIPE) for i in range(5)]
    assert [(p.communicate(timeout=60)[1], p.returncode) for p in processes] == [(b"", 0)] * 5
    assert len(rows(path)) == 100


def test_the_key_is_all_that_could_change_the_answer_and_nothing_else() -> None:
    base = asked("x")
    messages, sampling = base.messages, base.sampling
    others = [
        replace(base, messages=(*messages, Message("assistant", "y"))), replace(base, messages=(Message("system", "x"),)), replace(base, sample=1),
        replace(base, prompt_sha256="0"), replace(base, sampling=replace(sampling, temperature=0.5)), replace(base, sampling=replace(sampling, temperature=None)),
        replace(base, sampling=replace(sampling, max_tokens=None)), replace(base, sampling=replace(sampling, extra=(("top_p", 1),))), asked("X"),
        replace(base, messages=(Message("user", "x"), Message("user", ""))), replace(base, messages=(Message("user", "\ud800"),)),
        replace(base, messages=(Message("user", "ab"), Message("user", "c"))), replace(base, messages=(Message("user", "a"), Message("user", "bc"))),
    ]  # fmt: skip
    keys = [request_key("g", base), request_key("g2", base), *(request_key("g", other) for other in others)]
    assert len(set(keys)) == len(keys)
    assert request_key("g", replace(base, question_id=9, category="c", turn=3)) == keys[0]
    assert request_key("g", replace(base, messages=(Message("user", "x"),), sampling=Sampling(0.0, 64))) == keys[0]


def test_a_number_has_one_key_however_it_is_spelled() -> None:
    def key(temperature: float, extra: object) -> str:
        return request_key("g", replace(asked("x"), sampling=Sampling(temperature, 64, (("top_p", extra),))))

    assert key(0, {"a": [1, 2.5]}) == key(0.0, {"a": [1.0, 2.5]}) == key(-0.0, {"a": [1, 2.5]})
    assert len({key(0, 1), key(1, 1), key(0, True), key(0, 1.5), key(0, "1"), key(0, [1])}) == 6


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path / "log.db") as log:
            put_all(log, 3)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("log.db*") if not path.name.endswith("-lock")}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("log.db", "log.db-wal", "log.db-shm"), 0o600)


def foreign_database(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "database": lambda p: foreign_database(p, "CREATE TABLE mine (x)"),
    "empty database of another program": lambda p: foreign_database(p, "PRAGMA application_id = 7", "VACUUM"),
    "text": lambda p: p.write_text("my notes\n" * 200),
    "short text": lambda p: p.write_text("x"),
    "newer": lambda p: foreign_database(p, "CREATE TABLE t (x)", f"PRAGMA application_id = {log_file.APPLICATION_ID}", "PRAGMA user_version = 99"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_file_is_refused_and_left_as_it_is(what: str, tmp_path: Path, judgebench: Callable[..., Ended]) -> None:
    path = tmp_path / "log.db"
    FOREIGN[what](path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="newer judgebench" if what == "newer" else "not a response log"):
        ResponseLog(path)
    ended = judgebench("run", questions_file(tmp_path), "--model", "http://127.0.0.1:9/v1#m", "--judge", "http://127.0.0.1:9/v1#j", "--log", path)
    assert ended.code == 2 and len(ended.err.splitlines()) == 1 and "--log" in ended.err
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.glob("log.db*")] == ["log.db"]


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    with opened(tmp_path / "log.db") as log:
        put_all(log, 1)
    assert len(rows(log.path)) == 1


def without_wal(path: Path) -> sqlite3.Connection:
    """SQLite's own lock-file VFS has no shared memory and so no WAL, like many network mounts."""
    return sqlite3.connect(f"file:{path}?vfs=unix-dotfile", uri=True, timeout=30, isolation_level=None, check_same_thread=False)


class FailsInWal(sqlite3.Connection):
    """A connection whose pragma says "wal" and whose first write then fails, as on some mounts."""

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        if not sql.startswith(("PRAGMA", "SELECT")) and super().execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *more)


def failing_in_wal(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=FailsInWal)


@pytest.mark.parametrize("connect", [without_wal, failing_in_wal])
def test_without_wal_the_rollback_journal_is_used(connect: Callable[[Path], sqlite3.Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_opened", connect)
    for attempt in (0, 1):  # the second time the file is there already
        with opened(tmp_path / "log.db") as log:
            assert log.journal == "truncate"
            assert log._writer.execute("PRAGMA journal_mode").fetchone()[0] == "truncate"
            put_all(log, 20, attempt=attempt)
    monkeypatch.undo()
    assert rows(log.path, "SELECT count(*) FROM responses") == [(40,)]
    assert {p.name for p in tmp_path.iterdir()} <= {"log.db", "log.db-lock", "log.db-journal"}  # nothing of the probe is left


def test_a_run_says_that_there_is_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judgebench: Callable[..., Ended]) -> None:
    from loopback import LoopbackServer

    monkeypatch.setattr(log_file, "_opened", without_wal)
    with LoopbackServer(lambda body: "Rating: [[7]]") as server:
        ended = judgebench(*job(tmp_path, server.spec))
    assert ended.code == 0 and [line for line in ended.err.splitlines() if "rollback journal" in line]


def test_the_file_alone_holds_everything_after_close(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as reader:
        with opened(tmp_path / "log.db") as log:
            put_all(log, 50)
            reader.execute("SELECT count(*) FROM responses").fetchall()  # another process has it open: SQLite alone would not fold the WAL in
            shutil.copy(log.path, tmp_path / "live.db")
            assert rows(tmp_path / "live.db") == []  # why the fold matters
        shutil.copy(log.path, tmp_path / "copy.db")
        assert len(rows(tmp_path / "copy.db")) == 50
        assert (tmp_path / "log.db-wal").stat().st_size == 0


def test_nothing_is_folded_in_while_another_process_commits(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as reader, open(tmp_path / "log.db-lock", "ab") as lock:
        with opened(tmp_path / "log.db") as log:
            put_all(log, 50)
            reader.execute("SELECT count(*) FROM responses").fetchall()
            fcntl.flock(lock, fcntl.LOCK_SH)  # as another process does for a commit
        assert (tmp_path / "log.db-wal").stat().st_size > 0
        assert reader.execute("SELECT count(*) FROM responses").fetchone() == (50,)


def test_the_wal_is_folded_in_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_log, "WAL_BYTES", 100_000)
    largest = 0
    with opened(tmp_path / "log.db") as log:
        for attempt in range(60):
            put_all(log, 5, "x" * 5000, attempt)
            largest = max(largest, (tmp_path / "log.db-wal").stat().st_size)
        assert (tmp_path / "log.db").stat().st_size > 1_000_000
    assert 0 < largest < 300_000


def test_a_commit_waits_for_another_writer(tmp_path: Path) -> None:
    async def work(log: ResponseLog, other: sqlite3.Connection) -> None:
        other.execute("BEGIN IMMEDIATE")
        put = asyncio.create_task(log.put("k", 0, "fake", asked(), said("yes")))
        done, _ = await asyncio.wait([put], timeout=0.3)
        assert not done
        other.execute("COMMIT")
        assert (await asyncio.wait_for(put, 10)).response == said("yes")

    with opened(tmp_path / "log.db") as log, contextlib.closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        asyncio.run(work(log, other))


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from engine_parts import asked, opened, said
from judgebench.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def work(log):
    for i in range(1000):
        try:
            await log.put(f"k{i}", 0, "fake", asked(i), said("x" * 2000))
            print(i, flush=True)
        except StorageError as error:
            print(error, file=sys.stderr)
            break
    try:
        await log.put("later", 0, "fake", asked(), said("x"))
    except StorageError:
        pass
with opened(Path(sys.argv[1])) as log:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    asyncio.run(work(log))
"""


def test_a_full_disk_is_one_line_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "log.db")], env=environment, capture_output=True, text=True, timeout=60, check=False)
    acknowledged = [f"k{line}" for line in done.stdout.split()]
    assert done.returncode == 0 and 10 < len(acknowledged) < 1000
    assert len(done.stderr.splitlines()) == 1 and "could not be saved" in done.stderr and "free space" in done.stderr
    with opened(tmp_path / "log.db") as log:
        assert [key for key in acknowledged if log.get(key) is None] == []
        assert log.get("later") is None
        put_all(log, 1)  # and with space again, it goes on


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "log.db", tmp_path):
        with pytest.raises(StorageError, match="--log") as caught:
            ResponseLog(path)
        assert "\n" not in str(caught.value)


def test_a_bug_in_the_writer_reaches_those_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(point: str) -> None:
        raise ZeroDivisionError(point)

    monkeypatch.setattr(response_log, "reached", reached)
    with opened(tmp_path / "log.db") as log, pytest.raises(ZeroDivisionError):
        put_all(log, 3)
    assert rows(log.path) == []  # and nothing is half committed


def test_closing_commits_what_is_queued_and_closing_twice_does_nothing(tmp_path: Path) -> None:
    async def work(log: ResponseLog) -> None:
        task = asyncio.create_task(log.put("k", 0, "fake", asked(), said("yes")))
        await asyncio.sleep(0)
        log.close()
        log.close()
        assert (await task).response == said("yes")
        with pytest.raises(StorageError, match="closed"):
            await log.put("later", 0, "fake", asked(), said("no"))

    log = ResponseLog(tmp_path / "log.db")
    asyncio.run(work(log))
    assert rows(log.path) == [("k", 0)]


def test_a_task_that_is_cancelled_while_it_waits_for_the_commit_loses_no_row(tmp_path: Path) -> None:
    async def work(log: ResponseLog) -> None:
        tasks = [asyncio.create_task(log.put(f"k{i}", 0, "fake", asked(), said("yes"))) for i in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(d, asyncio.CancelledError) for d in done] == [i == 2 for i in range(5)]

    with opened(tmp_path / "log.db") as log:
        asyncio.run(work(log))
    assert len(rows(log.path)) == 5
