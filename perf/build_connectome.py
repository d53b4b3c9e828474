"""What a build of FlyWire's size costs: generate, build all three datasets, audit them.

    python perf/build_connectome.py [NEURONS CONNECTIONS]

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

SIZE = (140_000, 2_700_000)


def main() -> None:
    """Print a row a step."""
    neurons, connections = [int(word) for word in sys.argv[1:]] or SIZE
    folder = Path(tempfile.mkdtemp(prefix="retia-perf-"))
    tables, store = folder / "tables", folder / "store"
    size = ("--nodes", str(neurons), "--edges", str(connections), "--out", str(tables))
    given = ("--edges", str(tables / "connections.csv"), "--name", "perf", "--out", str(store))
    steps = [("synth", "connectome", *size), ("build", "connectome", *given, "--workers", "2")]
    steps += [("audit", str(store / f"perf-{x}" / "1.0.0")) for x in ("link", "weight", "node")]
    try:
        for words in steps:
            seconds, peak = run(*words)
            print(f"{words[0]:<6} {seconds:7.1f} s {peak:6.2f} GB", flush=True)
    finally:
        shutil.rmtree(folder)


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
