"""The engine around one generator: committed before used, asked once, and nothing left behind however a call ends."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_parts import Answering, Parts, asked, failed, opened, said

from judgebench.engine import asking
from judgebench.engine.engine import Engine, EngineOptions
from judgebench.engine.response_log import ResponseLog
from judgebench.errors import EndpointDownError, ProviderError
from judgebench.types import Request, Response


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ResponseLog]:
    with opened(tmp_path / "log.db") as made:
        yield made


def count(log: ResponseLog) -> int:
    with contextlib.closing(sqlite3.connect(log.path)) as other:
        return int(other.execute("SELECT count(*) FROM responses").fetchone()[0])


async def echo(request: Request) -> Response:
    await asyncio.sleep(0.01)
    return said(f"answer to {request.question_id}")


def test_nobody_sees_a_response_before_it_is_on_disk(log: ResponseLog, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(asking, "reached", lambda point: seen.append((point, count(log))))
    parts = Parts(Answering(echo), log)

    async def work() -> None:
        response = await parts.durable.generate(asked("x"))
        assert (response.text, count(log)) == ("answer to x", 1)

    asyncio.run(work())
    assert seen == [("after-response", 0)]
    assert (parts.counters.asked, parts.counters.from_log, parts.counters.in_flight) == (1, 0, 0)


def test_a_place_is_held_until_the_response_is_on_disk(log: ResponseLog, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(Answering(echo), log, concurrency=4)
    lost = []  # paid for and not on disk, whenever a call could be killed
    monkeypatch.setattr(asking, "reached", lambda point: lost.append(len(parts.durable._generator.requests) - count(log)))
    asyncio.run(parts.all(40))
    assert max(lost) <= 4 and count(log) == 40


def test_identical_requests_at_the_same_time_are_one_call(log: ResponseLog) -> None:
    generator = Answering(echo)
    parts = Parts(generator, log)

    async def work() -> None:
        responses = await asyncio.gather(*(parts.durable.generate(asked("same")) for _ in range(50)), parts.durable.generate(asked("same", sample=1)))
        assert len({response.text for response in responses}) == 1
        await parts.durable.generate(asked("same"))

    asyncio.run(work())
    assert len(generator.requests) == 2  # one for each sample
    assert (parts.counters.asked, parts.counters.from_log) == (2, 50)


def test_those_who_share_a_call_share_its_failure(log: ResponseLog) -> None:
    async def refuse(request: Request) -> Response:
        await asyncio.sleep(0.01)
        raise failed("request", retryable=False, status=400)

    generator = Answering(refuse)
    parts = Parts(generator, log)

    async def work() -> list[Response | BaseException]:
        return await asyncio.gather(*(parts.durable.generate(asked("same")) for _ in range(5)), return_exceptions=True)

    assert [type(end) for end in asyncio.run(work())] == [ProviderError] * 5
    assert len(generator.requests) == 1


def test_those_who_share_a_call_that_is_cancelled_do_not_hang(log: ResponseLog) -> None:
    parts = Parts(Answering(echo), log)

    async def work() -> None:
        leader = asyncio.create_task(parts.durable.generate(asked("same")))
        follower = asyncio.create_task(parts.durable.generate(asked("same")))
        await asyncio.sleep(0.001)
        leader.cancel()
        ends = await asyncio.wait_for(asyncio.gather(leader, follower, return_exceptions=True), 5)
        assert [type(end) for end in ends] == [asyncio.CancelledError, ProviderError]
        assert (await parts.durable.generate(asked("same"))).text == "answer to same"

    asyncio.run(work())
    assert parts.limiter.in_flight == parts.counters.in_flight == 0


def test_fresh_asks_again_once_and_keeps_the_old(log: ResponseLog) -> None:
    said_so_far = iter(range(100))

    async def numbered(request: Request) -> Response:
        return said(str(next(said_so_far)))

    async def work() -> None:
        plain = Parts(Answering(numbered), log)
        fresh = Parts(Answering(numbered), log, fresh=True)
        assert (await plain.durable.generate(asked())).text == "0"
        assert [(await fresh.durable.generate(asked())).text for _ in range(3)] == ["1"] * 3  # asked anew once in a run, not at every turn
        assert (await plain.durable.generate(asked())).text == "1"
        again = Parts(Answering(numbered), log, fresh=True)
        assert (await again.durable.generate(asked())).text == "2"

    asyncio.run(work())
    assert count(log) == 3


def test_an_answer_that_does_not_come_in_time_is_a_timeout(log: ResponseLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "first_wait", lambda error: 0.0)
    slow = iter([True, False])

    async def answer(request: Request) -> Response:
        await asyncio.sleep(60 if next(slow) else 0)
        return said("yes")

    parts = Parts(Answering(answer), log, timeout=0.05)
    assert asyncio.run(parts.durable.generate(asked())).text == "yes"
    assert parts.counters.retried == {"timeout": 1}


def test_an_error_that_nobody_expected_gives_everything_back(log: ResponseLog) -> None:
    async def bug(request: Request) -> Response:
        raise ZeroDivisionError

    parts = Parts(Answering(bug), log)
    assert {type(end) for end in asyncio.run(parts.all(40))} == {ZeroDivisionError}
    assert (parts.limiter.in_flight, parts.counters.in_flight, parts.budget.reserved, len(parts.durable._shared.flying)) == (0, 0, 0, 0)


def test_endpoints_are_looked_at_once_before_the_first_call_and_not_for_what_the_log_knows(tmp_path: Path) -> None:
    looked = []

    async def down() -> None:
        looked.append(1)
        await asyncio.sleep(0.01)
        raise EndpointDownError(["nobody there"])

    async def up() -> None:
        looked.append(1)

    def asked_of(engine: Engine, generator: Answering) -> list[Response | BaseException]:
        async def work() -> list[Response | BaseException]:
            return await asyncio.gather(*(durable.generate(asked(i)) for i in range(10)), return_exceptions=True)

        durable = engine.wrapped(generator, "fake", "http://fake")
        try:
            return asyncio.run(work())
        finally:
            engine.close()

    options, generator = EngineOptions(tmp_path / "log.db"), Answering(echo)
    assert {type(end) for end in asked_of(Engine(options, down), generator)} == {EndpointDownError}
    assert (len(looked), generator.requests) == (1, [])
    assert len(asked_of(Engine(options, up), generator)) == 10 == len(generator.requests)
    assert len(looked) == 2
    assert {type(end) for end in asked_of(Engine(options, down), generator)} == {Response}
    assert len(looked) == 2


def test_generators_of_one_endpoint_share_its_places(tmp_path: Path) -> None:
    now = most = 0

    async def answer(request: Request) -> Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1
        return said("yes")

    async def work(engine: Engine) -> None:
        a, b = (engine.wrapped(Answering(answer), name, "http://same") for name in "ab")
        b_other = engine.wrapped(Answering(answer), "c", "http://other")
        a.identity, b.identity = "a", "b"  # type: ignore[misc]
        await asyncio.gather(*(one.generate(asked(i)) for i in range(20) for one in (a, b)))
        assert most == 3
        await asyncio.gather(*(one.generate(asked(100 + i)) for i in range(20) for one in (a, b_other)))
        assert most == 6

    engine = Engine(EngineOptions(tmp_path / "log.db", concurrency=3))
    try:
        asyncio.run(work(engine))
    finally:
        engine.close()
