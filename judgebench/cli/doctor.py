"""`judgebench doctor`."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.console import complain, note, plain, result
from judgebench.cli.options import DEFAULT_LOG, EXISTING_FILE, Finite, read_config, read_env_file

if TYPE_CHECKING:
    from judgebench.doctor import Diagnosis, Environment


@click.command("doctor")
@click.argument("what", nargs=-1, metavar="[SPEC|FILE|RUN]...")
@click.option("--timeout", type=Finite(min=0, min_open=True), default=60.0, show_default=True, metavar="S", help="Seconds for the one call.")
@click.option("--env-file", type=EXISTING_FILE, help="Read environment variables (keys) from a file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def command(what: tuple[str, ...], timeout: float, env_file: Path | None, as_json: bool) -> int:
    """Say what works and what does not.

    Without arguments: versions, which keys are set (names, never values), the response log. A SPEC: its key, its port, and one
    tiny call that is not logged. A FILE, benchmark or RUN folder: what it is, which rows are bad, which commands take it.
    """
    from judgebench.doctor import environment

    read_env_file(env_file)
    here = None if what else environment(os.environ, DEFAULT_LOG)
    found = [] if here else _examined(what, timeout, as_json)
    if as_json:
        document = {"environment": None if here is None else dataclasses.asdict(here), "checked": [{**dataclasses.asdict(one), "ok": one.ok} for one in found]}
        result(json.dumps(document, indent=2))
    elif here is not None:
        _print_environment(here)
    if here is not None and here.log_problem:
        complain(here.log_problem)
        return 2
    codes = {one.exit_code for one in found}
    return 2 if 2 in codes else max(codes, default=0)


def _examined(what: tuple[str, ...], seconds: float, as_json: bool) -> list[Diagnosis]:
    """Examine and, unless everything goes into one document, tell of each as soon as it is known."""
    from judgebench.doctor import examine

    def silent(url: str) -> None:
        note(f"{url} has not answered yet; still waiting, {seconds:g} s at most")

    found = []
    for argument in what:
        found.append(_with_settings_checked(examine(argument, os.environ, seconds=seconds, waiting=silent)))
        if not as_json:
            _print_diagnosis(found[-1])
    return found


def _with_settings_checked(one: Diagnosis) -> Diagnosis:
    """A configuration's keys are those of `run`, which are known up here alone."""
    from judgebench.errors import InputError

    if one.kind == "configuration":
        try:
            read_config(Path(one.argument))
        except InputError as error:
            return dataclasses.replace(one, problems=error.problems, commands=(), exit_code=2)
    return one


def _print_environment(here: Environment) -> None:
    result(f"judgebench {here.judgebench}, Python {here.python} on {here.platform}")
    bug = " (older than 3.51.3: its WAL-reset bug is worked around)" if here.sqlite_bug else ""
    result(f"SQLite {here.sqlite}{bug}")
    result("packages: " + ", ".join(f"{name} {version}" for name, version in here.packages.items() if version))
    if absent := [name for name, version in here.packages.items() if version is None]:
        result(f"not installed: {', '.join(absent)}")
    result(f"keys set: {', '.join(here.keys) or 'none'} (values are never shown)")
    if here.settings:
        result(f"endpoints set by: {', '.join(here.settings)}")
    result(f"proxies set by: {', '.join(here.proxies) or 'none'}")
    if here.log is not None:
        result(f"response log: {plain(here.log.path)} ({here.log.journal}), {here.log.responses} responses, {here.log.failures} failed requests")
    elif here.log_problem is None:
        result(f"response log: none yet ({DEFAULT_LOG})")


def _print_diagnosis(one: Diagnosis) -> None:
    """What was found, on stdout; problems too, as they are the result."""
    result(f"{plain(one.argument)}: {one.kind}, {'ok' if one.ok else 'not ok'}")
    for name, value in one.facts.items():
        if value not in (None, [], ""):
            result(f"  {name}: {_told(value)}")
    for problem in one.problems:
        result(f"  problem: {plain(problem)}")
    for warning in one.warnings:
        result(f"  warning: {plain(warning)}")
    for row in one.bad_rows:
        result(f"    line {row.line}: {plain(row.problem)}")
    if one.n_bad_rows > len(one.bad_rows):
        result(f"    and {one.n_bad_rows - len(one.bad_rows)} more")
    for line in one.commands:
        result(f"  try: {plain(line)}")


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(plain(v) for v in value) if isinstance(value, list) else plain(value)
