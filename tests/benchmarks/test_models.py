"""Every model: it trains, repeats itself, and computes what its paper says."""

from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_dense_adj

from retia.benchmarks import MODELS, Training, make_config
from retia.benchmarks.curve import Curve
from retia.benchmarks.layers.propagation import hops, propagate
from retia.benchmarks.models import EncoderSize
from retia.benchmarks.training import Trained, torch_settings, train
from retia.benchmarks.view import View
from retia.benchmarks.walks import skip_pairs, walks
from retia.shards.version import Version

TRAINED = [name for name, model in MODELS.items() if model.trained]
FITTING = [
    (name, model)
    for model in TRAINED
    for name, task, spatial in (
        ("communities", "link", False),
        ("spatial", "link", True),
        ("colours", "node", False),
    )
    if task in MODELS[model].tasks and (spatial or "positions" not in MODELS[model].needs)
]
OF_ONE_GRAPH = {"matrix-factorisation", "node2vec", "linkx"}


def _train(version: Version, model: str, seed: int = 0, **options: object) -> Trained:
    config = make_config(version, model, **options)
    with torch_settings(1):
        return train(version, config, seed, "cpu", Curve())


def _view(edges: list[tuple[int, int]], num_nodes: int, seed: int = 0) -> View:
    draws = torch.Generator().manual_seed(seed)
    pairs = torch.tensor(edges).reshape(-1, 2).T
    relation = torch.arange(pairs.shape[1]) % 2
    x = torch.randn(num_nodes, 5, generator=draws)
    return View(x, pairs, relation, (True, False), torch.randn(num_nodes, 3, generator=draws))


@pytest.mark.parametrize(("name", "model"), FITTING)
def test_same_seed_gives_the_same_bits(
    name: str, model: str, request: pytest.FixtureRequest
) -> None:
    version = request.getfixturevalue(name)
    first, second = (_train(version, model, seed=3, epochs=2) for _ in range(2))
    for part in ("valid", "test"):
        assert first.predictions[part].tobytes() == second.predictions[part].tobytes()
        assert np.isfinite(first.predictions[part]).all()


@pytest.mark.parametrize("model", [name for name in TRAINED if name not in OF_ONE_GRAPH])
def test_order_of_nodes_does_not_matter(model: str) -> None:
    graph = nx.gnm_random_graph(14, 30, seed=1)
    view, order = _view(list(graph.edges), 14), torch.randperm(14)
    place = torch.argsort(order)
    other = View(
        view.x[order],
        place[view.edges],
        view.relation,
        view.directed,
        None if view.positions is None else view.positions[order],
    )
    size = EncoderSize(5, 8, 2, 0.0, 14, 4, 3)
    chosen = MODELS[model]
    torch.manual_seed(0)
    encoder = chosen.encoder(size, chosen.options()).eval()
    with torch.inference_mode():
        torch.testing.assert_close(encoder(other), encoder(view)[order], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", TRAINED)
def test_no_option_hides_a_field_of_training(model: str) -> None:
    assert not set(MODELS[model].options.model_fields) & set(Training.model_fields)


def test_parameters_of_all_stages_count(communities: Version) -> None:
    nodes = communities.manifest.num_nodes
    assert _train(communities, "node2vec", epochs=1, hidden=8).parameters > nodes * 8


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=25))
def test_propagation_is_that_of_pyg(edges: list[tuple[int, int]]) -> None:
    view = _view(edges, 9)
    pairs, weight = gcn_norm(view.edge_index, num_nodes=9)
    dense = to_dense_adj(pairs, edge_attr=weight, max_num_nodes=9)[0]
    torch.testing.assert_close(propagate(view.x, view), dense @ view.x)
    torch.testing.assert_close(hops(view, 2)[2], dense @ dense @ view.x)


def _csr(graph: nx.Graph) -> tuple[np.ndarray, np.ndarray]:
    matrix = nx.to_scipy_sparse_array(graph, format="csr")
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**62), st.floats(0.1, 10), st.floats(0.1, 10))
def test_walks_follow_edges(seed: int, p: float, q: float) -> None:
    graph = nx.gnm_random_graph(12, 14, seed=seed % 1000)
    found = walks(*_csr(graph), np.arange(12), seed, length=6, p=p, q=q)
    assert found.shape == (12, 7)
    for walk in found:
        for before, after in pairwise(walk):
            assert graph.has_edge(before, after) or (before == after and not graph[before])


def test_walks_step_with_the_weights_of_the_paper() -> None:
    graph = nx.Graph([(0, 1), (1, 2), (0, 2), (1, 3), (1, 4)])
    p, q, count = 4.0, 0.5, 40_000
    found = walks(*_csr(graph), np.zeros(count, dtype=np.int64), 7, length=2, p=p, q=q)
    after = Counter(found[found[:, 1] == 1, 2].tolist())
    weight = {0: 1 / p, 2: 1.0, 3: 1 / q, 4: 1 / q}
    total = sum(after.values())
    for node, value in weight.items():
        wanted = value / sum(weight.values())
        error = 4 * np.sqrt(wanted * (1 - wanted) / total)
        assert after[node] / total == pytest.approx(wanted, abs=error)


def test_pairs_of_a_walk_are_those_within_the_window() -> None:
    found = skip_pairs(np.array([[0, 1, 2, 1]]), 2)
    wanted = Counter([(0, 1), (1, 2), (2, 1), (0, 2), (1, 0), (2, 1), (1, 2), (2, 0)])
    assert Counter(map(tuple, found.tolist())) == wanted


def test_walk_vectors_tell_two_cliques_apart() -> None:
    graph = nx.disjoint_union(nx.complete_graph(8), nx.complete_graph(8))
    view = _view(list(graph.edges), 16)
    torch.manual_seed(0)
    chosen = MODELS["node2vec"]
    encoder = chosen.encoder(EncoderSize(5, 8, 2, 0.0, 16, 4, 3), chosen.options())
    encoder.fit(view, torch.Generator().manual_seed(0))
    z = torch.nn.functional.normalize(encoder.table, dim=1)
    similar = z @ z.T
    assert similar[:8, :8].mean() > similar[:8, 8:].mean() + 0.5


def test_direction_and_relation_reach_the_relational_model() -> None:
    view = _view([(0, 1), (1, 2), (3, 4), (2, 4)], 5)
    turned = View(view.x, view.edges.flip(0), view.relation, view.directed, view.positions)
    size = EncoderSize(5, 8, 1, 0.0, 5, 4, 3)
    for model, same in (("gcn", True), ("rgcn", False)):
        encoder = MODELS[model].encoder(size, MODELS[model].options()).eval()
        with torch.inference_mode():
            assert torch.allclose(encoder(view), encoder(turned), atol=1e-6) is same


def test_smoothing_spreads_training_labels_over_edges() -> None:
    """Two paths, one labelled node each, and probabilities that say nothing."""
    view = _view([(0, 1), (1, 2), (3, 4), (4, 5)], 6)
    model = MODELS["correct-and-smooth"]
    found = model.refine(
        torch.full((6, 2), 0.5), view, torch.tensor([3, 0]), torch.tensor([1, 0]), model.options()
    )
    assert found.argmax(dim=1).tolist() == [0, 0, 0, 1, 1, 1]
