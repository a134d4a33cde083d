"""Single-answer scores: a leaderboard with intervals by question, per turn and per category, and bounds for failures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from judgebench.analysis.estimates import clustered_mean
from judgebench.types import Estimate


class ScoreRow(NamedTuple):
    """One judgment as this analysis needs it; `score` is None for a failure."""

    model: str
    question: str
    category: str
    turn: int
    score: float | None


@dataclass(frozen=True)
class ModelScores:
    """One model's row of a leaderboard.

    Attributes:
        score: over all judged turns, pooled. turns, categories: the same by turn and by category.
        n_failures: judgments without a score. lowest, highest: `score` if all of them had been scored lowest or highest; None
            where there is no judgment at all.
    """

    model: str
    score: Estimate
    turns: Mapping[int, Estimate]
    categories: Mapping[str, Estimate]
    n_failures: int
    lowest: float | None
    highest: float | None


Clusters = dict[str, list[float]]  # question -> its scores: kept, as a running sum would depend on their order


@dataclass
class _Tally:
    everything: Clusters = field(default_factory=dict)
    turns: dict[int, Clusters] = field(default_factory=dict)
    categories: dict[str, Clusters] = field(default_factory=dict)
    failures: int = 0

    def add(self, row: ScoreRow) -> None:
        of_turn, of_category = self.turns.setdefault(row.turn, {}), self.categories.setdefault(row.category, {})
        if row.score is None:
            self.failures += 1
            return
        for clusters in (self.everything, of_turn, of_category):
            clusters.setdefault(row.question, []).append(row.score)


def leaderboard(
    rows: Iterable[ScoreRow], scale: tuple[float, float] = (1.0, 10.0), confidence_level: float = 0.95, *, models: Iterable[str] = ()
) -> tuple[ModelScores, ...]:
    """Scores of every model, best first (models without a score last, then by name).

    Args:
        rows: one per judgment, in any order; read once. scale: of the scores. models: those that get a row even without any
            judgment.
    """
    tallies: dict[str, _Tally] = {model: _Tally() for model in models}
    for row in rows:
        tallies.setdefault(row.model, _Tally()).add(row)
    boards = [_model_scores(model, tally, scale, confidence_level) for model, tally in tallies.items()]
    # twelve digits: means that differ by rounding alone are equal, and go by name
    return tuple(sorted(boards, key=lambda b: (b.score.value is None, -round(b.score.value or 0.0, 12), b.model)))


def _model_scores(model: str, tally: _Tally, scale: tuple[float, float], level: float) -> ModelScores:
    def estimate(clusters: Clusters) -> Estimate:
        return clustered_mean(((math.fsum(scores), len(scores)) for scores in clusters.values()), scale, level)

    score = estimate(tally.everything)
    total, n, failed = (score.value or 0.0) * score.n, score.n, tally.failures
    lowest, highest = ((total + failed * end) / (n + failed) if n + failed else None for end in scale)
    turns = {turn: estimate(clusters) for turn, clusters in sorted(tally.turns.items())}
    return ModelScores(model, score, turns, {c: estimate(k) for c, k in tally.categories.items()}, failed, lowest, highest)


class JudgedItem(NamedTuple):
    """A judgment with its judge, for putting several judges together."""

    judge: str
    sample: int
    row: ScoreRow


def mean_over_judges(items: Iterable[JudgedItem], judges: int) -> list[ScoreRow]:
    """One row per judged item: the mean over all judges' scores, None where any judge gave none.

    An item is (model, question, turn, sample). Only items that every judge scored have a mean, so that a judge who fails
    more often does not shift it: an item where any judge failed is a failure. An item that some judge does not judge at all
    (the checks, where a turn has none) is left out.
    """
    kept: dict[tuple[str, str, int, int], dict[str, ScoreRow]] = {}
    for item in items:
        kept.setdefault((item.row.model, item.row.question, item.row.turn, item.sample), {})[item.judge] = item.row
    return [_mean_row(list(rows.values())) for rows in kept.values() if len(rows) == judges]


def _mean_row(rows: Sequence[ScoreRow]) -> ScoreRow:
    scores = [r.score for r in rows if r.score is not None]
    return rows[0]._replace(score=math.fsum(scores) / len(scores) if len(scores) == len(rows) else None)
