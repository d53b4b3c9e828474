"""Cleaning, line graph, Morton order, generator: each against an independent oracle."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.morton import morton_codes
from retia.datasets.vessel import synthetic
from retia.datasets.vessel.cleaning import clean, merge_parallel
from retia.datasets.vessel.graph import MEASURES, VesselGraph, scale
from retia.datasets.vessel.line_graph import line_graph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

NODES = 6
PAIRS = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), min_size=1, max_size=25
)


def graph(pairs: list[tuple[int, int]], **measures: list[float]) -> VesselGraph:
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    rng = np.random.default_rng(len(pairs))
    values = {name: rng.uniform(1, 9, len(ends)) for name in MEASURES}
    values |= {name: np.array(value, dtype=float) for name, value in measures.items()}
    return VesselGraph(np.arange(NODES), rng.random((NODES, 3)), np.arange(len(ends)), ends, values)


def test_parallel_edges_merge_by_their_ends_in_any_order() -> None:
    merged = merge_parallel(
        graph(
            [(5, 3), (5, 2), (3, 5)],
            length=[2.0, 7.0, 4.0],
            volume=[1.0, 5.0, 2.0],
            minRadiusAvg=[3.0, 1.0, 4.0],
        )
    )
    assert merged.ends.tolist() == [[2, 5], [3, 5]]
    assert merged.edge_id.tolist() == [1, 0]
    assert merged.measures["length"].tolist() == [7.0, 3.0]
    assert merged.measures["volume"].tolist() == [5.0, 3.0]
    assert merged.measures["minRadiusAvg"].tolist() == [1.0, 5.0]


def test_self_loops_go_and_invalid_values_become_missing() -> None:
    cleaned, report = clean(
        graph(
            [(0, 0), (0, 1), (1, 2), (2, 1)],
            curveness=[np.inf, 1.0, 1.0, np.inf],
            minRadiusAvg=[2.0, -1.0, 2.0, -1.0],
        )
    )
    assert cleaned.ends.tolist() == [[0, 1], [1, 2]]
    np.testing.assert_array_equal(cleaned.measures["minRadiusAvg"], [np.nan, 2.0])
    np.testing.assert_array_equal(cleaned.measures["curveness"], [1.0, 1.0])
    assert report == {
        "raw_nodes": 6,
        "raw_edges": 4,
        "self_loops_dropped": 1,
        "invalid_values_removed": 3,
        "parallel_edges_merged": 1,
        "distances_contradicted": 4,
        "isolated_nodes_kept": 3,
        "edges": 2,
    }


def merged_by_hand(vessels: VesselGraph) -> dict[tuple[int, int], dict[str, float]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for edge, (a, b) in enumerate(vessels.ends.tolist()):
        groups.setdefault((min(a, b), max(a, b)), []).append(edge)
    return {
        pair: {
            "length": float(np.mean(vessels.measures["length"][edges])),
            "num_voxels": float(np.sum(vessels.measures["num_voxels"][edges])),
            "avgRadiusAvg": float(np.sqrt(np.sum(vessels.measures["avgRadiusAvg"][edges] ** 2))),
        }
        for pair, edges in groups.items()
    }


@given(PAIRS)
def test_merging_equals_merging_by_hand(pairs: list[tuple[int, int]]) -> None:
    vessels = graph(pairs)
    merged = merge_parallel(vessels)
    wanted = merged_by_hand(vessels)
    assert [tuple(pair) for pair in merged.ends.tolist()] == sorted(wanted)
    for name in ("length", "num_voxels", "avgRadiusAvg"):
        values = [wanted[pair][name] for pair in sorted(wanted)]
        np.testing.assert_allclose(merged.measures[name], values)


@given(PAIRS, st.randoms(use_true_random=False))
def test_cleaning_does_not_depend_on_the_order_of_rows(pairs, random) -> None:
    vessels = graph(pairs)
    order = list(range(len(pairs)))
    random.shuffle(order)
    measures = {name: values[order] for name, values in vessels.measures.items()}
    shuffled = VesselGraph(
        vessels.node_id, vessels.position, vessels.edge_id[order], vessels.ends[order], measures
    )
    (one, first), (two, second) = clean(vessels), clean(shuffled)
    assert first == second
    np.testing.assert_array_equal(one.edge_id, two.edge_id)
    np.testing.assert_array_equal(one.ends, two.ends)
    np.testing.assert_array_equal(one.measures["length"], two.measures["length"])


@given(PAIRS)
def test_cleaning_twice_changes_nothing(pairs: list[tuple[int, int]]) -> None:
    once, _ = clean(graph(pairs))
    twice, report = clean(once)
    np.testing.assert_array_equal(once.ends, twice.ends)
    np.testing.assert_allclose(once.measures["volume"], twice.measures["volume"])
    assert report["self_loops_dropped"] == report["parallel_edges_merged"] == 0


def test_voxels_become_micrometres() -> None:
    before = graph([(0, 1)], length=[2], volume=[2], avgCrossSection=[2], curveness=[2])
    after = scale(before, 3.0)
    found = {name: float(values[0]) for name, values in after.measures.items()}
    assert (found["length"], found["avgCrossSection"], found["volume"]) == (6, 18, 54)
    assert found["curveness"] == 2
    np.testing.assert_allclose(after.position, before.position * 3)


def random_graph(seed: int, num_nodes: int, num_edges: int) -> np.ndarray:
    edges = nx.gnm_random_graph(num_nodes, num_edges, seed=seed).edges
    pairs = np.array(sorted(map(sorted, edges)), dtype=np.int64).reshape(-1, 2)
    return np.random.default_rng(seed).permutation(pairs)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 12), st.integers(0, 40))
def test_line_graph_equals_networkx(seed: int, num_nodes: int, num_edges: int) -> None:
    ends = random_graph(seed, num_nodes, num_edges)
    number = {tuple(pair): i for i, pair in enumerate(ends.tolist())}
    oracle = nx.line_graph(nx.Graph(ends.tolist()))
    wanted = {
        tuple(sorted((number[tuple(sorted(a))], number[tuple(sorted(b))]))) for a, b in oracle.edges
    }
    found = line_graph(ends, num_nodes)
    assert [tuple(pair) for pair in found.tolist()] == sorted(wanted)


def test_line_graph_equals_pyg() -> None:
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torch_geometric.transforms")
    pyg_data = pytest.importorskip("torch_geometric.data")
    ends = random_graph(5, 40, 70)
    ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
    both = np.concatenate([ends, ends[:, ::-1]])
    graph_ = pyg_data.Data(edge_index=torch.tensor(both.T), num_nodes=40)
    joined = transforms.LineGraph()(graph_).edge_index.numpy().T
    wanted = np.unique(joined[joined[:, 0] < joined[:, 1]], axis=0)
    np.testing.assert_array_equal(line_graph(ends, 40), wanted)


def test_hub_joins_all_its_vessels() -> None:
    star = np.column_stack([np.zeros(300, dtype=np.int64), np.arange(1, 301)])
    assert len(line_graph(star, 301)) == 300 * 299 // 2


def code_by_bits(cell: tuple[int, int, int]) -> int:
    places = itertools.product(range(21), range(3))
    return sum(((cell[axis] >> bit) & 1) << (3 * bit + axis) for bit, axis in places)


@given(st.lists(st.tuples(*[st.integers(0, 2**21 - 1)] * 3), min_size=1, max_size=20))
def test_morton_codes_interleave_bits(cells: list[tuple[int, int, int]]) -> None:
    corners = [(0, 0, 0), (2**21 - 1,) * 3]
    positions = np.array([*cells, *corners], dtype=float) + 0.5
    positions[-2], positions[-1] = 0.0, 2.0**21
    assert morton_codes(positions)[:-2].tolist() == [code_by_bits(cell) for cell in cells]


def test_morton_order_of_one_place_is_that_of_the_ties() -> None:
    assert morton_codes(np.ones((3, 3))).tolist() == [0, 0, 0]


@pytest.fixture(scope="module")
def network() -> tuple[nx.Graph, dict[str, np.ndarray]]:
    _, edges = synthetic.generate_vessels(3000, Randomness.from_seed(1))
    columns = {name: edges[name].to_numpy() for name in edges.column_names}
    return nx.Graph(zip(columns["node1id"], columns["node2id"], strict=True)), columns


def test_generated_network_is_connected_and_of_mean_degree_three(network) -> None:
    vessels, columns = network
    assert nx.is_connected(vessels)
    assert vessels.number_of_nodes() == 3000
    assert vessels.number_of_edges() == len(columns["id"]) == 4500
    assert max(dict(vessels.degree).values()) <= 8


def test_generated_measures_agree_with_each_other(network) -> None:
    _, columns = network
    assert (columns["curveness"] >= 1).all()
    np.testing.assert_allclose(
        columns["length"], columns["distance"] * columns["curveness"], rtol=1e-5
    )
    np.testing.assert_allclose(
        columns["roundnessAvg"], columns["minRadiusAvg"] / columns["maxRadiusAvg"], rtol=1e-5
    )
    assert columns["avgRadiusAvg"].max() > 15 > 4 > np.median(columns["avgRadiusAvg"])


def test_same_seed_same_network() -> None:
    one, two, other = (
        [synthetic.as_csv(t) for t in synthetic.generate_vessels(80, Randomness.from_seed(seed))]
        for seed in (1, 1, 2)
    )
    assert one == two
    assert one != other


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(0, 1000))
def test_leaves_behind_a_node_equal_networkx(num_nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent = np.array([-9999, *(int(rng.integers(i)) for i in range(1, num_nodes))])
    tree = nx.DiGraph([(int(parent[i]), i) for i in range(1, num_nodes)])
    order = np.array([0, *(b for _, b in nx.bfs_edges(tree, 0))])
    leaves = {node for node in tree if tree.out_degree(node) == 0}
    wanted = [len((nx.descendants(tree, i) | {i}) & leaves) for i in range(num_nodes)]
    assert synthetic._leaves_behind(order, parent, 0).tolist() == wanted


def test_separate_parts_are_bridged() -> None:
    rng = np.random.default_rng(0)
    position = np.concatenate([rng.random((60, 3)), rng.random((30, 3)) + 100])
    joined = nx.Graph(synthetic._connect(position).tolist())
    assert nx.is_connected(joined)
    assert len(joined) == 90


def test_too_few_nodes_are_refused() -> None:
    with pytest.raises(InputError, match="50 or more"):
        synthetic.generate_vessels(3, Randomness.from_seed(0))
