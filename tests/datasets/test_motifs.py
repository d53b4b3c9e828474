from collections import Counter
from itertools import combinations, permutations
from pathlib import Path

import igraph
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from retia.datasets.connectome.motifs.coloured import coloured_triads
from retia.datasets.connectome.motifs.four_nodes import ISOCLASSES, SHAPES, four_node_counts
from retia.datasets.connectome.motifs.reciprocity import reciprocity
from retia.datasets.connectome.motifs.rich_club import rich_club
from retia.datasets.connectome.motifs.thresholds import at_least, counts_by_threshold
from retia.protocol.triad_classes import SHAPES as TRIAD_SHAPES
from retia.protocol.triads import CONNECTED, TRIADS, triad_census
from retia.shards.errors import InputError
from tests.digraphs import Matrix, as_igraph, as_networkx, digraphs, varshney


def of_four(graph: Matrix | csr_array) -> list[int]:
    counts = np.array(as_igraph(graph).motifs_randesu(size=4))
    assert np.flatnonzero(~np.isnan(counts)).tolist() == ISOCLASSES.tolist()
    return counts[ISOCLASSES].astype(int).tolist()


@settings(max_examples=60, deadline=None)
@given(digraphs(max_nodes=16).filter(len))
def test_motifs_of_four_nodes_are_those_of_igraph(graph: Matrix) -> None:
    assert four_node_counts(csr_array(graph)).tolist() == of_four(graph)


def test_motifs_of_four_neurons_of_the_worm_are_those_of_igraph(data: Path) -> None:
    graph = varshney(data)
    assert four_node_counts(graph).tolist() == of_four(graph)


def test_a_motif_of_four_nodes_can_be_looked_up_in_igraph() -> None:
    assert len(ISOCLASSES) == 199
    for number, shape in zip(ISOCLASSES.tolist(), SHAPES, strict=True):
        arcs = [("abcd".index(tail), "abcd".index(head)) for tail, head in shape.split()]
        listed = igraph.Graph.Isoclass(n=4, cls=number, directed=True)
        assert arcs == sorted(listed.get_edgelist())


def test_too_many_sets_of_four_are_refused() -> None:
    star = np.zeros((9, 9), dtype=bool)
    star[0, 1:] = True
    assert four_node_counts(csr_array(star), limit=56).sum() == 56
    with pytest.raises(InputError, match="more than 55 connected sets"):
        four_node_counts(csr_array(star), limit=55)


def by_brute_force(graph: Matrix, colours: list[str]) -> Counter[tuple[str, ...]]:
    """Every triple, laid on the shape of its class in every way; the first in the alphabet."""
    shapes = {
        name: {("abc".index(tail), "abc".index(head)) for tail, head in shape.split()}
        for name, shape in TRIAD_SHAPES.items()
    }
    found: Counter[tuple[str, ...]] = Counter()
    for nodes in combinations(range(len(graph)), 3):
        for name in CONNECTED:
            ways = [
                tuple(colours[node] for node in order)
                for order in permutations(nodes)
                if set(zip(*np.nonzero(graph[np.ix_(order, order)]), strict=True)) == shapes[name]
            ]
            if ways:
                found[name, *min(ways)] += 1
    return found


@settings(max_examples=40, deadline=None)
@given(digraphs(max_nodes=9), st.data())
def test_coloured_triads_are_those_of_every_triple(graph: Matrix, draw: st.DataObject) -> None:
    size = len(graph)
    names = st.sampled_from(["", "sensory", "inter", "motor"])
    colours = draw.draw(st.lists(names, min_size=size, max_size=size))
    table = coloured_triads(csr_array(graph), np.array(colours, dtype=np.str_))
    *keys, count = (column.to_pylist() for column in table.columns)
    assert table.column_names == ["triad", "a", "b", "c", "count"]
    wanted = by_brute_force(graph, colours)
    assert dict(zip(zip(*keys, strict=True), count, strict=True)) == wanted
    assert len(count) == len(wanted)


