"""Cut a graph into parts of nearly one size: by place, or by size-constrained label propagation."""

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from retia.benchmarks.csr import Csr, Ints
from retia.protocol.morton import morton_order
from retia.shards.errors import InputError

IMBALANCE = 0.1
ROUNDS = 5
STUCK = 0.95


def morton_blocks(positions: NDArray[np.floating[Any]], num_parts: int) -> Ints:
    """The part (n,) of nodes at (n, d) positions, d at most 3: stretches of the Morton order.

    Sizes differ by one at most.
    """
    _check(len(positions), num_parts)
    order = morton_order(positions, np.arange(len(positions)))
    part = np.empty(len(positions), dtype=np.int64)
    part[order] = np.arange(len(positions)) * num_parts // max(len(positions), 1)
    return part


def label_partition(graph: Csr, num_parts: int, rng: np.random.Generator) -> Ints:
    """The part (n,) of each node, with few edges between parts; directions do not matter.

    Sizes are within a tenth of n / num_parts, or within two nodes of it where that is more.
    Clusters that labels spread into are contracted, again and again; what is left is cut in halves
    until there are enough parts; on the way back nodes go over to the part of most neighbours.
    Meyerhenke, H., Sanders, P., Schulz, C. (2014). Partitioning complex networks via
    size-constrained clustering. SEA.
    """
    _check(graph.num_nodes, num_parts)
    size = graph.num_nodes / num_parts
    room = max(IMBALANCE * size, 1)
    levels, clusters = _coarsen(_undirected(graph), max(int(room / 2), 1), rng)
    part = _halve(*levels[-1], num_parts)
    least, most = int(np.ceil(size - room)), int(size + room)
    for level in reversed(range(len(levels))):
        part = part if level == len(clusters) else part[clusters[level]]
        _spread_in_rounds(*levels[level], part, least, most, rng)
    return part


def edge_cut(graph: Csr, part: Ints) -> int:
    """The number of edges between parts."""
    target = np.repeat(np.arange(graph.num_nodes), np.diff(graph.start))
    return int(np.count_nonzero(part[target] != part[graph.source]))


def _check(num_nodes: int, num_parts: int) -> None:
    if not 1 <= num_parts <= max(num_nodes, 1):
        raise InputError(f"{num_nodes:,} nodes cannot be cut into {num_parts:,} parts")


def _undirected(graph: Csr) -> csr_array:
    """The (n, n) int32 numbers of edges between two nodes, in either direction."""
    target = np.repeat(np.arange(graph.num_nodes, dtype=np.int32), np.diff(graph.start))
    ends = np.stack([graph.source, target])
    return _summed(np.concatenate([ends, ends[::-1]], axis=1), None, graph.num_nodes)


def _summed(ends: NDArray[np.int32], weight: NDArray[np.int32] | None, num_nodes: int) -> csr_array:
    """The matrix of edges (2, E), parallel ones as one; self-loops are left out."""
    apart = ends[0] != ends[1]
    weight = np.ones(len(apart), dtype=np.int32) if weight is None else weight
    shape = (num_nodes, num_nodes)
    return coo_array((weight[apart], (ends[0][apart], ends[1][apart])), shape=shape).tocsr()


def _coarsen(
    adjacency: csr_array, cap: int, rng: np.random.Generator
) -> tuple[list[tuple[csr_array, Ints]], list[Ints]]:
    """The graph and the sizes of its nodes, ever coarser; the cluster of each node of each level.

    No node of any level holds more than `cap` nodes of the graph.
    """
    weight = np.ones(adjacency.shape[0], dtype=np.int64)
    levels: list[tuple[csr_array, Ints]] = [(adjacency, weight)]
    clusters: list[Ints] = []
    while True:
        label = np.arange(len(weight))
        _spread_in_rounds(adjacency, weight, label, 0, cap, rng)
        names, cluster = np.unique(label, return_inverse=True)
        if len(names) > STUCK * len(weight):
            return levels, clusters
        weight = np.bincount(cluster, weights=weight).astype(np.int64)
        coo = adjacency.tocoo()
        ends = cluster.astype(np.int32)[np.stack(coo.coords)]
        adjacency = _summed(ends, coo.data, len(names))
        levels.append((adjacency, weight))
        clusters.append(cluster)


