"""The simulated judge is ground truth for other tests, so its own biases must be what they are called."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from records import judged, task

from judgebench.checks.registry import parse_check
from judgebench.generators.simulated import Simulated
from judgebench.judges.simulated import SimulatedJudge
from judgebench.simulation import hashed_quality, logistic_noise, logit, mark, marked_quality, seeded, sigmoid
from judgebench.types import Request, Sampling

N = 4000


def answer(quality: float, characters: int = 500, nonce: int = 0) -> str:
    text = f"{mark(quality)} {nonce} "
    return text + "x" * (characters - len(text))


def scores(judge: SimulatedJudge, answers: list[str], models: list[str] | None = None) -> np.ndarray:
    got = [judged_score(judge, text, model) for text, model in zip(answers, models or ["m"] * len(answers), strict=True)]
    return np.array(got)


def judged_score(judge: SimulatedJudge, text: str, model: str = "m") -> float:
    # The coroutine never waits: driven by hand it costs no event loop.
    with pytest.raises(StopIteration) as stop:
        judge.judge(task(text, model=model)).send(None)
    assert stop.value.value.score is not None
    return float(stop.value.value.score)


def as_logit(scores_: np.ndarray) -> np.ndarray:
    """Scores back on the logit scale, kept off its ends by half a step."""
    share = np.clip((scores_ - 1) / 9, 1 / 18, 1 - 1 / 18)
    return np.log(share / (1 - share))


def slope(x: np.ndarray, y: np.ndarray, *others: np.ndarray) -> float:
    design = np.column_stack([np.ones_like(x), x, *others])
    return float(np.linalg.lstsq(design, y, rcond=None)[0][1])


def test_without_bias_or_noise_the_score_is_the_quality() -> None:
    judge = SimulatedJudge(noise=0)
    for quality in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        assert judged_score(judge, answer(quality)) == round(1 + 9 * quality)


def test_it_is_monotone_in_quality() -> None:
    got = scores(SimulatedJudge(noise=0, length=0.7), [answer(q) for q in np.linspace(0, 1, 200)])
    assert np.all(np.diff(got) >= 0)
    noisy = SimulatedJudge(noise=0.5)
    means = [scores(noisy, [answer(q, nonce=i) for i in range(300)]).mean() for q in (0.2, 0.4, 0.6, 0.8)]
    assert means == sorted(means)
    assert means[-1] - means[0] > 4


@pytest.mark.parametrize("bias", [-1.0, 0.0, 0.5, 1.0])
def test_a_planted_length_bias_is_found_by_regression(bias: float) -> None:
    rng = np.random.default_rng(7)
    quality, characters = rng.uniform(0.35, 0.65, N), rng.integers(120, 2500, N)
    texts = [answer(float(q), int(c), i) for i, (q, c) in enumerate(zip(quality, characters, strict=True))]
    got = as_logit(scores(SimulatedJudge(noise=0.2, length=bias), texts))
    covariate = np.tanh(np.log(np.array([len(t) for t in texts]) / 500))
    assert slope(covariate, got, np.log(quality / (1 - quality))) == pytest.approx(bias, abs=0.06)


@pytest.mark.parametrize("bias", [-0.8, 0.0, 0.8])
def test_a_planted_self_preference_is_found_by_regression(bias: float) -> None:
    rng = np.random.default_rng(8)
    quality = rng.uniform(0.35, 0.65, N)
    own = np.arange(N) % 2 == 0
    texts = [answer(float(q), nonce=i) for i, q in enumerate(quality)]
    judge = SimulatedJudge(noise=0.2, self_=bias, favours="mine")
    got = as_logit(scores(judge, texts, ["mine" if o else "other" for o in own]))
    assert slope(own.astype(float), got, np.log(quality / (1 - quality))) == pytest.approx(bias, abs=0.06)


def test_without_a_favourite_it_prefers_the_model_of_its_own_name() -> None:
    judge = SimulatedJudge("gpt", noise=0, self_=2.0)
    assert judged_score(judge, answer(0.5), "gpt") == round(1 + 9 * sigmoid(2))
    assert judged_score(judge, answer(0.5), "other") == round(1 + 9 * 0.5)


@pytest.mark.parametrize("noise", [0.1, 0.4, 1.5])
def test_scores_are_spread_as_logistic_noise_spreads_them(noise: float) -> None:
    """At quality 1/2 a score is at least k when noise * L >= logit((k - 1.5) / 9), with L standard logistic; 0.03 is four
    standard errors of a share of 4,000."""
    got = scores(SimulatedJudge(noise=noise), [answer(0.5, nonce=i) for i in range(N)])
    for k in range(2, 11):
        assert (got >= k).mean() == pytest.approx(sigmoid(-logit((k - 1.5) / 9) / noise), abs=0.03), k


def test_noise_depends_on_answer_seed_sample_and_question_alone() -> None:
    def scored(**fields: object) -> list[float | None]:
        given = {"seed": 1, "sample": 0, "question_id": 1, **fields}
        judge = SimulatedJudge(noise=1.0, seed=given["seed"])  # type: ignore[arg-type]
        return [judged(judge, task(answer(0.5, nonce=i), sample=given["sample"], question_id=given["question_id"])).score for i in range(30)]  # type: ignore[arg-type]

    assert scored() == scored()
    assert len({tuple(scored()), tuple(scored(seed=2)), tuple(scored(sample=1)), tuple(scored(question_id=2))}) == 4


def test_it_is_the_same_in_every_process() -> None:
    code = (
        "import asyncio\nfrom judgebench.judges.simulated import SimulatedJudge\nfrom judgebench.generators.simulated import Simulated\n"
        "from judgebench.types import *\n"
        "g, j = Simulated(0.6, 3), SimulatedJudge(noise=0.8, length=0.4)\n"
        "async def main():\n"
        "    for q in range(40):\n"
        "        r = await g.generate(Request((), Sampling(), 0, '', q, 'c', 1))\n"
        "        print((await j.judge(JudgingTask(Question(q, 'c', ('?',)), Answer(q, 'm', (r.text,)), 1))).score, len(r.text))\n"
        "asyncio.run(main())\n"
    )
    said = {subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": s}, capture_output=True, text=True, check=True).stdout for s in ("0", "1", "77")}
    assert len(said) == 1
    assert len(set(said.pop().splitlines())) > 20


def test_an_unmarked_answer_is_as_good_as_its_checks_say() -> None:
    checks = tuple(parse_check({"kind": "contains", "all": [w]}) for w in ("a", "b", "c", "d"))
    judge = SimulatedJudge(noise=0)
    assert judged(judge, task("a b", checks=(checks,))).score == round(1 + 9 * 0.5)
    assert judged(judge, task("a b c d", checks=(checks,))).score == 10


def test_an_unmarked_answer_without_checks_has_some_fixed_quality() -> None:
    texts = [f"answer {i}" for i in range(400)]
    qualities = [hashed_quality(t) for t in texts]
    assert [hashed_quality(t) for t in texts] == qualities
    assert all(0 < q < 1 for q in qualities)
    assert np.mean(qualities) == pytest.approx(0.5, abs=0.05)
    assert 0 < hashed_quality("half \ud800") < 1


@pytest.mark.parametrize(("texts", "kind"), [(("",), "empty_answer"), ((), "provider_error")])
def test_what_is_no_answer_is_no_score(texts: tuple[str, ...], kind: str) -> None:
    got = judged(SimulatedJudge(), task(*texts, turn=1))
    assert got.score is None
    assert got.failure is not None
    assert got.failure.kind == kind


def test_the_hash_names_every_setting() -> None:
    settings = [{}, {"noise": 0.3}, {"length": 0.3}, {"position": 0.3}, {"self_": 0.3}, {"self_": 0.3, "favours": "x"}, {"seed": 3}]
    assert len({SimulatedJudge(**s).prompt_sha256 for s in settings}) == len(settings)  # type: ignore[arg-type]


def test_marks_carry_qualities_and_nothing_else_is_a_mark() -> None:
    for quality in (0.0, 0.123456, 0.5, 1.0):
        assert marked_quality(f"so {mark(quality)} it is") == quality
    for text in ("", "latent quality 0.500000", "[latent quality 7]", "[latent quality 1.500000]"):
        assert marked_quality(text) is None


def test_logits_and_shares_undo_each_other_without_overflow() -> None:
    for p in (0.001, 0.3, 0.5, 0.999):
        assert sigmoid(logit(p)) == pytest.approx(p, rel=1e-12)
    assert (sigmoid(-1e4), sigmoid(1e4)) == (0, 1)
    assert (logit(0), logit(1)) == (pytest.approx(math.log(1e-6), rel=1e-5), pytest.approx(-math.log(1e-6), rel=1e-5))


def test_the_noise_is_standard_logistic() -> None:
    rng = seeded("noise", 1)
    draws = np.array([logistic_noise(rng) for _ in range(20_000)])
    assert draws.mean() == pytest.approx(0, abs=0.05)
    assert draws.std() == pytest.approx(math.pi / math.sqrt(3), rel=0.03)


def test_a_simulated_model_has_the_skill_that_its_texts_carry() -> None:
    model = Simulated(0.7, seed=4)
    request = Request((), Sampling(), 0, "", 5, "c", 2)
    coroutine = model.generate(request)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert marked_quality(stop.value.value.text) == pytest.approx(model.quality(5, 2), abs=1e-6)
    logits = [logit(model.quality(q, 1)) for q in range(2000)]
    assert np.mean(logits) == pytest.approx(logit(0.7), abs=0.06)
