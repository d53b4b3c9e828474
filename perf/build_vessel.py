"""How the cost of a vessel build grows: generate, build all datasets, audit, at several sizes.

    python perf/build_vessel.py [NODES ...]

Each step is the command a user would run, in a process of its own, the audit of the three datasets
one after the other; `line` is the line graph of all vessels alone, reading the tables not counted.
`s` is wall time; `cpu` is the processor's time over all threads, which other work on the machine
hardly changes; `GB` is the peak resident size of the process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

Cost = tuple[float, float, float]  # wall seconds, processor seconds, peak GB

STEPS = ("synth", "build", "audit", "line")
SIZES = (100_000, 350_000, 1_000_000, 3_500_000)


def main() -> None:
    """Print a row a size."""
    sizes = [int(word.replace("_", "")) for word in sys.argv[1:]] or SIZES
    steps = "  ".join(
        f"{step + ' s':>8} {'cpu':>6} {'GB':>5}" for step in ("synth", "build", "audit", "line")
    )
    print(f"{'nodes':>10}  {steps}")
    for size in sizes:
        folder = Path(tempfile.mkdtemp(prefix="retia-perf-"))
        try:
            cells = [
                f"{wall:8.1f} {cpu:6.1f} {peak:5.2f}" for wall, cpu, peak in measure(size, folder)
            ]
        finally:
            shutil.rmtree(folder)
        print(f"{size:10,}  " + "  ".join(cells), flush=True)


def measure(size: int, folder: Path) -> list[Cost]:
    """The cost of each step."""
    tables = folder / "tables"
    store = folder / "store"
    given = ["--nodes", str(tables / "nodes.csv"), "--edges", str(tables / "edges.csv")]
    given += ["--junction-labels", str(tables / "truth.csv"), "--name", "perf"]
    made = run("synth", "vessel", "--nodes", str(size), "--seed", "1", "--out", str(tables))
    built = run("build", "vessel", *given, "--out", str(store), "--workers", "2")
    audits = [
        run("audit", str(store / f"perf-{sibling}" / "1.0.0"))
        for sibling in ("link", "node", "junction")
    ]
    walls, cpus, peaks = zip(*audits, strict=True)
    audited = sum(walls), sum(cpus), max(peaks)
    return [made, built, audited, line(tables)]


def line(tables: Path) -> Cost:
    """The line graph in a process of its own, which prints its seconds."""
    command = [sys.executable, __file__, "--line", str(tables)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        wall, cpu = map(float, process.stdout.read().split())
        _, _, usage = os.wait4(process.pid, 0)
    return wall, cpu, usage.ru_maxrss / 2**20


def time_line_graph(tables: Path) -> None:
    """Print the seconds that the line graph takes."""
    from retia.datasets.vessel.cleaning import clean
    from retia.datasets.vessel.line_graph import line_graph
    from retia.datasets.vessel.readers.voreen import read_voreen

    graph, _ = clean(read_voreen(tables / "nodes.csv", tables / "edges.csv"))
    start, cpu = time.monotonic(), time.process_time()
    line_graph(graph.ends, len(graph.node_id))
    print(time.monotonic() - start, time.process_time() - cpu)


def run(*words: str) -> Cost:
    """Run a command of Retia's; a failure ends the benchmark."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "retia", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"retia {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    wall = time.monotonic() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


if __name__ == "__main__":
    time_line_graph(Path(sys.argv[2])) if sys.argv[1:2] == ["--line"] else main()
