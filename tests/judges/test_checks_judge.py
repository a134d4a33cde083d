"""The checks judge: 1 + 9 times the share of checks that pass, and what is no answer."""

from dataclasses import dataclass

import pytest
from records import judged, task

from judgebench.checks import CheckTimeout
from judgebench.checks.registry import parse_check
from judgebench.judges.checks import ChecksJudge


@dataclass(frozen=True)
class Says:
    """A check that holds when the answer says a word."""

    word: str
    note: str = ""

    def passes(self, answer: str) -> bool:
        return self.word in answer


class Endless:
    note = ""

    def passes(self, answer: str) -> bool:
        raise CheckTimeout("pattern 'a*' took over 1 s")


@pytest.mark.parametrize(("passed", "score"), [(0, 1), (1, 3.25), (2, 5.5), (3, 7.75), (4, 10)])
def test_the_score_is_one_plus_nine_times_the_share(passed: int, score: float) -> None:
    words = ("alpha", "beta", "gamma", "delta")
    got = judged(ChecksJudge(), task(" ".join(words[:passed]) or "none", checks=(tuple(Says(w) for w in words),)))
    assert (got.score, got.failure) == (score, None)
    assert got.text is not None
    assert got.text.startswith(f"{passed} of 4 checks passed")


def test_the_text_names_the_checks_that_failed() -> None:
    got = judged(ChecksJudge(), task("alpha", checks=((Says("alpha", "opens"), Says("beta", "names the port"), Says("gamma")),)))
    assert got.text == "1 of 3 checks passed\nfailed: check 2 (names the port)\nfailed: check 3"


def test_a_turn_is_graded_by_its_own_checks() -> None:
    both = ((Says("alpha"),), (Says("beta"),))
    assert judged(ChecksJudge(), task("alpha", "alpha", turn=1, checks=both)).score == 10
    assert judged(ChecksJudge(), task("alpha", "alpha", turn=2, checks=both)).score == 1


def test_checks_of_a_question_file_grade_too() -> None:
    checks = (parse_check({"kind": "contains", "all": ["42"]}), parse_check({"kind": "count", "unit": "words", "max": 3}))
    assert judged(ChecksJudge(), task("It is 42", checks=(checks,))).score == 10
    assert judged(ChecksJudge(), task("It is certainly not 41", checks=(checks,))).score == 1


@pytest.mark.parametrize(
    ("texts", "reasons", "error", "kind"),
    [
        (("",), ("stop",), None, "empty_answer"),
        ((" \n\t",), ("stop",), None, "empty_answer"),
        (("",), ("length",), None, "truncated"),
        (("",), ("refused",), None, "refused"),
        (("",), ("content_filter",), None, "refused"),
        ((), (), "HTTP 500", "provider_error"),
    ],
)
def test_what_is_no_answer_is_a_failure_of_its_kind(texts: tuple[str, ...], reasons: tuple[str, ...], error: str | None, kind: str) -> None:
    got = judged(ChecksJudge(), task(*texts, turn=1, reasons=reasons, error=error, checks=((Says("alpha"),),)))
    assert got.score is None
    assert got.failure is not None
    assert got.failure.kind == kind
    assert got.failure.detail


def test_a_turn_after_an_empty_one_shares_its_failure() -> None:
    got = judged(ChecksJudge(), task("", turn=2, turns=("a?", "b?"), reasons=("refused",), checks=((Says("x"),), (Says("y"),))))
    assert got.failure is not None
    assert got.failure.kind == "refused"


def test_a_check_that_does_not_finish_is_no_verdict() -> None:
    got = judged(ChecksJudge(), task("aaaa", checks=((Endless(),),)))
    assert got.score is None
    assert got.failure is not None
    assert (got.failure.kind, got.failure.detail) == ("no_verdict", "pattern 'a*' took over 1 s")


def test_every_judgment_says_what_made_it() -> None:
    judge = ChecksJudge("mine")
    got = judged(judge, task("alpha", checks=((Says("alpha"),),), model="org/m:1", sample=2, question_id="q7", category="math"))
    assert (got.question_id, got.category, got.turn, got.model, got.judge, got.prompt, got.sample) == ("q7", "math", 1, "org/m:1", "mine", "checks", 2)
    assert got.prompt_sha256 == judge.prompt_sha256
    assert len(judge.prompt_sha256) == 64
