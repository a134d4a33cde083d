"""What an argument of `doctor` is: a file, a folder, a shipped benchmark, or the spec of a model or judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from judgebench import resources
from judgebench.complaints import near
from judgebench.doctor.files import benchmark_folder, file, run_folder
from judgebench.doctor.findings import Diagnosis
from judgebench.doctor.models import model
from judgebench.errors import InputError
from judgebench.judge_specs import LOCAL_JUDGES
from judgebench.providers import PROVIDERS
from judgebench.store import unfinished


def examine(argument: str, environ: Mapping[str, str], *, seconds: float = 60.0, waiting: Callable[[str], None] | None = None) -> Diagnosis:
    """Examine one argument.

    Args:
        seconds: how long the one call to a remote model may take. waiting: told an endpoint's URL when it is silent for long.
    """
    path = Path(argument)
    try:
        if not argument.strip():
            raise InputError("an empty argument; give a SPEC such as openai:NAME, a file or a run folder")
        if path.is_file():
            return run_folder(argument, path.parent) if path.name == "run.json" else file(argument, path)
        if path.is_dir():
            return run_folder(argument, path) if (path / "run.json").is_file() or unfinished(path) else benchmark_folder(argument)
        if argument in resources.names("benchmarks"):
            return benchmark_folder(argument)
        _not_a_path(argument, path)
        return model(argument, environ, seconds=seconds, waiting=waiting)
    except InputError as error:
        return Diagnosis(argument, "unknown", problems=error.problems, exit_code=2)
    except (OSError, ValueError) as error:  # ValueError: a NUL, which no path may hold
        return Diagnosis(argument, "unknown", problems=(f"{argument}: cannot be read ({getattr(error, 'strerror', None) or error})",), exit_code=2)


def _not_a_path(argument: str, path: Path) -> None:
    """Raise InputError for what was meant as a file or a benchmark and is none."""
    if ":" in argument or "=" in argument or argument in LOCAL_JUDGES:
        return
    if meant := near(argument, resources.names("benchmarks")):
        raise InputError(f"{argument}: did you mean the benchmark {meant!r}?")
    if argument.partition("/")[0].lower() not in PROVIDERS and ("/" in argument or path.suffix):
        raise InputError(f"{argument}: no such file or folder; give a file, a run folder or a SPEC such as openai:NAME")
