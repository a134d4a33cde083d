"""The JSON documents of a run: run.json, and what `show --json` says (DESIGN.md section 8)."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import judgebench
from judgebench.analysis.scores import JudgedItem, ModelScores, ScoreRow, leaderboard, mean_over_judges
from judgebench.benchmarks import settings_document
from judgebench.errors import InputError
from judgebench.formats.jsonl import read_rows
from judgebench.preflight import Prepared
from judgebench.store import parse_judgment
from judgebench.types import Estimate, Judgment, Sampling

MEAN = "mean of judges"
_PACKAGES = ("openai", "anthropic", "aiohttp", "jinja2", "pandas", "numpy", "tenacity", "genai-prices")


@dataclass
class Tally:
    """Counts of a run, for run.json. `unanswered`: provider errors of models that no call could mend, such as recorded answers."""

    answers: int = 0
    judgments: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    cut_off: Counter[str] = field(default_factory=Counter)
    unchecked: int = 0
    unanswered: int = 0
    snapshots: dict[str, dict[str, None]] = field(default_factory=dict)
    judge_snapshots: dict[str, dict[str, None]] = field(default_factory=dict)
    first_error: str | None = None


def run_document(prepared: Prepared, folder: Path, tally: Tally, stopped: str | None, created: str, seconds: float) -> dict[str, Any]:
    """run.json: all that is needed to repeat a run and to judge how far to trust it. No secret, no text of an answer."""
    benchmark, options, counters = prepared.benchmark, prepared.options, prepared.engine.counters
    unpriced, spent = list(prepared.unknown_prices), prepared.engine.budget.spent
    complete = stopped is None and not tally.failures["provider_error"]
    return {
        "judgebench": judgebench.__version__, "run": folder_name(folder), "created": created, "seconds": round(seconds, 3), "complete": complete,
        "stopped": stopped or (tally.first_error if not complete else None), "protocol": "single",
        "benchmark": {"name": benchmark.name, "sha256": benchmark.sha256, "source": str(benchmark.path), "questions": len(benchmark), "turns": benchmark.n_turns,
                      "categories": dict(benchmark.category_counts), "settings": settings_document(benchmark.settings)},
        "models": [
            {"name": c.name, "spec": c.spec, "identity": c.generator.identity, "remote": c.generator.remote, "snapshots": list(tally.snapshots.get(c.name, {})),
             "sampling": _sampling(c.arguments.applied(Sampling(benchmark.settings.temperature, benchmark.settings.max_tokens))), "cut_off": tally.cut_off[c.name]}
            for c in prepared.contestants
        ],
        "judges": [
            {"name": s.judge.name, "spec": s.spec, "identity": s.identity, "prompt": s.judge.prompt, "prompt_sha256": s.judge.prompt_sha256,
             "scale": list(s.scale), "snapshots": list(tally.judge_snapshots.get(s.judge.name, {})), "sampling": _sampling(s.sampling)}
            for s in prepared.seats
        ],
        "options": {"benchmark": str(options.benchmark), "limit": options.limit, "category": list(options.categories), "prompt": options.prompt,
                    "generator_arg": list(options.generator_arguments), "judge_arg": list(options.judge_arguments),
                    "samples": options.samples, "reask": options.reask, "seed": options.seed, "concurrency": options.engine.concurrency, "rpm": options.engine.rpm,
                    "timeout": options.engine.timeout, "max_cost": options.engine.max_cost, "max_calls": options.engine.max_calls, "fresh": options.engine.fresh,
                    "log": str(options.engine.log)},
        "counts": {"answers": tally.answers, "judgments": tally.judgments, "failures": dict(sorted(tally.failures.items())), "turns_without_checks": tally.unchecked},
        "calls": {"answered": counters.asked, "from_log": counters.from_log, "retried": dict(sorted(counters.retried.items())), "paid_twice": counters.paid_twice,
                  "most_in_flight": counters.most_in_flight,
                  "prompt_tokens": counters.usage.prompt_tokens, "completion_tokens": counters.usage.completion_tokens,
                  "prompt_tokens_from_log": counters.usage_from_log.prompt_tokens, "completion_tokens_from_log": counters.usage_from_log.completion_tokens},
        "cost": {"usd": None if unpriced else round(spent + counters.cost_from_log, 6), "usd_known_part": round(spent + counters.cost_from_log, 6),
                 "usd_this_time": round(spent, 6), "unknown_prices": unpriced},
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in _PACKAGES}},
    }  # fmt: skip


def folder_name(folder: Path) -> str:
    """The name of a run: that of its folder, also where it is given as "." or with a trailing ".."."""
    return os.path.basename(os.path.abspath(folder))


def _sampling(sampling: Sampling | None) -> dict[str, Any] | None:
    return None if sampling is None else {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens, **dict(sampling.extra)}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def score_row(judgment: Judgment) -> ScoreRow:
    """A judgment as the score analysis takes it."""
    return ScoreRow(judgment.model, str(judgment.question_id), judgment.category, judgment.turn, judgment.score)


@dataclass(frozen=True)
class Board:
    """One judge's leaderboard of a run, or that of the mean over its judges. `scale`: lowest and highest score possible.
    `failures`: how many of each kind, None for the mean, where one item may have failed in several ways."""

    judge: str
    n_judgments: int
    n_failures: int
    failures: Mapping[str, int] | None
    scale: tuple[float, float]
    rows: tuple[ModelScores, ...]


def boards(run: Mapping[str, Any], judgments: Path) -> Iterator[Board]:
    """The board of every judge of a run, then the mean of the judges of `averaged` where there are any.

    Reads the file once per judge: no more than the rows of one board are held.

    Args:
        run: its run.json.

    Raises:
        InputError: a judgment of a judge or model that run.json does not name, one outside its judge's scale, or a broken line.
    """
    scales = {j["name"]: scale_of(j) for j in run["judges"]}
    models = [m["name"] for m in run["models"]]
    for name, scale in scales.items():
        kinds: Counter[str] = Counter()
        rows = (score_row(j) for j in _kinds_counted(_belonging(judgments, scales, models), name, kinds))
        yield _board(name, rows, scale, models, kinds)
    if together := averaged(run["judges"]):
        items = (JudgedItem(j.judge, j.sample, score_row(j)) for j in _belonging(judgments, scales, models) if j.judge in together)
        yield _board(MEAN, mean_over_judges(items, len(together)), scales[together[0]], models)


def averaged(judges: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The judges of a run.json that have a mean: all that rate, where they are several and of one scale; else none. The
    checks are left out: what share of them passes is another quantity than a rating, though it is written on the same scale."""
    raters = [j for j in judges if not is_checks(j)]
    return tuple(j["name"] for j in raters) if len(raters) > 1 and len(set(map(scale_of, raters))) == 1 else ()


