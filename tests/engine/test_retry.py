"""Which failures are asked again, how often, after how long, and when the run gives up. Against a real server where one can be."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import tenacity
from engine_parts import Answering, Parts, asked, failed, jumping, opened, said
from loopback import LoopbackServer

from judgebench.engine import asking, limits, retry
from judgebench.engine.response_log import ResponseLog
from judgebench.errors import CredentialError, EndpointDownError, InputError, ProviderError
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.types import Request, Response

RETRIED = ["429", "429-plain", "408", "409", "500", "502", "503", "529", "drop", "cut", "badjson", "html", "wrong-shape", "silent"]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ResponseLog]:
    with opened(tmp_path / "log.db") as made:
        yield made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits between tries."""
    monkeypatch.setattr(asking, "first_wait", lambda error: 0.0)
    monkeypatch.setattr(retry, "_wait", lambda state: 0.0)


def ask(server: LoopbackServer, log: ResponseLog, n: int = 1, timeout: float = 30.0) -> list[Response | BaseException]:
    async def work() -> list[Response | BaseException]:
        parts = Parts(OpenAIChat(server.url, "fake"), log, timeout=timeout)
        try:
            return await parts.all(n)
        finally:
            await parts.durable.close()

    return asyncio.run(work())


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", RETRIED)
def test_what_may_help_is_asked_once_more_and_what_was_answered_never(fault: str, log: ResponseLog) -> None:
    with LoopbackServer(lambda body: "yes", faults={0: fault}.get) as server:
        (response,) = ask(server, log, timeout=0.5 if fault == "silent" else 30.0)
        again = ask(server, log)
        assert isinstance(response, Response) and response.text == "yes"
        assert again == [response]
        assert (server.calls, server.answered) == (2, 1)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("fault", "error"), [("400", ProviderError), ("401", CredentialError), ("403", CredentialError), ("404", InputError)])
def test_what_cannot_help_is_not_asked_again(fault: str, error: type[Exception], log: ResponseLog) -> None:
    with LoopbackServer(faults=lambda i: fault) as server:
        (raised,) = ask(server, log)
        assert type(raised) is error
        assert server.calls == 1


@pytest.mark.usefixtures("at_once")
def test_a_wrong_key_costs_no_more_calls_than_were_on_their_way(log: ResponseLog) -> None:
    with LoopbackServer(faults=lambda i: "401") as server:
        assert {type(e) for e in ask(server, log, 200)} == {CredentialError}
        assert server.calls <= 16


@pytest.mark.usefixtures("at_once")
def test_after_ten_tries_the_failure_is_kept_and_never_served(log: ResponseLog) -> None:
    working = False

    async def answer(request: Request) -> Response:
        if working:
            return said("yes")
        raise failed()

    async def work() -> None:
        nonlocal working
        generator = Answering(answer)
        parts = Parts(generator, log)
        with pytest.raises(ProviderError):
            await parts.durable.generate(asked())
        assert len(generator.requests) == retry.ATTEMPTS
        assert parts.counters.retried == {"server": retry.ATTEMPTS} and parts.counters.in_flight == parts.limiter.in_flight == 0
        working = True
        assert (await parts.durable.generate(asked())).text == "yes"

    asyncio.run(work())
    assert log._reader.execute("SELECT kind, message FROM failures").fetchall() == [("server", "fake: server")]


@pytest.mark.parametrize("asks_for", [None, 0.0, 0.01, 4.0, 1e9])
def test_waits_grow_and_are_never_shorter_than_the_provider_asked(asks_for: float | None) -> None:
    error = failed(status=429, retry_after=asks_for)
    least = min(asks_for or 0.0, retry.LONGEST_RETRY_AFTER)
    longest = max(least, retry.LONGEST_WAIT)

    def waits(attempt: int) -> list[float]:
        state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
        state.attempt_number = attempt
        state.set_exception((type(error), error, None))
        return [retry._wait(state) for _ in range(300)]

    assert all(least <= wait <= longest for attempt in (1, 5, 9, 40) for wait in waits(attempt))
    assert all(least <= retry.first_wait(error) <= max(least, 0.5) for _ in range(100))
    if least < 1:  # "try again at once" ten times over must not use up all tries in a moment
        assert sum(waits(8)) / 300 > 5


