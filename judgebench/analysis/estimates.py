"""Means with intervals whose sampling unit is the question."""

from __future__ import annotations

import math
from collections.abc import Iterable

from judgebench.analysis.student_t import t_quantile
from judgebench.types import Estimate


def clustered_mean(clusters: Iterable[tuple[float, int]], scale: tuple[float, float], confidence_level: float = 0.95) -> Estimate:
    """The mean of all values with an interval over clusters (questions).

    The mean pools values, so it is a ratio of two sums over clusters; its variance is the linearised one with the factor
    G / (G - 1), and the interval a t interval with G - 1 degrees of freedom (Cochran, Sampling Techniques, 3rd ed., chapter
    6, ratio estimates; Miller, arXiv 2411.00640, gives the same clustered form for evaluations). It is cut at the ends of
    the scale. Where all clusters agree, that interval would have no width: then the bounds are those between which the mean
    would lie if a share of 1 - (alpha/2)^(1/G) of all questions lay at the far end of the scale (the exact binomial bound
    for an event that was never seen, known as the rule of three).

    Args:
        clusters: (sum, count) of the values of each cluster; count may be 0. scale: the lowest and highest possible value.

    Returns:
        n counts values. Without any value there is no estimate; with one cluster there is no interval.
    """
    held = [(s, k) for s, k in clusters if k > 0]
    n, g = sum(k for _, k in held), len(held)
    if n == 0:
        return Estimate(None, None, None, 0, "nothing was judged", confidence_level)
    mean = math.fsum(s for s, _ in held) / n
    if g < 2:
        return Estimate(mean, None, None, n, "one question alone has no interval", confidence_level)
    alpha = 1 - confidence_level
    residuals = [s - k * mean for s, k in held]
    error = math.sqrt(g / (g - 1) * math.fsum(r * r for r in residuals)) / n
    if error <= 1e-12 * max(1.0, abs(mean)):
        unseen = 1 - (alpha / 2) ** (1 / g)
        low, high = mean - (mean - scale[0]) * unseen, mean + (scale[1] - mean) * unseen
        return Estimate(mean, low, high, n, f"all {g} questions agree: exact bound for the unseen", confidence_level)
    half = t_quantile(1 - alpha / 2, g - 1) * error
    return Estimate(mean, max(scale[0], mean - half), min(scale[1], mean + half), n, f"t interval over {g} questions as clusters", confidence_level)
