"""Parts of a graph: exact where they claim it, and nothing that is asked for is seen."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from retia.benchmarks import MODELS, Training, make_config
from retia.benchmarks.batching import LinkStep, make_batches, part_view
from retia.benchmarks.csr import Csr
from retia.benchmarks.curve import Curve
from retia.benchmarks.inputs import LinkInputs, NodeInputs
from retia.benchmarks.models import EncoderSize
from retia.benchmarks.sampling import halo
from retia.benchmarks.training import torch_settings, train
from retia.benchmarks.view import View
from retia.protocol import evaluate, load_truth
from retia.shards.errors import InputError
from retia.shards.version import Version

WAYS = ["full", "blocks", "neighbours", "saint"]
ON_PARTS = [n for n, m in MODELS.items() if m.trained and not m.whole_graph]


def _training(batching: str, **fields: object) -> Training:
    return Training(epochs=1, evaluate_every=1, dropout=0, batching=batching, **fields)


def _links(directed: bool, spatial: bool, num_nodes: int = 60) -> LinkInputs:
    """Every edge of relation 0 is a training edge; relation 1 joins some of the same pairs."""
    graph = nx.gnm_random_graph(num_nodes, 150, seed=0)
    first = torch.tensor(list(graph.edges))
    second = first[::5].flip(1)
    draws = torch.Generator().manual_seed(0)
    positions = torch.randn(num_nodes, 3, generator=draws) if spatial else None
    view = View(
        torch.arange(num_nodes)[:, None].float(),
        torch.cat([first, second]).T,
        torch.tensor([0] * len(first) + [1] * len(second)),
        (directed, True),
        positions,
    )
    nearest = None
    if positions is not None:
        nearest = torch.cdist(positions, positions).argsort(dim=1)[:, :5].int()
    keys = (first[:, 0] * num_nodes + first[:, 1]).sort().values
    return LinkInputs(view, directed, first, torch.arange(len(first)), keys, nearest, {})


def _names(step: LinkStep, pairs: torch.Tensor) -> list[tuple[int, int]]:
    """Pairs in the numbers of the whole graph: a node's input is its number."""
    return [tuple(row) for row in step.view.x[:, 0].long()[pairs].tolist()]


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("batching", WAYS)
def test_no_step_sees_an_edge_that_it_asks_for(
    batching: str, directed: bool, spatial: bool
) -> None:
    inputs = _links(directed, spatial)
    training = _training(batching, batches=3, fan_out=4)
    batches = make_batches(inputs.view, training, torch.Generator().manual_seed(0))
    seen = 0
    for step in batches.links(inputs):
        own = step.view.edges[:, step.view.relation == 0].T
        shown = {frozenset(pair) for pair in _names(step, own)}
        asked = {frozenset(pair) for pair in _names(step, step.positives)}
        assert not shown & asked
        seen += len(shown)
    assert seen


@pytest.mark.parametrize("batching", ["full", "blocks", "neighbours"])
def test_every_training_edge_is_asked_for_once_an_epoch(batching: str) -> None:
    inputs = _links(True, True)
    training = _training(batching, batches=5)
    batches = make_batches(inputs.view, training, torch.Generator().manual_seed(0))
    for _ in range(2):
        asked = Counter()
        steps = list(batches.links(inputs))
        for step in steps:
            asked.update(_names(step, step.positives))
        assert asked == Counter(map(tuple, inputs.positives.tolist()))
        assert len(steps) == 5


@pytest.mark.parametrize("batching", WAYS)
def test_negatives_are_pairs_that_are_not_joined(batching: str) -> None:
    inputs = _links(False, True)
    known = {frozenset(pair) for pair in inputs.positives.tolist()}
    batches = make_batches(
        inputs.view, _training(batching, batches=3), torch.Generator().manual_seed(1)
    )
    count = 0
    for step in batches.links(inputs):
        pairs = _names(step, step.negatives)
        assert all(u != v and frozenset((u, v)) not in known for u, v in pairs)
        count += len(pairs)
    assert count > 10


