"""Draw pairs by propensity and distance: s_i r_j exp(-d_ij / length), without visiting all pairs.

Neurons stand in the cells of a grid. A pair of cells is drawn with the kernel at the cells' least
distance, then a neuron in each by propensity, and the pair is kept with the ratio of the kernel at
its distance to that bound: what is kept follows the rule exactly.
"""

from dataclasses import dataclass

import numpy as np

from retia.datasets.connectome.generator.neurons import SPACING_UM, Codes, Ids
from retia.datasets.connectome.generator.wiring import Counts, Floats

MAX_CELLS = 2000
OVERDRAW = 1.2
USUALLY_KEPT = 0.25
LEAST, MOST = 1000, 4_000_000


@dataclass(frozen=True)
class _Shelf:
    """Neurons by class and cell: `total` (k, G) of their propensities, `upto` (n + 1,) running."""

    order: Ids
    start: Ids
    total: Floats
    upto: Floats

    @classmethod
    def of(cls, propensity: Floats, place: Ids, shape: tuple[int, int]) -> "_Shelf":
        order = np.argsort(place, kind="stable")
        sizes = np.bincount(place, minlength=shape[0] * shape[1])
        start = np.concatenate([[0], np.cumsum(sizes)])
        upto = np.concatenate([[0.0], np.cumsum(propensity[order])])
        return cls(order, start, np.diff(upto[start]).reshape(shape), upto)

    def draw(self, place: Ids, rng: np.random.Generator) -> Ids:
        """A neuron of each of these places, by propensity."""
        low, high = self.upto[self.start[place]], self.upto[self.start[place + 1]]
        at = np.searchsorted(self.upto, low + rng.random(len(place)) * (high - low), "right") - 1
        return self.order[np.clip(at, self.start[place], self.start[place + 1] - 1)]


class DistanceRule:
    """Proposes pairs for blocks of classes, as many as the last thinning by distance calls for."""

    def __init__(
        self,
        position: Floats,
        cell_class: Codes,
        propensities: tuple[Floats, Floats],
        length_um: float,
        rng: np.random.Generator,
    ) -> None:
        size = max(length_um, SPACING_UM * float(np.cbrt(len(position) / MAX_CELLS)))
        cells, cell = np.unique(np.floor(position / size), axis=0, return_inverse=True)
        apart = np.maximum(np.abs(cells[:, None] - cells[None]) - 1, 0) * size
        self._bound = np.exp(-np.linalg.norm(apart, axis=2) / length_um)
        self._position, self._length, self._rng = position, length_um, rng
        self._kept = USUALLY_KEPT
        shape = (int(cell_class.max()) + 1, len(cells))
        place = cell_class.astype(np.int64) * len(cells) + cell.ravel()
        self._senders, self._receivers = (_Shelf.of(p, place, shape) for p in propensities)

    def propose(self, wanted: Counts) -> Ids:
        """(p, 2) pairs, some more than `wanted` (k, k), from each block."""
        blocks = np.argwhere(wanted > 0)
        return np.concatenate([self._draw(a, b, int(wanted[a, b])) for a, b in blocks])

    def _draw(self, sender: int, receiver: int, wanted: int) -> Ids:
        """Pairs from a class to a class, in random order."""
        rng, cells = self._rng, len(self._bound)
        mass = self._senders.total[sender][:, None] * self._receivers.total[receiver] * self._bound
        upto = np.cumsum(mass)
        # Sorted numbers are looked up several times faster than numbers in random order.
        draws = min(LEAST + int(OVERDRAW * wanted / self._kept), MOST)
        at = np.sort(rng.random(draws)) * upto[-1]
        row, column = np.divmod(np.searchsorted(upto, at, "right"), cells)
        pairs = np.column_stack(
            [
                self._senders.draw(sender * cells + row, rng),
                self._receivers.draw(receiver * cells + column, rng),
            ]
        )
        kernel = np.exp(-distance(self._position, pairs) / self._length)
        kept = pairs[rng.random(len(pairs)) * self._bound[row, column] < kernel]
        self._kept = max(len(kept), 1) / draws
        return rng.permutation(kept)


def distance(position: Floats, pairs: Ids) -> Floats:
    """(p,) the distance of each of (p, 2) pairs, in the unit of (n, 3) positions."""
    return np.asarray(np.linalg.norm(position[pairs[:, 0]] - position[pairs[:, 1]], axis=1))
