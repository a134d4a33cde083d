"""Processes that share a log, at once and one after the other."""

import re
from pathlib import Path

import pytest
from firing import Job, committed, score_by_text, undisturbed
from loopback import LoopbackServer
from workbench import run_process


@pytest.mark.slow
def test_two_processes_at_once_share_a_log(tmp_path: Path) -> None:
    number = iter(range(10_000))

    def differently(body: dict[str, object]) -> str:
        return f"Answer {next(number)}. Rating: [[{1 + next(number) % 10}]]"  # no two answers alike, not even to the same question

    with LoopbackServer(differently, latency=0.02) as server:
        job = Job(tmp_path, server, 200)
        processes = [job.start(out) for out in ("a", "b")]
        assert [process.wait(60) for process in processes] == [0, 0]
        assert job.result("a") == job.result("b")
        assert committed(job.log) == 200
        calls = [job.run_json(out)["calls"] for out in ("a", "b")]
        assert sum(c["paid_twice"] for c in calls) == server.answered - 200
        assert [c["answered"] + c["from_log"] for c in calls] == [200, 200]
        assert sum(c["answered"] for c in calls) == server.answered


@pytest.mark.slow
def test_fresh_asks_again_keeps_the_old_and_is_what_the_next_run_reads(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "undisturbed", 40)
    with LoopbackServer(score_by_text) as server:
        job = Job(tmp_path, server, 40)
        assert job.completed() == expected
        server.reply = lambda body: "Rating: [[2]]"
        assert job.completed() == expected and server.calls == 40
        fresh = Job(tmp_path, server, 40, more=(*job.more, "--fresh")).completed()
        assert fresh != expected and server.calls == 80 and committed(job.log) == 80
        assert job.completed() == fresh and server.calls == 80
        assert job.run_json()["calls"]["from_log"] == 40


def test_a_run_says_how_many_answers_came_from_the_log(tmp_path: Path) -> None:
    with LoopbackServer(score_by_text) as server:
        job = Job(tmp_path, server, 30)
        ended = [run_process(tmp_path, *(a for a in Job(tmp_path, server, n).arguments() if a != "--json")) for n in (20, 30)]
        said = [re.search(r"(\d+) calls answered.* (\d+) answers came from the log", one.err) for one in ended]
        assert [match and match.groups() for match in said] == [("20", "0"), ("10", "20")]
        assert server.calls == 30 and job.run_json()["calls"]["most_in_flight"] <= 16