class NoLog(ResponseLog):
    """Keeps nothing: a writer thread would not know of time that jumps."""

    def __init__(self) -> None:
        """Nothing to open."""

    def require_writable(self) -> None:
        """Nothing is written."""

    def get(self, key: str) -> None:
        return None

    async def put_failure(self, *what: object) -> None:
        """Not kept."""


def test_all_tries_of_a_request_end_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(300)  # and then nothing, every time
        raise failed("timeout", status=None)

    async def work() -> float:
        begin = asyncio.get_running_loop().time()
        with pytest.raises((ProviderError, EndpointDownError)):
            await Parts(Answering(answer), NoLog(), timeout=600).durable.generate(asked())
        return asyncio.get_running_loop().time() - begin

    run = jumping(monkeypatch, limits)
    monkeypatch.setattr(tenacity, "time", limits.time)  # type: ignore[attr-defined]
    assert run(work()) < 300 + 0.5 + retry.TOTAL_SECONDS + 300


def test_an_endpoint_that_has_gone_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: Request) -> Response:
        raise failed("connection", status=None)

    async def work() -> None:
        parts = Parts(Answering(answer), NoLog())
        begin = asyncio.get_running_loop().time()
        with pytest.raises(EndpointDownError, match="run the same command again"):
            await parts.durable.generate(asked())
        assert asyncio.get_running_loop().time() - begin < 70  # seconds of a clock that jumps

    jumping(monkeypatch, limits)(work())


@pytest.mark.usefixtures("at_once")
def test_failures_of_single_requests_stop_the_run_only_when_nothing_is_answered_between(log: ResponseLog) -> None:
    async def answer(request: Request) -> Response:
        if request.question_id.startswith("good"):  # type: ignore[union-attr]
            return said("yes")
        raise failed()

    async def work() -> None:
        parts = Parts(Answering(answer), log)
        for i in range(12):
            with pytest.raises(ProviderError):
                await parts.durable.generate(asked(f"bad {i}"))
            await parts.durable.generate(asked(f"good {i}"))
        ends = [await asyncio.gather(parts.durable.generate(asked(f"bad again {i}")), return_exceptions=True) for i in range(5)]
        assert [type(end) for (end,) in ends] == [ProviderError] * 4 + [EndpointDownError]

    asyncio.run(work())


def test_retry_after_is_obeyed_by_the_whole_endpoint(log: ResponseLog) -> None:
    with LoopbackServer(lambda body: "yes", latency=0.02, faults={3: "429-date"}.get) as server:
        assert all(isinstance(one, Response) for one in ask(server, log, 60))
        times = [request.time for request in server.requests]
    # The date is at least one second after the refusal, which left 0.02 s after the fourth request. Then nothing until it has passed.
    gap = max(b - a for a, b in itertools.pairwise(times))
    after = next(i for i, (a, b) in enumerate(itertools.pairwise(times)) if b - a == gap)
    assert gap >= 0.9
    assert after < 3 + 2 * 16, "what was sent after the refusal was on its way already"
    assert len(times) == 61


@pytest.mark.usefixtures("at_once")
def test_what_speaks_no_http_is_tried_three_times(log: ResponseLog) -> None:
    async def answer(request: Request) -> Response:
        raise failed("protocol", status=None)

    generator = Answering(answer)
    (raised,) = asyncio.run(Parts(generator, log).all(1))
    assert isinstance(raised, ProviderError) and raised.kind == "protocol"
    assert len(generator.requests) == 3
