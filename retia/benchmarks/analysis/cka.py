"""Linear centred kernel alignment with an unbiased HSIC.

Kornblith et al., Similarity of neural network representations revisited, arXiv 1905.00414; the
estimator is eq. 3 of Nguyen et al., arXiv 2010.15327, of Song et al. 2012.
"""

from collections.abc import Sequence

import numpy as np

from retia.benchmarks.analysis.embeddings import Floats


def debiased_cka(x: Floats, y: Floats) -> float:
    """Debiased linear CKA of x (n, d) and y (n, e), n > 3; nan where one is constant.

    1 for equal up to rotation, scale and translation; about 0, of either sign, if independent.
    """
    return float(cka_matrix([x, y])[0, 1])


def cka_matrix(embeddings: Sequence[Floats]) -> Floats:
    """Debiased linear CKA (N, N) of all pairs, with ones on the diagonal."""
    hsic = _hsic_matrix([_centred(x) for x in embeddings])
    norm = np.sqrt(np.maximum(hsic.diagonal(), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return hsic / np.outer(norm, norm)


def _hsic_matrix(embeddings: Sequence[Floats]) -> Floats:
    """HSIC_1 of K = XXᵀ and L = YYᵀ without their diagonals, of all pairs, never forming K.

    n(n-3) HSIC_1 = tr KL + 1ᵀK1 1ᵀL1 / ((n-1)(n-2)) - 2 · 1ᵀKL1 / (n-2)
    """
    n, number = len(embeddings[0]), len(embeddings)
    squares = np.array([np.einsum("ij,ij->i", x, x) for x in embeddings])
    sums = np.array([x @ x.sum(axis=0) for x in embeddings]) - squares
    totals = sums.sum(axis=1)
    traces = -squares @ squares.T
    for i in range(number):
        for j in range(i, number):
            traces[i, j] += np.sum((embeddings[i].T @ embeddings[j]) ** 2)
            traces[j, i] = traces[i, j]
    found = traces + np.outer(totals, totals) / ((n - 1) * (n - 2)) - 2 * (sums @ sums.T) / (n - 2)
    return found / (n * (n - 3))


def _centred(x: Floats) -> Floats:
    """Centred and of unit size: CKA does not depend on either, and the sums stay exact."""
    centred = x - x.mean(axis=0)
    size = np.linalg.norm(centred)
    negligible = size <= 1e-12 * np.linalg.norm(x)
    return np.zeros_like(x) if negligible else centred * (np.sqrt(len(x)) / size)
