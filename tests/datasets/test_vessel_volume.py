from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage import measure

from retia.datasets.vessel.graph import VesselGraph
from retia.datasets.vessel.volumes import bits
from retia.datasets.vessel.volumes.bits import Bits
from retia.datasets.vessel.volumes.volume import Report, read_volume, trace_mask
from tests.drawn_tubes import draw, lattice_edges, tube, without_bends

SIZE = (3, 3, 2)
LATTICE = lattice_edges(SIZE)
TREE = [(0, 2, 3.0), (2, 4, 3.0), (2, 3, 2.0), (4, 10, 4.0), (4, 5, 2.5)]


def traced(
    mask: NDArray[np.bool_], size: float = 1.0, **options: float
) -> tuple[VesselGraph, Report]:
    return trace_mask(Bits.of(mask.T), (size, size, size), **options)  # type: ignore[arg-type]


def as_networkx(graph: VesselGraph) -> "nx.MultiGraph[int]":
    found = nx.MultiGraph()
    found.add_nodes_from(range(len(graph.node_id)))
    found.add_edges_from(graph.ends.tolist())
    return found


def test_drawn_networks_are_found_again() -> None:
    """Loops and components of the mask in all; every drawn node and edge in 18 of 20 or more.

    Where thin tubes meet at a sharp angle, a junction of four may come out as two of three, and
    the drawn mask itself may have a hole that the drawing does not mean.
    """
    rng, exact = np.random.default_rng(5), 0
    for _ in range(20):
        chosen = rng.choice(len(LATTICE), rng.integers(1, 21), replace=False)
        edges = [
            (*LATTICE[i], radius)
            for i, radius in zip(chosen, rng.uniform(1.5, 4, 20), strict=False)
        ]
        drawing = draw(SIZE, edges, rng.uniform(-3, 3, (18, 3)))
        graph, report = traced(drawing.mask)
        known, found = without_bends(drawing.graph), as_networkx(graph)
        assert report["betti_0_error"] == report["betti_1_error"] == 0
        assert report["graph_components"] == nx.number_connected_components(known)
        assert report["graph_loops"] == loops_of(drawing.mask)
        exact += nx.is_isomorphic(nx.Graph(found), nx.Graph(known))
    assert exact >= 18


def loops_of(mask: NDArray[np.bool_]) -> int:
    """Betti-1 by scikit-image: components + cavities - Euler number."""
    padded = np.pad(mask, 1)
    pieces = int(measure.label(padded, connectivity=3).max())
    cavities = int(measure.label(~padded, connectivity=1).max()) - 1
    return pieces + cavities - int(measure.euler_number(padded, connectivity=3))


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_positions_lengths_and_radii_of_a_drawn_tree(size: float) -> None:
    drawing = draw((2, 3, 2), TREE)
    graph, _ = traced(drawing.mask, size)
    place = np.array([drawing.graph.nodes[node]["position"] for node in drawing.graph]) * size
    away, near = cKDTree(place).query(graph.position)
    assert away.max() < 2.5 * size
    names = list(drawing.graph)
    for row, (a, b) in enumerate(near[graph.ends]):
        known = drawing.graph.edges[names[a], names[b]]
        at = {name: values[row] / size for name, values in graph.measures.items()}
        assert at["avgRadiusAvg"] == pytest.approx(known["radius"], abs=0.35)
        assert at["minRadiusAvg"] == pytest.approx(known["radius"], abs=0.6)
        assert at["maxRadiusAvg"] == pytest.approx(known["radius"], abs=0.8)
        assert at["length"] == pytest.approx(known["length"], abs=3)
        assert 0.5 < at["roundnessAvg"] * size <= 1
        area = at["avgCrossSection"] / size
        assert area == pytest.approx(np.pi * known["radius"] ** 2, rel=0.3)


@pytest.mark.parametrize("radius", [2.0, 3.0, 4.0, 6.0])
@pytest.mark.parametrize("way", [(60, 0, 0), (50, 33, 0), (40, 30, 20), (45, -25, 37)])
def test_a_straight_tube_keeps_length_radius_and_volume(
    radius: float, way: tuple[int, int, int]
) -> None:
    a = np.array([20.0, 45.0, 20.0])
    mask = np.zeros((90, 90, 70), dtype=bool)
    tube(mask, a, a + way, radius)
    graph, report = traced(mask)
    length = float(np.linalg.norm(way))
    assert graph.ends.shape == (1, 2)
    assert graph.measures["length"][0] == pytest.approx(length, abs=1.2 * radius)
    assert graph.measures["curveness"][0] < 1.02
    assert graph.measures["avgRadiusAvg"][0] == pytest.approx(radius, abs=0.25)
    assert graph.measures["minRadiusAvg"][0] == pytest.approx(radius, abs=0.5)
    assert graph.measures["volume"][0] == mask.sum()
    assert report["cl_dice"] == 1


def test_voxels_that_are_no_cubes() -> None:
    mask = np.zeros((90, 40, 20), dtype=bool)
    at = np.stack(np.indices(mask.shape), axis=-1) * (1.0, 2.0, 4.0)
    off = at - np.array([0, 40, 40])
    mask[10:80] = (np.hypot(off[..., 1], off[..., 2]) <= 12)[10:80]
    graph, _ = trace_mask(Bits.of(mask.T), (1.0, 2.0, 4.0))
    assert graph.ends.shape == (1, 2)
    assert graph.measures["avgRadiusAvg"][0] == pytest.approx(12, abs=1.5)
    assert graph.measures["volume"][0] == mask.sum() * 8
    assert np.allclose(graph.position[:, 1:], 40, atol=4)


