"""Read the retinal vessel graphs of GRAPE: one table of nodes with lists of neighbours, in 2-D.

Format: https://github.com/dl-engineer/GRAPE, `data/public`: `graph_id,node_id,x,y,width,type,edges`
with the neighbours' node ids joined by `;`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.datasets.vessel.graph import VesselGraph
from retia.datasets.vessel.readers.polyline import Polyline, scale_polyline, trace
from retia.shards.errors import InputError

TYPES = {
    "graph_id": pa.string(),
    "node_id": pa.int64(),
    "x": pa.float64(),
    "y": pa.float64(),
    "width": pa.float64(),
    "type": pa.string(),
    "edges": pa.string(),
}


def read_grape(
    path: Path, graph: str | None = None, voxel_size: tuple[float, ...] | None = None
) -> VesselGraph:
    """One graph of a file, or all of them side by side; each pair of neighbours is a vessel.

    Vessels are straight, their radius is half of the mean width of their ends, where a width of 0
    is missing; the `type` of a node is its label. Of one graph a node keeps its id; of all, its id
    is its row of the table, from 0, and the graphs stand on a square grid, two extents of the
    largest apart. Lengths are in pixels, or in micrometres where `voxel_size` tells the size of a
    pixel. Raises `InputError`.
    """
    table = _choose(path, graph)
    number = table["graph_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    ids = table["node_id"].to_numpy()
    position = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    if not np.isfinite(position).all():
        row = int(np.argmin(np.isfinite(position).all(axis=1)))
        raise InputError(f"{path}: {_name(table, row)} has no finite position")
    if graph is None:
        position = position + _tiles(position, number)
    segments = _segments(path, table, number, ids)
    radius = _radii(table["width"].to_numpy(), segments)
    shown = ids if graph is not None else np.arange(len(ids), dtype=np.int64)
    line = Polyline(shown, position, segments, radius)
    traced = trace(scale_polyline(line, voxel_size or (1.0, 1.0)), every_point=True)
    labels = np.array([f"type {kind}" for kind in table["type"].to_pylist()])
    return replace(traced, labels=labels, unit="um" if voxel_size else "px")


def _choose(path: Path, graph: str | None) -> pa.Table:
    """The rows of one graph, or all."""
    whole = _read(path)
    table = whole if graph is None else whole.filter(pc.equal(whole["graph_id"], graph))
    if not table.num_rows:
        known = pc.unique(whole["graph_id"]).to_pylist()
        raise InputError(f"{path}: no graph '{graph}'; there are: {', '.join(known)}"[:300])
    return table


def _tiles(position: NDArray[np.float64], graph: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n, 2) the shift that puts each graph on its own place of a square grid."""
    side = 2 * float(np.ptp(position, axis=0).max())
    width = int(np.ceil(np.sqrt(graph.max() + 1)))
    return side * np.column_stack(np.divmod(graph, width)).astype(np.float64)


def _read(path: Path) -> pa.Table:
    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            convert_options=csv.ConvertOptions(
                column_types=TYPES, include_columns=list(TYPES), strings_can_be_null=True
            ),
        )
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error


def _segments(
    path: Path, table: pa.Table, graph: NDArray[np.integer], ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(S, 2) each pair of neighbours, listed by one or by both, once."""
    lists = pc.split_pattern(table["edges"].combine_chunks(), ";")
    source = pc.list_parent_indices(lists).to_numpy()
    try:
        neighbour = pc.cast(pc.list_flatten(lists), pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: column edges: {error}") from error
    width = int(max(ids.max(), neighbour.max(initial=0))) + 1
    keys, wanted = graph * width + ids, graph[source] * width + neighbour
    order = np.argsort(keys, kind="stable")
    if (again := np.flatnonzero(np.diff(keys[order]) == 0)).size:
        raise InputError(f"{path}: {_name(table, order[again[0] + 1])} stands twice")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    target = order[place]
    if (stray := np.flatnonzero((keys[target] != wanted) | (neighbour < 0))).size:
        first = stray[0]
        raise InputError(
            f"{path}: {_name(table, source[first])} names {neighbour[first]}, which is no node"
        )
    pairs = np.sort(np.column_stack([source, target]), axis=1)
    return np.asarray(np.unique(pairs, axis=0), dtype=np.int64)


def _name(table: pa.Table, row: int) -> str:
    """A node as errors name it."""
    return f"graph {table['graph_id'][int(row)]}, node {table['node_id'][int(row)]}"


def _radii(width: NDArray[np.float64], segments: NDArray[np.int64]) -> NDArray[np.float64]:
    """(S, 2) radii at the ends; where one end has none, that of the other."""
    radius = np.where(width > 0, width / 2, np.nan)[segments]
    return np.where(np.isnan(radius), radius[:, ::-1], radius)
