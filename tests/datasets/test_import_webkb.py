"""Geom-GCN's files become a dataset; the oracle is PyG's own reader."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retia.datasets.webkb.build import WebkbOptions, import_webkb
from retia.protocol.audit import audit
from retia.shards.arrays import edge_arrays, feature_matrix, node_labels
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.conftest import NO_DATA
from tests.geom_gcn import write_geom_gcn

Command = Callable[..., int]

NODES, EDGES = "out1_node_feature_label.txt", "out1_graph_edges.txt"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Six pages, a link that stands twice and one from a page to itself; two splits."""
    features = np.random.default_rng(0).integers(2, size=(6, 4))
    edges = np.array([[0, 1], [1, 0], [2, 2], [0, 1], [3, 5]])
    split = {"train": [0, 1], "val": [2, 3], "test": [4, 5]}
    splits = [split, {"train": [5, 4], "val": [3], "test": [0]}]
    return write_geom_gcn(tmp_path / "pages", features, np.arange(6) % 2, edges, splits)


def imported(folder: Path, out: Path) -> Version:
    (built,) = import_webkb(folder, WebkbOptions(), out)
    assert built.version.verify() == []
    return built.version


def test_texas_is_as_pyg_reads_it(data: Path, tmp_path: Path) -> None:
    from torch_geometric.datasets import WebKB

    if not (data / "heterophily" / "texas").is_dir():
        pytest.skip(NO_DATA)
    shutil.copytree(data / "heterophily" / "texas", tmp_path / "texas")
    version, theirs = imported(tmp_path / "texas", tmp_path / "out"), WebKB(tmp_path, "texas")[0]
    assert version.manifest.num_nodes == 183
    np.testing.assert_array_equal(feature_matrix(version), theirs.x.numpy())
    found = {tuple(pair) for pair in edge_arrays(version, "link")[0].T.tolist()}
    assert found == {(src, dst) for src, dst in theirs.edge_index.T.tolist() if src != dst}
    assert len(found) == 309
    masks = {"train": theirs.train_mask, "valid": theirs.val_mask, "test": theirs.test_mask}
    assert version.manifest.task().num_splits == 10
    for split in range(10):
        for part, mask in masks.items():
            column = "node" if part == "train" else "item"
            nodes = version.task_table("category", split, part)[column].to_numpy()
            np.testing.assert_array_equal(nodes, np.flatnonzero(mask[:, split].numpy()))
    np.testing.assert_array_equal(node_labels(version, version.manifest.task()), theirs.y.numpy())
    assert [finding for finding in audit(version) if finding.status == "failed"] == []


def test_the_command_imports_the_same_bytes_twice(
    pages: Path, tmp_path: Path, retia: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for out in ("first", "second"):
        words = ("import", "webkb", pages, "--license", "CC0-1.0", "--json")
        assert retia(*words, "--out", tmp_path / out) == 0
        rows += json.loads(capsys.readouterr().out)
    assert rows[0]["digest"] == rows[1]["digest"]
    manifest = Version.open(Path(rows[0]["path"])).manifest
    assert (manifest.name, manifest.license, manifest.directed) == ("pages", "CC0-1.0", True)
    report = manifest.provenance.parameters["report"]
    assert report == {"self_loops_dropped": 1, "duplicates_dropped": 1}
    assert manifest.relation("link").num_edges == 3
    assert [count.test for count in manifest.task().counts] == [2, 1]


def test_rows_may_stand_in_any_order(pages: Path, tmp_path: Path) -> None:
    first = imported(pages, tmp_path / "first")
    head, *rows = (pages / "raw" / NODES).read_text().splitlines()
    (pages / "raw" / NODES).write_text("\n".join([head, *rows[::-1]]))
    np.testing.assert_array_equal(
        feature_matrix(imported(pages, tmp_path / "second")), feature_matrix(first)
    )


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(raw: Path) -> None:
        text = (raw / name).read_text()
        assert old in text
        (raw / name).write_text(text.replace(old, new, 1))

    return spoil


def masks(**given: object) -> Callable[[Path], None]:
    """Other masks in the second split."""
    whole = {f"{part}_mask": np.eye(6, dtype=bool)[i] for i, part in enumerate(PARTS)}
    kept = {name: value for name, value in {**whole, **given}.items() if value is not None}
    return lambda raw: np.savez(raw / "pages_split_0.6_0.2_1.npz", **kept)


PARTS = ("train", "val", "test")
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no nodes": (lambda raw: (raw / NODES).unlink(), f"{NODES}: no such file"),
    "other columns": (replace(NODES, "feature", "words"), "columns node_id, words, label"),
    "no rows": (lambda raw: (raw / EDGES).write_text("node_id\tnode_id\n"), "no line after"),
    "a node twice": (replace(NODES, "\n3\t", "\n2\t"), "each once; 3 is not there or stands twice"),
    "a row too short": (replace(NODES, ",", ""), "node 1 has 4 features, and node 0 has 3"),
    "no number": (replace(NODES, "\t0,", "\tx,"), "a feature is no number"),
    "not finite": (replace(NODES, "\t0,", "\tnan,"), "a feature is not a finite number"),
    "no label": (replace(NODES, "\t1\n", "\t-1\n"), "node 1 has the label -1"),
    "a link to nowhere": (replace(EDGES, "3\t5", "3\t6"), "line 6 joins 3 to 6 of 6 nodes"),
    "a link of three": (replace(EDGES, "3\t5", "3\t5\t1"), "no readable table"),
    "no splits": (lambda raw: [path.unlink() for path in raw.glob("*.npz")], "not none"),
    "a split missing": (
        lambda raw: (raw / "pages_split_0.6_0.2_0.npz").unlink(),
        r"pages_split_0\.6_0\.2_0\.npz: no such file",
    ),
    "two sets of splits": (
        lambda raw: shutil.copy(raw / "pages_split_0.6_0.2_0.npz", raw / "a_split_0.5_0.npz"),
        r"not a_split_0\.5, pages_split_0\.6_0\.2",
    ),
    "no npz": (lambda raw: (raw / "pages_split_0.6_0.2_1.npz").write_text("x"), "no readable npz"),
    "a pickle": (masks(val_mask=np.array([{}] * 6)), "no readable npz of masks"),
    "no mask": (masks(val_mask=None), "train_mask, val_mask, test_mask are needed"),
    "a short mask": (masks(val_mask=np.ones(5, bool)), "0 or 1 for each of 6 nodes"),
    "no mask of truth": (masks(val_mask=np.full(6, -1)), "0 or 1 for each of 6 nodes"),
    "an empty part": (masks(test_mask=np.zeros(6, bool)), "test_mask holds no node"),
    "a node in two parts": (masks(test_mask=np.ones(6, bool)), "node 0 is in two parts"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_imported_is_named(pages: Path, tmp_path: Path, name: str) -> None:
    spoil, message = BAD[name]
    spoil(pages / "raw")
    with pytest.raises(InputError, match=message) as caught:
        imported(pages, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder raw/ here"):
        imported(tmp_path, tmp_path / "out")
