"""Parameters that a model refuses: recognised from the error, left out or renamed, remembered for the run."""

from __future__ import annotations

import re
from typing import Any

from judgebench.errors import ProviderError

_DROPPABLE = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "logprobs", "top_logprobs")
_LIMITS = ("max_tokens", "max_completion_tokens")


class Adaptations:
    """What one model has refused so far.

    Attributes:
        dropped: parameters that are no longer sent. max_tokens_name: what the limit on tokens is called.
    """

    def __init__(self, max_tokens_name: str = "max_tokens") -> None:
        self.dropped: set[str] = set()
        self.max_tokens_name = max_tokens_name
        self._merge_system = False

    def adapted(self, parameter: str | None, body: dict[str, Any]) -> bool:
        """Learn from a refusal of a body; False when nothing about the body could be changed."""
        if parameter is None:
            return False
        if parameter == "system":
            had_system = any(m["role"] == "system" for m in body.get("messages", []))
            self._merge_system = True
            return had_system
        if parameter not in body:
            # Another call learnt it first, so this body was made before: asking again sends the new form.
            return False
        if parameter in _LIMITS:
            if parameter == self.max_tokens_name:
                self.max_tokens_name = _LIMITS[1 - _LIMITS.index(parameter)]
            return True
        self.dropped.add(parameter)
        return True

    def messages(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        """The messages, with the system text put before the first user text where the model takes no system role."""
        if not self._merge_system or not messages or messages[0]["role"] != "system":
            return messages
        first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"} if len(messages) > 1 else {"role": "user", "content": messages[0]["content"]}
        return [first, *messages[2:]]

    def notes(self) -> list[str]:
        """For people: what is not sent as asked."""
        said = [f"{name} is not sent (the model refuses it)" for name in sorted(self.dropped)]
        return said + (["the system text is sent as user text (the model refuses the role)"] if self._merge_system else [])


def refused_parameter(error: ProviderError) -> str | None:
    """The parameter that an HTTP 400 or 422 is about, None when it is about something else."""
    if error.status not in (400, 422):
        return None
    param, text = error.param, str(error)
    if not re.search(r"unsupported|not support|deprecated|unrecognized|unknown (?:parameter|field|argument)|not (?:allowed|permitted|available)|extra (?:inputs|fields)|unexpected|only the default|cannot be used|invalid_request", text, re.I) and not param:
        return None
    names = [n for n in (*_LIMITS, *_DROPPABLE) if n == param] or [n for n in (*_LIMITS, *_DROPPABLE) if re.search(rf"(?<![\w.]){n}(?!\w)", text)]
    if names:
        return names[0]
    if re.search(r"\bsystem\b.{0,30}\b(?:role|message|prompt)|role.{0,20}\bsystem\b", text, re.I) and re.search(r"support|allowed|invalid", text, re.I):
        return "system"
    return None
