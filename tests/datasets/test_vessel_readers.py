"""Readers of drawings, GraphML and GRAPE: each against networkx or a count by hand."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.graph import VesselGraph
from retia.datasets.vessel.inputs import CsvFiles, Given, LineFile, choose, read_graph
from retia.datasets.vessel.readers.grape import read_grape
from retia.datasets.vessel.readers.graphml import read_graphml
from retia.datasets.vessel.readers.polydata import read_polydata
from retia.datasets.vessel.readers.polyline import Polyline, merge_points, scale_polyline, trace
from retia.datasets.vessel.readers.swc import read_swc
from retia.shards.errors import InputError

SWC = """# a fork
1 0 0 0 0 2 -1
2 0 3 4 0 2 1

7 0 3 4 6 1 2
5 0 9 4 0 1 2   # the other daughter
6 0 9 4 8 1 5
"""
GRAPE = """graph_id,node_id,x,y,width,type,edges
A,0,0,0,4,1,1;2
A,1,3,4,2,0,0
A,2,0,9,0,1,0
B,0,1,1,0,1,
B,1,1,5,0,0,2
B,2,4,5,0,0,1
"""


def line(pairs: list[tuple[int, int]], num_points: int = 12, **fields: object) -> Polyline:
    rng = np.random.default_rng(num_points)
    segments = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Polyline(np.arange(num_points), rng.random((num_points, 3)), segments, **fields)


def contracted(pairs: list[tuple[int, int]], num_points: int) -> nx.MultiGraph:
    """The oracle: take out points of degree two, one after the other."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(num_points))
    graph.add_edges_from({tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]})
    inner = [node for node, degree in graph.degree if degree == 2]
    for node in sorted(inner, reverse=True):
        ends = [end for _, end in graph.edges(node)]
        if node not in ends:
            graph.remove_node(node)
            graph.add_edge(*ends)
    return graph


PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=16)


def with_pair(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [*pairs, (0, 1)]


@given(PAIRS.map(with_pair))
def test_branches_are_what_is_left_without_points_of_degree_two(pairs) -> None:
    graph = trace(line(pairs))
    wanted = contracted(pairs, 12)
    assert graph.node_id.tolist() == sorted(wanted.nodes)
    found = [tuple(sorted(pair)) for pair in graph.node_id[graph.ends].tolist()]
    assert sorted(found) == sorted(tuple(sorted(pair)) for pair in wanted.edges())


@given(PAIRS.map(with_pair))
def test_branches_are_as_long_as_their_segments(pairs) -> None:
    drawing = line(pairs)
    segments = {tuple(sorted(pair)) for pair in pairs}
    total = sum(np.linalg.norm(drawing.position[a] - drawing.position[b]) for a, b in segments)
    assert trace(drawing).measures["length"].sum() == pytest.approx(total)
    every = trace(drawing, every_point=True)
    np.testing.assert_allclose(every.measures["length"], every.measures["distance"])


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 9), min_size=2, max_size=6), st.integers(0, 99))
def test_radius_and_volume_are_those_of_the_cones(radii: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    position = rng.random((len(radii), 3)) * 10
    segments = np.column_stack([np.arange(len(radii) - 1), np.arange(1, len(radii))])
    drawing = Polyline(np.arange(len(radii)), position, segments, np.array(radii)[segments])
    measures = {name: float(v[0]) for name, v in trace(drawing).measures.items()}
    step = np.linalg.norm(np.diff(position, axis=0), axis=1)
    place = np.interp(np.linspace(0, step.sum(), 200_001), np.r_[0, np.cumsum(step)], radii)
    assert measures["avgRadiusAvg"] == pytest.approx(place.mean(), rel=1e-3)
    assert measures["avgRadiusStd"] == pytest.approx(place.std(), rel=1e-2, abs=1e-6)
    assert measures["volume"] == pytest.approx(np.pi * (place**2).mean() * step.sum(), rel=1e-3)
    assert measures["minRadiusAvg"] == measures["maxRadiusAvg"] == measures["avgRadiusAvg"]


def test_voxels_that_are_no_cubes_change_lengths_before_they_are_summed() -> None:
    drawing = Polyline(
        np.arange(3), np.array([[0.0, 0, 0], [3, 0, 0], [3, 4, 0]]), np.array([[0, 1], [1, 2]])
    )
    assert trace(drawing).measures["length"].tolist() == [7]
    assert trace(scale_polyline(drawing, (1, 2, 5))).measures["length"].tolist() == [11]


def test_points_at_one_place_are_one() -> None:
    kept, segments = merge_points(
        np.array([[1.0, 0], [0, 0], [1.0, 0]]), np.array([[0, 1], [1, 2]])
    )
    assert kept.tolist() == [0, 1]
    assert segments.tolist() == [[0, 1], [1, 0]]


def test_swc_tree_becomes_its_branches(tmp_path: Path) -> None:
    path = tmp_path / "fork.swc"
    path.write_text(SWC)
    graph = trace(read_swc(path))
    assert graph.node_id.tolist() == [1, 2, 7, 6]
    ends = [tuple(sorted(pair)) for pair in graph.node_id[graph.ends].tolist()]
    lengths = dict(zip(ends, graph.measures["length"].tolist(), strict=True))
    assert lengths == {(1, 2): 5, (2, 7): 6, (2, 6): 14}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (("5 0 9", "5 0 x"), "line 6, x: 'x' is not a number"),
        (("9 4 0 1 2", "9 4 0 1 33"), "line 6: parent 33 does not exist"),
        (("7 0 3", "2 0 3"), "line 5: sample 2 stands twice"),
        (("7 0 3 4 6 1 2", "7 0 3 4 6 1"), "line 5"),
        (("3 4 0 2 1", "3 nan 0 2 1"), "line 3: a sample needs a finite position"),
        ((SWC, "# nothing\n"), "no samples"),
    ],
)
def test_bad_swc_names_the_line(tmp_path: Path, spoil: tuple[str, str], told: str) -> None:
    path = tmp_path / "bad.swc"
    path.write_text(SWC.replace(*spoil))
    with pytest.raises(InputError, match=told):
        read_swc(path)


