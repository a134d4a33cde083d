"""List prices: known from the maintained table, unknown said to be unknown."""

import pytest
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from judgebench.engine.prices import Price, price_of
from judgebench.types import Usage

KNOWN = [("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-3-5-haiku-latest"), ("mistral", "mistral-large-latest"), ("deepseek", "deepseek-chat")]


@pytest.mark.parametrize(("provider", "model"), KNOWN)
def test_known_models_cost_what_the_table_says(provider: str, model: str) -> None:
    price = price_of(provider, model)
    assert price is not None
    assert 0 < price.prompt <= price.completion
    whole = calc_price(PricedUsage(input_tokens=1234, output_tokens=567), model_ref=model, provider_id=provider).total_price
    assert price.cost(Usage(1234, 567)) == pytest.approx(float(whole))


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("openai", ""), ("nobody", "gpt-4o"), ("azure", "my-deployment"), ("openai", "🦊\n"), ("openai", "x" * 5000)]
)
def test_what_the_table_does_not_know_is_unknown(provider: str, model: str) -> None:
    assert price_of(provider, model) is None


def test_a_price_is_per_million_tokens() -> None:
    assert Price(2.0, 8.0).cost(Usage(500_000, 250_000)) == 3.0
    assert Price(2.0, 8.0).cost(Usage(None, 1_000_000)) == 8.0
    assert Price(2.0, 8.0).cost(Usage()) == 0.0
