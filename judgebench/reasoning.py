"""Thinking that a model writes into its text, told apart from what it says."""

from __future__ import annotations

import re

_THINKING = "think|thinking|thoughts?"
_LOOSELY = f"{_THINKING}|reason|reasoning|analysis|scratchpad"


def _marks(names: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Opening and closing marks: tags of these names, and the marks of chat templates that nobody writes by hand."""
    opening = re.compile(rf"<(?:{names})>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>", re.I)
    closing = re.compile(rf"</(?:{names})>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|channel\|>final<\|message\|>", re.I)
    return opening, closing


_STRICT_MARKS, _LOOSE_MARKS = _marks(_THINKING), _marks(_LOOSELY)
_CLOSE_MARKS = ("</", "[/", "◁/", "<|")  # one of them stands in every closing tag: most texts hold none, which is seen at once


def split_reasoning(text: str, *, loosely: bool = False) -> tuple[str | None, str]:
    """Split a text into (thinking, visible text).

    A block counts only where it opens the text, so that an answer *about* the tag is left alone. What follows the last
    closing tag is visible: a candidate quoted inside the thinking may have closed it early. A block that never closes
    leaves nothing visible. Some chat templates put the opening tag into the prompt, so that only the closing one is
    here: a text that holds closing tags and no opening one is split there too.

    Args:
        text: what a model wrote. loosely: also take <analysis>, <reason>, <reasoning> and <scratchpad> for thinking: right for
            a judge's text, of which only the verdict is wanted; an answer may have been asked for in such tags.

    Returns:
        (None, text) where there is no thinking.
    """
    opening, closing_marks = _LOOSE_MARKS if loosely else _STRICT_MARKS
    opens = opening.match(text.lstrip()) is not None
    closes = any(mark in text for mark in _CLOSE_MARKS)
    end = max((closing.end() for closing in closing_marks.finditer(text)), default=None) if closes else None
    if opens and end is None:
        return text, ""
    if end is not None and (opens or (opening.search(text) is None and _ends_a_block(text[end : end + 1]))):
        return text[:end], text[end:].lstrip()
    return None, text


def _ends_a_block(following: str) -> bool:
    # A closing tag that is mentioned in prose ("the `</think>` tag") has a space, a quote or a full stop behind it.
    return following in ("", "\n", "\r", "[") or following.isalnum()
