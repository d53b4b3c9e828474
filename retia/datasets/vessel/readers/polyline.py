"""From a drawing of points and line segments to a vessel graph: branches become edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from retia.datasets.vessel.graph import VesselGraph, with_distances

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Polyline:
    """P points in d dimensions and S straight segments between them.

    `point_id` (P,) int64; `position` (P, d); `segments` (S, 2) int64 rows of the points; `radius`
    (S, 2) at the two ends of each segment, NaN where missing, or none where the source has no
    radii. Lengths are in micrometres.
    """

    point_id: Ints
    position: Floats
    segments: Ints
    radius: Floats | None = None


def scale_polyline(line: Polyline, voxel_size: tuple[float, ...]) -> Polyline:
    """A drawing in voxels as one in micrometres; `voxel_size` has a number an axis.

    Radii are multiplied by the geometric mean of the numbers, which keeps the volume of a sphere.
    """
    mean = float(np.exp(np.log(voxel_size).mean()))
    radius = None if line.radius is None else line.radius * mean
    return Polyline(line.point_id, line.position * np.array(voxel_size), line.segments, radius)


def trace(line: Polyline, *, every_point: bool = False) -> VesselGraph:
    """The graph of a drawing's branches; with `every_point`, that of its points and segments.

    Nodes are the points where other than two segments meet, edges the chains of segments between
    them. A ring without such a point keeps its first point as a node, and so becomes a self-loop.
    Segments without length and repeated segments are left out. One radius a point is all such
    files tell, so minimum, mean and maximum radius are one; along a branch the radius is taken as
    linear between points.
    """
    line = _simple(line)
    degree = np.bincount(line.segments.ravel(), minlength=len(line.position))
    is_node = (degree != 2) | every_point
    branch = _branches(line.segments, is_node)
    is_node = _with_rings(line.segments, is_node, branch)
    row = np.cumsum(is_node) - 1
    graph = VesselGraph(
        node_id=line.point_id[is_node],
        position=line.position[is_node],
        edge_id=np.arange(branch.max(initial=-1) + 1, dtype=np.int64),
        ends=row[_ends(line.segments, is_node, branch)].astype(np.int64),
        measures=_measures(line, branch),
    )
    return with_distances(graph)


def merge_points(position: Floats, segments: Ints) -> tuple[Ints, Ints]:
    """Points at one place become one: (Q,) rows of those kept, and the segments between them."""
    _, first, inverse = np.unique(position, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.ravel()][segments]


def _simple(line: Polyline) -> Polyline:
    ends = np.sort(line.segments, axis=1)
    first = np.sort(np.unique(ends, axis=0, return_index=True)[1])
    a, b = line.segments[first].T
    moved = first[(line.position[a] != line.position[b]).any(axis=1)]
    radius = None if line.radius is None else line.radius[moved]
    return Polyline(line.point_id, line.position, line.segments[moved], radius)


def _branches(segments: Ints, is_node: NDArray[np.bool_]) -> Ints:
    """(S,) the branch of each segment: segments hang together through points that are no nodes."""
    flat = segments.ravel()
    order = np.argsort(flat, kind="stable")
    joints = (order[~is_node[flat[order]]] // 2).reshape(-1, 2)
    count = len(segments)
    joined = sparse.coo_array((np.ones(len(joints)), tuple(joints.T)), shape=(count, count))
    return np.asarray(csgraph.connected_components(joined, directed=False)[1], dtype=np.int64)


def _with_rings(segments: Ints, is_node: NDArray[np.bool_], branch: Ints) -> NDArray[np.bool_]:
    """The nodes, and the first point of every branch that has none."""
    count = int(branch.max(initial=-1)) + 1
    nodes = np.bincount(branch, weights=is_node[segments].sum(axis=1), minlength=count)
    first = np.full(count, len(is_node), dtype=np.int64)
    np.minimum.at(first, branch, segments.min(axis=1, initial=len(is_node)))
    is_node = is_node.copy()
    is_node[first[nodes == 0]] = True
    return is_node


def _ends(segments: Ints, is_node: NDArray[np.bool_], branch: Ints) -> Ints:
    """(E, 2) the points that are the ends of each branch."""
    flat = segments.ravel()
    at_node = np.flatnonzero(is_node[flat])
    order = np.argsort(branch[at_node // 2], kind="stable")
    return flat[at_node[order]].reshape(-1, 2)


def _measures(line: Polyline, branch: Ints) -> dict[str, Floats]:
    """The measures of each branch; integrals along it, r linear between the points."""
    step = line.position[line.segments[:, 1]] - line.position[line.segments[:, 0]]
    step_length = np.linalg.norm(step, axis=1)
    length: Floats = np.bincount(branch, weights=step_length).astype(np.float64)
    if line.radius is None:
        return {"length": length}
    a, b = line.radius.T
    mean = _along(branch, step_length, (a + b) / 2)
    square = _along(branch, step_length, (a * a + a * b + b * b) / 3)
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    radii = {
        f"{which}Radius{what}": values
        for which in ("min", "avg", "max")
        for what, values in (("Avg", mean), ("Std", std))
    }
    area = np.pi * square
    return {"length": length, "volume": area * length, "avgCrossSection": area, **radii}


def _along(branch: Ints, length: Floats, values: Floats) -> Floats:
    """(E,) the mean of the segments' values, weighted by length; missing ones are left out."""
    known = ~np.isnan(values)
    weight = np.bincount(branch, weights=np.where(known, length, 0.0))
    total = np.bincount(branch, weights=np.where(known, length * values, 0.0))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(weight > 0, weight, np.nan))
