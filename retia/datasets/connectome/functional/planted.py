"""Tensors with planted components whose pair patterns are communities: what can be recovered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from retia.datasets.connectome.functional.affinity import all_pairs
from retia.datasets.connectome.functional.communities import find_communities
from retia.datasets.connectome.functional.factorise import Factors, Floats, Seen
from retia.datasets.connectome.functional.rank import cosines
from retia.protocol.randomness import Randomness


@dataclass(frozen=True)
class Planted:
    """Noisy `values` (T, A, P) float32, which of them are `seen` (A, P), and the truth.

    `time` (T, R), `animal` (A, R), `pair` (P, R); `membership` (R, N) the community of each neuron
    in each component.
    """

    values: NDArray[np.float32]
    seen: Seen
    time: Floats
    animal: Floats
    pair: Floats
    membership: NDArray[np.int64]


@dataclass(frozen=True)
class Recovery:
    """How well a component was found: the lowest cosine of the three factors, and the ARI."""

    cosine: float
    ari: float


def plant(
    randomness: Randomness,
    *,
    rank: int = 4,
    times: int = 240,
    animals: int = 20,
    neurons: int = 50,
    communities: int = 4,
    missing: float = 0.3,
    noise_db: float = 5.0,
) -> Planted:
    """Bursts in time, gamma loadings of animals, and communities in the pairs, with noise.

    A pair of one community has a weight of 0.5 to 1.5, another pair of 0 to 0.2. Each animal lacks
    the share `missing` of its neurons. The noise is Gaussian, `noise_db` below the signal in power,
    and is not clipped: values may be negative.
    """
    rng = randomness.stream("planted")
    time = _bursts(rng, times, rank)
    animal = rng.gamma(4.0, 0.25, (animals, rank))
    membership = np.stack([rng.permutation(np.arange(neurons) % communities) for _ in range(rank)])
    i, j = all_pairs(neurons).T
    same = (membership[:, i] == membership[:, j]).T
    pair = np.where(same, rng.uniform(0.5, 1.5, same.shape), rng.uniform(0, 0.2, same.shape))
    signal = np.einsum("tr,ar,pr->tap", time, animal, pair, optimize=True)
    power = float((signal**2).mean()) / 10 ** (noise_db / 10)
    noise = rng.normal(0, np.sqrt(power), signal.shape)
    present = rng.random((animals, neurons)).argsort(axis=1) >= round(missing * neurons)
    seen = present[:, i] & present[:, j]
    values = np.where(seen, signal + noise, 0).astype(np.float32)
    return Planted(values, seen, time, animal, pair, membership)


def recovery(planted: Planted, found: Factors, randomness: Randomness) -> list[Recovery]:
    """How well each planted component was found, in the best matching of components."""
    by_mode = np.stack(
        [
            cosines(planted.time, found.time),
            cosines(planted.animal, found.animal),
            cosines(planted.pair, found.pair),
        ]
    )
    truth, match = linear_sum_assignment(-by_mode.prod(axis=0))
    results = []
    for component, place in zip(truth, match, strict=True):
        membership = planted.membership[component]
        labels = find_communities(found.pair[:, place], len(membership), randomness).labels
        lowest = float(by_mode[:, component, place].min())
        results.append(Recovery(lowest, adjusted_rand(membership, labels)))
    return results


def adjusted_rand(truth: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The adjusted Rand index of two partitions."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(truth, labels))


def _bursts(rng: np.random.Generator, times: int, rank: int) -> Floats:
    """(T, R) smoothed sparse events, each component with its own."""
    events = (rng.random((times, rank)) < 0.06) * rng.uniform(0.5, 2, (times, rank))
    smooth = gaussian_filter1d(events, 3.0, axis=0)
    return np.asarray(smooth / smooth.max(axis=0))
