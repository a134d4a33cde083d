"""Programmatic checks: pure functions from an answer to passed or not. No model code is ever executed.

A benchmark gives each turn a list of checks as JSON objects; `parse_check` turns one into a `Check`. The kinds and their
fields are listed in `docs/checks.md` and in the docstring of each class.
"""

from judgebench.checks.base import Check, CheckTimeout
from judgebench.checks.registry import KINDS, described, parse_check

__all__ = ["KINDS", "Check", "CheckTimeout", "described", "parse_check"]
