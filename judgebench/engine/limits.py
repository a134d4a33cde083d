"""How many calls an endpoint gets at once, and how fast: one limiter per endpoint, shared by all that call it."""

from __future__ import annotations

import asyncio
import time
from collections import deque

GROWTH_START = 16
GROWTH_CAP = 256


class EndpointLimiter:
    """Adaptive concurrency, calls per minute, and pauses that the provider asks for.

    Without a fixed number the limit starts at 16 and grows by one for every limit's worth of answers (additive increase), up
    to 256; a 429 halves it, at most once for the calls that were in flight together (multiplicative decrease). With a
    fixed number it starts there and never grows above it.

    Args:
        concurrency: the fixed number, None to adapt. rpm: calls per minute at most, None for no limit.
    """

    def __init__(self, concurrency: int | None = None, rpm: float | None = None) -> None:
        self.cap = float(concurrency or GROWTH_CAP)
        self.limit = float(concurrency or GROWTH_START)
        self.in_flight = 0
        self.paused_until = 0.0
        self.exhausted_in_row = 0
        self._interval = 60.0 / rpm if rpm else 0.0
        self._next_start = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._halved_at = 0.0
        self._stopped: Exception | None = None

    def stop(self, error: Exception) -> None:
        """Let no further call through: every `acquire` from now on, and those that wait, raise `error`."""
        self._stopped = self._stopped or error

    async def acquire(self) -> float:
        """Wait for a place; returns the time at which the call starts, which `release` wants back.

        Raises:
            Exception: what `stop` was given.
        """
        while self.in_flight >= max(1, int(self.limit)):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1
        try:
            await self._pace()
            if self._stopped is not None:
                raise self._stopped
        except BaseException:
            self._give_back()
            raise
        return time.monotonic()

    async def _pace(self) -> None:
        """Wait for the provider's pause and for the next start that --rpm allows; a start that falls into a pause is lost."""
        while True:
            while (delay := self.paused_until - time.monotonic()) > 0:
                await asyncio.sleep(delay)
            if not self._interval:
                return
            start = max(time.monotonic(), self._next_start)
            self._next_start = start + self._interval
            while (delay := start - time.monotonic()) > 0:
                await asyncio.sleep(delay)
            if self.paused_until <= time.monotonic():
                return

    def release(self, started: float, *, answered: bool, throttled: bool = False, retry_after: float | None = None) -> None:
        """Give a place back and learn from how the call went.

        Args:
            started: what `acquire` returned. answered: it was. throttled: the provider said 429 or 529.
            retry_after: seconds for which the provider wants no call at all.
        """
        if throttled and started >= self._halved_at:
            self.limit = max(1.0, self.limit / 2)
            self._halved_at = time.monotonic()
        elif answered:
            self.exhausted_in_row = 0
            self.limit = min(self.cap, self.limit + 1.0 / self.limit)
        if retry_after:
            self.paused_until = max(self.paused_until, time.monotonic() + retry_after)
        self._give_back()

    def _give_back(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        free = max(1, int(self.limit)) - self.in_flight
        while free > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1
