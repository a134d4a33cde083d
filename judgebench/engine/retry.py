"""The one retry policy: which failures are asked again, how often and after how long."""

from __future__ import annotations

import random

import tenacity

from judgebench.errors import ProviderError

ATTEMPTS = 10
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 300.0
TOTAL_SECONDS = 900.0
PROTOCOL_ATTEMPTS = 3  # what speaks no HTTP three times over will not learn it


class _StopWithoutHTTP(tenacity.stop.stop_base):
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return isinstance(error, ProviderError) and error.kind == "protocol" and retry_state.attempt_number >= PROTOCOL_ATTEMPTS - 1


def retrying(deadline_s: float = TOTAL_SECONDS) -> tenacity.AsyncRetrying:
    """A fresh retry loop for one request whose first try has failed: 9 more within `deadline_s` seconds, with exponential
    waits and jitter between them; 2 more where the last answer was no HTTP."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_worth_another_try),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(ATTEMPTS - 1), tenacity.stop_before_delay(deadline_s), _StopWithoutHTTP()),
        wait=_wait,
        reraise=True,
    )


def first_wait(error: ProviderError) -> float:
    """Seconds between the first try and the retry loop."""
    return max(random.uniform(0.05, 0.5), _asked_for(error))  # noqa: S311 - jitter, no secret


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.retryable


_BACKOFF = tenacity.wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    """Exponential backoff with jitter, and no less than the provider asked for. Never the provider's word alone: "0 s" ten
    times over would use up all tries at once."""
    return max(_BACKOFF(state), _asked_for(state.outcome.exception() if state.outcome else None))


def _asked_for(error: BaseException | None) -> float:
    asked = error.retry_after if isinstance(error, ProviderError) else None
    return 0.0 if asked is None else min(asked, LONGEST_RETRY_AFTER)
