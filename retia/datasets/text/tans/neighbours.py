"""A few neighbours of each node, at random, whose texts stand for the rest."""

import numpy as np
from scipy.sparse import csr_array

from retia.datasets.text.tans.kernels import Ints
from retia.protocol.randomness import Randomness

MOST = 5


def sample_neighbours(graph: csr_array, randomness: Randomness, most: int = MOST) -> Ints:
    """(n, most) neighbours of each node, all of them or `most` at random, then -1.

    `graph` is an undirected simple adjacency (n, n).
    """
    degree = np.diff(graph.indptr)
    node = np.repeat(np.arange(len(degree)), degree)
    order = np.lexsort((randomness.stream("tans", "neighbours").random(len(node)), node))
    place = np.arange(len(node)) - np.repeat(graph.indptr[:-1], degree)
    kept = place < most
    sample = np.full((len(degree), most), -1, dtype=np.int64)
    sample[node[kept], place[kept]] = graph.indices[order[kept]]
    return sample