@pytest.mark.parametrize("model", ON_PARTS)
def test_block_gives_what_the_whole_graph_gives(model: str) -> None:
    inputs = _links(True, True, num_nodes=200)
    chosen, training = MODELS[model], _training("blocks", batches=12)
    torch.manual_seed(0)
    size = EncoderSize(1, 8, training.layers, 0.0, 200, 4, 3)
    encoder = chosen.encoder(size, chosen.options()).eval()
    decoder = chosen.decoder and chosen.decoder(size, chosen.options(), True).eval()
    batches = make_batches(inputs.view, training, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for step in batches.links(inputs):
            assert step.view.num_nodes < 200
            asked = set(_names(step, step.positives))
            places = [i for i, p in enumerate(inputs.positives.tolist()) if tuple(p) in asked]
            masked = inputs.view.without(torch.tensor(places))
            whole = encoder(masked)
            part, nodes = encoder(step.view), step.view.x[:, 0].long()
            pairs = torch.cat([step.positives, step.negatives])
            ends = pairs.unique()
            torch.testing.assert_close(part[ends], whole[nodes[ends]], atol=1e-4, rtol=1e-4)
            if decoder is not None:
                found = decoder(part, pairs, step.view)
                wanted = decoder(whole, nodes[pairs], masked)
                torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_blocks_keep_most_edges_of_the_nodes_that_are_asked_for() -> None:
    inputs = _links(False, True)
    training = _training("blocks", batches=8)
    batches = make_batches(inputs.view, training, torch.Generator().manual_seed(0))
    kept = []
    for step in batches.links(inputs):
        ends = step.positives.unique()
        nodes = torch.tensor([name for (name,) in _names(step, ends[:, None])])
        kept.append(step.view.degree[ends].sum() / inputs.view.degree[nodes].sum())
    assert np.mean(kept) > 0.6


def test_part_of_everything_is_the_view() -> None:
    view = _links(True, True).view
    edges = view.edges.numpy()
    graph = Csr.of(np.concatenate([edges, edges[::-1]], axis=1), view.num_nodes)
    part, _ = part_view(view, halo(graph, np.arange(view.num_nodes), 0))
    assert torch.equal(part.edges, view.edges) and torch.equal(part.relation, view.relation)
    assert torch.equal(part.x, view.x) and torch.equal(part.positions, view.positions)


@pytest.mark.parametrize("batching", WAYS)
def test_every_training_node_is_asked_for(batching: str) -> None:
    view = _links(False, False).view
    train = torch.arange(0, 60, 2)
    inputs = NodeInputs(view, train, train % 3, 3, {})
    training = _training(batching, batches=4)
    batches = make_batches(view, training, torch.Generator().manual_seed(0))
    asked: list[int] = []
    for _ in range(20 if batching == "saint" else 1):
        for step in batches.nodes(inputs):
            assert torch.equal(step.view.x[step.nodes, 0].long(), train[step.which])
            asked += step.which.tolist()
    assert set(asked) == set(range(30))
    assert batching == "saint" or len(asked) == 30


def test_walks_are_weighted_so_that_the_loss_is_that_of_the_whole_graph() -> None:
    """A loss that is a node's number: its weighted mean over many steps is the plain mean."""
    view = _links(False, False).view
    train = torch.arange(60)
    inputs = NodeInputs(view, train, train % 3, 3, {})
    batches = make_batches(view, _training("saint", batches=400), torch.Generator().manual_seed(0))
    total = [float((step.weight * step.which.float()).sum()) for step in batches.nodes(inputs)]
    error = 4 * np.std(total) / np.sqrt(len(total)) + 0.02 * 29.5  # the weights are counted too
    assert np.mean(total) == pytest.approx(float(train.float().mean()), abs=error)


@pytest.mark.parametrize("batching", ["blocks", "neighbours", "saint"])
def test_training_on_parts_learns_links(communities: Version, batching: str) -> None:
    config = make_config(communities, "graphsage", batching=batching, batches=4, epochs=60)
    with torch_settings(1):
        first, second = (train(communities, config, 0, "cpu", Curve()) for _ in range(2))
    truth = load_truth(communities, "link", 0, "test")
    assert evaluate(truth, first.predictions["test"])["matched.rocauc"] > 0.58
    assert first.predictions["test"].tobytes() == second.predictions["test"].tobytes()


@pytest.mark.parametrize("batching", ["blocks", "neighbours", "saint"])
def test_training_on_parts_learns_classes(colours: Version, batching: str) -> None:
    found = []
    for seed in range(3):
        config = make_config(colours, "graphsage", batching=batching, batches=2, epochs=50)
        with torch_settings(1):
            trained = train(colours, config, seed, "cpu", Curve())
        truth = load_truth(colours, "colour", seed, "test")
        found.append(evaluate(truth, trained.predictions["test"])["accuracy"])
    truth = load_truth(colours, "colour", 0, "test")
    assert np.mean(found) > np.bincount(truth.labels).max() / len(truth.labels) + 0.1


@pytest.mark.parametrize("model", ["matrix-factorisation", "node2vec"])
def test_vectors_of_one_graph_are_not_trained_on_parts(communities: Version, model: str) -> None:
    with pytest.raises(InputError, match="needs the whole graph; use full"):
        make_config(communities, model, batching="blocks")
