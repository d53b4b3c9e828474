"""What a model sees: visible edges only, and not the edge it is asked for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.benchmarks.config import Scaling
from retia.benchmarks.inputs import _node_inputs, _scaled, link_inputs, node_inputs
from retia.benchmarks.negatives import draw_negatives
from retia.benchmarks.view import View
from retia.protocol.baselines import node_features
from retia.protocol.heuristics import node_positions
from retia.shards.errors import IntegrityError
from retia.shards.version import Version
from retia.shards.writer import write_parquet
from tests.toys import toy_link

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")


def _dense(view: View) -> np.ndarray:
    return view.adjacency.to_dense().numpy()


def _bare(num_nodes: int, edges: torch.Tensor, relation: list[int], *directed: bool) -> View:
    return View(torch.ones(num_nodes, 1), edges, torch.tensor(relation), directed, None)


def _visible(version: Version) -> np.ndarray:
    edges = version.edges("edge")
    adjacency = np.zeros((version.manifest.num_nodes,) * 2)
    adjacency[edges["src"].to_numpy(), edges["dst"].to_numpy()] = 1
    return adjacency


@pytest.mark.parametrize("name", ["communities", "spatial"])
def test_message_graph_is_the_visible_graph(name: str, request: pytest.FixtureRequest) -> None:
    version = request.getfixturevalue(name)
    visible = _visible(version)
    for split in range(version.manifest.task("link").num_splits):
        found = _dense(link_inputs(version, "link", split, "cpu").view)
        np.testing.assert_array_equal(found, np.maximum(visible, visible.T))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_no_hidden_edge_passes_messages(spatial: Version, part: str) -> None:
    for split in range(spatial.manifest.task("link").num_splits):
        inputs = link_inputs(spatial, "link", split, "cpu")
        adjacency = _dense(inputs.view)
        label = spatial.answers("link", split, part)["label"].to_numpy()
        hidden = inputs.items[part][torch.from_numpy(label > 0)].numpy()
        assert len(hidden)
        assert not adjacency[hidden[:, 0], hidden[:, 1]].any()
        assert not adjacency[hidden[:, 1], hidden[:, 0]].any()


def test_hidden_edge_planted_among_the_training_edges_is_refused(tmp_path: Path) -> None:
    version = toy_link(tmp_path)
    rows = version.task_table("link", 0, "test")
    label = version.answers("link", 0, "test")["label"].to_numpy()
    planted = rows.filter(label > 0).slice(0, 1).select(["src", "dst"])
    path = version.root / "tasks/link/0/train.parquet"
    write_parquet(pa.concat_tables([pq.read_table(path), planted]), path)
    with pytest.raises(IntegrityError, match="not among the visible edges"):
        link_inputs(version, "link", 0, "cpu")


def test_target_edges_leave_the_message_graph_while_they_are_asked_for(
    communities: Version,
) -> None:
    inputs = link_inputs(communities, "link", 0, "cpu")
    batch = torch.arange(0, len(inputs.positives), 3)
    left = _visible(communities)
    asked = inputs.positives[batch].numpy()
    left[asked[:, 0], asked[:, 1]] = 0
    found = _dense(inputs.view.without(inputs.places[batch]))
    np.testing.assert_array_equal(found, np.maximum(left, left.T))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_adjacency_is_the_simple_undirected_union(pairs: list[tuple[int, int]]) -> None:
    edges = torch.tensor(pairs).T
    wanted = np.zeros((7, 7))
    wanted[edges[0], edges[1]] = wanted[edges[1], edges[0]] = 1
    np.fill_diagonal(wanted, 0)
    view = _bare(7, edges, [0] * len(pairs), True)
    np.testing.assert_array_equal(_dense(view), wanted)
    np.testing.assert_array_equal(view.degree.numpy(), wanted.sum(axis=0))


def test_typed_edges_tell_relation_and_direction() -> None:
    edges = torch.tensor([[0, 1, 0], [1, 2, 2]])
    view = _bare(3, edges, [0, 0, 1], True, False)
    pairs, types = view.typed_edges
    found = {(int(a), int(b), int(t)) for (a, b), t in zip(pairs.T, types, strict=True)}
    assert found == {(0, 1, 0), (1, 2, 0), (1, 0, 1), (2, 1, 1), (0, 2, 2), (2, 0, 2)}
    assert view.num_edge_types == 4


def test_positions_are_in_lengths_of_an_edge(spatial: Version) -> None:
    view = link_inputs(spatial, "link", 0, "cpu").view
    assert view.positions is not None
    src, dst = view.edges
    lengths = (view.positions[src] - view.positions[dst]).norm(dim=1)
    assert float(lengths.mean()) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(view.positions.mean(dim=0).numpy(), 0, atol=1e-3)


@pytest.mark.parametrize("name", ["communities", "spatial"])
def test_negatives_are_no_visible_edges(name: str, request: pytest.FixtureRequest) -> None:
    version = request.getfixturevalue(name)
    inputs = link_inputs(version, "link", 0, "cpu")
    visible = _visible(version)
    known = visible if inputs.directed else np.maximum(visible, visible.T)
    pairs = draw_negatives(inputs, inputs.positives, torch.Generator().manual_seed(0)).numpy()
    assert len(pairs) > len(inputs.positives)
    assert not known[pairs[:, 0], pairs[:, 1]].any()
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_inputs_are_standardised(colours: Version) -> None:
    x = node_inputs(colours, "colour", 0, "cpu").view.x.numpy()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)


def test_features_may_stay_as_they_are_stored(spatial: Version) -> None:
    view = link_inputs(spatial, "link", 0, "cpu", scaling="raw").view
    np.testing.assert_allclose(view.x[:, :-3].numpy(), node_features(spatial), rtol=1e-6)
    np.testing.assert_array_equal(view.x[:, -3:].numpy(), view.positions.numpy())


def test_rows_are_normalised_without_what_stands_apart(spatial: Version) -> None:
    features = node_features(spatial)
    alone = _node_inputs(spatial, None, "row-normalised")[:, 0]
    np.testing.assert_allclose(alone, np.where(features[:, 0] > 0, 1, 0))
    apart = _node_inputs(spatial, None, "row-normalised", apart=[0])[:, 0]
    z = (features[:, 0] - features.mean()) / features.std()
    np.testing.assert_allclose(apart, z, atol=1e-5)


@pytest.mark.parametrize("scaling", ["raw", "z-score"])
def test_positions_of_a_node_are_standardised(spatial: Version, scaling: Scaling) -> None:
    positions = node_positions(spatial)
    x = _node_inputs(spatial, None, scaling)
    z = (positions - positions.mean(axis=0)) / positions.std(axis=0)
    np.testing.assert_allclose(x[:, -3:], z, atol=1e-5)


def test_a_row_of_zeros_stays_zero() -> None:
    values = np.array([[0.0, 0.0], [1.0, -3.0]])
    found = _scaled(values, values, "row-normalised")
    np.testing.assert_array_equal(found, [[0, 0], [0.25, -0.75]])
