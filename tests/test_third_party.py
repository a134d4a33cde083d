"""Generators of other packages: a real distribution on sys.path, with entry points as pip would install it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import KEY, ask

from judgebench.arguments import Arguments
from judgebench.errors import InputError
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.providers import Resolved
from judgebench.specs import resolve


def made(text: str, **environ: str) -> Resolved:
    return resolve(text, Arguments(), environ)


PACKAGE = """
import os
from judgebench.errors import InputError
from judgebench.types import Response

class Echo:
    remote = False
    def __init__(self, rest, options):
        self.rest, self.options, self.identity = rest, options, f"echo {rest}"
    async def generate(self, request):
        return Response(f"{self.rest} {sorted(self.options.items())} {request.messages[-1].content}")
    async def close(self):
        pass

class Remote(Echo):
    remote = True

def broken(rest, options):
    raise KeyError("no\\nluck with " + os.environ["THEIR_API_KEY"])

def helpful(rest, options):
    raise InputError("helpful:x: set X")

def nothing(rest, options):
    return object()
"""
ENTRIES = """[judgebench.generators]
Echo = their_package:Echo
far = their_package:Remote
broken = their_package:broken
helpful = their_package:helpful
nothing = their_package:nothing
absent = their_absent_package:make
typo = their_package:Ecko
openai = their_package:Echo
"""


@pytest.fixture
def their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with entry points."""
    about = tmp_path / "their_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "their_package.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_package", raising=False)
    yield
    sys.modules.pop("their_package", None)


@pytest.mark.usefixtures("their_package")
def test_another_package_brings_a_generator() -> None:
    one = resolve("e=echo:a=b:c", Arguments({"temperature": 0.5}, {"mode": [1]}), {})
    assert (one.name, one.endpoint, one.generator.identity) == ("e", "", "echo a=b:c")
    assert ask(one.generator)[0].text == "a=b:c [('mode', '[1]'), ('temperature', '0.5')] hello"
    assert made("ECHO:x=y:z").name == "x=y:z"
    assert (made("far:").name, made("far:x").endpoint) == ("far", "far")


@pytest.mark.usefixtures("their_package")
def test_a_shipped_prefix_is_not_replaced() -> None:
    assert isinstance(made("openai:m").generator, OpenAIChat)


@pytest.mark.usefixtures("their_package")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("broken:x", "broken:x: the package their-package, which brings 'broken', failed (KeyError: 'no\\nluck with ***'); mend or remove it"),
        ("helpful:x", "helpful:x: set X"),
        ("nothing:x", "is no generator (without identity, remote, generate, close)"),
        ("absent:x", "failed (ModuleNotFoundError: No module named 'their_absent_package')"),
        ("typo:x", "failed (AttributeError: "),
        ("ecco:x", "did you mean 'echo'?"),
    ],
)
def test_a_broken_package_is_one_clear_line(text: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_API_KEY", KEY)
    with pytest.raises(InputError) as caught:
        made(text, THEIR_API_KEY=KEY)
    (line,) = caught.value.problems
    assert words in line
    assert KEY not in line
