"""OGB's files become a dataset; the oracle is the dataset that was exported, and numpy."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from retia.datasets.ogb.build import OgbOptions, import_ogb
from retia.datasets.ogb.folder import read_ogb
from retia.protocol.audit import audit
from retia.shards.arrays import edge_arrays, node_labels, node_matrix, pair_answers, pair_items
from retia.shards.errors import InputError
from retia.shards.ogb import export_ogb
from retia.shards.version import Version
from tests.toys import toy_link, toy_node

Command = Callable[..., int]


def imported(folder: Path, out: Path, **options: object) -> Version:
    (built,) = import_ogb(folder, OgbOptions(**({"name": "back"} | options)), out)
    assert built.version.verify() == []
    return built.version


def edges_of(version: Version, relation: str) -> set[tuple[int, int]]:
    return {tuple(pair) for pair in edge_arrays(version, relation)[0].T.tolist()}


@pytest.mark.parametrize("spatial", [False, True])
def test_exported_links_come_back(tmp_path: Path, spatial: bool) -> None:
    first = toy_link(tmp_path, spatial=spatial, num_nodes=600 if spatial else 80)
    home = export_ogb(first, "link", tmp_path / "ogb", split=1).parent
    back = imported(home, tmp_path / "in", scheme="random-1")
    assert edges_of(back, "edge") == edges_of(first, "edge")
    assert back.manifest.directed == first.manifest.directed
    np.testing.assert_array_equal(edge_arrays(back, "edge")[1], edge_arrays(first, "edge")[1])
    np.testing.assert_array_equal(node_matrix(back, "position"), node_matrix(first, "position"))
    split = torch.load(next(home.glob("*/split/random-1/split_dict.pt")), weights_only=True)
    for part in ("valid", "test"):
        pairs, answers = pair_items(back, "link", 0, part), pair_answers(back, "link", 0, part)
        for label, key in ((1, "edge"), (0, "edge_neg")):
            found = {tuple(pair) for pair in pairs.pairs.T[answers.label == label].tolist()}
            assert found == {tuple(pair) for pair in split[part][key].tolist()}
        assert set(answers.candidates) == {"uniform"}
    assert [f for f in audit(back) if f.status == "failed"] == []


def test_exported_nodes_come_back(tmp_path: Path) -> None:
    first = toy_node(tmp_path)
    task = first.manifest.tasks[0].name
    home = export_ogb(first, task, tmp_path / "ogb").parent
    back = imported(home, tmp_path / "in", scheme="random-0")
    np.testing.assert_array_equal(
        node_labels(back, back.manifest.task("label")), node_labels(first, first.manifest.task())
    )
    for part in ("valid", "test"):
        wanted = first.task_table(task, 0, part)["item"].to_pylist()
        assert back.task_table("label", 0, part)["item"].to_pylist() == sorted(wanted)
    assert [f for f in audit(back) if f.status == "failed"] == []


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A folder as OGB downloads ogbl-vessel: npz, both directions, arrays in a file a part."""
    folder = tmp_path / "ogbl_vessel"
    (folder / "raw").mkdir(parents=True)
    (folder / "split" / "spatial").mkdir(parents=True)
    rng = np.random.default_rng(0)
    pairs = np.column_stack(np.triu_indices(40, k=1))
    pairs = pairs[rng.permutation(len(pairs))[:200]]
    parts = {"train": pairs[:80], "valid": pairs[80:100], "test": pairs[100:120]}
    negatives = {"train": pairs[120:140], "valid": pairs[140:160], "test": pairs[160:180]}
    for part, edge in parts.items():
        content = {"edge": edge, "edge_neg": negatives[part]}
        torch.save(content, folder / "split" / "spatial" / f"{part}.pt")
    both = np.concatenate([parts["train"], parts["train"][:, ::-1]]).T
    np.savez(
        folder / "raw" / "data.npz",
        edge_index=both,
        node_feat=rng.normal(size=(40, 3)).astype(np.float32),
        num_nodes_list=np.array([40]),
        num_edges_list=np.array([both.shape[1]]),
    )
    return folder


