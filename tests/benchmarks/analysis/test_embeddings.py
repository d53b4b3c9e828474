"""The probe set, and the files of embeddings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.benchmarks.analysis.embeddings import PROBES, Embedding, Head, probe_nodes
from retia.shards.errors import InputError, IntegrityError
from retia.shards.version import Version


def of_size(version: Version, num_nodes: int, **changes: str) -> Version:
    manifest = version.manifest.model_copy(update={"num_nodes": num_nodes, **changes})
    return Version(version.root, manifest)


def test_probe_set_is_a_function_of_the_digest(communities: Version) -> None:
    large = of_size(communities, 10_000)
    nodes = probe_nodes(large)
    assert len(nodes) == PROBES
    assert np.all(np.diff(nodes) > 0)
    assert nodes[-1] > 9_000
    assert np.array_equal(nodes, probe_nodes(large))
    other = of_size(communities, 10_000, digest="0" * 64)
    assert not np.array_equal(nodes, probe_nodes(other))


def test_probe_set_of_a_small_graph_is_all_of_it(communities: Version) -> None:
    assert probe_nodes(communities).tolist() == list(range(80))


@pytest.mark.parametrize("several", [False, True])
def test_files_give_back_what_was_written(
    several: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    head = Head(rng.normal(size=(4, 3)), rng.normal(size=4), several)
    written = Embedding(np.array([2, 5, 9]), rng.normal(size=(3, 3)), head)
    written.write(tmp_path)
    found = Embedding.read(tmp_path)
    assert found.nodes.tolist() == [2, 5, 9]
    assert found.z == pytest.approx(written.z, rel=1e-6)
    assert found.head is not None
    assert found.head.several == several
    assert found.head.weight == pytest.approx(head.weight, rel=1e-6)
    assert found.head.bias == pytest.approx(head.bias, rel=1e-6)
    table = pq.read_table(tmp_path / "embeddings.parquet")
    assert table.column_names == ["node", "z0", "z1", "z2"]
    assert table.schema.types == [pa.int64(), pa.float32(), pa.float32(), pa.float32()]


GOOD = {"node": [0, 1], "z0": [0.5, 1.0], "z1": [0.0, 2.0]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z1": [0.0, float("nan")]}, "row 1, column z1 is not finite"),
        ({"z1": [None, 1.0]}, "row 0, column z1 is not finite"),
        ({"z1": ["a", "b"]}, "not of numbers"),
        ({"node": [0.0, 1.0]}, "first column is not 'node'"),
        ({"z3": [0.0, 1.0]}, "are not z0, z1"),
    ],
)
def test_unusable_files_are_refused(changes: dict, message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(GOOD | changes), tmp_path / "embeddings.parquet")
    with pytest.raises(IntegrityError, match=message):
        Embedding.read(tmp_path)


def test_absent_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with --embeddings"):
        Embedding.read(tmp_path)
    (tmp_path / "embeddings.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match="not readable as Parquet"):
        Embedding.read(tmp_path)


def test_a_head_of_another_width_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    wide = Head(rng.normal(size=(2, 5)), np.zeros(2), several=False)
    embedding = Embedding(np.arange(4), rng.normal(size=(4, 5)), wide)
    embedding.write(tmp_path)
    replace(embedding, z=embedding.z[:, :3], head=None).write(tmp_path)
    with pytest.raises(IntegrityError, match=r"5 weights a class for embeddings of 3"):
        Embedding.read(tmp_path)
