"""The neighbour sampler: true to the graph, uniform, the same for any number of workers."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch_geometric.data import Data
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.sampler import (
    EdgeSamplerInput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)
from torch_geometric.sampler.neighbor_sampler import edge_sample

from retia.benchmarks.csr import Csr, Ints
from retia.benchmarks.sampling import Hidden, NeighbourSampler
from retia.benchmarks.sampling.draws import draw
from retia.benchmarks.sampling.hops import NONE_HIDDEN, Sample, sample_hops
from retia.benchmarks.sampling.oracle import sample_hops_numpy
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from tests.benchmarks.graphs import edge_lists, undirected

SEED = Randomness.from_seed(0)
FAN_OUTS = st.lists(st.integers(-1, 4), max_size=3)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Ints, Csr, Ints, list[int], np.uint64]:
    """An edge list and its graph, seeds, a fan-out and a key."""
    edges, n = draw(edge_lists())
    seeds = draw(st.lists(st.integers(0, max(n - 1, 0)), max_size=6 if n else 0))
    key = np.uint64(draw(st.integers(0, 2**64 - 1)))
    return edges, Csr.of(edges, n), np.array(seeds, dtype=np.int64), draw(FAN_OUTS), key


def test_the_graph_lists_incoming_edges_by_source() -> None:
    graph = Csr.of(np.array([[2, 1, 0, 1], [0, 0, 2, 0]]), 3)
    assert graph.start.tolist() == [0, 3, 3, 4]
    assert graph.source.tolist() == [1, 1, 2, 0]
    assert graph.edge.tolist() == [1, 3, 0, 2]
    assert (graph.num_nodes, graph.num_edges) == (3, 4)


@pytest.mark.parametrize("edge", [[0, 3], [-1, 0]])
def test_an_edge_outside_the_graph_is_refused(edge: list[int]) -> None:
    with pytest.raises(InputError, match="outside the 3 nodes"):
        Csr.of(np.array([edge]).T, 3)


def test_draws_are_splitmix64() -> None:
    """The first outputs for the state 1234567, as published with the reference implementation."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    bound = 2**32
    seen = [int(draw(np.uint64(1234567), np.uint64(step), np.uint64(bound))) for step in range(3)]
    assert seen == [number >> 32 for number in known]


@given(questions())
def test_sampled_edges_are_those_of_the_graph(question: tuple) -> None:
    edges, graph, seeds, fan_out, key = question
    sample = sample_hops(graph, seeds, fan_out, key)
    ends = sample.graph.nodes[sample.graph.edge_index]
    assert np.array_equal(ends, edges[:, sample.graph.edge])
    assert len(np.unique(sample.graph.edge)) == len(sample.graph.edge)
    assert len(np.unique(sample.graph.nodes)) == len(sample.graph.nodes)


@given(questions())
def test_seeds_come_first(question: tuple) -> None:
    _, graph, seeds, fan_out, key = question
    sample = sample_hops(graph, seeds, fan_out, key)
    first = list(dict.fromkeys(seeds.tolist()))
    assert sample.graph.nodes[: len(first)].tolist() == first
    assert np.array_equal(sample.graph.nodes[sample.seeds], seeds)


@given(questions())
def test_each_hop_draws_all_up_to_the_fan_out(question: tuple) -> None:
    _, graph, seeds, fan_out, key = question
    sample = sample_hops(graph, seeds, fan_out, key)
    degree = np.diff(graph.start)
    node_ends = np.cumsum([0, *sample.nodes_by_hop])
    edge_ends = np.cumsum([0, *sample.edges_by_hop])
    assert node_ends[-1] == len(sample.graph.nodes)
    assert edge_ends[-1] == len(sample.graph.edge)
    for hop, most in enumerate(fan_out):
        nodes = np.arange(node_ends[hop], node_ends[hop + 1])
        nodes = nodes[np.argsort(sample.graph.nodes[nodes])]
        targets = sample.graph.edge_index[1, edge_ends[hop] : edge_ends[hop + 1]]
        wanted = degree[sample.graph.nodes[nodes]]
        wanted = wanted if most < 0 else np.minimum(wanted, most)
        assert targets.tolist() == np.repeat(nodes, wanted).tolist()
        sources = sample.graph.edge_index[0, edge_ends[hop] : edge_ends[hop + 1]]
        new = np.arange(node_ends[hop + 1], node_ends[hop + 2])
        assert set(new) == set(sources[sources >= node_ends[hop + 1]])


