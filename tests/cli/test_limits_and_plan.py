"""--dry-run says what would be asked; --max-calls and --max-cost stop before the call that would pass them."""

import json
from collections.abc import Callable
from pathlib import Path

from loopback import LoopbackServer
from workbench import Ended, answers_file, job, questions_file, rated

Command = Callable[..., Ended]
PRICED = ("--judge-arg", "price_prompt=0", "--judge-arg", "price_completion=1000", "--judge-arg", "max_tokens=1000")  # $1 a call at worst


def test_a_dry_run_counts_calls_and_sends_none(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        questions, answers = questions_file(tmp_path, 5, turns=2), answers_file(tmp_path, 5, turns=2)
        arguments = ("run", questions, "--model", f"m=recorded:{answers}", "--model", f"live={server.spec}", "--judge", server.spec, "--samples", 3, "--reask", 2, "--dry-run")
        plan = judgebench(*arguments, *PRICED, "--json").document
        told = judgebench(*arguments, *PRICED)
        assert server.calls == 0 and not server.requests
    assert (plan["questions"], plan["turns"], plan["judgments"]) == (5, 10, 60)
    by_role = {call["role"]: call for call in plan["calls"]}
    assert (by_role["model"]["calls"], by_role["model"]["most_calls"]) == (10, 10)
    assert (by_role["judge"]["calls"], by_role["judge"]["most_calls"]) == (60, 180)
    assert by_role["judge"]["completion_tokens"] == 180 * 1000 and by_role["judge"]["usd"] == 180.0
    assert plan["most_calls"] == 190 and plan["unknown_prices"] == ["live"] and plan["usd"] is None
    assert told.code == 0 and "60 calls (at most 180)" in told.out and "nothing was sent" in told.out
    assert not (tmp_path / "runs").exists(), "a dry run leaves nothing"


def test_a_dry_run_of_the_example_asks_nothing_and_leaves_nothing(judgebench: Command, tmp_path: Path) -> None:
    ended = judgebench("run", "mtbench", "--dry-run", "--json")
    assert (ended.document["questions"], ended.document["turns"], ended.document["calls"], ended.document["usd"]) == (80, 160, [], 0)
    assert not list(tmp_path.iterdir())


def test_max_calls_stops_with_3_and_a_higher_limit_goes_on(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        stopped = judgebench(*job(tmp_path, server.spec, n=20), "--max-calls", 7)
        assert stopped.code == 3 and server.calls == 7
        assert "--max-calls 7" in stopped.err and stopped.err.count("again") == 1 and "kept" in stopped.err
        again = judgebench(*job(tmp_path, server.spec, n=20), "--max-calls", 7)
        assert again.code == 3 and server.calls == 14
        done = judgebench(*job(tmp_path, server.spec, n=20), "--max-calls", 6, "--json")
        assert done.code == 0 and server.calls == 20
        assert done.document["runs"][0]["leaderboard"][0]["n"] == 20
        nothing = judgebench(*job(tmp_path, server.spec, n=20), "--max-calls", 0)
        assert nothing.code == 0 and server.calls == 20


def test_max_cost_is_never_passed_and_a_higher_limit_goes_on(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:  # a call costs 20 tokens, $0.02
        stopped = judgebench(*job(tmp_path, server.spec, n=20), *PRICED, "--max-cost", 1.1, "--concurrency", 1)
        assert stopped.code == 3 and "--max-cost 1.1" in stopped.err
        run = json.loads((tmp_path / "r" / "run.json").read_text())
        assert run["complete"] is False and 0 < run["cost"]["usd"] <= 1.1
        assert server.calls == 6  # the seventh could end at 0.12 + 1.00
        done = judgebench(*job(tmp_path, server.spec, n=20), *PRICED, "--max-cost", 50)
        assert done.code == 0 and server.calls == 20
        assert json.loads((tmp_path / "r" / "run.json").read_text())["cost"] == {"usd": 0.4, "usd_known_part": 0.4, "usd_this_time": 0.28, "unknown_prices": []}


def test_max_cost_without_a_price_is_refused(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        ended = judgebench(*job(tmp_path, server.spec), "--max-cost", 1)
    assert ended.code == 2 and "no price is known" in ended.err and server.calls == 0


def test_at_worst_is_said_before_the_first_call(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        ended = judgebench(*job(tmp_path, server.spec))
    assert ended.err.startswith("at worst 12 calls, ") and "price unknown for fake" in ended.err


def test_a_plan_needs_no_key_and_names_the_ones_that_a_run_will_need(judgebench: Command, tmp_path: Path) -> None:
    ended = judgebench("run", "mtbench", "--model", "openai:gpt-4o-mini", "--judge", "anthropic:claude-3-5-haiku-latest", "--dry-run")
    assert ended.code == 0 and "nothing was sent" in ended.out
    assert "export OPENAI_API_KEY=" in ended.err and "export ANTHROPIC_API_KEY=" in ended.err
