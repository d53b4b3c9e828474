"""A small generator of vessel networks, in the form of Voreen's raw tables.

Random points are joined to their near neighbours, so the network fills its cube; most points
become bifurcations. Blood enters at one corner and spreads along shortest hop paths; a vessel's
radius follows Murray's law from the number of capillaries behind it.
"""

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import KDTree

from retia.protocol.pairs import disjoint
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

SPACING_UM = 50.0
CAPILLARY_UM = 3.0
NEIGHBOURS = 8
EDGES_PER_NODE = 1.5
MAX_DEGREE = 4
MIN_NODES = 50

Pairs = NDArray[np.int64]
Floats = NDArray[np.float64]


def generate_vessels(num_nodes: int, randomness: Randomness) -> tuple[pa.Table, pa.Table]:
    """Tables of nodes and edges with Voreen's columns; lengths in micrometres, mean degree 3.

    Raises `InputError` for fewer than 50 nodes.
    """
    if num_nodes < MIN_NODES:
        raise InputError(f"{num_nodes} nodes make no vessel network; ask for {MIN_NODES} or more")
    position = _points(num_nodes, randomness.stream("points"))
    ends = _connect(position)
    radius = _radii(position, ends, randomness.stream("radii"))
    return _tables(position, ends, radius, randomness.stream("shapes"))


def as_csv(table: pa.Table) -> bytes:
    """A table as Voreen writes it: `;`, a header without quotes."""
    buffer = io.BytesIO()
    buffer.write((";".join(table.column_names) + "\n").encode())
    csv.write_csv(table, buffer, csv.WriteOptions(include_header=False, delimiter=";"))
    return buffer.getvalue()


def _points(num_nodes: int, rng: np.random.Generator) -> Floats:
    return np.round(rng.random((num_nodes, 3)) * SPACING_UM * np.cbrt(num_nodes), 3)


def _connect(position: Floats) -> Pairs:
    """A minimum spanning tree of the neighbour graph, then short edges up to mean degree 3."""
    num_nodes = len(position)
    found = KDTree(position).query(position, k=NEIGHBOURS + 1)
    length, neighbour = (np.asarray(part)[:, 1:].ravel() for part in found)
    source = np.repeat(np.arange(num_nodes), NEIGHBOURS)
    near = np.sort(np.column_stack([source, neighbour]), axis=1)
    _, first = np.unique(near @ [num_nodes, 1], return_index=True)
    near, length = near[first], length[first]
    graph = sparse.csr_array((length + 1e-9, near.T), shape=(num_nodes, num_nodes))
    tree = csgraph.minimum_spanning_tree(graph).tocoo()
    pairs = np.sort(np.column_stack([tree.row, tree.col]).astype(np.int64), axis=1)
    pairs = np.concatenate([pairs, _bridges(position, graph)])
    loose = near[np.argsort(length, kind="stable")]
    loose = loose[~np.isin(loose @ [num_nodes, 1], pairs @ [num_nodes, 1])]
    return np.concatenate([pairs, _thicken(pairs, loose, num_nodes)])


def _bridges(position: Floats, graph: sparse.csr_array) -> Pairs:
    """An edge from each small component to the nearest node of the largest one."""
    _, component = csgraph.connected_components(graph, directed=False)
    main = np.flatnonzero(component == np.bincount(component).argmax())
    _, first = np.unique(component, return_index=True)
    outside = first[~np.isin(component[first], component[main[:1]])]
    if not len(outside):
        return np.empty((0, 2), dtype=np.int64)
    _, nearest = KDTree(position[main]).query(position[outside])
    return np.sort(np.column_stack([outside, main[nearest]]), axis=1)


def _thicken(pairs: Pairs, loose: Pairs, num_nodes: int) -> Pairs:
    """The shortest of the loose edges that keep the degree at most 4, in rounds of matchings."""
    wanted = int(EDGES_PER_NODE * num_nodes) - len(pairs)
    added = np.empty((0, 2), dtype=np.int64)
    while len(added) < wanted and len(loose):
        degree = np.bincount(np.concatenate([pairs, added]).ravel(), minlength=num_nodes)
        loose = loose[(degree[loose] < MAX_DEGREE).all(axis=1)]
        low = loose[(degree[loose] < MAX_DEGREE - 1).all(axis=1)]
        round_ = low if len(low) else loose
        chosen = round_[disjoint(round_, num_nodes)][: wanted - len(added)]
        added = np.concatenate([added, chosen])
        loose = loose[~np.isin(loose @ [num_nodes, 1], chosen @ [num_nodes, 1])]
    return added


