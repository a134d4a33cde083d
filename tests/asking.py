"""Short ways to ask a generator something over real HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from judgebench.errors import ProviderError
from judgebench.types import Generator, Message, Request, Response, Sampling

KEY = "sk-planted-0123456789abcdef"


def request(*texts: str, system: str | None = None, temperature: float | None = 0.5, max_tokens: int | None = 64, extra: tuple[tuple[str, Any], ...] = ()) -> Request:
    """A conversation of user and assistant texts by turns."""
    messages = [Message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(texts or ("hello",))]
    return Request((*([Message("system", system)] if system else []), *messages), Sampling(temperature, max_tokens, extra))


def ask(generator: Generator, *requests: Request) -> list[Response]:
    """The responses to all requests, asked at once; the generator is closed."""

    async def asked() -> list[Response]:
        try:
            return list(await asyncio.gather(*(generator.generate(r) for r in requests or (request(),))))
        finally:
            await generator.close()

    return asyncio.run(asked())


def refusal(generator: Generator, one: Request | None = None) -> ProviderError:
    """The error of a call that must fail."""
    with pytest.raises(ProviderError) as caught:
        ask(generator, one or request())
    return caught.value


def one_after_the_other(generator: Generator, *requests: Request) -> list[Response]:
    """As `ask`, one call at a time."""

    async def asked() -> list[Response]:
        try:
            return [await generator.generate(r) for r in requests]
        finally:
            await generator.close()

    return asyncio.run(asked())


Maker = Callable[..., Generator]
