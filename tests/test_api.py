"""The Python way in: run, load, and what they return; documented columns, hostile names, notebooks, determinism."""

import asyncio
import html.parser
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from loopback import LoopbackServer
from records import Scripted
from workbench import answers_file, jsonl, questions_file, rated

import judgebench as jb
from judgebench.documents import MEAN
from judgebench.types import Request, Response, Usage

HOSTILE = "<script>alert('x')</script>&\"<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Echo:
    """A generator of ours, as a user would write one: it repeats the question."""

    identity, remote = "echo", False

    async def generate(self, request: Request) -> Response:
        return Response(f"You said: {request.messages[-1].content}")

    async def close(self) -> None:
        """Nothing to release."""


def simulated(**options: Any) -> jb.Run:
    """Two simulated models before a simulated judge."""
    given = {"models": {"good": "simulated:skill=0.8,seed=1", "poor": "simulated:skill=0.3,seed=2"}, "judges": ["simulated:noise=0.3"], "out": "run", **options}
    return jb.run(given.pop("benchmark", "mtbench"), **given)


def test_the_bundled_example_runs_with_no_argument_and_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    run = jb.run()
    assert run.judges == ("checks",)
    assert [r["model"] for r in run.leaderboard().rows][-1] == "careless"
    assert run.info["complete"]
    assert (Path("runs") / ".gitignore").read_text().endswith("*\n")


def test_models_may_be_specs_pairs_or_a_mapping() -> None:
    spec, named = "simulated:skill=0.8,seed=1", "simulated:skill=0.3,seed=2"
    forms: list[Any] = [[f"good={spec}", f"poor={named}"], [("good", spec), ("poor", named)], {"good": spec, "poor": named}]
    boards = [jb.run("mtbench", models=form, judges=["simulated:noise=0"], limit=8, out=f"run{i}").leaderboard().rows for i, form in enumerate(forms)]
    assert boards[0] == boards[1] == boards[2]
    assert [r["model"] for r in boards[0]] == ["good", "poor"]


def test_one_spec_and_one_judge_need_no_list() -> None:
    run = jb.run("mtbench", models="simulated:skill=0.8", judges="simulated:noise=0", categories="math", out="run")
    assert (run.judges, run.info["benchmark"]["categories"]) == (("simulated:noise=0",), {"math": 10})


def test_a_generator_of_ones_own_takes_part() -> None:
    questions = questions_file(Path(), n=4, turns=2)
    run = jb.run(questions, models=[("echo", Echo()), ("other", "simulated:skill=0.5")], judges=["simulated:noise=0"], out="run")
    texts = [json.loads(line) for line in (run.folder / "answers.jsonl").read_text().splitlines()]
    assert next(t["turns"] for t in texts if t["model"] == "echo") == ["You said: Question 0, turn 0?", "You said: Question 0, turn 1?"]
    assert {r["model"] for r in run.leaderboard().rows} == {"echo", "other"}


def test_a_remote_generator_of_ones_own_is_logged_like_any_other() -> None:
    generator = Scripted([f"Answer {i}." for i in range(3)])
    first = jb.run(questions_file(Path(), n=3), models={"mine": generator}, judges="simulated:noise=0", out="a", log="log.db", concurrency=1)
    again = jb.run("questions.jsonl", models={"mine": Scripted([])}, judges="simulated:noise=0", out="b", log="log.db")
    assert (first.info["calls"]["answered"], again.info["calls"]["from_log"], again.info["complete"]) == (3, 3, True)
    assert first.leaderboard().rows == again.leaderboard().rows
    assert generator.closed


