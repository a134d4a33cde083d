"""Work on a stream of items, many at once, with the results in the order of the items and memory that stays flat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class OrderedStream(Generic[T, R]):
    """Runs `work` on every item and hands the results to `deliver` in order.

    Args:
        items: read only as fast as places become free. work: a coroutine function. deliver: called in order, never awaited.
        width: items under way at once. ahead: how far behind the newest started item the oldest unfinished one may lie;
            beyond it the stream waits, so that results held back never exceed this number.
    """

    def __init__(self, items: Iterator[T], work: Callable[[T], Awaitable[R]], deliver: Callable[[R], None], *, width: int, ahead: int | None = None) -> None:
        self._items = items
        self._work = work
        self._deliver = deliver
        self._width = width
        self._ahead = ahead or 4 * width + 256
        self._held: dict[int, R] = {}
        self._started = 0
        self._delivered = 0
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Work through all items. The first error of any item stops everything and is raised."""
        workers = [asyncio.create_task(self._worker()) for _ in range(self._width)]
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _worker(self) -> None:
        while True:
            while self._started - self._delivered >= self._ahead:
                self._room.clear()
                await self._room.wait()
            try:
                item = next(self._items)
            except StopIteration:
                return
            place = self._started
            self._started += 1
            self._finished(place, await self._work(item))

    def _finished(self, place: int, result: R) -> None:
        self._held[place] = result
        while self._delivered in self._held:
            self._deliver(self._held.pop(self._delivered))
            self._delivered += 1
        self._room.set()
