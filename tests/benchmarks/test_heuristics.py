"""The untrained models against networkx."""

import networkx as nx
import numpy as np
import pytest

from retia.benchmarks import MODELS
from retia.protocol.heuristics import node_positions
from retia.shards.version import Version


def _items(version: Version) -> list[tuple[int, int]]:
    rows = version.task_table("link", 0, "test")
    return list(zip(rows["src"].to_pylist(), rows["dst"].to_pylist(), strict=True))


def _graph(version: Version, kind: type[nx.Graph]) -> nx.Graph:
    edges = version.edges("edge")
    graph = kind()
    graph.add_nodes_from(range(version.manifest.num_nodes))
    graph.add_edges_from(zip(edges["src"].to_pylist(), edges["dst"].to_pylist(), strict=True))
    return graph


def _predict(name: str, version: Version) -> np.ndarray:
    predict = MODELS[name].predict
    assert predict is not None
    return predict(version, "link", 0, "test")


def test_common_neighbours_ignore_directions(communities: Version) -> None:
    graph = _graph(communities, nx.Graph)
    wanted = [len(list(nx.common_neighbors(graph, *pair))) for pair in _items(communities)]
    np.testing.assert_allclose(_predict("common-neighbours", communities), wanted)


def test_adamic_adar_equals_networkx(communities: Version) -> None:
    graph = _graph(communities, nx.Graph)
    wanted = [score for _, _, score in nx.adamic_adar_index(graph, _items(communities))]
    np.testing.assert_allclose(_predict("adamic-adar", communities), wanted)


def test_degree_of_an_undirected_relation_is_preferential_attachment(spatial: Version) -> None:
    graph = _graph(spatial, nx.Graph)
    wanted = [score for _, _, score in nx.preferential_attachment(graph, _items(spatial))]
    np.testing.assert_allclose(_predict("degree", spatial), wanted)


def test_degree_of_a_directed_relation_is_out_times_in(communities: Version) -> None:
    graph = _graph(communities, nx.DiGraph)
    wanted = [graph.out_degree(src) * graph.in_degree(dst) for src, dst in _items(communities)]
    np.testing.assert_allclose(_predict("degree", communities), wanted)


def test_distance_is_the_negative_euclidean_one(spatial: Version) -> None:
    positions = node_positions(spatial)
    assert positions is not None
    wanted = [-np.linalg.norm(positions[src] - positions[dst]) for src, dst in _items(spatial)]
    np.testing.assert_allclose(_predict("distance", spatial), wanted, rtol=1e-6)


@pytest.mark.parametrize("split", [0, 3])
def test_majority_gives_the_commonest_training_class(colours: Version, split: int) -> None:
    labels = colours.task_table("colour", split, "train")["label"].to_pylist()
    predict = MODELS["majority"].predict
    assert predict is not None
    predicted = predict(colours, "colour", split, "test")
    assert set(predicted) == {max(set(labels), key=labels.count)}
