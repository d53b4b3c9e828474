"""Inputs that count edges do not count those that are asked for."""

from typing import get_args

import numpy as np
import pytest
import torch

from retia.benchmarks.batching import make_batches
from retia.benchmarks.config import Batching, Scaling, Training
from retia.benchmarks.inputs import LinkInputs, link_inputs
from retia.datasets.connectome.columns import layer_features
from retia.datasets.connectome.graph import Layer
from retia.protocol.recipes import Visible, compute
from retia.shards.version import Version
from tests.toy_connectome import chemical, gap, toy_links, weights

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")


@pytest.fixture(scope="module")
def connectome(tmp_path_factory: pytest.TempPathFactory) -> Version:
    layers = [
        Layer(name, directed, pairs, weights(pairs))
        for name, directed, pairs in (("chemical", True, chemical()), ("gap", False, gap()))
    ]
    return toy_links(tmp_path_factory.mktemp("counts"), columns=layer_features(layers))


def recomputed(version: Version, relation: str, gone: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Every counting column (n, k) by its recipe without those edges of the relation (P, 2)."""
    lost = {tuple(pair) for pair in gone.tolist()}
    tables = {r.name: version.edges(r.name) for r in version.manifest.relations}
    ends = zip(
        tables[relation]["src"].to_pylist(), tables[relation]["dst"].to_pylist(), strict=True
    )
    tables[relation] = tables[relation].filter([pair not in lost for pair in ends])
    seen = Visible(version.manifest.num_nodes, tables, {})
    found = []
    for column in version.manifest.columns:
        if column.recipe is not None:
            stored = version.nodes([column.name])[column.name].to_numpy().astype(np.float64)
            values = compute(column.recipe, seen).astype(np.float64)
            plain = scaling == "raw"
            found.append(values if plain else (values - stored.mean()) / stored.std())
    return np.stack(found, axis=1)


def asked(inputs: LinkInputs, count: int) -> torch.Tensor:
    return torch.randperm(len(inputs.places), generator=torch.Generator().manual_seed(3))[:count]


@pytest.mark.parametrize("scaling", get_args(Scaling))
@pytest.mark.parametrize("task", ["chemical", "gap"])
def test_degrees_and_strengths_do_not_count_what_is_taken_out(
    connectome: Version, task: str, scaling: Scaling
) -> None:
    inputs = link_inputs(connectome, task, 0, "cpu", scaling=scaling)
    which = asked(inputs, 60)
    view = inputs.view.without(inputs.places[which])
    wanted = recomputed(connectome, task, inputs.positives[which].numpy(), scaling)
    assert view.counts is not None
    found = view.x[:, list(view.counts.columns)].numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    others = np.setdiff1d(np.arange(view.x.shape[1]), view.counts.columns)
    np.testing.assert_array_equal(view.x[:, others], inputs.view.x[:, others])
    before = inputs.view.x[:, list(view.counts.columns)].numpy()
    assert (np.abs(before - wanted).max(axis=0) > 0.1).sum() >= 2


def test_edges_taken_out_in_two_turns_are_all_gone(connectome: Version) -> None:
    inputs = link_inputs(connectome, "chemical", 0, "cpu")
    which = asked(inputs, 50)
    once = inputs.view.without(inputs.places[which])
    first, rest = inputs.places[which[:20]], inputs.places[which[20:]]
    kept = torch.ones(inputs.view.edges.shape[1], dtype=torch.bool)
    kept[first] = False
    twice = inputs.view.without(first).without(kept.cumsum(0)[rest] - 1)
    torch.testing.assert_close(twice.x, once.x, atol=1e-5, rtol=0)
    torch.testing.assert_close(twice.edges, once.edges)


@pytest.mark.parametrize("batching", get_args(Batching))
def test_no_step_counts_an_edge_that_it_asks_for(connectome: Version, batching: Batching) -> None:
    inputs = link_inputs(connectome, "chemical", 0, "cpu")
    size = inputs.view.x[:, 0]  # no two nodes have the same
    training = Training(
        epochs=1, evaluate_every=1, dropout=0, batching=batching, batches=4, fan_out=5
    )
    batches = make_batches(inputs.view, training, torch.Generator().manual_seed(0))
    steps = 0
    for step in batches.links(inputs):
        nodes = (step.view.x[:, :1] == size).nonzero()[:, 1]
        gone = nodes[step.positives].numpy()
        wanted = recomputed(connectome, "chemical", gone, "z-score")
        assert step.view.counts is not None
        found = step.view.x[:, list(step.view.counts.columns)].numpy()
        np.testing.assert_allclose(found, wanted[nodes.numpy()], atol=2e-5)
        steps += 1
    assert steps >= 3
