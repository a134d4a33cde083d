"""stdout for results, stderr for the rest. NO_COLOR, FORCE_COLOR and pipes are honoured (rich sees to it)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def plain(text: object) -> str:
    """Foreign text as it may be printed: on one line, without control or half characters that a terminal would obey."""
    return "".join(c if c.isprintable() else ("\\x%02x" if ord(c) < 256 else "\\u%04x") % ord(c) for c in str(text))


def complain(message: str) -> None:
    """One line on stderr for what is wrong."""
    _say(f"judgebench: {message}")


def note(message: str) -> None:
    """One line on stderr for what is good to know."""
    _say(message)


def _say(line: str) -> None:
    try:
        print(plain(line), file=sys.stderr, flush=True)
    except (BrokenPipeError, ValueError):
        pass  # nobody reads stderr any more


def result(text: str) -> None:
    """Text on stdout, in a form that any encoding of stdout can carry."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def stdout_console() -> Console:
    """A rich console for tables on stdout; into a pipe it is wide enough for a leaderboard."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 120
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
