"""Benchmarks by name, folder and file: settings, references beside them, categories and limits."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench import resources
from judgebench.benchmarks import Benchmark, load_benchmark, narrowed
from judgebench.errors import InputError
from judgebench.types import Sampling


def questions(path: Path, *categories: str, **fields: Any) -> Path:
    """A questions file with one question for each of the categories given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"question_id": i, "category": category, "turns": [f"q{i}"], **fields} for i, category in enumerate(categories, 1)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def folder(path: Path, toml: str, *categories: str) -> Path:
    questions(path / "questions.jsonl", *(categories or ("math", "writing")))
    (path / "benchmark.toml").write_text(toml, encoding="utf-8")
    return path


def references(path: Path, *rows: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# --- which one is meant -------------------------------------------------------------------------------------------------


def test_a_bare_file_gets_the_settings_of_mtbench_and_not_its_examples(tmp_path: Path) -> None:
    benchmark = load_benchmark(questions(tmp_path / "mine.jsonl", "math", "poetry"))
    math, poetry = benchmark.questions()
    assert (benchmark.name, len(benchmark), benchmark.n_turns, benchmark.category_counts) == ("mine", 2, 2, {"math": 1, "poetry": 1})
    assert (benchmark.sampling(math), benchmark.sampling(poetry)) == (Sampling(0.0, 1024), Sampling(0.7, 1024))
    assert (benchmark.settings.prompt, benchmark.settings.description, benchmark.settings.examples) == ("single", "", {})


def test_a_folder_has_its_own_settings(tmp_path: Path) -> None:
    path = folder(
        tmp_path / "own",
        'protocol = "single"\nprompt = "mine"\nreference_categories = ["math"]\n[sampling]\ntemperature = 0.5\nmax_tokens = 7\n'
        '[sampling.category_temperature]\nmath = 0\n[examples]\nm = "a.jsonl"\n',
    )
    benchmark = load_benchmark(path)
    assert benchmark.name == "own"
    assert [benchmark.sampling(q) for q in benchmark.questions()] == [Sampling(0.0, 7), Sampling(0.5, 7)]
    assert (benchmark.settings.prompt, benchmark.settings.examples) == ("mine", {"m": str(path / "a.jsonl")})


def test_a_byte_order_mark_in_the_settings_is_fine(tmp_path: Path) -> None:
    path = folder(tmp_path / "own", "")
    (path / "benchmark.toml").write_bytes(b'\xef\xbb\xbfprompt = "x"\n')
    assert load_benchmark(path).settings.prompt == "x"


@pytest.mark.parametrize("name", ["questions.jsonl", "question.jsonl"])
def test_a_folder_without_settings_is_read_by_either_name(name: str, tmp_path: Path) -> None:
    questions(tmp_path / "data" / name, "math")
    assert load_benchmark(tmp_path / "data").path == tmp_path / "data" / name


def test_a_shipped_name_is_the_shipped_benchmark_whatever_lies_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mtbench").mkdir()
    assert len(load_benchmark("mtbench")) == 80
    questions(tmp_path / "mtbench" / "questions.jsonl", "math")
    assert len(load_benchmark("mtbench")) == 80
    assert len(load_benchmark("./mtbench")) == 1


def test_a_question_may_set_its_own_temperature(tmp_path: Path) -> None:
    benchmark = load_benchmark(questions(tmp_path / "q.jsonl", "math", required_temperature=1.5))
    assert [benchmark.sampling(q).temperature for q in benchmark.questions()] == [1.5]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mtbensh", "unknown benchmark 'mtbensh', and no questions file of that name; did you mean 'mtbench'?"),
        ("zzz", "unknown benchmark 'zzz', and no questions file of that name; known are mtbench"),
        ("no/such.jsonl", "no/such.jsonl: no such file; give a questions file, a benchmark folder or one of: mtbench"),
        ("gone.jsonl", "gone.jsonl: no such file"),
        ("empty", "empty: this folder holds neither questions.jsonl nor question.jsonl"),
        ("x" * 5000, "unknown benchmark"),
        ("y/" * 3000, "no such file"),
        ("nul\0", "unknown benchmark"),
        ("line\nbreak", "unknown benchmark"),
    ],
)
def test_an_unknown_benchmark(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"\A[^\n\0]{1,400}\Z") as error:
        load_benchmark(name)
    assert said in str(error.value)


