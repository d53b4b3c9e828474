"""Trace a skeleton of voxels into branches between ends and junctions, and prune its spurs."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from retia.datasets.vessel.volumes.bits import Bits, Index
from retia.datasets.vessel.volumes.thinning import thin

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMOOTHING = 4


@dataclass(frozen=True)
class Skeleton:
    """A skeleton of n voxels as P points, S segments between them and E branches.

    Touching voxels with more than two neighbours are one point, at their centroid; any other voxel
    is a point. A point without exactly two segments is a node; a ring has one, its first voxel.
    `voxel` (n,) indices; `point` (n,) the point of each voxel; `position` (P, 3) in voxels, plane,
    row and column; `segments` (S, 2) points, two segments may join the same two; `branch` (S,);
    `is_node` (P,); `ends` (E, 2) the points where each branch ends.
    """

    voxel: Index
    point: Index
    position: Floats
    segments: Index
    branch: Index
    is_node: Mask
    ends: Index

    @property
    def degree(self) -> Index:
        """(P,) number of segments at each point."""
        return np.bincount(self.segments.ravel(), minlength=len(self.position))

    @property
    def voxel_branch(self) -> Index:
        """(n,) the branch of each voxel, -1 for those of junctions and single voxels."""
        branch = np.full(len(self.position), -1, dtype=np.int64)
        branch[self.segments.ravel()] = np.repeat(self.branch, 2)
        branch[self.degree > 2] = -1
        return branch[self.point]


def trace(skeleton: Bits) -> Skeleton:
    """The points, segments and branches of a thinned volume."""
    voxel = skeleton.voxels()
    pairs = _touching(skeleton, voxel)
    crowded = np.bincount(pairs.ravel(), minlength=len(voxel)) > 2
    point = _groups(len(voxel), pairs[crowded[pairs].all(axis=1)])
    segments = point[pairs[~crowded[pairs].all(axis=1)]]
    size = np.bincount(point)
    at = skeleton.coordinates(voxel)
    position = np.column_stack([np.bincount(point, weights=column) / size for column in at.T])
    is_node = np.bincount(segments.ravel(), minlength=len(position)) != 2
    is_node |= _ring_starts(segments, is_node)
    branch = _branches(segments, is_node)
    flat = segments.ravel()
    at_node = np.flatnonzero(is_node[flat])
    ends = flat[at_node[np.argsort(branch[at_node // 2], kind="stable")]].reshape(-1, 2)
    return Skeleton(voxel, point, position, segments, branch, is_node, ends)


def prune(
    skeleton: Bits, voxel: Index, radius: Floats, spacing: Floats, bulge: float
) -> tuple[Bits, Skeleton, int]:
    """Take off spurs, thin and trace again, until none is left: skeleton, trace, number taken.

    A spur goes from a junction to an end and is shorter than `bulge` times the distance `radius`
    (of each `voxel`, ascending) from the junction to the wall. Of a junction's branches at least
    two stay, the longest.
    """
    taken, traced = 0, trace(skeleton)
    while True:
        at = radius[np.searchsorted(voxel, traced.voxel)]
        spurs = _spurs(traced, at, spacing, bulge)
        if not len(spurs):
            break
        taken += len(spurs)
        skeleton = skeleton.copy()
        skeleton.set(traced.voxel[np.isin(traced.voxel_branch, spurs)], False)
        skeleton = thin(skeleton, skeleton.voxels())
        traced = trace(skeleton)
    return skeleton, traced, taken


def smooth(traced: Skeleton) -> Skeleton:
    """Points between nodes, four times moved halfway to the middle of their two neighbours.

    Steps from voxel to voxel go in 26 directions only, so a slanting line would be too long.
    """
    a, b = traced.segments.T
    rows, columns = np.concatenate([a, b]), np.concatenate([b, a])
    count = len(traced.position)
    around = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count)).tocsr()
    free = ~traced.is_node
    position = traced.position.copy()
    for _ in range(SMOOTHING):
        position[free] = position[free] / 2 + (around @ position)[free] / 4
    return replace(traced, position=position)


def branch_length(traced: Skeleton, spacing: Floats) -> Floats:
    """(E,) lengths of the branches; `spacing` is the size of a voxel."""
    a, b = traced.position[traced.segments.T] * spacing
    steps = np.linalg.norm(a - b, axis=1)
    return np.bincount(traced.branch, weights=steps, minlength=len(traced.ends)).astype(float)


def largest(point: Index, values: Floats, count: int) -> Floats:
    """(count,) the largest of the values of each point's voxels."""
    found = np.full(count, -np.inf)
    np.maximum.at(found, point, values)
    return found


def _touching(skeleton: Bits, voxel: Index) -> Index:
    """(S, 2) pairs of rows of voxels that touch by a face, an edge or a corner."""
    plane, row, _ = skeleton.strides
    steps = [z * plane + y * row + x for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    found = []
    for step in (step for step in steps if step > 0):
        place = np.minimum(np.searchsorted(voxel, voxel + step), len(voxel) - 1)
        near = np.flatnonzero(voxel[place] == voxel + step)
        found.append(np.column_stack([near, place[near]]))
    return np.concatenate(found)


def _groups(count: int, pairs: Index) -> Index:
    """(count,) the group of each row, numbered in the order of their first rows."""
    joined = sparse.coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    label = csgraph.connected_components(joined, directed=False)[1]
    first = np.unique(label, return_index=True)[1]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[label]


def _branches(segments: Index, is_node: Mask) -> Index:
    """(S,) the branch of each segment: they hang together through points that are no nodes."""
    flat = segments.ravel()
    order = np.argsort(flat, kind="stable")
    joints = (order[~is_node[flat[order]]] // 2).reshape(-1, 2)
    return _groups(len(segments), joints)


def _ring_starts(segments: Index, is_node: Mask) -> Mask:
    """The first point of every ring that no node lies on."""
    branch = _branches(segments, is_node)
    count = int(branch.max(initial=-1)) + 1
    nodes = np.bincount(branch, weights=is_node[segments].sum(axis=1), minlength=count)
    first = np.full(count, len(is_node), dtype=np.int64)
    np.minimum.at(first, branch, segments.min(axis=1, initial=len(is_node)))
    starts = np.zeros(len(is_node), dtype=bool)
    starts[first[nodes == 0]] = True
    return starts


def _spurs(traced: Skeleton, radius: Floats, spacing: Floats, bulge: float) -> Index:
    """The branches that are spurs."""
    if not len(traced.ends):
        return np.zeros(0, dtype=np.int64)
    degree = traced.degree
    tip = degree[traced.ends] == 1
    junction = np.where(tip[:, 0], traced.ends[:, 1], traced.ends[:, 0])
    length = branch_length(smooth(traced), spacing)
    reach = bulge * largest(traced.point, radius, len(degree))[junction]
    short = tip.any(axis=1) & (degree[junction] > 2) & (length < reach)
    return np.flatnonzero(short & (_rank(traced.ends, length, short, degree) >= 2))


def _rank(ends: Index, length: Floats, short: Mask, degree: Index) -> Index:
    """(E,) how many branches outlast each short one at its junction: all others, longer ones."""
    junction = np.where(degree[ends[:, 0]] == 1, ends[:, 1], ends[:, 0])
    spurs = np.flatnonzero(short)
    order = spurs[np.lexsort((-length[spurs], junction[spurs]))]
    at = junction[order]
    start = np.searchsorted(at, at)
    lasting = degree - np.bincount(junction[spurs], minlength=len(degree))
    rank = np.zeros(len(ends), dtype=np.int64)
    rank[order] = lasting[at] + np.arange(len(order)) - start
    return rank
