"""Second-order random walks (node2vec), compiled."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Ints = NDArray[np.int64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def walks(
    start: Ints, column: Ints, nodes: Ints, seed: int, *, length: int, p: float, q: float
) -> Ints:
    """A walk of `length` steps from each of the nodes, (W, length + 1) int64.

    `start` (n + 1,) and `column` (M,) are a CSR adjacency with sorted rows. A step goes back with
    weight 1/p, to a common neighbour of the last two nodes with weight 1, elsewhere with weight 1/q
    (Grover and Leskovec 2016, section 3.2.2), drawn by rejection. A walk that is stuck stays. The
    walk of a node depends on the seed and its place alone, not on the number of threads.
    """
    most = max(1 / p, 1.0, 1 / q)
    return _walks(
        start, column, nodes, np.uint64(seed), length, 1 / p / most, 1 / most, 1 / q / most
    )


def skip_pairs(steps: Ints, window: int) -> Ints:
    """The pairs (P, 2) of nodes within `window` steps of each other in a walk, both ways."""
    ahead = [
        np.stack([steps[:, :-gap].ravel(), steps[:, gap:].ravel()], axis=1)
        for gap in range(1, min(window, steps.shape[1] - 1) + 1)
    ]
    pairs = np.concatenate(ahead) if ahead else np.empty((0, 2), dtype=np.int64)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.concatenate([pairs, pairs[:, ::-1]])


@njit(inline="always")
def _next(state: Any) -> Any:
    """One step of splitmix64: the new state, and a number in [0, 1)."""
    state = state + GOLDEN
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return state, np.float64(z >> np.uint64(11)) / 9007199254740992.0


@njit(parallel=True, cache=True)
def _walks(
    start: Any,
    column: Any,
    nodes: Any,
    seed: Any,
    length: int,
    back: float,
    near: float,
    far: float,
) -> Any:
    found = np.empty((len(nodes), length + 1), dtype=np.int64)
    for walk in prange(len(nodes)):
        state = (seed ^ (np.uint64(walk) * np.uint64(0xD1342543DE82EF95))) + GOLDEN
        last = current = nodes[walk]
        found[walk, 0] = current
        for step in range(1, length + 1):
            first, degree = start[current], start[current + 1] - start[current]
            if degree == 0:
                found[walk, step] = current
                continue
            while True:
                state, draw = _next(state)
                chosen = column[first + np.int64(draw * degree)]
                if step == 1:
                    break
                state, draw = _next(state)
                if chosen == last:
                    weight = back
                else:
                    row = column[start[last] : start[last + 1]]
                    place = np.searchsorted(row, chosen)
                    joined = place < len(row) and row[place] == chosen
                    weight = near if joined else far
                if draw < weight:
                    break
            last, current = current, chosen
            found[walk, step] = current
    return found
