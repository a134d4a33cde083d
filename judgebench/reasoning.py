"""Thinking that a model writes into its text, told apart from what it says."""

from __future__ import annotations

import re

_NAMES = r"(?:think|thinking|thoughts?|reason|reasoning|analysis|scratchpad)"
_ANY_OPEN = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>", re.I)
_CLOSE = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|channel\|>final<\|message\|>", re.I)
_CLOSE_MARKS = ("</", "[/", "◁/", "<|")  # one of them stands in every closing tag: most texts hold none, which is seen at once


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Split a text into (thinking, visible text).

    A block counts only where it opens the text, so that an answer *about* the tag is left alone. What follows the last
    closing tag is visible: a candidate quoted inside the thinking may have closed it early. A block that never closes
    leaves nothing visible. Some chat templates put the opening tag into the prompt, so that only the closing one is
    here: a text that holds closing tags and no opening one is split there too.

    Returns:
        (None, text) where there is no thinking.
    """
    opens = _ANY_OPEN.match(text.lstrip()) is not None
    closes = any(mark in text for mark in _CLOSE_MARKS)
    end = max((closing.end() for closing in _CLOSE.finditer(text)), default=None) if closes else None
    if opens and end is None:
        return text, ""
    if end is not None and (opens or (_ANY_OPEN.search(text) is None and _ends_a_block(text[end : end + 1]))):
        return text[:end], text[end:].lstrip()
    return None, text


def _ends_a_block(following: str) -> bool:
    # A closing tag that is mentioned in prose ("the `</think>` tag") has a space, a quote or a full stop behind it.
    return following in ("", "\n", "\r", "[") or following.isalnum()
