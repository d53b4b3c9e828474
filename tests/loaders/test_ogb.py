"""OGB's own loaders read what Retia exports, and find the values of the shard set."""

import csv
import gzip
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from retia.datasets.connectome.build import build_connectome
from retia.datasets.connectome.options import ConnectomeOptions
from retia.shards.canonical import sha256_file
from retia.shards.errors import InputError, MissingExtraError, NotFoundError
from retia.shards.ogb import export_ogb
from retia.shards.version import Version
from tests.loaders.server import running
from tests.worm_files import WormFiles

CASES = {"toy-link": "link", "toy-spatial": "link", "toy-node": "colour"}

# Runs twice in one folder. `outdated` is what OGB asks the package index with when imported.
LOADER = """
import sys
sys.modules["outdated"] = None
import numpy as np, torch
from pathlib import Path
from ogb.linkproppred import LinkPropPredDataset, PygLinkPropPredDataset
from ogb.nodeproppred import NodePropPredDataset, PygNodePropPredDataset

def number(value):
    return value.numpy() if torch.is_tensor(value) else np.asarray(value)

def read(library, export):
    meta = torch.load(export / "meta_dict.pt", weights_only=True)
    name = export.name.replace("_", "-", 1)
    link = name.startswith("ogbl")
    plain, pyg = (
        (LinkPropPredDataset, PygLinkPropPredDataset) if link
        else (NodePropPredDataset, PygNodePropPredDataset)
    )
    dataset = (pyg if library == "pyg" else plain)(name, meta_dict=meta)
    split = dataset.get_edge_split() if link else dataset.get_idx_split()
    found = {}
    for part, value in split.items():
        for key, array in (value.items() if link else [("node", value)]):
            found[f"{part}_{key}"] = number(array)
    if library == "pyg":
        data = dataset[0]
        for key in ("edge_index", "edge_attr", "x", "node_pos", "y", "num_nodes"):
            if data.get(key) is not None:
                found[key] = number(data[key])
    else:
        graph = dataset[0] if link else dataset[0][0]
        keys = {"edge_feat": "edge_attr", "node_feat": "x"}
        found |= {keys.get(k, k): number(v) for k, v in graph.items() if v is not None}
        if not link:
            found["y"] = dataset.labels
    return found

run, *exports = sys.argv[1:]
for export in map(Path, exports):
    for library in ("plain", "pyg"):
        np.savez(export / f"found-{library}-{run}.npz", **read(library, export))
"""


@pytest.fixture(scope="module")
def exports(store, tmp_path_factory) -> dict[str, Path]:
    """Three exports, each read twice by the library-agnostic and by the PyG loader."""
    out = tmp_path_factory.mktemp("ogb")
    folders = {}
    for name, task in CASES.items():
        folders[name] = export_ogb(newest(store, name), task, out, split=1).parent
    for run in ("first", "second"):
        ogb(LOADER, run, *folders.values(), cwd=out)
    return folders


def ogb(code: str, *words: object, cwd: Path) -> None:
    environment = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def newest(store: Path, name: str) -> Version:
    return Version.open(sorted((store / name).glob("[0-9]*"))[-1])


def rows(table, *names):
    return np.stack([table[name].to_numpy() for name in names])


@pytest.fixture(params=[(lib, run) for lib in ("plain", "pyg") for run in ("first", "second")])
def read(request, exports):
    library, run = request.param
    return lambda name: np.load(exports[name] / f"found-{library}-{run}.npz")


def test_ogb_reads_the_graph(store, read):
    for name in CASES:
        found, version = read(name), newest(store, name)
        edges = version.edges("edge")
        once = rows(edges, "src", "dst")
        if name == "toy-link":
            assert np.array_equal(found["edge_index"], once)
        else:
            assert np.array_equal(found["edge_index"], np.concatenate([once, once[::-1]], axis=1))
        assert np.array_equal(found["edge_attr"][: edges.num_rows, 0], edges["weight"].to_numpy())
        features = [c.name for c in version.manifest.columns if c.role == "feature"]
        assert np.array_equal(found["x"], rows(version.nodes(), *features).T)
        assert found["num_nodes"] == version.manifest.num_nodes
        if name == "toy-spatial":
            assert np.array_equal(found["node_pos"], version.nodes()["pos"].to_pylist())


