"""Leaderboards as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from judgebench.cli.console import plain, stdout_console


def print_board(entry: Mapping[str, Any]) -> None:
    """One judge's leaderboard: scores with intervals and turns, then every category."""
    console = stdout_console()
    rows: Sequence[Mapping[str, Any]] = entry["leaderboard"]
    failed = f", {entry['n_failures']} without a verdict" if entry["n_failures"] else ""
    unchecked = f", {entry['n_turns_without_checks']} turns without checks not judged" if entry.get("n_turns_without_checks") and entry["judge"] == "checks" else ""
    console.print(f"{plain(entry['run'])}: {plain(entry['benchmark'])}, judged by {plain(entry['judge'])} ({entry['n_judgments']} judgments{failed}{unchecked})")
    console.print("score 1-10, 95 % interval over questions")
    console.print(_overall(rows))
    if categories := list(dict.fromkeys(c for row in rows for c in row["categories"])):
        console.print("by category: score (95 % interval)")
        console.print(_by_category(rows, categories))


def _overall(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table()
    turns = sorted({int(k[5:]) for row in rows for k in row if k.startswith("turn_") and k[5:].isdigit()})
    has_failures = any(row["n_failures"] for row in rows)
    table.add_column("model", overflow="fold")
    for title in ("score", "interval", *(f"turn {t}" for t in turns), "n", *(("failures", "if all 1 or 10") if has_failures else ())):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = [plain(row["model"]), _number(row["score"]), _interval(row["ci"]), *(_number(row.get(f"turn_{t}")) for t in turns), str(row["n"])]
        table.add_row(*cells, *([str(row["n_failures"]), _interval(row["bounds"]) if row["bounds"][0] is not None else "-"] if has_failures else []))
    return table


def _by_category(rows: Sequence[Mapping[str, Any]], categories: Sequence[str]) -> Table:
    """A row per category and a column per model, or the other way round where there are more models than categories."""
    table = _table()
    if len(rows) <= 6:
        table.add_column("category", overflow="fold")
        for row in rows:
            table.add_column(plain(row["model"]), justify="right", overflow="fold")
        for category in categories:
            table.add_row(plain(category), *(_short(row["categories"].get(category)) for row in rows))
        return table
    table.add_column("model", overflow="fold")
    for category in categories:
        table.add_column(plain(category), justify="right", overflow="fold")
    for row in rows:
        table.add_row(plain(row["model"]), *(_number((row["categories"].get(c) or {}).get("score"), 1) for c in categories))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(ci: Sequence[float] | None) -> str:
    return "-" if ci is None else f"{ci[0]:.2f} to {ci[1]:.2f}"


def _short(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["score"] is None:
        return "-"
    return _number(cell["score"]) + (f" ({cell['ci'][0]:.1f} to {cell['ci'][1]:.1f})" if cell["ci"] else "")
