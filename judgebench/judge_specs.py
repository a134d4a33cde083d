"""Judge SPECs: `checks` and `simulated:...`, which ask nobody, and any generator's SPEC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from judgebench.arguments import Arguments
from judgebench.errors import InputError
from judgebench.judges.checks import ChecksJudge
from judgebench.judges.simulated import SimulatedJudge
from judgebench.providers import Resolved, shown, simulated_options
from judgebench.specs import resolve, split_name
from judgebench.types import Judge, Question

_SIMULATED = {"noise": 0.2, "length": 0.0, "position": 0.0, "self": 0.0, "seed": 0.0}


@dataclass(frozen=True)
class LocalJudge:
    """A judge that asks nobody.

    Attributes:
        name: for people and files. spec: as given, without the renaming. method: "checks" or "simulated". judge: what grades.
    """

    name: str
    spec: str
    method: str
    judge: Judge

    def judges_turn(self, question: Question, turn: int) -> bool:
        """Whether it has anything to say about a turn (1-based): checks need checks."""
        return self.method != "checks" or bool(question.turn_checks(turn))


def judge_spec(text: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved | LocalJudge:
    """A judge by its SPEC or NAME=SPEC.

    Raises:
        InputError: as `resolve` does, and for recorded answers, which cannot judge.
    """
    name, equals, spec = text.rpartition("=")
    if spec == "checks" and (not equals or name.strip()):
        return LocalJudge(name or spec, spec, "checks", ChecksJudge(name or spec))
    given, spec = split_name(text)
    kind, _, rest = spec.partition(":")
    if kind.lower() == "simulated":
        return LocalJudge(given or spec, spec, "simulated", _simulated(given or spec, spec, rest))
    if kind.lower() == "recorded":
        raise InputError(f"{shown(spec)}: recorded answers cannot judge; name a model, checks or simulated:...")
    return resolve(text, arguments, environ)


def _simulated(name: str, spec: str, rest: str) -> SimulatedJudge:
    given = simulated_options(rest, spec, _SIMULATED)
    if given["noise"] < 0:
        raise InputError(f"{shown(spec)}: noise must be 0 or more")
    return SimulatedJudge(name, noise=given["noise"], length=given["length"], position=given["position"], self_=given["self"], seed=int(given["seed"]))
