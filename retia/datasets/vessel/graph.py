"""The one form of a vessel graph between readers, cleaning, features and tasks."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retia.shards.errors import InputError

Floats = NDArray[np.float64]
Unit = Literal["um", "px"]

MEASURES = (
    "length",
    "distance",
    "curveness",
    "volume",
    "avgCrossSection",
    "minRadiusAvg",
    "minRadiusStd",
    "avgRadiusAvg",
    "avgRadiusStd",
    "maxRadiusAvg",
    "maxRadiusStd",
    "roundnessAvg",
    "roundnessStd",
    "num_voxels",
)
LENGTHS = ("length", "distance", *(name for name in MEASURES if "Radius" in name))
AREAS = ("avgCrossSection",)
VOLUMES = ("volume",)

DISTANCE_TOLERANCE = 0.01
MISMATCHED_SHARE = 0.01


@dataclass(frozen=True)
class VesselGraph:
    """A vessel graph: n nodes, E edges, in d = 2 or 3 dimensions.

    `node_id` (n,) and `edge_id` (E,) int64 as in the files; `position` (n, d); `ends` (E, 2) int64
    rows of the node table; `measures` maps some of `MEASURES`, `length` and `distance` among them,
    to (E,) float64, NaN for a missing value; `border` (n,) whether a node lies at the border of
    the sample, where known; `labels` (n,) the classes of the nodes, empty where unlabelled, where
    the source tells them. Lengths are in `unit`.
    """

    node_id: NDArray[np.int64]
    position: Floats
    edge_id: NDArray[np.int64]
    ends: NDArray[np.int64]
    measures: dict[str, Floats]
    border: NDArray[np.bool_] | None = None
    labels: NDArray[np.str_] | None = None
    unit: Unit = "um"


def end_distance(graph: VesselGraph) -> Floats:
    """(E,) the distance between the ends of each edge, from the positions."""
    offset = graph.position[graph.ends[:, 0]] - graph.position[graph.ends[:, 1]]
    return np.asarray(np.linalg.norm(offset, axis=1))


def with_distances(graph: VesselGraph) -> VesselGraph:
    """The graph with `distance` and `curveness`, computed where the source has none."""
    measures = dict(graph.measures)
    measures.setdefault("distance", end_distance(graph))
    with np.errstate(divide="ignore", invalid="ignore"):
        curveness = measures["length"] / measures["distance"]
    measures.setdefault("curveness", np.maximum(curveness, 1.0))
    return replace(graph, measures=measures)


def mismatched(graph: VesselGraph) -> NDArray[np.bool_]:
    """(E,) whether an edge's stated distance is not that of its ends.

    The tolerance is 1 % of the distance, and six significant digits of the largest coordinate.
    """
    stated = graph.measures["distance"]
    found = end_distance(graph)
    digits = 1e-5 * float(np.abs(graph.position).max(initial=0.0))
    usable = np.isfinite(stated) & (stated >= 0)
    gap = np.abs(np.where(usable, stated, found) - found)
    return np.asarray(gap > DISTANCE_TOLERANCE * found + digits)


def check_distances(graph: VesselGraph, nodes: str, edges: str) -> VesselGraph:
    """The graph itself; raises `InputError` where over 1 % of the edges contradict the nodes."""
    wrong = mismatched(graph)
    if wrong.sum() > MISMATCHED_SHARE * len(wrong):
        first = int(np.argmax(wrong))
        raise InputError(
            f"{edges}: {wrong.sum()} of {len(wrong)} vessels have another distance than their ends "
            f"in {nodes}: vessel {graph.edge_id[first]} states "
            f"{graph.measures['distance'][first]:.6g}, its ends are "
            f"{end_distance(graph)[first]:.6g} apart; give the node table of the same sample"
        )
    return graph


def select_edges(graph: VesselGraph, edges: NDArray[np.bool_]) -> VesselGraph:
    """The graph with some of its edges, given as an (E,) mask, and all of its nodes."""
    return replace(
        graph,
        edge_id=graph.edge_id[edges],
        ends=graph.ends[edges],
        measures={name: values[edges] for name, values in graph.measures.items()},
    )


def select_nodes(graph: VesselGraph, nodes: NDArray[np.bool_]) -> VesselGraph:
    """The graph on some of its nodes, given as an (n,) mask, with the edges between them.

    Nodes are renumbered in their old order; ids stay those of the source.
    """
    row = np.cumsum(nodes) - 1
    inner = select_edges(graph, np.asarray(nodes[graph.ends].all(axis=1)))
    return replace(
        inner,
        node_id=graph.node_id[nodes],
        position=graph.position[nodes],
        ends=row[inner.ends].astype(np.int64).reshape(-1, 2),
        border=None if graph.border is None else graph.border[nodes],
        labels=None if graph.labels is None else graph.labels[nodes],
    )


def crop(graph: VesselGraph, low: tuple[float, ...], high: tuple[float, ...]) -> VesselGraph:
    """The nodes inside a box, its faces included, and the edges between them, renumbered.

    `low` and `high` hold d coordinates each. Raises `InputError` for a box of other dimension or
    without a vessel.
    """
    if len(low) != graph.position.shape[1]:
        raise InputError(
            f"--roi has {2 * len(low)} numbers, this graph of {graph.position.shape[1]} dimensions "
            f"needs {2 * graph.position.shape[1]}"
        )
    inside = np.asarray(((graph.position >= low) & (graph.position <= high)).all(axis=1))
    cropped = select_nodes(graph, inside)
    if not len(cropped.edge_id):
        span = ", ".join(
            f"{a:.6g} to {b:.6g}"
            for a, b in zip(graph.position.min(axis=0), graph.position.max(axis=0), strict=True)
        )
        raise InputError(f"--roi holds no vessel; the graph spans {span} {graph.unit}")
    return cropped


def scale(graph: VesselGraph, voxel_size: float) -> VesselGraph:
    """A graph measured in voxels as one in micrometres, `voxel_size` to a voxel's edge."""
    power = dict.fromkeys(LENGTHS, 1) | dict.fromkeys(AREAS, 2) | dict.fromkeys(VOLUMES, 3)
    measures = {
        name: values * voxel_size ** power.get(name, 0) for name, values in graph.measures.items()
    }
    return replace(graph, position=graph.position * voxel_size, measures=measures)
