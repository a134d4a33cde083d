"""Before the first call: all problems at once, in one line each, and nothing sent to anybody while there is one."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from asking import KEY
from loopback import LoopbackServer, rejects_parameter

from judgebench.benchmarks import Benchmark, load_benchmark
from judgebench.engine.engine import EngineOptions
from judgebench.errors import CredentialError, EndpointDownError, InputError
from judgebench.pipeline import Outcome, run_single
from judgebench.preflight import Prepared, RunOptions, prepare


@pytest.fixture
def benchmark_of(tmp_path: Path) -> Any:
    """Makes a benchmark of n two-turn questions."""

    def made(n: int = 2) -> Benchmark:
        rows = [{"question_id": i, "category": "writing", "turns": [f"first {i}", f"second {i}"]} for i in range(n)]
        (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        return load_benchmark(tmp_path / "q.jsonl")

    return made


@pytest.fixture
def ready(tmp_path: Path, benchmark_of: Any) -> Any:
    """Prepares a run: ready(models, judges, environ, **what RunOptions and EngineOptions take)."""

    def made(
        models: list[str], judges: list[str], environ: dict[str, str] | None = None, *, n: int = 2, log: str = "log.db", engine: dict[str, Any] | None = None, **options: Any
    ) -> Prepared:
        given = EngineOptions(tmp_path / log, **(engine or {}))
        return prepare(benchmark_of(n), RunOptions(models=tuple(models), judges=tuple(judges), engine=given, **options), environ or {})

    return made


def problems(ready: Any, *arguments: Any, **options: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        ready(*arguments, **options)
    assert all("\n" not in p for p in caught.value.problems)
    return caught.value.problems


def run(prepared: Prepared, folder: Path) -> Outcome:
    return asyncio.run(run_single(prepared, folder))


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_all_problems_of_all_specs_come_at_once(ready: Any) -> None:
    with LoopbackServer() as server:
        got = problems(
            ready, ["opnai:x", "openai:gpt", "recorded:/no/such", server.spec, server.spec], ["anthropic:claude", "http://h:99999#m"], generator_arguments=("temperature=hot",), prompt="singel"
        )  # fmt: skip
        assert server.requests == []
    wanted = [
        "--generator-arg temperature=", "opnai:x: unknown provider", "recorded:/no/such: no such file", "http://h:99999#m: not a URL", "unknown prompt 'singel', and neither FILE.toml nor FILE.jsonl#NAME; did you mean 'single'?",
        "--model: two are called 'fake'", "openai:gpt: no key; export OPENAI_API_KEY=...", "anthropic:claude: no key; export ANTHROPIC_API_KEY=...",
    ]  # fmt: skip
    assert len(got) == len(wanted)
    assert all(any(p.startswith(w) for p in got) for w in wanted), got


def test_a_problem_is_said_once(ready: Any) -> None:
    assert problems(ready, ["a=openai:gpt"], ["b=openai:gpt"]) == ("openai:gpt: no key; export OPENAI_API_KEY=...",)


def test_names_with_line_breaks_stay_on_one_line(ready: Any) -> None:
    problems(ready, ["a\nb=http://h/v1#m", "a\nb=http://h/v1#n"], ["c\nd=http://h/v1#m"], engine={"max_cost": 1.0})


def test_max_cost_needs_prices(ready: Any) -> None:
    with LoopbackServer() as server:
        got = problems(ready, [f"mine={server.spec}"], [f"j={server.spec}"], engine={"max_cost": 1.0})
        assert got == ("--max-cost: no price is known for mine, j; set price_prompt and price_completion with --generator-arg or --judge-arg, or use --max-calls",)
        prices = ("price_prompt=1", "price_completion=2")
        prepared = ready([f"mine={server.spec}"], [f"j={server.spec}"], engine={"max_cost": 1.0}, generator_arguments=prices, judge_arguments=prices)
        asyncio.run(prepared.close())
        assert prepared.unknown_prices == ()
        assert prepared.plan.dollars > 0
        assert server.requests == []


def test_checks_need_checks(ready: Any) -> None:
    assert problems(ready, ["simulated:"], ["checks"]) == ("judge checks: no question of q has checks; name a judge, for example --judge openai:NAME",)


def test_a_closed_port_stops_before_any_call(ready: Any, tmp_path: Path) -> None:
    port = closed_port()
    with LoopbackServer() as server:
        outcome = run(ready([server.spec], [f"j=http://127.0.0.1:{port}/v1#m"]), tmp_path / "run")
        assert server.calls == 0
    assert not outcome.complete
    assert (
        outcome.stopped
        == f"http://127.0.0.1:{port}/v1: no connection to 127.0.0.1 port {port} (nobody listens there); start the server or mend the URL, then run the same command again"
    )
    assert EndpointDownError.exit_code == 3


def test_every_closed_port_is_named(ready: Any, tmp_path: Path) -> None:
    ports = closed_port(), closed_port()
    outcome = run(ready([f"http://127.0.0.1:{ports[0]}/v1#m"], [f"http://127.0.0.1:{ports[1]}/v1#m"]), tmp_path / "run")
    assert outcome.stopped is not None
    assert all(f"port {port} " in outcome.stopped for port in ports)


def test_a_host_that_does_not_exist_is_down(ready: Any, tmp_path: Path) -> None:
    outcome = run(ready(["http://no-such-host.invalid/v1#m"], ["simulated:"]), tmp_path / "run")
    assert outcome.stopped is not None
    assert "no connection to no-such-host.invalid port 80" in outcome.stopped


def test_behind_a_proxy_no_port_is_tried(ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from relay import Relay

    with LoopbackServer(lambda body: "Rating: [[7]]") as server, Relay(server.root) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert run(ready(["http://models.invalid/v1#m"], ["j=http://models.invalid/v1#j"]), tmp_path / "run").complete
    assert server.calls == 8


def test_the_probe_asks_no_question(ready: Any) -> None:
    with LoopbackServer() as server:
        asyncio.run(ready([server.spec], ["simulated:"]).close())
        assert server.requests == []


def test_a_finished_run_is_read_back_without_any_key(ready: Any, tmp_path: Path) -> None:
    with LoopbackServer(lambda body: "Rating: [[7]]") as server:
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
        keyless = {"OPENAI_BASE_URL": server.url}
        assert run(ready(["openai:m"], ["j=openai:j"], environ), tmp_path / "run").complete
        sent = server.calls
        assert run(ready(["openai:m"], ["j=openai:j"], keyless), tmp_path / "run").complete
        assert server.calls == sent
        # The log knows the model, but not the answer to a third question.
        with pytest.raises(CredentialError, match=r"openai:m: no key; export OPENAI_API_KEY=\.\.\."):
            run(ready(["openai:m"], ["j=openai:j"], keyless, n=3), tmp_path / "other")
        assert server.calls == sent
        assert problems(ready, ["openai:m"], ["simulated:"], keyless, engine={"fresh": True}) == ("openai:m: no key; export OPENAI_API_KEY=...",)
        assert problems(ready, ["openai:never-asked"], ["simulated:"], keyless) == ("openai:never-asked: no key; export OPENAI_API_KEY=...",)


def test_what_a_model_refuses_is_said_with_its_name(ready: Any, tmp_path: Path) -> None:
    with LoopbackServer(rejects_parameter("temperature", lambda body: "Rating: [[7]]")) as server:
        prepared = ready([f"mine={server.spec}"], [f"j={server.spec}"], generator_arguments=("temperature=0.5",))
        assert run(prepared, tmp_path / "run").complete
    assert set(prepared.engine.counters.notes) == {f"{name}: temperature is not sent (the model refuses it)" for name in ("mine", "j")}


def test_no_key_is_in_any_file_of_a_run(ready: Any, tmp_path: Path) -> None:
    with LoopbackServer(lambda body: f"Rating: [[7]] {KEY}", faults=lambda i: "400" if i == 3 else None) as server:
        environ = {"MY_KEY": KEY}
        run(ready([f"m={server.url}?key_env=MY_KEY#m"], [f"j={server.url}?key_env=MY_KEY#j"], environ), tmp_path / "run")
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) > 5
    assert not [f for f in files if KEY.encode() in f.read_bytes()]


def test_a_generator_of_the_callers_own(ready: Any, tmp_path: Path) -> None:
    from judgebench.generators.simulated import Simulated

    prepared = ready([("mine", Simulated(0.9)), ("other", "simulated:skill=0.1")], ["simulated:noise=0"])
    assert [c.name for c in prepared.contestants] == ["mine", "other"]
    assert run(prepared, tmp_path / "run").complete
