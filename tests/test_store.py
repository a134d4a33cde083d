"""The run folder: what stands in its files, and that it is written whole or not at all."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import judgment

from judgebench.errors import InputError, StorageError
from judgebench.store import RunWriter, judgment_row, read_judgments, read_run
from judgebench.types import Answer, Failure, Judgment, Usage

RUN = {
    "run": "r", "protocol": "single", "complete": True, "benchmark": {"name": "b"}, "models": [{"name": "m"}], "judges": [{"name": "j"}],
    "counts": {"judgments": 1},
}  # fmt: skip
KEYS = ["question_id", "category", "turn", "judge", "prompt", "prompt_sha256", "sample", "text", "usage", "failure", "model", "score"]
FILES = {"run.json", "questions.jsonl", "answers.jsonl", "judgments.jsonl", "summary.json"}


def written(folder: Path, *judgments: Judgment, run: dict[str, Any] | None = None) -> Path:
    writer = RunWriter(folder)
    writer.question('{"question_id": 1, "category": "writing", "turns": ["Hi?"]}')
    writer.answer(Answer(1, "m", ("Hello",), ("stop",), Usage(3, 4)))
    for one in judgments:
        writer.judgment(one)
    writer.finish(run or RUN, {"runs": []})
    return folder


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


EXAMPLES = {
    "score": judgment(7.0, text="Rating: [[7]]", usage=Usage(10, 5), snapshot="gpt-x-2026"),
    "part of a point": judgment(7.75, question_id="q-7", turn=2, sample=3),
    "failure": judgment(None, text="?", failure=Failure("no_verdict", "no verdict could be read")),
    "asked again": judgment(None, text="a", reask_texts=("b", "c"), failure=Failure("no_verdict")),
    "one kind of token": judgment(1.0, usage=Usage(None, 9)),
    "odd names": judgment(10.0, model="../../x", judge="🤖\u2028\n", category="Ünïcode \u0000", prompt="p" * 300),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_judgment_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "run", EXAMPLES[name], judgment(1.0))
    assert list(read_judgments(folder / "judgments.jsonl")) == [EXAMPLES[name], judgment(1.0)]


@pytest.mark.parametrize("kind", ["no_verdict", "out_of_range", "truncated", "refused", "empty_answer", "provider_error"])
def test_every_kind_of_failure_comes_back(kind: Any, tmp_path: Path) -> None:
    one = judgment(None, failure=Failure(kind, "why"))
    assert list(read_judgments(written(tmp_path / "run", one) / "judgments.jsonl")) == [one]


def test_the_keys_are_those_of_the_contract_in_order() -> None:
    """Others may follow them."""
    for one in EXAMPLES.values():
        assert list(json.loads(judgment_row(one)))[: len(KEYS)] == KEYS


def test_a_judgment_has_a_score_or_a_failure_in_the_file() -> None:
    scored, failed = json.loads(judgment_row(EXAMPLES["score"])), json.loads(judgment_row(EXAMPLES["failure"]))
    assert (scored["score"], scored["failure"]) == (7, None)
    assert (failed["score"], failed["failure"]) == (None, "no_verdict")


def test_whole_scores_are_written_as_integers() -> None:
    assert '"score": 7,' in judgment_row(judgment(7.0))
    assert '"score": 7.75,' in judgment_row(judgment(7.75))


def test_tokens_that_were_not_reported_are_null() -> None:
    assert json.loads(judgment_row(judgment(7.0)))["usage"] is None
    assert json.loads(judgment_row(EXAMPLES["one kind of token"]))["usage"] == {"prompt_tokens": None, "completion_tokens": 9}


def test_half_a_character_does_not_stop_the_writing(tmp_path: Path) -> None:
    """A lone surrogate, which a server can send and a command line can hold, cannot be written as UTF-8."""
    one = judgment(7.0, text="half \ud83d", model="m\udcff", judge="j\udcff")
    folder = written(tmp_path / "run", one, run={**RUN, "run": "r\udcff"})
    assert next(iter(read_judgments(folder / "judgments.jsonl"))).text == "half \ufffd"
    assert read_run(folder)["run"] == "r\ufffd"


def test_a_finished_run_is_five_files(tmp_path: Path) -> None:
    folder = written(tmp_path / "a" / "b" / "run", judgment())
    assert names(folder) == FILES
    assert all((folder / name).read_bytes().endswith(b"\n") for name in FILES)
    assert read_run(folder) == RUN


def test_a_number_that_json_lacks_is_never_written(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    with pytest.raises(ValueError, match="JSON"):
        writer.finish({**RUN, "cost": float("nan")}, {})
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_judgments_can_be_read_back_before_the_end(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.judgment(judgment())
    assert list(read_judgments(writer.judgments_so_far())) == [judgment()]
    writer.discard()


def test_nothing_is_visible_before_the_end_and_nothing_left_after_discard(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.judgment(judgment())
    assert not [p for p in (tmp_path / "run").iterdir() if not p.name.startswith(".")]
    writer.discard()
    assert not (tmp_path / "run").exists()


def test_discard_after_the_end_changes_nothing(tmp_path: Path) -> None:
    """An interrupt may come between the two."""
    writer = RunWriter(tmp_path / "run")
    writer.finish(RUN, {})
    writer.discard()
    writer.discard()
    assert names(tmp_path / "run") == FILES


def test_discard_keeps_a_folder_that_was_there(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", judgment(3.0))
    before = {name: (folder / name).read_bytes() for name in FILES}
    writer = RunWriter(folder)
    writer.judgment(judgment(9.0))
    writer.discard()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from records import judgment
from judgebench.store import RunWriter
writer = RunWriter(Path("run"))
writer.judgment(judgment(9.0))
writer.judgments_so_far()
print("ready", flush=True)
signal.pause()
"""


