"""The records and protocols that every other module speaks in. All records are frozen; dicts live at the file boundary only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

QuestionId = int | str
"""A question's id as its file spells it; ids are compared by `str(id)`, so 7 and "7" are the same question."""

FinishReason = Literal["stop", "length", "refused", "content_filter", "error", "unknown"]
FailureKind = Literal["no_verdict", "out_of_range", "truncated", "refused", "empty_answer", "provider_error"]


class TurnCheck(Protocol):
    """A yes-or-no property of an answer (see `judgebench.checks`)."""

    @property
    def note(self) -> str: ...

    def passes(self, answer: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a benchmark.

    Attributes:
        id: as in the file. category: free text. turns: what the user says, turn by turn.
        references: a right answer per turn, None where there is none.
        checks: programmatic checks per turn. temperature: of this question alone, where its file sets one.
        line: the question as canonical JSON, as it is written into a run folder.
    """

    id: QuestionId
    category: str
    turns: tuple[str, ...]
    references: tuple[str | None, ...] = ()
    checks: tuple[tuple[TurnCheck, ...], ...] = ()
    temperature: float | None = None
    line: str = field(default="", compare=False, repr=False)

    def reference(self, turn: int) -> str | None:
        """The reference of a turn (1-based), or None."""
        return self.references[turn - 1] if turn <= len(self.references) else None

    def turn_checks(self, turn: int) -> tuple[TurnCheck, ...]:
        """The checks of a turn (1-based)."""
        return self.checks[turn - 1] if turn <= len(self.checks) else ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of one call; None leaves a parameter to the provider. `extra` is sent as it is."""

    temperature: float | None = None
    max_tokens: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation: role "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a generator.

    Attributes:
        messages, sampling, sample: with the generator's identity and the prompt's hash, the key of the response log.
        prompt_sha256: of the judge prompt that made the messages; "" where none did.
        question_id, category, turn: where the call comes from. Recorded and simulated generators answer by them; they are no
            part of the key.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int = 0
    prompt_sha256: str = ""
    question_id: QuestionId = ""
    category: str = ""
    turn: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or several calls, as the API reported them; None where it did not."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(_plus(self.prompt_tokens, other.prompt_tokens), _plus(self.completion_tokens, other.completion_tokens))


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


@dataclass(frozen=True, slots=True)
class Response:
    """What a generator said.

    Attributes:
        text: the visible text, exactly as received ("" where there is none).
        finish_reason: why it stopped. "refused" and "content_filter" are the provider's own words for it.
        model: the snapshot that the API says has answered, None where it does not say.
        usage: tokens. reasoning: thinking that the API reports in a field of its own.
    """

    text: str
    finish_reason: FinishReason = "stop"
    model: str | None = None
    usage: Usage = Usage()
    reasoning: str | None = None


class Generator(Protocol):
    """Anything that answers a request: a provider, a recorded file, a simulation, or the engine around one of them."""

    @property
    def identity(self) -> str:
        """What answers, for the response log: provider, endpoint and model; never a secret."""
        ...

    @property
    def remote(self) -> bool:
        """Whether a call costs time or money: then it is logged, limited, retried and counted."""
        ...

    async def generate(self, request: Request) -> Response:
        """Answer. Raises `ProviderError` when the call failed."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to a question, turn by turn. Shorter than the question where a turn could not be asked.

    Attributes:
        turns: visible texts. finish_reasons: one per turn. usage: summed over turns. snapshot: model as the API reported it.
        error: why the last turn is missing (one line), None where nothing is.
    """

    question_id: QuestionId
    model: str
    turns: tuple[str, ...]
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = Usage()
    snapshot: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a judgment has no value. `detail` is one line for people."""

    kind: FailureKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judgment:
    """One judgment of one turn of one answer: either a score or a failure, never both and never neither.

    Attributes:
        prompt, prompt_sha256: the judge prompt ("checks" and "simulated" name the method and its version).
        sample: which of several repeats. text: all that the judge said. reask_texts: what it said each time it was asked again.
        usage: tokens of this judgment's calls. snapshot: the judge as the API reported it.
    """

    question_id: QuestionId
    category: str
    turn: int
    model: str
    judge: str
    prompt: str
    prompt_sha256: str
    sample: int = 0
    text: str | None = None
    reask_texts: tuple[str, ...] = ()
    usage: Usage = Usage()
    snapshot: str | None = None
    score: float | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty.

    Attributes:
        value: None where there is nothing to estimate from; `method` then says why.
        low, high: the interval at `confidence_level`. n: how many judgments. method: how the interval was made.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    confidence_level: float = 0.95


@dataclass(frozen=True, slots=True)
class JudgingTask:
    """What a judge is asked to judge: one turn of one answer, in its conversation."""

    question: Question
    answer: Answer
    turn: int
    sample: int = 0


class Judge(Protocol):
    """Judges one turn of an answer."""

    @property
    def name(self) -> str: ...

    @property
    def prompt(self) -> str:
        """The prompt set, or the method ("checks") where no prompt is used."""
        ...

    @property
    def prompt_sha256(self) -> str:
        """Of all that decides a judgment beside the answer and what is asked: a prompt set, or the method and its version."""
        ...

    @property
    def remote(self) -> bool: ...

    def judges_turn(self, question: Question, turn: int) -> bool:
        """Whether it has anything to say about a turn (1-based) of any answer to a question."""
        ...

    async def judge(self, task: JudgingTask) -> Judgment:
        """Judge a turn for which `judges_turn` holds. Raises only what stops the run: all else is a judgment with a `Failure`."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
