"""What a vessel graph can be read from, and its unit of length."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from retia.datasets.vessel.graph import VesselGraph, scale
from retia.datasets.vessel.readers.polyline import scale_polyline, trace
from retia.datasets.vessel.readers.voreen import read_voreen
from retia.shards.errors import InputError, MissingExtraError

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

    @property
    def parameters(self) -> dict[str, Any]:
        """What the manifest tells of the reading."""
        return {"format": "voreen"}


@dataclass(frozen=True)
class Generator:
    """A generated network of so many nodes."""

    num_nodes: int


@dataclass(frozen=True)
class Published:
    """A published graph, by the name of its pinned source."""

    name: str


@dataclass(frozen=True)
class GraphmlFile:
    """A graph in GraphML."""

    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the manifest tells of the reading."""
        return {"format": "graphml"}


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

    @property
    def parameters(self) -> dict[str, Any]:
        """What the manifest tells of the reading."""
        return {"format": self.format, "every_point": self.every_point}


@dataclass(frozen=True)
class GrapeGraph:
    """One graph of a GRAPE table, or all of them."""

    path: Path
    graph: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the manifest tells of the reading."""
        return {"format": "grape", "graph": self.graph}


@dataclass(frozen=True)
class VolumeFile:
    """A segmentation; `label` the value that is vessel, spurs up to `bulge` radii are pruned."""

    path: Path
    label: int | None = None
    bulge: float | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the manifest tells of the reading."""
        return {"format": "volume", "label": self.label, "bulge": self.bulge}


GraphFile = CsvFiles | GraphmlFile | LineFile | GrapeGraph | VolumeFile
VesselSource = GraphFile | Generator | Published


@dataclass(frozen=True)
class Given:
    """What a command line names as its source, of which one is wanted."""

    nodes: Path | None = None
    edges: Path | None = None
    published: str | None = None
    vtk: Path | None = None
    swc: Path | None = None
    graphml: Path | None = None
    grape: Path | None = None
    graph: str | None = None
    generate: int | None = None
    every_point: bool = False
    volume: Path | None = None
    label: int | None = None
    bulge: float | None = None


def choose(given: Given) -> VesselSource:
    """The one source that is given.

    Raises `InputError` for none, several, half of one, or options of another.
    """
    found: dict[str, VesselSource] = {}
    if given.nodes is not None and given.edges is not None:
        found["--nodes and --edges"] = CsvFiles(given.nodes, given.edges)
    if given.published is not None:
        found["--source"] = Published(given.published)
    if given.vtk is not None:
        found["--vtk"] = LineFile(given.vtk, "vtk", given.every_point)
    if given.swc is not None:
        found["--swc"] = LineFile(given.swc, "swc", given.every_point)
    if given.graphml is not None:
        found["--graphml"] = GraphmlFile(given.graphml)
    if given.grape is not None:
        found["--grape"] = GrapeGraph(given.grape, given.graph)
    if given.volume is not None:
        found["--volume"] = VolumeFile(given.volume, given.label, given.bulge)
    if given.generate is not None:
        found["--generate"] = Generator(given.generate)
    if len(found) != 1 or (given.nodes is None) != (given.edges is None):
        raise InputError(
            "give one source: --nodes and --edges, --source, --vtk, --swc, --graphml, --grape, "
            "--volume, or --generate N"
        )
    source = next(iter(found.values()))
    if given.every_point and not isinstance(source, LineFile):
        raise InputError("--every-point goes with --vtk or --swc")
    if given.graph is not None and not isinstance(source, GrapeGraph):
        raise InputError("--graph goes with --grape")
    if (given.label, given.bulge) != (None, None) and not isinstance(source, VolumeFile):
        raise InputError("--label and --bulge go with --volume")
    return source


def read_source(
    source: GraphFile, voxel_size: VoxelSize | None = None, workers: int = 1
) -> tuple[VesselGraph, dict[str, Any]]:
    """`read_graph`, and what the manifest tells of it: of a volume also how well it was traced."""
    if not isinstance(source, VolumeFile):
        return read_graph(source, voxel_size), source.parameters
    try:
        from retia.datasets.vessel.volumes.volume import BULGE, read_volume
    except ImportError as error:
        raise MissingExtraError("build", str(error.name)) from error
    bulge = BULGE if source.bulge is None else source.bulge
    graph, report = read_volume(
        source.path, voxel_size, label=source.label, bulge=bulge, workers=workers
    )
    return graph, source.parameters | {"bulge": bulge, "topology": report}


def read_graph(source: GraphFile, voxel_size: VoxelSize | None = None) -> VesselGraph:
    """The graph of a source, in micrometres where `voxel_size` tells how long a voxel is.

    `voxel_size` has one number, or one an axis. Lengths of Voreen and GraphML are measured along
    centrelines that those files do not hold, so voxels must be cubes there; lengths of drawings
    are computed after scaling. Raises `InputError`.
    """
    match source:
        case CsvFiles():
            return in_micrometres(read_voreen(source.nodes, source.edges), voxel_size)
        case GraphmlFile():
            from retia.datasets.vessel.readers.graphml import read_graphml

            return in_micrometres(read_graphml(source.path), voxel_size)
        case LineFile():
            return _read_lines(source, voxel_size or (1.0,))
        case GrapeGraph():
            from retia.datasets.vessel.readers.grape import read_grape

            return read_grape(source.path, source.graph, voxel_size and _per_axis(voxel_size, 2))
        case VolumeFile():
            return read_source(source, voxel_size)[0]


def check_voxel_size(voxel_size: VoxelSize | None) -> None:
    """Raise `InputError` unless all numbers are positive."""
    if voxel_size is not None and not all(np.isfinite(v) and v > 0 for v in voxel_size):
        shown = ",".join(f"{v:g}" for v in voxel_size)
        raise InputError(f"--voxel-size {shown}: a positive number is needed, or one an axis")


def _read_lines(source: LineFile, voxel_size: VoxelSize) -> VesselGraph:
    if source.format == "vtk":
        from retia.datasets.vessel.readers.polydata import read_polydata as read
    else:
        from retia.datasets.vessel.readers.swc import read_swc as read
    line = read(source.path)
    scaled = scale_polyline(line, _per_axis(voxel_size, line.position.shape[1]))
    return trace(scaled, every_point=source.every_point)


def in_micrometres(graph: VesselGraph, voxel_size: VoxelSize | None) -> VesselGraph:
    """A graph whose lengths were measured in voxels, which must be cubes; raises `InputError`."""
    if voxel_size is None:
        return graph
    if len(set(voxel_size)) > 1:
        shown = ",".join(f"{v:g}" for v in voxel_size)
        raise InputError(
            f"--voxel-size {shown}: lengths and radii in this file were measured along centrelines "
            "that it does not hold, so they cannot be scaled by axis; give one number, or measure "
            "again from the segmentation"
        )
    return scale(graph, voxel_size[0])


def _per_axis(voxel_size: VoxelSize, dimensions: int) -> VoxelSize:
    if len(voxel_size) == 1:
        return voxel_size * dimensions
    if len(voxel_size) != dimensions:
        raise InputError(
            f"--voxel-size has {len(voxel_size)} numbers, this graph has {dimensions} axes"
        )
    return voxel_size
