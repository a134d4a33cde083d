"""The Python way in: `run`, `load`, and the records they return. The command line is a thin skin over this module."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import html
import json
import math
import os
import re
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from judgebench.benchmarks import Benchmark, load_benchmark, narrowed
from judgebench.documents import MEAN, averaged, folder_name, is_checks, summary_document
from judgebench.engine.engine import EngineOptions
from judgebench.errors import InputError, JudgebenchError, StorageError
from judgebench.pipeline import Outcome, Progress, run_single
from judgebench.preflight import ModelSpec, Prepared, RunOptions, prepare
from judgebench.providers import shown
from judgebench.store import read_judgments, read_run
from judgebench.types import Generator

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_LOG = Path("runs") / "responses.db"
Models = str | Sequence[ModelSpec] | Mapping[str, str | Generator | Callable[..., Any]]
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """One judge's leaderboard.

    Attributes:
        run, benchmark, judge: where it comes from. rows: as in `show --json`, best first: model, score (1 to 10), ci (95 %,
            questions as clusters), n (judgments), turn_1, turn_2, categories, n_failures, bounds (all failures scored lowest,
            all highest). complete: False where the run stopped before every call was made.
    """

    run: str
    benchmark: str
    judge: str
    rows: tuple[Mapping[str, Any], ...]
    complete: bool = True

    def to_frame(self) -> pd.DataFrame:
        """A frame with one row per model, best first.

        Columns: model (text), score, ci_low, ci_high (float), n, n_failures (integer), turn_1, turn_2 and so on for every
        turn (float), then the score of every category under its name (float), or under "category NAME" where its name is
        that of another column. Scores lie on the judge's scale, 1 to 10 unless a prompt sets another; missing is NaN.
        """
        turns, categories = _turns(self.rows), _categories(self.rows)
        names = ["model", "score", "ci_low", "ci_high", "n", "n_failures", *(f"turn_{t}" for t in turns)]
        records = [
            (row["model"], row["score"], *(row["ci"] or (None, None)), row["n"], row["n_failures"], *(row.get(f"turn_{t}") for t in turns),
             *(row["categories"].get(c, {}).get("score") for c in categories))
            for row in self.rows
        ]  # fmt: skip
        columns = names + [f"category {c}" if c in (*names, "judge") else c for c in categories]
        return _frame(records, columns, {"model": object, "n": "int64", "n_failures": "int64"}, "float64")

    def __repr__(self) -> str:
        models = ", ".join(f"{r['model']} {_number(r['score'])}" for r in self.rows[:5])
        return f"<Leaderboard of {self.run} judged by {self.judge}{self._state()}: {models}{', ...' if len(self.rows) > 5 else ''}>"

    def _repr_html_(self) -> str:
        turns, categories = _turns(self.rows), _categories(self.rows)
        titles = ("model", "score", "95 % interval", "n", "failures", *(f"turn {t}" for t in turns), *categories)
        head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(row, turns, categories))}</tr>" for row in self.rows)
        caption = html.escape(f"{self.benchmark}, judged by {self.judge} ({self.run}{self._state()})")
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _state(self) -> str:
        return "" if self.complete else ", incomplete"


def _frame(rows: Sequence[Sequence[Any]], columns: Sequence[str], kinds: Mapping[str, Any], otherwise: Any) -> pd.DataFrame:
    """A frame whose columns have the same dtypes whatever stands in them (left to itself, pandas makes NaN of None in texts)."""
    import pandas as pd

    return pd.DataFrame({c: pd.Series([row[i] for row in rows], dtype=kinds.get(c, otherwise)) for i, c in enumerate(columns)})


def _turns(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The turns that any row has a column for."""
    return sorted({int(key[5:]) for row in rows for key in row if re.fullmatch(r"turn_\d+", key)} | {1, 2})


def _categories(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(c for row in rows for c in row["categories"]))


