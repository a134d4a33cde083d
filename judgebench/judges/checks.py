"""The checks judge: 1 + 9 times the share of a turn's programmatic checks that pass. Costs nothing and is never wrong about
what it looks at; it looks at nothing else."""

from __future__ import annotations

from judgebench.checks import CheckTimeout
from judgebench.formats.jsonl import sha256_text
from judgebench.judges.answered import judgment_of, unjudgeable
from judgebench.types import Failure, JudgingTask, Judgment, Question

VERSION = "1"


class ChecksJudge:
    """Grades a turn by its checks; it judges no turn that has none."""

    prompt, remote = "checks", False

    def __init__(self, name: str = "checks") -> None:
        self.name = name
        self.prompt_sha256 = sha256_text(f"checks {VERSION}")

    def judges_turn(self, question: Question, turn: int) -> bool:
        return bool(question.turn_checks(turn))

    async def judge(self, task: JudgingTask) -> Judgment:
        """One judgment; its text lists the checks that failed."""
        failure, score, text = unjudgeable(task), None, None
        if failure is None:
            try:
                score, text = self._graded(task)
            except CheckTimeout as error:
                failure = Failure("no_verdict", str(error))
        return judgment_of(task, self.name, self.prompt, self.prompt_sha256, text=text, score=score, failure=failure)

    async def close(self) -> None:
        """Nothing to release."""

    def _graded(self, task: JudgingTask) -> tuple[float, str]:
        checks, answer = task.question.turn_checks(task.turn), task.answer.turns[task.turn - 1]
        failed = [(i, check) for i, check in enumerate(checks, 1) if not check.passes(answer)]
        passed = len(checks) - len(failed)
        named = "".join(f"\nfailed: check {i}{f' ({check.note})' if check.note else ''}" for i, check in failed)
        return 1 + 9 * passed / len(checks), f"{passed} of {len(checks)} checks passed{named}"
