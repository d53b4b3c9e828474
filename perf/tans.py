"""Properties of nodes: their cost at full size, and how well sampled values rank the nodes.

    python perf/tans.py

The first table is of a graph of 20,000 nodes and 45,000 edges with a heavy tail of degrees, on two
threads; seconds of one run, compiling left out, and exact values from all nodes beside those from
pivots. The second holds sampled values against exact ones on graphs of 2,000 nodes: Spearman's
correlation, and the share of the nodes whose exact value is within two standard errors.
"""

import resource
import time

import networkx as nx
import numpy as np
from scipy.sparse import csr_array
from scipy.stats import spearmanr

from retia.datasets.text.tans.properties import (
    PIVOTS,
    SAMPLED,
    Properties,
    compute_properties,
    undirected,
)
from retia.protocol.randomness import Randomness

NODES, EDGES, TAIL = 20_000, 45_000, 1.6
WORKERS = 2
SEED = Randomness.from_seed(0)


def main() -> None:
    """Print both tables."""
    compute_properties(undirected(np.array([[0, 1]]), 2), SEED)
    print(f"{NODES:,} nodes, {EDGES:,} edges, {WORKERS} threads")
    graph = heavy_tailed()
    print(f"  up to {np.diff(graph.indptr).max():,} neighbours")
    for title, exact_nodes in ((f"{PIVOTS:,} pivots", 0), ("all nodes", NODES)):
        start = time.perf_counter()
        compute_properties(graph, SEED, workers=WORKERS, exact_nodes=exact_nodes)
        print(f"  {title:16} {time.perf_counter() - start:8.2f} s", flush=True)
    print(f"  {'peak':16} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:8.2f} GB\n")
    print(f"{'2,000 nodes':18} {'pivots':>6} {'property':12} {'Spearman':>8} {'in 2 s.e.':>9}")
    for title, made in GRAPHS.items():
        small = undirected(np.array(made().edges), 2_000)
        truth = compute_properties(small, SEED, workers=WORKERS)
        for pivots in (128, 256, 512, 1_024):
            sampled = compute_properties(small, SEED, workers=WORKERS, exact_nodes=0, pivots=pivots)
            for name in SAMPLED:
                row(title, pivots, name, truth, sampled)


GRAPHS = {
    "preferential": lambda: nx.barabasi_albert_graph(2_000, 2, seed=0),
    "clustered": lambda: nx.powerlaw_cluster_graph(2_000, 3, 0.4, seed=0),
    "small world": lambda: nx.connected_watts_strogatz_graph(2_000, 6, 0.1, seed=0),
    "lattice 40 x 50": lambda: nx.convert_node_labels_to_integers(nx.grid_2d_graph(40, 50)),
    "random tree": lambda: nx.random_labeled_tree(2_000, seed=0),
}


def heavy_tailed() -> csr_array:
    """Edges drawn with weights of a Pareto tail, as many as `EDGES`."""
    rng = np.random.default_rng(0)
    share = (1 - rng.random(NODES)) ** (-1 / TAIL)
    drawn = rng.choice(NODES, (3 * EDGES, 2), p=share / share.sum())
    pairs = np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1)
    unique = rng.permutation(np.unique(pairs, axis=0))
    return undirected(unique[:EDGES], NODES)


def row(title: str, pivots: int, name: str, truth: Properties, sampled: Properties) -> None:
    rank = spearmanr(truth.values[name], sampled.values[name]).statistic
    off = np.abs(truth.values[name] - sampled.values[name])
    inside = (off <= 2 * sampled.errors[name]).mean()
    print(f"{title:18} {pivots:6,} {name:12} {rank:8.4f} {inside:9.1%}", flush=True)


if __name__ == "__main__":
    main()
