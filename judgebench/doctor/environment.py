"""This machine: versions, the names of the variables that are set, and the default response log."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import judgebench
from judgebench.engine.log_file import APPLICATION_ID
from judgebench.errors import InputError
from judgebench.providers import PROVIDERS

SQLITE_MENDED = (3, 51, 3)
"""The first SQLite without the WAL-reset bug (two connections that write and checkpoint at once can corrupt the file)."""

PACKAGES = ("aiohttp", "anthropic", "click", "genai-prices", "jinja2", "matplotlib", "numpy", "openai", "pandas", "ray", "rich", "tenacity", "transformers", "vllm")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_SETTINGS = ("OPENAI_BASE_URL", "OPENAI_API_VERSION", "ANTHROPIC_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION", "CLOUD_ML_REGION",
             "ANTHROPIC_VERTEX_PROJECT_ID", "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogState:
    """A response log: its journal mode, and how many responses and failed requests stand in it."""

    path: str
    journal: str
    responses: int
    failures: int


@dataclass(frozen=True)
class Environment:
    """What matters on this machine.

    Attributes:
        judgebench, python, platform, sqlite: versions. sqlite_bug: whether this SQLite has the WAL-reset bug, which the
            response log works around. packages: version by name, None for what is not installed.
        keys, settings, proxies: names of the variables that are set and not empty; never a value.
        log: the default response log, None when there is none. log_problem: why it cannot be read.
    """

    judgebench: str
    python: str
    platform: str
    sqlite: str
    sqlite_bug: bool
    packages: Mapping[str, str | None]
    keys: tuple[str, ...]
    settings: tuple[str, ...]
    proxies: tuple[str, ...]
    log: LogState | None
    log_problem: str | None = None


def environment(environ: Mapping[str, str], log: Path) -> Environment:
    """Look around.

    Args:
        environ: the variables. log: where the default response log would be.
    """
    state, problem = None, None
    if log.exists():
        try:
            state = log_state(log)
        except InputError as error:
            problem = str(error)
    return Environment(
        judgebench.__version__, platform.python_version(), platform.platform(), sqlite3.sqlite_version, sqlite3.sqlite_version_info < SQLITE_MENDED,
        {name: _version(name) for name in PACKAGES}, _set(key_variables(), environ), _set(_SETTINGS, environ),
        _set((*_PROXIES, *(name.lower() for name in _PROXIES)), environ), state, problem,
    )  # fmt: skip


def key_variables() -> tuple[str, ...]:
    """The names of the variables in which keys are looked for."""
    return tuple(dict.fromkeys(name for provider in PROVIDERS.values() for name in provider.key_variables))


def _set(names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in names if environ.get(name, "").strip())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def log_state(path: Path, *, thorough: bool = False) -> LogState:
    """Read what a response log says about itself.

    Args:
        thorough: also let SQLite check every page of the file.

    Raises:
        InputError: it is no response log, or it is damaged.
    """
    mode = "rw" if os.access(path, os.W_OK) else "ro"  # a connection that may write removes its -wal and -shm again
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=5, isolation_level=None)
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise InputError(f"{path}: an SQLite file, but not a response log of judgebench; name another file with --log")
        journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        responses, failures = (int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in ("responses", "failures"))  # noqa: S608 - fixed names
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0]) if thorough else "ok"
    except sqlite3.Error as error:
        raise InputError(f"{path}: the response log cannot be read ({error}); name another file with --log") from error
    finally:
        connection.close()
    if found != "ok":
        raise InputError(f"{path}: the response log is damaged ({' '.join(found.split())[:100]}); keep a copy and name another file with --log")
    return LogState(str(path), journal, responses, failures)
