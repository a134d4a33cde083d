"""Benchmarks: a shipped one by name, a folder, or a bare questions file, read into records. Questions are streamed."""

from __future__ import annotations

import hashlib
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from judgebench import resources
from judgebench.complaints import near, nearest, quoted, shown
from judgebench.errors import InputError
from judgebench.formats.answers import parse_answer
from judgebench.formats.jsonl import dump, read_rows
from judgebench.formats.questions import parse_question, read_questions
from judgebench.store import read_run
from judgebench.types import Question, Sampling

PROTOCOLS = ("single",)
DEFAULTS = "mtbench"  # the benchmark whose sampling and prompts a bare questions file gets


@dataclass(frozen=True)
class Settings:
    """What a benchmark.toml says beside the questions.

    Attributes:
        protocol: how the benchmark is judged unless told otherwise. prompt: the judge prompt's name.
        temperature, max_tokens: of the answers; `category_temperature` wins over `temperature`.
        reference_categories: categories whose turns are judged against a reference.
        examples: recorded example models, by name, as FILE or FILE#MODEL.
    """

    protocol: str = "single"
    prompt: str = "single"
    description: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    category_temperature: Mapping[str, float] = field(default_factory=dict)
    reference_categories: frozenset[str] = frozenset()
    examples: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its questions, read from their file each time they are asked for, and its settings.

    Attributes:
        name, path: what it is and the questions file. sha256: of questions, settings and references.
        category_counts: questions per category after `limit` and `category`; `n_turns` counts their turns.
    """

    name: str
    path: Path
    settings: Settings
    sha256: str
    category_counts: Mapping[str, int]
    n_turns: int
    references: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return sum(self.category_counts.values())

    def questions(self) -> Iterator[Question]:
        """The questions, in the order of the file: the first of each category, as many as `category_counts` says."""
        left = dict(self.category_counts)
        for question in read_questions(self.path, self.references):
            if left.get(question.category, 0) > 0:
                left[question.category] -= 1
                yield question

    def sampling(self, question: Question) -> Sampling:
        """The sampling parameters of an answer to a question."""
        settings = self.settings
        temperature = question.temperature if question.temperature is not None else settings.category_temperature.get(question.category, settings.temperature)
        return Sampling(temperature=temperature, max_tokens=settings.max_tokens)

    def needs_reference(self, question: Question, turn: int) -> bool:
        """Whether a turn is judged against a reference: its category asks for it and the reference is there."""
        return question.category in self.settings.reference_categories and question.reference(turn) is not None


def load_benchmark(name: str | Path) -> Benchmark:
    """A benchmark by name, folder or questions file, with every line of it checked.

    Raises:
        InputError: nothing by that name (with the nearest one), or the first thing that is wrong in its files.
    """
    text = str(name)
    shipped = text in resources.names("benchmarks")
    path = resources.data_folder("benchmarks") / text if shipped else Path(text)
    if _is_file(path):
        return _scanned(path.stem, path, _default_settings(), _sibling_references(path))
    file = _question_file(path)
    if file is None:
        raise InputError(_unknown(text, path))
    if _is_file(path / "run.json"):
        return _of_run(path, file)
    settings = _settings(path) if (path / "benchmark.toml").is_file() else _default_settings()
    return _scanned(path.resolve().name, file, settings, _sibling_references(file))


def _of_run(folder: Path, file: Path) -> Benchmark:
    """The questions and settings of a finished run, with its recorded answers as the examples: they are judged again, and
    nothing is generated."""
    info = read_run(folder)
    answers = {str(model.get("name")): f"{folder / 'answers.jsonl'}#{model.get('name')}" for model in info.get("models", [])}
    try:
        settings = _parsed_settings(_table(info["benchmark"], "settings"), folder)
    except ValueError as error:
        raise InputError(f"{folder / 'run.json'}: {error}") from error
    return _scanned(str(info["benchmark"].get("name")), file, replace(settings, examples=answers), {})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for the file system
        return False


def _default_settings() -> Settings:
    return _settings(resources.data_folder("benchmarks") / DEFAULTS, bare=True)


def _unknown(text: str, path: Path) -> str:
    text = shown(text, 80)
    if len(text) <= 80 and path.is_dir():
        return f"{text}: this folder holds neither questions.jsonl nor question.jsonl; a benchmark folder needs one"
    known = resources.names("benchmarks")
    if "/" in text or path.suffix:
        return f"{text}: no such file; give a questions file, a benchmark folder or one of: {', '.join(known)}"
    return f"unknown benchmark {text!r}, and no questions file of that name{nearest(text, known)}"


def _question_file(folder: Path) -> Path | None:
    return next((folder / name for name in ("questions.jsonl", "question.jsonl") if _is_file(folder / name)), None)


def _scanned(name: str, path: Path, settings: Settings, references: Mapping[str, tuple[str | None, ...]]) -> Benchmark:
    """Read every question once: to find what is wrong before anything is paid for, and to count."""
    try:
        return _read_through(name, path, settings, references)
    except InputError as error:
        if str(error).startswith(f"{path} line "):
            raise InputError(f"{error} (every such line: judgebench doctor {shlex.quote(str(path))})") from error
        raise


def _read_through(name: str, path: Path, settings: Settings, references: Mapping[str, tuple[str | None, ...]]) -> Benchmark:
    digest, seen, counts, turns = hashlib.sha256(), dict[str, int](), Counter[str](), 0
    for row in read_rows(path):
        question = parse_question(row, path, references)
        digest.update(f"{question.line}\n".encode())
        key = str(question.id)
        if key in seen:
            raise InputError(f"{path} line {row.line}: question_id {shown(key)} stands on line {seen[key]} already; every question needs its own")
        seen[key] = row.line
        counts[question.category] += 1
        turns += len(question.turns)
    if not seen:
        raise InputError(f'{path}: no question in it; every line must look like {{"question_id": 1, "category": "writing", "turns": ["..."]}}')
    return Benchmark(name, path, settings, _sealed(digest, settings), dict(counts), turns, references)


def _sealed(questions: hashlib._Hash, settings: Settings) -> str:
    """The benchmark's hash: of its questions as they stand in a run folder, references included, and of its settings. So the
    questions of a run have the hash of the benchmark that they are."""
    questions.update(dump(settings_document(settings)).encode())
    return questions.hexdigest()


def narrowed(benchmark: Benchmark, *, categories: tuple[str, ...] = (), limit: int | None = None) -> Benchmark:
    """The benchmark with only some categories, and at most `limit` questions, taken in turn from every category.

    Raises:
        InputError: a category that the benchmark does not have.
    """
    categories = tuple(_category(category, benchmark) for category in categories)
    if not categories and limit is None:
        return benchmark
    counts = {c: n for c, n in benchmark.category_counts.items() if not categories or c in categories}
    if limit is not None:
        counts = _shared_out(counts, limit)
    kept = replace(benchmark, category_counts=counts)
    digest, turns = hashlib.sha256(), 0
    for question in kept.questions():
        digest.update(f"{question.line}\n".encode())
        turns += len(question.turns)
    return replace(kept, n_turns=turns, sha256=_sealed(digest, kept.settings))


def _category(asked: str, benchmark: Benchmark) -> str:
    """The category that is meant: as it is written, else the only one that is the same without case. Raises InputError."""
    there = list(benchmark.category_counts)
    alike = [asked] if asked in there else [name for name in there if name.casefold() == asked.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    parts = [part.strip().casefold() for part in asked.split(",")]
    meant = alike or [name for name in (near(asked, there),) if name]
    hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    if len(parts) > 1 and all(part in (name.casefold() for name in there) for part in parts):
        hint = f"; repeat --category for several: {' '.join(f'--category {part}' for part in parts)}"
    raise InputError(f"--category {asked[:80]}: {benchmark.name} has {', '.join(there)}{hint}")


def _shared_out(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """`limit` places dealt out one at a time to the categories that still have questions."""
    dealt = dict.fromkeys(counts, 0)
    while limit > 0 and (open_ := [c for c in counts if dealt[c] < counts[c]]):
        for category in open_[:limit]:
            dealt[category] += 1
        limit -= len(open_[:limit])
    return {c: n for c, n in dealt.items() if n}


def _sibling_references(questions: Path) -> dict[str, tuple[str | None, ...]]:
    """FastChat's reference_answer/JUDGE.jsonl beside a question file."""
    folder = questions.parent / "reference_answer"
    files = sorted(folder.glob("*.jsonl"))
    if len(files) > 1:
        raise InputError(f"{folder}: holds {len(files)} reference files ({', '.join(f.name for f in files[:4])}); keep the one to grade against")
    return {str(a.question_id): tuple(t if t.strip() else None for t in a.turns) for file in files for row in read_rows(file) for a in [parse_answer(row, file, "")]}


