"""A binary volume at one bit a voxel, with a rim of background: what a large mask is kept in.

Large volumes lie in scratch files in the folder for temporary files, which the system pages in and
out, so that they may exceed the memory.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Packed = NDArray[np.uint8]
Index = NDArray[np.int64]

SPARE_BYTES = 8
SLAB_VOXELS = 1 << 23
SCRATCH_BYTES = 1 << 26  # from 64 MiB, half a milliard voxels, on


@dataclass(frozen=True)
class Bits:
    """A mask of `shape` (planes, rows, columns), packed.

    `data` is (planes + 2, rows + 2, bytes of a row): little bit order, a rim of one background
    voxel on all sides, rows of whole bytes. A voxel's `index` counts bits from the first of `data`.
    `flat` is all bytes in order, and the spare ones after them that bit readers may touch.
    """

    shape: tuple[int, int, int]
    flat: Packed

    @staticmethod
    def empty(shape: tuple[int, int, int]) -> "Bits":
        """A volume of background."""
        size = int(np.prod(_packed(shape))) + SPARE_BYTES
        if size < SCRATCH_BYTES:
            return Bits(shape, np.zeros(size, dtype=np.uint8))
        with tempfile.TemporaryFile(prefix="retia-") as file:  # unlinked; the mapping keeps it
            return Bits(shape, np.asarray(np.memmap(file, dtype=np.uint8, mode="w+", shape=size)))

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> "Bits":
        """A (planes, rows, columns) array, packed."""
        bits = Bits.empty((mask.shape[0], mask.shape[1], mask.shape[2]))
        bits.write(0, mask)
        return bits

    @cached_property
    def data(self) -> Packed:
        """The bytes by plane and row."""
        return self.flat[:-SPARE_BYTES].reshape(_packed(self.shape))

    @property
    def strides(self) -> tuple[int, int, int]:
        """Bits from a voxel to the one in the next plane, row and column."""
        row = 8 * self.data.shape[2]
        return row * self.data.shape[1], row, 1

    def copy(self) -> "Bits":
        """The same volume again."""
        other = Bits.empty(self.shape)
        other.flat[...] = self.flat
        return other

    def write(self, first: int, mask: NDArray[np.bool_]) -> None:
        """Set the planes from `first` on to those of a (n, rows, columns) array."""
        rim = np.zeros((len(mask), mask.shape[1], mask.shape[2] + 1), dtype=bool)
        rim[:, :, 1:] = mask
        packed = np.packbits(rim, axis=2, bitorder="little")
        rows = slice(1, 1 + self.shape[1])
        self.data[first + 1 : first + 1 + len(mask), rows, : packed.shape[2]] = packed

    def planes(self, first: int, last: int) -> NDArray[np.bool_]:
        """Planes first <= z < last as (n, rows, columns); the rim is not among them."""
        packed = self.data[first + 1 : last + 1, 1:-1]
        columns = np.unpackbits(packed, axis=2, bitorder="little")
        return columns[:, :, 1 : 1 + self.shape[2]].view(bool)

    def slabs(self) -> Iterator[tuple[int, int]]:
        """Ranges of planes that hold some 8 million voxels each."""
        thick = slab_planes(self.shape)
        for first in range(0, self.shape[0], thick):
            yield first, min(first + thick, self.shape[0])

    def count(self) -> int:
        """Number of voxels of foreground."""
        return sum(_count(self.data[first:last]) for first, last in _ranges(self))

    def voxels(self, first: int = 0, last: int | None = None) -> Index:
        """Indices of the foreground in planes first <= z < last, ascending."""
        last = self.shape[0] if last is None else last
        thick = slab_planes(self.shape)
        starts = range(first, last, thick)
        found = [self._voxels(start, min(start + thick, last)) for start in starts]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _voxels(self, first: int, last: int) -> Index:
        offset = (first + 1) * self.strides[0]
        chunk = self.data[first + 1 : last + 1].ravel()
        byte = np.flatnonzero(chunk)
        row, bit = np.nonzero(np.unpackbits(chunk[byte, None], axis=1, bitorder="little"))
        return byte[row] * 8 + bit + offset

    def coordinates(self, index: Index) -> Index:
        """(n, 3) plane, row and column of voxels."""
        plane, row, _ = self.strides
        inside = index % plane
        return np.column_stack([index // plane - 1, inside // row - 1, inside % row - 1])

    def set(self, index: Index, value: bool) -> None:
        """Make voxels foreground or background."""
        _write(self.flat, index, value)

    def get(self, index: Index) -> NDArray[np.bool_]:
        """Whether voxels are foreground."""
        return _read(self.flat, index)


@njit(cache=True)
def _write(flat, index, value):
    for i in index:
        if value:
            flat[i >> 3] |= 1 << (i & 7)
        else:
            flat[i >> 3] &= ~(1 << (i & 7))


@njit(cache=True)
def _read(flat, index):
    found = np.empty(len(index), dtype=np.bool_)
    for place in range(len(index)):
        found[place] = (flat[index[place] >> 3] >> (index[place] & 7)) & 1
    return found


def slab_planes(shape: tuple[int, int, int]) -> int:
    """Planes in a slab of some 8 million voxels, at least one."""
    return max(1, SLAB_VOXELS // max(shape[1] * shape[2], 1))


def surface(bits: Bits) -> Bits:
    """The foreground voxels with a background voxel beyond one of their faces.

    The volume's border is no wall: beyond it nothing is known. An axis of one plane has no walls.
    """
    found = Bits.empty(bits.shape)
    axes = [axis for axis in range(3) if bits.shape[axis] > 1]
    for first, last in _ranges(bits):
        low = max(first - 1, 0)
        part = bits.data[low : last + 1]
        for axis in axes:
            found.data[first:last] |= _exposed(part, axis)[first - low : last - low]
    return found


def euler_number(bits: Bits) -> int:
    """Euler number of the union of closed voxels: 26-connected foreground, 6-connected background.

    Vertices - edges + faces - voxels; a face is where a voxel or its neighbour across it is set.
    """
    total = -bits.count()
    for first, last in _ranges(bits):
        low = max(first - 1, 0)
        for size in (1, 2, 3):
            for axes in combinations(range(3), size):
                cells = bits.data[low:last]
                for axis in axes:
                    cells = cells | _shift(cells, axis, 1)
                total += (1 if size % 2 else -1) * _count(cells[first - low :])
    return total


def _packed(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape of the bytes of a volume."""
    planes, rows, columns = shape
    return planes + 2, rows + 2, (columns + 9) // 8


