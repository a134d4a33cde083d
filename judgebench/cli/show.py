"""`judgebench show`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from judgebench.cli.console import result


@click.command("show")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--by", type=click.Choice(["category"]), default="category", help="What the second table is by.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def command(runs: tuple[Path, ...], by: str, as_json: bool) -> int:
    """Print the leaderboards of finished RUNs, computed anew from their judgments."""
    from judgebench.api import load

    loaded = [load(path) for path in runs]
    entries = [entry for run in loaded for entry in run.summary["runs"]]
    if as_json:
        result(json.dumps({"runs": entries}, indent=2, ensure_ascii=True))
        return 0
    from judgebench.cli.tables import print_board

    for entry in entries:
        print_board(entry)
    return 0
