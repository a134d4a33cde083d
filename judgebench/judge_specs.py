"""Judge SPECs: judges that ask nobody, each by its name, and any generator's SPEC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from judgebench.arguments import Arguments
from judgebench.complaints import near
from judgebench.errors import InputError
from judgebench.judges.checks import ChecksJudge
from judgebench.judges.simulated import SimulatedJudge
from judgebench.providers import Resolved, shown, simulated_options
from judgebench.specs import resolve, split_name
from judgebench.types import Judge

_SIMULATED = {"noise": 0.2, "length": 0.0, "position": 0.0, "self": 0.0, "seed": 0.0}


@dataclass(frozen=True)
class LocalJudge:
    """A judge that asks nobody. `spec`: as given, without the renaming. `judge`: what grades."""

    spec: str
    judge: Judge

    @property
    def name(self) -> str:
        """For people and files."""
        return self.judge.name


def _checks(name: str, spec: str, options: str) -> ChecksJudge:
    if options:
        raise InputError(f"{shown(spec)}: checks take no options; write checks")
    return ChecksJudge(name)


def _simulated(name: str, spec: str, options: str) -> SimulatedJudge:
    given = simulated_options(options, spec, _SIMULATED)
    if given["noise"] < 0:
        raise InputError(f"{shown(spec)}: noise must be 0 or more")
    return SimulatedJudge(name, noise=given["noise"], length=given["length"], position=given["position"], self_=given["self"], seed=int(given["seed"]))


LOCAL_JUDGES: dict[str, tuple[Callable[[str, str, str], Judge], str]] = {
    "checks": (_checks, "the benchmark's programmatic checks: 1 + 9 times the share that passes; free"),
    "simulated": (_simulated, "simulated:noise=0.2,length=0.5,self=0,position=0,seed=0: the true quality with known biases; no network"),
}
"""The judges that ask nobody: (name, spec, what stands behind the colon of NAME:OPTIONS) -> judge, and what `list judges` says."""


def judge_spec(text: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved | LocalJudge:
    """A judge by its SPEC or NAME=SPEC.

    Raises:
        InputError: as `resolve` does, and for recorded answers, which cannot judge.
    """
    name, equals, spec = text.rpartition("=")
    if spec not in LOCAL_JUDGES or (equals and not name.strip()):  # what has no colon `split_name` cannot tell from a name
        given, spec = split_name(text)
        name = given or ""
    kind, _, options = spec.partition(":")
    if kind.lower() in LOCAL_JUDGES:
        make, _ = LOCAL_JUDGES[kind.lower()]
        return LocalJudge(spec, make(name or spec, spec, options))
    if kind.lower() == "recorded":
        raise InputError(f"{shown(spec)}: recorded answers cannot judge; name a model, checks or simulated:...")
    if not {":", "="} & set(spec) and (meant := near(spec, LOCAL_JUDGES)):
        raise InputError(f"{shown(spec)}: no such judge; did you mean {meant!r}?")
    return resolve(text, arguments, environ)
