"""What parts of a graph to train on cost: sampled neighbours, halos, partitions, random walks.

    python perf/sampler.py [NODES ...]

By default 400,000 and 3,500,000 nodes, one process each. The graph joins random points in space to
their three nearest, undirected, and numbers them in Morton order, as vessel graphs are. Printed are
the best of five by the clock, and of processor time, which other work on the machine changes less;
what takes longer than a sample is done once.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling

from retia.benchmarks.csr import Csr, Ints
from retia.benchmarks.partitions import edge_cut, label_partition, morton_blocks
from retia.benchmarks.sampling import Hidden, NeighbourSampler, RandomWalks, halo
from retia.benchmarks.sampling.hops import sample_hops
from retia.benchmarks.sampling.oracle import sample_hops_numpy
from retia.protocol.morton import morton_order
from retia.protocol.randomness import Randomness

SEEDS = 1 << 18
BATCHES = (SEEDS, 1 << 10)
FAN_OUTS = ([10, 10], [2, 2])
PARTS = 65
NEAREST = 3

R = TypeVar("R")


def points(num_nodes: int, rng: np.random.Generator) -> tuple[np.ndarray, Ints]:
    """Positions (n, 3), and the edges (2, E) between nearest ones, once."""
    position = rng.random((num_nodes, 3))
    position = position[morton_order(position, np.arange(num_nodes))]
    near = cKDTree(position).query(position, k=NEAREST + 1)[1][:, 1:]
    ends = np.stack([np.repeat(np.arange(num_nodes), NEAREST), near.ravel()])
    keys = np.unique(ends.min(axis=0) * num_nodes + ends.max(axis=0))
    return position, np.stack([keys // num_nodes, keys % num_nodes])


def timed(name: str, function: Callable[[], R], times: int = 1) -> tuple[R, float]:
    """Print what a call takes; its result, and its seconds of processor time."""
    clock, used = [], []
    for _ in range(times):
        start, before = time.perf_counter(), time.process_time()
        result = function()
        clock.append(time.perf_counter() - start)
        used.append(time.process_time() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {name:<52} {min(clock):8.4f} s (CPU {min(used):8.4f} s)  {peak:5.2f} GiB so far")
    return result, min(used)


def measure(num_nodes: int) -> None:
    """Print a line a measurement."""
    rng = np.random.default_rng(0)
    position, pairs = points(num_nodes, rng)
    edges = np.concatenate([pairs, pairs[::-1]], axis=1)
    print(f"{num_nodes:,} nodes, {pairs.shape[1]:,} edges")
    for warm in (20, num_nodes):  # compiled code is loaded by the first call
        graph, _ = timed("rows of incoming neighbours", lambda n=warm: of(edges, n))
        if warm == 20:
            label_partition(graph, 3, rng)
            RandomWalks(graph, 2, 2, Randomness.from_seed(0)).weights(1)
    samples(graph, pairs, rng)
    blocks(graph, position)


def of(edges: Ints, num_nodes: int) -> Csr:
    """The graph of the edges between the first nodes."""
    return Csr.of(edges[:, edges.max(axis=0) < num_nodes], num_nodes)


def samples(graph: Csr, pairs: Ints, rng: np.random.Generator) -> None:
    """The compiled sampler against the numpy one, and the whole of a loader's batch."""
    key = np.uint64(1)
    for size in BATCHES:
        chosen = pairs[:, rng.permutation(pairs.shape[1])[:size]].ravel()
        seeds = np.concatenate([chosen, rng.integers(0, graph.num_nodes, len(chosen))])
        for fan_out in FAN_OUTS:
            name = f"{size:,} edges and negatives, fan-out {fan_out}"
            ours = lambda s=seeds, f=fan_out: sample_hops(graph, s, f, key)  # noqa: E731
            numpy = lambda s=seeds, f=fan_out: sample_hops_numpy(graph, s, f, key)  # noqa: E731
            ours()
            _, quick = timed(f"{name}", ours, 5)
            _, slow = timed("  in numpy", numpy, 5)
            print(f"  {'  numpy / ours':<52} {slow / quick:8.1f}")
    hidden, _ = timed("what to hide with each edge", lambda: Hidden.joining(graph, pairs))
    sampler = NeighbourSampler(graph, [10, 10], Randomness.from_seed(0), hidden)
    number = torch.from_numpy(rng.permutation(pairs.shape[1])[:SEEDS])
    given = EdgeSamplerInput(number, *torch.from_numpy(pairs)[:, number])
    negatives = NegativeSampling("binary", 1)
    name = f"{SEEDS:,} edges through PyG's interface, hidden"
    timed(name, lambda: sampler.sample_from_edges(given, negatives), 5)


def blocks(graph: Csr, position: np.ndarray) -> None:
    """Partitions, the halos of their parts, random walks."""
    shuffled = np.random.default_rng(1).permutation(graph.num_nodes) * PARTS // graph.num_nodes
    print(f"  {PARTS} parts at random: cut {edge_cut(graph, shuffled) / graph.num_edges:.4f}")
    for name, cut in {
        "Morton blocks": lambda: morton_blocks(position, PARTS),
        "label propagation": lambda: label_partition(graph, PARTS, np.random.default_rng(1)),
    }.items():
        part, _ = timed(f"{PARTS} parts by {name}", cut)
        size, lost = np.bincount(part) * PARTS / graph.num_nodes, edge_cut(graph, part)
        print(f"    cut {lost / graph.num_edges:.4f}, sizes {size.min():.3f} to {size.max():.3f}")
        members = np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1])
        halos, _ = timed("  halos of all, 2 hops", lambda m=members: [halo(graph, v, 2) for v in m])
        print(f"    {sum(len(h.nodes) for h in halos) / graph.num_nodes:.3f} nodes a node")
        del halos
    walks = RandomWalks(graph, 3000, 2, Randomness.from_seed(0))
    timed("a subgraph of 3,000 walks of 2 steps", lambda: walks.subgraph(0), 5)
    timed("weights of such subgraphs, 10 a node", lambda: walks.weights(10))


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(int(sys.argv[2]))
    else:
        for given in sys.argv[1:] or ["400000", "3500000"]:
            subprocess.run([sys.executable, __file__, "measure", given], check=True)