def test_a_ring_is_a_loop_of_one_vessel() -> None:
    at = np.stack(np.indices((50, 50, 12)), axis=-1) - np.array([25, 25, 6])
    mask = np.hypot(np.hypot(at[..., 0], at[..., 1]) - 16, at[..., 2]) <= 3
    graph, report = traced(mask)
    assert graph.ends.tolist() == [[0, 0]]
    assert graph.measures["length"][0] == pytest.approx(2 * np.pi * 16, rel=0.02)
    assert np.isinf(graph.measures["curveness"][0])
    assert (report["mask_loops"], report["graph_loops"]) == (1, 1)


def test_a_ball_is_a_node_without_a_vessel() -> None:
    at = np.stack(np.indices((20, 20, 20)), axis=-1) - 9.5
    graph, report = traced(np.linalg.norm(at, axis=-1) <= 1.0)
    assert (len(graph.node_id), len(graph.ends), report["graph_components"]) == (1, 0, 1)


def test_a_hollow_tube_is_filled() -> None:
    mask = np.zeros((60, 30, 30), dtype=bool)
    a, b = np.array([10.0, 15, 15]), np.array([50.0, 15, 15])
    tube(mask, a, b, 6)
    core = np.zeros_like(mask)
    tube(core, a, b, 2)
    graph, report = traced(mask & ~core)
    assert report["cavities_filled"] == 1
    assert graph.ends.shape == (1, 2)
    assert graph.measures["avgRadiusAvg"][0] == pytest.approx(6, abs=0.2)


def test_bumps_on_a_vessel_are_pruned_unless_they_are_asked_for() -> None:
    mask = np.zeros((90, 40, 40), dtype=bool)
    tube(mask, np.array([10.0, 20, 20]), np.array([80.0, 20, 20]), 5)
    tube(mask, np.array([45.0, 20, 20]), np.array([45.0, 26, 20]), 1)
    graph, report = traced(mask)
    assert (len(graph.ends), report["spurs_pruned"]) == (1, 1)
    graph, report = traced(mask, bulge=0.0)
    assert (len(graph.ends), report["spurs_pruned"]) == (3, 0)


def test_nodes_where_a_vessel_leaves_the_volume_are_flagged() -> None:
    mask = np.zeros((60, 30, 30), dtype=bool)
    tube(mask, np.array([-9.0, 15, 15]), np.array([40.0, 15, 15]), 4)
    graph, _ = traced(mask)
    assert graph.border is not None
    assert graph.border[np.argsort(graph.position[:, 0])].tolist() == [True, False]
    assert graph.measures["avgRadiusAvg"][0] == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("voxels", [1, 5000, 20000])
def test_slabs_of_any_thickness_give_the_same_graph(
    voxels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = [(a, b, 2.0 + (a + b) % 4) for a, b in LATTICE]
    mask = draw(SIZE, edges, np.random.default_rng(0).uniform(-3, 3, (18, 3))).mask
    whole, report = traced(mask)
    monkeypatch.setattr(bits, "SLAB_VOXELS", voxels)
    monkeypatch.setattr("retia.datasets.vessel.volumes.calibre.HALO", 1)
    parts, again = traced(mask)
    assert again == report
    assert np.array_equal(parts.position, whole.position)
    assert np.array_equal(parts.ends, whole.ends)
    assert parts.measures.keys() == whole.measures.keys()
    for name, values in whole.measures.items():
        np.testing.assert_allclose(parts.measures[name], values, rtol=1e-5, err_msg=name)


def test_an_image_of_two_dimensions_gives_a_flat_graph(tmp_path: Path) -> None:
    at = np.stack(np.indices((80, 100)), axis=-1)
    mask = (abs(at[..., 0] - 40) <= 3) & (abs(at[..., 1] - 50) <= 40)
    mask |= (abs(at[..., 1] - 50) <= 3) & (at[..., 0] >= 40) & (at[..., 0] <= 70)
    path = tmp_path / "retina.npy"
    np.save(path, mask)
    graph, report = read_volume(path, (2.0, 2.0))
    assert graph.position.shape == (4, 2)
    degree = np.bincount(graph.ends.ravel())
    assert sorted(degree) == [1, 1, 1, 3]
    assert graph.position[np.argmax(degree)] == pytest.approx((100, 80), abs=4)
    assert graph.measures["avgRadiusAvg"] == pytest.approx(7, abs=1.2)
    assert report["betti_1_error"] == 0


def test_holes_of_an_image_are_loops_and_stay(tmp_path: Path) -> None:
    at = np.stack(np.indices((60, 60)), axis=-1) - 30
    path = tmp_path / "ring.npy"
    np.save(path, abs(np.hypot(at[..., 0], at[..., 1]) - 20) <= 3)
    graph, report = read_volume(path, (1.0,))
    assert (report["cavities_filled"], report["mask_loops"], report["graph_loops"]) == (0, 1, 1)
    assert graph.measures["length"][0] == pytest.approx(2 * np.pi * 20, rel=0.02)
