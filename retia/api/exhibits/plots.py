"""The distributions that a dataset's page plots: degrees, lengths, texts, classes.

All of it is counted from public files.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from retia.shards.arrays import column_array, node_labels, pairs
from retia.shards.manifest import Relation
from retia.shards.version import Version

BINS = 24
MOST_BARS = 30
FAR = 50.0

Floats = NDArray[np.float64]


class Plot(BaseModel):
    """Counts in bins between `edges`, or of `labels`; `median` of what is counted.

    Bins of a `log` plot are equally wide on a logarithm.
    """

    title: str
    axis: str
    counts: list[int]
    edges: list[float] = []
    labels: list[str] = []
    log: bool = False
    median: float | None = None


def make_plots(version: Version) -> list[Plot]:
    """All plots that a version has something for."""
    manifest = version.manifest
    plots = [plot for relation in manifest.relations for plot in _degrees(version, relation)]
    plots += [plot for relation in manifest.relations for plot in _lengths(version, relation)]
    for column in manifest.columns:
        if column.role == "text":
            texts = version.nodes([column.name])[column.name]
            size = pc.utf8_length(pc.fill_null(texts, "")).to_numpy().astype(np.float64)
            plots.append(histogram(f"Length of {column.name}", "characters", size, whole=True))
    for task in manifest.tasks:
        if task.type == "node":
            labels = node_labels(version, task)
            counts = np.bincount(labels[labels >= 0], minlength=len(task.classes))
            plots.append(bars(f"Public labels of {task.name}", task.classes, counts))
    return [plot for plot in plots if sum(plot.counts)]


def histogram(title: str, axis: str, values: Floats, *, whole: bool = False) -> Plot:
    """Counts of values in bins; on a logarithm where the largest is far from the median.

    Whole numbers have bins that begin half-way between two of them.
    """
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Plot(title=title, axis=axis, counts=[])
    low, high, median = float(values.min()), float(values.max()), float(np.median(values))
    log = low >= 0 and high > FAR * max(median, 1e-12)
    if log:
        start = max(low, 1.0) if whole else max(low, high * 1e-6)
        edges = np.geomspace(start, max(high, start * 2), BINS + 1)
        edges[0] = min(edges[0], low)
    elif whole:
        step = max(1, -(-int(high - low + 1) // BINS))
        edges = np.arange(low - 0.5, high + step, step)
    else:
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    if log and whole:
        edges = np.unique(np.round(edges) - 0.5)
        edges = np.append(edges, high + 0.5)
    counts = np.histogram(values, np.unique(edges))[0]
    return Plot(
        title=title,
        axis=axis,
        counts=counts.tolist(),
        edges=np.unique(edges).tolist(),
        log=log,
        median=median,
    )


def bars(title: str, labels: tuple[str, ...], counts: NDArray[np.int64]) -> Plot:
    """Counts of classes, in their order; of many the commonest, and the rest together."""
    if len(labels) <= MOST_BARS:
        return Plot(title=title, axis="nodes", counts=counts.tolist(), labels=list(labels))
    order = np.argsort(-counts, kind="stable")
    top, rest = order[: MOST_BARS - 1], order[MOST_BARS - 1 :]
    return Plot(
        title=title,
        axis="nodes",
        counts=[*counts[top].tolist(), int(counts[rest].sum())],
        labels=[*(labels[i] for i in top), f"{len(rest)} others"],
    )


def _degrees(version: Version, relation: Relation) -> Iterator[Plot]:
    if relation.num_edges == 0:
        return
    ends = pairs(version.edges(relation.name, ["src", "dst"]))
    nodes = version.manifest.num_nodes
    found = (
        {"Out-degree": ends[0], "In-degree": ends[1]}
        if relation.directed
        else {"Degree": ends.ravel()}
    )
    for name, side in found.items():
        degree = np.bincount(side, minlength=nodes).astype(np.float64)
        yield histogram(f"{name}, {relation.name}", "visible edges of a node", degree, whole=True)


def _lengths(version: Version, relation: Relation) -> Iterator[Plot]:
    """The lengths that the relation tells, or the distances between the ends of its edges."""
    if relation.num_edges == 0:
        return
    for column in relation.columns:
        if column.name == "length":
            values = column_array(version.edges(relation.name, ["length"])["length"])
            title = f"Length of edges, {relation.name}"
            yield histogram(title, column.unit or "length", values.astype(np.float64))
            return
    for column in version.manifest.columns:
        if column.role == "position":
            place = column_array(version.nodes([column.name])[column.name]).astype(np.float64)
            src, dst = pairs(version.edges(relation.name, ["src", "dst"]))
            distance = np.linalg.norm(np.atleast_2d(place[src] - place[dst]), axis=-1)
            title = f"Distance between ends, {relation.name}"
            yield histogram(title, column.unit or "length", distance.ravel())
            return
