import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retia.datasets.connectome.build import build_connectome
from retia.datasets.connectome.options import ConnectomeOptions
from retia.datasets.connectome.worm import CLASSES
from retia.datasets.pinned import SOURCES
from retia.protocol.audit import audit
from retia.shards.version import Version
from tests.worm_files import WormFiles


def options(**changes: object) -> ConnectomeOptions:
    return ConnectomeOptions(**({"name": "celegans"} | changes))


@pytest.fixture(scope="module")
def files(data: Path) -> WormFiles:
    return WormFiles(data / "connectome" / "celegans")


@pytest.fixture(scope="module")
def worm(files: WormFiles, tmp_path_factory: pytest.TempPathFactory) -> list[Version]:
    """`celegans-link`, `celegans-weight` and `celegans-node`."""
    out = tmp_path_factory.mktemp("worm")
    return [built.version for built in build_connectome(files, options(), out)]


def test_worm_has_302_neurons_in_three_classes(worm: list[Version]) -> None:
    link, _, node = worm
    assert node.manifest.num_nodes == link.manifest.num_nodes == 302
    assert {r.name: r.num_edges for r in node.manifest.relations} == {
        "chemical": 3671,
        "gap": 1091,
    }
    labels = np.concatenate(
        [node.task_table("class", 0, "train")["label"].to_numpy()]
        + [node.answers("class", 0, part)["label"].to_numpy() for part in ("valid", "test")]
    )
    assert dict(zip(CLASSES, np.bincount(labels).tolist(), strict=True)) == {
        "sensory": 83,
        "inter": 89,
        "motor": 123,
    }
    for version in worm:
        assert {task.num_splits for task in version.manifest.tasks} == {10}
    assert link.manifest.relation("chemical").num_edges == 3671 - 3671 // 5
    assert link.manifest.relation("gap").num_edges == 1091 - 1091 // 5


def test_edges_equal_the_source_matrix(files: WormFiles, worm: list[Version]) -> None:
    *_, node = worm
    source = json.loads(files.files[0].path.read_bytes())
    names = node.table("ids")["name"].to_pylist()
    rows = [source["nodes"].index(name) for name in names]
    for relation, layer in (("chemical", "Generic_CS"), ("gap", "Generic_GJ")):
        matrix = np.array(source["connections"][layer])[np.ix_(rows, rows)]
        np.fill_diagonal(matrix, 0)
        edges = node.edges(relation)
        found = np.zeros_like(matrix)
        found[edges["src"].to_numpy(), edges["dst"].to_numpy()] = edges["weight"].to_numpy()
        np.testing.assert_array_equal(found if relation == "chemical" else found + found.T, matrix)


def test_audit_finds_nothing(worm: list[Version]) -> None:
    for version in worm:
        assert version.verify() == []
        assert [f for f in audit(version) if f.status != "passed"] == []


def test_second_build_is_recognised_whatever_its_workers(
    files: WormFiles, worm: list[Version]
) -> None:
    again = build_connectome(files, options(workers=2), worm[0].root.parents[1])
    assert [built.state for built in again] == ["already there"] * 3
    assert [built.version.manifest.digest for built in again] == [
        version.manifest.digest for version in worm
    ]


def test_another_seed_hides_other_edges(
    files: WormFiles, worm: list[Version], tmp_path: Path
) -> None:
    (other,) = build_connectome(files, options(seed=1, only="link"), tmp_path)
    assert other.version.manifest.digest != worm[0].manifest.digest


def test_pinned_source_is_the_test_file(files: WormFiles) -> None:
    pinned = SOURCES["cook2019-hermaphrodite"]
    assert [file.sha256 for file in files.files] == [digest for _, digest in pinned.members[:2]]


def test_public_data_cannot_be_sealed(
    retia: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retia("build", "celegans", "--sealed", "link", "--out", tmp_path / "out") == 2
    assert "public" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
