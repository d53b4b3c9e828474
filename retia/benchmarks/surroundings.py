"""What lies between and around the two nodes of a pair, compiled.

A graph is `start` (n + 1,) and `column` (M,), the rows of a symmetric adjacency without loops, each
sorted, as in `View.adjacency`. An edge between the two nodes of a pair is never gone along.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Places of the counts: nodes 1 or 2 hops from u, then 1 or 2 from v; 0 is neither.
COUNTS = ((1, 1), (1, 2), (2, 1), (2, 2), (1, 0), (0, 1), (2, 0), (0, 2))


def common_neighbours(start: Ints, column: Ints, pairs: Ints) -> tuple[Ints, Ints]:
    """The common neighbours of pairs (P, 2): the place of the pair (C,), and the node (C,)."""
    return _meet(start, column, pairs)


def distance_counts(start: Ints, column: Ints, pairs: Ints) -> Ints:
    """(P, 8): how many nodes are so far from u and from v, in the order of `COUNTS`.

    The exact A_uv[i, j] and B_uv[i] of Chamberlain et al. 2023 (arXiv:2209.15486, section 3), which
    they estimate by sketches. Neither u nor v is counted.
    """
    table = np.zeros((3, 3), dtype=np.int64)
    table[tuple(np.array(COUNTS).T)] = np.arange(len(COUNTS))
    return _count(start, column, pairs, table)


@njit(cache=True, nogil=True)
def _meet(start, column, pairs):
    total = 0
    for count in (True, False):
        if not count:
            place = np.empty(total, dtype=np.int64)
            node = np.empty(total, dtype=np.int64)
            total = 0
        for p in range(len(pairs)):
            i, j = start[pairs[p, 0]], start[pairs[p, 1]]
            last_i, last_j = start[pairs[p, 0] + 1], start[pairs[p, 1] + 1]
            while i < last_i and j < last_j:
                one, other = column[i], column[j]
                if one == other:
                    if not count:
                        place[total] = p
                        node[total] = one
                    total += 1
                i += one <= other
                j += other <= one
    return place, node


@njit(cache=True, nogil=True)
def _count(start, column, pairs, table):
    n = len(start) - 1
    from_u, from_v = np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int8)
    around_u, around_v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    counts = np.zeros((len(pairs), 8), dtype=np.int64)
    for p in range(len(pairs)):
        u, v = pairs[p]
        size_u = _two_hops(start, column, u, v, from_u, around_u)
        size_v = _two_hops(start, column, v, u, from_v, around_v)
        for w in around_u[:size_u]:
            counts[p, table[from_u[w], from_v[w]]] += 1
        for w in around_v[:size_v]:
            if from_u[w] == 0:
                counts[p, table[0, from_v[w]]] += 1
        from_u[around_u[:size_u]] = 0
        from_v[around_v[:size_v]] = 0
    return counts


@njit(cache=True, nogil=True)
def _two_hops(start, column, source, other, hops, around):
    """Put the nodes 1 or 2 hops from the source, but for the two, into `around`; how many."""
    size = 0
    for i in range(start[source], start[source + 1]):
        if column[i] != other:
            hops[column[i]] = 1
            around[size] = column[i]
            size += 1
    for near in range(size):
        for i in range(start[around[near]], start[around[near] + 1]):
            w = column[i]
            if hops[w] == 0 and w != source and w != other:
                hops[w] = 2
                around[size] = w
                size += 1
    return size
