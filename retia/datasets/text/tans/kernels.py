"""Compiled walks over an undirected simple graph: shortest paths, and paths of two steps.

A graph is the rows of its adjacency: the neighbours of node u are `neighbour[start[u] : start[u +
1]]`. Threads run the kernels side by side.
"""

import numpy as np
from numpy.typing import NDArray

from retia.protocol.triads import compiled

Ints = NDArray[np.int64]
Nodes = NDArray[np.int32]
Floats = NDArray[np.float64]

PATHS, PATHS_SQUARED, FAR, FAR_SQUARED = range(4)
"""The rows of what `shortest_paths` returns."""


@compiled
def shortest_paths(start: Ints, neighbour: Nodes, sources: Nodes) -> Floats:
    """(4, n): sums over the sources of the dependency of each node, its square, the distance to
    the node, its square.

    A dependency is the share of the shortest paths from a source that pass a node, summed over
    where they end (Brandes, U. (2001). A faster algorithm for betweenness centrality. J. Math.
    Sociol. 25(2)); here each path counts 2 d(source, node) / d(source, end) times. Over all
    sources that adds up to the same, and over a few it does not overrate the nodes near them
    (Geisberger, R. et al. (2008). Better approximation of betweenness centrality. ALENEX). Nodes
    that a source does not reach add nothing.
    """
    n = len(start) - 1
    sums = np.zeros((4, n))
    queue = np.empty(n, dtype=np.int32)
    distance = np.full(n, -1, dtype=np.int32)
    paths = np.zeros(n)
    dependency = np.zeros(n)
    for source in sources:
        queue[0], distance[source], paths[source] = source, 0, 1.0
        head, tail = 0, 1
        while head < tail:
            v = queue[head]
            head += 1
            for e in range(start[v], start[v + 1]):
                w = neighbour[e]
                if distance[w] < 0:
                    distance[w] = distance[v] + 1
                    queue[tail] = w
                    tail += 1
                if distance[w] == distance[v] + 1:
                    paths[w] += paths[v]
        for place in range(tail - 1, 0, -1):
            w = queue[place]
            share = (1.0 / distance[w] + dependency[w]) / paths[w]
            for e in range(start[w], start[w + 1]):
                v = neighbour[e]
                if distance[v] == distance[w] - 1:
                    dependency[v] += paths[v] * share
            passed = 2.0 * distance[w] * dependency[w]
            sums[0, w] += passed
            sums[1, w] += passed**2
            sums[2, w] += distance[w]
            sums[3, w] += distance[w] ** 2
        for place in range(tail):
            v = queue[place]
            distance[v], paths[v], dependency[v] = -1, 0.0, 0.0
    return sums


@compiled
def two_steps(start: Ints, neighbour: Nodes, first: int, last: int) -> Ints:
    """(last - first, 2): of each node from `first` to `last`, its triangles and its squares.

    A square of a node is a pair of paths of two steps to one other node.
    """
    counts = np.zeros((last - first, 2), dtype=np.int64)
    ways = np.zeros(len(start) - 1, dtype=np.int64)
    for v in range(first, last):
        for e in range(start[v], start[v + 1]):
            u = neighbour[e]
            for f in range(start[u], start[u + 1]):
                ways[neighbour[f]] += 1
        ways[v] = 0
        closed = 0
        for e in range(start[v], start[v + 1]):
            closed += ways[neighbour[e]]
        squares = 0
        for e in range(start[v], start[v + 1]):
            u = neighbour[e]
            for f in range(start[u], start[u + 1]):
                x = neighbour[f]
                squares += ways[x] * (ways[x] - 1) // 2
                ways[x] = 0
        counts[v - first, 0] = closed // 2
        counts[v - first, 1] = squares
    return counts
