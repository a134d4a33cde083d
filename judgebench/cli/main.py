"""The command group, and how every way of ending becomes an exit code."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any, cast

import click
from click.core import ParameterSource

import judgebench
from judgebench.cli.console import complain
from judgebench.complaints import near, quoted
from judgebench.errors import JudgebenchError

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = "stdout: cannot be written ({}); free space or send it elsewhere"
EXIT_INPUT, EXIT_BUG, EXIT_INTERRUPTED = 2, 70, 130
_COMMANDS = {
    "run": ("judgebench.cli.run", "Answer a benchmark, judge the answers, print the leaderboard."),
    "show": ("judgebench.cli.show", "Print the leaderboards of finished runs."),
    "list": ("judgebench.cli.listing", "List benchmarks, prompts, generators, judges or checks."),
    "doctor": ("judgebench.cli.doctor", "Check keys, URLs and files; one tiny call per model."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        found = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return cast(click.Command, found)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and (meant := near(name, _COMMANDS)):
            ctx.fail(f"No such command {quoted(name)}; did you mean {meant!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(judgebench.__version__, prog_name="judgebench")
def group() -> None:
    """Measure chat models with judges, and say how far each number can be trusted.

    `judgebench run mtbench` needs no key and no network: recorded example answers, graded by programmatic checks.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `judgebench`."""
    _standard_streams()
    # The process is ours: a run makes many short-lived records, which the collector need not look at every 700 of them, and
    # the log's thread may wait until the event loop itself waits, which makes its commits larger.
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(0.02)
    try:
        code = exit_code(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # a second one, while the first was being dealt with
        code = EXIT_INTERRUPTED
    if code == EXIT_INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to flush and go
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        complain(_FULL.format(error.strerror))
        code = EXIT_INPUT
    sys.exit(code)


def _standard_streams() -> None:
    """A stream that the caller has closed becomes one to nowhere; and any encoding of stdout can carry any name."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def exit_code(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; every error has been said on stderr."""
    try:
        if "_JUDGEBENCH_COMPLETE" in os.environ:  # a shell asks what could follow
            group.main(args=list(arguments), prog_name="judgebench")
        # Not group.main(): it turns a closed pipe into exit code 1, which is the gate's own, and EOFError into an interrupt.
        with group.make_context("judgebench", list(arguments)) as context:
            result: Any = group.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        hint = f" (judgebench {error.ctx.info_name} --help lists the options)" if error.ctx and error.ctx.parent else " (judgebench --help lists the commands)"
        complain(" ".join(error.format_message().split()) + _variable(error) + hint)
        return EXIT_INPUT
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted; everything that was answered is kept: run the same command again to go on")
        return EXIT_INTERRUPTED
    except JudgebenchError as error:
        for line in str(error).splitlines():
            complain(line)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away, as `| head -1` does
        _drop_stdout()
        return 0
    except OSError as error:
        if error.errno not in _NO_SPACE:
            return _bug(error)
        _drop_stdout()
        complain(_FULL.format(error.strerror))
        return EXIT_INPUT
    except click.ClickException as error:
        complain(error.format_message())
        return EXIT_INPUT
    except Exception as error:  # noqa: BLE001 - the last line of defence: exit code 70
        return _bug(error)


def _bug(error: Exception) -> int:
    complain(f"a bug in judgebench ({type(error).__name__}); the traceback is saved in {_saved_traceback()}: please report it")
    return EXIT_BUG


def _variable(error: click.UsageError) -> str:
    """The variable that a wrong value came from, "" when it stood on the command line."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None or error.param.name is None:
        return ""
    from_variable = error.ctx.get_parameter_source(error.param.name) is ParameterSource.ENVIRONMENT
    return f" (from {error.param.envvar})" if from_variable else ""


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush stays quiet too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _secrets() -> list[str]:
    """Values of variables that are named like a secret or by a spec's ?key_env=, the longest first."""
    named = set(re.findall(r"key_env=([^#&\s\"']+)", " ".join([*sys.argv, *os.environ.values()])))
    marked = (value for name, value in os.environ.items() if name in named or any(mark in name.upper() for mark in _SECRET_NAMES))
    return sorted((value.strip() for value in marked if len(value.strip()) >= 6), key=len, reverse=True)


def _saved_traceback() -> str:
    """Write the current traceback, without any secret of the environment, to a file; returns its path."""
    text = traceback.format_exc()
    for secret in _secrets():
        text = text.replace(secret, "***")
    text = re.sub(r"//[^/@\s]*@", "//***@", text)  # user:password@ of a URL
    try:
        with tempfile.NamedTemporaryFile("w", prefix="judgebench-", suffix=".traceback.txt", delete=False, encoding="utf-8", errors="replace") as file:
            file.write(f"judgebench {judgebench.__version__}, Python {sys.version}\n{' '.join(sys.argv[:2])}\n\n{text}")
    except OSError:
        return "no file (no place to write one)"
    return file.name
