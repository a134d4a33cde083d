"""Reading numbers out of an answer."""

from __future__ import annotations

import math
import re
import unicodedata

_NUMBER = re.compile(
    r"""(?P<sign>(?<![\w.)%])[-−–](?=[$€£]?[\d.\\])          # a sign stands before its number, where it cannot be a hyphen,
          |(?<=[=:(<>≈≤≥]\s)[-−–]\s(?=[$€£]?[\d.]))?         # or after another sign, "x = - 3"; a bullet or a dash is none
        [$€£]?
        (?:\\[dt]?frac\{\s*+(?P<top>-?\d++)\s*+\}\{\s*+(?P<bottom>\d++)\s*+\}                      # \frac{3}{4}
          |(?=\.?\d)
           (?P<int>\d{1,3}(?:[,\u00a0\u2009\u202f]\d{3}){1,7}(?![,\u00a0\u2009\u202f]?\d)|\d++)?   # 1,234 or 1234
           (?P<dec>\.\d++)?
           (?:[eE](?P<exp>[-+]?\d{1,3})(?!\w))?
           (?:\s?[/⁄∕]\s?(?P<div>\d++(?:\.\d++)?)(?!/))?)                                          # 3/4
    """,
    re.X,
)
# $…$ and \( … \) around a formula, bold and code marks around a number say nothing about its value.
_DECORATION = re.compile(r"\*\*|__|`|\\[()\[\],;! ]|\{,\}|\$(?=\\)|(?<=[\d}])\$")
_VULGAR = re.compile(r"(?:(?<!\d)(\d{1,9})\s?)?([¼½¾⅐-⅞])")


def numbers(text: str) -> list[float]:
    r"""Every number in the text, in order: 1,234.5 · −3 · 3/4 · ½ · \frac{3}{4} · 1.5e3 · $12 (percent signs are ignored).

    Two numbers with a hyphen or dash between them (5-3, 5 - 3) are two numbers without a sign. A number over 1e300, or
    divided by zero, is left out.
    """
    plain = _DECORATION.sub("", _VULGAR.sub(lambda m: f"{int(m[1] or 0) + unicodedata.numeric(m[2]):.15g}", text))
    found = (_value(match) for match in _NUMBER.finditer(plain))
    return [value for value in found if value is not None]


def _value(match: re.Match[str]) -> float | None:
    top = match["top"] or re.sub(r"\D", "", match["int"] or "") or "0"
    bottom = match["bottom"] or match["div"] or "1"
    if max(len(top), len(bottom)) > 300 or not float(bottom):
        return None
    value = float(f"{top}{(match['dec'] or '')[:40]}e{match['exp'] or 0}") / float(bottom)
    if not math.isfinite(value):
        return None
    return -value if match["sign"] else value
