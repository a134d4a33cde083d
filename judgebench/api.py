"""The Python way in: `run`, `load`, and the records they return. The command line is a thin skin over this module."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import os
import re
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from judgebench.benchmarks import Benchmark, load_benchmark, narrowed
from judgebench.documents import MEAN, summary_document
from judgebench.engine.engine import EngineOptions
from judgebench.errors import InputError, StorageError
from judgebench.pipeline import Outcome, Progress, run_single
from judgebench.preflight import ModelSpec, Prepared, RunOptions, prepare
from judgebench.specs import parse_arguments
from judgebench.store import read_judgments, read_run
from judgebench.types import Generator

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_LOG = Path("runs") / "responses.db"
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """One judge's leaderboard.

    Attributes:
        run, benchmark, judge: where it comes from. rows: as in `show --json`, best first: model, score (1 to 10), ci (95 %,
            questions as clusters), n (judgments), turn_1, turn_2, categories, n_failures, bounds (all failures scored lowest,
            all highest).
    """

    run: str
    benchmark: str
    judge: str
    rows: tuple[Mapping[str, Any], ...]

    def to_frame(self) -> pd.DataFrame:
        """A frame with one row per model: model, score, ci_low, ci_high, n, n_failures, turn_1, turn_2, then the score of
        every category under its name. Scores run from 1 to 10; missing is NaN."""
        import pandas as pd

        records = []
        for row in self.rows:
            low, high = row["ci"] or (None, None)
            record = {"model": row["model"], "score": row["score"], "ci_low": low, "ci_high": high, "n": row["n"], "n_failures": row["n_failures"]}
            records.append({**record, "turn_1": row["turn_1"], "turn_2": row["turn_2"], **{c: e["score"] for c, e in row["categories"].items()}})
        return pd.DataFrame.from_records(records)

    def __repr__(self) -> str:
        models = ", ".join(f"{r['model']} {_number(r['score'])}" for r in self.rows[:5])
        return f"<Leaderboard of {self.run} judged by {self.judge}: {models}{', ...' if len(self.rows) > 5 else ''}>"

    def _repr_html_(self) -> str:
        categories = list(dict.fromkeys(c for row in self.rows for c in row["categories"]))
        head = "".join(f"<th>{html.escape(h)}</th>" for h in ("model", "score", "95 % interval", "n", "failures", "turn 1", "turn 2", *categories))
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(row, categories))}</tr>" for row in self.rows)
        caption = html.escape(f"{self.benchmark}, judged by {self.judge} ({self.run})")
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Mapping[str, Any], categories: Sequence[str]) -> list[str]:
    interval = "none" if row["ci"] is None else f"{row['ci'][0]:.2f} to {row['ci'][1]:.2f}"
    by_category = [_with_interval(row["categories"].get(c)) for c in categories]
    return [str(row["model"]), _number(row["score"]), interval, str(row["n"]), str(row["n_failures"]), _number(row["turn_1"]), _number(row["turn_2"]), *by_category]


def _with_interval(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["score"] is None:
        return "none"
    return _number(cell["score"]) + (f" ({cell['ci'][0]:.1f} to {cell['ci'][1]:.1f})" if cell["ci"] else "")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder.

    Attributes:
        folder: where it lies. info: its run.json. summary: what `show --json` says of it.
    """

    folder: Path
    info: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.info["run"])

    @property
    def judges(self) -> tuple[str, ...]:
        """The judges of the run, by name."""
        return tuple(j["name"] for j in self.info["judges"])

    def leaderboard(self, judge: str | None = None) -> Leaderboard:
        """The leaderboard of one judge; without a name, of the only one or of the mean of several.

        Raises:
            InputError: no such judge.
        """
        wanted = judge or (MEAN if len(self.judges) > 1 else self.judges[0])
        for entry in self.summary["runs"]:
            if entry["judge"] == wanted:
                return Leaderboard(self.name, entry["benchmark"], wanted, tuple(entry["leaderboard"]))
        raise InputError(f"{self.folder}: no judge {wanted!r}; it has {', '.join(self.judges)}")

    @property
    def judgments(self) -> pd.DataFrame:
        """A tidy frame, one row per judgment: question_id, category, turn, model, judge, prompt, sample, score (1 to 10, NaN
        where there is none), failure (its kind or None), detail, text, prompt_tokens, completion_tokens."""
        import pandas as pd

        columns = ["question_id", "category", "turn", "model", "judge", "prompt", "sample", "score", "failure", "detail", "text", "prompt_tokens", "completion_tokens"]
        rows = [
            (j.question_id, j.category, j.turn, j.model, j.judge, j.prompt, j.sample, j.score, j.failure.kind if j.failure else None,
             j.failure.detail if j.failure else None, j.text, j.usage.prompt_tokens, j.usage.completion_tokens)
            for j in read_judgments(self.folder / "judgments.jsonl")
        ]  # fmt: skip
        return pd.DataFrame.from_records(rows, columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """The leaderboards of all judges in one frame, with a first column `judge`."""
        import pandas as pd

        frames = [self.leaderboard(entry["judge"]).to_frame().assign(judge=entry["judge"]) for entry in self.summary["runs"]]
        joined = pd.concat(frames, ignore_index=True)
        return joined[["judge", *[c for c in joined.columns if c != "judge"]]]

    def __repr__(self) -> str:
        counts = self.info["counts"]
        state = "" if self.info["complete"] else ", incomplete"
        return f"<Run {self.name}: {counts['judgments']} judgments of {len(self.info['models'])} models by {', '.join(self.judges)}{state}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self).strip('<>'))}</p>" + "".join(self.leaderboard(entry["judge"])._repr_html_() for entry in self.summary["runs"])


def load(path: str | Path) -> Run:
    """A finished run. Its figures are computed anew from judgments.jsonl.

    Raises:
        InputError: no run there, or a broken one.
    """
    folder = Path(path)
    info = read_run(folder)
    if not (folder / "judgments.jsonl").is_file():
        raise InputError(f"{folder}: judgments.jsonl is missing; run the same command again to write it anew")
    return Run(folder, info, summary_document({**info, "run": folder.name}, folder / "judgments.jsonl"))


def run(
    benchmark: str | Path = "mtbench", models: Sequence[ModelSpec] | Mapping[str, str | Generator] = (), judges: Sequence[str] = (), *,
    out: str | Path | None = None, limit: int | None = None, categories: Sequence[str] = (), samples: int = 1, prompt: str | None = None, reask: int = 1,
    concurrency: int | None = None, rpm: float | None = None, timeout: float = 600.0, max_cost: float | None = None, max_calls: int | None = None,
    log: str | Path = DEFAULT_LOG, fresh: bool = False, seed: int = 0, generator_arguments: Mapping[str, Any] | None = None,
    judge_arguments: Mapping[str, Any] | None = None, progress: Progress | None = None, environ: Mapping[str, str] | None = None,
) -> Run:  # fmt: skip
    """Answer a benchmark, judge the answers and write a run folder. The same call again asks nothing twice.

    Args:
        benchmark: a name, a benchmark folder or a questions file.
        models: specs ("openai:NAME", "NAME=SPEC"), (name, generator) pairs, or a mapping from names to either. None: the
            benchmark's recorded examples.
        judges: specs; none: "checks". out: the run folder (default: under runs/).
        samples: judgments per turn and judge. reask: how often a missing verdict is asked for again. Everything else: see
            `judgebench run --help`.

    Raises:
        InputError: something is wrong with what was asked, every problem on a line. IncompleteError is not raised: look at
        `run(...).info["complete"]`.
    """
    prepared = ready(
        benchmark, models, judges, limit=limit, categories=categories, samples=samples, prompt=prompt, reask=reask,
        engine=EngineOptions(Path(log), concurrency, rpm, timeout, max_cost, max_calls, fresh), seed=seed,
        generator_arguments=_pairs(generator_arguments), judge_arguments=_pairs(judge_arguments), environ=os.environ if environ is None else environ,
    )  # fmt: skip
    outcome = execute(prepared, out_folder(prepared, out), progress)
    return load(outcome.folder)


def _pairs(arguments: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(f"{key}={json.dumps(value)}" for key, value in (arguments or {}).items())


def ready(
    benchmark: str | Path, models: Sequence[ModelSpec] | Mapping[str, str | Generator], judges: Sequence[str], *, limit: int | None, categories: Sequence[str],
    samples: int, prompt: str | None, reask: int, engine: EngineOptions, seed: int, generator_arguments: tuple[str, ...], judge_arguments: tuple[str, ...],
    environ: Mapping[str, str],
) -> Prepared:  # fmt: skip
    """Everything up to the first call: the benchmark read, every spec resolved, all problems reported together."""
    loaded = narrowed(load_benchmark(benchmark), categories=tuple(categories), limit=limit)
    chosen = _with_names(models) or example_models(loaded)
    options = RunOptions(
        chosen, tuple(judges) or ("checks",), engine, samples, reask, prompt, seed,
        parse_arguments(generator_arguments, "--generator-arg"), parse_arguments(judge_arguments, "--judge-arg"),
    )  # fmt: skip
    return prepare(loaded, options, environ)


def _with_names(models: Sequence[ModelSpec] | Mapping[str, str | Generator]) -> tuple[ModelSpec, ...]:
    if isinstance(models, Mapping):
        return tuple(f"{name}={made}" if isinstance(made, str) else (name, made) for name, made in models.items())
    if isinstance(models, str):
        return (models,)
    return tuple(models)


def example_models(benchmark: Benchmark) -> tuple[str, ...]:
    """The recorded examples that ship with a benchmark, as specs."""
    if not benchmark.settings.examples:
        raise InputError(f"{benchmark.name}: has no recorded examples; name a model, for example --model openai:NAME or --model http://HOST:PORT/v1#NAME")
    return tuple(f"{name}=recorded:{path}" for name, path in benchmark.settings.examples.items())


def execute(prepared: Prepared, folder: Path, progress: Progress | None = None) -> Outcome:
    """Run what was prepared. Works inside a notebook's running event loop too."""
    return _blocking(run_single(prepared, folder, progress))


def _blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; in a thread of its own where this one has a running event loop already (notebooks)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    result: list[T] = []
    failed: list[BaseException] = []

    def inside() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=inside, name="judgebench-run")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return result[0]


def out_folder(prepared: Prepared, out: str | Path | None) -> Path:
    """Where a run goes: `out`, else a folder under runs/ whose name says what ran and is the same for the same command.

    Raises:
        InputError: `out` holds a run of another benchmark. StorageError: runs/ cannot be made.
    """
    if out is not None:
        folder = Path(out)
        _refuse_other_run(folder, prepared)
        return folder
    root = DEFAULT_LOG.parent
    try:
        root.mkdir(exist_ok=True)
        ignore = root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# made by judgebench: runs and the response log stay out of version control\n*\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{root}: cannot be made here ({error.strerror}); give --out and --log places that can be written") from error
    return root / _run_name(prepared)


def _refuse_other_run(folder: Path, prepared: Prepared) -> None:
    if not (folder / "run.json").is_file():
        return
    before = read_run(folder)["benchmark"].get("name")
    if before != prepared.benchmark.name:
        raise InputError(f"{folder}: holds a run of {before}, and this one is of {prepared.benchmark.name}; give --out another folder")


def _run_name(prepared: Prepared) -> str:
    options, benchmark = prepared.options, prepared.benchmark
    who = [c.name for c in prepared.contestants] + [s.judge.name for s in prepared.seats]
    identity = [benchmark.sha256, dict(benchmark.category_counts), [c.generator.identity for c in prepared.contestants], [s.identity + s.prompt_sha256 for s in prepared.seats], who, options.samples, options.reask,
                repr(options.model_arguments), repr(options.judge_arguments)]  # fmt: skip
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:6]
    words = re.sub(r"[^a-z0-9]+", "-", "-".join([benchmark.name, *who]).lower()).strip("-")[:60].strip("-")
    return f"{words}-{digest}"


