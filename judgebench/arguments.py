"""--generator-arg and --judge-arg: K=V pairs, sorted into what is ours and what a provider is sent as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judgebench.complaints import quoted
from judgebench.errors import InputError
from judgebench.formats.jsonl import strict_json, whole
from judgebench.types import Sampling

_OURS = ("model", "messages", "system", "stream", "n")  # parameters that the answer's reading or the response log rely on
_KEYS = re.compile(r"(?:.*[_.-])?(?:api_?key|key|token|secret|password|authorization)", re.I)


@dataclass(frozen=True)
class Arguments:
    """What a user set for all models, or for all judges.

    Attributes:
        sampling: "temperature" (0 and up) and "max_tokens" (1 and up), where set; None leaves one to the provider.
        extra: any other parameter of the API. price: US dollars per million prompt and completion tokens.
    """

    sampling: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    price: tuple[float, float] | None = None

    def applied(self, default: Sampling) -> Sampling:
        """The default with what the user set in its place."""
        return Sampling(self.sampling.get("temperature", default.temperature), self.sampling.get("max_tokens", default.max_tokens), tuple(sorted(self.extra.items())))


def parse_arguments(pairs: Sequence[str], option: str) -> Arguments:
    """K=V pairs; a value is JSON where it is valid JSON, else text.

    Args:
        pairs: as on the command line. option: its name, for messages.

    Raises:
        InputError: one line for the first pair that cannot be used.
    """
    given: dict[str, Any] = {}
    for pair in pairs:
        key, value = _pair(pair, option)
        given["max_tokens" if key == "max_completion_tokens" else key] = value  # which name a model takes is found out by asking
    sampling = _sampling(given, option)
    prices = [given.pop(name, None) for name in ("price_prompt", "price_completion")]
    if any(p is not None and not _number(p, (int, float), 0) for p in prices) or prices.count(None) == 1:
        raise InputError(f"{option}: price_prompt and price_completion go together, in US dollars per million tokens")
    return Arguments(sampling, given, (float(prices[0]), float(prices[1])) if prices[0] is not None and prices[1] is not None else None)


def _pair(pair: str, option: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.-]*", key, re.ASCII):
        raise InputError(f"{option} {quoted(key)}: write it as NAME=VALUE, for example {option} temperature=0")
    if key in _OURS:
        raise InputError(f"{option} {key}: is set by judgebench and cannot be given; other parameters of the API can")
    if _KEYS.fullmatch(key):
        raise InputError(f"{option} {key}: keys are read from the environment only, as arguments are written into run.json; export the key's variable")
    if not whole(value):
        raise InputError(f"{option} {key}: the value is not UTF-8")
    return key, _json_or_text(value)


def _json_or_text(value: str) -> Any:
    try:
        return strict_json(value)
    except (ValueError, RecursionError):
        return value


def _sampling(given: dict[str, Any], option: str) -> dict[str, Any]:
    """What of `given` is a sampling parameter of ours, taken out of it."""
    sampling: dict[str, Any] = {}
    for name, kinds, low in (("temperature", (int, float), 0), ("max_tokens", (int,), 1)):
        if name in given:
            value = given.pop(name)
            if value is not None and not _number(value, kinds, low):
                what = "whole number" if kinds == (int,) else "number"
                raise InputError(f"{option} {name}={quoted(str(value))}: must be a {what} of at least {low} (or null to leave it to the provider)")
            sampling[name] = value
    return sampling


def _number(value: Any, kinds: tuple[type, ...], low: float) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= float(value) < 1e12  # type: ignore[arg-type]  # int or float
