"""Untrained scores against networkx, scikit-learn and dense matrices."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from retia.protocol.heuristics import (
    HEURISTICS,
    KATZ_BETA,
    NEAREST,
    PUSH_TOLERANCE,
    RESTART,
    SPATIAL,
    knn_rank,
    link_scores,
    personalised_pagerank,
)
from retia.protocol.label_propagation import spread_labels
from retia.protocol.pairs import LinkGraph
from retia.protocol.walks import walk_weights
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version
from tests.toys import toy_link


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> LinkGraph:
    """Small graphs, directed or not, with isolated nodes, hubs and positions on a coarse grid."""
    n, directed = draw(st.integers(2, most)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    joined = rng.random((n, n)) < draw(st.floats(0, 0.7))
    joined[0] |= draw(st.booleans())
    np.fill_diagonal(joined, False)
    edges = np.argwhere(joined if directed else np.triu(joined | joined.T))
    return LinkGraph(n, directed, edges, edges[:0], rng.integers(4, size=(n, 2)).astype(float))


def all_pairs(graph: LinkGraph) -> np.ndarray:
    pairs = np.argwhere(~np.eye(graph.num_nodes, dtype=bool))
    return np.random.default_rng(0).permutation(pairs)


def undirected(graph: LinkGraph) -> nx.Graph:
    result = nx.Graph()
    result.add_nodes_from(range(graph.num_nodes))
    result.add_edges_from(graph.visible.tolist())
    return result


def dense(graph: LinkGraph) -> np.ndarray:
    return nx.to_numpy_array(undirected(graph), nodelist=range(graph.num_nodes))


@given(graphs())
def test_scores_by_common_neighbours_are_those_of_networkx(graph: LinkGraph) -> None:
    pairs, known = all_pairs(graph), undirected(graph)
    wanted = {
        "adamic-adar": nx.adamic_adar_index,
        "resource-allocation": nx.resource_allocation_index,
        "common-neighbours": lambda g, ends: (
            (u, v, len(list(nx.common_neighbors(g, u, v)))) for u, v in ends
        ),
    }
    for name, function in wanted.items():
        scores = [score for _, _, score in function(known, pairs.tolist())]
        np.testing.assert_allclose(HEURISTICS[name](graph, pairs), scores, atol=1e-12)


@given(graphs())
def test_degrees_are_multiplied_along_the_direction(graph: LinkGraph) -> None:
    pairs = all_pairs(graph)
    found = HEURISTICS["degree"](graph, pairs)
    if graph.directed:
        known = nx.DiGraph(undirected(graph).to_directed())
        known.remove_edges_from(list(known.edges))
        known.add_edges_from(graph.visible.tolist())
        wanted = [known.out_degree(u) * known.in_degree(v) for u, v in pairs.tolist()]
    else:
        index = nx.preferential_attachment(undirected(graph), pairs.tolist())
        wanted = [score for _, _, score in index]
    np.testing.assert_array_equal(found, wanted)


@given(graphs(), st.sampled_from([3, 4]), st.integers(0, 2**32 - 1))
def test_walks_are_entries_of_matrix_products(graph: LinkGraph, longest: int, seed: int) -> None:
    inner = np.random.default_rng(seed).random(graph.num_nodes)
    adjacency, pairs = dense(graph), all_pairs(graph)
    found = walk_weights(graph.neighbours, inner, pairs, longest)
    power = adjacency
    for steps in range(longest):
        np.testing.assert_allclose(found[:, steps], power[*pairs.T], atol=1e-9)
        power = power @ np.diag(inner) @ adjacency


@given(graphs())
def test_l3_sums_over_all_paths_of_three_edges(graph: LinkGraph) -> None:
    known = undirected(graph)
    pairs = np.array([p for p in all_pairs(graph).tolist() if not known.has_edge(*p)])
    if not len(pairs):
        return
    wanted = []
    for u, v in pairs.tolist():
        paths = [p for p in nx.all_simple_paths(known, u, v, cutoff=3) if len(p) == 4]
        wanted.append(sum((known.degree(x) * known.degree(y)) ** -0.5 for _, x, y, _ in paths))
    np.testing.assert_allclose(HEURISTICS["l3"](graph, pairs), wanted, atol=1e-12)


def test_short_walks_are_most_of_the_katz_index() -> None:
    known = nx.gnm_random_graph(60, 120, seed=1)
    edges = np.array(sorted(tuple(sorted(edge)) for edge in known.edges))
    graph = LinkGraph(60, False, edges, edges[:0])
    a = nx.to_numpy_array(known, nodelist=range(60))
    whole = np.linalg.inv(np.eye(60) - KATZ_BETA * a) - np.eye(60)
    pairs = all_pairs(graph)
    found = HEURISTICS["katz"](graph, pairs)
    np.testing.assert_allclose(found, whole[*pairs.T], atol=1e-8)
    assert (found <= whole[*pairs.T] + 1e-15).all()


@given(graphs())
@settings(max_examples=40)
def test_pagerank_of_both_nodes_is_that_of_networkx(graph: LinkGraph) -> None:
    pairs, known = all_pairs(graph), undirected(graph)
    known.remove_nodes_from(list(nx.isolates(known)))  # networkx jumps from them, we stay
    rank = np.eye(graph.num_nodes)
    for u in known:
        walk = nx.pagerank(known, 1 - RESTART, personalization={u: 1}, tol=1e-12, max_iter=1000)
        rank[u, list(walk)] = list(walk.values())
    wanted = rank[*pairs.T] + rank.T[*pairs.T]
    allowed = PUSH_TOLERANCE * graph.neighbour_count[pairs].sum(axis=1) + 1e-8
    assert (np.abs(personalised_pagerank(graph, pairs) - wanted) <= allowed).all()


@given(graphs())
def test_the_rank_is_the_least_k_that_joins_a_pair(graph: LinkGraph) -> None:
    assert graph.positions is not None
    pairs = all_pairs(graph)
    away = np.linalg.norm(graph.positions[:, None] - graph.positions[None], axis=2)
    np.fill_diagonal(away, np.inf)
    place = 1 + (away[:, None, :] < away[:, :, None] - 1e-9).sum(axis=2)
    wanted = place if graph.directed else np.minimum(place, place.T)
    np.testing.assert_array_equal(-knn_rank(graph, pairs), wanted[*pairs.T])


def test_a_rank_beyond_the_nearest_follows_the_density() -> None:
    rng = np.random.default_rng(0)
    positions = rng.random((4000, 3))
    pairs = rng.integers(4000, size=(3000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    graph = LinkGraph(4000, True, pairs[:0], pairs[:0], positions)
    nearest = NearestNeighbors(n_neighbors=4000).fit(positions).kneighbors(positions)[1]
    wanted = (nearest[pairs[:, 0]] == pairs[:, 1:]).argmax(axis=1)
    found = -knn_rank(graph, pairs)
    near = wanted <= NEAREST
    assert near.sum() > 10
    np.testing.assert_array_equal(found[near], wanted[near])
    assert (found[~near] > NEAREST).all()
    assert np.corrcoef(np.log(found), np.log(wanted))[0, 1] > 0.9


@given(graphs(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_scores_follow_the_nodes_when_they_are_numbered_anew(graph: LinkGraph, seed: int) -> None:
    assert graph.positions is not None
    new = np.random.default_rng(seed).permutation(graph.num_nodes)
    edges = new[graph.visible] if graph.directed else np.sort(new[graph.visible], axis=1)
    other = LinkGraph(
        graph.num_nodes, graph.directed, edges, edges[:0], graph.positions[np.argsort(new)]
    )
    pairs = all_pairs(graph)
    for name, heuristic in HEURISTICS.items():
        scores = heuristic(graph, pairs)
        assert np.isfinite(scores).all()
        near = 2e-3 if name == "personalised-pagerank" else 1e-9  # pushes go in another order
        np.testing.assert_allclose(heuristic(other, new[pairs]), scores, atol=near)
        if not graph.directed:
            np.testing.assert_allclose(heuristic(graph, pairs[:, ::-1]), scores, atol=near)


@given(graphs(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore")
def test_spread_labels_are_those_of_scikit_learn(graph: LinkGraph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = graph.num_nodes
    nodes = np.sort(rng.permutation(n)[: max(1, n // 2)])
    labels = rng.integers(3, size=len(nodes))
    labels[0] = 0
    given_labels = np.full(n, -1)
    given_labels[nodes] = labels
    classes = np.unique(labels)
    shares = spread_labels(graph.neighbours, nodes, (labels[:, None] == classes).astype(float))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    model = LabelSpreading(kernel=lambda x, y: dense(graph), alpha=0.9, max_iter=1000, tol=1e-9)
    wanted = model.fit(np.arange(n)[:, None], given_labels).label_distributions_
    reached = wanted.sum(axis=1) > 0.5
    np.testing.assert_allclose(shares[reached], wanted[reached], atol=1e-4)
    share = (labels[:, None] == classes).mean(axis=0)
    assert (np.abs(shares[~reached] - share) < 1e-9).all()


def test_what_cannot_be_scored_is_named(tmp_path) -> None:
    version: Version = toy_link(tmp_path)
    ends = np.array([0, 1]), np.array([2, 3])
    with pytest.raises(NotFoundError, match="no heuristic 'jaccard'; there are: degree"):
        link_scores("jaccard", version, "link", *ends)
    for name in SPATIAL:
        with pytest.raises(InputError, match="no positions"):
            link_scores(name, version, "link", *ends)