def _cells(row: Mapping[str, Any], turns: Sequence[int], categories: Sequence[str]) -> list[str]:
    interval = "none" if row["ci"] is None else f"{row['ci'][0]:.2f} to {row['ci'][1]:.2f}"
    by_turn = [_with_interval(row.get(f"turn_{t}"), row.get(f"turn_{t}_ci")) for t in turns]
    by_category = [_with_interval(cell.get("score"), cell.get("ci")) for cell in (row["categories"].get(c, {}) for c in categories)]
    return [str(row["model"]), _number(row["score"]), interval, str(row["n"]), str(row["n_failures"]), *by_turn, *by_category]


def _with_interval(score: float | None, ci: Sequence[float] | None) -> str:
    return _number(score) + (f" ({ci[0]:.1f} to {ci[1]:.1f})" if ci else "")


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
        """The leaderboard of one judge; without a name, of the mean where the run has one (two or more judges that rate on the
        same scale), else of the first judge that is not the checks, else of the checks.

        Raises:
            InputError: no such judge.
        """
        raters = [j["name"] for j in self.info["judges"] if not is_checks(j)]
        wanted = judge or (MEAN if averaged(self.info["judges"]) else (*raters, *self.judges)[0])
        for entry in self.summary["runs"]:
            if entry["judge"] == wanted:
                return Leaderboard(self.name, entry["benchmark"], wanted, tuple(entry["leaderboard"]), entry["complete"])
        raise InputError(f"{self.folder}: no judge {wanted!r}; it has {', '.join(self.judges)}")

    @property
    def judgments(self) -> pd.DataFrame:
        """A tidy frame, one row per judgment.

        Columns: question_id (number or text, as in the questions file), category, turn (integer), model, judge, prompt, sample
        (integer), score (float, NaN where there is none), failure (its kind or None), detail, text (or None),
        prompt_tokens, completion_tokens (Int64, NA where the API reported none).
        """
        columns = ["question_id", "category", "turn", "model", "judge", "prompt", "sample", "score", "failure", "detail", "text", "prompt_tokens", "completion_tokens"]
        rows = [
            (j.question_id, j.category, j.turn, j.model, j.judge, j.prompt, j.sample, j.score, j.failure.kind if j.failure else None,
             j.failure.detail if j.failure else None, j.text, j.usage.prompt_tokens, j.usage.completion_tokens)
            for j in read_judgments(self.folder / "judgments.jsonl")
        ]  # fmt: skip
        kinds = {"turn": "int64", "sample": "int64", "score": "float64", "prompt_tokens": "Int64", "completion_tokens": "Int64"}
        return _frame(rows, columns, kinds, object)

    def to_frame(self) -> pd.DataFrame:
        """The leaderboards of all judges in one frame, with a first column `judge`."""
        import pandas as pd

        frames = [self.leaderboard(entry["judge"]).to_frame() for entry in self.summary["runs"]]
        for frame, entry in zip(frames, self.summary["runs"], strict=True):
            frame.insert(0, "judge", pd.Series([entry["judge"]] * len(frame), dtype=object))
        return pd.concat(frames, ignore_index=True)

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
    if not os.path.isfile(folder / "judgments.jsonl"):
        raise InputError(f"{folder}: judgments.jsonl is missing; run the same command again to write it anew")
    info["run"] = folder_name(folder)  # a folder may have been renamed
    return Run(folder, info, summary_document(info, folder / "judgments.jsonl"))


