"""Time-varying affinities of pairs of neurons, and the tensor time x animal x pair.

Two neurons are close at a time when their activities change alike, in the same direction:

    a_ij(t) = min(|d_i|, |d_j|) exp(-(d_i - d_j)^2 / (2 sigma^2))   where d_i d_j > 0, else 0

where d is the derivative of the smoothed, scaled activity in units of its own median absolute
deviation, and sigma the median of |d_i - d_j| over all pairs and times of the animal.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retia.datasets.connectome.functional.traces import Floats, Names, Traces, interpolate
from retia.shards.errors import InputError

Pairs = NDArray[np.int64]

SMOOTH_S = 1.0
LOW, HIGH = 1, 99
BLOCK_PAIRS = 1024
MAX_TENSOR_BYTES = 4 << 30


@dataclass(frozen=True)
class AffinityTensor:
    """Affinities over time, animals and pairs of neurons.

    `values` (T, A, P) float32, 0 where a pair was not seen; `seen` (A, P) whether the animal has
    both neurons; `pairs` (P, 2) indices into `neurons` (N,), i < j, in the order of
    `numpy.triu_indices`; a step in time is `step_s` seconds.
    """

    values: NDArray[np.float32]
    seen: NDArray[np.bool_]
    pairs: Pairs
    neurons: Names
    animals: tuple[str, ...]
    step_s: float


def affinity_tensor(
    animals: Sequence[Traces],
    *,
    smooth_s: float = SMOOTH_S,
    window_s: float | None = None,
    workers: int = 1,
) -> AffinityTensor:
    """The affinities of all animals, which are put in the order of their names, as neurons are.

    Time is that of the coarsest recording and ends with the shortest; with `window_s`, affinities
    are averaged over windows that follow each other. The result does not depend on `workers`.
    """
    animals = sorted(animals, key=lambda traces: traces.animal)
    _check(animals, smooth_s, window_s)
    neurons = np.unique(np.concatenate([traces.neurons for traces in animals]))
    pairs = all_pairs(len(neurons))
    step = max(traces.step_s for traces in animals)
    samples = min(_duration(traces) for traces in animals) / step
    samples = int(np.floor(samples + 1e-6)) + 1
    window = 1 if window_s is None else max(1, round(window_s / step))
    bins = samples // window
    _check_size(bins, len(animals), len(pairs))
    values = np.zeros((bins, len(animals), len(pairs)), dtype=np.float32)
    seen = np.zeros((len(animals), len(pairs)), dtype=bool)

    def fill(animal: int) -> None:
        traces = animals[animal]
        own = np.searchsorted(neurons, np.sort(traces.neurons))
        change = derivatives(traces, step, samples, smooth_s)[:, np.argsort(traces.neurons)]
        inside = all_pairs(len(own))
        column = pair_index(own[inside], len(neurons))
        seen[animal, column] = True
        values[:, animal, column] = affinities(change, inside, bins, window)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fill, range(len(animals))))
    names = tuple(traces.animal for traces in animals)
    return AffinityTensor(values, seen, pairs, neurons, names, step * window)


def derivatives(traces: Traces, step_s: float, samples: int, smooth_s: float = SMOOTH_S) -> Floats:
    """(samples, N) derivatives in units of their median absolute deviation from the median.

    The activity is smoothed by a Gaussian of `smooth_s` seconds, sampled anew, and scaled between
    its percentiles 1 and 99. A neuron whose activity does not change has derivative 0.
    """
    smooth = traces.activity
    if smooth_s:
        smooth = gaussian_filter1d(smooth, smooth_s / traces.step_s, axis=0, mode="nearest")
    own = traces.step_s * np.arange(len(smooth), dtype=np.float64)
    even = interpolate(own, smooth, step_s * np.arange(samples, dtype=np.float64))
    low, high = np.percentile(even, (LOW, HIGH), axis=0)
    spread = np.where(high > low, high - low, np.inf)
    slope = np.gradient(np.clip((even - low) / spread, 0, 1), step_s, axis=0)
    deviation = np.median(np.abs(slope - np.median(slope, axis=0)), axis=0)
    scale = np.where(deviation > 0, deviation, slope.std(axis=0))
    return np.asarray(slope / np.where(scale > 0, scale, np.inf))


def affinities(change: Floats, pairs: Pairs, bins: int, window: int) -> NDArray[np.float32]:
    """(bins, P) affinities of pairs, from (T, N) derivatives; means over `window` samples."""
    change = change[: bins * window]
    width = typical_difference(change, pairs)
    found = np.empty((bins, len(pairs)), dtype=np.float32)
    for start in range(0, len(pairs), BLOCK_PAIRS):
        block = pairs[start : start + BLOCK_PAIRS]
        one, other = change[:, block[:, 0]], change[:, block[:, 1]]
        near = np.exp(-((one - other) ** 2) / (2 * width**2))
        value = np.where(one * other > 0, np.minimum(abs(one), abs(other)) * near, 0)
        found[:, start : start + len(block)] = value.reshape(bins, window, -1).mean(axis=1)
    return found


def typical_difference(change: Floats, pairs: Pairs) -> float:
    """The median of |d_i - d_j| over pairs and times; a tiny number where that is 0."""
    difference = np.abs(change[:, pairs[:, 0]] - change[:, pairs[:, 1]])
    return float(np.median(difference)) or float(np.finfo(np.float32).tiny)


def all_pairs(number: int) -> Pairs:
    """(P, 2) all i < j."""
    return np.column_stack(np.triu_indices(number, k=1))


def pair_index(pairs: Pairs, number: int) -> NDArray[np.int64]:
    """The places of pairs i < j in `all_pairs(number)`."""
    i, j = pairs[:, 0], pairs[:, 1]
    return np.asarray(i * (2 * number - i - 1) // 2 + j - i - 1)


def _duration(traces: Traces) -> float:
    return (len(traces.activity) - 1) * traces.step_s


def _check(animals: Sequence[Traces], smooth_s: float, window_s: float | None) -> None:
    names = [traces.animal for traces in animals]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two files of traces are of the animal '{twice}'; name them apart")
    for what, value in (("--smooth", smooth_s), ("--window", window_s)):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise InputError(f"{what} {value}: seconds, 0 or more, are needed")
    for traces in animals:
        if smooth_s > _duration(traces):
            raise InputError(
                f"--smooth {smooth_s}: the recording of {traces.animal} lasts "
                f"{_duration(traces):g} s; give a shorter time"
            )
        if len(traces.neurons) < 2:
            raise InputError(f"{traces.animal}: one neuron has no pair")


def _check_size(bins: int, animals: int, pairs: int) -> None:
    if bins < 2:
        raise InputError("the shortest recording has fewer than two windows; lower --window")
    size = bins * animals * pairs * 4
    if size > MAX_TENSOR_BYTES:
        raise InputError(
            f"{bins:,} times x {animals} animals x {pairs:,} pairs are {size / 1e9:.1f} GB; "
            f"at most {MAX_TENSOR_BYTES / 1e9:.1f} GB are handled: give a longer --window"
        )
