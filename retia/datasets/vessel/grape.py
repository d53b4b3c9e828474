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
from retia.datasets.vessel.polyline import Polyline, scale_polyline, trace
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


def grape_graphs(path: Path) -> tuple[str, ...]:
    """The ids of the graphs of a file, in its order."""
    return tuple(pc.unique(_read(path)["graph_id"]).to_pylist())


def read_grape(path: Path, graph: str, voxel_size: tuple[float, ...] | None = None) -> VesselGraph:
    """One graph of a file: nodes with `x`, `y`; each pair of neighbours is a straight vessel.

    The radius of a vessel is half of the mean width of its ends; a width of 0 is missing. The
    `type` of a node is its label. Lengths are in pixels, or in micrometres where `voxel_size`
    tells the size of a pixel. Raises `InputError`.
    """
    whole = _read(path)
    table = whole.filter(pc.equal(whole["graph_id"], graph))
    if not table.num_rows:
        known = pc.unique(whole["graph_id"]).to_pylist()
        raise InputError(f"{path}: no graph '{graph}'; there are: {', '.join(known)}"[:300])
    where = f"{path}: graph {graph}"
    ids = table["node_id"].to_numpy()
    if len(np.unique(ids)) < len(ids):
        raise InputError(f"{where}: a node id stands twice")
    position = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    if not np.isfinite(position).all():
        raise InputError(f"{where}: a node has no finite position")
    segments = _segments(table, ids, where)
    line = Polyline(ids, position, segments, _radii(table["width"].to_numpy(), segments))
    traced = trace(scale_polyline(line, voxel_size or (1.0, 1.0)), every_point=True)
    labels = np.array([f"type {kind}" for kind in table["type"].to_pylist()])
    return replace(traced, labels=labels, unit="um" if voxel_size else "px")


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


def _segments(table: pa.Table, ids: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    """(S, 2) each pair of neighbours, listed by one or by both, once."""
    lists = pc.split_pattern(table["edges"].combine_chunks(), ";")
    source = pc.list_parent_indices(lists).to_numpy()
    try:
        wanted = pc.cast(pc.list_flatten(lists), pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise InputError(f"{where}: column edges: {error}") from error
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    target = order[place]
    if (stray := np.flatnonzero(ids[target] != wanted)).size:
        first = stray[0]
        raise InputError(f"{where}: node {ids[source[first]]} names {wanted[first]}, not a node")
    pairs = np.sort(np.column_stack([source, target]), axis=1)
    return np.asarray(np.unique(pairs, axis=0), dtype=np.int64)


def _radii(width: NDArray[np.float64], segments: NDArray[np.int64]) -> NDArray[np.float64]:
    """(S, 2) radii at the ends; where one end has none, that of the other."""
    radius = np.where(width > 0, width / 2, np.nan)[segments]
    return np.where(np.isnan(radius), radius[:, ::-1], radius)
