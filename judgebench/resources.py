"""Where the data that ships with judgebench lies: inside the wheel, or in the checkout of an editable install."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder of shipped data called `name` ("benchmarks" or "prompts").

    The wheel carries it as `judgebench/_data/NAME` (force-include); an editable install does not, so the checkout's top
    folder is the second place.
    """
    inside = _PACKAGE / "_data" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def names(folder: str, suffix: str = "") -> list[str]:
    """The names of the data shipped in a folder, sorted."""
    root = data_folder(folder)
    found = (p for p in root.iterdir() if (p.suffix == suffix if suffix else (p / "benchmark.toml").is_file()))
    return sorted(p.stem if suffix else p.name for p in found)
