"""The generator: growth, anastomoses, radii, shape, tables; each against an independent oracle."""

import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow.csv as csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline
from scipy.stats import mannwhitneyu

from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.generator import anastomoses, growth, points, radii, shape
from retia.datasets.vessel.generator.oracle import continuation_scores
from retia.datasets.vessel.readers.voreen import VesselGraph, read_voreen
from retia.datasets.vessel.synthetic import (
    DIRT,
    GeneratedVessels,
    as_csv,
    generate_vessels,
    write_csv,
    write_synthetic,
)
from retia.protocol.negatives import FreeNodes, matched_negatives
from retia.protocol.pairs import LinkGraph, disjoint
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

NODES = 20_000


@pytest.fixture(scope="module")
def made() -> GeneratedVessels:
    return generate_vessels(NODES, Randomness.from_seed(1))


@pytest.fixture(scope="module")
def vessels(made: GeneratedVessels, tmp_path_factory: pytest.TempPathFactory) -> VesselGraph:
    folder = tmp_path_factory.mktemp("made")
    write_csv(made.nodes, folder / "nodes.csv")
    write_csv(made.edges, folder / "edges.csv")
    return clean(read_voreen(folder / "nodes.csv", folder / "edges.csv"))[0]


@pytest.fixture(scope="module")
def grown() -> tuple[np.ndarray, growth.Trees, np.ndarray]:
    """Positions, trees and anastomoses of 3,000 nodes."""
    rng = np.random.default_rng(4)
    position = points.scatter(3000, rng)
    near = points.neighbours(position)
    trees = growth.grow(position, near, points.surface_nodes(position, 4, rng))
    return position, trees, anastomoses.join(position, near, trees.edges(), 4530)


def columns(made: GeneratedVessels) -> dict[str, np.ndarray]:
    return {name: made.edges[name].to_numpy() for name in made.edges.column_names}


def test_clean_network_has_mean_degree_3_02_and_one_component(vessels: VesselGraph) -> None:
    network = nx.Graph(vessels.ends.tolist())
    assert len(vessels.node_id) == NODES
    assert 2 * network.number_of_edges() / NODES == pytest.approx(3.02, abs=0.001)
    assert len(max(nx.connected_components(network), key=len)) > 0.99 * NODES
    degree = np.bincount(vessels.ends.ravel(), minlength=NODES)
    assert (degree == 3).mean() > 0.75
    assert (degree == 0).mean() == pytest.approx(DIRT.isolated, abs=0.0005)


def test_vessels_make_loops_that_are_longer_than_triangles(vessels: VesselGraph) -> None:
    network = nx.Graph(vessels.ends.tolist())
    assert network.number_of_edges() - network.number_of_nodes() > 0.4 * NODES
    assert nx.average_clustering(network) < 0.1


def widest_angles(vessels: VesselGraph) -> np.ndarray:
    """At junctions of three vessels, the widest of the three angles in degrees."""
    network = nx.Graph(vessels.ends.tolist())
    found = []
    for node in [n for n, degree in network.degree if degree == 3][:2000]:
        arms = vessels.position[list(network[node])] - vessels.position[node]
        arms /= np.linalg.norm(arms, axis=1, keepdims=True)
        found.append(np.degrees(np.arccos(np.clip((arms @ arms.T).min(), -1, 1))))
    return np.array(found)


def test_two_vessels_of_a_junction_make_one_line(vessels: VesselGraph) -> None:
    assert np.median(widest_angles(vessels)) > 165
    assert np.quantile(widest_angles(vessels), 0.1) > 150


def test_radius_goes_on_through_a_junction_and_falls_at_branches(vessels: VesselGraph) -> None:
    radius = vessels.measures["avgRadiusAvg"]
    node = vessels.ends.ravel()
    order = np.lexsort((-np.repeat(radius, 2), node))
    node, sorted_radius = node[order], np.repeat(radius, 2)[order]
    first = np.flatnonzero(np.r_[True, np.diff(node) != 0] & (np.bincount(node)[node] == 3))
    wide, second, third = (sorted_radius[first + i] ** 3 for i in range(3))
    artery = first[np.cbrt(wide) > 8]
    ratio = wide[np.cbrt(wide) > 8] / (second + third)[np.cbrt(wide) > 8]
    assert len(artery) > 300
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.05)


