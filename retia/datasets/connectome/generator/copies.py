"""Pairs that follow from other pairs: a two-path that is closed, a pair that is mirrored."""

import numpy as np

from retia.datasets.connectome.generator.neurons import NONE, Ids
from retia.datasets.connectome.generator.rule import distance
from retia.datasets.connectome.generator.wiring import Counts, Floats

OVERDRAW = 4
LEAST = 1000


class Closing:
    """Proposes i -> k where i -> j -> k, so that the three are a feed-forward triad (030T).

    A two-path is drawn as a connection and a connection out of its end, both uniform, so that
    neurons keep their share of the connections; it is kept by `closing_odds`. `one_way` (E, 2) are
    connections without a reverse.
    """

    def __init__(
        self, position: Floats, one_way: Ids, length_um: float, rng: np.random.Generator
    ) -> None:
        self._position, self._length, self._rng = position, length_um, rng
        self._source, self._target = one_way[np.argsort(one_way[:, 0], kind="stable")].T
        self._degree = np.bincount(self._source, minlength=len(position))
        self._start = np.cumsum(self._degree) - self._degree

    def propose(self, wanted: Counts) -> Ids:
        """(p, 2) pairs of any blocks."""
        first = _draw(len(self._source), wanted, self._rng)
        middle = self._target[first]
        step = (self._rng.random(len(first)) * self._degree[middle]).astype(np.int64)
        goes_on = self._degree[middle] > 0
        second = (self._start[middle] + step)[goes_on]
        pairs = np.column_stack([self._source[first][goes_on], self._target[second]])
        odds = closing_odds(distance(self._position, pairs) / self._length)
        return pairs[self._rng.random(len(pairs)) < odds]


class Mirroring:
    """Proposes the mirror image of pairs whose neurons both have a homolog."""

    def __init__(self, homolog: Ids, pairs: Ids, rng: np.random.Generator) -> None:
        image = homolog[pairs]
        self._image, self._rng = image[(image != NONE).all(axis=1)], rng

    def propose(self, wanted: Counts) -> Ids:
        """(p, 2) pairs of any blocks."""
        return self._image[_draw(len(self._image), wanted, self._rng)]


def closing_odds(lengths: Floats) -> Floats:
    """How often a two-path whose ends are x length scales apart may be closed.

    The ends of two steps of density exp(-x) are apart with density (1 + x + x²/3) exp(-x) (both are
    Matérn functions, of order 1/2 and 5/2), so that closing by the inverse of the first factor
    leaves exp(-x): closed pairs fall off with distance as drawn ones do.
    """
    return np.asarray(1 / (1 + lengths + lengths**2 / 3))


def _draw(number: int, wanted: Counts, rng: np.random.Generator) -> Ids:
    """Places among so many, some four times as many as are wanted; none of none."""
    draws = max(OVERDRAW * int(wanted.sum()), LEAST) if number else 0
    return rng.integers(max(number, 1), size=draws)
