"""The command builds from a segmentation, and writes nothing from one it cannot use."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from retia.shards.version import Version
from tests.drawn_tubes import draw, lattice_edges, without_bends

Retia = Callable[..., int]
SIZE = (4, 4, 3)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A lattice of tubes as a NIfTI file; its number of nodes and edges."""
    jitter = np.random.default_rng(1).uniform(-3, 3, (np.prod(SIZE), 3))
    edges = [(a, b, 2.0 + (a + b) % 3) for a, b in lattice_edges(SIZE)]
    drawing = draw(SIZE, edges, jitter)
    known = without_bends(drawing.graph)
    path = tmp_path_factory.mktemp("volume") / "seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(drawing.mask.astype(np.uint8), np.eye(4)), path)
    return path, len(known), len(known.edges)


def test_a_segmentation_becomes_a_dataset(
    volume: tuple[Path, int, int], retia: Retia, tmp_path: Path
) -> None:
    path, nodes, edges = volume
    words = ["build", "vessel", "--volume", path, "--voxel-size", "3,3,3", "--name", "drawn"]
    assert retia(*words, "--only", "node", "--boundaries", "quantiles", "--out", tmp_path) == 0
    node = Version.open(tmp_path / "drawn-node" / "1.0.0").manifest
    assert node.num_nodes == edges
    told = node.provenance.parameters
    assert told["format"] == "volume"
    assert (told["topology"]["betti_0_error"], told["topology"]["betti_1_error"]) == (0, 0)
    assert told["topology"]["graph_loops"] == edges - nodes + 1
    assert told["topology"]["cl_dice"] > 0.99


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--voxel-size"),
        (["--voxel-size", "3,3"], "--voxel-size 3,3 has 2 numbers"),
        (["--voxel-size", "3", "--label", "7"], "label 7"),
        (["--voxel-size", "3", "--bulge", "-1"], "--bulge"),
    ],
)
def test_what_cannot_be_built_is_one_line_and_leaves_nothing(
    options: list[str],
    words: str,
    volume: tuple[Path, int, int],
    retia: Retia,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    code = retia("build", "vessel", "--volume", volume[0], "--name", "a", "--out", out, *options)
    shown = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert words in shown[-1]
    assert not out.exists()


def test_an_empty_volume_is_one_line_and_leaves_nothing(
    retia: Retia, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "empty.npy", tmp_path / "out"
    np.save(path, np.zeros((9, 9, 9), dtype=np.uint8))
    words = ["build", "vessel", "--volume", path, "--voxel-size", "3", "--name", "a"]
    assert retia(*words, "--out", out) == 2
    assert "no voxel is vessel" in capsys.readouterr().err
    assert not out.exists()
