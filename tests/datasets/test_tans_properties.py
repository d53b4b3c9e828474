import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from retia.datasets.text.tans.neighbours import sample_neighbours
from retia.datasets.text.tans.properties import Properties, compute_properties, undirected
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

SEED = Randomness.from_seed(0)
ORACLES = {
    "degree": lambda graph: dict(graph.degree),
    "clustering": nx.clustering,
    "square_clustering": nx.square_clustering,
    "closeness": nx.closeness_centrality,
    "betweenness": nx.betweenness_centrality,
}


@st.composite
def edge_lists(draw: st.DrawFn) -> tuple[int, np.ndarray]:
    """Up to 14 nodes, and pairs of them with loops, repeats and both directions."""
    n = draw(st.integers(1, 14))
    node = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=40))
    return n, np.array(pairs, dtype=np.int64).reshape(-1, 2)


def as_networkx(n: int, pairs: np.ndarray) -> nx.Graph:
    graph = nx.Graph(pairs.tolist())
    graph.add_nodes_from(range(n))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


def pairs_of(graph: nx.Graph) -> np.ndarray:
    return np.array(graph.edges, dtype=np.int64)


def properties_of(graph: nx.Graph, **options: int) -> Properties:
    return compute_properties(undirected(pairs_of(graph), len(graph)), SEED, **options)


@given(edge_lists())
def test_properties_equal_those_of_networkx(drawn: tuple[int, np.ndarray]) -> None:
    n, pairs = drawn
    made = compute_properties(undirected(pairs, n), SEED)
    graph = as_networkx(n, pairs)
    for name, oracle in ORACLES.items():
        expected = oracle(graph)
        np.testing.assert_allclose(
            made.values[name], [expected[v] for v in range(n)], rtol=0, atol=1e-9, err_msg=name
        )
    assert made.errors == {}


def test_numbering_the_nodes_otherwise_moves_the_values_with_them() -> None:
    graph = nx.barabasi_albert_graph(120, 2, seed=1)
    order = np.random.default_rng(0).permutation(120)
    moved = compute_properties(undirected(order[pairs_of(graph)], 120), SEED)
    for name, values in properties_of(graph).values.items():
        np.testing.assert_allclose(moved.values[name][order], values, atol=1e-12)


def test_workers_change_nothing() -> None:
    graph = nx.barabasi_albert_graph(600, 3, seed=1)
    one, four = (
        properties_of(graph, exact_nodes=100, pivots=80, workers=workers) for workers in (1, 4)
    )
    for name in one.values:
        assert np.array_equal(one.values[name], four.values[name]), name
    for name in one.errors:
        assert np.array_equal(one.errors[name], four.errors[name]), name


GRAPHS = {
    "preferential": lambda: nx.barabasi_albert_graph(2_000, 2, seed=2),
    "small world": lambda: nx.connected_watts_strogatz_graph(2_000, 6, 0.1, seed=2),
    "clustered": lambda: nx.powerlaw_cluster_graph(2_000, 3, 0.4, seed=2),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_few_pivots_rank_nodes_as_all_of_them_do(name: str) -> None:
    graph = GRAPHS[name]()
    exact, sampled = properties_of(graph), properties_of(graph, exact_nodes=1_000, pivots=400)
    for property_ in ("closeness", "betweenness"):
        rank = spearmanr(exact.values[property_], sampled.values[property_]).statistic
        assert rank > 0.95, (property_, rank)
    for property_ in ("degree", "clustering", "square_clustering"):
        assert np.array_equal(exact.values[property_], sampled.values[property_])


@pytest.mark.parametrize(("property_", "inside"), [("closeness", 0.9), ("betweenness", 0.65)])
def test_standard_errors_are_of_the_size_of_the_errors(property_: str, inside: float) -> None:
    """Of a node that paths from a few sources alone pass, most draws know neither."""
    graph = nx.barabasi_albert_graph(1_000, 3, seed=4)
    truth, matrix = properties_of(graph), undirected(pairs_of(graph), 1_000)
    draws = [
        compute_properties(matrix, Randomness.from_seed(seed), exact_nodes=500, pivots=250)
        for seed in range(20)
    ]
    off = np.array([made.values[property_] - truth.values[property_] for made in draws])
    told = np.array([made.errors[property_] for made in draws])
    assert 0.9 < np.sqrt((off**2).mean() / (told**2).mean()) < 1.1
    assert (np.abs(off) <= 2 * told).mean() > inside


def test_small_components_stay_exact_beside_a_sampled_one() -> None:
    graph = nx.disjoint_union(nx.barabasi_albert_graph(400, 2, seed=0), nx.path_graph(9))
    exact, sampled = properties_of(graph), properties_of(graph, exact_nodes=50, pivots=20)
    path = slice(400, None)
    for name in ("closeness", "betweenness"):
        np.testing.assert_allclose(sampled.values[name][path], exact.values[name][path])
        assert not sampled.errors[name][path].any()
        assert sampled.errors[name][:400].any()


def test_a_graph_without_nodes_is_refused() -> None:
    with pytest.raises(InputError, match="without nodes"):
        compute_properties(undirected(np.empty((0, 2), dtype=np.int64), 0), SEED)


def test_ranks_are_dense_and_start_at_the_highest() -> None:
    made = Properties({"degree": np.array([3.0, 7.0, 3.0, 1.0])}, {}, 0)
    assert made.ranks("degree").tolist() == [2, 1, 2, 3]
    assert made.quantiles("degree").tolist() == [0.5, 0.875, 0.5, 0.125]


@given(edge_lists(), st.integers(0, 3))
def test_at_most_five_neighbours_each_once(drawn: tuple[int, np.ndarray], seed: int) -> None:
    n, pairs = drawn
    graph = as_networkx(n, pairs)
    sample = sample_neighbours(undirected(pairs, n), Randomness.from_seed(seed))
    assert sample.shape == (n, 5)
    for node, row in enumerate(sample.tolist()):
        kept = [other for other in row if other >= 0]
        assert row == kept + [-1] * (5 - len(kept))
        assert len(set(kept)) == len(kept) == min(5, graph.degree[node])
        assert set(kept) <= set(graph[node])


def test_every_neighbour_is_drawn_as_often() -> None:
    star = undirected(np.array([[0, leaf] for leaf in range(1, 21)]), 21)
    seen = [sample_neighbours(star, Randomness.from_seed(seed))[0] for seed in range(400)]
    times = np.bincount(np.concatenate(seen), minlength=21)[1:]
    assert times.sum() == 2_000
    assert 60 < times.min() <= times.max() < 140  # 100 expected, deviation 8.7
