"""The command line: the only place that prints or exits. Each command's module is imported when the command is run."""

from judgebench.cli.main import main

__all__ = ["main"]