def run(
    benchmark: str | Path = "mtbench", models: Models = (), judges: str | Sequence[str] = (), *,
    out: str | Path | None = None, limit: int | None = None, categories: str | Sequence[str] = (), samples: int = 1, prompt: str | None = None, reask: int = 1,
    concurrency: int | None = None, rpm: float | None = None, timeout: float = 600.0, max_cost: float | None = None, max_calls: int | None = None,
    log: str | Path = DEFAULT_LOG, fresh: bool = False, seed: int = 0, generator_arguments: Mapping[str, Any] | None = None,
    judge_arguments: Mapping[str, Any] | None = None, progress: Progress | None = None, environ: Mapping[str, str] | None = None,
) -> Run:  # fmt: skip
    """Answer a benchmark, judge the answers and write a run folder. The same call again asks nothing twice.

    Args:
        benchmark: a name, a benchmark folder or a questions file.
        models: specs ("openai:NAME", "NAME=SPEC"), (name, model) pairs, or a mapping from names to models, where a model may
            also be a generator (closed at the end) or a function from messages to a text. None: the recorded examples.
        judges: specs; none: "checks". out: the run folder (default: under runs/).
        samples: judgments per turn and judge, at least 1. reask: how often a missing verdict is asked for again, 0 to 5.
            Everything else: see `judgebench run --help`.

    Raises:
        InputError: something is wrong with what was asked, every problem on a line. IncompleteError is not raised: look at
        `run(...).info["complete"]`.
    """
    engine = EngineOptions(Path(log), concurrency, rpm, timeout, max_cost, max_calls, fresh)
    options = RunOptions(
        benchmark, _named(models), _several(judges), engine, limit, _several(categories), samples, reask, prompt, seed, _pairs(generator_arguments), _pairs(judge_arguments)
    )
    prepared = ready(options, os.environ if environ is None else environ)
    outcome = execute(prepared, out_folder(prepared, out), progress)
    return load(outcome.folder)


