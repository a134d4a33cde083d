"""The direction of imports that CONTRIBUTING.md draws, and that a command's start costs nothing it does not need."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "judgebench"
RELATED_ROWS = (1, 3)  # modules of these rows may import each other
HEAVY = {
    "aiohttp", "anthropic", "dotenv", "genai_prices", "jinja2", "matplotlib", "numpy", "openai", "pandas", "py3langid", "ray", "rich", "tenacity", "torch",
    "transformers", "vllm",
}  # fmt: skip
IMPORTED_EARLY = {"cli/tables.py": {"rich"}, "engine/retry.py": {"tenacity"}}


def rows() -> dict[str, int]:
    """Module or package -> its row, from the table of CONTRIBUTING.md."""
    table = re.findall(r"^\| (\d+) \| ((?:`[\w/]+` ?)+)\|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    return {name.rstrip("/"): int(row) for row, names in table for name in re.findall(r"`([\w/]+)`", names)}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def part(path: Path) -> str:
    """The module or package of judgebench to which a file belongs; "" for judgebench/__init__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported, anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_a_row_and_every_row_its_modules() -> None:
    there = {part(path) for path, _ in sources()} - {""}
    assert there == set(rows()), "CONTRIBUTING.md, One way for the data"


def test_a_module_imports_only_from_rows_above_its_own() -> None:
    row, wrong = rows(), []
    for path, tree in sources():
        here = part(path)
        for name in imported(tree):
            there = name.split(".")[1] if name.startswith("judgebench.") else ""
            if not here or there not in row or there == here:  # a name of the package itself, such as __version__
                continue
            if row[there] > row[here] or (row[there] == row[here] and row[here] not in RELATED_ROWS):
                wrong.append(f"{path.relative_to(ROOT)} (row {row[here]}) imports {name} (row {row[there]})")
    assert not wrong


def test_no_import_goes_in_a_circle() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): tree for path, tree in sources()}
    graph: dict[str, set[str]] = {}
    for name, tree in modules.items():
        used = {next((m for m in (target, target.rpartition(".")[0]) if m in modules), "") for target in imported(tree) if target.startswith("judgebench")}
        graph[name] = used - {name, "", "judgebench"}
    graph["judgebench"] = set()  # the package imports its public names when they are first used
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs when a module is imported."""
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from top_level(statement.orelse)
        elif isinstance(statement, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            yield from top_level([s for field in ("body", "orelse", "finalbody") for s in getattr(statement, field, [])])
        else:
            yield statement


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    wrong = []
    for path, tree in sources():
        place = path.relative_to(PACKAGE).as_posix()
        for statement in top_level(tree.body):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                early = {name.split(".")[0] for name in imported(statement)} & HEAVY
                wrong += [f"{place} imports {name}" for name in early - IMPORTED_EARLY.get(place, set())]
    assert not wrong


def test_only_the_command_line_prints_or_exits() -> None:
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("print", "sys.exit", "exit", "os._exit", "sys.stdout.write", "sys.stderr.write", "breakpoint") and part(path) != "cli":
                wrong.append(f"{path.relative_to(ROOT)} line {node.lineno}: {called}")  # type: ignore[attr-defined]
    assert not wrong


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(chr(10).join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    for statement in ("from judgebench.cli.main import exit_code; exit_code(['--help'])", "import judgebench"):
        loaded = modules_after(statement)
        assert not {name.split(".")[0] for name in loaded} & HEAVY
        assert not loaded & {"asyncio", "sqlite3", "judgebench.api", "judgebench.pipeline"}


def test_the_example_imports_no_sdk() -> None:
    loaded = modules_after("from judgebench.cli.main import exit_code; exit_code(['run', 'mtbench', '--dry-run'])")
    assert not loaded & {"openai", "anthropic", "pandas", "numpy", "matplotlib", "aiohttp", "genai_prices"}
