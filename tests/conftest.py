"""Shared by all tests: modules beside this file can be imported, and no variable of the machine reaches a test."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workbench import Ended, clean_environment, run_here, run_process


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    """Keys, proxies, base URLs and our own variables are unset, and whatever a test sets is gone after it."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(before))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def judgebench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command line in this process, in an empty folder: judgebench("run", "mtbench") -> Ended(code, out, err)."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(capsys, *arguments)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Ended]:
    """Runs a command line in a process of its own, in an empty folder; `before` is Python that runs first in it."""
    return lambda *arguments, **options: run_process(tmp_path, *arguments, **options)
