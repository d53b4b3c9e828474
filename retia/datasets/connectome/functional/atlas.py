"""From factors to an atlas: the edges of each motif, and the intervals in which a motif leads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from retia.datasets.connectome.functional.affinity import AffinityTensor
from retia.datasets.connectome.functional.communities import Communities
from retia.datasets.connectome.functional.factorise import Factors, Floats
from retia.datasets.connectome.functional.rank import RankReport

HOLD_S = 5.0


@dataclass(frozen=True)
class Intervals:
    """I runs of time, each led by a component: `first` and `last` + 1 (I,) steps, `motif` (I,)."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    motif: NDArray[np.int64]


@dataclass(frozen=True)
class Atlas:
    """The components of a tensor, why so many, their communities, and who leads when."""

    tensor: AffinityTensor
    factors: Factors
    reports: tuple[RankReport, ...]
    communities: tuple[Communities, ...]
    intervals: Intervals


def motif_edges(weights: Floats) -> NDArray[np.int64]:
    """The places of the pairs that are edges of a motif, from its (P,) weights.

    The weights are cut in two where the variance between the light and the heavy is greatest, and
    the heavy are edges: Otsu, N. (1979). A threshold selection method from gray-level histograms.
    IEEE Trans. Syst. Man Cybern. 9, 62-66. (A cut at what the strengths of two neurons let expect
    would keep half of the pairs of neurons that the motif leaves out.)
    """
    ascending = np.sort(weights)
    below = np.arange(1, len(ascending))
    above = len(ascending) - below
    total = np.cumsum(ascending)
    gap = (total[-1] - total[:-1]) / above - total[:-1] / below
    between = below * above * gap**2
    if not len(between) or not between.max() > 0:
        return np.flatnonzero(weights > 0)
    return np.flatnonzero(weights > ascending[between.argmax()])


def find_intervals(factors: Factors, step_s: float, hold_s: float = HOLD_S) -> Intervals:
    """The runs of time in which one component is the heaviest.

    The loadings lambda_r t_r are averaged over `hold_s` seconds around each step; times at which
    all are 0 belong to no interval.
    """
    size = max(1, round(hold_s / step_s))
    weight = factors.time * factors.scale
    loading = uniform_filter1d(weight, size, axis=0, mode="nearest")
    active = maximum_filter1d(weight.max(axis=1), size, mode="nearest") > 0
    leader = np.where(active, loading.argmax(axis=1), -1)
    first = np.flatnonzero(np.diff(leader, prepend=-2))
    last = np.append(first[1:], len(leader))
    led = leader[first] >= 0
    return Intervals(first[led], last[led], leader[first[led]])


def interval_affinity(
    tensor: AffinityTensor, intervals: Intervals, kept: NDArray[np.int64]
) -> Floats:
    """(K, I) mean affinity of the kept pairs in each interval, over animals that show the pair."""
    animals = np.maximum(tensor.seen[:, kept].sum(axis=0), 1)
    mean = tensor.values[:, :, kept].sum(axis=1, dtype=np.float64) / animals
    total = np.concatenate([np.zeros((1, len(kept))), np.cumsum(mean, axis=0)])
    length = (intervals.last - intervals.first)[:, None]
    return np.asarray(((total[intervals.last] - total[intervals.first]) / length).T)
