"""The worst case is one: no run uses more calls, tokens or dollars than were planned."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from loopback import LoopbackServer, Reply

from judgebench.benchmarks import load_benchmark
from judgebench.engine.engine import EngineOptions
from judgebench.pipeline import run_single
from judgebench.planning import PlannedJudge, PlannedModel, plan, prompt_frame
from judgebench.preflight import Prepared, RunOptions, prepare
from judgebench.prompts import load_prompts
from judgebench.types import Sampling

PRICES = ("price_prompt=3", "price_completion=15")
MOST = 40  # tokens per answer and judgment


def questions(path: Path, turns: int, n: int = 4) -> Path:
    """Questions of several lengths and turns, half of them with references in a category that is judged against them."""
    rows: list[dict[str, Any]] = []
    for i in range(n):
        row: dict[str, Any] = {"question_id": i, "category": "math" if i % 2 else "writing", "turns": [f"é question {i} turn {t} " + "word " * (i * 7 + t) for t in range(turns)]}
        rows.append({**row, "reference": [f"reference {t} " * (i + 1) for t in range(turns)]} if i % 2 else row)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def counting(body: dict[str, Any]) -> Reply:
    """A reply as long as its limit allows (four bytes a token), another one from every model, as equal answers are judged by
    one call; two bytes of the prompt are counted as one token."""
    read = sum(len(m["content"].encode()) for m in body["messages"])
    return Reply(f"{body['model'][-1]}lah" * MOST, prompt_tokens=-(-read // 2), completion_tokens=MOST)


def ready(tmp_path: Path, path: Path, models: list[str], judges: list[str], *, engine: dict[str, Any] | None = None, **options: Any) -> Prepared:
    arguments = (f"max_tokens={MOST}", *PRICES)
    given = EngineOptions(tmp_path / "log.db", concurrency=8, **(engine or {}))
    asked = RunOptions(models=tuple(models), judges=tuple(judges), engine=given, generator_arguments=arguments, judge_arguments=arguments, **options)
    return prepare(load_benchmark(path), asked, {})


@pytest.mark.parametrize(("turns", "samples", "reask", "prompt"), [(1, 1, 0, "single"), (2, 1, 1, "single"), (4, 2, 2, "single"), (3, 1, 1, "own")])
def test_a_run_that_uses_all_it_may_stays_within_the_plan_and_near_it(tmp_path: Path, turns: int, samples: int, reask: int, prompt: str) -> None:
    if prompt == "own":  # shows everything twice, and is long
        prompt = str(tmp_path / "own.toml")
        texts = "{% for t in turns %}{{ t.question }}{{ t.answer }}{% if t.reference is not none %}{{ t.reference }}{% endif %}{% endfor %}" * 2
        Path(prompt).write_text(f'name = "own"\nuser = """{"x" * 5000}{texts}"""\n')
    path = questions(tmp_path / "q.jsonl", turns)
    with LoopbackServer(counting) as server:
        prepared = ready(tmp_path, path, [f"a={server.spec}1", f"b={server.spec}2"], [f"j={server.spec}3"], samples=samples, reask=reask, prompt=prompt)
        outcome = asyncio.run(run_single(prepared, tmp_path / "run"))
    planned, calls = prepared.plan, outcome.document["calls"]
    assert outcome.complete
    assert server.calls == planned.most_calls == 4 * turns * 2 * (1 + samples * (1 + reask))
    read, said = sum(c.prompt_tokens for c in planned.calls), sum(c.completion_tokens for c in planned.calls)
    assert calls["completion_tokens"] == said
    assert calls["prompt_tokens"] <= read < 3 * calls["prompt_tokens"]
    assert outcome.document["cost"]["usd"] <= planned.dollars
    assert planned.judgments == outcome.document["counts"]["judgments"] == 4 * turns * 2 * samples


def test_a_run_with_its_planned_cost_as_limit_is_not_stopped(tmp_path: Path) -> None:
    path = questions(tmp_path / "q.jsonl", 2)
    with LoopbackServer(counting) as server:
        first = ready(tmp_path, path, [server.spec], [f"j={server.spec}2"])
        asyncio.run(first.close())
        prepared = ready(tmp_path, path, [server.spec], [f"j={server.spec}2"], engine={"max_cost": first.plan.dollars})
        assert asyncio.run(run_single(prepared, tmp_path / "run")).complete


def test_recorded_answers_cost_nothing_to_make_and_as_much_to_read_as_they_are_long(tmp_path: Path) -> None:
    path = questions(tmp_path / "q.jsonl", 2)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"question_id": i, "turns": ["x" * 3000, "é" * 500]}) + "\n" for i in range(4)))
    with LoopbackServer(counting) as server:
        prepared = ready(tmp_path, path, [f"recorded:{tmp_path / 'a.jsonl'}"], [f"j={server.spec}"])
        outcome = asyncio.run(run_single(prepared, tmp_path / "run"))
    (judge,) = prepared.plan.calls
    assert (judge.role, judge.calls, judge.most_calls) == ("judge", 8, 16)
    assert outcome.document["calls"]["prompt_tokens"] <= judge.prompt_tokens


def test_what_asks_nobody_is_not_in_the_calls(tmp_path: Path) -> None:
    prepared = ready(tmp_path, questions(tmp_path / "q.jsonl", 2), ["simulated:"], ["simulated:noise=0"], samples=3)
    assert (prepared.plan.calls, prepared.plan.judgments, prepared.plan.tokens, prepared.plan.dollars) == ((), 24, 0, 0.0)


def test_the_plan_by_hand(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"question_id": 1, "category": "c", "turns": ["0123456789", "01234"]}\n')
    benchmark = load_benchmark(tmp_path / "q.jsonl")
    prompts = load_prompts("single")
    frame, copies = prompt_frame(prompts, 2)
    one = plan(benchmark, [PlannedModel("m", True, Sampling(None, 10), None)], [PlannedJudge("j", Sampling(None, 20), None, prompts)], samples=1, reask=1, judged=lambda name: 2)
    model, judge = one.calls
    # Turn 1 reads 10 bytes in one message; turn 2 reads 15, an answer of 4 x 10, in three; 16 tokens around each call.
    assert (model.calls, model.prompt_tokens, model.completion_tokens) == (2, (10 + 15 + 40 + 4 * 8) // 2 + 2 * 16, 20)
    first = 10 + 15 + 3 * 40 + 2 * (frame + 16)
    again = first + 2 * (4 * 20 + len(prompts.base.reask) + 16)
    assert copies == 1
    assert (judge.calls, judge.most_calls, judge.prompt_tokens, judge.completion_tokens) == (2, 4, (first + again) // 2 + 4 * 16, 80)
    assert one.unknown_prices == ("m", "j")


def test_without_a_limit_on_tokens_one_is_assumed(tmp_path: Path) -> None:
    benchmark = load_benchmark(questions(tmp_path / "q.jsonl", 1))
    (model,) = plan(benchmark, [PlannedModel("m", True, Sampling(), None)], [], samples=1, reask=0, judged=lambda name: 0).calls
    assert model.completion_tokens == 4 * 4096


def test_prompts_that_show_one_turn_only_are_measured_at_that_turn(tmp_path: Path) -> None:
    rows = [
        {"name": "single-v1", "type": "single", "system_prompt": "SYS", "prompt_template": "Q {question} A {answer}"},
        {"name": "single-v1-multi-turn", "type": "single", "system_prompt": "SYS", "prompt_template": "{question_1}{answer_1}{question_2}{answer_2}" + "x" * 100},
    ]
    (tmp_path / "judge_prompts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    prompts = load_prompts(f"{tmp_path / 'judge_prompts.jsonl'}#single-v1")
    assert prompt_frame(prompts, 1) == prompt_frame(prompts, 2) == (3 + 4 * 5 + 100, 1)
