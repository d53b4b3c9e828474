"""How wide vessels are: distances from the skeleton to the wall, and the voxels around it."""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retia.datasets.vessel.volumes.bits import Bits, Index, surface

Floats = NDArray[np.float64]

HALO = 16


@dataclass(frozen=True)
class Calibre:
    """Of n skeleton voxels: distances to the wall in the unit of the spacing.

    `least` (n,) to the nearest background; `mean` and `most` (n,) over the wall's voxels that are
    nearer to this voxel than to others of the skeleton, half a voxel beyond their centres, and
    never under `least`; `lumen` (n,) the number of the mask's voxels that are.
    """

    least: Floats
    mean: Floats
    most: Floats
    lumen: Floats


def wall_distance(mask: Bits, voxel: Index, spacing: Floats, workers: int = 1) -> Floats:
    """(n,) distance from voxels of the mask to the nearest voxel of background.

    Of the many voxels around, the nearest lies just outside the wall: this is the smallest radius.
    Computed by slabs; a slab is read with more planes around it until no voxel's distance can
    reach beyond them. The border of the volume is no wall.
    """
    at = mask.coordinates(voxel)
    found = np.full(len(voxel), np.inf)
    for first, last in mask.slabs():
        rows = np.flatnonzero((at[:, 0] >= first) & (at[:, 0] < last))
        if len(rows):
            found[rows] = _slab_distance(mask, at[rows], (first, last), spacing, workers)
    return found


def measure_calibre(
    mask: Bits, skeleton: Index, least: Floats, spacing: Floats, workers: int = 1
) -> Calibre:
    """The distances around each voxel of a skeleton; `least` (n,) is its `wall_distance`."""
    tree = cKDTree(mask.coordinates(skeleton) * spacing)
    wall = surface(mask)
    n = len(skeleton)
    lumen, count, total, most = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    for first, last in mask.slabs():
        inside = mask.voxels(first, last)
        away, near = _nearest(tree, mask.coordinates(inside) * spacing, workers)
        lumen += np.bincount(near, minlength=n)
        outer = wall.get(inside)
        away, near = away[outer] + spacing.mean() / 2, near[outer]
        count += np.bincount(near, minlength=n)
        total += np.bincount(near, weights=away, minlength=n)
        np.maximum.at(most, near, away)
    mean = np.maximum(total / np.maximum(count, 1), least)
    return Calibre(least, mean, np.maximum(most, mean), lumen)


def _nearest(tree: cKDTree, points: Floats, workers: int) -> tuple[Floats, Index]:
    """(m,) distances to the nearest points of a tree, and their rows."""
    away, near = tree.query(points, workers=workers)
    return np.asarray(away), np.asarray(near, dtype=np.int64)


def _slab_distance(
    mask: Bits, at: Index, slab: tuple[int, int], spacing: Floats, workers: int
) -> Floats:
    halo, planes = HALO, mask.shape[0]
    while True:
        low, high = max(slab[0] - halo, 0), min(slab[1] + halo, planes)
        field: NDArray[np.float32] = np.asarray(
            edt.edt(
                mask.planes(low, high),
                anisotropy=tuple(spacing),
                black_border=False,
                parallel=workers,
            )
        )
        found = field[at[:, 0] - low, at[:, 1], at[:, 2]].astype(np.float64)
        if found.max() <= halo * spacing[0] or (low == 0 and high == planes):
            return found
        halo *= 2
