"""The enclosing subgraphs of pairs of nodes, with what tells their nodes apart, compiled.

Zhang and Chen 2018, arXiv:1802.09691.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NEVER = -1


@dataclass(frozen=True)
class Enclosing:
    """The subgraphs of P pairs (u, v), one after another, as one graph of m nodes.

    `node` (m,), in the whole graph; `pair` (m,), which pair's it is; `label` (m,). Those of pair i
    begin at `first[i]` (P,), with u and then v. `start` (m + 1,) and `column` are the rows of the
    symmetric adjacency.
    """

    node: Ints
    pair: Ints
    label: Ints
    first: Ints
    start: Ints
    column: Ints


def enclosing(start: Ints, column: Ints, pairs: Ints, hops: int) -> Enclosing:
    """What the nodes within `hops` of either node of a pair (P, 2) induce, but for the pair's edge.

    `start` (n + 1,) and `column` (M,) are the rows of a symmetric adjacency without loops. A label
    is that of double-radius node labelling (section 3.2): 1 for u and v; with i and j the hops to u
    and to v, each counted in the subgraph without the other, and d = i + j,
    1 + min(i, j) + (d // 2) ((d // 2) + (d % 2) - 1); 0 where u or v cannot be reached.
    """
    nodes, arcs = _sizes(start, column, pairs, hops)
    first = np.cumsum(nodes) - nodes
    pair = np.repeat(np.arange(len(pairs)), nodes)
    cut = np.zeros(nodes.sum() + 1, dtype=np.int64), np.empty(arcs.sum(), dtype=np.int64)
    node, label = np.empty((2, nodes.sum()), dtype=np.int64)
    _fill(start, column, pairs, hops, first, node, label, *cut)
    return Enclosing(node, pair, label, first, *cut)


@njit(cache=True, nogil=True)
def _sizes(start, column, pairs, hops):
    """How many nodes and arcs each subgraph has."""
    n = len(start) - 1
    local, around = np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    nodes = np.zeros(len(pairs), dtype=np.int64)
    arcs = np.zeros(len(pairs), dtype=np.int64)
    for p in range(len(pairs)):
        nodes[p] = _ball(start, column, pairs[p, 0], pairs[p, 1], hops, local, around)
        for w in around[: nodes[p]]:
            for i in range(start[w], start[w + 1]):
                arcs[p] += _inside(local[w], local[column[i]])
        local[around[: nodes[p]]] = 0
    return nodes, arcs


@njit(cache=True, nogil=True)
def _fill(start, column, pairs, hops, first, node, label, cut_start, cut_column):
    n = len(start) - 1
    local, around = np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    arc = 0
    for p in range(len(pairs)):
        size = _ball(start, column, pairs[p, 0], pairs[p, 1], hops, local, around)
        for i in range(size):
            w = around[i]
            node[first[p] + i] = w
            for k in range(start[w], start[w + 1]):
                other = local[column[k]]
                if _inside(local[w], other):
                    cut_column[arc] = first[p] + other - 1
                    arc += 1
            cut_start[first[p] + i + 1] = arc
        local[around[:size]] = 0
        _label(cut_start, cut_column, first[p], size, label)


@njit(cache=True, nogil=True)
def _ball(start, column, u, v, hops, local, around):
    """Put the nodes within `hops` of u or v into `around`; how many.

    `local` (n,) leaves with one more than each one's place there.
    """
    around[0], around[1], size, done = u, v, 2, 0
    local[u], local[v] = 1, 2
    for _ in range(hops):
        until = size
        for i in range(done, until):
            for k in range(start[around[i]], start[around[i] + 1]):
                w = column[k]
                if local[w] == 0:
                    around[size] = w
                    size += 1
                    local[w] = size
        done = until
    return size


@njit(cache=True, nogil=True)
def _inside(one, other):
    """Whether the arc between these places, counted from 1, is in the subgraph."""
    return other > 0 and one + other != 3


@njit(cache=True, nogil=True)
def _label(start, column, first, size, label):
    i, j = _hops(start, column, first, size, 0, 1), _hops(start, column, first, size, 1, 0)
    for w in range(size):
        if w < 2:
            label[first + w] = 1
        elif i[w] == NEVER or j[w] == NEVER:
            label[first + w] = 0
        else:
            half, odd = divmod(i[w] + j[w], 2)
            label[first + w] = 1 + min(i[w], j[w]) + half * (half + odd - 1)


@njit(cache=True, nogil=True)
def _hops(start, column, first, size, source, without):
    """(size,) hops from the source to each node of a subgraph without another one."""
    hops = np.full(size, NEVER)
    queue = np.empty(size, dtype=np.int64)
    hops[source], queue[0], found, done = 0, source, 1, 0
    while done < found:
        w = queue[done]
        done += 1
        for k in range(start[first + w], start[first + w + 1]):
            x = column[k] - first
            if x != without and hops[x] == NEVER:
                hops[x] = hops[w] + 1
                queue[found] = x
                found += 1
    return hops
