"""Halos and subgraphs of random walks, against PyG, a whole graph and every walk there is."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import GCN, GraphSAGE
from torch_geometric.utils import k_hop_subgraph

from retia.benchmarks.csr import Csr, Ints
from retia.benchmarks.sampling import RandomWalks, halo
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from tests.benchmarks.graphs import edge_lists, grid, undirected

SEED = Randomness.from_seed(0)
PATH = np.array([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])


@given(edge_lists(least=1), st.integers(0, 3), st.data())
def test_a_halo_is_the_k_hop_subgraph(
    graph: tuple[Ints, int], hops: int, data: st.DataObject
) -> None:
    edges, n = graph
    nodes = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4))
    part = halo(Csr.of(edges, n), np.array(nodes), hops)
    wanted, _, _, mask = k_hop_subgraph(nodes, hops, torch.from_numpy(edges), num_nodes=n)
    first = list(dict.fromkeys(nodes))
    assert part.nodes[: len(first)].tolist() == first
    assert sorted(part.nodes.tolist()) == wanted.tolist()
    assert sorted(part.edge.tolist()) == torch.nonzero(mask).flatten().tolist()
    assert np.array_equal(part.nodes[part.edge_index], edges[:, part.edge])


@pytest.mark.parametrize(("layers", "more"), [(GraphSAGE, 0), (GCN, 1)])
def test_a_model_gives_a_block_what_it_gives_it_on_the_whole_graph(
    layers: type[torch.nn.Module], more: int
) -> None:
    rng = np.random.default_rng(0)
    edges = undirected(rng.integers(0, 300, (2, 400)))
    block = np.arange(40)
    part = halo(Csr.of(edges, 300), block, 2 + more)
    assert len(part.nodes) < 300
    torch.manual_seed(0)
    model = layers(5, 8, num_layers=2).double().eval()
    x = torch.from_numpy(rng.standard_normal((300, 5)))
    whole = model(x, torch.from_numpy(edges))[:40]
    local = model(x[part.nodes], torch.from_numpy(part.edge_index))[:40]
    assert torch.allclose(whole, local, rtol=0, atol=1e-12)


def test_a_halo_of_no_nodes_is_empty() -> None:
    part = halo(Csr.of(PATH, 4), np.zeros(0, dtype=np.int64), 2)
    assert len(part.nodes) == 0
    assert part.edge_index.shape == (2, 0)


def test_walks_induce_connected_neighbourhoods_of_their_roots() -> None:
    graph = grid(20)
    walks = RandomWalks(graph, roots=10, length=4, randomness=SEED)
    part = walks.subgraph(7)
    assert 10 <= len(part.nodes) <= 50
    assert len(np.unique(part.nodes)) == len(part.nodes)
    inside = np.isin(np.arange(400), part.nodes)
    target = np.repeat(np.arange(400), np.diff(graph.start))
    both = inside[target] & inside[graph.source]
    assert sorted(part.edge.tolist()) == sorted(graph.edge[both].tolist())
    assert np.unique(part.edge_index[0]).size == len(part.nodes)


def test_a_subgraph_depends_on_its_number_and_the_seed_alone() -> None:
    graph = grid(20)
    walks = RandomWalks(graph, 5, 3, SEED)
    again, other = RandomWalks(graph, 5, 3, SEED), RandomWalks(graph, 5, 3, Randomness(b"other"))
    walks.subgraph(0)
    assert np.array_equal(walks.subgraph(3).nodes, again.subgraph(3).nodes)
    assert not np.array_equal(walks.subgraph(3).nodes, walks.subgraph(4).nodes)
    assert not np.array_equal(walks.subgraph(3).nodes, other.subgraph(3).nodes)


def test_weights_are_those_of_every_walk_there_is() -> None:
    """On a path of four nodes, two walks of two steps: 4 roots x 2 x 2 turns each, enumerated."""
    exact_node, exact_edge = np.zeros(4), np.zeros(6)
    for two in product(every_walk(2), repeat=2):
        inside = np.isin(np.arange(4), [node for _, walk in two for node in walk])
        chance = two[0][0] * two[1][0]
        exact_node += chance * inside
        exact_edge += chance * inside[PATH].all(axis=0)
    weights = RandomWalks(Csr.of(PATH, 4), 2, 2, SEED).weights(coverage=40_000)
    assert np.allclose(weights.node, 1 / (4 * exact_node), rtol=0.02)
    assert np.allclose(weights.edge, exact_node[PATH[1]] / exact_edge, rtol=0.02)


def test_weighted_subgraphs_are_unbiased() -> None:
    """Over subgraphs, sums over neighbours and the mean over nodes are those of the graph."""
    graph = grid(5)
    edges = edges_of(graph)
    walks = RandomWalks(graph, 3, 2, SEED)
    weights = walks.weights(coverage=4000)
    x = np.random.default_rng(0).standard_normal(25)
    wanted = np.bincount(edges[1], x[edges[0]], minlength=25)
    total, seen, losses = np.zeros(25), np.zeros(25), []
    for step in range(4000):
        part = walks.subgraph(step)
        message = weights.edge[part.edge] * x[edges[0, part.edge]]
        total += np.bincount(edges[1, part.edge], message, minlength=25)
        seen[part.nodes] += 1
        losses.append(weights.node[part.nodes] @ x[part.nodes])
    assert np.abs(total / seen - wanted).max() < 0.35
    error = np.std(losses) / np.sqrt(len(losses))
    assert abs(np.mean(losses) - x.mean()) < 4 * error


def test_a_walk_stays_at_an_isolated_node() -> None:
    walks = RandomWalks(Csr.of(np.zeros((2, 0), dtype=np.int64), 1), 3, 2, SEED)
    assert walks.subgraph(0).nodes.tolist() == [0]
    assert walks.weights(2).node.tolist() == [1.0]


def test_walks_need_a_node() -> None:
    with pytest.raises(InputError, match="without nodes"):
        RandomWalks(Csr.of(np.zeros((2, 0), dtype=np.int64), 0), 3, 2, SEED)


def every_walk(length: int) -> list[tuple[float, list[int]]]:
    """All walks on the path with their chances."""
    walks = [(0.25, [root]) for root in range(4)]
    for _ in range(length):
        longer = []
        for chance, walk in walks:
            sources = PATH[0, PATH[1] == walk[-1]].tolist()
            longer += [(chance / len(sources), [*walk, node]) for node in sources]
        walks = longer
    return walks


def edges_of(graph: Csr) -> Ints:
    """The edge list that the graph was made of."""
    edges = np.empty((2, graph.num_edges), dtype=np.int64)
    edges[0, graph.edge] = graph.source
    edges[1, graph.edge] = np.repeat(np.arange(graph.num_nodes), np.diff(graph.start))
    return edges
