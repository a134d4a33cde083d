"""The wheel: what is in it, and that the example runs from it outside the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend that is installed here: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)], capture_output=True, check=True, timeout=300)
    return next(folder.glob("judgebench-*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_types_and_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name: opened.read(name) for name in opened.namelist()}
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "judgebench", "prompts", "benchmarks"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git checkout: there is no list of files to compare with")
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            inside = name if name.startswith("judgebench/") else f"judgebench/_data/{name}"
            assert held[inside] == (ROOT / name).read_bytes(), name
    assert "judgebench/py.typed" in held
    assert {name.split("/")[0].split("-")[0] for name in held} == {"judgebench"}, "no tests, no notebooks"
    metadata = next(raw for name, raw in held.items() if name.endswith(".dist-info/METADATA")).decode()
    assert "License-Expression: Apache-2.0" in metadata and any(name.endswith("licenses/LICENSE") for name in held)
    assert "Requires-Dist: numpy>=1.26" in metadata and "Requires-Dist: pandas>=2.1" in metadata, "numpy 2.4 or pandas 3 would lock out vllm"


@pytest.mark.slow
def test_the_wheel_runs_the_example_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    site = Path(subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True).stdout.strip())
    # The dependencies of this environment, on the path only: a .pth on the path is not read, so no editable install comes along.
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}) + "\n")
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    where = subprocess.run([python, "-c", "import judgebench; print(judgebench.__file__)"], cwd=elsewhere, env=env, capture_output=True, text=True, check=True)
    assert Path(where.stdout.strip()).is_relative_to(home)
    done = subprocess.run([home / "bin" / "judgebench", "run", "mtbench", "--json"], cwd=elsewhere, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (entry,) = json.loads(done.stdout)["runs"]
    assert [row["model"] for row in entry["leaderboard"]] == ["thorough", "terse", "careless"]
    assert entry["n_judgments"] == sum(row["n"] for row in entry["leaderboard"]) > 0
