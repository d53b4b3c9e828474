"""Subgraphs of random walks, and the weights that make training on them unbiased.

Zeng, H., Zhou, H., Srivastava, A., Kannan, R., Prasanna, V. (2020). GraphSAINT: graph sampling
based inductive learning method. ICLR. https://arxiv.org/abs/1907.04931
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from retia.benchmarks.csr import Csr, Subgraph
from retia.benchmarks.sampling.draws import draw, new_key, stream_of
from retia.benchmarks.sampling.induced import induced
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError


@dataclass(frozen=True)
class Weights:
    """What undoes that some nodes and edges are drawn more often than others.

    `edge` (E,) float32, as the edges of the list that the graph was made of: a message from u to v
    counts C_v / C_uv. `node` (n,) float32: the loss at v counts N / (n C_v). C are the numbers of
    those of N subgraphs that hold v, or the edge. What none holds counts as held once.
    """

    edge: NDArray[np.float32]
    node: NDArray[np.float32]


@dataclass(frozen=True)
class RandomWalks:
    """Subgraphs that the nodes of `roots` walks of `length` steps induce.

    Roots are uniform, with replacement. A walk goes from a node to the source of one of its
    incoming edges, and stays where there is none. Raises `InputError` for a graph without nodes.
    """

    graph: Csr
    roots: int
    length: int
    randomness: Randomness

    def __post_init__(self) -> None:
        if not self.graph.num_nodes:
            raise InputError("a graph without nodes has no random walks")

    def subgraph(self, step: int) -> Subgraph:
        """The subgraph of that number; it depends on no other."""
        key = new_key(self.randomness.stream("saint"))
        visited = np.empty(self.roots * (self.length + 1), dtype=np.int64)
        _walk(self.graph.start, self.graph.source, visited, self.length, key, step)
        return induced(self.graph, visited)

    def weights(self, coverage: int = 50) -> Weights:
        """From subgraphs of their own, until they hold `coverage` times n nodes."""
        key, n = new_key(self.randomness.stream("saint", "weights")), self.graph.num_nodes
        steps, node, entry = _count(
            self.graph.start, self.graph.source, self.roots, self.length, coverage * n, key
        )
        target = np.repeat(np.arange(n), np.diff(self.graph.start))
        edge = np.empty(self.graph.num_edges, dtype=np.float32)
        edge[self.graph.edge] = np.maximum(node, 1)[target] / np.maximum(entry, 1)
        return Weights(edge, (steps / n / np.maximum(node, 1)).astype(np.float32))


@njit(cache=True, nogil=True)
def _walk(start, source, visited, length, key, number):
    """Fill `visited` (roots * (length + 1),) with the walks of the subgraph of that number."""
    nodes, key = np.uint64(len(start) - 1), stream_of(key, np.uint64(number))
    for walk in range(len(visited) // (length + 1)):
        stream = stream_of(key, np.uint64(walk))
        v = np.int64(draw(stream, np.uint64(0), nodes))
        visited[walk * (length + 1)] = v
        for step in range(1, length + 1):
            degree = start[v + 1] - start[v]
            if degree > 0:
                place = draw(stream, np.uint64(step), np.uint64(degree))
                v = np.int64(source[start[v] + np.int64(place)])
            visited[walk * (length + 1) + step] = v


@njit(cache=True, nogil=True)
def _count(start, source, roots, length, wanted, key):
    """How many subgraphs hold `wanted` nodes in all; how many of them hold each node and entry."""
    node = np.zeros(len(start) - 1, dtype=np.int64)
    entry = np.zeros(len(source), dtype=np.int64)
    last = np.full(len(start) - 1, -1, dtype=np.int64)
    visited = np.empty(roots * (length + 1), dtype=np.int64)
    steps, total = 0, 0
    while total < wanted:
        _walk(start, source, visited, length, key, steps)
        found = 0
        for v in visited:
            if last[v] != steps:
                last[v] = steps
                node[v] += 1
                visited[found] = v
                found += 1
        for v in visited[:found]:
            for p in range(start[v], start[v + 1]):
                entry[p] += last[source[p]] == steps
        total += found
        steps += 1
    return steps, node, entry
