"""What the tests of the engine share: requests, generators made of a function, a durable generator, and a clock that jumps."""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from judgebench.engine.asking import DurableGenerator
from judgebench.engine.budget import Budget
from judgebench.engine.counters import Counters
from judgebench.engine.limits import EndpointLimiter
from judgebench.engine.prices import Price
from judgebench.engine.response_log import ResponseLog
from judgebench.errors import ProviderError
from judgebench.types import Generator, Message, Request, Response, Sampling, Usage

T = TypeVar("T")


def asked(text: object = "hello", *, max_tokens: int | None = 64, sample: int = 0) -> Request:
    """A request with one message."""
    return Request((Message("user", str(text)),), Sampling(0.0, max_tokens), sample, "", str(text), "writing", 1)


def said(text: str, tokens: tuple[int | None, int | None] = (100, 20)) -> Response:
    return Response(text, "stop", "fake-2026-01-01", Usage(*tokens))


def failed(kind: str = "server", *, retryable: bool = True, status: int | None = 500, retry_after: float | None = None) -> ProviderError:
    return ProviderError(f"fake: {kind}", retryable=retryable, status=status, kind=kind, retry_after=retry_after)


class Answering:
    """A remote generator made of a coroutine function; it keeps what it was asked."""

    remote = True
    identity = "fake"

    def __init__(self, answer: Callable[[Request], Coroutine[Any, Any, Response]]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def generate(self, request: Request) -> Response:
        self.requests.append(request)
        return await self._answer(request)

    async def close(self) -> None:
        """Nothing to release."""


class Parts:
    """A durable generator with the parts that a run would share."""

    def __init__(
        self, generator: Generator, log: ResponseLog, *, concurrency: int | None = 16, rpm: float | None = None, budget: Budget | None = None,
        price: Price | None = None, timeout: float = 30.0, fresh: bool = False,
    ) -> None:  # fmt: skip
        self.counters, self.limiter, self.budget = Counters(), EndpointLimiter(concurrency, rpm), budget or Budget()
        self.durable = DurableGenerator(
            generator, "fake", log=lambda: log, limiter=self.limiter, budget=self.budget, counters=self.counters, price=price, timeout=timeout, fresh=fresh
        )

    async def all(self, n: int) -> list[Response | BaseException]:
        """Ask n different things at once."""
        return await asyncio.gather(*(self.durable.generate(asked(i)) for i in range(n)), return_exceptions=True)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ResponseLog]:
    """A response log, closed at the end."""
    log = ResponseLog(path)
    try:
        yield log
    finally:
        log.close()


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer as soon as nothing else is left to do: hours pass in milliseconds,
    and every wait is exact."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:  # left at the head, the loop would drop it and really wait for the next
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, timers[0]._when)
        super()._run_once()  # type: ignore[misc]


def jumping(monkeypatch: pytest.MonkeyPatch, *modules: Any) -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs coroutines in a loop of jumping time, which is also what time.monotonic() says in the given modules."""
    for module in modules:
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time()))

    def run(work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(1e6):  # of jumping time: a lost wake-up ends here at once
                return await work

        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(bounded())

    return run
