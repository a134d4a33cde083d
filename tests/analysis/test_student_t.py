"""Student's t against scipy, which is a dependency of the tests alone."""

import math

import pytest
from scipy import stats

from judgebench.analysis.student_t import t_cdf, t_quantile

DEGREES = (0.5, 1, 2, 2.5, 3, 4, 5, 7, 9, 12, 19, 30, 79, 159, 499, 1000, 10_000, 1_000_000)
PROBABILITIES = (0.001, 0.005, 0.025, 0.05, 0.2, 0.4, 0.5, 0.6, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9995)


@pytest.mark.parametrize("df", DEGREES)
def test_quantiles_are_those_of_scipy(df: float) -> None:
    for p in PROBABILITIES:
        assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-9), p


@pytest.mark.parametrize("df", DEGREES)
def test_the_distribution_function_is_that_of_scipy(df: float) -> None:
    for t in (-400.0, -12.7, -3.1, -1.0, -1e-3, 0.0, 1e-9, 0.3, 1.96, 4.0, 63.7, 1e6):
        assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-9, abs=1e-12), t


def test_one_degree_of_freedom_is_the_cauchy_distribution() -> None:
    assert t_quantile(0.975, 1) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)


def test_the_quantile_undoes_the_distribution_function() -> None:
    for df in (1, 4, 79):
        for t in (-2.5, -0.1, 0.7, 3.0):
            assert t_quantile(t_cdf(t, df), df) == pytest.approx(t, rel=1e-10)


@pytest.mark.parametrize(("p", "df"), [(0.0, 5), (1.0, 5), (-0.1, 5), (1.5, 5), (math.nan, 5), (0.9, 0), (0.9, -1), (0.9, math.nan)])
def test_what_is_no_probability_or_no_degree_of_freedom_is_refused(p: float, df: float) -> None:
    with pytest.raises(ValueError, match="0 < p < 1"):
        t_quantile(p, df)
