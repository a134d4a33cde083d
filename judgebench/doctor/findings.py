"""The record that every examination returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Fact = str | int | float | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line (from 1) and one line about what is wrong and how to mend it."""

    line: int
    problem: str


@dataclass(frozen=True)
class Diagnosis:
    """What one argument of `doctor` is, and whether it can be used.

    Attributes:
        argument: as given. kind: "model", "judge", "run", "benchmark", "questions", "answers", "judge prompts", "judge prompt",
            "judgments", "benchmark settings", "configuration", "response log" or "unknown".
        facts: what was found, in the order in which it is told. No secret is among them.
        problems: one line each. bad_rows: the first of the rows that cannot be used. n_bad_rows: how many there are.
        commands: command lines that apply to it. warnings: one line each about what can be used and is probably not meant so.
        exit_code: 0, 2 when the input or a key is wrong, 3 when an endpoint does not answer.
    """

    argument: str
    kind: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    n_bad_rows: int = 0
    commands: tuple[str, ...] = ()
    exit_code: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.exit_code == 0
