"""Words, sentences, bullets, paragraphs and code, counted as a careful reader counts them."""

import pytest

from judgebench.checks.text_parts import PARTS, UNITS, answer_line, code_blocks, part

COUNTS = [
    ("words", "", 0),
    ("words", "one two  three\nfour", 4),
    ("words", "a well-known fact", 3),
    ("words", "yes - no — maybe", 3),
    ("words", "42 is 6 x 7.", 5),
    ("words", "don't", 1),
    ("words", "| a | b |", 2),
    ("sentences", "", 0),
    ("sentences", "One. Two! Three? Four…", 4),
    ("sentences", "no full stop at the end", 1),
    ("sentences", "Dr. Meyer met Mrs. Ford at St. Ives.", 1),
    ("sentences", "See e.g. the first, i.e. the best, cf. Fig. 3.", 1),
    ("sentences", "J. R. R. Tolkien and George W. Bush never met.", 1),
    ("sentences", "The answer is option A. The others are wrong.", 2),
    ("sentences", "It was I. Nobody else was there.", 2),
    ("sentences", "Apples, pears, etc. are fruit.", 1),
    ("sentences", "Apples, pears, etc. They are fruit.", 2),
    ("sentences", "We meet at 9 a.m. and leave at 5 p.m. sharp.", 1),
    ("sentences", "We meet at 9 a.m. Then we leave.", 2),
    ("sentences", "Did you? No. I was away.", 3),
    ("sentences", "Play No. 5 again.", 1),
    ("sentences", "Pi is 3.14 and e is 2.72.", 1),
    ("sentences", 'He said "Stop!" and left.', 1),
    ("sentences", '"Stop!" he said. She did.', 2),
    ("sentences", "Wait... what was that?", 1),
    ("sentences", "Wait... What was that?", 2),
    ("sentences", "What?! Really!!! Yes.", 3),
    ("sentences", "(It rained.) We stayed.", 2),
    ("sentences", "**It rained.** We stayed.", 2),
    ("sentences", "1. First things first.\n2. Then the rest.", 2),
    ("sentences", "- one\n- two", 2),
    ("sentences", "今日は晴れ。明日は雨！", 2),
    ("sentences", "a line\nand another", 2),
    ("sentences", "42.\n---", 0),
    ("lines", "a\n\n  \nb\r\nc", 3),
    ("paragraphs", "a\nb\n\nc\n \t\nd", 3),
    ("paragraphs", "a\r\n\r\nb", 2),
    ("paragraphs", "a\n\n---\n\nb", 2),
    ("paragraphs", "\n\n\na\n\n\n\n", 1),
    ("bullets", "- a\n* b\n+ c\n• d\n– e\n◦ f\n  - nested", 7),
    ("bullets", "-a\n**bold** text\n---\n- - -\n* * *\n-", 0),
    ("bullets", "-5 degrees\n- 5 degrees", 1),
    ("numbered", "1. a\n2) b\n(3) c\n**4.** d\n**5. e**\n 10. f", 6),
    ("numbered", "1.5 litres\n2024 was dry\n1.\n1234. no", 0),
    ("headings", "# a\n## b\n   ### c\n#d\n####### e\n    # code", 3),
    ("characters", "  abc\n", 3),
    ("characters", "日本", 2),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "text", "n"), COUNTS)
def test_a_unit_is_counted(unit: str, text: str, n: int) -> None:
    found = UNITS[unit](text)
    assert len(found) == n, found


def test_every_unit_has_a_case() -> None:
    assert {unit for unit, _, _ in COUNTS} == set(UNITS)


CODE = "Run this:\n```python\nx = 1\n```\nand see\n~~~\ny\n~~~\nDone. Bye."


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("all", " x \n", " x \n"),
        ("prose", CODE, "Run this:\n\nand see\n\nDone. Bye."),
        ("code", CODE, "x = 1\n\ny\n"),
        ("code", "no code", "no code"),
        ("first_line", "\n a \nb", "a"),
        ("last_line", "a\n b \n\n", "b"),
        ("first_paragraph", "a\nb\n\nc", "a\nb"),
        ("last_paragraph", "a\n\nb\nc\n", "b\nc"),
        ("first_sentence", "One. Two.", "One."),
        ("last_sentence", "One. Two.", "Two."),
        ("last_sentence", "", ""),
        ("answer", "Answer: 3\nor rather\n**Final answer:** 4", "** 4"),
        ("answer", "There is none", ""),
    ],
)
def test_a_part_is_cut_out(name: str, text: str, wanted: str) -> None:
    assert part(text, name) == wanted


def test_every_part_can_be_cut_out_of_nothing() -> None:
    assert {name: part("", name) for name in PARTS} == dict.fromkeys(PARTS, "")


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```\na\n```", ["a\n"]),
        ("```py\na\n```\n```js\nb\n```", ["a\n", "b\n"]),
        ("```\r\na\r\n```\r\ntext", ["a\r\n"]),
        ("````\n```\na\n```\n````\nafter", ["```\na\n```\n"]),
        ("```\nnever closed", ["never closed"]),
        ("  ```\n  a\n  ```", ["  a\n"]),
        ("an `inline` piece", []),
        ("~~~\n```\n~~~", ["```\n"]),
    ],
)
def test_fenced_blocks_are_found(text: str, blocks: list[str]) -> None:
    assert code_blocks(text) == blocks


def test_blocks_of_a_language_win_over_the_others() -> None:
    text = "```bash\nls\n```\n```Python\nx\n```\n```\nout\n```"
    assert code_blocks(text, frozenset({"python"})) == ["x\n"]
    assert code_blocks(text, frozenset({"rust"})) == ["ls\n", "x\n", "out\n"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Answer: 42", "42"),
        ("so\n  **Answer**: 42 km", "42 km"),
        ("> Final answer = x", "x"),
        ("## Answer:\n\n42", "42"),
        ("answer: 1\nANSWER: 2", "2"),
        ("- Answer: 3", "3"),
        ("The answer: 3", None),
        ("Answers: 3", None),
        ("Answer 3", None),
        ("", None),
        ("Answer:", ""),
    ],
)
def test_the_answer_line_is_found(text: str, wanted: str | None) -> None:
    assert answer_line(text) == wanted
