"""Recipes against dense linear algebra, and their stability."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.protocol.recipes import TOLERANCES, Visible, compute
from retia.protocol.triads import node_orbits
from retia.shards.errors import InputError
from retia.shards.manifest import Recipe

N = 40


def digraph(seed: int, n: int = N, density: float = 0.15) -> np.ndarray:
    adjacency = np.random.default_rng(seed).random((n, n)) < density
    np.fill_diagonal(adjacency, False)
    return adjacency.astype(float)


def visible(adjacency: np.ndarray, **columns: pa.Array) -> Visible:
    src, dst = np.nonzero(adjacency)
    table = pa.table({"src": src.astype(np.int32), "dst": dst.astype(np.int32), **columns})
    return Visible(len(adjacency), {"edge": table}, {})


def made(function: str, seen: Visible, **parameters: Any) -> np.ndarray:
    return compute(Recipe(function=function, parameters={"relation": "edge", **parameters}), seen)


def oriented(adjacency: np.ndarray, direction: str) -> np.ndarray:
    both = ((adjacency + adjacency.T) > 0).astype(float)
    return {"out": adjacency, "in": adjacency.T, "both": both}[direction]


DIRECTIONS = st.sampled_from(["in", "out", "both"])


@given(st.integers(0, 1000), DIRECTIONS, st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_walks_are_the_row_sums_of_a_power(seed: int, direction: str, length: int) -> None:
    adjacency = digraph(seed)
    expected = np.linalg.matrix_power(oriented(adjacency, direction), length).sum(axis=1)
    found = made("walks", visible(adjacency), direction=direction, length=length)
    assert found == pytest.approx(np.log1p(expected), rel=1e-6)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_out_and_in_singular_vectors_give_the_best_approximation(seed: int) -> None:
    """The product is unique where the vectors are not: their signs have to agree."""
    adjacency = digraph(seed)
    out, into = (made("svd", visible(adjacency), direction=d, dimensions=5) for d in ("out", "in"))
    left, values, right = np.linalg.svd(adjacency)
    expected = left[:, :5] * values[:5] @ right[:5]
    assert out @ into.T == pytest.approx(expected, abs=1e-4)
    assert np.linalg.norm(out, axis=0) ** 2 == pytest.approx(values[:5], rel=1e-5)


def test_singular_vectors_do_not_depend_on_a_rounding_of_the_graph() -> None:
    """What another machine's arithmetic may do: the same vectors, signs and all."""
    adjacency = digraph(3)
    seen = visible(adjacency)
    first = made("svd", seen, direction="out", dimensions=6)
    again = made("svd", visible(adjacency), direction="out", dimensions=6)
    assert (first == again).all()
    hidden = adjacency.copy()
    hidden[*np.argwhere(adjacency)[7]] = 0
    moved = made("svd", visible(hidden), direction="out", dimensions=6)
    assert np.abs(moved - first).max() > 10 * TOLERANCES["svd"]


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_spectral_columns_are_eigenvectors_of_the_laplacian(seed: int) -> None:
    adjacency = digraph(seed, density=0.08)
    adjacency[:, :3] = adjacency[:3] = 0
    both = oriented(adjacency, "both")
    found = made("spectral", visible(adjacency), dimensions=4)
    assert (found[:3] == 0).all(), "nodes without an edge"
    part = found[np.abs(found).sum(axis=1) > 0]
    nodes = np.flatnonzero(np.abs(found).sum(axis=1) > 0)
    block = both[np.ix_(nodes, nodes)]
    scale = 1 / np.sqrt(block.sum(axis=1))
    laplacian = np.eye(len(nodes)) - scale[:, None] * block * scale[None, :]
    values = np.linalg.eigvalsh(laplacian)
    for place in range(4):
        if np.diff(values)[place : place + 2].min() > 1e-3:
            vector = part[:, place]
            assert laplacian @ vector == pytest.approx(values[place + 1] * vector, abs=1e-4)
            assert vector @ vector == pytest.approx(len(nodes), rel=1e-4)


def test_a_vector_that_is_any_of_a_plane_is_left_out() -> None:
    ring = np.roll(np.eye(12), 1, axis=1)
    assert (made("svd", visible(ring), direction="out", dimensions=3) == 0).all()
    assert (made("spectral", visible(ring), dimensions=3) == 0).all()


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_orbits_are_those_of_the_visible_graph(direction: str) -> None:
    from retia.protocol.triads import adjacency as sparse

    adjacency = digraph(5)
    expected = node_orbits(sparse(np.argwhere(oriented(adjacency, direction)), N))
    found = made("orbits", visible(adjacency), direction=direction)
    assert found == pytest.approx(np.log1p(expected), rel=1e-6)
    assert found.shape == (N, 30)


def test_a_null_weight_counts_as_absent() -> None:
    adjacency = digraph(1)
    weight = [None if i % 3 == 0 else float(i) for i in range(int(adjacency.sum()))]
    seen = visible(adjacency, weight=pa.array(weight, pa.float32()))
    found = made("strength", seen, column="weight", direction="out")
    given = np.array([value or 0.0 for value in weight])
    assert found == pytest.approx(np.bincount(np.nonzero(adjacency)[0], given, N))


def test_more_dimensions_than_nodes_are_refused() -> None:
    with pytest.raises(InputError, match="37 dimensions of 40 nodes"):
        made("svd", visible(digraph(0)), direction="out", dimensions=37)
    with pytest.raises(InputError, match="largest component"):
        made("spectral", visible(np.zeros((N, N))), dimensions=3)
    with pytest.raises(InputError, match="unusable parameters"):
        made("walks", visible(digraph(0)), direction="sideways", length=2)
