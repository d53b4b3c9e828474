"""Debiased linear CKA against its definition, and what it does not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.benchmarks.analysis.cka import cka_matrix, debiased_cka
from tests.benchmarks.analysis.spaces import moved, space


def brute_force_cka(x: np.ndarray, y: np.ndarray) -> float:
    """From the Gram matrices without their diagonals, as the paper writes it."""

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        k, m, n, one = a @ a.T, b @ b.T, len(a), np.ones(len(a))
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        total = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return (total - 2 * (one @ k @ m @ one) / (n - 2)) / (n * (n - 3))

    return hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))


def biased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Kornblith et al., in terms of features."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum((x.T @ y) ** 2) / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(2, 6))
def test_equals_the_definition(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = space(rng, n, d), space(rng, n, 3)
    y[:, 0] += x[:, 0]
    assert debiased_cka(x, y) == pytest.approx(brute_force_cka(x, y), abs=1e-8)


@given(st.integers(0, 2**32 - 1))
def test_does_not_depend_on_rotation_scale_or_translation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = space(rng, 30, 5), space(rng, 30, 4)
    assert debiased_cka(x, moved(x, rng)) == pytest.approx(1)
    assert debiased_cka(moved(x, rng), y) == pytest.approx(debiased_cka(x, y), abs=1e-8)
    order = rng.permutation(30)
    assert debiased_cka(x[order], y[order]) == pytest.approx(debiased_cka(x, y), abs=1e-8)


def test_independent_embeddings_are_at_nought_where_the_biased_estimate_is_not() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2000, 256)), rng.normal(size=(2000, 256))
    assert abs(debiased_cka(x, y)) < 0.005
    assert biased_cka(x, y) == pytest.approx(0.1135, abs=0.003)


def test_matrix_holds_each_pair(rng: np.random.Generator) -> None:
    spaces = [space(rng, 25, d) for d in (3, 5, 4)]
    found = cka_matrix(spaces)
    assert np.allclose(found, found.T)
    assert np.allclose(found.diagonal(), 1)
    assert found[0, 2] == pytest.approx(brute_force_cka(spaces[0], spaces[2]))


def test_a_few_outliers_make_unlike_embeddings_alike(rng: np.random.Generator) -> None:
    x, y = space(rng, 200, 8), space(rng, 200, 8)
    x[:4], y[:4] = 300.0, 300.0
    assert debiased_cka(x[4:], y[4:]) < 0.1
    assert debiased_cka(x, y) > 0.9


def test_a_constant_embedding_has_no_similarity(rng: np.random.Generator) -> None:
    assert np.isnan(debiased_cka(space(rng, 20, 3), np.full((20, 3), 0.1)))
