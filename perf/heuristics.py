"""Untrained scores and a grouped evaluation, at the size of a whole brain's vessels.

    python perf/heuristics.py [NODES]

The graph has NODES nodes (default 3.5 million) in a cube, numbered along a Morton curve, and 1.51
edges a node between near ones. Half of a million pairs are near in space, half are uniform. `hard`
is 10,000 groups, each a positive among 100 near nodes: scores, MRR and six Hits@K. Compiling is
left out: code is compiled once for an installation.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy.spatial import cKDTree

from retia.protocol.evaluation import Members, Truth, evaluate
from retia.protocol.heuristics import HEURISTICS
from retia.protocol.morton import morton_codes
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.manifest import CandidateSet, Measure, PartCounts, Split, Task

EDGES_PER_NODE = 1.51
PAIRS, GROUPS, GROUP_SIZE = 1_000_000, 10_000, 100

T = TypeVar("T")


def main() -> None:
    """Print a table of seconds, wall and CPU, and the peak of memory so far."""
    num_nodes = int(sys.argv[1]) if len(sys.argv) > 1 else 3_500_000
    rng = Randomness.from_seed(0).stream("perf")
    small = make_graph(2_000, rng)
    for heuristic in HEURISTICS.values():
        heuristic(small, small.visible[:9])
    graph = make_graph(num_nodes, rng)
    pairs = make_pairs(graph, rng)
    print(f"{num_nodes:,} nodes, {len(graph.visible):,} edges, {len(pairs):,} pairs")
    print(f"{'':32} {'wall s':>8} {'CPU s':>8} {'peak GB':>8}")
    measure("adjacency", lambda: graph.neighbours)
    measure("CN, AA and RA", lambda: [HEURISTICS[name](graph, pairs) for name in OVERLAPS])
    for name, heuristic in HEURISTICS.items():
        measure(name, lambda heuristic=heuristic: heuristic(graph, pairs))
    truth, items = make_groups(graph, rng)
    for name in ("resource-allocation", "katz", "personalised-pagerank", "distance"):
        scores = measure(f"hard, {name}", lambda name=name: HEURISTICS[name](graph, items))
        measure("  MRR and Hits@K", lambda scores=scores: evaluate(truth, scores))


OVERLAPS = ("common-neighbours", "adamic-adar", "resource-allocation")


def make_graph(num_nodes: int, rng: np.random.Generator) -> LinkGraph:
    """Points in a cube, each joined to near ones."""
    positions = rng.random((num_nodes, 3))
    positions = positions[np.argsort(morton_codes(positions))]
    _, near = cKDTree(positions).query(positions, k=4)
    pairs = np.column_stack([np.repeat(np.arange(num_nodes), 3), near[:, 1:].ravel()])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    kept = np.sort(rng.permutation(len(edges))[: int(EDGES_PER_NODE * num_nodes)])
    return LinkGraph(num_nodes, False, edges[kept], edges[:0], positions)


def make_pairs(graph: LinkGraph, rng: np.random.Generator) -> np.ndarray:
    """Half near in the order of the nodes, and so in space; half uniform."""
    source = rng.integers(graph.num_nodes, size=PAIRS)
    near = (source + rng.integers(1, 33, size=PAIRS)) % graph.num_nodes
    far = (source + rng.integers(1, graph.num_nodes, size=PAIRS)) % graph.num_nodes
    return np.column_stack([source, np.where(np.arange(PAIRS) % 2, near, far)])


def make_groups(graph: LinkGraph, rng: np.random.Generator) -> tuple[Truth, np.ndarray]:
    """A part of a link task with `hard` groups alone."""
    source = rng.permutation(graph.num_nodes)[:GROUPS]
    target = (source[:, None] + np.arange(1, GROUP_SIZE + 2)) % graph.num_nodes
    items = np.column_stack([np.repeat(source, GROUP_SIZE + 1), target.ravel()])
    labels = np.tile(np.arange(GROUP_SIZE + 1) == 0, GROUPS).astype(np.int64)
    order = rng.permutation(len(items))
    counts = PartCounts(train=1, valid=len(items), test=len(items))
    hits = tuple(Measure(metric=f"hits@{k}", candidates="hard") for k in (1, 3, 10, 20, 50, 100))
    task = Task(
        name="link",
        type="link",
        description="Groups alone.",
        relation="edge",
        split=Split(scheme="random"),
        counts=(counts,),
        candidates=(CandidateSet(name="hard", grouped=True, description="near nodes"),),
        primary=Measure(metric="mrr", candidates="hard"),
        secondary=hits,
        secrecy="open",
    )
    place = np.arange(len(items))
    members = Members(place, items[order, 0])
    return Truth(task, place, labels[order], {"hard": members}), items[order]


def measure(name: str, function: Callable[[], T]) -> T:
    """Call it once, print what it cost, and hand its value on."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:32} {wall:8.2f} {cpu:8.2f} {peak:8.2f}", flush=True)
    return value


if __name__ == "__main__":
    main()
