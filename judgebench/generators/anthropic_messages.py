"""Anthropic's Messages wire format: anthropic:NAME."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from judgebench.formats.jsonl import cleaned
from judgebench.generators.adapting import Adaptations, adapted_call
from judgebench.generators.http import JsonEndpoint, no_answer, usage_of
from judgebench.types import FinishReason, Request, Response

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096  # the API wants a number
_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop", "stop_sequence": "stop", "tool_use": "stop", "pause_turn": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "refusal": "refused",
}  # fmt: skip


class AnthropicMessages:
    """A model behind a Messages endpoint.

    Args:
        base_url: up to and without "/v1/messages". model: its name. key: sent as x-api-key.
    """

    remote = True

    def __init__(self, base_url: str, model: str, key: str) -> None:
        base = base_url.rstrip("/")
        self.model = model
        self.identity = f"anthropic-messages {base} {model}"
        self._endpoint = JsonEndpoint(f"{base}/v1/messages", {"x-api-key": key, "anthropic-version": VERSION}, [key], f"{model} at {base}")
        self.adaptations = Adaptations()

    async def generate(self, request: Request) -> Response:
        """Answer; a parameter that the model refuses is left out, then and from there on."""
        return await adapted_call(
            self.adaptations, lambda: messages_body(self.model, request, self.adaptations), self._endpoint.post,
            lambda raw: messages_response(raw, self._endpoint.label),
        )  # fmt: skip

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


def messages_body(model: str, request: Request, adaptations: Adaptations) -> dict[str, Any]:
    """The JSON body of a request; the system text has a field of its own."""
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    body: dict[str, Any] = {
        "model": model, "max_tokens": request.sampling.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages if m.role != "system"],
    }  # fmt: skip
    if system:
        body["system"] = system
    if request.sampling.temperature is not None:
        body["temperature"] = min(1.0, request.sampling.temperature)
    body.update(request.sampling.extra)
    for name in adaptations.dropped:
        body.pop(name, None)
    return body


def messages_response(raw: Mapping[str, Any], label: str) -> Response:
    """The response in a Messages body. Raises ProviderError when it is not what it should be."""
    blocks = raw.get("content")
    if raw.get("type") == "error" or not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise no_answer(label, "content", raw)
    model, usage = raw.get("model"), raw.get("usage")
    tokens = usage if isinstance(usage, dict) else {}
    prompt = [tokens.get(n) for n in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")]
    return Response(
        cleaned(_joined(blocks, "text")), _FINISH.get(str(raw.get("stop_reason")), "unknown"), cleaned(model) if isinstance(model, str) else None,
        usage_of(prompt, tokens.get("output_tokens")), cleaned(_joined(blocks, "thinking")) or None,
    )  # fmt: skip


def _joined(blocks: Iterable[Mapping[str, Any]], kind: str) -> str:
    """The texts of all blocks of a kind ("text" or "thinking"), which bear it in a field of that name."""
    return "".join(b[kind] for b in blocks if b.get("type") == kind and isinstance(b.get(kind), str))
