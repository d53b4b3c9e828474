"""Simplicial wavelets against dense matrices made from their definition."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.benchmarks.layers.hiponet import HiPoNetEncoder
from retia.benchmarks.layers.nearest import nearest
from retia.benchmarks.layers.simplices import make_complex
from retia.benchmarks.view import View


def view_of(x: torch.Tensor) -> View:
    none = torch.zeros(2, 0, dtype=torch.long)
    return View(x, none, none[0], (False,), None)


def encoder(inputs: int, order: int = 2, views: int = 2, triangles: int = 1000) -> HiPoNetEncoder:
    torch.manual_seed(0)
    return HiPoNetEncoder(
        inputs, 8, 2, 0.0, views=views, neighbours=4, order=order, triangles=triangles
    )


def cliques(neighbours: torch.Tensor) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    near = [set(row) for row in neighbours.tolist()]
    nodes = range(len(near))
    edges = [(a, b) for a, b in combinations(nodes, 2) if b in near[a] or a in near[b]]
    known = set(edges)
    triangles = [t for t in combinations(nodes, 3) if known.issuperset(combinations(t, 2))]
    return edges, triangles


def dense_features(x: np.ndarray, alpha: np.ndarray, anchor: np.ndarray, k: int) -> np.ndarray:
    """What a view gives each node, with a matrix for every P, and simplices compared in pairs."""
    edges, triangles = cliques(nearest(torch.from_numpy(x * anchor), k))
    square = lambda y, a, b: ((y[a] - y[b]) ** 2).sum()  # noqa: E731
    lengths = sorted(square(x * anchor, a, b) for a, b in edges)
    bandwidth = lengths[(len(lengths) - 1) // 2]
    x = x * alpha
    blocks = []
    for simplices in ([(i,) for i in range(len(x))], edges, triangles):
        centroid = np.array([x[list(s)].mean(axis=0) for s in simplices])
        w = [
            np.exp(-np.mean([square(x, a, b) for a, b in combinations(s, 2)] or [0]) / bandwidth)
            for s in simplices
        ]
        W = np.zeros((len(simplices),) * 2)
        for i, s in enumerate(simplices):
            for j, t in enumerate(simplices):
                if len(s) == 1:
                    linked = i == j or (min(i, j), max(i, j)) in edges
                    W[i, j] = linked * np.exp(-square(x, i, j) / bandwidth)
                else:
                    faces = set(combinations(s, len(s) - 1)) & set(combinations(t, len(t) - 1))
                    W[i, j] = len(faces) * w[i] * w[j]
        P = (np.eye(len(W)) + W / W.sum(axis=1, keepdims=True)) / 2
        powers = [np.linalg.matrix_power(P, i) for i in (0, 1, 2, 4)]
        psi = [fine - coarse for fine, coarse in pairwise(powers)]
        first = [np.abs(p @ centroid) for p in psi]
        second = [np.abs(psi[j] @ first[i]) for i, j in combinations(range(3), 2)]
        values = np.hstack([powers[-1] @ centroid, *first, *second])
        own = [[i for i, s in enumerate(simplices) if node in s] for node in range(len(x))]
        blocks.append([values[o].mean(axis=0) if o else np.zeros(values.shape[1]) for o in own])
    return np.hstack(blocks)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(6, 16), st.integers(1, 3))
def test_features_are_those_of_dense_matrices(seed: int, n: int, size: int) -> None:
    x = torch.randn(n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    model = encoder(size).double()
    model.alpha.data += 0.05
    for alpha, anchor, parts in zip(model.alpha, model.anchor, model._complexes(x), strict=True):
        found = model._features(x * alpha, *parts).detach().numpy()
        wanted = dense_features(x.numpy(), alpha.detach().numpy(), anchor.numpy(), 4)
        np.testing.assert_allclose(found, wanted, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(2, 25), st.integers(1, 6))
def test_complex_has_every_triangle_once(seed: int, n: int, k: int) -> None:
    near = nearest(torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)), k)
    edges, triangles = cliques(near)
    found = make_complex(near, 10_000, 0)
    assert [tuple(e) for e in found.edges.tolist()] == edges
    assert sorted(tuple(t) for t in found.triangles.tolist()) == triangles
    for triangle, sides in zip(found.triangles.tolist(), found.sides.tolist(), strict=True):
        assert {tuple(found.edges[s].tolist()) for s in sides} == set(combinations(triangle, 2))


def test_triangles_beyond_the_cap_are_dropped_by_a_seeded_hash() -> None:
    near = nearest(torch.randn(200, 2), 8)
    whole = {tuple(t) for t in make_complex(near, 10_000, 0).triangles.tolist()}
    first, again, other = (
        {tuple(t) for t in make_complex(near, 300, salt).triangles.tolist()} for salt in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert len(first) == len(other) == 300
    assert first | other < whole
    # a cap that takes the first would leave the last nodes without any
    assert abs(np.mean(list(first)) - np.mean(list(whole))) < 10


@pytest.mark.parametrize("order", [1, 2])
def test_views_and_all_else_are_learned(order: int) -> None:
    model, x = encoder(3, order), torch.randn(40, 3)
    model(view_of(x)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert (model.alpha.grad != 0).all()


def test_numbering_of_nodes_does_not_matter() -> None:
    model, x = encoder(3).eval(), torch.randn(40, 3)
    order = torch.randperm(40)
    torch.testing.assert_close(model(view_of(x))[order], model(view_of(x[order])))


def test_neighbours_follow_a_view_that_has_moved() -> None:
    model, x = encoder(3), torch.randn(40, 3)
    model(view_of(x))
    start = model.anchor.clone()
    model.alpha.data[0] *= 1.05
    model(view_of(x))
    torch.testing.assert_close(model.anchor, start)
    model.alpha.data[0] *= 1.1
    model(view_of(x))
    torch.testing.assert_close(model.anchor[0], model.alpha[0].detach())
    torch.testing.assert_close(model.anchor[1], start[1])


def test_points_that_agree_and_points_far_off_are_fine() -> None:
    x = torch.zeros(30, 2)
    x[15:] = torch.randn(15, 2)
    x[-1] = 1e6
    found = encoder(2)(view_of(x))
    assert found.isfinite().all()


def test_evaluation_normalises_as_training_does() -> None:
    """Features of points this near are tiny; nothing of the start may weigh on their scale."""
    model, x = encoder(3), torch.randn(40, 3) / 100
    trained = model(view_of(x))
    torch.testing.assert_close(model.eval()(view_of(x)), trained)
