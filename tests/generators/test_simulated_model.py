"""A simulated model: the same on every machine, as good as its skill says, and of a length that says nothing about it."""

import asyncio
import math
import statistics

import pytest

from judgebench.generators.simulated import Simulated
from judgebench.simulation import marked_quality
from judgebench.types import Message, Request, Sampling

N = 4000


def texts(model: Simulated, n: int, *, turn: int = 1, sample: int = 0) -> list[str]:
    async def asked() -> list[str]:
        return [(await model.generate(Request((Message("user", "?"),), Sampling(), sample, question_id=i, turn=turn))).text for i in range(n)]

    return asyncio.run(asked())


def qualities(said: list[str]) -> list[float]:
    found = [marked_quality(text) for text in said]
    assert None not in found
    return [q for q in found if q is not None]


def logits(values: list[float]) -> list[float]:
    return [math.log(q / (1 - q)) for q in values]


def test_the_same_model_says_the_same() -> None:
    assert texts(Simulated(0.7, 1), 20) == texts(Simulated(0.7, 1), 20)
    assert texts(Simulated(0.7, 1), 1)[0].startswith("[latent quality 0.598412] Simulated answer to question 0, turn 1: answer weighs")


@pytest.mark.parametrize("other", [{"turn": 2}, {"sample": 1}], ids=str)
def test_turns_and_samples_differ(other: dict[str, int]) -> None:
    assert not set(texts(Simulated(0.7, 1), 50)) & set(texts(Simulated(0.7, 1), 50, **other))


def test_seeds_and_questions_differ() -> None:
    assert len(set(qualities(texts(Simulated(0.7, 1), 50) + texts(Simulated(0.7, 2), 50)))) == 100


@pytest.mark.parametrize("skill", [0.2, 0.5, 0.8])
def test_quality_lies_around_the_skill_in_logits(skill: float) -> None:
    got = logits(qualities(texts(Simulated(skill, 3), N)))
    spread = math.hypot(0.6, 0.4)  # of the question and of the turn
    assert statistics.fmean(got) == pytest.approx(math.log(skill / (1 - skill)), abs=4 * spread / math.sqrt(N))
    assert statistics.stdev(got) == pytest.approx(spread, rel=4 / math.sqrt(2 * N))


def test_the_turns_of_a_question_share_its_difficulty() -> None:
    model = Simulated(0.5, 3)
    first, second = (logits(qualities(texts(model, N, turn=t))) for t in (1, 2))
    expected = 0.36 / (0.36 + 0.16)
    assert statistics.correlation(first, second) == pytest.approx(expected, abs=4 * (1 - expected**2) / math.sqrt(N))


def test_a_better_skill_is_better_on_every_question() -> None:
    low, middle, high = (qualities(texts(Simulated(skill, 5), 200)) for skill in (0.1, 0.5, 0.9))
    assert all(a < b < c for a, b, c in zip(low, middle, high, strict=True))


def test_quality_says_nothing_about_length() -> None:
    said = texts(Simulated(0.6, 7), N)
    assert abs(statistics.correlation(logits(qualities(said)), [math.log(len(t)) for t in said])) < 4 / math.sqrt(N)


def test_verbosity_changes_the_length_and_not_the_quality() -> None:
    short, long = (texts(Simulated(0.6, 7, verbosity), 300) for verbosity in (0.5, 2.0))
    assert qualities(short) == qualities(long)
    ratio = statistics.fmean(len(t.split()) for t in long) / statistics.fmean(len(t.split()) for t in short)
    assert 3 < ratio < 4.2  # four times the words, and the same few around them


def test_the_ends_of_the_scale_stay_in_it() -> None:
    for skill in (0.0, 1.0):
        assert all(0 <= q <= 1 for q in qualities(texts(Simulated(skill, 1), 100)))


def test_it_costs_nothing() -> None:
    model = Simulated()
    assert not model.remote
    assert model.identity == "simulated skill=0.5 seed=0 verbosity=1"
