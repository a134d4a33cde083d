"""One time limit for many calls: each call is late at its own time, and whoever else cancels a call is not taken for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from engine_parts import jumping

from judgebench.engine.deadline import Deadline

Runs = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return jumping(monkeypatch)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_every_call_is_late_at_its_own_time(run: Runs) -> None:
    async def one(deadline: Deadline, comes: float, takes: float) -> float:
        await asyncio.sleep(comes)
        began = now()
        try:
            await deadline.keep(asyncio.sleep(takes))
        except TimeoutError:
            assert takes > 10
            assert now() - began == pytest.approx(10)
        else:
            assert takes < 10
            assert now() - began == pytest.approx(takes)
        return now()

    async def work() -> None:
        deadline = Deadline(10)
        await asyncio.gather(*(one(deadline, i * 0.7, (i * 37) % 25 + 0.5) for i in range(100)))
        assert (deadline._due, deadline._late, deadline._timer) == ({}, set(), None)

    run(work())


def test_a_late_task_can_go_on_and_be_late_again(run: Runs) -> None:
    async def work() -> None:
        deadline = Deadline(1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await deadline.keep(asyncio.sleep(5))
            await asyncio.sleep(5)  # not cancelled any more
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0

    run(work())


def test_a_cancellation_from_outside_stays_one(run: Runs) -> None:
    async def work() -> None:
        deadline = Deadline(1)
        early, both = (asyncio.ensure_future(deadline.keep(asyncio.sleep(5))) for _ in range(2))
        asyncio.get_running_loop().call_later(0.5, early.cancel)
        asyncio.get_running_loop().call_at(deadline_of(deadline, both), both.cancel)
        assert [type(end) for end in await asyncio.gather(early, both, return_exceptions=True)] == [asyncio.CancelledError] * 2

    def deadline_of(deadline: Deadline, task: "asyncio.Future[None]") -> float:
        return now() + 1  # at the very moment at which it is late

    run(work())


def test_what_a_call_returns_or_raises_comes_through(run: Runs) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "cleaned up"
        raise AssertionError

    async def broken() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError as error:
            raise KeyError from error

    async def work() -> None:
        deadline = Deadline(1)
        assert await deadline.keep(stubborn()) == "cleaned up"
        with pytest.raises(KeyError):
            await deadline.keep(broken())
        await asyncio.sleep(1)  # neither left a cancellation behind
        assert await deadline.keep(asyncio.sleep(0.5, "in time")) == "in time"

    run(work())


def test_it_works_in_one_event_loop_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(1)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await deadline.keep(asyncio.sleep(5))

    for _ in range(2):
        jumping(monkeypatch)(work())
