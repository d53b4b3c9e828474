"""Partitions: every node in one part, parts of one size, few edges cut."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.benchmarks.csr import Csr, Ints
from retia.benchmarks.partitions import edge_cut, label_partition, morton_blocks
from retia.shards.errors import InputError
from tests.benchmarks.graphs import edge_lists, grid, undirected


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(1, 200), st.integers(1, 3), st.data())
def test_morton_blocks_are_of_one_size(n: int, dimensions: int, data: st.DataObject) -> None:
    parts = data.draw(st.integers(1, n))
    part = morton_blocks(rng(n).random((n, dimensions)), parts)
    size = np.bincount(part, minlength=parts)
    assert len(size) == parts
    assert size.max() - size.min() <= 1


def test_four_morton_blocks_of_a_square_are_its_quarters() -> None:
    positions = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2)
    part = morton_blocks(positions.astype(np.float32), 4).reshape(8, 8)
    quarters = [part[:4, :4], part[4:, :4], part[:4, 4:], part[4:, 4:]]
    assert [np.unique(quarter).tolist() for quarter in quarters] == [[0], [1], [2], [3]]


@given(edge_lists(least=1), st.data())
def test_every_node_is_in_one_of_parts_of_nearly_one_size(
    graph: tuple[Ints, int], data: st.DataObject
) -> None:
    """Whatever the graph: also without edges, with self-loops and parallel edges, in pieces."""
    edges, n = graph
    parts = data.draw(st.integers(1, n))
    part = label_partition(Csr.of(edges, n), parts, rng())
    assert part.shape == (n,)
    assert 0 <= part.min() <= part.max() < parts
    assert np.abs(np.bincount(part, minlength=parts) - n / parts).max() <= 2


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 16, 31])
@pytest.mark.parametrize("make", ["grid", "clusters", "stars", "loners"])
def test_parts_are_within_a_tenth(make: str, parts: int) -> None:
    graph = GRAPHS[make]()
    size = np.bincount(label_partition(graph, parts, rng()), minlength=parts)
    room = max(0.1 * graph.num_nodes / parts, 2)
    assert np.abs(size - graph.num_nodes / parts).max() <= room


@pytest.mark.parametrize(("parts", "least"), [(4, 120), (16, 360)])
def test_a_grid_is_cut_nearly_along_its_lines(parts: int, least: int) -> None:
    """Square parts of 60 x 60 nodes cut `least` of 7,080 edges, which count twice here."""
    graph = grid(60)
    part = label_partition(graph, parts, rng())
    assert edge_cut(graph, part) <= 1.5 * 2 * least
    assert edge_cut(graph, rng().permutation(part)) > 8 * edge_cut(graph, part)


def test_planted_clusters_are_found() -> None:
    """Ten clusters of forty nodes, ten edges a node inside one and one edge a node between them."""
    graph, planted = clusters(), np.repeat(np.arange(10), 40)
    cuts = [edge_cut(graph, label_partition(graph, 10, rng(seed))) for seed in range(5)]
    assert np.median(cuts) == edge_cut(graph, planted)
    assert max(cuts) < edge_cut(graph, rng().permutation(planted)) / 3


def test_directions_do_not_matter() -> None:
    edges = rng(1).integers(0, 300, (2, 900))
    turned = np.where(rng(2).random(900) < 0.5, edges, edges[::-1])
    one, other = (label_partition(Csr.of(e, 300), 5, rng()) for e in (edges, turned))
    assert np.array_equal(one, other)


def test_the_same_seed_gives_the_same_parts() -> None:
    graph = grid(30)
    assert np.array_equal(label_partition(graph, 8, rng()), label_partition(graph, 8, rng()))
    assert not np.array_equal(label_partition(graph, 8, rng()), label_partition(graph, 8, rng(1)))


@pytest.mark.parametrize("parts", [0, 5])
def test_parts_that_cannot_be_are_refused(parts: int) -> None:
    with pytest.raises(InputError, match="4 nodes cannot be cut"):
        label_partition(grid(2), parts, rng())
    with pytest.raises(InputError, match="4 nodes cannot be cut"):
        morton_blocks(np.zeros((4, 3)), parts)


def test_an_edge_cut_counts_edges_between_parts() -> None:
    graph = nx.gnm_random_graph(40, 120, seed=0)
    edges = np.array(graph.edges).T
    part = rng().integers(0, 3, 40)
    apart = sum(nx.cut_size(graph, np.flatnonzero(part == p).tolist()) for p in range(3)) / 2
    assert edge_cut(Csr.of(edges, 40), part) == apart


def clusters() -> Csr:
    graph = nx.planted_partition_graph(10, 40, 0.25, 0.003, seed=0)
    return Csr.of(undirected(np.array(graph.edges).T), 400)


def stars() -> Csr:
    """Three hubs that hold all 600 nodes."""
    leaves = np.arange(3, 600)
    return Csr.of(undirected(np.stack([leaves, leaves % 3])), 600)


def loners() -> Csr:
    """Two edges among 500 nodes."""
    return Csr.of(np.array([[0, 4], [1, 2]]), 500)


GRAPHS = {"grid": lambda: grid(30), "clusters": clusters, "stars": stars, "loners": loners}
