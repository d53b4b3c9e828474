from pathlib import Path

import pyarrow as pa
import pytest

from retia.shards.manifest import Relation
from retia.shards.version import Version
from retia.shards.writer import write_version
from tests.loaders.server import running
from tests.toys import toy_link, toy_node


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody writes to: an open and a sealed link dataset, node datasets."""
    folder = tmp_path_factory.mktemp("store")
    toy_link(folder)
    toy_link(folder, version="1.0.1", seed=3)
    toy_link(folder, name="toy-sealed", sealed=True)
    toy_link(folder, name="toy-spatial", spatial=True, num_nodes=400)
    toy_node(folder)
    toy_node(folder, name="toy-node-sealed", sealed=True)
    return folder


@pytest.fixture
def server(store: Path):
    with running(store) as started:
        yield started


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's store, cache or tokens."""
    for name in ("STORE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"RETIA_{name}", str(tmp_path / name.lower()))
    monkeypatch.delenv("RETIA_TOKEN", raising=False)


@pytest.fixture(scope="session")
def two_relations(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The directed toy with a further, undirected relation `gap-junction`: 0-1 and 1-2."""
    toy = Version.open(store / "toy-link/1.0.0")
    header = {
        name: getattr(toy.manifest, name)
        for name in type(toy.manifest).model_fields
        if name not in {"schema_", "name", "version", "shards", "created", "digest"}
    }
    del header["sealed_commitment"]
    gap = Relation(name="gap-junction", directed=False, num_edges=2)
    header["relations"] = (*header["relations"], gap)
    out = tmp_path_factory.mktemp("two")
    with write_version(out, "toy-two", "1.0.0") as writer:
        for table in dict.fromkeys(shard.table for shard in toy.manifest.shards):
            writer.add(table, toy.table(table))
        ends = {"src": pa.array([0, 1], pa.int32()), "dst": pa.array([1, 2], pa.int32())}
        writer.add("edges/gap-junction", pa.table(ends))
        writer.finish(**header)
    return Version.open(out / "toy-two/1.0.0")
