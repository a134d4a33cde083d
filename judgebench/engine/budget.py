"""What a run may spend. A call is allowed only when its worst case still fits, so a limit is never passed."""

from __future__ import annotations

from judgebench.engine.prices import Price
from judgebench.errors import BudgetError
from judgebench.types import Request, Usage

ASSUMED_COMPLETION = 4096  # tokens of an answer for which no maximum was asked


class Budget:
    """Money and calls spent, and what is set aside for calls under way.

    Args:
        max_cost: US dollars, None for no limit. max_calls: calls that are sent, None for no limit.
    """

    def __init__(self, max_cost: float | None = None, max_calls: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_calls = max_calls
        self.spent = 0.0
        self.reserved = 0.0
        self.calls = 0

    def reserve(self, price: Price | None, request: Request) -> float:
        """Set aside the worst case of one call; returns it for `settle`.

        Raises:
            BudgetError: the call would exceed a limit.
        """
        worst = price.cost(worst_usage(request)) if price else 0.0
        if self.max_calls is not None and self.calls >= self.max_calls:
            raise BudgetError(f"--max-calls {self.max_calls} is reached; run again with a higher limit to go on")
        if self.max_cost is not None and self.spent + self.reserved + worst > self.max_cost:
            raise BudgetError(f"--max-cost {self.max_cost:g}: ${self.spent:.4f} spent, and the next call could pass the limit; run again with a higher one to go on")
        self.reserved += worst
        self.calls += 1
        return worst

    def settle(self, worst: float, price: Price | None, usage: Usage | None) -> None:
        """Replace a reservation by what was really used (None: the call failed; what it cost is unknown and small)."""
        self.reserved -= worst
        if price and usage is not None:
            self.spent += price.cost(usage)


def worst_usage(request: Request) -> Usage:
    """More tokens than a request can take: no tokenizer in use makes more tokens than bytes, and in text far fewer."""
    characters = sum(len(m.content.encode("utf-8", "replace")) + 8 for m in request.messages)
    return Usage(characters // 2 + 16, request.sampling.max_tokens or ASSUMED_COMPLETION)
