"""One run's engine: the shared log, limits, budget and counters, and the generators wrapped in them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from judgebench.engine.asking import DurableGenerator, UnderWay
from judgebench.engine.budget import Budget
from judgebench.engine.counters import Counters
from judgebench.engine.limits import EndpointLimiter
from judgebench.engine.prices import Price
from judgebench.engine.response_log import ResponseLog
from judgebench.types import Generator

_OTHER_FILES = 64  # the response log, the run folder, libraries, standard streams


@dataclass(frozen=True)
class EngineOptions:
    """What a user sets about calls.

    Attributes:
        log: the response log's file. concurrency, rpm: per endpoint, None to adapt and for no limit. timeout: seconds a call.
        max_cost, max_calls: limits of the run. fresh: ask again what the log knows.
    """

    log: Path
    concurrency: int | None = None
    rpm: float | None = None
    timeout: float = 600.0
    max_cost: float | None = None
    max_calls: int | None = None
    fresh: bool = False


class Engine:
    """Wraps remote generators so that they share what must be shared. The log is opened at the first one.

    Args:
        options: see there. before_first: awaited once before the first call of the run, e.g. to see that endpoints are up.
    """

    def __init__(self, options: EngineOptions, before_first: Callable[[], Awaitable[None]] | None = None) -> None:
        self.options = options
        self.counters = Counters()
        self.budget = Budget(options.max_cost, options.max_calls)
        self._log: ResponseLog | None = None
        self._limiters: dict[str, EndpointLimiter] = {}
        self._clients: Counter[str] = Counter()  # by endpoint: each keeps its own connections open
        self._before_first = before_first
        self._first: asyncio.Future[None] | None = None
        self._shared = UnderWay()

    def log(self) -> ResponseLog:
        """The response log, opened when first needed."""
        if self._log is None:
            self._log = ResponseLog(self.options.log)
            if self._log.journal == "read-only":
                self.counters.notes[f"{self.options.log}: the response log cannot be written here; only what it holds is answered"] = None
            elif self._log.journal != "wal":
                self.counters.notes[f"{self.options.log}: this file system has no write-ahead log; the slower rollback journal is used"] = None
        return self._log

    def open(self) -> None:
        """Open the log if anything of this run may call, so that what is wrong with it is said before the first call."""
        if self._limiters:
            self._fit_to_files()
            self.log()

    def _fit_to_files(self) -> None:
        """No more calls at once than this process may open sockets."""
        wanted = sum(int(limiter.cap) * self._clients[endpoint] for endpoint, limiter in self._limiters.items())
        places = socket_places(wanted)
        if places is None or wanted <= places:
            return
        for limiter in self._limiters.values():
            limiter.cap = float(max(1, int(limiter.cap) * places // wanted))
            limiter.limit = min(limiter.limit, limiter.cap)
        self.counters.notes[f"fewer calls at once than asked for: this process may open {places} connections, not {wanted} (see `ulimit -n`)"] = None

    def wrapped(self, generator: Generator, label: str, endpoint: str, price: Price | None = None) -> Generator:
        """A generator whose calls are durable; one that is not remote is returned as it is."""
        if not generator.remote:
            return generator
        limiter = self._limiters.setdefault(endpoint, EndpointLimiter(self.options.concurrency, self.options.rpm))
        self._clients[endpoint] += 1
        return DurableGenerator(
            generator, label, log=self.log, limiter=limiter, budget=self.budget, counters=self.counters, price=price,
            timeout=self.options.timeout, fresh=self.options.fresh, before_first=self._checked_once if self._before_first else None, shared=self._shared,
        )  # fmt: skip

    async def _checked_once(self) -> None:
        if self._first is None and self._before_first is not None:
            self._first = asyncio.ensure_future(self._before_first())
        if self._first is not None and (not self._first.done() or self._first.exception() is not None):
            await asyncio.shield(self._first)

    @property
    def width(self) -> int:
        """How many units of work keep every endpoint busy."""
        places = sum(int(limiter.cap) for limiter in self._limiters.values())
        return max(8, min(2048, 2 * places))

    def close(self) -> None:
        """Flush and close the log."""
        if self._log is not None:
            self._log.close()


def socket_places(wanted: int) -> int | None:
    """How many sockets this process may open, None where that is not known.

    Args:
        wanted: the limit on open files is raised towards what that many sockets need, as far as the system lets us.
    """
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        with contextlib.suppress(ValueError, OSError):  # macOS allows less than its hard limit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    return None if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_FILES)