def _ranges(bits: Bits) -> Iterator[tuple[int, int]]:
    """Ranges of planes of `data`, the rim's too, of some 8 million voxels each."""
    thick = slab_planes(bits.shape)
    for first in range(0, len(bits.data), thick):
        yield first, min(first + thick, len(bits.data))


def _count(data: Packed) -> int:
    return int(np.bitwise_count(data).sum(dtype=np.int64))


def _exposed(data: Packed, axis: int) -> Packed:
    """Foreground with background before or behind it along an axis."""
    return data & ~(_shift(data, axis, 1) & _shift(data, axis, -1))


def _shift(data: Packed, axis: int, by: int) -> Packed:
    """The volume moved by one voxel along an axis; background comes in."""
    moved = np.zeros_like(data)
    to, of = (slice(1, None), slice(None, -1))[::by], (slice(None, -1), slice(1, None))[::by]
    if axis == 2:
        step = (data << 1, 7) if by == 1 else (data >> 1, 7)
        moved[...] = step[0]
        carry = data >> step[1] if by == 1 else data << step[1]
        moved[:, :, to[0]] |= carry[:, :, of[0]]
    else:
        place: list[slice] = [slice(None)] * 3
        source = list(place)
        place[axis], source[axis] = to[0], of[0]
        moved[tuple(place)] = data[tuple(source)]
    return moved
