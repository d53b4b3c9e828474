"""Score pairs by the rule that generated vessels follow, from the visible vessels alone.

It shows that a generated dataset has something to learn. It is no row of a leaderboard: it knows
how the network was made.
"""

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.generator.anastomoses import MAX_DEGREE, Directions
from retia.datasets.vessel.generator.growth import Ids, unit
from retia.datasets.vessel.generator.points import Floats

CLOSED_COSINE = -0.9
AHEAD = (-1.0, 0.06, 0.7)
ASIDE = (-0.4, 0.4, 0.3)
SIDE = (-0.35, 0.3, 1.35)
SHARP_COSINE = 0.75
SHARP_PENALTY = 2.0


def continuation_scores(position: Floats, visible: Ids, pairs: Ids) -> Floats:
    """(p,) how well a vessel between each of (p, 2) pairs would go on from those at both ends.

    At each end: where no two visible vessels make one line yet, the new one should continue one of
    them, or else leave aside; where two do, it should leave aside. Angles are scored by normal
    densities over the widest angle's cosine; a sharp angle counts against it; an end without a
    visible vessel says nothing. `visible` are (E, 2) edges, `position` (n, 3).
    """
    directions = Directions(position, visible)
    along = unit(position[pairs[:, 1]] - position[pairs[:, 0]])
    return _end(directions, pairs[:, 0], along) + _end(directions, pairs[:, 1], -along)


def _end(directions: Directions, node: Ids, along: NDArray[np.float32]) -> Floats:
    present = directions.vectors[node]
    there = np.arange(MAX_DEGREE) < directions.degree[node][:, None]
    cosine = np.einsum("nkx,nx->nk", present, along)
    widest = np.where(there, cosine, 1).min(axis=1)
    narrowest = np.where(there, cosine, -1).max(axis=1)
    closed = np.einsum("nix,njx->nij", present, present).min(axis=(1, 2)) < CLOSED_COSINE
    open_score = np.logaddexp(_log_normal(widest, *AHEAD), _log_normal(widest, *ASIDE))
    score = np.where(closed, _log_normal(widest, *SIDE), open_score)
    score -= SHARP_PENALTY * (narrowest > SHARP_COSINE)
    return np.where(there.any(axis=1), score, 0.0)


def _log_normal(value: Floats, mean: float, spread: float, weight: float) -> Floats:
    """The logarithm of a weighted normal density, but for a constant."""
    return np.asarray(-(((value - mean) / spread) ** 2) / 2 + np.log(weight / spread))
