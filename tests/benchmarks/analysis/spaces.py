"""Embeddings for tests, and the same ones seen from elsewhere."""

import numpy as np
from scipy.stats import ortho_group


def space(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Random points (n, d) that spread differently along each axis."""
    return rng.normal(size=(n, d)) * rng.uniform(0.5, 2, size=d)


def moved(x: np.ndarray, rng: np.random.Generator, shift: float = 3.0) -> np.ndarray:
    """Rotated, scaled and translated."""
    rotation = ortho_group.rvs(x.shape[1], random_state=rng)
    return rng.uniform(0.1, 10) * (x @ rotation) + shift * rng.normal(size=x.shape[1])
