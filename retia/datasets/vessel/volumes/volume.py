"""A vessel graph from a segmentation: thin, trace, prune, measure, and check against the mask."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.graph import VesselGraph, with_distances
from retia.datasets.vessel.volumes.bits import Bits
from retia.datasets.vessel.volumes.calibre import Calibre, measure_calibre, wall_distance
from retia.datasets.vessel.volumes.mask_file import read_mask
from retia.datasets.vessel.volumes.skeleton import Skeleton, branch_length, largest, prune, smooth
from retia.datasets.vessel.volumes.thinning import thin
from retia.datasets.vessel.volumes.topology import (
    betti_numbers,
    cl_dice,
    fill_cavities,
    graph_betti,
)
from retia.shards.errors import InputError

Floats = NDArray[np.float64]
Report = dict[str, int | float]

BULGE = 1.5


@dataclass(frozen=True)
class _Traced:
    """The trace of a mask; `least` (n,) distance of its voxels to the wall."""

    mask: Bits
    skeleton: Skeleton
    least: Floats
    spacing: Floats
    calibre: Calibre


def read_volume(
    path: Path,
    voxel_size: tuple[float, ...] | None,
    *,
    label: int | None = None,
    bulge: float = BULGE,
    workers: int = 1,
) -> tuple[VesselGraph, Report]:
    """The vessel graph of a segmentation in micrometres, and how far it keeps the topology.

    `voxel_size` is one number or one an axis, x first. Raises `InputError`.
    """
    if not (np.isfinite(bulge) and bulge >= 0):
        raise InputError(f"--bulge {bulge}: a number of at least 0 is needed; 0 keeps all spurs")
    mask, dimensions = read_mask(path, label)
    size = _per_axis(path, voxel_size, dimensions)
    graph, report = trace_mask(mask, size, bulge=bulge, workers=workers)
    if dimensions == 2:
        graph = _flat(graph)
    return graph, report


def trace_mask(
    mask: Bits, voxel_size: tuple[float, float, float], *, bulge: float = BULGE, workers: int = 1
) -> tuple[VesselGraph, Report]:
    """The vessel graph of a mask; positions (n, 3) as x, y, z.

    Nodes stand in the order of their first voxels, edges in that of their first segments.
    Self-loops (rings) and parallel edges are left in.
    """
    spacing = np.array(voxel_size[::-1], dtype=np.float64)
    solid, cavities = fill_cavities(mask)
    whole = thin(solid)
    voxel = whole.voxels()
    least = wall_distance(solid, voxel, spacing, workers)
    _, pruned, spurs = prune(whole, voxel, least, spacing, bulge)
    kept = least[np.searchsorted(voxel, pruned.voxel)]
    calibre = measure_calibre(solid, pruned.voxel, kept, spacing, workers)
    traced = _Traced(solid, smooth(pruned), kept, spacing, calibre)
    graph = _graph(traced)
    report: Report = {"vessel_voxels": mask.count(), "cavities_filled": cavities}
    report |= {"skeleton_voxels": len(pruned.voxel), "spurs_pruned": spurs}
    return graph, report | _topology(traced, graph, whole.coordinates(voxel).astype(float))


def _topology(traced: _Traced, graph: VesselGraph, whole: Floats) -> Report:
    """Betti numbers of mask and graph, their differences, and clDice."""
    components, loops = betti_numbers(traced.mask)
    found = graph_betti(len(graph.node_id), graph.ends)
    line = traced.skeleton.position
    radius = largest(traced.skeleton.point, traced.least, len(line))
    return {
        "mask_components": components,
        "mask_loops": loops,
        "graph_components": found[0],
        "graph_loops": found[1],
        "betti_0_error": abs(found[0] - components),
        "betti_1_error": abs(found[1] - loops),
        "cl_dice": round(cl_dice(traced.mask, whole, line, radius, traced.spacing), 6),
    }


def _graph(traced: _Traced) -> VesselGraph:
    skeleton = traced.skeleton
    nodes = np.flatnonzero(skeleton.is_node)
    row = np.cumsum(skeleton.is_node) - 1
    graph = VesselGraph(
        node_id=np.arange(len(nodes)),
        position=(skeleton.position[nodes] * traced.spacing)[:, ::-1],
        edge_id=np.arange(len(skeleton.ends)),
        ends=row[skeleton.ends].astype(np.int64),
        measures=_measures(traced),
        border=_border(traced)[nodes],
    )
    return with_distances(graph)


def _border(traced: _Traced) -> NDArray[np.bool_]:
    """(P,) points as near to the border of the volume as to the wall: there the vessel is cut."""
    skeleton = traced.skeleton
    size = np.array(traced.mask.shape)
    wide = size > 1
    gap = np.minimum(skeleton.position + 0.5, size - 0.5 - skeleton.position) * traced.spacing
    radius = largest(skeleton.point, traced.least, len(skeleton.position))
    return np.asarray(gap[:, wide].min(axis=1) <= radius + traced.spacing.max())


def _measures(traced: _Traced) -> dict[str, Floats]:
    """The measures of the branches, from their own voxels."""
    branch = traced.skeleton.voxel_branch
    count = len(traced.skeleton.ends)
    length = branch_length(traced.skeleton, traced.spacing)
    own = branch >= 0
    lumen = np.bincount(branch[own], weights=traced.calibre.lumen[own], minlength=count)
    volume = lumen * traced.spacing.prod()
    free = _outside_junctions(traced, branch)
    measures = {"length": length, "volume": volume}
    with np.errstate(divide="ignore", invalid="ignore"):
        measures["avgCrossSection"] = volume / length
        roundness = traced.calibre.least / traced.calibre.most
    columns = {
        "minRadius": traced.calibre.least,
        "avgRadius": traced.calibre.mean,
        "maxRadius": traced.calibre.most,
        "roundness": roundness,
    }
    for name, values in columns.items():
        measures[f"{name}Avg"], measures[f"{name}Std"] = _spread(branch, values, free, count)
    measures["num_voxels"] = np.bincount(branch[own], minlength=count).astype(np.float64)
    return measures


def _outside_junctions(traced: _Traced, branch: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) voxels of branches outside the balls about the junctions they end at.

    Inside, the wall is that of the junction. A branch that lies within them keeps all its voxels.
    """
    skeleton = traced.skeleton
    own = branch >= 0
    radius = largest(skeleton.point, traced.least, len(skeleton.position))
    radius[skeleton.degree < 3] = -1
    at = skeleton.position[skeleton.point] * traced.spacing
    free = own.copy()
    for ends in skeleton.ends.T if own.any() else ():
        node = ends[np.maximum(branch, 0)]
        away = np.linalg.norm(at - skeleton.position[node] * traced.spacing, axis=1)
        free &= away > radius[node]
    inside = np.bincount(branch[free], minlength=len(skeleton.ends)) == 0
    return np.asarray(free | (own & inside[branch]) if own.any() else free)