@given(questions(), st.data())
def test_the_numpy_sampler_draws_the_same(question: tuple, data: st.DataObject) -> None:
    _, graph, seeds, fan_out, key = question
    size = graph.num_edges
    hidden = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool)
    assert_same(
        sample_hops(graph, seeds, fan_out, key, hidden),
        sample_hops_numpy(graph, seeds, fan_out, key, hidden),
    )
    assert_same(
        sample_hops(graph, seeds, fan_out, key), sample_hops_numpy(graph, seeds, fan_out, key)
    )


@pytest.mark.parametrize("hidden", [(), (1, 4)])
def test_every_set_of_neighbours_is_as_likely(hidden: tuple[int, ...]) -> None:
    """A node with eight incoming edges, three drawn with each of 14,000 keys."""
    graph = star(8)
    mask = np.isin(np.arange(8), hidden) if hidden else NONE_HIDDEN
    keys = np.random.default_rng(0).integers(2**64, size=14_000, dtype=np.uint64)
    seeds = np.array([0])
    drawn = Counter(
        tuple(sorted(sample_hops(graph, seeds, [3], key, mask).graph.edge.tolist())) for key in keys
    )
    sets = list(combinations([edge for edge in range(8) if edge not in hidden], 3))
    assert set(drawn) == set(sets)
    assert chisquare([drawn[chosen] for chosen in sets]).pvalue > 0.001


def test_nodes_draw_independently_of_each_other() -> None:
    """Two nodes with the same six neighbours, one drawn each: all 36 pairs as likely."""
    sources = np.tile(np.arange(2, 8), 2)
    graph = Csr.of(np.stack([sources, np.repeat([0, 1], 6)]), 8)
    keys = np.random.default_rng(1).integers(2**64, size=14_400, dtype=np.uint64)
    drawn = Counter(
        tuple((sample_hops(graph, np.array([0, 1]), [1], key).graph.edge % 6).tolist())
        for key in keys
    )
    assert len(drawn) == 36
    assert chisquare(list(drawn.values())).pvalue > 0.001


def test_a_graph_without_edges_gives_its_seeds() -> None:
    graph = Csr.of(np.zeros((2, 0), int), 3)
    sample = sample_hops(graph, np.array([2, 1, 2]), [10, 10], np.uint64())
    assert sample.graph.nodes.tolist() == [2, 1]
    assert sample.graph.edge_index.shape == (2, 0)
    assert sample.nodes_by_hop == [2, 0, 0]


@given(edge_lists(least=1), st.data())
def test_positives_of_the_batch_are_hidden(graph: tuple[Ints, int], data: st.DataObject) -> None:
    """No edge between the ends of a positive is seen, in either direction; all others are."""
    edges, n = graph
    csr = Csr.of(edges, n)
    node = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), min_size=1, max_size=6))
    positives = np.array(pairs).T
    batch = np.array(data.draw(st.lists(st.integers(0, len(pairs) - 1), max_size=4)), dtype=int)
    mask = Hidden.joining(csr, positives).mask(batch, csr.num_edges)
    asked = {frozenset(pairs[i]) for i in batch}
    expected = [frozenset(edges[:, edge].tolist()) in asked for edge in csr.edge]
    assert mask.tolist() == expected
    everyone = sample_hops(csr, np.arange(n), [-1, -1], np.uint64(1), mask)
    assert sorted(everyone.graph.edge.tolist()) == sorted(csr.edge[~mask].tolist())


