"""Before the first paid call: every problem of every spec at once, then the models and judges of a run, ready to work."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import ipaddress
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.arguments import Arguments, parse_arguments
from judgebench.benchmarks import Benchmark
from judgebench.engine.counters import Counters
from judgebench.engine.engine import Engine, EngineOptions
from judgebench.engine.prices import Price, price_of
from judgebench.errors import CredentialError, EndpointDownError, InputError
from judgebench.formats.jsonl import cleaned, whole
from judgebench.generators.adapting import Adaptations
from judgebench.generators.function import FunctionGenerator
from judgebench.generators.http import proxy_for
from judgebench.generators.recorded import Recorded
from judgebench.judge_specs import LocalJudge, judge_spec
from judgebench.judges.checks import ChecksJudge
from judgebench.judges.llm import DEFAULT_SAMPLING, LLMJudge
from judgebench.planning import Plan, PlannedJudge, PlannedModel, plan
from judgebench.prompts import PromptSet, load_prompts
from judgebench.providers import Resolved, shown
from judgebench.specs import resolve
from judgebench.types import Generator, Judge, Question, Sampling

ModelSpec = str | tuple[str, str | Generator | Callable[..., Any]]
"""A SPEC, or (name, SPEC or generator or function from messages to a text)."""


@dataclass(frozen=True)
class RunOptions:
    """What a user asks of a run, before anything of it is looked up.

    Attributes:
        benchmark: a name, a folder or a questions file. models, judges: specs as on the command line; none of them for the
            recorded examples and for "checks". engine: how calls are made. limit, categories: which questions, None and ()
            for all. samples: judgments per turn and judge. reask: how often a missing verdict is asked for again.
        prompt: the judge prompt, None for the benchmark's own. generator_arguments, judge_arguments: K=V pairs.
    """

    benchmark: str | Path = "mtbench"
    models: Sequence[ModelSpec] = ()
    judges: Sequence[str] = ()
    engine: EngineOptions = dataclasses.field(default_factory=lambda: EngineOptions(Path("runs/responses.db")))
    limit: int | None = None
    categories: tuple[str, ...] = ()
    samples: int = 1
    reask: int = 1
    prompt: str | None = None
    seed: int = 0
    generator_arguments: tuple[str, ...] = ()
    judge_arguments: tuple[str, ...] = ()


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
    """A judge in a run, with what run.json says about it."""

    judge: Judge
    spec: str
    identity: str
    sampling: Sampling | None
    scale: tuple[float, float] = (1.0, 10.0)


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start. `missing_keys` says which keys a plan does without and the run will not; `notes` what is
    worth knowing before the first call."""

    benchmark: Benchmark
    options: RunOptions
    contestants: tuple[Contestant, ...]
    seats: tuple[Seat, ...]
    engine: Engine
    plan: Plan
    unknown_prices: tuple[str, ...]
    prompts: PromptSet
    missing_keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    async def close(self) -> None:
        """Release connections and files, and close the response log."""
        try:
            for contestant in self.contestants:
                await contestant.generator.close()
            for seat in self.seats:
                await seat.judge.close()
        finally:
            self.engine.close()


