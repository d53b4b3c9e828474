"""Cleaning, line graph, Morton order: each against an independent oracle."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.vessel.cleaning import clean, merge_parallel
from retia.datasets.vessel.graph import MEASURES, VesselGraph, scale
from retia.datasets.vessel.line_graph import line_graph
from retia.protocol.morton import morton_codes

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


def test_points_of_a_plane_have_the_codes_of_points_of_space() -> None:
    plane = np.random.default_rng(0).random((50, 2))
    space = np.pad(plane, ((0, 0), (0, 1)))
    assert np.array_equal(morton_codes(plane), morton_codes(space))


def test_morton_order_of_one_place_is_that_of_the_ties() -> None:
    assert morton_codes(np.ones((3, 3))).tolist() == [0, 0, 0]
