"""The triads: the 16 ways in which three nodes of a directed graph can be joined, and their orbits.

A labelled triad (nodes 0, 1, 2) is a code of six bits: two for each of the pairs (0, 1), (0, 2) and
(1, 2), lowest first. In such a kind, 1 is the arc forward, 2 the arc backward, 3 both, 0 none. The
names and their order are those of Davis, J. A. and Leinhardt, S. (1972), as networkx and igraph
have them; what follows from the shapes (isomorphism, orbits) is worked out here from the 64 codes.
"""

from itertools import permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

SHAPES: dict[str, str] = {
    "003": "",
    "012": "ab",
    "102": "ab ba",
    "021D": "ab ac",
    "021U": "ac bc",
    "021C": "ab bc",
    "111D": "ab bc cb",
    "111U": "ab ba bc",
    "030T": "ab ac bc",
    "030C": "ab bc ca",
    "201": "ab ba bc cb",
    "120D": "ab ac bc cb",
    "120U": "ab ba ac bc",
    "120C": "ab bc ac ca",
    "210": "ab ba bc cb ac",
    "300": "ab ba ac ca bc cb",
}
TRIADS: tuple[str, ...] = tuple(SHAPES)
CONNECTED: tuple[str, ...] = TRIADS[3:]

ROLES: dict[tuple[int, int, int], str] = {
    (0, 1, 0): "source",
    (0, 2, 0): "source",
    (1, 0, 0): "sink",
    (2, 0, 0): "sink",
    (1, 1, 0): "relay",
    (0, 0, 1): "partner",
    (1, 0, 1): "partner-in",
    (0, 1, 1): "partner-out",
    (0, 0, 2): "broker",
}
"""A node's name in a triad by its neighbours there: those that only send to it, those that only
receive from it, and those that do both."""

ORDERS: Ints = np.array(list(permutations(range(3))))
PAIRS = ((0, 1), (0, 2), (1, 2))


def codes_of(arcs: NDArray[np.bool_]) -> Ints:
    """The codes (...) of adjacency matrices (..., 3, 3)."""
    bits = [arcs[..., i, j] for pair in PAIRS for i, j in (pair, pair[::-1])]
    return np.asarray(np.stack(bits, axis=-1) @ (1 << np.arange(6)), dtype=np.int64)


def _matrices() -> NDArray[np.bool_]:
    """The adjacency matrix (64, 3, 3) of every code."""
    arcs = np.zeros((64, 3, 3), dtype=bool)
    for place, (i, j) in enumerate(PAIRS):
        arcs[:, i, j] = np.arange(64) >> 2 * place & 1
        arcs[:, j, i] = np.arange(64) >> 2 * place + 1 & 1
    return arcs


MATRICES = _matrices()
RELABELLED: Ints = np.stack([codes_of(MATRICES[:, order][:, :, order]) for order in ORDERS])
"""(6, 64): the code once node ORDERS[p, i] is called i."""


def _shape_codes() -> Ints:
    """(16,) the code of the shape under which each triad is listed."""
    arcs = np.zeros((len(TRIADS), 3, 3), dtype=bool)
    for row, shape in enumerate(SHAPES.values()):
        for arc in shape.split():
            arcs[row, "abc".index(arc[0]), "abc".index(arc[1])] = True
    return codes_of(arcs)


SHAPE_CODES: Ints = _shape_codes()
SMALLEST: Ints = RELABELLED.min(axis=0)
CLASS: Ints = (SMALLEST[:, None] == SMALLEST[SHAPE_CODES]).argmax(axis=1)
"""(64,): the place in `TRIADS` of a code."""


def _orbits() -> tuple[tuple[str, ...], Ints, tuple[str, ...], Ints]:
    """Names and tables of the orbits of nodes and of arcs.

    Two nodes are in one orbit where the codes that start with them are the same up to the order of
    the other two; two arcs, where the codes that start with them are the same.
    """
    nodes: dict[tuple[int, int], str] = {}
    arcs: dict[int, str] = {}
    for name, code in zip(CONNECTED, SHAPE_CODES[3:], strict=True):
        roles = [_role(MATRICES[code], node) for node in range(3)]
        for (i, j, _), relabelled in zip(ORDERS, RELABELLED[:, code], strict=True):
            nodes.setdefault(_from_first(relabelled), f"{name}:{roles[i]}")
            if relabelled & 1:
                arcs.setdefault(int(relabelled), f"{name}:{roles[i]}->{roles[j]}")
    of_node, of_arc = np.full(64, -1), np.full(64, -1)
    for code in range(64):
        if _from_first(code) in nodes:
            of_node[code] = list(nodes).index(_from_first(code))
        if code in arcs:
            of_arc[code] = list(arcs).index(code)
    return tuple(nodes.values()), of_node, tuple(arcs.values()), of_arc


def _from_first(code: int) -> tuple[int, int]:
    """What a code looks like from node 0: it, and it with the other two exchanged, sorted."""
    exchanged = int(RELABELLED[1, code])
    return min(int(code), exchanged), max(int(code), exchanged)


def _role(arcs: NDArray[np.bool_], node: int) -> str:
    into, out = arcs[:, node], arcs[node]
    return ROLES[int((into & ~out).sum()), int((out & ~into).sum()), int((into & out).sum())]


ORBITS, NODE_ORBIT, EDGE_ORBITS, EDGE_ORBIT = _orbits()
"""The 30 orbits of nodes such as `030T:source`, and of arcs such as `030T:source->sink`; and by
code (64,) the orbit of node 0, and that of the arc from 0 to 1. -1: not connected, or no arc."""


DYADS: Ints = (SHAPE_CODES[:, None] >> np.array([0, 2, 4]) & 3 > 0).sum(axis=1)
"""(16,): the joined pairs of a triad."""


def _orbit_dyads() -> Ints:
    """(30,): the joined pairs that a node of each orbit belongs to."""
    dyads = np.zeros(len(ORBITS), dtype=np.int64)
    joined = (MATRICES | MATRICES.swapaxes(1, 2))[:, 0].sum(axis=1)
    dyads[NODE_ORBIT[NODE_ORBIT >= 0]] = joined[NODE_ORBIT >= 0]
    return dyads


def _subgraphs() -> Ints:
    """(13, 13): how often triad i of `CONNECTED` is a subgraph, induced or not, of triad j."""
    codes = np.arange(64)
    counts = np.zeros((len(TRIADS), len(TRIADS)), dtype=np.int64)
    for triad, code in enumerate(SHAPE_CODES):
        np.add.at(counts[:, triad], CLASS[codes[codes & code == codes]], 1)
    return counts[-len(CONNECTED) :, -len(CONNECTED) :]


ORBIT_DYADS: Ints = _orbit_dyads()
SUBGRAPHS: Ints = _subgraphs()
