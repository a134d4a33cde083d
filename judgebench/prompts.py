"""Judge prompts: data files rendered into messages. Answers are data, never template text.

A prompt is a TOML file (see `prompts/README.md`) or one row of FastChat's judge_prompts.jsonl. Up to four prompts form a
set: with and without a reference, for the first turn and for a later one with the whole conversation.
"""

from __future__ import annotations

import hashlib
import math
import re
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench import resources
from judgebench.complaints import near, nearest, quoted, shown
from judgebench.errors import InputError
from judgebench.formats.jsonl import cleaned, dump, read_rows, sha256_text, whole
from judgebench.types import Answer, Message, Question
from judgebench.verdicts import PARSERS


@dataclass(frozen=True)
class Prompt:
    """One judge prompt.

    Attributes:
        name, version: for people. verdict: the format of the verdict, which names its parser. scale: lowest and highest score.
        reask: what is said when no verdict was found. sha256: of everything above and both templates.
        render: (question, answer, turn) -> system and user text.
        needs_reference: it shows the judged turn's reference, which must be there. only_turn: the one turn that it can show,
            None for any.
    """

    name: str
    version: str
    verdict: str
    scale: tuple[float, float]
    reask: str
    sha256: str
    render: Callable[[Question, Answer, int], tuple[str, str]]
    needs_reference: bool = False
    only_turn: int | None = None

    def problem(self, question: Question, turn: int) -> str | None:
        """Why a question's turn (1-based) cannot be put to the judge with this prompt, None when it can."""
        if self.only_turn not in (None, turn):
            return f"prompt {self.name!r} shows turn {self.only_turn} only, and question {shown(question.id)} has a turn {turn}; use --prompt single"
        if self.needs_reference and question.reference(turn) is None:
            return f"prompt {self.name!r} needs a reference, and question {shown(question.id)} has none for turn {turn}"
        return None

    def messages(self, question: Question, answer: Answer, turn: int) -> tuple[Message, ...]:
        """The messages that ask the judge about one turn of one answer. Raises InputError where `problem` tells of one."""
        if (problem := self.problem(question, turn)) is not None:
            raise InputError(problem)
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
    def all(self) -> tuple[Prompt, ...]:
        """The four prompts; one may stand in several places."""
        return (self.base, self.reference, self.later, self.later_reference)

    @property
    def sha256(self) -> str:
        """Of the whole set."""
        return sha256_text("".join(p.sha256 for p in self.all))

    def problem(self, questions: Iterable[Question], needs_reference: Callable[[Question, int], bool]) -> str | None:
        """The first problem that a judge with these prompts would have with a question, None when there is none."""
        if not any(p.needs_reference or p.only_turn for p in (self.base, self.later)) and not any(p.only_turn for p in self.all):
            return None  # nothing to go wrong: reference prompts are chosen only where a reference is
        asked = ((q, t, self.choose(reference=needs_reference(q, t), turn=t)) for q in questions for t in range(1, len(q.turns) + 1))
        return next((problem for q, t, prompt in asked if (problem := prompt.problem(q, t)) is not None), None)


def load_prompts(spec: str) -> PromptSet:
    """A prompt set from NAME (shipped), FILE.toml, or FILE.jsonl#NAME (FastChat).

    Raises:
        InputError: no such prompt (with the nearest name), or what is wrong in its file.
    """
    if "\x00" in spec:
        raise InputError(f"prompt {spec[:60]!r}: no file's name holds a NUL character; remove it")
    file, mark, name = spec.partition("#")
    if file.endswith(".jsonl"):
        return _fastchat_set(Path(file), name)
    if file.endswith(".toml"):
        if mark:
            raise InputError(f"{file}: a TOML file holds one prompt; leave out #{name[:40]}")
        return _toml_set(Path(file))
    known = resources.names("prompts", ".toml")
    if spec in known:
        return _toml_set(resources.data_folder("prompts") / f"{spec}.toml")
    meant = near(spec, known)
    hint = f"did you mean {meant!r}? " if meant else ""
    raise InputError(f"unknown prompt {quoted(spec)}, and neither FILE.toml nor FILE.jsonl#NAME; {hint}known are {', '.join(known)}")


