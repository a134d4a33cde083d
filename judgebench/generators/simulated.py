"""A simulated model: a latent quality per question around its skill, and texts that carry it. Deterministic, no network."""

from __future__ import annotations

import math

from judgebench.simulation import logit, mark, seeded, sigmoid
from judgebench.types import Request, Response, Usage

_WORDS = "the answer weighs each point in turn and gives a reason for it before it goes on to the next one so that a reader can follow and check".split()
_QUESTION_SD = 0.6  # logits, over questions
_TURN_SD = 0.4  # logits, over the turns of a question
_MEAN_WORDS, _LENGTH_SD = 90.0, 0.5


class Simulated:
    """A model of known skill.

    Args:
        skill: mean latent quality in [0, 1], on the logit scale. seed: of this model's draws.
        verbosity: factor on the length of its answers, which says nothing about their quality.
    """

    remote = False

    def __init__(self, skill: float = 0.5, seed: int = 0, verbosity: float = 1.0) -> None:
        self.skill, self.seed, self.verbosity = skill, seed, verbosity
        self.identity = f"simulated skill={skill:g} seed={seed} verbosity={verbosity:g}"

    def quality(self, question_id: object, turn: int, sample: int = 0) -> float:
        """The latent quality in [0, 1] of the answer to a question's turn."""
        of_question = seeded(self.seed, "quality", question_id, sample).gauss(0.0, _QUESTION_SD)
        of_turn = seeded(self.seed, "quality", question_id, turn, sample).gauss(0.0, _TURN_SD)
        return sigmoid(logit(self.skill) + of_question + of_turn)

    async def generate(self, request: Request) -> Response:
        """A text that carries its quality, of a length that is independent of it."""
        quality = self.quality(request.question_id, request.turn, request.sample)
        rng = seeded(self.seed, "text", request.question_id, request.turn, request.sample)
        count = max(5, round(_MEAN_WORDS * self.verbosity * math.exp(rng.gauss(0.0, _LENGTH_SD))))
        start = rng.randrange(len(_WORDS))
        words = " ".join(_WORDS[(start + i) % len(_WORDS)] for i in range(count))
        text = f"{mark(quality)} Simulated answer to question {request.question_id}, turn {request.turn}: {words}."
        return Response(text, "stop", self.identity, Usage(0, 0))

    async def close(self) -> None:
        """Nothing to release."""
