"""Question files: ours and FastChat's (`question_id`, `category`, `turns`, `reference` or `references`, `checks`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgebench.checks import parse_check
from judgebench.complaints import shown
from judgebench.errors import InputError
from judgebench.formats.jsonl import Row, dump, read_rows, whole
from judgebench.types import Question


def read_questions(path: Path, references: Mapping[str, tuple[str | None, ...]] | None = None) -> Iterator[Question]:
    """The questions of a file, in order.

    Args:
        path: JSON Lines. references: references by id from a file of their own; they win over those in the file.

    Raises:
        InputError: with file, line and mend.
    """
    for row in read_rows(path):
        yield parse_question(row, path, references or {})


def parse_question(row: Row, path: Path, references: Mapping[str, tuple[str | None, ...]]) -> Question:
    """One question from one row."""
    where, raw = f"{path} line {row.line}", row.value
    identity = raw.get("question_id", raw.get("uid"))
    if isinstance(identity, bool) or not isinstance(identity, (int, str)) or not str(identity).strip():
        raise InputError(f'{where}: "question_id" is missing or neither a whole number nor a text; give every question one')
    whose = f"question {shown(identity)}"
    turns = _texts(raw.get("turns"), where, "turns", whose)
    if not turns or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise InputError(f'{where}: "turns" of {whose} must be a list of at least one text, none of them empty')
    category = raw.get("category", "general")
    if not isinstance(category, str) or not category.strip():
        raise InputError(f'{where}: "category" of {whose} must be a text')
    given = references.get(str(identity)) or _references(raw, where, whose)
    if len(given) > len(turns):
        raise InputError(f"{where}: {whose} has {len(given)} references for {len(turns)} turns; give one per turn, null where there is none")
    try:
        line = _line(raw, given)
    except RecursionError as error:
        raise InputError(f"{where}: {whose} is nested too deeply; keep what is not a question out of the file") from error
    if not whole(line):
        raise InputError(f"{where}: {whose} holds half a character (a lone surrogate); save the text again as UTF-8")
    return Question(
        identity, category, tuple(str(t) for t in turns), tuple(given), _checks(raw.get("checks"), len(turns), where), _temperature(raw, where), line
    )


def _references(raw: Mapping[str, Any], where: str, whose: str) -> tuple[str | None, ...]:
    """References as the question's own row gives them; an empty one is none."""
    value = raw.get("references", raw.get("reference"))
    return tuple(text if text and text.strip() else None for text in _texts([] if value is None else value, where, "references", whose))


def _texts(value: Any, where: str, name: str, whose: str) -> tuple[str | None, ...]:
    if not isinstance(value, list) or not all(item is None or isinstance(item, str) for item in value):
        raise InputError(f'{where}: "{name}" of {whose} must be a list of texts, one per turn')
    return tuple(value)


def _temperature(raw: Mapping[str, Any], where: str) -> float | None:
    value = raw.get("required_temperature")
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 2):
        raise InputError(f'{where}: "required_temperature" must be a number from 0 to 2')
    return None if value is None else float(value)


def _checks(raw: Any, turns: int, where: str) -> tuple[tuple[Any, ...], ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > turns or not all(isinstance(of_turn, list) for of_turn in raw):
        raise InputError(f'{where}: "checks" must be a list with one list of checks per turn')
    try:
        return tuple(tuple(parse_check(check) for check in of_turn) for of_turn in raw)
    except ValueError as error:
        raise InputError(f"{where}: {str(error).splitlines()[0]}") from error


def _line(raw: Mapping[str, Any], references: tuple[str | None, ...]) -> str:
    kept = {k: v for k, v in raw.items() if k not in ("references", "reference")}
    return dump({**kept, "references": list(references)} if any(references) else kept)