def _settings(folder: Path, *, bare: bool = False) -> Settings:
    """What a folder's benchmark.toml says; `bare` leaves out what belongs to that folder alone (examples, description)."""
    path = folder / "benchmark.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    try:
        settings = _parsed_settings(raw, folder)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(settings, description="", examples={}) if bare else settings


def _parsed_settings(raw: Mapping[str, Any], folder: Path) -> Settings:
    """Settings from a benchmark.toml, or from what run.json keeps of one. Raises ValueError."""
    _known(raw, ("name", "protocol", "prompt", "description", "sampling", "reference_categories", "examples"))
    sampling = _table(raw, "sampling")
    _known(sampling, ("temperature", "max_tokens", "category_temperature"))
    by_category, examples = _table(sampling, "category_temperature"), _table(raw, "examples")
    protocol = _text(raw, "protocol", PROTOCOLS[0])
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {protocol[:60]!r}")
    return Settings(
        protocol=protocol, prompt=_text(raw, "prompt", "single"), description=_text(raw, "description", ""),
        temperature=_temperature(sampling, "temperature"), max_tokens=_max_tokens(sampling),
        category_temperature={k: t for k in by_category if (t := _temperature(by_category, k)) is not None},
        reference_categories=_categories(raw), examples={k: str(folder / _text(examples, k)) for k in examples},
    )  # fmt: skip