def test_names_that_look_like_specs_are_only_names() -> None:
    run = jb.run("mtbench", models={"openai:gpt-4o": "simulated:skill=0.5", "a=b": "simulated:skill=0.6"}, judges="simulated:noise=0", limit=8, out="run")
    assert {m["name"] for m in run.info["models"]} == {"openai:gpt-4o", "a=b"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"benchmark": "mtbnech"}, "did you mean 'mtbench'"),
        ({"models": ["gpt-4o"]}, "names no provider"),
        ({"models": [7]}, "write a SPEC such as"),
        ({"models": [("a",)]}, "write a SPEC such as"),
        ({"models": {"": "simulated:skill=0.5"}}, "write a SPEC such as"),
        ({"models": {"half \ud83d": "simulated:skill=0.5"}}, "not valid UTF-8"),
        ({"judges": ["half \ud83d=checks"]}, "not valid UTF-8"),
        ({"models": {"a": Echo(), "b": "openai:"}}, "names no model"),
        ({"models": ["a=simulated:skill=0.5", "a=simulated:skill=0.6"]}, "two are called 'a'"),
        ({"judges": ["recorded:x"]}, "cannot judge"),
        ({"categories": ["maths"]}, "did you mean 'math'"),
        ({"samples": 0}, "samples 0"),
        ({"limit": 0}, "limit 0"),
        ({"reask": -1}, "reask -1"),
        ({"concurrency": 0}, "concurrency 0"),
        ({"timeout": float("nan")}, "timeout nan"),
        ({"max_cost": float("inf")}, "max_cost inf"),
        ({"generator_arguments": {"temperature": -1}}, "at least 0"),
        ({"prompt": "singel"}, "did you mean 'single'"),
    ],
)
def test_wrong_input_is_an_input_error_and_leaves_nothing(options: dict[str, Any], said: str) -> None:
    with pytest.raises(jb.InputError) as error:
        simulated(**options)
    assert said in str(error.value)
    assert not list(Path().iterdir())


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(jb.InputError) as error:
        jb.run("mtbench", models=["gpt-4o", "simulated:skil=1"], judges=["openai/x"], prompt="singel", generator_arguments={"temperature": -1}, out="run")
    assert len(error.value.problems) == 5


def test_a_folder_of_another_benchmark_is_refused() -> None:
    simulated(limit=8)
    before = {p: p.read_bytes() for p in Path("run").iterdir()}
    with pytest.raises(jb.InputError, match="holds a run of mtbench"):
        simulated(benchmark=questions_file(Path()))
    assert {p: p.read_bytes() for p in Path("run").iterdir()} == before


LEADERBOARD = {"model": "object", "score": "float64", "ci_low": "float64", "ci_high": "float64", "n": "int64", "n_failures": "int64", "turn_1": "float64", "turn_2": "float64"}
JUDGMENTS = {
    "question_id": "object", "category": "object", "turn": "int64", "model": "object", "judge": "object", "prompt": "object", "sample": "int64", "score": "float64",
    "failure": "object", "detail": "object", "text": "object", "prompt_tokens": "Int64", "completion_tokens": "Int64",
}  # fmt: skip


def kinds(frame: pd.DataFrame) -> dict[str, str]:
    return {str(c): str(t) for c, t in frame.dtypes.items()}


def test_the_frame_of_a_leaderboard_has_the_documented_columns() -> None:
    board = simulated().leaderboard()
    frame = board.to_frame()
    categories = list(board.rows[0]["categories"])
    assert kinds(frame) == {**LEADERBOARD, **dict.fromkeys(categories, "float64")}
    assert list(frame.columns) == [*LEADERBOARD, *categories]
    assert list(frame["model"]) == ["good", "poor"]
    assert list(frame["score"]) == [r["score"] for r in board.rows]
    assert (frame["ci_low"] < frame["score"]).all()
    assert (frame["score"] < frame["ci_high"]).all()


def test_what_is_missing_is_nan_and_keeps_its_dtype() -> None:
    """One question: no interval; one turn: no second."""
    frame = simulated(benchmark=questions_file(Path(), n=1), limit=1).leaderboard().to_frame()
    assert {c: t for c, t in kinds(frame).items() if c in LEADERBOARD} == LEADERBOARD
    assert frame[["ci_low", "ci_high", "turn_2"]].isna().all(axis=None)
    assert frame[["score", "turn_1"]].notna().all(axis=None)


def test_a_third_turn_has_a_column() -> None:
    frame = simulated(benchmark=questions_file(Path(), n=2, turns=3)).leaderboard().to_frame()
    assert frame["turn_3"].notna().all()


def test_categories_named_like_columns_do_not_overwrite_them() -> None:
    rows = [{"question_id": i, "category": c, "turns": ["Hi?"]} for i, c in enumerate(["score", "model", "judge", "turn_1", "plain"] * 2)]
    run = simulated(benchmark=jsonl(Path("q.jsonl"), rows))
    frame = run.to_frame()
    assert set(frame["model"]) == {"good", "poor"}
    assert set(frame["judge"]) == {"simulated:noise=0.3"}
    assert {"category score", "category model", "category judge", "category turn_1", "plain"} <= set(frame.columns)


