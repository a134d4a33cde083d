"""`judgebench show`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.console import note, plain, result

if TYPE_CHECKING:
    from judgebench.api import Run


@click.command("show")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--by", type=click.Choice(["category"]), expose_value=False, help="What the second table is by: the category, with or without this option.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def command(runs: tuple[Path, ...], as_json: bool) -> int:
    """Print the leaderboards of finished RUNs, computed anew from their judgments. Files among them, as in runs/*, are left out."""
    from judgebench.api import load

    loaded = [load(path) for path in _folders(runs)]
    entries = [entry for run in loaded for entry in run.summary["runs"]]
    if as_json:
        result(json.dumps({"runs": entries}, indent=2, ensure_ascii=True))
        return 0
    from judgebench.cli.tables import print_board, print_combined

    for title, several in _comparable(loaded):
        print_combined(title, several)
    for entry in entries:
        print_board(entry)
    return 0


def _folders(runs: Sequence[Path]) -> Sequence[Path]:
    """What may be runs; where nothing else is there, files too, for the complaint about them."""
    files = [path for path in runs if os.path.isfile(path)]  # unlike Path.is_file it takes any name
    if not files or len(files) == len(runs):
        return runs
    note(f"left out, as no run folder: {', '.join(map(plain, files))}")
    return [path for path in runs if path not in files]


def _comparable(loaded: Sequence[Run]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(title, boards) of every benchmark and judge of which several runs have a board."""
    groups: dict[tuple[Any, ...], list[tuple[Run, dict[str, Any]]]] = {}
    for run in loaded:
        for entry in run.summary["runs"]:
            groups.setdefault((entry["benchmark"], entry["judge"], *entry["scale"]), []).append((run, entry))
    for (benchmark, judge, *_), members in groups.items():
        if len(members) > 1:
            differ = len({run.info["benchmark"].get("sha256") for run, _ in members}) > 1
            yield f"{benchmark}, judged by {judge}: {len(members)} runs" + (" (not all of the same questions)" if differ else ""), [entry for _, entry in members]
