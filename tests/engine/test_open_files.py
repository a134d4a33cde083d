"""A process may have so many files open: that is our limit, never the endpoint's fault."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from loopback import LoopbackServer

TESTS = Path(__file__).parents[1]


def script(body: str, *arguments: str) -> str:
    """What a process of its own prints: limits on files cannot be given back."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    ended = subprocess.run([sys.executable, "-c", body, *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.strip()


def test_running_out_of_files_lowers_the_limit_and_loses_nothing(tmp_path: Path) -> None:
    body = (
        "import asyncio, resource, sys; from pathlib import Path; from engine_parts import Parts, opened\n"
        "from judgebench.generators.openai_chat import OpenAIChat\n"
        "async def work(log):\n"
        "    parts = Parts(OpenAIChat(sys.argv[1], 'm'), log, concurrency=90)\n"
        "    ends = await parts.all(120)\n    await parts.durable.close()\n"
        "    print({getattr(e, 'text', e) for e in ends}, parts.limiter.limit < 90, set(parts.counters.retried))\n"
        "with opened(Path(sys.argv[2])) as log:\n    import aiohttp\n    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n    asyncio.run(work(log))\n"
    )
    with LoopbackServer(latency=0.1) as server:
        said = script(body, server.url, str(tmp_path / "log.db"))
        assert said == "{'ok'} True {'open_files'}"
        assert server.calls == 120


def test_the_soft_limit_is_raised_and_the_hard_one_caps_the_calls() -> None:
    body = (
        "import resource, sys; from pathlib import Path; from engine_parts import Answering; from judgebench.engine.engine import Engine, EngineOptions, socket_places\n"
        "import asyncio, tempfile\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 364))\n"
        "print(socket_places(20), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "print(socket_places(200), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    engine = Engine(EngineOptions(Path(folder) / 'log.db', concurrency=600))\n"
        "    for endpoint in 'ab':\n        engine.wrapped(Answering(None), endpoint, endpoint)\n"
        "    engine.open(); engine.close()\n"
        "print(engine.width, len(engine.counters.notes), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    assert script(body).splitlines() == ["36 100", "200 264", "600 1 364"]  # 2 endpoints with 150 places each, twice that much work


def test_a_limit_that_is_high_enough_changes_nothing() -> None:
    from judgebench.engine.engine import socket_places

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert socket_places(1) is None or before[0] == resource.RLIM_INFINITY or socket_places(1) == before[0] - 64
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
