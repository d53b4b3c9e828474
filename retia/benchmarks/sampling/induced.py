"""The subgraph that nodes induce, compiled."""

import numpy as np
from numba import njit

from retia.benchmarks.csr import Csr, Ints, Subgraph


def induced(csr: Csr, nodes: Ints) -> Subgraph:
    """The distinct nodes (m,), in the order given, and all edges between them, by target."""
    local = np.zeros(csr.num_nodes, dtype=np.int32)
    distinct, _ = number(nodes, local)
    return Subgraph(distinct, *_edges_between(csr.start, csr.source, csr.edge, local, distinct))


@njit(cache=True, nogil=True)
def number(nodes, local):
    """The distinct nodes in order of appearance, and where each of `nodes` is among them.

    `local` (n,) int32 comes with zeros, and leaves with one more than each one's place.
    """
    distinct = np.empty(len(nodes), dtype=np.int64)
    place = np.empty(len(nodes), dtype=np.int64)
    found = 0
    for i in range(len(nodes)):
        v = nodes[i]
        if local[v] == 0:
            distinct[found] = v
            found += 1
            local[v] = found
        place[i] = local[v] - 1
    return distinct[:found].copy(), place


@njit(cache=True, nogil=True)
def _edges_between(start, source, edge, local, nodes):
    count = 0
    for v in nodes:
        for p in range(start[v], start[v + 1]):
            count += local[source[p]] > 0
    ends = np.empty((2, count), dtype=np.int64)
    place = np.empty(count, dtype=np.int64)
    e = 0
    for i in range(len(nodes)):
        for p in range(start[nodes[i]], start[nodes[i] + 1]):
            if local[source[p]] > 0:
                ends[0, e] = local[source[p]] - 1
                ends[1, e] = i
                place[e] = edge[p]
                e += 1
    return ends, place
