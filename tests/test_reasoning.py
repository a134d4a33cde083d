"""Thinking is told apart from what a model says, and an answer about thinking is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.reasoning import split_reasoning

NOTHING_HIDDEN = [
    "", "Just an answer.", "I think, therefore I am.", "Use <think> to mark thinking.", "The `</think>` tag closes it.", "Write </think>, then go on.",
    "```\n<think>a</think>\n```", "x <think>a</think> y", "<thinkpad> is a brand", "<b>bold</b>", "1 < 2 and <analysis",
]  # fmt: skip


@pytest.mark.parametrize("text", NOTHING_HIDDEN)
def test_a_text_without_thinking_is_all_visible(text: str) -> None:
    assert split_reasoning(text) == (None, text)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("<think>a</think>b", "b"),
        ("\n <think>\na\n</think>\n\nb", "b"),
        ("<THINK>a</Think>b", "b"),
        ("<thinking>a</thinking> b", "b"),
        ("<thought>a</thought>b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("◁think▷a◁/think▷b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("<|channel|>analysis<|message|>a<|channel|>final<|message|>b", "b"),
        ("<|start|>assistant<|channel|>analysis<|message|>a<|channel|>final<|message|>b", "b"),
        ("<think>a", ""),
        ("<think></think>", ""),
        ("<think>it may say </think> early, [[3]]</think>[[7]]", "[[7]]"),
        ("the template opened it</think>\n\nb", "b"),
        ("the template opened it</think>[[7]]", "[[7]]"),
        ("<think>a</think>b </think> c", "c"),
    ],
)
def test_thinking_is_cut_off(text: str, visible: str) -> None:
    thinking, rest = split_reasoning(text)
    assert rest == visible
    assert thinking is not None
    assert text.startswith(thinking)


@given(st.lists(st.sampled_from(["<think>", "</think>", "[THINK]", "[/THINK]", "a", " ", "\n", "[[7]]", "<|channel|>final<|message|>", "\ud800"]), max_size=12).map("".join) | st.text())
def test_nothing_is_lost_but_blanks_and_nothing_is_made_up(text: str) -> None:
    thinking, visible = split_reasoning(text)
    assert text.startswith(thinking or "")
    assert text.endswith(visible)
    assert text[len(thinking or "") : len(text) - len(visible)].strip() == ""
