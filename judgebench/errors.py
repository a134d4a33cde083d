"""Every error that judgebench raises on purpose.

    JudgebenchError
    ├── InputError                 the user's input is wrong                      exit 2
    │   └── CredentialError        a key is missing or was refused                exit 2
    ├── IncompleteError            the run stopped before everything was asked    exit 3
    │   ├── EndpointDownError      nobody listens at a URL                        exit 3
    │   └── BudgetError            the next call would pass --max-cost or -calls  exit 3
    ├── ProviderError              one call failed; `retryable` says whether to ask again
    └── StorageError               a file cannot be written or read back          exit 2

Declaration errors (fix your input) and execution errors (may be retried) are different families on purpose: only the
engine catches `ProviderError`, only the command line catches the rest.
"""

from __future__ import annotations

from collections.abc import Sequence


class JudgebenchError(Exception):
    """Base of all errors that are raised on purpose."""

    exit_code = 70


class InputError(JudgebenchError):
    """The user's input is wrong: the message says what, where and what to do, on one line each.

    Args:
        problems: one line per problem, all that could be found at once.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems: tuple[str, ...] = problems
        super().__init__("\n".join(problems))


class CredentialError(InputError):
    """A key is missing, or the provider refused it."""


class StorageError(JudgebenchError):
    """A file of ours could not be written or read back (full disk, read-only folder, foreign file)."""

    exit_code = 2


class IncompleteError(JudgebenchError):
    """The run stopped before every call was made. What was answered is kept; the same command resumes."""

    exit_code = 3


class EndpointDownError(IncompleteError):
    """Nobody listens at one or more endpoints."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class BudgetError(IncompleteError):
    """The next call would exceed the limit that the user set on cost or calls."""


class ProviderError(JudgebenchError):
    """One call to a provider failed.

    Args:
        message: one line without any secret in it.
        retryable: whether asking the same again may help.
        status: the HTTP status, where there was one.
        retry_after: seconds the provider asked us to wait, for the whole endpoint.
        kind: "rate_limit", "server", "timeout", "connection", "open_files", "protocol", "bad_body", "credentials", "not_found", "refused" or
            "request", for counting.
        code, param: what the provider's error body names as its code and as the parameter it is about.
    """

    def __init__(
        self, message: str, *, retryable: bool, status: int | None = None, retry_after: float | None = None, kind: str = "request", code: str = "",
        param: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after
        self.kind = kind
        self.code = code
        self.param = param