def prepare(benchmark: Benchmark, options: RunOptions, environ: Mapping[str, str], *, keys_needed: bool = True) -> Prepared:
    """Resolve every spec and wrap what calls. Without `keys_needed` missing keys are no problem: a plan calls nobody.

    Raises:
        InputError: all problems of all specs, one line each.
    """
    problems: list[str] = []
    given = [_arguments(problems, *pairs) for pairs in ((options.generator_arguments, "--generator-arg"), (options.judge_arguments, "--judge-arg"))]
    models = _collected(problems, [functools.partial(_model, m, given[0], environ) for m in options.models])
    judges = _collected(problems, [functools.partial(judge_spec, j, given[1], environ) for j in options.judges])
    prompts = _collected(problems, [functools.partial(load_prompts, options.prompt or benchmark.settings.prompt)])
    for option, names in (("--model", [m.name for m in models]), ("--judge", [j.name for j in judges])):
        problems += _twice(option, names) + _unwritable(option, names)
    remote = [r for r in (*models, *judges) if isinstance(r, Resolved) and r.generator.remote]
    probes = _Probes(remote)
    engine = Engine(options.engine, probes.check)
    try:
        missing = _keys_missing(remote, engine, options.engine)
        problems += missing if keys_needed else []
        prices = {id(r): _price(r) for r in remote}
        unpriced = tuple(dict.fromkeys(r.name for r in remote if prices[id(r)] is None))
        if options.engine.max_cost is not None and unpriced:
            who = ", ".join(map(shown, unpriced))
            problems.append(f"--max-cost: no price is known for {who}; set price_prompt and price_completion with --generator-arg or --judge-arg, or use --max-calls")
        if any(isinstance(j, LocalJudge) and isinstance(j.judge, ChecksJudge) for j in judges) and not any(any(q.checks) for q in benchmark.questions()):
            problems.append(f"judge checks: no question of {benchmark.name} has checks; name a judge, for example --judge openai:NAME")
        if prompts and any(isinstance(j, Resolved) for j in judges) and (unfit := prompts[0].problem(benchmark.questions(), benchmark.needs_reference)):
            problems.append(unfit)
        unanswered, notes = _unanswered(models, benchmark)
        problems += unanswered
        if options.prompt and judges and not any(isinstance(j, Resolved) for j in judges):
            notes.append(f"--prompt {cleaned(options.prompt)[:80]}: has no effect, as no judge here reads a prompt")
        if problems:
            raise InputError(*dict.fromkeys(problems))
        for resolved in remote:
            _say_refusals(resolved, engine.counters)
        contestants = tuple(Contestant(m.name, m.spec, engine.wrapped(m.generator, m.name, m.endpoint, prices.get(id(m))), m.arguments) for m in models)
        seats = tuple(_seat(j, engine, benchmark, prompts[0], options, prices.get(id(j))) for j in judges)
    except BaseException:
        engine.close()
        raise
    planned = _planned(benchmark, models, judges, seats, prompts[0], options, prices)
    return Prepared(benchmark, options, contestants, seats, engine, planned, unpriced, prompts[0], tuple(missing), tuple(notes))


def _collected(problems: list[str], makers: Sequence[Callable[[], Any]]) -> list[Any]:
    """What could be made; what could not adds its problems."""
    made = []
    for make in makers:
        try:
            made.append(make())
        except InputError as error:
            problems.extend(error.problems)
    return made


def _arguments(problems: list[str], pairs: tuple[str, ...], option: str) -> Arguments:
    made = _collected(problems, [functools.partial(parse_arguments, pairs, option)])
    return made[0] if made else Arguments()


def _model(model: ModelSpec, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    if isinstance(model, str):
        return resolve(model, arguments, environ)
    if not (isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], str) and model[0].strip()):
        raise InputError(f"model {str(model)[:80]}: write a SPEC such as openai:NAME, or a pair (name, SPEC or generator)")
    name, given = model
    if isinstance(given, str):
        return dataclasses.replace(resolve(given, arguments, environ), name=name)
    generator: Any = given if hasattr(given, "generate") else FunctionGenerator(given) if callable(given) else None
    if generator is None:
        raise InputError(f"model {name[:80]}: {type(given).__name__} is neither a SPEC, nor a function from messages to a text, nor a generator")
    return Resolved(name, f"python:{type(generator).__name__}", generator, "python" if generator.remote else "", arguments=arguments)


def _seat(judge: Resolved | LocalJudge, engine: Engine, benchmark: Benchmark, prompts: PromptSet, options: RunOptions, price: Price | None) -> Seat:
    if isinstance(judge, LocalJudge):
        return Seat(judge.judge, judge.spec, judge.spec, None)
    sampling = judge.arguments.applied(DEFAULT_SAMPLING)
    generator = engine.wrapped(judge.generator, judge.name, judge.endpoint, price)
    made = LLMJudge(judge.name, generator, prompts, benchmark.needs_reference, sampling=sampling, reask=options.reask)
    return Seat(made, judge.spec, generator.identity, sampling, prompts.base.scale)


def _price(resolved: Resolved) -> Price | None:
    if resolved.arguments.price is not None:
        return Price(*resolved.arguments.price)
    return price_of(*resolved.priced) if resolved.priced else None


