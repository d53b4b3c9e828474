"""Scores of pairs that need no training, from the visible edges or the positions alone.

Directions: `degree` is out-degree times in-degree and `knn-rank` asks for the target among the
nodes nearest to the source; all walks (from `common-neighbours` to `personalised-pagerank`) go over
the undirected union of the relation's visible edges. Every score of an undirected relation is
symmetric. Pairs that are visible edges get a score like any other, and are never asked for.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retia.protocol.pairs import LinkGraph, Pairs
from retia.shards.arrays import integers, node_matrix
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Heuristic = Callable[[LinkGraph, Pairs], Floats]

KATZ_BETA = 0.005
KATZ_LONGEST = 4
RESTART = 0.15
PUSH_TOLERANCE = 1e-4
NEAREST = 32
QUERIES = 1 << 16
EQUAL = 1e-9  # relative; rounding of a distance must not change a rank


def degree(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Preferential attachment: the product of both degrees (Barabási and Albert 1999)."""
    product = graph.source_degree[pairs[:, 0]] * graph.target_degree[pairs[:, 1]]
    return product.astype(np.float64)


def distance(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Minus the Euclidean distance, in the unit of the positions."""
    return -graph.distance(pairs)


def knn_rank(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Minus the least k for which the graph of k nearest neighbours in space holds the pair.

    Exact up to 32; beyond, the density within the 32 nearest is taken to go on, so that the rank
    grows with the distance to the power of the dimension.
    """
    assert graph.positions is not None
    tree = cKDTree(graph.positions)
    rank = _nearness(graph, tree, pairs)
    return -(rank if graph.directed else np.minimum(rank, _nearness(graph, tree, pairs[:, ::-1])))


def common_neighbours(graph: LinkGraph, pairs: Pairs) -> Floats:
    """|N(u) ∩ N(v)| (Liben-Nowell and Kleinberg 2007)."""
    return _shared(graph, np.ones(graph.num_nodes), pairs)


def adamic_adar(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Σ 1 / log kₓ over the common neighbours x (Adamic and Adar 2003)."""
    return _shared(graph, 1 / np.log(np.maximum(graph.neighbour_count, 2)), pairs)


def resource_allocation(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Σ 1 / kₓ over the common neighbours x (Zhou, Lü and Zhang 2009)."""
    return _shared(graph, 1 / np.maximum(graph.neighbour_count, 1), pairs)


def l3(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Σ aᵤₓ aₓᵧ aᵧᵥ / √(kₓ kᵧ) over paths of three edges (Kovács et al. 2019, equation 1)."""
    from retia.protocol.walks import walk_weights

    inner = 1 / np.sqrt(np.maximum(graph.neighbour_count, 1))
    return walk_weights(graph.neighbours, inner, pairs, 3)[:, 2]


def katz(graph: LinkGraph, pairs: Pairs) -> Floats:
    """Σ βˡ (Aˡ)ᵤᵥ for walks of 1 to 4 steps, β = 0.005 (Katz 1953, truncated)."""
    from retia.protocol.walks import walk_weights

    counts = walk_weights(graph.neighbours, np.ones(graph.num_nodes), pairs, KATZ_LONGEST)
    return np.asarray(counts @ KATZ_BETA ** np.arange(1.0, KATZ_LONGEST + 1))


def personalised_pagerank(graph: LinkGraph, pairs: Pairs) -> Floats:
    """πᵤ(v) + πᵥ(u) with restart 0.15, to 10⁻⁴ (kᵤ + kᵥ) (Liben-Nowell and Kleinberg 2007).

    On an undirected graph kᵤ πᵤ(v) = kᵥ πᵥ(u), so that one of the two walks gives both.
    """
    from retia.protocol.walks import pagerank

    count = np.maximum(graph.neighbour_count, 1)
    src, dst = pairs.T
    found = pagerank(graph.neighbours, pairs, RESTART, PUSH_TOLERANCE)
    return np.asarray(found * (1 + count[src] / count[dst]))


HEURISTICS: dict[str, Heuristic] = {
    "degree": degree,
    "distance": distance,
    "knn-rank": knn_rank,
    "common-neighbours": common_neighbours,
    "adamic-adar": adamic_adar,
    "resource-allocation": resource_allocation,
    "l3": l3,
    "katz": katz,
    "personalised-pagerank": personalised_pagerank,
}

SPATIAL = frozenset({"distance", "knn-rank"})


def link_scores(name: str, version: Version, task: str, src: Ints, dst: Ints) -> Floats:
    """The scores of a heuristic for pairs (src, dst); raises `NotFoundError`, `InputError`."""
    if name not in HEURISTICS:
        raise NotFoundError(f"no heuristic '{name}'; there are: {', '.join(HEURISTICS)}")
    graph = visible_graph(version, task)
    if name in SPATIAL and graph.positions is None:
        raise InputError(f"{version.manifest.reference} has no positions to measure distances on")
    return HEURISTICS[name](graph, np.column_stack([src, dst]).astype(np.int64))


def visible_graph(version: Version, task: str) -> LinkGraph:
    """The visible edges of a task's relation, with the positions where there are any."""
    manifest = version.manifest
    relation = manifest.relation(str(manifest.task(task).relation))
    table = version.edges(relation.name, ["src", "dst"])
    edges = np.column_stack([integers(table, end) for end in ("src", "dst")])
    positions = node_positions(version)
    return LinkGraph(manifest.num_nodes, relation.directed, edges, edges[:0], positions)


def node_positions(version: Version) -> Floats | None:
    """The (n, d) positions of the nodes, or none."""
    positions = node_matrix(version, "position")
    return None if positions is None else positions.astype(np.float64)


def _shared(graph: LinkGraph, inner: Floats, pairs: Pairs) -> Floats:
    from retia.protocol.walks import shared_weights

    return shared_weights(graph.neighbours, inner, pairs)


def _nearness(graph: LinkGraph, tree: cKDTree, pairs: Pairs) -> Floats:
    """(P,) the place of the target among the nodes nearest to the source; the nearest has 1."""
    assert graph.positions is not None
    nodes, dimensions = graph.positions.shape
    known = min(NEAREST + 1, nodes)  # the source is the nearest to itself
    order = np.argsort(pairs[:, 0], kind="stable")
    rank = np.empty(len(pairs))
    for first in range(0, len(pairs), QUERIES):
        chunk = order[first : first + QUERIES]
        sources, place = np.unique(pairs[chunk, 0], return_inverse=True)
        found = tree.query(graph.positions[sources], k=np.arange(1, known + 1))
        away, wanted = np.asarray(found[0])[place], graph.distance(pairs[chunk])
        nearer = (away < (wanted * (1 - EQUAL))[:, None]).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = (known - 1) * (wanted / away[:, -1]) ** dimensions
        far = np.minimum(np.maximum(beyond, known), nodes)
        rank[chunk] = np.where(nearer < known, np.maximum(nearer, 1), far)
    return rank
