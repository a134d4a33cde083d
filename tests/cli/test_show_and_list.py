"""`show` computes boards anew from judgments; `list` says what there is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import LoopbackServer
from workbench import Ended, job, jsonl, rated, rows_of

Command = Callable[..., Ended]


def test_show_takes_several_runs_and_recomputes_them(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as server:
        assert judgebench(*job(tmp_path, server.spec)).code == 0
    assert judgebench("run", "mtbench", "--limit", 8, "--out", "example").code == 0
    both = judgebench("show", "r", "example", "--json").document["runs"]
    assert [entry["run"] for entry in both] == ["r", "example"]
    assert both[0]["leaderboard"][0]["score"] == 7
    rows = rows_of(tmp_path / "r" / "judgments.jsonl")
    jsonl(tmp_path / "r" / "judgments.jsonl", [{**row, "score": 3} for row in rows])
    assert judgebench("show", "r", "--json").document["runs"][0]["leaderboard"][0]["score"] == 3
    assert "3.00" in judgebench("show", "r").out


def test_show_of_a_moved_run_names_its_folder(judgebench: Command, tmp_path: Path) -> None:
    assert judgebench("run", "mtbench", "--limit", 8, "--out", "old").code == 0
    (tmp_path / "old").rename(tmp_path / "new")
    assert judgebench("show", "new", "--json").document["runs"][0]["run"] == "new"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", "{", "run.json"),
        ("run.json", "[]", "run.json"),
        ("run.json", '{"benchmark": {}, "judges": [3]}', "run.json"),
        ("judgments.jsonl", '{"judge": "x"}\n', "judgments.jsonl line 1"),
        ("judgments.jsonl", "{}\n[\n", "judgments.jsonl line 1"),
        ("judgments.jsonl", None, "judgments.jsonl"),
    ],
)
def test_a_broken_run_is_2_with_one_line(judgebench: Command, tmp_path: Path, name: str, content: str | None, said: str) -> None:
    assert judgebench("run", "mtbench", "--limit", 1, "--out", "r").code == 0
    if content is None:
        (tmp_path / "r" / name).unlink()
    else:
        (tmp_path / "r" / name).write_text(content)
    for arguments in (("show", "r"), ("show", "r", "--json")):
        ended = judgebench(*arguments)
        assert (ended.code, ended.out) == (2, "") and len(ended.complaints) == 1 and said in ended.err


def test_several_judges_have_a_board_each_and_their_mean(judgebench: Command, tmp_path: Path) -> None:
    with LoopbackServer(rated) as low, LoopbackServer(lambda body: "Rating: [[9]]") as high:
        ended = judgebench(*job(tmp_path, f"low={low.spec}"), "--judge", f"high={high.spec}", "--json")
    boards = {entry["judge"]: entry["leaderboard"][0]["score"] for entry in ended.document["runs"]}
    assert boards == {"low": 7, "high": 9, "mean of judges": 8}


@pytest.mark.parametrize(("what", "expected"), [("benchmarks", "mtbench"), ("prompts", "single-reference-later"), ("generators", "ollama:"), ("judges", "checks")])
def test_list(judgebench: Command, what: str, expected: str) -> None:
    ended = judgebench("list", what)
    assert (ended.code, ended.err) == (0, "")
    names = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in ended.out.splitlines()}
    assert expected in names and all(names.values()), "each with a word about it"


def test_list_names_every_shipped_file(judgebench: Command) -> None:
    prompts = Path(__file__).parents[2] / "prompts"
    listed = {line.split()[0] for line in judgebench("list", "prompts").out.splitlines()}
    assert listed == {path.stem for path in prompts.glob("*.toml")}
    assert json.dumps(sorted(listed))
