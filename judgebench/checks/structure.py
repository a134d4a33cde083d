"""Checks of structure: JSON, Python (parsed, never run), Markdown tables, and checks made of checks."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from dataclasses import dataclass, field
from typing import Any

from judgebench.checks.base import Check
from judgebench.checks.text_parts import code_blocks


@dataclass(frozen=True, kw_only=True)
class Json(Check):
    """The answer is one JSON document, bare or in one code fence.

    Attributes:
        type: "object" (default), "array" or "any". keys: keys of the object (of every element, for an array of objects).
        only_keys: no other key is allowed. length: number of elements or keys. An array without elements has no keys.
        values: expected values by path, e.g. {"items.0.price": 3}; strings compare without case, numbers to 1e-9.
        bare: nothing may stand around the JSON, not even a fence.
    """

    type: str = "object"
    keys: tuple[str, ...] = ()
    only_keys: bool = False
    length: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    bare: bool = False

    def __post_init__(self) -> None:
        if self.only_keys and not self.keys:
            raise ValueError('only_keys needs "keys"')

    def holds(self, text: str) -> bool:
        document = read_json(text, bare=self.bare)
        if document is None or not _type_fits(document[0], self.type):
            return False
        value = document[0]
        if self.length is not None and (not isinstance(value, (list, dict)) or len(value) != self.length):
            return False
        objects = value if isinstance(value, list) else [value]
        if self.keys and not (objects and all(isinstance(o, dict) and self._keys_fit(o) for o in objects)):
            return False
        return all(_equal(_at(value, path), wanted) for path, wanted in self.values.items())

    def _keys_fit(self, value: dict[str, Any]) -> bool:
        return set(self.keys) == set(value) if self.only_keys else set(self.keys) <= set(value)


def read_json(text: str, *, bare: bool = False) -> tuple[Any] | None:
    """The JSON document of an answer in a tuple of one (so that `null` can be told from nothing), or None."""
    candidates = [text] if bare else [text, *code_blocks(text)]
    for candidate in candidates:
        try:
            return (json.loads(candidate.strip(), parse_constant=_no_constant),)
        except (ValueError, RecursionError):
            continue
    return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _type_fits(value: Any, wanted: str) -> bool:
    return wanted == "any" or isinstance(value, dict if wanted == "object" else list)


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch(r"\d{1,9}", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


_MISSING = object()


def _equal(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(given, bool) or wanted is None or given is None:
        return given is wanted
    if isinstance(wanted, (int, float)) and isinstance(given, (int, float)):
        try:
            return abs(given - wanted) <= 1e-9 * max(1.0, abs(wanted))
        except OverflowError:  # a whole number beyond the floats
            return False
    if isinstance(wanted, str) and isinstance(given, str):
        return given.strip().casefold() == wanted.strip().casefold()
    if isinstance(wanted, list) and isinstance(given, list):
        return len(wanted) == len(given) and all(_equal(g, w) for g, w in zip(given, wanted, strict=True))
    if isinstance(wanted, dict) and isinstance(given, dict):
        return wanted.keys() == given.keys() and all(_equal(given[k], wanted[k]) for k in wanted)
    return False


@dataclass(frozen=True, kw_only=True)
class Python(Check):
    """The code fenced as Python (else all fenced code, else the whole text) parses. It is parsed only, never run.

    Attributes:
        defines: functions or classes defined at the top level. args: parameter names by function.
        uses, forbids: names (called, imported or attributes) or syntax ("for", "while", "yield", "lambda", "try",
            "with", "async", "comprehension", "recursion", "import", "raise", "return", "annotation", "docstring")
            that must or must not occur.
    """

    defines: tuple[str, ...] = ()
    args: dict[str, list[str]] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(isinstance(wanted, list) and all(isinstance(name, str) for name in wanted) for wanted in self.args.values()):
            raise ValueError('args takes lists of parameter names, such as {"f": ["x", "y"]}')

    def holds(self, text: str) -> bool:
        tree = parse_python(text)
        if tree is None:
            return False
        top = {n.name: n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        if not set(self.defines) <= set(top):
            return False
        for name, wanted in self.args.items():
            node = top.get(name)
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _parameters(node) != list(wanted):
                return False
        present = _features(tree)
        return set(self.uses) <= present and not set(self.forbids) & present


def parse_python(text: str) -> ast.Module | None:
    """The syntax tree of the blocks fenced as Python taken together (else of all fenced blocks, else of the text), or None."""
    blocks = [textwrap.dedent(block) for block in code_blocks(text, _PYTHON)]
    try:
        with warnings.catch_warnings():  # a model's invalid escape is its own matter, not a warning of ours
            warnings.simplefilter("ignore")
            return ast.parse("\n".join(blocks) if blocks else text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    a = node.args
    return [x.arg for x in (*a.posonlyargs, *a.args, *((a.vararg,) if a.vararg else ()), *a.kwonlyargs, *((a.kwarg,) if a.kwarg else ()))]


_PYTHON = frozenset({"python", "py", "python3"})
_SYNTAX: dict[type[ast.AST], str] = {
    ast.For: "for", ast.AsyncFor: "for", ast.While: "while", ast.Yield: "yield", ast.YieldFrom: "yield", ast.Lambda: "lambda", ast.Try: "try",
    ast.TryStar: "try", ast.With: "with", ast.AsyncWith: "with",
    ast.AsyncFunctionDef: "async", ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.Import: "import", ast.ImportFrom: "import", ast.Raise: "raise", ast.Return: "return",
}  # fmt: skip


def _features(tree: ast.Module) -> set[str]:
    """Names called, imported or used as attributes, and the kinds of syntax, that occur in a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if type(node) in _SYNTAX:
            found.add(_SYNTAX[type(node)])
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.name.split(".")[0] for alias in node.names)
            found.update([node.module.split(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else [])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.update(_function_features(node))
    return found


def _function_features(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    found = set()
    if ast.get_docstring(node):
        found.add("docstring")
    if node.returns or any(a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg)):
        found.add("annotation")
    calls = (n.func for n in ast.walk(node) if isinstance(n, ast.Call))
    if any((isinstance(f, ast.Name) and f.id == node.name) or (isinstance(f, ast.Attribute) and f.attr == node.name) for f in calls):
        found.add("recursion")
    return found


@dataclass(frozen=True, kw_only=True)
class Table(Check):
    """A Markdown table with these column titles (in order, case ignored) and this many rows below the header."""

    columns: tuple[str, ...] = ()
    rows: int | None = None

    def holds(self, text: str) -> bool:
        return any(self._fits(table) for table in _tables(text))

    def _fits(self, table: list[list[str]]) -> bool:
        if self.columns and [_title(cell) for cell in table[0]] != [_title(column) for column in self.columns]:
            return False
        return self.rows is None or len(table) - 1 == self.rows


def _title(cell: str) -> str:
    """A column title without Markdown marks and case; an underscore inside a word stays."""
    return re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", cell).strip().casefold()


def _tables(text: str) -> list[list[list[str]]]:
    """Every Markdown table as rows of cells, the line of dashes left out."""
    found: list[list[list[str]]] = []
    block: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if "|" in line:
            block.append([cell.strip() for cell in line.strip().strip("|").split("|")])
            continue
        if len(block) >= 2 and all(re.fullmatch(r":?-+:?", cell) for cell in block[1]):
            found.append([block[0], *block[2:]])
        block = []
    return found


@dataclass(frozen=True, kw_only=True)
class AnyOf(Check):
    """At least one of the checks inside passes."""

    checks: tuple[Check, ...]

    def holds(self, text: str) -> bool:
        return any(check.passes(text) for check in self.checks)
