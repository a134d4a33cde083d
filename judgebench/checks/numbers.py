"""Reading numbers out of an answer."""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"""\\[dt]?frac\{\s*(?P<top>-?\d+)\s*\}\{\s*(?P<bottom>\d+)\s*\}        # \frac{3}{4}
      | (?P<sign>(?<![\w.)])[-−–])?\s?[$€£]?\s?                              # a sign only where it cannot be a hyphen
        (?P<int>\d{1,3}(?:[,\u202f]\d{3})+(?![\d,])|\d+)?                    # 1,234 or 1234
        (?P<dec>\.\d+)?
        (?:\s?[eE](?P<exp>[-+]?\d{1,3})(?!\w))?
        (?:\s?/\s?(?P<div>\d+(?:\.\d+)?)(?![\d/]))?                          # 3/4
    """,
    re.X,
)
# $…$ and \( … \) around a formula, bold and code marks around a number say nothing about its value.
_DECORATION = re.compile(r"\*\*|__|`|\\[()\[\],;! ]|\{,\}|\$(?=\\)|(?<=[\d}])\$")


def numbers(text: str) -> list[float]:
    """Every number in the text, in order: 1,234.5 · −3 · 3/4 · \\frac{3}{4} · 1.5e3 · $12 (percent signs are ignored)."""
    found: list[float] = []
    for match in _NUMBER.finditer(_DECORATION.sub("", text)):
        value = _value(match)
        if value is not None:
            found.append(value)
    return found


def _value(match: re.Match[str]) -> float | None:
    if match["top"]:
        return float(match["top"]) / float(match["bottom"]) if float(match["bottom"]) else None
    if match["int"] is None and match["dec"] is None:
        return None
    digits = (match["int"] or "0").replace(",", "").replace("\u202f", "")
    if len(digits) > 300:
        return None
    value = float(digits + (match["dec"] or "")[:40])
    if match["exp"]:
        value *= 10.0 ** int(match["exp"])
    if match["div"]:
        divisor = float(match["div"][:300])
        if divisor == 0:
            return None
        value /= divisor
    return -value if match["sign"] else value
