"""Choose the part of a large graph that a scene shows: branches, long and thick ones first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """The rows of the nodes and of the edges that are shown, ascending."""

    nodes: Ints
    edges: Ints


def thin(
    placed: NDArray[np.bool_],
    ends: Ints,
    rows: Ints,
    thick: Floats | None,
    length: Floats,
    max_nodes: int,
    max_edges: int,
) -> Kept:
    """The part of a graph that is within both limits; the same on every run.

    `placed` (n,) says which nodes have a position, `ends` (m, 2) are the edges, `rows` those whose
    ends are both placed. A branch is the edges that meet at nodes of degree two; it is kept or left
    whole, in the order of its volume, or of its length where no radius is known.
    """
    num_nodes = int(placed.sum())
    if num_nodes <= max_nodes and len(rows) <= max_edges:
        return Kept(np.flatnonzero(placed), rows)
    weight = length[rows] * (1.0 if thick is None else thick[rows] ** 2)
    branch = _branches(ends[rows], len(placed))
    order, sizes = _by_weight(branch, weight)
    fits = np.cumsum(sizes) <= max_edges
    if num_nodes > max_nodes:
        fits &= _nodes_needed(ends[rows], branch, order, sizes) <= max_nodes
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[fits]] = True
    edges = rows[chosen[branch]]
    if num_nodes <= max_nodes:
        return Kept(np.flatnonzero(placed), edges)
    nodes = np.unique(ends[edges])
    if len(nodes) == 0:
        step = -(-num_nodes // max_nodes)
        nodes = np.flatnonzero(placed)[::step]
    return Kept(nodes, edges)


def _branches(ends: Ints, num_nodes: int) -> Ints:
    """(m,) the branch of each edge: edges that meet at a node of degree two belong together."""
    num_edges = len(ends)
    flat = ends.ravel()
    degree = np.bincount(flat, minlength=num_nodes)
    station = degree[flat] == 2
    edge = np.repeat(np.arange(num_edges), 2)[station]
    order = np.argsort(flat[station], kind="stable")
    first, second = edge[order][0::2], edge[order][1::2]
    joined = coo_matrix((np.ones(len(first), bool), (first, second)), (num_edges, num_edges))
    return connected_components(joined, directed=False)[1].astype(np.int64)


def _by_weight(branch: Ints, weight: Floats) -> tuple[Ints, Ints]:
    """The branches, heaviest first and the earlier of equals first, and (b,) how many edges, so."""
    total = np.bincount(branch, weights=weight)
    order = np.argsort(-total, kind="stable")
    return order, np.bincount(branch)[order]


def _nodes_needed(ends: Ints, branch: Ints, order: Ints, sizes: Ints) -> Ints:
    """(b,) how many nodes the first branches of an order have, for each number of them."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    flat = ends[np.argsort(rank[branch], kind="stable")].ravel()
    first = np.unique(flat, return_index=True)[1]
    fresh = np.bincount(first // 2, minlength=len(ends))
    return np.cumsum(fresh)[np.cumsum(sizes) - 1]
