"""Response logs as they are found: damaged, under two names, read-only, or where none can be made."""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_parts import asked, opened, said

from judgebench.engine.response_log import ResponseLog
from judgebench.errors import StorageError

GOOD = {"text": "a", "finish_reason": "stop", "model": None, "reasoning": None, "prompt_tokens": 1, "completion_tokens": None}


@pytest.mark.parametrize(
    "document",
    ["{}", '{"text": "a', "[]", "5", "null", "[" * 100_000, b"\xff", *(json.dumps({**GOOD, k: v}) for k, v in [
        ("text", 5), ("text", None), ("finish_reason", "?"), ("finish_reason", []), ("model", 1), ("reasoning", []), ("prompt_tokens", "7"), ("completion_tokens", True)])],
    ids=lambda d: str(d)[:40],
)  # fmt: skip
def test_a_damaged_row_is_named_and_does_not_crash(document: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        asyncio.run(log.put("k" * 64, 0, "fake", asked(), said("a")))
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE responses SET response = ?", (document,))
    with opened(path) as log, pytest.raises(StorageError, match=r"log\.db: the response to request kkkkkkkkkkkk is damaged; name another file with --log"):
        log.get("k" * 64)


def test_the_row_that_the_damaged_ones_are_made_of_is_good(tmp_path: Path) -> None:
    with opened(tmp_path / "log.db") as log:
        asyncio.run(log.put("k", 0, "fake", asked(), said("b")))
        with contextlib.closing(sqlite3.connect(log.path)) as other, other:
            other.execute("UPDATE responses SET response = ?", (json.dumps(GOOD),))
        assert log.get("k") == said("a", (1, None)).__class__("a", "stop", None, said("", (1, None)).usage)


def test_two_names_of_one_log_share_one_lock(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(tmp_path / "log.db")  # before the log is made, too
    with opened(link) as one, opened(tmp_path / "log.db") as other:
        asyncio.run(one.put("k", 0, "fake", asked(), said("a")))
        assert other.get("k") == said("a")
        assert one._wal_bytes() == other._wal_bytes() > 0
        assert os.path.samestat(os.fstat(one._lock.fileno()), os.fstat(other._lock.fileno()))
    assert os.listdir(link.parent) == ["link.db"]
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "log.db", "log.db-lock"]


def test_no_lock_file_is_left_where_no_log_could_be_made(tmp_path: Path) -> None:
    (tmp_path / "log.db-journal").mkdir()  # SQLite cannot begin
    (tmp_path / "log.db-wal").mkdir()
    with pytest.raises(StorageError, match="--log"):
        ResponseLog(tmp_path / "log.db")
    assert not (tmp_path / "log.db-lock").exists()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(StorageError, match="no ordinary file"):
            ResponseLog(path)
        assert not Path(f"{path}-lock").exists()


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach, as tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="judgebench-log-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


READ = """
import asyncio, sys, os
from judgebench.engine.response_log import ResponseLog
from judgebench.errors import StorageError
from engine_parts import Answering, Parts, asked, opened, said
from pathlib import Path
if os.geteuid() == 0: os.setuid(65534)  # root may write everywhere
with opened(Path(sys.argv[1])) as log:
    print(log.journal, log.get("k").text, log.knows("fake"), log.attempts("none"))
    generator = Answering(None)
    for work in (log.put("new", 0, "fake", asked(), said("b")), Parts(generator, log).durable.generate(asked())):
        try:
            asyncio.run(work)
        except StorageError as error:
            print("read-only" in str(error), len(generator.requests))
"""


@pytest.mark.parametrize(("file_mode", "folder_mode", "lock"), [(0o444, 0o777, True), (0o444, 0o555, False), (0o666, 0o555, True)])
def test_a_read_only_log_is_read_and_asks_nobody(file_mode: int, folder_mode: int, lock: bool, shared_folder: Path) -> None:
    path = shared_folder / "a log?#%.db"
    with opened(path) as log:
        asyncio.run(log.put("k", 0, "fake", asked(), said("yes")))
    if not lock:
        Path(f"{path}-lock").unlink()
    path.chmod(file_mode)
    shared_folder.chmod(folder_mode)
    before = path.read_bytes(), sorted(os.listdir(shared_folder))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", READ, str(path)], env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.stderr, ended.stdout.splitlines()) == ("", ["read-only yes True 0", "True 0", "True 0"])
    assert (path.read_bytes(), sorted(os.listdir(shared_folder))) == before
