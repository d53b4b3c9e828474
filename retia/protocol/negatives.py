"""Draw negatives that share no node: matched, box and uniform, over nodes not yet listed.

All draws go in rounds: propose a pair for every positive still without one, keep the proposals
that are no edges and share no node with what is listed, propose again for the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retia.protocol.pairs import LinkGraph, Pairs, disjoint

ROUNDS = 40
DEGREE_TOLERANCE = 0.15
DISTANCE_TOLERANCE = 0.05
NEAREST = 8

Proposer = Callable[[NDArray[np.int64]], Pairs]


@dataclass
class FreeNodes:
    """The nodes that no listed pair has used yet."""

    free: NDArray[np.bool_]

    def take(self, pairs: Pairs) -> None:
        """Mark the nodes of these pairs as used."""
        self.free[pairs.ravel()] = False

    def give_back(self, pairs: Pairs) -> None:
        """Mark them as free again."""
        self.free[pairs.ravel()] = True


def uniform_negatives(
    graph: LinkGraph, count: int, nodes: FreeNodes, rng: np.random.Generator
) -> Pairs:
    """Pairs drawn uniformly among the non-edges between free nodes. Returns (count, 2)."""

    def propose(wanted: NDArray[np.int64]) -> Pairs:
        pool = np.flatnonzero(nodes.free)
        return pool[rng.integers(len(pool), size=(len(wanted), 2))]

    return _draw(graph, count, nodes, propose, "uniform")


def box_negatives(
    graph: LinkGraph, count: int, half_side: float, nodes: FreeNodes, rng: np.random.Generator
) -> Pairs:
    """VesselGraph's negatives: a source, and a target uniform among the nodes of a cube around it.

    The cube has the given half-side in the unit of the positions. Nodes are found through a grid
    of that cell size: a node of the 27 cells is drawn uniformly and kept if it is in the cube.
    """
    assert graph.positions is not None
    grid = _Grid.over(graph.positions, half_side)

    def propose(wanted: NDArray[np.int64]) -> Pairs:
        pool = np.flatnonzero(nodes.free)
        source = pool[rng.integers(len(pool), size=len(wanted))]
        target = grid.draw_nearby(source, rng)
        offset = np.abs(graph.positions[source] - graph.positions[target])  # type: ignore[index]
        outside = (offset > half_side).any(axis=1)
        return np.column_stack([source, np.where(outside, source, target)])

    return _draw(graph, count, nodes, propose, "box", rounds=4 * ROUNDS)


def matched_negatives(
    graph: LinkGraph, positives: Pairs, nodes: FreeNodes, rng: np.random.Generator
) -> tuple[Pairs, NDArray[np.bool_]]:
    """For each positive a non-edge of the same visible degrees and nearly the same distance.

    A source of the positive's source degree is drawn; the target is the node of its target degree
    whose distance to the source is nearest to the positive's, among the `NEAREST` nodes around a
    point drawn at that distance; it is kept within `DISTANCE_TOLERANCE`, relative. Returns (P, 2)
    pairs and the (P,) mask of the positives that found one.
    """
    length = graph.distance(positives)
    degrees = np.column_stack(
        [graph.source_degree[positives[:, 0]], graph.target_degree[positives[:, 1]]]
    )
    targets = {
        degree: _Targets.among(graph, np.flatnonzero(nodes.free & (graph.target_degree == degree)))
        for degree in np.unique(degrees[:, 1]).tolist()
    }

    def propose(wanted: NDArray[np.int64]) -> Pairs:
        return _propose_matched(graph, degrees[wanted], length[wanted], nodes, targets, rng)

    return _match(graph, len(positives), nodes, propose)


def degree_matched_negatives(
    graph: LinkGraph, positives: Pairs, nodes: FreeNodes, rng: np.random.Generator
) -> tuple[Pairs, NDArray[np.bool_]]:
    """For each positive a non-edge of nearly the same visible degrees, drawn uniformly.

    Degrees are near where `degree_scale` has them in one unit interval that ends at a whole number:
    up to 3 each is alone, so that none at all is never like one. Returns (P, 2) pairs and the (P,)
    mask of the positives that found one.
    """
    scales = [
        np.ceil(degree_scale(degree)).astype(np.int64)
        for degree in (graph.source_degree, graph.target_degree)
    ]

    def propose(wanted: NDArray[np.int64]) -> Pairs:
        free = np.flatnonzero(nodes.free)
        ends = [
            _draw_alike(free, scale, positives[wanted, side], rng)
            for side, scale in enumerate(scales)
        ]
        return np.column_stack(ends)

    return _match(graph, len(positives), nodes, propose)


def degree_scale(degree: NDArray[np.int64]) -> NDArray[np.float64]:
    """Degrees on a scale where those that differ by 1 and 15 % are about 1 apart."""
    return np.asarray(np.log1p(DEGREE_TOLERANCE * degree) / DEGREE_TOLERANCE)


def _draw_alike(
    free: NDArray[np.int64],
    scale: NDArray[np.int64],
    like: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """For each node of `like` a free one at the same place of a scale; node 0 if there is none."""
    order = free[np.argsort(scale[free], kind="stable")]
    first = np.searchsorted(scale[order], scale[like], "left")
    count = np.searchsorted(scale[order], scale[like], "right") - first
    place = np.minimum(first + rng.integers(np.maximum(count, 1)), len(order) - 1)
    return np.where(count > 0, order[place], 0)


@dataclass(frozen=True)
class _Targets:
    """The nodes of one degree, and the tree that finds them."""

    nodes: NDArray[np.int64]
    tree: cKDTree

    @classmethod
    def among(cls, graph: LinkGraph, nodes: NDArray[np.int64]) -> "_Targets":
        assert graph.positions is not None
        return cls(nodes, cKDTree(graph.positions[nodes]))


def _propose_matched(
    graph: LinkGraph,
    degrees: Pairs,
    length: NDArray[np.float64],
    nodes: FreeNodes,
    targets: dict[int, _Targets],
    rng: np.random.Generator,
) -> Pairs:
    """A proposal for each wanted (source degree, target degree, length); (k, 2), or a self-pair."""
    proposed = np.zeros((len(degrees), 2), dtype=np.int64)
    classes, member = np.unique(degrees, axis=0, return_inverse=True)
    free = {d: np.flatnonzero(nodes.free & (graph.source_degree == d)) for d in set(classes[:, 0])}
    for number, (source_degree, target_degree) in enumerate(classes.tolist()):
        rows = np.flatnonzero(member.ravel() == number)
        sources, there = free[source_degree], targets[target_degree]
        if len(sources) and len(there.nodes):
            source = sources[rng.integers(len(sources), size=len(rows))]
            target = _targets_at(graph, source, there, length[rows], nodes, rng)
            proposed[rows] = np.column_stack([source, target])
    return proposed


def _targets_at(
    graph: LinkGraph,
    source: NDArray[np.int64],
    targets: _Targets,
    length: NDArray[np.float64],
    nodes: FreeNodes,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Free targets at about the wanted length from each source; the source where there is none."""
    assert graph.positions is not None
    direction = rng.standard_normal((len(source), graph.positions.shape[1]))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    origin = graph.positions[source]
    near = min(NEAREST, len(targets.nodes))
    _, index = targets.tree.query(origin + direction * length[:, None], k=near)
    candidate = targets.nodes[index.reshape(len(source), near)]
    gap = np.linalg.norm(graph.positions[candidate] - origin[:, None], axis=2) - length[:, None]
    unfit = (candidate == source[:, None]) | ~nodes.free[candidate]
    gap = np.where(unfit, np.inf, np.abs(gap))
    best = gap.argmin(axis=1)
    row = np.arange(len(source))
    close = gap[row, best] <= DISTANCE_TOLERANCE * length
    return np.where(close, candidate[row, best], source)


