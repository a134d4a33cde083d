"""Places, pace and pauses of an endpoint, in time that jumps: every wait is exact and takes none."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from engine_parts import jumping
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgebench.engine import limits
from judgebench.engine.limits import GROWTH_CAP, GROWTH_START, EndpointLimiter

Runs = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return jumping(monkeypatch, limits)


def now() -> float:
    return asyncio.get_running_loop().time()


async def taken(limiter: EndpointLimiter, n: int) -> list[float]:
    return [await limiter.acquire() for _ in range(n)]


async def blocked(limiter: EndpointLimiter) -> bool:
    """Whether the next call would have to wait."""
    task = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waits = not task.done()
    if waits:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    else:
        limiter.release(task.result(), answered=False)
    return waits


def test_a_burst_of_refusals_halves_once_and_the_next_burst_again(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter()
        for expected in (GROWTH_START / 2, GROWTH_START / 4):
            started = await taken(limiter, 4)
            await asyncio.sleep(1)
            for one in started:  # all four were sent before the first refusal was known
                limiter.release(one, answered=False, throttled=True)
            assert limiter.limit == expected
            await asyncio.sleep(1)

    run(work())


def test_the_limit_never_falls_below_one_and_one_call_always_gets_through(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter()
        for _ in range(20):
            started = await limiter.acquire()
            await asyncio.sleep(1)
            limiter.release(started, answered=False, throttled=True)
        assert limiter.limit == 1.0
        await taken(limiter, 1)
        assert await blocked(limiter)

    run(work())


def test_a_limits_worth_of_answers_adds_one_up_to_the_cap(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter()
        for _ in range(GROWTH_START):
            limiter.release((await taken(limiter, 1))[0], answered=True)
        assert GROWTH_START + 0.9 < limiter.limit <= GROWTH_START + 1
        for _ in range(GROWTH_CAP * GROWTH_CAP):
            limiter.release((await taken(limiter, 1))[0], answered=True)
        assert limiter.limit == GROWTH_CAP

    run(work())


def test_failures_that_are_no_refusal_neither_grow_nor_shrink(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter()
        limiter.release((await taken(limiter, 1))[0], answered=False)
        assert limiter.limit == GROWTH_START

    run(work())


@pytest.mark.parametrize("number", [1, 3, 500])
def test_a_fixed_number_is_kept_exactly_and_regained_after_a_refusal(run: Runs, number: int) -> None:
    async def work() -> None:
        limiter = EndpointLimiter(number)
        started = await taken(limiter, number)
        assert await blocked(limiter)
        await asyncio.sleep(1)
        limiter.release(started[0], answered=False, throttled=True)
        assert limiter.limit == max(1, number / 2)
        for one in started[1:]:
            limiter.release(one, answered=True)
        for _ in range(2 * number * number):
            limiter.release(await limiter.acquire(), answered=True)
        assert limiter.limit == number

    run(work())


def test_rpm_spaces_the_starts_evenly(run: Runs) -> None:
    async def work() -> list[float]:
        limiter, starts = EndpointLimiter(rpm=120), []

        async def one() -> None:
            started = await limiter.acquire()
            starts.append(now())
            await asyncio.sleep(3)
            limiter.release(started, answered=True)

        await asyncio.gather(*(one() for _ in range(40)))
        return starts

    starts = run(work())
    assert [round(b - a, 6) for a, b in itertools.pairwise(starts)] == [0.5] * 39


def test_retry_after_pauses_every_call_to_the_endpoint(run: Runs) -> None:
    async def work() -> None:
        limiter, begin = EndpointLimiter(), now()
        first, second = await taken(limiter, 2)
        limiter.release(first, answered=False, throttled=True, retry_after=7.0)
        limiter.release(second, answered=False, throttled=True, retry_after=2.0)  # a shorter word does not shorten the pause
        assert await asyncio.gather(*(limiter.acquire() for _ in range(3))) == [begin + 7.0] * 3

    run(work())


def test_a_call_that_waits_for_its_pace_obeys_a_pause_that_comes_meanwhile(run: Runs) -> None:
    async def work() -> list[float]:
        limiter, begin = EndpointLimiter(rpm=60), now()
        first = await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(3)]  # at 1, 2 and 3 s
        await asyncio.sleep(0.5)
        limiter.release(first, answered=False, throttled=True, retry_after=10.0)
        return [one - begin for one in await asyncio.gather(*waiting)]

    starts = sorted(run(work()))
    assert starts[0] >= 10.5
    assert [round(b - a, 6) >= 1 for a, b in itertools.pairwise(starts)] == [True, True]  # and nobody catches up


def test_stop_reaches_those_who_wait_and_those_who_come(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter(1)
        first = await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        limiter.stop(KeyError("no key"))
        limiter.release(first, answered=False)
        assert [type(e) for e in await asyncio.gather(*waiting, return_exceptions=True)] == [KeyError] * 5
        with pytest.raises(KeyError):
            await limiter.acquire()
        assert limiter.in_flight == 0

    run(work())


def test_a_place_that_was_given_to_a_cancelled_call_goes_to_the_next(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter(1)
        first = await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(0)
        limiter.release(first, answered=True)  # wakes the first of them, which is cancelled before it runs
        waiting[0].cancel()
        assert await waiting[1] == now()

    run(work())


CALL = st.tuples(
    st.floats(0, 20),  # when it comes
    st.floats(0, 5),  # how long it takes
    st.none() | st.floats(0, 30),  # when it is cancelled
    st.sampled_from(["answered", "throttled", "paused", "failed"]),
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALL, min_size=1, max_size=40), st.none() | st.integers(1, 6), st.none() | st.sampled_from([60.0, 600.0]))
def test_whatever_happens_no_place_is_lost_or_given_twice(run: Runs, calls: list[tuple[float, float, float | None, str]], concurrency: int | None, rpm: float | None) -> None:
    async def one(limiter: EndpointLimiter, comes: float, takes: float, outcome: str) -> str:
        await asyncio.sleep(comes)
        started = await limiter.acquire()
        throttled = outcome in ("throttled", "paused")
        try:
            assert 0 < limiter.in_flight <= limiter.cap
            await asyncio.sleep(takes)
        finally:
            limiter.release(started, answered=outcome == "answered", throttled=throttled, retry_after=3.0 if outcome == "paused" else None)
        return "done"

    async def work() -> None:
        limiter = EndpointLimiter(concurrency, rpm)
        tasks = [asyncio.create_task(one(limiter, comes, takes, outcome)) for comes, takes, _, outcome in calls]
        for task, (_, _, cancelled, _) in zip(tasks, calls, strict=True):
            if cancelled is not None:
                asyncio.get_running_loop().call_later(cancelled, task.cancel)
        ends = await asyncio.gather(*tasks, return_exceptions=True)  # a lost wake-up would hang here
        for end, (_, _, cancelled, _) in zip(ends, calls, strict=True):
            assert end == "done" or (cancelled is not None and isinstance(end, asyncio.CancelledError))
        assert limiter.in_flight == 0
        assert 1 <= limiter.limit <= limiter.cap

    run(work())


def test_places_are_never_more_than_the_limit_when_a_call_starts(run: Runs) -> None:
    async def work() -> None:
        limiter = EndpointLimiter(8)

        async def one(i: int) -> None:
            started = await limiter.acquire()
            assert limiter.in_flight <= max(1, int(limiter.limit))
            await asyncio.sleep(1 + i % 3)
            limiter.release(started, answered=i % 5 != 0, throttled=i % 5 == 0)

        await asyncio.gather(*(one(i) for i in range(200)))

    run(work())
