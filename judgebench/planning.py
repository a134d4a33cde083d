"""What a run would ask at worst: calls, tokens and dollars per endpoint, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from judgebench.benchmarks import Benchmark
from judgebench.engine.budget import ASSUMED_COMPLETION
from judgebench.engine.prices import Price
from judgebench.types import Sampling

_PROMPT_OVERHEAD = 1200  # bytes of a judge prompt around the texts; the shipped ones stay below twice this
_ASSUMED_ANSWER_BYTES = 4  # per token of an answer that does not exist yet


@dataclass(frozen=True)
class PlannedCalls:
    """Calls to one model or judge.

    Attributes:
        name, role: who, as "model" or "judge". calls: without asking again for a missing verdict. most_calls: with it.
        prompt_tokens, completion_tokens: upper bounds for `most_calls`. dollars: None when the price is unknown.
    """

    name: str
    role: str
    calls: int
    most_calls: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float | None


@dataclass(frozen=True)
class Plan:
    """All calls of a run, at worst (nothing in the log yet, every verdict asked for again)."""

    calls: tuple[PlannedCalls, ...]
    judgments: int

    @property
    def most_calls(self) -> int:
        return sum(c.most_calls for c in self.calls)

    @property
    def tokens(self) -> int:
        return sum(c.prompt_tokens + c.completion_tokens for c in self.calls)

    @property
    def dollars(self) -> float:
        """Of what has a known price."""
        return sum(c.dollars or 0.0 for c in self.calls)

    @property
    def unknown_prices(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.calls if c.dollars is None)


@dataclass(frozen=True)
class PlannedModel:
    """A model as planning sees it: `answer_bytes` is the total length of answers that exist already, None otherwise."""

    name: str
    remote: bool
    sampling: Sampling
    price: Price | None
    answer_bytes: int | None = None


@dataclass(frozen=True)
class PlannedJudge:
    """A judge as planning sees it."""

    name: str
    remote: bool
    sampling: Sampling
    price: Price | None


def plan(benchmark: Benchmark, models: Sequence[PlannedModel], judges: Sequence[PlannedJudge], *, samples: int, reask: int, judged: Callable[[str], int]) -> Plan:
    """The calls of a single-grading run.

    Args:
        judged: name of a judge -> how many turns of the benchmark it judges per model.
    """
    texts = [(len(q.turns), sum(map(len_bytes, q.turns)), sum(len_bytes(r) for r in q.references if r)) for q in benchmark.questions()]
    turns, question_bytes, reference_bytes = (sum(t[i] for t in texts) for i in range(3))
    calls = [_generation(m, texts) for m in models if m.remote]
    for judge in judges:
        if judge.remote:
            n = judged(judge.name) * len(models) * samples
            answers = sum(_answer_bytes(m, turns) for m in models)
            read = samples * (2 * answers + len(models) * 2 * (question_bytes + reference_bytes)) + n * _PROMPT_OVERHEAD
            calls.append(_priced(judge.name, "judge", n, n * (1 + reask), (1 + reask) * read // 2, judge.sampling, judge.price))
    return Plan(tuple(calls), sum(judged(j.name) for j in judges) * len(models) * samples)


def len_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _answer_bytes(model: PlannedModel, turns: int) -> int:
    if model.answer_bytes is not None:
        return model.answer_bytes
    return turns * (model.sampling.max_tokens or ASSUMED_COMPLETION) * _ASSUMED_ANSWER_BYTES


def _generation(model: PlannedModel, texts: Sequence[tuple[int, int, int]]) -> PlannedCalls:
    n = sum(t for t, _, _ in texts)
    most = model.sampling.max_tokens or ASSUMED_COMPLETION
    prompt = sum(t * size // 2 + most * t * (t - 1) // 2 for t, size, _ in texts)
    return _priced(model.name, "model", n, n, prompt, model.sampling, model.price)


def _priced(name: str, role: str, calls: int, most: int, prompt: int, sampling: Sampling, price: Price | None) -> PlannedCalls:
    completion = most * (sampling.max_tokens or ASSUMED_COMPLETION)
    dollars = None if price is None else (prompt * price.prompt + completion * price.completion) / 1e6
    return PlannedCalls(name, role, calls, most, prompt, completion, dollars)
