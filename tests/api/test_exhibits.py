"""What a dataset's page shows: scenes, plots, matrices, samples; held against plain counting."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retia.api.exhibits import scene as scenes
from retia.api.exhibits.colourings import ABSENT
from retia.api.exhibits.exhibit import SCENE, STILL, make_exhibit
from retia.api.exhibits.matrix import make_matrix
from retia.api.exhibits.plots import bars, histogram, make_plots
from retia.api.exhibits.scene import make_scene
from retia.api.exhibits.tables import first_rows
from retia.api.exhibits.thinning import thin
from retia.shards.arrays import node_labels
from retia.shards.version import Version
from tests.api.client import API
from tests.api.conftest import Local
from tests.toys import toy_link, toy_node


@pytest.fixture(scope="module")
def spatial(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_link(tmp_path_factory.mktemp("spatial"), spatial=True, num_nodes=300)


def decode(content: bytes) -> tuple[dict[str, Any], np.ndarray, np.ndarray, list[np.ndarray]]:
    """A second reader of the file, by its description alone."""
    magic, size = struct.unpack_from("<4sI", content)
    assert magic == b"RSC1"
    assert size % 4 == 0
    header = json.loads(content[8 : 8 + size])
    place, nodes, lines = 8 + size, header["nodes"], header["lines"]
    positions = np.frombuffer(content, "<u2", nodes * 3, place).reshape(-1, 3)
    place += nodes * 6
    ends = np.frombuffer(content, "<u2", lines * 2, place).reshape(-1, 2)
    place += lines * 4 + (lines if header["widths"] else 0)
    values = []
    for colouring in header["colourings"]:
        count = nodes if colouring["on"] == "nodes" else lines
        values.append(np.frombuffer(content, "u1", count, place))
        place += count
    assert place == len(content)
    return header, positions, ends, values


def test_a_scene_holds_the_graph(spatial: Version) -> None:
    scene = make_scene(spatial)
    assert scene is not None
    header, positions, ends, values = decode(scene.encode())
    given = np.stack(spatial.nodes()["pos"].to_pylist())
    middle = (given.min(axis=0) + given.max(axis=0)) / 2
    restored = (positions / 65535 - 0.5) * header["extent"] + middle
    assert np.abs(restored - given).max() <= header["extent"] / 65535
    edges = spatial.edges("edge")
    assert ends.tolist() == np.column_stack([edges["src"], edges["dst"]]).tolist()
    weight = edges["weight"].to_numpy()
    name = [colouring["name"] for colouring in header["colourings"]].index("weight")
    assert (np.argsort(values[name], kind="stable") == np.argsort(weight, kind="stable")).all()
    assert (header["of_nodes"], header["of_edges"]) == (300, len(edges))


def test_no_scene_is_larger_than_two_megabytes() -> None:
    values = max(scenes.MAX_NODES, scenes.MAX_LINES) * scenes.MAX_COLOURINGS
    words = 200 * 70 * scenes.MAX_COLOURINGS
    assert scenes.MAX_NODES * 6 + scenes.MAX_LINES * 5 + values + words < 2_000_000


def test_a_large_graph_keeps_its_thick_branches_whole() -> None:
    """A trunk of 100 nodes with a twig of two edges at every tenth; all twigs are thin."""
    trunk = np.column_stack([np.arange(99), np.arange(1, 100)])
    roots = np.arange(5, 95, 10)
    first = 100 + 2 * np.arange(len(roots))
    twigs = np.concatenate([np.column_stack([roots, first]), np.column_stack([first, first + 1])])
    ends = np.concatenate([twigs, trunk])
    thick = np.concatenate([np.full(len(twigs), 1.0), np.full(len(trunk), 10.0)])
    num_nodes = int(ends.max()) + 1
    rng = np.random.default_rng(0)
    for length in (np.ones(len(ends)), rng.uniform(1, 2, len(ends))):
        kept = thin(np.ones(num_nodes, bool), ends, np.arange(len(ends)), thick, length, 115, 200)
        assert set(kept.nodes.tolist()) >= set(range(100))
        assert len(kept.nodes) <= 115
        assert kept.nodes.tolist() == np.unique(ends[kept.edges]).tolist()
        twig = kept.edges[kept.edges < len(twigs)] % len(roots)
        assert (np.bincount(twig, minlength=len(roots)) % 2 == 0).all()
        again = thin(np.ones(num_nodes, bool), ends, np.arange(len(ends)), thick, length, 115, 200)
        assert (again.edges == kept.edges).all()


def test_nodes_without_a_place_are_left_out(spatial: Version, monkeypatch: Any) -> None:
    given = spatial.nodes()
    flat = np.stack(given["pos"].to_pylist())
    flat[7] = np.nan
    monkeypatch.setattr(scenes, "column_array", lambda _column: flat)
    scene = make_scene(spatial)
    assert scene is not None
    assert len(scene.positions) == 299
    assert scene.lines.max() <= 298


def test_a_graph_without_positions_has_no_scene(versions: dict[str, Version]) -> None:
    assert make_scene(versions["node"]) is None
    assert SCENE not in make_exhibit(versions["node"]).files


def test_sealed_answers_are_no_colour(tmp_path: Path) -> None:
    version = toy_node(tmp_path, sealed=True)
    task = version.manifest.tasks[0]
    labels = node_labels(version, task)
    test = version.task_table(task.name, 0, "test")["item"].to_numpy()
    assert (labels[test] == -1).all()
    train = version.task_table(task.name, 0, "train")
    assert (labels[train["node"].to_numpy()] == train["label"].to_numpy()).all()


def test_a_histogram_counts_every_value() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=500), rng.lognormal(0, 4, 500), np.zeros(5), np.array([3.0])):
        plot = histogram("t", "x", values)
        assert sum(plot.counts) == len(values)
        assert len(plot.edges) == len(plot.counts) + 1
    degree = rng.integers(0, 12, 300).astype(float)
    plot = histogram("t", "x", degree, whole=True)
    assert plot.counts == np.bincount(degree.astype(int)).tolist()
    wide = np.concatenate([degree, [90_000.0]])
    plot = histogram("t", "x", wide, whole=True)
    assert plot.log
    assert sum(plot.counts) == 301
    assert histogram("t", "x", np.array([np.nan])).counts == []


def test_many_classes_share_the_last_bar() -> None:
    counts = np.arange(100)
    plot = bars("t", tuple(map(str, range(100))), counts)
    assert len(plot.counts) == 30
    assert sum(plot.counts) == counts.sum()
    assert plot.labels[0] == "99"
    assert plot.labels[-1] == "71 others"


def test_plots_are_of_the_visible_graph(versions: dict[str, Version]) -> None:
    version = versions["link"]
    plots = {plot.title: plot for plot in make_plots(version)}
    assert set(plots) == {"Out-degree, edge", "In-degree, edge"}
    degree = np.bincount(version.edges("edge")["src"].to_numpy(), minlength=80)
    assert plots["Out-degree, edge"].median == np.median(degree)


def test_a_matrix_counts_edges_between_classes(versions: dict[str, Version]) -> None:
    version = versions["node"]
    made = make_matrix(version)
    assert made is not None
    matrix, png = made
    labels = node_labels(version, version.manifest.tasks[0])
    group = np.where(labels < 0, 3, labels)
    expected = np.zeros((4, 4), dtype=int)
    edges = version.edges("edge")
    for src, dst in zip(edges["src"].to_pylist(), edges["dst"].to_pylist(), strict=True):
        expected[group[src], group[dst]] += 1
        expected[group[dst], group[src]] += 1
    assert matrix.between == expected.tolist()
    assert matrix.groups == ["red", "green", "blue", "unknown"]
    image = np.asarray(Image.open(io.BytesIO(png)))
    zoom = len(image) // version.manifest.num_nodes
    assert (image[::zoom, ::zoom] > 0).sum() == 2 * len(edges)


def test_the_first_rows_are_those_of_the_tables(spatial: Version) -> None:
    nodes, edges = first_rows(spatial)
    assert nodes.columns == ["node", *spatial.nodes().column_names]
    assert [row[0] for row in nodes.rows] == ["0", "1", "2", "3", "4", "5"]
    assert edges.rows[0][:2] == [str(spatial.edges("edge")[c][0]) for c in ("src", "dst")]


def test_the_files_of_an_exhibit_are_served_like_any(board: Local) -> None:
    place = f"{API}/datasets/toy-sealed/1.0.0/files/pages"
    index = board.client.get(f"{place}/exhibit.json")
    assert index.headers["content-type"] == "application/json"
    for path, (sha256, size) in index.json()["files"].items():
        answer = board.client.get(f"{API}/datasets/toy-sealed/1.0.0/files/{path}")
        assert answer.headers["etag"] == f'"{sha256}"'
        assert "immutable" in answer.headers["cache-control"]
        assert len(answer.content) == size
    still = board.client.get(f"{place}/{STILL}")
    assert Image.open(io.BytesIO(still.content)).size == tuple(index.json()["still_size"])
    tag = {"If-None-Match": still.headers["etag"]}
    assert board.client.get(f"{place}/{STILL}", headers=tag).status_code == 304
    assert decode(board.client.get(f"{place}/{SCENE}").content)[0] == index.json()["scene"]
    assert ABSENT == 255
