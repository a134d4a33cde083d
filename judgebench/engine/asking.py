"""The engine around one generator: response log, single flight, budget, limits, timeout, retries. Satisfies `Generator`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from judgebench.engine.budget import Budget
from judgebench.engine.counters import Counters
from judgebench.engine.deadline import Deadline
from judgebench.engine.limits import EndpointLimiter
from judgebench.engine.prices import Price
from judgebench.engine.response_log import ResponseLog, request_key
from judgebench.engine.retry import first_wait, retrying
from judgebench.errors import CredentialError, EndpointDownError, InputError, ProviderError
from judgebench.types import Generator, Request, Response

_THROTTLED = (429, 529)
_NOT_SENT = ("connection", "open_files")  # kinds of failure in which no request left this machine
_FATAL = ("credentials", "not_found")  # kinds of failure that every other call to the endpoint would share
_DOWN_AFTER = 5  # requests in a row that used up all their tries, with none answered in between


def reached(point: str) -> None:
    """Called at the named point "after-response", before the commit; the tests of durability put a kill here."""


@dataclass(frozen=True)
class UnderWay:
    """What a run is asking right now, and what --fresh has asked anew, by request key: two models that are the same thing
    under two names share their calls."""

    flying: dict[str, asyncio.Future[Response]] = field(default_factory=dict)
    renewed: set[str] = field(default_factory=set)


class DurableGenerator:
    """A remote generator whose every response is committed before it is used, and never asked for again.

    Args:
        generator: what is asked. label: its name for people. log: opens the run's response log, when first needed.
        limiter, budget, counters: shared by the run. shared: what is being asked in this run, by whichever model.
        price: for the budget, None when unknown. timeout: seconds for one try. fresh: ask again what the log knows.
        before_first: awaited once, before the first call of the run is sent (the check that endpoints are up).
    """

    remote = True

    def __init__(
        self, generator: Generator, label: str, *, log: Callable[[], ResponseLog], limiter: EndpointLimiter, budget: Budget, counters: Counters,
        price: Price | None = None, timeout: float = 600.0, fresh: bool = False, before_first: Callable[[], Awaitable[None]] | None = None,
        shared: UnderWay | None = None,
    ) -> None:  # fmt: skip
        self._generator = generator
        self.identity = generator.identity
        self.label = label
        self._open_log, self._limiter, self._budget, self._counters = log, limiter, budget, counters
        self._price, self._timeout, self._fresh, self._before_first = price, timeout, fresh, before_first
        self._deadline = Deadline(timeout)
        self._shared = shared or UnderWay()

    @functools.cached_property
    def _log(self) -> ResponseLog:
        return self._open_log()

    async def generate(self, request: Request) -> Response:
        """The response from the log, or from the provider once it is committed.

        Raises:
            ProviderError: not retryable, or all tries failed. CredentialError, InputError: the whole run is misconfigured.
            BudgetError: the call would exceed a limit. StorageError: the response could not be saved.
        """
        key = request_key(self.identity, request)
        flying = self._shared.flying.get(key)
        if flying is not None:  # the same thing is being asked right now: one call serves both
            response = await asyncio.shield(flying)
            self._counters.from_log += 1
            return response
        if not self._fresh or key in self._shared.renewed:
            known = self._log.get(key)
            if known is not None:
                self._counters.read_back(known.usage, self._price.cost(known.usage) if self._price else 0.0)
                return known
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._shared.flying[key] = future
        try:
            response = await self._asked(key, request)
            future.set_result(response)
            return response
        except BaseException as error:
            future.set_exception(error if isinstance(error, Exception) else ProviderError("interrupted", retryable=True))
            future.exception()  # nobody else may be waiting: that is no forgotten error
            raise
        finally:
            del self._shared.flying[key]

    async def _asked(self, key: str, request: Request) -> Response:
        self._log.require_writable()  # before the call: its answer could not be kept
        if self._before_first is not None:
            await self._before_first()
        attempt = self._log.attempts(key) if self._fresh else 0
        try:
            response = await self._until_answered(key, attempt, request)
        except ProviderError as error:
            await self._log.put_failure(key, self.identity, request, error)
            raise self._for_the_run(error) from error
        if self._fresh:
            self._shared.renewed.add(key)
        return response

    async def _until_answered(self, key: str, attempt: int, request: Request) -> Response:
        """The first try, and the retry policy only once that has failed: tenacity's loop would cost every call a tenth of a
        millisecond."""
        try:
            return await self._tried(key, attempt, request)
        except ProviderError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(first_wait(error))
        response: Response = await retrying()(self._tried, key, attempt, request)
        return response

    async def _tried(self, key: str, attempt: int, request: Request) -> Response:
        """One try: reserve, wait for a place, call, commit, give the place back. The place is held until the response is on
        disk, so that a kill never loses more paid responses than calls were in flight."""
        started = await self._limiter.acquire()
        answered, throttled, retry_after, usage, billed = False, False, None, None, True
        try:
            worst = await self._budget.reserve(self._price, request)
            self._counters.sent(self.label)
            try:
                response = await self._within_time(request)
                answered, usage = True, response.usage
                reached("after-response")
                logged = await self._log.put(key, attempt, self.identity, request, response)
            except ProviderError as error:
                throttled, retry_after = error.status in _THROTTLED or error.kind == "open_files", error.retry_after
                billed = error.status is None and error.kind not in _NOT_SENT  # an error status costs nothing, a lost answer may
                self._counters.retried[error.kind] += 1
                if error.kind in _FATAL:  # before the place is given back: whoever waits for it must not send the same in vain
                    self._limiter.stop(self._for_the_run(error))
                raise
            finally:
                self._counters.in_flight -= 1
                self._budget.settle(worst, self._price, usage, billed=billed)
        finally:
            self._limiter.release(started, answered=answered, throttled=throttled, retry_after=retry_after)
        self._counters.answered(self.label, response.usage)
        if self._price is not None:
            self._counters.cost = self._budget.spent
        self._counters.paid_twice += logged.paid_twice
        return logged.response

    async def _within_time(self, request: Request) -> Response:
        try:
            return await self._deadline.keep(self._generator.generate(request))
        except TimeoutError as error:
            raise ProviderError(f"{self.label}: no answer within {self._timeout:g} s", retryable=True, kind="timeout") from error

    def _for_the_run(self, error: ProviderError) -> Exception:
        """A failure that every other call would share stops the run; any other is this call's own."""
        if error.kind == "credentials":
            return CredentialError(str(error))
        if error.kind == "not_found":
            return InputError(str(error))
        if error.retryable:
            self._limiter.exhausted_in_row += 1
            if error.kind == "connection" or self._limiter.exhausted_in_row >= _DOWN_AFTER:
                return EndpointDownError([f"{self.label} does not answer any more ({error}); run the same command again to resume"])
        return error

    async def close(self) -> None:
        """Close the generator inside."""
        await self._generator.close()
