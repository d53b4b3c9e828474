"""Sample the neighbours of seeds hop by hop, compiled; `oracle.py` is the same in numpy.

A node is expanded once: in the hop after the one that found it. Which of its edges are drawn
depends on the key and the node alone. Without replacement, by Floyd's method: Bentley, J.,
Floyd, B. (1987). Programming pearls: a sample of brilliance. Commun. ACM 30(9).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from retia.benchmarks.csr import Csr, Ints, Subgraph
from retia.benchmarks.sampling.draws import draw, stream_of
from retia.benchmarks.sampling.induced import number

NONE_HIDDEN = np.zeros(0, dtype=np.bool_)


@dataclass(frozen=True)
class Sample:
    """A subgraph whose nodes and edges stand in the order in which they were found.

    The seeds come first, each once; `seeds` (s,) is where each given one is. `nodes_by_hop` (the
    seeds are hop 0) and `edges_by_hop` say how many are of each hop.
    """

    graph: Subgraph
    seeds: Ints
    nodes_by_hop: list[int]
    edges_by_hop: list[int]


def sample_hops(
    csr: Csr,
    seeds: Ints,
    fan_out: Sequence[int],
    key: np.uint64,
    hidden: NDArray[np.bool_] = NONE_HIDDEN,
) -> Sample:
    """Up to `fan_out[h]` incoming edges of every node that hop h starts from; -1 takes all.

    Hamilton, W. L., Ying, R., Leskovec, J. (2017). Inductive representation learning on large
    graphs. NeurIPS. `hidden` (E,) marks entries of the graph that are not there to be drawn.
    """
    local = np.zeros(csr.num_nodes, dtype=np.int32)
    nodes, place = number(seeds, local)
    parts, ends, edges = [nodes], [np.zeros((2, 0), np.int64)], [np.zeros(0, np.int64)]
    for most in fan_out:
        # Rows are read in the order in which they lie in memory, several times as fast.
        nodes, known = np.sort(parts[-1]), sum(map(len, parts))
        end, edge, new = _hop(
            csr.start, csr.source, csr.edge, hidden, local, nodes, known, most, key
        )
        ends.append(end)
        edges.append(edge)
        parts.append(new)
    graph = Subgraph(np.concatenate(parts), np.concatenate(ends, axis=1), np.concatenate(edges))
    return Sample(graph, place, [len(part) for part in parts], [len(edge) for edge in edges[1:]])


@njit(cache=True, nogil=True)
def _hop(start, source, edge, hidden, local, nodes, known, most, key):
    """The ends (2, e) of the edges drawn at `nodes`, what `edge` has of them, the nodes they find.

    Those get the local numbers from `known` on; `local` (n,) is one more than each number.
    """
    widest, count = 0, 0
    for v in nodes:
        degree = start[v + 1] - start[v]
        widest = max(widest, degree)
        count += degree if most < 0 else min(degree, most)
    hiding = len(hidden) > 0
    shown = np.empty(widest if hiding else 0, dtype=np.int64)
    drawn = np.empty(max(most, 0), dtype=np.int64)
    ends = np.empty((2, count), dtype=np.int64)
    place = np.empty(count, dtype=np.int64)
    new = np.empty(count + 1, dtype=np.int64)
    e, found = 0, 0
    for v in nodes:
        first, degree = start[v], start[v + 1] - start[v]
        if hiding:
            visible = 0
            for p in range(first, first + degree):
                shown[visible] = p
                visible += not hidden[p]
            degree = visible
        wanted, target = degree, local[v] - 1
        if 0 <= most < degree:
            wanted = most
            _choose(drawn, degree, stream_of(key, np.uint64(v)))
        for j in range(wanted):
            p = j if wanted == degree else drawn[j]
            p = shown[p] if hiding else first + p
            u = source[p]
            # No branch: whether a node is new cannot be foretold.
            new[found] = u
            is_new = local[u] == 0
            found += is_new
            local[u] += is_new * (known + found)
            ends[0, e] = local[u] - 1
            ends[1, e] = target
            place[e] = edge[p]
            e += 1
    return ends[:, :e], place[:e], new[:found].copy()


@njit(cache=True, nogil=True)
def _choose(drawn, size, stream):
    """Fill `drawn` with distinct places in [0, size), each set as likely as another."""
    most = len(drawn)
    for j in range(most):
        last = size - most + j
        place = np.int64(draw(stream, np.uint64(j), np.uint64(last + 1)))
        for i in range(j):
            if drawn[i] == place:
                place = last
                break
        drawn[j] = place
