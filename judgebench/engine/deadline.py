"""A time limit for many calls at once. `asyncio.timeout` would do, at the price of a timer per call: a twentieth of all time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Deadline:
    """The same limit for every call, kept with one timer: as all have as long, the first to start is the first to be late.

    Args:
        seconds: how long a call may take, from its start.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def keep(self, call: Awaitable[T]) -> T:
        """What a call returns; one call per task at a time.

        Raises:
            TimeoutError: it took too long and was cancelled.
        """
        task, loop = cast("asyncio.Task[Any]", asyncio.current_task()), asyncio.get_running_loop()
        cancelled_before = task.cancelling()
        self._due[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._cancel_late)
        try:
            return await call
        except asyncio.CancelledError:
            if task in self._late:
                self._late.discard(task)
                if task.uncancel() <= cancelled_before:  # by us, and by nobody else as well
                    raise TimeoutError from None
            raise
        finally:
            self._ended(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._due[task]
        if task in self._late:  # it was cancelled too late, or made something else of it
            self._late.discard(task)
            task.uncancel()
        if not self._due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_late(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, due in self._due.items():
            if due > loop.time():
                self._timer = loop.call_at(due, self._cancel_late)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()