def _toml_set(path: Path) -> PromptSet:
    """NAME.toml with its NAME-reference, NAME-later and NAME-reference-later beside it; one that is absent is stood in for
    by the nearest that is there."""

    def beside(suffix: str) -> Path | None:
        found = path.with_name(f"{path.stem}{suffix}.toml")
        return found if found.is_file() else None

    with_later, with_both, with_reference = beside("-later"), beside("-reference-later"), beside("-reference")
    base = _toml_prompt(path, 1)
    later = _toml_prompt(with_later, 2) if with_later else base
    reference = _toml_prompt(with_reference, 1, reference=True) if with_reference else base
    both = _toml_prompt(with_both, 2, reference=True) if with_both else reference if later is base else later
    prompts = PromptSet(base.name, base, reference, later, both)
    if len({(p.verdict, p.scale) for p in prompts.all}) > 1:
        raise InputError(f"{path}: this prompt and those beside it ({path.stem}-...) differ in verdict or scale; one set has one of each")
    return prompts


_DEFAULTS: dict[str, Any] = {
    "name": "", "version": "1", "protocol": "single", "verdict": "rating", "scale": [1, 10], "needs_reference": False, "system": "", "user": "",
    "reask": "", "description": "",
}  # fmt: skip
# No number in the brackets: an example there would draw the ratings to itself, and lie outside some scales.
_REASK = "Your reply held no rating that could be read. Give the rating alone now, in the form Rating: [[N]] with N a number from {:g} to {:g}."
_ONE_OF = {"protocol": ("single",), "verdict": tuple(PARSERS)}


