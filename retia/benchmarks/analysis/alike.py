"""Which models have learned the same thing: runs as alike as two seeds of one model are.

Two seeds of one model differ; no other model can be expected to be nearer. So the similarity
between two runs is stated as a share of that ceiling, as a correlation is corrected for
attenuation (Spearman 1904):

    ratio(A, B) = s(A, B) / sqrt(s(A, A) s(B, B))

with s the mean debiased CKA over pairs of *different* seeds: one seed shares its split, and some
of its randomness, across models. The interval is of a bootstrap over seeds, drawn for all runs
together, without the pairs of a seed with itself.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from retia.benchmarks.analysis.embeddings import Floats

MARGIN = 0.05
DRAWS = 2000
FEWEST_SEEDS = 3
COVERED = (2.5, 97.5)

Verdict = Literal["same", "different", "open"]
Ints = np.ndarray


@dataclass(frozen=True)
class Alike:
    """Of R runs: ratio to the ceiling and the bounds of its 95 % interval, each (R, R).

    nan where a run's own seeds have nothing in common, or there are under three.
    """

    ratio: Floats
    low: Floats
    high: Floats

    def verdict(self, a: int, b: int) -> Verdict:
        """Same: the interval lies within MARGIN of 1 or above. Different: wholly below."""
        if self.low[a, b] >= 1 - MARGIN:
            return "same"
        return "different" if self.high[a, b] < 1 - MARGIN else "open"

    def tree(self) -> Floats:
        """Complete linkage (R-1, 4) on 1 - low: the largest difference the seeds leave possible."""
        return linkage(squareform(self._distance(), checks=False), "complete")

    def groups(self) -> list[list[int]]:
        """The tree cut at MARGIN: all pairs of runs within a group are the same."""
        numbers = fcluster(self.tree(), MARGIN, "distance")
        return sorted(np.flatnonzero(numbers == k).tolist() for k in np.unique(numbers))

    def _distance(self) -> Floats:
        distance = np.clip(1 - np.nan_to_num(self.low, nan=0.0), 0, None)
        np.fill_diagonal(distance, 0)
        return distance


def mean_by_run(similarity: Floats, run: Ints, seed: Ints) -> Floats:
    """Means (R, R) of a matrix (N, N) over pairs of different seeds, by the runs of its ends.

    Where two runs have no pair of different seeds, over all their pairs; within a run that has one
    seed, nan.
    """
    found = _means(similarity, run, seed, np.ones((1, len(run))))[0]
    for a, b in np.argwhere(np.isnan(found)):
        block = similarity[np.ix_(run == a, run == b)]
        if a != b and np.isfinite(block).any():
            found[a, b] = np.nanmean(block)
    return found


def compare_to_ceiling(
    similarity: Floats, run: Ints, seed: Ints, rng: np.random.Generator
) -> Alike:
    """How near runs are to the ceiling; `similarity` (N, N), `run` and `seed` (N,)."""
    known, place = np.unique(seed, return_inverse=True)
    counts = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=DRAWS)
    ratio = _ratio(_means(similarity, run, seed, np.ones((1, len(run)))))[0]
    drawn = _ratio(_means(similarity, run, seed, counts[:, place].astype(float)))
    few = np.bincount(run) < FEWEST_SEEDS
    drawn[:, few[:, None] | few[None, :]] = np.nan
    unusable = np.isnan(drawn).mean(axis=0) > 0.5
    low, high = np.nanpercentile(np.where(unusable, 0, drawn), COVERED, axis=0)
    return Alike(ratio, np.where(unusable, np.nan, low), np.where(unusable, np.nan, high))


def _means(similarity: Floats, run: Ints, seed: Ints, weight: Floats) -> Floats:
    """Weighted means (B, R, R) over pairs of different seeds; `weight` (B, N)."""
    counted = (seed[:, None] != seed[None, :]) & np.isfinite(similarity)
    values = np.where(counted, similarity, 0)
    member = (run[:, None] == np.arange(run.max() + 1)).astype(float)
    by_run = weight[:, :, None] * member
    total = np.einsum("bir,bis->brs", by_run, values @ by_run, optimize=True)
    number = np.einsum("bir,bis->brs", by_run, counted @ by_run, optimize=True)
    return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def _ratio(means: Floats) -> Floats:
    """s(A, B) / sqrt(s(A, A) s(B, B)) of means (B, R, R); ones on the diagonal."""
    own = np.diagonal(means, axis1=1, axis2=2)
    own = np.sqrt(np.where(own > 0, own, np.nan))
    return means / (own[:, :, None] * own[:, None, :])
