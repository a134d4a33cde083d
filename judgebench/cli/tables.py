"""Leaderboards as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from judgebench.cli.console import plain, some, stdout_console

FOOTNOTE = "* all questions agree: exact bound for what was not seen"


def print_board(entry: Mapping[str, Any]) -> None:
    """One judge's leaderboard: scores with intervals and turns, then every category. Without any judgment, only that."""
    console = stdout_console()
    rows: Sequence[Mapping[str, Any]] = entry["leaderboard"]
    unchecked = entry["n_turns_without_checks"] if entry["judge"] == "checks" else 0
    counts = some(entry["n_judgments"], "judgment") + _failed(entry) + (f", {some(unchecked, 'turn')} without checks not judged" if unchecked else "")
    console.print(f"{plain(entry['run'])}: {plain(entry['benchmark'])}, judged by {plain(entry['judge'])} ({counts})")
    if not entry["n_judgments"]:
        return
    console.print(f"score {_scale(entry, '-')}, 95 % interval over questions")
    console.print(_overall(rows, _scale(entry, " or ")))
    if categories := list(dict.fromkeys(c for row in rows for c in row["categories"])):
        console.print("by category: score (95 % interval)")
        console.print(_by_category(rows, categories))
    if any(_agrees(cell) for row in rows for cell in (row, *(row["categories"].values() if len(rows) <= _MOST_COLUMNS else ()))):
        console.print(FOOTNOTE)


def print_combined(title: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """The models of several runs of one benchmark by one judge in one table, best first."""
    console = stdout_console()
    console.print(plain(title))
    table = _table()
    for name in ("model", "run"):
        table.add_column(name, overflow="fold")
    for name in ("score", "interval", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [(row, entry["run"]) for entry in entries for row in entry["leaderboard"]]
    for row, run in sorted(rows, key=lambda pair: (pair[0]["score"] is None, -(pair[0]["score"] or 0.0))):
        table.add_row(plain(row["model"]), plain(run), _number(row["score"]), _interval(row["ci"]) + _mark(row), str(row["n"]))
    console.print(table)
    if any(_agrees(row) for row, _ in rows):
        console.print(FOOTNOTE)


def _failed(entry: Mapping[str, Any]) -> str:
    """How many judgments have no verdict, and of which kinds."""
    if not entry["n_failures"]:
        return ""
    kinds = ", ".join(f"{n} {kind}" for kind, n in (entry["failures"] or {}).items())
    return f", {entry['n_failures']} without a verdict" + (f": {kinds}" if kinds else "")


def _scale(entry: Mapping[str, Any], between: str) -> str:
    low, high = entry["scale"]
    return f"{low:g}{between}{high:g}"


def _overall(rows: Sequence[Mapping[str, Any]], ends: str) -> Table:
    table = _table()
    turns = sorted({int(k[5:]) for row in rows for k in row if k.startswith("turn_") and k[5:].isdigit()})
    has_failures = any(row["n_failures"] for row in rows)
    table.add_column("model", overflow="fold")
    for title in ("score", "interval", *(f"turn {t}" for t in turns), "n", *(("failures", f"if all {ends}") if has_failures else ())):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = [plain(row["model"]), _number(row["score"]), _interval(row["ci"]) + _mark(row), *(_number(row.get(f"turn_{t}")) for t in turns), str(row["n"])]
        table.add_row(*cells, *([str(row["n_failures"]), _interval(row["bounds"]) if row["bounds"][0] is not None else "-"] if has_failures else []))
    return table


_MOST_COLUMNS = 6


def _by_category(rows: Sequence[Mapping[str, Any]], categories: Sequence[str]) -> Table:
    """A row per category and a column per model, or the other way round where there are more models than columns fit."""
    table = _table()
    if len(rows) <= _MOST_COLUMNS:
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


def _agrees(cell: Mapping[str, Any]) -> bool:
    """Whether a cell's interval is the exact bound for questions that all agree, which says nothing about how they vary."""
    return bool(cell["ci"]) and str(cell["method"]).startswith("all ")


def _mark(cell: Mapping[str, Any]) -> str:
    return "*" if _agrees(cell) else ""


def _short(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["score"] is None:
        return "-"
    return _number(cell["score"]) + (f" ({cell['ci'][0]:.1f} to {cell['ci'][1]:.1f}){_mark(cell)}" if cell["ci"] else "")
