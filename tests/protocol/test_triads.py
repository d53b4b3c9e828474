import importlib
import sys
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from retia.protocol.triad_classes import ROLES
from retia.protocol.triads import (
    CONNECTED,
    EDGE_ORBITS,
    ORBITS,
    TRIADS,
    adjacency,
    edge_orbits,
    node_orbits,
    noninduced_counts,
    triad_census,
)
from retia.shards.errors import InputError, MissingExtraError
from tests.digraphs import Matrix, as_igraph, as_networkx, digraphs, varshney


def role(graph: Matrix, node: int) -> str:
    into, out = graph[:, node], graph[node]
    return ROLES[(into & ~out).sum(), (out & ~into).sum(), (into & out).sum()]


def triads_of(graph: Matrix) -> list[tuple[tuple[int, ...], str, Matrix]]:
    """Every connected triad, one triple after the other: its nodes, class and adjacency."""
    found = []
    for nodes in combinations(range(len(graph)), 3):
        part = graph[np.ix_(nodes, nodes)]
        name = nx.triads.triad_type(as_networkx(part))
        if name in CONNECTED:
            found.append((nodes, name, part))
    return found


def all_triads() -> list[Matrix]:
    """The 64 graphs of three nodes."""
    places = np.flatnonzero(~np.eye(3, dtype=bool))
    graphs = []
    for arcs in product([False, True], repeat=6):
        graph = np.zeros(9, dtype=bool)
        graph[places] = arcs
        graphs.append(graph.reshape(3, 3))
    return graphs


@settings(max_examples=100, deadline=None)
@given(digraphs(max_nodes=20))
def test_the_census_is_that_of_networkx_and_igraph(graph: Matrix) -> None:
    census = triad_census(csr_array(graph))
    assert dict(zip(TRIADS, census.tolist(), strict=True)) == nx.triadic_census(as_networkx(graph))
    if len(graph) >= 3:
        assert census.tolist() == list(as_igraph(graph).triad_census())


def test_the_64_graphs_of_three_nodes_have_their_class_and_roles() -> None:
    for graph in all_triads():
        name = nx.triads.triad_type(as_networkx(graph))
        assert TRIADS[triad_census(csr_array(graph)).argmax()] == name
        counts = node_orbits(csr_array(graph))
        if name in CONNECTED:
            assert (counts.sum(axis=1) == 1).all()
            found = [ORBITS[orbit] for orbit in counts.argmax(axis=1)]
            assert found == [f"{name}:{role(graph, node)}" for node in range(3)]
        else:
            assert not counts.any()


@pytest.mark.parametrize("name", CONNECTED)
def test_places_share_an_orbit_where_an_automorphism_maps_them(name: str) -> None:
    triad = nx.triad_graph(name)
    labels = list(triad)
    maps = list(nx.isomorphism.DiGraphMatcher(triad, triad).isomorphisms_iter())
    graph = csr_array(nx.to_numpy_array(triad) > 0)
    arcs = [(labels[i], labels[j]) for i, j in zip(*graph.nonzero(), strict=True)]
    node_place = dict(zip(labels, node_orbits(graph).argmax(axis=1), strict=True))
    arc_place = dict(zip(arcs, edge_orbits(graph).argmax(axis=1), strict=True))
    for one, other in product(labels, repeat=2):
        mapped = any(m[one] == other for m in maps)
        assert (node_place[one] == node_place[other]) == mapped
    for one, other in product(arcs, repeat=2):
        mapped = any((m[one[0]], m[one[1]]) == other for m in maps)
        assert (arc_place[one] == arc_place[other]) == mapped


@settings(max_examples=40, deadline=None)
@given(digraphs(max_nodes=10))
def test_orbits_of_nodes_are_those_of_every_triple(graph: Matrix) -> None:
    wanted = np.zeros((len(graph), len(ORBITS)), dtype=np.int64)
    for nodes, name, part in triads_of(graph):
        for place, node in enumerate(nodes):
            wanted[node, ORBITS.index(f"{name}:{role(part, place)}")] += 1
    assert np.array_equal(node_orbits(csr_array(graph)), wanted)


@settings(max_examples=40, deadline=None)
@given(digraphs(max_nodes=10))
def test_orbits_of_edges_are_those_of_every_triple(graph: Matrix) -> None:
    row = {pair: i for i, pair in enumerate(zip(*np.nonzero(graph), strict=True))}
    wanted = np.zeros((len(row), len(EDGE_ORBITS)), dtype=np.int64)
    for nodes, name, part in triads_of(graph):
        for i, j in np.argwhere(part):
            orbit = f"{name}:{role(part, i)}->{role(part, j)}"
            wanted[row[nodes[i], nodes[j]], EDGE_ORBITS.index(orbit)] += 1
    assert np.array_equal(edge_orbits(csr_array(graph)), wanted)


