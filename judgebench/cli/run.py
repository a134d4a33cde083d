"""`judgebench run`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.console import complain, note, plain, result, some
from judgebench.cli.options import configured, read_env_file, run_options

if TYPE_CHECKING:
    from judgebench.pipeline import Outcome
    from judgebench.preflight import Prepared


@click.command("run")
@click.argument("benchmark", required=False)
@run_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default: a folder under runs/, the same for the same command).")
@click.option("--dry-run", is_flag=True, help="Say what would be asked, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
@click.pass_context
def command(ctx: click.Context, /, benchmark: str | None, out: Path | None, dry_run: bool, as_json: bool, **given: Any) -> int:
    """Answer BENCHMARK with every model, judge the answers, print the leaderboard.

    BENCHMARK is a shipped one (mtbench), a benchmark folder, a questions file (FastChat's format), or the folder of a finished run, whose
    answers are judged again. Without --model and --judge the
    recorded example answers are graded by programmatic checks: no key, no network.

    \b
    SPEC of a model or judge:
      openai:NAME   anthropic:NAME   http://HOST:PORT/v1#NAME   ollama:NAME   openrouter:NAME
      recorded:FILE   simulated:skill=0.7,seed=1   NAME=SPEC renames
    Judges may also be: checks, simulated:noise=0.2,length=0.5
    """  # noqa: D301 - click knows a paragraph whose lines it must keep by this very character
    from judgebench.api import execute, out_folder, ready
    from judgebench.engine.engine import EngineOptions
    from judgebench.preflight import RunOptions

    settings = configured(ctx, benchmark, given)
    read_env_file(settings["env_file"])
    engine = EngineOptions(
        settings["log"], settings["concurrency"], settings["rpm"], settings["timeout"], settings["max_cost"], settings["max_calls"], settings["fresh"]
    )
    options = RunOptions(
        settings["benchmark"], settings["model"], settings["judge"], engine, settings["limit"], settings["category"], settings["samples"], settings["reask"],
        settings["prompt"], settings["seed"], settings["generator_arg"], settings["judge_arg"],
    )  # fmt: skip
    prepared = ready(options, os.environ, keys_needed=not dry_run)
    if dry_run:
        prepared.engine.close()
        return _dry_run(prepared, as_json)
    folder = out_folder(prepared, out)
    _announce(prepared, settings, as_json)
    from judgebench.cli.interrupts import second_one_leaves
    from judgebench.cli.progress import progress, silent_progress

    with second_one_leaves(silent_progress if as_json else progress) as shown:
        outcome = execute(prepared, folder, shown)
    return _reported(prepared, outcome, settings, as_json)


def _announce(prepared: Prepared, settings: dict[str, Any], as_json: bool) -> None:
    """Before the first call: what preflight noticed, which judge was chosen, and what the run can cost at worst."""
    for line in prepared.notes:
        note(line)
    if as_json:
        return
    if settings["model"] and not settings["judge"]:
        note("judge: checks (programmatic, free); name another with --judge openai:NAME, anthropic:NAME or http://HOST:PORT/v1#NAME")
    if prepared.plan.most_calls:
        note(worst_case(prepared))


def worst_case(prepared: Prepared) -> str:
    """One line: calls, tokens and dollars at worst."""
    plan = prepared.plan
    priced = [c for c in plan.calls if c.dollars is not None]
    money = f", ${plan.dollars:.2f}" + (" for what has a known price" if plan.unknown_prices else "") if priced else ""
    unknown = f"; price unknown for {', '.join(plain(n) for n in dict.fromkeys(plan.unknown_prices))}" if plan.unknown_prices else ""
    return f"at worst {plan.most_calls:,} calls, {plan.tokens:,} tokens{money}{unknown}"


def _dry_run(prepared: Prepared, as_json: bool) -> int:
    import json

    plan = prepared.plan
    if as_json:
        calls = [
            {"name": c.name, "role": c.role, "calls": c.calls, "most_calls": c.most_calls, "prompt_tokens": c.prompt_tokens,
             "completion_tokens": c.completion_tokens, "usd": c.dollars}
            for c in plan.calls
        ]  # fmt: skip
        document = {"benchmark": prepared.benchmark.name, "questions": len(prepared.benchmark), "turns": prepared.benchmark.n_turns, "judgments": plan.judgments, "calls": calls,
                    "most_calls": plan.most_calls, "usd": plan.dollars if not plan.unknown_prices else None, "unknown_prices": list(plan.unknown_prices)}  # fmt: skip
        result(json.dumps(document, indent=2))
        return 0
    size = f"{some(len(prepared.benchmark), 'question')}, {some(prepared.benchmark.n_turns, 'turn')}, {some(plan.judgments, 'judgment')}"
    result(f"{plain(prepared.benchmark.name)}: {size}")
    for call in plan.calls:
        money = "price unknown" if call.dollars is None else f"${call.dollars:.2f}"
        result(f"  {call.role} {plain(call.name)}: {call.calls:,} calls (at most {call.most_calls:,}), at most {call.prompt_tokens:,} + {call.completion_tokens:,} tokens, {money}")
    result(worst_case(prepared) + "; nothing was sent")
    for line in (*prepared.notes, *prepared.missing_keys):
        note(line)
    return 0


def _reported(prepared: Prepared, outcome: Outcome, settings: dict[str, Any], as_json: bool) -> int:
    """Print what came of a run; returns the exit code."""
    summary = (outcome.folder / "summary.json").read_text(encoding="utf-8")
    import json

    document = json.loads(summary)
    if as_json:
        result(json.dumps(document, indent=2, ensure_ascii=True))
    else:
        from judgebench.cli.tables import print_board

        for entry in document["runs"]:
            print_board(entry)
        _closing_lines(prepared, outcome, settings)
    return _judged_code(outcome, document)


def _closing_lines(prepared: Prepared, outcome: Outcome, settings: dict[str, Any]) -> None:
    calls, cost = outcome.document["calls"], outcome.document["cost"]
    if calls["answered"] or calls["from_log"]:
        money = f", ${cost['usd_this_time']:.4f}" if cost["usd_this_time"] else ""
        note(f"{calls['answered']} calls answered{money}, {calls['from_log']} answers came from the log {plain(prepared.options.engine.log)}")
    if calls["paid_twice"]:
        note(f"{calls['paid_twice']} of them another process had asked too, and its answer was kept: they were paid twice")
    for line in prepared.engine.counters.notes:
        note(line)
    for model in outcome.document["models"]:
        if model["cut_off"]:
            note(f"{plain(model['name'])}: {model['cut_off']} answers were cut off at max_tokens; raise it with --generator-arg max_tokens=N")
    result(f"run folder: {plain(outcome.folder)}")
    if not settings["model"] and not settings["judge"]:
        result("your own model: judgebench run mtbench --model openai:NAME --judge anthropic:NAME (or http://HOST:PORT/v1#NAME, ollama:NAME, recorded:FILE)")


def _mended(outcome: Outcome) -> str:
    """Why a run is incomplete, and the one thing to do about it."""
    why = str(outcome.document["stopped"])
    if not outcome.resumable:
        return f"{why} ({some(outcome.document['counts']['failures']['provider_error'], 'judgment')} in all); complete the recorded answers, or ask the model itself"
    if re.search(r"\brun (the same command )?again\b", why):  # the reason says itself what to run, and with what changed
        return f"{why} (what was answered is kept)"
    return f"{why}; what was answered is kept: to resume, run the same command again"


def _judged_code(outcome: Outcome, document: dict[str, Any]) -> int:
    scored = any(row["score"] is not None for entry in document["runs"] for row in entry["leaderboard"])
    if not outcome.complete:
        complain(f"incomplete: {_mended(outcome)}")
        return 3
    if not scored:
        failures = ", ".join(f"{n} {kind}" for kind, n in outcome.document["counts"]["failures"].items()) or "nothing was judged"
        complain(f"nothing could be judged ({failures}); judgments.jsonl in {outcome.folder} has the details")
        return 3
    return 0
