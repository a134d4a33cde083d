"""What a run may spend. A call is allowed only when its worst case still fits, so a limit is never passed."""

from __future__ import annotations

import asyncio

from judgebench.engine.prices import Price
from judgebench.errors import BudgetError
from judgebench.types import Request, Usage

ASSUMED_COMPLETION = 4096  # tokens of an answer for which no maximum was asked


class Budget:
    """Money and calls spent, and what is set aside for calls under way.

    Args:
        max_cost: US dollars, None for no limit. max_calls: calls that are sent, None for no limit.

    Attributes:
        spent: dollars, for the tokens that were reported. unsure: dollars at worst of calls that may have been billed without a
            count: no answer came back whole, or one that names no tokens. It counts towards the limit. reserved: for calls under way.
    """

    def __init__(self, max_cost: float | None = None, max_calls: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_calls = max_calls
        self.spent = 0.0
        self.unsure = 0.0
        self.reserved = 0.0
        self.calls = 0
        self._under_way = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def reserve(self, price: Price | None, request: Request) -> float:
        """Set aside the worst case of one call; returns it for `settle`.

        Where the call does not fit, those under way are waited for: they cost less than their worst case, and an error that
        stopped the run while they are under way would throw away what they are paid for.

        Raises:
            BudgetError: the call would exceed a limit, and no call is under way.
        """
        worst = price.cost(worst_usage(request)) if price and self.max_cost is not None else 0.0
        while (problem := self._exceeded(worst)) is not None:
            if not self._under_way:
                raise BudgetError(problem)
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self.reserved += worst
        self.calls += 1
        self._under_way += 1
        return worst

    def _exceeded(self, worst: float) -> str | None:
        """Which limit one more call would exceed, None when it fits."""
        if self.max_calls is not None and self.calls >= self.max_calls:
            return f"--max-calls {self.max_calls} is reached; run again with a higher limit to go on"
        if self.max_cost is not None and self.spent + self.unsure + self.reserved + worst > self.max_cost:
            unsure = f" and up to ${self.unsure:.4f} for calls that reported no tokens" if self.unsure else ""
            return f"--max-cost {self.max_cost:g}: ${self.spent:.4f} spent{unsure}, and the next call could pass the limit; run again with a higher one to go on"
        return None

    def settle(self, worst: float, price: Price | None, usage: Usage | None, *, billed: bool = True) -> None:
        """Replace a reservation by what was really used.

        Args:
            worst: what `reserve` returned. usage: as reported, None where no answer came back.
            billed: whether a call without a full report may have been billed all the same; then its worst case counts.
        """
        self.reserved -= worst
        if price and usage is not None:
            self.spent += price.cost(usage)
        if billed and (usage is None or usage.prompt_tokens is None or usage.completion_tokens is None):
            self.unsure += worst
        self._under_way -= 1
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)


def worst_usage(request: Request) -> Usage:
    """More tokens than a request can take: no tokenizer in use makes more tokens than bytes."""
    prompt = sum(len(m.content.encode("utf-8", "replace")) + 8 for m in request.messages)
    return Usage(prompt + 16, request.sampling.max_tokens or ASSUMED_COMPLETION)
