"""The scene of a spatial graph: its nodes, its lines, and what these are coloured by.

A scene is at most `MAX_NODES` nodes and `MAX_LINES` lines, in one binary file, little-endian:

    4 bytes   RSC1
    uint32    bytes of the header, a multiple of 4
    header    JSON, padded with spaces
    uint16    nodes x 3: positions, one scale for all axes
    uint16    lines x 2: the nodes of a line
    uint8     lines: widths, where the header says so
    uint8     for each colouring, one value a node or a line

A value of a range is 0 to 254 from its low to its high end, on a logarithm where `log` is set; a
value of classes is the number of the class. 255 is no value.
"""

import json
import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.api.exhibits.colourings import ABSENT, Colouring, edge_colourings, node_colourings
from retia.api.exhibits.palette import stops
from retia.api.exhibits.thinning import thin
from retia.shards.arrays import column_array, pairs
from retia.shards.manifest import Manifest, Relation
from retia.shards.version import Version

MAGIC = b"RSC1"
MAX_NODES = 1 << 16
MAX_LINES = 120_000
MAX_COLOURINGS = 6
TOP = (1 << 16) - 1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """(n, 3) uint16 positions, (m, 2) lines, (m,) uint8 widths or none, and colourings.

    `extent` is the length that 65,535 stands for, in `unit`; `whole` counts nodes and edges of the
    graph that this is a part of.
    """

    positions: NDArray[np.uint16]
    lines: NDArray[np.uint16]
    widths: NDArray[np.uint8] | None
    colourings: tuple[Colouring, ...]
    extent: float
    unit: str | None
    whole: tuple[int, int]

    def encode(self) -> bytes:
        """The file."""
        header = json.dumps(self.header()).encode()
        header += b" " * (-len(header) % 4)
        parts = [MAGIC, struct.pack("<I", len(header)), header]
        parts += [self.positions.astype("<u2").tobytes(), self.lines.astype("<u2").tobytes()]
        parts += [] if self.widths is None else [self.widths.tobytes()]
        return b"".join([*parts, *(colouring.values.tobytes() for colouring in self.colourings)])

    def header(self) -> dict[str, Any]:
        """What the file says of itself."""
        return {
            "nodes": len(self.positions),
            "lines": len(self.lines),
            "of_nodes": self.whole[0],
            "of_edges": self.whole[1],
            "extent": self.extent,
            "unit": self.unit,
            "widths": self.widths is not None,
            "colourings": [
                header | {"colours": stops(header)}
                for header in (colouring.header() for colouring in self.colourings)
            ],
        }


def make_scene(version: Version) -> Scene | None:
    """The scene of a version; none where it has no positions in two or three dimensions."""
    column = _position(version.manifest)
    if column is None:
        return None
    name, unit = column
    position = column_array(version.nodes([name])[name]).astype(np.float64)
    relation = max(version.manifest.relations, key=lambda r: r.num_edges, default=None)
    ends = _pairs(version, relation)
    placed: NDArray[np.bool_] = np.asarray(np.isfinite(position).all(axis=1))
    if not placed.any():
        return None
    rows = np.flatnonzero(placed[ends].all(axis=1))
    thick, length = _calibre(version, relation)
    if length is None:
        length = np.linalg.norm(position[ends[:, 0]] - position[ends[:, 1]], axis=1)
    kept = thin(placed, ends, rows, thick, length, MAX_NODES, MAX_LINES)
    renumbered = np.full(len(position), -1)
    renumbered[kept.nodes] = np.arange(len(kept.nodes))
    quantised, extent = quantise(position[kept.nodes])
    on_lines = [] if relation is None else edge_colourings(version, relation, kept.edges)
    colourings = (*on_lines, *node_colourings(version, kept.nodes))[:MAX_COLOURINGS]
    return Scene(
        quantised,
        renumbered[ends[kept.edges]].astype(np.uint16).reshape(-1, 2),
        None if thick is None else widths(thick[kept.edges]),
        tuple(replace(c, values=np.ascontiguousarray(c.values)) for c in colourings),
        extent,
        unit,
        (len(position), version.manifest.relation(relation.name).num_edges if relation else 0),
    )


def _position(manifest: Manifest) -> tuple[str, str | None] | None:
    for column in manifest.columns:
        if column.role == "position" and column.shape in ((2,), (3,)):
            return column.name, column.unit
    return None


def _pairs(version: Version, relation: Relation | None) -> Ints:
    if relation is None or relation.num_edges == 0:
        return np.empty((0, 2), dtype=np.int64)
    return pairs(version.edges(relation.name, ["src", "dst"])).T


def _calibre(
    version: Version, relation: Relation | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Radii and lengths of the edges, where the relation has them."""
    found: list[NDArray[np.float64] | None] = []
    names = {column.name for column in relation.columns} if relation else set()
    for name in ("radius", "length"):
        if relation is None or name not in names:
            found.append(None)
            continue
        values = version.edges(relation.name, [name])[name].to_numpy().astype(np.float64)
        found.append(np.where(np.isfinite(values) & (values > 0), values, 0.0))
    return found[0], found[1]


def quantise(position: NDArray[np.float64]) -> tuple[NDArray[np.uint16], float]:
    """Positions on 16 bits, centred in a cube whose side is the longest extent."""
    low, high = position.min(axis=0), position.max(axis=0)
    extent = float((high - low).max()) or 1.0
    scaled = (position - (low + high) / 2) / extent + 0.5
    whole = np.full((len(position), 3), 0.5)
    whole[:, : position.shape[1]] = scaled
    return np.round(np.clip(whole, 0, 1) * TOP).astype(np.uint16), extent


def widths(radius: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Radii as a share of the 99.9 % quantile, of 255."""
    top = float(np.quantile(radius, 0.999)) if len(radius) else 0.0
    return np.round(np.clip(radius / (top or 1.0), 0, 1) * ABSENT).astype(np.uint8)
