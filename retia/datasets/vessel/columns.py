"""The columns of vessel datasets: measures of vessels, features of branching points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.datasets.assemble import NodeColumn, degree_column, derived_column
from retia.datasets.vessel.atlas import Located
from retia.datasets.vessel.graph import Unit, VesselGraph
from retia.shards.errors import InputError
from retia.shards.manifest import Column

Floats = NDArray[np.float64]
EdgeColumn = tuple[Column, NDArray[Any]]

_ALONG = "along the vessel"
MEASURED: dict[str, tuple[str, int | None, str]] = {
    "length": ("length", 1, "length along the vessel's centreline"),
    "distance": ("distance", 1, "distance between the vessel's ends"),
    "curveness": ("curveness", None, "length divided by distance"),
    "volume": ("volume", 3, "volume of the vessel"),
    "cross_section": ("avgCrossSection", 2, "mean cross-section, volume divided by length"),
    "min_radius": ("minRadiusAvg", 1, f"mean {_ALONG} of the smallest distance to the wall"),
    "min_radius_std": ("minRadiusStd", 1, f"deviation {_ALONG} of the smallest distance"),
    "radius": ("avgRadiusAvg", 1, "mean radius along the vessel"),
    "radius_std": ("avgRadiusStd", 1, f"deviation {_ALONG} of the radius"),
    "max_radius": ("maxRadiusAvg", 1, f"mean {_ALONG} of the largest distance to the wall"),
    "max_radius_std": ("maxRadiusStd", 1, f"deviation {_ALONG} of the largest distance"),
    "roundness": ("roundnessAvg", None, f"mean {_ALONG} of smallest to largest distance"),
    "roundness_std": ("roundnessStd", None, f"deviation {_ALONG} of roundness"),
    "num_voxels": ("num_voxels", None, "number of voxels of the centreline"),
}
SHAPE = ("length", "distance", "curveness")


def measured(name: str, unit: Unit) -> Column:
    """The description of a measure of a vessel."""
    _, power, description = MEASURED[name]
    power_unit = None if power is None else unit if power == 1 else f"{unit}{power}"
    return Column(
        name=name, dtype="float32", unit=power_unit, description=description, role="feature"
    )


def vessel_columns(graph: VesselGraph, edges: NDArray[Any]) -> tuple[EdgeColumn, ...]:
    """All measures that the graph has, and the border flag, of some of its edges."""
    columns = [
        (measured(name, graph.unit), graph.measures[source][edges])
        for name, (source, *_) in MEASURED.items()
        if source in graph.measures
    ]
    if graph.border is not None:
        flag = _border_column("whether an end lies at the border of the sample")
        columns.append((flag, graph.border[graph.ends[edges]].any(axis=1)))
    return tuple(columns)


def shape_columns(graph: VesselGraph, edges: NDArray[Any]) -> tuple[NodeColumn, ...]:
    """Length, distance and curveness: what tells nothing of the radius by definition."""
    return tuple(
        NodeColumn(measured(name, graph.unit), graph.measures[MEASURED[name][0]][edges])
        for name in SHAPE
    )


def position_column(position: Floats, unit: Unit, description: str) -> NodeColumn:
    """(n, d) positions as the column `pos`."""
    column = Column(
        name="pos",
        dtype="float32",
        shape=(position.shape[1],),
        unit=unit,
        description=description,
        role="position",
    )
    return NodeColumn(column, position)


def place_features(
    graph: VesselGraph,
    order: NDArray[np.int64],
    origin: tuple[float, ...] | None,
    located: Located | None,
    regions: tuple[str, ...],
) -> tuple[NodeColumn, ...]:
    """What follows from where a node lies: position, z-scores, angles, regions."""
    position = graph.position[order]
    columns = [
        position_column(position, graph.unit, "position of the branching point"),
        zscores(position),
    ]
    if origin is not None:
        columns += bloch_columns(position.shape[1], origin)
    if located is not None:
        columns.append(region_column(located.group[order], regions))
    return tuple(columns)


def own_features(graph: VesselGraph, order: NDArray[np.int64]) -> tuple[NodeColumn, ...]:
    """What a node has wherever it lies: its visible degree, and its border flag where known."""
    degree = degree_column(
        "degree", "number of visible vessels", relation="vessel", direction="both"
    )
    if graph.border is None:
        return (degree,)
    flag = _border_column("whether the node lies at the border of the sample")
    return (degree, NodeColumn(flag, graph.border[order]))


def zscores(position: Floats) -> NodeColumn:
    """The column (pos - mean) / std of (n, d) positions; its recipe holds both, for each axis.

    An axis without extent has a std of 1.
    """
    stored = position.astype(np.float32).astype(np.float64)
    mean, std = stored.mean(axis=0), stored.std(axis=0)
    constants = {"mean": mean.tolist(), "std": np.where(std > 0, std, 1.0).tolist()}
    return derived_column(
        "pos_zscore",
        "position, minus its mean, divided by its standard deviation, by axis",
        "zscore",
        {"column": "pos", **constants},
        shape=(position.shape[1],),
    )


def bloch_columns(dimensions: int, origin: tuple[float, ...]) -> tuple[NodeColumn, NodeColumn]:
    """The polar angle θ = arccos(z/r) in [0, π] and the azimuth φ = atan2(y, x) in (-π, π].

    Both are about an origin, and missing at the origin itself.
    """
    if dimensions != 3 or len(origin) != 3:
        raise InputError("--bloch needs a graph in three dimensions and an origin x,y,z")
    about = {"column": "pos", "origin": list(origin)}
    return (
        derived_column(
            "bloch_theta", "polar angle about the stated origin", "polar-angle", about, unit="rad"
        ),
        derived_column(
            "bloch_phi", "azimuth about the stated origin", "azimuth", about, unit="rad"
        ),
    )


def region_column(group: NDArray[np.int64], names: tuple[str, ...]) -> NodeColumn:
    """One column a group of the ontology, 1 where the node lies in it; all 0 outside of all."""
    one_hot = np.zeros((len(group), len(names)), dtype=np.uint8)
    inside = np.flatnonzero(group >= 0)
    one_hot[inside, group[inside]] = 1
    column = Column(
        name="region",
        dtype="uint8",
        shape=(len(names),),
        description="region of the atlas, one place a group of the ontology; names in provenance",
        role="feature",
    )
    return NodeColumn(column, one_hot)


def _border_column(description: str) -> Column:
    return Column(name="border", dtype="bool", description=description, role="feature")
