"""Where a grown network's branching points lie, and which are near which."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SPACING_UM = 50.0
NEIGHBOURS = 16
USUAL_LENGTH_UM = 70.0
THREADS = 2

Floats = NDArray[np.float64]
Nodes = NDArray[np.int32]


def scatter(num_nodes: int, rng: np.random.Generator) -> Floats:
    """(n, 3) positions in micrometres that fill a cube evenly: one in each of n cells of a grid."""
    side = int(np.ceil(np.cbrt(num_nodes)))
    while side**3 < num_nodes:
        side += 1
    cells = np.sort(rng.permutation(side**3)[:num_nodes])
    corner = np.column_stack(np.unravel_index(cells, (side, side, side))).astype(np.float64)
    pitch = SPACING_UM * np.cbrt(num_nodes) / side
    return (corner + rng.random((num_nodes, 3))) * pitch


def neighbours(position: Floats) -> Nodes:
    """(n, 16) the nearest other nodes of each, nearest first; fewer where there are fewer."""
    near = min(NEIGHBOURS, len(position) - 1)
    _, index = cKDTree(position).query(position, k=near + 1, workers=THREADS)
    return np.asarray(index, dtype=np.int32)[:, 1:]


def surface_nodes(position: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """About `count` nodes, two at least, each the nearest to a random place on the surface."""
    low, high = position.min(axis=0), position.max(axis=0)
    place = low + rng.random((count, 3)) * (high - low)
    axis, row = rng.integers(3, size=count), np.arange(count)
    place[row, axis] = np.where(row % 2, low[axis], high[axis])
    _, nearest = cKDTree(position).query(place)
    return rng.permutation(np.unique(nearest))


def length_cost(length_um: Floats) -> Floats:
    """How unusual lengths are, in spacings off the usual one."""
    return np.asarray(np.abs(length_um - USUAL_LENGTH_UM) / SPACING_UM)
