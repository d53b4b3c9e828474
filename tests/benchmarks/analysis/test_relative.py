"""Relative representations against loops from the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.benchmarks.analysis.relative import cosine_matrix, jaccard_matrix, relative
from tests.benchmarks.analysis.spaces import moved, space


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def brute_force(x: np.ndarray, y: np.ndarray, anchors: np.ndarray, k: int) -> tuple[float, float]:
    r, s = (np.array([[cosine(a, z[b]) for b in anchors] for a in z]) for z in (x, y))

    def near(rows: np.ndarray, i: int) -> set[int]:
        others = [j for j in range(len(rows)) if j != i]
        return set(sorted(others, key=lambda j: -cosine(rows[i], rows[j]))[:k])

    shares = [len(near(r, i) & near(s, i)) / len(near(r, i) | near(s, i)) for i in range(len(x))]
    return np.mean([cosine(a, b) for a, b in zip(r, s, strict=True)]), np.mean(shares)


def test_equal_the_definition(rng: np.random.Generator) -> None:
    x, y, anchors = space(rng, 40, 5), space(rng, 40, 3), np.arange(0, 40, 4)
    y[:, 0] += x[:, 0]
    rows = [relative(z, anchors) for z in (x, y)]
    mean_cosine, jaccard = brute_force(x, y, anchors, 6)
    assert cosine_matrix(rows)[0, 1] == pytest.approx(mean_cosine)
    assert jaccard_matrix(rows, 6)[0, 1] == pytest.approx(jaccard)


@given(st.integers(0, 2**32 - 1))
def test_do_not_depend_on_rotation_and_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = space(rng, 30, 5)
    rows = [relative(z, np.arange(8)) for z in (x, moved(x, rng, shift=0))]
    assert cosine_matrix(rows)[0, 1] == pytest.approx(1)
    assert jaccard_matrix(rows)[0, 1] == pytest.approx(1, abs=0.02)


def test_a_vector_of_noughts_is_near_nothing() -> None:
    z = np.vstack([np.zeros(3), np.eye(3)])
    assert np.isfinite(relative(z, np.arange(4))).all()


def test_independent_embeddings_share_few_neighbours(rng: np.random.Generator) -> None:
    anchors = np.arange(50)
    rows = [relative(space(rng, 400, 16), anchors) for _ in range(2)]
    assert jaccard_matrix(rows)[0, 1] < 0.05