def _spread(
    branch: NDArray[np.int64], values: Floats, use: NDArray[np.bool_], count: int
) -> tuple[Floats, Floats]:
    """(E,) mean and standard deviation of the branches' values, NaN where there is none."""
    use = use & np.isfinite(values)
    branch, values = branch[use], values[use]
    number = np.bincount(branch, minlength=count)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(branch, weights=values, minlength=count) / number
        square = np.bincount(branch, weights=(values - mean[branch]) ** 2, minlength=count)
        return mean, np.sqrt(square / number)


def _per_axis(
    path: Path, voxel_size: tuple[float, ...] | None, dimensions: int
) -> tuple[float, float, float]:
    """Micrometres along x, y and z; an image's only plane is as thick as its pixels are wide."""
    if voxel_size is None:
        raise InputError(f"{path}: give --voxel-size in micrometres, one number or one an axis")
    shown = ",".join(f"{v:g}" for v in voxel_size)
    if len(voxel_size) not in (1, dimensions):
        raise InputError(
            f"--voxel-size {shown} has {len(voxel_size)} numbers, {path} has {dimensions} axes"
        )
    if not all(np.isfinite(v) and v > 0 for v in voxel_size):
        raise InputError(f"--voxel-size {shown}: a positive number is needed, or one an axis")
    sizes = voxel_size * dimensions if len(voxel_size) == 1 else voxel_size
    return sizes[0], sizes[1], sizes[2] if dimensions == 3 else float(np.mean(sizes))


def _flat(graph: VesselGraph) -> VesselGraph:
    """The graph of an image, in its plane."""
    return replace(graph, position=graph.position[:, :2])
