"""Small graphs for tests of samplers and partitions."""

import numpy as np
from hypothesis import strategies as st

from retia.benchmarks.csr import Csr, Ints


@st.composite
def edge_lists(draw: st.DrawFn, least: int = 0) -> tuple[Ints, int]:
    """Directed edges (2, E), with self-loops and parallel ones, and a number of nodes."""
    n = draw(st.integers(least, 12))
    node = st.integers(0, max(n - 1, 0))
    pairs = draw(st.lists(st.tuples(node, node), max_size=40 if n else 0))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T, n


def undirected(pairs: Ints) -> Ints:
    """Each of the edges (2, E) in both directions."""
    return np.concatenate([pairs, pairs[::-1]], axis=1)


def grid(side: int) -> Csr:
    """A square grid, undirected."""
    number = np.arange(side * side).reshape(side, side)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    down = np.stack([number[:-1].ravel(), number[1:].ravel()])
    return Csr.of(undirected(np.concatenate([across, down], axis=1)), side * side)
