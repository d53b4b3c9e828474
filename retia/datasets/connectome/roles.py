"""An algorithmic label: the role in motifs that a neuron plays more often than others do.

A feed-forward loop (030T) is a closed chain: A to B, B to C, and A to C. A is its source, B its
relay, C its sink. Each of them has two partners there that may as well be unconnected, in an open
triad (021D, 021C, 021U). So the share of its pairs of partners that is closed compares neurons of
any degree: with c closed pairs of N, and the share p of the whole network, the role's enrichment is
z = (c - pN) / sqrt(N p (1 - p)), as if pairs were closed independently. Of a reciprocal hub, c are
the partners that it both sends to and receives from, N all of its partners.
"""

import numpy as np
from numpy.typing import NDArray

from retia.datasets.connectome.graph import NONE, Ints, Layer
from retia.protocol.triads import ORBITS, node_orbits

ROLES = ("source", "relay", "sink", "reciprocal", "none")
OPEN = {"source": "021D:source", "relay": "021C:relay", "sink": "021U:sink"}
ENRICHED = 2.0


def motif_roles(layer: Layer, num_nodes: int) -> Ints:
    """(n,) the place in `ROLES` of the most enriched role of each neuron, -1 where it has no edge.

    A neuron whose largest z is under 2 has the role `none`; the first of equal roles is taken.
    """
    adjacency = layer.matrix(num_nodes).astype(bool).astype(np.int8)
    orbits = np.asarray(node_orbits(adjacency), dtype=np.float64)
    closed = [orbits[:, ORBITS.index(f"030T:{role}")] for role in OPEN]
    unclosed = [orbits[:, ORBITS.index(orbit)] for orbit in OPEN.values()]
    both = np.asarray(adjacency.multiply(adjacency.T).sum(axis=1), dtype=np.float64)
    partners = np.asarray((adjacency + adjacency.T).astype(bool).sum(axis=1), dtype=np.float64)
    count = np.stack([*closed, both])
    chances = np.stack([c + o for c, o in zip(closed, unclosed, strict=True)] + [partners])
    z = _enrichment(count, chances)
    role = np.where(z.max(axis=0) >= ENRICHED, z.argmax(axis=0), ROLES.index("none"))
    return np.where(partners > 0, role, NONE).astype(np.int64)


def _enrichment(count: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(roles, n) z of each count of so many chances, by the share of the whole network."""
    share = count.sum(axis=1) / np.maximum(chances.sum(axis=1), 1)
    expected = share[:, None] * chances
    spread = np.sqrt(expected * (1 - share)[:, None])
    return np.divide(count - expected, spread, out=np.zeros_like(count), where=spread > 0)
