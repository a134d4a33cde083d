"""A Python function as a model: for notebooks and tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from judgebench.errors import ProviderError
from judgebench.types import Request, Response


class FunctionGenerator:
    """Asks a function. Its answers are not logged: nobody but its author knows what they depend on.

    Args:
        function: takes the messages, a list of {"role", "content"}, and returns the answer's text; plain or async. A plain
            one runs in a thread, so that it may block.
    """

    remote = False

    def __init__(self, function: Callable[[list[dict[str, str]]], Any]) -> None:
        self._function = function
        self.identity = f"function {getattr(function, '__qualname__', type(function).__name__)}"

    async def generate(self, request: Request) -> Response:
        """The function's answer. What it raises is this call's failure; a text is all that it may return."""
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        try:
            if inspect.iscoroutinefunction(self._function):
                said = await self._function(messages)
            else:
                said = await asyncio.to_thread(self._function, messages)
        except Exception as error:  # the user's own code: whatever it raises is this answer's failure
            raise ProviderError(f"{self.identity}: {type(error).__name__}: {' '.join(str(error).split())[:200]}", retryable=False) from error
        if not isinstance(said, str):
            raise ProviderError(f"{self.identity}: returned {type(said).__name__}, not a text", retryable=False)
        return Response(said)

    async def close(self) -> None:
        """Nothing to release."""
