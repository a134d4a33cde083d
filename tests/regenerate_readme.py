"""README's transcript of `judgebench run mtbench`: what it must say, and how to write it anew (run this file)."""

import os
import re
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
COMMAND = "$ judgebench run mtbench"
BLOCK = re.compile(rf"^(```\w*\n{re.escape(COMMAND)}\n)(.*?)^```$", re.M | re.S)


def transcript() -> str:
    """What the command prints, run in an empty folder in the environment of a test."""
    from workbench import run_process

    with tempfile.TemporaryDirectory() as folder:
        ended = run_process(Path(folder), "run", "mtbench")
    assert ended.code == 0, ended.err
    assert ended.err == "", ended.err
    return "".join(f"{line.rstrip()}\n" for line in ended.out.splitlines())


def block(text: str) -> str | None:
    """The output that stands in README's block, None where there is no such block."""
    found = BLOCK.search(text)
    return found and found[2]


def rewritten(text: str, output: str) -> str:
    """README with this output in its block."""
    return BLOCK.sub(lambda found: f"{found[1]}{output}```", text, count=1)


if __name__ == "__main__":
    from workbench import clean_environment

    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(before))
    README.write_text(rewritten(README.read_text(encoding="utf-8"), transcript()), encoding="utf-8")