def _pairs(arguments: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(f"{key}={json.dumps(value)}" for key, value in (arguments or {}).items())


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _named(models: Models) -> tuple[ModelSpec, ...]:
    if isinstance(models, Mapping):
        return tuple(models.items())
    return (models,) if isinstance(models, str) else tuple(models)


def ready(options: RunOptions, environ: Mapping[str, str], *, keys_needed: bool = True) -> Prepared:
    """Everything up to the first call: the benchmark read, every spec resolved, all problems reported together.

    Raises:
        InputError: what is wrong with what was asked, every problem on a line.
    """
    _refuse_senseless(options)
    loaded = narrowed(load_benchmark(options.benchmark), categories=options.categories, limit=options.limit)
    chosen = dataclasses.replace(options, models=options.models or example_models(loaded), judges=options.judges or ("checks",))
    return prepare(loaded, chosen, environ, keys_needed=keys_needed)


def _refuse_senseless(options: RunOptions) -> None:
    """Numbers out of range: from Python anything may come, and the command line lets NaN and infinity through."""
    engine = options.engine
    bounds: tuple[tuple[str, float | None, float], ...] = (
        ("limit", options.limit, 1), ("samples", options.samples, 1), ("reask", options.reask, 0), ("concurrency", engine.concurrency, 1),
        ("rpm", engine.rpm, 1e-6), ("timeout", engine.timeout, 1e-6), ("max_cost", engine.max_cost, 0), ("max_calls", engine.max_calls, 0),
    )  # fmt: skip
    wrong = [f"{name} {value}: must be a number of at least {least:g}" for name, value, least in bounds if value is not None and not least <= value < math.inf]
    if wrong:
        raise InputError(*wrong)


def example_models(benchmark: Benchmark) -> tuple[ModelSpec, ...]:
    """The recorded examples that ship with a benchmark, or the recorded answers of a run that is judged again."""
    if not benchmark.settings.examples:
        raise InputError(f"{benchmark.name}: has no recorded examples; name a model, for example --model openai:NAME or --model http://HOST:PORT/v1#NAME")
    return tuple((name, f"recorded:{place}") for name, place in benchmark.settings.examples.items())


def execute(prepared: Prepared, folder: Path, progress: Progress | None = None) -> Outcome:
    """Run what was prepared. Works inside a notebook's running event loop too."""
    return _blocking(run_single(prepared, folder, progress))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, on the quicker event loop where it is installed."""
    try:
        import uvloop  # not on every platform
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; in a thread of its own where this one has a running event loop already (notebooks)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()
    ended: Future[T] = Future()

    async def announced() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    def inside() -> None:
        try:
            ended.set_result(_run(announced()))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            ended.set_exception(error)

    threading.Thread(target=inside, name="judgebench-run").start()
    try:
        return ended.result()
    except KeyboardInterrupt:  # in a notebook Ctrl-C reaches this thread: pass it on, and wait until everything is written
        loop, task = started.result()
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)
        wait([ended])
        raise


def out_folder(prepared: Prepared, out: str | Path | None) -> Path:
    """Where a run goes, and its response log opened: `out`, else a folder under runs/ whose name says what ran and is the same for the same command.

    Raises:
        InputError: `out` holds a run of another benchmark. StorageError: runs/ cannot be made. Either closes the log.
    """
    try:
        folder = _chosen_folder(prepared, out)
        prepared.engine.open()
        if prepared.options.engine.log.parent == DEFAULT_LOG.parent and DEFAULT_LOG.parent.is_dir():
            _unversioned(DEFAULT_LOG.parent)  # the log may have made it, whatever --out says
        return folder
    except JudgebenchError:
        prepared.engine.close()
        raise


def _chosen_folder(prepared: Prepared, out: str | Path | None) -> Path:
    if out is not None:
        folder = Path(out)
        _refuse_other_run(folder, prepared)
        _refuse_own_source(folder, prepared)
        return folder
    _unversioned(DEFAULT_LOG.parent)
    folder = DEFAULT_LOG.parent / _run_name(prepared)
    _refuse_own_source(folder, prepared)
    return folder


def _unversioned(root: Path) -> None:
    """Make runs/, with a .gitignore of its own."""
    try:
        root.mkdir(exist_ok=True)
        ignore = root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# made by judgebench: runs and the response log stay out of version control\n*\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{root}: cannot be made here ({error.strerror}); give --out and --log places that can be written") from error


def _refuse_other_run(folder: Path, prepared: Prepared) -> None:
    if not os.path.isfile(folder / "run.json"):  # unlike Path.is_file it takes any name
        return
    info = read_run(folder)
    before = info["benchmark"].get("name")
    if before != prepared.benchmark.name:
        raise InputError(f"{folder}: holds a run of {before}, and this one is of {prepared.benchmark.name}; give --out another folder")
    lost = [str(m["name"]) for m in info["models"] if m["name"] not in {c.name for c in prepared.contestants}]
    lost += [str(j["name"]) for j in info["judges"] if j["name"] not in {s.judge.name for s in prepared.seats}]
    fewer = len(prepared.benchmark) < info["benchmark"].get("questions", 0)
    if info["complete"] and (lost or fewer):
        left_out = f"{', '.join(shown(name) for name in lost)}, which this one leaves out"
        smaller = f"{info['benchmark'].get('questions')} questions, and this one has {len(prepared.benchmark)}"
        what = left_out if lost else smaller
        raise InputError(f"{folder}: holds a finished run with {what}; give --out another folder")


def _refuse_own_source(folder: Path, prepared: Prepared) -> None:
    if (folder / "questions.jsonl").resolve() == prepared.benchmark.path.resolve():
        raise InputError(f"{folder}: is the run whose answers are being judged; give --out another folder")


def _run_name(prepared: Prepared) -> str:
    options, benchmark = prepared.options, prepared.benchmark
    who = [c.name for c in prepared.contestants] + [s.judge.name for s in prepared.seats]
    identity = [benchmark.sha256, dict(benchmark.category_counts), [c.generator.identity for c in prepared.contestants],
                [s.identity + s.judge.prompt_sha256 for s in prepared.seats], who, options.samples, options.reask,
                sorted(options.generator_arguments), sorted(options.judge_arguments)]  # fmt: skip
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:6]
    words = re.sub(r"[^a-z0-9]+", "-", "-".join([benchmark.name, *who]).lower()).strip("-")[:60].strip("-")
    return f"{words}-{digest}"


