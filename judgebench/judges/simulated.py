"""A simulated judge: the true quality seen through logistic noise, with biases of chosen size. Ground truth for tests."""

from __future__ import annotations

import math

from judgebench.checks import CheckTimeout
from judgebench.formats.jsonl import sha256_text
from judgebench.judges.answered import judgment_of, unjudgeable
from judgebench.simulation import hashed_quality, logistic_noise, logit, marked_quality, seeded, sigmoid
from judgebench.types import JudgingTask, Judgment, Question

_TYPICAL_CHARACTERS = 500.0


class SimulatedJudge:
    """A judge whose errors are known.

    The quality is the one that a simulated answer carries; else the share of the turn's checks that pass; else a number
    that depends on the text alone. The score is 1 + 9 sigmoid(logit(quality) + length * tanh(log(characters / 500))
    + self * [the model is the favoured one] + noise * logistic), rounded to a whole number.

    Args:
        noise: factor on standard logistic noise. length: logits by which a long answer gains. position: logits by which the
            first slot gains, in pairs. self_: logits by which the model called `favours` gains; without `favours` that is
            the model that bears the judge's own name, as when a model judges itself. seed: of the noise.
    """

    prompt, remote = "simulated", False

    def __init__(
        self, name: str = "simulated", *, noise: float = 0.2, length: float = 0.0, position: float = 0.0, self_: float = 0.0,
        favours: str | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.name = name
        self.noise, self.length, self.position, self.self_, self.seed = noise, length, position, self_, seed
        self.favours = name if favours is None else favours
        self.prompt_sha256 = sha256_text(f"simulated {noise} {length} {position} {self_} {self.favours if self_ else ''} {seed}")

    def judges_turn(self, question: Question, turn: int) -> bool:
        return True

    async def judge(self, task: JudgingTask) -> Judgment:
        """One judgment, the same for the same answer, seed and sample."""
        failure = unjudgeable(task)
        score = None if failure else float(round(1 + 9 * sigmoid(self._seen(task))))
        text = None if score is None else f"Rating: [[{score:g}]]"
        return judgment_of(task, self.name, self.prompt, self.prompt_sha256, text=text, score=score, failure=failure)

    async def close(self) -> None:
        """Nothing to release."""

    def _seen(self, task: JudgingTask) -> float:
        text = task.answer.turns[task.turn - 1]
        rng = seeded(self.seed, "judge", task.question.id, task.turn, task.sample, text)
        shift = self.length * math.tanh(math.log(max(1, len(text)) / _TYPICAL_CHARACTERS))
        shift += self.self_ if task.answer.model == self.favours else 0.0
        return logit(_quality(task, text)) + shift + self.noise * logistic_noise(rng)


def _quality(task: JudgingTask, text: str) -> float:
    marked = marked_quality(text)
    if marked is not None:
        return marked
    checks = task.question.turn_checks(task.turn)
    if not checks:
        return hashed_quality(text)
    try:
        share = sum(check.passes(text) for check in checks) / len(checks)
    except CheckTimeout:
        return hashed_quality(text)
    return min(max(share, 0.02), 0.98)
