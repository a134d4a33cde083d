"""What simulated models and simulated judges share: how an answer carries its latent quality, and logits."""

from __future__ import annotations

import hashlib
import math
import random
import re

_MARK = re.compile(r"\[latent quality (0\.\d{6}|1\.000000)\]")


def mark(quality: float) -> str:
    """The mark by which a simulated answer carries its quality in [0, 1]."""
    return f"[latent quality {quality:.6f}]"


def marked_quality(text: str) -> float | None:
    """The quality that an answer carries, None for an answer that was not simulated."""
    found = _MARK.search(text)
    return float(found[1]) if found else None


def hashed_quality(text: str) -> float:
    """A quality in (0, 1) for an answer that carries none: arbitrary, and the same for the same text."""
    return (int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:6], "big") + 0.5) / 2**48


def seeded(*parts: object) -> random.Random:
    """A random generator that depends on the parts alone, the same on every machine."""
    return random.Random("\x1f".join(map(str, parts)).encode("utf-8", "replace"))  # noqa: S311 - a simulation has no secrets


def logit(p: float) -> float:
    """log(p / (1 - p)), with p kept within 1e-6 of the ends."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def logistic_noise(rng: random.Random) -> float:
    """One draw of standard logistic noise."""
    return logit(rng.random())
