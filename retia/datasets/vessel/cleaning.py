"""Clean a vessel graph: sentinels, self-loops, parallel edges. Every rule is counted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.graph import VesselGraph, mismatched, select_edges, select_nodes

Values = NDArray[np.float64]
Starts = NDArray[np.int64]
Measures = dict[str, Values]
Report = dict[str, Any]
Isolated = Literal["keep", "drop"]
Rules = Literal["retia", "vesselgraph"]

ILL_DEFINED = (
    "which rows merge: the original takes the rows before a sort by the first end only, and so "
    "mixes pairs; here parallel vessels are found by both ends",
    "medians of std/mean: the original's change while it merges, and so depend on the order of "
    "rows; here they are those of the table before merging",
    "line fit and medians: as in the original they take in self-loops and values of -1, so they "
    "are no measurements of vessels",
    "roundness above 1: the fitted line is not bounded, as in the original",
    "degree: the original counts in 8 bits; here it does not overflow",
)


def clean(
    graph: VesselGraph, isolated: Isolated = "keep", rules: Rules = "retia"
) -> tuple[VesselGraph, Report]:
    """A simple graph without invalid values, and how often each rule was used.

    Self-loops are dropped; negative values (Voreen's -1 for "invalid") and infinite ones become
    missing; parallel edges are merged; isolated nodes stay or go. `rules="vesselgraph"` merges and
    treats negative values as VesselGraph's process_edge_list.py states.
    """
    loops = graph.ends[:, 0] == graph.ends[:, 1]
    if rules == "vesselgraph":
        simple, report = _clean_as_published(graph, loops)
    else:
        simple, report = _clean(select_edges(graph, ~loops))
    lonely = np.bincount(simple.ends.ravel(), minlength=len(graph.node_id)) == 0
    if isolated == "drop":
        simple = select_nodes(simple, ~lonely)
    return simple, {
        "raw_nodes": len(graph.node_id),
        "raw_edges": len(graph.edge_id),
        "self_loops_dropped": int(loops.sum()),
        **report,
        "parallel_edges_merged": len(graph.edge_id) - int(loops.sum()) - len(simple.edge_id),
        "distances_contradicted": int(mismatched(graph).sum()),
        f"isolated_nodes_{'dropped' if isolated == 'drop' else 'kept'}": int(lonely.sum()),
        "edges": len(simple.edge_id),
    }


def merge_parallel(graph: VesselGraph) -> VesselGraph:
    """One edge for each pair of nodes, with ends in ascending order, sorted by them.

    Lengths, curveness and roundness are averaged; volumes, voxels and cross-sections add up; radii
    keep the area of the cross-section, r² = Σ rᵢ², and their deviations follow by propagation of
    errors, σ = √Σ(rᵢσᵢ)² / r; the deviation of roundness is that of the pooled voxels, each vessel
    weighing alike. Missing values are left out. The id is the smallest of the merged ones.
    """
    sorted_, starts = _runs(graph)
    merged = {name: _merge(name, sorted_.measures, starts) for name in graph.measures}
    return replace(
        sorted_, edge_id=sorted_.edge_id[starts], ends=sorted_.ends[starts], measures=merged
    )


def _clean(graph: VesselGraph) -> tuple[VesselGraph, Report]:
    invalid = {name: (values < 0) | np.isinf(values) for name, values in graph.measures.items()}
    valid = {
        name: np.where(invalid[name], np.nan, values) for name, values in graph.measures.items()
    }
    count = int(sum(mask.sum() for mask in invalid.values()))
    merged = merge_parallel(replace(graph, measures=valid))
    return merged, {"invalid_values_removed": count}


def _runs(graph: VesselGraph) -> tuple[VesselGraph, Starts]:
    """The edges with ascending ends, sorted by them, then by id; where each pair starts."""
    ends = np.sort(graph.ends, axis=1)
    order = np.lexsort((graph.edge_id, ends[:, 1], ends[:, 0]))
    ends = ends[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(ends, axis=0) != 0).any(axis=1)][: len(ends)])
    measures = {name: values[order] for name, values in graph.measures.items()}
    return replace(graph, edge_id=graph.edge_id[order], ends=ends, measures=measures), starts


def _sum(values: Values, starts: Starts) -> Values:
    """The sum of each run of values, NaN where all are."""
    if not len(values):
        return values
    present = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
    total = np.add.reduceat(np.nan_to_num(values, nan=0.0), starts)
    return np.where(present > 0, total, np.nan)


def _mean(values: Values, starts: Starts) -> Values:
    count = _sum(np.where(np.isnan(values), np.nan, 1.0), starts)
    return _sum(values, starts) / count


def _radius(values: Values, starts: Starts) -> Values:
    return np.sqrt(_sum(values**2, starts))


def _radius_std(name: str, measures: Measures, starts: Starts) -> Values:
    """σ of r = √Σrᵢ²: ∂r/∂rᵢ = rᵢ/r, the rᵢ being independent."""
    mean = measures.get(name.replace("Std", "Avg"))
    if mean is None:
        return _mean(measures[name], starts)
    part = _sum((mean * measures[name]) ** 2, starts)
    total = _radius(mean, starts)
    alone = np.diff(np.r_[starts, len(mean)]) == 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(alone, measures[name][starts], np.sqrt(part) / total)


def _pooled_std(name: str, measures: Measures, starts: Starts) -> Values:
    """The law of total variance: the mean of the variances and the variance of the means."""
    within = _mean(measures[name] ** 2, starts)
    mean = measures.get(name.replace("Std", "Avg"))
    if mean is None:
        return np.sqrt(within)
    between = _mean(mean**2, starts) - _mean(mean, starts) ** 2
    alone = np.diff(np.r_[starts, len(mean)]) == 1
    pooled = np.sqrt(within + np.maximum(np.nan_to_num(between), 0.0))
    return np.where(alone, measures[name][starts], pooled)


def _merge(name: str, measures: Measures, starts: Starts) -> Values:
    if name == "roundnessStd":
        return _pooled_std(name, measures, starts)
    if name.endswith("RadiusStd"):
        return _radius_std(name, measures, starts)
    return MERGE[name](measures[name], starts)


MERGE: dict[str, Callable[[Values, Starts], Values]] = {
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


def _clean_as_published(graph: VesselGraph, loops: NDArray[np.bool_]) -> tuple[VesselGraph, Report]:
    """Merge, then drop self-loops, then take absolute values, as process_edge_list.py does."""
    merged = merge_as_published(graph)
    simple = select_edges(merged, merged.ends[:, 0] != merged.ends[:, 1])
    negative = sum(int((values < 0).sum()) for values in simple.measures.values())
    infinite = {name: np.isinf(values) for name, values in simple.measures.items()}
    measures = {
        name: np.where(infinite[name], np.nan, np.abs(values))
        for name, values in simple.measures.items()
    }
    return replace(simple, measures=measures), {
        "rules": "vesselgraph",
        "negative_values_made_positive": negative,
        "infinite_values_removed": int(sum(mask.sum() for mask in infinite.values())),
        "ill_defined_in_the_original": list(ILL_DEFINED),
    }


def merge_as_published(graph: VesselGraph) -> VesselGraph:
    """Parallel edges merged by the rules of VesselGraph's process_edge_list.py.

    Mean of length and curveness; sum of volume, voxels, cross-section and mean radius, which then
    stands for the minimum and the maximum radius too; deviations and roundness by the medians of
    std/mean and by a line fitted to (|radius|, roundness) over the table before merging. Distance
    is that of the first edge. Paetzold et al. (2021), arXiv 2108.13233.
    """
    sorted_, starts = _runs(graph)
    measures = sorted_.measures
    several = np.diff(np.r_[starts, len(sorted_.edge_id)]) > 1
    totals = {name: np.add.reduceat(measures[name], starts) for name in ADDED if name in measures}
    count = np.diff(np.r_[starts, len(sorted_.edge_id)])
    rules = totals | {
        name: np.add.reduceat(measures[name], starts) / count for name in ("length", "curveness")
    }
    if "avgRadiusAvg" in measures:
        rules |= _published_radii(graph.measures, totals["avgRadiusAvg"])
    merged = {
        name: np.where(several, rules.get(name, values[starts]), values[starts])
        for name, values in measures.items()
    }
    return replace(
        sorted_, edge_id=sorted_.edge_id[starts], ends=sorted_.ends[starts], measures=merged
    )


ADDED = ("volume", "num_voxels", "avgCrossSection", "avgRadiusAvg")


def _published_radii(before: Measures, radius: Values) -> Measures:
    """The measures that follow from the summed mean radius alone."""
    rules = {"minRadiusAvg": radius, "maxRadiusAvg": radius}
    if "avgRadiusStd" in before:
        spread = radius * _median_ratio(before, "avgRadius")
        rules |= dict.fromkeys(("minRadiusStd", "avgRadiusStd", "maxRadiusStd"), spread)
    if "roundnessAvg" in before:
        slope, offset = np.polyfit(np.abs(before["avgRadiusAvg"]), before["roundnessAvg"], 1)
        rules["roundnessAvg"] = slope * radius + offset
        if "roundnessStd" in before:
            rules["roundnessStd"] = rules["roundnessAvg"] * _median_ratio(before, "roundness")
    return rules


def _median_ratio(measures: Measures, name: str) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmedian(measures[f"{name}Std"] / measures[f"{name}Avg"]))
