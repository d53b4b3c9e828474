"""Straighten vessels through their junctions, and bend the segments between.

At each junction two of the vessels make one line: the parent and its widest daughter in a tree,
else the two that come nearest to a line.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.generator.growth import Ids, Trees, unit
from retia.datasets.vessel.generator.points import Floats
from retia.datasets.vessel.generator.radii import CAPILLARY, Calibre

STEPS = 12
PULL = 0.5
ANCHOR = 0.1
MIDDLE = (0.35, 0.65)
SLOTS = 4
TORTUOSITY = 0.015
MIN_ALONG = 0.5
CHUNK = 1 << 20


def through_pairs(position: Floats, edges: Ids, trees: Trees, calibre: Calibre) -> Ids:
    """(n, 2) the two neighbours of each node that make one line through it; itself if none do."""
    node = np.arange(len(position))
    neighbour = _slots(edges, len(position))
    pair = np.concatenate(
        [_straightest(position, neighbour, node[part]) for part in _chunks(len(position))]
    )
    wide = np.flatnonzero((calibre.main >= 0) & (trees.parent >= 0))
    wide = wide[calibre.node_kind[wide] != CAPILLARY]
    pair[wide] = np.column_stack([trees.parent[wide], calibre.main[wide]])
    alone = (pair < 0).any(axis=1)
    pair[alone] = node[alone, None]
    return pair


def straighten(position: Floats, pair: Ids) -> Floats:
    """Positions pulled towards the lines between through neighbours, and held near their places."""
    moved = position.copy()
    for _ in range(STEPS):
        first, line = moved[pair[:, 0]], moved[pair[:, 1]] - moved[pair[:, 0]]
        along = np.einsum("nx,nx->n", moved - first, line)
        share = np.clip(along / np.maximum(np.einsum("nx,nx->n", line, line), 1e-9), *MIDDLE)
        goal = first + share[:, None] * line
        moved += PULL * (goal - moved) + ANCHOR * (position - moved)
    return moved


def curvenesses(position: Floats, edges: Ids, pair: Ids, rng: np.random.Generator) -> Floats:
    """(E,) length over distance of segments that leave their junctions along the through lines.

    A cubic arc with small slopes a and b at its ends is longer than its chord by the share
    (2a² - ab + 2b²) / 30. Tortuosity is added.
    """
    excess = [_arc_excess(position, edges[part], pair) for part in _chunks(len(edges))]
    tortuosity = rng.gamma(2.0, TORTUOSITY, len(edges))
    return np.asarray(1 + np.concatenate(excess) + tortuosity)


def _arc_excess(position: Floats, edges: Ids, pair: Ids) -> Floats:
    chord = unit(position[edges[:, 1]] - position[edges[:, 0]])
    a = _slopes(position, edges[:, 0], edges[:, 1], chord, pair)
    b = _slopes(position, edges[:, 1], edges[:, 0], chord, pair)
    dots = [np.einsum("ex,ex->e", one, two) for one, two in ((a, a), (a, b), (b, b))]
    return np.asarray((2 * dots[0] - dots[1] + 2 * dots[2]) / 30, dtype=np.float64)


def _slopes(
    position: Floats, node: Ids, other: Ids, chord: NDArray[np.float32], pair: Ids
) -> NDArray[np.float32]:
    """(e, 3) the slope of the through line against the chord; none for a side branch."""
    line = unit(position[pair[node, 1]] - position[pair[node, 0]])
    along = np.einsum("ex,ex->e", line, chord)
    through = (pair[node] == other[:, None]).any(axis=1) & (np.abs(along) > MIN_ALONG)
    slope = line / np.where(through, along, 1)[:, None] - chord
    return np.where(through[:, None], slope, np.float32(0))


def _straightest(position: Floats, neighbour: Ids, node: Ids) -> Ids:
    """(m, 2) the two neighbours with the widest angle at each node, -1 where there are not two."""
    around = neighbour[node]
    direction = unit(position[around] - position[node][:, None])
    choices = list(combinations(range(SLOTS), 2))
    cosine = np.stack(
        [
            np.where(
                (around[:, i] < 0) | (around[:, j] < 0),
                np.inf,
                np.einsum("nx,nx->n", direction[:, i], direction[:, j]),
            )
            for i, j in choices
        ],
        axis=1,
    )
    chosen = np.array(choices)[cosine.argmin(axis=1)]
    pair = np.take_along_axis(around, chosen, axis=1)
    pair[np.isinf(cosine.min(axis=1))] = -1
    return pair


def _slots(edges: Ids, number: int) -> Ids:
    """(n, 4) neighbours of each node, -1 in empty slots; a fifth one is left out."""
    node, other = edges.ravel(), edges[:, ::-1].ravel()
    order = np.argsort(node, kind="stable")
    node, other = node[order], other[order]
    slot = np.arange(len(node)) - np.searchsorted(node, node)
    kept = slot < SLOTS
    table = np.full((number, SLOTS), -1, dtype=np.int64)
    table[node[kept], slot[kept]] = other[kept]
    return table


def _chunks(number: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, number, CHUNK))