@pytest.mark.parametrize("name", ["toy-link", "toy-spatial"])
def test_ogb_reads_the_edges_of_the_primary_set(store, read, name):
    check_pairs(read(name), newest(store, name), "link", split=1)


def check_pairs(found, version, task, split):
    """The pairs that OGB's loaders give are those of the split and of its primary set."""
    primary = version.manifest.task(task).primary.candidates
    train = rows(version.task_table(task, split, "train"), "src", "dst").T
    assert np.array_equal(found["train_edge"], train)
    for part in ("valid", "test"):
        items = version.task_table(task, split, part).to_pandas().set_index("item")
        items["label"] = version.answers(task, split, part).to_pandas().set_index("item")["label"]
        sets = version.answers(task, split, part, "candidates").to_pandas()
        members = items.loc[sets[sets["candidates"] == primary]["item"]]
        for key, label in (("edge", 1), ("edge_neg", 0)):
            wanted = members[members["label"] == label][["src", "dst"]].to_numpy()
            assert np.array_equal(found[f"{part}_{key}"], wanted)


def test_ogb_reads_groups_where_the_primary_set_is_grouped(store, read):
    """On the directed toy a group is a source."""
    found = read("toy-link")
    for part in ("valid", "test"):
        assert np.array_equal(found[f"{part}_edge_group"], found[f"{part}_edge"][:, 0])
        assert np.array_equal(found[f"{part}_edge_neg_group"], found[f"{part}_edge_neg"][:, 0])
    assert "valid_edge_group" not in read("toy-spatial")


def test_ogb_reads_labels_and_parts_of_nodes(store, read):
    found, version = read("toy-node"), newest(store, "toy-node")
    assert found["y"].shape == (80, 1)
    assert np.isnan(found["y"][:3]).all(), "the toy's first nodes have no label"
    check_nodes(found, version, "colour", split=1)


def check_nodes(found, version, task, split):
    """The nodes that OGB's loaders give are those of the split's parts, with their labels."""
    for part, key in (("train", "node"), ("valid", "item"), ("test", "item")):
        node = version.task_table(task, split, part)[key].to_numpy()
        assert np.array_equal(found[f"{part}_node"], node)
        table = version.task_table(task, split, "train" if part == "train" else f"{part}-answers")
        assert np.array_equal(found["y"][table[key].to_numpy(), 0], table["label"].to_numpy())


@pytest.fixture(scope="module")
def worm(data: Path, tmp_path_factory) -> list[tuple[Version, Path]]:
    """`celegans-link` and `celegans-node` with their exports, each read twice."""
    out = tmp_path_factory.mktemp("worm")
    source = WormFiles(data / "connectome" / "celegans")
    built = build_connectome(source, ConnectomeOptions(name="celegans"), out / "store")
    versions = [one.version for one in built if not one.version.manifest.name.endswith("weight")]
    folders = [export_ogb(each, each.manifest.tasks[0].name, out).parent for each in versions]
    for run in ("first", "second"):
        ogb(LOADER, run, *folders, cwd=out)
    return list(zip(versions, folders, strict=True))


@pytest.mark.parametrize("library", ["plain", "pyg"])
@pytest.mark.parametrize("run", ["first", "second"])
def test_ogb_reads_the_worm_twice(worm, library, run):
    (link, links), (node, nodes) = ((v, np.load(f / f"found-{library}-{run}.npz")) for v, f in worm)
    for version, found in ((link, links), (node, nodes)):
        edges = version.edges("chemical")
        assert np.array_equal(found["edge_index"], rows(edges, "src", "dst"))
        assert np.array_equal(found["edge_attr"][:, 0], edges["weight"].to_numpy())
        width = sum(column.shape[0] if column.shape else 1 for column in version.manifest.columns)
        assert found["x"].shape == (302, width)
    check_pairs(links, link, "chemical", split=0)
    check_nodes(nodes, node, "class", split=0)
    assert np.isnan(nodes["y"]).sum() == 7


