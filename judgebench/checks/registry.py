"""From a JSON object to a `Check`, with errors a benchmark author can act on."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import Any

from judgebench.checks.base import Check
from judgebench.checks.quantity import Choice, Count, EachCount, Number, Occurrences
from judgebench.checks.structure import AnyOf, Json, Python, Table
from judgebench.checks.text_parts import PARTS, UNITS
from judgebench.checks.wording import (
    Acrostic,
    Contains,
    Each,
    EndsWith,
    Exact,
    Lacks,
    Language,
    LetterCase,
    Order,
    ParagraphsStart,
    Regex,
    StartsWith,
)

KINDS: dict[str, type[Check]] = {
    "exact": Exact, "number": Number, "choice": Choice, "contains": Contains, "lacks": Lacks, "count": Count, "each_count": EachCount,
    "occurrences": Occurrences, "regex": Regex, "each": Each, "order": Order, "starts_with": StartsWith, "ends_with": EndsWith,
    "paragraphs_start": ParagraphsStart, "acrostic": Acrostic, "case": LetterCase, "language": Language, "json": Json, "python": Python,
    "table": Table, "any_of": AnyOf,
}  # fmt: skip

_CHOICES = {"part": PARTS, "unit": tuple(UNITS), "of": tuple(UNITS), "where": ("answer", "last", "any"), "case": ("lower", "upper"), "type": ("object", "array", "any")}


def parse_check(raw: object) -> Check:
    """One check from its JSON object. Raises ValueError that names what is wrong and the nearest right name."""
    if not isinstance(raw, dict):
        raise ValueError(f"a check is a JSON object, not {type(raw).__name__}")
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"unknown kind of check {kind!r}{_nearest(str(kind), KINDS)}")
    cls = KINDS[kind]
    fields = {f.name.rstrip("_"): f for f in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    given: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "kind":
            continue
        if key not in fields:
            raise ValueError(f"check {kind!r} has no field {key!r}{_nearest(key, fields)}")
        name = fields[key].name
        given[name] = _value(f"{kind}.{key}", value, str(hints[name]), _CHOICES.get(key) if not (kind == "choice") else None)
    missing = [f.name.rstrip("_") for f in fields.values() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in given]
    if missing:
        raise ValueError(f"check {kind!r} lacks {', '.join(missing)}")
    return cls(**given)


def _value(where: str, value: Any, hint: str, choices: tuple[str, ...] | None) -> Any:
    """A field's value in the type that the record declares."""
    if "tuple[judgebench" in hint:
        return tuple(parse_check(item) for item in _listed(where, value))
    if hint.startswith("tuple[str"):
        items = [value] if isinstance(value, str) else _listed(where, value)
        if not all(isinstance(item, str) for item in items):
            raise ValueError(f"{where} takes texts")
        return tuple(items)
    if hint.startswith("dict"):
        if not isinstance(value, dict):
            raise ValueError(f"{where} takes an object")
        return value
    if "bool" in hint:
        fits = isinstance(value, bool)
    elif "float" in hint:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif "int" in hint:
        fits = (isinstance(value, int) and not isinstance(value, bool) and value >= 0) or value is None
    else:
        fits = isinstance(value, str)
    if not fits:
        raise ValueError(f"{where} takes {hint.removeprefix('<class ').strip(chr(39) + '>')}, not {value!r}")
    if choices is not None and value not in choices:
        raise ValueError(f"{where} is one of {', '.join(choices)}, not {value!r}")
    return value


def _listed(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{where} takes a list that is not empty")
    return value


def _nearest(word: str, names: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(names))}"
