"""Morton order: points along a curve that keeps neighbours near each other."""

import numpy as np
from numpy.typing import NDArray

BITS = 21
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_codes(positions: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The (n,) Morton codes of (n, 3) finite positions, 21 bits an axis over their bounding cube.

    Morton, G. M. (1966). A computer oriented geodetic data base and a new technique in file
    sequencing. IBM.
    """
    if not len(positions):
        return np.zeros(0, dtype=np.uint64)
    offset = positions - positions.min(axis=0)
    extent = float(offset.max()) or 1.0
    cells = np.minimum(offset / extent * (1 << BITS), (1 << BITS) - 1).astype(np.uint64)
    x, y, z = (_spread(cells[:, axis]) for axis in range(3))
    return x | (y << np.uint64(1)) | (z << np.uint64(2))


def morton_order(positions: NDArray[np.float64], ties: NDArray[np.int64]) -> NDArray[np.int64]:
    """The (n,) order of points by Morton code, those with one code by `ties`."""
    return np.lexsort((ties, morton_codes(positions)))


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put two zero bits before each of the 21 low bits."""
    for shift, mask in _SPREAD:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
