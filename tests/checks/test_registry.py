"""Mistakes of a benchmark's author are named, with the nearest right word, and no check can be written that always holds."""

from typing import Any

import pytest

from judgebench.checks import KINDS, parse_check

DEEP: dict[str, Any] = {"kind": "exact", "values": ["x"]}
for _ in range(400):
    DEEP = {"kind": "any_of", "checks": [DEEP]}

WRONG: list[tuple[object, str]] = [
    ("count", "a check is a JSON object, not 'count'"),
    (None, "a check is a JSON object, not None"),
    ([1], "a check is a JSON object, not a list"),
    ({}, 'a check needs a "kind"'),
    ({"kind": 3}, "unknown kind of check 3; known are exact, number"),
    ({"kind": "contain"}, "unknown kind of check 'contain'; did you mean 'contains'?"),
    ({"kind": ["exact"]}, "unknown kind of check a list"),
    ({"kind": "x" * 5000}, "unknown kind of check"),
    ({"kind": "count", "unit": "words", "maxx": 3}, "check 'count' has no field 'maxx'; did you mean 'max'?"),
    ({"kind": "count", "max": 3}, "check 'count' lacks unit"),
    ({"kind": "count", "unit": "word", "max": 3}, "count.unit is one of words, sentences"),
    ({"kind": "count", "unit": "word", "max": 3}, "did you mean 'words'?"),
    ({"kind": "count", "unit": "words", "max": "3"}, "count.max takes a whole number from 0, not '3'"),
    ({"kind": "count", "unit": "words", "max": -1}, "count.max takes a whole number from 0, not -1"),
    ({"kind": "count", "unit": "words", "max": True}, "count.max takes a whole number from 0, not True"),
    ({"kind": "count", "unit": "words", "max": 2.5}, "count.max takes a whole number from 0, not 2.5"),
    ({"kind": "count", "unit": "words"}, 'check \'count\': it needs "exactly", "min" or "max"'),
    ({"kind": "count", "unit": "words", "min": 0}, 'it needs "exactly", "min" or "max"'),
    ({"kind": "count", "unit": "words", "min": 5, "max": 3}, "no number is at least min 5 and at most max 3"),
    ({"kind": "count", "unit": "words", "min": 5, "exactly": 5}, 'either "exactly" or "min" and "max"'),
    ({"kind": "each_count", "of": "characters", "unit": "words", "max": 1}, "each_count.of is one of words"),
    ({"kind": "each", "unit": "characters", "pattern": "x"}, "each.unit is one of words"),
    ({"kind": "occurrences", "phrase": "**", "max": 1}, "phrase is empty"),
    ({"kind": "exact"}, "check 'exact' lacks values"),
    ({"kind": "exact", "values": []}, "exact.values takes a list that is not empty"),
    ({"kind": "exact", "values": [1]}, "exact.values takes a list of texts"),
    ({"kind": "exact", "values": [""]}, "values holds an empty text"),
    ({"kind": "number", "value": "42"}, "number.value takes a number, not '42'"),
    ({"kind": "number", "value": None}, "number.value takes a number, not None"),
    ({"kind": "number", "value": 10**400}, "number.value takes a number"),
    ({"kind": "number", "value": float("inf")}, "number.value takes a number, not inf"),
    ({"kind": "number", "value": 1, "tolerance": -1}, "tolerance a finite one that is not negative"),
    ({"kind": "number", "value": 1, "where": "lst"}, "number.where is one of answer, last, any, not 'lst'; did you mean 'last'?"),
    ({"kind": "choice", "value": "E"}, "value 'E' is not one of the options ABCD"),
    ({"kind": "choice", "value": ""}, "is not one of the options"),
    ({"kind": "contains"}, 'it needs "all" or "any"'),
    ({"kind": "contains", "any": ["a"], "at_least": 2}, "at_least is from 1 to the 1 texts"),
    ({"kind": "contains", "any": ["a"], "at_least": None}, "contains.at_least takes a whole number from 0, not None"),
    ({"kind": "contains", "all": ["  "]}, "holds an empty text"),
    ({"kind": "lacks", "any": ["`"]}, "holds an empty text"),
    ({"kind": "order", "items": ["a", ""]}, "holds an empty text"),
    ({"kind": "starts_with", "values": ["> "]}, "holds an empty text"),
    ({"kind": "regex", "pattern": ""}, "an empty pattern matches everything"),
    ({"kind": "regex", "pattern": "("}, "pattern '(' does not compile"),
    ({"kind": "regex", "pattern": "(" * 20_000}, "does not compile"),
    ({"kind": "regex", "pattern": "a{99999999999999}"}, "does not compile"),
    ({"kind": "regex", "pattern": "a", "min": None}, "regex.min takes a whole number from 0, not None"),
    ({"kind": "regex", "pattern": "a", "min": 3, "max": 2}, "no number is at least min 3 and at most max 2"),
    ({"kind": "regex", "pattern": "a", "min": 0}, "holds for every answer"),
    ({"kind": "regex", "pattern": "a", "ignore_case": 1}, "regex.ignore_case takes true or false, not 1"),
    ({"kind": "acrostic", "word": "A B"}, "word is made of letters alone"),
    ({"kind": "acrostic", "word": ""}, "word is made of letters alone"),
    ({"kind": "case", "case": "title"}, "case.case is one of lower, upper"),
    ({"kind": "language", "code": "german"}, "is no language code such as en"),
    ({"kind": "json", "values": [1]}, "json.values takes an object, not a list"),
    ({"kind": "json", "only_keys": True}, 'only_keys needs "keys"'),
    ({"kind": "python", "args": {"f": "xy"}}, "args takes lists of parameter names"),
    ({"kind": "python", "args": {"f": [1]}}, "args takes lists of parameter names"),
    ({"kind": "any_of", "checks": []}, "any_of.checks takes a list that is not empty"),
    ({"kind": "any_of", "checks": [{"kind": "nunber"}]}, "did you mean 'number'?"),
    (DEEP, "checks stand inside checks more than 5 deep"),
    ({"kind": "exact", "values": ["x"], "part": "first_word"}, "exact.part is one of all, prose"),
    ({"kind": "exact", "values": ["x"], "note": 3}, "exact.note takes a text, not 3"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "said"), WRONG)
def test_a_wrong_check_is_refused_with_its_reason(raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]{1,400}\Z") as error:
        parse_check(raw)
    assert said in str(error.value)


def test_one_text_stands_for_a_list_of_one() -> None:
    assert parse_check({"kind": "exact", "values": "x"}) == parse_check({"kind": "exact", "values": ["x"]})


def test_null_leaves_an_optional_field_out() -> None:
    assert parse_check({"kind": "number", "value": 1, "tolerance": None}) == parse_check({"kind": "number", "value": 1})
    assert parse_check({"kind": "count", "unit": "words", "min": 1, "max": None}) == parse_check({"kind": "count", "unit": "words", "min": 1})


def test_records_are_frozen() -> None:
    check = parse_check({"kind": "exact", "values": ["x"], "note": "why", "part": "first_line"})
    assert (check.note, check.part, type(check)) == ("why", "first_line", KINDS["exact"])
    with pytest.raises(AttributeError):
        check.note = "other"  # type: ignore[misc]
