"""Topological RSA: the distances of an RDM, told apart only in a middle range.

Lin and Kriegeskorte, The topology and geometry of neural representations, arXiv 2309.11028.
"""

import numpy as np
from scipy.sparse.csgraph import csgraph_from_dense, shortest_path
from scipy.spatial.distance import squareform

from retia.benchmarks.analysis.embeddings import Floats

LOW, HIGH = 0.05, 0.25
"""The quantiles: below the first two nodes are at one place, above the second they are far."""


def geo_topological(rdm: Floats, low: float = LOW, high: float = HIGH) -> Floats:
    """Distances below the `low` quantile become 0, above the `high` 1, linear between."""
    bottom, top = np.quantile(rdm, [low, high])
    if top == bottom:
        return (rdm > top).astype(float)
    return np.clip((rdm - bottom) / (top - bottom), 0, 1)


def geodesic(rdm: Floats, high: float = HIGH) -> Floats:
    """Lengths of shortest paths, condensed, in the graph of the pairs that are not far.

    The weights are those of `geo_topological` with `low` 0; pairs of weight 1 are no edges. (With a
    higher `low`, chains of near nodes would have length 0 and join all that is connected.)
    Infinite between nodes that no path joins. Time grows as n cubed.
    """
    weights = geo_topological(rdm, 0, high)
    near = squareform(np.where(weights < 1, weights, np.inf))
    paths = shortest_path(csgraph_from_dense(near, null_value=np.inf), method="FW", directed=False)
    return paths[np.triu_indices(len(paths), 1)]
