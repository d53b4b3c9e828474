"""Pairs of nodes as integer keys: membership, canonical order, degrees."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.blocks import Blocks
from retia.protocol.groups import Grouping

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class LinkGraph:
    """A graph whose edges are visible or hidden.

    `visible` (E, 2) and `hidden` (H, 2) are int64 pairs without self-loops or duplicates, src < dst
    where undirected; `positions` (n, d) float64, or none; `blocks` where whole blocks are held out,
    `grouping` where edges are hidden by groups. `context` (C, 2) are the visible edges of other
    relations, none of which joins the ends of a hidden edge.
    """

    num_nodes: int
    directed: bool
    visible: Pairs
    hidden: Pairs
    positions: NDArray[np.float64] | None = None
    blocks: Blocks | None = None
    grouping: Grouping | None = None
    context: Pairs = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """The sorted keys of all true edges, visible and hidden."""
        return np.sort(self.keys(np.concatenate([self.visible, self.hidden])))

    @cached_property
    def source_degree(self) -> NDArray[np.int64]:
        """(n,) visible out-degree, or visible degree where undirected."""
        return self._degree(0)

    @cached_property
    def target_degree(self) -> NDArray[np.int64]:
        """(n,) visible in-degree, or visible degree where undirected."""
        return self._degree(1)

    @cached_property
    def neighbours(self) -> csr_array:
        """The visible edges without directions, as a symmetric 0/1 matrix (n, n), rows sorted."""
        row, column = self.visible.T
        ends = np.concatenate([column, row]), np.concatenate([row, column])
        union = csr_array((np.ones(2 * len(row)), ends), shape=(self.num_nodes, self.num_nodes))
        union.data[:] = 1
        return union

    @cached_property
    def neighbour_count(self) -> NDArray[np.int64]:
        """(n,) the number of neighbours, directions ignored."""
        return np.asarray(np.diff(self.neighbours.indptr), dtype=np.int64)

    def canonical(self, pairs: Pairs) -> Pairs:
        """The pairs, with src < dst where the graph is undirected."""
        return pairs if self.directed else np.sort(pairs, axis=1)

    def keys(self, pairs: Pairs) -> NDArray[np.int64]:
        """One integer a pair; equal for both directions where the graph is undirected."""
        canonical = self.canonical(pairs)
        return canonical[:, 0] * self.num_nodes + canonical[:, 1]

    def is_edge(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Whether each pair is an edge, visible or hidden."""
        return contains(self.known, self.keys(pairs))

    def is_tied(self, pairs: Pairs, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether an edge of these sorted keys is of a pair's group, and so settles the pair.

        A pair whose reverse is visible is no hidden edge where pairs are hidden whole.
        """
        tied = np.zeros(len(pairs), dtype=bool)
        for image in self.grouping.images(pairs) if self.grouping else ():
            tied |= contains(edges, self.keys(image))
        return tied

    def is_joined(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Whether another relation joins a pair, in whatever direction: it is no hidden edge."""
        return contains(self._context_keys, self._undirected_keys(pairs))

    def is_settled(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Whether a pair is an edge, or visibly none: such a pair is no negative."""
        return self.is_edge(pairs) | self.is_tied(pairs, self.known) | self.is_joined(pairs)

    def distance(self, pairs: Pairs) -> NDArray[np.float64]:
        """The Euclidean distance of each pair, in the unit of the positions."""
        assert self.positions is not None
        offset = self.positions[pairs[:, 0]] - self.positions[pairs[:, 1]]
        return np.asarray(np.linalg.norm(offset, axis=1))

    @cached_property
    def reach(self) -> float:
        """Mean + 2 standard deviations of the visible edges' length, in the unit of positions."""
        lengths = self.distance(self.visible)
        return float(lengths.mean() + 2 * lengths.std())

    @cached_property
    def _context_keys(self) -> NDArray[np.int64]:
        return np.sort(self._undirected_keys(self.context))

    def _undirected_keys(self, pairs: Pairs) -> NDArray[np.int64]:
        low, high = np.sort(pairs, axis=1).T
        return np.asarray(low * self.num_nodes + high)

    def _degree(self, side: int) -> NDArray[np.int64]:
        ends = self.visible[:, side] if self.directed else self.visible.ravel()
        return np.bincount(ends, minlength=self.num_nodes)


def contains(sorted_keys: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each key is among the sorted ones."""
    if not len(sorted_keys):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[place] == keys)


def disjoint(pairs: Pairs, num_nodes: int) -> NDArray[np.bool_]:
    """A choice of pairs that share no node: earlier pairs go first, as a greedy matching would.

    Each round keeps the pairs that are the earliest at both of their ends, so the number of rounds
    is logarithmic and there is no loop over pairs.
    """
    chosen = np.zeros(len(pairs), dtype=bool)
    taken = np.zeros(num_nodes, dtype=bool)
    left = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    while len(left):
        first = np.full(num_nodes, len(pairs), dtype=np.int64)
        np.minimum.at(first, pairs[left].ravel(), np.repeat(left, 2))
        won = left[(first[pairs[left]] == left[:, None]).all(axis=1)]
        chosen[won] = True
        taken[pairs[won].ravel()] = True
        left = left[~taken[pairs[left]].any(axis=1)]
    return chosen