def test_the_frame_of_judgments_has_the_documented_columns() -> None:
    run = simulated(limit=8, judges=["simulated:noise=0.3", "checks"])
    frame = run.judgments
    assert kinds(frame) == JUDGMENTS
    assert list(frame.columns) == list(JUDGMENTS)
    assert len(frame) == run.info["counts"]["judgments"]
    means = frame[frame["judge"] == "checks"].groupby("model")["score"].mean()
    assert dict(means) == {r["model"]: pytest.approx(r["score"]) for r in run.leaderboard("checks").rows}


def test_failures_are_nan_with_their_kind() -> None:
    questions, answers = questions_file(Path(), n=3), jsonl(Path("a.jsonl"), [{"question_id": i, "model": "m", "turns": [t]} for i, t in enumerate(["fine", "", "good"])])
    frame = jb.run(questions, models={"m": f"recorded:{answers}"}, judges="simulated:noise=0", out="run").judgments
    assert kinds(frame) == JUDGMENTS
    assert list(frame["score"].isna()) == [False, True, False]
    assert list(frame["failure"]) == [None, "empty_answer", None]
    assert frame["prompt_tokens"].isna().all()


def test_several_judges_have_a_board_each_and_their_mean() -> None:
    run = simulated(judges=["strict=simulated:noise=0.1", "lenient=simulated:noise=0.1,length=1"], limit=16)
    assert run.judges == ("strict", "lenient")
    assert run.leaderboard().judge == MEAN
    scores = {judge: {r["model"]: r["score"] for r in run.leaderboard(judge).rows} for judge in ("strict", "lenient", MEAN)}
    for model in ("good", "poor"):
        assert scores[MEAN][model] == pytest.approx((scores["strict"][model] + scores["lenient"][model]) / 2)
    frame = run.to_frame()
    assert list(frame.columns)[:2] == ["judge", "model"]
    assert list(frame["judge"]) == ["strict"] * 2 + ["lenient"] * 2 + [MEAN] * 2
    with pytest.raises(jb.InputError, match=r"no judge 'x'; it has strict, lenient"):
        run.leaderboard("x")


def test_a_run_comes_back_from_its_folder() -> None:
    made = simulated(limit=8)
    loaded = jb.load("run")
    assert loaded.summary == made.summary
    assert loaded.leaderboard().rows == made.leaderboard().rows
    pd.testing.assert_frame_equal(loaded.judgments, made.judgments)
    assert json.loads(Path("run/summary.json").read_text()) == loaded.summary


def test_figures_are_computed_anew_and_a_renamed_run_has_its_new_name() -> None:
    simulated(limit=8)
    Path("run/summary.json").write_text("{}")
    Path("run").rename("renamed")
    loaded = jb.load("renamed")
    assert (loaded.name, loaded.summary["runs"][0]["run"]) == ("renamed", "renamed")
    assert loaded.leaderboard().rows[0]["score"] > loaded.leaderboard().rows[1]["score"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", None, "run.json is missing"),
        ("run.json", "{", "run.json: "),
        ("judgments.jsonl", None, "judgments.jsonl is missing"),
        ("judgments.jsonl", "x\n", "judgments.jsonl line 1: "),
    ],
)
def test_a_damaged_run_is_said_in_one_line(name: str, content: str | None, said: str) -> None:
    simulated(limit=8)
    path = Path("run") / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(jb.InputError) as error:
        jb.load("run")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


