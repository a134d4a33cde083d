"""How fast and how lean: judgebench beside bare clients, against the same local server in the same run.

    python tests/speed/throughput.py [--calls 2000] [--repeat 3]

The server has a core of its own where there are two. Every figure is the median of the repeats; rates are taken by the
server, from the first request to the last answer.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ANSWER = "An answer of ordinary length. " * 20
LATENCIES = ((0, 64), (200, 256))  # milliseconds, calls at once


@dataclass(frozen=True)
class Measured:
    """One process: its seconds, CPU seconds and peak memory (MB), and what the server saw of it."""

    seconds: float
    cpu: float
    megabytes: float
    calls: int
    rate: float


def on_core(command: Sequence[object], core: int) -> list[str]:
    """The command, kept to a core where there are several."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pinned = f"import os, sys; os.sched_setaffinity(0, [{cores[core % len(cores)]}]); os.execv(sys.argv[1], sys.argv[1:])" if len(cores) > 1 else ""
    return [sys.executable, "-c", pinned, *map(str, command)] if pinned else [*map(str, command)]


@contextlib.contextmanager
def server(latency: int) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    process = subprocess.Popen(on_core([sys.executable, HERE / "quick_server.py", latency], 0), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def measured(port: int, *command: object, folder: Path) -> Measured:
    began = time.perf_counter()
    process = subprocess.Popen(on_core(command, 1), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[1]} ended with {process.returncode}: {said[-500:]}")
    seconds = time.perf_counter() - began
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as reply:
        stats = json.load(reply)
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, stats["calls"], stats["calls"] / stats["seconds"] if stats["calls"] > 1 else 0.0)


def prepare(folder: Path, n: int) -> None:
    """Questions, recorded answers, and the body of one call for the bare clients."""
    questions = ({"question_id": i, "category": "writing", "turns": [f"ITEM{i:05d}: say something."]} for i in range(n))
    answers = ({"question_id": i, "model": "m", "turns": [ANSWER]} for i in range(n))
    for name, rows in (("questions.jsonl", questions), ("answers.jsonl", answers)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "body.json").write_text(json.dumps({"model": "fake", "messages": [{"role": "user", "content": ANSWER * 4}]}), encoding="utf-8")


def once(folder: Path, port: int, n: int, width: int) -> dict[str, Measured]:
    """Every client once, one after the other."""
    bare = {kind: measured(port, sys.executable, HERE / "bare_clients.py", kind, port, folder / "body.json", n, width, folder=folder) for kind in ("threads", "aiohttp")}
    place = Path(tempfile.mkdtemp(dir=folder))
    start = "import sys; sys.argv[0] = 'judgebench'; from judgebench.cli import main; main()"
    command = (sys.executable, "-c", start, "run", folder / "questions.jsonl", "--model", f"m=recorded:{folder / 'answers.jsonl'}", "--judge", f"http://127.0.0.1:{port}/v1#fake",
               "--concurrency", width, "--out", place / "run", "--log", place / "log.db", "--json")  # fmt: skip
    return {**bare, "judgebench": measured(port, *command, folder=folder), "again": measured(port, *command, folder=folder)}


def report(latency: int, width: int, n: int, rounds: Sequence[dict[str, Measured]]) -> None:
    def median(who: str, what: str) -> float:
        return statistics.median(getattr(one[who], what) for one in rounds)

    assert all(one[who].calls == n for one in rounds for who in ("threads", "aiohttp", "judgebench"))
    ours = median("judgebench", "rate")
    print(f"\n{n} calls, {latency} ms latency, {width} at once")
    for who, name in (("threads", "bare client, standard library, threads"), ("aiohttp", "bare client, aiohttp"), ("judgebench", "judgebench, everything committed before use")):
        more = "" if who == "judgebench" else f"   judgebench reaches {ours / median(who, 'rate'):.2f} of it"
        print(f"  {name:44} {median(who, 'rate'):7,.0f} calls/s{more}")
    if latency:
        possible = width * 1000 / latency
        print(f"  {'the latency allows':44} {possible:7,.0f} calls/s   judgebench reaches {ours / possible:.2f} of it")
    print(f"  whole command {median('judgebench', 'seconds'):.2f} s, {1000 * median('judgebench', 'cpu') / n:.2f} ms CPU per call with start-up, {median('judgebench', 'megabytes'):.0f} MB at most")
    print(f"  the same command again {median('again', 'seconds'):.2f} s, {median('again', 'calls'):.0f} calls sent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="judgebench-speed-") as name:
        folder = Path(name)
        prepare(folder, arguments.calls)
        for latency, width in LATENCIES:
            with server(latency) as port:
                report(latency, width, arguments.calls, [once(folder, port, arguments.calls, width) for _ in range(arguments.repeat)])


if __name__ == "__main__":
    main()
