"""Affine stitching: can one model's embeddings be read off another's by an affine map.

Lähner and Moeller, arXiv 2211.07697, and Bansal et al., arXiv 2106.07682. The map is fitted on half
of the probe set and held against the truth on the other half.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from retia.benchmarks.analysis.embeddings import Embedding, Floats

RIDGE = 1e-3
"""The penalty, as a share of the mean variance of X's directions: the unit of X does not matter."""


def halves(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two random halves of n rows: to fit on, to score on."""
    order = rng.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def stitch(x: Floats, y: Floats, fit: np.ndarray, scored: np.ndarray) -> Floats:
    """The rows `scored` of y (n, e), from x (n, d) by a ridge-affine map fitted on `fit`.

    min |Y - XW - 1bᵀ|² + λ|W|², with λ = RIDGE · tr(XᵀX) / d of the centred X.
    """
    mean_x, mean_y = x[fit].mean(axis=0), y[fit].mean(axis=0)
    known = x[fit] - mean_x
    gram = known.T @ known
    penalty = RIDGE * np.trace(gram) / len(gram)
    if penalty == 0:
        return np.tile(mean_y, (len(scored), 1))
    factor = cho_factor(gram + penalty * np.eye(len(gram)))
    weights = cho_solve(factor, known.T @ (y[fit] - mean_y))
    return (x[scored] - mean_x) @ weights + mean_y


def r2(truth: Floats, found: Floats) -> float:
    """The share of the variance of truth (n, d), of all columns together, that is explained.

    Below 0 where the mean explains more; nan where the truth does not vary.
    """
    spread = np.sum((truth - truth.mean(axis=0)) ** 2)
    return float(1 - np.sum((truth - found) ** 2) / spread) if spread > 0 else np.nan


def stitching_matrices(
    embeddings: Sequence[Embedding], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """From row i to column j: R² of j's embeddings, and how often j's head answers the same.

    The second is nan where j has no head.
    """
    fit, scored = halves(len(embeddings[0].z), rng)
    explained = np.full((len(embeddings), len(embeddings)), np.nan)
    agreeing = explained.copy()
    ends = np.cumsum([e.z.shape[1] for e in embeddings])[:-1]
    everything = np.hstack([e.z for e in embeddings])
    for i, source in enumerate(embeddings):
        found = np.split(stitch(source.z, everything, fit, scored), ends, axis=1)
        for j, (target, y) in enumerate(zip(embeddings, found, strict=True)):
            truth = target.z[scored]
            explained[i, j] = r2(truth, y)
            if target.head is not None:
                agreeing[i, j] = np.mean(target.head.answers(truth) == target.head.answers(y))
    return explained, agreeing
