"""Count the triads of a directed graph: in all, at every node and at every edge.

All counts come from one table. For every pair of joined nodes, a dyad, it holds how many third
nodes are joined to the two in each of 16 possible ways. Third nodes that close a triangle are found
by walking each triangle once, from its node of lowest degree (Chiba, N., Nishizeki, T. (1985).
Arboricity and subgraph listing algorithms. SIAM J. Comput. 14(1)), in O(m^1.5); those that do not
follow from the degrees. A triad is met once from each of its dyads.

A graph is a `csr_array` (n, n) in which whatever is not 0 is an edge; one that is not square or has
self-loops raises `InputError`. Counts are of induced triads, and exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from retia.protocol.triad_classes import (
    CLASS,
    CONNECTED,
    DYADS,
    EDGE_ORBIT,
    EDGE_ORBITS,
    NODE_ORBIT,
    ORBIT_DYADS,
    ORBITS,
    SUBGRAPHS,
    TRIADS,
)
from retia.shards.errors import InputError, MissingExtraError

try:
    from numba import njit
except ImportError as error:
    raise MissingExtraError("build", "numba") from error

__all__ = [
    "CONNECTED",
    "EDGE_ORBITS",
    "ORBITS",
    "REVERSED",
    "TRIADS",
    "Skeleton",
    "adjacency",
    "compiled",
    "edge_orbits",
    "neighbours_of",
    "node_orbits",
    "noninduced_counts",
    "simple",
    "skeleton_of",
    "triad_census",
]

Ints: TypeAlias = NDArray[np.int64]
Nodes: TypeAlias = NDArray[np.int32]
Kinds: TypeAlias = NDArray[np.int8]
Kernel = TypeVar("Kernel", bound=Callable[..., object])

REVERSED = np.array([0, 2, 1, 3])
"""The kind of a dyad, seen from its other node."""
EXCHANGED = np.arange(16).reshape(4, 4).T.ravel()
"""The 16 ways of a third node, with the two nodes of the dyad exchanged."""


def compiled(function: Kernel) -> Kernel:
    """The function as machine code, kept on disk between runs; threads run it side by side."""
    return cast(Kernel, njit(cache=True, nogil=True)(function))


@dataclass(frozen=True)
class Skeleton:
    """The dyads of a graph, each once, under its node of lower degree (ties: of lower number).

    `first` and `second` (D,) are its nodes; `kind` (D,) is 1 where first sends to second, 2 where
    it receives, 3 where both. The dyads under node u are those from `start[u]` to `start[u + 1]`.
    """

    start: Ints
    first: Nodes
    second: Nodes
    kind: Kinds

    @property
    def num_nodes(self) -> int:
        """The number of nodes, n."""
        return len(self.start) - 1

    def third_nodes(self) -> Ints:
        """(D, 16): the third nodes w by way, y + 4 z of the kinds of (first, w), (second, w)."""
        third = np.zeros((len(self.first), 4, 4), dtype=np.int64)
        _close(self.start, self.second, self.kind, third)
        closed = third[:, 1:, 1:]
        degree, kinds = self._degree_by_kind(), np.arange(1, 4)
        own = self.kind[:, None] == kinds
        third[:, 0, 1:] = degree[self.first] - own - closed.sum(axis=1)
        own = REVERSED[self.kind][:, None] == kinds
        third[:, 1:, 0] = degree[self.second] - own - closed.sum(axis=2)
        third[:, 0, 0] = self.num_nodes - 2 - third.sum(axis=(1, 2))
        return third.reshape(-1, 16)

    def _degree_by_kind(self) -> Ints:
        """(n, 3): neighbours that a node only sends to, only receives from, and both."""
        ends = np.concatenate([self.first, self.second]).astype(np.int64)
        kind = np.concatenate([self.kind, REVERSED[self.kind]])
        degree = np.bincount(4 * ends + kind, minlength=4 * self.num_nodes)
        return degree.reshape(-1, 4)[:, 1:]


def adjacency(pairs: Ints, num_nodes: int) -> csr_array:
    """The (n, n) adjacency of directed pairs (E, 2); self-loops and duplicates are dropped."""
    tail, head = pairs[pairs[:, 0] != pairs[:, 1]].T
    graph = csr_array((np.ones(len(tail), dtype=bool), (tail, head)), shape=(num_nodes, num_nodes))
    graph.sum_duplicates()
    return graph


def triad_census(graph: csr_array) -> Ints:
    """(16,) int64: the number of triples of nodes of each class, as `TRIADS`."""
    skeleton = skeleton_of(graph)
    triples = comb(skeleton.num_nodes, 3)
    if triples > np.iinfo(np.int64).max:
        raise InputError(f"{skeleton.num_nodes:,} nodes have more triads than an int64 counts")
    met = _sum_by(skeleton.kind, skeleton.third_nodes(), 4)
    census = np.zeros(len(TRIADS), dtype=np.int64)
    np.add.at(census, CLASS, met.T.ravel())
    census[1:] //= DYADS[1:]
    census[0] = triples - census[1:].sum()
    return census


def noninduced_counts(census: Ints) -> Ints:
    """(..., 13) int64: the subgraphs of each class, as `CONNECTED`, of graphs of those censuses.

    `census` is (..., 16) induced counts: a triangle 030T holds a 021C that is not induced.
    """
    return np.asarray(census[..., -len(CONNECTED) :] @ SUBGRAPHS.T, dtype=np.int64)


def node_orbits(graph: csr_array) -> Ints:
    """(n, 30) int64: the triads in which a node stands in each orbit, as `ORBITS`."""
    skeleton = skeleton_of(graph)
    n, third = skeleton.num_nodes, skeleton.third_nodes()
    kind = skeleton.kind.astype(np.int64)
    met = _sum_by(n * kind + skeleton.first, third, 4 * n)
    met += _sum_by(n * REVERSED[kind] + skeleton.second, third, 4 * n)[:, EXCHANGED]
    met = met.reshape(4, n, 16)
    counts = np.zeros((n, len(ORBITS)), dtype=np.int64)
    for code in np.flatnonzero(NODE_ORBIT >= 0):
        counts[:, NODE_ORBIT[code]] += met[code & 3, :, code >> 2]
    counts //= ORBIT_DYADS
    return counts


def edge_orbits(graph: csr_array) -> Ints:
    """(E, 30) int64: the triads in which an edge stands in each orbit, as `EDGE_ORBITS`.

    Edges in the order of `simple(graph)`: by tail, then by head.
    """
    graph = simple(graph)
    skeleton = skeleton_of(graph)
    third = skeleton.third_nodes()
    tail, head = graph.nonzero()
    dyad, turned = _find(skeleton, tail, head)
    counts = np.zeros((len(tail), len(EDGE_ORBITS)), dtype=np.int64)
    ways = np.arange(1, 16)
    for kind in (1, 2, 3):
        for exchanged, seen in ((False, kind), (True, REVERSED[kind])):
            rows = np.flatnonzero((skeleton.kind[dyad] == kind) & (turned == exchanged))
            if seen & 1:
                columns = EXCHANGED[ways] if exchanged else ways
                found = third[dyad[rows][:, None], columns]
                counts[rows[:, None], EDGE_ORBIT[seen + 4 * ways]] = found
    return counts


def simple(graph: csr_array) -> csr_array:
    """The graph with sorted rows and no stored zeros; raises `InputError` where it is unusable."""
    if graph.shape[0] != graph.shape[1]:
        raise InputError(f"an adjacency has to be square, and this one is {graph.shape}")
    if not graph.has_canonical_format or np.count_nonzero(graph.data) < graph.nnz:
        graph = graph.copy()
        graph.sum_duplicates()
        graph.eliminate_zeros()
    loops = np.count_nonzero(graph.diagonal())
    if loops:
        raise InputError(f"{loops} self-loops in a graph whose motifs are counted; drop them")
    return graph


def skeleton_of(graph: csr_array) -> Skeleton:
    """The dyads of a graph."""
    return Skeleton(*_upward(*neighbours_of(graph)))


def neighbours_of(graph: csr_array) -> tuple[Ints, Nodes, Kinds]:
    """Of every node: where its neighbours start (n + 1,); they (2 D,), ascending; their kinds.

    A kind is 1 where the node sends to the neighbour, 2 where it receives, 3 where both.
    """
    graph = simple(graph)
    return _neighbours(graph.indptr.astype(np.int64), graph.indices.astype(np.int32))


def _sum_by(group: NDArray[Any], rows: Ints, num_groups: int) -> Ints:
    """(num_groups, C): the sums of the rows (R, C) of each group."""
    ones, start = np.ones(len(rows), dtype=np.int64), np.arange(len(rows) + 1)
    return np.asarray(csc_array((ones, group, start), shape=(num_groups, len(rows))) @ rows)


def _find(skeleton: Skeleton, tail: Nodes, head: Nodes) -> tuple[Ints, NDArray[np.bool_]]:
    """The dyad of each edge, and whether the edge's tail is the dyad's second node."""
    n = np.int64(skeleton.num_nodes)
    key = _key(skeleton.first, skeleton.second, n)
    order = np.argsort(key)
    dyad = order[np.searchsorted(key[order], _key(tail, head, n))]
    return dyad, skeleton.first[dyad] != tail


def _key(left: Nodes, right: Nodes, n: np.int64) -> Ints:
    return np.minimum(left, right) * n + np.maximum(left, right)


@compiled
def _neighbours(start: Ints, head: Nodes) -> tuple[Ints, Nodes, Kinds]:
    """What `neighbours_of` returns; `start` and `head` are the rows of the adjacency."""
    n = len(start) - 1
    back_start, tail = _transposed(start, head)
    ends = np.zeros(n + 1, dtype=np.int64)
    neighbour = np.empty(2 * len(head), dtype=np.int32)
    kind = np.empty(2 * len(head), dtype=np.int8)
    k = 0
    for u in range(n):
        e, f = start[u], back_start[u]
        while e < start[u + 1] or f < back_start[u + 1]:
            to = head[e] if e < start[u + 1] else n
            by = tail[f] if f < back_start[u + 1] else n
            neighbour[k] = min(to, by)
            kind[k] = (to <= by) + 2 * (by <= to)
            e += to <= by
            f += by <= to
            k += 1
        ends[u + 1] = k
    return ends, neighbour[:k].copy(), kind[:k].copy()


@compiled
def _transposed(start: Ints, head: Nodes) -> tuple[Ints, Nodes]:
    """Where the edges into each node start, and their tails, ascending."""
    n = len(start) - 1
    back_start = np.zeros(n + 1, dtype=np.int64)
    for v in head:
        back_start[v + 1] += 1
    for v in range(n):
        back_start[v + 1] += back_start[v]
    tail = np.empty(len(head), dtype=np.int32)
    free = back_start[:-1].copy()
    for u in range(n):
        for e in range(start[u], start[u + 1]):
            tail[free[head[e]]] = u
            free[head[e]] += 1
    return back_start, tail


@compiled
def _upward(ends: Ints, neighbour: Nodes, kind: Kinds) -> tuple[Ints, Nodes, Nodes, Kinds]:
    """The fields of a `Skeleton`."""
    n, size = len(ends) - 1, len(neighbour) // 2
    start = np.zeros(n + 1, dtype=np.int64)
    first = np.empty(size, dtype=np.int32)
    second = np.empty(size, dtype=np.int32)
    seen = np.empty(size, dtype=np.int8)
    d = 0
    for u in range(n):
        degree = ends[u + 1] - ends[u]
        for e in range(ends[u], ends[u + 1]):
            v = neighbour[e]
            other = ends[v + 1] - ends[v]
            if other > degree or (other == degree and v > u):
                first[d], second[d], seen[d] = u, v, kind[e]
                d += 1
        start[u + 1] = d
    return start, first, second, seen


@compiled
def _close(start: Ints, second: Nodes, kind: Kinds, third: Ints) -> None:
    """Add every triangle to the table (D, 4, 4) of its three dyads, at [z, y]."""
    n = len(start) - 1
    under = np.full(n, -1, dtype=np.int64)
    for u in range(n):
        for d in range(start[u], start[u + 1]):
            under[second[d]] = d
        for d in range(start[u], start[u + 1]):
            for f in range(start[second[d]], start[second[d] + 1]):
                e = under[second[f]]
                if e >= 0:
                    third[d, kind[f], kind[e]] += 1
                    third[e, REVERSED[kind[f]], kind[d]] += 1
                    third[f, REVERSED[kind[e]], REVERSED[kind[d]]] += 1
        for d in range(start[u], start[u + 1]):
            under[second[d]] = -1
