"""Files that are read as masks, and those that are refused."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from retia.datasets.vessel.volumes import bits
from retia.datasets.vessel.volumes.mask_file import read_mask
from retia.datasets.vessel.volumes.volume import read_volume
from retia.shards.errors import InputError

Mask = NDArray[np.bool_]
FORMATS = ["npy", "nii", "nii.gz", "tif", "deflated.tif", "labels.nii.gz"]


@pytest.fixture
def mask() -> Mask:
    """Two crossing bars in 12 planes of 20 rows and 30 columns."""
    volume = np.zeros((12, 20, 30), dtype=bool)
    volume[5:8, 9:12, 3:27] = True
    volume[5:8, 2:18, 14:17] = True
    volume[2, 3, 4] = True
    return volume


def save(volume: NDArray[np.generic], path: Path) -> Path:
    """A volume (planes, rows, columns) in the format of the suffix."""
    if path.name.endswith("npy"):
        np.save(path, volume)
    elif path.name.endswith("tif"):
        deflated = "deflated" in path.name
        pixels = volume.astype(np.uint8) if volume.dtype == bool else volume
        tifffile.imwrite(
            path, pixels, compression="zlib" if deflated else None, photometric="minisblack"
        )
    else:
        voxels = volume.astype(np.uint8) if volume.dtype == bool else volume
        nibabel.save(nibabel.Nifti1Image(voxels.T, np.eye(4)), path)
    return path


@pytest.mark.parametrize("voxels", [1, 1500, 1 << 24])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read_by_slabs_of_any_thickness(
    mask: Mask, tmp_path: Path, suffix: str, voxels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bits, "SLAB_VOXELS", voxels)
    packed, dimensions = read_mask(save(mask, tmp_path / f"mask.{suffix}"))
    assert dimensions == 3
    assert np.array_equal(packed.planes(0, 12), mask)


@pytest.mark.parametrize("suffix", ["npy", "nii", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("value", [1, 255 // 2])
def test_one_value_besides_zero_is_vessel_in_any_type(
    mask: Mask, tmp_path: Path, suffix: str, dtype: type, value: int
) -> None:
    if suffix == "tif" and dtype is np.float64:
        suffix = "npy"
    path = save(mask.astype(dtype) * dtype(value), tmp_path / f"mask.{suffix}")
    assert np.array_equal(read_mask(path)[0].planes(0, 12), mask)


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_formats_give_one_graph(mask: Mask, tmp_path: Path, suffix: str) -> None:
    graph, _ = read_volume(save(mask, tmp_path / f"mask.{suffix}"), (1.0, 2.0, 3.0))
    known, _ = read_volume(save(mask, tmp_path / "known.npy"), (1.0, 2.0, 3.0))
    assert np.array_equal(graph.position, known.position)
    assert graph.position[:, 0].max() > 20
    crossing = np.argmax(np.bincount(graph.ends.ravel()))
    assert graph.position[crossing] == pytest.approx((15, 20, 18), abs=1.5)


def test_a_label_chooses_its_voxels(mask: Mask, tmp_path: Path) -> None:
    labels = mask.astype(np.uint8)
    labels[2, 3, 4] = 2
    path = save(labels, tmp_path / "labels.nii.gz")
    assert read_mask(path, label=1)[0].count() == mask.sum() - 1
    assert read_mask(path, label=2)[0].count() == 1


def truncated(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def with_value(mask: Mask, value: float, dtype: type) -> NDArray[np.generic]:
    odd = mask.astype(dtype)
    odd[2, 3, 4] = value
    return np.asarray(odd)


def _noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    return path


def _objects(path: Path) -> Path:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path


BAD: dict[str, tuple[Callable[[Mask, Path], Path], str]] = {
    "no vessel": (lambda m, p: save(m & False, p / "a.nii.gz"), "no voxel is vessel"),
    "all vessel": (lambda m, p: save(m | True, p / "a.npy"), "every voxel is vessel"),
    "fractions": (lambda m, p: save(with_value(m, 0.5, np.float32), p / "a.npy"), "threshold"),
    "not a number": (lambda m, p: save(with_value(m, np.nan, np.float32), p / "a.npy"), "nan"),
    "infinite": (lambda m, p: save(with_value(m, np.inf, np.float64), p / "a.npy"), "inf"),
    "complex": (lambda m, p: save(m.astype(np.complex64), p / "a.npy"), "complex64"),
    "text": (lambda m, p: save(m.astype("U5"), p / "a.npy"), "<U5"),
    "several labels": (lambda m, p: save(with_value(m, 7, np.uint8), p / "a.tif"), "--label N"),
    "one axis": (lambda m, p: save(m.ravel(), p / "a.npy"), "three axes"),
    "four axes": (lambda m, p: save(np.stack([m, m]), p / "a.npy"), "three axes"),
    "four axes of NIfTI": (lambda m, p: save(np.stack([m, m]), p / "a.nii"), "three axes"),
    "no planes": (lambda m, p: save(m[:0], p / "a.npy"), "none empty"),
    "truncated npy": (lambda m, p: truncated(save(m, p / "a.npy")), "truncated"),
    "truncated nii": (lambda m, p: truncated(save(m, p / "a.nii")), "truncated"),
    "truncated nii.gz": (lambda m, p: truncated(save(m, p / "a.nii.gz")), "truncated"),
    "truncated tif": (lambda m, p: truncated(save(m, p / "a.tif")), "truncated"),
    "truncated deflated tif": (
        lambda m, p: truncated(save(m, p / "a.deflated.tif")),
        "truncated",
    ),
    "noise in npy": (lambda m, p: _noise(p / "a.npy"), "not of its kind"),
    "noise in nii": (lambda m, p: _noise(p / "a.nii"), "not of its kind"),
    "noise in nii.gz": (lambda m, p: _noise(p / "a.nii.gz"), "not of its kind"),
    "noise in tif": (lambda m, p: _noise(p / "a.tif"), "not of its kind"),
    "pickled objects": (lambda m, p: _objects(p / "a.npy"), "not of its kind"),
    "another format": (lambda m, p: save(m, p / "a.npy").rename(p / "a.mha"), ".nii.gz"),
    "no file": (lambda m, p: p / "gone.nii.gz", "no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_mask_is_refused_in_one_line(
    name: str, mask: Mask, tmp_path: Path
) -> None:
    make, words = BAD[name]
    path = make(mask, tmp_path)
    with pytest.raises(InputError) as error:
        read_volume(path, (1.0,))
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_colours_are_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="colours"):
        read_volume(tmp_path / "a.tif", (1.0,))


@pytest.mark.parametrize(
    "size", [None, (1.0, 1.0), (1.0,) * 4, (0.0,), (1.0, -1.0, 1.0), (np.nan,)]
)
def test_a_voxel_size_is_one_positive_number_or_one_an_axis(
    size: tuple[float, ...] | None, mask: Mask, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--voxel-size"):
        read_volume(save(mask, tmp_path / "a.npy"), size)


def test_a_label_that_no_voxel_has_is_named(mask: Mask, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label 9"):
        read_volume(save(mask, tmp_path / "a.npy"), (1.0,), label=9)


def test_bulge_is_no_negative_number(mask: Mask, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--bulge"):
        read_volume(save(mask, tmp_path / "a.npy"), (1.0,), bulge=-1.0)
