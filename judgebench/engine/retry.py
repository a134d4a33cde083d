"""The one retry policy: which failures are asked again, how often and after how long."""

from __future__ import annotations

import random

import tenacity

from judgebench.errors import ProviderError

ATTEMPTS = 10
LONGEST_WAIT = 60.0
TOTAL_SECONDS = 900.0


def retrying(deadline_s: float = TOTAL_SECONDS) -> tenacity.AsyncRetrying:
    """A fresh retry loop for one request whose first try has failed: 9 more within `deadline_s` seconds, with exponential
    waits and jitter between them."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_worth_another_try),
        stop=tenacity.stop_after_attempt(ATTEMPTS - 1) | tenacity.stop_before_delay(deadline_s),
        wait=_wait,
        reraise=True,
    )


def first_wait(error: ProviderError) -> float:
    """Seconds between the first try and the retry loop."""
    return min(error.retry_after, LONGEST_WAIT * 5) if error.retry_after is not None else random.uniform(0.05, 0.5)  # noqa: S311 - jitter, no secret


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.retryable


_BACKOFF = tenacity.wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    """What the provider asked for (the endpoint is paused as long, so only a little jitter is added), else backoff."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT * 5)
    return _BACKOFF(state)
