"""Answer files: ours (`question_id`, `model`, `turns`) and FastChat's model_answer (`choices[0].turns`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from judgebench.complaints import shown
from judgebench.errors import InputError
from judgebench.formats.jsonl import BOM, Row, cleaned, dump, parse_object, read_rows
from judgebench.types import Answer, QuestionId, Usage


def parse_answer(row: Row, path: Path, model: str) -> Answer:
    """One recorded answer, under the name `model`. Raises InputError with file, line and mend."""
    where, raw = f"{path} line {row.line}", row.value
    identity = raw.get("question_id", raw.get("uid"))
    if isinstance(identity, bool) or not isinstance(identity, (int, str)):
        raise InputError(f'{where}: "question_id" is missing; an answer row needs it')
    turns = _turns(raw)
    if turns is None:
        raise InputError(f'{where}: an answer to question {shown(identity)} needs "turns" (a list of texts) or FastChat\'s "choices"')
    reasons = raw.get("finish_reasons") or ["stop"] * len(turns)
    if not isinstance(reasons, list) or len(reasons) != len(turns):
        raise InputError(f'{where}: "finish_reasons" must be a list as long as "turns"')
    snapshot, error = raw.get("snapshot"), raw.get("error")
    return Answer(
        identity, model, tuple(cleaned(t) for t in turns), tuple(str(r) for r in reasons), parse_usage(raw.get("usage")),
        snapshot if isinstance(snapshot, str) else None, cleaned(error) if isinstance(error, str) else None,
    )  # fmt: skip


def _turns(raw: dict[str, Any]) -> list[str] | None:
    turns = raw.get("turns")
    if turns is None and isinstance(raw.get("choices"), list) and raw["choices"] and isinstance(raw["choices"][0], dict):
        turns = raw["choices"][0].get("turns")
    failed = isinstance(raw.get("error"), str)  # a row of our own whose first call failed: there, and without an answer
    if isinstance(turns, list) and (turns or failed) and all(isinstance(turn, str) for turn in turns):
        return turns
    return None


def model_of(row: Row) -> str | None:
    """The model that an answer row names, None where it names none."""
    name = row.value.get("model", row.value.get("model_id"))
    return name if isinstance(name, str) else None


_ANSWERS_HAVE = {"model", "model_id", "choices", "finish_reasons", "answer_id"}


class AnswerIndex:
    """The answers of one model in a file, found by question id without holding their texts in memory.

    Args:
        path: JSON Lines. model: only rows of this model, where rows name one; None takes the file's only model.

    Raises:
        InputError: unreadable file, a malformed row, several models and none chosen, two answers to one question.
    """

    def __init__(self, path: Path, model: str | None = None) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}
        self.total_bytes = 0
        models: dict[str | None, None] = {}
        ends: list[int] = [0, 0]

        def advance(raw: bytes) -> None:
            ends[0], ends[1] = ends[1], ends[1] + len(raw)

        for row in read_rows(path, advance):
            if {"category", "turns"} <= row.value.keys() and not _ANSWERS_HAVE & row.value.keys():
                raise InputError(f"{path} line {row.line}: holds questions, not answers; give the file of a model's answers, or name this one as the benchmark")
            name = model_of(row)
            models[name] = None
            several = len(models) - (None in models) > 1  # where none is chosen, `_only` says so, and no row is a second answer
            if name in (model, None) or (model is None and not several):
                self._add(row, ends[0])
                self.total_bytes += ends[1] - ends[0]
        self.model = self._only(models, model)
        self._file: BinaryIO | None = None  # opened when first needed: many a run is only planned

    def _only(self, models: dict[str | None, None], model: str | None) -> str | None:
        named = [m for m in models if m is not None]
        if model is None and len(named) > 1:
            raise InputError(f"{self.path}: answers of {len(named)} models ({', '.join(named[:4])}); name one: recorded:{self.path}#MODEL")
        if not self._places:
            raise InputError(f"{self.path}: no answers" + (f" of {model!r}; it has those of {', '.join(named[:4])}" if model and named else " in it"))
        return model or (named[0] if named else None)

    def _add(self, row: Row, offset: int) -> None:
        key = str(parse_answer(row, self.path, "").question_id)
        if key in self._places:
            raise InputError(f"{self.path} line {row.line}: a second answer to question {shown(key)} (the first is on line {self._places[key][1]}); keep one")
        self._places[key] = (offset, row.line)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, question: str) -> bool:
        return question in self._places

    def ids(self) -> list[str]:
        """The ids of all questions that have an answer, in the order of the file."""
        return list(self._places)

    def get(self, question: QuestionId) -> Answer | None:
        """The answer to a question, or None."""
        if str(question) not in self._places:
            return None
        offset, line = self._places[str(question)]
        if self._file is None:
            self._file = self.path.open("rb")
        self._file.seek(offset)
        raw = self._file.readline()
        value = parse_object(raw.removeprefix(BOM) if line == 1 else raw, f"{self.path} line {line}")
        return parse_answer(Row(line, value), self.path, self.model or "")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def answer_row(answer: Answer) -> str:
    """An answer as a line of answers.jsonl."""
    row: dict[str, Any] = {"question_id": answer.question_id, "model": answer.model, "turns": list(answer.turns), "finish_reasons": list(answer.finish_reasons)}
    row["usage"] = usage_row(answer.usage)
    row["snapshot"] = answer.snapshot
    row["error"] = answer.error
    return dump(row)


def parse_usage(raw: Any) -> Usage:
    """Tokens from our files; None for what is absent or no count."""
    if not isinstance(raw, dict):
        return Usage()
    counts = [raw.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(c if isinstance(c, int) and not isinstance(c, bool) and c >= 0 else None for c in counts))


def usage_row(usage: Usage) -> dict[str, int | None] | None:
    """Tokens as they stand in our files; null where the API reported none."""
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    return {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
