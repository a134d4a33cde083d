"""OpenAI's Chat Completions wire format: openai:NAME and any compatible URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.errors import ProviderError
from judgebench.formats.jsonl import cleaned
from judgebench.generators.adapting import Adaptations, adapted_call
from judgebench.generators.http import JsonEndpoint, no_answer, usage_of
from judgebench.types import FinishReason, Request, Response

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_calls": "stop", "eos": "stop", "max_tokens": "length"}


class OpenAIChat:
    """A model behind a Chat Completions endpoint.

    Args:
        base_url: up to and without "/chat/completions". model: its name there. key: sent as a bearer token, None for none.
        max_tokens_name: the parameter that limits an answer's tokens.
    """

    remote = True

    def __init__(self, base_url: str, model: str, key: str | None = None, *, max_tokens_name: str = "max_tokens") -> None:
        base = base_url.rstrip("/")
        self.model = model
        self.identity = f"openai-chat {base} {model}"
        self._endpoint = JsonEndpoint(f"{base}/chat/completions", {"Authorization": f"Bearer {key}"} if key else {}, [key] if key else [], f"{model} at {base}")
        self.adaptations = Adaptations(max_tokens_name=max_tokens_name)

    async def generate(self, request: Request) -> Response:
        """Answer; a parameter that the model refuses is left out, then and from there on."""
        return await adapted_call(
            self.adaptations, lambda: chat_body(self.model, request, self.adaptations), self._endpoint.post, lambda raw: chat_response(raw, self._endpoint.label)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


def chat_body(model: str, request: Request, adaptations: Adaptations) -> dict[str, Any]:
    """The JSON body of a request."""
    sampling = request.sampling
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    body: dict[str, Any] = {"model": model, "messages": adaptations.messages(messages)}
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if sampling.max_tokens is not None:
        body[adaptations.max_tokens_name] = sampling.max_tokens
    body.update(sampling.extra)
    for name in adaptations.dropped:
        body.pop(name, None)
    return body


def chat_response(raw: Mapping[str, Any], label: str) -> Response:
    """The response in a Chat Completions body.

    Raises:
        ProviderError: the body is not what it should be; asking again may help.
    """
    try:
        choice = raw["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish = _FINISH.get(str(choice.get("finish_reason")), "unknown")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise no_answer(label, "message", raw) from error
    if choice.get("finish_reason") == "error":  # how a router says that the provider behind it broke off
        raise no_answer(label, "whole answer", choice)
    if isinstance(text, list):  # some servers answer in parts
        text = "".join(part["text"] for part in text if isinstance(part, dict) and isinstance(part.get("text"), str))
    if text is not None and not isinstance(text, str):
        raise ProviderError(f"{label}: 200 with a message that is no text", retryable=True, kind="bad_body")
    if refusal and not text:
        text, finish = str(refusal), "refused"
    reasoning, model, usage = message.get("reasoning_content") or message.get("reasoning"), raw.get("model"), raw.get("usage")
    tokens = usage if isinstance(usage, dict) else {}
    return Response(
        cleaned(text or ""), finish, cleaned(model) if isinstance(model, str) else None,
        usage_of([tokens.get("prompt_tokens")], tokens.get("completion_tokens")), cleaned(reasoning) if isinstance(reasoning, str) else None,
    )  # fmt: skip
