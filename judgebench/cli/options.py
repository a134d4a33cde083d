"""Options of `run`, from the command line, JUDGEBENCH_* variables and a configuration file, in this order of precedence."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from judgebench.complaints import nearest
from judgebench.errors import InputError

DEFAULT_LOG = Path("runs") / "responses.db"
DEFAULT_CONFIG = Path("judgebench.toml")
F = TypeVar("F", bound=Callable[..., Any])


class Finite(click.FloatRange):
    """A number of a range; "nan" and "inf" are none, though Python reads them as numbers."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_NOT_NEGATIVE, _AMOUNT = Finite(min=0), Finite(min=0, min_open=True)
_POSITIVE = click.IntRange(min=1)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"multiple": True, "metavar": "SPEC", "help": "Model to evaluate; repeat for several."},
    "judge": {"multiple": True, "metavar": "SPEC", "help": "Judge; repeat for several (each gets a board; raters on one scale also their mean)."},
    "limit": {"type": _POSITIVE, "metavar": "N", "help": "Only N questions, taken in turn from every category."},
    "category": {"multiple": True, "metavar": "C", "help": "Only this category; repeat for several."},
    "samples": {"type": _POSITIVE, "default": 1, "show_default": True, "metavar": "K", "help": "Judgments per turn and judge."},
    "prompt": {"metavar": "NAME|FILE[#NAME]", "help": "Judge prompt: shipped, a TOML file, or FastChat's judge_prompts.jsonl#NAME."},
    "reask": {"type": click.IntRange(min=0, max=5), "default": 1, "show_default": True, "metavar": "N", "help": "Ask again for a missing verdict, N times."},
    "concurrency": {"type": click.IntRange(min=1, max=4096), "metavar": "N", "help": "Calls at once per endpoint (default: adapts)."},
    "rpm": {"type": _AMOUNT, "metavar": "N", "help": "Calls per minute and endpoint at most."},
    "timeout": {"type": _AMOUNT, "default": 600.0, "show_default": True, "metavar": "S", "help": "Seconds for one call."},
    "max_cost": {"type": _NOT_NEGATIVE, "metavar": "USD", "help": "Stop before the call that could pass this."},
    "max_calls": {"type": click.IntRange(min=0), "metavar": "N", "help": "Send at most N calls."},
    "log": {"type": click.Path(path_type=Path, dir_okay=False), "default": DEFAULT_LOG, "show_default": True,
            "help": "Response log: what stands in it is never paid for again."},
    "fresh": {"is_flag": True, "help": "Ask again what the log knows; the old responses are kept."},
    "seed": {"type": int, "default": 0, "show_default": True, "help": "Seed of everything random."},
    "generator_arg": {"multiple": True, "metavar": "K=V", "help": "For models: temperature, max_tokens, or any parameter of the API."},
    "judge_arg": {"multiple": True, "metavar": "K=V", "help": "Likewise for judges."},
}


def run_options(function: F) -> F:
    """Adds every option of a run to a command."""
    for name, settings in reversed(OPTIONS.items()):
        function = click.option(f"--{name.replace('_', '-')}", name, envvar=f"JUDGEBENCH_{name.upper()}", show_envvar=False, **settings)(function)
    function = click.option("--env-file", type=EXISTING_FILE, help="Read environment variables (keys) from a file.")(function)
    config = click.Path(exists=True, path_type=Path)
    return click.option("--config", type=config, metavar="FILE", help="judgebench.toml, a run.json or a run's folder (default: ./judgebench.toml if there).")(function)