def test_an_owned_edge_is_hidden_and_its_reverse_is_not() -> None:
    """Two directed edges 0 -> 1 and 1 -> 0, each with a message along and one against it."""
    messages = np.array([[0, 1, 1, 0], [1, 0, 0, 1]])
    owner = np.array([0, 0, 1, 1])
    graph = Csr.of(messages, 2)
    mask = Hidden.owned(graph, owner, 2).mask(np.array([1]), 4)
    assert sorted(graph.edge[mask].tolist()) == [2, 3]
    none = Hidden.owned(graph, np.full(4, -1), 2).mask(np.array([0, 1]), 4)
    assert not none.any()


def spatial() -> tuple[Data, Ints]:
    """A random graph of 60 nodes, undirected, and its edges once."""
    rng = np.random.default_rng(3)
    keys = np.unique(rng.integers(0, 60 * 60, 150))
    pairs = np.stack([keys // 60, keys % 60])
    pairs = pairs[:, pairs[0] < pairs[1]]
    edge_index = torch.from_numpy(undirected(pairs))
    x = torch.arange(60.0)[:, None]
    attribute = torch.arange(edge_index.shape[1])
    return Data(x=x, edge_index=edge_index, edge_attr=attribute, num_nodes=60), pairs


def sampler_of(data: Data, pairs: Ints | None = None, seed: int = 0) -> NeighbourSampler:
    graph = Csr.of(data.edge_index.numpy(), data.num_nodes)
    hidden = None if pairs is None else Hidden.joining(graph, pairs)
    return NeighbourSampler(graph, [3, 2], Randomness.from_seed(seed), hidden)


def test_a_node_loader_serves_parts_of_the_graph() -> None:
    data, _ = spatial()
    seeds = torch.tensor([7, 3, 21, 40, 59])
    batches = list(NodeLoader(data, sampler_of(data), seeds, batch_size=2))
    assert torch.equal(torch.cat([b.n_id[: b.batch_size] for b in batches]), seeds)
    for batch in batches:
        assert torch.equal(batch.x[:, 0].long(), batch.n_id)
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
        assert torch.equal(batch.edge_attr, batch.e_id)
        assert sum(batch.num_sampled_nodes) == batch.num_nodes


@pytest.mark.parametrize("mode", ["binary", "triplet"])
def test_a_link_loader_gives_what_pyg_would(mode: str) -> None:
    """PyG's own bookkeeping around our draws is the oracle of labels and of local numbers."""
    data, pairs = spatial()
    sampler = sampler_of(data)
    negatives = NegativeSampling(mode, 2)
    given = EdgeSamplerInput(torch.arange(9), *torch.from_numpy(pairs[:, :9]))
    ours = sampler.sample_from_edges(given, negatives)
    theirs = edge_sample(
        given,
        lambda seed, _time: SamplerOutput(node=seed, row=seed, col=seed, edge=None),
        num_nodes=60,
        disjoint=False,
        neg_sampling=negatives,
    )
    assert len(ours.metadata) == len(theirs.metadata)
    for mine, other in zip(ours.metadata, theirs.metadata, strict=True):
        assert (mine is None) == (other is None)
        assert mine is None or (mine.shape, mine.dtype) == (other.shape, other.dtype)
    positive = ours.metadata[1:3] if mode == "triplet" else ours.metadata[1][:, :9]
    assert torch.equal(ours.node[torch.stack([*positive])], torch.from_numpy(pairs[:, :9]))


def test_a_link_loader_hides_the_positives_of_its_batch() -> None:
    data, pairs = spatial()
    loader = LinkLoader(
        data,
        sampler_of(data, pairs),
        torch.from_numpy(pairs),
        neg_sampling=NegativeSampling("binary", 1),
        batch_size=16,
    )
    lost = 0
    for batch in loader:
        positive = batch.edge_label_index[:, batch.edge_label == 1]
        asked = {frozenset(pair) for pair in batch.n_id[positive].T.tolist()}
        seen = {frozenset(pair) for pair in batch.n_id[batch.edge_index].T.tolist()}
        assert len(asked) == math.ceil(len(batch.edge_label) / 2)
        assert not asked & seen
        lost += len(asked)
    assert lost == pairs.shape[1]


def test_negatives_follow_the_weights() -> None:
    data, pairs = spatial()
    weight = torch.zeros(60)
    weight[[5, 8]] = 1.0
    sampler = NegativeSampling("binary", 3, src_weight=weight, dst_weight=weight)
    given = EdgeSamplerInput(None, *torch.from_numpy(pairs[:, :9]))
    output = sampler_of(data).sample_from_edges(given, sampler)
    _, index, label, _ = output.metadata
    assert set(output.node[index[:, label == 0]].flatten().tolist()) == {5, 8}


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_do_not_change_what_is_drawn(persistent: bool) -> None:
    """Workers that stay see the next epoch too; torch shuffles otherwise for them."""
    data, pairs = spatial()

    def epochs(workers: int) -> list[tuple[list[int], list[int], list[list[int]]]]:
        torch.manual_seed(workers)
        sampler = sampler_of(data, pairs)
        loader = LinkLoader(
            data,
            sampler,
            torch.from_numpy(pairs),
            neg_sampling=NegativeSampling("binary", 1),
            batch_size=32,
            shuffle=not persistent,
            generator=torch.Generator().manual_seed(5),
            num_workers=workers,
            persistent_workers=persistent and workers > 0,
        )
        seen = []
        for sampler.epoch in range(2):
            seen += [
                (b.n_id.tolist(), b.e_id.tolist(), b.edge_label_index.tolist()) for b in loader
            ]
        return seen

    alone = epochs(0)
    assert epochs(2) == alone
    half = len(alone) // 2
    assert alone[:half] != alone[half:]


def test_another_epoch_or_seed_draws_others() -> None:
    data, _ = spatial()
    given = NodeSamplerInput(torch.arange(60), torch.arange(60))

    def edges(seed: int, epoch: int) -> list[int]:
        sampler = sampler_of(data, seed=seed)
        sampler.epoch = epoch
        before = torch.get_rng_state()
        edge = sampler.sample_from_nodes(given).edge
        assert torch.equal(before, torch.get_rng_state())
        return edge.tolist()

    assert edges(0, 0) == edges(0, 0)
    assert len({tuple(edges(seed, epoch)) for seed in range(2) for epoch in range(2)}) == 4


def test_a_node_draws_others_beside_other_seeds() -> None:
    sampler = NeighbourSampler(star(40), [5], SEED)
    beside = [torch.tensor([0, other]) for other in (1, 2, 3)]
    drawn = [sampler.sample_from_nodes(NodeSamplerInput(None, seeds)).edge for seeds in beside]
    assert len({tuple(sorted(edge.tolist())) for edge in drawn}) == 3


def test_what_the_sampler_does_not_know_is_refused() -> None:
    data, pairs = spatial()
    node = torch.arange(3)
    with pytest.raises(InputError, match="no times"):
        sampler_of(data).sample_from_nodes(NodeSamplerInput(node, node, time=node))
    with pytest.raises(InputError, match="pass input_id"):
        sampler_of(data, pairs).sample_from_edges(EdgeSamplerInput(None, node, node))


def star(leaves: int) -> Csr:
    """Edges from every leaf to node 0."""
    return Csr.of(np.stack([np.arange(1, leaves + 1), np.zeros(leaves, int)]), leaves + 1)


def assert_same(left: Sample, right: Sample) -> None:
    assert np.array_equal(left.graph.nodes, right.graph.nodes)
    assert np.array_equal(left.graph.edge_index, right.graph.edge_index)
    assert np.array_equal(left.graph.edge, right.graph.edge)
    assert np.array_equal(left.seeds, right.seeds)
    assert left.nodes_by_hop == right.nodes_by_hop
    assert left.edges_by_hop == right.edges_by_hop