def test_three_classes_of_radius_occur_and_capillaries_are_most(
    made: GeneratedVessels, vessels: VesselGraph
) -> None:
    counts = np.histogram(vessels.measures["minRadiusAvg"], [0, 15, 40, 1000])[0]
    assert (counts > 0).all()
    elements = made.truth["element"].to_pandas()
    assert (elements == "node").sum() == NODES
    assert (elements == "edge").sum() == made.edges.num_rows
    share = {
        value["values"]: value["counts"] / made.truth.num_rows
        for value in made.truth["kind"].value_counts().to_pylist()
    }
    assert share["capillary"] > 0.6
    assert min(share["artery"], share["vein"]) > 0.05


def test_arteries_meet_veins_through_capillaries_alone(made: GeneratedVessels) -> None:
    rows = made.truth.to_pandas()
    edge_kind = rows[rows.element == "edge"].kind.to_numpy()
    cols = columns(made)
    reach = {}
    for kind in ("artery", "vein"):
        chosen = edge_kind == kind
        reach[kind] = set(cols["node1id"][chosen]) | set(cols["node2id"][chosen])
    assert not reach["artery"] & reach["vein"]
    node_kind = rows[rows.element == "node"].kind.to_numpy()
    assert set(np.flatnonzero(node_kind == "artery")) == reach["artery"]


def test_raw_tables_hold_the_stated_dirt(made: GeneratedVessels) -> None:
    cols = columns(made)
    ends = np.sort(np.column_stack([cols["node1id"], cols["node2id"]]), axis=1)
    loops = ends[:, 0] == ends[:, 1]
    edges = round(1.51 * NODES)
    assert loops.sum() == round(DIRT.self_loops * edges)
    assert np.isinf(cols["curveness"][loops]).all() and (cols["distance"][loops] == 0).all()
    assert (cols["length"][loops] > 0).all()
    proper = ends[~loops]
    assert len(proper) - len(np.unique(proper, axis=0)) == round(DIRT.parallel * edges)
    invalid = cols["minRadiusAvg"] == -1
    assert invalid.sum() == round(DIRT.invalid * len(ends))
    assert (cols["roundnessStd"][invalid] == -1).all()
    empty = cols["volume"] == -1
    assert 0 < empty.sum() < invalid.sum() and (cols["num_voxels"][empty] == 0).all()
    degree = np.bincount(ends.ravel(), minlength=NODES)
    np.testing.assert_array_equal(made.nodes["degree"].to_numpy(), degree)
    np.testing.assert_array_equal(cols["node1_degree"], degree[ends].min(axis=1))
    np.testing.assert_array_equal(cols["node2_degree"], degree[ends].max(axis=1))


def test_measures_agree_with_each_other(made: GeneratedVessels) -> None:
    cols = columns(made)
    good = np.isfinite(cols["curveness"]) & (cols["minRadiusAvg"] > 0)
    cols = {name: values[good] for name, values in cols.items()}
    position = np.column_stack([made.nodes[f"pos_{axis}"].to_numpy() for axis in "xyz"])
    distance = np.linalg.norm(position[cols["node1id"]] - position[cols["node2id"]], axis=1)
    np.testing.assert_allclose(cols["distance"], distance, rtol=1e-5)
    assert (cols["curveness"] >= 1).all()
    np.testing.assert_allclose(cols["length"], distance * cols["curveness"], rtol=1e-5)
    np.testing.assert_allclose(cols["volume"], cols["length"] * cols["avgCrossSection"], rtol=1e-5)
    ratio = cols["minRadiusAvg"] / cols["maxRadiusAvg"]
    np.testing.assert_allclose(cols["roundnessAvg"], ratio, rtol=1e-5)