def test_a_download_with_arrays_in_its_split_is_read(
    download: Path, tmp_path: Path, retia: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("import", "ogb", download, "--positions", "--negatives", "box", "--json")
    assert retia(*words, "--out", tmp_path / "out", "--license", "CC-BY-NC-4.0") == 0
    (row,) = json.loads(capsys.readouterr().out)
    version = Version.open(Path(row["path"]))
    manifest = version.manifest
    assert manifest.name == "ogbl-vessel"
    assert [column.role for column in manifest.columns] == ["position", "feature"]
    assert not manifest.directed
    assert manifest.relation("edge").num_edges == 80
    counts = manifest.task("link").counts[0]
    assert (counts.train, counts.valid, counts.valid_positives) == (80, 40, 20)
    assert manifest.task("link").primary.key == "box.rocauc"
    assert len(manifest.provenance.sources) == 4


def test_csv_parts_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "ogbn_small"
    tables = {
        "raw/edge": "0,1\n1,2\n2,2\n0,1\n3,0\n",
        "raw/node-feat": "0.5,1\n1,2\n2,3\n3,4\n",
        "raw/node-label": "0\n1\n1\n0\n",
        "raw/num-node-list": "4\n",
        "raw/num-edge-list": "5\n",
        "split/time/train": "0\n1\n",
        "split/time/valid": "2\n",
        "split/time/test": "3\n",
    }
    for name, text in tables.items():
        path = folder / f"{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    version = imported(folder, tmp_path / "out")
    assert edges_of(version, "edge") == {(0, 1), (1, 2), (3, 0)}
    report = version.manifest.provenance.parameters["report"]
    assert report == {"self_loops_dropped": 1, "duplicates_dropped": 1}
    assert node_labels(version, version.manifest.task()).tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(
        np.stack(version.nodes(["feat"])["feat"].to_numpy()), [[0.5, 1], [1, 2], [2, 3], [3, 4]]
    )


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(
    download: Path, tmp_path: Path, retia: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    trap = tmp_path / "sprung"
    torch.save({"edge": Hostile(trap)}, download / "split" / "spatial" / "valid.pt")
    assert retia("import", "ogb", download, "--out", tmp_path / "out") == 2
    captured = capsys.readouterr().err
    assert "valid.pt: no file of tensors and arrays alone" in captured
    assert captured.count("\n") == 1
    assert not trap.exists()
    assert not (tmp_path / "out").exists()


def test_pickles_in_npz_files_are_refused(download: Path) -> None:
    np.savez(download / "raw" / "data.npz", edge_index=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"data\.npz: no readable npz of numbers"):
        read_ogb(download, None, "CC0-1.0")


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no split": (lambda f: [p.unlink() for p in f.glob("split/*/*")], "no file of tensors"),
    "no raw": (lambda f: (f / "raw" / "data.npz").rename(f / "x.npz"), "no readable table"),
    "two splits": (lambda f: (f / "split" / "random").mkdir(), "there are: random, spatial"),
    "a node too many": (
        lambda f: np.savez(
            f / "raw" / "data.npz",
            edge_index=np.array([[0, 40], [1, 2]]),
            num_nodes_list=np.array([40]),
        ),
        "node 40",
    ),
    "negatives by source": (
        lambda f: torch.save(
            {"source_node": torch.zeros(3), "target_node_neg": torch.zeros(3, 5)},
            f / "split" / "spatial" / "test.pt",
        ),
        "part test holds source_node, target_node_neg; edge and edge_neg are needed",
    ),
    "training edges that are not there": (
        lambda f: torch.save(
            {"edge": torch.tensor([[0, 0]])}, f / "split" / "spatial" / "train.pt"
        ),
        "1 training edges are not among the edges",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_imported_is_named(download: Path, tmp_path: Path, name: str) -> None:
    spoil, message = BAD[name]
    spoil(download)
    with pytest.raises(InputError, match=message):
        imported(download, tmp_path / "out")
    assert not (tmp_path / "out").exists()
