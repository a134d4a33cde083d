"""Short ways to make the records that many tests need."""

import asyncio
from collections.abc import Iterable
from typing import Any

from judgebench.types import Answer, FinishReason, Judge, JudgingTask, Judgment, Question, Request, Response, Usage


def task(
    *texts: str, turn: int | None = None, turns: tuple[str, ...] = (), category: str = "writing", references: tuple[str | None, ...] = (),
    checks: tuple[Any, ...] = (), model: str = "m", reasons: tuple[str, ...] = (), error: str | None = None, sample: int = 0, question_id: int | str = 1,
) -> JudgingTask:  # fmt: skip
    """A task to judge the last (or the given) turn of an answer with these texts."""
    asked = turns or tuple(f"Question {i}?" for i in range(1, max(1, len(texts), turn or 0) + 1))
    question = Question(question_id, category, asked, references, checks)
    answer = Answer(question_id, model, texts, reasons or ("stop",) * len(texts), error=error)
    return JudgingTask(question, answer, turn or len(texts), sample)


def judged(judge: Judge, one: JudgingTask) -> Judgment:
    """What a judge says of one task."""

    async def ask() -> Judgment:
        return await judge.judge(one)

    return asyncio.run(ask())


def judgment(score: float | None = 7.0, **fields: Any) -> Judgment:
    """A judgment; `failure` goes with `score=None`."""
    known = {"question_id": 1, "category": "writing", "turn": 1, "model": "m", "judge": "j", "prompt": "single", "prompt_sha256": "0" * 64}
    return Judgment(**{**known, "score": score, **fields})


class Scripted:
    """A generator that says the given things one after the other, and keeps what it was asked. An exception is raised."""

    remote = True
    identity = "scripted"

    def __init__(self, replies: Iterable[str | Response | Exception]) -> None:
        self._replies = iter(replies)
        self.requests: list[Request] = []
        self.closed = False

    async def generate(self, request: Request) -> Response:
        self.requests.append(request)
        reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Response) else said(reply)

    async def close(self) -> None:
        self.closed = True


def said(text: str, finish_reason: FinishReason = "stop", prompt_tokens: int | None = 10, completion_tokens: int | None = 5) -> Response:
    """A response with its usage and snapshot."""
    return Response(text, finish_reason, "scripted-2026-01-01", Usage(prompt_tokens, completion_tokens))
