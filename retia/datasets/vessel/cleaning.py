"""Clean a vessel graph: sentinels, self-loops, parallel edges. Every rule is counted."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.voreen import VesselGraph

Values = NDArray[np.float64]
Report = dict[str, int]

LENGTHS = ("length", "distance", "minRadiusAvg", "avgRadiusAvg", "maxRadiusAvg")
AREAS = ("avgCrossSection",)
VOLUMES = ("volume",)


def clean(graph: VesselGraph) -> tuple[VesselGraph, Report]:
    """A simple graph without invalid values, and how often each rule was used.

    Self-loops are dropped; negative values (Voreen's -1 for "invalid") and infinite ones become
    missing; parallel edges are merged. Isolated nodes stay.
    """
    loops = graph.ends[:, 0] == graph.ends[:, 1]
    graph_, invalid = _drop_invalid(_select(graph, ~loops))
    merged = merge_parallel(graph_)
    degree = np.bincount(merged.ends.ravel(), minlength=len(graph.node_id))
    return merged, {
        "raw_nodes": len(graph.node_id),
        "raw_edges": len(graph.edge_id),
        "self_loops_dropped": int(loops.sum()),
        "invalid_values_removed": invalid,
        "parallel_edges_merged": len(graph_.edge_id) - len(merged.edge_id),
        "isolated_nodes_kept": int((degree == 0).sum()),
        "edges": len(merged.edge_id),
    }


def merge_parallel(graph: VesselGraph) -> VesselGraph:
    """One edge for each pair of nodes, with ends in ascending order, sorted by them.

    Lengths, curveness and roundness are averaged; volumes, voxels and cross-sections add up; radii
    keep the area of the cross-section, r² = Σ rᵢ². Missing values are left out. The id is the
    smallest of the merged ones.
    """
    ends = np.sort(graph.ends, axis=1)
    order = np.lexsort((graph.edge_id, ends[:, 1], ends[:, 0]))
    ends = ends[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(ends, axis=0) != 0).any(axis=1)][: len(ends)])
    merged = {name: MERGE[name](values[order], starts) for name, values in graph.measures.items()}
    return VesselGraph(
        graph.node_id, graph.position, graph.edge_id[order][starts], ends[starts], merged
    )


def scale(graph: VesselGraph, voxel_size_um: float) -> VesselGraph:
    """A graph measured in voxels as one in micrometres."""
    power = dict.fromkeys(LENGTHS, 1) | dict.fromkeys(AREAS, 2) | dict.fromkeys(VOLUMES, 3)
    measures = {
        name: values * voxel_size_um ** power.get(name, 0)
        for name, values in graph.measures.items()
    }
    position = graph.position * voxel_size_um
    return VesselGraph(graph.node_id, position, graph.edge_id, graph.ends, measures)


def _select(graph: VesselGraph, edges: NDArray[np.bool_]) -> VesselGraph:
    measures = {name: values[edges] for name, values in graph.measures.items()}
    return VesselGraph(
        graph.node_id, graph.position, graph.edge_id[edges], graph.ends[edges], measures
    )


def _drop_invalid(graph: VesselGraph) -> tuple[VesselGraph, int]:
    invalid = {name: (values < 0) | np.isinf(values) for name, values in graph.measures.items()}
    measures = {
        name: np.where(invalid[name], np.nan, values) for name, values in graph.measures.items()
    }
    valid = VesselGraph(graph.node_id, graph.position, graph.edge_id, graph.ends, measures)
    return valid, int(sum(mask.sum() for mask in invalid.values()))


def _sum(values: Values, starts: NDArray[np.int64]) -> Values:
    """The sum of each run of values, NaN where all are."""
    if not len(values):
        return values
    present = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
    total = np.add.reduceat(np.nan_to_num(values, nan=0.0), starts)
    return np.where(present > 0, total, np.nan)


def _mean(values: Values, starts: NDArray[np.int64]) -> Values:
    count = _sum(np.where(np.isnan(values), np.nan, 1.0), starts)
    return _sum(values, starts) / count


def _radius(values: Values, starts: NDArray[np.int64]) -> Values:
    return np.sqrt(_sum(values**2, starts))


MERGE: dict[str, Callable[[Values, NDArray[np.int64]], Values]] = {
    "length": _mean,
    "distance": _mean,
    "curveness": _mean,
    "volume": _sum,
    "avgCrossSection": _sum,
    "minRadiusAvg": _radius,
    "avgRadiusAvg": _radius,
    "maxRadiusAvg": _radius,
    "roundnessAvg": _mean,
    "num_voxels": _sum,
}
