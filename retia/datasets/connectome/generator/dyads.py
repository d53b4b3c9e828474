"""Unordered pairs of neurons that are joined, filled block by block from proposals."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retia.datasets.connectome.generator.neurons import Codes, Ids
from retia.datasets.connectome.generator.wiring import Counts
from retia.protocol.pairs import contains

Flags = NDArray[np.bool_]
Proposer = Callable[[Counts], Ids]


class Dyads:
    """The pairs joined so far, whichever way; none twice, none with itself.

    A block is the class of a pair's first neuron and that of its second.
    """

    def __init__(self, cell_class: Codes, num_classes: int) -> None:
        self._class = cell_class.astype(np.int64)
        self._classes = num_classes
        self._known = np.zeros(0, dtype=np.int64)

    def fill(self, propose: Proposer, wanted: Counts, rounds: int) -> Ids:
        """Join up to (k, k) `wanted` pairs a block; (p, 2) in the direction they were proposed in.

        `propose` is given what is still wanted; of a round's proposals the earliest are taken.
        """
        left = wanted.copy()
        taken = [np.zeros((0, 2), dtype=np.int64)]
        for _ in range(rounds):
            if not left.any():
                break
            fresh = self._admit(propose(left), left)
            left -= self.count(fresh)
            taken.append(fresh)
        return np.concatenate(taken)

    def count(self, pairs: Ids) -> Counts:
        """(k, k) how many of the pairs each block has."""
        counts = np.bincount(self._block(pairs), minlength=self._classes**2)
        return counts.reshape(self._classes, self._classes)

    def first(self, pairs: Ids, quota: Counts) -> Flags:
        """Which of the pairs are among the first `quota` of their block."""
        block = self._block(pairs)
        order = np.argsort(block, kind="stable")
        sizes = np.bincount(block, minlength=quota.size)
        rank = np.arange(len(pairs)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        chosen = np.empty(len(pairs), dtype=bool)
        chosen[order] = rank < quota.ravel()[block[order]]
        return chosen

    def _admit(self, pairs: Ids, quota: Counts) -> Ids:
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        key, place = np.unique(self._keys(pairs), return_index=True)
        pairs = pairs[np.sort(place[~contains(self._known, key)])]
        pairs = pairs[self.first(pairs, quota)]
        self._known = np.sort(np.concatenate([self._known, self._keys(pairs)]))
        return pairs

    def _block(self, pairs: Ids) -> Ids:
        return np.asarray(self._class[pairs[:, 0]] * self._classes + self._class[pairs[:, 1]])

    def _keys(self, pairs: Ids) -> Ids:
        return np.asarray(pairs.min(axis=1) * len(self._class) + pairs.max(axis=1))
