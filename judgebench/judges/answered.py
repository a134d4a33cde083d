"""What all judges share: which answers have nothing in them to judge, and the judgment of a task."""

from __future__ import annotations

from judgebench.types import Failure, JudgingTask, Judgment, Usage


def judgment_of(
    task: JudgingTask, judge: str, prompt: str, prompt_sha256: str, *, score: float | None, failure: Failure | None, text: str | None,
    reask_texts: tuple[str, ...] = (), usage: Usage = Usage(), snapshot: str | None = None,
) -> Judgment:  # fmt: skip
    """The judgment of a task, with either a score or a failure. All else is as in `Judgment`."""
    question = task.question
    return Judgment(
        question.id, question.category, task.turn, task.answer.model, judge, prompt, prompt_sha256, task.sample, text, reask_texts, usage, snapshot, score, failure
    )


def unjudgeable(task: JudgingTask) -> Failure | None:
    """Why a turn cannot be judged, None when it can: the call failed, or the text is empty (refused, cut off, or just so)."""
    answer, turn = task.answer, task.turn
    if turn > len(answer.turns):
        return _missing(answer.error, answer.finish_reasons)
    if answer.turns[turn - 1].strip():
        return None
    return _empty(answer.finish_reasons[turn - 1] if turn <= len(answer.finish_reasons) else "stop")


def _empty(reason: str) -> Failure:
    if reason in ("refused", "content_filter"):
        return Failure("refused", f"the model gave no answer ({reason})")
    if reason == "length":
        return Failure("truncated", "all tokens were spent before any visible text; raise max_tokens")
    return Failure("empty_answer", "the answer is empty")


def _missing(error: str | None, reasons: tuple[str, ...]) -> Failure:
    """A turn that was never asked: its own call failed, or the turn before it came out empty."""
    if error is None and reasons:
        return _empty(reasons[-1])
    return Failure("provider_error", error or "the answer has no such turn")
