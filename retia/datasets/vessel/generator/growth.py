"""Grow arterial and venous trees through scattered points, in rounds over arrays of tips.

Every tip goes on to the free point that continues its heading best, and then sends off a side
branch at a branching angle; a point that several tips want goes to the one that it suits best.
Points that no tip reaches are taken in by a grown neighbour, and grow on from there.

After space colonisation: Runions, A. et al. (2007). Modeling trees with a space colonization
algorithm. Eurographics Workshop on Natural Phenomena; the angles after Murray, C. D. (1926). The
physiological principle of minimum work applied to the angle of branching of arteries. J. Gen.
Physiol. 9, 835-841: a wide daughter bends little, a narrow one leaves at 70 to 90 degrees.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.generator.points import Floats, Nodes, length_cost

AHEAD_COSINE = 0.7
SIDE_COSINE = 0.3
SIDE_TOLERANCE = 0.45
LENGTH_WEIGHT = 0.4
NO_PARENT = -1
ROOT = -2
CHILDREN = 2

Ids = NDArray[np.int64]


@dataclass
class Trees:
    """Trees over n nodes while they grow.

    `parent` (n,) int32, -2 at a root, -1 where nothing has grown; `born` (n,) the round, later
    than the parent's; `root` (n,) the number of the tree; `heading` (n, 3) the direction in which
    the main line goes on; `children` (n,) how many of the two branches are grown or given up.
    """

    parent: Nodes
    born: Nodes
    root: Nodes
    heading: NDArray[np.float32]
    children: NDArray[np.int8]
    rounds: int = field(default=1)

    @classmethod
    def from_roots(cls, position: Floats, roots: Ids) -> "Trees":
        """Roots that head for the middle."""
        number = len(position)
        trees = cls(
            np.full(number, NO_PARENT, dtype=np.int32),
            np.zeros(number, dtype=np.int32),
            np.full(number, -1, dtype=np.int32),
            np.zeros((number, 3), dtype=np.float32),
            np.zeros(number, dtype=np.int8),
        )
        trees.parent[roots] = ROOT
        trees.root[roots] = np.arange(len(roots))
        trees.heading[roots] = unit(position.mean(axis=0) - position[roots])
        return trees

    def edges(self) -> Ids:
        """(t, 2) parent and child of every branch."""
        child = np.flatnonzero(self.parent >= 0)
        return np.column_stack([self.parent[child].astype(np.int64), child])

    def claim(self, parent: Ids, child: Ids, position: Floats) -> None:
        """Let each child grow from its parent; both must be distinct among themselves."""
        direction = unit(position[child] - position[parent])
        self.parent[child] = parent
        self.born[child] = self.rounds
        self.root[child] = self.root[parent]
        self.heading[child] = direction
        main = self.children[parent] == 0
        self.heading[parent[main]] = direction[main]
        self.children[parent] += 1
        self.rounds += 1


def grow(position: Floats, near: Nodes, roots: Ids) -> Trees:
    """Trees from the roots through all points that a chain of near neighbours joins to them."""
    trees = Trees.from_roots(position, roots)
    tips = roots
    while len(tips):
        _sprout(trees, position, near, tips)
        tips = _adopt(trees, position, near)
    return trees


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors of length 1 along the last axis; zero stays zero."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norm, 1e-9), dtype=np.float32)


def _sprout(trees: Trees, position: Floats, near: Nodes, tips: Ids) -> None:
    """Grow from these tips until no tip finds a free point in its cone."""
    while len(tips):
        cost, target = _wishes(trees, position, near, tips)
        stuck = np.isinf(cost)
        trees.children[tips[stuck]] += 1
        wants = np.flatnonzero(~stuck)
        won = wants[_cheapest(target[wants], cost[wants])]
        trees.claim(tips[won], target[won], position)
        tips = np.concatenate([tips[trees.children[tips] < CHILDREN], target[won]])


def _wishes(
    trees: Trees, position: Floats, near: Nodes, tips: Ids
) -> tuple[NDArray[np.float64], Ids]:
    """The free point that suits each tip best, and its cost; infinite where none does."""
    points = near[tips]
    offset = position[points] - position[tips][:, None]
    length = np.linalg.norm(offset, axis=2)
    cosine = np.einsum("tkx,tx->tk", offset, trees.heading[tips]) / length
    main = (trees.children[tips] == 0)[:, None]
    bend = np.where(main, 1 - cosine, np.abs(cosine - SIDE_COSINE))
    limit = np.where(main, 1 - AHEAD_COSINE, SIDE_TOLERANCE)
    unfit = (bend > limit) | (trees.parent[points] != NO_PARENT)
    cost = np.where(unfit, np.inf, bend + LENGTH_WEIGHT * length_cost(length))
    best = cost.argmin(axis=1)
    row = np.arange(len(tips))
    return cost[row, best], points[row, best].astype(np.int64)


def _adopt(trees: Trees, position: Floats, near: Nodes) -> Ids:
    """Give each point without a tree to the neighbour whose line it suits best as a side branch."""
    orphans = np.flatnonzero(trees.parent == NO_PARENT)
    hosts = near[orphans]
    offset = position[orphans][:, None] - position[hosts]
    length = np.linalg.norm(offset, axis=2)
    cosine = np.einsum("okx,okx->ok", offset, trees.heading[hosts]) / length
    cost = np.abs(cosine) + LENGTH_WEIGHT * length_cost(length)
    cost = np.where(trees.parent[hosts] == NO_PARENT, np.inf, cost)
    best = cost.argmin(axis=1)
    row = np.flatnonzero(np.isfinite(cost.min(axis=1)))
    host, price = hosts[row, best[row]].astype(np.int64), cost[row, best[row]]
    won = row[_cheapest(host, price)]
    trees.claim(hosts[won, best[won]].astype(np.int64), orphans[won], position)
    return np.asarray(orphans[won])


def _cheapest(target: Ids, cost: NDArray[np.float64]) -> Ids:
    """The places of the cheapest wish for each target."""
    order = np.lexsort((cost, target))
    first = np.r_[True, np.diff(target[order]) != 0][: len(order)]
    return order[first]
