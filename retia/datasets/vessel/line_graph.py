"""The line graph: edges become nodes, joined where they share an end."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def line_graph(ends: NDArray[np.int64], num_nodes: int) -> NDArray[np.int64]:
    """The (L, 2) pairs of edges, i < j, that share a node, sorted.

    `ends` (E, 2) are the edges of a simple undirected graph. With the incidence matrix B
    (nodes x edges), i and j share (BᵀB)ᵢⱼ nodes.
    """
    count = len(ends)
    edge = np.repeat(np.arange(count), 2)
    incidence = sparse.csr_array(
        (np.ones(2 * count, dtype=np.int8), (ends.ravel(), edge)), shape=(num_nodes, count)
    )
    shared = sparse.triu(incidence.T.tocsr() @ incidence, k=1).tocoo()
    pairs = np.column_stack([shared.row, shared.col]).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
