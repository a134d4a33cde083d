"""Numbers as people and models write them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgebench.checks.numbers import numbers


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("none here", []),
        ("7", [7]),
        ("1,234.5", [1234.5]),
        ("in 1,234, of which 5", [1234, 5]),
        ("1,234,567", [1234567]),
        ("1, 2,3", [1, 2, 3]),
        ("1,23", [1, 23]),
        ("12\u00a0000 and 3\u202f000", [12000, 3000]),
        ("1{,}234 in LaTeX", [1234]),
        (".5 and 0.25", [0.5, 0.25]),
        ("The end is 5.", [5]),
        ("-3 and −4 and –5", [-3, -4, -5]),
        ("x = -3, y = - 4", [-3, -4]),
        ("(−2, −7)", [-2, -7]),
        ("5-3", [5, 3]),
        ("5 - 3 = 2", [5, 3, 2]),
        ("5 − 3 = 2", [5, 3, 2]),
        ("pages 10–20", [10, 20]),
        ("- 3 apples\n- 4 pears", [3, 4]),
        ("a-5 and COVID-19", [5, 19]),
        ("$12, −$3, $-4, €5.50 and £1,000", [12, -3, -4, 5.5, 1000]),
        ("50% and 12.5 %", [50, 12.5]),
        ("3/4 and 3 / 4 and 3⁄4", [0.75, 0.75, 0.75]),
        ("½ and 2½ and 2 ¾ and −½", [0.5, 2.5, 2.75, -0.5]),
        (r"\frac{3}{4}, \dfrac{1}{2}, -\frac{1}{4}, \frac{-1}{4}", [0.75, 0.5, -0.25, -0.25]),
        (r"$x = 5$ and \(6\) and \boxed{7}", [5, 6, 7]),
        ("**42** `43` __44__", [42, 43, 44]),
        ("1.5e3, 2E-2, 3e", [1500, 0.02, 3]),
        ("18:30", [18, 30]),
        ("1/0 or 0/0 or \\frac{1}{0}", []),
        ("1e999", []),
        ("9" * 400, []),
        ("٣ + ४", [3, 4]),
    ],
)
def test_numbers_are_read(text: str, wanted: list[float]) -> None:
    assert numbers(text) == pytest.approx(wanted)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_that_python_writes_is_read_back(value: float) -> None:
    assert numbers(f"x is {value!r}.") == pytest.approx([value], rel=1e-12)


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_with_its_thousands_marked_is_read_back(value: int) -> None:
    assert numbers(f"Total: {value:,} units") == [value]


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("0123456789.,-−–/⁄½eE+$%{}\\frac ()\u202f\n*_`")))
def test_no_text_yields_anything_but_finite_numbers(text: str) -> None:
    assert all(math.isfinite(value) for value in numbers(text))
