from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.connectome.graph import Layer
from retia.datasets.connectome.roles import ENRICHED, ROLES, motif_roles


def layer(adjacency: np.ndarray) -> Layer:
    pairs = np.argwhere(adjacency)
    return Layer("chemical", True, pairs, np.ones(len(pairs)), "synapses")


def digraph(size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    adjacency = rng.random((size, size)) < rng.random(size)[:, None] * 0.6
    adjacency |= adjacency.T & (rng.random((size, size)) < 0.3)
    np.fill_diagonal(adjacency, False)
    return adjacency


def roles_by_hand(a: np.ndarray) -> np.ndarray:
    """Every ordered triple is looked at; z as the module's docstring states it."""
    size = len(a)
    count, chances = np.zeros((4, size)), np.zeros((4, size))
    for i, j, k in permutations(range(size), 3):
        one_way = a[i, j] != a[j, i] and a[i, k] != a[k, i]
        if not one_way or (a[j, k] and a[k, j]):
            continue
        unjoined = not a[j, k] and not a[k, j]
        if a[i, j] and a[i, k]:
            count[0, i] += a[j, k]
            chances[0, i] += a[j, k] + unjoined / 2
        if a[j, i] and a[i, k]:
            count[1, i] += a[j, k]
            chances[1, i] += a[j, k] + unjoined
        if a[j, i] and a[k, i]:
            count[2, i] += a[j, k]
            chances[2, i] += a[j, k] + unjoined / 2
    count[3], chances[3] = (a & a.T).sum(axis=1), (a | a.T).sum(axis=1)
    share = count.sum(axis=1) / np.maximum(chances.sum(axis=1), 1)
    expected = share[:, None] * chances
    spread = np.sqrt(expected * (1 - share[:, None]))
    z = np.where(spread > 0, (count - expected) / np.where(spread > 0, spread, 1), 0)
    role = np.where(z.max(axis=0) >= ENRICHED, z.argmax(axis=0), 4)
    return np.where((a | a.T).any(axis=1), role, -1)


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 18), st.integers(0, 2**16))
def test_roles_equal_those_counted_by_hand(size: int, seed: int) -> None:
    adjacency = digraph(size, seed)
    np.testing.assert_array_equal(motif_roles(layer(adjacency), size), roles_by_hand(adjacency))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16))
def test_roles_do_not_depend_on_the_order_of_neurons(seed: int) -> None:
    adjacency = digraph(30, seed)
    order = np.random.default_rng(seed).permutation(30)
    found = motif_roles(layer(adjacency), 30)
    shuffled = motif_roles(layer(adjacency[np.ix_(order, order)]), 30)
    np.testing.assert_array_equal(shuffled, found[order])


def test_planted_loops_are_found() -> None:
    """Node 0 starts feed-forward loops, node 1 passes them on, thirty end them."""
    rng = np.random.default_rng(0)
    a = np.zeros((122, 122), dtype=bool)
    a[2:, 2:] = np.triu(rng.random((120, 120)) < 0.04, 1)
    a[0, 1] = True
    a[0, 22:52] = a[1, 22:52] = True
    found = motif_roles(layer(a), 122)
    assert ROLES[found[0]] == "source"
    assert ROLES[found[1]] == "relay"
    assert np.bincount(found[22:52]).argmax() == ROLES.index("sink")
