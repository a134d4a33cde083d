"""What has happened so far in a run, for the progress display and run.json. Counts only: nothing here prints."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from judgebench.types import Usage


@dataclass
class Counters:
    """Running totals of one run.

    Attributes:
        planned, done, failed: judgments. asked: calls that were answered. from_log: answers read back from the log.
        retried: failed tries by kind. in_flight: calls under way. paid_twice: answers that another process gave first.
        cost: US dollars so far, of calls with a known price. waiting: for endpoints that have not answered yet, when their first call was sent (seconds, monotonic).
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    asked: int = 0
    from_log: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    paid_twice: int = 0
    retried: Counter[str] = field(default_factory=Counter)
    usage: Usage = Usage(0, 0)
    usage_from_log: Usage = Usage(0, 0)
    cost_from_log: float = 0.0
    cost: float | None = None
    started: float = field(default_factory=time.monotonic)
    first_call: float | None = None
    waiting: dict[str, float] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)

    def sent(self, who: str) -> None:
        """A call to a model or judge is being sent."""
        now = time.monotonic()
        if self.first_call is None:
            self.first_call = now
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if who not in self.heard:
            self.waiting.setdefault(who, now)

    def answered(self, who: str, usage: Usage) -> None:
        """A call was answered and its response is on disk."""
        self.asked += 1
        prompt, completion = (self.usage.prompt_tokens or 0) + (usage.prompt_tokens or 0), (self.usage.completion_tokens or 0) + (usage.completion_tokens or 0)
        self.usage = Usage(prompt, completion)
        self.heard.add(who)
        self.waiting.pop(who, None)

    def read_back(self, usage: Usage, cost: float) -> None:
        """A response came from the log: it was paid for before, and the run rests on it all the same."""
        self.from_log += 1
        self.usage_from_log = self.usage_from_log + usage
        self.cost_from_log += cost

    def rate(self) -> float:
        """Answered calls per second since the first one."""
        if self.first_call is None:
            return 0.0
        return self.asked / max(1e-9, time.monotonic() - self.first_call)

    def seconds_left(self) -> float | None:
        """An estimate from the pace so far, None while there is nothing to go by."""
        passed = time.monotonic() - self.started
        if self.done < 5 or passed < 2 or self.done >= self.planned:
            return None
        return passed / self.done * (self.planned - self.done)
