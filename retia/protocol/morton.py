"""Morton order: points along a curve that keeps neighbours near each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.floating[Any]]

BITS = 21
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_codes(positions: Positions) -> NDArray[np.uint64]:
    """The (n,) Morton codes of (n, d <= 3) finite positions, 21 bits an axis over their cube.

    Morton, G. M. (1966). A computer oriented geodetic data base and a new technique in file
    sequencing. IBM.
    """
    if not len(positions):
        return np.zeros(0, dtype=np.uint64)
    exact = positions.astype(np.float64)
    offset = exact - exact.min(axis=0)
    extent = float(offset.max()) or 1.0
    cells = np.minimum(offset / extent * (1 << BITS), (1 << BITS) - 1).astype(np.uint64)
    codes = np.zeros(len(positions), dtype=np.uint64)
    for axis in range(positions.shape[1]):
        codes |= _spread(cells[:, axis]) << np.uint64(axis)
    return codes


def morton_order(positions: Positions, ties: NDArray[np.int64]) -> NDArray[np.int64]:
    """The (n,) order of points by Morton code, those with one code by `ties`."""
    return np.lexsort((ties, morton_codes(positions)))


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put two zero bits before each of the 21 low bits."""
    for shift, mask in _SPREAD:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
