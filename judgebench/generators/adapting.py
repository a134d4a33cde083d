"""What a model refuses: a parameter, recognised from the error, left out or renamed and remembered; or the whole prompt."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from judgebench.errors import ProviderError
from judgebench.types import Response

_DROPPABLE = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "logprobs", "top_logprobs")
_LIMITS = ("max_tokens", "max_completion_tokens")
_REFUSED = re.compile(
    r"unsupported|not support|deprecated|unrecognized|unknown (?:parameter|field|argument)|not (?:permitted|available)|is not allowed|extra (?:inputs|fields)"
    r"|unexpected|only the default|cannot be used|may only be set",
    re.I,
)
_SYSTEM = re.compile(r"\bsystem\b.{0,30}\b(?:role|message|prompt|instruction)|(?:role|does not support).{0,20}\bsystem\b|developer instruction", re.I)
_SYSTEM_REFUSED = re.compile(r"support|allowed|invalid|unexpected|enabled", re.I)


class Adaptations:
    """What one model has refused so far.

    Attributes:
        dropped: parameters that are no longer sent. max_tokens_name: what the limit on tokens is called.
        on_change: called with `notes()` whenever something was learnt.
    """

    def __init__(self, max_tokens_name: str = "max_tokens") -> None:
        self.dropped: set[str] = set()
        self.on_change: Callable[[list[str]], None] = lambda notes: None
        self.max_tokens_name = max_tokens_name
        self._renamed = False
        self._merge_system = False

    def adapted(self, parameter: str | None, body: Mapping[str, Any]) -> bool:
        """Learn from a refusal of a body; False when asking again would send the same body."""
        if parameter == "system":
            had_system = any(m["role"] == "system" for m in body.get("messages", []))
            self._merge_system |= had_system
            return had_system
        if parameter is None or parameter not in body:
            return False
        if parameter in _LIMITS:
            return self._limit_refused(parameter)
        self.dropped.add(parameter)
        return True

    def _limit_refused(self, name: str) -> bool:
        """Rename the limit, once. A body made before another call learnt the new name is simply asked again."""
        if name != self.max_tokens_name:
            return True
        if self._renamed:
            return False
        self.max_tokens_name, self._renamed = _LIMITS[1 - _LIMITS.index(name)], True
        return True

    def messages(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        """The messages, with the system text put before the first user text where the model takes no system role."""
        if not self._merge_system or not messages or messages[0]["role"] != "system":
            return messages
        said = [m["content"] for m in messages[:2]]
        return [{"role": "user", "content": "\n\n".join(said)}, *messages[2:]]

    def notes(self) -> list[str]:
        """For people: what is not sent as asked."""
        said = [f"{name} is not sent (the model refuses it)" for name in sorted(self.dropped)]
        return said + (["the system text is sent as user text (the model refuses the role)"] if self._merge_system else [])


async def adapted_call(
    adaptations: Adaptations, body: Callable[[], dict[str, Any]], send: Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]],
    read: Callable[[Mapping[str, Any]], Response],
) -> Response:  # fmt: skip
    """Ask, and ask again without what the model refuses, which later calls then leave out from the start.

    Args:
        body: makes the request's body from what is known by then. send: posts it. read: the response in what came back.

    Raises:
        ProviderError: as `send` and `read` raise it, when nothing about the body can be changed.
    """
    while True:  # ends: a round that changes nothing is the last, and a limit is renamed only once
        sent = body()
        try:
            return read(await send(dict(sent)))
        except ProviderError as error:
            filtered = content_filtered(error)
            if filtered is not None:
                return filtered
            if not adaptations.adapted(refused_parameter(error), sent) or body() == sent:
                raise
            adaptations.on_change(adaptations.notes())


def refused_parameter(error: ProviderError) -> str | None:
    """The parameter that the model does not take, None when the error is about something else (its value, for one)."""
    if error.status not in (400, 422):
        return None
    said = str(error).partition(f"HTTP {error.status}")[2]  # without the label: a model may be called "seed-oss"
    if not (_REFUSED.search(said) or error.code.startswith("unsupported")):
        return "system" if _SYSTEM.search(said) and _SYSTEM_REFUSED.search(said) else None
    known = (*_LIMITS, *_DROPPABLE)
    if error.param in known:
        return error.param
    if _SYSTEM.search(said):
        return "system"
    return next((n for n in known if re.search(rf"(?<![\w.]){n}(?!\w)", said)), None)


def content_filtered(error: ProviderError) -> Response | None:
    """A provider that refuses a prompt by an HTTP error about its content filter has answered: it refuses."""
    said = str(error).lower()
    by_code = error.status == 400 and ("content_filter" in error.code or (error.code == "invalid_prompt" and "flagged" in said))
    by_text = error.status == 400 and "content filtering policy" in said  # Anthropic's words
    if by_code or by_text or (error.status == 403 and "flagged" in said):  # 403: OpenRouter's moderation
        return Response("", "content_filter")
    return None
