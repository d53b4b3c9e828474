"""Count the motifs of four nodes: induced, connected, directed; there are 199 classes.

Every connected set of four nodes is met once, in the order of ESU (Wernicke, S. (2006). Efficient
detection of network motifs. IEEE/ACM TCBB 3(4)). Classes have the numbers that igraph gives them:
the rank of a class by its smallest code, where a code lists, highest bit first, the arcs into node
3 (from 2, 1, 0), into node 2 (from 3, 1, 0), and so on.
"""

from itertools import permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triads import Kinds, Nodes, compiled, neighbours_of
from retia.shards.errors import InputError

Ints: TypeAlias = NDArray[np.int64]

LIMIT = 2_000_000_000
PAIRS = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The pairs of a labelled code, two bits each, lowest first: the arc forward, the arc backward."""
BITS = [(i, j) for j in range(3, -1, -1) for i in range(3, -1, -1) if i != j]
"""The arcs of an igraph code, highest bit first."""


def _classes() -> tuple[Ints, Ints]:
    """(4096,) igraph's class of every labelled code, and (218,) its smallest code."""
    labelled = np.arange(4096)
    arcs = np.zeros((4096, 4, 4), dtype=np.int64)
    for place, (i, j) in enumerate(PAIRS):
        arcs[:, i, j] = labelled >> 2 * place & 1
        arcs[:, j, i] = labelled >> 2 * place + 1 & 1
    smallest = np.full(4096, 4096)
    for order in permutations(range(4)):
        code = sum(arcs[:, order[i], order[j]] << 11 - bit for bit, (i, j) in enumerate(BITS))
        smallest = np.minimum(smallest, code)
    codes, of_code = np.unique(smallest, return_inverse=True)
    return of_code, codes


def _is_connected(code: int) -> bool:
    """Whether the four nodes of an igraph code hang together."""
    reach = np.eye(4, dtype=bool)
    for i, j in arcs_of(code):
        reach[i, j] = reach[j, i] = True
    return bool(np.linalg.matrix_power(reach.astype(np.int64), 3).all())


def arcs_of(code: int) -> list[tuple[int, int]]:
    """The arcs of an igraph code."""
    return sorted(arc for bit, arc in enumerate(BITS) if code >> 11 - bit & 1)


CLASS, CODES = _classes()
ISOCLASSES: Ints = np.flatnonzero([_is_connected(code) for code in CODES])
"""(199,): igraph's numbers of the connected classes."""
SHAPES: tuple[str, ...] = tuple(
    " ".join("abcd"[i] + "abcd"[j] for i, j in arcs_of(code)) for code in CODES[ISOCLASSES]
)
"""(199,): the arcs of a graph of each class, such as `ba ca da`, where three nodes send to one."""


def four_node_counts(graph: csr_array, limit: int = LIMIT) -> Ints:
    """(199,) int64: the sets of four nodes of each class, as `ISOCLASSES` and `SHAPES`.

    Time grows with their number, so a graph with more than `limit` raises `InputError`.
    """
    counts, met = _enumerate(*neighbours_of(graph), limit)
    if met > limit:
        raise InputError(
            f"more than {limit:,} connected sets of four nodes; count a part of the graph, its "
            "stronger edges, or raise the limit"
        )
    total = np.zeros(len(CODES), dtype=np.int64)
    np.add.at(total, CLASS, counts.T.ravel())
    return total[ISOCLASSES]


@compiled
def _enumerate(ends: Ints, neighbour: Nodes, kind: Kinds, limit: int) -> tuple[Ints, int]:
    """(64, 64): sets of four by the code of the first three, and the kinds to the fourth.

    Also how many were met: more than `limit`, and the work was broken off. `seen` holds the kinds
    of a node to those chosen so far, two bits each.
    """
    n = len(ends) - 1
    counts = np.zeros((64, 64), dtype=np.int64)
    seen = np.zeros(n, dtype=np.int64)
    second, third = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    met = 0
    for u in range(n):
        some = 0
        for e in range(ends[u], ends[u + 1]):
            seen[neighbour[e]] = kind[e]
            if neighbour[e] > u:
                second[some] = neighbour[e]
                some += 1
        while some > 0:
            some -= 1
            v = second[some]
            pair = seen[v]
            third[:some] = second[:some]
            more = some
            for e in range(ends[v], ends[v + 1]):
                x = neighbour[e]
                if x > u and seen[x] == 0:
                    third[more] = x
                    more += 1
                seen[x] |= kind[e] << 2
            while more > 0:
                more -= 1
                w = third[more]
                met += _fourths(
                    counts[pair | seen[w] << 2],
                    third[:more],
                    u,
                    neighbour[ends[w] : ends[w + 1]],
                    kind[ends[w] : ends[w + 1]],
                    seen,
                )
                if met > limit:
                    return counts, met
            seen[neighbour[ends[v] : ends[v + 1]]] &= 3
        seen[neighbour[ends[u] : ends[u + 1]]] = 0
    return counts, met


@compiled
def _fourths(
    counts: Ints, waiting: Nodes, root: int, neighbour: Nodes, kind: Kinds, seen: Ints
) -> int:
    """Count the fourth nodes of three: those that wait, and those that only the third one has."""
    met = len(waiting)
    for e in range(len(neighbour)):
        x = neighbour[e]
        if seen[x] == 0 and x > root:
            counts[kind[e] << 4] += 1
            met += 1
        else:
            seen[x] |= kind[e] << 4
    for x in waiting:
        counts[seen[x]] += 1
    for x in neighbour:
        seen[x] &= 15
    return met
