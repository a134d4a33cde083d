"""Answers from a file: nothing is generated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from judgebench.complaints import shown
from judgebench.errors import ProviderError
from judgebench.formats.answers import AnswerIndex
from judgebench.formats.jsonl import cleaned
from judgebench.types import Answer, FinishReason, QuestionId, Request, Response

_ERROR = "$ERROR$"  # what FastChat writes for an answer that could not be generated


class Recorded:
    """The answers of one model in a file (ours or FastChat's model_answer).

    Args:
        path: the file. model: whose answers, where the file holds those of several.
    """

    remote = False

    def __init__(self, path: Path, model: str | None = None) -> None:
        self._index = AnswerIndex(path, model)
        self.identity = f"recorded {path.name} {self._index.model or ''}".strip()
        self.model = self._index.model
        self._last: tuple[QuestionId, Answer | None] = ("", None)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def total_bytes(self) -> int:
        """Size of all its answers, an upper bound for planning."""
        return self._index.total_bytes

    def compared(self, ids: Sequence[QuestionId], benchmark: str) -> tuple[str | None, str | None]:
        """(problem, note) about answers that are to none, or only to some, of the questions with these ids; None where there is none."""
        missing = sum(str(i) not in self._index for i in ids)
        if missing == len(ids):
            theirs, asked = _span(self._index.ids()), _span([str(i) for i in ids])
            return f"{self._index.path}: answers questions {theirs}, and {benchmark} has {asked}: give their own questions file as the benchmark", None
        return None, f"{self._index.path}: {missing} of {len(ids)} questions have no answer" if missing else None

    async def generate(self, request: Request) -> Response:
        """The recorded text of a question's turn. Raises ProviderError where the file has none."""
        if self._last[0] != request.question_id or self._last[1] is None:
            self._last = (request.question_id, self._index.get(request.question_id))
        answer = self._last[1]
        if answer is None or request.turn > len(answer.turns):
            if answer is not None and answer.error is not None:
                raise ProviderError(answer.error, retryable=False)
            what = "no answer" if answer is None else f"no turn {request.turn} in the answer"
            raise ProviderError(f"{self._index.path}: {what} to question {request.question_id}", retryable=False, kind="request")
        text = answer.turns[request.turn - 1]
        if text.strip() == _ERROR:
            raise ProviderError(f"{self._index.path}: the answer to question {request.question_id} is FastChat's mark of a failed generation", retryable=False)
        return Response(cleaned(text), _reason(answer.finish_reasons[request.turn - 1]), answer.snapshot)

    async def close(self) -> None:
        """Close the file."""
        self._index.close()


def _span(ids: Sequence[str]) -> str:
    """Ids as a message shows them: 81-160 for numbers, else the first few."""
    if all(i.lstrip("-").isdecimal() and len(i) < 16 for i in ids):
        low, high = min(map(int, ids)), max(map(int, ids))
        return f"{low}-{high}" if low != high else f"{low}"
    return ", ".join(shown(i) for i in ids[:3]) + (", ..." if len(ids) > 3 else "")


def _reason(text: str) -> FinishReason:
    known: tuple[FinishReason, ...] = get_args(FinishReason)
    return next((reason for reason in known if reason == text), "unknown")