@settings(max_examples=40, deadline=None)
@given(digraphs(max_nodes=30))
def test_a_triad_counts_once_for_each_node_and_edge(graph: Matrix) -> None:
    census = dict(zip(TRIADS, triad_census(csr_array(graph)).tolist(), strict=True))
    arcs = {name: nx.triad_graph(name).size() for name in CONNECTED}
    for orbits, counts, parts in (
        (ORBITS, node_orbits(csr_array(graph)), dict.fromkeys(CONNECTED, 3)),
        (EDGE_ORBITS, edge_orbits(csr_array(graph)), arcs),
    ):
        total: Counter[str] = Counter()
        for orbit, count in zip(orbits, counts.sum(axis=0).tolist(), strict=True):
            total[orbit.split(":")[0]] += count
        assert total == {name: parts[name] * census[name] for name in CONNECTED}


@settings(max_examples=30, deadline=None)
@given(digraphs(max_nodes=30), st.integers(0, 1000))
def test_numbering_nodes_anew_changes_nothing_else(graph: Matrix, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(graph))
    there, here = csr_array(graph[np.ix_(order, order)]), csr_array(graph)
    assert np.array_equal(triad_census(there), triad_census(here))
    assert np.array_equal(node_orbits(there), node_orbits(here)[order])


@settings(max_examples=20, deadline=None)
@given(digraphs(max_nodes=8))
def test_subgraphs_that_are_not_induced_are_monomorphisms(graph: Matrix) -> None:
    counts = noninduced_counts(triad_census(csr_array(graph)))
    whole = as_networkx(graph)
    for name, count in zip(CONNECTED, counts.tolist(), strict=True):
        triad = nx.triad_graph(name)
        found = nx.isomorphism.DiGraphMatcher(whole, triad).subgraph_monomorphisms_iter()
        same = nx.isomorphism.DiGraphMatcher(triad, triad).isomorphisms_iter()
        assert count == sum(1 for _ in found) / sum(1 for _ in same)


def test_censuses_become_subgraph_counts_many_at_a_time() -> None:
    graphs = [np.random.default_rng(seed).random((9, 9)) < 0.4 for seed in range(3)]
    censuses = np.stack([triad_census(csr_array(g & ~np.eye(9, dtype=bool))) for g in graphs])
    assert np.array_equal(noninduced_counts(censuses)[2], noninduced_counts(censuses[2]))


def test_the_worm_has_the_published_feed_forward_loops(data: Path) -> None:
    graph = varshney(data)
    census = triad_census(graph)
    assert (graph.shape, graph.nnz) == ((279, 279), 2194)
    assert census[TRIADS.index("030T")] == 1453
    assert noninduced_counts(census)[CONNECTED.index("030T")] == 4320
    assert census.tolist() == list(as_igraph(graph).triad_census())


def test_pairs_become_an_adjacency_without_loops_and_duplicates() -> None:
    graph = adjacency(np.array([[2, 0], [0, 1], [1, 1], [0, 1]]), 4)
    assert graph.toarray().astype(int).tolist() == [[0, 1, 0, 0], [0] * 4, [1, 0, 0, 0], [0] * 4]
    assert node_orbits(graph)[0, ORBITS.index("021C:relay")] == 1
    assert not triad_census(adjacency(np.empty((0, 2), dtype=np.int64), 0)).any()


def test_weights_stored_zeros_and_unsorted_rows_do_not_matter() -> None:
    rows, columns = np.array([0, 0, 0, 1, 2]), np.array([2, 1, 2, 2, 0])
    weights = np.array([0.5, -3.0, 0.5, 2.0, 0.0])
    graph = csr_array((weights, columns, np.array([0, 3, 4, 5])), shape=(3, 3))
    assert not graph.has_canonical_format
    plain = adjacency(np.stack([rows, columns], axis=1)[weights != 0], 3)
    assert np.array_equal(edge_orbits(graph), edge_orbits(plain))
    assert TRIADS[triad_census(graph).argmax()] == "030T"
    assert graph.nnz == 5


@pytest.mark.parametrize(
    ("graph", "message"),
    [(np.ones((2, 3)), "has to be square"), (np.eye(3), "3 self-loops")],
)
def test_what_cannot_be_counted_is_refused(graph: Matrix, message: str) -> None:
    with pytest.raises(InputError, match=message):
        triad_census(csr_array(graph))


def test_too_many_triples_for_an_int64_are_refused() -> None:
    with pytest.raises(InputError, match="4,000,000 nodes"):
        triad_census(adjacency(np.array([[0, 1]]), 4_000_000))


def test_every_orbit_has_a_name_of_its_own() -> None:
    assert len(ORBITS) == len(set(ORBITS)) == 30
    assert len(EDGE_ORBITS) == len(set(EDGE_ORBITS)) == 30


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "retia.protocol.triads")
    with pytest.raises(MissingExtraError, match=r"numba is not installed.*retia\[build\]"):
        importlib.import_module("retia.protocol.triads")
