"""Work on a stream: in order, within a window, stopped by the first error, and never left hanging."""

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgebench.engine.streaming import OrderedStream


async def within(seconds: float, stream: OrderedStream[int, int]) -> None:
    async with asyncio.timeout(seconds):
        await stream.run()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 80), st.integers(1, 12), st.none() | st.integers(1, 30), st.integers(0, 10**6))
def test_results_come_in_order_and_the_window_is_kept(n: int, width: int, ahead: int | None, seed: int) -> None:
    rng = random.Random(seed)
    started, running, delivered = 0, 0, []
    most_running = most_ahead = 0

    async def work(item: int) -> int:
        nonlocal started, running, most_running, most_ahead
        started, running = started + 1, running + 1
        most_running = max(most_running, running)
        most_ahead = max(most_ahead, started - len(delivered))
        for _ in range(rng.randrange(6) if rng.random() < 0.9 else 60):
            await asyncio.sleep(0)
        running -= 1
        return item * item

    asyncio.run(within(20, OrderedStream(iter(range(n)), work, delivered.append, width=width, ahead=ahead)))
    assert delivered == [i * i for i in range(n)]
    assert most_running <= width
    assert most_ahead <= (ahead or 4 * width + 256)


def test_items_are_read_only_as_places_become_free() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for i in itertools.count():
            read.append(i)
            yield i

    async def work(item: int) -> int:
        await asyncio.Event().wait()
        return item

    async def run() -> None:
        task = asyncio.create_task(OrderedStream(items(), work, lambda r: None, width=5).run())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert len(read) == 5


def test_one_slow_item_holds_back_no_more_than_the_window() -> None:
    async def run() -> None:
        slow, delivered, started = asyncio.Event(), [], []

        async def work(item: int) -> int:
            started.append(item)
            if item == 0:
                await slow.wait()
            return item

        task = asyncio.create_task(OrderedStream(iter(range(1000)), work, delivered.append, width=4, ahead=50).run())
        await asyncio.sleep(0.05)
        assert (len(started), delivered) == (50, [])
        slow.set()
        await asyncio.wait_for(task, 10)
        assert delivered == list(range(1000))

    asyncio.run(run())


@pytest.mark.parametrize("where", ["work", "items", "deliver"])
def test_the_first_error_stops_everything_and_is_raised_as_it_is(where: str) -> None:
    under_way, cleaned_up, delivered = 0, 0, []

    def items() -> Iterator[int]:
        yield from range(20)
        if where == "items":
            raise KeyError("items")
        yield from range(20, 10_000)

    async def work(item: int) -> int:
        nonlocal under_way, cleaned_up
        under_way += 1
        try:
            await asyncio.sleep(0 if item < 20 else 30)
            if item == 7 and where == "work":
                raise KeyError("work")
        finally:
            cleaned_up += 1
        return item

    def deliver(result: int) -> None:
        if result == 7 and where == "deliver":
            raise KeyError("deliver")
        delivered.append(result)

    with pytest.raises(KeyError, match=where):
        asyncio.run(within(10, OrderedStream(items(), work, deliver, width=8)))
    assert under_way == cleaned_up < 40
    assert delivered == list(range(len(delivered)))
    if where != "items":
        assert len(delivered) == 7


def test_an_error_reaches_workers_that_wait_for_room() -> None:
    async def work(item: int) -> int:
        if item == 0:
            await asyncio.sleep(0.05)
            raise KeyError("late")
        return item

    with pytest.raises(KeyError):
        asyncio.run(within(10, OrderedStream(iter(range(1000)), work, lambda r: None, width=4, ahead=6)))


def test_cancelling_the_stream_cancels_and_awaits_all_work() -> None:
    ended = []

    async def work(item: int) -> int:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0)  # cleaning up may take a moment: it is waited for
            ended.append(item)
        return item

    async def run() -> None:
        task = asyncio.create_task(OrderedStream(iter(range(100)), work, lambda r: None, width=6).run())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(ended) == list(range(6))

    asyncio.run(run())
