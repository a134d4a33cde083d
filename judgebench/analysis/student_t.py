"""Quantiles of Student's t distribution, without scipy (whose import takes longer than a whole report)."""

from __future__ import annotations

import functools
import math


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` > 0 degrees of freedom (Abramowitz and Stegun 26.7.1 with 26.5.8)."""
    tail = 0.5 * _incomplete_beta(df / (df + t * t), t * t / (df + t * t), df / 2, 0.5)
    return 1 - tail if t > 0 else tail


@functools.lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """The p quantile, to about 1e-11 for 1e-6 < p < 1 - 1e-6: bisection on the distribution function, bracketed by doubling.

    Raises:
        ValueError: p does not lie between 0 and 1, or df is not positive.
    """
    if not (0 < p < 1 and df > 0):
        raise ValueError(f"t_quantile needs 0 < p < 1 and df > 0, not {p} and {df}")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def _incomplete_beta(x: float, y: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical Recipes 6.4).

    y is 1 - x, worked out by the caller: where x is almost 1, the difference would have no digits left.
    """
    if x <= 0 or y <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(y, x, b, a)
    front = math.exp(-_log_beta(a, b) + a * _log_share(x, y) + b * _log_share(y, x)) / a
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            return front * fraction
    return front * fraction


def _log_share(x: float, y: float) -> float:
    """log(x) where x + y = 1."""
    return math.log(x) if x < 0.5 else math.log1p(-y)


def _log_beta(a: float, b: float) -> float:
    """Log B(a, b). Beside 1/2 a large number gets its asymptotic series: the difference of two log-gammas would lose digits."""
    small, large = min(a, b), max(a, b)
    if small != 0.5 or large < 50:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    step = 0.5 * math.log(large) - 1 / (8 * large) + 1 / (192 * large**3) - 1 / (640 * large**5)
    return math.lgamma(0.5) - step


def _away_from_zero(x: float) -> float:
    return x if abs(x) > 1e-300 else 1e-300
