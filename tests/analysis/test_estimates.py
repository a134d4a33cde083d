"""The clustered mean: worked by hand, its laws, and how often its interval holds the truth."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from judgebench.analysis.estimates import clustered_mean
from judgebench.types import Estimate

SCALE = (1.0, 10.0)
WIDE = (-1e9, 1e9)  # ends that never cut an interval
Clusters = list[list[float]]

clusters_of_scores = st.lists(st.lists(st.integers(1, 10).map(float), min_size=1, max_size=4), min_size=2, max_size=12)


def estimate(clusters: Clusters, scale: tuple[float, float] = WIDE, level: float = 0.95) -> Estimate:
    return clustered_mean([(math.fsum(c), len(c)) for c in clusters], scale, level)


def close(a: Estimate, b: Estimate) -> bool:
    return a.n == b.n and all(x == pytest.approx(y, rel=1e-9, abs=1e-9) for x, y in ((a.value, b.value), (a.low, b.low), (a.high, b.high)))


def test_a_worked_example() -> None:
    """Three questions with scores (8, 6), (4) and (9, 9, 6): n = 6, sum 42, mean 7.

    Residual sums: 14 - 2*7 = 0, 4 - 7 = -3, 24 - 3*7 = 3; their squares add up to 18. With G = 3 the variance is
    (3/2) * 18 / 6^2 = 0.75, the standard error 0.8660254. The 97.5 % point of t with 2 degrees of freedom is
    sqrt(2) * 0.95 / sqrt(1 - 0.95^2) = 4.3026527, so the interval is 7 -+ 3.7262060.
    """
    got = estimate([[8, 6], [4], [9, 9, 6]])
    assert got.value == 7
    assert (got.low, got.high) == (pytest.approx(3.2737940, abs=1e-6), pytest.approx(10.7262060, abs=1e-6))
    assert got.n == 6


def test_the_interval_is_cut_at_the_ends_of_the_scale() -> None:
    assert estimate([[8, 6], [4], [9, 9, 6]], SCALE).high == 10
    assert estimate([[1], [1], [2]], SCALE).low == 1


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_singletons_give_the_ordinary_t_interval(level: float) -> None:
    values = [3.0, 7.0, 8.0, 8.0, 1.0, 10.0, 5.5]
    low, high = stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    got = estimate([[v] for v in values], level=level)
    assert (got.low, got.high) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))
    assert got.confidence_level == level


def test_equal_clusters_give_the_t_interval_of_their_means() -> None:
    clusters = [[3.0, 5.0], [7.0, 8.0], [2.0, 2.0], [10.0, 9.0]]
    means = [sum(c) / 2 for c in clusters]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(means), scale=stats.sem(means))
    got = estimate(clusters)
    assert (got.low, got.high) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))


@given(clusters_of_scores, st.randoms(use_true_random=False))
def test_the_order_of_questions_and_of_their_rows_does_not_matter(clusters: Clusters, rng: random.Random) -> None:
    shuffled = [rng.sample(c, len(c)) for c in rng.sample(clusters, len(clusters))]
    assert close(estimate(shuffled), estimate(clusters))


@given(clusters_of_scores)
def test_empty_clusters_change_nothing(clusters: Clusters) -> None:
    assert estimate([[], *clusters, []]) == estimate(clusters)


@given(clusters_of_scores, st.floats(0.1, 50), st.floats(-100, 100))
def test_it_moves_and_stretches_with_the_scores(clusters: Clusters, factor: float, shift: float) -> None:
    """Affine equivariance, the ends of the scale moved too."""
    moved = estimate([[factor * x + shift for x in c] for c in clusters], (factor * 1 + shift, factor * 10 + shift))
    plain = estimate(clusters, SCALE)
    assert plain.value is not None
    assert plain.low is not None
    assert plain.high is not None
    for got, before in ((moved.value, plain.value), (moved.low, plain.low), (moved.high, plain.high)):
        assert got == pytest.approx(factor * before + shift, rel=1e-7, abs=1e-7)


@given(clusters_of_scores)
def test_turning_the_scale_round_swaps_the_ends(clusters: Clusters) -> None:
    turned, plain = estimate([[11 - x for x in c] for c in clusters], SCALE), estimate(clusters, SCALE)
    assert plain.high is not None
    assert plain.low is not None
    assert (turned.low, turned.high) == (pytest.approx(11 - plain.high), pytest.approx(11 - plain.low))


@given(clusters_of_scores)
def test_the_interval_holds_the_mean_and_stays_on_the_scale(clusters: Clusters) -> None:
    got = estimate(clusters, SCALE)
    assert got.value is not None
    assert got.low is not None
    assert got.high is not None
    assert SCALE[0] <= got.low <= got.value <= got.high <= SCALE[1]
    assert got.low < got.high


@given(clusters_of_scores, st.integers(2, 5))
def test_more_questions_like_these_narrow_the_interval(clusters: Clusters, copies: int) -> None:
    few, many = estimate(clusters), estimate(clusters * copies)
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low < few.high - few.low


@given(clusters_of_scores, st.integers(2, 5))
def test_repeating_the_rows_of_every_question_buys_nothing(clusters: Clusters, copies: int) -> None:
    """Ten judgments of one answer are not ten answers: only questions narrow the interval."""
    few, many = estimate(clusters), estimate([c * copies for c in clusters])
    assert (many.value, many.low, many.high) == (pytest.approx(few.value), pytest.approx(few.low), pytest.approx(few.high))


@pytest.mark.parametrize(("score", "questions"), [(10.0, 80), (1.0, 10), (7.0, 2)])
def test_where_all_agree_the_bounds_are_the_exact_binomial_ones(score: float, questions: int) -> None:
    """Clopper and Pearson's upper bound for no event in G trials is 1 - (alpha/2)^(1/G), for the share at a far end."""
    share = stats.binomtest(0, questions).proportion_ci(0.95, method="exact").high
    got = estimate([[score, score]] * questions, SCALE)
    assert got.value == score
    assert got.low == pytest.approx(score - (score - 1) * share)
    assert got.high == pytest.approx(score + (10 - score) * share)
    assert "agree" in got.method


