"""Join the ends of grown trees to each other, so that vessels make loops.

An end goes on where it came from, or a straight vessel takes a side branch at a right angle: the
pairs of near nodes that fit so best at both ends are joined, in rounds of matchings.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.generator.growth import unit
from retia.datasets.vessel.generator.points import Floats, Nodes, length_cost
from retia.protocol.pairs import contains, disjoint

MAX_DEGREE = 4
USUAL_DEGREE = 3
LIMITS = (0.35, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2, 3.0)
FORCED_LIMITS = (1.2, 2.0, 9.0, 9.0, 9.0, 9.0)
STRAIGHT_COSINE = -0.75
SHARP_COSINE = 0.5
SHARP_WEIGHT = 3.0
LENGTH_WEIGHT = 0.4
CHUNK = 1 << 20

Ids = NDArray[np.int64]


class Directions:
    """Up to four unit vectors at each of n nodes, towards its neighbours; zero where none is."""

    def __init__(self, position: Floats, edges: Ids) -> None:
        self.position = position
        self.degree = np.zeros(len(position), dtype=np.int64)
        self.vectors = np.zeros((len(position), MAX_DEGREE, 3), dtype=np.float32)
        self.add(edges)

    def add(self, edges: Ids) -> None:
        """Note both directions of (E, 2) edges; a fifth edge at a node counts and has no vector."""
        node, other = edges.ravel(), edges[:, ::-1].ravel()
        order = np.argsort(node, kind="stable")
        node, other = node[order], other[order]
        slot = np.arange(len(node)) - np.searchsorted(node, node) + self.degree[node]
        self.degree += np.bincount(node, minlength=len(self.degree))
        kept = slot < MAX_DEGREE
        node, other, slot = node[kept], other[kept], slot[kept]
        self.vectors[node, slot] = unit(self.position[other] - self.position[node])

    def misfit(self, node: Ids, direction: NDArray[np.float32]) -> NDArray[np.float32]:
        """How ill a vessel in a direction fits the others at its node: 0 for a smooth one."""
        present = self.vectors[node]
        cosine = np.einsum("nkx,nx->nk", present, direction)
        pair = np.einsum("nx,nx->n", present[:, 0], present[:, 1])
        straight = (self.degree[node] >= 2) & (pair < STRAIGHT_COSINE)
        crowded = self.degree[node] >= USUAL_DEGREE
        ahead, aside = 1 + cosine.min(axis=1), np.abs(cosine).max(axis=1)
        sharp = SHARP_WEIGHT * np.maximum(cosine.max(axis=1) - SHARP_COSINE, 0)
        return np.asarray(np.where(straight | crowded, aside, ahead) + sharp)


def join(position: Floats, near: Nodes, tree: Ids, wanted: int) -> Ids:
    """(a, 2) pairs of near nodes to join, with the (t, 2) tree edges `wanted` edges where it can.

    Three edges a node first, then four.
    """
    present = Directions(position, tree)
    taken = np.sort(_keys(tree, len(position)))
    joined = [np.empty((0, 2), dtype=np.int64)]
    missing = wanted - len(tree)
    for most, limits in ((USUAL_DEGREE, LIMITS), (MAX_DEGREE, FORCED_LIMITS)):
        pairs = _open_pairs(present, near, most, taken)
        for limit in limits:
            pairs = pairs[(present.degree[pairs] < most).all(axis=1)]
            best = _best(present, pairs, limit)[:missing]
            new = pairs[best]
            present.add(new)
            joined.append(new)
            missing -= len(new)
            pairs = np.delete(pairs, best, axis=0)
        taken = np.sort(np.concatenate([taken, _keys(np.concatenate(joined), len(position))]))
    return np.concatenate(joined)


def _open_pairs(present: Directions, near: Nodes, most: int, taken: Ids) -> Ids:
    """Pairs of near nodes, below `most` edges each, that are not joined; (p, 2), src < dst."""
    number = len(near)
    nodes = np.flatnonzero(present.degree < most)
    source = np.repeat(nodes, near.shape[1])
    target = near[nodes].ravel().astype(np.int64)
    chosen = (present.degree[target] < most) & (present.degree[source] > 0)
    chosen &= present.degree[target] > 0
    keys = np.unique(_keys(np.column_stack([source[chosen], target[chosen]]), number))
    keys = keys[~contains(taken, keys)]
    return np.column_stack(np.divmod(keys, number))


def _best(present: Directions, pairs: Ids, limit: float) -> Ids:
    """The places of pairs that share no node and fit within the limit, the best fitting first."""
    cost = np.concatenate([np.empty(0), *_costs(present, pairs)])
    fit = np.flatnonzero(cost < limit)
    fit = fit[np.argsort(cost[fit], kind="stable")]
    return fit[disjoint(pairs[fit], len(present.degree))]


def _costs(present: Directions, pairs: Ids) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(pairs), CHUNK):
        part = pairs[start : start + CHUNK]
        offset = present.position[part[:, 1]] - present.position[part[:, 0]]
        direction = unit(offset)
        angles = present.misfit(part[:, 0], direction) + present.misfit(part[:, 1], -direction)
        yield angles + LENGTH_WEIGHT * length_cost(np.linalg.norm(offset, axis=1))


def _keys(pairs: Ids, number: int) -> Ids:
    return np.asarray(pairs.min(axis=1) * number + pairs.max(axis=1))