DOWNLOADER = """
import sys
sys.modules["outdated"] = None
import torch
from ogb.linkproppred import PygLinkPropPredDataset
meta = torch.load(sys.argv[1], weights_only=True)
meta["url"], meta["dir_path"] = sys.argv[2], "fresh"
for _ in range(2):
    dataset = PygLinkPropPredDataset("ogbl-toy-link", meta_dict=meta)
assert dataset[0].num_nodes == 80
"""


def test_ogb_downloads_the_zip_from_a_server(exports, tmp_path):
    folder = exports["toy-link"]
    with running(tmp_path) as server:
        content = (folder / "toy_link.zip").read_bytes()
        server.faults.answers["/toy_link.zip"] = (200, {}, content)
        url = f"{server.url}/toy_link.zip"
        ogb(DOWNLOADER, folder / "meta_dict.pt", url, cwd=tmp_path)


def test_the_same_task_gives_the_same_zip(store, tmp_path):
    version = newest(store, "toy-spatial")
    first, second = (export_ogb(version, "link", tmp_path / name) for name in "ab")
    assert sha256_file(first) == sha256_file(second)
    assert export_ogb(version, "link", tmp_path / "a") == first, "an export is replaced"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["ogbl_toy_spatial"]


def test_the_zip_has_one_top_folder_and_no_odd_paths(store, tmp_path):
    path = export_ogb(newest(store, "toy-link"), "link", tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"toy_link"}
    assert {"toy_link/processed/", "toy_link/RELEASE_v1.txt"} <= set(names)
    assert {f"toy_link/split/random-{i}/split_dict.pt" for i in range(10)} <= set(names)


def test_split_files_need_no_pickle_to_be_read(store, tmp_path):
    folder = export_ogb(newest(store, "toy-node"), "colour", tmp_path).with_suffix("")
    split = torch.load(folder / "split/random-0/split_dict.pt", weights_only=True)
    assert set(split) == {"train", "valid", "test"}


def test_the_mapping_names_nodes_classes_and_further_relations(store, two_relations, tmp_path):
    folder = export_ogb(two_relations, "link", tmp_path).with_suffix("") / "mapping"
    assert read_csv(folder / "edges-gap-junction.csv.gz") == [
        ["src", "dst"],
        ["0", "1"],
        ["1", "2"],
    ]
    assert read_csv(folder / "nodeidx2id.csv.gz")[1] == ["0", "n0"]
    assert "gap-junction" in (folder / "README.md").read_text()
    folder = export_ogb(newest(store, "toy-node"), "colour", tmp_path).with_suffix("") / "mapping"
    assert [row[1] for row in read_csv(folder / "labelidx2class.csv.gz")[1:]] == [
        "red",
        "green",
        "blue",
    ]


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))


@pytest.mark.parametrize(("name", "task"), [("toy-sealed", "link"), ("toy-node-sealed", "colour")])
def test_a_sealed_task_is_not_exported(store, tmp_path, name, task):
    with pytest.raises(InputError, match="sealed"):
        export_ogb(newest(store, name), task, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(store, tmp_path):
    version = newest(store, "toy-link")
    with pytest.raises(NotFoundError, match="no task 'nodes'"):
        export_ogb(version, "nodes", tmp_path)
    with pytest.raises(NotFoundError, match="no split 10"):
        export_ogb(version, "link", tmp_path, split=10)


def test_without_torch_the_missing_part_is_named_and_nothing_is_left(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"retia\[bench\]"):
        export_ogb(newest(store, "toy-link"), "link", tmp_path)
    assert list(tmp_path.iterdir()) == []
