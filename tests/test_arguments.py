"""K=V pairs of --generator-arg and --judge-arg."""

import os

import pytest
from asking import KEY

from judgebench.arguments import Arguments, parse_arguments
from judgebench.errors import InputError
from judgebench.types import Sampling


def test_ours_and_the_apis_are_told_apart() -> None:
    got = parse_arguments(("temperature=0.3", "max_tokens=7", "top_p=0.5", 'stop=["x"]', "mode=fast", "price_prompt=2", "price_completion=8", "a=b=c"), "--generator-arg")
    assert got == Arguments({"temperature": 0.3, "max_tokens": 7}, {"top_p": 0.5, "stop": ["x"], "mode": "fast", "a": "b=c"}, (2.0, 8.0))


def test_what_is_set_wins_over_the_benchmark_and_null_leaves_it_to_the_provider() -> None:
    default = Sampling(0.7, 2048)
    assert Arguments().applied(default) == default
    assert parse_arguments(("temperature=null", "seed=1"), "--x").applied(default) == Sampling(None, 2048, (("seed", 1),))


def test_the_other_name_of_the_limit_is_the_limit() -> None:
    assert parse_arguments(("max_completion_tokens=9",), "--x") == Arguments({"max_tokens": 9})


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("temperature", "write it as NAME=VALUE"), ("=3", "write it as NAME=VALUE"), ("a b=3", "write it as NAME=VALUE"),
        ("temperature=hot", "must be a number of at least 0"), ("temperature=-1", "must be a number"), ("temperature=true", "must be a number"), ("temperature=NaN", "must be a number"),
        ("temperature=1e999", "must be a number"), ("temperature=Infinity", "must be a number"), ("max_tokens=0", "must be a whole number of at least 1"), ("max_tokens=1.5", "must be a whole number"),
        ("price_prompt=1", "go together"), ("price_completion=1", "go together"), ("model=x", "is set by judgebench"), ("stream=true", "is set by judgebench"), ("messages=[]", "is set by judgebench"),
        (os.fsdecode(b"stop=\xff"), "is not UTF-8"), (f"api_key={KEY}", "keys are read from the environment only"), (f"Authorization={KEY}", "keys are read from the environment only"),
        (f"my-secret={KEY}", "keys are read from the environment only"),
    ],
    ids=repr,
)  # fmt: skip
def test_mistakes(pair: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_arguments((pair,), "--generator-arg")
    assert words in str(caught.value)
    assert str(caught.value).startswith("--generator-arg ") or words == "go together"
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("prices", [("price_prompt=-1", "price_completion=1"), ("price_prompt=x", "price_completion=1"), ("price_prompt=1e999", "price_completion=1")])
def test_prices_are_numbers(prices: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="US dollars per million tokens"):
        parse_arguments(prices, "--judge-arg")


def test_a_value_that_json_cannot_carry_stays_a_text() -> None:
    assert parse_arguments(("x=NaN", "y=[1e999]", "z=" + "[" * 100_000), "--x").extra["x"] == "NaN"
    assert parse_arguments(("y=[1e999]",), "--x").extra == {"y": "[1e999]"}


def test_words_that_hold_the_word_key_are_no_keys() -> None:
    assert parse_arguments(("monkey=1", "max_thinking_tokens=5", "keyboard=x"), "--x").extra == {"monkey": 1, "max_thinking_tokens": 5, "keyboard": "x"}