def test_agreement_in_decimals_is_agreement_too() -> None:
    """0.1 + 0.2 is not 0.3 in binary: rounding must not pass for spread."""
    got = estimate([[8.1, 8.1, 8.1]] * 30, SCALE)
    assert "agree" in got.method
    assert got.low is not None
    assert got.low < 7.5


def test_one_question_has_a_value_and_no_interval() -> None:
    got = estimate([[7.0, 9.0]])
    assert (got.value, got.low, got.high, got.n) == (8.0, None, None, 2)
    assert "one question" in got.method


def test_nothing_has_no_value() -> None:
    for clusters in ([], [[]], [[], []]):
        got = estimate(clusters)
        assert (got.value, got.low, got.high, got.n) == (None, None, None, 0)
        assert got.method


REPETITIONS = 2000
TRUTH_DRAWS = 2_000_000


def simulated_scores(rng: np.random.Generator, repetitions: int, questions: int) -> np.ndarray:
    """Whole scores 1 to 10 with an effect of the question (sd 1.8) and of the turn (sd 1.2), shape (repetitions, questions, 2)."""
    of_question = rng.normal(0, 1.8, (repetitions, questions, 1))
    of_turn = rng.normal(0, 1.2, (repetitions, questions, 2))
    return np.clip(np.round(7.2 + of_question + of_turn - np.array([0.0, 0.6])), 1, 10)


def coverage(questions: int, *, as_clusters: bool) -> float:
    """The share of 2,000 data sets whose interval holds the true mean."""
    rng = np.random.default_rng(20261121)
    truth = float(simulated_scores(rng, 1, TRUTH_DRAWS).mean())
    held = 0
    for scores in simulated_scores(rng, REPETITIONS, questions).tolist():
        clusters = scores if as_clusters else [[score] for turns in scores for score in turns]
        got = estimate(clusters, SCALE)
        assert got.low is not None
        assert got.high is not None
        held += got.low <= truth <= got.high
    return held / REPETITIONS


@pytest.mark.parametrize(("questions", "low", "high"), [(10, 0.93, 0.97), (20, 0.93, 0.97), (80, 0.935, 0.965)])
def test_ninety_five_percent_intervals_hold_the_truth_that_often(questions: int, low: float, high: float) -> None:
    """The Monte Carlo standard error of 95 % in 2,000 repetitions is 0.5 %: 80 questions must lie within three of them."""
    share = coverage(questions, as_clusters=True)
    print(f"coverage with {questions} questions: {share:.2%}")
    assert low <= share <= high


def test_two_turns_taken_for_two_questions_would_promise_too_much() -> None:
    """The same data without clusters: the interval is too narrow, so the test above can tell."""
    assert coverage(80, as_clusters=False) < 0.9
