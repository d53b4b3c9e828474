"""Logistic regression on the untrained scores of pairs."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from retia.benchmarks import MODELS
from retia.benchmarks.pair_logistic import (
    PairLogistic,
    draw_folds,
    fitted,
    masked_features,
    pair_features,
)
from retia.protocol import evaluate, load_truth
from retia.protocol.heuristics import HEURISTICS
from retia.protocol.pairs import LinkGraph
from retia.shards.version import Version

NODES = 30


@pytest.fixture(params=[False, True], ids=["undirected", "directed"])
def graph(request: pytest.FixtureRequest) -> LinkGraph:
    rng = np.random.default_rng(0)
    edges = nx.gnm_random_graph(NODES, 120, seed=0, directed=request.param).edges
    pairs = np.array(sorted(edges))
    return LinkGraph(NODES, request.param, pairs, pairs[:0], rng.normal(size=(NODES, 3)))


def _training(graph: LinkGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All edges and as many other pairs, whether each is an edge, and three folds."""
    rng = np.random.default_rng(1)
    pairs = graph.canonical(rng.integers(NODES, size=(600, 2)))
    others = pairs[(pairs[:, 0] != pairs[:, 1]) & ~graph.is_edge(pairs)][: len(graph.visible)]
    labels = np.repeat([1, 0], [len(graph.visible), len(others)])
    pairs = np.concatenate([graph.visible, others])
    return pairs, labels, rng.integers(3, size=len(pairs))


@pytest.mark.parametrize("whole", [False, True])
def test_reverse_of_a_pair_is_hidden_with_it_just_where_pairs_are_hidden_whole(whole: bool) -> None:
    """What a visible reverse says of an edge is learned where a task shows it, and only there."""
    pairs = np.column_stack([np.arange(NODES), (np.arange(NODES) + 1) % NODES])
    both = np.concatenate([pairs, pairs[:, ::-1]])
    graph = LinkGraph(NODES, True, both, both[:0])
    fold = draw_folds(graph, both, whole, np.random.default_rng(0))
    assert (fold[:NODES] == fold[NODES:]).all() == whole
    katz = masked_features(graph, both, fold, whole)[:, list(HEURISTICS).index("katz") - 2]
    assert (katz[fold != np.roll(fold, NODES)] > 0.001).all()
    assert not whole or (katz < 0.001).all()


@pytest.mark.parametrize("whole", [False, True])
def test_scores_of_a_training_pair_do_not_know_its_edge(graph: LinkGraph, whole: bool) -> None:
    """Against networkx, on the graph without the edges that join pairs of the fold."""
    pairs, _, fold = _training(graph)
    found = masked_features(graph, pairs, fold, whole)
    names = list(HEURISTICS)
    for number in range(3):
        gone = {tuple(pair) for pair in pairs[fold == number].tolist()}
        if whole:
            gone |= {pair[::-1] for pair in gone}
        left = nx.Graph([edge for edge in map(tuple, graph.visible.tolist()) if edge not in gone])
        left.add_nodes_from(range(NODES))
        asked = pairs[fold == number].tolist()
        scores = found[fold == number]
        shared = [len(list(nx.common_neighbors(left, *pair))) for pair in asked]
        assert scores[:, names.index("common-neighbours")].tolist() == shared
        allocated = [score for _, _, score in nx.resource_allocation_index(left, asked)]
        np.testing.assert_allclose(scores[:, names.index("resource-allocation")], allocated)
        walks, power = np.zeros((NODES, NODES)), np.eye(NODES)
        adjacency = nx.to_numpy_array(left, nodelist=range(NODES))
        for length in range(1, 5):
            power = power @ adjacency
            walks += 0.005**length * power
        expected = walks[tuple(np.array(asked).T)]
        np.testing.assert_allclose(scores[:, names.index("katz")], expected)


def test_numbers_of_nodes_and_units_do_not_matter(graph: LinkGraph) -> None:
    pairs, labels, fold = _training(graph)
    order = np.random.default_rng(2).permutation(NODES)
    assert graph.positions is not None
    other = LinkGraph(
        NODES,
        graph.directed,
        graph.canonical(order[graph.visible]),
        graph.visible[:0],
        1000 * graph.positions[np.argsort(order)],
    )
    logits = [
        PairLogistic.fit(masked_features(g, p, fold, False), labels).predict(pair_features(g, p))
        for g, p in ((graph, pairs), (other, other.canonical(order[pairs])))
    ]
    np.testing.assert_allclose(*logits, atol=0.02)  # PageRank is cut off where it is small


def test_scores_in_space_are_left_out_where_there_is_none(graph: LinkGraph) -> None:
    pairs, _, _ = _training(graph)
    flat = pair_features(replace(graph, positions=None), pairs)
    assert flat.shape[1] == len(HEURISTICS) - 2


@pytest.mark.parametrize("name", ["communities", "spatial"])
def test_answers_are_the_same_twice_and_better_than_chance(
    name: str, request: pytest.FixtureRequest
) -> None:
    version: Version = request.getfixturevalue(name)
    predict = MODELS["pair-logistic"].predict
    assert predict is not None
    found = predict(version, "link", 1, "test")
    fitted.cache_clear()
    assert predict(version, "link", 1, "test").tobytes() == found.tobytes()
    assert evaluate(load_truth(version, "link", 1, "test"), found)["uniform.rocauc"] > 0.6
