"""Ctrl-C (or SIGTERM, SIGHUP) during a run: the first finishes writing, a second leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from judgebench.engine.counters import Counters
from judgebench.pipeline import Progress

EXIT_INTERRUPTED = 130
# What a terminal, a container and a lost connection send: all of them end a run in the same orderly way.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_SAID = b"judgebench: interrupted twice; what was answered is kept in the log: run the same command again to go on\n"


@contextlib.contextmanager
def second_one_leaves(shown: Progress) -> Iterator[Progress]:
    """`shown`, made to watch for a second interrupt from the moment that the run starts until this block ends.

    asyncio turns the first into the cancelling of the run and raises KeyboardInterrupt for the second, wherever the program
    just is: inside a callback of its own that leaves waiters waiting for ever. Leaving without a word to the event loop is safe: what was
    answered is committed by then, as after a kill.
    """
    if threading.current_thread() is not threading.main_thread():
        yield shown
        return
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}

    @contextlib.contextmanager
    def watched(counters: Counters) -> Iterator[None]:
        first = signal.getsignal(signal.SIGINT)  # asyncio's own, now that the event loop runs
        if callable(first):
            handler = _handler(first)
            for signum in _SIGNALS:
                signal.signal(signum, handler)
        with shown(counters):
            yield

    try:
        yield watched
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _handler(first: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
    pressed: list[int] = []

    def handler(signum: int, frame: FrameType | None) -> None:
        pressed.append(signum)
        if len(pressed) > 1:
            with contextlib.suppress(OSError):
                os.write(2, _SAID)  # print() may be what was interrupted
            os._exit(EXIT_INTERRUPTED)
        first(signum, frame)

    return handler
