"""Hold counts against draws of a null model, and tell whether the draws forgot where they began."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retia.datasets.connectome.motifs.draws import Draws
from retia.datasets.connectome.motifs.wiring import Floats, Ints

MIXED = 0.01


@dataclass(frozen=True)
class Significance:
    """K counts against their draws; each array is (K,).

    `z` is (observed - mean) / std with the unbiased std of the draws, `ratio` is observed / mean;
    NaN where the denominator is 0. `p` is empirical and two-sided: twice the smaller of the two
    tails (r + 1) / (n + 1), where r of n draws lie at the observed count or beyond it; at most 1
    (Davison, A. C., Hinkley, D. V. (1997). Bootstrap methods and their application, section 4.2).
    `q` is p after Benjamini and Hochberg (1995), over the K counts.
    """

    observed: Ints
    mean: Floats
    std: Floats
    z: Floats
    ratio: Floats
    p: Floats
    q: Floats


@dataclass(frozen=True)
class Mixing:
    """Whether the chains of a null model ran long enough.

    `steps` and `accepted` are per edge. `overlap` is the mean share of edges that a draw has in
    common with the graph it started from, `halfway_overlap` the same after half of the steps: once
    a chain has forgotten its start, they are equal. `p` tests just that, for the overlap and for
    every count: paired t-tests of the first 100 draws, half of the steps against all, the least p
    times their number (Bonferroni). `mixed` is p >= 0.01; `largest_drift` is the largest
    difference of means in standard deviations of the draws.
    """

    steps: float
    accepted: float
    overlap: float
    halfway_overlap: float
    largest_drift: float
    p: float

    @property
    def mixed(self) -> bool:
        """Whether half of the steps would have done as well."""
        return self.p >= MIXED


def assess(observed: Ints, drawn: Ints) -> Significance:
    """The significance of counts (K,) against those of n draws (n, K)."""
    mean, std = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    above, below = (drawn >= observed).sum(axis=0), (drawn <= observed).sum(axis=0)
    p = np.minimum(1, 2 * (np.minimum(above, below) + 1) / (len(drawn) + 1))
    return Significance(
        observed=observed,
        mean=mean,
        std=std,
        z=_divide(observed - mean, std),
        ratio=_divide(observed, mean),
        p=p,
        q=stats.false_discovery_control(p),
    )


def diagnose(draws: Draws, edges: int) -> Mixing | None:
    """How well chains over graphs of so many edges mixed; none for graphs drawn outright."""
    if not len(draws.halfway_overlap):
        return None
    size = len(draws.halfway_overlap)
    end = np.column_stack([draws.overlap, *draws.counts.values()])
    half = np.column_stack([draws.halfway_overlap, *draws.halfway_counts.values()])
    moved = end[:size] - half
    drift = np.abs(_divide(moved.mean(axis=0), end.std(axis=0, ddof=1)))
    return Mixing(
        steps=draws.steps / edges,
        accepted=float(draws.accepted.mean()) / edges,
        overlap=float(draws.overlap.mean()),
        halfway_overlap=float(draws.halfway_overlap.mean()),
        largest_drift=float(np.nanmax(drift, initial=0)),
        p=_least_p(moved),
    )


def _least_p(moved: Floats) -> float:
    """The least p of t-tests that columns have mean 0, times the number of those that vary."""
    varying = moved[:, moved.std(axis=0) > 0]
    if not varying.shape[1]:
        return 1.0
    return float(min(1, stats.ttest_1samp(varying, 0).pvalue.min() * varying.shape[1]))


def _divide(one: NDArray[Any], other: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(other > 0, one / other, np.nan)