def configured(ctx: click.Context, benchmark: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings: what the command line or a variable gave, else the configuration file, else the default.

    Raises:
        InputError: an unknown key or a wrong value in the file, with the nearest name.
    """
    settings = dict(given)
    path = settings.pop("config", None) or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)
    from_file = read_config(path) if path else {}
    for key, value in from_file.items():
        if key in OPTIONS and ctx.get_parameter_source(key) in (ParameterSource.DEFAULT, None):
            settings[key] = _converted(ctx, key, value, path)
    try:
        settings["benchmark"] = benchmark or (_text(from_file["benchmark"]) if from_file.get("benchmark") is not None else None)
    except click.BadParameter as error:
        raise InputError(f"{path}: benchmark: {error.message}") from error
    if not settings["benchmark"]:
        raise InputError("run: names no benchmark; try `judgebench run mtbench`")
    return settings


def _converted(ctx: click.Context, key: str, value: Any, path: Path | None) -> Any:
    """A value of the file, checked by the option's own type."""
    parameter = next(p for p in ctx.command.params if p.name == key)
    try:
        if OPTIONS[key].get("multiple"):
            if isinstance(value, dict) and key.endswith("_arg"):
                return tuple(f"{name}={_json(item)}" for name, item in value.items())
            items = value if isinstance(value, list) else [value]
            if any(isinstance(item, (dict, list)) for item in items):
                raise click.BadParameter("takes a text or a list of texts")
            return tuple(_text(str(item)) for item in items)
        if value is not None and isinstance(parameter.type, (click.types.StringParamType, click.Path)):
            return parameter.type.convert(_text(value), parameter, ctx)
        if OPTIONS[key].get("is_flag"):
            if not isinstance(value, bool):
                raise click.BadParameter("takes true or false")
            return value
        if isinstance(value, bool) or (isinstance(parameter.type, click.types.IntParamType) and not isinstance(value, int)):
            raise click.BadParameter(f"{value!r} is no whole number" if isinstance(parameter.type, click.types.IntParamType) else f"{value!r} is out of place here")
        return None if value is None else parameter.type.convert(value, parameter, ctx)
    except click.BadParameter as error:
        raise InputError(f"{path}: {key}: {error.message}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise click.BadParameter("holds a NUL character; remove it" if isinstance(value, str) else f"{str(value)[:60]!r} is no text; put it in quotes")
    return value


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:  # a date, or nan
        raise click.BadParameter(f"{str(value)[:60]!r} is nothing that JSON can carry") from error


def read_env_file(path: Path | None) -> None:
    """Set the variables of an --env-file; those that are set already win."""
    if path is None:
        return
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--env-file {path}: cannot be read; it must be a text file of NAME=VALUE lines") from error
    for name, value in values.items():
        if value is not None:
            os.environ.setdefault(name, value)


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a judgebench.toml, a run.json or a run's folder, by option.

    Raises:
        InputError: it cannot be read, or an unknown key with the nearest name.
    """
    if path.is_dir():
        path /= "run.json"
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:100]})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: holds no settings")
    if path.suffix == ".json":
        return _from_run(raw, path)
    known = (*OPTIONS, "benchmark")
    if unknown := sorted(set(raw) - {"run"}):
        misplaced = unknown[0].replace("-", "_") in known
        raise InputError(f"{path}: unknown key {unknown[0]!r}{'; put it under [run]' if misplaced else nearest(unknown[0], ('run',))}")
    table = raw.get("run", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: [run] must be a table")
    table = {key.replace("-", "_"): value for key, value in table.items()}
    if unknown := sorted(set(table) - set(known)):
        raise InputError(f"{path}: unknown key {unknown[0]!r} in [run]{nearest(unknown[0], known)}")
    return table


def _from_run(raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The settings that a run.json holds."""
    try:
        options = raw["options"]
        if not isinstance(options, dict):
            raise TypeError("options")
        kept = {k: options[k] for k in ("samples", "reask", "seed", "concurrency", "rpm", "timeout", "max_cost", "max_calls", "log") if options.get(k) is not None}
        named = {"model": [_named(m) for m in raw["models"]], "judge": [_named(j) for j in raw["judges"]]}
        asked = {k: options[k] for k in ("limit", "category", "generator_arg", "judge_arg", "prompt") if options.get(k)}
        return {"benchmark": options.get("benchmark") or raw["benchmark"]["name"], **kept, **named, **asked}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a run.json of judgebench ({error} is missing)") from error


def _named(who: Mapping[str, Any]) -> str:
    return who["spec"] if who["name"] == who["spec"] else f"{who['name']}={who['spec']}"