def settings_document(settings: Settings) -> dict[str, Any]:
    """Settings as run.json keeps them, in the form of a benchmark.toml."""
    sampling = {"temperature": settings.temperature, "max_tokens": settings.max_tokens, "category_temperature": dict(sorted(settings.category_temperature.items()))}
    return {"protocol": settings.protocol, "prompt": settings.prompt, "sampling": sampling, "reference_categories": sorted(settings.reference_categories)}


def _known(raw: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in raw:
        if key not in keys:
            raise ValueError(f"unknown key {quoted(key)}{nearest(key, keys)}")


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be a table")
    return value


def _text(raw: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text, not {str(value)[:60]}")
    return value


def _temperature(raw: Mapping[str, Any], key: str) -> float | None:
    value = raw.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 2):
        raise ValueError(f"{key} must be a number from 0 to 2, not {str(value)[:60]}")
    return None if value is None else float(value)


def _max_tokens(raw: Mapping[str, Any]) -> int | None:
    value = raw.get("max_tokens")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"max_tokens must be a whole number from 1, not {str(value)[:60]}")
    return None if value is None else int(value)


def _categories(raw: Mapping[str, Any]) -> frozenset[str]:
    value = raw.get("reference_categories", [])
    if not isinstance(value, list) or not all(isinstance(c, str) for c in value):
        raise ValueError("reference_categories must be a list of texts")
    return frozenset(value)
