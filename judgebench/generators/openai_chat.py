"""OpenAI's Chat Completions wire format: openai:NAME and any compatible URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.errors import ProviderError
from judgebench.formats.jsonl import cleaned
from judgebench.generators.adapting import Adaptations, refused_parameter
from judgebench.generators.http import JsonEndpoint
from judgebench.types import FinishReason, Request, Response, Usage

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_calls": "stop", "eos": "stop", "max_tokens": "length"}


class OpenAIChat:
    """A model behind a Chat Completions endpoint.

    Args:
        base_url: up to and without "/chat/completions". model: its name there. key: sent as a bearer token, None for none.
        extra: body parameters sent with every call. max_tokens_name: the parameter that limits an answer's tokens.
    """

    remote = True

    def __init__(self, base_url: str, model: str, key: str | None = None, *, extra: Mapping[str, Any] | None = None, max_tokens_name: str = "max_tokens") -> None:
        base = base_url.rstrip("/")
        self.model = model
        self.identity = f"openai-chat {base} {model}" + (f" {sorted((extra or {}).items())}" if extra else "")
        self._endpoint = JsonEndpoint(f"{base}/chat/completions", {"Authorization": f"Bearer {key}"} if key else {}, [key] if key else [], f"{model} at {base}")
        self._extra = dict(extra or {})
        self.adaptations = Adaptations(max_tokens_name=max_tokens_name)

    async def generate(self, request: Request) -> Response:
        """Answer; a parameter that the model refuses is left out, then and from there on."""
        for _ in range(5):
            body = chat_body(self.model, request, self.adaptations, self._extra)
            try:
                return chat_response(await self._endpoint.post(body), self._endpoint.label)
            except ProviderError as error:
                filtered = content_filtered(error)
                if filtered is not None:
                    return filtered
                if not self.adaptations.adapted(refused_parameter(error), body):
                    raise
        raise ProviderError(f"{self._endpoint.label}: refuses every form of the request", retryable=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


def chat_body(model: str, request: Request, adaptations: Adaptations, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body of a request."""
    sampling = request.sampling
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    body: dict[str, Any] = {"model": model, "messages": adaptations.messages(messages)}
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if sampling.max_tokens is not None:
        body[adaptations.max_tokens_name] = sampling.max_tokens
    body.update(sampling.extra)
    body.update(extra)
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
        raise ProviderError(f"{label}: 200 with a body that has no message", retryable=True, kind="bad_body") from error
    if isinstance(text, list):  # some servers answer in parts
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if text is not None and not isinstance(text, str):
        raise ProviderError(f"{label}: 200 with a message that is no text", retryable=True, kind="bad_body")
    if refusal and not text:
        text, finish = str(refusal), "refused"
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    model = raw.get("model")
    return Response(cleaned(text or ""), finish, model if isinstance(model, str) else None, _usage(raw.get("usage")), cleaned(reasoning) if isinstance(reasoning, str) else None)


def _usage(raw: Any) -> Usage:
    if not isinstance(raw, dict):
        return Usage()
    counts = [raw.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(c if isinstance(c, int) and not isinstance(c, bool) and c >= 0 else None for c in counts))


def content_filtered(error: ProviderError) -> Response | None:
    """A provider that refuses a prompt by HTTP 400 and "content_filter" has answered: it refuses."""
    if error.status == 400 and "content_filter" in error.code:
        return Response("", "content_filter")
    return None
