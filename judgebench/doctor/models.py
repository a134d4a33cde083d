"""A model or judge by its SPEC: its key, its port, and one tiny call that does not go through the response log."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from judgebench.arguments import Arguments
from judgebench.doctor.findings import Diagnosis, Fact
from judgebench.errors import InputError, ProviderError
from judgebench.generators.http import proxy_for
from judgebench.generators.recorded import Recorded
from judgebench.judge_specs import LocalJudge, judge_spec
from judgebench.preflight import connection_problem
from judgebench.providers import Resolved
from judgebench.specs import resolve
from judgebench.types import Generator, Message, Request, Response, Sampling

ASKED = Request((Message("user", "Reply with the word ok."),), Sampling(temperature=0.0, max_tokens=16))
SILENT_SECONDS = 5.0
_NO_CALLS = "none: it needs no network and no key"
_WRONG_INPUT = ("credentials", "not_found", "request", "refused")  # kinds of ProviderError that asking again does not mend


def model(spec: str, environ: Mapping[str, str], *, seconds: float, waiting: Callable[[str], None] | None) -> Diagnosis:
    """Resolve a spec and try what can be tried.

    Raises:
        InputError: no such provider, file or option.
    """
    resolved, kind = _resolved(spec, environ)
    facts: dict[str, Fact] = {"name": resolved.name}
    if isinstance(resolved, LocalJudge):
        return Diagnosis(spec, kind, {**facts, "calls": _NO_CALLS}, commands=_commands(spec, kind))
    if not resolved.generator.remote:
        if isinstance(resolved.generator, Recorded):
            facts["answers"] = len(resolved.generator)
        facts["calls"] = _NO_CALLS
        asyncio.run(resolved.generator.close())
        return Diagnosis(spec, kind, facts, commands=_commands(spec, kind))
    return asyncio.run(_called(spec, resolved, facts, seconds, waiting))


def _resolved(spec: str, environ: Mapping[str, str]) -> tuple[Resolved | LocalJudge, str]:
    """A spec as a model, else as a judge; the complaint is that about a model where it is neither."""
    try:
        return resolve(spec, Arguments(), environ), "model"
    except InputError as as_model:
        try:
            return judge_spec(spec, Arguments(), environ), "judge"
        except InputError:
            raise as_model from None


async def _called(spec: str, resolved: Resolved, facts: dict[str, Fact], seconds: float, waiting: Callable[[str], None] | None) -> Diagnosis:
    """Key, port, call: the first that is wrong ends it."""
    facts["url"] = resolved.endpoint
    if resolved.missing_key:
        return Diagnosis(spec, "model", {**facts, "key": "missing"}, (resolved.missing_key,), exit_code=2)
    facts["key"] = "set" if _wants_key(spec) else "none needed"
    if resolved.probe and proxy_for(resolved.endpoint):
        facts["port"] = "not tried: a proxy stands between"
    elif resolved.probe:
        problem = await connection_problem(*resolved.probe, resolved.endpoint)
        facts["port"] = "closed" if problem else "open"
        if problem:
            return Diagnosis(spec, "model", facts, (problem,), exit_code=3)
    try:
        facts |= await _one_call(resolved, seconds, waiting)
    except ProviderError as error:
        return Diagnosis(spec, "model", facts, (str(error),), exit_code=2 if error.kind in _WRONG_INPUT else 3)
    except InputError as error:
        return Diagnosis(spec, "model", facts, error.problems, exit_code=2)
    finally:
        await resolved.generator.close()
    return Diagnosis(spec, "model", facts, commands=_commands(spec, "model"))


async def _one_call(resolved: Resolved, seconds: float, waiting: Callable[[str], None] | None) -> dict[str, Fact]:
    """Ask once; returns how long it took, what came back, the snapshot that answered and what it refused."""
    limit_name, started = _limit_name(resolved.generator), time.monotonic()
    named = asyncio.get_running_loop().call_later(SILENT_SECONDS, waiting, resolved.endpoint) if waiting else None
    try:
        async with asyncio.timeout(seconds):
            response = await resolved.generator.generate(ASKED)
    except TimeoutError as error:
        raise ProviderError(f"{resolved.endpoint}: no answer within {seconds:g} s", retryable=True, kind="timeout") from error
    finally:
        if named is not None:
            named.cancel()
    took = round(time.monotonic() - started, 3)
    return {"seconds": took, "reply": _reply(response), "snapshot": response.model, "refused": _refused(resolved.generator, limit_name)}


def _wants_key(spec: str) -> bool:
    """Whether the spec names a key at all: without any variable set it would be missing."""
    return resolve(spec, Arguments(), {}).missing_key is not None


def _limit_name(generator: Generator) -> str | None:
    """What a generator calls the limit on tokens, None for one that learns nothing about parameters (another package's)."""
    adaptations: Any = getattr(generator, "adaptations", None)
    return None if adaptations is None else adaptations.max_tokens_name


def _refused(generator: Generator, limit_before: str | None) -> list[str]:
    """What the model did not take as it was sent."""
    adaptations: Any = getattr(generator, "adaptations", None)
    if adaptations is None:
        return []
    renamed = [] if adaptations.max_tokens_name == limit_before else [f"{limit_before} is sent as {adaptations.max_tokens_name}"]
    return [*adaptations.notes(), *renamed]


def _reply(response: Response) -> str:
    text = " ".join(response.text.split())
    if text:
        return text if len(text) <= 60 else text[:57] + "..."
    return f"no visible text ({response.finish_reason}, which 16 tokens explain for a model that thinks first)"


def _commands(spec: str, kind: str) -> tuple[str, ...]:
    return (f"judgebench run mtbench --{kind} {shlex.quote(spec)}",)
