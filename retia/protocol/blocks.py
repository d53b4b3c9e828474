"""The `block` split: whole cubes of space are held out, and training stays away from them.

In a held-out block four fifths of the edges are visible context and one fifth is hidden. Edges that
lie in no held-out block are for training, unless a listed item is within the buffer width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retia.shards.errors import InputError

HELD_OUT_SHARE = 0.3
HIDDEN_SHARE = 0.2
MAX_NODES_PER_BLOCK = 4_096
MIN_BLOCKS = 64
MIN_HELD_OUT = 4

Pairs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """Cubes of space: the block of each node (n,), which are held out (B,), and their side."""

    of_node: NDArray[np.int64]
    held_out: Mask
    side: float

    def inside(self, edges: Pairs) -> Mask:
        """The edges with both ends in one held-out block."""
        block = self.of_node[edges]
        return np.asarray((block[:, 0] == block[:, 1]) & self.held_out[block[:, 0]])

    def outside(self, edges: Pairs) -> Mask:
        """The edges with no end in a held-out block."""
        return np.asarray(~self.held_out[self.of_node[edges]].any(axis=1))


def draw_blocks(positions: NDArray[np.float64], rng: np.random.Generator) -> Blocks:
    """Cut space into the cubes of one Morton level, and hold three tenths of them out.

    `positions` (n, d). The level is the coarsest with 64 occupied cubes or more and at most 4,096
    nodes a cube on average. Raises `InputError` where the nodes fill too few cubes.
    """
    extent = _extent(positions)
    wanted = max(MIN_BLOCKS, len(positions) // MAX_NODES_PER_BLOCK)
    for level in range(1, 21):
        side = extent / 2**level
        occupied, of_node = np.unique(cubes(positions, side), return_inverse=True)
        if len(occupied) >= wanted:
            break
    held = max(int(HELD_OUT_SHARE * len(occupied)), MIN_HELD_OUT)
    if len(occupied) < 2 * held:
        raise InputError(f"the nodes fill {len(occupied)} blocks; too few for a block split")
    held_out = np.zeros(len(occupied), dtype=bool)
    held_out[rng.permutation(len(occupied))[:held]] = True
    return Blocks(of_node.astype(np.int64), held_out, side)


def cubes(positions: NDArray[np.float64], side: float) -> NDArray[np.int64]:
    """(n,) the cube of each node, one number a cube; the side is a power of two of the extent."""
    level = round(float(np.log2(_extent(positions) / side)))
    side, last = _extent(positions) / 2**level, 2**level - 1
    cells = np.minimum((positions - positions.min(axis=0)) // side, last).astype(np.int64)
    return np.asarray(cells @ (last + 1) ** np.arange(positions.shape[1]))


def _extent(positions: NDArray[np.float64]) -> float:
    return float(np.ptp(positions, axis=0).max()) or 1.0


def hide_in_blocks(edges: Pairs, blocks: Blocks, rng: np.random.Generator) -> Mask:
    """The (E,) mask of hidden edges: a fifth of those that lie in a held-out block."""
    inside = np.flatnonzero(blocks.inside(edges))
    hidden = np.zeros(len(edges), dtype=bool)
    hidden[rng.permutation(inside)[: int(HIDDEN_SHARE * len(inside))]] = True
    return hidden


def clear_of(
    edges: Pairs, positions: NDArray[np.float64], listed: NDArray[np.int64], width: float
) -> Mask:
    """The edges whose nearer end is farther from every listed node than `width` and half the chord.

    So no point of such an edge's chord is within `width` of a listed node.
    """
    ends = positions[edges]
    half = np.asarray(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)) / 2
    reach = width + float(half.max(initial=0.0))
    found = cKDTree(positions[listed]).query(positions, distance_upper_bound=reach)
    near = np.asarray(found[0])
    return np.asarray(near[edges].min(axis=1) - half > width)
