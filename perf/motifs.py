"""Counting motifs: against igraph and networkx on the same graph, and at the size of a fly's brain.

    python perf/motifs.py [DATA]

DATA is the folder of test data (default: shared/data beside the checkout). Every measurement runs
in a process of its own, whose peak resident size is given; the compared calls of one run in the
same process, the best of a few each, and their counts must agree. Compiling is left out: code is
compiled once for an installation.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import igraph
import networkx as nx
import numpy as np
from scipy.io import loadmat
from scipy.sparse import csr_array

from retia.datasets.connectome.motifs.coloured import coloured_triads
from retia.datasets.connectome.motifs.four_nodes import ISOCLASSES, four_node_counts
from retia.datasets.connectome.synthetic import generate_connectome
from retia.protocol.randomness import Randomness
from retia.protocol.triads import TRIADS, adjacency, edge_orbits, node_orbits, triad_census

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEURONS = 140_000
CONNECTIONS = 2_700_000


def main() -> None:
    """Run every measurement, or the one that is named."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if len(sys.argv) > 2:
        MEASUREMENTS[sys.argv[2]](data)
        return
    for name in MEASUREMENTS:
        process = subprocess.Popen([sys.executable, __file__, str(data), name])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{name} ended with {os.waitstatus_to_exitcode(status)}")
        print(f"{'  peak of the process':36} {usage.ru_maxrss / 2**20:11.2f} GB\n", flush=True)


def worm(data: Path) -> None:
    """A small graph, as null models are: what a call costs, and motifs of four nodes."""
    matrix = loadmat(data / "connectome" / "varshney" / "ConnOrdered_040903.mat")
    graph = adjacency(np.argwhere(matrix["A_init_t_ordered"].todense()), 279)
    other = as_igraph(graph)
    title("worm", graph)
    ours, census = best(lambda: triad_census(graph), 200)
    row("triad census", ours)
    seconds, counts = best(other.triad_census, 20)
    assert list(counts) == census.tolist()
    row("triad census, igraph", seconds, f"{seconds / ours:.1f} x ours")
    ours, four = best(lambda: four_node_counts(graph), 10)
    row("motifs of four nodes", ours)
    seconds, counts = best(lambda: other.motifs_randesu(size=4), 3)
    assert np.array_equal(np.array(counts)[ISOCLASSES], four)
    row("motifs of four nodes, igraph", seconds, f"{seconds / ours:.1f} x ours")


def larva(data: Path) -> None:
    """The larva of the fruit fly."""
    graph = read_larva(data)
    other = as_igraph(graph)
    title("larva", graph)
    ours, census = best(lambda: triad_census(graph), 10)
    row("triad census", ours)
    for name, count in (("node orbits", node_orbits), ("edge orbits", edge_orbits)):
        seconds, _ = best(lambda count=count: count(graph), 10)
        row(name, seconds, f"{seconds / ours:.2f} x the census")
    colours = np.random.default_rng(0).choice([f"class {i}" for i in range(18)], graph.shape[0])
    seconds, _ = best(lambda: coloured_triads(graph, colours), 3)
    row("triads of 18 colours", seconds, f"{seconds / ours:.2f} x the census")
    seconds, counts = best(other.triad_census, 3)
    assert list(counts) == census.tolist()
    row("triad census, igraph", seconds, f"{seconds / ours:.1f} x ours")
    whole = nx.from_scipy_sparse_array(graph, create_using=nx.DiGraph)
    seconds, counts = best(lambda: nx.triadic_census(whole), 1)
    assert [counts[name] for name in TRIADS] == census.tolist()
    row("triad census, networkx", seconds, f"{seconds / ours:.0f} x ours")


def larva_four(data: Path) -> None:
    """Motifs of four nodes where there are hundreds of millions."""
    graph = read_larva(data)
    title("larva", graph)
    seconds, counts = best(lambda: four_node_counts(graph), 1)
    row("motifs of four nodes", seconds, f"{counts.sum():,} sets")


def brain(data: Path) -> None:
    """A generated connectome of the size of a fly's brain, with its loops."""
    made = generate_connectome(NEURONS, CONNECTIONS, Randomness.from_seed(0))
    graph = adjacency(made.connections, NEURONS)
    title("brain", graph)
    both = 0.0
    for name, count in (("triad census", triad_census), ("node orbits", node_orbits)):
        seconds, _ = best(lambda count=count: count(graph), 1)
        row(name, seconds)
        both += seconds
    row("both", both)


MEASUREMENTS: dict[str, Callable[[Path], None]] = {
    "worm": worm,
    "larva": larva,
    "larva-four": larva_four,
    "brain": brain,
}


def read_larva(data: Path) -> csr_array:
    path = data / "connectome" / "drosophila_larva" / "G_edgelist.txt"
    names, pairs = np.unique(np.loadtxt(path, usecols=(0, 1), dtype=np.int64), return_inverse=True)
    return adjacency(pairs.reshape(-1, 2), len(names))


def as_igraph(graph: csr_array) -> igraph.Graph:
    pairs = np.stack(graph.nonzero(), axis=1)
    return igraph.Graph(n=graph.shape[0], edges=pairs.tolist(), directed=True)


def best(call, times):
    """The least seconds of several calls, and what the last returned."""
    least = np.inf
    for _ in range(times):
        start = time.perf_counter()
        found = call()
        least = min(least, time.perf_counter() - start)
    return least, found


def title(name: str, graph: csr_array) -> None:
    most = int((graph + graph.T).sum(axis=1).max())
    print(f"{name}: {graph.shape[0]:,} nodes, {graph.nnz:,} edges, up to {most:,} neighbours")


def row(name: str, seconds: float, remark: str = "") -> None:
    print(f"  {name:34} {seconds:11.4f} s   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
