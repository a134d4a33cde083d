"""docs/checks.md describes every kind with all its fields, and its examples are valid."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from judgebench.checks import KINDS, Check, parse_check
from judgebench.checks.structure import _SYNTAX
from judgebench.checks.text_parts import PARTS, UNITS
from judgebench.formats.jsonl import Row
from judgebench.formats.questions import parse_question

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", PAGE, re.S | re.M))
SHARED = {field.name for field in dataclasses.fields(Check)}


def test_every_kind_has_its_section_and_no_other_has() -> None:
    assert list(SECTIONS) == list(dict.fromkeys(SECTIONS))
    assert set(SECTIONS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_names_every_field_and_its_example_is_a_check_of_that_kind(kind: str) -> None:
    examples = re.findall(r"^```json\n(.*?)\n```$", SECTIONS[kind], re.S | re.M)
    assert len(examples) == 1
    assert isinstance(parse_check(json.loads(examples[0])), KINDS[kind])
    fields = {field.name.rstrip("_") for field in dataclasses.fields(KINDS[kind])} - SHARED
    general = {"min", "max", "exactly"}  # explained once, above the kinds
    assert not {name for name in fields - general if not re.search(rf'[`"]{name}[`"]', SECTIONS[kind])}


def test_every_part_unit_and_word_of_syntax_is_named() -> None:
    head = PAGE.split("## Kinds")[0]
    assert not {name for name in (*PARTS, *UNITS, *SHARED) if f"`{name}`" not in head}
    assert not {word for word in _SYNTAX.values() if f"`{word}`" not in SECTIONS["python"]}


def test_the_example_of_a_question_is_one() -> None:
    line = re.search(r'^\{"question_id".*\}$', PAGE, re.M)
    assert line
    question = parse_question(Row(1, json.loads(line[0])), Path("x"), {})
    assert question.turn_checks(1)[0].passes("Six sevens.\nAnswer: 42")
