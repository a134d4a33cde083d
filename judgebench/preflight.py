"""Before the first paid call: every problem of every spec at once, then the models and judges of a run, ready to work."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.benchmarks import Benchmark
from judgebench.engine.engine import Engine, EngineOptions
from judgebench.engine.prices import Price, price_of
from judgebench.errors import CredentialError, EndpointDownError, InputError
from judgebench.generators.http import proxy_for
from judgebench.generators.recorded import Recorded
from judgebench.judges.checks import ChecksJudge
from judgebench.judges.llm import DEFAULT_SAMPLING, LLMJudge
from judgebench.judges.simulated import SimulatedJudge
from judgebench.planning import Plan, PlannedJudge, PlannedModel, plan
from judgebench.prompts import PromptSet, load_prompts
from judgebench.specs import Arguments, Resolved, resolve, simulated_options, split_name
from judgebench.types import Generator, Judge, Question, Sampling

ModelSpec = str | tuple[str, Generator]


@dataclass(frozen=True)
class RunOptions:
    """Everything that defines a run beside its benchmark. Sequences of specs as on the command line."""

    models: Sequence[ModelSpec] = ()
    judges: Sequence[str] = ()
    engine: EngineOptions = dataclasses.field(default_factory=lambda: EngineOptions(Path("runs/responses.db")))
    samples: int = 1
    reask: int = 1
    prompt: str | None = None
    seed: int = 0
    model_arguments: Arguments = Arguments()
    judge_arguments: Arguments = Arguments()


@dataclass(frozen=True)
class Contestant:
    """A model in a run: its name, what answers for it, and how it was asked for."""

    name: str
    spec: str
    generator: Generator
    arguments: Arguments

    def sampling(self, benchmark: Benchmark, question: Question) -> Sampling:
        return self.arguments.applied(benchmark.sampling(question))


@dataclass(frozen=True)
class Seat:
    """A judge in a run, with what run.json says about it. `judges_turn` tells whether it judges a question's turn."""

    judge: Judge
    spec: str
    identity: str
    prompt: str
    prompt_sha256: str
    sampling: Sampling | None
    judges_turn: Callable[[Question, int], bool]


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start."""

    benchmark: Benchmark
    options: RunOptions
    contestants: tuple[Contestant, ...]
    seats: tuple[Seat, ...]
    engine: Engine
    plan: Plan
    unknown_prices: tuple[str, ...]
    prompts: PromptSet
    notes: tuple[str, ...] = ()


def prepare(benchmark: Benchmark, options: RunOptions, environ: Mapping[str, str]) -> Prepared:
    """Resolve every spec and wrap what calls.

    Raises:
        InputError: all problems of all specs, one line each.
    """
    problems: list[str] = []
    models = _collected(problems, [functools.partial(_model, m, options.model_arguments, environ) for m in options.models])
    judges = _collected(problems, [functools.partial(_judge_spec, j, options.judge_arguments, environ) for j in options.judges])
    prompts = _collected(problems, [functools.partial(load_prompts, options.prompt or benchmark.settings.prompt)])
    problems += _twice("--model", [m.name for m in models]) + _twice("--judge", [j.name for j in judges])
    remote = [r for r in (*models, *judges) if r.generator.remote]
    probes = _Probes(remote)
    engine = Engine(options.engine, probes.check)
    try:
        problems += _keys_missing(remote, engine, options.engine)
        prices = {id(r): _price(r) for r in remote}
        unpriced = tuple(dict.fromkeys(r.name for r in remote if prices[id(r)] is None))
        if options.engine.max_cost is not None and unpriced:
            problems.append(f"--max-cost: no price is known for {', '.join(unpriced)}; set price_prompt and price_completion with --generator-arg or --judge-arg, or use --max-calls")
        if any(j.spec == "checks" for j in judges) and not any(any(q.checks) for q in benchmark.questions()):
            problems.append(f"judge checks: no question of {benchmark.name} has checks; name a judge, for example --judge openai:NAME")
        if problems:
            raise InputError(*dict.fromkeys(problems))
        contestants = tuple(Contestant(m.name, m.spec, engine.wrapped(m.generator, m.name, m.endpoint, prices.get(id(m))), m.arguments) for m in models)
        seats = tuple(_seat(j, engine, benchmark, prompts[0], options, prices.get(id(j))) for j in judges)
    except BaseException:
        engine.close()
        raise
    planned = _planned(benchmark, models, judges, seats, options, prices)
    return Prepared(benchmark, options, contestants, seats, engine, planned, unpriced, prompts[0])


def _collected(problems: list[str], makers: Sequence[Callable[[], Any]]) -> list[Any]:
    """What could be made; what could not adds its problems."""
    made = []
    for make in makers:
        try:
            made.append(make())
        except InputError as error:
            problems.extend(error.problems)
    return made


def _model(model: ModelSpec, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    if isinstance(model, str):
        return resolve(model, arguments, environ)
    name, generator = model
    return Resolved(name, f"python:{type(generator).__name__}", generator, "python" if generator.remote else "", arguments=arguments)


class _NoGenerator:
    """Stands where a judge needs no generator."""

    identity = ""
    remote = False

    async def generate(self, request: Any) -> Any:
        raise InputError("this judge answers no requests")

    async def close(self) -> None:
        """Nothing to release."""


def _judge_spec(text: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    """A judge SPEC: checks, simulated:..., or a generator."""
    name, equals, spec = text.partition("=")
    if text == "checks" or (equals and spec == "checks" and name.strip()):
        return Resolved(name if equals else "checks", "checks", _NoGenerator())
    given, spec = split_name(text)
    if spec.lower().startswith("simulated:") or spec.lower() == "simulated":
        defaults = {"noise": 0.2, "length": 0.0, "position": 0.0, "self": 0.0, "seed": 0.0}
        simulated_options(spec.partition(":")[2], spec, defaults)
        return Resolved(given or spec, spec, _NoGenerator())
    if spec.lower().startswith("recorded:"):
        raise InputError(f"{spec[:80]}: recorded answers cannot judge; name a model, checks or simulated:...")
    return resolve(text, arguments, environ)


def _seat(judge: Resolved, engine: Engine, benchmark: Benchmark, prompts: PromptSet, options: RunOptions, price: Price | None) -> Seat:
    if judge.spec == "checks":
        made: Judge = ChecksJudge(judge.name)
        return Seat(made, judge.spec, "checks", "checks", made._sha256, None, lambda question, turn: bool(question.turn_checks(turn)))  # type: ignore[attr-defined]
    if isinstance(judge.generator, _NoGenerator):
        given = simulated_options(judge.spec.partition(":")[2], judge.spec, {"noise": 0.2, "length": 0.0, "position": 0.0, "self": 0.0, "seed": 0.0})
        made = SimulatedJudge(judge.name, noise=given["noise"], length=given["length"], position=given["position"], self_=given["self"], seed=int(given["seed"]))
        return Seat(made, judge.spec, judge.spec, "simulated", made._sha256, None, lambda question, turn: True)
    sampling = judge.arguments.applied(DEFAULT_SAMPLING)
    generator = engine.wrapped(judge.generator, judge.name, judge.endpoint, price)
    made = LLMJudge(judge.name, generator, prompts, benchmark.needs_reference, sampling=sampling, reask=options.reask)
    return Seat(made, judge.spec, generator.identity, prompts.name, prompts.sha256, sampling, lambda question, turn: True)


def _price(resolved: Resolved) -> Price | None:
    if resolved.arguments.price is not None:
        return Price(*resolved.arguments.price)
    return price_of(*resolved.priced) if resolved.priced else None


def _twice(option: str, names: Sequence[str]) -> list[str]:
    return [f"{option}: two are called {name!r}; rename one with NAME=SPEC" for name, n in Counter(names).items() if n > 1]


def _keys_missing(remote: Sequence[Resolved], engine: Engine, options: EngineOptions) -> list[str]:
    """Missing keys, but for what the log may answer: a finished run is read back without any key."""
    said = []
    for resolved in remote:
        if resolved.missing_key and (options.fresh or not options.log.exists() or not engine.log().knows(resolved.generator.identity)):
            said.append(resolved.missing_key)
    return said


class _Probes:
    """Awaited once before the first call of a run is sent."""

    def __init__(self, remote: Sequence[Resolved]) -> None:
        self._remote = remote

    async def check(self) -> None:
        """Raise CredentialError for keys still missing, EndpointDownError for endpoints nobody listens at."""
        missing = [r.missing_key for r in self._remote if r.missing_key]
        if missing:
            raise CredentialError(*missing)
        places = {r.probe: r.endpoint for r in self._remote if r.probe and not proxy_for(r.endpoint)}
        said = await asyncio.gather(*(_closed(host, port, endpoint) for (host, port), endpoint in places.items()))
        if any(said):
            raise EndpointDownError([line for line in said if line])


async def _closed(host: str, port: int, endpoint: str) -> str | None:
    """What is wrong with an endpoint's port, None when it is open or does not say."""
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return None
    except OSError as error:
        reason = "nobody listens there" if isinstance(error, ConnectionRefusedError) else (error.strerror or str(error)).lower()
        return f"{endpoint}: no connection to {host} port {port} ({reason}); start the server or mend the URL, then run the same command again"
    writer.close()
    return None


def _planned(benchmark: Benchmark, models: Sequence[Resolved], judges: Sequence[Resolved], seats: Sequence[Seat], options: RunOptions, prices: Mapping[int, Price | None]) -> Plan:
    judged = {s.judge.name: 0 for s in seats}
    for question in benchmark.questions():
        for turn in range(1, len(question.turns) + 1):
            for seat in seats:
                judged[seat.judge.name] += seat.judges_turn(question, turn)
    default = Sampling(max_tokens=benchmark.settings.max_tokens)
    return plan(
        benchmark,
        [PlannedModel(m.name, m.generator.remote, m.arguments.applied(default), prices.get(id(m)), m.generator.total_bytes if isinstance(m.generator, Recorded) else None) for m in models],
        [PlannedJudge(j.name, s.judge.remote, s.sampling or Sampling(), prices.get(id(j))) for j, s in zip(judges, seats, strict=True)],
        samples=options.samples, reask=options.reask, judged=judged.__getitem__,
    )  # fmt: skip
