"""kill -9 at random moments and at named points, resumed each time: nothing is lost, doubled or asked again."""

import random
import time
from pathlib import Path

import pytest
from firing import CONCURRENCY, Job, committed, score_by_text, settled, undisturbed
from loopback import LoopbackServer


def kill_at(job: Job, new_calls: int, seconds: float) -> None:
    """Start the run and kill it so long after it has sent so many calls."""
    before, began = job.server.calls, time.monotonic()
    process = job.start()
    while job.server.calls < before + new_calls and process.poll() is None and time.monotonic() < began + 30:
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.wait()


def kill_and_check(job: Job, new_calls: int, seconds: float) -> int:
    """One kill; returns how many calls it cost. Whatever was in the log before is never asked again."""
    calls, rows = job.server.calls, committed(job.log)
    kill_at(job, new_calls, seconds)
    sent, kept = settled(job.server) - calls, committed(job.log) - rows
    assert 0 <= sent - kept <= CONCURRENCY, f"{sent} calls were sent and {kept} responses kept"
    return sent - kept


def hammered(job: Job, moments: list[tuple[int, float]]) -> int:
    """Kill the run at every moment; returns the calls lost by all kills."""
    lost = 0
    for new_calls, seconds in moments:
        lost += kill_and_check(job, new_calls, seconds)
        if (job.folder / "r" / "run.json").exists():  # a run folder that looks finished is finished
            assert len(job.result()["judgments.jsonl"].splitlines()) == job.n * job.turns
    return lost


@pytest.mark.slow
def test_thirty_kills_at_random_moments(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "undisturbed", 400)
    rng = random.Random(20261121)
    moments = [(0, rng.uniform(0.0, 1.0)) for _ in range(3)]  # while it starts
    moments += [(rng.randint(1, 13), rng.uniform(0.0, 0.05)) for _ in range(24)]  # while it works
    with LoopbackServer(score_by_text, latency=0.04) as server:
        job = Job(tmp_path, server)
        lost = hammered(job, moments)
        assert 0 < committed(job.log) < job.needed, "the kills did not fall into the run"
        lost += hammered(job, [(job.needed - committed(job.log), rng.uniform(0.0, 0.15)) for _ in range(3)])  # while it ends
        assert job.completed() == expected
        assert server.calls == job.needed + lost
        assert committed(job.log) == job.needed
        assert lost <= 30 * CONCURRENCY
        assert job.completed() == expected and server.calls == job.needed + lost  # once more: nothing is sent
    assert [path.name for path in (tmp_path / "r").iterdir() if path.name.startswith(".")] == [], "what killed runs left is swept away"


@pytest.mark.slow
def test_kills_of_a_run_that_generates_two_turns_and_judges_them(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "undisturbed", 60, 2, generated=True)
    rng = random.Random(8)
    with LoopbackServer(score_by_text, latency=0.04) as server:
        job = Job(tmp_path, server, 60, 2, generated=True)
        lost = hammered(job, [(rng.randint(1, 20), rng.uniform(0.0, 0.06)) for _ in range(6)])
        assert 0 < committed(job.log) < job.needed
        assert job.completed() == expected
        assert server.calls == job.needed + lost == committed(job.log) + lost


DIE = """
import os, judgebench.engine.asking as asking, judgebench.engine.response_log as response_log
def die(point, seen=[]):
    seen.append(point)
    if seen.count("{point}") == {nth}:
        os.kill(os.getpid(), 9)
asking.reached = response_log.reached = die
"""


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize(("point", "lost"), [("after-response", 1), ("in-commit", 1), ("after-commit", 0)])
def test_a_kill_at_a_named_point_costs_exactly_the_call_that_was_not_committed(point: str, lost: int, nth: int, tmp_path: Path) -> None:
    with LoopbackServer(score_by_text) as server:
        job = Job(tmp_path, server, 12, more=("--concurrency", 1))
        assert job.start(before=DIE.format(point=point, nth=nth)).wait(60) == -9
        assert committed(job.log) == nth - lost
        assert server.answered == nth
        killed = job.completed()
        assert (server.calls, committed(job.log)) == (12 + lost, 12)
        (tmp_path / "log.db").unlink()
        assert job.completed("other") == killed


@pytest.mark.slow
@pytest.mark.parametrize("point", ["after-response", "in-commit", "after-commit"])
def test_a_kill_at_a_named_point_with_many_calls_in_flight(point: str, tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "undisturbed", 60)
    with LoopbackServer(score_by_text, latency=0.01) as server:
        job = Job(tmp_path, server, 60)
        rows = 0
        for nth in (1, 2):
            assert job.start(before=DIE.format(point=point, nth=nth)).wait(60) == -9
            assert settled(server) - committed(job.log) <= (1 if nth == 1 else 2) * CONCURRENCY
            assert committed(job.log) >= rows
            rows = committed(job.log)
        assert job.completed() == expected
        assert server.calls <= 60 + 2 * CONCURRENCY and committed(job.log) == 60
