"""What generating a connectome costs, what the rule achieves, and what there is to learn in it.

    python perf/connectome_generator.py cost [NEURONS ...]
    python perf/connectome_generator.py motif [NEURONS]
    python perf/connectome_generator.py quality [NEURONS ...]

`cost` runs the command a user would run, each size in a process of its own: wall seconds, seconds
of the processor, and the peak resident size of that process. `motif` counts triads with and without
closing. `quality` hides a tenth of the connections and prints AUCs of the parts of the rule.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from retia.datasets.connectome.generator.oracle import wiring_scores
from retia.datasets.connectome.synthetic import (
    DEFAULT_WIRING,
    GeneratedConnectome,
    generate_connectome,
    usual_connections,
)
from retia.datasets.generated import GENERATOR_FILE
from retia.protocol.metrics import rocauc
from retia.protocol.negatives import FreeNodes, matched_negatives
from retia.protocol.pairs import LinkGraph, contains, disjoint
from retia.protocol.randomness import Randomness

HIDDEN = 0.1
CLOSED = (0.0, 0.15, 0.3)


def cost(sizes: list[int]) -> None:
    """Seconds, peak GB and what was achieved, a row a size."""
    head = f"{'neurons':>10} {'connections':>12} {'s':>7} {'cpu s':>7} {'GB':>5}"
    print(f"{head}  reciprocity  030T  by degree")
    for size in sizes or [1_000, 10_000, 140_000]:
        with tempfile.TemporaryDirectory() as folder:
            words = ["synth", "connectome", "--nodes", str(size), "--seed", "1", "--out", folder]
            seconds, busy, peak = run(*words)
            achieved = json.loads((Path(folder) / GENERATOR_FILE).read_text())["achieved"]
        print(
            f"{size:>10,} {achieved['connections']:>12,} {seconds:7.1f} {busy:7.1f} {peak:5.2f}  "
            f"{achieved['reciprocity']:.3f}  {achieved['triads_030T']:,}  "
            f"{achieved['triads_030T_expected_by_degree']:,}",
            flush=True,
        )


def run(*words: str) -> tuple[float, float, float]:
    """Run a command of Retia's; a failure ends the benchmark."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "retia", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"retia {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    busy = usage.ru_utime + usage.ru_stime
    return time.monotonic() - start, busy, usage.ru_maxrss / 2**20


def motif(sizes: list[int]) -> None:
    """Triads 030T and 030C by the share of closed pairs."""
    for size in sizes or [10_000]:
        for closed in CLOSED:
            wiring = replace(DEFAULT_WIRING, closed=closed)
            made = generate_connectome(
                size, usual_connections(size), Randomness.from_seed(1), wiring
            )
            transitive, cyclic = made.achieved["triads_030T"], made.achieved["triads_030C"]
            expected = made.achieved["triads_030T_expected_by_degree"]
            print(
                f"{size:>9,} neurons  closed {closed:4.2f}  030T {transitive:>9,}  "
                f"030C {cyclic:>7,}  ratio {transitive / cyclic:5.1f}  "
                f"over degree {transitive / expected:6.2f}",
                flush=True,
            )


def quality(sizes: list[int]) -> None:
    """AUC of the rule and its parts, hidden connections against matched pairs."""
    for size in sizes or [1_000, 10_000, 140_000]:
        made = generate_connectome(size, usual_connections(size), Randomness.from_seed(1))
        rng = np.random.default_rng(0)
        edges = rng.permutation(made.connections)
        cut = round(HIDDEN * len(edges))
        graph = LinkGraph(size, True, edges[cut:], edges[:cut], made.neurons.position)
        print(f"{size:,} neurons")
        show("degree", made, graph, degree_matched(graph, rng))
        if size <= 10_000:
            show("degree and distance", made, graph, distance_matched(graph, rng))


def degree_matched(graph: LinkGraph, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Hidden connections, and for each a non-edge of its source and a target of equal in-degree."""
    order = rng.permutation(len(graph.hidden))
    order = order[np.argsort(graph.target_degree[graph.hidden[order, 1]], kind="stable")]
    positives = graph.hidden[order]
    degree = graph.target_degree[positives[:, 1]]
    negatives = np.column_stack([positives[:, 0], np.roll(positives[:, 1], 1)])
    equal = degree == np.roll(degree, 1)
    proper = equal & (negatives[:, 0] != negatives[:, 1])
    proper &= ~contains(graph.known, graph.keys(negatives))
    return positives[proper], negatives[proper]


def distance_matched(graph: LinkGraph, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The protocol's matched pairs: equal degrees, nearly equal distance, no neuron twice."""
    positives = graph.hidden[disjoint(graph.hidden, graph.num_nodes)][: graph.num_nodes // 8]
    nodes = FreeNodes(np.ones(graph.num_nodes, dtype=bool))
    nodes.take(positives)
    negatives, found = matched_negatives(graph, positives, nodes, rng)
    return positives[found], negatives[found]


def show(
    what: str,
    made: GeneratedConnectome,
    graph: LinkGraph,
    pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    """Print the AUC of every part of the rule."""
    parts = [wiring_scores(made.neurons, graph.visible, some, DEFAULT_WIRING) for some in pairs]
    areas = []
    for field in fields(parts[0]):
        positive, negative = (getattr(part, field.name).astype(float) for part in parts)
        areas.append(f"{field.name} {rocauc(positive, negative):.3f}")
    print(f"  {what}, {len(pairs[0]):,} pairs:", "  ".join(areas), flush=True)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    sizes = [int(word.replace("_", "")) for word in words]
    {"cost": cost, "motif": motif, "quality": quality}[verb](sizes)
