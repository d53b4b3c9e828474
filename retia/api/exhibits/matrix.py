"""The adjacency of a connectome: a picture, and a table of the connections between classes."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from retia.api.exhibits.colourings import ABSENT, Colouring, node_colourings
from retia.api.exhibits.palette import CLASSES, GROUND
from retia.shards.arrays import pairs
from retia.shards.version import Version

CELLS = 512
SIDE = 1024
MOST_GROUPS = 8

Ints = NDArray[np.int64]


class Matrix(BaseModel):
    """What the picture shows: rows are sources, columns targets.

    `between[i][j]` counts the edges from group i to group j; without groups nodes lie so that
    neighbours are near each other.
    """

    relation: str
    directed: bool
    ordered_by: str | None
    groups: list[str]
    sizes: list[int]
    between: list[list[int]]
    nodes_a_cell: int


def make_matrix(version: Version) -> tuple[Matrix, bytes] | None:
    """The table and the picture, a PNG, of the relation with the most edges; none without edges."""
    manifest = version.manifest
    relation = max(manifest.relations, key=lambda r: r.num_edges, default=None)
    if relation is None or relation.num_edges == 0:
        return None
    ends = pairs(version.edges(relation.name, ["src", "dst"])).T
    if not relation.directed:
        ends = np.concatenate([ends, ends[:, ::-1]])
    nodes = manifest.num_nodes
    chosen = _grouping(version)
    group, names = _groups(chosen, nodes)
    order = _order(ends, group, nodes)
    place = np.empty(nodes, dtype=np.int64)
    place[order] = np.arange(nodes)
    per_cell = -(-nodes // CELLS)
    picture = _picture(place[ends] // per_cell, -(-nodes // per_cell))
    count = len(names)
    between = np.bincount(group[ends[:, 0]] * count + group[ends[:, 1]], minlength=count * count)
    described = Matrix(
        relation=relation.name,
        directed=relation.directed,
        ordered_by=None if chosen is None else chosen.name,
        groups=names,
        sizes=np.bincount(group, minlength=count).tolist(),
        between=between.reshape(count, count).tolist(),
        nodes_a_cell=per_cell,
    )
    return described, picture


def _grouping(version: Version) -> Colouring | None:
    rows = np.arange(version.manifest.num_nodes)
    return next((c for c in node_colourings(version, rows) if c.classes), None)


def _groups(chosen: Colouring | None, nodes: int) -> tuple[Ints, list[str]]:
    """(n,) the group of each node, and the names: the first classes, the rest, the unknown."""
    if chosen is None:
        return np.zeros(nodes, dtype=np.int64), ["all"]
    names = list(chosen.classes[:MOST_GROUPS])
    group = chosen.values.astype(np.int64)
    is_known = group != ABSENT
    if len(chosen.classes) > MOST_GROUPS:
        group[is_known] = np.minimum(group[is_known], MOST_GROUPS)
        names.append("others")
    if not is_known.all():
        group[~is_known] = len(names)
        names.append("unknown")
    return group, names


def _order(ends: Ints, group: Ints, nodes: int) -> Ints:
    """The nodes by group, and within it so that neighbours lie near each other."""
    weight = np.ones(len(ends), dtype=np.int8)
    adjacency = coo_matrix((weight, (ends[:, 0], ends[:, 1])), (nodes, nodes)).tocsr()
    near = np.asarray(reverse_cuthill_mckee(adjacency + adjacency.T, symmetric_mode=True))
    return near[np.argsort(group[near], kind="stable")].astype(np.int64)


def _picture(cell: Ints, side: int) -> bytes:
    """A PNG of the edges in each cell, brighter for more."""
    counts = np.bincount(cell[:, 0] * side + cell[:, 1], minlength=side * side)
    shade = np.log1p(counts.reshape(side, side))
    level = np.round(shade / (shade.max() or 1.0) * (ABSENT - 1)).astype(np.uint8)
    level[(level > 0) & (level < 60)] = 60
    scale = np.linspace(0, 1, 256)[:, None]
    colours = np.round(np.array(GROUND) * (1 - scale) + np.array(CLASSES[0]) * scale).astype(
        np.uint8
    )
    image = Image.fromarray(level, "P")
    image.putpalette(colours.tobytes())
    zoom = max(1, SIDE // side)
    buffer = io.BytesIO()
    image.resize((side * zoom, side * zoom), Image.Resampling.NEAREST).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()
