"""Which edges of the message graph a batch must not see, since it is asked for them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retia.benchmarks.csr import Csr, Ints


@dataclass(frozen=True)
class Hidden:
    """For each seed edge, the entries of a `Csr` to hide with it.

    `start` (P + 1,), `entry`: those of seed edge i are `entry[start[i] : start[i + 1]]`.
    """

    start: Ints
    entry: Ints

    @classmethod
    def joining(cls, graph: Csr, pairs: Ints) -> Self:
        """Hide with each of the pairs (2, P) all edges between its ends, in both directions."""
        n = graph.num_nodes
        target = np.repeat(np.arange(n), np.diff(graph.start))
        keys = target * n + graph.source
        source, target = pairs
        # A self-loop is its own reverse and is listed once.
        wanted = np.stack([target * n + source, source * n + target], axis=1)
        first = np.searchsorted(keys, wanted)
        count = np.searchsorted(keys, wanted, side="right") - first
        count[source == target, 1] = 0
        return cls._ranges(first, count)

    @classmethod
    def owned(cls, graph: Csr, owner: Ints, num_seeds: int) -> Self:
        """Hide with each seed edge the edges that it owns.

        `owner` (E,) is the seed edge that each edge of the graph, in the order of the list that it
        was made of, goes with, or -1. For directed seed edges whose reverse stays visible.
        """
        of_entry = owner[graph.edge]
        order = np.argsort(of_entry, kind="stable")
        return cls(np.searchsorted(of_entry[order], np.arange(num_seeds + 1)), order)

    @classmethod
    def _ranges(cls, first: Ints, count: Ints) -> Self:
        """Ranges of entries, (P, k) of them."""
        start = np.concatenate([[0], np.cumsum(count.sum(axis=1))])
        return cls(start, _expand(first.ravel(), count.ravel()))

    def mask(self, numbers: Ints, num_edges: int) -> NDArray[np.bool_]:
        """The (E,) entries to hide from a batch of the seed edges of those numbers."""
        hidden = np.zeros(num_edges, dtype=np.bool_)
        first = self.start[numbers]
        hidden[self.entry[_expand(first, self.start[numbers + 1] - first)]] = True
        return hidden


def _expand(first: Ints, count: Ints) -> Ints:
    """The numbers first, first + 1, ... of every range, one range after another."""
    return np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
