"""README says what the program says."""

import pytest
from regenerate_readme import COMMAND, README, block, rewritten, transcript


def test_the_transcript_is_what_the_command_prints() -> None:
    shown = block(README.read_text(encoding="utf-8"))
    if shown is None:
        pytest.skip(f"README.md has no block that begins with {COMMAND!r}")
    assert shown == transcript(), "run `python tests/regenerate_readme.py`"


def test_a_block_is_found_and_written_anew() -> None:
    text = f"# x\n\n```text\n{COMMAND}\nold\n\nlines\n```\n\n```sh\nother\n```\n"
    assert block(text) == "old\n\nlines\n"
    assert rewritten(text, "new\n") == f"# x\n\n```text\n{COMMAND}\nnew\n```\n\n```sh\nother\n```\n"
    assert block("# no block\n```\nother\n```\n") is None
