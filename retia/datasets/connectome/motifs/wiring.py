"""The graph whose motifs are counted: directed pairs of nodes, with weights and positions."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triads import adjacency
from retia.shards.errors import InputError

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Wiring:
    """A directed graph without self-loops and repeated edges.

    `pairs` (E, 2) are the edges from the first to the second node, sorted; `weight` (E,),
    `position` (num_nodes, D) and `colour` (num_nodes,) stand where there are any; the colour "" is
    none. Below `min_weight` an edge counts for nothing: `strong` is what is left.
    """

    num_nodes: int
    pairs: Ints
    weight: Floats | None = None
    position: Floats | None = None
    min_weight: float | None = None
    colour: NDArray[np.str_] | None = None

    @classmethod
    def of(
        cls,
        num_nodes: int,
        pairs: Ints,
        weight: Floats | None = None,
        position: Floats | None = None,
        min_weight: float | None = None,
        colour: NDArray[np.str_] | None = None,
    ) -> Self:
        """Bring the pairs into order, without self-loops.

        Raises `InputError` where a pair stands twice, a node does not exist, or `min_weight` is
        not finite or given without weights.
        """
        if min_weight is not None and weight is None:
            raise InputError("a least weight was asked for, and the edges have no weight")
        if min_weight is not None and not np.isfinite(min_weight):
            raise InputError(f"a least weight has to be a number, not {min_weight}")
        if len(pairs) and not 0 <= pairs.min() <= pairs.max() < num_nodes:
            raise InputError(f"an edge names a node that is not one of 0 to {num_nodes - 1}")
        kept = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
        order = kept[np.lexsort((pairs[kept, 1], pairs[kept, 0]))]
        pairs = pairs[order].astype(np.int64)
        if (pairs[1:] == pairs[:-1]).all(axis=1).any():
            raise InputError("an edge stands twice; merge repeated edges first")
        weight = None if weight is None else weight[order]
        return cls(num_nodes, pairs, weight, position, min_weight, colour)

    @property
    def strong(self) -> Ints:
        """The edges of at least `min_weight`, (S, 2); all of them where there is none."""
        if self.min_weight is None or self.weight is None:
            return self.pairs
        return self.pairs[self.weight >= self.min_weight]

    def graph(self, pairs: Ints | None = None) -> csr_array:
        """The adjacency matrix (n, n) of `pairs`, by default of the strong edges."""
        pairs = self.strong if pairs is None else pairs
        return adjacency(pairs, self.num_nodes)

    def digest(self) -> str:
        """The sha256 of all that a count or a null model can depend on."""
        known = sha256(f"{self.num_nodes}/{self.min_weight}".encode())
        for array in (self.pairs, self.weight, self.position, self.colour):
            known.update(b"/" if array is None else np.ascontiguousarray(array).tobytes())
        return known.hexdigest()