def test_direction_of_a_row_does_not_tell_the_direction_of_flow(made: GeneratedVessels) -> None:
    cols = columns(made)
    wide = cols["avgRadiusAvg"] > 5
    inward = cols["node1id"] < cols["node2id"]
    assert inward[wide].mean() == pytest.approx(0.5, abs=0.05)


def test_every_point_has_one_earlier_parent(grown) -> None:
    _, trees, _ = grown
    edges = trees.edges()
    assert (trees.parent == growth.ROOT).sum() == trees.root.max() + 1
    assert (trees.born[edges[:, 0]] < trees.born[edges[:, 1]]).all()
    forest = nx.Graph(edges.tolist())
    assert nx.is_forest(forest)
    assert nx.number_connected_components(forest) == trees.root.max() + 1
    for part in nx.connected_components(forest):
        assert len(set(trees.root[list(part)])) == 1


def test_anastomoses_are_new_pairs_and_keep_the_degree(grown) -> None:
    position, trees, joins = grown
    both = np.sort(np.concatenate([trees.edges(), joins]), axis=1)
    assert len(np.unique(both, axis=0)) == len(both) == 4530
    degree = np.bincount(both.ravel(), minlength=len(position))
    tree_degree = np.bincount(trees.edges().ravel(), minlength=len(position))
    assert (degree <= np.maximum(tree_degree, 4)).all()


def test_stems_follow_murrays_law(grown) -> None:
    position, trees, joins = grown
    tree = trees.edges()
    calibre = radii.calibrate(position, trees, tree, joins, np.random.default_rng(0))
    cubes = calibre.radius_um**3
    network = nx.DiGraph()
    network.add_weighted_edges_from(
        (int(a), int(b), float(c)) for (a, b), c in zip(tree, cubes[: len(tree)], strict=True)
    )
    beside = np.bincount(joins.ravel(), np.repeat(cubes[len(tree) :], 2), minlength=len(position))
    for node in network:
        into = network.in_degree(node, "weight")
        out = network.out_degree(node, "weight") + beside[node]
        if into and out:
            assert into == pytest.approx(out)


@settings(max_examples=30)
@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_bent_segments_are_as_long_as_their_arcs(start: float, end: float) -> None:
    arc = CubicHermiteSpline([0, 1], [0, 0], [start, end]).derivative()
    t = np.linspace(0, 1, 2001)
    exact = np.trapezoid(np.sqrt(1 + arc(t) ** 2), t) - 1
    # Through lines at 0 and 1 with these slopes against the chord from 0 to 1.
    position = np.array([[0, 0, 0], [1, 0, 0], [-1, -start, 0], [2, end, 0]])
    position[2:] = [[-1e6, -1e6 * start, 0], [1e6, 1e6 * end, 0]]
    slopes = [
        shape._slopes(
            position, np.array([a]), np.array([b]), np.array([[1, 0, 0]], np.float32), pair
        )
        for a, b, pair in ((0, 1, np.array([[2, 1]] * 4)), (1, 0, np.array([[0, 3]] * 4)))
    ]
    a, b = (float(slope[0, 1]) for slope in slopes)
    assert (2 * a**2 - a * b + 2 * b**2) / 30 == pytest.approx(exact, abs=0.003)


def test_straightening_moves_a_node_onto_the_line_of_its_neighbours() -> None:
    position = np.array([[0.0, 0, 0], [10, 4, 0], [20, 0, 0]])
    pair = np.array([[0, 0], [0, 2], [2, 2]])
    moved = shape.straighten(position, pair)
    np.testing.assert_allclose(moved[[0, 2]], position[[0, 2]])
    assert abs(moved[1, 1]) < 1


def test_points_fill_their_cube_evenly() -> None:
    position = points.scatter(8000, np.random.default_rng(0))
    side = points.SPACING_UM * 20
    assert (position >= 0).all() and (position <= side).all()
    counts = np.histogramdd(position, bins=4, range=[(0, side)] * 3)[0]
    assert counts.min() == counts.max() == 125