def _match(
    graph: LinkGraph, count: int, nodes: FreeNodes, propose: Proposer
) -> tuple[Pairs, NDArray[np.bool_]]:
    """A proposal for each of `count` positives, and the mask of those that found one."""
    result = np.zeros((count, 2), dtype=np.int64)
    found = np.zeros(count, dtype=bool)
    for _ in range(ROUNDS):
        wanted = np.flatnonzero(~found)
        if not len(wanted) or nodes.free.sum() < 2:
            break
        proposed = propose(wanted)
        kept = _admissible(graph, proposed, nodes)
        result[wanted[kept]] = proposed[kept]
        found[wanted[kept]] = True
        nodes.take(proposed[kept])
    return result, found


def _draw(
    graph: LinkGraph,
    count: int,
    nodes: FreeNodes,
    propose: Proposer,
    what: str,
    rounds: int = ROUNDS,
) -> Pairs:
    drawn: list[Pairs] = [np.zeros((0, 2), dtype=np.int64)]
    missing = count
    for _ in range(rounds):
        if missing <= 0 or nodes.free.sum() < 2:
            break
        proposed = propose(np.arange(missing))
        kept = proposed[_admissible(graph, proposed, nodes)]
        nodes.take(kept)
        drawn.append(kept)
        missing -= len(kept)
    return np.concatenate(drawn)


def _admissible(graph: LinkGraph, pairs: Pairs, nodes: FreeNodes) -> NDArray[np.int64]:
    """The places of the pairs that are no edges, no self-loops, and share no used node.

    Where edges are hidden by groups, nor is any pair of their group an edge; no other relation
    joins them.
    """
    fit = nodes.free[pairs].all(axis=1) & (pairs[:, 0] != pairs[:, 1])
    fit &= ~graph.is_settled(pairs)
    place = np.flatnonzero(fit)
    return place[disjoint(pairs[place], graph.num_nodes)]


@dataclass(frozen=True)
class _Grid:
    """Nodes sorted by the cell they lie in."""

    cells: NDArray[np.int64]
    shape: NDArray[np.int64]
    order: NDArray[np.int64]
    sorted_cells: NDArray[np.int64]

    @classmethod
    def over(cls, positions: NDArray[np.float64], size: float) -> "_Grid":
        cells = np.floor((positions - positions.min(axis=0)) / size).astype(np.int64) + 1
        shape = cells.max(axis=0) + 2
        flat = np.ravel_multi_index(tuple(cells.T), tuple(shape))
        order = np.argsort(flat, kind="stable")
        return cls(cells, shape, order, flat[order])

    def draw_nearby(self, source: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A node drawn uniformly from the 27 cells around each source."""
        steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * self.cells.shape[1]), axis=-1)
        around = self.cells[source][:, None, :] + steps.reshape(-1, self.cells.shape[1])
        flat = np.ravel_multi_index(tuple(np.moveaxis(around, -1, 0)), tuple(self.shape))
        start = np.searchsorted(self.sorted_cells, flat, "left")
        ends = np.cumsum(np.searchsorted(self.sorted_cells, flat, "right") - start, axis=1)
        draw = rng.integers(ends[:, -1])
        cell = (ends <= draw[:, None]).sum(axis=1)
        row = np.arange(len(source))
        before = np.where(cell > 0, ends[row, cell - 1], 0)
        return np.asarray(self.order[start[row, cell] + draw - before])
