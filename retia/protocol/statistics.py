"""What seeds and resampled items say of methods: intervals, and who is worse than whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
LEVEL = 0.05


@dataclass(frozen=True)
class Summary:
    """A measure over seeds: mean, unbiased standard deviation, 95 % t-interval of the mean.

    One seed has no spread: std, low and high are none.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def summarise(values: Sequence[float]) -> Summary:
    """The summary of one value a seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Summary(mean, None, None, None, tuple(values))
    std = float(np.std(values, ddof=1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * std / len(values) ** 0.5
    return Summary(mean, std, mean - half, mean + half, tuple(values))


def holm(p_values: Floats) -> Floats:
    """p-values (m,) corrected for their number (Holm 1979, Scand. J. Statist. 6:65-70)."""
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected


def worse(leader: Floats, other: Floats) -> float:
    """One-sided p-value that another method is not worse, from paired bootstrap draws (B,)."""
    return float((1 + (other >= leader).sum()) / (1 + len(leader)))


def rank_groups(draws: Sequence[Floats]) -> list[int]:
    """The group of each method, 0 for the first; `draws` (B,) each, the best method first.

    Draws are paired and higher is better. A group ends before the first method that is worse than
    the group's first one at the 5 % level, corrected by `holm` for all methods after that one.
    """
    groups: list[int] = []
    start = 0
    while start < len(draws):
        after = draws[start + 1 :]
        p_values = holm(np.array([worse(draws[start], other) for other in after]))
        apart = np.flatnonzero(p_values < LEVEL)
        size = 1 + (int(apart[0]) if len(apart) else len(after))
        groups += [groups[-1] + 1 if groups else 0] * size
        start += size
    return groups
