"""How the cost of a vessel build grows: generate, build both datasets, audit, at several sizes.

    python perf/build_vessel.py [NODES ...]

Each step is the command a user would run, in a process of its own; seconds are wall time, memory is
the peak resident size of that process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (100_000, 350_000, 1_000_000, 3_500_000)


def main() -> None:
    """Print a row a size."""
    sizes = [int(word.replace("_", "")) for word in sys.argv[1:]] or SIZES
    steps = "  ".join(f"{step + ' s':>8} {'GB':>5}" for step in ("synth", "build", "audit"))
    print(f"{'nodes':>10}  {steps}")
    for size in sizes:
        folder = Path(tempfile.mkdtemp(prefix="retia-perf-"))
        try:
            cells = [f"{seconds:8.1f} {peak:5.2f}" for seconds, peak in measure(size, folder)]
        finally:
            shutil.rmtree(folder)
        print(f"{size:10,}  " + "  ".join(cells), flush=True)


def measure(size: int, folder: Path) -> list[tuple[float, float]]:
    """Wall seconds and peak GB of each step."""
    tables = folder / "tables"
    store = folder / "store"
    given = ["--nodes", str(tables / "nodes.csv"), "--edges", str(tables / "edges.csv")]
    return [
        run("synth", "vessel", "--nodes", str(size), "--seed", "1", "--out", str(tables)),
        run("build", "vessel", *given, "--name", "perf", "--out", str(store), "--workers", "2"),
        run("audit", str(store / "perf-link" / "1.0.0")),
    ]


def run(*words: str) -> tuple[float, float]:
    """Run a command of Retia's; a failure ends the benchmark."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "retia", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"retia {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


if __name__ == "__main__":
    main()
