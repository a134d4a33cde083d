"""Prices per token, from the maintained table of genai-prices; an unknown price is said to be unknown."""

from __future__ import annotations

from dataclasses import dataclass

from judgebench.types import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """Dollars for a usage; tokens that were not reported count as none."""
        return ((usage.prompt_tokens or 0) * self.prompt + (usage.completion_tokens or 0) * self.completion) / 1e6


def price_of(provider: str, model: str) -> Price | None:
    """The list price of a model, None when the table does not know it.

    Args:
        provider: "openai" or "anthropic"; others are unknown, as anybody may run any model at a URL.
    """
    from genai_prices import Usage as PricedUsage  # imported here: its table takes 0.3 s to load
    from genai_prices import calc_price

    try:
        prompt, completion = (
            float(calc_price(usage, model_ref=model, provider_id=provider).total_price) for usage in (PricedUsage(input_tokens=1000), PricedUsage(output_tokens=1000))
        )
    except LookupError:
        return None
    return Price(1000 * prompt, 1000 * completion)
