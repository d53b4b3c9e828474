"""Thin a mask to curves one voxel wide with the same components, loops and cavities.

Directional thinning after Lee, T.-C., Kashyap, R. L., Chu, C.-N. (1994). Building skeleton models
via 3-D medial surface/axis thinning algorithms. CVGIP 56(6): voxels open to one of six directions
are taken off in turn, if they are simple and no end of a curve. Where Lee looks again at the
candidates in the order of the scan, here they are looked at in eight classes by the parity of their
coordinates (Bertrand and Aktouf 1995, Three-dimensional thinning algorithm using subfields). Voxels
of a class never touch, so the outcome depends on the mask alone, not on an order of work: a volume
need not be cut into blocks whose seams would have to be joined. Simple voxels: Malandain, G.,
Bertrand, G. (1992). Fast characterization of 3D simple points. ICPR, theorem 2.1.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from retia.datasets.vessel.volumes.bits import Bits, Index, surface

Table: TypeAlias = NDArray[np.int64]

CENTRE = 13
PRIME = 37  # the powers of two below 2^27 leave different remainders


def _tables() -> tuple[Table, Table, int, int]:
    """What touches each of the 27 places by a corner and by a face; the 18- and 6-neighbours."""
    place = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    apart = np.abs(place[:, None] - place[None])
    near, reach = np.abs(place).sum(axis=1), 1 << np.arange(27)
    usable = near > 0
    corner = (apart.max(axis=2) == 1) & usable
    face = (apart.sum(axis=2) == 1) & usable & (near <= 2)
    return (
        (corner * reach).sum(axis=1),
        (face * reach).sum(axis=1),
        int(reach[usable & (near <= 2)].sum()),
        int(reach[near == 1].sum()),
    )


BY_CORNER, BY_FACE, NEAR_18, NEAR_6 = _tables()
PLACE = np.zeros(PRIME, dtype=np.int64)
PLACE[(1 << np.arange(27)) % PRIME] = np.arange(27)


def thin(mask: Bits, start: Index | None = None) -> Bits:
    """The skeleton of a mask; `start` holds the voxels that may go, by default those of the wall.

    Topology is kept: only simple voxels are taken, one after another.
    """
    skeleton = mask.copy()
    front = surface(mask).voxels() if start is None else start
    queued = Bits.empty(mask.shape)
    queued.set(front, True)
    open_axes = [axis for axis in range(3) if mask.shape[axis] > 1]
    steps = [sign * mask.strides[axis] for axis in open_axes for sign in (-1, 1)]
    taken = 1
    while taken:
        taken = 0
        for step in steps:
            fresh, count = _peel(skeleton.flat, queued.flat, front, step, *mask.strides[:2])
            front = np.concatenate([front, fresh])
            taken += count
        front = front[skeleton.get(front)]
    return skeleton


@njit(cache=True)
def _get(data, index):
    return (data[index >> 3] >> (index & 7)) & 1


@njit(cache=True)
def _around(data, index, plane, row):
    """The 27 voxels around one as bits, plane by plane."""
    found = 0
    shift = 0
    for z in (-plane, 0, plane):
        for y in (-row, 0, row):
            start = index + z + y - 1
            word = np.int64(data[start >> 3]) | (np.int64(data[(start >> 3) + 1]) << 8)
            found |= ((word >> (start & 7)) & 7) << shift
            shift += 3
    return found


@njit(cache=True)
def _reached(seed, among, touching):
    """The bits of `among` that are joined to the seed."""
    reached = seed
    todo = seed
    while todo:
        lowest = todo & -todo
        todo ^= lowest
        fresh = touching[PLACE[lowest % PRIME]] & among & ~reached
        reached |= fresh
        todo |= fresh
    return reached


@njit(cache=True)
def _is_simple(around):
    """Whether the centre can go and leave one piece of foreground and one of background."""
    inner = around & ~(1 << CENTRE)
    outer = ~around & NEAR_18
    faces = outer & NEAR_6
    if inner == 0 or faces == 0:
        return False
    if _reached(inner & -inner, inner, BY_CORNER) != inner:
        return False
    return faces & ~_reached(faces & -faces, outer, BY_FACE) == 0


@njit(cache=True)
def _is_end(around):
    inner = around & ~(1 << CENTRE)
    return inner & (inner - 1) == 0


@njit(cache=True)
def _candidates(data, front, step, plane, row):
    """Voxels of the front that are open towards `step`, simple and no end; and their classes."""
    found = np.empty(len(front), dtype=np.int64)
    parity = np.empty(len(front), dtype=np.uint8)
    count = 0
    for index in front:
        if not _get(data, index) or _get(data, index + step):
            continue
        around = _around(data, index, plane, row)
        if not _is_end(around) and _is_simple(around):
            found[count] = index
            parity[count] = (index & 1) | (index // row % (plane // row) & 1) << 1
            parity[count] |= (index // plane & 1) << 2
            count += 1
    return found[:count], parity[:count]


@njit(cache=True)
def _peel(data, queued, front, step, plane, row):
    """Take a layer off one side; what it laid bare, and how many voxels it took."""
    found, parity = _candidates(data, front, step, plane, row)
    fresh = np.empty(6 * len(found), dtype=np.int64)
    bare = 0
    taken = 0
    for kind in range(8):
        for i in range(len(found)):
            index = found[i]
            if parity[i] != kind or not _is_simple(_around(data, index, plane, row)):
                continue
            data[index >> 3] &= ~(1 << (index & 7))
            taken += 1
            for other in (index - plane, index + plane, index - row, index + row,
                          index - 1, index + 1):  # fmt: skip
                if _get(data, other) and not _get(queued, other):
                    queued[other >> 3] |= 1 << (other & 7)
                    fresh[bare] = other
                    bare += 1
    return fresh[:bare].copy(), taken
