"""Files and folders: what they are, how many rows they hold, which rows are bad, and which commands apply."""

from __future__ import annotations

import itertools
import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judgebench import resources
from judgebench.benchmarks import load_benchmark
from judgebench.doctor.environment import log_state
from judgebench.doctor.findings import BadRow, Diagnosis, Fact
from judgebench.errors import InputError
from judgebench.formats.answers import model_of, parse_answer
from judgebench.formats.jsonl import BOM, GZIP, Row, parse_object
from judgebench.formats.questions import parse_question
from judgebench.prompts import load_prompts
from judgebench.store import RUN_FILES, parse_judgment, read_run

SHOWN_ROWS = 20
_LOOKED_AT = 50  # rows by which the kind of a file is told


def file(argument: str, path: Path) -> Diagnosis:
    """Examine a file. Raises InputError when nothing can be said about it."""
    with path.open("rb") as opened:
        head = opened.read(16)
    if head.startswith(GZIP):
        raise InputError(f"{path}: is gzip-compressed; gunzip it first")
    if head == b"SQLite format 3\x00":
        return _log(argument, path)
    if path.suffix == ".toml":
        return _toml(argument, path)
    return _rows(argument, path)


def _log(argument: str, path: Path) -> Diagnosis:
    state = log_state(path, thorough=True)
    facts: dict[str, Fact] = {"journal": state.journal, "responses": state.responses, "failed requests": state.failures}
    return Diagnosis(argument, "response log", facts, commands=(f"judgebench run BENCHMARK --log {shlex.quote(argument)}",))


def _toml(argument: str, path: Path) -> Diagnosis:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from error
    if path.name == "benchmark.toml" or "sampling" in raw or "examples" in raw:
        found = benchmark_folder(str(path.parent))
        return Diagnosis(argument, "benchmark settings", found.facts, found.problems, commands=found.commands, exit_code=found.exit_code)
    if isinstance(raw.get("run"), dict):
        return Diagnosis(argument, "configuration", {"settings": sorted(raw["run"])}, commands=(f"judgebench run --config {shlex.quote(argument)}",))
    prompts = load_prompts(str(path))
    facts: dict[str, Fact] = {"name": prompts.name, "verdict": prompts.base.verdict, "scale": f"{prompts.base.scale[0]:g} to {prompts.base.scale[1]:g}", "sha256": prompts.sha256}
    silent = prompts.base.verdict == "rating" and not any("[[" in str(raw.get(name, "")) for name in ("system", "user"))
    warnings = (f"{path}: neither text shows the judge the form of the verdict; end with a line such as Rating: [[5]]",) if silent else ()
    return Diagnosis(argument, "judge prompt", facts, commands=(f"judgebench run BENCHMARK --judge SPEC --prompt {shlex.quote(argument)}",), warnings=warnings)


@dataclass
class _Seen:
    """What the rows of a file have shown so far."""

    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    n_bad: int = 0
    keys: dict[Any, int] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    without_checks: int = 0

    def complain(self, line: int, problem: str) -> None:
        self.n_bad += 1
        if len(self.bad) < SHOWN_ROWS:
            self.bad.append(BadRow(line, problem))

    def once(self, line: int, key: Any, what: str) -> None:
        """Complain about a second row with the same key."""
        if key in self.keys:
            self.complain(line, f"{what} stands on line {self.keys[key]} already; keep one")
        self.keys.setdefault(key, line)

    def count(self, what: str, value: str) -> None:
        self.counts.setdefault(what, Counter())[value] += 1


