"""Faults of the other side: a run completes through them, or ends in one clear line and is resumed."""

import random
import threading
import time
from pathlib import Path

import pytest
from firing import CONCURRENCY, Job, committed, score_by_text, undisturbed
from loopback import LoopbackServer
from workbench import run_process

SHARES = {"429": 5, "429-plain": 5, "500": 5, "529": 2, "silent": 2, "cut": 1, "html": 1, "badjson": 1}  # percent
SOON = "import judgebench.engine.retry as retry; retry.ATTEMPTS = 4"  # a server that has gone is given up after two seconds, not thirty


class Faults:
    """A planned fault for every call, by chance; `counts` says which have come."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
        self.counts: dict[str | None, int] = {}

    def __call__(self, index: int) -> str | None:
        place = self._rng.randrange(100)
        kind = "429-date" if index == 150 else self._kinds[place] if place < len(self._kinds) else None
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return kind


@pytest.mark.slow
def test_a_run_completes_through_a_fifth_of_faults(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "undisturbed", 400)
    faults = Faults(3)
    with LoopbackServer(score_by_text, faults=faults) as server:
        job = Job(tmp_path, server, more=("--timeout", 3))
        assert job.completed() == expected
        assert server.answered == job.needed, "something was asked again after it had been answered"
        assert set(faults.counts) == {*SHARES, "429-date", None}
        assert server.calls == job.needed + sum(n for kind, n in faults.counts.items() if kind)
    run = job.run_json()
    assert run["complete"] and run["counts"]["failures"] == {}
    assert sum(run["calls"]["retried"].values()) == server.calls - job.needed
    assert run["calls"]["retried"]["timeout"] == faults.counts["silent"]


def test_a_server_that_dies_in_the_middle_is_one_line_and_the_run_is_resumed(tmp_path: Path) -> None:
    server = LoopbackServer(score_by_text, latency=0.02).start()
    job = Job(tmp_path, server, 200)

    def stop_in_the_middle() -> None:
        until = time.monotonic() + 60
        while server.calls < 60 and time.monotonic() < until:
            time.sleep(0.005)
        server.stop()

    killer = threading.Thread(target=stop_in_the_middle)
    killer.start()
    ended = run_process(tmp_path, *job.arguments(), before=SOON)
    killer.join()
    assert ended.code == 3
    (line,) = ended.complaints
    assert "run the same command again" in line and str(server.port) in line
    kept = committed(job.log)
    assert 40 <= kept < 200
    assert not job.run_json()["complete"]

    ended = run_process(tmp_path, *job.arguments(), before=SOON)  # still down: said before anything is asked
    assert ended.code == 3 and len(ended.complaints) == 1 and committed(job.log) == kept
    with server:
        job.completed()
        assert job.run_json()["calls"]["from_log"] == kept
        assert server.answered <= 200 + CONCURRENCY and committed(job.log) == 200


FULL = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))"


def test_a_disk_that_fills_up_is_one_line_and_the_run_is_resumed(tmp_path: Path) -> None:
    with LoopbackServer(lambda body: "x" * 2000 + score_by_text(body)) as server:
        job = Job(tmp_path, server, 150)
        ended = run_process(tmp_path, *job.arguments(), before=FULL)
        assert ended.code == 2 and "Traceback" not in ended.err
        assert len(ended.complaints) == 1 and "could not be saved" in ended.complaints[0]
        kept = committed(job.log)
        assert 10 < kept < 150
        assert not (tmp_path / "r").exists() or not any((tmp_path / "r").iterdir()), "nothing half-written"
        calls = server.calls
        job.completed()
        assert server.calls == calls + 150 - kept


# Root may write everywhere; without these two capabilities it is like anybody else.
NOBODY_SPECIAL = """
import ctypes
libc, header, data = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, data)
data[0] &= ~0b110
libc.capset(header, data)
"""


@pytest.mark.parametrize("place", ["log", "folder"])
def test_a_read_only_folder_is_one_line_and_nothing_is_asked(place: str, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    with LoopbackServer(score_by_text) as server:
        arguments = Job(tmp_path, server, 5).arguments()
        arguments[arguments.index("--log" if place == "log" else "--out") + 1] = locked / "x.db"
        locked.chmod(0o555)
        ended = run_process(tmp_path, *arguments, before=NOBODY_SPECIAL)
        locked.chmod(0o755)
        assert ended.code == 2 and "Traceback" not in ended.err
        assert len(ended.complaints) == 1 and str(locked) in ended.complaints[0]
        assert server.calls == 0 and list(locked.iterdir()) == []