def polydata(path: Path, *, binary: bool) -> None:
    """A fork of four polylines written by VTK itself, its hub as three points at one place."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkIOLegacy import vtkPolyDataWriter
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    points, cells, data = vtkPoints(), vtkCellArray(), vtkPolyData()
    places = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 0, 0), (2, 3, 0), (2, 0, 0), (2, 0, 4)]
    for place in places:
        points.InsertNextPoint(*place)
    for cell in ((0, 1, 2), (3, 4), (5, 6)):
        cells.InsertNextCell(len(cell))
        for point in cell:
            cells.InsertCellPoint(point)
    data.SetPoints(points)
    data.SetLines(cells)
    diameter = numpy_to_vtk(np.arange(2.0, 16.0, 2.0), deep=True)
    diameter.SetName("Diameter")
    data.GetPointData().AddArray(diameter)
    writer = vtkXMLPolyDataWriter() if path.suffix == ".vtp" else vtkPolyDataWriter()
    if path.suffix == ".vtk":
        (writer.SetFileTypeToBinary if binary else writer.SetFileTypeToASCII)()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    assert writer.Write()


@pytest.mark.parametrize(("name", "binary"), [("a.vtk", False), ("a.vtk", True), ("a.vtp", True)])
def test_polydata_of_every_kind_reads_alike(tmp_path: Path, name: str, binary: bool) -> None:
    polydata(tmp_path / name, binary=binary)
    graph = trace(read_polydata(tmp_path / name))
    assert graph.position.tolist() == [[0, 0, 0], [2, 0, 0], [2, 3, 0], [2, 0, 4]]
    assert graph.measures["length"].tolist() == [2, 3, 4]
    np.testing.assert_allclose(graph.measures["avgRadiusAvg"], [2, 4.5, 6.5])


@pytest.mark.parametrize(
    "content",
    [b"", b"no vtk", b"# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\n", b"<VTKFile>"],
)
def test_bad_polydata_is_one_line(tmp_path: Path, content: bytes, capfd) -> None:
    path = tmp_path / "bad.vtk"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_polydata(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


def graphml(path: Path, **changes: object) -> Path:
    graph = nx.MultiGraph()
    graph.add_node("n4", x=0.0, y=0.0, z=0.0, border=True)
    graph.add_node("n2", x=3.0, y=4.0, z=0.0, border=False)
    graph.add_node("n9", x=3.0, y=4.0, z=-2.0, border=False)
    graph.add_edge("n4", "n2", length=6.0, radius=2.0)
    graph.add_edge("n2", "n4", length=7.0, radius=1.0)
    graph.add_edge("n9", "n2", length=2.0, radius=4.0, **changes)
    nx.write_graphml(graph, path)
    return path


def test_graphml_keeps_ids_parallel_edges_and_the_border(tmp_path: Path) -> None:
    graph = read_graphml(graphml(tmp_path / "a.graphml"))
    assert graph.node_id.tolist() == [4, 2, 9]
    assert graph.node_id[graph.ends].tolist() == [[4, 2], [4, 2], [2, 9]]
    assert graph.border is not None
    assert graph.border.tolist() == [True, False, False]
    assert graph.measures["length"].tolist() == [6, 7, 2]
    assert graph.measures["distance"].tolist() == [5, 5, 2]
    assert graph.measures["minRadiusAvg"].tolist() == [2, 1, 4]


def test_graphml_without_lengths_is_straight_and_may_be_flat(tmp_path: Path) -> None:
    flat = nx.Graph()
    flat.add_node("a", pos="[0 0]")
    flat.add_node("b", pos="[3 4]")
    flat.add_edge("a", "b", diameter=3.0)
    nx.write_graphml(flat, tmp_path / "flat.graphml")
    graph = read_graphml(tmp_path / "flat.graphml")
    assert graph.position.tolist() == [[0, 0], [3, 4]]
    assert graph.measures["length"].tolist() == [5]
    assert graph.measures["avgRadiusAvg"].tolist() == [1.5]


def test_bad_graphml_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of 3 vessels have another distance"):
        read_graphml(graphml(tmp_path / "a.graphml", distance=99.0))
    (tmp_path / "b.graphml").write_text("<graphml")
    with pytest.raises(InputError, match="no GraphML"):
        read_graphml(tmp_path / "b.graphml")
    nx.write_graphml(nx.path_graph(3), tmp_path / "c.graphml")
    with pytest.raises(InputError, match="nodes have no position"):
        read_graphml(tmp_path / "c.graphml")


def test_grape_graph_is_flat_and_in_pixels(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text(GRAPE)
    graph = read_grape(path, "A")
    assert (graph.unit, graph.position.shape, graph.ends.tolist()) == (
        "px",
        (3, 2),
        [[0, 1], [0, 2]],
    )
    assert graph.measures["length"].tolist() == [5, 9]
    assert graph.measures["avgRadiusAvg"].tolist() == [1.5, 2]
    assert graph.labels is not None
    assert graph.labels.tolist() == ["type 1", "type 0", "type 1"]
    scaled = read_grape(path, "B", (2.0, 3.0))
    assert (scaled.unit, scaled.measures["length"].tolist()) == ("um", [6])
    assert np.isnan(scaled.measures["avgRadiusAvg"]).all()


def test_all_grape_graphs_stand_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text(GRAPE)
    graph = read_grape(path)
    assert graph.node_id.tolist() == [0, 1, 2, 3, 4, 5]
    assert graph.ends.tolist() == [[0, 1], [0, 2], [4, 5]]
    assert graph.measures["length"].tolist() == [5, 9, 3]
    gap = np.linalg.norm(graph.position[:3, None] - graph.position[None, 3:], axis=2)
    assert gap.min() > 9


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (("1;2", "1;7"), "node 0 names 7, which is no node"),
        (("A,2,", "A,1,"), "graph A, node 1 stands twice"),
        (("3,4,2", "3,,2"), "graph A, node 1 has no finite position"),
        (("3,4,2", "3,x,2"), "x"),
        (("width", "breadth"), "width"),
    ],
)
def test_bad_grape_is_told(tmp_path: Path, spoil: tuple[str, str], told: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(GRAPE.replace(*spoil))
    with pytest.raises(InputError, match=told):
        read_grape(path)


@pytest.fixture
def voreen(tmp_path: Path) -> CsvFiles:
    """Shuffled, gappy ids, negative coordinates, a self-loop, parallel edges, sentinels."""
    nodes, edges = tmp_path / "n.csv", tmp_path / "e.csv"
    nodes.write_text(
        "id;pos_x;pos_y;pos_z;degree;isAtSampleBorder\n"
        "70;-3;-4;0;9;1\n5;0;0;0;9;0\n900;0;0;-2;9;0\n8;1;1;1;0;0\n"
    )
    edges.write_text(
        "id;node1id;node2id;length;distance;curveness;minRadiusAvg;minRadiusStd\n"
        "4;70;5;6;5;1.2;3;0.3\n2;5;70;8;5;1.6;4;0.4\n9;900;5;2;2;1;-1;-1\n1;5;5;4;0;inf;1;0\n"
    )
    return CsvFiles(nodes, edges)


def test_raw_voreen_reads_and_cleans(voreen: CsvFiles) -> None:
    graph, report = clean(read_graph(voreen), isolated="drop")
    assert graph.node_id.tolist() == [70, 5, 900]
    assert graph.border is not None
    assert graph.border.tolist() == [True, False, False]
    assert graph.edge_id.tolist() == [2, 9]
    assert graph.measures["length"].tolist() == [7, 2]
    np.testing.assert_array_equal(graph.measures["minRadiusAvg"], [5, np.nan])
    np.testing.assert_allclose(graph.measures["minRadiusStd"], [np.hypot(0.9, 1.6) / 5, np.nan])
    assert (report["self_loops_dropped"], report["parallel_edges_merged"]) == (1, 1)
    assert (report["invalid_values_removed"], report["isolated_nodes_dropped"]) == (2, 1)


def test_nodes_of_another_brain_are_noticed(voreen: CsvFiles) -> None:
    voreen.nodes.write_text(voreen.nodes.read_text().replace("-3;-4", "30;-4"))
    with pytest.raises(InputError, match=r"2 of 4 vessels have another distance .* n\.csv"):
        read_graph(voreen)


def test_voxels_must_be_cubes_where_centrelines_are_gone(voreen: CsvFiles) -> None:
    with pytest.raises(InputError, match="cannot be scaled by axis"):
        read_graph(voreen, (1.0, 1.0, 3.0))
    assert read_graph(voreen, (2.0, 2.0, 2.0)).measures["length"].tolist() == [12, 16, 4, 8]


@pytest.mark.parametrize(
    "given_",
    [
        Given(),
        Given(nodes=Path("n")),
        Given(vtk=Path("a"), swc=Path("b")),
        Given(graphml=Path("a"), every_point=True),
        Given(swc=Path("a"), graph="A"),
        Given(nodes=Path("n"), vtk=Path("a")),
    ],
)
def test_one_source_is_wanted(given_: Given) -> None:
    with pytest.raises(InputError):
        choose(given_)
    assert choose(Given(swc=Path("a"), every_point=True)) == LineFile(Path("a"), "swc", True)


def sizes(graph: VesselGraph) -> tuple[int, int]:
    return len(graph.node_id), len(graph.edge_id)


def test_real_drawings_and_retinas_are_read_whole(data: Path) -> None:
    folder = data / "vessel"
    artery = read_polydata(folder / "vascpy" / "penetrating_artery.vtk")
    assert sizes(trace(artery)) == (2, 1)
    assert sizes(trace(artery, every_point=True)) == (1274, 1273)
    binary = trace(read_polydata(folder / "vascpy" / "test_smaller_vasculature.vtk"))
    assert sizes(binary) == (42, 27)
    assert 2 < binary.measures["avgRadiusAvg"].mean() < 3
    table = folder / "grape_retina" / "train_data.csv"
    assert sizes(read_grape(table)) == (14156, 48300)
    assert sizes(read_grape(table, "D_21")) == (195, 596)
