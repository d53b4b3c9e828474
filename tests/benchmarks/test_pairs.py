"""Models of pairs: what they find around a pair is what networkx finds, whatever the numbering."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.benchmarks import MODELS, make_config
from retia.benchmarks.batching import LinkStep
from retia.benchmarks.curve import Curve
from retia.benchmarks.enclosing import enclosing
from retia.benchmarks.layers import seal
from retia.benchmarks.layers.pairs import rows
from retia.benchmarks.models import EncoderSize
from retia.benchmarks.surroundings import COUNTS, common_neighbours, distance_counts
from retia.benchmarks.training import torch_settings, train
from retia.benchmarks.view import View
from retia.protocol import evaluate, load_truth
from retia.shards.errors import InputError
from retia.shards.version import Version

NODES = 14
PAIR_MODELS = ("ncn", "buddy", "seal")


@st.composite
def asked(draw: st.DrawFn) -> tuple[nx.Graph, np.ndarray]:
    """A graph, and pairs of its nodes, joined or not."""
    graph = nx.gnm_random_graph(NODES, draw(st.integers(0, 45)), seed=draw(st.integers(0, 10**6)))
    node = st.integers(0, NODES - 1)
    pair = st.tuples(node, node).filter(lambda ends: ends[0] != ends[1])
    return graph, np.array(draw(st.lists(pair, min_size=1, max_size=6)))


def _view(graph: nx.Graph) -> View:
    edges = torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T
    x = torch.randn(len(graph), 5, generator=torch.Generator().manual_seed(0))
    return View(x, edges, torch.zeros(edges.shape[1], dtype=torch.long), (False,), None)


def _without_edge(graph: nx.Graph, u: int, v: int) -> nx.Graph:
    """The graph less the edge between the two, if there is one."""
    left = graph.copy()
    left.remove_edges_from([(u, v)])
    return left


@settings(deadline=None)
@given(asked())
def test_common_neighbours_are_those_of_networkx(case: tuple[nx.Graph, np.ndarray]) -> None:
    graph, pairs = case
    place, node = common_neighbours(*rows(_view(graph)), pairs)
    for p, (u, v) in enumerate(pairs.tolist()):
        assert set(node[place == p]) == set(nx.common_neighbors(graph, u, v))


@settings(deadline=None)
@given(asked())
def test_counts_are_of_nodes_by_both_distances(case: tuple[nx.Graph, np.ndarray]) -> None:
    graph, pairs = case
    for (u, v), counts in zip(
        pairs.tolist(), distance_counts(*rows(_view(graph)), pairs), strict=True
    ):
        far = [
            nx.single_source_shortest_path_length(_without_edge(graph, u, v), end, cutoff=2)
            for end in (u, v)
        ]
        others = set(graph) - {u, v}
        wanted = Counter((far[0].get(w, 0), far[1].get(w, 0)) for w in others)
        assert counts.tolist() == [wanted[both] for both in COUNTS]


@settings(deadline=None)
@given(asked(), st.integers(1, 3))
def test_enclosing_subgraph_is_that_of_the_paper(
    case: tuple[nx.Graph, np.ndarray], hops: int
) -> None:
    graph, pairs = case
    cut = enclosing(*rows(_view(graph)), pairs, hops)
    for p, (u, v) in enumerate(pairs.tolist()):
        inside = np.flatnonzero(cut.pair == p)
        assert inside[0] == cut.first[p]
        assert cut.node[inside[:2]].tolist() == [u, v]
        near = set(nx.ego_graph(graph, u, hops)) | set(nx.ego_graph(graph, v, hops))
        assert sorted(cut.node[inside]) == sorted(near)
        wanted = _without_edge(graph.subgraph(near), u, v)
        arcs = {
            (int(cut.node[i]), int(cut.node[j]))
            for i in inside
            for j in cut.column[cut.start[i] : cut.start[i + 1]]
        }
        assert arcs == set(wanted.to_directed().edges)
        labels = dict(zip(cut.node[inside].tolist(), cut.label[inside].tolist(), strict=True))
        assert labels == _double_radius(wanted, u, v)


def _double_radius(graph: nx.Graph, u: int, v: int) -> dict[int, int]:
    """Double-radius labels by the order of the paper: by d, then by the shorter of both hops."""
    one, other = (
        nx.single_source_shortest_path_length(nx.restricted_view(graph, [away], []), end)
        for end, away in ((u, v), (v, u))
    )
    labels = {u: 1, v: 1}
    order = [(d, i) for d in range(2, 2 * NODES) for i in range(1, d // 2 + 1)]
    for w in set(graph) - {u, v}:
        reached = w in one and w in other
        labels[w] = 2 + order.index((one[w] + other[w], min(one[w], other[w]))) if reached else 0
    return labels


def _decoder(name: str, directed: bool = False, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    chosen = MODELS[name]
    size = EncoderSize(5, 5, 2, 0.0, NODES, 2, 0)
    return chosen.decoder(size, chosen.options(**options), directed).eval()


@pytest.mark.parametrize("name", PAIR_MODELS)
@pytest.mark.parametrize("directed", [False, True])
def test_numbers_of_nodes_do_not_matter(name: str, directed: bool) -> None:
    torch.manual_seed(0)
    graph, order = nx.gnm_random_graph(NODES, 30, seed=1), torch.randperm(NODES)
    view, place = _view(graph), torch.argsort(order)
    other = View(view.x[order], place[view.edges], view.relation, view.directed, None)
    pairs, decoder = torch.randint(NODES, (40, 2)), _decoder(name, directed)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    with torch.inference_mode():
        found = decoder(view.x, pairs, view)
        torch.testing.assert_close(decoder(other.x, place[pairs], other), found)
        turned = decoder(view.x, pairs.flip(1), view)
        assert torch.allclose(turned, found, atol=1e-5) is not directed


@pytest.mark.parametrize("options", [{}, {"hops": 2}, {"pooling": "mean"}])
def test_edge_that_is_asked_for_is_not_looked_at(options: dict[str, object]) -> None:
    graph, pair = nx.gnm_random_graph(NODES, 30, seed=2), torch.tensor([[0, 1]])
    decoder = _decoder("seal", **options)
    views = [_view(_without_edge(graph, 0, 1)), _view(nx.Graph([*graph.edges, (0, 1)]))]
    with torch.inference_mode():
        without, within = (decoder(views[0].x, pair, view) for view in views)
    torch.testing.assert_close(within, without)


def test_subgraphs_that_are_kept_are_those_of_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    views = [_view(nx.gnm_random_graph(NODES, 30, seed=seed)) for seed in (1, 2)]
    some, others = torch.tensor([[0, 1], [2, 3]]), torch.tensor([[4, 5], [6, 7]])
    made, extract = [], seal.enclosing
    monkeypatch.setattr(seal, "enclosing", lambda *given: made.append(1) or extract(*given))
    decoder = _decoder("seal")
    for view, pairs, times in (
        (views[0], some, 1),
        (views[0], some, 1),
        (views[0], others, 2),
        (views[0], some, 2),
        (views[1], some, 3),
    ):
        found = decoder(view.x, pairs, view)
        assert len(made) == times
        torch.testing.assert_close(found, _decoder("seal")(view.x, pairs, view))
        made = made[:times]


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_share_of_the_pairs_is_trained_on(
    communities: Version, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[LinkStep] = []
    config = make_config(communities, "seal", options={"share": share}, epochs=1)
    monkeypatch.setattr(
        "retia.benchmarks.learners.LinkLearner._decode",
        lambda self, z, step, update: steps.append(step) or [0.0],
    )
    with torch_settings(1):
        learner = train(communities, config, 0, "cpu", Curve()).learner
    total = len(learner.inputs.positives)
    assert sum(len(step.positives) for step in steps) == pytest.approx(share * total, abs=4)
    for step in steps:
        assert len(step.negatives) > len(step.positives)


@pytest.mark.parametrize("name", PAIR_MODELS)
def test_pair_models_learn_communities(communities: Version, name: str) -> None:
    config = make_config(communities, name, epochs=10)
    with torch_settings(1):
        found = train(communities, config, 0, "cpu", Curve()).predictions["test"]
    truth = load_truth(communities, "link", 0, "test")
    assert evaluate(truth, found)["matched.rocauc"] > 0.6


@pytest.mark.parametrize("batching", ["neighbours", "saint"])
def test_samples_of_a_neighbourhood_are_refused(communities: Version, batching: str) -> None:
    with pytest.raises(InputError, match="use full or blocks"):
        make_config(communities, "buddy", batching=batching)