class Tags(html.parser.HTMLParser):
    """The tags and the text of a document, as a browser would take them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_escapes_every_name_and_holds_intervals() -> None:
    rows = [{"question_id": i, "category": f"{HOSTILE}{i % 2}", "turns": ["Hi?", "And?"]} for i in range(8)]
    path = jsonl(Path("<b>q<b>.jsonl"), rows)
    run = simulated(benchmark=path, models={HOSTILE: "simulated:skill=0.5"}, judges=[f"{HOSTILE}=simulated:noise=0.5"])
    for document in (run._repr_html_(), run.leaderboard()._repr_html_()):
        seen = Tags(document)
        assert seen.tags <= {"p", "table", "caption", "thead", "tbody", "tr", "th", "td"}
        row = run.leaderboard().rows[0]
        assert HOSTILE in seen.text
        assert f"{row['score']:.2f}" in seen.text
        assert f"{row['ci'][0]:.2f} to {row['ci'][1]:.2f}" in seen.text


def test_the_plain_repr_is_one_short_line() -> None:
    run = simulated(limit=8)
    for text in (repr(run), repr(run.leaderboard())):
        assert len(text) < 160
        assert "\n" not in text
    assert repr(run) == "<Run run: 32 judgments of 2 models by simulated:noise=0.3>"
    score = {r["model"]: r["score"] for r in run.leaderboard().rows}
    assert repr(run.leaderboard()) == f"<Leaderboard of run judged by simulated:noise=0.3: good {score['good']:.2f}, poor {score['poor']:.2f}>"


def test_an_incomplete_run_says_so_wherever_it_is_shown() -> None:
    with LoopbackServer(rated, faults=lambda i: "500" if i >= 4 else None) as server:
        run = jb.run(
            questions_file(Path(), n=8), models={"m": f"recorded:{answers_file(Path(), n=8)}"}, judges=[f"j={server.url}#fake"], max_calls=4, concurrency=1, out="run", log="log.db"
        )
    assert not run.info["complete"]
    assert run.info["stopped"]
    assert run.summary["runs"][0]["complete"] is False
    for text in (repr(run), repr(run.leaderboard()), run._repr_html_(), run.leaderboard()._repr_html_()):
        assert "incomplete" in text
    assert "incomplete" in repr(jb.load("run"))


def test_it_works_inside_a_running_event_loop() -> None:
    """As in a notebook, where a loop runs already."""

    async def cell() -> Mapping[str, Any]:
        assert asyncio.get_running_loop().is_running()
        return simulated(limit=8).summary

    inside = asyncio.run(cell())
    assert inside == simulated(limit=8).summary


def test_errors_come_out_of_a_running_event_loop_too() -> None:
    async def cell() -> None:
        simulated(limit=8)

    Path("run").write_text("a file in the way")
    with pytest.raises(jb.InputError, match="is a file"):
        asyncio.run(cell())


INTERRUPTED = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import judgebench as jb
async def cell():
    # The notebook's own loop is running: its thread, which is this one, gets the interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("started", flush=True)
    jb.run("questions.jsonl", models={{"m": "recorded:answers.jsonl"}}, judges=["j={url}#fake"], out="run", log="log.db", concurrency=2)
try:
    asyncio.run(cell())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_in_a_notebook_keeps_what_was_answered() -> None:
    questions_file(Path(), n=40)
    answers_file(Path(), n=40)
    with LoopbackServer(rated, latency=0.1) as server:
        with subprocess.Popen([sys.executable, "-c", INTERRUPTED.format(url=server.url)], stdout=subprocess.PIPE, text=True) as process:
            while server.answered < 5:
                assert process.poll() is None
                os.sched_yield()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        assert out == "started\ninterrupted\n"
        stopped = jb.load("run")
        assert (stopped.info["complete"], stopped.info["stopped"]) == (False, "interrupted")
        assert server.calls < 20
        assert not [p for p in Path("run").iterdir() if p.name.startswith(".")]
        resumed = jb.run("questions.jsonl", models={"m": "recorded:answers.jsonl"}, judges=[f"j={server.url}#fake"], out="run", log="log.db")
        assert server.calls <= 42
    assert (resumed.info["complete"], len(resumed.judgments)) == (True, 40)


def test_text_that_no_file_can_hold_does_not_stop_a_run() -> None:
    """Half a character from a generator of one's own."""
    replies = [Response("half \ud83d", usage=Usage(1, 1)) for _ in range(2)]
    run = jb.run(questions_file(Path(), n=1, turns=2), models={"mine": Scripted(replies)}, judges="simulated:noise=0", out="run", log="log.db")
    assert json.loads((run.folder / "answers.jsonl").read_text())["turns"] == ["half \ufffd"] * 2
    assert run.leaderboard().rows[0]["n"] == 2


def test_folders_are_named_by_what_ran_and_stay_below_runs() -> None:
    names = ["../../x", "org/model:tag", "CON", "n" * 300, "🤖", "a b"]
    folders = {jb.run("mtbench", models={name: "simulated:skill=0.5"}, judges="simulated:noise=0", limit=8).folder for name in names}
    assert len(folders) == len(names)
    assert all(f.parent == Path("runs") and f.name.isascii() and len(f.name) < 80 for f in folders)
    assert {p.name for p in Path().iterdir()} == {"runs"}
    again = jb.run("mtbench", models={"CON": "simulated:skill=0.5"}, judges="simulated:noise=0", limit=8)
    assert again.folder in folders
