"""How long `judgebench --help` and `show` of 2,000 judgments take beyond a bare interpreter: the best of five each.

python tests/speed/startup.py
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START = "import sys; sys.argv[0] = 'judgebench'; from judgebench.cli import main; main()"
TEXT = "The answer is right, clear and complete, and gives a good example of what it says. " * 12


def best(*command: object) -> float:
    """Seconds of a command, the least of five after one that warms up."""
    times = []
    for _ in range(6):
        began = time.perf_counter()
        subprocess.run([*map(str, command)], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def finished_run(folder: Path) -> Path:
    """A run of 1,000 questions with two turns, judged by a simulated judge; every text is then as long as an LLM's."""
    rows = ({"question_id": i, "category": ("writing", "math", "coding", "stem")[i % 4], "turns": ["Say something.", "And now?"]} for i in range(1000))
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    job = ("run", folder / "questions.jsonl", "--model", "simulated:skill=0.6", "--judge", "simulated:noise=0.2", "--out", folder / "run", "--log", folder / "log.db", "--json")
    subprocess.run([sys.executable, "-c", START, *map(str, job)], stdout=subprocess.DEVNULL, check=True)
    judgments = folder / "run" / "judgments.jsonl"
    lines = [json.dumps({**json.loads(line), "text": TEXT + "Rating: [[7]]"}) for line in judgments.read_text(encoding="utf-8").splitlines()]
    judgments.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "run"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="judgebench-speed-") as name:
        run = finished_run(Path(name))
        bare = best(sys.executable, "-c", "pass")
        print(f"bare interpreter {bare:.2f} s")
        print(f"judgebench --help {best(sys.executable, '-c', START, '--help') - bare:.2f} s more (goal 0.3)")
        print(f"judgebench show of 2,000 judgments {best(sys.executable, '-c', START, 'show', run, '--json') - bare:.2f} s more (goal 1.5)")


if __name__ == "__main__":
    main()