def test_coloured_triads_add_up_to_the_census(data: Path) -> None:
    graph = varshney(data)
    colours = np.random.default_rng(0).choice(["", "s", "i", "m"], size=graph.shape[0])
    table = coloured_triads(graph, colours).group_by("triad").aggregate([("count", "sum")])
    total = dict(zip(table["triad"].to_pylist(), table["count_sum"].to_pylist(), strict=True))
    census = dict(zip(TRIADS, triad_census(graph).tolist(), strict=True))
    assert total == {name: census[name] for name in CONNECTED}


@pytest.mark.parametrize(
    ("colours", "message"),
    [(["red"] * 99, "99 colours for 100 nodes"), ([str(i) for i in range(100)], "at most 64")],
)
def test_unusable_colours_are_refused(colours: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        coloured_triads(csr_array((100, 100)), np.array(colours))


@settings(max_examples=30, deadline=None)
@given(digraphs(max_nodes=15), st.integers(0, 1000))
def test_a_threshold_keeps_the_edges_of_at_least_its_weight(graph: Matrix, seed: int) -> None:
    weights = graph * np.random.default_rng(seed).integers(1, 5, size=graph.shape)
    table = counts_by_threshold(csr_array(weights), [1, 2.5, 4])
    assert table.num_rows == 3 * len(TRIADS)
    for threshold in (1, 2.5, 4):
        rows = [row for row in table.to_pylist() if row["threshold"] == threshold]
        strong = weights >= threshold
        assert {row["edges"] for row in rows} == {strong.sum()}
        census = nx.triadic_census(as_networkx(strong))
        assert {row["motif"]: row["count"] for row in rows} == census


def test_any_count_can_be_taken_above_thresholds() -> None:
    weights = csr_array(np.array([[0, 1, 2], [3, 0, 0], [0, 4, 0]]))
    table = counts_by_threshold(
        weights, [1, 2], ["mutual pairs"], lambda graph: np.array([(graph * graph.T).nnz // 2])
    )
    assert table.to_pydict() == {
        "threshold": [1.0, 2.0],
        "edges": [4, 3],
        "motif": ["mutual pairs"] * 2,
        "count": [1, 0],
    }


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_has_to_be_a_positive_number(threshold: float) -> None:
    with pytest.raises(InputError, match="positive number"):
        counts_by_threshold(csr_array((3, 3)), [threshold])


@settings(max_examples=40, deadline=None)
@given(digraphs(max_nodes=15).filter(np.any))
def test_reciprocity_is_that_of_networkx_and_igraph(graph: Matrix) -> None:
    found = reciprocity(csr_array(graph))
    assert found == pytest.approx(nx.overall_reciprocity(as_networkx(graph)))
    assert found == pytest.approx(as_igraph(graph).reciprocity())


def test_a_graph_without_edges_has_no_reciprocity() -> None:
    assert np.isnan(reciprocity(csr_array((4, 4))))


@settings(max_examples=60, deadline=None)
@given(digraphs(max_nodes=15))
def test_the_undirected_rich_club_is_that_of_networkx(graph: Matrix) -> None:
    phi = rich_club(csr_array(graph), directed=False).phi
    whole = as_networkx(graph).to_undirected()
    wanted = nx.rich_club_coefficient(whole, normalized=False) if len(whole) > 1 else {}
    assert dict(enumerate(phi.tolist())) == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(digraphs(max_nodes=15))
def test_the_directed_rich_club_is_the_density_among_the_rich(graph: Matrix) -> None:
    club = rich_club(csr_array(graph))
    degree = graph.sum(axis=0) + graph.sum(axis=1)
    for k, (nodes, edges, phi) in enumerate(zip(club.nodes, club.edges, club.phi, strict=True)):
        rich = as_networkx(graph[np.ix_(degree > k, degree > k)])
        assert (len(rich), rich.size(), nx.density(rich)) == (nodes, edges, pytest.approx(phi))
    assert (degree > len(club.nodes)).sum() < 2


def test_strong_edges_become_an_adjacency() -> None:
    weights = csr_array(np.array([[0, 4, 2], [5, 0, 0], [0, 6, 0]]))
    assert np.argwhere(at_least(weights, 5).toarray()).tolist() == [[1, 0], [2, 1]]
