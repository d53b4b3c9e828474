"""Encodings are downloaded by name, and stand after the features."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import retia
from retia.shards.arrays import encoding_matrix
from retia.shards.errors import InputError, IntegrityError, NotFoundError
from retia.shards.ogb import export_ogb
from retia.shards.version import Version
from tests.loaders.server import running
from tests.loaders.test_cli import retia as command
from tests.toy_labels import toy_tagged, toy_tags
from tests.toy_text import toy_text


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    toy_text(folder)
    toy_tagged(folder)
    return folder


@pytest.fixture
def server(texts: Path):
    with running(texts) as started:
        yield started


def asked_encodings(server) -> set[str]:
    paths = [path for _, path, _ in server.requests if "files/encodings/" in path]
    return {path.split("files/encodings/")[1].split("/")[0] for path in paths}


def test_no_encoding_is_downloaded_unless_it_is_named(server, cache):
    dataset = retia.load("toy-text", server=server.url, cache=cache)
    assert asked_encodings(server) == set()
    assert dataset.version.absent_encodings() == ("good", "noise")
    assert dataset.data.x.shape == (90, 1), "missing_text alone"


def test_the_named_encoding_alone_is_downloaded_and_stands_after_the_features(server, texts, cache):
    dataset = retia.load("toy-text", server=server.url, cache=cache, encoding="good")
    assert asked_encodings(server) == {"good"}
    vectors = encoding_matrix(Version.open(texts / "toy-text/1.0.0"), "good")
    assert np.array_equal(dataset.data.x[:, 1:], vectors)
    assert np.array_equal(dataset.data.x[:, 0] > 0, np.arange(90) % 5 == 0)


def test_a_further_encoding_is_added_to_what_is_there(server, cache):
    retia.load("toy-text", server=server.url, cache=cache, encoding="good")
    before = len(server.requests)
    retia.load("toy-text", server=server.url, cache=cache, encoding="noise")
    assert len(server.requests) == before + 3, "the version, its manifest, one file"
    again = retia.load("toy-text", cache=cache, encoding="good")
    assert again.version.absent_encodings() == ()


def test_an_unknown_encoding_is_refused_before_anything_is_downloaded(server, cache):
    with pytest.raises(NotFoundError, match="no encoding 'bert'; it has: good, noise"):
        retia.load("toy-text", server=server.url, cache=cache, encoding="bert")
    assert not [path for _, path, _ in server.requests if "/files/" in path]


def test_an_encoding_that_the_cache_lacks_is_told_how_to_get(server, cache):
    retia.load("toy-text", server=server.url, cache=cache)
    for reference in ("toy-text", str(cache / "toy-text/1.0.0")):
        with pytest.raises(NotFoundError, match=r"retia download toy-text@1\.0\.0 --encoding good"):
            retia.load(reference, cache=cache, encoding="good")


def test_an_altered_file_of_the_encoding_is_refused(tmp_path):
    version = toy_text(tmp_path)
    path = version.root / "encodings/good/part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    retia.load("toy-text", store=tmp_path, encoding="noise")
    with pytest.raises(IntegrityError, match="encodings/good"):
        retia.load("toy-text", store=tmp_path, encoding="good")


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        ((), ()),
        (("--no-encodings",), ("good", "noise")),
        (("--encoding", "noise"), ("good",)),
    ],
)
def test_download_takes_all_encodings_or_those_named(server, tmp_path, words, absent):
    command("download", "toy-text", "--server", server.url, "--out", tmp_path, *words)
    version = Version.open(tmp_path / "toy-text/1.0.0")
    assert version.absent_encodings() == absent
    shown = command("inspect", version.root, "--verify")
    assert ("not downloaded: the encodings " + ", ".join(absent) in shown) == bool(absent)
    assert "all sums right" in shown and "float16" in shown
    checked = json.loads(command("inspect", version.root, "--verify", "--json"))
    assert (checked["problems"], tuple(checked["absent_encodings"])) == ([], absent)


def test_all_and_none_exclude_each_other(server):
    words = ("--server", server.url, "--encoding", "good", "--no-encodings")
    assert "exclude" in command("download", "toy-text", *words, rc=InputError.exit_code)


def test_texts_are_in_frames_and_graphs_and_no_numbers(texts):
    dataset = retia.load("toy-text", store=texts)
    nodes, edges = dataset.as_pandas()
    assert nodes["text"][0] == "" and nodes["text"][1].startswith("the ")
    assert (nodes["missing_text"] == (nodes["text"] == "")).all()
    first = edges["says"].iloc[0]
    assert first["text"] == f"{first['src']} to {first['dst']}"
    graph = dataset.as_networkx()
    assert graph.nodes[1]["text"] == nodes["text"][1]
    assert graph.edges[first["src"], first["dst"]]["text"] == first["text"]
    assert "edge_attr" not in dataset.data


def test_labels_of_several_classes_are_a_matrix(texts):
    dataset = retia.load("toy-tags", store=texts)
    labels, labelled = toy_tags()
    y = dataset.data.y
    assert y.dtype == torch.float32 and np.array_equal(torch.isnan(y).all(dim=1), ~labelled)
    assert np.array_equal(y[labelled] > 0, labels[labelled])
    split = dataset.split(index=3)
    assert split.test_label.dtype == torch.bool
    assert np.array_equal(split.test_label, labels[split.test_node])


def test_an_export_has_the_encoding_that_is_named(texts, tmp_path):
    version = Version.open(texts / "toy-text/1.0.0")
    widths = {}
    for encoding in (None, "good"):
        path = export_ogb(version, "colour", tmp_path, encoding=encoding)
        with np.load(path.with_suffix("") / "raw/data.npz") as data:
            widths[encoding] = data["node_feat"].shape[1]
    assert widths == {None: 1, "good": 5}
