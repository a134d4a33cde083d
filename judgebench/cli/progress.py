"""Progress on stderr: a live line on a terminal, a plain line now and then elsewhere, and a word about endpoints that are silent."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator

from judgebench.cli.console import note, plain
from judgebench.engine.counters import Counters

SILENT_SECONDS = 5.0
PLAIN_SECONDS = 10.0


@contextlib.contextmanager
def progress(counters: Counters) -> Iterator[None]:
    """Shows how a run goes while the block runs."""
    stop = threading.Event()
    live = sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
    thread = threading.Thread(target=_live if live else _lines, args=(counters, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def silent_progress(counters: Counters) -> Iterator[None]:
    """Nothing but the word about endpoints that do not answer."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(counters, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def summary(counters: Counters) -> str:
    """One line: done, failed, in flight, requests per second, tokens, time left."""
    parts = [f"{counters.done}/{counters.planned} judgments"]
    if counters.failed:
        parts.append(f"{counters.failed} failed")
    if counters.asked or counters.in_flight:
        parts.append(f"{counters.in_flight} in flight, {counters.rate():.1f} calls/s, {(counters.usage.prompt_tokens or 0) + (counters.usage.completion_tokens or 0):,} tokens")
    if counters.cost is not None and counters.cost > 0:
        parts.append(f"${counters.cost:.4f}")
    if counters.from_log:
        parts.append(f"{counters.from_log} from the log")
    if counters.retried:
        parts.append(f"{sum(counters.retried.values())} retried")
    left = counters.seconds_left()
    return ", ".join(parts) + (f", about {_clock(left)} left" if left is not None else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _silent(counters: Counters, named: set[str]) -> None:
    now = time.monotonic()
    for endpoint, since in list(counters.waiting.items()):
        if endpoint not in named and now - since > SILENT_SECONDS:
            named.add(endpoint)
            note(f"{endpoint} has not answered for {SILENT_SECONDS:g} s; still waiting (Ctrl-C keeps what was answered)")


def _watch(counters: Counters, stop: threading.Event) -> None:
    named: set[str] = set()
    while not stop.wait(0.5):
        _silent(counters, named)


def _lines(counters: Counters, stop: threading.Event) -> None:
    named: set[str] = set()
    last = time.monotonic()
    while not stop.wait(0.5):
        _silent(counters, named)
        if time.monotonic() - last >= PLAIN_SECONDS:
            last = time.monotonic()
            note(summary(counters))


def _live(counters: Counters, stop: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    named: set[str] = set()
    console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
    with Progress(BarColumn(bar_width=24), TextColumn("{task.description}", markup=False), console=console, transient=True, refresh_per_second=5) as shown:
        task = shown.add_task("", total=max(1, counters.planned))
        while not stop.wait(0.2):
            shown.update(task, completed=counters.done, description=plain(summary(counters)))
            _silent(counters, named)