def _radii(position: Floats, ends: Pairs, rng: np.random.Generator) -> Floats:
    """Radii by Murray's law, r³ of a vessel the sum of r³ of those it feeds.

    Murray, C. D. (1926). The physiological principle of minimum work. PNAS 12, 207-214.
    """
    num_nodes = len(position)
    ones = np.ones(len(ends), dtype=np.float64)
    adjacency = sparse.csr_array((ones, (ends[:, 0], ends[:, 1])), shape=(num_nodes, num_nodes))
    inlet = int(position.sum(axis=1).argmin())
    walk = csgraph.breadth_first_order(adjacency, inlet, directed=False)
    order, parent = (np.asarray(part, dtype=np.int64) for part in walk)
    leaves = _leaves_behind(order, parent, inlet)
    child = np.where(parent[ends[:, 1]] == ends[:, 0], ends[:, 1], ends[:, 0])
    on_tree = parent[child] == ends.sum(axis=1) - child
    behind = np.where(on_tree, leaves[child], 1)
    return CAPILLARY_UM * np.cbrt(behind) * np.exp(rng.normal(0, 0.1, len(ends)))


def _leaves_behind(order: Pairs, parent: Pairs, root: int) -> NDArray[np.int64]:
    """(n,) the number of leaves of the tree below each node, a level at a time from the far end."""
    depth = _depths(order, parent, root)
    leaves = (np.bincount(parent[order[1:]], minlength=len(order)) == 0).astype(np.int64)
    levels = np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)
    for level in reversed(levels[1:]):
        np.add.at(leaves, parent[level], leaves[level])
    return leaves


def _depths(order: Pairs, parent: Pairs, root: int) -> NDArray[np.int64]:
    """(n,) steps to the root, by doubling the jumps towards it."""
    jump = parent.copy()
    jump[root] = root
    depth = (np.arange(len(order)) != root).astype(np.int64)
    while (jump != root).any():
        depth = depth + depth[jump]
        jump = jump[jump]
    return depth


def _tables(
    position: Floats, ends: Pairs, radius: Floats, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    degree = np.bincount(ends.ravel(), minlength=len(position))
    side = position.max(axis=0)
    border = ((position < SPACING_UM / 4) | (position > side - SPACING_UM / 4)).any(axis=1)
    nodes = pa.table(
        {"id": np.arange(len(position))}
        | {f"pos_{axis}": position[:, i] for i, axis in enumerate("xyz")}
        | {"degree": degree, "isAtSampleBorder": border.astype(np.int8)}
    )
    return nodes, _edge_table(position, ends, radius, degree, border, rng)


def _edge_table(
    position: Floats,
    ends: Pairs,
    radius: Floats,
    degree: NDArray[np.int64],
    border: NDArray[np.bool_],
    rng: np.random.Generator,
) -> pa.Table:
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, radius = ends[order], radius[order]
    distance = np.linalg.norm(position[ends[:, 0]] - position[ends[:, 1]], axis=1)
    curveness = 1 + rng.gamma(2.0, 0.03, len(ends))
    length = distance * curveness
    roundness = rng.beta(8, 3, len(ends))
    smallest, largest = radius * 2 * roundness / (1 + roundness), radius * 2 / (1 + roundness)
    area = np.pi * radius**2
    spread = np.full(len(ends), 0.1)
    floats = {
        "length": length,
        "distance": distance,
        "curveness": curveness,
        "volume": area * length,
        "avgCrossSection": area,
        "minRadiusAvg": smallest,
        "minRadiusStd": spread * smallest,
        "avgRadiusAvg": radius,
        "avgRadiusStd": spread * radius,
        "maxRadiusAvg": largest,
        "maxRadiusStd": spread * largest,
        "roundnessAvg": roundness,
        "roundnessStd": spread * roundness,
    }
    return pa.table(
        {"id": np.arange(len(ends)), "node1id": ends[:, 0], "node2id": ends[:, 1]}
        | {name: values.astype(np.float32) for name, values in floats.items()}
        | {
            "node1_degree": degree[ends].min(axis=1),
            "node2_degree": degree[ends].max(axis=1),
            "num_voxels": np.maximum(np.round(length), 1).astype(np.int64),
            "hasNodeAtSampleBorder": border[ends].any(axis=1).astype(np.int8),
        }
    )
