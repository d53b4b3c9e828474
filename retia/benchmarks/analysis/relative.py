"""Relative representations: a node as its cosines with a few anchor nodes.

Moschella et al., arXiv 2209.15430: independent of rotation and scale, so that the rows of two
models can be held against each other. The same anchors serve all of them.
"""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_array

from retia.benchmarks.analysis.embeddings import Floats

ANCHORS = 300
NEIGHBOURS = 10


def relative(z: Floats, anchors: np.ndarray) -> Floats:
    """r_i = (cos(z_i, z_a) for the anchors a), (n, k); 0 where a vector is 0."""
    unit = _unit(z)
    return unit @ unit[anchors].T


def cosine_matrix(relatives: Iterable[Floats]) -> Floats:
    """The mean cosine of row i of one and row i of the other (N, N), of all pairs."""
    units = np.stack([_unit(r) for r in relatives])
    rows = units.reshape(len(units), -1)
    return rows @ rows.T / units.shape[1]


def jaccard_matrix(relatives: Iterable[Floats], neighbours: int = NEIGHBOURS) -> Floats:
    """How many of a node's nearest nodes two models share (N, N).

    The mean over nodes of |A ∩ B| / |A ∪ B| of the `neighbours` nodes of the largest cosine.
    """
    near = [nearest(r, neighbours) for r in relatives]
    found = np.eye(len(near))
    for i, one in enumerate(near):
        for j in range(i):
            shared = one.multiply(near[j]).sum(axis=1)
            union = one.sum(axis=1) + near[j].sum(axis=1) - shared
            found[i, j] = found[j, i] = np.mean(shared / union)
    return found


def nearest(r: Floats, neighbours: int) -> csr_array:
    """Ones (n, n) at the nodes nearest to each by cosine; among equals, those of lower number."""
    n, unit = len(r), _unit(r)
    # Rounding, so that equals are equal: their order must not hang on the last bit.
    distance = -np.round(unit @ unit.T, 9)
    np.fill_diagonal(distance, np.inf)
    count = min(neighbours, n - 1)
    columns = np.argsort(distance, axis=1, kind="stable")[:, :count]
    return csr_array((np.ones(n * count), columns.ravel(), np.arange(n + 1) * count), shape=(n, n))


def _unit(z: Floats) -> Floats:
    size = np.linalg.norm(z, axis=1, keepdims=True)
    return np.divide(z, size, out=np.zeros_like(z), where=size > 0)
