"""Read a segmentation slab by slab: NIfTI, TIFF or NumPy, in three dimensions or two."""

import logging
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from retia.datasets.vessel.volumes.bits import Bits, slab_planes
from retia.shards.errors import InputError

SUFFIXES = (".nii", ".nii.gz", ".tif", ".tiff", ".npy")
NO_LABELS = "this is no mask; give one of zeros and ones"
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    struct.error,
    zlib.error,
    ImageFileError,
    HeaderDataError,
    tifffile.TiffFileError,
)


@dataclass(frozen=True)
class MaskFile:
    """An opened volume: `shape` as planes, rows, columns; `read(first, last)` gives planes.

    An image of two dimensions is one plane and `dimensions` is 2.
    """

    shape: tuple[int, int, int]
    dimensions: int
    read: Callable[[int, int], NDArray[Any]]


def read_mask(path: Path, label: int | None = None) -> tuple[Bits, int]:
    """The mask of a file, and its number of dimensions: the voxels of `label`, or all but zeros.

    NIfTI holds x, y, z; TIFF and NumPy z, y, x, as scikit-image has them. Read slab by slab, so
    that the file may be larger than memory. Raises `InputError` for a file that is no mask.
    """
    with _readable(path):
        opened = _open(path)
        bits = Bits.empty(opened.shape)
        thick = slab_planes(opened.shape)
        seen: set[float] = set()
        for first in range(0, opened.shape[0], thick):
            slab = opened.read(first, min(first + thick, opened.shape[0]))
            bits.write(first, _foreground(path, slab, label, seen))
    count, size = bits.count(), int(np.prod(opened.shape))
    if not count:
        which = "" if label is None else f" of label {label}"
        raise InputError(f"{path}: no voxel{which} is vessel; give the segmentation, not the image")
    if count == size:
        raise InputError(f"{path}: every voxel is vessel; a mask has background too")
    return bits, opened.dimensions


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Errors of the readers in one line."""
    try:
        with _complaints() as complaints:
            yield
        if complaints:
            raise ValueError(complaints[0])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except MemoryError as error:
        raise InputError(f"{path}: too large for this machine's memory at a bit a voxel") from error
    except DAMAGE as error:
        what = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: truncated, damaged or not of its kind ({what}); copy or export it again"
        ) from error


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs as an error: it reads on past missing pages as if they were black."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def _open(path: Path) -> MaskFile:
    name = path.name.lower()
    if not path.is_file():
        raise FileNotFoundError(path)
    if name.endswith((".nii", ".nii.gz")):
        return _open_nifti(path)
    if name.endswith((".tif", ".tiff")):
        return _open_tiff(path)
    if name.endswith(".npy"):
        return _from_array(path, np.load(path, mmap_mode="r", allow_pickle=False))
    raise InputError(f"{path}: a volume ends in one of {', '.join(SUFFIXES)}")


def _from_array(path: Path, array: NDArray[Any]) -> MaskFile:
    shape = _shape(path, array.shape)
    planes = array.reshape(shape)
    return MaskFile(shape, array.ndim, lambda first, last: planes[first:last])


def _open_nifti(path: Path) -> MaskFile:
    image = nibabel.load(path, keep_file_open=True)
    data = image.dataobj  # type: ignore[attr-defined]
    shape = data.shape[:3] if not any(n != 1 for n in data.shape[3:]) else data.shape
    planes, rows, columns = _shape(path, tuple(reversed(shape)))

    def read(first: int, last: int) -> NDArray[Any]:
        part = data if len(shape) == 2 else data[:, :, first:last]
        return np.asarray(part).reshape(columns, rows, -1, order="F").T

    return MaskFile((planes, rows, columns), len(shape), read)


def _open_tiff(path: Path) -> MaskFile:
    series = tifffile.TiffFile(path).series[0]
    if "S" in series.axes:
        raise InputError(f"{path}: an image of colours; {NO_LABELS}")
    if series.dataoffset is not None:
        return _from_array(path, tifffile.memmap(path, mode="r"))
    if len(series.shape) != 3 or len(series.pages) != series.shape[0]:
        return _from_array(path, series.asarray())
    shape, pages = _shape(path, series.shape), [page for page in series.pages if page]
    return MaskFile(
        shape, 3, lambda first, last: np.stack([page.asarray() for page in pages[first:last]])
    )


def _shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Planes, rows and columns."""
    if len(shape) not in (2, 3) or 0 in shape:
        shown = " x ".join(map(str, shape)) or "a single number"
        raise InputError(
            f"{path}: an array of {shown}; a volume has three axes and an image two, none empty"
        )
    return (1, *shape) if len(shape) == 2 else shape  # type: ignore[return-value]


def _foreground(
    path: Path, slab: NDArray[Any], label: int | None, seen: set[float]
) -> NDArray[np.bool_]:
    """The vessels of a slab; `seen` gathers the values other than 0 over all slabs."""
    if slab.dtype.kind not in "buif":
        raise InputError(f"{path}: voxels of type {slab.dtype}; {NO_LABELS}")
    if label is not None:
        return np.asarray(slab == label)
    mask = np.asarray(slab != 0)
    if slab.dtype.kind != "b" and mask.any():
        values = slab[mask]
        seen |= {float(values.min()), float(values.max())}
        _check_values(path, slab.dtype, seen)
    return mask


def _check_values(path: Path, dtype: np.dtype[Any], seen: set[float]) -> None:
    if not all(value.is_integer() for value in seen):
        odd = next(value for value in seen if not value.is_integer())
        raise InputError(f"{path}: {dtype} values such as {odd:g}; threshold it to zeros and ones")
    if len(seen) > 1:
        low, high = min(seen), max(seen)
        raise InputError(
            f"{path}: several labels, {low:g} to {high:g}; say which is vessel with --label N"
        )
