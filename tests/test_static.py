"""The linter and the type checker are tests like any other: what CI runs, everybody runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("command", [("ruff", "check", "."), ("mypy",)], ids=lambda command: command[0])
def test_is_clean(command: tuple[str, ...]) -> None:
    checked = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, (checked.stdout + checked.stderr)[-4000:]