def killed_while_writing(folder: Path) -> None:
    code = KILLED.format(path=[str(Path(__file__).parent)])
    with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)


def test_a_kill_leaves_the_run_before_it_whole(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", judgment(3.0))
    before = {name: (folder / name).read_bytes() for name in FILES}
    killed_while_writing(tmp_path)
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert names(folder) - FILES, "the kill came too late to mean anything"


def test_the_next_run_sweeps_what_a_kill_left(tmp_path: Path) -> None:
    killed_while_writing(tmp_path)
    assert names(written(tmp_path / "run", judgment())) == FILES


def test_two_writers_of_one_run_do_not_mix_their_rows(tmp_path: Path) -> None:
    """The same command started twice writes the same folder: whoever ends last has it, whole."""
    first, second = RunWriter(tmp_path / "run"), RunWriter(tmp_path / "run")
    for writer, score in ((first, 3.0), (second, 9.0), (first, 3.0), (second, 9.0)):
        writer.judgment(judgment(score))
    first.finish(RUN, {})
    second.finish({**RUN, "run": "second"}, {})
    assert names(tmp_path / "run") == FILES
    assert [j.score for j in read_judgments(tmp_path / "run" / "judgments.jsonl")] == [9.0, 9.0]
    assert read_run(tmp_path / "run")["run"] == "second"


def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things than a run; give --out"):
        RunWriter(tmp_path)
    assert names(tmp_path) == {"thesis.tex"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("y")
    with pytest.raises(InputError, match="is a file; give --out a folder"):
        RunWriter(tmp_path / "x")


@pytest.mark.parametrize("name", [".gitignore", "responses.db", "responses.db-wal", "report.html", "judgments.jsonl"])
def test_what_belongs_to_a_run_may_stand_in_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    written(tmp_path, judgment())
    assert (tmp_path / "run.json").is_file()


@pytest.mark.parametrize("name", ["file/run", "x" * 300])
def test_an_impossible_place_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        RunWriter(tmp_path / name)


# In a process of its own: the limit on the size of a file stands for a full disk, and root gives up its rights to meet a
# read-only folder.
IN_TROUBLE = """
import os, resource, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from records import judgment
from judgebench.errors import StorageError
from judgebench.store import RunWriter
import judgebench.api, _strptime
if {read_only}:
    if os.geteuid() == 0:
        os.seteuid(65534)
else:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, 64_000))
writer = None
try:
    writer = RunWriter(Path("folder/run"))
    for i in range({rows}):
        writer.judgment(judgment(7.0, text="x" * 1000))
    writer.finish({run!r}, {{}})
except StorageError as error:
    if writer is not None:
        writer.discard()
    print(error)
    sys.exit(error.exit_code)
"""


def in_trouble(folder: Path, *, read_only: bool, rows: int) -> subprocess.CompletedProcess[str]:
    code = IN_TROUBLE.format(path=[str(Path(__file__).parent)], read_only=read_only, rows=rows, run=RUN)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rows", [63, 1000])
def test_a_full_disk_leaves_nothing_half_written(rows: int, tmp_path: Path) -> None:
    """Full in the middle of the rows, and full when the last rows are flushed at the end."""
    (tmp_path / "folder").mkdir()
    done = in_trouble(tmp_path, read_only=False, rows=rows)
    assert (done.returncode, done.stderr) == (2, "")
    assert "folder/run: cannot be written (File too large)" in done.stdout
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_full_disk_keeps_the_run_that_was_there(tmp_path: Path) -> None:
    folder = written(tmp_path / "folder" / "run", judgment(3.0))
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert in_trouble(tmp_path, read_only=False, rows=1000).returncode == 2
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize(("around", "inside"), [(0o755, 0o555), (0o755, 0o000), (0o700, 0o755)])
def test_a_folder_without_the_right_to_write_is_said_in_one_line(around: int, inside: int, tmp_path: Path) -> None:
    """Read-only; not even readable; and, for root in disguise, below a folder that belongs to another."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(inside)
    tmp_path.chmod(around)
    done = in_trouble(tmp_path, read_only=True, rows=1)
    (tmp_path / "folder").chmod(0o755)
    if around == 0o700 and os.geteuid() != 0:
        pytest.skip("the folder belongs to who runs the tests")
    assert (done.returncode, done.stderr) == (2, "")
    assert "folder/run: cannot be written (Permission denied)" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list((tmp_path / "folder").iterdir()) == []


BROKEN_RUNS: dict[str, Any] = {
    "nothing": "", "half": '{"run": "r"', "a list": "[]", "null": "null", "deep": "[" * 100_000, "not UTF-8": b"\xff\xfe",
    "no benchmark": {k: v for k, v in RUN.items() if k != "benchmark"}, "no judges": {**RUN, "judges": []}, "judges as text": {**RUN, "judges": ["j"]},
    "a judge without a name": {**RUN, "judges": [{"spec": "x"}]}, "no models": {**RUN, "models": []}, "counts as text": {**RUN, "counts": "many"},
    "no count": {**RUN, "counts": {}}, "name as number": {**RUN, "benchmark": {"name": 7}}, "complete as text": {**RUN, "complete": "yes"},
    "a scale of one": {**RUN, "judges": [{"name": "j", "scale": [1]}]}, "a scale of texts": {**RUN, "judges": [{"name": "j", "scale": ["1", "10"]}]},
    "an endless scale": json.dumps({**RUN, "judges": [{"name": "j", "scale": [1, 99]}]}).replace("99", "1e999"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_RUNS)
def test_a_broken_run_json_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    content = BROKEN_RUNS[name]
    raw = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode()
    (tmp_path / "run.json").write_bytes(raw)
    with pytest.raises(InputError) as error:
        read_run(tmp_path)
    assert len(error.value.problems) == 1
    assert str(error.value).startswith(f"{tmp_path / 'run.json'}: ")
    assert "run the same command again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("folder", "what"), [("absent", "no such folder"), ("empty", "run.json is missing"), ("file", "no such folder"), ("x" * 300, "name too long")]
)
def test_a_folder_without_a_run_is_said_so(folder: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=f"(?i){what}"):
        read_run(tmp_path / folder)


GOOD_ROW = json.loads(judgment_row(judgment(7.0)))
BROKEN_ROWS: dict[str, tuple[Any, str]] = {
    "half a line": ('{"question_id": 1, "cat', "not valid JSON"),
    "a number": ("7", "not an object"),
    "no model": ({k: v for k, v in GOOD_ROW.items() if k != "model"}, "without 'model'"),
    "score and failure": ({**GOOD_ROW, "failure": "refused"}, "either a score or a failure"),
    "neither": ({**GOOD_ROW, "score": None}, "either a score or a failure"),
    "an unknown failure": ({**GOOD_ROW, "score": None, "failure": "sulked"}, "unknown failure 'sulked'"),
    "a failure that is a list": ({**GOOD_ROW, "score": None, "failure": []}, "unknown failure"),
    "a score as text": ({**GOOD_ROW, "score": "7"}, "is no number"),
    "a score that is true": ({**GOOD_ROW, "score": True}, "is no number"),
    "NaN": (json.dumps({**GOOD_ROW, "score": float("nan")}), "NaN"),
    "a turn as text": ({**GOOD_ROW, "turn": "1"}, "turn must be a whole number"),
    "a turn that is true": ({**GOOD_ROW, "turn": True}, "turn must be a whole number"),
    "half a turn": ({**GOOD_ROW, "turn": 1.5}, "turn must be a whole number"),
    "turn 0": ({**GOOD_ROW, "turn": 0}, "turn must be a whole number of at least 1"),
    "a negative sample": ({**GOOD_ROW, "sample": -1}, "sample must be"),
    "a category that is a list": ({**GOOD_ROW, "category": ["a"]}, "category must be a text"),
    "no category": ({**GOOD_ROW, "category": None}, "category must be a text"),
    "an id that is a list": ({**GOOD_ROW, "question_id": [1]}, "question_id must be"),
    "an id that is true": ({**GOOD_ROW, "question_id": True}, "question_id must be"),
    "an id that is a fraction": ({**GOOD_ROW, "question_id": 1.5}, "question_id must be"),
    "a model that is a number": ({**GOOD_ROW, "model": 4}, "model must be a text"),
    "a text that is a number": ({**GOOD_ROW, "text": 4}, "text must be a text"),
    "second replies as one text": ({**GOOD_ROW, "reask_texts": "ab"}, "reask_texts must be a list"),
    "usage as a number": ({**GOOD_ROW, "usage": 3}, "usage must be an object"),
    "tokens as text": ({**GOOD_ROW, "usage": {"prompt_tokens": "3", "completion_tokens": 1}}, "prompt_tokens must be"),
    "tokens below zero": ({**GOOD_ROW, "usage": {"prompt_tokens": 3, "completion_tokens": -1}}, "completion_tokens must be"),
    "a turn as words": ({**GOOD_ROW, "turn": "first"}, "line 2"),
    "no turn": ({**GOOD_ROW, "turn": None}, "line 2"),
    "a score beyond floats": (json.dumps({**GOOD_ROW, "score": 0}).replace('"score": 0', '"score": 1e999'), "too large"),
    "a whole score beyond floats": (json.dumps({**GOOD_ROW, "score": 0}).replace('"score": 0', '"score": 1' + "0" * 400), "too large"),
}


@pytest.mark.parametrize("name", BROKEN_ROWS)
def test_a_broken_judgment_is_said_with_its_line(name: str, tmp_path: Path) -> None:
    content, what = BROKEN_ROWS[name]
    path = tmp_path / "judgments.jsonl"
    path.write_text(judgment_row(judgment()) + "\n" + (content if isinstance(content, str) else json.dumps(content)) + "\n")
    with pytest.raises(InputError) as error:
        list(read_judgments(path))
    assert str(error.value).startswith(f"{path} line 2: ")
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_row_of_the_bare_contract_is_read(tmp_path: Path) -> None:
    """What others write need hold no more than the keys of the contract."""
    path = tmp_path / "judgments.jsonl"
    path.write_text(json.dumps({k: GOOD_ROW[k] for k in KEYS}) + "\n")
    assert list(read_judgments(path)) == [replace(judgment(7.0), text=None)]


def test_a_lock_is_held_no_longer_than_the_writing(tmp_path: Path) -> None:
    """A finished writer in the same process does not keep the next one from sweeping."""
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else None
    for _ in range(5):
        written(tmp_path / "run", judgment())
    RunWriter(tmp_path / "other").discard()
    if descriptors is None:
        pytest.skip("no /proc to count open files in")
    assert len(os.listdir("/proc/self/fd")) == descriptors
