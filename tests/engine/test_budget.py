"""What a run may spend: no limit is passed, and nothing that is paid for is thrown away to keep to it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_parts import Answering, Parts, asked, failed, opened, said
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import LoopbackServer, Reply

from judgebench.engine.budget import Budget, worst_usage
from judgebench.engine.prices import Price
from judgebench.engine.response_log import ResponseLog
from judgebench.errors import BudgetError, ProviderError
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.types import Message, Request, Response, Sampling, Usage

PRICE = Price(3.0, 15.0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ResponseLog]:
    with opened(tmp_path / "log.db") as made:
        yield made


def ask(server: LoopbackServer, log: ResponseLog, budget: Budget, n: int) -> list[Response | BaseException]:
    async def work() -> list[Response | BaseException]:
        parts = Parts(OpenAIChat(server.url, "fake"), log, budget=budget, price=PRICE)
        try:
            return await parts.all(n)
        finally:
            await parts.durable.close()

    return asyncio.run(work())


@pytest.mark.parametrize("limit", [0, 1, 20, 37])
def test_max_calls_is_exact_and_every_call_that_was_sent_is_kept(limit: int, log: ResponseLog) -> None:
    with LoopbackServer(lambda body: "yes", latency=0.01) as server:
        ends = ask(server, log, Budget(max_calls=limit), 60)
        assert server.calls == server.answered == limit
    assert sum(isinstance(end, Response) for end in ends) == limit
    assert {type(end) for end in ends if not isinstance(end, Response)} == {BudgetError}
    assert log._reader.execute("SELECT count(*) FROM responses").fetchone() == (limit,)


def test_max_cost_is_never_passed_and_well_used(log: ResponseLog) -> None:
    tokens = iter(range(10_000))

    def reply(body: object) -> Reply:
        i = next(tokens)
        return Reply("yes", prompt_tokens=5 + i % 9, completion_tokens=1 + 7 * i % 64)

    limit = 0.02
    with LoopbackServer(reply, latency=0.005) as server:
        budget = Budget(max_cost=limit)
        ends = ask(server, log, budget, 300)
    reported = [one.usage for one in ends if isinstance(one, Response)]
    spent = sum(PRICE.cost(usage) for usage in reported)
    assert spent == pytest.approx(budget.spent)
    assert spent <= limit
    assert spent > limit - 2 * PRICE.cost(worst_usage(asked("100"))), "the rest would not have been enough for one more call"
    assert len(reported) == server.calls < 300
    assert abs(budget.reserved) < 1e-12


def test_tokens_that_nobody_reports_count_at_worst(log: ResponseLog) -> None:
    async def answer(request: Request) -> Response:
        return said("yes", (None, None))

    worst = PRICE.cost(worst_usage(asked("10")))
    budget = Budget(max_cost=10.5 * worst)

    async def work() -> list[Response | BaseException]:
        return await asyncio.gather(*(parts.durable.generate(asked(i)) for i in range(10, 50)), return_exceptions=True)

    parts = Parts(Answering(answer), log, budget=budget, price=PRICE)
    ends = asyncio.run(work())
    assert sum(isinstance(end, Response) for end in ends) == 10
    assert "reported no tokens" in str(ends[-1])


@pytest.mark.parametrize(("error", "billed"), [(failed(status=429), False), (failed("connection", status=None), False), (failed("timeout", status=None), True), (failed("bad_body", status=None), True)])
def test_a_failure_counts_when_it_may_have_been_billed(error: ProviderError, billed: bool, log: ResponseLog) -> None:
    async def answer(request: Request) -> Response:
        error.retryable = False
        raise error

    budget = Budget(max_cost=1.0)
    with pytest.raises(ProviderError):
        asyncio.run(Parts(Answering(answer), log, budget=budget, price=PRICE).durable.generate(asked()))
    assert budget.spent == budget.reserved == 0
    assert budget.unsure == (PRICE.cost(worst_usage(asked())) if billed else 0)


def test_a_call_that_is_cancelled_may_have_been_billed(log: ResponseLog) -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def work() -> None:
        task = asyncio.create_task(parts.durable.generate(asked()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    budget = Budget(max_cost=1.0)
    parts = Parts(Answering(answer), log, budget=budget, price=PRICE)
    asyncio.run(work())
    assert (budget.reserved, budget.unsure > 0, parts.limiter.in_flight, parts.counters.in_flight) == (0, True, 0, 0)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=50), st.none() | st.integers(1, 100))
def test_the_worst_case_is_no_fewer_tokens_than_any_tokenizer_makes(text: str, max_tokens: int | None) -> None:
    usage = worst_usage(Request((Message("system", text), Message("user", text)), Sampling(0.0, max_tokens)))
    assert usage.prompt_tokens is not None and usage.prompt_tokens > 2 * len(text.encode("utf-8", "replace"))
    assert usage.completion_tokens == (max_tokens or 4096)


CALLS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["answered", "no count", "failed", "lost"])), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100)
@given(CALLS, st.floats(0, 0.01))
def test_whatever_calls_cost_the_limit_holds_and_nobody_waits_for_ever(calls: list[tuple[float, str]], limit: float) -> None:
    async def one(budget: Budget, share: float, end: str, i: int) -> None:
        worst = await budget.reserve(PRICE, asked())
        assert budget.spent + budget.unsure + budget.reserved <= limit + 1e-12
        await asyncio.sleep(0)
        most = worst_usage(asked())
        used = Usage(int(share * (most.prompt_tokens or 0)), int(share * (most.completion_tokens or 0)))
        budget.settle(worst, PRICE, {"answered": used, "no count": Usage(used.prompt_tokens, None)}.get(end), billed=end != "failed")

    async def work() -> None:
        budget = Budget(max_cost=limit)
        async with asyncio.timeout(10):
            ends = await asyncio.gather(*(one(budget, share, end, i) for i, (share, end) in enumerate(calls)), return_exceptions=True)
        assert all(end is None or isinstance(end, BudgetError) for end in ends)
        assert abs(budget.reserved) < 1e-12

    asyncio.run(work())
