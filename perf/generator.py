"""What growing a network costs, and what its link task can and cannot be solved by.

`python perf/generator.py cost 100000 350000` grows networks of these sizes, one process each;
`python perf/generator.py quality 20000 350000` builds `net-link` and scores its test part.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from retia.datasets.vessel.generator.oracle import continuation_scores
from retia.datasets.vessel.synthetic import generate_vessels, write_synthetic
from retia.protocol.audit import audit
from retia.protocol.evaluation import load_truth
from retia.protocol.heuristics import link_scores, node_positions
from retia.protocol.metrics import rocauc
from retia.protocol.randomness import Randomness
from retia.shards.version import Version


def cost(num_nodes: int) -> None:
    """Seconds to grow, seconds to grow and write, peak memory."""
    start = time.perf_counter()
    made = generate_vessels(num_nodes, Randomness.from_seed(0))
    grown = time.perf_counter() - start
    raw_edges = made.edges.num_rows
    del made
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_synthetic(num_nodes, 0, Path(folder))
        written = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{num_nodes:>9,} nodes {raw_edges:>9,} raw vessels  grow {grown:6.1f} s  "
        f"grow and write {written:6.1f} s  {peak:5.2f} GB"
    )


def quality(num_nodes: int) -> None:
    """AUC of distance, degree and the continuation rule on every set of pairs."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("build", "vessel", "--generate", str(num_nodes), "--name", "net", "--only", "link")
        subprocess.run(
            [str(Path(sys.executable).parent / "retia"), *words, "--out", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        score(Version.open(next(Path(folder).glob("net-link/*"))))


def score(version: Version) -> None:
    """Print the counts, the AUCs and the audit's probes of a built dataset."""
    (task,) = version.manifest.tasks
    dropped = task.dropped["test_without_match"]
    truth = load_truth(version, task.name, 0, "test")
    items = version.task_table(task.name, 0, "test")
    src, dst = (items[end].to_numpy().astype(np.int64) for end in ("src", "dst"))
    edges = version.edges("vessel", ["src", "dst"])
    visible = np.column_stack([edges[end].to_numpy().astype(np.int64) for end in ("src", "dst")])
    position = node_positions(version)
    assert position is not None
    matched = int((truth.labels[truth.candidates["matched"].item] > 0).sum())
    share = dropped / (dropped + matched)
    print(
        f"{version.manifest.num_nodes:,} nodes; {matched:,} matched positives, {dropped:,} dropped "
        f"({share:.1%})"
    )
    scores = {
        name: link_scores(name, version, task.name, src, dst) for name in ("distance", "degree")
    }
    scores["oracle"] = continuation_scores(position, visible, np.column_stack([src, dst]))
    for name in ("matched", "box", "uniform"):
        chosen = truth.candidates[name].item
        positive = truth.labels[chosen] > 0
        areas = (
            f"{what} {rocauc(values[chosen][positive], values[chosen][~positive]):.3f}"
            for what, values in scores.items()
        )
        print(f"  {name:<8}", "  ".join(areas))
    for finding in audit(version):
        if "AUC" in finding.detail:
            print(
                f"  audit    {finding.check}, {finding.subject}: {finding.status}, {finding.detail}"
            )


if __name__ == "__main__":
    verb, *sizes = sys.argv[1:]
    if verb == "cost" and len(sizes) > 1:
        for size in sizes:
            subprocess.run([sys.executable, __file__, verb, size], check=True)
    else:
        for size in sizes:
            {"cost": cost, "quality": quality}[verb](int(size))
