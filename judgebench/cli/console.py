"""stdout for results, stderr for the rest. NO_COLOR, FORCE_COLOR and pipes are honoured (rich sees to it)."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def plain(text: object) -> str:
    """Foreign text as it may be printed: on one line, without control or half characters that a terminal would obey."""
    return "".join(c if c.isprintable() else ("\\x%02x" if ord(c) < 256 else "\\u%04x") % ord(c) for c in str(text))


def some(n: int, thing: str) -> str:
    """A count with its noun: "1 turn", "2 turns"."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def complain(message: str) -> None:
    """One line on stderr for what is wrong."""
    _say(f"judgebench: {message}")


def note(message: str) -> None:
    """One line on stderr for what is good to know."""
    _say(message)


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more, or it is full: the exit code still says it
        print(plain(line), file=sys.stderr, flush=True)


def result(text: str) -> None:
    """Text on stdout."""
    sys.stdout.write(text + "\n")


def stdout_console() -> Console:
    """A rich console for tables on stdout; into a pipe it is wide enough for a leaderboard."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:  # rich would exit with 1 here, which is the gate's own code
            raise BrokenPipeError

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 120
    return Quiet(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
