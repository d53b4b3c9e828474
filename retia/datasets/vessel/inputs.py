"""What a vessel graph can be read from, and its unit of length."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from retia.datasets.vessel.graph import VesselGraph, scale
from retia.datasets.vessel.polyline import scale_polyline, trace
from retia.datasets.vessel.voreen import read_voreen
from retia.shards.errors import InputError

VoxelSize = tuple[float, ...]


@dataclass(frozen=True)
class CsvFiles:
    """Voreen tables of the user's own."""

    nodes: Path
    edges: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.nodes, self.edges)


@dataclass(frozen=True)
class GraphmlFile:
    """A graph in GraphML."""

    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)


@dataclass(frozen=True)
class LineFile:
    """A drawing of centrelines; with `every_point`, each of its points is a node."""

    path: Path
    format: Literal["vtk", "swc"]
    every_point: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)


@dataclass(frozen=True)
class GrapeGraph:
    """One graph of a GRAPE table."""

    path: Path
    graph: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)


GraphFile = CsvFiles | GraphmlFile | LineFile | GrapeGraph


def read_graph(source: GraphFile, voxel_size: VoxelSize | None = None) -> VesselGraph:
    """The graph of a source, in micrometres where `voxel_size` tells how long a voxel is.

    `voxel_size` has one number, or one an axis. Lengths of Voreen and GraphML are measured along
    centrelines that those files do not hold, so voxels must be cubes there; lengths of drawings
    are computed after scaling. Raises `InputError`.
    """
    match source:
        case CsvFiles():
            return scale(read_voreen(source.nodes, source.edges), _cubic(voxel_size))
        case GraphmlFile():
            from retia.datasets.vessel.graphml import read_graphml

            return scale(read_graphml(source.path), _cubic(voxel_size))
        case LineFile():
            return _read_lines(source, voxel_size or (1.0,))
        case GrapeGraph():
            from retia.datasets.vessel.grape import read_grape

            return read_grape(source.path, source.graph, voxel_size and _per_axis(voxel_size, 2))


def check_voxel_size(voxel_size: VoxelSize | None) -> None:
    """Raise `InputError` unless all numbers are positive."""
    if voxel_size is not None and not all(np.isfinite(v) and v > 0 for v in voxel_size):
        shown = ",".join(f"{v:g}" for v in voxel_size)
        raise InputError(f"--voxel-size {shown}: a positive number is needed, or one an axis")


def _read_lines(source: LineFile, voxel_size: VoxelSize) -> VesselGraph:
    if source.format == "vtk":
        from retia.datasets.vessel.polydata import read_polydata as read
    else:
        from retia.datasets.vessel.swc import read_swc as read
    line = read(source.path)
    scaled = scale_polyline(line, _per_axis(voxel_size, line.position.shape[1]))
    return trace(scaled, every_point=source.every_point)


def _cubic(voxel_size: VoxelSize | None) -> float:
    if voxel_size is None:
        return 1.0
    if len(set(voxel_size)) > 1:
        shown = ",".join(f"{v:g}" for v in voxel_size)
        raise InputError(
            f"--voxel-size {shown}: lengths and radii in this file were measured along centrelines "
            "that it does not hold, so they cannot be scaled by axis; give one number, or measure "
            "again from the segmentation"
        )
    return voxel_size[0]


def _per_axis(voxel_size: VoxelSize, dimensions: int) -> VoxelSize:
    if len(voxel_size) == 1:
        return voxel_size * dimensions
    if len(voxel_size) != dimensions:
        raise InputError(
            f"--voxel-size has {len(voxel_size)} numbers, this graph has {dimensions} axes"
        )
    return voxel_size