def _twice(option: str, names: Sequence[str]) -> list[str]:
    return [f"{option}: two are called {name!r}; rename one with NAME=SPEC" for name, n in Counter(names).items() if n > 1]


def _unwritable(option: str, names: Sequence[str]) -> list[str]:
    """Names with half a character, as bytes of another encoding give them: no file could hold them as they are."""
    return [f"{option} {cleaned(name)[:80]}: the name is not valid UTF-8; give another with NAME=SPEC" for name in names if not whole(name)]


def _unanswered(models: Sequence[Resolved], benchmark: Benchmark) -> tuple[list[str], list[str]]:
    """(problems, notes) of recorded answers that are not, or not all, to the benchmark's questions."""
    recorded = [m.generator for m in models if isinstance(m.generator, Recorded)]
    ids = [question.id for question in benchmark.questions()] if recorded else []
    compared = [generator.compared(ids, benchmark.name) for generator in recorded]
    return [problem for problem, _ in compared if problem], [note for _, note in compared if note]


def _keys_missing(remote: Sequence[Resolved], engine: Engine, options: EngineOptions) -> list[str]:
    """Missing keys, but for what the log may answer: a finished run is read back without any key."""
    return [
        resolved.missing_key for resolved in remote
        if resolved.missing_key and (options.fresh or not options.log.exists() or not engine.log().knows(resolved.generator.identity))
    ]  # fmt: skip


def _say_refusals(resolved: Resolved, counters: Counters) -> None:
    """What a model refuses to be sent is said at the end of the run."""
    adaptations = getattr(resolved.generator, "adaptations", None)
    if isinstance(adaptations, Adaptations):
        adaptations.on_change = lambda notes: counters.notes.update(dict.fromkeys(f"{shown(resolved.name)}: {note}" for note in notes))


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
        said = await asyncio.gather(*(connection_problem(host, port, endpoint) for (host, port), endpoint in places.items()))
        if any(said):
            raise EndpointDownError([line for line in said if line])


async def connection_problem(host: str, port: int, endpoint: str) -> str | None:
    """What is wrong with an endpoint's port, None when it is open or does not answer within 5 s."""
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return None
    except OSError as error:
        reason = "nobody listens there" if isinstance(error, ConnectionRefusedError) else (error.strerror or str(error)).lower()
        mend = "start the server or mend the URL" if _near(host) else "check the network or proxy, and the URL"
        return f"{endpoint}: no connection to {host} port {port} ({reason}); {mend}, then run the same command again"
    writer.close()
    return None


def _near(host: str) -> bool:
    """Whether a host looks like one of the user's own: this machine, a private address, or a name without a public domain."""
    try:
        return ipaddress.ip_address(host).is_private  # loopback addresses are private too
    except ValueError:
        return "." not in host.rstrip(".") or host.endswith((".local", ".lan", ".internal", ".localhost"))


def _planned(
    benchmark: Benchmark, models: Sequence[Resolved], judges: Sequence[Resolved | LocalJudge], seats: Sequence[Seat], prompts: PromptSet, options: RunOptions,
    prices: Mapping[int, Price | None],
) -> Plan:  # fmt: skip
    judged = {s.judge.name: 0 for s in seats}
    for question in benchmark.questions():
        for turn in range(1, len(question.turns) + 1):
            for seat in seats:
                judged[seat.judge.name] += seat.judge.judges_turn(question, turn)
    default = Sampling(max_tokens=benchmark.settings.max_tokens)
    return plan(
        benchmark, [_planned_model(m, default, prices.get(id(m))) for m in models],
        [PlannedJudge(j.name, s.sampling or Sampling(), prices.get(id(j)), prompts if s.judge.remote else None) for j, s in zip(judges, seats, strict=True)],
        samples=options.samples, reask=options.reask, judged=judged.__getitem__,
    )  # fmt: skip


def _planned_model(model: Resolved, default: Sampling, price: Price | None) -> PlannedModel:
    known = model.generator.total_bytes if isinstance(model.generator, Recorded) else None
    return PlannedModel(model.name, model.generator.remote, model.arguments.applied(default), price, known)