@settings(max_examples=15, deadline=None)
@given(st.integers(50, 400), st.integers(0, 1000))
def test_small_networks_are_whole(num_nodes: int, seed: int) -> None:
    made = generate_vessels(num_nodes, Randomness.from_seed(seed))
    assert made.nodes.num_rows == num_nodes
    degree = made.nodes["degree"].to_numpy()
    assert 2.2 < degree.mean() < 3.2
    assert made.truth.num_rows == num_nodes + made.edges.num_rows


def test_same_seed_same_network() -> None:
    one, two, other = (
        as_csv(generate_vessels(80, Randomness.from_seed(seed)).edges) for seed in (1, 1, 2)
    )
    assert one == two
    assert one != other


def test_too_few_nodes_are_refused() -> None:
    with pytest.raises(InputError, match="50 or more"):
        generate_vessels(3, Randomness.from_seed(0))


def test_written_files_are_the_tables_the_truth_and_the_parameters(tmp_path: Path) -> None:
    paths = write_synthetic(300, 2, tmp_path)
    made = generate_vessels(300, Randomness.from_seed(2))
    assert (tmp_path / "edges.csv").read_bytes() == as_csv(made.edges)
    note = json.loads((tmp_path / "generator.json").read_text())
    assert note["synthetic"] and note["seed"] == 2
    assert note["parameters"]["dirt"]["parallel"] == DIRT.parallel
    truth = csv.read_csv(
        tmp_path / "truth.csv", parse_options=csv.ParseOptions(delimiter=";")
    ).to_pandas()
    assert set(truth.kind) <= set(radii.KINDS)
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()}


def test_command_writes_a_network(retia: Callable[..., int], tmp_path: Path) -> None:
    assert retia("synth", "vessel", "--nodes", 100, "--seed", 1, "--out", tmp_path / "new") == 0
    assert (tmp_path / "new" / "truth.csv").read_text().startswith("element;id;kind\nnode;0;")


def area(scores: np.ndarray, positive: np.ndarray) -> float:
    return float(mannwhitneyu(scores[positive], scores[~positive]).statistic) / (
        positive.sum() * (~positive).sum()
    )


def test_angles_tell_hidden_vessels_from_matched_pairs_and_distance_does_not(
    vessels: VesselGraph,
) -> None:
    edges = np.random.default_rng(0).permutation(vessels.ends)
    cut = len(edges) // 5
    graph = LinkGraph(NODES, False, edges[cut:], edges[:cut], vessels.position)
    rng = np.random.default_rng(1)
    positives = edges[:cut][disjoint(edges[:cut], NODES)][: NODES // 16]
    nodes = FreeNodes(np.ones(NODES, dtype=bool))
    nodes.take(positives)
    matched, found = matched_negatives(graph, positives, nodes, rng)
    assert (~found).mean() < 0.12
    pairs = np.concatenate([positives[found], matched[found]])
    positive = np.arange(len(pairs)) < found.sum()
    oracle = continuation_scores(vessels.position, graph.visible, pairs)
    assert area(oracle, positive) > 0.75
    assert area(graph.distance(pairs), positive) == pytest.approx(0.5, abs=0.03)


def test_continuation_prefers_straight_on_and_aside_of_a_line() -> None:
    position = np.array(
        [[0.0, 0, 0], [-1, 0, 0], [1, 0, 0], [0, 1, 0], [-2, 0.1, 0], [-0.5, 1, 0], [-1.9, 1, 0]]
    )
    open_end = np.array([[0, 1]])
    straight, back = continuation_scores(position, open_end, np.array([[1, 4], [1, 5]]))
    assert straight > back
    line = np.array([[0, 1], [0, 2]])
    aside, along = continuation_scores(position, line, np.array([[0, 3], [0, 4]]))
    assert aside > along
