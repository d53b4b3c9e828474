"""The rich club: whether nodes of high degree are joined among themselves.

Colizza, V., Flammini, A., Serrano, M. A., Vespignani, A. (2006). Detecting rich-club ordering in
complex networks. Nature Physics 2, equation 1. High-degree nodes are joined more often by chance
alone: compare the coefficient with that of random graphs of the same degrees.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triads import simple

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class RichClub:
    """Row k is about the nodes of degree above k: how many, and how many edges among them."""

    nodes: Ints
    edges: Ints
    possible: Ints

    @property
    def phi(self) -> NDArray[np.float64]:
        """(K,): the share of possible edges that exist."""
        return self.edges / self.possible


def rich_club(graph: csr_array, directed: bool = True) -> RichClub:
    """The club of every degree k that at least two nodes exceed.

    Directed: degree is in-degree plus out-degree, and phi = E / (N (N - 1)). Otherwise directions
    are ignored, degree is the number of neighbours, and phi = 2 E / (N (N - 1)).
    """
    graph = simple(graph).astype(bool)
    if not directed:
        graph = csr_array(graph + graph.T)
    degree = graph.sum(axis=1) + (graph.sum(axis=0) if directed else 0)
    tail, head = graph.nonzero()
    poorer = np.minimum(degree[tail], degree[head])
    nodes, edges = (_above(values, degree.max(initial=0)) for values in (degree, poorer))
    rows = np.count_nonzero(nodes > 1)
    nodes, edges = nodes[:rows], edges[:rows] if directed else edges[:rows] // 2
    return RichClub(nodes, edges, nodes * (nodes - 1) // (1 if directed else 2))


def _above(values: Ints, most: int) -> Ints:
    """(most + 1,): how many values exceed 0, 1, 2, ..."""
    count = np.bincount(values, minlength=most + 1)
    return len(values) - np.cumsum(count)
