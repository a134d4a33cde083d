"""Judge prompts: data files rendered into messages. Answers are data, never template text.

A prompt is a TOML file (see `prompts/README.md`) or one row of FastChat's judge_prompts.jsonl. Up to four prompts form a
set: with and without a reference, for the first turn and for a later one with the whole conversation.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import string
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench import resources
from judgebench.errors import InputError
from judgebench.formats.jsonl import cleaned, dump, read_rows, sha256_text
from judgebench.types import Answer, Message, Question

VERDICTS = ("rating",)


@dataclass(frozen=True)
class Prompt:
    """One judge prompt.

    Attributes:
        name, version: for people. verdict: the format of the verdict, which names its parser. scale: lowest and highest score.
        reask: what is said when no verdict was found. sha256: of everything above and both templates.
        render: (question, answer, turn) -> system and user text.
    """

    name: str
    version: str
    verdict: str
    scale: tuple[float, float]
    reask: str
    sha256: str
    render: Callable[[Question, Answer, int], tuple[str, str]]

    def messages(self, question: Question, answer: Answer, turn: int) -> tuple[Message, ...]:
        """The messages that ask the judge about one turn of one answer."""
        system, user = self.render(question, answer, turn)
        return (Message("system", system), Message("user", user)) if system else (Message("user", user),)


@dataclass(frozen=True)
class PromptSet:
    """The prompts of one protocol, chosen by whether a reference is used and whether the turn is a later one."""

    name: str
    base: Prompt
    reference: Prompt
    later: Prompt
    later_reference: Prompt

    def choose(self, *, reference: bool, turn: int) -> Prompt:
        """The prompt for a turn (1-based)."""
        if turn > 1:
            return self.later_reference if reference else self.later
        return self.reference if reference else self.base

    @property
    def sha256(self) -> str:
        """Of the whole set."""
        return sha256_text("".join(p.sha256 for p in (self.base, self.reference, self.later, self.later_reference)))


def load_prompts(spec: str) -> PromptSet:
    """A prompt set from NAME (shipped), FILE.toml, or FILE.jsonl#NAME (FastChat).

    Raises:
        InputError: no such prompt (with the nearest name), or what is wrong in its file.
    """
    file, _, name = spec.partition("#")
    if file.endswith(".jsonl"):
        return _fastchat_set(Path(file), name)
    if file.endswith(".toml"):
        return _toml_set(Path(file))
    path = resources.data_folder("prompts") / f"{spec}.toml"
    if not spec or "/" in spec or not path.is_file():
        known = [n for n in resources.names("prompts", ".toml") if not n.endswith(("-reference", "-later"))]
        near = difflib.get_close_matches(spec, known, n=1)
        raise InputError(f"unknown prompt {spec!r}: " + (f"did you mean {near[0]!r}? " if near else "") + f"known are {', '.join(known)}, or give FILE.toml or FILE.jsonl#NAME")
    return _toml_set(path)


def _toml_set(path: Path) -> PromptSet:
    """NAME.toml with its NAME-reference, NAME-later and NAME-reference-later beside it; one that is absent is stood in for
    by the nearest that is there."""

    def variant(suffix: str, otherwise: Prompt) -> Prompt:
        beside = path.with_name(f"{path.stem}{suffix}.toml")
        return _toml_prompt(beside) if beside.is_file() else otherwise

    base = _toml_prompt(path)
    reference, later = variant("-reference", base), variant("-later", base)
    return PromptSet(base.name, base, reference, later, variant("-reference-later", reference if later is base else later))


_KEYS = {"name", "version", "protocol", "verdict", "scale", "needs_reference", "system", "user", "reask", "description"}


def _toml_prompt(path: Path) -> Prompt:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from error
    if unknown := sorted(set(raw) - _KEYS):
        near = difflib.get_close_matches(unknown[0], _KEYS, n=1)
        raise InputError(f"{path}: unknown key {unknown[0]!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(_KEYS))}"))
    if not isinstance(raw.get("user"), str):
        raise InputError(f'{path}: "user" is missing; it is the template of what the judge reads')
    verdict, scale = raw.get("verdict", "rating"), raw.get("scale", [1, 10])
    if verdict not in VERDICTS:
        raise InputError(f"{path}: unknown verdict format {verdict!r}; known are {', '.join(VERDICTS)}")
    if not (isinstance(scale, list) and len(scale) == 2 and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in scale) and scale[0] < scale[1]):
        raise InputError(f'{path}: "scale" must be [lowest, highest]')
    system, user, reask = str(raw.get("system", "")), raw["user"], str(raw.get("reask", _REASK))
    name, version = str(raw.get("name", path.stem)), str(raw.get("version", "1"))
    render = _jinja_renderer(system, user, path)
    digest = sha256_text(dump([name, version, verdict, scale, system, user, reask]))
    return Prompt(name, version, verdict, (float(scale[0]), float(scale[1])), reask, digest, render)


_REASK = "Your reply held no rating that could be read. Give the rating alone now, in exactly this form: Rating: [[5]]"


def _jinja_renderer(system: str, user: str, path: Path) -> Callable[[Question, Answer, int], tuple[str, str]]:
    """Both templates compiled in a sandbox in which an unknown name is an error."""
    import jinja2  # imported here: `judgebench --help` does without it
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False)
    try:
        templates = environment.from_string(system), environment.from_string(user)
    except jinja2.TemplateError as error:
        raise InputError(f"{path}: the template does not compile ({error})") from error

    def render(question: Question, answer: Answer, turn: int) -> tuple[str, str]:
        fields = template_fields(question, answer, turn)
        try:
            return templates[0].render(fields), templates[1].render(fields)
        except jinja2.TemplateError as error:
            raise InputError(f"{path}: the template cannot be rendered ({error}); it may use {', '.join(fields)}") from error

    probe = Question("probe", "probe", ("q1", "q2"), ("r1", "r2"))
    render(probe, Answer("probe", "probe", ("a1", "a2")), 1)
    return render


def template_fields(question: Question, answer: Answer, turn: int) -> dict[str, Any]:
    """What a template may use.

    `question`, `answer`, `reference` of the judged turn; `turns`, the conversation up to it, each with `number`,
    `question`, `answer`, `reference`; `turn`, `category`; and `fence`, a mark that stands in none of the texts: a template
    puts it into its delimiters, so that no answer can close them.
    """
    turns = [
        {"number": i, "question": question.turns[i - 1], "answer": cleaned(answer.turns[i - 1]), "reference": question.reference(i)} for i in range(1, turn + 1)
    ]  # fmt: skip
    return {**turns[-1], "turns": turns, "turn": turn, "category": question.category, "fence": fence([str(v) for t in turns for v in t.values()])}


def fence(texts: Sequence[str]) -> str:
    """A short mark that stands in none of the texts, the same for the same texts."""
    joined = "\x00".join(texts)
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    for start in range(0, 56):
        if (mark := digest[start : start + 8]) not in joined:
            return mark
    return fence([*texts, digest])


@functools.lru_cache(maxsize=8)
def _fastchat_rows(path: Path) -> Mapping[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    for row in read_rows(path):
        if not isinstance(row.value.get("name"), str) or not isinstance(row.value.get("prompt_template"), str):
            raise InputError(f'{path} line {row.line}: a judge prompt needs "name" and "prompt_template"')
        rows[row.value["name"]] = row.value
    return rows


def _fastchat_set(path: Path, name: str) -> PromptSet:
    rows = _fastchat_rows(path)
    singles = [n for n, row in rows.items() if row.get("type") == "single" and "math" not in n and not n.endswith("-multi-turn")]
    if not name and len(singles) == 1:
        name = singles[0]
    if name not in rows:
        raise InputError(f"{path}: no prompt {name!r} in it; name one: --prompt {path}#NAME with NAME of {', '.join(rows)}")
    if rows[name].get("type") != "single":
        raise InputError(f"{path}#{name}: a prompt of type {rows[name].get('type')!r}; single-answer grading needs one of type 'single'")
    stem = name.removesuffix("-multi-turn")
    math = stem.replace("-v1", "-math-v1") if "math" not in stem else stem

    def variant(wanted: str, otherwise: Prompt) -> Prompt:
        return _fastchat_prompt(rows[wanted], path) if wanted in rows else otherwise

    base = _fastchat_prompt(rows[stem] if stem in rows else rows[name], path)
    reference = variant(math, base)
    later = variant(f"{stem}-multi-turn", base)
    return PromptSet(name, base, reference, later, variant(f"{math}-multi-turn", later if reference is base else reference))


def _fastchat_prompt(row: Mapping[str, Any], path: Path) -> Prompt:
    system, user = str(row.get("system_prompt", "")), str(row["prompt_template"])
    allowed = set(_fastchat_fields(Question("x", "x", ("q", "q"), ("r", "r")), Answer("x", "x", ("a", "a")), 2))
    try:
        used = {field for _, field, _, _ in string.Formatter().parse(user) if field is not None}
    except ValueError as error:
        raise InputError(f"{path}#{row['name']}: the template cannot be read ({error})") from error
    if unknown := sorted(used - allowed):
        raise InputError(f"{path}#{row['name']}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(sorted(allowed))}")

    def render(question: Question, answer: Answer, turn: int) -> tuple[str, str]:
        return system, user.format(**_fastchat_fields(question, answer, turn))

    digest = sha256_text(dump([row["name"], system, user]))
    return Prompt(str(row["name"]), "fastchat", "rating", (1.0, 10.0), _REASK, digest, render)


def _fastchat_fields(question: Question, answer: Answer, turn: int) -> dict[str, str]:
    """FastChat's placeholders: one pass of str.format, so braces in an answer are only text."""
    fields = {"question": question.turns[turn - 1], "answer": cleaned(answer.turns[turn - 1])}
    for i in range(1, max(2, turn) + 1):
        fields[f"question_{i}"] = question.turns[i - 1] if i <= len(question.turns) else ""
        fields[f"answer_{i}"] = cleaned(answer.turns[i - 1]) if i <= len(answer.turns) else ""
        fields[f"ref_answer_{i}"] = question.reference(i) or ""
    return fields


def describe(name: str) -> str:
    """What a shipped prompt is for, with its version and hash, for `list prompts`."""
    path = resources.data_folder("prompts") / f"{name}.toml"
    prompt = _toml_prompt(path)
    about = tomllib.loads(path.read_text(encoding="utf-8")).get("description", "")
    return f"{about} (version {prompt.version}, verdict {prompt.verdict}, sha256 {prompt.sha256[:12]})"
