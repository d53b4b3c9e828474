"""Read a vessel graph from GraphML.

Format: http://graphml.graphdrawing.org; the attributes that are read stand in docs/vessel.md.
"""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retia.datasets.vessel.graph import MEASURES, VesselGraph, check_distances, with_distances
from retia.shards.errors import InputError

POSITIONS = (("pos_x", "pos_y", "pos_z"), ("x", "y", "z"))
POSITION_TEXTS = ("pos", "position", "coords", "v_coords")
BORDERS = ("isatsampleborder", "border")
ALIASES = {
    "avgradiusavg": ("radius", "radius_avg", "avg_radius", "mean_radius"),
    "minradiusavg": ("radius_min", "min_radius"),
    "maxradiusavg": ("radius_max", "max_radius"),
    "avgcrosssection": ("cross_section", "cross_section_area"),
    "curveness": ("tortuosity",),
    "roundnessavg": ("roundness",),
}
DIAMETERS = ("diameter", "diameter_avg", "avg_diameter", "mean_diameter")


def read_graphml(path: Path) -> VesselGraph:
    """The nodes and edges of a GraphML file; the direction of edges means nothing.

    Names of attributes match in any case. An edge without a length is as long as its ends are
    apart; one radius alone stands for minimum, mean and maximum. Raises `InputError`.
    """
    graph = _load(path)
    names = list(graph.nodes)
    if not graph.number_of_edges():
        raise InputError(f"{path}: the graph has no edges")
    nodes = _frame([data for _, data in graph.nodes(data=True)])
    edges = _frame([data for *_, data in graph.edges(data=True)])
    row = {name: i for i, name in enumerate(names)}
    ends = np.array([(row[a], row[b]) for a, b in graph.edges()], dtype=np.int64)
    vessels = VesselGraph(
        node_id=_ids(names),
        position=_positions(path, nodes, names),
        edge_id=np.arange(len(ends), dtype=np.int64),
        ends=ends,
        measures=_measures(path, edges),
        border=_border(nodes),
    )
    return check_distances(_with_length(vessels), path.name, str(path))


def _load(path: Path) -> "nx.Graph[Any]":
    try:
        return nx.read_graphml(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ParseError, nx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: this is no GraphML that can be read: {error}") from error


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Attributes as columns, with names in lower case."""
    frame = pd.DataFrame(rows)
    frame.columns = [str(name).lower() for name in frame.columns]
    return frame.loc[:, ~frame.columns.duplicated()]


def _ids(names: list[Any]) -> NDArray[np.int64]:
    """The nodes' own numbers (`7` or `n7`), or where they have none, their places."""
    numbers = pd.to_numeric(pd.Series(names, dtype=str).str.removeprefix("n"), errors="coerce")
    values = numbers.to_numpy(dtype=np.float64)
    whole = np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < 2**53)
    if whole.all() and len(np.unique(values)) == len(values):
        return values.astype(np.int64)
    return np.arange(len(names), dtype=np.int64)


def _positions(path: Path, nodes: pd.DataFrame, names: list[Any]) -> NDArray[np.float64]:
    for axes in POSITIONS:
        found = [axis for axis in axes if axis in nodes]
        if found in (list(axes), list(axes[:2])):
            return _finite(path, np.column_stack([_numbers(path, nodes, a) for a in found]), names)
    for name in POSITION_TEXTS:
        if name in nodes:
            parts = nodes[name].astype(str).str.findall(r"[^\s,;\[\]()]+")
            table = pd.DataFrame(parts.tolist()).apply(pd.to_numeric, errors="coerce")
            if table.shape[1] in (2, 3):
                return _finite(path, table.to_numpy(dtype=np.float64), names)
    raise InputError(
        f"{path}: nodes have no position; attributes pos_x, pos_y[, pos_z], x, y[, z] or one of "
        f"{', '.join(POSITION_TEXTS)} are read; there are: {', '.join(nodes.columns) or 'none'}"
    )


def _finite(path: Path, position: NDArray[np.float64], names: list[Any]) -> NDArray[np.float64]:
    bad = ~np.isfinite(position).all(axis=1)
    if bad.any():
        raise InputError(f"{path}: node {names[int(np.argmax(bad))]} has no finite position")
    return position


def _numbers(path: Path, frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(pd.to_numeric(frame[name]), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: attribute {name}: {error}") from error


def _measures(path: Path, edges: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    measures = {}
    for name in MEASURES:
        known = (name.lower(), *ALIASES.get(name.lower(), ()))
        if column := next((alias for alias in known if alias in edges), None):
            measures[name] = _numbers(path, edges, column)
    if "avgRadiusAvg" not in measures:
        for column in DIAMETERS:
            if column in edges:
                measures["avgRadiusAvg"] = _numbers(path, edges, column) / 2
                break
    if "avgRadiusAvg" in measures:
        measures.setdefault("minRadiusAvg", measures["avgRadiusAvg"])
        measures.setdefault("maxRadiusAvg", measures["avgRadiusAvg"])
    return measures


def _border(nodes: pd.DataFrame) -> NDArray[np.bool_] | None:
    for name in BORDERS:
        if name in nodes:
            flags = nodes[name].map({True: True, "true": True, "1": True})
            return flags.eq(True).to_numpy(dtype=bool)
    return None


def _with_length(graph: VesselGraph) -> VesselGraph:
    """The graph with a length for each edge, straight where the file gives none."""
    if "length" in graph.measures:
        return with_distances(graph)
    offset = graph.position[graph.ends[:, 0]] - graph.position[graph.ends[:, 1]]
    graph.measures["length"] = np.linalg.norm(offset, axis=1)
    return with_distances(graph)