# --- settings that are wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("protocol =", "cannot be read as TOML"),
        ("promt = 'x'", "unknown key 'promt'; did you mean 'prompt'?"),
        ("zzz = 1", "unknown key 'zzz'; known are name, protocol"),
        ("prompt = 3", "prompt must be a text, not 3"),
        ("protocol = ['single']", "protocol must be a text"),
        ("sampling = 3", "sampling must be a table"),
        ("[sampling]\ntemprature = 1", "unknown key 'temprature'; did you mean 'temperature'?"),
        ("[sampling]\ntemperature = 'hot'", "temperature must be a number from 0 to 2, not hot"),
        ("[sampling]\ntemperature = true", "temperature must be a number from 0 to 2"),
        ("[sampling]\ntemperature = nan", "temperature must be a number from 0 to 2"),
        ("[sampling]\ntemperature = inf", "temperature must be a number from 0 to 2"),
        ("[sampling]\ntemperature = -1", "temperature must be a number from 0 to 2"),
        ("[sampling]\nmax_tokens = 0", "max_tokens must be a whole number from 1, not 0"),
        ("[sampling]\nmax_tokens = 1.5", "max_tokens must be a whole number from 1"),
        ("[sampling]\nmax_tokens = true", "max_tokens must be a whole number from 1"),
        ("[sampling]\ncategory_temperature = 1", "category_temperature must be a table"),
        ("[sampling.category_temperature]\nmath = 'cold'", "math must be a number from 0 to 2"),
        ("reference_categories = 'math'", "reference_categories must be a list of texts"),
        ("reference_categories = [1]", "reference_categories must be a list of texts"),
        ("examples = ['a']", "examples must be a table"),
        ("[examples]\nm = 1", "m must be a text"),
    ],
)
def test_wrong_settings_are_refused(toml: str, said: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "own", toml)
    with pytest.raises(InputError, match=r"\A[^\n]*\Z") as error:
        load_benchmark(path)
    assert str(error.value).startswith(f"{path / 'benchmark.toml'}: ")
    assert said in str(error.value)


def test_settings_in_another_encoding_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "own", "")
    (path / "benchmark.toml").write_bytes(b'description = "caf\xe9"')
    with pytest.raises(InputError, match="cannot be read as TOML"):
        load_benchmark(path)


# --- references beside the questions --------------------------------------------------------------------------------------


def test_references_beside_the_questions_are_found_and_win(tmp_path: Path) -> None:
    path = questions(tmp_path / "question.jsonl", "math", "math", "writing", reference=["own"])
    references(tmp_path / "reference_answer" / "gpt-4.jsonl", {"question_id": 1, "choices": [{"turns": ["r1"]}]}, {"question_id": "2", "choices": [{"turns": [" "]}]})
    benchmark = load_benchmark(path)
    assert [q.references for q in benchmark.questions()] == [("r1",), (None,), ("own",)]
    assert [benchmark.needs_reference(q, 1) for q in benchmark.questions()] == [True, False, False]
    assert [json.loads(q.line).get("references") for q in benchmark.questions()] == [["r1"], None, ["own"]]


def test_of_several_reference_files_none_is_guessed(tmp_path: Path) -> None:
    path = questions(tmp_path / "question.jsonl", "math")
    for name in ("a", "b"):
        references(tmp_path / "reference_answer" / f"{name}.jsonl", {"question_id": 1, "choices": [{"turns": ["r"]}]})
    with pytest.raises(InputError, match=r"reference_answer: holds 2 reference files \(a.jsonl, b.jsonl\); keep the one"):
        load_benchmark(path)