def is_checks(judge: Mapping[str, Any]) -> bool:
    """Whether a judge in run.json is the checks."""
    return str(judge.get("spec", judge["name"])).lower() == "checks"


def scale_of(judge: Mapping[str, Any]) -> tuple[float, float]:
    """The scale of a judge in run.json."""
    low, high = judge.get("scale") or (1.0, 10.0)
    return float(low), float(high)


def _belonging(judgments: Path, judges: Mapping[str, tuple[float, float]], models: Sequence[str]) -> Iterator[Judgment]:
    known = frozenset(models)
    for row in read_rows(judgments):
        judgment = parse_judgment(row, judgments)
        if judgment.judge not in judges or judgment.model not in known:
            what = f"judge {judgment.judge!r}" if judgment.judge not in judges else f"model {judgment.model!r}"
            raise InputError(f"{judgments} line {row.line}: the judgment is of a {what[:90]} that run.json does not name; these files are not of one run")
        lowest, highest = judges[judgment.judge]
        if judgment.score is not None and not lowest <= judgment.score <= highest:
            whose = f"of judge {judgment.judge[:60]!r}; mend the score, or the scale in run.json"
            raise InputError(f"{judgments} line {row.line}: score {judgment.score:g} lies outside the scale {lowest:g} to {highest:g} {whose}")
        yield judgment


def _kinds_counted(judgments: Iterable[Judgment], judge: str, kinds: Counter[str]) -> Iterator[Judgment]:
    """The judgments of one judge; those that pass by without a score are counted by kind."""
    for judgment in judgments:
        if judgment.judge == judge:
            if judgment.failure is not None:
                kinds[judgment.failure.kind] += 1
            yield judgment


def _board(judge: str, rows: Iterable[ScoreRow], scale: tuple[float, float], models: Sequence[str], kinds: Mapping[str, int] | None = None) -> Board:
    counts: Counter[bool] = Counter()

    def counted() -> Iterator[ScoreRow]:
        for row in rows:
            counts[row.score is None] += 1
            yield row

    board = leaderboard(counted(), scale, models=models)
    return Board(judge, counts.total(), counts[True], kinds, scale, board)


def summary_document(run: Mapping[str, Any], judgments: Path) -> dict[str, Any]:
    """What `show --json` prints for one run: {"runs": [...]}, an entry per judge."""
    entries = [
        {"run": run["run"], "benchmark": run["benchmark"]["name"], "protocol": run["protocol"], "judge": board.judge, "n_judgments": board.n_judgments,
         "n_failures": board.n_failures, "failures": None if board.failures is None else dict(sorted(board.failures.items())),
         "n_turns_without_checks": run["counts"].get("turns_without_checks", 0), "complete": run["complete"],
         "scale": list(board.scale), "leaderboard": [board_row(row) for row in board.rows]}
        for board in boards(run, judgments)
    ]  # fmt: skip
    return {"runs": entries}


def board_row(row: ModelScores) -> dict[str, Any]:
    """A leaderboard row: every interval beside its value as `ci`."""
    document: dict[str, Any] = {"model": row.model, **_scored(row.score)}
    for turn, estimate in row.turns.items():
        document[f"turn_{turn}"] = estimate.value
        document[f"turn_{turn}_ci"] = _interval(estimate)
        document[f"turn_{turn}_n"] = estimate.n
    for turn in {1, 2} - set(row.turns):
        document |= {f"turn_{turn}": None, f"turn_{turn}_ci": None, f"turn_{turn}_n": 0}
    document["categories"] = {name: _scored(estimate) for name, estimate in row.categories.items()}
    document["n_failures"] = row.n_failures
    document["bounds"] = [row.lowest, row.highest]
    return document


def _scored(estimate: Estimate) -> dict[str, Any]:
    document: dict[str, Any] = {"score": estimate.value, "ci": _interval(estimate), "n": estimate.n, "method": estimate.method}
    if estimate.value is None or estimate.low is None:
        document["reason"] = estimate.method
    return document


def _interval(estimate: Estimate) -> list[float] | None:
    return None if estimate.low is None or estimate.high is None else [estimate.low, estimate.high]