def _halve(adjacency: csr_array, weight: Ints, num_parts: int) -> Ints:
    """The part of each node: halves that grow from a far end of the graph, halves of halves, ..."""
    part = np.zeros(len(weight), dtype=np.int64)
    open_cuts = [(np.arange(len(weight)), 0, num_parts)]
    while open_cuts:
        nodes, first, parts = open_cuts.pop()
        part[nodes] = first
        if parts == 1:
            continue
        within = csr_array(adjacency[nodes][:, nodes])
        breadth = reverse_cuthill_mckee(within, symmetric_mode=True)
        nodes = nodes[_grow(within.indptr, within.indices, within.data, breadth)]
        middle = np.cumsum(weight[nodes]) - weight[nodes] / 2
        left = parts // 2
        cut = int(np.searchsorted(middle, weight[nodes].sum() * left / parts))
        open_cuts.append((nodes[:cut], first, left))
        open_cuts.append((nodes[cut:], first + left, parts - left))
    return part


@njit(cache=True, nogil=True)
def _grow(start, neighbour, strength, breadth):
    """The nodes in an order of growth: next comes the one that adds least to the edges cut.

    It begins, and goes on where nothing is left to reach, with the next node of `breadth`.
    Karypis, G., Kumar, V. (1998). A fast and high quality multilevel scheme for partitioning
    irregular graphs. SIAM J. Sci. Comput. 20(1).
    """
    n = len(breadth)
    cost = np.empty(n, dtype=np.int64)
    for i in range(n):
        cost[i] = strength[start[i] : start[i + 1]].sum()
    order = np.empty(n, dtype=np.int64)
    taken = np.zeros(n, dtype=np.bool_)
    found = 0
    for root in breadth:
        near = [(cost[root], np.int64(root))]
        while len(near) > 0:
            _, v = heappop(near)
            if taken[v]:
                continue
            taken[v] = True
            order[found] = v
            found += 1
            for p in range(start[v], start[v + 1]):
                u = neighbour[p]
                if not taken[u]:
                    cost[u] -= 2 * strength[p]
                    heappush(near, (cost[u], np.int64(u)))
    return order


def _spread_in_rounds(
    adjacency: csr_array,
    weight: Ints,
    label: Ints,
    least: int,
    most: int,
    rng: np.random.Generator,
) -> None:
    """Change `label` in place, each round in a new order, until a round changes none."""
    size = np.bincount(label, weights=weight).astype(np.int64)
    for _ in range(ROUNDS):
        order = rng.permutation(len(label))
        matrix = adjacency.indptr, adjacency.indices, adjacency.data
        if not _spread(*matrix, weight, label, size, least, most, order):
            return


@njit(cache=True, nogil=True)
def _spread(start, neighbour, strength, weight, label, size, least, most, order):
    """Give nodes the label that most of their neighbours have, where sizes allow; how many change.

    No label's size rises over `most`, nor falls under `least`. Ties leave the node as it is.
    """
    pull = np.zeros(len(size), dtype=np.int64)
    changed = 0
    for v in order:
        own = label[v]
        for p in range(start[v], start[v + 1]):
            pull[label[neighbour[p]]] += strength[p]
        best = own
        if size[own] - weight[v] >= least:
            for p in range(start[v], start[v + 1]):
                other = label[neighbour[p]]
                if pull[other] > pull[best] and size[other] + weight[v] <= most:
                    best = other
        for p in range(start[v], start[v + 1]):
            pull[label[neighbour[p]]] = 0
        if best != own:
            size[own] -= weight[v]
            size[best] += weight[v]
            label[v] = best
            changed += 1
    return changed
