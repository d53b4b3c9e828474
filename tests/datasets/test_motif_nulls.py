import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from retia.datasets.connectome.motifs.nulls import NULLS, Draw, length_classes
from retia.datasets.connectome.motifs.wiring import Wiring
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError


@st.composite
def wirings(draw: st.DrawFn) -> Wiring:
    """Dense and sparse graphs of up to 12 nodes on an integer grid, weights of 1 to 3."""
    num_nodes = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    adjacency = rng.random((num_nodes, num_nodes)) < draw(st.sampled_from([0.1, 0.3, 0.7, 1.0]))
    pairs = np.argwhere(adjacency)
    weight = rng.integers(1, 4, size=len(pairs)).astype(float)
    position = rng.integers(0, 9, size=(num_nodes, 3)).astype(float)
    return Wiring.of(num_nodes, pairs, weight, position, draw(st.sampled_from([1.0, 2.0])))


def sample(wiring: Wiring, null: str, seed: int = 0, swaps: int = 10) -> Draw:
    rng = Randomness.from_seed(seed).stream("null", null)
    return NULLS[null].draw(wiring, swaps * len(wiring.strong), rng)


def matrix(wiring: Wiring, pairs: np.ndarray) -> np.ndarray:
    """The dense adjacency; an edge that stands twice would be a 2."""
    adjacency = np.zeros((wiring.num_nodes, wiring.num_nodes), dtype=int)
    np.add.at(adjacency, tuple(pairs.T), 1)
    return adjacency


@settings(max_examples=60, deadline=None)
@given(wirings(), st.sampled_from(sorted(NULLS)))
def test_a_draw_is_a_graph_with_as_many_edges(wiring: Wiring, null: str) -> None:
    made = matrix(wiring, sample(wiring, null).pairs)
    assert made.sum() == len(wiring.strong)
    assert made.max(initial=0) <= 1
    assert not made.diagonal().any()


@settings(max_examples=60, deadline=None)
@given(wirings(), st.sampled_from(["degree", "mutual"]))
def test_chains_keep_in_and_out_degrees(wiring: Wiring, null: str) -> None:
    before = matrix(wiring, wiring.strong)
    draw = sample(wiring, null)
    assert draw.halfway is not None
    for pairs in (draw.halfway, draw.pairs):
        after = matrix(wiring, pairs)
        for axis in (0, 1):
            np.testing.assert_array_equal(after.sum(axis), before.sum(axis))


@settings(max_examples=60, deadline=None)
@given(wirings())
def test_mutual_keeps_the_mutual_partners_of_each_node(wiring: Wiring) -> None:
    before, after = (
        matrix(wiring, pairs) for pairs in (wiring.strong, sample(wiring, "mutual").pairs)
    )
    np.testing.assert_array_equal((after & after.T).sum(0), (before & before.T).sum(0))


@settings(max_examples=60, deadline=None)
@given(wirings())
def test_spatial_keeps_the_number_of_edges_of_each_length(wiring: Wiring) -> None:
    assert wiring.position is not None
    bounds, counts = length_classes(wiring.position, wiring.strong)
    made = sample(wiring, "spatial").pairs
    length = np.linalg.norm(wiring.position[made[:, 0]] - wiring.position[made[:, 1]], axis=1)
    up_to = [(length <= bound).sum() for bound in bounds]
    np.testing.assert_array_equal(up_to, np.cumsum(counts))


@settings(max_examples=60, deadline=None)
@given(wirings())
def test_shuffled_weights_choose_among_the_edges_that_are_there(wiring: Wiring) -> None:
    made = sample(wiring, "weights").pairs
    assert set(map(tuple, made)) <= set(map(tuple, wiring.pairs))


ALL = (np.arange(1 << 20)[:, None] >> np.arange(20) & 1).astype(np.int8)
"""Every graph of five nodes, as the 20 places off the diagonal."""


def all_graphs(num_nodes: int) -> np.ndarray:
    places = num_nodes * (num_nodes - 1)
    graphs = np.zeros((1 << places, num_nodes, num_nodes), dtype=np.int8)
    graphs[:, ~np.eye(num_nodes, dtype=bool)] = ALL[: 1 << places, :places]
    return graphs


def kept(graphs: np.ndarray, null: str) -> np.ndarray:
    """What a chain keeps, a row a graph."""
    mutual = graphs & graphs.swapaxes(-1, -2) if null == "mutual" else graphs
    parts = [graphs.sum(-1), graphs.sum(-2), mutual.sum(-1)]
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize(
    ("null", "num_nodes", "edges", "number"),
    [
        ("degree", 4, "01 12 20 03 31", 7),
        ("degree", 3, "01 12 20", 2),
        ("mutual", 5, "01 10 23 32 02 13 34 40", 12),
    ],
)
def test_every_graph_with_the_same_degrees_is_as_likely(
    null: str, num_nodes: int, edges: str, number: int
) -> None:
    pairs = np.array([[int(a), int(b)] for a, b in edges.split()])
    wiring = Wiring.of(num_nodes, pairs)
    graphs = all_graphs(num_nodes)
    same = (kept(graphs, null) == kept(matrix(wiring, pairs), null)).all(axis=1)
    assert same.sum() == number
    place = {graph.tobytes(): row for row, graph in enumerate(graphs[same])}
    counts = np.zeros(number)
    for seed in range(300 * number):
        drawn = matrix(wiring, sample(wiring, null, seed, swaps=100).pairs).astype(np.int8)
        counts[place[drawn.tobytes()]] += 1
    assert chisquare(counts).pvalue > 0.01, counts


def test_every_set_of_pairs_of_the_same_lengths_is_as_likely() -> None:
    """Three nodes on a line: the two edges of length 1 are any two of four."""
    wiring = Wiring.of(3, np.array([[0, 1], [1, 2]]), position=np.arange(3.0)[:, None])
    drawn = [sample(wiring, "spatial", seed).pairs for seed in range(1800)]
    _, counts = np.unique(
        [matrix(wiring, pairs).ravel() for pairs in drawn], axis=0, return_counts=True
    )
    assert len(counts) == 6
    assert chisquare(counts).pvalue > 0.01


def test_an_index_that_fills_and_empties_loses_no_edge() -> None:
    """Many exchanges on a graph of some size: the counts of each node stay to the end."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((150, 150)) < 0.1)
    wiring = Wiring.of(150, pairs)
    for null in ("degree", "mutual"):
        before, draw = matrix(wiring, wiring.strong), sample(wiring, null, swaps=100)
        after = matrix(wiring, draw.pairs)
        assert draw.accepted > 50 * len(wiring.strong)
        np.testing.assert_array_equal(kept(after, null), kept(before, null))
        assert after.max() == 1


@pytest.mark.parametrize("null", sorted(NULLS))
def test_a_graph_without_edges_stays_so(null: str) -> None:
    nothing = Wiring.of(3, np.empty((0, 2), dtype=int), np.empty(0), np.zeros((3, 2)), 1.0)
    assert sample(nothing, null).pairs.shape == (0, 2)


@pytest.mark.parametrize(("null", "needs"), [("weights", "least weight"), ("spatial", "positions")])
def test_a_null_says_what_it_lacks(null: str, needs: str) -> None:
    with pytest.raises(InputError, match=needs):
        sample(Wiring.of(2, np.array([[0, 1]])), null)


def test_a_wiring_refuses_an_edge_that_stands_twice() -> None:
    with pytest.raises(InputError, match="stands twice"):
        Wiring.of(2, np.array([[0, 1], [0, 1]]))