def _rows(argument: str, path: Path) -> Diagnosis:
    """Examine a JSON Lines file row by row."""
    first = (row for _, row, _ in itertools.islice(_parsed(path), _LOOKED_AT) if row is not None)
    kinds = Counter(kind for kind in map(_kind_of, first) if kind)
    kind = kinds.most_common(1)[0][0] if kinds else "unknown"
    seen = _Seen()
    for line, row, problem in _parsed(path):
        seen.rows += 1
        if row is None:
            seen.complain(line, problem)
            continue
        try:
            _CHECKS[kind](row, path, seen)
        except InputError as error:
            seen.complain(line, str(error).removeprefix(f"{path} line {line}: "))
    if not seen.rows:
        return Diagnosis(argument, "unknown", {"rows": 0}, (f"{path}: empty; give a file with one JSON object per line",), exit_code=2)
    facts: dict[str, Fact] = {"rows": seen.rows, "bad rows": seen.n_bad}
    facts |= {what: [f"{name} {n}" for name, n in counts.items()] if len(counts) <= SHOWN_ROWS else len(counts) for what, counts in seen.counts.items()}
    if kind == "questions":
        facts["turns without checks"] = seen.without_checks
    problems = (_NOT_OURS.format(path),) if kind == "unknown" else (f"{path}: {seen.n_bad} of {seen.rows} rows cannot be used",) if seen.n_bad else ()
    return Diagnosis(argument, kind, facts, problems, tuple(seen.bad), seen.n_bad, () if problems else _commands(kind, argument, path, seen), 2 if problems else 0)


_NOT_OURS = "{}: neither questions, answers, judge prompts nor judgments; every line must hold one JSON object with the keys of one of them"


def _parsed(path: Path) -> Iterator[tuple[int, Row | None, str]]:
    """(line, row, what is wrong with it) of every line that is not blank."""
    with path.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            text = raw.removeprefix(BOM) if number == 1 else raw
            if not text.strip():
                continue
            try:
                yield number, Row(number, parse_object(text, "")), ""
            except InputError as error:
                yield number, None, str(error).removeprefix(": ")


def _kind_of(row: Row) -> str | None:
    keys = row.value.keys()
    if "prompt_template" in keys:
        return "judge prompts"
    if "judge" in keys and {"score", "verdict", "failure", "prompt_sha256"} & keys:
        return "judgments"
    if "choices" in keys or ("turns" in keys and {"model", "model_id"} & keys):
        return "answers"
    if "turns" in keys or {"question_id", "category"} <= keys:
        return "questions"
    return None


def _question(row: Row, path: Path, seen: _Seen) -> None:
    question = parse_question(row, path, {})
    seen.once(row.line, str(question.id), f"question_id {question.id}")
    seen.count("categories", question.category)
    seen.count("turns per question", f"{len(question.turns)} turn{'' if len(question.turns) == 1 else 's'}")
    seen.without_checks += sum(not question.turn_checks(turn) for turn in range(1, len(question.turns) + 1))


def _answer(row: Row, path: Path, seen: _Seen) -> None:
    model = model_of(row) or "(no name)"
    answer = parse_answer(row, path, model)
    seen.once(row.line, (model, str(answer.question_id)), f"an answer of {model} to question {answer.question_id}")
    seen.count("models", model)


def _judge_prompt(row: Row, path: Path, seen: _Seen) -> None:
    name, kind = row.value.get("name"), row.value.get("type")
    if not isinstance(name, str) or not isinstance(row.value.get("prompt_template"), str):
        raise InputError('a judge prompt needs "name" and "prompt_template"')
    seen.once(row.line, name, f"the prompt {name!r}")
    seen.count("prompts", name if kind == "single" else f"{name} ({kind})")


def _judgment(row: Row, path: Path, seen: _Seen) -> None:
    judgment = parse_judgment(row, path)
    key = (judgment.judge, judgment.model, str(judgment.question_id), judgment.turn, judgment.sample)
    seen.once(row.line, key, f"the judgment of question {judgment.question_id}, turn {judgment.turn}, of {judgment.model} by {judgment.judge}")
    seen.count("judges", judgment.judge)
    seen.count("models", judgment.model)
    if judgment.failure:
        seen.count("failures", judgment.failure.kind)


def _unknown(row: Row, path: Path, seen: _Seen) -> None:
    raise InputError(f"has the keys {', '.join(sorted(map(str, row.value))[:6]) or 'none'}")


_CHECKS: dict[str, Callable[[Row, Path, _Seen], None]] = {
    "questions": _question, "answers": _answer, "judge prompts": _judge_prompt, "judgments": _judgment, "unknown": _unknown,
}  # fmt: skip


