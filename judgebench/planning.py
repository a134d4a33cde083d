"""What a run would ask at worst: calls, tokens and dollars per endpoint, before anything is sent.

Worst means: nothing in the log yet, every answer and judgment as long as its limit on tokens allows, every verdict asked for
again as often as --reask says. Texts are counted as the budget counts them (`judgebench.engine.budget.worst_usage`): one token
for two bytes, which ordinary text stays well below, so that a run with --max-cost at its planned cost is not stopped.
Retries are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from judgebench.benchmarks import Benchmark
from judgebench.engine.budget import ASSUMED_COMPLETION
from judgebench.engine.prices import Price
from judgebench.prompts import PromptSet
from judgebench.types import Answer, Question, Sampling

_ANSWER_BYTES = 4  # per token of a text that does not exist yet
_MESSAGE_BYTES, _CALL_TOKENS = 8, 16  # around every message and every call
_BYTES_PER_TOKEN = 2


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
    """All calls of a run, at worst."""

    calls: tuple[PlannedCalls, ...]
    judgments: int

    @property
    def most_calls(self) -> int:
        """Calls to all models and judges."""
        return sum(c.most_calls for c in self.calls)

    @property
    def tokens(self) -> int:
        """Tokens of all prompts and completions."""
        return sum(c.prompt_tokens + c.completion_tokens for c in self.calls)

    @property
    def dollars(self) -> float:
        """US dollars, of what has a known price."""
        return sum(c.dollars or 0.0 for c in self.calls)

    @property
    def unknown_prices(self) -> tuple[str, ...]:
        """Who has no known price."""
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
    """A judge as planning sees it; `prompts` is None for one that asks nobody."""

    name: str
    sampling: Sampling
    price: Price | None
    prompts: PromptSet | None = None


@dataclass(frozen=True)
class _Texts:
    """Bytes of a question's texts: what the judge of turn k may read is the first k of each."""

    turns: tuple[int, ...]
    references: int

    @property
    def read_turns(self) -> int:
        """Bytes of the questions that all calls together read, when call k reads the first k."""
        return sum(size * (len(self.turns) - i) for i, size in enumerate(self.turns))


def plan(benchmark: Benchmark, models: Sequence[PlannedModel], judges: Sequence[PlannedJudge], *, samples: int, reask: int, judged: Callable[[str], int]) -> Plan:
    """The calls of a single-grading run.

    Args:
        benchmark: its questions are read once. models, judges: of the run. samples: judgments per turn, judge and model.
        reask: how often a missing verdict is asked for again. judged: name of a judge -> turns of the benchmark that it judges
            per model.
    """
    texts = [_Texts(tuple(map(len_bytes, q.turns)), sum(len_bytes(r) for r in q.references if r)) for q in benchmark.questions()]
    asked = [_generation(m, texts) for m in models if m.remote]
    graded = [
        _judging(judge, judge.prompts, models, texts, judgments=judged(judge.name) * len(models) * samples, samples=samples, reask=reask)
        for judge in judges if judge.prompts is not None
    ]  # fmt: skip
    return Plan((*asked, *graded), sum(judged(j.name) for j in judges) * len(models) * samples)


def len_bytes(text: str) -> int:
    """Length in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def _generation(model: PlannedModel, texts: Iterable[_Texts]) -> PlannedCalls:
    """Turn k of a question is asked with the k - 1 turns before it and their answers."""
    calls = read = 0
    for question in texts:
        n = len(question.turns)
        calls += n
        read += question.read_turns + n * (n - 1) // 2 * _most(model.sampling) * _ANSWER_BYTES + n * n * _MESSAGE_BYTES
    return _priced(model.name, "model", calls, calls, read, model.sampling, model.price)


def _judging(judge: PlannedJudge, prompts: PromptSet, models: Sequence[PlannedModel], texts: Sequence[_Texts], *, judgments: int, samples: int, reask: int) -> PlannedCalls:
    """Turn k is judged with the k questions, answers and references up to it; asking again repeats all that and the reply."""
    longest = max((len(t.turns) for t in texts), default=1)
    frame, copies = prompt_frame(prompts, longest)
    read = 0
    for model in models:
        answers = _most(model.sampling) * _ANSWER_BYTES
        read += sum(t.read_turns + len(t.turns) * t.references for t in texts)
        read += longest * model.answer_bytes if model.answer_bytes is not None else sum(len(t.turns) * (len(t.turns) + 1) // 2 for t in texts) * answers
    first = samples * copies * read + judgments * (frame + 2 * _MESSAGE_BYTES)
    reply = _most(judge.sampling) * _ANSWER_BYTES + max(len_bytes(p.reask) for p in prompts.all) + 2 * _MESSAGE_BYTES
    again = reask * first + reask * (reask + 1) // 2 * judgments * reply
    return _priced(judge.name, "judge", judgments, judgments * (1 + reask), first + again, judge.sampling, judge.price)


def prompt_frame(prompts: PromptSet, turns: int) -> tuple[int, int]:
    """(bytes, copies): the length of the longest prompt of a set around the texts that it shows, and how often it shows one.

    Args:
        prompts: each of them is rendered once. turns: of the longest conversation that is judged, 1 and up.
    """
    last = max(turns, *(p.only_turn or 1 for p in prompts.all))
    marks = [f"@{i:03}@" for i in range(3 * last)]
    question = Question("", "", tuple(marks[:last]), tuple(marks[last : 2 * last]))
    answer = Answer("", "", tuple(marks[2 * last :]))
    shown = ["".join(p.render(question, answer, p.only_turn or turns)) for p in prompts.all]
    return max(map(len_bytes, shown)), max((text.count(mark) for text in shown for mark in marks), default=1) or 1


def _most(sampling: Sampling) -> int:
    return sampling.max_tokens or ASSUMED_COMPLETION


def _priced(name: str, role: str, calls: int, most: int, read: int, sampling: Sampling, price: Price | None) -> PlannedCalls:
    """The line of `most` calls that read so many bytes in all."""
    prompt, completion = read // _BYTES_PER_TOKEN + most * _CALL_TOKENS, most * _most(sampling)
    return PlannedCalls(name, role, calls, most, prompt, completion, None if price is None else (prompt * price.prompt + completion * price.completion) / 1e6)