@pytest.mark.parametrize("row", [{"question_id": 1}, {"question_id": 1, "choices": [{"turns": [None]}]}, {"choices": [{"turns": ["r"]}]}, [1]])
def test_malformed_references_are_refused(row: Any, tmp_path: Path) -> None:
    path = questions(tmp_path / "question.jsonl", "math")
    references(tmp_path / "reference_answer" / "gpt-4.jsonl", row)
    with pytest.raises(InputError, match=r"gpt-4\.jsonl line 1: "):
        load_benchmark(path)


# --- what a benchmark's hash covers ---------------------------------------------------------------------------------------


def test_the_hash_changes_with_whatever_changes_a_run(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", "[sampling]\ntemperature = 0.5\n")
    first = load_benchmark(base).sha256
    assert load_benchmark(base).sha256 == first
    moved = shutil.copytree(base, tmp_path / "elsewhere")
    assert load_benchmark(moved).sha256 == first
    changes = {"[sampling]\ntemperature = 0.6\n", "[sampling]\ntemperature = 0.5\nmax_tokens = 9\n", "reference_categories = ['math']\n[sampling]\ntemperature = 0.5\n"}
    found = {first}
    for toml in changes:
        (base / "benchmark.toml").write_text(toml, encoding="utf-8")
        found.add(load_benchmark(base).sha256)
    (moved / "questions.jsonl").write_bytes((moved / "questions.jsonl").read_bytes().replace(b"q1", b"q1 "))
    found.add(load_benchmark(moved).sha256)
    references(moved / "reference_answer" / "r.jsonl", {"question_id": 1, "choices": [{"turns": ["r"]}]})
    found.add(load_benchmark(moved).sha256)
    assert len(found) == len(changes) + 3


# --- categories and limits ------------------------------------------------------------------------------------------------


def kept(benchmark: Benchmark) -> list[object]:
    return [q.id for q in benchmark.questions()]


def test_a_limit_takes_questions_in_turn_from_every_category(tmp_path: Path) -> None:
    benchmark = load_benchmark(questions(tmp_path / "q.jsonl", "a", "a", "a", "b", "b", "c"))
    assert kept(narrowed(benchmark, limit=1)) == [1]
    assert kept(narrowed(benchmark, limit=3)) == [1, 4, 6]
    assert kept(narrowed(benchmark, limit=5)) == [1, 2, 4, 5, 6]
    assert kept(narrowed(benchmark, limit=99)) == [1, 2, 3, 4, 5, 6]
    assert kept(narrowed(benchmark, categories=("b", "a"), limit=3)) == [1, 2, 4]
    assert kept(narrowed(benchmark, categories=("c",))) == [6]
    assert narrowed(benchmark) is benchmark


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(1, 40))
def test_a_limit_is_kept_and_shared_fairly(categories: list[str], limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        benchmark = load_benchmark(questions(Path(place) / "q.jsonl", *categories))
        some = narrowed(benchmark, limit=limit)
        taken = Counter(q.category for q in some.questions())
    have = Counter(categories)
    assert len(some) == some.n_turns == taken.total() == min(limit, len(categories))
    assert all(taken[c] == have[c] or taken[c] >= max(taken.values()) - 1 for c in have), "none waits while another gets two"


def test_an_unknown_category_gives_the_nearest(tmp_path: Path) -> None:
    benchmark = load_benchmark(questions(tmp_path / "q.jsonl", "math", "writing"))
    with pytest.raises(InputError, match="--category writting: q has math, writing; did you mean 'writing'"):
        narrowed(benchmark, categories=("writting",))


# --- the data that ships --------------------------------------------------------------------------------------------------


def test_shipped_names_are_those_of_the_folders() -> None:
    assert resources.names("benchmarks") == sorted(p.parent.name for p in resources.data_folder("benchmarks").glob("*/benchmark.toml"))
    assert "single" in resources.names("prompts", ".toml")


@pytest.mark.parametrize("name", resources.names("benchmarks"))
def test_every_shipped_benchmark_can_be_loaded_and_says_where_it_comes_from(name: str) -> None:
    benchmark = load_benchmark(name)
    assert len(benchmark) > 0
    assert benchmark.settings.description
    assert (resources.data_folder("benchmarks") / name / "SOURCE.md").is_file()
