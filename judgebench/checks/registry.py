"""From a JSON object to a `Check`, with errors a benchmark author can act on."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any

from judgebench.checks.base import Check
from judgebench.checks.examples import EXAMPLES
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
from judgebench.complaints import near, nearest, quoted

KINDS: dict[str, type[Check]] = {
    "exact": Exact, "number": Number, "choice": Choice, "contains": Contains, "lacks": Lacks, "count": Count, "each_count": EachCount,
    "occurrences": Occurrences, "regex": Regex, "each": Each, "order": Order, "starts_with": StartsWith, "ends_with": EndsWith,
    "paragraphs_start": ParagraphsStart, "acrostic": Acrostic, "case": LetterCase, "language": Language, "json": Json, "python": Python,
    "table": Table, "any_of": AnyOf,
}  # fmt: skip

_PIECES = tuple(unit for unit in UNITS if unit != "characters")
_CHOICES = {
    "part": PARTS, "unit": tuple(UNITS), "of": _PIECES, "where": ("answer", "last", "any"), "case": ("lower", "upper"), "type": ("object", "array", "any"),
}  # fmt: skip
_ALL = "judgebench list checks shows them all"
_DEEPEST = 5  # checks inside checks


def described() -> dict[str, str]:
    """Every kind of check with what it looks at and an example, in one line."""
    return {kind: f"{' '.join(str(cls.__doc__).split(chr(10) * 2)[0].split()).rstrip('.')}. {EXAMPLES[kind]}" for kind, cls in KINDS.items()}


def parse_check(raw: object, _depth: int = 1) -> Check:
    """One check from its JSON object. Raises ValueError that names what is wrong and the nearest right name."""
    if not isinstance(raw, dict):
        raise ValueError(f"a check is a JSON object, not {_shown(raw)}")
    if _depth > _DEEPEST:
        raise ValueError(f"checks stand inside checks more than {_DEEPEST} deep")
    kind = raw.get("kind")
    if kind is None:
        raise ValueError(f'a check needs a "kind": {", ".join(KINDS)} ({_ALL})')
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"unknown kind of check {_shown(kind)}{nearest(str(kind), KINDS)} ({_ALL})")
    cls = KINDS[kind]
    fields = {f.name.rstrip("_"): f for f in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    given: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "kind":
            continue
        if key not in fields:
            raise ValueError(f"check {kind!r} has no field {_shown(key)}{nearest(key, fields)} ({_ALL})")
        name = fields[key].name
        given[name] = _value(f"{kind}.{key}", value, str(hints[name]), _depth)
        choices = _PIECES if (kind, key) == ("each", "unit") else _CHOICES.get(key)
        if choices and given[name] not in choices:
            meant = near(str(value), choices)
            raise ValueError(f"{kind}.{key} is one of {', '.join(choices)}, not {_shown(value)}" + (f"; did you mean {meant!r}?" if meant else ""))
    if missing := [k for k, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING and f.name not in given]:
        raise ValueError(f"check {kind!r} lacks {', '.join(missing)}")
    try:
        return cls(**given)
    except ValueError as error:
        raise ValueError(f"check {kind!r}: {error}") from error


def _value(where: str, value: Any, hint: str, depth: int) -> Any:
    """A field's value in the type that the record declares."""
    if "tuple[judgebench" in hint:
        return tuple(parse_check(item, depth + 1) for item in _listed(where, value))
    if hint.startswith("tuple[str"):
        items = [value] if isinstance(value, str) else _listed(where, value)
        if not all(isinstance(item, str) for item in items):
            raise ValueError(f"{where} takes a list of texts")
        return tuple(items)
    if value is None and hint.endswith("None"):
        return None
    name = next(name for name in _TYPES if name in hint)
    what, fits = _TYPES[name]
    if not fits(value):
        raise ValueError(f"{where} takes {what}, not {_shown(value)}")
    return float(value) if name == "float" else value


def _is_float(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


_TYPES: dict[str, tuple[str, typing.Callable[[Any], bool]]] = {
    "dict": ("an object", lambda value: isinstance(value, dict)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "float": ("a number", _is_float),
    "int": ("a whole number from 0", lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0),
    "str": ("a text", lambda value: isinstance(value, str)),
}


def _listed(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{where} takes a list that is not empty")
    return value


def _shown(value: Any) -> str:
    """A value as a message shows it: on one line and short."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return quoted(value)
