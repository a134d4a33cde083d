"""An LLM as judge: a prompt, a generator, and the parser that the prompt names."""

from __future__ import annotations

from collections.abc import Callable

from judgebench.errors import ProviderError
from judgebench.judges.answered import judgment_of, unjudgeable
from judgebench.prompts import Prompt, PromptSet
from judgebench.types import Failure, Generator, JudgingTask, Judgment, Message, Question, Request, Response, Sampling, Usage
from judgebench.verdicts import PARSERS

DEFAULT_SAMPLING = Sampling(temperature=0.0, max_tokens=2048)


class LLMJudge:
    """Grades one answer by asking a generator.

    Args:
        name: for people and files. generator: anything that satisfies `Generator`. prompts: the set to choose from.
        needs_reference: whether a question's turn is graded against its reference. sampling: of the judge.
        reask: how often the verdict alone is asked for when none was found.
    """

    def __init__(
        self, name: str, generator: Generator, prompts: PromptSet, needs_reference: Callable[[Question, int], bool],
        *, sampling: Sampling = DEFAULT_SAMPLING, reask: int = 1,
    ) -> None:  # fmt: skip
        self.name = name
        self.remote = generator.remote
        self._generator, self._prompts, self._needs_reference = generator, prompts, needs_reference
        self._sampling, self._reask = sampling, reask
        self.prompt, self.prompt_sha256 = prompts.name, prompts.sha256

    def judges_turn(self, question: Question, turn: int) -> bool:
        return True

    async def judge(self, task: JudgingTask) -> Judgment:
        """One judgment. A failed call is a judgment with the failure "provider_error"; errors that stop the run are raised."""
        prompt = self._prompts.choose(reference=self._needs_reference(task.question, task.turn), turn=task.turn)
        failure = unjudgeable(task)
        if failure is not None:
            return self._judgment(task, prompt, [], None, failure)
        messages = prompt.messages(task.question, task.answer, task.turn)
        responses: list[Response] = []
        try:
            while True:
                responses.append(await self._generator.generate(self._request(task, prompt, messages)))
                score, failure = _read(responses[-1], prompt)
                if failure is None or failure.kind not in ("no_verdict", "truncated") or len(responses) > self._reask:
                    return self._judgment(task, prompt, responses, score, failure)
                messages = (*messages, Message("assistant", responses[-1].text.strip() or "(no reply)"), Message("user", prompt.reask))
        except ProviderError as error:
            return self._judgment(task, prompt, responses, None, Failure("provider_error", str(error)))

    async def close(self) -> None:
        """Close the generator."""
        await self._generator.close()

    def _request(self, task: JudgingTask, prompt: Prompt, messages: tuple[Message, ...]) -> Request:
        question = task.question
        return Request(messages, self._sampling, task.sample, prompt.sha256, question.id, question.category, task.turn)

    def _judgment(self, task: JudgingTask, prompt: Prompt, responses: list[Response], score: float | None, failure: Failure | None) -> Judgment:
        return judgment_of(
            task, self.name, prompt.name, prompt.sha256,
            text=responses[0].text if responses else None, reask_texts=tuple(r.text for r in responses[1:]),
            usage=sum((r.usage for r in responses), Usage()), snapshot=responses[-1].model if responses else None, score=score, failure=failure,
        )  # fmt: skip


def _read(response: Response, prompt: Prompt) -> tuple[float | None, Failure | None]:
    """The score of a response, or why it has none."""
    reading = PARSERS[prompt.verdict](response.text, prompt.scale)
    if reading.score is not None:
        return reading.score, None
    if response.finish_reason in ("refused", "content_filter"):
        return None, Failure("refused", f"the judge refused ({response.finish_reason})")
    if response.finish_reason == "length" and reading.problem == "no_verdict":
        return None, Failure("truncated", "the judge was cut off before its verdict; raise --judge-arg max_tokens")
    if reading.problem == "out_of_range":
        return None, Failure("out_of_range", f"the verdict is no rating from {prompt.scale[0]:g} to {prompt.scale[1]:g}")
    return None, Failure("no_verdict", "no verdict could be read")
