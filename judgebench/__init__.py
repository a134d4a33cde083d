"""judgebench measures chat models with judges, and says how far each number can be trusted.

    import judgebench as jb
    run = jb.run("mtbench", models=["openai:gpt-4o-mini"], judges=["anthropic:claude-sonnet-4-5"])
    run.leaderboard()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from judgebench.api import Leaderboard, Run, load, run
    from judgebench.errors import CredentialError, IncompleteError, InputError, JudgebenchError, ProviderError, StorageError

__all__ = ["CredentialError", "IncompleteError", "InputError", "JudgebenchError", "Leaderboard", "ProviderError", "Run", "StorageError", "__version__", "load", "run"]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `judgebench --help` does not pay for them."""
    if name in ("Leaderboard", "Run", "load", "run"):
        from judgebench import api

        return getattr(api, name)
    if name in __all__:
        from judgebench import errors

        return getattr(errors, name)
    raise AttributeError(f"module 'judgebench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, so that a notebook completes them before they are imported."""
    return __all__
