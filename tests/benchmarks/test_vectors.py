"""Models of a graph in space: what they compute, and what moving the graph changes."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from retia.benchmarks import MODELS, make_config
from retia.benchmarks.layers.vectors import VectorAttention, VectorDecoder, angle, edges_at
from retia.benchmarks.models import EncoderSize
from retia.benchmarks.view import View
from retia.shards.errors import InputError
from retia.shards.version import Version

SIZE = EncoderSize(
    inputs=2, hidden=8, layers=2, dropout=0.0, num_nodes=12, num_edge_types=2, dimensions=3
)


def _view(positions: torch.Tensor, edges: list[tuple[int, int]] | None = None) -> View:
    if edges is None:
        edges = list(nx.gnm_random_graph(len(positions), 20, seed=1).edges)
    pairs = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T
    relation = torch.zeros(pairs.shape[1], dtype=torch.long)
    return View(torch.zeros(len(positions), 2), pairs, relation, (False,), positions)


def _positions(count: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def _scores(name: str, view: View, pairs: torch.Tensor, directed: bool = False) -> torch.Tensor:
    torch.manual_seed(0)
    chosen = MODELS[name]
    encoder = chosen.encoder(SIZE, chosen.options()).eval()
    decoder = chosen.decoder(SIZE, chosen.options(), directed).eval()
    with torch.inference_mode():
        return decoder(encoder(view), pairs, view)


PAIRS = torch.combinations(torch.arange(12))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_attention_is_that_of_a_loop_over_vectors(seed: int, num_edges: int) -> None:
    """Asked one vector at a time, with numpy's angles, lengths and sums."""
    graph = nx.gnm_random_graph(9, num_edges, seed=seed)
    view, draws = _view(_positions(9, seed), list(graph.edges)), torch.Generator().manual_seed(seed)
    z, query = (torch.randn(n, 8, generator=draws) for n in (9, 5))
    query, foot, tip = query[:, :3], *torch.randint(9, (2, 5), generator=draws)
    torch.manual_seed(seed % 1000)
    layer = VectorAttention(8, 2)
    with torch.inference_mode():
        found = layer(z, query, foot, tip, view)
        for i in range(5):
            states = []
            for other in sorted(set(graph[int(foot[i])]) - {int(tip[i])}):
                vector = (view.positions[other] - view.positions[foot[i]]).numpy().astype(float)
                q = query[i].numpy().astype(float)
                lengths = np.linalg.norm(q), np.linalg.norm(vector)
                between = np.arccos(np.clip(q @ vector / np.prod(lengths), -1, 1))
                asked, own = (layer.lengths(torch.tensor([value]).float())[0] for value in lengths)
                turn = layer.angles(torch.tensor([between]).float())[0]
                state = layer.geometry(torch.cat([turn, own])) + layer.asking(asked)
                state = state + layer.foot(z[foot[i]]) + layer.tip(z[other])
                states.append(torch.where(state > 0, state, 0.2 * state).view(2, 4))
            total = torch.zeros(2, 4)
            if states:
                stack = torch.stack(states)
                share = (stack * layer.share).sum(dim=2).softmax(dim=0)
                total = (share[:, :, None] * stack).sum(dim=0)
            torch.testing.assert_close(
                found[i], layer.output(total.flatten()), atol=1e-4, rtol=1e-4
            )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_angles_are_those_of_arccos(seed: int) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 20, 3))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = angle(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(found, np.arccos(cosine), atol=1e-6)


def test_angles_are_exact_where_arccos_is_not() -> None:
    a = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]])
    b = torch.tensor([[3.0, 0, 0], [-2, 0, 0], [1, 1e-5, 0], [1, 0, 0]])
    wanted = torch.tensor([0, torch.pi, 1e-5, torch.pi / 2])
    torch.testing.assert_close(angle(a, b), wanted, rtol=1e-5, atol=0)


def test_edges_at_nodes_are_those_of_networkx() -> None:
    graph = nx.gnm_random_graph(12, 20, seed=1)
    view, nodes = _view(_positions()), torch.tensor([3, 3, 0, 11])
    row, edge = edges_at(view, nodes)
    for i, node in enumerate(nodes.tolist()):
        there = view.edge_index[:, edge[row == i]]
        assert (there[0] == node).all() and there[1].tolist() == sorted(graph[node])


@pytest.mark.parametrize("mirrored", [False, True])
def test_vectors_know_lengths_and_angles_alone(mirrored: bool) -> None:
    positions = _positions()
    turn = torch.from_numpy(Rotation.random(rng=0).as_matrix()).float()
    moved = positions @ (-turn if mirrored else turn).T + torch.tensor([3.0, -2.0, 5.0])
    before, after = (_scores("gav", _view(p), PAIRS) for p in (positions, moved))
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)
    stretched = _scores("gav", _view(positions * 1.5), PAIRS)
    assert not torch.allclose(before, stretched, atol=1e-3)


def test_differences_change_when_the_graph_is_turned_but_not_when_it_is_moved() -> None:
    positions = _positions()
    turn = torch.from_numpy(Rotation.random(rng=0).as_matrix()).float()
    before = _scores("coordinate-mlp", _view(positions), PAIRS)
    moved = _scores("coordinate-mlp", _view(positions + 4), PAIRS)
    torch.testing.assert_close(before, moved, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before, _scores("coordinate-mlp", _view(positions @ turn.T), PAIRS))


@pytest.mark.parametrize("name", ["gav", "coordinate-mlp"])
@pytest.mark.parametrize("directed", [False, True])
def test_direction_counts_where_the_relation_has_one(name: str, directed: bool) -> None:
    view = _view(_positions())
    there, back = (_scores(name, view, pairs, directed) for pairs in (PAIRS, PAIRS.flip(1)))
    assert torch.allclose(there, back, atol=1e-5) is not directed


def test_score_does_not_depend_on_the_edge_that_is_asked_for() -> None:
    """At both ends the vector of a pair looks at the others; the states of nodes are given."""
    view, z = _view(_positions()), torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
    decoder = VectorDecoder(8, 2, False).eval()
    with torch.inference_mode():
        shown = decoder(z, view.edges.T, view)
        for place in range(view.edges.shape[1]):
            pair = view.edges[:, [place]].T
            hidden = decoder(z, pair, view.without(torch.tensor([place])))
            torch.testing.assert_close(hidden[0], shown[place], atol=1e-5, rtol=1e-5)


def test_nodes_without_edges_and_at_one_place_have_finite_scores_and_gradients() -> None:
    view = _view(torch.zeros(12, 3), [(0, 1), (1, 2)])
    chosen = MODELS["gav"]
    encoder = chosen.encoder(SIZE, chosen.options())
    decoder = chosen.decoder(SIZE, chosen.options(), False)
    decoder(encoder(view), PAIRS, view).sum().backward()
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        assert parameter.grad is None or parameter.grad.isfinite().all()


def test_positions_are_needed(communities: Version) -> None:
    for name in ("gav", "coordinate-mlp"):
        with pytest.raises(InputError, match="needs positions"):
            make_config(communities, name)