def _commands(kind: str, argument: str, path: Path, seen: _Seen) -> tuple[str, ...]:
    """Command lines that take a file of a kind."""
    if kind == "questions":
        return (f"judgebench run {shlex.quote(argument)} --model SPEC --judge SPEC",)
    if kind == "answers":
        models = list(seen.counts["models"])
        named = [argument] if len(models) == 1 else [f"{argument}#{model}" for model in models[:SHOWN_ROWS]]
        return tuple(f"judgebench run BENCHMARK --model {shlex.quote(f'recorded:{one}')} --judge SPEC" for one in named)
    if kind == "judge prompts":
        single = [name for name in seen.counts["prompts"] if not name.endswith(")")]
        return tuple(f"judgebench run BENCHMARK --judge SPEC --prompt {shlex.quote(f'{argument}#{name}')}" for name in single[:SHOWN_ROWS])
    return (f"judgebench show {shlex.quote(str(path.parent))}",) if (path.parent / "run.json").is_file() else ()


def benchmark_folder(argument: str) -> Diagnosis:
    """Examine a benchmark by folder or shipped name; of a folder's broken questions file, every bad row."""
    folder = Path(argument) if Path(argument).is_dir() else resources.data_folder("benchmarks") / argument
    try:
        found = load_benchmark(argument)
    except InputError as error:
        questions = next((folder / name for name in ("questions.jsonl", "question.jsonl") if (folder / name).is_file()), None)
        rows = _rows(argument, questions) if questions else None
        if rows is not None and rows.problems:
            return Diagnosis(argument, "benchmark", rows.facts, rows.problems, rows.bad_rows, rows.n_bad_rows, exit_code=2)
        return Diagnosis(argument, "benchmark" if questions else "unknown", problems=error.problems, exit_code=2)
    checked = sum(any(question.checks) for question in found.questions())
    bare = sum(not question.turn_checks(turn) for question in found.questions() for turn in range(1, len(question.turns) + 1))
    facts: dict[str, Fact] = {
        "protocol": found.settings.protocol, "questions": len(found), "turns": found.n_turns, "categories": [f"{c} {n}" for c, n in found.category_counts.items()],
        "questions with checks": checked, "turns without checks": bare, "examples": list(found.settings.examples), "sha256": found.sha256,
    }  # fmt: skip
    judge = "" if checked else " --judge SPEC"
    return Diagnosis(argument, "benchmark", facts, commands=(f"judgebench run {shlex.quote(argument)} --model SPEC{judge}",))


def run_folder(argument: str, folder: Path) -> Diagnosis:
    """Examine a run folder: whether it is complete, and whether its files hold what run.json says."""
    if not (folder / "run.json").is_file():
        said = f"{folder}: a run that has not finished (no run.json); run the same command again"
        return Diagnosis(argument, "run", {"complete": False}, (said,), exit_code=2)
    run = read_run(folder)
    complete, counts = run.get("complete") is True, run.get("counts")
    counts = counts if isinstance(counts, dict) else {}
    problems: list[str] = []
    bad: list[BadRow] = []
    judges = [str(judge.get("name")) for judge in run["judges"] if isinstance(judge, dict)]
    facts: dict[str, Fact] = {"benchmark": str(run["benchmark"].get("name")), "complete": complete, "stopped": run.get("stopped"), "judges": list(judges)}
    for name, expected in (("questions", None), ("answers", counts.get("answers")), ("judgments", counts.get("judgments"))):
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            problems.append(f"{path}: missing; run the same command again to write it anew")
            continue
        rows = _rows(argument, path) if path.stat().st_size else None
        facts[name] = 0 if rows is None else rows.facts["rows"]
        if rows is not None and rows.n_bad_rows:
            problems.append(rows.problems[0])
            bad += [BadRow(row.line, f"{name}.jsonl: {row.problem}") for row in rows.bad_rows]
        elif expected is not None and facts[name] != expected:
            problems.append(f"{path}: holds {facts[name]} rows, and run.json says {expected}; run the same command again to write it anew")
    facts["files"] = [name for name in RUN_FILES if (folder / name).is_file()]
    commands = () if problems else (f"judgebench show {shlex.quote(str(folder))}",)
    return Diagnosis(argument, "run", facts, tuple(problems), tuple(bad[:SHOWN_ROWS]), len(bad), commands, 2 if problems else 0)