def _toml_fields(path: Path) -> dict[str, Any]:
    """Every field of a prompt file, those that it leaves out with their defaults. Raises InputError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML ({_line(error)})") from error
    for key, value in raw.items():
        if key not in _DEFAULTS:
            raise InputError(f"{path}: unknown key {quoted(key)}{nearest(key, _DEFAULTS)}")
        if not isinstance(value, type(_DEFAULTS[key])):
            raise InputError(f'{path}: "{key}" must be {({str: "a text", bool: "true or false", list: "[lowest, highest]"})[type(_DEFAULTS[key])]}')
        if key in _ONE_OF and value not in _ONE_OF[key]:
            raise InputError(f"{path}: unknown {key} {quoted(value)}{nearest(value, _ONE_OF[key])}")
    if not raw.get("user", "").strip():
        raise InputError(f'{path}: "user" is missing; it is the template of what the judge reads')
    return {**_DEFAULTS, "name": path.stem, **raw}


def _toml_prompt(path: Path, turn: int, *, reference: bool = False) -> Prompt:
    """A prompt file, tried out on made-up turns from `turn` on. `reference`: it is only chosen where there is one.

    A template that fits the first of these turns only (it names `turns[1]`, say) is kept to that turn.
    """
    raw = _toml_fields(path)
    scale = raw["scale"]
    if not (len(scale) == 2 and all(isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) for x in scale) and scale[0] < scale[1]):
        raise InputError(f'{path}: "scale" must be [lowest, highest]')
    if scale[0] < 0:
        raise InputError(f'{path}: "scale" starts at {scale[0]:g}, and a rating has no sign; let it start at 0 or above')
    needs_reference = raw["needs_reference"] or reference
    render = _jinja_renderer(raw["system"], raw["user"], path)
    _try_out(render, path, turn, needs_reference=needs_reference)
    try:
        _try_out(render, path, turn + 1, needs_reference=needs_reference)
        only_turn = None
    except InputError:
        only_turn = turn
    reask = raw["reask"] or _REASK.format(*scale)
    digest = sha256_text(dump([raw["name"], raw["version"], raw["verdict"], scale, raw["system"], raw["user"], reask]))
    return Prompt(raw["name"], raw["version"], raw["verdict"], (float(scale[0]), float(scale[1])), reask, digest, render, needs_reference, only_turn)


def _try_out(render: Callable[[Question, Answer, int], tuple[str, str]], path: Path, turn: int, *, needs_reference: bool) -> None:
    """Render made-up turns, of which only the judged one has a reference, and that only where it must: what a template
    takes for granted is found before anything is paid for."""
    references = tuple("a reference" if needs_reference and i == turn else None for i in range(1, turn + 1))
    question = Question("trial", "trial", tuple(f"question {i}" for i in range(1, turn + 1)), references)
    answer = Answer("trial", "trial", tuple(f"the answer tried out {i}" for i in range(1, turn + 1)))
    if answer.turns[-1] not in "".join(render(question, answer, turn)):
        raise InputError(f"{path}: the template does not show the judge the answer; put {{{{ answer }}}} into it")


# What rendering may raise beside Jinja's own errors when a template asks for the impossible ("{{ question + 1 }}").
_RENDERING = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _jinja_renderer(system: str, user: str, path: Path) -> Callable[[Question, Answer, int], tuple[str, str]]:
    """Both templates compiled in a sandbox in which an unknown name, or printing what is not there, is an error."""
    import jinja2  # imported here: `judgebench --help` does without it
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def there(value: Any) -> Any:
        if value is None:
            raise jinja2.UndefinedError("it prints a reference that may be missing; set needs_reference = true, or test it: {% if reference is not none %}")
        return value

    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, finalize=there, autoescape=False)
    try:
        templates = environment.from_string(system), environment.from_string(user)
        for template in templates:
            template.globals = dict(template.globals)  # from a chain of maps, which rendering would walk through every time
    except (jinja2.TemplateError, *_RENDERING) as error:
        raise InputError(f"{path}: the template does not compile ({_line(error)})") from error

    def render(question: Question, answer: Answer, turn: int) -> tuple[str, str]:
        fields = template_fields(question, answer, turn)
        try:
            return templates[0].render(fields), templates[1].render(fields)
        except (jinja2.TemplateError, *_RENDERING) as error:
            raise InputError(f"{path}: the template cannot be rendered ({_line(error)}); it may use {', '.join(fields)}") from error

    return render


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def template_fields(question: Question, answer: Answer, turn: int) -> dict[str, Any]:
    """What a template may use.

    `question`, `answer`, `reference` of the judged turn; `turns`, the conversation up to it, each with `number`,
    `question`, `answer`, `reference`; `turn`, `category`; and `fence`, a mark that stands in none of the texts: a template
    puts it into its delimiters, so that no answer can close them.
    """
    turns = [
        {"number": i, "question": question.turns[i - 1], "answer": cleaned(answer.turns[i - 1]), "reference": question.reference(i)} for i in range(1, turn + 1)
    ]  # fmt: skip
    return {**turns[-1], "turns": turns, "turn": turn, "category": question.category, "fence": fence([question.category, *(str(v) for t in turns for v in t.values())])}


def fence(texts: Sequence[str]) -> str:
    """A short mark that stands in none of the texts, the same for the same texts."""
    joined = "\x00".join(texts)
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    for start in range(56):
        if (mark := digest[start : start + 8]) not in joined:
            return mark
    return fence([*texts, digest])


def _fastchat_rows(path: Path) -> Mapping[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    for row in read_rows(path):
        where = f"{path} line {row.line}"
        if not isinstance(row.value.get("name"), str) or not isinstance(row.value.get("prompt_template"), str):
            raise InputError(f'{where}: a judge prompt needs "name" and "prompt_template"')
        if not isinstance(row.value.get("system_prompt") or "", str) or not whole(dump(row.value)):
            raise InputError(f'{where}: "system_prompt" is no text, or a text holds half a character (a lone surrogate)')
        if row.value["name"] in rows:
            raise InputError(f"{where}: a second prompt {row.value['name'][:60]!r}; keep one")
        rows[row.value["name"]] = row.value
    return rows


def _fastchat_set(path: Path, name: str) -> PromptSet:
    rows = _fastchat_rows(path)
    singles = [n for n, row in rows.items() if row.get("type") == "single" and "math" not in n and not n.endswith("-multi-turn")]
    if not name and len(singles) == 1:
        name = singles[0]
    if name not in rows:
        what = f"no prompt {quoted(name)} in it{nearest(name, rows)}" if name else f"name one of its prompts: --prompt {path}#NAME with NAME of {', '.join(rows)}"
        raise InputError(f"{path}: {what}")
    if rows[name].get("type") != "single":
        raise InputError(f"{path}#{name}: a prompt of type {str(rows[name].get('type'))[:60]!r}; single-answer grading needs one of type 'single'")
    stem = name.removesuffix("-multi-turn")
    math_ = stem.replace("-v1", "-math-v1") if "math" not in stem else stem

    def variant(wanted: str, otherwise: Prompt) -> Prompt:
        return _fastchat_prompt(rows[wanted], path) if wanted in rows else otherwise

    base = _fastchat_prompt(rows[stem] if stem in rows else rows[name], path)
    reference = variant(math_, base)
    later = variant(f"{stem}-multi-turn", base)
    return PromptSet(name, base, reference, later, variant(f"{math_}-multi-turn", later if reference is base else reference))


def _fastchat_prompt(row: Mapping[str, Any], path: Path) -> Prompt:
    """FastChat's template: one pass of str.format, so that braces in an answer are only text.

    A numbered placeholder (`{question_2}`) says which turn is judged: the prompt shows that turn and no other.
    """
    system, user, where = row.get("system_prompt") or "", row["prompt_template"], f"{path}#{row['name']}"
    try:
        parsed = [(field, bool(spec or conversion)) for _, field, spec, conversion in string.Formatter().parse(user) if field is not None]
    except ValueError as error:
        raise InputError(f"{where}: the template cannot be read ({error})") from error
    for field, formatted in parsed:
        if formatted or not re.fullmatch(r"question|answer|(?:question|answer|ref_answer)_[1-9]\d?", field):
            raise InputError(f"{where}: unknown placeholder {{{field[:60]}}}; known are question, answer, and question_N, answer_N, ref_answer_N for turn N")
    used = {field for field, _ in parsed}
    if not any(field.startswith("answer") for field in used):
        raise InputError(f"{where}: the template does not show the judge the answer; put {{answer}} into it")
    last = max((int(field.rpartition("_")[2]) for field in used if field[-1].isdigit()), default=None)

    def render(question: Question, answer: Answer, turn: int) -> tuple[str, str]:
        return system, user.format(**_fastchat_fields(question, answer, turn))

    reask = _REASK.format(1, 10)
    digest = sha256_text(dump([row["name"], system, user, reask]))
    return Prompt(
        row["name"], "fastchat", "rating", (1.0, 10.0), reask, digest, render,
        needs_reference=any(field.startswith("ref_") for field in used), only_turn=last,
    )  # fmt: skip


def _fastchat_fields(question: Question, answer: Answer, turn: int) -> dict[str, str]:
    fields = {"question": question.turns[turn - 1], "answer": cleaned(answer.turns[turn - 1])}
    for i in range(1, turn + 1):
        fields |= {f"question_{i}": question.turns[i - 1], f"answer_{i}": cleaned(answer.turns[i - 1]), f"ref_answer_{i}": question.reference(i) or ""}
    return fields


def describe(name: str) -> str:
    """What a shipped prompt is for, with its version and hash, for `list prompts`."""
    path = resources.data_folder("prompts") / f"{name}.toml"
    prompt = _toml_prompt(path, 2 if "later" in name else 1)
    return f"{_toml_fields(path)['description']} (version {prompt.version}, verdict {prompt.verdict}, sha256 {prompt.sha256[:12]})"
