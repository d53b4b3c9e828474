"""Representational similarity analysis: do two models order the pairs of nodes alike.

Kriegeskorte et al. 2008. A representational dissimilarity matrix (RDM) is kept condensed, as
scipy's `pdist` gives it: n(n-1)/2 distances.
"""

from collections.abc import Iterable

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from retia.benchmarks.analysis.embeddings import Floats


def euclidean_rdm(x: Floats) -> Floats:
    """Euclidean distances between the rows of x (n, d)."""
    return pdist(x)


def correlation_rdm(x: Floats) -> Floats:
    """1 - Pearson correlation between the rows of x (n, d); a constant row correlates with none."""
    centred = x - x.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=1, keepdims=True)
    negligible = size <= 1e-12 * np.linalg.norm(x, axis=1, keepdims=True)
    unit = np.where(negligible, 0, centred / np.where(negligible, 1, size))
    return 1 - (unit @ unit.T)[np.triu_indices(len(x), 1)]


def spearman_matrix(rdms: Iterable[Floats]) -> Floats:
    """Spearman's rank correlation (N, N) of all pairs of RDMs; nan where one is constant."""
    ranks = np.stack([_unit_ranks(rdm) for rdm in rdms])
    return (ranks @ ranks.T).astype(float)


def _unit_ranks(rdm: Floats) -> np.ndarray:
    ranks = rankdata(rdm)
    ranks -= ranks.mean()
    size = np.linalg.norm(ranks)
    # float32 halves the memory of a million pairs a model; the error is below 1e-5.
    return (ranks / size if size > 0 else np.full(len(ranks), np.nan)).astype(np.float32)
